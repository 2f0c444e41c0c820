//! Assignment to integers, DECIMAL, FLOAT, DOUBLE and YEAR.

use super::Context;
use super::number::{blank, temporal_decimal, to_decimal};
use super::store::Stored;
use crate::condition::{Condition, quoted};
use crate::decimal::Decimal;
use crate::double::parse_double;
use crate::temporal::{DateTime, Time, Year};
use crate::types::{ColumnType, NOT_FIXED, TypeKind as K};
use crate::value::Value;

/// A whole number on its way into an integer column, and what was wrong with it.
struct Whole {
    value: i128,
    condition: Option<Condition>,
}

pub(super) fn integer(value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let Whole { value: n, condition } = whole(value, cx);
    let (low, high) = ty.integer_range();
    let clamped = n.clamp(low, high);
    let condition = if clamped == n { condition } else { Some(Condition::OutOfRange) };
    let value = if ty.unsigned { Value::UInt(clamped as u64) } else { Value::Int(clamped as i64) };
    finish(value, condition)
}

fn finish(value: Value, condition: Option<Condition>) -> Stored {
    match condition {
        Some(c) => Stored::warned(value, c),
        None => Stored::clean(value),
    }
}

fn whole(value: &Value, cx: &Context) -> Whole {
    let clean = |value| Whole { value, condition: None };
    let far = |negative: bool| if negative { i128::MIN } else { i128::MAX };
    let rounded = |d: &Decimal| clean(d.to_integer().unwrap_or_else(|| far(d.is_negative())));
    match value {
        Value::Int(v) => clean(i128::from(*v)),
        Value::UInt(v) => clean(i128::from(*v)),
        Value::Float(v) => clean(f64::from(*v).round_ties_even() as i128),
        Value::Double(v) => clean(v.round_ties_even() as i128),
        Value::Decimal(d) => rounded(d),
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let parsed = Decimal::parse(bytes);
            if parsed.used == 0 {
                let condition = Condition::Incorrect { kind: "integer", value: quoted(value) };
                return Whole { value: 0, condition: Some(condition) };
            }
            let rest = &bytes[parsed.used..];
            // An exponent without digits passes unnoticed, as in MySQL.
            let odd = !blank(rest) && !rest.eq_ignore_ascii_case(b"e");
            Whole { condition: odd.then_some(Condition::Truncated), ..rounded(&parsed.value) }
        }
        Value::Time(v) => clean(i128::from(Time::rounded(*v, 0, false).to_number())),
        Value::DateTime(v) => clean(i128::from(DateTime::rounded(*v, 0, false).unwrap_or(*v).to_number())),
        _ => rounded(&temporal_decimal(value, cx).round(0)),
    }
}

pub(super) fn decimal(value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let (number, odd) = match value {
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let parsed = Decimal::parse(bytes);
            let incorrect = || Condition::Incorrect { kind: "decimal", value: quoted(value) };
            let zero = Value::Decimal(Decimal::new(0, ty.scale));
            if parsed.used == 0 {
                return Stored::warned(zero, incorrect());
            }
            let left_over = !blank(&bytes[parsed.used..]);
            if (left_over || parsed.overflow && parsed.value.integer_digits() > 80) && cx.mode.strict() {
                return Stored::warned(zero, incorrect());
            }
            (parsed.value, left_over)
        }
        _ => (to_decimal(value, cx, &mut Vec::new()).unwrap_or(Decimal::ZERO), false),
    };
    let zero = Decimal::new(0, ty.scale);
    if ty.unsigned && number.is_negative() {
        return Stored::warned(Value::Decimal(zero), Condition::OutOfRange);
    }
    match number.to_column(ty.precision(), ty.scale) {
        Ok((stored, lost)) if lost || odd => Stored::noted(Value::Decimal(stored), Condition::Truncated),
        Ok((stored, _)) => Stored::clean(Value::Decimal(stored)),
        Err(clamped) => Stored::warned(Value::Decimal(clamped), Condition::OutOfRange),
    }
}

pub(super) fn float(value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let is_float = ty.kind == K::Float;
    let mut condition = None;
    let number = match value {
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let (number, used) = parse_double(bytes);
            if used == 0 || !blank(&bytes[used..]) {
                let kind = if is_float { "FLOAT" } else { "DOUBLE" };
                condition = Some(Condition::Incorrect { kind, value: quoted(value) });
            }
            number
        }
        _ => super::number::to_double(value, cx, &mut Vec::new()).unwrap_or(0.0),
    };
    let (fitted, out_of_range) = fit(number, ty);
    if out_of_range {
        condition = condition.or(Some(Condition::OutOfRange));
    }
    finish(if is_float { Value::Float(fitted as f32) } else { Value::Double(fitted) }, condition)
}

/// Rounded to the column's decimals and clamped to its range.
fn fit(number: f64, ty: &ColumnType) -> (f64, bool) {
    if ty.unsigned && number < 0.0 {
        return (0.0, true);
    }
    let mut limit = if ty.kind == K::Float { f64::from(f32::MAX) } else { f64::MAX };
    let mut number = number;
    if ty.scale < NOT_FIXED {
        let unit = 10_f64.powi(i32::from(ty.scale));
        limit = limit.min((10_f64.powi(ty.length as i32) - 1.0) / unit);
        if number.is_finite() && number.abs() <= limit {
            let whole = number.trunc();
            number = whole + ((number - whole) * unit).round_ties_even() / unit;
        }
    }
    let clamped = number.clamp(-limit, limit);
    (clamped, clamped != number)
}

pub(super) fn year(value: &Value, cx: &Context) -> Stored {
    let from_text = value.as_bytes().is_some();
    let mut condition = None;
    let number = match value {
        Value::Date(v) => i128::from(v.year()),
        Value::DateTime(v) => i128::from(v.date().year()),
        Value::Timestamp(v) => i128::from(v.to_datetime(cx.zone).date().year()),
        Value::Time(_) => i128::from(cx.today.year()),
        Value::Double(v) if *v < 0.0 => -1,
        Value::Double(v) => v.trunc() as i128,
        _ => {
            let found = whole(value, cx);
            condition = found.condition;
            found.value
        }
    };
    // '0' and '00' mean 2000; the number 0 and '0000' are the zero year.
    let zero_text = value.as_bytes().is_some_and(|b| b.trim_ascii().len() == 4 && condition.is_none());
    let year = match number {
        0 if from_text && !zero_text && !matches!(condition, Some(Condition::Incorrect { .. })) => 2000,
        0 => 0,
        1..=69 => number + 2000,
        70..=99 => number + 1900,
        n => n,
    };
    match u16::try_from(year).ok().and_then(Year::new) {
        Some(year) => finish(Value::Year(year), condition),
        None => Stored::warned(Value::Year(Year::default()), Condition::OutOfRange),
    }
}
