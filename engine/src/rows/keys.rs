//! Keys of a table's indexes, from values and from rows.
//!
//! ```text
//!   clustered:  key parts                          hidden:  row id, 8 bytes big-endian
//!   secondary:  key parts | clustered key
//! ```

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{Cell, Parts};
use values::{KeyPart, Value};

/// A whole key is not longer (clustered key included).
pub(crate) const MAX_KEY_BYTES: usize = 3600;
/// MySQL's limit on an index's own part.
pub const MAX_INDEX_KEY_BYTES: usize = 3072;

/// Appends the key bytes of `values` (as many as are given, at most all parts) for an index.
///
/// The values must be of the columns' types (`values::convert::store`), NULL for nullable columns only.
pub fn encode_index_key(table: &TableDef, index_no: usize, values: &[Value], out: &mut Vec<u8>) {
    for (value, part) in values.iter().zip(&table.runtime.keys[index_no]) {
        values::encode_key(value, part, out);
    }
}

/// The key parts of an index as `values` encodes them.
#[must_use]
pub fn index_key_parts(table: &TableDef, index_no: usize) -> &[KeyPart] {
    &table.runtime.keys[index_no]
}

/// Appends an index's own key parts of a row given by values.
pub(crate) fn of_values(table: &TableDef, index_no: usize, row: &[Value], out: &mut Vec<u8>) {
    for (part, key) in table.indexes[index_no].parts.iter().zip(&table.runtime.keys[index_no]) {
        values::encode_key(&row[part.column], key, out);
    }
}

/// What encoding a key from a stored row found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FromRow {
    Done,
    /// A key column's value is in an overflow chain: put it in place first (`batch::inline`).
    NeedsChain,
}

/// Appends an index's own key parts of a stored row.
pub(crate) fn of_row(
    table: &TableDef,
    index_no: usize,
    parts: &Parts<'_>,
    out: &mut Vec<u8>,
) -> Result<FromRow> {
    for (part, key) in table.indexes[index_no].parts.iter().zip(&table.runtime.keys[index_no]) {
        match parts.cell(part.column)? {
            Cell::Null => values::encode_key(&Value::Null, key, out),
            Cell::Inline(bytes) => {
                let value = values::decode_cell(bytes, &key.ty)
                    .map_err(|e| bad(table, part.column, e.to_string()))?;
                values::encode_key(&value, key, out);
            }
            Cell::External(_) => return Ok(FromRow::NeedsChain),
        }
    }
    Ok(FromRow::Done)
}

fn bad(table: &TableDef, column: usize, what: String) -> EngineError {
    EngineError::BadValue { column: table.columns[column].name.clone(), what }
}

/// The values of an index's parts in a row, for a duplicate's message.
pub(crate) fn values_of(table: &TableDef, index_no: usize, row: &[Value]) -> Vec<Value> {
    table.indexes[index_no].parts.iter().map(|p| row[p.column].clone()).collect()
}

/// Whether a key of an index has a NULL part: then it is never a duplicate.
pub(crate) fn has_null(table: &TableDef, index_no: usize, row: impl Fn(usize) -> bool) -> bool {
    table.indexes[index_no].parts.iter().any(|p| row(p.column))
}

/// Refuses a key that is too long for a tree.
pub(crate) fn check_len(key: &[u8]) -> Result<()> {
    if key.len() > MAX_KEY_BYTES {
        Err(EngineError::KeyTooLong { limit: MAX_INDEX_KEY_BYTES })
    } else {
        Ok(())
    }
}
