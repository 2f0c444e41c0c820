//! Session time zones: SYSTEM, which is UTC, offsets, and the named zones of the IANA database.
//!
//! A clock that is set back shows an hour twice: it is read as the first one. A clock that is set forward leaves an hour out: a time in it
//! is read as the moment of the change, as MySQL does.

mod table;

use crate::condition::Condition;
use std::fmt;

const SECOND: i64 = 1_000_000;

/// A time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Zone {
    /// The server's: UTC.
    #[default]
    System,
    /// Seconds east of UTC, -13:59 to +14:00, in whole minutes.
    Offset(i32),
    /// A zone of the database.
    Named(Name),
}

/// A name of the IANA database.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u16);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(table::name(self.0))
    }
}

impl Zone {
    /// UTC as an offset.
    pub const UTC: Self = Self::Offset(0);

    /// Reads `SYSTEM`, `+hh:mm`, `-hh:mm` or a name, in any case; anything else is MySQL's 1298.
    pub fn parse(text: &str) -> Result<Self, Condition> {
        if text.eq_ignore_ascii_case("SYSTEM") {
            return Ok(Self::System);
        }
        offset(text.as_bytes())
            .map(Self::Offset)
            .or_else(|| table::find(text).map(|index| Self::Named(Name(index))))
            .ok_or_else(|| Condition::UnknownTimeZone(text.to_owned()))
    }

    /// What to add to UTC at a moment, in microseconds; the moment in microseconds since 1970.
    pub fn offset_micros(self, utc_micros: i64) -> i64 {
        let seconds = match self {
            Self::System => 0,
            Self::Offset(seconds) => seconds,
            Self::Named(Name(index)) => table::rules(index).offset(utc_micros.div_euclid(SECOND)),
        };
        i64::from(seconds) * SECOND
    }

    /// The moment at which this zone's clock shows `local`, both in microseconds since 1970; the moment of the change for a time that is
    /// left out.
    pub fn utc_micros(self, local_micros: i64) -> i64 {
        match self {
            Self::System => local_micros,
            Self::Offset(seconds) => local_micros - i64::from(seconds) * SECOND,
            Self::Named(Name(index)) => {
                let (seconds, fraction) = (local_micros.div_euclid(SECOND), local_micros.rem_euclid(SECOND));
                match table::rules(index).utc(seconds) {
                    Ok(utc) => utc * SECOND + fraction,
                    Err(change) => change * SECOND,
                }
            }
        }
    }

    /// Does this zone's clock leave this time out?
    pub fn leaves_out(self, local_micros: i64) -> bool {
        match self {
            Self::Named(Name(index)) => table::rules(index).utc(local_micros.div_euclid(SECOND)).is_err(),
            _ => false,
        }
    }
}

/// `+h:mm` or `+hh:mm` in seconds, within -13:59..=+14:00.
pub fn offset(text: &[u8]) -> Option<i32> {
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let colon = rest.iter().position(|b| *b == b':')?;
    let number = |digits: &[u8]| {
        let ok = (1..=2).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        ok.then(|| digits.iter().fold(0, |n, b| n * 10 + i32::from(b - b'0')))
    };
    let (hours, minutes) = (number(&rest[..colon])?, number(&rest[colon + 1..])?);
    let seconds = sign * (hours * 3600 + minutes * 60);
    (minutes < 60 && (-50_340..=50_400).contains(&seconds)).then_some(seconds)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("SYSTEM"),
            Self::Named(Name(index)) => f.write_str(table::name(*index)),
            Self::Offset(seconds) => {
                let sign = if *seconds < 0 { '-' } else { '+' };
                let minutes = seconds.unsigned_abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests;
