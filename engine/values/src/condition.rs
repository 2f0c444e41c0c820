//! What can be said about a value: MySQL's errors and warnings with code, SQLSTATE and text.
//!
//! A conversion knows what is wrong but not where; the caller knows column, row and expression. So a [`Condition`] holds the former,
//! and [`Condition::message`] takes a [`Site`] for the latter. Whether it is an error or a warning is the caller's: sql_mode decides.

use crate::value::Value;
use std::fmt::Write as _;

/// How loudly a condition is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Level {
    /// SHOW WARNINGS' "Note": never an error, not even in strict mode.
    Note,
    /// SHOW WARNINGS' "Warning".
    Warning,
    /// Ends the statement.
    Error,
}

/// What is wrong with a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// 1048: NULL for a NOT NULL column.
    NotNull,
    /// 1264: outside the column's range; clamped when not strict.
    OutOfRange,
    /// 1299: a time that the zone's clock leaves out.
    InvalidTimestamp,
    /// 1265: cut to fit.
    Truncated,
    /// 1292 for temporals, 1366 for the rest: text that is no value of the column's type.
    Incorrect {
        /// `integer`, `decimal`, `double`, `string`, `date`, `datetime`, `time`, ...
        kind: &'static str,
        /// The offending text.
        value: String,
    },
    /// 1292: text cut while converting within an expression: `Truncated incorrect DOUBLE value: '1a'`.
    TruncatedIncorrect {
        /// `INTEGER`, `DECIMAL`, `DOUBLE`, `DATE`, `datetime`, `time`, ...
        kind: &'static str,
        /// The offending text.
        value: String,
    },
    /// 1292: `Truncated incorrect CHAR(3) value: 'abcd'`.
    TruncatedString {
        /// `CHAR` or `BINARY`.
        kind: &'static str,
        /// The cast's length.
        length: usize,
        /// The text that was too long.
        value: String,
    },
    /// 1292 without "Truncated": `Incorrect datetime value: 'x'` within an expression.
    IncorrectInExpression {
        /// `DATE`, `DATETIME`, `TIME`.
        kind: &'static str,
        /// The offending text.
        value: String,
    },
    /// 1365: `Division by 0`.
    DivisionByZero,
    /// 1406: longer than the column.
    TooLong,
    /// 1441: `Datetime function: ... field overflow`.
    DatetimeOverflow {
        /// The function's name as MySQL prints it: `datetime`, `time`, ...
        function: &'static str,
    },
    /// 1690: `BIGINT value is out of range in '(a + b)'`.
    Overflow {
        /// `BIGINT`, `BIGINT UNSIGNED`, `DOUBLE`, `DECIMAL`.
        kind: &'static str,
    },
    /// 1298: unknown or incorrect time zone.
    UnknownTimeZone(String),
    /// 1411: `Incorrect %s value: '%s' for function %s`.
    IncorrectForFunction {
        /// What the value should have been: `datetime`, `string`.
        kind: &'static str,
        /// The offending text.
        value: String,
        /// The function.
        function: &'static str,
    },
    /// 1153-like refusals of results above max_allowed_packet: 1301 `Result of %s() was larger than max_allowed_packet ...`.
    ResultTooLong {
        /// The function's name in lower case.
        function: &'static str,
        /// max_allowed_packet in bytes.
        limit: u64,
    },
    /// 1105: a negative text cast to UNSIGNED.
    NegativeToUnsigned,
    /// 1300: `Invalid utf8mb4 character string: '...'`.
    InvalidCharacters {
        /// The offending bytes, escaped.
        value: String,
    },
    /// 4095: a delimiter in a date or time other than the standard one; 4096: one too many. Never an error.
    Delimiter {
        /// The delimiter, its place, and what should stand there.
        delimiter: crate::temporal::parse::Delimiter,
        /// The whole text.
        value: String,
    },
    /// 3140: `Invalid JSON text: "..." at position N in value for column 't.c'.`; 3157 without a message.
    InvalidJson {
        /// MySQL's sentence.
        message: &'static str,
        /// Byte of the text.
        at: usize,
    },
    /// 3144: a binary string for a JSON column.
    BinaryJson,
    /// 1525: `Incorrect %s value: '%s'` for literals like DATE'2024-13-01'.
    IncorrectLiteral {
        /// `DATE`, `TIME`, `DATETIME`.
        kind: &'static str,
        /// The literal's text.
        value: String,
    },
}

/// Where a condition arose: fills the blanks of MySQL's texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Site<'a> {
    /// The column written to.
    pub column: &'a str,
    /// The row of the statement, from 1.
    pub row: u64,
    /// The expression in MySQL's spelling, for 1690.
    pub expression: &'a str,
}

impl Condition {
    /// `CHAR` and `BINARY` of a cast name their length: `Truncated incorrect CHAR(3) value: 'abcd'`.
    pub(crate) fn with_length(self, length: usize) -> Self {
        match self {
            Self::TruncatedIncorrect { kind, value } => Self::TruncatedString { kind, length, value },
            other => other,
        }
    }

    /// MySQL's error number.
    pub fn code(&self) -> u16 {
        match self {
            Self::NotNull => 1048,
            Self::OutOfRange => 1264,
            Self::InvalidTimestamp => 1299,
            Self::Truncated => 1265,
            Self::Incorrect { kind, .. } if is_temporal(kind) => 1292,
            Self::Incorrect { .. } => 1366,
            Self::TruncatedIncorrect { .. }
            | Self::TruncatedString { .. }
            | Self::IncorrectInExpression { .. } => 1292,
            Self::DivisionByZero => 1365,
            Self::TooLong => 1406,
            Self::DatetimeOverflow { .. } => 1441,
            Self::Overflow { .. } => 1690,
            Self::UnknownTimeZone(_) => 1298,
            Self::IncorrectForFunction { .. } => 1411,
            Self::ResultTooLong { .. } => 1301,
            Self::NegativeToUnsigned => 1105,
            Self::InvalidCharacters { .. } => 1300,
            Self::IncorrectLiteral { .. } => 1525,
            Self::InvalidJson { message: "", .. } => 3157,
            Self::InvalidJson { .. } => 3140,
            Self::BinaryJson => 3144,
            Self::Delimiter { delimiter, .. } if delimiter.standard.is_some() => 4095,
            Self::Delimiter { .. } => 4096,
        }
    }

    /// Whether it is only advice: a warning in every mode.
    pub fn is_advice(&self) -> bool {
        matches!(self, Self::Delimiter { .. })
    }

    /// The SQLSTATE that belongs to [`Condition::code`].
    pub fn sqlstate(&self) -> &'static str {
        match self.code() {
            1048 => "23000",
            1264 | 1690 => "22003",
            1265 => "01000",
            1292 => "22007",
            1365 => "22012",
            1406 => "22001",
            1441 => "22008",
            3140 | 3144 | 3157 => "22032",
            _ => "HY000",
        }
    }

    /// MySQL's text, with the blanks filled from `site`.
    pub fn message(&self, site: &Site<'_>) -> String {
        let Site { column, row, expression } = site;
        match self {
            Self::NotNull => format!("Column '{column}' cannot be null"),
            Self::OutOfRange => format!("Out of range value for column '{column}' at row {row}"),
            Self::InvalidTimestamp => {
                format!("Invalid TIMESTAMP value in column '{column}' at row {row}")
            }
            Self::Truncated => format!("Data truncated for column '{column}' at row {row}"),
            Self::Incorrect { kind, value } => {
                format!("Incorrect {kind} value: '{value}' for column '{column}' at row {row}")
            }
            Self::TruncatedIncorrect { kind, value } => {
                format!("Truncated incorrect {kind} value: '{value}'")
            }
            Self::TruncatedString { kind, length, value } => {
                format!("Truncated incorrect {kind}({length}) value: '{value}'")
            }
            Self::IncorrectInExpression { kind, value } | Self::IncorrectLiteral { kind, value } => {
                format!("Incorrect {kind} value: '{value}'")
            }
            Self::NegativeToUnsigned => {
                "Cast to unsigned converted negative integer to its positive complement".to_owned()
            }
            Self::InvalidCharacters { value } => format!("Invalid utf8mb4 character string: '{value}'"),
            Self::DivisionByZero => "Division by 0".to_owned(),
            Self::TooLong => format!("Data too long for column '{column}' at row {row}"),
            Self::DatetimeOverflow { function } => {
                format!("Datetime function: {function} field overflow")
            }
            Self::Overflow { kind } => format!("{kind} value is out of range in '{expression}'"),
            Self::Delimiter { delimiter, value } => {
                let (found, at) = (char::from(delimiter.found), delimiter.at);
                let row = row.max(&1);
                let end = match delimiter.standard {
                    Some(standard) => {
                        format!("deprecated. Prefer the standard '{}'.", char::from(standard))
                    }
                    None => "superfluous and is deprecated. Please remove.".to_owned(),
                };
                format!(
                    "Delimiter '{found}' in position {at} in datetime value '{value}' at row {row} is {end}"
                )
            }
            Self::InvalidJson { message: "", .. } => {
                "The JSON document exceeds the maximum depth.".to_owned()
            }
            Self::InvalidJson { message, at } => {
                format!("Invalid JSON text: \"{message}\" at position {at} in value for column '{column}'.")
            }
            Self::BinaryJson => {
                "Cannot create a JSON value from a string with CHARACTER SET 'binary'.".to_owned()
            }
            Self::UnknownTimeZone(name) => format!("Unknown or incorrect time zone: '{name}'"),
            Self::IncorrectForFunction { kind, value, function } => {
                format!("Incorrect {kind} value: '{value}' for function {function}")
            }
            Self::ResultTooLong { function, limit } => {
                format!("Result of {function}() was larger than max_allowed_packet ({limit}) - truncated")
            }
        }
    }
}

/// MySQL names the value of a temporal conversion with 1292 and the rest with 1366.
fn is_temporal(kind: &str) -> bool {
    matches!(kind, "date" | "datetime" | "time" | "timestamp" | "DATE" | "DATETIME" | "TIME")
}

/// A string's bytes for a message: text as it is, and what is no UTF-8 as `\xNN`.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        escape(chunk.invalid(), &mut out);
    }
    out
}

/// A string value for a message: of a binary string, only printable ASCII is shown as it is.
pub fn quoted(value: &Value) -> String {
    match value {
        Value::Bytes(b) => {
            let mut out = String::new();
            escape(b.as_bytes(), &mut out);
            out
        }
        _ => printable(value.as_bytes().unwrap_or_default()),
    }
}

fn escape(bytes: &[u8], out: &mut String) {
    for b in bytes {
        match b {
            b' '..=b'~' => out.push(char::from(*b)),
            _ => write!(out, "\\x{b:02X}").unwrap_or_default(),
        }
    }
}
