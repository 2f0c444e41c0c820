//! engine-5: a hot row. 64 clients increment one row, each commit by itself, beside MySQL where `--mysql HOST:PORT` is given, in interleaved
//! rounds. Figures are printed and not judged, since machines have moods; what is judged is that the row counts every acknowledged increment and
//! no other, and that no client sees an error.
//!
//! The sabotage takes one increment away behind the clients' backs.

use super::{ms, run, text, value};
use crate::{Order, Outcome};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::Launch;

const CLIENTS: usize = 64;

pub(crate) fn show(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("hot-row").map_err(|e| e.to_string())?;
    let server = Launch::new(&binary, &scratch.path().join("data")).start()?;
    let mut places = vec![("ours", server.address.clone())];
    match &order.mysql {
        Some(address) => places.push(("MySQL", address.clone())),
        None => println!("not given: MySQL (give it as --mysql HOST:PORT)"),
    }
    for (_, address) in &places {
        let mut sql = Client::connect(address).map_err(text)?;
        run(&mut sql, "DROP DATABASE IF EXISTS sextant_show5")?;
        run(&mut sql, "CREATE DATABASE sextant_show5")?;
        run(&mut sql, "CREATE TABLE sextant_show5.hot (id INT PRIMARY KEY, n BIGINT NOT NULL)")?;
        run(&mut sql, "INSERT INTO sextant_show5.hot VALUES (1, 0)")?;
    }
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); places.len()];
    for round in 1..=order.rounds.unwrap_or(5) {
        let mut shown = Vec::new();
        for ((name, address), rates) in places.iter().zip(&mut rates) {
            let (rate, p99) = increments(address, order.part(8), order.sabotage)?;
            shown.push(format!("{name} {rate:.0} a second, p99 {:.1} ms", ms(p99)));
            rates.push(rate);
        }
        println!("round {round}: {}", shown.join("; "));
    }
    let medians: Vec<f64> = rates.iter_mut().map(|r| median(r)).collect();
    println!("{CLIENTS} clients, one row, medians: ours {:.0} increments a second", medians[0]);
    if let Some(theirs) = medians.get(1) {
        println!("MySQL {theirs:.0}: ours is {:.2} times that", medians[0] / theirs);
        run(&mut Client::connect(&places[1].1).map_err(text)?, "DROP DATABASE sextant_show5")?;
    }
    server.terminate()?;
    Ok(())
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

/// Increments a second, and the 99th percentile of one, while the row is checked against what was acknowledged.
fn increments(address: &str, lasting: Duration, sabotage: bool) -> Result<(f64, Duration), String> {
    let mut sql = Client::connect(address).map_err(text)?;
    let count = |sql: &mut Client| -> Result<u64, String> {
        value(sql, "SELECT n FROM sextant_show5.hot WHERE id = 1")?
            .parse()
            .map_err(|_| "no number".to_string())
    };
    let before = count(&mut sql)?;
    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    let client = || -> Result<Vec<Duration>, String> {
        let mut sql = Client::connect(address).map_err(text)?;
        let mut times = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let from = Instant::now();
            run(&mut sql, "UPDATE sextant_show5.hot SET n = n + 1 WHERE id = 1")?;
            times.push(from.elapsed());
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        Ok(times)
    };
    let from = Instant::now();
    let mut times = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        std::thread::sleep(lasting);
        stop.store(true, Ordering::SeqCst);
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.join().map_err(|_| "a client panicked".to_string())??);
        }
        Ok::<_, String>(times)
    })?;
    let rate = times.len() as f64 / from.elapsed().as_secs_f64();
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    if sabotage {
        run(&mut sql, "UPDATE sextant_show5.hot SET n = n - 1 WHERE id = 1")?;
    }
    let (there, acknowledged) = (count(&mut sql)? - before, acknowledged.load(Ordering::SeqCst));
    if there == acknowledged {
        Ok((rate, p99))
    } else {
        Err(format!("{acknowledged} increments were acknowledged, the row counts {there}"))
    }
}
