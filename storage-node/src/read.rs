//! Pages for readers: one stored version, the unapplied records above it, one image.
//!
//! Invariants
//! 1. An answer holds exactly the group's records at or below the read point: the newest version at or below it, then the
//!    records between. Nothing is answered below PGMRPL, where versions and log may be gone.
//! 2. Everything a read needs is fixed when it starts (version pinned, records shared), so log and versions may go meanwhile.
//! 3. A damaged image is never served: the page is healed from a peer, the reader goes elsewhere.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::held::Held;
use crate::image;
use crate::node::{Node, Pending};
use crate::segment::Segment;
use crate::store::PageStore;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::message::{PageRead, PageRefusal, PageRefused, Peer, ReadPage, RefusedReason};
use protocol::page::{self, PAGE_BYTES, PageBuf, PageId};
use std::collections::{BTreeMap, VecDeque};

/// A read waiting or under way.
#[derive(Debug)]
struct Read {
    segment: SegmentId,
    to: Peer,
    request: u64,
    page: PageId,
    at: Lsn,
    version: Lsn,
    slot: u32,
    records: Vec<Held>,
}

/// Reads of a node, and the copies for its peers.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: VecDeque<Read>,
    under_way: BTreeMap<u64, Read>,
    next: u64,
    pub(crate) copies: BTreeMap<u64, crate::copy::CopyOut>,
}

impl Reads {
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

/// What a read point calls for.
enum Plan {
    Refuse(PageRefusal),
    Image(PageBuf),
    Base { version: Lsn, slot: u32, records: Vec<Held> },
}

impl Node {
    pub(crate) fn on_read_page(&mut self, id: SegmentId, from: Peer, m: ReadPage, out: &mut Vec<Action>) {
        if let Some(segment) = self.segments.get(&id)
            && m.epoch < segment.epoch(self.head.as_ref())
        {
            self.metrics.stale += 1;
            return self.refuse(id, from, RefusedReason::StaleEpoch, out);
        }
        if self.reads.waiting.len() >= self.config.settings.read_queue {
            self.metrics.dropped += 1;
            return;
        }
        let (request, page, at) = (m.request, m.page, m.at);
        let read = Read {
            segment: id,
            to: from,
            request,
            page,
            at,
            version: Lsn::ZERO,
            slot: 0,
            records: Vec::new(),
        };
        self.reads.waiting.push_back(read);
    }

    /// Starts waiting reads while there is room.
    pub(crate) fn pump_reads(&mut self, out: &mut Vec<Action>) {
        while self.reads.under_way.len() < self.config.settings.reads {
            let Some(read) = self.reads.waiting.pop_front() else { return };
            self.start_read(read, out);
        }
    }

    fn start_read(&mut self, mut read: Read, out: &mut Vec<Action>) {
        match plan(self.segments.get(&read.segment), read.page, read.at) {
            Plan::Refuse(reason) => self.refuse_page(&read, reason, out),
            Plan::Image(image) => self.answer_image(&read, image, out),
            Plan::Base { version, slot, records } => {
                (read.version, read.slot, read.records) = (version, slot, records);
                if let Some(pages) = self.segments.get_mut(&read.segment).and_then(|s| s.pages.as_mut()) {
                    pages.store.read_begins(slot);
                }
                self.reads.next += 1;
                let number = self.reads.next;
                let op = DiskOp::Read { offset: PageStore::offset(slot), len: PAGE_BYTES };
                self.disk(Pending::Read(number), DiskFile::Pages(read.segment), op, out);
                self.reads.under_way.insert(number, read);
            }
        }
    }

    pub(crate) fn read_done(
        &mut self,
        number: u64,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let Some(read) = self.reads.under_way.remove(&number) else { return };
        if let Some(pages) = self.segments.get_mut(&read.segment).and_then(|s| s.pages.as_mut()) {
            pages.store.read_done(read.slot);
        }
        let bytes = result.unwrap_or_default();
        let Some(base) = image::checked(&bytes, read.page, read.version) else {
            self.damaged(read.segment, read.page, read.version);
            return self.refuse_page(&read, PageRefusal::Rot, out);
        };
        if read.records.is_empty() {
            return self.answer(&read, image::share(bytes), out);
        }
        match image::build(read.page, PageBuf::from_slice(base), &read.records) {
            Ok(image) => self.answer_image(&read, image, out),
            Err(error) => {
                tracing::warn!(page = ?read.page, at = ?read.at, %error, "page cannot be built");
                self.damaged(read.segment, read.page, read.version);
                self.refuse_page(&read, PageRefusal::Rot, out);
            }
        }
    }

    /// A stored version is not what it should be: wants it healed, if it still counts.
    pub(crate) fn damaged(&mut self, id: SegmentId, page: PageId, lsn: Lsn) {
        let Some(pages) = self.segments.get_mut(&id).and_then(|s| s.pages.as_mut()) else { return };
        if pages.store.version_at(page, lsn).is_some_and(|v| v.lsn == lsn) {
            self.metrics.rot += 1;
            let heal = pages.heal.entry(page).or_default();
            heal.damaged = heal.damaged.max(lsn);
        }
    }

    fn answer_image(&mut self, read: &Read, image: PageBuf, out: &mut Vec<Action>) {
        // A discarded page and a forgotten one look alike, on every copy.
        let mut image = if image::is_discarded(&image) { PageBuf::blank(read.page) } else { image };
        assert!(
            page::lsn(image.bytes()) <= read.at,
            "I13: page {} at {:?} served with {:?}",
            read.page,
            read.at,
            page::lsn(image.bytes())
        );
        page::seal(image.bytes_mut());
        self.metrics.read_applies += read.records.len() as u64;
        self.answer(read, Bytes::copy_from_slice(image.bytes()), out);
    }

    fn answer(&mut self, read: &Read, image: Bytes, out: &mut Vec<Action>) {
        self.metrics.page_reads += 1;
        self.send(read.segment, read.to, PageRead { request: read.request, page: read.page, image }, out);
    }

    fn refuse_page(&mut self, read: &Read, reason: PageRefusal, out: &mut Vec<Action>) {
        self.metrics.page_refusals += 1;
        let scl = self.segments.get(&read.segment).map_or(Lsn::ZERO, Segment::scl);
        let refused = PageRefused { request: read.request, page: read.page, reason, scl };
        self.send(read.segment, read.to, refused, out);
    }
}

/// Invariant 1.
fn plan(segment: Option<&Segment>, page: PageId, at: Lsn) -> Plan {
    let Some(segment) = segment else { return Plan::Refuse(PageRefusal::Newcomer) };
    let Some(pages) = &segment.pages else { return Plan::Refuse(PageRefusal::Tail) };
    if segment.newcomer || pages.copying() {
        return Plan::Refuse(PageRefusal::Newcomer);
    }
    if segment.chain.scl() < at {
        return Plan::Refuse(PageRefusal::Behind);
    }
    let store = &pages.store;
    if at < segment.pgmrpl.max(store.forgotten_below) || store.lost_before(page, at) {
        return Plan::Refuse(PageRefusal::Forgotten);
    }
    if pages.heal.contains_key(&page) {
        return Plan::Refuse(PageRefusal::Rot);
    }
    let version = store.version_at(page, at);
    let records = segment.chain.of_page(page, version.map_or(Lsn::ZERO, |v| v.lsn), at);
    if let Some(version) = version
        && let Some(slot) = version.slot
        && !image::stands_alone(&records)
    {
        return Plan::Base { version: version.lsn, slot, records };
    }
    match image::build(page, None, &records) {
        Ok(image) => Plan::Image(image),
        Err(_) => Plan::Refuse(PageRefusal::Forgotten),
    }
}
