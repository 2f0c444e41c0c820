//! INSERT, REPLACE, UPDATE, DELETE, TRUNCATE.

use super::Parser;
use crate::ast::{Assignment, Ddl, Delete, Expr, Insert, Update};
use crate::error::{Result, unsupported};
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
        if self.is_op(Op::LParen) && !self.is_kw_at(1, "SELECT") {
            out.columns = Some(self.parens(|p| {
                if p.is_op(Op::RParen) { Ok(Vec::new()) } else { p.list(Parser::insert_column) }
            })?);
        }
        if self.is_kw("SELECT") {
            out.select = Some(Box::new(self.select()?));
            return Ok(());
        }
        if self.is_op(Op::LParen) || self.is_kw("WITH") || self.is_kw("TABLE") {
            return Err(unsupported("INSERT ... SELECT in this form"));
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

    /// A column name, perhaps qualified; only the last part says anything in an INSERT.
    fn insert_column(&mut self) -> Result<String> {
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

    fn assignment(&mut self) -> Result<Assignment> {
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
        let table = self.table_ref()?;
        if self.is_op(Op::Comma) || self.at_join() {
            return Err(unsupported("multi-table UPDATE"));
        }
        self.expect_kw("SET")?;
        let set = self.list(Parser::assignment)?;
        let filter = self.where_clause()?;
        let order_by = self.order_by()?;
        let limit = self.row_count()?;
        Ok(Update { ignore, table, set, filter, order_by, limit })
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
        if !self.eat_kw("FROM") {
            return Err(if self.at_ident() { unsupported("multi-table DELETE") } else { self.unexpected() });
        }
        let table = self.table_ref()?;
        if self.is_op(Op::Comma) || self.is_kw("USING") || self.at_join() || self.is_op(Op::Dot) {
            return Err(unsupported("multi-table DELETE"));
        }
        let filter = self.where_clause()?;
        let order_by = self.order_by()?;
        let limit = self.row_count()?;
        Ok(Delete { ignore, table, filter, order_by, limit })
    }

    pub(super) fn truncate(&mut self) -> Result<Ddl> {
        self.expect_kw("TRUNCATE")?;
        self.eat_kw("TABLE");
        Ok(Ddl::Truncate(self.table_name()?))
    }
}
