//! A transaction and the definitions of its tables.
//!
//! The first use of a table takes its metadata lock, kept to the end of the transaction, and makes sure that the caller's definition is
//! the current one: from there on it stays that.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::lock::{Grant, MetadataHolder, MetadataMode};
use crate::sync::{WaitEnd, wait};
use crate::txn::Txn;
use crate::txn::waits::Queued;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Txn {
    /// Whether the transaction may use a definition in this mode, without a wait.
    ///
    /// # Errors
    /// [`EngineError::StaleTable`] for a definition that is not the current one.
    pub(crate) fn holds(&mut self, table: &TableDef, mode: MetadataMode) -> Result<bool> {
        // The dictionary's own transactions are what DDL is made of.
        if !self.keeps_gaps() {
            return Ok(true);
        }
        if let Some((_, stamp, held)) = self.tables.iter().find(|(id, ..)| *id == table.id)
            && *held >= mode
        {
            return if *stamp == table.stamp { Ok(true) } else { Err(EngineError::StaleTable) };
        }
        let holder = self.holder();
        if !self.engine.locks.metadata.try_weak(&holder, table.id, mode) {
            return Ok(false);
        }
        self.note(table, mode).map(|()| true)
    }

    /// Makes a definition this transaction's to use; waits for DDL and LOCK TABLES of others.
    ///
    /// # Errors
    /// [`EngineError::StaleTable`]; 1213 (then the transaction is rolled back), 1205, 1317, 3024.
    pub(crate) async fn hold(&mut self, table: &TableDef, mode: MetadataMode) -> Result<()> {
        if !self.is_open() {
            return Err(EngineError::Closed);
        }
        if self.holds(table, mode)? {
            return Ok(());
        }
        self.check_killed()?;
        let (holder, owner, kill) = (self.holder(), self.owner(), self.kill_switch());
        let engine = Arc::clone(&self.engine);
        let request = engine.locks.metadata.ask(&holder, &owner, (table.id, mode, false));
        // From here on the end of the transaction has something to give back, however this ends.
        self.used_tables = true;
        let mut end = WaitEnd::Timeout;
        if request.parker.outcome().is_none() {
            let queued = Queued { engine: &engine, request: &request };
            engine.waits.start(&engine.locks, &request);
            let timeout_us = self.options.metadata_timeout_us;
            end = wait(&request.parker, engine.env.as_ref(), timeout_us, &kill).await;
            drop(queued);
        }
        match request.parker.outcome() {
            Some(Grant::Granted) => self.note(table, mode),
            Some(Grant::Victim) => {
                engine.counts.deadlocks.fetch_add(1, Ordering::Relaxed);
                self.rollback().await?;
                Err(EngineError::Deadlock)
            }
            None if end == WaitEnd::Killed => Err(kill.error().unwrap_or(EngineError::Interrupted)),
            None => Err(EngineError::LockWaitTimeout),
        }
    }

    /// The lock is held: is the definition the current one?
    fn note(&mut self, table: &TableDef, mode: MetadataMode) -> Result<()> {
        self.used_tables = true;
        if table.runtime.shared.stamp.load(Ordering::Acquire) != table.stamp {
            return Err(EngineError::StaleTable);
        }
        self.tables.retain(|(id, ..)| *id != table.id);
        self.tables.push((table.id, table.stamp, mode));
        Ok(())
    }

    fn holder(&mut self) -> Arc<MetadataHolder> {
        let (engine, session) = (&self.engine, self.options.session);
        Arc::clone(self.options.holder.get_or_insert_with(|| engine.locks.metadata.holder(session)))
    }

    /// What this transaction waits as, known to those who wait for its tables.
    pub(super) fn wait_as_owner(&self) {
        if let (Some(holder), Some(owner)) = (&self.options.holder, &self.owner) {
            holder.wait_as(owner);
        }
    }

    /// The end: metadata locks go.
    pub(super) fn release_tables(&mut self) {
        self.tables.clear();
        if std::mem::take(&mut self.used_tables)
            && let Some(holder) = &self.options.holder
        {
            self.engine.locks.metadata.release_weak(holder);
        }
    }
}
