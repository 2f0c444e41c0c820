//! Random transactions against a plain model, with crashes at sampled CPLs.

use super::basics::*;
use crate::testing::{Executor, open_with};
use crate::*;
use buffer_pool::testing::{Durability, MemoryVolume};
use protocol::lsn::Lsn;
use protocol::mutant::{self, Mutant};
use std::collections::BTreeMap;
use std::sync::Arc;
use values::Value;

/// id -> k, name.
type Model = BTreeMap<i64, (i64, i64)>;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn model_row(id: i64, (k, n): (i64, i64)) -> Vec<Value> {
    row(id, k, &format!("name {n}"))
}

/// One random change, made to the engine and to the model.
async fn step(txn: &mut Txn, t: &Arc<TableDef>, dice: &mut Dice, model: &mut Model) {
    let id = dice.roll(40) as i64;
    let new = (dice.roll(8) as i64, dice.roll(5) as i64);
    txn.start_statement();
    let found = find(txn, t, id, LockMode::Exclusive).await.unwrap();
    assert_eq!(found.as_ref().map(|f| f.view().to_values()), model.get(&id).map(|m| model_row(id, *m)));
    match (found, dice.roll(4)) {
        (None, _) => {
            txn.insert(t, &model_row(id, new)).await.unwrap();
            model.insert(id, new);
        }
        (Some(found), 0) => {
            assert!(txn.delete(t, &found).await.unwrap());
            model.remove(&id);
        }
        (Some(found), 1) => {
            let other = dice.roll(40) as i64;
            let moved = txn.update(t, &found, &[(0, Value::Int(other))]).await;
            if other != id && model.contains_key(&other) {
                assert!(matches!(moved, Err(EngineError::Duplicate { index_no: 0, .. })), "{moved:?}");
            } else if other != id {
                assert_eq!(moved, Ok(true));
                let old = model.remove(&id).expect("found");
                model.insert(other, old);
            }
        }
        (Some(found), _) => {
            let values = [(1, Value::Int(new.0)), (2, Value::text(&format!("name {}", new.1)))];
            let changed = txn.update(t, &found, &values).await.unwrap();
            assert_eq!(changed, model.insert(id, new) != Some(new));
        }
    }
}

async fn agree(engine: &Arc<Engine>, t: &Arc<TableDef>, model: &Model) {
    let mut txn = engine.begin(TxnOptions::default());
    let expected: Vec<Vec<Value>> = model.iter().map(|(id, m)| model_row(*id, *m)).collect();
    assert_eq!(all(&mut txn, t, 0, LockMode::None).await.unwrap(), expected);
    for index_no in 1..t.indexes.len() {
        let mut rows = all(&mut txn, t, index_no, LockMode::None).await.unwrap();
        rows.sort_by_key(|r| if let Value::Int(id) = r[0] { id } else { 0 });
        assert_eq!(rows, expected, "index {index_no}");
    }
}

fn settings(small_rollback_bytes: u64) -> Settings {
    Settings { small_rollback_bytes, ..Settings::default() }
}

/// Runs a random history; returns the volume and the committed state after each commit LSN.
fn history(seed: u64, transactions: usize) -> (Arc<MemoryVolume>, Vec<(Lsn, Model)>) {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(seed);
    let commits = executor.block_on(async {
        let mut dice = Dice(seed);
        let engine = open_with(&volume, &executor, 512, settings(dice.roll(2) * 100_000)).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let indexes = vec![index("k", false, &[1]), index("nk", false, &[2, 1])];
        let t = engine.dictionary().create_table(&table("t", indexes)).await.unwrap();
        let mut model = Model::new();
        let mut commits = vec![(*volume.cpls().last().unwrap(), model.clone())];
        let mut old: Option<(Txn, Model)> = None;
        for _ in 0..transactions {
            let mut txn = engine.begin(TxnOptions::default());
            let mut draft = model.clone();
            for _ in 0..dice.roll(6) + 1 {
                let before = (dice.roll(5) == 0).then(|| draft.clone());
                txn.savepoint("s");
                step(&mut txn, &t, &mut dice, &mut draft).await;
                if let Some(before) = before {
                    txn.rollback_to("s").await.unwrap();
                    draft = before;
                }
            }
            match dice.roll(4) {
                0 => txn.rollback().await.unwrap(),
                1 => drop(txn),
                _ => {
                    let lsn = txn.commit().await.unwrap();
                    engine.wait_durable(lsn).await.unwrap();
                    model = draft;
                    if lsn > Lsn::ZERO {
                        commits.push((lsn, model.clone()));
                    }
                }
            }
            if dice.roll(3) == 0 {
                engine.env.sleep(dice.roll(20_000)).await;
            }
            if let Some((mut reader, then)) = old.take() {
                let expected: Vec<Vec<Value>> = then.iter().map(|(id, m)| model_row(*id, *m)).collect();
                assert_eq!(all(&mut reader, &t, 0, LockMode::None).await.unwrap(), expected, "an old view");
                assert_eq!(all(&mut reader, &t, 1, LockMode::None).await.unwrap().len(), expected.len());
                if dice.roll(3) > 0 {
                    old = Some((reader, then));
                }
            } else {
                let mut reader = engine.begin(TxnOptions::default());
                reader.open_view();
                old = Some((reader, model.clone()));
            }
        }
        drop(old);
        engine.env.sleep(2_000_000).await;
        agree(&engine, &t, &model).await;
        let report = whole(&engine, &t).await;
        assert_eq!((report.rows, report.versions), (model.len() as u64, 0));
        assert_eq!(report.entries, 2 * report.rows, "nothing is left to purge");
        commits
    });
    (volume, commits)
}

/// Opens the volume as a crash at `cpl` leaves it; everything committed is there, nothing else, before and after the cleaner.
fn crash(volume: &MemoryVolume, cpl: Lsn, commits: &[(Lsn, Model)]) -> bool {
    let model = &commits[commits.partition_point(|(lsn, _)| *lsn <= cpl) - 1].1;
    let reopened = volume.crash_at(cpl);
    let executor = Executor::new(cpl.0);
    executor.block_on(async {
        let engine = open_with(&reopened, &executor, 512, settings(1000)).await.unwrap();
        let t = engine.dictionary().table("test", "t").await.unwrap().expect("the table is there");
        agree(&engine, &t, model).await;
        let mut txn = engine.begin(TxnOptions::default());
        let mut draft = model.clone();
        let mut dice = Dice(cpl.0);
        // Writers meet aborted versions before the cleaner does.
        for _ in 0..5 {
            step(&mut txn, &t, &mut dice, &mut draft).await;
        }
        txn.commit().await.unwrap();
        agree(&engine, &t, &draft).await;
        engine.env.sleep(2_000_000).await;
        agree(&engine, &t, &draft).await;
        let report = engine.check_table(&t).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new(), "crash at {cpl}");
        assert_eq!(
            (report.rows, report.versions, report.entries),
            (draft.len() as u64, 0, 2 * draft.len() as u64)
        );
        assert_eq!(engine.status().slots_used, 0);
        true
    })
}

#[test]
fn random_histories_agree_with_the_model_and_survive_crashes() {
    for seed in 0..6 {
        let (volume, commits) = history(seed, 60);
        let cpls = volume.cpls();
        let first = cpls.partition_point(|c| *c <= commits[0].0);
        for at in (first..cpls.len()).step_by(41 + seed as usize) {
            crash(&volume, cpls[at], &commits);
        }
    }
}

#[test]
fn a_forgotten_secondary_entry_is_found_by_the_check() {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(77);
    executor.block_on(async {
        let engine = open_with(&volume, &executor, 512, settings(0)).await.unwrap();
        engine.dictionary().create_schema("test", "").await.unwrap();
        let t = engine.dictionary().create_table(&table("t", vec![index("k", false, &[1])])).await.unwrap();
        mutant::set(Some(Mutant::SecondaryForgotten));
        let mut txn = engine.begin(TxnOptions::default());
        txn.insert(&t, &row(1, 1, "x")).await.unwrap();
        commit(&engine, txn).await.unwrap();
        mutant::set(None);
        let report = engine.check_table(&t).await.unwrap();
        assert_eq!(report.findings, ["index k: 0 entries for 1 rows"]);
    });
}
