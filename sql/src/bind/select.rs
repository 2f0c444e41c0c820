//! SELECT: clauses bound in MySQL's order of visibility, then the access paths.

use super::from::{self, From};
use super::grouping::{Checked, full_group_by, not_rolled_up, rolled_up};
use super::names::Merged;
use super::view::View;
use super::window::FIRST;
use super::{Aliases, Binder, Names, Parent, World, display};
use crate::account::privilege::Privileges;
use crate::api::VirtualTable;
use crate::ast::{
    ColumnName, Expr, IndexHint, Limit, Literal, LockClause, LockWait as Wait, Select, SelectItem, TableName,
};
use crate::error::{Result, SqlError, no_such_table, unknown_column};
use crate::expr::{Node, Typed};
use crate::plan::access::{Wanted, choose};
use crate::plan::join::TableSource;
use crate::plan::{Filter, Group, SelectPlan, Source, meta, order, subs_of};
use engine::{LockMode, LockWait, TableDef};
use std::sync::Arc;
use values::SqlMode;

/// A table, already looked up; `rows` of one whose rows are made when it is read.
#[derive(Clone)]
pub(crate) struct Resolved {
    pub(crate) table: Arc<TableDef>,
    pub(crate) rows: Option<Arc<dyn VirtualTable>>,
    /// A view; `table` then only describes its columns.
    pub(crate) view: Option<Arc<View>>,
    /// What the definer of the view that reads it may do with it.
    pub(crate) held: Option<Privileges>,
}

impl Resolved {
    /// A table that statements name themselves.
    pub(crate) fn plain(table: Arc<TableDef>, rows: Option<Arc<dyn VirtualTable>>) -> Resolved {
        Resolved { table, rows, view: None, held: None }
    }
}

/// The tables that a statement names.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) tables: Vec<(TableName, Result<Resolved>)>,
}

impl Catalog {
    pub(crate) fn get(&self, name: &TableName) -> Result<&Resolved> {
        match self.tables.iter().find(|(n, _)| n == name) {
            Some((_, Ok(resolved))) => Ok(resolved),
            Some((_, Err(error))) => Err(error.clone()),
            None => Err(no_such_table(name.schema.as_deref().unwrap_or_default(), &name.name)),
        }
    }
}

pub(crate) fn bind(select: &Select, world: World<'_>, parent: Option<&Parent<'_>>) -> Result<SelectPlan> {
    let mut from = select.from.as_ref().map(|f| from::bind(f, world, parent)).transpose()?;
    let names = from.as_ref().map(|f| f.names.clone()).unwrap_or_default();
    let bound = clauses(select, &names, from.as_ref(), world, parent)?;
    let Bound { mut filter, mut plan } = bound;
    if let Some(from) = &mut from {
        filter = from::of_one(from, filter);
    }
    plan.names = Arc::new(names);
    attach(select, &mut plan, from, filter, world)?;
    Ok(plan)
}

/// The columns of information_schema, which are those of views, are called as they were defined, however they are written.
fn defined_name<'a>(item: &Typed, names: &'a Names) -> Option<&'a str> {
    match item.node {
        Node::Column(number) => {
            let scope = names.locate(number).0;
            let view = scope.made.is_some() && !scope.table.schema_name.is_empty();
            (view || scope.table.schema_name == crate::information::SCHEMA).then(|| names.name_of(number))
        }
        _ => None,
    }
}

/// The merged view that a name refers to.
fn of_view<'a>(expr: &Expr, names: &'a Names) -> Option<(&'a Merged, usize)> {
    match expr {
        Expr::Column(name) if !names.merged.is_empty() => names.of_view(names.find(name, "").ok()??),
        _ => None,
    }
}

struct Bound {
    filter: Option<Typed>,
    plan: SelectPlan,
}

/// Everything but FROM.
fn clauses(
    select: &Select,
    names: &Names,
    from: Option<&From>,
    world: World<'_>,
    parent: Option<&Parent<'_>>,
) -> Result<Bound> {
    let context = world.context;
    let expanded = expand(&select.items, names)?;
    let mut b = Binder::within(names, world, parent);
    b.named_windows = &select.windows;
    let filter = select.filter.as_ref().map(|f| b.bind_in("where clause", f)).transpose()?;
    b.aggregates = Some(Vec::new());
    b.windows = Some(Vec::new());
    let mut items = Vec::with_capacity(expanded.len());
    let mut columns = Vec::with_capacity(expanded.len());
    for item in &expanded {
        let SelectItem::Expr { expr, name, alias } = item else { unreachable!("stars are expanded") };
        let bound = b.bind_in("field list", expr)?;
        let name = alias.as_deref().unwrap_or_else(|| defined_name(&bound, names).unwrap_or(name));
        columns.push(match of_view(expr, names) {
            None => meta::of_item(&bound, name, names, context),
            Some((merged, position)) => {
                let own = &merged.columns[position].0;
                let name = alias.as_deref().unwrap_or(own);
                meta::of_view(meta::of_item(&bound, name, names, context), &bound, merged, own)
            }
        });
        items.push(bound);
    }
    let keys = group_keys(&mut b, select, &expanded, &items)?;
    b.aliases = Some(Aliases { items: &expanded, first: true });
    let windows = b.windows.take();
    let having = select.having.as_ref().map(|h| b.bind_in("having clause", h)).transpose()?;
    b.windows = windows;
    let mut order = order_by(&mut b, select, &items)?;
    b.aliases = None;
    let aggregates = b.aggregates.take().unwrap_or_default();
    let windows = b.windows.take().unwrap_or_default();
    let grouped = !select.group_by.is_empty() || !aggregates.is_empty();
    if let Some(from) = from
        && order.is_empty()
        && !grouped
        && !select.distinct
    {
        order.clone_from(&from.order);
    }
    if grouped && context.settings.sql_mode.has(SqlMode::ONLY_FULL_GROUP_BY) {
        let on = from.iter().flat_map(|f| &f.root.conditions);
        let conditions: Vec<&Typed> = filter.iter().chain(on).collect();
        let implicit = select.group_by.is_empty();
        let having = having.as_ref();
        full_group_by(&Checked {
            names,
            keys: &keys,
            items: &items,
            having,
            order: &order,
            conditions: &conditions,
            implicit,
        })?;
    }
    let inside = aggregates.iter().flat_map(|a| a.args.iter().chain(a.order.iter().map(|(e, _)| e)));
    let subs = subs_of(keys.iter().chain(inside));
    let group = grouped.then_some(Group { keys, aggregates, subs, rollup: select.rollup });
    let temporary = |g: &&Group| meta::groups_in_a_table(g, &order, names);
    if let Some(group) = group.as_ref().filter(temporary) {
        for (column, item) in columns.iter_mut().zip(&items) {
            meta::through_temporary(column, item, group, names);
        }
    }
    let (limit, offset) = limits(&mut b, select.limit.as_ref())?;
    let (lock, wait) = locking(select);
    let mut plan = SelectPlan {
        source: Source::One { filter: Filter::default() },
        names: Arc::default(),
        items,
        columns: columns.into(),
        group,
        having: Filter::new(having),
        windows,
        order,
        subs: Vec::new(),
        distinct: select.distinct,
        limit,
        offset,
        lock,
        wait,
        calc_found_rows: select.calc_found_rows,
    };
    place_results(&mut plan)?;
    columns_of_results(&mut plan, context);
    plan.subs = subs_of(plan.items.iter().chain(plan.order.iter().map(|(e, _)| e)));
    Ok(Bound { filter, plan })
}

/// FOR UPDATE, FOR SHARE, and what to do about a lock that somebody has.
fn locking(select: &Select) -> (LockMode, LockWait) {
    let lock = match select.lock {
        None => LockMode::None,
        Some((LockClause::Share, _)) => LockMode::Shared,
        Some((LockClause::Update, _)) => LockMode::Exclusive,
    };
    let wait = match select.lock {
        Some((_, Wait::NoWait)) => LockWait::Nowait,
        Some((_, Wait::SkipLocked)) => LockWait::SkipLocked,
        _ => LockWait::Wait,
    };
    (lock, wait)
}

/// Metadata of results that pass through a temporary table.
fn columns_of_results(plan: &mut SelectPlan, context: &crate::session::context::Context) {
    if plan.group.as_ref().is_some_and(|g| g.rollup) || !plan.windows.is_empty() {
        let again = plan.items.iter().zip(plan.columns.iter()).map(|(item, column)| {
            let mut column = match &item.node {
                Node::Column(_) => column.clone(),
                _ => meta::of_value(&item.ty, &column.name, context),
            };
            if !plan.windows.is_empty() {
                meta::sorted_aside(&mut column, item, true);
            }
            column
        });
        plan.columns = again.collect();
    }
}

/// Where rolled-up keys and windows find their values among a row's results.
fn place_results(plan: &mut SelectPlan) -> Result<()> {
    let (aggregates, keys) = match &plan.group {
        Some(group) => (group.aggregates.clone(), group.keys.clone()),
        None => (Vec::new(), Vec::new()),
    };
    let rollup = plan.group.as_ref().is_some_and(|g| g.rollup);
    let having = plan.having.expr.take();
    let mut having: Vec<Typed> = having.into_iter().collect();
    let windows = plan.windows.iter_mut().flat_map(|w| {
        let inside = match &mut w.kind {
            super::window::WindowKind::Aggregate(a) => a.args.iter_mut().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        w.args.iter_mut().chain(&mut w.partition).chain(w.order.iter_mut().map(|(e, _)| e)).chain(inside)
    });
    let order = plan.order.iter_mut().map(|(e, _)| e);
    let all: Vec<&mut Typed> = plan.items.iter_mut().chain(order).chain(&mut having).chain(windows).collect();
    let first = if rollup { aggregates.len() + 2 * keys.len() } else { aggregates.len() };
    for expr in all {
        if rollup {
            rolled_up(expr, &keys, &aggregates)?;
        } else {
            not_rolled_up(expr);
        }
        expr.rewrite(&mut |node| {
            if let Node::Agg(at) = &mut node.node
                && *at >= FIRST
            {
                *at = *at - FIRST + first;
            }
            false
        });
    }
    plan.having = Filter::new(having.pop());
    Ok(())
}

fn attach(
    select: &Select,
    plan: &mut SelectPlan,
    from: Option<From>,
    filter: Option<Typed>,
    world: World<'_>,
) -> Result<()> {
    let Some(from) = from else {
        plan.source = Source::One { filter: Filter::new(filter) };
        return Ok(());
    };
    let plain = [&filter, &plan.having.expr].into_iter().flatten().all(|e| !e.has_subquery())
        && plan.subs.is_empty()
        && plan.group.as_ref().is_none_or(|g| g.subs.is_empty());
    if let ([TableSource::Stored(table)], true) = (&from.sources[..], plain) {
        let hints = from.hints[0].as_slice();
        return attach_table(plan, &table.clone(), filter, hints);
    }
    let wanted = order::Wanted {
        needed: needed(plan, filter.as_ref()),
        lock: plan.lock,
        lock_of: &select.lock_of,
        straight: select.straight || from.straight,
    };
    let conditions = filter.map_or_else(Vec::new, from::split);
    let semi = conditions.iter().any(is_semi_join);
    let plain = plan.group.is_none() && plan.windows.is_empty();
    let order = if plain { plain_columns(&plan.order) } else { None };
    let ordered = !plan.order.is_empty();
    let (join, sorted) =
        order::plan(from, conditions, wanted, order.as_deref(), plan.limit.is_some(), world)?;
    if sorted {
        plan.order.clear();
    }
    sorted_join(plan, &join, semi && ordered);
    plan.source = Source::Join(Box::new(join));
    Ok(())
}

/// IN and [NOT] EXISTS as conditions are joins to MySQL.
fn is_semi_join(condition: &Typed) -> bool {
    use crate::plan::SubKind;
    let inner = match &condition.node {
        Node::Not(inner) => match &inner.node {
            Node::Sub(sub) => return matches!(sub.plan.kind, SubKind::Exists),
            _ => return false,
        },
        node => node,
    };
    matches!(inner, Node::Sub(sub) if matches!(sub.plan.kind, SubKind::Exists | SubKind::In { .. }))
}

/// ORDER BY over a join is sorted aside unless the first table alone gives the order.
fn sorted_join(plan: &mut SelectPlan, join: &crate::plan::join::JoinPlan, semi: bool) {
    let several = join.steps.len() > 1 && !plan.order.is_empty();
    if !(several || semi) || plan.group.is_some() || !plan.windows.is_empty() {
        return;
    }
    let mut columns = Vec::new();
    plan.order.iter().for_each(|(expr, _)| expr.columns(&mut columns));
    if !semi && columns.iter().all(|&c| plan.names.table_of(c) == join.steps[0].table) {
        return;
    }
    let mut metas = plan.columns.to_vec();
    metas.iter_mut().zip(&plan.items).for_each(|(column, item)| meta::sorted_aside(column, item, false));
    plan.columns = metas.into();
}

fn attach_table(
    plan: &mut SelectPlan,
    table: &Arc<TableDef>,
    filter: Option<Typed>,
    hints: &[IndexHint],
) -> Result<()> {
    let columns = needed(plan, filter.as_ref());
    let plain = plan.group.is_none() && plan.windows.is_empty();
    let order = if plain { plain_columns(&plan.order) } else { None };
    let wanted = Wanted {
        filter,
        columns,
        order: order.as_deref().unwrap_or_default(),
        limited: plan.limit.is_some(),
        hints,
    };
    let access = choose(table, wanted)?;
    if order.is_some() && access.sorted {
        plan.order.clear();
    }
    plan.source = Source::Table(access);
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
    let windows = plan.windows.iter().flat_map(super::window::BoundWindow::exprs);
    let all =
        plan.items.iter().chain(filter).chain(&plan.having.expr).chain(group).chain(order).chain(windows);
    all.for_each(|expr| expr.columns(&mut columns));
    columns.sort_unstable();
    columns
}

/// `*` and `table.*` as columns.
pub(crate) fn expand(items: &[SelectItem], names: &Names) -> Result<Vec<SelectItem>> {
    let mut out = Vec::with_capacity(items.len());
    for item in items {
        let SelectItem::Star { schema, table } = item else {
            out.push(item.clone());
            continue;
        };
        if names.tables.is_empty() {
            return Err(SqlError::new(1096, "No tables used"));
        }
        let mut push = |number: usize| {
            let found = names.described(number);
            let column = found.column.to_owned();
            let name = ColumnName {
                schema: (!found.schema.is_empty()).then(|| found.schema.to_owned()),
                table: Some(found.table.to_owned()),
                name: column.clone(),
            };
            out.push(SelectItem::Expr { expr: Expr::Column(name), name: column, alias: None });
        };
        let Some(table) = table else {
            names.visible.iter().for_each(|&n| push(n));
            continue;
        };
        let called =
            |alias: &str, of: &str| alias == table && schema.as_deref().is_none_or(|name| name == of);
        let tables = names.tables.iter().filter(|s| !s.hidden);
        if let Some(scope) = tables.into_iter().find(|s| called(&s.alias, &s.table.schema_name)) {
            (scope.base..scope.base + scope.table.columns.len()).for_each(push);
            continue;
        }
        let mut views = names.merged.iter().filter(|m| !m.hidden);
        let Some(merged) = views.find(|m| called(&m.alias, &m.view.schema)) else {
            return Err(SqlError::new(1051, format!("Unknown table '{table}'")));
        };
        (0..merged.columns.len()).for_each(|i| push(merged.number(i)));
    }
    Ok(out)
}

/// The select item that an integer literal in GROUP BY or ORDER BY names.
pub(super) fn position(expr: &Expr, count: usize, place: &str) -> Result<Option<usize>> {
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

pub(super) fn limits(b: &mut Binder<'_>, limit: Option<&Limit>) -> Result<(Option<Typed>, Option<Typed>)> {
    let Some(limit) = limit else { return Ok((None, None)) };
    let count = b.bind_in("limit clause", &limit.count)?;
    let offset = limit.offset.as_ref().map(|o| b.bind_in("limit clause", o)).transpose()?;
    Ok((Some(count), offset))
}
