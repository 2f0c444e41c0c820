//! A version made from another one and some new values.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{self, Cell, OVERFLOW_REF_BYTES, Parts, Put, RowHeader};
use crate::format::{TxId, UndoPtr};
use crate::rows::scratch::Keys;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::Value;

/// Overflow references of values already written, by column.
pub(crate) type Chains = BTreeMap<usize, [u8; 16]>;

/// New values for some columns. Where they are and which indexes they touch is worked out once, in buffers of the caller's.
#[derive(Clone, Copy)]
pub(crate) struct Change<'v> {
    new: &'v [(usize, Value)],
    /// By column: 0, or one more than its place in `new`.
    places: &'v [u16],
    /// Secondary indexes with a part among them.
    touched: &'v [usize],
}

impl<'v> Change<'v> {
    pub(crate) fn new(
        table: &TableDef,
        new: &'v [(usize, Value)],
        places: &'v mut Vec<u16>,
        touched: &'v mut Vec<usize>,
    ) -> Change<'v> {
        places.clear();
        places.resize(table.columns.len(), 0);
        for (at, (column, _)) in new.iter().enumerate() {
            places[*column] = at as u16 + 1;
        }
        let touches = |no: &usize| table.indexes[*no].parts.iter().any(|p| places[p.column] > 0);
        touched.clear();
        touched.extend((1..table.indexes.len()).filter(touches));
        Change { new, places, touched }
    }

    /// The new value of a column, if it gets one.
    pub(crate) fn value(&self, column: usize) -> Option<&'v Value> {
        match self.places[column] {
            0 => None,
            at => Some(&self.new[usize::from(at) - 1].1),
        }
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
        let mut len = old.len() + table.runtime.layout.growth(old);
        for (column, _) in self.new {
            if values::cell::fixed_width(&table.columns[*column].ty).is_some() {
                continue;
            }
            len -= match parts.cell(*column)? {
                Cell::Null => 0,
                Cell::Inline(bytes) => bytes.len(),
                Cell::External(_) => OVERFLOW_REF_BYTES,
            };
            len += self.value(*column).and_then(Value::as_bytes).map_or(0, <[u8]>::len);
        }
        Ok(len)
    }

    /// Encodes the new version.
    pub(crate) fn encode(
        &self,
        table: &TableDef,
        old: &[u8],
        long: &Chains,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if long.is_empty() && !row::has_external(old) && self.patch(table, old, out)? {
            return Ok(());
        }
        let layout = &table.runtime.layout;
        let parts = Parts::of(layout, old)?;
        // Every cell is looked at before any is asked for.
        for column in 0..self.places.len() {
            parts.cell(column)?;
        }
        let put = |column: usize| match (long.get(&column), self.value(column)) {
            (Some(reference), _) => Put::Cell(Cell::External(reference)),
            (None, Some(value)) => Put::Value(value),
            (None, None) => Put::Cell(parts.cell(column).expect("invariant: looked at above")),
        };
        let (deleted, txid, undo) = (false, TxId::NONE, UndoPtr::NONE);
        let header = RowHeader { schema_version: table.version, deleted, txid, undo };
        out.clear();
        row::encode(layout, |i| &table.columns[i].ty, header, (put, Some(&parts)), false, out);
        Ok(())
    }

    /// The new version as the old one with some cells overwritten; false when a length changes.
    fn patch(&self, table: &TableDef, old: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        Parts::of(&table.runtime.layout, old)?;
        out.clear();
        out.extend_from_slice(old);
        for (column, _) in self.new {
            let Some(value) = self.value(*column) else { continue };
            if !row::patch(&table.runtime.layout, *column, value, &table.columns[*column].ty, out)? {
                return Ok(false);
            }
        }
        row::set_header(out, TxId::NONE, UndoPtr::NONE, false);
        Ok(true)
    }

    /// The index keys that change between `old` and the new version, whole; false when a long value of `old` is needed to say.
    pub(crate) fn moves(
        &self,
        table: &TableDef,
        pk: &[u8],
        old: &[u8],
        before: &mut Keys,
        after: &mut Keys,
    ) -> Result<bool> {
        before.clear();
        after.clear();
        if self.touched.is_empty() {
            return Ok(true);
        }
        let parts = Parts::of(&table.runtime.layout, old)?;
        for &no in self.touched {
            let (from, _) = before.begin();
            let (to, _) = after.begin();
            let (mut was_null, mut is_null) = (false, false);
            for (part, key) in table.indexes[no].parts.iter().zip(&table.runtime.keys[no]) {
                let old = match parts.cell(part.column)? {
                    Cell::Null => Value::Null,
                    Cell::Inline(bytes) => {
                        values::decode_cell(bytes, &key.ty).map_err(|e| EngineError::BadValue {
                            column: table.columns[part.column].name.clone(),
                            what: e.to_string(),
                        })?
                    }
                    Cell::External(_) => return Ok(false),
                };
                let new = self.value(part.column).unwrap_or(&old);
                was_null |= old.is_null();
                is_null |= new.is_null();
                values::encode_key(&old, key, before.arena());
                values::encode_key(new, key, after.arena());
            }
            if before.since(from) == after.since(to) {
                before.cut(from);
                after.cut(to);
            } else {
                before.finish(no, from, pk, was_null);
                after.finish(no, to, pk, is_null);
            }
        }
        Ok(true)
    }
}
