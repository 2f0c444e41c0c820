//! The picture as the storage daemons paint it, whether a compute node runs or not.
//!
//! What a silent node holds is not known: its copies are shown as silent, at the position nobody else in its zone has.

use super::{Copy, Group, Node, Picture, Writer, gather, judge};
use crate::fleet::answered;
use driver::net::NodeAddress;
use driver::net::survey::Found;
use judge::State;
use protocol::SegmentRole;
use protocol::geometry::{COPIES, WRITE_QUORUM, az_of, founding_role};
use protocol_grpc::control::{SegmentStatus, StatusReply, id128};
use std::collections::BTreeSet;

/// What they say.
#[must_use]
pub fn picture(found: &Found) -> Picture {
    let members = || found.nodes.iter().filter_map(|(_, r)| r.as_ref().filter(|r| !r.volume.is_empty()));
    let volume = members().find_map(|r| id128(&r.volume)).unwrap_or(0);
    let pgs: BTreeSet<u32> = members().flat_map(|r| r.segments.iter().map(|s| s.pg)).collect();
    let places = places(found);
    let groups: Vec<Group> = pgs.into_iter().map(|pg| group(found, &places, pg)).collect();
    let (state, verdict) = if volume == 0 {
        let blank = found.nodes.iter().any(|(_, reply)| reply.is_some());
        let text = if blank {
            "the storage nodes hold no volume; `sextant volume create` makes one"
        } else {
            "no storage node answers"
        };
        (State::None, text.to_string())
    } else {
        judge::volume(&groups, None)
    };
    let writer = members().find(|r| !r.writer.is_empty());
    let vdl = members().flat_map(|r| &r.segments).map(|s| s.vdl).max().unwrap_or(0);
    Picture {
        source: "storage".to_string(),
        state,
        verdict,
        volume: if volume == 0 { String::new() } else { format!("{volume:032x}") },
        writer: writer.map(|r| Writer { name: r.writer.clone(), epoch: r.head_epoch }),
        head: members().map(|r| (r.head_epoch, r.head_seq)).max().unwrap_or_default(),
        pages_per_pg: 0,
        vdl,
        vcl: vdl,
        log: None,
        nodes: found
            .nodes
            .iter()
            .zip(&places)
            .map(|((at, reply), place)| node(at, reply.as_ref(), *place))
            .collect(),
        groups,
    }
}

/// The position each has, or is taken to have.
fn places(found: &Found) -> Vec<Option<u8>> {
    let said = |reply: &StatusReply| u8::try_from(reply.position).ok().filter(|_| !reply.volume.is_empty());
    let mut places: Vec<Option<u8>> = found.nodes.iter().map(|(_, r)| r.as_ref().and_then(said)).collect();
    for (n, (at, _)) in found.nodes.iter().enumerate() {
        if places[n].is_none() {
            places[n] = (0..COPIES as u8).find(|p| az_of(*p).0 == at.az && !places.contains(&Some(*p)));
        }
    }
    places
}

fn node(at: &NodeAddress, reply: Option<&StatusReply>, position: Option<u8>) -> Node {
    let mut node = match reply {
        Some(reply) => gather::node(&answered(reply)),
        None => Node { state: "silent".to_string(), problem: "no answer".to_string(), ..Node::default() },
    };
    (node.az, node.place, node.position) = (at.az, at.address.clone(), position);
    node
}

fn group(found: &Found, places: &[Option<u8>], pg: u32) -> Group {
    let last = segments(found, pg).map(|(.., s)| s.scl).max().unwrap_or(0);
    let copies: Vec<Copy> = (0..COPIES as u8)
        .map(|position| match segments(found, pg).find(|(.., s)| s.position == u32::from(position)) {
            Some((at, reply, segment)) => copy(at, reply, segment, last),
            None => missing(found, places, position),
        })
        .collect();
    let mut scls: Vec<u64> = copies.iter().filter(|c| c.health.able()).map(|c| c.scl).collect();
    scls.sort_unstable_by(|a, b| b.cmp(a));
    let (state, able) = judge::group(&copies, false);
    Group {
        pg,
        state,
        able,
        newcomer: None,
        version: (0, 0),
        last_lsn: last,
        pgcl: scls.get(WRITE_QUORUM - 1).copied().unwrap_or(0),
        held_bytes: 0,
        copies,
    }
}

fn segments(found: &Found, pg: u32) -> impl Iterator<Item = (&NodeAddress, &StatusReply, &SegmentStatus)> {
    let replies = found.nodes.iter().filter_map(|(at, reply)| Some((at, reply.as_ref()?)));
    let all = replies.flat_map(|(at, reply)| reply.segments.iter().map(move |s| (at, reply, s)));
    all.filter(move |(.., s)| s.pg == pg)
}

fn copy(at: &NodeAddress, reply: &StatusReply, segment: &SegmentStatus, last: u64) -> Copy {
    let membership = match reply.phase.as_str() {
        "failed" => "failed",
        "starting" => "starting",
        "draining" => "unreachable",
        _ => "member",
    };
    let lag_bytes = last - segment.scl;
    let metric = |name: &str| reply.metrics.iter().find(|m| m.name == name).map_or(0, |m| m.value);
    Copy {
        position: segment.position as u8,
        az: at.az,
        place: at.address.clone(),
        role: if segment.full { "full" } else { "tail" }.to_string(),
        incarnation: format!("{:032x}", id128(&segment.incarnation).unwrap_or(0)),
        epoch: segment.epoch,
        state: membership.to_string(),
        health: judge::copy(membership, 0, lag_bytes),
        scl: segment.scl,
        lag_bytes,
        page_point: segment.page_point,
        silent_ms: 0,
        latency_us: 0,
        repair_messages: segment.repair_messages,
        repair_bytes: segment.repair_bytes,
        log_writes: metric("log_writes"),
        log_syncs: metric("log_syncs"),
    }
}

/// A copy that nobody tells of: its node is silent, or has it no more.
fn missing(found: &Found, places: &[Option<u8>], position: u8) -> Copy {
    let at = places.iter().position(|place| *place == Some(position)).map(|n| &found.nodes[n]);
    let state = match at {
        Some((_, Some(reply))) if reply.phase == "failed" => "failed",
        Some((_, Some(reply))) if reply.phase == "starting" => "starting",
        Some((_, Some(_))) => "lost",
        Some((_, None)) | None => "unreachable",
    };
    let role = match founding_role(position) {
        SegmentRole::Full => "full",
        SegmentRole::Tail => "tail",
    };
    Copy {
        position,
        az: az_of(position).0,
        place: at.map_or(String::new(), |(at, _)| at.address.clone()),
        role: role.to_string(),
        incarnation: String::new(),
        epoch: 0,
        state: state.to_string(),
        health: judge::copy(state, 0, 0),
        scl: 0,
        lag_bytes: 0,
        page_point: 0,
        silent_ms: 0,
        latency_us: 0,
        repair_messages: 0,
        repair_bytes: 0,
        log_writes: 0,
        log_syncs: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::judge::Health;
    use protocol_grpc::control::bytes128;

    fn node(n: u32) -> (NodeAddress, Option<StatusReply>) {
        let az = (n / 2 + 1) as u8;
        let segment = SegmentStatus {
            pg: 0,
            position: n,
            scl: 100 - u64::from(n),
            full: n.is_multiple_of(2),
            ..SegmentStatus::default()
        };
        let reply = StatusReply {
            volume: bytes128(0xabc),
            az: az.into(),
            position: n,
            phase: "serving".into(),
            segments: vec![segment],
            ..StatusReply::default()
        };
        (NodeAddress { az, address: format!("h{n}:1") }, Some(reply))
    }

    #[test]
    fn what_nodes_do_not_say_is_silence() {
        let mut found = Found { nodes: (0..6).map(node).collect() };
        let whole = picture(&found);
        assert_eq!((whole.state, whole.groups[0].pgcl, whole.groups[0].last_lsn), (State::Whole, 97, 100));
        found.nodes[3].1 = None;
        let degraded = picture(&found);
        assert_eq!(degraded.state, State::Degraded);
        let copy = &degraded.groups[0].copies[3];
        assert_eq!(
            (copy.health, copy.place.as_str(), degraded.nodes[3].position),
            (Health::Silent, "h3:1", Some(3))
        );
        found.nodes[0].1 = None;
        found.nodes[1].1 = None;
        assert_eq!(picture(&found).state, State::Stalled);
        assert_eq!(picture(&found).exit_code(), 4);
        for (_, reply) in &mut found.nodes {
            *reply = None;
        }
        assert_eq!((picture(&found).state, picture(&found).exit_code()), (State::None, 1));
    }
}
