//! Frames: the memory of all pages, and what is known of each.
//!
//! One allocation, aligned to 4096 bytes, made when the pool is made and freed with it; a frame's bytes never move and
//! are never unmapped while the pool lives, so a stale reader reads old bytes at worst, never foreign memory.

#![allow(unsafe_code)]

use parking_lot::RawRwLock;
use parking_lot::lock_api::RawRwLock as _;
use protocol::{Lsn, PAGE_BYTES, PageId};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

/// No page has this id; free frames carry it.
pub(crate) const NO_PAGE: u64 = u64::MAX;
/// End of a chain in the page table.
pub(crate) const NO_FRAME: u32 = u32::MAX;
/// A page used this often since the clock's hand passed stays as long as any.
const MAX_USED: u8 = 3;

/// What is known of one frame, on a cache line of its own.
#[repr(align(64))]
pub(crate) struct Frame {
    /// Guards the bytes; see `guard`.
    pub(crate) latch: RawRwLock,
    /// Odd while latched exclusively.
    pub(crate) version: AtomicU64,
    /// The page in it, or [`NO_PAGE`].
    pub(crate) page: AtomicU64,
    /// Its page LSN, so the clock need not touch the page.
    pub(crate) lsn: AtomicU64,
    /// Next frame of the same bucket.
    pub(crate) next: AtomicU32,
    /// Reasons to stay.
    pub(crate) pins: AtomicU32,
    /// Uses since the clock's hand passed, at most [`MAX_USED`].
    pub(crate) used: AtomicU8,
    /// Changed since it was loaded: the second tier was told.
    pub(crate) dirtied: AtomicBool,
    /// Made without reading and not yet written: holds nothing anybody may keep a copy of.
    pub(crate) fresh: AtomicBool,
}

impl Frame {
    fn new() -> Frame {
        Frame {
            latch: RawRwLock::INIT,
            version: AtomicU64::new(0),
            page: AtomicU64::new(NO_PAGE),
            lsn: AtomicU64::new(0),
            next: AtomicU32::new(NO_FRAME),
            pins: AtomicU32::new(0),
            used: AtomicU8::new(0),
            dirtied: AtomicBool::new(false),
            fresh: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(crate) fn holds(&self, page: PageId) -> bool {
        self.page.load(Ordering::Acquire) == page.0
    }

    #[inline]
    pub(crate) fn lsn(&self) -> Lsn {
        Lsn(self.lsn.load(Ordering::Acquire))
    }

    /// Notes a use. Hot pages are at the maximum, so their line is only read.
    #[inline]
    pub(crate) fn touch(&self) {
        let used = self.used.load(Ordering::Relaxed);
        if used < MAX_USED {
            self.used.store(used + 1, Ordering::Relaxed);
        }
    }
}

/// All frames.
pub(crate) struct Frames {
    memory: NonNull<u8>,
    layout: Layout,
    meta: Box<[Frame]>,
}

// SAFETY: `memory` is owned by this value and plain bytes; who may touch which part when is decided by the latches in
// `meta`, which are themselves Send and Sync (see `guard`).
unsafe impl Send for Frames {}
// SAFETY: as above.
unsafe impl Sync for Frames {}

impl Frames {
    pub(crate) fn new(count: usize) -> Frames {
        assert!(count > 0 && count < NO_FRAME as usize, "a pool of {count} frames");
        let layout = Layout::from_size_align(count * PAGE_BYTES, 4096)
            .expect("invariant: the pool's size fits the address space");
        // SAFETY: the layout's size is not zero (asserted above).
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        Frames { memory, layout, meta: (0..count).map(|_| Frame::new()).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.meta.len()
    }

    #[inline]
    pub(crate) fn meta(&self, frame: u32) -> &Frame {
        &self.meta[frame as usize]
    }

    /// The first byte of a frame; valid for [`PAGE_BYTES`] bytes as long as `self` lives.
    #[inline]
    pub(crate) fn bytes(&self, frame: u32) -> NonNull<[u8; PAGE_BYTES]> {
        let index = frame as usize;
        assert!(index < self.meta.len(), "frame {index} of {}", self.meta.len());
        // SAFETY: index < number of frames, so the offset stays inside the one allocation.
        unsafe { self.memory.add(index * PAGE_BYTES).cast() }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, freed once; guards and pins borrow or own the pool, so none
        // is left.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}
