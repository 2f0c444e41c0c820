//! Digests, ciphers and random bytes: MD5, SHA1, AES_ENCRYPT, AES_DECRYPT, RANDOM_BYTES.
//!
//! AES has the modes of `block_encryption_mode`: `aes-KEY-MODE`. A key of another length is folded into the cipher's by XOR, as MySQL does (and
//! warns of). ECB and CBC pad to whole blocks (PKCS #7); the others are streams and need no padding.

use super::string::shape::{ascii, binary, octets_of, width};
use super::{Function, Infer, function, volatile};
use crate::error::{Result, SqlError, unsupported, wrong_param_count};
use crate::expr::{Eval, Ty, Typed};
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256, Block};
use protocol::env::Env;
use sha1::Digest;
use std::sync::Arc;
use values::{Level, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("aes_decrypt", 2, 6, |args, infer| aes_type(args, infer, false), decrypt),
    function("aes_encrypt", 2, 6, |args, infer| aes_type(args, infer, true), encrypt),
    function(
        "md5",
        1,
        1,
        |_, infer| Ok(ascii(32, infer)),
        |args, _, e| digest(args, e, |b| md5::Md5::digest(b).to_vec()),
    ),
    volatile("random_bytes", 1, 1, |_, _| Ok(binary(1024)), random_bytes),
    function("sha", 1, 1, |_, infer| Ok(ascii(40, infer)), sha),
    function("sha1", 1, 1, |_, infer| Ok(ascii(40, infer)), sha),
];

/// The server's source of randomness, for a session.
#[derive(Clone)]
pub(crate) struct Entropy(pub(crate) Arc<dyn Env>);

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}

fn sha(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    digest(args, e, |b| sha1::Sha1::digest(b).to_vec())
}

fn digest(args: &[Typed], e: &mut Eval<'_>, of: impl Fn(&[u8]) -> Vec<u8>) -> Result<Value> {
    let Some(bytes) = args[0].octets(e)? else { return Ok(Value::Null) };
    let hex: String = of(bytes.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    Ok(Value::text(&hex))
}

fn random_bytes(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(count) = args[0].integer(e)? else { return Ok(Value::Null) };
    let Some(count) = usize::try_from(count).ok().filter(|n| (1..=1024).contains(n)) else {
        return Err(SqlError::new(1690, "length value is out of range in 'random_bytes'"));
    };
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        out.extend_from_slice(&e.context.entropy.0.random().to_le_bytes());
    }
    Ok(Value::bytes(&out[..count]))
}

fn aes_type(args: &[Typed], infer: &Infer<'_>, encrypting: bool) -> Result<Ty> {
    if args.len() > 3 {
        return Err(unsupported("key derivation in AES_ENCRYPT and AES_DECRYPT"));
    }
    // Blocks are padded to sixteen bytes; a stream is as long as its text.
    let mode = infer.context.variables.named("block_encryption_mode");
    let blocks = mode.ends_with("-ecb") || mode.ends_with("-cbc");
    Ok(binary(match (encrypting, blocks) {
        (true, true) => 16 * (octets_of(&args[0]) / 16 + 1),
        (true, false) => octets_of(&args[0]),
        (false, _) => width(&args[0]),
    }))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ecb,
    Cbc,
    Cfb1,
    Cfb8,
    Cfb128,
    Ofb,
}

/// The block cipher with its key.
enum Cipher {
    A128(Box<Aes128>),
    A192(Box<Aes192>),
    A256(Box<Aes256>),
}

impl Cipher {
    fn encrypt(&self, block: &mut [u8; 16]) {
        let block = Block::from_mut_slice(block);
        match self {
            Cipher::A128(c) => c.encrypt_block(block),
            Cipher::A192(c) => c.encrypt_block(block),
            Cipher::A256(c) => c.encrypt_block(block),
        }
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        let block = Block::from_mut_slice(block);
        match self {
            Cipher::A128(c) => c.decrypt_block(block),
            Cipher::A192(c) => c.decrypt_block(block),
            Cipher::A256(c) => c.decrypt_block(block),
        }
    }
}

/// Data, cipher, mode and initial vector; `None`: an argument is NULL.
type Prepared = Option<(Vec<u8>, Cipher, Mode, [u8; 16])>;

fn prepare(args: &[Typed], name: &'static str, e: &mut Eval<'_>) -> Result<Prepared> {
    let setting = e.context.variables.named("block_encryption_mode").to_owned();
    let (bits, mode) = setting.strip_prefix("aes-").and_then(|s| s.split_once('-')).unwrap_or(("128", "ecb"));
    let mode = match mode {
        "cbc" => Mode::Cbc,
        "cfb1" => Mode::Cfb1,
        "cfb8" => Mode::Cfb8,
        "cfb128" => Mode::Cfb128,
        "ofb" => Mode::Ofb,
        _ => Mode::Ecb,
    };
    if mode != Mode::Ecb && args.len() < 3 {
        return Err(wrong_param_count(name));
    }
    let (Some(data), Some(key)) = (args[0].octets(e)?, args[1].octets(e)?) else { return Ok(None) };
    let cipher = cipher(bits, key.as_bytes(), e);
    let mut vector = [0; 16];
    if mode == Mode::Ecb && args.len() > 2 {
        e.context.warn(Level::Warning, 1618, "<IV> option ignored".to_owned());
    } else if let Some(arg) = args.get(2) {
        let Some(given) = arg.bytes(e)? else { return Ok(None) };
        let Some(first) = given.as_bytes().first_chunk::<16>() else {
            let text = format!(
                "The initialization vector supplied to {name} is too short. Must be at least 16 bytes long"
            );
            return Err(SqlError::new(1882, text));
        };
        vector = *first;
    }
    Ok(Some((data.as_bytes().to_vec(), cipher, mode, vector)))
}

fn cipher(bits: &str, key: &[u8], e: &mut Eval<'_>) -> Cipher {
    let size = match bits {
        "192" => 24,
        "256" => 32,
        _ => 16,
    };
    if key.len() > size {
        let text = format!(
            "AES key size should be {size} bytes length or secure KDF methods hkdf or pbkdf2_hmac should be used, please provide exact AES key size or use KDF methods for better security."
        );
        e.context.warn(Level::Warning, 3237, text);
    }
    let mut folded = [0_u8; 32];
    for (i, b) in key.iter().enumerate() {
        folded[i % size] ^= b;
    }
    let invariant = "invariant: the key has the cipher's length";
    match size {
        24 => Cipher::A192(Box::new(Aes192::new_from_slice(&folded[..24]).expect(invariant))),
        32 => Cipher::A256(Box::new(Aes256::new_from_slice(&folded).expect(invariant))),
        _ => Cipher::A128(Box::new(Aes128::new_from_slice(&folded[..16]).expect(invariant))),
    }
}

fn encrypt(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((mut data, cipher, mode, mut vector)) = prepare(args, "aes_encrypt", e)? else {
        return Ok(Value::Null);
    };
    if !matches!(mode, Mode::Ecb | Mode::Cbc) {
        return Ok(Value::bytes(&stream(&data, &cipher, mode, vector, true)));
    }
    let padding = 16 - data.len() % 16;
    data.resize(data.len() + padding, padding as u8);
    for block in data.as_chunks_mut::<16>().0 {
        if mode == Mode::Cbc {
            block.iter_mut().zip(vector).for_each(|(b, v)| *b ^= v);
        }
        cipher.encrypt(block);
        vector = *block;
    }
    Ok(Value::bytes(&data))
}

fn decrypt(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((mut data, cipher, mode, mut vector)) = prepare(args, "aes_decrypt", e)? else {
        return Ok(Value::Null);
    };
    if !matches!(mode, Mode::Ecb | Mode::Cbc) {
        return Ok(Value::bytes(&stream(&data, &cipher, mode, vector, false)));
    }
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Ok(Value::Null);
    }
    for block in data.as_chunks_mut::<16>().0 {
        let sealed = *block;
        cipher.decrypt(block);
        if mode == Mode::Cbc {
            block.iter_mut().zip(vector).for_each(|(b, v)| *b ^= v);
        }
        vector = sealed;
    }
    // What was not encrypted with this key has no padding: NULL.
    let padding = usize::from(data[data.len() - 1]);
    let kept = data.len().checked_sub(padding).filter(|_| (1..=16).contains(&padding));
    let good = kept.filter(|kept| data[*kept..].iter().all(|b| usize::from(*b) == padding));
    Ok(good.map_or(Value::Null, |kept| Value::bytes(&data[..kept])))
}

/// The modes that make a stream: the register is encrypted, and its first bits change the data.
fn stream(data: &[u8], cipher: &Cipher, mode: Mode, mut register: [u8; 16], encrypting: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    match mode {
        Mode::Cfb1 => {
            for &byte in data {
                let mut made = 0;
                for bit in (0..8).rev() {
                    let mut key = register;
                    cipher.encrypt(&mut key);
                    let given = byte >> bit & 1;
                    let result = given ^ key[0] >> 7;
                    made |= result << bit;
                    let sealed = u128::from(if encrypting { result } else { given });
                    register = (u128::from_be_bytes(register) << 1 | sealed).to_be_bytes();
                }
                out.push(made);
            }
        }
        Mode::Cfb8 => {
            for &byte in data {
                let mut key = register;
                cipher.encrypt(&mut key);
                let result = byte ^ key[0];
                out.push(result);
                register.rotate_left(1);
                register[15] = if encrypting { result } else { byte };
            }
        }
        _ => {
            for chunk in data.chunks(16) {
                let mut key = register;
                cipher.encrypt(&mut key);
                let start = out.len();
                out.extend(chunk.iter().zip(key).map(|(b, k)| b ^ k));
                let sealed = if encrypting { &out[start..] } else { chunk };
                match mode {
                    Mode::Ofb => register = key,
                    _ => register[..sealed.len()].copy_from_slice(sealed),
                }
            }
        }
    }
    out
}
