//! Definitions as text: SHOW CREATE TABLE and its parts, character for character as MySQL prints them.

use crate::exec::ddl::{default_text, option, option_collation};
use crate::session::context::Context;
use engine::{ColumnDef, ColumnDefault, ForeignKey, IndexDef, IndexPart, TableDef};
use std::fmt::Write as _;
use values::{Collation, TypeKind};

/// `` `name` ``, backquotes doubled.
pub(crate) fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `'text'`, quotes doubled and backslashes escaped.
pub(crate) fn quote_text(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n").replace('\0', "\\0");
    format!("'{escaped}'")
}

/// The type as DESCRIBE prints it.
pub(crate) fn quoted_type(column: &ColumnDef) -> String {
    column.ty.to_string()
}

/// PRI, UNI, MUL or nothing.
pub(crate) fn key_kind(table: &TableDef, position: usize) -> &'static str {
    let mut kind = "";
    for (no, index) in table.indexes.iter().enumerate() {
        let first = index.parts.first().is_some_and(|p| p.column == position);
        if no == 0 && !table.hidden_key() && index.parts.iter().any(|p| p.column == position) {
            return "PRI";
        }
        if first && kind != "UNI" {
            kind = if index.unique && index.parts.len() == 1 { "UNI" } else { "MUL" };
        }
    }
    kind
}

/// The default as DESCRIBE prints it.
pub(crate) fn column_default(column: &ColumnDef, context: &Context) -> Option<String> {
    match column.default.as_ref()? {
        ColumnDefault::Literal(value) => Some(default_text(value, column, context)),
        ColumnDefault::CurrentTimestamp { fsp } => Some(now_text(*fsp)),
        ColumnDefault::Expression(text) => Some(crate::ast::print::escaped(text)),
    }
}

fn now_text(fsp: u8) -> String {
    if fsp == 0 { "CURRENT_TIMESTAMP".to_owned() } else { format!("CURRENT_TIMESTAMP({fsp})") }
}

/// DESCRIBE's last column.
pub(crate) fn extra(column: &ColumnDef) -> String {
    let mut out = Vec::new();
    if column.auto_increment {
        out.push("auto_increment".to_owned());
    }
    if let Some(generated) = &column.generated {
        out.push(if generated.stored { "STORED GENERATED" } else { "VIRTUAL GENERATED" }.to_owned());
    }
    let made =
        matches!(column.default, Some(ColumnDefault::CurrentTimestamp { .. } | ColumnDefault::Expression(_)));
    if made {
        out.push("DEFAULT_GENERATED".to_owned());
    }
    if column.on_update_now {
        out.push(format!("on update {}", now_text(column.ty.scale)));
    }
    out.join(" ")
}

/// SHOW CREATE TABLE; `next` is the AUTO_INCREMENT counter.
pub(crate) fn create_table(table: &TableDef, next: Option<u64>, context: &Context) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|c| column_line(c, table, context)).collect();
    if !table.hidden_key() {
        lines.push(format!(
            "  PRIMARY KEY ({}){}",
            parts(table, &table.indexes[0].parts),
            comment(&table.indexes[0])
        ));
    }
    for index in shown_order(table).filter(|i| !std::ptr::eq(*i, &table.indexes[0])) {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let name = quote_name(&index.name);
        lines.push(format!("  {unique}KEY {name} ({}){}", parts(table, &index.parts), comment(index)));
    }
    let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    lines.extend(keys.into_iter().map(|fk| format!("  {}", fk.clause(table))));
    let mut checks: Vec<&engine::Check> = table.checks.iter().collect();
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    for check in checks {
        let enforced = if check.enforced { "" } else { " /*!80016 NOT ENFORCED */" };
        lines.push(format!("  CONSTRAINT {} CHECK ({}){enforced}", quote_name(&check.name), check.text));
    }
    let mut out =
        format!("CREATE TABLE {} (\n{}\n) ENGINE=InnoDB", quote_name(&table.name), lines.join(",\n"));
    if let Some(next) = next.filter(|n| *n > 1) {
        let _ = write!(out, " AUTO_INCREMENT={next}");
    }
    let collation = option_collation(&table.options);
    let _ = write!(out, " DEFAULT CHARSET={}", collation.charset());
    if is_told(collation) {
        let _ = write!(out, " COLLATE={}", collation.name());
    }
    if let Some(format) = option(&table.options, "row_format") {
        let _ = write!(out, " ROW_FORMAT={format}");
    }
    if !table.comment.is_empty() {
        let _ = write!(out, " COMMENT={}", quote_text(&table.comment));
    }
    out
}

/// MySQL names the collation where it is not its set's default, and utf8mb4's always (its default has changed once).
fn is_told(collation: Collation) -> bool {
    collation != Collation::default_of(collation.char_set()) || collation == Collation::DEFAULT
}

fn comment(index: &IndexDef) -> String {
    if index.comment.is_empty() { String::new() } else { format!(" COMMENT {}", quote_text(&index.comment)) }
}

fn parts(table: &TableDef, parts: &[IndexPart]) -> String {
    let part = |p: &IndexPart| {
        let mut out = quote_name(&table.columns[p.column].name);
        if let Some(n) = p.prefix_chars {
            let _ = write!(out, "({n})");
        }
        if p.descending {
            out.push_str(" DESC");
        }
        out
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

fn column_line(column: &ColumnDef, table: &TableDef, context: &Context) -> String {
    let ty = &column.ty;
    let mut out = format!("  {} {ty}", quote_name(&column.name));
    if ty.is_character() || ty.is_choice() {
        let of_table = option_collation(&table.options);
        if ty.collation != of_table {
            let _ = write!(out, " CHARACTER SET {} COLLATE {}", ty.collation.charset(), ty.collation.name());
        } else if ty.collation != Collation::default_of(ty.collation.char_set()) {
            let _ = write!(out, " COLLATE {}", ty.collation.name());
        }
    }
    if let Some(generated) = &column.generated {
        let kind = if generated.stored { "STORED" } else { "VIRTUAL" };
        let _ = write!(out, " GENERATED ALWAYS AS ({}) {kind}", generated.text);
    }
    if !column.nullable {
        out.push_str(" NOT NULL");
    } else if ty.kind == TypeKind::Timestamp {
        out.push_str(" NULL");
    }
    match &column.default {
        Some(ColumnDefault::Literal(value)) => {
            let text = default_text(value, column, context);
            match value {
                // Bits print as a literal.
                values::Value::Bit(_) => out.push_str(&format!(" DEFAULT {text}")),
                _ => out.push_str(&format!(" DEFAULT {}", quote_text(&text))),
            }
        }
        Some(ColumnDefault::CurrentTimestamp { fsp }) => {
            let _ = write!(out, " DEFAULT {}", now_text(*fsp));
        }
        Some(ColumnDefault::Expression(text)) => {
            let _ = write!(out, " DEFAULT ({text})");
        }
        None if column.generated.is_some() => {}
        None if column.nullable && (!ty.is_lob() || ty.kind == TypeKind::Json) => {
            out.push_str(" DEFAULT NULL")
        }
        None => {}
    }
    if column.on_update_now {
        let _ = write!(out, " ON UPDATE {}", now_text(ty.scale));
    }
    if column.auto_increment {
        out.push_str(" AUTO_INCREMENT");
    }
    if !column.comment.is_empty() {
        let _ = write!(out, " COMMENT {}", quote_text(&column.comment));
    }
    out
}

/// The indexes in MySQL's order: the primary key, unique ones without NULLs, other unique ones, the rest.
pub(crate) fn shown_order(table: &TableDef) -> impl Iterator<Item = &IndexDef> {
    let nullable = |index: &IndexDef| index.parts.iter().any(|p| table.columns[p.column].nullable);
    let rank = move |(no, index): (usize, &IndexDef)| match (no, index.unique) {
        (0, _) => 0,
        (_, true) if !nullable(index) => 1,
        (_, true) => 2,
        _ => 3,
    };
    let mut order: Vec<(usize, &IndexDef)> = table.indexes.iter().enumerate().collect();
    order.sort_by_key(|entry| rank(*entry));
    order.into_iter().map(|(_, index)| index).filter(|index| !index.parts.is_empty())
}
