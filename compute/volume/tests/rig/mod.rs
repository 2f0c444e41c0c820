//! What the tests of this crate share: a folder on a disk, a real clock, a small workload with a model.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use cache_nvme::device::IoChoice;
use protocol::contract::MtrRecord;
use protocol::env::{BoxFuture, Env};
use protocol::page;
use protocol::redo::{Op, OpsBuf};
use protocol::{Lsn, PageId, PageKind};
use volume::{Config, Volume};

/// A folder that goes away with its owner; beside the test binary, so that it lies on a disk.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(what: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::current_exe().expect("own path");
        let root = root.parent().expect("a folder").join("scratch");
        let path = root.join(format!("volume-{what}-{}-{n}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("create a scratch folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct RealEnv {
    start: Instant,
    state: AtomicU64,
}

impl RealEnv {
    pub(crate) fn make() -> Arc<dyn Env> {
        let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        Arc::new(Self { start: Instant::now(), state: AtomicU64::new(seed.as_nanos() as u64) })
    }
}

impl Env for RealEnv {
    fn now_us(&self) -> u64 {
        1 + self.start.elapsed().as_micros() as u64
    }
    fn wall_us(&self) -> i64 {
        0
    }
    fn random(&self) -> u64 {
        let mut z = self.state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn sleep(&self, _us: u64) -> BoxFuture<'static, ()> {
        unreachable!("the driver sleeps by ticks")
    }
    fn spawn(&self, _name: &'static str, _task: BoxFuture<'static, ()>) {
        unreachable!("the driver spawns nothing")
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread; panics after `limit`.
pub(crate) fn block_on<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let deadline = Instant::now() + limit;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let left = deadline.checked_duration_since(Instant::now()).expect("done in time");
        std::thread::park_timeout(left);
    }
}

pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Few, so that several protection groups come into being.
pub(crate) const PAGES_PER_PG: u64 = 64;

pub(crate) fn config(data: &Path, io: IoChoice) -> Config {
    Config { io, pages_per_pg: PAGES_PER_PG, ..Config::new(data) }
}

pub(crate) fn open(data: &Path, io: IoChoice) -> Volume {
    Volume::open(&config(data, io), RealEnv::make()).expect("the volume opens")
}

/// What the pages must hold: per page its last LSN and fill byte.
#[derive(Clone, Default, Debug)]
pub(crate) struct Model {
    pub(crate) pages: BTreeMap<PageId, (Lsn, u8)>,
}

impl Model {
    /// One mini-transaction: `fill` into 64 bytes of `page`.
    pub(crate) fn write(&mut self, volume: &Volume, page: PageId, fill: u8) -> Lsn {
        let log = volume.log();
        let prev = self.pages.get(&page).map_or(Lsn::ZERO, |(lsn, _)| *lsn);
        block_on(LIMIT, log.ensure_pages(page)).expect("the group exists");
        let mut ops = OpsBuf::new();
        if prev == Lsn::ZERO {
            ops.push(Op::Init { kind: PageKind::Tree });
        }
        ops.push(Op::Write { offset: 200, bytes: &[fill; 64] });
        let credit = block_on(LIMIT, log.reserve(1024)).expect("room");
        let mut records = [MtrRecord { page, prev_page: prev, ops: &ops, lsn: Lsn::ZERO }];
        let lsn = log.append(credit, &mut records, true).expect("appended");
        self.pages.insert(page, (lsn, fill));
        lsn
    }

    /// `count` mini-transactions over `pages` pages, one after the other in the log; returns the last LSN.
    pub(crate) fn fill(&mut self, volume: &Volume, count: u64, pages: u64, salt: u64) -> Lsn {
        let mut last = Lsn::ZERO;
        for n in 0..count {
            let x = (n + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            last = self.write(volume, PageId(x % pages), (x % 251) as u8 + 1);
        }
        last
    }

    /// Every page reads as it must.
    pub(crate) fn check(&self, volume: &Volume) {
        let (log, reader) = (volume.log(), volume.reader());
        for (&id, &(lsn, fill)) in &self.pages {
            let image = block_on(LIMIT, reader.read(id, log.vdl())).expect("an image");
            assert_eq!(page::lsn(image.bytes()), lsn, "{id:?} at VDL {:?}", log.vdl());
            assert_eq!(image.bytes()[200..264], [fill; 64], "{id:?}");
        }
    }
}

pub(crate) fn durable(volume: &Volume, lsn: Lsn) {
    block_on(LIMIT, volume.log().wait_durable(lsn)).expect("durable");
}

/// Waits until `done` says so.
pub(crate) fn until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
