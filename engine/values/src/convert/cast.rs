//! CAST and CONVERT: to any column type, never failing: what does not fit is clamped or cut with a warning, and what is no date is NULL.

use super::Context;
use super::number::{Warnings, to_decimal, to_double, to_integer};
use super::temporal::{shift_to_zone, time_from_decimal};
use super::text::append_text;
use crate::condition::{Condition, quoted};
use crate::mode::SqlMode;
use crate::temporal::parse::{self, DateRules};
use crate::temporal::{Time, Timestamp, Year, time_text};
use crate::types::{ColumnType, TypeKind as K};
use crate::value::{Blob, Text, Value};

/// The value as `to`. `from` is the value's own type, for the digits its text has. CHAR without a length is `u32::MAX` long. Text of a
/// number that is out of range for SIGNED or UNSIGNED wraps as in MySQL.
pub fn cast(
    value: &Value,
    from: &ColumnType,
    to: &ColumnType,
    cx: &Context,
    warnings: &mut Warnings,
) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    match to.kind {
        K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt => integer(value, to, cx, warnings),
        K::Decimal => {
            let number = to_decimal(value, cx, warnings).unwrap_or(crate::Decimal::ZERO);
            Value::Decimal(match number.to_column(to.precision(), to.scale) {
                Ok((d, _)) => d,
                Err(clamped) => {
                    warnings.push(Condition::OutOfRange);
                    clamped
                }
            })
        }
        K::Float => {
            let v = to_double(value, cx, warnings).unwrap_or(0.0);
            let limit = f64::from(f32::MAX);
            if v.abs() > limit {
                warnings.push(Condition::OutOfRange);
            }
            Value::Float(v.clamp(-limit, limit) as f32)
        }
        K::Double => Value::Double(to_double(value, cx, warnings).unwrap_or(0.0)),
        K::Date | K::DateTime | K::Timestamp => dated(value, to, cx, warnings),
        K::Time => time(value, to.scale, cx, warnings),
        K::Year => year(value, cx, warnings),
        _ => string(value, from, to, cx, warnings),
    }
}

fn integer(value: &Value, to: &ColumnType, cx: &Context, warnings: &mut Warnings) -> Value {
    let (low, high) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let number = match value {
        Value::Double(v) => (v.round_ties_even() as i128).clamp(low, high),
        Value::Decimal(d) => {
            let exact = d.to_integer().unwrap_or(if d.is_negative() { i128::MIN } else { i128::MAX });
            let top = if to.unsigned { i128::from(u64::MAX) } else { high };
            let clamped = exact.clamp(low, top);
            if clamped != exact {
                warnings.push(Condition::TruncatedIncorrect { kind: "DECIMAL", value: d.to_string() });
            }
            clamped
        }
        _ => {
            let number = to_integer(value, cx, warnings).unwrap_or(0);
            if to.unsigned && number < 0 && value.as_bytes().is_some() {
                warnings.push(Condition::NegativeToUnsigned);
            }
            number
        }
    };
    // Between BIGINT and BIGINT UNSIGNED the bits are kept.
    if to.unsigned { Value::UInt(number as u64) } else { Value::Int(number as i64) }
}

fn incorrect(kind: &'static str, value: &Value) -> Condition {
    let text = match value.as_bytes() {
        Some(_) => quoted(value),
        None => super::text::to_text(value, 0).as_str().to_owned(),
    };
    Condition::TruncatedIncorrect { kind, value: text }
}

fn dated(value: &Value, to: &ColumnType, cx: &Context, warnings: &mut Warnings) -> Value {
    let rules = DateRules::of(cx.mode);
    let cut = cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    let found = match value.as_bytes() {
        Some(bytes) => match parse::datetime(bytes, rules) {
            Some(parsed) => {
                if parsed.left_over {
                    let kind = if parsed.has_time { "datetime" } else { "date" };
                    warnings.push(incorrect(kind, value));
                }
                warnings.extend(super::temporal::delimiter(&parsed, value));
                let fsp = if to.kind == K::Date { 6 } else { to.scale };
                let local = parsed.rounded(fsp, cut);
                match parsed.offset {
                    Some(offset) => local.and_then(|l| shift_to_zone(l, offset, cx.zone)),
                    None => local,
                }
            }
            None => {
                warnings.push(match to.kind {
                    K::Date => incorrect("date", value),
                    _ => Condition::IncorrectInExpression { kind: "datetime", value: quoted(value) },
                });
                return Value::Null;
            }
        },
        None => {
            let Some(found) = super::temporal::to_datetime(value, rules, cx, warnings) else {
                return Value::Null;
            };
            let fsp = if to.kind == K::Date { 6 } else { to.scale };
            found.value.rounded(fsp, cut)
        }
    };
    let Some(local) = found else {
        warnings.push(Condition::DatetimeOverflow { function: "datetime" });
        return Value::Null;
    };
    match to.kind {
        K::Date => Value::Date(local.date()),
        K::Timestamp => Timestamp::from_datetime(local, cx.zone).map_or(Value::Null, Value::Timestamp),
        _ => Value::DateTime(local),
    }
}

fn time(value: &Value, fsp: u8, cx: &Context, warnings: &mut Warnings) -> Value {
    let cut = cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    match value {
        Value::Time(v) => Value::Time(v.rounded(fsp, cut)),
        Value::Date(_) => Value::Time(Time::ZERO),
        Value::DateTime(v) => Value::Time(v.time_of_day().rounded(fsp, cut)),
        Value::Timestamp(v) => Value::Time(v.to_datetime(cx.zone).time_of_day().rounded(fsp, cut)),
        Value::Text(_) | Value::Bytes(_) => match time_text::time(value.as_bytes().unwrap_or_default()) {
            Some(parsed) => {
                if parsed.truncated {
                    warnings.push(incorrect("time", value));
                }
                Value::Time(parsed.rounded(fsp, cut))
            }
            None => {
                warnings.push(incorrect("time", value));
                Value::Null
            }
        },
        _ => {
            let number = to_decimal(value, cx, warnings).unwrap_or(crate::Decimal::ZERO);
            match time_from_decimal(&number) {
                Some(Ok(t)) => Value::Time(t.rounded(fsp, cut)),
                _ => {
                    warnings.push(incorrect("time", value));
                    Value::Null
                }
            }
        }
    }
}

fn year(value: &Value, cx: &Context, warnings: &mut Warnings) -> Value {
    let before = warnings.len();
    let number = match value {
        Value::Date(v) => i128::from(v.year()),
        Value::DateTime(v) => i128::from(v.date().year()),
        Value::Timestamp(v) => i128::from(v.to_datetime(cx.zone).date().year()),
        Value::Time(_) => i128::from(cx.today.year()),
        _ => to_integer(value, cx, warnings).unwrap_or(0),
    };
    let zero_text = value.as_bytes().is_some_and(|b| b.trim_ascii().len() < 4);
    let year = match number {
        0 if zero_text && warnings.len() == before => 2000,
        0 => 0,
        1..=69 => number + 2000,
        70..=99 => number + 1900,
        n => n,
    };
    match u16::try_from(year).ok().and_then(Year::new) {
        Some(year) => Value::Year(year),
        None => {
            warnings.push(incorrect("YEAR", value));
            Value::Null
        }
    }
}

fn string(value: &Value, from: &ColumnType, to: &ColumnType, cx: &Context, warnings: &mut Warnings) -> Value {
    let mut bytes = Vec::new();
    match value {
        Value::Timestamp(v) => append_text(&Value::DateTime(v.to_datetime(cx.zone)), from.scale, &mut bytes),
        _ => append_text(value, from.scale, &mut bytes),
    }
    let room = to.length as usize;
    if to.is_binary() {
        if bytes.len() > room {
            bytes.truncate(room);
            warnings.push(incorrect("BINARY", value).with_length(room));
        } else if to.kind == K::Binary && room < 1 << 24 {
            bytes.resize(room, 0);
        }
        return Value::Bytes(Blob::from(bytes));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => {
            let value = quoted(value);
            warnings.push(Condition::InvalidCharacters { value });
            return Value::Null;
        }
    };
    match text.char_indices().nth(room) {
        Some((end, _)) => {
            warnings.push(incorrect("CHAR", value).with_length(room));
            Value::Text(Text::new(&text[..end]))
        }
        None => match value {
            Value::Text(t) => Value::Text(t.clone()),
            _ => Value::Text(Text::from(text)),
        },
    }
}
