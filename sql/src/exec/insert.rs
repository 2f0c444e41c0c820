//! INSERT, REPLACE, INSERT ... ON DUPLICATE KEY UPDATE.
//!
//! 1. AUTO_INCREMENT values are taken when a row needs one; an explicit value moves the counter past it.
//! 2. A duplicate leaves nothing of its row behind; what follows depends on the statement: error, skip (IGNORE), delete and retry
//!    (REPLACE), update (ON DUPLICATE KEY UPDATE).

use super::rules::{checked, generate, generate_changes};
use super::sub::prepare;
use super::{Run, store};
use crate::error::{Result, SqlError};
use crate::expr::{Columns, Eval, NoRow};
use crate::plan::{InsertPlan, Set};
use crate::session::context::Strictness;
use engine::{ColumnSet, EngineError, LockMode, RowBatch, RowRef, TableDef};
use std::sync::Arc;
use values::{Level, SqlMode, Value};

/// What an INSERT did.
#[derive(Debug, Default)]
pub(crate) struct Inserted {
    pub(crate) affected: u64,
    /// Rows given.
    pub(crate) records: u64,
    pub(crate) duplicates: u64,
    /// The first generated AUTO_INCREMENT value, 0 if none.
    pub(crate) insert_id: u64,
    /// The last AUTO_INCREMENT value that a row gave itself.
    pub(crate) explicit_id: u64,
}

/// Runs `plan`.
pub(crate) async fn run(plan: &InsertPlan, run: &mut Run<'_>) -> Result<Inserted> {
    run.make_room(plan.sizes);
    run.context.written = Arc::from(plan.table.name.as_str());
    let mut out = Inserted::default();
    if !plan.subs.is_empty() {
        Box::pin(prepare(&plan.subs, &NoRow, &[], run)).await?;
    }
    if let Some(select) = &plan.select {
        let rows = super::query::rows(select, run, usize::MAX).await?;
        for row in rows {
            out.records += 1;
            run.context.row_number = out.records;
            let row = complete(plan, Given::Values(row), out.records, run)?;
            one(plan, row, run, &mut out).await?;
            run.tick().await?;
        }
        return Ok(out);
    }
    for row in &plan.rows {
        out.records += 1;
        run.context.row_number = out.records;
        let row = complete(plan, Given::Exprs(row), out.records, run)?;
        one(plan, row, run, &mut out).await?;
        run.tick().await?;
    }
    Ok(out)
}

enum Given<'a> {
    Exprs(&'a [Option<crate::expr::Typed>]),
    Values(Vec<Value>),
}

/// A full row of the table's types; NULL stays in an AUTO_INCREMENT column that is to be generated.
fn complete(plan: &InsertPlan, given: Given<'_>, number: u64, run: &mut Run<'_>) -> Result<Vec<Value>> {
    let table = &plan.table;
    let mut row: Vec<Option<Value>> = vec![None; table.columns.len()];
    // MySQL bends NULL for NOT NULL columns only in later rows of a multi-row INSERT without strict mode, or under IGNORE.
    let strict = run.context.strictness == Strictness::Strict;
    let several = plan.rows.len() > 1 || plan.select.is_some();
    let bend = plan.ignore || (!strict && several);
    for (i, &position) in plan.columns.iter().enumerate() {
        let column = &table.columns[position];
        let value = match &given {
            Given::Values(values) => values[i].clone(),
            Given::Exprs(exprs) => match &exprs[i] {
                None if super::default_expr::is_computed(column) => continue,
                None => {
                    let seen = Partial { table, row: &row };
                    row[position] = Some(store::default_value((table, &seen), column, run, plan.ignore)?);
                    continue;
                }
                Some(expr) => {
                    // Columns of the row that were given before may be read; others have their defaults.
                    let seen = Partial { table, row: &row };
                    expr.eval(&mut Eval::over(&seen, &run.params, run.context))?
                }
            },
        };
        let value = store::convert(&value, column, run, plan.ignore)?;
        row[position] = Some(if value.is_null() && !column.nullable && !column.auto_increment {
            store::not_null(column, run, bend && (number > 0))?
        } else {
            value
        });
    }
    // What is computed reads what is not.
    for computed in [false, true] {
        for (i, column) in table.columns.iter().enumerate() {
            if row[i].is_none() && super::default_expr::is_computed(column) == computed {
                let seen = Partial { table, row: &row };
                row[i] = Some(store::default_value((table, &seen), column, run, plan.ignore)?);
            }
        }
    }
    Ok(row.into_iter().map(Option::unwrap_or_default).collect())
}

/// The columns of one table of several.
struct From<'a> {
    values: &'a [Value],
    base: usize,
}

impl Columns for From<'_> {
    fn column(&self, i: usize) -> Value {
        self.values[self.base + i].clone()
    }
}

/// A row in the making, as expressions in VALUES see it.
struct Partial<'a> {
    table: &'a TableDef,
    row: &'a [Option<Value>],
}

impl Columns for Partial<'_> {
    fn column(&self, i: usize) -> Value {
        match (&self.row[i], &self.table.columns[i].default) {
            (Some(value), _) => value.clone(),
            (None, Some(engine::ColumnDefault::Literal(value))) => value.clone(),
            _ if !self.table.columns[i].nullable => store::implicit_default(&self.table.columns[i]),
            _ => Value::Null,
        }
    }
}

/// Fills the AUTO_INCREMENT column if the row asks for it; tells whether it did, and the value.
async fn auto_increment(table: &Arc<TableDef>, row: &mut [Value], run: &mut Run<'_>) -> Result<Option<u64>> {
    let Some(column) = table.auto_increment else { return Ok(None) };
    let keep_zero = run.context.settings.sql_mode.has(SqlMode::NO_AUTO_VALUE_ON_ZERO);
    let explicit = match &row[column] {
        Value::Null => None,
        Value::Int(0) | Value::UInt(0) if !keep_zero => None,
        Value::Int(v) => Some(u64::try_from(*v).unwrap_or(0)),
        Value::UInt(v) => Some(*v),
        Value::Float(v) => Some(*v as u64).filter(|v| *v > 0),
        Value::Double(v) => Some(*v as u64).filter(|v| *v > 0),
        _ => Some(0),
    };
    let ty = &table.columns[column].ty;
    if let Some(value) = explicit {
        if value > 0 {
            run.txn.note_auto_increment(table, value).await?;
        }
        return Ok(None);
    }
    let (step, offset) = run.context.settings.auto_increment;
    let mut value = run.txn.next_auto_increment(table, 1).await?;
    if step > 1 {
        let fits = |v: u64| v >= offset && (v - offset).is_multiple_of(step);
        while !fits(value) {
            let gap = if value < offset { offset - value } else { step - (value - offset) % step };
            value += gap;
            run.txn.note_auto_increment(table, value).await?;
        }
    }
    let stored = if ty.unsigned {
        Value::UInt(value)
    } else {
        i64::try_from(value).map_or(Value::UInt(value), Value::Int)
    };
    let (_, high) = ty.integer_range();
    if ty.is_integer() && i128::from(value) > high {
        return Err(SqlError::new(1467, "Failed to read auto-increment value from storage engine"));
    }
    row[column] = match ty.kind {
        values::TypeKind::Float => Value::Float(value as f32),
        values::TypeKind::Double => Value::Double(value as f64),
        _ => stored,
    };
    Ok(Some(value))
}

/// Inserts a row as `plan` says what becomes of duplicates.
pub(crate) async fn one(
    plan: &InsertPlan,
    mut row: Vec<Value>,
    run: &mut Run<'_>,
    out: &mut Inserted,
) -> Result<()> {
    let table = &plan.table;
    let generated = auto_increment(table, &mut row, run).await?;
    if let (Some(id), 0) = (generated, out.insert_id) {
        out.insert_id = id;
    }
    generate(&plan.rules, (table, 0), &mut row, plan.ignore, run)?;
    if !plan.rules.checks.is_empty() && !checked(&plan.rules.checks, &row, plan.ignore, run).await? {
        // Not even counted.
        out.records = out.records.saturating_sub(1);
        return Ok(());
    }
    // Each retry removed one row that stood in the way, so the loop ends; the bound is for a broken index.
    for _ in 0..=64 * (1 + table.indexes.len()) {
        match run.txn.insert(table, &row).await {
            Ok(()) => {
                out.affected += 1;
                if let (None, Some(column)) = (generated, table.auto_increment) {
                    out.explicit_id = match row[column] {
                        Value::Int(v) => v as u64,
                        Value::UInt(v) => v,
                        _ => 0,
                    };
                }
                return Ok(());
            }
            Err(error @ (EngineError::Duplicate { .. } | EngineError::NoParentRow(_))) => {
                if resolve(plan, &row, &error, run, out).await? {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(SqlError::new(1105, "REPLACE met the same key again and again"))
}

/// Deals with a duplicate; true when the row is done, false to try again.
async fn resolve(
    plan: &InsertPlan,
    row: &[Value],
    error: &EngineError,
    run: &mut Run<'_>,
    out: &mut Inserted,
) -> Result<bool> {
    let EngineError::Duplicate { index_no, .. } = error else {
        if plan.ignore && matches!(error, EngineError::NoParentRow(_)) {
            let error = SqlError::from(error.clone());
            run.context.warn(Level::Warning, error.code, error.message);
            // Not even counted.
            out.records = out.records.saturating_sub(1);
            return Ok(true);
        }
        return Err(error.clone().into());
    };
    if !plan.replace && plan.on_duplicate.is_empty() {
        if plan.ignore {
            let error = SqlError::from(error.clone());
            run.context.warn(Level::Warning, error.code, error.message);
            out.duplicates += 1;
            return Ok(true);
        }
        return Err(error.clone().into());
    }
    let Some(old) = conflicting(&plan.table, *index_no, row, run).await? else { return Ok(false) };
    if plan.replace && is_same_row(&plan.table, *index_no, &old.1, row) {
        out.affected += 1;
        return Ok(true);
    }
    if plan.replace {
        run.txn.delete(&plan.table, &old.0).await?;
        out.affected += 1;
        out.duplicates += 1;
        return Ok(false);
    }
    update_duplicate(plan, row, old, run, out).await?;
    Ok(true)
}

/// MySQL updates the row in place when no other unique key can stand in the way, and finds nothing to change.
fn is_same_row(table: &TableDef, index: usize, old: &[Value], new: &[Value]) -> bool {
    let last = table.indexes[index + 1..].iter().all(|i| !i.unique);
    let same = |(a, b): (&Value, &Value)| {
        a.is_null() == b.is_null() && values::compare::same(a, b, values::Collation::BINARY)
    };
    last && table.referenced_by.is_empty() && old.iter().zip(new).all(same)
}

/// The row that holds the key, locked.
async fn conflicting(
    table: &Arc<TableDef>,
    index: usize,
    row: &[Value],
    run: &mut Run<'_>,
) -> Result<Option<(RowRef, Vec<Value>)>> {
    let mut key = Vec::with_capacity(64);
    let parts: Vec<Value> = table.indexes[index].parts.iter().map(|p| row[p.column].clone()).collect();
    engine::encode_index_key(table, index, &parts, &mut key);
    let mut batch = RowBatch::new();
    batch.set_columns(ColumnSet::All);
    if !run.txn.get(table, index, &key, LockMode::Exclusive, &mut batch).await? {
        return Ok(None);
    }
    let view = batch.row(0);
    Ok(Some((view.to_ref(), view.to_values())))
}

/// ON DUPLICATE KEY UPDATE: 2 rows affected when the old row changed, 0 when it stayed (1 under CLIENT_FOUND_ROWS).
async fn update_duplicate(
    plan: &InsertPlan,
    inserted: &[Value],
    (old, mut values): (RowRef, Vec<Value>),
    run: &mut Run<'_>,
    out: &mut Inserted,
) -> Result<()> {
    let mut changes = Vec::with_capacity(plan.on_duplicate.len());
    apply_set((&plan.table, 0), &plan.on_duplicate, &mut values, inserted, &mut changes, plan.ignore, run)?;
    generate_changes(&plan.rules, (&plan.table, 0), &mut values, &mut changes, plan.ignore, run)?;
    if !plan.rules.checks.is_empty()
        && !changes.is_empty()
        && !checked(&plan.rules.checks, &values, plan.ignore, run).await?
    {
        return Ok(());
    }
    out.duplicates += 1;
    if let Some(id) = run.context.set_insert_id {
        out.insert_id = id;
    }
    if !changes.is_empty() && run.txn.update(&plan.table, &old, &changes).await? {
        out.affected += 2;
    } else if run.context.found_rows_flag {
        out.affected += 1;
    }
    Ok(())
}

/// Evaluates assignments left to right over `values` (each sees the ones before it), where the table's columns start at `base`; what differs from the old row goes to `changes`.
pub(crate) fn apply_set(
    (table, base): (&TableDef, usize),
    set: &[Set],
    values: &mut Vec<Value>,
    inserted: &[Value],
    changes: &mut Vec<(usize, Value)>,
    ignore: bool,
    run: &mut Run<'_>,
) -> Result<()> {
    changes.clear();
    let bend = ignore || run.context.strictness != Strictness::Strict;
    for Set { column: position, value } in set {
        let column = &table.columns[*position];
        let new = match value {
            None => {
                let seen = From { values: &*values, base };
                store::default_value((table, &seen), column, run, ignore)?
            }
            Some(expr) => {
                let mut e =
                    Eval { inserted, ..Eval::over(&*values as &dyn Columns, &run.params, run.context) };
                let value = expr.eval(&mut e)?;
                store::convert(&value, column, run, ignore)?
            }
        };
        let new = if new.is_null() && !column.nullable { store::not_null(column, run, bend)? } else { new };
        let old = &values[base + position];
        if !values::compare::same(&new, old, values::Collation::BINARY) || new.is_null() != old.is_null() {
            changes.retain(|(c, _)| c != position);
            changes.push((*position, new.clone()));
        }
        values[base + position] = new;
    }
    if !changes.is_empty() {
        for (position, column) in table.columns.iter().enumerate() {
            if column.on_update_now && !set.iter().any(|s| s.column == position) {
                changes.push((position, store::now(column, run)));
            }
        }
    }
    Ok(())
}
