//! Changing a fleet's authority while it runs: for a while everybody trusts two.
//!
//! ```text
//!              authority.pem    signs     then, before the next step: `certs rotate` for every folder, and its files to its host
//!   new        old, new         old       everybody trusts both
//!   use        new, old         new       everybody shows a certificate of the new one
//!   retire     new              new       nobody trusts the old one
//! ```
//! A holder that misses a step is not let in after the next one; nothing else is lost by it.
//!
//! Invariants
//! 1. The key that signs is replaced in one rename, and the old one is gone with it.
//! 2. A step that was cut short is finished by being repeated, or was done but for a file that the next one removes.
//! 3. No step is possible out of turn.

use super::{AUTHORITY, AUTHORITY_KEY, CertsError, at, authority_params, made, write_private};
use rcgen::KeyPair;
use std::path::Path;

const NEXT: &str = "authority-next.pem";
const NEXT_KEY: &str = "authority-next-key.pem";
const END: &str = "-----END CERTIFICATE-----\n";

/// The certificates of a PEM text, each whole.
fn certificates(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    text.split_inclusive(END).filter(|part| part.ends_with(END)).map(str::to_string).collect()
}

fn trusted(dir: &Path) -> Result<Vec<String>, CertsError> {
    let path = dir.join(AUTHORITY);
    let all = certificates(&std::fs::read_to_string(&path).map_err(at(&path))?);
    if all.is_empty() { Err(made(format!("{} holds no certificate", path.display()))) } else { Ok(all) }
}

fn trust(dir: &Path, all: &[String]) -> Result<(), CertsError> {
    let path = dir.join(AUTHORITY);
    write_private(&path, &all.concat()).map_err(at(&path))
}

fn turn(dir: &Path, why: &'static str) -> CertsError {
    CertsError::Turn { folder: dir.to_path_buf(), why }
}

/// Step 1: makes the next authority and trusts it beside the present one, which goes on signing.
///
/// # Errors
/// [`CertsError`].
pub fn begin(dir: &Path) -> Result<(), CertsError> {
    let (next, next_key) = (dir.join(NEXT), dir.join(NEXT_KEY));
    let mut all = trusted(dir)?;
    if all.len() > 1 && !next_key.exists() {
        return Err(turn(dir, "two authorities are trusted already: `certs authority retire` ends that"));
    }
    if next_key.exists() && next.exists() && all.len() > 1 {
        return Err(turn(dir, "the next authority is there already: `certs authority use` is the next step"));
    }
    let key = KeyPair::generate().map_err(made)?;
    let certificate = authority_params()?.self_signed(&key).map_err(made)?.pem();
    write_private(&next_key, &key.serialize_pem()).map_err(at(&next_key))?;
    write_private(&next, &certificate).map_err(at(&next))?;
    all.truncate(1);
    all.extend(certificates(&certificate));
    trust(dir, &all)
}

/// Step 2: the next authority signs from now on; the old one is still trusted, and its key is gone.
///
/// # Errors
/// [`CertsError`].
pub fn switch(dir: &Path) -> Result<(), CertsError> {
    let (next, next_key) = (dir.join(NEXT), dir.join(NEXT_KEY));
    let mut all = trusted(dir)?;
    if !next_key.exists() || all.len() < 2 {
        return Err(turn(dir, "there is no next authority: `certs authority new` makes one"));
    }
    let first = certificates(&std::fs::read_to_string(&next).map_err(at(&next))?);
    all.retain(|certificate| !first.contains(certificate));
    trust(dir, &[first, all].concat())?;
    let key = dir.join(AUTHORITY_KEY);
    std::fs::rename(&next_key, &key).map_err(at(&key))?;
    std::fs::remove_file(&next).map_err(at(&next))
}

/// Step 3: the old authority is trusted no more.
///
/// # Errors
/// [`CertsError`].
pub fn retire(dir: &Path) -> Result<(), CertsError> {
    if dir.join(NEXT_KEY).exists() {
        return Err(turn(dir, "the old authority still signs: `certs authority use` is the next step"));
    }
    let mut all = trusted(dir)?;
    if all.len() < 2 {
        return Err(turn(dir, "one authority is trusted: there is none to retire"));
    }
    // Left by a step that was cut short.
    let _ = std::fs::remove_file(dir.join(NEXT));
    all.truncate(1);
    trust(dir, &all)
}
