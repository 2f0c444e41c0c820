//! What a user can do to the folders between two starts.

use super::*;
use crate::testing::TempDir;

fn ids() -> impl FnMut() -> u128 {
    let mut next = 100;
    move || {
        next += 1;
        next
    }
}

fn new_volume(dir: &TempDir) -> VolumeId {
    let mut folders = Folders::claim(dir.path(), true, &mut ids()).expect("a new volume");
    assert!(folders.creating);
    assert!(folders.nodes.iter().all(|n| n.fresh));
    folders.created().expect("completed");
    folders.volume
}

#[test]
fn a_new_volume_is_found_again_as_it_was() {
    let dir = TempDir::new("new");
    let volume = new_volume(&dir);
    let again = Folders::claim(dir.path(), true, &mut || panic!("nothing new is drawn")).expect("open");
    assert_eq!((again.volume, again.creating), (volume, false));
    assert!(again.nodes.iter().all(|n| !n.fresh));
    let places: Vec<_> = again.nodes.iter().map(|n| (n.identity.az, n.identity.member)).collect();
    assert_eq!(places, [(1, 0), (1, 1), (2, 2), (2, 3), (3, 4), (3, 5)]);
    assert!(dir.path().join("az3/n2/node.id").is_file());
}

#[test]
fn without_leave_nothing_is_made() {
    let dir = TempDir::new("no-volume");
    let missing = dir.path().join("data");
    let error = Folders::claim(&missing, false, &mut ids()).expect_err("no volume");
    assert!(matches!(error, FolderError::NoVolume { .. }), "{error}");
    assert!(!missing.exists());
}

#[test]
fn a_held_volume_is_refused_with_the_pid() {
    let dir = TempDir::new("held");
    new_volume(&dir);
    let held = Folders::claim(dir.path(), true, &mut ids()).expect("open");
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("held").to_string();
    assert!(error.ends_with(&format!("compute is in use by pid {}", std::process::id())), "{error}");
    drop(held);
    // One node folder alone held, as by a storage daemon.
    let _one = FolderLock::acquire(&node_path(dir.path(), 4)).expect("lock");
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("held").to_string();
    assert!(error.contains("az3/n1 is in use by pid"), "{error}");
}

#[test]
fn two_lost_folders_come_back_as_newcomers_and_three_do_not() {
    let dir = TempDir::new("lost");
    let volume = new_volume(&dir);
    let before = Folders::claim(dir.path(), true, &mut ids()).expect("open").nodes[2].identity.node;
    for position in [2, 5] {
        fs::remove_dir_all(node_path(dir.path(), position)).expect("remove");
    }
    let mut fresh_ids = ids();
    let open = Folders::claim(dir.path(), true, &mut || fresh_ids() + 1000).expect("four are enough");
    assert_eq!(open.volume, volume);
    let fresh: Vec<_> = open.nodes.iter().map(|n| n.fresh).collect();
    assert_eq!(fresh, [false, false, true, false, false, true]);
    assert_ne!(open.nodes[2].identity.node, before, "not the old node come back empty");
    drop(open);
    for position in [0, 2, 5] {
        fs::remove_dir_all(node_path(dir.path(), position)).expect("remove");
    }
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("three are lost").to_string();
    assert!(
        error.starts_with("3 of 6 node folders are missing, the volume survives the loss of 2"),
        "{error}"
    );
    for lost in ["az1/n1", "az2/n1", "az3/n2"] {
        assert!(error.contains(lost), "{error}");
    }
    assert!(!node_path(dir.path(), 0).exists(), "nothing was made in its place");
}

#[test]
fn all_six_lost_is_no_new_volume() {
    let dir = TempDir::new("all-lost");
    new_volume(&dir);
    for az in ["az1", "az2", "az3"] {
        fs::remove_dir_all(dir.path().join(az)).expect("remove");
    }
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("all lost");
    assert!(matches!(&error, FolderError::TooManyMissing { missing } if missing.len() == 6), "{error}");
}

#[test]
fn a_lost_compute_folder_is_made_again_from_the_nodes() {
    let dir = TempDir::new("compute-lost");
    let volume = new_volume(&dir);
    fs::remove_dir_all(compute_path(dir.path())).expect("remove");
    assert_eq!(Folders::claim(dir.path(), true, &mut ids()).expect("open").volume, volume);
    assert!(compute_path(dir.path()).join(VOLUME_FILE).is_file());
}

#[test]
fn a_creation_cut_short_is_begun_again() {
    let dir = TempDir::new("cut");
    let first = Folders::claim(dir.path(), true, &mut ids()).expect("begin");
    let (volume, superblock) = (first.volume, first.nodes[1].path.join("superblock"));
    fs::write(&superblock, b"half").expect("write");
    drop(first);
    fs::remove_dir_all(node_path(dir.path(), 3)).expect("it had not come that far");
    let mut other_ids = ids();
    let second = Folders::claim(dir.path(), true, &mut || other_ids() + 500).expect("begin again");
    assert!(second.creating);
    assert_ne!(second.volume, volume);
    assert!(!superblock.exists());
}

#[test]
fn foreign_damaged_and_misplaced_folders_are_refused_by_name() {
    let dir = TempDir::new("foreign");
    new_volume(&dir);
    let (one, two) = (node_path(dir.path(), 0), node_path(dir.path(), 1));
    let own = fs::read(one.join(NODE_FILE)).expect("read");

    fs::copy(two.join(NODE_FILE), one.join(NODE_FILE)).expect("copy");
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("swapped").to_string();
    assert!(error.contains("az1/n1 belongs to volume") && error.contains("member 1"), "{error}");

    fs::write(one.join(NODE_FILE), b"sextant node 7\n").expect("write");
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("format 7").to_string();
    assert!(error.ends_with("az1/n1/node.id: is of format 7; this build reads format 1"), "{error}");

    fs::remove_file(one.join(NODE_FILE)).expect("remove");
    fs::write(one.join("superblock"), b"data").expect("write");
    let error = Folders::claim(dir.path(), true, &mut ids()).expect_err("no identity").to_string();
    assert!(error.ends_with("az1/n1 holds files but no node.id; it is not a Sextant node folder"), "{error}");

    fs::write(one.join(NODE_FILE), own).expect("write");
    Folders::claim(dir.path(), true, &mut ids()).expect("as it was");
}

#[test]
fn a_file_in_the_way_is_one_clear_line() {
    let dir = TempDir::new("in-the-way");
    let data = dir.path().join("data");
    fs::write(&data, b"a file").expect("write");
    let error = Folders::claim(&data, true, &mut ids()).expect_err("no folder").to_string();
    assert!(error.contains("data/compute: cannot create the folder: "), "{error}");
}
