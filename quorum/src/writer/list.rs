//! Keeping the truncation list short while the writer runs (R2).
//!
//! An entry may go once its range lies below VDL and every member of every group has said, under a head of this epoch, that it holds no
//! log at or below its end; who is silent holds. So the members are asked now and then, only while there is something to drop.
//! Together with the rule of openings (one that made no progress replaces the entry of the one before) the list is bounded by the
//! openings since the slowest member last let go of its log.

use super::WriterLog;
use crate::Actions;
use protocol::message::{Query, SegmentState};
use protocol::{Lsn, SegmentId};
use std::collections::BTreeMap;

/// A round of questions.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    request: u64,
    since_us: Option<u64>,
    told: BTreeMap<SegmentId, Lsn>,
}

impl WriterLog {
    /// Asks every member, at most once in `prune_us`, while entries lie wholly below VDL.
    pub(super) fn drive_pruning(&mut self, now_us: u64, actions: &mut Actions) {
        let (vdl, epoch) = (self.vdl, self.epoch);
        let old = self.head.truncations.entries.iter().any(|t| t.hi < vdl && t.epoch < epoch);
        if !old || self.changing() {
            return;
        }
        if !self.due(now_us, self.pruning.since_us, self.settings.prune_us) {
            return;
        }
        let request = self.question();
        self.pruning = Pruning { request, since_us: Some(now_us), told: BTreeMap::new() };
        let members: Vec<SegmentId> =
            self.groups.iter().flat_map(|g| g.copies.iter().map(|c| c.id)).collect();
        for id in members {
            self.say(id, Query { request, candidate: None }.into(), actions);
        }
    }

    /// An answer; the last one shortens the list.
    pub(super) fn told_oldest(&mut self, id: SegmentId, state: &SegmentState) {
        if state.request != self.pruning.request || self.changing() {
            return;
        }
        let copy = &self.groups[id.pg.0 as usize].copies[usize::from(id.position)];
        let ours = state.head.as_ref().is_some_and(|h| h.version.epoch == self.epoch);
        if !ours || copy.incarnation != state.incarnation || !copy.counts {
            return;
        }
        self.pruning.told.insert(id, state.oldest);
        if self.pruning.told.len() < self.groups.iter().map(|g| g.copies.len()).sum() {
            return;
        }
        let gone = self.pruning.told.values().copied().min().unwrap_or_default();
        let (vdl, epoch) = (self.vdl, self.epoch);
        let entries = &self.head.truncations.entries;
        if entries.iter().any(|t| t.hi < vdl && t.hi < gone && t.epoch < epoch) {
            self.change_head(|head, _| {
                head.truncations.entries.retain(|t| !(t.hi < vdl && t.hi < gone && t.epoch < epoch));
            });
        }
        self.pruning.told.clear();
    }
}
