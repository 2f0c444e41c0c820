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
use crate::format::undo::{self, DELETES, Replaced, difference};
use crate::format::{TxId, UndoPtr};
use crate::lock::{LockMode, Owner};
use crate::rows::revert;
use crate::rows::scratch::Keys;
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
    /// Others hold a gap over its key, where no row is.
    Gap,
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
    /// Keys of secondary entries that the change makes old, and of those it makes.
    pub(crate) old: Keys,
    pub(crate) new: Keys,
    /// Overflow references that the new version no longer has.
    pub(crate) old_overflow: Vec<[u8; 16]>,
    record: Vec<u8>,
}

impl Draft {
    pub(crate) fn clear(&mut self) {
        self.row.clear();
        self.old.clear();
        self.new.clear();
        self.old_overflow.clear();
        self.record.clear();
    }

    /// Memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.row.capacity() + self.old.capacity() + self.new.capacity() + self.record.capacity()
    }
}

/// What came of a change.
#[derive(Debug)]
pub(crate) enum Outcome<S> {
    Written,
    Skipped(S),
}

enum Step<S> {
    /// To be written as the draft says.
    Write,
    Written,
    Skipped(S),
    Busy(Busy),
    /// The undo record needs so many bytes.
    Room(usize),
    /// The new version needs so many bytes.
    Grow(usize),
    Failed(EngineError),
}

/// Whose the newest version of a row is, as far as `me` is concerned; `committed` is raised to its commit LSN.
pub(crate) fn access(engine: &Engine, me: TxId, header: &RowHeader, committed: &mut Lsn) -> Option<Busy> {
    if header.txid == me && me != TxId::NONE {
        return None;
    }
    match engine.registry.newest(header.txid) {
        Newest::Active(other) => return Some(Busy::Owner(other)),
        Newest::Aborted => return Some(Busy::Aborted(header.txid, header.undo)),
        Newest::Committed(lsn) => *committed = (*committed).max(lsn),
    }
    None
}

/// One look at a row to be changed.
struct Site<'a> {
    engine: &'a Engine,
    table: &'a TableDef,
    key: &'a [u8],
    owner: &'a Owner,
    txid: TxId,
    /// Where the undo record will lie.
    ptr: UndoPtr,
    /// Room reserved.
    value_bytes: usize,
    undo_bytes: usize,
}

impl Site<'_> {
    /// What is to be done with the row; [`Step::Write`] when the draft is ready and there is room for it.
    fn judge<S>(
        &self,
        edit: &LeafEdit<'_, '_>,
        draft: &mut Draft,
        committed: &mut Lsn,
        plan: &mut impl FnMut(Option<(&RowHeader, &[u8])>, &mut Draft) -> Result<Plan<S>>,
    ) -> Result<Step<S>> {
        let mut found = None;
        if let Some(value) = edit.value() {
            let header = row::header(value).map_err(|d| self.corrupt(d))?;
            if let Some(busy) = access(self.engine, self.txid, &header, committed) {
                return Ok(Step::Busy(busy));
            }
            found = Some((header, value));
        }
        match plan(found.as_ref().map(|(h, v)| (h, *v)), draft)? {
            Plan::Skip(why) => return Ok(Step::Skipped(why)),
            Plan::Write => {}
        }
        if let Some(busy) = self.locked(found.as_ref().map(|(h, _)| h)) {
            return Ok(Step::Busy(busy));
        }
        prepare(self.table, self.key, found, draft, self.txid, self.ptr);
        Ok(if draft.row.len() > self.value_bytes {
            Step::Grow(draft.row.len())
        } else if draft.record.len() > self.undo_bytes {
            Step::Room(draft.record.len())
        } else {
            Step::Write
        })
    }

    /// Whether a lock of another transaction forbids the change.
    fn locked(&self, found: Option<&RowHeader>) -> Option<Busy> {
        let (locks, tree) = (&self.engine.locks, self.table.indexes[0].id.0);
        let own = found.is_some_and(|h| h.txid == self.txid);
        if found.is_some() && !own && !locks.writable(self.owner.id, tree, self.key) {
            return Some(Busy::Locked);
        }
        // No row yet, or none any more: this is an insert into a gap.
        let comes_to_be = found.is_none_or(|h| h.deleted);
        (comes_to_be && !locks.gaps.free(self.owner.id, tree, self.key)).then_some(Busy::Gap)
    }

    fn corrupt(&self, damaged: crate::format::Damaged) -> EngineError {
        EngineError::corrupt(self.table.indexes[0].root, damaged.what)
    }
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
        let mut undo_bytes = 64 + key.len() + value_bytes / 8;
        loop {
            let log = self.undo_log().await?;
            let pins = log.room(&engine, undo_bytes).await?;
            let (txid, ptr) = (log.txid, log.next_ptr());
            let owner_ref = &*owner;
            let site =
                Site { engine: &engine, table, key, owner: owner_ref, txid, ptr, value_bytes, undo_bytes };
            let extra = pins.extra();
            let room = Room { value_bytes, log_bytes: WRITE_LOG_BYTES + undo_bytes };
            let mut committed = Lsn::ZERO;
            let changed = table.runtime.trees[0]
                .modify(key, room, &extra[..pins.count()], |edit| {
                    match site.judge(edit, draft, &mut committed, &mut plan) {
                        Ok(Step::Write) => {
                            write_row(edit, &draft.row);
                            log.write(&engine, edit.mtr(), &pins, &draft.record);
                            log.written(&draft.record);
                            engine.locks.implied(owner_ref, table.indexes[0].id.0, key);
                            Decision::Done(Step::Written)
                        }
                        Ok(other) => Decision::Abort(other),
                        Err(error) => Decision::Abort(Step::Failed(error)),
                    }
                })
                .await?;
            self.observe(committed);
            match changed.value {
                Step::Written | Step::Write => {
                    owner.add_cost(1);
                    self.undo_log().await?.needs_purge |= !draft.old.is_empty()
                        || !draft.old_overflow.is_empty()
                        || draft.row[1] & row::DELETED != 0;
                    return Ok(Outcome::Written);
                }
                Step::Skipped(why) => return Ok(Outcome::Skipped(why)),
                Step::Busy(busy) => self.clear_way(table, key, busy, LockMode::Exclusive).await?,
                Step::Room(bytes) => undo_bytes = bytes,
                Step::Grow(bytes) => value_bytes = bytes,
                Step::Failed(error) => return Err(error),
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
                revert::revert_record(&engine, txid, ptr, None).await
            }
            Busy::Owner(holder) => {
                if self.engine.locks.convert(&holder, tree, key) {
                    self.lock_wait(tree, key, mode).await
                } else {
                    Ok(())
                }
            }
            Busy::Locked => self.lock_wait(tree, key, mode).await,
            Busy::Gap => self.gap_wait(tree, key).await,
        }
    }
}

/// Fills in the header of the new version and encodes the undo record.
fn prepare(
    table: &TableDef,
    key: &[u8],
    old: Option<(RowHeader, &[u8])>,
    draft: &mut Draft,
    txid: TxId,
    ptr: UndoPtr,
) {
    let deletes = draft.row[1] & row::DELETED != 0;
    row::set_header(&mut draft.row, txid, ptr, deletes);
    let before = match old {
        Some((header, old)) => {
            let (older, newer) = (&old[ROW_HEADER_BYTES..], &draft.row[ROW_HEADER_BYTES..]);
            let (prefix, suffix) = difference(older, newer);
            Replaced::Version {
                deleted: header.deleted,
                schema_version: header.schema_version,
                txid: header.txid,
                undo: header.undo,
                row_flags: old[1],
                prefix,
                suffix,
                middle: &older[prefix..older.len() - suffix],
            }
        }
        None => Replaced::Nothing,
    };
    let flags = if deletes { DELETES } else { 0 };
    let entries = draft.old.iter().map(|k| (table.indexes[k.no].id.0, k.key));
    draft.record.clear();
    let of = (table.indexes[0].id.0, key);
    undo::encode(&mut draft.record, flags, of, before, entries, &draft.old_overflow);
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
