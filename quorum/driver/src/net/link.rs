//! The network [`SegmentLink`]: for each of the six nodes a log queue and a read queue, and one bell for all.
//!
//! ```text
//!   send(Append to 1.3)  ─► pipes[3].log   [bounded]      send(ReadPage to 0.2) ─► pipes[2].reads, or bounced if node 2 is down
//!   flush ─bell─► pump ─► rings the pipes that hold something; their tasks encode and write all of it in one go
//! ```
//!
//! Invariants
//! 1. A pipe holds at most its bytes and messages; what is above is refused and the other five are not held up (I27).
//! 2. A pipe that is down holds nothing: what it would take was sent in vain, and the core sends it again by itself.
//! 3. A page asked of a node that is down is refused on its behalf at once, so that the next segment is asked without waiting for a hedge.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use protocol::Lsn;
use protocol::contract::SegmentLink;
use protocol::geometry::COPIES;
use protocol::message::{Envelope, Message, PageRefusal, PageRefused, Peer};
use tokio::sync::Notify;

/// Bytes of log waiting for one node, at most.
pub(super) const QUEUE_BYTES: usize = 16 << 20;
/// Messages waiting for one node, at most.
pub(super) const QUEUE_MESSAGES: usize = 16_384;

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Envelope>,
    bytes: usize,
    up: bool,
}

/// One stream's queue.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    queue: Mutex<Queue>,
    pub(super) bell: Notify,
}

fn weight(message: &Message) -> usize {
    match message {
        Message::Append(m) => m.frames.len(),
        Message::Install(m) => m.frames.len(),
        Message::LogSlice(m) => m.frames.len(),
        _ => 0,
    }
}

impl Pipe {
    /// Takes it, or gives it back: full, or down.
    fn put(&self, envelope: Envelope) -> Option<Envelope> {
        let bytes = weight(&envelope.message);
        let mut queue = self.queue.lock();
        if !queue.up || queue.messages.len() >= QUEUE_MESSAGES || queue.bytes + bytes > QUEUE_BYTES {
            return Some(envelope);
        }
        queue.bytes += bytes;
        queue.messages.push(envelope);
        None
    }

    /// Takes what waits; `messages` must be empty and lends its allocation.
    pub(super) fn take(&self, messages: &mut Vec<Envelope>) {
        assert!(messages.is_empty(), "what was taken before is written");
        let mut queue = self.queue.lock();
        std::mem::swap(&mut queue.messages, messages);
        queue.bytes = 0;
    }

    fn set_up(&self, up: bool) {
        let mut queue = self.queue.lock();
        *queue = Queue { up, ..Queue::default() };
    }

    fn holds_something(&self) -> bool {
        !self.queue.lock().messages.is_empty()
    }
}

/// The two streams to one node.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) log: Pipe,
    pub(super) reads: Pipe,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    pipes: [Pipes; COPIES],
    bounced: Mutex<Vec<Envelope>>,
    /// Rung by [`SegmentLink::flush`]; the pump listens.
    pub(super) bell: Notify,
    sent: AtomicU64,
    bounces: AtomicU64,
}

impl Link {
    pub(super) fn pipes(&self, position: u8) -> &Pipes {
        &self.pipes[usize::from(position)]
    }

    /// The node at `position` can be reached, or not any more.
    pub(super) fn set_up(&self, position: u8, up: bool) {
        let pipes = self.pipes(position);
        pipes.log.set_up(up);
        pipes.reads.set_up(up);
    }

    /// Rings the pipes that hold something.
    pub(super) fn ring(&self) {
        for pipes in &self.pipes {
            for pipe in [&pipes.log, &pipes.reads] {
                if pipe.holds_something() {
                    pipe.bell.notify_one();
                }
            }
        }
    }

    /// True when nothing waits to be written to any node's log stream.
    pub(super) fn is_quiet(&self) -> bool {
        (0..COPIES as u8).all(|position| !self.pipes(position).log.holds_something())
    }

    /// Refusals on behalf of nodes that are down, to be delivered.
    pub(super) fn take_bounced(&self) -> Vec<Envelope> {
        std::mem::take(&mut *self.bounced.lock())
    }

    pub(super) fn counters(&self) -> Vec<(&'static str, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![("network_messages", get(&self.sent)), ("network_reads_bounced", get(&self.bounces))]
    }

    fn bounce(&self, envelope: &Envelope) {
        let Message::ReadPage(read) = &envelope.message else { return };
        let refused = PageRefused {
            request: read.request,
            page: read.page,
            reason: PageRefusal::Behind,
            scl: Lsn::ZERO,
        };
        self.bounces.fetch_add(1, Ordering::Relaxed);
        let answer = Envelope { from: envelope.to, to: envelope.from, message: refused.into() };
        self.bounced.lock().push(answer);
    }
}

impl SegmentLink for Link {
    fn send(&self, envelope: Envelope) -> bool {
        let Peer::Segment(segment) = envelope.to else { return false };
        let Some(pipes) = self.pipes.get(usize::from(segment.position)) else { return false };
        let reads = matches!(envelope.message, Message::ReadPage(_));
        match if reads { &pipes.reads } else { &pipes.log }.put(envelope) {
            None => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                true
            }
            Some(envelope) => {
                self.bounce(&envelope);
                false
            }
        }
    }

    fn flush(&self) {
        self.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{LogSlice, Query, ReadPage};
    use protocol::{PageId, VolumeEpoch, WriterId};

    fn to(position: u8, message: Message) -> Envelope {
        let segment = SegmentId { pg: PgId(1), position };
        Envelope { from: Peer::Compute(WriterId(1)), to: Peer::Segment(segment), message }
    }

    fn heavy(position: u8, bytes: usize) -> Envelope {
        let slice = LogSlice {
            request: 0,
            head_version: Default::default(),
            after: Lsn::ZERO,
            end: true,
            floor: Lsn::ZERO,
            frames: Bytes::from(vec![0; bytes]),
        };
        to(position, slice.into())
    }

    fn read(position: u8, request: u64) -> Envelope {
        to(position, ReadPage { request, epoch: VolumeEpoch(1), page: PageId(7), at: Lsn(3) }.into())
    }

    fn up() -> Link {
        let link = Link::default();
        (0..COPIES as u8).for_each(|position| link.set_up(position, true));
        link
    }

    #[test]
    fn log_and_reads_have_queues_of_their_own() {
        let link = up();
        assert!(link.send(heavy(2, QUEUE_BYTES)));
        assert!(!link.send(heavy(2, 1)), "full in bytes");
        assert!(link.send(heavy(3, 1)), "the others are not held up");
        assert!(link.send(read(2, 1)), "nor are its reads");
        let mut messages = Vec::new();
        link.pipes(2).log.take(&mut messages);
        assert_eq!(messages.len(), 1);
        assert!(link.send(heavy(2, 1)), "room again");
        for _ in 0..QUEUE_MESSAGES {
            assert!(link.send(to(4, Query { request: 0, candidate: None }.into())));
        }
        assert!(!link.send(to(4, Query { request: 0, candidate: None }.into())), "full in messages");
        assert!(!link.send(to(6, Query { request: 0, candidate: None }.into())), "nobody outside the six");
    }

    #[test]
    fn a_node_that_is_down_takes_nothing_and_its_reads_bounce() {
        let link = up();
        assert!(link.send(heavy(1, 10)));
        link.set_up(1, false);
        assert!(!link.send(heavy(1, 10)));
        assert!(!link.send(read(1, 42)));
        let bounced = link.take_bounced();
        assert_eq!(bounced.len(), 1);
        assert_eq!(bounced[0].from, Peer::Segment(SegmentId { pg: PgId(1), position: 1 }));
        assert!(matches!(&bounced[0].message, Message::PageRefused(r) if r.request == 42));
        link.set_up(1, true);
        let mut messages = Vec::new();
        link.pipes(1).log.take(&mut messages);
        assert!(messages.is_empty(), "what waited before is not sent late");
    }
}
