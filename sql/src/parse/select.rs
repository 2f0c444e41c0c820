//! One SELECT, and the clauses it shares with UPDATE and DELETE.

use super::Parser;
use crate::ast::{Expr, Limit, LockClause, LockWait, OrderItem, Select, SelectItem};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    /// A SELECT up to its ORDER BY, and the variables of an INTO before FROM.
    pub(super) fn select(&mut self) -> Result<(Select, Vec<String>)> {
        self.expect_kw("SELECT")?;
        let mut out = Select::default();
        self.select_options(&mut out)?;
        let mut items = vec![if self.eat_op(Op::Star) {
            SelectItem::Star { schema: None, table: None }
        } else {
            self.select_item()?
        }];
        while self.eat_op(Op::Comma) {
            items.push(self.select_item()?); // a bare star may only come first
        }
        out.items = items;
        let into = self.variables_of_into()?;
        if self.eat_kw("FROM") && !self.eat_kw("DUAL") {
            out.from = Some(self.table_references()?);
        }
        out.filter = self.where_clause()?;
        if self.eat_kw("GROUP") {
            self.expect_kw("BY")?;
            self.group_by(&mut out)?;
        }
        out.having = if self.eat_kw("HAVING") { Some(self.expr()?) } else { None };
        if self.eat_kw("WINDOW") {
            out.windows = self.list(|p| {
                let name = p.ident()?;
                p.expect_kw("AS")?;
                Ok((name, p.parens(Parser::window_spec)?))
            })?;
        }
        if self.is_kw("QUALIFY") {
            return Err(unsupported("QUALIFY"));
        }
        Ok((out, into))
    }

    fn group_by(&mut self, out: &mut Select) -> Result<()> {
        if self.is_kw("CUBE") {
            return Err(unsupported("CUBE"));
        }
        if self.eat_kw("ROLLUP") {
            out.group_by = self.parens(|p| p.list(Parser::expr))?;
            out.rollup = true;
            return Ok(());
        }
        out.group_by = self.list(Parser::expr)?;
        out.rollup = self.eat_kws(&["WITH", "ROLLUP"]);
        Ok(())
    }

    /// The words between SELECT and its list.
    fn select_options(&mut self, out: &mut Select) -> Result<()> {
        const WORDS: &[&str] = &[
            "ALL",
            "DISTINCTROW",
            "DISTINCT",
            "SQL_CALC_FOUND_ROWS",
            "SQL_NO_CACHE",
            "HIGH_PRIORITY",
            "STRAIGHT_JOIN",
            "SQL_SMALL_RESULT",
            "SQL_BIG_RESULT",
            "SQL_BUFFER_RESULT",
        ];
        loop {
            match self.eat_any(WORDS) {
                Some("DISTINCT" | "DISTINCTROW") => out.distinct = true,
                Some("STRAIGHT_JOIN") => out.straight = true,
                Some("SQL_CALC_FOUND_ROWS") => {
                    self.deprecate(
                        "SQL_CALC_FOUND_ROWS is deprecated and will be removed in a future release. Consider using two separate queries instead.",
                    );
                    out.calc_found_rows = true;
                }
                Some(_) => {} // the default, a cache that is not there, hints that change no result
                None => return Ok(()),
            }
        }
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        if let Some(star) = self.qualified_star()? {
            return Ok(star);
        }
        let (first, start) = (self.peek(), self.pos);
        let expr = self.expr()?;
        let name = match &expr {
            Expr::Column(column) => column.name.clone(),
            Expr::Literal(crate::ast::Literal::Str { .. })
                if matches!(first.kind, Kind::Str | Kind::NationalStr)
                    || (first.kind == Kind::Introducer && self.tokens[start + 1].kind == Kind::Str) =>
            {
                // Only the first of adjacent strings names the column, without its introducer.
                let quoted = if first.kind == Kind::Introducer { self.tokens[start + 1] } else { first };
                let bytes = crate::lex::unquote(self.text, &quoted, self.mode);
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                String::from_utf8_lossy(&bytes[..end]).into_owned()
            }
            _ => self.source(start, self.pos),
        };
        let alias = self.alias()?;
        Ok(SelectItem::Expr { expr, name, alias })
    }

    /// The text of the tokens from `start` to `end`, as the name of a column: comments are no part of it.
    fn source(&self, start: usize, end: usize) -> String {
        let mut out = Vec::new();
        for (i, token) in self.tokens[start..end].iter().enumerate() {
            out.extend_from_slice(&self.text[token.at as usize..token.after as usize]);
            let next = self.tokens[start + i + 1];
            if start + i + 1 < end {
                blanks(&self.text[token.after as usize..next.at as usize], &mut out);
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    fn qualified_star(&mut self) -> Result<Option<SelectItem>> {
        let dot_star = |p: &Self, n| {
            p.peek_at(n).kind == Kind::Op(Op::Dot) && p.peek_at(n + 1).kind == Kind::Op(Op::Star)
        };
        if !self.at_ident() {
            return Ok(None);
        }
        if dot_star(self, 1) {
            let table = self.ident()?;
            self.pos += 2;
            return Ok(Some(SelectItem::Star { schema: None, table: Some(table) }));
        }
        if self.peek_at(1).kind == Kind::Op(Op::Dot) && dot_star(self, 3) {
            let schema = self.ident()?;
            self.bump();
            let table = self.ident_after_dot()?;
            self.pos += 2;
            return Ok(Some(SelectItem::Star { schema: Some(schema), table: Some(table) }));
        }
        Ok(None)
    }

    /// `[AS] alias`
    fn alias(&mut self) -> Result<Option<String>> {
        if self.eat_kw("AS") || self.at_ident() || self.peek().kind == Kind::Str {
            return self.ident_or_text().map(Some);
        }
        Ok(None)
    }

    pub(super) fn where_clause(&mut self) -> Result<Option<Expr>> {
        if self.eat_kw("WHERE") { self.expr().map(Some) } else { Ok(None) }
    }

    pub(super) fn order_by(&mut self) -> Result<Vec<OrderItem>> {
        if !self.eat_kw("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_kw("BY")?;
        self.list(Parser::order_item)
    }

    pub(super) fn order_item(&mut self) -> Result<OrderItem> {
        let expr = self.expr()?;
        let desc = self.eat_kw("DESC");
        if !desc {
            self.eat_kw("ASC");
        }
        Ok(OrderItem { expr, desc })
    }

    /// `LIMIT n`, `LIMIT offset, n`, `LIMIT n OFFSET offset`.
    pub(super) fn limit(&mut self) -> Result<Option<Limit>> {
        if !self.eat_kw("LIMIT") {
            return Ok(None);
        }
        let first = self.limit_value()?;
        if self.eat_op(Op::Comma) {
            return Ok(Some(Limit { offset: Some(first), count: self.limit_value()? }));
        }
        let offset = if self.eat_kw("OFFSET") { Some(self.limit_value()?) } else { None };
        Ok(Some(Limit { offset, count: first }))
    }

    pub(super) fn limit_value(&mut self) -> Result<Expr> {
        match self.peek().kind {
            Kind::Int => self.uint().map(super::int_literal),
            Kind::Param => self.primary(),
            _ => Err(self.unexpected()),
        }
    }

    pub(super) fn lock_clause(&mut self, select: &mut Select) -> Result<()> {
        if self.eat_kws(&["LOCK", "IN", "SHARE", "MODE"]) {
            select.lock = Some((LockClause::Share, LockWait::Wait));
            return Ok(());
        }
        if !self.eat_kw("FOR") {
            return Ok(());
        }
        let clause = match self.eat_any(&["UPDATE", "SHARE"]) {
            Some("UPDATE") => LockClause::Update,
            Some(_) => LockClause::Share,
            None => return Err(self.unexpected()),
        };
        if self.eat_kw("OF") {
            select.lock_of = self.list(Parser::ident)?;
        }
        let wait = if self.eat_kw("NOWAIT") {
            LockWait::NoWait
        } else if self.eat_kws(&["SKIP", "LOCKED"]) {
            LockWait::SkipLocked
        } else {
            LockWait::Wait
        };
        if self.is_kw("FOR") {
            return Err(unsupported("several locking clauses"));
        }
        select.lock = Some((clause, wait));
        Ok(())
    }
}

/// Appends what lies between two tokens without its comments and the marks of version comments.
fn blanks(mut gap: &[u8], out: &mut Vec<u8>) {
    while let [first, rest @ ..] = gap {
        let skip = match gap {
            [b'/', b'*', b'!', digits @ ..] => {
                3 + digits.iter().take(6).take_while(|b| b.is_ascii_digit()).count()
            }
            [b'/', b'*', body @ ..] => body.windows(2).position(|w| w == b"*/").map_or(gap.len(), |n| n + 4),
            [b'*', b'/', ..] => 2,
            [b'#', ..] | [b'-', b'-', ..] => gap.iter().position(|b| *b == b'\n').unwrap_or(gap.len()),
            _ => 0,
        };
        if skip > 0 {
            gap = &gap[skip..];
        } else {
            out.push(*first);
            gap = rest;
        }
    }
}
