//! A volume in memory, for tests of pool, trees and engine: a log that keeps every record, and pages replayed from it.
//!
//! It is strict where the real one is: credit is counted against LAL, reads are refused above VDL, pages are built by
//! `redo::apply` with its back-link check, and [`MemoryVolume::crash_at`] gives the volume a recoverer would open.

use crate::event::Event;
use bytes::Bytes;
use parking_lot::Mutex;
use protocol::contract::{
    Credit, CreditHome, LogError, LogWriter, MtrRecord, PageReader, ReadError, VdlObserver,
};
use protocol::env::BoxFuture;
use protocol::page::{self, PageBuf};
use protocol::record::{self, Record, RecordFlags, RecordHeader};
use protocol::redo;
use protocol::{Geometry, Lsn, PageId, PgId, VolumeEpoch};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// When appended records become durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// At once.
    Instant,
    /// So many mini-transactions later, or when somebody waits for it.
    Behind(usize),
    /// When [`MemoryVolume::advance`] says so.
    Manual,
}

#[derive(Default)]
struct Credits {
    outstanding: AtomicU64,
    event: Event,
}

impl std::fmt::Debug for Credits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credits({})", self.outstanding.load(Ordering::Relaxed))
    }
}

impl CreditHome for Credits {
    fn give_back(&self, bytes: u64) {
        self.outstanding.fetch_sub(bytes, Ordering::SeqCst);
        self.event.notify();
    }
}

struct State {
    epoch: VolumeEpoch,
    opening: bool,
    base: Lsn,
    vdl: Lsn,
    last: Lsn,
    released: Lsn,
    records: Vec<Record>,
    cpls: Vec<Lsn>,
    pages: BTreeMap<PageId, Vec<Record>>,
    /// Newest image built of a page and the number of its records in it.
    built: BTreeMap<PageId, (PageBuf, usize)>,
    prev_pg: BTreeMap<PgId, Lsn>,
    ended: Option<LogError>,
    observers: Vec<Arc<dyn VdlObserver>>,
}

/// See the module.
pub struct MemoryVolume {
    state: Mutex<State>,
    credits: Arc<Credits>,
    durable: Event,
    geometry: Geometry,
    lal: u64,
    durability: Durability,
    /// Times a read is pending before it answers.
    pub read_yields: usize,
}

impl MemoryVolume {
    /// An empty volume with the default LAL of 10,000,000 bytes.
    #[must_use]
    pub fn new(durability: Durability) -> Arc<MemoryVolume> {
        MemoryVolume::with(durability, 10_000_000, 1)
    }

    /// An empty volume.
    #[must_use]
    pub fn with(durability: Durability, lal: u64, read_yields: usize) -> Arc<MemoryVolume> {
        Arc::new(MemoryVolume::of_records(durability, lal, read_yields, VolumeEpoch(1), Lsn::ZERO, &[]))
    }

    fn of_records(
        durability: Durability,
        lal: u64,
        read_yields: usize,
        epoch: VolumeEpoch,
        last: Lsn,
        records: &[Record],
    ) -> MemoryVolume {
        let mut state = State {
            epoch,
            opening: true,
            base: last,
            vdl: records.last().map_or(Lsn::ZERO, |r| r.lsn),
            last,
            released: Lsn::ZERO,
            records: Vec::new(),
            cpls: Vec::new(),
            pages: BTreeMap::new(),
            built: BTreeMap::new(),
            prev_pg: BTreeMap::new(),
            ended: None,
            observers: Vec::new(),
        };
        for record in records {
            state.keep(record.clone());
        }
        MemoryVolume {
            state: Mutex::new(state),
            credits: Arc::default(),
            durable: Event::default(),
            geometry: Geometry { pages_per_pg: 1000 },
            lal,
            durability,
            read_yields,
        }
    }

    /// When records become durable here.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Every record so far, in log order.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.state.lock().records.clone()
    }

    /// Every CPL so far.
    #[must_use]
    pub fn cpls(&self) -> Vec<Lsn> {
        self.state.lock().cpls.clone()
    }

    /// The volume that is opened after a crash of the machine with VDL at `cpl`: everything above is gone, the next LSN
    /// lies above a hole.
    ///
    /// # Panics
    /// When `cpl` is neither zero nor a CPL.
    #[must_use]
    pub fn crash_at(&self, cpl: Lsn) -> Arc<MemoryVolume> {
        let state = self.state.lock();
        assert!(cpl == Lsn::ZERO || state.cpls.binary_search(&cpl).is_ok(), "{cpl} is no CPL");
        let upto = state.records.partition_point(|r| r.lsn <= cpl);
        let hole = state.last.max(cpl).advance(self.lal);
        Arc::new(MemoryVolume::of_records(
            self.durability,
            self.lal,
            self.read_yields,
            state.epoch.next(),
            hole,
            &state.records[..upto],
        ))
    }

    /// Moves VDL to the last CPL at or below `to`.
    pub fn advance(&self, to: Lsn) {
        let told = {
            let mut state = self.state.lock();
            let upto = state.cpls.partition_point(|&c| c <= to);
            let vdl = if upto == 0 { Lsn::ZERO } else { state.cpls[upto - 1] };
            if vdl <= state.vdl || state.ended.is_some() {
                return;
            }
            state.vdl = vdl;
            (vdl, state.observers.clone())
        };
        self.credits.event.notify();
        self.durable.notify();
        for observer in told.1 {
            observer.durable(told.0);
        }
    }

    /// Ends the log as another writer would.
    pub fn fence(&self) {
        let (error, observers) = {
            let mut state = self.state.lock();
            let error = LogError::Fenced { ours: state.epoch, theirs: state.epoch.next() };
            state.ended = Some(error.clone());
            (error, state.observers.clone())
        };
        self.credits.event.notify();
        self.durable.notify();
        for observer in observers {
            observer.ended(&error);
        }
    }

    /// The floor told by `release_below`.
    #[must_use]
    pub fn released(&self) -> Lsn {
        self.state.lock().released
    }

    /// The image of a page as of `at`, sealed; what a segment would serve.
    #[must_use]
    pub fn image(&self, page: PageId, at: Lsn) -> PageBuf {
        self.state.lock().image(page, at)
    }

    fn give(&self, bytes: u64) -> Credit {
        Credit::new(bytes, Arc::clone(&self.credits) as Arc<dyn CreditHome>)
    }

    /// Time passes for somebody who waits.
    fn wait_helps(&self) {
        if matches!(self.durability, Durability::Behind(_)) {
            self.advance(Lsn::MAX);
        }
    }
}

impl State {
    fn keep(&mut self, record: Record) {
        self.last = self.last.max(record.lsn);
        self.prev_pg.insert(record.pg, record.lsn);
        if record.flags.has(RecordFlags::CPL) {
            self.cpls.push(record.lsn);
        }
        self.pages.entry(record.page).or_default().push(record.clone());
        self.records.push(record);
    }

    fn image(&mut self, page: PageId, at: Lsn) -> PageBuf {
        let Some(records) = self.pages.get(&page) else {
            let mut image = PageBuf::blank(page);
            page::seal(image.bytes_mut());
            return image;
        };
        let upto = records.partition_point(|r| r.lsn <= at);
        let (mut image, done) = match self.built.get(&page) {
            Some((image, done)) if *done <= upto => (image.clone(), *done),
            _ => (PageBuf::blank(page), 0),
        };
        for record in &records[done..upto] {
            redo::apply(image.bytes_mut(), record).unwrap_or_else(|e| panic!("replay of {record:?}: {e}"));
        }
        page::seal(image.bytes_mut());
        self.built.insert(page, (image.clone(), upto));
        image
    }
}

impl LogWriter for MemoryVolume {
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError> {
        let state = self.state.lock();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        let used =
            state.last.since(state.vdl.max(state.base)) + self.credits.outstanding.load(Ordering::SeqCst);
        if used + bytes > self.lal {
            return Ok(None);
        }
        self.credits.outstanding.fetch_add(bytes, Ordering::SeqCst);
        Ok(Some(self.give(bytes)))
    }

    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>> {
        Box::pin(async move {
            assert!(bytes <= self.lal, "a credit of {bytes} bytes never fits LAL {}", self.lal);
            loop {
                let listener = self.credits.event.listen();
                if let Some(credit) = self.try_reserve(bytes)? {
                    return Ok(credit);
                }
                self.wait_helps();
                listener.await;
            }
        })
    }

    fn append(
        &self,
        mut credit: Credit,
        records: &mut [MtrRecord<'_>],
        commit: bool,
    ) -> Result<Lsn, LogError> {
        let total = records.len();
        let cpl = {
            let mut state = self.state.lock();
            if let Some(error) = &state.ended {
                return Err(error.clone());
            }
            let mut bytes = 0;
            for (at, one) in records.iter_mut().enumerate() {
                let mut flags = RecordFlags::default();
                if at + 1 == total {
                    flags = flags.with(RecordFlags::CPL);
                    if commit {
                        flags = flags.with(RecordFlags::COMMIT);
                    }
                }
                let prev_volume = state.vdl;
                if std::mem::take(&mut state.opening) {
                    flags = flags.with(RecordFlags::OPENING);
                }
                let len = record::frame_len(one.ops.bytes(), flags.has(RecordFlags::OPENING)) as u64;
                bytes += len;
                one.lsn = state.last.advance(len);
                let pg = self.geometry.pg_of(one.page);
                let header = RecordHeader {
                    epoch: state.epoch,
                    prev_pg: state.prev_pg.get(&pg).copied().unwrap_or_default(),
                    prev_page: one.prev_page,
                    prev_volume,
                    page: one.page,
                    pg,
                    flags,
                };
                let mut frame = Vec::new();
                record::encode(&mut frame, one.lsn, &header, one.ops.bytes());
                let record = Record::decode(&Bytes::from(frame)).expect("invariant: just encoded");
                state.keep(record);
            }
            credit.spend(bytes);
            self.credits.outstanding.fetch_sub(bytes, Ordering::SeqCst);
            state.last
        };
        drop(credit);
        match self.durability {
            Durability::Instant => self.advance(cpl),
            Durability::Behind(by) => {
                let at = {
                    let state = self.state.lock();
                    state.cpls.len().checked_sub(by + 1).map(|at| state.cpls[at])
                };
                if let Some(at) = at {
                    self.advance(at);
                }
            }
            Durability::Manual => {}
        }
        Ok(cpl)
    }

    fn vdl(&self) -> Lsn {
        self.state.lock().vdl
    }

    fn last_lsn(&self) -> Lsn {
        let state = self.state.lock();
        // Before the first record of an opening the hole below it counts for nothing: waiting for this never hangs.
        if state.opening { state.vdl } else { state.last }
    }

    fn wait_durable(&self, lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move {
            loop {
                let listener = self.durable.listen();
                {
                    let state = self.state.lock();
                    if state.vdl >= lsn {
                        return Ok(());
                    }
                    if let Some(error) = &state.ended {
                        return Err(error.clone());
                    }
                }
                self.wait_helps();
                if self.state.lock().vdl < lsn {
                    listener.await;
                }
            }
        })
    }

    fn observe(&self, observer: Arc<dyn VdlObserver>) {
        self.state.lock().observers.push(observer);
    }

    fn epoch(&self) -> VolumeEpoch {
        self.state.lock().epoch
    }

    fn ensure_pages(&self, _last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async { Ok(()) })
    }

    fn release_below(&self, lsn: Lsn) {
        let mut state = self.state.lock();
        assert!(lsn <= state.vdl, "read floor {lsn} above VDL {}", state.vdl);
        state.released = state.released.max(lsn);
    }
}

impl PageReader for MemoryVolume {
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        Box::pin(async move {
            for _ in 0..self.read_yields {
                yield_now().await;
            }
            let mut state = self.state.lock();
            assert!(at <= state.vdl, "read of {page} at {at} above VDL {}", state.vdl);
            if at < state.released {
                return Err(ReadError::Forgotten { page, at });
            }
            Ok(state.image(page, at))
        })
    }
}

/// Pending once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives one future on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        std::thread::park();
    }
}
