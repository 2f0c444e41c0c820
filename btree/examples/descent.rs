//! Figures of a tree in memory: `cargo run --release -p btree --example descent`. Ratios within one run mean something; times on a
//! shared machine do not.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use btree::{Batch, Decision, Direction, Room, Space, Tree};
use buffer_pool::testing::{Durability, MemoryVolume, block_on};
use buffer_pool::{BufferPool, PoolConfig};
use std::hint::black_box;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

const ROWS: u64 = 100_000;
const VALUE: usize = 200;

fn key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn time(what: &str, count: u64, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let each = start.elapsed().as_nanos() as u64 / count;
    println!("{what:<44} {each:>7} ns");
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % ROWS
}

fn gets(tree: &Tree, seed: u64, count: u64) {
    let mut state = seed;
    for _ in 0..count {
        let found = tree.try_get(&key(random(&mut state)), |value| value.map(|v| v[100]));
        let _ = black_box(found);
    }
}

fn main() {
    let volume = MemoryVolume::with(Durability::Instant, 10_000_000, 0);
    let pool = BufferPool::new(PoolConfig { frames: 8192 }, volume.clone(), volume, None);
    let tree: Arc<Tree> = block_on(async {
        let space = Space::format(&pool).await.expect("format");
        let plan = space.plan_tree().await.expect("plan");
        Tree::create(&space, plan).await.expect("create")
    });
    let room = Room { value_bytes: VALUE, log_bytes: 0 };
    time("insert, rising keys (log in memory included)", ROWS, || {
        for number in 0..ROWS {
            block_on(tree.modify(&key(number), room, &[], |edit| {
                edit.insert(&[7; VALUE]);
                Decision::Done(())
            }))
            .expect("insert");
        }
    });
    gets(&tree, 1, 200_000);
    time("get, 1 thread", 2_000_000, || gets(&tree, 1, 2_000_000));
    time("get, 2 threads, per get of one thread", 2_000_000, || {
        std::thread::scope(|scope| {
            for seed in [3, 4] {
                let tree = &tree;
                scope.spawn(move || gets(tree, seed, 2_000_000));
            }
        });
    });
    let mut state = 9;
    time("update 4 bytes in place", 200_000, || {
        for round in 0..200_000u32 {
            block_on(tree.modify(&key(random(&mut state)), Room::default(), &[], |edit| {
                edit.patch(50, &round.to_le_bytes());
                Decision::Done(())
            }))
            .expect("update");
        }
    });
    let mut batch = Batch::default();
    time("scan, batches of 256, per entry", ROWS * 10, || {
        for _ in 0..10 {
            let mut cursor = tree.cursor(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
            loop {
                batch.clear();
                if !block_on(cursor.next_batch(&mut batch, 256)).expect("scan") {
                    break;
                }
            }
        }
    });
    println!("{:?}", pool.counters());
}
