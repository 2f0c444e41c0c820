//! engine-4: DDL is atomic across crashes. For each kind of DDL, on a table with rows and an index: the server is killed with -9 at moments spread
//! over the statement's time, and opened again. What is found must be the table as it was or as it was to be, never anything else, with every
//! row, and CHECK TABLE content. Then real engines run under the director, whose machine crashes fall at sampled CPLs (`--rounds` seeds).
//!
//! The sabotage does one kind of DDL in two steps, as one that is not atomic does, and the kill falls between them.

use super::{open, run, text, value};
use crate::{Order, Outcome};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::{build, director};
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const ROWS: u64 = 3_000;
const KILLS: u32 = 4;

/// A statement, and the one that undoes it.
struct Kind {
    name: &'static str,
    there: &'static str,
    back: &'static str,
}

const fn kind(name: &'static str, there: &'static str, back: &'static str) -> Kind {
    Kind { name, there, back }
}

const KINDS: [Kind; 9] = [
    kind(
        "ADD COLUMN",
        "ALTER TABLE show4.t ADD COLUMN c INT NOT NULL DEFAULT 7",
        "ALTER TABLE show4.t DROP COLUMN c",
    ),
    kind(
        "DROP COLUMN",
        "ALTER TABLE show4.t DROP COLUMN b",
        "ALTER TABLE show4.t ADD COLUMN b VARCHAR(100) NOT NULL DEFAULT 'word' AFTER a",
    ),
    kind("MODIFY", "ALTER TABLE show4.t MODIFY a BIGINT", "ALTER TABLE show4.t MODIFY a INT"),
    kind("CREATE INDEX", "CREATE INDEX by_b ON show4.t (b)", "DROP INDEX by_b ON show4.t"),
    kind("DROP INDEX", "DROP INDEX by_a ON show4.t", "CREATE INDEX by_a ON show4.t (a)"),
    kind("RENAME TABLE", "RENAME TABLE show4.t TO show4.u", "RENAME TABLE show4.u TO show4.t"),
    kind(
        "CREATE TABLE",
        "CREATE TABLE show4.new (id INT PRIMARY KEY, a INT, KEY (a))",
        "DROP TABLE show4.new",
    ),
    kind("CREATE DATABASE", "CREATE DATABASE show4b", "DROP DATABASE show4b"),
    kind("TRUNCATE", "TRUNCATE TABLE show4.t", ""),
];

/// All that is told of the schema, and how many rows there are.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Picture(Vec<String>);

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("ddl").map_err(|e| e.to_string())?;
    let launch = Launch::new(&binary, &scratch.path().join("data"));
    let mut server = launch.start()?;
    fill(&server)?;
    let (mut old, mut new) = (0, 0);
    for kind in &KINDS {
        let before = picture(&server)?;
        let from = Instant::now();
        run(&mut server.connect().map_err(text)?, kind.there)?;
        let takes = from.elapsed();
        let after = picture(&server)?;
        let (mut olds, mut news) = (0, 0);
        let mut is_new = true;
        for kill in 0..KILLS {
            if is_new {
                undo(&server, kind)?;
            }
            if picture(&server)? != before {
                return Err(format!("{}: its undoing did not bring back what was", kind.name));
            }
            if order.sabotage && kind.name == "MODIFY" {
                println!("planted: one ALTER is done in two steps");
                run(&mut server.connect().map_err(text)?, "ALTER TABLE show4.t ADD COLUMN half BIGINT")?;
                server.kill9();
            } else {
                ask(&server, kind, takes * (2 * kill + 1) / (2 * KILLS))?;
                server.kill9();
            }
            server = open(&launch)?.0;
            let found = picture(&server)?;
            is_new = found == after;
            match (found == before, is_new) {
                (true, _) => olds += 1,
                (_, true) => news += 1,
                _ => return Err(format!("{}: neither old nor new after a kill: {found:?}", kind.name)),
            }
        }
        println!(
            "{:<16} takes {:>6.1} ms; of {KILLS} kills {olds} left the old and {news} the new",
            kind.name,
            super::ms(takes)
        );
        if is_new {
            undo(&server, kind)?;
        }
        (old, new) = (old + olds, new + news);
    }
    server.terminate()?;
    println!("{} kills: {old} old, {new} new, none neither", old + new);
    let seeds = format!("0..{}", order.rounds.unwrap_or(500));
    print!("{}", director(false, &["--seeds", &seeds, "--mode", "engine"])?);
    Ok(())
}

/// Sends the statement and returns so long after; the answer, if one comes, does not matter.
fn ask(server: &Server, kind: &Kind, after: Duration) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let statement = kind.there;
    let from = Instant::now();
    // It ends when the connection breaks.
    std::thread::spawn(move || drop(sql.query(statement)));
    while from.elapsed() < after {
        std::hint::spin_loop();
    }
    Ok(())
}

fn undo(server: &Server, kind: &Kind) -> Outcome {
    if kind.back.is_empty() {
        return rows(&mut server.connect().map_err(text)?, "show4.t");
    }
    run(&mut server.connect().map_err(text)?, kind.back).map(|_| ())
}

fn fill(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    run(&mut sql, "CREATE DATABASE show4")?;
    let columns = "id INT PRIMARY KEY, a INT, b VARCHAR(100) NOT NULL DEFAULT 'word', KEY by_a (a)";
    run(&mut sql, &format!("CREATE TABLE show4.t ({columns})"))?;
    rows(&mut sql, "show4.t")
}

fn rows(sql: &mut Client, table: &str) -> Outcome {
    for first in (0..ROWS).step_by(500) {
        let all: Vec<String> = (first..first + 500).map(|id| format!("({id},{})", id % 97)).collect();
        run(sql, &format!("INSERT INTO {table} (id, a) VALUES {}", all.join(",")))?;
    }
    Ok(())
}

/// Databases, tables, their definitions, counts and sums; CHECK TABLE must be content with each.
fn picture(server: &Server) -> Result<Picture, String> {
    let mut sql = server.connect().map_err(text)?;
    let mut all = Vec::new();
    for database in sql.query("SHOW DATABASES LIKE 'show4%'").map_err(text)?.text() {
        all.push(database[0].clone());
        for table in sql.query(&format!("SHOW TABLES FROM {}", database[0])).map_err(text)?.text() {
            let name = format!("{}.{}", database[0], table[0]);
            let check = sql.query(&format!("CHECK TABLE {name}")).map_err(text)?.text();
            if check.iter().any(|row| row.last().map(String::as_str) != Some("OK")) {
                return Err(format!("CHECK TABLE {name}: {check:?}"));
            }
            let definition = sql.query(&format!("SHOW CREATE TABLE {name}")).map_err(text)?.text();
            let count = value(
                &mut sql,
                &format!(
                    "SELECT CONCAT(COUNT(*), ' rows, sum ', COALESCE(SUM(id * 1000 + a), 0)) FROM {name}"
                ),
            )?;
            all.push(format!("{name}: {} {count}", definition[0][1]));
        }
    }
    Ok(Picture(all))
}
