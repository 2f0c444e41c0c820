//! Dates and times out of numbers: MAKEDATE, MAKETIME, FROM_DAYS, SEC_TO_TIME, periods.

use super::{incorrect_arguments, out_of_range, time_argument};
use crate::error::Result;
use crate::expr::{Eval, Ty, Typed};
use values::convert::number::to_decimal;
use values::convert::text::to_text;
use values::temporal::SECOND;
use values::{Condition, Date, Decimal, Time, Value};

pub(super) fn from_days(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(n) = args[0].integer(e)? else { return Ok(Value::Null) };
    match i64::try_from(n).ok().and_then(Date::from_days) {
        Some(date) => Ok(Value::Date(date)),
        None => out_of_range("DATE", "from_days", args, e),
    }
}

/// Day 1 and later of a year; years of two digits are 1970 to 2069.
pub(super) fn makedate(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(year), Some(day)) = (args[0].integer(e)?, args[1].integer(e)?) else { return Ok(Value::Null) };
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    if !(0..=9999).contains(&year) || day < 1 {
        return Ok(Value::Null);
    }
    let first = Date::new(year as u32, 1, 1).to_days();
    let number = i64::try_from(day).ok().and_then(|d| first.checked_add(d - 1));
    Ok(number.and_then(Date::from_days).map_or(Value::Null, Value::Date))
}

/// A number of microseconds as a TIME; clamped with a warning that shows `text`.
fn clamped(micros: i128, text: impl FnOnce() -> String, e: &mut Eval<'_>) -> Result<Value> {
    let (time, outside) = match i64::try_from(micros) {
        Ok(m) => Time::clamped(m),
        Err(_) => (if micros < 0 { Time::MIN } else { Time::MAX }, true),
    };
    if outside {
        e.context.raise(&Condition::TruncatedIncorrect { kind: "time", value: text() }, "")?;
    }
    Ok(Value::Time(time))
}

pub(super) fn maketime(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(hours), Some(minutes)) = (args[0].integer(e)?, args[1].integer(e)?) else {
        return Ok(Value::Null);
    };
    let value = args[2].eval(e)?;
    let Some(seconds) = e.with(|cx, warnings| to_decimal(&value, cx, warnings))? else {
        return Ok(Value::Null);
    };
    let seconds = seconds.round(i32::from(ty.col.scale));
    if !(0..60).contains(&minutes) || seconds.is_negative() || seconds >= Decimal::from(60_i64) {
        return Ok(Value::Null);
    }
    let micros = seconds.mul(&Decimal::from(SECOND)).and_then(|m| m.to_integer()).unwrap_or(0);
    let total = (hours.abs() * 3600 + minutes * 60) * i128::from(SECOND) + micros;
    let signed = if hours < 0 { -total } else { total };
    clamped(signed, || format!("{hours:02}:{minutes:02}:{:0>2}", seconds.to_string()), e)
}

pub(super) fn sec_to_time(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].eval(e)?;
    let Some(seconds) = e.with(|cx, warnings| to_decimal(&value, cx, warnings))? else {
        return Ok(Value::Null);
    };
    let micros =
        seconds.round(i32::from(ty.col.scale)).mul(&Decimal::from(SECOND)).and_then(|m| m.to_integer());
    let far = if seconds.is_negative() { i128::MIN } else { i128::MAX };
    clamped(micros.unwrap_or(far), || to_text(&value, 0).as_str().to_owned(), e)
}

pub(super) fn time_to_sec(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(time_argument(&args[0], e)?.map_or(Value::Null, |t| Value::Int(t.micros() / SECOND)))
}

/// A period YYMM or YYYYMM as months; 1210 if it is none.
fn months(period: i128, name: &str) -> Result<i128> {
    let (year, month) = (period / 100, period % 100);
    if period <= 0 || !(1..=12).contains(&month) {
        return Err(incorrect_arguments(name));
    }
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    Ok(year * 12 + month - 1)
}

pub(super) fn period_add(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(period), Some(count)) = (args[0].integer(e)?, args[1].integer(e)?) else {
        return Ok(Value::Null);
    };
    let total = months(period, "period_add")? + count;
    Ok(i64::try_from(total / 12 * 100 + total % 12 + 1).map_or(Value::Null, Value::Int))
}

pub(super) fn period_diff(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(a), Some(b)) = (args[0].integer(e)?, args[1].integer(e)?) else { return Ok(Value::Null) };
    let difference = months(a, "period_diff")? - months(b, "period_diff")?;
    Ok(i64::try_from(difference).map_or(Value::Null, Value::Int))
}
