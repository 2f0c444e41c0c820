//! What a request costs, in counts that hold on any machine: system calls, allocations, instructions, log writes.
//!
//! Each function starts a server of its own, runs one kind of request many times, and divides. A `Plant` makes the same measurement with a fault,
//! so that a show can prove that its ceilings are seen to break.

use crate::client::{Client, Error, Statement};
use crate::facts;
use crate::scratch::Scratch;
use crate::server::{Launch, Server};
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A fault in the measured requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plant {
    /// None.
    Nothing,
    /// Every point select is parsed and planned anew, as if the plan of the prepared statement were lost.
    PlanLost,
    /// A select takes a second round trip.
    TwoTrips,
    /// Two commits where one is counted.
    TwoCommits,
}

fn text(error: Error) -> String {
    error.to_string()
}

fn io(error: std::io::Error) -> String {
    error.to_string()
}

/// A server with one small table `d.t (id, v)` of the rows 0..100.
fn served(launch: &Launch) -> Result<(Server, Client), String> {
    let server = launch.start()?;
    let mut sql = server.connect().map_err(text)?;
    sql.query("CREATE DATABASE d").map_err(text)?;
    sql.query("CREATE TABLE d.t (id INT PRIMARY KEY, v INT NOT NULL)").map_err(text)?;
    let rows: Vec<String> = (0..100).map(|id| format!("({id}, {id})")).collect();
    sql.query(&format!("INSERT INTO d.t VALUES {}", rows.join(","))).map_err(text)?;
    Ok((server, sql))
}

/// Point selects over one connection, prepared unless the plant says otherwise.
struct Selects {
    statement: Statement,
    plant: Plant,
}

impl Selects {
    fn new(sql: &mut Client, plant: Plant) -> Result<Selects, String> {
        Ok(Selects { statement: sql.prepare("SELECT v FROM d.t WHERE id = ?").map_err(text)?, plant })
    }

    fn run(&self, sql: &mut Client, times: u64) -> Result<(), String> {
        for i in 0..times {
            let id = (i % 100) as i64;
            let rows = match self.plant {
                Plant::PlanLost => {
                    sql.query(&format!("SELECT v FROM d.t WHERE id = {id}")).map_err(text)?.rows
                }
                _ => sql.execute_numbers(&self.statement, &[id]).map_err(text)?.rows,
            };
            if self.plant == Plant::TwoTrips {
                sql.ping().map_err(text)?;
            }
            if rows.len() != 1 {
                return Err(format!("{} rows for one id", rows.len()));
            }
        }
        Ok(())
    }
}

/// Reads and writes of client sockets, and all system calls of the server, per prepared point select.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Calls {
    /// Reads of the socket per select.
    pub reads: f64,
    /// Writes of the socket per select.
    pub writes: f64,
    /// System calls of every kind and thread per select, the client's idle time included.
    pub all: f64,
}

/// Counts with strace over `selects` requests of one connection.
///
/// # Errors
/// What went wrong, as text.
pub fn calls_per_select(binary: &Path, selects: u64, plant: Plant) -> Result<Calls, String> {
    let scratch = Scratch::new("calls").map_err(io)?;
    let trace = scratch.path().join("strace");
    let launch = Launch::new(binary, &scratch.path().join("data"));
    let launch = launch.wrapped(&["strace", "-f", "-yy", "-q", "-s", "0", "-o", &trace.to_string_lossy()]);
    let (server, mut sql) = served(&launch)?;
    let run = Selects::new(&mut sql, plant)?;
    run.run(&mut sql, 10)?;
    let before = socket_calls(&trace)?;
    run.run(&mut sql, selects)?;
    let after = socket_calls(&trace)?;
    drop(sql);
    server.kill9();
    let per = |i: usize| (after[i] - before[i]) as f64 / selects as f64;
    Ok(Calls { reads: per(0), writes: per(1), all: per(2) })
}

/// Reads and writes of client sockets, and calls of all kinds, in the trace so far. A call that others interrupted is two lines: its second
/// one does not count.
fn socket_calls(trace: &Path) -> Result<[u64; 3], String> {
    let text = fs::read_to_string(trace).map_err(|e| format!("strace: {e}"))?;
    let mut counts = [0; 3];
    for line in text.lines().filter(|l| !l.contains("resumed>")) {
        counts[2] += 1;
        if !line.contains("<TCP:[127.0.0.1") {
            continue;
        }
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        if call.starts_with("read") || call.starts_with("recv") {
            counts[0] += 1;
        } else if call.starts_with("write") || call.starts_with("send") {
            counts[1] += 1;
        }
    }
    Ok(counts)
}

/// Allocations per prepared point select; `counted` is the executable of that name of this package.
///
/// # Errors
/// What went wrong, as text.
pub fn allocations_per_select(counted: &Path, selects: u64, plant: Plant) -> Result<f64, String> {
    let scratch = Scratch::new("allocations").map_err(io)?;
    let socket = scratch.path().join("counted");
    let mut launch = Launch::new(counted, &scratch.path().join("data"));
    launch.env.push(("COUNTED_SOCKET".into(), socket.to_string_lossy().into_owned()));
    let (server, mut sql) = served(&launch)?;
    let run = Selects::new(&mut sql, plant)?;
    run.run(&mut sql, 100)?;
    quiet(&socket)?;
    // What runs beside the requests (purge, say) is not theirs: the least of many short turns is.
    let mut least = f64::INFINITY;
    let turn = (selects / 20).max(1);
    for _ in 0..100 {
        let before = allocations(&socket)?;
        run.run(&mut sql, turn)?;
        least = least.min((allocations(&socket)? - before) as f64 / turn as f64);
    }
    drop(sql);
    server.kill9();
    Ok(least)
}

/// Waits until nobody allocates while nobody asks: the keys of logins are made beside the first requests, which takes seconds on a busy machine.
fn quiet(socket: &Path) -> Result<(), String> {
    let patience = Instant::now() + Duration::from_secs(120);
    let mut before = allocations(socket)?;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = allocations(socket)?;
        if now - before < 100 {
            return Ok(());
        }
        if Instant::now() > patience {
            return Err(format!("{} allocations in 100 ms without a request", now - before));
        }
        before = now;
    }
}

fn allocations(socket: &Path) -> Result<u64, String> {
    let mut answer = String::new();
    UnixStream::connect(socket).and_then(|mut s| s.read_to_string(&mut answer)).map_err(io)?;
    answer.parse().map_err(|_| format!("counted says {answer:?}"))
}

/// Instructions of the busiest thread per prepared point select, counted by callgrind: the connection's worker (there is one).
///
/// # Errors
/// What went wrong, as text.
pub fn instructions_per_select(binary: &Path, selects: u64, plant: Plant) -> Result<u64, String> {
    let scratch = Scratch::new("instructions").map_err(io)?;
    let out = scratch.path().join("callgrind");
    let file = format!("--callgrind-out-file={}", out.display());
    let mut launch = Launch::new(binary, &scratch.path().join("data"))
        .args(&["--sextant-io", "threads", "--sextant-worker-threads", "1"])
        .wrapped(&["valgrind", "--tool=callgrind", "--separate-threads=yes", &file]);
    launch.wrapper_is_server = true;
    let (server, mut sql) = served(&launch)?;
    let run = Selects::new(&mut sql, plant)?;
    run.run(&mut sql, 200)?;
    control(&server, "zero")?;
    run.run(&mut sql, selects)?;
    control(&server, "dump")?;
    drop(sql);
    server.kill9();
    let mut busiest = 0;
    for entry in fs::read_dir(scratch.path()).map_err(io)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("callgrind.1-") {
            let dump = fs::read_to_string(entry.path()).map_err(io)?;
            let total = dump.lines().rev().find_map(|l| l.strip_prefix("totals: "));
            busiest = busiest.max(total.and_then(|t| t.trim().parse::<u64>().ok()).unwrap_or(0));
        }
    }
    if busiest == 0 { Err("callgrind left no dump".into()) } else { Ok(busiest / selects) }
}

/// Asks the callgrind in the server; it answers once it has done what it was asked.
fn control(server: &Server, word: &str) -> Result<(), String> {
    let output =
        Command::new("vgdb").arg(format!("--pid={}", server.pid())).arg(word).output().map_err(io)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("vgdb {word}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What commits cost: counts of the server's own counters, which show spine-5 holds against strace.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Commits {
    /// Log writes of all six nodes per commit, one client.
    pub writes_alone: f64,
    /// Syncs of all six nodes per commit, one client.
    pub syncs_alone: f64,
    /// Commits per sync of one log with many clients.
    pub per_sync: f64,
    /// Pages that left compute.
    pub pages_sent: u64,
}

/// Counts over `alone` commits of one client, then `each` commits of `clients` clients.
///
/// # Errors
/// What went wrong, as text.
pub fn commits(binary: &Path, alone: u64, clients: u64, each: u64, plant: Plant) -> Result<Commits, String> {
    const NAMES: [&str; 3] = ["Sextant_commits", "Sextant_log_writes", "Sextant_log_syncs"];
    let scratch = Scratch::new("commits").map_err(io)?;
    let (server, mut sql) = served(&Launch::new(binary, &scratch.path().join("data")))?;
    let read = |sql: &mut Client| facts::counters(sql, NAMES).map_err(text);
    let before = read(&mut sql)?;
    for i in 0..alone {
        insert(&mut sql, 1000 + i)?;
        if plant == Plant::TwoCommits {
            insert(&mut sql, 10_000_000 + i)?;
        }
    }
    let after = read(&mut sql)?;
    let counted = if plant == Plant::TwoCommits { alone } else { after[0] - before[0] };
    let per = |i: usize| (after[i] - before[i]) as f64 / counted as f64;
    let (writes_alone, syncs_alone) = (per(1), per(2));
    std::thread::scope(|scope| {
        let run = |c: u64| {
            let mut sql = server.connect().map_err(text)?;
            (0..each).try_for_each(|i| insert(&mut sql, 1_000_000 + c * each + i))
        };
        let handles: Vec<_> = (0..clients).map(|c| scope.spawn(move || run(c))).collect();
        handles.into_iter().try_for_each(|h| h.join().map_err(|_| "a client panicked".to_string())?)
    })?;
    let end = read(&mut sql)?;
    let per_sync = (end[0] - after[0]) as f64 / ((end[2] - after[2]) as f64 / 6.0);
    let pages_sent = facts::counter(&mut sql, "Sextant_pages_sent").map_err(text)?;
    drop(sql);
    server.terminate()?;
    Ok(Commits { writes_alone, syncs_alone, per_sync, pages_sent })
}

fn insert(sql: &mut Client, id: u64) -> Result<(), String> {
    sql.query(&format!("INSERT INTO d.t VALUES ({id}, 1)")).map(|_| ()).map_err(text)
}

/// KiB of resident memory per idle connection, over `connections` of them.
///
/// # Errors
/// What went wrong, as text.
pub fn idle_connection_kib(binary: &Path, connections: u64) -> Result<f64, String> {
    let scratch = Scratch::new("idle").map_err(io)?;
    let launch = Launch::new(binary, &scratch.path().join("data")).args(&["--max-connections", "2000"]);
    let (server, _sql) = served(&launch)?;
    let connect = || {
        let mut client = server.connect()?;
        client.query("SELECT 1")?;
        Ok(client)
    };
    let warm: Vec<Client> = (0..100).map(|_| connect()).collect::<Result<_, Error>>().map_err(text)?;
    let before = server.resident_kib();
    let idle: Vec<Client> =
        (0..connections).map(|_| connect()).collect::<Result<_, Error>>().map_err(text)?;
    let each = server.resident_kib().saturating_sub(before) as f64 / connections as f64;
    drop((warm, idle));
    Ok(each)
}
