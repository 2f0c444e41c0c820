//! What expressions and executors know of their session: variables, identity, diagnostics.

use crate::error::{Result, SqlError};
use crate::expr::Ty;
use crate::variable::{Settings, Values, variable};
use std::collections::HashMap;
use std::sync::Arc;
use values::convert::text::to_text;
use values::{Condition, DateTime, Level, Site, Text, Value};

/// One line of SHOW WARNINGS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) level: Level,
    pub(crate) code: u16,
    pub(crate) message: String,
}

/// The conditions of the last statement that was not about diagnostics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diagnostics {
    pub(crate) list: Vec<Warning>,
    /// All that were raised, kept or not.
    pub(crate) count: u64,
    pub(crate) errors: u64,
}

impl Diagnostics {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.count = 0;
        self.errors = 0;
    }
}

/// How conditions of values are treated while a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Strictness {
    /// They are warnings.
    #[default]
    Lenient,
    /// They end the statement (a write in strict mode).
    Strict,
}

/// State of one session that outlives a statement.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) connection_id: u64,
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) account: (String, String),
    /// The roles the session acts in.
    pub(crate) roles: std::collections::BTreeSet<crate::ast::UserName>,
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) found_rows_flag: bool,
    pub(crate) variables: Values,
    pub(crate) settings: Settings,
    pub(crate) user_variables: HashMap<String, Value>,
    /// Where RANDOM_BYTES() comes from.
    pub(crate) entropy: crate::function::cipher::Entropy,
    /// Compiled regular expressions.
    pub(crate) patterns: crate::function::regexp::Patterns,
    pub(crate) diagnostics: Diagnostics,
    /// LAST_INSERT_ID() of the statements before.
    pub(crate) last_insert_id: u64,
    /// Set by LAST_INSERT_ID(expr) in this statement.
    pub(crate) set_insert_id: Option<u64>,
    pub(crate) row_count: i64,
    pub(crate) found_rows: u64,
    /// Wall clock at the start of the statement, microseconds since 1970.
    pub(crate) now_us: i64,
    /// State of RAND().
    pub(crate) random: u64,
    /// States of the RAND(constant)s of the statement, by the place of their argument.
    pub(crate) seeded: HashMap<usize, (u64, u64)>,
    pub(crate) strictness: Strictness,
    /// Version and cipher of the connection's TLS.
    pub(crate) tls: Option<(&'static str, &'static str)>,
    /// Name of the table that is being written.
    pub(crate) written: Arc<str>,
    /// Row of the statement that is being written, from 1.
    pub(crate) row_number: u64,
    /// Values of @@global variables when the statement started.
    pub(crate) globals: Values,
    /// Collation number of text in results.
    pub(crate) results_collation: u16,
    /// What GET_LOCK took; made with the first call.
    pub(crate) locks: Option<engine::NamedLocks>,
    /// What conversions depend on: sql_mode, zone, the statement's day.
    pub(crate) convert: values::convert::Context,
}

impl Context {
    /// A condition that is no error here.
    pub(crate) fn warn(&mut self, level: Level, code: u16, message: String) {
        if level == Level::Note && !self.settings.sql_notes {
            return;
        }
        self.diagnostics.count += 1;
        if level == Level::Error {
            self.diagnostics.errors += 1;
        }
        if self.diagnostics.list.len() < self.settings.max_error_count {
            self.diagnostics.list.push(Warning { level, code, message });
        }
    }

    /// A condition of a conversion: an error in a strict write, else a warning.
    pub(crate) fn raise(&mut self, condition: &Condition, column: &str) -> Result<()> {
        let site = Site { column, row: self.row_number, expression: "" };
        if self.strictness == Strictness::Strict && !condition.is_advice() {
            return Err(condition_error(condition, &site));
        }
        let message = condition.message(&site);
        self.warn(Level::Warning, condition.code(), message);
        Ok(())
    }

    /// A condition inside an expression that is a warning even in a strict write's WHERE.
    pub(crate) fn note_condition(&mut self, condition: &Condition) {
        let message = condition.message(&Site::default());
        self.warn(Level::Warning, condition.code(), message);
    }

    /// The value of a system variable as an expression sees it.
    pub(crate) fn system_variable(&self, index: usize, global: bool) -> Value {
        let name = variable(index).name;
        if !global {
            match name {
                "last_insert_id" | "identity" => return Value::UInt(self.last_insert_id),
                "warning_count" => return Value::Int(self.diagnostics.count as i64),
                "error_count" => return Value::Int(self.diagnostics.errors as i64),
                "timestamp" if self.settings.fixed_time_us.is_none() => {
                    return Value::Double(self.now_us as f64 / 1e6);
                }
                _ => {}
            }
        }
        if global { self.globals.value(index) } else { self.variables.value(index) }
    }

    /// The time of the statement on the session's clock.
    pub(crate) fn local_now(&self) -> DateTime {
        self.local(self.now_us)
    }

    /// A moment, microseconds since 1970, in the session's time zone and to the second.
    pub(crate) fn local_at(&self, us: u64) -> values::Value {
        values::Value::DateTime(self.local(i64::try_from(us / 1_000_000 * 1_000_000).unwrap_or(0)))
    }

    fn local(&self, us: i64) -> DateTime {
        let offset = self.settings.zone.offset_micros(us);
        let since_epoch = us + offset;
        DateTime::from_micros(since_epoch + values::temporal::days::EPOCH * values::temporal::DAY)
            .unwrap_or(DateTime::ZERO)
    }

    /// Takes the time for a statement that starts now.
    pub(crate) fn start_clock(&mut self, wall_us: i64) {
        self.now_us = self.settings.fixed_time_us.unwrap_or(wall_us);
        self.convert = values::convert::Context {
            mode: self.settings.sql_mode,
            zone: self.settings.zone,
            today: self.local_now().date(),
        };
    }

    /// The text of a number or temporal of type `ty`.
    pub(crate) fn text_of(&self, value: &Value, ty: &Ty) -> Text {
        match value {
            Value::Timestamp(t) => to_text(&Value::DateTime(t.to_datetime(self.settings.zone)), ty.col.scale),
            other => to_text(other, ty.col.scale),
        }
    }

    /// 64 random bits (splitmix64).
    pub(crate) fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The default schema or 1046.
    pub(crate) fn schema(&self) -> Result<Arc<str>> {
        self.schema.clone().ok_or_else(crate::error::no_database)
    }
}

/// A condition that ends the statement.
pub(crate) fn condition_error(condition: &Condition, site: &Site<'_>) -> SqlError {
    SqlError { code: condition.code(), sqlstate: condition.sqlstate(), message: condition.message(site) }
}
