//! Looking for and among strings: LOCATE, REPLACE, STRCMP, FIELD, FIND_IN_SET, ELT, MAKE_SET, EXPORT_SET.

use super::{string, too_long};
use crate::error::Result;
use crate::expr::compare::{collation_of, compare, rule_of};
use crate::expr::{Eval, Ty, Typed};
use std::cmp::Ordering;
use values::compare::Rule;
use values::{Collation, Value};

/// The characters of a string with the byte each starts at.
fn characters(s: &[u8], binary: bool) -> Vec<u32> {
    if binary {
        return s.iter().map(|b| u32::from(*b)).collect();
    }
    let mut out = Vec::with_capacity(s.len());
    let mut rest = s;
    while !rest.is_empty() {
        let (c, len) = values::collation::uca::decode(rest);
        out.push(c);
        rest = &rest[len..];
    }
    out
}

/// The position of `needle` in `hay` from `from` on, counted from 1; 0 if it is not there.
pub(super) fn locate(needle: &Typed, hay: &Typed, from: Option<&Typed>, e: &mut Eval<'_>) -> Result<Value> {
    // A binary needle is looked for as text in text, as MySQL does; a binary haystack makes both bytes.
    let as_text = hay.ty.is_text() && hay.ty.collation() != Collation::BINARY;
    let read = needle.ty.is_text() && needle.ty.collation() == Collation::BINARY && as_text;
    let collation = if read { hay.ty.collation() } else { collation_of(&needle.ty, &hay.ty)? };
    let (Some(n), Some(h)) = (needle.bytes_in(collation, e)?, hay.bytes_in(collation, e)?) else {
        return Ok(Value::Null);
    };
    let from = match from {
        None => 1,
        Some(arg) => match arg.integer(e)? {
            None => return Ok(Value::Null),
            Some(from) if from < 1 => return Ok(Value::Int(0)),
            Some(from) => usize::try_from(from).unwrap_or(usize::MAX),
        },
    };
    let binary = collation == Collation::BINARY;
    let (n, h) = (characters(n.as_bytes(), binary), characters(h.as_bytes(), binary));
    if n.is_empty() {
        return Ok(Value::Int(if from <= h.len() + 1 { from as i64 } else { 0 }));
    }
    let equal = |window: &[u32]| window.iter().zip(&n).all(|(a, b)| collation.same_character(*a, *b));
    let found = h.windows(n.len()).enumerate().skip(from - 1).find(|(_, window)| equal(window));
    Ok(Value::Int(found.map_or(0, |(at, _)| at as i64 + 1)))
}

/// REPLACE compares bytes: case matters.
pub(super) fn replace(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let mut in_result = |arg: &Typed| arg.bytes_in(ty.collation(), e);
    let (Some(s), Some(from), Some(to)) = (in_result(&args[0])?, in_result(&args[1])?, in_result(&args[2])?)
    else {
        return Ok(Value::Null);
    };
    let (s, from, to) = (s.as_bytes(), from.as_bytes(), to.as_bytes());
    if from.is_empty() {
        return Ok(string(ty, s));
    }
    let (mut out, mut at) = (Vec::with_capacity(s.len()), 0);
    while at < s.len() {
        if s[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(s[at]);
            at += 1;
        }
    }
    if too_long("replace", out.len(), e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &out))
}

pub(super) fn strcmp(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let collation = collation_of(&args[0].ty, &args[1].ty)?;
    let (Some(a), Some(b)) = (args[0].bytes_in(collation, e)?, args[1].bytes_in(collation, e)?) else {
        return Ok(Value::Null);
    };
    Ok(Value::Int(match collation.compare(a.as_bytes(), b.as_bytes()) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

/// FIELD compares as strings if all are, as numbers otherwise; NULL equals nothing.
pub(super) fn field(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let first = args[0].eval(e)?;
    let strings = args.iter().all(|a| a.ty.is_text() || a.ty.null);
    for (i, arg) in args.iter().enumerate().skip(1) {
        let value = arg.eval(e)?;
        let rule = if strings { rule_of(&args[0].ty, &arg.ty)? } else { Rule::Double };
        if compare(rule, &first, &value, e)? == Some(Ordering::Equal) {
            return Ok(Value::Int(i as i64));
        }
    }
    Ok(Value::Int(0))
}

pub(super) fn find_in_set(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let collation = collation_of(&args[0].ty, &args[1].ty)?;
    let (Some(what), Some(set)) = (args[0].bytes_in(collation, e)?, args[1].bytes_in(collation, e)?) else {
        return Ok(Value::Null);
    };
    if set.as_bytes().is_empty() {
        return Ok(Value::Int(0));
    }
    let mut items = set.as_bytes().split(|b| *b == b',');
    let found = items.position(|item| collation.equal(item, what.as_bytes()));
    Ok(Value::Int(found.map_or(0, |i| i as i64 + 1)))
}

pub(super) fn elt(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(n) = args[0].integer(e)? else { return Ok(Value::Null) };
    let chosen = usize::try_from(n).ok().filter(|n| *n > 0).and_then(|n| args.get(n));
    let Some(arg) = chosen else { return Ok(Value::Null) };
    Ok(arg.bytes_in(ty.collation(), e)?.map_or(Value::Null, |b| string(ty, b.as_bytes())))
}

pub(super) fn make_set(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(bits) = args[0].integer(e)? else { return Ok(Value::Null) };
    let mut out: Vec<Vec<u8>> = Vec::new();
    for (i, arg) in args[1..].iter().enumerate().take(64) {
        if bits >> i & 1 == 1
            && let Some(s) = arg.bytes_in(ty.collation(), e)?
        {
            out.push(s.as_bytes().to_vec());
        }
    }
    Ok(string(ty, &out.join(&b',')))
}

pub(super) fn export_set(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(bits) = args[0].integer(e)? else { return Ok(Value::Null) };
    let (Some(on), Some(off)) = (args[1].bytes_in(ty.collation(), e)?, args[2].bytes_in(ty.collation(), e)?)
    else {
        return Ok(Value::Null);
    };
    let separator = match args.get(3) {
        None => values::Blob::new(b","),
        Some(arg) => match arg.bytes(e)? {
            Some(s) => s,
            None => return Ok(Value::Null),
        },
    };
    let count = match args.get(4) {
        None => 64,
        Some(arg) => match arg.integer(e)? {
            Some(n) if (0..=64).contains(&n) => n as u32,
            Some(_) => 64,
            None => return Ok(Value::Null),
        },
    };
    let each = |i: u32| if bits >> i & 1 == 1 { on.as_bytes() } else { off.as_bytes() };
    let out: Vec<&[u8]> = (0..count).map(each).collect();
    Ok(string(ty, &out.join(separator.as_bytes())))
}
