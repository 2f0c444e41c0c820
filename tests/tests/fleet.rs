//! Six storage daemons and a compute node as processes: nothing acknowledged is lost, no client sees an error, and what does not fit is
//! refused by name.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::fleet::{Fleet, NODES};
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::Launch;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `done` says so; `what` is said when it never does.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn new_volume(dir: &Path) -> Fleet {
    let fleet = Fleet::start(dir, &[]).expect("six blank daemons");
    let (ok, out, err) = fleet.volume(&["create", "--pages-per-pg", "128"]).expect("it runs");
    assert!(ok && out.contains("created on six storage nodes"), "{out}{err}");
    fleet
}

fn count(sql: &mut Client) -> u64 {
    sql.query("SELECT COUNT(*) FROM d.t").expect("counted").text()[0][0].parse().expect("a number")
}

/// Every segment is a member and its SCL is the same in its group, while nobody writes.
fn all_equal(sql: &mut Client) -> bool {
    let rows = sql.query("SELECT pg, state, scl FROM sextant.segments").expect("asked").text();
    let same = |pg: &String| {
        let mut scls: Vec<&String> = rows.iter().filter(|r| r[0] == *pg).map(|r| &r[2]).collect();
        scls.dedup();
        scls.len() == 1
    };
    rows.len() >= NODES && rows.iter().all(|r| r[1] == "member" && same(&r[0]))
}

/// Clients that insert (client, seq) and count what was acknowledged; any error is a failure.
struct Load {
    acknowledged: Vec<AtomicU64>,
    stop: AtomicBool,
}

impl Load {
    fn new(clients: usize) -> Load {
        Load { acknowledged: (0..clients).map(|_| AtomicU64::new(0)).collect(), stop: AtomicBool::new(false) }
    }

    fn total(&self) -> u64 {
        self.acknowledged.iter().map(|a| a.load(Ordering::SeqCst)).sum()
    }

    fn run(&self, address: &str, client: usize) {
        let mut sql = Client::connect(address).expect("it answers");
        let filler = "x".repeat(400);
        while !self.stop.load(Ordering::SeqCst) {
            let seq = self.acknowledged[client].load(Ordering::SeqCst);
            let text = format!("INSERT INTO d.t VALUES ({client}, {seq}, '{filler}')");
            sql.query(&text).unwrap_or_else(|e| panic!("client {client}, row {seq}: {e}"));
            self.acknowledged[client].store(seq + 1, Ordering::SeqCst);
        }
    }

    /// Runs `work` while all clients write.
    fn during(&self, address: &str, work: impl FnOnce()) {
        std::thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.acknowledged.len()).map(|c| scope.spawn(move || self.run(address, c))).collect();
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            self.stop.store(true, Ordering::SeqCst);
            for client in clients {
                client.join().expect("no client sees an error");
            }
            if let Err(panic) = worked {
                std::panic::resume_unwind(panic);
            }
        });
        self.stop.store(false, Ordering::SeqCst);
    }

    fn more(&self, rows: u64) {
        let wanted = self.total() + rows;
        wait("writes go on", || self.total() >= wanted);
    }

    fn audit(&self, sql: &mut Client) {
        for (client, acknowledged) in self.acknowledged.iter().enumerate() {
            let rows = sql.query(&format!("SELECT COUNT(*), MAX(seq) FROM d.t WHERE client = {client}"));
            let rows = rows.expect("audited").text();
            let n = acknowledged.load(Ordering::SeqCst);
            assert_eq!(rows[0][0], n.to_string(), "client {client}: rows there, rows acknowledged");
            if n > 0 {
                assert_eq!(rows[0][1], (n - 1).to_string(), "client {client}");
            }
        }
        let check = sql.query("CHECK TABLE d.t").expect("checked").text();
        assert_eq!(check[0].last().map(String::as_str), Some("OK"), "{check:?}");
    }
}

fn make_table(sql: &mut Client) {
    sql.query("CREATE DATABASE d").expect("created");
    sql.query("CREATE TABLE d.t (client INT, seq INT, v VARCHAR(500), PRIMARY KEY (client, seq))")
        .expect("created");
}

#[test]
fn any_two_killed_under_load_cost_no_row_and_no_client_an_error() {
    let scratch = Scratch::new("fleet-kill").expect("a scratch folder");
    let mut fleet = new_volume(scratch.path());
    let launch = fleet.compute(&scratch.path().join("c"));
    let server = launch.start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    make_table(&mut sql);
    let load = Load::new(4);
    for pair in [[0, 1], [2, 5], [4, 3]] {
        load.during(&server.address, || {
            load.more(100);
            pair.iter().for_each(|node| fleet.kill9(*node));
            load.more(300);
            pair.iter().for_each(|node| fleet.start_node(*node).expect("it starts again"));
            load.more(100);
        });
        load.audit(&mut sql);
        wait("all copies are equal again", || all_equal(&mut sql));
    }
    let groups = sql.query("SELECT COUNT(DISTINCT pg) FROM sextant.segments").expect("asked").text();
    assert_ne!(groups[0][0], "1", "the load was to grow through more than one protection group");
    // Everything at once: the compute node and two others; then all come back.
    server.kill9();
    [1, 2].iter().for_each(|node| fleet.kill9(*node));
    let server = launch.start().expect("it opens on four");
    let mut sql = server.connect().expect("it answers");
    load.audit(&mut sql);
    [1, 2].iter().for_each(|node| fleet.start_node(*node).expect("it starts again"));
    wait("all copies are equal again", || all_equal(&mut sql));
    let (whole, text, _) = fleet.volume(&["status"]).expect("it runs");
    assert!(whole && text.contains("6 of 6 nodes serve; whole"), "{text}");
    assert!(server.terminate().expect("it ends").success());
    (0..NODES).for_each(|node| fleet.terminate(node).expect("it drains"));
}

#[test]
fn a_wiped_daemon_is_adopted_and_repaired_while_clients_write() {
    let scratch = Scratch::new("fleet-wipe").expect("a scratch folder");
    let mut fleet = new_volume(scratch.path());
    let server = fleet.compute(&scratch.path().join("c")).start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    make_table(&mut sql);
    let load = Load::new(2);
    load.during(&server.address, || {
        load.more(200);
        fleet.kill9(2);
        fleet.wipe(2).expect("wiped");
        fleet.start_node(2).expect("a blank one");
        load.more(200);
    });
    wait("the newcomer is a member and equal", || all_equal(&mut sql));
    load.audit(&mut sql);
    // The newcomer counts: with two others gone, it is one of the four.
    fleet.kill9(0);
    fleet.kill9(1);
    load.during(&server.address, || load.more(50));
    load.audit(&mut sql);
}

#[test]
fn az_plus_one_down_is_a_wait_and_reads_go_on() {
    let scratch = Scratch::new("fleet-az1").expect("a scratch folder");
    let mut fleet = new_volume(scratch.path());
    let server = fleet.compute(&scratch.path().join("c")).start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    make_table(&mut sql);
    let load = Load::new(1);
    load.during(&server.address, || load.more(50));
    let before = load.total();
    [0, 1, 2].iter().for_each(|node| fleet.kill9(*node));
    load.during(&server.address, || {
        // Reads are answered, while the client's insert waits instead of failing.
        for _ in 0..20 {
            assert!(count(&mut sql) >= before, "a read sees what was acknowledged");
        }
        let stalled = load.total();
        assert!(stalled <= before + 1, "{} rows were acknowledged by three of six", stalled - before);
        fleet.start_node(2).expect("one comes back");
        load.more(20);
    });
    load.audit(&mut sql);
}

#[test]
fn a_folder_goes_from_embedded_to_daemons_and_back() {
    let scratch = Scratch::new("fleet-move").expect("a scratch folder");
    let data = scratch.path().join("data");
    let embedded = Launch::new(&product(), &data).args(&["--sextant-metrics-address", ""]);
    let load = Load::new(2);
    let server = embedded.start().expect("embedded");
    make_table(&mut server.connect().expect("it answers"));
    load.during(&server.address, || load.more(100));
    assert!(server.terminate().expect("it ends").success());
    {
        let mut fleet = Fleet::start(&data, &[]).expect("the same folders as daemons");
        let server = fleet.compute(&scratch.path().join("c")).start().expect("on daemons");
        let mut sql = server.connect().expect("it answers");
        load.audit(&mut sql);
        load.during(&server.address, || load.more(100));
        load.audit(&mut sql);
        server.kill9();
        (0..NODES).for_each(|node| fleet.terminate(node).expect("it drains"));
    }
    let server = embedded.start().expect("embedded again");
    let mut sql = server.connect().expect("it answers");
    load.audit(&mut sql);
    load.during(&server.address, || load.more(50));
    load.audit(&mut sql);
}

/// What a daemon answers to raw bytes, until it closes.
fn say(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    // It may close before everything is written: that is an answer too.
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    answer
}

#[test]
fn what_does_not_fit_is_refused_by_name_and_harms_nobody() {
    let scratch = Scratch::new("fleet-refuse").expect("a scratch folder");
    let fleet = new_volume(scratch.path());
    let (ok, _, err) = fleet.volume(&["create"]).expect("it runs");
    assert!(!ok && err.contains("already"), "{err}");
    let server = fleet.compute(&scratch.path().join("c")).start().expect("a compute node");
    let mut sql = server.connect().expect("it answers");
    make_table(&mut sql);
    // A second compute node.
    let rival = fleet.compute(&scratch.path().join("rival")).start().expect_err("one per volume");
    assert!(rival.contains("one compute node per volume"), "{rival}");
    // Bytes of all kinds, on every node.
    let text = |answer: Vec<u8>| String::from_utf8_lossy(&answer).into_owned();
    for node in 0..NODES {
        let address = fleet.address(node);
        let other_version = text(say(&address, b"SXT1\x09\x00\x00\x00\x00"));
        assert!(other_version.contains("link version 1: wire: unknown version 9"), "{other_version}");
        let too_long = text(say(&address, b"SXT1\x01\xff\xff\xff\x7f"));
        assert!(too_long.contains("2147483647 bytes was announced"), "{too_long}");
        let bad_crc = text(say(&address, b"SXT1\x01\x01\x00\x00\x00\x01\x00\x00\x00\x00"));
        assert!(bad_crc.contains("checksum"), "{bad_crc}");
        assert!(say(&address, b"GET / HTTP/1.1\r\n\r\n").is_empty());
    }
    let load = Load::new(1);
    load.during(&server.address, || load.more(20));
    load.audit(&mut sql);
    // Health and metrics.
    let metrics = text(say(fleet.metrics(0).expect("it runs"), b"GET /metrics HTTP/1.1\r\n\r\n"));
    assert!(
        metrics.contains("\nsextant_storage_up 1\n") && metrics.contains("segment_scl{pg=\"0\""),
        "{metrics}"
    );
    let health = text(say(fleet.metrics(0).expect("it runs"), b"GET /health HTTP/1.1\r\n\r\n"));
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.ends_with("serving\n"), "{health}");
}

#[test]
fn a_daemon_that_cannot_start_says_why_in_one_line() {
    let scratch = Scratch::new("fleet-start").expect("a scratch folder");
    let run = |args: &[&str]| {
        let output =
            std::process::Command::new(product()).arg("storage").args(args).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr).trim().to_string();
        assert!(!output.status.success(), "it started with {args:?}");
        assert_eq!(text.lines().count(), 1, "not one line: {text:?}");
        text
    };
    let data = scratch.path().join("n").display().to_string();
    let base = ["--data", &data, "--metrics", ""];
    let with = |more: &[&str]| run(&[&base[..], more].concat());
    assert!(with(&["--listen", "127.0.0.1:0"]).contains("say in which availability zone"));
    assert!(with(&["--listen", "0.0.0.0:0", "--az", "1"]).contains("without certificates"));
    assert!(with(&["--listen", "127.0.0.1:0", "--az", "7"]).contains("must be 1, 2 or 3"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    assert!(with(&["--listen", &address, "--az", "1"]).contains("in use by another process"));
    std::fs::create_dir_all(&data).expect("made");
    std::fs::write(format!("{data}/letters"), "dear").expect("written");
    assert!(with(&["--listen", "127.0.0.1:0", "--az", "1"]).contains("not a Sextant node folder"));
}

/// Sends a statement to a node that is suspended and tells how it ends: what it must never be is an answer made of old data.
fn ask_while_suspended(mut sql: Client, text: &'static str) -> std::thread::JoinHandle<Result<(), String>> {
    std::thread::spawn(move || match sql.query(text) {
        Ok(_) => Err(format!("'{text}' was answered by the superseded node")),
        Err(_) => Ok(()),
    })
}

#[test]
fn a_suspended_compute_node_is_taken_over_and_ends_when_it_wakes() {
    let scratch = Scratch::new("fleet-zombie").expect("a scratch folder");
    let fleet = new_volume(scratch.path());
    let old = fleet.compute(&scratch.path().join("old")).start().expect("a compute node");
    make_table(&mut old.connect().expect("it answers"));
    let load = Load::new(1);
    load.during(&old.address, || load.more(20));
    // One that reads what is cached, one in a snapshot of its own, one that takes locks, one that writes.
    let clients: Vec<Client> = (0..4).map(|_| old.connect().expect("it answers")).collect();
    let texts = [
        "SELECT COUNT(*) FROM d.t",
        "SELECT 1",
        "SELECT * FROM d.t WHERE client = 0 AND seq = 0 FOR UPDATE",
        "INSERT INTO d.t VALUES (7, 7, 'x')",
    ];
    tests::child::signal(old.pid(), "STOP").expect("suspended");
    let asked: Vec<_> =
        clients.into_iter().zip(texts).map(|(c, text)| ask_while_suspended(c, text)).collect();
    let new = fleet.compute(&scratch.path().join("new")).start().expect("it takes over");
    let mut sql = new.connect().expect("it answers");
    load.audit(&mut sql);
    load.during(&new.address, || load.more(20));
    let status = old.stop_with("CONT").expect("it ends by itself");
    assert!(!status.success(), "{status}");
    for asked in asked {
        asked.join().expect("no panic").expect("nothing is served");
    }
    let said = std::fs::read_to_string(scratch.path().join("old.stderr")).expect("its standard error");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("superseded, ending: ")).collect();
    assert_eq!(lines.len(), 1, "one clear line: {said}");
    load.during(&new.address, || load.more(20));
    load.audit(&mut sql);
    let strays = sql.query("SELECT COUNT(*) FROM d.t WHERE client = 7").expect("asked").text();
    assert_eq!(strays[0][0], "0", "what the old one was told to write is not there");
}
