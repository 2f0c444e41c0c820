//! Threads that split and merge the same few pages, with readers and eviction in between.

#![allow(clippy::disallowed_methods)]

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

fn key(thread: u64, number: u64) -> Vec<u8> {
    // Threads interleave on every leaf.
    format!("{number:05}/{thread}").into_bytes()
}

/// Each thread owns its keys and knows what it wrote; all of them share the leaves.
fn writer(tree: &Tree, thread: u64, range: u64) -> BTreeMap<Vec<u8>, usize> {
    let mut random = Random(thread);
    let mut mine = BTreeMap::new();
    for round in 0..range * 12 {
        let key = key(thread, random.below(range));
        let fill = (round / range / 3).is_multiple_of(2);
        if fill || random.below(20) == 0 {
            let len = random.below(900) as usize;
            let there = block_on(put(tree, &key, &vec![thread as u8; len])).expect("put").value;
            assert_eq!(there, mine.insert(key, len).is_some());
        } else {
            let there = block_on(delete(tree, &key)).expect("delete").value;
            assert_eq!(there, mine.remove(&key).is_some());
        }
        if round % 16 == 0 {
            let key = self::key(thread, random.below(range));
            let found = block_on(tree.get(&key, |v| v.len())).expect("get");
            assert_eq!(found, mine.get(&key).copied());
        }
    }
    mine
}

/// Scans are in order, whatever goes on.
fn scanner(tree: &Arc<Tree>, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for direction in [Direction::Forward, Direction::Backward] {
            let pairs =
                block_on(scan(tree, Bound::Unbounded, Bound::Unbounded, direction, 37)).expect("scan");
            let sorted = pairs.windows(2).all(|w| match direction {
                Direction::Forward => w[0].0 < w[1].0,
                Direction::Backward => w[0].0 > w[1].0,
            });
            assert!(sorted, "a scan went back");
        }
    }
}

fn storm(frames: usize, threads: u64, range: u64) -> Bed {
    let bed = Bed::new(frames, Durability::Behind(30));
    let over = AtomicBool::new(false);
    let mut expected = BTreeMap::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|t| {
                let tree = &bed.tree;
                scope.spawn(move || writer(tree, t, range))
            })
            .collect();
        let (tree, over) = (&bed.tree, &over);
        let reader = scope.spawn(move || scanner(tree, over));
        for writer in writers {
            expected.extend(writer.join().expect("writer"));
        }
        over.store(true, Ordering::Relaxed);
        reader.join().expect("reader");
    });
    let found: BTreeMap<Vec<u8>, usize> = bed.all().into_iter().map(|(k, v)| (k, v.len())).collect();
    assert_eq!(found, expected);
    bed.assert_whole();
    let counters = bed.pool.counters();
    let of = |kind: &str| counters.redo.iter().find(|r| r.0 == kind).map_or(0, |r| r.1);
    assert!(of("split") > 20 && of("merge") > 3, "{counters:?}");
    bed
}

#[test]
fn storms_in_memory() {
    storm(512, 6, 400);
}

#[test]
fn storms_with_eviction() {
    let bed = storm(96, 4, 1000);
    // How many depends on how the threads interleave (28 were seen under load); none would mean that nothing was tried.
    assert!(bed.pool.counters().evictions > 0, "{:?}", bed.pool.counters());
}
