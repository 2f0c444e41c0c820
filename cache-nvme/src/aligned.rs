//! Owned memory that O_DIRECT accepts: addresses and capacities are multiples of [`ALIGN`].
//!
//! A buffer belongs to one owner at a time: the caller, then (inside an operation) the kernel, then the caller again.
//! It never moves while the kernel has it, because the bytes are on the heap and the handle carries only the pointer.
//!
//! Invariants
//! 1. `ptr` is aligned to 4096 and valid for `capacity` bytes; `capacity` is a multiple of 4096 (0 = no allocation).
//! 2. all `capacity` bytes are initialised (zeroed at allocation), so any `len <= capacity` is a valid slice.
//! 3. Large buffers are kept by the thread that drops them, at most `SPARE_BYTES`, and handed out again with stale bytes: a
//!    run of page images costs neither an allocation nor its zeroes.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Alignment, in bytes, of addresses, offsets and lengths of direct I/O.
pub const ALIGN: usize = 4096;

/// `n` rounded up to a multiple of [`ALIGN`].
#[must_use]
pub const fn round_up(n: usize) -> usize {
    n.next_multiple_of(ALIGN)
}

/// A growable byte buffer aligned for direct I/O; reads and writes as `[u8]`.
pub struct AlignedBuf {
    ptr: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the buffer owns its allocation exclusively and `u8` is Send; no interior mutability.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared references only read the bytes.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// An empty buffer without allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self { ptr: NonNull::dangling(), capacity: 0, len: 0 }
    }

    /// An empty buffer with room for at least `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = round_up(capacity);
        if capacity == 0 {
            return Self::new();
        }
        if capacity >= SPARE_FROM
            && let Some(buf) = SPARE.try_with(|s| s.borrow_mut().take(capacity)).ok().flatten()
        {
            return buf;
        }
        let capacity = if capacity >= SPARE_FROM { capacity.next_power_of_two() } else { capacity };
        let layout = Self::layout(capacity);
        // SAFETY: the layout has a non-zero size.
        let raw = unsafe { alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(raw) else { handle_alloc_error(layout) };
        Self { ptr, capacity, len: 0 }
    }

    /// `len` zero bytes.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let mut buf = Self::unspecified(len);
        buf.fill(0);
        buf
    }

    /// `len` bytes of any content, for a read that will replace them.
    #[must_use]
    pub fn unspecified(len: usize) -> Self {
        let mut buf = Self::with_capacity(len);
        buf.len = len;
        buf
    }

    /// A copy of `bytes`, followed by zeroes up to a multiple of [`ALIGN`].
    #[must_use]
    pub fn padded(bytes: &[u8]) -> Self {
        let mut buf = Self::with_capacity(bytes.len());
        buf.extend_from_slice(bytes);
        buf.pad();
        buf
    }

    fn layout(capacity: usize) -> Layout {
        Layout::from_size_align(capacity, ALIGN).expect("invariant: a buffer is far below isize::MAX")
    }

    /// Bytes allocated.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Length 0, allocation kept.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes room for `more` bytes beyond the length.
    pub fn reserve(&mut self, more: usize) {
        let need = self.len + more;
        if need > self.capacity {
            let mut grown = Self::with_capacity(need.max(self.capacity * 2));
            grown.len = self.len;
            grown.copy_from_slice(self);
            *self = grown;
        }
    }

    /// Appends `bytes`.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        let at = self.len;
        self.len += bytes.len();
        self[at..].copy_from_slice(bytes);
    }

    /// Sets the length; bytes gained are zero.
    pub fn resize(&mut self, len: usize) {
        let old = self.len;
        if len > old {
            self.reserve(len - old);
            self.len = len;
            self[old..].fill(0);
        } else {
            self.len = len;
        }
    }

    /// Appends zeroes up to a multiple of [`ALIGN`].
    pub fn pad(&mut self) {
        self.resize(round_up(self.len));
    }
}

/// Smallest buffer a thread keeps for reuse; larger ones have capacities that are powers of two.
const SPARE_FROM: usize = 32 << 10;
/// Bytes of buffers a thread keeps, at most.
const SPARE_BYTES: usize = 8 << 20;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { list: Vec::new(), bytes: 0 }) };
}

/// Allocations that wait to be used again: pointer and capacity as invariant 1 has them, owned by this list.
struct Spare {
    list: Vec<(NonNull<u8>, usize)>,
    bytes: usize,
}

impl Spare {
    fn take(&mut self, capacity: usize) -> Option<AlignedBuf> {
        let capacity = capacity.next_power_of_two();
        let at = self.list.iter().rposition(|(_, c)| *c == capacity)?;
        let (ptr, capacity) = self.list.swap_remove(at);
        self.bytes -= capacity;
        Some(AlignedBuf { ptr, capacity, len: 0 })
    }

    /// Takes over an allocation, or says no.
    fn put(&mut self, ptr: NonNull<u8>, capacity: usize) -> bool {
        let fits = self.bytes + capacity <= SPARE_BYTES;
        if fits {
            self.bytes += capacity;
            self.list.push((ptr, capacity));
        }
        fits
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        for (ptr, capacity) in self.list.drain(..) {
            // SAFETY: invariant 1: allocated by `with_capacity` with this very layout; the list was its only owner.
            unsafe { dealloc(ptr.as_ptr(), AlignedBuf::layout(capacity)) }
        }
    }
}

impl Default for AlignedBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.capacity == 0 {
            return;
        }
        if self.capacity >= SPARE_FROM
            && SPARE.try_with(|s| s.borrow_mut().put(self.ptr, self.capacity)).unwrap_or(false)
        {
            return;
        }
        // SAFETY: invariant 1: allocated by `with_capacity` with this very layout, freed once.
        unsafe { dealloc(self.ptr.as_ptr(), Self::layout(self.capacity)) }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: invariants 1 and 2; `len <= capacity`; with capacity 0 the pointer is dangling and the length 0.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuf({} of {} bytes)", self.len, self.capacity)
    }
}

impl Clone for AlignedBuf {
    fn clone(&self) -> Self {
        let mut copy = Self::with_capacity(self.len);
        copy.extend_from_slice(self);
        copy
    }
}

impl PartialEq for AlignedBuf {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for AlignedBuf {}

impl From<&[u8]> for AlignedBuf {
    fn from(bytes: &[u8]) -> Self {
        let mut buf = Self::with_capacity(bytes.len());
        buf.extend_from_slice(bytes);
        buf
    }
}

/// Buffers kept for reuse by one owner, so that a steady load allocates nothing. Bounded in bytes.
#[derive(Debug)]
pub struct BufPool {
    free: Vec<AlignedBuf>,
    held_bytes: usize,
    limit_bytes: usize,
}

impl BufPool {
    /// A pool that keeps at most `limit_bytes` of idle buffers.
    #[must_use]
    pub const fn new(limit_bytes: usize) -> Self {
        Self { free: Vec::new(), held_bytes: 0, limit_bytes }
    }

    /// An empty buffer with room for `capacity` bytes: a recently returned one that is large enough, or a new one.
    pub fn take(&mut self, capacity: usize) -> AlignedBuf {
        // The last few suffice: a steady load returns what it will ask for next.
        let start = self.free.len().saturating_sub(8);
        match (start..self.free.len()).rev().find(|&i| self.free[i].capacity() >= capacity) {
            Some(i) => {
                let mut buf = self.free.swap_remove(i);
                self.held_bytes -= buf.capacity();
                buf.clear();
                buf
            }
            None => AlignedBuf::with_capacity(capacity),
        }
    }

    /// Gives a buffer back; freed if the pool is full.
    pub fn give(&mut self, buf: AlignedBuf) {
        if buf.capacity() > 0 && self.held_bytes + buf.capacity() <= self.limit_bytes {
            self.held_bytes += buf.capacity();
            self.free.push(buf);
        }
    }

    /// Bytes held idle.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_capacities_are_aligned_at_every_size() {
        for len in [0, 1, 511, 4095, 4096, 4097, 65_536, 1 << 20] {
            let mut buf = AlignedBuf::zeroed(len);
            assert_eq!(buf.len(), len);
            assert_eq!(buf.capacity() % ALIGN, 0);
            if len > 0 {
                assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            }
            buf.extend_from_slice(&[7; 5000]);
            assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
            assert!(buf[..len].iter().all(|&b| b == 0));
            assert!(buf[len..].iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn shrinking_and_growing_again_shows_zeroes() {
        let mut buf = AlignedBuf::from(&[9u8; 100][..]);
        buf.resize(10);
        buf.pad();
        assert_eq!(buf.len(), ALIGN);
        assert_eq!(&buf[..10], &[9; 10]);
        assert!(buf[10..].iter().all(|&b| b == 0));
        assert_eq!(AlignedBuf::padded(b"abc").len(), ALIGN);
        assert_eq!(buf.clone(), buf);
    }

    #[test]
    fn the_pool_reuses_and_is_bounded() {
        let mut pool = BufPool::new(8 * ALIGN);
        let buf = pool.take(3 * ALIGN);
        let address = buf.as_ptr();
        pool.give(buf);
        assert_eq!(pool.held_bytes(), 3 * ALIGN);
        let again = pool.take(2 * ALIGN);
        assert_eq!(again.as_ptr(), address);
        assert!(again.is_empty());
        pool.give(again);
        pool.give(AlignedBuf::with_capacity(6 * ALIGN));
        assert_eq!(pool.held_bytes(), 3 * ALIGN, "a buffer above the bound is freed");
    }
}
