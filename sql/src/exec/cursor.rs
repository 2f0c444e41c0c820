//! Rows of one table by a chosen access path: a point read, or one scan after another over the ranges.

use super::Run;
use crate::error::Result;
use crate::plan::access::Access;
use crate::plan::interval::Interval;
use engine::{Direction, KeyRange, LockMode, RowBatch, RowRef, RowView, Scan};

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
        let mut cursor = Cursor {
            ranges: Vec::new(),
            scan: None,
            batch: std::mem::take(&mut run.scratch.batch),
            at: 0,
            started: false,
            lock,
            batch_rows: None,
        };
        cursor.reopen(run, access, few).await?;
        Ok(cursor)
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
        if access.unique_point {
            let mut key = std::mem::take(&mut run.scratch.key);
            key.clear();
            let usable = access.point_key(&mut run.constant(), &mut key)?;
            match usable {
                Some(false) => return Ok(()),
                Some(true) => {
                    let found =
                        run.txn.get(&access.table, access.index, &key, self.lock, &mut self.batch).await?;
                    run.examined += u64::from(found);
                    run.scratch.key = key;
                    return Ok(());
                }
                None => {}
            }
        }
        self.ranges = access.ranges(&mut run.constant())?;
        if !access.backward {
            self.ranges.reverse();
        }
        Ok(())
    }

    /// Moves to the next row; false at the end.
    pub(crate) async fn next(&mut self, run: &mut Run<'_>, access: &Access) -> Result<bool> {
        if self.started {
            self.at += 1;
        }
        self.started = true;
        while self.at >= self.batch.len() {
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
        }
        run.tick().await?;
        Ok(true)
    }

    fn start(&self, run: &mut Run<'_>, access: &Access, range: Interval) -> Result<Scan> {
        let range = KeyRange { lower: range.lower, upper: range.upper };
        let direction = if access.backward { Direction::Backward } else { Direction::Forward };
        let columns = access.column_set.clone();
        let mut scan = run.txn.scan(&access.table, access.index, &range, direction, self.lock, columns);
        if let Some(rows) = self.batch_rows {
            scan.batch_rows(rows);
        }
        Ok(scan)
    }

    /// The row that [`Cursor::next`] moved to.
    pub(crate) fn row(&self) -> RowView<'_> {
        self.batch.row(self.at)
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
