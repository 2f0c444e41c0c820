//! Cells: one non-NULL value of a known type as bytes, the innermost part of the engine's row format (docs/formats/values.md).
//!
//! Fixed types have fixed widths, so a column is found by its offset and decoded alone; strings are their bytes, and the row knows where
//! they end. NULL has no cell: it is a bit in the row's header. Everything is little-endian.
//!
//! | type | width | contents |
//! |---|---|---|
//! | TINYINT .. BIGINT | 1 2 3 4 8 | two's complement, or unsigned |
//! | DECIMAL(p,s) | by p, see `decimal_width` | coefficient at scale s, two's complement |
//! | FLOAT, DOUBLE | 4, 8 | IEEE 754 |
//! | DATE | 3 | year:14 month:4 day:5 |
//! | TIME | 6 | microseconds, two's complement |
//! | DATETIME | 8 | date:23 hour:5 minute:6 second:6 microsecond:20 |
//! | TIMESTAMP | 8 | microseconds since 1970 UTC, 0 for the zero timestamp |
//! | YEAR | 1 | 0, or year - 1900 |
//! | BIT(n) | ceil(n / 8) | unsigned |
//! | ENUM | 1, 2 | place from 1; 2 bytes above 255 words |
//! | SET | 1 2 3 4 8 | a bit for each word |
//! | JSON | variable | docs/formats/json.md |
//! | strings | variable | bytes; CHAR without trailing spaces |
//!
//! The width is the same for every fractional precision: ALTER ... DATETIME(6) rewrites nothing.

use crate::decimal::Decimal;
use crate::labels::Choice;
use crate::temporal::{Date, DateTime, Time, Timestamp, Year};
use crate::types::{ColumnType, TypeKind as K};
use crate::value::{Bits, Blob, Text, Value};

/// Version of the cell format, kept in docs/formats/values.md and in the row format that embeds it.
pub const CELL_FORMAT: u8 = 1;

/// Bytes of a fixed type's cell; `None` for the variable ones (all strings).
pub const fn fixed_width(ty: &ColumnType) -> Option<usize> {
    Some(match ty.kind {
        K::TinyInt | K::Year => 1,
        K::SmallInt => 2,
        K::MediumInt | K::Date => 3,
        K::Int | K::Float => 4,
        K::BigInt | K::Double | K::DateTime | K::Timestamp => 8,
        K::Time => 6,
        K::Decimal => decimal_width(ty.precision()),
        K::Bit => ty.length.div_ceil(8) as usize,
        K::Enum => 1 + (ty.length > 255) as usize,
        K::Set if ty.length > 32 => 8,
        K::Set => ty.length.div_ceil(8) as usize,
        _ => return None,
    })
}

/// Bytes that hold any coefficient of this many digits with its sign.
pub const fn decimal_width(precision: u8) -> usize {
    // log2(10) is just below 3322/1000; one bit for the sign.
    (precision as usize * 3322 / 1000 + 2).div_ceil(8)
}

/// A cell could not be read: the bytes are no cell of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are no cell of type {ty}")]
pub struct CorruptCell {
    /// The type asked for.
    pub ty: String,
    /// The number of bytes.
    pub len: usize,
}

/// Appends the cell of `value`, which must be of the type: what [`crate::convert::store`] returned for it.
///
/// # Panics
/// If the value is NULL or of another variant than the type's.
pub fn encode_cell(value: &Value, ty: &ColumnType, out: &mut Vec<u8>) {
    match (value, fixed_width(ty)) {
        (Value::Int(v), Some(w)) if ty.is_integer() => out.extend_from_slice(&v.to_le_bytes()[..w]),
        (Value::UInt(v), Some(w)) if ty.is_integer() => out.extend_from_slice(&v.to_le_bytes()[..w]),
        (Value::Decimal(d), Some(w)) if ty.kind == K::Decimal => encode_decimal(d, ty.scale, w, out),
        (Value::Float(v), _) if ty.kind == K::Float => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Double(v), _) if ty.kind == K::Double => out.extend_from_slice(&v.to_le_bytes()),
        (Value::Date(v), _) if ty.kind == K::Date => out.extend_from_slice(&v.bits().to_le_bytes()[..3]),
        (Value::Time(v), _) if ty.kind == K::Time => out.extend_from_slice(&v.micros().to_le_bytes()[..6]),
        (Value::DateTime(v), _) if ty.kind == K::DateTime => out.extend_from_slice(&v.bits().to_le_bytes()),
        (Value::Timestamp(v), _) if ty.kind == K::Timestamp => {
            out.extend_from_slice(&v.micros().to_le_bytes())
        }
        (Value::Year(v), _) if ty.kind == K::Year => out.push(v.get().saturating_sub(1900) as u8),
        (Value::Bit(v), Some(w)) if ty.kind == K::Bit => {
            out.extend_from_slice(&v.number().to_le_bytes()[..w])
        }
        (Value::Choice(c), Some(w)) if ty.is_choice() => {
            out.extend_from_slice(&c.number().to_le_bytes()[..w])
        }
        (Value::Json(b), None) if ty.kind == K::Json => out.extend_from_slice(b.as_bytes()),
        (Value::Text(t), None) if ty.is_character() => out.extend_from_slice(t.as_bytes()),
        (Value::Bytes(b), None) if ty.is_binary() => out.extend_from_slice(b.as_bytes()),
        _ => panic!("a cell of type {ty} is asked of {value:?}, which was not stored into it"),
    }
}

/// Reads one cell.
pub fn decode_cell(bytes: &[u8], ty: &ColumnType) -> Result<Value, CorruptCell> {
    decode(bytes, ty).ok_or_else(|| CorruptCell { ty: ty.to_string(), len: bytes.len() })
}

fn decode(bytes: &[u8], ty: &ColumnType) -> Option<Value> {
    if fixed_width(ty).is_some_and(|w| w != bytes.len()) {
        return None;
    }
    Some(match ty.kind {
        K::TinyInt | K::SmallInt | K::MediumInt | K::Int | K::BigInt => match ty.unsigned {
            true => Value::UInt(extend(bytes, 0) as u64),
            false => Value::Int(extend(bytes, sign(bytes))),
        },
        K::Decimal => Value::Decimal(decode_decimal(bytes, ty.scale)),
        K::Float => Value::Float(f32::from_le_bytes(bytes.try_into().ok()?)),
        K::Double => Value::Double(f64::from_le_bytes(bytes.try_into().ok()?)),
        K::Date => Value::Date(Date::from_bits(extend(bytes, 0) as u32)?),
        K::Time => Value::Time(Time::new(extend(bytes, sign(bytes)))?),
        K::DateTime => Value::DateTime(DateTime::from_bits(u64::from_le_bytes(bytes.try_into().ok()?))?),
        K::Timestamp => Value::Timestamp(Timestamp::new(i64::from_le_bytes(bytes.try_into().ok()?))?),
        K::Year => match u16::from(bytes[0]) {
            0 => Value::Year(Year::default()),
            n => Value::Year(Year::new(n + 1900)?),
        },
        K::Bit => Value::Bit(Bits::new(extend(bytes, 0) as u64, ty.length)?),
        K::Enum => Value::Choice(Choice::of_enum(extend(bytes, 0) as u64, ty.labels)?),
        K::Set => Value::Choice(Choice::of_set(extend(bytes, 0) as u64, ty.labels)?),
        K::Json => {
            crate::json::Json::decode(bytes)?;
            Value::Json(Blob::new(bytes))
        }
        _ if ty.is_character() => Value::Text(Text::new(std::str::from_utf8(bytes).ok()?)),
        _ => Value::Bytes(Blob::new(bytes)),
    })
}

/// 0xFF if the little-endian number is negative, else 0.
fn sign(bytes: &[u8]) -> u8 {
    bytes.last().map_or(0, |b| if *b & 0x80 != 0 { 0xFF } else { 0 })
}

/// At most eight little-endian bytes, filled up with `fill`.
fn extend(bytes: &[u8], fill: u8) -> i64 {
    let mut full = [fill; 8];
    full[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(full)
}

fn encode_decimal(d: &Decimal, scale: u8, width: usize, out: &mut Vec<u8>) {
    if let Some(c) = d.small_coefficient(scale)
        && width <= 16
    {
        out.extend_from_slice(&c.to_le_bytes()[..width]);
        return;
    }
    let magnitude = d.magnitude_bytes(scale);
    let at = out.len();
    out.extend_from_slice(&magnitude[..width]);
    if d.is_negative() {
        negate(&mut out[at..]);
    }
}

fn decode_decimal(bytes: &[u8], scale: u8) -> Decimal {
    let fill = sign(bytes);
    if bytes.len() <= 16 {
        let mut full = [fill; 16];
        full[..bytes.len()].copy_from_slice(bytes);
        return Decimal::new(i128::from_le_bytes(full), scale);
    }
    let mut magnitude = [0; 32];
    magnitude[..bytes.len()].copy_from_slice(bytes);
    if fill != 0 {
        negate(&mut magnitude[..bytes.len()]);
    }
    Decimal::from_magnitude_bytes(fill != 0, &magnitude, scale)
}

/// Two's complement of a little-endian number.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for b in bytes {
        (*b, carry) = (!*b).overflowing_add(u8::from(carry));
    }
}
