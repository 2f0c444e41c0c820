//! The ledger's clients.

use super::journal::Journal;
use super::{Entry, schema};
use ::tests::client::{Client, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Makes the tables; destroys earlier ones.
///
/// # Errors
/// The server's.
pub fn setup(endpoint: &str) -> Result<()> {
    let mut client = Client::connect(endpoint)?;
    for statement in schema() {
        client.query(&statement)?;
    }
    Ok(())
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Transactions acknowledged.
    pub acknowledged: u64,
    /// Transactions the server refused as deadlock or lock timeout; they were tried again.
    pub retried: u64,
    /// Clients whose connection broke.
    pub broken: u64,
}

/// When a run ends, whatever comes first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// After so long.
    pub after: Duration,
    /// Once this file exists.
    pub until: Option<PathBuf>,
}

/// Runs `clients` until the end that is wanted, or until their connections break (a killed server ends them all).
///
/// # Errors
/// A server error other than a deadlock or lock timeout, or a lost journal: the text says whose.
pub fn run(endpoint: &str, clients: u32, end: &End, socket: &Path) -> std::result::Result<Summary, String> {
    let stop = AtomicBool::new(false);
    let (acknowledged, retried, broken) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let deadline = Instant::now() + end.after;
    let work = |id: u32| -> std::result::Result<(), String> {
        let mut journal = Journal::connect(socket).map_err(|e| format!("journal: {e}"))?;
        let Ok(mut client) = Client::connect(endpoint) else {
            broken.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let mut seq = match next_seq(&mut client, id) {
            Ok(seq) => seq,
            Err(Error::Io(_)) => {
                broken.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => return Err(format!("client {id}: {error}")),
        };
        while Instant::now() < deadline && !stop.load(Ordering::Relaxed) {
            match transfer(&mut client, &Entry::of(id, seq)) {
                Ok(()) => {
                    journal.acknowledged(id, seq).map_err(|e| format!("journal: {e}"))?;
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                    seq += 1;
                }
                Err(Error::Io(_)) | Err(Error::Server { code: 1053, .. }) => {
                    broken.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(Error::Server { code: 1213 | 1205, .. }) => {
                    let _ = client.query("ROLLBACK");
                    retried.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(format!("client {id} at {seq}: {error}")),
            }
        }
        Ok(())
    };
    let mut failures = Vec::new();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..clients)
            .map(|id| {
                scope.spawn({
                    let work = &work;
                    move || work(id)
                })
            })
            .collect();
        while end.until.as_ref().is_some_and(|file| !file.exists())
            && !handles.iter().all(|h| h.is_finished())
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(end.until.is_some(), Ordering::Relaxed);
        for handle in handles {
            match handle.join() {
                Ok(Ok(())) => {}
                Ok(Err(text)) => {
                    stop.store(true, Ordering::Relaxed);
                    failures.push(text);
                }
                Err(_) => failures.push("a client panicked".into()),
            }
        }
    });
    if let Some(first) = failures.into_iter().next() {
        return Err(first);
    }
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(Summary { acknowledged: load(&acknowledged), retried: load(&retried), broken: load(&broken) })
}

/// Where a client goes on: after the last row it finds, acknowledged or in doubt.
fn next_seq(client: &mut Client, id: u32) -> Result<u64> {
    let answer = client.query(&format!("SELECT MAX(seq) FROM ledger.entries WHERE client = {id}"))?;
    let text = answer.text();
    let last = text.first().and_then(|row| row.first()).and_then(|v| v.parse::<u64>().ok()).unwrap_or(0);
    Ok(last + 1)
}

/// One transaction: the two accounts in order of id (no deadlocks by design), then the entry.
fn transfer(client: &mut Client, entry: &Entry) -> Result<()> {
    client.query("BEGIN")?;
    let mut moves = [(entry.source, -entry.amount), (entry.target, entry.amount)];
    moves.sort_unstable();
    for (account, amount) in moves {
        let answer = client.query(&format!(
            "UPDATE ledger.accounts SET balance = balance + ({amount}) WHERE id = {account}"
        ))?;
        if answer.affected != 1 {
            return Err(Error::Protocol(format!("account {account}: {} rows changed", answer.affected)));
        }
    }
    client.query(&format!(
        "INSERT INTO ledger.entries VALUES ({}, {}, {}, {}, {}, '{}')",
        entry.client,
        entry.seq,
        entry.source,
        entry.target,
        entry.amount,
        entry.memo()
    ))?;
    client.query("COMMIT")?;
    Ok(())
}
