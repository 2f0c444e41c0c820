//! fleet-3: a gray node. One of six is stopped with SIGSTOP, or its disk takes a hundred times as long: commits are as quick as with six healthy
//! ones. Rounds are interleaved (healthy, stopped, slow), so that a machine's moods reach all three; the median of the rounds' ratios of
//! 99th percentiles is at most 1.5.
//!
//! The disk is slowed from outside, with the product as it is: `strace` holds back every read, write and sync of that daemon (which runs
//! with `--io threads`, as all six do) by ninety-nine times what a durable write of 4 KiB takes in this folder, measured first.
//!
//! The sabotage slows three nodes: then four of six cannot do without a slow one, and the ratio must show it.

use super::load::Probe;
use super::{Ground, LARGE, Wanted, caught_up};
use crate::{Order, Outcome};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tests::child;
use tests::server::Server;

const CLIENTS: u32 = 2;
const LIMIT: f64 = 1.5;
const TIMES: u32 = 100;
const CALLS: &str = "pread64,preadv,preadv2,pwrite64,pwritev,pwritev2,fdatasync,fsync";

pub(crate) fn show(order: &Order) -> Outcome {
    let ground = Ground::new(&Wanted {
        name: "fleet-3",
        mutants: false,
        pages_per_pg: LARGE,
        daemon: &["--io", "threads"],
    })?;
    let usual = durable_write(ground.scratch.path())?;
    let delay = usual * (TIMES - 1);
    println!(
        "a durable write of 4 KiB takes {:.2} ms here; the slow disk's calls {:.0} ms more",
        usual.as_secs_f64() * 1e3,
        delay.as_secs_f64() * 1e3
    );
    let server = ground.compute("compute").start()?;
    let probe = Probe::start(&server.address, CLIENTS)?;
    std::thread::sleep(order.part(5));
    let (mut stopped, mut slow) = (Vec::new(), Vec::new());
    for round in 0..order.rounds.unwrap_or(5) as usize {
        let node = round % 6;
        let measure = || {
            let from = Instant::now();
            std::thread::sleep(order.part(8));
            probe.since(from)
        };
        let healthy = measure();
        ground.fleet.signal(node, "STOP")?;
        let without = measure();
        ground.fleet.signal(node, "CONT")?;
        settle(&server)?;
        let nodes = if order.sabotage { vec![node, (node + 2) % 6, (node + 4) % 6] } else { vec![node] };
        let held: Vec<Slowed> =
            nodes.iter().map(|n| Slowed::new(&ground, *n, delay)).collect::<Result<_, _>>()?;
        let gray = measure();
        held.into_iter().try_for_each(Slowed::end)?;
        settle(&server)?;
        let ratio = |other: Duration| other.as_secs_f64() / healthy.p99.as_secs_f64().max(1e-6);
        println!("round {}: healthy {healthy}", round + 1);
        println!("  node {} stopped: {without}; ratio of p99 {:.2}", node + 1, ratio(without.p99));
        println!("  slow disk of {} node(s): {gray}; ratio of p99 {:.2}", nodes.len(), ratio(gray.p99));
        if gray.count < 20 || without.count < 20 {
            return Err(format!("too few commits: {} stopped, {} slow", without.count, gray.count));
        }
        stopped.push(ratio(without.p99));
        slow.push(ratio(gray.p99));
    }
    probe.end()?;
    server.terminate()?;
    // With three slow disks it is their ratio that must show.
    judge(if order.sabotage { "three slow disks" } else { "one slow disk" }, slow)?;
    judge("one node stopped", stopped)
}

fn judge(what: &str, mut ratios: Vec<f64>) -> Outcome {
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("{what}: median ratio of commit p99 {median:.2} (of {ratios:.2?})");
    if median <= LIMIT {
        Ok(())
    } else {
        Err(format!("{what}: commit p99 is {median:.2} times the healthy one"))
    }
}

fn settle(server: &Server) -> Outcome {
    caught_up(server).map(|_| ())
}

/// What a durable write of 4 KiB takes: the median of many.
fn durable_write(folder: &Path) -> Result<Duration, String> {
    let path = folder.join("durable");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .custom_flags(0o10000)
        .open(&path);
    let mut file = file.map_err(|e| format!("{}: {e}", path.display()))?;
    let mut all = Vec::new();
    for _ in 0..200 {
        let at = Instant::now();
        file.write_all(&[7; 4096]).map_err(|e| e.to_string())?;
        file.sync_data().map_err(|e| e.to_string())?;
        all.push(at.elapsed());
    }
    all.sort_unstable();
    Ok(all[all.len() / 2])
}

/// A daemon whose device calls are held back while this lives.
struct Slowed {
    strace: Child,
}

impl Slowed {
    fn new(ground: &Ground, node: usize, delay: Duration) -> Result<Slowed, String> {
        let pid = ground.fleet.pid(node).ok_or("the node is down")?;
        let log = ground.path(&format!("strace-{node}"));
        let mut command = child::command("strace");
        command
            .args(["-f", "-q", "-s", "0", "-e", &format!("trace={CALLS}")])
            .args(["-e", &format!("inject={CALLS}:delay_exit={}", delay.as_micros())])
            .arg("-o")
            .arg(&log)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let strace = child::spawn(command).map_err(|e| format!("strace (Debian package strace): {e}"))?;
        let mut slowed = Slowed { strace };
        super::wait("strace holds the daemon", || {
            if let Ok(Some(status)) = slowed.strace.try_wait() {
                return Err(format!("strace ended with {status}: may this process trace others?"));
            }
            Ok(traced(pid))
        })?;
        Ok(slowed)
    }

    /// Lets it go; what it was doing is finished without delay.
    fn end(mut self) -> Outcome {
        child::signal(self.strace.id(), "TERM")?;
        self.strace.wait().map_err(|e| e.to_string())?;
        Ok(())
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        // Both only fail when it is gone already.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// Every thread of the process has a tracer.
fn traced(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    let mut all = tasks.into_iter().flatten().flatten().map(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|l| l.starts_with("TracerPid:") && !l.ends_with("\t0"))
    });
    all.all(|has| has)
}
