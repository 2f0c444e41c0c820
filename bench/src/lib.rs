//! Measurements and loads that audit themselves; nothing here is a timed test.
//!
//! - [`ledger`]: clients insert and move money, another process notes every acknowledgement, an auditor compares row by row.

pub mod ledger;
