//! Six storage daemons on loopback, killed and started again on the ports they had.
//!
//! Ports are drawn below the range the kernel gives to outgoing connections, so that nobody takes a dead daemon's port while it is down.
//! Further daemons, which a volume may be moved to, are added to the six by [`Fleet::add`].

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

/// A node: its place, and the daemon while one runs there.
#[derive(Debug)]
struct Node {
    az: usize,
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

/// Six daemons or more, some of them down.
#[derive(Debug)]
pub struct Fleet {
    binary: PathBuf,
    dir: PathBuf,
    nodes: Vec<Node>,
    args: Vec<String>,
    env: Vec<(String, String)>,
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
        Fleet::start_with(product(), dir, args)
    }

    /// The same with another executable than the one under test.
    ///
    /// # Errors
    /// What a daemon left on standard error.
    pub fn start_with(binary: PathBuf, dir: &Path, args: &[&str]) -> Result<Fleet, String> {
        let args = args.iter().map(|a| (*a).to_string()).collect();
        let mut fleet = Fleet { binary, dir: dir.to_path_buf(), nodes: Vec::new(), args, env: Vec::new() };
        for node in 0..NODES {
            fleet.add(node / 2 + 1, &format!("n{}", node % 2 + 1))?;
        }
        Ok(fleet)
    }

    /// Starts one more daemon over `dir/azN/NAME`; its number.
    ///
    /// # Errors
    /// What it left on standard error.
    pub fn add(&mut self, az: usize, name: &str) -> Result<usize, String> {
        let folder = self.dir.join(format!("az{az}")).join(name);
        self.nodes.push(Node { az, folder, port: free_port()?, daemon: None });
        self.start_node(self.nodes.len() - 1)?;
        Ok(self.nodes.len() - 1)
    }

    /// The folder of a node.
    #[must_use]
    pub fn folder(&self, node: usize) -> PathBuf {
        self.nodes[node].folder.clone()
    }

    /// Where a node listens.
    #[must_use]
    pub fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[node].port)
    }

    /// Where a running node tells its health.
    #[must_use]
    pub fn metrics(&self, node: usize) -> Option<&str> {
        self.nodes[node].daemon.as_ref().map(|d| d.metrics.as_str())
    }

    /// The process of a running node.
    #[must_use]
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.nodes[node].daemon.as_ref().map(|d| d.pid)
    }

    /// What nodes started from now on find in their environment besides.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_string(), value.to_string()));
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
        let mut command = child::command(&self.binary);
        command
            .arg("storage")
            .arg("--data")
            .arg(&folder)
            .args(["--az", &self.nodes[node].az.to_string(), "--listen", &self.address(node)])
            .args(["--metrics", "127.0.0.1:0", "--announce"])
            .args(&self.args)
            .envs(self.env.iter().cloned())
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
        self.nodes[node].daemon = Some(Daemon { child, pid, metrics });
        Ok(())
    }

    /// kill -9; returns when it is gone.
    pub fn kill9(&mut self, node: usize) {
        self.nodes[node].daemon = None;
    }

    /// SIGTERM; returns when it has ended.
    ///
    /// # Errors
    /// When it does not end within 20 seconds, or not with success.
    pub fn terminate(&mut self, node: usize) -> Result<(), String> {
        let Some(mut daemon) = self.nodes[node].daemon.take() else { return Ok(()) };
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
        let daemon = self.nodes[node].daemon.as_ref().ok_or("the node is down")?;
        child::signal(daemon.pid, name)
    }

    /// Deletes a node's folder, which must be down.
    ///
    /// # Errors
    /// Those of deleting.
    pub fn wipe(&mut self, node: usize) -> Result<(), String> {
        assert!(self.nodes[node].daemon.is_none(), "a running node's folder is not wiped");
        std::fs::remove_dir_all(self.folder(node)).map_err(|e| e.to_string())
    }

    /// `--storage az1=... --storage az2=... --storage az3=...` of the first six nodes.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        self.flags_of(&(0..NODES).collect::<Vec<_>>())
    }

    /// The same of others.
    #[must_use]
    pub fn flags_of(&self, nodes: &[usize]) -> Vec<String> {
        let zone = |az: usize| {
            let here = nodes.iter().filter(|n| self.nodes[**n].az == az);
            let list: Vec<String> = here.map(|n| self.address(*n)).collect();
            ["--storage".to_string(), format!("az{az}={}", list.join(","))]
        };
        (1..=3).flat_map(zone).collect()
    }

    /// Runs `sextant volume WORDS --storage ...`; success, standard output and standard error.
    ///
    /// # Errors
    /// When it does not start.
    pub fn volume(&self, words: &[&str]) -> Result<(bool, String, String), String> {
        let output = Command::new(&self.binary).arg("volume").args(words).args(self.flags()).output();
        let output = output.map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// How a compute node on these daemons is started.
    #[must_use]
    pub fn compute(&self, data: &Path) -> Launch {
        self.compute_of(&(0..NODES).collect::<Vec<_>>(), data)
    }

    /// The same on other nodes.
    #[must_use]
    pub fn compute_of(&self, nodes: &[usize], data: &Path) -> Launch {
        let flags = self.flags_of(nodes);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Launch::new(&self.binary, data).args(&flags).args(&["--sextant-metrics-address", ""])
    }
}
