//! Subqueries: run before the expression that reads them, as seldom as their inputs change.
//!
//! 1. What a subquery reads of the row around it goes to slots first; the values in its slots are the key under which its answer is remembered.
//! 2. IN over rows that do not change is a look-up in a set.

use super::memory::row_bytes;
use super::{Run, named_lock, query, sort_key};
use crate::error::{Result, SqlError};
use crate::expr::compare::Rule;
use crate::expr::eval::compare_op;
use crate::expr::{Columns, Eval, SubNode, Ty, Typed};
use crate::plan::SubKind;
use crate::plan::order::key_type;
use std::collections::{HashMap, HashSet};
use values::{ColumnType, KeyPart, TypeKind, Value, encode_key};

/// Answers of one subquery that are remembered besides the last.
const REMEMBERED: usize = 4096;

/// Keys of rows, and the types they are made with.
type Keys = (HashSet<Vec<u8>>, Vec<Ty>);

/// What an execution knows of one subquery.
#[derive(Default)]
pub(crate) struct SubState {
    /// The slots' values that `rows` belong to.
    key: Vec<u8>,
    filled: bool,
    rows: Vec<Vec<Value>>,
    bytes: usize,
    /// Keys of `rows` without NULLs, where equality is a matter of bytes; the types they are made with.
    set: Option<Keys>,
    has_null: bool,
    /// Values of scalar subqueries and EXISTS.
    answers: HashMap<Vec<u8>, Vec<Value>>,
}

/// Computes `subs` for a row; their values are in their slots afterwards.
pub(crate) async fn prepare(
    subs: &[SubNode],
    row: &dyn Columns,
    groups: &[Value],
    run: &mut Run<'_>,
) -> Result<()> {
    for sub in subs {
        one(sub, row, groups, run).await?;
    }
    Ok(())
}

async fn one(sub: &SubNode, row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<()> {
    let plan = &*sub.plan;
    for (need, slot) in sub.needs.iter().zip(&plan.needs_slots) {
        let value = need.eval(&mut Eval { groups, ..Eval::over(row, &run.params, run.context) })?;
        run.put(*slot, value);
    }
    let mut key = Vec::new();
    for slot in &plan.reads {
        exact(run.params.get(*slot).unwrap_or(&Value::Null), &mut key);
    }
    match &plan.kind {
        SubKind::Scalar | SubKind::Exists => {
            let known = run.subs[plan.number].answers.get(&key).cloned();
            let values = match known {
                Some(values) => values,
                None => {
                    let values = answer(sub, run).await?;
                    let answers = &mut run.subs[plan.number].answers;
                    if answers.len() < REMEMBERED {
                        answers.insert(key, values.clone());
                    }
                    values
                }
            };
            for (i, value) in values.into_iter().enumerate() {
                run.put(plan.slot + i, value);
            }
        }
        SubKind::In { rules } => {
            refill(sub, key, run).await?;
            let left = left_values(&sub.left, row, groups, run)?;
            let truth = contains(sub, &left, rules, run)?;
            run.put(plan.slot, truth.map_or(Value::Null, Value::bool));
        }
        SubKind::Sleep => {
            let left = left_values(&sub.left, row, groups, run)?;
            sleep(&left[0], run).await?;
            run.put(plan.slot, Value::Int(0));
        }
        SubKind::NamedLock(which) => {
            let value = Box::pin(named_lock::call(*which, &sub.left, row, groups, run)).await?;
            run.put(plan.slot, value);
        }
        SubKind::Quantified { op, all, rule } => {
            refill(sub, key, run).await?;
            let left = left_values(&sub.left, row, groups, run)?;
            let rows = std::mem::take(&mut run.subs[plan.number].rows);
            let mut out = Some(*all);
            let mut e = run.constant();
            for row in &rows {
                match compare_op(*op, *rule, &left[0], &row[0], &mut e)? {
                    Some(holds) if holds != *all => {
                        out = Some(holds);
                        break;
                    }
                    Some(_) => {}
                    None => out = None,
                }
            }
            run.subs[plan.number].rows = rows;
            run.put(plan.slot, out.map_or(Value::Null, Value::bool));
        }
    }
    Ok(())
}

/// How often a sleeper looks at KILL, in microseconds.
const SLEEP_STEP_US: u64 = 50_000;

/// 1210 for NULL and negative numbers in strict mode, as MySQL; KILL and the deadline end it.
async fn sleep(seconds: &Value, run: &mut Run<'_>) -> Result<()> {
    let mut warnings = Vec::new();
    let wanted = values::convert::number::to_double(seconds, &run.context.convert, &mut warnings);
    let seconds = match wanted {
        Some(seconds) if seconds >= 0.0 => seconds,
        _ if run.context.settings.sql_mode.strict() => {
            return Err(SqlError::new(1210, "Incorrect arguments to sleep."));
        }
        _ => {
            run.context.warn(values::Level::Warning, 1210, "Incorrect arguments to sleep.".into());
            return Ok(());
        }
    };
    let end = run.env.now_us().saturating_add((seconds * 1e6) as u64);
    loop {
        let now = run.env.now_us();
        run.kill.check(now)?;
        if now >= end {
            return Ok(());
        }
        run.env.sleep(SLEEP_STEP_US.min(end - now)).await;
    }
}

fn left_values(left: &[Typed], row: &dyn Columns, groups: &[Value], run: &mut Run<'_>) -> Result<Vec<Value>> {
    let mut e = Eval { groups, ..Eval::over(row, &run.params, run.context) };
    left.iter().map(|l| l.eval(&mut e)).collect()
}

/// The values of a scalar subquery, or whether there is a row.
async fn answer(sub: &SubNode, run: &mut Run<'_>) -> Result<Vec<Value>> {
    let exists = matches!(sub.plan.kind, SubKind::Exists);
    let mut rows = query::rows(&sub.plan.query, run, if exists { 1 } else { 2 }).await?;
    run.memory.give(rows.iter().map(|r| row_bytes(r)).sum());
    if exists {
        return Ok(vec![Value::bool(!rows.is_empty())]);
    }
    if rows.len() > 1 {
        return Err(SqlError::new(1242, "Subquery returns more than 1 row"));
    }
    Ok(rows.pop().unwrap_or_else(|| vec![Value::Null; sub.plan.width]))
}

/// Makes the remembered rows those of the slots' present values.
async fn refill(sub: &SubNode, key: Vec<u8>, run: &mut Run<'_>) -> Result<()> {
    let number = sub.plan.number;
    let state = &mut run.subs[number];
    if state.filled && state.key == key {
        return Ok(());
    }
    let before = std::mem::take(&mut state.bytes);
    state.rows = Vec::new();
    state.set = None;
    state.filled = false;
    run.memory.give(before);
    let rows = query::rows(&sub.plan.query, run, usize::MAX).await?;
    let bytes: usize = rows.iter().map(|r| row_bytes(r)).sum();
    let has_null = rows.iter().flatten().any(Value::is_null);
    let set = match &sub.plan.kind {
        SubKind::In { rules } => set_of(sub, rules, &rows, run)?,
        _ => None,
    };
    let state = &mut run.subs[number];
    (state.rows, state.bytes, state.set, state.has_null, state.key, state.filled) =
        (rows, bytes, set, has_null, key, true);
    Ok(())
}

/// The keys of the rows; `None` where values of the two sides are equal without having equal bytes.
fn set_of(sub: &SubNode, rules: &[Rule], rows: &[Vec<Value>], run: &mut Run<'_>) -> Result<Option<Keys>> {
    let types: Option<Vec<Ty>> = sub
        .left
        .iter()
        .zip(&sub.plan.query.tys)
        .zip(rules)
        .map(|((l, r), rule)| key_type(&l.ty, r, *rule))
        .collect();
    let Some(types) = types else { return Ok(None) };
    let mut set = HashSet::with_capacity(rows.len());
    for row in rows {
        let mut key = Vec::new();
        if append_key(row, &types, &mut key) {
            run.memory.take(key.len() + 48)?;
            set.insert(key);
        }
    }
    Ok(Some((set, types)))
}

fn contains(sub: &SubNode, left: &[Value], rules: &[Rule], run: &mut Run<'_>) -> Result<Option<bool>> {
    let state = &run.subs[sub.plan.number];
    if state.rows.is_empty() {
        return Ok(Some(false));
    }
    if let Some((set, types)) = &state.set {
        let mut key = Vec::new();
        if append_key(left, types, &mut key) {
            if set.contains(&key) {
                return Ok(Some(true));
            }
            if !state.has_null {
                return Ok(Some(false));
            }
            if left.len() == 1 {
                return Ok(None);
            }
        } else if left.len() == 1 {
            return Ok(None);
        }
    }
    let rows = std::mem::take(&mut run.subs[sub.plan.number].rows);
    let found = scan(left, rules, &rows, &mut run.constant());
    run.subs[sub.plan.number].rows = rows;
    found
}

/// Row by row: some equal pair of all columns, unknown if NULLs stand in the way.
fn scan(left: &[Value], rules: &[Rule], rows: &[Vec<Value>], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let mut out = Some(false);
    for row in rows {
        let mut equal = Some(true);
        for ((l, r), rule) in left.iter().zip(row).zip(rules) {
            match compare_op(crate::ast::BinaryOp::Eq, *rule, l, r, e)? {
                Some(true) => {}
                Some(false) => {
                    equal = Some(false);
                    break;
                }
                None => equal = None,
            }
        }
        match equal {
            Some(true) => return Ok(Some(true)),
            None => out = None,
            Some(false) => {}
        }
    }
    Ok(out)
}

/// Appends the values' key of equality; false when one is NULL: equal to nothing.
pub(crate) fn append_key(values: &[Value], types: &[Ty], out: &mut Vec<u8>) -> bool {
    for (value, ty) in values.iter().zip(types) {
        if value.is_null() {
            return false;
        }
        append_one(value, ty, out);
    }
    true
}

/// One value that is not NULL, as `ty`.
pub(crate) fn append_one(value: &Value, ty: &Ty, out: &mut Vec<u8>) {
    use crate::expr::ty::Class;
    let as_double = match value {
        Value::Int(v) => Some(*v as f64),
        Value::UInt(v) => Some(*v as f64),
        Value::Decimal(d) => Some(d.to_f64()),
        _ => None,
    };
    match (ty.class(), as_double, value) {
        (Class::Real, Some(v), _) => {
            encode_key(&Value::Double(v), &KeyPart::ascending(ColumnType::double()), out);
        }
        (Class::Text, _, Value::Bytes(b)) if ty.collation() != values::Collation::BINARY => {
            let text = Value::text(&String::from_utf8_lossy(b.as_bytes()));
            sort_key::append(&text, ty, false, out);
        }
        (Class::Text, _, Value::Text(t)) if ty.collation() == values::Collation::BINARY => {
            let part = KeyPart::ascending(ColumnType::binary(TypeKind::VarBinary, 0));
            out.push(1);
            encode_key(&Value::bytes(t.as_bytes()), &part, out);
        }
        _ => sort_key::append(value, ty, false, out),
    }
}

/// A value's bytes, such that different values have different ones.
fn exact(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(t) => {
            out.push(2);
            out.extend_from_slice(&(t.as_bytes().len() as u32).to_be_bytes());
            out.extend_from_slice(t.as_bytes());
        }
        other => {
            let ty = crate::bind::literal::type_of(other, values::Collation::BINARY);
            sort_key::append(other, &ty, false, out);
        }
    }
}
