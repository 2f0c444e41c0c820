//! The narrow road: a table is made, filled, read, committed, and found again after a crash.

use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use std::sync::Arc;
use values::types::TypeKind;
use values::{Collation, ColumnType, Value};

pub(super) fn column(name: &str, ty: ColumnType, nullable: bool) -> ColumnDef {
    ColumnDef {
        id: ColumnId(0),
        name: name.to_owned(),
        ty,
        nullable,
        default: None,
        on_update_now: false,
        auto_increment: false,
        comment: String::new(),
        generated: None,
    }
}

pub(super) fn part(column: usize) -> IndexPart {
    IndexPart { column, descending: false, prefix_chars: None }
}

pub(super) fn index(name: &str, unique: bool, columns: &[usize]) -> NewIndex {
    let parts = columns.iter().map(|c| part(*c)).collect();
    NewIndex { name: name.to_owned(), unique, parts, comment: String::new() }
}

/// `t (id int primary key, k int, name varchar(40), body longblob)`, with the indexes given.
pub(super) fn table(name: &str, indexes: Vec<NewIndex>) -> NewTable {
    NewTable {
        schema: "test".to_owned(),
        name: name.to_owned(),
        columns: vec![
            column("id", ColumnType::integer(TypeKind::Int, false), false),
            column("k", ColumnType::integer(TypeKind::Int, false), true),
            column("name", ColumnType::varchar(40, Collation::DEFAULT), true),
            column("body", ColumnType::blob(TypeKind::LongBlob), true),
        ],
        primary: vec![part(0)],
        indexes,
        auto_increment_start: 0,
        comment: String::new(),
        options: "ENGINE=InnoDB".to_owned(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
    }
}

pub(super) fn row(id: i64, k: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::Int(k), Value::text(name), Value::Null]
}

pub(super) fn key(table: &TableDef, index_no: usize, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_index_key(table, index_no, values, &mut out);
    out
}

/// All rows an index gives.
pub(super) async fn all(
    txn: &mut Txn,
    table: &Arc<TableDef>,
    index_no: usize,
    lock: LockMode,
) -> Result<Vec<Vec<Value>>> {
    let mut batch = RowBatch::new();
    let mut scan = txn.scan(table, index_no, &KeyRange::all(), Direction::Forward, lock, ColumnSet::All);
    while scan.next(txn, &mut batch).await? > 0 {}
    Ok(batch.iter().map(|r| r.to_values()).collect())
}

pub(super) async fn find(
    txn: &mut Txn,
    table: &Arc<TableDef>,
    id: i64,
    lock: LockMode,
) -> Result<Option<RowRef>> {
    let mut batch = RowBatch::new();
    let found = txn.get(table, 0, &key(table, 0, &[Value::Int(id)]), lock, &mut batch).await?;
    Ok(found.then(|| batch.row_ref(0)))
}

pub(super) async fn commit(engine: &Arc<Engine>, mut txn: Txn) -> Result<()> {
    let lsn = txn.commit().await?;
    engine.wait_durable(lsn).await
}

pub(super) async fn whole(engine: &Arc<Engine>, table: &Arc<TableDef>) -> CheckReport {
    let report = engine.check_table(table).await.expect("check");
    assert_eq!(report.findings, Vec::<String>::new());
    report
}

#[test]
fn rows_are_found_again_after_a_crash() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(1);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let dictionary = engine.dictionary();
        dictionary.create_schema("test", "").await.unwrap();
        let t = dictionary.create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        let mut txn = engine.begin(TxnOptions::default());
        for id in 0..300 {
            txn.insert(&t, &row(id, id % 7, "name")).await.unwrap();
        }
        assert!(matches!(
            txn.insert(&t, &row(5, 0, "again")).await,
            Err(EngineError::Duplicate { index_no: 0, .. })
        ));
        commit(&engine, txn).await.unwrap();
        let mut lost = engine.begin(TxnOptions::default());
        lost.insert(&t, &row(1000, 1, "never committed")).await.unwrap();
        std::mem::forget(lost);
    });
    let cpl = *volume.cpls().last().unwrap();
    let volume = volume.crash_at(cpl);
    let executor = Executor::new(2);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let dictionary = engine.dictionary();
        let t = dictionary.table("test", "t").await.unwrap().expect("the table is there");
        assert_eq!(t.options, "ENGINE=InnoDB");
        let mut txn = engine.begin(TxnOptions::default());
        let rows = all(&mut txn, &t, 0, LockMode::None).await.unwrap();
        assert_eq!(rows.len(), 300);
        assert_eq!(rows[17], row(17, 17 % 7, "name"));
        assert_eq!(all(&mut txn, &t, 1, LockMode::None).await.unwrap().len(), 300);
        let three = key(&t, 1, &[Value::Int(3)]);
        let mut batch = RowBatch::new();
        let mut scan =
            txn.scan(&t, 1, &KeyRange::prefix(three), Direction::Backward, LockMode::None, ColumnSet::All);
        while scan.next(&mut txn, &mut batch).await.unwrap() > 0 {}
        assert_eq!(batch.len(), (0..300).filter(|i| i % 7 == 3).count());
        assert!(batch.iter().all(|r| r.value(1) == Value::Int(3)));
        txn.rollback().await.unwrap();
        engine.env.sleep(1_000_000).await;
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.entries), (300, 300));
    });
}
