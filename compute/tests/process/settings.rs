//! Settings that can be changed while the server runs take effect, and what it shows of itself is true.

use super::running::{Server, connect, log_in, query};
use std::time::{Duration, Instant};

fn code(packet: &[u8]) -> u16 {
    assert_eq!(packet[0], 0xff, "{}", String::from_utf8_lossy(packet));
    u16::from_le_bytes([packet[1], packet[2]])
}

#[test]
fn max_connections_can_be_changed() {
    let server = Server::start("settings", &[]);
    let mut root = connect(&server.address).unwrap();
    assert_eq!(query(&mut root, "CREATE USER ann")[0][0], 0);
    let (ann, verdict) = log_in(&server.address, "ann").unwrap();
    assert_eq!(verdict[0], 0);
    assert_eq!(query(&mut root, "SET GLOBAL max_connections = 2")[0][0], 0);
    // Both places are taken; one more is for administrators.
    assert_eq!(code(&log_in(&server.address, "ann").unwrap().1), 1040);
    // (Who was turned away takes that place until its connection is gone.)
    let started = Instant::now();
    while !log_in(&server.address, "root").is_ok_and(|(_, verdict)| verdict[0] == 0) {
        assert!(started.elapsed() < Duration::from_secs(60), "the reserved place stays taken");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(query(&mut root, "SET GLOBAL max_connections = 100")[0][0], 0);
    assert_eq!(log_in(&server.address, "ann").unwrap().1[0], 0);
    drop(ann);
}

#[test]
fn persisted_settings_outlive_the_server() {
    let mut server = Server::start("persisted", &[]);
    let mut root = connect(&server.address).unwrap();
    assert_eq!(query(&mut root, "SET PERSIST wait_timeout = 77")[0][0], 0);
    assert_eq!(query(&mut root, "SET PERSIST_ONLY innodb_buffer_pool_size = 67108864")[0][0], 0);
    assert_eq!(code(&query(&mut root, "SET PERSIST_ONLY innodb_buffer_pool_size = 1")[0]), 1231);
    assert_eq!(query(&mut root, "SET PERSIST sql_mode = 'ANSI_QUOTES'")[0][0], 0);
    server.restart(&["--wait-timeout", "99"]);
    let mut root = connect(&server.address).unwrap();
    let shown = "SELECT CONCAT_WS(' ', @@global.wait_timeout, @@innodb_buffer_pool_size, @@global.sql_mode)";
    let row = query(&mut root, shown)[2].clone();
    assert_eq!(String::from_utf8_lossy(&row[1..]), "77 67108864 ANSI_QUOTES");
    assert_eq!(query(&mut root, "RESET PERSIST")[0][0], 0);
    server.restart(&["--wait-timeout", "99"]);
    let mut root = connect(&server.address).unwrap();
    assert_eq!(query(&mut root, "SELECT CONCAT(@@global.wait_timeout)")[2][1..], *b"99");
}

#[test]
fn port_and_socket_are_shown_as_they_are() {
    let server = Server::start("shown", &[]);
    let mut root = connect(&server.address).unwrap();
    let row = query(&mut root, "SELECT CONCAT(@@port, ' ', @@socket)")[2].clone();
    let port = server.address.rsplit_once(':').unwrap().1;
    let expected = format!("{port} {}", server.data.join("mysql.sock").display());
    assert_eq!(String::from_utf8_lossy(&row[1..]), expected);
}

#[test]
fn the_bound_on_history_is_a_setting_and_a_metric() {
    let server = Server::start("history", &["--sextant-max-history-bytes", "64M"]);
    let mut root = connect(&server.address).unwrap();
    let value = |text: &str, root: &mut _| {
        let row = query(root, text)[2].clone();
        String::from_utf8_lossy(&row[1..]).into_owned()
    };
    assert_eq!(value("SELECT @@global.sextant_max_history_bytes", &mut root), "67108864");
    assert_eq!(query(&mut root, "SET GLOBAL sextant_max_history_bytes = 33554432")[0][0], 0);
    assert_eq!(value("SELECT @@global.sextant_max_history_bytes", &mut root), "33554432");
    assert!(query(&mut root, "SHOW STATUS LIKE 'Sextant_history_bytes'").len() > 4, "one row");
}
