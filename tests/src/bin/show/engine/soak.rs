//! engine-6: a soak of mixed writes in a pool a tenth of the data (`--seconds`, 120; an hour by hand). A read view is open for the first half
//! of it and must see, to its end, what it saw first; history is counted meanwhile. After it purge catches up, and memory and disk level off: what the last
//! quarter holds at most is little more than what the quarter before did.
//!
//! Rows carry their number and a word made of it, so that every read is compared.
//!
//! The sabotage leaves the read view open to the end: history cannot go, and the disk rises on.

use super::{disk_bytes, run, text, value};
use crate::{Order, Outcome};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::facts::counter;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const POOL_MIB: u64 = 8;
const ROWS: u64 = 100_000;
const WRITERS: u64 = 4;
const SAMPLES: u32 = 24;
/// Most of the last quarter to most of the quarter before.
const LEVEL: f64 = 1.10;

/// What is looked at, in MiB but for the history.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    resident: u64,
    disk: u64,
    history: u64,
    undo_pages: u64,
}

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("soak").map_err(|e| e.to_string())?;
    let data = scratch.path().join("data");
    let pool = format!("{POOL_MIB}M");
    let server = Launch::new(&binary, &data).args(&["--innodb-buffer-pool-size", &pool]).start()?;
    fill(&server)?;
    println!(
        "{ROWS} rows of 800 bytes, pool {POOL_MIB} MiB, {WRITERS} writers, {} s",
        order.part(120).as_secs()
    );
    let (stop, changes) = (AtomicBool::new(false), AtomicU64::new(0));
    let samples = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| {
                scope.spawn({
                    let (server, stop, changes) = (&server, &stop, &changes);
                    move || writer(server, w, stop, changes)
                })
            })
            .collect();
        let samples = watch(&server, &data, order.part(120), order.sabotage);
        stop.store(true, Ordering::SeqCst);
        let ends: Result<Vec<()>, String> =
            writers.into_iter().map(|w| w.join().map_err(|_| "a writer panicked".to_string())?).collect();
        ends.and(samples)
    })?;
    println!("{} rows were changed", changes.load(Ordering::SeqCst));
    let caught_up = purged(&server, order.sabotage);
    let outcome = judge(&samples).and(caught_up);
    audit(&server)?;
    server.terminate()?;
    outcome
}

/// What a row holds after so many changes of it.
fn word(id: u64, version: u64) -> String {
    format!("{:016x}", (id * 1_000_003 + version).wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(50)
}

fn fill(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    run(&mut sql, "CREATE DATABASE show6")?;
    run(
        &mut sql,
        "CREATE TABLE show6.t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, v VARCHAR(800) NOT NULL, KEY by_n (n))",
    )?;
    for first in (0..ROWS).step_by(500) {
        let rows: Vec<String> =
            (first..first + 500).map(|id| format!("({id},0,'{}')", word(id, 0))).collect();
        run(&mut sql, &format!("INSERT INTO show6.t VALUES {}", rows.join(",")))?;
    }
    Ok(())
}

/// Changes, deletes and makes again rows of its own; now and then takes it all back.
fn writer(server: &Server, number: u64, stop: &AtomicBool, changes: &AtomicU64) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let mut dice = number + 1;
    while !stop.load(Ordering::SeqCst) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = (dice >> 20) % (ROWS / WRITERS) * WRITERS + number;
        let version: u64 = value(&mut sql, &format!("SELECT n FROM show6.t WHERE id = {id}"))?
            .parse()
            .map_err(|_| "n is no number".to_string())?;
        let next = version + 1;
        run(&mut sql, "BEGIN")?;
        if dice >> 60 == 0 {
            run(&mut sql, &format!("DELETE FROM show6.t WHERE id = {id}"))?;
            run(&mut sql, &format!("INSERT INTO show6.t VALUES ({id}, {next}, '{}')", word(id, next)))?;
        } else {
            run(
                &mut sql,
                &format!("UPDATE show6.t SET n = {next}, v = '{}' WHERE id = {id}", word(id, next)),
            )?;
        }
        run(&mut sql, if dice >> 60 == 1 { "ROLLBACK" } else { "COMMIT" })?;
        changes.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Takes samples; in the first half a read view is open and must go on seeing what it saw.
fn watch(server: &Server, data: &Path, lasting: Duration, sabotage: bool) -> Result<Vec<Sample>, String> {
    let mut sql = server.connect().map_err(text)?;
    let mut view = server.connect().map_err(text)?;
    run(&mut view, "START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
    let sums = "SELECT SUM(n), SUM(CRC32(v)), COUNT(*) FROM show6.t";
    let seen = view.query(sums).map_err(text)?.text();
    if sabotage {
        println!("planted: the read view stays open to the end");
    }
    let mut samples = Vec::new();
    let started = Instant::now();
    for n in 0..SAMPLES {
        std::thread::sleep(lasting / SAMPLES);
        let figure = |sql: &mut Client, name: &str| counter(sql, name).map_err(text);
        let sample = Sample {
            resident: server.resident_kib() >> 10,
            disk: disk_bytes(data) >> 20,
            history: figure(&mut sql, "Sextant_history_length")?,
            undo_pages: figure(&mut sql, "Sextant_undo_pages")?
                - figure(&mut sql, "Sextant_undo_pages_free")?,
        };
        println!(
            "{:>5} s: resident {} MiB, disk {} MiB, history {} transactions, undo {} pages",
            started.elapsed().as_secs(),
            sample.resident,
            sample.disk,
            sample.history,
            sample.undo_pages
        );
        samples.push(sample);
        if n == SAMPLES / 2 && !sabotage {
            let now = view.query(sums).map_err(text)?.text();
            if now != seen {
                return Err(format!("the read view saw {seen:?} and sees {now:?}"));
            }
            run(&mut view, "COMMIT")?;
            println!("the read view saw the same all the time, and ends");
        }
    }
    let held = samples.iter().map(|s| s.history).max().unwrap_or(0);
    println!("history held at most: {held} transactions");
    Ok(samples)
}

/// Nobody writes: history goes, unless a view holds it.
fn purged(server: &Server, sabotage: bool) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let started = Instant::now();
    let limit = Duration::from_secs(if sabotage { 5 } else { 60 });
    loop {
        let left = counter(&mut sql, "Sextant_history_length").map_err(text)?;
        if left < 100 {
            println!("purge caught up after {} ms: {left} transactions left", started.elapsed().as_millis());
            return Ok(());
        }
        if started.elapsed() > limit {
            return Err(format!(
                "purge did not catch up: {left} transactions of history after {} s",
                limit.as_secs()
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is read off a sample.
type Figure = fn(&Sample) -> u64;

fn judge(samples: &[Sample]) -> Outcome {
    let quarter = samples.len() / 4;
    let most =
        |range: std::ops::Range<usize>, pick: Figure| samples[range].iter().map(pick).max().unwrap_or(0);
    let figures: [(&str, Figure); 3] =
        [("resident MiB", |s| s.resident), ("disk MiB", |s| s.disk), ("undo pages", |s| s.undo_pages)];
    for (name, pick) in figures {
        let (before, last) = (most(2 * quarter..3 * quarter, pick), most(3 * quarter..samples.len(), pick));
        println!("{name}: at most {before} in the third quarter, {last} in the last");
        if last as f64 > before as f64 * LEVEL + 4.0 {
            return Err(format!("{name} rises on: {before}, then {last}"));
        }
    }
    Ok(())
}

/// Every row is there with the content of its version; the index agrees.
fn audit(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    for first in (0..ROWS).step_by(5000) {
        let query =
            format!("SELECT id, n, v FROM show6.t WHERE id >= {first} AND id < {} ORDER BY id", first + 5000);
        let rows = sql.query(&query).map_err(text)?.text();
        if rows.len() != 5000 {
            return Err(format!("{} rows from {first}", rows.len()));
        }
        for (id, row) in (first..).zip(&rows) {
            if row[0] != id.to_string() || row[2] != word(id, row[1].parse().unwrap_or(u64::MAX)) {
                return Err(format!("row {id} is {} {}", row[0], row[1]));
            }
        }
    }
    let check = sql.query("CHECK TABLE show6.t").map_err(text)?.text();
    println!(
        "{ROWS} rows are as they were written; CHECK TABLE: {}",
        check[0].last().map_or("", String::as_str)
    );
    if check[0].last().map(String::as_str) == Some("OK") { Ok(()) } else { Err(format!("{check:?}")) }
}
