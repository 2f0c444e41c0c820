//! Literals and parameters: their values and the types that MySQL gives them.

use crate::ast::Literal;
use crate::error::{Result, SqlError};
use crate::expr::ty::derivation;
use crate::expr::{Ty, Typed};
use crate::session::context::Context;
use values::convert::temporal::{to_datetime, to_time};
use values::temporal::DateRules;
use values::{Collation, ColumnType, Decimal, TypeKind, Value};

pub(crate) fn bind(literal: &Literal, context: &Context) -> Result<Typed> {
    let collation = context.settings.collation_connection;
    Ok(match literal {
        Literal::Null => Typed::constant(Value::Null, Ty::null()),
        Literal::Bool(b) => Typed::constant(Value::Int(i64::from(*b)), Ty::int(1).not_null()),
        Literal::Int(n) => integer(*n),
        Literal::Decimal(text) => decimal(text)?,
        Literal::Float(v, text) => {
            let width = text.len() as u32;
            Typed::constant(Value::Double(*v), Ty { width, ..Ty::double().not_null() })
        }
        Literal::Str { bytes, charset } => string(bytes, charset.as_deref(), collation)?,
        Literal::Hex { bytes, charset, bits } => {
            let width = bytes.len() as u32;
            if let Some(charset) = charset.as_deref().filter(|c| *c != "binary") {
                return string(bytes, Some(charset), collation);
            }
            let mut ty = Ty::text(width, Collation::BINARY, derivation::COERCIBLE).not_null();
            ty.hex = charset.is_none();
            ty.col.unsigned = ty.hex && !bits;
            Typed::constant(Value::bytes(bytes), ty)
        }
        Literal::Date(text) => temporal("DATE", text, context)?,
        Literal::Time(text) => temporal("TIME", text, context)?,
        Literal::Timestamp(text) => temporal("DATETIME", text, context)?,
    })
}

fn integer(n: u64) -> Typed {
    let width = n.checked_ilog10().map_or(1, |d| d + 1);
    match i64::try_from(n) {
        Ok(small) => Typed::constant(Value::Int(small), Ty::int(width + 1).not_null()),
        Err(_) => Typed::constant(Value::UInt(n), Ty::uint(width).not_null()),
    }
}

fn decimal(text: &str) -> Result<Typed> {
    let parsed = Decimal::parse(text.as_bytes());
    let value = parsed.value;
    // Digits before the point count as written, a single zero included.
    let written = text.bytes().take_while(u8::is_ascii_digit).count() as u32;
    let scale = u32::from(value.scale());
    let precision = u32::from(value.precision()).max(written + scale);
    if parsed.overflow && value.scale() == 0 {
        return Err(SqlError::new(1690, format!("DECIMAL value is out of range in '{text}'")));
    }
    let ty = Ty::decimal(precision.max(scale), scale, false).not_null();
    let point = u32::from(scale > 0);
    Ok(Typed::constant(Value::Decimal(value), Ty { width: precision + point + 1, ..ty }))
}

fn string(bytes: &[u8], charset: Option<&str>, connection: Collation) -> Result<Typed> {
    let binary = charset == Some("binary");
    if binary {
        let ty = Ty::text(bytes.len() as u32, Collation::BINARY, derivation::COERCIBLE).not_null();
        return Ok(Typed::constant(Value::bytes(bytes), ty));
    }
    let named = charset.and_then(crate::variable::Charset::from_name);
    let decoded = match named {
        Some(set) => set.decode(bytes),
        None => bytes.into(),
    };
    // An introducer names the set; where it is the connection's own, the connection's collation stays.
    let connection = match named.map(crate::variable::Charset::collation) {
        Some(collation) if collation.char_set() != connection.char_set() => collation,
        _ => connection,
    };
    match std::str::from_utf8(&decoded) {
        Ok(text) => {
            let chars = text.chars().count() as u32;
            let collation = if connection == Collation::BINARY && charset.is_none() {
                Collation::BINARY
            } else {
                connection
            };
            let ty = Ty::text(chars, collation, derivation::COERCIBLE).not_null();
            let value = if collation == Collation::BINARY {
                Value::bytes(text.as_bytes())
            } else {
                Value::text(text)
            };
            Ok(Typed::constant(value, ty))
        }
        // Bytes that are no text: a binary string, so that they reach a binary column unharmed.
        Err(_) if charset.is_none() => {
            let ty = Ty::text(bytes.len() as u32, Collation::BINARY, derivation::COERCIBLE).not_null();
            Ok(Typed::constant(Value::bytes(bytes), ty))
        }
        Err(_) => Err(crate::parse::invalid_utf8(bytes)),
    }
}

/// DATE'...', TIME'...', TIMESTAMP'...': 1525 when it is none.
fn temporal(kind: &'static str, text: &str, context: &Context) -> Result<Typed> {
    let incorrect = || SqlError::new(1525, format!("Incorrect {kind} value: '{text}'"));
    let rules = DateRules::of(context.settings.sql_mode);
    let mut warnings = Vec::new();
    let value = Value::text(text);
    let (value, ty) = match kind {
        "TIME" => {
            let (time, fsp) = to_time(&value, &context.convert, &mut warnings).ok_or_else(incorrect)?;
            (Value::Time(time), Ty::temporal(TypeKind::Time, fsp))
        }
        _ => {
            let found = to_datetime(&value, rules, &context.convert, &mut warnings).ok_or_else(incorrect)?;
            if kind == "DATE" {
                if found.has_time {
                    return Err(incorrect());
                }
                (Value::Date(found.value.date()), Ty::temporal(TypeKind::Date, 0))
            } else if !found.has_time {
                return Err(incorrect());
            } else {
                (Value::DateTime(found.value), Ty::temporal(TypeKind::DateTime, found.fsp))
            }
        }
    };
    if !warnings.is_empty() {
        return Err(incorrect());
    }
    Ok(Typed::constant(value, ty.not_null()))
}

/// The type of a value that came without one: a parameter, a user variable.
pub(crate) fn type_of(value: &Value, connection: Collation) -> Ty {
    match value {
        Value::Null => Ty::null(),
        Value::Int(_) => Ty::int(21).not_null(),
        Value::UInt(_) => Ty::uint(20).not_null(),
        Value::Float(_) => Ty::of(ColumnType::float(), false),
        Value::Double(_) => Ty::double().not_null(),
        Value::Decimal(d) => Ty::decimal(u32::from(d.precision()), u32::from(d.scale()), false).not_null(),
        Value::Text(t) => {
            Ty::text(values::collation::char_length(t.as_bytes()) as u32, connection, derivation::COERCIBLE)
                .not_null()
        }
        Value::Bytes(b) => {
            Ty::text(b.as_bytes().len() as u32, Collation::BINARY, derivation::COERCIBLE).not_null()
        }
        Value::Date(_) => Ty::temporal(TypeKind::Date, 0).not_null(),
        Value::Time(_) => Ty::temporal(TypeKind::Time, 6).not_null(),
        Value::DateTime(_) | Value::Timestamp(_) => Ty::temporal(TypeKind::DateTime, 6).not_null(),
        Value::Year(_) => Ty::of(ColumnType::new(TypeKind::Year), false),
        Value::Json(_) => crate::function::json::ty().not_null(),
        Value::Bit(_) => Ty::uint(20).not_null(),
        Value::Choice(c) => {
            let chars = c.text().chars().count() as u32;
            Ty::text(chars, connection, derivation::COERCIBLE).not_null()
        }
    }
}

/// Is a text, read as a number, without decimals?
pub(crate) fn is_whole(text: &[u8]) -> bool {
    Decimal::parse(text).value.scale() == 0
}

/// Do two parameter values bind alike?
pub(crate) fn same_class(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(x), Value::Text(y)) => is_whole(x.as_bytes()) == is_whole(y.as_bytes()),
        (Value::DateTime(_), Value::DateTime(_)) => true,
        (Value::Decimal(x), Value::Decimal(y)) => x.scale() == y.scale() && x.precision() == y.precision(),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}
