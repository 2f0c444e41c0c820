//! The cleaner: walks the undo of an aborted transaction backwards, restores its rows, then frees slot and undo.

use super::Abandoned;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::slots::{self, Slot, SlotState};
use crate::rows::revert;
use crate::sync::yield_now;
use crate::txn::registry::State;
use btree::Decision;
use protocol::redo::Op;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Restores every row of an aborted transaction and forgets it.
pub(super) async fn clean(engine: &Arc<Engine>, gone: &Abandoned) -> Result<()> {
    if let Some(owner) = &gone.owner {
        // Dropped half-way: once its slot says ABORTED its rows are free.
        set_aborted(engine, gone).await?;
        engine.registry.set(gone.txid, State::Aborted);
        engine.locks.release_all(owner);
    }
    let units = revert::chain(engine, gone.first_undo, gone.txid).await?;
    for unit in units.iter().rev() {
        let mut end = revert::unit_end(engine, *unit, gone.txid).await?;
        while let Some(ptr) = revert::record_before(engine, *unit, gone.txid, end).await? {
            let pass = engine.reverting.enter().await;
            revert::revert_record(engine, gone.txid, ptr, None).await?;
            drop(pass);
            end = ptr.offset();
            // Between any two records somebody else's turn: the dead are in no hurry.
            yield_now().await;
            if engine.closing.load(Ordering::SeqCst) {
                return Err(EngineError::Closed);
            }
        }
    }
    free_slot(engine, gone).await?;
    engine.undo.give_back(units);
    engine.history.gone(engine, gone.txid);
    Ok(())
}

/// Writes ABORTED into a slot that names the transaction.
pub(crate) async fn set_aborted(engine: &Engine, gone: &Abandoned) -> Result<()> {
    change_slot(engine, gone, &[SlotState::Aborted as u8]).await
}

async fn free_slot(engine: &Engine, gone: &Abandoned) -> Result<()> {
    change_slot(engine, gone, &[0]).await?;
    engine.slots.give_back(gone.slot);
    Ok(())
}

async fn change_slot(engine: &Engine, gone: &Abandoned, state: &[u8]) -> Result<()> {
    let page = engine.pool.pin(engine.slots.page(gone.slot)).await?;
    engine
        .space
        .change(&[&page], 256, |mtr| {
            let no = mtr.page_no(&page);
            match Slot::decode(mtr.page(no), gone.slot.slot) {
                Ok(Some(slot)) if slot.txid == gone.txid => {
                    mtr.run(no, Op::Write { offset: slots::offset(gone.slot.slot), bytes: state });
                    Decision::Done(())
                }
                _ => Decision::Abort(()),
            }
        })
        .await?;
    Ok(())
}
