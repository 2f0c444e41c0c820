//! Grants and fences (R6, R7), heads (R2, R9), creation of segments (R10, R12), and what a segment says of itself.
//!
//! Invariants
//! 1. R6: from the moment a grant is in memory nothing older is acknowledged; the answer leaves, and its snapshot is taken, after
//!    the superblock that holds the grant is durable.
//! 2. R9: a higher head replaces a lower one whole, and its truncation list is applied at once (R3): dead records leave the chain;
//!    in the log they stay dead by the list, which is durable before anything is acknowledged under it.
//! 3. A life begins only in the folder its creation names: a late message finds a wiped folder under another identity.
//! 4. A segment that no head names may give way to another life; one that counts never does.

use crate::event::Action;
use crate::lane::{Waiter, Wanted};
use crate::node::Node;
use crate::pages::Pages;
use crate::segment::Segment;
use crate::superblock::SegmentEntry;
use protocol::geometry::{Incarnation, PgId, SegmentId, SegmentRole, WriterId};
use protocol::head::{Grant, Head, HeadVersion, Truncation};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::message::{Create, Fence, Peer, Query, RefusedReason, SegmentState};

impl Node {
    pub(crate) fn on_query(&mut self, id: SegmentId, from: Peer, m: &Query, out: &mut Vec<Action>) {
        let state = match self.segments.get(&id) {
            Some(segment) => {
                let votes = self.votes(segment, m.candidate);
                SegmentState { votes, ..self.state_of(segment, m.request) }
            }
            None => self.nobody(id, m.request),
        };
        self.send(id, from, state, out);
    }

    pub(crate) fn on_fence(&mut self, id: SegmentId, from: Peer, m: Fence, out: &mut Vec<Action>) {
        let Some(segment) = self.segments.get(&id) else {
            // Nothing is granted for a segment that does not live here; the asker sees incarnation zero.
            let state = self.nobody(id, 0);
            return self.send(id, from, state, out);
        };
        let held = segment.grant.clone();
        let same = held.epoch == m.epoch && held.writer == m.writer;
        let taken = m.epoch == held.epoch && !same && !protocol::mutant!(EpochToAnyId);
        let stale = m.epoch < segment.epoch(self.head.as_ref()) || taken;
        if stale {
            self.metrics.stale += 1;
            return self.refuse(id, from, RefusedReason::StaleEpoch, out);
        }
        let outdated = m.membership < self.arbiter_version() && !protocol::mutant!(MembershipIgnored);
        if id.pg == PgId(0) && outdated {
            return self.refuse(id, from, RefusedReason::StaleMembership, out);
        }
        if let (false, Err(reason)) = (same, self.may_grant(segment, m.writer)) {
            return self.refuse(id, from, reason, out);
        }
        let early = protocol::mutant!(AckAfterGrant).then(|| Box::new(self.state_of(segment, 0)));
        if !same {
            self.set_grant(id, m.epoch, m.writer);
        }
        let what = Wanted::Fenced { epoch: m.epoch, writer: m.writer, early };
        let waiter = Waiter { segment: id, to: from, what };
        let durable = self.segments.get(&id).is_some_and(|s| s.grant == s.grant_durable);
        // What the chain rests on may be in the next superblock only (a floor met): then the snapshot waits for that.
        if durable && !self.lane.awaits_superblock() || protocol::mutant!(GrantNotSynced) {
            if let Some(segment) = self.segments.get(&id) {
                let state = self.state_of(segment, 0);
                self.send(id, from, state, out);
            }
        } else {
            self.lane.after_superblock(waiter);
        }
    }

    /// Membership version of the group that arbitrates (R12).
    fn arbiter_version(&self) -> HeadVersion {
        let group = self.head.as_ref().and_then(|h| h.group(PgId(0)));
        group.map_or(HeadVersion::default(), |g| g.version)
    }

    /// Sets `prom` in memory and wants it durable.
    pub(crate) fn set_grant(&mut self, id: SegmentId, epoch: VolumeEpoch, writer: WriterId) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        assert!(epoch >= segment.grant.epoch, "R7: grant falls from {:?} to {epoch:?}", segment.grant.epoch);
        segment.grant = Grant { epoch, writer };
        if protocol::mutant!(GrantNotSynced) {
            self.lane.superblock_later();
        } else {
            self.lane.superblock_first();
        }
    }

    /// Takes a higher head of this volume, in memory at once and durably next. False: it is unusable.
    pub(crate) fn adopt_head(&mut self, head: &Head) -> bool {
        if head.volume != self.owner.volume || head.check().is_err() {
            return false;
        }
        if self.head.is_some() && head.version <= self.head_version() {
            return true;
        }
        let old = self.head.replace(head.clone());
        let known = |t: &Truncation| old.as_ref().is_some_and(|h| h.truncations.entries.contains(t));
        let new: Vec<&Truncation> = head.truncations.entries.iter().filter(|t| !known(t)).collect();
        for segment in self.segments.values_mut() {
            let before = segment.claim();
            let rotted = before > segment.chain.scl();
            self.metrics.dead += segment.chain.truncate(&head.truncations) as u64;
            segment.reach = segment.chain.scl();
            let lowest = new.iter().map(|t| t.lo).min();
            segment.claimed = match lowest {
                Some(lo) if rotted => before.min(lo).max(segment.chain.scl()),
                Some(_) => segment.chain.scl(),
                None => before,
            };
            let group = head.group(segment.id.pg);
            if let Some(joint) = group.and_then(|g| g.joint.as_ref())
                && joint.newcomer.incarnation == segment.incarnation
                && segment.chain.scl() < joint.from
            {
                segment.newcomer = true;
            }
        }
        self.lane.superblock_first();
        true
    }

    pub(crate) fn on_create(&mut self, id: SegmentId, from: Peer, m: Create, out: &mut Vec<Action>) {
        if m.volume != self.owner.volume || m.incarnation == Incarnation::default() {
            return self.refuse(id, from, RefusedReason::OtherIncarnation, out);
        }
        if m.node != self.owner.node && !protocol::mutant!(CreateAnyFolder) {
            // Meant for the folder that was here before: that life may have acknowledged something.
            self.metrics.stale += 1;
            return self.refuse(id, from, RefusedReason::OtherIncarnation, out);
        }
        if let Some(segment) = self.segments.get(&id)
            && m.epoch < segment.epoch(self.head.as_ref())
        {
            self.metrics.stale += 1;
            return self.refuse(id, from, RefusedReason::StaleEpoch, out);
        }
        if let Some(head) = &m.head {
            self.adopt_head(head);
        }
        if self.deleting.contains_key(&id) {
            // A life before it still lets its files go; the creator asks again.
            return;
        }
        let made = Waiter { segment: id, to: from, what: Wanted::Created { incarnation: m.incarnation } };
        match self.segments.get(&id) {
            Some(s) if s.incarnation == m.incarnation => self.lane.after_superblock(made),
            Some(s) if !self.may_give_way(s) => self.refuse(id, from, RefusedReason::OtherIncarnation, out),
            _ => {
                self.make_segment(id, &m);
                self.lane.after_superblock(made);
            }
        }
    }

    /// Invariant 4: the life that lives here is named by no head held, and either holds nothing or the head lists its group without it.
    pub(crate) fn may_give_way(&self, segment: &Segment) -> bool {
        if segment.pages.as_ref().is_some_and(|p| p.job.is_some()) {
            // Its page writes are still in flight; the creator asks again.
            return false;
        }
        let Some(group) = self.head.as_ref().and_then(|h| h.group(segment.id.pg)) else {
            return segment.chain.is_empty() && segment.chain.base() == Lsn::ZERO;
        };
        let named = group.members.iter().chain(group.joint.iter().map(|j| &j.newcomer));
        named.into_iter().all(|member| member.incarnation != segment.incarnation)
    }

    fn make_segment(&mut self, id: SegmentId, m: &Create) {
        let group = self.head.as_ref().and_then(|h| h.group(id.pg));
        let newcomer =
            group.is_some_and(|g| g.members.iter().all(|member| member.incarnation != m.incarnation));
        let entry = SegmentEntry {
            id,
            incarnation: m.incarnation,
            role: m.role,
            grant: Grant { epoch: m.epoch, writer: m.writer },
            claim: Lsn::ZERO,
            floor: Lsn::ZERO,
            pgmrpl: Lsn::ZERO,
            doubtful: false,
            newcomer,
        };
        let pages = (m.role == SegmentRole::Full).then(|| Pages::new(newcomer));
        self.segments.insert(id, Segment::new(&entry, pages));
    }

    /// What a segment says of itself at this moment.
    pub(crate) fn state_of(&self, segment: &Segment, request: u64) -> SegmentState {
        // What is on its way to the log is in no file yet, and lies above the floor.
        let held = segment.staged > 0 || self.log.holds_above(segment.id, segment.floor_durable);
        let oldest = if held { Lsn(segment.floor_durable.0 + 1) } else { Lsn::MAX };
        SegmentState {
            request,
            votes: false,
            volume: self.owner.volume,
            node: self.owner.node,
            incarnation: segment.incarnation,
            role: segment.role,
            epoch: segment.grant.epoch,
            writer: segment.grant.writer,
            head: self.head.clone(),
            scl: segment.scl(),
            claim: segment.claim(),
            doubtful: segment.doubtful,
            floor: segment.floor_durable,
            page_point: segment.page_point().unwrap_or_default(),
            vdl: self.vdl.max(self.told),
            highest: segment.chain.highest(),
            oldest,
        }
    }

    fn nobody(&self, id: SegmentId, request: u64) -> SegmentState {
        SegmentState {
            request,
            votes: false,
            volume: self.owner.volume,
            node: self.owner.node,
            incarnation: Incarnation::default(),
            role: protocol::geometry::founding_role(id.position),
            epoch: VolumeEpoch::NONE,
            writer: WriterId::default(),
            head: self.head.clone(),
            scl: Lsn::ZERO,
            claim: Lsn::ZERO,
            doubtful: false,
            floor: Lsn::ZERO,
            page_point: Lsn::ZERO,
            vdl: self.vdl.max(self.told),
            highest: Lsn::ZERO,
            oldest: Lsn::MAX,
        }
    }
}
