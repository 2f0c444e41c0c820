//! Assignment to DATE, TIME, DATETIME and TIMESTAMP.
//!
//! Strict mode names the value (1292 `Incorrect date value: 'x'`); otherwise what is no date at all is "truncated" (1265), and a date that
//! does not exist or that sql_mode forbids is "out of range" (1264); both store the zero value.

use super::Context;
use super::number::to_decimal;
use super::store::Stored;
use super::temporal::{FoundDateTime, from_decimal, on_day, shift_to_zone, time_from_decimal};
use super::text::to_text;
use crate::condition::{Condition, Level, quoted};
use crate::decimal::Decimal;
use crate::mode::SqlMode;
use crate::temporal::parse::{self, DateRules};
use crate::temporal::time_text::{self, Unreadable};
use crate::temporal::{DateTime, Time, Timestamp};
use crate::types::NOT_FIXED;
use crate::value::Value;

/// What reading a datetime came to.
enum Read {
    /// A value, and whether text or digits were left over.
    Found { value: DateTime, left_over: bool, delimiter: Option<parse::Delimiter> },
    /// No date at all.
    Malformed,
    /// A date that does not exist, or that sql_mode forbids.
    Refused,
    /// Rounding left the calendar.
    Overflow,
}

/// Reads any value as a datetime of `fsp` digits.
fn read(value: &Value, fsp: u8, cx: &Context) -> Read {
    let rules = DateRules::of(cx.mode);
    let cut = cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    let rounded = |value: DateTime, left_over| match value.rounded(fsp, cut) {
        Some(value) => Read::Found { value, left_over, delimiter: None },
        None => Read::Overflow,
    };
    let checked = |value: DateTime| match rules.accept(value.date()) {
        true => rounded(value, false),
        false => Read::Refused,
    };
    match value {
        Value::Date(v) => checked(v.midnight()),
        Value::DateTime(v) => checked(*v),
        Value::Timestamp(v) => checked(v.to_datetime(cx.zone)),
        Value::Time(v) => rounded(on_day(cx.today, *v), false),
        Value::Text(_) | Value::Bytes(_) => {
            read_text(value.as_bytes().unwrap_or_default(), fsp, cut, rules, cx)
        }
        _ => {
            let n = to_decimal(value, cx, &mut Vec::new()).unwrap_or(Decimal::ZERO);
            let date_only = DateRules { no_zero_date: false, no_zero_in_date: false, allow_invalid: true };
            let huge = n.integer_digits() > 14;
            let fits = |value: DateTime| rules.accept(value.date()) && !n.is_negative();
            match from_decimal(&n, date_only) {
                Some(FoundDateTime { value, has_time: true, .. }) if fits(value) => rounded(value, false),
                Some(f) if fits(f.value) && !(f.value.date().is_zero() && f.value != DateTime::ZERO) => {
                    rounded(f.value.date().midnight(), n.truncate(0) != n && !f.value.is_zero())
                }
                Some(f) if f.value.date().is_zero() || n.is_negative() => Read::Refused,
                Some(_) => Read::Malformed,
                None if n.is_negative() || huge => Read::Refused,
                None => Read::Malformed,
            }
        }
    }
}

fn read_text(text: &[u8], fsp: u8, cut: bool, rules: DateRules, cx: &Context) -> Read {
    let lenient = DateRules { no_zero_date: false, no_zero_in_date: false, allow_invalid: true };
    let Some(parsed) = parse::datetime(text, rules) else {
        // '0' and the like are zero dates, not malformed ones.
        let zeros = !text.is_empty() && text.iter().all(|b| *b == b'0');
        return if zeros || parse::datetime(text, lenient).is_some() {
            Read::Refused
        } else {
            Read::Malformed
        };
    };
    let value = match (parsed.offset, parsed.rounded(fsp, cut)) {
        (_, None) => return Read::Overflow,
        (None, Some(value)) => Some(value),
        (Some(offset), Some(value)) => shift_to_zone(value, offset, cx.zone),
    };
    match value {
        Some(value) => Read::Found { value, left_over: parsed.left_over, delimiter: parsed.delimiter },
        None => Read::Refused,
    }
}

/// The condition of a value that is not (quite) what was asked for.
fn condition(kind: &'static str, value: &Value, lax: Condition, cx: &Context) -> Condition {
    if !cx.mode.strict() {
        return lax;
    }
    Condition::Incorrect { kind, value: shown(value) }
}

fn shown(value: &Value) -> String {
    match value.as_bytes() {
        Some(_) => quoted(value),
        None => {
            let whole = match value {
                Value::DateTime(v) => Value::DateTime(v.rounded(0, false).unwrap_or(*v)),
                v => v.clone(),
            };
            let scale = if value.is_temporal() { 0 } else { NOT_FIXED };
            to_text(&whole, scale).as_str().to_owned()
        }
    }
}

/// Common to the three with a date: the value, or zero and why.
fn found(value: &Value, fsp: u8, kind: &'static str, cx: &Context) -> (DateTime, Option<Condition>) {
    match read(value, fsp, cx) {
        Read::Found { value: v, left_over: false, delimiter } => {
            (v, delimiter.map(|delimiter| Condition::Delimiter { delimiter, value: shown(value) }))
        }
        Read::Found { value: v, left_over: true, .. } => {
            (v, Some(condition(kind, value, Condition::Truncated, cx)))
        }
        Read::Malformed => (DateTime::ZERO, Some(condition(kind, value, Condition::Truncated, cx))),
        Read::Refused => (DateTime::ZERO, Some(condition(kind, value, Condition::OutOfRange, cx))),
        Read::Overflow => (DateTime::ZERO, Some(Condition::DatetimeOverflow { function: "datetime" })),
    }
}

fn finish(value: Value, condition: Option<Condition>) -> Stored {
    Stored { value, condition: condition.map(|c| (Level::Warning, c)) }
}

pub(super) fn date(value: &Value, cx: &Context) -> Stored {
    // A datetime with a fraction rounds to seconds first: 23:59:59.9 is the next day.
    let (v, odd) = match value {
        Value::Text(_) | Value::Bytes(_) => found(value, 6, "date", cx),
        _ => found(value, 0, "date", cx),
    };
    let stored = Value::Date(v.date());
    let has_time = v.time_of_day() != Time::ZERO;
    match odd {
        None if has_time => Stored::noted(stored, condition("date", value, Condition::Truncated, cx)),
        odd => finish(stored, odd),
    }
}

pub(super) fn datetime(value: &Value, fsp: u8, cx: &Context) -> Stored {
    let (v, odd) = found(value, fsp, "datetime", cx);
    finish(Value::DateTime(v), odd)
}

fn since_1970(local: DateTime) -> i64 {
    local.to_micros() - crate::temporal::days::EPOCH * crate::temporal::DAY
}

pub(super) fn timestamp(value: &Value, fsp: u8, cx: &Context) -> Stored {
    if let Value::Timestamp(v) = value {
        let shown = v.to_datetime(crate::temporal::Zone::UTC);
        let utc = Context { zone: crate::temporal::Zone::UTC, ..*cx };
        return timestamp(&Value::DateTime(shown), fsp, &utc);
    }
    let (v, odd) = found(value, fsp, "datetime", cx);
    match Timestamp::from_datetime(v, cx.zone) {
        Some(t) if odd.is_none() && !v.is_zero() && cx.zone.leaves_out(since_1970(v)) => {
            finish(Value::Timestamp(t), Some(condition("datetime", value, Condition::InvalidTimestamp, cx)))
        }
        Some(t) => finish(Value::Timestamp(t), odd),
        None => {
            let number = !value.is_temporal() && value.as_bytes().is_none();
            let lax =
                if number && v.date().has_zero_part() { Condition::Truncated } else { Condition::OutOfRange };
            let out = condition("datetime", value, lax, cx);
            finish(Value::Timestamp(Timestamp::ZERO), Some(out))
        }
    }
}

pub(super) fn time(value: &Value, fsp: u8, cx: &Context) -> Stored {
    let cut = cx.mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    let out_of_range =
        |t: Time| finish(Value::Time(t), Some(condition("time", value, Condition::OutOfRange, cx)));
    match value {
        Value::Time(v) => Stored::clean(Value::Time(v.rounded(fsp, cut))),
        Value::Date(_) => Stored::clean(Value::Time(Time::ZERO)),
        Value::DateTime(v) => Stored::clean(Value::Time(v.time_of_day().rounded(fsp, cut))),
        Value::Timestamp(v) => {
            Stored::clean(Value::Time(v.to_datetime(cx.zone).time_of_day().rounded(fsp, cut)))
        }
        Value::Text(_) | Value::Bytes(_) => time_of_text(value, fsp, cut, cx),
        _ => {
            let n = to_decimal(value, cx, &mut Vec::new()).unwrap_or(Decimal::ZERO);
            match time_from_decimal(&n) {
                Some(Ok(t)) if n.integer_digits() > 10 => {
                    let note = condition("time", value, Condition::Truncated, cx);
                    Stored::noted(Value::Time(t.rounded(fsp, cut)), note)
                }
                Some(Ok(t)) => Stored::clean(Value::Time(t.rounded(fsp, cut))),
                Some(Err(t)) => out_of_range(t),
                None => out_of_range(Time::ZERO),
            }
        }
    }
}

fn time_of_text(value: &Value, fsp: u8, cut: bool, cx: &Context) -> Stored {
    let bytes = value.as_bytes().unwrap_or_default();
    let with = |lax| Some(condition("time", value, lax, cx));
    // A whole datetime gives its time, with a note.
    if let Some(parsed) = time_text::whole_datetime(bytes)
        && !parsed.value.date().is_zero()
    {
        let local = parsed.offset.map_or(Some(parsed.value), |o| shift_to_zone(parsed.value, o, cx.zone));
        let time = time_text::ParsedTime::of_day(local.unwrap_or_default(), &parsed);
        let stored = Value::Time(time.rounded(fsp, cut));
        return match parsed.left_over {
            true => finish(stored, with(Condition::Truncated)),
            false => Stored::noted(stored, condition("time", value, Condition::Truncated, cx)),
        };
    }
    match time_text::read(bytes) {
        Ok(p) if p.clamped => finish(Value::Time(p.rounded(fsp, cut)), with(Condition::OutOfRange)),
        Ok(p) if p.truncated => finish(Value::Time(p.rounded(fsp, cut)), with(Condition::Truncated)),
        Ok(p) => Stored::clean(Value::Time(p.rounded(fsp, cut))),
        Err(Unreadable::Exponent) => Stored::clean(Value::Time(Time::ZERO)),
        Err(Unreadable::OutOfRange) => finish(Value::Time(Time::ZERO), with(Condition::OutOfRange)),
        Err(Unreadable::Malformed) if bytes.trim_ascii().is_empty() => Stored::clean(Value::Time(Time::ZERO)),
        Err(Unreadable::Malformed) => finish(Value::Time(Time::ZERO), with(Condition::Truncated)),
    }
}
