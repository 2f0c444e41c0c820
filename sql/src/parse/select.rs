//! SELECT over one table, and the clauses it shares with UPDATE and DELETE.

use super::Parser;
use crate::ast::{
    Expr, HintKind, IndexHint, Limit, LockClause, LockWait, OrderItem, Select, SelectItem, TableRef,
};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op};

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Result<Select> {
        self.expect_kw("SELECT")?;
        let (mut distinct, mut calc_found_rows) = (false, false);
        loop {
            match self.eat_any(&["ALL", "DISTINCTROW", "DISTINCT", "SQL_CALC_FOUND_ROWS", "SQL_NO_CACHE"]) {
                Some("DISTINCT" | "DISTINCTROW") => distinct = true,
                Some("SQL_CALC_FOUND_ROWS") => {
                    self.deprecate(
                        "SQL_CALC_FOUND_ROWS is deprecated and will be removed in a future release. Consider using two separate queries instead.",
                    );
                    calc_found_rows = true;
                }
                Some(_) => {} // ALL is the default; there is no query cache
                None => break,
            }
        }
        const HINTS: &[&str] =
            &["HIGH_PRIORITY", "STRAIGHT_JOIN", "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT"];
        if let Some(hint) = HINTS.iter().find(|h| self.is_kw(h)) {
            return Err(unsupported(format_args!("SELECT {hint}")));
        }
        let mut items = vec![if self.eat_op(Op::Star) {
            SelectItem::Star { schema: None, table: None }
        } else {
            self.select_item()?
        }];
        while self.eat_op(Op::Comma) {
            items.push(self.select_item()?); // a bare star may only come first
        }
        self.refuse_into()?;
        let from = if self.eat_kw("FROM") { self.table_source()? } else { None };
        let filter = self.where_clause()?;
        let mut group_by = Vec::new();
        if self.eat_kw("GROUP") {
            self.expect_kw("BY")?;
            if self.is_kw("ROLLUP") || self.is_kw("CUBE") {
                return Err(unsupported("ROLLUP"));
            }
            group_by = self.list(Parser::expr)?;
            if self.are_kws(&["WITH", "ROLLUP"]) {
                return Err(unsupported("WITH ROLLUP"));
            }
        }
        let having = if self.eat_kw("HAVING") { Some(self.expr()?) } else { None };
        if self.is_kw("WINDOW") {
            return Err(unsupported("window functions"));
        }
        if self.is_kw("QUALIFY") {
            return Err(unsupported("QUALIFY"));
        }
        let order_by = self.order_by()?;
        let limit = self.limit()?;
        self.refuse_into()?;
        let lock = self.lock_clause()?;
        self.refuse_into()?;
        self.refuse_set_operation()?;
        Ok(Select { distinct, calc_found_rows, items, from, filter, group_by, having, order_by, limit, lock })
    }

    fn refuse_into(&self) -> Result<()> {
        if self.is_kw("INTO") { Err(unsupported("SELECT ... INTO")) } else { Ok(()) }
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

    fn table_source(&mut self) -> Result<Option<TableRef>> {
        if self.eat_kw("DUAL") {
            return Ok(None);
        }
        let table = self.table_ref()?;
        self.refuse_join()?;
        Ok(Some(table))
    }

    /// `table [AS alias] [hints]`
    pub(super) fn table_ref(&mut self) -> Result<TableRef> {
        if self.is_op(Op::LParen) {
            return Err(unsupported(if self.is_kw_at(1, "SELECT") { "derived tables" } else { "JOIN" }));
        }
        if self.is_kw("LATERAL") || self.is_kw("JSON_TABLE") {
            return Err(unsupported("derived tables"));
        }
        if self.is_op(Op::LBrace) {
            return Err(unsupported("JOIN"));
        }
        let table = self.table_name()?;
        if self.is_kw("PARTITION") {
            return Err(unsupported("PARTITION"));
        }
        let alias = if self.eat_kw("AS") || self.at_ident() { Some(self.ident()?) } else { None };
        if self.is_kw("TABLESAMPLE") {
            return Err(unsupported("TABLESAMPLE"));
        }
        let mut hints = Vec::new();
        while let Some(word) = self.eat_any(&["USE", "FORCE", "IGNORE"]) {
            hints.push(self.index_hint(word)?);
            self.eat_op(Op::Comma);
        }
        Ok(TableRef { table, alias, hints })
    }

    fn index_hint(&mut self, word: &str) -> Result<IndexHint> {
        if !self.eat_kw("INDEX") && !self.eat_kw("KEY") {
            return Err(self.unexpected());
        }
        if self.is_kw("FOR") {
            return Err(unsupported("index hints with FOR"));
        }
        let kind = match word {
            "USE" => HintKind::Use,
            "FORCE" => HintKind::Force,
            _ => HintKind::Ignore,
        };
        let indexes = self.parens(|p| {
            if kind == HintKind::Use && p.is_op(Op::RParen) {
                return Ok(Vec::new());
            }
            p.list(|p| if p.eat_kw("PRIMARY") { Ok("PRIMARY".to_owned()) } else { p.ident() })
        })?;
        Ok(IndexHint { kind, indexes })
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
    fn limit(&mut self) -> Result<Option<Limit>> {
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

    fn lock_clause(&mut self) -> Result<Option<(LockClause, LockWait)>> {
        if self.eat_kws(&["LOCK", "IN", "SHARE", "MODE"]) {
            return Ok(Some((LockClause::Share, LockWait::Wait)));
        }
        if !self.eat_kw("FOR") {
            return Ok(None);
        }
        let clause = match self.eat_any(&["UPDATE", "SHARE"]) {
            Some("UPDATE") => LockClause::Update,
            Some(_) => LockClause::Share,
            None => return Err(self.unexpected()),
        };
        if self.eat_kw("OF") {
            self.ident()?; // there is only one table
            if self.eat_op(Op::Comma) {
                return Err(unsupported("FOR UPDATE OF several tables"));
            }
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
        Ok(Some((clause, wait)))
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
