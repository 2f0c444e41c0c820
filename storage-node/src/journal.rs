//! The page store's journal: blocks that say which slot holds which page version; `docs/formats/page-store.md`.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `SXPJ` |
//! | 4 | 1 | format version, [`JOURNAL_VERSION`] |
//! | 5 | 1 | flags: 1 commit (last block of its batch) |
//! | 6 | 2 | entries in this block |
//! | 8 | 4 | CRC-32C of bytes 12..4096 |
//! | 12 | 4 | group of the segment |
//! | 16 | 1 | its position |
//! | 17 | 7 | reserved, zero |
//! | 24 | 16 | incarnation of the segment |
//! | 40 | 8 | generation |
//! | 48 | 8 | number of the block within the generation, from 0 |
//! | 56 | 8 | page point after this batch |
//! | 64 | 8 | PGMRPL by which versions were dropped |
//! | 72 | 4 | CRC of the block before in this generation, zero for the first |
//! | 76 | 4 | reserved, zero |
//! | 80 | 8 | number of the first block of this batch |
//! | 88 | 8 | the highest VDL told when the batch was written: what its pages rest on |
//! | 96 | 32 n | entries: page u64, lsn u64, slot u32 (all ones: discarded), change u8 (1 add, 2 drop), flags u8 (1 oldest known), 10 zero |
//!
//! Two files take turns: a generation begins with a snapshot of everything (one batch), then grows batch by batch; when it has
//! grown too long the next one begins in the other file. The higher generation whose first batch is committed counts.
//!
//! Invariants
//! 1. A batch counts when its commit block is whole and every block follows the one before by checksum. One batch is in flight at
//!    a time, so a bad block followed by a block of a later batch is rot; anything else after it is what a crash left.
//! 2. Batches are written after the images they name are durable.

use crate::event::SECTOR_BYTES;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{Incarnation, SegmentId};
use protocol::lsn::Lsn;
use protocol::page::PageId;

/// Version byte of a journal block.
pub const JOURNAL_VERSION: u8 = 1;
const MAGIC: [u8; 4] = *b"SXPJ";
const HEADER_BYTES: usize = 96;
const ENTRY_BYTES: usize = 32;
/// Entries of one block.
pub const ENTRIES: usize = (SECTOR_BYTES - HEADER_BYTES) / ENTRY_BYTES;
const COMMIT: u8 = 1;
const NO_SLOT: u32 = u32::MAX;

const _: () = assert!(HEADER_BYTES + ENTRIES * ENTRY_BYTES == SECTOR_BYTES);

/// What happens to a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It is stored.
    Add {
        /// See [`Version`](crate::store::Version).
        oldest_known: bool,
    },
    /// It is stored no more.
    Drop,
}

/// One line of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The page.
    pub page: PageId,
    /// LSN of the version.
    pub lsn: Lsn,
    /// Its slot; `None`: a discarded page.
    pub slot: Option<u32>,
    /// What happens.
    pub change: Change,
}

/// Whose journal it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalOwner {
    /// The segment.
    pub segment: SegmentId,
    /// Its life.
    pub incarnation: Incarnation,
}

/// Changes that become durable together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The changes.
    pub entries: Vec<Entry>,
    /// Page point after them.
    pub page_point: Lsn,
    /// PGMRPL by which versions were dropped.
    pub forgotten_below: Lsn,
    /// The highest VDL told: no page of the batch rests on a record above it.
    pub vdl: Lsn,
}

/// Where a journal stands: what the next batch follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalTail {
    /// The generation being written.
    pub generation: u64,
    /// Number of the next block.
    pub blocks: u64,
    /// Checksum of the block before it.
    pub crc: u32,
}

/// Encodes a batch behind `tail`, and moves the tail.
#[must_use]
pub fn encode(owner: JournalOwner, tail: &mut JournalTail, batch: &Batch) -> AlignedBuf {
    let first_block = tail.blocks;
    let blocks = batch.entries.len().div_ceil(ENTRIES).max(1);
    let mut buf = AlignedBuf::zeroed(blocks * SECTOR_BYTES);
    for n in 0..blocks {
        let entries = &batch.entries[n * ENTRIES..batch.entries.len().min((n + 1) * ENTRIES)];
        let b = &mut buf[n * SECTOR_BYTES..(n + 1) * SECTOR_BYTES];
        b[0..4].copy_from_slice(&MAGIC);
        b[4] = JOURNAL_VERSION;
        b[5] = if n + 1 == blocks { COMMIT } else { 0 };
        b[6..8].copy_from_slice(&(entries.len() as u16).to_le_bytes());
        b[12..16].copy_from_slice(&owner.segment.pg.0.to_le_bytes());
        b[16] = owner.segment.position;
        b[24..40].copy_from_slice(&owner.incarnation.0.to_le_bytes());
        b[40..48].copy_from_slice(&tail.generation.to_le_bytes());
        b[48..56].copy_from_slice(&(first_block + n as u64).to_le_bytes());
        b[56..64].copy_from_slice(&batch.page_point.0.to_le_bytes());
        b[64..72].copy_from_slice(&batch.forgotten_below.0.to_le_bytes());
        b[72..76].copy_from_slice(&tail.crc.to_le_bytes());
        b[80..88].copy_from_slice(&first_block.to_le_bytes());
        b[88..96].copy_from_slice(&batch.vdl.0.to_le_bytes());
        for (i, entry) in entries.iter().enumerate() {
            let e = &mut b[HEADER_BYTES + i * ENTRY_BYTES..HEADER_BYTES + (i + 1) * ENTRY_BYTES];
            e[0..8].copy_from_slice(&entry.page.0.to_le_bytes());
            e[8..16].copy_from_slice(&entry.lsn.0.to_le_bytes());
            e[16..20].copy_from_slice(&entry.slot.unwrap_or(NO_SLOT).to_le_bytes());
            (e[20], e[21]) = match entry.change {
                Change::Add { oldest_known } => (1, u8::from(oldest_known)),
                Change::Drop => (2, 0),
            };
        }
        let crc = crc32c::crc32c(&b[12..]);
        b[8..12].copy_from_slice(&crc.to_le_bytes());
        tail.crc = crc;
    }
    tail.blocks += blocks as u64;
    buf
}

/// What a journal file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    /// Where the next batch goes.
    pub tail: JournalTail,
    /// The committed batches, in order.
    pub batches: Vec<Batch>,
    /// A block of a later batch follows a bad one: something committed was lost.
    pub rot: bool,
}

/// Reads one journal file. `None`: no generation of this owner has a committed snapshot in it.
#[must_use]
pub fn replay(owner: JournalOwner, file: &Bytes) -> Option<Replay> {
    let mut blocks = file.chunks_exact(SECTOR_BYTES).enumerate();
    let generation = header(owner, file.get(..SECTOR_BYTES)?)?.generation;
    let mut found =
        Replay { tail: JournalTail { generation, blocks: 0, crc: 0 }, batches: Vec::new(), rot: false };
    let (mut open, mut crc, mut ended_at) = (Vec::new(), 0, None);
    for (n, block) in blocks.by_ref() {
        let head = header(owner, block).filter(|h| h.generation == generation && h.number == n as u64);
        let Some(head) = head.filter(|h| h.previous_crc == crc && h.batch_first == found.tail.blocks) else {
            ended_at = Some(n as u64);
            break;
        };
        crc = head.crc;
        open.extend(entries(block, head.count)?);
        if head.commit {
            found.tail = JournalTail { generation, blocks: n as u64 + 1, crc };
            let entries = std::mem::take(&mut open);
            let Header { page_point, forgotten_below, vdl, .. } = head;
            found.batches.push(Batch { entries, page_point, forgotten_below, vdl });
        }
    }
    if let Some(bad) = ended_at {
        let later =
            |b: &[u8]| header(owner, b).is_some_and(|h| h.generation == generation && h.batch_first > bad);
        found.rot = blocks.any(|(_, block)| later(block));
    }
    (!found.batches.is_empty()).then_some(found)
}

struct Header {
    commit: bool,
    count: usize,
    generation: u64,
    number: u64,
    crc: u32,
    previous_crc: u32,
    batch_first: u64,
    page_point: Lsn,
    forgotten_below: Lsn,
    vdl: Lsn,
}

fn header(owner: JournalOwner, b: &[u8]) -> Option<Header> {
    let count = usize::from(u16::from_le_bytes([b[6], b[7]]));
    let mut incarnation = [0; 16];
    incarnation.copy_from_slice(&b[24..40]);
    let valid = b[0..4] == MAGIC
        && b[4] == JOURNAL_VERSION
        && count <= ENTRIES
        && u32_at(b, 8) == crc32c::crc32c(&b[12..])
        && u32_at(b, 12) == owner.segment.pg.0
        && b[16] == owner.segment.position
        && u128::from_le_bytes(incarnation) == owner.incarnation.0;
    valid.then(|| Header {
        commit: b[5] & COMMIT != 0,
        count,
        generation: u64_at(b, 40),
        number: u64_at(b, 48),
        crc: u32_at(b, 8),
        previous_crc: u32_at(b, 72),
        batch_first: u64_at(b, 80),
        page_point: Lsn(u64_at(b, 56)),
        forgotten_below: Lsn(u64_at(b, 64)),
        vdl: Lsn(u64_at(b, 88)),
    })
}

fn entries(block: &[u8], count: usize) -> Option<Vec<Entry>> {
    let mut found = Vec::with_capacity(count);
    for e in block[HEADER_BYTES..].chunks_exact(ENTRY_BYTES).take(count) {
        let slot = u32_at(e, 16);
        let change = match e[20] {
            1 => Change::Add { oldest_known: e[21] & 1 != 0 },
            2 => Change::Drop,
            _ => return None,
        };
        let slot = (slot != NO_SLOT).then_some(slot);
        found.push(Entry { page: PageId(u64_at(e, 0)), lsn: Lsn(u64_at(e, 8)), slot, change });
    }
    Some(found)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut b = [0; 4];
    b.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(b)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(b)
}
