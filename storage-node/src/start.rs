//! Opening a folder: superblock, log, journals; or formatting an empty one.
//!
//! ```text
//!   no superblock file ─► make it ─► write it ─────────────────────────────┐
//!   superblock ─► log files from the first that counts ─► journals ─► superblock again ─► serving
//! ```
//!
//! Invariants
//! 1. R5: claims are what the last evidence says (superblock, then later blocks), never less than what the log shows. Missing
//!    blocks below them are rot: reported as claimed, healed, never truncated.
//! 2. A bad end of the log beyond all claims is a torn tail: doubtful, remembered durably, never accepted, never a reason to halt.
//!    The log goes on in a fresh file, so what the torn write left can never be mistaken for a block.
//! 3. Nothing is answered before everything was read; nothing is acknowledged before the new superblock is durable.
//! 4. A VDL counts with the head it was told under. Where the newest superblock rotted, the one before it holds an older head, and the
//!    log may hold records that the newer head's list kills: a VDL of the newer head, from blocks or journals, is reported
//!    (`told`), but nothing is made into pages, dropped or spilled by it.

use crate::block::Block;
use crate::event::{Action, DiskError, DiskFile, DiskOp, SECTOR_BYTES, Token};
use crate::held::Batch;
use crate::hotlog::HotLog;
use crate::journal::{self, JournalOwner, Replay};
use crate::node::{Node, Pending, Phase};
use crate::pages::Pages;
use crate::scan::Scanner;
use crate::segment::Segment;
use crate::superblock::{SLOT_BYTES, SUPERBLOCK_VERSION, Superblock};
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{Incarnation, SegmentId, SegmentRole};
use protocol::lsn::Lsn;
use std::collections::{BTreeMap, VecDeque};

const CHUNK_BYTES: usize = 512 << 10;

/// A whole file being read, chunk by chunk; what cannot be read becomes bytes nothing decodes.
#[derive(Debug)]
struct Reading {
    file: DiskFile,
    bytes: Vec<u8>,
    left: VecDeque<(u64, usize)>,
    /// So many zero bytes in a row end the file: no block is that long, so none can lie behind them.
    enough_zeroes: Option<usize>,
    zeroes: usize,
}

#[derive(Debug)]
enum Step {
    MakeSuperblock,
    WriteSuperblock,
    Superblock,
    Log(u64),
    Journal(SegmentId, u8),
    /// Journals are read: no file.
    Pages,
}

/// An opening under way.
#[derive(Debug)]
pub(crate) struct Opening {
    files: BTreeMap<DiskFile, u64>,
    step: Step,
    todo: VecDeque<Step>,
    reading: Option<Reading>,
    superblock: Superblock,
    scanner: Option<Scanner>,
    claims: BTreeMap<(SegmentId, Incarnation), Lsn>,
    journals: BTreeMap<SegmentId, [Option<Replay>; 2]>,
}

impl Node {
    pub(crate) fn open(&mut self, files: &[(DiskFile, u64)], out: &mut Vec<Action>) {
        if self.phase != Phase::Starting || self.opening.is_some() {
            return;
        }
        let files: BTreeMap<DiskFile, u64> = files.iter().copied().collect();
        let exists = files.contains_key(&DiskFile::Super);
        let file_bytes = self.config.settings.log_file_bytes;
        self.opening = Some(Box::new(Opening {
            files,
            step: Step::Superblock,
            todo: VecDeque::new(),
            reading: None,
            superblock: Superblock::blank(self.owner.volume, self.owner.node, file_bytes),
            scanner: None,
            claims: BTreeMap::new(),
            journals: BTreeMap::new(),
        }));
        if exists {
            self.read_whole(DiskFile::Super, 2 * SLOT_BYTES as u64, out);
        } else {
            self.format(out);
        }
    }

    fn format(&mut self, out: &mut Vec<Action>) {
        let Some(opening) = &mut self.opening else { return };
        opening.step = Step::MakeSuperblock;
        let left: Vec<DiskFile> =
            opening.files.keys().copied().filter(|f| matches!(f, DiskFile::Log(_))).collect();
        for file in left {
            self.disk(Pending::Nothing, file, DiskOp::Delete, out);
        }
        let op = DiskOp::Allocate { len: 2 * SLOT_BYTES as u64 };
        self.disk(Pending::Start, DiskFile::Super, op, out);
    }

    fn read_whole(&mut self, file: DiskFile, len: u64, out: &mut Vec<Action>) {
        let chunks = (0..len).step_by(CHUNK_BYTES);
        let left = chunks.map(|at| (at, CHUNK_BYTES.min((len - at) as usize))).collect();
        let settings = &self.config.settings;
        if let Some(opening) = &mut self.opening {
            // Most of the last log file and all of the one made ahead are zero: a start does not read them.
            let longest = settings.log_block_bytes.max(protocol::record::MAX_RECORD_BYTES) + (64 << 10);
            let enough_zeroes = matches!(file, DiskFile::Log(_)).then_some(longest);
            // Room for all of it at once: growing would move what was read.
            let room = len.min(2 * settings.log_file_bytes) as usize;
            let bytes = Vec::with_capacity(room);
            opening.reading = Some(Reading { file, bytes, left, enough_zeroes, zeroes: 0 });
        }
        self.read_on(out);
    }

    /// Issues the next chunk; a file read to its end goes on to its step.
    fn read_on(&mut self, out: &mut Vec<Action>) {
        let Some(reading) = self.opening.as_mut().and_then(|o| o.reading.as_mut()) else { return };
        if let Some((offset, len)) = reading.left.front().copied() {
            let file = reading.file;
            self.disk(Pending::Start, file, DiskOp::Read { offset, len }, out);
            return;
        }
        let Some(reading) = self.opening.as_mut().and_then(|o| o.reading.take()) else { return };
        self.read_to_end(Bytes::from(reading.bytes), out);
    }

    pub(crate) fn start_done(
        &mut self,
        _token: Token,
        result: Result<AlignedBuf, DiskError>,
        out: &mut Vec<Action>,
    ) {
        let Some(opening) = &mut self.opening else { return };
        if let Some(reading) = &mut opening.reading {
            take_chunk(reading, result);
            return self.read_on(out);
        }
        if let Err(error) = result {
            return self.fail(format!("formatting the folder: {error}"));
        }
        match opening.step {
            Step::MakeSuperblock => {
                opening.step = Step::WriteSuperblock;
                self.lane.superblock_sequence = 1;
                opening.superblock.sequence = 1;
                let Some(bytes) = opening.superblock.encode() else { return };
                let op = DiskOp::Write { offset: Superblock::slot_offset(1), bytes, durable: true };
                self.disk(Pending::Start, DiskFile::Super, op, out);
            }
            _ => {
                self.opening = None;
                self.phase = Phase::Serving;
            }
        }
    }

    fn read_to_end(&mut self, bytes: Bytes, out: &mut Vec<Action>) {
        let Some(opening) = &mut self.opening else { return };
        match opening.step {
            Step::Superblock => return self.superblock_read(&bytes, out),
            Step::Log(number) => self.log_read(number, &bytes),
            Step::Journal(id, half) => {
                if let Some(segment) = self.segments.get(&id) {
                    let owner = JournalOwner { segment: id, incarnation: segment.incarnation };
                    opening.journals.entry(id).or_default()[usize::from(half)] =
                        journal::replay(owner, &bytes);
                }
            }
            Step::MakeSuperblock | Step::WriteSuperblock | Step::Pages => {}
        }
        self.next_step(out);
    }

    fn next_step(&mut self, out: &mut Vec<Action>) {
        let Some(opening) = &mut self.opening else { return };
        let Some(step) = opening.todo.pop_front() else { return self.opened() };
        if matches!(step, Step::Pages) {
            self.recover_pages();
            return self.next_step(out);
        }
        let file = match step {
            Step::Log(number) => DiskFile::Log(number),
            Step::Journal(id, half) => DiskFile::Index(id, half),
            _ => DiskFile::Super,
        };
        let len = opening.files.get(&file).copied().unwrap_or(0);
        opening.step = step;
        self.read_whole(file, len, out);
    }

    fn superblock_read(&mut self, bytes: &Bytes, out: &mut Vec<Action>) {
        let Some(superblock) = Superblock::newest(bytes) else {
            if bytes.iter().all(|b| *b == 0) {
                return self.format(out);
            }
            let other = bytes.first().copied().filter(|version| (1..SUPERBLOCK_VERSION).contains(version));
            return self.fail(match other {
                Some(found) => format!(
                    "the superblock is of format {found}; this build reads format {SUPERBLOCK_VERSION}"
                ),
                None => "both copies of the superblock are damaged".into(),
            });
        };
        if superblock.volume != self.owner.volume || superblock.node != self.owner.node {
            return self.fail(format!(
                "the superblock belongs to node {} of volume {}",
                superblock.node, superblock.volume
            ));
        }
        // The size of log files is fixed when a folder is made.
        self.config.settings.log_file_bytes = superblock.log_file_bytes;
        self.lane.superblock_sequence = superblock.sequence;
        (self.head, self.vdl) = (superblock.head.clone(), superblock.vdl);
        self.head_durable = self.head_version();
        self.lease_ms = self.head.as_ref().map_or(0, |h| h.lease_ms);
        self.log = HotLog::new(superblock.log_file_bytes, superblock.log_first_file, superblock.log_sequence);
        for entry in &superblock.segments {
            self.segments.insert(entry.id, Segment::new(entry, None));
        }
        let Some(opening) = &mut self.opening else { return };
        opening.claims = superblock.segments.iter().map(|s| ((s.id, s.incarnation), s.claim)).collect();
        opening.scanner = Some(Scanner::new(
            self.owner,
            superblock.log_file_bytes,
            superblock.log_first_file,
            superblock.log_first_sequence,
        ));
        // Journals first: what is in pages need not be held while the log is read.
        let (mut released, mut logs) = (Vec::new(), Vec::new());
        for file in opening.files.keys() {
            match *file {
                DiskFile::Log(n) if n < superblock.log_first_file => released.push(n),
                DiskFile::Log(n) => logs.push(Step::Log(n)),
                DiskFile::Index(id, half) if self.segments.contains_key(&id) => {
                    opening.todo.push_back(Step::Journal(id, half));
                }
                _ => {}
            }
        }
        opening.todo.push_back(Step::Pages);
        opening.todo.extend(logs);
        opening.superblock = superblock;
        for number in released {
            self.disk(Pending::Nothing, DiskFile::Log(number), DiskOp::Delete, out);
        }
        self.next_step(out);
    }

    /// What the journals say of the pages of full segments.
    fn recover_pages(&mut self) {
        let Some(opening) = &mut self.opening else { return };
        for segment in self.segments.values_mut().filter(|s| s.role == SegmentRole::Full) {
            let replays = opening.journals.remove(&segment.id).unwrap_or_default();
            let pages = Pages::recover(replays, segment.chain.base(), segment.newcomer);
            // Pages come from records at or below a VDL that was told: where rot ate the batch that states it, they prove it. Under
            // which head it was told, they do not say (invariant 4).
            self.told = self.told.max(pages.vdl).max(pages.store.page_point);
            segment.pages = Some(pages);
        }
    }

    /// A long log is not held while it is read: records in pages, and those a tail keeps for others, lie on disk only.
    fn spill_while_opening(&mut self) {
        let (vdl, keep) = (self.vdl, self.config.settings.spill_bytes);
        let pressed = self.memory_bytes() > self.config.settings.log_memory_bytes / 2;
        for segment in self.segments.values_mut() {
            let needless = match &segment.pages {
                Some(pages) if pages.copying() => continue,
                // The PGMRPL known is old: only a log too long for memory is a reason to send readers elsewhere.
                Some(pages) if pages.store.page_point > segment.pgmrpl && !pressed => continue,
                Some(pages) => pages.store.page_point,
                None => vdl,
            };
            let limit = needless.min(vdl).min(segment.chain.scl());
            let Some(point) = segment.chain.spill_point(keep, limit) else { continue };
            segment.chain.spill_through(point);
            if let Some(pages) = &mut segment.pages
                && pages.store.page_point > segment.pgmrpl
            {
                pages.store.forgotten_below = pages.store.forgotten_below.max(pages.store.page_point);
            }
        }
    }

    fn log_read(&mut self, number: u64, bytes: &Bytes) {
        let held = self.head_version();
        let Some(opening) = &mut self.opening else { return };
        let Some(scanner) = &mut opening.scanner else { return };
        let blocks = scanner.file(number, bytes);
        if opening.files.get(&DiskFile::Log(number)) == Some(&self.config.settings.log_file_bytes) {
            self.log.add_ready(number);
        }
        if let Some(first) = blocks.first() {
            self.log.files.entry(number).or_default().first_sequence = Some(first.header.sequence);
        }
        let since = opening.superblock.log_sequence;
        for block in &blocks {
            // Invariant 4.
            self.told = self.told.max(block.header.vdl);
            if block.header.head_version <= held {
                self.vdl = self.vdl.max(block.header.vdl);
            }
            if block.header.sequence >= since {
                opening.claims.extend(block.claims.iter().map(|c| ((c.segment, c.incarnation), c.scl)));
            }
            take_block(&mut self.segments, &mut self.log, self.head.as_ref(), number, block);
        }
        self.spill_while_opening();
    }

    /// Everything is read: settle what a crash left, and serve.
    fn opened(&mut self) {
        let Some(mut opening) = self.opening.take() else { return };
        let Some(scanner) = opening.scanner.take() else { return };
        let stated = &opening.superblock;
        let torn = scanner.dirty.is_some_and(|at| at >= stated.log_position);
        let lost = scanner.missing + stated.log_sequence.saturating_sub(scanner.expected);
        if torn && protocol::mutant!(TornTailHalts) {
            return self.fail("the log ends in a damaged block".into());
        }
        self.metrics.rot += lost;
        let fresh_file = scanner.dirty.map(|at| (self.log.at(at).0 + 1) * stated.log_file_bytes);
        self.log.tail = scanner.tail.max(stated.log_position).max(fresh_file.unwrap_or(0));
        self.log.next_sequence = scanner.expected.max(stated.log_sequence);
        for segment in self.segments.values_mut() {
            let claim = opening.claims.get(&(segment.id, segment.incarnation)).copied().unwrap_or_default();
            let claim = segment.chain.continued_from(claim);
            segment.claimed = if protocol::mutant!(RotAsAbsent) { segment.chain.scl() } else { claim };
            segment.settle_claim();
            segment.doubtful |= torn;
            if let Some(pages) = &segment.pages {
                segment.chain.set_mark(pages.store.page_point);
            }
            if segment.claimed > segment.chain.scl() {
                tracing::warn!(segment = ?segment.id, claim = ?segment.claimed, scl = ?segment.chain.scl(), "log is damaged below what was acknowledged");
            }
        }
        self.phase = Phase::Serving;
        self.begin_silence();
        self.lane.superblock_first();
    }
}

fn take_chunk(reading: &mut Reading, result: Result<AlignedBuf, DiskError>) {
    let Some((offset, len)) = reading.left.pop_front() else { return };
    match result {
        Ok(bytes) => {
            reading.bytes.extend_from_slice(&bytes);
            reading.zeroes = if bytes.iter().all(|b| *b == 0) { reading.zeroes + bytes.len() } else { 0 };
            if bytes.len() < len || reading.enough_zeroes.is_some_and(|enough| reading.zeroes >= enough) {
                reading.left.clear();
            }
        }
        Err(_) if len > SECTOR_BYTES => {
            // Find what of it can be read.
            for at in (0..len).step_by(SECTOR_BYTES).rev() {
                reading.left.push_front((offset + at as u64, SECTOR_BYTES.min(len - at)));
            }
        }
        Err(_) => {
            reading.zeroes = 0;
            reading.bytes.resize(reading.bytes.len() + len, 0xff);
        }
    }
}

/// Puts the records of a recovered block into their chains.
fn take_block(
    segments: &mut BTreeMap<SegmentId, Segment>,
    log: &mut HotLog,
    head: Option<&protocol::Head>,
    file: u64,
    block: &Block,
) {
    for section in &block.sections {
        // Decoded together: a record costs no allocation of its own.
        let batch = Batch::decode(&section.frames);
        let Some((low, high)) = batch.span() else { continue };
        log.note(file, section.segment, (low, high));
        let Some(segment) =
            segments.get_mut(&section.segment).filter(|s| s.incarnation == section.incarnation)
        else {
            continue;
        };
        for record in batch.records() {
            if !head.is_some_and(|h| h.truncations.kills(&record)) {
                segment.chain.insert(record);
            }
        }
    }
}
