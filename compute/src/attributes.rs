//! `sextant.session_connect_attrs`: what the connected clients say of themselves, with performance_schema's columns.

use crate::server::Registry;
use protocol::env::BoxFuture;
use sql::api::VirtualTable;
use std::sync::Arc;
use values::{Collation, ColumnType, TypeKind, Value};

const NUMBER: ColumnType = ColumnType::integer(TypeKind::BigInt, true);
const COLUMNS: [(&str, ColumnType, bool); 4] = [
    ("PROCESSLIST_ID", NUMBER, false),
    ("ATTR_NAME", ColumnType::varchar(32, Collation::UTF8MB4_BIN), false),
    ("ATTR_VALUE", ColumnType::varchar(1024, Collation::UTF8MB4_BIN), true),
    ("ORDINAL_POSITION", NUMBER, true),
];

/// The table.
pub(crate) struct SessionConnectAttributes {
    registry: Arc<Registry>,
}

impl SessionConnectAttributes {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

impl VirtualTable for SessionConnectAttributes {
    fn name(&self) -> &str {
        "session_connect_attrs"
    }

    fn columns(&self) -> &[(&'static str, ColumnType, bool)] {
        &COLUMNS
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        let mut rows = Vec::new();
        for (id, attributes) in self.registry.attributes() {
            for (at, (name, value)) in attributes.iter().enumerate() {
                rows.push(vec![
                    Value::UInt(id),
                    Value::text(name),
                    Value::text(value),
                    Value::UInt(at as u64),
                ]);
            }
        }
        Box::pin(std::future::ready(rows))
    }
}
