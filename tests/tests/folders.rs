//! Two of six node folders vanish under load: nothing acknowledged is lost, they are repaired as newcomers, and afterwards two others may go.
//! Show spine-3 does the same at length.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !holds() {
        assert!(Instant::now() < deadline, "waited three minutes for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn delete(data: &Path, folders: [&str; 2]) {
    for folder in folders {
        fs::remove_dir_all(data.join(folder)).expect("a node folder");
    }
}

/// All segments are members with all their log, and something was repaired to get there.
fn repaired(sql: &mut Client) -> bool {
    let facts = "SELECT SUM(state <> 'member' OR scl < pgcl), SUM(repair_messages) FROM sextant.segments";
    let found = sql.query(facts).expect("asked").text();
    found[0][0] == "0" && found[0][1] != "0"
}

fn assert_rows(sql: &mut Client, acknowledged: u64) {
    let found = sql.query("SELECT COUNT(*), MIN(id), MAX(id) FROM d.t").expect("counted").text();
    let there: u64 = found[0][0].parse().expect("a number");
    assert!((acknowledged..=acknowledged + 1).contains(&there), "{acknowledged} acknowledged, {there} there");
    assert_eq!(found[0][2], (there - 1).to_string(), "a hole in the ids");
    let check = sql.query("CHECK TABLE d.t").expect("checked").text();
    assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
}

#[test]
fn two_folders_deleted_under_load_are_repaired_and_carry_the_volume() {
    let scratch = Scratch::new("folders").expect("a scratch folder");
    let data = scratch.path().join("data");
    let launch = Launch::new(&product(), &data);
    let server = launch.start().expect("it starts");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (id BIGINT PRIMARY KEY, v VARCHAR(200) NOT NULL, KEY (v))").expect("created");
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let rows = || acknowledged.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut sql = server.connect().expect("it answers");
            while !stop.load(Ordering::SeqCst) {
                let id = rows();
                sql.query(&format!("INSERT INTO d.t VALUES ({id}, 'value {id}')")).expect("writes go on");
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait("rows", || rows() >= 50 || load.is_finished());
        delete(&data, ["az1/n2", "az3/n1"]);
        let before = rows();
        wait("rows after the deletion", || rows() >= before + 50 || load.is_finished());
        wait("the repair", || repaired(&mut sql) || load.is_finished());
        stop.store(true, Ordering::SeqCst);
        load.join().expect("the load does not fail");
    });
    assert_rows(&mut sql, rows());
    drop(sql);
    server.kill9();
    // The repaired ones must carry it now.
    delete(&data, ["az2/n1", "az3/n2"]);
    let server = launch.start().expect("four of six are enough");
    let mut sql = server.connect().expect("it answers");
    assert_rows(&mut sql, rows());
}
