//! AUTO_INCREMENT: never the same value twice, whatever happens; after a crash a chunk may be skipped.
//!
//! A tree of its own maps table ids to ceilings. A value is given out only below the ceiling, which is raised a chunk at a time by a
//! mini-transaction that precedes (in the log) every row with such a value. A clean shutdown writes the exact next value.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::schema::{TableDef, TableId};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::txn::Txn;
use btree::{Decision, Room};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Engine {
    /// Writes a table's ceiling, whatever it was.
    pub(crate) async fn set_auto_ceiling(&self, table: TableId, ceiling: u64) -> Result<()> {
        let bytes = ceiling.to_le_bytes();
        self.catalog
            .counters
            .modify(&table.0.to_be_bytes(), Room { value_bytes: 8, log_bytes: 0 }, &[], |edit| {
                match edit.value().map(|old| old == bytes) {
                    Some(true) => return Decision::Abort(()),
                    Some(false) => edit.replace(&bytes),
                    None => edit.insert(&bytes),
                }
                Decision::Done(())
            })
            .await?;
        Ok(())
    }

    async fn auto_ceiling(&self, table: TableId) -> Result<u64> {
        let found = self
            .catalog
            .counters
            .get(&table.0.to_be_bytes(), |v| v.try_into().map(u64::from_le_bytes))
            .await?;
        match found {
            None => Ok(1),
            Some(Ok(ceiling)) => Ok(ceiling.max(1)),
            Some(Err(_)) => {
                Err(EngineError::corrupt(self.catalog.counters.root_id(), "auto-increment ceiling"))
            }
        }
    }

    /// Loads a table's counter once.
    async fn load_auto(&self, table: &TableDef) -> Result<()> {
        let shared = &table.runtime.shared;
        if shared.next_auto.load(Ordering::Acquire) == 0 {
            let _pass = shared.auto_gate.enter().await;
            if shared.next_auto.load(Ordering::Acquire) == 0 {
                let ceiling = self.auto_ceiling(table.id).await?;
                shared.auto_ceiling.store(ceiling, Ordering::Release);
                shared.next_auto.store(ceiling, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Raises the ceiling above `value`.
    async fn cover_auto(&self, table: &TableDef, value: u64) -> Result<()> {
        let shared = &table.runtime.shared;
        if value < shared.auto_ceiling.load(Ordering::Acquire) {
            return Ok(());
        }
        let _pass = shared.auto_gate.enter().await;
        if value >= shared.auto_ceiling.load(Ordering::Acquire) {
            let ceiling = value.saturating_add(self.settings.counter_chunk);
            self.set_auto_ceiling(table.id, ceiling).await?;
            shared.auto_ceiling.store(ceiling, Ordering::Release);
        }
        Ok(())
    }

    /// TRUNCATE: counts from 1 again.
    pub(crate) async fn reset_auto_increment(&self, table: &TableDef) -> Result<()> {
        self.restart_auto_increment(table, 1).await
    }

    pub(super) async fn restart_auto_increment(&self, table: &TableDef, next: u64) -> Result<()> {
        let shared = &table.runtime.shared;
        let _pass = shared.auto_gate.enter().await;
        self.set_auto_ceiling(table.id, next).await?;
        shared.auto_ceiling.store(next, Ordering::Release);
        shared.next_auto.store(next, Ordering::Release);
        Ok(())
    }

    /// A clean shutdown: the ceilings become the exact next values.
    pub(crate) async fn save_auto_increment(&self) -> Result<()> {
        for (table, shared) in self.catalog.all_shared() {
            let next = shared.next_auto.load(Ordering::Acquire);
            if next > 0 && shared.stamp.load(Ordering::Acquire) != u64::MAX {
                let _pass = shared.auto_gate.enter().await;
                // From here on no value is given out: the next one would raise the ceiling first.
                shared.auto_ceiling.store(next, Ordering::Release);
                self.set_auto_ceiling(table, shared.next_auto.load(Ordering::Acquire)).await?;
            }
        }
        Ok(())
    }
}

impl Txn {
    /// Takes `count` consecutive AUTO_INCREMENT values; returns the first.
    ///
    /// # Errors
    /// [`EngineError::AutoIncrementExhausted`], and those of the volume.
    pub async fn next_auto_increment(&self, table: &Arc<TableDef>, count: u64) -> Result<u64> {
        self.engine.load_auto(table).await?;
        let shared = &table.runtime.shared;
        loop {
            let first = shared.next_auto.load(Ordering::Acquire);
            let after = first.checked_add(count.max(1)).ok_or(EngineError::AutoIncrementExhausted)?;
            self.engine.cover_auto(table, after - 1).await?;
            let taken = shared.next_auto.compare_exchange(first, after, Ordering::AcqRel, Ordering::Acquire);
            if taken.is_ok() {
                return Ok(first);
            }
        }
    }

    /// A value was given explicitly: later ones are above it.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn note_auto_increment(&self, table: &Arc<TableDef>, explicit: u64) -> Result<()> {
        self.engine.load_auto(table).await?;
        let shared = &table.runtime.shared;
        if explicit < shared.next_auto.load(Ordering::Acquire) {
            return Ok(());
        }
        self.engine.cover_auto(table, explicit).await?;
        shared.next_auto.fetch_max(explicit.saturating_add(1), Ordering::AcqRel);
        Ok(())
    }

    /// The next value, for SHOW CREATE TABLE.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn auto_increment_value(&self, table: &Arc<TableDef>) -> Result<u64> {
        self.engine.load_auto(table).await?;
        Ok(table.runtime.shared.next_auto.load(Ordering::Acquire))
    }
}

impl Dictionary {
    /// ALTER TABLE ... AUTO_INCREMENT = `next`. The caller makes sure that it is above every value in use.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`], 1205, and those of the volume.
    pub async fn set_auto_increment(&self, schema: &str, table: &str, next: u64) -> Result<()> {
        let (table, _alone, _pass) = self.must_alone(schema, table).await?;
        self.engine.restart_auto_increment(&table, next.max(1)).await?;
        self.engine.wait_durable(self.engine.log.last_lsn()).await?;
        Ok(())
    }
}
