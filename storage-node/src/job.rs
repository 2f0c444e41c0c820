//! A page job: new versions from images to journal, one job per segment at a time.
//!
//! ```text
//!   images: read base, apply, write slot (several at once) ─► sync ─► read back and check ─► journal, durable ─► named
//! ```
//!
//! Pages come in order of id and slots are given out in order, so neighbours travel together: up to [`RUN`] images an operation.
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
use std::collections::{BTreeMap, VecDeque};

/// Images in one operation of the page file, at most.
const RUN: usize = 16;

/// What a job is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    /// Coalescing: every page complete through the target.
    Round { target: Lsn },
    /// Old versions go.
    Collect,
    /// A damaged page is replaced by a peer's image.
    Heal { page: PageId },
    /// A damaged version is replaced by the same one, made from the log.
    Remake { page: PageId, oldest_known: bool },
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
    /// Base images being read: the pages of each run, with the LSN expected.
    bases: BTreeMap<u32, Vec<(PageId, Lsn)>>,
    next_base: u32,
    /// Images for neighbouring slots, not issued yet: first slot and bytes.
    run: Option<(u32, AlignedBuf)>,
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
            bases: BTreeMap::new(),
            next_base: 0,
            run: None,
            stage: Stage::Images,
            checked: 0,
            written: Vec::new(),
            dropped: Vec::new(),
            failed: false,
            batch: None,
        }
    }

    /// Whether the history before its images is unknown here.
    fn foreign(&self) -> bool {
        match self.kind {
            JobKind::Heal { .. } | JobKind::Copy { .. } => true,
            JobKind::Remake { oldest_known, .. } => oldest_known,
            JobKind::Round { .. } | JobKind::Collect => false,
        }
    }
}

/// What to do next, decided while the job is borrowed.
enum Next {
    Wait,
    Again,
    Read(u32, u32, usize),
    Write(u32, AlignedBuf),
    Sync,
    Check(usize, usize, u32),
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
                Next::Read(run, slot, count) => {
                    let op = DiskOp::Read { offset: PageStore::offset(slot), len: count * PAGE_BYTES };
                    self.disk(Pending::Job(id, JobPart::Base(run)), DiskFile::Pages(id), op, out);
                }
                Next::Write(slot, bytes) => {
                    self.metrics.page_writes += (bytes.len() / PAGE_BYTES) as u64;
                    let op = DiskOp::Write { offset: PageStore::offset(slot), bytes, durable: false };
                    self.disk(Pending::Job(id, JobPart::Image), DiskFile::Pages(id), op, out);
                }
                Next::Sync => {
                    self.disk(Pending::Job(id, JobPart::Sync), DiskFile::Pages(id), DiskOp::Sync, out);
                }
                Next::Check(first, count, slot) => {
                    let op = DiskOp::Read { offset: PageStore::offset(slot), len: count * PAGE_BYTES };
                    self.disk(Pending::Job(id, JobPart::Check(first, count)), DiskFile::Pages(id), op, out);
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
                if let Some((slot, bytes)) = job.run.take() {
                    job.in_flight += 1;
                    return Next::Write(slot, bytes);
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
                while let Some((_, _, slot)) = job.written.get(job.checked).copied() {
                    let first = job.checked;
                    let Some(slot) = slot else {
                        job.checked += 1;
                        continue;
                    };
                    let neighbour =
                        |i: &usize| job.written.get(first + i).is_some_and(|w| w.2 == Some(slot + *i as u32));
                    let count = 1 + (1..RUN).take_while(neighbour).count();
                    job.checked += count;
                    job.in_flight += 1;
                    return Next::Check(first, count, slot);
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
            (JobPart::Base(run), Ok(bytes)) => bases_read(segment, run, &bytes),
            (JobPart::Base(run), Err(_)) => bases_read(segment, run, &AlignedBuf::new()),
            (JobPart::Image, Ok(_)) => {}
            (JobPart::Sync, Ok(_)) if verify => job.stage = Stage::Check,
            (JobPart::Sync, Ok(_)) => (job.stage, job.checked) = (Stage::Check, job.written.len()),
            (JobPart::Check(first, count), Ok(bytes)) => {
                for (n, (page, lsn, _)) in job.written[first..first + count].iter().enumerate() {
                    job.failed |= image_of_run(&bytes, n, *page, *lsn).is_none();
                }
            }
            (JobPart::Check(..), Err(DiskError::Unreadable)) => job.failed = true,
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
        if let JobKind::Heal { page } | JobKind::Remake { page, .. } = job.kind
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
            JobKind::Heal { page } | JobKind::Remake { page, .. } => {
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
        return read_bases(segment, page, from, slot);
    }
    coalesce(segment, page, None);
    Next::Again
}

/// Reads the base of `page`, and those of the next pages in line while they lie in neighbouring slots.
fn read_bases(segment: &mut Segment, page: PageId, lsn: Lsn, slot: u32) -> Next {
    let Some(pages) = segment.pages.as_mut() else { return Next::Wait };
    let Some(job) = pages.job.as_mut() else { return Next::Wait };
    let JobKind::Round { target } = job.kind else { return Next::Wait };
    let mut run = vec![(page, lsn)];
    while run.len() < RUN
        && let Some(Todo::Coalesce(next)) = job.todo.front()
        && let Some(version) = pages.store.newest(*next)
        && version.slot == Some(slot + run.len() as u32)
        && version.lsn <= target
    {
        run.push((*next, version.lsn));
        job.todo.pop_front();
    }
    let (number, count) = (job.next_base, run.len());
    job.next_base += 1;
    job.in_flight += 1;
    job.bases.insert(number, run);
    Next::Read(number, slot, count)
}

/// The base images of a run were read (or not: no bytes). The last goes first in line, so that the order stays.
fn bases_read(segment: &mut Segment, number: u32, bytes: &[u8]) {
    let Some(job) = segment.pages.as_mut().and_then(|p| p.job.as_mut()) else { return };
    let Some(run) = job.bases.remove(&number) else { return };
    for (n, (page, lsn)) in run.into_iter().enumerate().rev() {
        match image_of_run(bytes, n, page, lsn).and_then(|image| PageBuf::from_slice(image)) {
            Some(base) => coalesce(segment, page, Some(base)),
            None => trouble(segment, page, lsn),
        }
    }
}

/// The `n`th image of a run, if it is what it should be.
fn image_of_run(bytes: &[u8], n: usize, page: PageId, lsn: Lsn) -> Option<&[u8; PAGE_BYTES]> {
    image::checked(bytes.get(n * PAGE_BYTES..(n + 1) * PAGE_BYTES)?, page, lsn)
}

/// Makes a page's new version and puts it first in line to be written.
fn coalesce(segment: &mut Segment, page: PageId, base: Option<PageBuf>) {
    let Some(pages) = segment.pages.as_mut() else { return };
    let Some(job) = pages.job.as_mut() else { return };
    let JobKind::Round { target } = job.kind else { return };
    let from = pages.store.version_at(page, target).map_or(Lsn::ZERO, |v| v.lsn);
    let records = segment.chain.of_page(page, from, target);
    if records.is_empty() {
        return;
    }
    match image::build(page, base, &records) {
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
    if let Some((first, bytes)) = &mut job.run
        && *first + (bytes.len() / PAGE_BYTES) as u32 == slot
        && bytes.len() < RUN * PAGE_BYTES
    {
        bytes.extend_from_slice(image.bytes());
        return Next::Again;
    }
    let mut bytes = AlignedBuf::with_capacity(RUN * PAGE_BYTES);
    bytes.extend_from_slice(image.bytes());
    match job.run.replace((slot, bytes)) {
        Some((slot, bytes)) => {
            job.in_flight += 1;
            Next::Write(slot, bytes)
        }
        None => Next::Again,
    }
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
        JobKind::Collect | JobKind::Heal { .. } | JobKind::Remake { .. } => store.page_point,
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
