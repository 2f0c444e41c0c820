//! INSERT, UPDATE and DELETE.

use super::from::{self, From};
use super::select::Resolved;
use super::{Binder, Names, Scope, World, constant};
use crate::ast::{Assignment, ColumnName, Delete, Insert, OrderItem, Update};
use crate::error::{Result, SqlError, unknown_column};
use crate::expr::{Node, Ty, Typed};
use crate::plan::access::{Access, Wanted, choose};
use crate::plan::join::TableSource;
use crate::plan::{ChangeJoinPlan, ChangePlan, InsertPlan, Plan, Set, Target, order, subs_of};
use crate::session::context::Context;
use engine::TableDef;
use std::sync::Arc;

/// The position of an assignment's target column.
fn target_column(scope: &Scope, name: &ColumnName) -> Result<usize> {
    let ours = name.table.as_deref().is_none_or(|t| t == &*scope.alias || t == scope.table.name);
    scope
        .table
        .column(&name.name)
        .filter(|_| ours)
        .ok_or_else(|| unknown_column(super::display(name), "field list"))
}

/// A hexadecimal literal is a number where a number is stored.
fn stored_as(value: Typed, table: &TableDef, column: usize, context: &Context) -> Typed {
    if value.ty.hex {
        constant::fitted(value, &Ty::of(table.columns[column].ty, true), context)
    } else {
        value
    }
}

fn assignments(b: &mut Binder<'_>, scope: &Scope, list: &[Assignment]) -> Result<Vec<Set>> {
    let mut out = Vec::with_capacity(list.len());
    for assignment in list {
        let column = target_column(scope, &assignment.column)?;
        let value = assignment.value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
        let value = value.map(|v| stored_as(v, &scope.table, column, b.context));
        out.push(Set { column, value });
    }
    Ok(out)
}

pub(crate) fn insert(insert: &Insert, resolved: &Resolved, world: World<'_>) -> Result<InsertPlan> {
    let alias: Arc<str> = Arc::from(insert.table.name.as_str());
    let names = Names::one(Scope::of(resolved.table.clone(), alias));
    let scope = &names.tables[0];
    let table = &resolved.table;
    let select = insert.select.as_ref().map(|q| super::query::bind(q, world, None)).transpose()?;
    let columns = match &insert.columns {
        None => (0..table.columns.len()).collect(),
        Some(names) => named_columns(scope, names)?,
    };
    // `INSERT INTO t () VALUES ()` takes every default.
    let columns: Vec<usize> =
        if insert.rows.first().is_some_and(Vec::is_empty) { Vec::new() } else { columns };
    if let Some(select) = &select
        && select.tys.len() != columns.len()
    {
        return Err(wrong_count(1));
    }
    let mut b = Binder::within(&names, world, None);
    let mut rows = Vec::with_capacity(insert.rows.len());
    for (i, row) in insert.rows.iter().enumerate() {
        if row.len() != columns.len() {
            return Err(wrong_count(i + 1));
        }
        let bound = row.iter().zip(&columns).map(|(value, column)| {
            let value = value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
            Ok(value.map(|v| stored_as(v, table, *column, world.context)))
        });
        rows.push(bound.collect::<Result<Vec<_>>>()?);
    }
    b.inserted = true;
    b.row_alias = insert.row_alias.as_ref();
    let on_duplicate = assignments(&mut b, scope, &insert.on_duplicate)?;
    let exprs = rows.iter().flatten().flatten().chain(on_duplicate.iter().filter_map(|s| s.value.as_ref()));
    let subs = subs_of(exprs);
    Ok(InsertPlan {
        table: table.clone(),
        replace: insert.replace,
        ignore: insert.ignore,
        columns,
        rows,
        select: select.map(Box::new),
        on_duplicate,
        sizes: world.shared.sizes(),
        subs,
    })
}

fn wrong_count(row: usize) -> SqlError {
    SqlError::new(1136, format!("Column count doesn't match value count at row {row}"))
}

fn named_columns(scope: &Scope, names: &[String]) -> Result<Vec<usize>> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let position = scope.table.column(name).ok_or_else(|| unknown_column(name, "field list"))?;
        if columns.contains(&position) {
            return Err(SqlError::new(1110, format!("Column '{name}' specified twice")));
        }
        columns.push(position);
    }
    Ok(columns)
}

/// UPDATE of one table whose conditions hold no subquery takes the short way; others read a join.
pub(crate) fn update(update: &Update, world: World<'_>) -> Result<Plan> {
    let from = from::bind(&update.tables, world, None)?;
    let names = from.names.clone();
    let mut b = Binder::within(&names, world, None);
    let mut targets: Vec<Target> = Vec::new();
    for assignment in &update.set {
        let number = names
            .find(&assignment.column, "field list")?
            .ok_or_else(|| unknown_column(super::display(&assignment.column), "field list"))?;
        let (scope, column) = names.locate(number);
        let value = assignment.value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
        let value = value.map(|v| stored_as(v, &scope.table, column, world.context));
        let table = names.table_of(number);
        let target = match targets.iter().position(|t| t.table == table) {
            Some(at) => &mut targets[at],
            None => {
                targets.push(target(&from, table, "UPDATE")?);
                targets.last_mut().expect("invariant: pushed above")
            }
        };
        target.set.push(Set { column, value });
    }
    let filter = update.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    let order = order_keys(&mut b, &update.order_by)?;
    let limit = update.limit.as_ref().map(|l| b.bind_in("limit clause", l)).transpose()?;
    let change = Change { targets, filter, order, limit, delete: false, ignore: update.ignore };
    finish(change, from, names, world)
}

/// DELETE, of one table or several.
pub(crate) fn delete(delete: &Delete, world: World<'_>) -> Result<Plan> {
    let from = from::bind(&delete.tables, world, None)?;
    let names = from.names.clone();
    let mut b = Binder::within(&names, world, None);
    let mut targets = Vec::new();
    if delete.targets.is_empty() {
        targets.push(target(&from, 0, "DELETE")?);
    }
    for name in &delete.targets {
        let found = names.tables.iter().position(|s| {
            *s.alias == *name.name && name.schema.as_deref().is_none_or(|n| n == s.table.schema_name)
        });
        let Some(at) = found else {
            return Err(SqlError::new(1109, format!("Unknown table '{}' in MULTI DELETE", name.name)));
        };
        targets.push(target(&from, at, "DELETE")?);
    }
    let filter = delete.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    let order = order_keys(&mut b, &delete.order_by)?;
    let limit = delete.limit.as_ref().map(|l| b.bind_in("limit clause", l)).transpose()?;
    let change = Change { targets, filter, order, limit, delete: true, ignore: delete.ignore };
    finish(change, from, names, world)
}

/// A stored table that rows are changed in: 1288 for others.
fn target(from: &From, table: usize, verb: &str) -> Result<Target> {
    let scope = &from.names.tables[table];
    if !matches!(from.sources[table], TableSource::Stored(_)) {
        return Err(SqlError::new(
            1288,
            format!("The target table {} of the {verb} is not updatable", scope.alias),
        ));
    }
    Ok(Target { table, base: scope.base, def: scope.table.clone(), set: Vec::new(), subs: Vec::new() })
}

/// A bound change, before its access path is chosen.
struct Change {
    targets: Vec<Target>,
    filter: Option<Typed>,
    order: Vec<(Typed, bool)>,
    limit: Option<Typed>,
    delete: bool,
    ignore: bool,
}

fn finish(change: Change, from: From, names: Names, world: World<'_>) -> Result<Plan> {
    let Change { mut targets, filter, order, limit, delete, ignore } = change;
    let values = targets.iter().flat_map(|t| t.set.iter().filter_map(|s| s.value.as_ref()));
    let exprs: Vec<&Typed> = values.chain(&filter).chain(order.iter().map(|(e, _)| e)).collect();
    let plain = from.sources.len() == 1 && exprs.iter().all(|e| !e.has_subquery());
    let mut columns: Vec<usize> = Vec::new();
    exprs.iter().for_each(|e| e.columns(&mut columns));
    for target in &targets {
        columns.extend(target.set.iter().map(|s| target.base + s.column));
    }
    columns.sort_unstable();
    columns.dedup();
    if plain {
        let scope = &names.tables[0];
        let hints = from.hints[0].as_slice();
        let (access, order) = access(scope, filter, columns, order, limit.is_some(), hints)?;
        let set = targets.pop().map_or_else(Vec::new, |t| t.set);
        let alias = scope.alias.clone();
        return Ok(Plan::Change(Box::new(ChangePlan { access, alias, set, delete, ignore, order, limit })));
    }
    for target in &mut targets {
        target.subs = subs_of(target.set.iter().filter_map(|s| s.value.as_ref()));
    }
    let locked: Vec<String> = targets.iter().map(|t| names.tables[t.table].alias.to_string()).collect();
    let straight = from.straight;
    let conditions = filter.map_or_else(Vec::new, from::split);
    let wanted = order::Wanted {
        needed: columns.clone(),
        lock: engine::LockMode::Exclusive,
        lock_of: &locked,
        straight,
    };
    let (join, _) = order::plan(from, conditions, wanted, None, false, world)?;
    let subs = subs_of(order.iter().map(|(e, _)| e));
    Ok(Plan::ChangeJoin(Box::new(ChangeJoinPlan {
        join,
        names: Arc::new(names),
        targets,
        columns,
        delete,
        ignore,
        order,
        subs,
        limit,
        sizes: world.shared.sizes(),
    })))
}

fn order_keys(b: &mut Binder<'_>, items: &[OrderItem]) -> Result<Vec<(Typed, bool)>> {
    items.iter().map(|item| Ok((b.bind_in("order clause", &item.expr)?, item.desc))).collect()
}

/// The access path of a change; an ORDER BY that the index serves is dropped.
fn access(
    scope: &Scope,
    filter: Option<Typed>,
    mut columns: Vec<usize>,
    order: Vec<(Typed, bool)>,
    limited: bool,
    hints: &[crate::ast::IndexHint],
) -> Result<(Access, Vec<(Typed, bool)>)> {
    if let Some(filter) = &filter {
        filter.columns(&mut columns);
    }
    for (expr, _) in &order {
        expr.columns(&mut columns);
    }
    // The whole row is read whatever the index: it will be changed.
    columns.sort_unstable();
    let plain: Option<Vec<(usize, bool)>> = order
        .iter()
        .map(|(e, desc)| match e.node {
            Node::Column(c) => Some((c, *desc)),
            _ => None,
        })
        .collect();
    let wanted = Wanted { filter, columns, order: plain.as_deref().unwrap_or_default(), limited, hints };
    let mut access = choose(&scope.table, wanted)?;
    access.covering = access.index == 0;
    let order = if plain.is_some() && access.sorted { Vec::new() } else { order };
    Ok((access, order))
}
