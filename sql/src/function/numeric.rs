//! Numeric functions: exact over integers and decimals, doubles otherwise.
//!
//! ABS, CEILING, FLOOR, ROUND and TRUNCATE keep their argument's sort of number; the transcendental ones compute in double precision and
//! answer NULL outside of their domain, 1690 beyond the largest double.

use super::{Function, Infer, function, volatile};
use crate::error::{Result, SqlError};
use crate::expr::numeric::number;
use crate::expr::ty::Class;
use crate::expr::{Eval, Node, Ty, Typed};
use values::arithmetic::{self, Op};
use values::convert::number::to_double;
use values::convert::text::to_text;
use values::{ColumnType, Condition, Decimal, Level, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", 1, 1, |args, _| Ok(number_type(&args[0])), abs),
    function("acos", 1, 1, real, |args, _, e| {
        real_of(args, e, |x| (-1.0..=1.0).contains(&x).then(|| x.acos()))
    }),
    function("asin", 1, 1, real, |args, _, e| {
        real_of(args, e, |x| (-1.0..=1.0).contains(&x).then(|| x.asin()))
    }),
    function("atan", 1, 2, real, atan),
    function("atan2", 1, 2, real, atan),
    function("ceil", 1, 1, whole_type, |args, ty, e| whole(args, ty, e, Decimal::ceil, f64::ceil)),
    function("ceiling", 1, 1, whole_type, |args, ty, e| whole(args, ty, e, Decimal::ceil, f64::ceil)),
    function("cos", 1, 1, real, |args, _, e| real_of(args, e, |x| Some(x.cos()))),
    function("cot", 1, 1, real, |args, _, e| checked(args, e, "cot", |x| Some(1.0 / x.tan()))),
    function("degrees", 1, 1, total, |args, _, e| checked(args, e, "degrees", |x| Some(x.to_degrees()))),
    function("exp", 1, 1, real, |args, _, e| checked(args, e, "exp", |x| Some(x.exp()))),
    function("floor", 1, 1, whole_type, |args, ty, e| whole(args, ty, e, Decimal::floor, f64::floor)),
    function("ln", 1, 1, real, |args, _, e| logarithm(args, e, f64::ln)),
    function("log", 1, 2, real, log),
    function("log10", 1, 1, real, |args, _, e| logarithm(args, e, f64::log10)),
    function("log2", 1, 1, real, |args, _, e| logarithm(args, e, f64::log2)),
    function("mod", 2, 2, modulo_type, modulo),
    function("pi", 0, 0, |_, _| Ok(pi_type()), |_, _, _| Ok(Value::Double(std::f64::consts::PI))),
    function("pow", 2, 2, real, pow),
    function("power", 2, 2, real, pow),
    function("radians", 1, 1, total, |args, _, e| checked(args, e, "radians", |x| Some(x.to_radians()))),
    volatile("rand", 0, 1, |_, _| Ok(double_type().not_null()), rand),
    function("round", 1, 2, |args, _| rounded_type(args, false), |args, ty, e| round(args, ty, false, e)),
    function("sign", 1, 1, |args, _| Ok(Ty::int(21).or_null(args[0].ty.nullable)), sign),
    function("sin", 1, 1, real, |args, _, e| real_of(args, e, |x| Some(x.sin()))),
    function("sqrt", 1, 1, real, |args, _, e| real_of(args, e, |x| (x >= 0.0).then(|| x.sqrt()))),
    function("tan", 1, 1, real, |args, _, e| checked(args, e, "tan", |x| Some(x.tan()))),
    function("truncate", 2, 2, |args, _| rounded_type(args, true), |args, ty, e| round(args, ty, true, e)),
];

fn real(_: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(double_type())
}

/// A double an expression makes is a character wider than a column's.
fn double_type() -> Ty {
    Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::double() }
}

/// NULL only if the argument is.
fn total(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(double_type().or_null(args.iter().any(|a| a.ty.nullable)))
}

/// DOUBLE(8,6): PI() shows six decimals and computes with all.
fn pi_type() -> Ty {
    let col = ColumnType { scale: 6, length: 8, ..ColumnType::double() };
    Ty { width: 8, ..Ty::of(col, false) }
}

/// The argument's type as a number.
fn number_type(arg: &Typed) -> Ty {
    let ty = &arg.ty;
    if ty.null {
        return double_type();
    }
    let number = match ty.number_class() {
        Class::Int if ty.class() == Class::Int && ty.col.unsigned => Ty::uint(ty.width),
        Class::Int if ty.class() == Class::Int => Ty::int(ty.width),
        Class::Int => Ty::int(21),
        Class::Decimal => Ty::decimal(ty.integer_digits() + ty.scale(), ty.scale(), ty.col.unsigned),
        _ => double_type(),
    };
    number.or_null(ty.nullable)
}

fn double(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<f64>> {
    let value = arg.compared(values::compare::Rule::Double, e)?;
    e.with(|cx, warnings| to_double(&value, cx, warnings))
}

/// 1690 with the call as MySQL prints it: `pow(10,400)`, a negative number as `-(1)`.
pub(crate) fn out_of_range(kind: &str, name: &str, args: &[Typed], e: &mut Eval<'_>) -> SqlError {
    let shown: Vec<String> = args
        .iter()
        .map(|arg| match arg.eval(e) {
            Ok(value) => {
                let text = to_text(&value, arg.ty.col.scale);
                match text.as_str().strip_prefix('-') {
                    _ if value.as_bytes().is_some() => format!("'{}'", text.as_str()),
                    Some(magnitude) => format!("-({magnitude})"),
                    None => text.as_str().to_owned(),
                }
            }
            Err(_) => String::new(),
        })
        .collect();
    SqlError::new(1690, format!("{kind} value is out of range in '{name}({})'", shown.join(",")))
}

/// NULL outside of the domain.
fn real_of(args: &[Typed], e: &mut Eval<'_>, f: fn(f64) -> Option<f64>) -> Result<Value> {
    Ok(double(&args[0], e)?.and_then(f).map_or(Value::Null, Value::Double))
}

/// The same, with 1690 for what is no finite number.
fn checked(args: &[Typed], e: &mut Eval<'_>, name: &str, f: fn(f64) -> Option<f64>) -> Result<Value> {
    match double(&args[0], e)?.and_then(f) {
        None => Ok(Value::Null),
        Some(x) if x.is_finite() => Ok(Value::Double(x)),
        Some(_) => Err(out_of_range("DOUBLE", name, args, e)),
    }
}

fn no_logarithm(e: &mut Eval<'_>) -> Value {
    e.context.warn(Level::Warning, 3020, "Invalid argument for logarithm".to_owned());
    Value::Null
}

fn logarithm(args: &[Typed], e: &mut Eval<'_>, f: fn(f64) -> f64) -> Result<Value> {
    Ok(match double(&args[0], e)? {
        None => Value::Null,
        Some(x) if x > 0.0 => Value::Double(f(x)),
        Some(_) => no_logarithm(e),
    })
}

/// LOG(x), or LOG(base, x).
fn log(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(second) = args.get(1) else { return logarithm(args, e, f64::ln) };
    let (Some(base), Some(x)) = (double(&args[0], e)?, double(second, e)?) else { return Ok(Value::Null) };
    if base <= 0.0 || x <= 0.0 || base == 1.0 {
        return Ok(no_logarithm(e));
    }
    Ok(Value::Double(x.ln() / base.ln()))
}

fn atan(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(y) = double(&args[0], e)? else { return Ok(Value::Null) };
    let Some(second) = args.get(1) else { return Ok(Value::Double(y.atan())) };
    Ok(double(second, e)?.map_or(Value::Null, |x| Value::Double(y.atan2(x))))
}

fn pow(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(x), Some(y)) = (double(&args[0], e)?, double(&args[1], e)?) else { return Ok(Value::Null) };
    let power = x.powf(y);
    if power.is_finite() { Ok(Value::Double(power)) } else { Err(out_of_range("DOUBLE", "pow", args, e)) }
}

fn abs(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(match number(&args[0], e)? {
        Value::Int(v) => match v.checked_abs() {
            Some(v) => Value::Int(v),
            None => return Err(out_of_range("BIGINT", "abs", args, e)),
        },
        Value::Decimal(v) => Value::Decimal(v.abs()),
        Value::Double(v) => Value::Double(v.abs()),
        other => other,
    })
}

fn sign(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let of = |negative: bool, zero: bool| Value::Int(if zero { 0 } else { 1 - 2 * i64::from(negative) });
    Ok(match number(&args[0], e)? {
        Value::Int(v) => Value::Int(v.signum()),
        Value::UInt(v) => of(false, v == 0),
        Value::Decimal(v) => of(v.is_negative(), v.is_zero()),
        Value::Double(v) => of(v < 0.0, v == 0.0),
        other => other,
    })
}

/// CEILING and FLOOR of a decimal are BIGINT where they surely fit.
fn whole_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    let ty = number_type(&args[0]);
    Ok(match ty.class() {
        Class::Int => Ty { width: 21, ..ty },
        Class::Decimal if ty.integer_digits() < 18 => Ty::int(21).or_null(ty.nullable),
        Class::Decimal => Ty::decimal(ty.integer_digits() + 1, 0, ty.col.unsigned).or_null(ty.nullable),
        _ => ty,
    })
}

fn whole(
    args: &[Typed],
    ty: &Ty,
    e: &mut Eval<'_>,
    exact: fn(&Decimal) -> Decimal,
    real: fn(f64) -> f64,
) -> Result<Value> {
    Ok(match number(&args[0], e)? {
        Value::Decimal(v) => {
            let whole = exact(&v);
            match (ty.class(), whole.to_integer().and_then(|n| i64::try_from(n).ok())) {
                (Class::Int, Some(n)) => Value::Int(n),
                _ => Value::Decimal(whole),
            }
        }
        Value::Double(v) => Value::Double(real(v)),
        other => other,
    })
}

/// ROUND and TRUNCATE of a decimal have as many decimals as asked for, and no more than before.
fn rounded_type(args: &mut [Typed], cut: bool) -> Result<Ty> {
    let ty = number_type(&args[0]);
    let places = match args.get(1).map(|a| &a.node) {
        None => Some(0),
        Some(Node::Const(Value::Int(n))) => Some(u32::try_from(*n).unwrap_or(0)),
        _ => None,
    };
    let nullable = args.iter().any(|a| a.ty.nullable);
    Ok(match ty.class() {
        Class::Decimal => {
            let scale = places.map_or(ty.scale(), |p| p.min(ty.scale()));
            // Rounding may carry into a new digit; cutting does not.
            let carry = u32::from(!cut && scale < ty.scale());
            Ty::decimal(ty.integer_digits() + carry + scale, scale, ty.col.unsigned)
        }
        Class::Int => Ty { width: 21, ..ty },
        _ => ty,
    }
    .or_null(nullable))
}

fn round(args: &[Typed], _: &Ty, cut: bool, e: &mut Eval<'_>) -> Result<Value> {
    let value = number(&args[0], e)?;
    if value.is_null() {
        return Ok(value);
    }
    let places = match args.get(1) {
        None => 0,
        Some(arg) => match arg.integer(e)? {
            Some(n) => n.clamp(-1000, 1000) as i64,
            None => return Ok(Value::Null),
        },
    };
    let name = if cut { "truncate" } else { "round" };
    let (wide, unsigned) = match value {
        Value::Int(v) => (i128::from(v), false),
        Value::UInt(v) => (i128::from(v), true),
        Value::Decimal(v) => {
            let places = places as i32;
            return Ok(Value::Decimal(if cut { v.truncate(places) } else { v.round(places) }));
        }
        Value::Double(v) => return Ok(Value::Double(round_double(v, places, cut))),
        _ => return Ok(Value::Null),
    };
    let rounded = round_integer(wide, places, cut);
    let (result, kind) = if unsigned {
        (u64::try_from(rounded).ok().map(Value::UInt), "BIGINT UNSIGNED")
    } else {
        (i64::try_from(rounded).ok().map(Value::Int), "BIGINT")
    };
    result.ok_or_else(|| out_of_range(kind, name, args, e))
}

/// Half away from zero before the point.
fn round_integer(v: i128, places: i64, cut: bool) -> i128 {
    if places >= 0 {
        return v;
    }
    let Some(unit) = 10_i128.checked_pow(places.unsigned_abs() as u32) else { return 0 };
    let down = v - v % unit;
    if cut || (v % unit).abs() * 2 < unit { down } else { down + unit * v.signum() }
}

/// A double at so many decimals: scaled, rounded half to even (or cut), scaled back.
pub(crate) fn round_double(v: f64, places: i64, cut: bool) -> f64 {
    let unit = 10_f64.powi(places.unsigned_abs().min(400) as i32);
    let round = |x: f64| if cut { x.trunc() } else { x.round_ties_even() };
    if places >= 0 {
        let scaled = v * unit;
        if scaled.is_infinite() || unit.is_infinite() { v } else { round(scaled) / unit }
    } else if unit.is_infinite() {
        0.0
    } else {
        let scaled = round(v / unit) * unit;
        if scaled == 0.0 { 0.0 } else { scaled }
    }
}

fn modulo_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let (a, b) = (number_type(&args[0]), number_type(&args[1]));
    if a.class() == Class::Real || b.class() == Class::Real {
        return Ok(double_type());
    }
    let (whole, scale) = (a.integer_digits().max(b.integer_digits()), a.scale().max(b.scale()));
    if a.class() == Class::Int && b.class() == Class::Int {
        return Ok(if a.col.unsigned { Ty::uint(whole) } else { Ty::int(whole + 1) });
    }
    if whole + scale <= 65 {
        return Ok(Ty::decimal(whole + scale, scale, a.col.unsigned));
    }
    let settings = &infer.context.settings;
    let col =
        arithmetic::result_type(Op::Mod, &a.col, &b.col, settings.sql_mode, settings.div_precision_increment);
    Ok(Ty::of(col, true))
}

fn modulo(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (a, b) = (number(&args[0], e)?, number(&args[1], e)?);
    match arithmetic::apply(Op::Mod, &a, &b, e.context.settings.sql_mode, 0) {
        Ok(value) => Ok(value),
        Err(Condition::DivisionByZero) => crate::expr::numeric::division_by_zero(e),
        Err(_) => Err(out_of_range("DOUBLE", "mod", args, e)),
    }
}

/// RAND() draws from the session's generator. RAND(n) is the first number of MySQL's sequence for the seed n: the same for every row of a
/// statement with a constant seed, where MySQL goes on along the sequence.
fn rand(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(seed) = args.first() else {
        return Ok(Value::Double((e.context.next_random() >> 11) as f64 / (1_u64 << 53) as f64));
    };
    const MAX: u64 = 0x3FFF_FFFF;
    // A constant seeds its call once a statement; another argument seeds every row.
    let place = args.as_ptr() as usize;
    let state = e.context.seeded.get(&place).copied().filter(|_| seed.is_constant());
    let (first, second) = match state {
        Some(state) => state,
        None => {
            let seed = seed.integer(e)?.unwrap_or(0) as u32;
            let first = u64::from(seed.wrapping_mul(0x10001).wrapping_add(55_555_555)) % MAX;
            (first, u64::from(seed.wrapping_mul(0x1000_0001)) % MAX)
        }
    };
    let first = (first * 3 + second) % MAX;
    let second = (first + second + 33) % MAX;
    e.context.seeded.insert(place, (first, second));
    Ok(Value::Double(first as f64 / MAX as f64))
}
