//! Durable commits of small mini-transactions through the whole embedded volume, without SQL: latency, rate, CPU.
//!
//! `cargo run --release -p volume --example commits -- FOLDER [SECONDS] [ring|threads]`. Figures, no verdict.

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_nvme::device::IoChoice;
use protocol::PageId;
use rig::{Model, durable};
use volume::{Config, Volume};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: commits FOLDER [SECONDS] [ring|threads]")?;
    let seconds: u64 = args.next().map_or(Ok(3), |n| n.parse())?;
    let io: IoChoice = args.next().map_or(Ok(IoChoice::Auto), |n| n.parse())?;
    let data = Path::new(&folder).join("commits-data");
    let start = Instant::now();
    let volume = Volume::open(&Config { io, ..Config::new(&data) }, rig::RealEnv::new())?;
    println!("{}: opened in {:.0} ms", volume.backend(), start.elapsed().as_secs_f64() * 1e3);
    for threads in [1, 8, 64] {
        run(&volume, threads, Duration::from_secs(seconds));
    }
    volume.close();
    drop(volume);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

fn run(volume: &Volume, threads: u64, time: Duration) {
    let (stop, commits) = (AtomicBool::new(false), AtomicU64::new(0));
    let writes = || volume.segments().iter().map(|f| f.log_writes).sum::<u64>();
    let (cpu, before, start) = (cpu_us(), writes(), Instant::now());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, commits) = (&stop, &commits);
            scope.spawn(move || {
                let mut model = Model::default();
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    let lsn = model.write(volume, PageId(thread * 16 + n % 16), n as u8);
                    durable(volume, lsn);
                    n += 1;
                    commits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    let (elapsed, commits) = (start.elapsed().as_secs_f64(), commits.load(Ordering::Relaxed) as f64);
    println!(
        "{threads:3} writers: {:8.0} commits/s, {:6.0} us each, {:5.1} us CPU, {:5.2} commits per log write",
        commits / elapsed,
        elapsed * 1e6 * threads as f64 / commits,
        (cpu_us() - cpu) as f64 / commits,
        commits * 6.0 / (writes() - before) as f64,
    );
}

/// CPU time of this process, user and system, from /proc (10 ms ticks).
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok());
    ticks.sum::<u64>() * 10_000
}
