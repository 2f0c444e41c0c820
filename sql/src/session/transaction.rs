//! Transactions: when they start, how statements end them, savepoints.

use super::Session;
use crate::ast::Isolation as Level;
use crate::error::{Result, SqlError};
use engine::{Isolation, Txn, TxnOptions};

impl Session {
    pub(super) fn in_transaction(&self) -> bool {
        self.explicit || self.txn.as_ref().is_some_and(|t| t.is_open() && !self.context.settings.autocommit)
    }

    /// Does each statement commit by itself now?
    pub(super) fn autocommits(&self) -> bool {
        self.context.settings.autocommit && !self.explicit
    }

    fn options(&mut self) -> TxnOptions {
        let settings = &self.context.settings;
        let isolation = match self.next_isolation.take().unwrap_or(settings.isolation) {
            Level::ReadUncommitted | Level::ReadCommitted => Isolation::ReadCommitted,
            Level::RepeatableRead => Isolation::RepeatableRead,
            Level::Serializable => Isolation::Serializable,
        };
        self.read_only = self.next_read_only.take().unwrap_or(settings.read_only);
        TxnOptions {
            isolation,
            read_only: self.read_only,
            lock_wait_timeout_us: settings.lock_wait_timeout_us,
            metadata_timeout_us: settings.metadata_timeout_us,
            session: self.context.connection_id as u32,
            holder: Some(self.holder.clone()),
            kill: Some(self.kill.switch().clone()),
        }
    }

    /// The open transaction, begun if need be.
    pub(super) fn transaction(&mut self) -> &mut Txn {
        if !self.txn.as_ref().is_some_and(Txn::is_open) {
            let options = self.options();
            self.txn = Some(self.server.engine.begin(options));
        }
        self.txn.as_mut().expect("invariant: set above")
    }

    /// Commits what is open and waits until it is durable.
    pub(super) async fn commit(&mut self) -> Result<()> {
        self.explicit = false;
        let Some(mut txn) = self.txn.take() else { return Ok(()) };
        if !txn.is_open() {
            return Ok(());
        }
        let lsn = txn.commit().await?;
        let depends = txn.observed().max(lsn);
        self.server.engine.wait_durable(depends).await?;
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Result<()> {
        self.explicit = false;
        let Some(mut txn) = self.txn.take() else { return Ok(()) };
        if txn.is_open() {
            txn.rollback().await?;
        }
        Ok(())
    }

    /// START TRANSACTION.
    pub(super) async fn begin(&mut self, read_only: Option<bool>, snapshot: bool) -> Result<()> {
        self.commit().await?;
        self.locked = None;
        if read_only.is_some() {
            self.next_read_only = read_only;
        }
        self.explicit = true;
        self.tracker.begins(read_only, snapshot);
        let txn = self.transaction();
        if snapshot {
            txn.open_view();
        }
        Ok(())
    }

    /// After a failed statement: its writes are undone; alone it takes its transaction with it.
    pub(super) async fn abandon_statement(&mut self) -> Result<()> {
        let alone = self.autocommits();
        let Some(txn) = self.txn.as_mut() else { return Ok(()) };
        if !txn.is_open() {
            self.txn = None;
            self.explicit = false;
            return Ok(());
        }
        if alone {
            return self.roll_back().await;
        }
        txn.rollback_statement().await?;
        Ok(())
    }

    /// After a statement that went well: commits it if it is alone, and waits until all it saw is durable.
    pub(super) async fn finish_statement(&mut self) -> Result<()> {
        if self.autocommits() {
            return self.commit().await;
        }
        if let Some(txn) = &self.txn {
            let seen = txn.observed();
            self.server.engine.wait_durable(seen).await?;
        }
        Ok(())
    }

    pub(super) fn savepoint(&mut self, name: &str) {
        if self.autocommits() {
            return; // MySQL: a savepoint outside a transaction ends with its statement
        }
        self.transaction().savepoint(&name.to_lowercase());
    }

    pub(super) async fn rollback_to(&mut self, name: &str) -> Result<()> {
        let missing = || SqlError::new(1305, format!("SAVEPOINT {name} does not exist"));
        let txn = self.txn.as_mut().filter(|t| t.is_open()).ok_or_else(missing)?;
        txn.rollback_to(&name.to_lowercase()).await.map_err(|e| savepoint_error(e, name))
    }

    pub(super) fn release_savepoint(&mut self, name: &str) -> Result<()> {
        let missing = || SqlError::new(1305, format!("SAVEPOINT {name} does not exist"));
        let txn = self.txn.as_mut().filter(|t| t.is_open()).ok_or_else(missing)?;
        txn.release(&name.to_lowercase()).map_err(|e| savepoint_error(e, name))
    }
}

/// The name as the client wrote it.
fn savepoint_error(error: engine::EngineError, name: &str) -> SqlError {
    match error {
        engine::EngineError::NoSuchSavepoint(_) => {
            SqlError::new(1305, format!("SAVEPOINT {name} does not exist"))
        }
        other => other.into(),
    }
}
