//! Tombstones (R12): what a life leaves when the volume map does not name it any more.
//!
//! The tombstone is the head that does not name it. It is durable in the superblock, the life is not in the superblock's list any more, and
//! from then on the node answers for that copy as for one it never had: nothing is granted, nothing acknowledged, and whoever asks is
//! told the head, whose addresses lead on (R9). The life's files go with it; its records in the log go with their log files.
//!
//! Invariants
//! 1. A life is forgotten only under a held head that lists its group and does not name it, and while no page job of it is under way.
//! 2. The answer leaves once the superblock without it is durable.
//! 3. Another life of the same copy begins here only after the old one's files are gone.

use crate::event::{Action, DiskFile, DiskOp};
use crate::lane::{Waiter, Wanted};
use crate::node::{Node, Pending};
use protocol::geometry::SegmentId;
use protocol::message::{Peer, RefusedReason, Retire};

impl Node {
    pub(crate) fn on_retire(&mut self, id: SegmentId, from: Peer, m: &Retire, out: &mut Vec<Action>) {
        if m.head.volume != self.owner.volume || m.node != self.owner.node {
            // Meant for the folder that was here before: whoever asks learns of this one when it calls.
            return;
        }
        let held = self.head.as_ref().map_or(m.epoch, |head| head.version.epoch);
        let granted = self.segments.get(&id).map_or(held, |segment| segment.epoch(self.head.as_ref()));
        if m.epoch < held.max(granted) {
            self.metrics.stale += 1;
            return self.refuse(id, from, RefusedReason::StaleEpoch, out);
        }
        if m.head.group(id.pg).is_none() || !self.adopt_head(&m.head) {
            return;
        }
        if self.segments.get(&id).is_some_and(|segment| segment.incarnation == m.incarnation) {
            if self.segments.get(&id).is_some_and(|segment| !self.may_give_way(segment)) {
                // Invariant 1; the writer asks again.
                return;
            }
            self.forget(id, out);
        }
        let what = Wanted::Retired { incarnation: m.incarnation };
        self.lane.after_superblock(Waiter { segment: id, to: from, what });
    }

    fn forget(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        let Some(segment) = self.segments.remove(&id) else { return };
        tracing::info!(segment = ?id, incarnation = ?segment.incarnation, "the volume map names another copy: this one is retired");
        self.metrics.retired += 1;
        if segment.pages.is_some() {
            for file in [DiskFile::Pages(id), DiskFile::Index(id, 0), DiskFile::Index(id, 1)] {
                *self.deleting.entry(id).or_default() += 1;
                self.disk(Pending::Gone(id), file, DiskOp::Delete, out);
            }
        }
    }

    /// A file of a retired life is gone, or could not be removed: then its content is of a life that nobody names.
    pub(crate) fn gone(&mut self, id: SegmentId) {
        if let Some(left) = self.deleting.get_mut(&id) {
            *left -= 1;
            if *left == 0 {
                self.deleting.remove(&id);
            }
        }
    }
}
