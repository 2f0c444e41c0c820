//! spine-3: node folders deleted. Two of six: it serves, and repairs them as newcomers by segment messages. Three: it refuses to open.
//!
//! The sabotage takes a third folder away where two may be lost: the show must fail.

use crate::{Order, Outcome};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::server::{Launch, Scratch, Server, build};

const ROWS: u32 = 20_000;

pub(crate) fn show(order: Order) -> Outcome {
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
    let deadline = Instant::now() + Duration::from_secs(120);
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
            return Err(format!("not repaired after 120 s: {:?}", sql.query(all).map_err(text)?.text()));
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
    let mut sql = server.connect().map_err(text)?;
    for batch in 0..20 {
        insert(&mut sql, ROWS + batch * 100, 100)?;
        if batch == 5 {
            delete(data, &["az3/n1", "az1/n2"])?;
        }
    }
    verify(&server, ROWS + 2000)?;
    println!("served {} rows with two folders deleted under load", ROWS + 2000);
    wait_repaired(&server)?;
    server.kill9();
    // The repaired copies alone must carry the volume: two that were never deleted go now.
    delete(data, &["az2/n1", "az3/n2"])?;
    let server = launch.start()?;
    verify(&server, ROWS + 2000)?;
    println!("the repaired copies carry the volume");
    wait_repaired(&server)?;
    server.terminate()?;
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
