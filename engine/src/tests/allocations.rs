//! How often the hot paths ask the allocator: counted, not timed, so the figures hold on any machine.
//!
//! The log is left out of the count: here it is a test's own, which keeps every record.

use super::basics::*;
use crate::testing::Executor;
use crate::*;
use allocation_counter::{measure, opt_out};
use buffer_pool::testing::{Durability, MemoryVolume};
use buffer_pool::{BufferPool, PoolConfig};
use protocol::contract::{Credit, LogError, LogWriter, MtrRecord, VdlObserver};
use protocol::env::BoxFuture;
use protocol::{Lsn, PageId, VolumeEpoch};
use std::sync::Arc;
use values::Value;

/// A log whose own allocations are not counted.
struct Quiet(Arc<MemoryVolume>);

impl LogWriter for Quiet {
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError> {
        self.0.try_reserve(bytes)
    }
    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>> {
        self.0.reserve(bytes)
    }
    fn append(&self, credit: Credit, records: &mut [MtrRecord<'_>], commit: bool) -> Result<Lsn, LogError> {
        let mut done = None;
        opt_out(|| done = Some(self.0.append(credit, records, commit)));
        done.expect("invariant: opt_out runs what it is given")
    }
    fn vdl(&self) -> Lsn {
        self.0.vdl()
    }
    fn last_lsn(&self) -> Lsn {
        self.0.last_lsn()
    }
    fn wait_durable(&self, lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>> {
        self.0.wait_durable(lsn)
    }
    fn observe(&self, observer: Arc<dyn VdlObserver>) {
        self.0.observe(observer);
    }
    fn epoch(&self) -> VolumeEpoch {
        self.0.epoch()
    }
    fn ensure_pages(&self, last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        self.0.ensure_pages(last)
    }
    fn release_below(&self, lsn: Lsn) {
        self.0.release_below(lsn);
    }
}

const ROWS: i64 = 1000;

/// A table of a thousand rows with an index on `k`.
fn fill(executor: &Executor) -> (Arc<Engine>, Arc<TableDef>) {
    executor.block_on(async {
        let volume = MemoryVolume::new(Durability::Instant);
        let log: Arc<dyn LogWriter> = Arc::new(Quiet(volume.clone()));
        let pool = BufferPool::new(PoolConfig { frames: 1024 }, Arc::clone(&log), volume, None);
        let engine = Engine::open(pool, log, executor.env(), Settings::default()).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let t = engine.dictionary().create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        for id in 0..ROWS {
            txn.insert(&t, &row(id, id % 100, "a name of usual length")).await.unwrap();
        }
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(1_000_000).await;
        (engine, t)
    })
}

/// Allocations per turn of `task`, which was run as often before, so that what is kept for reuse is there.
fn per_turn(executor: &Executor, turns: i64, mut task: impl AsyncFnMut(i64)) -> f64 {
    let mut run = || {
        executor.block_on(async {
            for turn in 0..turns {
                task(turn).await;
            }
        });
    };
    run();
    measure(run).count_total as f64 / turns as f64
}

fn options(engine: &Engine, kill: &Arc<KillSwitch>) -> TxnOptions {
    // As a session does: it has one holder of metadata locks for all its transactions.
    thread_local! {
        static HOLDER: std::cell::OnceCell<Arc<MetadataHolder>> = const { std::cell::OnceCell::new() };
    }
    let holder = HOLDER.with(|h| Arc::clone(h.get_or_init(|| engine.metadata_holder(1))));
    TxnOptions { kill: Some(Arc::clone(kill)), holder: Some(holder), ..TxnOptions::default() }
}

#[test]
fn a_point_select_takes_no_more_than_four() {
    let executor = Executor::new(1);
    let (engine, t) = fill(&executor);
    let (kill, mut batch, mut key) = (Arc::new(KillSwitch::new()), RowBatch::new(), Vec::new());
    let mut select = async |index: usize, value: i64| {
        let mut txn = engine.begin(options(&engine, &kill));
        key.clear();
        encode_index_key(&t, index, &[Value::Int(value)], &mut key);
        batch.clear();
        assert!(txn.get(&t, index, &key, LockMode::None, &mut batch).await.unwrap(), "{value}");
        txn.commit().await.unwrap();
    };
    let count = per_turn(&executor, 500, async |i| select(0, i).await);
    println!("point select by primary key: {count}");
    assert!(count <= 1.0, "{count} allocations a point select by primary key");
    let count = per_turn(&executor, 500, async |i| select(1, i % 100).await);
    println!("point select by index: {count}");
    assert!(count <= 4.0, "{count} allocations a point select by a secondary index");
}

#[test]
fn a_scan_takes_none_for_a_row() {
    let executor = Executor::new(2);
    let (engine, t) = fill(&executor);
    let (kill, mut batch) = (Arc::new(KillSwitch::new()), RowBatch::new());
    for (index, lock) in [(0, LockMode::None), (1, LockMode::None)] {
        let count = per_turn(&executor, 20, async |_| {
            let mut txn = engine.begin(options(&engine, &kill));
            let all = KeyRange::all();
            let mut scan = txn.scan(&t, index, &all, Direction::Forward, lock, ColumnSet::All);
            let mut rows = 0;
            loop {
                batch.clear();
                match scan.next(&mut txn, &mut batch).await.unwrap() {
                    0 => break,
                    n => rows += n,
                }
            }
            assert_eq!(rows, ROWS as usize);
            txn.commit().await.unwrap();
        });
        println!("scan of {ROWS} rows by index {index}: {count}");
        assert!(count <= 60.0, "{count} allocations a scan of {ROWS} rows by index {index}");
    }
}

#[test]
fn an_update_takes_none_for_a_row() {
    let executor = Executor::new(3);
    let (engine, t) = fill(&executor);
    let (kill, mut batch, mut key) = (Arc::new(KillSwitch::new()), RowBatch::new(), Vec::new());
    let new = ["a name of usual length", "an other name, as long"].map(|name| [(2, Value::text(name))]);
    let mut update = async |txn: &mut Txn, id: i64, turn: i64| {
        key.clear();
        encode_index_key(&t, 0, &[Value::Int(id)], &mut key);
        batch.clear();
        assert!(txn.get(&t, 0, &key, LockMode::Exclusive, &mut batch).await.unwrap());
        let changed = txn.update_row(&t, batch.row(0), &new[turn as usize % 2]).await.unwrap();
        assert!(changed || turn < 2);
    };
    // One transaction of many rows, and one of one row: the difference is what a row costs.
    let mut turn = 0;
    let mut costs = Vec::new();
    for rows in [1, 401] {
        costs.push(per_turn(&executor, 10, async |_| {
            turn += 1;
            let mut txn = engine.begin(options(&engine, &kill));
            for id in 0..rows {
                update(&mut txn, id, turn).await;
            }
            txn.commit().await.unwrap();
        }));
    }
    let row = (costs[1] - costs[0]) / 400.0;
    println!("update: {} a transaction of one row, {row} for each further row", costs[0]);
    assert!(row <= 0.1, "{row} allocations for each row of an update");
    assert!(costs[0] <= 10.0, "{} allocations for a transaction of one update", costs[0]);
}
