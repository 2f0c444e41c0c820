//! Six preallocated logs, one durable 4 KiB append to each per round: latency and CPU of both back-ends.
//!
//! `cargo run --release -p cache-nvme --example six_logs -- FOLDER [ROUNDS]`. Figures, no verdict.

use std::path::Path;
use std::time::{Duration, Instant};

use cache_nvme::aligned::{ALIGN, AlignedBuf};
use cache_nvme::device::{self, Durability, FileId, IoChoice, Op, Wait};
use cache_nvme::file::{OpenFile, OpenMode, preallocate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: six_logs FOLDER [ROUNDS]")?;
    let rounds: u64 = args.next().map_or(Ok(2000), |n| n.parse())?;
    for choice in [IoChoice::Ring, IoChoice::Threads, IoChoice::Ring, IoChoice::Threads] {
        run(Path::new(&folder), choice, rounds)?;
    }
    Ok(())
}

fn run(folder: &Path, choice: IoChoice, rounds: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut device = device::open(choice)?;
    let mut files: Vec<FileId> = Vec::new();
    for n in 0..6 {
        let file = OpenFile::open(&folder.join(format!("six_logs.{n}")), OpenMode::DIRECT)?;
        preallocate(&file, 16 << 20)?;
        files.push(device.attach(file));
    }
    let mut spare: Vec<AlignedBuf> = (0..6).map(|_| AlignedBuf::zeroed(ALIGN)).collect();
    let mut done = Vec::new();
    let calls = device.counters();
    let mut fourth = Duration::ZERO;
    let (start, cpu, before) =
        (Instant::now(), cpu_time(), calls.syscalls.load(std::sync::atomic::Ordering::Relaxed));
    for round in 0..rounds {
        let offset = round % 4096 * ALIGN as u64;
        let begun = Instant::now();
        for &file in &files {
            let buf = spare.pop().ok_or("a buffer per file")?;
            device.push(0, Op::Write { file, offset, buf, durability: Durability::Sync });
        }
        let mut quorum = None;
        while done.len() < 6 {
            device.poll(Wait::Forever, &mut done)?;
            if done.len() >= 4 {
                quorum.get_or_insert_with(|| begun.elapsed());
            }
        }
        fourth += quorum.unwrap_or_default();
        for completion in done.drain(..) {
            completion.result?;
            spare.extend(completion.buf);
        }
    }
    let per = |d: Duration| d.as_secs_f64() * 1e6 / rounds as f64;
    let entries = calls.syscalls.load(std::sync::atomic::Ordering::Relaxed) - before;
    println!(
        "{:8} {:7.0} us a round, {:7.0} us to the fourth, {:5.0} us CPU, {:.1} system calls",
        device.backend().name(),
        per(start.elapsed()),
        per(fourth),
        per(cpu_time() - cpu),
        entries as f64 / rounds as f64,
    );
    for n in 0..6 {
        std::fs::remove_file(folder.join(format!("six_logs.{n}")))?;
    }
    Ok(())
}

/// CPU time of this process, user and system, from /proc (10 ms ticks).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
