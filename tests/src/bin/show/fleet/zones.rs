//! fleet-2: one zone stopped: writes go on. A node of another zone with it (AZ+1): writes wait, reads go on. One of the three started again: writes
//! go on within a second, by themselves. No client sees an error, and the audit finds every acknowledged row.
//!
//! The sabotage plants a bug: the writer counts three copies as a quorum, so writes do not wait when they must.

use super::load::Ledger;
use super::{Ground, LARGE, Wanted, caught_up, equal, text, whole};
use crate::{Order, Outcome};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::server::Server;

const CLIENTS: u32 = 4;
/// Writes go on so soon after a node is back.
const SOON: Duration = Duration::from_secs(1);
/// What each of the two of a zone, and the one beside them, are.
const ZONE: [usize; 2] = [2, 3];
const PLUS_ONE: usize = 4;

/// A client that reads until it is told to stop: money is neither made nor lost in any snapshot.
struct Reader {
    reads: AtomicU64,
    stop: AtomicBool,
}

impl Reader {
    fn run(&self, server: &Server) -> Outcome {
        let mut sql = server.connect().map_err(text)?;
        let expected = (bench_accounts() * bench_balance()).to_string();
        while !self.stop.load(Ordering::SeqCst) {
            let sum = sql.query("SELECT SUM(balance) FROM ledger.accounts").map_err(text)?.text();
            if sum[0][0] != expected {
                return Err(format!("a read sees {} in all accounts, there is {expected}", sum[0][0]));
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Accounts of the ledger, and what each begins with (`bench::ledger`).
const fn bench_accounts() -> u64 {
    1_000
}
const fn bench_balance() -> u64 {
    10_000
}

pub(crate) fn show(order: &Order) -> Outcome {
    let mut ground =
        Ground::new(&Wanted { name: "fleet-2", mutants: order.sabotage, pages_per_pg: LARGE, daemon: &[] })?;
    let mut launch = ground.compute("compute");
    if order.sabotage {
        println!("planted: three copies count as a quorum");
        launch.env.push(("SEXTANT_MUTANT".into(), "AckAt3".into()));
    }
    let server = launch.start()?;
    let ledger = Ledger::new(ground.scratch.path(), &server.address)?;
    let clients = ledger.start(&server.address, CLIENTS)?;
    let reader = Reader { reads: AtomicU64::new(0), stop: AtomicBool::new(false) };
    let part = order.part(10);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| reader.run(&server));
        let outcome = stopped(&mut ground, &ledger, &reader, part, order.rounds.unwrap_or(3));
        reader.stop.store(true, Ordering::SeqCst);
        let read = reading.join().map_err(|_| "the reader panicked".to_string())?;
        outcome.and(read)
    })?;
    for node in ZONE.into_iter().chain([PLUS_ONE]) {
        if ground.fleet.pid(node).is_none() {
            ground.fleet.start_node(node)?;
        }
    }
    caught_up(&server)?;
    clients.end()?;
    equal(&server)?;
    ledger.audit(&server.address)?;
    whole(&ground)?;
    server.terminate()?;
    Ok(())
}

/// All of it, some times over, each time with another of the three coming back first.
fn stopped(ground: &mut Ground, ledger: &Ledger, reader: &Reader, part: Duration, rounds: u64) -> Outcome {
    for round in 0..rounds as usize {
        let fleet = &mut ground.fleet;
        let rate = |from: u64| (ledger.noted() - from) as f64 / part.as_secs_f64();
        let from = ledger.noted();
        std::thread::sleep(part);
        let healthy = rate(from);
        ZONE.iter().for_each(|node| fleet.kill9(*node));
        let from = ledger.noted();
        std::thread::sleep(part);
        println!("all six: {healthy:.0} commits a second; zone 2 stopped: {:.0}", rate(from));
        if ledger.noted() - from < 10 {
            return Err("writes stand still with one zone stopped".into());
        }
        fleet.kill9(PLUS_ONE);
        // What four had acknowledged before may still be noted: one transaction a client.
        std::thread::sleep(Duration::from_millis(500));
        let (from, reads) = (ledger.noted(), reader.reads.load(Ordering::SeqCst));
        std::thread::sleep(part / 2);
        let (more, reads) = (ledger.noted() - from, reader.reads.load(Ordering::SeqCst) - reads);
        println!("AZ+1 stopped for {:.1} s: {more} commits, {reads} reads", (part / 2).as_secs_f64());
        if more > 0 {
            return Err(format!("{more} commits were acknowledged by three of six"));
        }
        if reads < 5 {
            return Err(format!("{reads} reads were answered with AZ+1 stopped"));
        }
        let three = [PLUS_ONE, ZONE[0], ZONE[1]];
        let first = three[round % 3];
        let began = Instant::now();
        fleet.start_node(first)?;
        let serves = Instant::now();
        ledger.more(1)?;
        let (all, since) = (began.elapsed().as_millis(), serves.elapsed());
        println!(
            "node {} is back: a commit {} ms after it serves, {all} ms after its start",
            first + 1,
            since.as_millis()
        );
        if since > SOON {
            return Err(format!("writes went on {} ms after a node was back", since.as_millis()));
        }
        three.iter().filter(|n| **n != first).try_for_each(|n| fleet.start_node(*n))?;
        ledger.more(10)?;
    }
    Ok(())
}
