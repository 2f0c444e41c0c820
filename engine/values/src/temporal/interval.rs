//! INTERVAL: every unit of DATE_ADD and friends, read from text or numbers, added to dates, datetimes and times.

use super::{DAY, Date, DateTime, SECOND, Time, days};
use crate::decimal::Decimal;

/// A unit of an interval, simple or compound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs, reason = "each is MySQL's unit of that name")]
pub enum Unit {
    Microsecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    SecondMicrosecond,
    MinuteMicrosecond,
    MinuteSecond,
    HourMicrosecond,
    HourSecond,
    HourMinute,
    DayMicrosecond,
    DaySecond,
    DayMinute,
    DayHour,
    YearMonth,
}

use Unit as U;

const UNITS: [(&str, Unit); 20] = [
    ("MICROSECOND", U::Microsecond),
    ("SECOND", U::Second),
    ("MINUTE", U::Minute),
    ("HOUR", U::Hour),
    ("DAY", U::Day),
    ("WEEK", U::Week),
    ("MONTH", U::Month),
    ("QUARTER", U::Quarter),
    ("YEAR", U::Year),
    ("SECOND_MICROSECOND", U::SecondMicrosecond),
    ("MINUTE_MICROSECOND", U::MinuteMicrosecond),
    ("MINUTE_SECOND", U::MinuteSecond),
    ("HOUR_MICROSECOND", U::HourMicrosecond),
    ("HOUR_SECOND", U::HourSecond),
    ("HOUR_MINUTE", U::HourMinute),
    ("DAY_MICROSECOND", U::DayMicrosecond),
    ("DAY_SECOND", U::DaySecond),
    ("DAY_MINUTE", U::DayMinute),
    ("DAY_HOUR", U::DayHour),
    ("YEAR_MONTH", U::YearMonth),
];

/// Fields of a compound unit, most significant first; the sizes of a field in microseconds, or months for YEAR_MONTH.
const D: i64 = DAY;
const H: i64 = 3600 * SECOND;
const M: i64 = 60 * SECOND;
const S: i64 = SECOND;

impl Unit {
    /// The unit of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        UNITS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, u)| *u)
    }

    /// MySQL's name, in upper case.
    pub fn name(self) -> &'static str {
        UNITS.iter().find(|(_, u)| *u == self).map_or("", |(n, _)| n)
    }

    /// Whether it moves months rather than time.
    pub const fn is_months(self) -> bool {
        matches!(self, U::Month | U::Quarter | U::Year | U::YearMonth)
    }

    /// Whether adding it to a DATE leaves a DATE.
    pub const fn keeps_date(self) -> bool {
        self.is_months() || matches!(self, U::Day | U::Week)
    }

    /// Whether it has a fraction of a second.
    pub const fn has_micros(self) -> bool {
        use U::{DayMicrosecond, HourMicrosecond, Microsecond, MinuteMicrosecond, SecondMicrosecond};
        matches!(self, Microsecond | SecondMicrosecond | MinuteMicrosecond | HourMicrosecond | DayMicrosecond)
    }

    const fn fields(self) -> &'static [i64] {
        match self {
            U::SecondMicrosecond => &[S, 1],
            U::MinuteMicrosecond => &[M, S, 1],
            U::MinuteSecond => &[M, S],
            U::HourMicrosecond => &[H, M, S, 1],
            U::HourSecond => &[H, M, S],
            U::HourMinute => &[H, M],
            U::DayMicrosecond => &[D, H, M, S, 1],
            U::DaySecond => &[D, H, M, S],
            U::DayMinute => &[D, H, M],
            U::DayHour => &[D, H],
            U::YearMonth => &[12, 1],
            U::Microsecond => &[1],
            U::Second => &[S],
            U::Minute => &[M],
            U::Hour => &[H],
            U::Day => &[D],
            U::Week => &[7 * D],
            U::Month => &[1],
            U::Quarter => &[3],
            U::Year => &[12],
        }
    }

    /// Whether it has several fields: its value is read from text.
    pub const fn is_compound(self) -> bool {
        self.fields().len() > 1
    }
}

/// An interval: months, or microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interval {
    /// MONTH, QUARTER, YEAR and YEAR_MONTH.
    Months(i64),
    /// Everything else.
    Micros(i128),
}

impl Interval {
    /// `count` of a simple unit.
    pub fn of(unit: Unit, count: i64) -> Self {
        let size = unit.fields()[0];
        match unit.is_months() {
            true => Self::Months(count.saturating_mul(size)),
            false => Self::Micros(i128::from(count) * i128::from(size)),
        }
    }

    /// Seconds with a fraction (unit SECOND), cut to microseconds.
    pub fn seconds(count: &Decimal) -> Option<Self> {
        let micros = count.mul(&Decimal::from(SECOND))?.truncate(0).to_integer()?;
        Some(Self::Micros(micros))
    }

    /// The fields of a compound unit out of text: groups of digits between anything else, right-aligned when there are fewer than fields.
    pub fn parse(unit: Unit, text: &str) -> Self {
        let fields = unit.fields();
        let text = text.trim_start();
        let negative = text.starts_with('-');
        let mut groups: Vec<&str> =
            text.split(|c: char| !c.is_ascii_digit()).filter(|g| !g.is_empty()).take(fields.len()).collect();
        // The digits of a fraction stand for its first places: '1.5' is five hundred thousand microseconds.
        let micros = unit.has_micros() && groups.len() > 1;
        let mut total = 0_i128;
        let missing = fields.len() - groups.len();
        if groups.is_empty() {
            groups.push("0");
        }
        for (i, group) in groups.iter().enumerate() {
            let size = fields[(missing + i).min(fields.len() - 1)];
            let mut value = group.bytes().take(18).fold(0_i128, |n, b| n * 10 + i128::from(b - b'0'));
            if micros && i == groups.len() - 1 && size == 1 && group.len() < 6 {
                value *= 10_i128.pow(6 - group.len() as u32);
            }
            total += value * i128::from(size);
        }
        let total = if negative { -total } else { total };
        match unit.is_months() {
            true => Self::Months(total.clamp(-1_000_000_000, 1_000_000_000) as i64),
            false => Self::Micros(total),
        }
    }

    /// The opposite interval.
    pub fn negate(self) -> Self {
        match self {
            Self::Months(n) => Self::Months(n.saturating_neg()),
            Self::Micros(n) => Self::Micros(-n),
        }
    }
}

impl DateTime {
    /// This datetime later by `interval`; `None` outside of '0000-01-01' to '9999-12-31' or for a date with a zero part.
    pub fn plus(self, interval: Interval) -> Option<Self> {
        match interval {
            _ if self.date().has_zero_part() => None,
            Interval::Months(n) => Some(Self::at(self.date().plus_months(n)?, self.time_of_day().micros())),
            Interval::Micros(n) => {
                Self::from_micros(i64::try_from(i128::from(self.to_micros()).checked_add(n)?).ok()?)
            }
        }
    }
}

impl Date {
    /// This date later by months; the day shrinks to the end of a shorter month.
    pub fn plus_months(self, months: i64) -> Option<Self> {
        if self.has_zero_part() {
            return None;
        }
        let total = (i64::from(self.year()) * 12 + i64::from(self.month()) - 1).checked_add(months)?;
        if !(0..120_000).contains(&total) {
            return None;
        }
        let (year, month) = ((total / 12) as u32, (total % 12) as u32 + 1);
        Some(Self::new(year, month, self.day().min(days::in_month(year, month))))
    }
}

impl Time {
    /// This time later by microseconds; `None` for an interval of months or outside of the range.
    pub fn plus_interval(self, interval: Interval) -> Option<Self> {
        match interval {
            Interval::Months(_) => None,
            Interval::Micros(n) => Self::new(i64::try_from(i128::from(self.micros()).checked_add(n)?).ok()?),
        }
    }
}
