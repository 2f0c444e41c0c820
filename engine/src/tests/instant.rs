//! INSTANT changes of columns: rows of several formats side by side, long values, undo across them, crashes.

use super::basics::*;
use super::ddl::no_orphans;
use super::isolation::*;
use crate::dictionary::{ColumnDef, NewTable};
use crate::testing::open;
use crate::*;
use std::sync::Arc;
use values::types::TypeKind;
use values::{ColumnType, Value};

fn like(of: &TableDef, from: &[Option<usize>], added: &[ColumnDef]) -> NewTable {
    let mut added = added.iter();
    let column = |f: &Option<usize>| match f {
        Some(f) => of.columns[*f].clone(),
        None => added.next().unwrap().clone(),
    };
    let columns: Vec<ColumnDef> = from.iter().map(column).collect();
    let now = |was: usize| from.iter().position(|f| *f == Some(was)).unwrap();
    let parts = |p: &[IndexPart]| p.iter().map(|p| IndexPart { column: now(p.column), ..*p }).collect();
    let index = |i: &IndexDef| NewIndex {
        name: i.name.clone(),
        unique: i.unique,
        parts: parts(&i.parts),
        comment: String::new(),
    };
    NewTable {
        columns,
        primary: parts(&of.indexes[0].parts),
        indexes: of.indexes[1..].iter().map(index).collect(),
        ..table("t", Vec::new())
    }
}

/// Adds `extra int` in front with 7 in old rows, drops `name`, moves `body` before `k`: `extra, id, body, k`.
async fn alter(engine: &Arc<Engine>) -> Result<Arc<TableDef>> {
    let dictionary = engine.dictionary();
    let t = dictionary.table("test", "t").await?.unwrap();
    let from = [None, Some(0), Some(3), Some(1)];
    let extra = column("extra", ColumnType::integer(TypeKind::Int, false), false);
    let new = like(&t, &from, &[extra]);
    let absent = [Value::Int(7), Value::Null, Value::Null, Value::Null];
    dictionary.alter_instant(&t, &new, &from, &absent).await?;
    Ok(dictionary.table("test", "t").await?.unwrap())
}

#[test]
fn rows_of_every_format_read_write_and_roll_back() {
    let World { executor, engine, t, volume } = world(71);
    let now = executor.block_on(async {
        let long = Value::bytes(&vec![9; 300_000]);
        let mut txn = engine.begin(TxnOptions::default());
        let mut big = row(6, 60, "big");
        big[3] = long.clone();
        txn.insert(&t, &big).await.unwrap();
        commit(&engine, txn).await.unwrap();
        let now = alter(&engine).await.unwrap();
        assert_eq!((now.stamp, now.version), (t.stamp + 1, t.version + 1));
        let mut txn = engine.begin(TxnOptions::default());
        assert_eq!(set_k(&mut txn, &t, 1, 5).await, Err(EngineError::StaleTable));
        let found = all(&mut txn, &now, 0, LockMode::None).await.unwrap();
        assert_eq!(found[0], [Value::Int(7), Value::Int(1), Value::Null, Value::Int(10)]);
        assert_eq!(found[5], [Value::Int(7), Value::Int(6), long.clone(), Value::Int(60)]);
        // An old row is written in the new format, rolled back, and written again.
        let k = |v: i64| [(3, Value::Int(v))];
        txn.savepoint("s");
        for id in [1, 6] {
            let old = find(&mut txn, &now, id, LockMode::Exclusive).await.unwrap().unwrap();
            assert!(!txn.update(&now, &old, &[(0, Value::Int(7))]).await.unwrap(), "it has that default");
            assert!(txn.update(&now, &old, &k(100 + id)).await.unwrap());
        }
        assert_eq!(all(&mut txn, &now, 0, LockMode::None).await.unwrap()[5][2], long);
        txn.rollback_to("s").await.unwrap();
        assert_eq!(all(&mut txn, &now, 0, LockMode::None).await.unwrap(), found);
        let old = find(&mut txn, &now, 6, LockMode::Exclusive).await.unwrap().unwrap();
        assert!(txn.update(&now, &old, &[(0, Value::Int(8)), (2, Value::Null)]).await.unwrap());
        txn.insert(&now, &[Value::Int(9), Value::Int(8), long.clone(), Value::Int(80)]).await.unwrap();
        commit(&engine, txn).await.unwrap();
        // The index built over rows of both formats, on a column that older ones lack.
        engine.dictionary().create_index("test", "t", index("e", false, &[0])).await.unwrap();
        let again = alter_back(&engine).await;
        let mut txn = engine.begin(TxnOptions::default());
        for id in [2, 6, 8] {
            let gone = find(&mut txn, &again, id, LockMode::Exclusive).await.unwrap().unwrap();
            assert!(txn.delete(&again, &gone).await.unwrap());
        }
        commit(&engine, txn).await.unwrap();
        engine.env.sleep(2_000_000).await;
        assert_eq!(whole(&engine, &again).await.rows, 4);
        no_orphans(&engine).await;
        again
    });
    let volume = volume.crash_at(*volume.cpls().last().unwrap());
    let executor = crate::testing::Executor::new(72);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let loaded = engine.dictionary().table("test", "t").await.unwrap().unwrap();
        assert_eq!(*loaded, *now, "formats are read back");
        let mut txn = engine.begin(TxnOptions::default());
        let first = &all(&mut txn, &loaded, 0, LockMode::None).await.unwrap()[0];
        assert_eq!(*first, [Value::Int(1), Value::Int(7), Value::Int(10), Value::text("new")]);
        drop(txn);
        engine.dictionary().truncate_table("test", "t").await.unwrap();
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
    });
}

/// `extra, id, body, k` becomes `id, extra, k, name` with another `name`, "new" in all rows there are.
async fn alter_back(engine: &Arc<Engine>) -> Arc<TableDef> {
    let dictionary = engine.dictionary();
    let t = dictionary.table("test", "t").await.unwrap().unwrap();
    let from = [Some(1), Some(0), Some(3), None];
    let name = column("name", ColumnType::varchar(40, values::Collation::DEFAULT), false);
    let absent = [Value::Null, Value::Null, Value::Null, Value::text("new")];
    dictionary.alter_instant(&t, &like(&t, &from, &[name]), &from, &absent).await.unwrap();
    dictionary.table("test", "t").await.unwrap().unwrap()
}

#[test]
fn a_crash_leaves_the_old_columns_or_the_new_ones() {
    let World { executor, engine, t, volume } = world(73);
    let first = volume.cpls().len();
    executor.block_on(async {
        let now = alter(&engine).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        let old = find(&mut txn, &now, 1, LockMode::Exclusive).await.unwrap().unwrap();
        txn.update(&now, &old, &[(0, Value::Int(8))]).await.unwrap();
        commit(&engine, txn).await.unwrap();
    });
    let (cpls, mut seen) = (volume.cpls(), [0, 0]);
    for cpl in cpls[first..].iter().step_by(3).chain(cpls.last()) {
        let volume = volume.crash_at(*cpl);
        let executor = crate::testing::Executor::new(74);
        executor.block_on(async {
            let engine = open(&volume, &executor, 512).await.unwrap();
            let found = engine.dictionary().table("test", "t").await.unwrap().unwrap();
            let new = found.stamp > t.stamp;
            seen[usize::from(new)] += 1;
            let mut txn = engine.begin(TxnOptions::default());
            let rows = all(&mut txn, &found, 0, LockMode::None).await.unwrap();
            assert_eq!(rows.len(), 5);
            let second = if new {
                vec![Value::Int(7), Value::Int(2), Value::Null, Value::Int(20)]
            } else {
                row(2, 20, "old")
            };
            assert_eq!(rows[1], second);
            drop(txn);
            whole(&engine, &found).await;
            no_orphans(&engine).await;
        });
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
