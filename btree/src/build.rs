//! Writing a page anew: roots, right halves of splits, merged pages. One init and two writes, whatever was there before.

use crate::edit::view;
use crate::layout::{
    COUNT, ENTRY_HEAD, EXTENTS, GARBAGE, HIGH, HINT, INFINITE, LEVEL, LOW, PREFIX, RIGHT, SLOT, SLOTS_AT,
    TOP, TREE, TREE_VERSION, VERSION, common_prefix, hint_of, slot_at,
};
use crate::view::Latched;
use buffer_pool::{Mtr, PageNo};
use protocol::redo::Op;
use protocol::{PAGE_BYTES, PageId, PageKind};

/// What a new page says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) level: u8,
    pub(crate) tree: u64,
    pub(crate) right: PageId,
    pub(crate) hint: u64,
    pub(crate) extents: u64,
    pub(crate) low: Vec<u8>,
    pub(crate) high: Option<Vec<u8>>,
}

impl Plan {
    /// All that `page` says of itself.
    pub(crate) fn of(page: Latched<'_>) -> Plan {
        Plan {
            level: page.level(),
            tree: page.tree(),
            right: page.right(),
            hint: page.hint(),
            extents: page.extents(),
            low: page.low().to_vec(),
            high: page.high().map(<[u8]>::to_vec),
        }
    }

    fn prefix_len(&self) -> usize {
        self.high.as_ref().map_or(0, |high| common_prefix(&self.low, high))
    }
}

/// Entries to be put on a page, with whole keys.
#[derive(Default)]
pub(crate) struct Entries {
    arena: Vec<u8>,
    items: Vec<(usize, usize, usize)>,
}

impl Entries {
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
        self.items.push((start, key.len(), value.len()));
    }

    /// Adds entries `range` of a page.
    pub(crate) fn push_page(&mut self, page: Latched<'_>, range: std::ops::Range<usize>) {
        for index in range {
            let start = self.arena.len();
            page.push_key(index, &mut self.arena);
            let key = self.arena.len() - start;
            let value = page.value(index);
            self.arena.extend_from_slice(value);
            self.items.push((start, key, value.len()));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.items.iter().map(|&(start, key, value)| {
            (&self.arena[start..start + key], &self.arena[start + key..start + key + value])
        })
    }

    /// Bytes these entries take on a page made by `plan`, fences included.
    pub(crate) fn cost(&self, plan: &Plan) -> usize {
        let prefix = plan.prefix_len();
        let fences = plan.low.len() + plan.high.as_ref().map_or(0, Vec::len);
        fences + self.items.iter().map(|(_, k, v)| SLOT + ENTRY_HEAD + k - prefix.min(*k) + v).sum::<usize>()
    }
}

/// Writes `page` anew.
pub(crate) fn build(mtr: &mut Mtr<'_>, page: PageNo, plan: &Plan, entries: &Entries) {
    let mut image = vec![0; PAGE_BYTES];
    let mut top = PAGE_BYTES;
    let mut put = |image: &mut [u8], parts: &[&[u8]]| {
        top -= parts.iter().map(|p| p.len()).sum::<usize>();
        let mut at = top;
        for part in parts {
            image[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        top
    };
    let prefix = plan.prefix_len();
    image[VERSION] = TREE_VERSION;
    image[LEVEL] = plan.level;
    set(&mut image, PREFIX, prefix);
    if !plan.low.is_empty() {
        let at = put(&mut image, &[&plan.low]);
        set(&mut image, LOW, at);
        set(&mut image, LOW + 2, plan.low.len());
    }
    match &plan.high {
        Some(high) => {
            let at = put(&mut image, &[high]);
            set(&mut image, HIGH, at);
            set(&mut image, HIGH + 2, high.len());
        }
        None => set(&mut image, HIGH + 2, usize::from(INFINITE)),
    }
    for (field, number) in
        [(TREE, plan.tree), (RIGHT, plan.right.0), (HINT, plan.hint), (EXTENTS, plan.extents)]
    {
        image[field..field + 8].copy_from_slice(&number.to_le_bytes());
    }
    let mut count = 0;
    for (key, value) in entries.iter() {
        let suffix = &key[prefix..];
        let at = put(&mut image, &[&(value.len() as u16).to_le_bytes(), suffix, value]);
        let slot = slot_at(count);
        assert!(slot + SLOT <= at, "entries of {} bytes do not fit a page", entries.cost(plan));
        set(&mut image, slot, at);
        set(&mut image, slot + 2, suffix.len());
        image[slot + 4..slot + 8].copy_from_slice(&hint_of(suffix, 0).to_le_bytes());
        count += 1;
    }
    set(&mut image, COUNT, count);
    set(&mut image, TOP, top);
    set(&mut image, GARBAGE, 0);
    mtr.run(page, Op::Init { kind: PageKind::Tree });
    let head = VERSION..SLOTS_AT + count * SLOT;
    mtr.run(page, Op::Write { offset: VERSION as u16, bytes: &image[head] });
    if top < PAGE_BYTES {
        mtr.run(page, Op::Write { offset: top as u16, bytes: &image[top..] });
    }
    debug_assert_eq!(view(mtr, page).count(), count);
}

fn set(image: &mut [u8], at: usize, number: usize) {
    let number = u16::try_from(number).expect("invariant: offsets and lengths within a page fit 16 bits");
    image[at..at + 2].copy_from_slice(&number.to_le_bytes());
}
