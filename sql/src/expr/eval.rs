//! Evaluation: one recursive walk per row, no name looked up, no allocation but for values that are longer than 22 bytes.

use super::compare::{Rule, compare};
use super::numeric;
use super::{Node, Typed};
use crate::ast::{BinaryOp, IsTest};
use crate::error::Result;
use crate::session::context::Context;
use std::cmp::Ordering;
use values::collation::CharSet;
use values::convert::number::{to_bool, to_integer};
use values::{Collation, Condition, Value};

/// Where column values come from.
pub(crate) trait Columns: Sync {
    /// The value of column `i`, counted from 0.
    fn column(&self, i: usize) -> Value;
}

/// No row: constants only.
pub(crate) struct NoRow;

impl Columns for NoRow {
    fn column(&self, _: usize) -> Value {
        Value::Null
    }
}

impl Columns for [Value] {
    fn column(&self, i: usize) -> Value {
        self[i].clone()
    }
}

impl Columns for &[Value] {
    fn column(&self, i: usize) -> Value {
        self[i].clone()
    }
}

impl Columns for Vec<Value> {
    fn column(&self, i: usize) -> Value {
        self[i].clone()
    }
}

impl Columns for engine::RowView<'_> {
    fn column(&self, i: usize) -> Value {
        self.value(i)
    }
}

/// What an evaluation may read and change.
pub(crate) struct Eval<'a> {
    pub(crate) row: &'a dyn Columns,
    /// Results of the aggregates, in a grouped query.
    pub(crate) groups: &'a [Value],
    /// The row of VALUES(), in ON DUPLICATE KEY UPDATE.
    pub(crate) inserted: &'a [Value],
    pub(crate) params: &'a [Value],
    pub(crate) context: &'a mut Context,
}

impl<'a> Eval<'a> {
    pub(crate) fn constant(params: &'a [Value], context: &'a mut Context) -> Eval<'a> {
        Eval { row: &NoRow, groups: &[], inserted: &[], params, context }
    }

    pub(crate) fn over(row: &'a dyn Columns, params: &'a [Value], context: &'a mut Context) -> Eval<'a> {
        Eval { row, groups: &[], inserted: &[], params, context }
    }

    /// Reports the warnings of a conversion: errors in a strict write, as in MySQL.
    pub(crate) fn report(&mut self, warnings: Vec<Condition>) -> Result<()> {
        for condition in &warnings {
            self.context.raise(condition, "")?;
        }
        Ok(())
    }

    /// Converts with `convert`, reporting its warnings.
    pub(crate) fn with<T>(
        &mut self,
        convert: impl FnOnce(&values::convert::Context, &mut Vec<Condition>) -> T,
    ) -> Result<T> {
        let mut warnings = Vec::new();
        let out = convert(&self.context.convert, &mut warnings);
        if !warnings.is_empty() {
            self.report(warnings)?;
        }
        Ok(out)
    }
}

/// Is the constant false or NULL?
pub(crate) fn is_false(value: &Value) -> bool {
    match value {
        Value::Null | Value::Int(0) | Value::UInt(0) => true,
        Value::Double(v) => *v == 0.0,
        Value::Decimal(d) => d.is_zero(),
        _ => false,
    }
}

fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::bool)
}

/// Does `ordering` satisfy `op`?
pub(crate) fn satisfies(op: BinaryOp, ordering: Ordering) -> bool {
    match op {
        BinaryOp::Eq | BinaryOp::NullSafeEq => ordering == Ordering::Equal,
        BinaryOp::Ne => ordering != Ordering::Equal,
        BinaryOp::Lt => ordering == Ordering::Less,
        BinaryOp::Le => ordering != Ordering::Greater,
        BinaryOp::Gt => ordering == Ordering::Greater,
        _ => ordering != Ordering::Less,
    }
}

impl Typed {
    pub(crate) fn eval(&self, e: &mut Eval<'_>) -> Result<Value> {
        Ok(match &self.node {
            Node::Const(value) => value.clone(),
            Node::Param(i) => e.params.get(usize::from(*i)).cloned().unwrap_or_default(),
            Node::Column(i) => e.row.column(*i),
            Node::Slot(i) => e.params.get(*i).cloned().unwrap_or_default(),
            Node::Sub(sub) => e.params.get(sub.plan.slot + sub.offset).cloned().unwrap_or_default(),
            Node::Inserted(i) => e.inserted.get(*i).cloned().unwrap_or_default(),
            Node::Agg(i) => e.groups[*i].clone(),
            Node::UserVar(name) => e.context.user_variables.get(name).cloned().unwrap_or_default(),
            Node::SetVar(name, value) => {
                let value = value.eval(e)?;
                e.context.user_variables.insert(name.clone(), value.clone());
                value
            }
            Node::SysVar { global, index } => e.context.system_variable(*index, *global),
            Node::Neg(inner, shown) => numeric::negate(inner, &self.ty, shown, e)?,
            Node::Not(inner) => truth(inner.truth(e)?.map(|b| !b)),
            Node::BitNot(inner) => numeric::bit_not(inner, e)?,
            Node::Arith { op, left, right, shown } => {
                numeric::arithmetic(*op, left, right, &self.ty, shown, e)?
            }
            Node::Bits { op, left, right } => numeric::bits(*op, left, right, &self.ty, e)?,
            Node::Compare { op, rule, left, right } => {
                let (l, r) = (left.compared(*rule, e)?, right.compared(*rule, e)?);
                truth(compare_op(*op, *rule, &l, &r, e)?)
            }
            Node::CompareRows { op, pairs } => truth(compare_rows(*op, pairs, e)?),
            Node::And(list) => truth(all(list, e)?),
            Node::Or(list) => truth(any(list, e)?),
            Node::Xor(l, r) => match (l.truth(e)?, r.truth(e)?) {
                (Some(a), Some(b)) => Value::bool(a != b),
                _ => Value::Null,
            },
            Node::Is { expr, test, not } => Value::bool(is(expr, *test, e)? != *not),
            Node::Between { expr, low, high, rules, not } => {
                let v = expr.compared(rules.0, e)?;
                let above = {
                    let l = low.compared(rules.0, e)?;
                    compare_op(BinaryOp::Ge, rules.0, &v, &l, e)?
                };
                let v = if rules.0 == rules.1 { v } else { expr.compared(rules.1, e)? };
                let below = {
                    let h = high.compared(rules.1, e)?;
                    compare_op(BinaryOp::Le, rules.1, &v, &h, e)?
                };
                truth(and3(above, below).map(|b| b != *not))
            }
            Node::In { expr, list, not } => truth(is_in(expr, list, e)?.map(|b| b != *not)),
            Node::InRows { left, rows, not } => truth(in_rows(left, rows, e)?.map(|b| b != *not)),
            Node::Like { .. } => self.like(e)?,
            Node::Case { operand, whens, otherwise } => {
                match case(operand.as_deref(), whens, otherwise.as_deref(), e)? {
                    Some(chosen) => crate::function::control::branch(chosen, &self.ty, e)?,
                    None => Value::Null,
                }
            }
            Node::Cast { expr, to } => super::cast::cast(expr, to, &self.ty, e)?,
            Node::Same(inner) => inner.eval(e)?,
            Node::AddInterval { expr, amount, unit, negate } => {
                crate::function::interval::add(expr, amount, *unit, *negate, &self.ty, e)?
            }
            Node::Extract { unit, expr } => crate::function::interval::extract(*unit, expr, e)?,
            Node::TimestampDiff { unit, from, to } => {
                crate::function::interval::difference(*unit, from, to, e)?
            }
            Node::Func { function, args } => (function.eval)(args, &self.ty, e)?,
        })
    }

    /// The value as it enters a comparison by `rule`: among numbers some texts are numbers ([`crate::function::hybrid`]), among binary
    /// strings a text is its bytes in its own character set.
    pub(crate) fn compared(&self, rule: Rule, e: &mut Eval<'_>) -> Result<Value> {
        match rule {
            Rule::Double if self.ty.is_text() => match crate::function::hybrid::number(self, e)? {
                Some(value) => Ok(value),
                None => self.eval(e),
            },
            Rule::Text(collation) if rereads(rule) => {
                let value = self.eval(e)?;
                Ok(match &value {
                    Value::Bytes(bytes) if collation != Collation::BINARY => {
                        Value::text(&String::from_utf8_lossy(&collation.char_set().decode(bytes.as_bytes())))
                    }
                    Value::Text(_) if collation == Collation::BINARY => self.octets_of(value),
                    _ => value,
                })
            }
            _ => self.eval(e),
        }
    }

    /// A value of this expression as a binary string: a text is its bytes in its own character set, all else stays what it is.
    pub(crate) fn octets_of(&self, value: Value) -> Value {
        match &value {
            Value::Text(text) if !text.as_bytes().is_ascii() => {
                Value::bytes(&self.ty.collation().char_set().encode(text.as_bytes()))
            }
            _ => value,
        }
    }

    /// SQL's truth: `None` for NULL.
    pub(crate) fn truth(&self, e: &mut Eval<'_>) -> Result<Option<bool>> {
        let value = self.compared(Rule::Double, e)?;
        match value {
            Value::Int(v) => Ok(Some(v != 0)),
            Value::Null => Ok(None),
            other => e.with(|cx, warnings| to_bool(&other, cx, warnings)),
        }
    }

    /// True only when neither false nor NULL: what WHERE asks.
    pub(crate) fn holds(&self, e: &mut Eval<'_>) -> Result<bool> {
        Ok(self.truth(e)? == Some(true))
    }

    /// The value as an integer, NULL as `None`.
    pub(crate) fn integer(&self, e: &mut Eval<'_>) -> Result<Option<i128>> {
        let value = self.compared(Rule::Double, e)?;
        match value {
            Value::Int(v) => Ok(Some(i128::from(v))),
            Value::UInt(v) => Ok(Some(i128::from(v))),
            Value::Bytes(b) if self.ty.hex => Ok(Some(i128::from(numeric::hex_number(b.as_bytes())))),
            other => e.with(|cx, warnings| to_integer(&other, cx, warnings)),
        }
    }

    /// The value as text (bytes), NULL as `None`. Binary strings keep their bytes.
    pub(crate) fn text(&self, e: &mut Eval<'_>) -> Result<Option<values::Text>> {
        Ok(match self.eval(e)? {
            Value::Null => None,
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => Some(values::Text::new(&String::from_utf8_lossy(bytes.as_bytes()))),
            other => Some(e.context.text_of(&other, &self.ty)),
        })
    }

    /// The value as a string's bytes, NULL as `None`.
    pub(crate) fn bytes(&self, e: &mut Eval<'_>) -> Result<Option<values::Blob>> {
        Ok(match self.eval(e)? {
            Value::Null => None,
            Value::Bytes(bytes) => Some(bytes),
            Value::Bit(bits) => Some(values::Blob::new(&bits.bytes())),
            Value::Text(text) => Some(values::Blob::new(text.as_bytes())),
            other => Some(values::Blob::new(e.context.text_of(&other, &self.ty).as_bytes())),
        })
    }

    /// [`Typed::octets`] where the result is a binary string, [`Typed::bytes`] where it is text.
    pub(crate) fn bytes_in(&self, collation: Collation, e: &mut Eval<'_>) -> Result<Option<values::Blob>> {
        if collation == Collation::BINARY {
            return self.octets(e);
        }
        let bytes = self.bytes(e)?;
        let latin1 = collation.char_set() == CharSet::Latin1 && self.ty.col.is_binary();
        Ok(match bytes {
            Some(bytes) if latin1 => Some(values::Blob::new(&collation.char_set().decode(bytes.as_bytes()))),
            other => other,
        })
    }

    /// The same in the expression's own character set: what LENGTH, HEX and hashes see.
    pub(crate) fn octets(&self, e: &mut Eval<'_>) -> Result<Option<values::Blob>> {
        let set = self.ty.collation().char_set();
        let bytes = self.bytes(e)?;
        Ok(match bytes {
            Some(bytes) if self.ty.is_text() && set.bytes_per_char() < 3 && !bytes.as_bytes().is_ascii() => {
                Some(values::Blob::new(&set.encode(bytes.as_bytes())))
            }
            other => other,
        })
    }

    fn like(&self, e: &mut Eval<'_>) -> Result<Value> {
        let Node::Like { expr, pattern, escape, collation, not } = &self.node else {
            unreachable!("called for LIKE only")
        };
        let (Some(text), Some(pattern)) = (expr.bytes_in(*collation, e)?, pattern.bytes_in(*collation, e)?)
        else {
            return Ok(Value::Null);
        };
        let matches = super::compare::like(text.as_bytes(), pattern.as_bytes(), *escape, *collation);
        Ok(Value::bool(matches != *not))
    }
}

/// Whether a text may enter a comparison by `rule` as something else: see [`Typed::compared`].
fn rereads(rule: Rule) -> bool {
    match rule {
        Rule::Double => true,
        Rule::Text(collation) => collation == Collation::BINARY || collation.char_set() == CharSet::Latin1,
        _ => false,
    }
}

/// `None`: NULL.
pub(crate) fn compare_op(
    op: BinaryOp,
    rule: Rule,
    l: &Value,
    r: &Value,
    e: &mut Eval<'_>,
) -> Result<Option<bool>> {
    if op == BinaryOp::NullSafeEq && (l.is_null() || r.is_null()) {
        return Ok(Some(l.is_null() && r.is_null()));
    }
    Ok(compare(rule, l, r, e)?.map(|ordering| satisfies(op, ordering)))
}

fn and3(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn all(list: &[Typed], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let mut out = Some(true);
    for term in list {
        match term.truth(e)? {
            Some(false) => return Ok(Some(false)),
            None => out = None,
            Some(true) => {}
        }
    }
    Ok(out)
}

fn any(list: &[Typed], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let mut out = Some(false);
    for term in list {
        match term.truth(e)? {
            Some(true) => return Ok(Some(true)),
            None => out = None,
            Some(false) => {}
        }
    }
    Ok(out)
}

fn is(expr: &Typed, test: IsTest, e: &mut Eval<'_>) -> Result<bool> {
    Ok(match test {
        IsTest::Null => expr.eval(e)?.is_null(),
        IsTest::Unknown => expr.truth(e)?.is_none(),
        IsTest::True => expr.truth(e)? == Some(true),
        IsTest::False => expr.truth(e)? == Some(false),
    })
}

fn is_in(expr: &Typed, list: &[(Rule, Typed)], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let value = expr.eval(e)?;
    if value.is_null() {
        return Ok(None);
    }
    // Only of these rules the value is another one.
    let text = expr.ty.is_text();
    let mut out = Some(false);
    for (rule, item) in list {
        let other = if text && rereads(*rule) { Some(expr.compared(*rule, e)?) } else { None };
        let item = item.compared(*rule, e)?;
        match compare(*rule, other.as_ref().unwrap_or(&value), &item, e)? {
            Some(Ordering::Equal) => return Ok(Some(true)),
            None => out = None,
            Some(_) => {}
        }
    }
    Ok(out)
}

/// (a, b) op (c, d) as MySQL defines it: the first pair that differs decides; NULL on the way makes it unknown.
fn compare_rows(op: BinaryOp, pairs: &[(Rule, Typed, Typed)], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let mut unknown = false;
    for (rule, left, right) in pairs {
        let (l, r) = (left.compared(*rule, e)?, right.compared(*rule, e)?);
        if op == BinaryOp::NullSafeEq {
            if compare_op(op, *rule, &l, &r, e)? != Some(true) {
                return Ok(Some(false));
            }
            continue;
        }
        match compare(*rule, &l, &r, e)? {
            Some(Ordering::Equal) => {}
            Some(_) if unknown && !matches!(op, BinaryOp::Eq | BinaryOp::Ne) => return Ok(None),
            Some(order) => return Ok(Some(satisfies(op, order))),
            None if matches!(op, BinaryOp::Eq | BinaryOp::Ne) => unknown = true,
            None => return Ok(None),
        }
    }
    if unknown {
        return Ok(None);
    }
    Ok(Some(satisfies(op, Ordering::Equal)))
}

fn in_rows(left: &[Typed], rows: &[Vec<(Rule, Typed)>], e: &mut Eval<'_>) -> Result<Option<bool>> {
    let values: Vec<Value> = left.iter().map(|l| l.eval(e)).collect::<Result<_>>()?;
    let mut out = Some(false);
    for row in rows {
        let mut equal = Some(true);
        for (value, (rule, item)) in values.iter().zip(row) {
            let item = item.eval(e)?;
            match compare(*rule, value, &item, e)? {
                Some(Ordering::Equal) => {}
                Some(_) => equal = Some(false),
                None if equal == Some(true) => equal = None,
                None => {}
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

/// The branch that is taken; `None`: none, and so NULL.
pub(crate) fn case<'a>(
    operand: Option<&Typed>,
    whens: &'a [(Rule, Typed, Typed)],
    otherwise: Option<&'a Typed>,
    e: &mut Eval<'_>,
) -> Result<Option<&'a Typed>> {
    let value = operand.map(|o| o.eval(e)).transpose()?;
    for (rule, when, then) in whens {
        let hit = match (&value, operand) {
            (Some(value), Some(operand)) => {
                let again = operand.ty.is_text() && rereads(*rule);
                let other = if again { Some(operand.compared(*rule, e)?) } else { None };
                let value = other.as_ref().unwrap_or(value);
                let candidate = when.compared(*rule, e)?;
                compare(*rule, value, &candidate, e)? == Some(Ordering::Equal)
            }
            _ => when.holds(e)?,
        };
        if hit {
            return Ok(Some(then));
        }
    }
    Ok(otherwise)
}
