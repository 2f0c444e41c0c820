//! + - * / DIV MOD, unary minus and the bit operators, with MySQL's result types and overflows.
//!
//! Operands are numbers: Int, UInt, Decimal or Double (see [`crate::convert::number::to_number`]). A double makes a double; else a decimal
//! makes a decimal; `/` of integers is a decimal. Integers are BIGINT, unsigned if either operand is.

use crate::condition::Condition;
use crate::decimal::Decimal;
use crate::mode::SqlMode;
use crate::types::{ColumnType, MAX_PRECISION, MAX_SCALE, TypeKind as K};
use crate::value::Value;

/// A binary operator on numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the operators speak for themselves")]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    IntDiv,
    Mod,
}

/// Applies an operator. NULL gives NULL.
///
/// # Errors
/// [`Condition::DivisionByZero`], for which the caller answers NULL with a warning (or fails, by sql_mode); [`Condition::Overflow`].
pub fn apply(op: Op, a: &Value, b: &Value, mode: SqlMode, increment: u8) -> Result<Value, Condition> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        _ if op == Op::IntDiv && !(is_int(a) && is_int(b)) => int_div_decimal(a, b),
        (Value::Double(_) | Value::Float(_), _) | (_, Value::Double(_) | Value::Float(_)) => {
            double(op, as_double(a), as_double(b))
        }
        _ if op != Op::Div && is_int(a) && is_int(b) => integer(op, a, b, mode),
        _ => decimal(op, &as_decimal(a), &as_decimal(b), increment),
    }
}

fn is_int(v: &Value) -> bool {
    matches!(v, Value::Int(_) | Value::UInt(_))
}

fn as_double(v: &Value) -> f64 {
    match v {
        Value::Int(v) => *v as f64,
        Value::UInt(v) => *v as f64,
        Value::Float(v) => f64::from(*v),
        Value::Double(v) => *v,
        Value::Decimal(v) => v.to_f64(),
        _ => 0.0,
    }
}

fn as_decimal(v: &Value) -> Decimal {
    match v {
        Value::Int(v) => Decimal::from(*v),
        Value::UInt(v) => Decimal::from(*v),
        Value::Decimal(v) => v.clone(),
        other => Decimal::from_f64(as_double(other)).0,
    }
}

fn as_wide(v: &Value) -> i128 {
    match v {
        Value::Int(v) => i128::from(*v),
        Value::UInt(v) => i128::from(*v),
        _ => 0,
    }
}

fn integer(op: Op, a: &Value, b: &Value, mode: SqlMode) -> Result<Value, Condition> {
    // Small signed numbers are the common case.
    if let (Op::Add | Op::Sub, Value::Int(x), Value::Int(y)) = (op, a, b) {
        let sum = if op == Op::Add { x.checked_add(*y) } else { x.checked_sub(*y) };
        return sum.map(Value::Int).ok_or(Condition::Overflow { kind: "BIGINT" });
    }
    let mut unsigned = matches!(a, Value::UInt(_)) || matches!(b, Value::UInt(_));
    let (x, y) = (as_wide(a), as_wide(b));
    let result = match op {
        Op::Add => x + y,
        Op::Sub => {
            unsigned &= !mode.has(SqlMode::NO_UNSIGNED_SUBTRACTION);
            x - y
        }
        Op::Mul => x.saturating_mul(y),
        Op::IntDiv | Op::Mod | Op::Div if y == 0 => return Err(Condition::DivisionByZero),
        Op::IntDiv | Op::Div => x / y,
        Op::Mod => {
            unsigned = matches!(a, Value::UInt(_));
            x % y
        }
    };
    narrow(result, unsigned)
}

fn narrow(result: i128, unsigned: bool) -> Result<Value, Condition> {
    match unsigned {
        true => u64::try_from(result)
            .map(Value::UInt)
            .map_err(|_| Condition::Overflow { kind: "BIGINT UNSIGNED" }),
        false => i64::try_from(result).map(Value::Int).map_err(|_| Condition::Overflow { kind: "BIGINT" }),
    }
}

fn int_div_decimal(a: &Value, b: &Value) -> Result<Value, Condition> {
    let unsigned = matches!(a, Value::UInt(_)) || matches!(b, Value::UInt(_));
    let (a, b) = (as_decimal(a), as_decimal(b));
    if b.is_zero() {
        return Err(Condition::DivisionByZero);
    }
    let quotient = a.int_div(&b).and_then(|q| q.to_integer()).unwrap_or(i128::MAX);
    narrow(quotient, unsigned)
}

fn double(op: Op, a: f64, b: f64) -> Result<Value, Condition> {
    let result = match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        _ if b == 0.0 => return Err(Condition::DivisionByZero),
        Op::Div | Op::IntDiv => a / b,
        Op::Mod => a % b,
    };
    match result.is_finite() {
        true => Ok(Value::Double(result)),
        false => Err(Condition::Overflow { kind: "DOUBLE" }),
    }
}

fn decimal(op: Op, a: &Decimal, b: &Decimal, increment: u8) -> Result<Value, Condition> {
    if matches!(op, Op::Div | Op::IntDiv | Op::Mod) && b.is_zero() {
        return Err(Condition::DivisionByZero);
    }
    let result = match op {
        Op::Add => a.add(b),
        Op::Sub => a.sub(b),
        Op::Mul => a.mul(b),
        Op::Div => a.div(b, increment),
        Op::IntDiv => a.int_div(b),
        Op::Mod => a.rem(b),
    };
    result.map(Value::Decimal).ok_or(Condition::Overflow { kind: "DECIMAL" })
}

/// Unary minus. An unsigned number becomes signed.
pub fn negate(v: &Value) -> Result<Value, Condition> {
    Ok(match v {
        Value::Int(v) => Value::Int(v.checked_neg().ok_or(Condition::Overflow { kind: "BIGINT" })?),
        Value::UInt(v) => narrow(-i128::from(*v), false)?,
        Value::Decimal(v) => Value::Decimal(v.negate()),
        Value::Float(v) => Value::Double(-f64::from(*v)),
        Value::Double(v) => Value::Double(-v),
        other => other.clone(),
    })
}

/// The bit operators on BIGINT UNSIGNED; shifts of 64 and more give 0.
pub mod bit {
    use crate::value::Value;

    /// `a & b`.
    pub fn and(a: u64, b: u64) -> Value {
        Value::UInt(a & b)
    }

    /// `a | b`.
    pub fn or(a: u64, b: u64) -> Value {
        Value::UInt(a | b)
    }

    /// `a ^ b`.
    pub fn xor(a: u64, b: u64) -> Value {
        Value::UInt(a ^ b)
    }

    /// `~a`.
    pub fn not(a: u64) -> Value {
        Value::UInt(!a)
    }

    /// `a << b`.
    pub fn shl(a: u64, b: u64) -> Value {
        Value::UInt(u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0))
    }

    /// `a >> b`.
    pub fn shr(a: u64, b: u64) -> Value {
        Value::UInt(u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(0))
    }

    /// A number as the 64 bits these work on: integers between the least BIGINT and the largest BIGINT UNSIGNED wrap.
    pub fn of(v: i128) -> u64 {
        v as u64
    }
}

/// The type of a result, from operands of number types (see [`crate::convert::number::number_type`]).
pub fn result_type(op: Op, a: &ColumnType, b: &ColumnType, mode: SqlMode, increment: u8) -> ColumnType {
    let is_double = |t: &ColumnType| matches!(t.kind, K::Double | K::Float);
    let unsigned = match op {
        Op::Mod => a.unsigned,
        Op::Sub => (a.unsigned || b.unsigned) && !mode.has(SqlMode::NO_UNSIGNED_SUBTRACTION),
        _ => a.unsigned || b.unsigned,
    };
    match op {
        Op::IntDiv => ColumnType::integer(K::BigInt, unsigned),
        _ if is_double(a) || is_double(b) => ColumnType::double(),
        _ if op != Op::Div && a.is_integer() && b.is_integer() => ColumnType::integer(K::BigInt, unsigned),
        _ => {
            let (precision, scale) = decimal_size(op, digits(a), digits(b), increment);
            ColumnType::decimal(precision, scale, a.unsigned && b.unsigned)
        }
    }
}

/// Precision and scale of an exact number type.
pub fn digits(t: &ColumnType) -> (u8, u8) {
    match t.kind {
        K::TinyInt => (3, 0),
        K::SmallInt => (5, 0),
        K::MediumInt => (8, 0),
        K::Int => (10, 0),
        K::Decimal => (t.precision(), t.scale),
        _ => (if t.unsigned { 20 } else { 19 }, 0),
    }
}

fn decimal_size(op: Op, (p, s): (u8, u8), (q, t): (u8, u8), increment: u8) -> (u8, u8) {
    let whole = p.saturating_sub(s).max(q.saturating_sub(t));
    let scale = match op {
        Op::Mul => (s + t).min(MAX_SCALE),
        Op::Div => (s + increment).min(MAX_SCALE),
        _ => s.max(t),
    };
    let precision = match op {
        Op::Mul => p + q,
        Op::Div => p + t + increment,
        Op::Mod => whole + scale,
        _ => whole + scale + 1,
    };
    (precision.clamp(scale.max(1), MAX_PRECISION), scale)
}
