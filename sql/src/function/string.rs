//! String functions: what they are called, what type they give, and the helpers they share.
//!
//! A result is binary when one of the strings it is made of is; then its "characters" are bytes. Otherwise its collation is the one of the
//! strongest argument (a column before a literal before a number).

mod code;
mod cut;
mod search;
pub(super) mod shape;

use super::{ANY, Function, function};
use crate::error::Result;
use crate::expr::ty::derivation;
use crate::expr::{Eval, Ty, Typed};
use shape::{
    ascii, base64_width, binary, concat_ws_type, cut_type, hex_width, joined, joined_of, kind_of, octets_of,
    padded, quoted_type, repeated, same, sha2_type, sounded_type, space_type, substring_type, system, whole,
    widest, width, widths,
};
use values::collation::{case, char_length};
use values::{Blob, Collation, Condition, Level, Text, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("ascii", 1, 1, whole::<4>, |args, _, e| {
        bytes_to(args, e, |b| Value::Int(b.first().copied().map_or(0, i64::from)))
    }),
    function("bin", 1, 1, |_, infer| Ok(ascii(65, infer)), code::bin),
    function("bit_count", 1, 1, whole::<21>, code::bit_count),
    function("bit_length", 1, 1, whole::<11>, |args, _, e| {
        bytes_to(args, e, |b| Value::Int(b.len() as i64 * 8))
    }),
    function(
        "char",
        1,
        ANY,
        |args, _| Ok(Ty::text(args.len() as u32 * 4, Collation::BINARY, derivation::COERCIBLE)),
        code::char,
    ),
    function("char_length", 1, 1, whole::<11>, characters),
    function("character_length", 1, 1, whole::<11>, characters),
    function(
        "charset",
        1,
        1,
        |_, infer| Ok(system(64, infer)),
        |args, _, _| Ok(Value::text(kind_of(&args[0]).charset())),
    ),
    function(
        "coercibility",
        1,
        1,
        |_, _| Ok(Ty::int(10).not_null()),
        |args, _, _| Ok(Value::Int(i64::from(args[0].ty.derivation))),
    ),
    function(
        "collation",
        1,
        1,
        |_, infer| Ok(system(64, infer)),
        |args, _, _| Ok(Value::text(kind_of(&args[0]).name())),
    ),
    function("concat", 1, ANY, |args, infer| Ok(joined(args, widths(args), infer)), concat),
    function("concat_ws", 2, ANY, concat_ws_type, concat_ws),
    function("conv", 3, 3, |_, infer| Ok(ascii(65, infer)), code::conv),
    function("crc32", 1, 1, |args, _| Ok(Ty::uint(10).or_null(args[0].ty.nullable)), code::crc32),
    function("elt", 2, ANY, |args, infer| Ok(joined(&args[1..], widest(&args[1..]), infer)), search::elt),
    function(
        "export_set",
        3,
        5,
        |args, infer| Ok(joined(&args[1..3], 64 * (1 + widest(&args[1..3])), infer)),
        search::export_set,
    ),
    function("field", 2, ANY, |_, _| Ok(Ty::int(11).not_null()), search::field),
    function("find_in_set", 2, 2, whole::<11>, search::find_in_set),
    function("from_base64", 1, 1, |args, _| Ok(binary(width(&args[0]) * 3)), code::from_base64),
    function("hex", 1, 1, |args, infer| Ok(ascii(hex_width(&args[0]), infer)), code::hex),
    function("inet_aton", 1, 1, |_, _| Ok(Ty::uint(21)), code::inet_aton),
    function("inet_ntoa", 1, 1, |_, infer| Ok(ascii(31, infer)), code::inet_ntoa),
    function(
        "insert",
        4,
        4,
        |args, infer| Ok(joined_of(&[&args[0], &args[3]], width(&args[0]) + width(&args[3]), infer)),
        cut::insert,
    ),
    function("instr", 2, 2, whole::<11>, |args, _, e| search::locate(&args[1], &args[0], None, e)),
    function("is_ipv4", 1, 1, |_, _| Ok(Ty::bool(false)), code::is_ipv4),
    function("lcase", 1, 1, same, lower),
    function("left", 2, 2, cut_type, cut::left),
    function("length", 1, 1, whole::<11>, octets),
    function("locate", 2, 3, whole::<11>, |args, _, e| search::locate(&args[0], &args[1], args.get(2), e)),
    function("lower", 1, 1, same, lower),
    function("lpad", 3, 3, padded, |args, ty, e| cut::pad(args, ty, true, e)),
    function("ltrim", 1, 2, same, |args, ty, e| cut::trim(args, ty, (true, false), e)),
    function(
        "make_set",
        2,
        ANY,
        |args, infer| Ok(joined(&args[1..], widths(&args[1..]) + args.len() as u32, infer)),
        search::make_set,
    ),
    function("oct", 1, 1, |_, infer| Ok(ascii(65, infer)), code::oct),
    function("octet_length", 1, 1, whole::<11>, octets),
    function("ord", 1, 1, whole::<21>, code::ord),
    function("quote", 1, 1, quoted_type, code::quote),
    function("repeat", 2, 2, repeated, repeat),
    function("replace", 3, 3, |args, infer| Ok(joined(args, width(&args[0]), infer)), search::replace),
    function("reverse", 1, 1, same, cut::reverse),
    function("right", 2, 2, cut_type, cut::right),
    function("rpad", 3, 3, padded, |args, ty, e| cut::pad(args, ty, false, e)),
    function("rtrim", 1, 2, same, |args, ty, e| cut::trim(args, ty, (false, true), e)),
    function("sha2", 2, 2, sha2_type, code::sha2),
    function("soundex", 1, 1, sounded_type, code::soundex),
    function("space", 1, 1, space_type, space),
    function("strcmp", 2, 2, whole::<2>, search::strcmp),
    function("substring", 2, 3, substring_type, cut::substring),
    function(
        "substring_index",
        3,
        3,
        |args, infer| Ok(joined_of(&[&args[0], &args[1]], width(&args[0]), infer)),
        cut::substring_index,
    ),
    function(
        "to_base64",
        1,
        1,
        |args, infer| Ok(ascii(base64_width(octets_of(&args[0])), infer)),
        code::to_base64,
    ),
    function("trim", 1, 2, same, |args, ty, e| cut::trim(args, ty, (true, true), e)),
    function("ucase", 1, 1, same, upper),
    function("unhex", 1, 1, |args, _| Ok(binary(octets_of(&args[0]).div_ceil(2))), code::unhex),
    function("upper", 1, 1, same, upper),
];

/// A result of type `ty`.
pub(super) fn string(ty: &Ty, bytes: &[u8]) -> Value {
    if ty.collation() == Collation::BINARY {
        return Value::Bytes(Blob::new(bytes));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(Text::new(text)),
        Err(_) => Value::text(&String::from_utf8_lossy(bytes)),
    }
}

fn is_binary(ty: &Ty) -> bool {
    ty.collation() == Collation::BINARY
}

/// The byte at which character `n` of `s` starts (byte `n`, of a binary string); the length if there are fewer.
fn offset(s: &[u8], n: usize, binary: bool) -> usize {
    if binary {
        return n.min(s.len());
    }
    let starts = s.iter().enumerate().filter(|(_, b)| (**b as i8) >= -0x40);
    starts.map(|(at, _)| at).nth(n).unwrap_or(s.len())
}

fn length(s: &[u8], binary: bool) -> usize {
    if binary { s.len() } else { char_length(s) }
}

/// An answer from one string; NULL gives NULL.
fn bytes_to(args: &[Typed], e: &mut Eval<'_>, answer: impl FnOnce(&[u8]) -> Value) -> Result<Value> {
    Ok(args[0].octets(e)?.map_or(Value::Null, |b| answer(b.as_bytes())))
}

/// NULL with a warning when a result would exceed max_allowed_packet.
fn too_long(function: &'static str, bytes: usize, e: &mut Eval<'_>) -> Result<bool> {
    let limit = e.context.settings.max_allowed_packet;
    if bytes as u64 <= limit {
        return Ok(false);
    }
    e.context.raise(&Condition::ResultTooLong { function, limit }, "")?;
    Ok(true)
}

/// A warning that is not about a value of ours.
fn warn(e: &mut Eval<'_>, code: u16, message: &str) {
    e.context.warn(Level::Warning, code, message.to_owned());
}

fn octets(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    bytes_to(args, e, |b| Value::Int(b.len() as i64))
}

fn characters(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let binary = args[0].ty.is_text() && is_binary(&args[0].ty);
    Ok(args[0].bytes(e)?.map_or(Value::Null, |b| Value::Int(length(b.as_bytes(), binary) as i64)))
}

fn concat(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let mut out = Vec::new();
    for arg in args {
        let Some(bytes) = arg.bytes_in(ty.collation(), e)? else { return Ok(Value::Null) };
        out.extend_from_slice(bytes.as_bytes());
    }
    if too_long("concat", out.len(), e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &out))
}

fn concat_ws(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(separator) = args[0].bytes_in(ty.collation(), e)? else { return Ok(Value::Null) };
    let (mut out, mut first) = (Vec::new(), true);
    for arg in &args[1..] {
        let Some(bytes) = arg.bytes_in(ty.collation(), e)? else { continue };
        if !first {
            out.extend_from_slice(separator.as_bytes());
        }
        first = false;
        out.extend_from_slice(bytes.as_bytes());
    }
    if too_long("concat_ws", out.len(), e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &out))
}

fn upper(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    mapped(args, ty, e, case::upper)
}

fn lower(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    mapped(args, ty, e, case::lower)
}

/// Binary strings have no case.
fn mapped(args: &[Typed], ty: &Ty, e: &mut Eval<'_>, map: fn(&str) -> String) -> Result<Value> {
    if is_binary(ty) {
        return bytes_to(args, e, |b| string(ty, b));
    }
    Ok(args[0].text(e)?.map_or(Value::Null, |t| Value::Text(Text::from(map(t.as_str())))))
}

fn repeat(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(bytes) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let Some(count) = args[1].integer(e)? else { return Ok(Value::Null) };
    let count = usize::try_from(count).unwrap_or(0);
    if bytes.as_bytes().is_empty() || count == 0 {
        return Ok(string(ty, b""));
    }
    if too_long("repeat", bytes.as_bytes().len().saturating_mul(count), e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &bytes.as_bytes().repeat(count)))
}

fn space(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(count) = args[0].integer(e)? else { return Ok(Value::Null) };
    let count = usize::try_from(count).unwrap_or(0);
    if too_long("space", count, e)? {
        return Ok(Value::Null);
    }
    Ok(string(ty, &vec![b' '; count]))
}
