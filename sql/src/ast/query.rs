//! Query expressions: SELECT and what combines SELECTs.
//!
//! ```text
//!   Query = WITH list + body        body = SELECT ... | VALUES ... | body UNION body ... | ( query )
//! ```
//! ORDER BY and LIMIT stand with the body they sort: a SELECT's own, or those of the whole set operation.

use super::{Expr, TableRef};

/// A query expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub(crate) with: Option<With>,
    pub(crate) body: Body,
    /// SELECT ... INTO @a, @b: of the statement's own query only.
    pub(crate) into: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Select(Box<Select>),
    Values(Box<Values>),
    Set(Box<SetOperation>),
    /// `(query) ORDER BY ... LIMIT ...`
    Nested(Box<Nested>),
}

/// `WITH [RECURSIVE] name (columns) AS (query), ...`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct With {
    pub(crate) recursive: bool,
    pub(crate) ctes: Vec<Cte>,
}

/// A common table expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cte {
    pub(crate) name: String,
    /// Empty: the query's own names.
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
}

/// `VALUES ROW(...), ROW(...)`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Values {
    pub(crate) rows: Vec<Vec<Expr>>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOp {
    Union,
    Intersect,
    Except,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SetOperation {
    pub(crate) op: SetOp,
    /// ALL: equal rows stay.
    pub(crate) all: bool,
    pub(crate) left: Query,
    pub(crate) right: Query,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Limit>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nested {
    pub(crate) query: Query,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Limit>,
}

/// One item of a select list; `name` is what the column is called without an alias.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SelectItem {
    /// `*` or `table.*` or `schema.table.*`
    Star {
        schema: Option<String>,
        table: Option<String>,
    },
    Expr {
        expr: Expr,
        name: String,
        alias: Option<String>,
    },
}

/// How rows read by a SELECT are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockClause {
    Update,
    Share,
}

/// What happens at a row that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LockWait {
    #[default]
    Wait,
    NoWait,
    SkipLocked,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    /// SQL_CALC_FOUND_ROWS
    pub(crate) calc_found_rows: bool,
    /// STRAIGHT_JOIN: the tables are read in the order written.
    pub(crate) straight: bool,
    pub(crate) items: Vec<SelectItem>,
    /// `None` also for FROM DUAL.
    pub(crate) from: Option<TableExpr>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    /// WITH ROLLUP
    pub(crate) rollup: bool,
    pub(crate) having: Option<Expr>,
    /// WINDOW name AS (...)
    pub(crate) windows: Vec<(String, WindowSpec)>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Limit>,
    pub(crate) lock: Option<(LockClause, LockWait)>,
    /// FOR UPDATE OF these; empty: all.
    pub(crate) lock_of: Vec<String>,
}

/// `OVER (...)`
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WindowSpec {
    /// The window it starts from: `OVER name`, `OVER (name ...)`.
    pub(crate) base: Option<String>,
    pub(crate) partition: Vec<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) frame: Option<Frame>,
}

/// `ROWS|RANGE BETWEEN start AND end`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// ROWS; else RANGE.
    pub(crate) rows: bool,
    pub(crate) start: FrameBound,
    pub(crate) end: FrameBound,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FrameBound {
    UnboundedPreceding,
    /// With the unit of `INTERVAL n unit`.
    Preceding(Expr, Option<super::Unit>),
    CurrentRow,
    Following(Expr, Option<super::Unit>),
    UnboundedFollowing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinKind {
    /// JOIN, INNER JOIN, CROSS JOIN, the comma.
    Inner,
    Left,
    Right,
}

/// What stands behind FROM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableExpr {
    Table(TableRef),
    Derived { query: Box<Query>, alias: String, columns: Vec<String>, lateral: bool },
    Join(Box<Join>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    pub(crate) left: TableExpr,
    pub(crate) right: TableExpr,
    pub(crate) on: Option<Expr>,
    pub(crate) using: Vec<String>,
    pub(crate) natural: bool,
    /// STRAIGHT_JOIN
    pub(crate) straight: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) expr: Expr,
    pub(crate) desc: bool,
}

/// `LIMIT offset, count`: literals or parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    pub(crate) offset: Option<Expr>,
    pub(crate) count: Expr,
}

impl Query {
    /// A bare SELECT.
    pub(crate) fn select(select: Select) -> Query {
        Query { with: None, body: Body::Select(Box::new(select)), into: Vec::new() }
    }

    /// `SELECT items`: how expressions with subqueries of SET and DO are computed.
    pub(crate) fn of_exprs(exprs: &[Expr]) -> Query {
        let items = exprs
            .iter()
            .map(|expr| SelectItem::Expr { expr: expr.clone(), name: String::new(), alias: None })
            .collect();
        Query::select(Select { items, ..Select::default() })
    }
}
