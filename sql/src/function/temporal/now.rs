//! The clock and time zones: NOW and its kin, UNIX_TIMESTAMP, FROM_UNIXTIME, CONVERT_TZ.

use super::{date_argument, datetime_argument, fsp_of};
use crate::error::{Result, SqlError};
use crate::expr::ty::Class;
use crate::expr::{Eval, Node, Ty, Typed};
use crate::function::Infer;
use values::convert::number::to_decimal;
use values::temporal::days::EPOCH;
use values::temporal::{DAY, DateRules, SECOND};
use values::{DateTime, Decimal, TypeKind, Value, Zone};

/// The last second UNIX_TIMESTAMP and FROM_UNIXTIME know: '3001-01-18 23:59:59' UTC.
const LAST_SECOND: i64 = 32_536_771_199;

/// The type of a clock function, from its precision.
pub(super) fn type_of(kind: TypeKind, name: &str, args: &[Typed]) -> Result<Ty> {
    let fsp = match args.first().map(|a| &a.node) {
        None => 0,
        Some(Node::Const(Value::Int(n))) => *n,
        Some(_) => return Err(crate::error::syntax(b"", 0)),
    };
    if !(0..=6).contains(&fsp) {
        let message = format!("Too-big precision {fsp} specified for '{name}'. Maximum is 6.");
        return Err(SqlError::new(1426, message));
    }
    Ok(Ty::temporal(kind, fsp as u8).not_null())
}

/// The clock of `zone` at a point in microseconds since 1970; `None` outside of the calendar.
fn clock(micros: i64, zone: Zone) -> Option<DateTime> {
    DateTime::from_micros(micros + EPOCH * DAY + zone.offset_micros(micros))
}

/// The statement's time in `zone`, cut to the type's digits.
fn at_start(ty: &Ty, zone: Zone, e: &Eval<'_>) -> DateTime {
    let now = clock(e.context.now_us, zone).unwrap_or_default();
    now.rounded(ty.col.scale, true).unwrap_or(now)
}

pub(super) fn now(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::DateTime(at_start(ty, e.context.settings.zone, e)))
}

pub(super) fn utc_timestamp(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::DateTime(at_start(ty, Zone::UTC, e)))
}

pub(super) fn curdate(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::Date(at_start(ty, e.context.settings.zone, e).date()))
}

pub(super) fn utc_date(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::Date(at_start(ty, Zone::UTC, e).date()))
}

pub(super) fn curtime(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::Time(at_start(ty, e.context.settings.zone, e).time_of_day()))
}

pub(super) fn utc_time(_: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::Time(at_start(ty, Zone::UTC, e).time_of_day()))
}

/// Whole seconds, or with the fraction of its argument.
pub(super) fn unix_timestamp_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    let Some(arg) = args.first() else { return Ok(Ty::int(21).not_null()) };
    let ty = match fsp_of(arg) {
        0 => Ty::int(21),
        fsp => Ty::decimal(11 + u32::from(fsp), u32::from(fsp), false),
    };
    Ok(ty.or_null(arg.ty.nullable))
}

/// 0 for what TIMESTAMP cannot say: before 1970, after 3001, or no date at all.
pub(super) fn unix_timestamp(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(arg) = args.first() else { return Ok(Value::Int(e.context.now_us / SECOND)) };
    if arg.eval(e)?.is_null() {
        return Ok(Value::Null);
    }
    let local = datetime_argument(arg, DateRules::default(), e)?;
    let zone = e.context.settings.zone;
    let utc = |d: DateTime| zone.utc_micros(d.to_micros() - EPOCH * DAY);
    let micros = local.filter(|d| !d.date().has_zero_part()).map_or(0, utc);
    let micros = if (0..(LAST_SECOND + 1) * SECOND).contains(&micros) { micros } else { 0 };
    Ok(match ty.class() {
        Class::Decimal => {
            Value::Decimal(Decimal::new(i128::from(micros), 6).truncate(i32::from(ty.col.scale)))
        }
        _ => Value::Int(micros / SECOND),
    })
}

pub(super) fn from_unixtime_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    match args {
        [_, _] => super::format::text_type(args, infer),
        _ => Ok(Ty::temporal(TypeKind::DateTime, super::fsp_of_number(&args[0]))),
    }
}

pub(super) fn from_unixtime(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].eval(e)?;
    let Some(seconds) = e.with(|cx, warnings| to_decimal(&value, cx, warnings))? else {
        return Ok(Value::Null);
    };
    let fsp = if args.len() == 2 { 6 } else { ty.col.scale };
    let scaled = seconds.round(i32::from(fsp)).mul(&Decimal::from(SECOND)).and_then(|m| m.to_integer());
    let micros =
        scaled.and_then(|m| i64::try_from(m).ok()).filter(|m| (0..(LAST_SECOND + 1) * SECOND).contains(m));
    let Some(local) = micros.and_then(|m| clock(m, e.context.settings.zone)) else { return Ok(Value::Null) };
    match args.get(1) {
        None => Ok(Value::DateTime(local)),
        Some(format) => super::format::formatted(local, format, e),
    }
}

/// NULL for a zone that is unknown; unchanged when the instant is outside of TIMESTAMP's range.
pub(super) fn convert_tz(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(local) = date_argument(&args[0], super::day_rules(), e)? else { return Ok(Value::Null) };
    let mut zones = Vec::with_capacity(2);
    for arg in &args[1..] {
        let Some(name) = arg.text(e)? else { return Ok(Value::Null) };
        let Ok(zone) = Zone::parse(name.as_str()) else { return Ok(Value::Null) };
        zones.push(zone);
    }
    let utc = zones[0].utc_micros(local.to_micros() - EPOCH * DAY);
    let moved =
        if (SECOND..(LAST_SECOND + 1) * SECOND).contains(&utc) { clock(utc, zones[1]) } else { Some(local) };
    Ok(moved.and_then(|d| d.rounded(ty.col.scale, false)).map_or(Value::Null, Value::DateTime))
}
