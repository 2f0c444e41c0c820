//! Which index reads the rows, and over which ranges: chosen when the statement is bound, computed when it runs.
//!
//! ```text
//!   WHERE a = ? AND b BETWEEN ? AND ? AND c > 0      index (a, b, d)
//!         `- point -´  `--- interval ----´  `- filter
//! ```
//! 1. Leading parts with points (=, IN, IS NULL) multiply; the first part with a true interval ends the range.
//! 2. `filter` is what the ranges do not already guarantee.
//! 3. EXPLAIN prints this very structure: what it says is what runs.

use super::condition::{ColumnCondition, Condition, column_condition, intervals};
use super::interval::Interval;
use crate::ast::{BinaryOp, HintKind, IndexHint};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Node, Typed};
use engine::{ColumnSet, IndexDef, TableDef};
use std::ops::Bound;
use std::sync::Arc;
use values::KeyPart;

/// More ranges than this are not multiplied out: the last part stays a filter.
const MAX_RANGES: usize = 4096;

/// How the rows of one table are found.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) table: Arc<TableDef>,
    /// Position in `table.indexes`.
    pub(crate) index: usize,
    /// Conditions on the index's leading parts; empty: the whole index.
    pub(crate) parts: Vec<Condition>,
    /// The encodings of these parts.
    pub(crate) key_parts: Vec<KeyPart>,
    /// One row at most: a unique index with a point on every part.
    pub(crate) unique_point: bool,
    /// The WHERE clause can never hold.
    pub(crate) impossible: bool,
    pub(crate) backward: bool,
    /// The rows come in ORDER BY's order.
    pub(crate) sorted: bool,
    /// Every needed column is in the index.
    pub(crate) covering: bool,
    /// An ORDER BY chose this index.
    pub(crate) ordered: bool,
    /// Columns that somebody reads.
    pub(crate) columns: Vec<usize>,
    /// The same for the engine.
    pub(crate) column_set: ColumnSet,
    pub(crate) filter: Option<Typed>,
    /// Names of indexes that could have been used.
    pub(crate) possible: Vec<usize>,
}

/// What an access must serve.
pub(crate) struct Wanted<'a> {
    pub(crate) filter: Option<Typed>,
    pub(crate) columns: Vec<usize>,
    /// ORDER BY as plain columns (position, descending); empty when there is none or it is no such list.
    pub(crate) order: &'a [(usize, bool)],
    pub(crate) limited: bool,
    pub(crate) hints: &'a [IndexHint],
}

/// An index as a candidate.
struct Candidate {
    index: usize,
    /// Conditions used, by part.
    used: Vec<Vec<usize>>,
    unique_point: bool,
    covering: bool,
    sorted: Option<bool>,
    score: u32,
}

pub(crate) fn choose(table: &Arc<TableDef>, wanted: Wanted<'_>) -> Result<Access> {
    let conjuncts = split(wanted.filter);
    let conditions: Vec<Option<ColumnCondition>> = conjuncts.iter().map(column_condition).collect();
    let allowed = allowed_indexes(table, wanted.hints)?;
    let mut best: Option<Candidate> = None;
    let mut possible = Vec::new();
    for index in allowed {
        let candidate = rate(table, index, &conditions, &wanted.columns, wanted.order, wanted.limited);
        if !candidate.used.is_empty() {
            possible.push(index);
        }
        if best.as_ref().is_none_or(|b| candidate.score > b.score) {
            best = Some(candidate);
        }
    }
    let best = best.expect("invariant: the clustered index is always allowed");
    let parts: Vec<Condition> = best
        .used
        .iter()
        .map(|list| {
            let mut all: Vec<Condition> =
                list.iter().filter_map(|&i| conditions[i].as_ref().map(|c| c.condition.clone())).collect();
            if all.len() == 1 { all.remove(0) } else { Condition::And(all) }
        })
        .collect();
    let key_parts = key_parts(table, &table.indexes[best.index]);
    let impossible =
        conjuncts.iter().any(|c| matches!(&c.node, Node::Const(v) if crate::expr::eval::is_false(v)));
    let filter = residual(conjuncts, &conditions, &best, &key_parts);
    Ok(Access {
        table: table.clone(),
        index: best.index,
        parts,
        key_parts,
        unique_point: best.unique_point,
        impossible,
        backward: best.sorted == Some(true),
        sorted: best.sorted.is_some() || (wanted.order.is_empty()) || best.unique_point,
        covering: best.covering,
        ordered: best.sorted.is_some() && !wanted.order.is_empty(),
        column_set: column_set(table, best.index, &wanted.columns),
        columns: wanted.columns,
        filter,
        possible,
    })
}

/// Rows of the clustered index that always fit their page need no list of columns: nothing of them lies elsewhere. A secondary index
/// needs it to tell whether its entries cover the read.
fn column_set(table: &TableDef, index: usize, columns: &[usize]) -> ColumnSet {
    const SHORT_ROW: u64 = 3000;
    let longest: u64 = table.columns.iter().map(|c| c.ty.max_bytes()).sum();
    if index == 0 && longest <= SHORT_ROW { ColumnSet::All } else { ColumnSet::of(columns.iter().copied()) }
}

/// The conjuncts of a WHERE clause.
fn split(filter: Option<Typed>) -> Vec<Typed> {
    match filter {
        None => Vec::new(),
        Some(Typed { node: Node::And(list), .. }) => list.into_iter().flat_map(|e| split(Some(e))).collect(),
        Some(one) => vec![one],
    }
}

/// What must still be checked per row: all conjuncts but those that the ranges answer exactly. A part answers only behind parts that do,
/// and as long as the ranges cannot outgrow [`MAX_RANGES`].
fn residual(
    conjuncts: Vec<Typed>,
    conditions: &[Option<ColumnCondition>],
    best: &Candidate,
    parts: &[KeyPart],
) -> Option<Typed> {
    let mut answered = Vec::new();
    let mut ranges = 1;
    for (list, part) in best.used.iter().zip(parts) {
        let used: Vec<&ColumnCondition> = list.iter().filter_map(|&i| conditions[i].as_ref()).collect();
        ranges *= used.iter().map(|c| multiplies(&c.condition)).product::<usize>().max(1);
        if part.prefix.is_some() || ranges > MAX_RANGES || used.iter().any(|c| !c.exact) {
            break;
        }
        answered.extend_from_slice(list);
    }
    let mut left: Vec<Typed> = Vec::new();
    for (i, conjunct) in conjuncts.into_iter().enumerate() {
        if !answered.contains(&i) {
            left.push(conjunct);
        }
    }
    match left.len() {
        0 => None,
        1 => left.pop(),
        _ => Some(Typed::new(Node::And(left), crate::expr::Ty::bool(true))),
    }
}

/// At most so many intervals come out of a condition.
fn multiplies(condition: &Condition) -> usize {
    match condition {
        Condition::Or(list) | Condition::And(list) => list.iter().map(multiplies).sum::<usize>().max(1),
        _ => 1,
    }
}

fn allowed_indexes(table: &TableDef, hints: &[IndexHint]) -> Result<Vec<usize>> {
    let mut allowed: Vec<usize> = (0..table.indexes.len()).collect();
    let mut use_only: Option<Vec<usize>> = None;
    for hint in hints {
        let mut named = Vec::new();
        for name in &hint.indexes {
            let found = table.index(name).filter(|&i| !(i == 0 && table.hidden_key()));
            named.push(found.ok_or_else(|| {
                SqlError::new(1176, format!("Key '{name}' doesn't exist in table '{}'", table.name))
            })?);
        }
        match hint.kind {
            HintKind::Ignore => allowed.retain(|i| *i == 0 || !named.contains(i)),
            HintKind::Use | HintKind::Force => use_only.get_or_insert_with(Vec::new).extend(named),
        }
    }
    if let Some(only) = use_only {
        allowed.retain(|i| *i == 0 || only.contains(i));
    }
    Ok(allowed)
}

pub(crate) fn key_parts(table: &TableDef, index: &IndexDef) -> Vec<KeyPart> {
    index
        .parts
        .iter()
        .map(|p| {
            let column = &table.columns[p.column];
            KeyPart {
                ty: column.ty,
                nullable: column.nullable,
                descending: p.descending,
                prefix: p.prefix_chars,
            }
        })
        .collect()
}

fn is_point(condition: &Condition) -> bool {
    match condition {
        Condition::Compare { op, .. } => matches!(op, BinaryOp::Eq | BinaryOp::NullSafeEq),
        Condition::IsNull => true,
        Condition::Or(list) => list.iter().all(is_point),
        Condition::And(list) => list.iter().any(is_point),
        Condition::NotNull | Condition::Prefix { .. } => false,
    }
}

fn is_single_point(condition: &Condition) -> bool {
    matches!(condition, Condition::Compare { op: BinaryOp::Eq, .. })
}

fn rate(
    table: &TableDef,
    index: usize,
    conditions: &[Option<ColumnCondition>],
    columns: &[usize],
    order: &[(usize, bool)],
    limited: bool,
) -> Candidate {
    let def = &table.indexes[index];
    let mut used: Vec<Vec<usize>> = Vec::new();
    let (mut points, mut singles, mut leading, mut has_range) = (0, 0, 0, false);
    for part in &def.parts {
        let here: Vec<usize> = conditions
            .iter()
            .enumerate()
            .filter(|(_, c)| c.as_ref().is_some_and(|c| c.column == part.column))
            .map(|(i, _)| i)
            .collect();
        if here.is_empty() {
            break;
        }
        let of = |i: &usize| conditions[*i].as_ref().map(|c| &c.condition);
        let point = here.iter().filter_map(of).any(is_point);
        if here.iter().filter_map(of).any(is_single_point) {
            singles += 1;
            leading += usize::from(singles > points);
        }
        used.push(here);
        if point {
            points += 1;
        } else {
            has_range = true;
            break;
        }
    }
    let whole = def.parts.iter().all(|p| p.prefix_chars.is_none());
    let unique_point =
        def.unique && whole && !def.parts.is_empty() && singles == def.parts.len() && points == singles;
    let covering = index == 0 || table.index_covers(index, &ColumnSet::of(columns.iter().copied()));
    let sorted = order_by_index(table, def, leading, order);
    let mut score = 0;
    if unique_point {
        score += 100_000;
    }
    score += points as u32 * 1000 + u32::from(has_range) * 500;
    if score > 0 {
        score += u32::from(covering) * 20 + u32::from(index == 0) * 10 + u32::from(sorted.is_some()) * 30;
    } else if sorted.is_some() && !order.is_empty() && (covering || limited) {
        score += 40 + u32::from(covering) * 5;
    } else {
        // A full scan: a narrow covering index, else the rows themselves.
        score += if index == 0 {
            10
        } else if covering && !columns.is_empty() {
            12
        } else {
            0
        };
        score += u32::from(index != 0 && covering && columns.is_empty()) * 11;
    }
    Candidate { index, used, unique_point, covering, sorted, score }
}

/// Does the index deliver ORDER BY's order once its first `fixed` parts are single points? `Some(true)`: read backwards.
fn order_by_index(table: &TableDef, def: &IndexDef, fixed: usize, order: &[(usize, bool)]) -> Option<bool> {
    if order.is_empty() {
        return Some(false);
    }
    // The parts behind the key: the primary key makes secondary entries unique and ordered.
    let tail = if std::ptr::eq(def, &table.indexes[0]) { &[][..] } else { &table.indexes[0].parts[..] };
    let constant: Vec<usize> = def.parts[..fixed].iter().map(|p| p.column).collect();
    let mut parts = def.parts[fixed..].iter().chain(tail);
    let mut backward = None;
    for &(column, desc) in order {
        if constant.contains(&column) {
            continue;
        }
        let part = parts.next()?;
        if part.column != column || part.prefix_chars.is_some() {
            return None;
        }
        let turn = part.descending != desc;
        if backward.is_some_and(|b| b != turn) {
            return None;
        }
        backward = Some(turn);
    }
    Some(backward.unwrap_or(false))
}

impl Access {
    /// Does a walk over the whole index serve an ORDER BY?
    pub(crate) fn sorted_by_index(&self) -> bool {
        self.ordered
    }

    pub(crate) fn index_def(&self) -> &IndexDef {
        &self.table.indexes[self.index]
    }

    /// The key of a unique point read, appended to `key`; false when no row can match. No allocation but the buffer's own.
    pub(crate) fn point_key(&self, eval: &mut Eval<'_>, key: &mut Vec<u8>) -> Result<Option<bool>> {
        for (condition, part) in self.parts.iter().zip(&self.key_parts) {
            let Condition::Compare { op: BinaryOp::Eq, value } = condition else { return Ok(None) };
            let constant = value.eval(eval)?;
            if constant.is_null() {
                return Ok(Some(false));
            }
            match crate::expr::numeric::nearest(&constant, &value.ty, &part.ty, eval) {
                None => return Ok(None),
                Some((stored, std::cmp::Ordering::Equal)) => values::encode_key(&stored, part, key),
                Some(_) => return Ok(Some(false)),
            }
        }
        Ok(Some(true))
    }

    /// The ranges to read, in key order; none: no row can match.
    pub(crate) fn ranges(&self, eval: &mut Eval<'_>) -> Result<Vec<Interval>> {
        if self.impossible {
            return Ok(Vec::new());
        }
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        for (condition, part) in self.parts.iter().zip(&self.key_parts) {
            let set = intervals(condition, part, eval)?;
            if set.is_empty() {
                return Ok(Vec::new());
            }
            let points: Option<Vec<&[u8]>> = set.iter().map(Interval::as_point).collect();
            let Some(points) = points.filter(|p| p.len() * prefixes.len() <= MAX_RANGES) else {
                let capped = set.len() * prefixes.len() > MAX_RANGES;
                let hull = capped.then(|| hull(&set));
                let set = hull.as_deref().unwrap_or(&set);
                return Ok(prefixes.iter().flat_map(|p| set.iter().map(|i| under(p, i))).collect());
            };
            prefixes = prefixes
                .iter()
                .flat_map(|prefix| points.iter().map(|point| [prefix.as_slice(), point].concat()))
                .collect();
        }
        if self.parts.is_empty() {
            return Ok(vec![Interval::all()]);
        }
        Ok(prefixes.into_iter().map(Interval::point).collect())
    }
}

/// One interval around a sorted set.
fn hull(set: &[Interval]) -> Vec<Interval> {
    match (set.first(), set.last()) {
        (Some(first), Some(last)) => vec![Interval { lower: first.lower.clone(), upper: last.upper.clone() }],
        _ => Vec::new(),
    }
}

/// `interval` of the next part, behind the bytes of the parts before it.
fn under(prefix: &[u8], interval: &Interval) -> Interval {
    let put = |bound: &Bound<Vec<u8>>| match bound {
        Bound::Included(k) => Bound::Included([prefix, k].concat()),
        Bound::Excluded(k) => Bound::Excluded([prefix, k].concat()),
        Bound::Unbounded if prefix.is_empty() => Bound::Unbounded,
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
    };
    Interval { lower: put(&interval.lower), upper: put(&interval.upper) }
}
