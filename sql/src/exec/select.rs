//! SELECT.
//!
//! ```text
//!   source ─filter─┬──────────────────────────> project ─ limit ─> client          (nothing to collect)
//!                  ├─ group ─ having ─┐
//!                  └──────────────────┴─ project ─ distinct ─ sort ─ limit ─> client
//! ```

use super::cursor::Cursor;
use super::group::{GroupRow, Groups};
use super::join::Join;
use super::memory::row_bytes;
use super::output::{Format, Output, ValuesRow, ViewRow};
use super::sub::prepare;
use super::{Run, sort_key};
use crate::error::Result;
use crate::expr::{Columns, Eval, NoRow, Node, Typed};
use crate::plan::access::Access;
use crate::plan::{SelectPlan, Source};
use std::collections::HashSet;
use values::Value;

/// Where result rows go: the client, or memory.
pub(crate) enum Target<'a, 'b> {
    Client(&'a mut Output<'b>),
    /// At most `max` are wanted.
    Rows {
        rows: &'a mut Vec<Vec<Value>>,
        max: usize,
    },
}

impl Target<'_, '_> {
    fn is_full(&self) -> bool {
        matches!(self, Target::Rows { rows, max } if rows.len() >= *max)
    }
}

/// LIMIT's numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) skip: u64,
    pub(crate) take: u64,
}

/// Runs `plan`; returns the number of rows that there would be without LIMIT when the plan asks for it, else those sent.
pub(crate) async fn run(plan: &SelectPlan, run: &mut Run<'_>, target: &mut Target<'_, '_>) -> Result<u64> {
    let window = window(plan.limit.as_ref(), plan.offset.as_ref(), target, run)?;
    if let Target::Client(output) = target {
        output.start(&plan.columns, run.context.settings.results);
    }
    if window.take == 0 && !plan.calc_found_rows {
        return Ok(0);
    }
    let collects =
        plan.group.is_some() || plan.distinct || !plan.order.is_empty() || !plan.windows.is_empty();
    match &plan.source {
        Source::Table(access) if !collects => match Cursor::open_point(run, access, plan.lock).await? {
            Some(mut cursor) => {
                let mut stream = Stream::new(plan, window, run);
                if cursor.step() {
                    stream.offer(&cursor, access, run, target).await?;
                }
                cursor.close(run);
                Ok(stream.found)
            }
            None => Box::pin(stream_table(plan, access, run, window, target)).await,
        },
        // Boxed: the future of a session is as large as the largest of its statements' futures.
        _ => Box::pin(run_gathering(plan, run, window, collects, target)).await,
    }
}

/// A SELECT whose rows are gathered, joined or made up.
async fn run_gathering(
    plan: &SelectPlan,
    run: &mut Run<'_>,
    window: Window,
    collects: bool,
    target: &mut Target<'_, '_>,
) -> Result<u64> {
    match &plan.source {
        Source::Table(access) => {
            let mut feed = Feed::new(plan, window);
            let mut cursor = Cursor::open(run, access, plan.lock, None).await?;
            while cursor.next(run, access).await? {
                let view = cursor.row();
                if holds(access.filter.as_ref(), &view, run)? {
                    feed.take(&view, run, target).await?;
                } else {
                    cursor.reject(run, access);
                }
            }
            cursor.close(run);
            feed.finish(run, target).await
        }
        Source::One { filter } => {
            let mut feed = Feed::new(plan, window);
            prepare(&filter.subs, &NoRow, &[], run).await?;
            if holds(filter.expr.as_ref(), &NoRow, run)? {
                feed.take(&NoRow, run, target).await?;
            }
            feed.finish(run, target).await
        }
        Source::Join(join) => {
            let mut feed = Feed::new(plan, window);
            let few =
                (!collects && plan.having.expr.is_none()).then(|| window.skip.saturating_add(window.take));
            let mut join = Join::new(join, few);
            while !feed.done && join.next(run).await? {
                feed.take(&join.row(), run, target).await?;
            }
            join.close(run);
            feed.finish(run, target).await
        }
    }
}

/// LIMIT and OFFSET; sql_select_limit is for clients.
pub(crate) fn window(
    limit: Option<&Typed>,
    offset: Option<&Typed>,
    target: &Target<'_, '_>,
    run: &mut Run<'_>,
) -> Result<Window> {
    let everything = match target {
        Target::Client(_) => run.context.settings.sql_select_limit,
        Target::Rows { .. } => u64::MAX,
    };
    let mut e = run.constant();
    let mut number = |expr: Option<&Typed>, default: u64| match expr {
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
    Ok(Window { skip: number(offset, 0)?, take: number(limit, everything)? })
}

fn bad_limit() -> crate::error::SqlError {
    crate::error::SqlError::new(1210, "Incorrect arguments to EXECUTE")
}

pub(crate) fn holds(filter: Option<&Typed>, row: &dyn Columns, run: &mut Run<'_>) -> Result<bool> {
    match filter {
        None => Ok(true),
        Some(filter) => filter.holds(&mut Eval::over(row, &run.params, run.context)),
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
    let few = (access.filter.is_none() && plan.having.expr.is_none())
        .then(|| window.skip.saturating_add(window.take));
    let mut cursor = Cursor::open(run, access, plan.lock, few).await?;
    let mut stream = Stream::new(plan, window, run);
    while !stream.done && cursor.next(run, access).await? {
        stream.offer(&cursor, access, run, target).await?;
    }
    cursor.close(run);
    Ok(stream.found)
}

/// A SELECT whose rows go out as they are found.
struct Stream<'p> {
    plan: &'p SelectPlan,
    window: Window,
    format: Format,
    /// Every item is a column.
    plain: bool,
    computed: Vec<Value>,
    found: u64,
    /// LIMIT is reached.
    done: bool,
}

impl<'p> Stream<'p> {
    fn new(plan: &'p SelectPlan, window: Window, run: &Run<'_>) -> Stream<'p> {
        let plain = plan.items.iter().all(|i| matches!(i.node, Node::Column(_)));
        let computed = if plain { Vec::new() } else { vec![Value::Null; plan.items.len()] };
        Stream { plan, window, format: Format::of(run), plain, computed, found: 0, done: false }
    }

    /// Judges the cursor's row and sends it.
    async fn offer(
        &mut self,
        cursor: &Cursor,
        access: &Access,
        run: &mut Run<'_>,
        target: &mut Target<'_, '_>,
    ) -> Result<()> {
        if self.judge(cursor, access, run, target)?
            && let Target::Client(output) = &mut *target
        {
            output.flush(run).await?;
        }
        let enough = self.found >= self.window.skip.saturating_add(self.window.take);
        self.done = (enough && !self.plan.calc_found_rows) || target.is_full();
        Ok(())
    }

    /// True when the target must be flushed.
    fn judge(
        &mut self,
        cursor: &Cursor,
        access: &Access,
        run: &mut Run<'_>,
        target: &mut Target<'_, '_>,
    ) -> Result<bool> {
        let (plan, view) = (self.plan, cursor.row());
        if !holds(access.filter.as_ref(), &view, run)? {
            cursor.reject(run, access);
            return Ok(false);
        }
        if !holds(plan.having.expr.as_ref(), &view, run)? {
            return Ok(false);
        }
        self.found += 1;
        if self.found <= self.window.skip || self.found - self.window.skip > self.window.take {
            return Ok(false);
        }
        if !self.plain {
            compute(&plan.items, &view, &mut self.computed, run)?;
        }
        match target {
            Target::Client(output) => {
                let computed = &self.computed;
                Ok(output.row(&ViewRow { view, items: &plan.items, computed, format: self.format }))
            }
            Target::Rows { rows, .. } => {
                let row = project(&plan.items, &view, &[], run)?;
                run.memory.take(row_bytes(&row))?;
                rows.push(row);
                Ok(false)
            }
        }
    }
}

/// The items that are no plain columns.
fn compute(items: &[Typed], row: &dyn Columns, out: &mut [Value], run: &mut Run<'_>) -> Result<()> {
    let mut e = Eval::over(row, &run.params, run.context);
    for (item, value) in items.iter().zip(out) {
        if !matches!(item.node, Node::Column(_)) {
            *value = item.eval(&mut e)?;
        }
    }
    Ok(())
}

fn project(items: &[Typed], row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<Vec<Value>> {
    let mut e = Eval { groups, ..Eval::over(row, &run.params, run.context) };
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
        let mut e = Eval { groups, ..Eval::over(row, &run.params, run.context) };
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
                Target::Rows { rows, max } => {
                    if rows.len() >= *max {
                        break;
                    }
                    rows.push(values);
                }
            }
        }
        Ok(self.found)
    }
}

/// A SELECT's rows on their way from the source to the target.
struct Feed<'p> {
    plan: &'p SelectPlan,
    window: Window,
    /// Rows go out as they come.
    streams: bool,
    collector: Collector<'p>,
    groups: Option<Groups>,
    /// Rows kept for window functions.
    kept: Vec<GroupRow>,
    columns: Vec<usize>,
    computed: Vec<Value>,
    found: u64,
    /// LIMIT is reached.
    done: bool,
}

impl<'p> Feed<'p> {
    fn new(plan: &'p SelectPlan, window: Window) -> Feed<'p> {
        let gathers = plan.group.is_some() || !plan.windows.is_empty();
        let columns = if gathers { outer_columns(plan) } else { Vec::new() };
        let width = plan.names.width();
        Feed {
            plan,
            window,
            streams: !gathers && !plan.distinct && plan.order.is_empty(),
            collector: Collector::new(plan, window),
            groups: plan.group.as_ref().map(|_| Groups::new(columns.clone(), width)),
            kept: Vec::new(),
            columns,
            computed: Vec::new(),
            found: 0,
            done: false,
        }
    }

    /// Takes a row that fulfils WHERE.
    async fn take(
        &mut self,
        row: &dyn Columns,
        run: &mut Run<'_>,
        target: &mut Target<'_, '_>,
    ) -> Result<()> {
        let plan = self.plan;
        if let (Some(groups), Some(spec)) = (&mut self.groups, &plan.group) {
            prepare(&spec.subs, row, &[], run).await?;
            return groups.add(spec, row, run);
        }
        if !having(plan, row, &[], run).await? {
            return Ok(());
        }
        if !plan.windows.is_empty() {
            let mut kept = vec![Value::Null; plan.names.width()];
            self.columns.iter().for_each(|&c| kept[c] = row.column(c));
            run.memory.take(row_bytes(&kept) + 64)?;
            self.kept.push(GroupRow { row: kept, results: Vec::new() });
            return Ok(());
        }
        if !self.streams {
            prepare(&plan.subs, row, &[], run).await?;
            return self.collector.add(row, &[], run);
        }
        self.found += 1;
        let Window { skip, take } = self.window;
        let here = self.found > skip && self.found - skip <= take;
        self.done = self.found >= skip.saturating_add(take) && !plan.calc_found_rows;
        if here {
            prepare(&plan.subs, row, &[], run).await?;
            self.send(row, run, target).await?;
        }
        self.done |= target.is_full();
        Ok(())
    }

    async fn send(
        &mut self,
        row: &dyn Columns,
        run: &mut Run<'_>,
        target: &mut Target<'_, '_>,
    ) -> Result<()> {
        self.computed.clear();
        let mut e = Eval::over(row, &run.params, run.context);
        for item in &self.plan.items {
            let value = item.eval(&mut e)?;
            self.computed.push(value);
        }
        match target {
            Target::Client(output) => {
                let format = Format::of(run);
                if output.row(&ValuesRow { values: &self.computed, format }) {
                    output.flush(run).await?;
                }
            }
            Target::Rows { rows, .. } => {
                run.memory.take(row_bytes(&self.computed))?;
                rows.push(std::mem::take(&mut self.computed));
            }
        }
        Ok(())
    }

    /// There are no more rows; the number found.
    async fn finish(mut self, run: &mut Run<'_>, target: &mut Target<'_, '_>) -> Result<u64> {
        if self.streams {
            return Ok(self.found);
        }
        let plan = self.plan;
        if let (Some(groups), Some(spec)) = (self.groups.take(), &plan.group) {
            for group in groups.finish(spec, run)? {
                run.tick().await?;
                if having(plan, &group.row, &group.results, run).await? {
                    self.kept.push(group);
                }
            }
        }
        if !plan.windows.is_empty() {
            super::window::compute(&plan.windows, &mut self.kept, run).await?;
        }
        for GroupRow { row, results } in &self.kept {
            run.tick().await?;
            prepare(&plan.subs, row, results, run).await?;
            self.collector.add(row, results, run)?;
        }
        self.collector.send(run, self.window, target).await
    }
}

async fn having(plan: &SelectPlan, row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<bool> {
    let Some(expr) = &plan.having.expr else { return Ok(true) };
    prepare(&plan.having.subs, row, groups, run).await?;
    expr.holds(&mut Eval { groups, ..Eval::over(row, &run.params, run.context) })
}

/// Columns that the expressions behind the grouping read.
fn outer_columns(plan: &SelectPlan) -> Vec<usize> {
    let mut columns = Vec::new();
    let order = plan.order.iter().map(|(e, _)| e);
    let windows = plan.windows.iter().flat_map(crate::bind::window::BoundWindow::exprs);
    for expr in plan.items.iter().chain(&plan.having.expr).chain(order).chain(windows) {
        expr.columns(&mut columns);
    }
    columns
}
