//! SHOW statements about the server: processes, counters, engines, character sets, collations, plugins, privileges.
//!
//! What the process knows comes from the [`Host`]; the lists name only what this server has.

use super::ShowTable;
use crate::api::Host;
use values::{Collation, ColumnType, TypeKind, Value};

const NUMBER: ColumnType = ColumnType::integer(TypeKind::BigInt, true);

const fn text(characters: u32) -> ColumnType {
    ColumnType::varchar(characters, Collation::DEFAULT)
}

fn optional(value: Option<String>) -> Value {
    value.map_or(Value::Null, |value| Value::text(&value))
}

/// Characters of a statement that SHOW PROCESSLIST shows without FULL.
const SHORT_INFO: usize = 100;

/// SHOW [FULL] PROCESSLIST; `only` hides the connections of other users.
pub(crate) fn processlist(host: &dyn Host, full: bool, only: Option<&str>) -> ShowTable {
    let mut table = ShowTable::new(&[
        ("Id", NUMBER, false),
        ("User", text(32), false),
        ("Host", text(261), false),
        ("db", text(64), true),
        ("Command", text(16), false),
        ("Time", ColumnType::integer(TypeKind::Int, false), false),
        ("State", text(64), true),
        ("Info", text(if full { 65_535 } else { SHORT_INFO as u32 }), true),
    ]);
    let mine = host.processes().into_iter().filter(|p| only.is_none_or(|user| user == p.user));
    for process in mine {
        let info = process.info.map(|info| if full { info } else { info.chars().take(SHORT_INFO).collect() });
        table.rows.push(vec![
            Value::UInt(process.id),
            Value::text(&process.user),
            Value::text(&process.host),
            optional(process.schema),
            Value::text(&process.command),
            Value::Int(process.time_s as i64),
            Value::text(&process.state),
            optional(info),
        ]);
    }
    table
}

/// SHOW STATUS: the host's figures and `more` (the engine's and this crate's), in name order.
pub(crate) fn status(host: &dyn Host, more: Vec<(String, String)>) -> ShowTable {
    let mut table = ShowTable::texts(&[("Variable_name", 64), ("Value", 1024)]);
    let mut all = host.status();
    all.extend(more);
    all.sort();
    all.dedup_by(|a, b| a.0 == b.0);
    for (name, value) in &all {
        table.push_texts(&[name, value]);
    }
    table
}

/// SHOW ENGINES: rows lie in one place, whatever ENGINE= says.
pub(crate) fn engines() -> ShowTable {
    let columns =
        [("Engine", 64), ("Support", 8), ("Comment", 80), ("Transactions", 3), ("XA", 3), ("Savepoints", 3)];
    let mut table = ShowTable::texts(&columns);
    let comment = "Rows on a quorum-replicated volume; the name is kept for compatibility";
    table.push_texts(&["InnoDB", "DEFAULT", comment, "YES", "NO", "YES"]);
    table
}

/// SHOW CHARACTER SET: the sets of columns, and those clients may speak.
pub(crate) fn charset() -> ShowTable {
    let mut table = ShowTable::new(&[
        ("Charset", text(64), false),
        ("Description", text(2048), false),
        ("Default collation", text(64), false),
        ("Maxlen", ColumnType::integer(TypeKind::Int, true), false),
    ]);
    for (name, description, collation, length) in [
        ("ascii", "US ASCII", "ascii_general_ci", 1),
        ("binary", "Binary pseudo charset", "binary", 1),
        ("latin1", "cp1252 West European", "latin1_swedish_ci", 1),
        ("utf8mb3", "UTF-8 Unicode", "utf8mb3_general_ci", 3),
        ("utf8mb4", "UTF-8 Unicode", "utf8mb4_0900_ai_ci", 4),
    ] {
        let row =
            vec![Value::text(name), Value::text(description), Value::text(collation), Value::UInt(length)];
        table.rows.push(row);
    }
    table
}

/// SHOW COLLATION: the collations of columns.
pub(crate) fn collation() -> ShowTable {
    let mut table = ShowTable::new(&[
        ("Collation", text(64), false),
        ("Charset", text(64), false),
        ("Id", NUMBER, false),
        ("Default", text(3), false),
        ("Compiled", text(3), false),
        ("Sortlen", ColumnType::integer(TypeKind::Int, true), false),
        ("Pad_attribute", text(9), false),
    ]);
    for row in collation_rows() {
        table.rows.push(row.to_vec());
    }
    table
}

/// Name, character set, id, whether it is its set's default, compiled, sort length, pad attribute: by name, as MySQL lists them.
pub(crate) fn collation_rows() -> Vec<[Value; 7]> {
    let row = |collation: Collation| {
        let default = Collation::default_of(collation.char_set()) == collation;
        let weights = match collation {
            Collation::UTF8MB4_0900_AI_CI => 0,
            Collation::UTF8MB4_UNICODE_CI | Collation::UTF8MB3_UNICODE_CI => 8,
            _ => 1,
        };
        [
            Value::text(collation.name()),
            Value::text(collation.charset()),
            Value::UInt(u64::from(collation.id())),
            Value::text(if default { "Yes" } else { "" }),
            Value::text("Yes"),
            Value::UInt(weights),
            Value::text(if collation.pads_space() { "PAD SPACE" } else { "NO PAD" }),
        ]
    };
    Collation::ALL.into_iter().map(row).collect()
}

/// SHOW PLUGINS
pub(crate) fn plugins() -> ShowTable {
    let mut table = ShowTable::new(&[
        ("Name", text(64), false),
        ("Status", text(10), false),
        ("Type", text(80), false),
        ("Library", text(64), true),
        ("License", text(80), false),
    ]);
    for (name, kind) in [
        ("caching_sha2_password", "AUTHENTICATION"),
        ("mysql_native_password", "AUTHENTICATION"),
        ("InnoDB", "STORAGE ENGINE"),
    ] {
        let cells = [name, "ACTIVE", kind].map(Value::text);
        table.rows.push(cells.into_iter().chain([Value::Null, Value::text("Apache-2.0")]).collect());
    }
    table
}

/// SHOW PRIVILEGES: all or nothing.
pub(crate) fn privileges() -> ShowTable {
    let mut table = ShowTable::texts(&[("Privilege", 64), ("Context", 64), ("Comment", 128)]);
    for (name, context, comment) in PRIVILEGES {
        table.push_texts(&[name, context, comment]);
    }
    for name in crate::account::privilege::DYNAMIC {
        table.push_texts(&[name, "Server Admin", ""]);
    }
    table
}

/// The static privileges as MySQL 9.7 lists them.
const PRIVILEGES: &[(&str, &str, &str)] = &[
    ("Alter", "Tables", "To alter the table"),
    ("Alter routine", "Functions,Procedures", "To alter or drop stored functions/procedures"),
    ("Create", "Databases,Tables,Indexes", "To create new databases and tables"),
    ("Create routine", "Databases", "To use CREATE FUNCTION/PROCEDURE"),
    ("Create role", "Server Admin", "To create new roles"),
    ("Create temporary tables", "Databases", "To use CREATE TEMPORARY TABLE"),
    ("Create view", "Tables", "To create new views"),
    ("Create user", "Server Admin", "To create new users"),
    ("Delete", "Tables", "To delete existing rows"),
    ("Drop", "Databases,Tables", "To drop databases, tables, and views"),
    ("Drop role", "Server Admin", "To drop roles"),
    ("Event", "Server Admin", "To create, alter, drop and execute events"),
    ("Execute", "Functions,Procedures", "To execute stored routines"),
    ("File", "File access on server", "To read and write files on the server"),
    (
        "Grant option",
        "Databases,Tables,Functions,Procedures",
        "To give to other users those privileges you possess",
    ),
    ("Index", "Tables", "To create or drop indexes"),
    ("Insert", "Tables", "To insert data into tables"),
    ("Lock tables", "Databases", "To use LOCK TABLES (together with SELECT privilege)"),
    ("Process", "Server Admin", "To view the plain text of currently executing queries"),
    ("Proxy", "Server Admin", "To make proxy user possible"),
    ("References", "Databases,Tables", "To have references on tables"),
    ("Reload", "Server Admin", "To reload or refresh tables, logs and privileges"),
    ("Replication client", "Server Admin", "To ask where the slave or master servers are"),
    ("Replication slave", "Server Admin", "To read binary log events from the master"),
    ("Select", "Tables", "To retrieve rows from table"),
    ("Show databases", "Server Admin", "To see all databases with SHOW DATABASES"),
    ("Show view", "Tables", "To see views with SHOW CREATE VIEW"),
    ("Shutdown", "Server Admin", "To shut down the server"),
    ("Super", "Server Admin", "To use KILL thread, SET GLOBAL, CHANGE REPLICATION SOURCE, etc."),
    ("Trigger", "Tables", "To use triggers"),
    ("Create tablespace", "Server Admin", "To create/alter/drop tablespaces"),
    ("Update", "Tables", "To update existing rows"),
    ("Usage", "Server Admin", "No privileges - allow connect only"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Process, VirtualTable};
    use std::sync::Arc;

    struct Two;

    impl Host for Two {
        fn processes(&self) -> Vec<Process> {
            let one = |id: u64, user: &str, info: Option<String>| Process {
                id,
                user: user.into(),
                host: "localhost:1".into(),
                schema: None,
                command: "Query".into(),
                time_s: 3,
                state: "executing".into(),
                info,
            };
            vec![one(1, "root", Some("x".repeat(150))), one(2, "ann", None)]
        }
        fn kill(&self, _: u64, _: bool) -> bool {
            false
        }
        fn status(&self) -> Vec<(String, String)> {
            vec![("Uptime".into(), "7".into()), ("Questions".into(), "2".into())]
        }
        fn variables(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>> {
            Vec::new()
        }
        fn password_hash(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }

    #[test]
    fn statements_are_cut_without_full_and_others_are_hidden() {
        let info = |table: &ShowTable| table.rows[0][7].as_bytes().map(<[u8]>::len);
        assert_eq!(info(&processlist(&Two, false, None)), Some(100));
        assert_eq!(info(&processlist(&Two, true, None)), Some(150));
        let mine = processlist(&Two, true, Some("ann"));
        assert_eq!((mine.rows.len(), info(&mine)), (1, None));
    }

    #[test]
    fn every_row_has_every_column() {
        let more = vec![("Com_select".to_string(), "1".to_string()), ("Uptime".to_string(), "7".to_string())];
        let all = status(&Two, more);
        let names: Vec<_> = all.rows.iter().map(|row| row[0].as_bytes().unwrap().to_vec()).collect();
        assert_eq!(names, [&b"Com_select"[..], b"Questions", b"Uptime"]);
        for table in
            [all, processlist(&Two, true, None), engines(), charset(), collation(), plugins(), privileges()]
        {
            assert!(!table.rows.is_empty() && table.rows.iter().all(|row| row.len() == table.columns.len()));
        }
    }
}
