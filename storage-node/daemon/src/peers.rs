//! The other five nodes of the volume: one outgoing stream to each, for gossip, log slices and page copies.
//!
//! Answers come back over the peer's own outgoing stream, so each direction has one bounded queue and reconnects by itself. Where the
//! peers are the volume map says (the head, R9); while it names no address, a hint that whoever opens the volume tells, remembered in the folder: a wrong
//! address leads to a node that refuses. Two nodes may hold a position: one that copies are moving to, and the one they leave.
//!
//! Invariant: there are at most [`LANES`] lanes; a queue holds at most [`QUEUE_BYTES`] and [`QUEUE_MESSAGES`]; what is above, and what waits while a peer cannot be reached,
//! is dropped: gossip comes again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use protocol::geometry::COPIES;
use protocol::message::Envelope;
use protocol::{VolumeId, WriterId};
use protocol_grpc::hello::{self, Hello, Kind, PeerAddress};
use protocol_grpc::io::Io;
use protocol_grpc::stream;
use protocol_grpc::tls::{self, Tls};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::folder;
use crate::inbox::weight;
use crate::quiet::Quiet;

/// Addresses known at a time: the other five, and nodes they moved from or to.
const LANES: usize = 24;
const QUEUE_BYTES: usize = 16 << 20;
const QUEUE_MESSAGES: usize = 4096;
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const REST_MIN: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(1);
/// Longest address that is believed.
const ADDRESS_BYTES: usize = 300;

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Envelope>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Lane {
    queue: Mutex<Queue>,
    bell: Notify,
    touched: AtomicBool,
    up: AtomicBool,
    /// Messages were last put in after so many rounds of [`Peers::ring`]; the idlest lane gives way.
    used: AtomicU64,
    closed: AtomicBool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Peers {
    volume: VolumeId,
    position: u8,
    caller: WriterId,
    folder: PathBuf,
    tls: Option<Tls>,
    /// By address.
    lanes: Mutex<BTreeMap<String, Arc<Lane>>>,
    /// Where tasks are spawned; set once serving.
    handle: OnceLock<Handle>,
    rounds: AtomicU64,
    addresses: Mutex<[Option<String>; COPIES]>,
    dropped: AtomicU64,
    quiet: Quiet,
}

impl Peers {
    pub(crate) fn new(
        volume: VolumeId,
        position: u8,
        caller: WriterId,
        folder: PathBuf,
        tls: Option<Tls>,
    ) -> Peers {
        let peers = Peers {
            volume,
            position,
            caller,
            folder,
            tls,
            lanes: Mutex::default(),
            handle: OnceLock::new(),
            rounds: AtomicU64::new(0),
            addresses: Mutex::default(),
            dropped: AtomicU64::new(0),
            quiet: Quiet::default(),
        };
        let known = folder::read_peers(&peers.folder);
        peers.take(&known);
        peers
    }

    /// True when something was new.
    fn take(&self, told: &[PeerAddress]) -> bool {
        let mut addresses = self.addresses.lock();
        let mut changed = false;
        for peer in told.iter().filter(|p| p.position != self.position && p.address.len() <= ADDRESS_BYTES) {
            let Some(known) = addresses.get_mut(usize::from(peer.position)) else { continue };
            if known.as_ref() != Some(&peer.address) {
                *known = Some(peer.address.clone());
                changed = true;
            }
        }
        changed
    }

    /// Somebody who opens the volume says where the nodes are.
    pub(crate) fn learn(&self, told: &[PeerAddress]) {
        if !self.take(told) {
            return;
        }
        let known: Vec<PeerAddress> = {
            let addresses = self.addresses.lock();
            let of = |(position, address): (usize, &Option<String>)| {
                address.clone().map(|address| PeerAddress { position: position as u8, address })
            };
            addresses.iter().enumerate().filter_map(of).collect()
        };
        if let Err(problem) = folder::write_peers(&self.folder, &known) {
            tracing::warn!(%problem, "where the other nodes are is not remembered");
        }
    }

    /// Queues a message for the copy's node; [`ring`](Self::ring) makes it leave. `places` are addresses of the volume map, if it names any.
    pub(crate) fn send(self: &Arc<Self>, position: u8, places: [Option<&str>; 2], envelope: Envelope) {
        if let [None, None] = places {
            let known = self.addresses.lock().get(usize::from(position)).cloned().flatten();
            if let Some(address) = known {
                self.put(&address, envelope);
            }
            return;
        }
        let [first, second] = places;
        if let Some(second) = second {
            self.put(second, envelope.clone());
        }
        if let Some(first) = first {
            self.put(first, envelope);
        }
    }

    fn put(self: &Arc<Self>, address: &str, envelope: Envelope) {
        let Some(lane) = self.lane(address) else { return };
        let bytes = weight(&envelope.message);
        let mut queue = lane.queue.lock();
        if queue.messages.len() >= QUEUE_MESSAGES || queue.bytes + bytes > QUEUE_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.messages.push(envelope);
        drop(queue);
        lane.used.store(self.rounds.load(Ordering::Relaxed), Ordering::Relaxed);
        lane.touched.store(true, Ordering::Relaxed);
    }

    /// The lane to an address; made, and its task started, when it is new. `None` before the daemon serves.
    fn lane(self: &Arc<Self>, address: &str) -> Option<Arc<Lane>> {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get(address) {
            return Some(Arc::clone(lane));
        }
        let handle = self.handle.get()?;
        if lanes.len() >= LANES {
            let idlest = lanes.iter().min_by_key(|(_, lane)| lane.used.load(Ordering::Relaxed));
            let idlest = idlest.map(|(address, _)| address.clone())?;
            if let Some(lane) = lanes.remove(&idlest) {
                lane.closed.store(true, Ordering::Relaxed);
                lane.bell.notify_one();
            }
        }
        let lane = Arc::new(Lane::default());
        lanes.insert(address.to_string(), Arc::clone(&lane));
        handle.spawn(Arc::clone(self).serve(address.to_string(), Arc::clone(&lane)));
        Some(lane)
    }

    /// Wakes the tasks of all lanes that were given something.
    pub(crate) fn ring(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        for lane in self.lanes.lock().values() {
            if lane.touched.swap(false, Ordering::Relaxed) {
                lane.bell.notify_one();
            }
        }
    }

    /// Peers connected and messages dropped, for metrics.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 2] {
        let up = self.lanes.lock().values().filter(|l| l.up.load(Ordering::Relaxed)).count() as u64;
        [("peers_connected", up), ("dropped_peer_messages", self.dropped.load(Ordering::Relaxed))]
    }

    /// Lanes may be made from now on. Within a tokio runtime.
    pub(crate) fn start(&self) {
        // A daemon starts once; a second call would mean the same runtime.
        let _ = self.handle.set(Handle::current());
    }

    async fn serve(self: Arc<Self>, address: String, lane: Arc<Lane>) {
        let mut rest = REST_MIN;
        while !lane.closed.load(Ordering::Relaxed) {
            if lane.queue.lock().messages.is_empty() {
                // Nobody needs it: an address that is not in use any more is not knocked at.
                lane.bell.notified().await;
                continue;
            }
            match tokio::time::timeout(CONNECT_LIMIT, self.connect(&address)).await {
                Ok(Ok((io, input))) => {
                    rest = REST_MIN;
                    lane.up.store(true, Ordering::Relaxed);
                    let ended = self.write(&lane, io, input).await;
                    lane.up.store(false, Ordering::Relaxed);
                    tracing::debug!(%address, ?ended, "the stream to a peer has ended");
                }
                Ok(Err(problem)) => self.complain(&address, &problem.to_string()),
                Err(_) => self.complain(&address, "no answer in time"),
            }
            self.forget(&lane);
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(REST_MAX);
        }
    }

    fn complain(&self, address: &str, problem: &str) {
        if let Some(left_out) = self.quiet.may_speak() {
            tracing::info!(address, problem, left_out, "a storage node of the volume cannot be reached");
        }
    }

    fn forget(&self, lane: &Lane) {
        *lane.queue.lock() = Queue::default();
    }

    async fn connect(&self, address: &str) -> Result<(Io, BytesMut), hello::HelloError> {
        let mut io = tls::connect(address, self.tls.as_ref()).await?;
        let mut input = BytesMut::new();
        let hello = Hello {
            kind: Kind::Peer,
            volume: self.volume,
            caller: self.caller,
            position: Some(self.position),
            peers: Vec::new(),
        };
        hello::greet(&mut io, &hello, &mut input).await?;
        Ok((io, input))
    }

    /// Writes what comes until the stream breaks; the peer never sends anything on it.
    async fn write(&self, lane: &Lane, io: Io, mut input: BytesMut) -> std::io::Result<()> {
        let (mut reader, writer) = tokio::io::split(io);
        input.clear();
        input.reserve(64);
        let take =
            |out: &mut Vec<Envelope>| out.append(&mut std::mem::take(&mut *lane.queue.lock()).messages);
        let closed = async {
            while !lane.closed.load(Ordering::Relaxed) {
                tokio::time::sleep(REST_MAX).await;
            }
            Ok(())
        };
        tokio::select! {
            ended = stream::write_queue(writer, &lane.bell, take) => ended,
            ended = closed => ended,
            // The end of the stream, or what it has no business to say.
            read = reader.read_buf(&mut input) => read.map(drop),
        }
    }
}
