//! Dates and datetimes out of text, as leniently as MySQL reads them.
//!
//! ```text
//!   2024-1-2   24/01/02   2024-01-02 03:04:05.678   2024-01-02T03:04+02:00   20240102   240102030405.5
//! ```
//! Delimited: one to four digits of year, then groups of one or two, between any punctuation; a blank or `T` before the hour; a fraction;
//! an offset. Digits only: the count tells YYYYMMDD and YYYYMMDDhhmmss from YYMMDD and YYMMDDhhmmss. A year of two digits is 1970 to 2069.
//! What follows a complete value is dropped with a warning; a part out of range makes the whole invalid.

use super::{Date, DateTime, days, zone};
use crate::mode::SqlMode;

/// Which odd dates are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateRules {
    /// Refuse '0000-00-00'.
    pub no_zero_date: bool,
    /// Refuse a zero month or day.
    pub no_zero_in_date: bool,
    /// Accept any day up to 31 in any month.
    pub allow_invalid: bool,
}

impl DateRules {
    /// The rules of a sql_mode.
    pub fn of(mode: SqlMode) -> Self {
        Self {
            no_zero_date: mode.has(SqlMode::NO_ZERO_DATE),
            no_zero_in_date: mode.has(SqlMode::NO_ZERO_IN_DATE),
            allow_invalid: mode.has(SqlMode::ALLOW_INVALID_DATES),
        }
    }

    /// Whether a date passes.
    pub fn accept(self, date: Date) -> bool {
        if date.is_zero() {
            return !self.no_zero_date;
        }
        if date.has_zero_part() {
            return !self.no_zero_in_date;
        }
        self.allow_invalid || date.day() <= days::in_month(date.year(), date.month())
    }
}

/// A delimiter that MySQL warns of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter {
    /// The delimiter.
    pub found: u8,
    /// Its place in the text, from 0.
    pub at: usize,
    /// What should stand there; `None`: nothing more (4096).
    pub standard: Option<u8>,
}

/// A date or datetime found in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedDateTime {
    /// The value, its fraction cut to microseconds.
    pub value: DateTime,
    /// The seventh digit of the fraction was 5 or more: rounding to microseconds adds one.
    pub round_up: bool,
    /// Fractional digits given, at most 6.
    pub fsp: u8,
    /// Hours were given: a DATETIME, else a DATE.
    pub has_time: bool,
    /// Seconds east of UTC, if an offset was given.
    pub offset: Option<i32>,
    /// Text was left over: a truncation warning.
    pub left_over: bool,
    /// The first delimiter that is not the standard one.
    pub delimiter: Option<Delimiter>,
}

impl ParsedDateTime {
    /// The value at `fsp` digits; `None` when rounding leaves the calendar.
    pub fn rounded(&self, fsp: u8, cut: bool) -> Option<DateTime> {
        let value = match self.round_up && !cut && fsp >= 6 {
            true if self.value.micros() == 999_999 => self.value.plus_one_second()?,
            true => DateTime::from_bits(self.value.bits() + 1)?,
            false => self.value,
        };
        value.rounded(fsp, cut)
    }
}

/// Reads a date or datetime; `None` if the text is none, or is refused by `rules`.
pub fn datetime(text: &[u8], rules: DateRules) -> Option<ParsedDateTime> {
    let whole = text.len();
    let text = text.trim_ascii_start();
    let run = digits(text);
    if run == 0 {
        return None;
    }
    let mut s = Scanner { rest: text, whole, delimiter: None };
    if text.len() < whole {
        s.delimiter = Some(Delimiter { found: b' ', at: 0, standard: None });
    }
    let parts = match text.get(run) {
        None => compact(&mut s, run)?,
        Some(b'.' | b'T' | b't') if run > 4 => compact(&mut s, run)?,
        _ => delimited(&mut s)?,
    };
    let Parts { mut year, month, day, hour, minute, second, short_year, has_time, has_second } = parts;
    let zero = month == 0 && day == 0 && year == 0 && (hour, minute, second) == (0, 0, 0);
    if short_year && !zero {
        year += if year < 70 { 2000 } else { 1900 };
    }
    if month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, fsp, round_up) = if has_second { s.fraction() } else { (0, 0, false) };
    let offset = if has_time { s.offset() } else { None };
    let date = Date::new(year, month, day);
    let left_over = !s.rest.trim_ascii_start().is_empty();
    if has_time && !left_over && !s.rest.is_empty() {
        s.odd(None);
    }
    // MySQL says nothing of dates with a zero part.
    let delimiter = s.delimiter.filter(|_| !date.has_zero_part());
    let value = DateTime::new(date, hour, minute, second, micros);
    // A datetime of a zero date with a time is no zero date, but has zero parts.
    let accepted =
        if date.is_zero() && !value.is_zero() { !rules.no_zero_in_date } else { rules.accept(date) };
    accepted.then_some(ParsedDateTime { value, round_up, fsp, has_time, offset, left_over, delimiter })
}

struct Parts {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    short_year: bool,
    has_time: bool,
    has_second: bool,
}

/// Digits only: groups of two after a year of two or four; a `T` may stand before the hour.
fn compact(s: &mut Scanner<'_>, run: usize) -> Option<Parts> {
    let short_year = !(run == 4 || run == 8 || run >= 14);
    let mut left = run;
    let mut group = |s: &mut Scanner<'_>, size: usize| {
        if left == 0
            && let [b'T' | b't', after @ ..] = s.rest
            && matches!(run, 6 | 8)
        {
            (s.rest, left) = (after, digits(after));
        }
        let size = size.min(left);
        left -= size;
        (s.number(size), size)
    };
    let (year, _) = group(s, if short_year { 2 } else { 4 });
    let mut parts = [0; 5];
    let mut count = 1;
    for part in &mut parts {
        let (value, size) = group(s, 2);
        *part = value;
        count += usize::from(size > 0);
    }
    if count < 3 {
        return None;
    }
    let [month, day, hour, minute, second] = parts;
    Some(Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        short_year,
        has_time: count > 3,
        has_second: count == 6 || s.rest.first() == Some(&b'.'),
    })
}

/// Groups of digits between punctuation.
fn delimited(s: &mut Scanner<'_>) -> Option<Parts> {
    let year_digits = digits(s.rest);
    if year_digits > 4 {
        return None;
    }
    let year = s.number(year_digits);
    let mut parts = [0; 5];
    let mut count = 0;
    for (i, part) in parts.iter_mut().enumerate() {
        let before = s.rest;
        s.separator(i);
        let size = digits(s.rest);
        if size == 0 && s.rest.is_empty() && i == 2 {
            // A delimiter behind a whole date ends the text.
            break;
        }
        if size == 0 || size > 2 && i < 2 {
            s.rest = before;
            break;
        }
        *part = s.number(size.min(2));
        count = i + 1;
        if size > 2 {
            break;
        }
    }
    if count < 2 {
        return None;
    }
    let [month, day, hour, minute, second] = parts;
    Some(Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
        short_year: year_digits <= 2,
        has_time: count > 2,
        has_second: count == 5,
    })
}

fn digits(s: &[u8]) -> usize {
    s.iter().take_while(|b| b.is_ascii_digit()).count()
}

struct Scanner<'a> {
    rest: &'a [u8],
    /// The text's length in bytes.
    whole: usize,
    delimiter: Option<Delimiter>,
}

impl Scanner<'_> {
    /// Notes the next byte as a delimiter to warn of, unless one is noted already.
    fn odd(&mut self, standard: Option<u8>) {
        if let (None, Some(&found)) = (self.delimiter, self.rest.first()) {
            self.delimiter = Some(Delimiter { found, at: self.whole - self.rest.len(), standard });
        }
    }

    /// The number of the next `size` digits, which are there (at most 4).
    fn number(&mut self, size: usize) -> u32 {
        let (number, rest) = self.rest.split_at(size);
        self.rest = rest;
        number.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    }

    /// Skips what may stand before part `i` (0 the month, 2 the hour): punctuation; before the hour also blanks or a `T`.
    fn separator(&mut self, i: usize) {
        if i == 2 {
            if let [b'T' | b't', rest @ ..] = self.rest {
                self.rest = rest;
                return;
            }
            let trimmed = self.rest.trim_ascii_start();
            if trimmed.len() < self.rest.len() {
                self.skip(self.rest.len() - trimmed.len(), b' ');
                return;
            }
        }
        let skip = self.rest.iter().take_while(|b| b.is_ascii_punctuation()).count();
        self.skip(skip, [b'-', b'-', b' ', b':', b':'][i]);
    }

    /// Skips so many delimiters; there should be one, and that the standard one.
    fn skip(&mut self, count: usize, standard: u8) {
        if count > 0 && self.rest[0] != standard {
            self.odd(Some(standard));
        }
        self.rest = &self.rest[count.min(1)..];
        if count > 1 {
            self.odd(None);
            self.rest = &self.rest[count - 1..];
        }
    }

    /// A fraction of a second: microseconds, digits given, whether the seventh rounds up.
    fn fraction(&mut self) -> (u32, u8, bool) {
        let [b'.', rest @ ..] = self.rest else { return (0, 0, false) };
        let size = digits(rest);
        let (fraction, rest) = rest.split_at(size);
        self.rest = rest;
        let at = |i: usize| u32::from(fraction.get(i).copied().unwrap_or(b'0') - b'0');
        let micros = (0..6).fold(0, |n, i| n * 10 + at(i));
        (micros, size.min(6) as u8, at(6) >= 5)
    }

    fn offset(&mut self) -> Option<i32> {
        if !matches!(self.rest.first(), Some(b'+' | b'-')) {
            return None;
        }
        let len = 1 + self.rest[1..].iter().take_while(|b| b.is_ascii_digit() || **b == b':').count();
        let seconds = if len == 6 { zone::offset(&self.rest[..len]) } else { None }?;
        self.rest = &self.rest[len..];
        Some(seconds)
    }
}
