//! Checkers of elections and membership: grants outlive crashes (I8), and neighbouring sets of members differ by one that has
//! everything (I10, R12).

use crate::director::Director;
use protocol::message::{Envelope, Message, Peer, SegmentState};
use protocol::{Head, PgMembers, SegmentId};

impl Director {
    /// A node answers a fence: what it grants, it must still know after any crash.
    pub(crate) fn saw_grant(&mut self, node: usize, id: SegmentId, state: &SegmentState, to: Peer) {
        if state.request != 0 || to != Peer::Compute(state.writer) {
            return;
        }
        let grant = (state.epoch, state.writer);
        let (won, damaged) = (self.elections.won(grant.1), self.damaged(node));
        let told = self.hosts[node].grants.entry((id, state.incarnation)).or_insert(grant);
        // A winner's own messages replace a grant of its epoch to somebody who lost (R7).
        if told.0 == grant.0 && told.1 != grant.1 && !won && !damaged {
            let (epoch, first, second) = (grant.0, told.1, grant.1);
            return self.fail(format!("I8: node {node} {id} granted {epoch:?} to {first} and to {second}"));
        }
        *told = (*told).max(grant);
        self.check_election(node, id, state);
    }

    /// I8: a grant that was told is still there.
    pub(crate) fn check_grant(&self, node: usize, id: SegmentId, state: &SegmentState) -> Result<(), String> {
        let told = self.hosts[node].grants.get(&(id, state.incarnation));
        match told {
            Some((epoch, writer)) if state.epoch < *epoch && !self.damaged(node) => Err(format!(
                "I8: node {node} {id} granted {epoch:?} to {writer}, and knows of {:?}",
                state.epoch
            )),
            _ => Ok(()),
        }
    }

    /// A head leaves a compute process: compares it with the one before it of the same epoch.
    pub(crate) fn check_membership(&mut self, envelope: &Envelope) {
        let head = match &envelope.message {
            Message::Append(append) => append.head.as_ref(),
            Message::Create(create) => create.head.as_ref(),
            _ => None,
        };
        let Some(head) = head else { return };
        let newer = self.newest_head.as_ref().is_none_or(|held| head.version > held.version);
        if !newer {
            return;
        }
        if let Some(before) = self.newest_head.take().filter(|h| h.version.epoch == head.version.epoch)
            && let Err(why) = self.check_change(&before, head)
        {
            self.fail(why);
        }
        self.newest_head = Some(head.clone());
    }

    fn check_change(&self, before: &Head, after: &Head) -> Result<(), String> {
        for (old, new) in before.groups.iter().zip(&after.groups) {
            let changed: Vec<usize> =
                (0..6).filter(|p| old.members[*p].incarnation != new.members[*p].incarnation).collect();
            let Some(position) = changed.first().copied() else { continue };
            let (was, is) = (before.version, after.version);
            if changed.len() > 1 {
                return Err(format!(
                    "I10: {} changes positions {changed:?} between {was:?} and {is:?}",
                    old.pg
                ));
            }
            self.check_admission(old, new, position)?;
        }
        Ok(())
    }

    /// R12: only the newcomer of a joint head becomes a member, and only with everything.
    fn check_admission(&self, old: &PgMembers, new: &PgMembers, position: usize) -> Result<(), String> {
        let id = SegmentId { pg: old.pg, position: position as u8 };
        let life = new.members[position].incarnation;
        let Some(joint) = old.joint.as_ref().filter(|j| j.newcomer.incarnation == life) else {
            return Err(format!("R12: {life} of {id} becomes a member, and no joint head named it"));
        };
        let held = self.hosts[self.node_of(id)].promises.get(&(id, life)).map(|p| p.scl).unwrap_or_default();
        if held < joint.from {
            return Err(format!("R12: {life} of {id} becomes a member with {held} of {}", joint.from));
        }
        Ok(())
    }
}
