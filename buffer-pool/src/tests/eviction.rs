//! Pages leave at page LSN <= VDL and come back as they were.

use super::*;
use crate::PoolError;
use parking_lot::Mutex;
use protocol::contract::{LogWriter, PageReader, PageVictim};
use protocol::mutant::{self, Mutant};
use protocol::page::{self, PageBuf};

#[test]
fn ten_times_the_pool_reads_back() {
    let (volume, pool) = fresh(96, Durability::Behind(7));
    for page in 0..960 {
        create(&pool, page, page * 3);
    }
    for page in 0..960 {
        assert_eq!(read(&pool, page), page * 3);
    }
    let counters = pool.counters();
    assert!(counters.evictions >= 1700, "{counters:?}");
    assert_eq!(counters.used_frames, 96);
    assert_eq!(volume.released(), volume.vdl());
}

#[test]
fn a_full_pool_above_vdl_waits_for_the_log() {
    let (volume, pool) = fresh(96, Durability::Manual);
    for page in 0..96 {
        create(&pool, page, 1);
    }
    let mut pin = Box::pin(pool.pin_new(PageId(500)));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(pin.as_mut().poll(&mut cx).is_pending(), "a page above VDL was evicted");
    assert_eq!(pool.counters().frame_waits, 1);
    volume.advance(volume.cpls()[3]);
    assert!(pin.as_mut().poll(&mut cx).is_ready());
    assert_eq!(pool.counters().evictions, 1);
}

#[test]
fn pinned_pages_stay() {
    let (_volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 11);
    let pin = block_on(pool.pin(PageId(1))).expect("pin");
    for page in 100..400 {
        create(&pool, page, 0);
    }
    let before = pool.counters().fetches;
    assert_eq!(pin.read(value_of), Ok(11));
    assert_eq!(read(&pool, 1), 11);
    assert_eq!(pool.counters().fetches, before, "a pinned page was read again");
}

struct Watch {
    volume: Arc<MemoryVolume>,
    seen: Mutex<Vec<(PageId, Lsn, Lsn)>>,
    dirtied: Mutex<Vec<PageId>>,
}

impl PageVictim for Watch {
    fn evicted(&self, page: PageId, image: &PageBuf) {
        page::verify(image.bytes(), page).expect("sealed");
        self.seen.lock().push((page, page::lsn(image.bytes()), self.volume.vdl()));
    }

    fn dirtied(&self, page: PageId) {
        self.dirtied.lock().push(page);
    }
}

fn watched() -> (Arc<MemoryVolume>, Arc<Watch>, Arc<BufferPool>) {
    let volume = MemoryVolume::new(Durability::Manual);
    let watch = Arc::new(Watch { volume: volume.clone(), seen: Mutex::default(), dirtied: Mutex::default() });
    let pool =
        BufferPool::new(PoolConfig { frames: 96 }, volume.clone(), volume.clone(), Some(watch.clone()));
    (volume, watch, pool)
}

#[test]
fn victims_are_clean_and_sealed_and_dirtying_is_told_once() {
    let (volume, watch, pool) = watched();
    for page in 0..300 {
        create(&pool, page, page);
        write(&pool, page, page + 1);
        volume.advance(Lsn::MAX);
    }
    let seen = watch.seen.lock();
    assert!(seen.len() > 150, "{}", seen.len());
    assert!(seen.iter().all(|(_, lsn, vdl)| lsn <= vdl));
    assert_eq!(watch.dirtied.lock().len(), 300, "once per page and life in memory");
}

/// The catcher of the mutant EvictAboveVdl: I16 seen by the victim, and a page that went back in time.
#[test]
fn mutant_evict_above_vdl_is_caught() {
    let (volume, watch, pool) = watched();
    mutant::set(Some(Mutant::EvictAboveVdl));
    for page in 0..200 {
        create(&pool, page, page + 7);
    }
    mutant::set(None);
    let above = watch.seen.lock().iter().filter(|(_, lsn, vdl)| lsn > vdl).count();
    assert!(above > 50, "the mutant evicted nothing above VDL");
    let image = block_on(volume.read(PageId(0), volume.vdl())).expect("read");
    assert_ne!(value_of(image.bytes()), 7, "the page that left is not in the volume yet");
}

#[test]
fn a_fenced_log_poisons_the_pool() {
    let (volume, pool) = fresh(96, Durability::Manual);
    create(&pool, 1, 5);
    let pin = block_on(pool.pin(PageId(1))).expect("pin");
    let credit = block_on(pool.reserve(500)).expect("credit");
    volume.fence();
    let mut mtr = pool.begin(MtrKind::Plain, credit);
    let no = mtr.latch(&pin).expect("latch");
    mtr.run(no, Op::Fill { offset: AT, len: 8, byte: 9 });
    assert!(matches!(mtr.finish(), Err(PoolError::Log(_))));
    assert!(matches!(pin.read(value_of), Err(PoolError::Log(_))));
    assert!(pool.try_shared(PageId(1)).is_err());
    assert!(pool.try_optimistic(PageId(1)).is_err());
    assert!(block_on(pool.pin(PageId(2))).is_err());
}

#[test]
fn one_fetch_for_all_and_a_dropped_leader_hands_over() {
    let (_volume, pool) = fresh(96, Durability::Instant);
    create(&pool, 1, 5);
    for page in 100..300 {
        create(&pool, page, 0);
    }
    let before = pool.counters().fetches;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut first = Box::pin(pool.pin(PageId(1)));
    let mut second = Box::pin(pool.pin(PageId(1)));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert_eq!(pool.counters().fetches - before, 1);
    drop(first);
    let pin = block_on(second).expect("pin");
    assert_eq!(pin.read(value_of), Ok(5));
    assert_eq!(pool.counters().fetches - before, 2);
    assert_eq!(pool.counters().used_frames, 96, "the dropped leader's frame came back");
}
