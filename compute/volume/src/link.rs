//! The in-process [`SegmentLink`]: six bounded queues into the storage thread, and the bell that wakes it.
//!
//! ```text
//!   driver, any thread ─send─► [node 0 | node 1 | .. | node 5] ─take─► storage thread
//!                                 bytes and messages bounded          (host)
//! ```
//!
//! Invariants
//! 1. A node's queue holds at most [`QUEUE_BYTES`] and [`QUEUE_MESSAGES`]; what is above is refused, and the other five
//!    are not held up (I27).
//! 2. What was sent before the storage thread last looked is seen before it sleeps (see `cache_nvme`'s waker).

use std::sync::OnceLock;
use std::sync::mpsc::Sender;

use cache_nvme::device::Waker;
use parking_lot::Mutex;
use protocol::contract::SegmentLink;
use protocol::geometry::COPIES;
use protocol::message::{Envelope, Message, Peer};

use crate::status::Facts;

/// Bytes of log and images waiting for one node, at most.
pub const QUEUE_BYTES: usize = 32 << 20;
/// Messages waiting for one node, at most.
pub const QUEUE_MESSAGES: usize = 16_384;

/// What the storage thread is asked besides messages.
#[derive(Debug)]
pub(crate) enum Command {
    /// Facts of all segments and nodes, for status.
    Facts(Sender<Facts>),
    /// Leave the next opening little to read; answered when that is done.
    Settle(Sender<()>),
    /// Stop.
    Stop,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Envelope>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queues {
    nodes: [Queue; COPIES],
    commands: Vec<Command>,
}

/// What is taken in one go.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) messages: [Vec<Envelope>; COPIES],
    pub(crate) commands: Vec<Command>,
}

impl Taken {
    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.messages.iter().all(Vec::is_empty)
    }
}

/// The link's both ends.
#[derive(Debug, Default)]
pub struct Link {
    queues: Mutex<Queues>,
    waker: OnceLock<Waker>,
}

/// Bytes that a message keeps alive while it waits.
pub(crate) fn weight(message: &Message) -> usize {
    match message {
        Message::Append(m) => m.frames.len(),
        Message::Install(m) => m.frames.len(),
        Message::LogSlice(m) => m.frames.len(),
        Message::PageBatch(m) => m.images.len(),
        Message::PageRead(m) => m.image.len(),
        _ => 0,
    }
}

impl Link {
    /// The storage thread listens from now on.
    pub(crate) fn listen(&self, waker: Waker) {
        // A second one would be a second storage thread of the same volume.
        assert!(self.waker.set(waker).is_ok(), "a link has one listener");
    }

    pub(crate) fn command(&self, command: Command) {
        self.queues.lock().commands.push(command);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// Takes everything that waits; `taken` must be empty and lends its allocations to the queues.
    pub(crate) fn take(&self, taken: &mut Taken) {
        assert!(taken.is_empty(), "what was taken before is done");
        let mut queues = self.queues.lock();
        for (queue, messages) in queues.nodes.iter_mut().zip(&mut taken.messages) {
            std::mem::swap(&mut queue.messages, messages);
            queue.bytes = 0;
        }
        std::mem::swap(&mut queues.commands, &mut taken.commands);
    }
}

impl SegmentLink for Link {
    fn send(&self, envelope: Envelope) -> bool {
        let Peer::Segment(segment) = envelope.to else { return false };
        let bytes = weight(&envelope.message);
        let mut queues = self.queues.lock();
        let Some(queue) = queues.nodes.get_mut(segment.position as usize) else { return false };
        if queue.messages.len() >= QUEUE_MESSAGES || queue.bytes + bytes > QUEUE_BYTES {
            return false;
        }
        queue.bytes += bytes;
        queue.messages.push(envelope);
        true
    }

    /// One wake-up for the six parts of a batch: the storage thread then takes them together, and their six log writes
    /// go down in one kernel entry.
    fn flush(&self) {
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{PageBatch, Query};
    use protocol::{Lsn, WriterId};

    fn to(position: u8, message: Message) -> Envelope {
        let segment = SegmentId { pg: PgId(1), position };
        Envelope { from: Peer::Compute(WriterId(1)), to: Peer::Segment(segment), message }
    }

    fn heavy(position: u8, bytes: usize) -> Envelope {
        let batch =
            PageBatch { request: 0, point: Lsn::ZERO, images: Bytes::from(vec![0; bytes]), end: true };
        to(position, Message::PageBatch(batch))
    }

    #[test]
    fn messages_come_out_by_node_and_in_order() {
        let link = Link::default();
        for n in 0..12u64 {
            assert!(link.send(to((n % 6) as u8, Message::Query(Query { request: n, candidate: None }))));
        }
        let mut taken = Taken::default();
        link.take(&mut taken);
        for (position, messages) in taken.messages.iter().enumerate() {
            let requests: Vec<u64> = messages
                .iter()
                .map(|m| match &m.message {
                    Message::Query(q) => q.request,
                    _ => panic!("only queries were sent"),
                })
                .collect();
            assert_eq!(requests, [position as u64, position as u64 + 6]);
        }
    }

    #[test]
    fn a_full_queue_refuses_and_holds_up_nobody_else() {
        let link = Link::default();
        assert!(link.send(heavy(2, QUEUE_BYTES)));
        assert!(!link.send(heavy(2, 1)), "full in bytes");
        assert!(link.send(heavy(3, QUEUE_BYTES)));
        for _ in 0..QUEUE_MESSAGES {
            assert!(link.send(to(4, Message::Query(Query { request: 0, candidate: None }))));
        }
        assert!(!link.send(to(4, Message::Query(Query { request: 0, candidate: None }))), "full in messages");
        let mut taken = Taken::default();
        link.take(&mut taken);
        assert!(link.send(heavy(2, 1)), "room again");
    }

    #[test]
    fn nobody_outside_the_six_is_reached() {
        let link = Link::default();
        assert!(!link.send(to(6, Message::Query(Query { request: 0, candidate: None }))));
    }
}
