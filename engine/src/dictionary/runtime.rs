//! What goes with a table definition in memory: its row layout, its open trees, and what all versions of the definition share (the
//! current stamp, the auto-increment counter, the row estimate).

use crate::dictionary::schema::{IndexPart, TableDef};
use crate::format::row::Layout;
use crate::sync::Gate;
use btree::Tree;
use protocol::lsn::Lsn;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use values::KeyPart;

/// One version of a table, ready to be used.
#[derive(Clone, Default)]
pub(crate) struct Runtime {
    pub(crate) layout: Layout,
    /// One per index.
    pub(crate) trees: Vec<Arc<Tree>>,
    /// One list per index: how its own key parts are encoded.
    pub(crate) keys: Vec<Vec<KeyPart>>,
    /// One per index: a view older than this must not use it.
    pub(crate) since: Vec<Lsn>,
    pub(crate) shared: Arc<TableShared>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({} trees)", self.trees.len())
    }
}

/// Two definitions are equal when what they say is equal.
impl PartialEq for Runtime {
    fn eq(&self, _: &Runtime) -> bool {
        true
    }
}
impl Eq for Runtime {}

impl Runtime {
    /// The layout and keys of a definition.
    pub(crate) fn new(def: &TableDef, trees: Vec<Arc<Tree>>, shared: Arc<TableShared>) -> Runtime {
        let part = |p: &IndexPart| {
            let column = &def.columns[p.column];
            KeyPart {
                ty: column.ty,
                nullable: column.nullable,
                descending: p.descending,
                prefix: p.prefix_chars,
            }
        };
        Runtime {
            layout: def.formats.layout(&def.columns),
            trees,
            since: vec![Lsn::ZERO; def.indexes.len()],
            keys: def.indexes.iter().map(|i| i.parts.iter().map(part).collect()).collect(),
            shared,
        }
    }
}

/// What all versions of one table share.
#[derive(Debug, Default)]
pub(crate) struct TableShared {
    /// The stamp of the definition that writers must have; 0 before the first is loaded, `u64::MAX` once the table is dropped.
    pub(crate) stamp: AtomicU64,
    /// AUTO_INCREMENT: the next value and the persisted ceiling; 0: not loaded yet.
    pub(crate) next_auto: AtomicU64,
    pub(crate) auto_ceiling: AtomicU64,
    pub(crate) auto_gate: Gate,
    /// Rows, roughly: estimated when the table is loaded, counted from there on.
    pub(crate) rows: AtomicI64,
    pub(crate) estimated: AtomicBool,
}
