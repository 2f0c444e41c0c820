//! CAST and CONVERT.

use super::compare::Rule;
use super::ty::Class;
use super::{Eval, Node, Ty, Typed};
use crate::ast::CastType;
use crate::error::{Result, SqlError};
use crate::expr::ty::derivation;
use crate::session::context::Strictness;
use values::{Collation, ColumnType, Level, TypeKind, Value};

/// Characters of a value's text; a double has up to 22, whatever a literal's own length.
fn text_width(ty: &Ty) -> u32 {
    if ty.class() == Class::Real { ty.width.max(22) } else { ty.width }
}

/// The type of `CAST(expr AS to)`.
pub(crate) fn cast_type(expr: &Typed, to: &CastType, connection: Collation) -> Ty {
    let ty = match to {
        CastType::Signed => Ty::int(21),
        CastType::Unsigned => Ty::uint(21),
        CastType::Char { len, charset } => {
            let set = charset.as_deref().and_then(crate::variable::Charset::from_name);
            // The connection's own set keeps the connection's collation.
            let collation = match set.map(crate::variable::Charset::collation) {
                Some(named) if named.char_set() != connection.char_set() => named,
                _ => connection,
            };
            Ty::text(len.unwrap_or_else(|| text_width(&expr.ty)), collation, derivation::IMPLICIT)
        }
        CastType::Binary { len } => {
            let width = if expr.ty.is_text() {
                expr.ty.width.saturating_mul(expr.ty.collation().bytes_per_char() as u32)
            } else {
                expr.ty.width
            };
            Ty::text(len.unwrap_or(width), Collation::BINARY, derivation::IMPLICIT)
        }
        CastType::Decimal { precision, scale } => {
            Ty::decimal(u32::from(*precision), u32::from(*scale), false)
        }
        CastType::Float => Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::of(ColumnType::float(), true) },
        CastType::Double => Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::double() },
        CastType::Date => Ty::temporal(TypeKind::Date, 0),
        CastType::Time { fsp } => Ty::temporal(TypeKind::Time, *fsp),
        CastType::DateTime { fsp } => Ty::temporal(TypeKind::DateTime, *fsp),
        CastType::Json => crate::function::json::ty(),
        CastType::Year => Ty::of(ColumnType::integer(TypeKind::Year, true), true),
        CastType::Fit | CastType::Within { .. } => expr.ty,
    };
    // Numbers are NULL only for NULL; text and temporals may fail to be.
    let number =
        matches!(ty.class(), Class::Int | Class::Decimal | Class::Real) && !matches!(to, CastType::Year);
    ty.or_null(expr.ty.nullable || !number)
}

/// A column of one part of a set operation as the whole's type.
fn fit(expr: &Typed, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(match crate::function::control::coerced(expr, ty, e)? {
        Value::Decimal(d) => match d.to_column(65, ty.col.scale) {
            Ok((fitted, _)) => Value::Decimal(fitted),
            Err(_) => Value::Decimal(d),
        },
        other => other,
    })
}

pub(crate) fn cast(expr: &Typed, to: &CastType, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    match to {
        CastType::Json => return crate::function::json::cast(expr, e),
        CastType::Fit => return fit(expr, ty, e),
        CastType::Within { column } => {
            let value = fit(expr, ty, e)?;
            let long =
                value.as_bytes().is_some_and(|b| values::collation::char_length(b) > ty.width as usize);
            if long && e.context.settings.sql_mode.strict() {
                let message = format!("Data too long for column '{column}' at row 1");
                return Err(crate::error::SqlError::new(1406, message));
            }
            return Ok(value);
        }
        _ => {}
    }
    let value = match ty.class() {
        // Some texts are numbers there; as an integer a text is its digits in front.
        Class::Decimal | Class::Real => expr.compared(Rule::Double, e)?,
        _ => expr.eval(e)?,
    };
    if value.is_null() {
        return Ok(value);
    }
    if let (Value::Year(_), Node::Column(_), Class::Time) = (&value, &expr.node, ty.class()) {
        // A column of years is the first day of each; the year of an expression is a number.
        return Ok(Value::Time(values::Time::ZERO));
    }
    let value = if ty.is_text() {
        value
    } else if expr.ty.hex {
        super::numeric::as_number(value, &expr.ty, e)?
    } else {
        value
    };
    match to {
        CastType::Char { len, .. } | CastType::Binary { len } => string(&value, expr, ty, *len, e),
        _ => {
            let out = e.with(|cx, warnings| {
                values::convert::cast::cast(&value, &expr.ty.col, &ty.col, cx, warnings)
            })?;
            Ok(out)
        }
    }
}

/// Text of at most `len` characters (bytes when binary); a cut is warned about (a strict write fails), BINARY(n) is padded with zeros.
fn string(value: &Value, expr: &Typed, ty: &Ty, len: Option<u32>, e: &mut Eval<'_>) -> Result<Value> {
    let binary = ty.collation() == Collation::BINARY;
    let mut bytes = match value {
        // What the set has not is lost on the way; as a binary string a text is its bytes in its own set.
        Value::Text(text) if binary => expr.ty.collation().char_set().encode(text.as_bytes()).into_owned(),
        Value::Text(text) => in_set(text.as_bytes(), ty.collation().char_set()),
        _ => match value.as_bytes() {
            Some(bytes) if binary => bytes.to_vec(),
            // Bytes that become text are read in its set.
            Some(bytes) => ty.collation().char_set().decode(bytes).into_owned(),
            None => e.context.text_of(value, &expr.ty).as_bytes().to_vec(),
        },
    };
    if let Some(len) = len {
        let keep = if binary {
            len as usize
        } else {
            let text = String::from_utf8_lossy(&bytes);
            text.char_indices().nth(len as usize).map_or(bytes.len(), |(at, _)| at)
        };
        if bytes.len() > keep {
            let kind = if binary { "BINARY" } else { "CHAR" };
            let shown = values::condition::printable(&bytes);
            let message = format!("Truncated incorrect {kind}({len}) value: '{shown}'");
            if e.context.strictness == Strictness::Strict {
                return Err(SqlError::new(1292, message));
            }
            e.context.warn(Level::Warning, 1292, message);
            bytes.truncate(keep);
        } else if binary {
            bytes.resize(keep, 0);
        }
    }
    Ok(if binary { Value::bytes(&bytes) } else { Value::text(&String::from_utf8_lossy(&bytes)) })
}

/// A text as a character set can say it.
fn in_set(text: &[u8], set: values::collation::CharSet) -> Vec<u8> {
    use values::collation::CharSet;
    if text.is_ascii() || set == CharSet::Utf8mb4 {
        return text.to_vec();
    }
    let text = String::from_utf8_lossy(text);
    text.chars().map(|c| if set.has(c) { c } else { '?' }).collect::<String>().into_bytes()
}
