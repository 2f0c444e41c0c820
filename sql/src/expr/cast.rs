//! CAST and CONVERT.

use super::{Eval, Ty, Typed};
use crate::ast::CastType;
use crate::error::Result;
use crate::expr::ty::derivation;
use values::{Collation, ColumnType, Level, TypeKind, Value};

/// Characters of a value's text; a double has up to 22, whatever a literal's own length.
fn text_width(ty: &Ty) -> u32 {
    if ty.class() == super::ty::Class::Real { ty.width.max(22) } else { ty.width }
}

/// The type of `CAST(expr AS to)`.
pub(crate) fn cast_type(expr: &Typed, to: &CastType, connection: Collation) -> Ty {
    let ty = match to {
        CastType::Signed => Ty::int(21),
        CastType::Unsigned => Ty::uint(21),
        CastType::Char { len, charset } => {
            let collation = if charset.as_deref() == Some("binary") { Collation::BINARY } else { connection };
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
        matches!(ty.class(), super::ty::Class::Int | super::ty::Class::Decimal | super::ty::Class::Real)
            && !matches!(to, CastType::Year);
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
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(value);
    }
    let value = if ty.is_text() {
        value
    } else if expr.ty.hex {
        super::numeric::as_number(value, &expr.ty, e)?
    } else {
        value
    };
    match to {
        CastType::Char { len, .. } | CastType::Binary { len } => Ok(string(&value, expr, ty, *len, e)),
        _ => {
            let out = e.with(|cx, warnings| {
                values::convert::cast::cast(&value, &expr.ty.col, &ty.col, cx, warnings)
            })?;
            Ok(out)
        }
    }
}

/// Text of at most `len` characters (bytes when binary); a cut is warned about, BINARY(n) is padded with zeros.
fn string(value: &Value, expr: &Typed, ty: &Ty, len: Option<u32>, e: &mut Eval<'_>) -> Value {
    let mut bytes = match value.as_bytes() {
        Some(bytes) => bytes.to_vec(),
        None => e.context.text_of(value, &expr.ty).as_bytes().to_vec(),
    };
    let binary = ty.collation() == Collation::BINARY;
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
            e.context.warn(Level::Warning, 1292, message);
            bytes.truncate(keep);
        } else if binary {
            bytes.resize(keep, 0);
        }
    }
    if binary { Value::bytes(&bytes) } else { Value::text(&String::from_utf8_lossy(&bytes)) }
}
