//! Query expressions: common table expressions, set operations, VALUES, and ORDER BY and LIMIT over a whole.

use super::names::{Made, Names, Scope};
use super::select::{limits, position};
use super::{Binder, Parent, World, select};
use crate::ast::{Body, Cte, Limit, OrderItem, Query, SetOp, SetOperation, Values, With};
use crate::error::{Result, SqlError};
use crate::exec::virtual_rows::detached;
use crate::expr::{Node, Ty, Typed};
use crate::function::control::common_of;
use crate::plan::{BodyPlan, CtePlan, QueryPlan, SelectPlan, Tail, meta, subs_of};
use engine::TableDef;
use std::cell::Cell;
use std::sync::Arc;
use values::ColumnType;

/// A common table expression in sight; a chain, the nearest first.
pub(crate) struct CteScope<'a> {
    up: Option<&'a CteScope<'a>>,
    name: &'a str,
    pub(crate) table: Arc<TableDef>,
    pub(crate) made: Made,
    pub(crate) kind: CteKind,
}

pub(crate) enum CteKind {
    Done(Arc<CtePlan>),
    /// Inside its own definition: the rows of the round before. Says whether it was used.
    Working(usize, Cell<bool>),
}

impl<'a> CteScope<'a> {
    pub(crate) fn find(scope: Option<&'a CteScope<'a>>, name: &str) -> Option<&'a CteScope<'a>> {
        let mut at = scope;
        while let Some(scope) = at {
            if scope.name == name {
                return Some(scope);
            }
            at = scope.up;
        }
        None
    }
}

/// Binds a query and everything in it.
pub(crate) fn bind(query: &Query, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<QueryPlan> {
    match &query.with {
        None => body(query, world, parent),
        Some(with) => {
            for (i, cte) in with.ctes.iter().enumerate() {
                if with.ctes[..i].iter().any(|c| c.name == cte.name) {
                    return Err(SqlError::new(1066, format!("Not unique table/alias: '{}'", cte.name)));
                }
            }
            with_ctes(with, 0, query, world, parent)
        }
    }
}

fn with_ctes(
    with: &With,
    at: usize,
    query: &Query,
    world: World<'_>,
    parent: Option<&Parent<'_>>,
) -> Result<QueryPlan> {
    let Some(cte) = with.ctes.get(at) else { return body(query, world, parent) };
    // One that nobody reads is not even looked at.
    let rest = Query { with: None, body: query.body.clone(), into: Vec::new() };
    if !rest.mentions(&cte.name) && !with.ctes[at + 1..].iter().any(|c| c.query.mentions(&cte.name)) {
        return with_ctes(with, at + 1, query, world, parent);
    }
    let scope = cte_scope(cte, with.recursive, world, parent)?;
    let CteKind::Done(plan) = &scope.kind else { unreachable!("a whole common table expression") };
    let id = plan.id;
    let mut out = with_ctes(with, at + 1, query, World { ctes: Some(&scope), ..world }, parent)?;
    out.ctes.push(id);
    Ok(out)
}

/// A common table expression, bound, in sight of what follows it.
pub(crate) fn cte_scope<'a>(
    cte: &'a Cte,
    may_recurse: bool,
    world: World<'a>,
    parent: Option<&Parent<'_>>,
) -> Result<CteScope<'a>> {
    let plan = if may_recurse && cte.query.mentions(&cte.name) {
        recursive(cte, world, parent)?
    } else {
        let query = bind(&cte.query, world, parent)?;
        CtePlan { id: world.shared.cte(), query, recursive: Vec::new(), distinct: false }
    };
    let (table, made) = made(&plan.query, &cte.name, &cte.columns, world)?;
    Ok(CteScope { up: world.ctes, name: &cte.name, table, made, kind: CteKind::Done(Arc::new(plan)) })
}

/// The rows of a query as a table: 1353 and 1060 for its column names.
pub(crate) fn made(
    query: &QueryPlan,
    alias: &str,
    columns: &[String],
    world: World<'_>,
) -> Result<(Arc<TableDef>, Made)> {
    if !columns.is_empty() && columns.len() != query.tys.len() {
        return Err(SqlError::new(
            1353,
            "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts",
        ));
    }
    let names: Vec<&str> = match columns {
        [] => query.columns.iter().map(|c| &*c.name).collect(),
        given => given.iter().map(String::as_str).collect(),
    };
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|n| n.eq_ignore_ascii_case(name)) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{name}'")));
        }
    }
    let tys: Vec<Ty> = query.tys.iter().map(stored).collect();
    let types: Vec<ColumnType> = tys.iter().map(|t| t.col).collect();
    let described = names.iter().zip(&types).zip(&tys).map(|((name, ty), t)| (*name, *ty, t.nullable));
    let table = Arc::new(detached("", alias, described));
    let merged = is_simple(query);
    // What one SELECT computes goes through a temporary table of its own.
    let narrow = matches!(query.body, BodyPlan::Select(_));
    let columns = names
        .iter()
        .zip(&tys)
        .zip(query.columns.iter())
        .map(|((name, ty), inner)| meta::of_derived(ty, name, alias, inner, (merged, narrow), world.context))
        .collect();
    Ok((table, Made { tys: tys.into(), columns }))
}

/// Would MySQL merge it into the query around it?
fn is_simple(query: &QueryPlan) -> bool {
    match &query.body {
        BodyPlan::Select(s) => {
            s.group.is_none()
                && s.windows.is_empty()
                && !s.distinct
                && s.limit.is_none()
                && !s.names.tables.is_empty()
        }
        _ => false,
    }
}

/// The type of a value once it lies in a row.
fn stored(ty: &Ty) -> Ty {
    Ty { null: false, hex: false, nullable: ty.nullable || ty.null, ..*ty }
}

/// The parts of a recursive definition: those that start it, those that go on; and whether equal rows are dropped.
fn parts(query: &Query) -> Result<(Vec<&Query>, bool)> {
    let mut rest = query;
    let mut parts = Vec::new();
    let mut distinct = false;
    loop {
        match &rest.body {
            Body::Set(set) if set.op == SetOp::Union && set.order_by.is_empty() && set.limit.is_none() => {
                parts.push(&set.right);
                distinct |= !set.all;
                rest = &set.left;
            }
            _ => {
                parts.push(rest);
                parts.reverse();
                return Ok((parts, distinct));
            }
        }
    }
}

fn recursive(cte: &Cte, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<CtePlan> {
    let name = &cte.name;
    let (parts, distinct) = parts(&cte.query)?;
    let first_recursive = parts.iter().position(|p| p.mentions(name)).unwrap_or(parts.len());
    if parts.len() < 2 {
        return Err(SqlError::new(
            3573,
            format!("Recursive Common Table Expression '{name}' should contain a UNION"),
        ));
    }
    if first_recursive == 0 {
        return Err(SqlError::new(
            3574,
            format!(
                "Recursive Common Table Expression '{name}' should have one or more non-recursive query blocks followed by one or more recursive ones"
            ),
        ));
    }
    let mut start = bind(parts[0], world, parent)?;
    for part in &parts[1..first_recursive] {
        let right = bind(part, world, parent)?;
        start = combine(SetOp::Union, !distinct, start, right, world)?;
    }
    for ty in &mut start.tys {
        *ty = stored(&ty.or_null(true));
    }
    let united = start.columns.iter().zip(&start.tys);
    start.columns = united.map(|(column, ty)| meta::of_united(ty, &column.name, world.context)).collect();
    let (table, made) = made(&start, name, &cte.columns, world)?;
    let id = world.shared.cte();
    let working =
        CteScope { up: world.ctes, name, table, made, kind: CteKind::Working(id, Cell::new(false)) };
    let inner = World { ctes: Some(&working), ..world };
    let mut rounds = Vec::new();
    for part in &parts[first_recursive..] {
        let round = bind(part, inner, parent)?;
        if round.tys.len() != start.tys.len() {
            return Err(different_counts());
        }
        if let BodyPlan::Select(select) = &round.body
            && (select.group.is_some() || !select.windows.is_empty())
        {
            return Err(SqlError::new(
                3575,
                format!(
                    "Recursive Common Table Expression '{name}' can contain neither aggregation nor window functions in recursive query block"
                ),
            ));
        }
        rounds.push(limited(cast(round, &start.tys), &start));
    }
    Ok(CtePlan { id, query: start, recursive: rounds, distinct })
}

/// Texts of a later round must fit the columns that the first one made.
fn limited(mut round: QueryPlan, start: &QueryPlan) -> QueryPlan {
    if let BodyPlan::Select(select) = &mut round.body {
        for (item, (ty, column)) in select.items.iter_mut().zip(start.tys.iter().zip(start.columns.iter())) {
            if ty.is_text() && !ty.col.is_lob() {
                let inner = std::mem::replace(item, Typed::new(Node::Const(values::Value::Null), *ty));
                let to = crate::ast::CastType::Within { column: column.name.to_string() };
                item.node = Node::Cast { expr: Box::new(inner), to };
            }
        }
    }
    round
}

fn different_counts() -> SqlError {
    SqlError::new(1222, "The used SELECT statements have a different number of columns")
}

fn body(query: &Query, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<QueryPlan> {
    match &query.body {
        Body::Select(select) => {
            let plan = select::bind(select, world, parent)?;
            Ok(of_select(plan))
        }
        Body::Values(values) => values_rows(values, world, parent),
        Body::Set(set) => set_operation(set, world, parent),
        Body::Nested(nested) => {
            let inner = bind(&nested.query, world, parent)?;
            let tail = tail(&inner, &nested.order_by, nested.limit.as_ref(), world, parent)?;
            let (columns, tys) = (inner.columns.clone(), inner.tys.clone());
            let body = BodyPlan::Nested { query: Box::new(inner), tail };
            Ok(QueryPlan { body, columns, tys, ctes: Vec::new(), sizes: (0, 0) })
        }
    }
}

fn of_select(plan: SelectPlan) -> QueryPlan {
    QueryPlan {
        columns: plan.columns.clone(),
        tys: plan.items.iter().map(|i| i.ty).collect(),
        body: BodyPlan::Select(Box::new(plan)),
        ctes: Vec::new(),
        sizes: (0, 0),
    }
}

fn set_operation(set: &SetOperation, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<QueryPlan> {
    let left = bind(&set.left, world, parent)?;
    let right = bind(&set.right, world, parent)?;
    let mut out = combine(set.op, set.all, left, right, world)?;
    let bound = tail(&out, &set.order_by, set.limit.as_ref(), world, parent)?;
    if let BodyPlan::Set { tail, .. } = &mut out.body {
        *tail = bound;
    }
    Ok(out)
}

/// Both sides in the types that hold either.
fn combine(op: SetOp, all: bool, left: QueryPlan, right: QueryPlan, world: World<'_>) -> Result<QueryPlan> {
    if left.tys.len() != right.tys.len() {
        return Err(different_counts());
    }
    let connection = world.context.settings.collation_connection;
    let tys: Vec<Ty> = left
        .tys
        .iter()
        .zip(&right.tys)
        .map(|(l, r)| {
            let common = common_of(&[*l, *r], connection);
            // Integers of one kind stay of it.
            let same = l.col.kind == r.col.kind && l.col.unsigned == r.col.unsigned && !l.null && !r.null;
            let kept = same && l.class() == crate::expr::ty::Class::Int;
            let ty = stored(&if kept { Ty { col: l.col, ..common } } else { common });
            let nullable = match op {
                SetOp::Union => l.nullable || r.nullable,
                SetOp::Intersect => l.nullable && r.nullable,
                SetOp::Except => l.nullable,
            };
            ty.or_null(nullable)
        })
        .collect();
    let columns = left
        .columns
        .iter()
        .zip(&tys)
        .map(|(column, ty)| meta::of_united(ty, &column.name, world.context))
        .collect();
    let (left, right) = (Box::new(cast(left, &tys)), Box::new(cast(right, &tys)));
    let body = BodyPlan::Set { op, all, left, right, tail: Tail::default() };
    Ok(QueryPlan { body, columns, tys, ctes: Vec::new(), sizes: (0, 0) })
}

/// The same rows, converted to `tys`.
fn cast(mut query: QueryPlan, tys: &[Ty]) -> QueryPlan {
    let same =
        |a: &Ty, b: &Ty| a.class() == b.class() && a.col.kind == b.col.kind && a.col.scale == b.col.scale;
    let alike = query.tys.iter().zip(tys).all(|(a, b)| same(a, b));
    match &mut query.body {
        _ if alike => {}
        BodyPlan::Select(select) if select.order.is_empty() || !select.distinct => {
            for (item, ty) in select.items.iter_mut().zip(tys) {
                convert(item, ty);
            }
        }
        BodyPlan::Values { rows, tail, .. } if tail.order.is_empty() => {
            rows.iter_mut()
                .for_each(|row| row.iter_mut().zip(tys).for_each(|(value, ty)| convert(value, ty)));
        }
        _ => {
            let columns = query.columns.clone();
            let mut items: Vec<Typed> =
                query.tys.iter().enumerate().map(|(i, ty)| Typed::new(Node::Column(i), *ty)).collect();
            items.iter_mut().zip(tys).for_each(|(item, ty)| convert(item, ty));
            let inner = Box::new(query);
            let body = BodyPlan::Convert { query: inner, items };
            return QueryPlan { body, columns, tys: tys.to_vec(), ctes: Vec::new(), sizes: (0, 0) };
        }
    }
    query.tys = tys.to_vec();
    query
}

/// `value` as a value of `ty`: what CASE does with its branches.
fn convert(value: &mut Typed, ty: &Ty) {
    if value.ty.class() == ty.class()
        && value.ty.col.kind == ty.col.kind
        && value.ty.col.scale == ty.col.scale
    {
        return;
    }
    let inner = std::mem::replace(value, Typed::new(Node::Const(values::Value::Null), *ty));
    value.node = Node::Cast { expr: Box::new(inner), to: crate::ast::CastType::Fit };
}

fn values_rows(values: &Values, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<QueryPlan> {
    let names = Names::default();
    let mut b = Binder::within(&names, world, parent);
    let mut rows: Vec<Vec<Typed>> = Vec::with_capacity(values.rows.len());
    for (i, row) in values.rows.iter().enumerate() {
        if row.len() != values.rows[0].len() {
            return Err(SqlError::new(
                1136,
                format!("Column count doesn't match value count at row {}", i + 1),
            ));
        }
        rows.push(row.iter().map(|e| b.bind_in("field list", e)).collect::<Result<_>>()?);
    }
    let connection = world.context.settings.collation_connection;
    let tys: Vec<Ty> = (0..rows[0].len())
        .map(|c| {
            let of: Vec<Ty> = rows.iter().map(|row| row[c].ty).collect();
            let nullable = of.iter().any(|t| t.nullable);
            stored(&common_of(&of, connection)).or_null(nullable)
        })
        .collect();
    for row in &mut rows {
        row.iter_mut().zip(&tys).for_each(|(value, ty)| convert(value, ty));
    }
    let subs = subs_of(rows.iter().flatten());
    let columns = tys
        .iter()
        .enumerate()
        .map(|(i, ty)| meta::of_value(ty, &format!("column_{i}"), world.context))
        .collect();
    let body = BodyPlan::Values { rows, subs, tail: Tail::default() };
    let mut out = QueryPlan { body, columns, tys, ctes: Vec::new(), sizes: (0, 0) };
    let bound = tail(&out, &values.order_by, values.limit.as_ref(), world, parent)?;
    if let BodyPlan::Values { tail, .. } = &mut out.body {
        *tail = bound;
    }
    Ok(out)
}

/// ORDER BY and LIMIT over the columns of `query`.
fn tail(
    query: &QueryPlan,
    order_by: &[OrderItem],
    limit: Option<&Limit>,
    world: World<'_>,
    parent: Option<&Parent<'_>>,
) -> Result<Tail> {
    let described = query.columns.iter().zip(&query.tys).map(|(c, ty)| (&*c.name, ty.col, ty.nullable));
    let table = Arc::new(detached("", "", described));
    let made = Made { tys: query.tys.clone().into(), columns: query.columns.clone() };
    let names = Names::one(Scope { made: Some(made), ..Scope::of(table, Arc::from("")) });
    let mut b = Binder::within(&names, world, parent);
    let mut order: Vec<(Typed, bool)> = Vec::with_capacity(order_by.len());
    for item in order_by {
        if let crate::ast::Expr::Column(name) = &item.expr
            && let Some(table) = &name.table
        {
            return Err(SqlError::new(
                1250,
                format!("Table '{table}' from one of the SELECTs cannot be used in global ORDER clause"),
            ));
        }
        let key = match position(&item.expr, query.tys.len(), "order clause")? {
            Some(at) => names.column(at),
            None => b.bind_in("order clause", &item.expr)?,
        };
        if key.has_subquery() {
            return Err(crate::error::unsupported("subqueries in ORDER BY of a set operation"));
        }
        order.push((key, item.desc));
    }
    let (limit, offset) = limits(&mut b, limit)?;
    Ok(Tail { order, limit, offset })
}
