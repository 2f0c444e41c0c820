//! `sextant volume map|grow|replace-segment|move|scrub|forget`: the operator's commands, on a fleet with a table in it.

use std::process::Command;
use tests::fleet::{Fleet, NODES};
use tests::product::product;
use tests::scratch::Scratch;

/// `sextant volume WORDS --storage ...` of these flags: exit code, standard output, standard error.
fn volume(words: &[&str], flags: &[String]) -> (Option<i32>, String, String) {
    let output = Command::new(product()).arg("volume").args(words).args(flags).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// It is done; what it printed.
fn done(words: &[&str], flags: &[String]) -> String {
    let (code, out, error) = volume(words, flags);
    assert_eq!(code, Some(0), "{words:?}: {out}{error}");
    out
}

/// It is refused in one line with this exit code.
fn refused(words: &[&str], flags: &[String], code: i32) -> String {
    let (found, out, error) = volume(words, flags);
    assert_eq!(found, Some(code), "{words:?}: {out}{error}");
    assert!(code == 2 || error.trim().lines().count() == 1, "{words:?}: {error}");
    error
}

fn map(flags: &[String]) -> serde_json::Value {
    serde_json::from_str(&done(&["map", "--json"], flags)).expect("JSON")
}

/// Addresses of a group's copies, by position.
fn places(map: &serde_json::Value, group: usize) -> Vec<String> {
    let members = map["groups"][group]["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["address"].as_str().unwrap_or_default().to_string()).collect()
}

#[test]
fn a_volume_is_mapped_grown_scrubbed_and_moved_by_command() {
    let scratch = Scratch::new("orders").expect("a scratch folder");
    let old = Fleet::start(&scratch.path().join("old"), &[]).expect("six daemons");
    let flags = old.flags();
    let error = refused(&["map"], &flags, 1);
    assert!(error.contains("hold no volume"), "{error}");
    done(&["create", "--pages-per-pg", "128"], &flags);
    let first = map(&flags);
    assert_eq!(first["groups"].as_array().map(Vec::len), Some(1), "without a compute node: {first}");
    // Nobody writes: nobody can carry out an order.
    let error = refused(&["grow", "--groups", "2"], &flags, 1);
    assert!(error.starts_with("sextant: "), "{error}");
    let server = old.compute(&scratch.path().join("c")).start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY, v VARCHAR(200))").expect("created");
    sql.query("INSERT INTO d.t VALUES (1, 'one'), (2, 'two')").expect("inserted");
    let grown = done(&["grow", "--groups", "3"], &flags);
    assert!(grown.ends_with("done\n"), "{grown}");
    assert_eq!(map(&flags)["groups"].as_array().map(Vec::len), Some(3));
    assert_eq!(sql.query("SELECT COUNT(*) FROM sextant.protection_groups").expect("asked").text(), [["3"]]);
    let text = done(&["map"], &flags);
    assert!(text.contains("3 protection groups of 128 pages") && text.lines().count() == 4 + 3 * 6, "{text}");
    let scrubbed = done(&["scrub"], &flags);
    assert_eq!(scrubbed.matches("everything read; bad 0, healed 0").count(), NODES, "{scrubbed}");
    let error =
        refused(&["replace-segment", "--pg", "9", "--position", "0", "--to", &old.address(1)], &flags, 1);
    assert!(error.contains("3 protection groups"), "{error}");
    // One copy, then all of them, to six empty daemons.
    let new = Fleet::start(&scratch.path().join("new"), &[]).expect("six more");
    done(&["replace-segment", "--pg", "1", "--position", "5", "--to", &new.address(5)], &flags);
    let mapped = map(&flags);
    assert_eq!(places(&mapped, 1)[5], new.address(5));
    assert_eq!(places(&mapped, 0), places(&map(&flags), 0));
    let zones: Vec<String> = (0..3)
        .map(|az| format!("az{}={},{}", az + 1, new.address(2 * az), new.address(2 * az + 1)))
        .collect();
    let mut words = vec!["move"];
    words.extend(zones.iter().flat_map(|zone| ["--to", zone.as_str()]));
    done(&words, &flags);
    let moved = map(&flags);
    let expected: Vec<String> = (0..NODES).map(|node| new.address(node)).collect();
    for group in 0..3 {
        assert_eq!(places(&moved, group), expected, "group {group}, asked at the old addresses");
    }
    sql.query("INSERT INTO d.t VALUES (3, 'three')").expect("writes go on");
    assert_eq!(sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text(), [["3"]]);
    let seen = "SELECT state, COUNT(*) FROM sextant.protection_groups GROUP BY state";
    tests::dev::wait("it is seen whole where it is now", || {
        sql.query(seen).is_ok_and(|rows| rows.text() == [["whole", "3"]])
    });
}

#[test]
fn nonsense_is_one_line_and_exit_code_2() {
    let storage = ["--storage", "az1=127.0.0.1:1,127.0.0.1:2", "--storage", "az2=127.0.0.1:3,127.0.0.1:4"];
    let flags: Vec<String> = storage.iter().map(|word| (*word).to_string()).collect();
    refused(&["grow", "--groups", "0"], &flags, 2);
    refused(&["replace-segment", "--pg", "0", "--position", "6", "--to", "h:1"], &flags, 2);
    assert!(refused(&["move", "--to", "az1=h"], &flags, 2).contains("'h' is not HOST:PORT"));
    assert!(refused(&["move", "--to", "az1=h:1,h:1"], &flags, 2).contains("named twice"));
    assert!(refused(&["forget", "xyz"], &flags, 2).contains("32 hexadecimal digits"));
    assert!(refused(&["map", "--storage", "az7=h:1"], &flags, 2).contains("az1, az2 and az3"));
    let error = refused(&["grow", "--groups", "2"], &flags, 1);
    assert!(error.contains("127.0.0.1:1"), "{error}");
    refused(&["scrub"], &flags, 1);
    refused(&["map"], &flags, 1);
}
