//! Range reads: entries are copied out of a leaf under its latch, then judged one by one.

use crate::dictionary::TableDef;
use crate::error::Result;
use crate::format::secondary::Entry;
use crate::lock::LockMode;
use crate::rows::batch::{ColumnSet, RowBatch};
use crate::rows::seen::{self, Look};
use crate::sync::yield_now;
use crate::txn::Txn;
use btree::{Batch, Cursor, Direction};
use std::ops::Bound;
use std::sync::Arc;

/// How many rows a batch gets unless told otherwise.
const BATCH_ROWS: usize = 128;
/// Entries copied at once: the first leaf of a short scan should not cost more than it must.
const FIRST_ENTRIES: usize = 32;

/// A range of an index, over encoded key bytes, in key order (for a descending part the larger value is lower).
///
/// A bound may be a prefix of the index's parts: `Included` takes every key that starts with it, `Excluded` none of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// Where it begins.
    pub lower: Bound<Vec<u8>>,
    /// Where it ends.
    pub upper: Bound<Vec<u8>>,
}

impl KeyRange {
    /// The whole index.
    #[must_use]
    pub fn all() -> KeyRange {
        KeyRange { lower: Bound::Unbounded, upper: Bound::Unbounded }
    }

    /// Every key that starts with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>) -> KeyRange {
        KeyRange { lower: Bound::Included(prefix.clone()), upper: Bound::Included(prefix) }
    }
}

/// The smallest key above all that start with `prefix`; `None` when there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// A scan under way.
pub struct Scan {
    table: Arc<TableDef>,
    index_no: usize,
    cursor: Option<Cursor>,
    entries: Batch,
    at: usize,
    lock: LockMode,
    columns: ColumnSet,
    batch_rows: usize,
    wanted: usize,
    refills: u32,
}

impl Txn {
    /// A scan of an index. Nothing is read before [`Scan::next`].
    pub fn scan(
        &mut self,
        table: &Arc<TableDef>,
        index_no: usize,
        range: &KeyRange,
        direction: Direction,
        lock: LockMode,
        columns: ColumnSet,
    ) -> Scan {
        let below = |key: &Vec<u8>| successor(key).map(Bound::Excluded);
        let lower = match &range.lower {
            Bound::Excluded(key) => successor(key).map(Bound::Included),
            other => Some(other.clone()),
        };
        let upper = match &range.upper {
            Bound::Included(key) => below(key).unwrap_or(Bound::Unbounded),
            other => other.clone(),
        };
        let cursor = lower.map(|lower| {
            let (lower, upper) = (lower.as_ref().map(Vec::as_slice), upper.as_ref().map(Vec::as_slice));
            table.runtime.trees[index_no].cursor(lower, upper, direction)
        });
        Scan {
            table: Arc::clone(table),
            index_no,
            cursor,
            entries: Batch::default(),
            at: 0,
            lock: self.effective(lock),
            columns,
            batch_rows: BATCH_ROWS,
            wanted: FIRST_ENTRIES,
            refills: 0,
        }
    }
}

impl Scan {
    /// How many rows [`Scan::next`] appends at most: a LIMIT sets it low.
    pub fn batch_rows(&mut self, rows: usize) {
        self.batch_rows = rows.max(1);
        self.wanted = self.wanted.min(self.batch_rows);
    }

    /// Appends the next rows to `batch`; 0 means the end.
    ///
    /// # Errors
    /// As the waits and the log give them, and KILL.
    pub async fn next(&mut self, txn: &mut Txn, batch: &mut RowBatch) -> Result<usize> {
        batch.start(&self.table);
        batch.set_columns(self.columns.clone());
        if self.lock != LockMode::None {
            txn.begin_lock(&self.table).await?;
        }
        let start = batch.len();
        while batch.len() - start < self.batch_rows {
            if self.at == self.entries.len() {
                if !self.refill(txn).await? {
                    break;
                }
                continue;
            }
            self.take(txn, batch).await?;
            self.at += 1;
        }
        Ok(batch.len() - start)
    }

    /// Copies the next entries; false at the end.
    async fn refill(&mut self, txn: &mut Txn) -> Result<bool> {
        txn.check_killed()?;
        self.refills += 1;
        if self.refills.is_multiple_of(4) {
            yield_now().await;
        }
        // The view is open before anything is copied.
        txn.check_index(&self.table, self.index_no, self.lock)?;
        self.entries.clear();
        self.at = 0;
        let Some(cursor) = &mut self.cursor else { return Ok(false) };
        let more = cursor.next_batch(&mut self.entries, self.wanted).await?;
        self.wanted = (self.wanted * 2).min(self.batch_rows.max(FIRST_ENTRIES));
        if !more {
            self.cursor = None;
        }
        Ok(more || !self.entries.is_empty())
    }

    /// Judges one entry.
    async fn take(&mut self, txn: &mut Txn, batch: &mut RowBatch) -> Result<()> {
        let (key, value) = (self.entries.key(self.at), self.entries.value(self.at));
        if self.index_no > 0 {
            let own = usize::from(Entry::decode(value)?.own_bytes).min(key.len());
            txn.read_by_entry(&self.table, self.index_no, key, own, self.lock, batch).await?;
            return Ok(());
        }
        if self.lock != LockMode::None {
            txn.read_row(&self.table, key, self.lock, batch).await?;
            return Ok(());
        }
        let eyes = txn.eyes();
        match seen::look(&txn.engine, eyes, value)? {
            Look::Here => batch.push(key, value),
            Look::Gone => return Ok(()),
            Look::Below => match txn.read_below(eyes, key, value.to_vec(), batch).await? {
                Some(true) => {}
                Some(false) => return Ok(()),
                None => {
                    txn.read_row(&self.table, key, self.lock, batch).await?;
                    return Ok(());
                }
            },
        }
        if batch.last_needs_chains() {
            batch.fetch_chains(&txn.engine).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_above_every_key_with_the_prefix() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(&[1, 0xFF, 0xFF]), Some(vec![2]));
        assert_eq!(successor(&[0xFF]), None);
        assert_eq!(successor(&[]), None);
    }
}
