//! What MySQL has and this server has not: each construct is named in a 1235, so nothing is silently ignored.

use super::Parser;
use crate::error::{SqlError, unsupported};

/// First words of statements that exist in MySQL, and how the refusal names them.
const STATEMENTS: &[(&str, &str)] = &[
    ("CALL", "CALL"),
    ("HANDLER", "HANDLER"),
    ("IMPORT", "IMPORT TABLE"),
    ("LOCK", "LOCK INSTANCE FOR BACKUP"),
    ("XA", "XA transactions"),
    ("CHECKSUM", "CHECKSUM TABLE"),
    ("OPTIMIZE", "OPTIMIZE TABLE"),
    ("REPAIR", "REPAIR TABLE"),
    ("RENAME", "RENAME"),
    ("INSTALL", "INSTALL"),
    ("UNINSTALL", "UNINSTALL"),
    ("CACHE", "CACHE INDEX"),
    ("RESET", "RESET"),
    ("PURGE", "PURGE BINARY LOGS"),
    ("CHANGE", "CHANGE REPLICATION"),
    ("SHUTDOWN", "SHUTDOWN"),
    ("RESTART", "RESTART"),
    ("CLONE", "CLONE"),
    ("BINLOG", "BINLOG"),
    ("HELP", "HELP"),
    ("SIGNAL", "SIGNAL"),
    ("RESIGNAL", "RESIGNAL"),
    ("GET", "GET DIAGNOSTICS"),
    ("STOP", "STOP REPLICA"),
];

impl Parser<'_> {
    /// The error for a statement that starts with `word`: 1235 when MySQL knows it, else 1064.
    pub(super) fn refuse(&self, word: &[u8]) -> SqlError {
        match STATEMENTS.iter().find(|(first, _)| first.as_bytes() == word) {
            Some((_, construct)) => unsupported(construct),
            None => self.unexpected(),
        }
    }
}
