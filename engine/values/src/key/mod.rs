//! Memcomparable keys: bytes whose `memcmp` order is the SQL order (docs/formats/key.md). A disk format, frozen.
//!
//! A key is its parts one after another. Each part ends by itself (it is of fixed width, or no key of a part is a prefix of another), so
//! concatenation sorts. A part is
//!
//! ```text
//!   [00 NULL | 01 value]   only if the part may be NULL: NULL sorts first
//!   integers               big-endian, the sign bit flipped when signed
//!   DECIMAL(p,s)           the cell's width, big-endian, the sign bit flipped
//!   FLOAT, DOUBLE          big-endian bits; positive: sign bit flipped, negative: all flipped; -0 as 0
//!   BIT, ENUM, SET         the cell's number big-endian
//!   temporals              the cell's number big-endian, the sign bit of TIME flipped
//!   strings                see `string`
//! ```
//! A descending part is the same with every byte inverted, NULL's byte included.
//!
//! 1. Two values are equal under the part's collation if and only if their keys are equal.
//! 2. Nothing allocates but the caller's buffer as it grows.

mod string;

use crate::cell::{decimal_width, fixed_width};
use crate::collation::Collation;
use crate::decimal::Decimal;
use crate::temporal::{Date, DateTime, Time, Timestamp, Year};
use crate::types::{ColumnType, TypeKind as K};
use crate::value::{Blob, Text, Value};

/// Version of the key format.
pub const KEY_FORMAT: u8 = 1;

const NULL: u8 = 0;
const NOT_NULL: u8 = 1;

/// One column of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyPart {
    /// The column's type.
    pub ty: ColumnType,
    /// Whether the column may be NULL: then one byte says which.
    pub nullable: bool,
    /// DESC.
    pub descending: bool,
    /// A prefix index: this many characters (bytes, of binary strings) count.
    pub prefix: Option<u32>,
}

impl KeyPart {
    /// An ascending, NOT NULL part over the whole column.
    pub const fn ascending(ty: ColumnType) -> Self {
        Self { ty, nullable: false, descending: false, prefix: None }
    }

    /// Whether [`decode_key`] can give the column's value back: everything but prefixes and the strings whose key forgets something
    /// (case, accents, trailing spaces).
    pub const fn is_rebuildable(&self) -> bool {
        self.prefix.is_none() && (!self.ty.is_character() || matches!(self.ty.collation, Collation::BINARY))
    }
}

/// Appends the key of `value`, which must be NULL (of a nullable part) or of the part's type.
///
/// # Panics
/// If the value is of another variant than the type's, or NULL where none can be.
pub fn encode_key(value: &Value, part: &KeyPart, out: &mut Vec<u8>) {
    let start = out.len();
    if part.nullable {
        out.push(if value.is_null() { NULL } else { NOT_NULL });
    }
    if !(part.nullable && value.is_null()) {
        encode_value(value, part, out);
    }
    if part.descending {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

fn encode_value(value: &Value, part: &KeyPart, out: &mut Vec<u8>) {
    let ty = &part.ty;
    match value {
        Value::Int(v) if ty.is_integer() => push_number(*v as u64 ^ 1 << 63, ty, out),
        Value::UInt(v) if ty.is_integer() => {
            let width = fixed_width(ty).unwrap_or(8);
            out.extend_from_slice(&v.to_be_bytes()[8 - width..]);
        }
        Value::Decimal(d) if ty.kind == K::Decimal => encode_decimal(d, ty, out),
        Value::Float(v) if ty.kind == K::Float => {
            let bits = (*v + 0.0).to_bits();
            let flip = if bits >> 31 == 0 { 1 << 31 } else { u32::MAX };
            out.extend_from_slice(&(bits ^ flip).to_be_bytes());
        }
        Value::Double(v) if ty.kind == K::Double => {
            let bits = (*v + 0.0).to_bits();
            let flip = if bits >> 63 == 0 { 1 << 63 } else { u64::MAX };
            out.extend_from_slice(&(bits ^ flip).to_be_bytes());
        }
        Value::Date(v) if ty.kind == K::Date => out.extend_from_slice(&v.bits().to_be_bytes()[1..]),
        Value::Time(v) if ty.kind == K::Time => push_number(v.micros() as u64 ^ 1 << 63, ty, out),
        Value::DateTime(v) if ty.kind == K::DateTime => out.extend_from_slice(&v.bits().to_be_bytes()),
        Value::Timestamp(v) if ty.kind == K::Timestamp => out.extend_from_slice(&v.micros().to_be_bytes()),
        Value::Year(v) if ty.kind == K::Year => out.push(v.get().saturating_sub(1900) as u8),
        Value::Bit(v) if ty.kind == K::Bit => push_unsigned(v.number(), ty, out),
        Value::Choice(c) if ty.is_choice() => push_unsigned(c.number(), ty, out),
        Value::Text(t) if ty.is_character() => string::encode(prefix(t.as_bytes(), part), ty.collation, out),
        Value::Bytes(b) if ty.is_binary() => {
            string::encode(prefix(b.as_bytes(), part), Collation::BINARY, out)
        }
        _ => panic!("a key of type {ty} is asked of {value:?}, which was not stored into it"),
    }
}

fn push_unsigned(v: u64, ty: &ColumnType, out: &mut Vec<u8>) {
    let width = fixed_width(ty).unwrap_or(8);
    out.extend_from_slice(&v.to_be_bytes()[8 - width..]);
}

/// A 64-bit number with its sign bit flipped, in the type's width: the low bytes, with the sign bit of the narrow number flipped.
fn push_number(flipped: u64, ty: &ColumnType, out: &mut Vec<u8>) {
    let width = fixed_width(ty).unwrap_or(8);
    let narrow = (flipped ^ 1 << 63) ^ 1 << (8 * width - 1);
    out.extend_from_slice(&narrow.to_be_bytes()[8 - width..]);
}

/// The characters (or bytes) of a string that an index with a prefix keeps.
fn prefix<'a>(s: &'a [u8], part: &KeyPart) -> &'a [u8] {
    let Some(limit) = part.prefix.map(|p| p as usize) else { return s };
    if part.ty.is_binary() || s.len() <= limit {
        return &s[..limit.min(s.len())];
    }
    let starts = s.iter().enumerate().filter(|(_, b)| (**b as i8) >= -0x40);
    starts.map(|(at, _)| at).nth(limit).map_or(s, |end| &s[..end])
}

fn encode_decimal(d: &Decimal, ty: &ColumnType, out: &mut Vec<u8>) {
    let (width, start) = (decimal_width(ty.precision()), out.len());
    crate::cell::encode_cell(&Value::Decimal(d.clone()), ty, out);
    debug_assert_eq!(out.len() - start, width);
    out[start..].reverse();
    out[start] ^= 0x80;
}

/// A key could not be read back: not rebuildable, or the bytes are no key of the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no rebuildable key part")]
pub struct CorruptKey;

/// Reads one part from the start of `key`: its value and its length in bytes. Only for [`KeyPart::is_rebuildable`] parts.
pub fn decode_key(key: &[u8], part: &KeyPart) -> Result<(Value, usize), CorruptKey> {
    if !part.is_rebuildable() {
        return Err(CorruptKey);
    }
    let flip = if part.descending { 0xFF } else { 0 };
    let mut at = 0;
    if part.nullable {
        match key.first().ok_or(CorruptKey)? ^ flip {
            NULL => return Ok((Value::Null, 1)),
            NOT_NULL => at = 1,
            _ => return Err(CorruptKey),
        }
    }
    let body = &key[at..];
    match fixed_width(&part.ty) {
        Some(width) => {
            let mut bytes = [0; 32];
            let bytes = bytes.get_mut(..width).ok_or(CorruptKey)?;
            bytes.copy_from_slice(body.get(..width).ok_or(CorruptKey)?);
            bytes.iter_mut().for_each(|b| *b ^= flip);
            Ok((decode_fixed(bytes, &part.ty).ok_or(CorruptKey)?, at + width))
        }
        None => {
            let (bytes, len) = string::decode_binary(body, flip).ok_or(CorruptKey)?;
            let value = match part.ty.is_character() {
                true => Value::Text(Text::new(std::str::from_utf8(&bytes).map_err(|_| CorruptKey)?)),
                false => Value::Bytes(Blob::new(&bytes)),
            };
            Ok((value, at + len))
        }
    }
}

/// The length of one part at the start of `key`, rebuildable or not.
pub fn part_len(key: &[u8], part: &KeyPart) -> Result<usize, CorruptKey> {
    let flip = if part.descending { 0xFF } else { 0 };
    let head = usize::from(part.nullable);
    if part.nullable && key.first().ok_or(CorruptKey)? ^ flip == NULL {
        return Ok(1);
    }
    let body = key.get(head..).ok_or(CorruptKey)?;
    let collation = if part.ty.is_character() { part.ty.collation } else { Collation::BINARY };
    let len = match fixed_width(&part.ty) {
        Some(width) if body.len() >= width => Some(width),
        Some(_) => None,
        None => string::encoded_len(body, collation, flip),
    };
    len.map(|l| head + l).ok_or(CorruptKey)
}

fn decode_fixed(bytes: &mut [u8], ty: &ColumnType) -> Option<Value> {
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    Some(match ty.kind {
        K::Float => {
            let bits = number(bytes) as u32;
            Value::Float(f32::from_bits(bits ^ if bits >> 31 == 1 { 1 << 31 } else { u32::MAX }))
        }
        K::Double => {
            let bits = number(bytes);
            Value::Double(f64::from_bits(bits ^ if bits >> 63 == 1 { 1 << 63 } else { u64::MAX }))
        }
        K::Date => Value::Date(Date::from_bits(number(bytes) as u32)?),
        K::DateTime => Value::DateTime(DateTime::from_bits(number(bytes))?),
        K::Timestamp => Value::Timestamp(Timestamp::new(number(bytes) as i64)?),
        K::Year if bytes[0] == 0 => Value::Year(Year::default()),
        K::Year => Value::Year(Year::new(u16::from(bytes[0]) + 1900)?),
        K::Time => Value::Time(Time::new(number(bytes) as i64 - (1 << 47))?),
        _ => {
            // Integers and decimals: the cell, reversed, its sign bit flipped unless unsigned.
            let unsigned = ty.is_choice() || ty.kind == K::Bit || (ty.unsigned && ty.kind != K::Decimal);
            if !unsigned {
                bytes[0] ^= 0x80;
            }
            bytes.reverse();
            return crate::cell::decode_cell(bytes, ty).ok();
        }
    })
}
