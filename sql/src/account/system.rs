//! `mysql.user` and its kin: the accounts as tables to read, with MySQL's columns. Account statements are the only way to write them.
//!
//! ENUM('N','Y') columns are VARCHAR(1) here.

use super::Store;
use super::privilege::Privileges;
use super::record::{Lifetime, Record};
use crate::api::VirtualTable;
use crate::ast::UserName;
use engine::Dictionary;
use protocol::env::BoxFuture;
use std::sync::Arc;
use values::{Collation, ColumnType, Timestamp, TypeKind, Value};

const BIN: Collation = Collation::UTF8MB4_BIN;
const HOST: ColumnType = ColumnType::varchar(255, BIN);
const USER: ColumnType = ColumnType::varchar(32, BIN);
const NAME: ColumnType = ColumnType::varchar(64, BIN);
const FLAG: ColumnType = ColumnType::varchar(1, BIN);
const TEXT: ColumnType = ColumnType::varchar(4096, BIN);
const NUMBER: ColumnType = ColumnType::integer(TypeKind::Int, true);

type Columns = Vec<(&'static str, ColumnType, bool)>;
type Accounts = Vec<(UserName, Record)>;
type Rows = fn(&Accounts) -> Vec<Vec<Value>>;

/// Columns of privileges, in the order of mysql.user.
const USER_FLAGS: [(&str, Privileges); 29] = [
    ("Select_priv", Privileges::SELECT),
    ("Insert_priv", Privileges::INSERT),
    ("Update_priv", Privileges::UPDATE),
    ("Delete_priv", Privileges::DELETE),
    ("Create_priv", Privileges::CREATE),
    ("Drop_priv", Privileges::DROP),
    ("Reload_priv", Privileges::RELOAD),
    ("Shutdown_priv", Privileges::SHUTDOWN),
    ("Process_priv", Privileges::PROCESS),
    ("File_priv", Privileges::FILE),
    ("Grant_priv", Privileges::GRANT_OPTION),
    ("References_priv", Privileges::REFERENCES),
    ("Index_priv", Privileges::INDEX),
    ("Alter_priv", Privileges::ALTER),
    ("Show_db_priv", Privileges::SHOW_DATABASES),
    ("Super_priv", Privileges::SUPER),
    ("Create_tmp_table_priv", Privileges::CREATE_TEMPORARY),
    ("Lock_tables_priv", Privileges::LOCK_TABLES),
    ("Execute_priv", Privileges::EXECUTE),
    ("Repl_slave_priv", Privileges::REPLICATION_SLAVE),
    ("Repl_client_priv", Privileges::REPLICATION_CLIENT),
    ("Create_view_priv", Privileges::CREATE_VIEW),
    ("Show_view_priv", Privileges::SHOW_VIEW),
    ("Create_routine_priv", Privileges::CREATE_ROUTINE),
    ("Alter_routine_priv", Privileges::ALTER_ROUTINE),
    ("Create_user_priv", Privileges::CREATE_USER),
    ("Event_priv", Privileges::EVENT),
    ("Trigger_priv", Privileges::TRIGGER),
    ("Create_tablespace_priv", Privileges::CREATE_TABLESPACE),
];

/// The same of mysql.db.
const SCHEMA_FLAGS: [(&str, Privileges); 19] = [
    ("Select_priv", Privileges::SELECT),
    ("Insert_priv", Privileges::INSERT),
    ("Update_priv", Privileges::UPDATE),
    ("Delete_priv", Privileges::DELETE),
    ("Create_priv", Privileges::CREATE),
    ("Drop_priv", Privileges::DROP),
    ("Grant_priv", Privileges::GRANT_OPTION),
    ("References_priv", Privileges::REFERENCES),
    ("Index_priv", Privileges::INDEX),
    ("Alter_priv", Privileges::ALTER),
    ("Create_tmp_table_priv", Privileges::CREATE_TEMPORARY),
    ("Lock_tables_priv", Privileges::LOCK_TABLES),
    ("Create_view_priv", Privileges::CREATE_VIEW),
    ("Show_view_priv", Privileges::SHOW_VIEW),
    ("Create_routine_priv", Privileges::CREATE_ROUTINE),
    ("Alter_routine_priv", Privileges::ALTER_ROUTINE),
    ("Execute_priv", Privileges::EXECUTE),
    ("Event_priv", Privileges::EVENT),
    ("Trigger_priv", Privileges::TRIGGER),
];

/// Members of tables_priv.Table_priv, which is a SET.
const TABLE_WORDS: [(&str, Privileges); 13] = [
    ("Select", Privileges::SELECT),
    ("Insert", Privileges::INSERT),
    ("Update", Privileges::UPDATE),
    ("Delete", Privileges::DELETE),
    ("Create", Privileges::CREATE),
    ("Drop", Privileges::DROP),
    ("Grant", Privileges::GRANT_OPTION),
    ("References", Privileges::REFERENCES),
    ("Index", Privileges::INDEX),
    ("Alter", Privileges::ALTER),
    ("Create View", Privileges::CREATE_VIEW),
    ("Show view", Privileges::SHOW_VIEW),
    ("Trigger", Privileges::TRIGGER),
];

/// One of the tables.
pub(crate) struct SystemTable {
    name: &'static str,
    columns: Columns,
    rows: Rows,
    dictionary: Dictionary,
}

/// The schema of these tables.
pub(crate) const SCHEMA: &str = "mysql";

/// The table of this name.
pub(crate) fn table(dictionary: Dictionary, name: &str) -> Option<Arc<dyn VirtualTable>> {
    let (name, columns, rows): (_, Columns, Rows) = match name.to_ascii_lowercase().as_str() {
        "user" => ("user", user_columns(), user_rows),
        "db" => ("db", schema_columns(), schema_rows),
        "tables_priv" => {
            let list =
                vec![("Host", HOST), ("Db", NAME), ("User", USER), ("Table_name", NAME), ("Grantor", TEXT)];
            ("tables_priv", all_given(list, &[("Table_priv", TEXT), ("Column_priv", TEXT)]), table_rows)
        }
        "global_grants" => {
            let list = vec![("USER", USER), ("HOST", HOST), ("PRIV", USER), ("WITH_GRANT_OPTION", FLAG)];
            ("global_grants", all_given(list, &[]), dynamic_rows)
        }
        "role_edges" => {
            let list = vec![("FROM_HOST", HOST), ("FROM_USER", USER), ("TO_HOST", HOST), ("TO_USER", USER)];
            ("role_edges", all_given(list, &[("WITH_ADMIN_OPTION", FLAG)]), edge_rows)
        }
        "default_roles" => {
            let list = vec![
                ("HOST", HOST),
                ("USER", USER),
                ("DEFAULT_ROLE_HOST", HOST),
                ("DEFAULT_ROLE_USER", USER),
            ];
            ("default_roles", all_given(list, &[]), default_rows)
        }
        _ => return None,
    };
    Some(Arc::new(SystemTable { name, columns, rows, dictionary }))
}

fn all_given(mut list: Vec<(&'static str, ColumnType)>, more: &[(&'static str, ColumnType)]) -> Columns {
    list.extend_from_slice(more);
    list.into_iter().map(|(name, ty)| (name, ty, false)).collect()
}

impl VirtualTable for SystemTable {
    fn name(&self) -> &str {
        self.name
    }

    fn columns(&self) -> &[(&'static str, ColumnType, bool)] {
        &self.columns
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        Box::pin(async {
            // A record that cannot be read is left out: the table must show the others.
            let all = Store::all(&self.dictionary).await.unwrap_or_default();
            let read = |(user, host, bytes): (String, String, Vec<u8>)| {
                Some((UserName { user, host }, Record::decode(&bytes).ok()?))
            };
            let mut accounts: Accounts = all.into_iter().filter_map(read).collect();
            // The order of the primary key: host, user.
            accounts.sort_by(|(a, _), (b, _)| (&a.host, &a.user).cmp(&(&b.host, &b.user)));
            (self.rows)(&accounts)
        })
    }
}

fn flag(on: bool) -> Value {
    Value::text(if on { "Y" } else { "N" })
}

fn user_columns() -> Columns {
    let mut columns = vec![("Host", HOST, false), ("User", USER, false)];
    columns.extend(USER_FLAGS.iter().map(|(name, _)| (*name, FLAG, false)));
    columns.push(("ssl_type", ColumnType::varchar(9, BIN), false));
    columns.extend(["ssl_cipher", "x509_issuer", "x509_subject"].map(|name| (name, TEXT, false)));
    let limits = ["max_questions", "max_updates", "max_connections", "max_user_connections"];
    columns.extend(limits.map(|name| (name, NUMBER, false)));
    columns.extend([
        ("plugin", NAME, false),
        ("authentication_string", TEXT, true),
        ("password_expired", FLAG, false),
        ("password_last_changed", ColumnType::temporal(TypeKind::Timestamp, 0), true),
        ("password_lifetime", ColumnType::integer(TypeKind::SmallInt, true), true),
        ("account_locked", FLAG, false),
        ("Create_role_priv", FLAG, false),
        ("Drop_role_priv", FLAG, false),
        ("Password_reuse_history", ColumnType::integer(TypeKind::SmallInt, true), true),
        ("Password_reuse_time", ColumnType::integer(TypeKind::SmallInt, true), true),
        ("Password_require_current", FLAG, true),
        ("User_attributes", TEXT, true),
    ]);
    columns
}

fn user_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let row = |(name, record): &(UserName, Record)| {
        let mut row = vec![Value::text(&name.host), Value::text(&name.user)];
        row.extend(USER_FLAGS.iter().map(|(_, bit)| flag(record.global.has(*bit))));
        row.push(Value::text(if record.needs_tls { "ANY" } else { "" }));
        row.extend((0..3).map(|_| Value::text("")));
        row.extend((0..4).map(|_| Value::UInt(0)));
        let set = i64::try_from(record.password_set).unwrap_or(0).saturating_mul(1_000_000);
        row.extend([
            Value::text(&record.plugin),
            Value::text(&String::from_utf8_lossy(&record.hash)),
            flag(record.expired),
            Timestamp::new(set).filter(|_| set > 0).map_or(Value::Null, Value::Timestamp),
            match record.lifetime {
                Lifetime::Default => Value::Null,
                Lifetime::Never => Value::UInt(0),
                Lifetime::Days(days) => Value::UInt(days.into()),
            },
            flag(record.locked),
            flag(record.global.has(Privileges::CREATE_ROLE)),
            flag(record.global.has(Privileges::DROP_ROLE)),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
        row
    };
    accounts.iter().map(row).collect()
}

fn schema_columns() -> Columns {
    let mut columns = vec![("Host", HOST, false), ("Db", NAME, false), ("User", USER, false)];
    columns.extend(SCHEMA_FLAGS.iter().map(|(name, _)| (*name, FLAG, false)));
    columns
}

fn schema_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (name, record) in accounts {
        for (schema, held) in &record.schemas {
            let mut row = vec![Value::text(&name.host), Value::text(schema), Value::text(&name.user)];
            row.extend(SCHEMA_FLAGS.iter().map(|(_, bit)| flag(held.has(*bit))));
            rows.push(row);
        }
    }
    rows
}

fn table_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (name, record) in accounts {
        for ((schema, table), held) in &record.tables {
            let words: Vec<_> =
                TABLE_WORDS.iter().filter(|(_, bit)| held.has(*bit)).map(|(word, _)| *word).collect();
            rows.push(vec![
                Value::text(&name.host),
                Value::text(schema),
                Value::text(&name.user),
                Value::text(table),
                Value::text(""),
                Value::text(&words.join(",")),
                Value::text(""),
            ]);
        }
    }
    rows
}

fn dynamic_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (name, record) in accounts {
        for (privilege, option) in &record.dynamic {
            let (user, host) = (Value::text(&name.user), Value::text(&name.host));
            rows.push(vec![user, host, Value::text(privilege), flag(*option)]);
        }
    }
    rows
}

fn edge_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (name, record) in accounts {
        for (role, admin) in &record.roles {
            let (from, to) = (two(role), two(name));
            rows.push(from.into_iter().chain(to).chain([flag(*admin)]).collect());
        }
    }
    rows
}

fn default_rows(accounts: &Accounts) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for (name, record) in accounts {
        rows.extend(record.default_roles.iter().map(|role| two(name).into_iter().chain(two(role)).collect()));
    }
    rows
}

fn two(name: &UserName) -> [Value; 2] {
    [Value::text(&name.host), Value::text(&name.user)]
}
