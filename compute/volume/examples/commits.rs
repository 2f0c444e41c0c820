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
    let volume = Volume::open(&Config { io, ..Config::new(&data) }, rig::RealEnv::make())?;
    println!("{}: opened in {:.0} ms", volume.backend(), start.elapsed().as_secs_f64() * 1e3);
    for threads in [1, 8, 64, 64, 64] {
        run(&volume, threads, Duration::from_secs(seconds));
        println!(
            "     {}; {} MiB on disk, {} MiB resident",
            held(&volume),
            disk_bytes(&data)? >> 20,
            resident_kib() >> 10
        );
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
        while start.elapsed() < time {
            std::thread::sleep(Duration::from_millis(100));
            // Nobody reads old versions.
            volume.log().release_below(volume.log().vdl());
        }
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

fn held(volume: &Volume) -> String {
    let wanted = [
        "storage_log_held_bytes",
        "storage_record_held_bytes",
        "storage_uncoalesced_bytes",
        "storage_page_slots",
    ];
    let list = volume.counters();
    let found = list.iter().filter(|(name, _)| wanted.contains(name));
    found.map(|(name, value)| format!("{} {value}", &name[8..])).collect::<Vec<_>>().join(", ")
}

fn disk_bytes(folder: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Files come and go meanwhile.
        let Ok(meta) = entry.metadata() else { continue };
        bytes += if meta.is_dir() { disk_bytes(&entry.path())? } else { meta.blocks() * 512 };
    }
    Ok(bytes)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// CPU time of this process, user and system, from /proc (10 ms ticks).
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok());
    ticks.sum::<u64>() * 10_000
}
