//! A compute process with a real buffer pool: pages are fetched from segments, changed under latches, and leave when they may.
//!
//! ```text
//!   change ─► pin (fetch) ─► reserve ─► latch, run, append ─► release          futures, polled after every event of the process
//!                │              │             │
//!                ▼              ▼             ▼
//!   [Volume]  asks ─► reads    LAL     WriterLog, lent to the volume while futures are polled
//! ```
//!
//! The pool has fewer frames than the volume has pages, so pages leave and come back all the time, also while nothing becomes
//! durable. What leaves is looked at (I16); what comes back is compared with the model as every read is (I13); and a page that
//! came back too old shows in the history, whose back-links no longer hold (I2).

use crate::compute::{Compute, Told};
use crate::rng::Rng;
use crate::volume::{Said, Volume};
use buffer_pool::{BufferPool, MtrKind, PinnedPage, PoolError};
use protocol::contract::Credit;
use protocol::env::BoxFuture;
use protocol::page::{self, PageKind};
use protocol::redo::Op;
use protocol::{Lsn, PageId};
use quorum::{Actions, WriterLog};
use std::sync::Arc;
use std::task::{Context, Waker};

/// Frames of every pool: the fewest there may be.
pub(crate) const FRAMES: usize = 96;
/// Changes under way at once.
const CHANGES: usize = 4;

/// A change to make: pages in order of id, and what to write where.
struct Change {
    pages: Vec<PageId>,
    writes: Vec<(u16, Vec<u8>)>,
    commit: bool,
}

impl Change {
    fn draw(pages: Vec<PageId>, rng: &mut Rng) -> Change {
        let write = |rng: &mut Rng| {
            let bytes: Vec<u8> = (0..rng.range(1, 60)).map(|_| rng.bits() as u8).collect();
            (rng.range(32, 16_384 - 128) as u16, bytes)
        };
        let writes = pages.iter().map(|_| write(rng)).collect();
        Change { pages, writes, commit: rng.chance(5_000) }
    }

    /// Bytes of redo at most: headers, a kind, one write.
    fn room(&self) -> usize {
        self.writes.iter().map(|(_, bytes)| bytes.len() + 200).sum()
    }
}

async fn change(pool: Arc<BufferPool>, change: Change) -> Result<(), PoolError> {
    if let Some(last) = change.pages.last() {
        pool.log().ensure_pages(*last).await?;
    }
    let mut pins = Vec::new();
    for page in &change.pages {
        pins.push(pool.pin(*page).await?);
    }
    let credit = pool.reserve(change.room()).await?;
    run(&pool, credit, &pins, &change)
}

/// One synchronous stretch from the first latch to the release.
fn run(pool: &BufferPool, credit: Credit, pins: &[PinnedPage], change: &Change) -> Result<(), PoolError> {
    let mut mtr = pool.begin(MtrKind::Plain, credit);
    for (pin, (offset, bytes)) in pins.iter().zip(&change.writes) {
        let page = mtr.latch(pin)?;
        if page::lsn(mtr.page(page)) == Lsn::ZERO {
            mtr.run(page, Op::Init { kind: PageKind::Tree });
        }
        mtr.run(page, Op::Write { offset: *offset, bytes });
        // What is there already is not logged: the page of the commit must change.
        mtr.run(page, Op::StampLsn { offset: if *offset < 8_000 { offset + 100 } else { offset - 100 } });
        if change.commit {
            mtr.commit_at(page);
        }
    }
    mtr.finish().map(|_| ())
}

/// The pool of an open process, and what it does.
pub(crate) struct Pool {
    volume: Arc<Volume>,
    pool: Arc<BufferPool>,
    changes: Vec<BoxFuture<'static, Result<(), PoolError>>>,
}

impl Pool {
    /// An empty pool over a log that has just opened.
    pub(crate) fn new(log: &WriterLog) -> Pool {
        let volume = Volume::new(log, false);
        let (pool, _) = volume.pool(FRAMES);
        Pool { volume, pool, changes: Vec::new() }
    }

    /// Begins to change these pages, unless enough is under way.
    pub(crate) fn begin(&mut self, mut pages: Vec<PageId>, rng: &mut Rng) {
        pages.sort_unstable();
        if self.changes.len() < CHANGES {
            let pool = Arc::clone(&self.pool);
            self.changes.push(Box::pin(change(pool, Change::draw(pages, rng))));
        }
    }

    /// It needs no page version below.
    pub(crate) fn released(&self) -> Lsn {
        self.volume.released()
    }

    /// A segment answered the read of this number.
    pub(crate) fn answer(&self, number: u64, image: &[u8]) {
        self.volume.answer(number, image);
    }

    /// What happens while the log is lent; gives it back.
    fn poll(&mut self, log: Box<WriterLog>, actions: &mut Actions, now_us: u64) -> (Box<WriterLog>, Said) {
        self.volume.lend(log, actions, now_us);
        let context = &mut Context::from_waker(Waker::noop());
        // One that ends may let another one go on.
        loop {
            let before = self.changes.len();
            self.changes.retain_mut(|change| change.as_mut().poll(context).is_pending());
            if self.changes.len() == before {
                break;
            }
        }
        self.volume.give_back_log(actions)
    }
}

impl Compute {
    /// Lets the pool go on as far as it can.
    pub(crate) fn drive_pool(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Some(mut pool) = self.pool.take() else { return };
        let Some(log) = self.lend_log() else { return };
        let (log, said) = pool.poll(log, &mut self.actions, now_us);
        self.take_log_back(log);
        self.commits.extend(&said.commits);
        self.pool = Some(pool);
        self.said(now_us, said, told);
    }

    /// What a volume said: early leavers, and the reads it wants.
    pub(crate) fn said(&mut self, now_us: u64, said: Said, told: &mut Vec<Told>) {
        told.extend(said.too_early.into_iter().map(|(page, lsn, vdl)| Told::LeftEarly { page, lsn, vdl }));
        for (number, page, at) in said.asks {
            self.read_for_pool(now_us, page, at, number);
        }
    }
}
