//! Programs that people use: Debian's sysbench and the MariaDB command-line client, against the real server.

use std::path::Path;
use std::process::Command;
use tests::server::{Launch, Scratch, Server, product};
use tests::tool;

fn start(name: &str) -> (Scratch, Server) {
    let scratch = Scratch::new(name).expect("a scratch folder");
    let server = Launch::new(&product(), &scratch.path().join("data")).start().expect("the server starts");
    (scratch, server)
}

fn host_and_port(server: &Server) -> (String, String) {
    let (host, port) = server.address.rsplit_once(':').expect("an address has a port");
    (host.to_string(), port.to_string())
}

/// Every workload once, small, with one client: several would meet true deadlocks on so few rows, which sysbench counts as
/// ignored errors. The show spine-1 runs them at full size.
#[test]
fn sysbench_runs_without_an_error() {
    let Some(program) = tool::find("sysbench", "sysbench") else { return };
    let (_scratch, server) = start("sysbench");
    server.connect().expect("it answers").query("CREATE DATABASE sbtest").expect("created");
    for workload in [
        "oltp_read_write",
        "oltp_write_only",
        "oltp_point_select",
        "oltp_insert",
        "oltp_delete",
        "oltp_update_index",
        "oltp_update_non_index",
        "oltp_read_only",
        "select_random_points",
        "select_random_ranges",
        "bulk_insert",
    ] {
        for phase in ["prepare", "run", "cleanup"] {
            let text = sysbench(&program, &server, workload, phase);
            if phase == "run" {
                for line in ["ignored errors:", "reconnects:"] {
                    let at = text.find(line).unwrap_or_else(|| panic!("{workload}: no {line:?} in {text}"));
                    let count = text[at + line.len()..].split_whitespace().next();
                    assert_eq!(count, Some("0"), "{workload}: {line}");
                }
            }
        }
    }
}

fn sysbench(program: &Path, server: &Server, workload: &str, phase: &str) -> String {
    let (host, port) = host_and_port(server);
    let output = Command::new(program)
        .arg(workload)
        .args(["--db-driver=mysql", "--mysql-user=root", "--mysql-db=sbtest", "--mysql-ssl=off"])
        .args([format!("--mysql-host={host}"), format!("--mysql-port={port}")])
        .arg(if workload.starts_with("select_random") { "--tables=1" } else { "--tables=2" })
        .args(["--table-size=1000", "--threads=1", "--time=1", "--events=0", phase])
        .output()
        .expect("sysbench runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("FATAL"), "{workload} {phase}: {text}");
    text
}

#[test]
fn the_mariadb_client_runs_a_session() {
    let Some(program) = tool::find("mariadb", "mariadb-client") else { return };
    let (_scratch, server) = start("mariadb");
    let (host, port) = host_and_port(&server);
    let script = "CREATE DATABASE shop; USE shop;
        CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, item VARCHAR(40), price DECIMAL(10,2), KEY (item));
        INSERT INTO orders (item, price) VALUES ('compass', 12.50), ('chart', 3.25), ('sextant', 240.00);
        SELECT item, price FROM orders WHERE price > 10 ORDER BY price;
        SELECT COUNT(*) > 0 FROM sextant.segments;";
    let output = Command::new(program)
        .args(["--no-defaults", "-h", &host, "-P", &port, "-u", "root", "-N", "-B"])
        .args(["-e", script])
        .output()
        .expect("the client runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert_eq!(out.trim(), "compass\t12.50\nsextant\t240.00\n1");
}

/// One read and one write system call per request: the hot path's shape (a prepared point select, pipelining nothing).
#[test]
fn a_prepared_point_select_costs_one_read_and_one_write() {
    const SELECTS: usize = 300;
    let Some(strace) = tool::find("strace", "strace") else { return };
    let scratch = Scratch::new("calls").expect("a scratch folder");
    let trace = scratch.path().join("strace");
    let mut launch = Launch::new(&product(), &scratch.path().join("data"));
    let calls = "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg";
    let words = [
        &strace.to_string_lossy(),
        "-f",
        "-yy",
        "-q",
        "-s",
        "0",
        "-e",
        calls,
        "-o",
        &trace.to_string_lossy(),
    ];
    launch.wrapper = words.map(String::from).to_vec();
    let server = launch.start().expect("it starts under strace");
    let mut sql = server.connect().expect("it answers");
    for statement in
        ["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT)", "INSERT INTO d.t VALUES (1, 1)"]
    {
        sql.query(statement).expect("done");
    }
    let statement = sql.prepare("SELECT v FROM d.t WHERE id = ?").expect("prepared");
    sql.execute(&statement, &[Some("1")]).expect("warm");
    let before = socket_calls(&trace);
    for _ in 0..SELECTS {
        sql.execute(&statement, &[Some("1")]).expect("selected");
    }
    let after = socket_calls(&trace);
    let (reads, writes) = (after.0 - before.0, after.1 - before.1);
    assert!((SELECTS..=SELECTS + 10).contains(&reads), "{reads} reads for {SELECTS} selects");
    assert!((SELECTS..=SELECTS + 10).contains(&writes), "{writes} writes for {SELECTS} selects");
}

/// Reads and writes of client sockets in the trace so far.
fn socket_calls(trace: &Path) -> (usize, usize) {
    let text = std::fs::read_to_string(trace).expect("the trace is there");
    let (mut reads, mut writes) = (0, 0);
    for line in text.lines().filter(|l| l.contains("<TCP:[127.0.0.1") && !l.contains("resumed>")) {
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        if call.starts_with("read") || call.starts_with("recv") {
            reads += 1;
        } else {
            writes += 1;
        }
    }
    (reads, writes)
}
