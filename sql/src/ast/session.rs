//! Statements about the session: transactions, SET, USE, SHOW.

use super::{AccountStatement, Expr, RoleChoice, TableName, TableRef, UserName, VarScope};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SessionStatement {
    Begin {
        read_only: Option<bool>,
        consistent_snapshot: bool,
    },
    Commit {
        chain: bool,
        release: bool,
    },
    Rollback {
        chain: bool,
        release: bool,
    },
    Savepoint(String),
    RollbackTo(String),
    ReleaseSavepoint(String),
    Use(String),
    Set(Vec<SetItem>),
    /// RESET PERSIST [[IF EXISTS] name]
    ResetPersist {
        name: Option<String>,
        if_exists: bool,
    },
    Kill {
        query: bool,
        id: Expr,
    },
    LockTables(Vec<LockedTable>),
    UnlockTables,
    Prepare {
        name: String,
        source: PrepareSource,
    },
    Execute {
        name: String,
        using: Vec<String>,
    },
    Deallocate(String),
}

/// A table in LOCK TABLES.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LockedTable {
    pub(crate) table: TableRef,
    /// WRITE, else READ.
    pub(crate) write: bool,
}

/// PREPARE name FROM 'text' or @variable.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PrepareSource {
    Text(Vec<u8>),
    Var(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SetItem {
    User {
        name: String,
        value: Expr,
    },
    /// `value` `None`: DEFAULT.
    System {
        scope: VarScope,
        name: String,
        value: Option<Expr>,
    },
    /// SET NAMES: `charset` `None` for DEFAULT.
    Names {
        charset: Option<String>,
        collation: Option<String>,
    },
    /// SET CHARACTER SET
    CharacterSet(Option<String>),
    /// `scope` Default: the next transaction only.
    Transaction {
        scope: VarScope,
        isolation: Option<Isolation>,
        read_only: Option<bool>,
    },
    Password {
        user: Option<UserName>,
        password: String,
    },
    /// SET ROLE
    Role(RoleChoice),
    /// SET DEFAULT ROLE
    DefaultRole(AccountStatement),
}

/// LIKE 'pattern' or WHERE expr of a SHOW.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ShowFilter {
    Like(Vec<u8>),
    Where(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Show {
    Databases(Option<ShowFilter>),
    Tables {
        schema: Option<String>,
        full: bool,
        filter: Option<ShowFilter>,
    },
    Columns {
        table: TableName,
        full: bool,
        filter: Option<ShowFilter>,
    },
    Index {
        table: TableName,
        filter: Option<ShowFilter>,
    },
    CreateTable(TableName),
    CreateView(TableName),
    CreateDatabase {
        name: String,
        if_not_exists: bool,
    },
    CreateUser(UserName),
    Variables {
        global: bool,
        filter: Option<ShowFilter>,
    },
    Status {
        global: bool,
        filter: Option<ShowFilter>,
    },
    Warnings {
        limit: Option<(u64, u64)>,
    },
    CountWarnings,
    Errors {
        limit: Option<(u64, u64)>,
    },
    CountErrors,
    ProcessList {
        full: bool,
    },
    TableStatus {
        schema: Option<String>,
        filter: Option<ShowFilter>,
    },
    /// What this server has none of: the columns, and the default schema is wanted.
    Nothing {
        columns: &'static [&'static str],
        in_schema: bool,
    },
    Engines,
    /// SHOW ENGINE name STATUS; MUTEX and LOGS (`false`) have no rows, as MySQL's mostly.
    Engine {
        name: String,
        status: bool,
    },
    Charset(Option<ShowFilter>),
    Collation(Option<ShowFilter>),
    /// With the roles of USING.
    Grants(Option<UserName>, Vec<UserName>),
    Plugins,
    Privileges,
}
