//! From one type to another: implicitly within expressions, and by assignment to a column.
//!
//! * [`text`]: any value to text.
//! * [`number`]: any value to DOUBLE, DECIMAL or an integer, as MySQL does within an expression: what does not fit warns and goes on.
//! * [`temporal`]: any value to DATE, TIME or DATETIME within an expression.
//! * [`cast`]: CAST and CONVERT.
//! * [`store`]: assignment to a column, where sql_mode decides between a warning and an error.

pub mod cast;
pub mod number;
pub mod store;
mod store_choice;
mod store_number;
mod store_string;
mod store_temporal;
pub mod temporal;
pub mod text;

use crate::mode::SqlMode;
use crate::temporal::{Date, Zone};

/// What a conversion may depend on besides the value.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The session's sql_mode.
    pub mode: SqlMode,
    /// The session's time_zone: TIMESTAMP to and from DATETIME, and literals with an offset.
    pub zone: Zone,
    /// The statement's date in the session's zone: a TIME becomes a DATETIME of this day.
    pub today: Date,
}

impl Context {
    /// The default mode, in UTC, on a fixed day: for tests and for conversions that cannot depend on the session.
    pub const DEFAULT: Self =
        Self { mode: SqlMode::DEFAULT, zone: Zone::System, today: Date::new(1970, 1, 1) };
}
