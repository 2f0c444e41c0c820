//! fleet-4: an old writer, suspended with SIGSTOP, is woken by SIGCONT after another node opened the volume. It must serve nothing: no read, of
//! whatever kind, no write, no commit of what was open; and it ends by itself.
//!
//! Statements are sent to it while it sleeps, so that they are the first it finds when it wakes, and more while it wakes.
//!
//! The sabotage plants a bug in the old writer: it looks at no lease.

use super::load::Ledger;
use super::{Ground, LARGE, Wanted, text};
use crate::{Order, Outcome};
use std::thread::JoinHandle;
use tests::child;
use tests::client::Client;
use tests::server::Server;

const STATEMENTS: [&str; 7] = [
    "SELECT 1",
    "SELECT COUNT(*) FROM zombie.t",
    "SELECT v FROM zombie.t WHERE id = 1",
    "SELECT v FROM zombie.t WHERE id = 1 FOR UPDATE",
    "SHOW TABLES FROM zombie",
    "INSERT INTO zombie.t VALUES (1000, 1)",
    "UPDATE zombie.t SET v = 666",
];

pub(crate) fn show(order: &Order) -> Outcome {
    let rounds = order.rounds.unwrap_or(5);
    for round in 1..=rounds {
        let served = one(order.sabotage, round == 1)?;
        println!("round {round} of {rounds}: {}", served.0);
        if let Some(problem) = served.1 {
            return Err(problem);
        }
    }
    Ok(())
}

/// What is told of a round, and what is wrong.
fn one(sabotage: bool, first: bool) -> Result<(String, Option<String>), String> {
    let ground =
        Ground::new(&Wanted { name: "fleet-4", mutants: sabotage, pages_per_pg: LARGE, daemon: &[] })?;
    let mut launch = ground.compute("old");
    if sabotage && first {
        println!("planted: the old writer looks at no lease");
    }
    if sabotage {
        launch.env.push(("SEXTANT_MUTANT".into(), "NoLease".into()));
    }
    let old = launch.start()?;
    let ledger = Ledger::new(ground.scratch.path(), &old.address)?;
    prepare(&old)?;
    // A transaction that is open, whose COMMIT comes too late; a snapshot; and clients with one statement each.
    let mut open = old.connect().map_err(text)?;
    open.query("BEGIN").map_err(text)?;
    open.query("UPDATE zombie.t SET v = 777 WHERE id = 2").map_err(text)?;
    let mut snapshot = old.connect().map_err(text)?;
    snapshot.query("START TRANSACTION WITH CONSISTENT SNAPSHOT").map_err(text)?;
    let clients: Vec<Client> =
        (0..4 * STATEMENTS.len()).map(|_| old.connect().map_err(text)).collect::<Result<_, _>>()?;
    child::suspend(old.pid())?;
    let mut asked = vec![ask(open, "COMMIT".into()), ask(snapshot, "SELECT COUNT(*) FROM zombie.t".into())];
    asked.extend(clients.into_iter().zip(STATEMENTS.iter().cycle()).map(|(c, s)| ask(c, (*s).to_string())));
    let new = ground.compute("new").start()?;
    let mut sql = new.connect().map_err(text)?;
    sql.query("INSERT INTO zombie.t VALUES (99, 99)").map_err(text)?;
    sql.query("UPDATE zombie.t SET v = v + 1 WHERE id = 1").map_err(text)?;
    let load = ledger.start(&new.address, 2)?;
    ledger.more(20)?;
    let status = old.stop_with("CONT")?;
    let answered: Vec<String> = asked.into_iter().filter_map(|a| a.join().unwrap_or_default()).collect();
    ledger.more(20)?;
    load.end()?;
    ledger.audit(&new.address)?;
    let rows = sql.query("SELECT id, v FROM zombie.t ORDER BY id").map_err(text)?.text();
    let shown = format!(
        "{} statements were sent to the sleeping writer, {} answered; it ended with {status}",
        2 + 4 * STATEMENTS.len(),
        answered.len()
    );
    let expected = [["1", "11"], ["2", "10"], ["3", "10"], ["99", "99"]];
    let problem = if let Some(first) = answered.first() {
        Some(format!("the old writer served {} statements, one of them: {first}", answered.len()))
    } else if status.success() {
        Some("the old writer ended as if all were well".into())
    } else if rows.len() != expected.len() || rows.iter().zip(expected).any(|(row, e)| row[..] != e[..]) {
        Some(format!("the old writer wrote: {rows:?}"))
    } else {
        None
    };
    new.terminate()?;
    Ok((shown, problem))
}

fn prepare(server: &Server) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    sql.query("CREATE DATABASE zombie").map_err(text)?;
    sql.query("CREATE TABLE zombie.t (id INT PRIMARY KEY, v INT NOT NULL)").map_err(text)?;
    sql.query("INSERT INTO zombie.t VALUES (1, 10), (2, 10), (3, 10)").map_err(text)?;
    sql.query("SELECT * FROM zombie.t").map_err(text).map(|_| ())
}

/// Sends a statement; what came back if it was anything but an error or a broken connection.
fn ask(mut sql: Client, statement: String) -> JoinHandle<Option<String>> {
    std::thread::spawn(move || match sql.query(&statement) {
        Ok(answer) => Some(format!("'{statement}' -> {:?}, {} rows changed", answer.text(), answer.affected)),
        Err(_) => None,
    })
}
