//! The lease: until when nobody else can have been elected, as far as this writer knows (R8).
//!
//! ```text
//!   writer   sent ────────────────────────────► sent + L        L = T (1 - rho) / (1 + rho)
//!   segment        promise ───────────────────────── + T        whatever both clocks do within rho, it lives longer there
//!   leased   three of the six promises of group 0 live: a rival lacks its fourth grant
//! ```
//!
//! Whoever answers a statement asks [`WriterLog::leased`] with the clock read after the statement arrived, for every statement: no
//! flag, no view of an earlier one (R8 f). A commit at or below VDL needs no lease: it is a fact.

use super::WriterLog;
use crate::Actions;
use protocol::contract::LogError;
use protocol::geometry::{COPIES, WRITE_QUORUM};
use protocol::message::{Acked, Envelope, Peer, Release};
use protocol::mutant;

/// A rival needs four grants, so three promises exclude it.
pub(super) const PROMISES: usize = COPIES - WRITE_QUORUM + 1;
/// rho: no clock is off by more than one in a hundred, at either end.
const RHO_PER_CENT: u64 = 1;

/// L: how long a promise of T lives at the writer, microseconds.
#[must_use]
pub fn life_us(promised_ms: u64) -> u64 {
    let us = promised_ms * 1000;
    match () {
        () if mutant!(LeaseIsT) => us,
        () if mutant!(LeaseOneRho) => us * (100 - RHO_PER_CENT) / 100,
        () => us * (100 - RHO_PER_CENT) / (100 + RHO_PER_CENT),
    }
}

impl WriterLog {
    /// An answer of group 0 came at `now_us`: its promise lives from the transmission it answers.
    pub(super) fn note_promise(&mut self, now_us: u64, position: usize, acked: &Acked) {
        if acked.promised_ms == 0 {
            return;
        }
        let from = if mutant!(LeaseFromReply) { now_us } else { acked.sent_us };
        let copy = &mut self.groups[0].copies[position];
        copy.promised_until_us = copy.promised_until_us.max(from + life_us(acked.promised_ms));
    }

    /// Until when this writer may answer statements, of its own clock; 0 without a lease. While a member of group 0 is replaced the
    /// newcomer counts in neither set, so three of the others are three in both (R8 c, R12).
    #[must_use]
    pub fn leased_until_us(&self) -> u64 {
        if self.ended.is_some() {
            return 0;
        }
        // The longest lives, longest first; asked at every step, so nothing is allocated for it.
        let mut longest = [0; PROMISES];
        for copy in self.groups[0].copies.iter().filter(|c| c.counts) {
            let at = longest.partition_point(|life| *life >= copy.promised_until_us);
            if at < PROMISES {
                longest[at..].rotate_right(1);
                longest[at] = copy.promised_until_us;
            }
        }
        let need = if mutant!(LeaseAt2) { PROMISES - 1 } else { PROMISES };
        longest[need - 1]
    }

    /// True when a statement that arrived before the clock showed `now_us` may be answered from what this writer knows. Where the nodes
    /// promise nothing (locks exclude a second writer), nobody asks.
    #[must_use]
    pub fn leased(&self, now_us: u64) -> bool {
        mutant!(NoLease) || now_us < self.leased_until_us()
    }

    /// R8(h): a planned hand-over. The caller has stopped answering statements and waited for what it wrote; from now on nothing is
    /// written, and whoever stands next need not wait for the promises to end.
    pub fn hand_over(&mut self, actions: &mut Actions) {
        if self.ended.is_some() {
            return;
        }
        for copy in &self.groups[0].copies {
            let (from, to) = (Peer::Compute(self.writer), Peer::Segment(copy.id));
            let release = Release { epoch: self.epoch, writer: self.writer };
            actions.sends.push(Envelope { from, to, message: release.into() });
        }
        if !mutant!(EarlyRelease) {
            self.end(LogError::Closed, actions);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_outlives_its_lease_at_the_worst_clocks() {
        for promised_ms in [1, 60, 600, 60_000] {
            // The writer's clock one in a hundred slow, the segment's one in a hundred fast.
            let real_us = life_us(promised_ms) * 100 / (100 - RHO_PER_CENT);
            let promise_us = promised_ms * 1000 * 100 / (100 + RHO_PER_CENT);
            assert!(
                real_us <= promise_us,
                "{promised_ms} ms: {real_us} us at the writer, {promise_us} us promised"
            );
            assert!(
                real_us + real_us / 50 > promise_us,
                "{promised_ms} ms: more is given away than rho asks for"
            );
        }
    }
}
