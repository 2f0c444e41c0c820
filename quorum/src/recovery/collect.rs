//! The third phase: reading the log above the highest VDL told, and choosing VDL (R1, R5).
//!
//! Of each group the counted copy with the highest SCL is read; live chains are prefixes of one another, so the longest is
//! their union. A copy that does not show what it said is fenced again and says anew.

use super::seat::Assembly;
use super::{Outcome, Phase, Recoverer, choose};
use crate::Actions;
use protocol::geometry::WRITE_QUORUM;
use protocol::head::Head;
use protocol::message::{FetchLog, LogSlice};
use protocol::{Lsn, Record, SegmentId, mutant};

/// Bytes of one slice.
const SLICE_BYTES: u32 = 1 << 20;
/// A fetch unanswered so often is given up.
const FETCH_TRIES: u32 = 5;
/// Rounds of fresh answers before claims that six copies cannot show halt the opening.
const CLAIM_ROUNDS: u32 = 5;

impl Recoverer {
    pub(super) fn begin_collecting(&mut self, head: &Head) {
        self.phase = Phase::Collecting;
        self.ready_since_us = None;
        let mut start = Lsn::ZERO;
        for group in &mut self.groups {
            group.unread();
            let Some(members) = head.group(group.pg) else { continue };
            let told = group.seats.iter().filter(|s| Assembly::counted(head, members, s));
            start = told.filter_map(|s| s.state.as_ref().map(|s| s.vdl)).fold(start, Lsn::max);
        }
        self.start = start;
    }

    pub(super) fn drive_collecting(&mut self, now_us: u64, actions: &mut Actions) -> Option<Outcome> {
        let head = self.head.clone()?;
        let mut complete = true;
        for group in 0..self.groups.len() {
            complete &= self.read_group(now_us, group, &head, actions);
            if self.phase != Phase::Collecting {
                return None;
            }
        }
        if !complete {
            return None;
        }
        let records = self.groups.iter().flat_map(|g| &g.chain);
        let chosen = choose(self.start, records);
        match self.unmet_claim(&head, chosen.vcl) {
            Some((group, claimed)) => self.wait_for_claim(now_us, group, claimed, &head, actions),
            None => {
                self.begin_installing(&head, chosen.vdl);
                None
            }
        }
    }

    /// Reads one group further; true when it has all that its counted copies say they hold.
    fn read_group(&mut self, now_us: u64, group: usize, head: &Head, actions: &mut Actions) -> bool {
        let start = self.start;
        let assembly = &mut self.groups[group];
        let Some(members) = head.group(assembly.pg) else { return false };
        let scl = |seat: &super::seat::Seat| seat.state.as_ref().map_or(Lsn::ZERO, |s| s.scl);
        let counted: Vec<usize> = (0..assembly.seats.len())
            .filter(|p| Assembly::counted(head, members, &assembly.seats[*p]))
            .collect();
        let Some(best) = counted.into_iter().max_by_key(|p| scl(&assembly.seats[*p])) else {
            self.phase = Phase::Fencing;
            return false;
        };
        let target = scl(&assembly.seats[best]);
        if target <= start {
            // A copy that answers later may hold more than those before it, still at or below what was told: where the group
            // stands is the highest of all, or what lies between would count as repaired at the copies that lack it (R4).
            let base = assembly.base.get_or_insert(target);
            *base = target.max(*base);
            return true;
        }
        if assembly.end() >= target {
            return true;
        }
        let after = assembly.chain.last().map_or(start, |r| r.lsn);
        let seat = &mut assembly.seats[best];
        let waiting = seat.fetch.is_some();
        if waiting && seat.asked_us.is_some_and(|at| now_us < at + self.config.settings.ask_us) {
            return false;
        }
        let tries = seat.fetch.map_or(0, |(_, tries)| tries) + 1;
        if tries > FETCH_TRIES {
            seat.doubt();
            self.phase = Phase::Fencing;
            return false;
        }
        self.requests += 1;
        seat.fetch = Some((self.requests, tries));
        seat.asked_us = Some(now_us);
        let (id, request) = (seat.id, self.requests);
        let fetch = FetchLog { request, after, through: Lsn::MAX, max_bytes: SLICE_BYTES };
        self.say(id, fetch.into(), actions);
        false
    }

    pub(super) fn on_slice(&mut self, id: SegmentId, slice: &LogSlice) {
        let (Some(head), start) = (self.head.clone(), self.start) else { return };
        if self.phase != Phase::Collecting {
            return;
        }
        let Some(group) = self.groups.get_mut(id.pg.0 as usize) else { return };
        let position = usize::from(id.position);
        if group.seats.get(position).and_then(|s| s.fetch).is_none_or(|(request, _)| request != slice.request)
        {
            return;
        }
        group.seats[position].fetch = None;
        let before = group.end();
        let fits = Record::decode_all(&slice.frames).is_ok_and(|records| group.extend(&head, start, records));
        let held = group.seats[position].state.as_ref().map_or(Lsn::ZERO, |s| s.scl);
        if !fits || group.end() < held && (slice.end || group.end() == before) {
            // It does not show what it said: rot found since, or a dead record. It is asked for its state again.
            group.seats[position].doubt();
            self.phase = Phase::Fencing;
        }
    }

    /// R5: the highest claim of a counted copy that nobody shows, if what it claims can have been at quorum.
    ///
    /// A record above what is shown was at quorum only if four members acknowledged it. A counted member that neither claims more than is
    /// shown nor is doubtful never did. If fewer than four are left, only unacknowledged log is missing, and it may be truncated.
    fn unmet_claim(&self, head: &Head, vcl: Lsn) -> Option<(usize, Lsn)> {
        if mutant!(RotAsAbsent) {
            return None;
        }
        let mut unmet = None;
        for (i, group) in self.groups.iter().enumerate() {
            let Some(members) = head.group(group.pg) else { continue };
            // Where the volume's chain was walked, nothing of the group is missing; but below its start only the group's own
            // records prove where the group stood.
            let shown = if group.chain.is_empty() { group.end() } else { group.end().max(vcl) };
            let (mut suspects, mut claimed) = (0, None);
            for seat in &group.seats {
                let state = seat.state.as_ref().filter(|_| Assembly::counted(head, members, seat));
                let claim = seat.rotten_claim().filter(|claim| state.is_some() && *claim > shown);
                claimed = claimed.max(claim);
                if state.is_none_or(|s| s.doubtful) || claim.is_some() {
                    suspects += 1;
                }
            }
            if suspects >= WRITE_QUORUM {
                unmet = unmet.max(claimed.map(|claim| (i, claim)));
            }
        }
        unmet
    }

    /// Asks everybody anew: a copy that did not answer may have it, and rot heals from a peer. Halts when six cannot show it.
    fn wait_for_claim(
        &mut self,
        now_us: u64,
        group: usize,
        claimed: Lsn,
        head: &Head,
        actions: &mut Actions,
    ) -> Option<Outcome> {
        let assembly = &self.groups[group];
        let members = head.group(assembly.pg)?;
        let six = assembly.seats.iter().all(|s| Assembly::counted(head, members, s));
        if six && self.claim_rounds >= CLAIM_ROUNDS {
            let (pg, shown) = (assembly.pg, assembly.end());
            return Some(Outcome::Halted { pg, claimed, shown });
        }
        if now_us >= self.refreshed_us + self.config.settings.grace_us {
            self.refreshed_us = now_us;
            self.claim_rounds = if six { self.claim_rounds + 1 } else { 0 };
            for seat in &mut self.groups[group].seats {
                seat.doubt();
            }
            self.phase = Phase::Fencing;
        } else {
            self.ask_fences(now_us, actions);
        }
        None
    }
}
