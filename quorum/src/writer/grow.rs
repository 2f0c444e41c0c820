//! Growth: a new protection group (R10).
//!
//! ```text
//!   Query x6 --node of each--> Create x6 --6 Created (4 after a grace)--> head lists the group --settled--> open for records
//! ```
//! A life is created in one folder, whose identity is known before the first attempt and named in every one: so an attempt that comes
//! late cannot begin it anew in a folder that was wiped meanwhile. Positions that had not answered when the head listed the group are
//! unborn: they are created again in the folder they were meant for, or replaced when that folder, or any, is not there (R12).

use super::WriterLog;
use super::group::Group;
use crate::{Actions, Notice};
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of, founding_role};
use protocol::head::{HeadVersion, Member, PgMembers};
use protocol::message::{Created, Query, SegmentState};
use protocol::{Lsn, NodeId, PgId, SegmentId, mutant};

/// A group being made.
#[derive(Debug)]
pub(super) struct Growth {
    members: PgMembers,
    created: [bool; COPIES],
    asked_us: [Option<u64>; COPIES],
    /// The number of the question which folder lies at a position.
    request: u64,
    /// When the first question was asked: four suffice, but six are waited for this long and a little.
    since_us: u64,
    /// Set once the head lists it.
    version: Option<HeadVersion>,
}

/// No folder is known yet.
pub(super) const NO_NODE: NodeId = NodeId(0);

impl WriterLog {
    pub(super) fn drive_growth(&mut self, now_us: u64, actions: &mut Actions) {
        if self.changes.growth.is_none() && self.changes.wanted_groups > self.groups.len() {
            let members = self.founding_members(PgId(self.groups.len() as u32));
            self.changes.growth = Some(Growth {
                members,
                created: [false; COPIES],
                asked_us: [None; COPIES],
                request: self.question(),
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
                if born == COPIES || (born >= WRITE_QUORUM && now_us >= patience) {
                    self.list_group(actions);
                } else {
                    self.create_group(now_us, actions);
                }
            }
        }
        for (id, asked) in self.changes.unborn.clone() {
            if self.ask_again(now_us, asked) {
                self.changes.unborn.insert(id, Some(now_us));
                let position = usize::from(id.position);
                let node = self.head.groups[id.pg.0 as usize].members[position].node;
                if node == NO_NODE {
                    self.suspect(id);
                } else {
                    let incarnation = self.groups[id.pg.0 as usize].copies[position].incarnation;
                    self.create(id, incarnation, node, actions);
                }
            }
        }
    }

    /// Six segments at the addresses of group 0, with fresh lives; their folders are asked for.
    fn founding_members(&mut self, pg: PgId) -> PgMembers {
        let mut members = Vec::with_capacity(COPIES);
        for position in 0..COPIES as u8 {
            members.push(Member {
                incarnation: self.nonces.incarnation(),
                node: NO_NODE,
                az: az_of(position),
                address: self.head.groups[0].members[usize::from(position)].address.clone(),
                role: founding_role(position),
            });
        }
        PgMembers { pg, version: HeadVersion::default(), members, joint: None }
    }

    fn create_group(&mut self, now_us: u64, actions: &mut Actions) {
        for position in 0..COPIES {
            let Some(growth) = &self.changes.growth else { return };
            let asked_us = growth.asked_us[position];
            if growth.created[position] || !self.ask_again(now_us, asked_us) {
                continue;
            }
            let Some(growth) = &mut self.changes.growth else { return };
            growth.asked_us[position] = Some(now_us);
            let id = SegmentId { pg: growth.members.pg, position: position as u8 };
            let (incarnation, node, request) = {
                let member = &growth.members.members[position];
                (member.incarnation, member.node, growth.request)
            };
            match node {
                NO_NODE => self.say(id, Query { request, candidate: None }.into(), actions),
                node => self.create(id, incarnation, node, actions),
            }
        }
    }

    /// Which folder lies at a position of the group being made; it is the one named from now on.
    pub(super) fn told_folder(&mut self, id: SegmentId, state: &SegmentState) {
        let position = usize::from(id.position);
        let Some(growth) = &mut self.changes.growth else { return };
        let member = &mut growth.members.members[position];
        if growth.members.pg == id.pg && growth.request == state.request && member.node == NO_NODE {
            member.node = state.node;
            growth.asked_us[position] = None;
        }
    }

    pub(super) fn on_created(&mut self, id: SegmentId, created: &Created) {
        let position = usize::from(id.position);
        if let Some(growth) = &mut self.changes.growth {
            let member = &growth.members.members[position];
            if growth.members.pg == id.pg && member.incarnation == created.incarnation {
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
}
