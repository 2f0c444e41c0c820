//! Insert, update, delete: the clustered change, then the secondary entries. What fails half-way is taken back row by row.

use crate::dictionary::TableDef;
use crate::error::{EngineError, Result};
use crate::format::row::{self, Cell, MAX_ROW_BYTES, Put, RowHeader};
use crate::format::undo::OldEntry;
use crate::format::{TxId, UndoPtr};
use crate::lock::LockMode;
use crate::rows::batch::{self, RowBatch, RowRef, blank_header};
use crate::rows::change::{Draft, Outcome, Plan};
use crate::rows::merge::{Chains, Change, Move};
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

impl Txn {
    /// Inserts a row: one value per column, each of its column's type.
    ///
    /// # Errors
    /// [`EngineError::Duplicate`]: nothing of this row stays, the transaction goes on. Others as the waits and the log give them.
    pub async fn insert(&mut self, table: &Arc<TableDef>, row: &[Value]) -> Result<()> {
        assert_eq!(row.len(), table.columns.len(), "insert into {}: one value per column", table.name);
        self.begin_write(table).await?;
        let mut pk = Vec::with_capacity(32);
        if table.hidden_key() {
            let id = self.engine.row_ids.next(&self.engine.space).await?;
            pk.extend_from_slice(&id.to_be_bytes());
        } else {
            keys::of_values(table, 0, row, &mut pk);
        }
        keys::check_len(&pk)?;
        let mark = self.mark();
        let done = self.insert_all(table, &pk, row).await;
        if done.is_err() {
            self.take_back(mark).await?;
        } else {
            table.runtime.shared.rows.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    async fn insert_all(&mut self, table: &Arc<TableDef>, pk: &[u8], row: &[Value]) -> Result<()> {
        let layout = &table.runtime.layout;
        let mut draft = Draft::default();
        let type_of = |i: usize| &table.columns[i].ty;
        row::encode(layout, type_of, blank_header(table), |i| Put::Value(&row[i]), true, &mut draft.row);
        let mut long = Chains::new();
        if draft.row.len() > MAX_ROW_BYTES {
            long = self.write_chains(table, draft.row.len(), |i| Some(&row[i])).await?;
        }
        draft.row.clear();
        let put = |i: usize| long.get(&i).map_or(Put::Value(&row[i]), |r| Put::Cell(Cell::External(r)));
        row::encode(layout, type_of, blank_header(table), put, false, &mut draft.row);
        if draft.row.len() > MAX_ROW_BYTES {
            return Err(EngineError::RowTooLong { limit: MAX_ROW_BYTES });
        }
        let len = draft.row.len();
        let outcome = self
            .change(table, pk, len, &mut draft, |found, draft| {
                let Some((header, old)) = found else { return Ok(Plan::Write) };
                if !header.deleted {
                    return Ok(Plan::Skip(Left::Exists));
                }
                // Over a deleted version, which keeps its long values for those who still see what it was.
                draft.old_overflow = refs(layout, old)?;
                Ok(Plan::Write)
            })
            .await?;
        if let Outcome::Skipped(_) = outcome {
            return Err(duplicate(table, 0, keys::values_of(table, 0, row)));
        }
        for no in 1..table.indexes.len() {
            let mut key = Vec::with_capacity(pk.len() + 32);
            keys::of_values(table, no, row, &mut key);
            let own = key.len();
            key.extend_from_slice(pk);
            let null = keys::has_null(table, no, |c| row[c].is_null());
            self.put_entry(table, no, &key, own, null, |no| keys::values_of(table, no, row)).await?;
        }
        Ok(())
    }

    /// Puts an entry, checking uniqueness where the index asks for it.
    async fn put_entry(
        &mut self,
        table: &Arc<TableDef>,
        no: usize,
        key: &[u8],
        own: usize,
        has_null: bool,
        values: impl Fn(usize) -> Vec<Value>,
    ) -> Result<()> {
        keys::check_len(key)?;
        let txid = self.txid();
        if table.indexes[no].unique && !has_null {
            if !self.put_unique(table, no, key, own, txid).await? {
                return Err(duplicate(table, no, values(no)));
            }
            return Ok(());
        }
        entries::put(table, no, key, own, txid).await
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
        len += table.columns.len().div_ceil(8);
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
        self.begin_write(table).await?;
        let pk = row.key().to_vec();
        let touches_key = table.indexes[0].parts.iter().any(|p| new.iter().any(|(c, _)| *c == p.column));
        let mark = self.mark();
        let done = if touches_key {
            self.update_key(table, &pk, new).await
        } else {
            self.update_in_place(table, &pk, new, row.row()).await
        };
        if done.is_err() {
            self.take_back(mark).await?;
        }
        done
    }

    /// An update that may change the clustered key: in place when it does not after all, else delete and insert.
    async fn update_key(&mut self, table: &Arc<TableDef>, pk: &[u8], new: &[(usize, Value)]) -> Result<bool> {
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
            return self.update_in_place(table, pk, new, batch.last_row()).await;
        }
        keys::check_len(&moved)?;
        self.delete_all(table, pk).await?;
        self.insert_all(table, &moved, &values).await?;
        Ok(true)
    }

    async fn update_in_place(
        &mut self,
        table: &Arc<TableDef>,
        pk: &[u8],
        new: &[(usize, Value)],
        read: &[u8],
    ) -> Result<bool> {
        let layout = &table.runtime.layout;
        let change = Change::new(table, new);
        let Some(mut len) = change.len_now(table, pk, read).await? else { return Ok(false) };
        let mut long = Chains::new();
        if len > MAX_ROW_BYTES {
            long = self.write_chains(table, len, |c| change.columns[c]).await?;
            len = MAX_ROW_BYTES;
        }
        let (mut draft, mut whole): (Draft, Whole) = (Draft::default(), None);
        let mut moves: Vec<Move> = Vec::new();
        loop {
            let outcome = self
                .change(table, pk, len, &mut draft, |found, draft| {
                    let Some((header, old)) = found.filter(|(h, _)| !h.deleted) else {
                        return Ok(Plan::Skip(Left::Gone));
                    };
                    change.encode(table, header, old, &long, &mut draft.row)?;
                    if old[row::ROW_HEADER_BYTES..] == draft.row[row::ROW_HEADER_BYTES..] {
                        return Ok(Plan::Skip(Left::Same));
                    }
                    if draft.row.len() > MAX_ROW_BYTES {
                        return Err(EngineError::RowTooLong { limit: MAX_ROW_BYTES });
                    }
                    let image = image_of(&whole, header, old);
                    if !change.moves(table, image, &mut moves)? {
                        return Ok(Plan::Skip(Left::Long(old.to_vec())));
                    }
                    let entry = |m: &Move| OldEntry {
                        index: table.indexes[m.no].id.0,
                        key: [m.before.as_slice(), pk].concat(),
                    };
                    draft.old_entries = moves.iter().map(entry).collect();
                    let kept = refs(layout, &draft.row)?;
                    draft.old_overflow =
                        refs(layout, old)?.into_iter().filter(|r| !kept.contains(r)).collect();
                    Ok(Plan::Write)
                })
                .await?;
            match outcome {
                Outcome::Written => break,
                Outcome::Skipped(Left::Long(row)) => whole = Some(self.whole(table, row).await?),
                Outcome::Skipped(_) => return Ok(false),
            }
        }
        for m in &moves {
            let key = [m.after.as_slice(), pk].concat();
            let null = m.values.iter().any(Value::is_null);
            self.put_entry(table, m.no, &key, m.after.len(), null, |_| m.values.clone()).await?;
            let old = [m.before.as_slice(), pk].concat();
            entries::mark(table, m.no, &old, m.before.len(), self.txid()).await?;
        }
        Ok(true)
    }

    /// Deletes a row that was read with a lock; false when it is gone already.
    ///
    /// # Errors
    /// As the waits and the log give them.
    pub async fn delete(&mut self, table: &Arc<TableDef>, row: &RowRef) -> Result<bool> {
        self.begin_write(table).await?;
        let mark = self.mark();
        let done = self.delete_all(table, row.key()).await;
        match &done {
            Err(_) => self.take_back(mark).await?,
            Ok(true) => {
                table.runtime.shared.rows.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(false) => {}
        }
        done
    }

    async fn delete_all(&mut self, table: &Arc<TableDef>, pk: &[u8]) -> Result<bool> {
        let (mut draft, mut whole): (Draft, Whole) = (Draft::default(), None);
        let mut marks: Vec<(usize, Vec<u8>, usize)> = Vec::new();
        loop {
            let outcome = self
                .change(table, pk, 0, &mut draft, |found, draft| {
                    let Some((header, old)) = found.filter(|(h, _)| !h.deleted) else {
                        return Ok(Plan::Skip(Left::Gone));
                    };
                    let image = image_of(&whole, header, old);
                    marks.clear();
                    for no in 1..table.indexes.len() {
                        let Some((key, own)) = entries::key_of_row(table, no, image, pk)? else {
                            return Ok(Plan::Skip(Left::Long(old.to_vec())));
                        };
                        marks.push((no, key, own));
                    }
                    draft.old_entries = marks
                        .iter()
                        .map(|(no, key, _)| OldEntry { index: table.indexes[*no].id.0, key: key.clone() })
                        .collect();
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
        for (no, key, own) in &marks {
            entries::mark(table, *no, key, *own, self.txid()).await?;
        }
        Ok(true)
    }

    async fn whole(&self, table: &Arc<TableDef>, mut row: Vec<u8>) -> Result<(TxId, UndoPtr, Vec<u8>)> {
        let header = row::header(&row)?;
        batch::inline(&self.engine, table, &mut row, |_| true).await?;
        Ok((header.txid, header.undo, row))
    }
}

fn duplicate(table: &TableDef, no: usize, key: Vec<Value>) -> EngineError {
    EngineError::Duplicate {
        table: table.name.clone(),
        index: table.indexes[no].name.clone(),
        index_no: no,
        key,
    }
}

fn refs(layout: &row::Layout, version: &[u8]) -> Result<Vec<[u8; 16]>> {
    let refs = row::external_refs(layout, version)?;
    Ok(refs.iter().filter_map(|r| <[u8; 16]>::try_from(*r).ok()).collect())
}

/// The old version with its long values in place, when that is at hand for this very version; else as stored.
fn image_of<'a>(whole: &'a Whole, header: &RowHeader, old: &'a [u8]) -> &'a [u8] {
    match whole {
        Some((txid, undo, image)) if *txid == header.txid && *undo == header.undo => image,
        _ => old,
    }
}
