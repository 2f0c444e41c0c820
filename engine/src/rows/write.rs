//! Insert, update, delete: the clustered change, then the secondary entries. What fails half-way is taken back row by row.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{self, Cell, MAX_ROW_BYTES, Parts, Put, RowHeader};
use crate::format::{TxId, UndoPtr};
use crate::lock::LockMode;
use crate::rows::batch::{self, ColumnSet, RowBatch, RowRef, RowView, blank_header};
use crate::rows::change::{Draft, Outcome, Plan};
use crate::rows::merge::{Chains, Change};
use crate::rows::scratch::{EntryKey, Scratch};
use crate::rows::{chains, entries, keys};
use crate::txn::Txn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::Value;

/// Long values go out of the row in order of length until the rest fits; one shorter than this stays.
const SHORTEST_CHAIN: usize = 256;

/// Why a plan left a row alone.
#[derive(Debug)]
enum Left {
    Exists,
    Gone,
    Same,
    /// A key column of the old version is in a chain: put it in place and try again.
    Long(Vec<u8>),
}

/// The old version with its long values in place, good for one version of the row.
type Whole = Option<(TxId, UndoPtr, Vec<u8>)>;

/// Rows whose strings are this long in all are measured before they are encoded: offsets within a row have two bytes.
const LONG_ROW: usize = 16 * 1024;

impl Txn {
    /// Inserts a row: one value per column, each of its column's type.
    ///
    /// # Errors
    /// [`EngineError::Duplicate`]: nothing of this row stays, the transaction goes on. Others as the waits and the log give them.
    pub async fn insert(&mut self, table: &Arc<TableDef>, row: &[Value]) -> Result<()> {
        assert_eq!(row.len(), table.columns.len(), "insert into {}: one value per column", table.name);
        self.begin_write(table).await?;
        let mut scratch = Scratch::lend();
        let Scratch { pk, draft, .. } = &mut *scratch;
        if table.hidden_key() {
            let id = self.engine.row_ids.next(&self.engine.space).await?;
            pk.extend_from_slice(&id.to_be_bytes());
        } else {
            keys::of_values(table, 0, row, pk);
        }
        keys::check_len(pk)?;
        let mark = self.mark();
        let mut done = self.insert_all(table, pk, row, draft).await;
        if done.is_ok() && self.foreign_keys && !table.foreign_keys.is_empty() {
            done = self.follow_insert(table, row).await;
        }
        if done.is_err() {
            self.take_back(mark).await?;
        } else {
            table.runtime.shared.rows.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    async fn insert_all(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        row: &[Value],
        draft: &mut Draft,
    ) -> Result<()> {
        self.encode_new(table, row, draft).await?;
        let layout = &table.runtime.layout;
        let len = draft.row.len();
        loop {
            let outcome = self
                .change(table, pk, len, draft, |found, draft| {
                    let Some((header, old)) = found else { return Ok(Plan::Write) };
                    if !header.deleted {
                        return Ok(Plan::Skip(Left::Exists));
                    }
                    // Over a deleted version, which keeps its long values for those who still see what it was.
                    draft.old_overflow = chains::live(row::external_refs(layout, old)?);
                    Ok(Plan::Write)
                })
                .await?;
            if let Outcome::Written = outcome {
                break;
            }
            if self.lock_rival(table, pk).await? {
                return Err(duplicate(table, 0, row));
            }
        }
        draft.new.clear();
        for no in 1..table.indexes.len() {
            draft.new.push(no, pk, |out| {
                keys::of_values(table, no, row, out);
                Ok(Some(keys::has_null(table, no, |c| row[c].is_null())))
            })?;
            if !self.put_entry(table, draft.new.get(no - 1)).await? {
                return Err(duplicate(table, no, row));
            }
        }
        Ok(())
    }

    /// Encodes a new row; what does not fit goes to chains.
    async fn encode_new(&mut self, table: &Arc<TableDef>, row: &[Value], draft: &mut Draft) -> Result<()> {
        let layout = &table.runtime.layout;
        let type_of = |i: usize| &table.columns[i].ty;
        let strings: usize = row.iter().filter_map(Value::as_bytes).map(<[u8]>::len).sum();
        draft.row.clear();
        row::encode(
            layout,
            type_of,
            blank_header(table),
            (|i: usize| Put::Value(&row[i]), None),
            strings > LONG_ROW,
            &mut draft.row,
        );
        if draft.row.len() <= MAX_ROW_BYTES {
            return Ok(());
        }
        let long = self.write_chains(table, draft.row.len(), |i| Some(&row[i])).await?;
        draft.row.clear();
        let put = |i: usize| long.get(&i).map_or(Put::Value(&row[i]), |r| Put::Cell(Cell::External(r)));
        row::encode(layout, type_of, blank_header(table), (put, None), false, &mut draft.row);
        if draft.row.len() > MAX_ROW_BYTES {
            return Err(EngineError::RowTooLong { limit: MAX_ROW_BYTES });
        }
        Ok(())
    }

    /// A row of a table being rebuilt, as stored; chains belong to it once this transaction has committed.
    pub(crate) async fn encode_copy(&mut self, table: &Arc<TableDef>, row: &[Value]) -> Result<Vec<u8>> {
        assert_eq!(row.len(), table.columns.len(), "copy into {}: one value per column", table.name);
        let mut draft = Draft::default();
        self.encode_new(table, row, &mut draft).await?;
        Ok(draft.row)
    }

    /// Locks the row that is in the way of an insert; false when it is gone.
    pub(crate) async fn lock_rival(&mut self, table: &Arc<TableDef>, pk: &[u8]) -> Result<bool> {
        let mode = self.duplicate_lock();
        let mut batch = RowBatch::new();
        batch.start(table);
        batch.set_columns(ColumnSet::of([]));
        self.read_locked(table, pk, mode, false, &mut batch).await
    }

    /// Puts an entry; false when the index is unique and another row has the key.
    async fn put_entry(&mut self, table: &Arc<TableDef>, entry: EntryKey<'_>) -> Result<bool> {
        let EntryKey { no, key, own, null } = entry;
        keys::check_len(key)?;
        let txid = self.txid();
        if table.indexes[no].unique && !null {
            return self.put_unique(table, no, key, own, txid).await;
        }
        let owner = self.owner();
        while !entries::put_free(&self.engine, owner.id, table, (no, key, own), txid).await? {
            self.gap_wait(table.indexes[no].id.0, key).await?;
        }
        Ok(true)
    }

    /// Writes chains for the longest of the values given, until a row of `len` bytes fits.
    async fn write_chains<'v>(
        &mut self,
        table: &Arc<TableDef>,
        mut len: usize,
        value: impl Fn(usize) -> Option<&'v Value>,
    ) -> Result<Chains> {
        let mut long: Vec<(usize, &[u8])> = (0..table.columns.len())
            .filter_map(|c| Some((c, value(c)?.as_bytes()?)))
            .filter(|(_, bytes)| bytes.len() >= SHORTEST_CHAIN)
            .collect();
        long.sort_by_key(|(column, bytes)| (std::cmp::Reverse(bytes.len()), *column));
        let mut written = Chains::new();
        // The overflow bitmap.
        len += table.runtime.layout.bitmap_bytes();
        for (column, bytes) in long {
            if len <= MAX_ROW_BYTES {
                break;
            }
            written.insert(column, chains::write(self, table, bytes).await?);
            len -= bytes.len() - row::OVERFLOW_REF_BYTES;
        }
        Ok(written)
    }

    /// Changes columns of a row that was read with a lock; true when something changed. A change of the clustered key moves the row.
    ///
    /// # Errors
    /// As [`Txn::insert`]. The row stays as it was.
    pub async fn update(
        &mut self,
        table: &Arc<TableDef>,
        row: &RowRef,
        new: &[(usize, Value)],
    ) -> Result<bool> {
        self.update_row(table, row.view(), new).await
    }

    /// As [`Txn::update`], for a row that still lies in its batch.
    ///
    /// # Errors
    /// As [`Txn::insert`]. The row stays as it was.
    pub async fn update_row(
        &mut self,
        table: &Arc<TableDef>,
        row: RowView<'_>,
        new: &[(usize, Value)],
    ) -> Result<bool> {
        self.begin_write(table).await?;
        if row::is_wide(row.bytes()) && same(table, row.bytes(), new)? {
            return Ok(false);
        }
        let touches_key = table.indexes[0].parts.iter().any(|p| new.iter().any(|(c, _)| *c == p.column));
        let mark = self.mark();
        let mut scratch = Scratch::lend();
        let done = if touches_key {
            self.update_key(table, row.key(), new, &mut scratch).await
        } else {
            self.update_in_place(table, row.key(), new, row.bytes(), &mut scratch).await
        };
        let mut done = done;
        if matches!(done, Ok(true)) && self.foreign_keys && has_foreign_keys(table) {
            done = self.follow_update(table, row, new).await.map(|()| true);
        }
        // Also when nothing was changed after all: chains may have been written for it.
        if !matches!(done, Ok(true)) {
            self.take_back(mark).await?;
        }
        done
    }

    /// An update that may change the clustered key: in place when it does not after all, else delete and insert.
    async fn update_key(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        new: &[(usize, Value)],
        scratch: &mut Scratch,
    ) -> Result<bool> {
        let mut batch = RowBatch::new();
        batch.start(table);
        if !self.read_row(table, pk, LockMode::Exclusive, &mut batch).await? {
            return Ok(false);
        }
        let mut values = batch.row(0).to_values();
        for (column, value) in new {
            values[*column] = value.clone();
        }
        let mut moved = Vec::new();
        keys::of_values(table, 0, &values, &mut moved);
        if moved == pk {
            return self.update_in_place(table, pk, new, batch.last_row(), scratch).await;
        }
        keys::check_len(&moved)?;
        self.delete_all(table, pk, &mut scratch.draft).await?;
        scratch.draft.clear();
        self.insert_all(table, &moved, &values, &mut scratch.draft).await?;
        Ok(true)
    }

    async fn update_in_place(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        new: &[(usize, Value)],
        read: &[u8],
        scratch: &mut Scratch,
    ) -> Result<bool> {
        let Scratch { places, touched, draft, .. } = scratch;
        let layout = &table.runtime.layout;
        let change = Change::new(table, new, places, touched);
        let Some(mut len) = change.len_now(table, pk, read).await? else { return Ok(false) };
        let mut long = Chains::new();
        if len > MAX_ROW_BYTES {
            long = self.write_chains(table, len, |c| change.value(c)).await?;
            len = MAX_ROW_BYTES;
        }
        let mut whole: Whole = None;
        loop {
            let outcome = self
                .change(table, pk, len, draft, |found, draft| {
                    let Some((header, old)) = found.filter(|(h, _)| !h.deleted) else {
                        return Ok(Plan::Skip(Left::Gone));
                    };
                    change.encode(table, old, &long, &mut draft.row)?;
                    // A row of an older format would differ by its format alone.
                    if layout.is_older(old) && same(table, image_of(&whole, header, old), new)? {
                        return Ok(Plan::Skip(Left::Same));
                    }
                    if old[row::ROW_HEADER_BYTES..] == draft.row[row::ROW_HEADER_BYTES..] {
                        return Ok(Plan::Skip(Left::Same));
                    }
                    if draft.row.len() > MAX_ROW_BYTES {
                        return Err(EngineError::RowTooLong { limit: MAX_ROW_BYTES });
                    }
                    let image = image_of(&whole, header, old);
                    if !change.moves(table, pk, image, &mut draft.old, &mut draft.new)? {
                        return Ok(Plan::Skip(Left::Long(old.to_vec())));
                    }
                    draft.old_overflow.clear();
                    if row::has_external(old) {
                        let kept = row::external_refs(layout, &draft.row)?;
                        draft.old_overflow = row::external_refs(layout, old)?;
                        draft.old_overflow.retain(|r| !kept.contains(r));
                    }
                    Ok(Plan::Write)
                })
                .await?;
            match outcome {
                Outcome::Written => break,
                Outcome::Skipped(Left::Long(row)) => whole = Some(self.whole(table, row).await?),
                Outcome::Skipped(_) => return Ok(false),
            }
        }
        for i in 0..draft.new.len() {
            let (after, before) = (draft.new.get(i), draft.old.get(i));
            if !self.put_entry(table, after).await? {
                let engine = Arc::clone(&self.engine);
                return Err(entries::duplicate_of(&engine, table, after.no, draft.row.clone()).await?);
            }
            entries::mark(table, before.no, before.key, before.own, self.txid()).await?;
        }
        Ok(true)
    }

    /// Deletes a row that was read with a lock; false when it is gone already.
    ///
    /// # Errors
    /// As the waits and the log give them.
    pub async fn delete(&mut self, table: &Arc<TableDef>, row: &RowRef) -> Result<bool> {
        self.delete_row(table, row.view()).await
    }

    /// As [`Txn::delete`], for a row that still lies in its batch.
    ///
    /// # Errors
    /// As the waits and the log give them.
    pub async fn delete_row(&mut self, table: &Arc<TableDef>, row: RowView<'_>) -> Result<bool> {
        self.begin_write(table).await?;
        let mark = self.mark();
        let mut scratch = Scratch::lend();
        let mut done = self.delete_all(table, row.key(), &mut scratch.draft).await;
        if matches!(done, Ok(true)) && self.foreign_keys && !table.referenced_by.is_empty() {
            done = self.follow_delete(table, row).await.map(|()| true);
        }
        match &done {
            Err(_) => self.take_back(mark).await?,
            Ok(true) => {
                table.runtime.shared.rows.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(false) => {}
        }
        done
    }

    async fn delete_all(&mut self, table: &Arc<TableDef>, pk: &[u8], draft: &mut Draft) -> Result<bool> {
        let mut whole: Whole = None;
        loop {
            let outcome = self
                .change(table, pk, 0, draft, |found, draft| {
                    let Some((header, old)) = found.filter(|(h, _)| !h.deleted) else {
                        return Ok(Plan::Skip(Left::Gone));
                    };
                    let image = image_of(&whole, header, old);
                    draft.old.clear();
                    for no in 1..table.indexes.len() {
                        let key = |out: &mut Vec<u8>| entries::own_key(table, no, image, out);
                        if !draft.old.push(no, pk, key)? {
                            return Ok(Plan::Skip(Left::Long(old.to_vec())));
                        }
                    }
                    draft.row.clear();
                    draft.row.extend_from_slice(old);
                    row::set_header(&mut draft.row, TxId::NONE, UndoPtr::NONE, true);
                    Ok(Plan::Write)
                })
                .await?;
            match outcome {
                Outcome::Written => break,
                Outcome::Skipped(Left::Long(row)) => whole = Some(self.whole(table, row).await?),
                Outcome::Skipped(_) => return Ok(false),
            }
        }
        for entry in draft.old.iter() {
            entries::mark(table, entry.no, entry.key, entry.own, self.txid()).await?;
        }
        Ok(true)
    }

    async fn whole(&self, table: &Arc<TableDef>, mut row: Vec<u8>) -> Result<(TxId, UndoPtr, Vec<u8>)> {
        let header = row::header(&row)?;
        batch::inline(&self.engine, table, &mut row, |_| true).await?;
        Ok((header.txid, header.undo, row))
    }
}

fn has_foreign_keys(table: &TableDef) -> bool {
    !table.foreign_keys.is_empty() || !table.referenced_by.is_empty()
}

/// 1062 for a row given by its values.
fn duplicate(table: &TableDef, no: usize, row: &[Value]) -> EngineError {
    EngineError::Duplicate {
        table: table.name.clone(),
        index: table.indexes[no].name.clone(),
        index_no: no,
        key: keys::values_of(table, no, row),
    }
}

/// Whether a row with its long values in place has these values already: two chains of one content would not tell.
fn same(table: &TableDef, row: &[u8], new: &[(usize, Value)]) -> Result<bool> {
    let parts = Parts::of(&table.runtime.layout, row)?;
    let mut bytes = Vec::new();
    for (column, value) in new {
        let equal = match parts.cell(*column)? {
            Cell::Null => value.is_null(),
            Cell::External(_) => false,
            Cell::Inline(_) if value.is_null() => false,
            Cell::Inline(old) => {
                bytes.clear();
                values::encode_cell(value, &table.columns[*column].ty, &mut bytes);
                bytes == old
            }
        };
        if !equal {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The old version with its long values in place, when that is at hand for this very version; else as stored.
fn image_of<'a>(whole: &'a Whole, header: &RowHeader, old: &'a [u8]) -> &'a [u8] {
    match whole {
        Some((txid, undo, image)) if *txid == header.txid && *undo == header.undo => image,
        _ => old,
    }
}
