//! engine-1: the classic anomalies and locking cases, several sessions at once, at each isolation level: what MySQL 9.7 did, or what
//! `tests/sessions/different.txt` lists with its reason.
//!
//! The sabotage changes one recorded outcome: MySQL would have waited where it answered.

use crate::{Order, Outcome, golden};

pub(crate) fn show(order: &Order) -> Outcome {
    golden::test("tests", &["--test", "sessions"], order.sabotage)
}
