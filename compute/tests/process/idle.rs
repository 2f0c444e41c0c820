//! What a waiting connection costs, measured on the running binary with real sockets: the bound is 32 KiB each for 10,000 of them.
//!
//! Where the machine allows fewer open files than that, fewer are opened and the number is printed.

use super::running::{Server, connect, read_packet, send};
use std::net::TcpStream;
use std::time::Instant;

const WANTED: usize = 10_000;
const LIMIT_BYTES: u64 = 32 << 10;

pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn open_files_allowed() -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().nth(3).unwrap().parse().unwrap_or(usize::MAX)
}

#[test]
fn ten_thousand_idle_connections() {
    let count = WANTED.min(open_files_allowed().saturating_sub(300));
    if count < WANTED {
        println!("open files are limited: {count} connections instead of {WANTED}");
    }
    let server = Server::start("idle", &["--max-connections", "20000"]);
    // The first ones bring in what every later one shares.
    let mut held: Vec<TcpStream> = (0..100).map(|_| connect(&server.address).unwrap()).collect();
    let before = resident_bytes(server.child.id());
    let started = Instant::now();
    held.extend((held.len()..count).map(|_| connect(&server.address).unwrap()));
    let grown = resident_bytes(server.child.id()).saturating_sub(before);
    let each = grown / (count as u64 - 100);
    println!("{count} connections in {:?}: {each} bytes each", started.elapsed());
    assert!(each <= LIMIT_BYTES, "{each} bytes for each of {count} idle connections");
    // They are alive: the first and the last answer.
    for at in [0, count - 1] {
        send(&mut held[at], 0, b"\x0e").unwrap();
        assert_eq!(read_packet(&mut held[at]).unwrap()[0], 0);
    }
}
