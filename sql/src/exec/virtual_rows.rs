//! Tables of the schema `sextant`: seen by the binder as table definitions without indexes.

use crate::api::VirtualTable;
use engine::{ColumnDef, ColumnId, NewTable, TableDef};
use std::sync::Arc;
use values::ColumnType;

/// The schema of the virtual tables.
pub(crate) const SCHEMA: &str = "sextant";

/// A definition by which names resolve; no row of it is ever stored.
pub(crate) fn definition(table: &dyn VirtualTable) -> TableDef {
    detached(SCHEMA, table.name(), table.columns().iter().map(|(name, ty, nullable)| (*name, *ty, *nullable)))
}

/// A definition that nothing is stored in, with these columns: name, type, nullable.
pub(crate) fn detached<'a>(
    schema: &str,
    name: &str,
    columns: impl Iterator<Item = (&'a str, ColumnType, bool)>,
) -> TableDef {
    let column = |(name, ty, nullable): (&str, ColumnType, bool)| ColumnDef {
        id: ColumnId(0),
        name: name.to_owned(),
        ty,
        nullable,
        default: None,
        on_update_now: false,
        auto_increment: false,
        comment: String::new(),
        generated: None,
    };
    TableDef::detached(&NewTable {
        schema: schema.to_owned(),
        name: name.to_owned(),
        columns: columns.map(column).collect(),
        primary: Vec::new(),
        indexes: Vec::new(),
        auto_increment_start: 0,
        comment: String::new(),
        options: String::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
    })
}

/// The table of this name, if compute supplies one.
pub(crate) fn find(tables: &[Arc<dyn VirtualTable>], name: &str) -> Option<Arc<dyn VirtualTable>> {
    tables.iter().find(|t| t.name() == name).cloned()
}
