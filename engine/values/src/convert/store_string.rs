//! Assignment to CHAR, VARCHAR, TEXT, BINARY, VARBINARY and BLOB.

use super::Context;
use super::store::Stored;
use super::text::append_text;
use crate::collation::{CharSet, trim_spaces};
use crate::condition::{Condition, printable};
use crate::double::fitted_text;
use crate::types::{ColumnType, TypeKind as K};
use crate::value::{Blob, Text, Value};

pub(super) fn string(value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let mut buffer = Vec::new();
    let bytes = match value {
        Value::Text(t) => t.as_bytes(),
        Value::Bytes(b) => b.as_bytes(),
        Value::Double(v) if !ty.is_lob() => {
            buffer.extend_from_slice(fitted_text(*v, ty.length as usize).as_bytes());
            &buffer
        }
        Value::Timestamp(v) => {
            let local = Value::DateTime(v.to_datetime(cx.zone));
            append_text(&local, shown_digits(&local), &mut buffer);
            &buffer
        }
        _ => {
            append_text(value, shown_digits(value), &mut buffer);
            &buffer
        }
    };
    if ty.is_binary() { binary(bytes, ty, cx) } else { character(bytes, value, ty, cx) }
}

/// Fractional digits of a temporal that are not zero: a value alone does not know its type's. The caller who does converts it first.
fn shown_digits(value: &Value) -> u8 {
    let micros = match value {
        Value::Time(t) => t.fraction(),
        Value::DateTime(d) => d.micros(),
        _ => return crate::types::NOT_FIXED,
    };
    (0..6).find(|f| i64::from(micros) % crate::temporal::unit(*f) == 0).unwrap_or(6)
}

fn binary(bytes: &[u8], ty: &ColumnType, cx: &Context) -> Stored {
    let room = ty.length as usize;
    let mut kept = bytes[..bytes.len().min(room)].to_vec();
    if ty.kind == K::Binary {
        kept.resize(room, 0);
    }
    cut(Value::Bytes(Blob::from(kept)), bytes.len() > room, cx)
}

fn cut(value: Value, too_long: bool, cx: &Context) -> Stored {
    match too_long {
        true if cx.mode.strict() => Stored::warned(value, Condition::TooLong),
        true => Stored::warned(value, Condition::Truncated),
        false => Stored::clean(value),
    }
}

fn character(bytes: &[u8], value: &Value, ty: &ColumnType, cx: &Context) -> Stored {
    let (text, bad) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(e) => {
            let (valid, rest) = bytes.split_at(e.valid_up_to());
            let condition = Condition::Incorrect { kind: "string", value: shown(rest) };
            (std::str::from_utf8(valid).unwrap_or_default(), Some(condition))
        }
    };
    let set = ty.collation.char_set();
    let replaced: String;
    let (text, bad) = match first_missing(text, set) {
        None => (text, bad),
        Some(at) => {
            let condition = Condition::Incorrect { kind: "string", value: shown(&text.as_bytes()[at..]) };
            replaced = text.chars().map(|c| if set.has(c) { c } else { '?' }).collect();
            (replaced.as_str(), Some(condition))
        }
    };
    let end = match ty.is_lob() {
        true if set.bytes_per_char() == 1 => {
            text.char_indices().nth(ty.length as usize).map_or(text.len(), |(at, _)| at)
        }
        true => byte_limit(text, ty.length as usize),
        false => text.char_indices().nth(ty.length as usize).map_or(text.len(), |(at, _)| at),
    };
    let (kept, lost) = text.split_at(end);
    let is_char = ty.kind == K::Char;
    let kept = if is_char { std::str::from_utf8(trim_spaces(kept.as_bytes())).unwrap_or(kept) } else { kept };
    let stored = match (value, kept.len() == bytes.len()) {
        (Value::Text(t), true) => Value::Text(t.clone()),
        _ => Value::Text(Text::new(kept)),
    };
    match bad {
        Some(condition) => Stored::warned(stored, condition),
        None if lost.is_empty() => Stored::clean(stored),
        None if trim_spaces(lost.as_bytes()).is_empty() && !ty.is_lob() => match is_char {
            true => Stored::clean(stored),
            false => Stored::noted(stored, Condition::Truncated),
        },
        None => cut(stored, true, cx),
    }
}

/// Where the first character stands that `set` has not.
fn first_missing(text: &str, set: CharSet) -> Option<usize> {
    if matches!(set, CharSet::Utf8mb4 | CharSet::Binary) || text.is_ascii() {
        return None;
    }
    text.char_indices().find(|(_, c)| !set.has(*c)).map(|(at, _)| at)
}

/// The invalid bytes as MySQL shows them: at most six, then dots.
fn shown(rest: &[u8]) -> String {
    let shown: String = rest
        .iter()
        .take(6)
        .map(|b| match b {
            b' '..=b'~' => char::from(*b).to_string(),
            _ => format!("\\x{b:02X}"),
        })
        .collect();
    if rest.len() > 6 { shown + "..." } else { printable(shown.as_bytes()) }
}

/// The last character boundary within `limit` bytes.
fn byte_limit(text: &str, limit: usize) -> usize {
    if text.len() <= limit {
        return text.len();
    }
    (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
