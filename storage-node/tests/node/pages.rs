//! Pages: reads equal straight replay, versions and log go when they may, and never before.

use crate::sim::{Cluster, seg};
use protocol::lsn::Lsn;
use protocol::message::{Message, PageRefusal};
use protocol::page::{PAGE_BYTES, PageId};
use storage_node::{DiskFile, Event, Settings};

const FULL: [u8; 3] = [0, 2, 4];

#[test]
fn reads_at_any_point_equal_straight_replay() {
    let (mut rounds, mut drops) = (0, 0);
    for seed in 1..12 {
        let mut c = Cluster::new(seed, Settings::small());
        for _ in 0..12 {
            c.load(40, 8);
            c.run(100_000);
            for _ in 0..10 {
                let at = c.history[c.rng.below(c.history.len() as u64) as usize].lsn.max(c.pgmrpl);
                let page = PageId(c.rng.below(9));
                let position = FULL[c.rng.below(3) as usize];
                c.check_page(position, page, at);
            }
            if c.rng.chance(40) {
                c.pgmrpl = c.history[c.rng.below(c.history.len() as u64) as usize].lsn.max(c.pgmrpl);
                c.heartbeat();
                c.settle();
            }
            if c.rng.chance(30) {
                let position = FULL[c.rng.below(3) as usize];
                c.crash(position, 50);
                c.boot(position, 0);
                c.settle();
            }
        }
        for position in FULL {
            let m = c.node(position).metrics();
            (rounds, drops) = (rounds + m.rounds, drops + m.page_drops);
        }
    }
    assert!(rounds > 50 && drops > 50, "{rounds} rounds, {drops} versions dropped");
}

#[test]
fn a_crash_during_a_page_job_leaves_whole_pages() {
    for seed in 1..40 {
        let mut c = Cluster::new(seed, Settings { coalesce_bytes: 2048, ..Settings::small() });
        c.load(30, 6);
        for _ in 0..10 {
            let record = c.write_random(6);
            c.ship(&[record]);
            c.settle();
            c.vdl = c.last;
            c.pgmrpl = c.last;
            c.heartbeat();
            for _ in 0..c.rng.below(60) {
                c.one();
            }
            let position = FULL[c.rng.below(3) as usize];
            let keep = 30 * c.rng.below(4);
            c.crash(position, keep);
            c.boot(position, 0);
            c.settle();
            let missing: Vec<_> = c.history.iter().filter(|r| r.lsn > c.scl(position)).cloned().collect();
            c.ship_to(position, &missing);
            c.settle();
            for page in 0..6 {
                let at = c.last;
                c.check_page(position, PageId(page), at);
            }
        }
    }
}

#[test]
fn disk_use_levels_off_under_overwrites() {
    disk_use_levels_off(Settings::small());
}

#[test]
fn disk_use_levels_off_when_nothing_needless_stays_in_memory() {
    disk_use_levels_off(Settings { spill_bytes: 0, ..Settings::small() });
}

fn disk_use_levels_off(settings: Settings) {
    let mut c = Cluster::new(3, settings);
    let mut sizes = Vec::new();
    for _ in 0..30 {
        for _ in 0..10 {
            c.load(60, 10);
            c.pgmrpl = c.vdl;
            c.heartbeat();
            c.run(60_000);
        }
        let log = c.disks[0].bytes_of(|f| matches!(f, DiskFile::Log(_)));
        let tail_log = c.disks[1].bytes_of(|f| matches!(f, DiskFile::Log(_)));
        let pages = c.disks[0].bytes_of(|f| matches!(f, DiskFile::Pages(_)));
        let index = c.disks[0].bytes_of(|f| matches!(f, DiskFile::Index(..)));
        sizes.push((log, tail_log, pages, index));
    }
    let written = c.node(0).metrics().log_bytes;
    assert!(written > 8 * (512 << 10), "the test writes many log files: {written}");
    for (log, tail_log, pages, index) in &sizes[5..] {
        assert!(*log <= 4 * (512 << 10), "{sizes:?}");
        assert!(*tail_log <= 4 * (512 << 10), "{sizes:?}");
        assert!(*pages <= 40 * PAGE_BYTES as u64, "{sizes:?}");
        assert!(*index <= 2 << 20, "{sizes:?}");
    }
    for position in 0..6 {
        let metrics = c.node(position).metrics();
        assert!(
            metrics.log_held_bytes <= 4 * (512 << 10),
            "node {position} holds {} bytes of log",
            metrics.log_held_bytes
        );
        assert!(
            metrics.log_memory_bytes < 512 << 10,
            "node {position} holds {} bytes",
            metrics.log_memory_bytes
        );
    }
}

#[test]
fn no_log_goes_while_one_full_member_is_silent() {
    let mut c = Cluster::new(4, Settings::small());
    c.crash(4, 0);
    for _ in 0..20 {
        c.load(40, 6);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(60_000);
    }
    let written: u64 = c.history.iter().map(|r| r.len() as u64).sum();
    for position in [0, 1, 2, 3, 5] {
        assert_eq!(c.node(position).inspect(seg(position)).unwrap().floor, Lsn::ZERO);
        // The log stays in the files; memory holds a window of it.
        let settings = Settings::small();
        let in_memory = c.node(position).metrics().log_memory_bytes;
        assert!(in_memory < (settings.spill_bytes + settings.coalesce_bytes * 4) as u64, "{in_memory} bytes");
        assert!(c.node(position).records(seg(position)).count() < c.history.len() / 2);
        assert!(c.node(position).metrics().log_held_bytes > written);
    }
    // It comes back, is filled from its peers' files, makes its pages, and the log goes.
    c.boot(4, 0);
    c.settle();
    c.heartbeat();
    c.run(3_000_000);
    assert_eq!(c.scl(4), c.last);
    assert!((0..6).all(|p| c.node(p).records(seg(p)).count() < c.history.len() / 2));
    for page in 0..6 {
        let at = c.last;
        c.check_page(4, PageId(page), at);
    }
}

#[test]
fn nothing_above_the_vdl_told_becomes_a_page() {
    let mut c = Cluster::new(5, Settings::small());
    c.load(30, 4);
    let told = c.vdl;
    for _ in 0..200 {
        let record = c.write_random(4);
        c.ship(&[record]);
    }
    c.settle();
    c.run(1_000_000);
    for position in FULL {
        let state = c.node(position).inspect(seg(position)).unwrap();
        assert_eq!(state.scl, c.last);
        assert_eq!(state.page_point, told);
        assert_eq!(state.vdl, told);
    }
}

#[test]
fn refusals_are_precise() {
    let mut c = Cluster::new(6, Settings::small());
    c.load(60, 4);
    c.pgmrpl = c.vdl;
    c.heartbeat();
    c.run(500_000);
    let (first, last) = (c.history[0].lsn, c.last);
    let reason = |m: Message| match m {
        Message::PageRefused(r) => Some(r.reason),
        _ => None,
    };
    assert_eq!(reason(c.read(1, PageId(0), last)), Some(PageRefusal::Tail));
    assert_eq!(reason(c.read(0, PageId(0), Lsn(last.0 + 1))), Some(PageRefusal::Behind));
    assert_eq!(reason(c.read(0, PageId(0), first)), Some(PageRefusal::Forgotten));
    assert_eq!(reason(c.read(0, PageId(0), last)), None);
    c.epoch = protocol::VolumeEpoch(0);
    assert!(matches!(c.read(0, PageId(0), last), Message::Refused(_)));
}

#[test]
fn a_rotten_image_is_never_served_and_is_healed() {
    let mut c = Cluster::new(7, Settings { scrub_interval_us: 1 << 40, ..Settings::small() });
    c.load(80, 4);
    c.pgmrpl = c.vdl;
    c.heartbeat();
    c.run(1_000_000);
    let at = c.last;
    for slot in 0..c.node(0).metrics().page_slots as usize + 4 {
        let file = c.disks[0].bytes_mut(DiskFile::Pages(seg(0)));
        if (slot + 1) * PAGE_BYTES <= file.len() {
            file[slot * PAGE_BYTES + 5000] ^= 1;
        }
    }
    let mut rotten = 0;
    for page in 0..4 {
        match c.read(0, PageId(page), at) {
            Message::PageRefused(r) => {
                assert_eq!(r.reason, PageRefusal::Rot);
                rotten += 1;
            }
            Message::PageRead(_) => c.check_page(0, PageId(page), at),
            other => panic!("{other:?}"),
        }
    }
    assert!(rotten > 0);
    c.run(1_000_000);
    for page in 0..4 {
        c.check_page(0, PageId(page), at);
    }
    assert!(c.node(0).metrics().healed >= rotten);
    // The healed pages go on.
    c.load(80, 4);
    c.pgmrpl = c.vdl;
    c.heartbeat();
    c.run(1_000_000);
    for page in 0..4 {
        let at = c.last;
        c.check_page(0, PageId(page), at);
    }
}

#[test]
fn the_last_full_copy_makes_a_rotten_page_anew_from_the_log() {
    // All log in memory, and nearly all of it on disk only.
    for spill_bytes in [1 << 30, 0] {
        let settings = Settings { spill_bytes, scrub_interval_us: 1 << 40, ..Settings::small() };
        let mut c = Cluster::new(9, settings);
        // The other two full copies were never there: a group may begin with four.
        c.crash(0, 0);
        c.crash(2, 0);
        for _ in 0..10 {
            c.load(40, 4);
            (c.pgmrpl, c.vdl) = (c.last, c.last);
            c.heartbeat();
            c.run(200_000);
        }
        assert!(c.node(4).inspect(seg(4)).unwrap().page_point > c.history[300].lsn, "pages were made");
        let file = c.disks[4].bytes_mut(DiskFile::Pages(seg(4)));
        for slot in 0..file.len() / PAGE_BYTES {
            file[slot * PAGE_BYTES + 5000] ^= 1;
        }
        let at = c.last;
        for page in 0..4 {
            c.read(4, PageId(page), at);
        }
        let cold = c.node(4).records(seg(4)).count() < c.history.len() / 2;
        assert!(c.node(4).metrics().rot >= 4 && cold == (spill_bytes == 0));
        c.run(3_000_000);
        for page in 0..4 {
            c.check_page(4, PageId(page), at);
        }
        // They go on from there, and a restart finds them.
        c.load(40, 4);
        c.run(500_000);
        c.crash(4, 0);
        c.boot(4, 0);
        c.settle();
        for page in 0..4 {
            let at = c.last;
            c.check_page(4, PageId(page), at);
        }
    }
}

#[test]
fn the_scrubber_finds_rot_nobody_reads() {
    let mut c = Cluster::new(8, Settings::small());
    c.load(80, 4);
    c.run(1_000_000);
    let file = c.disks[2].bytes_mut(DiskFile::Pages(seg(2)));
    for slot in 0..file.len() / PAGE_BYTES {
        file[slot * PAGE_BYTES + 3000] ^= 0x80;
    }
    c.run(4_000_000);
    assert!(c.node(2).metrics().rot > 0);
    assert!(c.node(2).metrics().healed > 0);
    for page in 0..4 {
        let at = c.last;
        c.check_page(2, PageId(page), at);
    }
}

#[test]
fn a_whole_scrub_looks_at_everything_once_and_heals_what_it_finds() {
    let never = 1 << 40;
    let mut c = Cluster::new(
        10,
        Settings { scrub_interval_us: never, log_scrub_interval_us: never, ..Settings::small() },
    );
    for _ in 0..6 {
        c.load(60, 6);
        c.pgmrpl = c.vdl;
        c.heartbeat();
        c.run(300_000);
    }
    let file = c.disks[2].bytes_mut(DiskFile::Pages(seg(2)));
    for slot in 0..file.len() / PAGE_BYTES {
        file[slot * PAGE_BYTES + 3000] ^= 0x80;
    }
    c.run(1_000_000);
    assert_eq!(
        (c.node(2).metrics().rot, c.node(2).metrics().scrub_passes),
        (0, 0),
        "nobody looks by itself here"
    );
    for position in [2, 5] {
        c.event(usize::from(position), Event::Scrub);
        // Asked again while it is under way: one look.
        c.event(usize::from(position), Event::Scrub);
        assert!(c.node(position).is_scrubbing());
    }
    c.run(3_000_000);
    for position in [2, 5] {
        assert!(!c.node(position).is_scrubbing());
        assert_eq!(c.node(position).metrics().scrub_passes, 1);
    }
    let (full, tail) = (c.node(2).metrics(), c.node(5).metrics());
    assert!(full.scrubbed_pages >= 6 && full.rot > 0 && full.healed > 0, "{full:?}");
    assert_eq!((tail.scrubbed_pages, tail.rot), (0, 0), "a tail has log only, and its log is whole");
    for page in 0..6 {
        let at = c.last;
        c.check_page(2, PageId(page), at);
    }
}
