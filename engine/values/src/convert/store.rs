//! Assignment: a value into a column. Strict mode refuses what does not fit; otherwise it is clamped or cut, with a warning.
//!
//! At most one condition is reported per value, as the column's own. A note never refuses. NULL passes: whether the column takes it is
//! the caller's to check ([`Condition::NotNull`]).

use super::Context;
use crate::condition::{Condition, Level};
use crate::types::{ColumnType, TypeKind as K};
use crate::value::Value;

/// What was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The value, of the column's type.
    pub value: Value,
    /// What to tell the client.
    pub condition: Option<(Level, Condition)>,
}

impl Stored {
    pub(super) fn clean(value: Value) -> Self {
        Self { value, condition: None }
    }

    pub(super) fn noted(value: Value, condition: Condition) -> Self {
        Self { value, condition: Some((Level::Note, condition)) }
    }

    pub(super) fn warned(value: Value, condition: Condition) -> Self {
        Self { value, condition: Some((Level::Warning, condition)) }
    }
}

/// Converts `value` to the column's type.
///
/// # Errors
/// In strict mode, what would have been a warning.
pub fn store(value: &Value, ty: &ColumnType, cx: &Context) -> Result<Stored, Condition> {
    if value.is_null() {
        return Ok(Stored::clean(Value::Null));
    }
    // A document is its text to every other type but the numbers.
    if let Value::Json(_) = value
        && ty.kind != K::Json
    {
        let document = crate::json::Json::of(value);
        let plain = match document.number().filter(|_| ty.is_numeric()) {
            Some(number) => number,
            None if ty.is_temporal() => Value::text(&document.unquoted()),
            None => Value::text(&document.to_string()),
        };
        return store(&plain, ty, cx);
    }
    // A word is text to every other type but the numbers.
    if let Value::Choice(choice) = value
        && !ty.is_numeric()
    {
        return store(&Value::text(&choice.text()), ty, cx);
    }
    let stored = match ty.kind {
        K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt => {
            super::store_number::integer(value, ty, cx)
        }
        K::Decimal => super::store_number::decimal(value, ty, cx),
        K::Float | K::Double => super::store_number::float(value, ty, cx),
        K::Json => return super::store_choice::json(value),
        K::Bit => super::store_choice::bit(value, ty, cx),
        K::Enum => super::store_choice::one(value, ty),
        K::Set => super::store_choice::many(value, ty),
        K::Year => super::store_number::year(value, cx),
        K::Date => super::store_temporal::date(value, cx),
        K::DateTime => super::store_temporal::datetime(value, ty.scale, cx),
        K::Timestamp => super::store_temporal::timestamp(value, ty.scale, cx),
        K::Time => super::store_temporal::time(value, ty.scale, cx),
        _ => super::store_string::string(value, ty, cx),
    };
    match stored.condition {
        Some((Level::Warning | Level::Error, condition)) if cx.mode.strict() && !condition.is_advice() => {
            Err(condition)
        }
        _ => Ok(stored),
    }
}
