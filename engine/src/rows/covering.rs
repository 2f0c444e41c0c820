//! Reads answered by a secondary index alone.
//!
//! An entry says which key the newest version of a row has, not who may see it. But its leaf keeps the highest TxId that wrote there: when
//! that lies below the horizon, everybody sees all of the leaf, marked entries are nobody's, and the row need not be asked. Else it is.
//!
//! Invariants:
//! 1. The horizon is read after the entries were copied, and the view was opened before. So whoever wrote on the leaf up to the copy and is
//!    below the horizon was committed (or restored) for this view when the leaf was copied.
//! 2. Columns come from the key bytes: only those whose key gives the value back, of the index and of the clustered key.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{self, Put};
use crate::rows::batch::{ColumnSet, RowBatch, blank_header};
use std::sync::Arc;
use values::types::TypeKind;
use values::{KeyPart, Value};

/// Whether a key part gives its value back exactly: a negative zero is another value than the zero its key says.
fn exact(part: &KeyPart) -> bool {
    part.is_rebuildable() && !matches!(part.ty.kind, TypeKind::Float | TypeKind::Double)
}

impl TableDef {
    /// Whether a secondary index has all these columns in its keys (the clustered key's are among them) in a form that gives their values
    /// back. What [`crate::Txn::scan`] reads without a lock then comes from the index alone wherever nobody has written lately.
    #[must_use]
    pub fn index_covers(&self, index_no: usize, columns: &ColumnSet) -> bool {
        let has = |column: usize| {
            [index_no, 0].iter().any(|no| {
                let parts = self.indexes[*no].parts.iter().zip(&self.runtime.keys[*no]);
                parts.into_iter().any(|(part, key)| part.column == column && exact(key))
            })
        };
        let all = (0..self.columns.len()).filter(|c| columns.has(*c)).all(has);
        // Runtime keys are there for every index of a definition that can be read; a hidden key has no columns.
        index_no > 0 && index_no < self.indexes.len() && all
    }
}

/// How to make rows of an index's entries.
#[derive(Debug)]
pub(crate) struct Cover {
    values: Vec<Value>,
    row: Vec<u8>,
}

impl Cover {
    /// For a scan of an index; `None` when it does not cover the columns.
    pub(crate) fn of(table: &TableDef, index_no: usize, columns: &ColumnSet) -> Option<Cover> {
        table
            .index_covers(index_no, columns)
            .then(|| Cover { values: vec![Value::Null; table.columns.len()], row: Vec::new() })
    }

    /// Appends the row behind an entry as far as its key tells it.
    pub(crate) fn push(
        &mut self,
        table: &Arc<TableDef>,
        index_no: usize,
        (key, own): (&[u8], usize),
        batch: &mut RowBatch,
    ) -> Result<()> {
        let (mine, pk) = key.split_at_checked(own).ok_or_else(|| bad(table, index_no))?;
        self.take(table, index_no, mine)?;
        self.take(table, 0, pk)?;
        let (layout, values) = (&table.runtime.layout, &self.values);
        self.row.clear();
        let put = |i: usize| Put::Value(&values[i]);
        row::encode(layout, |i| &table.columns[i].ty, blank_header(table), (put, None), false, &mut self.row);
        batch.push(pk, &self.row);
        Ok(())
    }

    fn take(&mut self, table: &TableDef, no: usize, mut key: &[u8]) -> Result<()> {
        for (part, how) in table.indexes[no].parts.iter().zip(&table.runtime.keys[no]) {
            let len = if exact(how) {
                let (value, len) = values::key::decode_key(key, how).map_err(|_| bad(table, no))?;
                self.values[part.column] = value;
                len
            } else {
                values::key::part_len(key, how).map_err(|_| bad(table, no))?
            };
            key = &key[len..];
        }
        Ok(())
    }
}

fn bad(table: &TableDef, no: usize) -> EngineError {
    EngineError::corrupt(table.indexes[no].root, "a secondary entry's key is not of its index")
}
