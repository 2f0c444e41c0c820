//! Keys: the self-made TLS certificate and the RSA pair of caching_sha2_password, both kept in the folder `compute/`.
//!
//! ```text
//!   compute/server-cert.pem, server-key.pem    made at first start (a P-256 key: a millisecond)
//!   compute/private_key.pem, public_key.pem    made in the background (RSA needs up to a second), wanted only by clients without TLS
//! ```
//! Put files of your own under the same names to replace them. Private keys are readable by the owner alone.

pub mod fleet;
mod rsa_pair;
mod tls;

pub use rsa_pair::{RsaDoor, RsaPair};
pub use tls::acceptor;

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Fills `bytes` with the operating system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn random_bytes(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(io::Error::other)
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("pem.new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests;
