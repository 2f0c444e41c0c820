//! Histories of concurrent transactions at each isolation level, with a kill -9 in the middle, judged by adya. Show engine-2 runs them long.

use std::sync::Mutex;
use tests::history::{History, Kind, Load};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

/// Runs a history during which the server is killed `kills` times.
fn run(kind: Kind, level: &'static str, transactions: u64, kills: u64) -> History {
    let scratch = Scratch::new("history").expect("a scratch folder");
    let launch = Launch::new(&product(), &scratch.path().join("data"));
    let server = launch.start().expect("it starts");
    let rows_made = false;
    let load =
        Load { kind, level, clients: 6, keys: 4, transactions, rows_made, read_only_percent: 30, seed: 1 };
    History::setup(&mut server.connect().expect("it answers"), &load).expect("set up");
    let history = History::default();
    let current: Mutex<Option<Server>> = Mutex::new(Some(server));
    let address = || current.lock().expect("not poisoned").as_ref().map(|s| s.address.clone());
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| history.run(&load, &address));
        for kill in 1..=kills {
            while history.begun() < transactions * kill / (kills + 1) && !clients.is_finished() {
                std::thread::yield_now();
            }
            let killed = current.lock().expect("not poisoned").take();
            killed.expect("it runs").kill9();
            *current.lock().expect("not poisoned") = Some(launch.start().expect("it opens after kill -9"));
        }
        clients.join().expect("no client panics").expect("every answer is understood");
    });
    history
}

fn assert_clean(verdict: tests::history::Verdict) {
    println!("{:?}", verdict.counts);
    assert!(verdict.counts.0 > 100, "{:?} committed, failed, unknown", verdict.counts);
    assert!(verdict.anomalies.is_empty(), "{:?}\n{}", verdict.anomalies, verdict.explanation);
}

#[test]
fn read_committed_lists() {
    let history = run(Kind::ListAppend, "READ COMMITTED", 1500, 1);
    assert_clean(history.judge(Kind::ListAppend, "read-committed").expect("judged"));
    let too_strict = history.judge(Kind::ListAppend, "strict-serializable").expect("judged");
    assert!(!too_strict.anomalies.is_empty(), "the checker sees nothing: too few conflicts");
}

#[test]
fn repeatable_read_lists() {
    let history = run(Kind::ListAppend, "REPEATABLE READ", 1500, 1);
    assert_clean(history.judge(Kind::ListAppend, "read-committed").expect("judged"));
    assert_clean(history.judge_readers(Kind::ListAppend, "snapshot-isolation").expect("judged"));
}

#[test]
fn repeatable_read_registers() {
    let history = run(Kind::Register, "REPEATABLE READ", 1500, 1);
    assert_clean(history.judge(Kind::Register, "read-committed").expect("judged"));
    assert_clean(history.judge_readers(Kind::Register, "snapshot-isolation").expect("judged"));
}

/// Rows come to be while others look for them: what was read as absent must stay so (gap locks).
#[test]
fn serializable_lists() {
    let history = run(Kind::ListAppend, "SERIALIZABLE", 3000, 1);
    assert_clean(history.judge(Kind::ListAppend, "strict-serializable").expect("judged"));
}
