//! A real server process under test: started, announced, killed, stopped.
//!
//! The announcement (`--announce`, one JSON line on standard output) is the only way tests learn an address and a process id; nothing here
//! sleeps for a fixed time hoping that a server is up. No server outlives its test: see [`crate::child`].

use crate::child;
use crate::client::Client;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The executable.
    pub binary: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// Further arguments.
    pub args: Vec<String>,
    /// Environment to add.
    pub env: Vec<(String, String)>,
    /// Put in front of the command (`strace -f ...`).
    pub wrapper: Vec<String>,
    /// The wrapper is the process the server runs in (valgrind), and not its parent: it has no child to keep on a leash.
    pub wrapper_is_server: bool,
    /// Where its standard error goes, appended; beside the data folder if `None`.
    pub log: Option<PathBuf>,
}

impl Launch {
    /// `binary --data data --listen 127.0.0.1:0 --announce`.
    #[must_use]
    pub fn new(binary: &Path, data: &Path) -> Launch {
        Launch {
            binary: binary.to_path_buf(),
            data: data.to_path_buf(),
            args: Vec::new(),
            env: Vec::new(),
            wrapper: Vec::new(),
            wrapper_is_server: false,
            log: None,
        }
    }

    /// Puts words in front of the command.
    #[must_use]
    pub fn wrapped(mut self, words: &[&str]) -> Launch {
        self.wrapper = words.iter().map(|w| (*w).to_string()).collect();
        self
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.log.clone().unwrap_or_else(|| self.data.with_extension("stderr"))
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: &[&str]) -> Launch {
        self.args.extend(args.iter().map(|a| (*a).to_string()));
        self
    }

    /// Starts it and waits for its announcement; `Err` is what it wrote to standard error when it ended instead.
    ///
    /// # Errors
    /// The text the process left behind, or what went wrong in starting it.
    pub fn start(&self) -> Result<Server, String> {
        // The wrapper dies with us and the server with its wrapper (strace, killed, would leave what it traces running).
        let leash = child::leash().iter().map(|w| (*w).to_string());
        let mut words: Vec<String> = leash.clone().collect();
        if !self.wrapper.is_empty() {
            words.extend(self.wrapper.iter().cloned());
            if !self.wrapper_is_server {
                words.extend(leash);
            }
        }
        words.push(self.binary.to_string_lossy().into_owned());
        let log_path = self.log_path();
        let log =
            fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(|e| e.to_string())?;
        let before = log.metadata().map_or(0, |m| m.len());
        let started = Instant::now();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", "127.0.0.1:0", "--announce"])
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = child::spawn(command).map_err(|e| format!("{}: {e}", words[0]))?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout);
        let mut line = String::new();
        loop {
            line.clear();
            let read = lines.read_line(&mut line).map_err(|e| e.to_string())?;
            if read == 0 {
                let status = child.wait().map_err(|e| e.to_string())?;
                let text = fs::read(&log_path).map_err(|e| e.to_string())?;
                let tail = String::from_utf8_lossy(&text[(before as usize).min(text.len())..]).into_owned();
                return Err(format!("{status}: {}", tail.trim()));
            }
            if let Some((address, metrics, pid)) = announced(&line) {
                let announced_after = started.elapsed();
                // The rest of the output must be read, or the server would block on a full pipe.
                std::thread::spawn(
                    move || while matches!(lines.read_line(&mut String::new()), Ok(n) if n > 0) {},
                );
                return Ok(Server { child, pid, address, metrics, started, announced_after });
            }
        }
    }
}

/// The SQL address, the one of the metrics (empty: none) and the process id in an announcement line.
fn announced(line: &str) -> Option<(String, String, u32)> {
    let value: serde_json::Value = serde_json::from_str(line.trim()).ok()?;
    let address = value.get("mysql")?.as_str()?.to_string();
    let metrics = value.get("metrics").and_then(serde_json::Value::as_str).unwrap_or_default().to_string();
    Some((address, metrics, u32::try_from(value.get("pid")?.as_u64()?).ok()?))
}

/// A running server; killed with -9 when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: u32,
    /// Where it answers MySQL clients.
    pub address: String,
    /// Where its metrics are; empty if it serves none.
    pub metrics: String,
    /// When it was started.
    pub started: Instant,
    /// From start to announcement.
    pub announced_after: Duration,
}

impl Server {
    /// Its process id, as announced: the server's own, not its wrapper's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A new connection as root.
    ///
    /// # Errors
    /// Those of [`Client::connect`].
    pub fn connect(&self) -> crate::client::Result<Client> {
        Client::connect(&self.address)
    }

    /// kill -9, and waits until it is gone.
    pub fn kill9(mut self) {
        self.end();
    }

    /// Sends a signal by name and waits for the end.
    ///
    /// # Errors
    /// When it does not end within 60 seconds.
    pub fn stop_with(mut self, name: &str) -> Result<ExitStatus, String> {
        child::signal(self.pid, name)?;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(format!("still running 60 s after SIG{name}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// Those of [`Server::stop_with`].
    pub fn terminate(self) -> Result<ExitStatus, String> {
        self.stop_with("TERM")
    }

    /// Resident memory in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most it ever had resident, in KiB.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, label: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with(label));
        line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    fn end(&mut self) {
        // The server first: its wrapper ends with it. All of this only fails when they are gone already, which is what is wanted; a child
        // that has been waited for has no process id that could be somebody else's by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = child::signal(self.pid, "KILL");
            if self.pid == self.child.id() {
                let _ = self.child.wait();
                return;
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
