//! Who holds and waits: the in-memory side of a transaction that locks or writes.

use super::name::LockRef;
use crate::lock::LockMode;
use crate::sync::Parker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A transaction within this process; given out at its first lock or write, never persisted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct OwnerId(pub(crate) u64);

/// How a lock wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grant {
    /// The lock is held (of an insert: the gap is free; nothing is held).
    Granted,
    /// Chosen as the victim of a deadlock.
    Victim,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// The lock of a record, in this mode.
    Record(LockMode),
    /// To insert at a key: nobody else may hold a gap over it. Nobody waits for such a request.
    Insert,
    /// The definition of a table (`metadata`).
    Metadata,
}

/// A transaction as locks see it.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) id: OwnerId,
    /// `TxnOptions::session`, for reports.
    pub(crate) session: u32,
    /// Its TxId once it has one, for reports.
    txid: AtomicU64,
    /// What rolling it back would cost: rows changed. The cheapest of a cycle is the victim.
    cost: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    ended: bool,
    locks: VecDeque<LockRef>,
    /// Trees with gaps held.
    gaps: Vec<u64>,
}

/// What one owner waits for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) owner: Arc<Owner>,
    pub(crate) name: LockRef,
    pub(crate) wanted: Wanted,
    pub(crate) parker: Arc<Parker<Grant>>,
}

impl Request {
    pub(super) fn new(owner: &Arc<Owner>, name: LockRef, wanted: Wanted) -> Request {
        Request { owner: Arc::clone(owner), name, wanted, parker: Parker::new() }
    }

    pub(super) fn is(&self, other: &Request) -> bool {
        Arc::ptr_eq(&self.parker, &other.parker)
    }
}

impl Owner {
    pub(crate) fn new(id: OwnerId, session: u32) -> Arc<Owner> {
        let (txid, cost) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Owner { id, session, txid, cost, held: Mutex::default() })
    }

    pub(crate) fn set_txid(&self, txid: u64) {
        self.txid.store(txid, Ordering::Relaxed);
    }

    /// The TxId, 0 before the first write.
    pub(crate) fn txid(&self) -> u64 {
        self.txid.load(Ordering::Relaxed)
    }

    pub(crate) fn add_cost(&self, rows: u64) {
        self.cost.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    /// Remembers a lock to be released at the end; false when the end has come already.
    pub(super) fn remember(&self, lock: LockRef) -> bool {
        let mut held = self.held.lock();
        if !held.ended {
            held.locks.push_back(lock);
        }
        !held.ended
    }

    /// As [`Owner::remember`], for gaps of a tree.
    pub(super) fn remember_gaps(&self, tree: u64) -> bool {
        let mut held = self.held.lock();
        if !held.ended && !held.gaps.contains(&tree) {
            held.gaps.push(tree);
        }
        !held.ended
    }

    /// A lock is given back before the end: the last one remembered (READ COMMITTED: the row does not match), or the first (a statement
    /// changes its rows in the order in which it locked them).
    pub(super) fn forget(&self, lock: &LockRef) {
        let locks = &mut self.held.lock().locks;
        if locks.front() == Some(lock) {
            locks.pop_front();
        } else if let Some(at) = locks.iter().rposition(|l| l == lock) {
            locks.swap_remove_back(at);
        }
    }

    /// The end: no lock is remembered from here on. Returns those held, and the trees with gaps.
    pub(super) fn end(&self) -> (VecDeque<LockRef>, Vec<u64>) {
        let mut held = self.held.lock();
        held.ended = true;
        (std::mem::take(&mut held.locks), std::mem::take(&mut held.gaps))
    }

    /// How many locks it holds.
    #[cfg(test)]
    pub(crate) fn lock_count(&self) -> usize {
        self.held.lock().locks.len()
    }
}
