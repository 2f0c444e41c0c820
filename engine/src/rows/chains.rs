//! Long values: overflow chains as rows use them.
//!
//! A chain is owned from its first page on: by the undo record in the mini-transaction that begins it, then by the row version that
//! refers to it. It is freed together with a flag in an undo record, so a crash neither leaks it nor frees it twice; only what a purged
//! row leaves behind (and the second and later chains of one change) is freed after its owner is gone, and a crash just then leaks it.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::format::undo::{Before, UndoRecord};
use crate::format::{TxId, UndoPtr};
use crate::txn::Txn;
use crate::undo::log::WRITE_LOG_BYTES;
use crate::undo::read;
use btree::{OverflowRef, OverflowWriter, overflow};
use std::sync::Arc;

/// Reads a whole chain.
pub(crate) async fn read(engine: &Engine, reference: [u8; 16]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    overflow::read(&engine.pool, OverflowRef::from_bytes(reference), &mut out).await?;
    Ok(out)
}

/// Frees a chain whose owner is gone.
pub(crate) async fn free(engine: &Engine, reference: [u8; 16]) -> Result<()> {
    overflow::free(&engine.space, OverflowRef::from_bytes(reference).first, &[], 0, |_| {}).await?;
    Ok(())
}

/// Frees a chain and sets a flag of the undo record that owns it, in one mini-transaction.
pub(crate) async fn free_flagged(
    engine: &Engine,
    reference: [u8; 16],
    (txid, ptr): (TxId, UndoPtr),
    flag: u8,
) -> Result<()> {
    let pin = engine.pool.pin(ptr.page()).await?;
    overflow::free(&engine.space, OverflowRef::from_bytes(reference).first, &[&pin], 128, |mtr| {
        let no = mtr.page_no(&pin);
        read::write_flag(mtr, no, txid, ptr, flag);
    })
    .await?;
    Ok(())
}

/// Writes a chain for a row of `txn`; the undo record that frees it on rollback is in the mini-transaction that begins it.
pub(crate) async fn write(txn: &mut Txn, table: &Arc<TableDef>, value: &[u8]) -> Result<[u8; 16]> {
    let engine = Arc::clone(&txn.engine);
    let len = value.len() as u64;
    let log = txn.undo_log().await?;
    let pins = log.room(&engine, 64).await?;
    let mut encoded = Vec::new();
    let extra = pins.extra();
    let mut writer = OverflowWriter::start(
        &table.runtime.trees[0],
        &extra[..pins.count()],
        WRITE_LOG_BYTES + 128,
        |mtr, first| {
            let record = UndoRecord {
                flags: 0,
                table: table.indexes[0].id.0,
                key: Vec::new(),
                before: Before::Chain(OverflowRef { first, len }.to_bytes()),
                old_entries: Vec::new(),
                old_overflow: Vec::new(),
            };
            encoded.clear();
            record.encode(&mut encoded);
            log.write(&engine, mtr, &pins, &encoded);
            log.written(&encoded);
        },
    )
    .await?;
    writer.append(value).await?;
    let reference = writer.finish().await?.value;
    assert_eq!(reference.len, len, "overflow chain: written and promised length");
    Ok(reference.to_bytes())
}
