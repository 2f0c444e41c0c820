//! CHECK constraints and generated columns.

use super::Parser;
use crate::ast::{CheckDef, Expr};
use crate::error::Result;

impl Parser<'_> {
    /// `CHECK (expression) [[NOT] ENFORCED]`
    pub(super) fn check_clause(&mut self, name: Option<String>, column: Option<String>) -> Result<CheckDef> {
        self.expect_kw("CHECK")?;
        let expr = self.parens(Parser::expr)?;
        let enforced = self.enforced()?.unwrap_or(true);
        Ok(CheckDef { name, expr, enforced, column })
    }

    /// `[NOT] ENFORCED`
    pub(super) fn enforced(&mut self) -> Result<Option<bool>> {
        if self.eat_kws(&["NOT", "ENFORCED"]) {
            return Ok(Some(false));
        }
        Ok(self.eat_kw("ENFORCED").then_some(true))
    }

    /// `[GENERATED ALWAYS] AS (expression) [VIRTUAL | STORED]`
    pub(super) fn generated(&mut self) -> Result<Option<(Expr, bool)>> {
        if self.eat_kw("GENERATED") {
            self.expect_kw("ALWAYS")?;
            self.expect_kw("AS")?;
        } else if !self.eat_kw("AS") {
            return Ok(None);
        }
        let expr = self.parens(Parser::expr)?;
        let stored = self.eat_any(&["VIRTUAL", "STORED"]) == Some("STORED");
        Ok(Some((expr, stored)))
    }
}
