//! Plans: what will run, decided when the statement is bound.

pub(crate) mod access;
pub(crate) mod condition;
pub(crate) mod explain;
pub(crate) mod interval;
pub(crate) mod meta;

use crate::api::{ColumnMeta, VirtualTable};
use crate::bind::BoundAggregate;
use crate::expr::Typed;
use access::Access;
use engine::{LockMode, LockWait, TableDef};
use std::sync::Arc;

/// Where a SELECT's rows come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// No table: one row.
    One {
        filter: Option<Typed>,
    },
    Table(Access),
    /// A table of the schema `sextant`.
    Virtual {
        table: Arc<dyn VirtualTable>,
        filter: Option<Typed>,
    },
}

/// GROUP BY and the aggregates. `keys` empty: one group, also over no rows.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) keys: Vec<Typed>,
    pub(crate) aggregates: Vec<BoundAggregate>,
}

/// A bound SELECT.
#[derive(Clone)]
pub(crate) struct SelectPlan {
    pub(crate) source: Source,
    /// The table in scope, for EXPLAIN and metadata.
    pub(crate) table: Option<Arc<TableDef>>,
    pub(crate) alias: Option<Arc<str>>,
    pub(crate) items: Vec<Typed>,
    pub(crate) columns: Arc<[ColumnMeta]>,
    pub(crate) group: Option<Group>,
    pub(crate) having: Option<Typed>,
    /// Empty when the source delivers the order.
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) distinct: bool,
    pub(crate) limit: Option<Typed>,
    pub(crate) offset: Option<Typed>,
    pub(crate) lock: LockMode,
    pub(crate) wait: LockWait,
    pub(crate) calc_found_rows: bool,
}

/// `column = value` of an UPDATE or ON DUPLICATE KEY UPDATE; `None`: DEFAULT.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) column: usize,
    pub(crate) value: Option<Typed>,
}

/// A bound INSERT or REPLACE.
#[derive(Clone)]
pub(crate) struct InsertPlan {
    pub(crate) table: Arc<TableDef>,
    pub(crate) replace: bool,
    pub(crate) ignore: bool,
    /// Target columns, by position in the table.
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Vec<Vec<Option<Typed>>>,
    pub(crate) select: Option<Box<SelectPlan>>,
    pub(crate) on_duplicate: Vec<Set>,
}

/// A bound UPDATE or DELETE.
#[derive(Clone)]
pub(crate) struct ChangePlan {
    pub(crate) access: Access,
    pub(crate) alias: Arc<str>,
    /// Empty for DELETE.
    pub(crate) set: Vec<Set>,
    pub(crate) delete: bool,
    pub(crate) ignore: bool,
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) limit: Option<Typed>,
}

/// Any bound statement that reads or writes rows.
#[derive(Clone)]
pub(crate) enum Plan {
    Select(Box<SelectPlan>),
    Insert(Box<InsertPlan>),
    Change(Box<ChangePlan>),
}
