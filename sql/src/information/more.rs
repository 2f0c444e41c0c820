//! The tables of information_schema whose columns are a list (`columns.txt`, read from MySQL 9.7): those about the server, and those about
//! what this server has none of (triggers, routines, events, tablespaces ...), which are empty for that reason.

use super::Column;
use crate::session::Server;
use crate::show::server;
use std::sync::LazyLock;
use values::{Collation, ColumnType, TypeKind, Value};

/// Rows that need no table; of connections only those of a user, if one is named.
pub(super) type Rows = fn(&Server, Option<&str>) -> Vec<Vec<Value>>;

/// A table: name, columns.
type Listed = (&'static str, Vec<Column>);

static LISTED: LazyLock<Vec<Listed>> = LazyLock::new(|| {
    let mut out: Vec<Listed> = Vec::new();
    for line in include_str!("columns.txt").lines() {
        match (line.strip_prefix("  "), out.last_mut()) {
            (Some(column), Some((_, columns))) => columns.push(read(column)),
            _ => out.push((line, Vec::new())),
        }
    }
    out
});

/// `NAME type [length] [unsigned] [not null]`
fn read(line: &'static str) -> Column {
    let (rest, nullable) = match line.strip_suffix(" not null") {
        Some(rest) => (rest, false),
        None => (line, true),
    };
    let mut words = rest.split(' ');
    let (name, kind, more) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next());
    let length = more.and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    let unsigned = more == Some("unsigned");
    let ty = match kind {
        "bigint" => ColumnType::integer(TypeKind::BigInt, unsigned),
        "int" => ColumnType::integer(TypeKind::Int, unsigned),
        "tinyint" => ColumnType::integer(TypeKind::TinyInt, unsigned),
        "double" => ColumnType::double(),
        "text" => ColumnType::text(TypeKind::Text, Collation::DEFAULT),
        "mediumtext" => ColumnType::text(TypeKind::MediumText, Collation::DEFAULT),
        "longtext" => ColumnType::text(TypeKind::LongText, Collation::DEFAULT),
        "json" => ColumnType::json(),
        "varbinary" => ColumnType::binary(TypeKind::VarBinary, length),
        "timestamp" => ColumnType::temporal(TypeKind::Timestamp, length as u8),
        "datetime" => ColumnType::temporal(TypeKind::DateTime, length as u8),
        _ => ColumnType::varchar(length, Collation::DEFAULT),
    };
    (name, ty, nullable)
}

/// The columns of a table of the list.
pub(super) fn columns(name: &str) -> Option<(&'static str, &'static [Column])> {
    let found = LISTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(name, columns)| (*name, columns.as_slice()))
}

/// Its rows, if it has any.
pub(super) fn rows(name: &str) -> Rows {
    match name {
        "CHARACTER_SETS" => character_sets,
        "COLLATIONS" => |_, _| server::collation_rows().into_iter().map(Vec::from).collect(),
        "COLLATION_CHARACTER_SET_APPLICABILITY" => {
            |_, _| server::collation_rows().into_iter().map(|row| row[..2].to_vec()).collect()
        }
        "ENGINES" => |_, _| server::engines().rows,
        "PLUGINS" => plugins,
        "PROCESSLIST" => processes,
        _ => |_, _| Vec::new(),
    }
}

/// SHOW CHARACTER SET has the description before the collation.
fn character_sets(_: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let mut rows = server::charset().rows;
    rows.iter_mut().for_each(|row| row.swap(1, 2));
    rows
}

fn plugins(_: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let row = |shown: Vec<Value>| {
        let text = Value::text;
        let [name, status, kind, library, license] = <[Value; 5]>::try_from(shown).unwrap_or_default();
        vec![
            name,
            text("1.0"),
            status,
            kind,
            text("1.0"),
            library,
            Value::Null,
            text("Sextant"),
            text(""),
            license,
            text("FORCE"),
        ]
    };
    server::plugins().rows.into_iter().map(row).collect()
}

fn processes(server: &Server, only: Option<&str>) -> Vec<Vec<Value>> {
    server::processlist(&*server.host, true, only).rows
}
