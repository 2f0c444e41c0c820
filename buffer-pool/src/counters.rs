//! What the pool counts. Hits are not counted: a shared counter on the hot path would cost more than the hit.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a mini-transaction does; redo bytes are counted by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum MtrKind {
    /// A leaf entry changed, with the undo and table pages that go with it.
    LeafChange = 0,
    /// Only pages that belong to no tree: commit, slots, undo.
    Plain,
    /// A page was split, or a root pushed down.
    Split,
    /// A separator was posted to a parent.
    Post,
    /// Two pages became one, or a root pulled up.
    Merge,
    /// A page's free space was gathered.
    Compact,
    /// Extents and free-space maps.
    Space,
    /// Overflow chains.
    Overflow,
}

/// Number of [`MtrKind`]s.
pub(crate) const MTR_KINDS: usize = 8;
const NAMES: [&str; MTR_KINDS] =
    ["leaf_change", "plain", "split", "post", "merge", "compact", "space", "overflow"];

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) fetches: AtomicU64,
    pub(crate) fetch_joins: AtomicU64,
    pub(crate) evictions: AtomicU64,
    pub(crate) frame_waits: AtomicU64,
    pub(crate) credit_waits: AtomicU64,
    pub(crate) mtrs: [AtomicU64; MTR_KINDS],
    pub(crate) redo_bytes: [AtomicU64; MTR_KINDS],
}

/// Adds one.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A snapshot of the pool's counters since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Frames in all.
    pub frames: u64,
    /// Frames that hold a page now.
    pub used_frames: u64,
    /// Pages read through the `PageReader`.
    pub fetches: u64,
    /// Misses that joined a fetch already in flight.
    pub fetch_joins: u64,
    /// Pages that left.
    pub evictions: u64,
    /// Times a fetch waited because every frame was pinned or above VDL.
    pub frame_waits: u64,
    /// Times a mini-transaction waited for log credit.
    pub credit_waits: u64,
    /// By [`MtrKind`]: name, mini-transactions, bytes of redo (headers included).
    pub redo: Vec<(&'static str, u64, u64)>,
}

impl Counters {
    pub(crate) fn snapshot(&self, frames: u64, used_frames: u64) -> PoolCounters {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        PoolCounters {
            frames,
            used_frames,
            fetches: get(&self.fetches),
            fetch_joins: get(&self.fetch_joins),
            evictions: get(&self.evictions),
            frame_waits: get(&self.frame_waits),
            credit_waits: get(&self.credit_waits),
            redo: (0..MTR_KINDS).map(|k| (NAMES[k], get(&self.mtrs[k]), get(&self.redo_bytes[k]))).collect(),
        }
    }
}
