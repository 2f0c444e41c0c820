//! `sextant dev --processes` under test, and waiting for what must happen.

use crate::child;
use crate::client::Client;
use crate::product::product;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `done` says so.
///
/// # Panics
/// When it never does; `what` is said then.
pub fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running `sextant dev --processes`; killed with -9 when dropped, and its children end with it.
#[derive(Debug)]
pub struct Dev {
    child: Child,
    pid: u32,
    /// Where it answers MySQL clients.
    pub address: String,
    /// Where its compute node's metrics are.
    pub metrics: String,
    /// The compute node's process.
    pub compute: u32,
    /// The storage daemons' processes, by node.
    pub storage: Vec<u32>,
    /// Their addresses.
    pub addresses: Vec<String>,
    stderr: PathBuf,
}

impl Dev {
    /// Starts it over `data`, on free ports; everything answers when this returns. `args` are added.
    ///
    /// # Errors
    /// What it left on standard error.
    pub fn start(data: &Path, args: &[&str]) -> Result<Dev, String> {
        let stderr = data.with_extension("stderr");
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(&stderr).map_err(|e| e.to_string())?;
        let mut command = child::command(product());
        command
            .args([
                "dev",
                "--processes",
                "--announce",
                "--listen",
                "127.0.0.1:0",
                "--sextant-pages-per-pg",
                "128",
            ])
            .arg("--data")
            .arg(data)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = child::spawn(command).map_err(|e| e.to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
        let Ok(said) = serde_json::from_str::<serde_json::Value>(&line) else {
            let status = child.wait().map_err(|e| e.to_string())?;
            return Err(format!("{status}: {}", std::fs::read_to_string(&stderr).unwrap_or_default().trim()));
        };
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0) as u32;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
        let nodes = said["storage"].as_array().cloned().unwrap_or_default();
        Ok(Dev {
            child,
            pid: number(&said["pid"]),
            address: text(&said["mysql"]),
            metrics: text(&said["metrics"]),
            compute: number(&said["compute_pid"]),
            storage: nodes.iter().map(|node| number(&node["pid"])).collect(),
            addresses: nodes.iter().map(|node| text(&node["address"])).collect(),
            stderr,
        })
    }

    /// The process that watches the others.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// `--storage az1=... --storage az2=... --storage az3=...`.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let zone = |(n, pair): (usize, &[String])| {
            ["--storage".to_string(), format!("az{}={}", n + 1, pair.join(","))]
        };
        self.addresses.chunks(2).enumerate().flat_map(zone).collect()
    }

    /// A new connection as root.
    ///
    /// # Errors
    /// Those of [`Client::connect`].
    pub fn connect(&self) -> crate::client::Result<Client> {
        Client::connect(&self.address)
    }

    /// Everything it said on standard error.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Every process of it that runs.
    #[must_use]
    pub fn alive(&self) -> Vec<u32> {
        let mut all = self.storage.clone();
        all.extend([self.compute, self.pid]);
        all.retain(|pid| child::is_alive(*pid));
        all
    }

    /// Sends a signal by name and waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop_with(&mut self, name: &str) -> ExitStatus {
        child::signal(self.pid, name).expect("it runs");
        let mut status = None;
        wait("it ends", || {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
