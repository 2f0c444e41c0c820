//! Comparing values: by a rule chosen once from the two types, as MySQL's manual (14.3) has it.
//!
//! | | |
//! |---|---|
//! | two strings | as strings, under their collation; as bytes if either is binary |
//! | two integers | exactly, signed against unsigned included |
//! | an exact number and DECIMAL | as DECIMAL |
//! | DATE, DATETIME, TIMESTAMP with one another or with a string | as dates |
//! | TIME with TIME or a string | as times |
//! | a temporal and an exact number | as DECIMAL, 2024-01-02 being 20240102 |
//! | anything else | as DOUBLE |
//!
//! NULL compares with nothing; [`order`] and [`same`] are for sorting and grouping, where NULL is a value before all others.

use crate::collation::Collation;
use crate::convert::Context;
use crate::convert::number::{Warnings, to_decimal, to_double, to_integer};
use crate::convert::temporal::{to_datetime, to_time};
use crate::convert::text::to_text;
use crate::json::Json;
use crate::temporal::DateTime;
use crate::temporal::parse::DateRules;
use crate::types::ColumnType;
use crate::value::Value;
use std::cmp::Ordering;
use std::hash::Hasher;

/// How two values compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// As integers of 65 bits.
    Int,
    /// As exact decimals.
    Decimal,
    /// As doubles.
    Double,
    /// As strings under this collation.
    Text(Collation),
    /// As datetimes.
    DateTime,
    /// As times.
    Time,
    /// As JSON documents; text is a string, it is not parsed.
    Json,
}

impl Rule {
    /// The rule for two types.
    pub fn of(a: &ColumnType, b: &ColumnType) -> Self {
        let string = |t: &ColumnType| t.is_character() || t.is_binary() || t.is_choice();
        let dated = |t: &ColumnType| t.is_temporal() && t.kind != crate::types::TypeKind::Time;
        let time = |t: &ColumnType| t.kind == crate::types::TypeKind::Time;
        let whole = |t: &ColumnType| {
            t.is_integer() || matches!(t.kind, crate::types::TypeKind::Year | crate::types::TypeKind::Bit)
        };
        let exact = |t: &ColumnType| whole(t) || t.kind == crate::types::TypeKind::Decimal || t.is_temporal();
        let json = |t: &ColumnType| t.kind == crate::types::TypeKind::Json;
        match () {
            () if json(a) || json(b) => Self::Json,
            () if string(a) && string(b) => Self::Text(collation_of(a, b)),
            () if time(a) && (time(b) || string(b)) || time(b) && string(a) => Self::Time,
            () if dated(a) && (b.is_temporal() || string(b))
                || dated(b) && (a.is_temporal() || string(a)) =>
            {
                Self::DateTime
            }
            () if whole(a) && whole(b) => Self::Int,
            () if exact(a) && exact(b) => Self::Decimal,
            () => Self::Double,
        }
    }
}

/// The collation two strings compare under when neither outranks the other: binary strings win, then utf8mb4_bin.
pub fn collation_of(a: &ColumnType, b: &ColumnType) -> Collation {
    match (a.collation, b.collation) {
        (x, y) if x == y => x,
        (Collation::BINARY, _) | (_, Collation::BINARY) => Collation::BINARY,
        (bin, _) | (_, bin) if bin.is_bin() => bin,
        _ => Collation::UTF8MB4_BIN,
    }
}

/// The order of two values under a rule; `None` if either is NULL.
pub fn compare(rule: Rule, a: &Value, b: &Value, cx: &Context, warnings: &mut Warnings) -> Option<Ordering> {
    match (rule, a, b) {
        (_, Value::Null, _) | (_, _, Value::Null) => None,
        (Rule::Json, _, _) => Some(crate::json::compare(&Json::of(a), &Json::of(b))),
        (Rule::Int, Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Rule::Text(c), _, _) if a.as_bytes().is_some() && b.as_bytes().is_some() => {
            Some(c.compare(a.as_bytes()?, b.as_bytes()?))
        }
        (Rule::Text(_), Value::Choice(c), _) => compare(rule, &Value::text(&c.text()), b, cx, warnings),
        (Rule::Text(_), _, Value::Choice(c)) => compare(rule, a, &Value::text(&c.text()), cx, warnings),
        (Rule::DateTime, Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Rule::DateTime, Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Rule::DateTime, Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Rule::Time, Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Rule::Int, _, _) => Some(to_integer(a, cx, warnings)?.cmp(&to_integer(b, cx, warnings)?)),
        (Rule::Decimal, _, _) => Some(to_decimal(a, cx, warnings)?.cmp(&to_decimal(b, cx, warnings)?)),
        (Rule::Double | Rule::Text(_), _, _) => {
            to_double(a, cx, warnings)?.partial_cmp(&to_double(b, cx, warnings)?)
        }
        (Rule::DateTime, _, _) => {
            // What is no date compares as the zero date, with its warning.
            let mut date =
                |v| to_datetime(v, DateRules::default(), cx, warnings).map_or(DateTime::ZERO, |f| f.value);
            Some(date(a).cmp(&date(b)))
        }
        (Rule::Time, _, _) => match (to_time(a, cx, warnings), to_time(b, cx, warnings)) {
            (Some((a, _)), Some((b, _))) => Some(a.cmp(&b)),
            // A text that is no time: as texts.
            _ => Some(to_text(a, 0).as_bytes().cmp(to_text(b, 0).as_bytes())),
        },
    }
}

/// The order of two values of one type, NULL first: ORDER BY, MIN and MAX.
pub fn order(a: &Value, b: &Value, collation: Collation) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::UInt(a), Value::UInt(b)) => a.cmp(b),
        (Value::Int(a), Value::UInt(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Value::UInt(a), Value::Int(b)) => i128::from(*a).cmp(&i128::from(*b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Year(a), Value::Year(b)) => a.cmp(b),
        (Value::Json(_), Value::Json(_)) => crate::json::compare(&Json::of(a), &Json::of(b)),
        (Value::Bit(a), Value::Bit(b)) => a.number().cmp(&b.number()),
        (Value::Choice(a), Value::Choice(b)) => a.number().cmp(&b.number()),
        _ => match (a.as_bytes(), b.as_bytes()) {
            (Some(a), Some(b)) => collation.compare(a, b),
            // Not of one type after all: as numbers.
            _ => {
                let number = |v| to_double(v, &Context::DEFAULT, &mut Vec::new()).unwrap_or(0.0);
                number(a).partial_cmp(&number(b)).unwrap_or(Ordering::Equal)
            }
        },
    }
}

/// Whether two values of one type are the same for GROUP BY, DISTINCT and `<=>`: NULL is the same as NULL.
pub fn same(a: &Value, b: &Value, collation: Collation) -> bool {
    match (a.as_bytes(), b.as_bytes()) {
        (Some(a), Some(b)) => collation.equal(a, b),
        _ => order(a, b, collation) == Ordering::Equal,
    }
}

/// Feeds a hasher so that values that are [`same`] feed it equally.
pub fn hash<H: Hasher>(value: &Value, collation: Collation, hasher: &mut H) {
    use std::hash::Hash;
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Int(v) => i128::from(*v).hash(hasher),
        Value::UInt(v) => i128::from(*v).hash(hasher),
        Value::Float(v) => (v + 0.0).to_bits().hash(hasher),
        Value::Double(v) => (v + 0.0).to_bits().hash(hasher),
        Value::Decimal(v) => v.hash(hasher),
        Value::Text(_) | Value::Bytes(_) => collation.hash(value.as_bytes().unwrap_or_default(), hasher),
        Value::Date(v) => v.hash(hasher),
        Value::Time(v) => v.hash(hasher),
        Value::DateTime(v) => v.hash(hasher),
        Value::Timestamp(v) => v.hash(hasher),
        Value::Year(v) => v.hash(hasher),
        Value::Bit(v) => v.number().hash(hasher),
        // Equal documents may be spelt unlike (1 and 1.0): all share a bucket.
        Value::Json(_) => hasher.write_u8(1),
        Value::Choice(v) => v.number().hash(hasher),
    }
}
