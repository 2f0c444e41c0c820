//! What a row must fulfil to be stored: WITH CHECK OPTION of the views it goes through.
//!
//! ```text
//!   v1 WHERE a    v2 over v1 WHERE b LOCAL      a row written through v2 must fulfil b, and what v1 itself demands
//!                 v2 over v1 WHERE b CASCADED   a AND b, whatever v1 says
//! ```
//! The view that is named in the error is the one that the statement names.

use super::from::split;
use super::view::{CheckOption, View};
use super::{Binder, Merged, Names, World};
use crate::ast::{Body, TableExpr};
use crate::error::{Result, SqlError, unknown_column};
use crate::expr::{Node, Typed};
use crate::plan::{CheckKind, RowCheck, subs_of};

impl RowCheck {
    pub(crate) fn new(expr: Typed, kind: CheckKind) -> RowCheck {
        let subs = subs_of([&expr]);
        RowCheck { expr, subs, kind }
    }
}

/// The views of `names` through which rows of the table at position `table` are written: the outermost one.
pub(super) fn written_through(names: &Names, table: usize) -> Option<&Merged> {
    names.merged.iter().filter(|m| m.tables.contains(&table)).max_by_key(|m| m.id)
}

/// What the views around the table demand.
pub(super) fn of_views(names: &Names, table: usize, world: World<'_>) -> Result<Vec<RowCheck>> {
    let mut out = Vec::new();
    // The innermost come first: a view is merged after those it reads.
    let around: Vec<&Merged> = names.merged.iter().filter(|m| m.tables.contains(&table)).collect();
    let Some(outermost) = around.last() else { return Ok(out) };
    let named = outermost.view.full_name();
    let mut cascaded = false;
    for merged in around.iter().rev() {
        let view = &merged.view;
        if !cascaded && view.check == CheckOption::None {
            continue;
        }
        cascaded |= view.check == CheckOption::Cascaded;
        for condition in condition(view, merged, names, world)? {
            out.push(RowCheck::new(condition, CheckKind::View(named.clone())));
        }
    }
    Ok(out)
}

/// The view's own WHERE, over the tables that it reads.
fn condition(view: &View, merged: &Merged, names: &Names, world: World<'_>) -> Result<Vec<Typed>> {
    let Body::Select(select) = &view.query.body else { return Ok(Vec::new()) };
    let Some(filter) = &select.filter else { return Ok(Vec::new()) };
    let inside = |m: &&Merged| {
        m.id != merged.id && merged.tables.start <= m.tables.start && m.tables.end <= merged.tables.end
    };
    let direct = direct_tables(select.from.as_ref());
    let mut tables = names.tables[merged.tables.clone()].to_vec();
    for table in &mut tables {
        table.hidden = !direct.iter().any(|name| **name == *table.alias);
    }
    let mut inner: Vec<Merged> = names.merged.iter().filter(inside).cloned().collect();
    for one in &mut inner {
        one.hidden = !direct.iter().any(|name| **name == *one.alias);
    }
    let names = Names { tables, visible: Vec::new(), merged: inner };
    let world = World { catalog: &view.catalog, ctes: None, ..world };
    let mut b = Binder::within(&names, world, None);
    Ok(split(b.bind_in("where clause", filter)?))
}

/// What a view's FROM calls its tables.
fn direct_tables(from: Option<&TableExpr>) -> Vec<&str> {
    fn collect<'a>(from: &'a TableExpr, out: &mut Vec<&'a str>) {
        match from {
            TableExpr::Table(table) => out.push(table.alias.as_ref().unwrap_or(&table.table.name)),
            TableExpr::Derived { alias, .. } => out.push(alias),
            TableExpr::Join(join) => {
                collect(&join.left, out);
                collect(&join.right, out);
            }
        }
    }
    let mut out = Vec::new();
    from.into_iter().for_each(|from| collect(from, &mut out));
    out
}

/// The position of the column of a stored table that `number` stands for: 1348 for an expression of a view.
pub(super) fn stored_column(names: &Names, number: usize) -> Result<usize> {
    match names.column(number).node {
        Node::Column(stored) => Ok(stored),
        _ => {
            let text = format!("Column '{}' is not updatable", names.name_of(number));
            Err(SqlError::new(1348, text))
        }
    }
}

/// The columns of a view that INSERT writes to, in the view's order: 1471 unless each is a column of the one table, and none twice.
pub(super) fn insertable(names: &Names, merged: &Merged, wanted: Option<&[String]>) -> Result<Vec<usize>> {
    let position = |name: &String| {
        let found = merged.columns.iter().position(|(n, _)| n.eq_ignore_ascii_case(name));
        found.ok_or_else(|| unknown_column(name, "field list"))
    };
    let positions: Vec<usize> = match wanted {
        Some(list) => list.iter().map(position).collect::<Result<_>>()?,
        None => (0..merged.columns.len()).collect(),
    };
    let mut columns = Vec::with_capacity(positions.len());
    for at in positions {
        columns.push(stored_column(names, merged.number(at))?);
    }
    let mut all: Vec<usize> = merged
        .columns
        .iter()
        .filter_map(|(_, column)| match column.node {
            Node::Column(stored) => Some(stored),
            _ => None,
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    if all.len() != merged.columns.len() {
        return Err(not_insertable(&merged.alias));
    }
    Ok(columns)
}

/// 1471
pub(super) fn not_insertable(name: &str) -> SqlError {
    SqlError::new(1471, format!("The target table {name} of the INSERT is not insertable-into"))
}
