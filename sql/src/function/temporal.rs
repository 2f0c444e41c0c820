//! Temporal functions: what they are called, and how they read their arguments.
//!
//! Text that is no date answers NULL with a warning. Functions of one part (YEAR, MONTH, DAY) accept zero parts; those that need a day of the
//! calendar (DAYNAME, TO_DAYS, DATEDIFF) do not. The time of a statement is fixed when it starts: NOW() is the same all through it.

mod build;
mod format;
mod now;
mod part;
mod span;

use super::{Function, Infer, function, volatile};
use crate::error::{Result, SqlError};
use crate::expr::ty::{Class, derivation};
use crate::expr::{Eval, Node, Ty, Typed};
use values::condition::quoted;
use values::convert::temporal::{shift_to_zone, short_date, to_datetime, to_time};
use values::convert::text::to_text;
use values::temporal::days::{self, WeekMode};
use values::temporal::{DateRules, parse};
use values::{ColumnType, Condition, Date, DateTime, SqlMode, Time, TypeKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("addtime", 2, 2, span::add_type, |args, ty, e| span::addtime(args, ty, false, e)),
    function(
        "convert_tz",
        3,
        3,
        |args, _| Ok(Ty::temporal(TypeKind::DateTime, fsp_of(&args[0]))),
        now::convert_tz,
    ),
    function("curdate", 0, 0, date_type, now::curdate),
    function("current_date", 0, 0, date_type, now::curdate),
    function("current_time", 0, 1, |args, _| now::type_of(TypeKind::Time, "curtime", args), now::curtime),
    function("current_timestamp", 0, 1, |args, _| now::type_of(TypeKind::DateTime, "now", args), now::now),
    function("curtime", 0, 1, |args, _| now::type_of(TypeKind::Time, "curtime", args), now::curtime),
    function("date", 1, 1, date_type, part::date),
    function("date_format", 2, 2, format::text_type, format::date_format),
    function("datediff", 2, 2, |_, _| Ok(Ty::int(9)), span::datediff),
    function("day", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_date(args, e, Date::day)),
    function("dayname", 1, 1, name_type, part::dayname),
    function("dayofmonth", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_date(args, e, Date::day)),
    function(
        "dayofweek",
        1,
        1,
        |_, _| Ok(Ty::int(2)),
        |args, _, e| part::of_day(args, e, |d| (days::weekday(d.to_days()) + 1) % 7 + 1),
    ),
    function("dayofyear", 1, 1, |_, _| Ok(Ty::int(4)), |args, _, e| part::of_day(args, e, days::day_of_year)),
    function("from_days", 1, 1, date_type, build::from_days),
    function("from_unixtime", 1, 2, now::from_unixtime_type, now::from_unixtime),
    function("hour", 1, 1, |_, _| Ok(Ty::int(4)), |args, _, e| part::of_time(args, e, Time::hours)),
    function("last_day", 1, 1, date_type, part::last_day),
    function("localtime", 0, 1, |args, _| now::type_of(TypeKind::DateTime, "now", args), now::now),
    function("localtimestamp", 0, 1, |args, _| now::type_of(TypeKind::DateTime, "now", args), now::now),
    function("makedate", 2, 2, date_type, build::makedate),
    function(
        "maketime",
        3,
        3,
        |args, _| Ok(Ty::temporal(TypeKind::Time, fsp_of_number(&args[2]))),
        build::maketime,
    ),
    function(
        "microsecond",
        1,
        1,
        |_, _| Ok(Ty::int(21)),
        |args, _, e| part::of_time(args, e, Time::fraction),
    ),
    function("minute", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_time(args, e, Time::minute)),
    function("month", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_date(args, e, Date::month)),
    function("monthname", 1, 1, name_type, part::monthname),
    function("now", 0, 1, |args, _| now::type_of(TypeKind::DateTime, "now", args), now::now),
    function("period_add", 2, 2, period_type, build::period_add),
    function("period_diff", 2, 2, period_type, build::period_diff),
    function(
        "quarter",
        1,
        1,
        |_, _| Ok(Ty::int(2)),
        |args, _, e| part::of_date(args, e, |d| d.month().div_ceil(3)),
    ),
    function(
        "sec_to_time",
        1,
        1,
        |args, _| Ok(Ty::temporal(TypeKind::Time, fsp_of(&args[0]))),
        build::sec_to_time,
    ),
    function("second", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_time(args, e, Time::second)),
    function("str_to_date", 2, 2, format::str_to_date_type, format::str_to_date),
    function("subtime", 2, 2, span::add_type, |args, ty, e| span::addtime(args, ty, true, e)),
    volatile("sysdate", 0, 1, |args, _| now::type_of(TypeKind::DateTime, "sysdate", args), now::now),
    function("time", 1, 1, |args, _| Ok(Ty::temporal(TypeKind::Time, fsp_of(&args[0]))), part::time),
    function("time_format", 2, 2, format::text_type, format::time_format),
    function("time_to_sec", 1, 1, |_, _| Ok(Ty::int(10)), build::time_to_sec),
    function(
        "timediff",
        2,
        2,
        |args, _| Ok(Ty::temporal(TypeKind::Time, fsp_of(&args[0]).max(fsp_of(&args[1])))),
        span::timediff,
    ),
    function("timestamp", 1, 2, span::timestamp_type, span::timestamp),
    function(
        "to_days",
        1,
        1,
        |_, _| Ok(Ty::int(8)),
        |args, _, e| part::of_day(args, e, |d| d.to_days() as u32),
    ),
    function("to_seconds", 1, 1, |_, _| Ok(Ty::int(21)), part::to_seconds),
    function("unix_timestamp", 0, 1, now::unix_timestamp_type, now::unix_timestamp),
    function("utc_date", 0, 0, date_type, now::utc_date),
    function("utc_time", 0, 1, |args, _| now::type_of(TypeKind::Time, "utc_time", args), now::utc_time),
    function(
        "utc_timestamp",
        0,
        1,
        |args, _| now::type_of(TypeKind::DateTime, "utc_timestamp", args),
        now::utc_timestamp,
    ),
    function("week", 1, 2, |_, _| Ok(Ty::int(3)), part::week_number),
    function(
        "weekday",
        1,
        1,
        |_, _| Ok(Ty::int(2)),
        |args, _, e| part::of_day(args, e, |d| days::weekday(d.to_days())),
    ),
    function("weekofyear", 1, 1, |_, _| Ok(Ty::int(3)), |args, _, e| part::of_day(args, e, |d| week(d, 3).1)),
    function("year", 1, 1, |_, _| Ok(Ty::of(ColumnType::integer(TypeKind::Year, true), true)), part::year),
    function("yearweek", 1, 2, |_, _| Ok(Ty::int(7)), part::yearweek),
];

/// (year, week) of a date under a WEEK() mode of 0 to 7.
pub(crate) fn week(date: Date, mode: u8) -> (u32, u32) {
    let (week, year) = days::week(date, WeekMode::new(i64::from(mode)));
    (year, week)
}

fn date_type(_: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::temporal(TypeKind::Date, 0))
}

fn period_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::int(21).or_null(args.iter().any(|a| a.ty.nullable)))
}

fn name_type(_: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::text(9, infer.collation, derivation::COERCIBLE))
}

/// Fractional digits an argument has as a temporal: its own, those of a constant text, or all six when only the value will tell.
fn fsp_of(arg: &Typed) -> u8 {
    match (arg.ty.class(), &arg.node) {
        (Class::Date | Class::Int | Class::Null, _) => 0,
        (Class::Time | Class::DateTime | Class::Decimal, _) => arg.ty.col.scale.min(6),
        (Class::Text, Node::Const(value)) => {
            let bytes = value.as_bytes().unwrap_or_default();
            if let Some(parsed) = parse::datetime(bytes, DateRules::default()) {
                return parsed.fsp;
            }
            let fraction = bytes.iter().rposition(|b| *b == b'.').map_or(&bytes[..0], |at| &bytes[at + 1..]);
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if values::temporal::time_text::time(bytes).is_some() { digits.min(6) as u8 } else { 6 }
        }
        _ => 6,
    }
}

/// Fractional digits of a count of seconds.
fn fsp_of_number(arg: &Typed) -> u8 {
    match arg.ty.number_class() {
        Class::Int => 0,
        Class::Decimal => arg.ty.scale().min(6) as u8,
        _ => 6,
    }
}

/// Rules for functions of a single part: zero months and days pass.
fn part_rules(e: &Eval<'_>) -> DateRules {
    DateRules { no_zero_in_date: false, ..DateRules::of(e.context.settings.sql_mode) }
}

/// Rules for functions that need a day of the calendar.
fn day_rules() -> DateRules {
    DateRules { no_zero_date: true, no_zero_in_date: true, allow_invalid: false }
}

/// The argument as a date for functions of dates: text that is none is "truncated", as in MySQL.
fn date_argument(arg: &Typed, rules: DateRules, e: &mut Eval<'_>) -> Result<Option<DateTime>> {
    let value = arg.eval(e)?;
    let Some(bytes) = value.as_bytes() else {
        // A stored date passes with its zero parts, unless a day is needed.
        let rules = if rules.no_zero_in_date { rules } else { DateRules::default() };
        if !rules.no_zero_in_date
            && let Some(date) = short_date(&value)
        {
            return Ok(Some(date));
        }
        return Ok(e.with(|cx, warnings| to_datetime(&value, rules, cx, warnings))?.map(|f| f.value));
    };
    let parsed = parse::datetime(bytes, rules);
    if parsed.is_none_or(|p| p.left_over) {
        e.context.raise(&Condition::TruncatedIncorrect { kind: "date", value: quoted(&value) }, "")?;
    }
    let Some(parsed) = parsed else { return Ok(None) };
    e.report(values::convert::temporal::delimiter(&parsed, &value).into_iter().collect())?;
    let cut = e.context.settings.sql_mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL);
    let local = parsed.rounded(6, cut);
    Ok(match parsed.offset {
        Some(offset) => local.and_then(|l| shift_to_zone(l, offset, e.context.settings.zone)),
        None => local,
    })
}

/// The argument as a datetime: text that is none is "incorrect".
fn datetime_argument(arg: &Typed, rules: DateRules, e: &mut Eval<'_>) -> Result<Option<DateTime>> {
    let value = arg.eval(e)?;
    Ok(e.with(|cx, warnings| to_datetime(&value, rules, cx, warnings))?.map(|f| f.value))
}

/// The argument as a time.
fn time_argument(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<Time>> {
    let value = arg.eval(e)?;
    // A column of years is the first day of each; the year of an expression is a number.
    if matches!((&value, &arg.node), (Value::Year(_), Node::Column(_))) {
        return Ok(Some(Time::ZERO));
    }
    Ok(e.with(|cx, warnings| to_time(&value, cx, warnings))?.map(|(t, _)| t))
}

/// NULL with warning 6527: `DATE value is out of range in 'from_days(0)'`.
fn out_of_range(kind: &str, name: &str, args: &[Typed], e: &mut Eval<'_>) -> Result<Value> {
    let mut shown = Vec::with_capacity(args.len());
    for arg in args {
        let value = arg.eval(e)?;
        let text = to_text(&value, arg.ty.col.scale);
        shown.push(match text.as_str().strip_prefix('-') {
            _ if value.as_bytes().is_some() => format!("'{}'", text.as_str()),
            Some(magnitude) => format!("-({magnitude})"),
            None => text.as_str().to_owned(),
        });
    }
    let message = format!("{kind} value is out of range in '{name}({})'", shown.join(","));
    e.context.warn(values::Level::Warning, 6527, message);
    Ok(Value::Null)
}

/// 1210
fn incorrect_arguments(name: &str) -> SqlError {
    SqlError::new(1210, format!("Incorrect arguments to {name}"))
}
