//! Replacing lost copies before an opening is declared (R4, R12, R13).
//!
//! ```text
//!   group 1   A B C . . .     three folders are gone for good, three hold everything through VDL under the new list
//!   writer    joint head {D'} at 4/6 of group 0 ─► D' copies ─► head with D' ─► four hold everything: open
//! ```
//! Group 0 elected this writer with four of six, so it may change the membership of another group before it serves. The running
//! writer's own machinery does it: its log stands ready inside, nobody can append yet, and a degraded group's PGCL starts
//! at zero, so that it is open only once four members have acknowledged its last record.

use super::{Missing, Outcome, Recoverer, Why};
use crate::sets::DEGRADED_QUORUM;
use crate::writer::WriterLog;
use crate::{Actions, Event, Notice};
use protocol::contract::LogError;
use protocol::{PgId, VolumeEpoch};

impl Recoverer {
    /// True when what keeps the opening from its end are groups other than 0 that three copies hold, and no fourth came for so long.
    pub(super) fn may_repair(&mut self, now_us: u64, short: &[PgId]) -> bool {
        let held = !short.is_empty()
            && short.iter().all(|pg| {
                let group = &self.groups[pg.0 as usize];
                let held = group.seats.iter().filter(|s| s.installed.is_some_and(|scl| scl >= group.last));
                *pg != PgId(0) && held.count() >= DEGRADED_QUORUM
            });
        if !held {
            self.short_since_us = None;
            return false;
        }
        now_us >= *self.short_since_us.get_or_insert(now_us) + self.config.settings.degraded_us
    }

    /// Steps the writer inside until every group has its four.
    pub(super) fn drive_repair(
        &mut self,
        now_us: u64,
        event: Event,
        actions: &mut Actions,
    ) -> Option<Outcome> {
        let mut log = self.repairing.take()?;
        log.step(now_us, event, actions);
        let mut superseded = None;
        actions.notices.retain(|notice| match notice {
            Notice::Ended(LogError::Fenced { theirs, .. }) => {
                superseded = Some(*theirs);
                false
            }
            Notice::Ended(_) => {
                superseded = Some(VolumeEpoch::NONE);
                false
            }
            _ => true,
        });
        if let Some(epoch) = superseded {
            return Some(Outcome::Superseded { epoch });
        }
        if log.whole() {
            log.prove();
            return Some(Outcome::Opened(log));
        }
        self.repairing = Some(log);
        None
    }

    /// Copies being replaced, for the message of whoever gives up waiting.
    pub(super) fn being_replaced(log: &WriterLog) -> Vec<Missing> {
        let gone = log.segments().into_iter().filter(|s| s.lost || !s.member);
        gone.map(|s| Missing { segment: s.id, why: Why::OtherLife }).collect()
    }
}
