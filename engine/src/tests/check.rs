//! CHECK TABLE at any moment: also right after an opening, when the rows of the dead are still there.

use super::basics::*;
use super::isolation::*;
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use values::Value;

/// Crashes in the middle of a transaction that has changed, deleted, inserted and moved rows; the table is checked before, while and after
/// the cleaner takes them out.
#[test]
fn what_the_dead_left_is_no_finding() {
    let World { volume, executor, engine, t } = world(71);
    let start = volume.cpls().len();
    executor.block_on(async {
        let mut txn = engine.begin(TxnOptions::default());
        set_k(&mut txn, &t, 1, 11).await.unwrap();
        set_k(&mut txn, &t, 1, 10).await.unwrap();
        set_k(&mut txn, &t, 2, 77).await.unwrap();
        let three = find(&mut txn, &t, 3, LockMode::Exclusive).await.unwrap().unwrap();
        txn.delete(&t, &three).await.unwrap();
        txn.insert(&t, &row(9, 90, "dead")).await.unwrap();
        let four = find(&mut txn, &t, 4, LockMode::Exclusive).await.unwrap().unwrap();
        txn.update(&t, &four, &[(0, Value::Int(44)), (1, Value::Int(41))]).await.unwrap();
        std::mem::forget(txn);
    });
    let cpls = volume.cpls().split_off(start);
    assert!(cpls.len() > 10);
    for (seed, cpl) in cpls.into_iter().enumerate() {
        let crashed = volume.crash_at(cpl);
        let executor = Executor::new(seed as u64);
        executor.block_on(async {
            let engine = open(&crashed, &executor, 512).await.unwrap();
            let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
            for round in 0..6 {
                if engine.env.now_us() < 200_000 {
                    assert_eq!(engine.status().reverted_changes, 0, "the first answers come first");
                }
                let report = engine.check_table(&t).await.unwrap();
                assert_eq!(report.findings, Vec::<String>::new(), "crash at {cpl}, round {round}");
                assert_eq!(report.rows, 5, "crash at {cpl}");
                // From the second round on the cleaner is at it.
                let pause = [10, 200_000_u64.saturating_sub(engine.env.now_us()), 1, 1, 1_000_000, 1];
                engine.env.sleep(pause[round]).await;
            }
            assert_eq!(engine.check_table(&t).await.unwrap().entries, 5);
        });
    }
}

/// Long values of several columns come, are replaced, are rolled back and go with their rows; a crash at any CPL leaks none of their pages:
/// CHECK TABLE counts them.
#[test]
fn no_crash_leaks_a_long_value() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(81);
    let long = |byte: u8, len: usize| Value::bytes(&vec![byte; len]);
    let start = executor.block_on(async {
        let engine = open(&volume, &executor, 1024).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let mut new = table("b", Vec::new());
        for name in ["b1", "b2", "b3"] {
            new.columns.push(ColumnDef { name: name.to_owned(), ..new.columns[3].clone() });
        }
        let t = engine.dictionary().create_table(&new).await.unwrap();
        let start = volume.cpls().len();
        let big = |id: i64, byte: u8| {
            let mut r = row(id, 1, "x");
            r.extend([long(byte, 5_000), long(byte, 40_000), long(byte, 6_000)]);
            r
        };
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&t, &big(1, 1)).await.unwrap();
        txn.insert(&t, &big(2, 2)).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        let one = find(&mut txn, &t, 1, LockMode::Exclusive).await.unwrap().unwrap();
        let all = [(4, long(3, 7_000)), (5, long(3, 30_000)), (6, Value::Null)];
        txn.update(&t, &one, &all).await.unwrap();
        let one = find(&mut txn, &t, 1, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(!txn.update(&t, &one, &all[..2]).await.unwrap(), "as it is");
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(1_000_000).await;
        let mut txn = engine.begin(TxnOptions::default());
        let two = find(&mut txn, &t, 2, LockMode::Exclusive).await.unwrap().unwrap();
        txn.delete(&t, &two).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&t, &big(2, 9)).await.unwrap();
        engine.env.sleep(100_000).await;
        txn.rollback().await.unwrap();
        engine.env.sleep(1_000_000).await;
        assert_eq!(whole(&engine, &t).await.rows, 1);
        start
    });
    let cpls = volume.cpls().split_off(start);
    assert!(cpls.len() > 40, "{}", cpls.len());
    for (seed, cpl) in cpls.into_iter().enumerate() {
        let crashed = volume.crash_at(cpl);
        let executor = Executor::new(seed as u64);
        executor.block_on(async {
            let engine = open(&crashed, &executor, 1024).await.unwrap();
            let t = engine.dictionary().table("test", "b").await.unwrap().unwrap();
            engine.env.sleep(3_000_000).await;
            let report = engine.check_table(&t).await.unwrap();
            assert_eq!(report.findings, Vec::<String>::new(), "crash at {cpl}");
            let status = engine.status();
            assert_eq!((status.aborted_transactions, status.history_length), (0, 0), "crash at {cpl}");
        });
    }
}
