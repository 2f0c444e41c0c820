//! How the running writer changes the head: new groups (R10) and newcomers in place of lost copies (R12).
//!
//! Every change is a new head version that replaces the old one whole; it travels with appends and heartbeats, and has happened once
//! four members of group 0 hold it durably ([`WriterLog::settled`]). So changes need no order among themselves: each
//! remembers the version it waits for.
//!
//! ```text
//!  growth       Create x6 --6 Created (4 after a grace)--> head lists the group --settled--> open for records
//!  replacement  Query: another life --> joint head, Create --settled--> newcomer copies by itself
//!                 --its SCL covers the point--> head with the newcomer --settled--> it counts
//! ```
//! A newcomer counts in no quorum until the last step: four of the other five hold in both sets of a joint membership.
//! If it is lost on the way, the head goes back to the life it should have replaced, and the replacement starts anew.

use super::WriterLog;
use super::copy::Copy;
use super::group::Group;
use crate::{Actions, Notice};
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of, founding_role};
use protocol::head::{HeadVersion, Joint, Member, PgMembers};
use protocol::message::{Create, Created, Envelope, Message, Peer, Query, SegmentState};
use protocol::{Incarnation, Lsn, NodeId, PgId, SegmentId, mutant};
use std::collections::BTreeMap;

/// A group being made.
#[derive(Debug)]
struct Growth {
    members: PgMembers,
    created: [bool; COPIES],
    asked_us: Option<u64>,
    /// When the first question was asked: four suffice, but six are waited for this long and a little.
    since_us: u64,
    /// Set once the head lists it.
    version: Option<HeadVersion>,
}

/// A copy being replaced.
#[derive(Clone, Copy, Debug)]
struct Replacement {
    id: SegmentId,
    newcomer: Incarnation,
    stage: Stage,
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
    wanted_groups: usize,
    growth: Option<Growth>,
    /// Listed founding segments this writer never heard of: their creation is repeated. `Create` names a life and no folder, so a
    /// segment that lived unheard and lost its folder meanwhile would begin anew; nothing it said was counted.
    unborn: BTreeMap<SegmentId, Option<u64>>,
    replacements: BTreeMap<PgId, Replacement>,
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
                let replacement = Replacement { id, newcomer, stage, born: true, asked_us: None };
                self.changes.replacements.insert(members.pg, replacement);
            }
        }
    }

    /// The newest head version that four members of group 0 hold durably.
    pub(super) fn settle(&mut self) {
        let mut held: Vec<HeadVersion> =
            self.groups[0].copies.iter().filter(|c| c.counts).map(|c| c.head).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(version) = held.get(WRITE_QUORUM - 1) {
            self.settled = self.settled.max(*version);
        }
    }

    /// Changes the head; the new version goes out with everything sent from now on.
    fn change_head(&mut self, change: impl FnOnce(&mut protocol::Head, HeadVersion)) -> HeadVersion {
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
    }

    /// True when something last asked at `asked` is to be asked again now; notes the next time.
    fn ask_again(&mut self, now_us: u64, asked: Option<u64>) -> bool {
        let again = asked.map_or(now_us, |at| at + self.settings.ask_us);
        let due = now_us >= again;
        let next = if due { now_us + self.settings.ask_us } else { again };
        self.changes.next_us = Some(self.changes.next_us.map_or(next, |at| at.min(next)));
        due
    }

    fn drive_growth(&mut self, now_us: u64, actions: &mut Actions) {
        if self.changes.growth.is_none() && self.changes.wanted_groups > self.groups.len() {
            let members = self.founding_members(PgId(self.groups.len() as u32));
            self.changes.growth = Some(Growth {
                members,
                created: [false; COPIES],
                asked_us: None,
                since_us: now_us,
                version: None,
            });
        }
        if let Some(growth) = &self.changes.growth {
            if let Some(version) = growth.version {
                if self.settled >= version {
                    let pg = growth.members.pg;
                    self.changes.growth = None;
                    self.open_group(pg, actions);
                    self.drive_growth(now_us, actions);
                }
            } else {
                let born = growth.created.iter().filter(|c| **c).count();
                let patience = growth.since_us + self.settings.grace_us;
                let asked_us = growth.asked_us;
                if born == COPIES || (born >= WRITE_QUORUM && now_us >= patience) {
                    self.list_group(actions);
                } else if self.ask_again(now_us, asked_us) {
                    self.create_group(now_us, actions);
                }
            }
        }
        for (id, asked) in self.changes.unborn.clone() {
            if self.ask_again(now_us, asked) {
                let incarnation = self.groups[id.pg.0 as usize].copies[usize::from(id.position)].incarnation;
                self.changes.unborn.insert(id, Some(now_us));
                self.create(id, incarnation, actions);
            }
        }
    }

    /// Six segments on the nodes that hold group 0, with fresh lives.
    fn founding_members(&mut self, pg: PgId) -> PgMembers {
        let mut members = Vec::with_capacity(COPIES);
        for position in 0..COPIES as u8 {
            let node = self.head.groups[0].members[usize::from(position)].node;
            members.push(Member {
                incarnation: self.nonces.incarnation(),
                node,
                az: az_of(position),
                address: self.head.groups[0].members[usize::from(position)].address.clone(),
                role: founding_role(position),
            });
        }
        PgMembers { pg, version: HeadVersion::default(), members, joint: None }
    }

    fn create_group(&mut self, now_us: u64, actions: &mut Actions) {
        let Some(growth) = &mut self.changes.growth else { return };
        growth.asked_us = Some(now_us);
        let pg = growth.members.pg;
        let missing: Vec<(SegmentId, Incarnation)> = (0..COPIES)
            .filter(|p| !growth.created[*p])
            .map(|p| (SegmentId { pg, position: p as u8 }, growth.members.members[p].incarnation))
            .collect();
        for (id, incarnation) in missing {
            self.create(id, incarnation, actions);
        }
    }

    fn create(&self, id: SegmentId, incarnation: Incarnation, actions: &mut Actions) {
        let create = Create {
            epoch: self.epoch,
            writer: self.writer,
            volume: self.head.volume,
            incarnation,
            role: founding_role(id.position),
            head: Some(self.head.clone()),
        };
        self.say(id, create.into(), actions);
    }

    fn say(&self, id: SegmentId, message: Message, actions: &mut Actions) {
        let (from, to) = (Peer::Compute(self.writer), Peer::Segment(id));
        actions.sends.push(Envelope { from, to, message });
    }

    pub(super) fn on_created(&mut self, id: SegmentId, created: &Created) {
        let position = usize::from(id.position);
        if let Some(growth) = &mut self.changes.growth {
            let member = &mut growth.members.members[position];
            if growth.members.pg == id.pg && member.incarnation == created.incarnation {
                member.node = created.node;
                growth.created[position] = true;
                self.changes.exists(id);
                return;
            }
        }
        let copy = self.groups.get(id.pg.0 as usize).and_then(|g| g.copies.get(position));
        if copy.is_some_and(|c| c.incarnation == created.incarnation) {
            self.changes.exists(id);
        }
    }

    /// Four segments of the new group are durable: the head may list it.
    fn list_group(&mut self, actions: &mut Actions) {
        let Some(growth) = &mut self.changes.growth else { return };
        let (members, created) = (growth.members.clone(), growth.created);
        let pg = members.pg;
        for (position, born) in created.iter().enumerate() {
            if !born {
                self.changes.unborn.insert(SegmentId { pg, position: position as u8 }, None);
            }
        }
        let version = self.change_head(|head, version| {
            head.groups.push(PgMembers { version, ..members });
        });
        let listed = self.head.groups[pg.0 as usize].clone();
        self.groups.push(Group::new(&listed, Lsn::ZERO, self.vdl, false, 0));
        if let Some(growth) = &mut self.changes.growth {
            growth.version = Some(version);
        }
        if mutant!(GrowthBeforeHead) {
            self.settled = version;
            self.open_group(pg, actions);
        }
    }

    fn open_group(&mut self, pg: PgId, actions: &mut Actions) {
        self.groups[pg.0 as usize].open = true;
        actions.notices.push(Notice::GroupOpened(pg));
    }

    /// A position refused as another life. The refusal may be old news, so it is asked.
    pub(super) fn suspect(&mut self, id: SegmentId) {
        let known = self.groups.get(id.pg.0 as usize).and_then(|g| g.copies.get(usize::from(id.position)));
        let Some(copy) = known else { return };
        let unborn = self.changes.unborn.contains_key(&id)
            || self.changes.replacements.get(&id.pg).is_some_and(|r| r.id == id && !r.born);
        if copy.lost || unborn || self.changes.suspects.contains_key(&id) {
            return;
        }
        self.changes.questions += 1;
        self.changes.suspects.insert(id, (self.changes.questions, None));
    }

    fn drive_questions(&mut self, now_us: u64, actions: &mut Actions) {
        for (id, (request, asked)) in self.changes.suspects.clone() {
            if self.ask_again(now_us, asked) {
                self.changes.suspects.insert(id, (request, Some(now_us)));
                self.say(id, Query { request }.into(), actions);
            }
        }
    }

    pub(super) fn on_state(&mut self, id: SegmentId, state: &SegmentState, actions: &mut Actions) {
        match self.changes.suspects.get(&id) {
            Some((request, _)) if *request == state.request => {}
            _ => return,
        }
        self.changes.suspects.remove(&id);
        let copy = &mut self.groups[id.pg.0 as usize].copies[usize::from(id.position)];
        if copy.incarnation == state.incarnation {
            return;
        }
        copy.lost = true;
        self.changes.lost.insert(id, state.node);
        actions.notices.push(Notice::Replacing(id));
        let back = self.changes.replacements.get(&id.pg).is_some_and(|r| r.id == id);
        if back {
            self.go_back(id);
        }
    }

    /// The newcomer was lost as well: the head names the life before it again, which is lost too.
    fn go_back(&mut self, id: SegmentId) {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let stage = self.changes.replacements[&id.pg].stage;
        match stage {
            Stage::Joint(_) | Stage::Copying(_) => {
                let version = self.change_head(|head, version| {
                    head.groups[pg].joint = None;
                    head.groups[pg].version = version;
                });
                self.groups[pg].copies[position].incarnation =
                    self.head.groups[pg].members[position].incarnation;
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
                self.join(now_us, id, node);
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
        let Replacement { id, newcomer, stage, born, asked_us } = self.changes.replacements[&pg];
        let waits = matches!(stage, Stage::Joint(_) | Stage::Copying(_));
        if !born && waits && self.ask_again(now_us, asked_us) {
            self.create(id, newcomer, actions);
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
        copy.scl >= from && copy.head.epoch == self.epoch && !copy.lost
    }

    /// The joint head, and log goes to the newcomer from now on; it is created under that head.
    fn join(&mut self, now_us: u64, id: SegmentId, node: NodeId) {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let incarnation = self.nonces.incarnation();
        let from = self.groups[pg].points.at(self.vdl).unwrap_or(Lsn::ZERO);
        let version = self.change_head(|head, version| {
            let group = &mut head.groups[pg];
            let newcomer = Member { incarnation, node, ..group.members[position].clone() };
            group.joint = Some(Joint { position: id.position, newcomer, from });
            group.version = version;
        });
        let role = self.head.groups[pg].members[position].role;
        let mut copy = Copy::new(id, incarnation, role, now_us);
        copy.counts = false;
        self.groups[pg].copies[position] = copy;
        self.changes.lost.remove(&id);
        let stage = Stage::Joint(version);
        let replacement = Replacement { id, newcomer: incarnation, stage, born: false, asked_us: None };
        self.changes.replacements.insert(id.pg, replacement);
    }

    /// The newcomer has everything: the head makes it a member.
    fn admit(&mut self, id: SegmentId) -> Stage {
        let (pg, position) = (id.pg.0 as usize, usize::from(id.position));
        let version = self.change_head(|head, version| {
            let group = &mut head.groups[pg];
            if let Some(joint) = group.joint.take() {
                group.members[position] = joint.newcomer;
            }
            group.version = version;
        });
        Stage::Final(version)
    }
}
