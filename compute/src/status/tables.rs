//! `sextant.volume`, `sextant.protection_groups`, `sextant.segments`: the picture in SQL.
//!
//! | table | one row per |
//! |---|---|
//! | `volume` | volume: its state, its log, who waits for what |
//! | `protection_groups` | group: its state, its durable point, the copy that does worst |
//! | `segments` | copy of a group: how far it is, how it does |

use super::{Copy, Group, Picture, gather};
use crate::backing::Backing;
use protocol::env::BoxFuture;
use protocol::page::PAGE_BYTES;
use sql::api::VirtualTable;
use std::sync::Arc;
use values::{Collation, ColumnType, TypeKind, Value};

const NUMBER: ColumnType = ColumnType::integer(TypeKind::BigInt, true);
const TEXT: ColumnType = ColumnType::varchar(255, Collation::DEFAULT);

type Column = (&'static str, ColumnType, bool);
type Rows = fn(&Picture) -> Vec<Vec<Value>>;

const VOLUME: [Column; 25] = [
    ("id", TEXT, false),
    ("state", TEXT, false),
    ("verdict", TEXT, false),
    ("storage", TEXT, false),
    ("writer", TEXT, false),
    ("epoch", NUMBER, false),
    ("head_seq", NUMBER, false),
    ("vdl", NUMBER, false),
    ("vcl", NUMBER, false),
    ("last_lsn", NUMBER, false),
    ("lal_bytes", NUMBER, false),
    ("lal_headroom_bytes", NUMBER, false),
    ("lal_waiting", NUMBER, false),
    ("stalled_ms", NUMBER, false),
    ("lease_ms", NUMBER, false),
    ("lease_left_ms", NUMBER, true),
    ("log_held_bytes", NUMBER, false),
    ("truncations", NUMBER, false),
    ("protection_groups", NUMBER, false),
    ("pages_per_pg", NUMBER, false),
    ("page_bytes", NUMBER, false),
    ("nodes", NUMBER, false),
    ("nodes_serving", NUMBER, false),
    ("repairs", NUMBER, false),
    ("longest_chain", NUMBER, false),
];

const GROUPS: [Column; 17] = [
    ("pg", NUMBER, false),
    ("first_page", NUMBER, false),
    ("pages", NUMBER, false),
    ("state", TEXT, false),
    ("members_able", NUMBER, false),
    ("newcomer", NUMBER, true),
    ("version_epoch", NUMBER, false),
    ("version_seq", NUMBER, false),
    ("last_lsn", NUMBER, false),
    ("pgcl", NUMBER, false),
    ("lag_bytes", NUMBER, false),
    ("page_point", NUMBER, false),
    ("worst_position", NUMBER, true),
    ("worst_health", TEXT, true),
    ("worst_lag_bytes", NUMBER, true),
    ("worst_place", TEXT, true),
    ("log_held_bytes", NUMBER, false),
];

const SEGMENTS: [Column; 21] = [
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
    ("health", TEXT, false),
    ("lag_bytes", NUMBER, false),
    ("silent_ms", NUMBER, false),
    ("latency_us", NUMBER, false),
    ("longest_chain", NUMBER, false),
];

/// One of the three.
struct Table {
    name: &'static str,
    columns: &'static [Column],
    rows: Rows,
    volume: Arc<dyn Backing>,
}

/// All of them, over this volume.
pub(crate) fn all(volume: &Arc<dyn Backing>) -> Vec<Arc<dyn VirtualTable>> {
    let table = |name, columns, rows| {
        Arc::new(Table { name, columns, rows, volume: volume.clone() }) as Arc<dyn VirtualTable>
    };
    vec![
        table("volume", &VOLUME, volume_rows),
        table("protection_groups", &GROUPS, group_rows),
        table("segments", &SEGMENTS, segment_rows),
    ]
}

impl VirtualTable for Table {
    fn name(&self) -> &str {
        self.name
    }

    fn columns(&self) -> &[Column] {
        self.columns
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        let (volume, rows) = (self.volume.clone(), self.rows);
        Box::pin(async move {
            // Storage is asked and waited for.
            tokio::task::spawn_blocking(move || rows(&gather::picture(&*volume))).await.unwrap_or_default()
        })
    }
}

fn number(n: Option<u64>) -> Value {
    n.map_or(Value::Null, Value::UInt)
}

/// A text of the column's width at most.
fn text(text: &str) -> Value {
    Value::text(&text.chars().take(255).collect::<String>())
}

fn volume_rows(picture: &Picture) -> Vec<Vec<Value>> {
    let log = picture.log.clone().unwrap_or_default();
    let writer = picture.writer.as_ref();
    let serving = picture.nodes.iter().filter(|node| node.state == "serving").count();
    let chain = picture.nodes.iter().map(|node| node.longest_chain).max().unwrap_or(0);
    let storage = if log.lease_left_ms.is_some() { "daemons" } else { "embedded" };
    vec![vec![
        text(&picture.volume),
        text(picture.state.word()),
        text(&picture.verdict),
        text(storage),
        text(writer.map_or("", |writer| &writer.name)),
        Value::UInt(picture.head.0),
        Value::UInt(picture.head.1),
        Value::UInt(picture.vdl),
        Value::UInt(picture.vcl),
        Value::UInt(log.last_lsn),
        Value::UInt(log.lal_bytes),
        Value::UInt(log.headroom_bytes),
        Value::UInt(log.waiting),
        Value::UInt(log.stalled_ms),
        Value::UInt(log.lease_ms),
        number(log.lease_left_ms),
        Value::UInt(log.held_bytes),
        Value::UInt(log.truncations),
        Value::UInt(picture.groups.len() as u64),
        Value::UInt(picture.pages_per_pg),
        Value::UInt(PAGE_BYTES as u64),
        Value::UInt(picture.nodes.len() as u64),
        Value::UInt(serving as u64),
        Value::UInt(picture.repairs().count() as u64),
        Value::UInt(chain),
    ]]
}

fn group_rows(picture: &Picture) -> Vec<Vec<Value>> {
    let row = |group: &Group| {
        let worst = group.worst();
        let full = group.copies.iter().filter(|copy| copy.role == "full" && copy.health.able());
        vec![
            Value::UInt(group.pg.into()),
            Value::UInt(u64::from(group.pg) * picture.pages_per_pg),
            Value::UInt(picture.pages_per_pg),
            text(group.state.word()),
            Value::UInt(group.able as u64),
            number(group.newcomer.map(u64::from)),
            Value::UInt(group.version.0),
            Value::UInt(group.version.1),
            Value::UInt(group.last_lsn),
            Value::UInt(group.pgcl),
            Value::UInt(group.last_lsn.saturating_sub(group.pgcl)),
            Value::UInt(full.map(|copy| copy.page_point).min().unwrap_or(0)),
            number(worst.map(|copy| copy.position.into())),
            worst.map_or(Value::Null, |copy| text(copy.health.word())),
            number(worst.map(|copy| copy.lag_bytes)),
            worst.map_or(Value::Null, |copy| text(&copy.place)),
            Value::UInt(group.held_bytes),
        ]
    };
    picture.groups.iter().map(row).collect()
}

fn segment_rows(picture: &Picture) -> Vec<Vec<Value>> {
    let row = |group: &Group, copy: &Copy| {
        let node = picture.nodes.iter().find(|node| node.place == copy.place);
        vec![
            Value::UInt(group.pg.into()),
            Value::UInt(copy.position.into()),
            Value::UInt(copy.az.into()),
            text(&copy.place),
            text(&copy.role),
            text(&copy.incarnation),
            Value::UInt(copy.epoch),
            Value::UInt(copy.scl),
            Value::UInt(group.pgcl),
            Value::UInt(picture.vdl),
            Value::UInt(copy.page_point),
            text(&copy.state),
            Value::UInt(copy.repair_messages),
            Value::UInt(copy.repair_bytes),
            Value::UInt(copy.log_writes),
            Value::UInt(copy.log_syncs),
            text(copy.health.word()),
            Value::UInt(copy.lag_bytes),
            Value::UInt(copy.silent_ms),
            Value::UInt(copy.latency_us),
            Value::UInt(node.map_or(0, |node| node.longest_chain)),
        ]
    };
    picture.groups.iter().flat_map(|group| group.copies.iter().map(move |copy| row(group, copy))).collect()
}
