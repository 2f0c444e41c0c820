//! The adapter on a real folder, over both back-ends of the device queue.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cache_nvme::device::{self, IoChoice, Wait};
use protocol::geometry::{PgId, SegmentId};

use super::*;
use crate::event::SECTOR_BYTES;

struct Scratch(PathBuf);

impl Scratch {
    fn new(what: &str) -> Self {
        let root = std::env::current_exe().expect("own path");
        let root = root.parent().expect("a folder").join("scratch");
        let path = root.join(format!("disk-{what}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("create a scratch folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Rig {
    device: Box<dyn Device>,
    disk: Disk,
    next: u64,
}

impl Rig {
    fn new(choice: IoChoice, folder: &Path) -> Self {
        Self {
            device: device::open(choice).expect("a device"),
            disk: Disk::new(folder, 7).expect("a folder"),
            next: 0,
        }
    }

    fn start(&mut self, file: DiskFile, op: DiskOp) -> Token {
        self.next += 1;
        self.disk.submit(&mut *self.device, Token(self.next), file, op);
        Token(self.next)
    }

    fn drain(&mut self) -> Vec<Ended> {
        let mut all = self.disk.ended();
        while self.disk.pending() > 0 {
            let mut done = Vec::new();
            self.device.poll(Wait::AtMost(Duration::from_secs(5)), &mut done).expect("poll");
            assert!(!done.is_empty(), "nothing within five seconds");
            for completion in done {
                assert_eq!(tag_of(completion.token), 7);
                all.extend(self.disk.completed(&mut *self.device, completion));
            }
            all.extend(self.disk.ended());
        }
        all
    }

    fn one(&mut self, file: DiskFile, op: DiskOp) -> Result<AlignedBuf, DiskError> {
        let token = self.start(file, op);
        let mut all = self.drain();
        assert_eq!(all.len(), 1, "{all:?}");
        let (ended, result) = all.remove(0);
        assert_eq!(ended, token);
        result
    }
}

fn both(what: &str, mut test: impl FnMut(&Path, Rig)) {
    for choice in [IoChoice::Threads, IoChoice::Auto] {
        let folder = Scratch::new(&format!("{what}-{choice:?}"));
        test(&folder.0, Rig::new(choice, &folder.0));
    }
}

fn block(fill: u8) -> AlignedBuf {
    let mut buf = AlignedBuf::zeroed(SECTOR_BYTES);
    buf.fill(fill);
    buf
}

fn read(offset: u64, len: usize) -> DiskOp {
    DiskOp::Read { offset, len }
}

const SEGMENT: SegmentId = SegmentId { pg: PgId(3), position: 4 };

#[test]
fn names_go_both_ways_and_only_canonical_ones_count() {
    for file in [DiskFile::Super, DiskFile::Log(0), DiskFile::Log(u64::MAX), DiskFile::Pages(SEGMENT)] {
        assert_eq!(parse_name(&file.to_string()), Some(file));
    }
    assert_eq!(parse_name("pages/3.4.index1"), Some(DiskFile::Index(SEGMENT, 1)));
    for bad in
        ["", "lock", "log/1", "log/zz", "pages/3.4", "pages/03.4.pages", "pages/3.4.index", "pages/3.x.pages"]
    {
        assert_eq!(parse_name(bad), None, "{bad}");
    }
}

#[test]
fn a_missing_file_reads_as_empty_and_a_write_makes_it() {
    both("write", |folder, mut rig| {
        assert_eq!(rig.one(DiskFile::Super, read(0, 8192)), Ok(AlignedBuf::new()));
        assert_eq!(rig.one(DiskFile::Super, DiskOp::Sync), Ok(AlignedBuf::new()));
        assert!(!folder.join("superblock").exists(), "reading makes nothing");
        let op = DiskOp::Write { offset: 4096, bytes: block(9), durable: true };
        assert_eq!(rig.one(DiskFile::Super, op), Ok(AlignedBuf::new()));
        let bytes = rig.one(DiskFile::Super, read(0, 3 * SECTOR_BYTES)).expect("read");
        assert_eq!(bytes.len(), 2 * SECTOR_BYTES, "shorter at the end of the file");
        assert!(bytes[..4096].iter().all(|&b| b == 0) && bytes[4096..].iter().all(|&b| b == 9));
        assert_eq!(list_files(folder).expect("list"), [(DiskFile::Super, 8192)]);
    });
}

#[test]
fn an_allocation_makes_the_file_anew_zeroed_and_whole() {
    both("allocate", |folder, mut rig| {
        let file = DiskFile::Log(5);
        rig.one(file, DiskOp::Write { offset: 0, bytes: block(9), durable: true }).expect("old content");
        let len = (2 << 20) + 8192;
        rig.one(file, DiskOp::Allocate { len }).expect("allocate");
        assert_eq!(list_files(folder).expect("list"), [(file, len)]);
        let all = rig.one(file, read(0, usize::try_from(len).expect("small"))).expect("read");
        assert_eq!(all.len() as u64, len);
        assert!(all.iter().all(|&b| b == 0), "the old content is gone");
        let before = rig.disk.log_syncs();
        rig.one(file, DiskOp::Write { offset: 0, bytes: block(1), durable: true }).expect("append");
        assert_eq!(rig.disk.log_syncs(), before + 1);
    });
}

#[test]
fn others_go_on_while_a_file_is_allocated() {
    both("beside", |_, mut rig| {
        let slow = rig.start(DiskFile::Log(1), DiskOp::Allocate { len: 8 << 20 });
        let quick = rig.start(DiskFile::Super, DiskOp::Write { offset: 0, bytes: block(1), durable: true });
        let ended: Vec<Token> = rig.drain().into_iter().map(|(token, _)| token).collect();
        assert_eq!(ended, [quick, slow]);
    });
}

#[test]
fn deleting_with_reads_in_flight_lets_them_end() {
    both("delete", |folder, mut rig| {
        let file = DiskFile::Pages(SEGMENT);
        for n in 0..4 {
            rig.one(file, DiskOp::Write { offset: n * 4096, bytes: block(7), durable: false })
                .expect("write");
        }
        let reads: Vec<Token> = (0..4).map(|n| rig.start(file, read(n * 4096, 4096))).collect();
        let delete = rig.start(file, DiskOp::Delete);
        let mut ended = rig.drain();
        ended.sort_by_key(|(token, _)| *token);
        assert_eq!(ended.iter().map(|(t, _)| *t).collect::<Vec<_>>(), [&reads[..], &[delete]].concat());
        assert!(ended[..4].iter().all(|(_, r)| r.as_ref().is_ok_and(|b| b.iter().all(|&x| x == 7))));
        assert!(list_files(folder).expect("list").is_empty());
        assert_eq!(rig.one(file, DiskOp::Delete), Ok(AlignedBuf::new()), "absent is fine");
        assert_eq!(rig.disk.open.len(), 0, "no descriptor is kept");
    });
}

#[test]
fn a_punched_range_reads_as_zeroes() {
    both("punch", |_, mut rig| {
        let file = DiskFile::Index(SEGMENT, 0);
        for n in 0..3 {
            rig.one(file, DiskOp::Write { offset: n * 4096, bytes: block(3), durable: false })
                .expect("write");
        }
        rig.one(file, DiskOp::Sync).expect("sync");
        rig.one(file, DiskOp::Punch { offset: 4096, len: 4096 }).expect("punch");
        let bytes = rig.one(file, read(0, 3 * 4096)).expect("read");
        let sums: Vec<u32> = bytes.chunks(4096).map(|c| c.iter().map(|&b| u32::from(b)).sum()).collect();
        assert_eq!(sums, [3 * 4096, 0, 3 * 4096]);
    });
}

#[test]
fn a_folder_that_is_gone_fails_what_needs_it() {
    both("gone", |folder, mut rig| {
        std::fs::remove_dir_all(folder.join("log")).expect("remove");
        assert_eq!(rig.one(DiskFile::Log(0), DiskOp::Allocate { len: 4096 }), Err(DiskError::Failed));
        let op = DiskOp::Write { offset: 0, bytes: block(0), durable: true };
        assert_eq!(rig.one(DiskFile::Log(0), op), Err(DiskError::Failed));
    });
}

#[test]
fn closing_keeps_files_until_their_operations_end() {
    both("close", |_, mut rig| {
        rig.start(DiskFile::Super, DiskOp::Write { offset: 0, bytes: block(1), durable: true });
        rig.disk.close(&mut *rig.device);
        assert_eq!(rig.disk.open.len(), 1);
        assert_eq!(rig.drain().len(), 1);
        assert_eq!(rig.disk.open.len(), 0);
    });
}

/// A device with so many bytes left; what does not fit is refused as a full file system refuses it.
struct Full {
    inner: Box<dyn Device>,
    left: std::rc::Rc<std::cell::Cell<u64>>,
    refused: Vec<Completion>,
}

impl Device for Full {
    fn backend(&self) -> device::Backend {
        self.inner.backend()
    }
    fn attach(&mut self, file: OpenFile) -> FileId {
        self.inner.attach(file)
    }
    fn detach(&mut self, file: FileId) {
        self.inner.detach(file);
    }
    fn file(&self, file: FileId) -> &OpenFile {
        self.inner.file(file)
    }
    fn push(&mut self, token: u64, op: Op) {
        let bytes = match &op {
            Op::Write { buf, .. } => buf.len() as u64,
            _ => 0,
        };
        if let Some(left) = self.left.get().checked_sub(bytes) {
            self.left.set(left);
            return self.inner.push(token, op);
        }
        let (file, kind) = (op.file(), op.kind());
        let Op::Write { buf, .. } = op else { return };
        let error = IoError { kind: IoErrorKind::NoSpace, op: kind, errno: 28 };
        self.refused.push(Completion { token, file, kind, result: Err(error), buf: Some(buf) });
    }
    fn poll(&mut self, wait: Wait, done: &mut Vec<Completion>) -> std::io::Result<()> {
        let wait = if self.refused.is_empty() { wait } else { Wait::Now };
        done.append(&mut self.refused);
        self.inner.poll(wait, done)
    }
    fn waker(&self) -> device::Waker {
        self.inner.waker()
    }
    fn pending(&self) -> usize {
        self.inner.pending() + self.refused.len()
    }
    fn counters(&self) -> std::sync::Arc<device::DeviceCounters> {
        self.inner.counters()
    }
}

#[test]
fn a_full_device_is_told_as_such_and_leaves_no_half_made_file() {
    both("full", |folder, mut rig| {
        let left = std::rc::Rc::new(std::cell::Cell::new(1 << 20));
        let spare = device::open(IoChoice::Threads).expect("a device");
        let inner = std::mem::replace(&mut rig.device, spare);
        rig.device = Box::new(Full { inner, left: left.clone(), refused: Vec::new() });
        // The second piece of its zeroes does not fit.
        let allocate = || DiskOp::Allocate { len: 3 << 20 };
        assert_eq!(rig.one(DiskFile::Log(1), allocate()), Err(DiskError::NoSpace));
        assert_eq!(list_files(folder).expect("list"), [], "the half-made file is gone");
        let write = || DiskOp::Write { offset: 0, bytes: block(7), durable: false };
        assert_eq!(rig.one(DiskFile::Pages(SEGMENT), write()), Err(DiskError::NoSpace));
        // Nothing was failed for good: with room again all goes on.
        left.set(8 << 20);
        assert_eq!(rig.one(DiskFile::Log(1), allocate()), Ok(AlignedBuf::new()));
        assert_eq!(rig.one(DiskFile::Pages(SEGMENT), write()), Ok(AlignedBuf::new()));
        assert_eq!(rig.one(DiskFile::Pages(SEGMENT), DiskOp::Sync), Ok(AlignedBuf::new()));
    });
}
