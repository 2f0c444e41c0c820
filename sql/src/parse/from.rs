//! FROM: tables, joins, derived tables.

use super::Parser;
use crate::ast::{HintKind, IndexHint, Join, JoinKind, TableExpr, TableRef};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::Op;

/// Tables of one FROM, MySQL's limit.
const MAX_TABLES: u32 = 61;
/// Tables of a FROM and of those it stands in: joins lean to the left, and their trees are walked recursively.
const MAX_TABLES_DEEP: u32 = 200;

impl Parser<'_> {
    /// `table, table JOIN table ...`
    pub(super) fn table_references(&mut self) -> Result<TableExpr> {
        let before = std::mem::take(&mut self.tables);
        self.around += before;
        let mut left = self.nested(Self::joined_table)?;
        while self.eat_op(Op::Comma) {
            let right = self.nested(Self::joined_table)?;
            left = plain_join(left, right);
        }
        self.tables = before;
        self.around -= before;
        Ok(left)
    }

    fn joined_table(&mut self) -> Result<TableExpr> {
        let mut left = self.table_factor()?;
        while let Some((kind, natural, straight)) = self.join_words()? {
            let mut right = self.table_factor()?;
            // `a LEFT JOIN b JOIN c ON .. ON ..`: the inner join comes first.
            while kind != JoinKind::Inner && !natural && self.at_join() {
                right = self.join_rest(right)?;
            }
            left = self.join_condition(kind, left, right, natural, straight)?;
        }
        Ok(left)
    }

    fn join_rest(&mut self, left: TableExpr) -> Result<TableExpr> {
        let (kind, natural, straight) = self.join_words()?.ok_or_else(|| self.unexpected())?;
        let right = self.table_factor()?;
        self.join_condition(kind, left, right, natural, straight)
    }

    /// The words of a join operator: its kind, NATURAL, STRAIGHT_JOIN.
    fn join_words(&mut self) -> Result<Option<(JoinKind, bool, bool)>> {
        if self.eat_kw("STRAIGHT_JOIN") {
            return Ok(Some((JoinKind::Inner, false, true)));
        }
        let natural = self.eat_kw("NATURAL");
        let kind = match self.eat_any(&["LEFT", "RIGHT", "INNER", "CROSS"]) {
            Some(side @ ("LEFT" | "RIGHT")) => {
                self.eat_kw("OUTER");
                if side == "LEFT" { JoinKind::Left } else { JoinKind::Right }
            }
            Some("CROSS") if natural => return Err(self.unexpected()),
            Some(_) => JoinKind::Inner,
            None if natural || self.is_kw("JOIN") => JoinKind::Inner,
            None => return Ok(None),
        };
        self.expect_kw("JOIN")?;
        Ok(Some((kind, natural, false)))
    }

    fn join_condition(
        &mut self,
        kind: JoinKind,
        left: TableExpr,
        right: TableExpr,
        natural: bool,
        straight: bool,
    ) -> Result<TableExpr> {
        let mut join = Join { kind, left, right, on: None, using: Vec::new(), natural, straight };
        if natural {
        } else if self.eat_kw("ON") {
            join.on = Some(self.expr()?);
        } else if !straight && self.eat_kw("USING") {
            join.using = self.parens(|p| p.list(Parser::ident))?;
        } else if kind != JoinKind::Inner {
            return Err(self.unexpected());
        }
        Ok(TableExpr::Join(Box::new(join)))
    }

    fn table_factor(&mut self) -> Result<TableExpr> {
        self.tables += 1;
        if self.tables > MAX_TABLES {
            return Err(SqlError::new(
                1116,
                format!("Too many tables; MySQL can only use {MAX_TABLES} tables in a join"),
            ));
        }
        if self.tables + self.around > MAX_TABLES_DEEP {
            return Err(super::too_deep());
        }
        let lateral = self.eat_kw("LATERAL");
        if self.is_op(Op::LParen) {
            self.bump();
            if self.at_query() {
                let query = Box::new(self.inner_query()?);
                self.expect_op(Op::RParen)?;
                return self.derived(query, lateral);
            }
            if lateral {
                return Err(self.unexpected());
            }
            let inner = self.nested(Self::parenthesised_tables)?;
            self.expect_op(Op::RParen)?;
            return Ok(inner);
        }
        if lateral {
            return Err(self.unexpected());
        }
        if self.is_op(Op::LBrace) {
            self.bump();
            self.ident()?; // OJ
            let inner = self.nested(Self::joined_table)?;
            self.expect_op(Op::RBrace)?;
            return Ok(inner);
        }
        if self.is_kw("JSON_TABLE") {
            return Err(unsupported("JSON_TABLE"));
        }
        self.table_ref().map(TableExpr::Table)
    }

    fn parenthesised_tables(&mut self) -> Result<TableExpr> {
        let mut left = self.joined_table()?;
        while self.eat_op(Op::Comma) {
            let right = self.joined_table()?;
            left = plain_join(left, right);
        }
        Ok(left)
    }

    fn derived(&mut self, query: Box<crate::ast::Query>, lateral: bool) -> Result<TableExpr> {
        let alias = if self.eat_kw("AS") || self.at_ident() {
            self.ident()?
        } else {
            return Err(SqlError::new(1248, "Every derived table must have its own alias"));
        };
        let columns =
            if self.is_op(Op::LParen) { self.parens(|p| p.list(Parser::ident))? } else { Vec::new() };
        Ok(TableExpr::Derived { query, alias, columns, lateral })
    }

    /// `table [AS alias] [hints]`
    pub(super) fn table_ref(&mut self) -> Result<TableRef> {
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

    fn at_join(&self) -> bool {
        ["JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN"].iter().any(|k| self.is_kw(k))
    }
}

fn plain_join(left: TableExpr, right: TableExpr) -> TableExpr {
    TableExpr::Join(Box::new(Join {
        kind: JoinKind::Inner,
        left,
        right,
        on: None,
        using: Vec::new(),
        natural: false,
        straight: false,
    }))
}
