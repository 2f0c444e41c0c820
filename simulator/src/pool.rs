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
use buffer_pool::{BufferPool, MtrKind, PinnedPage, PoolConfig, PoolError};
use protocol::contract::{
    Credit, CreditHome, LogError, LogWriter, MtrRecord, PageReader, PageVictim, ReadError, VdlObserver,
};
use protocol::env::BoxFuture;
use protocol::page::{self, PageBuf, PageKind};
use protocol::record::frame_len;
use protocol::redo::Op;
use protocol::{Lsn, PageId, PgId, VolumeEpoch};
use quorum::{Actions, WriterLog};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Frames of every pool: the fewest there may be.
pub(crate) const FRAMES: usize = 96;
/// Changes under way at once.
const CHANGES: usize = 4;

/// What of the process the volume may touch while futures are polled, and what it has to say.
#[derive(Default)]
struct Lent {
    log: Option<Box<WriterLog>>,
    actions: Actions,
    now_us: u64,
    /// Reads wanted: number, page, read point.
    asks: Vec<(u64, PageId, Lsn)>,
    answers: BTreeMap<u64, PageBuf>,
    next_ask: u64,
    commits: Vec<Lsn>,
    /// The pool has no reader below.
    released: Lsn,
    /// Pages that left above the VDL of their moment.
    too_early: Vec<(PageId, Lsn, Lsn)>,
}

impl Lent {
    fn log(&mut self) -> Result<&mut WriterLog, LogError> {
        self.log.as_deref_mut().ok_or(LogError::Closed)
    }
}

/// The volume as the pool sees it.
pub(crate) struct Volume {
    epoch: VolumeEpoch,
    lent: Mutex<Lent>,
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Volume({:?})", self.epoch)
    }
}

impl Volume {
    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn home(self: &Arc<Self>) -> Arc<dyn CreditHome> {
        Arc::clone(self) as Arc<dyn CreditHome>
    }
}

impl CreditHome for Volume {
    fn give_back(&self, bytes: u64) {
        // Dropped with its process, it has nobody to give anything back to.
        if let Ok(log) = self.lent().log() {
            log.give_back(bytes);
        }
    }
}

/// The handle the pool holds: credit needs the shared one.
struct Handle(Arc<Volume>);

impl LogWriter for Handle {
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError> {
        let fits = self.0.lent().log()?.try_reserve(bytes)?;
        Ok(fits.then(|| Credit::new(bytes, self.0.home())))
    }

    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>> {
        Box::pin(poll_fn(move |_| match self.try_reserve(bytes) {
            Ok(None) => Poll::Pending,
            Ok(Some(credit)) => Poll::Ready(Ok(credit)),
            Err(error) => Poll::Ready(Err(error)),
        }))
    }

    fn append(
        &self,
        mut credit: Credit,
        records: &mut [MtrRecord<'_>],
        commit: bool,
    ) -> Result<Lsn, LogError> {
        let spent: u64 = records.iter().map(|r| frame_len(r.ops.bytes(), false) as u64).sum();
        let mut lent = self.0.lent();
        let Lent { log, actions, now_us, commits, .. } = &mut *lent;
        let log = log.as_deref_mut().ok_or(LogError::Closed)?;
        let cpl = log.append(*now_us, records, commit)?;
        log.poll_send(*now_us, actions);
        if commit {
            commits.push(cpl);
        }
        drop(lent);
        credit.spend(spent);
        Ok(cpl)
    }

    fn vdl(&self) -> Lsn {
        self.0.lent().log().map_or(Lsn::ZERO, |log| log.vdl())
    }

    fn last_lsn(&self) -> Lsn {
        self.0.lent().log().map_or(Lsn::ZERO, |log| log.last_lsn())
    }

    fn wait_durable(&self, lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>> {
        if let Ok(log) = self.0.lent().log() {
            log.want_durable(lsn);
        }
        Box::pin(poll_fn(move |_| match self.0.lent().log() {
            Ok(log) if log.vdl() >= lsn => Poll::Ready(Ok(())),
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }))
    }

    fn observe(&self, _observer: Arc<dyn VdlObserver>) {
        // Nobody here keeps what an observer is told: every future looks for itself.
    }

    fn epoch(&self) -> VolumeEpoch {
        self.0.epoch
    }

    fn ensure_pages(&self, last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        let mut next = PgId(0);
        Box::pin(poll_fn(move |_| {
            let mut lent = self.0.lent();
            let Lent { log, actions, now_us, .. } = &mut *lent;
            let Some(log) = log.as_deref_mut() else { return Poll::Ready(Err(LogError::Closed)) };
            let last = log.head().geometry().pg_of(last);
            while next <= last {
                match log.ensure_group(next) {
                    Ok(true) => next.0 += 1,
                    Ok(false) => {
                        log.poll_send(*now_us, actions);
                        return Poll::Pending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Ready(Ok(()))
        }))
    }

    fn release_below(&self, lsn: Lsn) {
        // The process has readers beside the pool: it tells storage what both allow.
        let mut lent = self.0.lent();
        lent.released = lent.released.max(lsn);
    }
}

impl PageReader for Handle {
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        let mut asked = None;
        Box::pin(poll_fn(move |_| {
            let mut lent = self.0.lent();
            let Ok(log) = lent.log() else { return Poll::Ready(Err(ReadError::Closed)) };
            let listed = log.head().group(log.head().geometry().pg_of(page)).is_some();
            match asked {
                None if !listed => Poll::Ready(Ok(PageBuf::blank(page))),
                None => {
                    lent.next_ask += 1;
                    let number = lent.next_ask;
                    lent.asks.push((number, page, at));
                    asked = Some(number);
                    Poll::Pending
                }
                Some(number) => match lent.answers.remove(&number) {
                    Some(image) => Poll::Ready(Ok(image)),
                    None => Poll::Pending,
                },
            }
        }))
    }
}

impl PageVictim for Handle {
    fn evicted(&self, page: PageId, image: &PageBuf) {
        let (vdl, lsn) = (self.vdl(), page::lsn(image.bytes()));
        if lsn > vdl {
            self.0.lent().too_early.push((page, lsn, vdl));
        }
    }

    fn dirtied(&self, _page: PageId) {}
}

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
        let volume = Arc::new(Volume { epoch: log.epoch(), lent: Mutex::default() });
        let handle = || Arc::new(Handle(Arc::clone(&volume)));
        let pool = BufferPool::new(PoolConfig { frames: FRAMES }, handle(), handle(), Some(handle()));
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
        self.volume.lent().released
    }

    /// A segment answered the read of this number.
    pub(crate) fn answer(&mut self, number: u64, image: &[u8]) {
        if let Some(image) = PageBuf::from_slice(image) {
            self.volume.lent().answers.insert(number, image);
        }
    }

    /// What happens while the log is lent; gives it back.
    fn poll(&mut self, log: Box<WriterLog>, actions: &mut Actions, now_us: u64) -> Box<WriterLog> {
        {
            let mut lent = self.volume.lent();
            (lent.log, lent.now_us) = (Some(log), now_us);
            std::mem::swap(&mut lent.actions, actions);
        }
        let context = &mut Context::from_waker(Waker::noop());
        // One that ends may let another one go on.
        loop {
            let before = self.changes.len();
            self.changes.retain_mut(|change| change.as_mut().poll(context).is_pending());
            if self.changes.len() == before {
                break;
            }
        }
        let mut lent = self.volume.lent();
        std::mem::swap(&mut lent.actions, actions);
        lent.log.take().expect("invariant: what was lent comes back")
    }
}

impl Compute {
    /// Lets the pool go on as far as it can.
    pub(crate) fn drive_pool(&mut self, now_us: u64, told: &mut Vec<Told>) {
        let Some(mut pool) = self.pool.take() else { return };
        let Some(log) = self.lend_log() else { return };
        let log = pool.poll(log, &mut self.actions, now_us);
        self.take_log_back(log);
        let (asks, commits, too_early) = {
            let mut lent = pool.volume.lent();
            let Lent { asks, commits, too_early, .. } = &mut *lent;
            (std::mem::take(asks), std::mem::take(commits), std::mem::take(too_early))
        };
        self.commits.extend(commits);
        told.extend(too_early.into_iter().map(|(page, lsn, vdl)| Told::LeftEarly { page, lsn, vdl }));
        self.pool = Some(pool);
        for (number, page, at) in asks {
            self.read_for_pool(now_us, page, at, number);
        }
    }
}
