//! Cold page reads through the whole embedded volume, without buffer pool and SQL: latency, rate, CPU.
//!
//! `cargo run --release -p volume --example reads -- FOLDER [PAGES]`. Figures, no verdict.

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use protocol::PageId;
use rig::{LIMIT, Model, block_on, durable};
use volume::{Config, Volume};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: reads FOLDER [PAGES]")?;
    let pages: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let data = Path::new(&folder).join("reads-data");
    let volume = Volume::open(&Config::new(&data), rig::RealEnv::make())?;
    let mut model = Model::default();
    let mut last = volume.log().vdl();
    for page in 0..pages {
        last = model.write(&volume, PageId(page), page as u8);
    }
    durable(&volume, last);
    volume.log().release_below(last);
    run(&volume, pages, 1, "not yet coalesced");
    let waiting =
        || volume.counters().iter().find(|(name, _)| *name == "storage_uncoalesced_bytes").map_or(0, |c| c.1);
    let start = Instant::now();
    while waiting() > 0 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!(
        "{pages} pages; {} bytes wait to be coalesced after {:.1} s",
        waiting(),
        start.elapsed().as_secs_f64()
    );
    for facts in volume.segments().iter().filter(|f| f.role == protocol::SegmentRole::Full) {
        println!(
            "  segment {}: scl {}, pages through {}, VDL {}",
            facts.id, facts.scl, facts.page_point, facts.vdl
        );
    }
    for threads in [1, 4, 32] {
        run(&volume, pages, threads, "from the page store");
    }
    volume.close();
    drop(volume);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

fn run(volume: &Volume, pages: u64, threads: u64, what: &str) {
    let reads = AtomicU64::new(0);
    let (cpu, start) = (cpu_us(), Instant::now());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let reads = &reads;
            scope.spawn(move || {
                let mut x = thread + 1;
                while start.elapsed() < Duration::from_secs(3) {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let page = PageId((x >> 33) % pages);
                    let at = volume.log().vdl();
                    let image = block_on(LIMIT, volume.reader().read(page, at)).expect("an image");
                    assert_eq!(image.bytes()[200], page.0 as u8);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let (elapsed, reads) = (start.elapsed().as_secs_f64(), reads.load(Ordering::Relaxed) as f64);
    println!(
        "{threads:3} readers, {what}: {:8.0} pages/s, {:6.0} us each, {:5.1} us CPU",
        reads / elapsed,
        elapsed * 1e6 * threads as f64 / reads,
        (cpu_us() - cpu) as f64 / reads,
    );
}

/// CPU time of this process, user and system, from /proc (10 ms ticks).
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok());
    ticks.sum::<u64>() * 10_000
}
