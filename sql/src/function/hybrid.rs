//! Texts that are something else in numeric context.
//!
//! The type of `IF(x, DATE'2024-01-02', 'none')` is text, and so is that of `'2024-01-01' + INTERVAL 1 DAY`; yet where a number is wanted
//! MySQL asks the branch that is taken, or the date that was computed, and not the text: 20240102, not 2024. COALESCE and IFNULL are
//! texts there too, whose number in front is read without a warning; so are MIN and MAX, which remember texts.

use super::{Function, control, interval};
use crate::error::Result;
use crate::expr::eval::case;
use crate::expr::numeric::as_number;
use crate::expr::ty::Class;
use crate::expr::{Eval, Node, Ty, Typed};
use std::cmp::Ordering;
use values::convert::number::to_double;
use values::convert::temporal::{to_datetime, to_time};
use values::temporal::DateRules;
use values::temporal::time_text::whole_datetime;
use values::{ColumnType, TypeKind, Value};

/// The number that a text expression is in numeric context; `None` if it is a text there too.
pub(crate) fn number(expr: &Typed, e: &mut Eval<'_>) -> Result<Option<Value>> {
    Ok(match &expr.node {
        Node::Case { operand, whens, otherwise } => {
            match case(operand.as_deref(), whens, otherwise.as_deref(), e)? {
                Some(chosen) => Some(of(chosen, e)?),
                None => Some(Value::Null),
            }
        }
        Node::Same(inner) => number(inner, e)?,
        Node::AddInterval { expr: from, amount, unit, negate } => {
            let moved = interval::moved(from, amount, *unit, *negate, &expr.ty, e)?;
            Some(temporal_number(&moved, e)?)
        }
        Node::Func { function, args } => called(function, args, expr, e)?,
        _ => None,
    })
}

fn called(function: &Function, args: &[Typed], expr: &Typed, e: &mut Eval<'_>) -> Result<Option<Value>> {
    Ok(match function.name {
        "if" => {
            let chosen = if args[0].holds(e)? { &args[1] } else { &args[2] };
            Some(of(chosen, e)?)
        }
        // A text whose number is read without a word.
        "ifnull" | "coalesce" => {
            let value = expr.eval(e)?;
            to_double(&value, &e.context.convert, &mut Vec::new())
                .map_or(Some(Value::Null), |v| Some(Value::Double(v)))
        }
        "greatest" | "least" => {
            let wanted = if function.name == "greatest" { Ordering::Greater } else { Ordering::Less };
            if let Some(kind) = control::dated(args) {
                let found = control::extreme_date(args, kind, wanted, e)?;
                return Ok(Some(temporal_number(&found, e)?));
            }
            match args.iter().any(|a| a.ty.class() == Class::Time) {
                true => Some(extreme_number(args, wanted, e)?),
                false => None,
            }
        }
        "addtime" | "subtime" => {
            let value = expr.eval(e)?;
            Some(match value.as_bytes() {
                None => value,
                Some(bytes) if whole_datetime(bytes).is_some() => {
                    let found = e.with(|cx, w| to_datetime(&value, DateRules::default(), cx, w))?;
                    temporal_number(&found.map_or(Value::Null, |f| Value::DateTime(f.value)), e)?
                }
                Some(_) => {
                    let found = e.with(|cx, w| to_time(&value, cx, w))?;
                    temporal_number(&found.map_or(Value::Null, |(t, _)| Value::Time(t)), e)?
                }
            })
        }
        _ => None,
    })
}

/// A branch as a number: of its own type.
fn of(chosen: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    if chosen.ty.is_text()
        && let Some(value) = number(chosen, e)?
    {
        return Ok(value);
    }
    let value = chosen.eval(e)?;
    as_number(value, &chosen.ty, e)
}

/// The digits of a date or time, with its fraction if it has one.
fn temporal_number(value: &Value, e: &mut Eval<'_>) -> Result<Value> {
    let fraction = match value {
        Value::DateTime(v) => v.micros(),
        Value::Time(v) => v.fraction(),
        _ => 0,
    };
    let kind = if matches!(value, Value::Time(_)) { TypeKind::Time } else { TypeKind::DateTime };
    let ty = ColumnType::temporal(kind, if fraction == 0 { 0 } else { 6 });
    as_number(value.clone(), &Ty::of(ty, true), e)
}

fn extreme_number(args: &[Typed], wanted: Ordering, e: &mut Eval<'_>) -> Result<Value> {
    let mut best: Option<f64> = None;
    for arg in args {
        let value = of(arg, e)?;
        let Some(x) = e.with(|cx, warnings| to_double(&value, cx, warnings))? else {
            return Ok(Value::Null);
        };
        if best.is_none_or(|b| x.partial_cmp(&b) == Some(wanted)) {
            best = Some(x);
        }
    }
    Ok(best.map_or(Value::Null, Value::Double))
}
