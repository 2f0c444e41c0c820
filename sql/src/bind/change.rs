//! INSERT, UPDATE and DELETE.

use super::select::Resolved;
use super::{Binder, Scope, constant};
use crate::ast::{Assignment, ColumnName, Delete, Insert, OrderItem, Update};
use crate::error::{Result, SqlError, unknown_column};
use crate::expr::{Node, Ty, Typed};
use crate::plan::access::{Access, Wanted, choose};
use crate::plan::{ChangePlan, InsertPlan, Set};
use crate::session::context::Context;
use engine::TableDef;
use values::Value;

/// The position of an assignment's target column.
fn target(scope: &Scope, name: &ColumnName) -> Result<usize> {
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
        let column = target(scope, &assignment.column)?;
        let value = assignment.value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
        let value = value.map(|v| stored_as(v, &scope.table, column, b.context));
        out.push(Set { column, value });
    }
    Ok(out)
}

pub(crate) fn insert(
    insert: &Insert,
    resolved: &Resolved,
    select: Option<crate::plan::SelectPlan>,
    context: &Context,
    params: &[Value],
) -> Result<InsertPlan> {
    let scope = &resolved.scope;
    let table = &scope.table;
    let columns = match &insert.columns {
        None => (0..table.columns.len()).collect(),
        Some(names) => named_columns(scope, names)?,
    };
    // `INSERT INTO t () VALUES ()` takes every default.
    let columns: Vec<usize> =
        if insert.rows.first().is_some_and(Vec::is_empty) { Vec::new() } else { columns };
    if let Some(select) = &select
        && select.items.len() != columns.len()
    {
        return Err(wrong_count(1));
    }
    let mut b = Binder::new(Some(scope), context, params);
    let mut rows = Vec::with_capacity(insert.rows.len());
    for (i, row) in insert.rows.iter().enumerate() {
        if row.len() != columns.len() {
            return Err(wrong_count(i + 1));
        }
        let bound = row.iter().zip(&columns).map(|(value, column)| {
            let value = value.as_ref().map(|v| b.bind_in("field list", v)).transpose()?;
            Ok(value.map(|v| stored_as(v, table, *column, context)))
        });
        rows.push(bound.collect::<Result<Vec<_>>>()?);
    }
    b.inserted = true;
    b.row_alias = insert.row_alias.as_ref();
    let on_duplicate = assignments(&mut b, scope, &insert.on_duplicate)?;
    Ok(InsertPlan {
        table: table.clone(),
        replace: insert.replace,
        ignore: insert.ignore,
        columns,
        rows,
        select: select.map(Box::new),
        on_duplicate,
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

pub(crate) fn update(
    update: &Update,
    resolved: &Resolved,
    context: &Context,
    params: &[Value],
) -> Result<ChangePlan> {
    let scope = &resolved.scope;
    let mut b = Binder::new(Some(scope), context, params);
    let set = assignments(&mut b, scope, &update.set)?;
    let filter = update.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    let order = order(&mut b, &update.order_by)?;
    let limit = update.limit.as_ref().map(|l| b.bind_in("limit clause", l)).transpose()?;
    let mut columns: Vec<usize> = set.iter().map(|s| s.column).collect();
    for value in set.iter().filter_map(|s| s.value.as_ref()) {
        value.columns(&mut columns);
    }
    let (access, order) = access(scope, filter, columns, order, limit.is_some(), &update.table.hints)?;
    Ok(ChangePlan {
        access,
        alias: scope.alias.clone(),
        set,
        delete: false,
        ignore: update.ignore,
        order,
        limit,
    })
}

pub(crate) fn delete(
    delete: &Delete,
    resolved: &Resolved,
    context: &Context,
    params: &[Value],
) -> Result<ChangePlan> {
    let scope = &resolved.scope;
    let mut b = Binder::new(Some(scope), context, params);
    let filter = delete.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    let order = order(&mut b, &delete.order_by)?;
    let limit = delete.limit.as_ref().map(|l| b.bind_in("limit clause", l)).transpose()?;
    let (access, order) = access(scope, filter, Vec::new(), order, limit.is_some(), &delete.table.hints)?;
    Ok(ChangePlan {
        access,
        alias: scope.alias.clone(),
        set: Vec::new(),
        delete: true,
        ignore: delete.ignore,
        order,
        limit,
    })
}

fn order(b: &mut Binder<'_>, items: &[OrderItem]) -> Result<Vec<(Typed, bool)>> {
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
