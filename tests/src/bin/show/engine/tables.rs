//! engine-7: ten tables and ten thousand: a restart to its first answer and the memory held then are the same, and SHOW TABLES and
//! information_schema answer quickly.
//!
//! The sabotage is an opening that reads every table, as one that keeps its whole dictionary in memory would.

use super::{ms, open, run, text, value};
use crate::{Order, Outcome};
use std::time::{Duration, Instant};
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

const FEW: u64 = 10;
const MAKERS: u64 = 4;
const OPENINGS: usize = 5;
const TIMES: u32 = 2;
const SLACK: Duration = Duration::from_millis(200);
const MEMORY_SLACK_KIB: u64 = 24 << 10;
/// A catalogue's answer, ten thousand tables or not.
const QUICK: Duration = Duration::from_secs(3);

pub(crate) fn show(order: &Order) -> Outcome {
    let many = order.rounds.unwrap_or(10_000);
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("tables").map_err(|e| e.to_string())?;
    let launch = Launch::new(&binary, &scratch.path().join("data"));
    let server = launch.start()?;
    make(&server, 0, FEW)?;
    server.terminate()?;
    let few = openings(&launch, FEW, false)?;
    let server = launch.start()?;
    let from = Instant::now();
    make(&server, FEW, many)?;
    println!("{} tables made in {:.1} s", many - FEW, from.elapsed().as_secs_f64());
    server.terminate()?;
    if order.sabotage {
        println!("planted: an opening that reads every table");
    }
    let all = openings(&launch, many, order.sabotage)?;
    catalogue(&launch, many)?;
    if all.0 > few.0 * TIMES + SLACK {
        return Err(format!(
            "opening takes {:.0} ms with {many} tables, {:.0} ms with {FEW}",
            ms(all.0),
            ms(few.0)
        ));
    }
    if all.1 > few.1 + few.1 / 4 + MEMORY_SLACK_KIB {
        return Err(format!(
            "{} MiB are held with {many} tables, {} MiB with {FEW}",
            all.1 >> 10,
            few.1 >> 10
        ));
    }
    Ok(())
}

/// Tables `from..to`, each with a row, a secondary index and four columns.
fn make(server: &Server, from: u64, to: u64) -> Outcome {
    run(&mut server.connect().map_err(text)?, "CREATE DATABASE IF NOT EXISTS show7")?;
    std::thread::scope(|scope| {
        let maker = |turn: u64| -> Outcome {
            let mut sql = server.connect().map_err(text)?;
            for n in (from..to).filter(|n| n % MAKERS == turn) {
                run(
                    &mut sql,
                    &format!(
                        "CREATE TABLE show7.t{n} (id INT PRIMARY KEY, a INT, b VARCHAR(40), c DECIMAL(10,2), KEY by_a (a))"
                    ),
                )?;
                run(&mut sql, &format!("INSERT INTO show7.t{n} VALUES ({n}, {n}, 'row', 1.5)"))?;
            }
            Ok(())
        };
        let makers: Vec<_> = (0..MAKERS).map(|turn| scope.spawn(move || maker(turn))).collect();
        makers.into_iter().try_for_each(|m| m.join().map_err(|_| "a maker panicked".to_string())?)
    })
}

/// The median opening, and the memory held after it in KiB.
fn openings(launch: &Launch, tables: u64, read_all: bool) -> Result<(Duration, u64), String> {
    let mut all = Vec::new();
    for turn in 0..OPENINGS {
        let from = Instant::now();
        let (server, mut took) = open(launch)?;
        let mut sql = server.connect().map_err(text)?;
        if read_all {
            (0..tables)
                .try_for_each(|n| value(&mut sql, &format!("SELECT a FROM show7.t{n}")).map(|_| ()))?;
            took = from.elapsed();
        }
        let probed = tables * turn as u64 / OPENINGS as u64;
        if value(&mut sql, &format!("SELECT a FROM show7.t{probed} WHERE id = {probed}"))?
            != probed.to_string()
        {
            return Err(format!("table {probed} does not have its row"));
        }
        all.push((took, server.resident_kib()));
        if turn % 2 == 0 {
            server.kill9();
        } else {
            server.terminate()?;
        }
    }
    all.sort_unstable();
    let times: Vec<String> = all.iter().map(|(took, _)| format!("{:.0}", ms(*took))).collect();
    let (median, memory) = (all[OPENINGS / 2].0, all.iter().map(|(_, kib)| *kib).max().unwrap_or(0));
    println!("{tables} tables: openings {} ms, {} MiB held", times.join(", "), memory >> 10);
    Ok((median, memory))
}

fn catalogue(launch: &Launch, many: u64) -> Outcome {
    let server = launch.start()?;
    let mut sql = server.connect().map_err(text)?;
    let last = many - 1;
    let queries = [
        ("SHOW TABLES FROM show7".to_string(), many),
        ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'show7'".to_string(), many),
        (
            format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'show7' AND table_name = 't{last}'"
            ),
            4,
        ),
        (format!("SHOW CREATE TABLE show7.t{last}"), 1),
    ];
    let mut slow = None;
    for (query, expected) in queries {
        let from = Instant::now();
        let rows = sql.query(&query).map_err(text)?.rows.len() as u64;
        let took = from.elapsed();
        println!("{:>7.1} ms, {rows} rows: {query}", ms(took));
        if rows != expected {
            return Err(format!("{rows} rows, not {expected}: {query}"));
        }
        if took > QUICK {
            slow = Some(format!("{:.0} ms: {query}", ms(took)));
        }
    }
    server.terminate()?;
    slow.map_or(Ok(()), Err)
}
