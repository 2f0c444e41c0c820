//! Mutual TLS by role.
//!
//! A certificate of the fleet's own authority names what its holder *is*, not where it runs: `compute.sextant`, `storage.sextant`,
//! `replica.sextant`, `operator.sextant` as DNS names. A daemon learns the caller's role from the certificate alone, and a compute node
//! accepts any address whose holder is a storage node. So nodes move between hosts without new certificates.
//!
//! ```text
//!   role       log stream   read stream   peer stream   status   adopt
//!   compute        yes          yes            -          yes      yes
//!   replica         -           yes            -          yes       -
//!   storage         -            -            yes         yes       -
//!   operator        -            -             -          yes      yes
//! ```
//! Without TLS (loopback only) a caller may do everything: whoever is on this machine as this user could read the folders anyway.
//!
//! The three files are looked at again, at most once a second, whenever a connection is made: what was renewed is used by the next handshake,
//! without a restart. `authority.pem` may hold several authorities: while a fleet changes its own, holders trust the old one and the new one.
//!
//! Invariants
//! 1. Both ends verify against the fleet's authorities only; no public authority is trusted.
//! 2. Files that do not fit (half of them written) change nothing: what was loaded before is used until they do.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::hello::Kind;
use crate::io::Io;

/// What the holder of a certificate is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// A writer's compute node.
    Compute,
    /// A reading compute node: it cannot append.
    Replica,
    /// A storage node.
    Storage,
    /// A person with `sextant volume`.
    Operator,
    /// A caller without TLS on loopback.
    Local,
}

impl Role {
    /// Every role a certificate may name.
    pub const CERTIFIED: [Role; 4] = [Role::Compute, Role::Replica, Role::Storage, Role::Operator];

    /// The word in commands and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Compute => "compute",
            Role::Replica => "replica",
            Role::Storage => "storage",
            Role::Operator => "operator",
            Role::Local => "local",
        }
    }

    /// The inverse of [`word`](Self::word), of certified roles.
    #[must_use]
    pub fn named(word: &str) -> Option<Role> {
        Role::CERTIFIED.into_iter().find(|role| role.word() == word)
    }

    /// The DNS name that stands for it in a certificate.
    #[must_use]
    pub fn dns_name(self) -> String {
        format!("{}.sextant", self.word())
    }

    /// May it open a stream of this kind?
    #[must_use]
    pub fn may_stream(self, kind: Kind) -> bool {
        match kind {
            Kind::Log => matches!(self, Role::Compute | Role::Local),
            Kind::Reads => matches!(self, Role::Compute | Role::Replica | Role::Local),
            Kind::Peer => matches!(self, Role::Storage | Role::Local),
        }
    }

    /// May it make a blank node a member of a volume?
    #[must_use]
    pub fn may_adopt(self) -> bool {
        matches!(self, Role::Compute | Role::Operator | Role::Local)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Three PEM files of one holder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    /// The fleet's authority.
    pub authority: PathBuf,
    /// The holder's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Files {
    /// `authority.pem`, `NAME.pem` and `NAME-key.pem` of a folder.
    #[must_use]
    pub fn in_folder(folder: &Path, name: &str) -> Files {
        Files {
            authority: folder.join("authority.pem"),
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}-key.pem")),
        }
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or not PEM.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The files do not fit each other.
    #[error("certificates: {0}")]
    Config(String),
    /// The handshake failed, or the other end holds no certificate of a known role.
    #[error("TLS: {0}")]
    Handshake(io::Error),
    /// The other end's certificate names no role of the fleet.
    #[error("TLS: the peer's certificate names no role of a Sextant fleet")]
    NoRole,
}

/// Both directions of one holder's TLS. Clones share what is loaded.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    held: Arc<Mutex<Held>>,
}

/// What is loaded, and from which files.
struct Held {
    ends: Ends,
    print: Print,
    looked: Instant,
    renewals: u64,
}

/// Both directions, as of one loading.
#[derive(Clone)]
struct Ends {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

/// What shows that a file was replaced: time, length, inode, of each.
type Print = Vec<(Option<SystemTime>, u64, u64)>;

/// The files are looked at so often at most.
const LOOK: Duration = Duration::from_secs(1);

fn print(files: &Files) -> Print {
    let of = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok();
        found.map_or((None, 0, 0), |m| (m.modified().ok(), m.len(), m.ino()))
    };
    [&files.authority, &files.certificate, &files.key].map(of).to_vec()
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn file_error(path: &Path) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError + '_ {
    |problem| TlsError::File { path: path.to_path_buf(), problem: problem.to_string() }
}

fn config_error(problem: impl fmt::Display) -> TlsError {
    TlsError::Config(problem.to_string())
}

impl Tls {
    /// Reads and checks the three files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load(files: &Files) -> Result<Tls, TlsError> {
        // Looked at before it is read: what changes in between is read again.
        let print = print(files);
        let held = Held { ends: Ends::load(files)?, print, looked: Instant::now(), renewals: 0 };
        Ok(Tls { files: Arc::new(files.clone()), held: Arc::new(Mutex::new(held)) })
    }

    /// What to use now: read again when the files changed and fit.
    fn ends(&self) -> Ends {
        let mut held = self.held.lock();
        if held.looked.elapsed() >= LOOK {
            held.looked = Instant::now();
            let found = print(&self.files);
            if found != held.print
                && let Ok(ends) = Ends::load(&self.files)
            {
                (held.ends, held.print) = (ends, found);
                held.renewals += 1;
            }
        }
        held.ends.clone()
    }

    /// How often changed files were taken over.
    #[must_use]
    pub fn renewals(&self) -> u64 {
        self.held.lock().renewals
    }

    /// The daemon's end of a handshake: the stream, and what the caller is.
    ///
    /// # Errors
    /// [`TlsError`].
    pub async fn accept(&self, socket: TcpStream) -> Result<(Io, Role), TlsError> {
        let stream = self.ends().acceptor.accept(socket).await.map_err(TlsError::Handshake)?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
        let role = certificate.as_ref().and_then(role_of).ok_or(TlsError::NoRole)?;
        Ok((Io::Tls(Box::new(stream.into())), role))
    }

    /// The caller's end: the other one must be a storage node.
    ///
    /// # Errors
    /// [`TlsError`].
    pub async fn connect(&self, socket: TcpStream) -> Result<Io, TlsError> {
        let name = ServerName::try_from(Role::Storage.dns_name()).map_err(config_error)?;
        let stream = self.ends().connector.connect(name, socket).await.map_err(TlsError::Handshake)?;
        Ok(Io::Tls(Box::new(stream.into())))
    }
}

impl Ends {
    fn load(files: &Files) -> Result<Ends, TlsError> {
        let authorities: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.authority)
            .and_then(Iterator::collect)
            .map_err(file_error(&files.authority))?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect)
            .map_err(file_error(&files.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(file_error(&files.key))?;
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(config_error)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(config_error)?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(config_error)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(config_error)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(config_error)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(config_error)?;
        Ok(Ends {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }
}

/// The role a verified certificate names.
fn role_of(certificate: &CertificateDer<'_>) -> Option<Role> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    Role::CERTIFIED.into_iter().find(|role| {
        let name = ServerName::try_from(role.dns_name()).ok();
        name.is_some_and(|name| parsed.verify_is_valid_for_subject_name(&name).is_ok())
    })
}

/// True for addresses that only this machine reaches.
#[must_use]
pub fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Connects to `address` (`host:port`), with TLS if there is any, without delay of small writes.
///
/// # Errors
/// The socket's or the handshake's; without TLS an address off loopback is refused.
pub async fn connect(address: &str, tls: Option<&Tls>) -> io::Result<Io> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    if socket.local_addr()? == socket.peer_addr()? {
        // On loopback a call to a port nobody listens on can meet itself, and would then keep the port from its owner.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    match tls {
        Some(tls) => tls.connect(socket).await.map_err(io::Error::other),
        None if is_loopback(&socket.peer_addr()?) => Ok(Io::Plain(socket)),
        None => Err(io::Error::other("not on loopback: certificates are needed (--certs, sextant_certs)")),
    }
}
