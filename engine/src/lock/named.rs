//! Locks on names: what GET_LOCK and its kin are made of. They belong to a session, not to a transaction, and live until they are released
//! or the session goes.

use super::name::LockRef;
use super::owner::{Grant, Owner, Request};
use super::{LockMode, Verdict};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::sync::{KillSwitch, wait};
use std::collections::BTreeMap;
use std::sync::Arc;

/// No tree has this id.
const NAMES: u64 = u64::MAX;

/// The named locks of one session; dropping it releases them.
#[derive(Debug)]
pub struct NamedLocks {
    engine: Arc<Engine>,
    owner: Arc<Owner>,
    /// How often each is held.
    held: BTreeMap<Vec<u8>, u64>,
}

/// A request in the queue; leaves it when the waiting task goes away.
struct Queued<'a> {
    engine: &'a Engine,
    request: &'a Request,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.engine.waits.end(self.request.owner.id);
        if self.request.parker.outcome() != Some(Grant::Granted) {
            self.engine.locks.withdraw(self.request);
        }
    }
}

impl Engine {
    /// The named locks of a new session; `session` is what [`NamedLocks::used_by`] tells others (a connection id).
    #[must_use]
    pub fn named_locks(self: &Arc<Self>, session: u32) -> NamedLocks {
        let owner = Owner::new(self.new_owner(), session);
        NamedLocks { engine: Arc::clone(self), owner, held: BTreeMap::new() }
    }
}

impl NamedLocks {
    /// Takes a lock, waiting at most `timeout_us`; once more if it is held already. False: another session kept it all the time. The
    /// caller folds the name (MySQL's are case-insensitive).
    ///
    /// # Errors
    /// [`EngineError::UserLockDeadlock`] when sessions would wait for each other in a circle; 1317 and 3024 by the switch.
    pub async fn get(&mut self, name: &[u8], timeout_us: u64, kill: &KillSwitch) -> Result<bool> {
        let engine = Arc::clone(&self.engine);
        if engine.locks.try_lock(&self.owner, NAMES, name, LockMode::Exclusive) == Verdict::Conflict {
            let request = engine.locks.enqueue(&self.owner, NAMES, name, LockMode::Exclusive);
            if request.parker.outcome().is_none() {
                let queued = Queued { engine: &engine, request: &request };
                engine.waits.start(&engine.locks, &request);
                wait(&request.parker, engine.env.as_ref(), timeout_us, kill).await;
                drop(queued);
            }
            match request.parker.outcome() {
                Some(Grant::Granted) => {}
                Some(Grant::Victim) => return Err(EngineError::UserLockDeadlock),
                None => return kill.error().map_or(Ok(false), Err),
            }
        }
        *self.held.entry(name.to_vec()).or_default() += 1;
        Ok(true)
    }

    /// Gives a lock back once. `Some(false)`: it is another session's; `None`: nobody has it.
    pub fn release(&mut self, name: &[u8]) -> Option<bool> {
        let Some(count) = self.held.get_mut(name) else { return self.used_by(name).map(|_| false) };
        *count -= 1;
        if *count == 0 {
            self.held.remove(name);
            self.engine.locks.unlock(&self.owner, NAMES, name);
        }
        Some(true)
    }

    /// Gives all locks back; returns how many there were, each as often as it was taken.
    pub fn release_all(&mut self) -> u64 {
        let mut count = 0;
        for (name, times) in std::mem::take(&mut self.held) {
            self.engine.locks.unlock(&self.owner, NAMES, &name);
            count += times;
        }
        count
    }

    /// The session that has a lock.
    #[must_use]
    pub fn used_by(&self, name: &[u8]) -> Option<u32> {
        self.engine.locks.holder(&LockRef::new(NAMES, name)).map(|o| o.session)
    }
}

impl Drop for NamedLocks {
    fn drop(&mut self) {
        self.release_all();
    }
}
