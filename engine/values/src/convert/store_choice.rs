//! Assignment to ENUM, SET, BIT and JSON.

use super::Context;
use super::number::to_decimal;
use super::store::Stored;
use super::text::to_text;
use crate::condition::Condition;
use crate::decimal::Decimal;
use crate::labels::Choice;
use crate::types::{ColumnType, NOT_FIXED, TypeKind as K};
use crate::value::{Bits, Value};

/// A number on its way into an ENUM or SET: numbers are places and bits, everything else is text.
fn number(value: &Value) -> Option<u64> {
    let decimal = match value {
        Value::Int(v) => return Some(u64::try_from(*v).unwrap_or(u64::MAX)),
        Value::UInt(v) => return Some(*v),
        Value::Year(v) => return Some(u64::from(v.get())),
        Value::Bit(v) => return Some(v.number()),
        Value::Float(v) => Decimal::from_f64(f64::from(*v)).0,
        Value::Double(v) => Decimal::from_f64(*v).0,
        Value::Decimal(v) => v.clone(),
        _ => return None,
    };
    let whole = decimal.round(0).to_integer();
    Some(whole.and_then(|n| u64::try_from(n).ok()).unwrap_or(u64::MAX))
}

/// Digits alone stand for a number when no word is spelt so.
fn digits(text: &str) -> Option<u64> {
    text.trim_start().parse().ok()
}

fn chosen(choice: Option<Choice>, complete: bool, ty: &ColumnType) -> Stored {
    let empty = Choice::of_enum(0, ty.labels).filter(|_| ty.kind == K::Enum);
    let fallback = empty.or_else(|| Choice::of_set(0, ty.labels));
    let value = choice.or(fallback).map_or(Value::Null, Value::Choice);
    if choice.is_some() && complete {
        Stored::clean(value)
    } else {
        Stored::warned(value, Condition::Truncated)
    }
}

pub(super) fn one(value: &Value, ty: &ColumnType) -> Stored {
    let labels = ty.labels;
    if let Some(place) = number(value) {
        let choice = Choice::of_enum(place, labels);
        return chosen(choice, place != 0, ty);
    }
    let text = to_text(value, NOT_FIXED);
    let place = labels.find(text.as_bytes(), ty.collation).map(|at| at as u64 + 1);
    let place = place.or_else(|| digits(text.as_str()).filter(|n| *n != 0));
    chosen(place.and_then(|place| Choice::of_enum(place, labels)), true, ty)
}

pub(super) fn many(value: &Value, ty: &ColumnType) -> Stored {
    let labels = ty.labels;
    let count = labels.words().len();
    let all = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
    if let Some(bits) = number(value) {
        return chosen(Choice::of_set(bits & all, labels), bits & all == bits, ty);
    }
    let text = to_text(value, NOT_FIXED);
    let (mut bits, mut known) = (0, true);
    for word in text.as_str().split(',').filter(|_| !text.as_str().is_empty()) {
        match labels.find(word.as_bytes(), ty.collation) {
            Some(at) => bits |= 1 << at,
            None => known = false,
        }
    }
    if !known && let Some(number) = digits(text.as_str()).filter(|n| n & all == *n) {
        (bits, known) = (number, true);
    }
    chosen(Choice::of_set(bits, labels), known, ty)
}

/// A document: text is parsed; what is no text must be a document already. Never bent, in any mode.
pub(super) fn json(value: &Value) -> Result<Stored, Condition> {
    let wrong = |message, at| Condition::InvalidJson { message, at };
    match value {
        Value::Json(_) => Ok(Stored::clean(value.clone())),
        Value::Text(text) => match crate::json::parse(text.as_str()) {
            Ok(document) => Ok(Stored::clean(document.value())),
            Err(m) => Err(wrong(m.message, m.at)),
        },
        Value::Choice(choice) => json(&Value::text(&choice.text())),
        Value::Bytes(_) | Value::Bit(_) => Err(Condition::BinaryJson),
        _ => Err(wrong("not a JSON text, may need CAST", 0)),
    }
}

/// Bits: a string's bytes as one number, any other value as a whole number.
pub(super) fn bit(value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let most = if ty.length >= 64 { u64::MAX } else { (1 << ty.length) - 1 };
    let value_of = |bits| Bits::new(bits, ty.length).map_or(Value::Null, Value::Bit);
    let given = match value {
        Value::Text(_) | Value::Bytes(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
            let bytes = &bytes[start..];
            (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
        }
        Value::Int(v) => Some(*v as u64),
        Value::UInt(v) => Some(*v),
        Value::Bit(v) => Some(v.number()),
        Value::Choice(v) => Some(v.number()),
        _ => {
            let number = to_decimal(value, cx, &mut Vec::new()).unwrap_or(Decimal::ZERO).round(0);
            number.to_integer().and_then(|n| u64::try_from(n).ok())
        }
    };
    match given {
        Some(bits) if bits <= most => Stored::clean(value_of(bits)),
        _ if cx.mode.strict() => Stored::warned(value_of(most), Condition::TooLong),
        _ => Stored::warned(value_of(most), Condition::OutOfRange),
    }
}
