//! A command that came while this node holds no lease waits for one (R8 f).

use super::Connection;
use super::pipe::Lost;
use crate::backend::{Backend, Session};
use mysql_wire::Command;
use sql::error::SqlError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whether somebody wants the connection to end is looked at so often.
const LOOK: Duration = Duration::from_millis(250);
/// innodb_lock_wait_timeout where a session does not say, seconds.
const PATIENCE_S: u64 = 50;

impl<B: Backend> Connection<B> {
    /// Waits for the lease; false: the command was answered with 1205 instead, because it would have waited longer than for a lock.
    ///
    /// # Errors
    /// The connection ends: it was told to, or this node will never be leased again.
    pub(super) async fn leased(&mut self) -> Result<bool, Lost> {
        if self.answers_nothing() {
            return Ok(true);
        }
        let Some(lease) = self.shared.lease.get().map(Arc::clone) else { return Ok(true) };
        let patience = self.session.as_ref().and_then(|session| session.number("innodb_lock_wait_timeout"));
        let until = Instant::now() + Duration::from_secs(patience.unwrap_or(PATIENCE_S));
        self.pipe.entry.begin("Query", None);
        // Answers to what was pipelined before it are checked and whole: they do not wait with it.
        self.pipe.flush().await?;
        let mut held = lease.held();
        loop {
            match tokio::time::timeout(LOOK, &mut held).await {
                // Looked at again by the clock: the one who was woken may have slept on.
                Ok(Ok(())) if lease.holds_yet() => return Ok(true),
                Ok(Ok(())) => held = lease.held(),
                Ok(Err(_)) => return Err(Lost::Gone),
                Err(_) if Instant::now() < until => {}
                Err(_) => {
                    self.error(&SqlError::new(
                        1205,
                        "Lock wait timeout exceeded; try restarting transaction",
                    ));
                    return Ok(false);
                }
            }
            if let Some(ending) = self.pipe.entry.ending() {
                return Err(Lost::Ending(ending));
            }
        }
    }

    /// Commands that tell the client nothing, or nothing of the data.
    fn answers_nothing(&self) -> bool {
        matches!(
            Command::parse(self.inbox.payload(), self.capabilities),
            Ok(Command::Quit | Command::StmtSendLongData { .. } | Command::StmtClose(_) | Command::Ping)
        )
    }
}
