//! SELECT.
//!
//! ```text
//!   source ─filter─┬──────────────────────────> project ─ limit ─> client          (nothing to collect)
//!                  ├─ group ─ having ─┐
//!                  └──────────────────┴─ project ─ distinct ─ sort ─ limit ─> client
//! ```

use super::cursor::Cursor;
use super::group::{GroupRow, Groups};
use super::memory::row_bytes;
use super::output::{Format, Output, ValuesRow, ViewRow};
use super::{Run, sort_key};
use crate::error::Result;
use crate::expr::{Columns, Eval, NoRow, Node, Typed};
use crate::plan::access::Access;
use crate::plan::{SelectPlan, Source};
use std::collections::HashSet;
use values::Value;

/// Where result rows go: the client, or INSERT ... SELECT.
pub(crate) enum Target<'a, 'b> {
    Client(&'a mut Output<'b>),
    Rows(&'a mut Vec<Vec<Value>>),
}

/// LIMIT's numbers.
#[derive(Debug, Clone, Copy)]
struct Window {
    skip: u64,
    take: u64,
}

/// Runs `plan`; returns the number of rows that there would be without LIMIT when the plan asks for it, else those sent.
pub(crate) async fn run(plan: &SelectPlan, run: &mut Run<'_>, target: &mut Target<'_, '_>) -> Result<u64> {
    let window = window(plan, run)?;
    if let Target::Client(output) = target {
        output.start(&plan.columns);
    }
    if window.take == 0 && !plan.calc_found_rows {
        return Ok(0);
    }
    let collects = plan.group.is_some() || plan.distinct || !plan.order.is_empty();
    let found = match &plan.source {
        Source::Table(access) if collects => collect_table(plan, access, run, window, target).await?,
        Source::Table(access) => stream_table(plan, access, run, window, target).await?,
        Source::One { filter } => {
            let rows = if holds(filter.as_ref(), &NoRow, run)? { vec![Vec::new()] } else { Vec::new() };
            collect_rows(plan, rows, None, run, window, target).await?
        }
        Source::Virtual { table, filter } => {
            let rows = table.rows().await;
            collect_rows(plan, rows, filter.as_ref(), run, window, target).await?
        }
    };
    Ok(found)
}

fn window(plan: &SelectPlan, run: &mut Run<'_>) -> Result<Window> {
    let everything = run.context.settings.sql_select_limit;
    let mut e = run.constant();
    let mut number = |expr: &Option<Typed>, default: u64| match expr {
        None => Ok(default),
        Some(expr) => match expr.eval(&mut e)? {
            Value::Int(n) => u64::try_from(n).map_err(|_| bad_limit()),
            Value::UInt(n) => Ok(n),
            other => {
                match other.as_bytes().and_then(|b| std::str::from_utf8(b).ok()).and_then(|s| s.parse().ok())
                {
                    Some(n) => Ok(n),
                    None => Err(bad_limit()),
                }
            }
        },
    };
    Ok(Window { skip: number(&plan.offset, 0)?, take: number(&plan.limit, everything)? })
}

fn bad_limit() -> crate::error::SqlError {
    crate::error::SqlError::new(1210, "Incorrect arguments to EXECUTE")
}

pub(crate) fn holds(filter: Option<&Typed>, row: &dyn Columns, run: &mut Run<'_>) -> Result<bool> {
    match filter {
        None => Ok(true),
        Some(filter) => filter.holds(&mut Eval::over(row, run.params, run.context)),
    }
}

/// Rows as they are found.
async fn stream_table(
    plan: &SelectPlan,
    access: &Access,
    run: &mut Run<'_>,
    window: Window,
    target: &mut Target<'_, '_>,
) -> Result<u64> {
    let few =
        (access.filter.is_none() && plan.having.is_none()).then(|| window.skip.saturating_add(window.take));
    let mut cursor = Cursor::open(run, access, plan.lock, few).await?;
    let format = Format::of(run);
    let plain = plan.items.iter().all(|i| matches!(i.node, Node::Column(_)));
    let mut computed = if plain { Vec::new() } else { vec![Value::Null; plan.items.len()] };
    let mut found = 0u64;
    while cursor.next(run, access).await? {
        let full = {
            let view = cursor.row();
            if !holds(access.filter.as_ref(), &view, run)? || !holds(plan.having.as_ref(), &view, run)? {
                continue;
            }
            found += 1;
            if found <= window.skip || found - window.skip > window.take {
                false
            } else {
                if !plain {
                    compute(&plan.items, &view, &mut computed, run)?;
                }
                match target {
                    Target::Client(output) => {
                        output.row(&ViewRow { view, items: &plan.items, computed: &computed, format })
                    }
                    Target::Rows(rows) => {
                        let row = project(&plan.items, &view, &[], run)?;
                        run.memory.take(row_bytes(&row))?;
                        rows.push(row);
                        false
                    }
                }
            }
        };
        if let (true, Target::Client(output)) = (full, &mut *target) {
            output.flush(run).await?;
        }
        if found >= window.skip.saturating_add(window.take) && !plan.calc_found_rows {
            break;
        }
    }
    cursor.close(run);
    Ok(found)
}

/// The items that are no plain columns.
fn compute(items: &[Typed], row: &dyn Columns, out: &mut [Value], run: &mut Run<'_>) -> Result<()> {
    let mut e = Eval::over(row, run.params, run.context);
    for (item, value) in items.iter().zip(out) {
        if !matches!(item.node, Node::Column(_)) {
            *value = item.eval(&mut e)?;
        }
    }
    Ok(())
}

fn project(items: &[Typed], row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<Vec<Value>> {
    let mut e = Eval { groups, ..Eval::over(row, run.params, run.context) };
    items.iter().map(|item| item.eval(&mut e)).collect()
}

/// Rows on their way through DISTINCT, ORDER BY and LIMIT.
struct Collector<'p> {
    plan: &'p SelectPlan,
    /// Sort key and row.
    rows: Vec<(Vec<u8>, Vec<Value>)>,
    seen: HashSet<Vec<u8>>,
    /// With ORDER BY and LIMIT: more than twice so many rows are never kept.
    keep: Option<usize>,
    found: u64,
}

impl<'p> Collector<'p> {
    fn new(plan: &'p SelectPlan, window: Window) -> Collector<'p> {
        let bound = usize::try_from(window.skip.saturating_add(window.take)).ok().filter(|n| *n < 1 << 20);
        let keep = if plan.order.is_empty() { None } else { bound };
        Collector { plan, rows: Vec::new(), seen: HashSet::new(), keep, found: 0 }
    }

    fn add(&mut self, row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<()> {
        let values = project(&self.plan.items, row, groups, run)?;
        if self.plan.distinct {
            let mut key = Vec::new();
            for (value, item) in values.iter().zip(&self.plan.items) {
                sort_key::append(value, &item.ty, false, &mut key);
            }
            if self.seen.contains(&key) {
                return Ok(());
            }
            run.memory.take(key.len() + 64)?;
            self.seen.insert(key);
        }
        self.found += 1;
        let mut key = Vec::new();
        let mut e = Eval { groups, ..Eval::over(row, run.params, run.context) };
        for (expr, desc) in &self.plan.order {
            let value = expr.eval(&mut e)?;
            sort_key::append(&value, &expr.ty, *desc, &mut key);
        }
        run.memory.take(row_bytes(&values) + key.len() + 48)?;
        self.rows.push((key, values));
        if let Some(keep) = self.keep
            && self.rows.len() > 2 * keep + 256
        {
            self.sort();
            for (key, values) in self.rows.drain(keep..) {
                run.memory.give(row_bytes(&values) + key.len() + 48);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        if !self.plan.order.is_empty() {
            self.rows.sort_by(|a, b| a.0.cmp(&b.0)); // stable: rows of equal keys stay in the order found
        }
    }

    async fn send(mut self, run: &mut Run<'_>, window: Window, target: &mut Target<'_, '_>) -> Result<u64> {
        self.sort();
        let format = Format::of(run);
        let skip = usize::try_from(window.skip).unwrap_or(usize::MAX);
        let take = usize::try_from(window.take).unwrap_or(usize::MAX);
        for (_, values) in self.rows.into_iter().skip(skip).take(take) {
            match target {
                Target::Client(output) => {
                    if output.row(&ValuesRow { values: &values, format }) {
                        output.flush(run).await?;
                    }
                }
                Target::Rows(rows) => rows.push(values),
            }
        }
        Ok(self.found)
    }
}

async fn collect_table(
    plan: &SelectPlan,
    access: &Access,
    run: &mut Run<'_>,
    window: Window,
    target: &mut Target<'_, '_>,
) -> Result<u64> {
    let mut cursor = Cursor::open(run, access, plan.lock, None).await?;
    let mut collector = Collector::new(plan, window);
    let mut groups =
        plan.group.as_ref().map(|_| Groups::new(outer_columns(plan), access.table.columns.len()));
    while cursor.next(run, access).await? {
        let view = cursor.row();
        if !holds(access.filter.as_ref(), &view, run)? {
            continue;
        }
        match (&mut groups, &plan.group) {
            (Some(groups), Some(spec)) => groups.add(spec, &view, run)?,
            _ => {
                if holds(plan.having.as_ref(), &view, run)? {
                    collector.add(&view, &[], run)?;
                }
            }
        }
    }
    cursor.close(run);
    if let (Some(groups), Some(spec)) = (groups, &plan.group) {
        let rows = groups.finish(spec, run)?;
        collect_groups(plan, rows, &mut collector, run).await?;
    }
    collector.send(run, window, target).await
}

/// Rows that are in memory already: no table, a virtual one.
async fn collect_rows(
    plan: &SelectPlan,
    rows: Vec<Vec<Value>>,
    filter: Option<&Typed>,
    run: &mut Run<'_>,
    window: Window,
    target: &mut Target<'_, '_>,
) -> Result<u64> {
    let mut collector = Collector::new(plan, window);
    let width = plan.table.as_ref().map_or(0, |t| t.columns.len());
    let mut groups = plan.group.as_ref().map(|_| Groups::new(outer_columns(plan), width));
    for row in &rows {
        run.tick().await?;
        if !holds(filter, row, run)? {
            continue;
        }
        match (&mut groups, &plan.group) {
            (Some(groups), Some(spec)) => groups.add(spec, row, run)?,
            _ => {
                if holds(plan.having.as_ref(), row, run)? {
                    collector.add(row, &[], run)?;
                }
            }
        }
    }
    if let (Some(groups), Some(spec)) = (groups, &plan.group) {
        let rows = groups.finish(spec, run)?;
        collect_groups(plan, rows, &mut collector, run).await?;
    }
    collector.send(run, window, target).await
}

async fn collect_groups(
    plan: &SelectPlan,
    rows: Vec<GroupRow>,
    collector: &mut Collector<'_>,
    run: &mut Run<'_>,
) -> Result<()> {
    for GroupRow { row, results } in &rows {
        run.tick().await?;
        if let Some(having) = &plan.having {
            let mut e = Eval { groups: results, ..Eval::over(row, run.params, run.context) };
            if !having.holds(&mut e)? {
                continue;
            }
        }
        collector.add(row, results, run)?;
    }
    Ok(())
}

/// Columns that the expressions behind the grouping read.
fn outer_columns(plan: &SelectPlan) -> Vec<usize> {
    let mut columns = Vec::new();
    let order = plan.order.iter().map(|(e, _)| e);
    for expr in plan.items.iter().chain(&plan.having).chain(order) {
        expr.columns(&mut columns);
    }
    columns
}
