//! CREATE, ALTER and DROP VIEW.

use super::Parser;
use crate::ast::{CreateView, Ddl, UserName, ViewAlgorithm};
use crate::bind::view::CheckOption;
use crate::error::{Result, SqlError};
use crate::lex::Op;

impl Parser<'_> {
    /// `[OR REPLACE] [ALGORITHM = ..] [DEFINER = ..] [SQL SECURITY ..] VIEW ...` behind CREATE; `None`: something else follows.
    pub(super) fn create_view(&mut self) -> Result<Option<Ddl>> {
        let start = self.pos;
        let replace = self.eat_kws(&["OR", "REPLACE"]);
        match self.view(replace, false)? {
            Some(view) => Ok(Some(Ddl::CreateView(Box::new(view)))),
            None => {
                self.pos = start;
                Ok(None)
            }
        }
    }

    /// The same behind ALTER.
    pub(super) fn alter_view(&mut self) -> Result<Option<Ddl>> {
        let start = self.pos;
        match self.view(true, true)? {
            Some(view) => Ok(Some(Ddl::CreateView(Box::new(view)))),
            None => {
                self.pos = start;
                Ok(None)
            }
        }
    }

    fn view(&mut self, replace: bool, alter: bool) -> Result<Option<CreateView>> {
        let mut algorithm = ViewAlgorithm::Undefined;
        if self.eat_kw("ALGORITHM") {
            self.expect_op(Op::Eq)?;
            algorithm = match self.eat_any(&["UNDEFINED", "MERGE", "TEMPTABLE"]) {
                Some("UNDEFINED") => ViewAlgorithm::Undefined,
                Some("MERGE") => ViewAlgorithm::Merge,
                Some(_) => ViewAlgorithm::TempTable,
                None => return Err(self.unexpected()),
            };
        }
        let definer = if self.eat_kw("DEFINER") { Some(self.definer()?) } else { None };
        let mut invoker = false;
        if self.eat_kws(&["SQL", "SECURITY"]) {
            invoker = match self.eat_any(&["DEFINER", "INVOKER"]) {
                Some(word) => word == "INVOKER",
                None => return Err(self.unexpected()),
            };
        }
        if !self.eat_kw("VIEW") {
            return Ok(None);
        }
        let if_not_exists = !alter && self.if_not_exists()?;
        let name = self.table_name()?;
        let columns =
            if self.is_op(Op::LParen) { self.parens(|p| p.list(Parser::ident))? } else { Vec::new() };
        self.expect_kw("AS")?;
        let params = self.params;
        let start = self.pos;
        let query = self.query()?;
        if self.params > params {
            let at = (start..self.pos).find(|&i| self.slice(self.tokens[i]) == b"?").unwrap_or(start);
            self.pos = at;
            return Err(self.unexpected());
        }
        if !query.into.is_empty() || self.into_file.is_some() {
            return Err(SqlError::new(1350, "View's SELECT contains a 'INTO' clause"));
        }
        let check = self.check_option()?;
        Ok(Some(CreateView {
            name,
            columns,
            query,
            algorithm,
            definer,
            invoker,
            check,
            replace,
            alter,
            if_not_exists,
        }))
    }

    fn definer(&mut self) -> Result<UserName> {
        self.expect_op(Op::Eq)?;
        self.user_name()
    }

    /// `WITH [CASCADED | LOCAL] CHECK OPTION`
    fn check_option(&mut self) -> Result<CheckOption> {
        if !self.eat_kw("WITH") {
            return Ok(CheckOption::None);
        }
        let check = match self.eat_any(&["CASCADED", "LOCAL"]) {
            Some("LOCAL") => CheckOption::Local,
            _ => CheckOption::Cascaded,
        };
        self.expect_kw("CHECK")?;
        self.expect_kw("OPTION")?;
        Ok(check)
    }

    pub(super) fn drop_view(&mut self) -> Result<Ddl> {
        let if_exists = self.if_exists()?;
        let views = self.list(Parser::table_name)?;
        let _ = self.eat_kw("RESTRICT") || self.eat_kw("CASCADE"); // MySQL: no effect
        Ok(Ddl::DropView { views, if_exists })
    }
}
