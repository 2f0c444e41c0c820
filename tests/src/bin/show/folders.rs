//! spine-3: node folders deleted. Two of six: it serves, and repairs them as newcomers by segment messages. Three: it refuses to open.
//!
//! The sabotage takes a third folder away where two may be lost: the show must fail.

use crate::{Order, Outcome};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const ROWS: u32 = 20_000;
/// Clients that write while folders vanish, and the room for ids of each.
const WRITERS: u32 = 4;
const WRITER_ROWS: u32 = 100_000_000;

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("folders").map_err(|e| e.to_string())?;
    let data = scratch.path().join("data");
    let launch = Launch::new(&binary, &data);
    let server = launch.start()?;
    fill(&server)?;
    server.terminate()?;
    if order.sabotage {
        delete(&data, &["az3/n2"])?;
    }
    while_down(&launch, &data)?;
    under_load(&launch, &data)?;
    three_deleted(&launch, &data)
}

fn text(error: tests::client::Error) -> String {
    error.to_string()
}

fn fill(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    sql.query("CREATE DATABASE show3").map_err(text)?;
    sql.query("CREATE TABLE show3.t (id INT UNSIGNED NOT NULL PRIMARY KEY, v VARCHAR(200) NOT NULL)")
        .map_err(text)?;
    sql.query("CREATE TABLE show3.w (id INT UNSIGNED NOT NULL PRIMARY KEY, v VARCHAR(200) NOT NULL)")
        .map_err(text)?;
    for first in (0..ROWS).step_by(500) {
        insert(&mut sql, first, 500)?;
    }
    Ok(())
}

fn insert(sql: &mut Client, first: u32, count: u32) -> Outcome {
    let rows: Vec<String> = (first..first + count).map(|id| format!("({id}, '{}')", value(id))).collect();
    sql.query(&format!("INSERT INTO show3.t VALUES {}", rows.join(","))).map_err(text).map(|_| ())
}

fn value(id: u32) -> String {
    format!("{id:0>150}")
}

/// Every row below `rows` is there with its content.
fn verify(server: &Server, rows: u32) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let found = sql.query("SELECT id, v FROM show3.t ORDER BY id").map_err(text)?;
    if found.rows.len() != rows as usize {
        return Err(format!("{} rows, expected {rows}", found.rows.len()));
    }
    for (id, row) in found.text().iter().enumerate() {
        if row[0] != id.to_string() || row[1] != value(id as u32) {
            return Err(format!("row {id} is {row:?}"));
        }
    }
    Ok(())
}

fn delete(data: &Path, folders: &[&str]) -> Outcome {
    for folder in folders {
        fs::remove_dir_all(data.join(folder)).map_err(|e| format!("{folder}: {e}"))?;
    }
    println!("deleted {}", folders.join(", "));
    Ok(())
}

/// Waits until all twelve segments of both groups are members again with equal SCL in their group; prints what the repair cost.
fn wait_repaired(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let deadline = Instant::now() + Duration::from_secs(300);
    let started = Instant::now();
    loop {
        // A deletion under load has to be noticed first: repaired means that something was repaired.
        let facts = "SELECT SUM(state <> 'member' OR scl < pgcl), SUM(repair_messages) FROM sextant.segments";
        let found = sql.query(facts).map_err(text)?.text();
        if found[0][0] == "0" && found[0][1] != "0" {
            break;
        }
        if Instant::now() > deadline {
            let all = "SELECT pg, position, state, scl, pgcl FROM sextant.segments";
            return Err(format!("not repaired after 300 s: {:?}", sql.query(all).map_err(text)?.text()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let cost = sql
        .query("SELECT SUM(repair_messages), SUM(repair_bytes) FROM sextant.segments")
        .map_err(text)?
        .text();
    println!(
        "repaired after {} ms: {} segment messages, {} bytes",
        started.elapsed().as_millis(),
        cost[0][0],
        cost[0][1]
    );
    if cost[0][0].parse::<u64>().unwrap_or(0) == 0 {
        return Err("no repair message was counted".into());
    }
    Ok(())
}

fn while_down(launch: &Launch, data: &Path) -> Outcome {
    delete(data, &["az1/n1", "az2/n2"])?;
    let server = launch.start()?;
    verify(&server, ROWS)?;
    println!("served {ROWS} rows with two folders deleted while down");
    wait_repaired(&server)?;
    server.terminate()?;
    Ok(())
}

fn under_load(launch: &Launch, data: &Path) -> Outcome {
    let server = launch.start()?;
    let stop = AtomicBool::new(false);
    let written: Vec<AtomicU32> = (0..WRITERS).map(|_| AtomicU32::new(0)).collect();
    let total = || written.iter().map(|n| n.load(Ordering::Relaxed)).sum::<u32>();
    let outcome = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| {
                let (server, stop, written) = (&server, &stop, &written[w as usize]);
                scope.spawn(move || writer(server, w, stop, written))
            })
            .collect();
        let outcome = (|| {
            progress(total, 200)?;
            delete(data, &["az3/n1", "az1/n2"])?;
            let at = total();
            wait_repaired(&server)?;
            println!("{} rows were acknowledged between the deletion and the repair", total() - at);
            progress(total, 200)
        })();
        stop.store(true, Ordering::Relaxed);
        let ends: Result<Vec<()>, String> =
            writers.into_iter().map(|w| w.join().map_err(|_| "a writer panicked".to_string())?).collect();
        outcome.and(ends.map(|_| ()))
    });
    outcome?;
    let check = |server: &Server| -> Outcome {
        verify(server, ROWS)?;
        let mut sql = server.connect().map_err(text)?;
        for (w, written) in written.iter().enumerate() {
            verify_writer(&mut sql, w as u32, written.load(Ordering::Relaxed))?;
        }
        Ok(())
    };
    check(&server)?;
    println!(
        "served {ROWS} rows and the {} of {WRITERS} writers with two folders deleted under load",
        total()
    );
    server.kill9();
    // The repaired copies alone must carry the volume: two that were never deleted go now.
    delete(data, &["az2/n1", "az3/n2"])?;
    let server = launch.start()?;
    check(&server)?;
    println!("the repaired copies carry the volume");
    wait_repaired(&server)?;
    server.terminate()?;
    Ok(())
}

/// Inserts rows one by one, counting what is acknowledged, until it is told to stop.
fn writer(server: &Server, number: u32, stop: &AtomicBool, written: &AtomicU32) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    for i in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = WRITER_ROWS * (number + 1) + i;
        sql.query(&format!("INSERT INTO show3.w VALUES ({id}, '{}')", value(id)))
            .map_err(|e| format!("writer {number} at row {i}: {e}"))?;
        written.store(i + 1, Ordering::Relaxed);
    }
    Ok(())
}

/// All rows of a writer are there, and none that it did not write.
fn verify_writer(sql: &mut Client, number: u32, written: u32) -> Outcome {
    let first = WRITER_ROWS * (number + 1);
    let range = format!("id >= {first} AND id < {}", first + WRITER_ROWS);
    let found =
        sql.query(&format!("SELECT id, v FROM show3.w WHERE {range} ORDER BY id")).map_err(text)?.text();
    if found.len() != written as usize {
        return Err(format!("writer {number}: {} rows, {written} acknowledged", found.len()));
    }
    for (i, row) in found.iter().enumerate() {
        let id = first + i as u32;
        if row[0] != id.to_string() || row[1] != value(id) {
            return Err(format!("writer {number}: row {i} is {row:?}"));
        }
    }
    Ok(())
}

/// Waits until the load has gone on by so many rows.
fn progress(total: impl Fn() -> u32, more: u32) -> Outcome {
    let goal = total() + more;
    let deadline = Instant::now() + Duration::from_secs(300);
    while total() < goal {
        if Instant::now() > deadline {
            return Err(format!("the load stands still at {} rows", total()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn three_deleted(launch: &Launch, data: &Path) -> Outcome {
    let gone = ["az1/n1", "az2/n1", "az3/n1"];
    delete(data, &gone)?;
    match launch.start() {
        Ok(server) => {
            drop(server);
            Err("it opened for writing with three of six folders deleted".into())
        }
        Err(refusal) => {
            println!("refused: {refusal}");
            let missing: Vec<&&str> = gone.iter().filter(|folder| !refusal.contains(**folder)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("the refusal does not list {missing:?}")) }
        }
    }
}
