//! Point reads.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::secondary::Entry;
use crate::format::{TxId, row};
use crate::lock::{LockMode, LockWait, MetadataMode, Owner, Verdict};
use crate::rows::batch::{RowBatch, RowLock, RowView};
use crate::rows::change::{Busy, access};
use crate::rows::entries;
use crate::rows::scan::successor;
use crate::rows::scratch::Entries;
use crate::rows::seen::{self, Eyes, Look, Walk};
use crate::txn::{Isolation, Txn};
use btree::{Covered, Direction, Spot};
use protocol::lsn::Lsn;
use std::ops::Bound;
use std::sync::Arc;

/// What a locking look found.
enum Locked {
    Taken(RowLock),
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
        if !self.holds(table, lock.metadata())? {
            Box::pin(self.hold(table, lock.metadata())).await?;
        }
        let done = self.get_at(table, index_no, key, lock, batch).await;
        if lock == LockMode::None { self.still_seen(done) } else { done }
    }

    /// As [`Txn::get`] by the clustered key and without a lock, at a level whose plain reads take none ([`Txn::locks_reads`]): a future so
    /// small that a caller keeps it where it stands. What is rare is boxed.
    ///
    /// # Errors
    /// As [`Txn::get`].
    pub async fn get_unlocked(
        &mut self,
        table: &Arc<TableDef>,
        key: &[u8],
        batch: &mut RowBatch,
    ) -> Result<bool> {
        assert!(!self.locks_reads(), "a plain read of a level that locks must go through get");
        batch.start(table);
        if !self.holds(table, MetadataMode::Read)? {
            Box::pin(self.hold(table, MetadataMode::Read)).await?;
        }
        let done = self.look_once(table, key, batch).await;
        self.still_seen(done)
    }

    async fn look_once(&mut self, table: &Arc<TableDef>, key: &[u8], batch: &mut RowBatch) -> Result<bool> {
        let eyes = self.eyes();
        let engine = &self.engine;
        let look = |value: &[u8]| {
            let look = seen::look(engine, eyes, value)?;
            if look == Look::Here {
                batch.push(key, value);
            }
            Ok::<_, EngineError>(look)
        };
        match table.runtime.trees[0].get(key, look).await?.transpose()? {
            None | Some(Look::Gone) => Ok(false),
            Some(Look::Here) if !batch.last_needs_chains() => Ok(true),
            Some(Look::Here) => {
                batch.truncate(batch.len() - 1);
                Box::pin(self.read_row(table, key, LockMode::None, batch)).await
            }
            Some(Look::Below) => Box::pin(self.read_row(table, key, LockMode::None, batch)).await,
        }
    }

    async fn get_at(
        &mut self,
        table: &Arc<TableDef>,
        index_no: usize,
        key: &[u8],
        lock: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        if index_no == 0 {
            let gap = lock != LockMode::None && self.locks_gaps();
            return self.read_found(table, key, lock, gap, batch).await;
        }
        self.check_index(table, index_no, lock)?;
        if self.get_by_index(table, index_no, key, lock, false, batch).await? {
            return Ok(true);
        }
        if lock == LockMode::None || !self.locks_gaps() {
            return Ok(false);
        }
        // Nothing there: once more, keeping inserts out of where it would be.
        self.get_by_index(table, index_no, key, lock, true, batch).await
    }

    async fn get_by_index(
        &mut self,
        table: &Arc<TableDef>,
        index_no: usize,
        key: &[u8],
        lock: LockMode,
        gap: bool,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let upper = successor(key);
        let upper = upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut cursor =
            table.runtime.trees[index_no].cursor(Bound::Included(key), upper, Direction::Forward);
        let tree = table.runtime.trees[index_no].id();
        let mut found = Entries::lend();
        loop {
            let more = if gap {
                let (engine, owner) = (Arc::clone(&self.engine), self.owner());
                let keep = |c: Covered<'_>| engine.locks.gaps.add(&owner, tree, c.from, c.to);
                cursor.next_batch_with(&mut found, 16, keep).await?
            } else {
                cursor.next_batch(&mut found, 16).await?
            };
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
        let same = match entries::has_key(table, no, batch.last_row(), &entry[..own])? {
            Some(same) => same,
            None => {
                let engine = Arc::clone(&self.engine);
                let whole = entries::key_of_any_row(&engine, table, no, batch.last_row(), &entry[own..]);
                whole.await?.0 == entry
            }
        };
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
        self.read_found(table, pk, lock, false, batch).await
    }

    /// As [`Txn::read_row`]; with `gap`, inserts are kept out of where a row would be that is not there.
    async fn read_found(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        lock: LockMode,
        gap: bool,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let found = match lock {
            LockMode::None => self.read_seen(table, pk, batch).await?,
            mode => self.read_locked(table, pk, mode, gap, batch).await?,
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
        self.read_at(eyes, table, pk, batch).await
    }

    async fn read_at(
        &self,
        eyes: Eyes,
        table: &Arc<TableDef>,
        pk: &[u8],
        batch: &mut RowBatch,
    ) -> Result<bool> {
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

    /// Locks a row that a semi-consistent read gave without its lock, and appends its newest version; false when it is gone.
    ///
    /// # Errors
    /// As [`Txn::get`].
    pub async fn lock_row(
        &mut self,
        table: &Arc<TableDef>,
        row: RowView<'_>,
        mode: LockMode,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        batch.start(table);
        if !self.holds(table, mode.metadata())? {
            Box::pin(self.hold(table, mode.metadata())).await?;
        }
        self.read_row(table, row.key(), mode, batch).await
    }

    /// READ COMMITTED keeps no lock on a row that does not match: gives back what this row's read has locked. Does nothing at other levels,
    /// and for a row locked before.
    pub fn unlock_row(&mut self, table: &TableDef, row: RowView<'_>) {
        if row.lock() != RowLock::Fresh || self.isolation() != Isolation::ReadCommitted {
            return;
        }
        let owner = self.owner();
        self.engine.locks.unlock(&owner, table.indexes[0].id.0, row.key());
    }

    /// The newest committed version, locked.
    pub(crate) async fn read_locked(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        mode: LockMode,
        gap: bool,
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let engine = Arc::clone(&self.engine);
        let owner = self.owner();
        let me = self.txid();
        let mut fresh = None;
        loop {
            let mut committed = Lsn::ZERO;
            let site = Place { engine: &engine, owner: &owner, me, tree: table.runtime.trees[0].id(), pk };
            let seen = table.runtime.trees[0]
                .spot(pk, |spot| site.lock(spot, mode, gap, &mut committed, batch))
                .await??;
            self.observe(committed);
            let busy = match seen {
                Locked::Gone => return Ok(false),
                Locked::Taken(lock) => {
                    batch.set_lock(fresh.unwrap_or(lock));
                    return Ok(true);
                }
                Locked::Busy(busy) => busy,
            };
            match self.lock_wait_mode() {
                _ if matches!(busy, Busy::Aborted(..)) => {}
                LockWait::Wait => {
                    let had = engine.locks.held(owner.id, table.runtime.trees[0].id(), pk).is_some();
                    fresh = Some(if had { RowLock::Before } else { RowLock::Fresh });
                }
                LockWait::Nowait => return Err(EngineError::LockNowait),
                LockWait::SkipLocked => return Ok(false),
                LockWait::Semi => return self.read_committed(table, pk, batch).await,
            }
            self.clear_way(table, pk, busy, mode).await?;
        }
    }

    /// The last committed version of a row that another transaction has locked, unlocked as it is.
    async fn read_committed(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        batch: &mut RowBatch,
    ) -> Result<bool> {
        // In sight of everything that is committed; what others are at is hidden.
        let eyes = Eyes { me: self.txid(), view: Lsn::MAX };
        let found = self.read_at(eyes, table, pk, batch).await?;
        batch.set_lock(if found { RowLock::Missing } else { RowLock::Before });
        Ok(found)
    }
}

/// A row to be locked.
struct Place<'a> {
    engine: &'a Engine,
    owner: &'a Arc<Owner>,
    me: TxId,
    tree: u64,
    pk: &'a [u8],
}

impl Place<'_> {
    /// Locks the row under its latch, if that needs no waiting.
    fn lock(
        &self,
        spot: Spot<'_>,
        mode: LockMode,
        gap: bool,
        committed: &mut Lsn,
        batch: &mut RowBatch,
    ) -> Result<Locked> {
        let locks = &self.engine.locks;
        let header = spot.value().map(row::header).transpose()?;
        if let Some(busy) = header.as_ref().and_then(|h| access(self.engine, self.me, h, committed)) {
            return Ok(Locked::Busy(busy));
        }
        let (Some(header), Some(value)) = (header.filter(|h| !h.deleted), spot.value()) else {
            if gap {
                spot.gap(|from, to| locks.gaps.add(self.owner, self.tree, from, to));
            }
            return Ok(Locked::Gone);
        };
        let own = header.txid == self.me && self.me != TxId::NONE;
        let lock = match own {
            true => RowLock::Before,
            false => match locks.try_lock(self.owner, self.tree, self.pk, mode) {
                Verdict::Granted => RowLock::Fresh,
                Verdict::Held => RowLock::Before,
                Verdict::Conflict => return Ok(Locked::Busy(Busy::Locked)),
            },
        };
        batch.push(self.pk, value);
        Ok(Locked::Taken(lock))
    }
}
