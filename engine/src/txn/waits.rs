//! Waiting for a row lock.

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::lock::{Grant, LockMode, Request};
use crate::sync::{WaitEnd, wait};
use crate::txn::Txn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A request in the queue; leaves it when the waiting task goes away.
pub(crate) struct Queued<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) request: &'a Request,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.engine.waits.end(self.request.owner.id);
        if self.request.parker.outcome() != Some(Grant::Granted) {
            self.engine.locks.withdraw(self.request);
        }
    }
}

impl Txn {
    /// Queues for a record's lock and waits for it.
    ///
    /// # Errors
    /// 1213 (then the transaction is rolled back), 1205, 1317, 3024.
    pub(crate) async fn lock_wait(&mut self, tree: u64, key: &[u8], mode: LockMode) -> Result<()> {
        self.check_killed()?;
        let owner = self.owner();
        let request = self.engine.locks.enqueue(&owner, tree, key, mode);
        self.wait_for(request).await
    }

    /// Waits until nobody else holds a gap over a key. Nothing is held then: the insert looks again.
    ///
    /// # Errors
    /// As [`Txn::lock_wait`].
    pub(crate) async fn gap_wait(&mut self, tree: u64, key: &[u8]) -> Result<()> {
        self.check_killed()?;
        let owner = self.owner();
        let request = self.engine.locks.gaps.enqueue(&owner, tree, key);
        self.wait_for(request).await
    }

    async fn wait_for(&mut self, request: Request) -> Result<()> {
        if request.parker.outcome() == Some(Grant::Granted) {
            return Ok(());
        }
        let engine = Arc::clone(&self.engine);
        let kill = self.kill_switch();
        engine.counts.lock_waits.fetch_add(1, Ordering::Relaxed);
        self.wait_as_owner();
        let queued = Queued { engine: &engine, request: &request };
        engine.waits.start(&engine.locks, &request);
        let end = wait(&request.parker, engine.env.as_ref(), self.options.lock_wait_timeout_us, &kill).await;
        drop(queued);
        // What was decided while the wait ended for another reason counts.
        match request.parker.outcome() {
            Some(Grant::Granted) => Ok(()),
            Some(Grant::Victim) => {
                engine.counts.deadlocks.fetch_add(1, Ordering::Relaxed);
                self.rollback().await?;
                Err(EngineError::Deadlock)
            }
            None if end == WaitEnd::Killed => Err(kill.error().unwrap_or(EngineError::Interrupted)),
            None => Err(EngineError::LockWaitTimeout),
        }
    }
}
