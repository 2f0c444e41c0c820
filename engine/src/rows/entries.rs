//! Secondary entries: putting, marking, removing, and the unique check (`format::secondary`).

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::row::{Cell, Parts, header};
use crate::format::secondary::{ENTRY_BYTES, Entry};
use crate::format::{TxId, UndoPtr};
use crate::lock::{LockMode, OwnerId};
use crate::rows::batch;
use crate::rows::change::Busy;
use crate::rows::keys::{self, FromRow};
use crate::rows::scan::successor;
use crate::rows::scratch::{Entries, Scratch};
use crate::txn::Txn;
use crate::txn::registry::Newest;
use crate::undo::read::{self, Below};
use btree::{Batch, Covered, Decision, Direction, Room};
use protocol::lsn::Lsn;
use protocol::mutant;
use std::ops::Bound;
use std::sync::Arc;

const ROOM: Room = Room { value_bytes: ENTRY_BYTES, log_bytes: 0 };

/// Makes an entry that says: the newest version has this key.
pub(crate) async fn put(table: &TableDef, no: usize, key: &[u8], own: usize, txid: TxId) -> Result<()> {
    if mutant!(SecondaryForgotten) {
        return Ok(());
    }
    write(table, no, key, Entry { own_bytes: own as u16, marked_by: None }, txid).await
}

/// As [`put`], for a transaction's own change: false, and nothing is done, while others hold a gap over the key.
pub(crate) async fn put_free(
    engine: &Engine,
    owner: OwnerId,
    table: &TableDef,
    (no, key, own): (usize, &[u8], usize),
    txid: TxId,
) -> Result<bool> {
    if mutant!(SecondaryForgotten) {
        return Ok(true);
    }
    let entry = Entry { own_bytes: own as u16, marked_by: None };
    write_if(table, no, key, entry, txid, || engine.locks.gaps.free(owner, table.indexes[no].id.0, key)).await
}

/// Says of an entry: the newest version no longer has this key, because of `txid`.
pub(crate) async fn mark(table: &TableDef, no: usize, key: &[u8], own: usize, txid: TxId) -> Result<()> {
    write(table, no, key, Entry { own_bytes: own as u16, marked_by: Some(txid) }, txid).await
}

async fn write(table: &TableDef, no: usize, key: &[u8], entry: Entry, txid: TxId) -> Result<()> {
    write_if(table, no, key, entry, txid, || true).await.map(|_| ())
}

/// Writes an entry, if `free` says so when a change is needed; asked under the leaf's latch.
async fn write_if(
    table: &TableDef,
    no: usize,
    key: &[u8],
    entry: Entry,
    txid: TxId,
    free: impl Fn() -> bool,
) -> Result<bool> {
    let mut bytes = [0; ENTRY_BYTES];
    let value = entry.encode(&mut bytes);
    let changed = table.runtime.trees[no]
        .modify(key, ROOM, &[], |edit| {
            match edit.value() {
                Some(old) if old == value => return Decision::Abort(true),
                _ if !free() => return Decision::Abort(false),
                Some(_) => edit.replace(value),
                None => edit.insert(value),
            }
            edit.raise_hint(txid.0);
            Decision::Done(true)
        })
        .await?;
    Ok(changed.value)
}

/// Removes an entry if it is still marked by `txid`.
pub(crate) async fn remove_marked(table: &TableDef, no: usize, key: &[u8], txid: TxId) -> Result<()> {
    remove_if(table, no, key, |entry| entry.marked_by == Some(txid)).await
}

/// Removes an entry.
pub(crate) async fn remove(table: &TableDef, no: usize, key: &[u8]) -> Result<()> {
    remove_if(table, no, key, |_| true).await
}

async fn remove_if(table: &TableDef, no: usize, key: &[u8], when: impl Fn(Entry) -> bool) -> Result<()> {
    let tree = &table.runtime.trees[no];
    let changed = tree
        .modify(key, Room::default(), &[], |edit| match edit.value().map(Entry::decode) {
            Some(Err(damaged)) => Decision::Abort(Err(damaged)),
            Some(Ok(entry)) if when(entry) => {
                edit.delete();
                Decision::Done(Ok(()))
            }
            _ => Decision::Abort(Ok(())),
        })
        .await?;
    changed.value.map_err(|d| EngineError::corrupt(tree.root_id(), d.what))
}

/// Appends the own part of a stored row's key and says whether a part is NULL; `None` when a long key column must be put in place first.
pub(crate) fn own_key(table: &TableDef, no: usize, row: &[u8], out: &mut Vec<u8>) -> Result<Option<bool>> {
    let parts = Parts::of(&table.runtime.layout, row)?;
    if keys::of_row(table, no, &parts, out)? == FromRow::NeedsChain {
        return Ok(None);
    }
    let mut null = false;
    for part in &table.indexes[no].parts {
        null |= parts.cell(part.column)? == Cell::Null;
    }
    Ok(Some(null))
}

/// The key (own part, clustered key) and the length of its own part, of a stored row. Long key columns must be in place.
pub(crate) fn key_of_row(
    table: &TableDef,
    no: usize,
    row: &[u8],
    pk: &[u8],
) -> Result<Option<(Vec<u8>, usize)>> {
    let mut key = Vec::with_capacity(pk.len() + 32);
    let parts = Parts::of(&table.runtime.layout, row)?;
    if keys::of_row(table, no, &parts, &mut key)? == FromRow::NeedsChain {
        return Ok(None);
    }
    let own = key.len();
    key.extend_from_slice(pk);
    Ok(Some((key, own)))
}

/// Whether the own part of a stored row's key is `own`; `None` when a long key column must be put in place first.
pub(crate) fn has_key(table: &TableDef, no: usize, row: &[u8], own: &[u8]) -> Result<Option<bool>> {
    let mut scratch = Scratch::lend();
    Ok(own_key(table, no, row, &mut scratch.pk)?.map(|_| scratch.pk == own))
}

/// As [`key_of_row`], fetching long values when a key column has one.
pub(crate) async fn key_of_any_row(
    engine: &Engine,
    table: &Arc<TableDef>,
    no: usize,
    row: &[u8],
    pk: &[u8],
) -> Result<(Vec<u8>, usize)> {
    if let Some(key) = key_of_row(table, no, row, pk)? {
        return Ok(key);
    }
    let mut whole = row.to_vec();
    let parts = &table.indexes[no].parts;
    batch::inline(engine, table, &mut whole, |c| parts.iter().any(|p| p.column == c)).await?;
    key_of_row(table, no, &whole, pk)?
        .ok_or_else(|| EngineError::corrupt(table.indexes[no].root, "a key column stays in its chain"))
}

/// Whether a unique index being built has the key already; keys with a NULL never clash.
pub(crate) async fn clashes(table: &Arc<TableDef>, no: usize, version: &[u8], own: &[u8]) -> Result<bool> {
    let parts = Parts::of(&table.runtime.layout, version)?;
    for part in &table.indexes[no].parts {
        if parts.cell(part.column)? == Cell::Null {
            return Ok(false);
        }
    }
    let upper = successor(own);
    let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut cursor = table.runtime.trees[no].cursor(Bound::Included(own), upper, Direction::Forward);
    let mut found = Batch::default();
    cursor.next_batch(&mut found, 1).await?;
    Ok(!found.is_empty())
}

/// The error for a duplicate found while building an index.
pub(crate) async fn duplicate_of(
    engine: &Engine,
    table: &Arc<TableDef>,
    no: usize,
    mut version: Vec<u8>,
) -> Result<EngineError> {
    batch::inline(engine, table, &mut version, |_| true).await?;
    let parts = Parts::of(&table.runtime.layout, &version)?;
    let mut key = Vec::new();
    for part in &table.indexes[no].parts {
        key.push(match parts.cell(part.column)? {
            Cell::Inline(bytes) => {
                values::decode_cell(bytes, &table.columns[part.column].ty).unwrap_or_default()
            }
            _ => values::Value::Null,
        });
    }
    let (table, index) = (table.name.clone(), table.indexes[no].name.clone());
    Ok(EngineError::Duplicate { table, index, index_no: no, key })
}

/// What the newest version of the row behind an entry means for a new key.
enum Rival {
    None,
    Busy(Busy),
    Duplicate,
    /// A long key column has to be fetched to know.
    Compare(Vec<u8>),
}

impl Txn {
    /// Puts an entry of a unique index after making sure that no other row has its key.
    pub(crate) async fn put_unique(
        &mut self,
        table: &Arc<TableDef>,
        no: usize,
        key: &[u8],
        own: usize,
        txid: TxId,
    ) -> Result<bool> {
        let engine = Arc::clone(&self.engine);
        let tag = key[..own].iter().fold(no, |h, b| h.wrapping_mul(31).wrapping_add(usize::from(*b)));
        let gate = &engine.unique_gates[tag % engine.unique_gates.len()];
        let mut found = Batch::default();
        'again: loop {
            let pass = gate.enter().await;
            let upper = successor(&key[..own]);
            let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let tree = &table.runtime.trees[no];
            let mut cursor = tree.cursor(Bound::Included(&key[..own]), upper, Direction::Forward);
            let mut more = true;
            while more {
                found.clear();
                more = cursor.next_batch(&mut found, 16).await?;
                for (other, value) in found.iter() {
                    let entry = Entry::decode(value)?;
                    let pk = &other[usize::from(entry.own_bytes).min(other.len())..];
                    if usize::from(entry.own_bytes) != own || pk == &key[own..] {
                        continue;
                    }
                    match self.rival(table, no, pk, &key[..own]).await? {
                        Rival::Duplicate => {
                            drop(pass);
                            self.keep_duplicate(table, no, &key[..own]).await?;
                            return Ok(false);
                        }
                        Rival::Busy(busy) => {
                            drop(pass);
                            let pk = pk.to_vec();
                            self.clear_way(table, &pk, busy, LockMode::Shared).await?;
                            continue 'again;
                        }
                        Rival::None | Rival::Compare(_) => {}
                    }
                }
            }
            let put = put_free(&engine, self.owner().id, table, (no, key, own), txid).await?;
            drop(pass);
            if put {
                return Ok(true);
            }
            self.gap_wait(table.indexes[no].id.0, key).await?;
        }
    }

    /// A unique entry that is in an insert's way keeps others out of both gaps beside it, at every level; its row is not locked. As InnoDB.
    async fn keep_duplicate(&mut self, table: &Arc<TableDef>, no: usize, own: &[u8]) -> Result<()> {
        if !self.keeps_gaps() {
            return Ok(());
        }
        let (engine, owner) = (Arc::clone(&self.engine), self.owner());
        let tree = &table.runtime.trees[no];
        let upper = successor(own);
        let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut cursor = tree.cursor(Bound::Included(own), upper, Direction::Forward);
        let mut found = Entries::lend();
        let keep = |c: Covered<'_>| engine.locks.gaps.add(&owner, tree.id(), c.from, c.to);
        while cursor.next_batch_with(&mut found, 64, keep).await? {
            found.clear();
        }
        Ok(())
    }

    /// What the newest version of the row `pk` says about a key.
    async fn rival(&mut self, table: &Arc<TableDef>, no: usize, pk: &[u8], own: &[u8]) -> Result<Rival> {
        let engine = Arc::clone(&self.engine);
        let me = self.txid();
        let mut committed = Lsn::ZERO;
        let mut compare = Vec::new();
        let found = table.runtime.trees[0]
            .get(pk, |value| -> Result<Rival> {
                let h = header(value)?;
                if h.txid != me {
                    match engine.registry.newest(h.txid) {
                        Newest::Active(owner) => return Ok(Rival::Busy(Busy::Owner(owner))),
                        Newest::Aborted => return Ok(Rival::Busy(Busy::Aborted(h.txid, h.undo))),
                        Newest::Committed(lsn) => committed = lsn,
                    }
                }
                if h.deleted {
                    return Ok(Rival::None);
                }
                compare.clear();
                let parts = Parts::of(&table.runtime.layout, value)?;
                Ok(match keys::of_row(table, no, &parts, &mut compare)? {
                    FromRow::NeedsChain => Rival::Compare(value.to_vec()),
                    FromRow::Done if compare == own => Rival::Duplicate,
                    FromRow::Done => Rival::None,
                })
            })
            .await?;
        self.observe(committed);
        match found.transpose()? {
            Some(Rival::Compare(row)) => {
                let (key, len) = key_of_any_row(&engine, table, no, &row, pk).await?;
                Ok(if &key[..len] == own { Rival::Duplicate } else { Rival::None })
            }
            Some(rival) => Ok(rival),
            None => Ok(Rival::None),
        }
    }
}

/// Brings an entry to what the versions below say, when a version that had its key goes: marked by whoever made it old, or gone.
///
/// `below` is the newest version that stays; the row must be ours to change.
pub(crate) async fn settle_below(
    engine: &Engine,
    table: &Arc<TableDef>,
    no: usize,
    (key, own): (&[u8], usize),
    mut below: Option<Vec<u8>>,
) -> Result<()> {
    let mut upper = (TxId::NONE, UndoPtr::NONE);
    while let Some(mut version) = below {
        let h = header(&version)?;
        if !h.deleted {
            let (other, len) = key_of_any_row(engine, table, no, &version, &key[own..]).await?;
            if len == own && other == key {
                return match upper.0 {
                    TxId::NONE => put(table, no, key, own, h.txid).await,
                    by => mark(table, no, key, own, by).await,
                };
            }
        }
        // What everybody sees is the last version anybody can need.
        if engine.registry.is_settled(h.txid) {
            break;
        }
        upper = (h.txid, h.undo);
        below = match read::step_down(engine, &mut version).await? {
            Below::Version => Some(version),
            Below::Nothing | Below::Gone => None,
        };
    }
    remove(table, no, key).await
}
