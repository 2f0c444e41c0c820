//! SQL, engine, trees and pool over a volume in memory, one task at a time in virtual time: no process, no socket, every byte repeats.

use buffer_pool::testing::MemoryVolume;
use engine::testing::{Executor, open};
use protocol::env::BoxFuture;
use sql::api::{
    ColumnMeta, ConnectInfo, Done, Flow, Host, Process, ResultSink, RowSource, SinkClosed, VirtualTable,
};
use sql::{Server, Session, SqlError};
use std::sync::Arc;

/// Keeps the error; results do not matter here.
#[derive(Default)]
pub(crate) struct Sink {
    /// The text of the error the statement ended with.
    pub(crate) error: Option<String>,
}

impl ResultSink for Sink {
    fn columns(&mut self, _: &[ColumnMeta]) {}
    fn row(&mut self, _: &dyn RowSource) -> Flow {
        Flow::Go
    }
    fn flush(&mut self) -> BoxFuture<'_, Result<(), SinkClosed>> {
        Box::pin(async { Ok(()) })
    }
    fn end(&mut self, _: &Done) {}
    fn ok(&mut self, _: &Done) {}
    fn error(&mut self, error: &SqlError) {
        self.error = Some(error.message.to_string());
    }
}

struct NoHost;

impl Host for NoHost {
    fn processes(&self) -> Vec<Process> {
        Vec::new()
    }
    fn kill(&self, _: u64, _: bool) -> bool {
        false
    }
    fn status(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    fn password_hash(&self, _: &str, password: &[u8]) -> Option<Vec<u8>> {
        Some(password.to_vec())
    }
    fn virtual_tables(&self) -> Vec<Arc<dyn VirtualTable>> {
        Vec::new()
    }
}

/// A session as root over a fresh volume in memory.
pub(crate) async fn connect(volume: &Arc<MemoryVolume>, executor: &Executor) -> Session {
    let engine = open(volume, executor, 512).await.expect("the engine opens");
    let server = Server::new(engine, executor.env(), Arc::new(NoHost));
    server.first_start().await.expect("accounts");
    let info = ConnectInfo {
        id: 1,
        user: "root".into(),
        host: "localhost".into(),
        account: ("root".into(), "localhost".into()),
        schema: None,
        collation: 255,
        found_rows: false,
        multi_statements: false,
        interactive: false,
        ignore_space: false,
        optional_metadata: false,
    };
    server.connect(info).await.expect("the session starts")
}
