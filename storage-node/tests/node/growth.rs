//! Newcomers (R12) and segments that must not come back.

use crate::sim::{Cluster, VOLUME, member, seg};
use protocol::geometry::founding_role;
use protocol::head::Joint;
use protocol::lsn::Lsn;
use protocol::message::{Create, Message, RefusedReason};
use protocol::page::PageId;
use storage_node::Settings;

/// Replaces the folder of `position` by an empty one and names it in a joint head.
fn replace(c: &mut Cluster, position: u8) -> Lsn {
    c.crash(position, 0);
    c.disks[usize::from(position)] = Default::default();
    c.boot(position, 1);
    c.settle();
    let from = c.vdl;
    c.head.version.seq += 1;
    c.head.groups[0].version = c.head.version;
    c.head.groups[0].joint = Some(Joint { position, newcomer: member(position, 1), from });
    let create = Create {
        epoch: c.epoch,
        writer: c.writer,
        volume: VOLUME,
        node: member(position, 1).node,
        incarnation: member(position, 1).incarnation,
        role: founding_role(position),
        head: Some(c.head.clone()),
    };
    c.inbox.clear();
    c.tell(position, create);
    c.settle();
    assert!(c.inbox.iter().any(|e| matches!(e.message, Message::Created(_))));
    from
}

#[test]
fn a_newcomer_copies_everything_before_it_counts() {
    for (seed, position) in [(1, 2), (2, 3), (3, 0), (4, 5)] {
        let mut c = Cluster::new(seed, Settings::small());
        for _ in 0..15 {
            c.load(40, 9);
            c.pgmrpl = c.vdl;
            c.heartbeat();
            c.run(60_000);
        }
        let from = replace(&mut c, position);
        assert_eq!(c.scl(position), Lsn::ZERO);
        // The writer goes on meanwhile.
        for _ in 0..30 {
            let record = c.write_random(9);
            for p in 0..6 {
                let life = u128::from(p == position);
                let incarnation = member(p, life).incarnation;
                let append =
                    protocol::message::Append { incarnation, ..c.append(std::slice::from_ref(&record)) };
                c.tell(p, append);
            }
            c.one();
            let scl = c.node(position).inspect(seg(position)).unwrap().scl;
            assert!(scl == Lsn::ZERO || scl >= from);
        }
        c.run(2_000_000);
        assert_eq!(c.scl(position), c.last, "position {position}");
        c.head.version.seq += 1;
        c.head.groups[0].version = c.head.version;
        c.head.groups[0].members[usize::from(position)] = member(position, 1);
        c.head.groups[0].joint = None;
        c.vdl = c.last;
        c.heartbeat();
        c.run(2_000_000);
        if founding_role(position) == protocol::SegmentRole::Full {
            for page in 0..9 {
                let at = c.last;
                c.check_page(position, PageId(page), at);
            }
        }
        c.crash(position, 0);
        c.boot(position, 1);
        c.settle();
        assert_eq!(c.scl(position), c.last);
        // And the floor moves again with the new member.
        for _ in 0..15 {
            c.load(40, 9);
            c.pgmrpl = c.vdl;
            c.heartbeat();
            c.run(60_000);
        }
        assert!((0..6).all(|p| c.node(p).inspect(seg(p)).unwrap().floor > from));
    }
}

#[test]
fn a_newcomer_that_dies_half_way_starts_again() {
    for seed in 1..25 {
        let mut c = Cluster::new(seed, Settings { copy_pages: 1, ..Settings::small() });
        for _ in 0..6 {
            c.load(40, 9);
            c.pgmrpl = c.vdl;
            c.heartbeat();
            c.run(60_000);
        }
        replace(&mut c, 4);
        for _ in 0..4 {
            let steps = c.rng.below(80);
            c.event(4, storage_node::Event::Tick);
            for _ in 0..steps {
                c.one();
            }
            c.crash(4, 50);
            c.boot(4, 1);
        }
        c.settle();
        c.run(3_000_000);
        assert_eq!(c.scl(4), c.last, "seed {seed}");
        for page in 0..9 {
            let at = c.last;
            c.check_page(4, PageId(page), at);
        }
    }
}

#[test]
fn a_life_that_counts_is_not_replaced() {
    let mut c = Cluster::new(6, Settings::small());
    c.load(5, 2);
    let create = |c: &Cluster, incarnation| Create {
        epoch: c.epoch,
        writer: c.writer,
        volume: VOLUME,
        node: member(1, 0).node,
        incarnation,
        role: founding_role(1),
        head: None,
    };
    let m = create(&c, member(1, 3).incarnation);
    c.tell(1, m);
    c.settle();
    assert!(
        matches!(&c.inbox[0].message, Message::Refused(r) if r.reason == RefusedReason::OtherIncarnation)
    );
    // The same life again: created, once more.
    c.inbox.clear();
    let m = create(&c, member(1, 0).incarnation);
    c.tell(1, m);
    c.settle();
    assert!(matches!(c.inbox[0].message, Message::Created(_)));
    assert_eq!(c.scl(1), c.last);
}

#[test]
fn a_lost_journal_is_copied_from_a_peer() {
    let mut c = Cluster::new(7, Settings::small());
    for _ in 0..15 {
        c.load(40, 9);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(60_000);
    }
    assert!(c.node(0).inspect(seg(0)).unwrap().floor > Lsn::ZERO);
    c.crash(0, 100);
    for half in 0..2 {
        if c.disks[0].list().iter().any(|(f, _)| *f == storage_node::DiskFile::Index(seg(0), half)) {
            c.disks[0].bytes_mut(storage_node::DiskFile::Index(seg(0), half)).fill(0x55);
        }
    }
    c.boot(0, 0);
    c.settle();
    let state = c.node(0).inspect(seg(0)).unwrap();
    assert_eq!((state.scl, state.page_point), (c.last, Lsn::ZERO), "its log still counts, its pages do not");
    c.run(3_000_000);
    assert!(c.node(0).inspect(seg(0)).unwrap().page_point > Lsn::ZERO);
    for page in 0..9 {
        let at = c.last;
        c.check_page(0, PageId(page), at);
    }
}
