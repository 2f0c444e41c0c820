//! Log that is on disk only: what leaves memory, and how a peer that lags, or a damaged page, still gets it.
//!
//! ```text
//!   chain:   base ◄── on disk only ──► from ◄── in memory ──► SCL
//!                        ▲                 ▲
//!   a peer far behind ───┘ log files read  └─ full: its newest page point at or below PGMRPL; tail: the VDL told
//! ```
//!
//! R11 makes every copy keep log until all full members have pages of it, which takes as long as a lost one takes to come
//! back. That log is kept in the files; memory keeps what this node still works with, and a few MiB for peers that lag a little.
//!
//! Invariants
//! 1. Only records at or below the VDL told leave memory: none of them can die (R3).
//! 2. A full segment keeps every record above its newest page point at or below PGMRPL: readers and rounds need no log file.
//! 3. At most [`READS`] log files are in memory for peers and damaged pages at a time.

use crate::event::{Action, DiskError, DiskFile, DiskOp};
use crate::held::Held;
use crate::image;
use crate::node::{Node, Pending};
use crate::scan::Scanner;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::lsn::Lsn;
use protocol::message::{LogSlice, Peer};
use protocol::page::PageId;
use protocol::record::Record;
use std::collections::{BTreeMap, VecDeque};

/// Peers served from log files at once; one that asks beyond that asks again.
const READS: usize = 2;
/// Log files read for one slice, at most.
const FILES: usize = 4;
/// Bytes of one slice from disk: a file was read for it, so it is larger than one from memory.
const SLICE_BYTES: usize = 1 << 20;

/// What log files are read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// A peer's slice.
    Slice { to: Peer, request: u64 },
    /// All there is of one damaged page (`heal`).
    Page(PageId),
}

impl Wanted {
    /// Another read of the same kind for the same asker is under way.
    fn same(&self, other: &Wanted) -> bool {
        match (self, other) {
            (Wanted::Slice { to, .. }, Wanted::Slice { to: other, .. }) => to == other,
            (Wanted::Page(_), Wanted::Page(_)) => true,
            _ => false,
        }
    }
}

/// Records being gathered from log files.
#[derive(Debug)]
pub(crate) struct ColdRead {
    segment: SegmentId,
    wanted: Wanted,
    after: Lsn,
    through: Lsn,
    files: VecDeque<u64>,
    found: BTreeMap<Lsn, Record>,
}

impl Node {
    /// Lets records leave memory that nobody here needs.
    pub(crate) fn spill(&mut self) {
        let (vdl, keep) = (self.vdl, self.config.settings.spill_bytes);
        for segment in self.segments.values_mut() {
            let needless = match &segment.pages {
                Some(pages) if pages.copying() => None,
                Some(pages) => pages.store.point_below(segment.pgmrpl),
                None => Some(vdl),
            };
            let Some(limit) = needless.map(|point| point.min(vdl).min(segment.chain.scl())) else { continue };
            if let Some(point) = segment.chain.spill_point(keep, limit) {
                segment.chain.spill_through(point);
            }
        }
    }

    /// Log on disk only was found damaged: what a restart would find is found now, and peers fill it. A page job under way has its
    /// records from the chain, so it ends first.
    pub(crate) fn reopen_damaged(&mut self) {
        for segment in self.segments.values_mut().filter(|s| s.cold_rot) {
            if segment.pages.as_ref().is_some_and(|p| p.job.is_some()) {
                continue;
            }
            segment.cold_rot = false;
            segment.claimed = segment.claim();
            segment.chain.reopen();
            segment.reach = segment.chain.scl();
        }
    }

    /// Answers a peer whose `after` lies below what memory holds.
    pub(crate) fn answer_from_disk(
        &mut self,
        id: SegmentId,
        to: Peer,
        request: u64,
        (after, through): (Lsn, Lsn),
        out: &mut Vec<Action>,
    ) {
        self.read_log(id, Wanted::Slice { to, request }, (after, through), out);
    }

    /// Starts to read log files for records in (after, through], if there is room; who wants them asks again.
    pub(crate) fn read_log(
        &mut self,
        id: SegmentId,
        wanted: Wanted,
        (after, through): (Lsn, Lsn),
        out: &mut Vec<Action>,
    ) {
        let same = |r: &ColdRead| r.segment == id && r.wanted.same(&wanted);
        if self.cold.len() >= READS || self.cold.values().any(same) {
            return;
        }
        let files = match wanted {
            Wanted::Slice { .. } => self.log.files_with(id, after, FILES),
            Wanted::Page(_) => self.log.files_of(id, after),
        };
        let read = ColdRead { segment: id, wanted, after, through, files, found: BTreeMap::new() };
        let number = self.request();
        self.cold.insert(number, read);
        self.read_cold(number, out);
    }

    /// Reads the next file, or answers.
    fn read_cold(&mut self, number: u64, out: &mut Vec<Action>) {
        let Some(read) = self.cold.get(&number) else { return };
        if let Some(file) = read.files.front().copied() {
            let len = self.config.settings.log_file_bytes as usize;
            self.disk(Pending::Cold(number), DiskFile::Log(file), DiskOp::Read { offset: 0, len }, out);
            return;
        }
        let Some(read) = self.cold.remove(&number) else { return };
        let head_version = self.head_version();
        let Some(segment) = self.segments.get(&read.segment) else { return };
        let (to, request) = match read.wanted {
            Wanted::Slice { to, request } => (to, request),
            Wanted::Page(page) => {
                let mut records: Vec<Held> = read.found.into_values().map(Held::from).collect();
                let last = records.last().map_or(read.after, |r| r.lsn);
                records.extend(segment.chain.of_page(page, last, read.through));
                return self.made_from_log(read.segment, page, read.through, &records, out);
            }
        };
        let mut frames = Vec::new();
        for record in read.found.values() {
            if !frames.is_empty() && frames.len() + record.len() > SLICE_BYTES {
                break;
            }
            frames.extend_from_slice(record.frame());
        }
        if frames.is_empty() {
            // Rot, or the files went meanwhile: the peer asks elsewhere.
            return;
        }
        let slice = LogSlice {
            request,
            head_version,
            after: read.after,
            end: false,
            floor: segment.chain.base(),
            frames: Bytes::from(frames),
        };
        self.send(read.segment, to, slice, out);
    }

    pub(crate) fn cold_done(
        &mut self,
        number: u64,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let (owner, file_bytes) = (self.owner, self.config.settings.log_file_bytes);
        let list = self.head.as_ref().map(|h| &h.truncations);
        let Some(read) = self.cold.get_mut(&number) else { return };
        let (Some(file), Some(segment)) = (read.files.pop_front(), self.segments.get(&read.segment)) else {
            self.cold.remove(&number);
            return;
        };
        let first = self.log.files.get(&file).and_then(|f| f.first_sequence).unwrap_or_default();
        let bytes = image::share(result.unwrap_or_default());
        let blocks = Scanner::new(owner, file_bytes, file, first).file(file, &bytes);
        let mine =
            |s: &&crate::block::Section| s.segment == read.segment && s.incarnation == segment.incarnation;
        for section in blocks.iter().flat_map(|b| &b.sections).filter(mine) {
            let mut rest = section.frames.clone();
            while let Ok(record) = Record::decode(&rest) {
                rest = rest.slice(record.len()..);
                let inside = record.lsn > read.after && record.lsn <= read.through;
                let wanted = match read.wanted {
                    Wanted::Slice { .. } => inside,
                    Wanted::Page(page) => inside && record.page == page,
                };
                if wanted && !list.is_some_and(|l| l.kills(&record)) {
                    read.found.insert(record.lsn, record);
                }
            }
        }
        self.read_cold(number, out);
    }
}
