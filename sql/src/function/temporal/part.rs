//! Parts of dates and times: YEAR to MICROSECOND, weeks, names, LAST_DAY.

use super::{date_argument, datetime_argument, day_rules, part_rules, time_argument, week};
use crate::error::Result;
use crate::expr::{Eval, Ty, Typed};
use values::temporal::{DAY, DateRules, SECOND, days, month_name};
use values::{Date, Time, Value};

/// A part that zero dates have too.
pub(super) fn of_date(args: &[Typed], e: &mut Eval<'_>, part: fn(Date) -> u32) -> Result<Value> {
    let rules = part_rules(e);
    let at = date_argument(&args[0], rules, e)?;
    Ok(at.map_or(Value::Null, |d| Value::Int(i64::from(part(d.date())))))
}

pub(super) fn year(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let rules = part_rules(e);
    let at = date_argument(&args[0], rules, e)?;
    Ok(at.map_or(Value::Null, |d| Value::UInt(u64::from(d.date().year()))))
}

/// A part of a day of the calendar.
pub(super) fn of_day(args: &[Typed], e: &mut Eval<'_>, part: fn(Date) -> u32) -> Result<Value> {
    let at = date_argument(&args[0], day_rules(), e)?;
    Ok(at.map_or(Value::Null, |d| Value::Int(i64::from(part(d.date())))))
}

pub(super) fn of_time(args: &[Typed], e: &mut Eval<'_>, part: fn(Time) -> u32) -> Result<Value> {
    Ok(time_argument(&args[0], e)?.map_or(Value::Null, |t| Value::Int(i64::from(part(t)))))
}

pub(super) fn date(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let rules = DateRules::of(e.context.settings.sql_mode);
    Ok(date_argument(&args[0], rules, e)?.map_or(Value::Null, |d| Value::Date(d.date())))
}

pub(super) fn time(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(time_argument(&args[0], e)?.map_or(Value::Null, |t| Value::Time(t.rounded(ty.col.scale, false))))
}

pub(super) fn dayname(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let at = date_argument(&args[0], day_rules(), e)?;
    Ok(at.map_or(Value::Null, |d| Value::text(day_name(d.date()))))
}

/// The English name of a date's weekday.
pub(super) fn day_name(date: Date) -> &'static str {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES[days::weekday(date.to_days()) as usize]
}

pub(super) fn monthname(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let rules = part_rules(e);
    let at = date_argument(&args[0], rules, e)?;
    Ok(match at.map(|d| d.date().month()) {
        Some(month @ 1..) => Value::text(month_name(month as usize - 1)),
        _ => Value::Null,
    })
}

pub(super) fn last_day(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    // The day itself may be zero or overlong.
    let rules = DateRules { no_zero_in_date: false, ..day_rules() };
    let Some(at) = date_argument(&args[0], rules, e)? else { return Ok(Value::Null) };
    let date = at.date();
    if date.month() == 0 {
        let value = values::convert::text::to_text(&Value::Date(date), 0).as_str().to_owned();
        e.context.raise(&values::Condition::TruncatedIncorrect { kind: "date", value }, "")?;
        return Ok(Value::Null);
    }
    Ok(Value::Date(Date::new(date.year(), date.month(), days::in_month(date.year(), date.month()))))
}

pub(super) fn to_seconds(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let at = datetime_argument(&args[0], day_rules(), e)?;
    let seconds =
        |d: values::DateTime| d.date().to_days() * (DAY / SECOND) + d.time_of_day().micros() / SECOND;
    Ok(at.map_or(Value::Null, |d| Value::Int(seconds(d))))
}

/// The second argument, or default_week_format.
fn mode(args: &[Typed], default: u8, e: &mut Eval<'_>) -> Result<u8> {
    let Some(arg) = args.get(1) else { return Ok(default) };
    Ok((arg.integer(e)?.unwrap_or(0) & 7) as u8)
}

pub(super) fn week_number(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(at) = date_argument(&args[0], day_rules(), e)? else { return Ok(Value::Null) };
    let mode = mode(args, e.context.settings.default_week_format, e)?;
    Ok(Value::Int(i64::from(week(at.date(), mode).1)))
}

/// Weeks of YEARWEEK are 1 to 53: the first days of January may belong to the year before.
pub(super) fn yearweek(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(at) = date_argument(&args[0], day_rules(), e)? else { return Ok(Value::Null) };
    let (year, week) = week(at.date(), mode(args, 0, e)? | 2);
    Ok(Value::Int(i64::from(year * 100 + week)))
}
