//! A version made from another one and some new values.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{self, Cell, OVERFLOW_REF_BYTES, Parts, Put, RowHeader};
use crate::format::{TxId, UndoPtr};
use std::collections::BTreeMap;
use std::sync::Arc;
use values::Value;

/// Overflow references of values already written, by column.
pub(crate) type Chains = BTreeMap<usize, [u8; 16]>;

/// New values for some columns.
pub(crate) struct Change<'v> {
    pub(crate) columns: Vec<Option<&'v Value>>,
    /// Secondary indexes with a part among them.
    touched: Vec<usize>,
}

/// An index whose key changes.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) no: usize,
    /// The index's own part of the key, before and after.
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
    /// The new values of its parts.
    pub(crate) values: Vec<Value>,
}

impl<'v> Change<'v> {
    pub(crate) fn new(table: &TableDef, new: &'v [(usize, Value)]) -> Change<'v> {
        let mut columns = vec![None; table.columns.len()];
        for (column, value) in new {
            columns[*column] = Some(value);
        }
        let touches = |no: &usize| table.indexes[*no].parts.iter().any(|p| columns[p.column].is_some());
        Change { touched: (1..table.indexes.len()).filter(touches).collect(), columns }
    }

    /// How long the row at `pk` would be with the new values, all of them inline; `None` when there is no row. `read` is the row as the
    /// caller read it: with its lock held, that is how it still is.
    pub(crate) async fn len_now(
        &self,
        table: &Arc<TableDef>,
        pk: &[u8],
        read: &[u8],
    ) -> Result<Option<usize>> {
        if !row::is_wide(read) {
            return self.len_after(table, read).map(Some);
        }
        let found = table.runtime.trees[0].get(pk, |old| self.len_after(table, old)).await?;
        found.transpose()
    }

    fn len_after(&self, table: &TableDef, old: &[u8]) -> Result<usize> {
        let parts = Parts::of(&table.runtime.layout, old)?;
        let mut len = old.len();
        for (column, value) in self.columns.iter().enumerate() {
            let Some(value) = value else { continue };
            if values::cell::fixed_width(&table.columns[column].ty).is_some() {
                continue;
            }
            len -= match parts.cell(column)? {
                Cell::Null => 0,
                Cell::Inline(bytes) => bytes.len(),
                Cell::External(_) => OVERFLOW_REF_BYTES,
            };
            len += value.as_bytes().map_or(0, <[u8]>::len);
        }
        Ok(len)
    }

    /// Encodes the new version.
    pub(crate) fn encode(
        &self,
        table: &TableDef,
        header: &RowHeader,
        old: &[u8],
        long: &Chains,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let layout = &table.runtime.layout;
        let parts = Parts::of(layout, old)?;
        let mut puts = Vec::with_capacity(self.columns.len());
        for (column, value) in self.columns.iter().enumerate() {
            puts.push(match (long.get(&column), value) {
                (Some(reference), _) => Put::Cell(Cell::External(reference)),
                (None, Some(value)) => Put::Value(value),
                (None, None) => Put::Cell(parts.cell(column)?),
            });
        }
        let header = RowHeader { deleted: false, txid: TxId::NONE, undo: UndoPtr::NONE, ..*header };
        out.clear();
        row::encode(layout, |i| &table.columns[i].ty, header, |i| puts[i], false, out);
        Ok(())
    }

    /// The index keys that change between `old` and the new version; false when a long value of `old` is needed to say.
    pub(crate) fn moves(&self, table: &TableDef, old: &[u8], out: &mut Vec<Move>) -> Result<bool> {
        out.clear();
        let parts = Parts::of(&table.runtime.layout, old)?;
        for &no in &self.touched {
            let mut m = Move { no, before: Vec::new(), after: Vec::new(), values: Vec::new() };
            for (part, key) in table.indexes[no].parts.iter().zip(&table.runtime.keys[no]) {
                let before = match parts.cell(part.column)? {
                    Cell::Null => Value::Null,
                    Cell::Inline(bytes) => {
                        values::decode_cell(bytes, &key.ty).map_err(|e| EngineError::BadValue {
                            column: table.columns[part.column].name.clone(),
                            what: e.to_string(),
                        })?
                    }
                    Cell::External(_) => return Ok(false),
                };
                let after = self.columns[part.column].unwrap_or(&before).clone();
                values::encode_key(&before, key, &mut m.before);
                values::encode_key(&after, key, &mut m.after);
                m.values.push(after);
            }
            if m.before != m.after {
                out.push(m);
            }
        }
        Ok(true)
    }
}
