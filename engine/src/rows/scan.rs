//! Range reads: entries are copied out of a leaf under its latch, then judged one by one.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::format::TxId;
use crate::format::secondary::Entry;
use crate::lock::{KeyBytes, LockMode, Owner};
use crate::rows::batch::{ColumnSet, RowBatch};
use crate::rows::covering::Cover;
use crate::rows::scratch::Entries;
use crate::rows::seen::{self, Look};
use crate::sync::yield_now;
use crate::txn::Txn;
use btree::{Covered, Cursor, Direction};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
pub(crate) fn successor(prefix: &[u8]) -> Option<KeyBytes> {
    let last = prefix.iter().rposition(|b| *b != 0xFF)?;
    let mut next = KeyBytes::from_slice(&prefix[..=last]);
    next[last] += 1;
    Some(next)
}

fn included(bound: &Bound<Vec<u8>>) -> Option<KeyBytes> {
    match bound {
        Bound::Included(key) => Some(KeyBytes::from_slice(key)),
        _ => None,
    }
}

/// Keeps inserts out of what a locking scan has seen, up to the records beside its range, as InnoDB does. Beyond a row of the clustered
/// index whose key is the bound itself nothing can come that the scan would have to see.
fn keep_gap(
    engine: &Engine,
    owner: &Arc<Owner>,
    tree: u64,
    exact: &(Option<KeyBytes>, Option<KeyBytes>),
    seen: Covered<'_>,
) {
    let (mut from, mut to) = (seen.from, seen.to);
    let mut behind = KeyBytes::new();
    if let Some((first, last)) = seen.ends {
        if exact.0.as_deref() == Some(first) {
            from = first;
        }
        if exact.1.as_deref() == Some(last) {
            behind.extend_from_slice(last);
            behind.push(0);
            to = Some(&behind);
        }
    }
    engine.locks.gaps.add(owner, tree, from, to);
}

/// A scan under way.
pub struct Scan {
    table: Arc<TableDef>,
    index_no: usize,
    cursor: Option<Cursor>,
    entries: Entries,
    at: usize,
    lock: LockMode,
    columns: ColumnSet,
    /// How rows are made of entries, when the index has all that is asked for; and whether the entries at hand allow it.
    cover: Option<Cover>,
    covered: bool,
    batch_rows: usize,
    wanted: usize,
    refills: u32,
    /// Bounds that are whole keys of the clustered index, if a row has them: gaps beyond such a row are left alone.
    exact: (Option<KeyBytes>, Option<KeyBytes>),
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
        let as_bound = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|key| KeyBytes::from_slice(key));
        let lower = match &range.lower {
            Bound::Excluded(key) => successor(key).map(Bound::Included),
            other => Some(as_bound(other)),
        };
        let upper = match &range.upper {
            Bound::Included(key) => successor(key).map_or(Bound::Unbounded, Bound::Excluded),
            other => as_bound(other),
        };
        let cursor = lower.map(|lower| {
            let (lower, upper) = (lower.as_ref().map(|k| k.as_slice()), upper.as_ref().map(|k| k.as_slice()));
            table.runtime.trees[index_no].cursor(lower, upper, direction)
        });
        Scan {
            table: Arc::clone(table),
            index_no,
            cursor,
            entries: Entries::lend(),
            at: 0,
            lock: self.effective(lock),
            cover: match self.effective(lock) {
                LockMode::None => Cover::of(table, index_no, &columns),
                _ => None,
            },
            covered: false,
            columns,
            batch_rows: BATCH_ROWS,
            wanted: FIRST_ENTRIES,
            refills: 0,
            exact: match direction {
                Direction::Forward if index_no == 0 && lock != LockMode::None => {
                    (included(&range.lower), included(&range.upper))
                }
                _ => (None, None),
            },
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
        batch.need(&self.columns);
        if !txn.holds(&self.table, self.lock.metadata())? {
            Box::pin(txn.hold(&self.table, self.lock.metadata())).await?;
        }
        let done = self.fill(txn, batch).await;
        if self.lock == LockMode::None { txn.still_seen(done) } else { done }
    }

    async fn fill(&mut self, txn: &mut Txn, batch: &mut RowBatch) -> Result<usize> {
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
        let more = if self.lock != LockMode::None && txn.locks_gaps() {
            let (engine, owner) = (Arc::clone(&txn.engine), txn.owner());
            let (tree, exact) = (self.table.runtime.trees[self.index_no].id(), &self.exact);
            let keep = |c: Covered<'_>| keep_gap(&engine, &owner, tree, exact, c);
            cursor.next_batch_with(&mut self.entries, self.wanted, keep).await?
        } else {
            cursor.next_batch(&mut self.entries, self.wanted).await?
        };
        if self.index_no > 0 {
            let engine = &txn.engine;
            self.covered = self.cover.is_some() && TxId(self.entries.hint()) < engine.registry.horizon();
            let count = if self.covered { &engine.counts.index_only } else { &engine.counts.row_lookups };
            count.fetch_add(self.entries.len() as u64, Ordering::Relaxed);
        }
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
            let entry = Entry::decode(value)?;
            let own = usize::from(entry.own_bytes).min(key.len());
            if let (true, Some(cover)) = (self.covered, &mut self.cover) {
                // A marked entry below the horizon is nobody's: purge has not come by yet.
                return match entry.marked_by {
                    None => cover.push(&self.table, self.index_no, (key, own), batch),
                    Some(_) => Ok(()),
                };
            }
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
        assert_eq!(successor(b"ab").as_deref(), Some(&b"ac"[..]));
        assert_eq!(successor(&[1, 0xFF, 0xFF]).as_deref(), Some(&[2][..]));
        assert_eq!(successor(&[0xFF]), None);
        assert_eq!(successor(&[]), None);
    }
}
