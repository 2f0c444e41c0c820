//! Tests of trees over the in-memory volume.

mod corrupt;
mod crash;
mod golden;
mod large;
mod model;
mod overflow;
mod space;
mod storm;

use crate::{Changed, Decision, Direction, Room, Space, Tree, TreeError};
use buffer_pool::testing::{Durability, MemoryVolume, block_on};
use buffer_pool::{BufferPool, PoolConfig};
use protocol::PageId;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A volume with one tree, opened.
struct Bed {
    volume: Arc<MemoryVolume>,
    pool: Arc<BufferPool>,
    space: Arc<Space>,
    tree: Arc<Tree>,
}

impl Bed {
    fn new(frames: usize, durability: Durability) -> Bed {
        Bed::over(frames, MemoryVolume::new(durability))
    }

    fn over(frames: usize, volume: Arc<MemoryVolume>) -> Bed {
        let pool = pool_over(frames, &volume);
        block_on(async {
            let space = Space::format(&pool).await.expect("format");
            let plan = space.plan_tree().await.expect("plan");
            let tree = Tree::create(&space, plan).await.expect("create");
            Bed { volume, pool, space, tree }
        })
    }

    /// Opens what a crash left.
    fn reopen(volume: Arc<MemoryVolume>, frames: usize, root: PageId) -> Bed {
        let pool = pool_over(frames, &volume);
        block_on(async {
            let space = Space::open(&pool).await.expect("open");
            let tree = Tree::open(&space, root).await.expect("open tree");
            Bed { volume, pool, space, tree }
        })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Changed<bool> {
        block_on(put(&self.tree, key, value)).expect("put")
    }

    fn delete(&self, key: &[u8]) -> Changed<bool> {
        block_on(delete(&self.tree, key)).expect("delete")
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        block_on(self.tree.get(key, <[u8]>::to_vec)).expect("get")
    }

    fn scan(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>, direction: Direction, batch: usize) -> Pairs {
        block_on(scan(&self.tree, lower, upper, direction, batch)).expect("scan")
    }

    fn all(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward, 100).into_iter().collect()
    }

    #[track_caller]
    fn assert_whole(&self) {
        let findings = block_on(self.tree.check(|_, _, _| {})).expect("check");
        assert!(findings.is_empty(), "{}", texts(&findings));
    }
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn texts(findings: &[crate::Finding]) -> String {
    findings.iter().take(20).map(|f| f.to_string() + "\n").collect()
}

fn pool_over(frames: usize, volume: &Arc<MemoryVolume>) -> Arc<BufferPool> {
    BufferPool::new(PoolConfig { frames }, volume.clone(), volume.clone(), None)
}

/// Inserts or replaces; true when the key was there.
async fn put(tree: &Tree, key: &[u8], value: &[u8]) -> Result<Changed<bool>, TreeError> {
    let room = Room { value_bytes: value.len(), log_bytes: 0 };
    tree.modify(key, room, &[], |edit| {
        let there = edit.value().is_some();
        if there {
            edit.replace(value)
        } else {
            edit.insert(value)
        }
        Decision::Done(there)
    })
    .await
}

/// True when the key was there.
async fn delete(tree: &Tree, key: &[u8]) -> Result<Changed<bool>, TreeError> {
    tree.modify(key, Room::default(), &[], |edit| {
        if edit.value().is_none() {
            return Decision::Abort(false);
        }
        edit.delete();
        Decision::Done(true)
    })
    .await
}

async fn scan(
    tree: &Arc<Tree>,
    lower: Bound<&[u8]>,
    upper: Bound<&[u8]>,
    direction: Direction,
    size: usize,
) -> Result<Pairs, TreeError> {
    let mut cursor = tree.cursor(lower, upper, direction);
    let mut pairs = Vec::new();
    let mut batch = crate::Batch::default();
    loop {
        batch.clear();
        let more = cursor.next_batch(&mut batch, size).await?;
        assert!(batch.len() <= size);
        pairs.extend(batch.iter().map(|(k, v)| (k.to_vec(), v.to_vec())));
        if !more {
            return Ok(pairs);
        }
    }
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn number_key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Futures of the public API can be spawned: no guard lives across an await.
#[test]
fn futures_are_send() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    let bed = Bed::new(96, Durability::Instant);
    let tree = &bed.tree;
    block_on(send(put(tree, b"a", b"1"))).expect("put");
    block_on(send(delete(tree, b"a"))).expect("delete");
    block_on(send(tree.get(b"a", <[u8]>::to_vec))).expect("get");
    block_on(send(scan(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward, 5))).expect("scan");
    block_on(send(tree.check(|_, _, _| {}))).expect("check");
    block_on(send(bed.space.change(&[], 100, |_| Decision::Done(())))).expect("change");
}

#[test]
fn a_hit_needs_no_waiting_and_misses_are_told() {
    let bed = Bed::new(96, Durability::Instant);
    bed.put(b"key", b"value");
    let probe = bed.tree.try_get(b"key", |value| value.map(<[u8]>::to_vec)).expect("get");
    assert_eq!(probe, crate::Probe::Ready(Some(b"value".to_vec())));
    let probe = bed.tree.try_get(b"kez", |value| value.is_some()).expect("get");
    assert_eq!(probe, crate::Probe::Ready(false));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut get = Box::pin(bed.tree.get(b"key", |_| ()));
    assert!(get.as_mut().poll(&mut cx).is_ready(), "a hit is ready at its first poll");
}

#[test]
fn edits_see_entry_and_neighbours() {
    let bed = Bed::new(96, Durability::Instant);
    for key in [b"b", b"d", b"f"] {
        bed.put(key, b"0123456789");
    }
    let look = |key: &'static [u8]| {
        block_on(bed.tree.modify(key, Room::default(), &[], |edit| {
            Decision::Abort((edit.value().map(<[u8]>::to_vec), edit.previous(), edit.next()))
        }))
        .expect("look")
        .value
    };
    let entry = |key: &[u8]| crate::Neighbour::Entry(key.to_vec());
    assert_eq!(look(b"d"), (Some(b"0123456789".to_vec()), entry(b"b"), entry(b"f")));
    assert_eq!(look(b"e"), (None, entry(b"d"), entry(b"f")));
    assert_eq!(look(b"a"), (None, crate::Neighbour::TreeEnd, entry(b"b")));
    assert_eq!(look(b"g"), (None, entry(b"f"), crate::Neighbour::TreeEnd));
    let patched = block_on(bed.tree.modify(b"d", Room::default(), &[], |edit| {
        edit.patch(2, b"XY");
        edit.raise_hint(77);
        Decision::Done(edit.hint())
    }))
    .expect("patch");
    assert_eq!(patched.value, 77);
    assert_eq!(bed.get(b"d"), Some(b"01XY456789".to_vec()));
    bed.assert_whole();
}
