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

fn run(program: &Path, server: &Server, arguments: &[&str], input: Option<&str>) -> String {
    let (host, port) = host_and_port(server);
    let mut command = Command::new(program);
    command.args(["--no-defaults", "-h", &host, "-P", &port, "-u", "root"]).args(arguments);
    if let Some(path) = input {
        command.stdin(std::fs::File::open(path).expect("the input is there"));
    }
    let output = command.output().expect("the client runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?}: {err}", program.display());
    String::from_utf8(output.stdout).expect("text")
}

/// A schema of many types goes through mariadb-dump and back, and is the same again; files go in by mariadb-import.
#[test]
fn dumps_and_imports_go_round() {
    let Some(dump) = tool::find("mariadb-dump", "mariadb-client") else { return };
    let Some(client) = tool::find("mariadb", "mariadb-client") else { return };
    let Some(import) = tool::find("mariadb-import", "mariadb-client") else { return };
    let (scratch, server) = start("dumps");
    let mut sql = server.connect().expect("it answers");
    for statement in [
        "CREATE DATABASE one",
        "CREATE DATABASE two",
        "CREATE TABLE one.a (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20), l VARCHAR(10) CHARACTER SET latin1, b BLOB, d DECIMAL(10,2), \
         j JSON, e ENUM('x','y'), s SET('p','q'), bt BIT(9), dt DATETIME(3), ts TIMESTAMP NULL, y YEAR, t TIME(2), f DOUBLE, KEY (v), \
         UNIQUE KEY (l, e)) COMMENT 'it''s'",
        "INSERT INTO one.a VALUES (1, 'a\\'b\\n\\\\', 'é€', x'00ff275c0a', 1.5, '{\"a\": [1, null]}', 'x', 'p,q', b'100000001', \
         '2024-01-02 03:04:05.678', '2024-01-02 03:04:05', 2024, '-12:34:56.78', 1e300), \
         (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        "CREATE TABLE one.plain (x BIGINT UNSIGNED, y TEXT)",
        "INSERT INTO one.plain VALUES (18446744073709551615, 'ü日😀'), (0, '')",
        "SET GLOBAL local_infile = ON",
        "CREATE TABLE two.numbers (id INT PRIMARY KEY, word VARCHAR(10))",
    ] {
        sql.query(statement).unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    // LOCK TABLES is not there yet.
    let options =
        ["--single-transaction", "--skip-add-locks", "--hex-blob", "--routines", "--events", "--compact"];
    let taken = |schema: &str| run(&dump, &server, &[&options[..], &[schema]].concat(), None);
    let first = taken("one");
    let file = scratch.path().join("one.sql").display().to_string();
    std::fs::write(&file, &first).expect("written");
    sql.query("CREATE DATABASE again").expect("created");
    run(&client, &server, &["again"], Some(&file));
    assert!(first.contains("18446744073709551615") && first.contains("日😀"), "{first}");
    assert_eq!(taken("again"), first);
    let rows = scratch.path().join("numbers.txt").display().to_string();
    std::fs::write(&rows, "1\tone\n2\t\\N\n").expect("written");
    let said = run(&import, &server, &["--local", "two", &rows], None);
    assert!(said.contains("Records: 2  Deleted: 0  Skipped: 0  Warnings: 0"), "{said}");
    let found = run(&client, &server, &["-N", "-B", "-e", "SELECT * FROM two.numbers ORDER BY id"], None);
    assert_eq!(found, "1\tone\n2\tNULL\n");
}
