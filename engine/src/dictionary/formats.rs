//! Which columns the rows of a table store: those of today, and those of older row formats.
//!
//! INSTANT DDL writes no row. Each one that adds columns begins a new *row format* (`TableDef::version`, stamped in every row): the stored
//! columns of a format are a prefix of those of the next, so a stored column keeps its position until the table's rows are written anew.
//!
//! ```text
//!   stored   0: id   1: a   2: b (dropped)   3: c (added, absent = 7)
//!   format 1 ├────────────────────────┤                                  rows of format 1 have 0..3, c reads as 7
//!   format 2 ├──────────────────────────────────────────────┤            rows of format 2 have 0..4, b is NULL in new ones
//!   shown    id, c, a                                                    in what order: `TableDef::columns`
//! ```
//!
//! Invariants:
//! 1. Empty lists mean what most tables are: every column is stored, in the order shown, in rows of one format.
//! 2. Each column of `TableDef::columns` is `shown` by one stored column of its type.

use crate::dictionary::schema::{ColumnDef, TableDef};
use crate::format::row::Layout;
use bytes::Bytes;
use values::{ColumnType, Value};

/// A table has so many row formats at most before its rows have to be written anew, as in MySQL.
const MOST_FORMATS: usize = 255;
/// So many stored columns, the hidden ones counted, as in MySQL.
const MOST_COLUMNS: usize = 1017;

impl TableDef {
    /// Whether so many columns may be added without writing the rows anew.
    #[must_use]
    pub fn may_add_instantly(&self, columns: usize) -> bool {
        let stored = self.formats.stored.len().max(self.columns.len());
        columns == 0
            || self.formats.versions.len() < MOST_FORMATS
                && stored + columns <= MOST_COLUMNS
                && self.version < u16::MAX
    }
}

/// The row formats of a table since its rows were written last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RowFormats {
    /// Format versions in order: from this version on rows have so many stored columns.
    pub(crate) versions: Vec<(u16, u32)>,
    /// What is stored, in order.
    pub(crate) stored: Vec<StoredColumn>,
}

/// A column as rows store it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredColumn {
    /// Its type.
    pub(crate) ty: ColumnType,
    /// Where it stands in `TableDef::columns`; `None`: dropped.
    pub(crate) shown: Option<usize>,
    /// Its cell in rows of formats that lack it; `None`: NULL.
    pub(crate) absent: Option<Bytes>,
}

impl RowFormats {
    /// Where the columns lie in rows.
    pub(crate) fn layout(&self, columns: &[ColumnDef]) -> Layout {
        if self.stored.is_empty() {
            return Layout::new(columns.iter().map(|c| c.ty));
        }
        let stored = self.stored.iter().map(|s| (s.ty, s.shown, s.absent.clone()));
        Layout::of(stored, self.versions.iter().copied())
    }

    /// The formats after columns were added, dropped or moved: column `i` of `columns` was the one at `from[i]`, or is new and absent from older
    /// rows as `absent[i]`.
    pub(crate) fn after(
        &self,
        old: &TableDef,
        columns: &[ColumnDef],
        from: &[Option<usize>],
        absent: &[Value],
    ) -> RowFormats {
        let mut next = self.clone();
        if next.stored.is_empty() {
            let plain = |(i, c): (usize, &ColumnDef)| StoredColumn { ty: c.ty, shown: Some(i), absent: None };
            next.stored = old.columns.iter().enumerate().map(plain).collect();
            next.versions = vec![(0, next.stored.len() as u32)];
        }
        for stored in &mut next.stored {
            stored.shown = stored.shown.and_then(|was| from.iter().position(|f| *f == Some(was)));
        }
        let before = next.stored.len();
        for (i, column) in columns.iter().enumerate().filter(|(i, _)| from[*i].is_none()) {
            let cell = (!absent[i].is_null()).then(|| {
                let mut cell = Vec::new();
                values::encode_cell(&absent[i], &column.ty, &mut cell);
                Bytes::from(cell)
            });
            next.stored.push(StoredColumn { ty: column.ty, shown: Some(i), absent: cell });
        }
        if next.stored.len() > before {
            next.versions.push((old.version + 1, next.stored.len() as u32));
        }
        next
    }

    /// Whether what was read fits the columns of a table: invariants 1 and 2.
    pub(crate) fn fits(&self, types: &[ColumnType]) -> bool {
        if self.versions.is_empty() && self.stored.is_empty() {
            return true;
        }
        let rising = self.versions.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1);
        let last = self.versions.last().is_some_and(|(_, columns)| *columns as usize == self.stored.len());
        let shown = |i: usize| {
            let mut by = self.stored.iter().filter(|s| s.shown == Some(i));
            by.next().is_some_and(|s| s.ty == types[i]) && by.next().is_none()
        };
        let known = self.stored.iter().all(|s| s.shown.is_none_or(|i| i < types.len()));
        rising && last && known && (0..types.len()).all(shown)
    }
}
