//! What the storage thread says of itself, and the forms others want it in.

use protocol::SegmentRole;
use protocol::geometry::SegmentId;
use protocol::head::Head;
use protocol::message::SegmentState;
use protocol_grpc::control::{Metric, SegmentStatus, bytes128};

/// One moment of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `starting`, `serving` or `failed`.
    pub(crate) phase: &'static str,
    /// Why it failed.
    pub(crate) problem: String,
    /// Its segments.
    pub(crate) segments: Vec<(SegmentId, SegmentState)>,
    /// (segment, messages, bytes) sent for repair since the start.
    pub(crate) repairs: Vec<(SegmentId, u64, u64)>,
    /// The newest head held.
    pub(crate) head: Option<Head>,
    /// Names and values.
    pub(crate) metrics: Vec<(&'static str, u64)>,
}

impl Facts {
    /// The segments as the control messages want them.
    pub(crate) fn segment_statuses(&self) -> Vec<SegmentStatus> {
        let one = |(id, state): &(SegmentId, SegmentState)| {
            let repairs = self.repairs.iter().find(|(other, ..)| other == id);
            SegmentStatus {
                pg: id.pg.0,
                position: id.position.into(),
                incarnation: bytes128(state.incarnation.0),
                full: state.role == SegmentRole::Full,
                epoch: state.epoch.0,
                scl: state.scl.0,
                claim: state.claim.0,
                page_point: state.page_point.0,
                vdl: state.vdl.0,
                floor: state.floor.0,
                repair_messages: repairs.map_or(0, |r| r.1),
                repair_bytes: repairs.map_or(0, |r| r.2),
            }
        };
        self.segments.iter().map(one).collect()
    }

    /// The counters as the control messages want them.
    pub(crate) fn metric_list(&self) -> Vec<Metric> {
        self.metrics.iter().map(|(name, value)| Metric { name: (*name).to_string(), value: *value }).collect()
    }
}
