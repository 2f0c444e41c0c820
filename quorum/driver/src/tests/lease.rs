//! The lease as whoever answers statements sees it: by promises and the clock, never by a flag.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use protocol::contract::{LinkReceiver, LogError, LogWriter};
use protocol::message::{Envelope, Message, Peer, Refused, RefusedReason};
use protocol::{Incarnation, PgId, SegmentId, VolumeEpoch, WriterId};

use super::world::{Count, Mood, World, poll};

const LAL: u64 = 10_000_000;
const T_MS: u64 = 600;
const BEAT_US: u64 = 100_000;

/// One round of heartbeats.
fn beat(world: &mut World) {
    world.env.pass(BEAT_US);
    world.volume.tick();
    world.run();
}

#[test]
fn a_statement_may_be_answered_while_three_promises_live_and_not_a_moment_longer() {
    let mut world = World::new(LAL);
    world.promised_ms = T_MS;
    let volume = world.volume.clone();
    let lease = volume.lease();
    assert!(!lease.holds(), "nobody has promised anything yet");
    let count = Arc::new(Count::default());
    let mut held = lease.held();
    assert!(poll(&mut held, &count).is_pending());
    world.moods = [Mood::Fine, Mood::Fine, Mood::Silent, Mood::Silent, Mood::Silent, Mood::Silent];
    beat(&mut world);
    assert!(!lease.holds() && poll(&mut held, &count).is_pending(), "two promises exclude no rival");
    world.moods[5] = Mood::Fine;
    beat(&mut world);
    assert!(count.0.load(Ordering::SeqCst) > 0, "the one who waits is woken");
    assert_eq!(poll(&mut held, &count), Poll::Ready(Ok(())));
    let life = quorum::writer::life_us(T_MS);
    assert_eq!(lease.left_us(), life, "from the transmission on, which was just now");
    world.env.pass(life - 1);
    assert!(lease.holds());
    world.env.pass(1);
    assert!(!lease.holds(), "nothing happened but time");
    // And again, once they are heard again.
    let mut held = lease.held();
    assert!(poll(&mut held, &count).is_pending());
    beat(&mut world);
    assert_eq!(poll(&mut held, &count), Poll::Ready(Ok(())));
}

#[test]
fn a_superseded_writer_is_never_leased_again() {
    let mut world = World::new(LAL);
    world.promised_ms = T_MS;
    beat(&mut world);
    let volume = world.volume.clone();
    let lease = volume.lease();
    assert!(lease.holds());
    let from = Peer::Segment(SegmentId { pg: PgId(0), position: 3 });
    let refused = Refused {
        epoch: VolumeEpoch(2),
        incarnation: Incarnation(4),
        reason: RefusedReason::StaleEpoch,
        head: None,
    };
    let message = Message::Refused(refused);
    world.volume.deliver(Envelope { from, to: Peer::Compute(WriterId(9)), message });
    assert!(!lease.holds(), "its promises do not matter any more");
    let fenced = LogError::Fenced { ours: VolumeEpoch(1), theirs: VolumeEpoch(2) };
    let count = Arc::new(Count::default());
    assert_eq!(poll(&mut lease.held(), &count), Poll::Ready(Err(fenced)));
    beat(&mut world);
    assert!(!lease.holds());
}

#[test]
fn a_closed_volume_is_not_leased_whoever_still_promises() {
    let mut world = World::new(LAL);
    world.promised_ms = T_MS;
    beat(&mut world);
    let lease = world.volume.lease();
    world.env.pass(BEAT_US);
    world.volume.tick();
    world.volume.close();
    assert!(!lease.holds());
    // Answers that were under way.
    world.run();
    assert!(!lease.holds());
}

#[test]
fn a_hand_over_tells_all_six_and_ends_the_lease() {
    let mut world = World::new(LAL);
    world.promised_ms = T_MS;
    beat(&mut world);
    let lease = world.volume.lease();
    assert!(lease.holds());
    world.volume.hand_over();
    let sent: Vec<Message> = world.wire.down.lock().iter().map(|e| e.message.clone()).collect();
    let releases = sent.iter().filter(|m| matches!(m, Message::Release(r) if r.writer == WriterId(9)));
    assert_eq!(releases.count(), 6, "{sent:?}");
    assert!(!lease.holds());
    assert_eq!(world.volume.try_reserve(1).map(|_| ()), Err(LogError::Closed));
}

#[test]
fn a_confirmed_read_waits_for_three_who_were_asked_after_it_arrived_and_reads_share_rounds() {
    let mut world = World::new(LAL);
    world.promised_ms = T_MS;
    beat(&mut world);
    let volume = world.volume.clone();
    let lease = volume.lease();
    assert!(lease.holds(), "by the clock it might be answered at once");
    let count = Arc::new(Count::default());
    let mut first = lease.confirmed();
    assert!(poll(&mut first, &count).is_pending());
    let asked = |world: &World| {
        world.wire.down.lock().iter().filter(|e| matches!(e.message, Message::Append(_))).count()
    };
    assert_eq!(asked(&world), 6, "one small message to each of group 0");
    // These arrive while the first round flies: its answers may be older than they are.
    let mut later: Vec<_> = (0..50).map(|_| lease.confirmed()).collect();
    assert!(later.iter_mut().all(|read| poll(read, &count).is_pending()));
    assert_eq!(asked(&world), 6, "they wait for the next one, all together");
    world.run();
    assert_eq!(poll(&mut first, &count), Poll::Ready(Ok(())));
    assert!(
        later.iter_mut().all(|read| poll(read, &count) == Poll::Ready(Ok(()))),
        "the second round went round, too"
    );
    // Two are not enough, whatever the clock says.
    world.moods = [Mood::Fine, Mood::Fine, Mood::Silent, Mood::Silent, Mood::Silent, Mood::Silent];
    let mut read = lease.confirmed();
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    assert!(lease.holds() && poll(&mut read, &count).is_pending());
    // Who comes back is asked again.
    world.moods[4] = Mood::Fine;
    world.env.pass(BEAT_US);
    volume.tick();
    world.run();
    assert_eq!(poll(&mut read, &count), Poll::Ready(Ok(())));
    // Nodes that promise this writer nothing (they took another's grant) confirm nothing.
    world.moods = [Mood::Fine; 6];
    world.promised_ms = 0;
    let mut read = lease.confirmed();
    assert!(poll(&mut read, &count).is_pending());
    for _ in 0..3 {
        beat(&mut world);
    }
    assert!(poll(&mut read, &count).is_pending());
    volume.close();
    assert_eq!(poll(&mut read, &count), Poll::Ready(Err(LogError::Closed)));
}
