//! Who holds and waits: the in-memory side of a transaction that locks or writes.

use crate::lock::LockMode;
use crate::sync::Parker;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A transaction within this process; given out at its first lock or write, never persisted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct OwnerId(pub(crate) u64);

/// The name of a lock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LockRef {
    pub(crate) tree: u64,
    pub(crate) key: Box<[u8]>,
}

/// How a lock wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grant {
    /// The lock is held.
    Granted,
    /// Chosen as the victim of a deadlock.
    Victim,
}

/// A transaction as locks see it.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) id: OwnerId,
    /// What rolling it back would cost: bytes of undo. The cheapest of a cycle is the victim.
    cost: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    ended: bool,
    locks: Vec<LockRef>,
}

/// What one owner waits for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) owner: Arc<Owner>,
    pub(crate) mode: LockMode,
    pub(crate) parker: Arc<Parker<Grant>>,
}

impl Owner {
    pub(crate) fn new(id: OwnerId) -> Arc<Owner> {
        Arc::new(Owner { id, cost: AtomicU64::new(0), held: Mutex::default() })
    }

    pub(crate) fn add_cost(&self, bytes: u64) {
        self.cost.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    /// Remembers a lock to be released at the end; false when the end has come already.
    pub(super) fn remember(&self, lock: LockRef) -> bool {
        let mut held = self.held.lock();
        if !held.ended {
            held.locks.push(lock);
        }
        !held.ended
    }

    /// The end: no lock is remembered from here on. Returns those held.
    pub(super) fn end(&self) -> Vec<LockRef> {
        let mut held = self.held.lock();
        held.ended = true;
        std::mem::take(&mut held.locks)
    }

    /// How many locks it holds.
    #[cfg(test)]
    pub(crate) fn lock_count(&self) -> usize {
        self.held.lock().locks.len()
    }
}
