//! A full disk, for real: a small tmpfs in a mount namespace of the server's own. At start it is one line; while running writes wait and reads
//! go on, and when there is room again what waited is done.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};
use tests::tool;

/// The server on a tmpfs of so many MiB of its own.
fn launch(scratch: &Scratch, mib: u32) -> Option<Launch> {
    let words = tool::private_mounts()?;
    let disk = scratch.path().join("disk");
    fs::create_dir(&disk).expect("a mount point");
    let script = format!("mount -t tmpfs -o size={mib}m tmpfs '{}' && exec \"$@\"", disk.display());
    let mut launch = Launch::new(&product(), &disk.join("data"));
    launch.wrapper = words.iter().copied().chain(["sh", "-c", &script, "sh"]).map(String::from).collect();
    launch.log = Some(scratch.path().join("stderr"));
    Some(launch)
}

#[test]
fn full_at_start_is_one_line() {
    let scratch = Scratch::new("full-start").expect("a scratch folder");
    let Some(launch) = launch(&scratch, 8) else { return };
    let refusal = launch.start().expect_err("eight MiB are too few");
    assert!(refusal.contains("disk is full") && refusal.lines().count() == 1, "{refusal}");
    assert!(refusal.contains("disk/data"), "it does not say where: {refusal}");
}

#[test]
fn full_while_running_writes_wait_and_reads_go_on() {
    let scratch = Scratch::new("full-running").expect("a scratch folder");
    let Some(launch) = launch(&scratch, 72) else { return };
    let server = launch.start().expect("seventy MiB are enough to start");
    let mut sql = server.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (id INT PRIMARY KEY, v MEDIUMTEXT)").expect("created");
    let address = server.address.clone();
    let load = std::thread::spawn(move || fill(&address, 40));
    let told = |log: &Path| {
        let text = fs::read_to_string(log).unwrap_or_default();
        text.lines().filter(|l| l.contains("disk is nearly full") || l.contains("disk is full")).count()
    };
    let log = launch.log_path();
    wait("the log line", || told(&log) > 0);
    // Reads go on while a write waits.
    wait("a write that waits", || waiting(&mut sql));
    let before = count(&mut sql);
    for _ in 0..20 {
        assert_eq!(count(&mut sql), before, "nothing is written meanwhile");
    }
    assert_eq!(told(&log), 1, "one line: {}", fs::read_to_string(&log).unwrap_or_default());
    enlarge(&server, &scratch.path().join("disk"), 512);
    let acknowledged = load.join().expect("the load does not panic");
    assert_eq!(acknowledged, 40, "what waited is done when there is room");
    assert_eq!(count(&mut sql), 40);
    let check = sql.query("CHECK TABLE d.t").expect("checked").text();
    assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
    assert!(server.terminate().expect("it ends").success());
}

fn count(sql: &mut Client) -> u64 {
    sql.query("SELECT COUNT(*) FROM d.t").expect("reads go on").text()[0][0].parse().expect("a number")
}

/// An INSERT runs, and has for a while: it waits.
fn waiting(sql: &mut Client) -> bool {
    let rows = sql.query("SHOW PROCESSLIST").expect("reads go on").text();
    rows.iter()
        .any(|row| row.iter().any(|v| v.starts_with("INSERT")) && row[5].parse::<u64>().unwrap_or(0) >= 1)
}

fn fill(address: &str, rows: u64) -> u64 {
    let mut sql = Client::connect(address).expect("it answers");
    let value = "x".repeat(1 << 20);
    for id in 0..rows {
        sql.query(&format!("INSERT INTO d.t VALUES ({id}, '{value}')")).expect("inserted, however late");
    }
    rows
}

fn enlarge(server: &Server, disk: &Path, mib: u32) {
    let status = Command::new("nsenter")
        .args(["-t", &server.pid().to_string(), "-U", "-m", "--preserve-credentials"])
        .args(["mount", "-o", &format!("remount,size={mib}m"), "tmpfs"])
        .arg(disk)
        .status()
        .expect("nsenter runs");
    assert!(status.success(), "remount: {status}");
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "waited two minutes for {what}");
        std::thread::yield_now();
    }
}
