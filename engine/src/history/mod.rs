//! What happens to transactions after their end: settling, purge in commit order, taking the aborted out.
//!
//! ```text
//!   commit ──> queue by commit LSN ──(oldest view passes it)──> settled: forgotten by the registry
//!                                                         └──> purge: deleted rows, marked entries, replaced chains go; undo is free
//!   abort  ──> aborted list ──> cleaner: every row restored ──> slot freed ──(statements of then are over)──> forgotten
//! ```
//!
//! Invariants:
//! 1. Purge goes in commit order, and a transaction is settled before it is purged.
//! 2. An aborted transaction keeps its slot until every one of its rows is restored, so a crash in between loses nothing.
//! 3. What is kept is bounded: past `Settings::max_history_bytes` the oldest view is ended (`EngineError::SnapshotTooOld`), one a round.
//!    With it everything in memory that grows with history is bounded: about 100 bytes a transaction, which counts 2 KiB at least.
//! 4. A cleaned or rolled-back TxId stays "aborted" in the registry until every statement is over that may hold a copy of a row of it.

mod clean;
mod purge;
mod rebuild;

use crate::engine::{Engine, slot_of_volume};
use crate::error::{EngineError, Result};
use crate::format::TxId;
use crate::format::unit::Unit;
use crate::lock::Owner;
use crate::rows::revert;
use crate::sync::Event;
use crate::txn::slots::SlotNo;
use crate::undo::log::UndoUnits;
use btree::Decision;
use parking_lot::Mutex;
use protocol::lsn::Lsn;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// A committed transaction that some view may not see yet.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) txid: TxId,
    first: Unit,
    /// What its undo takes, in pieces of [`PIECE`] bytes.
    pieces: u32,
    /// Whether there are more units than the first: they are found by their links.
    more: bool,
    needs_purge: bool,
}

const PIECE: usize = 512;
/// What a transaction counts at least in history: about 100 bytes of memory know it, so 8 GiB of history are 400 MiB of memory at most.
const LEAST_BYTES: usize = 2048;

impl Committed {
    pub(crate) fn new(txid: TxId, units: &[Unit], needs_purge: bool) -> Committed {
        let pieces: usize = units.iter().map(|u| u.class().bytes() / PIECE).sum();
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        Committed { txid, first: units[0], pieces, more: units.len() > 1, needs_purge }
    }

    fn bytes(&self) -> u64 {
        u64::from(self.pieces).max((LEAST_BYTES / PIECE) as u64) * PIECE as u64
    }

    /// All units, first to last; what was given up and taken by others since (purged before a crash) is not among them.
    async fn units(&self, engine: &Engine) -> Result<UndoUnits> {
        if self.more {
            return Ok(revert::chain(engine, self.first, self.txid).await?.into());
        }
        Ok(UndoUnits::from_slice(&[self.first]))
    }
}

/// An aborted transaction whose rows are not all restored.
#[derive(Clone, Debug)]
pub(crate) struct Abandoned {
    pub(crate) txid: TxId,
    pub(crate) slot: SlotNo,
    pub(crate) first_undo: Unit,
    /// A transaction dropped half-way: its slot does not say ABORTED yet, and it still holds its locks.
    pub(crate) owner: Option<Arc<Owner>>,
}

/// Ended transactions that are not forgotten.
#[derive(Debug, Default)]
pub(crate) struct History {
    committed: Mutex<BTreeMap<Lsn, Committed>>,
    abandoned: Mutex<VecDeque<Abandoned>>,
    /// Rolled back and restored: forgotten once the oldest statement began after this tick.
    gone: Mutex<VecDeque<(u64, TxId)>>,
    /// Somebody sleeps and nothing is pending: the next end of a transaction must wake it.
    idle: AtomicBool,
    pub(crate) event: Event,
    purged_at: AtomicU64,
    /// Undo of committed transactions that are not purged, in bytes; a transaction counts at least [`LEAST_BYTES`].
    bytes: AtomicU64,
    /// A purge failed: what is written down as purged stays below it.
    stuck: AtomicBool,
}

/// After an error the background task rests so long.
const RETRY_US: u64 = 1_000_000;
/// After an opening the first answers come first: nothing waits for what is done here.
const SETTLE_IN_US: u64 = 200_000;
/// How often purge's position is written down.
const PURGED_EVERY_US: u64 = 1_000_000;

impl History {
    /// A transaction committed at `lsn`.
    pub(crate) fn commit(&self, lsn: Lsn, committed: Committed) {
        self.bytes.fetch_add(committed.bytes(), Ordering::Relaxed);
        self.committed.lock().insert(lsn, committed);
        self.wake();
    }

    /// A transaction ended without commit and has rows that are not restored.
    pub(crate) fn abandon(&self, txid: TxId, slot: SlotNo, first_undo: Unit) {
        self.abandoned.lock().push_back(Abandoned { txid, slot, first_undo, owner: None });
        self.wake();
    }

    /// A transaction was dropped half-way.
    pub(crate) fn orphan(&self, txid: TxId, slot: SlotNo, first_undo: Unit, owner: Arc<Owner>) {
        self.abandoned.lock().push_front(Abandoned { txid, slot, first_undo, owner: Some(owner) });
        self.event.raise();
    }

    /// A transaction is rolled back and every row restored.
    pub(crate) fn gone(&self, engine: &Engine, txid: TxId) {
        let mut gone = self.gone.lock();
        gone.push_back((engine.views.next_tick(), txid));
        drop(gone);
        self.wake();
    }

    fn wake(&self) {
        if self.idle.swap(false, Ordering::SeqCst) {
            self.event.raise();
        }
    }

    /// Bytes of undo that committed transactions keep: what a view may still need, and what purge has not come to.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Committed and aborted transactions kept.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.committed.lock().len(), self.abandoned.lock().len())
    }

    /// Writes down now and then how far purge came, so that an opening repeats little of it.
    async fn remember_purged(&self, engine: &Engine, upto: Lsn) -> Result<()> {
        let due = self.purged_at.load(Ordering::Relaxed) + PURGED_EVERY_US <= engine.env.now_us();
        if upto == Lsn::ZERO || !due || self.stuck.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.purged_at.store(engine.env.now_us(), Ordering::Relaxed);
        engine
            .space
            .change(&[engine.space.volume_page()], 256, |mtr| {
                engine.space.set_slot(mtr, slot_of_volume::PURGED, upto.0);
                Decision::Done(())
            })
            .await?;
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.committed.lock().is_empty() && self.abandoned.lock().is_empty() && self.gone.lock().is_empty()
    }
}

/// Starts the background task of an engine; it ends with the engine.
pub(crate) fn spawn(engine: &Arc<Engine>) {
    let weak = Arc::downgrade(engine);
    let env = Arc::clone(&engine.env);
    let settle_in = env.sleep(SETTLE_IN_US);
    let task = async move {
        settle_in.await;
        if let Some(engine) = weak.upgrade()
            && rebuild::rebuild(&engine).await.is_err()
        {
            return;
        }
        loop {
            let done = round(&weak).await;
            let Some(engine) = weak.upgrade() else { return };
            if engine.closing.load(Ordering::SeqCst) {
                return;
            }
            match done {
                Ok(()) => {}
                Err(EngineError::Closed | EngineError::Fenced) => return,
                // What could not be done stays (an opening repeats it); the rest goes on.
                Err(_) => {
                    engine.counts.background_errors.fetch_add(1, Ordering::Relaxed);
                    let pause = engine.env.sleep(RETRY_US);
                    drop(engine);
                    pause.await;
                    continue;
                }
            }
            engine.history.idle.store(true, Ordering::SeqCst);
            if engine.history.is_empty() && engine.catalog.drops.is_empty() {
                // Holding the engine here would keep it alive for ever: look again now and then.
                let limit = Some(100 * engine.settings.purge_interval_us);
                engine.history.event.taken(engine.env.as_ref(), limit).await;
            } else {
                engine.history.idle.store(false, Ordering::SeqCst);
                let pause = engine.env.sleep(engine.settings.purge_interval_us);
                drop(engine);
                pause.await;
            }
        }
    };
    env.spawn("history", Box::pin(task));
}

/// Settles what every view sees, purges it, restores rows of the aborted.
async fn round(weak: &Weak<Engine>) -> Result<()> {
    let Some(engine) = weak.upgrade() else { return Ok(()) };
    let work = settle(&engine);
    let mut free = Vec::new();
    let mut upto = Lsn::ZERO;
    let mut failed = None;
    for (lsn, committed) in work {
        match purge_one(&engine, &committed).await {
            Ok(units) => free.extend(units),
            Err(error) => {
                // Its undo is not given out before the next opening has tried again.
                failed = Some(error);
                engine.history.stuck.store(true, Ordering::Relaxed);
                continue;
            }
        }
        engine.history.bytes.fetch_sub(committed.bytes(), Ordering::Relaxed);
        engine.counts.purged.fetch_add(1, Ordering::Relaxed);
        upto = lsn;
    }
    engine.history.remember_purged(&engine, upto).await?;
    engine.undo.give_back(free);
    bound(&engine);
    engine.catalog.drop_due(&engine).await?;
    if let Some(error) = failed {
        return Err(error);
    }
    loop {
        let next = engine.history.abandoned.lock().front().cloned();
        let Some(next) = next else { break };
        if engine.closing.load(Ordering::SeqCst) {
            break;
        }
        clean::clean(&engine, &next).await?;
        engine.history.abandoned.lock().retain(|a| a.txid != next.txid);
    }
    Ok(())
}

/// Purges a settled transaction; returns its undo, which is free then.
async fn purge_one(engine: &Arc<Engine>, committed: &Committed) -> Result<UndoUnits> {
    let units = committed.units(engine).await?;
    if committed.needs_purge {
        purge::purge(engine, committed, &units).await?;
    }
    Ok(units)
}

/// Too much history, and a view that holds it back: the oldest one ends. The next round settles and purges what it kept, and looks again.
fn bound(engine: &Engine) {
    if engine.history.bytes() <= engine.max_history_bytes.load(Ordering::Relaxed) {
        return;
    }
    let newest = engine.history.committed.lock().keys().next_back().copied();
    if newest.is_some_and(|newest| engine.views.end_oldest(newest.min(engine.vdl()))) {
        engine.counts.views_ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Forgets what every view sees; returns the committed ones for purge, in commit order.
fn settle(engine: &Engine) -> Vec<(Lsn, Committed)> {
    let vdl = engine.vdl();
    let next = engine.next_txid();
    let oldest = engine.views.oldest(vdl);
    let settled = {
        let mut committed = engine.history.committed.lock();
        let later = committed.split_off(&oldest.view.advance(1));
        std::mem::replace(&mut *committed, later)
    };
    for transaction in settled.values() {
        engine.registry.forget(transaction.txid);
    }
    let mut gone = engine.history.gone.lock();
    while gone.front().is_some_and(|(tick, _)| *tick < oldest.tick) {
        if let Some((_, txid)) = gone.pop_front() {
            engine.registry.forget(txid);
        }
    }
    drop(gone);
    engine.registry.raise_horizon(next);
    settled.into_iter().collect()
}
