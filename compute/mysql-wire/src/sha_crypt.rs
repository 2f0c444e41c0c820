//! SHA-256 crypt, the slow hash that caching_sha2_password stores: `$A$005$` + 20 bytes of salt + 43 characters of digest.
//!
//! The stored number is rounds / 1000 in three hexadecimal digits; MySQL's default is 5,000 rounds. The algorithm is Ulrich Drepper's
//! "Unix crypt using SHA-256 and SHA-512" (2007), with a salt of 20 bytes where his has at most 16. Checked against digests made by
//! MySQL 9.7.

use sha2::{Digest, Sha256};

/// Bytes of salt in a stored value.
pub const SALT_LEN: usize = 20;
/// Characters of digest in a stored value.
pub const DIGEST_LEN: usize = 43;
/// MySQL's default work factor.
pub const DEFAULT_ROUNDS: u32 = 5000;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digest of `password` in crypt's own base 64.
pub fn sha256_crypt(password: &[u8], salt: &[u8; SALT_LEN], rounds: u32) -> [u8; DIGEST_LEN] {
    encode(&stretch(password, salt, rounds))
}

fn stretch(password: &[u8], salt: &[u8; SALT_LEN], rounds: u32) -> [u8; 32] {
    let b = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut a = Sha256::new().chain_update(password).chain_update(salt);
    update_repeated(&mut a, &b, password.len());
    let mut n = password.len();
    while n > 0 {
        if n & 1 == 1 {
            a.update(b)
        } else {
            a.update(password)
        }
        n >>= 1;
    }
    let mut sum: [u8; 32] = a.finalize().into();

    let mut dp = Sha256::new();
    for _ in 0..password.len() {
        dp.update(password);
    }
    let p = repeated(&dp.finalize(), password.len());
    let mut ds = Sha256::new();
    for _ in 0..16 + usize::from(sum[0]) {
        ds.update(salt);
    }
    let s = repeated(&ds.finalize(), salt.len());

    for round in 0..rounds {
        let mut c = Sha256::new();
        if round & 1 == 1 {
            c.update(&p)
        } else {
            c.update(sum)
        }
        if round % 3 != 0 {
            c.update(&s);
        }
        if round % 7 != 0 {
            c.update(&p);
        }
        if round & 1 == 1 {
            c.update(sum)
        } else {
            c.update(&p)
        }
        sum = c.finalize().into();
    }
    sum
}

fn update_repeated(hash: &mut Sha256, block: &[u8], mut length: usize) {
    while length > block.len() {
        hash.update(block);
        length -= block.len();
    }
    hash.update(&block[..length]);
}

fn repeated(block: &[u8], length: usize) -> Vec<u8> {
    block.iter().copied().cycle().take(length).collect()
}

/// Crypt's base 64: groups of three bytes in a fixed shuffle, six bits at a time from the low end.
fn encode(sum: &[u8; 32]) -> [u8; DIGEST_LEN] {
    let mut text = [0; DIGEST_LEN];
    let mut at = 0;
    let mut put = |mut word: u32, n: usize| {
        for _ in 0..n {
            text[at] = ALPHABET[(word & 63) as usize];
            at += 1;
            word >>= 6;
        }
    };
    let (mut i, mut j, mut k) = (0, 10, 20);
    for _ in 0..10 {
        put(u32::from(sum[i]) << 16 | u32::from(sum[j]) << 8 | u32::from(sum[k]), 4);
        (i, j, k) = (k + 1, i + 1, j + 1);
    }
    put(u32::from(sum[31]) << 8 | u32::from(sum[30]), 3);
    text
}
