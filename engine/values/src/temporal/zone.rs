//! Session time zones: SYSTEM, which is UTC, and offsets. Named zones are unknown, as on a MySQL server whose zone tables were not loaded.

use crate::condition::Condition;
use std::fmt;

/// A time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Zone {
    /// The server's: UTC.
    #[default]
    System,
    /// Seconds east of UTC, -13:59 to +14:00, in whole minutes.
    Offset(i32),
}

impl Zone {
    /// UTC as an offset.
    pub const UTC: Self = Self::Offset(0);

    /// Reads `SYSTEM`, `+hh:mm` or `-hh:mm`; anything else is MySQL's 1298.
    pub fn parse(text: &str) -> Result<Self, Condition> {
        if text.eq_ignore_ascii_case("SYSTEM") {
            return Ok(Self::System);
        }
        offset(text.as_bytes()).map(Self::Offset).ok_or_else(|| Condition::UnknownTimeZone(text.to_owned()))
    }

    /// Seconds to add to UTC.
    pub const fn offset_seconds(self) -> i32 {
        match self {
            Self::System => 0,
            Self::Offset(seconds) => seconds,
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
            Self::Offset(seconds) => {
                let sign = if *seconds < 0 { '-' } else { '+' };
                let minutes = seconds.unsigned_abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}
