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
pub use registry::{Ending, Entry, Figures, Registry};

use crate::backend::Backend;
use crate::config::Settings;
use crate::connection;
use crate::connection::login::FastDigests;
use crate::security::RsaDoor;
use bytes::BytesMut;
use mysql_wire::{Capabilities, Responder};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Connections the kernel queues before they are accepted.
const BACKLOG: u32 = 4096;
/// How long running statements may go on when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// How long their connections have to end once they were cut short.
const LAST_WORDS: Duration = Duration::from_secs(5);

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
    /// Who is here.
    pub registry: Arc<Registry>,
    /// Server-wide counters.
    pub counters: Arc<Counters>,
    pub(crate) fast_digests: FastDigests,
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

/// A client's name in accounts and messages: `localhost` for loopback, else its address; with its port for lists.
pub(crate) fn client_name(peer: SocketAddr, with_port: bool) -> String {
    let ip = match peer.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        ip => ip,
    };
    let name = if ip.is_loopback() { "localhost".to_string() } else { ip.to_string() };
    if with_port { format!("{name}:{}", peer.port()) } else { name }
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
            settings,
            backend,
            tls,
            rsa,
            registry,
            counters,
            fast_digests: FastDigests::default(),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
            stop: Notify::new(),
        })
    }

    /// Accepts connections until [`Shared::stop`]; completes when the last one is gone.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut idle_check = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
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
        drop(listener);
        self.drain().await;
    }

    /// Begins to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
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

    fn welcome(self: Arc<Self>, socket: TcpStream, peer: SocketAddr) {
        // One write per answer: waiting to gather more would only delay it.
        let _ = socket.set_nodelay(true);
        let Some(entry) = self.registry.enter(peer) else {
            self.counters.refused_connections.fetch_add(1, Ordering::Relaxed);
            let mut out = BytesMut::new();
            Responder::new(&mut out, 0, Capabilities::empty()).err(1040, "08004", b"Too many connections");
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
