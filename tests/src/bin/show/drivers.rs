//! mysql-2: drivers that applications use, against the product: round trips of every type, prepared and not, inside TLS and not, errors,
//! cancelled statements, pools. Each script in `tests/drivers` prints what does not hold.
//!
//! The drivers are this machine's: `python=PATH` names an interpreter (default `python3`), `node_modules=DIR` where mysql2 is installed,
//! `connector=JAR` MariaDB's Connector/J (default where Debian's libmariadb-java puts it). A driver that is absent is named, and then the
//! show does not say that it holds. The crates mysql_async and sqlx have no script yet: they are named as absent.
//!
//! The sabotage changes a row between write and read.

use crate::{Order, Outcome};
use std::process::{Command, Stdio};
use tests::child::{self, Helper};
use tests::product::{build, root};
use tests::scratch::Scratch;
use tests::server::Launch;

/// A script's exit code for a driver that is not installed.
const ABSENT: i32 = 3;
const DEBIANS_CONNECTOR: &str = "/usr/share/java/mariadb-java-client.jar";

fn setting<'a>(order: &'a Order, name: &str) -> Option<&'a str> {
    order.endpoints.iter().find_map(|e| e.strip_prefix(name)?.strip_prefix('='))
}

/// The drivers, and how each one's script is run.
fn commands(order: &Order, address: &str) -> Vec<(&'static str, Command)> {
    let (host, port) = address.split_once(':').unwrap_or((address, "3306"));
    let folder = root().join("tests/drivers");
    let mut all = Vec::new();
    for (name, module) in
        [("PyMySQL", "pymysql"), ("mysqlclient", "MySQLdb"), ("mysql-connector-python", "mysql.connector")]
    {
        let mut command = child::command(setting(order, "python").unwrap_or("python3"));
        command.arg(folder.join("python.py")).args([host, port, module]);
        all.push((name, command));
    }
    let mut node = child::command("node");
    node.arg(folder.join("node.js")).args([host, port]);
    if let Some(modules) = setting(order, "node_modules") {
        node.env("NODE_PATH", modules);
    }
    all.push(("mysql2", node));
    let mut java = child::command("java");
    java.arg("-cp").arg(setting(order, "connector").unwrap_or(DEBIANS_CONNECTOR));
    java.arg(folder.join("Jdbc.java")).args([host, port]);
    all.push(("Connector/J", java));
    all
}

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("drivers").map_err(|e| e.to_string())?;
    let server = Launch::new(&binary, &scratch.path().join("data")).start()?;
    let (mut absent, mut failed) = (vec!["mysql_async", "sqlx"], Vec::new());
    for (name, mut command) in commands(order, &server.address) {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if order.sabotage {
            command.env("DRIVERS_SABOTAGE", "1");
        }
        let Ok((status, out, err)) = Helper::start(command).and_then(Helper::output) else {
            absent.push(name);
            continue;
        };
        for line in out.lines() {
            println!("{line}");
        }
        match status.code() {
            Some(0) => {}
            Some(ABSENT) => absent.push(name),
            _ => {
                err.lines().take(20).for_each(|line| println!("  {line}"));
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        return Err(format!("what does not hold with {} stands above", failed.join(", ")));
    }
    println!("absent: {}", absent.join(", "));
    Err(format!("the drivers that are here hold; not shown, because absent: {}", absent.join(", ")))
}
