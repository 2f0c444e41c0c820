//! Grants, heads and truncation lists.

use crate::sim::{Cluster, seg};
use protocol::WriterId;
use protocol::head::{HeadVersion, Truncation};
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::message::{Envelope, Gossip, Install, Message, Peer, RefusedReason};
use storage_node::{DiskFile, Event, Settings};

#[test]
fn from_the_grant_on_nothing_older_is_acknowledged_even_in_flight() {
    let mut c = Cluster::new(1, Settings::small());
    c.load(10, 3);
    let record = c.write_random(3);
    c.ship_to(0, std::slice::from_ref(&record));
    c.one();
    // The append is in flight; now the fence comes.
    c.fence(0, 2, 99);
    c.settle();
    let (mut stale, scl) = (0, c.scl(0));
    for envelope in c.inbox.drain(..) {
        match envelope.message {
            Message::Acked(ack) => panic!("acknowledged after the fence: {ack:?}"),
            Message::Refused(r) => {
                assert_eq!((r.reason, r.epoch), (RefusedReason::StaleEpoch, VolumeEpoch(2)));
                stale += 1;
            }
            Message::State(state) => {
                assert_eq!((state.epoch, state.writer), (VolumeEpoch(2), WriterId(99)));
                // The snapshot was taken after the sync: it shows what was in flight, or that never became durable.
                assert_eq!(state.scl, scl);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stale, 1);
    // The grant survives the machine, resends are answered, others are refused.
    c.crash(0, 0);
    c.boot(0, 0);
    c.settle();
    c.fence(0, 2, 99);
    c.fence(0, 2, 98);
    c.fence(0, 1, 97);
    c.ship_to(0, &[record]);
    c.settle();
    let states = c.inbox.iter().filter(|e| matches!(e.message, Message::State(_))).count();
    let refused = c.inbox.iter().filter(|e| matches!(e.message, Message::Refused(_))).count();
    assert_eq!((states, refused), (1, 3));
}

#[test]
fn no_fence_is_answered_before_its_grant_is_durable() {
    for seed in 1..40 {
        let mut c = Cluster::new(seed, Settings::small());
        c.fence(3, 5, 1);
        for _ in 0..c.rng.below(6) {
            c.one();
        }
        let answered = c.inbox.iter().any(|e| matches!(e.message, Message::State(_)));
        c.crash(3, 0);
        c.boot(3, 0);
        c.settle();
        if answered {
            assert_eq!(c.node(3).inspect(seg(3)).unwrap().epoch, VolumeEpoch(5), "seed {seed}");
        }
    }
}

/// Opens epoch 2 at the VDL given: everything above it is dead.
fn install(c: &mut Cluster, positions: &[u8], lo: Lsn) {
    let hi = Lsn(c.last.0 + 1_000_000);
    c.head.version = HeadVersion { epoch: VolumeEpoch(2), seq: 0 };
    c.head.truncations.entries = vec![Truncation { epoch: VolumeEpoch(2), lo, hi }];
    (c.epoch, c.writer) = (VolumeEpoch(2), WriterId(500));
    for p in positions {
        let incarnation = c.head.groups[0].members[usize::from(*p)].incarnation;
        let install = Install {
            epoch: c.epoch,
            writer: c.writer,
            incarnation,
            sequence: 1,
            head: c.head.clone(),
            frames: bytes::Bytes::new(),
        };
        c.tell(*p, install);
    }
    c.history.retain(|r| r.lsn <= lo);
    c.last = hi;
    c.last_pg.insert(protocol::PgId(0), lo);
    let mut last_page = std::collections::BTreeMap::new();
    c.history.iter().for_each(|r| {
        last_page.insert(r.page, r.lsn);
    });
    c.last_page = last_page;
}

#[test]
fn an_install_truncates_for_good() {
    let mut c = Cluster::new(2, Settings::small());
    c.load(30, 3);
    let vdl = c.vdl;
    let zombies: Vec<_> = (0..10).map(|_| c.write_random(3)).collect();
    // Only two copies get the last ten; nobody counts them.
    c.ship_to(0, &zombies);
    c.ship_to(1, &zombies);
    c.settle();
    assert!(c.scl(0) > vdl);
    install(&mut c, &[0, 2, 3, 4], vdl);
    c.settle();
    for p in [0, 2, 3, 4] {
        let state = c.node(p).inspect(seg(p)).unwrap();
        assert_eq!((state.scl, state.claim, state.highest), (vdl, vdl, vdl), "copy {p}");
    }
    assert!(c.scl(1) > vdl, "the straggler has not heard yet");
    // Gossip carries the head; the straggler drops its dead records, nobody takes them.
    c.run(500_000);
    assert!((0..6).all(|p| c.scl(p) == vdl));
    for p in 0..6 {
        c.crash(p, 50);
        c.boot(p, 0);
    }
    c.settle();
    assert!((0..6).all(|p| c.node(p).inspect(seg(p)).unwrap().highest == vdl));
    c.load(30, 3);
    c.run(500_000);
    assert!((0..6).all(|p| c.scl(p) == c.last));
    let at = c.last;
    (0..3).for_each(|page| c.check_page(2, protocol::PageId(page), at));
}

#[test]
fn a_straggler_takes_nothing_without_the_head() {
    let mut c = Cluster::new(3, Settings { gossip_interval_us: 1 << 40, ..Settings::small() });
    c.load(30, 3);
    let vdl = c.vdl;
    let zombies: Vec<_> = (0..5).map(|_| c.write_random(3)).collect();
    c.ship_to(5, &zombies);
    c.settle();
    install(&mut c, &[0, 1, 2, 3], vdl);
    c.settle();
    c.inbox.clear();
    let record = c.write_random(3);
    let incarnation = c.head.groups[0].members[5].incarnation;
    let append =
        protocol::message::Append { incarnation, head: None, ..c.append(std::slice::from_ref(&record)) };
    c.tell(5, append);
    c.settle();
    let Message::Acked(ack) = c.inbox.remove(0).message else { panic!("an acknowledgement of the old head") };
    assert_eq!(ack.head_version.epoch, VolumeEpoch(1));
    assert!(ack.scl < record.lsn);
    c.ship_to(5, std::slice::from_ref(&record));
    c.settle();
    let Message::Acked(ack) = c.inbox.remove(0).message else { panic!("an acknowledgement") };
    assert_eq!((ack.scl, ack.head_version), (record.lsn, c.head.version));
}

/// A full member holds ten records beyond the VDL, which epoch 2 kills; nothing is in pages yet.
fn zombies_at_zero(seed: u64) -> Cluster {
    let long = 1 << 40;
    let settings = Settings { coalesce_interval_us: long, gossip_interval_us: long, ..Settings::small() };
    let mut c = Cluster::new(seed, settings);
    c.load(30, 3);
    let zombies: Vec<_> = (0..10).map(|_| c.write_random(3)).collect();
    c.ship_to(0, &zombies);
    c.settle();
    assert!(c.scl(0) > c.vdl);
    c
}

/// What was told of a VDL under a newer head made no page of dead records; once the head is here, everything goes on.
fn dead_records_are_in_no_page(mut c: Cluster, before: Lsn) {
    c.run(1_000_000);
    let state = c.node(0).inspect(seg(0)).unwrap();
    assert!(state.scl > before, "the head is not here yet");
    assert!(
        state.page_point <= before,
        "pages through {}, of records that died at {before}",
        state.page_point
    );
    // The peers begin to talk.
    (1..6).for_each(|p| {
        c.crash(p, 100);
        c.boot(p, 0);
    });
    c.cut.clear();
    c.load(30, 3);
    c.run(1_000_000);
    assert!((0..6).all(|p| c.scl(p) == c.last));
    assert_eq!(c.node(0).inspect(seg(0)).unwrap().page_point, c.last);
    let at = c.last;
    (0..3).for_each(|page| c.check_page(0, protocol::PageId(page), at));
}

#[test]
fn the_vdl_of_a_head_that_rotted_with_its_superblock_makes_no_page() {
    let mut c = zombies_at_zero(7);
    let before = c.vdl;
    let older = c.disks[0].bytes_mut(DiskFile::Super).clone();
    install(&mut c, &[0, 1, 2, 3, 4, 5], before);
    c.settle();
    c.load(30, 3);
    assert_eq!(c.scl(0), c.last);
    c.crash(0, 100);
    // The superblock falls back to the head of epoch 1; the log's blocks state the VDL of epoch 2, and still hold the dead.
    c.disks[0].bytes_mut(DiskFile::Super).clone_from(&older);
    c.settings = Settings::small();
    c.cut = (0..6).collect();
    c.boot(0, 0);
    c.settle();
    let state = c.node(0).inspect(seg(0)).unwrap();
    assert!(state.vdl > state.scl, "what was told is reported: {state:?}");
    dead_records_are_in_no_page(c, before);
}

#[test]
fn the_vdl_of_a_head_not_seen_yet_makes_no_page() {
    let mut c = zombies_at_zero(8);
    let before = c.vdl;
    install(&mut c, &[1, 2, 3, 4, 5], before);
    c.settle();
    c.cut = vec![0];
    c.load(30, 3);
    c.crash(0, 100);
    c.settings = Settings::small();
    c.cut = (0..6).collect();
    c.boot(0, 0);
    c.settle();
    let peer = c.node(2).inspect(seg(2)).unwrap();
    let gossip = Gossip {
        incarnation: peer.incarnation,
        head_version: c.head.version,
        // The peer cannot know yet that this copy lacks it.
        head: None,
        scl: peer.scl,
        claim: peer.claim,
        vdl: c.vdl,
        page_point: Some(peer.page_point),
        floor: peer.floor,
        wants_log: false,
    };
    let (from, to) = (Peer::Segment(seg(2)), Peer::Segment(seg(0)));
    c.event(0, Event::Message(Envelope { from, to, message: gossip.into() }));
    dead_records_are_in_no_page(c, before);
}

#[test]
fn an_empty_folder_votes_for_nobody() {
    let mut c = Cluster::new(4, Settings::small());
    c.load(10, 3);
    c.crash(2, 0);
    c.disks[2] = Default::default();
    c.boot(2, 1);
    c.settle();
    c.inbox.clear();
    c.fence(2, 9, 9);
    c.ship_to(2, &[]);
    c.settle();
    for envelope in c.inbox.drain(..) {
        assert_eq!(envelope.from, Peer::Segment(seg(2)));
        match envelope.message {
            Message::State(s) => assert_eq!((s.incarnation.0, s.epoch.0, s.scl), (0, 0, Lsn::ZERO)),
            Message::Refused(r) => assert_eq!(r.reason, RefusedReason::OtherIncarnation),
            other => panic!("{other:?}"),
        }
    }
    assert!(c.node(2).segments().is_empty());
}

#[test]
fn a_candidate_with_old_membership_is_told() {
    let mut c = Cluster::new(5, Settings::small());
    let membership = HeadVersion::default();
    c.tell(0, protocol::message::Fence { epoch: VolumeEpoch(3), writer: WriterId(4), membership });
    c.settle();
    let Message::Refused(r) = c.inbox.remove(0).message else { panic!("a refusal") };
    assert_eq!(r.reason, RefusedReason::StaleMembership);
    assert_eq!(r.head.unwrap().version, c.head.version);
}

#[test]
fn the_first_head_of_all_is_adopted_although_its_version_is_zero() {
    let mut c = Cluster::new(6, Settings::small());
    for p in [0, 1] {
        c.crash(p, 0);
        c.disks[usize::from(p)] = Default::default();
        c.boot(p, 1);
    }
    c.settle();
    c.head.version = HeadVersion::default();
    c.epoch = VolumeEpoch(0);
    for p in [0, 1] {
        let create = protocol::message::Create {
            epoch: VolumeEpoch(0),
            writer: c.writer,
            volume: c.head.volume,
            node: crate::sim::member(p, 1).node,
            incarnation: c.head.groups[0].members[usize::from(p)].incarnation,
            role: protocol::geometry::founding_role(p),
            head: (p == 0).then(|| c.head.clone()),
        };
        c.tell(p, create);
    }
    c.settle();
    c.ship_to(1, &[]);
    c.settle();
    for p in [0, 1] {
        assert_eq!(c.node(p).inspect(seg(p)).unwrap().head.as_ref(), Some(&c.head), "copy {p}");
    }
}
