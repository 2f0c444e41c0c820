//! The statement tree: only what this crate executes. What MySQL has and we do not never gets a node: the parser answers 1235 and names it.
//!
//! 1. Nothing in the tree may be ignored by the binder: a clause without a meaning here is refused by the parser.
//! 2. Trees are at most [`crate::parse::MAX_DEPTH`] deep, so recursive walks are safe; AND and OR chains are flat lists.

pub(crate) mod account;
pub(crate) mod ddl;
pub(crate) mod expr;
pub(crate) mod session;

pub(crate) use account::*;
pub(crate) use ddl::*;
pub(crate) use expr::*;
pub(crate) use session::*;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Select(Box<Select>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Ddl(Box<Ddl>),
    Session(Box<SessionStatement>),
    Show(Box<Show>),
    /// `EXPLAIN statement`.
    Explain(Box<Statement>),
    /// `DO expr, ...`
    Do(Vec<Expr>),
}

/// `schema.table`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TableName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

/// `table [AS alias]` with the index hints.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableRef {
    pub(crate) table: TableName,
    pub(crate) alias: Option<String>,
    pub(crate) hints: Vec<IndexHint>,
}

/// `USE|FORCE|IGNORE INDEX (names)`; all of them bind what the planner may choose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexHint {
    pub(crate) kind: HintKind,
    pub(crate) indexes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HintKind {
    Use,
    Force,
    Ignore,
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

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    /// SQL_CALC_FOUND_ROWS
    pub(crate) calc_found_rows: bool,
    pub(crate) items: Vec<SelectItem>,
    /// `None` also for FROM DUAL.
    pub(crate) from: Option<TableRef>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Limit>,
    pub(crate) lock: Option<(LockClause, LockWait)>,
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

/// `column = value`; `None` stands for DEFAULT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) column: ColumnName,
    pub(crate) value: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Insert {
    pub(crate) replace: bool,
    pub(crate) ignore: bool,
    pub(crate) table: TableName,
    /// `None`: all columns in table order.
    pub(crate) columns: Option<Vec<String>>,
    /// One list per row; `None` stands for DEFAULT.
    pub(crate) rows: Vec<Vec<Option<Expr>>>,
    /// `INSERT ... SELECT`.
    pub(crate) select: Option<Box<Select>>,
    /// `VALUES (...) AS alias (columns)`.
    pub(crate) row_alias: Option<(String, Vec<String>)>,
    pub(crate) on_duplicate: Vec<Assignment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    pub(crate) ignore: bool,
    pub(crate) table: TableRef,
    pub(crate) set: Vec<Assignment>,
    pub(crate) filter: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delete {
    pub(crate) ignore: bool,
    pub(crate) table: TableRef,
    pub(crate) filter: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Expr>,
}
