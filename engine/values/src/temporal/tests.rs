//! Calendar arithmetic and lenient reading.

use super::{Date, days};

#[test]
fn days_count_as_to_days() {
    assert_eq!(Date::new(0, 1, 1).to_days(), 1);
    assert_eq!(Date::new(0, 2, 28).to_days(), 59);
    assert_eq!(Date::new(0, 3, 1).to_days(), 60);
    assert_eq!(Date::new(1, 1, 1).to_days(), 366);
    assert_eq!(Date::new(1970, 1, 1).to_days(), days::EPOCH);
    assert_eq!(Date::MAX.to_days(), 3_652_424);
}

#[test]
fn every_day_number_has_one_date() {
    let mut last = Date::ZERO;
    for number in 1..=3_652_424 {
        let date = Date::from_days(number).expect("in range");
        assert!(date > last, "{date} follows {last}");
        assert_eq!(date.to_days(), number, "{date}");
        last = date;
    }
    assert!(Date::from_days(0).is_none() && Date::from_days(3_652_425).is_none());
}
