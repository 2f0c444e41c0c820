//! Parts of strings: LEFT, RIGHT, SUBSTRING, TRIM, INSERT, LPAD, REVERSE, SUBSTRING_INDEX.

use super::{is_binary, length, offset, string, too_long};
use crate::error::Result;
use crate::expr::{Eval, Ty, Typed};
use values::{Blob, Value};

/// A string and a number, both not NULL.
fn string_and_number(args: &[Typed], e: &mut Eval<'_>) -> Result<Option<(Blob, i128)>> {
    let Some(s) = args[0].bytes(e)? else { return Ok(None) };
    Ok(args[1].integer(e)?.map(|n| (s, n)))
}

pub(super) fn left(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((s, n)) = string_and_number(args, e)? else { return Ok(Value::Null) };
    let s = s.as_bytes();
    let end = offset(s, usize::try_from(n.max(0)).unwrap_or(usize::MAX), is_binary(ty));
    Ok(string(ty, &s[..end]))
}

pub(super) fn right(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((s, n)) = string_and_number(args, e)? else { return Ok(Value::Null) };
    let (s, binary) = (s.as_bytes(), is_binary(ty));
    let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
    let start = offset(s, length(s, binary).saturating_sub(n), binary);
    Ok(string(ty, &s[start..]))
}

/// Positions count from 1, or from the end when negative; position 0 and a length below 1 give nothing.
pub(super) fn substring(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((s, position)) = string_and_number(args, e)? else { return Ok(Value::Null) };
    let count = match args.get(2) {
        None => i128::MAX,
        Some(arg) => match arg.integer(e)? {
            Some(n) => n,
            None => return Ok(Value::Null),
        },
    };
    let (s, binary) = (s.as_bytes(), is_binary(ty));
    let total = length(s, binary) as i128;
    let start = if position < 0 { total + position } else { position - 1 };
    if position == 0 || count <= 0 || start < 0 || start >= total {
        return Ok(string(ty, b""));
    }
    let rest = &s[offset(s, start as usize, binary)..];
    let end = offset(rest, usize::try_from(count).unwrap_or(usize::MAX), binary);
    Ok(string(ty, &rest[..end]))
}

/// TRIM, LTRIM and RTRIM: `sides` says which; the second argument is what goes, a space by default.
pub(super) fn trim(args: &[Typed], ty: &Ty, sides: (bool, bool), e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let what = match args.get(1) {
        None => Blob::new(b" "),
        Some(arg) => match arg.bytes(e)? {
            Some(what) => what,
            None => return Ok(Value::Null),
        },
    };
    let (mut s, what) = (s.as_bytes(), what.as_bytes());
    if what.is_empty() {
        return Ok(string(ty, s));
    }
    while sides.0
        && let Some(rest) = s.strip_prefix(what)
    {
        s = rest;
    }
    while sides.1
        && let Some(rest) = s.strip_suffix(what)
    {
        s = rest;
    }
    Ok(string(ty, s))
}

pub(super) fn insert(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some((s, position)) = string_and_number(args, e)? else { return Ok(Value::Null) };
    let (Some(count), Some(new)) = (args[2].integer(e)?, args[3].bytes_in(ty.collation(), e)?) else {
        return Ok(Value::Null);
    };
    let (s, binary) = (s.as_bytes(), is_binary(ty));
    let total = length(s, binary) as i128;
    if position < 1 || position > total {
        return Ok(string(ty, s));
    }
    let start = offset(s, position as usize - 1, binary);
    let left = total - (position - 1);
    let count = if count < 0 || count > left { left } else { count };
    let end = start + offset(&s[start..], count as usize, binary);
    let out = [&s[..start], new.as_bytes(), &s[end..]].concat();
    if too_long("insert", out.len(), e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &out))
}

/// LPAD and RPAD: a negative length is NULL, and so is a pad of nothing that is needed.
pub(super) fn pad(args: &[Typed], ty: &Ty, left: bool, e: &mut Eval<'_>) -> Result<Value> {
    let Some((s, wanted)) = string_and_number(args, e)? else { return Ok(Value::Null) };
    let Some(pad) = args[2].bytes_in(ty.collation(), e)? else { return Ok(Value::Null) };
    if wanted < 0 {
        return Ok(Value::Null);
    }
    let (s, pad, binary) = (s.as_bytes(), pad.as_bytes(), is_binary(ty));
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let own = length(s, binary);
    if own >= wanted || pad.is_empty() {
        return Ok(string(ty, &s[..offset(s, wanted, binary)]));
    }
    let per_character = if binary { 1 } else { 4 };
    let name = if left { "lpad" } else { "rpad" };
    if too_long(name, wanted.saturating_mul(per_character), e)? {
        return Ok(Value::Null);
    }
    let missing = wanted - own;
    let each = length(pad, binary);
    let mut filling = pad.repeat(missing / each);
    filling.extend_from_slice(&pad[..offset(pad, missing % each, binary)]);
    let out = if left { [&filling, s].concat() } else { [s, &filling[..]].concat() };
    Ok(string(ty, &out))
}

pub(super) fn reverse(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let out: Vec<u8> = match std::str::from_utf8(s.as_bytes()) {
        Ok(text) if !is_binary(ty) => text.chars().rev().collect::<String>().into_bytes(),
        _ => s.as_bytes().iter().rev().copied().collect(),
    };
    Ok(string(ty, &out))
}

/// What stands before the n-th delimiter from the left, or behind the n-th from the right.
pub(super) fn substring_index(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(s), Some(delimiter)) =
        (args[0].bytes_in(ty.collation(), e)?, args[1].bytes_in(ty.collation(), e)?)
    else {
        return Ok(Value::Null);
    };
    let Some(count) = args[2].integer(e)? else { return Ok(Value::Null) };
    let (s, delimiter) = (s.as_bytes(), delimiter.as_bytes());
    if delimiter.is_empty() || count == 0 || s.is_empty() {
        return Ok(string(ty, b""));
    }
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let size = delimiter.len();
    let (mut seen, mut at) = (0, 0);
    if count > 0 {
        while at + size <= s.len() {
            if &s[at..at + size] == delimiter {
                seen += 1;
                if seen == wanted {
                    return Ok(string(ty, &s[..at]));
                }
                at += size;
            } else {
                at += 1;
            }
        }
        return Ok(string(ty, s));
    }
    let mut end = s.len();
    while end >= size {
        if &s[end - size..end] == delimiter {
            seen += 1;
            if seen == wanted {
                return Ok(string(ty, &s[end..]));
            }
            end -= size;
        } else {
            end -= 1;
        }
    }
    Ok(string(ty, s))
}
