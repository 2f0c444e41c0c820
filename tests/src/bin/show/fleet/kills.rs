//! fleet-1: six daemons under the ledger, sysbench and a probe: any two are killed with -9 and started again, then two are wiped. No client
//! sees an error, the audit finds every acknowledged row, SCLs are equal again; the seconds that a large segment's repair took and the
//! foreground's 99th percentile meanwhile are printed.
//!
//! The sabotage wipes a third daemon with the two: one more than the volume survives, and writes stand still.

use super::load::{Ledger, Probe, SMALL, Sysbench};
use super::rows::{check, fill};
use super::{Ground, LARGE, Wanted, caught_up, equal, segments, text, wait, whole};
use crate::{Order, Outcome};
use std::path::Path;
use std::time::Instant;
use tests::client::Client;
use tests::fleet::Fleet;
use tests::server::Server;

/// Pairs that are killed: one of a zone, and of different zones.
const PAIRS: [[usize; 2]; 6] = [[0, 1], [2, 5], [4, 3], [1, 2], [0, 4], [5, 4]];
/// Who is wiped: a full copy and a tail, in different zones, as far as the roles lie so.
const WIPED: [usize; 2] = [0, 3];
/// Acknowledgements that must come in each state.
const PROGRESS: u64 = 100;

pub(crate) fn show(order: &Order) -> Outcome {
    let mib = order.mib.unwrap_or(if order.sabotage { 16 } else { 1024 });
    let pairs = (order.rounds.unwrap_or(4) as usize).min(PAIRS.len());
    let mut ground =
        Ground::new(&Wanted { name: "fleet-1", mutants: false, pages_per_pg: LARGE, daemon: &[] })?;
    let server = ground.compute("compute").start()?;
    fill(&server.address, mib)?;
    let largest = |fleet: &Fleet, node: usize| folder_mib(&fleet.folder(node).join("pages"));
    println!("filled {mib} MiB of rows; node 1's pages: {} MiB", largest(&ground.fleet, 0));
    let ledger = Ledger::new(ground.scratch.path(), &server.address)?;
    let sysbench = Sysbench::start(&server.address, SMALL)?;
    let clients = ledger.start(&server.address, 4)?;
    let probe = Probe::start(&server.address, 1)?;
    let from = Instant::now();
    std::thread::sleep(order.part(10));
    println!("foreground, all six there: {}", probe.since(from));
    for pair in if order.sabotage { &PAIRS[..1] } else { &PAIRS[..pairs] } {
        killed(&mut ground.fleet, &server, &ledger, pair)?;
    }
    let mut gone = WIPED.to_vec();
    if order.sabotage {
        println!("planted: a third daemon is wiped with the two");
        gone.push(5);
    }
    wiped(&mut ground.fleet, &server, &ledger, &probe, &gone)?;
    clients.end()?;
    sysbench.end()?;
    probe.end()?;
    equal(&server)?;
    ledger.audit(&server.address)?;
    check(&server.address, mib)?;
    whole(&ground)?;
    server.terminate()?;
    Ok(())
}

/// kill -9 of two under load, and both again.
fn killed(fleet: &mut Fleet, server: &Server, ledger: &Ledger, pair: &[usize; 2]) -> Outcome {
    pair.iter().for_each(|node| fleet.kill9(*node));
    ledger.more(PROGRESS)?;
    pair.iter().try_for_each(|node| fleet.start_node(*node))?;
    let again = caught_up(server)?;
    ledger.more(PROGRESS)?;
    println!(
        "killed nodes {} and {}: writes went on; {} ms after their start they have everything",
        pair[0] + 1,
        pair[1] + 1,
        again.as_millis()
    );
    Ok(())
}

/// The daemons lose their folders and come back blank, under load.
fn wiped(fleet: &mut Fleet, server: &Server, ledger: &Ledger, probe: &Probe, gone: &[usize]) -> Outcome {
    let mut sql = server.connect().map_err(text)?;
    let before = repaired_bytes(&mut sql)?;
    let sizes: Vec<u64> = gone.iter().map(|node| folder_mib(&fleet.folder(*node).join("pages"))).collect();
    for node in gone {
        fleet.kill9(*node);
        fleet.wipe(*node)?;
    }
    ledger.more(PROGRESS)?;
    let from = Instant::now();
    gone.iter().try_for_each(|node| fleet.start_node(*node))?;
    // Blank daemons are no members: repaired means that they were missed first.
    wait("the newcomers are noticed", || Ok(segments(&mut sql)?.iter().any(|s| s.state != "member")))?;
    caught_up(server)?;
    let took = from.elapsed().as_secs_f64();
    let times = probe.since(from);
    let mib = (repaired_bytes(&mut sql)? - before) >> 20;
    let roles: Vec<String> = gone
        .iter()
        .map(|node| segments(&mut sql).map(|all| role_of(&all, fleet, *node)))
        .collect::<Result<_, _>>()?;
    for ((node, size), role) in gone.iter().zip(sizes).zip(roles) {
        println!("wiped node {}: {role}, {size} MiB of pages before", node + 1);
    }
    println!("repaired in {took:.1} s ({mib} MiB sent); foreground meanwhile: {times}");
    Ok(())
}

fn role_of(all: &[super::Segment], fleet: &Fleet, node: usize) -> String {
    let here = all.iter().find(|s| s.node.contains(&fleet.address(node)));
    here.map_or_else(|| "role unknown".to_string(), |s| s.role.clone())
}

fn repaired_bytes(sql: &mut Client) -> Result<u64, String> {
    let rows = sql.query("SELECT SUM(repair_bytes) FROM sextant.segments").map_err(text)?.text();
    rows[0][0].parse().map_err(|_| format!("repair_bytes: {rows:?}"))
}

/// What a folder's files take on disk.
fn folder_mib(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|f| f.metadata().ok())
        .map(|m| std::os::unix::fs::MetadataExt::blocks(&m) * 512)
        .sum::<u64>()
        >> 20
}
