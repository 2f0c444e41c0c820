//! The product's binary as a process, and the few packets a test sends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The server, killed at the end.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

impl Server {
    /// Starts it on a data folder of its own and waits for its announcement.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Server {
        let data = std::env::temp_dir().join(format!("sextant-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let (child, address) = Server::spawn(&data, arguments);
        Server { child, address, data }
    }

    /// Kills it and starts it again over the same folder.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        (self.child, self.address) = Server::spawn(&self.data, arguments);
    }

    fn spawn(data: &Path, arguments: &[&str]) -> (Child, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sextant"))
            .args(["--listen", "127.0.0.1:0", "--announce", "--config", "/dev/null"])
            .args(arguments)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let value = line.split("\"mysql\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let address = value.unwrap_or_else(|| panic!("not an announcement: {line:?}")).to_string();
        (child, address)
    }
}

pub(crate) fn read_packet(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut header = [0; 4];
    socket.read_exact(&mut header)?;
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    socket.read_exact(&mut payload)?;
    Ok(payload)
}

/// Logs in without a password; the packet is the server's verdict.
pub(crate) fn log_in(address: &str, user: &str) -> std::io::Result<(TcpStream, Vec<u8>)> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(120)))?;
    read_packet(&mut socket)?;
    let capabilities: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19 | 1 << 24;
    let mut login = capabilities.to_le_bytes().to_vec();
    login.extend_from_slice(&[0, 0, 0, 1, 255]);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(user.as_bytes());
    login.extend_from_slice(b"\0\0caching_sha2_password\0");
    send(&mut socket, 1, &login)?;
    let verdict = read_packet(&mut socket)?;
    Ok((socket, verdict))
}

/// Logs in as root, runs a statement as clients do, and leaves the connection idle.
pub(crate) fn connect(address: &str) -> std::io::Result<TcpStream> {
    let (mut socket, verdict) = log_in(address, "root")?;
    assert_eq!(verdict[0], 0, "{}", String::from_utf8_lossy(&verdict));
    assert_eq!(query(&mut socket, "SET NAMES utf8mb4")[0][0], 0);
    Ok(socket)
}

/// The packets of an answer: one OK or error, or all of a result set.
pub(crate) fn query(socket: &mut TcpStream, text: &str) -> Vec<Vec<u8>> {
    send(socket, 0, &[b"\x03", text.as_bytes()].concat()).unwrap();
    let mut packets = vec![read_packet(socket).unwrap()];
    while !matches!(packets.last().unwrap()[0], 0 | 0xfe | 0xff) {
        packets.push(read_packet(socket).unwrap());
    }
    packets
}

pub(crate) fn send(socket: &mut TcpStream, sequence: u8, payload: &[u8]) -> std::io::Result<()> {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(sequence);
    packet.extend_from_slice(payload);
    socket.write_all(&packet)
}
