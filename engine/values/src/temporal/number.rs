//! Temporals as numbers, both ways: 20240102, 20240102030405.678, 123456, and the short years 691231 and 700101.

use super::parse::DateRules;
use super::{Date, DateTime, SECOND, Time};
use crate::decimal::Decimal;

impl Date {
    /// YYYYMMDD.
    pub fn to_number(self) -> i64 {
        i64::from(self.year() * 10_000 + self.month() * 100 + self.day())
    }
}

impl DateTime {
    /// YYYYMMDDhhmmss, without the fraction.
    pub fn to_number(self) -> i64 {
        let time = i64::from(self.hour() * 10_000 + self.minute() * 100 + self.second());
        self.date().to_number() * 1_000_000 + time
    }

    /// YYYYMMDDhhmmss.ffffff with `fsp` digits.
    pub fn to_decimal(self, fsp: u8) -> Decimal {
        with_fraction(self.to_number(), self.micros(), fsp)
    }

    /// The datetime of a number: YYMMDD, YYYYMMDD, YYMMDDhhmmss or YYYYMMDDhhmmss. The flag tells whether it had a time.
    pub fn from_number(number: i64, rules: DateRules) -> Option<(Self, bool)> {
        let (full, has_time) = match number {
            0 => return rules.accept(Date::ZERO).then_some((Self::ZERO, false)),
            101..=691_231 => ((number + 20_000_000) * 1_000_000, false),
            700_101..=991_231 => ((number + 19_000_000) * 1_000_000, false),
            10_000_101..=99_991_231 => (number * 1_000_000, false),
            101_000_000..=691_231_235_959 => (number + 20_000_000_000_000, true),
            700_101_000_000..=991_231_235_959 => (number + 19_000_000_000_000, true),
            10_000_101_000_000..=99_991_231_235_959 => (number, true),
            _ => return None,
        };
        let part = |unit: i64, modulus: i64| (full / unit % modulus) as u32;
        let (month, day) = (part(100_000_000, 100), part(1_000_000, 100));
        let (hour, minute, second) = (part(10_000, 100), part(100, 100), part(1, 100));
        if month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let date = Date::new(part(10_000_000_000, 10_000), month, day);
        rules.accept(date).then(|| (Self::new(date, hour, minute, second, 0), has_time))
    }
}

impl Time {
    /// hhmmss with its sign, without the fraction.
    pub fn to_number(self) -> i64 {
        let n = i64::from(self.hours() * 10_000 + self.minute() * 100 + self.second());
        if self.is_negative() { -n } else { n }
    }

    /// hhmmss.ffffff with `fsp` digits.
    pub fn to_decimal(self, fsp: u8) -> Decimal {
        let n = with_fraction(self.to_number().abs(), self.fraction(), fsp);
        if self.is_negative() { n.negate() } else { n }
    }

    /// The TIME of a number hhmmss, or of a whole datetime. `Err` holds the clamped value of a number that is too large;
    /// `None` if minutes or seconds are above 59.
    pub fn from_number(number: i64) -> Option<Result<Self, Self>> {
        if number.unsigned_abs() > 8_385_959 {
            if number >= 10_000_000_000 {
                return Some(match DateTime::from_number(number, DateRules::default()) {
                    Some((d, _)) => Ok(d.time_of_day()),
                    None => Err(Self::MAX),
                });
            }
            return Some(Err(if number < 0 { Self::MIN } else { Self::MAX }));
        }
        let n = number.abs();
        let (hours, minutes, seconds) = (n / 10_000, n / 100 % 100, n % 100);
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let micros = (hours * 3600 + minutes * 60 + seconds) * SECOND;
        Some(Ok(Self(if number < 0 { -micros } else { micros })))
    }
}

fn with_fraction(whole: i64, micros: u32, fsp: u8) -> Decimal {
    Decimal::new(i128::from(whole) * 1_000_000 + i128::from(micros), 6).truncate(i32::from(fsp))
}
