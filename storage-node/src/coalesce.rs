//! When pages are made: rounds that bring every page up to a target, and the collection of versions nobody needs.
//!
//! ```text
//!   page point ──── records not yet in pages ────► min(SCL, VDL told)
//!             └── target: as far as one round may go (pages and records of a round are bounded)
//! ```
//!
//! Invariants
//! 1. R11: no page is made from a record above the VDL told; such a record may still die (R3).
//! 2. A round ends with every page complete through its target, or changes nothing.

use crate::event::Action;
use crate::job::{Job, JobKind, Todo};
use crate::node::Node;
use crate::segment::Segment;
use crate::settings::Settings;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::page::PageId;
use std::collections::VecDeque;

impl Node {
    /// Starts a page job in every full segment that has something to do and none under way.
    pub(crate) fn start_jobs(&mut self, out: &mut Vec<Action>) {
        let ids: Vec<SegmentId> =
            self.segments.values().filter(|s| s.pages.is_some()).map(|s| s.id).collect();
        for id in ids {
            self.start_job(id, out);
        }
    }

    fn start_job(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        let (now, vdl) = (self.now_us, self.vdl);
        let position = self.log.tail;
        let Some(segment) = self.segments.get_mut(&id) else { return };
        let Some(pages) = segment.pages.as_ref() else { return };
        if pages.job.is_some() || now < self.no_space_until_us {
            return;
        }
        if pages.copying() {
            return self.drive_copy(id, out);
        }
        if !pages.heal.is_empty() {
            return self.drive_heal(id, out);
        }
        let job = round(segment, vdl, now, position, self.settling, &self.config.settings)
            .or_else(|| collection(segment, now, &self.config.settings));
        let Some(job) = job else { return };
        if let Some(pages) = segment.pages.as_mut() {
            pages.job = Some(job);
        }
        self.drive_job(id, out);
    }
}

/// A round, if one is due.
fn round(
    segment: &mut Segment,
    vdl: Lsn,
    now: u64,
    position: u64,
    settling: bool,
    settings: &Settings,
) -> Option<Job> {
    if segment.cold_rot {
        return None;
    }
    let pages = segment.pages.as_mut()?;
    let point = pages.store.page_point;
    let limit = segment.chain.scl().min(vdl);
    let limit = if protocol::mutant!(CoalesceAboveVdl) { segment.chain.scl() } else { limit };
    if limit <= point {
        pages.waiting_since_us = None;
        return None;
    }
    let since = *pages.waiting_since_us.get_or_insert(now);
    // Small batches are padded to sectors: what a restart reads is bytes of log, not of records.
    let log_bytes = position.saturating_sub(pages.round_position);
    let due = segment.chain.unapplied_bytes() >= settings.coalesce_bytes
        || log_bytes >= settings.coalesce_log_bytes
        || segment.chain.longest() >= settings.coalesce_chain
        || now >= since + settings.coalesce_interval_us
        || settling;
    // A search, so it comes last: mostly nothing is due.
    if !due || segment.chain.point_at(limit) <= point {
        return None;
    }
    // A point at or below PGMRPL frees log and old versions at once; one above must wait for PGMRPL to pass it.
    let released = segment.chain.point_at(limit.min(segment.pgmrpl));
    let limit = if released > point { released } else { limit };
    let (target, order) = segment.chain.extent(point, limit, settings.coalesce_pages);
    assert!(
        target > point && target <= limit,
        "coalesce invariant 1: target {target:?} from {point:?}, limit {limit:?}"
    );
    if let Some(pages) = segment.pages.as_mut() {
        pages.round_position = position;
    }
    let order = order.into_iter().map(Todo::Coalesce).collect();
    Some(Job::new(JobKind::Round { target }, order))
}

/// Old versions to drop, if PGMRPL has moved since everything was looked at.
fn collection(segment: &mut Segment, now: u64, settings: &Settings) -> Option<Job> {
    let count = settings.gc_pages;
    let (pgmrpl, base) = (segment.pgmrpl, segment.chain.base());
    let pages = segment.pages.as_mut()?;
    if now < pages.next_collection_us || (pages.collected.is_none() && pages.collected_at == pgmrpl) {
        return None;
    }
    pages.next_collection_us = now + settings.gc_interval_us;
    let candidates = pages.store.candidates(pages.collected, count);
    if pages.collected.is_none() {
        pages.collected_at = pgmrpl;
    }
    pages.collected = if candidates.len() < count { None } else { candidates.last().copied() };
    let drop = |page: &PageId| {
        let page = *page;
        pages
            .store
            .droppable(page, None, pgmrpl, base)
            .into_iter()
            .map(move |v| (page, v.lsn))
            .collect::<Vec<_>>()
    };
    let dropped: Vec<(PageId, Lsn)> = candidates.iter().flat_map(drop).collect();
    if dropped.is_empty() {
        return None;
    }
    let mut job = Job::new(JobKind::Collect, VecDeque::new());
    job.dropped = dropped;
    Some(job)
}
