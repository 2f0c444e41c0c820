//! Views in a FROM: merged into the query around them, or read as derived tables.
//!
//! ```text
//!   SELECT x FROM v WHERE y      v AS SELECT a AS x, b + 1 AS y FROM t WHERE c
//!   merged:                      SELECT a FROM t WHERE c AND b + 1       x and y are names of expressions over t
//! ```
//! 1. A view is bound with a catalog of its own: what it reads was looked up with its definer's rights, in its own schema.
//! 2. What goes wrong inside a view is 1356 to whoever reads it.
//! 3. Under an outer join only plain columns are merged: anything else would not become NULL with its row.

use super::from::{From, Operand, split};
use super::names::{Made, Merged, Scope};
use super::query::made;
use super::select::{Catalog, expand};
use super::{Binder, Names, World};
use crate::ast::{Body, Expr, JoinKind, Query, Select, SelectItem, TableExpr};
use crate::error::{Result, SqlError};
use crate::expr::ty::Class;
use crate::plan::join::{DerivedPlan, TableSource};
use std::sync::Arc;

/// WITH CHECK OPTION.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckOption {
    None,
    Local,
    Cascaded,
}

/// A view, what it reads looked up.
pub(crate) struct View {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) query: Query,
    /// The names of CREATE VIEW name (...); empty: the query's own.
    pub(crate) columns: Vec<String>,
    /// ALGORITHM is not TEMPTABLE.
    pub(crate) merge: bool,
    pub(crate) check: CheckOption,
    pub(crate) catalog: Catalog,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({}.{})", self.schema, self.name)
    }
}

impl View {
    /// 1356 in place of what is wrong inside; what is about the server and not about the view stays.
    pub(crate) fn invalid(&self, error: SqlError) -> SqlError {
        match error.code {
            1049 | 1054 | 1060 | 1142 | 1143 | 1146 | 1176 | 1305 | 1353 | 1356 => {
                invalid(&self.schema, &self.name)
            }
            _ => error,
        }
    }

    /// `schema.name`
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The one SELECT that can be merged.
    pub(crate) fn mergeable(&self) -> Option<&Select> {
        if self.merge { mergeable(&self.query) } else { None }
    }
}

/// 1356
pub(crate) fn invalid(schema: &str, name: &str) -> SqlError {
    let text = format!(
        "View '{schema}.{name}' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them"
    );
    SqlError::new(1356, text)
}

/// The SELECT whose rows are rows of its tables, one for one.
pub(crate) fn mergeable(query: &Query) -> Option<&Select> {
    let Body::Select(select) = &query.body else { return None };
    let plain = query.with.is_none()
        && select.from.is_some()
        && !select.distinct
        && select.group_by.is_empty()
        && select.having.is_none()
        && select.windows.is_empty()
        && select.limit.is_none()
        && select.lock.is_none();
    let computed = |item: &SelectItem| match item {
        SelectItem::Expr { expr, .. } => expr.has_subquery() || summed(expr),
        SelectItem::Star { .. } => false,
    };
    let ordered = |item: &crate::ast::OrderItem| item.expr.has_subquery() || summed(&item.expr);
    (plain && !select.items.iter().any(computed) && !select.order_by.iter().any(ordered)).then_some(select)
}

/// Does it read more than one row, or keep something from one to the next?
fn summed(expr: &Expr) -> bool {
    let mut found =
        matches!(expr, Expr::Aggregate(_) | Expr::Over { .. } | Expr::Grouping(_) | Expr::Assign(..));
    expr.children(&mut |child| found |= summed(child));
    found
}

/// Are its tables joined inwardly only? Through an outer join no rows are changed.
pub(crate) fn joins_inwardly(from: &TableExpr) -> bool {
    match from {
        TableExpr::Table(_) | TableExpr::Derived { .. } => true,
        TableExpr::Join(join) => {
            join.kind == JoinKind::Inner && joins_inwardly(&join.left) && joins_inwardly(&join.right)
        }
    }
}

fn is_plain(select: &Select) -> bool {
    select
        .items
        .iter()
        .all(|item| matches!(item, SelectItem::Expr { expr: Expr::Column(_), .. } | SelectItem::Star { .. }))
}

impl From {
    pub(super) fn view(&mut self, view: &Arc<View>, alias: Arc<str>, world: World<'_>) -> Result<Operand> {
        world.shared.reads_view()?;
        let inner = World { catalog: &view.catalog, ctes: None, ..world };
        let bound = match view.mergeable() {
            Some(select) if !self.outer || is_plain(select) => self.merge(view, select, alias, inner),
            _ => self.materialise(view, alias, inner),
        };
        bound.map_err(|error| view.invalid(error))
    }

    fn materialise(&mut self, view: &Arc<View>, alias: Arc<str>, world: World<'_>) -> Result<Operand> {
        let plan = super::query::bind(&view.query, world, None)?;
        let (table, columns) = made(&plan, &alias, &view.columns, world)?;
        let mut table = (*table).clone();
        (table.schema_name, table.name) = (view.schema.clone(), view.name.clone());
        let (schema, name): (Arc<str>, Arc<str>) = (view.schema.as_str().into(), view.name.as_str().into());
        // One that would be merged but for an outer join still tells that its columns are computed.
        let merged = view.mergeable().is_some();
        let named = columns.columns.iter().zip(columns.tys.iter()).map(|(column, ty)| {
            let computed = column.org_table.is_empty();
            let mut column = column.clone();
            if merged
                && computed
                && !ty.is_text()
                && matches!(ty.class(), Class::Int | Class::Decimal | Class::Real)
            {
                column.flags |= crate::api::flag::BINARY;
            }
            if computed || merged {
                column.org_table = name.clone();
            }
            column.schema = if merged && computed { Arc::from("") } else { schema.clone() };
            column
        });
        let made = Made { columns: named.collect(), ..columns };
        let scope = Scope { made: Some(made), ..Scope::of(Arc::new(table), alias) };
        self.add(
            scope,
            TableSource::Derived(Arc::new(DerivedPlan { query: plan, needs: Vec::new() })),
            Vec::new(),
        )
    }

    fn merge(
        &mut self,
        view: &Arc<View>,
        select: &Select,
        alias: Arc<str>,
        world: World<'_>,
    ) -> Result<Operand> {
        self.free(&alias, &view.schema)?;
        let Some(from) = &select.from else { unreachable!("views without tables are not merged") };
        let (start, commons, lone) = (self.start, self.commons.len(), self.lone);
        let first = self.names.merged.len();
        self.start = (self.names.tables.len(), first);
        self.lone = lone && matches!(from, TableExpr::Table(_));
        let operand = self.operand(from, world, None);
        (self.start, self.lone) = (start, lone);
        self.commons.truncate(commons);
        let Operand { mut group, tables, visible } = operand?;
        let names = Names {
            tables: self.names.tables[tables.clone()].to_vec(),
            visible,
            merged: self.names.merged[first..].to_vec(),
        };
        let mut b = Binder::within(&names, world, None);
        let mut columns = Vec::new();
        for (i, item) in expand(&select.items, &names)?.iter().enumerate() {
            let SelectItem::Expr { expr, name, alias } = item else { unreachable!("stars are expanded") };
            let own = alias.as_ref().unwrap_or(name);
            let called = if view.columns.is_empty() { Some(own) } else { view.columns.get(i) };
            let called = called.ok_or_else(|| invalid(&view.schema, &view.name))?;
            columns.push((called.clone(), b.bind_in("field list", expr)?));
        }
        if let Some(filter) = &select.filter {
            group.conditions.extend(split(b.bind_in("where clause", filter)?));
        }
        if lone && matches!(from, TableExpr::Table(_)) {
            let mut order = Vec::new();
            for item in &select.order_by {
                let alias = match &item.expr {
                    Expr::Column(name) if name.table.is_none() => {
                        columns.iter().find(|(n, _)| *n == name.name)
                    }
                    _ => None,
                };
                let key = match alias {
                    Some((_, column)) => column.clone(),
                    None => b.bind_in("order clause", &item.expr)?,
                };
                order.push((key, item.desc));
            }
            if !order.is_empty() {
                self.order = order;
            }
        }
        self.names.tables[tables.clone()].iter_mut().for_each(|table| table.hidden = true);
        self.names.merged[first..].iter_mut().for_each(|merged| merged.hidden = true);
        let id = self.names.merged.len();
        let merged = Merged { id, alias, view: view.clone(), columns, tables: tables.clone(), hidden: false };
        let visible = (0..merged.columns.len()).map(|i| merged.number(i)).collect();
        self.names.merged.push(merged);
        Ok(Operand { group, tables, visible })
    }
}
