//! Gaps, silent members, full disks.

use crate::sim::{Cluster, seg};
use protocol::message::{Envelope, Gossip, Message, Peer};
use storage_node::{Event, Settings};

#[test]
fn gossip_fills_holes_within_two_rounds() {
    let mut c = Cluster::new(1, Settings::small());
    c.load(10, 3);
    for n in 0..40 {
        let record = c.write_random(3);
        for p in 0..6u8 {
            // Each record misses two copies.
            if n % 3 != usize::from(p) % 3 {
                c.ship_to(p, std::slice::from_ref(&record));
            }
        }
    }
    c.settle();
    assert!((0..6).all(|p| c.scl(p) < c.last));
    // No copy holds all: each round passes on what the chain of the best one has.
    let round = c.settings.gossip_interval_us;
    for _ in 0..40 {
        c.run(2 * round);
    }
    let best = (0..6).map(|p| c.scl(p)).max().unwrap();
    assert!((0..6).all(|p| c.scl(p) == best));
    // One copy with everything is enough for all, in two rounds and the time to fetch.
    let all = c.history.clone();
    c.ship_to(4, &all);
    c.settle();
    c.run(3 * round);
    assert!((0..6).all(|p| c.scl(p) == c.last));
}

#[test]
fn a_nearly_full_device_takes_no_records_and_says_so() {
    let mut c = Cluster::new(2, Settings::small());
    c.load(10, 3);
    let before = c.scl(0);
    c.event(0, Event::Space { free: 1, total: 1_000_000 });
    let record = c.write_random(3);
    c.ship_to(0, std::slice::from_ref(&record));
    c.settle();
    let Message::Acked(ack) = c.inbox.remove(0).message else { panic!("an acknowledgement") };
    assert!(ack.full && ack.scl == before);
    c.event(0, Event::Space { free: 900_000, total: 1_000_000 });
    c.ship_to(0, &[record]);
    c.settle();
    let Message::Acked(ack) = c.inbox.remove(0).message else { panic!("an acknowledgement") };
    assert!(!ack.full && ack.scl == c.last);
}

#[test]
fn a_tail_that_slept_goes_on_behind_its_peers_floor() {
    let mut c = Cluster::new(3, Settings::small());
    c.load(30, 4);
    c.crash(5, 0);
    for _ in 0..20 {
        c.load(40, 4);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(60_000);
    }
    assert!(c.node(0).inspect(seg(0)).unwrap().floor > c.history[30].lsn, "the log went without the tail");
    c.boot(5, 0);
    c.settle();
    c.run(1_000_000);
    assert_eq!(c.scl(5), c.last);
    c.crash(5, 0);
    c.boot(5, 0);
    c.settle();
    assert_eq!(c.scl(5), c.last);
}

#[test]
fn two_runs_of_one_seed_are_the_same_run() {
    let run = |seed| {
        let mut c = Cluster::new(seed, Settings::small());
        for _ in 0..5 {
            c.load(40, 5);
            c.run(200_000);
            c.crash(2, 50);
            c.boot(2, 0);
            c.settle();
        }
        (c.now, (0..6).map(|p| c.node(p).metrics()).collect::<Vec<_>>())
    };
    assert_eq!(run(9), run(9));
}

#[test]
fn a_gap_is_filled_however_far_ahead_the_log_has_run() {
    let mut c =
        Cluster::new(4, Settings { gap_bytes: 2_000, coalesce_interval_us: 1 << 40, ..Settings::small() });
    c.load(10, 3);
    let missed = c.write_random(3);
    (0..5).for_each(|p| c.ship_to(p, std::slice::from_ref(&missed)));
    for _ in 0..100 {
        let record = c.write_random(3);
        c.ship(&[record]);
    }
    c.settle();
    assert!(c.node(5).metrics().dropped > 0, "what lies beyond a gap is bounded");
    c.run(1_000_000);
    assert_eq!(c.scl(5), c.last);
}

#[test]
fn what_rests_on_the_next_superblock_is_acknowledged_after_it() {
    // A record beyond the gap is on its way to the log when a peer tells its floor: the chain goes on there at once, in memory.
    let append = |c: &mut Cluster| {
        let record = c.write_random(4);
        c.ship_to(5, &[record]);
        assert!(c.one(), "the append arrives");
    };
    goes_on_behind_the_floor(append, |_| {});
    // A writer whose grant is durable already asks again: the snapshot shows what is durable.
    goes_on_behind_the_floor(|_| {}, |c| c.fence(5, c.epoch.0, c.writer.0));
}

fn goes_on_behind_the_floor(before: impl Fn(&mut Cluster), after: impl Fn(&mut Cluster)) {
    let mut c = Cluster::new(5, Settings::small());
    c.load(30, 4);
    c.crash(5, 0);
    for _ in 0..20 {
        c.load(40, 4);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(60_000);
    }
    let peer = c.node(0).inspect(seg(0)).unwrap();
    assert!(peer.floor > c.history[30].lsn, "the log went without the tail");
    c.boot(5, 0);
    c.settle();
    c.inbox.clear();
    let behind = c.scl(5);
    before(&mut c);
    let gossip = Gossip {
        incarnation: peer.incarnation,
        head_version: c.head.version,
        head: None,
        scl: peer.scl,
        claim: peer.claim,
        vdl: c.vdl,
        page_point: Some(peer.page_point),
        floor: peer.floor,
        wants_log: false,
    };
    let (from, to) = (Peer::Segment(seg(0)), Peer::Segment(seg(5)));
    c.event(5, Event::Message(Envelope { from, to, message: gossip.into() }));
    assert!(c.scl(5) > behind, "the chain goes on behind the floor");
    after(&mut c);
    while c.inbox.is_empty() {
        assert!(c.one(), "the message is answered");
    }
    let shown = match &c.inbox[0].message {
        Message::Acked(acked) => acked.scl,
        Message::State(state) => state.scl,
        other => panic!("{other:?}"),
    };
    c.crash(5, 0);
    c.boot(5, 0);
    c.settle();
    let state = c.node(5).inspect(seg(5)).unwrap();
    assert!(state.scl.max(state.claim) >= shown, "showed {shown}, after a crash {state:?}");
}
