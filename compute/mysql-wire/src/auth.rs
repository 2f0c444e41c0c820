//! Authentication: stored credentials, scrambles, and the exchange of packets that ends in yes or no.
//!
//! ```text
//!   caching_sha2_password                                             mysql_native_password
//!   scramble -> known digest?  yes: 01 03 (fast), accepted            scramble -> accepted or denied
//!                              no:  01 04 (full): password over TLS,
//!                                   or 02 -> 01 <key> -> RSA(password xor nonce)
//! ```
//! The plugin is the account's; a client that answered with another one is asked to switch.
//!
//! Invariants: (1) an unknown user is taken through the same packets as a known one with a password ([`Credential::decoy`]); (2) a
//! password is compared in constant time and never kept; (3) the fast path's digest is SHA256(SHA256(password)), which cannot log in
//! by itself.
//!
//! Source: "Caching SHA-256 Authentication", "Native 41 Authentication", "Protocol::AuthSwitchRequest".

use crate::handshake::Nonce;
use crate::sha_crypt::{DEFAULT_ROUNDS, DIGEST_LEN, SALT_LEN, sha256_crypt};
use crate::{Capabilities, Responder};
use bytes::BufMut;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// How an account proves itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plugin {
    /// caching_sha2_password, the default.
    CachingSha2,
    /// mysql_native_password, on request.
    Native,
}

impl Plugin {
    /// The plugin's name on the wire and in CREATE USER.
    pub const fn name(self) -> &'static str {
        match self {
            Plugin::CachingSha2 => "caching_sha2_password",
            Plugin::Native => "mysql_native_password",
        }
    }

    /// The plugin of a name.
    pub fn from_name(name: &[u8]) -> Option<Plugin> {
        [Plugin::CachingSha2, Plugin::Native].into_iter().find(|plugin| plugin.name().as_bytes() == name)
    }
}

/// SHA256(SHA256(password)): proves a scramble without the slow hash.
pub type FastDigest = [u8; 32];

/// What the server knows of an account's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    plugin: Plugin,
    secret: Secret,
}

#[derive(Clone, PartialEq, Eq)]
enum Secret {
    /// No password: only an empty answer is right.
    Empty,
    /// SHA1(SHA1(password)).
    Native([u8; 20]),
    Sha2 {
        salt: [u8; SALT_LEN],
        digest: [u8; DIGEST_LEN],
        rounds: u32,
        fast: Option<FastDigest>,
    },
    /// No password is right.
    Decoy,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({})", self.plugin.name())
    }
}

impl Credential {
    /// An account's credential from its dictionary row (`authentication_string` as MySQL stores it); `fast` is the digest of an earlier
    /// full authentication against this very string. `None` when the string is not of the plugin's form.
    pub fn parse(plugin: Plugin, stored: &[u8], fast: Option<FastDigest>) -> Option<Credential> {
        let secret = match plugin {
            _ if stored.is_empty() => Secret::Empty,
            Plugin::Native => Secret::Native(parse_native(stored)?),
            Plugin::CachingSha2 => parse_sha2(stored, fast)?,
        };
        Some(Credential { plugin, secret })
    }

    /// A credential that nothing satisfies, for users that do not exist.
    pub fn decoy(plugin: Plugin) -> Credential {
        Credential { plugin, secret: Secret::Decoy }
    }

    /// True when the account has no password.
    pub fn is_empty(&self) -> bool {
        self.secret == Secret::Empty
    }
}

/// The stored form of a password; `salt` is random (only its low seven bits are used) and unused by the native plugin. An empty password is stored
/// as an empty string.
pub fn stored_form(plugin: Plugin, password: &[u8], salt: [u8; SALT_LEN]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    match plugin {
        Plugin::Native => {
            let hash = Sha1::digest(Sha1::digest(password));
            let mut text = b"*".to_vec();
            text.extend(hash.iter().flat_map(|b| format!("{b:02X}").into_bytes()));
            text
        }
        Plugin::CachingSha2 => {
            let salt = crate::handshake::nonce_from_random(salt);
            let mut text = format!("$A${:03X}$", DEFAULT_ROUNDS / 1000).into_bytes();
            text.extend_from_slice(&salt);
            text.extend_from_slice(&sha256_crypt(password, &salt, DEFAULT_ROUNDS));
            text
        }
    }
}

fn parse_native(stored: &[u8]) -> Option<[u8; 20]> {
    let hex = std::str::from_utf8(stored.strip_prefix(b"*")?).ok().filter(|hex| hex.len() == 40)?;
    let mut hash = [0; 20];
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn parse_sha2(stored: &[u8], fast: Option<FastDigest>) -> Option<Secret> {
    let rest = stored.strip_prefix(b"$A$")?;
    let (factor, rest) = rest.split_first_chunk::<3>()?;
    let thousands = u32::from_str_radix(std::str::from_utf8(factor).ok()?, 16).ok()?;
    let (salt, digest) = rest.strip_prefix(b"$")?.split_first_chunk::<SALT_LEN>()?;
    let digest = digest.try_into().ok()?;
    Some(Secret::Sha2 { salt: *salt, digest, rounds: thousands.clamp(5, 4095) * 1000, fast })
}

/// The server's RSA key pair, for passwords over connections without TLS.
pub trait KeyPair {
    /// The public key in PEM, if a pair is ready.
    fn public_pem(&self) -> Option<&[u8]>;
    /// Decrypts RSA-OAEP (SHA-1); `None` when the bytes are no ciphertext of this key.
    fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>>;
}

/// Why a login is refused. All answer ER_ACCESS_DENIED_ERROR 1045 except [`Denied::NoPlugins`] (ER_NOT_SUPPORTED_AUTH_MODE 1251).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// Wrong, and whether the client offered a password at all ("using password: YES").
    Wrong {
        /// The client's answer was not empty.
        used_password: bool,
    },
    /// The client cannot switch plugins and the account needs it.
    NoPlugins,
}

/// Where the exchange stands after a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A packet was appended; pass the client's next one to [`Exchange::packet`].
    Continue,
    /// The client is who it says. `learnt` is the digest to keep for the fast path. Nothing was said to the client yet: send OK or an error.
    Accepted {
        /// A digest a full authentication proved; keep it while the account's stored string stays.
        learnt: Option<FastDigest>,
        /// The client's answer was not empty.
        used_password: bool,
    },
    /// Send the error and close.
    Denied(Denied),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Scramble,
    FullAnswer,
    EncryptedPassword,
}

/// One authentication in progress.
#[derive(Debug)]
pub struct Exchange {
    nonce: Nonce,
    credential: Credential,
    in_tls: bool,
    stage: Stage,
}

impl Exchange {
    /// Starts with the answer in a login. `plugin` is what the client answered with (`None`: it knows no plugins). `in_tls` also for
    /// other channels nobody can listen to.
    pub fn from_login(
        nonce: Nonce,
        credential: Credential,
        plugin: Option<&[u8]>,
        answer: &[u8],
        in_tls: bool,
        out: &mut Responder<'_>,
    ) -> (Exchange, Step) {
        let mut exchange = Exchange { nonce, credential, in_tls, stage: Stage::Scramble };
        let wanted = exchange.credential.plugin;
        let step = match plugin {
            Some(name) if name == wanted.name().as_bytes() => exchange.scramble(answer, out),
            None if wanted == Plugin::Native => exchange.scramble(answer, out),
            None => Step::Denied(Denied::NoPlugins),
            Some(_) => exchange.switch(out),
        };
        (exchange, step)
    }

    /// Starts by asking for an answer to a fresh challenge, as COM_CHANGE_USER does.
    pub fn from_change_user(
        nonce: Nonce,
        credential: Credential,
        capabilities: Capabilities,
        in_tls: bool,
        out: &mut Responder<'_>,
    ) -> (Exchange, Step) {
        let mut exchange = Exchange { nonce, credential, in_tls, stage: Stage::Scramble };
        let step = if capabilities.has(Capabilities::PLUGIN_AUTH) {
            exchange.switch(out)
        } else {
            Step::Denied(Denied::NoPlugins)
        };
        (exchange, step)
    }

    /// True when the next packet may need the server's RSA pair.
    pub fn needs_keys(&self) -> bool {
        !self.in_tls && self.stage != Stage::Scramble
    }

    /// The client's next packet.
    pub fn packet(&mut self, payload: &[u8], keys: Option<&dyn KeyPair>, out: &mut Responder<'_>) -> Step {
        match self.stage {
            Stage::Scramble => self.scramble(payload, out),
            Stage::FullAnswer if self.in_tls => self.password(payload.strip_suffix(&[0]).unwrap_or(payload)),
            Stage::FullAnswer if payload == [2] => self.send_key(keys, out),
            Stage::FullAnswer | Stage::EncryptedPassword => self.encrypted(payload, keys),
        }
    }

    fn switch(&mut self, out: &mut Responder<'_>) -> Step {
        out.packet(|out| {
            out.put_u8(0xfe);
            out.put_slice(self.credential.plugin.name().as_bytes());
            out.put_u8(0);
            out.put_slice(&self.nonce);
            out.put_u8(0);
        });
        Step::Continue
    }

    fn scramble(&mut self, answer: &[u8], out: &mut Responder<'_>) -> Step {
        // A client with nothing to prove sends nothing, or one NUL.
        let answer = if answer == [0] { &[][..] } else { answer };
        let used_password = !answer.is_empty();
        match &self.credential.secret {
            Secret::Empty if !used_password => Step::Accepted { learnt: None, used_password },
            Secret::Native(hash) if native_matches(answer, &self.nonce, hash) => {
                Step::Accepted { learnt: None, used_password }
            }
            Secret::Sha2 { fast: Some(fast), .. } if sha2_matches(answer, &self.nonce, fast) => {
                out.packet(|out| out.put_slice(&[1, 3]));
                Step::Accepted { learnt: None, used_password }
            }
            Secret::Sha2 { .. } | Secret::Decoy
                if used_password && self.credential.plugin == Plugin::CachingSha2 =>
            {
                self.stage = Stage::FullAnswer;
                out.packet(|out| out.put_slice(&[1, 4]));
                Step::Continue
            }
            _ => Step::Denied(Denied::Wrong { used_password }),
        }
    }

    fn send_key(&mut self, keys: Option<&dyn KeyPair>, out: &mut Responder<'_>) -> Step {
        let Some(pem) = keys.and_then(KeyPair::public_pem) else {
            return Step::Denied(Denied::Wrong { used_password: true });
        };
        out.packet(|out| {
            out.put_u8(1);
            out.put_slice(pem);
        });
        self.stage = Stage::EncryptedPassword;
        Step::Continue
    }

    fn encrypted(&mut self, payload: &[u8], keys: Option<&dyn KeyPair>) -> Step {
        let Some(mut clear) = keys.and_then(|keys| keys.decrypt(payload)) else {
            return Step::Denied(Denied::Wrong { used_password: true });
        };
        for (byte, mask) in clear.iter_mut().zip(self.nonce.iter().cycle()) {
            *byte ^= mask;
        }
        self.password(clear.strip_suffix(&[0]).unwrap_or(&clear))
    }

    fn password(&self, password: &[u8]) -> Step {
        let Secret::Sha2 { salt, digest, rounds, .. } = &self.credential.secret else {
            // The decoy does the same work, so that time tells nothing.
            sha256_crypt(&password[..password.len().min(MAX_PASSWORD)], &[1; SALT_LEN], DEFAULT_ROUNDS);
            return Step::Denied(Denied::Wrong { used_password: true });
        };
        if password.len() > MAX_PASSWORD || !same(&sha256_crypt(password, salt, *rounds), digest) {
            return Step::Denied(Denied::Wrong { used_password: true });
        }
        let learnt = Sha256::digest(Sha256::digest(password)).into();
        Step::Accepted { learnt: Some(learnt), used_password: true }
    }
}

/// MySQL's limit on passwords (the slow hash is quadratic in their length).
pub const MAX_PASSWORD: usize = 256;

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// scramble = SHA1(password) xor SHA1(nonce + SHA1(SHA1(password)))
fn native_matches(answer: &[u8], nonce: &Nonce, stored: &[u8; 20]) -> bool {
    let Ok(answer) = <&[u8; 20]>::try_from(answer) else { return false };
    let mask = Sha1::new().chain_update(nonce).chain_update(stored).finalize();
    let stage1: Vec<u8> = answer.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    same(&Sha1::digest(stage1), stored)
}

/// scramble = SHA256(password) xor SHA256(SHA256(SHA256(password)) + nonce)
fn sha2_matches(answer: &[u8], nonce: &Nonce, stored: &FastDigest) -> bool {
    let Ok(answer) = <&[u8; 32]>::try_from(answer) else { return false };
    let mask = Sha256::new().chain_update(stored).chain_update(nonce).finalize();
    let stage1: Vec<u8> = answer.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    same(&Sha256::digest(stage1), stored)
}
