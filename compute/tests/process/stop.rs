//! SIGTERM ends the process in time, also when storage is gone and statements wait for a quorum that will not come.

use super::running::{Server, connect, query, read_packet, send};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// The documented limit is 15 s (a watchdog ends the process then); the rest is for a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(60);

fn stop_and_wait(server: &mut Server) -> Duration {
    let started = Instant::now();
    assert!(Command::new("kill").arg("-TERM").arg(server.child.id().to_string()).status().unwrap().success());
    while server.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < LIMIT, "still running {LIMIT:?} after SIGTERM");
        std::thread::sleep(Duration::from_millis(10));
    }
    started.elapsed()
}

#[test]
fn it_stops_with_three_node_folders_gone() {
    let mut server = Server::start("stop", &["--sextant-io", "threads"]);
    let mut root = connect(&server.address).unwrap();
    assert_eq!(query(&mut root, "CREATE DATABASE d")[0][0], 0);
    assert_eq!(query(&mut root, "CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(200))")[0][0], 0);
    for node in ["az1/n1", "az2/n1", "az3/n1"] {
        std::fs::remove_dir_all(server.data.join(node)).unwrap();
    }
    // Writers run until one of them waits for a quorum that is gone.
    let stuck = (0..4).map(|i| {
        let address = server.address.clone();
        std::thread::spawn(move || {
            let mut socket = connect(&address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
            for n in 0u64.. {
                let row = format!("\x03INSERT INTO d.t VALUES ({}, REPEAT('x', 150))", n * 4 + i);
                if send(&mut socket, 0, row.as_bytes()).is_err() || read_packet(&mut socket).is_err() {
                    return socket;
                }
            }
            unreachable!("the counter does not end")
        })
    });
    let stuck: Vec<TcpStream> = stuck.collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect();
    let took = stop_and_wait(&mut server);
    println!("stopped after {took:?} with {} statements waiting", stuck.len());
}

#[test]
fn an_idle_server_stops_at_once_and_leaves_no_socket() {
    let mut server = Server::start("stop-idle", &[]);
    let _client = connect(&server.address).unwrap();
    let socket = server.data.join("mysql.sock");
    assert!(socket.exists());
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    stop_and_wait(&mut server);
    assert!(server.child.wait().unwrap().success());
    assert!(!socket.exists());
}
