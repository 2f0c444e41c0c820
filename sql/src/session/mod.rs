//! One client's session: its variables, its transaction, its prepared statements; and the server all sessions share.
//!
//! 1. A session runs one statement at a time; every statement ends with one `end`, `ok` or `error` of the sink.
//! 2. Outside a transaction each statement commits by itself; its answer waits until the commit is durable.
//! 3. A failed statement undoes its own writes; an error that ends the transaction (deadlock) has done so already.
//! 4. Dropping a session leaves no lock behind: an open transaction with changes is rolled back by the engine.

mod algorithm;
mod alter;
pub(crate) mod context;
mod create_select;
mod ddl;
mod dispatch;
mod kill;
mod load;
mod persist;
mod prepared;
mod privilege;
mod resolve;
mod set;
mod show;
mod tables;
pub(crate) mod track;
mod transaction;
mod view;

use crate::account::Account;
use crate::api::{ColumnMeta, ConnectInfo, Done, Host, PreparedInfo, ResultSink, SinkClosed, status};
use crate::error::{Result, SqlError, syntax};
use crate::exec::memory::Pool;
use crate::parse;
use crate::variable::{Charset, Settings, Values, find, variable};
use context::{Context, Diagnostics, Strictness};
use engine::{Engine, MetadataHolder, Txn};
pub use kill::KillHandle;
use prepared::Prepared;
use protocol::env::Env;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use values::Value;

/// What all sessions share.
pub struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) host: Arc<dyn Host>,
    /// Values of the global variables, and a count of their changes: sessions read them again only then.
    globals: RwLock<Values>,
    globals_version: AtomicU64,
    /// What SET PERSIST keeps.
    persisted: Mutex<BTreeMap<String, String>>,
    pub(crate) memory: Arc<Pool>,
    /// Rises with every change of an account: sessions then read theirs again.
    pub(crate) accounts_version: AtomicU64,
}

impl Server {
    /// A server over `engine`; `host` supplies what lies outside of SQL.
    pub fn new(engine: Arc<Engine>, env: Arc<dyn Env>, host: Arc<dyn Host>) -> Arc<Server> {
        let mut globals = Values::defaults();
        for (name, value) in host.variables() {
            globals.put_named(&name, &value);
        }
        let persisted = host.persisted();
        for (name, value) in &persisted {
            // Read-only ones are settings: the host has applied them.
            if find(name).is_some_and(|index| !variable(index).kind.is_read_only()) {
                globals.put_named(name, value);
            }
        }
        Arc::new(Server {
            engine,
            env,
            host,
            globals: RwLock::new(globals),
            globals_version: AtomicU64::new(1),
            persisted: Mutex::new(persisted),
            memory: Arc::new(Pool::default()),
            accounts_version: AtomicU64::new(1),
        })
    }

    /// Bytes that running queries hold (of the budget of 256 MiB).
    pub fn query_memory(&self) -> usize {
        self.memory.used()
    }

    pub(crate) fn globals(&self) -> Values {
        self.globals.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_global(&self, index: usize, text: &str) {
        self.globals.write().unwrap_or_else(PoisonError::into_inner).put(index, text);
        self.globals_version.fetch_add(1, Ordering::AcqRel);
    }

    /// The value of a global variable as SHOW VARIABLES prints it; empty for a name that is none.
    pub fn global(&self, name: &str) -> String {
        self.globals().named(name).to_owned()
    }

    /// The engine below.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// A session for an authenticated client. 1049 for an unknown schema.
    pub async fn connect(self: &Arc<Self>, info: ConnectInfo) -> Result<Session> {
        let mut session = Session {
            context: new_context(self, &info),
            server: self.clone(),
            txn: None,
            explicit: false,
            next_isolation: None,
            next_read_only: None,
            read_only: false,
            prepared: HashMap::new(),
            named: HashMap::new(),
            next_statement: 0,
            kill: Arc::new(KillHandle::new()),
            holder: self.engine.metadata_holder(info.id as u32),
            locked: None,
            rows_sent: false,
            privileges: None,
            roles_chosen: false,
            sets: 0,
            globals_seen: 0,
            rows_examined: 0,
            deprecated: Vec::new(),
            scratch: crate::exec::cursor::Scratch::default(),
            multi_statements: info.multi_statements,
            closing: false,
            schema_changed: false,
            variables_changed: Vec::new(),
            tracker: track::Tracker::default(),
            optional_metadata: info.optional_metadata,
        };
        session.context.random = self.env.random();
        if let Some(schema) = &info.schema {
            session.init_db(schema).await?;
        }
        session.schema_changed = false;
        Ok(session)
    }
}

fn new_context(server: &Server, info: &ConnectInfo) -> Context {
    let globals = server.globals();
    let mut variables = globals.clone();
    let (charset, collation) = Charset::of_collation(info.collation);
    for name in ["character_set_client", "character_set_connection", "character_set_results"] {
        variables.put_named(name, charset.name());
    }
    variables.put_named("collation_connection", collation.name());
    if info.interactive {
        let interactive = variables.named("interactive_timeout").to_owned();
        variables.put_named("wait_timeout", &interactive);
    }
    variables.put_named("pseudo_thread_id", &info.id.to_string());
    let known = matches!(info.collation, 255 | 46 | 45 | 63 | 33 | 83 | 8 | 47 | 11 | 65 | 224..=323);
    Context {
        connection_id: info.id,
        user: info.user.clone(),
        host: info.host.clone(),
        account: info.account.clone(),
        roles: std::collections::BTreeSet::new(),
        schema: None,
        found_rows_flag: info.found_rows,
        tls: info.tls,
        settings: Settings::of(&variables),
        variables,
        globals,
        results_collation: if known { info.collation } else { 255 },
        user_variables: HashMap::new(),
        entropy: crate::function::cipher::Entropy(Arc::clone(&server.env)),
        patterns: Default::default(),
        diagnostics: Diagnostics::default(),
        last_insert_id: 0,
        set_insert_id: None,
        row_count: 0,
        found_rows: 0,
        now_us: 0,
        random: info.id,
        seeded: HashMap::new(),
        strictness: Strictness::Lenient,
        written: Arc::from(""),
        row_number: 0,
        locks: None,
        convert: values::convert::Context::DEFAULT,
    }
}

/// One client's session.
pub struct Session {
    pub(crate) server: Arc<Server>,
    pub(crate) context: Context,
    txn: Option<Txn>,
    /// BEGIN was said (or a write happened with autocommit off).
    explicit: bool,
    /// SET TRANSACTION for the next one only.
    next_isolation: Option<crate::ast::Isolation>,
    next_read_only: Option<bool>,
    /// The running transaction is READ ONLY.
    read_only: bool,
    prepared: HashMap<u32, Prepared>,
    /// PREPARE name: ids into `prepared`.
    named: HashMap<String, u32>,
    next_statement: u32,
    kill: Arc<KillHandle>,
    /// This session among the metadata locks.
    holder: Arc<MetadataHolder>,
    /// LOCK TABLES.
    locked: Option<tables::LockedTables>,
    /// The running query has sent rows.
    rows_sent: bool,
    /// This session's account as of a version of [`Server::accounts_version`].
    privileges: Option<(u64, Option<Account>)>,
    /// SET ROLE was said: the account's default roles no longer matter.
    roles_chosen: bool,
    /// SET statements so far.
    sets: u64,
    /// Rows that this session's queries were given by the engine.
    rows_examined: u64,
    /// Warnings of the parser for the statement about to run.
    deprecated: Vec<(u16, &'static str)>,
    scratch: crate::exec::cursor::Scratch,
    /// The version of the global values that `context.globals` holds.
    globals_seen: u64,
    multi_statements: bool,
    /// COMMIT RELEASE and KILL of oneself: the connection is to be closed after the answer.
    closing: bool,
    schema_changed: bool,
    variables_changed: Vec<(String, String)>,
    tracker: track::Tracker,
    /// The client can do without column definitions.
    optional_metadata: bool,
}

impl Session {
    /// Runs the statements of a COM_QUERY. Errors go to the sink; `Err` only when the client is gone.
    pub async fn query(
        &mut self,
        text: &[u8],
        sink: &mut dyn ResultSink,
    ) -> std::result::Result<(), SinkClosed> {
        let decoded = self.context.settings.client.decode(text).into_owned();
        let mut rest: &[u8] = &decoded;
        let mut first = true;
        loop {
            let mode = self.context.settings.lex_mode();
            let parsed = match parse::parse(rest, 0, mode) {
                Ok(Some(parsed)) => parsed,
                Ok(None) if first => {
                    self.fail(SqlError::new(1065, "Query was empty"), sink);
                    return Ok(());
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.fail(error, sink);
                    return Ok(());
                }
            };
            let more = !parse::is_blank(rest, parsed.next, mode);
            if more && !self.multi_statements {
                self.fail(syntax(rest, next_token(rest, parsed.next)), sink);
                return Ok(());
            }
            self.deprecated = parsed.deprecated;
            if parsed.params > 0 {
                self.fail(syntax(rest, rest.iter().position(|b| *b == b'?').unwrap_or(0)), sink);
                return Ok(());
            }
            match self.run_statement(&parsed.statement, &[], more, sink).await {
                Ok(()) => {}
                Err(error) if error.code == crate::exec::output::CLIENT_GONE => return Err(SinkClosed),
                Err(error) => {
                    self.fail(error, sink);
                    return Ok(());
                }
            }
            if !more || self.closing {
                return Ok(());
            }
            rest = &rest[parsed.next..];
            first = false;
        }
    }

    /// Makes `context.globals` current.
    pub(crate) fn read_globals(&mut self) {
        let version = self.server.globals_version.load(Ordering::Acquire);
        if self.globals_seen != version {
            self.globals_seen = version;
            self.context.globals = self.server.globals();
        }
    }

    /// Reports an error to the client and to SHOW WARNINGS.
    fn fail(&mut self, error: SqlError, sink: &mut dyn ResultSink) {
        self.context.row_count = -1;
        self.context.warn(values::Level::Error, error.code, error.message.clone());
        sink.error(&error);
    }

    /// Prepares one statement.
    pub async fn prepare(&mut self, text: &[u8]) -> Result<PreparedInfo> {
        let decoded = self.context.settings.client.decode(text).into_owned();
        self.context.diagnostics.clear();
        let prepared = self.prepare_text(&decoded).await;
        if let Err(error) = &prepared {
            self.context.warn(values::Level::Error, error.code, error.message.clone());
        }
        prepared
    }

    /// Runs a prepared statement with the values of its parameters.
    pub async fn execute(
        &mut self,
        id: u32,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> std::result::Result<(), SinkClosed> {
        match self.execute_prepared(id, params, sink).await {
            Ok(()) => Ok(()),
            Err(error) if error.code == crate::exec::output::CLIENT_GONE => Err(SinkClosed),
            Err(error) => {
                self.fail(error, sink);
                Ok(())
            }
        }
    }

    /// Is there a prepared statement of this number?
    pub fn has_statement(&self, id: u32) -> bool {
        self.prepared.contains_key(&id)
    }

    /// Number of parameters of a prepared statement.
    pub fn statement_params(&self, id: u32) -> Option<u16> {
        self.prepared.get(&id).map(|p| p.params)
    }

    /// Forgets a prepared statement.
    pub fn close_statement(&mut self, id: u32) {
        self.prepared.remove(&id);
    }

    /// A text parameter: bytes in character_set_client.
    pub fn text_param(&self, bytes: &[u8]) -> Value {
        let decoded = self.context.settings.client.decode(bytes);
        match std::str::from_utf8(&decoded) {
            Ok(text) => Value::text(text),
            Err(_) => Value::bytes(bytes),
        }
    }

    /// The switch that ends this session's running statement.
    pub fn kill_handle(&self) -> Arc<KillHandle> {
        self.kill.clone()
    }

    /// True when the connection is to be closed after the answer (COMMIT RELEASE, KILL).
    pub fn is_closing(&self) -> bool {
        self.closing || self.kill.is_killed()
    }

    /// [`status`] flags now.
    pub fn status(&self) -> u16 {
        let mut flags = 0;
        if self.context.settings.autocommit {
            flags |= status::AUTOCOMMIT;
        }
        if self.in_transaction() {
            flags |= status::IN_TRANS;
            if self.read_only {
                flags |= status::IN_TRANS_READONLY;
            }
        }
        if self.context.settings.lex_mode().no_backslash_escapes {
            flags |= status::NO_BACKSLASH_ESCAPES;
        }
        flags
    }

    /// Rows that the engine gave to this session's queries since it started: what EXPLAIN's `rows` estimates.
    pub fn rows_examined(&self) -> u64 {
        self.rows_examined
    }

    /// Conditions of the last statement.
    pub fn warnings(&self) -> u16 {
        u16::try_from(self.context.diagnostics.count).unwrap_or(u16::MAX)
    }

    /// The default schema.
    pub fn schema(&self) -> Option<String> {
        self.context.schema.as_deref().map(str::to_owned)
    }

    /// The value of a session variable as SHOW VARIABLES prints it; compute reads its timeouts here.
    pub fn variable(&self, name: &str) -> Option<String> {
        crate::variable::find(name).map(|i| self.context.variables.text(i).to_owned())
    }

    /// Rises when a SET may have changed what the connection reads of the session's variables.
    pub fn sets(&self) -> u64 {
        self.sets
    }

    /// Seconds after which an idle connection is closed.
    pub fn wait_timeout_s(&self) -> u64 {
        self.context.variables.named("wait_timeout").parse().unwrap_or(28_800)
    }

    /// Greatest packet, in bytes.
    pub fn max_allowed_packet(&self) -> u64 {
        self.context.settings.max_allowed_packet
    }

    /// CLIENT_MULTI_STATEMENTS by COM_SET_OPTION.
    pub fn set_option_multi_statements(&mut self, on: bool) {
        self.multi_statements = on;
    }

    /// COM_INIT_DB, and USE: 1049 for an unknown schema.
    pub async fn init_db(&mut self, schema: &str) -> Result<()> {
        self.use_schema(schema).await
    }

    /// COM_RESET_CONNECTION: rolls back, forgets variables and prepared statements, keeps the schema.
    pub async fn reset(&mut self) -> Result<()> {
        self.roll_back().await?;
        let info = ConnectInfo {
            id: self.context.connection_id,
            user: self.context.user.clone(),
            host: self.context.host.clone(),
            account: self.context.account.clone(),
            schema: None,
            collation: self.context.results_collation,
            found_rows: self.context.found_rows_flag,
            multi_statements: self.multi_statements,
            interactive: false,
            ignore_space: false,
            optional_metadata: self.optional_metadata,
            tls: self.context.tls,
        };
        let schema = self.context.schema.take();
        self.forget(&info);
        self.context.schema = schema;
        Ok(())
    }

    fn forget(&mut self, info: &ConnectInfo) {
        self.locked = None;
        self.context = new_context(&self.server, info);
        self.context.random = self.server.env.random();
        self.prepared.clear();
        self.named.clear();
        self.next_isolation = None;
        self.next_read_only = None;
        self.privileges = None;
        self.roles_chosen = false;
        self.multi_statements = info.multi_statements;
        self.optional_metadata = info.optional_metadata;
        self.schema_changed = false;
        self.variables_changed.clear();
        self.tracker = track::Tracker::default();
    }

    /// COM_CHANGE_USER, once the new user is authenticated.
    pub async fn change_user(&mut self, info: ConnectInfo) -> Result<()> {
        self.roll_back().await?;
        self.forget(&info);
        match &info.schema {
            Some(schema) => self.init_db(schema).await,
            None => Ok(()),
        }
    }

    /// COM_FIELD_LIST: the columns of `table` whose names match `pattern`.
    pub async fn field_list(&mut self, table: &[u8], pattern: &[u8]) -> Result<Vec<ColumnMeta>> {
        self.read_privileges().await?;
        let name = String::from_utf8_lossy(table).into_owned();
        self.columns_of(&name, pattern).await
    }

    /// Rolls back what is open; call it when the connection ends.
    pub async fn close(mut self) {
        // A failure to roll back is the engine's to clean up: dropping the transaction aborts it.
        let _ = self.roll_back().await;
    }

    /// The end of a command that is no statement: the status, and what it changed in the session.
    pub fn settle(&mut self) -> Done {
        Done { warnings: 0, ..self.done(0, 0, String::new(), false) }
    }

    /// The end of a statement without a result set.
    pub(crate) fn done(&mut self, affected_rows: u64, last_insert_id: u64, info: String, more: bool) -> Done {
        let schema_changed = if std::mem::take(&mut self.schema_changed) { self.schema() } else { None };
        let tracked = self.tracked();
        let mut status = self.status();
        if more {
            status |= status::MORE_RESULTS;
        }
        Done {
            affected_rows,
            last_insert_id,
            status,
            warnings: self.warnings(),
            info,
            schema_changed,
            variables_changed: std::mem::take(&mut self.variables_changed),
            state_changed: tracked.changed,
            transaction_state: tracked.state,
            transaction_characteristics: tracked.characteristics,
        }
    }
}

/// Where the token behind `from` starts.
fn next_token(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|b| b.is_ascii_whitespace()).count()
}

#[cfg(test)]
mod tests;
