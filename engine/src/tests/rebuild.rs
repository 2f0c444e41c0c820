//! ALTER TABLE by copy: the old table or the new one, whole, whatever happens.

use super::basics::*;
use super::ddl::no_orphans;
use super::isolation::*;
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use std::collections::BTreeSet;
use values::types::TypeKind;
use values::{Collation, ColumnType, Value};

/// `t (name varchar(40), k bigint, extra int, body longblob, primary key (k))` with an index on `name`, from `t (id, k, name, body)`.
fn turned(of: &TableDef, primary: Vec<IndexPart>) -> NewTable {
    let mut new = table("t", vec![index("by_name", false, &[0])]);
    new.columns = vec![
        of.columns[2].clone(),
        ColumnDef {
            id: of.columns[1].id,
            ..column("k", ColumnType::integer(TypeKind::BigInt, false), false)
        },
        column("extra", ColumnType::integer(TypeKind::Int, false), false),
        of.columns[3].clone(),
    ];
    new.primary = primary;
    new
}

fn turn(mut old: Vec<Value>) -> Result<Vec<Value>> {
    let body = old.pop().unwrap();
    let name = old.pop().unwrap();
    let k = old.pop().unwrap();
    Ok(vec![name, k, Value::Int(7), body])
}

#[test]
fn columns_come_go_and_change_and_the_key_moves() {
    let World { executor, engine, t, .. } = world(41);
    executor.block_on(async {
        let dictionary = engine.dictionary();
        let long = Value::bytes(&vec![9; 300_000]);
        let mut reader = engine.begin(TxnOptions::default());
        reader.open_view();
        let mut txn = engine.begin(TxnOptions::default());
        let mut big = row(6, 5, "big");
        big[3] = long.clone();
        txn.insert(&t, &big).await.unwrap();
        let gone = find(&mut txn, &t, 2, LockMode::Exclusive).await.unwrap().unwrap();
        txn.delete(&t, &gone).await.unwrap();
        commit(&engine, txn).await.unwrap();
        // Rolled back: not in the new table.
        let mut txn = engine.begin(TxnOptions::default());
        set_k(&mut txn, &t, 3, 999).await.unwrap();
        txn.insert(&t, &row(7, 70, "never")).await.unwrap();
        txn.rollback().await.unwrap();

        let rows = dictionary.rebuild_table(&t, &turned(&t, vec![part(1)]), turn).await.unwrap();
        assert_eq!(rows, 5);
        let new = dictionary.table("test", "t").await.unwrap().unwrap();
        assert_eq!((new.id, new.version, new.stamp), (t.id, t.version + 1, t.stamp + 1));
        let ids: Vec<u32> = new.columns.iter().map(|c| c.id.0).collect();
        assert_eq!(ids, [3, 2, 5, 4], "a column that stays keeps its id, a new one gets one never used");
        let mut txn = engine.begin(TxnOptions::default());
        let found = all(&mut txn, &new, 0, LockMode::None).await.unwrap();
        let keys: Vec<&Value> = found.iter().map(|r| &r[1]).collect();
        assert_eq!(keys, [5, 10, 30, 40, 50].map(Value::Int).iter().collect::<Vec<_>>());
        assert_eq!(found[0], [Value::text("big"), Value::Int(5), Value::Int(7), long.clone()]);
        assert_eq!(all(&mut txn, &new, 1, LockMode::None).await.unwrap().len(), 5);
        txn.insert(&new, &[Value::text("x"), Value::Int(1), Value::Int(8), Value::Null]).await.unwrap();
        commit(&engine, txn).await.unwrap();

        assert_eq!(all(&mut reader, &new, 0, LockMode::None).await, Err(EngineError::TableChanged));
        reader.rollback().await.unwrap();
        assert_eq!(whole(&engine, &new).await.rows, 6);
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
    });
}

#[test]
fn a_key_that_does_not_hold_or_a_row_that_does_not_fit_leaves_the_table_as_it_was() {
    let World { executor, engine, t, .. } = world(42);
    executor.block_on(async {
        let dictionary = engine.dictionary();
        let mut txn = engine.begin(TxnOptions::default());
        let mut big = row(6, 10, "big");
        big[3] = Value::bytes(&vec![9; 100_000]);
        txn.insert(&t, &big).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let twice = dictionary.rebuild_table(&t, &turned(&t, vec![part(1)]), turn).await;
        let Err(EngineError::Duplicate { index, key, .. }) = twice else { panic!("{twice:?}") };
        assert_eq!((index.as_str(), key), ("PRIMARY", vec![Value::Int(10)]));
        let refused =
            |old: Vec<Value>| if old[0] == Value::Int(4) { Err(EngineError::ReadOnly) } else { turn(old) };
        let made = dictionary.rebuild_table(&t, &turned(&t, Vec::new()), refused).await;
        assert_eq!(made, Err(EngineError::ReadOnly));
        let mut taken = table("u", Vec::new());
        dictionary.create_table(&taken).await.unwrap();
        taken.columns = t.columns.clone();
        let taken = dictionary.rebuild_table(&t, &taken, Ok::<_, EngineError>).await;
        assert_eq!(taken, Err(EngineError::TableExists("u".to_owned())));
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
        let mut txn = engine.begin(TxnOptions::default());
        assert!(set_k(&mut txn, &t, 1, 12).await.unwrap(), "the definition is the old one");
        assert_eq!(all(&mut txn, &t, 1, LockMode::None).await.unwrap().len(), 6);
        commit(&engine, txn).await.unwrap();
        // A hidden key stays what it is from one rebuild to the next, and a table may move on the way.
        dictionary.rebuild_table(&t, &turned(&t, Vec::new()), turn).await.unwrap();
        let hidden = dictionary.table("test", "t").await.unwrap().unwrap();
        let mut moved = turned(&t, Vec::new());
        moved.columns = hidden.columns.clone();
        moved.name = "v".to_owned();
        assert_eq!(dictionary.rebuild_table(&hidden, &moved, Ok::<_, EngineError>).await, Ok(6));
        assert_eq!(dictionary.table_names("test").await.unwrap(), ["u", "v"]);
        // What was worked out from another definition than the current one is refused, not tried.
        let now = dictionary.table("test", "v").await.unwrap().unwrap();
        let mut said = turned(&t, Vec::new());
        (said.columns, said.name) = (now.columns.clone(), "v".to_owned());
        let old = TableDef { stamp: now.stamp - 1, ..(*now).clone() };
        let late = dictionary.rebuild_table(&old, &said, Ok::<_, EngineError>).await;
        assert_eq!(late, Err(EngineError::StaleTable));
        assert_eq!(dictionary.redefine_table(&old, &said).await, Err(EngineError::StaleTable));
        let moved = dictionary.table("test", "v").await.unwrap().unwrap();
        assert_eq!(whole(&engine, &moved).await.rows, 6);
    });
}

/// A crash at every third CPL of a rebuild: the old table or the new one, whole, and no page is lost.
#[test]
fn a_crash_anywhere_leaves_the_old_or_the_new_table() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(43);
    let (from, to) = executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let dictionary = engine.dictionary();
        dictionary.create_schema("test", "").await.unwrap();
        let t = dictionary.create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        for id in 0..60 {
            let mut row = row(id, 100 - id, "x");
            row[3] = if id % 20 == 0 { Value::bytes(&vec![1; 40_000]) } else { Value::Null };
            txn.insert(&t, &row).await.unwrap();
        }
        commit(&engine, txn).await.unwrap();
        let from = *volume.cpls().last().unwrap();
        dictionary.rebuild_table(&t, &turned(&t, vec![part(1)]), turn).await.unwrap();
        let to = *volume.cpls().last().unwrap();
        engine.env.sleep(1_000_000).await;
        (from, to)
    });
    let mut seen = BTreeSet::new();
    for cpl in volume.cpls().iter().filter(|cpl| **cpl >= from).step_by(3) {
        let reopened = volume.crash_at(*cpl);
        let executor = Executor::new(cpl.0);
        executor.block_on(async {
            let engine = open(&reopened, &executor, 512).await.unwrap();
            engine.env.sleep(1_000_000).await;
            let t = engine.dictionary().table("test", "t").await.unwrap().expect("one of the two");
            let names: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
            match names.join(" ").as_str() {
                "id k name body" => assert!(*cpl < to, "the old table after the new one was durable"),
                "name k extra body" => {}
                other => panic!("{other}"),
            }
            seen.insert(names.len() == 4 && names[0] == "name");
            assert_eq!(whole(&engine, &t).await.rows, 60);
            no_orphans(&engine).await;
        });
    }
    assert_eq!(seen.len(), 2, "crashes before and after the swap");
}

#[test]
fn text_columns_may_change_their_collation() {
    let World { executor, engine, t, .. } = world(44);
    executor.block_on(async {
        let mut new = table("t", vec![index("n", true, &[2, 0])]);
        new.columns = t.columns.clone();
        new.columns[2].ty = ColumnType::varchar(40, Collation::UTF8MB4_BIN);
        engine.dictionary().rebuild_table(&t, &new, Ok::<_, EngineError>).await.unwrap();
        let t = engine.dictionary().table("test", "t").await.unwrap().unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        assert_eq!(all(&mut txn, &t, 1, LockMode::None).await.unwrap().len(), 5);
        assert_eq!(whole(&engine, &t).await.rows, 5);
    });
}
