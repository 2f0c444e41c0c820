//! Purge of one settled transaction: what its changes made old goes.

use super::Committed;
use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::undo::{
    Before, DELETES, OFF_RECORDS, OVERFLOW_FREED, REVERTED, UndoHeader, UndoRecord, record_end,
};
use crate::format::{UndoPtr, row};
use crate::rows::{chains, entries};
use crate::sync::yield_now;
use btree::{Decision, Room};
use protocol::page::PageId;
use std::sync::Arc;

/// Purges a transaction, front to back. Everything here may be repeated after a crash.
pub(super) async fn purge(engine: &Arc<Engine>, committed: &Committed) -> Result<()> {
    for page in &committed.pages {
        let mut at = OFF_RECORDS;
        while let Some((record, next)) = next_record(engine, committed, *page, at).await? {
            if record.flags & REVERTED == 0 {
                purge_record(engine, committed, &record, UndoPtr::new(*page, at)).await?;
            }
            at = next;
            yield_now().await;
        }
    }
    Ok(())
}

/// The record at `at` and the offset after it; `None` at the end of the page.
async fn next_record(
    engine: &Engine,
    committed: &Committed,
    page: PageId,
    at: u16,
) -> Result<Option<(UndoRecord, u16)>> {
    let pin = engine.pool.pin(page).await?;
    pin.read(|bytes| {
        let Some(header) = UndoHeader::decode(bytes).filter(|h| h.txid == committed.txid) else {
            return Ok(None);
        };
        if at >= header.used {
            return Ok(None);
        }
        Ok(Some((UndoRecord::decode(bytes, at)?, record_end(bytes, at)?)))
    })?
    .map_err(|d: crate::format::Damaged| EngineError::corrupt(page, d.what))
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
        for (i, chain) in record.old_overflow.iter().enumerate() {
            if i == 0 {
                chains::free_flagged(engine, *chain, (committed.txid, ptr), OVERFLOW_FREED).await?;
            } else {
                chains::free(engine, *chain).await?;
            }
        }
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
    let mut chains_of = Vec::new();
    let room = Room { value_bytes: 0, log_bytes: 0 };
    let removed = table.runtime.trees[0]
        .modify(&record.key, room, &[], |edit| {
            let Some(value) = edit.value() else { return Decision::Abort(false) };
            match row::header(value) {
                Ok(h) if h.deleted && h.txid == committed.txid && h.undo == ptr => {}
                _ => return Decision::Abort(false),
            }
            let refs = row::external_refs(&table.runtime.layout, value).unwrap_or_default();
            chains_of = refs.iter().filter_map(|r| <[u8; 16]>::try_from(*r).ok()).collect();
            edit.delete();
            Decision::Done(true)
        })
        .await?;
    if removed.value {
        for chain in chains_of {
            chains::free(engine, chain).await?;
        }
    }
    Ok(())
}
