//! The product as a process: it starts and stops as promised, and every refusal is one clear line that damages nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tests::client::{Client, Error};
use tests::server::{Launch, Scratch, product};

/// Runs the product with arguments that make it end by itself.
fn ends(args: &[&str]) -> Output {
    Command::new(product()).args(args).output().expect("the product starts")
}

/// A refusal: a failure, one line on standard error, which it returns.
fn refused(args: &[&str]) -> String {
    let output = ends(args);
    let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
    assert!(!output.status.success(), "it started with {args:?}");
    assert_eq!(text.lines().count(), 1, "not one line: {text:?}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn path(data: &Path) -> &str {
    data.to_str().expect("a scratch path is UTF-8")
}

/// Every file below a folder with a checksum of its bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, u64, u64)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("readable").flatten() {
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else {
                let bytes = fs::read(entry.path()).expect("readable");
                let sum = bytes
                    .iter()
                    .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
                found.push((entry.path(), bytes.len() as u64, sum));
            }
        }
    }
    found.sort();
    found
}

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
            Err(Error::Io(_)) => return next,
            Err(error) => panic!("row {next}: {error}"),
        }
    }
}

#[test]
fn a_busy_port_is_one_line() {
    let scratch = Scratch::new("port").expect("a scratch folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let line = refused(&["--data", path(&scratch.path().join("data")), "--listen", &address]);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn a_folder_in_use_names_its_holder() {
    let scratch = Scratch::new("use").expect("a scratch folder");
    let data = scratch.path().join("data");
    let server = Launch::new(&product(), &data).start().expect("it starts");
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    assert!(line.contains(&server.pid().to_string()), "{line}");
    server.connect().expect("the holder still answers");
}

#[test]
fn a_folder_that_cannot_be_made_is_one_line() {
    let line = refused(&["--data", "/dev/null/data", "--listen", "127.0.0.1:0"]);
    assert!(line.contains("/dev/null/data"), "{line}");
}

#[test]
fn another_format_is_refused_by_name_and_left_alone() {
    let scratch = Scratch::new("format").expect("a scratch folder");
    let data = scratch.path().join("data");
    Launch::new(&product(), &data).start().expect("it starts").terminate().expect("it ends");
    let identity = data.join("az2/n1/node.id");
    let mut bytes = fs::read(&identity).expect("a node folder has an identity");
    bytes[0] = bytes[0].wrapping_add(41);
    fs::write(&identity, &bytes).expect("writable");
    let before = contents(&data);
    let line = refused(&["--data", path(&data), "--listen", "127.0.0.1:0"]);
    assert!(line.contains("az2/n1") && line.to_lowercase().contains("format"), "{line}");
    let changed: Vec<_> = contents(&data).into_iter().filter(|f| !before.contains(f)).collect();
    // Lock files name who tried last; nothing else may differ.
    assert!(
        changed
            .iter()
            .all(|(p, _, _)| p.to_string_lossy().contains("lock") || p.to_string_lossy().ends_with("pid")),
        "{changed:?}"
    );
}

#[test]
fn an_unknown_setting_is_an_error() {
    let scratch = Scratch::new("setting").expect("a scratch folder");
    let file = scratch.path().join("sextant.toml");
    fs::write(&file, "no_such_setting = 1\n").expect("writable");
    let data = scratch.path().join("data");
    let output = Command::new(product())
        .current_dir(scratch.path())
        .args(["--data", path(&data), "--listen", "127.0.0.1:0", "--config", path(&file)])
        .output()
        .expect("the product starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("no_such_setting"), "{text}");
    assert!(!data.exists(), "nothing was made before the settings were read");
}

#[test]
fn help_names_what_there_is() {
    let output = ends(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for flag in ["--data", "--listen", "--announce", "--config"] {
        assert!(text.contains(flag), "{flag} is missing from --help:\n{text}");
    }
}
