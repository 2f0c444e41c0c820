//! The driver over six obedient segments: credit, durability, growth, reads.

mod forgotten;
mod lease;
mod opening;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use parking_lot::Mutex;
use protocol::contract::{LogError, LogWriter, MtrRecord, PageReader, ReadError, VdlObserver};
use protocol::env::Env;
use protocol::page;
use protocol::{Lsn, PageId};

use crate::read::HEDGE_US;
use world::{Count, Mood, PAGES, World, poll};

const LAL: u64 = 10_000_000;
const PAGE: PageId = PageId(7);

#[derive(Default)]
struct Ear {
    vdl: AtomicU64,
    ended: Mutex<Option<LogError>>,
}

impl VdlObserver for Ear {
    fn durable(&self, vdl: Lsn) {
        self.vdl.fetch_max(vdl.0, Ordering::SeqCst);
    }
    fn ended(&self, error: &LogError) {
        *self.ended.lock() = Some(error.clone());
    }
}

#[test]
fn a_commit_leaves_at_once_and_wakes_its_waiter_at_quorum() {
    let mut world = World::new(LAL);
    let ear = Arc::new(Ear::default());
    world.volume.observe(Arc::clone(&ear) as Arc<dyn VdlObserver>);
    assert_eq!(world.volume.last_lsn(), Lsn::ZERO, "nothing was given out: nothing to wait for");
    let lsn = world.write(PAGE, Lsn::ZERO, 1, true);
    assert_eq!(world.volume.last_lsn(), lsn);
    let count = Arc::new(Count::default());
    let volume = world.volume.clone();
    let mut durable = volume.wait_durable(lsn);
    assert!(poll(&mut durable, &count).is_pending());
    // Two silent segments of six are no hindrance, three are.
    world.moods[1] = Mood::Silent;
    world.moods[4] = Mood::Silent;
    world.run();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut durable, &count), Poll::Ready(Ok(())));
    assert_eq!((world.volume.vdl(), ear.vdl.load(Ordering::SeqCst)), (lsn, lsn.0));
    world.moods[0] = Mood::Silent;
    let next = world.write(PAGE, lsn, 2, true);
    world.run();
    assert_eq!(world.volume.vdl(), lsn, "three copies are no quorum");
    world.moods[0] = Mood::Fine;
    world.env.pass(1_000_000);
    world.volume.tick();
    world.run();
    assert_eq!(world.volume.vdl(), next, "sent again");
}

#[test]
fn an_update_and_its_commit_are_six_log_writes() {
    let mut world = World::new(LAL);
    let row = world.write(PAGE, Lsn::ZERO, 1, false);
    world.run();
    assert_eq!(world.appends, 0, "a row's mini-transaction waits for the commit behind it");
    let commit = world.write(PAGE, row, 2, true);
    world.run();
    assert_eq!(world.appends, 6);
    assert_eq!(world.volume.vdl(), commit);
}

#[test]
fn what_nobody_waits_for_leaves_with_the_tick_and_what_somebody_waits_for_at_once() {
    let mut world = World::new(LAL);
    let first = world.write(PAGE, Lsn::ZERO, 1, false);
    world.env.pass(5_000);
    assert!(world.volume.next_wake_us() <= world.env.now_us());
    world.volume.tick();
    world.run();
    assert_eq!(world.volume.vdl(), first);
    let second = world.write(PAGE, first, 2, false);
    drop(world.volume.wait_durable(second));
    world.run();
    assert_eq!(world.volume.vdl(), second);
}

#[test]
fn past_lal_reservations_wait_in_order_and_go_on_when_vdl_moves() {
    let mut world = World::new(100_000);
    for mood in &mut world.moods[..3] {
        *mood = Mood::Silent;
    }
    let mut last = Lsn::ZERO;
    let mut written = 0;
    let volume = world.volume.clone();
    while let Some(credit) = volume.try_reserve(4096).expect("a live log") {
        drop(credit);
        last = world.write(PAGE, last, 1, true);
        written += 1;
        world.run();
    }
    assert!(written > 100, "100 KB of LAL are many small records, not {written}");
    let (first_count, second_count) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (mut first, mut second) = (volume.reserve(50_000), volume.reserve(100));
    assert!(poll(&mut first, &first_count).is_pending());
    assert!(poll(&mut second, &second_count).is_pending(), "not before the first, small as it is");
    assert!(volume.try_reserve(1).expect("a live log").is_none(), "nor any newcomer");
    world.env.pass(2_000_000);
    let view = volume.view();
    assert_eq!((view.room_waiters, view.volume.vdl < last), (2, true));
    assert!(view.volume.headroom() < 50_000, "the first does not fit: {}", view.volume.headroom());
    assert!(view.stalled_us >= 2_000_000, "nothing moved for that long: {}", view.stalled_us);
    for mood in &mut world.moods {
        *mood = Mood::Fine;
    }
    world.env.pass(1_000_000);
    world.volume.tick();
    world.run();
    assert_eq!(world.volume.vdl(), last);
    let view = volume.view();
    assert_eq!((view.room_waiters, view.stalled_us), (0, 0), "it ends by itself");
    assert_eq!((first_count.0.load(Ordering::SeqCst), second_count.0.load(Ordering::SeqCst)), (1, 1));
    let Poll::Ready(Ok(credit)) = poll(&mut first, &first_count) else { panic!("room") };
    assert_eq!(credit.bytes(), 50_000);
    drop(second);
    drop(credit);
    assert!(volume.try_reserve(90_000).expect("a live log").is_some(), "what was not used went back");
}

#[test]
fn a_dropped_reservation_gives_its_place_and_its_grant_back() {
    let mut world = World::new(100_000);
    let volume = world.volume.clone();
    let held = volume.try_reserve(99_000).expect("a live log").expect("room");
    let count = Arc::new(Count::default());
    let mut first = volume.reserve(50_000);
    let mut second = volume.reserve(60_000);
    assert!(poll(&mut first, &count).is_pending());
    assert!(poll(&mut second, &count).is_pending());
    drop(held);
    assert_eq!(count.0.load(Ordering::SeqCst), 1, "room for the first only");
    drop(first);
    assert_eq!(count.0.load(Ordering::SeqCst), 2, "granted, never taken up: the second is next");
    assert!(matches!(poll(&mut second, &count), Poll::Ready(Ok(_))));
    world.run();
}

#[test]
fn the_end_reaches_everybody() {
    let world = World::new(LAL);
    let ear = Arc::new(Ear::default());
    world.volume.observe(Arc::clone(&ear) as Arc<dyn VdlObserver>);
    let lsn = world.write(PAGE, Lsn::ZERO, 1, true);
    let count = Arc::new(Count::default());
    let volume = world.volume.clone();
    let mut durable = volume.wait_durable(lsn);
    let mut read = volume.read(PAGE, Lsn::ZERO);
    assert!(poll(&mut durable, &count).is_pending());
    assert!(poll(&mut read, &count).is_pending());
    volume.close();
    assert_eq!(poll(&mut durable, &count), Poll::Ready(Err(LogError::Closed)));
    assert!(matches!(poll(&mut read, &count), Poll::Ready(Err(ReadError::Closed))));
    assert_eq!(*ear.ended.lock(), Some(LogError::Closed));
    assert!(matches!(volume.try_reserve(1), Err(LogError::Closed)));
    assert!(matches!(poll(&mut volume.reserve(1), &count), Poll::Ready(Err(LogError::Closed))));
    assert!(matches!(poll(&mut volume.read(PAGE, lsn), &count), Poll::Ready(Err(ReadError::Closed))));
}

#[test]
fn a_page_comes_back_as_written_and_a_blank_one_blank() {
    let mut world = World::new(LAL);
    let lsn = world.write(PAGE, Lsn::ZERO, 42, true);
    world.run();
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    let mut read = volume.read(PAGE, lsn);
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    let Poll::Ready(Ok(image)) = poll(&mut read, &count) else { panic!("an image") };
    assert_eq!(page::lsn(image.bytes()), lsn);
    assert_eq!(image.bytes()[100..164], [42; 64]);
    assert_eq!(world.reads.len(), 1, "one request for one page");
    let mut read = volume.read(PageId(8), lsn);
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    let Poll::Ready(Ok(image)) = poll(&mut read, &count) else { panic!("an image") };
    assert_eq!(page::lsn(image.bytes()), Lsn::ZERO);
    // A group that does not exist has no pages either, and nobody to ask.
    let Poll::Ready(Ok(image)) = poll(&mut volume.read(PageId(5 * PAGES), lsn), &count) else {
        panic!("blank")
    };
    assert_eq!(page::id(image.bytes()), PageId(5 * PAGES));
    assert_eq!(world.reads.len(), 2);
}

#[test]
fn late_refused_and_rotten_answers_lead_to_the_next_segment() {
    let mut world = World::new(LAL);
    let lsn = world.write(PAGE, Lsn::ZERO, 42, true);
    world.run();
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    for (mood, hedges) in [(Mood::Silent, true), (Mood::RefusesReads, false), (Mood::SendsRot, false)] {
        world.reads.clear();
        world.moods = [mood, Mood::Fine, mood, Mood::Fine, Mood::Fine, Mood::Fine];
        let mut read = volume.read(PAGE, lsn);
        assert!(poll(&mut read, &count).is_pending());
        world.run();
        if hedges {
            assert!(
                volume.next_wake_us() <= world.env.now_us() + HEDGE_US,
                "the tick knows when the read is late"
            );
            for _ in 0..4 {
                world.env.pass(4 * HEDGE_US);
                volume.tick();
                world.run();
            }
        }
        let Poll::Ready(Ok(image)) = poll(&mut read, &count) else {
            panic!("served by the third full segment")
        };
        assert_eq!(page::lsn(image.bytes()), lsn);
    }
    let counters = volume.counters();
    assert!(counters.hedges.load(Ordering::SeqCst) >= 1);
    assert!(counters.read_refusals.load(Ordering::SeqCst) >= 1);
    assert!(counters.bad_images.load(Ordering::SeqCst) >= 1);
    assert_eq!(counters.reads.load(Ordering::SeqCst), 3);
}

#[test]
fn a_read_that_all_refuse_rests_and_asks_again() {
    let mut world = World::new(LAL);
    let lsn = world.write(PAGE, Lsn::ZERO, 42, true);
    world.run();
    world.moods = [Mood::RefusesReads; 6];
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    let mut read = volume.read(PAGE, lsn);
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    assert_eq!(world.reads.len(), 3, "each full segment once, then a rest");
    world.moods = [Mood::Fine; 6];
    world.env.pass(crate::read::REST_US);
    volume.tick();
    world.run();
    assert!(matches!(poll(&mut read, &count), Poll::Ready(Ok(_))));
    drop(read);
    volume.tick();
    assert_eq!(world.reads.len(), 4, "nothing is asked for readers that have gone");
}

#[test]
fn a_new_group_exists_before_its_first_page_is_given_out() {
    let mut world = World::new(LAL);
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    let mut grown = volume.ensure_pages(PageId(2 * PAGES + 5));
    assert!(poll(&mut grown, &count).is_pending());
    for _ in 0..6 {
        world.run();
        world.env.pass(200_000);
        volume.tick();
        if let Poll::Ready(done) = poll(&mut grown, &count) {
            assert_eq!(done, Ok(()));
            let lsn = world.write(PageId(2 * PAGES + 1), Lsn::ZERO, 3, true);
            world.run();
            assert_eq!(world.volume.vdl(), lsn);
            assert_eq!(volume.segments().len(), 18);
            return;
        }
    }
    panic!("two more groups are not there after six rounds");
}

#[test]
fn many_threads_commit_wait_and_reserve_at_once_and_nobody_is_forgotten() {
    const THREADS: u64 = 6;
    const COMMITS: u64 = 300;
    // Room for one reservation at a time: reservations wait all the time.
    let mut world = World::new(1_500);
    let volume = world.volume.clone();
    let threads: Vec<_> = (0..THREADS)
        .map(|n| {
            let volume = volume.clone();
            std::thread::spawn(move || {
                let mut prev = Lsn::ZERO;
                for fill in 0..COMMITS {
                    let ops = world::ops(prev == Lsn::ZERO, fill as u8);
                    let credit = world::block_on(volume.reserve(1000)).expect("a live log");
                    let mut records =
                        [MtrRecord { page: PageId(n), prev_page: prev, ops: &ops, lsn: Lsn::ZERO }];
                    prev = volume.append(credit, &mut records, fill % 3 == 0).expect("a live log");
                    if fill % 2 == 0 {
                        world::block_on(volume.wait_durable(prev)).expect("a live log");
                        assert!(volume.vdl() >= prev);
                    }
                }
                prev
            })
        })
        .collect();
    while threads.iter().any(|t| !t.is_finished()) {
        world.run();
        world.env.pass(50);
        world.volume.tick();
    }
    let last = threads.into_iter().map(|t| t.join().expect("no panic")).max().expect("threads");
    drop(world.volume.wait_durable(last));
    world.run();
    assert!(world.volume.vdl() >= last);
    assert_eq!(volume.counters().appends.load(Ordering::SeqCst), THREADS * COMMITS);
    assert!(volume.counters().room_waits.load(Ordering::SeqCst) > 0, "LAL was reached");
}

#[test]
fn a_slow_segment_is_hedged_by_measured_latency_then_asked_last() {
    let mut world = World::new(LAL);
    let lsn = world.write(PAGE, Lsn::ZERO, 42, true);
    world.run();
    let (volume, count) = (world.volume.clone(), Arc::new(Count::default()));
    // Healthy: a hundred reads, each answered within 100 us, none of them twice.
    for _ in 0..100 {
        let mut read = volume.read(PAGE, lsn);
        assert!(poll(&mut read, &count).is_pending());
        world.env.pass(100);
        world.run();
        assert!(matches!(poll(&mut read, &count), Poll::Ready(Ok(_))));
    }
    let counters = volume.counters();
    assert_eq!(counters.reads_sent.load(Ordering::SeqCst), 100);
    let slow = world.reads.last().expect("it was asked").position;
    // It falls silent: the second request leaves after a millisecond, not after ten.
    world.moods[usize::from(slow)] = Mood::Silent;
    let mut read = volume.read(PAGE, lsn);
    assert!(poll(&mut read, &count).is_pending());
    world.run();
    world.env.pass(1_100);
    volume.tick();
    world.run();
    assert!(matches!(poll(&mut read, &count), Poll::Ready(Ok(_))), "the hedge is answered");
    assert_eq!(counters.hedges.load(Ordering::SeqCst), 1);
    // From now on the others are asked first.
    world.reads.clear();
    for _ in 0..20 {
        let mut read = volume.read(PAGE, lsn);
        assert!(poll(&mut read, &count).is_pending());
        world.env.pass(100);
        world.run();
        assert!(matches!(poll(&mut read, &count), Poll::Ready(Ok(_))));
    }
    assert!(world.reads.iter().all(|id| id.position != slow), "{:?}", world.reads);
    assert_eq!(
        counters.hedges.load(Ordering::SeqCst),
        1,
        "a gray node costs one hedge, not one for every read"
    );
}
