//! Commit and rollback.
//!
//! Commit is one mini-transaction of two records: the slot is freed; then, as the last record and so a CPL, the header of the first undo unit gets
//! the record's own LSN. That LSN is the commit. A crash before it leaves an ACTIVE slot of an older epoch: aborted.

use crate::engine::Engine;
use crate::error::Result;
use crate::format::slots::{self, SlotState};
use crate::format::unit::AT_COMMIT;
use crate::history::Committed;
use crate::lock::Owner;
use crate::rows::revert;
use crate::sync::yield_now;
use crate::txn::Txn;
use crate::txn::registry::State;
use crate::undo::log::{Mark, UndoLog};
use btree::Decision;
use protocol::lsn::Lsn;
use protocol::redo::Op;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Txn {
    /// Commits; returns the commit LSN, zero when nothing was written. The change is visible and its locks are free on return;
    /// it is durable, and may be answered, once `Engine::wait_durable` of the LSN completes.
    ///
    /// # Errors
    /// [`crate::EngineError::Fenced`] or `Closed`: not committed here, and the outcome is for the next opening to tell.
    pub async fn commit(&mut self) -> Result<Lsn> {
        if !self.has_changes() {
            self.finish();
            return Ok(Lsn::ZERO);
        }
        let engine = Arc::clone(&self.engine);
        let owner = self.owner();
        let log = self.undo.as_ref().expect("invariant: changes have an undo chain");
        let txid = log.txid;
        let first = log.units[0];
        let undo = engine.pool.pin(first.page()).await?;
        let table = engine.pool.pin(engine.slots.page(log.slot)).await?;
        let slot = slots::offset(log.slot.slot);
        let committed = engine
            .space
            .change(&[&table, &undo], 256, |mtr| {
                engine.registry.set(txid, State::Committing);
                let (table, undo) = (mtr.page_no(&table), mtr.page_no(&undo));
                mtr.run(table, Op::Write { offset: slot, bytes: &[0] });
                mtr.run(undo, Op::StampLsn { offset: first.base() + AT_COMMIT });
                mtr.commit_at(undo);
                Decision::Done(())
            })
            .await;
        let lsn = match committed {
            Ok(changed) => changed.lsn,
            Err(error) => {
                engine.registry.set(txid, State::Active(owner));
                return Err(error.into());
            }
        };
        engine.registry.set(txid, State::Committed(lsn));
        let log = self.undo.take().expect("invariant: looked at above");
        engine.history.commit(lsn, Committed::new(txid, &log.units, log.needs_purge));
        engine.slots.give_back(log.slot);
        engine.counts.commits.fetch_add(1, Ordering::Relaxed);
        self.finish();
        Ok(lsn)
    }

    /// Rolls back. A small transaction is reverted in place; a large one answers at once and is cleaned behind: its rows are unlocked
    /// and its versions invisible either way.
    ///
    /// # Errors
    /// Those of the log.
    pub async fn rollback(&mut self) -> Result<()> {
        if !self.open {
            return Ok(());
        }
        if self.has_changes() {
            let engine = Arc::clone(&self.engine);
            if self.undo.as_ref().is_some_and(|u| u.bytes <= engine.settings.small_rollback_bytes) {
                self.undo_to(Mark::default(), None).await?;
                let log = self.undo.as_ref().expect("invariant: changes have an undo chain");
                set_slot(&engine, log, 0).await?;
                let log = self.undo.take().expect("invariant: looked at above");
                engine.registry.set(log.txid, State::Aborted);
                engine.slots.give_back(log.slot);
                engine.history.gone(&engine, log.txid);
                engine.undo.give_back(log.units);
            } else {
                let log = self.undo.as_ref().expect("invariant: changes have an undo chain");
                set_slot(&engine, log, SlotState::Aborted as u8).await?;
                let log = self.undo.take().expect("invariant: looked at above");
                engine.registry.set(log.txid, State::Aborted);
                engine.history.abandon(log.txid, log.slot, log.units[0]);
            }
            engine.counts.rollbacks.fetch_add(1, Ordering::Relaxed);
        }
        self.finish();
        Ok(())
    }

    /// Undoes, newest first, what was written after `mark`, and goes on. Nothing is forgotten: the records stay, flagged, and rows stay locked.
    pub(crate) async fn take_back(&mut self, mark: Mark) -> Result<()> {
        if self.undo.is_none() {
            return Ok(());
        }
        let owner = self.owner();
        self.undo_to(mark, Some(&owner)).await
    }

    async fn undo_to(&mut self, mark: Mark, goes_on: Option<&Arc<Owner>>) -> Result<()> {
        let (true, Some(log)) = (self.open, self.undo.as_ref()) else { return Ok(()) };
        if !log.begun || log.mark() == mark {
            return Ok(());
        }
        let engine = Arc::clone(&self.engine);
        let txid = log.txid;
        let mut done = 0_u64;
        for unit in log.units.iter().rev() {
            let mut end = revert::unit_end(&engine, *unit, txid).await?;
            while let Some(ptr) = revert::record_before(&engine, *unit, txid, end).await? {
                if *unit == mark.unit && ptr.offset() < mark.used {
                    return Ok(());
                }
                revert::revert_record(&engine, txid, ptr, goes_on).await?;
                end = ptr.offset();
                done += 1;
                if done.is_multiple_of(16) {
                    yield_now().await;
                }
            }
            if *unit == mark.unit {
                break;
            }
        }
        Ok(())
    }

    /// Lets go of everything: locks, tables, view.
    fn finish(&mut self) {
        self.open = false;
        if let Some(log) = self.undo.take() {
            // Never written to: nobody has seen the TxId.
            self.engine.registry.forget(log.txid);
            self.engine.slots.give_back(log.slot);
            self.engine.undo.give_back(log.units);
        }
        if let Some(owner) = self.owner.take() {
            self.engine.locks.release_all(&owner);
        }
        self.leave();
    }

    fn leave(&mut self) {
        self.release_tables();
        if let Some(place) = self.place.take() {
            self.engine.views.leave(place);
        }
        self.view = None;
    }
}

async fn set_slot(engine: &Engine, log: &UndoLog, state: u8) -> Result<()> {
    let table = engine.pool.pin(engine.slots.page(log.slot)).await?;
    let offset = slots::offset(log.slot.slot);
    engine
        .space
        .change(&[&table], 256, |mtr| {
            let no = mtr.page_no(&table);
            mtr.run(no, Op::Write { offset, bytes: &[state] });
            Decision::Done(())
        })
        .await?;
    Ok(())
}

/// A transaction that goes away open (its session died) is rolled back by the cleaner.
impl Drop for Txn {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        if self.has_changes() {
            let log = self.undo.take().expect("invariant: changes have an undo chain");
            let owner = self.owner();
            self.engine.history.orphan(log.txid, log.slot, log.units[0], owner);
            self.owner = None;
            self.open = false;
            self.leave();
            return;
        }
        self.finish();
    }
}
