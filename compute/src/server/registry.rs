//! The connections there are: for max_connections, KILL, SHOW PROCESSLIST, idle time limits, and shutdown.
//!
//! Each connection writes only to its own entry, so that no two share a cache line on the way of a request; figures for the whole server are summed up
//! when somebody asks.

use crate::backend::Kill;
use parking_lot::Mutex;
use sql::api::Process;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

/// Where a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// At this address.
    Tcp(SocketAddr),
    /// At the other end of a Unix socket.
    Unix,
}

impl Peer {
    /// On this machine?
    pub fn is_local(self) -> bool {
        match self.ip() {
            Some(ip) => ip.is_loopback(),
            None => true,
        }
    }

    fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(match address.ip() {
                IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
                ip => ip,
            }),
            Peer::Unix => None,
        }
    }

    /// Its name in accounts and messages: `localhost` for this machine, else its address.
    pub fn name(self) -> String {
        match self.ip() {
            Some(ip) if !ip.is_loopback() => ip.to_string(),
            _ => "localhost".to_string(),
        }
    }

    /// The same with its port, for lists.
    pub fn name_with_port(self) -> String {
        match self {
            Peer::Tcp(address) => format!("{}:{}", self.name(), address.port()),
            Peer::Unix => self.name(),
        }
    }
}

/// Why a connection is asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// KILL: error 1317 or a closed socket.
    Killed,
    /// wait_timeout: error 4031.
    Idle,
    /// The server stops: error 1053.
    Shutdown,
}

/// What one connection has done.
#[derive(Debug, Default)]
pub struct Figures {
    /// Requests.
    pub questions: AtomicU64,
    /// Bytes read from the client.
    pub bytes_received: AtomicU64,
    /// Bytes written to it.
    pub bytes_sent: AtomicU64,
    /// Read calls that returned bytes.
    pub reads: AtomicU64,
    /// Write calls.
    pub writes: AtomicU64,
}

impl Figures {
    /// Adds to a figure that only its own connection changes: no locked instruction.
    pub(crate) fn add(figure: &AtomicU64, n: u64) {
        figure.store(figure.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    fn merge(&self, other: &Figures) {
        for (mine, theirs) in self.all().into_iter().zip(other.all()) {
            mine.fetch_add(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn all(&self) -> [&AtomicU64; 5] {
        [&self.questions, &self.bytes_received, &self.bytes_sent, &self.reads, &self.writes]
    }
}

/// What a connection is doing, for SHOW PROCESSLIST.
#[derive(Debug)]
struct Doing {
    user: String,
    schema: Option<String>,
    command: &'static str,
    since: Instant,
    text: Option<Arc<[u8]>>,
}

/// Names and values.
pub type Attributes = Vec<(String, String)>;

/// One connection as others see it.
pub struct Entry {
    /// Its id, never given twice.
    pub id: u64,
    /// Where the client is.
    pub peer: Peer,
    /// It came when all places were taken: the one place more is for administrators.
    pub over_limit: bool,
    /// What the client says of itself (`_client_name`, `program_name` ...).
    attributes: Mutex<Attributes>,
    /// Its figures.
    pub figures: Figures,
    doing: Mutex<Doing>,
    kill: Mutex<Option<Arc<dyn Kill>>>,
    ending: AtomicU8,
    wake: Notify,
    /// Seconds of idleness allowed now; 0 while a statement runs or the client logs in.
    idle_limit_s: AtomicU64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "connection {} from {}", self.id, self.peer.name_with_port())
    }
}

impl Entry {
    /// The connection is asked to end, if it is.
    pub fn ending(&self) -> Option<Ending> {
        match self.ending.load(Ordering::Acquire) {
            1 => Some(Ending::Killed),
            2 => Some(Ending::Idle),
            3 => Some(Ending::Shutdown),
            _ => None,
        }
    }

    /// Completes when the connection is asked to end.
    pub async fn ended(&self) -> Ending {
        loop {
            let woken = self.wake.notified();
            if let Some(ending) = self.ending() {
                return ending;
            }
            woken.await;
        }
    }

    /// Asks the connection to end: a waiting one at once, a running statement as soon as it looks.
    pub fn end(&self, ending: Ending) {
        let code = match ending {
            Ending::Killed => 1,
            Ending::Idle => 2,
            Ending::Shutdown => 3,
        };
        // The first reason stays.
        let _ = self.ending.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
        self.wake.notify_one();
    }

    /// Ends the running statement, if there is one.
    pub fn kill_statement(&self, and_connection: bool) {
        if let Some(kill) = &*self.kill.lock() {
            if and_connection { kill.kill_connection() } else { kill.kill_query() }
        }
    }

    /// The client has logged in.
    pub(crate) fn logged_in(&self, user: &str, kill: Arc<dyn Kill>) {
        self.doing.lock().user = user.to_string();
        *self.kill.lock() = Some(kill);
    }

    /// What the client says of itself.
    pub(crate) fn set_attributes(&self, attributes: Attributes) {
        *self.attributes.lock() = attributes;
    }

    /// The connection starts a command.
    pub(crate) fn begin(&self, command: &'static str, text: Option<Arc<[u8]>>) {
        self.idle_limit_s.store(0, Ordering::Relaxed);
        let mut doing = self.doing.lock();
        doing.command = command;
        doing.text = text;
        doing.since = Instant::now();
    }

    /// The connection waits for the next command, for at most `limit_s`.
    pub(crate) fn idle(&self, limit_s: u64) {
        let mut doing = self.doing.lock();
        doing.command = "Sleep";
        doing.text = None;
        doing.since = Instant::now();
        self.idle_limit_s.store(limit_s, Ordering::Relaxed);
    }

    /// The default schema has changed.
    pub(crate) fn set_schema(&self, schema: Option<String>) {
        self.doing.lock().schema = schema;
    }

    fn process(&self) -> Process {
        let doing = self.doing.lock();
        let text = doing.text.as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
        Process {
            id: self.id,
            user: doing.user.clone(),
            host: self.peer.name_with_port(),
            schema: doing.schema.clone(),
            command: doing.command.to_string(),
            time_s: doing.since.elapsed().as_secs(),
            state: if text.is_some() { "executing" } else { "" }.to_string(),
            info: text,
        }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<BTreeMap<u64, Arc<Entry>>>,
    next_id: AtomicU64,
    /// What connections did that are gone.
    gone: Figures,
    most: AtomicU64,
    changed: Notify,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self { next_id: AtomicU64::new(1), ..Self::default() }
    }

    /// A place for a new connection; `None` when `limit` are taken. There is one more place than the limit, for an administrator
    /// ([`Entry::over_limit`]): the login decides.
    pub fn enter(&self, peer: Peer, limit: usize) -> Option<Arc<Entry>> {
        let mut entries = self.entries.lock();
        if entries.len() > limit {
            return None;
        }
        let over_limit = entries.len() == limit;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let user = "unauthenticated user".to_string();
        let doing = Doing { user, schema: None, command: "Connect", since: Instant::now(), text: None };
        let entry = Arc::new(Entry {
            id,
            peer,
            over_limit,
            attributes: Mutex::default(),
            figures: Figures::default(),
            doing: Mutex::new(doing),
            kill: Mutex::default(),
            ending: AtomicU8::new(0),
            wake: Notify::new(),
            idle_limit_s: AtomicU64::new(0),
        });
        entries.insert(id, entry.clone());
        self.most.fetch_max(entries.len() as u64, Ordering::Relaxed);
        Some(entry)
    }

    /// The connection is gone.
    pub fn leave(&self, entry: &Entry) {
        self.entries.lock().remove(&entry.id);
        self.gone.merge(&entry.figures);
        self.changed.notify_waiters();
    }

    /// Connections now, and the most there were.
    pub fn counts(&self) -> (u64, u64) {
        (self.entries.lock().len() as u64, self.most.load(Ordering::Relaxed))
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.next_id.load(Ordering::Relaxed) - 1
    }

    /// The figures of all connections, gone ones included.
    pub fn figures(&self) -> Figures {
        let sum = Figures::default();
        sum.merge(&self.gone);
        for entry in self.snapshot() {
            sum.merge(&entry.figures);
        }
        sum
    }

    /// Connections that are not waiting for a request.
    pub fn running(&self) -> u64 {
        self.snapshot().iter().filter(|entry| entry.doing.lock().command != "Sleep").count() as u64
    }

    /// SHOW PROCESSLIST.
    pub fn processes(&self) -> Vec<Process> {
        self.snapshot().iter().map(|entry| entry.process()).collect()
    }

    /// Every connection's id and what its client says of itself.
    pub fn attributes(&self) -> Vec<(u64, Attributes)> {
        self.snapshot().iter().map(|entry| (entry.id, entry.attributes.lock().clone())).collect()
    }

    /// KILL; false when there is no such connection.
    pub fn kill(&self, id: u64, query_only: bool) -> bool {
        let Some(entry) = self.entries.lock().get(&id).cloned() else { return false };
        if !query_only {
            entry.end(Ending::Killed);
        }
        entry.kill_statement(!query_only);
        true
    }

    /// Ends the connections that have been idle for too long; called about once a second.
    pub fn end_idle(&self) {
        for entry in self.snapshot() {
            let limit = entry.idle_limit_s.load(Ordering::Relaxed);
            if limit > 0 && entry.doing.lock().since.elapsed().as_secs() >= limit {
                entry.end(Ending::Idle);
            }
        }
    }

    /// Asks every connection to end because the server stops; with `statements` running ones are cut short too.
    pub fn end_all(&self, statements: bool) {
        for entry in self.snapshot() {
            entry.end(Ending::Shutdown);
            if statements {
                entry.kill_statement(true);
            }
        }
    }

    /// Completes once no connection is left.
    pub async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.entries.lock().is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn snapshot(&self) -> Vec<Arc<Entry>> {
        self.entries.lock().values().cloned().collect()
    }
}
