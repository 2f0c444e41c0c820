//! [`OpenVolume`]: the redo log of a volume that is open for writing.
//!
//! Everything the core decides is decided under one mutex in short, straight calls; what it asks for (messages, news
//! of VDL) is carried out after the mutex is released. The two numbers everybody reads, VDL and the last LSN, are
//! atomics beside it.
//!
//! Invariants
//! 1. `vdl` and `last` only rise.
//! 2. An LSN is given out only against room reserved before (I25); what a credit does not spend goes back.
//! 3. Waiters for room are served in order; a newcomer does not overtake them.
//! 4. Once the log has ended, every call and every waiter gets the same reason.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard, RwLock};
use protocol::contract::{
    Credit, CreditHome, LinkReceiver, LogError, LogWriter, MtrRecord, SegmentLink, VdlObserver,
};
use protocol::env::{BoxFuture, Env};
use protocol::message::{Envelope, Message};
use protocol::order::{CopyLine, Report};
use protocol::record::frame_len;
use protocol::{Geometry, Lsn, PageId, PgId, VolumeEpoch};
use quorum::{Actions, Event, Notice, SegmentView, WriterLog};

use crate::read::Reads;
use crate::status::{Counters, bump};
use crate::wait::{DurableWaits, RoomQueue};

/// What the mutex guards.
pub(crate) struct Core {
    pub(crate) log: WriterLog,
    pub(crate) room: RoomQueue,
    /// Those who wait for a protection group to come into being.
    group_wakers: Vec<Waker>,
    /// Those who wait for the lease.
    pub(crate) lease_wakers: Vec<Waker>,
    /// Those who wait for a confirmation.
    pub(crate) confirm_wakers: Vec<Waker>,
    ended: Option<LogError>,
}

/// Shared by the volume, its credits and its futures.
pub(crate) struct Shared {
    pub(crate) core: Mutex<Core>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) link: Arc<dyn SegmentLink>,
    pub(crate) geometry: Geometry,
    pub(crate) epoch: VolumeEpoch,
    pub(crate) counters: Counters,
    pub(crate) reads: Reads,
    /// Until when the promises of group 0 live (R8), of the environment's clock.
    pub(crate) leased_until_us: AtomicU64,
    /// When VDL last moved, or the log last ceased to be idle.
    pub(crate) moved_us: AtomicU64,
    vdl: AtomicU64,
    last: AtomicU64,
    durable: Arc<DurableWaits>,
    observers: RwLock<Vec<Arc<dyn VdlObserver>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenVolume({:?}, vdl {})", self.epoch, self.vdl.load(Ordering::Relaxed))
    }
}

/// A volume open for writing: redo goes down, VDL and page images come up.
#[derive(Clone, Debug)]
pub struct OpenVolume {
    pub(crate) shared: Arc<Shared>,
}

impl OpenVolume {
    pub(crate) fn new(log: WriterLog, link: Arc<dyn SegmentLink>, env: Arc<dyn Env>) -> Self {
        // The core allocates above the ceiling of this opening; but nothing above VDL was given out yet, and whoever waits
        // for "all that was written" must not wait for a hole.
        let vdl = log.vdl();
        let durable = Arc::new(DurableWaits::default());
        durable.advance(vdl);
        let core = Core {
            room: RoomQueue::default(),
            group_wakers: Vec::new(),
            lease_wakers: Vec::new(),
            confirm_wakers: Vec::new(),
            ended: None,
            log,
        };
        let shared = Shared {
            geometry: core.log.head().geometry(),
            epoch: core.log.epoch(),
            core: Mutex::new(core),
            leased_until_us: AtomicU64::new(0),
            moved_us: AtomicU64::new(0),
            env,
            link,
            counters: Counters::default(),
            reads: Reads::default(),
            vdl: AtomicU64::new(vdl.0),
            last: AtomicU64::new(vdl.0),
            durable,
            observers: RwLock::default(),
        };
        shared.link.steer(shared.core.lock().log.head());
        Self { shared: Arc::new(shared) }
    }

    /// What an operator wants of the writer; see [`quorum::Order`].
    pub fn order(&self, order: quorum::Order) {
        self.shared.run(Event::Order(order));
    }

    /// What the writer tells an operator.
    #[must_use]
    pub fn report(&self) -> Report {
        let core = self.shared.core.lock();
        let (moving, unburied) = core.log.left_to_move();
        let line = |view: SegmentView| CopyLine {
            segment: view.id,
            incarnation: view.incarnation,
            member: view.member,
            lost: view.lost,
            scl: view.scl,
            latency_us: view.latency_us,
        };
        Report {
            problem: core.ended.as_ref().map(ToString::to_string).unwrap_or_default(),
            epoch: core.log.epoch(),
            vdl: core.log.vdl(),
            head: Some(core.log.head().clone()),
            copies: core.log.segments().into_iter().map(line).collect(),
            left: (moving + unburied) as u32,
        }
    }

    /// Counters of this volume.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The writer's view of every segment, for `sextant.segments`.
    #[must_use]
    pub fn segments(&self) -> Vec<SegmentView> {
        self.shared.core.lock().log.segments()
    }

    /// The volume complete limit: every record at or below is at quorum in its group.
    #[must_use]
    pub fn vcl(&self) -> Lsn {
        self.shared.core.lock().log.vcl()
    }

    /// Lets time pass: heartbeats, lingering batches, retransmissions, late reads.
    pub fn tick(&self) {
        self.shared.run(Event::Tick);
        self.shared.hedge_late_reads();
    }

    /// When [`tick`](Self::tick) is due at the latest, in microseconds of the environment's clock.
    #[must_use]
    pub fn next_wake_us(&self) -> u64 {
        let log = self.shared.core.lock().log.next_wake_us();
        log.min(self.shared.reads.next_wake_us())
    }

    /// Ends the log: nothing is written or read through this volume any more. Durable work is not undone; for an
    /// orderly end wait for `last_lsn` to be durable first.
    pub fn close(&self) {
        self.shared.end(&LogError::Closed);
    }
}

impl OpenVolume {
    /// [`close`](Self::close), and R8(h): storage is told that its promises are not needed any more, so whoever opens next need not wait
    /// for their end. For a writer that has stopped answering and whose log is durable to its end.
    pub fn hand_over(&self) {
        let mut actions = Actions::default();
        let mut core = self.shared.core.lock();
        core.log.hand_over(&mut actions);
        self.shared.carry_out(core, actions);
        self.close();
    }
}

impl Shared {
    /// One event for the core, and everything it asks for.
    pub(crate) fn run(self: &Arc<Self>, event: Event) {
        let now = self.env.now_us();
        let mut actions = Actions::default();
        let mut core = self.core.lock();
        let (before, map) = (core.log.vdl(), core.log.head().version);
        core.log.step(now, event, &mut actions);
        if core.log.vdl() > before {
            self.moved_us.store(now, Ordering::Relaxed);
        }
        if core.log.head().version != map {
            // Under the lock: the link hears of maps in their order, and before what follows from them.
            self.link.steer(core.log.head());
        }
        // Promises that still come in after the end are worth nothing.
        let leased_us = if core.ended.is_some() { 0 } else { core.log.leased_until_us() };
        let longer = self.leased_until_us.swap(leased_us, Ordering::AcqRel) < leased_us;
        let wake = if longer { std::mem::take(&mut core.lease_wakers) } else { Vec::new() };
        self.carry_out(core, actions);
        wake.into_iter().for_each(Waker::wake);
    }

    /// Releases the core, then sends and tells (invariant 1 of the crate).
    pub(crate) fn carry_out(&self, mut core: MutexGuard<'_, Core>, actions: Actions) {
        let Actions { sends, notices } = actions;
        let mut vdl = None;
        let mut wake = Vec::new();
        let mut ended = None;
        for notice in notices {
            match notice {
                Notice::Vdl(lsn) => vdl = vdl.max(Some(lsn)),
                Notice::GroupOpened(pg) => {
                    tracing::info!(%pg, "a protection group was added");
                    wake.append(&mut core.group_wakers);
                }
                Notice::Replacing(segment) => tracing::warn!(%segment, "a newcomer is being repaired"),
                Notice::Replaced(segment) => tracing::info!(%segment, "the newcomer is a full member"),
                Notice::Retired(segment, node) => {
                    tracing::info!(%segment, %node, "the copy left behind holds its tombstone");
                }
                Notice::Confirmed(_) => wake.append(&mut core.confirm_wakers),
                Notice::Ended(error) => ended = Some(error),
            }
        }
        if vdl.is_some() {
            wake.append(&mut grant_room(&mut core));
        }
        drop(core);
        self.send(sends);
        if let Some(lsn) = vdl {
            self.vdl.fetch_max(lsn.0, Ordering::AcqRel);
            if self.durable.advance(lsn) {
                bump(&self.counters.vdl_moves);
                for observer in self.observers.read().iter() {
                    observer.durable(lsn);
                }
            }
        }
        wake.into_iter().for_each(Waker::wake);
        if let Some(error) = ended {
            self.end(&error);
        }
    }

    pub(crate) fn send(&self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        for envelope in envelopes {
            bump(&self.counters.sends);
            if matches!(envelope.message, Message::PageRead(_) | Message::PageBatch(_)) {
                bump(&self.counters.pages_sent);
            }
            if !self.link.send(envelope) {
                bump(&self.counters.refused_sends);
            }
        }
        self.link.flush();
    }

    fn end(&self, error: &LogError) {
        let mut core = self.core.lock();
        let first = core.ended.is_none();
        let error = core.ended.get_or_insert_with(|| error.clone()).clone();
        // Invariant 4 holds for whoever answers, too.
        self.leased_until_us.store(0, Ordering::Release);
        let mut wake = core.room.drain();
        wake.append(&mut core.group_wakers);
        wake.append(&mut core.lease_wakers);
        wake.append(&mut core.confirm_wakers);
        drop(core);
        wake.into_iter().for_each(Waker::wake);
        self.durable.end(&error);
        self.reads.end(&error);
        if first {
            for observer in self.observers.read().iter() {
                observer.ended(&error);
            }
        }
    }

    pub(crate) fn vdl(&self) -> Lsn {
        Lsn(self.vdl.load(Ordering::Acquire))
    }
}

impl Core {
    pub(crate) fn ended(&self) -> Result<(), LogError> {
        self.ended.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// Serves the queue as far as there is room; whom to wake.
fn grant_room(core: &mut Core) -> Vec<Waker> {
    if core.room.is_empty() {
        return Vec::new();
    }
    let Core { log, room, .. } = core;
    room.grant(|bytes| log.try_reserve(bytes).unwrap_or(false))
}

impl CreditHome for Shared {
    fn give_back(&self, bytes: u64) {
        let mut core = self.core.lock();
        core.log.give_back(bytes);
        let wake = grant_room(&mut core);
        drop(core);
        wake.into_iter().for_each(Waker::wake);
    }
}

impl LinkReceiver for OpenVolume {
    fn deliver(&self, envelope: Envelope) {
        match envelope.message {
            Message::PageRead(_) | Message::PageRefused(_) => self.shared.page_answer(envelope),
            _ => self.shared.run(Event::Message(envelope)),
        }
    }
}

impl LogWriter for OpenVolume {
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError> {
        let mut core = self.shared.core.lock();
        core.ended()?;
        let fits = core.room.is_empty() && core.log.try_reserve(bytes)?;
        drop(core);
        Ok(fits.then(|| Credit::new(bytes, self.home())))
    }

    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>> {
        Box::pin(Reserving { volume: self, bytes, place: None })
    }

    fn append(
        &self,
        mut credit: Credit,
        records: &mut [MtrRecord<'_>],
        commit: bool,
    ) -> Result<Lsn, LogError> {
        let spent: u64 = records.iter().map(|r| frame_len(r.ops.bytes(), false) as u64).sum();
        let now = self.shared.env.now_us();
        let mut actions = Actions::default();
        let mut core = self.shared.core.lock();
        core.ended()?;
        let cpl = core.log.append(now, records, commit)?;
        credit.spend(spent);
        if self.last_lsn() <= self.shared.vdl() {
            self.shared.moved_us.store(now, Ordering::Relaxed);
        }
        self.shared.last.fetch_max(cpl.0, Ordering::AcqRel);
        core.log.poll_send(now, &mut actions);
        self.shared.carry_out(core, actions);
        bump(&self.shared.counters.appends);
        if commit {
            bump(&self.shared.counters.commits);
        }
        Ok(cpl)
    }

    fn vdl(&self) -> Lsn {
        self.shared.vdl()
    }

    fn last_lsn(&self) -> Lsn {
        Lsn(self.shared.last.load(Ordering::Acquire))
    }

    fn wait_durable(&self, lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>> {
        if self.shared.vdl() < lsn {
            let mut actions = Actions::default();
            let mut core = self.shared.core.lock();
            core.log.want_durable(lsn);
            core.log.poll_send(self.shared.env.now_us(), &mut actions);
            self.shared.carry_out(core, actions);
        }
        Box::pin(self.shared.durable.until(lsn))
    }

    fn observe(&self, observer: Arc<dyn VdlObserver>) {
        self.shared.observers.write().push(Arc::clone(&observer));
        // What happened before it listened; what happened in between it may hear twice.
        observer.durable(self.shared.vdl());
        let ended = self.shared.core.lock().ended();
        if let Err(error) = ended {
            observer.ended(&error);
        }
    }

    fn epoch(&self) -> VolumeEpoch {
        self.shared.epoch
    }

    fn ensure_pages(&self, last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        let last = self.shared.geometry.pg_of(last);
        let mut next = PgId(0);
        Box::pin(poll_fn(move |cx| {
            let mut actions = Actions::default();
            let mut core = self.shared.core.lock();
            core.ended()?;
            while next <= last {
                if !core.log.ensure_group(next)? {
                    core.group_wakers.push(cx.waker().clone());
                    core.log.poll_send(self.shared.env.now_us(), &mut actions);
                    self.shared.carry_out(core, actions);
                    return Poll::Pending;
                }
                next.0 += 1;
            }
            Poll::Ready(Ok(()))
        }))
    }

    fn release_below(&self, lsn: Lsn) {
        self.shared.core.lock().log.release_below(lsn);
    }
}

impl OpenVolume {
    fn home(&self) -> Arc<dyn CreditHome> {
        Arc::clone(&self.shared) as Arc<dyn CreditHome>
    }
}

/// A place in the queue for room.
struct Reserving<'a> {
    volume: &'a OpenVolume,
    bytes: u64,
    place: Option<u64>,
}

impl Future for Reserving<'_> {
    type Output = Result<Credit, LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let shared = &this.volume.shared;
        let mut actions = Actions::default();
        let mut core = shared.core.lock();
        core.ended()?;
        let granted = match this.place {
            None => core.room.is_empty() && core.log.try_reserve(this.bytes)?,
            Some(place) => core.room.granted(place).is_some(),
        };
        if granted {
            this.place = None;
            drop(core);
            return Poll::Ready(Ok(Credit::new(this.bytes, this.volume.home())));
        }
        if this.place.is_none() {
            bump(&shared.counters.room_waits);
        }
        this.place = Some(core.room.enter(this.place, this.bytes, cx.waker()));
        // What would make room must not linger in a half-full batch.
        let last = core.log.last_lsn();
        core.log.want_durable(last);
        core.log.poll_send(shared.env.now_us(), &mut actions);
        shared.carry_out(core, actions);
        Poll::Pending
    }
}

impl Drop for Reserving<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut core = self.volume.shared.core.lock();
            let bytes = core.room.leave(place);
            if bytes > 0 {
                core.log.give_back(bytes);
            }
            let wake = grant_room(&mut core);
            drop(core);
            wake.into_iter().for_each(Waker::wake);
        }
    }
}
