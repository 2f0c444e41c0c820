//! DDL: whole or not at all, and no tree without a table.

use super::basics::*;
use super::isolation::*;
use crate::dictionary::Catalog;
use crate::testing::{Executor, open};
use crate::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use values::Value;

/// Every page belongs to a tree that something refers to.
pub(super) async fn no_orphans(engine: &Arc<Engine>) {
    let mut known: BTreeSet<u64> = BTreeSet::from([engine.catalog.counters.id()]);
    let catalog: &Catalog = &engine.catalog;
    for table in catalog.system_tables() {
        known.extend(table.runtime.trees.iter().map(|t| t.id()));
    }
    let dictionary = engine.dictionary();
    for schema in dictionary.schemas().await.unwrap() {
        for table in dictionary.tables(&schema.name).await.unwrap() {
            known.extend(table.indexes.iter().map(|i| i.id.0));
            whole(engine, &table).await;
        }
    }
    let findings = btree::check_volume(&engine.space, &known).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn definitions_come_back_as_they_were_made() {
    let World { executor, engine, volume, .. } = world(31);
    let made = executor.block_on(async {
        let dictionary = engine.dictionary();
        let mut new = table("d", vec![index("k", true, &[1]), index("kn", false, &[2, 1])]);
        new.comment = "a comment".to_owned();
        new.indexes[1].parts[0].descending = true;
        new.indexes[1].parts[0].prefix_chars = Some(3);
        let made = dictionary.create_table(&new).await.unwrap();
        assert_eq!(dictionary.create_table(&new).await, Err(EngineError::TableExists("d".to_owned())));
        assert_eq!(
            dictionary.create_schema("test", "").await,
            Err(EngineError::SchemaExists("test".to_owned()))
        );
        assert_eq!(
            dictionary.drop_table("test", "none").await,
            Err(EngineError::NoSuchTable("test.none".to_owned()))
        );
        assert_eq!(
            dictionary.tables("nowhere").await.unwrap_err(),
            EngineError::NoSuchSchema("nowhere".to_owned())
        );
        dictionary.put_account("root", "%", b"secret").await.unwrap();
        made
    });
    let volume = volume.crash_at(*volume.cpls().last().unwrap());
    let executor = Executor::new(32);
    executor.block_on(async {
        let engine = open(&volume, &executor, 512).await.unwrap();
        let dictionary = engine.dictionary();
        assert_eq!(*dictionary.table("test", "d").await.unwrap().unwrap(), *made);
        assert_eq!(dictionary.table_names("test").await.unwrap(), ["d", "t"]);
        assert_eq!(dictionary.get_account("root", "%").await.unwrap().as_deref(), Some(&b"secret"[..]));
        assert!(dictionary.drop_account("root", "%").await.unwrap());
        assert!(dictionary.accounts().await.unwrap().is_empty());
        no_orphans(&engine).await;
    });
}

#[test]
fn transactions_hold_ddl_off_and_stale_definitions_are_told() {
    let World { executor, engine, t, .. } = world(33);
    executor.block_on(async {
        let dictionary =
            engine.dictionary().with(DdlOptions { lock_wait_timeout_us: 1_000_000, ..DdlOptions::default() });
        let mut early = engine.begin(TxnOptions::default());
        early.open_view();
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(k_of(&mut reader, &t, 1).await, Some(Value::Int(10)));
        let version = dictionary.version();
        assert_eq!(dictionary.drop_table("test", "t").await, Err(EngineError::LockWaitTimeout));
        assert_eq!(k_of(&mut reader, &t, 1).await, Some(Value::Int(10)), "the reader reads on");
        commit(&engine, reader).await.unwrap();
        let mut writer = engine.begin(TxnOptions::default());
        set_k(&mut writer, &t, 1, 11).await.unwrap();
        assert_eq!(dictionary.version(), version);
        let version = dictionary.version();
        assert_eq!(dictionary.drop_table("test", "t").await, Err(EngineError::LockWaitTimeout));
        assert_eq!(dictionary.version(), version);
        commit(&engine, writer).await.unwrap();
        dictionary.create_index("test", "t", index("n", false, &[2])).await.unwrap();
        assert!(dictionary.version() > version);
        let mut writer = engine.begin(TxnOptions::default());
        assert_eq!(set_k(&mut writer, &t, 1, 12).await, Err(EngineError::StaleTable));
        let t2 = dictionary.table("test", "t").await.unwrap().unwrap();
        assert!(set_k(&mut writer, &t2, 1, 12).await.unwrap());
        commit(&engine, writer).await.unwrap();
        assert_eq!(k_of(&mut early, &t2, 1).await, Some(Value::Int(10)), "an old view sees what it saw");
        assert_eq!(all(&mut early, &t2, 2, LockMode::None).await, Err(EngineError::TableChanged));
        early.rollback().await.unwrap();
        let mut reader = engine.begin(TxnOptions::default());
        assert_eq!(all(&mut reader, &t2, 2, LockMode::None).await.unwrap().len(), 5);
        drop(reader);
        dictionary.drop_index("test", "t", "n").await.unwrap();
        assert_eq!(
            dictionary.drop_index("test", "t", "n").await,
            Err(EngineError::NoSuchIndex("n".to_owned()))
        );
        dictionary.rename_table(("test", "t"), ("test", "r")).await.unwrap();
        assert!(dictionary.table("test", "t").await.unwrap().is_none());
        dictionary.truncate_table("test", "r").await.unwrap();
        let r = dictionary.table("test", "r").await.unwrap().unwrap();
        assert_eq!(whole(&engine, &r).await.rows, 0);
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
        assert_eq!(dictionary.drop_schema("test").await, Ok(1));
        engine.env.sleep(2_000_000).await;
        no_orphans(&engine).await;
    });
}

#[test]
fn a_unique_index_over_duplicates_is_refused_and_leaves_nothing() {
    let World { executor, engine, t, .. } = world(34);
    executor.block_on(async {
        let dictionary = engine.dictionary();
        let error = dictionary.create_index("test", "t", index("u", true, &[2])).await.unwrap_err();
        let EngineError::Duplicate { key, .. } = error else { panic!("{error}") };
        assert_eq!(key, vec![Value::text("old")]);
        let mut writer = engine.begin(TxnOptions::default());
        assert!(set_k(&mut writer, &t, 1, 12).await.unwrap(), "the definition is the old one");
        commit(&engine, writer).await.unwrap();
        no_orphans(&engine).await;
    });
}
