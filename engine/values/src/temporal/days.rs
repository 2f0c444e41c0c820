//! Days and calendar dates. MySQL's TO_DAYS counts '0000-01-01' as 1 and takes year 0 for a common year; from year 1 on it is the
//! proleptic Gregorian calendar, where 1970-01-01 is day 719528.

use super::Date;

/// TO_DAYS('1970-01-01').
pub const EPOCH: i64 = 719_528;
/// Days of four hundred years.
const ERA: i64 = 146_097;

/// Whether February has 29 days. Year 0 is no leap year in MySQL.
pub const fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) && year != 0
}

/// The length of a month (1 to 12) in days; 31 for month 0.
pub const fn in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// TO_DAYS of these parts; zero and overlong parts count on, as in MySQL.
pub fn number(year: u32, month: u32, day: u32) -> i64 {
    if year == 0 && month == 0 {
        return 0;
    }
    if month == 0 {
        return self::number(year, 1, day) - 31;
    }
    // Years begin in March, so that a leap day is the last of its year; 0000-03-01 is day 60.
    let (y, m) = if month <= 2 { (i64::from(year) - 1, month + 9) } else { (i64::from(year), month - 3) };
    let leap_days = y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    let common_year_zero = i64::from(year == 0 && month <= 2);
    365 * y + leap_days + (153 * i64::from(m) + 2) / 5 + i64::from(day) + 59 + common_year_zero
}

/// The date of a day number: from '0000-01-01' (1) to '9999-12-31' (3652424). FROM_DAYS itself answers zero dates below 366.
pub fn date(number: i64) -> Option<Date> {
    if !(1..=3_652_424).contains(&number) {
        return None;
    }
    // January and February of the common year 0 end a day earlier than in the leap year of the era.
    let number = if number < 60 { number - 1 } else { number };
    let (era, day) = ((number - 60).div_euclid(ERA), (number - 60).rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(Date::new((year + era * 400 + next) as u32, month as u32, day as u32))
}

/// 0 for Monday to 6 for Sunday.
pub fn weekday(number: i64) -> u32 {
    (number + 5).rem_euclid(7) as u32
}

/// The day of the year, from 1.
pub fn day_of_year(date: Date) -> u32 {
    (date.to_days() - self::number(date.year(), 1, 1) + 1) as u32
}

/// How WEEK() counts, MySQL's modes 0 to 7.
#[derive(Clone, Copy, Debug)]
pub struct WeekMode {
    /// Weeks begin on Monday, not Sunday.
    pub monday_first: bool,
    /// Weeks before the first belong to the last year's (1 to 53 instead of 0 to 53).
    pub year_carries: bool,
    /// The first week is the first with the week's first day in it; else the first with four days.
    pub first_weekday: bool,
}

impl WeekMode {
    /// From WEEK's second argument (its low three bits).
    pub fn new(mode: i64) -> Self {
        let monday_first = mode & 1 != 0;
        let first_weekday = (mode & 4 != 0) != monday_first;
        Self { monday_first, year_carries: mode & 2 != 0, first_weekday: !first_weekday }
    }
}

/// The week number and the year it belongs to.
pub fn week(date: Date, mode: WeekMode) -> (u32, u32) {
    let today = date.to_days();
    let mut year = date.year();
    let mut first = number(year, 1, 1);
    let weekday_of = |day: i64| if mode.monday_first { weekday(day) } else { (weekday(day) + 1) % 7 };
    let starts_in_old_year = |w: u32| if mode.first_weekday { w != 0 } else { w >= 4 };
    let mut w = weekday_of(first);
    let mut year_carries = mode.year_carries;
    if date.month() == 1 && date.day() <= 7 - w {
        if !year_carries && starts_in_old_year(w) {
            return (0, year);
        }
        if starts_in_old_year(w) {
            year_carries = true;
            year = year.saturating_sub(1);
            let length = if is_leap(year) { 366 } else { 365 };
            first -= length;
            w = (w + 53 * 7 - length as u32) % 7;
        }
    }
    let days = if starts_in_old_year(w) {
        today - (first + i64::from(7 - w))
    } else {
        today - (first - i64::from(w))
    };
    if year_carries && days >= 52 * 7 {
        let length = if is_leap(year) { 366 } else { 365 };
        let next = (w + length) % 7;
        if !starts_in_old_year(next) {
            return (1, year + 1);
        }
    }
    ((days / 7 + 1) as u32, year)
}
