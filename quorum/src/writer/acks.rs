//! What segments answer: SCLs rise, then PGCL, VCL, VDL; or a later epoch ends this writer.

use super::WriterLog;
use crate::{Actions, Notice};
use protocol::contract::LogError;
use protocol::message::{Acked, Refused, RefusedReason};
use protocol::{Lsn, PgId, SegmentId, VolumeEpoch, mutant};

impl WriterLog {
    pub(super) fn on_acked(&mut self, now_us: u64, id: SegmentId, acked: &Acked, actions: &mut Actions) {
        if acked.epoch > self.epoch {
            self.fenced(acked.epoch, actions);
            return;
        }
        let epoch = self.epoch;
        let Some(group) = self.groups.get_mut(id.pg.0 as usize) else { return };
        let Some(copy) = group.copies.get_mut(usize::from(id.position)) else { return };
        if copy.incarnation != acked.incarnation || acked.epoch != epoch {
            return;
        }
        copy.heard(now_us);
        let room_again = std::mem::replace(&mut copy.full, acked.full) && !acked.full;
        copy.note_latency(now_us.saturating_sub(acked.sent_us));
        copy.head = copy.head.max(acked.head_version);
        copy.page_point = copy.page_point.max(acked.page_point);
        // Under an older list its chain may hold dead records: it is sent the head, and counts once it has it.
        let under_our_list = acked.head_version.epoch == epoch;
        if under_our_list && acked.scl > copy.scl && acked.scl <= group.last {
            copy.scl = acked.scl;
            copy.progress_us = now_us;
        }
        if room_again {
            // What it was sent meanwhile it did not take.
            let (at, scl) = (usize::from(id.position), copy.scl);
            group.copies[at].next = group.after(scl);
        }
        self.changes.exists(id);
        if id.pg == PgId(0) {
            self.note_promise(now_us, usize::from(id.position), acked);
            self.note_confirmation(now_us, usize::from(id.position), acked, actions);
            self.settle();
        }
        let group = &mut self.groups[id.pg.0 as usize];
        if group.advance() {
            self.advance(actions);
        }
        let vdl = self.vdl;
        self.groups[id.pg.0 as usize].trim(vdl, &self.settings);
    }

    pub(super) fn on_refused(&mut self, id: SegmentId, refused: &Refused, actions: &mut Actions) {
        match refused.reason {
            RefusedReason::StaleEpoch | RefusedReason::Promised | RefusedReason::StaleMembership => {
                if refused.epoch > self.epoch {
                    self.fenced(refused.epoch, actions);
                }
            }
            RefusedReason::OtherIncarnation => self.suspect(id),
            // A failed device stays silent until its process restarts and has verified it; nothing is replaced for that.
            RefusedReason::Failed => {}
        }
    }

    fn fenced(&mut self, theirs: VolumeEpoch, actions: &mut Actions) {
        let ours = self.epoch;
        self.end(LogError::Fenced { ours, theirs }, actions);
    }

    /// VCL: every record at or below is at quorum in its group; VDL: the highest CPL of those.
    fn advance(&mut self, actions: &mut Actions) {
        let (old_vcl, old_vdl) = (self.vcl, self.vdl);
        while let Some(front) = self.pending.front() {
            if front.lsn > self.groups[front.pg.0 as usize].pgcl {
                break;
            }
            self.vcl = front.lsn;
            if front.cpl || mutant!(VdlIsVcl) {
                self.vdl = front.lsn;
            }
            self.pending.pop_front();
        }
        assert!(self.vcl >= old_vcl && self.vdl >= old_vdl, "I3: VDL {old_vdl} -> {}", self.vdl);
        assert!(self.vdl <= self.vcl, "I5: VDL {} above VCL {}", self.vdl, self.vcl);
        if self.vdl > old_vdl {
            actions.notices.push(Notice::Vdl(self.vdl));
        }
    }

    /// The group's lowest read point in use, to be told to its segments.
    pub fn pgmrpl(&mut self, pg: PgId) -> Lsn {
        let released = self.released;
        self.groups.get_mut(pg.0 as usize).map_or(Lsn::ZERO, |g| g.points.release(released))
    }
}
