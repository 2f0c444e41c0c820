//! The log block: what one write of the hot log carries; `docs/formats/log-block.md`.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic `SXLB` |
//! | 4 | 1 | format version, [`BLOCK_VERSION`] |
//! | 5 | 3 | reserved, zero |
//! | 8 | 4 | CRC-32C of bytes 12..length |
//! | 12 | 4 | length of the block in bytes, a multiple of 4096 |
//! | 16 | 16 | volume id |
//! | 32 | 16 | node id |
//! | 48 | 8 | position of the block in the log, bytes since the log began |
//! | 56 | 8 | sequence number, one more than the block before |
//! | 64 | 8 | the highest VDL told before this block |
//! | 72 | 16 | version of the head held: epoch, seq |
//! | 88 | 4 | claims, `c` |
//! | 92 | 4 | sections, `s` |
//! | 96 | 40 c | claims: group u32, position u8, 3 zero, incarnation u128, SCL u64, granted epoch u64 |
//! | .. | 32 s | sections: group u32, position u8, 3 zero, incarnation u128, bytes u32, 4 zero |
//! | .. | .. | record frames of the sections, back to back, then zeroes up to the length |
//!
//! Invariants
//! 1. One block is in flight at a time, so a valid block proves that the one before it was synced: its claims are SCLs that
//!    may have been acknowledged (R5).
//! 2. Position and node lie inside the CRC: a stale, misdirected or foreign block is no block.

use crate::event::SECTOR_BYTES;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{COPIES, Incarnation, NodeId, PgId, SegmentId, VolumeId};
use protocol::head::HeadVersion;
use protocol::lsn::{Lsn, VolumeEpoch};

/// Version byte of a block.
pub const BLOCK_VERSION: u8 = 1;
const MAGIC: [u8; 4] = *b"SXLB";
const HEADER_BYTES: usize = 96;
const CLAIM_BYTES: usize = 40;
const SECTION_BYTES: usize = 32;

const _: () =
    assert!(HEADER_BYTES.is_multiple_of(8) && CLAIM_BYTES == 8 + 16 + 8 + 8 && SECTION_BYTES == 8 + 16 + 8);

/// Whose log it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The volume.
    pub volume: VolumeId,
    /// The node.
    pub node: NodeId,
}

/// What a block says besides its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockHeader {
    /// Bytes since the log began.
    pub position: u64,
    /// One more than the block before.
    pub sequence: u64,
    /// The highest VDL told.
    pub vdl: Lsn,
    /// Version of the head held.
    pub head_version: HeadVersion,
}

/// R5: the SCL a segment may have acknowledged before the block was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The segment.
    pub segment: SegmentId,
    /// Its life.
    pub incarnation: Incarnation,
    /// End of its durable gap-free chain.
    pub scl: Lsn,
    /// The epoch it had granted.
    pub epoch: VolumeEpoch,
}

/// Record frames of one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The segment.
    pub segment: SegmentId,
    /// Its life.
    pub incarnation: Incarnation,
    /// Frames back to back.
    pub frames: Bytes,
}

/// A decoded block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Position, sequence, VDL, head version.
    pub header: BlockHeader,
    /// Bytes on disk.
    pub len: usize,
    /// What had been acknowledged.
    pub claims: Vec<Claim>,
    /// The records.
    pub sections: Vec<Section>,
}

/// Why bytes are no block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BlockError {
    /// Nothing there looks like a block of this log at this position.
    #[error("no block of this log here")]
    Absent,
    /// A block was begun here, and does not hold.
    #[error("a damaged block")]
    Bad,
}

/// Bytes a block takes on disk.
#[must_use]
pub fn block_len(claims: usize, sections: usize, payload: usize) -> usize {
    (HEADER_BYTES + claims * CLAIM_BYTES + sections * SECTION_BYTES + payload).next_multiple_of(SECTOR_BYTES)
}

/// Builds a block in place: frames are copied once, into the buffer that goes to the device.
#[derive(Debug)]
pub struct BlockBuilder {
    buf: AlignedBuf,
    claims: usize,
    sections: usize,
}

impl BlockBuilder {
    /// Starts a block with its claims and the sections that will follow: segment, life, bytes of frames.
    #[must_use]
    pub fn new(claims: &[Claim], sections: &[(SegmentId, Incarnation, usize)]) -> BlockBuilder {
        let payload: usize = sections.iter().map(|s| s.2).sum();
        let mut buf = AlignedBuf::with_capacity(block_len(claims.len(), sections.len(), payload));
        buf.resize(HEADER_BYTES);
        for claim in claims {
            put_segment(&mut buf, claim.segment, claim.incarnation);
            buf.extend_from_slice(&claim.scl.0.to_le_bytes());
            buf.extend_from_slice(&claim.epoch.0.to_le_bytes());
        }
        for (segment, incarnation, bytes) in sections {
            put_segment(&mut buf, *segment, *incarnation);
            let bytes = u32::try_from(*bytes).expect("invariant: a block is shorter than 4 GiB");
            buf.extend_from_slice(&bytes.to_le_bytes());
            buf.extend_from_slice(&[0; 4]);
        }
        BlockBuilder { buf, claims: claims.len(), sections: sections.len() }
    }

    /// Appends a record frame; the caller keeps to the order and sizes announced.
    pub fn frame(&mut self, frame: &[u8]) {
        self.buf.extend_from_slice(frame);
    }

    /// Pads, fills the header, seals.
    #[must_use]
    pub fn finish(mut self, owner: Owner, header: &BlockHeader) -> AlignedBuf {
        self.buf.pad();
        let len = self.buf.len() as u32;
        let b: &mut [u8] = &mut self.buf;
        b[0..4].copy_from_slice(&MAGIC);
        b[4] = BLOCK_VERSION;
        b[12..16].copy_from_slice(&len.to_le_bytes());
        b[16..32].copy_from_slice(&owner.volume.0.to_le_bytes());
        b[32..48].copy_from_slice(&owner.node.0.to_le_bytes());
        b[48..56].copy_from_slice(&header.position.to_le_bytes());
        b[56..64].copy_from_slice(&header.sequence.to_le_bytes());
        b[64..72].copy_from_slice(&header.vdl.0.to_le_bytes());
        b[72..80].copy_from_slice(&header.head_version.epoch.0.to_le_bytes());
        b[80..88].copy_from_slice(&header.head_version.seq.to_le_bytes());
        b[88..92].copy_from_slice(&(self.claims as u32).to_le_bytes());
        b[92..96].copy_from_slice(&(self.sections as u32).to_le_bytes());
        let crc = crc32c::crc32c(&b[12..]);
        b[8..12].copy_from_slice(&crc.to_le_bytes());
        self.buf
    }
}

fn put_segment(buf: &mut AlignedBuf, segment: SegmentId, incarnation: Incarnation) {
    buf.extend_from_slice(&segment.pg.0.to_le_bytes());
    buf.extend_from_slice(&[segment.position, 0, 0, 0]);
    buf.extend_from_slice(&incarnation.0.to_le_bytes());
}

/// Decodes the block that lies at the start of `bytes` and at `position` of `owner`'s log; `bytes` may be longer.
///
/// # Errors
/// [`BlockError::Absent`] when no block of this log begins here, [`BlockError::Bad`] when one did and is damaged.
pub fn decode(bytes: &Bytes, owner: Owner, position: u64) -> Result<Block, BlockError> {
    let (header, len) = peek(bytes, owner, position)?;
    let block = bytes.get(..len).ok_or(BlockError::Bad)?;
    if crc32c::crc32c(&block[12..]) != u32_at(block, 8) {
        return Err(BlockError::Bad);
    }
    body(bytes, header, len).ok_or(BlockError::Bad)
}

/// The header alone, unverified but for magic, version, owner and position.
fn peek(bytes: &[u8], owner: Owner, position: u64) -> Result<(BlockHeader, usize), BlockError> {
    if bytes.len() < HEADER_BYTES
        || bytes[0..4] != MAGIC
        || bytes[4] != BLOCK_VERSION
        || u128_at(bytes, 16) != owner.volume.0
        || u128_at(bytes, 32) != owner.node.0
        || u64_at(bytes, 48) != position
    {
        return Err(BlockError::Absent);
    }
    let len = u32_at(bytes, 12) as usize;
    if len < SECTOR_BYTES || !len.is_multiple_of(SECTOR_BYTES) {
        return Err(BlockError::Bad);
    }
    let header = BlockHeader {
        position,
        sequence: u64_at(bytes, 56),
        vdl: Lsn(u64_at(bytes, 64)),
        head_version: HeadVersion { epoch: VolumeEpoch(u64_at(bytes, 72)), seq: u64_at(bytes, 80) },
    };
    Ok((header, len))
}

fn body(bytes: &Bytes, header: BlockHeader, len: usize) -> Option<Block> {
    let claim_count = u32_at(bytes, 88) as usize;
    let section_count = u32_at(bytes, 92) as usize;
    let claims_end = claim_count.checked_mul(CLAIM_BYTES)?.checked_add(HEADER_BYTES)?;
    let sections_end = section_count.checked_mul(SECTION_BYTES)?.checked_add(claims_end)?;
    if sections_end > len {
        return None;
    }
    let mut claims = Vec::with_capacity(claim_count);
    for at in (HEADER_BYTES..claims_end).step_by(CLAIM_BYTES) {
        let (segment, incarnation) = segment_at(bytes, at)?;
        let (scl, epoch) = (Lsn(u64_at(bytes, at + 24)), VolumeEpoch(u64_at(bytes, at + 32)));
        claims.push(Claim { segment, incarnation, scl, epoch });
    }
    let mut sections = Vec::with_capacity(section_count);
    let mut frames_at = sections_end;
    for at in (claims_end..sections_end).step_by(SECTION_BYTES) {
        let (segment, incarnation) = segment_at(bytes, at)?;
        let end = frames_at.checked_add(u32_at(bytes, at + 24) as usize).filter(|end| *end <= len)?;
        sections.push(Section { segment, incarnation, frames: bytes.slice(frames_at..end) });
        frames_at = end;
    }
    Some(Block { header, len, claims, sections })
}

/// Planted bug only: what a careless reader would take from a damaged block.
pub(crate) fn decode_unverified(bytes: &Bytes, owner: Owner, position: u64) -> Option<Block> {
    let (header, len) = peek(bytes, owner, position).ok()?;
    body(bytes, header, len.min(bytes.len()))
}

fn segment_at(bytes: &[u8], at: usize) -> Option<(SegmentId, Incarnation)> {
    let id = SegmentId { pg: PgId(u32_at(bytes, at)), position: bytes[at + 4] };
    (usize::from(id.position) < COPIES).then(|| (id, Incarnation(u128_at(bytes, at + 8))))
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

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    let mut b = [0; 16];
    b.copy_from_slice(&bytes[at..at + 16]);
    u128::from_le_bytes(b)
}
