//! FROM: tables found, names gathered, join conditions bound; the joins as groups of tables that may be read in any order.
//!
//! ```text
//!   a JOIN b LEFT JOIN (c JOIN d)        group { tables a, b; outer: group { tables c, d; conditions: ON } }
//! ```
//! A group's rows are those of its tables that fulfil its conditions, each with the rows of its outer groups, or NULLs in their place.

use super::names::{Names, Scope};
use super::query::{CteKind, CteScope, made};
use super::{Binder, Parent, World, operator};
use crate::ast::{IndexHint, Join, JoinKind, TableExpr, TableRef};
use crate::error::{Result, SqlError, unknown_column};
use crate::expr::Typed;
use crate::plan::join::{DerivedPlan, TableSource};
use std::sync::Arc;

/// Tables joined inwardly, with what is joined to them outwardly.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    pub(crate) tables: Vec<usize>,
    /// ON of the joins inside, and of the outer join that the group hangs on.
    pub(crate) conditions: Vec<Typed>,
    pub(crate) outers: Vec<Group>,
}

/// A bound FROM.
pub(crate) struct From {
    pub(crate) names: Names,
    pub(crate) sources: Vec<TableSource>,
    pub(crate) hints: Vec<Vec<IndexHint>>,
    pub(crate) root: Group,
    /// STRAIGHT_JOIN somewhere: the tables are read in the order written.
    pub(crate) straight: bool,
    /// The order that a merged view gives its rows, when it stands alone.
    pub(crate) order: Vec<(Typed, bool)>,
    /// What USING and NATURAL made one, join by join, the inner ones first.
    pub(crate) commons: Vec<Vec<(usize, usize)>>,
    /// The tables and merged views of the FROM that is being bound begin here; those before are of queries around a merged view.
    pub(super) start: (usize, usize),
    /// What is bound may be replaced by NULLs.
    pub(super) outer: bool,
    /// What is bound is all there is.
    pub(super) lone: bool,
}

pub(super) struct Operand {
    pub(super) group: Group,
    /// Positions of its tables.
    pub(super) tables: std::ops::Range<usize>,
    pub(super) visible: Vec<usize>,
}

/// Binds a FROM clause.
pub(crate) fn bind(from: &TableExpr, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<From> {
    let mut out = From {
        names: Names::default(),
        sources: Vec::new(),
        hints: Vec::new(),
        root: Group::default(),
        straight: false,
        order: Vec::new(),
        commons: Vec::new(),
        start: (0, 0),
        outer: false,
        lone: matches!(from, TableExpr::Table(_)),
    };
    let operand = out.operand(from, world, parent)?;
    out.root = operand.group;
    out.names.visible = operand.visible;
    fn nullable(group: &Group, inside: bool, names: &mut Names) {
        if inside {
            group.tables.iter().for_each(|&t| names.tables[t].nullable = true);
        }
        group.outers.iter().for_each(|outer| nullable(outer, true, names));
    }
    nullable(&out.root.clone(), false, &mut out.names);
    Ok(out)
}

impl From {
    pub(super) fn operand(
        &mut self,
        from: &TableExpr,
        world: World<'_>,
        parent: Option<&Parent<'_>>,
    ) -> Result<Operand> {
        match from {
            TableExpr::Table(table) => self.table(table, world),
            TableExpr::Derived { query, alias, columns, lateral } => {
                let (plan, needs) = if *lateral {
                    let mut names = self.names.clone();
                    names.visible = self.all_visible();
                    let around = Binder::within(&names, world, parent);
                    let here = Parent::new(&around);
                    let plan = super::query::bind(query, world, Some(&here))?;
                    (plan, here.finish().1)
                } else {
                    (super::query::bind(query, world, parent)?, Vec::new())
                };
                let (table, made) = made(&plan, alias, columns, world)?;
                let scope = Scope { made: Some(made), ..Scope::of(table, Arc::from(alias.as_str())) };
                let source = TableSource::Derived(Arc::new(DerivedPlan { query: plan, needs }));
                self.add(scope, source, Vec::new())
            }
            TableExpr::Join(join) => self.join(join, world, parent),
        }
    }

    fn table(&mut self, table: &TableRef, world: World<'_>) -> Result<Operand> {
        let alias: Arc<str> = Arc::from(table.alias.as_deref().unwrap_or(&table.table.name));
        if table.table.schema.is_none()
            && let Some(cte) = CteScope::find(world.ctes, &table.table.name)
        {
            let made = super::names::Made {
                tys: cte.made.tys.clone(),
                columns: cte.made.columns.iter().map(|c| crate::plan::meta::called(c, &alias)).collect(),
            };
            let scope = Scope { made: Some(made), ..Scope::of(cte.table.clone(), alias) };
            let source = match &cte.kind {
                CteKind::Done(plan) => TableSource::Cte(plan.clone()),
                CteKind::Working(id, used) => {
                    used.set(true);
                    TableSource::Working(*id)
                }
            };
            return self.add(scope, source, table.hints.clone());
        }
        let resolved = world.catalog.get(&table.table)?;
        if let Some(view) = &resolved.view {
            return self.view(view, alias, world);
        }
        let scope = Scope { held: resolved.held, ..Scope::of(resolved.table.clone(), alias) };
        let source = match &resolved.rows {
            Some(rows) => TableSource::Virtual(rows.clone()),
            None => TableSource::Stored(resolved.table.clone()),
        };
        self.add(scope, source, table.hints.clone())
    }

    /// Every column before, as LATERAL sees it.
    fn all_visible(&self) -> Vec<usize> {
        let tables = self.names.tables[self.start.0..].iter().filter(|t| !t.hidden);
        let columns = tables.flat_map(|t| t.base..t.base + t.table.columns.len());
        let views = self.names.merged[self.start.1..].iter().filter(|m| !m.hidden);
        columns.chain(views.flat_map(|m| (0..m.columns.len()).map(|i| m.number(i)))).collect()
    }

    /// 1066 when something is called so already.
    pub(super) fn free(&self, alias: &Arc<str>, schema: &str) -> Result<()> {
        let tables = &self.names.tables[self.start.0..];
        let views = &self.names.merged[self.start.1..];
        if tables.iter().any(|t| !t.hidden && t.alias == *alias && t.table.schema_name == schema)
            || views.iter().any(|m| !m.hidden && m.alias == *alias && m.view.schema == schema)
        {
            return Err(SqlError::new(1066, format!("Not unique table/alias: '{alias}'")));
        }
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        mut scope: Scope,
        source: TableSource,
        hints: Vec<IndexHint>,
    ) -> Result<Operand> {
        self.free(&scope.alias, &scope.table.schema_name)?;
        scope.base = self.names.width();
        let at = self.names.tables.len();
        let visible = (scope.base..scope.base + scope.table.columns.len()).collect();
        self.names.tables.push(scope);
        self.sources.push(source);
        self.hints.push(hints);
        let group = Group { tables: vec![at], ..Group::default() };
        Ok(Operand { group, tables: at..at + 1, visible })
    }

    fn join(&mut self, join: &Join, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<Operand> {
        self.straight |= join.straight;
        let (outer, lone) = (self.outer, std::mem::take(&mut self.lone));
        self.outer = outer || join.kind == JoinKind::Right;
        let left = self.operand(&join.left, world, parent)?;
        self.outer = outer || join.kind == JoinKind::Left;
        let right = self.operand(&join.right, world, parent)?;
        (self.outer, self.lone) = (outer, lone);
        let mut conditions = Vec::new();
        let common = self.common(join, &left, &right)?;
        self.commons.push(common.clone());
        let inside = left.tables.start..right.tables.end;
        let views = self.names.merged.iter();
        let names = Names {
            tables: self.names.tables[inside.clone()].to_vec(),
            visible: left.visible.iter().chain(&right.visible).copied().collect(),
            merged: views
                .filter(|m| inside.start <= m.tables.start && m.tables.end <= inside.end)
                .cloned()
                .collect(),
        };
        let mut b = Binder::within(&names, world, parent);
        for &(l, r) in &common {
            conditions.push(operator::equal(&b, names.column(l), names.column(r))?);
        }
        if let Some(on) = &join.on {
            conditions.extend(split(b.bind_in("on clause", on)?));
        }
        let visible = merged(join.kind, &common, &left.visible, &right.visible);
        let tables = left.tables.start..right.tables.end;
        let group = match join.kind {
            JoinKind::Inner => {
                let mut group = left.group;
                group.tables.extend(right.group.tables);
                group.conditions.extend(right.group.conditions);
                group.conditions.extend(conditions);
                group.outers.extend(right.group.outers);
                group
            }
            JoinKind::Left => hang(left.group, right.group, conditions),
            JoinKind::Right => hang(right.group, left.group, conditions),
        };
        Ok(Operand { group, tables, visible })
    }

    /// The pairs of columns that USING or NATURAL makes one.
    fn common(&self, join: &Join, left: &Operand, right: &Operand) -> Result<Vec<(usize, usize)>> {
        let mut using = join.using.clone();
        if join.natural {
            for &l in &left.visible {
                let name = self.names.name_of(l);
                let twice = using.iter().any(|u| u.eq_ignore_ascii_case(name));
                let shared = right.visible.iter().any(|&r| self.names.name_of(r).eq_ignore_ascii_case(name));
                if shared && !twice {
                    using.push(name.to_owned());
                }
            }
        }
        let find = |name: &str, side: &Operand| {
            let mut found =
                side.visible.iter().filter(|&&n| self.names.name_of(n).eq_ignore_ascii_case(name));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    Err(SqlError::new(1052, format!("Column '{name}' in from clause is ambiguous")))
                }
                (Some(n), None) => Ok(*n),
                _ => Err(unknown_column(name, "from clause")),
            }
        };
        let mut pairs = Vec::with_capacity(using.len());
        for name in &using {
            pairs.push((find(name, left)?, find(name, right)?));
        }
        // They are shown in the left table's order.
        pairs.sort_by_key(|(l, _)| left.visible.iter().position(|v| v == l));
        Ok(pairs)
    }
}

fn hang(mut group: Group, mut outer: Group, conditions: Vec<Typed>) -> Group {
    outer.conditions.extend(conditions);
    group.outers.push(outer);
    group
}

/// What `*` means behind a join: the common columns, then the rest of the left side, then of the right.
fn merged(kind: JoinKind, common: &[(usize, usize)], left: &[usize], right: &[usize]) -> Vec<usize> {
    let mut out: Vec<usize> =
        common.iter().map(|&(l, r)| if kind == JoinKind::Right { r } else { l }).collect();
    let (first, second) =
        if kind == JoinKind::Right && !common.is_empty() { (right, left) } else { (left, right) };
    let hidden = |n: &usize| common.iter().any(|(l, r)| l == n || r == n);
    out.extend(first.iter().filter(|n| !hidden(n)));
    out.extend(second.iter().filter(|n| !hidden(n)));
    out
}

/// The conjuncts of a condition.
pub(crate) fn split(condition: Typed) -> Vec<Typed> {
    match condition.node {
        crate::expr::Node::And(list) => list.into_iter().flat_map(split).collect(),
        _ => vec![condition],
    }
}

/// The condition of the only table: what a merged view demands, and `filter`.
pub(crate) fn of_one(from: &mut From, filter: Option<Typed>) -> Option<Typed> {
    if from.sources.len() != 1 || from.root.conditions.is_empty() {
        return filter;
    }
    let mut all = std::mem::take(&mut from.root.conditions);
    all.extend(filter.into_iter().flat_map(split));
    crate::plan::Filter::all(all).expr
}
