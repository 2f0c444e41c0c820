//! Addresses and identifiers: IPv6 and its mixed forms, UUIDs as text and as sixteen bytes.

use super::string::shape::{ascii, binary};
use super::{Function, function, volatile};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Ty, Typed};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use values::condition::printable;
use values::{Condition, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("bin_to_uuid", 1, 2, |_, infer| Ok(ascii(36, infer)), bin_to_uuid),
    function("inet6_aton", 1, 1, |_, _| Ok(binary(16)), inet6_aton),
    function("inet6_ntoa", 1, 1, |_, infer| Ok(ascii(39, infer)), inet6_ntoa),
    function(
        "is_ipv4_compat",
        1,
        1,
        |_, _| Ok(Ty::bool(true)),
        |args, _, e| mixed(args, e, |b| b[..12] == [0; 12] && b[12..] != [0; 4] && b[12..] != [0, 0, 0, 1]),
    ),
    function(
        "is_ipv4_mapped",
        1,
        1,
        |_, _| Ok(Ty::bool(true)),
        |args, _, e| mixed(args, e, |b| b[..10] == [0; 10] && b[10..12] == [255; 2]),
    ),
    function(
        "is_ipv6",
        1,
        1,
        |args, _| Ok(Ty::bool(args[0].ty.nullable)),
        |args, _, e| {
            let Some(s) = args[0].text(e)? else { return Ok(Value::Null) };
            Ok(Value::bool(s.as_str().parse::<Ipv6Addr>().is_ok()))
        },
    ),
    function(
        "is_uuid",
        1,
        1,
        |_, _| Ok(Ty::bool(true)),
        |args, _, e| {
            let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
            Ok(Value::bool(parse_uuid(s.as_bytes()).is_some()))
        },
    ),
    volatile("uuid_short", 0, 0, |_, _| Ok(Ty::uint(21).not_null()), uuid_short),
    function("uuid_to_bin", 1, 2, |_, _| Ok(binary(16)), uuid_to_bin),
];

fn incorrect(function: &'static str, value: &[u8]) -> Condition {
    Condition::IncorrectForFunction { kind: "string", value: printable(value), function }
}

/// Four bytes of an IPv4 address, sixteen of an IPv6 one; NULL with a warning for what is neither.
fn inet6_aton(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let text = std::str::from_utf8(s.as_bytes()).unwrap_or_default();
    if let Ok(v4) = text.parse::<Ipv4Addr>() {
        return Ok(Value::bytes(&v4.octets()));
    }
    if let Ok(v6) = text.parse::<Ipv6Addr>() {
        return Ok(Value::bytes(&v6.octets()));
    }
    let quoted = format!("'{}'", printable(s.as_bytes()));
    e.context.note_condition(&incorrect("inet6_aton", quoted.as_bytes()));
    Ok(Value::Null)
}

fn inet6_ntoa(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let is_bytes = args[0].ty.is_text() && args[0].ty.collation() == values::Collation::BINARY;
    let s = s.as_bytes();
    if let (true, Ok([a, b, c, d])) = (is_bytes, <[u8; 4]>::try_from(s)) {
        return Ok(Value::text(&format!("{a}.{b}.{c}.{d}")));
    }
    if let (true, Ok(octets)) = (is_bytes, <[u8; 16]>::try_from(s)) {
        return Ok(Value::text(&v6_text(octets)));
    }
    let quoted = format!("'{}'", printable(s));
    e.context.note_condition(&incorrect("inet6_ntoa", quoted.as_bytes()));
    Ok(Value::Null)
}

/// As MySQL prints it: the first longest run of zero groups is `::`, even a single one; compatible and mapped addresses end in IPv4.
fn v6_text(octets: [u8; 16]) -> String {
    let words: Vec<u16> = octets.as_chunks::<2>().0.iter().map(|w| u16::from_be_bytes(*w)).collect();
    let (mut gap, mut at) = ((0, 0), 0);
    while at < 8 {
        let run = words[at..].iter().take_while(|w| **w == 0).count();
        if run > gap.1 {
            gap = (at, run);
        }
        at += run.max(1);
    }
    let mut out = String::new();
    if gap == (0, 6) || gap == (0, 5) && words[5] == 0xFFFF {
        let [.., a, b, c, d] = octets;
        let middle = if gap.1 == 5 { "ffff:" } else { "" };
        write!(out, "::{middle}{a}.{b}.{c}.{d}").unwrap_or_default();
        return out;
    }
    let mut at = 0;
    while at < 8 {
        if gap.1 > 0 && at == gap.0 {
            out.push_str(if at == 0 { "::" } else { ":" });
            at += gap.1;
            continue;
        }
        write!(out, "{:x}", words[at]).unwrap_or_default();
        at += 1;
        if at < 8 {
            out.push(':');
        }
    }
    out
}

fn mixed(args: &[Typed], e: &mut Eval<'_>, is: impl Fn(&[u8; 16]) -> bool) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    Ok(Value::bool(<[u8; 16]>::try_from(s.as_bytes()).is_ok_and(|b| is(&b))))
}

/// 32 digits, 36 characters with dashes, or those in braces.
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let inner = match text {
        [b'{', inner @ .., b'}'] if inner.len() == 36 => inner,
        _ => text,
    };
    let digits: Vec<u8> = match inner.len() {
        32 => inner.to_vec(),
        36 if [8, 13, 18, 23].iter().all(|i| inner[*i] == b'-') => {
            inner.iter().enumerate().filter(|(i, _)| ![8, 13, 18, 23].contains(i)).map(|(_, b)| *b).collect()
        }
        _ => return None,
    };
    let mut out = [0; 16];
    for (byte, [high, low]) in out.iter_mut().zip(digits.as_chunks::<2>().0) {
        let value = |b: &u8| char::from(*b).to_digit(16);
        *byte = (value(high)? << 4 | value(low)?) as u8;
    }
    Some(out)
}

/// Moves the time's high parts to the front, so that UUIDs of version 1 sort by time.
fn swapped(b: [u8; 16]) -> [u8; 16] {
    let mut out = b;
    out[0..2].copy_from_slice(&b[6..8]);
    out[2..4].copy_from_slice(&b[4..6]);
    out[4..8].copy_from_slice(&b[0..4]);
    out
}

fn unswapped(b: [u8; 16]) -> [u8; 16] {
    let mut out = b;
    out[6..8].copy_from_slice(&b[0..2]);
    out[4..6].copy_from_slice(&b[2..4]);
    out[0..4].copy_from_slice(&b[4..8]);
    out
}

fn swap_wanted(args: &[Typed], e: &mut Eval<'_>) -> Result<bool> {
    args.get(1).map_or(Ok(false), |flag| flag.holds(e))
}

fn uuid_to_bin(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let swap = swap_wanted(args, e)?;
    let Some(bytes) = parse_uuid(s.as_bytes()) else { return Err(refused("uuid_to_bin", s.as_bytes())) };
    Ok(Value::bytes(&if swap { swapped(bytes) } else { bytes }))
}

fn bin_to_uuid(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(Value::Null) };
    let swap = swap_wanted(args, e)?;
    let Ok(bytes) = <[u8; 16]>::try_from(s.as_bytes()) else {
        return Err(refused("bin_to_uuid", s.as_bytes()));
    };
    let bytes = if swap { unswapped(bytes) } else { bytes };
    let mut out = String::with_capacity(36);
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        write!(out, "{b:02x}").unwrap_or_default();
    }
    Ok(Value::text(&out))
}

/// 1411, as an error.
fn refused(function: &'static str, value: &[u8]) -> SqlError {
    crate::session::context::condition_error(&incorrect(function, value), &values::Site::default())
}

/// Server id, seconds, and a count: rising within a process.
fn uuid_short(_: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let seconds = u64::try_from(e.context.now_us / 1_000_000).unwrap_or(0) & 0xFFFF_FFFF;
    let least = 1 << 56 | seconds << 24;
    let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(least.max(last + 1)));
    Ok(Value::UInt(least.max(before.unwrap_or(0) + 1)))
}
