//! fleet-6: a volume that grows and moves while clients work. Under the ledger and sysbench it grows through five protection groups; a segment is
//! replaced by one on another node; all daemons are restarted, one zone at a time. Then a loaded embedded folder is opened as six daemons
//! and back, and moved live to six empty daemons, after which the old ones are stopped. Every row by ledger, no client an error.
//!
//! The sabotage deletes one acknowledged entry behind the ledger's back.

use super::load::{Ledger, SMALL, Sysbench};
use super::rows::{check, fill};
use super::{Ground, Wanted, caught_up, equal, text, wait, whole};
use crate::{Order, Outcome};
use std::time::Instant;
use tests::fleet::{Fleet, NODES};
use tests::product::build;
use tests::scratch::Scratch;
use tests::server::{Launch, Server};

/// Pages of a protection group: 8 MiB.
const PAGES: u64 = 512;
const GROUPS: u64 = 6;
const MIB: u64 = 48;
const PROGRESS: u64 = 100;

pub(crate) fn show(order: &Order) -> Outcome {
    growth(order)?;
    embedded_and_back(order)
}

fn groups(server: &Server) -> Result<u64, String> {
    let mut sql = server.connect().map_err(text)?;
    let rows = sql.query("SELECT COUNT(DISTINCT pg) FROM sextant.segments").map_err(text)?.text();
    rows[0][0].parse().map_err(|_| format!("groups: {rows:?}"))
}

/// Growth, a replaced segment and a rolling restart under load.
fn growth(order: &Order) -> Outcome {
    let mut ground =
        Ground::new(&Wanted { name: "fleet-6", mutants: false, pages_per_pg: PAGES, daemon: &[] })?;
    let server = ground.compute("compute").start()?;
    let ledger = Ledger::new(ground.scratch.path(), &server.address)?;
    let before = groups(&server)?;
    let sysbench = Sysbench::start(&server.address, SMALL)?;
    let clients = ledger.start(&server.address, 3)?;
    let mib = order.mib.unwrap_or(MIB);
    fill(&server.address, mib)?;
    wait("the volume grows", || Ok(groups(&server)? >= before + GROUPS - 1))?;
    ledger.more(PROGRESS)?;
    println!(
        "grown from {before} to {} protection groups of {} MiB under load",
        groups(&server)?,
        PAGES * 16 / 1024
    );
    replaced(&mut ground, &server, &ledger)?;
    for zone in 0..3 {
        let nodes = [2 * zone, 2 * zone + 1];
        let from = Instant::now();
        nodes.iter().try_for_each(|node| ground.fleet.terminate(*node))?;
        ledger.more(PROGRESS / 2)?;
        nodes.iter().try_for_each(|node| ground.fleet.start_node(*node))?;
        caught_up(&server)?;
        println!(
            "zone {} restarted and caught up in {} ms, writes went on",
            zone + 1,
            from.elapsed().as_millis()
        );
    }
    clients.end()?;
    sysbench.end()?;
    if order.sabotage {
        println!("planted: an acknowledged entry is deleted");
        let mut sql = server.connect().map_err(text)?;
        sql.query("DELETE FROM ledger.entries WHERE client = 1 AND seq = 1").map_err(text)?;
    }
    equal(&server)?;
    ledger.audit(&server.address)?;
    check(&server.address, mib)?;
    whole(&ground)?;
    server.terminate()?;
    Ok(())
}

/// A segment moves to another node under load, by command.
fn replaced(ground: &mut Ground, server: &Server, ledger: &Ledger) -> Outcome {
    let spare = ground.fleet.add(1, "spare")?;
    let (to, from) = (ground.fleet.address(spare), Instant::now());
    let words = ["replace-segment", "--pg", "1", "--position", "0", "--to", &to];
    let (ok, out, err) = ground.fleet.volume(&words)?;
    if !ok {
        return Err(format!("volume {}: {out}{err}", words.join(" ")));
    }
    wait("the segment is on the other node", || {
        let mut sql = server.connect().map_err(text)?;
        let all = super::segments(&mut sql)?;
        Ok(all.iter().any(|s| s.pg == "1" && s.node.contains(&to) && s.state == "member"))
    })?;
    ledger.more(PROGRESS)?;
    println!(
        "segment 1.0 replaced by one on another node in {} ms, writes went on",
        from.elapsed().as_millis()
    );
    Ok(())
}

/// A loaded embedded folder as daemons, embedded again, as daemons again, and then live on six empty ones.
fn embedded_and_back(order: &Order) -> Outcome {
    let binary = build("sextant", "sextant", false)?;
    let scratch = Scratch::new("fleet-6-move").map_err(|e| e.to_string())?;
    let data = scratch.path().join("data");
    let pages = PAGES.to_string();
    let embedded = Launch::new(&binary, &data).args(&[
        "--sextant-metrics-address",
        "",
        "--sextant-pages-per-pg",
        &pages,
    ]);
    let server = embedded.start()?;
    let ledger = Ledger::new(scratch.path(), &server.address)?;
    let mib = order.mib.unwrap_or(MIB) / 2;
    fill(&server.address, mib)?;
    work(&ledger, &server.address, order)?;
    server.terminate()?;
    let mut fleet = Fleet::start_with(binary.clone(), &data, &[])?;
    let server = fleet.compute(&scratch.path().join("first")).start()?;
    ledger.audit(&server.address)?;
    work(&ledger, &server.address, order)?;
    println!("the embedded folder is served by six daemons");
    server.terminate()?;
    (0..NODES).try_for_each(|node| fleet.terminate(node))?;
    let server = embedded.start()?;
    ledger.audit(&server.address)?;
    work(&ledger, &server.address, order)?;
    println!("and embedded again");
    server.terminate()?;
    let mut fleet = Fleet::start_with(binary, &data, &[])?;
    let server = fleet.compute(&scratch.path().join("second")).start()?;
    let new = moved(&mut fleet, &server, &ledger)?;
    check(&server.address, mib)?;
    ledger.audit(&server.address)?;
    server.terminate()?;
    let server = fleet.compute_of(&new, &scratch.path().join("third")).start()?;
    work(&ledger, &server.address, order)?;
    ledger.audit(&server.address)?;
    check(&server.address, mib)?;
    println!("opened again on the new six daemons alone");
    server.terminate()?;
    Ok(())
}

/// The ledger runs for a while.
fn work(ledger: &Ledger, address: &str, order: &Order) -> Outcome {
    let clients = ledger.start(address, 3)?;
    std::thread::sleep(order.part(3));
    ledger.more(PROGRESS)?;
    clients.end()
}

/// `sextant volume move` to six empty daemons under load; then the old ones are stopped. The new ones.
fn moved(fleet: &mut Fleet, server: &Server, ledger: &Ledger) -> Result<Vec<usize>, String> {
    let new: Vec<usize> =
        (0..NODES).map(|n| fleet.add(n / 2 + 1, &format!("new{}", n % 2 + 1))).collect::<Result<_, _>>()?;
    let clients = ledger.start(&server.address, 3)?;
    ledger.more(PROGRESS)?;
    let mut words = vec!["move".to_string()];
    words.extend(
        fleet.flags_of(&new).into_iter().map(|w| if w == "--storage" { "--to".to_string() } else { w }),
    );
    let from = Instant::now();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (ok, out, err) = fleet.volume(&words)?;
    if !ok {
        return Err(format!("volume {}: {out}{err}", words.join(" ")));
    }
    let addresses: Vec<String> = new.iter().map(|n| fleet.address(*n)).collect();
    wait("every segment is on a new daemon", || {
        let mut sql = server.connect().map_err(text)?;
        let all = super::segments(&mut sql)?;
        let there = |s: &super::Segment| s.state == "member" && addresses.iter().any(|a| s.node.contains(a));
        Ok(!all.is_empty() && all.iter().all(there))
    })?;
    println!("moved live to six empty daemons in {:.1} s", from.elapsed().as_secs_f64());
    (0..NODES).try_for_each(|node| fleet.terminate(node))?;
    ledger.more(PROGRESS)?;
    clients.end()?;
    Ok(new)
}
