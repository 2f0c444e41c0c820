//! What a member that was moved elsewhere leaves behind (R12): durable, and deaf to every writer of the past.

use crate::sim::{Cluster, member, seg};
use protocol::geometry::Incarnation;
use protocol::message::{Message, Retire};
use storage_node::Settings;
use storage_node::event::DiskFile;

/// A loaded cluster whose head, unknown to the nodes, names another life in another folder at `position`.
fn moved(seed: u64, position: u8) -> (Cluster, Retire) {
    let mut c = Cluster::new(seed, Settings::small());
    for _ in 0..8 {
        c.load(30, 7);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(60_000);
    }
    c.head.version.seq += 1;
    c.head.groups[0].version = c.head.version;
    c.head.groups[0].members[usize::from(position)] = member(position, 5);
    let left = member(position, 0);
    let (epoch, writer, head) = (c.epoch, c.writer, c.head.clone());
    (c, Retire { epoch, writer, node: left.node, incarnation: left.incarnation, head })
}

fn retired(c: &Cluster) -> bool {
    c.inbox.iter().any(|e| matches!(e.message, Message::Retired(_)))
}

#[test]
fn a_retired_life_is_gone_for_good_and_leads_on() {
    for (seed, position) in [(1, 0), (2, 3)] {
        let (mut c, retire) = moved(seed, position);
        c.inbox.clear();
        c.tell(position, retire.clone());
        c.run(200_000);
        // While pages were being made it does not answer; the writer asks again.
        while !retired(&c) {
            c.tell(position, retire.clone());
            c.run(50_000);
        }
        for _ in 0..2 {
            c.inbox.clear();
            c.fence(position, 90, 90);
            c.settle();
            let Some(Message::State(state)) = c.inbox.last().map(|e| e.message.clone()) else {
                panic!("it says who it is: {:?}", c.inbox)
            };
            assert_eq!(state.incarnation, Incarnation::default(), "nothing is granted");
            assert_eq!(state.head.as_ref(), Some(&retire.head), "and the head leads to where the copy lives");
            assert!(c.node(position).inspect(seg(position)).is_none());
            // Also after a crash that kept nothing but what was durable.
            c.crash(position, 0);
            c.boot(position, 0);
            c.settle();
        }
        let pages = |f: &DiskFile| matches!(f, DiskFile::Pages(_) | DiskFile::Index(..));
        assert_eq!(c.disks[usize::from(position)].bytes_of(pages), 0, "its pages are gone");
        c.inbox.clear();
        c.tell(position, retire);
        c.settle();
        assert!(retired(&c), "asked again, it says so again");
    }
}

#[test]
fn a_member_is_never_buried_and_a_stale_writer_buries_nobody() {
    let (mut c, retire) = moved(3, 2);
    let alive = |c: &Cluster| c.node(2).inspect(seg(2)).is_some();
    // A head that names it.
    let mut named = retire.clone();
    named.head.groups[0].members[2] = member(2, 0);
    c.inbox.clear();
    c.tell(2, named);
    c.run(100_000);
    assert!(alive(&c) && !retired(&c));
    // An epoch that was fenced off.
    c.fence(2, 50, 50);
    c.settle();
    c.inbox.clear();
    c.tell(2, retire.clone());
    c.run(100_000);
    assert!(alive(&c) && !retired(&c));
    assert!(c.inbox.iter().any(|e| matches!(e.message, Message::Refused(_))), "{:?}", c.inbox);
    // Another folder is meant, or another life.
    let elsewhere = Retire { node: member(2, 9).node, epoch: protocol::VolumeEpoch(50), ..retire.clone() };
    c.tell(2, elsewhere);
    c.run(100_000);
    assert!(alive(&c) && !retired(&c));
}
