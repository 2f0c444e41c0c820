//! Room in the log before a statement writes: the one place where a stalled quorum ends a statement.
//!
//! While fewer than four of six copies answer, VDL stands still and the log may run ahead of it by LAL and no further. A statement that has
//! written waits for room however long it takes: it ends by itself when the quorum is back, and to break off then would mean to undo, which
//! writes too. One that has written nothing can be told: it waits here as long as it would for a row lock, and then ends with 1205.
//!
//! ```text
//!   statement ─► room_to_write ── there is room ─► writes; waits inside if it must
//!                      └─ none ─► waits its turn ─ innodb_lock_wait_timeout ─► 1205, nothing was written
//! ```
//! Nothing is kept: whoever was let through may find the room taken by others and waits with those who have written.

use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::sync::KillSwitch;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// What a row's mini-transaction asks for at most, about; far below the least LAL.
const ROOM_BYTES: usize = 16 << 10;

impl Engine {
    /// Completes when there is room for a write, at once as long as the log does not stall.
    ///
    /// # Errors
    /// [`EngineError::LockWaitTimeout`] after `timeout_us` without; 1317, 3024; and once nothing can be written any more.
    pub async fn room_to_write(&self, timeout_us: u64, kill: &KillSwitch) -> Result<()> {
        let mut room = pin!(self.pool.reserve(ROOM_BYTES));
        // Timers are made by those who wait only.
        let mut timers = None;
        poll_fn(|cx| {
            if let Poll::Ready(credit) = room.as_mut().poll(cx) {
                // The credit goes back: what the statement writes takes its own.
                return Poll::Ready(credit.map(drop).map_err(EngineError::from));
            }
            if kill.poll_killed(cx.waker()) {
                return Poll::Ready(Err(kill.error().unwrap_or(EngineError::Interrupted)));
            }
            let (patience, deadline) = timers.get_or_insert_with(|| {
                let left = kill.deadline_us().map(|at| at.saturating_sub(self.env.now_us()));
                (self.env.sleep(timeout_us), left.map(|us| self.env.sleep(us)))
            });
            if deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
                kill.deadline_passed();
                return Poll::Ready(Err(kill.error().unwrap_or(EngineError::Interrupted)));
            }
            patience.as_mut().poll(cx).map(|()| Err(EngineError::LockWaitTimeout))
        })
        .await
    }
}
