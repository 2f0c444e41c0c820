//! Folders, locks, preallocation, opening.

use super::*;
use crate::testing::TempDir;

#[test]
fn a_second_holder_is_refused_with_the_first_ones_pid() {
    let dir = TempDir::new("lock");
    let held = FolderLock::acquire(dir.path()).expect("first");
    match FolderLock::acquire(dir.path()) {
        Err(LockError::InUse { folder, pid }) => {
            assert_eq!(folder, dir.path());
            assert_eq!(pid, Some(std::process::id()));
        }
        other => panic!("expected InUse, not {other:?}"),
    }
    let text = FolderLock::acquire(dir.path()).expect_err("still held").to_string();
    assert!(text.ends_with(&format!("is in use by pid {}", std::process::id())), "{text}");
    drop(held);
    FolderLock::acquire(dir.path()).expect("free again, the file notwithstanding");
}

#[test]
fn a_missing_folder_is_a_path_error() {
    let dir = TempDir::new("lock-missing");
    let error = FolderLock::acquire(&dir.path().join("no")).expect_err("no folder");
    assert!(matches!(error, LockError::Path(PathError { what: "open lock file", .. })), "{error}");
}

#[test]
fn preallocation_writes_zeroes_and_keeps_what_is_there() {
    let dir = TempDir::new("prealloc");
    let file = OpenFile::open(&dir.path().join("log"), OpenMode::DIRECT).expect("open");
    file.write_blocking(0, &AlignedBuf::padded(b"kept")).expect("write");
    preallocate(&file, 3 << 20).expect("preallocate");
    assert_eq!(file.len().expect("len"), 3 << 20);
    let mut buf = AlignedBuf::zeroed(3 << 20);
    assert_eq!(file.read_blocking(0, &mut buf).expect("read"), 3 << 20);
    assert_eq!(&buf[..4], b"kept");
    assert!(buf[4..].iter().all(|&b| b == 0));
    preallocate(&file, 1 << 20).expect("never cuts");
    assert_eq!(file.len().expect("len"), 3 << 20);
    use std::os::unix::fs::MetadataExt;
    let blocks = std::fs::metadata(file.path()).expect("stat").blocks();
    assert!(blocks * 512 >= 3 << 20, "the space is really taken: {blocks} blocks");
}

#[test]
fn atomic_writes_replace_whole_files() {
    let dir = TempDir::new("atomic");
    let path = dir.path().join("node.id");
    write_atomically(&path, b"the first content").expect("write");
    write_atomically(&path, b"second").expect("write");
    assert_eq!(std::fs::read(&path).expect("read"), b"second");
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1, "nothing is left beside it");
    let lost = write_atomically(&dir.path().join("no/such"), b"x").expect_err("no folder");
    assert!(lost.to_string().contains("such.new: open"), "{lost}");
}

#[test]
fn free_space_is_plausible() {
    let dir = TempDir::new("space");
    let space = free_space(dir.path()).expect("statvfs");
    assert!(space.available > 0 && space.available <= space.total, "{space:?}");
    free_space(&dir.path().join("no")).expect_err("no such path");
}

#[test]
fn direct_is_asked_for_and_buffered_is_taken_where_refused() {
    let dir = TempDir::new("open");
    let buffered = OpenFile::open(&dir.path().join("a"), OpenMode::BUFFERED).expect("open");
    assert!(!buffered.is_direct());
    // procfs knows no direct I/O; the file is opened all the same.
    let refused = OpenMode { create: false, write: false, direct: true };
    let file = OpenFile::open(Path::new("/proc/self/status"), refused).expect("open");
    assert!(!file.is_direct());
}

#[test]
fn a_direct_read_of_an_odd_file_stops_at_its_end() {
    let dir = TempDir::new("odd");
    let path = dir.path().join("odd");
    std::fs::write(&path, vec![5u8; 6000]).expect("write");
    let file = OpenFile::open(&path, OpenMode::DIRECT).expect("open");
    let mut buf = AlignedBuf::zeroed(3 * ALIGN);
    assert_eq!(file.read_blocking(0, &mut buf).expect("read"), 6000);
}
