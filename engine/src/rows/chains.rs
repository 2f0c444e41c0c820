//! Long values: overflow chains as rows use them.
//!
//! A chain is owned from its first page on: by the undo record in the mini-transaction that begins it, then by the row version (or the undo
//! record of what replaced it) that refers to it. It is cut down to its first page while it is owned; that page is released in the
//! mini-transaction that takes the reference away. So a crash neither leaks a chain nor frees it twice.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::format::row::{self, RowHeader};
use crate::format::undo::{self, Replaced};
use crate::format::{TxId, UndoPtr};
use crate::txn::Txn;
use crate::undo::log::WRITE_LOG_BYTES;
use crate::undo::read;
use btree::{Decision, OverflowRef, OverflowWriter, Room, overflow};
use buffer_pool::{Mtr, PinnedPage};
use protocol::page::PageId;
use std::sync::Arc;

/// Reads a whole chain.
pub(crate) async fn read(engine: &Engine, reference: [u8; 16]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    overflow::read(&engine.pool, OverflowRef::from_bytes(reference), &mut out).await?;
    Ok(out)
}

/// Chains released in one mini-transaction: each may need a map page of its own.
pub(crate) const GROUP: usize = 16;
/// A reference to a chain that is gone.
const NONE: [u8; 16] = [0; 16];

/// The references of a stored row or undo record that still refer to something.
pub(crate) fn live(refs: impl IntoIterator<Item = [u8; 16]>) -> Vec<[u8; 16]> {
    refs.into_iter().filter(|r| *r != NONE).collect()
}

/// Chains about to be released: all cut down to their first pages, and the map pages of those at hand.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    firsts: Vec<PageId>,
    maps: Vec<PinnedPage>,
    /// Whether a row was asked, even if it has none left.
    asked: bool,
}

impl Doomed {
    /// Cuts chains down. Their references must stay until [`Doomed::release`].
    pub(crate) async fn of(engine: &Engine, refs: &[[u8; 16]]) -> Result<Doomed> {
        let mut firsts = Vec::with_capacity(refs.len());
        for reference in refs {
            let first = OverflowRef::from_bytes(*reference).first;
            overflow::trim(&engine.space, first).await?;
            firsts.push(first);
        }
        let maps = overflow::maps_of(&engine.space, &firsts).await?;
        Ok(Doomed { firsts, maps, asked: true })
    }

    /// Whether nobody was asked yet.
    pub(crate) fn is_empty(&self) -> bool {
        !self.asked
    }

    /// Pages to be latched with the mini-transaction.
    pub(crate) fn extra(&self) -> impl Iterator<Item = &PinnedPage> {
        self.maps.iter()
    }

    /// What releasing them adds to the redo.
    pub(crate) fn log_bytes(&self) -> usize {
        self.firsts.len() * overflow::RELEASE_LOG
    }

    /// Releases the first pages, in the mini-transaction that takes the references away.
    pub(crate) fn release(&self, engine: &Engine, mtr: &mut Mtr<'_>) {
        for first in &self.firsts {
            engine.space.release(mtr, *first);
        }
    }
}

/// Frees the chains that an undo record says were replaced, and flags it.
pub(crate) async fn free_replaced(
    engine: &Engine,
    refs: &[[u8; 16]],
    (txid, ptr): (TxId, UndoPtr),
    flag: u8,
) -> Result<()> {
    let pin = engine.pool.pin(ptr.page()).await?;
    let mut at = 0;
    while at < refs.len() {
        let group = &refs[at..refs.len().min(at + GROUP)];
        let doomed = Doomed::of(engine, &live(group.iter().copied())).await?;
        let last = at + group.len() == refs.len();
        let extra: Vec<&PinnedPage> = doomed.extra().chain([&pin]).collect();
        engine
            .space
            .change(&extra, 2048 + doomed.log_bytes(), |mtr| {
                let no = mtr.page_no(&pin);
                if !read::owns(mtr.page(no), ptr, txid) {
                    return Decision::Abort(());
                }
                doomed.release(engine, mtr);
                for i in at..at + group.len() {
                    read::clear_chain(mtr, no, ptr, refs.len() - i);
                }
                if last {
                    read::write_flag(mtr, no, txid, ptr, flag);
                }
                Decision::Done(())
            })
            .await?;
        at += group.len();
    }
    Ok(())
}

/// Cuts down the chains of a row that nobody sees any more. Those beyond one [`GROUP`] are freed; in place of their references there is
/// nothing then.
pub(crate) async fn of_dead_row(
    engine: &Engine,
    table: &TableDef,
    key: &[u8],
    mine: impl Fn(&RowHeader) -> bool,
) -> Result<Doomed> {
    loop {
        let tree = &table.runtime.trees[0];
        let found = tree.get(key, <[u8]>::to_vec).await?;
        let Some(row) = found.filter(|row| row::header(row).is_ok_and(|h| mine(&h))) else {
            return Doomed::of(engine, &[]).await;
        };
        let places = row::external_places(&table.runtime.layout, &row)?;
        let held: Vec<(usize, [u8; 16])> = places.into_iter().filter(|(_, r)| *r != NONE).collect();
        let group = &held[..held.len().min(GROUP)];
        let doomed = Doomed::of(engine, &group.iter().map(|(_, r)| *r).collect::<Vec<_>>()).await?;
        if held.len() <= GROUP {
            return Ok(doomed);
        }
        let extra: Vec<&PinnedPage> = doomed.extra().collect();
        let room = Room { value_bytes: 0, log_bytes: doomed.log_bytes() + 1024 };
        tree.modify(key, room, &extra, |edit| {
            if !edit.value().and_then(|v| row::header(v).ok()).is_some_and(|h| mine(&h)) {
                return Decision::Abort(());
            }
            group.iter().for_each(|(at, _)| edit.patch(*at, &NONE));
            doomed.release(engine, edit.mtr());
            Decision::Done(())
        })
        .await?;
    }
}

/// Frees the chain of an undo record that began it, and flags the record.
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
            let chain = OverflowRef { first, len }.to_bytes();
            encoded.clear();
            let of = (table.indexes[0].id.0, [].as_slice());
            undo::encode(&mut encoded, 0, of, Replaced::Chain(&chain), [].into_iter(), &[]);
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
