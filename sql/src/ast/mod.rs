//! The statement tree: only what this crate executes. What MySQL has and we do not never gets a node: the parser answers 1235 and names it.
//!
//! 1. Nothing in the tree may be ignored by the binder: a clause without a meaning here is refused by the parser.
//! 2. Trees are at most [`crate::parse::MAX_DEPTH`] deep, so recursive walks are safe; AND and OR chains are flat lists.

pub(crate) mod account;
pub(crate) mod ddl;
pub(crate) mod expr;
pub(crate) mod load;
pub(crate) mod print;
pub(crate) mod query;
pub(crate) mod session;
pub(crate) mod walk;
mod walk_mut;

pub(crate) use account::*;
pub(crate) use ddl::*;
pub(crate) use expr::*;
pub(crate) use load::*;
pub(crate) use query::*;
pub(crate) use session::*;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    /// SELECT, UNION, VALUES, TABLE, WITH ... SELECT.
    Select(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Ddl(Box<Ddl>),
    Session(Box<SessionStatement>),
    Show(Box<Show>),
    LoadData(Box<LoadData>),
    /// SELECT ... INTO OUTFILE.
    SelectIntoFile(Box<Query>, Box<IntoFile>),
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
    pub(crate) select: Option<Box<Query>>,
    /// `VALUES (...) AS alias (columns)`.
    pub(crate) row_alias: Option<(String, Vec<String>)>,
    pub(crate) on_duplicate: Vec<Assignment>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    pub(crate) ignore: bool,
    /// One table, or a join whose rows name the rows to change.
    pub(crate) tables: TableExpr,
    pub(crate) set: Vec<Assignment>,
    pub(crate) filter: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delete {
    pub(crate) ignore: bool,
    /// The tables whose rows go; empty: the only one of `tables`.
    pub(crate) targets: Vec<TableName>,
    pub(crate) tables: TableExpr,
    pub(crate) filter: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Expr>,
}
