//! `sextant dev --processes`: seven processes from one command, watched, and none left behind.

use std::process::Command;
use tests::child;
use tests::client::Client;
use tests::dev::{Dev, wait};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

fn count(sql: &mut Client) -> String {
    sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text()[0][0].clone()
}

#[test]
fn seven_processes_start_answer_stop_and_take_turns_with_the_embedded_cluster() {
    let scratch = Scratch::new("dev").expect("a scratch folder");
    let data = scratch.path().join("data");
    let mut dev = Dev::start(&data, &[]).expect("it starts on a new folder");
    assert_eq!(dev.alive().len(), 8, "seven processes and the one that watches them");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    sql.query("INSERT INTO d.t VALUES (1), (2)").expect("inserted");
    let nodes = sql.query("SELECT COUNT(DISTINCT node_folder), MIN(state), MAX(state) FROM sextant.segments");
    assert_eq!(nodes.expect("asked").text(), [["6", "member", "member"]]);
    let second = Dev::start(&data, &[]).map(drop).expect_err("one at a time on a folder");
    assert!(second.contains("exit status: 1") && second.lines().count() == 1, "{second}");
    drop(sql);
    assert!(dev.stop_with("INT").success(), "{}", dev.said());
    wait("nothing is left", || dev.alive().is_empty());
    // In order: each ended by itself and said nothing of being cut off.
    let said = dev.said();
    assert!(!said.contains("killed") && !said.contains("exit code"), "{said}");
    for log in ["compute", "az1-n1", "az3-n2"] {
        let text = std::fs::read_to_string(data.join("dev").join(format!("{log}.log"))).expect("a log");
        assert!(
            text.contains(": stopping") && !text.contains("nothing acknowledged is lost"),
            "{log}: {text}"
        );
    }
    let embedded = Launch::new(&product(), &data).start().expect("embedded on the same folder");
    let mut sql = embedded.connect().expect("it answers");
    assert_eq!(count(&mut sql), "2");
    sql.query("INSERT INTO d.t VALUES (3)").expect("inserted");
    drop(sql);
    assert!(embedded.terminate().expect("it ends").success());
    let mut dev = Dev::start(&data, &[]).expect("and back");
    assert_eq!(count(&mut dev.connect().expect("it answers")), "3");
    assert!(dev.stop_with("TERM").success(), "{}", dev.said());
}

#[test]
fn who_dies_is_said_and_comes_back_where_it_was() {
    let scratch = Scratch::new("dev-deaths").expect("a scratch folder");
    let mut dev = Dev::start(&scratch.path().join("data"), &[]).expect("it starts");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    child::signal(dev.storage[3], "KILL").expect("killed");
    sql.query("INSERT INTO d.t VALUES (1)").expect("five are enough");
    wait("the daemon is back", || dev.said().contains("storage az2/n2 is back"));
    let died =
        format!("storage az2/n2 (pid {}) ended by signal: 9 (SIGKILL); starting it again", dev.storage[3]);
    assert!(dev.said().contains(&died), "{}", dev.said());
    wait("six members again", || {
        let members = sql.query("SELECT COUNT(*) FROM sextant.segments WHERE pg = 0 AND state = 'member'");
        members.is_ok_and(|rows| rows.text()[0][0] == "6")
    });
    child::signal(dev.compute, "KILL").expect("killed");
    wait("it answers again at the same address", || {
        dev.connect().is_ok_and(|mut sql| sql.query("INSERT INTO d.t VALUES (2)").is_ok())
    });
    assert_eq!(count(&mut dev.connect().expect("it answers")), "2");
    assert!(dev.said().contains("compute is back"), "{}", dev.said());
    assert!(dev.stop_with("TERM").success(), "{}", dev.said());
}

#[test]
fn nothing_outlives_a_parent_killed_with_9() {
    let scratch = Scratch::new("dev-killed").expect("a scratch folder");
    let data = scratch.path().join("data");
    let mut dev = Dev::start(&data, &[]).expect("it starts");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    // One of them stands still meanwhile.
    child::signal(dev.storage[0], "STOP").expect("stopped");
    assert!(!dev.stop_with("KILL").success());
    wait("all seven are gone", || dev.alive().is_empty());
    drop(sql);
    let again = Dev::start(&data, &[]).expect("it starts again on what they left");
    let there = again.connect().expect("it answers").query("SHOW DATABASES LIKE 'd'").expect("asked").text();
    assert_eq!(there, [["d"]]);
}

#[test]
fn what_cannot_be_is_one_line_and_exit_code_2() {
    let refused = |words: &[&str]| {
        let output = Command::new(product()).args(words).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        text
    };
    let storage = "az1=h:1,h:2;az2=h:3,h:4;az3=h:5,h:6";
    let text = refused(&["dev", "--processes", "--sextant-storage", storage]);
    assert!(text.contains("sextant_storage is set") && text.lines().count() == 1, "{text}");
    assert!(refused(&["dev", "--storage-port", "3381"]).contains("--processes"));
    assert!(refused(&["dev", "--processes", "--storage-port", "65531"]).contains("65531"));
    assert!(refused(&["--data", "d", "dev"]).contains("dev"), "flags stand behind the word");
}
