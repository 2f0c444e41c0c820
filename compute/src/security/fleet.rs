//! The certificates of a fleet: an authority of its own, and one certificate for each holder's role.
//!
//! ```text
//!   init    ─► DIR/authority.pem, authority-key.pem (keep that one off the hosts), compute, operator
//!   node    ─► OUT/authority.pem, ROLE.pem, ROLE-key.pem         what one host needs, and nothing more
//!   rotate  ─► OUT: every certificate that is there, anew, with a new key; its holder takes it at its next start
//! ```
//! A certificate names a role, not a host ([`protocol_grpc::tls`]), so it moves with its holder. Each holder has a key of its own: taking one
//! host's key gives away its role until the fleet has a new authority, and no other host's traffic.
//!
//! Changing the authority itself takes three steps, in [`authority`], between which every folder is renewed.
//!
//! Invariants
//! 1. `init` overwrites no authority: whoever lost it makes a new fleet's in another folder.
//! 2. A key file is readable by its owner alone, and is there before its certificate: what is found after a crash fits or is refused.

pub mod authority;

use super::write_private;
use protocol_grpc::tls::{Files, Role, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use values::Date;

const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority-key.pem";
/// Days an authority is good for.
const AUTHORITY_DAYS: i64 = 3650;
/// Days a holder's certificate is good for when nobody says.
pub const HOLDER_DAYS: i64 = 825;
/// 1970-01-01 as a day number.
const EPOCH_DAYS: i64 = 719_528;

/// Why there are no certificates. Displays as one line.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// There is an authority already.
    #[error("{}: there is an authority already; certificates of another one need another folder", .0.display())]
    Exists(PathBuf),
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Making or checking certificates.
    #[error("certificates: {0}")]
    Made(String),
    /// A step of changing the authority out of turn.
    #[error("{}: {why}", folder.display())]
    Turn {
        /// The authority's folder.
        folder: PathBuf,
        /// What stands in the way, and what to do.
        why: &'static str,
    },
    /// Nothing to renew.
    #[error("{}: no certificate of a role is there to renew", .0.display())]
    Nothing(PathBuf),
}

fn at(path: &Path) -> impl Fn(io::Error) -> CertsError + '_ {
    |source| CertsError::File { path: path.to_path_buf(), source }
}

fn made(problem: impl std::fmt::Display) -> CertsError {
    CertsError::Made(problem.to_string())
}

/// The day that is `from_now` days after today (UTC), in rcgen's form.
fn day(from_now: i64) -> Result<(i32, u8, u8), CertsError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(made)?;
    let number = since.as_secs() as i64 / 86_400 + EPOCH_DAYS + from_now;
    let date = Date::from_days(number).ok_or_else(|| made("the clock shows no date of this calendar"))?;
    Ok((date.year() as i32, date.month() as u8, date.day() as u8))
}

fn params(common_name: &str, names: Vec<String>, days: i64) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::new(names).map_err(made)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // A day back: clocks of hosts differ.
    let ((y, m, d), (ey, em, ed)) = (day(-1)?, day(days)?);
    params.not_before = rcgen::date_time_ymd(y, m, d);
    params.not_after = rcgen::date_time_ymd(ey, em, ed);
    Ok(params)
}

fn authority_params() -> Result<CertificateParams, CertsError> {
    let mut params = params("Sextant fleet authority", Vec::new(), AUTHORITY_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

/// Makes an authority in `dir`, with certificates for the compute node and the operator beside it.
///
/// # Errors
/// [`CertsError`]; an authority that is there stays.
pub fn init(dir: &Path, days: i64) -> Result<(), CertsError> {
    let (certificate, key_file) = (dir.join(AUTHORITY), dir.join(AUTHORITY_KEY));
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    if certificate.exists() || key_file.exists() {
        return Err(CertsError::Exists(dir.to_path_buf()));
    }
    let key = KeyPair::generate().map_err(made)?;
    let authority = authority_params()?.self_signed(&key).map_err(made)?;
    write_private(&key_file, &key.serialize_pem()).map_err(at(&key_file))?;
    write_private(&certificate, &authority.pem()).map_err(at(&certificate))?;
    holder(dir, Role::Compute, dir, days)?;
    holder(dir, Role::Operator, dir, days)
}

/// Makes a certificate of a role in `out` by the authority in `dir`, with a new key; what was there of the role is replaced.
///
/// # Errors
/// [`CertsError`].
pub fn holder(dir: &Path, role: Role, out: &Path, days: i64) -> Result<(), CertsError> {
    let (authority, key_file) = (dir.join(AUTHORITY), dir.join(AUTHORITY_KEY));
    let authority_pem = std::fs::read_to_string(&authority).map_err(at(&authority))?;
    let text = std::fs::read_to_string(&key_file).map_err(at(&key_file))?;
    let key = KeyPair::from_pem(&text).map_err(|problem| CertsError::File {
        path: key_file.clone(),
        source: io::Error::other(problem.to_string()),
    })?;
    // Of the authority an issuer needs its name and its key; both are as when it was made.
    let issuer = Issuer::new(authority_params()?, key);
    let mut params = params(&format!("Sextant {role}"), vec![role.dns_name()], days)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().map_err(made)?;
    let signed = params.signed_by(&key, &issuer).map_err(made)?;
    std::fs::create_dir_all(out).map_err(at(out))?;
    let files = Files::in_folder(out, role.word());
    if out.canonicalize().ok() != dir.canonicalize().ok() {
        write_private(&files.authority, &authority_pem).map_err(at(&files.authority))?;
    }
    write_private(&files.key, &key.serialize_pem()).map_err(at(&files.key))?;
    write_private(&files.certificate, &signed.pem()).map_err(at(&files.certificate))?;
    Tls::load(&files).map(drop).map_err(made)
}

/// Renews every certificate of a role that lies in `out`; which.
///
/// # Errors
/// [`CertsError`]; those renewed before the one that failed are good.
pub fn rotate(dir: &Path, out: &Path, days: i64) -> Result<Vec<Role>, CertsError> {
    let there = |role: &Role| Files::in_folder(out, role.word()).certificate.exists();
    let roles: Vec<Role> = Role::CERTIFIED.into_iter().filter(there).collect();
    if roles.is_empty() {
        return Err(CertsError::Nothing(out.to_path_buf()));
    }
    roles.iter().try_for_each(|role| holder(dir, *role, out, days))?;
    Ok(roles)
}
