//! Any value as a number, within an expression: text gives its numeric prefix, with MySQL's 1292 when something is left over.

use super::Context;
use crate::condition::{Condition, quoted};
use crate::decimal::Decimal;
use crate::double::parse_double;
use crate::temporal::{DateTime, Time, unit};
use crate::types::{ColumnType, TypeKind as K};
use crate::value::Value;

/// Where conversions leave their warnings.
pub type Warnings = Vec<Condition>;

/// The value as a double; NULL gives `None`.
pub fn to_double(value: &Value, cx: &Context, warnings: &mut Warnings) -> Option<f64> {
    Some(match value {
        Value::Null => return None,
        Value::Int(v) => *v as f64,
        Value::UInt(v) => *v as f64,
        Value::Float(v) => f64::from(*v),
        Value::Double(v) => *v,
        Value::Decimal(v) => v.to_f64(),
        Value::Json(_) => return to_double(&of_json(value), cx, warnings),
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let (number, used) = parse_double(bytes);
            // Blanks alone are 0 without a word.
            if !blank(&bytes[used..]) || number.is_infinite() {
                warnings.push(truncated("DOUBLE", value));
            }
            number.clamp(f64::MIN, f64::MAX)
        }
        _ => temporal_decimal(value, cx).to_f64(),
    })
}

/// The value as an exact decimal; NULL gives `None`.
pub fn to_decimal(value: &Value, cx: &Context, warnings: &mut Warnings) -> Option<Decimal> {
    Some(match value {
        Value::Null => return None,
        Value::Int(v) => Decimal::from(*v),
        Value::UInt(v) => Decimal::from(*v),
        Value::Float(v) => Decimal::from_f64(f64::from(*v)).0,
        Value::Double(v) => Decimal::from_f64(*v).0,
        Value::Decimal(v) => v.clone(),
        Value::Json(_) => return to_decimal(&of_json(value), cx, warnings),
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let parsed = Decimal::parse(bytes);
            if parsed.used == 0 || !blank(&bytes[parsed.used..]) {
                warnings.push(truncated("DECIMAL", value));
            }
            parsed.value
        }
        _ => temporal_decimal(value, cx),
    })
}

/// The value as an integer between the least BIGINT and the largest BIGINT UNSIGNED; NULL gives `None`. Decimals round half away from
/// zero, doubles half to even; text gives its leading digits only.
pub fn to_integer(value: &Value, cx: &Context, warnings: &mut Warnings) -> Option<i128> {
    Some(match value {
        Value::Null => return None,
        Value::Int(v) => i128::from(*v),
        Value::UInt(v) => i128::from(*v),
        Value::Float(v) => double_to_integer(f64::from(*v)),
        Value::Double(v) => double_to_integer(*v),
        Value::Decimal(v) => decimal_to_integer(v, warnings),
        Value::Json(_) => return to_integer(&of_json(value), cx, warnings),
        Value::Text(_) | Value::Bytes(_) => text_to_integer(value, warnings),
        _ => decimal_to_integer(&temporal_decimal(&whole_seconds(value), cx), warnings),
    })
}

/// A document as the number it is, or as the text that has to become one.
fn of_json(value: &Value) -> Value {
    let document = crate::json::Json::of(value);
    document.number().unwrap_or_else(|| Value::text(&document.unquoted()))
}

/// SQL's truth: NULL is `None`, otherwise whether the number is not zero.
pub fn to_bool(value: &Value, cx: &Context, warnings: &mut Warnings) -> Option<bool> {
    Some(match value {
        Value::Null => return None,
        Value::Int(v) => *v != 0,
        Value::UInt(v) => *v != 0,
        Value::Decimal(v) => !v.is_zero(),
        _ => to_double(value, cx, warnings)? != 0.0,
    })
}

/// A temporal (or YEAR) as YYYYMMDD, hhmmss or YYYYMMDDhhmmss with its fraction; zero for other values.
pub fn temporal_decimal(value: &Value, cx: &Context) -> Decimal {
    let digits = |micros: u32| (0..=6).find(|fsp| i64::from(micros) % unit(*fsp) == 0).unwrap_or(6);
    match value {
        Value::Date(v) => Decimal::from(v.to_number()),
        Value::Time(v) => v.to_decimal(digits(v.fraction())),
        Value::DateTime(v) => v.to_decimal(digits(v.micros())),
        Value::Timestamp(v) => {
            let local = v.to_datetime(cx.zone);
            local.to_decimal(digits(local.micros()))
        }
        Value::Year(v) => Decimal::from(i64::from(v.get())),
        Value::Bit(v) => Decimal::from(v.number()),
        Value::Choice(v) => Decimal::from(v.number()),
        _ => Decimal::ZERO,
    }
}

/// A temporal rounded to seconds, so that 23:59:59.9 becomes the next minute and not 235960.
fn whole_seconds(value: &Value) -> Value {
    match value {
        Value::Time(v) => Value::Time(Time::rounded(*v, 0, false)),
        Value::DateTime(v) => Value::DateTime(DateTime::rounded(*v, 0, false).unwrap_or(*v)),
        v => v.clone(),
    }
}

/// Rounded half to even, clamped to BIGINT and BIGINT UNSIGNED.
pub fn double_to_integer(v: f64) -> i128 {
    (v.round_ties_even() as i128).clamp(i128::from(i64::MIN), i128::from(u64::MAX))
}

fn decimal_to_integer(v: &Decimal, warnings: &mut Warnings) -> i128 {
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    match v.to_integer() {
        Some(n) if range.contains(&n) => n,
        _ => {
            warnings.push(Condition::TruncatedIncorrect { kind: "DECIMAL", value: v.to_string() });
            if v.is_negative() { *range.start() } else { *range.end() }
        }
    }
}

/// Leading blanks, a sign and digits.
fn text_to_integer(value: &Value, warnings: &mut Warnings) -> i128 {
    let bytes = value.as_bytes().unwrap_or_default();
    let trimmed = bytes.trim_ascii_start();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, trimmed),
    };
    let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let magnitude = digits[..len].iter().fold(0_i128, |n, b| (n * 10 + i128::from(b - b'0')).min(1 << 70));
    let number = if negative { -magnitude } else { magnitude };
    let clamped = number.clamp(i128::from(i64::MIN), i128::from(u64::MAX));
    if len == 0 || !blank(&digits[len..]) || clamped != number {
        warnings.push(truncated("INTEGER", value));
    }
    clamped
}

/// Whether nothing but blanks is left.
pub(super) fn blank(rest: &[u8]) -> bool {
    rest.iter().all(u8::is_ascii_whitespace)
}

fn truncated(kind: &'static str, value: &Value) -> Condition {
    Condition::TruncatedIncorrect { kind, value: quoted(value) }
}

/// The type a value of type `ty` has in arithmetic: integers, DECIMAL and DOUBLE are themselves, strings DOUBLE, temporals BIGINT or,
/// with fractional digits, DECIMAL.
pub fn number_type(ty: &ColumnType) -> ColumnType {
    match ty.kind {
        K::Float => ColumnType::double(),
        K::Year | K::Bit => ColumnType::integer(K::BigInt, true),
        K::Date => ColumnType::integer(K::BigInt, false),
        K::Time | K::DateTime | K::Timestamp if ty.scale == 0 => ColumnType::integer(K::BigInt, false),
        K::Time => ColumnType::decimal(7 + ty.scale, ty.scale, false),
        K::DateTime | K::Timestamp => ColumnType::decimal(14 + ty.scale, ty.scale, false),
        _ if ty.is_integer() || matches!(ty.kind, K::Decimal | K::Double) => *ty,
        _ => ColumnType::double(),
    }
}

/// The value in arithmetic, of [`number_type`]`(ty)`.
pub fn to_number(value: &Value, ty: &ColumnType, cx: &Context, warnings: &mut Warnings) -> Value {
    match value {
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::Decimal(_) => value.clone(),
        Value::Float(v) => Value::Double(f64::from(*v)),
        Value::Year(v) => Value::UInt(u64::from(v.get())),
        Value::Bit(v) => Value::UInt(v.number()),
        Value::Choice(v) => Value::Double(v.number() as f64),
        Value::Date(v) => Value::Int(v.to_number()),
        Value::Time(v) if ty.scale == 0 => Value::Int(v.to_number()),
        Value::Time(v) => Value::Decimal(v.to_decimal(ty.scale)),
        Value::DateTime(v) if ty.scale == 0 => Value::Int(v.to_number()),
        Value::DateTime(v) => Value::Decimal(v.to_decimal(ty.scale)),
        Value::Timestamp(v) => to_number(&Value::DateTime(v.to_datetime(cx.zone)), ty, cx, warnings),
        Value::Text(_) | Value::Bytes(_) | Value::Json(_) => {
            Value::Double(to_double(value, cx, warnings).unwrap_or(0.0))
        }
    }
}
