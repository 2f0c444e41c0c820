//! Who is connected, and where an answer goes.
//!
//! The node addresses its answers to a compute node by the nonce of its attempt; a session learns which nonces speak on it from what it
//! hears. A process stands again with a new nonce after it was superseded, on the same streams.
//!
//! ```text
//!   node ─ Acked → Compute(w) ──► routes[(w, log)]   ──► session 3 [bounded queue] ─bell─► its task writes them in one go
//!        ─ PageRead → Compute(w) ─► routes[(w, reads)] ─► session 4
//! ```
//!
//! Invariants
//! 1. A session's queue holds at most [`QUEUE_BYTES`] and [`QUEUE_MESSAGES`]; what is above is dropped and counted: acknowledgements
//!    are repeated by later ones, pages are asked for again.
//! 2. One process at a time has a log stream: another one's is refused while the first was heard within [`LIVE`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use protocol::message::{Envelope, Message, Peer};
use protocol::order::{Ask, Order, Report, Told};
use protocol::{PgId, SegmentId, WriterId};
use protocol_grpc::hello::Kind;
use tokio::sync::{Notify, oneshot};

use crate::inbox::weight;

/// Bytes of images and log waiting for one caller, at most.
const QUEUE_BYTES: usize = 32 << 20;
/// Messages waiting for one caller, at most.
const QUEUE_MESSAGES: usize = 16_384;
/// Orders that may wait for the writer.
const ORDERS: usize = 64;
/// Attempts one stream may speak for.
const NONCES: usize = 64;
/// A writer that was heard within this time is alive. It beats every 100 ms.
pub(crate) const LIVE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Out {
    messages: Vec<Envelope>,
    bytes: usize,
}

/// One accepted stream.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    kind: Kind,
    caller: WriterId,
    address: SocketAddr,
    out: Mutex<Out>,
    heard: Mutex<Instant>,
    nonces: Mutex<Vec<WriterId>>,
    /// Rung when there is something to write, or the session is over.
    pub(crate) bell: Notify,
    over: Notify,
}

impl Session {
    /// Takes what waits; `messages` must be empty and lends its allocation.
    pub(crate) fn take(&self, messages: &mut Vec<Envelope>) {
        assert!(messages.is_empty(), "what was taken before is written");
        let mut out = self.out.lock();
        std::mem::swap(&mut out.messages, messages);
        out.bytes = 0;
    }

    /// Something was read from it.
    pub(crate) fn heard(&self) {
        *self.heard.lock() = Instant::now();
    }

    /// Completes when another stream took its place.
    pub(crate) async fn superseded(&self) {
        self.over.notified().await;
    }

    fn is_live(&self) -> bool {
        self.heard.lock().elapsed() < LIVE
    }
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    live: BTreeMap<u64, Arc<Session>>,
    routes: BTreeMap<(WriterId, bool), Arc<Session>>,
}

/// Operators' orders that wait for the writer's answer.
#[derive(Debug, Default)]
struct Orders {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Report>>,
}

/// All accepted streams of compute nodes.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: Mutex<Table>,
    touched: Mutex<Vec<Arc<Session>>>,
    dropped: AtomicU64,
    orders: Mutex<Orders>,
}

impl Sessions {
    /// Registers a stream.
    ///
    /// # Errors
    /// The line the caller is refused with (invariant 2).
    pub(crate) fn open(
        &self,
        kind: Kind,
        caller: WriterId,
        address: SocketAddr,
    ) -> Result<Arc<Session>, String> {
        let mut table = self.table.lock();
        if kind == Kind::Log {
            let rivals = table.live.values().filter(|s| s.kind == Kind::Log);
            for rival in rivals {
                if rival.caller != caller && rival.is_live() {
                    return Err(format!(
                        "the volume is open by compute node {} at {}; one compute node per volume, stop that one first",
                        rival.caller,
                        rival.address.ip()
                    ));
                }
                rival.over.notify_one();
            }
        }
        table.next += 1;
        let session = Arc::new(Session {
            id: table.next,
            kind,
            caller,
            address,
            out: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            nonces: Mutex::default(),
            bell: Notify::new(),
            over: Notify::new(),
        });
        table.live.insert(session.id, Arc::clone(&session));
        Ok(session)
    }

    /// The stream has ended.
    pub(crate) fn close(&self, session: &Arc<Session>) {
        let mut table = self.table.lock();
        table.live.remove(&session.id);
        table.routes.retain(|_, to| !Arc::ptr_eq(to, session));
    }

    /// `nonce` speaks on this stream from now on. False: too many do.
    pub(crate) fn learn(&self, session: &Arc<Session>, nonce: WriterId) -> bool {
        let mut nonces = session.nonces.lock();
        if nonces.last() == Some(&nonce) {
            return true;
        }
        if nonces.len() >= NONCES && !nonces.contains(&nonce) {
            return false;
        }
        nonces.retain(|known| *known != nonce);
        nonces.push(nonce);
        self.table.lock().routes.insert((nonce, session.kind == Kind::Reads), Arc::clone(session));
        true
    }

    /// Queues an answer; [`ring`](Self::ring) makes it leave.
    pub(crate) fn deliver(&self, envelope: Envelope) {
        let Peer::Compute(nonce) = envelope.to else { return };
        let reads = matches!(envelope.message, Message::PageRead(_) | Message::PageRefused(_));
        let Some(session) = self.table.lock().routes.get(&(nonce, reads)).cloned() else { return };
        let bytes = weight(&envelope.message);
        let mut out = session.out.lock();
        if out.messages.len() >= QUEUE_MESSAGES || out.bytes + bytes > QUEUE_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = out.messages.is_empty();
        out.bytes += bytes;
        out.messages.push(envelope);
        drop(out);
        if first {
            self.touched.lock().push(session);
        }
    }

    /// Hands an order to the writer whose log stream is live here.
    ///
    /// # Errors
    /// There is none, or too many orders wait.
    pub(crate) fn ask(&self, position: u8, order: Order) -> Result<oneshot::Receiver<Report>, String> {
        let writer = {
            let table = self.table.lock();
            let live = |s: &&Arc<Session>| s.kind == Kind::Log && s.is_live();
            table.live.values().find(live).and_then(|s| s.nonces.lock().last().copied())
        };
        let writer =
            writer.ok_or("no compute node has the volume open here: orders are for the running writer")?;
        let mut orders = self.orders.lock();
        orders.waiting.retain(|_, waiting| !waiting.is_closed());
        if orders.waiting.len() >= ORDERS {
            return Err("too many orders wait for the writer".to_string());
        }
        orders.next += 1;
        let request = orders.next;
        let (tell, answer) = oneshot::channel();
        orders.waiting.insert(request, tell);
        drop(orders);
        let from = Peer::Segment(SegmentId { pg: PgId(0), position });
        self.deliver(Envelope { from, to: Peer::Compute(writer), message: Ask { request, order }.into() });
        self.ring();
        Ok(answer)
    }

    /// The writer answers an order.
    pub(crate) fn told(&self, told: Told) {
        let waiting = self.orders.lock().waiting.remove(&told.request);
        if let Some(waiting) = waiting {
            // Who asked may have given up.
            drop(waiting.send(told.report));
        }
    }

    /// Wakes the tasks of all streams that were given something.
    pub(crate) fn ring(&self) {
        for session in self.touched.lock().drain(..) {
            session.bell.notify_one();
        }
    }

    /// True when nothing waits to be written.
    pub(crate) fn is_quiet(&self) -> bool {
        self.table.lock().live.values().all(|s| s.out.lock().messages.is_empty())
    }

    /// Whose log stream is live, for status.
    pub(crate) fn writer(&self) -> Option<String> {
        let table = self.table.lock();
        let log = table.live.values().find(|s| s.kind == Kind::Log && s.is_live());
        log.map(|s| format!("{} at {}", s.caller, s.address))
    }

    /// Open streams and answers dropped, for metrics.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 2] {
        let open = self.table.lock().live.len() as u64;
        [("streams_open", open), ("dropped_answers", self.dropped.load(Ordering::Relaxed))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::Lsn;
    use protocol::PageId;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{FetchLog, PageRead};

    fn address() -> SocketAddr {
        "127.0.0.1:1".parse().expect("an address")
    }

    fn to(nonce: u128, message: Message) -> Envelope {
        let from = Peer::Segment(SegmentId { pg: PgId(0), position: 0 });
        Envelope { from, to: Peer::Compute(WriterId(nonce)), message }
    }

    fn page(bytes: usize) -> Message {
        PageRead { request: 1, page: PageId(1), image: Bytes::from(vec![0; bytes]) }.into()
    }

    fn other() -> Message {
        FetchLog { request: 1, after: Lsn(0), through: Lsn(1), max_bytes: 1 }.into()
    }

    fn waiting(session: &Session) -> usize {
        let mut messages = Vec::new();
        session.take(&mut messages);
        messages.len()
    }

    #[test]
    fn answers_go_where_the_question_came_from() {
        let sessions = Sessions::default();
        let log = sessions.open(Kind::Log, WriterId(1), address()).expect("first");
        let reads = sessions.open(Kind::Reads, WriterId(1), address()).expect("reads");
        assert!(sessions.learn(&log, WriterId(10)) && sessions.learn(&reads, WriterId(10)));
        sessions.deliver(to(10, page(5)));
        sessions.deliver(to(10, other()));
        sessions.deliver(to(11, other()));
        assert_eq!((waiting(&log), waiting(&reads)), (1, 1), "what goes to nobody goes nowhere");
        sessions.close(&log);
        sessions.deliver(to(10, other()));
        assert_eq!(waiting(&log), 0);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let sessions = Sessions::default();
        let reads = sessions.open(Kind::Reads, WriterId(1), address()).expect("reads");
        assert!(sessions.learn(&reads, WriterId(1)));
        sessions.deliver(to(1, page(QUEUE_BYTES)));
        sessions.deliver(to(1, page(1)));
        assert_eq!(waiting(&reads), 1);
        assert_eq!(sessions.counters()[1].1, 1);
    }

    #[test]
    fn one_process_has_the_log_while_it_is_heard() {
        let sessions = Sessions::default();
        let first = sessions.open(Kind::Log, WriterId(1), address()).expect("first");
        let refusal = sessions.open(Kind::Log, WriterId(2), address()).expect_err("a rival");
        assert!(refusal.contains("one compute node per volume"), "{refusal}");
        sessions.open(Kind::Log, WriterId(1), address()).expect("the same process again");
        *first.heard.lock() = Instant::now() - LIVE;
        for session in sessions.table.lock().live.values() {
            *session.heard.lock() = Instant::now() - LIVE;
        }
        sessions.open(Kind::Log, WriterId(2), address()).expect("the first is silent");
    }

    #[test]
    fn a_stream_speaks_for_few_attempts() {
        let sessions = Sessions::default();
        let log = sessions.open(Kind::Log, WriterId(1), address()).expect("first");
        assert!((0..NONCES as u128).all(|n| sessions.learn(&log, WriterId(n))));
        assert!(!sessions.learn(&log, WriterId(1 << 100)));
        assert!(sessions.learn(&log, WriterId(0)));
    }
}
