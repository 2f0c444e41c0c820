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

use bytes::Bytes;
use values::ColumnType;

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
