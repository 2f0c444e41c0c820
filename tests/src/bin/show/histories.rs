//! engine-2: histories of concurrent transactions at each isolation level, judged by adya, while the server is killed with -9 again and again.
//!
//! READ COMMITTED promises read committed; REPEATABLE READ a snapshot to transactions that only read, and read committed to those that
//! write (InnoDB's rule: a write sees the newest row); SERIALIZABLE strict serializability. A bank runs beside: every SELECT of all accounts sees
//! the same sum.
//!
//! The sabotage plants a bug: rows of rolled-back transactions are visible.

use crate::{Order, Outcome};
use std::sync::Mutex;
use tests::history::{History, Kind, Load};
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const KILLS: u64 = 10;
const RUNS: [(Kind, &str); 4] = [
    (Kind::ListAppend, "READ COMMITTED"),
    (Kind::ListAppend, "REPEATABLE READ"),
    (Kind::Register, "REPEATABLE READ"),
    (Kind::ListAppend, "SERIALIZABLE"),
];

pub(crate) fn show(order: &Order) -> Outcome {
    let transactions = order.rounds.unwrap_or(100_000);
    let wanted = |level: &str| order.level.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(level));
    let runs: Vec<_> = RUNS.iter().filter(|(_, level)| wanted(level)).collect();
    if runs.is_empty() {
        return Err(format!("no such level: {:?}", order.level));
    }
    let binary = build("sextant", "sextant", order.sabotage)?;
    for &&(kind, level) in &runs {
        let scratch = Scratch::new("histories").map_err(|e| e.to_string())?;
        let mut launch = Launch::new(&binary, &scratch.path().join("data"));
        if order.sabotage {
            launch.env.push(("SEXTANT_MUTANT".into(), "AbortedVisible".into()));
        }
        let (clients, keys) = (12, 5);
        let load = Load {
            kind,
            level,
            clients,
            keys,
            transactions,
            rows_made: false,
            read_only_percent: 30,
            seed: 7,
        };
        let history = run(&launch, &load)?;
        judge(&history, kind, level)?;
    }
    Ok(())
}

fn run(launch: &Launch, load: &Load) -> Result<History, String> {
    let server = launch.start()?;
    let mut sql = server.connect().map_err(|e| e.to_string())?;
    History::setup(&mut sql, load).map_err(|e| e.to_string())?;
    let history = History::default();
    let current: Mutex<Option<Server>> = Mutex::new(Some(server));
    let lock = || current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let address = || lock().as_ref().map(|s| s.address.clone());
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| history.run(load, &address));
        let killer = || -> Outcome {
            for kill in 1..=KILLS {
                while history.begun() < load.transactions * kill / (KILLS + 1) && !clients.is_finished() {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                let killed = lock().take();
                if let Some(server) = killed {
                    server.kill9();
                }
                let opened = launch.start()?;
                *lock() = Some(opened);
            }
            Ok(())
        };
        let killed = killer();
        if killed.is_err() {
            history.stop();
        }
        let ended = clients.join().map_err(|_| "a client panicked".to_string())?;
        killed.and(ended)
    })?;
    Ok(history)
}

fn judge(history: &History, kind: Kind, level: &str) -> Outcome {
    let models: &[(&str, bool)] = match level {
        "READ COMMITTED" => &[("read-committed", false)],
        "REPEATABLE READ" => &[("read-committed", false), ("snapshot-isolation", true)],
        _ => &[("strict-serializable", false)],
    };
    for (model, readers) in models {
        let verdict = if *readers { history.judge_readers(kind, model) } else { history.judge(kind, model) }?;
        let (committed, failed, unknown) = verdict.counts;
        let of = if *readers { " for transactions that only read" } else { "" };
        println!(
            "{kind:?} at {level}, {KILLS} kills: {committed} committed, {failed} failed, {unknown} unknown; {model}{of}: {}",
            if verdict.anomalies.is_empty() { "no violation".into() } else { verdict.anomalies.join(", ") }
        );
        if !verdict.anomalies.is_empty() {
            println!("{}", verdict.explanation);
            return Err(format!("{kind:?} at {level} is not {model}: {}", verdict.anomalies.join(", ")));
        }
    }
    Ok(())
}
