//! From a bound FROM and the conditions to the steps of a join.

use super::access::{self, Access, choose};
use super::cost::{Conjunct, Figures, MAX_KEPT, mask_of, unknown_rows};
use super::join::{Buffer, HashKey, How, JoinPlan, JoinTable, Nest, Step, TableSource};
use super::{Filter, subs_of};
use crate::ast::{BinaryOp, IsTest};
use crate::bind::{JoinFrom, JoinGroup, Names, World};
use crate::error::Result;
use crate::expr::compare::Rule;
use crate::expr::ty::Class;
use crate::expr::{Node, Ty, Typed};
use crate::plan::condition::Condition;
use engine::LockMode;
use values::TypeKind;

/// What the join must deliver.
pub(crate) struct Wanted<'a> {
    /// Columns that somebody reads.
    pub(crate) needed: Vec<usize>,
    pub(crate) lock: LockMode,
    /// Only these tables are locked; empty: all.
    pub(crate) lock_of: &'a [String],
    pub(crate) straight: bool,
}

struct Builder<'a> {
    figures: Figures<'a>,
    world: World<'a>,
    hints: &'a [Vec<crate::ast::IndexHint>],
    needed: Vec<usize>,
    wanted: Wanted<'a>,
    /// ORDER BY as columns of the only table, and whether there is a LIMIT.
    order: Option<&'a [(usize, bool)]>,
    limited: bool,
    placed: u64,
    prefix: f64,
    steps: Vec<Step>,
    nests: Vec<Nest>,
    sorted: bool,
}

/// Plans the join; tells whether its rows come in `order`.
pub(crate) fn plan(
    mut from: JoinFrom,
    conditions: Vec<Typed>,
    wanted: Wanted<'_>,
    order: Option<&[(usize, bool)]>,
    limited: bool,
    world: World<'_>,
) -> Result<(JoinPlan, bool)> {
    from.root.conditions.extend(conditions);
    simplify(&mut from.root, &from.names);
    let mut needed = wanted.needed.clone();
    conditions_of(&from.root, &mut |c| c.columns(&mut needed));
    let mut needs = vec![0; from.sources.len()];
    for (source, need) in from.sources.iter().zip(&mut needs) {
        if let TableSource::Derived(derived) = source {
            for (_, column) in &derived.needs {
                column.columns(&mut needed);
                *need |= mask_of(column, &from.names);
            }
        }
    }
    let rows = from
        .sources
        .iter()
        .map(|s| match s {
            TableSource::Stored(table) => world.engine.row_estimate(table) as f64,
            _ => unknown_rows(),
        })
        .collect();
    let names = from.names.clone();
    let mut b = Builder {
        figures: Figures { names: &names, sources: &from.sources, rows, needs },
        world,
        hints: &from.hints,
        needed,
        order: if from.sources.len() == 1 { order } else { None },
        limited,
        placed: 0,
        prefix: 1.0,
        steps: Vec::new(),
        nests: Vec::new(),
        sorted: false,
        wanted,
    };
    let (constant, rest): (Vec<Typed>, Vec<Typed>) =
        std::mem::take(&mut from.root.conditions).into_iter().partition(Typed::is_constant);
    from.root.conditions = rest;
    b.group(from.root)?;
    let map = names
        .tables
        .iter()
        .enumerate()
        .flat_map(|(t, s)| (0..s.table.columns.len()).map(move |c| (t as u16, c as u16)))
        .collect();
    let tables = names
        .tables
        .iter()
        .map(|s| JoinTable { alias: s.alias.clone(), width: s.table.columns.len() })
        .collect();
    let (steps, nests, sorted) = (b.steps, b.nests, b.sorted);
    Ok((JoinPlan { tables, map, first: Filter::all(constant), steps, nests }, sorted))
}

fn conditions_of(group: &JoinGroup, see: &mut dyn FnMut(&Typed)) {
    group.conditions.iter().for_each(&mut *see);
    group.outers.iter().for_each(|outer| conditions_of(outer, see));
}

/// Outer joins whose NULL rows a condition would drop anyway are inner joins.
fn simplify(group: &mut JoinGroup, names: &Names) {
    loop {
        let rejected = group.conditions.iter().fold(0, |mask, c| mask | rejects_null(c, names));
        let at = group.outers.iter().position(|outer| outer.tables.iter().any(|t| rejected >> t & 1 == 1));
        let Some(at) = at else { break };
        let outer = group.outers.remove(at);
        group.tables.extend(outer.tables);
        group.conditions.extend(outer.conditions);
        group.outers.extend(outer.outers);
    }
    group.outers.iter_mut().for_each(|outer| simplify(outer, names));
}

/// Tables whose NULL rows never fulfil the condition.
fn rejects_null(condition: &Typed, names: &Names) -> u64 {
    match &condition.node {
        Node::And(list) => list.iter().fold(0, |mask, c| mask | rejects_null(c, names)),
        Node::Or(list) => list.iter().fold(u64::MAX, |mask, c| mask & rejects_null(c, names)),
        Node::Compare { op, left, right, .. } if *op != BinaryOp::NullSafeEq => {
            strict(left, names) | strict(right, names)
        }
        Node::Between { expr, not: false, .. } | Node::Like { expr, .. } | Node::In { expr, .. } => {
            strict(expr, names)
        }
        Node::Is { expr, test: IsTest::Null, not: true } => strict(expr, names),
        Node::Not(inner)
            if matches!(inner.node, Node::Compare { .. } | Node::Like { .. } | Node::In { .. }) =>
        {
            rejects_null(inner, names)
        }
        _ => 0,
    }
}

/// Tables whose NULLs make the expression NULL.
fn strict(expr: &Typed, names: &Names) -> u64 {
    match &expr.node {
        Node::Column(c) => 1 << names.table_of(*c),
        Node::Arith { left, right, .. } => strict(left, names) | strict(right, names),
        Node::Neg(e, _) | Node::Same(e) | Node::Cast { expr: e, .. } => strict(e, names),
        _ => 0,
    }
}

impl Builder<'_> {
    fn group(&mut self, group: JoinGroup) -> Result<()> {
        let names = self.figures.names;
        let everything = (1u64 << self.figures.sources.len()) - 1;
        let mut pending: Vec<Conjunct> = group
            .conditions
            .into_iter()
            .map(|expr| {
                let mask = mask_of(&expr, names);
                // RAND() and the like are judged once per joined row.
                let mask = if mask == 0 && !expr.is_constant() { everything } else { mask };
                Conjunct { expr, mask }
            })
            .collect();
        let order = if self.wanted.straight {
            group.tables
        } else {
            self.figures.order(&group.tables, &pending, self.placed)
        };
        for table in order {
            let here = self.placed | 1 << table;
            let (now, later) = pending.into_iter().partition(|c| c.mask & !here == 0);
            pending = later;
            self.step(table, now)?;
        }
        for outer in group.outers {
            let (nest, first) = (self.nests.len(), self.steps.len());
            self.nests.push(Nest { first, last: first, after: Filter::default() });
            let before = self.prefix;
            self.group(outer)?;
            self.prefix = self.prefix.max(before);
            let last = self.steps.len() - 1;
            self.steps[first].opens = Some(nest);
            self.steps[last].closes.push(nest);
            let (now, later) = pending.into_iter().partition(|c: &Conjunct| c.mask & !self.placed == 0);
            pending = later;
            self.nests[nest] = Nest { first, last, after: Filter::all(exprs(now)) };
        }
        // Only conditions that count as reading every table are left, where outer tables follow.
        if let Some(last) = self.steps.last_mut()
            && !pending.is_empty()
        {
            let mut all: Vec<Typed> = last.late.expr.take().into_iter().collect();
            all.extend(exprs(pending));
            last.late = Filter::all(all);
        }
        Ok(())
    }

    fn step(&mut self, table: usize, conditions: Vec<Conjunct>) -> Result<()> {
        let names = self.figures.names;
        let base = names.tables[table].base;
        let width = names.tables[table].table.columns.len();
        let own = |c: usize| (base..base + width).contains(&c);
        let found = self.figures.looked_up(table, self.placed, &conditions.iter().collect::<Vec<_>>());
        let (late, plain): (Vec<Typed>, Vec<Typed>) =
            exprs(conditions).into_iter().partition(|e| asks_per_row(e, &own));
        let mut feeds: Vec<(usize, usize)> = Vec::new();
        let local: Vec<Typed> = plain
            .into_iter()
            .map(|mut expr| {
                self.localise(&mut expr, base, width, &mut feeds);
                expr
            })
            .collect();
        let columns: Vec<usize> = self
            .needed
            .iter()
            .filter(|c| own(**c))
            .map(|c| c - base)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let fed: Vec<usize> = feeds.iter().map(|(slot, _)| *slot).collect();
        let subs = subs_of(&local);
        let locked = self.wanted.lock_of.is_empty()
            || self.wanted.lock_of.iter().any(|l| **l == *names.tables[table].alias);
        let lock = if locked { self.wanted.lock } else { LockMode::None };
        let (how, rows) = self.how(table, local, columns, &fed, found, lock)?;
        let nested = self.placed == 0;
        self.prefix = if nested { rows } else { self.prefix * rows };
        self.placed |= 1 << table;
        self.steps.push(Step {
            table,
            feeds,
            subs,
            how,
            late: Filter::all(late),
            lock,
            opens: None,
            closes: Vec::new(),
            rows,
        });
        Ok(())
    }

    /// Columns of this table by their position in it, those of others as slots.
    fn localise(&self, expr: &mut Typed, base: usize, width: usize, feeds: &mut Vec<(usize, usize)>) {
        expr.rewrite(&mut |node| {
            let Node::Column(number) = node.node else { return false };
            node.node = if (base..base + width).contains(&number) {
                Node::Column(number - base)
            } else {
                let slot = match feeds.iter().find(|(_, n)| *n == number) {
                    Some((slot, _)) => *slot,
                    None => {
                        let slot = self.world.slots(1);
                        feeds.push((slot, number));
                        slot
                    }
                };
                Node::Slot(slot)
            };
            true
        });
    }

    fn how(
        &mut self,
        table: usize,
        conditions: Vec<Typed>,
        columns: Vec<usize>,
        fed: &[usize],
        found: Option<f64>,
        lock: LockMode,
    ) -> Result<(How, f64)> {
        let source = self.figures.sources[table].clone();
        let all = self.figures.rows[table].max(1.0);
        let TableSource::Stored(def) = &source else {
            let lateral = matches!(&source, TableSource::Derived(d) if !d.needs.is_empty());
            let (keys, local, residual) = split_for_hash(conditions, fed);
            let columns = (0..self.figures.names.tables[table].table.columns.len()).collect();
            let buffer = Buffer {
                source,
                access: None,
                local: conjunction(local),
                columns,
                keys,
                residual: conjunction(residual),
                instead: None,
                lateral,
            };
            return Ok((How::Buffer(Box::new(buffer)), all));
        };
        let wanted = |conditions: &[Typed], order, limited| access::Wanted {
            filter: conjunction(conditions.to_vec()),
            columns: columns.clone(),
            order,
            limited,
            hints: &self.hints[table],
        };
        let order = self.order.unwrap_or_default();
        let whole = choose(def, wanted(&conditions, order, self.limited))?;
        if self.placed == 0 {
            self.sorted = self.order.is_some() && whole.sorted;
            let rows = if whole.parts.is_empty() { all } else { found.unwrap_or(all * 0.3) };
            return Ok((How::Cursor(Box::new(whole)), rows));
        }
        let by_key = uses(&whole, fed);
        let looked_up = self.prefix * (3.0 + found.unwrap_or(all));
        let read_once = all * 2.6 + self.prefix;
        // Locked rows are the ones that match: a buffer would lock all.
        if by_key && (looked_up <= read_once || all > MAX_KEPT || lock != LockMode::None) {
            return Ok((How::Cursor(Box::new(whole)), found.unwrap_or(all)));
        }
        if lock != LockMode::None {
            return Ok((How::Cursor(Box::new(whole)), all));
        }
        let (keys, local, residual) = split_for_hash(conditions.clone(), fed);
        let access = choose(def, wanted(&local, &[], false))?;
        let buffer = Buffer {
            source: source.clone(),
            access: Some(access),
            local: None,
            columns: columns.clone(),
            keys,
            residual: conjunction(residual),
            instead: Some(whole),
            lateral: false,
        };
        Ok((How::Buffer(Box::new(buffer)), found.unwrap_or(all)))
    }
}

fn exprs(conjuncts: Vec<Conjunct>) -> Vec<Typed> {
    conjuncts.into_iter().map(|c| c.expr).collect()
}

fn conjunction(list: Vec<Typed>) -> Option<Typed> {
    Filter::all(list).expr
}

/// Does it hold a subquery that reads this table's own row?
fn asks_per_row(expr: &Typed, own: &dyn Fn(usize) -> bool) -> bool {
    let mut found = false;
    expr.walk(&mut |node| {
        if let Node::Sub(sub) = node {
            let mut columns = Vec::new();
            sub.needs.iter().chain(&sub.left).for_each(|e| e.columns(&mut columns));
            found |= columns.into_iter().any(own);
        }
    });
    found
}

/// Does the access read by a value of a table before?
fn uses(access: &Access, fed: &[usize]) -> bool {
    fn mentions(condition: &Condition, fed: &[usize]) -> bool {
        match condition {
            Condition::Compare { value: expr, .. } | Condition::Prefix { pattern: expr, .. } => {
                reads_any(expr, fed)
            }
            Condition::And(list) | Condition::Or(list) => list.iter().any(|c| mentions(c, fed)),
            Condition::IsNull | Condition::NotNull => false,
        }
    }
    access.parts.iter().any(|c| mentions(c, fed))
}

fn reads_any(expr: &Typed, slots: &[usize]) -> bool {
    let mut found = false;
    expr.walk(&mut |node| found |= matches!(node, Node::Slot(s) if slots.contains(s)));
    found
}

fn reads_row(expr: &Typed) -> bool {
    let mut found = false;
    expr.walk(&mut |node| found |= matches!(node, Node::Column(_)));
    found
}

/// Equalities for a hash, conditions on the table alone, and the rest.
fn split_for_hash(conditions: Vec<Typed>, fed: &[usize]) -> (Vec<HashKey>, Vec<Typed>, Vec<Typed>) {
    let (mut keys, mut local, mut residual) = (Vec::new(), Vec::new(), Vec::new());
    for condition in conditions {
        if !reads_any(&condition, fed) {
            local.push(condition);
            continue;
        }
        match hash_key(&condition, fed) {
            Some(key) => keys.push(key),
            None => residual.push(condition),
        }
    }
    (keys, local, residual)
}

fn hash_key(condition: &Typed, fed: &[usize]) -> Option<HashKey> {
    let Node::Compare { op: BinaryOp::Eq, rule, left, right } = &condition.node else { return None };
    let (build, probe) = if reads_row(left) { (left, right) } else { (right, left) };
    if !reads_row(build) || reads_any(build, fed) || reads_row(probe) {
        return None;
    }
    let ty = key_type(&build.ty, &probe.ty, *rule)?;
    Some(HashKey { build: (**build).clone(), probe: (**probe).clone(), ty })
}

/// The type in which equal values have equal bytes; `None`: equality is no matter of bytes here.
pub(crate) fn key_type(a: &Ty, b: &Ty, rule: Rule) -> Option<Ty> {
    use Class::*;
    let year = |t: &Ty| t.col.kind == TypeKind::Year;
    // Their values are numbers and words at once.
    let coded = |t: &Ty| matches!(t.col.kind, TypeKind::Bit | TypeKind::Enum | TypeKind::Set);
    Some(match (a.class(), b.class()) {
        _ if a.hex || b.hex || year(a) != year(b) || coded(a) || coded(b) => return None,
        (Int, Int) => Ty::int(21),
        (Int | Decimal, Int | Decimal) => Ty::decimal(65, 30, false),
        (Int | Decimal | Real, Int | Decimal | Real) => Ty::double(),
        (Text, Text) => match rule {
            Rule::Text(collation) => Ty::text(1, collation, crate::expr::ty::derivation::IMPLICIT),
            _ => return None,
        },
        (Date, Date) => Ty::temporal(TypeKind::Date, 0),
        (Time, Time) => Ty::temporal(TypeKind::Time, 6),
        (Date | DateTime, Date | DateTime) => {
            let stamp = |t: &Ty| t.col.kind == TypeKind::Timestamp;
            if stamp(a) != stamp(b) {
                return None;
            }
            Ty::temporal(if stamp(a) { TypeKind::Timestamp } else { TypeKind::DateTime }, 6)
        }
        _ => return None,
    })
}
