//! Rows of one table by a chosen access path: a point read, or one scan after another over the ranges.

use super::Run;
use crate::error::Result;
use crate::plan::access::Access;
use crate::plan::interval::Interval;
use engine::{Direction, Isolation, KeyRange, LockMode, RowBatch, RowRef, RowView, Scan};

/// Buffers that a session keeps between statements, so that a point read allocates nothing.
#[derive(Default)]
pub(crate) struct Scratch {
    batch: RowBatch,
    key: Vec<u8>,
}

/// A kept batch is at most so large: a parked session stays small.
const KEEP_BYTES: usize = 8 << 10;

/// A position in the rows of an access path.
pub(crate) struct Cursor {
    /// Ranges still to read, the next one last.
    ranges: Vec<Interval>,
    scan: Option<Scan>,
    batch: RowBatch,
    /// The current row in `batch`; rows before it are done.
    at: usize,
    started: bool,
    lock: LockMode,
    /// Rows asked for at a time, when few are wanted.
    batch_rows: Option<usize>,
}

impl Cursor {
    /// Reads `access` with `lock` on every row; `few`: so many rows are enough.
    pub(crate) async fn open(
        run: &mut Run<'_>,
        access: &Access,
        lock: LockMode,
        few: Option<u64>,
    ) -> Result<Cursor> {
        let mut cursor = Cursor::new(run, lock);
        cursor.reopen(run, access, few).await?;
        Ok(cursor)
    }

    /// A cursor over the one row that a plain read by the primary key finds, or none; `None`: it takes more than that. Its future is small.
    pub(crate) async fn open_point(
        run: &mut Run<'_>,
        access: &Access,
        lock: LockMode,
    ) -> Result<Option<Cursor>> {
        let plain = access.index == 0 && access.unique_point && !access.impossible;
        if !plain || lock != LockMode::None || run.txn.locks_reads() {
            return Ok(None);
        }
        let mut key = std::mem::take(&mut run.scratch.key);
        key.clear();
        let usable = access.point_key(&mut run.constant(), &mut key)?;
        let mut cursor = Cursor::new(run, lock);
        cursor.batch.clear();
        cursor.batch.set_columns(access.column_set.clone());
        if usable == Some(true) {
            let found = run.txn.get_unlocked(&access.table, &key, &mut cursor.batch).await?;
            run.examined += u64::from(found);
        }
        run.scratch.key = key;
        if usable.is_none() {
            cursor.close(run);
            return Ok(None);
        }
        Ok(Some(cursor))
    }

    /// A point read looks at the row: where the index has all that is asked for, a scan of the point need not.
    fn reads_point(&self, access: &Access) -> bool {
        let index_only = access.index != 0 && access.covering && self.lock == LockMode::None;
        access.unique_point && !index_only
    }

    /// Reads the row of a point; `None` when its conditions make no key.
    async fn read_point(&mut self, run: &mut Run<'_>, access: &Access) -> Result<Option<()>> {
        let mut key = std::mem::take(&mut run.scratch.key);
        key.clear();
        let usable = access.point_key(&mut run.constant(), &mut key)?;
        if usable == Some(true) {
            let found = run.txn.get(&access.table, access.index, &key, self.lock, &mut self.batch).await?;
            run.examined += u64::from(found);
        }
        run.scratch.key = key;
        Ok(usable.map(|_| ()))
    }

    fn new(run: &mut Run<'_>, lock: LockMode) -> Cursor {
        let batch = std::mem::take(&mut run.scratch.batch);
        Cursor { ranges: Vec::new(), scan: None, batch, at: 0, started: false, lock, batch_rows: None }
    }

    /// Moves to the next row of those at hand; false at their end.
    pub(crate) fn step(&mut self) -> bool {
        self.at += usize::from(self.started);
        self.started = true;
        self.at < self.batch.len()
    }

    /// Starts again, with the values that the access path's conditions have now.
    pub(crate) async fn reopen(
        &mut self,
        run: &mut Run<'_>,
        access: &Access,
        few: Option<u64>,
    ) -> Result<()> {
        self.batch.clear();
        self.batch.set_columns(access.column_set.clone());
        self.ranges.clear();
        self.scan = None;
        self.at = 0;
        self.started = false;
        self.batch_rows = few.filter(|n| *n < 64).map(|n| n.max(1) as usize);
        if access.impossible {
            return Ok(());
        }
        if self.reads_point(access) && self.read_point(run, access).await?.is_some() {
            return Ok(());
        }
        self.ranges = access.ranges(&mut run.constant())?;
        if !access.backward {
            self.ranges.reverse();
        }
        Ok(())
    }

    /// Moves to the next row; false at the end.
    pub(crate) async fn next(&mut self, run: &mut Run<'_>, access: &Access) -> Result<bool> {
        let mut there = self.step();
        while !there {
            if self.scan.is_none() {
                let Some(range) = self.ranges.pop() else { return Ok(false) };
                self.scan = Some(self.start(run, access, range)?);
            }
            self.batch.clear();
            self.at = 0;
            let scan = self.scan.as_mut().expect("invariant: set above");
            let found = scan.next(run.txn, &mut self.batch).await?;
            run.examined += found as u64;
            if found == 0 {
                self.scan = None;
            }
            there = found > 0;
        }
        run.tick().await?;
        Ok(true)
    }

    fn start(&self, run: &mut Run<'_>, access: &Access, range: Interval) -> Result<Scan> {
        let range = KeyRange { lower: range.lower, upper: range.upper };
        let direction = if access.backward { Direction::Backward } else { Direction::Forward };
        let columns = access.column_set.clone();
        let mut scan = run.txn.scan(&access.table, access.index, &range, direction, self.lock, columns);
        // Rows that turn out not to match are unlocked before the next one is waited for.
        let gives_back = access.filter.is_some() && self.unlocks(run);
        if let Some(rows) = if gives_back { Some(1) } else { self.batch_rows } {
            scan.batch_rows(rows);
        }
        Ok(scan)
    }

    /// The row that [`Cursor::next`] moved to.
    pub(crate) fn row(&self) -> RowView<'_> {
        self.batch.row(self.at)
    }

    fn unlocks(&self, run: &Run<'_>) -> bool {
        self.lock != LockMode::None && run.txn.isolation() == Isolation::ReadCommitted
    }

    /// The row does not match: READ COMMITTED does not keep it locked.
    pub(crate) fn reject(&self, run: &mut Run<'_>, access: &Access) {
        if self.unlocks(run) {
            run.txn.unlock_row(&access.table, self.row());
        }
    }

    /// Gives the buffers back to the session.
    pub(crate) fn close(mut self, run: &mut Run<'_>) {
        if self.batch.bytes() <= KEEP_BYTES {
            self.batch.clear();
            run.scratch.batch = self.batch;
        }
    }

    /// The same, to keep.
    pub(crate) fn row_ref(&self) -> RowRef {
        self.batch.row_ref(self.at)
    }
}
