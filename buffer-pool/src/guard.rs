//! Latches: shared, exclusive, and optimistic reads that latch nothing.
//!
//! | guard | others meanwhile | cost |
//! |---|---|---|
//! | [`SharedGuard`] | may read | one atomic add and one subtract |
//! | [`ExclusiveGuard`] | may not | the same, and the version goes odd, then even |
//! | [`Optimistic`] | may do anything; [`Optimistic::holds`] tells | two loads, no store: no shared cache line is written |
//!
//! Guards are not `Send` (they hold a raw pointer), so a future that keeps one across an await cannot be spawned.

#![allow(unsafe_code)]

use crate::frame::{Frame, Frames};
use parking_lot::lock_api::RawRwLock as _;
use protocol::{PAGE_BYTES, PageId};
use std::cmp::Ordering as Order;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, fence};

/// A page latched for reading.
pub struct SharedGuard<'p> {
    frame: &'p Frame,
    bytes: NonNull<[u8; PAGE_BYTES]>,
}

impl<'p> SharedGuard<'p> {
    /// Latches the frame; waits for a writer.
    pub(crate) fn lock(frames: &'p Frames, index: u32) -> SharedGuard<'p> {
        let frame = frames.meta(index);
        frame.latch.lock_shared();
        SharedGuard { frame, bytes: frames.bytes(index) }
    }

    pub(crate) fn frame(&self) -> &'p Frame {
        self.frame
    }

    /// The page's bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8; PAGE_BYTES] {
        // SAFETY: the shared latch is held as long as `self` lives, and bytes are written only under the exclusive latch,
        // so no write happens while this reference lives; the frame's memory lives as long as 'p.
        unsafe { self.bytes.as_ref() }
    }

    /// The version while latched; changes once somebody latched the page exclusively.
    #[must_use]
    #[inline]
    pub fn version(&self) -> u64 {
        self.frame.version.load(Ordering::Relaxed)
    }
}

impl Drop for SharedGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: `lock` took the shared latch and only this drop gives it back.
        unsafe { self.frame.latch.unlock_shared() }
    }
}

/// A page latched for writing. Its bytes change through a mini-transaction only.
pub struct ExclusiveGuard<'p> {
    frame: &'p Frame,
    index: u32,
    bytes: NonNull<[u8; PAGE_BYTES]>,
}

impl<'p> ExclusiveGuard<'p> {
    /// Latches the frame; waits for readers and writers.
    pub(crate) fn lock(frames: &'p Frames, index: u32) -> ExclusiveGuard<'p> {
        frames.meta(index).latch.lock_exclusive();
        ExclusiveGuard::latched(frames, index)
    }

    /// Latches the frame unless somebody else has.
    pub(crate) fn try_lock(frames: &'p Frames, index: u32) -> Option<ExclusiveGuard<'p>> {
        frames.meta(index).latch.try_lock_exclusive().then(|| ExclusiveGuard::latched(frames, index))
    }

    fn latched(frames: &'p Frames, index: u32) -> ExclusiveGuard<'p> {
        let frame = frames.meta(index);
        let version = frame.version.load(Ordering::Relaxed);
        assert!(version.is_multiple_of(2), "pool invariant 5: version {version} odd before the latch");
        frame.version.store(version + 1, Ordering::Relaxed);
        // The odd version is visible before any byte changes.
        fence(Ordering::Release);
        ExclusiveGuard { frame, index, bytes: frames.bytes(index) }
    }

    pub(crate) fn frame(&self) -> &'p Frame {
        self.frame
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// The page latched.
    #[must_use]
    #[inline]
    pub fn page_id(&self) -> PageId {
        PageId(self.frame.page.load(Ordering::Relaxed))
    }

    /// The page's bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8; PAGE_BYTES] {
        // SAFETY: the exclusive latch is held as long as `self` lives, so no other guard hands out a reference to these
        // bytes; `bytes_mut` borrows `self` mutably, so no mutable reference lives beside this one. Optimistic readers
        // form no references.
        unsafe { self.bytes.as_ref() }
    }

    /// The page's bytes, to change.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        // SAFETY: as in `bytes`; the mutable borrow of `self` makes it the only reference.
        unsafe { self.bytes.as_mut() }
    }
}

impl Drop for ExclusiveGuard<'_> {
    fn drop(&mut self) {
        let version = self.frame.version.load(Ordering::Relaxed);
        // Release: whoever sees the even version sees the bytes written before.
        self.frame.version.store(version + 1, Ordering::Release);
        // SAFETY: `lock` or `try_lock` took the exclusive latch and only this drop gives it back.
        unsafe { self.frame.latch.unlock_exclusive() }
    }
}

/// A read that latches nothing: what it returns may be torn, and means something only if [`holds`](Self::holds) is
/// still true afterwards. Reads outside the page answer zero, so that torn lengths and offsets do no harm.
///
/// The bytes are read by volatile loads while a writer may store to them. The language has no name for such a race that
/// is free of undefined behaviour and of cost; this is the seqlock as it is written everywhere: no reference to the bytes
/// is formed, nothing read is used to index memory outside the page, and nothing is believed before the version is
/// compared.
#[derive(Clone, Copy)]
pub struct Optimistic<'p> {
    frame: &'p Frame,
    bytes: NonNull<[u8; PAGE_BYTES]>,
    version: u64,
}

impl<'p> Optimistic<'p> {
    /// Starts a read of a frame if it holds `page` and nobody writes it.
    #[inline]
    pub(crate) fn start(frames: &'p Frames, index: u32, page: PageId) -> Option<Optimistic<'p>> {
        let frame = frames.meta(index);
        let version = frame.version.load(Ordering::Acquire);
        if !version.is_multiple_of(2) || !frame.holds(page) {
            return None;
        }
        Some(Optimistic { frame, bytes: frames.bytes(index), version })
    }

    /// True while nobody latched the page exclusively since the read began: all read so far was whole.
    #[must_use]
    #[inline]
    pub fn holds(&self) -> bool {
        // The loads of bytes before this line stay before the load of the version.
        fence(Ordering::Acquire);
        self.frame.version.load(Ordering::Relaxed) == self.version
    }

    /// The version the read began with.
    #[must_use]
    #[inline]
    pub fn version(&self) -> u64 {
        self.version
    }

    #[inline]
    fn load<const N: usize>(&self, at: usize) -> [u8; N] {
        if at > PAGE_BYTES - N {
            return [0; N];
        }
        // SAFETY: at + N <= PAGE_BYTES, inside the frame, which lives as long as 'p; [u8; N] has no alignment and no
        // invalid values. The race with a writer is discussed on the type.
        unsafe { self.bytes.as_ptr().cast::<u8>().add(at).cast::<[u8; N]>().read_volatile() }
    }

    /// One byte.
    #[must_use]
    #[inline]
    pub fn u8(&self, at: usize) -> u8 {
        self.load::<1>(at)[0]
    }

    /// A little-endian number.
    #[must_use]
    #[inline]
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.load(at))
    }

    /// A little-endian number.
    #[must_use]
    #[inline]
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.load(at))
    }

    /// A little-endian number.
    #[must_use]
    #[inline]
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.load(at))
    }

    /// Orders `len` bytes of the page against `other`, as `memcmp` then length.
    #[must_use]
    #[inline]
    pub fn compare(&self, at: usize, len: usize, other: &[u8]) -> Order {
        let len = len.min(PAGE_BYTES.saturating_sub(at));
        let shared = len.min(other.len());
        let mut done = 0;
        while done + 8 <= shared {
            let ours = u64::from_be_bytes(self.load(at + done));
            let mut theirs = [0; 8];
            theirs.copy_from_slice(&other[done..done + 8]);
            let theirs = u64::from_be_bytes(theirs);
            if ours != theirs {
                return ours.cmp(&theirs);
            }
            done += 8;
        }
        while done < shared {
            let ours = self.u8(at + done);
            if ours != other[done] {
                return ours.cmp(&other[done]);
            }
            done += 1;
        }
        len.cmp(&other.len())
    }
}
