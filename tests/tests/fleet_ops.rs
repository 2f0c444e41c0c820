//! What an operator sees and does: `sextant status`, the tables of the schema `sextant`, health and metrics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use tests::child;
use tests::client::Client;
use tests::dev::{Dev, wait};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

/// `sextant WORDS`: exit code, standard output, standard error.
fn sextant(words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(product()).args(words).current_dir("/").output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn page(address: &str, target: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    write!(socket, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("answered");
    text
}

fn one_row(sql: &mut Client, query: &str) -> Vec<String> {
    sql.query(query).unwrap_or_else(|e| panic!("{query}: {e}")).text()[0].clone()
}

#[test]
fn an_embedded_volume_is_seen_whole_and_a_node_without_its_folder_is_named() {
    let scratch = Scratch::new("status-embedded").expect("a scratch folder");
    let data = scratch.path().join("data");
    let server = Launch::new(&product(), &data).start().expect("it starts");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    let seen = ["status", "--server", &server.metrics];
    let (code, text, error) = sextant(&seen);
    assert_eq!(code, Some(0), "{text}{error}");
    let first = text.lines().next().unwrap_or_default();
    assert_eq!(first, "WHOLE       every copy of every protection group is there");
    for part in
        ["writer    pid ", "waiting   nobody", "repairs   none", "devices   none failed", "az3       "]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(text.lines().count() <= 16, "a glance:\n{text}");
    let (code, json, _) = sextant(&["status", "--server", &server.metrics, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (code, json["state"].as_str(), json["source"].as_str()),
        (Some(0), Some("whole"), Some("writer"))
    );
    let row = one_row(
        &mut sql,
        "SELECT id, state, storage, nodes, nodes_serving, lal_waiting, lal_headroom_bytes <= lal_bytes, vdl <= last_lsn, lease_left_ms IS NULL
         FROM sextant.volume",
    );
    assert_eq!(row[0], json["volume"].as_str().unwrap_or_default());
    assert_eq!(row[1..], ["whole", "embedded", "6", "6", "0", "1", "1", "1"]);
    let groups =
        sql.query("SELECT pg, state, members_able, newcomer, worst_health FROM sextant.protection_groups");
    assert_eq!(groups.expect("asked").text()[0], ["0", "whole", "6", "NULL", "ok"]);
    let segments = one_row(
        &mut sql,
        "SELECT COUNT(*), COUNT(DISTINCT az), SUM(health = 'ok'), MAX(silent_ms) < 2000, SUM(role = 'full') FROM sextant.segments WHERE pg = 0",
    );
    assert_eq!(segments, ["6", "3", "6", "1", "3"]);
    // A node's folder goes: it is named, and taken in again by itself.
    std::fs::remove_dir_all(data.join("az2/n1")).expect("deleted");
    wait("the loss is seen", || {
        let (code, text, _) = sextant(&seen);
        code == Some(3) && text.starts_with("DEGRADED    writes and reads go on; ")
    });
    wait("it is whole again", || sextant(&seen).0 == Some(0));
    assert!(page(&server.metrics, "/health").ends_with("\r\n\r\nok\n"));
    let metrics = page(&server.metrics, "/metrics");
    for name in [
        "sextant_lal_headroom_bytes ",
        "sextant_lal_waiting 0",
        "sextant_log_stalled_us ",
        "sextant_threads_connected 1",
    ] {
        assert!(metrics.contains(&format!("\n{name}")), "{name} is missing in\n{metrics}");
    }
}

#[test]
fn a_fleet_is_seen_through_its_writer_and_through_its_daemons() {
    let scratch = Scratch::new("status-fleet").expect("a scratch folder");
    let dev = Dev::start(&scratch.path().join("data"), &[]).expect("it starts");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    let flags = dev.flags();
    let asked = |more: &[&str]| {
        let mut words = vec!["status"];
        words.extend(more);
        if !more.contains(&"--server") {
            words.extend(flags.iter().map(String::as_str));
        }
        sextant(&words)
    };
    let through_writer = ["--server", dev.metrics.as_str()];
    let (code, text, error) = asked(&through_writer);
    assert!(
        code == Some(0) && text.starts_with("WHOLE ") && text.contains(", lease "),
        "{code:?} {text}{error}"
    );
    let (code, text, error) = asked(&[]);
    assert!(
        code == Some(0) && text.starts_with("WHOLE ") && text.contains(" at 127.0.0.1:"),
        "{code:?} {text}{error}"
    );
    assert!(text.contains(&format!("{} serving (pid {})", dev.addresses[4], dev.storage[4])), "{text}");
    // A zone stands still.
    for node in [2, 3] {
        child::signal(dev.storage[node], "STOP").expect("stopped");
    }
    let silent = format!("{} SILENT", dev.addresses[2]);
    let (code, text, _) = asked(&[]);
    assert!(code == Some(3) && text.starts_with("DEGRADED ") && text.contains(&silent), "{code:?} {text}");
    wait("the writer sees it too", || {
        let (code, text, _) = asked(&through_writer);
        code == Some(3) && text.starts_with("DEGRADED ") && text.contains(&silent)
    });
    let rows = "SELECT position FROM sextant.segments WHERE pg = 0 AND health <> 'ok' ORDER BY position";
    assert_eq!(sql.query(rows).expect("asked").text(), [["2"], ["3"]]);
    assert_eq!(one_row(&mut sql, "SELECT state, nodes_serving FROM sextant.volume"), ["degraded", "4"]);
    // And one more: AZ+1.
    child::signal(dev.storage[0], "STOP").expect("stopped");
    wait("it is stalled", || {
        let (code, text, _) = asked(&["--json"]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        code == Some(4) && json["state"] == "stalled"
    });
    wait("the writer says how many are missing", || {
        let (code, text, _) = asked(&through_writer);
        code == Some(4) && text.starts_with("STALLED     writes wait, reads go on; group 0 needs 1 more;")
    });
    for node in [0, 2, 3] {
        child::signal(dev.storage[node], "CONT").expect("goes on");
    }
    wait("it is whole again", || asked(&through_writer).0 == Some(0) && asked(&[]).0 == Some(0));
}

#[test]
fn nobody_to_ask_is_exit_code_1_and_nonsense_is_2() {
    let (code, out, error) = sextant(&["status", "--server", "127.0.0.1:1"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(error, "sextant status: 127.0.0.1:1: no compute node answers there\n");
    let (code, _, error) = sextant(&["status", "--storage", "az9=h:1"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("availability zones are az1, az2 and az3") && error.lines().count() == 1,
        "{error}"
    );
    let (code, ..) = sextant(&["status", "--server", "a:1", "--storage", "az1=h:1"]);
    assert_eq!(code, Some(2));
    let none =
        ["status", "--storage", "az1=127.0.0.1:1,127.0.0.1:2", "--storage", "az2=127.0.0.1:3,127.0.0.1:4"];
    let (code, out, error) = sextant(&none);
    assert!(code == Some(1) && out.starts_with("NO VOLUME   no storage node answers"), "{out}{error}");
}
