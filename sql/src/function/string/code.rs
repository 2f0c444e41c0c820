//! Strings as other notations: HEX, BIN, CONV, CHAR, ORD, QUOTE, FORMAT, base 64, SHA2, CRC32, SOUNDEX, IPv4 addresses.

use super::{bytes_to, is_binary, string, warn};
use crate::error::Result;
use crate::expr::compare::Rule;
use crate::expr::ty::Class;
use crate::expr::{Eval, Ty, Typed};
use sha2::Digest;
use values::convert::number::{double_to_integer, to_double, to_integer};
use values::{Condition, Value};

/// A number for BIN, OCT and HEX: 64 bits, doubles rounded, decimals cut.
fn bits(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<u64>> {
    let value = arg.eval(e)?;
    Ok(match value {
        Value::Null => None,
        Value::Int(v) => Some(v as u64),
        Value::UInt(v) => Some(v),
        Value::Bit(v) => Some(v.number()),
        other => Some(double_to_integer(e.with(|cx, w| to_double(&other, cx, w))?.unwrap_or(0.0)) as u64),
    })
}

pub(super) fn hex(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let as_text =
        matches!(args[0].ty.class(), Class::Text | Class::Date | Class::Time | Class::DateTime | Class::Null);
    if as_text {
        return bytes_to(args, e, |b| string(ty, hexadecimal(b).as_bytes()));
    }
    Ok(bits(&args[0], e)?.map_or(Value::Null, |v| string(ty, format!("{v:X}").as_bytes())))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

pub(super) fn unhex(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    let s = s.as_bytes();
    let digit = |b: &u8| char::from(*b).to_digit(16).map(|d| d as u8);
    let odd = if s.len() % 2 == 1 { Some(0) } else { None };
    let digits: Option<Vec<u8>> = odd.into_iter().map(Some).chain(s.iter().map(digit)).collect();
    let Some(digits) = digits else {
        return incorrect("unhex", s, e);
    };
    Ok(string(ty, &digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<u8>>()))
}

/// NULL with 1411; MySQL shows the text as a literal, quotes included.
fn incorrect(function: &'static str, s: &[u8], e: &mut Eval<'_>) -> Result<Value> {
    let value = format!("'{}'", values::condition::printable(s));
    e.context.note_condition(&Condition::IncorrectForFunction { kind: "string", value, function });
    Ok(Value::Null)
}

pub(super) fn bin(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    in_base(args, ty, 2, e)
}

pub(super) fn oct(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    in_base(args, ty, 8, e)
}

/// BIN(x) is CONV(x, 10, 2).
fn in_base(args: &[Typed], ty: &Ty, base: i64, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    Ok(convert_base(s.as_bytes(), 10, base, e).map_or(Value::Null, |out| string(ty, out.as_bytes())))
}

pub(super) fn conv(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    let (Some(from), Some(to)) = (args[1].integer(e)?, args[2].integer(e)?) else { return Ok(Value::Null) };
    let (Ok(from), Ok(to)) = (i64::try_from(from), i64::try_from(to)) else { return Ok(Value::Null) };
    Ok(convert_base(s.as_bytes(), from, to, e).map_or(Value::Null, |out| string(ty, out.as_bytes())))
}

/// A number from one base to another; a negative base is a signed one. Digits are read as far as they go, and clamped to 64 bits.
fn convert_base(s: &[u8], from: i64, to: i64, e: &mut Eval<'_>) -> Option<String> {
    let valid = |base: i64| (2..=36).contains(&base.abs());
    if !valid(from) || !valid(to) || s.is_empty() {
        return None;
    }
    let base = from.unsigned_abs();
    let trimmed = s.trim_ascii_start();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, trimmed),
    };
    let value_of = |b: &u8| char::from(*b).to_digit(36).map(u64::from).filter(|d| *d < base);
    let mut magnitude = 0_u128;
    let mut used = 0;
    for d in digits.iter().map_while(value_of) {
        magnitude = (magnitude * u128::from(base) + u128::from(d)).min(1 << 65);
        used += 1;
    }
    let too_large = magnitude > u128::from(u64::MAX);
    if too_large || (used == 0 && from == 10) {
        let value = values::condition::printable(s);
        e.context.note_condition(&Condition::TruncatedIncorrect { kind: "DECIMAL", value });
    }
    let bits = u64::try_from(magnitude).unwrap_or(u64::MAX);
    let bits = if negative && !too_large { bits.wrapping_neg() } else { bits };
    let signed = to < 0 && (bits as i64) < 0;
    let digits = in_digits(if signed { bits.wrapping_neg() } else { bits }, to.unsigned_abs());
    Some(if signed { format!("-{digits}") } else { digits })
}

fn in_digits(mut v: u64, base: u64) -> String {
    let mut out = Vec::new();
    loop {
        let d = u32::try_from(v % base).unwrap_or(0);
        out.push(char::from_digit(d, 36).unwrap_or('0').to_ascii_uppercase());
        v /= base;
        if v == 0 {
            return out.iter().rev().collect();
        }
    }
}

/// The bytes of each number, high byte first, without leading zeros; NULLs are left out.
pub(super) fn char(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let mut out = Vec::new();
    for arg in args {
        let value = crate::expr::numeric::number(arg, e)?;
        let Some(code) = e.with(|cx, warnings| to_integer(&value, cx, warnings))? else { continue };
        let bytes = (code as u32).to_be_bytes();
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(3);
        out.extend_from_slice(&bytes[start..]);
    }
    Ok(string(ty, &out))
}

/// The first character's bytes as one number.
pub(super) fn ord(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let binary = args[0].ty.is_text() && is_binary(&args[0].ty);
    bytes_to(args, e, |b| {
        let end = super::offset(b, 1, binary);
        Value::Int(b[..end].iter().fold(0, |n, b| n << 8 | i64::from(*b)))
    })
}

pub(super) fn bit_count(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    if args[0].ty.is_text() && is_binary(&args[0].ty) && !args[0].ty.hex {
        return bytes_to(args, e, |b| Value::Int(b.iter().map(|b| i64::from(b.count_ones())).sum()));
    }
    let value = crate::expr::numeric::whole_number(args[0].compared(Rule::Double, e)?, &args[0].ty, e)?;
    let wide = e.with(|cx, w| to_integer(&value, cx, w))?;
    Ok(wide.map_or(Value::Null, |v| Value::Int(i64::from((v as u64).count_ones()))))
}

/// A literal that reads back as the string.
pub(super) fn quote(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].bytes(e)? else { return Ok(string(ty, b"NULL")) };
    let mut out = vec![b'\''];
    for b in s.as_bytes() {
        match b {
            b'\'' | b'\\' => out.extend_from_slice(&[b'\\', *b]),
            0 => out.extend_from_slice(b"\\0"),
            0x1A => out.extend_from_slice(b"\\Z"),
            _ => out.push(*b),
        }
    }
    out.push(b'\'');
    Ok(string(ty, &out))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Lines of 76 characters.
pub(super) fn to_base64(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    let mut out = Vec::with_capacity(s.as_bytes().len() * 4 / 3 + 8);
    for (i, chunk) in s.as_bytes().chunks(3).enumerate() {
        if i > 0 && i % 19 == 0 {
            out.push(b'\n');
        }
        let group = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let six = (group >> (18 - 6 * k) & 63) as usize;
            out.push(if k <= chunk.len() { BASE64[six] } else { b'=' });
        }
    }
    Ok(string(ty, &out))
}

/// White space is skipped; anything else that is no base 64 gives NULL.
pub(super) fn from_base64(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    let kept: Vec<u8> = s.as_bytes().iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let body = kept.strip_suffix(b"==").or_else(|| kept.strip_suffix(b"=")).unwrap_or(&kept);
    if !kept.len().is_multiple_of(4) {
        return Ok(Value::Null);
    }
    let mut out = Vec::with_capacity(kept.len() * 3 / 4);
    for chunk in body.chunks(4) {
        let mut group = 0_u32;
        for b in chunk {
            let Some(six) = BASE64.iter().position(|c| c == b) else { return Ok(Value::Null) };
            group = group << 6 | six as u32;
        }
        let bytes = (group << (6 * (4 - chunk.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[1..chunk.len()]);
    }
    Ok(string(ty, &out))
}

pub(super) fn sha2(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (Some(s), Some(bits)) = (args[0].octets(e)?, args[1].integer(e)?) else { return Ok(Value::Null) };
    let s = s.as_bytes();
    let digest = match bits {
        224 => sha2::Sha224::digest(s).to_vec(),
        0 | 256 => sha2::Sha256::digest(s).to_vec(),
        384 => sha2::Sha384::digest(s).to_vec(),
        512 => sha2::Sha512::digest(s).to_vec(),
        _ => {
            warn(e, 1583, "Incorrect parameters in the call to native function 'sha2'");
            return Ok(Value::Null);
        }
    };
    Ok(string(ty, hexadecimal(&digest).to_ascii_lowercase().as_bytes()))
}

/// The CRC of zip and Ethernet.
pub(super) fn crc32(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let (mut c, mut k) = (i as u32, 0);
            while k < 8 {
                c = if c & 1 == 1 { 0xEDB8_8320 ^ c >> 1 } else { c >> 1 };
                k += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    bytes_to(args, e, |b| {
        let crc = b.iter().fold(u32::MAX, |c, b| TABLE[usize::from(c as u8 ^ b)] ^ c >> 8);
        Value::UInt(u64::from(!crc))
    })
}

/// A letter and digits for the sounds that follow, at least four characters.
pub(super) fn soundex(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].text(e)? else { return Ok(Value::Null) };
    let sound = |c: char| match c.to_ascii_uppercase() {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        _ => '0',
    };
    let mut letters = s.as_str().chars().filter(|c| c.is_alphabetic());
    let Some(first) = letters.next() else { return Ok(string(ty, b"")) };
    let mut out = values::collation::case::upper(first.encode_utf8(&mut [0; 4]));
    let mut last = sound(first);
    for c in letters {
        let this = sound(c);
        if this != '0' && this != last {
            out.push(this);
        }
        // H and W do not separate equal sounds; vowels do not either in MySQL's variant.
        if this != '0' {
            last = this;
        }
    }
    while out.chars().count() < 4 {
        out.push('0');
    }
    Ok(string(ty, out.as_bytes()))
}

/// `a.b.c.d` as a number; `a.d` and `a.b.d` put the last part last.
pub(super) fn inet_aton(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Null) };
    let parts: Vec<&[u8]> = s.as_bytes().split(|b| *b == b'.').collect();
    let byte = |part: &&[u8]| {
        let ok = !part.is_empty() && part.len() <= 9 && part.iter().all(u8::is_ascii_digit);
        ok.then(|| part.iter().fold(0_u64, |n, b| n * 10 + u64::from(b - b'0'))).filter(|n| *n <= 255)
    };
    let numbers: Option<Vec<u64>> = parts.iter().map(byte).collect();
    let Some(numbers) = numbers.filter(|n| n.len() <= 4) else {
        return incorrect("inet_aton", s.as_bytes(), e);
    };
    let (last, leading) = numbers.split_last().unwrap_or((&0, &[]));
    let high = leading.iter().enumerate().fold(0, |n, (i, part)| n | part << (24 - 8 * i));
    Ok(Value::UInt(high | last))
}

pub(super) fn inet_ntoa(args: &[Typed], ty: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(n) = args[0].integer(e)? else { return Ok(Value::Null) };
    Ok(match u32::try_from(n) {
        Ok(n) => {
            let [a, b, c, d] = n.to_be_bytes();
            string(ty, format!("{a}.{b}.{c}.{d}").as_bytes())
        }
        Err(_) => Value::Null,
    })
}

pub(super) fn is_ipv4(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(s) = args[0].octets(e)? else { return Ok(Value::Int(0)) };
    let text = std::str::from_utf8(s.as_bytes()).unwrap_or_default();
    Ok(Value::bool(text.parse::<std::net::Ipv4Addr>().is_ok()))
}
