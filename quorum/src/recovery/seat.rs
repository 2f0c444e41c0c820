//! What a recoverer knows of one group: six seats, and the log it read so far.

use crate::sets::Votes;
use protocol::geometry::COPIES;
use protocol::head::{Head, PgMembers};
use protocol::message::SegmentState;
use protocol::{Incarnation, Lsn, PgId, Record, SegmentId, mutant};

/// One position.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) id: SegmentId,
    /// The newest answer, to a question or a fence.
    pub(super) state: Option<SegmentState>,
    /// The answer was to our fence, and nothing since made it doubtful.
    pub(super) granted: bool,
    pub(super) asked_us: Option<u64>,
    /// The fetch under way: its number and how often it was asked.
    pub(super) fetch: Option<(u64, u32)>,
    /// Acknowledged under our own head: its SCL.
    pub(super) installed: Option<Lsn>,
    /// The life that acknowledged it; a late one may do so before it ever answered a fence.
    pub(super) spoke: Option<Incarnation>,
}

impl Seat {
    fn new(id: SegmentId) -> Seat {
        Seat { id, state: None, granted: false, asked_us: None, fetch: None, installed: None, spoke: None }
    }

    /// The life that answers here, if any.
    pub(super) fn life(&self) -> Option<Incarnation> {
        self.state.as_ref().map(|s| s.incarnation).or(self.spoke).filter(|life| life.0 != 0)
    }

    /// The highest SCL it told.
    fn scl(&self) -> Lsn {
        self.state.as_ref().map_or(Lsn::ZERO, |s| s.scl).max(self.installed.unwrap_or(Lsn::ZERO))
    }

    /// Forgets the fence: it is asked again.
    pub(super) fn doubt(&mut self) {
        self.granted = false;
        self.asked_us = None;
        self.fetch = None;
    }

    /// R5: the SCL it once acknowledged and cannot show any more.
    pub(super) fn rotten_claim(&self) -> Option<Lsn> {
        self.state.as_ref().filter(|s| s.claim > s.scl).map(|s| s.claim)
    }
}

/// One group.
#[derive(Clone, Debug)]
pub(super) struct Assembly {
    pub(super) pg: PgId,
    pub(super) seats: Vec<Seat>,
    /// The group's last record at or below the point where reading started.
    pub(super) base: Option<Lsn>,
    /// The log above it, chained.
    pub(super) chain: Vec<Record>,
    /// Chosen: the group's last record at or below VDL.
    pub(super) last: Lsn,
    /// Since when a degraded quorum stands.
    pub(super) degraded_since_us: Option<u64>,
}

impl Assembly {
    pub(super) fn new(pg: PgId) -> Assembly {
        let seats = (0..COPIES as u8).map(|position| Seat::new(SegmentId { pg, position })).collect();
        Assembly { pg, seats, base: None, chain: Vec::new(), last: Lsn::ZERO, degraded_since_us: None }
    }

    /// End of the log read so far.
    pub(super) fn end(&self) -> Lsn {
        self.chain.last().map(|r| r.lsn).or(self.base).unwrap_or(Lsn::ZERO)
    }

    /// Forgets the log read, not who answered.
    pub(super) fn unread(&mut self) {
        self.base = None;
        self.chain.clear();
        for seat in &mut self.seats {
            seat.fetch = None;
        }
    }

    /// Who passes `test` among the lives `members` names; a newcomer only with everything up to its point (R12).
    pub(super) fn votes(&self, members: &PgMembers, test: impl Fn(&Seat) -> bool) -> Votes<bool> {
        let mut votes = Votes { members: [false; COPIES], newcomer: None };
        for (position, seat) in self.seats.iter().enumerate() {
            let listed = seat.life() == Some(members.members[position].incarnation);
            // A folder without the incarnation the head names is a newcomer, not a member that holds nothing (R5).
            let votes_here = listed || mutant!(EmptyFolderVotes);
            votes.members[position] = votes_here && test(seat);
        }
        if let Some(joint) = &members.joint {
            let seat = &self.seats[usize::from(joint.position)];
            let everything = seat.scl() >= joint.from || mutant!(NewcomerCounts);
            let complete = seat.life() == Some(joint.newcomer.incarnation) && everything;
            votes.newcomer = Some((joint.position, complete && test(seat)));
        }
        votes
    }

    /// True when the seat's answer counts: it granted, holds the adopted head, and is a life that head names.
    pub(super) fn counted(head: &Head, members: &PgMembers, seat: &Seat) -> bool {
        let Some(state) = &seat.state else { return false };
        let position = usize::from(seat.id.position);
        let named = state.incarnation == members.members[position].incarnation
            || members.joint.as_ref().is_some_and(|j| {
                usize::from(j.position) == position && j.newcomer.incarnation == state.incarnation
            });
        if mutant!(EmptyFolderVotes) && seat.granted && !named {
            return true;
        }
        seat.granted && named && state.head.as_ref().is_some_and(|h| h.version >= head.version)
    }

    /// Chains what a segment showed; what does not fit is left out. Returns false when something did not fit.
    pub(super) fn extend(&mut self, head: &Head, start: Lsn, records: Vec<Record>) -> bool {
        for record in records {
            if record.lsn <= self.end() || record.lsn <= start {
                continue;
            }
            let fits = match self.chain.last() {
                Some(last) => record.prev_pg == last.lsn,
                None => record.prev_pg <= start,
            };
            if !fits || record.pg != self.pg || head.truncations.kills(&record) {
                return false;
            }
            if self.chain.is_empty() {
                self.base = Some(record.prev_pg);
            }
            self.chain.push(record);
        }
        true
    }
}
