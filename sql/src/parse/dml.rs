//! INSERT, REPLACE, UPDATE, DELETE, TRUNCATE.

use super::Parser;
use crate::ast::{Assignment, Ddl, Delete, Expr, Insert, TableExpr, TableName, Update};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::Op;

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Result<Insert> {
        let replace = self.eat_kw("REPLACE");
        if !replace {
            self.expect_kw("INSERT")?;
        }
        for word in ["LOW_PRIORITY", "HIGH_PRIORITY"] {
            if self.is_kw(word) {
                return Err(unsupported(word));
            }
        }
        self.eat_kw("DELAYED"); // MySQL converts it to a plain INSERT
        let ignore = !replace && self.eat_kw("IGNORE");
        self.eat_kw("INTO");
        let table = self.table_name()?;
        if self.is_kw("PARTITION") {
            return Err(unsupported("PARTITION"));
        }
        let mut out = Insert {
            replace,
            ignore,
            table,
            columns: None,
            rows: Vec::new(),
            select: None,
            row_alias: None,
            on_duplicate: Vec::new(),
        };
        if self.eat_kw("SET") {
            let set = self.list(Parser::assignment)?;
            out.columns = Some(set.iter().map(|a| a.column.name.clone()).collect());
            out.rows.push(set.into_iter().map(|a| a.value).collect());
        } else {
            self.insert_source(&mut out)?;
        }
        self.row_alias(&mut out)?;
        if !replace && self.eat_kws(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
            out.on_duplicate = self.list(Parser::assignment)?;
        }
        Ok(out)
    }

    /// `[(columns)] VALUES (...), (...)` or `[(columns)] SELECT ...`
    fn insert_source(&mut self, out: &mut Insert) -> Result<()> {
        if self.is_op(Op::LParen) && !self.query_in_parens() {
            out.columns = Some(self.parens(|p| {
                if p.is_op(Op::RParen) { Ok(Vec::new()) } else { p.list(Parser::insert_column) }
            })?);
        }
        let values_rows = self.is_kw("VALUES") && self.is_kw_at(1, "ROW");
        if !values_rows
            && (self.is_op(Op::LParen) || ["SELECT", "WITH", "TABLE"].iter().any(|k| self.is_kw(k)))
        {
            out.select = Some(Box::new(self.inner_query()?));
            return Ok(());
        }
        if !self.eat_kw("VALUES") && !self.eat_kw("VALUE") {
            return Err(self.unexpected());
        }
        out.rows = self.list(|p| {
            p.eat_kw("ROW");
            p.parens(|p| if p.is_op(Op::RParen) { Ok(Vec::new()) } else { p.list(Parser::value_or_default) })
        })?;
        Ok(())
    }

    /// Does the parenthesis here hold a query, not a list of columns?
    pub(super) fn query_in_parens(&self) -> bool {
        let mut n = 0;
        while self.peek_at(n).kind == crate::lex::Kind::Op(Op::LParen) {
            n += 1;
        }
        ["SELECT", "WITH", "TABLE", "VALUES"].iter().any(|k| self.is_kw_at(n, k))
    }

    /// A column name, perhaps qualified; only the last part says anything in an INSERT.
    pub(super) fn insert_column(&mut self) -> Result<String> {
        Ok(self.column_name()?.name)
    }

    fn row_alias(&mut self, out: &mut Insert) -> Result<()> {
        if out.select.is_some() || !self.eat_kw("AS") {
            return Ok(());
        }
        let alias = self.ident()?;
        let columns =
            if self.is_op(Op::LParen) { self.parens(|p| p.list(Parser::ident))? } else { Vec::new() };
        out.row_alias = Some((alias, columns));
        Ok(())
    }

    fn value_or_default(&mut self) -> Result<Option<Expr>> {
        if self.is_kw("DEFAULT") && !matches!(self.peek_at(1).kind, crate::lex::Kind::Op(Op::LParen)) {
            self.bump();
            return Ok(None);
        }
        self.expr().map(Some)
    }

    pub(super) fn assignment(&mut self) -> Result<Assignment> {
        let column = self.column_name()?;
        if !self.eat_op(Op::Eq) && !self.eat_op(Op::Assign) {
            return Err(self.unexpected());
        }
        Ok(Assignment { column, value: self.value_or_default()? })
    }

    pub(super) fn update(&mut self) -> Result<Update> {
        self.expect_kw("UPDATE")?;
        if self.is_kw("LOW_PRIORITY") {
            return Err(unsupported("LOW_PRIORITY"));
        }
        let ignore = self.eat_kw("IGNORE");
        let tables = self.table_references()?;
        self.expect_kw("SET")?;
        let set = self.list(Parser::assignment)?;
        let filter = self.where_clause()?;
        let several = !matches!(tables, TableExpr::Table(_));
        let (order_by, limit) = self.change_tail(several, "UPDATE")?;
        Ok(Update { ignore, tables, set, filter, order_by, limit })
    }

    fn row_count(&mut self) -> Result<Option<Expr>> {
        if self.eat_kw("LIMIT") { self.limit_value().map(Some) } else { Ok(None) }
    }

    pub(super) fn delete(&mut self) -> Result<Delete> {
        self.expect_kw("DELETE")?;
        for word in ["LOW_PRIORITY", "QUICK"] {
            if self.is_kw(word) {
                return Err(unsupported(word));
            }
        }
        let ignore = self.eat_kw("IGNORE");
        let mut targets = Vec::new();
        if !self.eat_kw("FROM") {
            targets = self.list(Parser::delete_target)?;
            self.expect_kw("FROM")?;
        } else if self.names_targets() {
            targets = self.list(Parser::delete_target)?;
            self.expect_kw("USING")?;
        }
        let tables =
            if targets.is_empty() { TableExpr::Table(self.table_ref()?) } else { self.table_references()? };
        let filter = self.where_clause()?;
        let (order_by, limit) = self.change_tail(!targets.is_empty(), "DELETE")?;
        Ok(Delete { ignore, targets, tables, filter, order_by, limit })
    }

    /// ORDER BY and LIMIT: of one table only.
    fn change_tail(
        &mut self,
        several: bool,
        verb: &str,
    ) -> Result<(Vec<crate::ast::OrderItem>, Option<Expr>)> {
        if several && verb == "DELETE" {
            return Ok((Vec::new(), None));
        }
        let (order, limit) = (self.order_by()?, self.row_count()?);
        if several && (!order.is_empty() || limit.is_some()) {
            let clause = if order.is_empty() { "LIMIT" } else { "ORDER BY" };
            return Err(SqlError::new(1221, format!("Incorrect usage of {verb} and {clause}")));
        }
        Ok((order, limit))
    }

    /// `table` or `table.*`
    fn delete_target(&mut self) -> Result<TableName> {
        let first = self.ident()?;
        let mut name = TableName { schema: None, name: first };
        while self.eat_op(Op::Dot) {
            if self.eat_op(Op::Star) {
                break;
            }
            name = TableName { schema: Some(name.name), name: self.ident_after_dot()? };
        }
        Ok(name)
    }

    /// Behind DELETE FROM: is it `tables USING joined tables`?
    fn names_targets(&self) -> bool {
        use crate::lex::Kind;
        let mut n = 0;
        loop {
            match self.peek_at(n).kind {
                Kind::Word if self.is_kw_at(n, "USING") => return true,
                Kind::Word if self.is_kw_at(n, "WHERE") || self.is_kw_at(n, "USE") => return false,
                Kind::Word | Kind::Quoted | Kind::Op(Op::Dot | Op::Comma | Op::Star) => n += 1,
                _ => return false,
            }
        }
    }

    pub(super) fn truncate(&mut self) -> Result<Ddl> {
        self.expect_kw("TRUNCATE")?;
        self.eat_kw("TABLE");
        Ok(Ddl::Truncate(self.table_name()?))
    }
}
