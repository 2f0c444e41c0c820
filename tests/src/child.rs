//! Child processes that do not outlive us, however we end.
//!
//! A test that panics drops what it started; a test process that is killed drops nothing. So every child is started through `setpriv
//! --pdeathsig KILL` where Debian's util-linux is there: the kernel then kills it with its parent. The signal follows the *thread* that
//! made the child, so one thread, which lives as long as the process, makes them all.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

type Order = (Command, Sender<io::Result<Child>>);

/// Words to put before a program so that it dies with whoever starts it; none where the system has no `setpriv`.
#[must_use]
pub fn leash() -> &'static [&'static str] {
    static WORDS: OnceLock<&'static [&'static str]> = OnceLock::new();
    WORDS.get_or_init(|| {
        let words: &[&str] = &["setpriv", "--pdeathsig", "KILL"];
        let tried = Command::new(words[0]).args(&words[1..]).arg("true").status();
        if tried.is_ok_and(|status| status.success()) { words } else { &[] }
    })
}

/// A command on the leash.
#[must_use]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    match leash() {
        [] => Command::new(program),
        words => {
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).arg(program);
            command
        }
    }
}

/// Starts a command from the thread that lives as long as we do.
///
/// # Errors
/// Those of starting a process.
pub fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<std::sync::Mutex<Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (send, receive): (Sender<Order>, Receiver<Order>) = channel();
        std::thread::spawn(move || {
            for (mut command, answer) in receive {
                // Whoever asked has waited for the answer, or is gone and needs none.
                let _ = answer.send(command.spawn());
            }
        });
        std::sync::Mutex::new(send)
    });
    let (answer, child) = channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    let orders = orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    orders.send((command, answer)).map_err(|_| gone())?;
    drop(orders);
    child.recv().map_err(|_| gone())?
}

/// Sends a signal by name with the system's `kill`.
///
/// # Errors
/// When it cannot be sent.
pub fn signal(pid: u32, name: &str) -> Result<(), String> {
    let output = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("kill -{name} {pid}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("kill: {error}")),
    }
}

/// Suspends a process, and returns once every thread of it sleeps: `kill` comes back before the last one does.
///
/// # Errors
/// `kill` failed, the process is gone, or it does not stop within ten seconds.
pub fn suspend(pid: u32) -> Result<(), String> {
    signal(pid, "STOP")?;
    let start = std::time::Instant::now();
    loop {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| format!("{pid}: {e}"))?;
        let stopped =
            |stat: &str| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'));
        // A thread that ended meanwhile has no file and answers nobody.
        let mut stats = tasks.flatten().filter_map(|t| std::fs::read_to_string(t.path().join("stat")).ok());
        if stats.all(|stat| stopped(&stat)) {
            return Ok(());
        }
        if start.elapsed() > std::time::Duration::from_secs(10) {
            return Err(format!("process {pid} does not stop"));
        }
        std::thread::yield_now();
    }
}

/// True while the process runs (a zombie does not).
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = text.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// A helper process, killed with -9 when dropped.
#[derive(Debug)]
pub struct Helper(Option<Child>);

impl Helper {
    /// Starts it.
    ///
    /// # Errors
    /// The text of why not.
    pub fn start(command: Command) -> Result<Helper, String> {
        let name = format!("{:?}", command.get_program());
        spawn(command).map(|child| Helper(Some(child))).map_err(|e| format!("{name}: {e}"))
    }

    /// Waits for its end and takes what it wrote to its pipes.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn output(mut self) -> Result<(ExitStatus, String, String), String> {
        let child = self.0.take().ok_or("the helper has been waited for")?;
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((output.status, text(output.stdout), text(output.stderr)))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // Both only fail when the process is gone already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    /// A shell that stands for a test process: it is killed with -9, and what it started on the leash must go with it.
    #[test]
    fn a_leashed_process_dies_with_its_parent() {
        if leash().is_empty() {
            eprintln!("skipped: no setpriv (Debian package util-linux)");
            return;
        }
        let mut parent = Command::new("sh");
        let script = format!("{} sh -c 'echo $$; exec sleep 600' & wait", leash().join(" "));
        parent.args(["-c", &script]).stdout(Stdio::piped());
        let mut parent = spawn(parent).expect("a shell starts");
        let mut line = String::new();
        BufReader::new(parent.stdout.take().expect("piped")).read_line(&mut line).expect("it prints");
        let child: u32 = line.trim().parse().expect("a process id");
        assert!(is_alive(child));
        parent.kill().expect("killed");
        parent.wait().expect("gone");
        let deadline = Instant::now() + Duration::from_secs(60);
        while is_alive(child) {
            assert!(Instant::now() < deadline, "process {child} outlived its parent");
            std::thread::yield_now();
        }
    }
}
