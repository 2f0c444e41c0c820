//! Errors as the client sees them: MySQL's number, SQLSTATE and text.
//!
//! 1. The SQLSTATE follows from the number ([`sqlstate`]); nothing else chooses it.
//! 2. Texts are MySQL 9.7's, checked against its answers.

use std::fmt::{self, Display};

/// An error packet's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// MySQL's error number.
    pub code: u16,
    /// Five characters.
    pub sqlstate: &'static str,
    /// The text; UTF-8, at most 512 bytes on the wire.
    pub message: String,
}

/// What every fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error whose SQLSTATE is the catalogue's for `code`.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        SqlError { code, sqlstate: sqlstate(code), message: message.into() }
    }
}

impl Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.sqlstate, self.message)
    }
}

impl std::error::Error for SqlError {}

/// The SQLSTATE of an error number.
pub fn sqlstate(code: u16) -> &'static str {
    match code {
        1022 | 1048 | 1052 | 1062 | 1169 | 1216 | 1217 | 1451 | 1452 | 1557 | 1761 | 1762 => "23000",
        1037 | 1038 => "HY001",
        1845 | 1846 => "0A000",
        1040 | 1053 | 1080 | 1152 | 1158..=1161 | 1184 => "08S01",
        1043 => "08S01",
        1046 => "3D000",
        1047 => "08S01",
        1045 | 1698 => "28000",
        1050 => "42S01",
        1051 | 1109 | 1146 => "42S02",
        1054 | 1247 => "42S22",
        1060 => "42S21",
        1082 => "42S12",
        1044
        | 1049
        | 1701
        | 1055..=1059
        | 1061
        | 1063..=1075
        | 1083..=1084
        | 1090
        | 1091
        | 1101..=1104
        | 1106
        | 1107
        | 1110
        | 1112..=1115
        | 1118
        | 1120
        | 1121
        | 1131..=1133
        | 1139..=1145
        | 1147
        | 1148
        | 1149
        | 1162..=1164
        | 1166
        | 1167
        | 1170
        | 1171
        | 1172
        | 1173
        | 1176..=1178
        | 1203
        | 1211
        | 1226
        | 1227
        | 1230..=1237
        | 1239
        | 1248..=1250
        | 1252
        | 1253
        | 1280
        | 1281
        | 1286
        | 1304
        | 1305
        | 1318
        | 1370
        | 1410
        | 1425..=1427
        | 1439
        | 1458
        | 1470
        | 1472
        | 1582..=1584
        | 1641
        | 1687
        | 3143
        | 3149
        | 3152
        | 3153
        | 3154
        | 3057
        | 3163
        | 3948
        | 4163
        | 3165 => "42000",
        1136 => "21S01",
        1222 | 1241 | 1242 => "21000",
        1138 => "22004",
        1179 | 1207 => "25000",
        1205 => "HY000",
        1213 | 1614 => "40001",
        1264 | 1416 | 1690 => "22003",
        1265 | 1261 | 1262 => "01000",
        1292 | 1367 => "22007",
        1317 => "70100",
        1365 => "22012",
        1406 => "22001",
        1441 => "22008",
        1568 => "25001",
        1792 => "25006",
        3140 | 3141 | 3144 | 3146 | 3157 | 3158 => "22032",
        _ => "HY000",
    }
}

/// 1064 at byte `at` of `text`, as MySQL words it: the rest of the text (80 bytes) and the line.
pub(crate) fn syntax(text: &[u8], at: usize) -> SqlError {
    let at = at.min(text.len());
    let line = 1 + text[..at].iter().filter(|&&b| b == b'\n').count();
    let mut end = text.len().min(at + 80);
    while end > at && end < text.len() && text[end] & 0xc0 == 0x80 {
        end -= 1; // not in the middle of a character
    }
    let near = String::from_utf8_lossy(&text[at..end]);
    SqlError::new(
        1064,
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '{near}' at line {line}"
        ),
    )
}

/// 1235 naming a construct this server does not have.
pub(crate) fn unsupported(construct: impl Display) -> SqlError {
    SqlError::new(1235, format!("This version of MySQL doesn't yet support '{construct}'"))
}

/// 1046
pub(crate) fn no_database() -> SqlError {
    SqlError::new(1046, "No database selected")
}

/// 1049
pub(crate) fn unknown_database(name: &str) -> SqlError {
    SqlError::new(1049, format!("Unknown database '{name}'"))
}

/// 1054; `place` is MySQL's word for the clause (`field list`, `where clause`, `order clause`, ...).
pub(crate) fn unknown_column(name: impl Display, place: &str) -> SqlError {
    SqlError::new(1054, format!("Unknown column '{name}' in '{place}'"))
}

/// 1146
pub(crate) fn no_such_table(schema: &str, table: &str) -> SqlError {
    SqlError::new(1146, format!("Table '{schema}.{table}' doesn't exist"))
}

/// 1193
pub(crate) fn unknown_variable(name: &str) -> SqlError {
    SqlError::new(1193, format!("Unknown system variable '{name}'"))
}

/// 1231
pub(crate) fn wrong_value(name: &str, value: impl Display) -> SqlError {
    SqlError::new(1231, format!("Variable '{name}' can't be set to the value of '{value}'"))
}

/// 1232
pub(crate) fn wrong_type(name: &str) -> SqlError {
    SqlError::new(1232, format!("Incorrect argument type to variable '{name}'"))
}

/// 1582
pub(crate) fn wrong_param_count(function: &str) -> SqlError {
    SqlError::new(1582, format!("Incorrect parameter count in the call to native function '{function}'"))
}

/// 1241
pub(crate) fn operand_columns(n: usize) -> SqlError {
    SqlError::new(1241, format!("Operand should contain {n} column(s)"))
}

/// 1273
pub(crate) fn unknown_collation(name: &str) -> SqlError {
    SqlError::new(1273, format!("Unknown collation: '{name}'"))
}

/// 1115
pub(crate) fn unknown_charset(name: &str) -> SqlError {
    SqlError::new(1115, format!("Unknown character set: '{name}'"))
}

/// 1038: a query asked for more memory than it may have.
pub(crate) fn out_of_memory() -> SqlError {
    SqlError::new(1038, "Out of sort memory, consider increasing server sort buffer size")
}

/// An engine error with MySQL's text.
impl From<engine::EngineError> for SqlError {
    fn from(error: engine::EngineError) -> SqlError {
        let message = match &error {
            engine::EngineError::Duplicate { table, index, key, .. } => duplicate(table, index, key),
            engine::EngineError::Fenced => {
                "Deadlock found when trying to get lock; try restarting transaction".to_owned()
            }
            engine::EngineError::Corruption { .. } | engine::EngineError::BadValue { .. } => {
                format!("Got error: {error}")
            }
            other => other.to_string(),
        };
        SqlError::new(error.code(), message)
    }
}

/// 1062's text: the key's values joined by `-`.
fn duplicate(table: &str, index: &str, key: &[values::Value]) -> String {
    use values::Value;
    let part = |value: &Value| {
        let digits = match value {
            Value::Bytes(bytes) => return values::condition::printable(bytes.as_bytes()),
            Value::DateTime(at) if at.micros() == 0 => 0,
            Value::Time(t) if t.fraction() == 0 => 0,
            Value::Timestamp(t) if t.micros() % 1_000_000 == 0 => 0,
            Value::DateTime(_) | Value::Time(_) | Value::Timestamp(_) => 6,
            _ => 31,
        };
        values::convert::text::to_text(value, digits).as_str().to_owned()
    };
    let entry = key.iter().map(part).collect::<Vec<_>>().join("-");
    format!("Duplicate entry '{entry}' for key '{table}.{index}'")
}
