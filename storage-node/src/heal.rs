//! Damaged pages: a peer's image, or the log's.
//!
//! ```text
//!   attempt 0   1   ...   one per full peer, then one from the log, and round again
//!           │   │            └─► records in memory and in log files: the version made anew, if they begin with its beginning
//!           └───┴─► CopyPages(only this page) ──► PageBatch (`copy`)
//! ```
//!
//! While full members are missing the floor does not move (R11), so the log still holds what a last full copy loses. Where the
//! floor has moved, several full members hold the page.
//!
//! Invariants
//! 1. A version made anew is the damaged one, byte for byte: built by the same records up to the same LSN.
//! 2. What is found in a log file counts only where the list in force does not kill it (R3).

use crate::cold::Wanted;
use crate::event::Action;
use crate::held::Held;
use crate::image;
use crate::job::{Job, JobKind, Todo};
use crate::node::Node;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::message::{CopyPages, Peer};
use protocol::page::{self, PageId};
use std::collections::VecDeque;

/// Whom to ask this time.
enum Source {
    Peer(u8),
    Log,
}

impl Node {
    /// Asks for damaged pages.
    pub(crate) fn drive_heal(&mut self, id: SegmentId, out: &mut Vec<Action>) {
        let (now, timeout) = (self.now_us, self.config.settings.peer_timeout_us);
        let peers = self.full_peers(id);
        let mut request = self.next_request;
        let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { return };
        let mut asks = Vec::new();
        for (page, heal) in &mut pages.heal {
            if heal.asked_us.is_some_and(|at| now < at + timeout) {
                continue;
            }
            request += 1;
            let source = match peers.get(heal.attempts as usize % (peers.len() + 1)) {
                Some(position) => Source::Peer(*position),
                None => Source::Log,
            };
            (heal.request, heal.asked_us) = (request, Some(now));
            heal.attempts = heal.attempts.wrapping_add(1);
            asks.push((*page, heal.damaged, source, request));
        }
        self.next_request = request;
        for (page, damaged, source, request) in asks {
            match source {
                Source::Log => self.heal_from_log(id, page, damaged, out),
                Source::Peer(position) => {
                    let to = Peer::Segment(SegmentId { pg: id.pg, position });
                    let ask = CopyPages { request, after: None, only: Some(page), max_pages: 1 };
                    self.send(id, to, ask, out);
                }
            }
        }
    }

    /// From memory, or else from log files.
    fn heal_from_log(&mut self, id: SegmentId, page: PageId, damaged: Lsn, out: &mut Vec<Action>) {
        let Some(segment) = self.segments.get(&id) else { return };
        let (base, from) = (segment.chain.base(), segment.chain.from());
        let in_memory = segment.chain.of_page(page, Lsn::ZERO, damaged);
        if base < from && !image::stands_alone(&in_memory) {
            return self.read_log(id, Wanted::Page(page), (base, damaged), out);
        }
        self.made_from_log(id, page, damaged, &in_memory, out);
    }

    /// The log was looked through: `records` of the page, as far back as there are any, up to the damaged version.
    pub(crate) fn made_from_log(
        &mut self,
        id: SegmentId,
        page: PageId,
        damaged: Lsn,
        records: &[Held],
        out: &mut Vec<Action>,
    ) {
        let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { return };
        let wanted = pages.heal.get(&page).is_some_and(|heal| heal.damaged == damaged);
        let known = pages.store.version_at(page, damaged).filter(|v| v.lsn == damaged);
        let (Some(version), true, None) = (known, wanted, &pages.job) else { return };
        if !image::stands_alone(records) {
            return;
        }
        let Ok(image) = image::build(page, None, records) else { return };
        if page::lsn(image.bytes()) != damaged {
            return;
        }
        tracing::info!(segment = ?id, %page, ?damaged, "page made anew from the log");
        let kind = JobKind::Remake { page, oldest_known: version.oldest_known };
        pages.job = Some(Job::new(kind, VecDeque::from([Todo::Take(page, damaged, image)])));
        self.drive_job(id, out);
    }
}
