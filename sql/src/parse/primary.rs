//! Simple expressions: literals, names, variables, parentheses, CASE. Calls are in `func.rs`.

use super::{Parser, invalid_utf8};
use crate::ast::{ColumnName, Expr, Literal, VarScope};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op, reserved::is_reserved, unquote};

/// Warning 3720 of N'..'.
const NATIONAL: &str = "NATIONAL/NCHAR/NVARCHAR implies the character set UTF8MB3, which will be replaced by UTF8MB4 in a future release. Please consider using CHAR(x) CHARACTER SET UTF8MB4 in order to be unambiguous.";

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr> {
        let token = self.peek();
        match token.kind {
            Kind::Int | Kind::Decimal | Kind::Float => self.number(),
            Kind::NationalStr => {
                self.deprecated.push((3720, NATIONAL));
                self.string_literal(None)
            }
            Kind::Str => self.string_literal(None),
            Kind::Hex | Kind::Bit => self.hex_or_bit(None),
            Kind::Introducer => {
                self.bump();
                let charset = String::from_utf8_lossy(self.slice(token)).to_lowercase();
                match self.peek().kind {
                    Kind::Str => self.string_literal(Some(charset)),
                    Kind::Hex | Kind::Bit => self.hex_or_bit(Some(charset)),
                    _ => Err(self.unexpected()),
                }
            }
            Kind::Param => {
                self.bump();
                let n = self.params;
                self.params = n.checked_add(1).ok_or_else(|| {
                    SqlError::new(1390, "Prepared statement contains too many placeholders")
                })?;
                Ok(Expr::Param(n))
            }
            Kind::At => self.user_variable(),
            Kind::AtAt => self.system_variable(),
            Kind::Op(Op::LParen) => self.parenthesised(),
            Kind::Op(Op::LBrace) => self.odbc_escape(),
            Kind::Quoted => self.column(),
            Kind::Word => self.word_expr(),
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self) -> Result<Expr> {
        let token = self.bump();
        let text = std::str::from_utf8(self.slice(token)).expect("invariant: number tokens are ASCII");
        Ok(Expr::Literal(match token.kind {
            Kind::Int => match text.parse() {
                Ok(value) => Literal::Int(value),
                Err(_) => Literal::Decimal(text.to_owned()),
            },
            Kind::Decimal => Literal::Decimal(text.to_owned()),
            _ => {
                let value: f64 = text.parse().map_err(|_| SqlError::new(1367, illegal_double(text)))?;
                if value.is_infinite() {
                    return Err(SqlError::new(1367, illegal_double(text)));
                }
                Literal::Float(value, text.into())
            }
        }))
    }

    /// One or more quoted strings in a row make one literal.
    fn string_literal(&mut self, charset: Option<String>) -> Result<Expr> {
        let mut bytes = self.string()?;
        while self.peek().kind == Kind::Str {
            bytes.extend(self.string()?);
        }
        if charset.as_deref() != Some("binary") && std::str::from_utf8(&bytes).is_err() && charset.is_some() {
            return Err(invalid_utf8(&bytes));
        }
        Ok(Expr::Literal(Literal::Str { bytes, charset }))
    }

    fn hex_or_bit(&mut self, charset: Option<String>) -> Result<Expr> {
        let token = self.bump();
        let digits = self.slice(token);
        let (base, per_byte) = if token.kind == Kind::Hex { (4u32, 2) } else { (1u32, 8) };
        let bytes = digits
            .rchunks(per_byte)
            .rev()
            .map(|chunk| chunk.iter().fold(0u8, |v, d| (v << base) | hex_value(*d)))
            .collect();
        Ok(Expr::Literal(Literal::Hex { bytes, charset, bits: token.kind == Kind::Bit }))
    }

    fn parenthesised(&mut self) -> Result<Expr> {
        self.bump();
        if self.at_query() {
            let query = Box::new(self.inner_query()?);
            self.expect_op(Op::RParen)?;
            return Ok(Expr::Subquery(query));
        }
        let mut items = self.list(Parser::expr)?;
        self.expect_op(Op::RParen)?;
        if items.len() == 1 {
            return Ok(items.pop().expect("invariant: one item"));
        }
        Ok(Expr::Row(items))
    }

    /// `{d '2020-01-01'}` and the like.
    fn odbc_escape(&mut self) -> Result<Expr> {
        self.bump();
        let kind = self.ident()?.to_lowercase();
        let inner = self.expr()?;
        self.expect_op(Op::RBrace)?;
        match (kind.as_str(), inner) {
            ("d", Expr::Literal(Literal::Str { bytes, .. })) => {
                Ok(Expr::Literal(Literal::Date(utf8(bytes)?)))
            }
            ("t", Expr::Literal(Literal::Str { bytes, .. })) => {
                Ok(Expr::Literal(Literal::Time(utf8(bytes)?)))
            }
            ("ts", Expr::Literal(Literal::Str { bytes, .. })) => {
                Ok(Expr::Literal(Literal::Timestamp(utf8(bytes)?)))
            }
            (_, inner) => Ok(inner),
        }
    }

    /// The name behind `@`: a word with dots, or quoted.
    pub(super) fn user_variable_name(&mut self) -> Result<String> {
        let at = self.bump();
        let token = self.peek();
        if token.at != at.after || !matches!(token.kind, Kind::Word | Kind::Quoted | Kind::Str | Kind::Int) {
            return Ok(String::new()); // `@` alone is a variable with an empty name
        }
        self.bump();
        let mut name = self.text_of(token)?;
        let mut after = token.after;
        while token.kind == Kind::Word && self.is_op(Op::Dot) && self.peek().at == after {
            self.bump();
            name.push('.');
            let part = self.peek();
            if matches!(part.kind, Kind::Word | Kind::Int) && part.at == after + 1 {
                self.bump();
                name.push_str(&self.text_of(part)?);
                after = part.after;
            }
        }
        Ok(name)
    }

    fn user_variable(&mut self) -> Result<Expr> {
        let name = self.user_variable_name()?;
        if self.eat_op(Op::Assign) {
            self.deprecate(
                "Setting user variables within expressions is deprecated and will be removed in a future release. Consider alternatives: 'SET variable=expression, ...', or 'SELECT expression(s) INTO variables(s)'.",
            );
            let value = self.expr()?;
            return Ok(Expr::Assign(name, Box::new(value)));
        }
        Ok(Expr::UserVar(name))
    }

    fn system_variable(&mut self) -> Result<Expr> {
        self.bump();
        let first = self.ident_after_dot()?;
        let scope = match first.to_ascii_lowercase().as_str() {
            "global" if self.is_op(Op::Dot) => VarScope::Global,
            "persist" if self.is_op(Op::Dot) => VarScope::Persist,
            "persist_only" if self.is_op(Op::Dot) => VarScope::PersistOnly,
            "session" | "local" if self.is_op(Op::Dot) => VarScope::Session,
            _ if self.is_op(Op::Dot) => return Err(unsupported("structured system variables")),
            _ => return Ok(Expr::SysVar { scope: VarScope::Default, name: first.to_ascii_lowercase() }),
        };
        self.bump();
        let name = self.ident_after_dot()?.to_ascii_lowercase();
        Ok(Expr::SysVar { scope, name })
    }

    pub(super) fn column_name(&mut self) -> Result<ColumnName> {
        let first = self.ident()?;
        if !self.eat_op(Op::Dot) {
            return Ok(ColumnName { schema: None, table: None, name: first });
        }
        let second = self.ident_after_dot()?;
        if !self.eat_op(Op::Dot) {
            return Ok(ColumnName { schema: None, table: Some(first), name: second });
        }
        let name = self.ident_after_dot()?;
        Ok(ColumnName { schema: Some(first), table: Some(second), name })
    }

    /// `column->path` is JSON_EXTRACT(column, path); `->>` unquotes it.
    #[inline(never)]
    fn document_part(&mut self, column: ColumnName) -> Result<Expr> {
        let unquoted = self.bump().kind == Kind::Op(Op::LongArrow);
        if !matches!(self.peek().kind, Kind::Str) {
            return Err(self.unexpected());
        }
        let path = self.string_literal(None)?;
        let part = Expr::Func { name: "json_extract".into(), args: vec![Expr::Column(column), path] };
        Ok(match unquoted {
            true => Expr::Func { name: "json_unquote".into(), args: vec![part] },
            false => part,
        })
    }

    fn column(&mut self) -> Result<Expr> {
        let name = self.column_name()?;
        if self.is_op(Op::Arrow) || self.is_op(Op::LongArrow) {
            return self.document_part(name);
        }
        if self.is_op(Op::LParen) {
            return Err(unsupported("stored functions"));
        }
        Ok(Expr::Column(name))
    }

    fn word_expr(&mut self) -> Result<Expr> {
        let token = self.peek();
        let next = self.peek_at(1);
        let quoted_next = next.kind == Kind::Str;
        let mut upper = self.slice(token).to_vec();
        upper.make_ascii_uppercase();
        match upper.as_slice() {
            b"NULL" => return Ok(self.constant(Literal::Null)),
            b"TRUE" => return Ok(self.constant(Literal::Bool(true))),
            b"FALSE" => return Ok(self.constant(Literal::Bool(false))),
            b"CASE" => return self.case(),
            b"EXISTS" => {
                self.bump();
                return Ok(Expr::Exists(Box::new(self.parens(Parser::inner_query)?)));
            }
            b"DATE" if quoted_next => return self.temporal(Literal::Date),
            b"TIME" if quoted_next => return self.temporal(Literal::Time),
            b"TIMESTAMP" if quoted_next => return self.temporal(Literal::Timestamp),
            b"INTERVAL" if self.at_interval() => {
                self.bump();
                let amount = Box::new(self.expr()?);
                let unit = self.unit()?;
                self.expect_op(Op::Plus)?;
                let expr = Box::new(self.bit_expr(5)?);
                return Ok(Expr::AddInterval { expr, amount, unit, negate: false });
            }
            _ => {}
        }
        if (next.kind == Kind::Op(Op::LParen) || super::func::is_bare_function(&upper))
            && let Some(call) = self.call(&upper)?
        {
            return Ok(call);
        }
        if is_reserved(&upper) {
            return Err(self.unexpected());
        }
        self.column()
    }

    fn constant(&mut self, literal: Literal) -> Expr {
        self.bump();
        Expr::Literal(literal)
    }

    fn temporal(&mut self, make: fn(String) -> Literal) -> Result<Expr> {
        self.bump();
        let token = self.bump();
        Ok(Expr::Literal(make(utf8(unquote(self.text, &token, self.mode))?)))
    }

    fn case(&mut self) -> Result<Expr> {
        self.bump();
        let operand = if self.is_kw("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut whens = Vec::new();
        while self.eat_kw("WHEN") {
            let when = self.expr()?;
            self.expect_kw("THEN")?;
            whens.push((when, self.expr()?));
        }
        if whens.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.eat_kw("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.expect_kw("END")?;
        Ok(Expr::Case { operand, whens, otherwise })
    }
}

fn hex_value(digit: u8) -> u8 {
    (digit as char).to_digit(16).expect("invariant: the lexer checked the digits") as u8
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| invalid_utf8(e.as_bytes()))
}

fn illegal_double(text: &str) -> String {
    format!("Illegal double '{text}' value found during parsing")
}
