//! SELECT: clauses bound in MySQL's order of visibility, then the access path.

use super::{Aliases, Binder, Scope, display};
use crate::api::VirtualTable;
use crate::ast::{ColumnName, Expr, IndexHint, Literal, LockClause, LockWait as Wait, Select, SelectItem};
use crate::error::{Result, SqlError, unknown_column};
use crate::expr::{Node, Typed};
use crate::plan::access::{Wanted, choose};
use crate::plan::{Group, SelectPlan, Source, meta};
use crate::session::context::Context;
use engine::{LockMode, LockWait};
use std::sync::Arc;
use values::{SqlMode, Value};

/// The table a statement reads, already looked up.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) scope: Scope,
    pub(crate) rows: Option<Arc<dyn VirtualTable>>,
}

pub(crate) fn bind(
    select: &Select,
    resolved: Option<&Resolved>,
    context: &Context,
    params: &[Value],
) -> Result<SelectPlan> {
    let scope = resolved.map(|r| &r.scope);
    let mut b = Binder::new(scope, context, params);
    let filter = select.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    let expanded = expand(&select.items, scope)?;
    b.aggregates = Some(Vec::new());
    let mut items = Vec::with_capacity(expanded.len());
    let mut columns = Vec::with_capacity(expanded.len());
    for item in &expanded {
        let SelectItem::Expr { expr, name, alias } = item else { unreachable!("stars are expanded") };
        let bound = b.bind_in("field list", expr)?;
        columns.push(meta::of_item(&bound, alias.as_deref().unwrap_or(name), scope, context));
        items.push(bound);
    }
    let keys = group_keys(&mut b, select, &expanded, &items)?;
    b.aliases = Some(Aliases { items: &expanded, first: true });
    let having = select.having.as_ref().map(|h| b.bind_in("having clause", h)).transpose()?;
    let order = order_by(&mut b, select, &items)?;
    b.aliases = None;
    let aggregates = b.aggregates.take().unwrap_or_default();
    let grouped = !select.group_by.is_empty() || !aggregates.is_empty();
    if grouped && context.settings.sql_mode.has(SqlMode::ONLY_FULL_GROUP_BY) {
        full_group_by(
            scope,
            &keys,
            &items,
            having.as_ref(),
            &order,
            filter.as_ref(),
            select.group_by.is_empty(),
        )?;
    }
    let group = grouped.then_some(Group { keys, aggregates });
    let temporary = |g: &&Group| !g.keys.is_empty() && !meta::groups_by_index(g, &order, scope);
    if let Some(group) = group.as_ref().filter(temporary) {
        for (column, item) in columns.iter_mut().zip(&items) {
            meta::through_temporary(column, item, group, scope);
        }
    }
    let (limit, offset) = limits(&mut b, select)?;
    let mut plan = SelectPlan {
        source: Source::One { filter: None },
        table: scope.map(|s| s.table.clone()),
        alias: scope.map(|s| s.alias.clone()),
        items,
        columns: columns.into(),
        group,
        having,
        order,
        distinct: select.distinct,
        limit,
        offset,
        lock: match select.lock {
            None => LockMode::None,
            Some((LockClause::Share, _)) => LockMode::Shared,
            Some((LockClause::Update, _)) => LockMode::Exclusive,
        },
        wait: match select.lock {
            Some((_, Wait::NoWait)) => LockWait::Nowait,
            Some((_, Wait::SkipLocked)) => LockWait::SkipLocked,
            _ => LockWait::Wait,
        },
        calc_found_rows: select.calc_found_rows,
    };
    let hints = select.from.as_ref().map_or(&[][..], |t| &t.hints);
    attach_source(&mut plan, resolved, filter, hints)?;
    Ok(plan)
}

fn attach_source(
    plan: &mut SelectPlan,
    resolved: Option<&Resolved>,
    filter: Option<Typed>,
    hints: &[IndexHint],
) -> Result<()> {
    plan.source = match resolved {
        None => Source::One { filter },
        Some(Resolved { rows: Some(table), .. }) => Source::Virtual { table: table.clone(), filter },
        Some(Resolved { scope, .. }) => {
            let columns = needed(plan, filter.as_ref());
            let order = if plan.group.is_none() { plain_columns(&plan.order) } else { None };
            let wanted = Wanted {
                filter,
                columns,
                order: order.as_deref().unwrap_or_default(),
                limited: plan.limit.is_some(),
                hints,
            };
            let access = choose(&scope.table, wanted)?;
            if order.is_some() && access.sorted {
                plan.order.clear();
            }
            Source::Table(access)
        }
    };
    Ok(())
}

/// ORDER BY as columns, if it is a list of plain ones.
pub(crate) fn plain_columns(order: &[(Typed, bool)]) -> Option<Vec<(usize, bool)>> {
    order
        .iter()
        .map(|(expr, desc)| match expr.node {
            Node::Column(column) => Some((column, *desc)),
            _ => None,
        })
        .collect()
}

/// Every column the plan reads.
fn needed(plan: &SelectPlan, filter: Option<&Typed>) -> Vec<usize> {
    let mut columns = Vec::new();
    let group = plan.group.iter().flat_map(|g| {
        let inside = g.aggregates.iter().flat_map(|a| a.args.iter().chain(a.order.iter().map(|(e, _)| e)));
        g.keys.iter().chain(inside)
    });
    let order = plan.order.iter().map(|(e, _)| e);
    for expr in plan.items.iter().chain(filter).chain(&plan.having).chain(group).chain(order) {
        expr.columns(&mut columns);
    }
    columns.sort_unstable();
    columns
}

/// `*` and `table.*` as columns.
fn expand(items: &[SelectItem], scope: Option<&Scope>) -> Result<Vec<SelectItem>> {
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        let SelectItem::Star { schema, table } = item else {
            out.push(item.clone());
            continue;
        };
        let Some(scope) = scope else { return Err(SqlError::new(1096, "No tables used")) };
        let ours = table.as_deref().is_none_or(|t| t == &*scope.alias)
            && schema.as_deref().is_none_or(|s| s == scope.table.schema_name);
        if !ours {
            let name = table.as_deref().unwrap_or_default();
            return Err(SqlError::new(1051, format!("Unknown table '{name}'")));
        }
        for column in &scope.table.columns {
            let name =
                ColumnName { schema: None, table: Some(scope.alias.to_string()), name: column.name.clone() };
            out.push(SelectItem::Expr { expr: Expr::Column(name), name: column.name.clone(), alias: None });
        }
    }
    Ok(out)
}

/// The select item that an integer literal in GROUP BY or ORDER BY names.
fn position(expr: &Expr, count: usize, place: &str) -> Result<Option<usize>> {
    let Expr::Literal(Literal::Int(n)) = expr else { return Ok(None) };
    match usize::try_from(*n).ok().filter(|n| (1..=count).contains(n)) {
        Some(n) => Ok(Some(n - 1)),
        None => Err(unknown_column(n, place)),
    }
}

fn group_keys<'a>(
    b: &mut Binder<'a>,
    select: &Select,
    expanded: &'a [SelectItem],
    items: &[Typed],
) -> Result<Vec<Typed>> {
    let mut keys = Vec::with_capacity(select.group_by.len());
    let aggregates = b.aggregates.take();
    b.aliases = Some(Aliases { items: expanded, first: false });
    for expr in &select.group_by {
        let key = match position(expr, items.len(), "group statement")? {
            Some(at) => items[at].clone(),
            None => b.bind_in("group statement", expr)?,
        };
        let mut grouped = false;
        key.walk(&mut |node| grouped |= matches!(node, Node::Agg(_)));
        if grouped {
            let name = match (expr, position(expr, items.len(), "")?) {
                (Expr::Column(name), _) => display(name),
                (_, Some(at)) => item_name(&expanded[at]),
                _ => String::new(),
            };
            return Err(SqlError::new(1056, format!("Can't group on '{name}'")));
        }
        keys.push(key);
    }
    b.aggregates = aggregates;
    Ok(keys)
}

fn item_name(item: &SelectItem) -> String {
    match item {
        SelectItem::Expr { name, alias, .. } => alias.clone().unwrap_or_else(|| name.clone()),
        SelectItem::Star { .. } => "*".to_owned(),
    }
}

fn order_by(b: &mut Binder<'_>, select: &Select, items: &[Typed]) -> Result<Vec<(Typed, bool)>> {
    let mut order: Vec<(Typed, bool)> = Vec::with_capacity(select.order_by.len());
    for item in &select.order_by {
        let key = match position(&item.expr, items.len(), "order clause")? {
            Some(at) => items[at].clone(),
            None => b.bind_in("order clause", &item.expr)?,
        };
        if !key.is_constant() && !order.iter().any(|(seen, _)| *seen == key) {
            order.push((key, item.desc));
        }
    }
    Ok(order)
}

fn limits(b: &mut Binder<'_>, select: &Select) -> Result<(Option<Typed>, Option<Typed>)> {
    let Some(limit) = &select.limit else { return Ok((None, None)) };
    let count = b.bind_in("limit clause", &limit.count)?;
    let offset = limit.offset.as_ref().map(|o| b.bind_in("limit clause", o)).transpose()?;
    Ok((Some(count), offset))
}

/// ONLY_FULL_GROUP_BY: every column outside of aggregates is a group key, or depends on them (they hold a unique key).
fn full_group_by(
    scope: Option<&Scope>,
    keys: &[Typed],
    items: &[Typed],
    having: Option<&Typed>,
    order: &[(Typed, bool)],
    filter: Option<&Typed>,
    implicit: bool,
) -> Result<()> {
    let Some(scope) = scope else { return Ok(()) };
    let mut fixed: Vec<usize> = keys
        .iter()
        .filter_map(|k| match k.node {
            Node::Column(c) => Some(c),
            _ => None,
        })
        .collect();
    constants(filter, &mut fixed);
    let whole = scope.table.indexes.iter().any(|index| {
        index.unique
            && !index.parts.is_empty()
            && index
                .parts
                .iter()
                .all(|p| fixed.contains(&p.column) && !scope.table.columns[p.column].nullable)
    });
    if whole {
        return Ok(());
    }
    let lists = [
        ("SELECT list", items.iter().collect::<Vec<_>>()),
        ("HAVING clause", having.into_iter().collect()),
        ("ORDER BY clause", order.iter().map(|(e, _)| e).collect()),
    ];
    for (list, exprs) in lists {
        for (i, expr) in exprs.into_iter().enumerate() {
            if let Some(column) = loose_column(expr, keys, &fixed) {
                let name = format!(
                    "{}.{}.{}",
                    scope.table.schema_name, scope.alias, scope.table.columns[column].name
                );
                return Err(not_grouped(i + 1, list, &name, implicit));
            }
        }
    }
    Ok(())
}

fn not_grouped(number: usize, list: &str, column: &str, implicit: bool) -> SqlError {
    if implicit {
        return SqlError::new(
            1140,
            format!(
                "In aggregated query without GROUP BY, expression #{number} of {list} contains nonaggregated column '{column}'; this is incompatible with sql_mode=only_full_group_by"
            ),
        );
    }
    SqlError::new(
        1055,
        format!(
            "Expression #{number} of {list} is not in GROUP BY clause and contains nonaggregated column '{column}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by"
        ),
    )
}

/// Columns that WHERE makes constant.
fn constants(filter: Option<&Typed>, out: &mut Vec<usize>) {
    let Some(filter) = filter else { return };
    match &filter.node {
        Node::And(list) => list.iter().for_each(|term| constants(Some(term), out)),
        Node::Compare { op: crate::ast::BinaryOp::Eq, left, right, .. } => match (&left.node, &right.node) {
            (Node::Column(c), _) if right.is_constant() => out.push(*c),
            (_, Node::Column(c)) if left.is_constant() => out.push(*c),
            _ => {}
        },
        _ => {}
    }
}

fn loose_column(expr: &Typed, keys: &[Typed], fixed: &[usize]) -> Option<usize> {
    if keys.iter().any(|k| k.node == expr.node) {
        return None;
    }
    match &expr.node {
        Node::Column(c) => (!fixed.contains(c)).then_some(*c),
        Node::Agg(_) => None,
        Node::Func { function, .. } if function.name == "any_value" => None,
        node => {
            let mut found = None;
            node.children(&mut |child| found = found.or_else(|| loose_column(child, keys, fixed)));
            found
        }
    }
}
