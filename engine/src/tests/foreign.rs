//! Foreign keys: parents are found or not, children refuse, follow or let go, and what fails leaves nothing.

use super::basics::*;
use super::ddl::no_orphans;
use super::locking::{beside, done};
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use std::sync::Arc;
use values::Value;

fn key_to(parent: &str, on_delete: ForeignKeyAction, on_update: ForeignKeyAction) -> ForeignKey {
    ForeignKey {
        name: format!("to_{parent}"),
        columns: vec![1],
        parent_schema: "test".to_owned(),
        parent: parent.to_owned(),
        parent_columns: vec!["id".to_owned()],
        on_delete,
        on_update,
    }
}

fn child(name: &str, parent: &str, on_delete: ForeignKeyAction, on_update: ForeignKeyAction) -> NewTable {
    let mut new = table(name, vec![index("k", false, &[1])]);
    new.foreign_keys = vec![key_to(parent, on_delete, on_update)];
    new
}

struct Family {
    executor: Executor,
    engine: Arc<Engine>,
    volume: Arc<MemoryVolume>,
}

impl Family {
    /// Parents 1, 2, 3 in `p`; of each a child in `c`, numbered ten times as high.
    fn of(seed: u64, on_delete: ForeignKeyAction, on_update: ForeignKeyAction) -> Family {
        let volume = MemoryVolume::new(Durability::Instant);
        let executor = Executor::new(seed);
        let engine = executor.block_on(async {
            let engine = open(&volume, &executor, 1024).await.unwrap();
            let dictionary = engine.dictionary();
            dictionary.create_schema("test", "").await.unwrap();
            dictionary.create_table(&table("p", Vec::new())).await.unwrap();
            dictionary.create_table(&child("c", "p", on_delete, on_update)).await.unwrap();
            let mut txn = engine.begin(TxnOptions::default());
            for id in 1..=3 {
                txn.insert(&def(&engine, "p").await, &row(id, 0, "parent")).await.unwrap();
                txn.insert(&def(&engine, "c").await, &row(id * 10, id, "child")).await.unwrap();
            }
            commit(&engine, txn).await.unwrap();
            engine
        });
        Family { executor, engine, volume }
    }
}

async fn def(engine: &Arc<Engine>, name: &str) -> Arc<TableDef> {
    engine.dictionary().table("test", name).await.unwrap().unwrap()
}

/// Ids and references of the rows of a table.
async fn rows(engine: &Arc<Engine>, name: &str) -> Vec<(Value, Value)> {
    let mut txn = engine.begin(TxnOptions::default());
    let rows = all(&mut txn, &def(engine, name).await, 0, LockMode::None).await.unwrap();
    rows.into_iter().map(|r| (r[0].clone(), r[1].clone())).collect()
}

fn ints(pairs: &[(i64, Option<i64>)]) -> Vec<(Value, Value)> {
    pairs.iter().map(|(id, k)| (Value::Int(*id), k.map_or(Value::Null, Value::Int))).collect()
}

async fn delete(txn: &mut Txn, t: &Arc<TableDef>, id: i64) -> Result<bool> {
    let row = find(txn, t, id, LockMode::Exclusive).await?.expect("it is there");
    txn.delete(t, &row).await
}

async fn update(txn: &mut Txn, t: &Arc<TableDef>, id: i64, column: usize, value: Value) -> Result<bool> {
    let row = find(txn, t, id, LockMode::Exclusive).await?.expect("it is there");
    txn.update(t, &row, &[(column, value)]).await
}

use ForeignKeyAction::{Cascade, NoAction, Restrict, SetNull};

#[test]
fn a_child_needs_its_parent_and_a_parent_keeps_its_children() {
    let Family { executor, engine, .. } = Family::of(51, NoAction, Restrict);
    executor.block_on(async {
        let (p, c) = (def(&engine, "p").await, def(&engine, "c").await);
        let mut txn = engine.begin(TxnOptions::default());
        let text = "`test`.`c`, CONSTRAINT `to_p` FOREIGN KEY (`k`) REFERENCES `p` (`id`) ON UPDATE RESTRICT";
        let no_parent = Err(EngineError::NoParentRow(text.to_owned()));
        let has_children = || Err(EngineError::HasChildRows(text.to_owned()));
        assert_eq!(txn.insert(&c, &row(99, 9, "orphan")).await, no_parent);
        assert_eq!(update(&mut txn, &c, 10, 1, Value::Int(9)).await, no_parent.map(|()| true));
        assert_eq!(delete(&mut txn, &p, 1).await, has_children());
        assert_eq!(update(&mut txn, &p, 1, 0, Value::Int(7)).await, has_children());
        let mut orphan = row(98, 0, "nobody's");
        orphan[1] = Value::Null;
        txn.insert(&c, &orphan).await.unwrap();
        assert!(update(&mut txn, &p, 1, 2, Value::text("renamed")).await.unwrap(), "no key column");
        assert!(update(&mut txn, &c, 10, 1, Value::Int(2)).await.unwrap());
        assert!(delete(&mut txn, &p, 1).await.unwrap(), "nobody refers to it any more");
        txn.set_foreign_key_checks(false);
        assert!(delete(&mut txn, &p, 3).await.unwrap());
        commit(&engine, txn).await.unwrap();
        assert_eq!(rows(&engine, "p").await, ints(&[(2, Some(0))]));
        assert_eq!(
            rows(&engine, "c").await,
            ints(&[(10, Some(2)), (20, Some(2)), (30, Some(3)), (98, None)])
        );
        whole(&engine, &c).await;
        whole(&engine, &p).await;
    });
}

#[test]
fn children_go_change_and_let_go_with_their_parent() {
    let Family { executor, engine, volume } = Family::of(52, Cascade, Cascade);
    executor.block_on(async {
        let dictionary = engine.dictionary();
        dictionary.create_table(&child("g", "c", SetNull, SetNull)).await.unwrap();
        let (p, g) = (def(&engine, "p").await, def(&engine, "g").await);
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&g, &row(100, 10, "grandchild")).await.unwrap();
        txn.insert(&g, &row(200, 20, "grandchild")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        assert!(delete(&mut txn, &p, 1).await.unwrap());
        assert!(update(&mut txn, &p, 2, 0, Value::Int(5)).await.unwrap());
        txn.rollback_statement().await.unwrap();
        txn.start_statement();
        assert!(delete(&mut txn, &p, 1).await.unwrap());
        assert!(update(&mut txn, &p, 2, 0, Value::Int(5)).await.unwrap());
        commit(&engine, txn).await.unwrap();
        assert_eq!(rows(&engine, "c").await, ints(&[(20, Some(5)), (30, Some(3))]));
        assert_eq!(rows(&engine, "g").await, ints(&[(100, None), (200, Some(20))]));
    });
    let volume = volume.crash_at(*volume.cpls().last().unwrap());
    let executor = Executor::new(53);
    executor.block_on(async {
        let engine = open(&volume, &executor, 1024).await.unwrap();
        let p = def(&engine, "p").await;
        assert_eq!(p.referenced_by.len(), 1, "who refers to it is known after a crash");
        let mut txn = engine.begin(TxnOptions::default());
        assert!(delete(&mut txn, &p, 3).await.unwrap());
        commit(&engine, txn).await.unwrap();
        assert_eq!(rows(&engine, "c").await, ints(&[(20, Some(5))]));
        for name in ["p", "c", "g"] {
            whole(&engine, &def(&engine, name).await).await;
        }
    });
}

/// The row is there before its own reference is looked for, and gone before those who refer to it are.
#[test]
fn a_table_may_refer_to_itself() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(54);
    executor.block_on(async {
        let engine = open(&volume, &executor, 1024).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        engine.dictionary().create_table(&child("s", "s", Cascade, NoAction)).await.unwrap();
        let s = def(&engine, "s").await;
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&s, &row(1, 1, "its own parent")).await.unwrap();
        for id in 2..=14 {
            txn.insert(&s, &row(id, id - 1, "a chain")).await.unwrap();
        }
        commit(&engine, txn).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        assert!(delete(&mut txn, &s, 3).await.unwrap());
        assert_eq!(all(&mut txn, &s, 0, LockMode::None).await.unwrap().len(), 2);
        txn.rollback().await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        for id in 15..=30 {
            txn.insert(&s, &row(id, id - 1, "longer")).await.unwrap();
        }
        assert_eq!(delete(&mut txn, &s, 2).await, Err(EngineError::CascadesTooDeep));
        assert_eq!(all(&mut txn, &s, 0, LockMode::None).await.unwrap().len(), 30, "nothing of it stays");
        commit(&engine, txn).await.unwrap();
        whole(&engine, &s).await;
    });
}

#[test]
fn ddl_keeps_what_foreign_keys_need() {
    let Family { executor, engine, .. } = Family::of(55, NoAction, NoAction);
    executor.block_on(async {
        let dictionary = engine.dictionary();
        let lax =
            engine.dictionary().with(DdlOptions { no_foreign_key_checks: true, ..DdlOptions::default() });
        let code = |done: Result<()>| done.map_or_else(|e| e.code(), |()| 0);
        assert_eq!(code(dictionary.drop_table("test", "p").await), 3730);
        assert_eq!(code(dictionary.truncate_table("test", "p").await), 1701);
        assert_eq!(code(dictionary.drop_index("test", "c", "k").await), 1553);
        assert_eq!(code(dictionary.rename_table(("test", "p"), ("test", "q")).await), 1235);
        let create = async |new: NewTable| code(dictionary.create_table(&new).await.map(|_| ()));
        assert_eq!(create(child("d", "nobody", NoAction, NoAction)).await, 1824);
        let mut new = child("d", "p", NoAction, NoAction);
        new.foreign_keys[0].parent_columns[0] = "name".to_owned();
        assert_eq!(create(new.clone()).await, 3780);
        new.foreign_keys[0].parent_columns[0] = "k".to_owned();
        assert_eq!(create(new.clone()).await, 6125);
        new.foreign_keys[0].parent_columns[0] = "none".to_owned();
        assert_eq!(create(new).await, 3734);
        // With the checks off a child may come first; its parent must fit then.
        lax.create_table(&child("early", "late", NoAction, NoAction)).await.unwrap();
        let early = def(&engine, "early").await;
        let mut txn = engine.begin(TxnOptions::default());
        assert!(matches!(txn.insert(&early, &row(1, 1, "x")).await, Err(EngineError::NoParentRow(_))));
        drop(txn);
        dictionary.create_table(&table("late", Vec::new())).await.unwrap();
        assert_eq!(def(&engine, "late").await.referenced_by.len(), 1);
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&def(&engine, "late").await, &row(1, 1, "x")).await.unwrap();
        txn.insert(&early, &row(1, 1, "x")).await.unwrap();
        assert!(matches!(
            delete(&mut txn, &def(&engine, "late").await, 1).await,
            Err(EngineError::HasChildRows(_))
        ));
        txn.rollback().await.unwrap();
        let to_p = key_to("p", Cascade, Cascade);
        let alter = async |add: &[ForeignKey], drop: &[&str]| {
            let drop: Vec<String> = drop.iter().map(|d| (*d).to_owned()).collect();
            code(dictionary.alter_foreign_keys("test", "early", add, &drop).await)
        };
        assert_eq!(alter(&[], &["none"]).await, 1091);
        let mut txn = engine.begin(TxnOptions::default());
        txn.set_foreign_key_checks(false);
        txn.insert(&early, &row(5, 55, "nobody's")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        assert_eq!(alter(std::slice::from_ref(&to_p), &[]).await, 1452, "rows that are there count");
        let mut txn = engine.begin(TxnOptions::default());
        assert!(delete(&mut txn, &early, 5).await.unwrap());
        txn.insert(&def(&engine, "late").await, &row(1, 1, "x")).await.unwrap();
        txn.insert(&early, &row(1, 1, "x")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        assert_eq!(alter(std::slice::from_ref(&to_p), &["to_late"]).await, 0);
        assert_eq!(alter(std::slice::from_ref(&to_p), &[]).await, 1826);
        let mut txn = engine.begin(TxnOptions::default());
        assert!(delete(&mut txn, &def(&engine, "late").await, 1).await.unwrap(), "no longer referred to");
        txn.set_foreign_key_checks(true);
        assert!(delete(&mut txn, &def(&engine, "c").await, 10).await.unwrap());
        assert!(delete(&mut txn, &def(&engine, "p").await, 1).await.unwrap());
        assert!(rows(&engine, "early").await == ints(&[(1, Some(1))]), "not committed");
        commit(&engine, txn).await.unwrap();
        assert!(rows(&engine, "early").await.is_empty(), "it went with p's row");
        assert_eq!(alter(&[], &["to_p"]).await, 0);
        lax.drop_table("test", "late").await.unwrap();
        assert_eq!(code(dictionary.drop_tables(&[("test", "p"), ("test", "c")]).await), 0);
        dictionary.drop_table("test", "early").await.unwrap();
        dictionary.create_table(&table("late", Vec::new())).await.unwrap();
        assert!(def(&engine, "late").await.referenced_by.is_empty());
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
    });
}

/// A deleter of a parent and an inserter of a child: one waits for the other, and never do both succeed.
#[test]
fn parent_and_child_are_not_lost_between_two_transactions() {
    for seed in 0..20 {
        let Family { executor, engine, .. } = Family::of(60 + seed, NoAction, NoAction);
        executor.block_on(async {
            let (p, c) = (def(&engine, "p").await, def(&engine, "c").await);
            let mut txn = engine.begin(TxnOptions::default());
            delete(&mut txn, &c, 10).await.unwrap();
            commit(&engine, txn).await.unwrap();
            let (e, table) = (engine.clone(), p.clone());
            let deleter = beside(&executor, async move {
                let mut txn = e.begin(TxnOptions { session: 1, ..TxnOptions::default() });
                let gone = delete(&mut txn, &table, 1).await;
                crate::testing::yield_now().await;
                let _ = if gone.is_ok() { commit(&e, txn).await } else { txn.rollback().await };
            });
            let (e, table) = (engine.clone(), c.clone());
            let inserter = beside(&executor, async move {
                let mut txn = e.begin(TxnOptions { session: 2, ..TxnOptions::default() });
                let come = txn.insert(&table, &row(11, 1, "late child")).await;
                crate::testing::yield_now().await;
                let _ = if come.is_ok() { commit(&e, txn).await } else { txn.rollback().await };
            });
            done(&executor, &deleter).await;
            done(&executor, &inserter).await;
            let parent = rows(&engine, "p").await.iter().any(|r| r.0 == Value::Int(1));
            let child = rows(&engine, "c").await.iter().any(|r| r.0 == Value::Int(11));
            assert!(parent || !child, "seed {seed}: a child without parent");
            assert!(!parent || child, "seed {seed}: one of the two must succeed");
        });
    }
}
