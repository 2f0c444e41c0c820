//! Where copies live, as an operator wants it (R12): live members move to other nodes one by one, and what they leave behind is buried.
//!
//! ```text
//!   Order::Place{1.3, node H} ──► joint head {with H} ──► H copies ──► head with H at quorum ──► F is in the head's `former`
//!                                                                        Retire ─► F's node: tombstone durable ─► Retired
//!                                                                        head without it: F's node may go
//! ```
//! Invariants
//! 1. One replacement per group at a time (`change`), and at most [`MOVES`] an operator asked for over all groups.
//! 2. At most [`FORMER`] lives of a group wait for their tombstone: with the one member that a settled head may have missed they are three,
//!    and a writer of the past needs four.
//! 3. A tombstone is asked for only under a head at quorum: nobody is buried by a head that might not have happened.
//! 4. What is wanted is known to this writer only; what was begun is in the head, and the next writer ends it.

use super::WriterLog;
use crate::{Actions, Notice};
use protocol::head::Former;
use protocol::message::{Retire, Retired};
use protocol::{NodeId, PgId, SegmentId};
use std::collections::BTreeMap;

/// Copies of live members under way at a time.
const MOVES: usize = 2;
/// Lives of one group that may be without a tombstone before the next member of it is moved.
const FORMER: usize = 2;
/// A node that was left is asked for its tombstone this often, microseconds.
const RETIRE_US: u64 = 200_000;

/// What an operator asks of the running writer. Repeating an order does no harm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// This copy shall live on that node, which belongs to the volume and holds no copy of the group.
    Place {
        /// Which copy.
        segment: SegmentId,
        /// The folder.
        node: NodeId,
        /// Where to reach it.
        address: String,
    },
    /// A node is reached there: the volume map says so from now on.
    Locate {
        /// The folder.
        node: NodeId,
        /// Where to reach it.
        address: String,
    },
    /// The operator's word, or what was seen at its address: this folder no longer exists, so nothing of it needs a tombstone.
    Gone {
        /// The folder.
        node: NodeId,
    },
    /// The volume shall have this many protection groups.
    Grow {
        /// At least.
        groups: usize,
    },
}

/// A place asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) address: String,
}

/// What operators asked for and is not reached.
#[derive(Debug, Default)]
pub(super) struct Placing {
    wanted: BTreeMap<SegmentId, Place>,
    asked_us: BTreeMap<(SegmentId, NodeId), u64>,
}

impl WriterLog {
    /// Copies that do not live where an operator wants them, and lives without a tombstone: a move has ended when both are none.
    #[must_use]
    pub fn left_to_move(&self) -> (usize, usize) {
        let moving = self.moving();
        (self.changes.placing.wanted.len() + moving, self.head.former.len())
    }

    pub(super) fn on_order(&mut self, now_us: u64, order: Order) {
        match order {
            Order::Place { segment, node, address } => {
                self.want_place(now_us, segment, Place { node, address });
            }
            Order::Locate { node, address } => self.locate(node, &address),
            Order::Gone { node } => self.bury(|former| former.node == node),
            Order::Grow { groups } => {
                self.changes.wanted_groups = self.changes.wanted_groups.max(groups);
            }
        }
    }

    fn want_place(&mut self, now_us: u64, segment: SegmentId, place: Place) {
        let Some(member) = self.head.home(segment) else { return };
        let on_its_way = self.replaced(segment.pg) == Some(segment);
        if member.node == place.node {
            self.changes.placing.wanted.remove(&segment);
            return;
        }
        let Some(group) = self.head.group(segment.pg) else { return };
        if on_its_way && group.members[usize::from(segment.position)].node == place.node {
            // It is to stay where it was.
            self.changes.placing.wanted.remove(&segment);
            self.abandon(now_us, segment);
            return;
        }
        let others = group.members.iter().enumerate().filter(|(n, _)| *n != usize::from(segment.position));
        let taken = others.into_iter().any(|(_, member)| member.node == place.node);
        // Two copies in one folder would be one; and what moved is told apart from what was wiped by its address.
        if taken || place.address == member.address {
            return;
        }
        if on_its_way {
            // Another place than the one it is on its way to: it goes back first.
            self.abandon(now_us, segment);
        }
        self.changes.placing.wanted.insert(segment, place);
    }

    /// The volume map names where a node is reached (R9).
    fn locate(&mut self, node: NodeId, address: &str) {
        let other = |n: NodeId, a: &str| n == node && a != address;
        let members =
            self.head.groups.iter().flat_map(|g| g.members.iter().chain(g.joint.iter().map(|j| &j.newcomer)));
        let stale = members.into_iter().any(|m| other(m.node, &m.address))
            || self.head.former.iter().any(|f| other(f.node, &f.address));
        if !stale {
            return;
        }
        self.change_head(|head, _| {
            for group in &mut head.groups {
                let members = group.members.iter_mut().chain(group.joint.iter_mut().map(|j| &mut j.newcomer));
                members.filter(|m| m.node == node).for_each(|m| m.address = address.to_string());
            }
            let former = head.former.iter_mut().filter(|f| f.node == node);
            former.for_each(|f| f.address = address.to_string());
        });
    }

    /// Begins what may begin (invariants 1 and 2), and asks for tombstones.
    pub(super) fn drive_places(&mut self, now_us: u64, actions: &mut Actions) {
        let wanted: Vec<SegmentId> = self.changes.placing.wanted.keys().copied().collect();
        for id in wanted {
            let unburied = self.head.former.iter().filter(|f| f.segment.pg == id.pg).count();
            let known = self.groups.get(id.pg.0 as usize).is_some_and(|g| g.open);
            let may = known && self.replaced(id.pg).is_none() && unburied < FORMER && self.moving() < MOVES;
            if may && let Some(place) = self.changes.placing.wanted.remove(&id) {
                self.join_elsewhere(now_us, id, &place);
                actions.notices.push(Notice::Replacing(id));
            }
        }
        self.ask_for_tombstones(now_us, actions);
    }

    fn ask_for_tombstones(&mut self, now_us: u64, actions: &mut Actions) {
        if self.head.former.is_empty() || self.settled < self.head.version {
            // Invariant 3; the next answer of group 0 comes back here.
            return;
        }
        for former in self.head.former.clone() {
            let Former { segment, incarnation, node, .. } = former;
            let asked = self.changes.placing.asked_us.get(&(segment, node)).copied();
            if self.due(now_us, asked, RETIRE_US) {
                self.changes.placing.asked_us.insert((segment, node), now_us);
                let (epoch, writer, head) = (self.epoch, self.writer, self.head.clone());
                self.say(segment, Retire { epoch, writer, node, incarnation, head }.into(), actions);
            }
        }
    }

    pub(super) fn on_retired(&mut self, id: SegmentId, retired: &Retired, actions: &mut Actions) {
        let theirs =
            |f: &Former| f.segment == id && f.node == retired.node && f.incarnation == retired.incarnation;
        if self.head.former.iter().any(theirs) {
            self.bury(theirs);
            actions.notices.push(Notice::Retired(id, retired.node));
        }
    }

    fn bury(&mut self, dead: impl Fn(&Former) -> bool) {
        if self.head.former.iter().any(&dead) {
            self.change_head(|head, _| head.former.retain(|former| !dead(former)));
        }
        let former = &self.head.former;
        self.changes
            .placing
            .asked_us
            .retain(|(id, node), _| former.iter().any(|f| f.segment == *id && f.node == *node));
    }

    /// What speaks for this copy from that folder is old news: it left, or is being left.
    pub(super) fn was_left(&self, id: SegmentId, node: NodeId) -> bool {
        self.head.left(id, node)
    }

    /// The copy of this group that is being replaced.
    fn replaced(&self, pg: PgId) -> Option<SegmentId> {
        self.changes.replacements.get(&pg).map(|replacement| replacement.id)
    }

    /// Replacements an operator asked for.
    fn moving(&self) -> usize {
        self.changes.replacements.values().filter(|replacement| !replacement.wiped).count()
    }
}
