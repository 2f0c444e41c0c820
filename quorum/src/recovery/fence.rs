//! The first two phases: who is there, and the fence that elects (R6, R7, R9).

use super::seat::Assembly;
use super::{FIRST_QUESTION, Outcome, Phase, Recoverer, fence_quorum, grant_quorum};
use crate::Actions;
use crate::sets::DEGRADED_QUORUM;
use protocol::PgId;
use protocol::head::Head;
use protocol::message::{Fence, Install, Query};
use protocol::mutant;

impl Recoverer {
    pub(super) fn drive_asking(&mut self, now_us: u64, actions: &mut Actions) -> Option<Outcome> {
        let ask_us = self.config.settings.ask_us;
        for position in 0..self.groups[0].seats.len() {
            let seat = &mut self.groups[0].seats[position];
            let votes = seat.state.as_ref().is_some_and(|s| s.votes);
            if !votes && seat.asked_us.is_none_or(|at| now_us >= at + ask_us) {
                seat.asked_us = Some(now_us);
                let id = seat.id;
                let query = Query { request: FIRST_QUESTION, candidate: Some(self.writer) };
                self.say(id, query.into(), actions);
            }
        }
        let seats = &self.groups[0].seats;
        let all = seats.iter().all(|s| s.state.is_some());
        let Some(head) = &self.head else {
            let blank = seats.iter().all(|s| s.state.as_ref().is_some_and(|s| s.volume.0 == 0));
            return all.then(|| {
                if blank { Outcome::NoVolume } else { Outcome::Refused { missing: self.missing() } }
            });
        };
        let foreign = self.config.volume.is_some_and(|v| v != head.volume);
        let present = self.groups[0].votes(&head.groups[0], |seat| seat.state.is_some());
        if foreign || !present.hold(grant_quorum()) {
            return all.then(|| Outcome::Refused { missing: self.missing() });
        }
        let since = *self.ready_since_us.get_or_insert(now_us);
        if !all && now_us < since + self.config.settings.grace_us {
            return None;
        }
        // Whoever would be refused does not stand: its epoch would only end a writer that has its lease (R7).
        let would_grant = |seat: &super::seat::Seat| seat.state.as_ref().is_some_and(|s| s.votes);
        let elected = self.groups[0].votes(&head.groups[0], would_grant).hold(grant_quorum());
        if !elected && !mutant!(NoBackoff) {
            return None;
        }
        self.stand(now_us);
        None
    }

    /// Chooses the epoch: one above every epoch seen.
    fn stand(&mut self, now_us: u64) {
        let seen = self.groups.iter().flat_map(|g| &g.seats).filter_map(|s| s.state.as_ref());
        let granted = seen.clone().map(|s| s.epoch).max().unwrap_or_default();
        let held = self.head.as_ref().map(|h| h.version.epoch).unwrap_or_default();
        self.epoch = granted.max(held).next();
        if mutant!(SharedEpoch) && granted > protocol::VolumeEpoch::NONE {
            self.epoch = granted.max(held);
            let holder = seen.filter(|s| s.epoch == granted).map(|s| s.writer).next_back();
            self.writer = holder.unwrap_or(self.writer);
        }
        self.phase = Phase::Fencing;
        self.ready_since_us = None;
        self.refreshed_us = now_us;
        for seat in self.groups.iter_mut().flat_map(|g| &mut g.seats) {
            seat.doubt();
        }
    }

    /// Fences whoever did not grant, brings the adopted head to whoever lacks it, and goes on when every group has a quorum.
    pub(super) fn drive_fencing(&mut self, now_us: u64, actions: &mut Actions) {
        self.ask_fences(now_us, actions);
        let Some(head) = self.head.clone() else { return };
        let (grace, degraded) = (self.config.settings.grace_us, self.config.settings.degraded_us);
        for group in &mut self.groups {
            if !quorum(group, &head, now_us, degraded) {
                return;
            }
        }
        // What a late answer adds is only comfort: the quorum is enough. But six answers spare a second round of repair.
        let all = self.groups.iter().all(|g| {
            head.group(g.pg).is_some_and(|m| g.seats.iter().all(|s| Assembly::counted(&head, m, s)))
        });
        let since = *self.ready_since_us.get_or_insert(now_us);
        if all || now_us >= since + grace / 10 {
            self.begin_collecting(&head);
        }
    }

    /// Sends a fence to every seat that does not count yet, at most once per `ask_us`; only a winner fences groups but 0.
    pub(super) fn ask_fences(&mut self, now_us: u64, actions: &mut Actions) {
        let Some(head) = self.head.clone() else { return };
        let elected = self.groups[0].votes(&head.groups[0], |seat| seat.granted).hold(grant_quorum());
        let mut sends = Vec::new();
        for group in &mut self.groups {
            if group.pg != PgId(0) && !elected {
                continue;
            }
            let Some(members) = head.group(group.pg) else { continue };
            for seat in &mut group.seats {
                let behind = seat.granted && !Assembly::counted(&head, members, seat);
                let due = seat.asked_us.is_none_or(|at| now_us >= at + self.config.settings.ask_us);
                if due && (!seat.granted || behind) {
                    seat.asked_us = Some(now_us);
                    sends.push((seat.id, if behind { seat.life() } else { None }));
                }
            }
        }
        let membership = head.groups[0].version;
        for (id, life) in sends {
            if let Some(incarnation) = life {
                // It holds an older list, so its chain may hold dead records: its answer is worth something after this.
                self.sequence += 1;
                let install = Install {
                    epoch: self.epoch,
                    writer: self.writer,
                    incarnation,
                    sequence: self.sequence,
                    head: head.clone(),
                    frames: bytes::Bytes::new(),
                };
                self.say(id, install.into(), actions);
            }
            if mutant!(OtherPgNotFenced) && id.pg != PgId(0) {
                self.say(id, Query { request: FIRST_QUESTION + 1, candidate: None }.into(), actions);
                continue;
            }
            let fence = Fence { epoch: self.epoch, writer: self.writer, membership };
            self.say(id, fence.into(), actions);
        }
    }
}

/// R6: four of six; another group than 0 may open with three after a grace, if none of the three may lack acknowledged log.
fn quorum(group: &mut Assembly, head: &Head, now_us: u64, degraded_us: u64) -> bool {
    let Some(members) = head.group(group.pg) else { return false };
    let counted = |seat: &super::seat::Seat| Assembly::counted(head, members, seat);
    let need = if group.pg == PgId(0) { grant_quorum() } else { fence_quorum() };
    if group.votes(members, counted).hold(need) {
        group.degraded_since_us = None;
        return true;
    }
    let sound = |seat: &super::seat::Seat| {
        let doubtful = seat.state.as_ref().is_some_and(|s| s.doubtful);
        counted(seat) && (!doubtful || mutant!(RotAsAbsent))
    };
    if group.pg == PgId(0) || !group.votes(members, sound).hold(DEGRADED_QUORUM) {
        group.degraded_since_us = None;
        return false;
    }
    now_us >= group.degraded_since_us.get_or_insert(now_us).saturating_add(degraded_us)
}
