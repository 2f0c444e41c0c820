//! What MySQL has and this server has not: each construct is named in a 1235, so nothing is silently ignored.

use super::Parser;
use crate::error::{Result, SqlError, unsupported};
use crate::lex::{Kind, Op};

/// First words of statements that exist in MySQL, and how the refusal names them.
const STATEMENTS: &[(&str, &str)] = &[
    ("WITH", "common table expressions"),
    ("TABLE", "TABLE statement"),
    ("VALUES", "VALUES statement"),
    ("CALL", "CALL"),
    ("HANDLER", "HANDLER"),
    ("LOAD", "LOAD DATA"),
    ("IMPORT", "IMPORT TABLE"),
    ("LOCK", "LOCK TABLES"),
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

    /// Called behind `(` where a subquery could stand.
    pub(super) fn refuse_subquery(&self) -> Result<()> {
        let opens = |n| {
            ["SELECT", "WITH", "TABLE"].iter().any(|k| self.is_kw_at(n, k))
                || (self.is_kw_at(n, "VALUES") && self.is_kw_at(n + 1, "ROW"))
        };
        if opens(0) { Err(unsupported("subqueries")) } else { Ok(()) }
    }

    pub(super) fn refuse_set_operation(&self) -> Result<()> {
        for word in ["UNION", "INTERSECT", "EXCEPT"] {
            if self.is_kw(word) {
                return Err(unsupported(word));
            }
        }
        Ok(())
    }

    pub(super) fn at_join(&self) -> bool {
        ["JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN", "FULL"]
            .iter()
            .any(|k| self.is_kw(k))
    }

    pub(super) fn refuse_join(&self) -> Result<()> {
        if self.peek().kind == Kind::Op(Op::Comma) || self.at_join() {
            Err(unsupported("JOIN"))
        } else {
            Ok(())
        }
    }
}
