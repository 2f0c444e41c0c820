//! The RSA pair with which clients without TLS encrypt their password (caching_sha2_password's full authentication).
//!
//! Making 2,048 bits takes up to a second of CPU, so it happens on a thread beside the start; only a login that needs the key waits.

use super::{random_bytes, write_private};
use mysql_wire::auth::KeyPair;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{CryptoRng, RngCore};
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::OnceCell;

const BITS: usize = 2048;
const PRIVATE: &str = "private_key.pem";
const PUBLIC: &str = "public_key.pem";

/// A pair that is ready.
pub struct RsaPair {
    private: RsaPrivateKey,
    public_pem: String,
}

impl std::fmt::Debug for RsaPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaPair")
    }
}

/// Where logins get the pair: loaded or made once, on first need or in the background.
#[derive(Debug)]
pub struct RsaDoor {
    folder: PathBuf,
    pair: OnceCell<Arc<RsaPair>>,
}

impl RsaDoor {
    /// A door to the pair in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, pair: OnceCell::new() }
    }

    /// The pair, made if there is none; on a thread that may block.
    ///
    /// # Errors
    /// When the files cannot be read or written.
    pub async fn get(&self) -> io::Result<Arc<RsaPair>> {
        let make = || async {
            let folder = self.folder.clone();
            let made = tokio::task::spawn_blocking(move || RsaPair::load_or_make(&folder)).await;
            made.map_err(io::Error::other)?.map(Arc::new)
        };
        self.pair.get_or_try_init(make).await.cloned()
    }
}

impl RsaPair {
    /// The pair in `folder`, made if there is none.
    ///
    /// # Errors
    /// When the files cannot be read or written, or hold something else.
    pub fn load_or_make(folder: &Path) -> io::Result<RsaPair> {
        let path = folder.join(PRIVATE);
        let private = match std::fs::read_to_string(&path) {
            Ok(pem) => RsaPrivateKey::from_pkcs8_pem(&pem)
                .map_err(|problem| io::Error::other(format!("{}: {problem}", path.display())))?,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                let made = RsaPrivateKey::new(&mut SystemRandom, BITS).map_err(io::Error::other)?;
                let pem = made.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
                write_private(&path, &pem)?;
                made
            }
            Err(problem) => return Err(problem),
        };
        let public_pem =
            RsaPublicKey::from(&private).to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
        let shown = folder.join(PUBLIC);
        if !shown.exists() {
            std::fs::write(shown, &public_pem)?;
        }
        Ok(RsaPair { private, public_pem })
    }
}

impl KeyPair for RsaPair {
    fn public_pem(&self) -> Option<&[u8]> {
        Some(self.public_pem.as_bytes())
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        // Blinded, so that the time taken tells nothing about the key.
        self.private.decrypt_blinded(&mut SystemRandom, Oaep::new::<sha1::Sha1>(), ciphertext).ok()
    }
}

/// The operating system's randomness in the form `rsa` wants.
struct SystemRandom;

impl RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        random_bytes(bytes).expect("invariant: the system's random source does not fail once it has started");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for SystemRandom {}
