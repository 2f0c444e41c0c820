//! Crashes, torn tails, rot: what a node is after a restart.

use crate::sim::{Cluster, seg};
use protocol::lsn::Lsn;
use protocol::message::Message;
use protocol::{NodeId, VolumeId};
use storage_node::{DiskFile, Event, Node, NodeConfig, SECTOR_BYTES, Settings};

#[test]
fn nothing_is_acknowledged_before_its_sync() {
    let mut c = Cluster::new(1, Settings::small());
    let record = c.write_random(3);
    c.ship(std::slice::from_ref(&record));
    let mut acked = 0;
    loop {
        let before: Vec<Lsn> = (0..6).map(|p| c.scl(p)).collect();
        if !c.one() {
            break;
        }
        for envelope in c.inbox.drain(..) {
            if let Message::Acked(ack) = envelope.message {
                // The chain had it before the answer left: it moves only when the write is done.
                assert!(before.iter().any(|scl| *scl <= ack.scl));
                assert_eq!(ack.scl, record.lsn);
                acked += 1;
            }
        }
    }
    assert_eq!(acked, 6);
    assert!((0..6).all(|p| c.node(p).metrics().log_writes == 1));
}

#[test]
fn one_log_write_serves_everything_that_came_while_the_last_one_flew() {
    let mut c = Cluster::new(2, Settings::small());
    for _ in 0..50 {
        let record = c.write_random(3);
        c.ship_to(0, &[record]);
    }
    c.settle();
    assert_eq!(c.scl(0), c.last);
    let writes = c.node(0).metrics().log_writes;
    assert!(writes < 45, "{writes} writes for 50 appends that overlapped");
}

/// Acknowledged is durable, and what a restart finds is a prefix-closed part of what was sent: for any crash.
#[test]
fn a_crash_at_any_moment_keeps_what_was_acknowledged() {
    for seed in 1..120 {
        let mut c = Cluster::new(seed, Settings::small());
        let mut acked = Lsn::ZERO;
        for round in 0..6 {
            for _ in 0..1 + c.rng.below(40) {
                let record = c.write_random(6);
                if !c.rng.chance(5) {
                    c.ship_to(1, &[record]);
                }
                for _ in 0..c.rng.below(6) {
                    c.one();
                }
            }
            for envelope in c.inbox.drain(..) {
                if let Message::Acked(ack) = envelope.message {
                    acked = acked.max(ack.scl);
                }
            }
            let keep = [0, 50, 100][c.rng.below(3) as usize];
            c.crash(1, keep);
            c.boot(1, 0);
            c.settle();
            let state = c.node(1).inspect(seg(1)).unwrap();
            assert!(
                state.scl >= acked,
                "seed {seed} round {round}: acknowledged {acked:?}, found {:?}",
                state.scl
            );
            assert!(state.claim >= acked, "seed {seed}: claim {:?} below {acked:?}", state.claim);
            for record in c.node(1).records(seg(1)) {
                let sent = c.history.iter().find(|r| r.lsn == record.lsn).expect("only what was sent");
                assert_eq!(sent, record);
            }
            // I4: the chain is exact.
            let mut scl = Lsn::ZERO;
            for record in c.node(1).records(seg(1)) {
                if record.prev_pg == scl {
                    scl = record.lsn;
                }
            }
            assert_eq!(scl, state.scl, "seed {seed}: SCL is not the end of the chain");
            // The writer sends again what was not acknowledged.
            let missing: Vec<_> = c.history.iter().filter(|r| r.lsn > state.scl).cloned().collect();
            c.ship_to(1, &missing);
            c.settle();
            assert_eq!(c.scl(1), c.last);
            acked = c.last;
            c.inbox.clear();
        }
    }
}

#[test]
fn a_torn_tail_is_doubtful_and_does_not_halt() {
    let (mut torn, mut clean) = (0, 0);
    for seed in 1..60 {
        let mut c = Cluster::new(seed, Settings::small());
        c.load(20, 4);
        let before = c.scl(3);
        let records: Vec<_> = (0..60).map(|_| c.write_random(4)).collect();
        c.ship_to(3, &records);
        c.one();
        c.crash(3, 50);
        c.boot(3, 0);
        c.settle();
        let state = c.node(3).inspect(seg(3)).unwrap();
        assert!(state.scl >= before);
        if state.doubtful {
            torn += 1;
            assert_eq!(state.scl, before, "nothing of a torn block is taken");
        } else {
            clean += 1;
        }
        // Doubt survives restarts, work goes on, and the torn bytes are never found again.
        c.crash(3, 0);
        c.boot(3, 0);
        c.settle();
        assert_eq!(c.node(3).inspect(seg(3)).unwrap().doubtful, state.doubtful);
        c.ship_to(3, &records);
        c.settle();
        assert_eq!(c.scl(3), c.last);
        c.crash(3, 0);
        c.boot(3, 0);
        c.settle();
        assert_eq!(c.scl(3), c.last);
        assert_eq!(c.node(3).metrics().rot, 0);
    }
    assert!(torn > 5 && clean > 5, "{torn} torn, {clean} clean");
}

#[test]
fn rot_below_a_claim_is_reported_and_healed_by_gossip() {
    let mut c = Cluster::new(5, Settings { coalesce_interval_us: 1 << 40, ..Settings::small() });
    c.load(100, 4);
    let end = c.scl(1);
    c.crash(1, 100);
    // The third block of the log rots.
    c.disks[1].bytes_mut(DiskFile::Log(0))[2 * SECTOR_BYTES + 200] ^= 4;
    c.cut = (0..6).collect();
    c.boot(1, 0);
    c.settle();
    let state = c.node(1).inspect(seg(1)).unwrap();
    assert!(state.scl < end, "something is missing");
    assert_eq!(state.claim, end, "the claim stands");
    assert!(!state.doubtful);
    assert_eq!(c.node(1).metrics().rot, 1);
    c.cut.clear();
    c.run(500_000);
    let state = c.node(1).inspect(seg(1)).unwrap();
    assert_eq!((state.scl, state.claim), (end, end));
    c.crash(1, 0);
    c.boot(1, 0);
    c.settle();
    assert_eq!(c.scl(1), end, "what was healed is in the log");
}

#[test]
fn a_rotten_last_block_of_an_idle_log_is_rot_not_a_torn_tail() {
    let mut c = Cluster::new(6, Settings { coalesce_interval_us: 1 << 40, ..Settings::small() });
    c.load(30, 4);
    let end = c.scl(1);
    c.run(300_000);
    c.crash(1, 100);
    let log = c.disks[1].bytes_mut(DiskFile::Log(0));
    let last = log.chunks(SECTOR_BYTES).rposition(|s| s.iter().any(|b| *b != 0)).unwrap();
    log[last * SECTOR_BYTES + 300] ^= 1;
    c.cut = (0..6).collect();
    c.boot(1, 0);
    c.settle();
    let state = c.node(1).inspect(seg(1)).unwrap();
    assert!(state.scl < end && state.claim == end && !state.doubtful, "{state:?}");
    c.cut.clear();
    c.run(500_000);
    assert_eq!(c.scl(1), end);
}

#[test]
fn a_failed_write_is_the_end() {
    let mut c = Cluster::new(7, Settings::small());
    c.load(10, 3);
    c.disks[2].fail_writes = true;
    let record = c.write_random(3);
    c.ship(&[record]);
    c.settle();
    let from_two = c.inbox.iter().filter(|e| e.from == protocol::message::Peer::Segment(seg(2)));
    assert_eq!(from_two.filter(|e| matches!(e.message, Message::Acked(_))).count(), 0);
    c.inbox.clear();
    // Regression: its ticks stayed due for ever, and the storage thread of all six turned at full speed for them.
    assert_eq!(c.any_node(2).next_wake_us(), u64::MAX, "a failed node wants no time");
    assert!(c.node(1).next_wake_us() < u64::MAX);
    let record = c.write_random(3);
    c.ship_to(2, &[record]);
    c.settle();
    assert!(
        matches!(&c.inbox[0].message, Message::Refused(r) if r.reason == protocol::message::RefusedReason::Failed)
    );
}

#[test]
fn a_node_that_has_not_read_its_folder_wants_no_time() {
    let config = NodeConfig { volume: VolumeId(1), node: NodeId(1), settings: Settings::small() };
    let mut node = Node::new(config);
    assert_eq!(node.next_wake_us(), u64::MAX, "only its disk moves it");
    let mut actions = Vec::new();
    node.step(5, Event::Open { files: Vec::new() }, &mut actions);
    assert!(!actions.is_empty());
    assert_eq!(node.next_wake_us(), u64::MAX);
}

#[test]
fn rot_below_the_pages_of_a_full_member_costs_nothing() {
    for peers_drop in [false, true] {
        let mut c = Cluster::new(8, Settings::small());
        c.load(100, 4);
        c.run(1_000_000);
        let end = c.scl(0);
        assert_eq!(c.node(0).inspect(seg(0)).unwrap().page_point, end);
        c.crash(0, 100);
        c.disks[0].bytes_mut(DiskFile::Log(0))[2 * SECTOR_BYTES + 200] ^= 4;
        if peers_drop {
            // All full members hold the pages, so the others may drop the log while this one is away.
            c.pgmrpl = c.vdl;
            c.heartbeat();
            c.run(1_000_000);
            assert_eq!(c.node(2).records(seg(2)).count(), 0);
        }
        c.boot(0, 0);
        c.settle();
        assert!(c.scl(0) < end);
        c.run(1_000_000);
        assert_eq!(c.scl(0), end);
        c.check_page(0, protocol::PageId(1), end);
        c.load(50, 4);
        c.run(1_000_000);
        for page in 0..4 {
            let at = c.last;
            c.check_page(0, protocol::PageId(page), at);
        }
    }
}

#[test]
fn rot_in_a_log_file_is_found_and_written_again() {
    // Nothing becomes a page, so the log must carry everything.
    let mut c = Cluster::new(
        9,
        Settings {
            coalesce_bytes: 1 << 30,
            coalesce_log_bytes: 1 << 40,
            coalesce_interval_us: 1 << 40,
            coalesce_chain: 1 << 20,
            spill_bytes: 1 << 30,
            ..Settings::small()
        },
    );
    while !c.disks[1].list().iter().any(|(f, _)| *f == DiskFile::Log(2)) {
        c.load(50, 4);
    }
    let end = c.scl(1);
    for sector in [3, 40, 41, 90] {
        c.disks[1].bytes_mut(DiskFile::Log(0))[sector * SECTOR_BYTES + 150] ^= 2;
    }
    c.run(2_000_000);
    assert!(c.node(1).metrics().rot >= 3);
    let written = c.node(1).metrics().log_writes;
    c.run(2_000_000);
    assert_eq!(c.node(1).metrics().log_writes, written, "it is written again once");
    c.crash(1, 0);
    c.cut = (0..6).collect();
    c.boot(1, 0);
    c.settle();
    let state = c.node(1).inspect(seg(1)).unwrap();
    assert_eq!((state.scl, state.claim), (end, end), "no peer was needed");
}

#[test]
fn rot_in_log_that_left_memory_is_healed_by_peers() {
    let settings = Settings {
        coalesce_bytes: 1 << 30,
        coalesce_log_bytes: 1 << 40,
        coalesce_interval_us: 1 << 40,
        coalesce_chain: 1 << 20,
        spill_bytes: 4 << 10,
        ..Settings::small()
    };
    let mut c = Cluster::new(11, settings);
    while !c.disks[1].list().iter().any(|(f, _)| *f == DiskFile::Log(2)) {
        c.load(50, 4);
    }
    c.heartbeat();
    c.run(200_000);
    let end = c.scl(1);
    assert!(c.node(1).records(seg(1)).count() < c.history.len() / 4, "most of it is on disk only");
    c.disks[1].bytes_mut(DiskFile::Log(0))[40 * SECTOR_BYTES + 150] ^= 2;
    c.run(5_000_000);
    assert!(c.node(1).metrics().rot >= 1);
    assert_eq!(c.scl(1), end, "the peers sent it again");
    // Whole by itself: a restart needs nobody.
    c.crash(1, 0);
    c.cut = (0..6).collect();
    c.boot(1, 0);
    c.settle();
    let state = c.node(1).inspect(seg(1)).unwrap();
    assert_eq!((state.scl, state.claim), (end, end));
}
