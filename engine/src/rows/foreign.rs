//! Foreign keys when rows change: a child row must find its parent, a parent row must not leave children behind.
//!
//! ```text
//!   insert, update of a child ──> the parent's unique index, shared lock ──> nobody: 1452
//!   delete, update of a parent ─> the child's index ──> a child: 1451, or it goes, changes, loses its reference
//! ```
//!
//! The row is changed first, then this follows, as in InnoDB: a row that refers to itself may come and go. What fails is taken back with the
//! row. A parent row that was found stays locked (shared) to the end of the transaction, and where none was found a gap is: so neither a
//! deleter and an inserter of one reference, nor two of them the other way round, can both succeed.

use crate::dictionary::{ForeignKey, ForeignKeyAction, TableDef};
use crate::error::{EngineError, Result};
use crate::format::row;
use crate::lock::LockMode;
use crate::rows::batch::{self, ColumnSet, RowBatch, RowRef, RowView};
use crate::rows::keys::encode_index_key;
use crate::rows::scan::KeyRange;
use crate::txn::Txn;
use btree::Direction;
use protocol::env::BoxFuture;
use std::sync::Arc;
use values::Value;

/// MySQL's limit on cascades of cascades.
const DEEPEST: u32 = 15;

/// What became of the parent row.
enum Parent<'a> {
    Gone,
    /// Its new values.
    Changed(&'a [(usize, Value)]),
}

fn new_value(new: &[(usize, Value)], column: usize) -> Option<&Value> {
    new.iter().rev().find(|(c, _)| *c == column).map(|(_, value)| value)
}

impl Txn {
    /// `foreign_key_checks`: whether changes look at parents and children. On unless told otherwise.
    pub fn set_foreign_key_checks(&mut self, on: bool) {
        self.foreign_keys = on;
    }

    /// After an insert.
    pub(crate) fn follow_insert<'a>(
        &'a mut self,
        table: &'a Arc<TableDef>,
        row: &'a [Value],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for fk in &table.foreign_keys {
                let values: Vec<Value> = fk.columns.iter().map(|c| row[*c].clone()).collect();
                self.find_parent(table, fk, &values, LockMode::Shared).await?;
            }
            Ok(())
        })
    }

    /// After an update.
    pub(crate) fn follow_update<'a>(
        &'a mut self,
        table: &'a Arc<TableDef>,
        row: RowView<'a>,
        new: &'a [(usize, Value)],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let whole = self.with_long(table, row).await?;
            let row = whole.as_ref().map_or(row, RowRef::view);
            for fk in &table.foreign_keys {
                if fk.columns.iter().any(|c| new_value(new, *c).is_some_and(|v| *v != row.value(*c))) {
                    let value = |c: &usize| new_value(new, *c).cloned().unwrap_or_else(|| row.value(*c));
                    let values: Vec<Value> = fk.columns.iter().map(value).collect();
                    self.find_parent(table, fk, &values, LockMode::Shared).await?;
                }
            }
            self.follow_parent(table, row, &Parent::Changed(new)).await
        })
    }

    /// After a delete.
    pub(crate) fn follow_delete<'a>(
        &'a mut self,
        table: &'a Arc<TableDef>,
        row: RowView<'a>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let whole = self.with_long(table, row).await?;
            let row = whole.as_ref().map_or(row, RowRef::view);
            self.follow_parent(table, row, &Parent::Gone).await
        })
    }

    /// The row with its long values in place, if it has any.
    async fn with_long(&self, table: &Arc<TableDef>, row: RowView<'_>) -> Result<Option<RowRef>> {
        if !row::has_external(row.bytes()) {
            return Ok(None);
        }
        let mut bytes = row.bytes().to_vec();
        batch::inline(&self.engine, table, &mut bytes, |_| true).await?;
        Ok(Some(RowRef::of(table, row.key(), bytes)))
    }

    /// Locks the parent of a child row, or answers 1452. A reference with a NULL refers to nobody.
    pub(crate) async fn find_parent(
        &mut self,
        child: &Arc<TableDef>,
        fk: &ForeignKey,
        values: &[Value],
        lock: LockMode,
    ) -> Result<()> {
        if values.iter().any(Value::is_null) {
            return Ok(());
        }
        let parent = match fk.refers_to(child) {
            true => Some(Arc::clone(child)),
            false => self.engine.dictionary().table(&fk.parent_schema, &fk.parent).await?,
        };
        if let Some((parent, no)) = parent.and_then(|p| fk.parent_index(&p).map(|no| (p, no))) {
            let mut key = Vec::new();
            encode_index_key(&parent, no, values, &mut key);
            let mut batch = RowBatch::new();
            batch.set_columns(ColumnSet::of([]));
            if self.get(&parent, no, &key, lock, &mut batch).await? {
                return Ok(());
            }
        }
        Err(EngineError::NoParentRow(fk.described(child)))
    }

    async fn follow_parent(
        &mut self,
        table: &Arc<TableDef>,
        row: RowView<'_>,
        now: &Parent<'_>,
    ) -> Result<()> {
        for reference in &table.referenced_by {
            let (schema, name) = (&reference.schema, &reference.table);
            let child = match (schema == &table.schema_name, name == &table.name) {
                (true, true) => Arc::clone(table),
                _ => match self.engine.dictionary().table(schema, name).await? {
                    Some(child) => child,
                    None => continue,
                },
            };
            let mut keys = child.foreign_keys.iter();
            let Some(fk) = keys.find(|fk| fk.name == reference.name && fk.refers_to(table)) else { continue };
            let (Some(columns), Some(no)) = (fk.parent_positions(table), fk.child_index(&child)) else {
                continue;
            };
            let old: Vec<Value> = columns.iter().map(|c| row.value(*c)).collect();
            if old.iter().any(Value::is_null) {
                continue;
            }
            let mut became = None;
            if let Parent::Changed(new) = now {
                let value = |(c, old): (&usize, &Value)| new_value(new, *c).unwrap_or(old).clone();
                let values: Vec<Value> = columns.iter().zip(&old).map(value).collect();
                if self.same_key(table, fk, &old, &values) {
                    continue;
                }
                became = Some(values);
            }
            let mut action = if became.is_some() { fk.on_update } else { fk.on_delete };
            if became.is_some() && child.id == table.id {
                // A table that changes itself in a circle: as in InnoDB, refused.
                action = ForeignKeyAction::Restrict;
            }
            self.follow_children(&child, (fk, no), &old, became.as_deref(), action).await?;
        }
        Ok(())
    }

    /// Whether two references are one to the parent's index: a changed case need not be a change.
    fn same_key(&self, parent: &TableDef, fk: &ForeignKey, old: &[Value], new: &[Value]) -> bool {
        let Some(no) = fk.parent_index(parent) else { return old == new };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        encode_index_key(parent, no, old, &mut a);
        encode_index_key(parent, no, new, &mut b);
        a == b
    }

    async fn follow_children(
        &mut self,
        child: &Arc<TableDef>,
        (fk, no): (&ForeignKey, usize),
        old: &[Value],
        became: Option<&[Value]>,
        action: ForeignKeyAction,
    ) -> Result<()> {
        let refuses = matches!(action, ForeignKeyAction::NoAction | ForeignKeyAction::Restrict);
        let rows = self.children(child, no, old, refuses).await?;
        if refuses {
            return if rows.is_empty() {
                Ok(())
            } else {
                Err(EngineError::HasChildRows(fk.described(child)))
            };
        }
        if rows.is_empty() {
            return Ok(());
        }
        if self.cascades >= DEEPEST {
            return Err(EngineError::CascadesTooDeep);
        }
        self.cascades += 1;
        let mut done = Ok(());
        for row in &rows {
            done = match (action, became) {
                (ForeignKeyAction::Cascade, None) => self.delete_row(child, row.view()).await.map(|_| ()),
                (ForeignKeyAction::Cascade, Some(values)) => {
                    let new: Vec<(usize, Value)> =
                        fk.columns.iter().copied().zip(values.iter().cloned()).collect();
                    self.update_row(child, row.view(), &new).await.map(|_| ())
                }
                _ => {
                    let new: Vec<(usize, Value)> = fk.columns.iter().map(|c| (*c, Value::Null)).collect();
                    self.update_row(child, row.view(), &new).await.map(|_| ())
                }
            };
            if done.is_err() {
                break;
            }
        }
        self.cascades -= 1;
        done
    }

    /// The child rows of a reference, locked; the first one only where any is one too many.
    async fn children(
        &mut self,
        child: &Arc<TableDef>,
        no: usize,
        values: &[Value],
        any: bool,
    ) -> Result<Vec<RowRef>> {
        let mut key = Vec::new();
        encode_index_key(child, no, values, &mut key);
        let lock = if any { LockMode::Shared } else { LockMode::Exclusive };
        let mut scan = self.scan(child, no, &KeyRange::prefix(key), Direction::Forward, lock, ColumnSet::All);
        if any {
            scan.batch_rows(1);
        }
        let mut rows = Vec::new();
        let mut batch = RowBatch::new();
        while scan.next(self, &mut batch).await? > 0 {
            rows.extend((0..batch.len()).map(|i| batch.row_ref(i)));
            batch.clear();
            if any {
                break;
            }
        }
        Ok(rows)
    }
}
