//! A query in the form the dictionary keeps of a view: stars expanded, names in full, USING and NATURAL written as ON, positions in ORDER BY
//! and GROUP BY replaced by what they name. It means the same whatever the default schema, and whatever columns its tables get later.
//!
//! The query has been bound before, so what cannot be resolved here is left as it stands.

use super::from;
use super::query::cte_scope;
use super::select::expand;
use super::subquery::Parent;
use super::{Binder, Names, World};
use crate::ast::{
    BinaryOp, Body, ColumnName, Cte, Expr, JoinKind, Literal, OrderItem, Query, Select, SelectItem, TableExpr,
};
use crate::error::{Result, SqlError};

/// Longer names of columns are replaced, as MySQL does.
const LONGEST_NAME: usize = 64;

/// The query that means the same anywhere.
pub(crate) fn canonical(query: &Query, world: World<'_>) -> Result<Query> {
    let mut out = query.clone();
    self::query(&mut out, world, None)?;
    Ok(out)
}

fn query(query: &mut Query, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<()> {
    let Query { with, body, .. } = query;
    match with {
        None => self::body(body, world, parent),
        Some(with) => ctes(&mut with.ctes, with.recursive, body, world, parent),
    }
}

fn ctes(
    list: &mut [Cte],
    recursive: bool,
    rest: &mut Body,
    world: World<'_>,
    parent: Option<&Parent<'_>>,
) -> Result<()> {
    let Some((cte, later)) = list.split_first_mut() else { return body(rest, world, parent) };
    let original = cte.clone();
    let scope = cte_scope(&original, recursive, world, parent)?;
    let inner = World { ctes: Some(&scope), ..world };
    let of_itself = recursive && original.query.mentions(&original.name);
    query(&mut cte.query, if of_itself { inner } else { world }, parent)?;
    ctes(later, recursive, rest, inner, parent)
}

fn body(body: &mut Body, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<()> {
    let nothing = Names::default();
    match body {
        Body::Select(select) => self::select(select, world, parent),
        Body::Values(values) => {
            let binder = Binder::within(&nothing, world, parent);
            let here = Parent::new(&binder);
            values.rows.iter_mut().flatten().try_for_each(|e| expr(e, &[], world, &here))
        }
        Body::Set(set) => {
            query(&mut set.left, world, parent)?;
            query(&mut set.right, world, parent)?;
            by_name(&mut set.order_by, &set.left);
            Ok(())
        }
        Body::Nested(nested) => {
            query(&mut nested.query, world, parent)?;
            by_name(&mut nested.order_by, &nested.query);
            Ok(())
        }
    }
}

/// ORDER BY of a whole names the columns of its first part.
fn by_name(order: &mut [OrderItem], first: &Query) {
    let mut leftmost = first;
    let items = loop {
        match &leftmost.body {
            Body::Set(set) => leftmost = &set.left,
            Body::Nested(nested) => leftmost = &nested.query,
            Body::Select(select) => break &select.items,
            Body::Values(_) => return,
        }
    };
    for item in order {
        if let Some(SelectItem::Expr { name, alias, .. }) = at(&item.expr, items) {
            let name = alias.as_ref().unwrap_or(name).clone();
            item.expr = Expr::Column(ColumnName { schema: None, table: None, name });
        }
    }
}

/// The item that a position names.
fn at<'a>(expr: &Expr, items: &'a [SelectItem]) -> Option<&'a SelectItem> {
    match expr {
        Expr::Literal(Literal::Int(n)) => items.get(usize::try_from(*n).ok()?.checked_sub(1)?),
        _ => None,
    }
}

fn select(select: &mut Select, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<()> {
    let from = select.from.as_ref().map(|f| from::bind(f, world, parent)).transpose()?;
    let (names, mut commons) = from.map(|f| (f.names, f.commons)).unwrap_or_default();
    let binder = Binder::within(&names, world, parent);
    let here = Parent::new(&binder);
    select.items = expand(&select.items, &names)?;
    if let Some(from) = &mut select.from {
        commons.reverse();
        tables(from, world, &here, parent, &mut commons)?;
    }
    let explicit: Vec<String> = select
        .items
        .iter()
        .filter_map(|item| match item {
            SelectItem::Expr { alias, .. } => alias.clone(),
            SelectItem::Star { .. } => None,
        })
        .collect();
    for (i, item) in select.items.iter_mut().enumerate() {
        let SelectItem::Expr { expr: e, name, .. } = item else { unreachable!("stars are expanded") };
        expr(e, &[], world, &here)?;
        if name.chars().count() > LONGEST_NAME {
            *name = format!("Name_exp_{}", i + 1);
        }
    }
    if let Some(filter) = &mut select.filter {
        expr(filter, &[], world, &here)?;
    }
    for key in &mut select.group_by {
        positioned(key, &select.items);
        let is_column = matches!(key, Expr::Column(name) if names.find(name, "").is_ok_and(|n| n.is_some()));
        expr(key, if is_column { &[] } else { &explicit }, world, &here)?;
    }
    if let Some(having) = &mut select.having {
        expr(having, &explicit, world, &here)?;
    }
    for (_, window) in &mut select.windows {
        let mut outcome = Ok(());
        window.exprs_mut(&mut |e| outcome = outcome.clone().and_then(|()| expr(e, &[], world, &here)));
        outcome?;
    }
    for item in &mut select.order_by {
        positioned(&mut item.expr, &select.items);
        expr(&mut item.expr, &explicit, world, &here)?;
    }
    Ok(())
}

fn positioned(key: &mut Expr, items: &[SelectItem]) {
    if let Some(SelectItem::Expr { expr, alias, .. }) = at(key, items) {
        *key = match alias {
            Some(alias) => Expr::Column(ColumnName { schema: None, table: None, name: alias.clone() }),
            None => expr.clone(),
        };
    }
}

fn tables(
    from: &mut TableExpr,
    world: World<'_>,
    here: &Parent<'_>,
    parent: Option<&Parent<'_>>,
    commons: &mut Vec<Vec<(usize, usize)>>,
) -> Result<()> {
    match from {
        TableExpr::Table(table) => {
            let cte = super::query::CteScope::find(world.ctes, &table.table.name).is_some();
            if table.table.schema.is_none() && !cte {
                table.table.schema = Some(world.context.schema()?.to_string());
            }
            Ok(())
        }
        TableExpr::Derived { query: inner, lateral, .. } => {
            query(inner, world, if *lateral { Some(here) } else { parent })
        }
        TableExpr::Join(join) => {
            tables(&mut join.left, world, here, parent, commons)?;
            tables(&mut join.right, world, here, parent, commons)?;
            for (l, r) in commons.pop().unwrap_or_default() {
                let column = |number| Box::new(Expr::Column(in_full(here.names(), number)));
                let equal = Expr::Binary(BinaryOp::Eq, column(l), column(r));
                join.on = Some(match join.on.take() {
                    None => equal,
                    Some(Expr::And(mut list)) => {
                        list.push(equal);
                        Expr::And(list)
                    }
                    Some(one) => Expr::And(vec![one, equal]),
                });
            }
            if join.using.is_empty() && !join.natural {
                join.on.iter_mut().try_for_each(|on| expr(on, &[], world, here))?;
            }
            join.using.clear();
            join.natural = false;
            if join.kind == JoinKind::Right {
                std::mem::swap(&mut join.left, &mut join.right);
                join.kind = JoinKind::Left;
            }
            Ok(())
        }
    }
}

/// A column's name with its table's, and with the schema's where the table has no alias.
fn in_full(names: &Names, number: usize) -> ColumnName {
    let found = names.described(number);
    let bare = found.aliased || found.schema.is_empty();
    ColumnName {
        schema: (!bare).then(|| found.schema.to_owned()),
        table: Some(found.table.to_owned()),
        name: found.column.to_owned(),
    }
}

/// `aliases`: names of the select list that hide columns here.
fn expr(e: &mut Expr, aliases: &[String], world: World<'_>, here: &Parent<'_>) -> Result<()> {
    match e {
        Expr::UserVar(_) | Expr::Assign(..) | Expr::SysVar { .. } | Expr::Param(_) => {
            return Err(SqlError::new(1351, "View's SELECT contains a variable or parameter"));
        }
        Expr::Column(name) => {
            if name.table.is_some() || !aliases.iter().any(|a| a.eq_ignore_ascii_case(&name.name)) {
                qualify(name, here);
            }
            return Ok(());
        }
        Expr::Subquery(inner) | Expr::Exists(inner) => return query(inner, world, Some(here)),
        Expr::InQuery { query: inner, .. } | Expr::Quantified { query: inner, .. } => {
            query(inner, world, Some(here))?;
        }
        _ => {}
    }
    let mut outcome = Ok(());
    e.children_mut(&mut |child| {
        if outcome.is_ok() {
            outcome = expr(child, aliases, world, here);
        }
    });
    outcome
}

fn qualify(name: &mut ColumnName, here: &Parent<'_>) {
    let mut around = Some(here);
    while let Some(query) = around {
        if let Ok(Some(number)) = query.names().find(name, "") {
            *name = in_full(query.names(), number);
            return;
        }
        around = query.around();
    }
}
