//! Metadata locks: who waits for whom, and what a circle through rows and definitions comes to.

use super::basics::*;
use super::isolation::*;
use crate::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use values::Value;

fn short(engine: &Arc<Engine>, session: u32) -> Dictionary {
    let holder = Some(engine.metadata_holder(session));
    engine.dictionary().with(DdlOptions { lock_wait_timeout_us: 1_000_000, holder, ..DdlOptions::default() })
}

#[test]
fn a_waiting_ddl_keeps_newcomers_out_and_goes_when_the_transaction_ends() {
    let World { executor, engine, t, .. } = world(61);
    let env = executor.env();
    executor.block_on(async {
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut reader, &t, 1).await, Some(Value::Int(10)));
        let (done, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (e, d) = (Arc::clone(&engine), Arc::clone(&done));
        env.spawn(
            "test",
            Box::pin(async move {
                e.dictionary().truncate_table("test", "t").await.unwrap();
                d.store(true, Ordering::SeqCst);
            }),
        );
        engine.env.sleep(1_000).await;
        let (e, old, s) = (Arc::clone(&engine), Arc::clone(&t), Arc::clone(&seen));
        env.spawn(
            "test",
            Box::pin(async move {
                let mut late = e.begin(TxnOptions::default());
                let error = find(&mut late, &old, 1, LockMode::None).await.unwrap_err();
                assert_eq!(
                    error,
                    EngineError::StaleTable,
                    "it waited, and the definition is another one now"
                );
                let new = e.dictionary().table("test", "t").await.unwrap().unwrap();
                assert!(find(&mut late, &new, 1, LockMode::None).await.unwrap().is_none());
                s.store(true, Ordering::SeqCst);
            }),
        );
        engine.env.sleep(1_000).await;
        assert!(!done.load(Ordering::SeqCst) && !seen.load(Ordering::SeqCst));
        let locks = engine.metadata_locks();
        let told: Vec<(&str, bool)> = locks.iter().map(|l| (l.mode.text(), l.waiting)).collect();
        assert_eq!(told, [("SHARED_READ", false), ("SHARED_READ", true), ("EXCLUSIVE", true)]);
        assert_eq!(k_of(&mut reader, &t, 2).await, Some(Value::Int(20)), "what is held is held");
        commit(&engine, reader).await.unwrap();
        engine.env.sleep(2_000_000).await;
        assert!(done.load(Ordering::SeqCst) && seen.load(Ordering::SeqCst));
        assert!(engine.metadata_locks().is_empty());
        assert_eq!(engine.locks.metadata.busy(), 0);
    });
}

#[test]
fn lock_tables_reads_and_writes() {
    let World { executor, engine, t, .. } = world(62);
    executor.block_on(async {
        let kill = KillSwitch::new();
        let me = engine.metadata_holder(1);
        let options = TxnOptions { metadata_timeout_us: 1_000, ..TxnOptions::default() };
        let mine = TxnOptions { holder: Some(Arc::clone(&me)), ..options.clone() };
        let read = TableLocks::take(&engine, &me, &[(Arc::clone(&t), false)], 1_000, &kill).await.unwrap();
        let mut other = engine.begin(options.clone());
        assert_eq!(k_of(&mut other, &t, 1).await, Some(Value::Int(10)));
        assert_eq!(set_k(&mut other, &t, 1, 11).await, Err(EngineError::LockWaitTimeout));
        let again = TableLocks::take(&engine, &me, &[(Arc::clone(&t), true)], 1_000, &kill).await;
        assert_eq!(again.unwrap_err(), EngineError::LockWaitTimeout, "the other one reads");
        other.rollback().await.unwrap();
        drop(read);

        let write = TableLocks::take(&engine, &me, &[(Arc::clone(&t), true)], 1_000, &kill).await.unwrap();
        let mut other = engine.begin(options.clone());
        assert_eq!(find(&mut other, &t, 1, LockMode::None).await.unwrap_err(), EngineError::LockWaitTimeout);
        let mut own = engine.begin(mine);
        assert!(set_k(&mut own, &t, 1, 12).await.unwrap(), "nobody stands in his own way");
        commit(&engine, own).await.unwrap();
        let ddl = engine.dictionary().with(DdlOptions { holder: Some(me), ..DdlOptions::default() });
        ddl.create_index("test", "t", index("n", false, &[2])).await.unwrap();
        let told: Vec<(&str, bool)> =
            engine.metadata_locks().iter().map(|l| (l.mode.text(), l.explicit)).collect();
        assert_eq!(told, [("EXCLUSIVE", true)]);
        drop(write);
        let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
        assert_eq!(k_of(&mut other, &t, 1).await, Some(Value::Int(12)));
    });
}

#[test]
fn a_circle_through_a_row_and_a_definition_costs_the_transaction() {
    let World { executor, engine, t, .. } = world(63);
    let env = executor.env();
    executor.block_on(async {
        let u = engine.dictionary().create_table(&table("u", Vec::new())).await.unwrap();
        let mut first = engine.begin(TxnOptions::default());
        first.insert(&u, &row(1, 1, "a")).await.unwrap();
        let (e, t2, u2) = (Arc::clone(&engine), Arc::clone(&t), Arc::clone(&u));
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        env.spawn(
            "test",
            Box::pin(async move {
                let mut second = e.begin(TxnOptions::default());
                assert_eq!(k_of(&mut second, &t2, 1).await, Some(Value::Int(10)));
                let met = find(&mut second, &u2, 1, LockMode::Exclusive).await;
                assert_eq!(
                    met.unwrap_err(),
                    EngineError::Deadlock,
                    "the cheapest transaction, never the DDL"
                );
                assert!(!second.is_open());
                flag.store(true, Ordering::SeqCst);
            }),
        );
        engine.env.sleep(1_000).await;
        let e = Arc::clone(&engine);
        env.spawn(
            "test",
            Box::pin(async move {
                short(&e, 7).truncate_table("test", "t").await.unwrap();
            }),
        );
        engine.env.sleep(1_000).await;
        // first -> DDL (queued before it) -> second (has read t) -> first (the row).
        let found = find(&mut first, &t, 2, LockMode::None).await;
        assert_eq!(found.unwrap_err(), EngineError::StaleTable, "the DDL went through before it");
        commit(&engine, first).await.unwrap();
        engine.env.sleep(2_000_000).await;
        assert!(ended.load(Ordering::SeqCst));
        assert!(engine.metadata_locks().is_empty());
    });
}
