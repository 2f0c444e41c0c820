//! From page id to frame: chains that are read without a lock and changed under one of a few.
//!
//! A reader walks `bucket -> frame -> next` with plain atomic loads. Chains may change under it, so it may miss a page
//! that is there (then it asks again under the shard's lock) but what it finds it verifies: the frame's own id, and
//! again after latching. A walk is cut off after a bound, because a frame moved to another chain could lead it on and on.

use crate::fetch::Fetch;
use crate::frame::{Frames, NO_FRAME, NO_PAGE};
use parking_lot::{Mutex, MutexGuard};
use protocol::PageId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const SHARDS: usize = 64;
/// Longer walks are answered by the locked path; chains average below one frame.
const MAX_STEPS: usize = 32;

/// What a shard's lock guards besides its buckets' chains.
#[derive(Default)]
pub(crate) struct Shard {
    /// Fetches in flight; looked up by key only.
    pub(crate) fetches: HashMap<PageId, Arc<Fetch>>,
}

pub(crate) struct PageTable {
    buckets: Box<[AtomicU32]>,
    shards: Box<[Mutex<Shard>]>,
}

impl PageTable {
    pub(crate) fn new(frames: usize) -> PageTable {
        let buckets = (frames * 2).next_power_of_two().max(SHARDS);
        PageTable {
            buckets: (0..buckets).map(|_| AtomicU32::new(NO_FRAME)).collect(),
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
        }
    }

    #[inline]
    fn bucket(&self, page: PageId) -> usize {
        // Fibonacci hashing: neighbours spread, and the high bits are the good ones.
        let hash = page.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.buckets.len() - 1)
    }

    /// Locks what belongs to `page`.
    pub(crate) fn shard(&self, page: PageId) -> MutexGuard<'_, Shard> {
        self.shards[self.bucket(page) & (SHARDS - 1)].lock()
    }

    /// The frame that holds `page`; under the shard's lock the answer is exact, without it "none" is a maybe.
    #[inline]
    pub(crate) fn find(&self, frames: &Frames, page: PageId) -> Option<u32> {
        let mut at = self.buckets[self.bucket(page)].load(Ordering::Acquire);
        for _ in 0..MAX_STEPS {
            if at == NO_FRAME {
                return None;
            }
            let frame = frames.meta(at);
            if frame.holds(page) {
                return Some(at);
            }
            at = frame.next.load(Ordering::Acquire);
        }
        None
    }

    /// As [`find`](Self::find), under the shard's lock and without the bound.
    pub(crate) fn find_locked(&self, frames: &Frames, _shard: &Shard, page: PageId) -> Option<u32> {
        let mut at = self.buckets[self.bucket(page)].load(Ordering::Acquire);
        while at != NO_FRAME {
            let frame = frames.meta(at);
            if frame.holds(page) {
                return Some(at);
            }
            at = frame.next.load(Ordering::Acquire);
        }
        None
    }

    /// Enters a frame, whose exclusive latch the caller holds (pool invariant 1).
    pub(crate) fn insert(&self, frames: &Frames, _shard: &mut Shard, page: PageId, frame: u32) {
        let bucket = &self.buckets[self.bucket(page)];
        let meta = frames.meta(frame);
        meta.next.store(bucket.load(Ordering::Relaxed), Ordering::Relaxed);
        meta.page.store(page.0, Ordering::Release);
        bucket.store(frame, Ordering::Release);
    }

    /// Takes a frame out, whose exclusive latch the caller holds.
    pub(crate) fn remove(&self, frames: &Frames, _shard: &mut Shard, page: PageId, frame: u32) {
        let meta = frames.meta(frame);
        let mut link = &self.buckets[self.bucket(page)];
        loop {
            let at = link.load(Ordering::Relaxed);
            assert!(at != NO_FRAME, "frame {frame} of page {page} is not in its chain");
            if at == frame {
                break;
            }
            link = &frames.meta(at).next;
        }
        link.store(meta.next.load(Ordering::Relaxed), Ordering::Release);
        meta.page.store(NO_PAGE, Ordering::Release);
    }
}
