//! Six storage daemons on loopback, killed and started again on the ports they had.
//!
//! Ports are drawn below the range the kernel gives to outgoing connections, so that nobody takes a dead daemon's port while it is down.

use crate::child;
use crate::product::product;
use crate::server::Launch;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nodes of a fleet.
pub const NODES: usize = 6;
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 22_000;

/// A running daemon; killed with -9 when dropped.
#[derive(Debug)]
struct Daemon {
    child: Child,
    pid: u32,
    metrics: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only when it is gone already. The leash execs, so the child is the daemon itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Six daemons, some of them down.
#[derive(Debug)]
pub struct Fleet {
    dir: PathBuf,
    ports: Vec<u16>,
    daemons: Vec<Option<Daemon>>,
    args: Vec<String>,
}

fn free_port() -> Result<u16, String> {
    for _ in 0..1000 {
        let random = RandomState::new().build_hasher().finish();
        let port = FIRST_PORT + (random % u64::from(PORTS)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".into())
}

impl Fleet {
    /// Starts six daemons over `dir/az1/n1` and so on: blank ones, or those of an embedded volume. `args` go to each.
    ///
    /// # Errors
    /// What a daemon left on standard error.
    pub fn start(dir: &Path, args: &[&str]) -> Result<Fleet, String> {
        let ports = (0..NODES).map(|_| free_port()).collect::<Result<_, _>>()?;
        let args = args.iter().map(|a| (*a).to_string()).collect();
        let daemons = (0..NODES).map(|_| None).collect();
        let mut fleet = Fleet { dir: dir.to_path_buf(), ports, daemons, args };
        for node in 0..NODES {
            fleet.start_node(node)?;
        }
        Ok(fleet)
    }

    /// The folder of a node.
    #[must_use]
    pub fn folder(&self, node: usize) -> PathBuf {
        self.dir.join(format!("az{}", node / 2 + 1)).join(format!("n{}", node % 2 + 1))
    }

    /// Where a node listens.
    #[must_use]
    pub fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.ports[node])
    }

    /// Where a running node tells its health.
    #[must_use]
    pub fn metrics(&self, node: usize) -> Option<&str> {
        self.daemons[node].as_ref().map(|d| d.metrics.as_str())
    }

    /// Starts one node; it answers when this returns.
    ///
    /// # Errors
    /// What it left on standard error.
    pub fn start_node(&mut self, node: usize) -> Result<(), String> {
        let folder = self.folder(node);
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        let log_path = self.dir.join(format!("node-{node}.stderr"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path);
        let mut command = child::command(product());
        command
            .arg("storage")
            .arg("--data")
            .arg(&folder)
            .args(["--az", &(node / 2 + 1).to_string(), "--listen", &self.address(node)])
            .args(["--metrics", "127.0.0.1:0", "--announce"])
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.map_err(|e| e.to_string())?);
        let mut child = child::spawn(command).map_err(|e| e.to_string())?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        lines.read_line(&mut line).map_err(|e| e.to_string())?;
        let said: Option<serde_json::Value> = serde_json::from_str(line.trim()).ok();
        let Some(said) = said else {
            let status = child.wait().map_err(|e| e.to_string())?;
            let text = std::fs::read_to_string(&log_path).unwrap_or_default();
            return Err(format!("node {node}: {status}: {}", text.lines().last().unwrap_or("")));
        };
        std::thread::spawn(move || while matches!(lines.read_line(&mut String::new()), Ok(n) if n > 0) {});
        let pid = said["pid"].as_u64().unwrap_or(0) as u32;
        let metrics = said["metrics"].as_str().unwrap_or_default().to_string();
        self.daemons[node] = Some(Daemon { child, pid, metrics });
        Ok(())
    }

    /// kill -9; returns when it is gone.
    pub fn kill9(&mut self, node: usize) {
        self.daemons[node] = None;
    }

    /// SIGTERM; returns when it has ended.
    ///
    /// # Errors
    /// When it does not end within 20 seconds, or not with success.
    pub fn terminate(&mut self, node: usize) -> Result<(), String> {
        let Some(mut daemon) = self.daemons[node].take() else { return Ok(()) };
        child::signal(daemon.pid, "TERM")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match daemon.child.try_wait().map_err(|e| e.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("node {node} ended with {status}")),
                None if Instant::now() > deadline => return Err(format!("node {node} is still running")),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Sends a signal by name.
    ///
    /// # Errors
    /// When it is down.
    pub fn signal(&self, node: usize, name: &str) -> Result<(), String> {
        let daemon = self.daemons[node].as_ref().ok_or("the node is down")?;
        child::signal(daemon.pid, name)
    }

    /// Deletes a node's folder, which must be down.
    ///
    /// # Errors
    /// Those of deleting.
    pub fn wipe(&mut self, node: usize) -> Result<(), String> {
        assert!(self.daemons[node].is_none(), "a running node's folder is not wiped");
        std::fs::remove_dir_all(self.folder(node)).map_err(|e| e.to_string())
    }

    /// `--storage az1=... --storage az2=... --storage az3=...`.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let zone = |az: usize| {
            let (a, b) = (self.address(2 * az), self.address(2 * az + 1));
            ["--storage".to_string(), format!("az{}={a},{b}", az + 1)]
        };
        (0..3).flat_map(zone).collect()
    }

    /// Runs `sextant volume WORDS --storage ...`; success, standard output and standard error.
    ///
    /// # Errors
    /// When it does not start.
    pub fn volume(&self, words: &[&str]) -> Result<(bool, String, String), String> {
        let output = Command::new(product()).arg("volume").args(words).args(self.flags()).output();
        let output = output.map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// How a compute node on these daemons is started.
    #[must_use]
    pub fn compute(&self, data: &Path) -> Launch {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Launch::new(&product(), data).args(&flags).args(&["--sextant-metrics-address", ""])
    }
}
