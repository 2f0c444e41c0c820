//! Aggregates: state per group, one step per row, one result.
//!
//! 1. NULL arguments are skipped (COUNT(*) has none).
//! 2. Integers add up exactly in 128 bits, decimals exactly, the rest as doubles.
//! 3. DISTINCT remembers the argument's sort key, so equality is the collation's.

use super::json;
use crate::ast::AggKind;
use crate::bind::BoundAggregate;
use crate::error::{Result, SqlError};
use crate::exec::memory::Memory;
use crate::exec::sort_key;
use crate::expr::Eval;
use crate::expr::numeric::{as_number, binary_operand, whole_number};
use crate::expr::ty::Class;
use std::cmp::Ordering;
use std::collections::HashSet;
use values::convert::number::{to_decimal, to_double, to_integer};
use values::json::{Json, Members};
use values::{Decimal, Level, Value};

/// One aggregate of one group.
#[derive(Clone)]
pub(crate) struct Accumulator {
    state: State,
    /// Keys seen, for DISTINCT.
    seen: Option<HashSet<Vec<u8>>>,
}

#[derive(Clone)]
enum State {
    Count(i64),
    /// SUM and AVG.
    Sum {
        total: Total,
        count: u64,
    },
    Extreme {
        best: Value,
        wanted: Ordering,
    },
    Bits(u64),
    /// The same over binary strings, which must all be of one length: `None` before the first.
    Bytes(Option<Vec<u8>>),
    /// Welford's running mean and sum of squares.
    Variance {
        count: u64,
        mean: f64,
        squares: f64,
    },
    Concat {
        parts: Vec<(Vec<u8>, Vec<u8>)>,
        bytes: usize,
    },
    Any(Option<Value>),
    /// JSON_ARRAYAGG, JSON_OBJECTAGG.
    Array(Vec<Json>),
    Object(Members),
}

#[derive(Clone)]
enum Total {
    Int(i128),
    Decimal(Decimal),
    Double(f64),
}

impl Accumulator {
    pub(crate) fn new(spec: &BoundAggregate) -> Accumulator {
        let class = spec.args.first().map_or(Class::Int, |a| a.ty.number_class());
        let state = match spec.source.kind {
            AggKind::Count => State::Count(0),
            AggKind::Sum | AggKind::Avg => State::Sum {
                total: match class {
                    Class::Int => Total::Int(0),
                    Class::Decimal => Total::Decimal(Decimal::ZERO),
                    _ => Total::Double(0.0),
                },
                count: 0,
            },
            AggKind::Min => State::Extreme { best: Value::Null, wanted: Ordering::Less },
            AggKind::Max => State::Extreme { best: Value::Null, wanted: Ordering::Greater },
            AggKind::BitAnd | AggKind::BitOr | AggKind::BitXor
                if spec.args.first().is_some_and(binary_operand) =>
            {
                State::Bytes(None)
            }
            AggKind::BitAnd => State::Bits(u64::MAX),
            AggKind::BitOr | AggKind::BitXor => State::Bits(0),
            AggKind::StddevPop | AggKind::StddevSamp | AggKind::VarPop | AggKind::VarSamp => {
                State::Variance { count: 0, mean: 0.0, squares: 0.0 }
            }
            AggKind::GroupConcat => State::Concat { parts: Vec::new(), bytes: 0 },
            AggKind::AnyValue => State::Any(None),
            AggKind::JsonArray => State::Array(Vec::new()),
            AggKind::JsonObject => State::Object(Members::default()),
        };
        Accumulator { state, seen: spec.source.distinct.then(HashSet::new) }
    }

    /// Takes one row.
    pub(crate) fn step(
        &mut self,
        spec: &BoundAggregate,
        e: &mut Eval<'_>,
        memory: &mut Memory,
    ) -> Result<()> {
        if let State::Any(first) = &mut self.state {
            if first.is_none() {
                *first = Some(spec.args[0].eval(e)?);
            }
            return Ok(());
        }
        if let State::Array(_) | State::Object(_) = &self.state {
            return self.add_json(spec, e, memory);
        }
        let mut args = [const { Value::Null }; 1];
        let mut many = Vec::new();
        let numeric = matches!(&self.state, State::Sum { .. } | State::Bits(_) | State::Variance { .. });
        for (i, arg) in spec.args.iter().enumerate() {
            // What DISTINCT remembers is the text.
            let value = if numeric && self.seen.is_none() {
                arg.compared(values::compare::Rule::Double, e)?
            } else {
                arg.eval(e)?
            };
            if value.is_null() {
                return Ok(());
            }
            if i == 0 {
                args[0] = value;
            } else {
                many.push(value);
            }
        }
        if let Some(seen) = &mut self.seen {
            let mut key = Vec::new();
            for (value, arg) in args.iter().chain(&many).zip(&spec.args) {
                sort_key::append(value, &arg.ty, false, &mut key);
            }
            if seen.contains(&key) {
                return Ok(());
            }
            memory.take(key.len() + 64)?;
            seen.insert(key);
        }
        self.add(spec, args, &many, e, memory)
    }

    /// NULL is a part like any other, but no name.
    fn add_json(&mut self, spec: &BoundAggregate, e: &mut Eval<'_>, memory: &mut Memory) -> Result<()> {
        let last = spec.args.last().map(|arg| json::part(arg, e)).transpose()?.unwrap_or(Json::Null);
        memory.take(last.encode().len() + 64)?;
        match &mut self.state {
            State::Array(items) => items.push(last),
            State::Object(members) => {
                let Some(name) = spec.args[0].text(e)? else { return Err(json::null_name()) };
                members.put(name.as_str(), last);
            }
            _ => {}
        }
        Ok(())
    }

    fn add(
        &mut self,
        spec: &BoundAggregate,
        [first]: [Value; 1],
        rest: &[Value],
        e: &mut Eval<'_>,
        memory: &mut Memory,
    ) -> Result<()> {
        let kind = spec.source.kind;
        match &mut self.state {
            State::Count(n) => *n += 1,
            State::Sum { total, count } => {
                *count += 1;
                let value = as_number(first, &spec.args[0].ty, e)?;
                total.add(&value, e)?;
            }
            State::Extreme { best, wanted } => {
                let better = best.is_null()
                    || values::compare::order(&first, best, spec.args[0].ty.collation()) == *wanted;
                if better {
                    *best = first;
                }
            }
            State::Bits(bits) => {
                let value = whole_number(first, &spec.args[0].ty, e)?;
                let wide = e.with(|cx, warnings| to_integer(&value, cx, warnings))?.unwrap_or(0) as u64;
                match kind {
                    AggKind::BitAnd => *bits &= wide,
                    AggKind::BitOr => *bits |= wide,
                    _ => *bits ^= wide,
                }
            }
            State::Bytes(so_far) => {
                let value = spec.args[0].octets_of(first);
                combine(kind, so_far, value.as_bytes().unwrap_or_default())?;
            }
            State::Variance { count, mean, squares } => {
                let x = e.with(|cx, warnings| to_double(&first, cx, warnings))?.unwrap_or(0.0);
                *count += 1;
                let delta = x - *mean;
                *mean += delta / *count as f64;
                *squares += delta * (x - *mean);
            }
            State::Concat { parts, bytes } => {
                let mut text = Vec::new();
                for (value, arg) in std::iter::once(&first).chain(rest).zip(&spec.args) {
                    match value.as_bytes() {
                        Some(b) => text.extend_from_slice(b),
                        None => text.extend_from_slice(e.context.text_of(value, &arg.ty).as_bytes()),
                    }
                }
                let mut key = Vec::new();
                for (expr, desc) in &spec.order {
                    let value = expr.eval(e)?;
                    sort_key::append(&value, &expr.ty, *desc, &mut key);
                }
                // Without an order nothing behind the limit can matter.
                let limit = e.context.settings.group_concat_max_len;
                if spec.order.is_empty() && *bytes > limit {
                    *bytes += text.len();
                    return Ok(());
                }
                *bytes += text.len() + 1;
                memory.take(text.len() + key.len() + 64)?;
                parts.push((key, text));
            }
            State::Any(_) | State::Array(_) | State::Object(_) => unreachable!("handled in step"),
        }
        Ok(())
    }

    /// The result over the rows taken.
    pub(crate) fn finish(self, spec: &BoundAggregate, e: &mut Eval<'_>) -> Result<Value> {
        Ok(match self.state {
            State::Count(n) => Value::Int(n),
            State::Sum { count: 0, .. } => Value::Null,
            State::Sum { total, count } => match spec.source.kind {
                AggKind::Avg => total.average(count, spec.ty.col.scale),
                _ => total.value(spec.ty.col.scale),
            },
            State::Extreme { best, .. } => best,
            State::Bits(bits) => Value::UInt(bits),
            State::Bytes(Some(bytes)) => Value::bytes(&bytes),
            State::Bytes(None) => {
                let neutral = if spec.source.kind == AggKind::BitAnd { 0xff } else { 0 };
                // The type is a byte wider than the argument, as MySQL has it.
                Value::bytes(&vec![neutral; spec.ty.width.saturating_sub(1) as usize])
            }
            State::Variance { count, squares, .. } => variance(spec.source.kind, count, squares),
            State::Concat { parts, .. } => concat(spec, parts, e),
            State::Any(value) => value.unwrap_or_default(),
            State::Array(items) if items.is_empty() => Value::Null,
            State::Array(items) => Json::Array(items).value(),
            State::Object(members) if members.is_empty() => Value::Null,
            State::Object(members) => Json::Object(members).value(),
        })
    }
}

/// One more string of BIT_AND, BIT_OR or BIT_XOR.
fn combine(kind: AggKind, so_far: &mut Option<Vec<u8>>, bytes: &[u8]) -> Result<()> {
    let Some(all) = so_far else {
        *so_far = Some(bytes.to_vec());
        return Ok(());
    };
    if all.len() != bytes.len() {
        return Err(SqlError::new(3513, "Binary operands of bitwise operators must be of equal length"));
    }
    for (a, b) in all.iter_mut().zip(bytes) {
        match kind {
            AggKind::BitAnd => *a &= b,
            AggKind::BitOr => *a |= b,
            _ => *a ^= b,
        }
    }
    Ok(())
}

impl Total {
    fn add(&mut self, value: &Value, e: &mut Eval<'_>) -> Result<()> {
        match (&mut *self, value) {
            (Total::Int(sum), Value::Int(v)) => *sum += i128::from(*v),
            (Total::Int(sum), Value::UInt(v)) => *sum += i128::from(*v),
            (Total::Double(sum), Value::Double(v)) => *sum += v,
            (Total::Double(sum), other) => {
                *sum += e.with(|cx, warnings| to_double(other, cx, warnings))?.unwrap_or(0.0);
            }
            (Total::Int(sum), other) => {
                let start = Decimal::new(*sum, 0);
                *self = Total::Decimal(start);
                return self.add(other, e);
            }
            (Total::Decimal(sum), other) => {
                let v = e.with(|cx, warnings| to_decimal(other, cx, warnings))?.unwrap_or(Decimal::ZERO);
                *sum = sum
                    .add(&v)
                    .ok_or_else(|| SqlError::new(1690, "DECIMAL value is out of range in 'sum'"))?;
            }
        }
        Ok(())
    }

    fn value(self, scale: u8) -> Value {
        match self {
            Total::Int(sum) => Value::Decimal(Decimal::new(sum, 0)),
            Total::Decimal(sum) => Value::Decimal(sum.rescaled(scale).unwrap_or(sum)),
            Total::Double(sum) => Value::Double(sum),
        }
    }

    fn average(self, count: u64, scale: u8) -> Value {
        let (sum, from) = match self {
            Total::Double(sum) => return Value::Double(sum / count as f64),
            Total::Int(sum) => (Decimal::new(sum, 0), 0),
            Total::Decimal(sum) => {
                let from = sum.scale();
                (sum, from)
            }
        };
        let quotient = sum.div(&Decimal::from(count), scale.saturating_sub(from));
        quotient.map_or(Value::Null, |q| Value::Decimal(q.rescaled(scale).unwrap_or(q)))
    }
}

fn variance(kind: AggKind, count: u64, squares: f64) -> Value {
    let sample = matches!(kind, AggKind::StddevSamp | AggKind::VarSamp);
    let divisor = if sample { count.saturating_sub(1) } else { count };
    if divisor == 0 {
        return Value::Null;
    }
    let variance = squares / divisor as f64;
    let root = matches!(kind, AggKind::StddevPop | AggKind::StddevSamp);
    Value::Double(if root { variance.sqrt() } else { variance })
}

fn concat(spec: &BoundAggregate, mut parts: Vec<(Vec<u8>, Vec<u8>)>, e: &mut Eval<'_>) -> Value {
    if parts.is_empty() {
        return Value::Null;
    }
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    let separator = spec.source.separator.as_deref().unwrap_or(b",");
    let mut out = Vec::new();
    for (i, (_, text)) in parts.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(text);
    }
    let limit = e.context.settings.group_concat_max_len;
    if out.len() > limit {
        let mut end = limit;
        while end > 0 && !spec.ty.col.is_binary() && out[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        out.truncate(end);
        let row = e.context.row_number.max(1);
        e.context.warn(Level::Warning, 1260, format!("Row {row} was cut by GROUP_CONCAT()"));
    }
    if spec.ty.col.is_binary() { Value::bytes(&out) } else { Value::text(&String::from_utf8_lossy(&out)) }
}
