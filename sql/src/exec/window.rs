//! Window functions: over rows in memory, sorted by partition and order, one function after another.
//!
//! Results go behind the row's other results, in the functions' order. The rows are left in the order of the last window.

use super::group::GroupRow;
use super::{Run, sort_key};
use crate::bind::window::{BoundWindow, Edge, WindowKind};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Typed};
use crate::function::aggregate::Accumulator;
use crate::function::control::branch;
use std::ops::Range;
use values::Value;

/// A row's place in a window.
struct Placed {
    partition: Vec<u8>,
    order: Vec<u8>,
    row: usize,
}

/// Appends every window's value to the results of each row.
pub(crate) async fn compute(
    windows: &[BoundWindow],
    rows: &mut Vec<GroupRow>,
    run: &mut Run<'_>,
) -> Result<()> {
    let before = rows.first().map_or(0, |r| r.results.len());
    rows.iter_mut().for_each(|r| r.results.resize(before + windows.len(), Value::Null));
    let mut order: Vec<usize> = Vec::new();
    for (at, window) in windows.iter().enumerate() {
        run.tick().await?;
        let mut placed = Vec::with_capacity(rows.len());
        for (row, content) in rows.iter().enumerate() {
            let mut e = over(content, run);
            let partition = keys(window.partition.iter().map(|p| (p, false)), &mut e)?;
            let order = keys(window.order.iter().map(|(o, desc)| (o, *desc)), &mut e)?;
            run.memory.take(partition.len() + order.len() + 72)?;
            placed.push(Placed { partition, order, row });
        }
        placed.sort_by(|a, b| (&a.partition, &a.order).cmp(&(&b.partition, &b.order)));
        let mut values: Vec<(usize, Value)> = Vec::with_capacity(rows.len());
        let mut start = 0;
        while start < placed.len() {
            run.tick().await?;
            let end = start + placed[start..].partition_point(|p| p.partition == placed[start].partition);
            partition(window, &placed[start..end], rows, &mut values, run)?;
            start = end;
        }
        order = placed.iter().map(|p| p.row).collect();
        values.into_iter().for_each(|(row, value)| rows[row].results[before + at] = value);
    }
    let mut taken: Vec<Option<GroupRow>> = std::mem::take(rows).into_iter().map(Some).collect();
    rows.extend(order.into_iter().filter_map(|at| taken[at].take()));
    Ok(())
}

fn over<'a>(row: &'a GroupRow, run: &'a mut Run<'_>) -> Eval<'a> {
    Eval { groups: &row.results, ..Eval::over(&row.row, &run.params, run.context) }
}

fn keys<'a>(exprs: impl Iterator<Item = (&'a Typed, bool)>, e: &mut Eval<'_>) -> Result<Vec<u8>> {
    let mut key = Vec::new();
    for (expr, desc) in exprs {
        let value = expr.eval(e)?;
        sort_key::append(&value, &expr.ty, desc, &mut key);
    }
    Ok(key)
}

/// The values of one partition.
fn partition(
    window: &BoundWindow,
    placed: &[Placed],
    rows: &[GroupRow],
    out: &mut Vec<(usize, Value)>,
    run: &mut Run<'_>,
) -> Result<()> {
    let count = placed.len();
    match &window.kind {
        WindowKind::Aggregate(_) => return aggregate(window, placed, rows, out, run),
        WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
            return framed_value(window, placed, rows, out, run);
        }
        WindowKind::Lag | WindowKind::Lead => return shifted(window, placed, rows, out, run),
        _ => {}
    }
    let tiles = match window.args.first() {
        Some(tiles) => tiles.eval(&mut over(&rows[placed[0].row], run))?,
        None => Value::Null,
    };
    let (mut rank, mut dense) = (0, 0);
    for (i, place) in placed.iter().enumerate() {
        let new = i == 0 || placed[i - 1].order != place.order;
        if new {
            rank = i + 1;
            dense += 1;
        }
        let value = match window.kind {
            WindowKind::RowNumber => Value::UInt(i as u64 + 1),
            WindowKind::Rank => Value::UInt(rank as u64),
            WindowKind::DenseRank => Value::UInt(dense),
            WindowKind::PercentRank if count == 1 => Value::Double(0.0),
            WindowKind::PercentRank => Value::Double((rank - 1) as f64 / (count - 1) as f64),
            WindowKind::CumeDist => {
                let peers = i + placed[i..].partition_point(|p| p.order == place.order);
                Value::Double(peers as f64 / count as f64)
            }
            _ => ntile(&tiles, i, count)?,
        };
        out.push((place.row, value));
    }
    Ok(())
}

fn ntile(tiles: &Value, at: usize, count: usize) -> Result<Value> {
    let tiles = match tiles {
        Value::Int(n) if *n > 0 => *n as usize,
        Value::UInt(n) if *n > 0 => *n as usize,
        Value::Null => return Ok(Value::Null),
        _ => return Err(SqlError::new(1210, "Incorrect arguments to ntile")),
    };
    let (small, more) = (count / tiles, count % tiles);
    let edge = more * (small + 1);
    let tile = if at < edge { at / (small + 1) } else { more + (at - edge) / small.max(1) };
    Ok(Value::UInt(tile as u64 + 1))
}

/// LAG and LEAD.
fn shifted(
    window: &BoundWindow,
    placed: &[Placed],
    rows: &[GroupRow],
    out: &mut Vec<(usize, Value)>,
    run: &mut Run<'_>,
) -> Result<()> {
    for (i, place) in placed.iter().enumerate() {
        let offset = match window.args.get(1) {
            None => Some(1),
            Some(offset) => offset.integer(&mut over(&rows[place.row], run))?,
        };
        let offset = offset.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
            let name = if matches!(window.kind, WindowKind::Lag) { "lag" } else { "lead" };
            SqlError::new(1210, format!("Incorrect arguments to {name}"))
        })?;
        let at = if matches!(window.kind, WindowKind::Lag) {
            i.checked_sub(offset)
        } else {
            i.checked_add(offset)
        };
        let value = match (at.and_then(|at| placed.get(at)), window.args.get(2)) {
            (Some(there), _) => branch(&window.args[0], &window.ty, &mut over(&rows[there.row], run))?,
            (None, Some(default)) => branch(default, &window.ty, &mut over(&rows[place.row], run))?,
            (None, None) => Value::Null,
        };
        out.push((place.row, value));
    }
    Ok(())
}

/// FIRST_VALUE, LAST_VALUE, NTH_VALUE.
fn framed_value(
    window: &BoundWindow,
    placed: &[Placed],
    rows: &[GroupRow],
    out: &mut Vec<(usize, Value)>,
    run: &mut Run<'_>,
) -> Result<()> {
    for (i, place) in placed.iter().enumerate() {
        let frame = frame(window, placed, i, rows, run)?;
        let at = match window.kind {
            WindowKind::FirstValue => Some(0),
            WindowKind::LastValue => frame.len().checked_sub(1),
            _ => {
                let n = window.args[1].integer(&mut over(&rows[place.row], run))?;
                n.and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_sub(1))
            }
        };
        let there = at.and_then(|at| frame.clone().nth(at)).map(|at| &placed[at]);
        let value = match there {
            Some(there) => window.args[0].eval(&mut over(&rows[there.row], run))?,
            None => Value::Null,
        };
        out.push((place.row, value));
    }
    Ok(())
}

/// An aggregate over each row's frame; frames that start at the partition's start only grow.
fn aggregate(
    window: &BoundWindow,
    placed: &[Placed],
    rows: &[GroupRow],
    out: &mut Vec<(usize, Value)>,
    run: &mut Run<'_>,
) -> Result<()> {
    let WindowKind::Aggregate(spec) = &window.kind else { unreachable!("called for aggregates only") };
    let grows = matches!(window.start, Edge::Start);
    let mut running = Accumulator::new(spec);
    let mut taken = 0;
    let mut last: Option<(Range<usize>, Value)> = None;
    for (i, place) in placed.iter().enumerate() {
        let frame = frame(window, placed, i, rows, run)?;
        if let Some((_, value)) = last.as_ref().filter(|(before, _)| *before == frame) {
            out.push((place.row, value.clone()));
            continue;
        }
        if !grows {
            running = Accumulator::new(spec);
            taken = frame.start;
        }
        for at in taken..frame.end {
            let row = &rows[placed[at].row];
            let Run { context, params, memory, .. } = &mut *run;
            let mut e = Eval { groups: &row.results, ..Eval::over(&row.row, params, context) };
            running.step(spec, &mut e, memory)?;
        }
        taken = frame.end.max(taken);
        let value = running.clone().finish(spec, &mut run.constant())?;
        last = Some((frame, value.clone()));
        out.push((place.row, value));
    }
    Ok(())
}

/// The rows of the frame of row `i`, as positions in the partition.
fn frame(
    window: &BoundWindow,
    placed: &[Placed],
    i: usize,
    rows: &[GroupRow],
    run: &mut Run<'_>,
) -> Result<Range<usize>> {
    let peers = |at: usize| {
        let key = &placed[at].order;
        placed.partition_point(|p| p.order < *key)..placed.partition_point(|p| p.order <= *key)
    };
    let count = placed.len();
    let mut edge = |edge: &Edge, start: bool| -> Result<usize> {
        Ok(match edge {
            Edge::Start => 0,
            Edge::End => count,
            Edge::Current if window.rows => i + usize::from(!start),
            Edge::Current if start => peers(i).start,
            Edge::Current => peers(i).end,
            Edge::Rows(amount, before) => {
                let n = amount.integer(&mut over(&rows[placed[i].row], run))?;
                let n = n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                let at = if *before { i.checked_sub(n) } else { Some(i.saturating_add(n)) };
                match at {
                    Some(at) => (at + usize::from(!start)).min(count),
                    None => 0,
                }
            }
            Edge::Range(moved) => {
                let value = moved.eval(&mut over(&rows[placed[i].row], run))?;
                let (key, desc) = &window.order[0];
                if value.is_null() {
                    return Ok(if start { peers(i).start } else { peers(i).end });
                }
                let mut bytes = Vec::new();
                sort_key::append(&value, &key.ty, *desc, &mut bytes);
                if start {
                    placed.partition_point(|p| p.order < bytes)
                } else {
                    placed.partition_point(|p| p.order <= bytes)
                }
            }
        })
    };
    let (start, end) = (edge(&window.start, true)?, edge(&window.end, false)?);
    Ok(start.min(end)..end)
}
