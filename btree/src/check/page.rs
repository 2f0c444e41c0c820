//! What one tree page promises by itself.

use crate::layout::{
    ENTRY_HEAD, MAX_KEY_BYTES, MAX_VALUE_BYTES, SLOT, SLOTS_AT, TREE_VERSION, common_prefix, hint_of,
};
use crate::view::{Latched, View};
use protocol::{PAGE_BYTES, PageKind};

/// Adds everything that is wrong with the page.
pub(super) fn check(image: &[u8; PAGE_BYTES], tree: u64, level: u8, wrong: &mut Vec<String>) {
    let view = View(image);
    if protocol::page::kind(image) != Some(PageKind::Tree) || view.version() != TREE_VERSION {
        wrong.push("not a tree page".into());
        return;
    }
    if view.tree() != tree {
        wrong.push(format!("of tree {} instead of {tree}", view.tree()));
    }
    if view.level() != level {
        wrong.push(format!("of level {} instead of {level}", view.level()));
    }
    if view.is_deleted() {
        wrong.push("deleted, but still linked".into());
    }
    if heap(view, wrong) {
        fences(view, wrong);
        entries(view, wrong);
    }
}

/// Slots, entries and fences lie where they may, and every byte of the heap is accounted for.
fn heap(view: Latched<'_>, wrong: &mut Vec<String>) -> bool {
    let (count, top) = (view.count(), view.top());
    let slots_end = SLOTS_AT + count * SLOT;
    if top < slots_end || top > PAGE_BYTES {
        wrong.push(format!("heap top {top} with {count} slots"));
        return false;
    }
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    pieces.extend([Some(view.low_at()), view.high_at()].into_iter().flatten().filter(|p| p.1 > 0));
    for index in 0..count {
        let (at, suffix) = view.slot(index);
        if at < top || at + ENTRY_HEAD + suffix > PAGE_BYTES {
            wrong.push(format!("entry {index} at {at} lies outside the heap"));
            return false;
        }
        pieces.push((at, view.entry_len(index)));
    }
    pieces.sort_unstable();
    let mut end = top;
    for (at, len) in &pieces {
        if *at < end || at + len > PAGE_BYTES {
            wrong.push(format!("heap piece {at}+{len} overlaps another or lies outside"));
            return false;
        }
        end = at + len;
    }
    let live: usize = pieces.iter().map(|p| p.1).sum();
    if live + view.garbage() != PAGE_BYTES - top {
        wrong.push(format!(
            "heap of {} holds {live} and claims {} garbage",
            PAGE_BYTES - top,
            view.garbage()
        ));
    }
    true
}

fn fences(view: Latched<'_>, wrong: &mut Vec<String>) {
    let (low, prefix) = (view.low(), view.prefix_len());
    if low.len() > MAX_KEY_BYTES || view.high().is_some_and(|high| high.len() > MAX_KEY_BYTES) {
        wrong.push("a fence is longer than any key".into());
    }
    if prefix > low.len() {
        wrong.push("the prefix is longer than the low fence".into());
    } else if prefix > 0 && view.high().is_none_or(|high| !high.starts_with(&low[..prefix])) {
        wrong.push("the prefix is not common to both fences".into());
    }
    let shared = view.high().map_or(0, |high| common_prefix(low, high));
    if prefix + view.skip() > shared {
        wrong.push("hints skip more than all keys share".into());
    }
    if view.high().is_some_and(|high| high <= low) {
        wrong.push("the high fence is not above the low fence".into());
    }
}

fn entries(view: Latched<'_>, wrong: &mut Vec<String>) {
    let inner = view.level() > 0;
    if inner && (view.count() == 0 || view.key(0) != view.low()) {
        wrong.push("the first entry of an inner page is not its low fence".into());
    }
    let mut last: Option<Vec<u8>> = None;
    for index in 0..view.count() {
        let key = view.key(index);
        let value = view.value(index).len();
        if view.slot_hint(index) != hint_of(view.suffix(index), view.skip()) {
            wrong.push(format!("entry {index}: the hint is not of its key"));
        }
        if key.as_slice() < view.low() || view.high().is_some_and(|high| key.as_slice() >= high) {
            wrong.push(format!("entry {index}: the key lies outside the fences"));
        }
        if last.as_ref().is_some_and(|last| *last >= key) {
            wrong.push(format!("entry {index}: keys are not in rising order"));
        }
        if key.len() > MAX_KEY_BYTES || value > MAX_VALUE_BYTES || (inner && value != 8) {
            wrong.push(format!("entry {index}: impossible lengths {} and {value}", key.len()));
        }
        last = Some(key);
    }
}
