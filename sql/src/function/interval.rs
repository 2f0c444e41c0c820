//! Date arithmetic: expr ± INTERVAL n unit, EXTRACT, TIMESTAMPDIFF.

use crate::error::Result;
use crate::expr::ty::Class;
use crate::expr::{Eval, Ty, Typed};
use values::convert::number::{to_decimal, to_integer};
use values::convert::temporal::{to_datetime, to_time};
use values::temporal::time_text::whole_datetime;
use values::temporal::{DAY, DateRules, Interval, SECOND, Unit};
use values::{Collation, ColumnType, Condition, DateTime, TypeKind, Value};

/// The type of `expr ± INTERVAL amount unit`.
pub(crate) fn add_type(expr: &Ty, amount: &Ty, unit: Unit, connection: Collation) -> Ty {
    let fraction = if unit.has_micros() {
        6
    } else if unit == Unit::Second {
        amount.scale().min(6) as u8
    } else {
        0
    };
    match expr.class() {
        Class::Date if unit.keeps_date() => Ty::temporal(TypeKind::Date, 0),
        Class::Date => Ty::temporal(TypeKind::DateTime, fraction),
        Class::DateTime => Ty::temporal(TypeKind::DateTime, expr.col.scale.max(fraction)),
        Class::Time if of_clock(unit) => Ty::temporal(TypeKind::Time, expr.col.scale.max(fraction)),
        Class::Time => Ty::temporal(TypeKind::DateTime, expr.col.scale.max(fraction)),
        _ => Ty::of(ColumnType::char(29, connection), true),
    }
}

/// A TIME stays one when hours and less are added; days make a datetime of today.
fn of_clock(unit: Unit) -> bool {
    use Unit::{DayHour, DayMicrosecond, DayMinute, DaySecond};
    !unit.keeps_date() && !matches!(unit, DayHour | DayMinute | DaySecond | DayMicrosecond)
}

/// The type of `EXTRACT(unit FROM ...)`: as wide as the unit's digits and a sign.
pub(crate) fn extract_type(unit: Unit) -> Ty {
    Ty::int(match unit {
        Unit::Quarter => 2,
        Unit::Second | Unit::Minute | Unit::Day | Unit::Week | Unit::Month => 3,
        Unit::Hour => 4,
        Unit::Year | Unit::MinuteSecond => 5,
        Unit::HourMinute => 6,
        Unit::Microsecond | Unit::YearMonth => 7,
        Unit::HourSecond => 8,
        Unit::SecondMicrosecond | Unit::DayHour => 9,
        Unit::MinuteMicrosecond | Unit::DayMinute => 11,
        Unit::DaySecond => 13,
        Unit::HourMicrosecond => 14,
        Unit::DayMicrosecond => 20,
    })
}

fn interval(amount: &Typed, unit: Unit, e: &mut Eval<'_>) -> Result<Option<Interval>> {
    if unit.is_compound() {
        return Ok(amount.text(e)?.map(|text| Interval::parse(unit, text.as_str())));
    }
    let value = amount.eval(e)?;
    if unit == Unit::Second {
        let seconds = e.with(|cx, warnings| to_decimal(&value, cx, warnings))?;
        return Ok(seconds.and_then(|s| Interval::seconds(&s)));
    }
    let count = e.with(|cx, warnings| to_integer(&value, cx, warnings))?;
    Ok(count.and_then(|n| i64::try_from(n).ok()).map(|n| Interval::of(unit, n)))
}

pub(crate) fn add(
    expr: &Typed,
    amount: &Typed,
    unit: Unit,
    negate: bool,
    ty: &Ty,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let value = moved(expr, amount, unit, negate, ty, e)?;
    Ok(match (&value, ty.is_text()) {
        (Value::DateTime(at), true) => {
            Value::Text(values::convert::text::to_text(&value, if at.micros() == 0 { 0 } else { 6 }))
        }
        (Value::Date(_), true) => Value::Text(values::convert::text::to_text(&value, 0)),
        _ => value,
    })
}

/// The same as a date or time, where [`add`] makes a text of it.
pub(crate) fn moved(
    expr: &Typed,
    amount: &Typed,
    unit: Unit,
    negate: bool,
    ty: &Ty,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let Some(interval) = interval(amount, unit, e)? else { return Ok(Value::Null) };
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
            let dated = !found.has_time && unit.keeps_date();
            if dated { Value::Date(moved.date()) } else { Value::DateTime(moved) }
        }
    })
}

fn overflow(function: &'static str, e: &mut Eval<'_>) -> Result<Value> {
    e.context.raise(&Condition::DatetimeOverflow { function }, "")?;
    Ok(Value::Null)
}

pub(crate) fn extract(unit: Unit, expr: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    // Units of the clock read a text without a date as a time.
    let dated = unit.keeps_date();
    let clock = match &value {
        Value::Time(_) => !dated,
        _ => !dated && value.as_bytes().is_some_and(|b| whole_datetime(b).is_none() && !has_date(b)),
    };
    if clock {
        let time = e.with(|cx, warnings| to_time(&value, cx, warnings))?;
        return Ok(time.map_or(Value::Null, |(t, _)| Value::Int(extract_time(unit, t))));
    }
    let any = DateRules::default();
    let found = e.with(|cx, warnings| to_datetime(&value, any, cx, warnings))?;
    Ok(found.map_or(Value::Null, |f| Value::Int(extract_datetime(unit, f.value))))
}

/// Text like 2024-01-02.
fn has_date(text: &[u8]) -> bool {
    text.iter().skip(1).filter(|b| **b == b'-').count() == 2
}

fn extract_time(unit: Unit, t: values::Time) -> i64 {
    let sign = if t.is_negative() { -1 } else { 1 };
    let (h, m, s, us) =
        (i64::from(t.hours()), i64::from(t.minute()), i64::from(t.second()), i64::from(t.fraction()));
    sign * clock(unit, 0, h, m, s, us).unwrap_or(0)
}

fn extract_datetime(unit: Unit, d: DateTime) -> i64 {
    let date = d.date();
    let (y, mo, day) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
    match unit {
        Unit::Year => y,
        Unit::Quarter => (mo + 2) / 3,
        Unit::Month => mo,
        Unit::YearMonth => y * 100 + mo,
        Unit::Week => i64::from(super::temporal::week(date, 0).1),
        Unit::Day => day,
        _ => {
            let (h, m, s, us) = (d.hour(), d.minute(), d.second(), d.micros());
            clock(unit, day, i64::from(h), i64::from(m), i64::from(s), i64::from(us)).unwrap_or(0)
        }
    }
}

/// The fields of a clock unit as one decimal number, as EXTRACT writes them.
fn clock(unit: Unit, day: i64, h: i64, m: i64, s: i64, us: i64) -> Option<i64> {
    let hms = h * 10_000 + m * 100 + s;
    Some(match unit {
        Unit::Microsecond => us,
        Unit::Second => s,
        Unit::Minute => m,
        Unit::Hour => h,
        Unit::SecondMicrosecond => s * SECOND + us,
        Unit::MinuteMicrosecond => (m * 100 + s) * SECOND + us,
        Unit::MinuteSecond => m * 100 + s,
        Unit::HourMicrosecond => hms * SECOND + us,
        Unit::HourSecond => hms,
        Unit::HourMinute => h * 100 + m,
        Unit::DayMicrosecond => (day * SECOND + hms) * SECOND + us,
        Unit::DaySecond => day * SECOND + hms,
        Unit::DayMinute => (day * 100 + h) * 100 + m,
        Unit::DayHour => day * 100 + h,
        _ => return None,
    })
}

pub(crate) fn difference(unit: Unit, from: &Typed, to: &Typed, e: &mut Eval<'_>) -> Result<Value> {
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
    Ok(Value::Int(match unit {
        Unit::Microsecond => micros,
        Unit::Second => micros / SECOND,
        Unit::Minute => micros / (60 * SECOND),
        Unit::Hour => micros / (3600 * SECOND),
        Unit::Day => micros / DAY,
        Unit::Week => micros / (7 * DAY),
        Unit::Month => months_between(a, b),
        Unit::Quarter => months_between(a, b) / 3,
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
