//! R11: which log may be dropped, and which files with it.
//!
//! ```text
//!   floor = min over all full members (both sets while joint, a newcomer counts 0) of their durable, checked page points
//!   a tail drops through the last record of its chain at or below the floor
//!   a full member drops through its newest page point at or below the floor *and* PGMRPL: reads between need the records
//! ```

use crate::node::Node;
use crate::segment::Segment;
use protocol::geometry::{SegmentId, SegmentRole};
use protocol::head::{Head, Member};
use protocol::lsn::Lsn;

impl Node {
    /// Drops what every full member holds as pages, and releases log files nobody needs.
    pub(crate) fn drop_log(&mut self) {
        let (head, vdl) = (self.head.as_ref(), self.vdl);
        for segment in self.segments.values_mut() {
            let floor = floor(segment, head).min(vdl);
            let through = match &mut segment.pages {
                Some(pages) if pages.copying() => None,
                Some(pages) => pages.store.point_at(floor.min(segment.pgmrpl)),
                // A page point is an LSN of the chain, also where memory no longer knows the chain.
                None if floor < segment.chain.from() && floor < vdl => Some(floor),
                None => Some(segment.chain.point_at(floor)),
            };
            if let Some(through) = through
                && through > segment.chain.base()
                && through <= segment.chain.scl()
            {
                segment.chain.drop_through(through);
            }
        }
        let segments = &self.segments;
        let needs = |id: SegmentId, highest: Lsn| {
            // Above everything held alive: dead records (R3) keep no file.
            segments.get(&id).is_some_and(|s| highest.min(s.chain.highest()) > s.chain.base())
        };
        if self.log.release(needs) {
            self.lane.superblock_later();
        }
    }
}

/// R11's floor of one group, as far as this segment knows.
fn floor(segment: &Segment, head: Option<&Head>) -> Lsn {
    if protocol::mutant!(DropAboveFloor) {
        return segment.page_point().unwrap_or(segment.chain.scl());
    }
    let Some(group) = head.and_then(|h| h.group(segment.id.pg)) else { return Lsn::ZERO };
    let members = group.members.iter().chain(group.joint.iter().map(|j| &j.newcomer));
    let full = members.filter(|m| m.role == SegmentRole::Full);
    let points = full.map(|m| page_point(segment, m));
    let floor = if protocol::mutant!(DropAtOneFull) { points.max() } else { points.min() };
    floor.unwrap_or(Lsn::ZERO)
}

fn page_point(segment: &Segment, member: &Member) -> Lsn {
    if member.incarnation == segment.incarnation {
        return segment.page_point().unwrap_or(Lsn::ZERO);
    }
    segment.peers.get(&member.incarnation).and_then(|p| p.page_point).unwrap_or(Lsn::ZERO)
}
