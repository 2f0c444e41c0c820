//! Walks over queries: which tables a statement names.

use super::{Body, Expr, FrameBound, Query, Select, SelectItem, TableExpr, TableName, WindowSpec};

/// What a walk meets.
pub(crate) enum Met<'a> {
    Table(&'a TableName),
    /// The name of a common table expression.
    Cte(&'a str),
}

impl Query {
    /// Calls `see` for every table and common table expression, in subqueries too.
    pub(crate) fn tables<'a>(&'a self, see: &mut dyn FnMut(Met<'a>)) {
        for cte in self.with.iter().flat_map(|w| &w.ctes) {
            see(Met::Cte(&cte.name));
            cte.query.tables(see);
        }
        match &self.body {
            Body::Select(select) => select.tables(see),
            Body::Values(values) => {
                values
                    .rows
                    .iter()
                    .flatten()
                    .chain(values.order_by.iter().map(|o| &o.expr))
                    .for_each(|e| e.tables(see));
            }
            Body::Set(set) => {
                set.left.tables(see);
                set.right.tables(see);
                set.order_by.iter().for_each(|o| o.expr.tables(see));
            }
            Body::Nested(nested) => {
                nested.query.tables(see);
                nested.order_by.iter().for_each(|o| o.expr.tables(see));
            }
        }
    }

    /// Is a table of this name read anywhere?
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let mut found = false;
        self.tables(&mut |met| {
            if let Met::Table(table) = met {
                found |= table.schema.is_none() && table.name == name;
            }
        });
        found
    }
}

impl Select {
    fn tables<'a>(&'a self, see: &mut dyn FnMut(Met<'a>)) {
        if let Some(from) = &self.from {
            from.tables(see);
        }
        let items = self.items.iter().filter_map(|item| match item {
            SelectItem::Expr { expr, .. } => Some(expr),
            SelectItem::Star { .. } => None,
        });
        let order = self.order_by.iter().map(|o| &o.expr);
        items
            .chain(&self.filter)
            .chain(&self.group_by)
            .chain(&self.having)
            .chain(order)
            .for_each(|e| e.tables(see));
        self.windows.iter().for_each(|(_, w)| w.exprs().for_each(|e| e.tables(see)));
    }
}

impl TableExpr {
    /// The tables of a FROM.
    pub(crate) fn tables<'a>(&'a self, see: &mut dyn FnMut(Met<'a>)) {
        match self {
            TableExpr::Table(table) => see(Met::Table(&table.table)),
            TableExpr::Derived { query, .. } => query.tables(see),
            TableExpr::Join(join) => {
                join.left.tables(see);
                join.right.tables(see);
                join.on.iter().for_each(|e| e.tables(see));
            }
        }
    }
}

impl WindowSpec {
    /// Every expression in it.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let bounds = self.frame.iter().flat_map(|f| [&f.start, &f.end]).filter_map(|b| match b {
            FrameBound::Preceding(e, _) | FrameBound::Following(e, _) => Some(e),
            _ => None,
        });
        self.partition.iter().chain(self.order_by.iter().map(|o| &o.expr)).chain(bounds)
    }
}

impl Expr {
    /// Calls `see` for the tables of every subquery.
    pub(crate) fn tables<'a>(&'a self, see: &mut dyn FnMut(Met<'a>)) {
        match self {
            Expr::Subquery(query) | Expr::Exists(query) => query.tables(see),
            Expr::InQuery { expr, query, .. } | Expr::Quantified { expr, query, .. } => {
                expr.tables(see);
                query.tables(see);
            }
            other => other.children(&mut |child| child.tables(see)),
        }
    }

    /// Does it hold a subquery (or SLEEP and GET_LOCK, which wait like one)?
    pub(crate) fn has_subquery(&self) -> bool {
        match self {
            Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery { .. } | Expr::Quantified { .. } => true,
            Expr::Func { name, .. } if waits(name) => true,
            other => {
                let mut found = false;
                other.children(&mut |child| found |= child.has_subquery());
                found
            }
        }
    }

    /// Calls `see` with each direct child that is an expression.
    pub(crate) fn children<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        match self {
            Expr::Literal(_)
            | Expr::Param(_)
            | Expr::Column(_)
            | Expr::UserVar(_)
            | Expr::SysVar { .. }
            | Expr::Values(_)
            | Expr::Default(_)
            | Expr::Subquery(_)
            | Expr::Exists(_) => {}
            Expr::Assign(_, e) | Expr::Unary(_, e) => see(e),
            Expr::Is { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Using { expr, .. }
            | Expr::Collate { expr, .. }
            | Expr::Extract { expr, .. }
            | Expr::InQuery { expr, .. }
            | Expr::Quantified { expr, .. } => see(expr),
            Expr::Binary(_, l, r) => {
                see(l);
                see(r);
            }
            Expr::And(list) | Expr::Or(list) | Expr::Row(list) | Expr::Grouping(list) => {
                list.iter().for_each(see)
            }
            Expr::Func { args, .. } => args.iter().for_each(see),
            Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|e| see(e)),
            Expr::In { expr, list, .. } => {
                see(expr);
                list.iter().for_each(see);
            }
            Expr::Like { expr, pattern, escape, .. } => {
                see(expr);
                see(pattern);
                escape.iter().for_each(|e| see(e));
            }
            Expr::Regexp { expr, pattern, .. } => {
                see(expr);
                see(pattern);
            }
            Expr::Case { operand, whens, otherwise } => {
                operand.iter().chain(otherwise).for_each(|e| see(e));
                whens.iter().for_each(|(when, then)| {
                    see(when);
                    see(then);
                });
            }
            Expr::AddInterval { expr, amount, .. } => {
                see(expr);
                see(amount);
            }
            Expr::TimestampDiff { from, to, .. } => {
                see(from);
                see(to);
            }
            Expr::Aggregate(aggregate) => {
                aggregate.args.iter().for_each(&mut *see);
                aggregate.order_by.iter().for_each(|o| see(&o.expr));
            }
            Expr::Over { call, window } => {
                see(call);
                window.exprs().for_each(see);
            }
        }
    }
}

fn waits(function: &str) -> bool {
    function.eq_ignore_ascii_case("sleep") || crate::exec::named_lock::LockCall::named(function).is_some()
}
