//! IF, IFNULL, NULLIF, COALESCE, ISNULL, GREATEST, LEAST: functions that choose among their arguments.

use super::{ANY, Function, Infer, function};
use crate::error::Result;
use crate::expr::compare::{Rule, compare, rule_of};
use crate::expr::numeric::coerce;
use crate::expr::ty::{Class, derivation};
use crate::expr::{Eval, Ty, Typed};
use std::cmp::Ordering;
use values::convert::temporal::{short_date, to_datetime};
use values::temporal::DateRules;
use values::{Collation, ColumnType, DateTime, Decimal, TypeKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "if",
        3,
        3,
        |args, infer| Ok(common(&args[1..], infer)),
        |args, ty, e| {
            let chosen = if args[0].holds(e)? { &args[1] } else { &args[2] };
            branch(chosen, ty, e)
        },
    ),
    function("ifnull", 2, 2, |args, infer| Ok(coalesced(args, infer)), coalesce),
    function("coalesce", 1, ANY, |args, infer| Ok(coalesced(args, infer)), coalesce),
    function(
        "nullif",
        2,
        2,
        |args, infer| Ok(common(&args[..1], infer).or_null(true)),
        |args, ty, e| {
            let (a, b) = (args[0].eval(e)?, args[1].eval(e)?);
            let rule = rule_of(&args[0].ty, &args[1].ty)?;
            if compare(rule, &a, &b, e)? == Some(Ordering::Equal) {
                Ok(Value::Null)
            } else {
                coerce(a, ty, e)
            }
        },
    ),
    function("interval", 2, ANY, |_, _| Ok(Ty::int(2).not_null()), interval),
    function(
        "isnull",
        1,
        1,
        |_, _| Ok(Ty::bool(false)),
        |args, _, e| Ok(Value::bool(args[0].eval(e)?.is_null())),
    ),
    function(
        "greatest",
        2,
        ANY,
        |args, infer| Ok(common(args, infer)),
        |args, ty, e| extreme(args, ty, Ordering::Greater, e),
    ),
    function(
        "least",
        2,
        ANY,
        |args, infer| Ok(common(args, infer)),
        |args, ty, e| extreme(args, ty, Ordering::Less, e),
    ),
];

/// The type that holds every one of `args`: MySQL's rules for CASE, IF, COALESCE, GREATEST.
pub(crate) fn common(args: &[Typed], infer: &Infer<'_>) -> Ty {
    common_of(&args.iter().map(|a| a.ty).collect::<Vec<_>>(), infer.collation)
}

pub(crate) fn common_of(types: &[Ty], connection: Collation) -> Ty {
    let nullable = types.iter().any(|t| t.nullable);
    let some: Vec<Ty> = types.iter().copied().filter(|t| !t.null).collect();
    let Some(first) = some.first().copied() else { return Ty::null() };
    let width = some.iter().map(|t| t.width).max().unwrap_or(0);
    if some.iter().all(|t| t.class() == first.class() && t.class() != Class::Text) {
        return same_class(&some, first, width).or_null(nullable);
    }
    let numeric = |t: &Ty| matches!(t.class(), Class::Int | Class::Decimal | Class::Real);
    if some.iter().all(numeric) {
        if some.iter().any(|t| t.class() == Class::Real) {
            return Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::double() }.or_null(nullable);
        }
        return decimal_for(&some).or_null(nullable);
    }
    let dated = |t: &Ty| matches!(t.class(), Class::Date | Class::DateTime | Class::Time);
    if some.iter().all(dated) {
        let fsp = some.iter().map(|t| t.col.scale).max().unwrap_or(0);
        return Ty::temporal(TypeKind::DateTime, fsp).or_null(nullable);
    }
    text_for(&some, width, connection).or_null(nullable)
}

fn same_class(some: &[Ty], first: Ty, width: u32) -> Ty {
    match first.class() {
        Class::Int => {
            let unsigned = some.iter().filter(|t| t.col.unsigned).count();
            if unsigned != 0 && unsigned != some.len() && some.iter().any(|t| t.col.unsigned && t.width >= 20)
            {
                return Ty::decimal(20, 0, false);
            }
            if unsigned == some.len() { Ty::uint(width) } else { Ty::int(width) }
        }
        Class::Decimal => decimal_for(some),
        Class::Real => Ty::double(),
        _ => {
            let fsp = some.iter().map(|t| t.col.scale).max().unwrap_or(0);
            let kind =
                if first.col.kind == TypeKind::Timestamp { TypeKind::DateTime } else { first.col.kind };
            Ty::temporal(kind, fsp)
        }
    }
}

fn decimal_for(some: &[Ty]) -> Ty {
    let whole = some.iter().map(Ty::integer_digits).max().unwrap_or(1);
    let scale = some.iter().map(Ty::scale).max().unwrap_or(0);
    Ty::decimal(whole + scale, scale, some.iter().all(|t| t.col.unsigned))
}

fn text_for(some: &[Ty], width: u32, connection: Collation) -> Ty {
    let texts: Vec<&Ty> = some.iter().filter(|t| t.is_text()).collect();
    let strongest = texts.iter().min_by_key(|t| t.derivation);
    let collation = match strongest {
        Some(_) if texts.iter().any(|t| t.col.is_binary() && !t.hex) => Collation::BINARY,
        Some(t) => t.collation(),
        None => connection,
    };
    let derivation = strongest.map_or(derivation::COERCIBLE, |t| t.derivation);
    let lob = texts.iter().map(|t| t.col).find(ColumnType::is_lob);
    match lob {
        Some(col) if collation != Collation::BINARY => {
            Ty { derivation, ..Ty::of(ColumnType { collation, ..col }, true) }
        }
        _ => Ty::text(width, collation, derivation),
    }
}

fn coalesced(args: &mut [Typed], infer: &Infer<'_>) -> Ty {
    common(args, infer).or_null(args.iter().all(|a| a.ty.nullable))
}

/// The branch that IF or CASE takes: as [`coerced`], but an exact number keeps its own decimals, as in MySQL.
pub(crate) fn branch(chosen: &Typed, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    if ty.class() == Class::Decimal {
        return Ok(match chosen.eval(e)? {
            Value::Int(v) => Value::Decimal(Decimal::from(v)),
            Value::UInt(v) => Value::Decimal(Decimal::from(v)),
            exact @ (Value::Decimal(_) | Value::Null) => exact,
            other => coerce(other, ty, e)?,
        });
    }
    coerced(chosen, ty, e)
}

/// The value of `arg` as the type that holds all of several arguments.
pub(crate) fn coerced(arg: &Typed, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = arg.eval(e)?;
    if ty.col.is_binary() && matches!(value, Value::Text(_)) {
        // As a binary string a text is its bytes in its own character set.
        return Ok(arg.octets_of(value));
    }
    if ty.is_text() && !value.is_null() && value.as_bytes().is_none() {
        // The text of a number or temporal is its own type's (its scale counts).
        return coerce(Value::Text(e.context.text_of(&value, &arg.ty)), ty, e);
    }
    coerce(value, ty, e)
}

fn coalesce(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    for arg in args {
        let value = coerced(arg, ty, e)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

/// INTERVAL(n, a, b, ...): how many of a, b, ... in a row are not above n; -1 for NULL.
fn interval(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let first = args[0].eval(e)?;
    if first.is_null() {
        return Ok(Value::Int(-1));
    }
    let rule = match args.iter().all(|a| matches!(a.ty.number_class(), Class::Int | Class::Decimal)) {
        true => Rule::Decimal,
        false => Rule::Double,
    };
    let mut passed = 0;
    for arg in &args[1..] {
        let bound = arg.eval(e)?;
        if compare(rule, &first, &bound, e)? == Some(Ordering::Less) {
            break;
        }
        passed += 1;
    }
    Ok(Value::Int(passed))
}

/// What arguments of GREATEST and LEAST compare as when one of them is a date or a datetime.
pub(crate) fn dated(args: &[Typed]) -> Option<TypeKind> {
    let has = |class| args.iter().any(|a| a.ty.class() == class);
    match (has(Class::DateTime), has(Class::Date)) {
        (true, _) => Some(TypeKind::DateTime),
        (_, true) => Some(TypeKind::Date),
        _ => None,
    }
}

/// The first or last of arguments of which one is a date: what is none counts as the zero date, with its warning.
pub(crate) fn extreme_date(
    args: &[Typed],
    kind: TypeKind,
    wanted: Ordering,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let mut best: Option<DateTime> = None;
    for arg in args {
        let value = arg.eval(e)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let at = match short_date(&value) {
            Some(date) => date,
            None => {
                let found = e.with(|cx, warnings| to_datetime(&value, DateRules::default(), cx, warnings))?;
                found.map_or(DateTime::ZERO, |f| f.value)
            }
        };
        if best.is_none_or(|b| at.cmp(&b) == wanted) {
            best = Some(at);
        }
    }
    Ok(match (best, kind) {
        (None, _) => Value::Null,
        (Some(at), TypeKind::Date) => Value::Date(at.date()),
        (Some(at), _) => Value::DateTime(at),
    })
}

/// GREATEST and LEAST: NULL if any argument is.
fn extreme(args: &[Typed], ty: &Ty, wanted: Ordering, e: &mut Eval<'_>) -> Result<Value> {
    if ty.is_text()
        && let Some(kind) = dated(args)
    {
        let found = extreme_date(args, kind, wanted, e)?;
        let fsp = args.iter().filter(|a| a.ty.col.is_temporal()).map(|a| a.ty.col.scale).max().unwrap_or(0);
        return Ok(if found.is_null() {
            found
        } else {
            Value::Text(values::convert::text::to_text(&found, fsp))
        });
    }
    let rule = rule_of(ty, ty)?;
    let mut best: Option<Value> = None;
    for arg in args {
        let value = coerced(arg, ty, e)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let better = match &best {
            None => true,
            Some(so_far) => compare(rule, &value, so_far, e)? == Some(wanted),
        };
        if better {
            best = Some(value);
        }
    }
    Ok(best.unwrap_or_default())
}
