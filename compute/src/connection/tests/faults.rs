//! Panics, KILL, idleness, broken packets, shutdown: one connection's trouble is its own.

use super::Running;
use super::client::{Client, Login, ROOT, code, packet};
use mysql_wire::Capabilities;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(super) fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(120), "did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_ends_its_session_only() {
    let server = Running::start(&[]);
    let (mut unlucky, mut other) = (Client::root(server.address), Client::root(server.address));
    assert_eq!(code(&unlucky.query("panic")[0]), 1105);
    assert!(unlucky.is_closed());
    assert_eq!(other.value("echo alive"), "alive");
    assert_eq!(server.status("Sextant_panics"), 1);
    wait_until(|| server.shared.backend.closed.load(Ordering::Relaxed) == 1);
}

#[test]
fn broken_packets_end_the_connection_with_their_error() {
    let server = Running::start(&[("max_allowed_packet", "1024")]);
    for (bytes, number) in [(packet(3, b"\x0e"), 1156), (packet(0, &[0x0e; 1025]), 1153)] {
        let mut client = Client::root(server.address);
        client.raw(&bytes);
        assert_eq!(code(&client.read().unwrap()), number);
        assert!(client.is_closed());
    }
    wait_until(|| server.status("Aborted_clients") == 2);
    let mut client = Client::root(server.address);
    assert_eq!(client.command(&packet_of(1024))[0], 0);
}

fn packet_of(n: usize) -> Vec<u8> {
    [&[3, 0, 1][..], &vec![b'-'; n - 3]].concat()
}

#[test]
fn kill_query_and_kill() {
    let server = Running::start(&[]);
    let mut client = Client::root(server.address);
    let registry = &server.shared.registry;
    let id = registry.processes()[0].id;
    assert!(!registry.kill(id + 1, false));
    client.send_query("wait");
    wait_until(|| registry.processes()[0].info.as_deref() == Some("wait"));
    assert!(registry.kill(id, true));
    assert_eq!(code(&client.read().unwrap()), 1317);
    assert_eq!(client.value("echo after"), "after");
    wait_until(|| registry.processes()[0].command == "Sleep");
    assert!(registry.kill(id, false));
    assert_eq!(code(&client.read().unwrap()), 3169);
    assert!(client.is_closed());
    wait_until(|| registry.counts().0 == 0);
}

#[test]
fn idle_clients_are_told_and_let_go() {
    let server = Running::start(&[]);
    let login = Login { extra: Capabilities::INTERACTIVE, ..ROOT };
    let (mut client, _) = Client::login(server.address, &login);
    assert_eq!(code(&client.read().unwrap()), 4031);
    assert!(client.is_closed());
}

#[test]
fn a_stopping_server_says_so_and_rolls_back() {
    let mut server = Running::start(&[]);
    let (mut idle, mut busy) = (Client::root(server.address), Client::root(server.address));
    busy.send_query("wait");
    wait_until(|| server.status("Threads_running") == 1);
    server.stop();
    assert_eq!(code(&idle.read().unwrap()), 1053);
    assert_eq!(code(&busy.read().unwrap()), 1053);
    assert!(idle.is_closed() && busy.is_closed());
    assert_eq!(server.shared.backend.closed.load(Ordering::Relaxed), 2);
    assert!(std::net::TcpStream::connect(server.address).is_err());
}

#[test]
fn a_client_that_vanishes_is_rolled_back() {
    let server = Running::start(&[]);
    let client = Client::root(server.address);
    drop(client);
    wait_until(|| server.shared.backend.closed.load(Ordering::Relaxed) == 1);
    assert_eq!(server.shared.registry.counts().0, 0);
}
