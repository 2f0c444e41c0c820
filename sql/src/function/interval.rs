//! Date arithmetic: expr ± INTERVAL n unit, EXTRACT, TIMESTAMPDIFF.

use crate::ast::Unit as Written;
use crate::error::Result;
use crate::expr::ty::Class;
use crate::expr::{Eval, Ty, Typed};
use values::convert::number::{to_decimal, to_integer};
use values::convert::temporal::{to_datetime, to_time};
use values::temporal::time_text::whole_datetime;
use values::temporal::{DAY, DateRules, Interval, SECOND, Unit};
use values::{Collation, ColumnType, Condition, DateTime, TypeKind, Value};

/// The engine's unit of a written one.
pub(crate) fn unit(written: Written) -> Unit {
    let name = match written {
        Written::Microsecond => "MICROSECOND",
        Written::Second => "SECOND",
        Written::Minute => "MINUTE",
        Written::Hour => "HOUR",
        Written::Day => "DAY",
        Written::Week => "WEEK",
        Written::Month => "MONTH",
        Written::Quarter => "QUARTER",
        Written::Year => "YEAR",
        Written::SecondMicrosecond => "SECOND_MICROSECOND",
        Written::MinuteMicrosecond => "MINUTE_MICROSECOND",
        Written::MinuteSecond => "MINUTE_SECOND",
        Written::HourMicrosecond => "HOUR_MICROSECOND",
        Written::HourSecond => "HOUR_SECOND",
        Written::HourMinute => "HOUR_MINUTE",
        Written::DayMicrosecond => "DAY_MICROSECOND",
        Written::DaySecond => "DAY_SECOND",
        Written::DayMinute => "DAY_MINUTE",
        Written::DayHour => "DAY_HOUR",
        Written::YearMonth => "YEAR_MONTH",
    };
    Unit::from_name(name).expect("invariant: the units of the grammar are the engine's")
}

/// The type of `expr ± INTERVAL amount unit`.
pub(crate) fn add_type(expr: &Ty, amount: &Ty, written: Written, connection: Collation) -> Ty {
    let unit = unit(written);
    let fraction = if unit.has_micros() {
        6
    } else if written == Written::Second {
        amount.scale().min(6) as u8
    } else {
        0
    };
    match expr.class() {
        Class::Date if unit.keeps_date() => Ty::temporal(TypeKind::Date, 0),
        Class::Date => Ty::temporal(TypeKind::DateTime, fraction),
        Class::DateTime => Ty::temporal(TypeKind::DateTime, expr.col.scale.max(fraction)),
        Class::Time if of_clock(written) => Ty::temporal(TypeKind::Time, expr.col.scale.max(fraction)),
        Class::Time => Ty::temporal(TypeKind::DateTime, expr.col.scale.max(fraction)),
        _ => Ty::of(ColumnType::char(29, connection), true),
    }
}

/// A TIME stays one when hours and less are added; days make a datetime of today.
fn of_clock(written: Written) -> bool {
    use Written::{DayHour, DayMicrosecond, DayMinute, DaySecond};
    !unit(written).keeps_date() && !matches!(written, DayHour | DayMinute | DaySecond | DayMicrosecond)
}

/// The type of `EXTRACT(unit FROM ...)`: as wide as the unit's digits and a sign.
pub(crate) fn extract_type(written: Written) -> Ty {
    Ty::int(match written {
        Written::Quarter => 2,
        Written::Second | Written::Minute | Written::Day | Written::Week | Written::Month => 3,
        Written::Hour => 4,
        Written::Year | Written::MinuteSecond => 5,
        Written::HourMinute => 6,
        Written::Microsecond | Written::YearMonth => 7,
        Written::HourSecond => 8,
        Written::SecondMicrosecond | Written::DayHour => 9,
        Written::MinuteMicrosecond | Written::DayMinute => 11,
        Written::DaySecond => 13,
        Written::HourMicrosecond => 14,
        Written::DayMicrosecond => 20,
    })
}

fn interval(amount: &Typed, written: Written, e: &mut Eval<'_>) -> Result<Option<Interval>> {
    let unit = unit(written);
    if unit.is_compound() {
        return Ok(amount.text(e)?.map(|text| Interval::parse(unit, text.as_str())));
    }
    let value = amount.eval(e)?;
    if written == Written::Second {
        let seconds = e.with(|cx, warnings| to_decimal(&value, cx, warnings))?;
        return Ok(seconds.and_then(|s| Interval::seconds(&s)));
    }
    let count = e.with(|cx, warnings| to_integer(&value, cx, warnings))?;
    Ok(count.and_then(|n| i64::try_from(n).ok()).map(|n| Interval::of(unit, n)))
}

pub(crate) fn add(
    expr: &Typed,
    amount: &Typed,
    written: Written,
    negate: bool,
    ty: &Ty,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let Some(interval) = interval(amount, written, e)? else { return Ok(Value::Null) };
    let interval = if negate { interval.negate() } else { interval };
    if let (Value::Time(time), Class::Time) = (&value, ty.class()) {
        return match time.plus_interval(interval) {
            Some(time) => Ok(Value::Time(time)),
            None => overflow("time", e),
        };
    }
    let rules = DateRules::of(e.context.settings.sql_mode);
    let Some(found) = e.with(|cx, warnings| to_datetime(&value, rules, cx, warnings))? else {
        return Ok(Value::Null);
    };
    let Some(moved) = found.value.plus(interval) else { return overflow("datetime", e) };
    Ok(match ty.class() {
        Class::Date => Value::Date(moved.date()),
        Class::DateTime => Value::DateTime(moved),
        // A text in, a text out: a date stays a date when the unit leaves its time alone.
        _ => {
            let dated = !found.has_time && unit(written).keeps_date();
            let fsp = if moved.micros() == 0 { 0 } else { 6 };
            let value = if dated { Value::Date(moved.date()) } else { Value::DateTime(moved) };
            Value::Text(values::convert::text::to_text(&value, fsp))
        }
    })
}

fn overflow(function: &'static str, e: &mut Eval<'_>) -> Result<Value> {
    e.context.raise(&Condition::DatetimeOverflow { function }, "")?;
    Ok(Value::Null)
}

pub(crate) fn extract(written: Written, expr: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    // Units of the clock read a text without a date as a time.
    let dated = unit(written).keeps_date();
    let clock = match &value {
        Value::Time(_) => !dated,
        _ => !dated && value.as_bytes().is_some_and(|b| whole_datetime(b).is_none() && !has_date(b)),
    };
    if clock {
        let time = e.with(|cx, warnings| to_time(&value, cx, warnings))?;
        return Ok(time.map_or(Value::Null, |(t, _)| Value::Int(extract_time(written, t))));
    }
    let any = DateRules::default();
    let found = e.with(|cx, warnings| to_datetime(&value, any, cx, warnings))?;
    Ok(found.map_or(Value::Null, |f| Value::Int(extract_datetime(written, f.value))))
}

/// Text like 2024-01-02.
fn has_date(text: &[u8]) -> bool {
    text.iter().skip(1).filter(|b| **b == b'-').count() == 2
}

fn extract_time(written: Written, t: values::Time) -> i64 {
    let sign = if t.is_negative() { -1 } else { 1 };
    let (h, m, s, us) =
        (i64::from(t.hours()), i64::from(t.minute()), i64::from(t.second()), i64::from(t.fraction()));
    sign * clock(written, 0, h, m, s, us).unwrap_or(0)
}

fn extract_datetime(written: Written, d: DateTime) -> i64 {
    let date = d.date();
    let (y, mo, day) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    match written {
        Written::Year => y,
        Written::Quarter => (mo + 2) / 3,
        Written::Month => mo,
        Written::YearMonth => y * 100 + mo,
        Written::Week => i64::from(super::temporal::week(date, 0).1),
        Written::Day => day,
        _ => {
            let (h, m, s, us) = (d.hour(), d.minute(), d.second(), d.micros());
            clock(written, day, i64::from(h), i64::from(m), i64::from(s), i64::from(us)).unwrap_or(0)
        }
    }
}

/// The fields of a clock unit as one decimal number, as EXTRACT writes them.
fn clock(written: Written, day: i64, h: i64, m: i64, s: i64, us: i64) -> Option<i64> {
    let hms = h * 10_000 + m * 100 + s;
    Some(match written {
        Written::Microsecond => us,
        Written::Second => s,
        Written::Minute => m,
        Written::Hour => h,
        Written::SecondMicrosecond => s * SECOND + us,
        Written::MinuteMicrosecond => (m * 100 + s) * SECOND + us,
        Written::MinuteSecond => m * 100 + s,
        Written::HourMicrosecond => hms * SECOND + us,
        Written::HourSecond => hms,
        Written::HourMinute => h * 100 + m,
        Written::DayMicrosecond => (day * SECOND + hms) * SECOND + us,
        Written::DaySecond => day * SECOND + hms,
        Written::DayMinute => (day * 100 + h) * 100 + m,
        Written::DayHour => day * 100 + h,
        _ => return None,
    })
}

pub(crate) fn difference(written: Written, from: &Typed, to: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let any = DateRules { no_zero_date: true, no_zero_in_date: true, ..DateRules::default() };
    let mut ends = Vec::with_capacity(2);
    for side in [from, to] {
        let value = side.eval(e)?;
        match e.with(|cx, warnings| to_datetime(&value, any, cx, warnings))? {
            Some(found) => ends.push(found.value),
            None => return Ok(Value::Null),
        }
    }
    let (a, b) = (ends[0], ends[1]);
    let micros = b.to_micros() - a.to_micros();
    Ok(Value::Int(match written {
        Written::Microsecond => micros,
        Written::Second => micros / SECOND,
        Written::Minute => micros / (60 * SECOND),
        Written::Hour => micros / (3600 * SECOND),
        Written::Day => micros / DAY,
        Written::Week => micros / (7 * DAY),
        Written::Month => months_between(a, b),
        Written::Quarter => months_between(a, b) / 3,
        _ => months_between(a, b) / 12,
    }))
}

/// Whole months from `a` to `b`.
fn months_between(a: DateTime, b: DateTime) -> i64 {
    if b < a {
        return -months_between(b, a);
    }
    let index = |d: DateTime| i64::from(d.date().year()) * 12 + i64::from(d.date().month());
    let rest = |d: DateTime| (d.date().day(), d.time_of_day());
    index(b) - index(a) - i64::from(rest(b) < rest(a))
}
