//! Data and transactions larger than what holds them: ten times the buffer pool, ten times the log that may be under way.

use tests::client::Client;
use tests::facts::counter;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

/// Bytes of the pool, and of the log that may run ahead of what is durable.
const POOL: u64 = 8 << 20;
const LAL: u64 = 1 << 20;
const ROWS_EACH: u64 = 200;

fn start(scratch: &Scratch) -> Server {
    let launch = Launch::new(&product(), &scratch.path().join("data"));
    let (pool, lal) = (POOL.to_string(), LAL.to_string());
    let args = ["--innodb-buffer-pool-size", &pool, "--sextant-lal-bytes", &lal];
    launch.args(&args).start().expect("it starts with a small pool")
}

fn ask(sql: &mut Client, query: &str) -> Vec<Vec<String>> {
    sql.query(query).unwrap_or_else(|e| panic!("{query}: {e}")).text()
}

/// The text of a row: its number makes it, so that any row can be checked by itself.
fn value(id: u64) -> String {
    format!("{:0>40}", id * 7919).repeat(25)
}

fn insert(sql: &mut Client, table: &str, first: u64) {
    let rows: Vec<String> = (first..first + ROWS_EACH).map(|id| format!("({id}, '{}')", value(id))).collect();
    ask(sql, &format!("INSERT INTO {table} VALUES {}", rows.join(",")));
}

fn check_rows(sql: &mut Client, table: &str, rows: u64) {
    assert_eq!(
        ask(sql, &format!("SELECT COUNT(*), MIN(id), MAX(id) FROM {table}")),
        [[rows.to_string(), "0".to_string(), (rows - 1).to_string()]]
    );
    for id in (0..rows).step_by(997) {
        let found = ask(sql, &format!("SELECT v FROM {table} WHERE id = {id}"));
        assert_eq!(found[0][0], value(id), "row {id} of {table}");
    }
    let check = ask(sql, &format!("CHECK TABLE {table}"));
    assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
}

#[test]
fn data_ten_times_the_pool() {
    let scratch = Scratch::new("ten-pools").expect("a scratch folder");
    let server = start(&scratch);
    let mut sql = server.connect().expect("it answers");
    ask(&mut sql, "CREATE DATABASE d");
    ask(&mut sql, "CREATE TABLE d.t (id BIGINT PRIMARY KEY, v VARCHAR(2000) NOT NULL)");
    let rows = POOL * 10 / 1000 / ROWS_EACH * ROWS_EACH;
    for first in (0..rows).step_by(ROWS_EACH as usize) {
        insert(&mut sql, "d.t", first);
    }
    check_rows(&mut sql, "d.t", rows);
    let frames = counter(&mut sql, "Innodb_buffer_pool_pages_total").expect("counted");
    assert!(frames * 16 * 1024 <= POOL, "{frames} frames are more than the pool");
    assert!(counter(&mut sql, "Sextant_pool_evictions").expect("counted") > frames * 9);
    assert!(counter(&mut sql, "Innodb_buffer_pool_reads").expect("counted") > frames);
    let bound = counter(&mut sql, "Sextant_memory_bound_bytes").expect("stated") >> 10;
    assert!(server.peak_kib() <= bound, "{} KiB resident, the bound is {bound}", server.peak_kib());
}

#[test]
fn a_transaction_ten_times_the_log_allowance() {
    let scratch = Scratch::new("ten-lal").expect("a scratch folder");
    let server = start(&scratch);
    let mut sql = server.connect().expect("it answers");
    ask(&mut sql, "CREATE DATABASE d");
    for table in ["d.kept", "d.dropped"] {
        ask(&mut sql, &format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY, v VARCHAR(2000) NOT NULL)"));
    }
    let rows = POOL * 3 / 1000 / ROWS_EACH * ROWS_EACH;
    for (table, end) in [("d.kept", "COMMIT"), ("d.dropped", "ROLLBACK")] {
        let (log, evicted) = (
            counter(&mut sql, "Sextant_last_lsn").expect("counted"),
            counter(&mut sql, "Sextant_pool_evictions").expect("counted"),
        );
        ask(&mut sql, "BEGIN");
        for first in (0..rows).step_by(ROWS_EACH as usize) {
            insert(&mut sql, table, first);
        }
        let written = counter(&mut sql, "Sextant_last_lsn").expect("counted") - log;
        assert!(written > 10 * LAL, "only {written} bytes of log were written");
        let gone = counter(&mut sql, "Sextant_pool_evictions").expect("counted") - evicted;
        assert!(gone > POOL / (16 * 1024), "only {gone} pages left the pool while it ran");
        // Its early pages are gone and it still sees its rows; nobody else does.
        assert_eq!(ask(&mut sql, &format!("SELECT v FROM {table} WHERE id = 0"))[0][0], value(0));
        let mut other = server.connect().expect("it answers");
        assert_eq!(ask(&mut other, &format!("SELECT COUNT(*) FROM {table}")), [["0"]]);
        ask(&mut sql, end);
    }
    check_rows(&mut sql, "d.kept", rows);
    assert_eq!(ask(&mut sql, "SELECT COUNT(*) FROM d.dropped"), [["0"]]);
    drop(sql);
    server.kill9();
    let server = start(&scratch);
    let mut sql = server.connect().expect("it answers");
    check_rows(&mut sql, "d.kept", rows);
    assert_eq!(ask(&mut sql, "SELECT COUNT(*) FROM d.dropped"), [["0"]]);
}
