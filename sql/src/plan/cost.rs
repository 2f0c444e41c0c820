//! In which order the tables of a join are read: the cheapest left-deep order by simple figures.
//!
//! Figures: rows of a table (the engine's estimate), how many of them a condition lets through (a guess by its form), how many an index
//! look-up finds (one by a whole unique key). They decide between plans that differ by orders of magnitude; nothing rests on them but speed.

use super::join::TableSource;
use crate::ast::{BinaryOp, IsTest};
use crate::bind::Names;
use crate::expr::{Node, Typed};

/// Rows assumed of what nobody has counted: derived tables and the like.
const UNKNOWN_ROWS: f64 = 100.0;
/// Costs in units of one row read in order.
const LOOKUP: f64 = 3.0;
const PROBE: f64 = 0.4;
const KEEP: f64 = 1.6;
/// More rows than this are not kept in memory for a hash.
pub(crate) const MAX_KEPT: f64 = 300_000.0;
/// So many tables are ordered by looking at every order.
const EXHAUSTIVE: usize = 9;

/// A conjunct and the tables it reads.
#[derive(Clone)]
pub(crate) struct Conjunct {
    pub(crate) expr: Typed,
    pub(crate) mask: u64,
}

/// What the search knows.
pub(crate) struct Figures<'a> {
    pub(crate) names: &'a Names,
    pub(crate) sources: &'a [TableSource],
    pub(crate) rows: Vec<f64>,
    /// Tables that a LATERAL one needs before it.
    pub(crate) needs: Vec<u64>,
}

/// One table added to a prefix.
struct Added {
    cost: f64,
    rows: f64,
}

/// The tables that `expr` reads, as bits.
pub(crate) fn mask_of(expr: &Typed, names: &Names) -> u64 {
    let mut columns = Vec::new();
    expr.columns(&mut columns);
    columns.iter().fold(0, |mask, &c| mask | 1 << names.table_of(c))
}

pub(crate) fn unknown_rows() -> f64 {
    UNKNOWN_ROWS
}

impl Figures<'_> {
    /// The order in which `tables` are read, behind those of `placed`.
    pub(crate) fn order(&self, tables: &[usize], conjuncts: &[Conjunct], placed: u64) -> Vec<usize> {
        match tables.len() {
            0 | 1 => tables.to_vec(),
            n if n <= EXHAUSTIVE => self.exhaustive(tables, conjuncts, placed),
            _ => self.greedy(tables, conjuncts, placed),
        }
    }

    fn exhaustive(&self, tables: &[usize], conjuncts: &[Conjunct], placed: u64) -> Vec<usize> {
        let n = tables.len();
        let mut best: Vec<Option<(f64, f64, usize)>> = vec![None; 1 << n];
        best[0] = Some((0.0, 1.0, usize::MAX));
        for set in 0..1usize << n {
            let Some((cost, rows, _)) = best[set] else { continue };
            let before = (0..n).filter(|i| set >> i & 1 == 1).fold(placed, |m, i| m | 1 << tables[i]);
            for (i, &table) in tables.iter().enumerate() {
                if set >> i & 1 == 1 || self.needs[table] & !before & !(1 << table) != 0 {
                    continue;
                }
                let added = self.add(table, before, rows, conjuncts);
                let total = cost + added.cost;
                let entry = &mut best[set | 1 << i];
                if entry.is_none_or(|(c, ..)| total < c) {
                    *entry = Some((total, added.rows, i));
                }
            }
        }
        let mut order = Vec::with_capacity(n);
        let mut set = (1 << n) - 1;
        while let Some((_, _, last)) = best[set].filter(|_| set != 0) {
            order.push(tables[last]);
            set &= !(1 << last);
        }
        order.reverse();
        if order.len() == n { order } else { tables.to_vec() }
    }

    fn greedy(&self, tables: &[usize], conjuncts: &[Conjunct], placed: u64) -> Vec<usize> {
        let mut left = tables.to_vec();
        let (mut order, mut before, mut rows) = (Vec::new(), placed, 1.0);
        while !left.is_empty() {
            let ready = |t: usize| self.needs[t] & !before & !(1 << t) == 0;
            let next = left
                .iter()
                .enumerate()
                .filter(|(_, t)| ready(**t))
                .map(|(i, &t)| (i, self.add(t, before, rows, conjuncts)))
                .min_by(|a, b| (a.1.cost + a.1.rows).total_cmp(&(b.1.cost + b.1.rows)));
            let (at, added) = next.unwrap_or((0, Added { cost: 0.0, rows }));
            let table = left.remove(at);
            order.push(table);
            before |= 1 << table;
            rows = added.rows;
        }
        order
    }

    /// Reading `table` for each of `prefix` rows of the tables in `before`.
    fn add(&self, table: usize, before: u64, prefix: f64, conjuncts: &[Conjunct]) -> Added {
        let here = before | 1 << table;
        let usable: Vec<&Conjunct> =
            conjuncts.iter().filter(|c| c.mask & !here == 0 && c.mask >> table & 1 == 1).collect();
        let all = self.rows[table].max(1.0);
        let local: f64 =
            usable.iter().filter(|c| c.mask == 1 << table).map(|c| self.share(&c.expr, all)).product();
        let found = self.looked_up(table, before, &usable);
        let scanned = all * local;
        let joined: f64 =
            usable.iter().filter(|c| c.mask != 1 << table).map(|c| self.pair_share(c, table)).product();
        let out = (prefix * scanned * joined).max(1e-3);
        let cost = match found {
            Some(found) if before == 0 => found + 1.0,
            Some(found) => {
                (prefix * (LOOKUP + found)).min(self.buffered(all, scanned, prefix, &usable, table))
            }
            None if before == 0 => all,
            None => self.buffered(all, scanned, prefix, &usable, table),
        };
        Added { cost: cost + out * 0.1, rows: out }
    }

    /// Reading the table once and keeping its rows.
    fn buffered(&self, all: f64, kept: f64, prefix: f64, usable: &[&Conjunct], table: usize) -> f64 {
        let equal = usable
            .iter()
            .any(|c| c.mask != 1 << table && matches!(c.expr.node, Node::Compare { op: BinaryOp::Eq, .. }));
        let each = if equal { PROBE } else { PROBE + kept * 0.2 };
        let cost = all + kept * KEEP + prefix * each;
        if kept > MAX_KEPT { cost + prefix * all } else { cost }
    }

    /// Rows that one look-up by the best index finds; `None`: no index has an equality on its first part.
    pub(crate) fn looked_up(&self, table: usize, before: u64, usable: &[&Conjunct]) -> Option<f64> {
        let TableSource::Stored(def) = &self.sources[table] else { return None };
        let base = self.names.tables[table].base;
        let fixed = |column: usize| {
            usable.iter().any(|c| c.mask & !(before | 1 << table) == 0 && equates(&c.expr, base + column))
        };
        let all = self.rows[table].max(1.0);
        def.indexes
            .iter()
            .filter_map(|index| {
                let parts = index.parts.iter().take_while(|p| fixed(p.column)).count();
                if parts == 0 {
                    return None;
                }
                let missing = (index.parts.len() - parts) as i32;
                let whole = if index.unique { 1.0 } else { (all / 20.0).clamp(1.0, 10.0) };
                Some((whole * 6f64.powi(missing)).min(all))
            })
            .min_by(f64::total_cmp)
    }

    /// The share of a table's rows that a condition on it alone lets through.
    fn share(&self, expr: &Typed, rows: f64) -> f64 {
        match &expr.node {
            Node::Compare { op: BinaryOp::Eq | BinaryOp::NullSafeEq, left, right, .. } => {
                let unique = [left, right].iter().any(|side| match side.node {
                    Node::Column(c) => self.is_unique(c),
                    _ => false,
                });
                if unique { 1.0 / rows } else { 0.1 }
            }
            Node::Compare { op: BinaryOp::Ne, .. } => 0.9,
            Node::Compare { .. } => 0.33,
            Node::Between { not: false, .. } => 0.2,
            Node::In { list, not: false, .. } => (0.1 * list.len() as f64).min(0.5),
            Node::Like { not: false, .. } => 0.15,
            Node::Is { test: IsTest::Null, not: false, .. } => 0.1,
            Node::And(list) => list.iter().map(|e| self.share(e, rows)).product(),
            Node::Or(list) => list.iter().map(|e| self.share(e, rows)).sum::<f64>().min(1.0),
            Node::Const(value) if crate::expr::eval::is_false(value) => 0.0,
            _ => 0.5,
        }
    }

    /// The share of pairs that a join condition lets through.
    fn pair_share(&self, conjunct: &Conjunct, table: usize) -> f64 {
        let Node::Compare { op: BinaryOp::Eq | BinaryOp::NullSafeEq, left, right, .. } = &conjunct.expr.node
        else {
            return 0.33;
        };
        let sides = [left, right];
        let distinct = sides.iter().filter_map(|side| match side.node {
            // A key of its table has as many values as rows; another column is taken to have a tenth.
            Node::Column(c) => {
                let rows = self.rows[self.names.table_of(c)].max(1.0);
                Some(if self.is_unique(c) { rows } else { (rows / 10.0).max(1.0) })
            }
            _ => None,
        });
        1.0 / distinct.fold(self.rows[table].max(1.0).sqrt(), f64::max)
    }

    fn is_unique(&self, column: usize) -> bool {
        let (scope, position) = self.names.locate(column);
        scope.table.indexes.iter().any(|i| i.unique && i.parts.len() == 1 && i.parts[0].column == position)
    }
}

/// Is `expr` an equality of this column with something else?
fn equates(expr: &Typed, column: usize) -> bool {
    match &expr.node {
        Node::Compare { op: BinaryOp::Eq, left, right, .. } => {
            let is = |side: &Typed| matches!(side.node, Node::Column(c) if c == column);
            is(left) != is(right)
        }
        _ => false,
    }
}
