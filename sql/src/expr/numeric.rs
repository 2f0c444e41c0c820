//! Arithmetic nodes, and values moved into the type that was promised.

use super::compare::{Rule, rule_of};
use super::ty::Class;
use super::{Eval, Node, Shown, Ty, Typed};
use crate::ast::BinaryOp;
use crate::error::{Result, SqlError};
use crate::function::hybrid;
use crate::session::context::Strictness;
use std::cmp::Ordering;
use values::arithmetic::{self, Op, bit};
use values::convert::number::{to_double, to_number};
use values::{ColumnType, Condition, Level, SqlMode, Value};

/// The operand as a number, of the class that its type has in arithmetic.
pub(crate) fn number(operand: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    if operand.ty.is_text()
        && !operand.ty.hex
        && let Some(value) = hybrid::number(operand, e)?
    {
        let double = e.with(|cx, warnings| to_double(&value, cx, warnings))?;
        return Ok(double.map_or(Value::Null, Value::Double));
    }
    let value = operand.eval(e)?;
    as_number(value, &operand.ty, e)
}

/// The operand of DIV: text is an exact number there.
fn exact_number(operand: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let value = operand.compared(Rule::Double, e)?;
    if value.as_bytes().is_some() && !operand.ty.hex {
        let decimal = e.with(|cx, warnings| values::convert::number::to_decimal(&value, cx, warnings))?;
        return Ok(decimal.map_or(Value::Null, Value::Decimal));
    }
    as_number(value, &operand.ty, e)
}

pub(crate) fn as_number(value: Value, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Decimal(_) | Value::Double(_) | Value::Null => Ok(value),
        Value::Bytes(bytes) if ty.hex => Ok(Value::UInt(hex_number(bytes.as_bytes()))),
        other => e.with(|cx, warnings| to_number(&other, &ty.col, cx, warnings)),
    }
}

/// The same where a whole number is wanted: text stays text, so that its digits are read as an integer's.
pub(crate) fn whole_number(value: Value, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    match value {
        Value::Text(_) => Ok(value),
        Value::Bytes(_) if !ty.hex => Ok(value),
        other => as_number(other, ty, e),
    }
}

/// The last eight bytes as a big-endian number.
pub(crate) fn hex_number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().take(8).rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

pub(crate) fn arithmetic(
    op: BinaryOp,
    left: &Typed,
    right: &Typed,
    ty: &Ty,
    shown: &Shown,
    e: &mut Eval<'_>,
) -> Result<Value> {
    let (l, r) = match op {
        BinaryOp::IntDiv => (exact_number(left, e)?, exact_number(right, e)?),
        _ => (number(left, e)?, number(right, e)?),
    };
    let op = match op {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::IntDiv => Op::IntDiv,
        _ => Op::Mod,
    };
    let settings = &e.context.settings;
    match arithmetic::apply(op, &l, &r, settings.sql_mode, settings.div_precision_increment) {
        Ok(Value::Decimal(d))
            if ty.class() == Class::Decimal && (d.scale() < ty.col.scale || op == Op::Div) =>
        {
            Ok(Value::Decimal(d.rescaled(ty.col.scale).unwrap_or(d)))
        }
        Ok(value) => Ok(value),
        Err(Condition::DivisionByZero) => division_by_zero(e),
        Err(condition) => Err(overflow(&condition, shown)),
    }
}

/// NULL, and by sql_mode a warning or, in a strict write, an error.
pub(crate) fn division_by_zero(e: &mut Eval<'_>) -> Result<Value> {
    if e.context.settings.sql_mode.has(SqlMode::ERROR_FOR_DIVISION_BY_ZERO) {
        if e.context.strictness == Strictness::Strict {
            return Err(SqlError::new(1365, "Division by 0"));
        }
        e.context.warn(Level::Warning, 1365, "Division by 0".to_owned());
    }
    Ok(Value::Null)
}

/// 1690 with the operation as MySQL prints it.
fn overflow(condition: &Condition, shown: &Shown) -> SqlError {
    let expression = shown.0.as_deref().unwrap_or_default();
    let site = values::Site { expression, ..values::Site::default() };
    crate::session::context::condition_error(condition, &site)
}

pub(crate) fn negate(inner: &Typed, ty: &Ty, shown: &Shown, e: &mut Eval<'_>) -> Result<Value> {
    let value = number(inner, e)?;
    match arithmetic::negate(&value) {
        Ok(value) => coerce(value, ty, e),
        Err(_) if ty.class() == Class::Decimal => {
            let decimal = e.with(|cx, warnings| values::convert::number::to_decimal(&value, cx, warnings))?;
            Ok(decimal.map_or(Value::Null, |d| Value::Decimal(d.negate())))
        }
        Err(condition) => Err(overflow(&condition, shown)),
    }
}

/// The operand as 64 bits.
fn operand_bits(operand: &Typed, e: &mut Eval<'_>) -> Result<Option<u64>> {
    let value = operand.compared(Rule::Double, e)?;
    let value = match value {
        Value::Bytes(_) if operand.ty.hex => as_number(value, &operand.ty, e)?,
        Value::Double(v) if !(i64::MIN as f64..-(i64::MIN as f64)).contains(&v) => {
            if let Some(error) = computed_overflow(operand, e) {
                return Err(error);
            }
            let value = if v < 0.0 { i64::MIN } else { i64::MAX };
            return Ok(Some(value as u64));
        }
        // Decimals and doubles are read as BIGINT: what is larger is the largest.
        Value::Decimal(_) | Value::Double(_) | Value::Float(_) => {
            let bigint = Ty::int(21);
            e.with(|cx, warnings| {
                values::convert::cast::cast(&value, &operand.ty.col, &bigint.col, cx, warnings)
            })?
        }
        other => other,
    };
    let wide = match value {
        Value::Null => return Ok(None),
        other => e.with(|cx, warnings| values::convert::number::to_integer(&other, cx, warnings))?,
    };
    Ok(wide.map(bit::of))
}

/// 1690 for a double too large for bits that was computed; those of columns and literals are clamped.
fn computed_overflow(operand: &Typed, e: &mut Eval<'_>) -> Option<SqlError> {
    let shown = match &operand.node {
        Node::Arith { shown, .. } | Node::Neg(_, shown) => shown.0.as_deref().unwrap_or_default().to_owned(),
        Node::Func { function, args } if operand.ty.class() == Class::Real => {
            return Some(crate::function::numeric::out_of_range("BIGINT", function.name, args, e));
        }
        _ => return None,
    };
    Some(SqlError::new(1690, format!("BIGINT value is out of range in '{shown}'")))
}

pub(crate) fn bit_not(inner: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    if binary_operand(inner) {
        let Some(bytes) = inner.bytes(e)? else { return Ok(Value::Null) };
        return Ok(Value::bytes(&bytes.as_bytes().iter().map(|b| !b).collect::<Vec<u8>>()));
    }
    Ok(operand_bits(inner, e)?.map_or(Value::Null, bit::not))
}

/// Bit operators work on the bytes of binary strings that are no literals.
pub(crate) fn binary_operand(operand: &Typed) -> bool {
    operand.ty.col.is_binary() && !operand.ty.hex && !operand.ty.null
}

pub(crate) fn bits(op: BinaryOp, left: &Typed, right: &Typed, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    if ty.is_text() {
        return byte_bits(op, left, right, e);
    }
    let (Some(l), Some(r)) = (operand_bits(left, e)?, operand_bits(right, e)?) else {
        return Ok(Value::Null);
    };
    Ok(match op {
        BinaryOp::BitAnd => bit::and(l, r),
        BinaryOp::BitOr => bit::or(l, r),
        BinaryOp::BitXor => bit::xor(l, r),
        BinaryOp::Shl => bit::shl(l, r),
        _ => bit::shr(l, r),
    })
}

fn byte_bits(op: BinaryOp, left: &Typed, right: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let Some(l) = left.bytes(e)? else { return Ok(Value::Null) };
    let l = l.as_bytes();
    if matches!(op, BinaryOp::Shl | BinaryOp::Shr) {
        let Some(by) = operand_bits(right, e)? else { return Ok(Value::Null) };
        return Ok(Value::bytes(&shift(l, by, op == BinaryOp::Shl)));
    }
    let Some(r) = right.bytes(e)? else { return Ok(Value::Null) };
    let r = r.as_bytes();
    if l.len() != r.len() {
        return Err(SqlError::new(3513, "Binary operands of bitwise operators must be of equal length"));
    }
    let apply = |(a, b): (&u8, &u8)| match op {
        BinaryOp::BitAnd => a & b,
        BinaryOp::BitOr => a | b,
        _ => a ^ b,
    };
    Ok(Value::bytes(&l.iter().zip(r).map(apply).collect::<Vec<u8>>()))
}

fn shift(bytes: &[u8], by: u64, left: bool) -> Vec<u8> {
    let bits = bytes.len() as u64 * 8;
    let mut out = vec![0; bytes.len()];
    for i in 0..bits {
        let from = if left { i.checked_add(by) } else { i.checked_sub(by) };
        if let Some(from) = from.filter(|f| *f < bits) {
            let set = bytes[(from / 8) as usize] >> (7 - from % 8) & 1;
            out[(i / 8) as usize] |= set << (7 - i % 8);
        }
    }
    out
}

/// A value of a compatible class as the class of `ty`: branches of CASE, IF and COALESCE meet here.
pub(crate) fn coerce(value: Value, ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let fits = match (&value, ty.class()) {
        (Value::Null, _) | (_, Class::Null) => true,
        (Value::Int(v), Class::Int) => !ty.col.unsigned || *v < 0,
        (Value::UInt(_), Class::Int) => ty.col.unsigned,
        (Value::Decimal(d), Class::Decimal) => d.scale() == ty.col.scale,
        (Value::Double(_) | Value::Float(_), Class::Real) => true,
        (Value::Text(_), Class::Text) => !ty.col.is_binary(),
        (Value::Bytes(_), Class::Text) => ty.col.is_binary(),
        (Value::Date(_), Class::Date)
        | (Value::Time(_), Class::Time)
        | (Value::DateTime(_) | Value::Timestamp(_), Class::DateTime) => true,
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    Ok(match (value, ty.class()) {
        (Value::Int(v), Class::Int) => Value::UInt(v as u64),
        (Value::UInt(v), Class::Int) => i64::try_from(v).map_or(Value::UInt(v), Value::Int),
        (Value::Year(v), Class::Int) => Value::Int(i64::from(v.get())),
        (Value::Bit(v), Class::Int) => Value::UInt(v.number()),
        (Value::Decimal(d), Class::Decimal) => {
            Value::Decimal(d.round(i32::from(ty.col.scale)).rescaled(ty.col.scale).unwrap_or(d))
        }
        (value, Class::Decimal) => {
            let d = e.with(|cx, warnings| values::convert::number::to_decimal(&value, cx, warnings))?;
            d.map_or(Value::Null, |d| {
                Value::Decimal(d.round(i32::from(ty.col.scale)).rescaled(ty.col.scale).unwrap_or(d))
            })
        }
        (value, Class::Real) => {
            e.with(|cx, warnings| to_double(&value, cx, warnings))?.map_or(Value::Null, Value::Double)
        }
        (value, Class::Text) => {
            let bytes = match value.as_bytes() {
                Some(bytes) => bytes.to_vec(),
                None => e.context.text_of(&value, ty).as_bytes().to_vec(),
            };
            if ty.col.is_binary() {
                Value::bytes(&bytes)
            } else {
                Value::text(&String::from_utf8_lossy(&bytes))
            }
        }
        (Value::Date(d), Class::DateTime) => Value::DateTime(d.midnight()),
        (Value::Time(t), Class::DateTime) => {
            Value::DateTime(values::convert::temporal::on_day(e.context.convert.today, t))
        }
        (value, _) => value,
    })
}

/// The value of column type `column` that lies next to `constant`, and its side: Less when it is below the constant. `None`: the
/// constant is no value of that sort, or nothing can be said.
pub(crate) fn nearest(
    constant: &Value,
    ty: &Ty,
    column: &ColumnType,
    e: &mut Eval<'_>,
) -> Option<(Value, Ordering)> {
    match (constant, column.is_integer(), column.unsigned) {
        (Value::Int(v), true, false) if in_range(i128::from(*v), column) => {
            return Some((Value::Int(*v), Ordering::Equal));
        }
        (Value::Int(v), true, true) if *v >= 0 && in_range(i128::from(*v), column) => {
            return Some((Value::UInt(*v as u64), Ordering::Equal));
        }
        (Value::Text(_), _, _) if column.is_character() => {}
        _ => {}
    }
    let number = column.is_numeric() && !column.is_temporal();
    let constant = if number { as_number(constant.clone(), ty, e).ok()? } else { constant.clone() };
    let mut lenient = e.context.convert;
    lenient.mode = SqlMode(0);
    let stored = values::store(&constant, column, &lenient).ok()?.value;
    if stored.is_null() {
        return None;
    }
    let rule = if number {
        numeric_rule(&constant)
    } else {
        let column_ty = Ty::of(*column, true).with_derivation(super::ty::derivation::IMPLICIT);
        rule_of(&column_ty, ty).ok()?
    };
    let mut ignored = Vec::new();
    let order = values::compare::compare(rule, &stored, &constant, &lenient, &mut ignored)?;
    Some((stored, order))
}

fn in_range(value: i128, column: &ColumnType) -> bool {
    let (low, high) = column.integer_range();
    value >= low && value <= high
}

fn numeric_rule(constant: &Value) -> Rule {
    match constant {
        Value::Int(_) | Value::UInt(_) | Value::Decimal(_) => Rule::Decimal,
        _ => Rule::Double,
    }
}
