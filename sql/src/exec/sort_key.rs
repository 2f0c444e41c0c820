//! Values as bytes whose order is ORDER BY's: for sorting, grouping and DISTINCT in memory. Not a disk format.
//!
//! 1. NULL sorts first (last when descending).
//! 2. Values that SQL calls equal have equal bytes: 1 and 1.0 of one DECIMAL expression, 'a' and 'A' under an accent- and case-blind collation.

use crate::expr::Ty;
use crate::expr::ty::Class;
use values::{Collation, ColumnType, KeyPart, TypeKind, Value, encode_key};

pub(crate) fn append(value: &Value, ty: &Ty, desc: bool, out: &mut Vec<u8>) {
    let start = out.len();
    match value {
        Value::Null => out.push(0),
        value => {
            out.push(1);
            not_null(value, ty, out);
        }
    }
    if desc {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

fn not_null(value: &Value, ty: &Ty, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        // A group of numeric values of several variants must order as numbers: decimals and doubles carry the class of the expression.
        Value::Int(v) if ty.class() != Class::Decimal => integer(i128::from(*v), out),
        Value::UInt(v) if ty.class() != Class::Decimal => integer(i128::from(*v), out),
        Value::Int(v) => decimal(&values::Decimal::from(*v), out),
        Value::UInt(v) => decimal(&values::Decimal::from(*v), out),
        Value::Year(v) => integer(i128::from(v.get()), out),
        Value::Json(_) => json(&values::json::Json::of(value), out),
        Value::Bit(v) => integer(i128::from(v.number()), out),
        Value::Choice(v) => integer(i128::from(v.number()), out),
        Value::Decimal(d) => decimal(d, out),
        Value::Float(v) => key(&Value::Double(f64::from(*v)), ColumnType::double(), out),
        Value::Double(_) => key(value, ColumnType::double(), out),
        Value::Text(_) => key(value, ColumnType::varchar(0, text_collation(ty)), out),
        Value::Bytes(_) => key(value, ColumnType::binary(TypeKind::VarBinary, 0), out),
        Value::Date(_) if ty.class() == Class::Date => key(value, ColumnType::new(TypeKind::Date), out),
        Value::Date(d) => {
            key(&Value::DateTime(d.midnight()), ColumnType::temporal(TypeKind::DateTime, 6), out)
        }
        Value::Time(_) => key(value, ColumnType::temporal(TypeKind::Time, 6), out),
        Value::DateTime(_) => key(value, ColumnType::temporal(TypeKind::DateTime, 6), out),
        Value::Timestamp(_) => key(value, ColumnType::temporal(TypeKind::Timestamp, 6), out),
    }
}

/// By kind, numbers as numbers, everything else by its text: MySQL sorts scalars only, and warns of the others.
fn json(document: &values::json::Json, out: &mut Vec<u8>) {
    use values::json::Json;
    let rank = match document {
        Json::Null => 0,
        Json::Int(_) | Json::UInt(_) | Json::Double(_) | Json::Decimal(_) => 1,
        Json::String(_) => 2,
        Json::Object(_) => 3,
        Json::Array(_) => 4,
        Json::Bool(_) => 5,
        _ => 6,
    };
    out.push(rank);
    match document.number().filter(|_| rank == 1) {
        Some(Value::Int(v)) => decimal(&values::Decimal::from(v), out),
        Some(Value::UInt(v)) => decimal(&values::Decimal::from(v), out),
        Some(Value::Double(v)) => decimal(&values::Decimal::from_f64(v).0, out),
        Some(Value::Decimal(d)) => decimal(&d, out),
        _ => {
            let text = match document {
                Json::String(s) => s.to_string(),
                other => other.to_string(),
            };
            key(&Value::bytes(text.as_bytes()), ColumnType::binary(TypeKind::VarBinary, 0), out);
        }
    }
}

fn text_collation(ty: &Ty) -> Collation {
    if ty.collation() == Collation::BINARY { Collation::DEFAULT } else { ty.collation() }
}

fn integer(v: i128, out: &mut Vec<u8>) {
    // 9 bytes hold BIGINT and BIGINT UNSIGNED.
    let flipped = (v + (1 << 71)) as u128;
    out.extend_from_slice(&flipped.to_be_bytes()[7..]);
}

fn decimal(d: &values::Decimal, out: &mut Vec<u8>) {
    let (precision, scale) = (65, 30);
    match d.to_column(precision, scale) {
        Ok((fitted, _)) => {
            out.push(1);
            key(&Value::Decimal(fitted), ColumnType::decimal(precision, scale, false), out);
        }
        // More than 35 digits before the point: by size first, then to the precision of a double.
        Err(_) => {
            out.push(if d.is_negative() { 0 } else { 2 });
            key(&Value::Double(d.to_f64()), ColumnType::double(), out);
        }
    }
}

fn key(value: &Value, ty: ColumnType, out: &mut Vec<u8>) {
    encode_key(value, &KeyPart::ascending(ty), out);
}
