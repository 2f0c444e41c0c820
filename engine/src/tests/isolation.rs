//! What reads see: the isolation levels, and the order of commits.

use super::basics::*;
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use protocol::lsn::Lsn;
use protocol::mutant::{self, Mutant};
use std::sync::Arc;
use values::Value;

pub(super) struct World {
    pub(super) volume: Arc<MemoryVolume>,
    pub(super) executor: Executor,
    pub(super) engine: Arc<Engine>,
    pub(super) t: Arc<TableDef>,
}

/// A table `t` with rows 1 to 5, `k` = 10 * id, and an index on `k`.
pub(super) fn world(seed: u64) -> World {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(seed);
    let (engine, t) = executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let t = engine.dictionary().create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        for id in 1..=5 {
            txn.insert(&t, &row(id, id * 10, "old")).await.unwrap();
        }
        commit(&engine, txn).await.unwrap();
        (engine, t)
    });
    World { volume, executor, engine, t }
}

pub(super) fn with(isolation: Isolation) -> TxnOptions {
    TxnOptions { isolation, ..TxnOptions::default() }
}

pub(super) async fn k_of(txn: &mut Txn, t: &Arc<TableDef>, id: i64) -> Option<Value> {
    txn.start_statement();
    find(txn, t, id, LockMode::None).await.unwrap().map(|r| r.view().value(1))
}

pub(super) async fn set_k(txn: &mut Txn, t: &Arc<TableDef>, id: i64, k: i64) -> Result<bool> {
    txn.start_statement();
    match find(txn, t, id, LockMode::Exclusive).await? {
        Some(row) => txn.update(t, &row, &[(1, Value::Int(k))]).await,
        None => Ok(false),
    }
}

#[test]
fn read_committed_sees_each_commit_and_repeatable_read_none() {
    let World { executor, engine, t, .. } = world(3);
    executor.block_on(async {
        let mut rc = engine.begin(with(Isolation::ReadCommitted));
        let mut rr = engine.begin(with(Isolation::RepeatableRead));
        assert_eq!(k_of(&mut rc, &t, 1).await, Some(Value::Int(10)));
        assert_eq!(k_of(&mut rr, &t, 1).await, Some(Value::Int(10)));
        let mut writer = engine.begin(TxnOptions::default());
        assert!(set_k(&mut writer, &t, 1, 11).await.unwrap());
        assert_eq!(k_of(&mut writer, &t, 1).await, Some(Value::Int(11)), "its own change");
        for reader in [&mut rc, &mut rr] {
            assert_eq!(k_of(reader, &t, 1).await, Some(Value::Int(10)), "no dirty read");
        }
        let mut second = row(6, 60, "new");
        second[0] = Value::Int(6);
        writer.insert(&t, &second).await.unwrap();
        let gone = find(&mut writer, &t, 2, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(writer.delete(&t, &gone).await.unwrap());
        commit(&engine, writer).await.unwrap();
        assert_eq!(k_of(&mut rc, &t, 1).await, Some(Value::Int(11)));
        assert_eq!(k_of(&mut rr, &t, 1).await, Some(Value::Int(10)), "repeatable");
        for (reader, ids) in [(&mut rc, vec![1, 3, 4, 5, 6]), (&mut rr, vec![1, 2, 3, 4, 5])] {
            for index_no in [0, 1] {
                reader.start_statement();
                let mut seen: Vec<Value> = all(reader, &t, index_no, LockMode::None)
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|r| r[0].clone())
                    .collect();
                seen.sort_by_key(|v| if let Value::Int(i) = v { *i } else { 0 });
                assert_eq!(seen, ids.iter().map(|i| Value::Int(*i)).collect::<Vec<_>>(), "index {index_no}");
            }
        }
        // A locking read of the repeatable reader reads the newest.
        rr.start_statement();
        let locked = find(&mut rr, &t, 1, LockMode::Shared).await.unwrap().unwrap();
        assert_eq!(locked.view().value(1), Value::Int(11));
        rr.rollback().await.unwrap();
        rc.rollback().await.unwrap();
        whole(&engine, &t).await;
    });
}

#[test]
fn versions_stay_as_long_as_a_view_needs_them_and_go_after() {
    let World { executor, engine, t, .. } = world(4);
    executor.block_on(async {
        let mut old = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut old, &t, 3).await, Some(Value::Int(30)));
        for round in 0..20 {
            let mut txn = engine.begin(TxnOptions::default());
            set_k(&mut txn, &t, 3, 300 + round % 2).await.unwrap();
            commit(&engine, txn).await.unwrap();
            executor.settle().await;
        }
        assert!(engine.status().history_length >= 20);
        assert_eq!(k_of(&mut old, &t, 3).await, Some(Value::Int(30)));
        assert_eq!(whole(&engine, &t).await.versions, 20);
        old.rollback().await.unwrap();
        engine.env.sleep(1_000_000).await;
        executor.settle().await;
        let status = engine.status();
        assert_eq!((status.history_length, status.unsettled_transactions, status.slots_used), (0, 0, 0));
        let report = whole(&engine, &t).await;
        assert_eq!((report.versions, report.entries), (0, 5), "marked entries are purged");
        assert!(status.undo_pages <= 3, "{} undo pages for two dozen small transactions", status.undo_pages);
    });
}

#[test]
fn a_commit_is_visible_and_answered_only_when_durable() {
    for sabotage in [false, true] {
        let volume = MemoryVolume::new(Durability::Manual);
        let executor = Executor::new(5);
        executor.block_on(async {
            let pump = volume.clone();
            let env = executor.clone();
            // Durability arrives a millisecond late, by the volume's own hand.
            protocol::env::Env::spawn(
                &executor,
                "durability",
                Box::pin(async move {
                    loop {
                        protocol::env::Env::sleep(&env, 1000).await;
                        pump.advance(Lsn::MAX);
                    }
                }),
            );
            let engine = open(&volume, &executor, 512).await.unwrap();
            engine.dictionary().create_schema("test", "").await.unwrap();
            let t = engine.dictionary().create_table(&table("t", Vec::new())).await.unwrap();
            mutant::set(sabotage.then_some(Mutant::OkBeforeVdl));
            let mut txn = engine.begin(TxnOptions::default());
            txn.insert(&t, &row(1, 1, "x")).await.unwrap();
            let lsn = txn.commit().await.unwrap();
            let mut reader = engine.begin(TxnOptions::default());
            assert_eq!(k_of(&mut reader, &t, 1).await, None, "not durable, not in any view");
            let mut locker = engine.begin(TxnOptions::default());
            assert!(find(&mut locker, &t, 1, LockMode::Exclusive).await.unwrap().is_some(), "locks are free");
            assert_eq!(locker.observed(), lsn, "and the result depends on that commit");
            engine.wait_durable(lsn).await.unwrap();
            let durable = protocol::contract::LogWriter::vdl(volume.as_ref()) >= lsn;
            assert_eq!(durable, !sabotage, "OkBeforeVdl answers early, the engine does not");
            mutant::set(None);
        });
    }
}

#[test]
fn commits_show_in_the_order_of_their_lsns() {
    let World { executor, engine, t, volume } = world(6);
    executor.block_on(async {
        let mut lines = Vec::new();
        let before = volume.records().len();
        let mut a = engine.begin(TxnOptions::default());
        let mut b = engine.begin(TxnOptions::default());
        a.insert(&t, &row(10, 1, "a")).await.unwrap();
        b.insert(&t, &row(11, 1, "b")).await.unwrap();
        let b_lsn = b.commit().await.unwrap();
        let a_lsn = a.commit().await.unwrap();
        assert!(b_lsn < a_lsn);
        for record in &volume.records()[before..] {
            let page = match protocol::page::kind(volume.image(record.page, Lsn::MAX).bytes()) {
                Some(kind) => format!("{kind:?}"),
                None => "?".to_owned(),
            };
            lines.push(format!("{page} {:?}", record.flags));
        }
        // Row, slot and undo of each insert, then its secondary entry; a commit frees the slot and stamps the undo page, last.
        let insert = ["Tree ", "Transactions ", "Undo c", "Tree c"];
        let commit = ["Transactions ", "Undo cC"];
        let golden: Vec<&str> = [&insert[..], &insert, &commit, &commit].concat();
        let undo_claims = lines.iter().filter(|l| l.starts_with("Space")).count();
        lines.retain(|l| !l.starts_with("Space"));
        let trace: Vec<&str> = lines.iter().map(String::as_str).collect();
        let claims = trace.len() - golden.len();
        assert_eq!(claims, undo_claims, "{trace:?}");
        let mut rest = trace.clone();
        for _ in 0..claims {
            let at = rest.iter().position(|l| l.starts_with("Undo") && !l.contains('C')).unwrap();
            rest.remove(at);
        }
        assert_eq!(rest.iter().filter(|l| l.contains('C')).count(), 2);
        assert_eq!(&rest[rest.len() - 4..], &golden[golden.len() - 4..], "{trace:?}");
    });
}

#[test]
fn an_aborted_version_is_never_seen() {
    for sabotage in [false, true] {
        let World { executor, volume, engine, t } = world(7);
        executor.block_on(async {
            let mut lost = engine.begin(TxnOptions::default());
            set_k(&mut lost, &t, 1, 99).await.unwrap();
            std::mem::forget(lost);
        });
        drop((engine, t));
        let volume = volume.crash_at(*volume.cpls().last().unwrap());
        let executor = Executor::new(8);
        executor.block_on(async {
            let engine = open(&volume, &executor, 512).await.unwrap();
            mutant::set(sabotage.then_some(Mutant::AbortedVisible));
            let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
            let mut txn = engine.begin(TxnOptions::default());
            let seen = k_of(&mut txn, &t, 1).await;
            mutant::set(None);
            assert_eq!(seen == Some(Value::Int(10)), !sabotage, "{seen:?}");
        });
    }
}
