//! Looks at stored pages in the background, so that rot is found before the other copies rot too.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::image;
use crate::node::{Node, Pending};
use crate::store::PageStore;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::page::{PAGE_BYTES, PageId};

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
}
