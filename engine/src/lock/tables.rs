//! Strong metadata locks: those of a DDL statement, and LOCK TABLES.

use super::metadata::{MetadataHolder, MetadataMode};
use super::owner::{Grant, Owner};
use crate::dictionary::{TableDef, TableId};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::sync::{KillSwitch, WaitEnd, wait};
use crate::txn::Queued;
use std::sync::Arc;

/// What a DDL statement or LOCK TABLES costs to end: in a deadlock a transaction gives way to it, as in MySQL.
const DDL_COST: u64 = 1 << 60;

impl Engine {
    /// A session's place among the metadata locks; `session` is for reports (a connection id).
    #[must_use]
    pub fn metadata_holder(&self, session: u32) -> Arc<MetadataHolder> {
        self.locks.metadata.holder(session)
    }

    async fn take_strong(
        &self,
        holder: &Arc<MetadataHolder>,
        wanted: (TableId, MetadataMode, bool),
        timeout_us: u64,
        kill: &KillSwitch,
    ) -> Result<()> {
        let owner = Owner::new(self.new_owner(), holder.session());
        owner.add_cost(DDL_COST);
        let request = self.locks.metadata.ask(holder, &owner, wanted);
        let mut end = WaitEnd::Timeout;
        if request.parker.outcome().is_none() {
            let queued = Queued { engine: self, request: &request };
            self.waits.start(&self.locks, &request);
            end = wait(&request.parker, self.env.as_ref(), timeout_us, kill).await;
            drop(queued);
        }
        match request.parker.outcome() {
            Some(Grant::Granted) => Ok(()),
            Some(Grant::Victim) => Err(EngineError::Deadlock),
            None if end == WaitEnd::Killed => Err(kill.error().unwrap_or(EngineError::Interrupted)),
            None => Err(EngineError::LockWaitTimeout),
        }
    }
}

/// A DDL statement's lock of one table, given back when dropped.
#[derive(Debug)]
pub(crate) struct Alone {
    engine: Arc<Engine>,
    holder: Arc<MetadataHolder>,
    table: TableId,
}

impl Alone {
    /// Waits for the lock.
    pub(crate) async fn take(
        engine: &Arc<Engine>,
        holder: &Arc<MetadataHolder>,
        table: TableId,
        mode: MetadataMode,
        timeout_us: u64,
        kill: &KillSwitch,
    ) -> Result<Alone> {
        // Made before it is granted: should the waiting task go away, what was granted meanwhile is given back.
        let alone = Alone { engine: Arc::clone(engine), holder: Arc::clone(holder), table };
        engine.take_strong(holder, (table, mode, false), timeout_us, kill).await?;
        Ok(alone)
    }

    /// Nobody else may use the table from here on; those who do are waited for.
    pub(crate) async fn upgrade(&self, timeout_us: u64, kill: &KillSwitch) -> Result<()> {
        let wanted = (self.table, MetadataMode::Exclusive, false);
        self.engine.take_strong(&self.holder, wanted, timeout_us, kill).await
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.engine.locks.metadata.release_strong(&self.holder, self.table, false);
    }
}

/// What LOCK TABLES has locked; dropping it is UNLOCK TABLES.
#[derive(Debug)]
pub struct TableLocks {
    engine: Arc<Engine>,
    holder: Arc<MetadataHolder>,
    tables: Vec<TableId>,
}

impl TableLocks {
    /// LOCK TABLES: each table for writing (true) or for reading, in the order of their ids; a table named twice is locked for writing if any says
    /// so. The session holds nothing else that waits can run in a circle with.
    ///
    /// # Errors
    /// [`EngineError::StaleTable`] when a definition is not the current one any more: resolve the names again. 1205, 1213, 1317.
    pub async fn take(
        engine: &Arc<Engine>,
        holder: &Arc<MetadataHolder>,
        tables: &[(Arc<TableDef>, bool)],
        timeout_us: u64,
        kill: &KillSwitch,
    ) -> Result<TableLocks> {
        let mut wanted: Vec<(TableId, bool)> = tables.iter().map(|(t, write)| (t.id, *write)).collect();
        wanted.sort_by_key(|(id, write)| (*id, !*write));
        wanted.dedup_by_key(|(id, _)| *id);
        let (engine, holder) = (Arc::clone(engine), Arc::clone(holder));
        let mut locks = TableLocks { engine, holder, tables: Vec::with_capacity(wanted.len()) };
        for (table, write) in wanted {
            let mode = if write { MetadataMode::Exclusive } else { MetadataMode::ReadOnly };
            locks.tables.push(table);
            locks.engine.take_strong(&locks.holder, (table, mode, true), timeout_us, kill).await?;
        }
        let stamp = |t: &TableDef| t.runtime.shared.stamp.load(std::sync::atomic::Ordering::Acquire);
        match tables.iter().all(|(t, _)| stamp(t) == t.stamp) {
            true => Ok(locks),
            false => Err(EngineError::StaleTable),
        }
    }
}

impl Drop for TableLocks {
    fn drop(&mut self) {
        for table in self.tables.drain(..) {
            self.engine.locks.metadata.release_strong(&self.holder, table, true);
        }
    }
}
