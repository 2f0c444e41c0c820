//! Overwriting the same pages for long: disk use levels off, and so do what a restart reads and what it holds.

mod rig;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use cache_nvme::device::IoChoice;
use protocol::contract::MtrRecord;
use protocol::redo::{Op, OpsBuf};
use protocol::{Lsn, PageId, PageKind};
use rig::{LIMIT, RealEnv, Scratch, block_on, config, durable, until};
use volume::{Config, Volume};

const PAGES: u64 = 48;
/// Overwrites of one phase: about 12 MB of log a node, many times every bound below.
const PHASE: u64 = 6_000;

/// What six folders may take at rest, whatever was written before.
const DISK: u64 = 96 << 20;

/// Small bounds, so that a short test passes each of them many times.
fn small(data: &Path) -> Config {
    let mut config = config(data, IoChoice::Auto);
    config.log.lal_bytes = 1 << 20;
    config.node.log_block_bytes = 256 << 10;
    config.node.log_file_bytes = 512 << 10;
    config.node.coalesce_bytes = 512 << 10;
    config.node.coalesce_log_bytes = 1 << 20;
    config.node.uncoalesced_bytes = 4 << 20;
    config.node.log_memory_bytes = 8 << 20;
    config.node.spill_bytes = 256 << 10;
    config
}

fn open(data: &Path) -> Volume {
    Volume::open(&small(data), RealEnv::make()).expect("the volume opens")
}

/// Bytes a folder takes on its device.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        if path.is_dir() { used(&path) } else { std::fs::metadata(&path).map_or(0, |m| m.blocks() * 512) }
    };
    entries.map(of).sum()
}

fn counter(volume: &Volume, name: &str) -> u64 {
    volume.counters().iter().find(|(n, _)| *n == name).map(|(_, value)| *value).expect("a counter")
}

/// Writes two kilobytes into each page in turn, `count` times in all.
fn overwrite(volume: &Volume, at: &mut BTreeMap<PageId, Lsn>, count: u64) -> u64 {
    let (log, mut most) = (volume.log(), 0);
    for n in 0..count {
        let page = PageId(n * 7 % PAGES);
        let prev = at.get(&page).copied().unwrap_or(Lsn::ZERO);
        let mut ops = OpsBuf::new();
        if prev == Lsn::ZERO {
            ops.push(Op::Init { kind: PageKind::Tree });
        }
        ops.push(Op::Write { offset: 200, bytes: &[n as u8; 2000] });
        block_on(LIMIT, log.ensure_pages(page)).expect("the group exists");
        let credit = block_on(LIMIT, log.reserve(4096)).expect("room");
        let mut records = [MtrRecord { page, prev_page: prev, ops: &ops, lsn: Lsn::ZERO }];
        at.insert(page, log.append(credit, &mut records, true).expect("appended"));
        if n % 500 == 0 {
            log.release_below(log.vdl());
            most = most.max(counter(volume, "storage_log_memory_bytes"));
        }
    }
    let last = log.last_lsn();
    durable(volume, last);
    log.release_below(last);
    most
}

/// Waits until log and old page versions are gone that nobody needs.
fn rest(volume: &Volume) {
    until("log is made into pages", Duration::from_secs(20), || {
        counter(volume, "storage_log_held_bytes") < 6 * (4 << 20)
    });
}

#[test]
fn overwriting_for_long_costs_no_more_disk_memory_or_restart() {
    let data = Scratch::new("soak");
    let mut at = BTreeMap::new();
    let mut reread = Vec::new();
    for phases in [1, 3] {
        let volume = open(data.path());
        for _ in 0..phases {
            let most = overwrite(&volume, &mut at, PHASE);
            // All six, with the queue of each.
            let bound = 6 * ((8 << 20) + small(data.path()).node.ingest_bytes as u64);
            assert!(most <= bound, "{most} bytes of memory behind the log, {bound} are allowed");
            rest(&volume);
        }
        let images = counter(&volume, "storage_page_writes") * protocol::page::PAGE_BYTES as u64;
        let written = counter(&volume, "storage_log_bytes") + images;
        // The log files of six nodes, and the versions that came to be between two collections.
        until("disk use is bounded", Duration::from_secs(20), || used(data.path()) < DISK);
        assert!(phases == 1 || written > 2 * DISK, "only {written} bytes were written");
        // As after a crash: nothing is settled.
        drop(volume);
        let volume = open(data.path());
        reread
            .push((counter(&volume, "storage_log_held_bytes"), counter(&volume, "storage_log_memory_bytes")));
        drop(volume);
    }
    for (log, memory) in &reread {
        assert!(*log <= 6 * (8 << 20), "a restart reads {reread:?}");
        assert!(*memory <= 6 * (8 << 20), "a restart holds {reread:?}");
    }
}

#[test]
fn an_orderly_end_leaves_the_next_opening_little_to_read() {
    let data = Scratch::new("settled");
    let mut at = BTreeMap::new();
    let volume = open(data.path());
    overwrite(&volume, &mut at, 1500);
    volume.close();
    drop(volume);
    let volume = open(data.path());
    let held = counter(&volume, "storage_record_held_bytes");
    assert!(held < 64 << 10, "{held} bytes of records are read again after an orderly end");
    for (page, lsn) in &at {
        let image = block_on(LIMIT, volume.reader().read(*page, volume.log().vdl())).expect("an image");
        assert_eq!(protocol::page::lsn(image.bytes()), *lsn);
    }
}
