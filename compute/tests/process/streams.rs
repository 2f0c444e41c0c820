//! A large result to a client that does not read: the server holds a few MB of it, not all.

use super::idle::resident_bytes;
use super::running::{Server, connect, query, read_packet, send};
use std::time::{Duration, Instant};

/// Rows of the result: 26 MB of them.
const ROWS: usize = 1 << 17;
/// What the server may hold of them: its output buffer, the pages it reads, the allocator's slack.
const HELD_BYTES: u64 = 6 << 20;

#[test]
fn rows_wait_in_the_table_and_not_in_memory() {
    let server = Server::start("streams", &[]);
    let pid = server.child.id();
    let mut root = connect(&server.address).unwrap();
    assert_eq!(query(&mut root, "CREATE DATABASE d")[0][0], 0);
    assert_eq!(query(&mut root, "CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(200))")[0][0], 0);
    assert_eq!(query(&mut root, "INSERT INTO d.t VALUES (0, REPEAT('x', 190))")[0][0], 0);
    for i in 0..17 {
        let double = format!("INSERT INTO d.t SELECT id + {}, v FROM d.t", 1 << i);
        assert_eq!(query(&mut root, &double)[0][0], 0, "{double}");
    }
    // Once read as a whole, so that everything that stays in memory is there.
    assert_eq!(query(&mut root, "SELECT * FROM d.t").len(), ROWS + 4);
    let before = resident_bytes(pid);

    let mut slow = connect(&server.address).unwrap();
    send(&mut slow, 0, b"\x03SELECT * FROM d.t").unwrap();
    assert_eq!(read_packet(&mut slow).unwrap(), [2], "two columns");
    // The server writes until nobody takes more; then its figures stand still.
    let (mut last, mut still, started) = (0, 0, Instant::now());
    while still < 20 {
        assert!(started.elapsed() < Duration::from_secs(120), "the server does not come to rest");
        std::thread::sleep(Duration::from_millis(10));
        let now = resident_bytes(pid);
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    let held = last.saturating_sub(before);
    println!("{} KiB held for a result of {} rows that nobody reads", held >> 10, ROWS);
    assert!(held <= HELD_BYTES, "{held} bytes");
    let mut rows = 0;
    loop {
        match read_packet(&mut slow).unwrap() {
            packet if packet[0] == 0xfe && packet.len() < 9 => break,
            packet if packet.starts_with(b"\x03def") => {}
            _ => rows += 1,
        }
    }
    assert_eq!(rows, ROWS);
}
