//! Looks at stored pages and at the log in the background, so that rot is found before the other copies rot too.
//!
//! A damaged page is healed from a peer or the log (`heal`). A damaged log file is healed from memory: every record it may have held that is
//! held there is written again at the tail; recovery takes whichever copy is whole. What lay on disk only (`cold`) comes from
//! peers: the segment stands where it stood before that log, and claims what it had (R5), as after a restart.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::image;
use crate::node::{Node, Pending};
use crate::scan::Scanner;
use crate::store::PageStore;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId};
use protocol::record::Record;
use std::collections::BTreeSet;

impl Node {
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
            let Some(slot) = version.slot else { continue };
            let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
            self.disk(Pending::Scrub(id, page, version.lsn), DiskFile::Pages(id), op, out);
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
        let Some((number, first, next)) = self.log.next_complete(self.log_scrubbed) else { return };
        self.log_scrubbed = Some(number);
        let len = self.config.settings.log_file_bytes as usize;
        let op = DiskOp::Read { offset: 0, len };
        self.disk(Pending::ScrubLog(number, first, next), DiskFile::Log(number), op, out);
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
