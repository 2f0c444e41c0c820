//! Column types and column definitions.

use super::{Parser, invalid_utf8};
use crate::ast::{BaseType, ColumnDef, ColumnDefault, DataType, Expr, Literal, UnaryOp};
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op};

use BaseType::*;

/// Type words and what they mean; longer phrases first.
const TYPES: &[(&[&str], BaseType)] = &[
    (&["DOUBLE", "PRECISION"], Double),
    (&["LONG", "VARCHAR"], MediumText),
    (&["LONG", "VARBINARY"], MediumBlob),
    (&["CHARACTER", "VARYING"], VarChar),
    (&["CHAR", "VARYING"], VarChar),
    (&["NATIONAL", "VARCHAR"], VarChar),
    (&["NATIONAL", "CHARACTER"], Char),
    (&["NATIONAL", "CHAR"], Char),
    (&["NVARCHAR"], VarChar),
    (&["NCHAR"], Char),
    (&["TINYINT"], TinyInt),
    (&["INT1"], TinyInt),
    (&["SMALLINT"], SmallInt),
    (&["INT2"], SmallInt),
    (&["MEDIUMINT"], MediumInt),
    (&["MIDDLEINT"], MediumInt),
    (&["INT3"], MediumInt),
    (&["INTEGER"], Int),
    (&["INT"], Int),
    (&["INT4"], Int),
    (&["BIGINT"], BigInt),
    (&["INT8"], BigInt),
    (&["DECIMAL"], Decimal),
    (&["DEC"], Decimal),
    (&["NUMERIC"], Decimal),
    (&["FIXED"], Decimal),
    (&["FLOAT"], Float),
    (&["FLOAT4"], Float),
    (&["FLOAT8"], Double),
    (&["DOUBLE"], Double),
    (&["REAL"], Double),
    (&["CHARACTER"], Char),
    (&["CHAR"], Char),
    (&["VARCHARACTER"], VarChar),
    (&["VARCHAR"], VarChar),
    (&["TINYTEXT"], TinyText),
    (&["TEXT"], Text),
    (&["MEDIUMTEXT"], MediumText),
    (&["LONGTEXT"], LongText),
    (&["LONG"], MediumText),
    (&["BINARY"], Binary),
    (&["VARBINARY"], VarBinary),
    (&["TINYBLOB"], TinyBlob),
    (&["BLOB"], Blob),
    (&["MEDIUMBLOB"], MediumBlob),
    (&["LONGBLOB"], LongBlob),
    (&["DATETIME"], DateTime),
    (&["DATE"], Date),
    (&["TIMESTAMP"], Timestamp),
    (&["TIME"], Time),
    (&["YEAR"], Year),
    (&["BIT"], Bit),
    (&["JSON"], Json),
    (&["ENUM"], Enum),
    (&["SET"], Set),
];

/// Types that MySQL has and this server has not.
const OTHER_TYPES: &[&str] = &[
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
    "GEOMCOLLECTION",
    "VECTOR",
];

impl Parser<'_> {
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        let mut out = DataType {
            base: Int,
            len: None,
            dec: None,
            unsigned: false,
            zerofill: false,
            charset: None,
            collation: None,
            binary: false,
            words: Vec::new(),
        };
        if self.eat_kw("SERIAL") {
            return Err(unsupported("SERIAL"));
        }
        if self.eat_kw("BOOL") || self.eat_kw("BOOLEAN") {
            return Ok(DataType { base: TinyInt, len: Some(1), ..out });
        }
        let Some((words, base)) = TYPES.iter().find(|(words, _)| self.are_kws(words)) else {
            return Err(match OTHER_TYPES.iter().find(|t| self.is_kw(t)) {
                Some(name) => unsupported(format_args!("{name} columns")),
                None => self.unexpected(),
            });
        };
        words.iter().for_each(|_| {
            self.bump();
        });
        out.base = *base;
        if matches!(words[0], "NATIONAL" | "NCHAR" | "NVARCHAR") {
            self.eat_kw("VARYING").then(|| out.base = VarChar);
            out.charset = Some("utf8mb3".into());
        }
        self.type_numbers(&mut out)?;
        self.type_attributes(&mut out)?;
        Ok(out)
    }

    fn type_numbers(&mut self, out: &mut DataType) -> Result<()> {
        if matches!(out.base, Enum | Set) {
            return self.type_words(out);
        }
        let takes = !matches!(
            out.base,
            Date | TinyText | MediumText | LongText | TinyBlob | MediumBlob | LongBlob | Json
        );
        if takes && self.eat_op(Op::LParen) {
            out.len = Some(self.uint()?);
            if matches!(out.base, Decimal | Float | Double) && self.eat_op(Op::Comma) {
                out.dec = Some(self.uint()?);
            }
            self.expect_op(Op::RParen)?;
        }
        if out.len.is_none() && matches!(out.base, VarChar | VarBinary) {
            return Err(self.unexpected());
        }
        Ok(())
    }

    /// `('a', 'b', ...)`; trailing spaces of words are not kept.
    fn type_words(&mut self, out: &mut DataType) -> Result<()> {
        self.expect_op(Op::LParen)?;
        for word in self.list(Parser::string)? {
            let word = String::from_utf8(word).map_err(|e| invalid_utf8(e.as_bytes()))?;
            out.words.push(word.trim_end_matches(' ').to_owned());
        }
        self.expect_op(Op::RParen)
    }

    fn type_attributes(&mut self, out: &mut DataType) -> Result<()> {
        let number = matches!(
            out.base,
            TinyInt | SmallInt | MediumInt | BaseType::Int | BigInt | Decimal | Float | Double
        );
        while number && self.peek().kind == Kind::Word {
            match self.eat_any(&["UNSIGNED", "ZEROFILL", "SIGNED"]) {
                Some("UNSIGNED") => out.unsigned = true,
                Some("ZEROFILL") => return Err(unsupported("ZEROFILL")),
                Some(_) => {}
                None => break,
            }
        }
        while matches!(out.base, Char | VarChar | TinyText | Text | MediumText | LongText | Enum | Set) {
            if self.eat_kws(&["CHARACTER", "SET"]) || self.eat_kws(&["CHAR", "SET"]) || self.eat_kw("CHARSET")
            {
                out.charset = Some(self.charset_name()?);
            } else if self.eat_kw("BINARY") {
                self.deprecate(
                    "'BINARY as attribute of a type' is deprecated and will be removed in a future release. Please use a CHARACTER SET clause with _bin collation instead",
                );
                out.binary = true;
            } else if self.eat_kw("ASCII") {
                out.charset = Some("latin1".into());
            } else if self.is_kw("UNICODE") || self.is_kw("BYTE") {
                return Err(unsupported("UNICODE and BYTE attributes"));
            } else {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn column_def(&mut self) -> Result<ColumnDef> {
        let name = self.ident()?;
        let data_type = self.data_type()?;
        let mut out = ColumnDef {
            name,
            data_type,
            nullable: None,
            default: None,
            on_update: None,
            auto_increment: false,
            primary: false,
            unique: false,
            comment: String::new(),
            generated: None,
            checks: Vec::new(),
        };
        if self.eat_kw("COLLATE") {
            out.data_type.collation = Some(self.collation_name()?);
        }
        out.generated = self.generated()?;
        while self.column_attribute(&mut out)? {}
        Ok(out)
    }

    /// One attribute; false when none stands here.
    fn column_attribute(&mut self, out: &mut ColumnDef) -> Result<bool> {
        let plain = out.generated.is_none();
        if self.is_kw("CHECK") {
            let check = self.check_clause(None, Some(out.name.clone()))?;
            out.checks.push(check);
        } else if self.eat_kw("CONSTRAINT") {
            let name = if self.is_kw("CHECK") { None } else { Some(self.ident()?) };
            let check = self.check_clause(name, Some(out.name.clone()))?;
            out.checks.push(check);
        } else if !plain && (self.is_kw("DEFAULT") || self.is_kw("AUTO_INCREMENT") || self.is_kw("ON")) {
            let clause = self.eat_any(&["DEFAULT", "AUTO_INCREMENT"]).unwrap_or("ON UPDATE");
            return Err(SqlError::new(1221, format!("Incorrect usage of {clause} and generated column")));
        } else if self.eat_kws(&["NOT", "NULL"]) {
            out.nullable = Some(false);
        } else if self.eat_kw("NULL") {
            out.nullable = Some(true);
        } else if self.eat_kw("DEFAULT") {
            out.default = Some(self.column_default()?);
        } else if self.eat_kws(&["ON", "UPDATE"]) {
            match self.now_clause()? {
                Some(fsp) => out.on_update = Some(fsp),
                None => return Err(self.unexpected()),
            }
        } else if self.eat_kw("AUTO_INCREMENT") {
            out.auto_increment = true;
        } else if self.eat_kws(&["UNIQUE", "KEY"]) || self.eat_kw("UNIQUE") {
            out.unique = true;
        } else if self.eat_kws(&["PRIMARY", "KEY"]) || self.eat_kw("KEY") {
            out.primary = true;
        } else if self.eat_kw("COMMENT") {
            out.comment = self.utf8_string()?;
        } else if self.eat_kw("COLLATE") {
            out.data_type.collation = Some(self.collation_name()?);
        } else {
            return self.refuse_attribute();
        }
        Ok(true)
    }

    fn refuse_attribute(&self) -> Result<bool> {
        const REFUSED: &[(&str, &str)] = &[
            ("REFERENCES", "FOREIGN KEY"),
            ("COLUMN_FORMAT", "COLUMN_FORMAT"),
            ("STORAGE", "STORAGE"),
            ("SRID", "spatial columns"),
            ("VISIBLE", "column visibility"),
            ("INVISIBLE", "column visibility"),
            ("ENGINE_ATTRIBUTE", "ENGINE_ATTRIBUTE"),
            ("SECONDARY_ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"),
        ];
        match REFUSED.iter().find(|(word, _)| self.is_kw(word)) {
            Some((_, construct)) => Err(unsupported(construct)),
            None => Ok(false),
        }
    }

    pub(super) fn collation_name(&mut self) -> Result<String> {
        if self.eat_kw("BINARY") {
            return Ok("binary".into());
        }
        let name = self.ident_or_text()?.to_lowercase();
        if let Some(warning) = crate::lex::reserved::deprecated_collation(&name) {
            self.deprecated.push((3778, warning));
        }
        Ok(name)
    }

    /// CURRENT_TIMESTAMP, NOW(), LOCALTIME, LOCALTIMESTAMP with their fsp.
    fn now_clause(&mut self) -> Result<Option<u8>> {
        if self.eat_any(&["CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "LOCALTIME", "NOW"]).is_none() {
            return Ok(None);
        }
        if self.is_op(Op::LParen) && self.peek_at(1).kind == Kind::Op(Op::RParen) {
            self.pos += 2;
            return Ok(Some(0));
        }
        self.fsp().map(Some)
    }

    pub(super) fn column_default(&mut self) -> Result<ColumnDefault> {
        if let Some(fsp) = self.now_clause()? {
            return Ok(ColumnDefault::Now(fsp));
        }
        if self.is_op(Op::LParen) {
            return self.parens(Parser::expr).map(ColumnDefault::Expression);
        }
        let negate = self.eat_op(Op::Minus);
        if !negate {
            self.eat_op(Op::Plus);
        }
        let here = self.pos;
        let value = self.primary()?;
        if !matches!(value, Expr::Literal(_)) {
            self.pos = here;
            return Err(self.unexpected());
        }
        let is_number =
            matches!(value, Expr::Literal(Literal::Int(_) | Literal::Decimal(_) | Literal::Float(..)));
        Ok(ColumnDefault::Value(if negate && is_number {
            Expr::Unary(UnaryOp::Neg, Box::new(value))
        } else {
            value
        }))
    }
}

/// 1426, 1425, 1427: DECIMAL's limits; `column` names the column or expression.
pub(crate) fn check_decimal(precision: u64, scale: u64, column: &str) -> Result<()> {
    if scale > 30 {
        return Err(SqlError::new(
            1425,
            format!("Too big scale {scale} specified for column '{column}'. Maximum is 30."),
        ));
    }
    if precision > 65 {
        return Err(SqlError::new(
            1426,
            format!("Too-big precision {precision} specified for '{column}'. Maximum is 65."),
        ));
    }
    if scale > precision {
        return Err(SqlError::new(
            1427,
            format!("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{column}')."),
        ));
    }
    Ok(())
}

/// 1426: fractional digits are at most 6.
pub(crate) fn check_fsp(fsp: u64, column: &str) -> Result<u8> {
    if fsp > 6 {
        return Err(SqlError::new(
            1426,
            format!("Too-big precision {fsp} specified for '{column}'. Maximum is 6."),
        ));
    }
    Ok(fsp as u8)
}
