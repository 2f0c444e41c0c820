//! One process of `sextant dev`: started on a leash, heard until it serves, ended in order.

use serde_json::Value;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use storage_daemon::leash;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a process may take to end in order; the compute node gives up by itself after 15 seconds.
const END_LIMIT: Duration = Duration::from_secs(20);

/// How a process is started.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// What it is called in messages.
    pub(super) name: String,
    /// The executable.
    pub(super) exe: PathBuf,
    /// Its command line, without what this module adds.
    pub(super) arguments: Vec<String>,
    /// Where its standard error goes, appended.
    pub(super) log: PathBuf,
}

/// A process that has announced itself. Killed when dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    leash: Option<ChildStdin>,
    announced: Value,
    pid: u32,
}

impl Spec {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// One line: why it did not start, in its own words if it left any.
    pub(super) async fn start(&self) -> Result<Running, String> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.map_err(|e| format!("{}: {e}", self.log.display()))?;
        let before = log.metadata().map_or(0, |data| data.len());
        let mut command = Command::new(&self.exe);
        command
            .args(&self.arguments)
            .args(["--announce", &format!("--{}", leash::FLAG)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| format!("{}: {}: {e}", self.name, self.exe.display()))?;
        let pid = child.id().unwrap_or(0);
        let leash = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| format!("{}: no standard output", self.name))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await.ok().flatten().unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(announced) => {
                tokio::spawn(ignore(lines));
                Ok(Running { child, leash, announced, pid })
            }
            Err(_) => {
                drop(leash);
                let status = child.wait().await.map_err(|e| format!("{}: {e}", self.name))?;
                let words = self.last_words(before);
                let words = if words.is_empty() { ended(status) } else { words };
                Err(format!("{} does not start: {words}", self.name))
            }
        }
    }

    /// The last line of its log beyond `from`, without the program's name.
    fn last_words(&self, from: u64) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(text.get(from as usize..).unwrap_or_default()).into_owned();
        let line = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let line = line.strip_prefix("sextant storage: ").or(line.strip_prefix("sextant: ")).unwrap_or(line);
        line.to_string()
    }
}

/// The rest of its output is read, or it would block on a full pipe.
async fn ignore(mut lines: Lines<BufReader<ChildStdout>>) {
    while matches!(lines.next_line().await, Ok(Some(_))) {}
}

impl Running {
    /// A text of its announcement; empty if it said none.
    pub(super) fn said(&self, name: &str) -> String {
        self.announced.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Completes when it has ended; how.
    pub(super) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => ended(status),
            Err(problem) => problem.to_string(),
        }
    }

    /// Lets go of the leash and waits; a process that does not end in time is killed, and that is said.
    pub(super) async fn end(mut self, spec: &Spec) {
        drop(self.leash.take());
        match tokio::time::timeout(END_LIMIT, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => super::say(&format!("{} (pid {}): {}", spec.name, self.pid, ended(status))),
            Ok(Err(problem)) => super::say(&format!("{}: {problem}", spec.name)),
            Err(_) => {
                let limit = END_LIMIT.as_secs();
                super::say(&format!("{} (pid {}) did not end in {limit} s: killed", spec.name, self.pid));
                // It fails only when it has ended by itself just now.
                let _ = self.child.kill().await;
            }
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "ended in order".to_string(),
        Some(code) => format!("ended with exit code {code}"),
        // "signal: 9 (SIGKILL)"
        None => format!("ended by {status}"),
    }
}
