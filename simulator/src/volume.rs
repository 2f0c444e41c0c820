//! The volume as the buffer pool of a simulated process sees it: the four contracts over a log that is lent while futures are polled.
//!
//! ```text
//!   event of the process ─► core steps ─► log lent ─► futures polled: reserve, append, read, wait ─► log back ─► messages, reads leave
//! ```
//! Nothing of it runs by itself. A waiting future is woken when the log is lent again or when its page came; so the same events poll
//! the same futures in the same order.

use buffer_pool::{BufferPool, PoolConfig};
use protocol::contract::{
    Credit, CreditHome, LogError, LogWriter, MtrRecord, PageReader, PageVictim, ReadError, VdlObserver,
};
use protocol::env::BoxFuture;
use protocol::page::{self, PageBuf};
use protocol::record::frame_len;
use protocol::{Lsn, PageId, PgId, VolumeEpoch};
use quorum::{Actions, WriterLog};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
    /// Whoever waits for credit, durability, growth or a lease: woken whenever the log is lent.
    waiters: Vec<Waker>,
    /// Whoever waits for a page.
    readers: BTreeMap<u64, Waker>,
    observers: Vec<Arc<dyn VdlObserver>>,
    /// What observers were told.
    observed: Lsn,
}

impl Lent {
    fn log(&mut self) -> Result<&mut WriterLog, LogError> {
        self.log.as_deref_mut().ok_or(LogError::Closed)
    }
}

/// The volume as the pool sees it.
pub(crate) struct Volume {
    epoch: VolumeEpoch,
    /// Statements are answered under a lease.
    leases: bool,
    lent: Mutex<Lent>,
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Volume({:?})", self.epoch)
    }
}

/// What the volume has to say after futures were polled.
#[derive(Default)]
pub(crate) struct Said {
    /// Reads wanted: number, page, read point.
    pub(crate) asks: Vec<(u64, PageId, Lsn)>,
    /// Commits appended.
    pub(crate) commits: Vec<Lsn>,
    /// Pages that left above VDL: page, its LSN, VDL.
    pub(crate) too_early: Vec<(PageId, Lsn, Lsn)>,
}

impl Volume {
    /// The volume of a log that has just opened.
    pub(crate) fn new(log: &WriterLog, leases: bool) -> Arc<Volume> {
        Arc::new(Volume { epoch: log.epoch(), leases, lent: Mutex::default() })
    }

    /// A pool over it, without a page.
    pub(crate) fn pool(self: &Arc<Self>, frames: usize) -> (Arc<BufferPool>, Arc<dyn LogWriter>) {
        let handle = || Arc::new(Handle(Arc::clone(self)));
        (BufferPool::new(PoolConfig { frames }, handle(), handle(), Some(handle())), handle())
    }

    /// The log is lent from here on; whoever waits looks again, and is told of the VDL.
    pub(crate) fn lend(&self, log: Box<WriterLog>, actions: &mut Actions, now_us: u64) {
        let (waiters, observers, vdl) = {
            let mut lent = self.lent();
            let vdl = log.vdl();
            let rose = std::mem::replace(&mut lent.observed, vdl) < vdl;
            (lent.log, lent.now_us) = (Some(log), now_us);
            std::mem::swap(&mut lent.actions, actions);
            let observers = if rose { lent.observers.clone() } else { Vec::new() };
            (std::mem::take(&mut lent.waiters), observers, vdl)
        };
        observers.into_iter().for_each(|observer| observer.durable(vdl));
        waiters.into_iter().for_each(Waker::wake);
    }

    /// The log goes back, and what was said meanwhile.
    pub(crate) fn give_back_log(&self, actions: &mut Actions) -> (Box<WriterLog>, Said) {
        let mut lent = self.lent();
        std::mem::swap(&mut lent.actions, actions);
        let Lent { asks, commits, too_early, .. } = &mut *lent;
        let said = Said {
            asks: std::mem::take(asks),
            commits: std::mem::take(commits),
            too_early: std::mem::take(too_early),
        };
        (lent.log.take().expect("invariant: what was lent comes back"), said)
    }

    /// A segment answered the read of this number.
    pub(crate) fn answer(&self, number: u64, image: &[u8]) {
        let Some(image) = PageBuf::from_slice(image) else { return };
        let reader = {
            let mut lent = self.lent();
            lent.answers.insert(number, image);
            lent.readers.remove(&number)
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// It needs no page version below.
    pub(crate) fn released(&self) -> Lsn {
        self.lent().released
    }

    /// A statement may be answered now (R8 f); waits for the lease.
    pub(crate) async fn answerable(&self) -> Result<(), LogError> {
        poll_fn(|cx| {
            let leased = {
                let mut lent = self.lent();
                let now_us = lent.now_us;
                lent.log().map(|log| !self.leases || log.leased(now_us))
            };
            match leased {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => self.waits(cx),
                Err(error) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Nobody is told anything any more.
    pub(crate) fn forget(&self) {
        let gone = {
            let mut lent = self.lent();
            (
                std::mem::take(&mut lent.observers),
                std::mem::take(&mut lent.waiters),
                std::mem::take(&mut lent.readers),
            )
        };
        drop(gone);
    }

    fn waits<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.lent().waiters.push(cx.waker().clone());
        Poll::Pending
    }

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
        Box::pin(poll_fn(move |cx| match self.try_reserve(bytes) {
            Ok(None) => self.0.waits(cx),
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
        Box::pin(poll_fn(move |cx| {
            let durable = self.0.lent().log().map(|log| log.vdl() >= lsn);
            match durable {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => self.0.waits(cx),
                Err(error) => Poll::Ready(Err(error)),
            }
        }))
    }

    fn observe(&self, observer: Arc<dyn VdlObserver>) {
        self.0.lent().observers.push(observer);
    }

    fn epoch(&self) -> VolumeEpoch {
        self.0.epoch
    }

    fn ensure_pages(&self, last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        let mut next = PgId(0);
        Box::pin(poll_fn(move |cx| {
            let mut lent = self.0.lent();
            let Lent { log, actions, now_us, .. } = &mut *lent;
            let Some(log) = log.as_deref_mut() else { return Poll::Ready(Err(LogError::Closed)) };
            let last = log.head().geometry().pg_of(last);
            while next <= last {
                match log.ensure_group(next) {
                    Ok(true) => next.0 += 1,
                    Ok(false) => {
                        log.poll_send(*now_us, actions);
                        drop(lent);
                        return self.0.waits(cx);
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
        Box::pin(poll_fn(move |cx| {
            let mut lent = self.0.lent();
            let Ok(log) = lent.log() else { return Poll::Ready(Err(ReadError::Closed)) };
            let listed = log.head().group(log.head().geometry().pg_of(page)).is_some();
            match asked {
                None if !listed => Poll::Ready(Ok(PageBuf::blank(page))),
                None => {
                    lent.next_ask += 1;
                    let number = lent.next_ask;
                    lent.asks.push((number, page, at));
                    lent.readers.insert(number, cx.waker().clone());
                    asked = Some(number);
                    Poll::Pending
                }
                Some(number) => match lent.answers.remove(&number) {
                    Some(image) => Poll::Ready(Ok(image)),
                    None => {
                        lent.readers.insert(number, cx.waker().clone());
                        Poll::Pending
                    }
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
