//! Frames come from the free list, or from the clock.
//!
//! The hand passes each frame, takes one use off it, and empties the first that is unused, unpinned, unlatched and whose
//! page LSN is <= VDL (I16). Pages above VDL are passed: they are not lost, they only have to wait for their log. When a
//! few rounds find nothing, the caller waits for VDL to reach the lowest page seen, or for an unpin, whichever is first.

use crate::counters::bump;
use crate::error::PoolError;
use crate::guard::ExclusiveGuard;
use crate::pool::BufferPool;
use protocol::page::{self, PageBuf};
use protocol::{Lsn, PageId};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

/// Rounds of the hand before giving up: uses are at most 3, so the fourth round finds what can be found.
const ROUNDS: usize = 5;

/// A frame that holds no page and belongs to its holder; goes back to the free list when dropped.
pub(crate) struct FreeFrame<'p> {
    pool: &'p BufferPool,
    index: u32,
}

impl FreeFrame<'_> {
    /// Gives the frame to the page table: it does not go back.
    pub(crate) fn keep(self) -> u32 {
        let index = self.index;
        std::mem::forget(self);
        index
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }
}

impl Drop for FreeFrame<'_> {
    fn drop(&mut self) {
        self.pool.free.lock().push(self.index);
        self.pool.freed.notify();
    }
}

/// Counts one who waits for a frame, until dropped.
struct Waiting<'p>(&'p BufferPool);

impl<'p> Waiting<'p> {
    fn new(pool: &'p BufferPool) -> Waiting<'p> {
        pool.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BufferPool {
    /// A frame without a page; waits while every one is pinned or above VDL.
    pub(crate) async fn take_frame(&self) -> Result<FreeFrame<'_>, PoolError> {
        loop {
            self.check()?;
            if let Ok(frame) = self.try_take_frame() {
                return Ok(frame);
            }
            // Listen first, then look again: no wake-up is lost.
            let mut freed = pin!(self.freed.listen());
            let above = match self.try_take_frame() {
                Ok(frame) => return Ok(frame),
                Err(above) => above,
            };
            bump(&self.counters.frame_waits);
            let _waiting = Waiting::new(self);
            // Only pins in the way: the log has nothing to do with it, and must not be told that somebody waits.
            let mut durable = above.map(|lsn| self.log.wait_durable(lsn));
            let ended = poll_fn(|cx| {
                if freed.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                durable.as_mut().map_or(Poll::Pending, |durable| durable.as_mut().poll(cx))
            })
            .await;
            if let Err(error) = ended {
                self.poison(error.into());
            }
        }
    }

    /// A frame without a page, or the lowest page LSN that is in the way (`None`: only pins are).
    fn try_take_frame(&self) -> Result<FreeFrame<'_>, Option<Lsn>> {
        if let Some(index) = self.free.lock().pop() {
            return Ok(FreeFrame { pool: self, index });
        }
        let count = self.frames.len();
        let mut above: Option<Lsn> = None;
        let vdl = self.log.vdl();
        for _ in 0..count * ROUNDS {
            let index = self.hand.fetch_add(1, Ordering::Relaxed) % count as u32;
            let frame = self.frames.meta(index);
            if frame.pins.load(Ordering::Relaxed) > 0 {
                continue;
            }
            let lsn = frame.lsn();
            if lsn > vdl && !protocol::mutant!(EvictAboveVdl) {
                above = Some(above.map_or(lsn, |a| a.min(lsn)));
                continue;
            }
            let used = frame.used.load(Ordering::Relaxed);
            if used > 0 {
                frame.used.store(used - 1, Ordering::Relaxed);
                continue;
            }
            if let Some(guard) = ExclusiveGuard::try_lock(&self.frames, index)
                && self.empty(&guard, vdl)
            {
                return Ok(FreeFrame { pool: self, index });
            }
        }
        Err(above)
    }

    /// Takes the page out of a latched frame, unless something changed since the hand looked.
    fn empty(&self, guard: &ExclusiveGuard<'_>, vdl: Lsn) -> bool {
        let frame = guard.frame();
        let page = guard.page_id();
        // Pins are added under the shared latch, so none appears while we hold the exclusive one.
        if page == PageId(crate::frame::NO_PAGE) || frame.pins.load(Ordering::SeqCst) > 0 {
            return false;
        }
        let lsn = frame.lsn();
        if lsn > vdl && !protocol::mutant!(EvictAboveVdl) {
            return false;
        }
        {
            let mut shard = self.table.shard(page);
            self.table.remove(&self.frames, &mut shard, page, guard.index());
        }
        bump(&self.counters.evictions);
        if let Some(victim) = &self.victim
            && !frame.fresh.load(Ordering::Relaxed)
            && let Some(mut image) = PageBuf::from_slice(guard.bytes())
        {
            page::seal(image.bytes_mut());
            victim.evicted(page, &image);
        }
        true
    }
}
