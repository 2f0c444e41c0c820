//! Page images from one segment, and from a second one when the first is late (`pace`: by what its group was measured to take). A segment that was late
//! is asked last for a while, longer each time, until it answers in time: a gray node costs one hedge, not one for every read.
//!
//! ```text
//!   read ─► pending[request] ─ReadPage─► route[0]
//!                │    late by then (tick) ─────► route[1] ...  round and round, with growing patience
//!                │    PageRefused, bad image ──► the next one at once; after a whole round, after a rest;
//!                │                               one that has forgotten the version is not asked again
//!                └─ PageRead, verified ─► the reader's future
//! ```
//!
//! Invariants
//! 1. A request is answered once; later answers (of a hedge) find no entry and are dropped.
//! 2. An image is handed up only if checksum, page id and page LSN <= read point hold.
//! 3. A read never fails while the volume lives, but for a version that was forgotten: by every full copy of the route, for a newcomer,
//!    or a copy whose page was healed from a peer, lacks history that others have; a copy that says nothing else for
//!    [`FORGOTTEN_US`] is not waited for.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use protocol::contract::{LogError, PageReader, ReadError};
use protocol::env::BoxFuture;
use protocol::message::{Envelope, Message, PageRefusal, Peer, ReadPage};
use protocol::page::{self, PageBuf};
use protocol::{Lsn, PageId, SegmentId};

use crate::log::{OpenVolume, Shared};
use crate::pace::{Pace, UNMEASURED_US};
use crate::status::bump;

/// A read is late after so long while nothing was measured.
pub const HEDGE_US: u64 = UNMEASURED_US;
/// Patience doubles with each further request, up to this.
pub const HEDGE_MAX_US: u64 = 1_000_000;
/// Rest after a whole round of refusals.
pub const REST_US: u64 = 2_000;

/// How long copies that cannot answer are asked for a version that others have forgotten.
pub const FORGOTTEN_US: u64 = 2_000_000;

/// Reads under way.
#[derive(Default)]
pub(crate) struct Reads {
    next: AtomicU64,
    pending: Mutex<HashMap<u64, Pending>>,
    /// Earliest deadline of any pending read, a hint; `u64::MAX` while there is none.
    wake_us: Mutex<Option<u64>>,
    pace: Mutex<Pace>,
}

struct Pending {
    page: PageId,
    at: Lsn,
    point: Lsn,
    route: Vec<SegmentId>,
    /// Requests sent so far; the next goes to `route[sent % len]`.
    sent: usize,
    /// Refusals since the last rest.
    refused: usize,
    /// Who has forgotten the version: not asked again.
    forgotten: Vec<SegmentId>,
    /// Since when somebody has.
    forgotten_us: Option<u64>,
    /// Who was asked, and when.
    asked: Vec<(SegmentId, u64)>,
    deadline_us: u64,
    patience_us: u64,
    answer: Option<Result<PageBuf, ReadError>>,
    waker: Option<Waker>,
}

impl Pending {
    /// The next of the route that has not forgotten the version.
    fn next_target(&mut self) -> Option<SegmentId> {
        let turns = self.route.len();
        for _ in 0..turns {
            let target = self.route[self.sent % turns];
            self.sent += 1;
            if !self.forgotten.contains(&target) {
                return Some(target);
            }
        }
        None
    }

    /// Nobody is left who may have the version (invariant 3): the reader is told.
    fn end_if_forgotten(&mut self, now_us: u64) -> bool {
        let Some(since) = self.forgotten_us else { return false };
        let all = self.route.iter().all(|segment| self.forgotten.contains(segment));
        if all || now_us >= since + FORGOTTEN_US {
            self.answer = Some(Err(ReadError::Forgotten { page: self.page, at: self.at }));
        }
        self.answer.is_some()
    }
}

fn closed(error: &LogError) -> ReadError {
    match error {
        LogError::Fenced { theirs, .. } => ReadError::Fenced { theirs: *theirs },
        LogError::Closed => ReadError::Closed,
    }
}

impl Reads {
    pub(crate) fn next_wake_us(&self) -> u64 {
        self.wake_us.lock().unwrap_or(u64::MAX)
    }

    fn want_wake(&self, deadline_us: u64) {
        let mut wake = self.wake_us.lock();
        *wake = Some(wake.map_or(deadline_us, |at| at.min(deadline_us)));
    }

    pub(crate) fn end(&self, error: &LogError) {
        let mut wake = Vec::new();
        for pending in self.pending.lock().values_mut() {
            pending.answer.get_or_insert(Err(closed(error)));
            wake.extend(pending.waker.take());
        }
        wake.into_iter().for_each(Waker::wake);
    }
}

/// Removes the entry of a read that is answered, or whose reader has gone.
struct Entry<'a> {
    reads: &'a Reads,
    request: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.reads.pending.lock().remove(&self.request);
    }
}

impl Shared {
    /// A read's route and the group's read point; `None`: no segment has ever heard of the page's group.
    fn plan(&self, page: PageId, at: Lsn) -> Result<Option<(Lsn, Vec<SegmentId>)>, ReadError> {
        let pg = self.geometry.pg_of(page);
        let core = self.core.lock();
        core.ended().map_err(|e| closed(&e))?;
        if core.log.head().group(pg).is_none() {
            return Ok(None);
        }
        let point = core.log.read_point(pg, at).ok_or(ReadError::Forgotten { page, at })?;
        Ok(Some((point, core.log.route(pg, point))))
    }

    fn ask(&self, request: u64, pending: &mut Pending) -> Option<Envelope> {
        let target = pending.next_target()?;
        let now = self.env.now_us();
        pending.asked.push((target, now));
        pending.deadline_us = now + pending.patience_us;
        pending.patience_us = (pending.patience_us * 2).clamp(HEDGE_US, HEDGE_MAX_US);
        self.reads.want_wake(pending.deadline_us);
        bump(&self.counters.reads_sent);
        let writer = self.core.lock().log.writer_id();
        let body = ReadPage { request, epoch: self.epoch, page: pending.page, at: pending.point };
        Some(Envelope {
            from: Peer::Compute(writer),
            to: Peer::Segment(target),
            message: Message::ReadPage(body),
        })
    }

    /// Asks the next segment for every read whose last request is late.
    pub(crate) fn hedge_late_reads(&self) {
        let now = self.env.now_us();
        if self.reads.next_wake_us() > now {
            return;
        }
        let (mut sends, mut wake) = (Vec::new(), Vec::new());
        let mut pending = self.reads.pending.lock();
        *self.reads.wake_us.lock() = None;
        for (&request, read) in pending.iter_mut().filter(|(_, read)| read.answer.is_none()) {
            if read.deadline_us > now {
                self.reads.want_wake(read.deadline_us);
                continue;
            }
            // SCLs and latencies have moved on; plan anew (an error will show to the reader at its next look).
            if let Ok(Some((point, route))) = self.plan(read.page, read.at) {
                (read.point, read.route) = (point, route);
            }
            if read.end_if_forgotten(now) {
                wake.extend(read.waker.take());
                continue;
            }
            let first = read.asked.first().map_or(now, |(_, at)| *at);
            if read.asked.len() == 1
                && let Err(wait_us) = self.reads.pace.lock().spend(now.saturating_sub(first))
            {
                bump(&self.counters.hedges_withheld);
                read.deadline_us = now + wait_us;
                self.reads.want_wake(read.deadline_us);
                continue;
            }
            if let Some((late, _)) = read.asked.last() {
                self.core.lock().log.note_read_late(*late, now);
            }
            bump(&self.counters.hedges);
            sends.extend(self.ask(request, read));
        }
        drop(pending);
        wake.into_iter().for_each(Waker::wake);
        self.send(sends);
    }

    /// A segment's answer to a read.
    pub(crate) fn page_answer(&self, envelope: Envelope) {
        let Peer::Segment(segment) = envelope.from else { return };
        match envelope.message {
            Message::PageRead(read) => {
                let mut pending = self.reads.pending.lock();
                let Some(entry) = pending.get_mut(&read.request).filter(|p| p.answer.is_none()) else {
                    return;
                };
                match checked(&read.image, entry.page, entry.at) {
                    Some(image) => {
                        entry.answer = Some(Ok(image));
                        let waker = entry.waker.take();
                        let asked =
                            entry.asked.iter().rev().find(|(id, _)| *id == segment).map(|(_, at)| *at);
                        drop(pending);
                        waker.into_iter().for_each(Waker::wake);
                        if let Some(asked) = asked {
                            let latency = self.env.now_us().saturating_sub(asked);
                            self.reads.pace.lock().note(segment.pg, latency);
                            self.core.lock().log.note_read_latency(segment, latency);
                        }
                    }
                    None => {
                        bump(&self.counters.bad_images);
                        tracing::warn!(%segment, page = %read.page, "a page image failed verification");
                        let next = self.after_refusal(read.request, entry);
                        drop(pending);
                        self.send(next.into_iter().collect());
                    }
                }
            }
            Message::PageRefused(refused) => {
                bump(&self.counters.read_refusals);
                let mut pending = self.reads.pending.lock();
                let Some(entry) = pending.get_mut(&refused.request).filter(|p| p.answer.is_none()) else {
                    return;
                };
                if refused.reason == PageRefusal::Forgotten && !entry.forgotten.contains(&segment) {
                    entry.forgotten.push(segment);
                    entry.forgotten_us.get_or_insert(self.env.now_us());
                }
                if entry.end_if_forgotten(self.env.now_us()) {
                    let waker = entry.waker.take();
                    drop(pending);
                    waker.into_iter().for_each(Waker::wake);
                    return;
                }
                let next = self.after_refusal(refused.request, entry);
                drop(pending);
                self.send(next.into_iter().collect());
            }
            _ => {}
        }
    }

    /// The next segment at once; after a whole round of refusals only after a rest.
    fn after_refusal(&self, request: u64, entry: &mut Pending) -> Option<Envelope> {
        entry.refused += 1;
        if entry.refused < entry.route.len() {
            return self.ask(request, entry);
        }
        entry.refused = 0;
        entry.deadline_us = self.env.now_us() + REST_US;
        self.reads.want_wake(entry.deadline_us);
        None
    }
}

fn checked(image: &[u8], page: PageId, at: Lsn) -> Option<PageBuf> {
    let buf = PageBuf::from_slice(image)?;
    let whole = page::verify(buf.bytes(), page).is_ok() && page::lsn(buf.bytes()) <= at;
    whole.then_some(buf)
}

impl PageReader for OpenVolume {
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            bump(&shared.counters.reads);
            let Some((point, route)) = shared.plan(page, at)? else {
                return Ok(PageBuf::blank(page));
            };
            let request = shared.reads.next.fetch_add(1, Ordering::Relaxed) + 1;
            let mut pending = Pending {
                page,
                at,
                point,
                route,
                sent: 0,
                refused: 0,
                forgotten: Vec::new(),
                forgotten_us: None,
                asked: Vec::with_capacity(2),
                deadline_us: shared.env.now_us() + REST_US,
                patience_us: shared.reads.pace.lock().patience_us(shared.geometry.pg_of(page)),
                answer: None,
                waker: None,
            };
            let first = shared.ask(request, &mut pending);
            shared.reads.want_wake(pending.deadline_us);
            shared.reads.pending.lock().insert(request, pending);
            let entry = Entry { reads: &shared.reads, request };
            // The log may have ended between the plan and the entry.
            shared.core.lock().ended().map_err(|e| closed(&e))?;
            shared.send(first.into_iter().collect());
            let answer = poll_fn(|cx| {
                let mut pending = shared.reads.pending.lock();
                let read =
                    pending.get_mut(&request).expect("invariant: an entry lives as long as its reader");
                match read.answer.take() {
                    Some(answer) => Poll::Ready(answer),
                    None => {
                        read.waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await;
            drop(entry);
            answer
        })
    }
}
