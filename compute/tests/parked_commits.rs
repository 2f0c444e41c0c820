//! Ten thousand sessions wait for their commits to become durable, on two worker threads; the workers go on with other work meanwhile.
//!
//! The engine and SQL are the product's, tokio is the product's; only the volume is one in memory, because there a test can hold VDL still.

use buffer_pool::testing::{Durability, MemoryVolume};
use buffer_pool::{BufferPool, PoolConfig};
use engine::Engine;
use protocol::Lsn;
use protocol::contract::LogWriter;
use protocol::env::{BoxFuture, Env};
use sextant::env::TokioEnv;
use sql::api::{ColumnMeta, Done, Flow, ResultSink, RowSource, SinkClosed};
use sql::error::SqlError;
use sql::testing::{NoHost, login};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const SESSIONS: u64 = 10_000;

/// Counts answers.
#[derive(Default)]
struct Answers {
    ok: u64,
    rows: u64,
    errors: Vec<SqlError>,
}

impl ResultSink for Answers {
    fn columns(&mut self, _: &[ColumnMeta]) {}
    fn row(&mut self, _: &dyn RowSource) -> Flow {
        self.rows += 1;
        Flow::Go
    }
    fn flush(&mut self) -> BoxFuture<'_, Result<(), SinkClosed>> {
        Box::pin(async { Ok(()) })
    }
    fn end(&mut self, _: &Done) {
        self.ok += 1;
    }
    fn ok(&mut self, _: &Done) {
        self.ok += 1;
    }
    fn error(&mut self, error: &SqlError) {
        self.errors.push(error.clone());
    }
}

async fn session(server: &Arc<sql::Server>, id: u64) -> sql::Session {
    server.connect(login(id, "root", "localhost")).await.expect("a session")
}

async fn run(session: &mut sql::Session, text: &str) -> Answers {
    let mut answers = Answers::default();
    session.query(text.as_bytes(), &mut answers).await.expect("the sink stays open");
    assert!(answers.errors.is_empty(), "{text}: {:?}", answers.errors);
    answers
}

/// Makes everything durable that there is, until `flowing` is false.
async fn flow(volume: Arc<MemoryVolume>, flowing: Arc<AtomicBool>) {
    while flowing.load(Ordering::Acquire) {
        volume.advance(volume.last_lsn());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Duration::from_secs(300);
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| panic!("{what}: not within {patience:?}"));
}

#[test]
fn ten_thousand_sessions_park_on_two_workers() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(runtime.spawn(park(runtime.handle().clone()))).unwrap();
}

async fn park(handle: tokio::runtime::Handle) {
    let env: Arc<dyn Env> = Arc::new(TokioEnv::new(handle));
    // Room for every commit of the test: nobody may wait for log credit, all for durability.
    let volume = MemoryVolume::with(Durability::Manual, 256 << 20, 0);
    let flowing = Arc::new(AtomicBool::new(true));
    let flow_task = tokio::spawn(flow(volume.clone(), flowing.clone()));
    // Each of them holds an undo page that may not leave the pool before VDL has passed it.
    let pool = BufferPool::new(PoolConfig { frames: 16_384 }, volume.clone(), volume.clone(), None);
    let engine = Engine::open(pool, volume.clone(), env.clone(), engine::Settings::default()).await.unwrap();
    let server = sql::Server::new(engine.clone(), env, Arc::new(NoHost));
    server.first_start().await.unwrap();
    let mut root = session(&server, 1).await;
    run(&mut root, "CREATE DATABASE d").await;
    run(&mut root, "CREATE TABLE d.t (id INT PRIMARY KEY)").await;
    flowing.store(false, Ordering::Release);
    flow_task.await.unwrap();

    let answered = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for i in 0..SESSIONS {
        let (server, answered) = (server.clone(), answered.clone());
        tasks.push(tokio::spawn(async move {
            let mut session = session(&server, i + 2).await;
            run(&mut session, &format!("INSERT INTO d.t VALUES ({i})")).await;
            answered.fetch_add(1, Ordering::Relaxed);
            session.close().await;
        }));
    }
    until("all sessions are parked", || engine.status().parked_commits as u64 == SESSIONS).await;
    assert_eq!(answered.load(Ordering::Relaxed), 0, "nobody is answered before his commit is durable");
    // The two workers are free: another session is served while ten thousand wait.
    assert_eq!(run(&mut root, "SELECT 1 + 1").await.rows, 1);

    volume.advance(Lsn(u64::MAX));
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(answered.load(Ordering::Relaxed), SESSIONS);
    assert_eq!(engine.status().parked_commits, 0);
    assert_eq!(run(&mut root, "SELECT id FROM d.t").await.rows, SESSIONS);
}
