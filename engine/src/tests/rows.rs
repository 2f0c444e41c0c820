//! Rows in depth: unique keys, long values, key changes, partial rollback, hidden keys, auto-increment.

use super::basics::*;
use super::isolation::*;
use crate::testing::{Executor, open, open_with};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use values::Value;
use values::types::TypeKind;

#[test]
fn a_unique_index_refuses_what_exists_and_takes_back_the_row() {
    let World { executor, engine, .. } = world(21);
    executor.block_on(async {
        let u = engine
            .dictionary()
            .create_table(&table("u", vec![index("k", true, &[1]), index("n", false, &[2])]))
            .await
            .unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&u, &row(1, 10, "a")).await.unwrap();
        txn.insert(&u, &row(2, 20, "b")).await.unwrap();
        let error = txn.insert(&u, &row(3, 10, "c")).await.unwrap_err();
        let EngineError::Duplicate { index, index_no: 1, key, .. } = error else { panic!("{error}") };
        assert_eq!((index.as_str(), key), ("k", vec![Value::Int(10)]));
        let two = find(&mut txn, &u, 2, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(matches!(
            txn.update(&u, &two, &[(1, Value::Int(10))]).await,
            Err(EngineError::Duplicate { .. })
        ));
        assert_eq!(k_of(&mut txn, &u, 2).await, Some(Value::Int(20)), "the row is as it was");
        // NULLs are never duplicates; a key freed in this transaction may be taken again.
        for id in [7, 8] {
            txn.insert(&u, &[Value::Int(id), Value::Null, Value::Null, Value::Null]).await.unwrap();
        }
        let one = find(&mut txn, &u, 1, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(txn.delete(&u, &one).await.unwrap());
        assert!(!txn.delete(&u, &one).await.unwrap());
        txn.insert(&u, &row(9, 10, "z")).await.unwrap();
        txn.insert(&u, &row(1, 11, "again")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(1_000_000).await;
        let report = whole(&engine, &u).await;
        assert_eq!((report.rows, report.entries), (5, 10));
    });
}

#[test]
fn long_values_come_and_go_with_their_versions() {
    let World { executor, engine, t, .. } = world(22);
    executor.block_on(async {
        let long = |byte: u8, len: usize| Value::bytes(&vec![byte; len]);
        let mut txn = engine.begin(TxnOptions::default());
        let mut big = row(100, 1, "big");
        big[3] = long(1, 1_000_000);
        txn.insert(&t, &big).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut old = engine.begin(TxnOptions::default());
        assert_eq!(find(&mut old, &t, 100, LockMode::None).await.unwrap().unwrap().view().to_values(), big);
        let mut txn = engine.begin(TxnOptions::default());
        let found = find(&mut txn, &t, 100, LockMode::Exclusive).await.unwrap().unwrap();
        txn.update(&t, &found, &[(3, long(2, 50_000)), (1, Value::Int(2))]).await.unwrap();
        let found = find(&mut txn, &t, 100, LockMode::Exclusive).await.unwrap().unwrap();
        assert_eq!(found.view().value(3), long(2, 50_000));
        assert!(
            !txn.update(&t, &found, &[(1, Value::Int(2))]).await.unwrap(),
            "the same value changes nothing"
        );
        txn.update(&t, &found, &[(2, Value::text("renamed"))]).await.unwrap();
        commit(&engine, txn).await.unwrap();
        assert_eq!(find(&mut old, &t, 100, LockMode::None).await.unwrap().unwrap().view().to_values(), big);
        old.rollback().await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        let found = find(&mut txn, &t, 100, LockMode::Exclusive).await.unwrap().unwrap();
        txn.update(&t, &found, &[(3, long(3, 70_000))]).await.unwrap();
        txn.rollback().await.unwrap();
        engine.env.sleep(2_000_000).await;
        whole(&engine, &t).await;
        let mut txn = engine.begin(TxnOptions::default());
        let found = find(&mut txn, &t, 100, LockMode::Exclusive).await.unwrap().unwrap();
        assert_eq!((found.view().value(2), found.view().value(3)), (Value::text("renamed"), long(2, 50_000)));
        txn.delete(&t, &found).await.unwrap();
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(2_000_000).await;
        // The tree check counts pages: no chain is left behind.
        assert_eq!(whole(&engine, &t).await.rows, 5);
    });
}

#[test]
fn a_changed_primary_key_moves_the_row() {
    let World { executor, engine, t, .. } = world(23);
    executor.block_on(async {
        let mut txn = engine.begin(TxnOptions::default());
        let three = find(&mut txn, &t, 3, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(matches!(
            txn.update(&t, &three, &[(0, Value::Int(4))]).await,
            Err(EngineError::Duplicate { index_no: 0, .. })
        ));
        assert_eq!(k_of(&mut txn, &t, 3).await, Some(Value::Int(30)));
        assert!(txn.update(&t, &three, &[(0, Value::Int(33)), (1, Value::Int(31))]).await.unwrap());
        assert_eq!(k_of(&mut txn, &t, 3).await, None);
        assert_eq!(k_of(&mut txn, &t, 33).await, Some(Value::Int(31)));
        txn.rollback().await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut txn, &t, 3).await, Some(Value::Int(30)));
        engine.env.sleep(1_000_000).await;
        drop(txn);
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.entries), (5, 5));
    });
}

#[test]
fn statements_and_savepoints_are_undone_alone() {
    let World { executor, engine, t, .. } = world(24);
    executor.block_on(async {
        let mut txn = engine.begin(TxnOptions::default());
        set_k(&mut txn, &t, 1, 1).await.unwrap();
        txn.savepoint("a");
        set_k(&mut txn, &t, 1, 2).await.unwrap();
        txn.insert(&t, &row(50, 1, "x")).await.unwrap();
        txn.savepoint("b");
        txn.start_statement();
        let two = find(&mut txn, &t, 2, LockMode::Exclusive).await.unwrap().unwrap();
        txn.delete(&t, &two).await.unwrap();
        txn.insert(&t, &row(2, 7, "back")).await.unwrap();
        txn.rollback_statement().await.unwrap();
        assert_eq!(k_of(&mut txn, &t, 2).await, Some(Value::Int(20)));
        assert_eq!(k_of(&mut txn, &t, 50).await, Some(Value::Int(1)));
        txn.rollback_to("A").await.unwrap();
        assert_eq!(k_of(&mut txn, &t, 1).await, Some(Value::Int(1)));
        assert_eq!(k_of(&mut txn, &t, 50).await, None);
        assert_eq!(txn.release("b"), Err(EngineError::NoSuchSavepoint("b".to_owned())));
        txn.insert(&t, &row(51, 1, "y")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(1_000_000).await;
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.entries), (6, 6));
    });
}

#[test]
fn a_table_without_primary_key_keeps_equal_rows() {
    let World { executor, engine, .. } = world(25);
    executor.block_on(async {
        let mut new = table("h", vec![index("k", false, &[1])]);
        new.primary.clear();
        let h = engine.dictionary().create_table(&new).await.unwrap();
        assert!(h.hidden_key());
        let mut txn = engine.begin(TxnOptions::default());
        for _ in 0..3 {
            txn.insert(&h, &row(1, 1, "same")).await.unwrap();
        }
        assert_eq!(all(&mut txn, &h, 1, LockMode::None).await.unwrap(), vec![row(1, 1, "same"); 3]);
        commit(&engine, txn).await.unwrap();
        whole(&engine, &h).await;
    });
}

#[test]
fn auto_increment_never_goes_back() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(26);
    let mut new = table("a", Vec::new());
    new.columns[0] = column("id", values::ColumnType::integer(TypeKind::BigInt, true), false);
    new.columns[0].auto_increment = true;
    new.auto_increment_start = 100;
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let a = engine.dictionary().create_table(&new).await.unwrap();
        let txn = engine.begin(TxnOptions::default());
        assert_eq!(txn.next_auto_increment(&a, 1).await, Ok(100));
        assert_eq!(txn.next_auto_increment(&a, 10).await, Ok(101));
        txn.note_auto_increment(&a, 500).await.unwrap();
        txn.note_auto_increment(&a, 7).await.unwrap();
        assert_eq!(txn.next_auto_increment(&a, 1).await, Ok(501));
        drop(txn);
        engine.shutdown().await;
    });
    let volume = volume.crash_at(*volume.cpls().last().unwrap());
    let executor = Executor::new(27);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let a = engine.dictionary().table("test", "a").await.unwrap().unwrap();
        let txn = engine.begin(TxnOptions::default());
        assert_eq!(txn.auto_increment_value(&a).await, Ok(502), "exact after a clean shutdown");
        assert_eq!(txn.next_auto_increment(&a, 1).await, Ok(502));
        txn.note_auto_increment(&a, u64::MAX).await.unwrap();
        assert_eq!(txn.next_auto_increment(&a, 1).await, Err(EngineError::AutoIncrementExhausted));
    });
    let volume = volume.crash_at(*volume.cpls().last().unwrap());
    let executor = Executor::new(28);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let a = engine.dictionary().table("test", "a").await.unwrap().unwrap();
        engine.dictionary().truncate_table("test", "a").await.unwrap();
        let txn = engine.begin(TxnOptions::default());
        assert!(matches!(txn.auto_increment_value(&a).await, Ok(1)));
    });
}

/// Ten times LAL in one transaction, with a pool far smaller than what it writes; then a large rollback that answers at once.
#[test]
fn a_transaction_far_longer_than_lal_runs_and_a_large_rollback_answers_at_once() {
    let volume = MemoryVolume::with(Durability::Behind(20), 1_000_000, 1);
    let executor = Executor::new(29);
    executor.block_on(async {
        let pump = volume.clone();
        let env = executor.clone();
        protocol::env::Env::spawn(
            &executor,
            "durability",
            Box::pin(async move {
                loop {
                    protocol::env::Env::sleep(&env, 1000).await;
                    pump.advance(protocol::lsn::Lsn::MAX);
                }
            }),
        );
        let engine = open_with(&volume, &executor, 200, Settings::default()).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let t = engine.dictionary().create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        let start = protocol::contract::LogWriter::last_lsn(volume.as_ref());
        let mut txn = engine.begin(TxnOptions::default());
        let mut rows = 0;
        while protocol::contract::LogWriter::last_lsn(volume.as_ref()).since(start) < 10_000_000 {
            txn.insert(&t, &row(rows, rows % 1000, "a name of some length, to fill pages")).await.unwrap();
            rows += 1;
        }
        let before = protocol::contract::LogWriter::last_lsn(volume.as_ref());
        let reverted = engine.status().reverted_changes;
        txn.rollback().await.unwrap();
        let written = protocol::contract::LogWriter::last_lsn(volume.as_ref()).since(before);
        assert!(written < 1000, "{written} bytes of redo for a rollback of {rows} rows");
        assert_eq!(engine.status().reverted_changes, reverted);
        // Its rows are free, and their place is taken while the cleaner is still at it.
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&t, &row(rows / 2, 1, "mine")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(all(&mut reader, &t, 0, LockMode::None).await.unwrap().len(), 1);
        assert_eq!(all(&mut reader, &t, 1, LockMode::None).await.unwrap().len(), 1);
        drop(reader);
        while engine.status().aborted_transactions > 0 {
            engine.env.sleep(100_000).await;
        }
        engine.env.sleep(1_000_000).await;
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.entries), (1, 1));
        assert_eq!(engine.status().slots_used, 0);
    });
}

/// An index that has all columns answers alone where nobody wrote lately, and gives the same rows as the table does at any moment.
#[test]
fn an_index_answers_alone_when_everybody_sees_all_of_it() {
    let World { executor, engine, t, .. } = world(33);
    executor.block_on(async {
        let columns = || ColumnSet::of([0, 1]);
        assert!(t.index_covers(1, &columns()) && !t.index_covers(1, &ColumnSet::of([0, 2])));
        assert!(!t.index_covers(0, &columns()));
        let read = async |txn: &mut Txn, index: usize| {
            txn.start_statement();
            let mut batch = RowBatch::new();
            let all = KeyRange::all();
            let mut scan = txn.scan(&t, index, &all, Direction::Forward, LockMode::None, columns());
            while scan.next(txn, &mut batch).await.unwrap() > 0 {}
            let mut rows: Vec<_> = batch.iter().map(|r| (r.value(0), r.value(1))).collect();
            rows.sort_by_key(|(id, _)| format!("{id:?}"));
            rows
        };
        let counts = || (engine.status().index_only_entries, engine.status().row_lookups);
        engine.env.sleep(1_000_000).await;
        let mut old = engine.begin(TxnOptions::default());
        let before = counts();
        let first = read(&mut old, 1).await;
        assert_eq!(counts(), (before.0 + 5, before.1), "no row was looked at");
        assert_eq!(first, read(&mut old, 0).await);
        let mut writer = engine.begin(TxnOptions { session: 9, ..TxnOptions::default() });
        set_k(&mut writer, &t, 1, 99).await.unwrap();
        set_k(&mut writer, &t, 2, 5).await.unwrap();
        let three = find(&mut writer, &t, 3, LockMode::Exclusive).await.unwrap().unwrap();
        writer.delete(&t, &three).await.unwrap();
        writer.insert(&t, &row(6, 7, "new")).await.unwrap();
        assert_eq!(read(&mut writer, 1).await, read(&mut writer, 0).await, "its own changes");
        assert_eq!(read(&mut old, 1).await, first);
        commit(&engine, writer).await.unwrap();
        assert_eq!(read(&mut old, 1).await, first, "a view from before");
        let before = counts();
        let mut new = engine.begin(TxnOptions { session: 3, ..TxnOptions::default() });
        let now = read(&mut new, 1).await;
        assert_eq!(counts().0, before.0, "rows decide while somebody may see it otherwise");
        assert_eq!((now.len(), &now), (5, &read(&mut new, 0).await));
        drop((old, new));
        engine.env.sleep(1_000_000).await;
        let mut new = engine.begin(TxnOptions::default());
        let before = counts();
        assert_eq!(read(&mut new, 1).await, now);
        assert_eq!(counts(), (before.0 + 5, before.1));
        // A rolled-back change raises the hint, too, and leaves nothing behind.
        let mut undone = engine.begin(TxnOptions { session: 4, ..TxnOptions::default() });
        set_k(&mut undone, &t, 4, 1).await.unwrap();
        assert_eq!(read(&mut new, 1).await, now);
        undone.rollback().await.unwrap();
        assert_eq!(read(&mut new, 1).await, now);
    });
}
