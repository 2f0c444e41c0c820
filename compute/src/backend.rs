//! What a connection asks of SQL, as two traits: the product's are SQL's own types, the connection's own tests have a small one.
//!
//! The seam exists so that packets, authentication, TLS, time limits and shutdown are tested without a volume underneath. It costs
//! nothing: everything is generic, no future is boxed.

use sql::api::{ColumnMeta, ConnectInfo, Done, PreparedInfo, ResultSink, SinkClosed};
use sql::error::SqlError;
use std::future::Future;
use std::sync::Arc;
use values::Value;

/// An account, as authentication needs it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its user name, empty for the anonymous one.
    pub user: String,
    /// Its host pattern.
    pub host: String,
    /// Its authentication plugin's name.
    pub plugin: String,
    /// authentication_string.
    pub stored: Vec<u8>,
    /// ACCOUNT LOCK.
    pub locked: bool,
    /// May connect when all places are taken.
    pub admin: bool,
    /// REQUIRE SSL.
    pub needs_tls: bool,
    /// The password has to be changed before anything else.
    pub expired: bool,
}

/// All of SQL, shared by the connections.
pub trait Backend: Send + Sync + 'static {
    /// One client's session.
    type Session: Session;

    /// The account that `user` from `host` logs in to.
    fn account(
        &self,
        user: &str,
        host: &str,
    ) -> impl Future<Output = Result<Option<Account>, SqlError>> + Send;

    /// A global variable that is a number, as it is now; `None`: as at start.
    fn global_number(&self, _name: &str) -> Option<u64> {
        None
    }

    /// A session for a client that has proved who it is.
    fn connect(
        self: &Arc<Self>,
        info: ConnectInfo,
    ) -> impl Future<Output = Result<Self::Session, SqlError>> + Send;
}

/// Ends a session's statement, or the session, from outside.
pub trait Kill: Send + Sync {
    /// The running statement ends with 1317.
    fn kill_query(&self);
    /// The running statement ends, and every later one.
    fn kill_connection(&self);
}

/// One client's session. Dropping it without [`Session::close`] leaves its transaction to the next opening.
pub trait Session: Send + 'static {
    /// COM_QUERY: all statements of `text`, each answered through `sink`.
    fn query(
        &mut self,
        text: &[u8],
        sink: &mut dyn ResultSink,
    ) -> impl Future<Output = Result<(), SinkClosed>> + Send;

    /// COM_STMT_PREPARE.
    fn prepare(&mut self, text: &[u8]) -> impl Future<Output = Result<PreparedInfo, SqlError>> + Send;

    /// COM_STMT_EXECUTE.
    fn execute(
        &mut self,
        id: u32,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> impl Future<Output = Result<(), SinkClosed>> + Send;

    /// A character parameter in the client's character set.
    fn text_param(&self, text: &[u8]) -> Value;

    /// COM_STMT_CLOSE.
    fn close_statement(&mut self, id: u32);

    /// COM_INIT_DB.
    fn init_db(&mut self, name: &[u8]) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_FIELD_LIST.
    fn field_list(
        &mut self,
        table: &[u8],
        pattern: &[u8],
    ) -> impl Future<Output = Result<Vec<ColumnMeta>, SqlError>> + Send;

    /// COM_RESET_CONNECTION.
    fn reset(&mut self) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_CHANGE_USER, once authenticated.
    fn change_user(&mut self, info: ConnectInfo) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// COM_SET_OPTION.
    fn set_multi_statements(&mut self, on: bool);

    /// Status flags for OK and EOF packets.
    fn status(&self) -> u16;

    /// The default schema.
    fn schema(&self) -> Option<String>;

    /// How a command that is no statement ended: status and what it changed.
    fn settle(&mut self) -> Done;

    /// Rises when a SET may have changed what the connection reads here.
    fn sets(&self) -> u64 {
        0
    }

    /// A session variable that is a number; `None`: as at start.
    fn number(&self, _name: &str) -> Option<u64> {
        None
    }

    /// resultset_metadata is FULL.
    fn sends_definitions(&self) -> bool {
        true
    }

    /// Seconds the session may be idle.
    fn wait_timeout_s(&self) -> u64;

    /// True when the connection is to be closed after the answer (COMMIT RELEASE).
    fn is_closing(&self) -> bool {
        false
    }

    /// The handle that ends its statements.
    fn kill_handle(&self) -> Arc<dyn Kill>;

    /// Rolls back and frees what the session holds.
    fn close(self) -> impl Future<Output = ()> + Send;
}
