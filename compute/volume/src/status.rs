//! What can be asked of an open volume: one line per segment, and counters.

use protocol::{Incarnation, Lsn, SegmentId, SegmentRole, VolumeEpoch};
use quorum::SegmentView;

/// One segment as its own node sees it.
#[derive(Clone, Debug)]
pub(crate) struct NodeSegment {
    pub(crate) id: SegmentId,
    pub(crate) incarnation: Incarnation,
    pub(crate) role: SegmentRole,
    pub(crate) epoch: VolumeEpoch,
    pub(crate) scl: Lsn,
    pub(crate) page_point: Lsn,
}

/// One node folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeFacts {
    pub(crate) folder: String,
    pub(crate) failed: Option<String>,
    pub(crate) starting: bool,
    pub(crate) segments: Vec<NodeSegment>,
    pub(crate) log_writes: u64,
    pub(crate) log_syncs: u64,
    pub(crate) held_log_bytes: u64,
    pub(crate) held_record_bytes: u64,
    pub(crate) uncoalesced: u64,
    pub(crate) log_memory: u64,
    pub(crate) rounds: u64,
    pub(crate) log_bytes: u64,
    pub(crate) page_slots: u64,
    pub(crate) index: u64,
    pub(crate) index_bound: u64,
    pub(crate) page_reads: u64,
    pub(crate) page_writes: u64,
    pub(crate) rot: u64,
    pub(crate) healed: u64,
    pub(crate) longest_chain: u64,
    pub(crate) full: bool,
}

/// One storage node, in this process or a daemon, as an operator looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Availability zone, 1 to 3.
    pub az: u8,
    /// Its position in every group, 0 to 5; `None` while it has none.
    pub position: Option<u8>,
    /// Its folder, or its address.
    pub place: String,
    /// `serving`, `starting`, `failed`, `draining`, `blank`, `refuses` or `silent`.
    pub state: String,
    /// What is wrong with it; empty for nothing.
    pub problem: String,
    /// Its process, if it is one of its own.
    pub pid: Option<u32>,
    /// Less than the reserve of its device is free: it takes no log.
    pub disk_nearly_full: bool,
    /// Bytes of log files held.
    pub log_held_bytes: u64,
    /// Bytes of log not yet in pages.
    pub uncoalesced_bytes: u64,
    /// Longest chain of unapplied records of one page.
    pub longest_chain: u64,
    /// Stored pages.
    pub page_slots: u64,
    /// Bad blocks and images found, and those healed, since it started.
    pub rot: u64,
    /// See `rot`.
    pub healed: u64,
}

/// A node folder of this process as [`NodeStatus`].
pub(crate) fn node_status(position: usize, facts: &NodeFacts) -> NodeStatus {
    let state = match &facts.failed {
        Some(_) => "failed",
        None if facts.starting => "starting",
        None => "serving",
    };
    NodeStatus {
        az: protocol::geometry::az_of(position as u8).0,
        position: Some(position as u8),
        place: facts.folder.clone(),
        state: state.to_string(),
        problem: facts.failed.clone().unwrap_or_default(),
        pid: None,
        disk_nearly_full: facts.full,
        log_held_bytes: facts.held_log_bytes,
        uncoalesced_bytes: facts.uncoalesced,
        longest_chain: facts.longest_chain,
        page_slots: facts.page_slots,
        rot: facts.rot,
        healed: facts.healed,
    }
}

/// What the storage thread answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) nodes: Vec<NodeFacts>,
    /// (segment, messages, bytes) sent for repair since the start.
    pub(crate) repairs: Vec<(SegmentId, u64, u64)>,
    pub(crate) device_syscalls: u64,
    pub(crate) device_wakeups: u64,
}

/// One line of `sextant.segments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Protection group and position.
    pub id: SegmentId,
    /// Availability zone, 1 to 3.
    pub az: u8,
    /// Path of the node folder.
    pub node_folder: String,
    /// Full or tail.
    pub role: SegmentRole,
    /// The life that lives in the folder; zero if none.
    pub incarnation: Incarnation,
    /// The epoch it holds durably.
    pub epoch: VolumeEpoch,
    /// End of its durable gap-free chain.
    pub scl: Lsn,
    /// The group's PGCL: the SCL reached by four of six.
    pub pgcl: Lsn,
    /// The volume's VDL.
    pub vdl: Lsn,
    /// Durable, checked pages through here; zero for a tail segment.
    pub page_point: Lsn,
    /// `member`, `newcomer`, `lost`, `starting` or `failed`.
    pub state: &'static str,
    /// Messages it sent to repair others.
    pub repair_messages: u64,
    /// Bytes of log and images in them.
    pub repair_bytes: u64,
    /// Log writes of its node, each durable.
    pub log_writes: u64,
    /// Syncs of its node's log files.
    pub log_syncs: u64,
}

/// Joins the writer's view of a segment with its node's.
pub(crate) fn join(view: &SegmentView, group: &[&SegmentView], vdl: Lsn, facts: &Facts) -> SegmentFacts {
    let mut scls: Vec<Lsn> = group.iter().filter(|v| v.member && !v.lost).map(|v| v.scl).collect();
    scls.sort_unstable_by(|a, b| b.cmp(a));
    let pgcl = scls.get(protocol::geometry::WRITE_QUORUM - 1).copied().unwrap_or(Lsn::ZERO);
    let empty = NodeFacts::default();
    let node = facts.nodes.get(view.id.position as usize).unwrap_or(&empty);
    let here = node.segments.iter().find(|s| s.id == view.id);
    let repairs = facts.repairs.iter().find(|(id, ..)| *id == view.id);
    let state = if node.failed.is_some() {
        "failed"
    } else if node.starting {
        "starting"
    } else if view.lost || here.is_none() {
        "lost"
    } else if view.member {
        "member"
    } else {
        "newcomer"
    };
    SegmentFacts {
        id: view.id,
        az: protocol::geometry::az_of(view.id.position).0,
        node_folder: node.folder.clone(),
        role: here.map_or(view.role, |s| s.role),
        incarnation: here.map_or(Incarnation(0), |s| s.incarnation),
        epoch: here.map_or(VolumeEpoch::NONE, |s| s.epoch),
        scl: here.map_or(Lsn::ZERO, |s| s.scl),
        pgcl,
        vdl,
        page_point: here.map_or(Lsn::ZERO, |s| s.page_point),
        state,
        repair_messages: repairs.map_or(0, |(_, messages, _)| *messages),
        repair_bytes: repairs.map_or(0, |(.., bytes)| *bytes),
        log_writes: node.log_writes,
        log_syncs: node.log_syncs,
    }
}
