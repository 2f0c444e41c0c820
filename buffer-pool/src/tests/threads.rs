//! Many threads: optimistic readers never believe torn bytes, and no change is lost.

#![allow(clippy::disallowed_methods)]

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const PAGES: u64 = 300;
const ROUNDS: u64 = 1500;

/// Writes the same number at two distant places; a whole read sees them equal.
fn write_twice(pool: &Arc<BufferPool>, page: u64) {
    block_on(async {
        let pin = pool.pin(PageId(page)).await.expect("pin");
        let credit = pool.reserve(1000).await.expect("credit");
        let mut mtr = pool.begin(MtrKind::Plain, credit);
        let no = mtr.latch(&pin).expect("latch");
        let next = (value_of(mtr.page(no)) + 1).to_le_bytes();
        mtr.run(no, Op::Write { offset: AT, bytes: &next });
        mtr.run(no, Op::Write { offset: 16_000, bytes: &next });
        mtr.finish().expect("finish");
    });
}

#[test]
fn writers_readers_and_eviction_together() {
    let (_volume, pool) = fresh(128, Durability::Behind(20));
    for page in 0..PAGES {
        create(&pool, page, 0);
    }
    let (written, seen) = (AtomicU64::new(0), AtomicU64::new(0));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let (pool, written) = (&pool, &written);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        // Half on a few hot pages, half everywhere.
                        let page = if round % 2 == 0 { round % 3 } else { (round * 7 + writer * 31) % PAGES };
                        write_twice(pool, page);
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            let (pool, over, seen) = (&pool, &over, &seen);
            scope.spawn(move || {
                let mut page = 0;
                while !over.load(Ordering::Relaxed) {
                    page = (page + 1) % PAGES;
                    let at = if page % 2 == 0 { page % 3 } else { page };
                    let Some(view) = pool.try_optimistic(PageId(at)).expect("healthy") else { continue };
                    let (first, second) = (view.u64(64), view.u64(16_000));
                    if view.holds() {
                        assert_eq!(first, second, "torn bytes were believed");
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for writer in writers {
            writer.join().expect("writer");
        }
        over.store(true, Ordering::Relaxed);
    });
    let sum: u64 = (0..PAGES).map(|page| read(&pool, page)).sum();
    assert_eq!(sum, written.load(Ordering::Relaxed), "a change was lost");
    assert!(seen.load(Ordering::Relaxed) > 1000);
    assert!(pool.counters().evictions > 100);
}
