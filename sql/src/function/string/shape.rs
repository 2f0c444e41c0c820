//! Types of string results: how long they can be, and whose collation they have. MySQL's metadata has these lengths.

use crate::error::Result;
use crate::expr::ty::{Class, derivation};
use crate::expr::{Node, Ty, Typed};
use crate::function::Infer;
use values::{Collation, Value};

/// The width of results whose length nothing bounds, in characters: a LONGTEXT's in bytes over four.
pub(in crate::function) const MAX_WIDTH: u32 = 1 << 24;

/// Text made of letters and digits: in the connection's collation.
pub(in crate::function) fn ascii(chars: u32, infer: &Infer<'_>) -> Ty {
    Ty::text(chars, infer.collation, derivation::COERCIBLE)
}

pub(in crate::function) fn system(chars: u32, _: &Infer<'_>) -> Ty {
    Ty::text(chars, Collation::DEFAULT, derivation::SYSTEM)
}

pub(in crate::function) fn binary(bytes: u32) -> Ty {
    Ty::text(bytes, Collation::BINARY, derivation::COERCIBLE)
}

/// CHARSET() and COLLATION() of a number are binary's.
pub(in crate::function) fn kind_of(arg: &Typed) -> Collation {
    if arg.ty.is_text() || arg.ty.null { arg.ty.collation() } else { Collation::BINARY }
}

/// Characters (bytes of a binary string) an argument has at most.
pub(in crate::function) fn width(arg: &Typed) -> u32 {
    match arg.ty.class() {
        // As long as any double, whatever a literal's own length.
        Class::Real => arg.ty.width.max(22),
        _ => arg.ty.width.min(MAX_WIDTH),
    }
}

pub(in crate::function) fn widths(args: &[Typed]) -> u32 {
    args.iter().map(width).fold(0, u32::saturating_add).min(MAX_WIDTH)
}

pub(in crate::function) fn widest(args: &[Typed]) -> u32 {
    args.iter().map(width).max().unwrap_or(0)
}

/// Text of at most `chars`, with the collation of the strongest of `args`.
pub(in crate::function) fn joined(args: &[Typed], chars: u32, infer: &Infer<'_>) -> Ty {
    joined_of(&args.iter().collect::<Vec<_>>(), chars, infer)
}

pub(in crate::function) fn joined_of(args: &[&Typed], chars: u32, infer: &Infer<'_>) -> Ty {
    let texts = || args.iter().map(|a| &a.ty).filter(|t| t.is_text());
    let collation = if texts().any(|t| t.collation() == Collation::BINARY) {
        Collation::BINARY
    } else {
        texts().fold(None, stronger).map_or(infer.collation, Ty::collation)
    };
    let strongest = texts().map(|t| t.derivation).min().unwrap_or(derivation::COERCIBLE);
    // A character of text is up to four bytes of a binary string.
    let bytes = if collation == Collation::BINARY { extra_bytes(args) } else { 0 };
    Ty::text(chars.saturating_add(bytes).min(MAX_WIDTH), collation, strongest)
}

/// The one of two texts whose collation the result has: of equal strength the first, unless the other's set has more characters.
fn stronger<'a>(so_far: Option<&'a Ty>, next: &'a Ty) -> Option<&'a Ty> {
    let Some(first) = so_far else { return Some(next) };
    let wider = crate::expr::compare::wider(first, next) == Some(next.collation());
    let other = first.collation().char_set() != next.collation().char_set();
    Some(if next.derivation < first.derivation || (wider && other) { next } else { first })
}

fn extra_bytes(args: &[&Typed]) -> u32 {
    let texts = args.iter().filter(|a| a.ty.is_text() && a.ty.collation() != Collation::BINARY);
    texts.map(|a| width(a).saturating_mul(3)).fold(0, u32::saturating_add)
}

/// As long as the first argument and of its collation.
pub(in crate::function) fn same(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    Ok(joined(&args[..1], width(&args[0]), infer))
}

/// A whole number of at most `WIDTH` characters; NULL if an argument is.
pub(in crate::function) fn whole<const WIDTH: u32>(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::int(WIDTH).or_null(args.iter().any(|a| a.ty.nullable)))
}

/// LEFT and RIGHT: at most as many characters as a constant says.
pub(in crate::function) fn cut_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let own = width(&args[0]);
    Ok(joined(&args[..1], constant_length(&args[1]).map_or(own, |n| n.min(own)), infer))
}

/// SUBSTRING with constants: what is left from its start, at most its length.
pub(in crate::function) fn substring_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let own = i64::from(width(&args[0]));
    let start = match constant(&args[1]) {
        None => 0,
        Some(0) => own,
        Some(n) if n > 0 => n - 1,
        Some(n) if own + n < 0 => own,
        Some(n) => own + n,
    };
    let left = (own - start).max(0);
    let count = args.get(2).and_then(constant).map_or(left, |n| n.clamp(0, left));
    Ok(joined(&args[..1], count as u32, infer))
}

/// Every character doubled, and the quotes.
pub(in crate::function) fn quoted_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    Ok(joined(args, (width(&args[0]) * 2 + 2).max(4), infer))
}

pub(in crate::function) fn sounded_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    Ok(joined(args, width(&args[0]).max(4), infer))
}

pub(in crate::function) fn space_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    Ok(ascii(constant_length(&args[0]).unwrap_or(MAX_WIDTH), infer))
}

/// Two digits a byte.
pub(in crate::function) fn sha2_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let bits = match constant(&args[1]) {
        Some(n @ (224 | 384 | 512)) => n as u32,
        None => 512,
        _ => 256,
    };
    Ok(ascii(bits / 4, infer))
}

/// Four characters for three bytes, and line ends.
pub(in crate::function) fn base64_width(bytes: u32) -> u32 {
    let digits = bytes.div_ceil(3) * 4;
    digits + digits.saturating_sub(1) / 76
}

/// Bytes an argument has at most.
pub(in crate::function) fn octets_of(arg: &Typed) -> u32 {
    let text = arg.ty.is_text() && arg.ty.collation() != Collation::BINARY;
    if text { width(arg).saturating_mul(arg.ty.collation().bytes_per_char() as u32) } else { width(arg) }
}

/// HEX of text has two digits a byte, of a number at most sixteen.
pub(in crate::function) fn hex_width(arg: &Typed) -> u32 {
    match arg.ty.class() {
        // A BLOB counts as if each byte were a character.
        Class::Text if arg.ty.col.is_lob() && arg.ty.col.is_binary() => octets_of(arg).saturating_mul(8),
        Class::Text | Class::Null | Class::Date | Class::Time | Class::DateTime => {
            octets_of(arg).saturating_mul(2)
        }
        _ => 16,
    }
}

pub(in crate::function) fn concat_ws_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let separators = width(&args[0]).saturating_mul(args.len() as u32 - 2);
    Ok(joined(args, widths(&args[1..]).saturating_add(separators), infer))
}

/// A constant whole number.
fn constant(arg: &Typed) -> Option<i64> {
    match &arg.node {
        Node::Const(Value::Int(n)) => Some(*n),
        Node::Const(Value::Decimal(d)) => d.to_integer().and_then(|n| i64::try_from(n).ok()),
        Node::Neg(inner, _) => constant(inner).map(|n| -n),
        _ => None,
    }
}

/// A length that is a constant bounds the result.
fn constant_length(arg: &Typed) -> Option<u32> {
    constant(arg).map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX))
}

pub(in crate::function) fn padded(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let chars = constant_length(&args[1]).unwrap_or(MAX_WIDTH);
    Ok(joined_of(&[&args[0], &args[2]], chars, infer))
}

pub(in crate::function) fn repeated(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    let chars = constant_length(&args[1]).map_or(MAX_WIDTH, |n| n.saturating_mul(width(&args[0])));
    Ok(joined(&args[..1], chars, infer))
}
