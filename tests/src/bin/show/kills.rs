//! spine-2: the ledger runs while the server is killed with -9 again and again; nothing acknowledged may be lost.
//!
//! One of the kills falls into a transaction of 1,000,000 row changes. Opening is timed from the start of the process to its first answered
//! query. A machine has moods, so beside every opening a new, idle server is opened: an opening is slow when it takes a second although the
//! idle one beside it was quick, or when the median of all is far from the idle ones'. The sabotage drops every sync between two kills: after the second, the folders are put
//! back as they were after the first, and the auditor must miss what was acknowledged in between.

use crate::{Order, Outcome};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::child::{self, Helper};
use tests::client::Client;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const CLIENTS: &str = "16";
/// What an opening may take on a machine that is not busy.
const LIMIT: Duration = Duration::from_secs(1);
/// An idle opening beyond this says that the machine is busy: then an opening is compared with it.
const BUSY: Duration = Duration::from_millis(250);
/// How many times an idle opening one may take, and what is added for the log that is read.
const TIMES: u32 = 4;
const READING: Duration = Duration::from_millis(250);

pub(crate) fn show(order: &Order) -> Outcome {
    let kills = order.rounds.unwrap_or(50);
    let binary = build("sextant", "sextant", false)?;
    let ledger = build("bench", "ledger", false)?;
    let scratch = Scratch::new("kills").map_err(|e| e.to_string())?;
    let launch = Launch::new(&binary, &scratch.path().join("data"));
    let (file, socket) = (scratch.path().join("journal"), scratch.path().join("journal.sock"));
    let _journal = start_journal(&ledger, &file, &socket)?;
    rounds(&launch, &ledger, &file, &socket, kills, order.sabotage)
}

/// Openings after a kill, each with the idle one beside it.
#[derive(Default)]
struct Openings(Vec<(Duration, Duration)>);

impl Openings {
    fn verdict(&self) -> Outcome {
        let median = |pick: fn(&(Duration, Duration)) -> Duration| {
            let mut all: Vec<Duration> = self.0.iter().map(pick).collect();
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let (after, idle) = (median(|o| o.0), median(|o| o.1));
        let worst = self.0.iter().max().copied().unwrap_or_default();
        println!(
            "openings after {} kills: median {} ms, worst {} ms (the idle one beside it {} ms); idle ones: median {} ms",
            self.0.len(),
            after.as_millis(),
            worst.0.as_millis(),
            worst.1.as_millis(),
            idle.as_millis()
        );
        for (took, beside) in &self.0 {
            let limit = if *beside > BUSY { LIMIT.max(*beside * TIMES) } else { LIMIT };
            if *took >= limit {
                let (took, beside) = (took.as_millis(), beside.as_millis());
                return Err(format!("an opening took {took} ms, an idle one beside it {beside} ms"));
            }
        }
        if after > idle * TIMES + READING {
            let (after, idle) = (after.as_millis(), idle.as_millis());
            return Err(format!("openings take {after} ms, idle ones {idle} ms"));
        }
        Ok(())
    }
}

/// The opening of a new server over an empty folder.
fn open_idle(launch: &Launch) -> Result<Duration, String> {
    let scratch = Scratch::new("idle").map_err(|e| e.to_string())?;
    let (server, took) = open(&Launch::new(&launch.binary, &scratch.path().join("data")))?;
    server.kill9();
    Ok(took)
}

fn rounds(launch: &Launch, ledger: &Path, file: &Path, socket: &Path, kills: u64, sabotage: bool) -> Outcome {
    let (server, idle) = open(launch)?;
    println!("opening of a new, idle server: {} ms", idle.as_millis());
    run(ledger, &["setup", &server.address])?;
    let mut server = server;
    let mut openings = Openings::default();
    for kill in 1..=kills {
        let bulk = !sabotage && kill == kills.div_ceil(2);
        let load = start_load(ledger, &server.address, socket)?;
        // The connection stays open until the server is gone: a closed one would roll back before the kill.
        let in_flight = if bulk {
            Some(big_transaction(&server)?)
        } else {
            wait_for_progress(file, 200 + kill * 7 % 300)?;
            None
        };
        server.kill9();
        drop(in_flight);
        finish(load)?;
        if sabotage && kill <= 2 {
            drop_syncs(&launch.data, kill)?;
        }
        let (opened, took) = open(launch)?;
        server = opened;
        let beside = open_idle(launch)?;
        if bulk {
            let mut sql = server.connect().map_err(|e| e.to_string())?;
            let left = sql.query("SELECT COUNT(*) FROM ledger.bulk").map_err(|e| e.to_string())?.text();
            println!(
                "opened in the middle of 1,000,000 row changes in {} ms; {} of its rows are left",
                took.as_millis(),
                left[0][0]
            );
            if left[0][0] != "0" {
                return Err(format!("{} rows of a transaction that never committed", left[0][0]));
            }
        }
        openings.0.push((took, beside));
        let report = run(ledger, &["audit", &server.address, "--file", &file.to_string_lossy()]);
        let report = report.map_err(|e| format!("after kill {kill}: {e}"))?;
        if kill % 10 == 0 || bulk || kill == kills {
            println!("kill {kill:>3}: opened in {:>4} ms; {}", took.as_millis(), report.trim());
        }
    }
    server.terminate()?;
    let (server, quiet) = open(launch)?;
    server.terminate()?;
    println!("opening after a clean stop with the same data: {} ms", quiet.as_millis());
    openings.verdict()
}

/// After the first kill remembers the folders, after the second puts them back: as if nothing in between had been synced.
fn drop_syncs(data: &Path, kill: u64) -> Outcome {
    let saved = data.with_extension("saved");
    let (from, to) = if kill == 1 { (data, saved.as_path()) } else { (saved.as_path(), data) };
    if kill == 2 {
        std::fs::remove_dir_all(data).map_err(|e| e.to_string())?;
        println!("planted: the syncs between the first and the second kill are dropped");
    }
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("cp: {status}")) }
}

/// Starts the server; the time runs until it answered a query.
fn open(launch: &Launch) -> Result<(Server, Duration), String> {
    let started = Instant::now();
    let server = launch.start()?;
    let mut client = server.connect().map_err(|e| e.to_string())?;
    client.query("SHOW DATABASES").map_err(|e| e.to_string())?;
    Ok((server, started.elapsed()))
}

/// Opens a transaction, changes 1,000,000 rows in it, and returns with it open.
fn big_transaction(server: &Server) -> Result<Client, String> {
    let mut client = server.connect().map_err(|e| e.to_string())?;
    let text = |e: tests::client::Error| e.to_string();
    client.query("CREATE TABLE IF NOT EXISTS ledger.bulk (id INT UNSIGNED NOT NULL PRIMARY KEY, v BIGINT NOT NULL)").map_err(text)?;
    client.query("BEGIN").map_err(text)?;
    for first in (0..1_000_000u32).step_by(10_000) {
        let rows: Vec<String> = (first..first + 10_000).map(|id| format!("({id},{})", id * 3)).collect();
        client.query(&format!("INSERT INTO ledger.bulk VALUES {}", rows.join(","))).map_err(text)?;
    }
    let count = client.query("SELECT COUNT(*) FROM ledger.bulk").map_err(text)?.text();
    println!("a transaction with {} row changes is open: kill -9", count[0][0]);
    Ok(client)
}

fn start_journal(ledger: &Path, file: &Path, socket: &Path) -> Result<Helper, String> {
    let mut command = child::command(ledger);
    command.arg("journal").arg("--file").arg(file).arg("--socket").arg(socket).stdout(Stdio::null());
    let journal = Helper::start(command)?;
    wait_until("the journal's socket", || socket.exists())?;
    Ok(journal)
}

fn start_load(ledger: &Path, endpoint: &str, socket: &Path) -> Result<Helper, String> {
    let mut command = child::command(ledger);
    command.args(["run", endpoint, "--clients", CLIENTS, "--seconds", "3600", "--socket"]).arg(socket);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Helper::start(command)
}

/// The load ends by itself when its connections break; any other end is a failure.
fn finish(load: Helper) -> Outcome {
    let (status, _, err) = load.output()?;
    if status.success() { Ok(()) } else { Err(format!("the load failed: {}", err.trim())) }
}

/// Waits until `more` further acknowledgements were noted.
fn wait_for_progress(file: &Path, more: u64) -> Outcome {
    let lines = || std::fs::read(file).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count() as u64);
    let goal = lines() + more;
    wait_until("acknowledgements", || lines() >= goal)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !holds() {
        if Instant::now() > deadline {
            return Err(format!("waited 300 s for {what}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn run(program: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let problems: Vec<&str> = text.lines().filter(|l| l.starts_with("problem")).take(3).collect();
    Err(format!("{} {}", String::from_utf8_lossy(&output.stderr).trim(), problems.join("; ")))
}
