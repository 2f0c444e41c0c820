//! One moment of a volume on daemons: the writer's view of every segment joined with what its daemon says.

use driver::LogView;
use driver::net::{NodeReport, Reach};
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of};
use protocol::{Incarnation, Lsn, SegmentId, VolumeEpoch};
use protocol_grpc::control::{SegmentStatus, StatusReply, id128};
use quorum::SegmentView;
use std::collections::BTreeMap;
use volume::status::{NodeStatus, SegmentFacts};

/// The daemons as an operator looks at them, in the order of the configuration.
pub(super) fn nodes(reports: &[NodeReport]) -> Vec<NodeStatus> {
    let positions = positions(reports);
    let one = |(report, position): (&NodeReport, Option<u8>)| {
        let mut node = match &report.status {
            Some(reply) => answered(reply),
            None => NodeStatus { state: "silent".to_string(), ..NodeStatus::default() },
        };
        (node.az, node.position, node.place) = (report.at.az, position, report.at.address.clone());
        if node.problem.is_empty() {
            node.problem = match &report.reach {
                Reach::Down(why) | Reach::Refused(why) => why.clone(),
                Reach::Unknown if report.status.is_none() => "no answer".to_string(),
                _ => String::new(),
            };
        }
        node
    };
    reports.iter().zip(positions).map(one).collect()
}

/// What a daemon says of itself, but for its place.
pub(crate) fn answered(reply: &StatusReply) -> NodeStatus {
    let metric = |name: &str| reply.metrics.iter().find(|m| m.name == name).map_or(0, |m| m.value);
    NodeStatus {
        state: if reply.volume.is_empty() { "blank" } else { reply.phase.as_str() }.to_string(),
        problem: reply.problem.clone(),
        pid: Some(reply.pid),
        disk_nearly_full: metric("disk_nearly_full") > 0,
        log_held_bytes: metric("log_held_bytes"),
        uncoalesced_bytes: metric("uncoalesced_bytes"),
        longest_chain: metric("longest_chain"),
        page_slots: metric("page_slots"),
        rot: metric("rot"),
        healed: metric("healed"),
        ..NodeStatus::default()
    }
}

/// The position each has said it holds; one that is silent is taken for the next of its zone that nobody has.
fn positions(reports: &[NodeReport]) -> Vec<Option<u8>> {
    let mut all: Vec<Option<u8>> = reports
        .iter()
        .map(|report| {
            let status = report.status.as_ref().filter(|status| !status.volume.is_empty());
            status.and_then(|status| u8::try_from(status.position).ok())
        })
        .collect();
    for (n, report) in reports.iter().enumerate().filter(|(_, report)| report.status.is_none()) {
        let free = |p: &u8| az_of(*p).0 == report.at.az && !all.contains(&Some(*p));
        all[n] = (0..COPIES as u8).find(free);
    }
    all
}

/// The daemons' counters under the names the embedded volume gives them, over those that answer.
pub(super) fn summed(nodes: &[NodeReport]) -> Vec<(&'static str, u64)> {
    const NAMES: [(&str, &str); 11] = [
        ("log_writes", "log_writes"),
        ("log_syncs", "log_syncs"),
        ("storage_log_held_bytes", "log_held_bytes"),
        ("storage_record_held_bytes", "record_held_bytes"),
        ("storage_uncoalesced_bytes", "uncoalesced_bytes"),
        ("storage_page_slots", "page_slots"),
        ("storage_page_reads", "page_reads"),
        ("storage_page_writes", "page_writes"),
        ("storage_rot", "rot"),
        ("storage_healed", "healed"),
        ("storage_dropped_answers", "dropped_answers"),
    ];
    let statuses = || nodes.iter().filter_map(|node| node.status.as_ref());
    let sum = |theirs: &str| {
        let metrics = statuses().flat_map(|status| &status.metrics);
        metrics.filter(|metric| metric.name == theirs).map(|metric| metric.value).sum()
    };
    let mut list: Vec<_> = NAMES.iter().map(|(ours, theirs)| (*ours, sum(theirs))).collect();
    let repairs = |of: fn(&SegmentStatus) -> u64| statuses().flat_map(|s| &s.segments).map(of).sum();
    list.push(("repair_messages", repairs(|s| s.repair_messages)));
    list.push(("repair_bytes", repairs(|s| s.repair_bytes)));
    list
}

/// The writer's view of every segment joined with what its daemon says.
pub(super) fn segments(view: &LogView, nodes: &[NodeReport]) -> Vec<SegmentFacts> {
    let (views, vdl, places) = (&view.segments, view.volume.vdl, positions(nodes));
    let mut pgcl: BTreeMap<u32, Vec<Lsn>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.member && !view.lost) {
        pgcl.entry(view.id.pg.0).or_default().push(view.scl);
    }
    for scls in pgcl.values_mut() {
        scls.sort_unstable_by(|a, b| b.cmp(a));
    }
    let one = |view: &SegmentView| {
        // Where the life we send log to is; else where the place's folder is.
        let lives =
            |node: &&NodeReport| segment_of(node, view.id).is_some_and(|s| is_life(s, view.incarnation));
        let place = || places.iter().position(|place| *place == Some(view.id.position)).map(|n| &nodes[n]);
        let at = nodes.iter().find(lives).or_else(place);
        let here = at.and_then(|node| segment_of(node, view.id));
        // What it acknowledged last stands for what it does not say.
        let silent = at.is_none_or(|node| node.status.is_none());
        let (incarnation, scl, page_point) =
            if silent { (view.incarnation, view.scl, view.page_point) } else { Default::default() };
        let metric = |name: &str| {
            let metrics = at.and_then(|node| node.status.as_ref()).map(|status| status.metrics.as_slice());
            metrics.unwrap_or_default().iter().find(|m| m.name == name).map_or(0, |m| m.value)
        };
        SegmentFacts {
            id: view.id,
            az: az_of(view.id.position).0,
            node_folder: at.map_or(String::new(), |node| node.at.address.clone()),
            role: view.role,
            incarnation: here.and_then(|s| id128(&s.incarnation)).map_or(incarnation, Incarnation),
            epoch: VolumeEpoch(here.map_or(0, |s| s.epoch)),
            scl: here.map_or(scl, |s| Lsn(s.scl)),
            pgcl: pgcl.get(&view.id.pg.0).and_then(|s| s.get(WRITE_QUORUM - 1)).copied().unwrap_or(Lsn::ZERO),
            vdl,
            page_point: here.map_or(page_point, |s| Lsn(s.page_point)),
            state: state(view, at, here.is_some()),
            repair_messages: here.map_or(0, |s| s.repair_messages),
            repair_bytes: here.map_or(0, |s| s.repair_bytes),
            log_writes: metric("log_writes"),
            log_syncs: metric("log_syncs"),
        }
    };
    views.iter().map(one).collect()
}

fn segment_of(node: &NodeReport, id: SegmentId) -> Option<&SegmentStatus> {
    let segments = &node.status.as_ref()?.segments;
    segments.iter().find(|s| s.pg == id.pg.0 && s.position == u32::from(id.position))
}

fn is_life(segment: &SegmentStatus, incarnation: Incarnation) -> bool {
    id128(&segment.incarnation) == Some(incarnation.0)
}

fn state(view: &SegmentView, node: Option<&NodeReport>, here: bool) -> &'static str {
    let Some(node) = node else { return "unreachable" };
    let phase = node.status.as_ref().map_or("", |status| status.phase.as_str());
    match phase {
        "failed" => "failed",
        "starting" => "starting",
        _ if node.reach != Reach::Up || node.status.is_none() => "unreachable",
        _ if view.lost || !here => "lost",
        _ if view.member => "member",
        _ => "newcomer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver::net::NodeAddress;

    fn report(n: usize, position: Option<u32>) -> NodeReport {
        let at = NodeAddress { az: (n / 2 + 1) as u8, address: format!("h{n}:1") };
        let status = position.map(|position| StatusReply {
            volume: vec![1; 16],
            position,
            phase: "serving".into(),
            ..StatusReply::default()
        });
        NodeReport { at, reach: Reach::Down("gone".to_string()), status }
    }

    #[test]
    fn who_is_silent_is_known_by_the_place_nobody_else_has() {
        let told = [Some(1), None, None, None, Some(4), Some(5)];
        let reports: Vec<NodeReport> = told.into_iter().enumerate().map(|(n, p)| report(n, p)).collect();
        let nodes = nodes(&reports);
        let positions: Vec<Option<u8>> = nodes.iter().map(|n| n.position).collect();
        assert_eq!(positions, [Some(1), Some(0), Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!((nodes[1].state.as_str(), nodes[1].problem.as_str(), nodes[1].az), ("silent", "gone", 1));
        assert_eq!((nodes[0].state.as_str(), nodes[0].place.as_str()), ("serving", "h0:1"));
    }
}
