//! Decimals as text: `-12.50` out; digits, point and exponent in, as far as they go.

use super::wide::Mag;
use super::{Decimal, MAX_DIGITS, Repr};
use std::fmt;

/// What [`Decimal::parse`] found.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The number of the longest numeric prefix; 0 if there is none; clamped to 81 nines when too large.
    pub value: Decimal,
    /// Bytes of the text used, leading blanks included; 0 if there was no number.
    pub used: usize,
    /// Whether digits beyond MySQL's 81 were given up: before the point (`value` is clamped) or after it.
    pub overflow: bool,
}

impl Decimal {
    /// Reads the longest numeric prefix: blanks, sign, digits, point, digits, exponent.
    pub fn parse(text: &[u8]) -> Parsed {
        let blanks = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let mut at = blanks;
        let negative = match text.get(at) {
            Some(b'-') => {
                at += 1;
                true
            }
            Some(b'+') => {
                at += 1;
                false
            }
            _ => false,
        };
        let digits_from = |at: usize| text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let whole = &text[at..at + digits_from(at)];
        at += whole.len();
        let mut fraction: &[u8] = &[];
        if text.get(at) == Some(&b'.') {
            fraction = &text[at + 1..at + 1 + digits_from(at + 1)];
            if !whole.is_empty() || !fraction.is_empty() {
                at += 1 + fraction.len();
            }
        }
        if whole.is_empty() && fraction.is_empty() {
            return Parsed { value: Self::ZERO, used: 0, overflow: false };
        }
        let (exponent, exponent_len) = parse_exponent(&text[at..]);
        let (value, overflow) = assemble(negative, whole, fraction, exponent);
        Parsed { value, used: at + exponent_len, overflow }
    }

    /// The text as a decimal, if all of it is one within 81 digits.
    pub fn parse_exact(text: &str) -> Option<Self> {
        let parsed = Self::parse(text.as_bytes());
        (parsed.used == text.len() && parsed.used > 0 && !parsed.overflow).then_some(parsed.value)
    }
}

/// The value of `e+5` and its length; (0, 0) if there is no complete exponent.
fn parse_exponent(text: &[u8]) -> (i64, usize) {
    let [b'e' | b'E', rest @ ..] = text else { return (0, 0) };
    let (negative, rest, sign) = match rest {
        [b'-', r @ ..] => (true, r, 1),
        [b'+', r @ ..] => (false, r, 1),
        r => (false, r, 0),
    };
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 {
        return (0, 0);
    }
    let magnitude = rest[..len].iter().fold(0_i64, |n, b| (n * 10 + i64::from(b - b'0')).min(1_000_000));
    (if negative { -magnitude } else { magnitude }, 1 + sign + len)
}

/// Builds the number from its digits. An exponent moves the point; a positive one beyond the fraction appends zeros.
fn assemble(negative: bool, whole: &[u8], fraction: &[u8], exponent: i64) -> (Decimal, bool) {
    let leading = whole.iter().chain(fraction).take_while(|b| **b == b'0').count();
    let digits: Vec<u8> = whole.iter().chain(fraction).skip(leading).copied().collect();
    let mut scale = fraction.len() as i64 - exponent;
    if digits.is_empty() {
        return (Decimal::new(0, scale.clamp(0, 30) as u8), false);
    }
    let integer_digits = digits.len() as i64 - scale;
    if integer_digits > i64::from(MAX_DIGITS) {
        let nines = Mag::pow10(MAX_DIGITS).expect("invariant: 10^81 fits").sub(&Mag::from_u128(1));
        return (Decimal::from_parts(negative, nines, 0), true);
    }
    // What does not fit into 81 digits (and 80 decimals) is cut off behind.
    let keep = (i64::from(MAX_DIGITS) - integer_digits.max(0)).min(80);
    let cut = (scale - keep).max(0).min(digits.len() as i64);
    let kept = &digits[..digits.len() - cut as usize];
    scale -= cut;
    let mut magnitude = Mag::ZERO;
    for chunk in kept.chunks(18) {
        let part = chunk.iter().fold(0_u64, |n, b| n * 10 + u64::from(b - b'0'));
        let shifted = magnitude.shift10(chunk.len() as u32).expect("invariant: at most 81 digits are kept");
        magnitude =
            shifted.add(&Mag::from_u128(u128::from(part))).expect("invariant: at most 81 digits are kept");
    }
    if scale < 0 {
        magnitude = magnitude.shift10(-scale as u32).expect("invariant: integer digits were checked");
    }
    let lost = digits[digits.len() - cut as usize..].iter().any(|b| *b != b'0');
    (Decimal::from_parts(negative && !magnitude.is_zero(), magnitude, scale.clamp(0, 80) as u8), lost)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale());
        let sign = if self.is_negative() { "-" } else { "" };
        let digits = match &self.0 {
            Repr::Small { coefficient, .. } => coefficient.unsigned_abs().to_string(),
            Repr::Wide(w) => w.magnitude.to_digits(),
        };
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        f.write_str(sign)?;
        f.write_str(whole)?;
        if scale == 0 {
            return Ok(());
        }
        f.write_str(".")?;
        f.write_str(fraction)
    }
}
