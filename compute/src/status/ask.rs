//! Asking a running compute node for its picture: `GET /status` on its metrics port.

use super::Picture;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A silent storage node costs the answer a second or two.
const LIMIT: Duration = Duration::from_secs(8);
/// More than the picture of the largest volume.
const LARGEST: u64 = 256 << 20;

/// The picture of the compute node whose metrics are at `address`.
///
/// # Errors
/// One line.
pub fn picture(address: &str) -> Result<Picture, String> {
    let body = get(address).map_err(|problem| format!("{address}: {problem}"))?;
    serde_json::from_str(&body).map_err(|problem| format!("{address}: not a status: {problem}"))
}

fn get(address: &str) -> Result<String, String> {
    let text = |problem: std::io::Error| match problem.kind() {
        std::io::ErrorKind::ConnectionRefused => "no compute node answers there".to_string(),
        std::io::ErrorKind::WouldBlock => "no answer in time".to_string(),
        _ => problem.to_string(),
    };
    let place = address.to_socket_addrs().ok().and_then(|mut all| all.next());
    let place = place.ok_or_else(|| "not HOST:PORT".to_string())?;
    let mut socket = TcpStream::connect_timeout(&place, LIMIT).map_err(text)?;
    socket.set_read_timeout(Some(LIMIT)).map_err(text)?;
    socket.write_all(b"GET /status HTTP/1.1\r\nHost: sextant\r\n\r\n").map_err(text)?;
    let mut answer = Vec::new();
    socket.take(LARGEST).read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not an HTTP answer")?;
    let first = head.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) == Some("200") {
        Ok(body.to_string())
    } else {
        Err(format!("it answers {first}"))
    }
}
