//! Reading a tree page, latched or not: one search for both.
//!
//! [`Source`] is either a page under a latch or an optimistic read; with the latter every answer may be nonsense until
//! the version is compared, but never out of bounds and never endless.

use crate::layout::{
    CAPACITY, COUNT, DELETED, ENTRY_HEAD, EXTENTS, FLAGS, GARBAGE, HIGH, HINT, INFINITE, KIND, LEVEL, LOW,
    MAX_COUNT, PREFIX, RIGHT, SKIP, SLOTS_AT, TOP, TREE, TREE_VERSION, VERSION, hint_of, slot_at,
};
use buffer_pool::Optimistic;
use protocol::{PAGE_BYTES, PageId, PageKind};
use std::cmp::Ordering;

/// Bytes of one page; reads outside it answer zero.
pub(crate) trait Source: Copy {
    fn u8(&self, at: usize) -> u8;
    fn u16(&self, at: usize) -> u16;
    fn u32(&self, at: usize) -> u32;
    fn u64(&self, at: usize) -> u64;
    /// Orders `len` bytes at `at` against `other`.
    fn compare(&self, at: usize, len: usize, other: &[u8]) -> Ordering;
}

impl Source for Optimistic<'_> {
    fn u8(&self, at: usize) -> u8 {
        Optimistic::u8(self, at)
    }
    fn u16(&self, at: usize) -> u16 {
        Optimistic::u16(self, at)
    }
    fn u32(&self, at: usize) -> u32 {
        Optimistic::u32(self, at)
    }
    fn u64(&self, at: usize) -> u64 {
        Optimistic::u64(self, at)
    }
    fn compare(&self, at: usize, len: usize, other: &[u8]) -> Ordering {
        Optimistic::compare(self, at, len, other)
    }
}

fn array<const N: usize>(page: &[u8; PAGE_BYTES], at: usize) -> [u8; N] {
    page.get(at..at + N).and_then(|b| b.try_into().ok()).unwrap_or([0; N])
}

impl Source for &[u8; PAGE_BYTES] {
    fn u8(&self, at: usize) -> u8 {
        array::<1>(self, at)[0]
    }
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(array(self, at))
    }
    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(array(self, at))
    }
    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(array(self, at))
    }
    fn compare(&self, at: usize, len: usize, other: &[u8]) -> Ordering {
        self.get(at..at + len).unwrap_or(&[]).cmp(other)
    }
}

/// Where a walk is going, on any level.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'k> {
    /// The page whose range holds this key.
    At(&'k [u8]),
    /// The page whose range ends at or after this key and begins before it.
    Below(&'k [u8]),
    /// The last page.
    End,
}

/// A tree page seen through `S`.
#[derive(Clone, Copy)]
pub(crate) struct View<S>(pub(crate) S);

/// A page under a latch.
pub(crate) type Latched<'a> = View<&'a [u8; PAGE_BYTES]>;

/// What a page says about a walk that landed on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// This is the page.
    Here,
    /// Its right neighbour is nearer.
    Right(PageId),
    /// The walk does not belong here: start again.
    Lost,
}

impl<S: Source> View<S> {
    pub(crate) fn version(&self) -> u8 {
        self.0.u8(VERSION)
    }
    pub(crate) fn level(&self) -> u8 {
        self.0.u8(LEVEL)
    }
    pub(crate) fn is_deleted(&self) -> bool {
        self.0.u16(FLAGS) & DELETED != 0
    }
    pub(crate) fn prefix_len(&self) -> usize {
        usize::from(self.0.u16(PREFIX)).min(CAPACITY)
    }
    /// Bytes after the prefix that hints leave out.
    pub(crate) fn skip(&self) -> usize {
        usize::from(self.0.u16(SKIP)).min(CAPACITY)
    }
    pub(crate) fn tree(&self) -> u64 {
        self.0.u64(TREE)
    }
    pub(crate) fn right(&self) -> PageId {
        PageId(self.0.u64(RIGHT))
    }
    pub(crate) fn hint(&self) -> u64 {
        self.0.u64(HINT)
    }
    pub(crate) fn extents(&self) -> u64 {
        self.0.u64(EXTENTS)
    }
    pub(crate) fn count(&self) -> usize {
        usize::from(self.0.u16(COUNT)).min(MAX_COUNT)
    }
    pub(crate) fn top(&self) -> usize {
        usize::from(self.0.u16(TOP))
    }
    pub(crate) fn garbage(&self) -> usize {
        usize::from(self.0.u16(GARBAGE))
    }
    /// Offset and length of the low fence.
    pub(crate) fn low_at(&self) -> (usize, usize) {
        (usize::from(self.0.u16(LOW)), usize::from(self.0.u16(LOW + 2)))
    }
    /// Offset and length of the high fence; `None` is plus infinity.
    pub(crate) fn high_at(&self) -> Option<(usize, usize)> {
        let len = self.0.u16(HIGH + 2);
        (len != INFINITE).then(|| (usize::from(self.0.u16(HIGH)), usize::from(len)))
    }
    /// Offset of the entry and length of its suffix.
    pub(crate) fn slot(&self, index: usize) -> (usize, usize) {
        let at = slot_at(index);
        (usize::from(self.0.u16(at)), usize::from(self.0.u16(at + 2)))
    }
    pub(crate) fn slot_hint(&self, index: usize) -> u32 {
        self.0.u32(slot_at(index) + 4)
    }

    /// Offset and length of the value of entry `index`.
    pub(crate) fn value_at(&self, index: usize) -> (usize, usize) {
        let (at, suffix) = self.slot(index);
        (at + ENTRY_HEAD + suffix, usize::from(self.0.u16(at)))
    }

    /// The child of entry `index` of an inner page.
    pub(crate) fn child(&self, index: usize) -> PageId {
        PageId(self.0.u64(self.value_at(index).0))
    }

    /// Whether a walk to `target` belongs on this page of `tree` and `level`.
    pub(crate) fn fit(&self, tree: u64, level: u8, target: Target<'_>) -> Fit {
        let is_tree = self.0.u8(KIND) == PageKind::Tree as u8 && self.version() == TREE_VERSION;
        if !is_tree || self.tree() != tree || self.level() != level || self.is_deleted() {
            return Fit::Lost;
        }
        let (low, low_len) = self.low_at();
        let high = self.high_at();
        let (before, after) = match target {
            Target::At(key) => (
                low_len > 0 && self.0.compare(low, low_len, key) == Ordering::Greater,
                high.is_some_and(|(at, len)| self.0.compare(at, len, key) != Ordering::Greater),
            ),
            Target::Below(key) => (
                low_len > 0 && self.0.compare(low, low_len, key) != Ordering::Less,
                high.is_some_and(|(at, len)| self.0.compare(at, len, key) == Ordering::Less),
            ),
            Target::End => (false, high.is_some()),
        };
        match (before, after) {
            (true, _) => Fit::Lost,
            (_, true) => Fit::Right(self.right()),
            _ => Fit::Here,
        }
    }

    /// Finds `key`, which lies within the fences: the entry that has it, or where it would go.
    pub(crate) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        let suffix = key.get(self.prefix_len()..).unwrap_or(&[]);
        let skip = self.skip();
        let short = skip + 4;
        let hint = hint_of(suffix, skip);
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let order = match self.slot_hint(middle).cmp(&hint) {
                Ordering::Equal => {
                    let (at, len) = self.slot(middle);
                    if len <= short && suffix.len() <= short {
                        // Equal hints that say all: one suffix is the other and zero bytes.
                        len.cmp(&suffix.len())
                    } else {
                        self.0.compare(at + ENTRY_HEAD, len, suffix)
                    }
                }
                order => order,
            };
            match order {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }

    /// The first entry that is not before `target`'s end of the walk: for `At` the place of the key, for `Below` one past
    /// the last smaller key, for `End` the count.
    pub(crate) fn place(&self, target: Target<'_>) -> usize {
        match target {
            Target::At(key) => self.search(key).unwrap_or_else(|at| at),
            Target::Below(key) => {
                // The high fence itself need not share the page's prefix.
                match self.high_at() {
                    Some((at, len)) if self.0.compare(at, len, key) == Ordering::Equal => self.count(),
                    _ => self.search(key).unwrap_or_else(|at| at),
                }
            }
            Target::End => self.count(),
        }
    }

    /// Which child of an inner page a walk to `target` takes.
    pub(crate) fn child_index(&self, target: Target<'_>) -> usize {
        match target {
            Target::At(key) => match self.search(key) {
                Ok(at) => at,
                Err(at) => at.saturating_sub(1),
            },
            _ => self.place(target).saturating_sub(1),
        }
    }

    /// Bytes between slots and heap.
    pub(crate) fn gap(&self) -> usize {
        self.top().saturating_sub(SLOTS_AT + self.count() * crate::layout::SLOT)
    }

    /// Bytes in use by slots, fences and entries.
    pub(crate) fn live(&self) -> usize {
        CAPACITY.saturating_sub(self.gap() + self.garbage())
    }
}

impl<'a> Latched<'a> {
    fn bytes(&self, at: usize, len: usize) -> &'a [u8] {
        self.0.get(at..at + len).unwrap_or(&[])
    }

    pub(crate) fn low(&self) -> &'a [u8] {
        let (at, len) = self.low_at();
        self.bytes(at, len)
    }

    pub(crate) fn high(&self) -> Option<&'a [u8]> {
        self.high_at().map(|(at, len)| self.bytes(at, len))
    }

    pub(crate) fn prefix(&self) -> &'a [u8] {
        let low = self.low();
        &low[..self.prefix_len().min(low.len())]
    }

    pub(crate) fn suffix(&self, index: usize) -> &'a [u8] {
        let (at, len) = self.slot(index);
        self.bytes(at + ENTRY_HEAD, len)
    }

    pub(crate) fn value(&self, index: usize) -> &'a [u8] {
        let (at, len) = self.value_at(index);
        self.bytes(at, len)
    }

    /// Appends the whole key of an entry.
    pub(crate) fn push_key(&self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix());
        out.extend_from_slice(self.suffix(index));
    }

    pub(crate) fn key(&self, index: usize) -> Vec<u8> {
        let mut key = Vec::new();
        self.push_key(index, &mut key);
        key
    }

    /// Bytes of entry `index` in the heap.
    pub(crate) fn entry_len(&self, index: usize) -> usize {
        ENTRY_HEAD + self.slot(index).1 + self.value_at(index).1
    }
}
