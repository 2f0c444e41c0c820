//! Point reads.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::secondary::Entry;
use crate::format::{TxId, row};
use crate::lock::{LockMode, LockWait, Verdict};
use crate::rows::batch::RowBatch;
use crate::rows::change::{Busy, access};
use crate::rows::entries;
use crate::rows::scan::successor;
use crate::rows::seen::{self, Eyes, Look, Walk};
use crate::txn::Txn;
use btree::{Batch, Direction};
use protocol::lsn::Lsn;
use std::ops::Bound;
use std::sync::Arc;

/// What a locking look found.
enum Locked {
    Taken,
    Gone,
    Busy(Busy),
}

impl Txn {
    /// Reads the row with a full unique key, given as encoded bytes (`encode_index_key`), and appends it to `batch`.
    ///
    /// Without a lock it is the version of the read view; with one, the newest committed version, which stays locked.
    ///
    /// # Errors
    /// As the waits and the log give them.
    pub async fn get(
        &mut self,
        table: &Arc<TableDef>,
        index_no: usize,
        key: &[u8],
        lock: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        batch.start(table);
        let lock = self.effective(lock);
        if lock != LockMode::None {
            self.begin_lock(table).await?;
        }
        if index_no == 0 {
            return self.read_row(table, key, lock, batch).await;
        }
        let upper = successor(key);
        let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut cursor =
            table.runtime.trees[index_no].cursor(Bound::Included(key), upper, Direction::Forward);
        let mut found = Batch::default();
        self.check_index(table, index_no, lock)?;
        loop {
            let more = cursor.next_batch(&mut found, 16).await?;
            for (entry_key, value) in found.iter() {
                let own = usize::from(Entry::decode(value)?.own_bytes);
                if entry_key.get(..own) == Some(key)
                    && self.read_by_entry(table, index_no, entry_key, own, lock, batch).await?
                {
                    return Ok(true);
                }
            }
            if !more {
                return Ok(false);
            }
            found.clear();
        }
    }

    /// Reads the row behind a secondary entry and keeps it if the version read has the entry's key.
    pub(crate) async fn read_by_entry(
        &mut self,
        table: &Arc<TableDef>,
        no: usize,
        entry: &[u8],
        own: usize,
        lock: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let before = batch.len();
        if !self.read_row(table, &entry[own..], lock, batch).await? {
            return Ok(false);
        }
        let engine = Arc::clone(&self.engine);
        let (key, len) = entries::key_of_any_row(&engine, table, no, batch.last_row(), &entry[own..]).await?;
        let same = len == own && key == entry;
        if !same {
            batch.truncate(before);
        }
        Ok(same)
    }

    /// Reads the row with a clustered key.
    pub(crate) async fn read_row(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        lock: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let found = match lock {
            LockMode::None => self.read_seen(table, pk, batch).await?,
            mode => self.read_locked(table, pk, mode, batch).await?,
        };
        if found && batch.last_needs_chains() {
            let before = batch.len() - 1;
            match batch.fetch_chains(&self.engine).await {
                // A chain of a version nobody else needs went away under a reader of the newest version: cannot happen with the row
                // locked or in view, so it is told.
                Err(error) => {
                    batch.truncate(before);
                    return Err(error);
                }
                Ok(()) => return Ok(true),
            }
        }
        Ok(found)
    }

    /// The version of the view.
    async fn read_seen(&mut self, table: &Arc<TableDef>, pk: &[u8], batch: &mut RowBatch) -> Result<bool> {
        let eyes = self.eyes();
        let engine = &self.engine;
        loop {
            let mut below = Vec::new();
            let look = table.runtime.trees[0]
                .get(pk, |value| {
                    let look = seen::look(engine, eyes, value)?;
                    match look {
                        Look::Here => batch.push(pk, value),
                        Look::Below => below.extend_from_slice(value),
                        Look::Gone => {}
                    }
                    Ok::<_, EngineError>(look)
                })
                .await?
                .transpose()?;
            match look {
                None | Some(Look::Gone) => return Ok(false),
                Some(Look::Here) => return Ok(true),
                Some(Look::Below) => {}
            }
            if let Some(found) = self.read_below(eyes, pk, below, batch).await? {
                return Ok(found);
            }
        }
    }

    /// Walks down from a hidden version; `None`: read the row again.
    pub(crate) async fn read_below(
        &self,
        eyes: Eyes,
        pk: &[u8],
        mut version: Vec<u8>,
        batch: &mut RowBatch,
    ) -> Result<Option<bool>> {
        Ok(match seen::walk(&self.engine, eyes, &mut version).await? {
            Walk::Found => {
                batch.push(pk, &version);
                Some(true)
            }
            Walk::Nothing => Some(false),
            Walk::Again => None,
        })
    }

    /// The newest committed version, locked.
    async fn read_locked(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        mode: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let tree = &table.runtime.trees[0];
        let engine = Arc::clone(&self.engine);
        let owner = self.owner();
        let me = self.txid();
        loop {
            let mut committed = Lsn::ZERO;
            let seen = tree
                .get(pk, |value| -> Result<Locked> {
                    let header = row::header(value)?;
                    let own = header.txid == me && me != TxId::NONE;
                    // The lock itself says whether it is free for this mode; access says whose the row is.
                    match access(&engine, me, &owner, (tree.id(), pk), &header, &mut committed) {
                        None | Some(Busy::Locked) => {}
                        Some(busy) => return Ok(Locked::Busy(busy)),
                    }
                    if header.deleted {
                        return Ok(Locked::Gone);
                    }
                    if !own && engine.locks.try_lock(&owner, tree.id(), pk, mode) == Verdict::Conflict {
                        return Ok(Locked::Busy(Busy::Locked));
                    }
                    batch.push(pk, value);
                    Ok(Locked::Taken)
                })
                .await?
                .transpose()?;
            self.observe(committed);
            match seen {
                None | Some(Locked::Gone) => return Ok(false),
                Some(Locked::Taken) => return Ok(true),
                Some(Locked::Busy(busy @ Busy::Aborted(..))) => self.clear_way(table, pk, busy, mode).await?,
                Some(Locked::Busy(busy)) => match self.lock_wait_mode() {
                    LockWait::Wait => self.clear_way(table, pk, busy, mode).await?,
                    LockWait::Nowait => return Err(EngineError::LockNowait),
                    LockWait::SkipLocked => return Ok(false),
                },
            }
        }
    }
}
