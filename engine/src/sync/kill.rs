//! KILL, KILL QUERY and the statement's deadline: one switch per session, read by every wait and every 256 rows.

use crate::error::EngineError;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::Waker;

const LIVE: u8 = 0;
const QUERY: u8 = 1;
const DEADLINE: u8 = 2;

/// Ends the waits of one session. A session's task is the only one that waits on it.
#[derive(Debug, Default)]
pub struct KillSwitch {
    state: AtomicU8,
    deadline: AtomicU64,
    waiter: Mutex<Option<Waker>>,
}

impl KillSwitch {
    /// A switch that is off.
    #[must_use]
    pub fn new() -> KillSwitch {
        KillSwitch::default()
    }

    /// Ends the running statement with 1317 at its next wait or check.
    pub fn kill(&self) {
        self.state.store(QUERY, Ordering::Release);
        if let Some(waker) = self.waiter.lock().take() {
            waker.wake();
        }
    }

    /// Off again; call it when a statement starts. `deadline_us` on `Env`'s clock, 0 for none: past it, waits end with 3024.
    pub fn arm(&self, deadline_us: u64) {
        self.deadline.store(deadline_us, Ordering::Relaxed);
        self.state.store(LIVE, Ordering::Release);
    }

    /// The deadline, if any.
    #[must_use]
    pub fn deadline_us(&self) -> Option<u64> {
        Some(self.deadline.load(Ordering::Relaxed)).filter(|d| *d > 0)
    }

    /// An error if the switch is on or the deadline passed.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`] or [`EngineError::DeadlinePassed`].
    pub fn check(&self, now_us: u64) -> Result<(), EngineError> {
        if self.deadline_us().is_some_and(|d| now_us >= d) {
            self.deadline_passed();
        }
        self.error().map_or(Ok(()), Err)
    }

    pub(crate) fn deadline_passed(&self) {
        let _ = self.state.compare_exchange(LIVE, DEADLINE, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn error(&self) -> Option<EngineError> {
        match self.state.load(Ordering::Acquire) {
            LIVE => None,
            DEADLINE => Some(EngineError::DeadlinePassed),
            _ => Some(EngineError::Interrupted),
        }
    }

    pub(crate) fn poll_killed(&self, waker: &Waker) -> bool {
        *self.waiter.lock() = Some(waker.clone());
        self.state.load(Ordering::Acquire) != LIVE
    }
}
