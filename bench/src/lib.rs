//! Measurements and loads that audit themselves; nothing here is a timed test.
//!
//! - [`ledger`]: clients insert and move money, another process notes every acknowledgement, an auditor compares row by row.
//! - [`side_by_side`]: interleaved sysbench runs over several endpoints, medians and CPU per query.

pub mod ledger;
pub mod side_by_side;
