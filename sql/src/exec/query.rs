//! Query expressions: SELECTs, set operations, common table expressions.

use super::memory::row_bytes;
use super::output::{Format, ValuesRow};
use super::select::{self, Target, Window, window};
use super::{Run, sort_key, sub};
use crate::ast::SetOp;
use crate::error::{Result, SqlError};
use crate::expr::{Eval, NoRow, Ty, Typed};
use crate::plan::{BodyPlan, CtePlan, QueryPlan, Tail};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use values::Value;

/// Rows that several readers share.
pub(crate) type Rows = Arc<Vec<Vec<Value>>>;

/// A future in a box: queries stand in queries.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The rows of a query, at most `max`; the query's memory has paid for them.
pub(crate) fn rows<'a, 'r: 'a>(
    plan: &'a QueryPlan,
    run: &'a mut Run<'r>,
    max: usize,
) -> Boxed<'a, Vec<Vec<Value>>> {
    Box::pin(async move {
        let mut rows = Vec::new();
        self::run(plan, run, &mut Target::Rows { rows: &mut rows, max }).await?;
        Ok(rows)
    })
}

/// Runs `plan`; the number of rows as [`select::run`] says.
pub(crate) async fn run(plan: &QueryPlan, run: &mut Run<'_>, target: &mut Target<'_, '_>) -> Result<u64> {
    for id in &plan.ctes {
        run.ctes.remove(id);
    }
    if let Target::Client(output) = target {
        output.start(&plan.columns, run.context.settings.results);
    }
    match &plan.body {
        BodyPlan::Select(select) => select::run(select, run, target).await,
        _ => Box::pin(run_combined(plan, run, target)).await,
    }
}

/// A query that is no single SELECT.
async fn run_combined(plan: &QueryPlan, run: &mut Run<'_>, target: &mut Target<'_, '_>) -> Result<u64> {
    match &plan.body {
        BodyPlan::Select(select) => select::run(select, run, target).await,
        BodyPlan::Set { op: SetOp::Union, all: true, left, right, tail } if is_nothing(tail) => {
            let first = nested(left, run, target).await?;
            Ok(first + nested(right, run, target).await?)
        }
        BodyPlan::Set { op, all, left, right, tail } => {
            let rows = set_operation(*op, *all, left, right, &plan.tys, run).await?;
            send(rows, tail, run, target).await
        }
        BodyPlan::Values { rows, subs, tail } => {
            let mut out = Vec::with_capacity(rows.len());
            sub::prepare(subs, &NoRow, &[], run).await?;
            for row in rows {
                let mut e = run.constant();
                let values = row.iter().map(|v| v.eval(&mut e)).collect::<Result<Vec<_>>>()?;
                run.memory.take(row_bytes(&values))?;
                out.push(values);
            }
            send(out, tail, run, target).await
        }
        BodyPlan::Nested { query, tail } => {
            let inner = rows(query, run, usize::MAX).await?;
            send(inner, tail, run, target).await
        }
        BodyPlan::Convert { query, items } => {
            let mut inner = rows(query, run, usize::MAX).await?;
            for row in &mut inner {
                *row = converted(items, std::mem::take(row), run)?;
            }
            send(inner, &Tail::default(), run, target).await
        }
    }
}

fn converted(items: &[Typed], row: Vec<Value>, run: &mut Run<'_>) -> Result<Vec<Value>> {
    let mut e = Eval::over(&row, &run.params, run.context);
    items.iter().map(|item| item.eval(&mut e)).collect()
}

fn is_nothing(tail: &Tail) -> bool {
    tail.order.is_empty() && tail.limit.is_none() && tail.offset.is_none()
}

fn nested<'a, 'r: 'a, 't: 'a, 'o: 'a>(
    plan: &'a QueryPlan,
    run: &'a mut Run<'r>,
    target: &'a mut Target<'t, 'o>,
) -> Boxed<'a, u64> {
    Box::pin(self::run(plan, run, target))
}

async fn set_operation(
    op: SetOp,
    all: bool,
    left: &QueryPlan,
    right: &QueryPlan,
    tys: &[Ty],
    run: &mut Run<'_>,
) -> Result<Vec<Vec<Value>>> {
    let mut first = rows(left, run, usize::MAX).await?;
    let second = rows(right, run, usize::MAX).await?;
    let key = |row: &[Value]| {
        let mut key = Vec::new();
        row.iter().zip(tys).for_each(|(value, ty)| sort_key::append(value, ty, false, &mut key));
        key
    };
    if op == SetOp::Union {
        first.extend(second);
        if !all {
            distinct(&mut first, &mut HashSet::new(), tys, run)?;
        }
        return Ok(first);
    }
    let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
    for row in second {
        run.tick().await?;
        let key = key(&row);
        run.memory.take(key.len() + 64)?;
        *counts.entry(key).or_default() += 1;
        run.memory.give(row_bytes(&row));
    }
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for row in first {
        run.tick().await?;
        let key = key(&row);
        let keep = match (op, all, counts.get_mut(&key)) {
            (SetOp::Intersect, false, Some(_)) | (SetOp::Except, false, None) => seen.insert(key),
            (SetOp::Intersect, true, Some(n)) if *n > 0 => {
                *n -= 1;
                true
            }
            (SetOp::Except, true, Some(n)) if *n > 0 => {
                *n -= 1;
                false
            }
            (SetOp::Except, true, _) => true,
            _ => false,
        };
        if keep {
            out.push(row);
        } else {
            run.memory.give(row_bytes(&row));
        }
    }
    Ok(out)
}

/// Drops the rows that `seen` holds, and remembers the others.
fn distinct(
    rows: &mut Vec<Vec<Value>>,
    seen: &mut HashSet<Vec<u8>>,
    tys: &[Ty],
    run: &mut Run<'_>,
) -> Result<()> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows.drain(..) {
        let mut key = Vec::new();
        row.iter().zip(tys).for_each(|(value, ty)| sort_key::append(value, ty, false, &mut key));
        if seen.contains(&key) {
            run.memory.give(row_bytes(&row));
            continue;
        }
        run.memory.take(key.len() + 64)?;
        seen.insert(key);
        kept.push(row);
    }
    *rows = kept;
    Ok(())
}

/// Sorts, cuts and sends rows.
async fn send(
    rows: Vec<Vec<Value>>,
    tail: &Tail,
    run: &mut Run<'_>,
    target: &mut Target<'_, '_>,
) -> Result<u64> {
    let Window { skip, take } = window(tail.limit.as_ref(), tail.offset.as_ref(), target, run)?;
    let mut keyed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut key = Vec::new();
        let mut e = Eval::over(&row, &run.params, run.context);
        for (expr, desc) in &tail.order {
            let value = expr.eval(&mut e)?;
            sort_key::append(&value, &expr.ty, *desc, &mut key);
        }
        run.memory.take(key.len() + 24)?;
        keyed.push((key, row));
    }
    if !tail.order.is_empty() {
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let format = Format::of(run);
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    let take = usize::try_from(take).unwrap_or(usize::MAX);
    let mut sent = 0;
    for (_, values) in keyed.into_iter().skip(skip).take(take) {
        sent += 1;
        match target {
            Target::Client(output) => {
                if output.row(&ValuesRow { values: &values, format }) {
                    output.flush(run).await?;
                }
            }
            Target::Rows { rows, max } => {
                if rows.len() >= *max {
                    break;
                }
                rows.push(values);
            }
        }
    }
    Ok(sent)
}

/// The rows of a common table expression, made at its first use.
pub(crate) fn cte<'a, 'r: 'a>(plan: &'a CtePlan, run: &'a mut Run<'r>) -> Boxed<'a, Rows> {
    Box::pin(async move {
        if let Some(rows) = run.ctes.get(&plan.id) {
            return Ok(rows.clone());
        }
        let mut all = rows(&plan.query, run, usize::MAX).await?;
        if !plan.recursive.is_empty() {
            recurse(plan, &mut all, run).await?;
        }
        let all = Arc::new(all);
        run.ctes.insert(plan.id, all.clone());
        Ok(all)
    })
}

async fn recurse(plan: &CtePlan, all: &mut Vec<Vec<Value>>, run: &mut Run<'_>) -> Result<()> {
    let limit: u64 = run.context.variables.named("cte_max_recursion_depth").parse().unwrap_or(1000);
    let mut seen = HashSet::new();
    if plan.distinct {
        distinct(all, &mut seen, &plan.query.tys, run)?;
    }
    let mut round = all.clone();
    let mut rounds = 0u64;
    while !round.is_empty() {
        rounds += 1;
        if rounds > limit {
            return Err(SqlError::new(
                3636,
                format!(
                    "Recursive query aborted after {rounds} iterations. Try increasing @@cte_max_recursion_depth to a larger value."
                ),
            ));
        }
        run.kill.check(run.env.now_us())?;
        run.ctes.insert(plan.id, Arc::new(round));
        let mut next = Vec::new();
        for part in &plan.recursive {
            next.extend(rows(part, run, usize::MAX).await?);
        }
        if plan.distinct {
            distinct(&mut next, &mut seen, &plan.query.tys, run)?;
        }
        all.extend(next.iter().cloned());
        round = next;
    }
    Ok(())
}
