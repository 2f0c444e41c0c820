//! Statements: a client asks a process, which answers from what it knows, if it may (R8, I23).
//!
//! ```text
//!   client sends ──► read from the socket ──► lease checked, clock read ──► answered from VDL
//!     must see: every commit acknowledged by anybody before this                 fails if VDL lies below
//! ```
//! Every open writer is asked, the newest as well as one that a rival has deposed and that does not know it yet.

use crate::compute::{Compute, Told};
use protocol::{Lsn, mutant};
use std::collections::VecDeque;

/// A statement that waits for the lease.
const WAITING: usize = 16;
/// Planted bugs: how long a flag or a shared view is trusted.
const TRUSTED_US: u64 = 15_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    waiting: VecDeque<Lsn>,
    /// Planted bug: a flag kept by a timer, and when it was set.
    flag: Option<(bool, u64)>,
    /// Planted bug: the view of an earlier statement, and when it was checked.
    view: Option<(Lsn, u64)>,
}

impl Compute {
    /// A statement was read from its socket; `must_see` is the last commit that had been acknowledged when the client sent it.
    pub(crate) fn statement(&mut self, now_us: u64, must_see: Lsn, told: &mut Vec<Told>) {
        if self.log().is_some() && self.statements.waiting.len() < WAITING {
            self.statements.waiting.push_back(must_see);
        }
        self.drive_statements(now_us, told);
    }

    /// Answers what may be answered now; the rest waits. Without a log nothing is answered: the sessions are gone.
    pub(crate) fn drive_statements(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Some(log) = self.log() else {
            self.statements = Statements::default();
            return;
        };
        let (vdl, leased) = (log.vdl(), log.leased(now_us));
        let statements = &mut self.statements;
        while let Some(must_see) = statements.waiting.front().copied() {
            let view = match statements.view.filter(|_| mutant!(SharedView)) {
                Some((view, at)) if now_us < at + TRUSTED_US => Some(view),
                _ if mutant!(LeaseFlag) => statements.flagged(now_us, leased).then_some(vdl),
                _ => leased.then_some(vdl),
            };
            let Some(view) = view else { break };
            if leased && statements.view.is_none_or(|(_, at)| now_us >= at + TRUSTED_US) {
                statements.view = Some((vdl, now_us));
            }
            statements.waiting.pop_front();
            told.push(Told::Answered { must_see, view });
        }
    }
}

impl Statements {
    fn flagged(&mut self, now_us: u64, leased: bool) -> bool {
        match self.flag {
            Some((flag, at)) if now_us < at + TRUSTED_US => flag,
            _ => {
                self.flag = Some((leased, now_us));
                leased
            }
        }
    }
}
