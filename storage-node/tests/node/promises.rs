//! Promises to the writer, votes, the silence after a start (R7, R8), and creations that name their folder.

use crate::sim::{Cluster, VOLUME, member, seg};
use protocol::message::{Create, Message, Query, RefusedReason, Release};
use protocol::{PgId, SegmentId, VolumeEpoch, WriterId};
use storage_node::Settings;

/// T in the head of these clusters, microseconds.
const T_US: u64 = 600_000;

fn cluster() -> Cluster {
    Cluster::made(3, Settings::small())
}

/// What a rival's fence at position 0 is answered.
fn fenced(c: &mut Cluster, epoch: u64, writer: u128) -> Result<VolumeEpoch, RefusedReason> {
    c.inbox.clear();
    c.fence(0, epoch, writer);
    c.settle();
    match c.inbox.remove(0).message {
        Message::State(state) => Ok(state.epoch),
        Message::Refused(refused) => Err(refused.reason),
        other => panic!("{other:?}"),
    }
}

fn vote(c: &mut Cluster, candidate: u128) -> bool {
    c.inbox.clear();
    c.tell(0, Query { request: 5, candidate: Some(WriterId(candidate)) });
    c.settle();
    match c.inbox.remove(0).message {
        Message::State(state) => {
            assert_eq!((state.request, state.epoch), (5, VolumeEpoch(1)), "a vote changes nothing");
            state.votes
        }
        other => panic!("{other:?}"),
    }
}

fn promised(c: &mut Cluster) -> u64 {
    c.inbox.clear();
    c.ship_to(0, &[]);
    c.settle();
    match c.inbox.remove(0).message {
        Message::Acked(acked) => acked.promised_ms,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_promise_keeps_a_rival_out_until_it_ends() {
    let mut c = cluster();
    assert_eq!(promised(&mut c), 600);
    assert!(!vote(&mut c, 9));
    assert_eq!(fenced(&mut c, 2, 9), Err(RefusedReason::Promised));
    assert!(vote(&mut c, 77), "the holder is no rival");
    c.run(T_US / 2);
    assert_eq!(fenced(&mut c, 2, 9), Err(RefusedReason::Promised));
    c.run(T_US / 2 + 20_000);
    assert!(vote(&mut c, 9));
    assert_eq!(fenced(&mut c, 2, 9), Ok(VolumeEpoch(2)));
}

#[test]
fn a_restarted_segment_is_silent_for_as_long_as_it_may_have_promised() {
    let mut c = cluster();
    c.run(2 * T_US);
    c.crash(0, 100);
    c.boot(0, 0);
    c.settle();
    assert!(!vote(&mut c, 9));
    assert_eq!(fenced(&mut c, 2, 9), Err(RefusedReason::Promised));
    assert_eq!(fenced(&mut c, 1, 77), Ok(VolumeEpoch(1)), "whom it granted it may grant");
    c.run(T_US + 20_000);
    assert_eq!(fenced(&mut c, 2, 9), Ok(VolumeEpoch(2)));
}

#[test]
fn what_was_released_is_never_promised_again() {
    let mut c = cluster();
    assert_eq!(promised(&mut c), 600);
    c.tell(0, Release { epoch: VolumeEpoch(1), writer: WriterId(77) });
    c.settle();
    assert_eq!(promised(&mut c), 0, "a late heartbeat");
    assert_eq!(fenced(&mut c, 2, 9), Ok(VolumeEpoch(2)));
}

#[test]
fn somebody_elses_release_changes_nothing() {
    let mut c = cluster();
    c.tell(0, Release { epoch: VolumeEpoch(1), writer: WriterId(9) });
    c.settle();
    assert_eq!(promised(&mut c), 600);
    assert_eq!(fenced(&mut c, 2, 9), Err(RefusedReason::Promised));
}

#[test]
fn an_epoch_is_granted_to_one_candidate_only() {
    let mut c = cluster();
    c.run(2 * T_US);
    assert_eq!(fenced(&mut c, 2, 9), Ok(VolumeEpoch(2)));
    assert_eq!(fenced(&mut c, 2, 8), Err(RefusedReason::StaleEpoch));
    assert_eq!(fenced(&mut c, 2, 9), Ok(VolumeEpoch(2)), "sent again, answered again");
}

#[test]
fn a_life_begins_only_in_the_folder_it_was_meant_for() {
    let mut c = cluster();
    let id = SegmentId { pg: PgId(1), position: 0 };
    let create = |node| Create {
        epoch: VolumeEpoch(1),
        writer: WriterId(77),
        volume: VOLUME,
        node,
        incarnation: member(0, 4).incarnation,
        role: protocol::SegmentRole::Full,
        head: None,
    };
    for (node, created) in [(member(0, 1).node, false), (member(0, 0).node, true)] {
        c.inbox.clear();
        let from = protocol::message::Peer::Compute(c.writer);
        let to = protocol::message::Peer::Segment(id);
        c.post(protocol::message::Envelope { from, to, message: create(node).into() });
        c.settle();
        assert_eq!(matches!(c.inbox[0].message, Message::Created(_)), created, "{:?}", c.inbox[0]);
        assert_eq!(c.node(0).segments().contains(&id), created);
    }
    assert_eq!(c.node(0).segments()[0], seg(0));
}
