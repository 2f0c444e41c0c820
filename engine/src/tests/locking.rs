//! Who waits for whom.

use super::basics::*;
use super::isolation::*;
use crate::testing::Executor;
use crate::*;
use parking_lot::Mutex;
use protocol::env::Env;
use std::sync::Arc;
use values::Value;

/// Runs a task beside the test; its result lands in the cell.
pub(super) fn beside<T: Send + 'static>(
    executor: &Executor,
    task: impl Future<Output = T> + Send + 'static,
) -> Arc<Mutex<Option<T>>> {
    let cell = Arc::new(Mutex::new(None));
    let out = Arc::clone(&cell);
    executor.spawn(
        "beside",
        Box::pin(async move {
            let value = task.await;
            *out.lock() = Some(value);
        }),
    );
    cell
}

/// Waits in virtual time: a busy loop would keep it from moving.
pub(super) async fn done<T>(executor: &Executor, cell: &Mutex<Option<T>>) -> T {
    loop {
        assert!(executor.now_us() < 600_000_000, "ten minutes of virtual time and not done");
        if let Some(value) = cell.lock().take() {
            return value;
        }
        executor.sleep(50).await;
    }
}

#[test]
fn a_writer_waits_for_the_row_and_builds_on_what_was_committed() {
    let World { executor, engine, t, .. } = world(11);
    executor.block_on(async {
        let mut first = engine.begin(TxnOptions::default());
        assert!(set_k(&mut first, &t, 1, 11).await.unwrap());
        let (e, table) = (engine.clone(), t.clone());
        let second = beside(&executor, async move {
            let mut txn = e.begin(TxnOptions::default());
            let row = find(&mut txn, &table, 1, LockMode::Exclusive).await.unwrap().unwrap();
            let Value::Int(k) = row.view().value(1) else { panic!("an int") };
            txn.update(&table, &row, &[(1, Value::Int(k + 1))]).await.unwrap();
            txn.commit().await.unwrap();
            k
        });
        executor.settle().await;
        assert!(second.lock().is_none(), "it waits");
        assert_eq!(engine.status().waiting, 1);
        commit(&engine, first).await.unwrap();
        assert_eq!(done(&executor, &second).await, 11, "no lost update");
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut reader, &t, 1).await, Some(Value::Int(12)));
        assert_eq!((engine.status().waiting, engine.status().explicit_locks), (0, 0));
    });
}

#[test]
fn a_hundred_counters_in_parallel_lose_nothing() {
    for seed in 0..10 {
        let World { executor, engine, t, .. } = world(100 + seed);
        executor.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..20 {
                let (e, table) = (engine.clone(), t.clone());
                tasks.push(beside(&executor, async move {
                    for _ in 0..5 {
                        let mut txn = e.begin(TxnOptions::default());
                        let row = find(&mut txn, &table, 2, LockMode::Exclusive).await.unwrap().unwrap();
                        let Value::Int(k) = row.view().value(1) else { panic!("an int") };
                        txn.update(&table, &row, &[(1, Value::Int(k + 1))]).await.unwrap();
                        let lsn = txn.commit().await.unwrap();
                        e.wait_durable(lsn).await.unwrap();
                    }
                }));
            }
            for task in &tasks {
                done(&executor, task).await;
            }
            let mut reader = engine.begin(TxnOptions::default());
            assert_eq!(k_of(&mut reader, &t, 2).await, Some(Value::Int(120)), "seed {seed}");
            drop(reader);
            whole(&engine, &t).await;
            assert_eq!(engine.status().explicit_locks, 0);
        });
    }
}

#[test]
fn a_deadlock_costs_one_of_the_two() {
    let World { executor, engine, t, .. } = world(12);
    executor.block_on(async {
        let cross = |from: i64, to: i64| {
            let (e, table) = (engine.clone(), t.clone());
            beside(&executor, async move {
                let mut txn = e.begin(TxnOptions::default());
                set_k(&mut txn, &table, from, 1).await.unwrap();
                e.env.sleep(1000).await;
                match set_k(&mut txn, &table, to, 2).await {
                    Ok(_) => {
                        txn.commit().await.unwrap();
                        true
                    }
                    Err(error) => {
                        assert_eq!(error, EngineError::Deadlock);
                        assert!(!txn.is_open(), "rolled back already");
                        false
                    }
                }
            })
        };
        let (a, b) = (cross(1, 2), cross(2, 1));
        let won = [done(&executor, &a).await, done(&executor, &b).await];
        assert_eq!(won.iter().filter(|w| **w).count(), 1);
        assert_eq!(engine.status().deadlocks, 1);
        let mut reader = engine.begin(TxnOptions::default());
        let seen = (k_of(&mut reader, &t, 1).await, k_of(&mut reader, &t, 2).await);
        let expected = if won[0] { (1, 2) } else { (2, 1) };
        assert_eq!(seen, (Some(Value::Int(expected.0)), Some(Value::Int(expected.1))));
        whole(&engine, &t).await;
    });
}

#[test]
fn a_wait_ends_in_time_by_kill_or_not_at_all() {
    let World { executor, engine, t, .. } = world(13);
    executor.block_on(async {
        let mut holder = engine.begin(TxnOptions::default());
        set_k(&mut holder, &t, 1, 11).await.unwrap();
        let options = TxnOptions { lock_wait_timeout_us: 2_000_000, ..TxnOptions::default() };
        let mut late = engine.begin(options.clone());
        set_k(&mut late, &t, 2, 22).await.unwrap();
        let before = engine.env.now_us();
        assert_eq!(set_k(&mut late, &t, 1, 1).await, Err(EngineError::LockWaitTimeout));
        assert!(engine.env.now_us() - before >= 2_000_000);
        late.rollback_statement().await.unwrap();
        assert_eq!(k_of(&mut late, &t, 2).await, Some(Value::Int(22)), "only the statement is rolled back");
        late.rollback().await.unwrap();

        let kill = Arc::new(KillSwitch::new());
        let mut killed = engine.begin(TxnOptions { kill: Some(kill.clone()), ..options.clone() });
        let (table, switch) = (t.clone(), kill.clone());
        let result = beside(&executor, async move { set_k(&mut killed, &table, 1, 1).await });
        executor.settle().await;
        switch.kill();
        assert_eq!(done(&executor, &result).await, Err(EngineError::Interrupted));
        kill.arm(engine.env.now_us() + 1000);
        let mut late = engine.begin(TxnOptions { kill: Some(kill), ..options.clone() });
        assert_eq!(set_k(&mut late, &t, 1, 1).await, Err(EngineError::DeadlinePassed));
        drop(late);

        let mut txn = engine.begin(options);
        txn.set_lock_wait(LockWait::Nowait);
        assert_eq!(find(&mut txn, &t, 1, LockMode::Shared).await.map(|_| ()), Err(EngineError::LockNowait));
        txn.set_lock_wait(LockWait::SkipLocked);
        assert_eq!(all(&mut txn, &t, 0, LockMode::Exclusive).await.unwrap().len(), 4);
        assert_eq!(engine.status().waiting, 0);
    });
}

#[test]
fn shared_locks_go_together_and_keep_writers_out() {
    let World { executor, engine, t, .. } = world(14);
    executor.block_on(async {
        let mut a = engine.begin(TxnOptions::default());
        let mut b = engine.begin(TxnOptions { read_only: true, ..TxnOptions::default() });
        assert!(find(&mut a, &t, 1, LockMode::Shared).await.unwrap().is_some());
        let row = find(&mut b, &t, 1, LockMode::Shared).await.unwrap().unwrap();
        assert_eq!(b.update(&t, &row, &[(1, Value::Int(0))]).await, Err(EngineError::ReadOnly));
        let (e, table) = (engine.clone(), t.clone());
        let writer = beside(&executor, async move {
            let mut txn = e.begin(TxnOptions::default());
            set_k(&mut txn, &table, 1, 5).await.unwrap();
            txn.commit().await.unwrap();
        });
        executor.settle().await;
        assert!(writer.lock().is_none());
        a.commit().await.unwrap();
        executor.settle().await;
        assert!(writer.lock().is_none());
        b.rollback().await.unwrap();
        done(&executor, &writer).await;
        assert_eq!(engine.status().explicit_locks, 0);
    });
}

#[test]
fn a_session_that_dies_frees_its_rows() {
    let World { executor, engine, t, .. } = world(15);
    executor.block_on(async {
        let mut dying = engine.begin(TxnOptions::default());
        set_k(&mut dying, &t, 1, 66).await.unwrap();
        dying.insert(&t, &row(60, 1, "ghost")).await.unwrap();
        drop(dying);
        let mut txn = engine.begin(TxnOptions::default());
        assert!(set_k(&mut txn, &t, 1, 12).await.unwrap());
        txn.insert(&t, &row(60, 2, "real")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(1_000_000).await;
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.entries), (6, 6));
        let status = engine.status();
        assert_eq!((status.slots_used, status.unsettled_transactions, status.open_transactions), (0, 0, 0));
    });
}

#[test]
fn named_locks_are_a_sessions_own() {
    let World { executor, engine, .. } = world(16);
    executor.block_on(async {
        let kill = KillSwitch::new();
        let (mut a, mut b) = (engine.named_locks(1), engine.named_locks(2));
        assert!(a.get(b"x", 0, &kill).await.unwrap() && a.get(b"x", 0, &kill).await.unwrap());
        assert!(!b.get(b"x", 1_000_000, &kill).await.unwrap(), "in time, no");
        assert_eq!((b.used_by(b"x"), b.release(b"x"), b.release(b"y")), (Some(1), Some(false), None));
        let waiting = {
            let engine = engine.clone();
            beside(&executor, async move {
                let mut c = engine.named_locks(3);
                c.get(b"x", 60_000_000, &KillSwitch::new()).await.unwrap()
            })
        };
        executor.settle().await;
        assert_eq!(a.release(b"x"), Some(true));
        executor.settle().await;
        assert!(waiting.lock().is_none(), "it was taken twice");
        assert_eq!(a.release(b"x"), Some(true));
        assert!(done(&executor, &waiting).await);
        assert_eq!(a.used_by(b"x"), None, "the session that had it is gone");
        // A circle of two: the one that closes it is told, and keeps what it has.
        assert!(a.get(b"1", 0, &kill).await.unwrap() && b.get(b"2", 0, &kill).await.unwrap());
        let first = beside(&executor, async move {
            let got = a.get(b"2", 60_000_000, &KillSwitch::new()).await.unwrap();
            (got, a.release_all())
        });
        executor.settle().await;
        assert_eq!(b.get(b"1", 60_000_000, &kill).await, Err(EngineError::UserLockDeadlock));
        assert_eq!(b.used_by(b"2"), Some(2));
        assert_eq!(b.release_all(), 1);
        assert_eq!(done(&executor, &first).await, (true, 2));
        assert_eq!((engine.status().explicit_locks, engine.status().waiting), (0, 0));
    });
}

/// The row says by itself who changed it: a ROLLBACK of millions of rows has no millions of locks to give back. Found by the show engine-3.
#[test]
fn changed_rows_hold_no_explicit_lock() {
    let World { executor, engine, t, .. } = world(19);
    executor.block_on(async {
        let mut txn = engine.begin(TxnOptions::default());
        let read = find(&mut txn, &t, 5, LockMode::Exclusive).await.unwrap();
        assert!(read.is_some());
        for id in 1..=4 {
            assert!(set_k(&mut txn, &t, id, 7).await.unwrap());
            assert_eq!(engine.status().explicit_locks, 1, "of the row that was only read");
        }
        let (e, table) = (engine.clone(), t.clone());
        let second = beside(&executor, async move {
            let mut txn = e.begin(TxnOptions::default());
            set_k(&mut txn, &table, 3, 8).await.unwrap();
            txn.commit().await.unwrap();
        });
        executor.settle().await;
        assert!(second.lock().is_none(), "a changed row is locked");
        txn.rollback().await.unwrap();
        done(&executor, &second).await;
        assert_eq!((engine.status().waiting, engine.status().explicit_locks), (0, 0));
    });
}

/// What is undone alone leaves its rows locked, as MySQL does.
#[test]
fn rows_stay_locked_when_a_change_is_taken_back() {
    let World { executor, engine, t, .. } = world(20);
    executor.block_on(async {
        let mut txn = engine.begin(TxnOptions::default());
        txn.savepoint("s");
        assert!(set_k(&mut txn, &t, 1, 7).await.unwrap());
        txn.rollback_to("s").await.unwrap();
        assert_eq!(engine.status().explicit_locks, 1);
        let (e, table) = (engine.clone(), t.clone());
        let second = beside(&executor, async move {
            let mut txn = e.begin(TxnOptions::default());
            set_k(&mut txn, &table, 1, 8).await.unwrap();
            txn.commit().await.unwrap();
        });
        executor.settle().await;
        assert!(second.lock().is_none(), "it waits");
        commit(&engine, txn).await.unwrap();
        done(&executor, &second).await;
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut reader, &t, 1).await, Some(Value::Int(8)));
        assert_eq!((engine.status().waiting, engine.status().explicit_locks), (0, 0));
    });
}
