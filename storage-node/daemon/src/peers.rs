//! The other five nodes of the volume: one outgoing stream to each, for gossip, log slices and page copies.
//!
//! Answers come back over the peer's own outgoing stream, so each direction has one bounded queue and reconnects by itself. Where the
//! peers are is a hint that whoever opens the volume tells, remembered in the folder: a wrong address leads to a node that refuses.
//!
//! Invariant: a queue holds at most [`QUEUE_BYTES`] and [`QUEUE_MESSAGES`]; what is above, and what waits while a peer cannot be reached,
//! is dropped: gossip comes again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
use tokio::sync::Notify;

use crate::folder;
use crate::inbox::weight;
use crate::quiet::Quiet;

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
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Peers {
    volume: VolumeId,
    position: u8,
    caller: WriterId,
    folder: PathBuf,
    tls: Option<Tls>,
    lanes: [Lane; COPIES],
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
            lanes: Default::default(),
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
        for lane in &self.lanes {
            lane.bell.notify_one();
        }
    }

    /// Queues a message; [`ring`](Self::ring) makes it leave.
    pub(crate) fn send(&self, position: u8, envelope: Envelope) {
        let Some(lane) = self.lanes.get(usize::from(position)) else { return };
        let bytes = weight(&envelope.message);
        let mut queue = lane.queue.lock();
        if queue.messages.len() >= QUEUE_MESSAGES || queue.bytes + bytes > QUEUE_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.bytes += bytes;
        queue.messages.push(envelope);
        drop(queue);
        lane.touched.store(true, Ordering::Relaxed);
    }

    /// Wakes the tasks of all lanes that were given something.
    pub(crate) fn ring(&self) {
        for lane in &self.lanes {
            if lane.touched.swap(false, Ordering::Relaxed) {
                lane.bell.notify_one();
            }
        }
    }

    /// Peers connected and messages dropped, for metrics.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 2] {
        let up = self.lanes.iter().filter(|l| l.up.load(Ordering::Relaxed)).count() as u64;
        [("peers_connected", up), ("dropped_peer_messages", self.dropped.load(Ordering::Relaxed))]
    }

    /// Starts the tasks that connect and write.
    pub(crate) fn start(self: &Arc<Self>) {
        for position in (0..COPIES as u8).filter(|p| *p != self.position) {
            tokio::spawn(Arc::clone(self).serve(position));
        }
    }

    async fn serve(self: Arc<Self>, position: u8) {
        let lane = &self.lanes[usize::from(position)];
        let mut rest = REST_MIN;
        loop {
            let address = self.addresses.lock()[usize::from(position)].clone();
            let Some(address) = address else {
                self.forget(lane);
                lane.bell.notified().await;
                continue;
            };
            match tokio::time::timeout(CONNECT_LIMIT, self.connect(&address)).await {
                Ok(Ok((io, input))) => {
                    rest = REST_MIN;
                    lane.up.store(true, Ordering::Relaxed);
                    let ended = self.write(lane, io, input).await;
                    lane.up.store(false, Ordering::Relaxed);
                    tracing::debug!(position, %address, ?ended, "the stream to a peer has ended");
                }
                Ok(Err(problem)) => self.complain(&address, &problem.to_string()),
                Err(_) => self.complain(&address, "no answer in time"),
            }
            self.forget(lane);
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
        tokio::select! {
            ended = stream::write_queue(writer, &lane.bell, take) => ended,
            // The end of the stream, or what it has no business to say.
            read = reader.read_buf(&mut input) => read.map(drop),
        }
    }
}
