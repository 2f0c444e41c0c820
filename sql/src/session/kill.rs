//! The handle by which others end a session or its statement.

use engine::KillSwitch;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a session's statement, or the session. Shared with whoever serves KILL.
#[derive(Debug, Default)]
pub struct KillHandle {
    switch: Arc<KillSwitch>,
    killed: AtomicBool,
}

impl KillHandle {
    pub(crate) fn new() -> KillHandle {
        KillHandle::default()
    }

    /// KILL QUERY: the running statement ends with 1317; an idle session does not notice.
    pub fn kill_query(&self) {
        self.switch.kill();
    }

    /// KILL CONNECTION: the running statement ends, and the session asks to be closed. The caller closes an idle connection itself.
    pub fn kill_connection(&self) {
        self.killed.store(true, Ordering::Release);
        self.switch.kill();
    }

    /// Was [`KillHandle::kill_connection`] called?
    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    pub(crate) fn switch(&self) -> &Arc<KillSwitch> {
        &self.switch
    }
}
