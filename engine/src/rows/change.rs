//! One change of one clustered row: found free, decided, undo written, row written - one mini-transaction.
//!
//! ```text
//!   leaf latched ──> whose is the newest version? ── another's: wait, look again
//!        │                                        └─ aborted: take it out, look again
//!        └── ours or committed, and nobody holds its lock ──> plan ──> undo record + row
//! ```
//!
//! Invariants:
//! 1. The plan may run again until it is carried out: it works on a [`Draft`] that it fills anew.
//! 2. What a row's TxId says is asked under the row's latch: while a row carries a TxId, that transaction is not settled away.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::row::{self, ROW_HEADER_BYTES, RowHeader};
use crate::format::undo::{Before, DELETES, OldEntry, UndoRecord, difference};
use crate::format::{TxId, UndoPtr};
use crate::lock::{LockMode, Owner};
use crate::rows::revert;
use crate::txn::Txn;
use crate::txn::registry::Newest;
use crate::undo::log::WRITE_LOG_BYTES;
use btree::{Decision, LeafEdit, Room};
use protocol::lsn::Lsn;
use std::sync::Arc;

/// Why a row cannot be taken right now.
#[derive(Clone, Debug)]
pub(crate) enum Busy {
    /// Another transaction has changed it.
    Owner(Arc<Owner>),
    /// Its lock is held, or waited for, by another.
    Locked,
    /// Its newest version was rolled back and is still there.
    Aborted(TxId, UndoPtr),
}

/// What a plan makes of the newest version.
#[derive(Debug)]
pub(crate) enum Plan<S> {
    /// Write the draft's row.
    Write,
    /// Leave the row as it is.
    Skip(S),
}

/// A change being prepared; reused from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The new version, without TxId and undo pointer.
    pub(crate) row: Vec<u8>,
    pub(crate) old_entries: Vec<OldEntry>,
    pub(crate) old_overflow: Vec<[u8; 16]>,
    record: Vec<u8>,
}

/// What came of a change.
#[derive(Debug)]
pub(crate) enum Outcome<S> {
    Written,
    Skipped(S),
}

enum Step<S> {
    Written,
    Skipped(S),
    Busy(Busy),
    /// The undo record needs so many bytes.
    Room(usize),
    /// The new version needs so many bytes.
    Grow(usize),
    Damaged(crate::format::Damaged),
}

/// Whether `me` may use the newest version of a row now; `committed` is raised to its commit LSN.
pub(crate) fn access(
    engine: &Engine,
    me: TxId,
    owner: &Owner,
    name: (u64, &[u8]),
    header: &RowHeader,
    committed: &mut Lsn,
) -> Option<Busy> {
    if header.txid == me && me != TxId::NONE {
        return None;
    }
    match engine.registry.newest(header.txid) {
        Newest::Active(other) => return Some(Busy::Owner(other)),
        Newest::Aborted => return Some(Busy::Aborted(header.txid, header.undo)),
        Newest::Committed(lsn) => *committed = (*committed).max(lsn),
    }
    if engine.locks.writable(owner.id, name.0, name.1) { None } else { Some(Busy::Locked) }
}

impl Txn {
    /// Changes the row at `key` as `plan` says; waits for whoever is in the way.
    pub(crate) async fn change<S>(
        &mut self,
        table: &Arc<TableDef>,
        key: &[u8],
        mut value_bytes: usize,
        draft: &mut Draft,
        mut plan: impl FnMut(Option<(&RowHeader, &[u8])>, &mut Draft) -> Result<Plan<S>>,
    ) -> Result<Outcome<S>> {
        let engine = Arc::clone(&self.engine);
        let owner = self.owner();
        let tree = &table.runtime.trees[0];
        let mut undo_bytes = 64 + key.len() + value_bytes / 8;
        loop {
            let log = self.undo_log().await?;
            let pins = log.room(&engine, undo_bytes).await?;
            let extra = pins.extra();
            let room = Room { value_bytes, log_bytes: WRITE_LOG_BYTES + undo_bytes };
            let mut committed = Lsn::ZERO;
            let mut failed = None;
            let changed = tree
                .modify(key, room, &extra[..pins.count()], |edit| {
                    let mut found = None;
                    if let Some(value) = edit.value() {
                        let header = match row::header(value) {
                            Ok(header) => header,
                            Err(damaged) => return Decision::Abort(Step::Damaged(damaged)),
                        };
                        let name = (tree.id(), key);
                        if let Some(busy) = access(&engine, log.txid, &owner, name, &header, &mut committed) {
                            return Decision::Abort(Step::Busy(busy));
                        }
                        found = Some((header, value));
                    }
                    match plan(found.as_ref().map(|(h, v)| (h, *v)), draft) {
                        Err(error) => {
                            failed = Some(error);
                            Decision::Abort(Step::Busy(Busy::Locked))
                        }
                        Ok(Plan::Skip(why)) => Decision::Abort(Step::Skipped(why)),
                        Ok(Plan::Write) => {
                            let header = found.map(|(header, _)| header);
                            prepare(table, key, header, edit.value(), draft, log.txid, log.next_ptr());
                            if draft.row.len() > value_bytes {
                                return Decision::Abort(Step::Grow(draft.row.len()));
                            }
                            if draft.record.len() > undo_bytes {
                                return Decision::Abort(Step::Room(draft.record.len()));
                            }
                            write_row(edit, &draft.row);
                            log.write(&engine, edit.mtr(), &pins, &draft.record);
                            log.written(&draft.record);
                            Decision::Done(Step::Written)
                        }
                    }
                })
                .await?;
            self.observe(committed);
            if let Some(error) = failed {
                return Err(error);
            }
            match changed.value {
                Step::Written => {
                    owner.add_cost(draft.record.len() as u64);
                    let log = self.undo_log().await?;
                    log.needs_purge |= !draft.old_entries.is_empty()
                        || !draft.old_overflow.is_empty()
                        || draft.row[1] & row::DELETED != 0;
                    return Ok(Outcome::Written);
                }
                Step::Skipped(why) => return Ok(Outcome::Skipped(why)),
                Step::Busy(busy) => self.clear_way(table, key, busy, LockMode::Exclusive).await?,
                Step::Room(bytes) => undo_bytes = bytes,
                Step::Grow(bytes) => value_bytes = bytes,
                Step::Damaged(d) => return Err(EngineError::corrupt(tree.root_id(), d.what)),
            }
        }
    }

    /// Waits for a row, or takes an aborted version out of it. The caller looks at the row again.
    pub(crate) async fn clear_way(
        &mut self,
        table: &Arc<TableDef>,
        key: &[u8],
        busy: Busy,
        mode: LockMode,
    ) -> Result<()> {
        let tree = table.runtime.trees[0].id();
        match busy {
            Busy::Aborted(txid, ptr) => {
                let engine = Arc::clone(&self.engine);
                let _pass = engine.reverting.enter().await;
                revert::revert_record(&engine, txid, ptr).await
            }
            Busy::Owner(holder) => {
                if self.engine.locks.convert(&holder, tree, key) {
                    self.lock_wait(tree, key, mode).await
                } else {
                    Ok(())
                }
            }
            Busy::Locked => self.lock_wait(tree, key, mode).await,
        }
    }
}

/// Fills in the header of the new version and encodes the undo record.
fn prepare(
    table: &TableDef,
    key: &[u8],
    old_header: Option<RowHeader>,
    old: Option<&[u8]>,
    draft: &mut Draft,
    txid: TxId,
    ptr: UndoPtr,
) {
    let deletes = draft.row[1] & row::DELETED != 0;
    row::set_header(&mut draft.row, txid, ptr, deletes);
    let before = match (old_header, old) {
        (Some(header), Some(old)) => {
            let (older, newer) = (&old[ROW_HEADER_BYTES..], &draft.row[ROW_HEADER_BYTES..]);
            let (prefix, suffix) = difference(older, newer);
            Before::Version {
                deleted: header.deleted,
                schema_version: header.schema_version,
                txid: header.txid,
                undo: header.undo,
                row_flags: old[1],
                prefix,
                suffix,
                middle: older[prefix..older.len() - suffix].to_vec(),
            }
        }
        _ => Before::Nothing,
    };
    let record = UndoRecord {
        flags: if deletes { DELETES } else { 0 },
        table: table.indexes[0].id.0,
        key: key.to_vec(),
        before,
        old_entries: draft.old_entries.clone(),
        old_overflow: draft.old_overflow.clone(),
    };
    draft.record.clear();
    record.encode(&mut draft.record);
}

/// Writes the new version: in place, only what differs, when the length allows.
pub(crate) fn write_row(edit: &mut LeafEdit<'_, '_>, new: &[u8]) {
    let Some(old) = edit.value() else {
        edit.insert(new);
        return;
    };
    if old.len() != new.len() {
        edit.replace(new);
        return;
    }
    let head = old[..ROW_HEADER_BYTES].iter().zip(new).position(|(a, b)| a != b);
    let (prefix, suffix) = difference(&old[ROW_HEADER_BYTES..], &new[ROW_HEADER_BYTES..]);
    let (from, to) = (ROW_HEADER_BYTES + prefix, new.len() - suffix);
    if let Some(head) = head {
        edit.patch(head, &new[head..ROW_HEADER_BYTES]);
    }
    if from < to {
        edit.patch(from, &new[from..to]);
    }
}
