//! The product as a process: it starts, stops, and remembers what it acknowledged. What it refuses is in refusals.rs.

use std::fs;
use tests::client::{Client, Error};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

#[test]
fn it_starts_answers_stops_and_remembers() {
    let scratch = Scratch::new("process").expect("a scratch folder");
    let launch = Launch::new(&product(), &scratch.path().join("data"));
    let server = launch.start().expect("it starts on a new folder");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20))").expect("created");
    sql.query("INSERT INTO d.t VALUES (1, 'one'), (2, 'two')").expect("inserted");
    drop(sql);
    assert!(server.terminate().expect("it ends").success(), "SIGTERM ends it with success");
    let server = launch.start().expect("it starts on its folder");
    let mut sql = server.connect().expect("it answers");
    let rows = sql.query("SELECT * FROM d.t ORDER BY id").expect("selected").text();
    assert_eq!(rows, [["1", "one"], ["2", "two"]]);
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let scratch = Scratch::new("kill9").expect("a scratch folder");
    let launch = Launch::new(&product(), &scratch.path().join("data"));
    let mut server = launch.start().expect("it starts");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (id BIGINT PRIMARY KEY, v VARCHAR(40), KEY (v))").expect("created");
    let mut next = 0u64;
    for round in 0..5 {
        let acknowledged = std::thread::scope(|scope| {
            let address = server.address.clone();
            let load = scope.spawn(move || load_until_broken(&address, next));
            while count(&mut sql) < next + 50 {
                std::thread::yield_now();
            }
            server.kill9();
            load.join().expect("the load does not panic")
        });
        server = launch.start().expect("it opens after kill -9");
        sql = server.connect().expect("it answers");
        let there = count(&mut sql);
        assert!(there >= acknowledged, "round {round}: {acknowledged} acknowledged, {there} there");
        assert!(
            there <= acknowledged + 1,
            "round {round}: one row may be in doubt, not {}",
            there - acknowledged
        );
        let check = sql.query("CHECK TABLE d.t").expect("checked").text();
        assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
        next = there;
    }
}

fn count(sql: &mut Client) -> u64 {
    sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text()[0][0].parse().expect("a number")
}

/// Inserts rows from `next` on until the connection breaks; returns how many rows were acknowledged in all.
fn load_until_broken(address: &str, mut next: u64) -> u64 {
    let Ok(mut sql) = Client::connect(address) else { return next };
    loop {
        match sql.query(&format!("INSERT INTO d.t VALUES ({next}, 'value {next}')")) {
            Ok(_) => next += 1,
            Err(Error::Io(_) | Error::Server { code: 1053, .. }) => return next,
            Err(error) => panic!("row {next}: {error}"),
        }
    }
}

#[test]
fn sigint_and_sigterm_end_it_cleanly_with_work_in_flight() {
    let scratch = Scratch::new("signals").expect("a scratch folder");
    let launch = Launch::new(&product(), &scratch.path().join("data"));
    for (round, name) in ["INT", "TERM"].into_iter().enumerate() {
        let server = launch.start().expect("it starts");
        let mut sql = server.connect().expect("it answers");
        sql.query("CREATE DATABASE IF NOT EXISTS d").expect("created");
        sql.query("CREATE TABLE IF NOT EXISTS d.t (id BIGINT PRIMARY KEY, v VARCHAR(40), KEY (v))")
            .expect("created");
        let mut open = server.connect().expect("it answers");
        open.query("BEGIN").expect("begun");
        open.query("INSERT INTO d.t VALUES (1000000, 'never committed')").expect("inserted");
        let start = count(&mut sql);
        let (address, pid) = (server.address.clone(), server.pid());
        let acknowledged = std::thread::scope(|scope| {
            let load = scope.spawn(move || load_until_broken(&address, start));
            while count(&mut sql) < start + 20 {
                std::thread::yield_now();
            }
            let status = server.stop_with(name).expect("it ends");
            assert!(status.success(), "SIG{name}: {status}");
            load.join().expect("the load does not panic")
        });
        assert!(!tests::child::is_alive(pid), "it still runs");
        let server = launch.start().expect("it opens again");
        let mut sql = server.connect().expect("it answers");
        let there = count(&mut sql);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&there),
            "round {round}, SIG{name}: {acknowledged} acknowledged, {there} there"
        );
        server.terminate().expect("it ends");
    }
    let log = fs::read_to_string(launch.log_path()).expect("its log");
    assert!(!log.contains("panicked"), "{log}");
}

/// Several tests run the server under strace, whose death would leave it running.
#[test]
fn a_wrapped_server_does_not_outlive_its_test() {
    let scratch = Scratch::new("wrapped").expect("a scratch folder");
    let launch =
        Launch::new(&product(), &scratch.path().join("data")).wrapped(&["sh", "-c", "\"$@\"; true", "sh"]);
    let server = launch.start().expect("it starts");
    let pid = server.pid();
    assert!(tests::child::is_alive(pid));
    drop(server);
    assert!(!tests::child::is_alive(pid), "the server outlived its harness");
}
