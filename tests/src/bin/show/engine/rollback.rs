//! engine-3: a transaction changes 10, 10,000, 1,000,000 and 10,000,000 rows of one table (pool 64 MiB), and then (a) says ROLLBACK, or (b) is
//! cut off by kill -9 and a restart. What is timed is the answer, and the first read and the first write of the same rows: a flat line over
//! the transaction's size. The plot goes to `docs/engine-3.svg`; peak disk is printed.
//!
//! The rows were committed before and are *changed* by the transaction, so each must show its old content at once, through its versions.
//!
//! The sabotage undoes by hand, row by row, as a system without constant-time rollback does: its line rises with the size.

use super::plot::{Line, draw};
use super::{disk_bytes, ms, open, run, text, value};
use crate::{Order, Outcome};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::{build, root};
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const SIZES: [u64; 4] = [10, 10_000, 1_000_000, 10_000_000];
const POOL: &str = "64M";
/// ROLLBACK answers within this.
const ROLLBACK_LIMIT: Duration = Duration::from_millis(10);
/// A figure at the largest size is at most so many times that at the smallest, and so much more.
const TIMES: u32 = 3;
const SLACK: Duration = Duration::from_millis(10);
const OPENING_SLACK: Duration = Duration::from_millis(300);

/// What one size cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    rows: u64,
    rollback: Duration,
    read: Duration,
    write: Duration,
    opening: Duration,
    read_after_kill: Duration,
    write_after_kill: Duration,
}

type Figure = (&'static str, fn(&Cost) -> Duration, Duration);

const FIGURES: [Figure; 6] = [
    ("ROLLBACK", |c| c.rollback, SLACK),
    ("first read after it", |c| c.read, SLACK),
    ("first write after it", |c| c.write, SLACK),
    ("restart after kill -9", |c| c.opening, OPENING_SLACK),
    ("first read after it ", |c| c.read_after_kill, OPENING_SLACK),
    ("first write after it ", |c| c.write_after_kill, OPENING_SLACK),
];

pub(crate) fn show(order: &Order) -> Outcome {
    let largest = order.rounds.unwrap_or(if order.sabotage { 1_000_000 } else { 10_000_000 });
    let sizes: Vec<u64> = SIZES.into_iter().filter(|n| *n <= largest).collect();
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("rollback").map_err(|e| e.to_string())?;
    let data = scratch.path().join("data");
    let launch = Launch::new(&binary, &data).args(&["--innodb-buffer-pool-size", POOL]);
    let (stop, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let costs = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                peak.fetch_max(disk_bytes(&data), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let costs = all(&launch, &sizes, order.sabotage, &peak);
        stop.store(true, Ordering::SeqCst);
        costs
    })?;
    println!("peak disk, six copies on this machine: {} MiB", peak.load(Ordering::SeqCst) >> 20);
    if !order.sabotage {
        write_plot(&root().join("docs/engine-3.svg"), &costs)?;
    }
    judge(&costs)
}

fn all(launch: &Launch, sizes: &[u64], sabotage: bool, peak: &AtomicU64) -> Result<Vec<Cost>, String> {
    let most = sizes.last().copied().ok_or("no size is that small")?;
    let (mut server, _) = open(launch)?;
    let started = Instant::now();
    fill(&server, most)?;
    println!(
        "{most} rows made in {:.0} s; disk {} MiB",
        started.elapsed().as_secs_f64(),
        peak.load(Ordering::SeqCst) >> 20
    );
    if sabotage {
        println!("planted: what ROLLBACK undoes is undone by hand, row by row");
    }
    let mut costs = Vec::new();
    for &rows in sizes {
        let mut cost = Cost { rows, ..Cost::default() };
        let (mut sql, took) = change(&server, rows)?;
        let from = Instant::now();
        if sabotage {
            run(&mut sql, &format!("UPDATE show3.t SET v = v - 1 WHERE id <= {rows}"))?;
            run(&mut sql, "COMMIT")?;
        } else {
            run(&mut sql, "ROLLBACK")?;
        }
        cost.rollback = from.elapsed();
        (cost.read, cost.write) = touch(&server, rows)?;
        let (open_transaction, _) = change(&server, rows)?;
        server.kill9();
        drop(open_transaction);
        (server, cost.opening) = open(launch)?;
        (cost.read_after_kill, cost.write_after_kill) = touch(&server, rows)?;
        println!(
            "{rows:>9} rows changed in {:>5.1} s: ROLLBACK {:>6.2} ms, first read {:.2}, write {:.2}; kill -9: restart {:>4.0} ms, first read {:.2}, write {:.2}",
            took.as_secs_f64(),
            ms(cost.rollback),
            ms(cost.read),
            ms(cost.write),
            ms(cost.opening),
            ms(cost.read_after_kill),
            ms(cost.write_after_kill)
        );
        costs.push(cost);
    }
    let mut sql = server.connect().map_err(text)?;
    let (count, changed) = (
        value(&mut sql, "SELECT COUNT(*) FROM show3.t")?,
        value(&mut sql, "SELECT SUM(v <> id) FROM show3.t")?,
    );
    println!("{count} rows are there, {changed} of them other than committed");
    server.terminate()?;
    if count == most.to_string() && changed == "0" {
        Ok(costs)
    } else {
        Err("rows are not what was committed".into())
    }
}

/// Rows (id, v = id, w = 0), in transactions of at most a million.
fn fill(server: &Server, rows: u64) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    run(&mut sql, "CREATE DATABASE show3")?;
    run(&mut sql, "CREATE TABLE show3.k (n INT PRIMARY KEY)")?;
    let numbers: Vec<String> = (0..1000).map(|n| format!("({n})")).collect();
    run(&mut sql, &format!("INSERT INTO show3.k VALUES {}", numbers.join(",")))?;
    run(&mut sql, "CREATE TABLE show3.t (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, w BIGINT NOT NULL)")?;
    let step = rows.min(200_000);
    for first in (0..rows).step_by(step as usize) {
        let number = format!("{first} + a.n * 1000 + b.n + 1");
        let outer = step.div_ceil(1000);
        run(
            &mut sql,
            &format!(
                "INSERT INTO show3.t SELECT {number}, {number}, 0 FROM show3.k a, show3.k b WHERE a.n < {outer} AND {number} <= {} ORDER BY a.n, b.n",
                (first + step).min(rows)
            ),
        )?;
    }
    Ok(())
}

/// A transaction that has changed so many rows and is open, and how long that took.
fn change(server: &Server, rows: u64) -> Result<(Client, Duration), String> {
    let mut sql = server.connect().map_err(text)?;
    run(&mut sql, "BEGIN")?;
    let from = Instant::now();
    for first in (0..rows).step_by(500_000) {
        let last = (first + 500_000).min(rows);
        let changed =
            run(&mut sql, &format!("UPDATE show3.t SET v = v + 1 WHERE id > {first} AND id <= {last}"))?;
        if changed != last - first {
            return Err(format!("{changed} rows changed, not {}", last - first));
        }
    }
    Ok((sql, from.elapsed()))
}

/// Reads, then writes, the first row, one in the middle and the last of those changed: the longest of each.
fn touch(server: &Server, rows: u64) -> Result<(Duration, Duration), String> {
    let mut sql = server.connect().map_err(text)?;
    let ids = [1, rows / 2, rows];
    let mut longest = (Duration::ZERO, Duration::ZERO);
    for id in ids {
        let from = Instant::now();
        let found = value(&mut sql, &format!("SELECT v FROM show3.t WHERE id = {id}"))?;
        longest.0 = longest.0.max(from.elapsed());
        if found != id.to_string() {
            return Err(format!("row {id} reads {found}: a change that was never committed is visible"));
        }
    }
    for id in ids {
        let from = Instant::now();
        let changed = run(&mut sql, &format!("UPDATE show3.t SET w = w + 1 WHERE id = {id}"))?;
        longest.1 = longest.1.max(from.elapsed());
        if changed != 1 {
            return Err(format!("row {id} could not be written"));
        }
    }
    Ok(longest)
}

fn write_plot(path: &Path, costs: &[Cost]) -> Outcome {
    let line = |(name, pick, _): &Figure| Line {
        name: name
            .trim()
            .replace("after it", if name.ends_with(' ') { "after restart" } else { "after ROLLBACK" }),
        points: costs.iter().map(|c| (c.rows as f64, ms(pick(c)).max(0.01))).collect(),
    };
    let lines: Vec<Line> = FIGURES.iter().map(line).collect();
    let title = "ROLLBACK and crash recovery do not depend on a transaction's size";
    let svg = draw(title, "rows changed by the transaction", "milliseconds", &lines);
    println!("plot: {}", path.strip_prefix(root()).unwrap_or(path).display());
    std::fs::write(path, svg).map_err(|e| format!("{}: {e}", path.display()))
}

fn judge(costs: &[Cost]) -> Outcome {
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
        return Err("nothing was measured".into());
    };
    for (name, pick, slack) in &FIGURES {
        // The least of what small transactions cost would be luck: their greatest is the base.
        let base = pick(first).max(costs[..costs.len() - 1].get(1).map_or(Duration::ZERO, pick));
        if pick(last) > base * TIMES + *slack {
            return Err(format!(
                "{}: {:.1} ms after {} rows, {:.1} ms after few: no flat line",
                name.trim(),
                ms(pick(last)),
                last.rows,
                ms(base)
            ));
        }
    }
    match costs.iter().find(|c| c.rollback > ROLLBACK_LIMIT) {
        Some(cost) => Err(format!("ROLLBACK of {} rows took {:.1} ms", cost.rows, ms(cost.rollback))),
        None => Ok(()),
    }
}
