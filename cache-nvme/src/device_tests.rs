//! Both back-ends under the same operations.

use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::aligned::ALIGN;
use crate::file::OpenMode;
use crate::testing::TempDir;

/// The two back-ends; the ring only where this kernel has one (then `open(Auto)` is the threads anyway).
fn devices() -> Vec<Box<dyn Device>> {
    let mut all: Vec<Box<dyn Device>> = vec![open(IoChoice::Threads).expect("threads")];
    match open(IoChoice::Ring) {
        Ok(ring) => all.push(ring),
        Err(refusal) => println!("skipped: the ring ({refusal})"),
    }
    all
}

fn finish(device: &mut dyn Device, count: usize) -> Vec<Completion> {
    let mut done = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while done.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} after 20 s on {:?}", done.len(), device.backend());
        device.poll(Wait::AtMost(Duration::from_secs(1)), &mut done).expect("poll");
    }
    done.sort_by_key(|c| c.token);
    done
}

fn one(device: &mut dyn Device, op: Op) -> Completion {
    device.push(7, op);
    let mut done = finish(device, 1);
    assert_eq!(done.len(), 1);
    done.remove(0)
}

fn write(file: FileId, block: u64, fill: u8, blocks: usize, durability: Durability) -> Op {
    let mut buf = AlignedBuf::zeroed(blocks * ALIGN);
    buf.fill(fill);
    Op::Write { file, offset: block * ALIGN as u64, buf, durability }
}

fn read(file: FileId, block: u64, blocks: usize) -> Op {
    Op::Read { file, offset: block * ALIGN as u64, buf: AlignedBuf::zeroed(blocks * ALIGN) }
}

#[derive(Clone, Debug)]
enum Step {
    Write { file: usize, block: u64, blocks: usize, fill: u8, durable: bool },
    Read { file: usize, block: u64, blocks: usize },
    Sync { file: usize },
    Allocate { file: usize, block: u64 },
    Punch { file: usize, block: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let at = (0usize..3, 0u64..24);
    prop_oneof![
        4 => (at.clone(), 1usize..5, 1u8.., any::<bool>())
            .prop_map(|((file, block), blocks, fill, durable)| Step::Write { file, block, blocks, fill, durable }),
        3 => (at.clone(), 1usize..9).prop_map(|((file, block), blocks)| Step::Read { file, block, blocks }),
        1 => (0usize..3).prop_map(|file| Step::Sync { file }),
        1 => at.clone().prop_map(|(file, block)| Step::Allocate { file, block }),
        1 => at.prop_map(|(file, block)| Step::Punch { file, block }),
    ]
}

/// A file in memory: what the operations mean.
fn model(content: &mut Vec<u8>, step: &Step) -> Option<Vec<u8>> {
    let span = |block: u64, blocks: usize| {
        let start = usize::try_from(block).expect("small") * ALIGN;
        start..start + blocks * ALIGN
    };
    match *step {
        Step::Write { block, blocks, fill, .. } => {
            let range = span(block, blocks);
            content.resize(content.len().max(range.end), 0);
            content[range].fill(fill);
        }
        Step::Read { block, blocks, .. } => {
            let range = span(block, blocks);
            let end = range.end.min(content.len());
            return Some(content[range.start.min(end)..end].to_vec());
        }
        Step::Allocate { block, .. } => {
            let range = span(block, 2);
            content.resize(content.len().max(range.end), 0);
        }
        Step::Punch { block, .. } => {
            let range = span(block, 1);
            let end = range.end.min(content.len());
            content[range.start.min(end)..end].fill(0);
        }
        Step::Sync { .. } => {}
    }
    None
}

fn operation(step: &Step, files: &[FileId]) -> Op {
    match *step {
        Step::Write { file, block, blocks, fill, durable } => {
            let durability = if durable { Durability::Sync } else { Durability::Later };
            write(files[file], block, fill, blocks, durability)
        }
        Step::Read { file, block, blocks } => read(files[file], block, blocks),
        Step::Sync { file } => Op::Sync { file: files[file] },
        Step::Allocate { file, block } => {
            Op::Allocate { file: files[file], offset: block * ALIGN as u64, len: 2 * ALIGN as u64 }
        }
        Step::Punch { file, block } => {
            Op::Punch { file: files[file], offset: block * ALIGN as u64, len: ALIGN as u64 }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn both_back_ends_do_what_a_file_in_memory_does(steps in proptest::collection::vec(step(), 1..40), direct in any::<bool>()) {
        let mode = if direct { OpenMode::DIRECT } else { OpenMode::BUFFERED };
        for mut device in devices() {
            let dir = TempDir::new("model");
            let files: Vec<FileId> = (0..3)
                .map(|n| device.attach(OpenFile::open(&dir.path().join(n.to_string()), mode).expect("open")))
                .collect();
            let mut models = vec![Vec::new(); 3];
            for step in &steps {
                let op = operation(step, &files);
                let expected = model(&mut models[op.file().0 as usize], step);
                let end = one(&mut *device, op);
                match (end.result, expected) {
                    (Ok(count), Some(bytes)) => {
                        prop_assert_eq!(count, bytes.len());
                        prop_assert!(end.buf.expect("a buffer")[..] == bytes[..], "{:?} on {:?}", step, device.backend());
                    }
                    (result, _) => prop_assert!(result.is_ok(), "{step:?}: {result:?}"),
                }
            }
            prop_assert_eq!(device.pending(), 0);
            for (n, model) in models.iter().enumerate() {
                prop_assert!(std::fs::read(dir.path().join(n.to_string())).expect("read") == *model);
            }
        }
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn durable_writes_are_counted_as_such_and_plain_ones_are_not() {
    for mut device in devices() {
        let dir = TempDir::new("durable");
        let file = device.attach(OpenFile::open(&dir.path().join("log"), OpenMode::DIRECT).expect("open"));
        for n in 0..5 {
            let end = one(&mut *device, write(file, n, 1, 1, Durability::Sync));
            assert_eq!((end.kind, end.result), (OpKind::DurableWrite, Ok(ALIGN)));
        }
        one(&mut *device, write(file, 9, 2, 2, Durability::Later));
        let counters = Arc::clone(device.file(file).counters());
        assert_eq!(count(&counters.durable_writes), 5);
        assert_eq!(count(&counters.writes), 6);
        assert_eq!(count(&counters.write_bytes), 7 * ALIGN as u64);
        let before = count(&counters.syncs);
        one(&mut *device, Op::Sync { file });
        one(&mut *device, Op::SyncAll { file });
        assert_eq!(count(&counters.syncs), before + 2);
        let folder = device.attach(OpenFile::open(dir.path(), OpenMode::READ_ONLY).expect("open the folder"));
        assert_eq!(one(&mut *device, Op::SyncAll { file: folder }).result, Ok(0), "names are synced too");
    }
}

#[test]
fn six_logs_in_one_batch_are_few_entries_into_the_kernel() {
    for mut device in devices() {
        let dir = TempDir::new("six");
        let files: Vec<FileId> = (0..6)
            .map(|n| {
                let file =
                    OpenFile::open(&dir.path().join(format!("log{n}")), OpenMode::DIRECT).expect("open");
                crate::file::preallocate(&file, 1 << 20).expect("preallocate");
                device.attach(file)
            })
            .collect();
        let counters = device.counters();
        let before = count(&counters.syscalls);
        for round in 0..20 {
            for &file in &files {
                device.push(u64::from(file.0), write(file, round, 3, 1, Durability::Sync));
            }
            let done = finish(&mut *device, 6);
            assert!(done.iter().all(|c| c.result == Ok(ALIGN)));
        }
        let calls = count(&counters.syscalls) - before;
        match device.backend() {
            Backend::Threads => assert_eq!(calls, 120, "one call per write"),
            // One to submit and at most one more per completion; the six go down together.
            Backend::Ring => assert!((20..=20 * 7).contains(&calls), "{calls} entries for 20 rounds of six"),
        }
        assert_eq!(count(&counters.completed), 120);
    }
}

#[test]
fn more_operations_than_slots_all_complete() {
    for mut device in devices() {
        let dir = TempDir::new("many");
        let file = device.attach(OpenFile::open(&dir.path().join("f"), OpenMode::DIRECT).expect("open"));
        for n in 0..1000 {
            device.push(n, write(file, n, u8::try_from(n % 251).expect("small"), 1, Durability::Later));
        }
        assert_eq!(device.pending(), 1000);
        let done = finish(&mut *device, 1000);
        assert!(done.iter().enumerate().all(|(n, c)| c.token == n as u64 && c.result == Ok(ALIGN)));
        for n in 0..1000 {
            device.push(n, read(file, n, 1));
        }
        for c in finish(&mut *device, 1000) {
            let fill = u8::try_from(c.token % 251).expect("small");
            assert!(c.buf.expect("a buffer").iter().all(|&b| b == fill), "block {}", c.token);
        }
        device.detach(file);
    }
}

#[test]
fn a_read_only_file_fails_for_good_on_the_first_write() {
    for mut device in devices() {
        let dir = TempDir::new("readonly");
        let path = dir.path().join("f");
        std::fs::write(&path, vec![4u8; 2 * ALIGN]).expect("write");
        let file = device.attach(OpenFile::open(&path, OpenMode::READ_ONLY).expect("open"));
        let end = one(&mut *device, write(file, 0, 1, 1, Durability::Sync));
        let error = end.result.expect_err("read-only");
        assert_eq!((error.kind, error.errno), (IoErrorKind::Failed, libc::EBADF));
        assert!(end.buf.is_some(), "the buffer comes back");
        for op in [write(file, 0, 1, 1, Durability::Later), Op::Sync { file }] {
            let error = one(&mut *device, op).result.expect_err("failed before");
            assert_eq!((error.kind, error.errno), (IoErrorKind::Failed, 0), "refused without trying");
        }
        let end = one(&mut *device, read(file, 0, 1));
        assert_eq!(end.result, Ok(ALIGN), "reads go on");
    }
}

#[test]
fn a_full_device_is_no_space_and_not_a_failure() {
    for mut device in devices() {
        let mode = OpenMode { create: false, write: true, direct: false };
        let file = device.attach(OpenFile::open(Path::new("/dev/full"), mode).expect("open"));
        for _ in 0..2 {
            let error = one(&mut *device, write(file, 0, 1, 1, Durability::Later)).result.expect_err("full");
            assert_eq!((error.kind, error.errno), (IoErrorKind::NoSpace, libc::ENOSPC));
        }
        assert!(!device.file(file).has_failed());
        // A character device knows no fdatasync: to us a sync that fails, whatever the reason.
        let error = one(&mut *device, Op::Sync { file }).result.expect_err("cannot sync");
        assert_eq!(error.kind, IoErrorKind::Failed);
        assert!(device.file(file).has_failed());
    }
}

#[test]
fn other_file_systems_are_served_the_same() {
    let Some(dir) = TempDir::in_memory("shm") else {
        println!("skipped: no /dev/shm");
        return;
    };
    for mut device in devices() {
        let path = dir.path().join(device.backend().name());
        let file = device.attach(OpenFile::open(&path, OpenMode::DIRECT).expect("open"));
        // Several durable writes at once: on a buffered file they go one after the other.
        for n in 0..20 {
            device.push(n, write(file, n, 8, 1, Durability::Sync));
        }
        device.push(20, Op::Sync { file });
        assert!(finish(&mut *device, 21).iter().all(|c| c.result.is_ok()));
        assert!(std::fs::read(&path).expect("read").iter().all(|&b| b == 8));
    }
}

#[test]
fn a_wake_up_ends_the_sleep_and_is_never_lost() {
    for choice in [IoChoice::Threads, IoChoice::Auto] {
        let posted = Arc::new(AtomicUsize::new(0));
        let (send_waker, waker) = std::sync::mpsc::channel::<Waker>();
        let owner = std::thread::spawn({
            let posted = Arc::clone(&posted);
            move || {
                let mut device = open(choice).expect("a device");
                send_waker.send(device.waker()).expect("listener");
                let mut done = Vec::new();
                while posted.load(Ordering::SeqCst) < 20_000 {
                    device.poll(Wait::Forever, &mut done).expect("poll");
                }
                device.counters()
            }
        });
        let waker = waker.recv().expect("the owner's waker");
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (waker, posted) = (waker.clone(), Arc::clone(&posted));
                std::thread::spawn(move || {
                    for _ in 0..10_000 {
                        posted.fetch_add(1, Ordering::SeqCst);
                        waker.wake();
                    }
                })
            })
            .collect();
        for other in others {
            other.join().expect("no panic");
        }
        let counters = owner.join().expect("no panic");
        assert!(count(&counters.wakeups) <= 20_000);
    }
}

#[test]
fn a_sleep_ends_by_itself() {
    for mut device in devices() {
        let start = Instant::now();
        let mut done = Vec::new();
        device.poll(Wait::AtMost(Duration::from_millis(20)), &mut done).expect("poll");
        assert!(done.is_empty());
        assert!(start.elapsed() >= Duration::from_millis(15), "slept {:?}", start.elapsed());
        device.poll(Wait::Now, &mut done).expect("poll");
    }
}

#[test]
fn many_files_for_many_threads_through_one_owner() {
    const THREADS: usize = 4;
    const WRITES: u64 = 50;
    for choice in [IoChoice::Threads, IoChoice::Auto] {
        let dir = TempDir::new("threads");
        let (post, inbox) = std::sync::mpsc::channel::<(usize, u64)>();
        let (send_waker, waker) = std::sync::mpsc::channel::<Waker>();
        let folder = dir.path().to_path_buf();
        let owner = std::thread::spawn(move || {
            let mut device = open(choice).expect("a device");
            send_waker.send(device.waker()).expect("listener");
            let files: Vec<FileId> = (0..THREADS)
                .map(|n| {
                    device
                        .attach(OpenFile::open(&folder.join(n.to_string()), OpenMode::DIRECT).expect("open"))
                })
                .collect();
            let mut done = Vec::new();
            while done.len() < THREADS * usize::try_from(WRITES).expect("small") {
                for (thread, block) in inbox.try_iter() {
                    device.push(block, write(files[thread], block, 1 + thread as u8, 1, Durability::Sync));
                }
                device.poll(Wait::Forever, &mut done).expect("poll");
            }
            done.iter().all(|c| c.result == Ok(ALIGN))
        });
        let waker = waker.recv().expect("the owner's waker");
        let posters: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (post, waker) = (post.clone(), waker.clone());
                std::thread::spawn(move || {
                    for block in 0..WRITES {
                        post.send((thread, block)).expect("the owner listens");
                        waker.wake();
                    }
                })
            })
            .collect();
        for poster in posters {
            poster.join().expect("no panic");
        }
        assert!(owner.join().expect("no panic"));
        for thread in 0..THREADS {
            let bytes = std::fs::read(dir.path().join(thread.to_string())).expect("read");
            assert_eq!(bytes.len() as u64, WRITES * ALIGN as u64);
            assert!(bytes.iter().all(|&b| b == 1 + thread as u8));
        }
    }
}

#[test]
fn dropping_with_work_under_way_finishes_it() {
    for mut device in devices() {
        let dir = TempDir::new("drop");
        let path = dir.path().join("f");
        let file = device.attach(OpenFile::open(&path, OpenMode::DIRECT).expect("open"));
        for n in 0..300 {
            device.push(n, write(file, n, 6, 1, Durability::Later));
        }
        drop(device);
        let bytes = std::fs::read(&path).expect("read");
        assert_eq!(bytes.len(), 300 * ALIGN);
        assert!(bytes.iter().all(|&b| b == 6));
    }
}

#[test]
#[should_panic(expected = "is not aligned")]
fn a_direct_write_at_an_odd_offset_is_a_bug() {
    let mut device = open(IoChoice::Threads).expect("threads");
    let dir = TempDir::new("odd");
    let file = OpenFile::open(&dir.path().join("f"), OpenMode::DIRECT).expect("open");
    assert!(file.is_direct(), "is not aligned: skipped, no direct I/O here");
    let file = device.attach(file);
    device.push(
        0,
        Op::Write { file, offset: 1, buf: AlignedBuf::zeroed(ALIGN), durability: Durability::Later },
    );
}

#[test]
fn settings_are_words() {
    assert_eq!("threads".parse::<IoChoice>(), Ok(IoChoice::Threads));
    assert_eq!("auto".parse::<IoChoice>(), Ok(IoChoice::Auto));
    assert!("uring".parse::<IoChoice>().expect_err("unknown").contains("auto, ring or threads"));
}
