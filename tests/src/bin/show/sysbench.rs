//! spine-1: Debian's sysbench, every oltp workload and bulk_insert: no error, no ignored error, no reconnect, ids exactly 1..SIZE; and memory
//! never above the bound that the server states.
//!
//! Rows are drawn uniformly: sysbench's default sends three of four accesses to one row in a hundred, where 64 clients meet true
//! deadlocks on any server, and counts them as ignored errors.
//!
//! The sabotage deletes one row behind sysbench's back between prepare and the check of ids.

use crate::{Order, Outcome};
use std::process::Command;
use tests::facts;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const TABLES: u32 = 4;
const SIZE: u64 = 100_000;
const THREADS: u32 = 64;
const WORKLOADS: &[&str] = &[
    "oltp_read_write",
    "oltp_write_only",
    "oltp_point_select",
    "oltp_insert",
    "oltp_delete",
    "oltp_update_index",
    "oltp_update_non_index",
    "oltp_read_only",
    "select_random_points",
    "select_random_ranges",
    "bulk_insert",
];

pub(crate) fn show(order: &Order) -> Outcome {
    if Command::new("sysbench").arg("--version").output().is_err() {
        return Err("sysbench is not installed (Debian package sysbench)".into());
    }
    let seconds = order.seconds.unwrap_or(60);
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("sysbench").map_err(|e| e.to_string())?;
    let server = Launch::new(&binary, &scratch.path().join("data")).start()?;
    println!("sysbench, {THREADS} threads, {TABLES} x {SIZE} rows, {seconds} s a workload");
    println!(
        "{:<24} {:>9} {:>9} {:>8} {:>7} {:>10} {:>9}",
        "workload", "tps", "qps", "p95 ms", "errors", "reconnects", "prepare s"
    );
    for workload in WORKLOADS {
        one(&server, workload, seconds, order.sabotage)?;
    }
    let memory = memory(&server);
    let status = server.terminate()?;
    memory?;
    if status.success() { Ok(()) } else { Err(format!("the server ended with {status}")) }
}

/// What it holds and the most it held is within the bound that it states.
fn memory(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(|e| e.to_string())?;
    let rows = sql.query("SHOW GLOBAL STATUS LIKE 'Sextant_memory%'").map_err(|e| e.to_string())?.text();
    for row in &rows {
        let mib = row[1].parse::<u64>().unwrap_or(0) >> 20;
        println!("{:<40} {mib:>6} MiB", row[0]);
    }
    let bound = facts::counter(&mut sql, "Sextant_memory_bound_bytes").map_err(|e| e.to_string())? >> 10;
    let (now, peak) = (server.resident_kib(), server.peak_kib());
    println!("resident at the end {} MiB, at most {} MiB, bound {} MiB", now >> 10, peak >> 10, bound >> 10);
    if peak > bound || now > bound {
        return Err(format!(
            "{} MiB resident, {} MiB at the peak, the bound is {} MiB",
            now >> 10,
            peak >> 10,
            bound >> 10
        ));
    }
    Ok(())
}

/// prepare, check of ids, run, cleanup of one workload.
fn one(server: &Server, workload: &str, seconds: u64, sabotage: bool) -> Outcome {
    let bulk = workload == "bulk_insert";
    let threads = if bulk { TABLES } else { THREADS };
    let mut sql = server.connect().map_err(|e| e.to_string())?;
    sql.query("CREATE DATABASE IF NOT EXISTS sbtest").map_err(|e| e.to_string())?;
    let started = std::time::Instant::now();
    sysbench(server, workload, threads, seconds, "prepare")?;
    let prepared = started.elapsed().as_secs_f64();
    if sabotage {
        let table = if bulk { "bulk" } else { "sbtest1 WHERE id = 77" };
        sql.query(&format!("DELETE FROM sbtest.{table}")).map_err(|e| e.to_string())?;
    }
    if !bulk {
        for table in 1..=tables(workload) {
            check_ids(&mut sql, table)?;
        }
    }
    let text = sysbench(server, workload, threads, seconds, "run")?;
    let errors = number(&text, "ignored errors:").ok_or("sysbench printed no 'ignored errors'")?;
    let reconnects = number(&text, "reconnects:").ok_or("sysbench printed no 'reconnects'")?;
    let queries = rate(&text, "queries:");
    if queries.is_nan() || queries <= 0.0 {
        return Err(format!("{workload}: no query was run"));
    }
    println!(
        "{workload:<24} {:>9.0} {:>9.0} {:>8.2} {errors:>7} {reconnects:>10} {prepared:>9.1}",
        rate(&text, "transactions:"),
        rate(&text, "queries:"),
        number(&text, "95th percentile:").unwrap_or(f64::NAN),
    );
    sysbench(server, workload, threads, seconds, "cleanup")?;
    if errors != 0.0 || reconnects != 0.0 {
        return Err(format!("{workload}: {errors} ignored errors, {reconnects} reconnects"));
    }
    Ok(())
}

/// sysbench's select_random_* know one table only.
fn tables(workload: &str) -> u32 {
    if workload.starts_with("select_random") { 1 } else { TABLES }
}

/// The ids of a prepared table are exactly 1..SIZE.
fn check_ids(sql: &mut tests::client::Client, table: u32) -> Outcome {
    let query = format!("SELECT COUNT(*), MIN(id), MAX(id), COUNT(DISTINCT id) FROM sbtest.sbtest{table}");
    let answer = sql.query(&query).map_err(|e| e.to_string())?.text();
    let size = SIZE.to_string();
    let expected = [size.as_str(), "1", size.as_str(), size.as_str()];
    if answer.first().is_some_and(|row| row.iter().map(String::as_str).eq(expected)) {
        Ok(())
    } else {
        Err(format!("sbtest{table}: count, min, max, distinct ids are {answer:?}, expected {expected:?}"))
    }
}

fn sysbench(
    server: &Server,
    workload: &str,
    threads: u32,
    seconds: u64,
    phase: &str,
) -> Result<String, String> {
    let (host, port) = server.address.rsplit_once(':').ok_or("an address without a port")?;
    let threads = if phase == "run" || workload == "bulk_insert" { threads } else { TABLES };
    let output = Command::new("sysbench")
        .arg(workload)
        .args([
            "--db-driver=mysql",
            "--mysql-user=root",
            "--mysql-db=sbtest",
            "--mysql-ssl=off",
            "--rand-type=uniform",
        ])
        .args([format!("--mysql-host={host}"), format!("--mysql-port={port}")])
        .args([format!("--tables={}", tables(workload)), format!("--table-size={SIZE}")])
        .args([format!("--threads={threads}"), format!("--time={seconds}"), "--events=0".into()])
        .arg(phase)
        .output()
        .map_err(|e| format!("sysbench: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && !text.contains("FATAL") {
        return Ok(text);
    }
    let lines: Vec<&str> =
        text.lines().filter(|l| l.contains("FATAL") || l.contains("rror")).take(5).collect();
    Err(format!("sysbench {workload} {phase}: {} {}", output.status, lines.join(" / ")))
}

/// The first number after `label`.
fn number(text: &str, label: &str) -> Option<f64> {
    let rest = &text[text.find(label)? + label.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

/// The rate in `label N (R per sec.)`.
fn rate(text: &str, label: &str) -> f64 {
    let Some(at) = text.find(label) else { return f64::NAN };
    let rest = &text[at..];
    let inside = rest.split('(').nth(1).and_then(|t| t.split_whitespace().next());
    inside.and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}
