//! Reading undo records, and rebuilding the version below.

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::undo::{self, OFF_FLAGS, UndoRecord};
use crate::format::unit::UndoHeader;
use crate::format::{TxId, UndoPtr, damaged, row};
use btree::Decision;
use buffer_pool::{Mtr, PageNo};
use protocol::page::PAGE_BYTES;
use protocol::redo::Op;

/// The record at `ptr`; `None` when the unit is no longer the transaction's (it was rolled back, or purged).
pub(crate) async fn record(engine: &Engine, ptr: UndoPtr, txid: TxId) -> Result<Option<UndoRecord>> {
    if ptr == UndoPtr::NONE {
        return Ok(None);
    }
    let pin = engine.pool.pin(ptr.page()).await?;
    pin.read(|bytes| match UndoHeader::of_record(bytes, ptr, txid)? {
        Some(header) if ptr.offset() >= header.used => {
            Err(damaged("undo pointer beyond the end of its unit"))
        }
        Some(_) => UndoRecord::decode(bytes, ptr.offset()).map(Some),
        None => Ok(None),
    })?
    .map_err(|d| EngineError::corrupt(ptr.page(), d.what))
}

/// What lies below a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    /// The buffer holds it now.
    Version,
    /// There was no row.
    Nothing,
    /// The undo unit is no longer the transaction's: it was rolled back, or purged.
    Gone,
}

/// Rebuilds in `row`, a whole version, the one below it.
pub(crate) async fn step_down(engine: &Engine, row: &mut Vec<u8>) -> Result<Below> {
    let header = row::header(row)?;
    let (ptr, txid) = (header.undo, header.txid);
    if ptr == UndoPtr::NONE {
        return Ok(Below::Gone);
    }
    let pin = engine.pool.pin(ptr.page()).await?;
    pin.read(|bytes| match UndoHeader::of_record(bytes, ptr, txid)? {
        Some(header) if ptr.offset() < header.used => {
            let found = undo::step_down(bytes, ptr.offset(), row)?;
            Ok(if found { Below::Version } else { Below::Nothing })
        }
        Some(_) => Err(damaged("undo pointer beyond the end of its unit")),
        None => Ok(Below::Gone),
    })?
    .map_err(|d| EngineError::corrupt(ptr.page(), d.what))
}

/// Sets a flag of a record, if its unit is still the transaction's.
pub(crate) async fn set_flag(engine: &Engine, ptr: UndoPtr, txid: TxId, flag: u8) -> Result<()> {
    let pin = engine.pool.pin(ptr.page()).await?;
    engine
        .space
        .change(&[&pin], 256, |mtr| {
            let no = mtr.page_no(&pin);
            write_flag(mtr, no, txid, ptr, flag);
            Decision::Done(())
        })
        .await?;
    Ok(())
}

/// Whether a record's unit is (still) a transaction's.
pub(crate) fn owns(page: &[u8; PAGE_BYTES], ptr: UndoPtr, txid: TxId) -> bool {
    UndoHeader::of_record(page, ptr, txid).is_ok_and(|h| h.is_some())
}

/// Sets a flag of a record on a page latched in a mini-transaction, if its unit is still the transaction's.
pub(crate) fn write_flag(mtr: &mut Mtr<'_>, no: PageNo, txid: TxId, ptr: UndoPtr, flag: u8) {
    if owns(mtr.page(no), ptr, txid) {
        let offset = ptr.offset() + OFF_FLAGS;
        let now = mtr.page(no)[usize::from(offset)];
        mtr.run(no, Op::Write { offset, bytes: &[now | flag] });
    }
}

/// Takes the reference of an old overflow chain out of a record whose page is latched: the one that is `from_last` (from 1) of them.
pub(crate) fn clear_chain(mtr: &mut Mtr<'_>, no: PageNo, ptr: UndoPtr, from_last: usize) {
    if let Ok(end) = undo::record_end(mtr.page(no), ptr.offset()) {
        let offset = end - 2 - 16 * from_last as u16;
        mtr.run(no, Op::Write { offset, bytes: &[0; 16] });
    }
}
