//! The binary form (docs/formats/json.md): what a cell of a JSON column holds.
//!
//! ```text
//!   version 1 | tag | payload          containers: count u32, then for each element its offset u32 from the container's tag, then elements
//! ```
//! 1. Decoding foreign bytes gives `None`, never a panic, and recursion is bounded by [`MAX_DEPTH`].
//! 2. Members stand in order, so that a later reader can search them by offset without decoding the rest.

use super::{Json, MAX_DEPTH, Members};
use crate::decimal::Decimal;
use crate::temporal::{Date, DateTime, Time};
use crate::value::Blob;

const VERSION: u8 = 1;
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const DOUBLE: u8 = 5;
const DECIMAL: u8 = 6;
const STRING: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const DATETIME: u8 = 10;
const OPAQUE: u8 = 11;
const ARRAY: u8 = 12;
const OBJECT: u8 = 13;

impl Json {
    /// The binary form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        push(self, &mut out);
        out
    }

    /// Reads what [`Json::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [VERSION, rest @ ..] => read(rest, 1),
            _ => None,
        }
    }
}

fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn push(json: &Json, out: &mut Vec<u8>) {
    let start = out.len();
    let mut tagged = |tag: u8, payload: &[u8]| {
        out.push(tag);
        out.extend_from_slice(payload);
    };
    match json {
        Json::Null => tagged(NULL, &[]),
        Json::Bool(v) => tagged(if *v { TRUE } else { FALSE }, &[]),
        Json::Int(v) => tagged(INT, &v.to_le_bytes()),
        Json::UInt(v) => tagged(UINT, &v.to_le_bytes()),
        Json::Double(v) => tagged(DOUBLE, &v.to_le_bytes()),
        Json::Date(v) => tagged(DATE, &v.bits().to_le_bytes()),
        Json::Time(v) => tagged(TIME, &v.micros().to_le_bytes()),
        Json::DateTime(v) => tagged(DATETIME, &v.bits().to_le_bytes()),
        Json::Decimal(v) => {
            out.push(DECIMAL);
            push_bytes(v.to_string().as_bytes(), out);
        }
        Json::String(s) => {
            out.push(STRING);
            push_bytes(s.as_bytes(), out);
        }
        Json::Opaque(b) => {
            out.push(OPAQUE);
            push_bytes(b.as_bytes(), out);
        }
        Json::Array(items) => {
            let table = open(ARRAY, items.len(), out);
            for (i, item) in items.iter().enumerate() {
                mark(start, table, i, out);
                push(item, out);
            }
        }
        Json::Object(members) => {
            let table = open(OBJECT, members.len(), out);
            for (i, (name, value)) in members.iter().enumerate() {
                mark(start, table, i, out);
                push_bytes(name.as_bytes(), out);
                push(value, out);
            }
        }
    }
}

/// Tag, count, and room for the offsets; where those begin.
fn open(tag: u8, count: usize, out: &mut Vec<u8>) -> usize {
    out.push(tag);
    out.extend_from_slice(&(count as u32).to_le_bytes());
    let table = out.len();
    out.resize(table + 4 * count, 0);
    table
}

/// Writes the offset of the element that begins here.
fn mark(start: usize, table: usize, i: usize, out: &mut [u8]) {
    let offset = ((out.len() - start) as u32).to_le_bytes();
    out[table + 4 * i..table + 4 * i + 4].copy_from_slice(&offset);
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

fn eight(bytes: &[u8]) -> Option<[u8; 8]> {
    bytes.first_chunk::<8>().copied()
}

fn read(bytes: &[u8], depth: usize) -> Option<Json> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (&tag, payload) = bytes.split_first()?;
    Some(match tag {
        NULL => Json::Null,
        FALSE => Json::Bool(false),
        TRUE => Json::Bool(true),
        INT => Json::Int(i64::from_le_bytes(eight(payload)?)),
        UINT => Json::UInt(u64::from_le_bytes(eight(payload)?)),
        DOUBLE => Json::Double(f64::from_le_bytes(eight(payload)?)),
        DECIMAL => Json::Decimal(Decimal::parse_exact(std::str::from_utf8(sized(payload)?.0).ok()?)?),
        STRING => Json::string(std::str::from_utf8(sized(payload)?.0).ok()?),
        DATE => Json::Date(Date::from_bits(u32::from_le_bytes(*payload.first_chunk()?))?),
        TIME => Json::Time(Time::new(i64::from_le_bytes(eight(payload)?))?),
        DATETIME => Json::DateTime(DateTime::from_bits(u64::from_le_bytes(eight(payload)?))?),
        OPAQUE => Json::Opaque(Blob::new(sized(payload)?.0)),
        ARRAY => {
            let items = elements(bytes, payload)?.map(|at| read(bytes.get(at?..)?, depth + 1));
            Json::Array(items.collect::<Option<Vec<_>>>()?)
        }
        OBJECT => {
            let mut members = Members::default();
            for at in elements(bytes, payload)? {
                let (name, value) = sized(bytes.get(at?..)?)?;
                members.put(std::str::from_utf8(name).ok()?, read(value, depth + 1)?);
            }
            Json::Object(members)
        }
        _ => return None,
    })
}

/// The places of a container's elements: each behind the one before, so that no bytes are read twice.
fn elements<'a>(whole: &'a [u8], payload: &'a [u8]) -> Option<impl Iterator<Item = Option<usize>> + 'a> {
    let (count, rest) = payload.split_first_chunk::<4>()?;
    let table = rest.get(..(u32::from_le_bytes(*count) as usize).checked_mul(4)?)?;
    let mut last = 0;
    Some(table.as_chunks::<4>().0.iter().map(move |offset| {
        let at = u32::from_le_bytes(*offset) as usize;
        let rising = at > last && at < whole.len();
        last = at;
        rising.then_some(at)
    }))
}
