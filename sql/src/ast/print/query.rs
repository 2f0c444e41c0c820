//! Queries as MySQL prints them: what SHOW CREATE VIEW shows and what the dictionary keeps of a view.
//!
//! ```text
//!   SELECT a x FROM t JOIN u USING (k)     select `t`.`a` AS `x` from (`t` join `u` on((`t`.`k` = `u`.`k`)))
//! ```
//! The tree is expected with stars expanded, columns qualified and USING turned into ON (`bind::canonical`): this only writes it down.

use super::{Printer, Style, quoted};
use crate::ast::{
    Body, Expr, Frame, FrameBound, HintKind, IndexHint, JoinKind, Limit, LockClause, LockWait, OrderItem,
    Query, Select, SelectItem, SetOp, SetOperation, TableExpr, TableName, Unit, WindowSpec,
};

/// How a table is called: with or without its schema.
pub(crate) type TableStyle<'a> = &'a dyn Fn(&TableName) -> String;

/// The query in MySQL's spelling.
pub(crate) fn query(query: &Query, style: &Style<'_>) -> String {
    let mut out = Printer { style, text: String::new() };
    out.query(query, true);
    out.text
}

impl Printer<'_> {
    /// `named`: columns are called by their names even where those are their own.
    pub(super) fn query(&mut self, query: &Query, named: bool) {
        if let Some(with) = &query.with {
            self.put(if with.recursive { "with recursive " } else { "with " });
            for (i, cte) in with.ctes.iter().enumerate() {
                self.put(if i > 0 { ", " } else { "" });
                self.put(&quoted(&cte.name));
                self.column_list(&cte.columns);
                self.put(" as (");
                self.query(&cte.query, true);
                self.put(")");
            }
            self.put(" ");
        }
        match &query.body {
            Body::Select(select) => self.select(select, named),
            Body::Values(values) => {
                self.put("values ");
                for (i, row) in values.rows.iter().enumerate() {
                    self.put(if i > 0 { ",row(" } else { "row(" });
                    self.list(row, ",");
                    self.put(")");
                }
                self.tail(&values.order_by, values.limit.as_ref());
            }
            Body::Set(set) => self.set_operation(set),
            Body::Nested(nested) => {
                self.put("(");
                self.query(&nested.query, named);
                self.put(")");
                self.tail(&nested.order_by, nested.limit.as_ref());
            }
        }
    }

    fn set_operation(&mut self, set: &SetOperation) {
        // What stands to the left leans there by itself; everything else that is no plain block keeps its parentheses.
        let leans = |query: &Query| {
            matches!(&query.body, Body::Set(inner) if inner.op == set.op && inner.all == set.all
            && inner.order_by.is_empty() && inner.limit.is_none() && query.with.is_none())
        };
        self.operand(&set.left, leans(&set.left));
        self.put(match set.op {
            SetOp::Union => " union ",
            SetOp::Intersect => " intersect ",
            SetOp::Except => " except ",
        });
        self.put(if set.all { "all " } else { "" });
        self.operand(&set.right, false);
        self.tail(&set.order_by, set.limit.as_ref());
    }

    fn operand(&mut self, query: &Query, leans: bool) {
        let plain = match &query.body {
            Body::Select(select) => select.order_by.is_empty() && select.limit.is_none(),
            Body::Values(values) => values.order_by.is_empty() && values.limit.is_none(),
            _ => leans,
        };
        if plain && query.with.is_none() {
            return self.query(query, true);
        }
        self.put("(");
        self.query(query, true);
        self.put(")");
    }

    fn select(&mut self, select: &Select, named: bool) {
        self.put("select ");
        self.put(if select.distinct { "distinct " } else { "" });
        self.put(if select.calc_found_rows { "sql_calc_found_rows " } else { "" });
        self.put(if select.straight { "straight_join " } else { "" });
        for (i, item) in select.items.iter().enumerate() {
            self.put(if i > 0 { "," } else { "" });
            match item {
                SelectItem::Star { table, .. } => {
                    if let Some(table) = table {
                        self.put(&quoted(table));
                        self.put(".");
                    }
                    self.put("*");
                }
                SelectItem::Expr { expr, name, alias } => {
                    self.expr(expr);
                    if let Some(name) = alias.as_ref().or(named.then_some(name)) {
                        self.put(&format!(" AS {}", quoted(name)));
                    }
                }
            }
        }
        if let Some(from) = &select.from {
            self.put(" from ");
            self.table(from);
        }
        if let Some(filter) = &select.filter {
            self.put(" where ");
            self.condition(filter);
        }
        if !select.group_by.is_empty() {
            self.put(" group by ");
            self.list(&select.group_by, ",");
            self.put(if select.rollup { " with rollup" } else { "" });
        }
        if let Some(having) = &select.having {
            self.put(" having ");
            self.condition(having);
        }
        for (i, (name, window)) in select.windows.iter().enumerate() {
            self.put(if i > 0 { "," } else { " window " });
            self.put(&format!("{} AS ", quoted(name)));
            self.window(window);
        }
        self.tail(&select.order_by, select.limit.as_ref());
        self.lock(select);
    }

    fn lock(&mut self, select: &Select) {
        let Some((kind, wait)) = select.lock else { return };
        self.put(if kind == LockClause::Update { " for update" } else { " for share" });
        for (i, table) in select.lock_of.iter().enumerate() {
            self.put(if i > 0 { "," } else { " of " });
            self.put(&quoted(table));
        }
        self.put(match wait {
            LockWait::Wait => "",
            LockWait::NoWait => " nowait",
            LockWait::SkipLocked => " skip locked",
        });
    }

    fn tail(&mut self, order_by: &[OrderItem], limit: Option<&Limit>) {
        self.order(order_by, " order by ", " desc", "");
        if let Some(limit) = limit {
            self.put(" limit ");
            if let Some(offset) = &limit.offset {
                self.between("", offset, ",");
            }
            self.expr(&limit.count);
        }
    }

    fn order(&mut self, items: &[OrderItem], before: &str, desc: &str, end: &str) {
        for (i, item) in items.iter().enumerate() {
            self.put(if i > 0 { "," } else { before });
            self.expr(&item.expr);
            self.put(if item.desc { desc } else { "" });
        }
        self.put(if items.is_empty() { "" } else { end });
    }

    fn column_list(&mut self, columns: &[String]) {
        for (i, column) in columns.iter().enumerate() {
            self.put(if i > 0 { "," } else { " (" });
            self.put(&quoted(column));
        }
        self.put(if columns.is_empty() { "" } else { ")" });
    }

    fn table(&mut self, table: &TableExpr) {
        match table {
            TableExpr::Table(table) => {
                let name = self.style.table.map_or_else(String::new, |style| style(&table.table));
                self.put(&name);
                if let Some(alias) = table.alias.as_ref().filter(|a| **a != table.table.name) {
                    self.put(&format!(" {}", quoted(alias)));
                }
                table.hints.iter().for_each(|hint| self.hint(hint));
            }
            TableExpr::Derived { query, alias, columns, lateral } => {
                self.put(if *lateral { "lateral (" } else { "(" });
                self.query(query, true);
                self.put(&format!(") {}", quoted(alias)));
                self.column_list(columns);
            }
            TableExpr::Join(join) => {
                self.put("(");
                self.table(&join.left);
                self.put(match join.kind {
                    _ if join.natural => " natural join ",
                    JoinKind::Inner if join.straight => " straight_join ",
                    JoinKind::Inner => " join ",
                    JoinKind::Left => " left join ",
                    JoinKind::Right => " right join ",
                });
                self.table(&join.right);
                if let Some(on) = &join.on {
                    self.put(" on(");
                    self.condition(on);
                    self.put(")");
                }
                if !join.using.is_empty() {
                    self.put(" using");
                    self.column_list(&join.using);
                }
                self.put(")");
            }
        }
    }

    fn hint(&mut self, hint: &IndexHint) {
        self.put(match hint.kind {
            HintKind::Use => " USE INDEX (",
            HintKind::Force => " FORCE INDEX (",
            HintKind::Ignore => " IGNORE INDEX (",
        });
        for (i, index) in hint.indexes.iter().enumerate() {
            self.put(if i > 0 { "," } else { "" });
            self.put(&if index == "PRIMARY" { index.clone() } else { quoted(index) });
        }
        self.put(")");
    }

    /// `OVER ...` behind a call.
    pub(super) fn over(&mut self, window: &WindowSpec) {
        self.put(" OVER ");
        match &window.base {
            Some(base)
                if window.partition.is_empty() && window.order_by.is_empty() && window.frame.is_none() =>
            {
                self.put(&quoted(base));
            }
            _ => self.window(window),
        }
    }

    fn window(&mut self, window: &WindowSpec) {
        self.put("(");
        if let Some(base) = &window.base {
            self.put(&format!("{} ", quoted(base)));
        }
        if !window.partition.is_empty() {
            self.put("PARTITION BY ");
            self.list(&window.partition, ",");
            self.put(" ");
        }
        self.order(&window.order_by, "ORDER BY ", " desc", " ");
        if let Some(frame) = &window.frame {
            self.frame(frame);
        }
        self.put(") ");
    }

    fn frame(&mut self, frame: &Frame) {
        self.put(if frame.rows { "ROWS BETWEEN " } else { "RANGE BETWEEN " });
        self.bound(&frame.start);
        self.put(" AND ");
        self.bound(&frame.end);
    }

    fn bound(&mut self, bound: &FrameBound) {
        let mut distance = |expr: &Expr, unit: &Option<Unit>, word: &str| match unit {
            Some(unit) => {
                self.between("INTERVAL ", expr, &format!(" {} {word}", unit.name()));
            }
            None => self.between("", expr, &format!(" {word}")),
        };
        match bound {
            FrameBound::Preceding(expr, unit) => distance(expr, unit, "PRECEDING"),
            FrameBound::Following(expr, unit) => distance(expr, unit, "FOLLOWING"),
            FrameBound::UnboundedPreceding => self.put("UNBOUNDED PRECEDING"),
            FrameBound::CurrentRow => self.put("CURRENT ROW"),
            FrameBound::UnboundedFollowing => self.put("UNBOUNDED FOLLOWING"),
        }
    }
}
