//! Offsets of a tree page: docs/formats/tree-page.md, encoded here and nowhere else.

use protocol::PAGE_BYTES;

/// Version byte of the format.
pub(crate) const TREE_VERSION: u8 = 1;

/// The kind byte of the header every page shares.
pub(crate) const KIND: usize = 5;
pub(crate) const VERSION: usize = 32;
pub(crate) const LEVEL: usize = 33;
pub(crate) const FLAGS: usize = 34;
pub(crate) const PREFIX: usize = 36;
pub(crate) const LOW: usize = 38;
pub(crate) const HIGH: usize = 42;
pub(crate) const SKIP: usize = 46;
pub(crate) const TREE: usize = 48;
pub(crate) const RIGHT: usize = 56;
pub(crate) const HINT: usize = 64;
pub(crate) const EXTENTS: usize = 72;
/// Count, heap top and garbage lie together: one write changes them.
pub(crate) const COUNT: usize = 80;
pub(crate) const TOP: usize = 82;
pub(crate) const GARBAGE: usize = 84;
pub(crate) const SLOTS_AT: usize = 88;

/// Bytes of a slot.
pub(crate) const SLOT: usize = 8;
/// Bytes of an entry before its suffix.
pub(crate) const ENTRY_HEAD: usize = 2;
/// Length of a high fence that is plus infinity.
pub(crate) const INFINITE: u16 = 0xFFFF;
/// Flag: merged away.
pub(crate) const DELETED: u16 = 1;
/// Bytes for slots and heap.
pub(crate) const CAPACITY: usize = PAGE_BYTES - SLOTS_AT;
/// More slots than this fit no page.
pub(crate) const MAX_COUNT: usize = CAPACITY / (SLOT + ENTRY_HEAD);

/// The longest key: two fences of this length leave room for one entry.
pub const MAX_KEY_BYTES: usize = 3800;
/// The longest value in a leaf, a quarter page; longer ones go to an overflow chain.
pub const MAX_VALUE_BYTES: usize = PAGE_BYTES / 4;

const _: () = assert!(2 * MAX_KEY_BYTES + SLOT + ENTRY_HEAD + MAX_KEY_BYTES + MAX_VALUE_BYTES <= CAPACITY);
// Two inner entries beside the largest fences.
const _: () = assert!(4 * MAX_KEY_BYTES + 2 * (SLOT + ENTRY_HEAD + 8) <= CAPACITY);

/// Most redo a whole page written anew takes, headers included.
pub(crate) const PAGE_LOG: usize = PAGE_BYTES + 256;
/// Pages with up to so many entries are compacted within the change that needs it; others in a mini-transaction of their own.
pub(crate) const FEW: usize = 64;
/// Most redo of compacting a page of [`FEW`] entries: a move per entry and fence, all slots, the header.
pub(crate) const SMALL_COMPACT_LOG: usize = 15 * FEW + 128;
/// Most redo of compacting any page: with more entries than [`MANY`] it is written anew.
pub(crate) const COMPACT_LOG: usize = PAGE_LOG;
/// Above so many entries, moves and slots take more redo than half a page.
pub(crate) const MANY: usize = PAGE_BYTES / 30;

/// Where slot `index` lies.
pub(crate) const fn slot_at(index: usize) -> usize {
    SLOTS_AT + index * SLOT
}

/// The hint of a suffix whose first `skip` bytes all suffixes of the page share.
pub(crate) fn hint_of(suffix: &[u8], skip: usize) -> u32 {
    let rest = suffix.get(skip..).unwrap_or(&[]);
    let mut four = [0; 4];
    let len = rest.len().min(4);
    four[..len].copy_from_slice(&rest[..len]);
    u32::from_be_bytes(four)
}

/// Length of the common prefix.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// The shortest key `s` with `left < s <= right`, for `left < right`.
pub(crate) fn separator<'k>(left: &[u8], right: &'k [u8]) -> &'k [u8] {
    &right[..(common_prefix(left, right) + 1).min(right.len())]
}
