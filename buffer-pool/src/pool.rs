//! The pool itself: what it is made of, and access to pages that are in memory.

use crate::counters::{Counters, PoolCounters};
use crate::error::PoolError;
use crate::event::Event;
use crate::frame::{Frames, NO_FRAME};
use crate::guard::{ExclusiveGuard, Optimistic, SharedGuard};
use crate::pin::PinnedPage;
use crate::read_points::ReadPoints;
use crate::table::PageTable;
use parking_lot::Mutex;
use protocol::contract::{LogWriter, PageReader, PageVictim};
use protocol::{Lsn, PageId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// Times a lookup that lost a race is repeated before the locked path decides.
const LOOKUP_TRIES: usize = 4;
/// Fewer frames cannot hold the pages of one largest mini-transaction and a few walkers.
pub(crate) const MIN_FRAMES: usize = 96;

/// How large the pool is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolConfig {
    /// Frames of 16 KiB; at least 96.
    pub frames: usize,
}

/// Where a page was last seen; see [`BufferPool::try_optimistic_hinted`].
#[derive(Debug)]
pub struct FrameHint(AtomicU32);

impl Default for FrameHint {
    fn default() -> FrameHint {
        FrameHint(AtomicU32::new(NO_FRAME))
    }
}

/// The buffer pool of one compute node.
pub struct BufferPool {
    pub(crate) frames: Frames,
    pub(crate) table: PageTable,
    pub(crate) log: Arc<dyn LogWriter>,
    pub(crate) reader: Arc<dyn PageReader>,
    pub(crate) victim: Option<Arc<dyn PageVictim>>,
    /// Frames that hold no page.
    pub(crate) free: Mutex<Vec<u32>>,
    /// A frame was freed or unpinned.
    pub(crate) freed: Event,
    /// Fetches that wait for a frame.
    pub(crate) waiting: AtomicUsize,
    /// The clock's hand.
    pub(crate) hand: AtomicU32,
    pub(crate) points: ReadPoints,
    pub(crate) counters: Counters,
    poisoned: AtomicBool,
    poison: Mutex<Option<PoolError>>,
}

impl BufferPool {
    /// Allocates the frames. `victim` is the second tier, if there is one.
    ///
    /// # Panics
    /// With fewer than 96 frames.
    #[must_use]
    pub fn new(
        config: PoolConfig,
        log: Arc<dyn LogWriter>,
        reader: Arc<dyn PageReader>,
        victim: Option<Arc<dyn PageVictim>>,
    ) -> Arc<BufferPool> {
        let count = config.frames;
        assert!(count >= MIN_FRAMES, "a pool of {count} frames; at least {MIN_FRAMES}");
        let last = u32::try_from(count).expect("invariant: checked by Frames::new");
        Arc::new(BufferPool {
            frames: Frames::new(count),
            table: PageTable::new(count),
            log,
            reader,
            victim,
            free: Mutex::new((0..last).rev().collect()),
            freed: Event::default(),
            waiting: AtomicUsize::new(0),
            hand: AtomicU32::new(0),
            points: ReadPoints::default(),
            counters: Counters::default(),
            poisoned: AtomicBool::new(false),
            poison: Mutex::new(None),
        })
    }

    /// The log below.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn LogWriter> {
        &self.log
    }

    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }

    /// What was counted since the pool was made.
    #[must_use]
    pub fn counters(&self) -> PoolCounters {
        let free = self.free.lock().len();
        self.counters.snapshot(self.frames.len() as u64, (self.frames.len() - free) as u64)
    }

    /// Tells storage the present floor of read points (PGMRPL). Writers do so by themselves; the owner calls it now and then as
    /// well, so that an idle node does not hold back old page versions and the log below them.
    pub fn release_read_points(&self) {
        self.points.release(self.log.as_ref());
    }

    /// The lowest read point in use on this node, VDL if none: no walk begun before it is still on its way.
    #[must_use]
    pub fn read_floor(&self) -> Lsn {
        self.points.floor(self.log.as_ref())
    }

    /// Answers the error once the pool is poisoned (invariant 4).
    #[inline]
    pub(crate) fn check(&self) -> Result<(), PoolError> {
        if self.poisoned.load(Ordering::Acquire) { Err(self.poison_cause()) } else { Ok(()) }
    }

    #[cold]
    fn poison_cause(&self) -> PoolError {
        self.poison.lock().clone().unwrap_or(PoolError::Torn)
    }

    /// Nothing is served from here on; the first cause stays.
    pub(crate) fn poison(&self, cause: PoolError) {
        let mut poison = self.poison.lock();
        if poison.is_none() {
            *poison = Some(cause);
        }
        self.poisoned.store(true, Ordering::Release);
        drop(poison);
        self.freed.notify();
    }

    /// Latches a page for reading if it is in memory.
    ///
    /// # Errors
    /// When the pool is poisoned.
    #[inline]
    pub fn try_shared(&self, page: PageId) -> Result<Option<SharedGuard<'_>>, PoolError> {
        let guard = self.latch(page, SharedGuard::lock, |guard| guard.frame().holds(page))?;
        if let Some(guard) = &guard {
            guard.frame().touch();
        }
        Ok(guard)
    }

    /// Latches a page for writing if it is in memory.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn try_exclusive(&self, page: PageId) -> Result<Option<ExclusiveGuard<'_>>, PoolError> {
        let guard = self.latch(page, ExclusiveGuard::lock, |guard| guard.frame().holds(page))?;
        if let Some(guard) = &guard {
            guard.frame().touch();
        }
        Ok(guard)
    }

    fn latch<'p, G>(
        &'p self,
        page: PageId,
        lock: impl Fn(&'p Frames, u32) -> G,
        holds: impl Fn(&G) -> bool,
    ) -> Result<Option<G>, PoolError> {
        for attempt in 0.. {
            let found = if attempt < LOOKUP_TRIES {
                self.table.find(&self.frames, page)
            } else {
                let shard = self.table.shard(page);
                self.table.find_locked(&self.frames, &shard, page)
            };
            let Some(index) = found else {
                if attempt < LOOKUP_TRIES {
                    // "None" without the lock is a maybe only if chains changed; ask the lock once.
                    let shard = self.table.shard(page);
                    if self.table.find_locked(&self.frames, &shard, page).is_some() {
                        continue;
                    }
                }
                self.check()?;
                return Ok(None);
            };
            let guard = lock(&self.frames, index);
            if holds(&guard) {
                self.check()?;
                return Ok(Some(guard));
            }
        }
        unreachable!("the loop above has no end but its returns")
    }

    /// Starts a read without latching, if the page is in memory and nobody writes it. "None" is a maybe: take the
    /// latched path then.
    ///
    /// # Errors
    /// When the pool is poisoned.
    #[inline]
    pub fn try_optimistic(&self, page: PageId) -> Result<Option<Optimistic<'_>>, PoolError> {
        self.check()?;
        let Some(index) = self.table.find(&self.frames, page) else { return Ok(None) };
        self.frames.meta(index).touch();
        Ok(Optimistic::start(&self.frames, index, page))
    }

    /// As [`try_optimistic`](Self::try_optimistic) for a page that is read all the time: `hint` remembers its frame, so that not even the
    /// page table is read. Unlike a pin it keeps nothing in memory.
    ///
    /// # Errors
    /// When the pool is poisoned.
    #[inline]
    pub fn try_optimistic_hinted(
        &self,
        page: PageId,
        hint: &FrameHint,
    ) -> Result<Option<Optimistic<'_>>, PoolError> {
        self.check()?;
        let mut index = hint.0.load(Ordering::Relaxed);
        if index as usize >= self.frames.len() || !self.frames.meta(index).holds(page) {
            let Some(found) = self.table.find(&self.frames, page) else { return Ok(None) };
            hint.0.store(found, Ordering::Relaxed);
            index = found;
        }
        self.frames.meta(index).touch();
        Ok(Optimistic::start(&self.frames, index, page))
    }

    /// True while somebody waits for a frame. Who holds pins only to save himself a fetch lets them go then, before he
    /// waits for a page in turn: so no circle of holders and waiters closes.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Pins a page if it is in memory.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn try_pin(self: &Arc<Self>, page: PageId) -> Result<Option<PinnedPage>, PoolError> {
        let found = self.latch(
            page,
            |frames, index| (SharedGuard::lock(frames, index), index),
            |(guard, _)| guard.frame().holds(page),
        )?;
        // Counted under the latch: eviction looks at pins under the exclusive one.
        Ok(found.map(|(guard, index)| {
            guard.frame().touch();
            guard.frame().pins.fetch_add(1, Ordering::SeqCst);
            PinnedPage::counted(Arc::clone(self), index, page)
        }))
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool").field("frames", &self.frames.len()).finish_non_exhaustive()
    }
}
