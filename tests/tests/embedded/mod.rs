//! SQL, engine, trees and pool over a volume in memory, one task at a time in virtual time: no process, no socket, every byte repeats.

use buffer_pool::testing::MemoryVolume;
use engine::testing::{Executor, open};
use protocol::env::BoxFuture;
use sql::api::{ColumnMeta, Done, Flow, ResultSink, RowSource, SinkClosed};
use sql::testing::{NoHost, login};
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

/// A session as root over a fresh volume in memory.
pub(crate) async fn connect(volume: &Arc<MemoryVolume>, executor: &Executor) -> Session {
    let engine = open(volume, executor, 512).await.expect("the engine opens");
    let server = Server::new(engine, executor.env(), Arc::new(NoHost));
    server.first_start().await.expect("accounts");
    server.connect(login(1, "root", "localhost")).await.expect("the session starts")
}
