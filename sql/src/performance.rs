//! performance_schema, the few tables of it that people and tools ask for: locks and who waits for them, connections, global variables and
//! counters, and what SET PERSIST keeps. Columns, types and order are MySQL's.
//!
//! A lock shows here once somebody asked for it: rows that are locked by their TxId alone, because nobody wanted them, are not in the lock
//! table. Table locks (IX and kin) do not exist. THREAD_ID is the connection's id.

use crate::api::VirtualTable;
use crate::session::Server;
use engine::{LockInfo, LockKind, index_key_parts};
use protocol::env::BoxFuture;
use std::fmt::Write as _;
use std::sync::Arc;
use values::convert::text::to_text;
use values::key::{decode_key, part_len};
use values::{Collation, ColumnType, TypeKind, Value};

/// The schema's name.
pub(crate) const SCHEMA: &str = "performance_schema";

type Column = (&'static str, ColumnType, bool);

const fn text(name: &'static str, chars: u32, nullable: bool) -> Column {
    (name, ColumnType::varchar(chars, Collation::DEFAULT), nullable)
}

const fn number(name: &'static str, nullable: bool) -> Column {
    (name, ColumnType::integer(TypeKind::BigInt, true), nullable)
}

const DATA_LOCKS: &[Column] = &[
    text("ENGINE", 32, false),
    text("ENGINE_LOCK_ID", 128, false),
    number("ENGINE_TRANSACTION_ID", true),
    number("THREAD_ID", true),
    number("EVENT_ID", true),
    text("OBJECT_SCHEMA", 64, true),
    text("OBJECT_NAME", 64, true),
    text("PARTITION_NAME", 64, true),
    text("SUBPARTITION_NAME", 64, true),
    text("INDEX_NAME", 64, true),
    number("OBJECT_INSTANCE_BEGIN", false),
    text("LOCK_TYPE", 32, false),
    text("LOCK_MODE", 32, false),
    text("LOCK_STATUS", 32, false),
    text("LOCK_DATA", 8192, true),
];

const DATA_LOCK_WAITS: &[Column] = &[
    text("ENGINE", 32, false),
    text("REQUESTING_ENGINE_LOCK_ID", 128, false),
    number("REQUESTING_ENGINE_TRANSACTION_ID", true),
    number("REQUESTING_THREAD_ID", true),
    number("REQUESTING_EVENT_ID", true),
    number("REQUESTING_OBJECT_INSTANCE_BEGIN", false),
    text("BLOCKING_ENGINE_LOCK_ID", 128, false),
    number("BLOCKING_ENGINE_TRANSACTION_ID", true),
    number("BLOCKING_THREAD_ID", true),
    number("BLOCKING_EVENT_ID", true),
    number("BLOCKING_OBJECT_INSTANCE_BEGIN", false),
];

const METADATA_LOCKS: &[Column] = &[
    text("OBJECT_TYPE", 64, false),
    text("OBJECT_SCHEMA", 64, true),
    text("OBJECT_NAME", 64, true),
    text("COLUMN_NAME", 64, true),
    number("OBJECT_INSTANCE_BEGIN", false),
    text("LOCK_TYPE", 32, false),
    text("LOCK_DURATION", 32, false),
    text("LOCK_STATUS", 32, false),
    text("SOURCE", 64, true),
    number("OWNER_THREAD_ID", true),
    number("OWNER_EVENT_ID", true),
];

const PERSISTED: &[Column] = &[text("VARIABLE_NAME", 64, false), text("VARIABLE_VALUE", 1024, true)];

const PROCESSLIST: &[Column] = &[
    number("ID", false),
    text("USER", 32, true),
    text("HOST", 261, true),
    text("DB", 64, true),
    text("COMMAND", 16, true),
    number("TIME", true),
    text("STATE", 64, true),
    ("INFO", ColumnType::text(TypeKind::LongText, Collation::DEFAULT), true),
    text("EXECUTION_ENGINE", 16, true),
];

/// Of connections only those of a user, if one is named.
type Rows = fn(&Server, Option<&str>) -> Vec<Vec<Value>>;

const ALL: &[(&str, &[Column], Rows)] = &[
    ("data_locks", DATA_LOCKS, data_locks),
    ("data_lock_waits", DATA_LOCK_WAITS, data_lock_waits),
    ("metadata_locks", METADATA_LOCKS, metadata_locks),
    ("persisted_variables", PERSISTED, persisted),
    ("global_variables", PERSISTED, global_variables),
    ("global_status", PERSISTED, global_status),
    ("processlist", PROCESSLIST, processes),
];

struct Performance {
    server: Arc<Server>,
    name: &'static str,
    columns: &'static [Column],
    rows: Rows,
    only: Option<String>,
}

/// The table of this name, if it is one of those that are here.
pub(crate) fn table(server: &Arc<Server>, name: &str, only: Option<String>) -> Option<Arc<dyn VirtualTable>> {
    let (name, columns, rows) = ALL.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    Some(Arc::new(Performance { server: server.clone(), name, columns, rows: *rows, only }))
}

impl VirtualTable for Performance {
    fn name(&self) -> &str {
        self.name
    }

    fn columns(&self) -> &[Column] {
        self.columns
    }

    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        Box::pin(std::future::ready((self.rows)(&self.server, self.only.as_deref())))
    }
}

/// A transaction's number: its TxId, or one of a range of its own before its first write, as in MySQL.
pub(crate) fn transaction_number(owner: u64, txid: u64) -> u64 {
    const READERS: u64 = 1 << 48;
    if txid == 0 { READERS + owner } else { txid }
}

/// Tells locks apart: transaction, tree, kind, and a fingerprint of the key.
fn lock_id(lock: &LockInfo) -> String {
    let fingerprint = lock.key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}:{}:{}:{fingerprint:016x}", lock.owner, lock.tree, lock.kind as u8)
}

/// The record that a lock is on, as its index's values; of a gap the record at its end.
pub(crate) fn lock_data(lock: &LockInfo) -> Option<String> {
    let key = match lock.kind {
        LockKind::Gap => match &lock.end {
            Some(end) => end,
            None => return Some("supremum pseudo-record".to_owned()),
        },
        _ => &lock.key,
    };
    let (table, index) = lock.index.as_ref()?;
    let (mut at, mut out) = (0, String::new());
    for part in index_key_parts(table, *index) {
        let rest = &key[at..];
        if rest.is_empty() {
            break;
        }
        let length = part_len(rest, part).ok()?;
        if !out.is_empty() {
            out.push_str(", ");
        }
        match decode_key(rest, part) {
            Ok((Value::Null, _)) => out.push_str("NULL"),
            Ok((Value::Text(text), _)) => {
                let _ = write!(out, "'{}'", text.as_str().replace('\'', "''"));
            }
            Ok((Value::Bytes(bytes), _)) => push_hex(&mut out, bytes.as_bytes()),
            Ok((value, _)) => out.push_str(to_text(&value, part.ty.scale).as_str()),
            // Weights of a collation: the text cannot be had back from them.
            Err(_) => push_hex(&mut out, &rest[..length]),
        }
        at += length;
    }
    Some(out)
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    out.push_str("0x");
    for byte in bytes {
        let _ = write!(out, "{byte:02X}");
    }
}

fn maybe(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::text)
}

fn data_locks(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let row = |lock: &LockInfo| {
        let table = lock.index.as_ref();
        vec![
            Value::text("INNODB"),
            Value::text(&lock_id(lock)),
            Value::UInt(transaction_number(lock.owner, lock.txid)),
            Value::UInt(lock.session.into()),
            Value::Null,
            maybe(table.map(|(table, _)| table.schema_name.as_str())),
            maybe(table.map(|(table, _)| table.name.as_str())),
            Value::Null,
            Value::Null,
            maybe(table.map(|(table, index)| table.indexes[*index].name.as_str())),
            Value::UInt(lock.tree),
            Value::text("RECORD"),
            Value::text(lock.kind.text()),
            Value::text(if lock.waiting { "WAITING" } else { "GRANTED" }),
            maybe(lock_data(lock).as_deref()),
        ]
    };
    // Locks on names belong to no tree of a table.
    let tables = server.engine.locks().into_iter().filter(|lock| lock.tree != u64::MAX);
    tables.map(|lock| row(&lock)).collect()
}

fn metadata_locks(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let row = |lock: &engine::MetadataLockInfo| {
        let table = lock.table.as_ref();
        vec![
            Value::text("TABLE"),
            maybe(table.map(|t| t.schema_name.as_str())),
            maybe(table.map(|t| t.name.as_str())),
            Value::Null,
            Value::UInt(table.map_or(0, |t| t.id.0)),
            Value::text(lock.mode.text()),
            Value::text(if lock.explicit { "EXPLICIT" } else { "TRANSACTION" }),
            Value::text(if lock.waiting { "PENDING" } else { "GRANTED" }),
            Value::Null,
            Value::UInt(lock.session.into()),
            Value::Null,
        ]
    };
    server.engine.metadata_locks().iter().map(row).collect()
}

fn data_lock_waits(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let locks = server.engine.locks();
    let mut rows = Vec::new();
    for wait in server.engine.lock_waits() {
        let wanted = &wait.wanted;
        if wanted.tree == u64::MAX {
            continue;
        }
        for (owner, txid, session) in &wait.blockers {
            // The blocker's lock on that record; the gap that an insert waits for begins elsewhere.
            let held = locks.iter().filter(|l| l.owner == *owner && l.tree == wanted.tree && !l.waiting);
            let id = held
                .clone()
                .find(|l| l.key == wanted.key)
                .or_else(|| held.clone().find(|l| l.kind == LockKind::Gap))
                .map_or_else(|| format!("{owner}:{}", wanted.tree), lock_id);
            rows.push(vec![
                Value::text("INNODB"),
                Value::text(&lock_id(wanted)),
                Value::UInt(transaction_number(wanted.owner, wanted.txid)),
                Value::UInt(wanted.session.into()),
                Value::Null,
                Value::UInt(wanted.tree),
                Value::text(&id),
                Value::UInt(transaction_number(*owner, *txid)),
                Value::UInt((*session).into()),
                Value::Null,
                Value::UInt(wanted.tree),
            ]);
        }
    }
    rows
}

fn pairs(all: impl IntoIterator<Item = (String, String)>) -> Vec<Vec<Value>> {
    all.into_iter().map(|(name, value)| vec![Value::text(&name), Value::text(&value)]).collect()
}

fn persisted(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    pairs(server.persisted())
}

fn global_variables(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let values = server.globals();
    let shown = crate::variable::all().into_iter();
    let shown = shown.filter(|(_, variable)| variable.scope != crate::variable::Scope::Session);
    pairs(shown.map(|(index, variable)| (variable.name.to_owned(), values.text(index).to_owned())))
}

fn global_status(server: &Server, _: Option<&str>) -> Vec<Vec<Value>> {
    let mut all = server.host.status();
    all.sort();
    pairs(all)
}

fn processes(server: &Server, only: Option<&str>) -> Vec<Vec<Value>> {
    let row = |p: crate::api::Process| {
        vec![
            Value::UInt(p.id),
            Value::text(&p.user),
            Value::text(&p.host),
            maybe(p.schema.as_deref()),
            Value::text(&p.command),
            Value::UInt(p.time_s),
            Value::text(&p.state),
            maybe(p.info.as_deref()),
            Value::text("PRIMARY"),
        ]
    };
    let all = server.host.processes().into_iter();
    all.filter(|p| only.is_none_or(|user| user == p.user)).map(row).collect()
}
