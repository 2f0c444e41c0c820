//! Who waits for whom, case by case, as MySQL 9.7 does it.
//!
//! `mysql.txt` has one case a line: level | what session A does and keeps open | what B tries, each in a transaction of its own, and what
//! MySQL answered (`tests/oracle/locking-cases.py` recorded it). Where we differ the probe has a second answer, ours, after `!`, and the
//! reason stands in `REASONS`.

use super::basics::{index, table};
use super::locking::{beside, done};
use crate::testing::{Executor, open};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use std::ops::Bound;
use std::sync::Arc;
use values::Value;

const CASES: &str = include_str!("mysql.txt");

fn bytes(t: &TableDef, index: usize, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_index_key(t, index, &[Value::Int(value)], &mut out);
    out
}

/// Index and range of `id = 20`, `k 15 25`, `all` ...; the flag says that it is a whole unique key.
fn range(t: &TableDef, words: &[&str]) -> (usize, KeyRange, bool) {
    let index = match words[0] {
        "all" => return (0, KeyRange::all(), false),
        "id" => 0,
        "k" => 1,
        _ => 2,
    };
    let key = |word: &str| bytes(t, index, word.parse().unwrap());
    // NULLs come first and no comparison takes them.
    let least = if index == 0 { Bound::Unbounded } else { Bound::Included(vec![1]) };
    let (lower, upper) = match words[1] {
        "=" => (Bound::Included(key(words[2])), Bound::Included(key(words[2]))),
        ">" => (Bound::Excluded(key(words[2])), Bound::Unbounded),
        ">=" => (Bound::Included(key(words[2])), Bound::Unbounded),
        "<" => (least, Bound::Excluded(key(words[2]))),
        "<=" => (least, Bound::Included(key(words[2]))),
        from => (Bound::Included(key(from)), Bound::Included(key(words[2]))),
    };
    (index, KeyRange { lower, upper }, words[1] == "=" && index != 1)
}

async fn read(txn: &mut Txn, t: &Arc<TableDef>, words: &[&str], lock: LockMode) -> Result<RowBatch> {
    let (index, keys, unique) = range(t, words);
    let mut batch = RowBatch::new();
    if unique {
        let Bound::Included(key) = &keys.lower else { panic!("a key") };
        txn.get(t, index, key, lock, &mut batch).await?;
        return Ok(batch);
    }
    let mut scan = txn.scan(t, index, &keys, Direction::Forward, lock, ColumnSet::All);
    while scan.next(txn, &mut batch).await? > 0 {}
    Ok(batch)
}

async fn play(txn: &mut Txn, t: &Arc<TableDef>, text: &str) -> Result<()> {
    txn.start_statement();
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[0] {
        "insert" => {
            let row: Vec<Value> = words[1..].iter().map(|w| Value::Int(w.parse().unwrap())).collect();
            txn.insert(t, &row).await
        }
        "setk" => {
            let found = read(txn, t, &["id", "=", words[1]], LockMode::Exclusive).await?;
            let new = [(1, Value::Int(words[2].parse().unwrap()))];
            txn.update_row(t, found.row(0), &new).await.map(|_| ())
        }
        "delete" => {
            let found = read(txn, t, &["id", "=", words[1]], LockMode::Exclusive).await?;
            txn.delete_row(t, found.row(0)).await.map(|_| ())
        }
        "x" => read(txn, t, &words[1..], LockMode::Exclusive).await.map(|_| ()),
        "s" => read(txn, t, &words[1..], LockMode::Shared).await.map(|_| ()),
        _ => read(txn, t, &words[1..], LockMode::None).await.map(|_| ()),
    }
}

fn told(result: &Result<()>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(EngineError::LockWaitTimeout) => "waits",
        Err(EngineError::Duplicate { .. }) => "duplicate",
        Err(EngineError::Deadlock) => "deadlock",
        Err(error) => panic!("{error}"),
    }
}

async fn fresh(engine: &Arc<Engine>, name: &str) -> Arc<TableDef> {
    let mut new = table(name, vec![index("k", false, &[1]), index("u", true, &[2])]);
    new.columns.truncate(3);
    let int = new.columns[1].ty;
    new.columns[2].ty = int;
    let t = engine.dictionary().create_table(&new).await.unwrap();
    let mut txn = engine.begin(TxnOptions::default());
    for i in [10, 20, 30, 40] {
        txn.insert(&t, &[Value::Int(i), Value::Int(i), Value::Int(i)]).await.unwrap();
    }
    let lsn = txn.commit().await.unwrap();
    engine.wait_durable(lsn).await.unwrap();
    t
}

#[test]
fn locks_are_those_of_mysql() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(5);
    let wrong = executor.block_on(async {
        let engine = open(&volume, &executor, 2048).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let mut wrong = Vec::new();
        for (no, line) in CASES.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).enumerate() {
            let parts: Vec<&str> = line.split('|').map(str::trim).collect();
            let isolation = match parts[0] {
                "rc" => Isolation::ReadCommitted,
                "rr" => Isolation::RepeatableRead,
                _ => Isolation::Serializable,
            };
            let options = TxnOptions { isolation, lock_wait_timeout_us: 1_000_000, ..TxnOptions::default() };
            let t = fresh(&engine, &format!("t{no}")).await;
            let mut a = engine.begin(options.clone());
            for text in parts[1].split(';') {
                match play(&mut a, &t, text.trim()).await {
                    Ok(()) => {}
                    Err(EngineError::Duplicate { .. }) => a.rollback_statement().await.unwrap(),
                    Err(error) => panic!("{line}: {error}"),
                }
            }
            for probe in parts[2].split(';') {
                let (text, answer) = probe.split_once("->").unwrap();
                let (theirs, ours) = answer.split_once('!').unwrap_or((answer, answer));
                let (e, table, text) = (engine.clone(), t.clone(), text.trim().to_owned());
                let (opts, what) = (options.clone(), text.clone());
                let b = beside(&executor, async move {
                    let mut b = e.begin(opts);
                    let done = play(&mut b, &table, &what).await;
                    b.rollback().await.unwrap();
                    told(&done)
                });
                let now = done(&executor, &b).await;
                if now != ours.trim() {
                    wrong.push(format!(
                        "{} | {} | {text}: MySQL {}, we {now}",
                        parts[0],
                        parts[1],
                        theirs.trim()
                    ));
                }
            }
            a.rollback().await.unwrap();
            engine.env.sleep(100_000).await;
            assert_eq!((engine.status().explicit_locks, engine.status().waiting), (0, 0), "{line}");
            let report = engine.check_table(&t).await.unwrap();
            assert_eq!(report.findings, Vec::<String>::new(), "{line}");
        }
        wrong
    });
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}
