//! The picture as a compute node sees its own volume.

use super::{Copy, Group, Log, Node, Picture, Writer, judge};
use crate::backing::{Backing, Moment};
use protocol::SegmentRole;
use quorum::{GroupView, SegmentView};
use volume::status::{NodeStatus, SegmentFacts};

/// Now. Asks storage and may wait a second for a silent node.
#[must_use]
pub fn picture(volume: &dyn Backing) -> Picture {
    of(&volume.moment())
}

fn of(moment: &Moment) -> Picture {
    let view = &moment.view;
    let groups: Vec<Group> = view.volume.groups.iter().map(|group| one_group(moment, group)).collect();
    let log = Log {
        last_lsn: view.volume.last.0,
        lal_bytes: view.volume.lal_bytes,
        headroom_bytes: view.volume.headroom(),
        waiting: view.room_waiters as u64,
        stalled_ms: view.stalled_us / 1000,
        lease_left_ms: moment.leased.then_some(view.lease_left_us / 1000),
        lease_ms: view.volume.lease_ms,
        held_bytes: view.volume.held_bytes,
        truncations: view.volume.truncations as u64,
    };
    let (state, verdict) = judge::volume(&groups, Some(&log));
    Picture {
        source: "writer".to_string(),
        state,
        verdict,
        volume: format!("{:032x}", view.volume.volume.0),
        writer: Some(Writer { name: format!("pid {}", std::process::id()), epoch: view.volume.epoch.0 }),
        head: (view.volume.head.epoch.0, view.volume.head.seq),
        pages_per_pg: view.volume.pages_per_pg,
        vdl: view.volume.vdl.0,
        vcl: view.volume.vcl.0,
        log: Some(log),
        nodes: moment.nodes.iter().map(node).collect(),
        groups,
    }
}

fn one_group(moment: &Moment, group: &GroupView) -> Group {
    let facts = moment.segments.iter().filter(|s| s.id.pg == group.pg);
    let copies: Vec<Copy> = facts
        .map(|facts| {
            let view = moment.view.segments.iter().find(|view| view.id == facts.id);
            copy(facts, view, moment.view.now_us, group.last.0)
        })
        .collect();
    let (state, able) = judge::group(&copies, group.joint.is_some());
    Group {
        pg: group.pg.0,
        state,
        able,
        newcomer: group.joint,
        version: (group.version.epoch.0, group.version.seq),
        last_lsn: group.last.0,
        pgcl: group.pgcl.0,
        held_bytes: group.held_bytes,
        copies,
    }
}

fn copy(facts: &SegmentFacts, view: Option<&SegmentView>, now_us: u64, last: u64) -> Copy {
    let silent_ms = view.map_or(0, |view| now_us.saturating_sub(view.heard_us) / 1000);
    let lag_bytes = last.saturating_sub(facts.scl.0);
    let role = match facts.role {
        SegmentRole::Full => "full",
        SegmentRole::Tail => "tail",
    };
    Copy {
        position: facts.id.position,
        az: facts.az,
        place: facts.node_folder.clone(),
        role: role.to_string(),
        incarnation: format!("{:032x}", facts.incarnation.0),
        epoch: facts.epoch.0,
        state: facts.state.to_string(),
        health: judge::copy(facts.state, silent_ms, lag_bytes),
        scl: facts.scl.0,
        lag_bytes,
        page_point: facts.page_point.0,
        silent_ms,
        latency_us: view.map_or(0, |view| view.latency_us),
        repair_messages: facts.repair_messages,
        repair_bytes: facts.repair_bytes,
        log_writes: facts.log_writes,
        log_syncs: facts.log_syncs,
    }
}

pub(super) fn node(status: &NodeStatus) -> Node {
    Node {
        az: status.az,
        position: status.position,
        place: status.place.clone(),
        state: status.state.clone(),
        problem: status.problem.clone(),
        pid: status.pid,
        disk_nearly_full: status.disk_nearly_full,
        log_held_bytes: status.log_held_bytes,
        uncoalesced_bytes: status.uncoalesced_bytes,
        longest_chain: status.longest_chain,
        rot: status.rot,
        healed: status.healed,
    }
}
