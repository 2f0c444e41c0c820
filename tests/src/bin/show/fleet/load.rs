//! What runs while a fleet is maltreated: the ledger, whose every acknowledgement is noted by another process and audited; Debian's sysbench; and a
//! probe, one client whose commits are timed one by one, so that percentiles can be told of any stretch of time.

use super::{PATIENCE, text};
use crate::Outcome;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tests::child::{self, Helper};
use tests::client::Client;
use tests::product::build;

/// The ledger with its journal; the load is started and ended any number of times.
pub(crate) struct Ledger {
    program: PathBuf,
    file: PathBuf,
    socket: PathBuf,
    _journal: Helper,
}

/// A running load of the ledger.
pub(crate) struct Running {
    helper: Helper,
    until: PathBuf,
}

impl Ledger {
    /// Builds it, starts the journal in `dir`, makes the tables.
    pub(crate) fn new(dir: &Path, address: &str) -> Result<Ledger, String> {
        let program = build("bench", "ledger", false)?;
        let (file, socket) = (dir.join("journal"), dir.join("journal.sock"));
        let mut command = child::command(&program);
        command.arg("journal").arg("--file").arg(&file).arg("--socket").arg(&socket).stdout(Stdio::null());
        let journal = Helper::start(command)?;
        super::wait("the journal's socket", || Ok(socket.exists()))?;
        let ledger = Ledger { program, file, socket, _journal: journal };
        ledger.call(&["setup", address])?;
        Ok(ledger)
    }

    fn call(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.program).args(args).output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let problems: Vec<&str> = said.lines().filter(|l| l.starts_with("problem")).take(3).collect();
        let err = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} {}", err.trim(), problems.join("; ")))
    }

    /// Starts clients.
    pub(crate) fn start(&self, address: &str, clients: u32) -> Result<Running, String> {
        let until = self.file.with_extension("end");
        let _ = std::fs::remove_file(&until);
        let mut command = child::command(&self.program);
        command
            .args(["run", address, "--seconds", "3600", "--clients", &clients.to_string(), "--socket"])
            .arg(&self.socket)
            .arg("--until")
            .arg(&until)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(Running { helper: Helper::start(command)?, until })
    }

    /// Acknowledgements noted so far.
    pub(crate) fn noted(&self) -> u64 {
        std::fs::read(&self.file).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count() as u64)
    }

    /// Waits for so many more.
    pub(crate) fn more(&self, entries: u64) -> Outcome {
        let goal = self.noted() + entries;
        let started = Instant::now();
        while self.noted() < goal {
            if started.elapsed() > PATIENCE / 3 {
                return Err(format!("writes stand still: {} of {goal} acknowledgements", self.noted()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Compares every row with the journal.
    pub(crate) fn audit(&self, address: &str) -> Result<String, String> {
        let report = self.call(&["audit", address, "--file", &self.file.to_string_lossy()]);
        let report = report.map_err(|problem| format!("audit: {problem}"))?;
        println!("ledger's audit: {}", report.trim());
        Ok(report)
    }
}

impl Running {
    /// Ends the clients; any error, broken connection or retry of one is a failure.
    pub(crate) fn end(self) -> Outcome {
        std::fs::write(&self.until, b"").map_err(|e| e.to_string())?;
        let (status, said, err) = self.helper.output()?;
        println!("ledger: {}", said.trim());
        if !status.success() {
            return Err(format!("the ledger's client saw an error: {}", err.trim()));
        }
        if said.contains("broken=0") && said.contains("retried=0") {
            Ok(())
        } else {
            Err(format!("the ledger's clients saw errors: {}", said.trim()))
        }
    }
}

/// sysbench, round after round until it is ended; any error of one is a failure.
pub(crate) struct Sysbench {
    stop: Arc<AtomicBool>,
    transactions: Arc<AtomicU64>,
    thread: JoinHandle<Outcome>,
}

/// Tables, rows and threads of it.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) workload: &'static str,
    pub(crate) tables: u32,
    pub(crate) rows: u32,
    pub(crate) threads: u32,
}

/// Two tables, two clients.
pub(crate) const SMALL: Shape = Shape { workload: "oltp_read_write", tables: 2, rows: 20_000, threads: 2 };

impl Sysbench {
    /// Fills its tables and starts it.
    pub(crate) fn start(address: &str, shape: Shape) -> Result<Sysbench, String> {
        if Command::new("sysbench").arg("--version").output().is_err() {
            return Err("sysbench is not installed (Debian package sysbench)".into());
        }
        let mut sql = Client::connect(address).map_err(text)?;
        sql.query("CREATE DATABASE IF NOT EXISTS sbtest").map_err(text)?;
        call(address, shape, &["prepare"])?;
        let stop = Arc::new(AtomicBool::new(false));
        let transactions = Arc::new(AtomicU64::new(0));
        let (address, told, counted) = (address.to_string(), stop.clone(), transactions.clone());
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                let said = call(&address, shape, &["--time=3", "run"])?;
                for label in ["ignored errors:", "reconnects:"] {
                    if first_number(&said, label) != Some(0) {
                        return Err(format!("sysbench: {label} {:?}", first_number(&said, label)));
                    }
                }
                let done = first_number(&said, "transactions:").ok_or("sysbench printed no transactions")?;
                counted.fetch_add(done, Ordering::SeqCst);
            }
            Ok(())
        });
        Ok(Sysbench { stop, transactions, thread })
    }

    /// Ends it after its present round.
    pub(crate) fn end(self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        let outcome = self.thread.join().map_err(|_| "sysbench's thread panicked".to_string())?;
        println!(
            "sysbench: {} transactions, no ignored error, no reconnect{}",
            self.transactions.load(Ordering::SeqCst),
            if outcome.is_err() { " until it failed" } else { "" }
        );
        outcome
    }
}

fn call(address: &str, shape: Shape, words: &[&str]) -> Result<String, String> {
    let (host, port) = address.rsplit_once(':').ok_or("an address without a port")?;
    let output = child::command("sysbench")
        .arg(shape.workload)
        .args(["--db-driver=mysql", "--mysql-user=root", "--mysql-db=sbtest", "--mysql-ssl=off"])
        .args(["--rand-type=uniform", "--events=0"])
        .args([format!("--mysql-host={host}"), format!("--mysql-port={port}")])
        .args([format!("--tables={}", shape.tables), format!("--table-size={}", shape.rows)])
        .arg(format!("--threads={}", shape.threads))
        .args(words)
        .output()
        .map_err(|e| format!("sysbench: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() && !said.contains("FATAL") {
        return Ok(said);
    }
    let lines: Vec<&str> =
        said.lines().filter(|l| l.contains("FATAL") || l.contains("rror")).take(3).collect();
    Err(format!("sysbench {}: {} {}", words.join(" "), output.status, lines.join(" / ")))
}

fn first_number(said: &str, label: &str) -> Option<u64> {
    let rest = &said[said.find(label)? + label.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

/// Clients that commit one row at a time and time each commit.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(Instant, Duration)>>>,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Probe {
    /// Makes its table and starts `clients`.
    pub(crate) fn start(address: &str, clients: u32) -> Result<Probe, String> {
        let mut sql = Client::connect(address).map_err(text)?;
        sql.query("CREATE DATABASE IF NOT EXISTS probe").map_err(text)?;
        sql.query("CREATE TABLE IF NOT EXISTS probe.p (id INT PRIMARY KEY, v BIGINT NOT NULL)")
            .map_err(text)?;
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let threads = (0..clients)
            .map(|client| {
                sql.query(&format!("REPLACE INTO probe.p VALUES ({client}, 0)")).map_err(text)?;
                let (address, stop, seen) = (address.to_string(), stop.clone(), seen.clone());
                Ok(std::thread::spawn(move || one(&address, client, &stop, &seen)))
            })
            .collect::<Result<_, String>>()?;
        Ok(Probe { stop, seen, threads })
    }

    /// The 50th and the 99th percentile, the longest, and the number of the commits that began since.
    pub(crate) fn since(&self, from: Instant) -> Times {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: Vec<Duration> =
            seen.iter().filter(|(at, _)| *at >= from).map(|(_, took)| *took).collect();
        all.sort_unstable();
        let at =
            |percent: usize| all.get(all.len() * percent / 100).or(all.last()).copied().unwrap_or_default();
        Times { p50: at(50), p99: at(99), longest: all.last().copied().unwrap_or_default(), count: all.len() }
    }

    /// Ends it; any error of it is a failure.
    pub(crate) fn end(self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().try_for_each(|t| t.join().map_err(|_| "a probe panicked".to_string())?)
    }
}

fn one(address: &str, client: u32, stop: &AtomicBool, seen: &Mutex<Vec<(Instant, Duration)>>) -> Outcome {
    let mut sql = Client::connect(address).map_err(text)?;
    let statement = format!("UPDATE probe.p SET v = v + 1 WHERE id = {client}");
    while !stop.load(Ordering::SeqCst) {
        let at = Instant::now();
        sql.query(&statement).map_err(|e| format!("the probe's commit: {e}"))?;
        let took = at.elapsed();
        seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, took));
    }
    Ok(())
}

/// How long commits took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
    pub(crate) count: usize,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        let (p50, p99, longest) = (ms(self.p50), ms(self.p99), ms(self.longest));
        write!(f, "p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.0} ms of {} commits", self.count)
    }
}
