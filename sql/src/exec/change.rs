//! UPDATE and DELETE: rows are found and locked, then changed; all are found before the first is changed where a change could meet them again.

use super::cursor::Cursor;
use super::insert::apply_set;
use super::rules::{checked, generate_changes};
use super::select::holds;
use super::{Run, sort_key};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Typed};
use crate::plan::ChangePlan;
use engine::{Isolation, LockMode, LockWait, RowBatch, RowLock, RowRef, RowView};
use values::{Level, Value};

/// What an UPDATE or DELETE did.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) matched: u64,
    pub(crate) changed: u64,
}

/// Rows collected before they are changed, when nothing asks for all of them at once.
const BATCH: usize = 1024;

/// The rows of an UPDATE or DELETE that match, each locked.
struct Search<'p> {
    plan: &'p ChangePlan,
    cursor: Cursor,
    /// READ COMMITTED looks at the last committed version of a row that another transaction has locked, and waits only if that matches.
    semi: bool,
    /// The version that was waited for, when there is one.
    newest: RowBatch,
}

impl<'p> Search<'p> {
    async fn open(plan: &'p ChangePlan, few: Option<u64>, run: &mut Run<'_>) -> Result<Search<'p>> {
        let access = &plan.access;
        let scans = access.index == 0 && !access.unique_point && access.filter.is_some();
        let semi = !plan.delete && scans && run.txn.isolation() == Isolation::ReadCommitted;
        let cursor = Cursor::open(run, access, LockMode::Exclusive, few).await?;
        Ok(Search { plan, cursor, semi, newest: RowBatch::new() })
    }

    /// The row that [`Search::next`] found.
    fn row(&self) -> RowView<'_> {
        if self.newest.is_empty() { self.cursor.row() } else { self.newest.row(0) }
    }

    async fn next(&mut self, run: &mut Run<'_>) -> Result<bool> {
        let access = &self.plan.access;
        loop {
            self.newest.clear();
            if self.semi {
                run.txn.set_lock_wait(LockWait::Semi);
            }
            let more = self.cursor.next(run, access).await;
            run.txn.set_lock_wait(LockWait::Wait);
            if !more? {
                return Ok(false);
            }
            if !holds(access.filter.as_ref(), &self.cursor.row(), run)? {
                self.cursor.reject(run, access);
                continue;
            }
            if self.cursor.row().lock() != RowLock::Missing {
                return Ok(true);
            }
            let row = self.cursor.row();
            let there = run.txn.lock_row(&access.table, row, LockMode::Exclusive, &mut self.newest).await?;
            if there && holds(access.filter.as_ref(), &self.newest.row(0), run)? {
                return Ok(true);
            }
            if there {
                run.txn.unlock_row(&access.table, self.newest.row(0));
            }
        }
    }
}

/// Runs `plan`.
pub(crate) async fn run(plan: &ChangePlan, run: &mut Run<'_>) -> Result<Changed> {
    run.context.written = std::sync::Arc::from(plan.access.table.name.as_str());
    let limit = limit(plan.limit.as_ref(), run)?;
    let mut out = Changed::default();
    if limit == 0 {
        return Ok(out);
    }
    // A scan over an index whose keys do not change may go on while its rows are changed.
    let whole = !plan.order.is_empty() || moves_keys(plan);
    let few = plan.access.filter.is_none().then_some(limit);
    let mut search = Search::open(plan, few, run).await?;
    if !whole && !plan.delete {
        // A row is changed where it lies.
        let mut found = 0u64;
        while found < limit && search.next(run).await? {
            found += 1;
            let row = search.row();
            update(plan, row, needed_values(plan, &row), run, &mut out).await?;
        }
        search.cursor.close(run);
        return Ok(out);
    }
    gathered(plan, search, limit, whole, run).await
}

/// Rows are found before they are changed.
async fn gathered(
    plan: &ChangePlan,
    mut search: Search<'_>,
    limit: u64,
    whole: bool,
    run: &mut Run<'_>,
) -> Result<Changed> {
    let mut out = Changed::default();
    let mut rows: Vec<(Vec<u8>, RowRef, Vec<Value>)> = Vec::new();
    let mut found = 0u64;
    loop {
        let more = search.next(run).await?;
        if more {
            let view = search.row();
            found += 1;
            let key = order_key(plan, &view, run)?;
            let values = if plan.delete { Vec::new() } else { needed_values(plan, &view) };
            run.memory.take(key.len() + 160 + super::memory::row_bytes(&values))?;
            rows.push((key, view.to_ref(), values));
        }
        let enough = plan.order.is_empty() && found >= limit;
        if !more || enough || (!whole && rows.len() >= BATCH) {
            if !plan.order.is_empty() {
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            for (key, row, values) in rows.drain(..) {
                run.memory.give(key.len() + 160 + super::memory::row_bytes(&values));
                if plan.delete {
                    out.matched += 1;
                    run.context.row_number = out.matched;
                    match run.txn.delete(&plan.access.table, &row).await {
                        Ok(gone) => out.changed += u64::from(gone),
                        Err(error) if plan.ignore && error.is_ignorable() => {
                            let error = SqlError::from(error);
                            run.context.warn(Level::Warning, error.code, error.message);
                        }
                        Err(error) => return Err(error.into()),
                    }
                } else {
                    update(plan, row.view(), values, run, &mut out).await?;
                }
                run.tick().await?;
            }
        }
        if !more || enough {
            search.cursor.close(run);
            return Ok(out);
        }
    }
}

/// The value of a LIMIT.
pub(super) fn limit(limit: Option<&Typed>, run: &mut Run<'_>) -> Result<u64> {
    let Some(limit) = limit else { return Ok(u64::MAX) };
    match limit.eval(&mut run.constant())? {
        Value::Int(n) => u64::try_from(n).map_err(|_| SqlError::new(1210, "Incorrect arguments to EXECUTE")),
        Value::UInt(n) => Ok(n),
        _ => Err(SqlError::new(1210, "Incorrect arguments to EXECUTE")),
    }
}

/// Does the statement change a column of the index it reads by, or of the primary key?
fn moves_keys(plan: &ChangePlan) -> bool {
    let read = &plan.access.index_def().parts;
    let primary = &plan.access.table.indexes[0].parts;
    let generated = plan.rules.generated.iter().map(|g| g.column);
    plan.set
        .iter()
        .map(|s| s.column)
        .chain(generated)
        .any(|c| read.iter().chain(primary).any(|p| p.column == c))
        || plan
            .access
            .table
            .columns
            .iter()
            .enumerate()
            .any(|(i, c)| c.on_update_now && !plan.set.is_empty() && read.iter().any(|p| p.column == i))
}

fn order_key(plan: &ChangePlan, view: &engine::RowView<'_>, run: &mut Run<'_>) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    let mut e = Eval::over(view, &run.params, run.context);
    for (expr, desc) in &plan.order {
        let value = expr.eval(&mut e)?;
        sort_key::append(&value, &expr.ty, *desc, &mut key);
    }
    Ok(key)
}

/// The row's values at their positions; columns that the statement does not read stay NULL.
fn needed_values(plan: &ChangePlan, view: &engine::RowView<'_>) -> Vec<Value> {
    let mut values = vec![Value::Null; plan.access.table.columns.len()];
    for &column in &plan.access.columns {
        values[column] = view.value(column);
    }
    values
}

async fn update(
    plan: &ChangePlan,
    row: RowView<'_>,
    mut values: Vec<Value>,
    run: &mut Run<'_>,
    out: &mut Changed,
) -> Result<()> {
    let table = &plan.access.table;
    out.matched += 1;
    run.context.row_number = out.matched;
    let mut changes = Vec::with_capacity(plan.set.len());
    apply_set((table, 0), &plan.set, &mut values, &[], &mut changes, plan.ignore, run)?;
    generate_changes(&plan.rules, (table, 0), &mut values, &mut changes, plan.ignore, run)?;
    if changes.is_empty()
        || (!plan.rules.checks.is_empty() && !checked(&plan.rules.checks, &values, plan.ignore, run).await?)
    {
        return Ok(());
    }
    match run.txn.update_row(table, row, &changes).await {
        Ok(changed) => out.changed += u64::from(changed),
        Err(error) if plan.ignore && error.is_ignorable() => {
            let error = SqlError::from(error);
            run.context.warn(Level::Warning, error.code, error.message);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
