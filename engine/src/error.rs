//! What can go wrong, at the engine's door: kinds a caller can act on, each with MySQL's number.

use btree::TreeError;
use buffer_pool::PoolError;
use protocol::contract::{LogError, ReadError};
use protocol::page::PageId;

/// Why an engine call did not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// 1062: a unique key exists already. The row was not written; the transaction goes on.
    #[error("Duplicate entry for key '{table}.{index}'")]
    Duplicate {
        /// The table's name.
        table: String,
        /// The index's name, `PRIMARY` for the primary key.
        index: String,
        /// The position of the index in `TableDef::indexes`.
        index_no: usize,
        /// The key's values, one per part.
        key: Vec<values::Value>,
    },
    /// 1452: a row refers to a parent row that is not there. Names child and constraint.
    #[error("Cannot add or update a child row: a foreign key constraint fails ({0})")]
    NoParentRow(String),
    /// 1451: a row is referred to. Names child and constraint.
    #[error("Cannot delete or update a parent row: a foreign key constraint fails ({0})")]
    HasChildRows(String),
    /// 3008.
    #[error("Foreign key cascade delete/update exceeds max depth of 15.")]
    CascadesTooDeep,
    /// What DDL refuses for a foreign key's sake, with MySQL's number and words.
    #[error("{text}")]
    ForeignKeyRefused {
        /// MySQL's number.
        code: u16,
        /// Its message.
        text: String,
    },
    /// 1205: a lock was not granted in time. The caller rolls back the statement.
    #[error("Lock wait timeout exceeded; try restarting transaction")]
    LockWaitTimeout,
    /// 3572: a lock is held and NOWAIT was asked for.
    #[error("Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.")]
    LockNowait,
    /// 1213: this transaction was chosen to end a deadlock. It is rolled back already; `Txn::is_open` is false.
    #[error("Deadlock found when trying to get lock; try restarting transaction")]
    Deadlock,
    /// 3058: named locks waited for in a circle. Nothing is rolled back.
    #[error(
        "Deadlock found when trying to get user-level lock; try rolling back transaction/releasing locks and restarting lock acquisition."
    )]
    UserLockDeadlock,
    /// 1317: KILL QUERY or KILL reached a wait.
    #[error("Query execution was interrupted")]
    Interrupted,
    /// 3024: the statement's deadline passed.
    #[error("Query execution was interrupted, maximum statement execution time exceeded")]
    DeadlinePassed,
    /// 1792: a write in a READ ONLY transaction.
    #[error("Cannot execute statement in a READ ONLY transaction.")]
    ReadOnly,
    /// 1412: the read view is older than what the definition's rows or indexes know of; retry the transaction.
    #[error("Table definition has changed, please retry transaction")]
    TableChanged,
    /// 1412: the definition is not the current one, found before anything was done with it: resolve again, also within a transaction.
    #[error("Table definition has changed, please retry transaction")]
    StaleTable,
    /// 1412: the transaction's read view held back more history than `sextant_max_history_bytes` and was ended. Its reads fail until it ends.
    #[error("Snapshot too old: kept history exceeds sextant_max_history_bytes, please retry transaction")]
    SnapshotTooOld,
    /// 1050.
    #[error("Table '{0}' already exists")]
    TableExists(String),
    /// 1146; the name is `schema.table`.
    #[error("Table '{0}' doesn't exist")]
    NoSuchTable(String),
    /// 1049.
    #[error("Unknown database '{0}'")]
    NoSuchSchema(String),
    /// 1007.
    #[error("Can't create database '{0}'; database exists")]
    SchemaExists(String),
    /// 1061.
    #[error("Duplicate key name '{0}'")]
    IndexExists(String),
    /// 1091.
    #[error("Can't DROP '{0}'; check that column/key exists")]
    NoSuchIndex(String),
    /// 1118: what stays inline of a row does not fit.
    #[error("Row size too large (> {limit}). Changing some columns to TEXT or BLOB may help.")]
    RowTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// 1071: an index key does not fit.
    #[error("Specified key was too long; max key length is {limit} bytes")]
    KeyTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// 1467: the auto-increment counter is exhausted.
    #[error("Failed to read auto-increment value from storage engine")]
    AutoIncrementExhausted,
    /// 1305: no savepoint of this name.
    #[error("SAVEPOINT {0} does not exist")]
    NoSuchSavepoint(String),
    /// 1213/40001: another writer opened the volume; nothing of this transaction will be committed here.
    #[error("this writer was fenced by a later epoch")]
    Fenced,
    /// 1053: the volume or the engine is closed.
    #[error("Server shutdown in progress")]
    Closed,
    /// 1030-like: stored bytes are not what they must be. Names the page and what is wrong; nothing was changed.
    #[error("corruption at page {page}: {what}")]
    Corruption {
        /// The page, zero when none is to blame.
        page: PageId,
        /// What is wrong.
        what: String,
    },
    /// A value could not be encoded for its column; `sql` converts before it writes, so this names a caller's mistake.
    #[error("value of column '{column}' does not fit its type: {what}")]
    BadValue {
        /// The column's name.
        column: String,
        /// What is wrong.
        what: String,
    },
}

impl EngineError {
    /// MySQL's error number.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Duplicate { .. } => 1062,
            Self::NoParentRow(_) => 1452,
            Self::HasChildRows(_) => 1451,
            Self::CascadesTooDeep => 3008,
            Self::ForeignKeyRefused { code, .. } => *code,
            Self::LockWaitTimeout => 1205,
            Self::LockNowait => 3572,
            Self::UserLockDeadlock => 3058,
            Self::Deadlock | Self::Fenced => 1213,
            Self::Interrupted => 1317,
            Self::DeadlinePassed => 3024,
            Self::ReadOnly => 1792,
            Self::TableChanged | Self::StaleTable | Self::SnapshotTooOld => 1412,
            Self::TableExists(_) => 1050,
            Self::NoSuchTable(_) => 1146,
            Self::NoSuchSchema(_) => 1049,
            Self::SchemaExists(_) => 1007,
            Self::IndexExists(_) => 1061,
            Self::NoSuchIndex(_) => 1091,
            Self::RowTooLong { .. } => 1118,
            Self::KeyTooLong { .. } => 1071,
            Self::AutoIncrementExhausted => 1467,
            Self::NoSuchSavepoint(_) => 1305,
            Self::Closed => 1053,
            Self::Corruption { .. } => 1030,
            Self::BadValue { .. } => 1105,
        }
    }

    /// Whether IGNORE makes a warning of it: a row that breaks a key. Nothing of the row was changed.
    #[must_use]
    pub fn is_ignorable(&self) -> bool {
        matches!(self, Self::Duplicate { .. } | Self::NoParentRow(_) | Self::HasChildRows(_))
    }

    /// Whether the transaction was rolled back (or can only be) when this came back.
    #[must_use]
    pub fn ends_transaction(&self) -> bool {
        matches!(self, Self::Deadlock | Self::Fenced | Self::Closed)
    }

    /// The SQLSTATE that belongs to [`EngineError::code`].
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self.code() {
            1062 | 1451 | 1452 => "23000",
            1213 => "40001",
            1317 => "70100",
            1792 => "25006",
            1050 => "42S01",
            1146 => "42S02",
            1235 | 1701 | 1049 | 1061 | 1091 | 1118 | 1071 | 1305 => "42000",
            1053 => "08S01",
            _ => "HY000",
        }
    }

    /// A [`EngineError::Corruption`] that blames `page`.
    #[must_use]
    pub fn corrupt(page: PageId, what: impl Into<String>) -> EngineError {
        EngineError::Corruption { page, what: what.into() }
    }
}

impl From<LogError> for EngineError {
    fn from(e: LogError) -> Self {
        match e {
            LogError::Fenced { .. } => Self::Fenced,
            LogError::Closed => Self::Closed,
        }
    }
}

impl From<ReadError> for EngineError {
    fn from(e: ReadError) -> Self {
        match e {
            ReadError::Fenced { .. } => Self::Fenced,
            ReadError::Closed => Self::Closed,
            ReadError::Forgotten { page, at } => {
                Self::corrupt(page, format!("version at {at} was forgotten"))
            }
        }
    }
}

/// The result of every engine call.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

impl From<PoolError> for EngineError {
    fn from(e: PoolError) -> Self {
        match e {
            PoolError::Log(e) => e.into(),
            PoolError::Read(e) => e.into(),
            PoolError::Torn => Self::Closed,
        }
    }
}

impl From<TreeError> for EngineError {
    fn from(e: TreeError) -> Self {
        match e {
            TreeError::Pool(e) => e.into(),
            // The tree was dropped by DDL after this definition was resolved.
            TreeError::Gone { .. } => Self::TableChanged,
            TreeError::Corrupt { page, what } => Self::corrupt(page, what),
            TreeError::KeyTooLong { max, .. } => Self::KeyTooLong { limit: max },
            TreeError::ValueTooLong { max, .. } => Self::RowTooLong { limit: max },
        }
    }
}
