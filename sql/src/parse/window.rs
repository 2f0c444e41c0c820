//! OVER and WINDOW.

use super::Parser;
use crate::ast::{Expr, Frame, FrameBound, WindowSpec};
use crate::error::{Result, unsupported};
use crate::lex::Op;

impl Parser<'_> {
    /// `OVER name` or `OVER (...)` behind a call, if it stands there.
    pub(super) fn over(&mut self, call: Expr) -> Result<Expr> {
        for word in ["RESPECT", "IGNORE"] {
            if self.is_kw(word) && self.is_kw_at(1, "NULLS") {
                if word == "IGNORE" {
                    return Err(unsupported("IGNORE NULLS"));
                }
                self.bump();
                self.bump();
            }
        }
        if !self.eat_kw("OVER") {
            return Ok(call);
        }
        let window = if self.is_op(Op::LParen) {
            self.parens(|p| p.nested(Self::window_spec))?
        } else {
            WindowSpec { base: Some(self.ident()?), ..WindowSpec::default() }
        };
        Ok(Expr::Over { call: Box::new(call), window: Box::new(window) })
    }

    pub(super) fn window_spec(&mut self) -> Result<WindowSpec> {
        let mut out = WindowSpec::default();
        if self.at_ident() && !self.is_kw("RANGE") && !self.is_kw("ROWS") && !self.is_kw("GROUPS") {
            out.base = Some(self.ident()?);
        }
        if self.eat_kw("PARTITION") {
            self.expect_kw("BY")?;
            out.partition = self.list(Parser::expr)?;
        }
        out.order_by = self.order_by()?;
        if self.is_kw("GROUPS") {
            return Err(unsupported("GROUPS"));
        }
        if let Some(word) = self.eat_any(&["ROWS", "RANGE"]) {
            let (start, end) = if self.eat_kw("BETWEEN") {
                let start = self.frame_bound()?;
                self.expect_kw("AND")?;
                (start, self.frame_bound()?)
            } else {
                (self.frame_bound()?, FrameBound::CurrentRow)
            };
            if self.is_kw("EXCLUDE") {
                return Err(unsupported("EXCLUDE"));
            }
            out.frame = Some(Frame { rows: word == "ROWS", start, end });
        }
        Ok(out)
    }

    fn frame_bound(&mut self) -> Result<FrameBound> {
        if self.eat_kws(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        if self.eat_kw("UNBOUNDED") {
            return match self.eat_any(&["PRECEDING", "FOLLOWING"]) {
                Some("PRECEDING") => Ok(FrameBound::UnboundedPreceding),
                Some(_) => Ok(FrameBound::UnboundedFollowing),
                None => Err(self.unexpected()),
            };
        }
        let (amount, unit) = if self.at_interval() {
            self.bump();
            let amount = self.expr()?;
            (amount, Some(self.unit()?))
        } else {
            (self.bit_expr(0)?, None)
        };
        match self.eat_any(&["PRECEDING", "FOLLOWING"]) {
            Some("PRECEDING") => Ok(FrameBound::Preceding(amount, unit)),
            Some(_) => Ok(FrameBound::Following(amount, unit)),
            None => Err(self.unexpected()),
        }
    }
}
