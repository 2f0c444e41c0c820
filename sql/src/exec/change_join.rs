//! UPDATE and DELETE over a join: every row to change is found first, then each is changed once.
//!
//! A row that the join meets several times is changed by its first meeting, as in MySQL.

use super::change::Changed;
use super::insert::apply_set;
use super::join::Join;
use super::rules::{checked, generate_changes};
use super::sub::prepare;
use super::{Run, sort_key};
use crate::error::{Result, SqlError};
use crate::expr::{Columns, Eval};
use crate::plan::{ChangeJoinPlan, Target};
use engine::{ColumnSet, LockMode, RowBatch, RowRef};
use std::collections::HashSet;
use values::{Level, Value};

/// A joined row that is to be changed.
struct Found {
    order: Vec<u8>,
    /// The stored row of each target; `None` for NULLs of an outer join.
    rows: Vec<Option<RowRef>>,
    /// The join's columns.
    values: Vec<Value>,
}

/// Runs `plan`.
pub(crate) async fn run(plan: &ChangeJoinPlan, run: &mut Run<'_>) -> Result<Changed> {
    run.make_room(plan.sizes);
    let limit = super::change::limit(plan.limit.as_ref(), run)?;
    let mut found = collect(plan, run).await?;
    if !plan.order.is_empty() {
        found.sort_by(|a, b| a.order.cmp(&b.order));
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut out = Changed::default();
    let mut met: Vec<HashSet<Vec<u8>>> = plan.targets.iter().map(|_| HashSet::new()).collect();
    for row in found {
        for (at, target) in plan.targets.iter().enumerate() {
            let Some(stored) = &row.rows[at] else { continue };
            if !met[at].insert(identity(stored)) {
                continue;
            }
            run.tick().await?;
            change(plan, target, stored, &row.values, run, &mut out).await?;
        }
    }
    Ok(out)
}

async fn collect(plan: &ChangeJoinPlan, run: &mut Run<'_>) -> Result<Vec<Found>> {
    let width = plan.names.width();
    let mut found = Vec::new();
    let mut join = Join::new(&plan.join, None);
    while join.next(run).await? {
        let rows: Vec<Option<RowRef>> = plan.targets.iter().map(|t| join.row_ref(t.table)).collect();
        let row = join.row();
        prepare(&plan.subs, &row, &[], run).await?;
        let mut order = Vec::new();
        let mut e = Eval::over(&row, &run.params, run.context);
        for (expr, desc) in &plan.order {
            let value = expr.eval(&mut e)?;
            sort_key::append(&value, &expr.ty, *desc, &mut order);
        }
        let mut values = Vec::new();
        if !plan.delete {
            values.resize(width, Value::Null);
            plan.columns.iter().for_each(|&c| values[c] = row.column(c));
        }
        run.memory.take(order.len() + 200 * rows.len() + super::memory::row_bytes(&values))?;
        found.push(Found { order, rows, values });
    }
    join.close(run);
    Ok(found)
}

/// The row's primary key.
fn identity(row: &RowRef) -> Vec<u8> {
    row.key().to_vec()
}

async fn change(
    plan: &ChangeJoinPlan,
    target: &Target,
    row: &RowRef,
    joined: &[Value],
    run: &mut Run<'_>,
    out: &mut Changed,
) -> Result<()> {
    out.matched += 1;
    run.context.row_number = out.matched;
    if plan.delete {
        match run.txn.delete(&target.def, row).await {
            Ok(gone) => out.changed += u64::from(gone),
            Err(error) if plan.ignore && error.is_ignorable() => {
                let error = SqlError::from(error);
                run.context.warn(Level::Warning, error.code, error.message);
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(());
    }
    let joined = joined.to_vec();
    prepare(&target.subs, &joined, &[], run).await?;
    let mut changes = Vec::with_capacity(target.set.len());
    let mut values = joined;
    apply_set((&target.def, target.base), &target.set, &mut values, &[], &mut changes, plan.ignore, run)?;
    let of = (&*target.def, target.base);
    generate_changes(&target.rules, of, &mut values, &mut changes, plan.ignore, run)?;
    if changes.is_empty()
        || (!target.rules.checks.is_empty()
            && !checked(&target.rules.checks, &values, plan.ignore, run).await?)
    {
        return Ok(());
    }
    // The row as it is now: an earlier change of this statement may have moved it.
    let mut batch = RowBatch::new();
    batch.set_columns(ColumnSet::All);
    let row = if target.def.hidden_key() {
        row.clone()
    } else {
        let view = row.view();
        let parts: Vec<Value> = target.def.indexes[0].parts.iter().map(|p| view.value(p.column)).collect();
        let mut key = Vec::new();
        engine::encode_index_key(&target.def, 0, &parts, &mut key);
        if !run.txn.get(&target.def, 0, &key, LockMode::Exclusive, &mut batch).await? {
            return Ok(());
        }
        batch.row_ref(0)
    };
    match run.txn.update(&target.def, &row, &changes).await {
        Ok(changed) => out.changed += u64::from(changed),
        Err(error) if plan.ignore && error.is_ignorable() => {
            let error = SqlError::from(error);
            run.context.warn(Level::Warning, error.code, error.message);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
