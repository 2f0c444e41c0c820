//! A real server process under test: started, announced, killed, stopped.
//!
//! The announcement (`--announce`, one JSON line on standard output) is the only way tests learn an address; nothing here sleeps for a
//! fixed time hoping that a server is up.

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
        }
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
        let mut words = self.wrapper.clone();
        words.push(self.binary.to_string_lossy().into_owned());
        let log_path = self.data.with_extension("stderr");
        let log =
            fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(|e| e.to_string())?;
        let before = log.metadata().map_or(0, |m| m.len());
        let started = Instant::now();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .arg("--data")
            .arg(&self.data)
            .args(["--listen", "127.0.0.1:0", "--announce"])
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("{}: {e}", words[0]))?;
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
            if let Some(address) = announced(&line) {
                let announced_after = started.elapsed();
                // The rest of the output must be read, or the server would block on a full pipe.
                std::thread::spawn(
                    move || while matches!(lines.read_line(&mut String::new()), Ok(n) if n > 0) {},
                );
                return Ok(Server { child, address, started, announced_after });
            }
        }
    }
}

/// The SQL address in an announcement line.
fn announced(line: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(line.trim()).ok()?;
    value.get("mysql")?.as_str().map(str::to_string)
}

/// A running server; killed with -9 when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it answers MySQL clients.
    pub address: String,
    /// When it was started.
    pub started: Instant,
    /// From start to announcement.
    pub announced_after: Duration,
}

impl Server {
    /// Process id; of the wrapper, if there is one.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
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
        // Both only fail when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it does not end within 20 seconds.
    pub fn terminate(mut self) -> Result<ExitStatus, String> {
        signal(self.pid(), "TERM")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| e.to_string())? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err("still running 20 s after SIGTERM".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with("VmRSS:"));
        line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name with the system's `kill`.
///
/// # Errors
/// When it cannot be sent.
pub fn signal(pid: u32, name: &str) -> Result<(), String> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("kill -{name} {pid}: {status}")),
        Err(error) => Err(format!("kill: {error}")),
    }
}

/// A scratch folder removed when dropped, unless a test panics or `TESTS_KEEP` is set: then its place is printed.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh folder under the system's temporary directory.
    ///
    /// # Errors
    /// Those of making a folder.
    pub fn new(name: &str) -> std::io::Result<Scratch> {
        let nanos =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let path = std::env::temp_dir().join(format!("sextant-{name}-{}-{nanos}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("TESTS_KEEP").is_some() {
            eprintln!("kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Builds a product binary with the cargo that runs us and returns its path: `release` with or without planted bugs.
///
/// # Errors
/// When the build fails.
pub fn build(package: &str, binary: &str, mutants: bool) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace folder")?;
    let target = if mutants { root.join("target/mutants") } else { root.join("target") };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        package,
        "--bin",
        binary,
    ]);
    command.arg("--target-dir").arg(&target);
    if mutants {
        command.args(["--features", "mutants"]);
    }
    let status = command.status().map_err(|e| format!("cargo: {e}"))?;
    if status.success() {
        Ok(target.join("release").join(binary))
    } else {
        Err(format!("building {binary}: {status}"))
    }
}

/// The product binary under test: the one `TESTS_PRODUCT` names, or one built once per process by the cargo that runs us.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn product() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            if let Some(path) = std::env::var_os("TESTS_PRODUCT") {
                return PathBuf::from(path);
            }
            let root =
                Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let args = ["build", "--locked", "--quiet", "-p", "sextant", "--bin", "sextant"];
            let status = Command::new(cargo).current_dir(root).args(args).status().expect("cargo runs");
            assert!(status.success(), "building the product: {status}");
            root.join("target/debug/sextant")
        })
        .clone()
}
