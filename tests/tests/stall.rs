//! A stalled quorum is back-pressure: reads go on, who has written waits, who has written nothing is told after a while, and it ends by itself.

use tests::child;
use tests::client::Client;
use tests::dev::{Dev, wait};
use tests::scratch::Scratch;

/// Rows of this size fill the smallest LAL soon.
const FILLER: usize = 6000;
/// Sessions that write into the stall.
const WRITERS: usize = 16;

fn status(sql: &mut Client, name: &str) -> u64 {
    let rows = sql.query(&format!("SHOW GLOBAL STATUS LIKE '{name}'")).expect("asked").text();
    rows[0][1].parse().expect("a number")
}

#[test]
fn three_of_six_stopped_is_back_pressure_and_ends_by_itself() {
    let scratch = Scratch::new("stall").expect("a scratch folder");
    let dev = Dev::start(&scratch.path().join("data"), &["--sextant-lal-bytes", "65536"]).expect("it starts");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY, v VARCHAR(8000))").expect("created");
    sql.query("INSERT INTO d.t VALUES (0, 'before')").expect("inserted");
    for node in [0, 2, 3] {
        child::signal(dev.storage[node], "STOP").expect("stopped");
    }
    let waiting = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=WRITERS)
            .map(|n| {
                let address = dev.address.clone();
                scope.spawn(move || {
                    let mut sql = Client::connect(&address).expect("it answers");
                    sql.query("SET innodb_lock_wait_timeout = 10000").expect("set");
                    sql.query(&format!("INSERT INTO d.t VALUES ({n}, '{}')", "x".repeat(FILLER)))
                })
            })
            .collect();
        wait("the log is full", || status(&mut sql, "Sextant_lal_waiting") > 0);
        wait("it is seen as a stall", || status(&mut sql, "Sextant_log_stalled_us") > 1_000_000);
        // Reads go on, and see nothing of what is not durable.
        assert_eq!(sql.query("SELECT a, v FROM d.t ORDER BY a").expect("read").text(), [["0", "before"]]);
        // Who has written nothing is told; the transaction it is in goes on.
        sql.query("SET innodb_lock_wait_timeout = 1").expect("set");
        for text in [
            "INSERT INTO d.t VALUES (100, 'never')",
            "UPDATE d.t SET v = 'never'",
            "CREATE TABLE d.never (a INT)",
        ] {
            let error = sql.query(text).expect_err(text);
            assert_eq!(error.code(), Some(1205), "{text}: {error}");
        }
        sql.query("BEGIN").expect("begun");
        assert_eq!(sql.query("SELECT v FROM d.t WHERE a = 0").expect("read").text(), [["before"]]);
        let error = sql.query("DELETE FROM d.t WHERE a = 0").expect_err("told");
        assert_eq!(error.code(), Some(1205), "{error}");
        sql.query("ROLLBACK").expect("nothing to undo");
        let waiting = writers.iter().filter(|writer| !writer.is_finished()).count();
        for node in [0, 2, 3] {
            child::signal(dev.storage[node], "CONT").expect("goes on");
        }
        for writer in writers {
            writer.join().expect("no panic").expect("who waited is answered once the quorum is back");
        }
        waiting
    });
    assert_eq!(waiting, WRITERS, "none was answered before its row was durable");
    assert_eq!(sql.query("SELECT COUNT(*), MAX(a) FROM d.t").expect("counted").text(), [["17", "16"]]);
    sql.query("INSERT INTO d.t VALUES (100, 'now')").expect("writes go on");
    wait("nobody waits", || status(&mut sql, "Sextant_lal_waiting") == 0);
    assert_eq!(status(&mut sql, "Sextant_log_stalled_us"), 0);
}
