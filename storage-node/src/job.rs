//! A page job: new versions from images to journal, one job per segment at a time.
//!
//! ```text
//!   images: read base, apply, write slot (several at once) ─► sync ─► read back and check ─► journal, durable ─► named
//! ```
//!
//! Rounds of coalescing, collection of old versions, healing and copying are all jobs; they differ in where images come from.
//!
//! Invariants
//! 1. A version is named (served, counted in the page point) only after its image is durable, was read back, and its journal
//!    batch is durable. A crash before leaves a free slot.
//! 2. A job that meets trouble changes nothing: its slots go back, what it would have done is done by a later one.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::image;
use crate::journal::{self, Batch, Change, ENTRIES, Entry, JournalOwner, JournalTail};
use crate::node::{JobPart, Node, Pending};
use crate::segment::Segment;
use crate::store::PageStore;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::page::{self, PAGE_BYTES, PageBuf, PageId};
use std::collections::VecDeque;

/// What a job is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    /// Coalescing: every page complete through the target.
    Round { target: Lsn },
    /// Old versions go.
    Collect,
    /// A damaged page is replaced.
    Heal { page: PageId },
    /// Pages of a peer are taken over; `point` when these were the last.
    Copy { last: Option<PageId>, point: Option<Lsn> },
}

/// One page still to do.
#[derive(Debug)]
pub(crate) enum Todo {
    /// Base and records up to the target.
    Coalesce(PageId),
    /// This image.
    Take(PageId, Lsn, PageBuf),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Images,
    Sync,
    Check,
    Journal,
}

/// A page job under way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) kind: JobKind,
    todo: VecDeque<Todo>,
    in_flight: usize,
    stage: Stage,
    checked: usize,
    written: Vec<(PageId, Lsn, Option<u32>)>,
    /// Versions that go, besides those collection finds.
    pub(crate) dropped: Vec<(PageId, Lsn)>,
    failed: bool,
    batch: Option<(Batch, JournalTail)>,
}

impl Job {
    pub(crate) fn new(kind: JobKind, todo: VecDeque<Todo>) -> Job {
        Job {
            kind,
            todo,
            in_flight: 0,
            stage: Stage::Images,
            checked: 0,
            written: Vec::new(),
            dropped: Vec::new(),
            failed: false,
            batch: None,
        }
    }

    fn foreign(&self) -> bool {
        matches!(self.kind, JobKind::Heal { .. } | JobKind::Copy { .. })
    }
}

/// What to do next, decided while the job is borrowed.
enum Next {
    Wait,
    Again,
    Read(PageId, u32),
    Write(u32, AlignedBuf),
    Sync,
    Check(usize, u32),
    Journal(u8, u64, AlignedBuf),
    Abort,
}

impl Node {
    /// Goes on with the segment's job as far as it can.
    pub(crate) fn drive_job(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        loop {
            match self.next_of_job(id) {
                Next::Wait => return,
                Next::Again => {}
                Next::Read(page, slot) => {
                    let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
                    self.disk(Pending::Job(id, JobPart::Base(page)), DiskFile::Pages(id), op, out);
                }
                Next::Write(slot, bytes) => {
                    self.metrics.page_writes += 1;
                    let op = DiskOp::Write { offset: PageStore::offset(slot), bytes, durable: false };
                    self.disk(Pending::Job(id, JobPart::Image), DiskFile::Pages(id), op, out);
                }
                Next::Sync => {
                    self.disk(Pending::Job(id, JobPart::Sync), DiskFile::Pages(id), DiskOp::Sync, out);
                }
                Next::Check(n, slot) => {
                    let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
                    self.disk(Pending::Job(id, JobPart::Check(n)), DiskFile::Pages(id), op, out);
                }
                Next::Journal(half, offset, bytes) => {
                    let op = DiskOp::Write { offset, bytes, durable: true };
                    self.disk(Pending::Job(id, JobPart::Journal), DiskFile::Index(id, half), op, out);
                }
                Next::Abort => return self.abort_job(id),
            }
        }
    }

    fn next_of_job(&mut self, id: SegmentId) -> Next {
        let (settings, vdl) = (&self.config.settings, self.vdl);
        let Some(segment) = self.segments.get_mut(&id) else { return Next::Wait };
        let Some(job) = segment.pages.as_mut().and_then(|p| p.job.as_mut()) else { return Next::Wait };
        match job.stage {
            Stage::Images if job.failed => {
                if job.in_flight == 0 {
                    Next::Abort
                } else {
                    Next::Wait
                }
            }
            Stage::Images if job.in_flight >= settings.coalesce_depth => Next::Wait,
            Stage::Images => {
                if let Some(todo) = job.todo.pop_front() {
                    return next_image(segment, todo);
                }
                if job.in_flight > 0 {
                    return Next::Wait;
                }
                if job.written.iter().any(|w| w.2.is_some()) {
                    (job.stage, job.in_flight) = (Stage::Sync, 1);
                    return Next::Sync;
                }
                next_journal(segment, vdl)
            }
            Stage::Sync | Stage::Journal => Next::Wait,
            Stage::Check if job.failed => {
                if job.in_flight == 0 {
                    Next::Abort
                } else {
                    Next::Wait
                }
            }
            Stage::Check => {
                if job.in_flight >= settings.coalesce_depth {
                    return Next::Wait;
                }
                while let Some((_, _, slot)) = job.written.get(job.checked) {
                    job.checked += 1;
                    if let Some(slot) = slot {
                        job.in_flight += 1;
                        return Next::Check(job.checked - 1, *slot);
                    }
                }
                if job.in_flight > 0 { Next::Wait } else { next_journal(segment, vdl) }
            }
        }
    }

    pub(crate) fn job_done(
        &mut self,
        id: SegmentId,
        part: JobPart,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let verify = self.config.settings.verify_writes;
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let Some(job) = segment.pages.as_mut().and_then(|p| p.job.as_mut()) else { return };
        job.in_flight = job.in_flight.saturating_sub(1);
        match (part, result) {
            (JobPart::Base(page), Ok(bytes)) => base_read(segment, page, &bytes),
            (JobPart::Base(page), Err(_)) => base_read(segment, page, &AlignedBuf::new()),
            (JobPart::Image, Ok(_)) => {}
            (JobPart::Sync, Ok(_)) if verify => job.stage = Stage::Check,
            (JobPart::Sync, Ok(_)) => (job.stage, job.checked) = (Stage::Check, job.written.len()),
            (JobPart::Check(n), Ok(bytes)) => {
                let (page, lsn, _) = job.written[n];
                job.failed |= image::checked(&bytes, page, lsn).is_none();
            }
            (JobPart::Check(_), Err(DiskError::Unreadable)) => job.failed = true,
            (JobPart::Journal, Ok(_)) => return self.job_named(id, out),
            (JobPart::Image | JobPart::Sync | JobPart::Journal, Err(DiskError::NoSpace)) => {
                job.failed = true;
                self.no_space_until_us = self.now_us + self.config.settings.idle_us;
                if job.stage == Stage::Journal {
                    return self.abort_job(id);
                }
            }
            (_, Err(error)) => return self.fail(format!("page store write: {error}")),
        }
        self.drive_job(id, out);
    }

    /// Invariant 2.
    fn abort_job(&mut self, id: SegmentId) {
        let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { return };
        let Some(job) = pages.job.take() else { return };
        for slot in job.written.into_iter().filter_map(|w| w.2) {
            pages.store.give_back(slot);
        }
        if let JobKind::Heal { page } = job.kind
            && let Some(heal) = pages.heal.get_mut(&page)
        {
            heal.asked_us = None;
        }
    }

    /// The journal batch is durable: its versions count from now on.
    fn job_named(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let Some(pages) = segment.pages.as_mut() else { return };
        let Some(job) = pages.job.take() else { return };
        let Some((batch, tail)) = job.batch else { return };
        pages.journal = tail;
        pages.store.apply(&batch.entries);
        pages.store.forgotten_below = batch.forgotten_below;
        self.metrics.page_drops += batch.entries.iter().filter(|e| e.change == Change::Drop).count() as u64;
        match job.kind {
            JobKind::Round { target } => {
                pages.store.advance(target);
                pages.waiting_since_us = None;
                segment.chain.set_mark(target);
                self.metrics.rounds += 1;
            }
            JobKind::Collect => {}
            JobKind::Heal { page } => {
                pages.heal.remove(&page);
                self.metrics.healed += 1;
            }
            JobKind::Copy { last, point } => self.copied(id, last, point, out),
        }
        self.start_jobs(out);
    }
}

/// Starts one page: reads its base, or writes its image at once.
fn next_image(segment: &mut Segment, todo: Todo) -> Next {
    let Some(pages) = segment.pages.as_mut() else { return Next::Wait };
    let Some(job) = pages.job.as_mut() else { return Next::Wait };
    let page = match todo {
        Todo::Take(page, lsn, image) => return write_image(&mut pages.store, job, page, lsn, image),
        Todo::Coalesce(page) => page,
    };
    let JobKind::Round { target } = job.kind else { return Next::Wait };
    let base = pages.store.version_at(page, target);
    let from = base.map_or(Lsn::ZERO, |v| v.lsn);
    let records = segment.chain.of_page(page, from, target);
    if records.is_empty() || pages.store.newest(page).is_some_and(|v| v.lsn > target) {
        return Next::Again;
    }
    if let Some(slot) = base.and_then(|v| v.slot)
        && !image::stands_alone(&records)
    {
        job.in_flight += 1;
        return Next::Read(page, slot);
    }
    coalesce(segment, page, None);
    Next::Again
}

/// The base image of a page was read (or not: no bytes).
fn base_read(segment: &mut Segment, page: PageId, bytes: &[u8]) {
    let Some(pages) = segment.pages.as_ref() else { return };
    let Some(JobKind::Round { target }) = pages.job.as_ref().map(|j| j.kind) else { return };
    let Some(version) = pages.store.version_at(page, target) else { return };
    match image::checked(bytes, page, version.lsn).and_then(|image| PageBuf::from_slice(image)) {
        Some(base) => coalesce(segment, page, Some(base)),
        None => trouble(segment, page, version.lsn),
    }
}

/// Makes a page's new version and puts it first in line to be written.
fn coalesce(segment: &mut Segment, page: PageId, base: Option<PageBuf>) {
    let Some(pages) = segment.pages.as_mut() else { return };
    let Some(job) = pages.job.as_mut() else { return };
    let JobKind::Round { target } = job.kind else { return };
    let from = pages.store.version_at(page, target).map_or(Lsn::ZERO, |v| v.lsn);
    match image::build(page, base, &segment.chain.of_page(page, from, target)) {
        Ok(image) => {
            let lsn = page::lsn(image.bytes());
            assert!(
                lsn > from && lsn <= target,
                "page {page} coalesced from {from:?} to {lsn:?} beyond {target:?}"
            );
            job.todo.push_front(Todo::Take(page, lsn, image));
        }
        Err(error) => {
            tracing::warn!(?page, %error, "page cannot be coalesced; a peer's image is asked for");
            trouble(segment, page, from);
        }
    }
}

/// The page's base or chain is damaged: the round ends without it, a peer heals it.
fn trouble(segment: &mut Segment, page: PageId, damaged: Lsn) {
    let Some(pages) = segment.pages.as_mut() else { return };
    pages.heal.entry(page).or_default().damaged = damaged;
    if let Some(job) = pages.job.as_mut() {
        job.failed = true;
    }
}

fn write_image(store: &mut PageStore, job: &mut Job, page: PageId, lsn: Lsn, mut image: PageBuf) -> Next {
    if image::is_discarded(&image) {
        job.written.push((page, lsn, None));
        return Next::Again;
    }
    page::seal(image.bytes_mut());
    let slot = store.take_slot();
    job.written.push((page, lsn, Some(slot)));
    job.in_flight += 1;
    Next::Write(slot, AlignedBuf::padded(image.bytes()))
}

/// Everything is durable and checked: the batch that names it.
fn next_journal(segment: &mut Segment, vdl: Lsn) -> Next {
    let (pgmrpl, log_base) = (segment.pgmrpl, segment.chain.base());
    let owner = JournalOwner { segment: segment.id, incarnation: segment.incarnation };
    let Some(pages) = segment.pages.as_mut() else { return Next::Wait };
    let (store, Some(job)) = (&pages.store, pages.job.as_mut()) else { return Next::Wait };
    let mut dropped = std::mem::take(&mut job.dropped);
    for (page, lsn, _) in &job.written {
        let old = store.droppable(*page, Some(*lsn), pgmrpl, log_base);
        dropped.extend(old.iter().map(|v| (*page, v.lsn)));
    }
    let drop =
        |(page, lsn): &(PageId, Lsn)| Entry { page: *page, lsn: *lsn, slot: None, change: Change::Drop };
    let mut entries: Vec<Entry> = dropped.iter().map(drop).collect();
    let change = Change::Add { oldest_known: job.foreign() };
    entries.extend(job.written.iter().map(|(page, lsn, slot)| Entry {
        page: *page,
        lsn: *lsn,
        slot: *slot,
        change,
    }));
    let page_point = match job.kind {
        JobKind::Round { target } => target,
        JobKind::Copy { point, .. } => point.unwrap_or(store.page_point),
        JobKind::Collect | JobKind::Heal { .. } => store.page_point,
    };
    let forgotten_below =
        if dropped.is_empty() { store.forgotten_below } else { store.forgotten_below.max(pgmrpl) };
    let mut batch = Batch { entries, page_point, forgotten_below, vdl };
    let mut tail = pages.journal;
    let encoded;
    let first;
    if tail.blocks > 64 + 2 * (store.version_count() / ENTRIES) as u64 {
        // The journal has grown too long: everything anew in the other file.
        tail = JournalTail { generation: tail.generation + 1, blocks: 0, crc: 0 };
        let mut whole = Batch { entries: store.snapshot(), ..batch.clone() };
        whole.entries.extend_from_slice(&batch.entries);
        first = 0;
        encoded = journal::encode(owner, &mut tail, &whole);
    } else {
        first = tail.blocks;
        encoded = journal::encode(owner, &mut tail, &batch);
    }
    batch.entries.shrink_to_fit();
    job.batch = Some((batch, tail));
    (job.stage, job.in_flight) = (Stage::Journal, 1);
    Next::Journal((tail.generation % 2) as u8, first * crate::SECTOR_BYTES as u64, encoded)
}
