//! How the running writer changes the head: new groups (R10) and newcomers in place of lost copies (R12).
//!
//! Every change is a new head version that replaces the old one whole; it travels with appends and heartbeats, and has happened once
//! four members of group 0 hold it durably ([`WriterLog::settled`]). So changes need no order among themselves: each
//! remembers the version it waits for.
//!
//! ```text
//!  growth       see `grow`; the truncation list: see `list`
//!  replacement  Query: another life --> joint head, Create --settled--> newcomer copies by itself
//!                 --its SCL covers the point--> head with the newcomer --settled--> it counts
//! ```
//! A newcomer counts in no quorum until the last step: four of the other five hold in both sets of a joint membership.
//! If it is lost on the way, the head goes back to the life it should have replaced, and the replacement starts anew. Two reasons lead here: a
//! copy whose folder was wiped (the newcomer lives at the same address), and an operator's order (`place`; it lives at another address,
//! and the life it replaces waits for its tombstone).

use super::WriterLog;
use super::copy::Copy;
use super::grow::Growth;
use super::place::{Place, Placing};
use crate::{Actions, Notice};
use protocol::geometry::{WRITE_QUORUM, founding_role};
use protocol::head::{Former, HeadVersion, Joint, Member};
use protocol::message::{Create, Envelope, Message, Peer, Query, SegmentState};
use protocol::{Incarnation, Lsn, NodeId, PgId, SegmentId, mutant};
use std::collections::BTreeMap;

/// A copy being replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replacement {
    pub(super) id: SegmentId,
    newcomer: Incarnation,
    stage: Stage,
    /// The life it replaces is gone with its folder; otherwise it lives and waits for a tombstone.
    pub(super) wiped: bool,
    /// It answered: its creation is not repeated.
    born: bool,
    asked_us: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Waits for the joint head.
    Joint(HeadVersion),
    /// Waits for the newcomer's SCL.
    Copying(Lsn),
    /// Waits for the head that makes it a member.
    Final(HeadVersion),
    /// Waits for the head that goes back.
    Back(HeadVersion),
}

/// Everything under way.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) wanted_groups: usize,
    pub(super) growth: Option<Growth>,
    /// Listed founding segments this writer never heard of: their creation is repeated in the folder the head names.
    pub(super) unborn: BTreeMap<SegmentId, Option<u64>>,
    pub(super) replacements: BTreeMap<PgId, Replacement>,
    pub(super) placing: Placing,
    /// Copies to be replaced, and the nodes that hold their folders now.
    lost: BTreeMap<SegmentId, NodeId>,
    /// Positions that refused as another life, with the number and time of the question that will tell.
    suspects: BTreeMap<SegmentId, (u64, Option<u64>)>,
    questions: u64,
    next_us: Option<u64>,
}

impl Changes {
    pub(super) fn wake_us(&self) -> Option<u64> {
        self.next_us
    }

    /// The segment spoke as the life we know.
    pub(super) fn exists(&mut self, id: SegmentId) {
        self.unborn.remove(&id);
        self.suspects.remove(&id);
        if let Some(replacement) = self.replacements.get_mut(&id.pg).filter(|r| r.id == id) {
            replacement.born = true;
        }
    }
}

impl WriterLog {
    /// Makes sure that groups up to `pg` exist; `true` when `pg` takes records now. Otherwise it is being made and
    /// [`Notice::GroupOpened`] tells.
    ///
    /// # Errors
    /// [`LogError`](protocol::contract::LogError) once nothing can be written any more.
    pub fn ensure_group(&mut self, pg: PgId) -> Result<bool, protocol::contract::LogError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        if self.groups.get(pg.0 as usize).is_some_and(|g| g.open) {
            return Ok(true);
        }
        self.changes.wanted_groups = self.changes.wanted_groups.max(pg.0 as usize + 1);
        Ok(false)
    }

    /// True while a group is being made, or one of its six segments has not been heard of.
    #[must_use]
    pub fn growing(&self) -> bool {
        self.changes.growth.is_some() || !self.changes.unborn.is_empty()
    }

    /// A joint head found at opening: its newcomer goes on copying.
    pub(super) fn resume_joint(&mut self, now_us: u64) {
        for (group, members) in self.groups.iter_mut().zip(&self.head.groups) {
            if let Some(joint) = &members.joint {
                let position = usize::from(joint.position);
                let id = group.copies[position].id;
                let mut copy = Copy::new(id, joint.newcomer.incarnation, joint.newcomer.role, now_us);
                copy.counts = false;
                group.copies[position] = copy;
                let stage = Stage::Copying(joint.from);
                let newcomer = joint.newcomer.incarnation;
                // A folder made anew lies where the old one lay.
                let wiped = members.members[position].address == joint.newcomer.address;
                // It may not have been created yet; creating it again does no harm.
                let replacement = Replacement { id, newcomer, stage, wiped, born: wiped, asked_us: None };
                self.changes.replacements.insert(members.pg, replacement);
            }
        }
    }

    /// The newest head version that four members of group 0 hold durably.
    pub(super) fn settle(&mut self) {
        let mut held: Vec<HeadVersion> =
            self.groups[0].copies.iter().filter(|c| c.counts).map(|c| c.head).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        let need = if mutant!(HeadAt2) { 2 } else { WRITE_QUORUM };
        if let Some(version) = held.get(need - 1) {
            self.settled = self.settled.max(*version);
        }
    }

    /// Changes the head; the new version goes out with everything sent from now on.
    pub(super) fn change_head(
        &mut self,
        change: impl FnOnce(&mut protocol::Head, HeadVersion),
    ) -> HeadVersion {
        let version = HeadVersion { epoch: self.epoch, seq: self.head.version.seq + 1 };
        self.head.version = version;
        change(&mut self.head, version);
        if mutant!(HeadNotAwaited) {
            self.settled = version;
        }
        version
    }

    pub(super) fn drive_changes(&mut self, now_us: u64, actions: &mut Actions) {
        if self.ended.is_some() {
            return;
        }
        self.changes.next_us = None;
        self.drive_growth(now_us, actions);
        self.drive_questions(now_us, actions);
        self.drive_replacements(now_us, actions);
        self.drive_places(now_us, actions);
        self.drive_pruning(now_us, actions);
    }

    /// True when something last asked at `asked` is to be asked again now; notes the next time.
    pub(super) fn ask_again(&mut self, now_us: u64, asked: Option<u64>) -> bool {
        self.due(now_us, asked, self.settings.ask_us)
    }

    /// True when something last done at `last` is to be done again every `pause_us`; notes the next time.
    pub(super) fn due(&mut self, now_us: u64, last: Option<u64>, pause_us: u64) -> bool {
        let again = last.map_or(now_us, |at| at + pause_us);
        let due = now_us >= again;
        let next = if due { now_us + pause_us } else { again };
        self.changes.next_us = Some(self.changes.next_us.map_or(next, |at| at.min(next)));
        due
    }

    /// The number of a question that was never asked before.
    pub(super) fn question(&mut self) -> u64 {
        self.changes.questions += 1;
        self.changes.questions
    }

    /// True while a group is being made or a copy is being replaced.
    pub(super) fn changing(&self) -> bool {
        self.growing() || !self.changes.replacements.is_empty() || !self.changes.lost.is_empty()
    }

    /// A life is created in one folder, named in every attempt.
    pub(super) fn create(
        &self,
        id: SegmentId,
        incarnation: Incarnation,
        node: NodeId,
        actions: &mut Actions,
    ) {
        let create = Create {
            epoch: self.epoch,
            writer: self.writer,
            volume: self.head.volume,
            node,
            incarnation,
            role: founding_role(id.position),
            head: Some(self.head.clone()),
        };
        self.say(id, create.into(), actions);
    }

    pub(super) fn say(&self, id: SegmentId, message: Message, actions: &mut Actions) {
        let (from, to) = (Peer::Compute(self.writer), Peer::Segment(id));
        actions.sends.push(Envelope { from, to, message });
    }

    /// A position refused as another life. The refusal may be old news, so it is asked.
    pub(super) fn suspect(&mut self, id: SegmentId) {
        let known = self.groups.get(id.pg.0 as usize).and_then(|g| g.copies.get(usize::from(id.position)));
        let Some(copy) = known else { return };
        if copy.lost || self.changes.suspects.contains_key(&id) {
            return;
        }
        let question = self.question();
        self.changes.suspects.insert(id, (question, None));
    }

    fn drive_questions(&mut self, now_us: u64, actions: &mut Actions) {
        for (id, (request, asked)) in self.changes.suspects.clone() {
            if self.ask_again(now_us, asked) {
                self.changes.suspects.insert(id, (request, Some(now_us)));
                self.say(id, Query { request, candidate: None }.into(), actions);
            }
        }
    }

    /// Never heard of, and the folder that answers is the one it is being created in.
    fn unheard(&self, id: SegmentId, node: NodeId) -> bool {
        let group = &self.head.groups[id.pg.0 as usize];
        let replacement = self.changes.replacements.get(&id.pg).filter(|r| r.id == id && !r.born);
        let named = match &group.joint {
            Some(joint) if replacement.is_some() => joint.newcomer.node,
            _ if self.changes.unborn.contains_key(&id) => group.members[usize::from(id.position)].node,
            _ => return false,
        };
        named == node
    }

    pub(super) fn on_state(
        &mut self,
        now_us: u64,
        id: SegmentId,
        state: &SegmentState,
        actions: &mut Actions,
    ) {
        self.told_folder(id, state);
        if self.groups.get(id.pg.0 as usize).is_some_and(|g| usize::from(id.position) < g.copies.len()) {
            self.told_oldest(id, state);
        }
        match self.changes.suspects.get(&id) {
            Some((request, _)) if *request == state.request => {}
            _ => return,
        }
        self.changes.suspects.remove(&id);
        if self.was_left(id, state.node) {
            return;
        }
        let unheard = self.unheard(id, state.node);
        let copy = &mut self.groups[id.pg.0 as usize].copies[usize::from(id.position)];
        if copy.incarnation == state.incarnation || unheard {
            return;
        }
        copy.lost = true;
        self.changes.unborn.remove(&id);
        self.changes.lost.insert(id, state.node);
        actions.notices.push(Notice::Replacing(id));
        let back = self.changes.replacements.get(&id.pg).is_some_and(|r| r.id == id);
        if back {
            self.go_back(now_us, id);
        }
    }

    /// An operator wants this copy elsewhere than where it is being moved: nothing is lost by going back while the newcomer is no member.
    pub(super) fn abandon(&mut self, now_us: u64, id: SegmentId) {
        let live = self.changes.replacements.get(&id.pg).is_some_and(|r| r.id == id && !r.wiped);
        if live {
            self.go_back(now_us, id);
        }
    }

    /// The newcomer was lost as well: the head names the life before it again, which is lost too.
    fn go_back(&mut self, now_us: u64, id: SegmentId) {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let stage = self.changes.replacements[&id.pg].stage;
        match stage {
            Stage::Joint(_) | Stage::Copying(_) => {
                let version = self.change_head(|head, version| {
                    head.groups[pg].joint = None;
                    head.groups[pg].version = version;
                });
                let member = &self.head.groups[pg].members[position];
                let (incarnation, role) = (member.incarnation, member.role);
                if self.changes.replacements[&id.pg].wiped {
                    self.groups[pg].copies[position].incarnation = incarnation;
                } else {
                    // The life before it is alive, and counts again once that head is at quorum.
                    self.changes.lost.remove(&id);
                    let mut copy = Copy::new(id, incarnation, role, now_us);
                    copy.counts = false;
                    self.groups[pg].copies[position] = copy;
                }
                if let Some(replacement) = self.changes.replacements.get_mut(&id.pg) {
                    replacement.stage = Stage::Back(version);
                }
            }
            // Already a member in the newest head: it is replaced once that has settled.
            Stage::Final(_) | Stage::Back(_) => {}
        }
    }

    fn drive_replacements(&mut self, now_us: u64, actions: &mut Actions) {
        for (id, node) in self.changes.lost.clone() {
            if !self.changes.replacements.contains_key(&id.pg) {
                self.join(now_us, id, node, None);
            }
        }
        let groups: Vec<PgId> = self.changes.replacements.keys().copied().collect();
        for pg in groups {
            self.create_newcomer(now_us, pg, actions);
            self.drive_replacement(pg, actions);
        }
    }

    /// Repeats the creation of a newcomer until it answers.
    fn create_newcomer(&mut self, now_us: u64, pg: PgId, actions: &mut Actions) {
        let Replacement { id, newcomer, stage, born, asked_us, .. } = self.changes.replacements[&pg];
        let waits = matches!(stage, Stage::Joint(_) | Stage::Copying(_));
        if !born && waits && self.ask_again(now_us, asked_us) {
            let joint = self.head.groups[pg.0 as usize].joint.as_ref();
            let Some(node) = joint.map(|j| j.newcomer.node) else { return };
            self.create(id, newcomer, node, actions);
            if let Some(replacement) = self.changes.replacements.get_mut(&pg) {
                replacement.asked_us = Some(now_us);
            }
        }
    }

    fn drive_replacement(&mut self, pg: PgId, actions: &mut Actions) {
        let Replacement { id, stage, .. } = self.changes.replacements[&pg];
        let next = match stage {
            Stage::Joint(version) if self.settled >= version => {
                let from = self.head.groups[pg.0 as usize].joint.as_ref().map_or(Lsn::ZERO, |j| j.from);
                Stage::Copying(from)
            }
            Stage::Copying(from) if self.has_everything(id, from) => self.admit(id),
            Stage::Final(version) if self.settled >= version => {
                self.changes.replacements.remove(&pg);
                let copy = &mut self.groups[pg.0 as usize].copies[usize::from(id.position)];
                copy.counts = !copy.lost;
                if pg == PgId(0) {
                    self.settle();
                }
                actions.notices.push(Notice::Replaced(id));
                return;
            }
            Stage::Back(version) if self.settled >= version => {
                self.changes.replacements.remove(&pg);
                let copy = &mut self.groups[pg.0 as usize].copies[usize::from(id.position)];
                copy.counts |= !copy.lost;
                return;
            }
            _ => return,
        };
        if let Some(replacement) = self.changes.replacements.get_mut(&pg) {
            replacement.stage = next;
        }
    }

    fn has_everything(&self, id: SegmentId, from: Lsn) -> bool {
        let copy = &self.groups[id.pg.0 as usize].copies[usize::from(id.position)];
        (copy.scl >= from || mutant!(NewcomerCounts)) && copy.head.epoch == self.epoch && !copy.lost
    }

    /// The joint head, and log goes to the newcomer from now on; it is created under that head.
    fn join(&mut self, now_us: u64, id: SegmentId, node: NodeId, address: Option<&str>) {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let incarnation = self.nonces.incarnation();
        let from = self.groups[pg].points.at(self.vdl).unwrap_or(Lsn::ZERO);
        let version = self.change_head(|head, version| {
            let group = &mut head.groups[pg];
            let mut newcomer = Member { incarnation, node, ..group.members[position].clone() };
            newcomer.address = address.map_or(newcomer.address, str::to_string);
            if mutant!(TwoReplaced) {
                group.members[position] = newcomer;
            } else {
                group.joint = Some(Joint { position: id.position, newcomer, from });
            }
            group.version = version;
        });
        let role = self.head.groups[pg].members[position].role;
        let mut copy = Copy::new(id, incarnation, role, now_us);
        copy.counts = false;
        self.groups[pg].copies[position] = copy;
        self.changes.lost.remove(&id);
        let stage = if mutant!(TwoReplaced) { Stage::Final(version) } else { Stage::Joint(version) };
        if mutant!(TwoReplaced) {
            self.changes.unborn.insert(id, None);
        }
        let wiped = address.is_none();
        let replacement =
            Replacement { id, newcomer: incarnation, stage, wiped, born: false, asked_us: None };
        self.changes.replacements.insert(id.pg, replacement);
    }

    /// [`join`](Self::join) for an operator: at another address than the life it replaces, which goes on living until it is buried.
    pub(super) fn join_elsewhere(&mut self, now_us: u64, id: SegmentId, place: &Place) {
        self.changes.suspects.remove(&id);
        self.changes.unborn.remove(&id);
        self.join(now_us, id, place.node, Some(&place.address));
    }

    /// The newcomer has everything: the head makes it a member.
    fn admit(&mut self, id: SegmentId) -> Stage {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let wiped = self.changes.replacements[&id.pg].wiped;
        let version = self.change_head(|head, version| {
            let group = &mut head.groups[pg];
            if let Some(joint) = group.joint.take() {
                let left = std::mem::replace(&mut group.members[position], joint.newcomer);
                if !wiped {
                    let Member { incarnation, node, address, .. } = left;
                    head.former.push(Former { segment: id, incarnation, node, address });
                }
            }
            group.version = version;
        });
        Stage::Final(version)
    }
}
