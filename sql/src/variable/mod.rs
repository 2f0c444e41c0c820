//! System variables: the catalogue, the values of the server and of each session, and SET's rules.
//!
//! 1. A session starts with a copy of the global values, which shares all that nobody set.
//! 2. What executors read per statement is in [`Settings`], recomputed after each SET; nothing hot looks a name up.

mod catalog;
pub(crate) mod set;

use crate::session::track::TransactionInfo;
use catalog::VARIABLES;
pub(crate) use catalog::{Kind, Scope, VERSION, all, find, variable};
use std::sync::Arc;
use values::collation::CharSet;
use values::{Collation, SqlMode, Value, Zone};

/// The text of every variable, by position in [`VARIABLES`]: a table that the server and its sessions share, and what was set since.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    shared: Arc<Vec<Arc<str>>>,
    /// Few: a session sets a handful of variables.
    own: Vec<(usize, Arc<str>)>,
}

impl Values {
    pub(crate) fn defaults() -> Values {
        Values { shared: Arc::new(VARIABLES.iter().map(|v| Arc::from(v.default)).collect()), own: Vec::new() }
    }

    pub(crate) fn text(&self, index: usize) -> &str {
        let own = self.own.iter().find(|(i, _)| *i == index).map(|(_, text)| text);
        own.or_else(|| self.shared.get(index)).map_or(variable(index).default, AsRef::as_ref)
    }

    pub(crate) fn named(&self, name: &str) -> &str {
        find(name).map_or("", |i| self.text(i))
    }

    pub(crate) fn put(&mut self, index: usize, text: &str) {
        // Those without effect have no other value than theirs.
        if index >= self.shared.len() {
            return;
        }
        match self.own.iter_mut().find(|(i, _)| *i == index) {
            Some((_, own)) => *own = Arc::from(text),
            None => self.own.push((index, Arc::from(text))),
        }
    }

    pub(crate) fn put_named(&mut self, name: &str, text: &str) {
        if let Some(index) = find(name) {
            self.put(index, text);
        }
    }

    /// The value as an expression sees it: numbers and truth values as integers.
    pub(crate) fn value(&self, index: usize) -> Value {
        let text = self.text(index);
        if text == "NULL" {
            return Value::Null;
        }
        match variable(index).kind {
            Kind::Bool | Kind::ReadOnlyBool | Kind::FixedBool => Value::Int(i64::from(text == "ON")),
            Kind::Fixed if matches!(text, "ON" | "OFF") => Value::Int(i64::from(text == "ON")),
            Kind::Int { .. } | Kind::ReadOnlyInt | Kind::FixedInt => {
                text.parse().map_or(Value::Null, |n: u64| match i64::try_from(n) {
                    Ok(small) => Value::Int(small),
                    Err(_) => Value::UInt(n),
                })
            }
            Kind::Fixed if text.parse::<i64>().is_ok() => Value::Int(text.parse().unwrap_or(0)),
            Kind::Seconds => text.parse().map_or(Value::Null, Value::Double),
            _ => Value::text(text),
        }
    }
}

/// The character sets a client may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8mb4,
    Utf8mb3,
    Latin1,
    Ascii,
    Binary,
}

impl Charset {
    pub(crate) fn from_name(name: &str) -> Option<Charset> {
        Some(match name.to_ascii_lowercase().as_str() {
            "utf8mb4" => Charset::Utf8mb4,
            "utf8" | "utf8mb3" => Charset::Utf8mb3,
            "latin1" => Charset::Latin1,
            "ascii" => Charset::Ascii,
            "binary" => Charset::Binary,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Charset::Utf8mb4 => "utf8mb4",
            Charset::Utf8mb3 => "utf8mb3",
            Charset::Latin1 => "latin1",
            Charset::Ascii => "ascii",
            Charset::Binary => "binary",
        }
    }

    /// The same as columns have it.
    pub(crate) fn set(self) -> CharSet {
        match self {
            Charset::Utf8mb4 => CharSet::Utf8mb4,
            Charset::Utf8mb3 => CharSet::Utf8mb3,
            Charset::Latin1 => CharSet::Latin1,
            Charset::Ascii => CharSet::Ascii,
            Charset::Binary => CharSet::Binary,
        }
    }

    /// The collation it has when none is named.
    pub(crate) fn collation(self) -> Collation {
        Collation::default_of(self.set())
    }

    /// The number and name of its default collation.
    pub(crate) fn default_collation(self) -> (u16, &'static str) {
        (self.collation().id(), self.collation().name())
    }

    pub(crate) fn bytes_per_char(self) -> u32 {
        self.set().bytes_per_char() as u32
    }

    /// The set of a handshake's collation number; unknown numbers speak the default, as in MySQL.
    pub(crate) fn of_collation(id: u16) -> (Charset, Collation) {
        let set = match id {
            33 | 76 | 83 | 192..=223 => Charset::Utf8mb3,
            5 | 8 | 15 | 31 | 47..=49 | 94 => Charset::Latin1,
            11 | 65 => Charset::Ascii,
            63 => Charset::Binary,
            _ => Charset::Utf8mb4,
        };
        (set, Collation::from_id(id).unwrap_or(set.collation()))
    }

    /// Client bytes as UTF-8; bytes that are no text stay.
    pub(crate) fn decode(self, bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        self.set().decode(bytes)
    }

    /// UTF-8 as client bytes: what the set has not becomes `?`.
    pub(crate) fn encode(self, text: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        self.set().encode(text)
    }
}

/// The session's values that executors read.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) autocommit: bool,
    pub(crate) sql_mode: SqlMode,
    pub(crate) zone: Zone,
    pub(crate) client: Charset,
    /// `None`: character_set_results is NULL, no conversion.
    pub(crate) results: Option<Charset>,
    pub(crate) collation_connection: Collation,
    pub(crate) isolation: crate::ast::Isolation,
    pub(crate) read_only: bool,
    pub(crate) foreign_key_checks: bool,
    /// `innodb_lock_wait_timeout`.
    pub(crate) lock_wait_timeout_us: u64,
    /// `lock_wait_timeout`.
    pub(crate) metadata_timeout_us: u64,
    pub(crate) max_execution_us: u64,
    pub(crate) div_precision_increment: u8,
    pub(crate) group_concat_max_len: usize,
    pub(crate) sql_select_limit: u64,
    pub(crate) max_error_count: usize,
    pub(crate) max_allowed_packet: u64,
    pub(crate) auto_increment: (u64, u64),
    pub(crate) default_week_format: u8,
    pub(crate) sql_notes: bool,
    pub(crate) track_schema: bool,
    pub(crate) track_state_change: bool,
    pub(crate) track_transaction: TransactionInfo,
    /// `timestamp` set by the client: the time of NOW(), in microseconds.
    pub(crate) fixed_time_us: Option<i64>,
}

impl Settings {
    pub(crate) fn of(values: &Values) -> Settings {
        use crate::ast::Isolation;
        let number = |name: &str| values.named(name).parse::<u64>().unwrap_or(0);
        let on = |name: &str| values.named(name) == "ON";
        let charset = |name: &str| Charset::from_name(values.named(name));
        Settings {
            autocommit: on("autocommit"),
            sql_mode: SqlMode::parse(values.named("sql_mode")).unwrap_or(SqlMode::DEFAULT),
            zone: Zone::parse(values.named("time_zone")).unwrap_or(Zone::UTC),
            client: charset("character_set_client").unwrap_or(Charset::Utf8mb4),
            results: charset("character_set_results"),
            collation_connection: Collation::from_name(values.named("collation_connection"))
                .unwrap_or(Collation::DEFAULT),
            isolation: match values.named("transaction_isolation") {
                "READ-UNCOMMITTED" => Isolation::ReadUncommitted,
                "READ-COMMITTED" => Isolation::ReadCommitted,
                "SERIALIZABLE" => Isolation::Serializable,
                _ => Isolation::RepeatableRead,
            },
            read_only: on("transaction_read_only"),
            foreign_key_checks: on("foreign_key_checks"),
            lock_wait_timeout_us: number("innodb_lock_wait_timeout") * 1_000_000,
            metadata_timeout_us: number("lock_wait_timeout") * 1_000_000,
            max_execution_us: number("max_execution_time") * 1000,
            div_precision_increment: number("div_precision_increment") as u8,
            group_concat_max_len: number("group_concat_max_len") as usize,
            sql_select_limit: number("sql_select_limit"),
            max_error_count: number("max_error_count") as usize,
            max_allowed_packet: number("max_allowed_packet"),
            auto_increment: (
                number("auto_increment_increment").max(1),
                number("auto_increment_offset").max(1),
            ),
            default_week_format: number("default_week_format") as u8,
            sql_notes: on("sql_notes"),
            track_schema: on("session_track_schema"),
            track_state_change: on("session_track_state_change"),
            track_transaction: TransactionInfo::named(values.named("session_track_transaction_info")),
            fixed_time_us: values
                .named("timestamp")
                .parse::<f64>()
                .ok()
                .filter(|t| *t > 0.0)
                .map(|t| (t * 1e6) as i64),
        }
    }

    /// How statement text is read under this sql_mode.
    pub(crate) fn lex_mode(&self) -> crate::lex::LexMode {
        let has = |flag| self.sql_mode.has(flag);
        crate::lex::LexMode {
            ansi_quotes: has(SqlMode::ANSI_QUOTES),
            no_backslash_escapes: has(SqlMode::NO_BACKSLASH_ESCAPES),
            pipes_as_concat: has(SqlMode::PIPES_AS_CONCAT),
            high_not_precedence: has(SqlMode::HIGH_NOT_PRECEDENCE),
        }
    }
}
