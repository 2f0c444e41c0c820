//! Looks at stored pages and at the log in the background, so that rot is found before the other copies rot too.
//!
//! A damaged page is healed from a peer or the log (`heal`). A damaged log file is healed from memory: every record it may have held that is
//! held there is written again at the tail; recovery takes whichever copy is whole. What lay on disk only (`cold`) comes from
//! peers: the segment stands where it stood before that log, and claims what it had (R5), as after a restart.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::image;
use crate::node::{Node, Pending, Phase};
use crate::scan::Scanner;
use crate::store::{PageStore, Version};
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId};
use protocol::record::Record;
use std::collections::BTreeSet;

/// A look at everything stored (an operator's order): stored versions of every segment in order, then log files, a few each turn, with a
/// rest between, so that the foreground keeps the device.
#[derive(Debug)]
pub(crate) struct WholeScrub {
    /// Segments still to be looked at, and where the first of them stands.
    segments: Vec<SegmentId>,
    at: Option<(PageId, Lsn)>,
    /// Log files still to be looked at.
    logs: Vec<u64>,
    pub(crate) due_us: u64,
}

/// Stored versions looked at in one turn of a whole scrub.
const TURN_PAGES: usize = 16;
/// Rest between two turns, microseconds: at most 1,600 pages of 16 KiB a second.
const TURN_US: u64 = 10_000;
/// Reads for scrubbing in flight; a slow device is not asked for more.
const TURN_IN_FLIGHT: usize = 32;

impl Node {
    /// Starts a look at everything stored, unless one is under way.
    pub(crate) fn begin_scrub(&mut self) {
        if self.whole_scrub.is_some() || self.phase != Phase::Serving {
            return;
        }
        let full = self.segments.values().filter(|s| s.pages.as_ref().is_some_and(|p| !p.copying()));
        let segments = full.map(|s| s.id).rev().collect();
        let logs = self.log.complete_files().into_iter().rev().collect();
        self.whole_scrub = Some(WholeScrub { segments, at: None, logs, due_us: self.now_us });
    }

    /// True until everything was looked at that was stored when an operator asked.
    #[must_use]
    pub fn is_scrubbing(&self) -> bool {
        self.whole_scrub.is_some()
    }

    /// One turn of a whole scrub, when it is due.
    pub(crate) fn scrub_all(&mut self, out: &mut Vec<Action>) {
        let Some(mut scrub) = self.whole_scrub.take() else { return };
        if self.now_us < scrub.due_us {
            self.whole_scrub = Some(scrub);
            return;
        }
        scrub.due_us = self.now_us + TURN_US;
        let flying = |p: &&Pending| matches!(p, Pending::Scrub(..) | Pending::ScrubLog(..));
        if self.pending.values().filter(flying).count() < TURN_IN_FLIGHT {
            for _ in 0..TURN_PAGES {
                let Some(id) = scrub.segments.last().copied() else { break };
                let pages = self.segments.get(&id).and_then(|s| s.pages.as_ref());
                match pages.and_then(|p| p.store.next_version(scrub.at)) {
                    Some((page, version)) => {
                        scrub.at = Some((page, version.lsn));
                        self.look_at(id, page, version, out);
                    }
                    None => {
                        scrub.segments.pop();
                        scrub.at = None;
                    }
                }
            }
            if scrub.segments.is_empty()
                && let Some(number) = scrub.logs.pop()
            {
                self.look_at_log(number, out);
            }
        }
        if !scrub.segments.is_empty() || !scrub.logs.is_empty() || self.pending.values().any(|p| flying(&p)) {
            self.whole_scrub = Some(scrub);
        } else {
            self.metrics.scrub_passes += 1;
        }
    }

    fn look_at(&mut self, id: SegmentId, page: PageId, version: Version, out: &mut Vec<Action>) {
        let Some(slot) = version.slot else { return };
        let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
        self.metrics.scrubbed_pages += 1;
        self.disk(Pending::Scrub(id, page, version.lsn), DiskFile::Pages(id), op, out);
    }

    fn look_at_log(&mut self, number: u64, out: &mut Vec<Action>) {
        let Some((first, next)) = self.log.complete(number) else { return };
        let len = self.config.settings.log_file_bytes as usize;
        self.metrics.scrubbed_logs += 1;
        self.disk(
            Pending::ScrubLog(number, first, next),
            DiskFile::Log(number),
            DiskOp::Read { offset: 0, len },
            out,
        );
    }

    /// Reads the next stored version of every full segment; called once per scrub interval, which is its budget.
    pub(crate) fn scrub(&mut self, out: &mut Vec<Action>) {
        let ids: Vec<SegmentId> = self.segments.keys().copied().collect();
        for id in ids {
            let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { continue };
            if pages.copying() {
                continue;
            }
            let next = pages.store.next_version(pages.scrubbed);
            pages.scrubbed = next.map(|(page, v)| (page, v.lsn));
            let Some((page, version)) = next else { continue };
            self.look_at(id, page, version, out);
        }
    }

    pub(crate) fn scrub_done(
        &mut self,
        id: SegmentId,
        page: PageId,
        lsn: Lsn,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let bytes = result.unwrap_or_default();
        if image::checked(&bytes, page, lsn).is_none() {
            // A version dropped meanwhile may have lost its slot to another page: that is no rot.
            self.damaged(id, page, lsn);
            self.start_jobs(out);
        }
    }

    /// Reads the next complete log file; called once per interval, which is its budget.
    pub(crate) fn scrub_log(&mut self, out: &mut Vec<Action>) {
        let Some((number, ..)) = self.log.next_complete(self.log_scrubbed) else { return };
        self.log_scrubbed = Some(number);
        self.look_at_log(number, out);
    }

    pub(crate) fn scrub_log_done(
        &mut self,
        number: u64,
        (first, next): (u64, u64),
        result: Result<AlignedBuf, DiskError>,
    ) {
        let bytes = image::share(result.unwrap_or_default());
        let mut scanner = Scanner::new(self.owner, self.config.settings.log_file_bytes, number, first);
        let blocks = scanner.file(number, &bytes);
        let missing = scanner.missing + next.saturating_sub(scanner.expected);
        let Some(file) =
            self.log.files.get_mut(&number).filter(|_| missing > 0 && number >= self.log.first_file)
        else {
            return;
        };
        file.rewritten = true;
        self.metrics.rot += missing;
        let mut whole: BTreeSet<(SegmentId, Lsn)> = BTreeSet::new();
        for section in blocks.iter().flat_map(|b| &b.sections) {
            let records = Record::decode_all(&section.frames).unwrap_or_default();
            whole.extend(records.iter().map(|r| (section.segment, r.lsn)));
        }
        let (highest, lowest) = (file.highest.clone(), file.lowest.clone());
        for (id, highest) in highest {
            let Some(segment) = self.segments.get_mut(&id) else { continue };
            // Those that lie in other files are written twice; that does no harm.
            let lost = segment.chain.all().filter(|r| r.lsn <= highest && !whole.contains(&(id, r.lsn)));
            for record in lost {
                self.lane.push_record(id, segment.incarnation, record.clone());
                segment.staged += 1;
            }
            let cold = lowest.get(&id).is_some_and(|lowest| *lowest <= segment.chain.from());
            segment.cold_rot |= cold && segment.chain.from() > segment.chain.base();
        }
        tracing::warn!(node = %self.owner.node, number, missing, "damaged log blocks found; their records are written again");
    }
}
