//! `sextant_read_confirm = quorum`: a statement is answered when three nodes have confirmed, after it came, that nobody else holds the volume.

use std::time::{Duration, Instant};
use tests::fleet::Fleet;
use tests::scratch::Scratch;

#[test]
fn a_statement_waits_for_three_nodes_whatever_the_clock_says() {
    let scratch = Scratch::new("fleet-confirm").expect("a scratch folder");
    let fleet = Fleet::start(scratch.path(), &[]).expect("six blank daemons");
    let (ok, out, err) = fleet.volume(&["create", "--pages-per-pg", "128"]).expect("it runs");
    assert!(ok, "{out}{err}");
    let launch = fleet.compute(&scratch.path().join("c")).args(&["--sextant-read-confirm", "quorum"]);
    let server = launch.start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    sql.query("INSERT INTO d.t VALUES (1)").expect("inserted");
    assert_eq!(sql.query("SELECT @@sextant_read_confirm").expect("asked").text(), [["quorum"]]);
    sql.query("SET innodb_lock_wait_timeout = 2").expect("set");
    let read = |sql: &mut tests::client::Client| sql.query("SELECT a FROM d.t").map(|rows| rows.text());
    // Three are enough to know that nobody has four.
    [0, 2, 4].iter().for_each(|node| fleet.signal(*node, "STOP").expect("stopped"));
    assert_eq!(read(&mut sql).expect("three confirm"), [["1"]]);
    // Two are not, from the first statement on: the lease's clock is not asked.
    fleet.signal(1, "STOP").expect("stopped");
    let asked = Instant::now();
    let error = read(&mut sql).expect_err("two do not");
    assert_eq!(error.code(), Some(1205), "{error}");
    assert!(asked.elapsed() >= Duration::from_secs(2), "it waited as long as for a lock");
    fleet.signal(1, "CONT").expect("goes on");
    sql.query("SET innodb_lock_wait_timeout = 50").expect("waits until three answer again");
    assert_eq!(read(&mut sql).expect("three confirm again"), [["1"]]);
    [0, 2, 4].iter().for_each(|node| fleet.signal(*node, "CONT").expect("goes on"));
    sql.query("INSERT INTO d.t VALUES (2)").expect("inserted");
}
