//! information_schema: the dictionary as tables to read, with MySQL's columns in MySQL's order.
//!
//! Rows are made when a query reads them. A session sees the schemas that its account may use.

mod more;
mod views;

use crate::api::VirtualTable;
use crate::exec::ddl::{default_text_utc, option_collation};
use crate::session::Server;
use crate::show::text::{extra, key_kind, quoted_type};
use engine::{ColumnDef, ColumnDefault, ForeignKey, IndexDef, TableDef};
use protocol::env::BoxFuture;
use std::sync::Arc;
use values::{Collation, ColumnType, TypeKind, Value};
use views::{view_as_table, view_row, views};

/// The schema's name.
pub(crate) const SCHEMA: &str = "information_schema";

type Column = (&'static str, ColumnType, bool);

const fn text(name: &'static str, chars: u32, nullable: bool) -> Column {
    (name, ColumnType::varchar(chars, Collation::DEFAULT), nullable)
}

const fn long(name: &'static str, nullable: bool) -> Column {
    (name, ColumnType::text(TypeKind::LongText, Collation::DEFAULT), nullable)
}

const fn number(name: &'static str, kind: TypeKind, unsigned: bool, nullable: bool) -> Column {
    (name, ColumnType::integer(kind, unsigned), nullable)
}

const fn moment(name: &'static str) -> Column {
    (name, ColumnType::temporal(TypeKind::DateTime, 0), true)
}

const SCHEMATA: &[Column] = &[
    text("CATALOG_NAME", 64, false),
    text("SCHEMA_NAME", 64, false),
    text("DEFAULT_CHARACTER_SET_NAME", 64, false),
    text("DEFAULT_COLLATION_NAME", 64, false),
    ("SQL_PATH", ColumnType::binary(TypeKind::VarBinary, 0), true),
    text("DEFAULT_ENCRYPTION", 3, false),
];

const TABLES: &[Column] = &[
    text("TABLE_CATALOG", 64, false),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    text("TABLE_TYPE", 11, false),
    text("ENGINE", 64, true),
    number("VERSION", TypeKind::Int, false, true),
    text("ROW_FORMAT", 10, true),
    number("TABLE_ROWS", TypeKind::BigInt, true, true),
    number("AVG_ROW_LENGTH", TypeKind::BigInt, true, true),
    number("DATA_LENGTH", TypeKind::BigInt, true, true),
    number("MAX_DATA_LENGTH", TypeKind::BigInt, true, true),
    number("INDEX_LENGTH", TypeKind::BigInt, true, true),
    number("DATA_FREE", TypeKind::BigInt, true, true),
    number("AUTO_INCREMENT", TypeKind::BigInt, true, true),
    moment("CREATE_TIME"),
    moment("UPDATE_TIME"),
    moment("CHECK_TIME"),
    text("TABLE_COLLATION", 64, true),
    number("CHECKSUM", TypeKind::BigInt, false, true),
    text("CREATE_OPTIONS", 256, true),
    ("TABLE_COMMENT", ColumnType::text(TypeKind::Text, Collation::DEFAULT), true),
];

const COLUMNS: &[Column] = &[
    text("TABLE_CATALOG", 64, false),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    text("COLUMN_NAME", 64, true),
    number("ORDINAL_POSITION", TypeKind::Int, true, false),
    long("COLUMN_DEFAULT", true),
    text("IS_NULLABLE", 3, false),
    long("DATA_TYPE", true),
    number("CHARACTER_MAXIMUM_LENGTH", TypeKind::BigInt, false, true),
    number("CHARACTER_OCTET_LENGTH", TypeKind::BigInt, false, true),
    number("NUMERIC_PRECISION", TypeKind::BigInt, true, true),
    number("NUMERIC_SCALE", TypeKind::BigInt, true, true),
    number("DATETIME_PRECISION", TypeKind::Int, true, true),
    text("CHARACTER_SET_NAME", 64, true),
    text("COLLATION_NAME", 64, true),
    ("COLUMN_TYPE", ColumnType::text(TypeKind::MediumText, Collation::DEFAULT), false),
    text("COLUMN_KEY", 3, false),
    text("EXTRA", 256, true),
    text("PRIVILEGES", 154, true),
    ("COLUMN_COMMENT", ColumnType::text(TypeKind::Text, Collation::DEFAULT), false),
    long("GENERATION_EXPRESSION", false),
    number("SRS_ID", TypeKind::Int, true, true),
];

const STATISTICS: &[Column] = &[
    text("TABLE_CATALOG", 64, false),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    number("NON_UNIQUE", TypeKind::Int, false, false),
    text("INDEX_SCHEMA", 64, false),
    text("INDEX_NAME", 64, true),
    number("SEQ_IN_INDEX", TypeKind::Int, true, false),
    text("COLUMN_NAME", 64, true),
    text("COLLATION", 1, true),
    number("CARDINALITY", TypeKind::BigInt, false, true),
    number("SUB_PART", TypeKind::BigInt, false, true),
    ("PACKED", ColumnType::binary(TypeKind::VarBinary, 0), true),
    text("NULLABLE", 3, false),
    text("INDEX_TYPE", 11, false),
    text("COMMENT", 8, false),
    text("INDEX_COMMENT", 2048, false),
    text("IS_VISIBLE", 3, false),
    long("EXPRESSION", true),
];

const TABLE_CONSTRAINTS: &[Column] = &[
    text("CONSTRAINT_CATALOG", 64, false),
    text("CONSTRAINT_SCHEMA", 64, false),
    text("CONSTRAINT_NAME", 64, true),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    text("CONSTRAINT_TYPE", 11, false),
    text("ENFORCED", 3, false),
];

const KEY_COLUMN_USAGE: &[Column] = &[
    text("CONSTRAINT_CATALOG", 64, false),
    text("CONSTRAINT_SCHEMA", 64, false),
    text("CONSTRAINT_NAME", 64, true),
    text("TABLE_CATALOG", 64, false),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    text("COLUMN_NAME", 64, true),
    number("ORDINAL_POSITION", TypeKind::Int, true, false),
    number("POSITION_IN_UNIQUE_CONSTRAINT", TypeKind::Int, true, true),
    text("REFERENCED_TABLE_SCHEMA", 64, true),
    text("REFERENCED_TABLE_NAME", 64, true),
    text("REFERENCED_COLUMN_NAME", 64, true),
];

const REFERENTIAL_CONSTRAINTS: &[Column] = &[
    text("CONSTRAINT_CATALOG", 64, false),
    text("CONSTRAINT_SCHEMA", 64, false),
    text("CONSTRAINT_NAME", 64, true),
    text("UNIQUE_CONSTRAINT_CATALOG", 64, false),
    text("UNIQUE_CONSTRAINT_SCHEMA", 64, false),
    text("UNIQUE_CONSTRAINT_NAME", 64, true),
    text("MATCH_OPTION", 7, false),
    text("UPDATE_RULE", 11, false),
    text("DELETE_RULE", 11, false),
    text("TABLE_NAME", 64, false),
    text("REFERENCED_TABLE_NAME", 64, false),
];

const CHECK_CONSTRAINTS: &[Column] = &[
    text("CONSTRAINT_CATALOG", 64, false),
    text("CONSTRAINT_SCHEMA", 64, false),
    text("CONSTRAINT_NAME", 64, false),
    long("CHECK_CLAUSE", false),
];

const VIEWS: &[Column] = &[
    text("TABLE_CATALOG", 64, false),
    text("TABLE_SCHEMA", 64, false),
    text("TABLE_NAME", 64, false),
    long("VIEW_DEFINITION", true),
    text("CHECK_OPTION", 8, true),
    text("IS_UPDATABLE", 3, true),
    text("DEFINER", 288, true),
    text("SECURITY_TYPE", 7, true),
    text("CHARACTER_SET_CLIENT", 64, false),
    text("COLLATION_CONNECTION", 64, false),
];

/// The rows that one table contributes.
type RowsOf = fn(&TableDef, u64) -> Vec<Vec<Value>>;

/// What fills a table.
#[derive(Clone, Copy)]
enum Fill {
    Schemas,
    /// Their names alone.
    SchemaNames,
    Tables(RowsOf),
    Server(more::Rows),
    /// Foreign keys, with what their parents have.
    References,
    Views,
}

const ALL: &[(&str, &[Column], Fill)] = &[
    ("SCHEMATA", SCHEMATA, Fill::Schemas),
    ("TABLES", TABLES, Fill::Tables(table_rows)),
    ("COLUMNS", COLUMNS, Fill::Tables(column_rows)),
    ("STATISTICS", STATISTICS, Fill::Tables(statistics_rows)),
    ("TABLE_CONSTRAINTS", TABLE_CONSTRAINTS, Fill::Tables(constraint_rows)),
    ("KEY_COLUMN_USAGE", KEY_COLUMN_USAGE, Fill::Tables(key_column_rows)),
    ("REFERENTIAL_CONSTRAINTS", REFERENTIAL_CONSTRAINTS, Fill::References),
    ("CHECK_CONSTRAINTS", CHECK_CONSTRAINTS, Fill::Tables(check_rows)),
    ("VIEWS", VIEWS, Fill::Views),
];

/// A table of information_schema.
struct Information {
    server: Arc<Server>,
    name: &'static str,
    columns: &'static [Column],
    fill: Fill,
    seen: Seen,
}

/// What the session may see.
pub(crate) struct Seen {
    pub(crate) schemas: Vec<String>,
    /// The only user whose connections it sees.
    pub(crate) only: Option<String>,
}

/// The table of this name, in any case; `None` where there is none here.
pub(crate) fn table(server: &Arc<Server>, name: &str, seen: Seen) -> Option<Arc<dyn VirtualTable>> {
    let own = ALL.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name)).copied();
    let (name, columns, fill) = own.or_else(|| {
        let (name, columns) = more::columns(name)?;
        let fill = match name {
            "PARTITIONS" => Fill::Tables(partition_rows),
            "TABLES_EXTENSIONS" => Fill::Tables(|table, _| vec![extension(table, &[])]),
            "COLUMNS_EXTENSIONS" => Fill::Tables(|table, _| {
                table.columns.iter().map(|column| extension(table, &[&column.name])).collect()
            }),
            "TABLE_CONSTRAINTS_EXTENSIONS" => Fill::Tables(constraint_extensions),
            "SCHEMATA_EXTENSIONS" => Fill::SchemaNames,
            _ => Fill::Server(more::rows(name)),
        };
        Some((name, columns, fill))
    })?;
    let server = server.clone();
    Some(Arc::new(Information { server, name, columns, fill, seen }))
}

/// Catalog, schema, table, more names, and two attributes that are never set.
fn extension(table: &TableDef, more: &[&str]) -> Vec<Value> {
    let names = [CATALOG, &table.schema_name, &table.name];
    names.into_iter().chain(more.iter().copied()).map(Value::text).chain([Value::Null, Value::Null]).collect()
}

fn constraint_extensions(table: &TableDef, _: u64) -> Vec<Vec<Value>> {
    let row = |index: &IndexDef| {
        let names = [CATALOG, &table.schema_name, &index.name, &table.name];
        names.into_iter().map(Value::text).chain([Value::Null, Value::Null]).collect()
    };
    named(table).filter(|index| index.unique).map(row).collect()
}

/// A table that is in one part.
fn partition_rows(table: &TableDef, rows: u64) -> Vec<Vec<Value>> {
    let mut row = vec![Value::text(CATALOG), Value::text(&table.schema_name), Value::text(&table.name)];
    row.resize(13, Value::Null);
    row.push(Value::UInt(rows));
    row.resize(19, Value::UInt(0));
    row.resize(23, Value::Null);
    row.extend([Value::text(""), Value::text(""), Value::Null]);
    vec![row]
}

impl VirtualTable for Information {
    fn name(&self) -> &str {
        self.name
    }

    fn columns(&self) -> &[Column] {
        self.columns
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        Box::pin(async move {
            let engine = &self.server.engine;
            let dictionary = engine.dictionary();
            let mut out = Vec::new();
            if let Fill::Server(rows) = self.fill {
                return rows(&self.server, self.seen.only.as_deref());
            }
            for schema in &self.seen.schemas {
                // A schema that went away, or that cannot be read now, contributes nothing.
                match self.fill {
                    Fill::Server(_) => {}
                    Fill::SchemaNames => {
                        out.push([CATALOG, schema.as_str(), ""].into_iter().map(Value::text).collect());
                    }
                    Fill::Schemas => {
                        if let Ok(Some(def)) = dictionary.schema(schema).await {
                            out.push(schema_row(schema, option_collation(&def.options)));
                        }
                    }
                    Fill::References => {
                        for table in dictionary.tables(schema).await.unwrap_or_default() {
                            for fk in &table.foreign_keys {
                                let parent = dictionary.table(&fk.parent_schema, &fk.parent).await;
                                out.push(referential_row(&table, fk, parent.ok().flatten().as_deref()));
                            }
                        }
                    }
                    Fill::Tables(rows) => {
                        for table in dictionary.tables(schema).await.unwrap_or_default() {
                            out.extend(rows(&table, engine.row_estimate(&table)));
                        }
                        for (name, view) in views(&dictionary, schema).await {
                            match self.name {
                                "TABLES" => out.push(view_as_table(schema, &name)),
                                "COLUMNS" => {
                                    let table = view.definition(schema, &name);
                                    out.extend(table.iter().flat_map(|t| column_rows(t, 0)));
                                }
                                _ => {}
                            }
                        }
                    }
                    Fill::Views => {
                        for (name, view) in views(&dictionary, schema).await {
                            out.push(view_row(schema, &name, &view));
                        }
                    }
                }
            }
            out
        })
    }
}

const CATALOG: &str = "def";

fn maybe(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::text)
}

fn schema_row(name: &str, collation: Collation) -> Vec<Value> {
    vec![
        Value::text(CATALOG),
        Value::text(name),
        Value::text(collation.charset()),
        Value::text(collation.name()),
        Value::Null,
        Value::text("NO"),
    ]
}

fn table_rows(table: &TableDef, rows: u64) -> Vec<Vec<Value>> {
    let zero = || Value::UInt(0);
    vec![vec![
        Value::text(CATALOG),
        Value::text(&table.schema_name),
        Value::text(&table.name),
        Value::text("BASE TABLE"),
        Value::text("InnoDB"),
        Value::Int(10),
        Value::text("Dynamic"),
        Value::UInt(rows),
        zero(),
        zero(),
        zero(),
        zero(),
        zero(),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::text(option_collation(&table.options).name()),
        Value::Null,
        Value::text(""),
        Value::text(&table.comment),
    ]]
}

fn column_rows(table: &TableDef, _: u64) -> Vec<Vec<Value>> {
    let mut out = Vec::with_capacity(table.columns.len());
    for (i, column) in table.columns.iter().enumerate() {
        let ty = &column.ty;
        let whole = quoted_type(column);
        let word = whole.split(['(', ' ']).next().unwrap_or_default().to_owned();
        let string = ty.is_character() || ty.is_binary();
        let chars = if ty.is_lob() { ty.max_bytes() } else { u64::from(ty.length) };
        let octets = if ty.is_lob() { chars } else { chars * ty.collation.bytes_per_char() };
        let length = |n: u64| if string { Value::Int(n as i64) } else { Value::Null };
        let (precision, scale) = numeric(ty);
        let fraction = matches!(ty.kind, TypeKind::Time | TypeKind::DateTime | TypeKind::Timestamp);
        out.push(vec![
            Value::text(CATALOG),
            Value::text(&table.schema_name),
            Value::text(&table.name),
            Value::text(&column.name),
            Value::UInt(i as u64 + 1),
            maybe(default(column).as_deref()),
            Value::text(if column.nullable { "YES" } else { "NO" }),
            Value::text(&word),
            length(chars),
            length(octets),
            precision.map_or(Value::Null, Value::UInt),
            scale.map_or(Value::Null, Value::UInt),
            if fraction { Value::UInt(u64::from(ty.scale)) } else { Value::Null },
            if ty.is_character() { Value::text(ty.collation.charset()) } else { Value::Null },
            if ty.is_character() { Value::text(ty.collation.name()) } else { Value::Null },
            Value::text(&whole),
            Value::text(key_kind(table, i)),
            Value::text(&extra(column)),
            Value::text("select,insert,update,references"),
            Value::text(&column.comment),
            Value::text(
                &column.generated.as_ref().map_or_else(String::new, |g| crate::ast::print::escaped(&g.text)),
            ),
            Value::Null,
        ]);
    }
    out
}

fn default(column: &ColumnDef) -> Option<String> {
    match column.default.as_ref()? {
        ColumnDefault::Literal(value) => Some(default_text_utc(value, column)),
        ColumnDefault::CurrentTimestamp { fsp: 0 } => Some("CURRENT_TIMESTAMP".to_owned()),
        ColumnDefault::CurrentTimestamp { fsp } => Some(format!("CURRENT_TIMESTAMP({fsp})")),
        ColumnDefault::Expression(text) => Some(crate::ast::print::escaped(text)),
    }
}

/// NUMERIC_PRECISION and NUMERIC_SCALE.
fn numeric(ty: &ColumnType) -> (Option<u64>, Option<u64>) {
    use TypeKind::*;
    match ty.kind {
        TinyInt => (Some(3), Some(0)),
        SmallInt => (Some(5), Some(0)),
        MediumInt => (Some(7), Some(0)),
        Int => (Some(10), Some(0)),
        BigInt => (Some(if ty.unsigned { 20 } else { 19 }), Some(0)),
        Decimal => (Some(u64::from(ty.length)), Some(u64::from(ty.scale))),
        Float => (Some(12), None),
        Double => (Some(22), None),
        _ => (None, None),
    }
}

/// The indexes that have a name: not the hidden key.
fn named(table: &TableDef) -> impl Iterator<Item = &IndexDef> {
    table.indexes.iter().skip(usize::from(table.hidden_key()))
}

fn statistics_rows(table: &TableDef, rows: u64) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    for index in named(table) {
        for (i, part) in index.parts.iter().enumerate() {
            let column = &table.columns[part.column];
            out.push(vec![
                Value::text(CATALOG),
                Value::text(&table.schema_name),
                Value::text(&table.name),
                Value::Int(i64::from(!index.unique)),
                Value::text(&table.schema_name),
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

fn constraint_rows(table: &TableDef, _: u64) -> Vec<Vec<Value>> {
    let unique = named(table).filter(|index| index.unique);
    unique
        .map(|index| {
            let kind = if index.name == "PRIMARY" { "PRIMARY KEY" } else { "UNIQUE" };
            let cells =
                [CATALOG, &table.schema_name, &index.name, &table.schema_name, &table.name, kind, "YES"];
            cells.into_iter().map(Value::text).collect()
        })
        .chain(table.foreign_keys.iter().map(|fk| {
            let schema = &table.schema_name;
            let cells = [CATALOG, schema, &fk.name, schema, &table.name, "FOREIGN KEY", "YES"];
            cells.into_iter().map(Value::text).collect()
        }))
        .chain(table.checks.iter().map(|check| {
            let schema = &table.schema_name;
            let enforced = if check.enforced { "YES" } else { "NO" };
            let cells = [CATALOG, schema, &check.name, schema, &table.name, "CHECK", enforced];
            cells.into_iter().map(Value::text).collect()
        }))
        .collect()
}

fn check_rows(table: &TableDef, _: u64) -> Vec<Vec<Value>> {
    let row = |check: &engine::Check| {
        let text = crate::ast::print::escaped(&check.text);
        [CATALOG, &table.schema_name, &check.name, &text].into_iter().map(Value::text).collect()
    };
    table.checks.iter().map(row).collect()
}

fn referential_row(table: &TableDef, fk: &ForeignKey, parent: Option<&TableDef>) -> Vec<Value> {
    let key = parent.and_then(|p| fk.parent_index(p).map(|no| p.indexes[no].name.as_str()));
    let before = [CATALOG, &table.schema_name, &fk.name, CATALOG, &fk.parent_schema];
    let mut row: Vec<Value> = before.into_iter().map(Value::text).collect();
    row.push(key.map_or(Value::Null, Value::text));
    let after = ["NONE", fk.on_update.words(), fk.on_delete.words(), &table.name, &fk.parent];
    row.extend(after.into_iter().map(Value::text));
    row
}

fn key_column_rows(table: &TableDef, _: u64) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    for index in named(table).filter(|index| index.unique) {
        for (i, part) in index.parts.iter().enumerate() {
            let column = &table.columns[part.column].name;
            let cells =
                [CATALOG, &table.schema_name, &index.name, CATALOG, &table.schema_name, &table.name, column];
            let mut row: Vec<Value> = cells.into_iter().map(Value::text).collect();
            row.push(Value::UInt(i as u64 + 1));
            row.extend([Value::Null, Value::Null, Value::Null, Value::Null]);
            out.push(row);
        }
    }
    for fk in &table.foreign_keys {
        for (i, (column, theirs)) in fk.columns.iter().zip(&fk.parent_columns).enumerate() {
            let schema = &table.schema_name;
            let cells =
                [CATALOG, schema, &fk.name, CATALOG, schema, &table.name, &table.columns[*column].name];
            let mut row: Vec<Value> = cells.into_iter().map(Value::text).collect();
            row.extend([Value::UInt(i as u64 + 1), Value::UInt(i as u64 + 1)]);
            row.extend([&fk.parent_schema, &fk.parent, theirs].into_iter().map(|s| Value::text(s)));
            out.push(row);
        }
    }
    out
}
