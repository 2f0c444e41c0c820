//! Joins: tables read one inside the other, in an order chosen beforehand.
//!
//! ```text
//!   step 0: a, by an index     step 1: b, by b.k = a.k     step 2: c, from a hash of its rows     step 3: d, outer: NULLs if none matches
//! ```
//! 1. Columns are numbered through, in FROM's order. What a step reads of the tables before it is copied to slots when the step opens:
//!    inside the step it is a constant, so the access paths of single tables serve joins too.
//! 2. A nest is the inner side of an outer join: a stretch of steps. When its first step is exhausted and no row matched, its tables are
//!    NULL once.
//! 3. A condition is judged at the first step that has all its tables; one that reads a nest from outside is judged when the nest is done.

use super::access::Access;
use super::{CtePlan, Filter, QueryPlan, Subs};
use crate::api::VirtualTable;
use crate::expr::{Ty, Typed};
use engine::{LockMode, TableDef};
use std::sync::Arc;

/// Where a table's rows come from.
#[derive(Clone)]
pub(crate) enum TableSource {
    Stored(Arc<TableDef>),
    /// A table whose rows are made when it is read.
    Virtual(Arc<dyn VirtualTable>),
    Derived(Arc<DerivedPlan>),
    Cte(Arc<CtePlan>),
    /// The rows of the round before, inside a recursive common table expression.
    Working(usize),
}

/// A subquery in FROM.
pub(crate) struct DerivedPlan {
    pub(crate) query: QueryPlan,
    /// LATERAL: slots and the columns of tables before it that fill them.
    pub(crate) needs: Vec<(usize, Typed)>,
}

/// A join.
#[derive(Clone)]
pub(crate) struct JoinPlan {
    pub(crate) tables: Vec<JoinTable>,
    /// Each column's table and its position there.
    pub(crate) map: Vec<(u16, u16)>,
    /// Conditions that read no table.
    pub(crate) first: Filter,
    pub(crate) steps: Vec<Step>,
    pub(crate) nests: Vec<Nest>,
}

#[derive(Clone)]
pub(crate) struct JoinTable {
    pub(crate) alias: Arc<str>,
    pub(crate) width: usize,
}

/// One table being read.
#[derive(Clone)]
pub(crate) struct Step {
    /// Its position in FROM.
    pub(crate) table: usize,
    /// Slots and the columns of tables before that fill them.
    pub(crate) feeds: Vec<(usize, usize)>,
    /// Subqueries that are constants of one opening.
    pub(crate) subs: Subs,
    pub(crate) how: How,
    /// Conditions with subqueries about this row.
    pub(crate) late: Filter,
    pub(crate) lock: LockMode,
    /// The nest that begins here.
    pub(crate) opens: Option<usize>,
    /// Nests that end here, the inner first.
    pub(crate) closes: Vec<usize>,
    /// Rows expected of one opening, for EXPLAIN.
    pub(crate) rows: f64,
}

/// How a step finds its rows. Expressions are over the table's own columns.
#[derive(Clone)]
pub(crate) enum How {
    /// By an index, anew for each row before it.
    Cursor(Box<Access>),
    Buffer(Box<Buffer>),
}

/// Rows read once and kept, perhaps by key.
#[derive(Clone)]
pub(crate) struct Buffer {
    pub(crate) source: TableSource,
    /// How a stored table is read to fill the buffer.
    pub(crate) access: Option<Access>,
    /// What the kept rows fulfil.
    pub(crate) local: Option<Typed>,
    /// Positions that are kept.
    pub(crate) columns: Vec<usize>,
    pub(crate) keys: Vec<HashKey>,
    /// What is judged for each pair of rows.
    pub(crate) residual: Option<Typed>,
    /// Reads the stored table when its rows are too many to keep.
    pub(crate) instead: Option<Access>,
    /// The rows depend on the tables before: they are read anew at each opening.
    pub(crate) lateral: bool,
}

/// An equality that a hash answers.
#[derive(Debug, Clone)]
pub(crate) struct HashKey {
    /// Over the kept row.
    pub(crate) build: Typed,
    /// Over slots.
    pub(crate) probe: Typed,
    /// The type both are compared in.
    pub(crate) ty: Ty,
}

/// The inner side of an outer join.
#[derive(Clone)]
pub(crate) struct Nest {
    pub(crate) first: usize,
    pub(crate) last: usize,
    /// What is judged once the nest has a row, or NULLs.
    pub(crate) after: Filter,
}
