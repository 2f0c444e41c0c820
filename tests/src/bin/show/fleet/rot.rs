//! fleet-5: rot. Under load, and with a pool far smaller than the data: bytes are flipped in the live log and page files of one full copy, then of
//! another; a page file is cut to half; an old copy of a node's folder is put back. Nothing read may be wrong; what is damaged is healed or
//! refused, and counted. At the end two nodes that were never damaged are taken away: the healed ones must carry the volume.
//!
//! The sabotage is rot that no checksum can see: one letter of one row is changed in every full copy, and the pages are sealed anew. The check of
//! the rows must see it.

use super::load::Ledger;
use super::rows::{check, fill, payload};
use super::{Ground, LARGE, Wanted, caught_up, equal, segments, text, wait, whole};
use crate::{Order, Outcome};
use protocol::page::{PAGE_BYTES, id, seal};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tests::server::Server;

const POOL: &str = "8M";
/// Of how many pages, or pieces of log, one is damaged.
const ONE_IN: u64 = 3;
const MOST: u64 = 500;

pub(crate) fn show(order: &Order) -> Outcome {
    let mib = order.mib.unwrap_or(64);
    let mut ground =
        Ground::new(&Wanted { name: "fleet-5", mutants: false, pages_per_pg: LARGE, daemon: &[] })?;
    let launch = ground.compute("compute").args(&["--innodb-buffer-pool-size", POOL]);
    let server = launch.start()?;
    fill(&server.address, mib)?;
    let full = full_copies(&ground, &server)?;
    stored(&ground, &full, mib)?;
    println!("{mib} MiB of rows, full copies on nodes {}", shown(&full));
    if order.sabotage {
        server.terminate()?;
        return unseen(&mut ground, &full, mib);
    }
    let ledger = Ledger::new(ground.scratch.path(), &server.address)?;
    let clients = ledger.start(&server.address, 2)?;
    let old = full[2];
    let saved = ground.path("saved");
    ground.fleet.terminate(old)?;
    copy(&ground.fleet.folder(old), &saved)?;
    let saved_at = ledger.noted();
    ground.fleet.start_node(old)?;
    ledger.more(200)?;
    caught_up(&server)?;
    let mut counted = Counts::default();
    // Whatever is damaged in one copy is whole in the others: that is what is promised. So the two lose different pages, and the file is cut
    // when the old copy has taken all pages from the two, which heal what they find damaged on the way.
    for (turn, node) in full[..2].iter().enumerate() {
        flipped(&mut ground, &server, &ledger, (*node, turn as u64), mib, &mut counted)?;
    }
    println!(
        "node {}: its folder of {} acknowledgements ago is put back",
        old + 1,
        ledger.noted() - saved_at
    );
    ground.fleet.kill9(old);
    ground.fleet.wipe(old)?;
    copy(&saved, &ground.fleet.folder(old))?;
    again(&mut ground, &server, old)?;
    check(&server.address, mib)?;
    truncated(&mut ground, &server, full[0], mib)?;
    clients.end()?;
    equal(&server)?;
    ledger.audit(&server.address)?;
    whole(&ground)?;
    let spared: Vec<usize> = (0..6).filter(|n| !full.contains(n)).take(2).collect();
    spared.iter().for_each(|node| ground.fleet.kill9(*node));
    server.kill9();
    println!("nodes {}, never damaged, are taken away; the compute node starts cold", shown(&spared));
    let server = launch.start()?;
    check(&server.address, mib)?;
    ledger.audit(&server.address)?;
    server.terminate()?;
    println!("counted in all: {} damaged places found, {} healed", counted.rot, counted.healed);
    if counted.rot == 0 || counted.healed == 0 {
        return Err("rot was not counted".into());
    }
    Ok(())
}

fn shown(nodes: &[usize]) -> String {
    nodes.iter().map(|n| (n + 1).to_string()).collect::<Vec<_>>().join(", ")
}

fn full_copies(ground: &Ground, server: &Server) -> Result<Vec<usize>, String> {
    let mut sql = server.connect().map_err(text)?;
    let all = segments(&mut sql)?;
    let is_full = |node: &usize| {
        all.iter().any(|s| s.pg == "0" && s.role == "full" && s.node.contains(&ground.fleet.address(*node)))
    };
    let full: Vec<usize> = (0..6).filter(is_full).collect();
    if full.len() == 3 { Ok(full) } else { Err(format!("full copies: {full:?} of {all:?}")) }
}

/// Waits until the full copies have most of the rows in their page files.
fn stored(ground: &Ground, full: &[usize], mib: u64) -> Outcome {
    let bytes = |node: &usize| -> u64 {
        page_files(&ground.fleet.folder(*node))
            .iter()
            .filter_map(|f| f.metadata().ok())
            .map(|m| m.len())
            .sum()
    };
    wait("pages are stored", || Ok(full.iter().all(|n| bytes(n) >= (mib << 20)))).map(|_| ())
}

fn page_files(folder: &Path) -> Vec<PathBuf> {
    files(&folder.join("pages")).into_iter().filter(|f| f.extension().is_some_and(|e| e == "pages")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

fn copy(from: &Path, to: &Path) -> Outcome {
    let status = std::process::Command::new("cp").args(["-r", "--sparse=always"]).arg(from).arg(to).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("cp {} {}: {other:?}", from.display(), to.display())),
    }
}

/// Changes a byte of each file in one of some units that hold something, those `wanted`; how many.
fn flip(files: &[PathBuf], unit: usize, wanted: impl Fn(u64, &[u8]) -> bool) -> Result<u64, String> {
    let mut flips = 0;
    let mut bytes = vec![0; unit];
    for path in files {
        let problem = |e: std::io::Error| format!("{}: {e}", path.display());
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).map_err(problem)?;
        let units = file.metadata().map_err(problem)?.len() / unit as u64;
        for n in 0..units {
            let start = n * unit as u64;
            file.read_exact_at(&mut bytes, start).map_err(problem)?;
            let at = 100 + n as usize * 37 % (unit - 200);
            if flips < MOST && bytes[at] != 0 && wanted(n, &bytes) {
                file.write_all_at(&[bytes[at] ^ 0x40], start + at as u64).map_err(problem)?;
                flips += 1;
            }
        }
        file.sync_all().map_err(problem)?;
    }
    Ok(flips)
}

/// What a daemon counted since it started.
#[derive(Clone, Copy, Default)]
struct Counts {
    rot: u64,
    healed: u64,
}

fn counts(ground: &Ground, node: usize) -> Result<Counts, String> {
    let address = ground.fleet.metrics(node).ok_or("the node is down")?;
    let mut socket = TcpStream::connect(address).map_err(|e| e.to_string())?;
    socket.write_all(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").map_err(|e| e.to_string())?;
    let mut page = String::new();
    socket.read_to_string(&mut page).map_err(|e| e.to_string())?;
    let figure = |name: &str| {
        let line = page.lines().find_map(|l| l.strip_prefix(&format!("sextant_storage_{name} ")));
        line.and_then(|n| n.trim().parse().ok()).ok_or(format!("no metric {name} of node {}", node + 1))
    };
    Ok(Counts { rot: figure("rot")?, healed: figure("healed")? })
}

/// Bytes of one copy are flipped while it serves; all rows are read meanwhile; then it is killed, and reads its log anew.
fn flipped(
    ground: &mut Ground,
    server: &Server,
    ledger: &Ledger,
    (node, turn): (usize, u64),
    mib: u64,
    sum: &mut Counts,
) -> Outcome {
    let folder = ground.fleet.folder(node);
    let pages = flip(&page_files(&folder), PAGE_BYTES, |_, bytes| {
        bytes.try_into().is_ok_and(|page: &[u8; PAGE_BYTES]| id(page).0 % ONE_IN == turn)
    })?;
    let log = flip(&files(&folder.join("log")), 64 << 10, |n, _| n % ONE_IN == turn)?;
    println!(
        "node {}: bytes flipped in {pages} places of its page files and {log} of its log, live",
        node + 1
    );
    if pages == 0 || log == 0 {
        return Err("nothing was there to be damaged".into());
    }
    check(&server.address, mib)?;
    ledger.more(50)?;
    let before = counts(ground, node)?;
    ground.fleet.kill9(node);
    again(ground, server, node)?;
    check(&server.address, mib)?;
    let after = counts(ground, node)?;
    println!(
        "node {}: {} damaged places found and {} healed while it served, {} and {} after its restart",
        node + 1,
        before.rot,
        before.healed,
        after.rot,
        after.healed
    );
    sum.rot += before.rot + after.rot;
    sum.healed += before.healed + after.healed;
    Ok(())
}

/// A page file loses its second half while its node is down.
fn truncated(ground: &mut Ground, server: &Server, node: usize, mib: u64) -> Outcome {
    ground.fleet.kill9(node);
    let path = page_files(&ground.fleet.folder(node))
        .into_iter()
        .max_by_key(|f| f.metadata().map_or(0, |m| m.len()));
    let path = path.ok_or("no page file")?;
    let file = std::fs::OpenOptions::new().write(true).open(&path).map_err(|e| e.to_string())?;
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    file.set_len(len / 2).map_err(|e| e.to_string())?;
    println!("node {}: its page file is cut from {} to {} MiB", node + 1, len >> 20, len >> 21);
    again(ground, server, node)?;
    check(&server.address, mib)?;
    let found = counts(ground, node)?;
    println!("node {}: {} damaged places found, {} healed", node + 1, found.rot, found.healed);
    Ok(())
}

/// Starts a node on what is in its folder. If it refuses, it says why, and a blank one takes its place.
fn again(ground: &mut Ground, server: &Server, node: usize) -> Outcome {
    if let Err(refusal) = ground.fleet.start_node(node) {
        println!("node {}: refused: {refusal}; a blank one takes its place", node + 1);
        ground.fleet.wipe(node)?;
        ground.fleet.start_node(node)?;
    }
    let took = caught_up(server)?;
    println!("node {}: has everything after {} ms", node + 1, took.as_millis());
    Ok(())
}

/// The sabotage: a letter of one row is changed under a right checksum, in every full copy.
fn unseen(ground: &mut Ground, full: &[usize], mib: u64) -> Outcome {
    (0..6).try_for_each(|node| ground.fleet.terminate(node))?;
    let row = payload(77);
    let mut changed = row.clone().into_bytes();
    changed[500] ^= 1;
    for node in full {
        let mut patched = 0;
        for path in page_files(&ground.fleet.folder(*node)) {
            let mut bytes = std::fs::read(&path).map_err(|e| e.to_string())?;
            for page in bytes.chunks_exact_mut(PAGE_BYTES) {
                let page: &mut [u8; PAGE_BYTES] = page.try_into().map_err(|_| "a page is a page")?;
                let found = page.windows(row.len()).position(|w| w == row.as_bytes());
                if let Some(at) = found {
                    page[at..at + changed.len()].copy_from_slice(&changed);
                    seal(page);
                    patched += 1;
                }
            }
            std::fs::write(&path, &bytes).map_err(|e| e.to_string())?;
        }
        println!("planted: row 77 is changed under right checksums in {patched} pages of node {}", node + 1);
    }
    (0..6).try_for_each(|node| ground.fleet.start_node(node))?;
    let server = ground.compute("compute").args(&["--innodb-buffer-pool-size", POOL]).start()?;
    check(&server.address, mib)
}
