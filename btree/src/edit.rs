//! Changing a tree page through a mini-transaction: few bytes of redo for a small change.
//!
//! Room is the caller's duty ([`fits`]); what is asserted here is a bug there.

use crate::build::{self, Entries, Plan};
use crate::layout::{
    COUNT, DELETED, ENTRY_HEAD, FEW, FLAGS, HIGH, HINT, INFINITE, LOW, MANY, RIGHT, SKIP, SLOT,
    common_prefix, hint_of, slot_at,
};
use crate::view::{Latched, View};
use buffer_pool::{Mtr, PageNo};
use protocol::redo::Op;
use protocol::{PAGE_BYTES, PageId};
use std::cell::RefCell;

thread_local! {
    // Assembles an entry before it is logged in one piece.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn view<'a>(mtr: &'a Mtr<'_>, page: PageNo) -> Latched<'a> {
    View(mtr.page(page))
}

fn at(offset: usize) -> u16 {
    u16::try_from(offset).expect("invariant: offsets within a page fit 16 bits")
}

fn write(mtr: &mut Mtr<'_>, page: PageNo, offset: usize, bytes: &[u8]) {
    mtr.run(page, Op::Write { offset: at(offset), bytes });
}

/// Writes count, heap top and garbage.
fn set_counts(mtr: &mut Mtr<'_>, page: PageNo, count: usize, top: usize, garbage: usize) {
    let mut bytes = [0; 6];
    for (field, number) in bytes.chunks_exact_mut(2).zip([count, top, garbage]) {
        field.copy_from_slice(&at(number).to_le_bytes());
    }
    write(mtr, page, COUNT, &bytes);
}

fn slot_bytes(offset: usize, suffix: &[u8], skip: usize) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..2].copy_from_slice(&at(offset).to_le_bytes());
    slot[2..4].copy_from_slice(&at(suffix.len()).to_le_bytes());
    slot[4..].copy_from_slice(&hint_of(suffix, skip).to_le_bytes());
    slot
}

/// Bytes that a new entry takes on this page.
pub(crate) fn entry_cost(page: Latched<'_>, key: &[u8], value_len: usize) -> usize {
    SLOT + ENTRY_HEAD + key.len().saturating_sub(page.prefix_len()) + value_len
}

/// Whether something fits a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fits {
    /// At once; a page of few entries may be compacted on the way.
    Now,
    /// Once the page was compacted.
    Compacted,
    /// Only after a split.
    No,
}

fn fits_within(page: Latched<'_>, need: usize, freed: usize) -> Fits {
    let all = page.gap() + page.garbage();
    if page.gap() >= need || (page.count() <= FEW && all + freed >= need) {
        Fits::Now
    } else if all >= need {
        Fits::Compacted
    } else {
        Fits::No
    }
}

/// Whether a new entry fits.
pub(crate) fn fits(page: Latched<'_>, key: &[u8], value_len: usize) -> Fits {
    fits_within(page, entry_cost(page, key, value_len), 0)
}

/// Whether entry `index` can be given a value of `value_len`.
pub(crate) fn fits_replace(page: Latched<'_>, index: usize, value_len: usize) -> Fits {
    let (_, old) = page.value_at(index);
    if value_len <= old {
        return Fits::Now;
    }
    let entry = page.entry_len(index);
    fits_within(page, entry - old + value_len, entry)
}

/// Inserts an entry at `index`.
pub(crate) fn insert(mtr: &mut Mtr<'_>, page: PageNo, index: usize, key: &[u8], value: &[u8]) {
    let cost = entry_cost(view(mtr, page), key, value.len());
    if view(mtr, page).gap() < cost {
        compact(mtr, page, None);
    }
    let now = view(mtr, page);
    let (count, garbage) = (now.count(), now.garbage());
    assert!(now.gap() >= cost && index <= count, "insert of {cost} bytes into a gap of {}", now.gap());
    let top = now.top() - (cost - SLOT);
    let (suffix, skip) = (&key[now.prefix_len()..], now.skip());
    put_entry(mtr, page, top, suffix, value);
    if index < count {
        let len = at((count - index) * SLOT);
        mtr.run(page, Op::Move { from: at(slot_at(index)), to: at(slot_at(index + 1)), len });
    }
    write(mtr, page, slot_at(index), &slot_bytes(top, suffix, skip));
    set_counts(mtr, page, count + 1, top, garbage);
}

fn put_entry(mtr: &mut Mtr<'_>, page: PageNo, offset: usize, suffix: &[u8], value: &[u8]) {
    SCRATCH.with_borrow_mut(|entry| {
        entry.clear();
        entry.extend_from_slice(&at(value.len()).to_le_bytes());
        entry.extend_from_slice(suffix);
        entry.extend_from_slice(value);
        write(mtr, page, offset, entry);
    });
}

/// Removes entry `index`.
pub(crate) fn remove(mtr: &mut Mtr<'_>, page: PageNo, index: usize) {
    let now = view(mtr, page);
    let (count, mut top, mut garbage) = (now.count(), now.top(), now.garbage());
    let (offset, len) = (now.slot(index).0, now.entry_len(index));
    if index + 1 < count {
        let len = at((count - index - 1) * SLOT);
        mtr.run(page, Op::Move { from: at(slot_at(index + 1)), to: at(slot_at(index)), len });
    }
    if offset == top {
        top += len;
    } else {
        garbage += len;
    }
    set_counts(mtr, page, count - 1, top, garbage);
}

/// Gives entry `index` another value.
pub(crate) fn replace(mtr: &mut Mtr<'_>, page: PageNo, index: usize, value: &[u8]) {
    let now = view(mtr, page);
    let (offset, old) = now.value_at(index);
    if value.len() <= old {
        let (entry, counts) = (now.slot(index).0, (now.count(), now.top(), now.garbage()));
        patch(mtr, page, offset, value);
        if value.len() < old {
            write(mtr, page, entry, &at(value.len()).to_le_bytes());
            set_counts(mtr, page, counts.0, counts.1, counts.2 + old - value.len());
        }
        return;
    }
    let suffix = now.suffix(index).to_vec();
    let need = ENTRY_HEAD + suffix.len() + value.len();
    let old_len = now.entry_len(index);
    let mut garbage_of_old = old_len;
    if now.gap() < need {
        compact(mtr, page, Some(index));
        garbage_of_old = 0;
    }
    let now = view(mtr, page);
    let (count, garbage) = (now.count(), now.garbage());
    assert!(now.gap() >= need, "replace of {need} bytes in a gap of {}", now.gap());
    let top = now.top() - need;
    put_entry(mtr, page, top, &suffix, value);
    write(mtr, page, slot_at(index), &at(top).to_le_bytes());
    set_counts(mtr, page, count, top, garbage + garbage_of_old);
}

/// Overwrites bytes; the mini-transaction logs only the stretch that differs.
pub(crate) fn patch(mtr: &mut Mtr<'_>, page: PageNo, offset: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        write(mtr, page, offset, bytes);
    }
}

/// A piece of the heap in use.
struct Piece {
    from: usize,
    len: usize,
}

/// Gathers the free space of a page in one piece; an entry to `forget` keeps its slot but not its bytes. By moves, which
/// log no content; only where entries are so many that moves would say more than the content, the page is written anew.
pub(crate) fn compact(mtr: &mut Mtr<'_>, page: PageNo, forget: Option<usize>) {
    let now = view(mtr, page);
    let count = now.count();
    if count > MANY {
        assert!(forget.is_none(), "a page of {count} entries is compacted before a change, not within it");
        let (plan, mut entries) = (Plan::of(now), Entries::default());
        entries.push_page(now, 0..count);
        return build::build(mtr, page, &plan, &entries);
    }
    let mut pieces: Vec<Piece> = (0..count)
        .filter(|&i| Some(i) != forget)
        .map(|i| Piece { from: now.slot(i).0, len: now.entry_len(i) })
        .collect();
    pieces.extend(
        [Some(now.low_at()), now.high_at()]
            .into_iter()
            .flatten()
            .filter(|f| f.1 > 0)
            .map(|f| Piece { from: f.0, len: f.1 }),
    );
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.from));
    // From the end of the page downwards: pieces that stay together move together.
    let mut moves: Vec<(usize, usize, usize)> = Vec::new();
    let mut end = PAGE_BYTES;
    for piece in &pieces {
        end -= piece.len;
        match moves.last_mut() {
            Some((from, to, len)) if piece.from + piece.len == *from && end + piece.len == *to => {
                (*from, *to, *len) = (piece.from, end, *len + piece.len);
            }
            _ => moves.push((piece.from, end, piece.len)),
        }
    }
    let moved = |offset: usize| {
        // Moves are in falling order, and every piece in use is part of one.
        let (from, to, len) = moves[moves.partition_point(|&(from, _, _)| from > offset)];
        assert!(offset - from < len, "heap piece at {offset} lies in no move");
        offset - from + to
    };
    let mut slots = Vec::with_capacity(count * SLOT);
    for i in 0..count {
        let offset = if Some(i) == forget { end } else { moved(now.slot(i).0) };
        slots.extend_from_slice(&slot_bytes(offset, now.suffix(i), now.skip()));
    }
    let fence = |(offset, len): (usize, usize)| if len == 0 { (0, 0) } else { (moved(offset), len) };
    let (low, high) = (fence(now.low_at()), now.high_at().map(fence));
    for (from, to, len) in &moves {
        if from != to {
            mtr.run(page, Op::Move { from: at(*from), to: at(*to), len: at(*len) });
        }
    }
    if !slots.is_empty() {
        write(mtr, page, slot_at(0), &slots);
    }
    write_fences(mtr, page, low, high);
    set_counts(mtr, page, count, end, 0);
}

fn write_fences(mtr: &mut Mtr<'_>, page: PageNo, low: (usize, usize), high: Option<(usize, usize)>) {
    let high = high.map_or((0, INFINITE), |(offset, len)| (at(offset), at(len)));
    let mut bytes = [0; 8];
    for (field, number) in bytes.chunks_exact_mut(2).zip([at(low.0), at(low.1), high.0, high.1]) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    write(mtr, page, LOW, &bytes);
}

/// Cuts a page to its first `keep` entries, its range to end at `high`, and links it to `right`: the left half of a split.
pub(crate) fn truncate(mtr: &mut Mtr<'_>, page: PageNo, keep: usize, high: &[u8], right: PageId) {
    let now = view(mtr, page);
    let old_high = now.high_at().map_or(0, |(_, len)| len);
    let gone: usize = (keep..now.count()).map(|i| now.entry_len(i)).sum();
    let (top, garbage) = (now.top(), now.garbage());
    write(mtr, page, RIGHT, &right.0.to_le_bytes());
    if protocol::mutant!(SplitKeepsHighKey) {
        set_counts(mtr, page, keep, top, garbage + gone);
        return;
    }
    // The old fence becomes garbage; compaction must not see it any more.
    write(mtr, page, HIGH, &[0, 0, 0, 0]);
    set_counts(mtr, page, keep, top, garbage + gone + old_high);
    if view(mtr, page).gap() < high.len() {
        compact(mtr, page, None);
    }
    let now = view(mtr, page);
    assert!(now.gap() >= high.len(), "a fence of {} bytes in a gap of {}", high.len(), now.gap());
    let (garbage, top) = (now.garbage(), now.top() - high.len());
    if !high.is_empty() {
        write(mtr, page, top, high);
    }
    let mut fence = [0; 4];
    fence[..2].copy_from_slice(&at(top).to_le_bytes());
    fence[2..].copy_from_slice(&at(high.len()).to_le_bytes());
    write(mtr, page, HIGH, &fence);
    set_counts(mtr, page, keep, top, garbage);
    sharpen(mtr, page);
}

/// Writes the hints anew where the fences, nearer together now, say that they may skip more. Without it hints of rising
/// numbers, whose first bytes are all zero, would say nothing: such pages are never written anew.
fn sharpen(mtr: &mut Mtr<'_>, page: PageNo) {
    let now = view(mtr, page);
    let skip = now.high().map_or(0, |high| common_prefix(now.low(), high)).saturating_sub(now.prefix_len());
    if skip <= now.skip() || now.count() == 0 {
        return;
    }
    let slots: Vec<u8> =
        (0..now.count()).flat_map(|i| slot_bytes(now.slot(i).0, now.suffix(i), skip)).collect();
    write(mtr, page, SKIP, &at(skip).to_le_bytes());
    write(mtr, page, slot_at(0), &slots);
}

/// Marks a page as merged into `left`.
pub(crate) fn mark_deleted(mtr: &mut Mtr<'_>, page: PageNo, left: PageId) {
    write(mtr, page, FLAGS, &DELETED.to_le_bytes());
    write(mtr, page, RIGHT, &left.0.to_le_bytes());
}

/// Raises the engine's hint.
pub(crate) fn raise_hint(mtr: &mut Mtr<'_>, page: PageNo, hint: u64) {
    let old = view(mtr, page).hint();
    if hint > old {
        patch(mtr, page, HINT, &hint.to_le_bytes());
    }
}
