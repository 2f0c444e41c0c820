//! Gap locks: ranges of a tree's keys into which nobody but their owner may insert.
//!
//! InnoDB hangs a gap on the record after it, so splits, inserts and purge must hand gaps on. Here a gap is what it means: a range of
//! keys, taken while the leaf that shows the range is latched. Records may come and go in it; the range stays.
//!
//! ```text
//!   keys:     10      20            40          scan [15, 25] of T7 ──> range (10, 40): what InnoDB locks with 20 and 40's gaps
//!   insert 30 by T9: latch the leaf, look for a range of another owner over 30 ──> wait for T7
//! ```
//!
//! Invariants:
//! 1. A range is added under a latch (shared at least) of the leaf it lies on, and an insert looks under the exclusive latch of its leaf.
//!    So what was not there when a range was taken cannot come before the range's owner ends.
//! 2. Ranges never conflict with each other, only with inserts; one owner's ranges of a tree are disjoint and sorted.

use super::name::LockRef;
use super::owner::{Grant, Owner, OwnerId, Request, Wanted};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHARDS: usize = 16;

/// Disjoint ranges: first key -> end, exclusive; `None`: the supremum, no end.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<Box<[u8]>, Option<Box<[u8]>>>);

impl Ranges {
    fn covers(&self, key: &[u8]) -> bool {
        let mut below = self.0.range::<[u8], _>((std::ops::Bound::Unbounded, std::ops::Bound::Included(key)));
        below.next_back().is_some_and(|(_, end)| end.as_deref().is_none_or(|end| key < end))
    }

    fn add(&mut self, from: &[u8], to: Option<&[u8]>) {
        let mut from: Box<[u8]> = from.into();
        let mut to: Option<Box<[u8]>> = to.map(Into::into);
        // Joins what it overlaps or touches.
        loop {
            let reach = (
                std::ops::Bound::Unbounded,
                match &to {
                    Some(to) => std::ops::Bound::Included(to.as_ref()),
                    None => std::ops::Bound::Unbounded,
                },
            );
            let last = self.0.range::<[u8], _>(reach).next_back();
            let Some((start, end)) = last.map(|(s, e)| (s.clone(), e.clone())) else { break };
            if end.as_ref().is_some_and(|end| *end < from) {
                break;
            }
            self.0.remove(&start);
            from = from.min(start);
            to = match (to, end) {
                (Some(a), Some(b)) => Some(a.max(b)),
                _ => None,
            };
        }
        self.0.insert(from, to);
    }
}

#[derive(Debug, Default)]
struct TreeGaps {
    held: Vec<(Arc<Owner>, Ranges)>,
    waiting: Vec<Request>,
}

impl TreeGaps {
    fn others<'a>(&'a self, owner: OwnerId, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<Owner>> {
        self.held.iter().filter(move |(o, r)| o.id != owner && r.covers(key)).map(|(o, _)| o)
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// Owners with ranges here: inserts skip an empty shard.
    held: AtomicUsize,
    trees: Mutex<BTreeMap<u64, TreeGaps>>,
}

/// All gap locks of the process.
#[derive(Debug)]
pub(crate) struct GapTable {
    shards: Vec<Shard>,
}

/// A range for reports: owner, tree, first key, end.
pub(crate) type GapHeld = (Arc<Owner>, u64, Vec<u8>, Option<Vec<u8>>);

impl GapTable {
    pub(crate) fn new() -> GapTable {
        GapTable { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    fn shard(&self, tree: u64) -> &Shard {
        &self.shards[tree as usize % SHARDS]
    }

    /// Takes a range (invariant 1).
    pub(crate) fn add(&self, owner: &Arc<Owner>, tree: u64, from: &[u8], to: Option<&[u8]>) {
        if to.is_some_and(|to| to <= from) {
            return;
        }
        let shard = self.shard(tree);
        let mut trees = shard.trees.lock();
        let gaps = trees.entry(tree).or_default();
        match gaps.held.iter_mut().find(|(o, _)| o.id == owner.id) {
            Some((_, ranges)) => ranges.add(from, to),
            None => {
                assert!(owner.remember_gaps(tree), "{:?} takes a gap after its end", owner.id);
                let mut ranges = Ranges::default();
                ranges.add(from, to);
                gaps.held.push((Arc::clone(owner), ranges));
                shard.held.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Whether `owner` may insert at `key`; called under the leaf's exclusive latch.
    pub(crate) fn free(&self, owner: OwnerId, tree: u64, key: &[u8]) -> bool {
        let shard = self.shard(tree);
        if shard.held.load(Ordering::Acquire) == 0 {
            return true;
        }
        shard.trees.lock().get(&tree).is_none_or(|gaps| gaps.others(owner, key).next().is_none())
    }

    /// Queues an insert; granted at once when the gap became free meanwhile.
    pub(crate) fn enqueue(&self, owner: &Arc<Owner>, tree: u64, key: &[u8]) -> Request {
        let request = Request::new(owner, LockRef::new(tree, key), Wanted::Insert);
        let mut trees = self.shard(tree).trees.lock();
        match trees.get_mut(&tree) {
            Some(gaps) if gaps.others(owner.id, key).next().is_some() => gaps.waiting.push(request.clone()),
            _ => {
                request.parker.set(Grant::Granted);
            }
        }
        request
    }

    /// Takes back an insert that is not granted.
    pub(crate) fn withdraw(&self, request: &Request) {
        if let Some(gaps) = self.shard(request.name.tree).trees.lock().get_mut(&request.name.tree) {
            gaps.waiting.retain(|r| !r.is(request));
        }
    }

    /// Ends an owner's ranges in a tree and wakes the inserts that are free now.
    pub(crate) fn release(&self, owner: &Owner, tree: u64) {
        let shard = self.shard(tree);
        let mut trees = shard.trees.lock();
        let Some(gaps) = trees.get_mut(&tree) else { return };
        let before = gaps.held.len();
        gaps.held.retain(|(o, _)| o.id != owner.id);
        shard.held.fetch_sub(before - gaps.held.len(), Ordering::Release);
        let (free, blocked) = std::mem::take(&mut gaps.waiting)
            .into_iter()
            .partition(|r| gaps.others(r.owner.id, &r.name.key).next().is_none());
        gaps.waiting = blocked;
        let free: Vec<Request> = free;
        for request in free {
            request.parker.set(Grant::Granted);
        }
        if gaps.held.is_empty() && gaps.waiting.is_empty() {
            trees.remove(&tree);
        }
    }

    /// Whose ranges an insert waits for.
    pub(crate) fn blockers(&self, request: &Request) -> Vec<Arc<Owner>> {
        let trees = self.shard(request.name.tree).trees.lock();
        let Some(gaps) = trees.get(&request.name.tree) else { return Vec::new() };
        gaps.others(request.owner.id, &request.name.key).cloned().collect()
    }

    /// Every range held, and every insert that waits, by tree.
    pub(crate) fn list(&self) -> (Vec<GapHeld>, Vec<Request>) {
        let (mut held, mut waiting) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            for (tree, gaps) in shard.trees.lock().iter() {
                for (owner, ranges) in &gaps.held {
                    held.extend(ranges.0.iter().map(|(from, to)| {
                        (Arc::clone(owner), *tree, from.to_vec(), to.as_ref().map(|to| to.to_vec()))
                    }));
                }
                waiting.extend(gaps.waiting.iter().cloned());
            }
        }
        (held, waiting)
    }

    /// Owners with ranges, over all trees.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.held.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_cover() {
        let mut ranges = Ranges::default();
        ranges.add(b"d", Some(b"f"));
        ranges.add(b"m", Some(b"p"));
        assert!(ranges.covers(b"d") && ranges.covers(b"ee") && !ranges.covers(b"f") && !ranges.covers(b"c"));
        ranges.add(b"f", Some(b"n"));
        assert_eq!(ranges.0.len(), 1, "touching ones are one");
        assert!(ranges.covers(b"oz") && !ranges.covers(b"p"));
        ranges.add(b"x", None);
        assert!(ranges.covers(b"zz") && !ranges.covers(b"w"));
        ranges.add(b"a", None);
        assert_eq!(ranges.0.len(), 1);
        assert!(ranges.covers(b"w") && !ranges.covers(b"A"));
    }

    #[test]
    fn an_insert_waits_for_the_others_gaps_and_not_for_its_own() {
        let gaps = GapTable::new();
        let [a, b, c] = [1, 2, 3].map(|id| Owner::new(OwnerId(id), 0));
        assert!(gaps.free(a.id, 7, b"k"));
        gaps.add(&a, 7, b"g", Some(b"m"));
        gaps.add(&b, 7, b"k", None);
        assert!(gaps.free(a.id, 7, b"h") && !gaps.free(a.id, 7, b"k") && gaps.free(a.id, 8, b"k"));
        let waiting = gaps.enqueue(&c, 7, b"k");
        assert_eq!(gaps.blockers(&waiting).len(), 2);
        gaps.release(&a, 7);
        assert_eq!(waiting.parker.outcome(), None);
        gaps.release(&b, 7);
        assert_eq!(waiting.parker.outcome(), Some(Grant::Granted));
        assert_eq!(gaps.len(), 0);
    }
}
