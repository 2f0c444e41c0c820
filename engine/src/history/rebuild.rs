//! After an opening, in the background: which undo pages are free, and which committed transactions still wait for purge.
//!
//! Reads the header of every undo page once. Pages of transactions of this opening are left alone: their TxIds are not below the first
//! one given out now.

use super::Committed;
use crate::engine::{Engine, slot_of_volume};
use crate::error::Result;
use crate::format::TxId;
use crate::format::undo::UndoHeader;
use btree::OwnerId;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Finds free undo pages and unpurged history.
pub(super) async fn rebuild(engine: &Arc<Engine>) -> Result<()> {
    let born_now = engine.first_txid;
    let purged = Lsn(engine.space.slot(slot_of_volume::PURGED)?);
    let dead: BTreeSet<TxId> = engine.history.abandoned.lock().iter().map(|a| a.txid).collect();
    let mut free = Vec::new();
    let mut commits: BTreeMap<TxId, Lsn> = BTreeMap::new();
    let mut chains: BTreeMap<TxId, Vec<(PageId, UndoHeader)>> = BTreeMap::new();
    let all = engine.space.pages_of(OwnerId::UNDO).await?;
    let total = all.len() as u64;
    for page in all {
        let Some(header) = engine.pool.pin(page).await?.read(UndoHeader::decode)? else {
            // Claimed and never written to: by one that crashed, unless by one of this opening that is about to.
            if !engine.undo.is_fresh(page) {
                free.push(page);
            }
            continue;
        };
        if header.txid >= born_now || dead.contains(&header.txid) {
            continue;
        }
        if header.first == page && header.commit != Lsn::ZERO {
            commits.insert(header.txid, header.commit);
        }
        chains.entry(header.txid).or_default().push((page, header));
    }
    for (txid, mut pages) in chains {
        match commits.get(&txid) {
            Some(lsn) if *lsn > purged => {
                order(&mut pages);
                let pages = pages.into_iter().map(|(page, _)| page).collect();
                engine.history.commit(*lsn, Committed { txid, pages, needs_purge: true });
            }
            _ => free.extend(pages.into_iter().map(|(page, _)| page)),
        }
    }
    engine.undo.found(total, free);
    engine.catalog.finish_ddl(engine).await
}

/// Sorts a chain from its first page on.
fn order(pages: &mut Vec<(PageId, UndoHeader)>) {
    let mut by_previous: BTreeMap<PageId, (PageId, UndoHeader)> =
        pages.drain(..).map(|(page, header)| (header.previous, (page, header))).collect();
    let mut previous = PageId(0);
    while let Some((page, header)) = by_previous.remove(&previous) {
        pages.push((page, header));
        previous = page;
    }
}
