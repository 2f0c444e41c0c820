//! What the storage thread is handed: messages from streams, and a few commands.
//!
//! Invariants
//! 1. At most [`INBOX_BYTES`] and [`INBOX_MESSAGES`] wait (one read's worth beyond, at most): whoever brings more waits, and so does its
//!    socket.
//! 2. What was put in before the storage thread last looked is seen before it sleeps (see `cache_nvme`'s waker).

use std::sync::OnceLock;

use cache_nvme::device::Waker;
use parking_lot::Mutex;
use protocol::message::{Envelope, Message};
use tokio::sync::{Notify, oneshot};

use crate::facts::Facts;

/// Bytes of log and images that may wait.
pub(crate) const INBOX_BYTES: usize = 32 << 20;
/// Messages that may wait.
pub(crate) const INBOX_MESSAGES: usize = 16_384;

/// What the storage thread is asked besides messages.
#[derive(Debug)]
pub(crate) enum Command {
    /// Facts for status and metrics.
    Facts(oneshot::Sender<Facts>),
    /// Look at everything stored.
    Scrub,
    /// Finish what is in flight and end.
    Stop,
}

#[derive(Debug, Default)]
struct Queue {
    messages: Vec<Envelope>,
    bytes: usize,
    commands: Vec<Command>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    waker: OnceLock<Waker>,
    room: Notify,
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

impl Inbox {
    /// The storage thread listens from now on.
    pub(crate) fn listen(&self, waker: Waker) {
        assert!(self.waker.set(waker).is_ok(), "an inbox has one listener");
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    pub(crate) fn command(&self, command: Command) {
        self.queue.lock().commands.push(command);
        self.wake();
    }

    /// Hands over everything in `batch`, in order, once there is room.
    pub(crate) async fn admit(&self, batch: &mut Vec<Envelope>) {
        loop {
            let freed = self.room.notified();
            {
                let mut queue = self.queue.lock();
                if queue.bytes < INBOX_BYTES && queue.messages.len() < INBOX_MESSAGES {
                    queue.bytes += batch.iter().map(|e| weight(&e.message)).sum::<usize>();
                    queue.messages.append(batch);
                    break;
                }
            }
            freed.await;
        }
        self.wake();
    }

    /// Takes everything; the vectors must be empty and lend their allocations.
    pub(crate) fn take(&self, messages: &mut Vec<Envelope>, commands: &mut Vec<Command>) {
        assert!(messages.is_empty() && commands.is_empty(), "what was taken before is done");
        let full = {
            let mut queue = self.queue.lock();
            let full = queue.bytes >= INBOX_BYTES || queue.messages.len() >= INBOX_MESSAGES;
            std::mem::swap(&mut queue.messages, messages);
            std::mem::swap(&mut queue.commands, commands);
            queue.bytes = 0;
            full
        };
        if full {
            self.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::geometry::{PgId, SegmentId};
    use protocol::message::{PageBatch, Peer};
    use protocol::{Lsn, WriterId};
    use std::sync::Arc;

    fn heavy(bytes: usize) -> Envelope {
        let images = Bytes::from(vec![0; bytes]);
        let message = PageBatch { request: 0, point: Lsn::ZERO, images, end: true }.into();
        let to = Peer::Segment(SegmentId { pg: PgId(0), position: 0 });
        Envelope { from: Peer::Compute(WriterId(1)), to, message }
    }

    #[test]
    fn whoever_brings_too_much_waits_until_it_is_taken() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let inbox = Arc::new(Inbox::default());
            inbox.admit(&mut vec![heavy(INBOX_BYTES)]).await;
            let second = tokio::spawn({
                let inbox = Arc::clone(&inbox);
                async move { inbox.admit(&mut vec![heavy(1), heavy(2)]).await }
            });
            tokio::task::yield_now().await;
            assert!(!second.is_finished(), "the inbox is full");
            let (mut messages, mut commands) = (Vec::new(), Vec::new());
            inbox.take(&mut messages, &mut commands);
            assert_eq!(messages.len(), 1);
            second.await.expect("admitted");
            messages.clear();
            inbox.take(&mut messages, &mut commands);
            assert_eq!(messages.len(), 2);
        });
    }
}
