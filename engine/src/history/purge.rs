//! Purge of one settled transaction: what its changes made old goes.

use super::Committed;
use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::UndoPtr;
use crate::format::row::{self, RowHeader};
use crate::format::undo::{Before, DELETES, OVERFLOW_FREED, REVERTED, UndoRecord, record_end};
use crate::format::unit::{UndoHeader, Unit};
use crate::rows::{chains, entries};
use crate::sync::yield_now;
use btree::{Decision, Room};
use buffer_pool::PinnedPage;
use std::sync::Arc;

/// Purges a transaction, front to back. Everything here may be repeated after a crash.
pub(super) async fn purge(engine: &Arc<Engine>, committed: &Committed, units: &[Unit]) -> Result<()> {
    for unit in units {
        let mut at = unit.records();
        while let Some((record, next)) = next_record(engine, committed, *unit, at).await? {
            if record.flags & REVERTED == 0 {
                purge_record(engine, committed, &record, UndoPtr::new(unit.page(), at)).await?;
            }
            at = next;
            yield_now().await;
        }
    }
    Ok(())
}

/// The record at `at` and the offset after it; `None` at the end of the unit.
async fn next_record(
    engine: &Engine,
    committed: &Committed,
    unit: Unit,
    at: u16,
) -> Result<Option<(UndoRecord, u16)>> {
    let pin = engine.pool.pin(unit.page()).await?;
    pin.read(|bytes| {
        let header = UndoHeader::of_unit(bytes, unit)?;
        if header.is_none_or(|h| h.txid != committed.txid || at >= h.used) {
            return Ok(None);
        }
        Ok(Some((UndoRecord::decode(bytes, at)?, record_end(bytes, at)?)))
    })?
    .map_err(|d: crate::format::Damaged| EngineError::corrupt(unit.page(), d.what))
}

async fn purge_record(
    engine: &Arc<Engine>,
    committed: &Committed,
    record: &UndoRecord,
    ptr: UndoPtr,
) -> Result<()> {
    if let Before::Chain(_) = record.before {
        return Ok(());
    }
    let worth =
        record.flags & DELETES != 0 || !record.old_entries.is_empty() || !record.old_overflow.is_empty();
    if !worth {
        return Ok(());
    }
    let Some(table) = engine.catalog.table_of_tree(engine, record.table).await? else { return Ok(()) };
    for entry in &record.old_entries {
        if let Some(no) = table.indexes.iter().position(|i| i.id.0 == entry.index) {
            entries::remove_marked(&table, no, &entry.key, committed.txid).await?;
        }
    }
    if record.flags & OVERFLOW_FREED == 0 {
        chains::free_replaced(engine, &record.old_overflow, (committed.txid, ptr), OVERFLOW_FREED).await?;
    }
    if record.flags & DELETES != 0 {
        remove_row(engine, &table, record, committed, ptr).await?;
    }
    Ok(())
}

/// Removes a deleted row, if it still is the one this record deleted.
async fn remove_row(
    engine: &Arc<Engine>,
    table: &Arc<TableDef>,
    record: &UndoRecord,
    committed: &Committed,
    ptr: UndoPtr,
) -> Result<()> {
    let tree = &table.runtime.trees[0];
    let mine = |h: &RowHeader| h.deleted && h.txid == committed.txid && h.undo == ptr;
    let mut doomed = chains::Doomed::default();
    loop {
        let extra: Vec<&PinnedPage> = doomed.extra().collect();
        let room = Room { value_bytes: 0, log_bytes: doomed.log_bytes() };
        let done = tree
            .modify(&record.key, room, &extra, |edit| {
                let Some(value) = edit.value() else { return Decision::Abort(true) };
                if !row::header(value).is_ok_and(|h| mine(&h)) {
                    return Decision::Abort(true);
                }
                if row::has_external(value) && doomed.is_empty() {
                    return Decision::Abort(false);
                }
                edit.delete();
                doomed.release(engine, edit.mtr());
                Decision::Done(true)
            })
            .await?;
        if done.value {
            return Ok(());
        }
        doomed = chains::of_dead_row(engine, table, &record.key, mine).await?;
    }
}
