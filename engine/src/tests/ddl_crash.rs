//! A crash at every point of every DDL: the old schema or the new one, each table whole, and no page lost.
//!
//! A history of DDL is recorded once. Then, for each CPL in it (the only points at which a crash can cut the log), a volume cut there is
//! opened. What it holds must be what the statement under way found or what it left; what had been answered before must be there. An
//! opening finishes or takes back what was under way in the background, so pages are counted after that.

use super::basics::*;
use super::ddl::no_orphans;
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use protocol::contract::LogWriter;
use protocol::lsn::Lsn;
use std::sync::Arc;

/// The statements, by name; each may be tried on what those before it left.
const STEPS: &[&str] = &[
    "create schema",
    "create table",
    "insert",
    "create index",
    "create unique index over equal names",
    "create and drop an index at once",
    "drop index",
    "rename",
    "create other schema",
    "rename to other schema",
    "alter options",
    "alter schema options",
    "truncate",
    "insert",
    "create second table",
    "drop both tables",
    "create table",
    "create view",
    "replace view",
    "rename view",
    "create second view",
    "drop view",
    "drop other schema",
    "drop schema",
];

async fn insert(engine: &Arc<Engine>) {
    let home = if engine.dictionary().table("test", "b").await.unwrap().is_some() { "test" } else { "other" };
    let name = if engine.dictionary().table("test", "a").await.unwrap().is_some() {
        ("test", "a")
    } else {
        (home, "b")
    };
    let t = engine.dictionary().table(name.0, name.1).await.unwrap().unwrap();
    let mut txn = engine.begin(TxnOptions::default());
    for id in 0..20 {
        txn.insert(&t, &row(id, id, "x")).await.unwrap();
    }
    commit(engine, txn).await.unwrap();
}

async fn step(engine: &Arc<Engine>, name: &str) {
    let dictionary = engine.dictionary();
    match name {
        "create schema" => dictionary.create_schema("test", "").await.unwrap(),
        "create table" => {
            dictionary.create_table(&table("a", vec![index("k", false, &[1])])).await.unwrap();
        }
        "insert" => insert(engine).await,
        "create index" => {
            dictionary.create_index("test", "a", index("n", false, &[2])).await.unwrap();
        }
        "create unique index over equal names" => {
            let refused = dictionary.create_index("test", "a", index("u", true, &[2])).await;
            assert!(matches!(refused, Err(EngineError::Duplicate { .. })), "{refused:?}");
        }
        "create and drop an index at once" => {
            dictionary
                .alter_indexes("test", "a", vec![index("kn", false, &[1, 2])], vec!["k".to_owned()])
                .await
                .unwrap();
        }
        "drop index" => dictionary.drop_index("test", "a", "n").await.unwrap(),
        "rename" => dictionary.rename_table(("test", "a"), ("test", "b")).await.unwrap(),
        "create other schema" => dictionary.create_schema("other", "x").await.unwrap(),
        "rename to other schema" => {
            dictionary.rename_table(("test", "b"), ("other", "b")).await.unwrap();
        }
        "alter options" => dictionary.alter_options("other", "b", "words", "ENGINE=X").await.unwrap(),
        "alter schema options" => dictionary.alter_schema_options("other", "y").await.unwrap(),
        "truncate" => dictionary.truncate_table("other", "b").await.unwrap(),
        "create second table" => {
            dictionary.create_table(&table("c", Vec::new())).await.unwrap();
        }
        "drop both tables" => dictionary.drop_tables(&[("other", "b"), ("test", "c")]).await.unwrap(),
        "create view" => dictionary.put_view("test", "v", b"1", false).await.unwrap(),
        "replace view" => {
            let taken = dictionary.put_view("test", "v", b"2", false).await;
            assert!(matches!(taken, Err(EngineError::TableExists(_))), "{taken:?}");
            let taken = dictionary.put_view("test", "a", b"2", true).await;
            assert!(matches!(taken, Err(EngineError::TableExists(_))), "{taken:?}");
            dictionary.put_view("test", "v", b"2", true).await.unwrap();
        }
        "rename view" => dictionary.rename_view("test", "v", "w").await.unwrap(),
        "create second view" => dictionary.put_view("test", "x", b"3", false).await.unwrap(),
        "drop view" => {
            let missing = dictionary.drop_views(&[("test", "w"), ("test", "v")]).await;
            assert!(matches!(missing, Err(EngineError::NoSuchTable(_))), "{missing:?}");
            dictionary.drop_views(&[("test", "w")]).await.unwrap();
        }
        "drop other schema" => assert_eq!(dictionary.drop_schema("other").await, Ok(0)),
        "drop schema" => assert_eq!(dictionary.drop_schema("test").await, Ok(1)),
        other => panic!("no step {other}"),
    }
}

/// What a client can know of the volume: schemas, tables, indexes, options, rows.
async fn picture(engine: &Arc<Engine>) -> String {
    let dictionary = engine.dictionary();
    let mut out = String::new();
    for schema in dictionary.schemas().await.unwrap() {
        out += &format!("{} ({})\n", schema.name, schema.options);
        for t in dictionary.tables(&schema.name).await.unwrap() {
            let indexes: Vec<&str> = t.indexes[1..].iter().map(|i| i.name.as_str()).collect();
            let rows = whole(engine, &t).await.rows;
            out += &format!("  {} {indexes:?} {} {} {rows} rows\n", t.name, t.comment, t.options);
        }
        for (name, content) in dictionary.views(&schema.name).await.unwrap() {
            out += &format!("  view {name} {content:?}\n");
        }
    }
    out
}

#[test]
fn a_crash_anywhere_in_ddl_leaves_the_old_or_the_new_schema() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(35);
    // After each step: its last CPL, and the picture.
    let mut moments: Vec<(Lsn, String)> = Vec::new();
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        moments.push((*volume.cpls().last().unwrap(), String::new()));
        for name in STEPS {
            step(&engine, name).await;
            moments.push((volume.last_lsn(), picture(&engine).await));
            // Trees are dropped and history purged behind: crashes there count, too.
            engine.env.sleep(1_000_000).await;
        }
    });
    let begin = moments[0].0;
    let cpls: Vec<Lsn> = volume.cpls().into_iter().filter(|cpl| *cpl > begin).collect();
    assert!(cpls.len() > 200, "{} CPLs", cpls.len());
    for cpl in cpls {
        let reopened = volume.crash_at(cpl);
        let executor = Executor::new(cpl.0);
        // The last step that was over at this point, and the one under way.
        let over = moments.partition_point(|(end, _)| *end <= cpl) - 1;
        executor.block_on(async {
            let engine = open(&reopened, &executor, 512).await.unwrap();
            let found = picture(&engine).await;
            let either = [Some(&moments[over]), moments.get(over + 1)];
            assert!(
                either.into_iter().flatten().any(|(_, picture)| *picture == found),
                "after {:?}, crash at {cpl}: found\n{found}expected one of\n{either:?}",
                STEPS[..over].last()
            );
            engine.env.sleep(1_000_000).await;
            assert_eq!(picture(&engine).await, found, "it stays as it was opened");
            no_orphans(&engine).await;
        });
    }
}

/// What a crash left of a DDL is gone before the next one plans its trees, however soon that comes after the opening.
#[test]
fn ddl_goes_on_at_once_after_a_crash_in_ddl() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(36);
    let mut begin = Lsn::ZERO;
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        begin = volume.last_lsn();
        for name in ["create schema", "create table", "create index"] {
            step(&engine, name).await;
        }
    });
    let cpls: Vec<Lsn> = volume.cpls().into_iter().filter(|cpl| *cpl > begin).collect();
    assert!(cpls.len() > 20, "{} CPLs", cpls.len());
    for cpl in cpls {
        let reopened = volume.crash_at(cpl);
        let executor = Executor::new(cpl.0);
        executor.block_on(async {
            let engine = open(&reopened, &executor, 512).await.unwrap();
            let dictionary = engine.dictionary();
            if dictionary.schema("test").await.unwrap().is_none() {
                dictionary.create_schema("test", "").await.unwrap();
            }
            let indexes = vec![index("k", false, &[1]), index("n", false, &[2])];
            let made = dictionary.create_table(&table("soon", indexes)).await;
            let made = made.unwrap_or_else(|error| panic!("crash at {cpl}, CREATE TABLE at once: {error}"));
            let mut txn = engine.begin(TxnOptions::default());
            for id in 0..20 {
                txn.insert(&made, &row(id, id, "x")).await.unwrap();
            }
            commit(&engine, txn).await.unwrap();
            engine.env.sleep(1_000_000).await;
            assert_eq!(whole(&engine, &made).await.rows, 20, "crash at {cpl}");
            no_orphans(&engine).await;
        });
    }
}
