//! Constants in comparisons: converted once, when the statement is bound, to what they are compared with.
//!
//! A hexadecimal literal beside a number is a number; text beside a date is a date, and MySQL refuses text that is none (1525) where it is
//! compared by `=` and the like. What does not convert cleanly stays as it is: then every row converts it, with its warnings.

use crate::error::{Result, SqlError};
use crate::expr::numeric::hex_number;
use crate::expr::ty::Class;
use crate::expr::{Node, Ty, Typed};
use crate::session::context::Context;
use values::convert::temporal::shift_to_zone;
use values::temporal::{DateRules, parse};
use values::{SqlMode, TypeKind, Value};

/// Both sides of a comparison.
pub(super) fn fitted_pair(l: Typed, r: Typed, context: &Context) -> Result<(Typed, Typed)> {
    let (lt, rt) = (l.ty, r.ty);
    Ok((fitted_or_error(l, &rt, context)?, fitted_or_error(r, &lt, context)?))
}

/// A constant converted for a comparison with a value of type `with`.
///
/// # Errors
/// 1525 for text that is no date, beside a date.
pub(super) fn fitted_or_error(constant: Typed, with: &Ty, context: &Context) -> Result<Typed> {
    said_in(&constant, with)?;
    let Some(text) = dated_text(&constant, with) else { return Ok(fitted(constant, with, context)) };
    if parse::datetime(text, DateRules::of(context.settings.sql_mode)).is_none() {
        let kind = match with.col.kind {
            TypeKind::Date => "DATE",
            TypeKind::Timestamp => "TIMESTAMP",
            _ => "DATETIME",
        };
        let text = values::condition::printable(text);
        return Err(SqlError::new(1525, format!("Incorrect {kind} value: '{text}'")));
    }
    Ok(fitted(constant, with, context))
}

/// 3854 for a constant text beside a stronger one of a character set that has not all its characters.
pub(super) fn said_in(constant: &Typed, with: &Ty) -> Result<()> {
    let (from, to) = (constant.ty.collation().char_set(), with.collation().char_set());
    let Node::Const(Value::Text(text)) = &constant.node else { return Ok(()) };
    if !with.is_text() || from == to || with.derivation >= constant.ty.derivation {
        return Ok(());
    }
    let Some((at, _)) = text.as_str().char_indices().find(|(_, c)| !to.has(*c)) else { return Ok(()) };
    let shown: String = text.as_bytes()[at..].iter().take(6).map(|b| format!("\\x{b:02X}")).collect();
    let (from, to) = (from.name(), to.name());
    Err(SqlError::new(3854, format!("Cannot convert string '{shown}' from {from} to {to}")))
}

/// The same, leaving what does not convert.
pub(super) fn fitted(constant: Typed, with: &Ty, context: &Context) -> Typed {
    if let (true, Node::Const(Value::Bytes(bytes))) = (constant.ty.hex, &constant.node) {
        let number = matches!(with.class(), Class::Int | Class::Decimal | Class::Real);
        return if number {
            Typed::constant(Value::UInt(hex_number(bytes.as_bytes())), Ty::uint(20).not_null())
        } else {
            constant
        };
    }
    if with.col.kind == TypeKind::Json {
        // Beside a document TRUE and FALSE are booleans, no numbers.
        let truth = constant.ty.col.kind == TypeKind::BigInt && constant.ty.width == 1;
        return match &constant.node {
            Node::Const(Value::Int(v)) if truth => {
                let document = values::json::Json::Bool(*v != 0);
                Typed::constant(document.value(), crate::function::json::ty().not_null())
            }
            _ => constant,
        };
    }
    let Some(text) = dated_text(&constant, with) else { return constant };
    let cut = context.settings.sql_mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    let parsed = parse::datetime(text, DateRules::of(context.settings.sql_mode)).filter(|p| !p.left_over);
    let local = parsed.and_then(|p| match (p.rounded(6, cut), p.offset) {
        (Some(local), Some(offset)) => shift_to_zone(local, offset, context.settings.zone),
        (local, _) => local,
    });
    match (parsed, local) {
        (Some(p), Some(local)) if !p.has_time && with.class() == Class::Date => {
            Typed::constant(Value::Date(local.date()), Ty::temporal(TypeKind::Date, 0).not_null())
        }
        (Some(p), Some(local)) => {
            Typed::constant(Value::DateTime(local), Ty::temporal(TypeKind::DateTime, p.fsp).not_null())
        }
        _ => constant,
    }
}

/// The bytes of a constant text beside a date or datetime.
fn dated_text<'a>(constant: &'a Typed, with: &Ty) -> Option<&'a [u8]> {
    let dated = matches!(with.class(), Class::Date | Class::DateTime);
    match &constant.node {
        Node::Const(value) if dated && constant.ty.is_text() && !constant.ty.hex => value.as_bytes(),
        _ => None,
    }
}
