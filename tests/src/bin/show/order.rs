//! spine-5: append, sync done, acknowledgement, in this order; syncs counted from outside; many commits share a sync; no page leaves compute.
//!
//! 1. The director's trace of one commit is compared with `tests/golden/order.txt`.
//! 2. On the thread path `strace` counts the syncs of every log file beside our counters.
//! 3. On the ring path the device's write and flush counters stand beside ours.
//! 4. 64 clients: commits per sync of a log > 4.
//!
//! The sabotage is a segment that acknowledges before its sync: the trace differs.

use crate::{Order, Outcome};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tests::client::Client;
use tests::facts::{self, device_counters};
use tests::product::{build, director, root};
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const SINGLE_COMMITS: u64 = 200;
const CLIENTS: u64 = 64;
const COMMITS_EACH: u64 = 200;

pub(crate) fn show(order: &Order) -> Outcome {
    golden_trace(order.sabotage)?;
    let binary = build("sextant", "sextant", false)?;
    thread_path(&binary)?;
    ring_path(&binary)
}

fn golden_trace(sabotage: bool) -> Outcome {
    let args: &[&str] =
        if sabotage { &["--trace-commit", "--mutant", "AckBeforeSync"] } else { &["--trace-commit"] };
    let found = director(sabotage, args)?;
    let golden = fs::read_to_string(root().join("tests/golden/order.txt"))
        .map_err(|e| format!("tests/golden/order.txt: {e}"))?;
    println!("order of one commit:\n{found}");
    if found.trim() == golden.trim() {
        Ok(())
    } else {
        Err("the order of one commit is not the golden one".into())
    }
}

fn text(error: tests::client::Error) -> String {
    error.to_string()
}

fn make_table(server: &Server) -> Result<Client, String> {
    let mut sql = server.connect().map_err(text)?;
    sql.query("CREATE DATABASE IF NOT EXISTS show5").map_err(text)?;
    sql.query("CREATE TABLE IF NOT EXISTS show5.t (id BIGINT UNSIGNED NOT NULL PRIMARY KEY, v INT NOT NULL)")
        .map_err(text)?;
    Ok(sql)
}

fn counter(sql: &mut Client, name: &str) -> Result<u64, String> {
    facts::counter(sql, name).map_err(text)
}

fn thread_path(binary: &Path) -> Outcome {
    let scratch = Scratch::new("order").map_err(|e| e.to_string())?;
    let trace = scratch.path().join("strace");
    let mut launch = Launch::new(binary, &scratch.path().join("data")).args(&["--sextant-io", "threads"]);
    let calls = "trace=pwrite64,pwritev,pwritev2,write,fdatasync,fsync";
    launch.wrapper = ["strace", "-f", "-y", "-q", "-s", "0", "-e", calls, "-o", &trace.to_string_lossy()]
        .map(String::from)
        .to_vec();
    let server = launch.start()?;
    let mut sql = make_table(&server)?;
    let lines_before = count_lines(&trace);
    let before = counter(&mut sql, "Sextant_log_syncs")?;
    for id in 0..SINGLE_COMMITS {
        sql.query(&format!("INSERT INTO show5.t VALUES ({id}, 1)")).map_err(text)?;
    }
    let ours = counter(&mut sql, "Sextant_log_syncs")? - before;
    let per_log = syncs_per_log(&trace, lines_before)?;
    println!(
        "thread path, one client, {SINGLE_COMMITS} commits: our counter says {ours} syncs; strace counts"
    );
    for (log, syncs) in &per_log {
        println!("  {log}: {syncs}");
    }
    drop(sql);
    drop(server);
    let outside: u64 = per_log.values().sum();
    if per_log.len() != 6 {
        return Err(format!("{} log files were synced, not six", per_log.len()));
    }
    if outside.abs_diff(ours) > 6 * 4 {
        return Err(format!("strace counts {outside} syncs, our counter {ours}"));
    }
    if outside < SINGLE_COMMITS * 4 {
        return Err(format!("{outside} syncs cannot make {SINGLE_COMMITS} commits durable at four of six"));
    }
    Ok(())
}

fn count_lines(trace: &Path) -> usize {
    fs::read_to_string(trace).map_or(0, |t| t.lines().count())
}

/// Syncs of each node's hot log after the first `skip` lines: an fdatasync, or a write with RWF_DSYNC.
fn syncs_per_log(trace: &Path, skip: usize) -> Result<BTreeMap<String, u64>, String> {
    let all = fs::read_to_string(trace).map_err(|e| format!("strace: {e}"))?;
    let mut counts = BTreeMap::new();
    for line in all.lines().skip(skip) {
        let syncs = line.contains("fdatasync(") || line.contains("fsync(") || line.contains("RWF_DSYNC");
        let Some(at) = line.find("/log/") else { continue };
        if syncs && !line.contains("resumed>") {
            let start = line[..at].rfind("az").unwrap_or(0);
            *counts.entry(line[start..at].to_string()).or_default() += 1;
        }
    }
    Ok(counts)
}

fn ring_path(binary: &Path) -> Outcome {
    let scratch = Scratch::new("order").map_err(|e| e.to_string())?;
    let server = Launch::new(binary, &scratch.path().join("data")).start()?;
    let mut sql = make_table(&server)?;
    let (writes, flushes) = device_counters();
    let (commits_before, syncs_before) =
        (counter(&mut sql, "Sextant_commits")?, counter(&mut sql, "Sextant_log_syncs")?);
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..CLIENTS)
            .map(|c| {
                scope.spawn({
                    let server = &server;
                    move || client(server, c)
                })
            })
            .collect();
        handles.into_iter().try_for_each(|h| h.join().map_err(|_| "a client panicked".to_string())?)
    })?;
    let commits = counter(&mut sql, "Sextant_commits")? - commits_before;
    let syncs = counter(&mut sql, "Sextant_log_syncs")? - syncs_before;
    let (writes_after, flushes_after) = device_counters();
    let pages = counter(&mut sql, "Sextant_pages_sent")?;
    let per_sync = commits as f64 / (syncs as f64 / 6.0);
    println!(
        "ring path, {CLIENTS} clients: {commits} commits, {syncs} syncs of six logs: {per_sync:.1} commits per sync of a log"
    );
    println!(
        "devices of this machine meanwhile: {} writes, {} flushes",
        writes_after - writes,
        flushes_after - flushes
    );
    println!("pages sent by compute: {pages}");
    println!("redo by operation (count, bytes):");
    for row in sql.query("SHOW GLOBAL STATUS LIKE 'Sextant_redo%'").map_err(text)?.text() {
        println!("  {:<44} {:>12}", row[0], row[1]);
    }
    drop(sql);
    server.terminate()?;
    if pages != 0 {
        return Err(format!("compute sent {pages} pages"));
    }
    if per_sync <= 4.0 {
        return Err(format!("{per_sync:.1} commits per sync, more than 4 expected"));
    }
    Ok(())
}

fn client(server: &Server, number: u64) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    for i in 0..COMMITS_EACH {
        sql.query(&format!("INSERT INTO show5.t VALUES ({}, {i})", 1_000_000 + number * COMMITS_EACH + i))
            .map_err(text)?;
    }
    Ok(())
}
