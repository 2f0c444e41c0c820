//! Any value as DATE, TIME or DATETIME, within an expression. What is none gives `None`, and a warning.

use super::Context;
use super::number::Warnings;
use super::text::to_text;
use crate::condition::{Condition, quoted};
use crate::mode::SqlMode;
use crate::temporal::parse::{self, DateRules};
use crate::temporal::{DAY, Date, DateTime, Time, Zone, time_text};
use crate::value::Value;

/// A datetime and how it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundDateTime {
    /// The value, in microseconds.
    pub value: DateTime,
    /// Fractional digits given.
    pub fsp: u8,
    /// Hours were given (or the value was a DATETIME).
    pub has_time: bool,
}

/// The value as a datetime under `rules`.
pub fn to_datetime(
    value: &Value,
    rules: DateRules,
    cx: &Context,
    warnings: &mut Warnings,
) -> Option<FoundDateTime> {
    let found = |value, has_time| Some(FoundDateTime { value, fsp: fsp_of(value), has_time });
    let checked = |value: DateTime, has_time| match rules.accept(value.date()) {
        true => found(value, has_time),
        false => None,
    };
    let result = match value {
        Value::Null => return None,
        Value::Date(v) => checked(v.midnight(), false),
        Value::DateTime(v) => checked(*v, true),
        Value::Timestamp(v) => checked(v.to_datetime(cx.zone), true),
        Value::Time(v) => found(on_day(cx.today, *v), true),
        Value::Text(_) | Value::Bytes(_) => return from_text(value, rules, cx, warnings),
        Value::Json(_) => {
            let text = crate::json::Json::of(value).unquoted();
            return from_text(&Value::text(&text), rules, cx, warnings);
        }
        Value::Choice(c) => return from_text(&Value::text(&c.text()), rules, cx, warnings),
        // The first day of it.
        Value::Year(v) => found(Date::new(u32::from(v.get()), 1, 1).midnight(), true),
        _ => {
            let n = super::number::to_decimal(value, cx, warnings)?;
            from_decimal(&n, rules)
        }
    };
    if result.is_none() {
        let digits = if value.is_temporal() { 0 } else { crate::types::NOT_FIXED };
        let text = to_text(value, digits).as_str().to_owned();
        warnings.push(Condition::IncorrectInExpression { kind: "datetime", value: text });
    }
    result
}

/// A number below 101 as functions of one part of a date read it: the day of a month 0 of the year 2000. Elsewhere it is no date.
pub fn short_date(value: &Value) -> Option<DateTime> {
    let number = match value {
        Value::Int(v) => u64::try_from(*v).ok()?,
        Value::UInt(v) => *v,
        Value::Decimal(v) => u64::try_from(v.truncate(0).to_integer()?).ok()?,
        Value::Double(v) if (-1.0..101.0).contains(v) => v.trunc().abs() as u64,
        _ => return None,
    };
    match number {
        100 => Some(Date::new(2000, 1, 0).midnight()),
        0..=31 => Some(Date::new(2000, 0, number as u32).midnight()),
        _ => None,
    }
}

/// A number YYYYMMDD[hhmmss[.ffffff]].
pub fn from_decimal(n: &crate::decimal::Decimal, rules: DateRules) -> Option<FoundDateTime> {
    let whole = i64::try_from(n.truncate(0).to_integer()?).ok()?;
    let (value, has_time) = DateTime::from_number(whole, rules)?;
    let micros =
        n.sub(&n.truncate(0))?.mul(&crate::decimal::Decimal::from(1_000_000_i64))?.round(0).to_integer()?;
    let micros = u64::try_from(micros).ok()?;
    let value = if micros >= 1_000_000 {
        value.plus_one_second()?
    } else {
        DateTime::from_bits(value.bits() + micros)?
    };
    Some(FoundDateTime { value, fsp: n.scale().min(6), has_time })
}

fn from_text(
    value: &Value,
    rules: DateRules,
    cx: &Context,
    warnings: &mut Warnings,
) -> Option<FoundDateTime> {
    let bytes = value.as_bytes().unwrap_or_default();
    let Some(parsed) = parse::datetime(bytes, rules) else {
        warnings.push(Condition::IncorrectInExpression { kind: "datetime", value: quoted(value) });
        return None;
    };
    if parsed.left_over {
        warnings.push(Condition::TruncatedIncorrect { kind: "datetime", value: quoted(value) });
    }
    warnings.extend(delimiter(&parsed, value));
    let value = parsed.rounded(6, cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL))?;
    let value = match parsed.offset {
        Some(offset) => shift_to_zone(value, offset, cx.zone)?,
        None => value,
    };
    Some(FoundDateTime { value, fsp: parsed.fsp, has_time: parsed.has_time })
}

/// What to say of the delimiters of a text that was read.
pub fn delimiter(parsed: &parse::ParsedDateTime, value: &Value) -> Option<Condition> {
    parsed.delimiter.map(|delimiter| Condition::Delimiter { delimiter, value: quoted(value) })
}

/// A literal with an offset, as the session's clock shows it.
pub fn shift_to_zone(value: DateTime, offset: i32, zone: Zone) -> Option<DateTime> {
    let epoch = crate::temporal::days::EPOCH * crate::temporal::DAY;
    let utc = value.to_micros() - epoch - i64::from(offset) * crate::temporal::SECOND;
    DateTime::from_micros(utc + zone.offset_micros(utc) + epoch)
}

/// The value as a date: the date part of its datetime.
pub fn to_date(value: &Value, rules: DateRules, cx: &Context, warnings: &mut Warnings) -> Option<Date> {
    to_datetime(value, rules, cx, warnings).map(|f| f.value.date())
}

/// The value as a time, and the fractional digits given.
pub fn to_time(value: &Value, cx: &Context, warnings: &mut Warnings) -> Option<(Time, u8)> {
    let simple = |t: Time| {
        Some((t, (0..6).find(|f| i64::from(t.fraction()) % crate::temporal::unit(*f) == 0).unwrap_or(6)))
    };
    match value {
        Value::Null => None,
        Value::Time(v) => simple(*v),
        Value::Date(_) => Some((Time::ZERO, 0)),
        Value::DateTime(v) => simple(v.time_of_day()),
        Value::Timestamp(v) => simple(v.to_datetime(cx.zone).time_of_day()),
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let parsed = time_text::time(bytes);
            if parsed.is_none_or(|p| p.truncated) {
                warnings.push(Condition::TruncatedIncorrect { kind: "time", value: quoted(value) });
            }
            if let Some(whole) = time_text::whole_datetime(bytes) {
                warnings.extend(delimiter(&whole, value));
            }
            parsed.map(|p| (p.rounded(6, cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL)), p.fsp))
        }
        _ => {
            let n = super::number::to_decimal(value, cx, warnings)?;
            let time = time_from_decimal(&n);
            if !matches!(time, Some(Ok(_))) {
                warnings.push(Condition::TruncatedIncorrect { kind: "time", value: n.to_string() });
            }
            match time? {
                Ok(t) => Some((t, n.scale().min(6))),
                Err(_) => None,
            }
        }
    }
}

/// A number hhmmss[.ffffff]. `Err` holds the clamped value of one too large.
pub fn time_from_decimal(n: &crate::decimal::Decimal) -> Option<Result<Time, Time>> {
    let whole = n.truncate(0);
    let clamped = if n.is_negative() { Time::MIN } else { Time::MAX };
    let Some(number) = whole.to_integer().and_then(|w| i64::try_from(w).ok()) else {
        return Some(Err(clamped));
    };
    let micros = n.sub(&whole)?.mul(&crate::decimal::Decimal::from(1_000_000_i64))?.round(0).to_integer()?;
    Some(match Time::from_number(number)? {
        Ok(time) => match time.plus(i64::try_from(micros).unwrap_or(0)) {
            (t, false) => Ok(t),
            (t, true) => Err(t),
        },
        Err(t) => Err(t),
    })
}

/// A TIME as a datetime: so much after this day's midnight.
pub fn on_day(today: Date, time: Time) -> DateTime {
    let micros = today.to_days() * DAY + time.micros();
    DateTime::from_micros(micros).unwrap_or(DateTime::ZERO)
}

/// Fractional digits that are not zero.
fn fsp_of(value: DateTime) -> u8 {
    (0..6).find(|f| i64::from(value.micros()) % crate::temporal::unit(*f) == 0).unwrap_or(6)
}
