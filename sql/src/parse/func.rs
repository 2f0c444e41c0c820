//! Calls whose arguments have a grammar of their own: aggregates, CAST, TRIM, EXTRACT, date arithmetic. All others are plain lists.

use super::Parser;
use crate::ast::{AggKind, Aggregate, CastType, Expr, Literal, Unit};
use crate::error::{Result, unsupported};
use crate::lex::{Kind, Op, reserved::is_reserved};

/// Functions that may stand without parentheses.
pub(super) fn is_bare_function(upper: &[u8]) -> bool {
    matches!(
        upper,
        b"CURRENT_DATE"
            | b"CURRENT_TIME"
            | b"CURRENT_TIMESTAMP"
            | b"CURRENT_USER"
            | b"LOCALTIME"
            | b"LOCALTIMESTAMP"
            | b"UTC_DATE"
            | b"UTC_TIME"
            | b"UTC_TIMESTAMP"
    )
}

/// Reserved words that are functions before a parenthesis.
fn is_reserved_function(upper: &[u8]) -> bool {
    is_bare_function(upper)
        || matches!(
            upper,
            b"CHAR"
                | b"DATABASE"
                | b"SCHEMA"
                | b"IF"
                | b"INSERT"
                | b"INTERVAL"
                | b"LEFT"
                | b"MOD"
                | b"REPEAT"
                | b"REPLACE"
                | b"RIGHT"
                | b"VALUES"
                | b"DEFAULT"
                | b"CONVERT"
                | b"ROW"
                | b"MATCH"
                | b"GROUPING"
                | b"ROW_NUMBER"
                | b"RANK"
                | b"DENSE_RANK"
                | b"PERCENT_RANK"
                | b"CUME_DIST"
                | b"NTILE"
                | b"LAG"
                | b"LEAD"
                | b"FIRST_VALUE"
                | b"LAST_VALUE"
                | b"NTH_VALUE"
        )
}

fn aggregate_kind(upper: &[u8]) -> Option<AggKind> {
    use AggKind::*;
    Some(match upper {
        b"COUNT" => Count,
        b"SUM" => Sum,
        b"AVG" => Avg,
        b"MIN" => Min,
        b"MAX" => Max,
        b"BIT_AND" => BitAnd,
        b"BIT_OR" => BitOr,
        b"BIT_XOR" => BitXor,
        b"STD" | b"STDDEV" | b"STDDEV_POP" => StddevPop,
        b"STDDEV_SAMP" => StddevSamp,
        b"VARIANCE" | b"VAR_POP" => VarPop,
        b"VAR_SAMP" => VarSamp,
        b"GROUP_CONCAT" => GroupConcat,
        b"ANY_VALUE" => AnyValue,
        b"JSON_ARRAYAGG" => JsonArray,
        b"JSON_OBJECTAGG" => JsonObject,
        _ => return None,
    })
}

impl Parser<'_> {
    /// The call here; `None` when the word turns out to be no function.
    pub(super) fn call(&mut self, upper: &[u8]) -> Result<Option<Expr>> {
        let bare = self.peek_at(1).kind != Kind::Op(Op::LParen);
        if is_reserved(upper) && !is_reserved_function(upper) {
            return Ok(None);
        }
        let name = self.text_of(self.peek())?;
        self.bump();
        if bare {
            return Ok(Some(Expr::Func { name, args: Vec::new() }));
        }
        self.bump(); // (
        let call = self.nested(|p| p.call_arguments(upper, name))?;
        self.over(call).map(Some)
    }

    /// Everything behind `name(`, the closing parenthesis included.
    fn call_arguments(&mut self, upper: &[u8], name: String) -> Result<Expr> {
        if let Some(kind) = aggregate_kind(upper) {
            return self.aggregate(kind);
        }
        let call = match upper {
            b"CAST" => {
                let expr = Box::new(self.expr()?);
                if self.is_kw("AT") {
                    return Err(unsupported("AT TIME ZONE"));
                }
                self.expect_kw("AS")?;
                Expr::Cast { expr, to: self.cast_type()? }
            }
            b"CONVERT" => {
                let expr = Box::new(self.expr()?);
                if self.eat_kw("USING") {
                    Expr::Using { expr, charset: self.charset_name()? }
                } else {
                    self.expect_op(Op::Comma)?;
                    Expr::Cast { expr, to: self.cast_type()? }
                }
            }
            b"EXTRACT" => {
                let unit = self.unit()?;
                self.expect_kw("FROM")?;
                Expr::Extract { unit, expr: Box::new(self.expr()?) }
            }
            b"DATE_ADD" | b"DATE_SUB" | b"ADDDATE" | b"SUBDATE" => self.date_arithmetic(upper)?,
            b"TIMESTAMPADD" | b"TIMESTAMPDIFF" => self.timestamp_arithmetic(upper)?,
            b"TRIM" => self.trim()?,
            b"SUBSTRING" | b"SUBSTR" | b"MID" => self.substring()?,
            b"POSITION" => {
                let needle = self.bit_expr(0)?;
                self.expect_kw("IN")?;
                let hay = self.expr()?;
                Expr::Func { name: "locate".into(), args: vec![needle, hay] }
            }
            b"CHAR" => {
                let args = self.list(Parser::expr)?;
                let char_call = Expr::Func { name: "char".into(), args };
                if self.eat_kw("USING") {
                    Expr::Using { expr: Box::new(char_call), charset: self.charset_name()? }
                } else {
                    char_call
                }
            }
            b"VALUES" => {
                self.deprecate(
                    "'VALUES function' is deprecated and will be removed in a future release. Please use an alias (INSERT INTO ... VALUES (...) AS alias) and replace VALUES(col) in the ON DUPLICATE KEY UPDATE clause with alias.col instead",
                );
                Expr::Values(self.column_name()?)
            }
            b"DEFAULT" => Expr::Default(self.column_name()?),
            b"ROW" => Expr::Row(self.list(Parser::expr)?),
            b"MATCH" => return Err(unsupported("FULLTEXT search")),
            b"GROUPING" => Expr::Grouping(self.list(Parser::expr)?),
            b"WEIGHT_STRING" => self.weight_string(name)?,
            b"GET_FORMAT" => self.get_format(name)?,
            _ => {
                if upper == b"FOUND_ROWS" {
                    self.deprecate(
                        "FOUND_ROWS() is deprecated and will be removed in a future release. Consider using COUNT(*) instead.",
                    );
                }
                let args = if self.is_op(Op::RParen) { Vec::new() } else { self.list(Parser::expr)? };
                Expr::Func { name, args }
            }
        };
        self.expect_op(Op::RParen)?;
        Ok(call)
    }

    fn aggregate(&mut self, kind: AggKind) -> Result<Expr> {
        let distinct = self.eat_kw("DISTINCT");
        if !distinct {
            self.eat_kw("ALL");
        }
        let mut out = Aggregate { kind, distinct, args: Vec::new(), order_by: Vec::new(), separator: None };
        if kind == AggKind::Count && !distinct && self.eat_op(Op::Star) {
            self.expect_op(Op::RParen)?;
            return Ok(Expr::Aggregate(Box::new(out)));
        }
        out.args = self.list(Parser::expr)?;
        let many = kind == AggKind::GroupConcat || (kind == AggKind::Count && distinct);
        let pair = kind == AggKind::JsonObject;
        if (out.args.len() > 1 && !many && !pair) || (pair && out.args.len() != 2) {
            return Err(self.unexpected());
        }
        if kind == AggKind::GroupConcat {
            if self.eat_kws(&["ORDER", "BY"]) {
                out.order_by = self.list(Parser::order_item)?;
            }
            if self.eat_kw("SEPARATOR") {
                out.separator = Some(self.string()?);
            }
        }
        self.expect_op(Op::RParen)?;
        Ok(Expr::Aggregate(Box::new(out)))
    }

    fn date_arithmetic(&mut self, upper: &[u8]) -> Result<Expr> {
        let expr = Box::new(self.expr()?);
        self.expect_op(Op::Comma)?;
        let negate = matches!(upper, b"DATE_SUB" | b"SUBDATE");
        if self.at_interval() {
            self.bump();
            let amount = Box::new(self.expr()?);
            let unit = self.unit()?;
            return Ok(Expr::AddInterval { expr, amount, unit, negate });
        }
        if matches!(upper, b"DATE_ADD" | b"DATE_SUB") {
            return Err(self.unexpected());
        }
        let amount = Box::new(self.expr()?);
        Ok(Expr::AddInterval { expr, amount, unit: Unit::Day, negate })
    }

    fn timestamp_arithmetic(&mut self, upper: &[u8]) -> Result<Expr> {
        let unit = self.timestamp_unit()?;
        self.expect_op(Op::Comma)?;
        let first = Box::new(self.expr()?);
        self.expect_op(Op::Comma)?;
        let second = Box::new(self.expr()?);
        if upper == b"TIMESTAMPADD" {
            return Ok(Expr::AddInterval { expr: second, amount: first, unit, negate: false });
        }
        Ok(Expr::TimestampDiff { unit, from: first, to: second })
    }

    /// `TRIM([LEADING|TRAILING|BOTH] [what] FROM text)`: ltrim, rtrim or trim with one or two arguments.
    fn trim(&mut self) -> Result<Expr> {
        let side = self.eat_any(&["LEADING", "TRAILING", "BOTH"]);
        let name = match side {
            Some("LEADING") => "ltrim",
            Some("TRAILING") => "rtrim",
            _ => "trim",
        };
        let name = name.to_owned();
        if side.is_some() && self.eat_kw("FROM") {
            return Ok(Expr::Func { name, args: vec![self.expr()?] });
        }
        let first = self.expr()?;
        if self.eat_kw("FROM") {
            return Ok(Expr::Func { name, args: vec![self.expr()?, first] });
        }
        if side.is_some() {
            return Err(self.unexpected());
        }
        Ok(Expr::Func { name, args: vec![first] })
    }

    /// `WEIGHT_STRING(text [AS CHAR(n) | AS BINARY(n)])`
    fn weight_string(&mut self, name: String) -> Result<Expr> {
        let mut args = vec![self.expr()?];
        if self.eat_kw("AS") {
            let binary = match self.eat_any(&["CHAR", "BINARY"]) {
                Some(word) => word == "BINARY",
                None => return Err(self.unexpected()),
            };
            self.expect_op(Op::LParen)?;
            args.push(Expr::Literal(Literal::Int(self.uint()?)));
            self.expect_op(Op::RParen)?;
            args.push(Expr::Literal(Literal::Bool(binary)));
        }
        Ok(Expr::Func { name, args })
    }

    /// `GET_FORMAT(DATE, 'USA')`
    fn get_format(&mut self, name: String) -> Result<Expr> {
        let Some(kind) = self.eat_any(&["DATE", "TIME", "DATETIME", "TIMESTAMP"]) else {
            return Err(self.unexpected());
        };
        self.expect_op(Op::Comma)?;
        let kind = Literal::Str { bytes: kind.as_bytes().to_vec(), charset: None };
        Ok(Expr::Func { name, args: vec![Expr::Literal(kind), self.expr()?] })
    }

    fn substring(&mut self) -> Result<Expr> {
        let mut args = vec![self.expr()?];
        if self.eat_kw("FROM") {
            args.push(self.expr()?);
            if self.eat_kw("FOR") {
                args.push(self.expr()?);
            }
        } else {
            self.expect_op(Op::Comma)?;
            args.push(self.expr()?);
            if self.eat_op(Op::Comma) {
                args.push(self.expr()?);
            }
        }
        Ok(Expr::Func { name: "substring".into(), args })
    }

    pub(super) fn unit(&mut self) -> Result<Unit> {
        use Unit::*;
        const UNITS: &[(&str, Unit)] = &[
            ("MICROSECOND", Microsecond),
            ("SECOND", Second),
            ("MINUTE", Minute),
            ("HOUR", Hour),
            ("DAY", Day),
            ("WEEK", Week),
            ("MONTH", Month),
            ("QUARTER", Quarter),
            ("YEAR", Year),
            ("SECOND_MICROSECOND", SecondMicrosecond),
            ("MINUTE_MICROSECOND", MinuteMicrosecond),
            ("MINUTE_SECOND", MinuteSecond),
            ("HOUR_MICROSECOND", HourMicrosecond),
            ("HOUR_SECOND", HourSecond),
            ("HOUR_MINUTE", HourMinute),
            ("DAY_MICROSECOND", DayMicrosecond),
            ("DAY_SECOND", DaySecond),
            ("DAY_MINUTE", DayMinute),
            ("DAY_HOUR", DayHour),
            ("YEAR_MONTH", YearMonth),
        ];
        match UNITS.iter().find(|(word, _)| self.is_kw(word)) {
            Some((_, unit)) => {
                self.bump();
                Ok(*unit)
            }
            None => Err(self.unexpected()),
        }
    }

    /// TIMESTAMPADD and TIMESTAMPDIFF: simple units, also as SQL_TSI_DAY.
    fn timestamp_unit(&mut self) -> Result<Unit> {
        use Unit::*;
        const TSI: &[(&str, Unit)] = &[
            ("SQL_TSI_SECOND", Second),
            ("SQL_TSI_MINUTE", Minute),
            ("SQL_TSI_HOUR", Hour),
            ("SQL_TSI_DAY", Day),
            ("SQL_TSI_WEEK", Week),
            ("SQL_TSI_MONTH", Month),
            ("SQL_TSI_QUARTER", Quarter),
            ("SQL_TSI_YEAR", Year),
        ];
        if let Some((_, unit)) = TSI.iter().find(|(word, _)| self.is_kw(word)) {
            self.bump();
            return Ok(*unit);
        }
        let here = self.pos;
        let unit = self.unit()?;
        if matches!(unit, Microsecond | Second | Minute | Hour | Day | Week | Month | Quarter | Year) {
            return Ok(unit);
        }
        self.pos = here;
        Err(self.unexpected())
    }

    fn cast_type(&mut self) -> Result<CastType> {
        if self.eat_kw("SIGNED") {
            let _ = self.eat_kw("INTEGER") || self.eat_kw("INT");
            return Ok(CastType::Signed);
        }
        if self.eat_kw("UNSIGNED") {
            let _ = self.eat_kw("INTEGER") || self.eat_kw("INT");
            return Ok(CastType::Unsigned);
        }
        if self.eat_kw("BINARY") {
            return Ok(CastType::Binary { len: self.cast_length()? });
        }
        if self.eat_kw("CHAR") || self.eat_kw("CHARACTER") {
            let len = self.cast_length()?;
            let charset = if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kw("CHARSET") {
                Some(self.charset_name()?)
            } else {
                None
            };
            return Ok(CastType::Char { len, charset });
        }
        if self.eat_kw("NCHAR") {
            return Ok(CastType::Char { len: self.cast_length()?, charset: None });
        }
        if self.eat_kw("DECIMAL") || self.eat_kw("DEC") {
            return self.cast_decimal();
        }
        let word = self.eat_any(&["DATETIME", "DATE", "TIME", "FLOAT", "DOUBLE", "REAL", "YEAR", "JSON"]);
        Ok(match word {
            Some("DATE") => CastType::Date,
            Some("TIME") => CastType::Time { fsp: self.fsp()? },
            Some("DATETIME") => CastType::DateTime { fsp: self.fsp()? },
            Some("YEAR") => CastType::Year,
            Some("FLOAT") => match self.cast_length()? {
                Some(25..) => CastType::Double,
                _ => CastType::Float,
            },
            Some("DOUBLE") => {
                self.eat_kw("PRECISION");
                CastType::Double
            }
            Some("REAL") => CastType::Double,
            Some(_) => CastType::Json,
            None => return Err(self.unexpected()),
        })
    }

    fn cast_length(&mut self) -> Result<Option<u32>> {
        if !self.is_op(Op::LParen) {
            return Ok(None);
        }
        let len = self.parens(Parser::uint)?;
        Ok(Some(u32::try_from(len).unwrap_or(u32::MAX)))
    }

    fn cast_decimal(&mut self) -> Result<CastType> {
        let (mut precision, mut scale) = (10, 0);
        if self.eat_op(Op::LParen) {
            precision = self.uint()?;
            if self.eat_op(Op::Comma) {
                scale = self.uint()?;
            }
            self.expect_op(Op::RParen)?;
        }
        let precision = if precision == 0 { 10 } else { precision };
        super::column::check_decimal(precision, scale, "")?;
        Ok(CastType::Decimal { precision: precision as u8, scale: scale as u8 })
    }

    /// `(n)` with n <= 6, or nothing.
    pub(super) fn fsp(&mut self) -> Result<u8> {
        if !self.is_op(Op::LParen) {
            return Ok(0);
        }
        let fsp = self.parens(Parser::uint)?;
        super::column::check_fsp(fsp, "")
    }

    /// A character set's name.
    pub(super) fn charset_name(&mut self) -> Result<String> {
        if self.eat_kw("BINARY") {
            return Ok("binary".into());
        }
        if self.eat_kw("ASCII") {
            return Ok("ascii".into());
        }
        let name = self.ident_or_text()?.to_lowercase();
        match name.as_str() {
            "utf8" => self.deprecated.push((
                3719,
                "'utf8' is currently an alias for the character set UTF8MB3, but will be an alias for UTF8MB4 in a future release. Please consider using UTF8MB4 in order to be unambiguous.",
            )),
            "utf8mb3" => self.deprecate(
                "'utf8mb3' is deprecated and will be removed in a future release. Please use utf8mb4 instead",
            ),
            _ => {}
        }
        Ok(name)
    }
}
