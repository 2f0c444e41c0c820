//! Requests after login: each answered in order, one write for what arrived together.

use super::Running;
use super::client::{Client, code, packet, text};

#[test]
fn one_read_and_one_write_per_request() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let before = (server.status("Sextant_client_reads"), server.status("Sextant_client_writes"));
    for _ in 0..10 {
        assert_eq!(client.query("rows 100").len(), 103);
    }
    let after = (server.status("Sextant_client_reads"), server.status("Sextant_client_writes"));
    assert_eq!((after.0 - before.0, after.1 - before.1), (10, 10));
}

#[test]
fn pipelined_requests_share_a_write() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let writes = server.status("Sextant_client_writes");
    let requests: Vec<u8> = (0..20)
        .flat_map(|i| packet(0, format!("\x03\0\x01echo {i}").as_bytes()))
        .chain(packet(0, b"\x0e"))
        .collect();
    client.raw(&requests);
    for i in 0..20 {
        let packets = client.result();
        assert_eq!(text(&packets[2][1..]), i.to_string());
    }
    assert_eq!(client.read().unwrap(), b"\0\0\0\x02\0\0\0");
    assert!(server.status("Sextant_client_writes") - writes <= 3);
}

#[test]
fn requests_cut_at_every_byte() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    for byte in packet(0, b"\x03\0\x01echo slowly") {
        client.raw(&[byte]);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(text(&client.result()[2][1..]), "slowly");
}

#[test]
fn the_small_commands() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let ok = b"\0\0\0\x02\0\0\0";
    assert_eq!(client.command(b"\x0e"), ok);
    assert_eq!(client.command(b"\x1f"), ok);
    assert_eq!(client.command(b"\x02shop"), ok);
    assert_eq!(server.shared.registry.processes()[0].schema.as_deref(), Some("shop"));
    assert_eq!(client.command(b"\x1b\0\0"), b"\xfe\0\0\x02\0\0\0");
    assert!(text(&client.command(b"\x09")).starts_with("Uptime: "));
    assert_eq!(client.command(b"\x0a"), b"\xff\x17\x04#08S01Unknown command");
    assert_eq!(client.command(b"\x17\x01"), b"\xff+\x07#HY000Malformed communication packet.");
    assert_eq!(code(&client.command(b"\x1a\x01\0\0\0")), 1243);
    assert_eq!(code(&client.command(b"\x1c\x01\0\0\0\x01\0\0\0")), 1243);
    assert_eq!(client.value("echo fine"), "fine");
    client.write_quit();
    assert!(client.is_closed());
}

impl Client {
    fn write_quit(&mut self) {
        self.raw(&packet(0, b"\x01"));
    }
}

#[test]
fn a_large_answer_leaves_in_pieces_and_a_large_request_arrives() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let packets = client.query("rows 200000");
    assert_eq!(packets.len(), 200_003);
    let long = "x".repeat(17 << 20);
    // 17 MiB take two packets, both ways.
    let payload = [&b"\x03\0\x01echo "[..], long.as_bytes()].concat();
    let (first, rest) = payload.split_at(0xff_ffff);
    client.raw(&[packet(0, first), packet(1, rest)].concat());
    assert_eq!(client.read().unwrap(), [1]);
    client.read().unwrap();
    let row = [client.read().unwrap(), client.read().unwrap()].concat();
    assert_eq!(row.len(), 9 + (17 << 20));
    assert_eq!(client.read().unwrap()[0], 0xfe);
    assert_eq!(client.value("echo small again"), "small again");
}

#[test]
fn prepared_statements() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let prepared = client.command(b"\x16echo ?, ?");
    assert_eq!(prepared, b"\0\x01\0\0\0\x01\0\x02\0\0\0\0");
    for _ in 0..3 {
        client.read().unwrap();
    }
    // An integer, and a string that was sent ahead in two pieces.
    client.raw(&packet(0, b"\x18\x01\0\0\0\x01\0one "));
    client.raw(&packet(0, b"\x18\x01\0\0\0\x01\0two"));
    let execute = b"\x17\x01\0\0\0\0\x01\0\0\0\x02\0\x01\x08\0\0\xfd\0\0\x07\0\0\0\0\0\0\0";
    let shown = |client: &mut Client, execute: &[u8]| {
        client.raw(&packet(0, execute));
        let packets = client.result();
        if packets.len() == 1 { code(&packets[0]).to_string() } else { text(&packets[2][3..]) }
    };
    assert_eq!(shown(&mut client, execute), "Int(7),Text(\"one two\")");
    // Long data is used once; types are remembered.
    let again = b"\x17\x01\0\0\0\0\x01\0\0\0\x02\0\0\x07\0\0\0\0\0\0\0\x01s";
    assert_eq!(shown(&mut client, again), "Int(7),Text(\"s\")");
    assert_eq!(shown(&mut client, b"\x17\x01\0\0\0\0\x01\0\0\0\x02\0\0\x07"), "1210");
    assert_eq!(shown(&mut client, b"\x17\x09\0\0\0\0\x01\0\0\0"), "1243");
    client.raw(&packet(0, b"\x18\x01\0\0\0\x05\0beyond"));
    assert_eq!(shown(&mut client, again), "1210");
    assert_eq!(server.status("Prepared_stmt_count"), 1);
    client.raw(&packet(0, b"\x19\x01\0\0\0"));
    assert_eq!(shown(&mut client, again), "1243");
    assert_eq!(server.status("Prepared_stmt_count"), 0);
}

/// A waiting connection's task: engine.md allows 32 KiB for all of a parked session.
#[test]
fn a_waiting_task_is_small() {
    let server = Running::start(&[]);
    let socket = std::net::TcpStream::connect(server.address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let _context = server.runtime.enter();
    let socket = tokio::net::TcpStream::from_std(socket).unwrap();
    let entry = server.shared.registry.enter(crate::server::Peer::Tcp(server.address), 10).unwrap();
    let task = crate::connection::serve(
        server.shared.clone(),
        crate::connection::stream::Socket::Tcp(socket),
        entry.clone(),
    );
    let bytes = std::mem::size_of_val(&task);
    drop(task);
    server.shared.registry.leave(&entry);
    assert!(bytes <= 4096, "{bytes} bytes");
    println!("{bytes} bytes");
}
