//! A join being run: one step inside the other, iteratively.
//!
//! ```text
//!   open 0 ─ row ─ open 1 ─ row ─ open 2 ─ row ──> a joined row        exhausted: back to the step before
//! ```
//! A nest whose first step is exhausted without a match gives one row of NULLs; see [`crate::plan::join`].

use super::Run;
use super::cursor::Cursor;
use super::memory::row_bytes;
use super::query::{self, Rows};
use super::select::holds;
use super::sub::{append_one, prepare};
use crate::error::Result;
use crate::expr::{Columns, Eval, NoRow, Typed};
use crate::plan::Filter;
use crate::plan::access::Access;
use crate::plan::join::{Buffer, How, JoinPlan, Step, TableSource};
use engine::{LockMode, RowRef};
use std::collections::HashMap;
use std::sync::Arc;
use values::Value;

/// A buffer holds at most so many bytes when the table can be read anew instead.
const KEEP_BYTES: usize = 24 << 20;
/// No row.
const NONE: u32 = u32::MAX;

/// Where a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Nowhere,
    /// In place of a row: the inner side of an outer join without a match.
    Null,
    Cursor,
    Row(usize),
}

struct State {
    position: Position,
    cursor: Option<Cursor>,
    kept: Option<Kept>,
    /// The buffer was too large: the table is read by its cursor.
    instead: bool,
    /// The next candidate of the buffer.
    next: u32,
}

/// Rows of a buffer, and their chains by key.
struct Kept {
    rows: Rows,
    /// Bytes that the query's memory gave for them.
    bytes: usize,
    /// Of each column of the table, its place in a kept row.
    places: Arc<[u16]>,
    heads: HashMap<Vec<u8>, u32>,
    chain: Vec<u32>,
    key: Vec<u8>,
}

/// A kept row seen as a row of its table.
struct KeptRow<'a> {
    row: &'a [Value],
    places: &'a [u16],
}

impl Columns for KeptRow<'_> {
    fn column(&self, i: usize) -> Value {
        self.row.get(usize::from(self.places[i])).cloned().unwrap_or_default()
    }
}

/// The joined row.
pub(crate) struct JoinRow<'a> {
    plan: &'a JoinPlan,
    states: &'a [State],
}

impl Columns for JoinRow<'_> {
    fn column(&self, i: usize) -> Value {
        let (table, column) = self.plan.map[i];
        let (state, column) = (&self.states[usize::from(table)], usize::from(column));
        match state.position {
            Position::Nowhere | Position::Null => Value::Null,
            Position::Cursor => match &state.cursor {
                Some(cursor) => cursor.row().value(column),
                None => Value::Null,
            },
            Position::Row(at) => match &state.kept {
                Some(kept) => KeptRow { row: &kept.rows[at], places: &kept.places }.column(column),
                None => Value::Null,
            },
        }
    }
}

/// A running join.
pub(crate) struct Join<'p> {
    plan: &'p JoinPlan,
    states: Vec<State>,
    matched: Vec<bool>,
    nulled: Vec<bool>,
    started: bool,
    /// Rows wanted of a join of one table, when few are.
    few: Option<u64>,
}

impl<'p> Join<'p> {
    pub(crate) fn new(plan: &'p JoinPlan, few: Option<u64>) -> Join<'p> {
        let state =
            || State { position: Position::Nowhere, cursor: None, kept: None, instead: false, next: NONE };
        Join {
            plan,
            states: plan.tables.iter().map(|_| state()).collect(),
            matched: vec![false; plan.nests.len()],
            nulled: vec![false; plan.nests.len()],
            started: false,
            few: few.filter(|_| plan.steps.len() == 1),
        }
    }

    /// The row that [`Join::next`] moved to.
    pub(crate) fn row(&self) -> JoinRow<'_> {
        JoinRow { plan: self.plan, states: &self.states }
    }

    /// The stored row of `table` in it; `None` when it is NULLs.
    pub(crate) fn row_ref(&self, table: usize) -> Option<RowRef> {
        let state = &self.states[table];
        match (&state.cursor, state.position) {
            (Some(cursor), Position::Cursor) => Some(cursor.row_ref()),
            _ => None,
        }
    }

    /// Moves to the next joined row; false at the end.
    pub(crate) async fn next(&mut self, run: &mut Run<'_>) -> Result<bool> {
        let plan = self.plan;
        let last = plan.steps.len() - 1;
        let mut at = 0;
        if self.started {
            at = self.nest_of(last).unwrap_or(last);
        } else {
            self.started = true;
            if !self.judge(&plan.first, run).await? {
                return Ok(false);
            }
            self.open(at, run).await?;
        }
        loop {
            let closed = plan.steps[at].opens.is_some_and(|n| self.nulled[n]);
            if !closed && self.advance(at, run).await? {
                if !self.complete(at, 0, run).await? {
                    continue;
                }
                if at == last {
                    return Ok(true);
                }
                at += 1;
                self.open(at, run).await?;
                continue;
            }
            if let Some(nest) = plan.steps[at].opens
                && !self.matched[nest]
                && !self.nulled[nest]
            {
                self.nulled[nest] = true;
                let (first, end) = (plan.nests[nest].first, plan.nests[nest].last);
                for step in &plan.steps[first..=end] {
                    self.states[step.table].position = Position::Null;
                }
                if self.judge(&plan.nests[nest].after, run).await?
                    && self.complete_from(nest, end, run).await?
                {
                    if end == last {
                        return Ok(true);
                    }
                    at = end + 1;
                    self.open(at, run).await?;
                    continue;
                }
            }
            if at == 0 {
                return Ok(false);
            }
            at = self.nest_of(at - 1).unwrap_or(at - 1);
        }
    }

    /// The first step of the outermost nest of NULLs around `step`.
    fn nest_of(&self, step: usize) -> Option<usize> {
        let nests = self.plan.nests.iter().zip(&self.nulled);
        nests.filter(|(n, nulled)| **nulled && n.first <= step && step <= n.last).map(|(n, _)| n.first).min()
    }

    /// The nests that end at `step`, from the one at `from` on, have a row: does it fulfil what waits for them?
    async fn complete(&mut self, step: usize, from: usize, run: &mut Run<'_>) -> Result<bool> {
        let plan = self.plan;
        for &nest in plan.steps[step].closes.iter().skip(from) {
            self.matched[nest] = true;
            if !self.judge(&plan.nests[nest].after, run).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn complete_from(&mut self, nest: usize, step: usize, run: &mut Run<'_>) -> Result<bool> {
        let at = self.plan.steps[step].closes.iter().position(|n| *n == nest).unwrap_or(0);
        self.complete(step, at + 1, run).await
    }

    async fn judge(&self, filter: &Filter, run: &mut Run<'_>) -> Result<bool> {
        if filter.expr.is_none() {
            return Ok(true);
        }
        let row = self.row();
        prepare(&filter.subs, &row, &[], run).await?;
        holds(filter.expr.as_ref(), &row, run)
    }

    async fn open(&mut self, at: usize, run: &mut Run<'_>) -> Result<()> {
        let plan = self.plan;
        let step = &plan.steps[at];
        if let Some(nest) = step.opens {
            self.matched[nest] = false;
            self.nulled[nest] = false;
        }
        for &(slot, column) in &step.feeds {
            let value = self.row().column(column);
            run.put(slot, value);
        }
        prepare(&step.subs, &NoRow, &[], run).await?;
        let few = self.few;
        match &step.how {
            How::Cursor(access) => self.open_cursor(step, access, few, run).await,
            How::Buffer(buffer) => self.open_buffer(step, buffer, run).await,
        }
    }

    async fn open_cursor(
        &mut self,
        step: &Step,
        access: &Access,
        few: Option<u64>,
        run: &mut Run<'_>,
    ) -> Result<()> {
        let few = few.filter(|_| access.filter.is_none() && step.late.expr.is_none());
        let state = &mut self.states[step.table];
        match &mut state.cursor {
            Some(cursor) => cursor.reopen(run, access, few).await?,
            None => state.cursor = Some(Cursor::open(run, access, step.lock, few).await?),
        }
        Ok(())
    }

    async fn open_buffer(&mut self, step: &Step, buffer: &Buffer, run: &mut Run<'_>) -> Result<()> {
        if let (true, Some(access)) = (self.states[step.table].instead, &buffer.instead) {
            return self.open_cursor(step, access, None, run).await;
        }
        if buffer.lateral
            && let TableSource::Derived(derived) = &buffer.source
        {
            if let Some(old) = self.states[step.table].kept.take() {
                run.memory.give(old.bytes);
            }
            for (slot, column) in &derived.needs {
                let value = column.eval(&mut Eval::over(&self.row(), &run.params, run.context))?;
                run.put(*slot, value);
            }
        }
        if self.states[step.table].kept.is_none() {
            match fill(buffer, self.plan.tables[step.table].width, run).await? {
                Some(kept) => self.states[step.table].kept = Some(kept),
                None => {
                    self.states[step.table].instead = true;
                    let access =
                        buffer.instead.as_ref().expect("invariant: given up only where there is another way");
                    return self.open_cursor(step, access, None, run).await;
                }
            }
        }
        let state = &mut self.states[step.table];
        let kept = state.kept.as_mut().expect("invariant: filled above");
        state.next = if buffer.keys.is_empty() {
            if kept.rows.is_empty() { NONE } else { 0 }
        } else {
            kept.key.clear();
            let mut e = Eval::constant(&run.params, run.context);
            let mut found = true;
            for key in &buffer.keys {
                let value = key.probe.eval(&mut e)?;
                if value.is_null() {
                    found = false;
                    break;
                }
                append_one(&value, &key.ty, &mut kept.key);
            }
            if found { kept.heads.get(&kept.key).copied().unwrap_or(NONE) } else { NONE }
        };
        Ok(())
    }

    /// The next row of a step that fulfils its conditions.
    async fn advance(&mut self, at: usize, run: &mut Run<'_>) -> Result<bool> {
        let plan = self.plan;
        let step = &plan.steps[at];
        loop {
            let found = match &step.how {
                How::Cursor(access) => self.advance_cursor(step, access, run).await?,
                How::Buffer(buffer) => match (&buffer.instead, self.states[step.table].instead) {
                    (Some(access), true) => self.advance_cursor(step, access, run).await?,
                    _ => self.advance_buffer(step, buffer, run).await?,
                },
            };
            if !found {
                return Ok(false);
            }
            if self.judge(&step.late, run).await? {
                return Ok(true);
            }
        }
    }

    async fn advance_cursor(&mut self, step: &Step, access: &Access, run: &mut Run<'_>) -> Result<bool> {
        let state = &mut self.states[step.table];
        state.position = Position::Cursor;
        let cursor = state.cursor.as_mut().expect("invariant: a step is opened first");
        while cursor.next(run, access).await? {
            if holds(access.filter.as_ref(), &cursor.row(), run)? {
                return Ok(true);
            }
            cursor.reject(run, access);
        }
        Ok(false)
    }

    async fn advance_buffer(&mut self, step: &Step, buffer: &Buffer, run: &mut Run<'_>) -> Result<bool> {
        let state = &mut self.states[step.table];
        let kept = state.kept.as_ref().expect("invariant: a step is opened first");
        while state.next != NONE {
            run.tick().await?;
            let at = state.next as usize;
            state.next = if buffer.keys.is_empty() {
                if at + 1 < kept.rows.len() { at as u32 + 1 } else { NONE }
            } else {
                kept.chain[at]
            };
            let row = KeptRow { row: &kept.rows[at], places: &kept.places };
            if holds(buffer.residual.as_ref(), &row, run)? {
                state.position = Position::Row(at);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives the memory of the buffers back.
    pub(crate) fn close(self, run: &mut Run<'_>) {
        for state in self.states {
            if let Some(kept) = state.kept {
                run.memory.give(kept.bytes);
            }
            if let Some(cursor) = state.cursor {
                cursor.close(run);
            }
        }
    }
}

/// Reads the rows of a buffer; `None`: they are too many, and there is another way.
async fn fill(buffer: &Buffer, width: usize, run: &mut Run<'_>) -> Result<Option<Kept>> {
    let mut places = vec![u16::MAX; width];
    buffer.columns.iter().enumerate().for_each(|(at, &c)| places[c] = at as u16);
    let (rows, mut bytes): (Rows, usize) = match &buffer.source {
        TableSource::Stored(_) => {
            let access = buffer.access.as_ref().expect("invariant: a stored table has an access path");
            match read(access, &buffer.columns, buffer.instead.is_some(), run).await? {
                Some((rows, bytes)) => (Arc::new(rows), bytes),
                None => return Ok(None),
            }
        }
        TableSource::Virtual(table) => {
            let rows = table.rows().await;
            let bytes = rows.iter().map(|r| row_bytes(r)).sum();
            run.memory.take(bytes)?;
            (Arc::new(rows), bytes)
        }
        TableSource::Derived(derived) => {
            let rows = query::rows(&derived.query, run, usize::MAX).await?;
            let bytes = rows.iter().map(|r| row_bytes(r)).sum();
            (Arc::new(rows), bytes)
        }
        TableSource::Cte(plan) => (query::cte(plan, run).await?, 0),
        TableSource::Working(id) => (run.ctes.get(id).cloned().unwrap_or_default(), 0),
    };
    let rows = match &buffer.local {
        None => rows,
        Some(filter) => kept_rows(rows, filter, run)?,
    };
    let mut kept = Kept {
        rows,
        bytes: 0,
        places: places.into(),
        heads: HashMap::new(),
        chain: Vec::new(),
        key: Vec::new(),
    };
    if !buffer.keys.is_empty() {
        let more = index(&mut kept, buffer, run)?;
        run.memory.take(more)?;
        bytes += more;
    }
    kept.bytes = bytes;
    Ok(Some(kept))
}

fn kept_rows(rows: Rows, filter: &Typed, run: &mut Run<'_>) -> Result<Rows> {
    let mut out = Vec::new();
    for row in rows.iter() {
        if filter.holds(&mut Eval::over(row, &run.params, run.context))? {
            out.push(row.clone());
        }
    }
    Ok(Arc::new(out))
}

/// Chains the rows by key; the bytes it took.
fn index(kept: &mut Kept, buffer: &Buffer, run: &mut Run<'_>) -> Result<usize> {
    let mut bytes = 0;
    kept.chain = vec![NONE; kept.rows.len()];
    // From the end, so that a chain leads through the rows in their order.
    'rows: for at in (0..kept.rows.len()).rev() {
        let row = KeptRow { row: &kept.rows[at], places: &kept.places };
        let mut e = Eval::over(&row, &run.params, run.context);
        let mut key = Vec::with_capacity(16);
        for part in &buffer.keys {
            let value = part.build.eval(&mut e)?;
            if value.is_null() {
                continue 'rows;
            }
            append_one(&value, &part.ty, &mut key);
        }
        bytes += key.len() + 48;
        if let Some(before) = kept.heads.insert(key, at as u32) {
            kept.chain[at] = before;
        }
    }
    Ok(bytes)
}

/// Reads a stored table's rows, the columns given only.
async fn read(
    access: &Access,
    columns: &[usize],
    may_stop: bool,
    run: &mut Run<'_>,
) -> Result<Option<(Vec<Vec<Value>>, usize)>> {
    let mut cursor = Cursor::open(run, access, LockMode::None, None).await?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while cursor.next(run, access).await? {
        let view = cursor.row();
        if !holds(access.filter.as_ref(), &view, run)? {
            continue;
        }
        let row: Vec<Value> = columns.iter().map(|&c| view.value(c)).collect();
        let size = row_bytes(&row);
        if may_stop && bytes + size > KEEP_BYTES {
            run.memory.give(bytes);
            cursor.close(run);
            return Ok(None);
        }
        run.memory.take(size)?;
        bytes += size;
        rows.push(row);
    }
    cursor.close(run);
    Ok(Some((rows, bytes)))
}
