//! Between times: DATEDIFF, TIMEDIFF, ADDTIME, SUBTIME, TIMESTAMP with two arguments.

use super::{date_argument, datetime_argument, day_rules, fsp_of, out_of_range, time_argument};
use crate::error::Result;
use crate::expr::ty::Class;
use crate::expr::{Eval, Ty, Typed};
use crate::function::Infer;
use values::convert::temporal::{to_datetime, to_time};
use values::convert::text::to_text;
use values::temporal::time_text::whole_datetime;
use values::temporal::{DateRules, Interval};
use values::{ColumnType, Condition, DateTime, Time, TypeKind, Value};

pub(super) fn datediff(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let a = date_argument(&args[0], day_rules(), e)?;
    let b = date_argument(&args[1], day_rules(), e)?;
    let (Some(a), Some(b)) = (a, b) else { return Ok(Value::Null) };
    Ok(Value::Int(a.date().to_days() - b.date().to_days()))
}

/// A time, or a datetime: what a text is shows when it is read.
enum Moment {
    Time(Time),
    DateTime(DateTime),
}

fn moment(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<Moment>> {
    let value = arg.eval(e)?;
    let dated = match &value {
        Value::Date(_) | Value::DateTime(_) | Value::Timestamp(_) => true,
        _ => value.as_bytes().is_some_and(|b| whole_datetime(b).is_some() || is_date(b)),
    };
    if dated {
        let any = DateRules::default();
        return Ok(e.with(|cx, w| to_datetime(&value, any, cx, w))?.map(|f| Moment::DateTime(f.value)));
    }
    // What is neither is reported as a datetime.
    if let Some(bytes) = value.as_bytes()
        && values::temporal::time_text::time(bytes).is_none()
    {
        let value = values::condition::quoted(&value);
        e.context.raise(&Condition::IncorrectInExpression { kind: "datetime", value }, "")?;
        return Ok(None);
    }
    Ok(e.with(|cx, warnings| to_time(&value, cx, warnings))?.map(|(t, _)| Moment::Time(t)))
}

/// Text like 2024-01-02: three groups of digits with dashes.
fn is_date(text: &[u8]) -> bool {
    let dashes = text.iter().skip(1).filter(|b| **b == b'-').count();
    dashes == 2 && values::temporal::parse::datetime(text, DateRules::default()).is_some()
}

/// NULL unless both are times or both are datetimes.
pub(super) fn timediff(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (a, b) = (moment(&args[0], e)?, moment(&args[1], e)?);
    let micros = match (a, b) {
        (Some(Moment::Time(a)), Some(Moment::Time(b))) => a.micros() - b.micros(),
        (Some(Moment::DateTime(a)), Some(Moment::DateTime(b))) => a.to_micros() - b.to_micros(),
        _ => return Ok(Value::Null),
    };
    let (time, outside) = Time::clamped(micros);
    if outside {
        let seconds = micros.unsigned_abs() / 1_000_000;
        let sign = if micros < 0 { "-" } else { "" };
        let value = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        e.context.raise(&Condition::TruncatedIncorrect { kind: "time", value }, "")?;
    }
    Ok(Value::Time(time.rounded(ty.col.scale, false)))
}

/// A temporal stays what it is (a DATE becomes a DATETIME); text stays text.
pub(super) fn add_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let fsp = fsp_of(&args[0]).max(fsp_of(&args[1]));
    Ok(match args[0].ty.class() {
        Class::Date | Class::DateTime => Ty::temporal(TypeKind::DateTime, fsp),
        Class::Time => Ty::temporal(TypeKind::Time, fsp),
        _ => Ty::of(ColumnType::char(29, infer.collation), true),
    })
}

/// ADDTIME and SUBTIME: a time, less or more, to a time or datetime.
pub(super) fn addtime(args: &[Typed], ty: &Ty, negate: bool, e: &mut Eval<'_>) -> Result<Value> {
    let Some(base) = moment(&args[0], e)? else { return Ok(Value::Null) };
    let second = args[1].eval(e)?;
    let dated = matches!(second, Value::Date(_) | Value::DateTime(_) | Value::Timestamp(_))
        || second.as_bytes().is_some_and(|b| whole_datetime(b).is_some());
    let Some(span) = time_argument(&args[1], e)?.filter(|_| !dated) else { return Ok(Value::Null) };
    let micros = if negate { -span.micros() } else { span.micros() };
    let name = if negate { "subtime" } else { "addtime" };
    let sum = match base {
        Moment::Time(time) => {
            let (sum, outside) = time.plus(micros);
            if outside {
                // A text is clamped, a TIME is NULL.
                let null = out_of_range("TIME", name, args, e)?;
                if !ty.is_text() {
                    return Ok(null);
                }
            }
            Value::Time(sum)
        }
        Moment::DateTime(at) => match at.plus(Interval::Micros(i128::from(micros))) {
            Some(sum) => Value::DateTime(sum),
            None => return out_of_range("DATETIME", name, args, e),
        },
    };
    if !ty.is_text() {
        return Ok(sum);
    }
    let fraction = match &sum {
        Value::Time(t) => t.fraction(),
        Value::DateTime(d) => d.micros(),
        _ => 0,
    };
    Ok(Value::Text(to_text(&sum, if fraction == 0 { 0 } else { 6 })))
}

pub(super) fn timestamp_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    let fsp = args.iter().map(fsp_of).max().unwrap_or(0);
    Ok(Ty::temporal(TypeKind::DateTime, fsp))
}

/// A datetime, with a time added.
pub(super) fn timestamp(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let rules = DateRules::of(e.context.settings.sql_mode);
    let Some(at) = datetime_argument(&args[0], rules, e)? else { return Ok(Value::Null) };
    let sum = match args.get(1) {
        None => Some(at),
        Some(arg) => {
            let Some(span) = time_argument(arg, e)? else { return Ok(Value::Null) };
            at.plus(Interval::Micros(i128::from(span.micros())))
        }
    };
    Ok(sum.and_then(|d| d.rounded(ty.col.scale, false)).map_or(Value::Null, Value::DateTime))
}
