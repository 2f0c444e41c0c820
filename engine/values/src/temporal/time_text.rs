//! TIME out of text: `12:34:56.7`, `-1 10:11` (days and hours), `123456`, `12` (seconds), or a whole datetime.

use super::parse::{self, DateRules, ParsedDateTime};
use super::{DateTime, MAX_TIME, SECOND, Time};

/// A TIME found in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedTime {
    /// The value, clamped to the range, its fraction cut to microseconds.
    pub value: Time,
    /// The seventh digit of the fraction was 5 or more.
    pub round_up: bool,
    /// Fractional digits given, at most 6.
    pub fsp: u8,
    /// Text was left over, or the value was clamped: a truncation warning.
    pub truncated: bool,
    /// The value was outside of the range.
    pub clamped: bool,
}

impl ParsedTime {
    /// The time of a datetime found in the text.
    pub fn of_day(local: DateTime, found: &ParsedDateTime) -> Self {
        let (round_up, fsp, truncated) = (found.round_up, found.fsp, found.left_over);
        Self { value: local.time_of_day(), round_up, fsp, truncated, clamped: false }
    }

    /// The value at `fsp` digits.
    pub fn rounded(&self, fsp: u8, cut: bool) -> Time {
        let away = if self.value.is_negative() { -1 } else { 1 };
        let bump = if self.round_up && !cut && fsp >= 6 { away } else { 0 };
        self.value.plus(bump).0.rounded(fsp, cut)
    }
}

/// Why a text is no TIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// No time at all.
    Malformed,
    /// A minute or second above 59.
    OutOfRange,
    /// A number with an exponent: an assignment stores zero without a word.
    Exponent,
}

/// Reads a TIME, if the text is one.
pub fn time(text: &[u8]) -> Option<ParsedTime> {
    read(text).ok()
}

/// The datetime that a text of twelve characters or more is, date and time apart by a blank (or digits only).
pub fn whole_datetime(text: &[u8]) -> Option<ParsedDateTime> {
    let text = text.trim_ascii();
    let apart = text.contains(&b' ') || text.iter().take(12).all(u8::is_ascii_digit);
    if text.len() < 12 || !apart {
        return None;
    }
    parse::datetime(text, DateRules::default()).filter(|p| p.has_time)
}

/// Reads a TIME.
pub fn read(text: &[u8]) -> Result<ParsedTime, Unreadable> {
    let text = text.trim_ascii();
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if !negative && let Some(found) = whole_datetime(rest) {
        return Ok(ParsedTime::of_day(found.value, &found));
    }
    // Seconds may be a fraction alone, or missing after a sign.
    let bare = rest.first().is_none_or(|b| *b == b'.') && !text.is_empty();
    let first = if bare { 0 } else { number(&mut rest).ok_or(Unreadable::Malformed)? };
    let (hours, minutes, seconds) = fields(first, &mut rest).ok_or(Unreadable::Malformed)?;
    let looks_like_a_date = rest.contains(&b' ') && text.len() >= 12;
    if looks_like_a_date && rest.first() == Some(&b'-') {
        return Err(Unreadable::Malformed);
    }
    if minutes > 59 || seconds > 59 {
        return Err(Unreadable::OutOfRange);
    }
    let (micros, fsp, round_up) = fraction(&mut rest);
    if let [b'e' | b'E', b'0'..=b'9', ..] | [b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..] = rest {
        return Err(Unreadable::Exponent);
    }
    let total = (i128::from(hours) * 3600 + i128::from(minutes * 60 + seconds)) * i128::from(SECOND)
        + i128::from(micros);
    let clamped = total > i128::from(MAX_TIME);
    let magnitude = if clamped { MAX_TIME } else { total as i64 };
    Ok(ParsedTime {
        value: Time(if negative { -magnitude } else { magnitude }),
        round_up: round_up && !clamped,
        fsp,
        truncated: clamped || !rest.is_empty(),
        clamped,
    })
}

/// Hours, minutes and seconds after the first number, by what follows it.
fn fields(first: u64, rest: &mut &[u8]) -> Option<(u64, u64, u64)> {
    let after_blank = rest.trim_ascii_start();
    if after_blank.len() < rest.len() && after_blank.first().is_some_and(u8::is_ascii_digit) {
        *rest = after_blank;
        let hours = first.checked_mul(24)?.checked_add(number(rest)?)?;
        let minutes = colon(rest);
        let seconds = minutes.and_then(|_| colon(rest));
        return Some((hours, minutes.unwrap_or(0), seconds.unwrap_or(0)));
    }
    if rest.first() == Some(&b':') {
        let Some(minutes) = colon(rest) else { return Some((0, 0, first)) };
        let seconds = colon(rest);
        return Some((first, minutes, seconds.unwrap_or(0)));
    }
    Some((first / 10_000, first / 100 % 100, first % 100))
}

/// `:` and a number.
fn colon(rest: &mut &[u8]) -> Option<u64> {
    let [b':', after @ ..] = *rest else { return None };
    let mut after = after;
    let value = number(&mut after)?;
    *rest = after;
    Some(value)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let size = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(size);
    *rest = after;
    let value = digits.iter().fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    // More than a 32-bit number is no field.
    (size > 0 && value <= u64::from(u32::MAX)).then_some(value)
}

fn fraction(rest: &mut &[u8]) -> (u32, u8, bool) {
    let [b'.', after @ ..] = *rest else { return (0, 0, false) };
    let size = after.iter().take_while(|b| b.is_ascii_digit()).count();
    let at = |i: usize| if i < size { u32::from(after[i] - b'0') } else { 0 };
    let found = ((0..6).fold(0, |n, i| n * 10 + at(i)), size.min(6) as u8, at(6) >= 5);
    *rest = &after[size..];
    found
}
