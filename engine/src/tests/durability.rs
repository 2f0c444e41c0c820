//! Sessions that wait for their commits, over a log that lags; history that a long view keeps, and its bound.

use super::basics::*;
use super::isolation::{k_of, set_k};
use super::locking::{beside, done};
use crate::testing::{Executor, open, open_with};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use values::Value;

/// The last sessions of a burst have nobody behind them whose commits would carry theirs along: the log must catch up by itself.
#[test]
fn nobody_is_left_waiting_behind_the_last_commit() {
    for behind in [1, 3, 20] {
        let volume = MemoryVolume::with(Durability::Behind(behind), 10_000_000, 1);
        let executor = Executor::new(behind as u64);
        executor.block_on(async {
            let engine = open(&volume, &executor, 512).await.unwrap();
            engine.dictionary().create_schema("test", "").await.unwrap();
            let t = engine.dictionary().create_table(&table("t", Vec::new())).await.unwrap();
            let mut sessions = Vec::new();
            for session in 0..8 {
                let (e, table) = (engine.clone(), t.clone());
                sessions.push(beside(&executor, async move {
                    for i in 0..5 {
                        let mut txn = e.begin(TxnOptions { session, ..TxnOptions::default() });
                        txn.insert(&table, &row(i64::from(session) * 100 + i, 1, "x")).await.unwrap();
                        commit(&e, txn).await.unwrap();
                    }
                }));
            }
            for session in &sessions {
                done(&executor, session).await;
                assert!(engine.env.now_us() < 10_000_000, "a session waits for ever, log {behind} behind");
            }
            let mut reader = engine.begin(TxnOptions::default());
            assert_eq!(all(&mut reader, &t, 0, LockMode::None).await.unwrap().len(), 40);
            assert_eq!(k_of_last(&mut reader, &t).await, Value::Int(1));
        });
    }
}

async fn k_of_last(txn: &mut Txn, t: &std::sync::Arc<TableDef>) -> Value {
    find(txn, t, 704, LockMode::None).await.unwrap().unwrap().view().value(1)
}

/// A view that stays open while everything is rewritten: it sees what it saw, history is counted; past the bound it is told, others go on,
/// and what it kept goes.
#[test]
fn the_oldest_view_ends_when_history_is_too_long() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(7);
    executor.block_on(async {
        let settings = Settings { max_history_bytes: 100 * 2048, ..Settings::default() };
        let engine = open_with(&volume, &executor, 1024, settings).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let t = engine.dictionary().create_table(&table("t", Vec::new())).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&t, &row(1, 0, "x")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut old = engine.begin(TxnOptions { session: 1, ..TxnOptions::default() });
        assert_eq!(k_of(&mut old, &t, 1).await, Some(Value::Int(0)));
        let mut between = None;
        for k in 1..=300 {
            let mut txn = engine.begin(TxnOptions { session: 2, ..TxnOptions::default() });
            set_k(&mut txn, &t, 1, k).await.unwrap();
            commit(&engine, txn).await.unwrap();
            if k == 50 {
                assert_eq!(engine.status().history_bytes, 50 * 2048);
                assert_eq!(
                    k_of(&mut old, &t, 1).await,
                    Some(Value::Int(0)),
                    "a bound is no reason to be wrong"
                );
                let mut txn = engine.begin(TxnOptions { session: 3, ..TxnOptions::default() });
                assert_eq!(k_of(&mut txn, &t, 1).await, Some(Value::Int(50)));
                between = Some(txn);
            }
            engine.env.sleep(6_000).await;
            if k == 120 {
                old.start_statement();
                let read = find(&mut old, &t, 1, LockMode::None).await.map(|_| ());
                assert_eq!(read, Err(EngineError::SnapshotTooOld));
                assert_eq!(all(&mut old, &t, 0, LockMode::None).await, Err(EngineError::SnapshotTooOld));
                let between = between.as_mut().unwrap();
                assert_eq!(k_of(between, &t, 1).await, Some(Value::Int(50)), "the next oldest goes on");
            }
            assert!(engine.status().history_bytes <= 103 * 2048);
        }
        old.rollback().await.unwrap();
        drop(between);
        engine.env.sleep(1_000_000).await;
        let status = engine.status();
        assert_eq!((status.history_bytes, status.unsettled_transactions, status.views_ended), (0, 0, 2));
        whole(&engine, &t).await;
    });
}

/// Small, middling and large transactions, a view that holds their history, a crash: what they took is found again, so that undo space does
/// not grow from opening to opening; and small ones share pages.
#[test]
fn undo_space_is_found_again_after_a_crash() {
    let mut volume = MemoryVolume::new(Durability::Instant);
    let mut pages = Vec::new();
    for round in 0..6_i64 {
        let executor = Executor::new(9 + round as u64);
        executor.block_on(async {
            let engine = open(&volume, &executor, 1024).await.unwrap();
            if round == 0 {
                engine.dictionary().create_schema("test", "").await.unwrap();
                engine.dictionary().create_table(&table("t", Vec::new())).await.unwrap();
            }
            let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
            engine.env.sleep(1_000_000).await;
            let mut old = engine.begin(TxnOptions { session: 1, ..TxnOptions::default() });
            old.open_view();
            for (session, sizes) in [(2, [1; 200].as_slice()), (3, &[12, 30, 400]), (4, &[2000])] {
                for (no, rows) in sizes.iter().enumerate() {
                    let mut txn = engine.begin(TxnOptions { session, ..TxnOptions::default() });
                    for i in 0..*rows {
                        let id = ((round * 4 + i64::from(session)) * 1000 + no as i64) * 10_000 + i;
                        txn.insert(&t, &row(id, i, "x")).await.unwrap();
                    }
                    commit(&engine, txn).await.unwrap();
                }
            }
            let mut lost = engine.begin(TxnOptions { session: 5, ..TxnOptions::default() });
            for i in 0..40 {
                lost.insert(&t, &row(-1 - i, i, "lost")).await.unwrap();
            }
            pages.push(engine.status().undo_pages);
            // As a crash leaves it: the view, the history, and a transaction under way.
            std::mem::forget((lost, old));
        });
        let cpl = *volume.cpls().last().expect("something was written");
        volume = volume.crash_at(cpl);
    }
    let executor = Executor::new(99);
    executor.block_on(async {
        let engine = open(&volume, &executor, 1024).await.unwrap();
        engine.env.sleep(2_000_000).await;
        let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        assert_eq!(all(&mut txn, &t, 0, LockMode::None).await.unwrap().len(), 6 * (200 + 442 + 2000));
        whole(&engine, &t).await;
        assert_eq!(engine.status().history_length, 0);
    });
    // Two hundred small ones take seven pages; the others what their records need.
    assert!(pages[0] < 40, "{pages:?}");
    assert!(pages[5] <= pages[1] + 2, "undo space grows from opening to opening: {pages:?}");
}
