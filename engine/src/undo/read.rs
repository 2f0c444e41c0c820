//! Reading undo records, and rebuilding the version below.

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::undo::{Before, OFF_FLAGS, UndoHeader, UndoRecord};
use crate::format::{TxId, UndoPtr, row};
use btree::Decision;
use buffer_pool::{Mtr, PageNo};
use protocol::redo::Op;

/// The record at `ptr`; `None` when the page is no longer the transaction's (it was rolled back, or purged).
pub(crate) async fn record(engine: &Engine, ptr: UndoPtr, txid: TxId) -> Result<Option<UndoRecord>> {
    if ptr == UndoPtr::NONE {
        return Ok(None);
    }
    let pin = engine.pool.pin(ptr.page()).await?;
    pin.read(|bytes| match UndoHeader::decode(bytes) {
        Some(header) if header.txid == txid => {
            if ptr.offset() >= header.used {
                return Err(crate::format::damaged("undo pointer beyond the end of its page"));
            }
            UndoRecord::decode(bytes, ptr.offset()).map(Some)
        }
        _ => Ok(None),
    })?
    .map_err(|d| EngineError::corrupt(ptr.page(), d.what))
}

/// Rebuilds in `row` the version below it; false when there is none. `row` is the whole newer version.
pub(crate) fn step_down(row: &mut Vec<u8>, before: &Before) -> Result<bool> {
    let Before::Version { deleted, schema_version, txid, undo, row_flags, prefix, suffix, middle } = before
    else {
        return Ok(false);
    };
    let body = row.len() - row::ROW_HEADER_BYTES;
    if prefix + suffix > body {
        return Err(crate::format::damaged("undo record: the difference is longer than the row").into());
    }
    let start = row::ROW_HEADER_BYTES + prefix;
    let end = row.len() - suffix;
    row.splice(start..end, middle.iter().copied());
    row[1] = *row_flags;
    row[2..4].copy_from_slice(&schema_version.to_le_bytes());
    row::set_header(row, *txid, *undo, *deleted);
    Ok(true)
}

/// Sets a flag of a record, if its page is still the transaction's.
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

/// Sets a flag of a record on a page latched in a mini-transaction, if the page is still the transaction's.
pub(crate) fn write_flag(mtr: &mut Mtr<'_>, no: PageNo, txid: TxId, ptr: UndoPtr, flag: u8) {
    if UndoHeader::decode(mtr.page(no)).is_some_and(|h| h.txid == txid) {
        let offset = ptr.offset() + OFF_FLAGS;
        let now = mtr.page(no)[usize::from(offset)];
        mtr.run(no, Op::Write { offset, bytes: &[now | flag] });
    }
}
