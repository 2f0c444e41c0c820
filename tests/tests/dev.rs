//! `sextant dev --processes`: seven processes from one command, watched, and none left behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tests::child;
use tests::client::Client;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

const PATIENCE: Duration = Duration::from_secs(120);

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running `sextant dev --processes`; killed with -9 when dropped, and its children end with it.
struct Dev {
    child: Child,
    pid: u32,
    address: String,
    compute: u32,
    storage: Vec<u32>,
    stderr: PathBuf,
}

impl Dev {
    fn start(data: &Path) -> Result<Dev, String> {
        let stderr = data.with_extension("stderr");
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(&stderr).map_err(|e| e.to_string())?;
        let mut command = child::command(product());
        command
            .args([
                "dev",
                "--processes",
                "--announce",
                "--listen",
                "127.0.0.1:0",
                "--sextant-pages-per-pg",
                "128",
            ])
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = child::spawn(command).map_err(|e| e.to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
        let Ok(said) = serde_json::from_str::<serde_json::Value>(&line) else {
            let status = child.wait().map_err(|e| e.to_string())?;
            return Err(format!("{status}: {}", std::fs::read_to_string(&stderr).unwrap_or_default().trim()));
        };
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0) as u32;
        let storage = said["storage"]
            .as_array()
            .map_or(Vec::new(), |all| all.iter().map(|n| number(&n["pid"])).collect());
        let address = said["mysql"].as_str().unwrap_or_default().to_string();
        Ok(Dev {
            child,
            pid: number(&said["pid"]),
            address,
            compute: number(&said["compute_pid"]),
            storage,
            stderr,
        })
    }

    fn connect(&self) -> Result<Client, tests::client::Error> {
        Client::connect(&self.address)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Every process of it that runs.
    fn alive(&self) -> Vec<u32> {
        let mut all = self.storage.clone();
        all.extend([self.compute, self.pid]);
        all.retain(|pid| child::is_alive(*pid));
        all
    }

    fn stop_with(&mut self, name: &str) -> ExitStatus {
        child::signal(self.pid, name).expect("it runs");
        let mut status = None;
        wait("it ends", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(sql: &mut Client) -> String {
    sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text()[0][0].clone()
}

#[test]
fn seven_processes_start_answer_stop_and_take_turns_with_the_embedded_cluster() {
    let scratch = Scratch::new("dev").expect("a scratch folder");
    let data = scratch.path().join("data");
    let mut dev = Dev::start(&data).expect("it starts on a new folder");
    assert_eq!(dev.alive().len(), 8, "seven processes and the one that watches them");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (a INT PRIMARY KEY)").expect("created");
    sql.query("INSERT INTO d.t VALUES (1), (2)").expect("inserted");
    let nodes = sql.query("SELECT COUNT(DISTINCT node_folder), MIN(state), MAX(state) FROM sextant.segments");
    assert_eq!(nodes.expect("asked").text(), [["6", "member", "member"]]);
    let second = Dev::start(&data).map(drop).expect_err("one at a time on a folder");
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
    let mut dev = Dev::start(&data).expect("and back");
    assert_eq!(count(&mut dev.connect().expect("it answers")), "3");
    assert!(dev.stop_with("TERM").success(), "{}", dev.said());
}

#[test]
fn who_dies_is_said_and_comes_back_where_it_was() {
    let scratch = Scratch::new("dev-deaths").expect("a scratch folder");
    let mut dev = Dev::start(&scratch.path().join("data")).expect("it starts");
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
    let mut dev = Dev::start(&data).expect("it starts");
    let mut sql = dev.connect().expect("it answers");
    sql.query("CREATE DATABASE d").expect("created");
    // One of them stands still meanwhile.
    child::signal(dev.storage[0], "STOP").expect("stopped");
    assert!(!dev.stop_with("KILL").success());
    wait("all seven are gone", || dev.alive().is_empty());
    drop(sql);
    let again = Dev::start(&data).expect("it starts again on what they left");
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
