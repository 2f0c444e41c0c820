//! SHOW of schemas, tables, columns and indexes, out of the dictionary's definitions.

use super::text::{column_default, extra, key_kind, quoted_type, shown_order};
use super::{Odd, ShowTable};
use crate::session::context::Context;
use engine::{SchemaDef, TableDef};
use std::sync::Arc;
use values::{Collation, ColumnType, TypeKind, Value};

const COLUMNS: &[Odd] = &[
    ("", 253, 256, 0),
    ("columns", 252, 67_108_860, 0x1091),
    ("", 253, 12, 1),
    ("columns", 254, 12, 0x1181),
    ("columns", 252, 262_140, 0x90),
    ("", 253, 1024, 0),
];
const FULL_COLUMNS: &[Odd] = &[
    ("", 253, 256, 0),
    ("columns", 252, 67_108_860, 0x1091),
    ("", 253, 256, 0),
    ("", 253, 12, 1),
    ("columns", 254, 12, 0x1181),
    ("columns", 252, 262_140, 0x90),
    ("", 253, 1024, 0),
    ("", 253, 616, 0),
    ("", 252, 24_576, 0x91),
];
const INDEXES: &[Odd] = &[
    ("tables", 253, 256, 0x1081),
    ("", 3, 2, 1),
    ("", 253, 256, 0),
    ("index_column_usage", 3, 10, 0x1021),
    ("", 253, 256, 0),
    ("", 253, 4, 0),
    ("", 8, 21, 0),
    ("", 8, 21, 0),
    ("", 6, 0, 0x80),
    ("", 253, 12, 1),
    ("", 253, 44, 0x81),
    ("", 253, 32, 1),
    ("indexes", 253, 8192, 0x1081),
    ("", 253, 12, 1),
    ("", 252, u32::MAX, 0x90),
];
const STATUS: &[Odd] = &[
    ("tables", 253, 256, 0x1081),
    ("", 253, 256, 0),
    ("", 3, 3, 0),
    ("tables", 254, 40, 0x180),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("", 8, 21, 0x20),
    ("tables", 7, 19, 0x1081),
    ("", 12, 19, 0x80),
    ("", 12, 19, 0x80),
    ("collations", 253, 256, 0x1000),
    ("", 8, 21, 0),
    ("", 253, 1024, 0),
    ("", 252, 24_576, 0x10),
];

fn text(n: u32) -> ColumnType {
    ColumnType::varchar(n, Collation::DEFAULT)
}

fn big() -> ColumnType {
    ColumnType::integer(TypeKind::BigInt, true)
}

/// SHOW DATABASES: the column is named after the pattern.
pub(crate) fn databases(schemas: &[Arc<SchemaDef>], pattern: Option<&[u8]>) -> ShowTable {
    let title = match pattern {
        Some(pattern) => format!("Database ({})", String::from_utf8_lossy(pattern)),
        None => "Database".to_owned(),
    };
    let mut out = ShowTable::texts(&[(title.as_str(), 64)]).like_mysql(
        "",
        "SCHEMATA",
        &[("schemata", 253, 256, 0x1081)],
    );
    let mut names: Vec<&str> = schemas.iter().map(|s| s.name.as_str()).collect();
    names.push(crate::exec::virtual_rows::SCHEMA);
    names.sort_unstable();
    names.iter().for_each(|name| out.push_texts(&[name]));
    out
}

/// SHOW TABLES: the column is named after the schema (and the pattern).
pub(crate) fn tables(
    schema: &str,
    names: &[(String, &str)],
    full: bool,
    pattern: Option<&[u8]>,
) -> ShowTable {
    let title = match pattern {
        Some(pattern) => format!("Tables_in_{schema} ({})", String::from_utf8_lossy(pattern)),
        None => format!("Tables_in_{schema}"),
    };
    let mut columns = vec![(title.as_str(), 64)];
    if full {
        columns.push(("Table_type", 11));
    }
    const ODD: &[Odd] = &[("tables", 253, 256, 0x1081), ("tables", 254, 44, 0x1181)];
    let mut out = ShowTable::texts(&columns).like_mysql("", "TABLES", ODD);
    for (name, kind) in names {
        if full { out.push_texts(&[name, kind]) } else { out.push_texts(&[name]) }
    }
    out
}

/// SHOW [FULL] COLUMNS and DESCRIBE.
pub(crate) fn columns(table: &TableDef, full: bool, context: &Context) -> ShowTable {
    let plain = [
        ("Field", text(64), true),
        ("Type", ColumnType::text(TypeKind::MediumText, Collation::DEFAULT), false),
        ("Null", text(3), false),
        ("Key", text(3), false),
        ("Default", ColumnType::text(TypeKind::LongText, Collation::DEFAULT), true),
        ("Extra", text(256), true),
    ];
    let mut heads: Vec<(&str, ColumnType, bool)> = plain.to_vec();
    if full {
        heads.insert(2, ("Collation", text(64), true));
        heads.push(("Privileges", text(154), true));
        heads.push(("Comment", ColumnType::text(TypeKind::Text, Collation::DEFAULT), false));
    }
    let mut out = ShowTable::new(&heads).like_mysql("", "COLUMNS", if full { FULL_COLUMNS } else { COLUMNS });
    for (i, column) in table.columns.iter().enumerate() {
        let default = column_default(column, context).map_or(Value::Null, |d| Value::text(&d));
        let mut row = vec![
            Value::text(&column.name),
            Value::text(&quoted_type(column)),
            Value::text(if column.nullable { "YES" } else { "NO" }),
            Value::text(key_kind(table, i)),
            default,
            Value::text(&extra(column)),
        ];
        if full {
            let collation = if column.ty.is_character() || column.ty.is_choice() {
                Value::text(column.ty.collation.name())
            } else {
                Value::Null
            };
            row.insert(2, collation);
            row.push(Value::text("select,insert,update,references"));
            row.push(Value::text(&column.comment));
        }
        out.rows.push(row);
    }
    out
}

/// SHOW INDEX.
pub(crate) fn indexes(table: &TableDef, rows: u64) -> ShowTable {
    let mut out = ShowTable::new(&[
        ("Table", text(64), false),
        ("Non_unique", ColumnType::integer(TypeKind::Int, false), false),
        ("Key_name", text(64), true),
        ("Seq_in_index", ColumnType::integer(TypeKind::Int, true), false),
        ("Column_name", text(64), true),
        ("Collation", text(1), true),
        ("Cardinality", ColumnType::integer(TypeKind::BigInt, false), true),
        ("Sub_part", ColumnType::integer(TypeKind::BigInt, false), true),
        ("Packed", ColumnType::binary(TypeKind::VarBinary, 0), true),
        ("Null", text(3), false),
        ("Index_type", text(11), false),
        ("Comment", text(8), false),
        ("Index_comment", text(2048), false),
        ("Visible", text(3), false),
        ("Expression", ColumnType::text(TypeKind::LongText, Collation::DEFAULT), true),
    ])
    .like_mysql("", "SHOW_STATISTICS", INDEXES);
    for index in shown_order(table) {
        for (i, part) in index.parts.iter().enumerate() {
            let column = &table.columns[part.column];
            out.rows.push(vec![
                Value::text(&table.name),
                Value::Int(i64::from(!index.unique)),
                Value::text(&index.name),
                Value::UInt(i as u64 + 1),
                Value::text(&column.name),
                Value::text(if part.descending { "D" } else { "A" }),
                Value::Int(rows as i64),
                part.prefix_chars.map_or(Value::Null, |n| Value::Int(i64::from(n))),
                Value::Null,
                Value::text(if column.nullable { "YES" } else { "" }),
                Value::text("BTREE"),
                Value::text(""),
                Value::text(&index.comment),
                Value::text("YES"),
                Value::Null,
            ]);
        }
    }
    out
}

/// SHOW TABLE STATUS: (definition, about so many rows, next AUTO_INCREMENT); of views name and time.
pub(crate) fn table_status(
    tables: &[(Arc<TableDef>, u64, Option<u64>)],
    views: Vec<(String, Value)>,
) -> ShowTable {
    let moment = ColumnType::temporal(TypeKind::DateTime, 0);
    let mut out = ShowTable::new(&[
        ("Name", text(64), false),
        ("Engine", text(64), true),
        ("Version", ColumnType::integer(TypeKind::Int, false), true),
        ("Row_format", text(10), true),
        ("Rows", big(), true),
        ("Avg_row_length", big(), true),
        ("Data_length", big(), true),
        ("Max_data_length", big(), true),
        ("Index_length", big(), true),
        ("Data_free", big(), true),
        ("Auto_increment", big(), true),
        ("Create_time", moment, true),
        ("Update_time", moment, true),
        ("Check_time", moment, true),
        ("Collation", text(64), true),
        ("Checksum", ColumnType::integer(TypeKind::BigInt, false), true),
        ("Create_options", text(256), true),
        ("Comment", ColumnType::text(TypeKind::Text, Collation::DEFAULT), true),
    ])
    .like_mysql("", "TABLES", STATUS);
    for (table, rows, auto) in tables {
        let zero = || Value::UInt(0);
        out.rows.push(vec![
            Value::text(&table.name),
            Value::text("InnoDB"),
            Value::Int(10),
            Value::text("Dynamic"),
            Value::UInt(*rows),
            zero(),
            zero(),
            zero(),
            zero(),
            zero(),
            auto.map_or(Value::Null, Value::UInt),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::text(crate::exec::ddl::option_collation(&table.options).name()),
            Value::Null,
            Value::text(""),
            Value::text(&table.comment),
        ]);
    }
    for (name, made) in views {
        let mut row = vec![Value::text(&name)];
        row.resize(11, Value::Null);
        row.push(made);
        row.resize(17, Value::Null);
        row.push(Value::text("VIEW"));
        out.rows.push(row);
    }
    let name = |row: &Vec<Value>| row[0].as_bytes().map(<[u8]>::to_vec);
    out.rows.sort_by_key(name);
    out
}
