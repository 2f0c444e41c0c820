//! What compute sees: results go out through a [`ResultSink`], the server's surroundings come in through a [`Host`].
//!
//! ```text
//!   bytes of COM_QUERY ──> Session::query ──> sink.columns, sink.row*, sink.end | sink.ok | sink.error   (once per statement)
//!   COM_STMT_EXECUTE  ──> Session::execute ──> the same
//! ```
//! 1. Every statement ends with exactly one of `end` (a result set), `ok`, `error`. After an `error` nothing follows.
//! 2. A row is borrowed: the sink copies the cells it wants into its output before it returns.
//! 3. A sink that says [`Flow::Full`] is flushed (awaited) before the next row: no latch and no lock of the engine's pages is held then.

use crate::error::SqlError;
use protocol::env::BoxFuture;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use values::{Date, DateTime, Decimal, Time, Value};

/// MySQL's column flags (the protocol's bits).
pub mod flag {
    #![allow(missing_docs)]
    pub const NOT_NULL: u16 = 1;
    pub const PRI_KEY: u16 = 2;
    pub const UNIQUE_KEY: u16 = 4;
    pub const MULTIPLE_KEY: u16 = 8;
    pub const BLOB: u16 = 16;
    /// ENUM.
    pub const ENUM: u16 = 256;
    /// SET.
    pub const SET: u16 = 2048;
    pub const UNSIGNED: u16 = 32;
    pub const ZEROFILL: u16 = 64;
    pub const BINARY: u16 = 128;
    pub const AUTO_INCREMENT: u16 = 512;
    pub const TIMESTAMP: u16 = 1024;
    pub const NO_DEFAULT_VALUE: u16 = 4096;
    pub const ON_UPDATE_NOW: u16 = 8192;
    pub const PART_KEY: u16 = 16384;
    pub const NUM: u16 = 32768;
}

/// MySQL's status flags (the protocol's bits).
pub mod status {
    #![allow(missing_docs)]
    pub const IN_TRANS: u16 = 1;
    pub const AUTOCOMMIT: u16 = 2;
    pub const MORE_RESULTS: u16 = 8;
    pub const NO_GOOD_INDEX_USED: u16 = 16;
    pub const NO_INDEX_USED: u16 = 32;
    pub const LAST_ROW_SENT: u16 = 128;
    pub const DB_DROPPED: u16 = 256;
    pub const NO_BACKSLASH_ESCAPES: u16 = 512;
    pub const METADATA_CHANGED: u16 = 1024;
    pub const IN_TRANS_READONLY: u16 = 8192;
    pub const SESSION_STATE_CHANGED: u16 = 16384;
}

/// A result column's metadata, as the protocol carries it (the catalog is always `def`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Schema of the table, empty for an expression.
    pub schema: Arc<str>,
    /// Table or alias.
    pub table: Arc<str>,
    /// Table.
    pub org_table: Arc<str>,
    /// Column, alias or the expression's text.
    pub name: Arc<str>,
    /// Column.
    pub org_name: Arc<str>,
    /// Collation number: character_set_results' for text, 63 for the rest.
    pub collation: u16,
    /// Greatest length in bytes of the result's character set.
    pub length: u32,
    /// The protocol's type number (MYSQL_TYPE_*).
    pub type_code: u8,
    /// [`flag`]s.
    pub flags: u16,
    /// Digits behind the point; 31 when not fixed.
    pub decimals: u8,
    /// The five names, in this order, in character_set_results; `None`: they are sent as they stand above.
    pub encoded: Option<Arc<[Vec<u8>; 5]>>,
}

/// One cell on its way to the client.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// NULL
    Null,
    /// Signed integers (and YEAR as [`Cell::UInt`]).
    Int(i64),
    /// Unsigned integers.
    UInt(u64),
    /// FLOAT
    Float(f32),
    /// DOUBLE
    Double(f64),
    /// DECIMAL: text in both formats.
    Decimal(Decimal),
    /// Text, in character_set_results, or binary.
    Bytes(Cow<'a, [u8]>),
    /// DATE
    Date(Date),
    /// TIME, with the column's decimals.
    Time(Time),
    /// DATETIME, and TIMESTAMP in the session's time zone.
    DateTime(DateTime),
}

/// A row on its way to the client.
pub trait RowSource {
    /// Cell `i`, counted from 0, of the columns last announced.
    fn cell(&self, i: usize) -> Cell<'_>;
}

/// Can the sink take more rows?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Go,
    /// Not before [`ResultSink::flush`] has completed.
    Full,
}

/// The client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkClosed;

/// How a statement ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows changed (found, with CLIENT_FOUND_ROWS).
    pub affected_rows: u64,
    /// First AUTO_INCREMENT value of this statement, or what LAST_INSERT_ID(expr) set.
    pub last_insert_id: u64,
    /// [`status`] flags, MORE_RESULTS included.
    pub status: u16,
    /// Conditions that SHOW WARNINGS would list.
    pub warnings: u16,
    /// `Rows matched: 1  Changed: 1  Warnings: 0`
    pub info: String,
    /// The default schema, when the statement changed it (session tracking).
    pub schema_changed: Option<String>,
    /// System variables that the statement changed (session tracking): name and value.
    pub variables_changed: Vec<(String, String)>,
    /// Something in the session changed (session_track_state_change).
    pub state_changed: bool,
    /// The transaction's state, when it is another than the last one told (session_track_transaction_info).
    pub transaction_state: Option<String>,
    /// The statements that would start the transaction again, when they are others than the last ones told.
    pub transaction_characteristics: Option<String>,
}

/// Where results go: compute's packet writer, a test's vector.
pub trait ResultSink: Send {
    /// A result set begins.
    fn columns(&mut self, columns: &[ColumnMeta]);
    /// One row of it.
    fn row(&mut self, row: &dyn RowSource) -> Flow;
    /// Sends what is buffered.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), SinkClosed>>;
    /// The result set is complete.
    fn end(&mut self, done: &Done);
    /// A statement without a result set is done.
    fn ok(&mut self, done: &Done);
    /// The statement failed; `status` as in [`Done`].
    fn error(&mut self, error: &SqlError);
    /// May the client be asked for a file (CLIENT_LOCAL_FILES)?
    fn takes_local_files(&self) -> bool {
        false
    }
    /// Asks the client for the contents of its file `name`; then [`ResultSink::local_chunk`] must be called until it says `None`, also
    /// when the statement has failed: the client sends it all.
    fn local_file<'a>(&'a mut self, _name: &'a [u8]) -> BoxFuture<'a, Result<(), SinkClosed>> {
        Box::pin(async { Err(SinkClosed) })
    }
    /// The next bytes of the client's file, cut anywhere; `None` at its end.
    fn local_chunk(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, SinkClosed>> {
        Box::pin(async { Ok(None) })
    }
}

/// A connected client, as SHOW PROCESSLIST lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Connection id.
    pub id: u64,
    /// Account's user.
    pub user: String,
    /// `host:port`
    pub host: String,
    /// Default schema.
    pub schema: Option<String>,
    /// `Sleep`, `Query`, ...
    pub command: String,
    /// Seconds in this state.
    pub time_s: u64,
    /// What it does.
    pub state: String,
    /// Statement text.
    pub info: Option<String>,
}

/// Gives a file's next bytes at each call, `None` at its end; an error says why not.
pub type ReadFile = Box<dyn FnMut() -> Result<Option<Vec<u8>>, String> + Send>;
/// Takes bytes for a file; `None`: that was all, make it durable. An error says why not.
pub type WriteFile = Box<dyn FnMut(Option<&[u8]>) -> Result<(), String> + Send>;

/// Why a file of the server's machine is not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRefused {
    /// secure_file_priv.
    NotAllowed,
    /// It is not there, or cannot be read: what the system says.
    Missing(String),
    /// It is there already.
    Exists,
    /// It cannot be made: what the system says.
    Failed(String),
}

/// What the server around the sessions supplies.
pub trait Host: Send + Sync {
    /// Connected clients in id order.
    fn processes(&self) -> Vec<Process>;
    /// Ends a connection or its statement; false when there is no such connection.
    fn kill(&self, connection: u64, query_only: bool) -> bool;
    /// SHOW STATUS: server-wide counters, name and value.
    fn status(&self) -> Vec<(String, String)>;
    /// Start-up values of system variables (port, socket, datadir, ...): name and value. They override the built-in ones.
    fn variables(&self) -> Vec<(String, String)>;
    /// What SET PERSIST kept, by variable.
    fn persisted(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// Keeps `all` of it, durably; what was kept before is gone.
    ///
    /// # Errors
    /// Why it could not be written.
    fn persist(&self, _all: &BTreeMap<String, String>) -> Result<(), String> {
        Err("this server has no place for it".to_owned())
    }
    /// A setting that only a start applies: its text in standard spelling, or what is wrong with it. `None`: there is no such setting, or it
    /// may not be persisted.
    fn start_setting(&self, _name: &str, _text: &str) -> Option<Result<String, String>> {
        None
    }
    /// Opens a file of the server's machine to read, where secure_file_priv allows it.
    fn open_file(&self, _name: &str) -> Result<ReadFile, FileRefused> {
        Err(FileRefused::NotAllowed)
    }
    /// Makes a file on the server's machine, where secure_file_priv allows it and there is none yet.
    fn create_file(&self, _name: &str) -> Result<WriteFile, FileRefused> {
        Err(FileRefused::NotAllowed)
    }
    /// The authentication string of a password for an authentication plugin; `None` for a plugin that is not there.
    fn password_hash(&self, plugin: &str, password: &[u8]) -> Option<Vec<u8>>;
    /// Tables of the schema `sextant`.
    fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>>;
}

/// A read-only table whose rows are made when it is read: `sextant.segments` and its kind.
pub trait VirtualTable: Send + Sync {
    /// Its name in the schema `sextant`.
    fn name(&self) -> &str;
    /// Its columns: name, type, nullable.
    fn columns(&self) -> &[(&'static str, values::ColumnType, bool)];
    /// The rows now, one value per column.
    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>>;
}

/// Who connects, how; known once the client is authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectInfo {
    /// The connection's id.
    pub id: u64,
    /// The user name as given.
    pub user: String,
    /// The client's host (an address, or `localhost`).
    pub host: String,
    /// The account that matched: user and host.
    pub account: (String, String),
    /// Default schema.
    pub schema: Option<String>,
    /// Collation number of the handshake.
    pub collation: u16,
    /// CLIENT_FOUND_ROWS
    pub found_rows: bool,
    /// CLIENT_MULTI_STATEMENTS
    pub multi_statements: bool,
    /// CLIENT_INTERACTIVE
    pub interactive: bool,
    /// CLIENT_IGNORE_SPACE
    pub ignore_space: bool,
    /// CLIENT_OPTIONAL_RESULTSET_METADATA
    pub optional_metadata: bool,
    /// Inside TLS: its version and cipher, as OpenSSL calls them.
    pub tls: Option<(&'static str, &'static str)>,
}

/// What COM_STMT_PREPARE answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedInfo {
    /// The statement's id.
    pub id: u32,
    /// One entry per `?`.
    pub params: Vec<ColumnMeta>,
    /// The result's columns; empty when it has none.
    pub columns: Vec<ColumnMeta>,
    /// Warnings of the preparation.
    pub warnings: u16,
}
