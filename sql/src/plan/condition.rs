//! Conditions on one column that an index can answer, taken out of a WHERE clause; at execution they become intervals of key bytes.
//!
//! 1. The intervals of a condition hold every row that fulfils it (a superset is allowed, a subset never).
//! 2. `exact` says that they hold no other: then the WHERE clause need not look again.

use super::interval::{Interval, intersect, normalise};
use crate::ast::{BinaryOp, IsTest};
use crate::error::Result;
use crate::expr::compare::Rule;
use crate::expr::ty::Class;
use crate::expr::{Eval, Node, Ty, Typed, numeric};
use std::cmp::Ordering;
use std::ops::Bound;
use values::{KeyPart, TypeKind, Value, encode_key};

/// A condition on one column.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// `column op constant`; op is =, <=>, <, <=, >, >=.
    Compare {
        op: BinaryOp,
        value: Typed,
    },
    IsNull,
    NotNull,
    /// LIKE with a constant pattern: its literal prefix bounds it.
    Prefix {
        pattern: Typed,
        escape: Option<char>,
    },
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

/// A conjunct of WHERE that is about one column only.
#[derive(Debug, Clone)]
pub(crate) struct ColumnCondition {
    pub(crate) column: usize,
    pub(crate) condition: Condition,
    pub(crate) exact: bool,
}

/// Reads `expr` as a condition on one column, if it is one.
pub(crate) fn column_condition(expr: &Typed) -> Option<ColumnCondition> {
    match &expr.node {
        Node::Compare { op, rule, left, right } => compare(*op, *rule, left, right),
        Node::Between { expr, low, high, rules, not: false } => {
            let low = compare(BinaryOp::Ge, rules.0, expr, low)?;
            let high = compare(BinaryOp::Le, rules.1, expr, high)?;
            let exact = low.exact && high.exact;
            Some(ColumnCondition {
                column: low.column,
                condition: Condition::And(vec![low.condition, high.condition]),
                exact,
            })
        }
        Node::In { expr, list, not: false } => {
            let all: Option<Vec<_>> =
                list.iter().map(|(rule, item)| compare(BinaryOp::Eq, *rule, expr, item)).collect();
            merge(all?, Condition::Or)
        }
        Node::Is { expr, test: IsTest::Null, not } => match expr.node {
            Node::Column(column) => Some(ColumnCondition {
                column,
                condition: if *not { Condition::NotNull } else { Condition::IsNull },
                exact: true,
            }),
            _ => None,
        },
        Node::Or(list) => {
            merge(list.iter().map(column_condition).collect::<Option<Vec<_>>>()?, Condition::Or)
        }
        Node::And(list) => {
            merge(list.iter().map(column_condition).collect::<Option<Vec<_>>>()?, Condition::And)
        }
        Node::Like { expr, pattern, escape, collation, not: false } => match expr.node {
            Node::Column(column)
                if expr.ty.is_text() && expr.ty.collation() == *collation && pattern.is_constant() =>
            {
                Some(ColumnCondition {
                    column,
                    condition: Condition::Prefix { pattern: (**pattern).clone(), escape: *escape },
                    exact: false,
                })
            }
            _ => None,
        },
        _ => None,
    }
}

/// Several conditions as one, if all are about the same column.
fn merge(all: Vec<ColumnCondition>, make: fn(Vec<Condition>) -> Condition) -> Option<ColumnCondition> {
    let column = all.first()?.column;
    if all.iter().any(|c| c.column != column) {
        return None;
    }
    let exact = all.iter().all(|c| c.exact);
    Some(ColumnCondition { column, condition: make(all.into_iter().map(|c| c.condition).collect()), exact })
}

fn compare(op: BinaryOp, rule: Rule, left: &Typed, right: &Typed) -> Option<ColumnCondition> {
    use BinaryOp::*;
    let (column, column_ty, value, op) = match (&left.node, &right.node) {
        (Node::Column(c), _) if right.is_constant() => (*c, left.ty, right, op),
        (_, Node::Column(c)) if left.is_constant() => {
            let flipped = match op {
                Lt => Gt,
                Le => Ge,
                Gt => Lt,
                Ge => Le,
                other => other,
            };
            (*c, right.ty, left, flipped)
        }
        _ => return None,
    };
    if !matches!(op, Eq | NullSafeEq | Lt | Le | Gt | Ge) || !orders_alike(&column_ty, &value.ty, rule) {
        return None;
    }
    let exact = match column_ty.class() {
        Class::Int => value.ty.class() == Class::Int && column_ty.col.kind != TypeKind::Year,
        Class::Text => matches!(op, Eq | NullSafeEq) && value.ty.class() == Class::Text,
        _ => false,
    };
    Some(ColumnCondition { column, condition: Condition::Compare { op, value: value.clone() }, exact })
}

/// Does the comparison follow the column's own order?
fn orders_alike(column: &Ty, value: &Ty, rule: Rule) -> bool {
    match column.class() {
        Class::Int | Class::Decimal | Class::Real => {
            // YEAR reads two-digit numbers in its own way only when stored, and FLOAT rounds: both still order as numbers.
            !matches!(value.class(), Class::Date | Class::Time | Class::DateTime)
        }
        Class::Text => match rule {
            Rule::Text(collation) => collation == column.collation(),
            _ => value.null,
        },
        Class::Date | Class::DateTime => matches!(rule, Rule::DateTime) || value.null,
        Class::Time => matches!(rule, Rule::Time) || value.null,
        Class::Null => false,
    }
}

/// The intervals that `condition` allows on the index part `part`.
pub(crate) fn intervals(condition: &Condition, part: &KeyPart, eval: &mut Eval<'_>) -> Result<Vec<Interval>> {
    Ok(match condition {
        Condition::And(list) => {
            let mut all = vec![Interval::all()];
            for one in list {
                all = intersect(&all, &intervals(one, part, eval)?);
            }
            all
        }
        Condition::Or(list) => {
            let mut all = Vec::with_capacity(list.len());
            for one in list {
                all.extend(intervals(one, part, eval)?);
            }
            normalise(all)
        }
        Condition::IsNull if !part.nullable => Vec::new(),
        Condition::IsNull => vec![Interval::point(encode(&Value::Null, part))],
        Condition::NotNull => vec![between(above_null(part), Bound::Unbounded, part)],
        Condition::Compare { op, value } => {
            let constant = value.eval(eval)?;
            comparison(*op, constant, &value.ty, part, eval)?
        }
        Condition::Prefix { pattern, escape } => {
            let pattern = pattern.eval(eval)?;
            like_prefix(&pattern, *escape, part)
        }
    })
}

fn encode(value: &Value, part: &KeyPart) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    encode_key(value, part, &mut out);
    out
}

/// The lower bound of everything that is not NULL, in value order.
fn above_null(part: &KeyPart) -> Bound<Vec<u8>> {
    if part.nullable { Bound::Excluded(encode(&Value::Null, part)) } else { Bound::Unbounded }
}

/// An interval given by its ends in value order; a descending part turns it round.
fn between(low: Bound<Vec<u8>>, high: Bound<Vec<u8>>, part: &KeyPart) -> Interval {
    if part.descending { Interval { lower: high, upper: low } } else { Interval { lower: low, upper: high } }
}

fn comparison(
    op: BinaryOp,
    constant: Value,
    ty: &Ty,
    part: &KeyPart,
    eval: &mut Eval<'_>,
) -> Result<Vec<Interval>> {
    use BinaryOp::*;
    if constant.is_null() {
        let null = op == NullSafeEq && part.nullable;
        return Ok(if null { vec![Interval::point(encode(&Value::Null, part))] } else { Vec::new() });
    }
    let Some((stored, order)) = numeric::nearest(&constant, ty, &part.ty, eval) else {
        return Ok(vec![Interval::all()]); // no statement about it: every row is a candidate
    };
    let key = encode(&stored, part);
    // `stored` is the column's value next to the constant; `order` says on which side of the constant it lies.
    let point = || Interval::point(key.clone());
    if part.prefix.is_some() {
        // Keys hold the beginning of the value only: the bounds must let the cut value itself through.
        return Ok(vec![match op {
            Eq | NullSafeEq => point(),
            Lt | Le => between(above_null(part), Bound::Included(key), part),
            _ => between(Bound::Included(key), Bound::Unbounded, part),
        }]);
    }
    Ok(match op {
        Eq | NullSafeEq if order == Ordering::Equal => vec![point()],
        Eq | NullSafeEq => Vec::new(),
        Lt | Le => {
            let keep = order == Ordering::Less || (order == Ordering::Equal && op == Le);
            let high = if keep { Bound::Included(key) } else { Bound::Excluded(key) };
            vec![between(above_null(part), high, part)]
        }
        _ => {
            let keep = order == Ordering::Greater || (order == Ordering::Equal && op == Ge);
            let low = if keep { Bound::Included(key) } else { Bound::Excluded(key) };
            vec![between(low, Bound::Unbounded, part)]
        }
    })
}

/// Keys that can begin with the literal part of a LIKE pattern. Under a collation with weights only a whole-string pattern is a
/// point; a prefix of characters is not a prefix of bytes there, so it bounds from below only.
fn like_prefix(pattern: &Value, escape: Option<char>, part: &KeyPart) -> Vec<Interval> {
    let text = match pattern {
        Value::Null => return Vec::new(),
        Value::Text(t) => t.as_str(),
        _ => return vec![Interval::all()],
    };
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            match chars.next() {
                Some(next) => literal.push(next),
                None => break,
            }
        } else if c == '%' || c == '_' {
            break;
        } else {
            literal.push(c);
        }
    }
    if literal.is_empty() || part.prefix.is_some() || part.ty.collation.ignores_case() {
        return vec![between(above_null(part), Bound::Unbounded, part)];
    }
    let low = encode(&Value::text(&literal), part);
    literal.push(char::MAX);
    literal.push(char::MAX);
    let high = encode(&Value::text(&literal), part);
    vec![between(Bound::Included(low), Bound::Included(high), part)]
}
