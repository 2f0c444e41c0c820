//! Taking one change out of its row: statement and transaction rollback, the cleaner, and a writer that meets an aborted version.
//!
//! 1. secondary entries are brought to what the version below says, while the row is still the transaction's;
//! 2. the row goes back to the version below and the undo record is flagged, in one mini-transaction.
//!
//! A record whose row is not as the change left it is only flagged: it was taken out before (a crash came between), so everything here
//! may be repeated. For rows of an aborted transaction `Engine::reverting` keeps the cleaner and writers from doing it twice at once.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::row::RowHeader;
use crate::format::undo::{Before, REVERTED, UndoRecord, record_before as before_in_unit};
use crate::format::unit::{UndoHeader, Unit};
use crate::format::{TxId, UndoPtr, row};
use crate::lock::Owner;
use crate::rows::{chains, change, entries};
use crate::undo::read::{self, Below};
use btree::{Decision, Room};
use buffer_pool::{Mtr, PinnedPage};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Redo of a record's flag.
const FLAG_LOG_BYTES: usize = 128;

/// The header of a unit, if the unit is (still) the transaction's.
pub(crate) async fn header(engine: &Engine, unit: Unit, txid: TxId) -> Result<Option<UndoHeader>> {
    let header = engine.pool.pin(unit.page()).await?.read(|bytes| UndoHeader::of_unit(bytes, unit))?;
    let header = header.map_err(|d| EngineError::corrupt(unit.page(), d.what))?;
    Ok(header.filter(|h| h.txid == txid))
}

/// The units of a chain from `first` on, first to last; one that is not (or no longer) the transaction's ends it.
pub(crate) async fn chain(engine: &Engine, first: Unit, txid: TxId) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    let mut next = first;
    while next != Unit::NONE {
        let Some(header) = header(engine, next, txid).await? else { break };
        units.push(next);
        next = header.next;
    }
    Ok(units)
}

/// The end of the records in a unit of a transaction; the start when the unit is not its any more.
pub(crate) async fn unit_end(engine: &Engine, unit: Unit, txid: TxId) -> Result<u16> {
    Ok(header(engine, unit, txid).await?.map_or(0, |h| h.used))
}

/// The record that ends at `end`.
pub(crate) async fn record_before(
    engine: &Engine,
    unit: Unit,
    txid: TxId,
    end: u16,
) -> Result<Option<UndoPtr>> {
    let at = engine.pool.pin(unit.page()).await?.read(|bytes| match UndoHeader::of_unit(bytes, unit)? {
        Some(header) if header.txid == txid => before_in_unit(bytes, unit.records(), end),
        _ => Ok(None),
    })?;
    let at = at.map_err(|d| EngineError::corrupt(unit.page(), d.what))?;
    Ok(at.map(|at| UndoPtr::new(unit.page(), at)))
}

/// Takes the change of one record out.
pub(crate) async fn revert_record(
    engine: &Arc<Engine>,
    txid: TxId,
    ptr: UndoPtr,
    goes_on: Option<&Arc<Owner>>,
) -> Result<()> {
    let Some(record) = read::record(engine, ptr, txid).await? else { return Ok(()) };
    if record.flags & REVERTED != 0 {
        return Ok(());
    }
    let Some(table) = engine.catalog.table_of_tree(engine, record.table).await? else {
        // The table was dropped, with all its pages.
        return read::set_flag(engine, ptr, txid, REVERTED).await;
    };
    if let Before::Chain(chain) = record.before {
        return chains::free_flagged(engine, chain, (txid, ptr), REVERTED).await;
    }
    let current = table.runtime.trees[0].get(&record.key, <[u8]>::to_vec).await?;
    let ours = match &current {
        Some(value) => {
            let h = row::header(value)?;
            h.txid == txid && h.undo == ptr
        }
        None => false,
    };
    let Some(current) = current.filter(|_| ours) else {
        return read::set_flag(engine, ptr, txid, REVERTED).await;
    };
    let mut below = current.clone();
    let below = (read::step_down(engine, &mut below).await? == Below::Version).then_some(below);
    if let (Some(owner), Some(_)) = (goes_on, &below) {
        // The change was its lock; a transaction that goes on keeps it. False only if it has ended, and then it needs none.
        let _ = engine.locks.convert(owner, table.indexes[0].id.0, &record.key);
    }
    restore_entries(engine, &table, &record, &current, below.as_ref()).await?;
    recount(&table, &current, below.as_ref())?;
    restore_row(engine, &table, &record, below, txid, ptr).await?;
    engine.counts.reverted.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Keeps the row estimate honest.
fn recount(table: &TableDef, current: &[u8], below: Option<&Vec<u8>>) -> Result<()> {
    let live = |version: &[u8]| row::header(version).map(|h| i64::from(!h.deleted));
    let before = below.map_or(Ok(0), |version| live(version))?;
    table.runtime.shared.rows.fetch_add(before - live(current)?, Ordering::Relaxed);
    Ok(())
}

/// Brings the secondary entries of both versions to what holds once the newer one is gone.
async fn restore_entries(
    engine: &Engine,
    table: &Arc<TableDef>,
    record: &UndoRecord,
    current: &[u8],
    below: Option<&Vec<u8>>,
) -> Result<()> {
    let live = |version: &[u8]| row::header(version).map(|h| !h.deleted);
    for no in 1..table.indexes.len() {
        let new = match live(current)? {
            true => Some(entries::key_of_any_row(engine, table, no, current, &record.key).await?),
            false => None,
        };
        let old = match below {
            Some(version) if live(version)? => Some((
                entries::key_of_any_row(engine, table, no, version, &record.key).await?,
                row::header(version)?,
            )),
            _ => None,
        };
        let old_key = old.as_ref().map(|(key, _)| key);
        if new.as_ref() == old_key {
            continue;
        }
        if let Some(((key, own), header)) = &old {
            entries::put(table, no, key, *own, header.txid).await?;
        }
        if let Some((key, own)) = &new {
            entries::settle_below(engine, table, no, (key, *own), below.cloned()).await?;
        }
    }
    Ok(())
}

/// Puts the version below in place (or removes the row) and flags the record.
async fn restore_row(
    engine: &Engine,
    table: &Arc<TableDef>,
    record: &UndoRecord,
    below: Option<Vec<u8>>,
    txid: TxId,
    ptr: UndoPtr,
) -> Result<()> {
    // A deleted version that everybody sees is what purge would remove, and may have passed by already.
    let gone = match &below {
        Some(version) => {
            let header = row::header(version)?;
            header.deleted && engine.registry.is_settled(header.txid)
        }
        None => false,
    };
    let ours = |h: &RowHeader| h.txid == txid && h.undo == ptr;
    let mut refs = match &below {
        Some(version) if gone => {
            let chains = row::external_refs(&table.runtime.layout, version)?;
            chains::live(chains)
        }
        _ => Vec::new(),
    };
    // More chains than one mini-transaction can release: those beyond are freed while the record's row still is what it is.
    let rest = refs.split_off(refs.len().min(chains::GROUP));
    let below = below.filter(|_| !gone);
    let doomed = chains::Doomed::of(engine, &refs).await?;
    let pin = engine.pool.pin(ptr.page()).await?;
    let room = Room {
        value_bytes: below.as_ref().map_or(0, Vec::len),
        log_bytes: FLAG_LOG_BYTES + doomed.log_bytes(),
    };
    let extra: Vec<&PinnedPage> = doomed.extra().chain([&pin]).collect();
    table.runtime.trees[0]
        .modify(&record.key, room, &extra, |edit| {
            let no = edit.mtr().page_no(&pin);
            if edit.value().and_then(|v| row::header(v).ok()).is_some_and(|h| ours(&h)) {
                match &below {
                    Some(version) => change::write_row(edit, version),
                    None => edit.delete(),
                }
                doomed.release(engine, edit.mtr());
            }
            read::write_flag(edit.mtr(), no, txid, ptr, REVERTED);
            Decision::Done(())
        })
        .await?;
    for group in rest.chunks(chains::GROUP) {
        let doomed = chains::Doomed::of(engine, group).await?;
        let extra: Vec<&PinnedPage> = doomed.extra().collect();
        let release = |mtr: &mut Mtr<'_>| {
            doomed.release(engine, mtr);
            Decision::Done(())
        };
        engine.space.change(&extra, 1024 + doomed.log_bytes(), release).await?;
    }
    Ok(())
}
