//! INSERT, UPDATE and DELETE.

use super::from::{self, From};
use super::select::{Catalog, Resolved};
use super::{Binder, Merged, Names, Scope, World, check, constant, rules};
use crate::account::privilege::Privileges;
use crate::ast::{Assignment, ColumnName, Delete, Insert, OrderItem, TableExpr, TableRef, Update};
use crate::error::{Result, SqlError, unknown_column, unsupported};
use crate::expr::{Node, Ty, Typed};
use crate::plan::access::{Access, Wanted, choose};
use crate::plan::join::TableSource;
use crate::plan::{ChangeJoinPlan, ChangePlan, InsertPlan, Plan, Set, Target, order, subs_of};
use crate::session::context::Context;
use engine::TableDef;
use std::sync::Arc;

/// The position of an assignment's target column.
fn target_column(names: &Names, name: &ColumnName) -> Result<usize> {
    if !names.merged.is_empty() {
        let number = names.find(name, "field list")?;
        let number = number.ok_or_else(|| unknown_column(super::display(name), "field list"))?;
        return check::stored_column(names, number);
    }
    let scope = &names.tables[0];
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

fn assignments(b: &mut Binder<'_>, names: &Names, list: &[Assignment]) -> Result<Vec<Set>> {
    let scope = &names.tables[0];
    let mut out = Vec::with_capacity(list.len());
    for assignment in list {
        let column = target_column(names, &assignment.column)?;
        let value = assignment.value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
        let value = value.map(|v| stored_as(v, &scope.table, column, b.context));
        out.push(Set { column, value });
    }
    Ok(out)
}

pub(crate) fn insert(insert: &Insert, resolved: &Resolved, world: World<'_>) -> Result<InsertPlan> {
    let names = insert_names(insert, resolved, world)?;
    let table = &names.tables[0].table;
    let select = insert.select.as_ref().map(|q| super::query::bind(q, world, None)).transpose()?;
    let columns = match (names.merged.last(), &insert.columns) {
        (Some(view), list) => check::insertable(&names, view, list.as_deref())?,
        (None, None) => (0..table.columns.len()).collect(),
        (None, Some(list)) => named_columns(&names.tables[0], list)?,
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
    let mut on_duplicate = assignments(&mut b, &names, &insert.on_duplicate)?;
    rules::assignable(table, &mut on_duplicate)?;
    for (i, &column) in columns.iter().enumerate() {
        let given = select.is_some() || rows.iter().any(|row| row[i].is_some());
        rules::may_be_given(table, column, given)?;
    }
    let exprs = rows.iter().flatten().flatten().chain(on_duplicate.iter().filter_map(|s| s.value.as_ref()));
    let subs = subs_of(exprs);
    let rules = rules::of(&names, 0, world)?;
    Ok(InsertPlan {
        rules,
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

/// The names of what rows are inserted into: a table's own, or those of a view over one table.
fn insert_names(insert: &Insert, resolved: &Resolved, world: World<'_>) -> Result<Names> {
    let alias: Arc<str> = Arc::from(insert.table.name.as_str());
    let Some(view) = &resolved.view else {
        return Ok(Names::one(Scope::of(resolved.table.clone(), alias)));
    };
    let mut catalog = Catalog::default();
    catalog.tables.push((insert.table.clone(), Ok(resolved.clone())));
    let named = TableRef { table: insert.table.clone(), alias: None, hints: Vec::new() };
    let world = World { catalog: &catalog, ctes: None, ..world };
    let from = from::bind(&TableExpr::Table(named), world, None)?;
    match &from.sources[..] {
        [TableSource::Stored(_)] => {}
        [_] => return Err(check::not_insertable(&alias)),
        _ => return Err(unsupported("INSERT into a view of several tables")),
    }
    if from.names.tables[0].held.is_some_and(|held| !held.has(Privileges::INSERT)) {
        return Err(super::view::invalid(&view.schema, &view.name));
    }
    Ok(from.names)
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
        let stored = check::stored_column(&names, number)?;
        let (scope, column) = names.locate(stored);
        let value = assignment.value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
        let value = value.map(|v| stored_as(v, &scope.table, column, world.context));
        let table = names.table_of(stored);
        let target = match targets.iter().position(|t| t.table == table) {
            Some(at) => &mut targets[at],
            None => {
                targets.push(target(&from, table, "UPDATE")?);
                targets.last_mut().expect("invariant: pushed above")
            }
        };
        target.set.push(Set { column, value });
    }
    for (i, target) in targets.iter().enumerate() {
        let view = check::written_through(&names, target.table);
        let others = targets[..i].iter().filter_map(|t| check::written_through(&names, t.table));
        if let Some(view) = view.filter(|v| others.into_iter().any(|o| o.id == v.id)) {
            let name = view.view.full_name();
            let text = format!("Can not modify more than one base table through a join view '{name}'");
            return Err(SqlError::new(1393, text));
        }
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
        let at = names.merged.last().map_or(Ok(0), |view| only_table(view, &from))?;
        targets.push(target(&from, at, "DELETE")?);
    }
    for name in &delete.targets {
        let view = names.merged.iter().find(|m| {
            !m.hidden && *m.alias == *name.name && name.schema.as_deref().is_none_or(|n| n == m.view.schema)
        });
        if let Some(view) = view {
            targets.push(target(&from, only_table(view, &from)?, "DELETE")?);
            continue;
        }
        let found = names.tables.iter().position(|s| {
            !s.hidden
                && *s.alias == *name.name
                && name.schema.as_deref().is_none_or(|n| n == s.table.schema_name)
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

/// The table whose rows go when a view's do: 1395 for a view of several, 1288 for one that only computes.
fn only_table(view: &Merged, from: &From) -> Result<usize> {
    let stored = |t: &usize| matches!(from.sources[*t], TableSource::Stored(_));
    let mut tables = view.tables.clone().filter(stored);
    match (tables.next(), tables.next(), view.tables.len()) {
        (Some(one), None, 1) => Ok(one),
        (None, ..) => Err(not_updatable(&view.alias, "DELETE")),
        _ => Err(SqlError::new(1395, format!("Can not delete from join view '{}'", view.view.full_name()))),
    }
}

fn not_updatable(name: &str, verb: &str) -> SqlError {
    SqlError::new(1288, format!("The target table {name} of the {verb} is not updatable"))
}

/// A stored table that rows are changed in: 1288 for others, 1356 where the definer of the view may not.
fn target(from: &From, table: usize, verb: &str) -> Result<Target> {
    let scope = &from.names.tables[table];
    if !matches!(from.sources[table], TableSource::Stored(_)) {
        return Err(not_updatable(&scope.alias, verb));
    }
    let view = check::written_through(&from.names, table);
    if let Some(view) = view
        && !view.view.mergeable().and_then(|s| s.from.as_ref()).is_some_and(super::view::joins_inwardly)
    {
        return Err(not_updatable(&view.alias, verb));
    }
    let wanted = if verb == "DELETE" { Privileges::DELETE } else { Privileges::UPDATE };
    if let Some(view) = view
        && scope.held.is_some_and(|held| !held.has(wanted))
    {
        return Err(super::view::invalid(&view.view.schema, &view.view.name));
    }
    let named = match view {
        Some(view) => (view.view.schema.clone(), view.view.name.clone()),
        None => (scope.table.schema_name.clone(), scope.table.name.clone()),
    };
    Ok(Target {
        table,
        base: scope.base,
        def: scope.table.clone(),
        set: Vec::new(),
        rules: Default::default(),
        subs: Vec::new(),
        named,
    })
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

fn finish(change: Change, mut from: From, names: Names, world: World<'_>) -> Result<Plan> {
    let Change { mut targets, filter, order, limit, delete, ignore } = change;
    let filter = from::of_one(&mut from, filter);
    if !delete {
        for target in &mut targets {
            rules::assignable(&target.def, &mut target.set)?;
            target.rules = rules::of(&names, target.table, world)?;
        }
    }
    let rules = targets.iter().flat_map(|t| t.rules.exprs());
    let values = targets.iter().flat_map(|t| t.set.iter().filter_map(|s| s.value.as_ref()));
    let exprs: Vec<&Typed> = values.chain(&filter).chain(order.iter().map(|(e, _)| e)).chain(rules).collect();
    let plain = from.sources.len() == 1 && exprs.iter().all(|e| !e.has_subquery());
    let mut columns: Vec<usize> = Vec::new();
    exprs.iter().for_each(|e| e.columns(&mut columns));
    for target in &targets {
        columns.extend(target.set.iter().map(|s| target.base + s.column));
        columns.extend(target.rules.generated.iter().map(|g| target.base + g.column));
    }
    columns.sort_unstable();
    columns.dedup();
    if plain {
        let scope = &names.tables[0];
        let hints = from.hints[0].as_slice();
        let (access, order) = access(scope, filter, columns, order, limit.is_some(), hints)?;
        let (set, rules) = targets.pop().map_or_else(Default::default, |t| (t.set, t.rules));
        let alias = scope.alias.clone();
        return Ok(Plan::Change(Box::new(ChangePlan {
            access,
            alias,
            set,
            rules,
            delete,
            ignore,
            order,
            limit,
        })));
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
