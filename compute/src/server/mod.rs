//! The listener and everything connections share.
//!
//! ```text
//!   accept -> Registry::enter -> a task per connection (connection::serve)         over the limit: 1040 and close
//!   once a second: idle connections over their limit are woken to say goodbye
//!   stop: no more accepts -> waiting connections end (1053) -> running statements have a grace -> the rest is cut short
//! ```

mod counters;
mod registry;

pub use counters::Counters;
pub use registry::{Attributes, Ending, Entry, Figures, Peer, Registry};

use crate::backend::Backend;
use crate::config::Settings;
use crate::connection;
use crate::connection::delay::FailedLogins;
use crate::connection::login::FastDigests;
use crate::connection::stream::Socket;
use crate::lease::Lease;
use crate::security::RsaDoor;
use bytes::BytesMut;
use mysql_wire::{Capabilities, Responder};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Connections the kernel queues before they are accepted.
const BACKLOG: u32 = 4096;
/// How long running statements may go on when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long their connections have to end once they were cut short. Who waits for a quorum that is gone cannot be cut short.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the connections of one server share.
pub struct Shared<B> {
    /// Settings at start.
    pub settings: Settings,
    /// SQL.
    pub backend: Arc<B>,
    /// TLS, where there is a certificate.
    pub tls: Option<TlsAcceptor>,
    /// The RSA pair for passwords without TLS.
    pub rsa: RsaDoor,
    /// What statements ask before they are answered (R8); unset where nobody else can write.
    pub lease: OnceLock<Arc<dyn Lease>>,
    /// Who is here.
    pub registry: Arc<Registry>,
    /// Server-wide counters.
    pub counters: Arc<Counters>,
    pub(crate) fast_digests: FastDigests,
    pub(crate) failed_logins: FailedLogins,
    /// Where rows of open cursors go that are too many for memory.
    pub(crate) scratch: PathBuf,
    pub(crate) stopping: AtomicBool,
    pub(crate) started: Instant,
    stop: Notify,
}

/// A connection's place in the registry, given back however its task ends.
struct Place {
    registry: Arc<Registry>,
    entry: Arc<Entry>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.leave(&self.entry);
    }
}

impl<B> std::fmt::Debug for Shared<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "server with {:?}", self.registry.counts())
    }
}

/// Listens on `address`; a busy port is an error now, not later.
///
/// # Errors
/// What the system says.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on a Unix socket; a file left behind by a process that is gone is replaced.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AddrInUse`] when somebody answers there.
pub fn listen_local(path: &Path) -> io::Result<UnixListener> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    UnixListener::bind(path)
}

/// The next client, wherever it comes from.
async fn accept(listener: &TcpListener, local: Option<&UnixListener>) -> io::Result<(Socket, Peer)> {
    let from_local = async {
        match local {
            Some(local) => local.accept().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        accepted = listener.accept() => {
            let (socket, peer) = accepted?;
            // One write per answer: waiting to gather more would only delay it.
            let _ = socket.set_nodelay(true);
            Ok((Socket::Tcp(socket), Peer::Tcp(peer)))
        }
        accepted = from_local => Ok((Socket::Unix(accepted?.0), Peer::Unix)),
    }
}

/// What a client over the limit is told.
pub(crate) const TOO_MANY: &str = "Too many connections";

impl<B: Backend> Shared<B> {
    /// What connections need, around `backend`.
    pub fn new(
        settings: Settings,
        backend: Arc<B>,
        tls: Option<TlsAcceptor>,
        rsa: RsaDoor,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
    ) -> Arc<Self> {
        Arc::new(Self {
            failed_logins: FailedLogins::new(&settings),
            scratch: Path::new(&settings.datadir).join("compute"),
            settings,
            backend,
            tls,
            rsa,
            lease: OnceLock::new(),
            registry,
            counters,
            fast_digests: FastDigests::default(),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
            stop: Notify::new(),
        })
    }

    /// Accepts connections until [`Shared::stop`]; completes when the last one is gone.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, local: Option<UnixListener>) {
        let mut idle_check = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                accepted = accept(&listener, local.as_ref()) => match accepted {
                    Ok((socket, peer)) => self.clone().welcome(socket, peer),
                    Err(problem) => {
                        tracing::warn!(%problem, "accept");
                        // Out of file descriptors, usually: they come back as connections end.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                _ = idle_check.tick() => self.registry.end_idle(),
                () = self.stop.notified() => break,
            }
        }
        drop((listener, local));
        self.drain().await;
    }

    /// Begins to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
    }

    /// True once it has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    async fn drain(&self) {
        self.registry.end_all(false);
        if tokio::time::timeout(GRACE, self.registry.empty()).await.is_ok() {
            return;
        }
        self.registry.end_all(true);
        if tokio::time::timeout(LAST_WORDS, self.registry.empty()).await.is_err() {
            tracing::warn!(
                connections = self.registry.counts().0,
                "connections that did not end are dropped"
            );
        }
    }

    /// A limit as SET GLOBAL left it, or as it was at start.
    pub(crate) fn limit(&self, name: &str, at_start: u64) -> u64 {
        self.backend.global_number(name).unwrap_or(at_start)
    }

    fn welcome(self: Arc<Self>, socket: Socket, peer: Peer) {
        let most = self.limit("max_connections", self.settings.max_connections);
        let Some(entry) = self.registry.enter(peer, most as usize) else {
            self.counters.refused_connections.fetch_add(1, Ordering::Relaxed);
            let mut out = BytesMut::new();
            Responder::new(&mut out, 0, Capabilities::empty()).err(1040, "08004", TOO_MANY.as_bytes());
            let _ = socket.try_write(&out);
            return;
        };
        let place = Place { registry: self.registry.clone(), entry: entry.clone() };
        tokio::spawn(async move {
            connection::serve(self, socket, entry).await;
            drop(place);
        });
    }

    /// COM_STATISTICS' line.
    pub(crate) fn statistics(&self) -> String {
        let uptime = self.started.elapsed().as_secs().max(1);
        let questions = self.registry.figures().questions.load(Ordering::Relaxed);
        format!(
            "Uptime: {uptime}  Threads: {}  Questions: {questions}  Slow queries: 0  Opens: 0  Flush tables: 0  Open tables: 0  \
             Queries per second avg: {:.3}",
            self.registry.counts().0,
            questions as f64 / uptime as f64
        )
    }
}
