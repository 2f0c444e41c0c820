//! Statements against an engine over an in-memory volume, in virtual time: what a client would see.

use crate::api::{
    Cell, ColumnMeta, Done, Flow, Host, Process, ResultSink, RowSource, SinkClosed, VirtualTable,
};
use crate::testing::login;
use crate::{Server, Session, SqlError};
use buffer_pool::testing::{Durability, MemoryVolume};
use engine::testing::{Executor, open};
use protocol::env::BoxFuture;
use std::sync::Arc;
use values::{ColumnType, TypeKind, Value};

mod access;
mod ddl;
mod explain;
mod joins;
mod limits;
mod locks;
mod pages;
mod privileges;
mod rows;
mod track;
mod transactions;

/// A sink that writes everything as text, one line per row, cells separated by `|`.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) columns: Vec<ColumnMeta>,
    pub(super) out: Vec<String>,
    pub(super) done: Option<Done>,
    pub(super) error: Option<SqlError>,
}

fn text(cell: &Cell<'_>, decimals: u8) -> String {
    let of = |v: &Value| values::convert::text::to_text(v, decimals).as_str().to_owned();
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Int(v) => v.to_string(),
        Cell::UInt(v) => v.to_string(),
        Cell::Float(v) => of(&Value::Float(*v)),
        Cell::Double(v) => of(&Value::Double(*v)),
        Cell::Decimal(v) => v.to_string(),
        Cell::Bytes(b) => String::from_utf8_lossy(b).into_owned(),
        Cell::Date(v) => of(&Value::Date(*v)),
        Cell::Time(v) => of(&Value::Time(*v)),
        Cell::DateTime(v) => of(&Value::DateTime(*v)),
    }
}

impl ResultSink for Lines {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
    }
    fn row(&mut self, row: &dyn RowSource) -> Flow {
        let cells: Vec<String> =
            self.columns.iter().enumerate().map(|(i, c)| text(&row.cell(i), c.decimals)).collect();
        self.out.push(cells.join("|"));
        Flow::Go
    }
    fn flush(&mut self) -> BoxFuture<'_, Result<(), SinkClosed>> {
        Box::pin(async { Ok(()) })
    }
    fn end(&mut self, done: &Done) {
        self.done = Some(done.clone());
    }
    fn ok(&mut self, done: &Done) {
        self.done = Some(done.clone());
    }
    fn error(&mut self, error: &SqlError) {
        self.error = Some(error.clone());
    }
}

/// The rows of an answer, its error as `ERROR code: text`, or `OK affected`.
fn text_of(lines: Lines) -> Vec<String> {
    if let Some(error) = lines.error {
        return vec![format!("ERROR {} ({}): {}", error.code, error.sqlstate, error.message)];
    }
    if lines.columns.is_empty() {
        return vec![format!("OK {}", lines.done.map_or(0, |d| d.affected_rows))];
    }
    lines.out
}

/// `sextant.numbers`: 1, 2, 3.
struct Numbers;

impl VirtualTable for Numbers {
    fn name(&self) -> &str {
        "numbers"
    }
    fn columns(&self) -> &[(&'static str, ColumnType, bool)] {
        const COLUMNS: &[(&str, ColumnType, bool)] =
            &[("n", ColumnType::integer(TypeKind::BigInt, true), false)];
        COLUMNS
    }
    fn rows(&self) -> BoxFuture<'_, Vec<Vec<Value>>> {
        Box::pin(async { (1..=3).map(|n| vec![Value::UInt(n)]).collect() })
    }
}

struct TestHost;

impl Host for TestHost {
    fn processes(&self) -> Vec<Process> {
        Vec::new()
    }
    fn kill(&self, _: u64, _: bool) -> bool {
        false
    }
    fn status(&self) -> Vec<(String, String)> {
        vec![("Uptime".to_owned(), "7".to_owned())]
    }
    fn variables(&self) -> Vec<(String, String)> {
        vec![("port".to_owned(), "3399".to_owned())]
    }
    fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>> {
        vec![Arc::new(Numbers)]
    }
    fn password_hash(&self, _: &str, password: &[u8]) -> Option<Vec<u8>> {
        Some(password.to_vec())
    }
}

/// A server over an empty in-memory volume.
pub(super) struct Rig {
    pub(super) executor: Executor,
    pub(super) server: Arc<Server>,
    sessions: u64,
}

impl Rig {
    pub(super) fn new() -> Rig {
        let executor = Executor::new(7);
        let volume = MemoryVolume::new(Durability::Instant);
        let server = executor.block_on(async {
            let engine = open(&volume, &executor, 512).await.expect("the engine opens");
            let server = Server::new(engine, executor.env(), Arc::new(TestHost));
            server.first_start().await.expect("accounts");
            server
        });
        let mut rig = Rig { executor, server, sessions: 0 };
        let mut session = rig.session();
        rig.run(&mut session, "CREATE DATABASE d");
        rig
    }

    /// A session of root with the default schema `d`, if it exists.
    pub(super) fn session(&mut self) -> Session {
        let schema = (self.sessions > 0).then(|| "d".to_owned());
        self.connect("root", "localhost", schema)
    }

    /// A session of `user`@`%` without a default schema.
    pub(super) fn session_as(&mut self, user: &str) -> Session {
        self.connect(user, "%", None)
    }

    fn connect(&mut self, user: &str, host: &str, schema: Option<String>) -> Session {
        self.sessions += 1;
        let mut info = login(self.sessions, user, "localhost");
        info.account.1 = host.into();
        info.schema = schema;
        info.multi_statements = true;
        self.executor.block_on(self.server.connect(info)).expect("the session starts")
    }

    pub(super) fn lines(&self, session: &mut Session, text: &str) -> Lines {
        let mut lines = Lines::default();
        self.executor.block_on(session.query(text.as_bytes(), &mut lines)).expect("the sink stays open");
        lines
    }

    /// The statement's rows, its error as `ERROR code: text`, or `OK affected`.
    pub(super) fn run(&self, session: &mut Session, text: &str) -> Vec<String> {
        text_of(self.lines(session, text))
    }

    /// Runs statements that must not fail.
    pub(super) fn all(&self, session: &mut Session, statements: &[&str]) {
        for statement in statements {
            let answer = self.run(session, statement);
            assert!(!answer.iter().any(|l| l.starts_with("ERROR")), "{statement}: {answer:?}");
        }
    }

    /// One value.
    pub(super) fn one(&self, session: &mut Session, text: &str) -> String {
        self.run(session, text).join("\n")
    }
}

#[test]
fn futures_are_send() {
    fn send<T: Send>(_: T) {}
    let mut rig = Rig::new();
    let mut session = rig.session();
    let mut lines = Lines::default();
    send(session.query(b"SELECT 1", &mut lines));
    send(session.prepare(b"SELECT 1"));
    let mut lines = Lines::default();
    send(session.execute(1, &[], &mut lines));
    send(session.close());
}

/// A connection keeps room for the future of a prepared statement, so that its execution allocates none.
#[test]
fn the_future_of_an_execution_is_small() {
    let mut rig = Rig::new();
    let mut session = rig.session();
    let mut lines = Lines::default();
    let size = size_of_val(&session.execute(1, &[], &mut lines));
    assert!(size <= 4 << 10, "{size} bytes");
}

#[test]
fn no_table_and_virtual_tables() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    assert_eq!(rig.one(&mut s, "SELECT 1+1"), "2");
    assert_eq!(rig.one(&mut s, "SELECT sum(n), count(*) FROM sextant.numbers WHERE n > 1"), "5|2");
    assert_eq!(rig.one(&mut s, "SELECT @@port, DATABASE(), USER()"), "3399|d|root@localhost");
    assert_eq!(rig.one(&mut s, "SELECT 1; SELECT 2"), "1\n2");
    assert_eq!(
        rig.one(&mut s, "SELECT * FROM information_schema.keywords"),
        "ERROR 1235 (42000): This version of MySQL doesn't yet support 'information_schema.KEYWORDS'"
    );
}
