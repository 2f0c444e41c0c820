//! Temporals as text: `2024-01-02`, `-12:34:56.789`, `2024-01-02 03:04:05.000000`.

use super::{Date, DateTime, Time, Year, unit};
use std::fmt::{self, Write as _};

/// English names of the months, from January at 0.
pub const fn month_name(index: usize) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES[index]
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DateTime {
    /// The text with `fsp` fractional digits (cut, not rounded).
    pub fn text(self, fsp: u8) -> String {
        let mut out = format!("{} {:02}:{:02}:{:02}", self.date(), self.hour(), self.minute(), self.second());
        fraction(&mut out, self.micros(), fsp);
        out
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(6))
    }
}

impl Time {
    /// The text with `fsp` fractional digits (cut, not rounded).
    pub fn text(self, fsp: u8) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        let mut out = format!("{sign}{:02}:{:02}:{:02}", self.hours(), self.minute(), self.second());
        fraction(&mut out, self.fraction(), fsp);
        out
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(6))
    }
}

impl fmt::Display for Year {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.get())
    }
}

fn fraction(out: &mut String, micros: u32, fsp: u8) {
    if fsp > 0 {
        let digits = i64::from(micros) / unit(fsp);
        let _ = write!(out, ".{digits:0width$}", width = usize::from(fsp.min(6)));
    }
}
