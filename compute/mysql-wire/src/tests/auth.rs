//! Authentication: digests made by MySQL 9.7, both plugins' exchanges seen from a client's side, any answer.

use super::golden::payloads;
use crate::auth::*;
use crate::handshake::{Nonce, nonce_from_random};
use crate::*;
use bytes::BytesMut;
use proptest::prelude::*;
use sha1::Sha1;
use sha2::{Digest, Sha256};

const CAPS: Capabilities = Capabilities::OFFERED;
const LONG: &str = "a very long password that has more than thirty-two bytes in it, and then some more bytes beyond sixty-four";

/// What MySQL 9.7.4 stored for a password.
const RECORDED: [(&str, &str); 3] = [
    (
        "a",
        "2441243030412471222F7D486872514E6C1F350D0336335330330C78716A3165613148736C4C38744F566C46522E4C4833394E75752F2F346F6761476C366339727254466E36",
    ),
    (
        "secret",
        "2441243030412423453047770E13146B7A387F3E010C2E3B585C785352354B454265673433683932786F396A33684D305A73436C4C65715659414F344C655A616F74752F6441",
    ),
    (
        LONG,
        "2441243030412429511E7B5E0461181E1F691D3C1F14772B61642857452F2F72366D6D6F3833752E767375716B344C6E2E38505A426D2E30393676564537366F594C33437238",
    ),
];

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn nonce() -> Nonce {
    nonce_from_random(std::array::from_fn(|i| (i * 37) as u8))
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(x, y)| x ^ y).collect()
}

fn sha2_answer(password: &str, nonce: &Nonce) -> Vec<u8> {
    let stage1 = Sha256::digest(password);
    let mask = Sha256::new().chain_update(Sha256::digest(stage1)).chain_update(nonce).finalize();
    xor(&stage1, &mask)
}

fn native_answer(password: &str, nonce: &Nonce) -> Vec<u8> {
    let stage1 = Sha1::digest(password);
    let mask = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(stage1)).finalize();
    xor(&stage1, &mask)
}

/// "RSA" that only reverses.
struct Backwards;
impl KeyPair for Backwards {
    fn public_pem(&self) -> Option<&[u8]> {
        Some(b"PEM")
    }
    fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        (ciphertext.len() < 600).then(|| ciphertext.iter().rev().copied().collect())
    }
}

/// Runs an exchange in which the client answers `answers` in turn; returns the server's payloads and the last step.
fn run(credential: Credential, plugin: Option<&str>, tls: bool, answers: &[Vec<u8>]) -> (Vec<Vec<u8>>, Step) {
    let mut step = Step::Continue;
    let sent = payloads(CAPS, |out| {
        let plugin = plugin.map(str::as_bytes);
        let (mut exchange, first) = Exchange::from_login(nonce(), credential, plugin, &answers[0], tls, out);
        step = first;
        for answer in &answers[1..] {
            assert_eq!(step, Step::Continue);
            step = exchange.packet(answer, Some(&Backwards), out);
        }
    });
    (sent, step)
}

const SHA2: &str = "caching_sha2_password";
const NATIVE: &str = "mysql_native_password";

fn sha2_credential(password: &str, fast: Option<FastDigest>) -> Credential {
    let stored = stored_form(Plugin::CachingSha2, password.as_bytes(), [9; 20]);
    Credential::parse(Plugin::CachingSha2, &stored, fast).unwrap()
}

fn wrong(used_password: bool) -> Step {
    Step::Denied(Denied::Wrong { used_password })
}

#[test]
fn digests_of_mysql_verify() {
    for (password, stored) in RECORDED {
        let credential = Credential::parse(Plugin::CachingSha2, &unhex(stored), None).unwrap();
        let clear = |text: &str| [text.as_bytes(), &[0]].concat();
        let answers = [sha2_answer(password, &nonce()), clear(password)];
        let (sent, step) = run(credential.clone(), Some(SHA2), true, &answers);
        let learnt = Some(Sha256::digest(Sha256::digest(password)).into());
        assert_eq!(step, Step::Accepted { learnt, used_password: true });
        assert_eq!(sent, [[1, 4]]);
        let answers = [sha2_answer(password, &nonce()), clear("wrong")];
        assert_eq!(run(credential, Some(SHA2), true, &answers).1, wrong(true));
    }
}

#[test]
fn what_a_full_authentication_taught_makes_the_next_one_fast() {
    let digest: FastDigest = Sha256::digest(Sha256::digest("pw")).into();
    let (sent, step) =
        run(sha2_credential("pw", Some(digest)), Some(SHA2), false, &[sha2_answer("pw", &nonce())]);
    assert_eq!(step, Step::Accepted { learnt: None, used_password: true });
    assert_eq!(sent, [[1, 3]]);
    let (sent, step) =
        run(sha2_credential("pw", Some(digest)), Some(SHA2), false, &[sha2_answer("no", &nonce())]);
    assert_eq!((sent, step), (vec![vec![1, 4]], Step::Continue));
}

#[test]
fn without_tls_the_password_comes_encrypted() {
    let mut cipher: Vec<u8> = b"pw\0".iter().zip(nonce()).map(|(a, b)| a ^ b).collect();
    cipher.reverse();
    let answers = [sha2_answer("pw", &nonce()), vec![2], cipher.clone()];
    let (sent, step) = run(sha2_credential("pw", None), Some(SHA2), false, &answers);
    assert!(matches!(step, Step::Accepted { learnt: Some(_), .. }));
    assert_eq!(sent, [&[1, 4][..], b"\x01PEM"]);
    // A client that knows the key already sends the ciphertext at once.
    let answers = [sha2_answer("pw", &nonce()), cipher];
    assert!(matches!(run(sha2_credential("pw", None), Some(SHA2), false, &answers).1, Step::Accepted { .. }));
    // Never in clear text.
    let answers = [sha2_answer("pw", &nonce()), b"pw\0".to_vec()];
    assert_eq!(run(sha2_credential("pw", None), Some(SHA2), false, &answers).1, wrong(true));
}

#[test]
fn native_passwords() {
    let stored = stored_form(Plugin::Native, b"secret", [0; 20]);
    // SELECT CONCAT('*', UPPER(SHA1(UNHEX(SHA1('secret')))))
    assert_eq!(stored, b"*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    let credential = Credential::parse(Plugin::Native, &stored, None).unwrap();
    let right = native_answer("secret", &nonce());
    let accepted = Step::Accepted { learnt: None, used_password: true };
    assert_eq!(run(credential.clone(), Some(NATIVE), false, std::slice::from_ref(&right)).1, accepted);
    assert_eq!(run(credential.clone(), None, false, std::slice::from_ref(&right)).1, accepted);
    assert_eq!(run(credential.clone(), Some(NATIVE), false, &[native_answer("x", &nonce())]).1, wrong(true));
    assert_eq!(run(credential.clone(), Some(NATIVE), false, &[vec![]]).1, wrong(false));
    // A client that began with another plugin is asked to switch.
    let (sent, step) = run(credential, Some(SHA2), false, &[vec![1; 32], right]);
    assert_eq!(step, accepted);
    assert_eq!(sent, [[b"\xfemysql_native_password\0", &nonce()[..], b"\0"].concat()]);
}

#[test]
fn an_empty_password_wants_an_empty_answer() {
    for answer in [vec![], vec![0]] {
        let (sent, step) = run(sha2_credential("", None), Some(SHA2), false, &[answer]);
        assert_eq!((sent.len(), step), (0, Step::Accepted { learnt: None, used_password: false }));
    }
    assert_eq!(run(sha2_credential("", None), Some(SHA2), false, &[vec![1; 32]]).1, wrong(true));
    assert_eq!(run(sha2_credential("pw", None), Some(SHA2), false, &[vec![]]).1, wrong(false));
}

#[test]
fn an_unknown_user_sees_what_a_known_one_sees() {
    let decoy = || Credential::decoy(Plugin::CachingSha2);
    let (sent, step) = run(decoy(), Some(SHA2), true, &[vec![1; 32], b"pw\0".to_vec()]);
    assert_eq!((sent, step), (vec![vec![1, 4]], wrong(true)));
    assert_eq!(run(decoy(), Some(SHA2), true, &[vec![]]).1, wrong(false));
}

#[test]
fn a_client_without_plugins_cannot_use_sha2() {
    assert_eq!(run(sha2_credential("pw", None), None, true, &[vec![]]).1, Step::Denied(Denied::NoPlugins));
}

#[test]
fn a_changed_user_gets_a_fresh_challenge() {
    let mut step = Step::Continue;
    let sent = payloads(CAPS, |out| {
        let (mut exchange, first) =
            Exchange::from_change_user(nonce(), sha2_credential("", None), CAPS, false, out);
        assert_eq!(first, Step::Continue);
        step = exchange.packet(b"", None, out);
    });
    assert_eq!(sent, [[b"\xfecaching_sha2_password\0", &nonce()[..], b"\0"].concat()]);
    assert_eq!(step, Step::Accepted { learnt: None, used_password: false });
}

#[test]
fn stored_forms_that_are_none() {
    for (plugin, stored) in [
        (Plugin::Native, &b"*14E6"[..]),
        (Plugin::Native, b"14E65567ABDB5135D0CFD9A70B3032C179A49EE7x"),
        (Plugin::CachingSha2, b"$A$005$short"),
        (Plugin::CachingSha2, b"$A$zzz$aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"),
    ] {
        assert!(Credential::parse(plugin, stored, None).is_none());
    }
    assert!(format!("{:?}", sha2_credential("pw", None)).ends_with("(caching_sha2_password)"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_answers_are_refused(answers in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..700), 1..4), tls: bool) {
        let mut out = BytesMut::new();
        let mut out = Responder::new(&mut out, 2, CAPS);
        let credential = sha2_credential("pw", None);
        let (mut exchange, mut step) = Exchange::from_login(nonce(), credential, Some(SHA2.as_bytes()), &answers[0], tls, &mut out);
        for answer in &answers[1..] {
            if step == Step::Continue {
                step = exchange.packet(answer, Some(&Backwards), &mut out);
            }
        }
        let accepted = matches!(step, Step::Accepted { .. });
        prop_assert!(!accepted);
    }
}
