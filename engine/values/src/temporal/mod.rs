//! DATE, TIME, DATETIME, TIMESTAMP and YEAR: packed, ordered as integers, zero dates included.
//!
//! ```text
//!   Date      u32   year:14 month:4 day:5
//!   DateTime  u64   date:23 hour:5 minute:6 second:6 microsecond:20
//!   Time      i64   microseconds, signed
//!   Timestamp i64   microseconds since 1970-01-01 UTC; 0 is the zero timestamp
//!   Year      u16   0 or 1901..=2155
//! ```
//!
//! 1. The integer order of a packed value is its SQL order.
//! 2. A month or day may be zero, and with ALLOW_INVALID_DATES a day may exceed its month; hours, minutes and seconds are always valid.
//! 3. `days` counts as MySQL's TO_DAYS: the proleptic Gregorian calendar with year 0 a common year.

pub mod days;
mod format;
pub mod interval;
pub mod number;
pub mod parse;
#[cfg(test)]
mod tests;
pub mod time_text;
pub mod zone;

pub use format::month_name;
pub use interval::{Interval, Unit};
pub use parse::{DateRules, ParsedDateTime};
pub use zone::Zone;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const DAY: i64 = 86_400 * SECOND;
/// The largest TIME: 838:59:59 (fractions beyond it are cut off).
pub const MAX_TIME: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND;

/// A calendar date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Date(u32);

impl Date {
    /// '0000-00-00'.
    pub const ZERO: Self = Self(0);
    /// '9999-12-31'.
    pub const MAX: Self = Self::new(9999, 12, 31);

    /// A date of these parts, which must be in 0..=9999, 0..=12 and 0..=31; nothing else is checked.
    pub const fn new(year: u32, month: u32, day: u32) -> Self {
        assert!(year <= 9999 && month <= 12 && day <= 31, "a date's parts are in range");
        Self(year << 9 | month << 5 | day)
    }

    /// 0 to 9999.
    pub const fn year(self) -> u32 {
        self.0 >> 9
    }

    /// 0 to 12.
    pub const fn month(self) -> u32 {
        self.0 >> 5 & 15
    }

    /// 0 to 31.
    pub const fn day(self) -> u32 {
        self.0 & 31
    }

    /// The packed form: 23 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From the packed form, if its parts are in range.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits >> 9 <= 9999 && (bits >> 5 & 15) <= 12 { Some(Self(bits)) } else { None }
    }

    /// Whether this is '0000-00-00'.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether month or day is zero.
    pub const fn has_zero_part(self) -> bool {
        self.month() == 0 || self.day() == 0
    }

    /// MySQL's TO_DAYS.
    pub fn to_days(self) -> i64 {
        days::number(self.year(), self.month(), self.day())
    }

    /// The date of a TO_DAYS number: '0000-01-01' (1) to '9999-12-31' (3652424); `None` outside.
    pub fn from_days(number: i64) -> Option<Self> {
        days::date(number)
    }

    /// This date at midnight.
    pub const fn midnight(self) -> DateTime {
        DateTime((self.0 as u64) << 37)
    }
}

/// A date and a time of day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DateTime(u64);

impl DateTime {
    /// '0000-00-00 00:00:00'.
    pub const ZERO: Self = Self(0);
    /// '9999-12-31 23:59:59.999999'.
    pub const MAX: Self = Self::new(Date::MAX, 23, 59, 59, 999_999);

    /// Hour, minute, second and microsecond must be in range.
    pub const fn new(date: Date, hour: u32, minute: u32, second: u32, micros: u32) -> Self {
        assert!(
            hour < 24 && minute < 60 && second < 60 && micros < 1_000_000,
            "a time of day's parts are in range"
        );
        Self(
            (date.0 as u64) << 37
                | (hour as u64) << 32
                | (minute as u64) << 26
                | (second as u64) << 20
                | micros as u64,
        )
    }

    /// The date part.
    pub const fn date(self) -> Date {
        Date((self.0 >> 37) as u32)
    }

    /// 0 to 23.
    pub const fn hour(self) -> u32 {
        (self.0 >> 32 & 31) as u32
    }

    /// 0 to 59.
    pub const fn minute(self) -> u32 {
        (self.0 >> 26 & 63) as u32
    }

    /// 0 to 59.
    pub const fn second(self) -> u32 {
        (self.0 >> 20 & 63) as u32
    }

    /// 0 to 999999.
    pub const fn micros(self) -> u32 {
        (self.0 & 0xF_FFFF) as u32
    }

    /// The packed form: 60 bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From the packed form, if its parts are in range.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let v = Self(bits);
        let time = v.hour() < 24 && v.minute() < 60 && v.second() < 60 && v.micros() < 1_000_000;
        if bits >> 60 == 0 && time && Date::from_bits((bits >> 37) as u32).is_some() { Some(v) } else { None }
    }

    /// Whether this is '0000-00-00 00:00:00'.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Microseconds since midnight.
    pub const fn time_of_day(self) -> Time {
        let seconds = (self.hour() * 3600 + self.minute() * 60 + self.second()) as i64;
        Time(seconds * SECOND + self.micros() as i64)
    }

    /// Microseconds since the day 0 of TO_DAYS.
    pub fn to_micros(self) -> i64 {
        self.date().to_days() * DAY + self.time_of_day().0
    }

    /// The inverse of `to_micros`: from '0000-01-01', `None` outside.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let date = Date::from_days(micros.div_euclid(DAY))?;
        Some(Self::at(date, micros.rem_euclid(DAY)))
    }

    /// `date` at `micros` since midnight, which must be within one day.
    pub(crate) fn at(date: Date, micros: i64) -> Self {
        let (seconds, fraction) = ((micros / SECOND) as u32, (micros % SECOND) as u32);
        Self::new(date, seconds / 3600, seconds / 60 % 60, seconds % 60, fraction)
    }

    /// Rounded half up to `fsp` digits, or cut; `None` when rounding leaves year 9999.
    pub fn rounded(self, fsp: u8, cut: bool) -> Option<Self> {
        let unit = unit(fsp);
        let micros = i64::from(self.micros());
        let down = micros - micros % unit;
        let base = Self(self.0 & !0xF_FFFF | down as u64);
        if cut || (micros - down) * 2 < unit {
            return Some(base);
        }
        if down + unit < SECOND {
            return Some(Self(base.0 + unit as u64));
        }
        base.plus_one_second()
    }

    /// The next whole second; a date with a zero part cannot carry into a day.
    pub(crate) fn plus_one_second(self) -> Option<Self> {
        let whole = Self(self.0 & !0xF_FFFF);
        let midnight = (self.hour(), self.minute(), self.second()) == (23, 59, 59);
        if midnight && self.date().has_zero_part() {
            return None;
        }
        if !midnight {
            return Some(Self::at(self.date(), whole.time_of_day().0 + SECOND));
        }
        Self::from_micros(whole.to_micros() + SECOND)
    }
}

/// Microseconds of the last digit kept with `fsp` digits.
pub(crate) fn unit(fsp: u8) -> i64 {
    10_i64.pow(6 - u32::from(fsp.min(6)))
}

/// A span of time, or a time of day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// '00:00:00'.
    pub const ZERO: Self = Self(0);
    /// '838:59:59'.
    pub const MAX: Self = Self(MAX_TIME);
    /// '-838:59:59'.
    pub const MIN: Self = Self(-MAX_TIME);

    /// This many microseconds, if |t| <= 838:59:59.
    pub const fn new(micros: i64) -> Option<Self> {
        if micros >= -MAX_TIME && micros <= MAX_TIME { Some(Self(micros)) } else { None }
    }

    /// This many microseconds, clamped to the range; the flag tells whether it was outside.
    pub const fn clamped(micros: i64) -> (Self, bool) {
        if micros > MAX_TIME {
            (Self::MAX, true)
        } else if micros < -MAX_TIME {
            (Self::MIN, true)
        } else {
            (Self(micros), false)
        }
    }

    /// Signed microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The hours without sign, 0 to 838.
    pub const fn hours(self) -> u32 {
        (self.0.unsigned_abs() / (3600 * SECOND as u64)) as u32
    }

    /// 0 to 59.
    pub const fn minute(self) -> u32 {
        (self.0.unsigned_abs() / (60 * SECOND as u64) % 60) as u32
    }

    /// 0 to 59.
    pub const fn second(self) -> u32 {
        (self.0.unsigned_abs() / SECOND as u64 % 60) as u32
    }

    /// The fraction without sign, 0 to 999999.
    pub const fn fraction(self) -> u32 {
        (self.0.unsigned_abs() % SECOND as u64) as u32
    }

    /// Whether below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Rounded half away from zero to `fsp` digits, or cut; clamped to the range.
    pub fn rounded(self, fsp: u8, cut: bool) -> Self {
        let unit = unit(fsp);
        let half = if cut { 0 } else { unit / 2 };
        let magnitude = (self.0.abs() + half) / unit * unit;
        Self::clamped(if self.0 < 0 { -magnitude } else { magnitude }).0
    }

    /// Sum, clamped; the flag tells whether it was out of range.
    pub fn plus(self, micros: i64) -> (Self, bool) {
        Self::clamped(self.0.saturating_add(micros))
    }
}

/// A point in time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// '0000-00-00 00:00:00'.
    pub const ZERO: Self = Self(0);
    /// '2038-01-19 03:14:07.999999' UTC: the last a TIMESTAMP column takes.
    pub const MAX: Self = Self(0x7FFF_FFFF * SECOND + 999_999);

    /// This many microseconds since 1970 UTC, if a TIMESTAMP column can hold it (or it is the zero timestamp).
    pub const fn new(micros: i64) -> Option<Self> {
        if micros == 0 || micros >= SECOND && micros <= Self::MAX.0 { Some(Self(micros)) } else { None }
    }

    /// Microseconds since 1970-01-01 00:00:00 UTC.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// What the clock of `zone` shows.
    pub fn to_datetime(self, zone: Zone) -> DateTime {
        if self.0 == 0 {
            return DateTime::ZERO;
        }
        let local = self.0 + zone.offset_micros(self.0) + days::EPOCH * DAY;
        DateTime::from_micros(local).expect("invariant: a timestamp is within 1970..=2038")
    }

    /// The point at which the clock of `zone` shows `local`; `None` outside of TIMESTAMP's range or for a date with a zero part.
    pub fn from_datetime(local: DateTime, zone: Zone) -> Option<Self> {
        if local.is_zero() {
            return Some(Self::ZERO);
        }
        if local.date().has_zero_part() {
            return None;
        }
        let utc = zone.utc_micros(local.to_micros() - days::EPOCH * DAY);
        Self::new(utc).filter(|t| t.0 != 0)
    }
}

/// A YEAR.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Year(u16);

impl Year {
    /// 0 or 1901 to 2155.
    pub const fn new(year: u16) -> Option<Self> {
        if year == 0 || year >= 1901 && year <= 2155 { Some(Self(year)) } else { None }
    }

    /// The year.
    pub const fn get(self) -> u16 {
        self.0
    }
}
