//! KILL, and the handle by which others end a session or its statement.

use super::Session;
use crate::ast::Expr;
use crate::bind::Binder;
use crate::error::{Result, SqlError};
use crate::expr::Eval;
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

impl Session {
    /// KILL [QUERY | CONNECTION] id: one's own connections, or anybody's for an administrator. Killing oneself is an error too, as in MySQL.
    pub(super) async fn kill_connection(&mut self, query: bool, id: &Expr) -> Result<()> {
        let bound = Binder::new(&self.context, &[]).bind_in("field list", id)?;
        let id = bound.integer(&mut Eval::constant(&[], &mut self.context))?;
        let id = id.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let unknown = || SqlError::new(1094, format!("Unknown thread id: {id}"));
        let processes = self.server.host.processes();
        let process = processes.into_iter().find(|process| process.id == id).ok_or_else(unknown)?;
        if process.user != self.context.user && self.may_administer("CONNECTION_ADMIN").await.is_err() {
            return Err(SqlError::new(1095, format!("You are not owner of thread {id}")));
        }
        if !self.server.host.kill(id, query) {
            return Err(unknown());
        }
        if id == self.context.connection_id {
            return Err(SqlError::new(1317, "Query execution was interrupted"));
        }
        Ok(())
    }
}
