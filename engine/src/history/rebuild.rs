//! After an opening, in the background: what undo space is free, and which committed transactions still wait for purge.
//!
//! Reads every undo page once. Pages claimed since the opening are left alone: until this is done, transactions of this opening use no others.

use super::Committed;
use crate::engine::{Engine, slot_of_volume};
use crate::error::{EngineError, Result};
use crate::format::unit::{self, Class, UndoHeader, Unit};
use crate::format::{Damaged, TxId};
use btree::OwnerId;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the headers on the volume say of one transaction's undo.
#[derive(Default)]
struct Chain {
    first: Option<(Unit, Lsn)>,
    /// Each unit with the one after it.
    units: BTreeMap<Unit, Unit>,
}

/// Finds free undo space and unpurged history.
pub(super) async fn rebuild(engine: &Arc<Engine>) -> Result<()> {
    let purged = Lsn(engine.space.slot(slot_of_volume::PURGED)?);
    let dead: BTreeSet<TxId> = engine.history.abandoned.lock().iter().map(|a| a.txid).collect();
    let mut free = Vec::new();
    let mut chains: BTreeMap<TxId, Chain> = BTreeMap::new();
    let all = engine.space.pages_of(OwnerId::UNDO).await?;
    let total = all.len() as u64;
    for page in all {
        if engine.undo.is_fresh(page) {
            continue;
        }
        for (unit, header) in units_of(engine, page).await? {
            match header {
                None => free.push(unit),
                Some(header) if dead.contains(&header.txid) => {}
                Some(header) => {
                    let chain = chains.entry(header.txid).or_default();
                    if header.first == unit {
                        chain.first = Some((unit, header.commit));
                    }
                    chain.units.insert(unit, header.next);
                }
            }
        }
    }
    for (txid, mut chain) in chains {
        if let Some((first, commit)) = chain.first.filter(|(_, commit)| *commit > purged) {
            let units = linked(&mut chain.units, first);
            engine.history.commit(commit, Committed::new(txid, &units, true));
        }
        // Purged, rolled back, or no longer linked: purged before the crash, and another's already in part.
        free.extend(chain.units.into_keys());
    }
    engine.undo.found(total, free);
    engine.catalog.finish_ddl(engine).await
}

/// The units of a page with their headers; one of the whole page when it was never used.
async fn units_of(engine: &Engine, page: PageId) -> Result<Vec<(Unit, Option<UndoHeader>)>> {
    let pin = engine.pool.pin(page).await?;
    let units = pin.read(|bytes| {
        let class = unit::class_of(bytes)?.unwrap_or(Class::Page);
        (0..class.all().count_ones())
            .map(|no| Unit::new(page, class, no as u8))
            .map(|unit| Ok((unit, UndoHeader::of_unit(bytes, unit)?)))
            .collect::<Result<Vec<_>, Damaged>>()
    })?;
    units.map_err(|d| EngineError::corrupt(page, d.what))
}

/// Takes a chain out of `units`, from its first unit on.
fn linked(units: &mut BTreeMap<Unit, Unit>, first: Unit) -> Vec<Unit> {
    let mut chain = Vec::new();
    let mut at = first;
    while let Some(next) = units.remove(&at) {
        chain.push(at);
        at = next;
    }
    chain
}
