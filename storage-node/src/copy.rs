//! Pages from a peer: a newcomer copies all of them (R12), a lost store likewise, a damaged page alone (`heal` asks for it).
//!
//! ```text
//!   newcomer                          full peer
//!     CopyPages(after) ─────────────►  reads its newest versions
//!     ◄──────────── PageBatch(point, images, end)      each image is complete through `point`
//!     ... until end; page point = lowest point; log above the peers' floor comes by gossip; then it counts
//! ```
//!
//! Invariants
//! 1. R12: until pages and log through the joint head's VDL are here, the segment stands for nothing: SCL and page point zero.
//! 2. The page point is the lowest point of any batch; images may be newer than that, records at or below them are skipped. The log
//!    starts at the peers' floor (R11), not at the page point: a copy holds no less log than its peers do.
//! 3. A damaged page is replaced only by an image complete through this store's page point, so that invariant 3 of `store` holds.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::image;
use crate::job::{Job, JobKind, Todo};
use crate::node::{Node, Pending};
use crate::store::{PageStore, Version};
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{SegmentId, SegmentRole};
use protocol::lsn::Lsn;
use protocol::message::{CopyPages, PageBatch, Peer};
use protocol::page::{self, PAGE_BYTES, PageBuf, PageId};
use std::collections::{BTreeMap, VecDeque};

/// Copies answered at once; a peer that asks beyond that asks again.
const COPIES_OUT: usize = 8;

/// All pages being copied in.
#[derive(Debug, Default)]
pub(crate) struct CopyIn {
    after: Option<PageId>,
    /// Lowest point of any batch.
    base: Option<Lsn>,
    request: u64,
    asked_us: Option<u64>,
    attempts: u32,
    peer: Option<u8>,
}

/// A batch being read for a peer.
#[derive(Debug)]
pub(crate) struct CopyOut {
    segment: SegmentId,
    to: Peer,
    request: u64,
    point: Lsn,
    pages: Vec<(PageId, Version)>,
    images: BTreeMap<PageId, AlignedBuf>,
    end: bool,
    left: usize,
}

impl Node {
    /// Full members to ask, other than this one.
    pub(crate) fn full_peers(&self, id: SegmentId) -> Vec<u8> {
        let Some(group) = self.head.as_ref().and_then(|h| h.group(id.pg)) else { return Vec::new() };
        let full = group.members.iter().enumerate().filter(|(_, m)| m.role == SegmentRole::Full);
        full.map(|(position, _)| position as u8).filter(|p| *p != id.position).collect()
    }

    /// Asks for the next batch of a whole copy when none is under way.
    pub(crate) fn drive_copy(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        let (now, timeout) = (self.now_us, self.config.settings.peer_timeout_us);
        let (peers, request) = (self.full_peers(id), self.request());
        let max_pages = self.config.settings.copy_pages;
        let Some(copy) = self.copy_in(id) else { return };
        let waits = copy.asked_us.is_some_and(|at| now < at + timeout);
        if waits || peers.is_empty() {
            return;
        }
        if copy.asked_us.is_some() || copy.peer.is_none() {
            // Not answered in time, or the first of all: the next peer in turn.
            copy.peer = Some(peers[copy.attempts as usize % peers.len()]);
            copy.attempts = copy.attempts.wrapping_add(1);
        }
        (copy.request, copy.asked_us) = (request, Some(now));
        let (after, position) = (copy.after, copy.peer.unwrap_or_default());
        let to = Peer::Segment(SegmentId { pg: id.pg, position });
        self.send(id, to, CopyPages { request, after, only: None, max_pages }, out);
    }

    fn copy_in(&mut self, id: SegmentId) -> Option<&mut CopyIn> {
        self.segments.get_mut(&id)?.pages.as_mut()?.copy.as_mut()
    }

    pub(crate) fn on_copy_pages(&mut self, id: SegmentId, from: Peer, m: CopyPages, out: &mut Vec<Action>) {
        let max = m.max_pages.clamp(1, self.config.settings.copy_pages.max(1)) as usize;
        let Some(segment) = self.segments.get_mut(&id).filter(|s| !s.newcomer) else { return };
        let Some(pages) = segment.pages.as_mut().filter(|p| !p.copying()) else { return };
        if self.reads.copies.len() >= COPIES_OUT {
            return;
        }
        let (wanted, end) = match m.only {
            Some(page) if pages.heal.contains_key(&page) => return,
            Some(page) => (
                pages
                    .store
                    .newest(page)
                    .filter(|v| v.slot.is_some())
                    .map(|v| (page, v))
                    .into_iter()
                    .collect(),
                true,
            ),
            None => pages.store.after(m.after, max),
        };
        let copy = CopyOut {
            segment: id,
            to: from,
            request: m.request,
            point: pages.store.page_point,
            left: wanted.len(),
            pages: wanted,
            images: BTreeMap::new(),
            end,
        };
        for (_, version) in &copy.pages {
            version.slot.into_iter().for_each(|slot| pages.store.read_begins(slot));
        }
        let number = self.request();
        if copy.left == 0 {
            return self.answer_copy(copy, out);
        }
        for (page, version) in copy.pages.clone() {
            let Some(slot) = version.slot else { continue };
            let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
            self.disk(Pending::CopyOut(number, page), DiskFile::Pages(id), op, out);
        }
        self.reads.copies.insert(number, copy);
    }

    pub(crate) fn copy_out_done(
        &mut self,
        number: u64,
        page: PageId,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let Some(copy) = self.reads.copies.get_mut(&number) else { return };
        copy.left -= 1;
        let (segment, done) = (copy.segment, copy.left == 0);
        let version = copy.pages.iter().find(|(p, _)| *p == page).map(|(_, v)| *v);
        let bytes = result.unwrap_or_default();
        let mut bad = None;
        if let Some(version) = version {
            if image::checked(&bytes, page, version.lsn).is_some() {
                copy.images.insert(page, bytes);
            } else {
                bad = Some(version.lsn);
            }
        }
        if let (Some(pages), Some(slot)) =
            (self.segments.get_mut(&segment).and_then(|s| s.pages.as_mut()), version.and_then(|v| v.slot))
        {
            pages.store.read_done(slot);
        }
        if let Some(lsn) = bad {
            self.damaged(segment, page, lsn);
        }
        if done && let Some(copy) = self.reads.copies.remove(&number) {
            self.answer_copy(copy, out);
        }
    }

    /// A batch with a damaged page is not sent: the peer asks elsewhere.
    fn answer_copy(&mut self, copy: CopyOut, out: &mut Vec<Action>) {
        if copy.images.len() < copy.pages.len() {
            return;
        }
        let mut images = Vec::with_capacity(copy.images.len() * PAGE_BYTES);
        copy.images.values().for_each(|image| images.extend_from_slice(image));
        let batch =
            PageBatch { request: copy.request, point: copy.point, images: images.into(), end: copy.end };
        self.send(copy.segment, copy.to, batch, out);
    }

    pub(crate) fn on_page_batch(&mut self, id: SegmentId, m: PageBatch, out: &mut Vec<Action>) {
        let mut todo = VecDeque::new();
        let mut last = None;
        for chunk in m.images.chunks(PAGE_BYTES) {
            let Some(image) = PageBuf::from_slice(chunk) else { return };
            let page = page::id(image.bytes());
            if page::verify(image.bytes(), page).is_err() || last.is_some_and(|l| l >= page) {
                return;
            }
            last = Some(page);
            let lsn = page::lsn(image.bytes());
            todo.push_back(Todo::Take(page, lsn, image));
        }
        // A peer's page point lies at or below a VDL it was told, under a head that may be newer than the one held.
        self.told = self.told.max(m.point);
        let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { return };
        if pages.job.is_some() {
            return;
        }
        if let Some(copy) = &mut pages.copy {
            if copy.request != m.request || copy.asked_us.is_none() {
                return;
            }
            let base = copy.base.map_or(m.point, |b| b.min(m.point));
            copy.base = Some(base);
            let kind = JobKind::Copy { last: last.or(copy.after), point: m.end.then_some(base) };
            copy.request = 0;
            pages.job = Some(Job::new(kind, todo));
            return self.drive_job(id, out);
        }
        let Some((page, damaged)) =
            pages.heal.iter().find(|(_, h)| h.request == m.request).map(|(p, h)| (*p, h.damaged))
        else {
            return;
        };
        let found = match todo.front() {
            Some(Todo::Take(found, lsn, _)) if todo.len() == 1 && *found == page => Some(*lsn),
            Some(_) => return,
            None => None,
        };
        // Invariant 3; a peer that is behind is asked again later.
        if m.point < pages.store.page_point || found.is_some_and(|lsn| lsn < damaged) {
            return;
        }
        let mut job = Job::new(JobKind::Heal { page }, todo);
        let upto = found.unwrap_or(m.point);
        let mut at = pages.store.version_at(page, upto);
        while let Some(version) = at {
            job.dropped.push((page, version.lsn));
            at = pages.store.version_at(page, Lsn(version.lsn.0.saturating_sub(1)));
        }
        pages.job = Some(job);
        self.drive_job(id, out);
    }

    /// A batch is stored: on to the next, or the copy is whole.
    pub(crate) fn copied(
        &mut self,
        id: SegmentId,
        last: Option<PageId>,
        point: Option<Lsn>,
        out: &mut Vec<Action>,
    ) {
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let Some(pages) = segment.pages.as_mut() else { return };
        let Some(copy) = pages.copy.as_mut() else { return };
        (copy.after, copy.asked_us) = (last, None);
        let Some(point) = point else { return self.drive_copy(id, out) };
        pages.copy = None;
        if point > pages.store.page_point {
            pages.store.advance(point);
        }
        segment.chain.set_mark(point);
        tracing::info!(segment = ?id, ?point, "pages copied");
        self.metrics.healed += 1;
    }

    /// R12: a newcomer that has pages and log through the joint head's VDL counts from now on.
    pub(crate) fn settle_newcomers(&mut self) {
        let mut settled = false;
        for segment in self.segments.values_mut().filter(|s| s.newcomer) {
            let Some(group) = self.head.as_ref().and_then(|h| h.group(segment.id.pg)) else { continue };
            let joint = group.joint.as_ref().filter(|j| j.newcomer.incarnation == segment.incarnation);
            let through = match joint {
                Some(joint) => Some(joint.from),
                // Named a member by a head not seen while joint: it had everything then.
                None => group.members.iter().any(|m| m.incarnation == segment.incarnation).then_some(Lsn(1)),
            };
            let point = segment.pages.as_ref().map_or(Lsn::ZERO, |p| p.store.page_point);
            let copying = segment.pages.as_ref().is_some_and(|p| p.copying());
            if let Some(through) = through
                && !copying
                && segment.chain.scl() >= through.max(point)
            {
                segment.newcomer = false;
                segment.claimed = segment.chain.scl();
                settled = true;
                tracing::info!(segment = ?segment.id, scl = ?segment.chain.scl(), "newcomer has everything");
            }
        }
        if settled {
            self.lane.superblock_first();
        }
    }
}
