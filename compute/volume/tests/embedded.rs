//! The embedded volume on real folders: create, write, read, reopen, lose folders.

mod rig;

use std::time::{Duration, Instant};

use cache_nvme::device::IoChoice;
use protocol::{Lsn, PageId};
use rig::{LIMIT, Model, RealEnv, Scratch, block_on, config, durable, open, until};
use volume::folders::node_path;
use volume::{OpenError, Volume};

#[test]
fn what_was_durable_is_there_after_a_reopening_on_both_back_ends() {
    for io in [IoChoice::Auto, IoChoice::Threads] {
        let data = Scratch::new("reopen");
        let mut model = Model::default();
        let mut vdl = Lsn::ZERO;
        for round in 0..3 {
            let volume = open(data.path(), io);
            assert!(volume.log().vdl() >= vdl, "VDL never falls");
            model.check(&volume);
            let last = model.fill(&volume, 300, 150, round);
            durable(&volume, last);
            vdl = volume.log().vdl();
            assert!(vdl >= last);
            model.check(&volume);
            volume.close();
        }
        // 150 pages are three groups of 64.
        let volume = open(data.path(), io);
        assert_eq!(volume.segments().len(), 18);
        model.check(&volume);
    }
}

/// Counted, not timed: six questions, fences and installs a group and their answers, and a step of time every two milliseconds.
#[test]
fn an_opening_takes_a_bounded_number_of_steps() {
    let data = Scratch::new("steps");
    let mut model = Model::default();
    for io in [IoChoice::Auto, IoChoice::Threads] {
        let before = Instant::now();
        let volume = open(data.path(), io);
        let ms = before.elapsed().as_millis() as u64;
        let steps =
            volume.counters().into_iter().find(|(name, _)| *name == "opening_steps").expect("counted").1;
        let groups = volume.segments().len() as u64 / 6;
        assert!((12..=groups.max(1) * 60 + ms).contains(&steps), "{steps} steps in {ms} ms, {groups} groups");
        let last = model.fill(&volume, 2_000, 150, steps);
        durable(&volume, last);
        // Not closed in order: the log is long, and the next opening reads it all.
        drop(volume);
    }
}

#[test]
fn an_empty_volume_reads_blank_and_counts_nothing_sent() {
    let data = Scratch::new("blank");
    let volume = open(data.path(), IoChoice::Auto);
    let image = block_on(LIMIT, volume.reader().read(PageId(3), volume.log().vdl())).expect("blank");
    assert_eq!(protocol::page::lsn(image.bytes()), Lsn::ZERO);
    let counters = volume.counters();
    assert!(counters.contains(&("pages_sent", 0)));
    let facts = volume.segments();
    assert_eq!(facts.len(), 6);
    assert!(facts.iter().all(|f| f.state == "member"), "{facts:#?}");
}

#[test]
fn one_commit_is_six_log_writes() {
    let data = Scratch::new("six");
    let volume = open(data.path(), IoChoice::Auto);
    let mut model = Model::default();
    let warm = model.write(&volume, PageId(1), 1);
    durable(&volume, warm);
    let writes = || volume.segments().iter().map(|f| f.log_writes).sum::<u64>();
    std::thread::sleep(Duration::from_millis(300));
    let before = writes();
    for n in 0..20 {
        let lsn = model.write(&volume, PageId(1), n);
        durable(&volume, lsn);
    }
    until("six copies", Duration::from_secs(2), || volume.segments().iter().all(|f| f.scl >= f.vdl));
    let wrote = writes() - before;
    assert!((80..=20 * 6 + 12).contains(&wrote), "20 commits were {wrote} log writes");
}

#[test]
fn a_volume_in_use_is_refused_by_pid() {
    let data = Scratch::new("in-use");
    let volume = open(data.path(), IoChoice::Auto);
    let error = Volume::open(&config(data.path(), IoChoice::Auto), RealEnv::make()).expect_err("in use");
    assert!(error.to_string().ends_with(&format!("is in use by pid {}", std::process::id())), "{error}");
    drop(volume);
    open(data.path(), IoChoice::Auto);
}

#[test]
fn a_full_disk_is_said_before_anything_is_made() {
    let data = Scratch::new("full");
    let folder = data.path().join("data");
    let mut config = config(&folder, IoChoice::Auto);
    config.node.log_file_bytes = 1 << 50;
    let error = Volume::open(&config, RealEnv::make()).expect_err("no room");
    assert!(matches!(error, OpenError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(!folder.exists());
}

#[test]
fn two_folders_deleted_while_down_come_back_as_members() {
    let data = Scratch::new("two-down");
    let mut model = Model::default();
    let volume = open(data.path(), IoChoice::Auto);
    let last = model.fill(&volume, 400, 100, 1);
    durable(&volume, last);
    volume.close();
    drop(volume);
    for position in [0, 3] {
        std::fs::remove_dir_all(node_path(data.path(), position)).expect("remove");
    }
    let volume = open(data.path(), IoChoice::Auto);
    model.check(&volume);
    let last = model.fill(&volume, 100, 100, 2);
    durable(&volume, last);
    until("repaired", Duration::from_secs(20), || volume.segments().iter().all(|f| f.state == "member"));
    let counters = volume.counters();
    let repairs = counters.iter().find(|(name, _)| *name == "repair_messages").expect("a counter").1;
    assert!(repairs > 0, "by segment messages");
    model.check(&volume);
    volume.close();
    drop(volume);
    // The repaired ones carry the volume now: two others may go.
    for position in [1, 4] {
        std::fs::remove_dir_all(node_path(data.path(), position)).expect("remove");
    }
    let volume = open(data.path(), IoChoice::Auto);
    model.check(&volume);
}

#[test]
fn a_folder_deleted_under_load_is_replaced_while_it_serves() {
    let data = Scratch::new("under-load");
    let mut model = Model::default();
    let volume = open(data.path(), IoChoice::Auto);
    let last = model.fill(&volume, 200, 100, 1);
    durable(&volume, last);
    std::fs::remove_dir_all(node_path(data.path(), 2)).expect("remove");
    let mut salt = 2;
    let mut seen_other = false;
    until("replaced and repaired", Duration::from_secs(30), || {
        let last = model.fill(&volume, 20, 100, salt);
        salt += 1;
        durable(&volume, last);
        let facts = volume.segments();
        seen_other |= facts.iter().any(|f| f.id.position == 2 && f.state != "member");
        seen_other && facts.iter().all(|f| f.state == "member")
    });
    model.check(&volume);
}

#[test]
fn three_deleted_folders_are_listed_and_refused() {
    let data = Scratch::new("three-down");
    let volume = open(data.path(), IoChoice::Auto);
    let mut model = Model::default();
    let last = model.fill(&volume, 10, 10, 1);
    durable(&volume, last);
    volume.close();
    drop(volume);
    for position in [0, 1, 5] {
        std::fs::remove_dir_all(node_path(data.path(), position)).expect("remove");
    }
    let error =
        Volume::open(&config(data.path(), IoChoice::Auto), RealEnv::make()).expect_err("three are gone");
    let line = error.to_string();
    for folder in ["az1/n1", "az1/n2", "az3/n2"] {
        assert!(line.contains(folder), "{line}");
    }
    assert_eq!(line.lines().count(), 1);
}
