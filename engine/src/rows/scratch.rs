//! Buffers of one change of a row, lent by the thread and given back for the next: a change asks the allocator for nothing.

use crate::error::Result;
use crate::rows::change::Draft;
use btree::Batch;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Scratches a thread keeps.
const KEPT: usize = 8;
/// One that grew beyond this is not kept.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<Scratch>> = const { RefCell::new(Vec::new()) };
    static BATCHES: RefCell<Vec<Batch>> = const { RefCell::new(Vec::new()) };
}

/// A batch of entries on loan, empty.
#[derive(Debug, Default)]
pub(crate) struct Entries(Batch);

impl Entries {
    pub(crate) fn lend() -> Entries {
        let mut batch = BATCHES.with_borrow_mut(Vec::pop).unwrap_or_default();
        batch.clear();
        Entries(batch)
    }
}

impl Deref for Entries {
    type Target = Batch;
    fn deref(&self) -> &Batch {
        &self.0
    }
}

impl DerefMut for Entries {
    fn deref_mut(&mut self) -> &mut Batch {
        &mut self.0
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        let batch = std::mem::take(&mut self.0);
        if batch.bytes() > 0 && batch.bytes() <= KEPT_BYTES {
            BATCHES.with_borrow_mut(|spare| {
                if spare.len() < KEPT {
                    spare.push(batch);
                }
            });
        }
    }
}

/// What a change needs beside the row itself.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The clustered key.
    pub(crate) pk: Vec<u8>,
    /// See `merge::Change`.
    pub(crate) places: Vec<u16>,
    pub(crate) touched: Vec<usize>,
    pub(crate) draft: Draft,
}

/// A scratch on loan.
#[derive(Debug)]
pub(crate) struct Lent(Option<Scratch>);

impl Scratch {
    /// One with empty buffers.
    pub(crate) fn lend() -> Lent {
        let mut scratch = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        scratch.pk.clear();
        scratch.draft.clear();
        Lent(Some(scratch))
    }
}

impl Deref for Lent {
    type Target = Scratch;
    fn deref(&self) -> &Scratch {
        self.0.as_ref().expect("invariant: given back only when dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Scratch {
        self.0.as_mut().expect("invariant: given back only when dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(scratch) = self.0.take().filter(|s| s.draft.bytes() <= KEPT_BYTES) else { return };
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < KEPT {
                spare.push(scratch);
            }
        });
    }
}

/// Whole keys of secondary entries (own part, then the clustered key) in one arena.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    no: usize,
    start: usize,
    own_end: usize,
    end: usize,
    null: bool,
}

/// One of [`Keys`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryKey<'a> {
    /// The index within its table.
    pub(crate) no: usize,
    pub(crate) key: &'a [u8],
    /// Length of the index's own part.
    pub(crate) own: usize,
    /// Whether a part is NULL: then it is never a duplicate.
    pub(crate) null: bool,
}

impl Keys {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.items.capacity() * size_of::<Item>()
    }

    /// The arena, for the own part of a key that begins at its end now.
    pub(crate) fn begin(&mut self) -> (usize, &mut Vec<u8>) {
        (self.bytes.len(), &mut self.bytes)
    }

    /// The arena, and what was written since `start`.
    pub(crate) fn since(&self, start: usize) -> &[u8] {
        &self.bytes[start..]
    }

    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets what was written since `start`.
    pub(crate) fn cut(&mut self, start: usize) {
        self.bytes.truncate(start);
    }

    /// Completes the key begun at `start`.
    pub(crate) fn finish(&mut self, no: usize, start: usize, pk: &[u8], null: bool) {
        let own_end = self.bytes.len();
        self.bytes.extend_from_slice(pk);
        self.items.push(Item { no, start, own_end, end: self.bytes.len(), null });
    }

    /// Writes one key whole; `write` appends the own part and says whether it could, and whether a part is NULL.
    pub(crate) fn push(
        &mut self,
        no: usize,
        pk: &[u8],
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<bool>>,
    ) -> Result<bool> {
        let (start, bytes) = self.begin();
        let Some(null) = write(bytes)? else { return Ok(false) };
        self.finish(no, start, pk, null);
        Ok(true)
    }

    pub(crate) fn get(&self, i: usize) -> EntryKey<'_> {
        let Item { no, start, own_end, end, null } = self.items[i];
        EntryKey { no, key: &self.bytes[start..end], own: own_end - start, null }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = EntryKey<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }
}
