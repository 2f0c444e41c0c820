//! Where sessions park until their commit is durable.
//!
//! The volume's thread tells each advance of VDL once ([`VdlObserver::durable`]). It does not wake sessions one by one from outside:
//! it wakes one dispatcher task, and that one, on a worker of the runtime, releases every session whose LSN is reached. So a batch of
//! commits costs the volume's thread one wake-up, however many sessions wait. A single waiting session is woken directly.
//!
//! ```text
//!   durable(vdl) ──> vdl ──> dispatcher ──> waiters with lsn <= vdl, in LSN order
//! ```
//!
//! Invariant: a waiter enters its waker before it looks at VDL the last time, and VDL is stored before the waiters are looked at.

use crate::error::{EngineError, Result};
use parking_lot::Mutex;
use protocol::contract::{LogError, VdlObserver};
use protocol::lsn::Lsn;
use protocol::mutant;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    sessions: BTreeMap<(Lsn, u64), Waker>,
    dispatcher: Option<Waker>,
    /// VDL moved and the dispatcher has not looked yet.
    due: bool,
    closed: bool,
    ended: Option<EngineError>,
}

/// The commit queue.
#[derive(Debug, Default)]
pub(crate) struct CommitQueue {
    vdl: AtomicU64,
    waiting: Mutex<Waiting>,
    /// Wake-ups from outside the runtime, and sessions released: their ratio is the batch size.
    wakes: AtomicU64,
    released: AtomicU64,
}

/// One parked session; leaves the queue when dropped.
struct Parked<'a> {
    queue: &'a CommitQueue,
    lsn: Lsn,
    ticket: Option<u64>,
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.queue.waiting.lock().sessions.remove(&(self.lsn, ticket));
        }
    }
}

impl CommitQueue {
    /// Takes over the VDL at opening.
    pub(crate) fn start(&self, vdl: Lsn) {
        self.vdl.fetch_max(vdl.0, Ordering::SeqCst);
    }

    /// The VDL that sessions were released by.
    pub(crate) fn vdl(&self) -> Lsn {
        Lsn(self.vdl.load(Ordering::SeqCst))
    }

    /// Completes once VDL >= `lsn`.
    pub(crate) async fn wait(&self, lsn: Lsn) -> Result<()> {
        if self.reached(lsn) {
            return Ok(());
        }
        let mut parked = Parked { queue: self, lsn, ticket: None };
        poll_fn(|cx| {
            let mut waiting = self.waiting.lock();
            let ticket = *parked.ticket.get_or_insert_with(|| {
                waiting.next += 1;
                waiting.next
            });
            let key = (lsn, ticket);
            if self.reached(lsn) {
                waiting.sessions.remove(&key);
                parked.ticket = None;
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = &waiting.ended {
                return Poll::Ready(Err(error.clone()));
            }
            waiting.sessions.insert(key, cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn reached(&self, lsn: Lsn) -> bool {
        lsn.0 <= self.vdl.load(Ordering::SeqCst) || mutant!(OkBeforeVdl)
    }

    /// Sessions parked now.
    pub(crate) fn parked(&self) -> usize {
        self.waiting.lock().sessions.len()
    }

    /// Wake-ups from outside, sessions released.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.wakes.load(Ordering::Relaxed), self.released.load(Ordering::Relaxed))
    }

    /// One round of the dispatcher: completes when VDL moved; false when the queue is closed.
    pub(crate) async fn dispatch(&self) -> bool {
        let open = poll_fn(|cx| {
            let mut waiting = self.waiting.lock();
            if waiting.closed {
                return Poll::Ready(false);
            }
            if std::mem::take(&mut waiting.due) {
                return Poll::Ready(true);
            }
            waiting.dispatcher = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        self.release();
        open
    }

    /// Wakes every session whose LSN is reached.
    fn release(&self) {
        let vdl = Lsn(self.vdl.load(Ordering::SeqCst));
        let ready = {
            let mut waiting = self.waiting.lock();
            if waiting.ended.is_some() {
                std::mem::take(&mut waiting.sessions)
            } else {
                let later = waiting.sessions.split_off(&(vdl, u64::MAX));
                std::mem::replace(&mut waiting.sessions, later)
            }
        };
        self.released.fetch_add(ready.len() as u64, Ordering::Relaxed);
        for waker in ready.into_values() {
            waker.wake();
        }
    }

    fn poke(&self) {
        let (dispatcher, direct) = {
            let mut waiting = self.waiting.lock();
            let vdl = Lsn(self.vdl.load(Ordering::SeqCst));
            let due = waiting.sessions.keys().next().is_some_and(|(lsn, _)| *lsn <= vdl);
            if !due && waiting.ended.is_none() {
                return;
            }
            if waiting.due {
                return;
            }
            if waiting.sessions.len() == 1 {
                (None, true)
            } else {
                waiting.due = true;
                (waiting.dispatcher.take(), false)
            }
        };
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if direct {
            self.release();
        } else if let Some(dispatcher) = dispatcher {
            dispatcher.wake();
        }
    }

    /// Ends the dispatcher; parked sessions get [`EngineError::Closed`].
    pub(crate) fn close(&self) {
        self.end(EngineError::Closed);
        let dispatcher = {
            let mut waiting = self.waiting.lock();
            waiting.closed = true;
            waiting.dispatcher.take()
        };
        if let Some(dispatcher) = dispatcher {
            dispatcher.wake();
        }
    }

    fn end(&self, error: EngineError) {
        self.waiting.lock().ended.get_or_insert(error);
        self.release();
    }
}

impl VdlObserver for CommitQueue {
    fn durable(&self, vdl: Lsn) {
        self.vdl.fetch_max(vdl.0, Ordering::SeqCst);
        self.poke();
    }

    fn ended(&self, error: &LogError) {
        self.end(error.clone().into());
    }
}

#[cfg(test)]
mod tests;
