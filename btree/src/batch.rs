//! Entries copied out of leaves into one arena.

/// Entries of a scan, in scan order; reuse it, its memory stays.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    arena: Vec<u8>,
    items: Vec<Item>,
    hint: u64,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    key: usize,
    value: usize,
    end: usize,
}

impl Batch {
    /// Forgets all entries, keeping the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.items.clear();
        self.hint = 0;
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.capacity() + self.items.capacity() * size_of::<Item>()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The key of entry `index`.
    #[must_use]
    pub fn key(&self, index: usize) -> &[u8] {
        let item = self.items[index];
        &self.arena[item.key..item.value]
    }

    /// The value of entry `index`.
    #[must_use]
    pub fn value(&self, index: usize) -> &[u8] {
        let item = self.items[index];
        &self.arena[item.value..item.end]
    }

    /// Keys and values in scan order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        (0..self.len()).map(|index| (self.key(index), self.value(index)))
    }

    /// The highest engine hint of the leaves these entries came from.
    #[must_use]
    pub fn hint(&self) -> u64 {
        self.hint
    }

    pub(crate) fn raise_hint(&mut self, hint: u64) {
        self.hint = self.hint.max(hint);
    }

    /// Adds an entry whose key `push` appends.
    pub(crate) fn push(&mut self, push: impl FnOnce(&mut Vec<u8>), value: &[u8]) {
        let key = self.arena.len();
        push(&mut self.arena);
        let start = self.arena.len();
        self.arena.extend_from_slice(value);
        self.items.push(Item { key, value: start, end: self.arena.len() });
    }

    /// The keys of the first and the last of the newest `count` entries.
    pub(crate) fn ends(&self, count: usize) -> Option<(&[u8], &[u8])> {
        (count > 0).then(|| (self.key(self.len() - count), self.key(self.len() - 1)))
    }

    /// Takes the last entry back.
    pub(crate) fn pop(&mut self) {
        if let Some(item) = self.items.pop() {
            self.arena.truncate(item.key);
        }
    }
}
