//! `sextant.segments`: one row per segment of every protection group, as its node and the writer see it.

use crate::backing::Backing;
use protocol::SegmentRole;
use protocol::env::BoxFuture;
use sql::api::VirtualTable;
use std::sync::Arc;
use values::{Collation, ColumnType, TypeKind, Value};

const NUMBER: ColumnType = ColumnType::integer(TypeKind::BigInt, true);
const TEXT: ColumnType = ColumnType::varchar(255, Collation::DEFAULT);
const COLUMNS: [(&str, ColumnType, bool); 16] = [
    ("pg", NUMBER, false),
    ("position", NUMBER, false),
    ("az", NUMBER, false),
    ("node_folder", TEXT, false),
    ("role", TEXT, false),
    ("incarnation", TEXT, false),
    ("epoch", NUMBER, false),
    ("scl", NUMBER, false),
    ("pgcl", NUMBER, false),
    ("vdl", NUMBER, false),
    ("page_point", NUMBER, false),
    ("state", TEXT, false),
    ("repair_messages", NUMBER, false),
    ("repair_bytes", NUMBER, false),
    ("log_writes", NUMBER, false),
    ("log_syncs", NUMBER, false),
];

/// The table.
pub(crate) struct Segments {
    volume: Arc<dyn Backing>,
}

impl Segments {
    pub(crate) fn new(volume: Arc<dyn Backing>) -> Self {
        Self { volume }
    }
}

impl VirtualTable for Segments {
    fn name(&self) -> &str {
        "segments"
    }

    fn columns(&self) -> &[(&'static str, ColumnType, bool)] {
        &COLUMNS
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        let volume = self.volume.clone();
        Box::pin(async move {
            // The storage thread is asked and waited for.
            tokio::task::spawn_blocking(move || rows(&*volume)).await.unwrap_or_default()
        })
    }
}

fn rows(volume: &dyn Backing) -> Vec<Vec<Value>> {
    let row = |s: volume::status::SegmentFacts| {
        let role = match s.role {
            SegmentRole::Full => "full",
            SegmentRole::Tail => "tail",
        };
        vec![
            Value::UInt(s.id.pg.0.into()),
            Value::UInt(s.id.position.into()),
            Value::UInt(s.az.into()),
            Value::text(&s.node_folder),
            Value::text(role),
            Value::text(&format!("{:032x}", s.incarnation.0)),
            Value::UInt(s.epoch.0),
            Value::UInt(s.scl.0),
            Value::UInt(s.pgcl.0),
            Value::UInt(s.vdl.0),
            Value::UInt(s.page_point.0),
            Value::text(s.state),
            Value::UInt(s.repair_messages),
            Value::UInt(s.repair_bytes),
            Value::UInt(s.log_writes),
            Value::UInt(s.log_syncs),
        ]
    };
    volume.segments().into_iter().map(row).collect()
}
