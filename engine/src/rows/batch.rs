//! Rows on their way to `sql`: copied once into an arena, decoded column by column when asked.

use crate::dictionary::TableDef;
use crate::engine::Engine;
use crate::error::Result;
use crate::format::row::{self, Cell, Parts, Put, RowHeader};
use crate::format::{TxId, UndoPtr};
use crate::rows::chains;
use std::sync::Arc;
use values::Value;

/// Columns a read needs. Long values of other columns are not fetched, and must not be asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ColumnSet {
    /// Every column.
    #[default]
    All,
    /// These columns, as bits: column `i` is bit `i % 64` of word `i / 64`.
    Some(Vec<u64>),
}

impl ColumnSet {
    /// The columns given.
    #[must_use]
    pub fn of(columns: impl IntoIterator<Item = usize>) -> ColumnSet {
        let mut words = Vec::new();
        for c in columns {
            if words.len() <= c / 64 {
                words.resize(c / 64 + 1, 0);
            }
            words[c / 64] |= 1 << (c % 64);
        }
        ColumnSet::Some(words)
    }

    /// Whether a column is needed.
    #[must_use]
    pub fn has(&self, column: usize) -> bool {
        match self {
            ColumnSet::All => true,
            ColumnSet::Some(words) => words.get(column / 64).is_some_and(|w| w >> (column % 64) & 1 == 1),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Meta {
    start: usize,
    key_end: usize,
    end: usize,
    lock: RowLock,
}

/// What a locking read did about the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RowLock {
    /// It was locked before, or nothing was asked for.
    #[default]
    Before,
    /// This read took the lock: READ COMMITTED may give it back (`Txn::unlock_row`).
    Fresh,
    /// Another transaction has it, and this is the last committed version: a semi-consistent read. If it matches, lock it
    /// (`Txn::lock_row`) and look again.
    Missing,
}

/// Rows of one table, in the order found. Reuse it: cleared, it keeps its memory.
#[derive(Debug, Default)]
pub struct RowBatch {
    table: Option<Arc<TableDef>>,
    columns: ColumnSet,
    bytes: Vec<u8>,
    rows: Vec<Meta>,
}

/// One row of a batch (or a [`RowRef`]).
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    table: &'a Arc<TableDef>,
    key: &'a [u8],
    row: &'a [u8],
    lock: RowLock,
}

/// A row kept beyond its batch: what `update` and `delete` take.
#[derive(Clone, Debug)]
pub struct RowRef {
    table: Arc<TableDef>,
    key: Box<[u8]>,
    row: Box<[u8]>,
}

impl RowRef {
    pub(crate) fn of(table: &Arc<TableDef>, key: &[u8], row: Vec<u8>) -> RowRef {
        RowRef { table: Arc::clone(table), key: key.into(), row: row.into() }
    }
}

impl RowBatch {
    /// An empty batch for every column.
    #[must_use]
    pub fn new() -> RowBatch {
        RowBatch::default()
    }

    /// Says which columns the next rows are read for.
    pub fn set_columns(&mut self, columns: ColumnSet) {
        self.columns = columns;
    }

    pub(crate) fn need(&mut self, columns: &ColumnSet) {
        if self.columns != *columns {
            self.columns.clone_from(columns);
        }
    }

    /// Forgets the rows.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.capacity() + self.rows.capacity() * size_of::<Meta>()
    }

    /// A row.
    ///
    /// # Panics
    /// Past the end.
    #[must_use]
    pub fn row(&self, i: usize) -> RowView<'_> {
        let Meta { start, key_end, end, lock } = self.rows[i];
        let table = self.table.as_ref().expect("invariant: a batch with rows has their table");
        RowView { table, key: &self.bytes[start..key_end], row: &self.bytes[key_end..end], lock }
    }

    /// A row to keep.
    ///
    /// # Panics
    /// Past the end.
    #[must_use]
    pub fn row_ref(&self, i: usize) -> RowRef {
        self.row(i).to_ref()
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = RowView<'_>> {
        (0..self.len()).map(|i| self.row(i))
    }

    pub(crate) fn start(&mut self, table: &Arc<TableDef>) {
        let same = self.table.as_ref().is_some_and(|t| Arc::ptr_eq(t, table));
        if !same {
            assert!(self.rows.is_empty(), "a row batch holds rows of one table: clear it first");
            self.table = Some(Arc::clone(table));
        }
    }

    /// Appends a row; long values stay references.
    pub(crate) fn push(&mut self, key: &[u8], row: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(row);
        self.rows.push(Meta { start, key_end, end: self.bytes.len(), lock: RowLock::Before });
    }

    /// Says what was done about the last row's lock.
    pub(crate) fn set_lock(&mut self, lock: RowLock) {
        if let Some(last) = self.rows.last_mut() {
            last.lock = lock;
        }
    }

    /// Forgets the rows from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(meta) = self.rows.get(len) {
            self.bytes.truncate(meta.start);
            self.rows.truncate(len);
        }
    }

    /// The last row's bytes.
    pub(crate) fn last_row(&self) -> &[u8] {
        self.rows.last().map_or(&[], |meta| &self.bytes[meta.key_end..meta.end])
    }

    /// Whether the last row has long values that are needed and not here yet.
    pub(crate) fn last_needs_chains(&self) -> bool {
        let Some(meta) = self.rows.last() else { return false };
        row::has_external(&self.bytes[meta.key_end..meta.end])
    }

    /// Fetches the long values of the last row.
    pub(crate) async fn fetch_chains(&mut self, engine: &Engine) -> Result<()> {
        let (Some(meta), Some(table)) = (self.rows.last().copied(), self.table.clone()) else {
            return Ok(());
        };
        let mut whole = self.bytes[meta.key_end..meta.end].to_vec();
        let columns = self.columns.clone();
        inline(engine, &table, &mut whole, |c| columns.has(c)).await?;
        self.bytes.truncate(meta.key_end);
        self.bytes.extend_from_slice(&whole);
        if let Some(last) = self.rows.last_mut() {
            last.end = self.bytes.len();
        }
        Ok(())
    }
}

/// Puts the long values of the wanted columns into a row, which becomes wide.
pub(crate) async fn inline(
    engine: &Engine,
    table: &Arc<TableDef>,
    whole: &mut Vec<u8>,
    wanted: impl Fn(usize) -> bool,
) -> Result<()> {
    if !row::has_external(whole) {
        return Ok(());
    }
    let layout = &table.runtime.layout;
    let mut long: Vec<(usize, Vec<u8>)> = Vec::new();
    for column in 0..table.columns.len() {
        let reference = match Parts::of(layout, whole)?.cell(column)? {
            Cell::External(r) if wanted(column) => <[u8; 16]>::try_from(r).ok(),
            _ => None,
        };
        if let Some(reference) = reference {
            long.push((column, chains::read(engine, reference).await?));
        }
    }
    if long.is_empty() {
        return Ok(());
    }
    let mut out = Vec::with_capacity(whole.len() + long.iter().map(|(_, b)| b.len()).sum::<usize>() + 64);
    let parts = Parts::of(layout, whole)?;
    let mut cells = Vec::with_capacity(table.columns.len());
    for column in 0..table.columns.len() {
        let found = long.iter().find(|(c, _)| *c == column);
        cells.push(match found {
            Some((_, bytes)) => Cell::Inline(bytes),
            None => parts.cell(column)?,
        });
    }
    let put = |i: usize| Put::Cell(cells[i]);
    let header = RowHeader { schema_version: table.version, ..row::header(whole)? };
    row::encode(layout, |i| &table.columns[i].ty, header, (put, Some(&parts)), true, &mut out);
    *whole = out;
    Ok(())
}

impl<'a> RowView<'a> {
    /// The table.
    #[must_use]
    pub fn table(&self) -> &'a Arc<TableDef> {
        self.table
    }

    /// What the locking read that gave this row did about its lock.
    #[must_use]
    pub fn lock(&self) -> RowLock {
        self.lock
    }

    /// A column's cell bytes, `None` for NULL.
    ///
    /// # Panics
    /// When the column was not among those the batch was read for and its value is long.
    #[must_use]
    pub fn raw(&self, column: usize) -> Option<&'a [u8]> {
        let cell = Parts::of(&self.table.runtime.layout, self.row).and_then(|p| p.cell(column));
        match cell.expect("invariant: rows in a batch were checked when they were read") {
            Cell::Null => None,
            Cell::Inline(bytes) => Some(bytes),
            Cell::External(_) => panic!("column {column} is long and was not asked for"),
        }
    }

    /// A column's value.
    ///
    /// # Panics
    /// As [`RowView::raw`].
    #[must_use]
    pub fn value(&self, column: usize) -> Value {
        match self.raw(column) {
            None => Value::Null,
            Some(bytes) => values::decode_cell(bytes, &self.table.columns[column].ty)
                .expect("invariant: cells are written by encode_cell"),
        }
    }

    /// All values, in order.
    #[must_use]
    pub fn to_values(&self) -> Vec<Value> {
        (0..self.table.columns.len()).map(|c| self.value(c)).collect()
    }

    pub(crate) fn key(&self) -> &'a [u8] {
        self.key
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.row
    }

    /// A copy to keep.
    #[must_use]
    pub fn to_ref(&self) -> RowRef {
        RowRef { table: Arc::clone(self.table), key: self.key.into(), row: self.row.into() }
    }
}

impl RowRef {
    /// The row as it was read.
    #[must_use]
    pub fn view(&self) -> RowView<'_> {
        RowView { table: &self.table, key: &self.key, row: &self.row, lock: RowLock::Before }
    }

    /// The clustered key's bytes: what tells the row from all others of its table.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<RowRef>() + self.key.len() + self.row.len()
    }
}

/// The header of a row that is still being made.
pub(crate) fn blank_header(table: &TableDef) -> RowHeader {
    RowHeader { deleted: false, schema_version: table.version, txid: TxId::NONE, undo: UndoPtr::NONE }
}
