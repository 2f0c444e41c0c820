//! What this process knows of transactions that are not settled: active, aborted, or committed after the oldest view.
//!
//! Invariants:
//! 1. A TxId is here from its birth until it is settled: committed before every open view, or rolled back with every row restored
//!    and every statement over that could have copied one of its rows. So a TxId that is not here is visible to everyone.
//! 2. A TxId below the horizon is not here. The horizon only rises.
//! 3. COMMITTING is entered before the commit record gets its LSN and left right after; whoever meets it waits that moment. So two
//!    looks with one view never disagree.
//! 4. Nobody waits for COMMITTING while holding a latch that the commit needs (a page of the transaction table, an undo page).

use crate::format::TxId;
use crate::lock::Owner;
use parking_lot::Mutex;
use protocol::lsn::Lsn;
use protocol::mutant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SHARDS: usize = 64;

/// What is known of one transaction.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Active(Arc<Owner>),
    Committing,
    Committed(Lsn),
    Aborted,
}

/// How a version written by a transaction looks to one view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    Visible,
    /// Look at the version below.
    Hidden,
}

/// How a writer or locking reader finds the newest version of a row.
#[derive(Clone, Debug)]
pub(crate) enum Newest {
    /// Committed, at this LSN if that is recent (else zero).
    Committed(Lsn),
    /// Another transaction is at work on it.
    Active(Arc<Owner>),
    /// Rolled back, but not yet taken out.
    Aborted,
}

/// All unsettled transactions.
#[derive(Debug)]
pub(crate) struct Registry {
    shards: Vec<Mutex<BTreeMap<TxId, State>>>,
    horizon: AtomicU64,
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), horizon: AtomicU64::new(0) }
    }

    fn shard(&self, txid: TxId) -> &Mutex<BTreeMap<TxId, State>> {
        &self.shards[txid.0 as usize % SHARDS]
    }

    /// Enters or changes a state.
    pub(crate) fn set(&self, txid: TxId, state: State) {
        self.shard(txid).lock().insert(txid, state);
    }

    /// Settles a transaction.
    pub(crate) fn forget(&self, txid: TxId) {
        self.shard(txid).lock().remove(&txid);
    }

    /// The state, `None` when settled.
    fn state(&self, txid: TxId) -> Option<State> {
        if txid.0 < self.horizon.load(Ordering::Acquire) {
            return None;
        }
        loop {
            match self.shard(txid).lock().get(&txid) {
                Some(State::Committing) => {}
                other => return other.cloned(),
            }
            // The commit record is being appended by a thread that does not wait (invariant 3).
            std::thread::yield_now();
        }
    }

    /// Whether the version of `txid` is seen at `view`; the caller's own transaction is not asked about here.
    pub(crate) fn sight(&self, txid: TxId, view: Lsn) -> Sight {
        if txid.0 < self.horizon.load(Ordering::Acquire) {
            return Sight::Visible;
        }
        match self.state(txid) {
            None => Sight::Visible,
            Some(State::Committed(lsn)) if lsn <= view => Sight::Visible,
            Some(State::Aborted) if mutant!(AbortedVisible) => Sight::Visible,
            Some(_) => Sight::Hidden,
        }
    }

    /// The state of the newest version's writer.
    pub(crate) fn newest(&self, txid: TxId) -> Newest {
        match self.state(txid) {
            None => Newest::Committed(Lsn::ZERO),
            Some(State::Committed(lsn)) => Newest::Committed(lsn),
            Some(State::Active(owner)) => Newest::Active(owner),
            Some(State::Aborted) if mutant!(AbortedVisible) => Newest::Committed(Lsn::ZERO),
            Some(State::Aborted) => Newest::Aborted,
            Some(State::Committing) => unreachable!("invariant: state() waits for it"),
        }
    }

    /// Whether nobody needs anything older than this transaction's versions.
    pub(crate) fn is_settled(&self, txid: TxId) -> bool {
        self.state(txid).is_none()
    }

    /// Raises the horizon to the lowest unsettled TxId; `next` is the next TxId to be given out.
    pub(crate) fn raise_horizon(&self, next: TxId) {
        // `next` was read before: a TxId born meanwhile is not below it.
        let lowest = self.shards.iter().filter_map(|s| s.lock().keys().next().copied()).min();
        let horizon = lowest.unwrap_or(next).min(next);
        self.horizon.fetch_max(horizon.0, Ordering::AcqRel);
    }

    /// Everything below is visible to everyone.
    pub(crate) fn horizon(&self) -> TxId {
        TxId(self.horizon.load(Ordering::Acquire))
    }

    /// Unsettled transactions, for status.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::OwnerId;

    #[test]
    fn a_version_is_seen_from_its_commit_lsn_on() {
        let registry = Registry::new();
        let txid = TxId(5);
        registry.set(txid, State::Active(Owner::new(OwnerId(1), 0)));
        assert_eq!(registry.sight(txid, Lsn::MAX), Sight::Hidden);
        registry.set(txid, State::Committed(Lsn(100)));
        assert_eq!(registry.sight(txid, Lsn(99)), Sight::Hidden);
        assert_eq!(registry.sight(txid, Lsn(100)), Sight::Visible);
        registry.set(txid, State::Aborted);
        assert_eq!(registry.sight(txid, Lsn::MAX), Sight::Hidden);
        registry.forget(txid);
        assert_eq!(registry.sight(txid, Lsn::ZERO), Sight::Visible);
    }

    #[test]
    fn the_horizon_stops_at_the_oldest_unsettled() {
        let registry = Registry::new();
        registry.set(TxId(7), State::Committed(Lsn(3)));
        registry.set(TxId(9), State::Aborted);
        registry.raise_horizon(TxId(20));
        assert_eq!(registry.horizon(), TxId(7));
        registry.forget(TxId(7));
        registry.raise_horizon(TxId(20));
        assert_eq!(registry.horizon(), TxId(9));
        registry.forget(TxId(9));
        registry.raise_horizon(TxId(20));
        assert_eq!(registry.horizon(), TxId(20));
    }
}
