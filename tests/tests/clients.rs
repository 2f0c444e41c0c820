//! Programs that people use: Debian's sysbench and the MariaDB command-line client, against the real server.

use std::path::Path;
use std::process::Command;
use tests::product::product;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};
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
