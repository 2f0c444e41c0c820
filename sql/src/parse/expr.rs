//! Expressions above the simple ones, with MySQL's precedence.
//!
//! ```text
//! expr       OR ||   XOR   AND &&   NOT           || is OR unless PIPES_AS_CONCAT
//! bool_pri   = <=> <> < <= > >=   IS [NOT] NULL    left to right; IS TRUE/FALSE/UNKNOWN ends it
//! predicate  [NOT] IN, BETWEEN, LIKE, REGEXP
//! bit_expr   |   &   << >>   + -   * / DIV % MOD   ^      one loop, by binding power
//! simple     - + ~ ! BINARY ... COLLATE   (primary.rs)
//! ```
//! So `a LIKE b = c` is `(a LIKE b) = c`, `-2 ^ 2` is `(-2) ^ 2`, `@a := b = c` assigns `b = c`.

use super::Parser;
use crate::ast::{BinaryOp, Expr, IsTest, UnaryOp};
use crate::error::Result;
use crate::lex::{Kind, Op};

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.nested(Self::or_expr)
    }

    fn or_expr(&mut self) -> Result<Expr> {
        let base = self.spine;
        let first = self.xor_expr()?;
        let (mut terms, mut deepest) = (Vec::new(), self.spine);
        while self.eat_kw("OR") || self.or_pipes() {
            self.spine = base;
            terms.push(self.xor_expr()?);
            deepest = deepest.max(self.spine);
        }
        self.spine = deepest;
        Ok(chain(first, terms, Expr::Or))
    }

    /// `||` as OR.
    fn or_pipes(&mut self) -> bool {
        let is = !self.mode.pipes_as_concat && self.eat_op(Op::OrOr);
        if is {
            self.deprecate(
                "'|| as a synonym for OR' is deprecated and will be removed in a future release. Please use OR instead",
            );
        }
        is
    }

    fn and_ampersands(&mut self) -> bool {
        let is = self.eat_op(Op::AndAnd);
        if is {
            self.deprecate(
                "'&&' is deprecated and will be removed in a future release. Please use AND instead",
            );
        }
        is
    }

    fn xor_expr(&mut self) -> Result<Expr> {
        let mut left = self.and_expr()?;
        while self.eat_kw("XOR") {
            self.lean()?;
            left = Expr::Binary(BinaryOp::Xor, Box::new(left), Box::new(self.and_expr()?));
        }
        Ok(left)
    }

    fn and_expr(&mut self) -> Result<Expr> {
        let base = self.spine;
        let first = self.not_expr()?;
        let (mut terms, mut deepest) = (Vec::new(), self.spine);
        while self.eat_kw("AND") || self.and_ampersands() {
            self.spine = base;
            terms.push(self.not_expr()?);
            deepest = deepest.max(self.spine);
        }
        self.spine = deepest;
        Ok(chain(first, terms, Expr::And))
    }

    fn not_expr(&mut self) -> Result<Expr> {
        if self.is_kw("NOT") && !self.mode.high_not_precedence {
            self.bump();
            let inner = self.nested(Self::not_expr)?;
            return Ok(Expr::Unary(UnaryOp::Not, Box::new(inner)));
        }
        let expr = self.bool_pri()?;
        self.is_truth(expr)
    }

    /// `IS [NOT] TRUE | FALSE | UNKNOWN`, at most once.
    fn is_truth(&mut self, expr: Expr) -> Result<Expr> {
        if !self.is_kw("IS") {
            return Ok(expr);
        }
        self.bump();
        let not = self.eat_kw("NOT");
        let test = match self.eat_any(&["TRUE", "FALSE", "UNKNOWN"]) {
            Some("TRUE") => IsTest::True,
            Some("FALSE") => IsTest::False,
            Some(_) => IsTest::Unknown,
            None => return Err(self.unexpected()),
        };
        Ok(Expr::Is { expr: Box::new(expr), test, not })
    }

    fn bool_pri(&mut self) -> Result<Expr> {
        let mut left = self.predicate()?;
        loop {
            if self.are_kws(&["IS", "NULL"]) || self.are_kws(&["IS", "NOT", "NULL"]) {
                self.lean()?;
                self.bump();
                let not = self.eat_kw("NOT");
                self.bump();
                left = Expr::Is { expr: Box::new(left), test: IsTest::Null, not };
                continue;
            }
            let Some(op) = self.comparison() else { return Ok(left) };
            self.lean()?;
            if let Some(word) = self.quantifier() {
                self.expect_op(Op::LParen)?;
                let query = Box::new(self.inner_query()?);
                self.expect_op(Op::RParen)?;
                left = Expr::Quantified { op, all: word == "ALL", expr: Box::new(left), query };
                continue;
            }
            let right = self.predicate()?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
    }

    /// ANY, SOME or ALL before a subquery, eaten.
    fn quantifier(&mut self) -> Option<&'static str> {
        if self.peek_at(1).kind != Kind::Op(Op::LParen) {
            return None;
        }
        self.eat_any(&["ALL", "ANY", "SOME"])
    }

    fn comparison(&mut self) -> Option<BinaryOp> {
        let Kind::Op(op) = self.peek().kind else { return None };
        let op = match op {
            Op::Eq => BinaryOp::Eq,
            Op::NullSafeEq => BinaryOp::NullSafeEq,
            Op::Ne => BinaryOp::Ne,
            Op::Lt => BinaryOp::Lt,
            Op::Le => BinaryOp::Le,
            Op::Gt => BinaryOp::Gt,
            Op::Ge => BinaryOp::Ge,
            _ => return None,
        };
        self.bump();
        Some(op)
    }

    fn predicate(&mut self) -> Result<Expr> {
        let left = self.bit_expr(0)?;
        let not = self.is_kw("NOT")
            && ["IN", "BETWEEN", "LIKE", "REGEXP", "RLIKE"].iter().any(|k| self.is_kw_at(1, k));
        if not {
            self.bump();
        }
        let Some(word) = self.eat_any(&["IN", "BETWEEN", "LIKE", "REGEXP", "RLIKE", "MEMBER", "SOUNDS"])
        else {
            return Ok(left);
        };
        let expr = Box::new(left);
        match word {
            "IN" => {
                self.expect_op(Op::LParen)?;
                if self.at_query() {
                    let query = Box::new(self.inner_query()?);
                    self.expect_op(Op::RParen)?;
                    return Ok(Expr::InQuery { expr, query, not });
                }
                let list = self.list(Parser::expr)?;
                self.expect_op(Op::RParen)?;
                Ok(Expr::In { expr, list, not })
            }
            "BETWEEN" => {
                let low = Box::new(self.bit_expr(0)?);
                self.expect_kw("AND")?;
                let high = Box::new(self.nested(Self::predicate)?);
                Ok(Expr::Between { expr, low, high, not })
            }
            "LIKE" => {
                let pattern = Box::new(self.simple()?);
                let escape = if self.eat_kw("ESCAPE") { Some(Box::new(self.simple()?)) } else { None };
                Ok(Expr::Like { expr, pattern, escape, not })
            }
            "REGEXP" | "RLIKE" => {
                let pattern = Box::new(self.bit_expr(0)?);
                Ok(Expr::Regexp { expr, pattern, not })
            }
            "MEMBER" => self.member_of(*expr, not),
            _ => {
                self.expect_kw("LIKE")?;
                let other = self.bit_expr(0)?;
                let soundex = |e| Expr::Func { name: "soundex".into(), args: vec![e] };
                Ok(Expr::Binary(BinaryOp::Eq, Box::new(soundex(*expr)), Box::new(soundex(other))))
            }
        }
    }

    /// `value MEMBER OF (array)`, behind MEMBER.
    #[inline(never)]
    fn member_of(&mut self, value: Expr, not: bool) -> Result<Expr> {
        self.expect_kw("OF")?;
        self.expect_op(Op::LParen)?;
        let array = self.expr()?;
        self.expect_op(Op::RParen)?;
        let call = Expr::Func { name: "member of".into(), args: vec![value, array] };
        Ok(if not { Expr::Unary(UnaryOp::Not, Box::new(call)) } else { call })
    }

    /// Operators that bind at least as tightly as `min`.
    pub(super) fn bit_expr(&mut self, min: u8) -> Result<Expr> {
        let mut left = self.simple()?;
        loop {
            let Some((op, power)) = self.bit_operator() else { return Ok(left) };
            if power < min {
                return Ok(left);
            }
            self.bump();
            self.lean()?;
            if matches!(op, BinaryOp::Add | BinaryOp::Sub) && self.at_interval() {
                self.bump();
                let amount = Box::new(self.expr()?);
                let unit = self.unit()?;
                left = Expr::AddInterval { expr: Box::new(left), amount, unit, negate: op == BinaryOp::Sub };
                continue;
            }
            let right = self.bit_expr(power + 1)?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
    }

    /// INTERVAL as in date arithmetic, not the function INTERVAL(a, b, ...).
    pub(super) fn at_interval(&mut self) -> bool {
        if !self.is_kw("INTERVAL") {
            return false;
        }
        if self.peek_at(1).kind != Kind::Op(Op::LParen) {
            return true;
        }
        // `INTERVAL (expr) unit` against `INTERVAL(a, b)`: a comma at depth 1 decides.
        let (mut depth, mut ahead) = (0u32, 1);
        loop {
            match self.peek_at(ahead).kind {
                Kind::Op(Op::LParen) => depth += 1,
                Kind::Op(Op::RParen) if depth == 1 => return true,
                Kind::Op(Op::RParen) => depth -= 1,
                Kind::Op(Op::Comma) if depth == 1 => return false,
                Kind::End => return true,
                _ => {}
            }
            ahead += 1;
        }
    }

    /// The operator here and how tightly it binds.
    fn bit_operator(&self) -> Option<(BinaryOp, u8)> {
        use BinaryOp::*;
        let token = self.peek();
        Some(match token.kind {
            Kind::Op(Op::Pipe) => (BitOr, 1),
            Kind::Op(Op::Amp) => (BitAnd, 2),
            Kind::Op(Op::Shl) => (Shl, 3),
            Kind::Op(Op::Shr) => (Shr, 3),
            Kind::Op(Op::Plus) => (Add, 4),
            Kind::Op(Op::Minus) => (Sub, 4),
            Kind::Op(Op::Star) => (Mul, 5),
            Kind::Op(Op::Slash) => (Div, 5),
            Kind::Op(Op::Percent) => (Mod, 5),
            Kind::Word if self.token_is(token, "DIV") => (IntDiv, 5),
            Kind::Word if self.token_is(token, "MOD") => (Mod, 5),
            Kind::Op(Op::Caret) => (BitXor, 6),
            _ => return None,
        })
    }

    /// Simple expressions, their prefix operators, and COLLATE and `||` (as CONCAT) behind them.
    pub(super) fn simple(&mut self) -> Result<Expr> {
        let mut left = self.prefixed()?;
        loop {
            if self.mode.pipes_as_concat && self.eat_op(Op::OrOr) {
                self.lean()?;
                let right = self.prefixed()?;
                left = match left {
                    Expr::Func { name, mut args } if name == "concat" && args.len() < 64 => {
                        args.push(right);
                        Expr::Func { name, args }
                    }
                    left => Expr::Func { name: "concat".into(), args: vec![left, right] },
                };
            } else if self.eat_kw("COLLATE") {
                self.lean()?;
                let collation = if self.eat_kw("BINARY") {
                    "binary".to_owned()
                } else {
                    self.ident_or_text()?.to_lowercase()
                };
                left = Expr::Collate { expr: Box::new(left), collation };
            } else {
                return Ok(left);
            }
        }
    }

    fn prefixed(&mut self) -> Result<Expr> {
        let token = self.peek();
        let op = match token.kind {
            Kind::Op(Op::Minus) => UnaryOp::Neg,
            Kind::Op(Op::Plus) => UnaryOp::Plus,
            Kind::Op(Op::Tilde) => UnaryOp::BitNot,
            Kind::Op(Op::Bang) => {
                self.deprecate(
                    "'!' is deprecated and will be removed in a future release. Please use NOT instead",
                );
                UnaryOp::Not
            }
            Kind::Word if self.token_is(token, "NOT") && self.mode.high_not_precedence => UnaryOp::Not,
            Kind::Word if self.token_is(token, "BINARY") => {
                self.bump();
                self.deprecate(
                    "'BINARY expr' is deprecated and will be removed in a future release. Please use CAST instead",
                );
                let inner = Box::new(self.nested(Self::simple)?);
                return Ok(Expr::Cast { expr: inner, to: crate::ast::CastType::Binary { len: None } });
            }
            _ => return self.primary(),
        };
        self.bump();
        // COLLATE binds tighter than the prefix operators.
        let inner = self.nested(Self::simple)?;
        Ok(Expr::Unary(op, Box::new(inner)))
    }
}

fn chain(first: Expr, rest: Vec<Expr>, make: fn(Vec<Expr>) -> Expr) -> Expr {
    if rest.is_empty() {
        return first;
    }
    let mut all = Vec::with_capacity(rest.len() + 1);
    all.push(first);
    all.extend(rest);
    make(all)
}
