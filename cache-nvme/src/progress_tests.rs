//! Every answer a kernel can give, without a device.

use std::sync::atomic::Ordering;

use super::*;
use crate::device::Durability;
use crate::file::OpenMode;
use crate::testing::TempDir;

fn task(op: Op) -> (TempDir, Task) {
    let dir = TempDir::new("progress");
    let file = OpenFile::open(&dir.path().join("f"), OpenMode::BUFFERED).expect("open");
    let task = Task::new(1, file, op);
    (dir, task)
}

fn write(len: usize, durability: Durability) -> Op {
    Op::Write { file: FileId(0), offset: 100, buf: AlignedBuf::zeroed(len), durability }
}

fn kind(next: Next) -> IoErrorKind {
    match next {
        Next::Done(Err(e)) => e.kind,
        other => panic!("expected an error, not {other:?}"),
    }
}

#[test]
fn short_and_interrupted_writes_go_on_from_where_they_stand() {
    let (_dir, mut task) = task(write(10, Durability::Later));
    let first = task.request();
    assert_eq!(first, Request::Write { offset: 100, start: 0, len: 10, dsync: false });
    assert_eq!(task.answer(first, 4), Next::Again);
    let second = task.request();
    assert_eq!(second, Request::Write { offset: 104, start: 4, len: 6, dsync: false });
    assert_eq!(task.answer(second, -libc::EINTR), Next::Again);
    assert_eq!(task.request(), second);
    assert_eq!(task.answer(second, -libc::EAGAIN), Next::Again);
    assert_eq!(task.answer(second, 6), Next::Done(Ok(10)));
    assert!(!task.file.has_failed());
    assert_eq!(task.file.counters().writes.load(Ordering::Relaxed), 1);
    assert_eq!(task.file.counters().write_bytes.load(Ordering::Relaxed), 10);
}

#[test]
fn a_write_that_moves_nothing_fails_the_file() {
    let (_dir, mut task) = task(write(10, Durability::Later));
    let request = task.request();
    assert_eq!(kind(task.answer(request, 0)), IoErrorKind::Failed);
    assert!(task.file.has_failed());
}

#[test]
fn a_durable_write_is_one_call_and_two_where_the_flag_is_refused() {
    let (_dir, mut with_flag) = task(write(10, Durability::Sync));
    let request = with_flag.request();
    assert_eq!(request, Request::Write { offset: 100, start: 0, len: 10, dsync: true });
    assert_eq!(with_flag.answer(request, 10), Next::Done(Ok(10)));
    assert_eq!(with_flag.file.counters().syncs.load(Ordering::Relaxed), 0);

    let (_dir, mut without) = task(write(10, Durability::Sync));
    let request = without.request();
    assert_eq!(without.answer(request, -libc::EOPNOTSUPP), Next::Again);
    let plain = without.request();
    assert_eq!(plain, Request::Write { offset: 100, start: 0, len: 10, dsync: false });
    assert_eq!(without.answer(plain, 10), Next::Again, "not durable yet");
    assert_eq!(without.request(), Request::Fdatasync);
    assert_eq!(without.answer(Request::Fdatasync, 0), Next::Done(Ok(10)));
    assert!(without.file.dsync_refused(), "the file remembers");
    assert_eq!(without.file.counters().syncs.load(Ordering::Relaxed), 1);
    assert_eq!(without.file.counters().durable_writes.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failed_sync_is_final_and_later_successes_are_not_believed() {
    let (_dir, mut sync) = task(Op::Sync { file: FileId(0) });
    let mut other = Task::new(2, sync.file.clone(), Op::Sync { file: FileId(0) });
    let request = sync.request();
    assert_eq!(kind(sync.answer(request, -libc::EIO)), IoErrorKind::Failed);
    assert!(sync.file.has_failed());
    let request = other.request();
    assert_eq!(kind(other.answer(request, 0)), IoErrorKind::Failed, "was under way when the other failed");
    let late = Task::new(3, sync.file.clone(), write(10, Durability::Sync));
    assert!(matches!(late.settled_early(), Some(Err(IoError { kind: IoErrorKind::Failed, errno: 0, .. }))));
    let read =
        Task::new(4, sync.file.clone(), Op::Read { file: FileId(0), offset: 0, buf: AlignedBuf::zeroed(1) });
    assert_eq!(read.settled_early(), None, "reads are still served");
}

#[test]
fn an_interrupted_sync_is_not_repeated() {
    let (_dir, mut sync) = task(Op::Sync { file: FileId(0) });
    let request = sync.request();
    assert_eq!(kind(sync.answer(request, -libc::EINTR)), IoErrorKind::Failed);
}

#[test]
fn no_space_is_forgiven_but_not_at_a_sync() {
    let (_dir, mut full) = task(write(10, Durability::Sync));
    let request = full.request();
    assert_eq!(kind(full.answer(request, -libc::ENOSPC)), IoErrorKind::NoSpace);
    assert!(!full.file.has_failed());
    let (_dir, mut sync) = task(Op::Sync { file: FileId(0) });
    assert_eq!(kind(sync.answer(Request::Fdatasync, -libc::ENOSPC)), IoErrorKind::Failed);
    let (_dir, mut allocate) = task(Op::Allocate { file: FileId(0), offset: 0, len: 4096 });
    let request = allocate.request();
    assert_eq!(kind(allocate.answer(request, -libc::EOPNOTSUPP)), IoErrorKind::Unsupported);
    assert!(!allocate.file.has_failed());
}

#[test]
fn reads_end_at_the_end_of_the_file_and_fail_alone() {
    let read = || Op::Read { file: FileId(0), offset: 0, buf: AlignedBuf::zeroed(100) };
    let (_dir, mut short) = task(read());
    let request = short.request();
    assert_eq!(short.answer(request, 60), Next::Again);
    let rest = short.request();
    assert_eq!(rest, Request::Read { offset: 60, start: 60, len: 40 });
    assert_eq!(short.answer(rest, 0), Next::Done(Ok(60)));
    assert_eq!(short.complete(Ok(60)).buf.expect("a buffer").len(), 60);
    let (_dir, mut bad) = task(read());
    let request = bad.request();
    assert_eq!(kind(bad.answer(request, -libc::EIO)), IoErrorKind::Unreadable);
    assert!(!bad.file.has_failed());
}

#[test]
fn a_direct_transfer_cut_inside_a_block_repeats_that_block() {
    let dir = TempDir::new("progress-direct");
    let file = OpenFile::open(&dir.path().join("f"), OpenMode::DIRECT).expect("open");
    if !file.is_direct() {
        return;
    }
    let op = Op::Write {
        file: FileId(0),
        offset: 8192,
        buf: AlignedBuf::zeroed(3 * ALIGN),
        durability: Durability::Sync,
    };
    let mut task = Task::new(1, file, op);
    let request = task.request();
    assert_eq!(task.answer(request, 4096 + 512), Next::Again);
    let again = task.request();
    assert_eq!(again, Request::Write { offset: 12_288, start: 4096, len: 8192, dsync: true });
    assert_eq!(kind(task.answer(again, 512)), IoErrorKind::Failed, "no progress is a failure, not a loop");
}
