//! One redo record: its frame on the wire and in every log.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of bytes 4..length |
//! | 4 | 4 | length of the frame in bytes, header included |
//! | 8 | 8 | LSN of the record = position of its last byte |
//! | 16 | 8 | volume epoch that wrote it |
//! | 24 | 8 | previous LSN of its protection group |
//! | 32 | 8 | previous LSN of its page |
//! | 40 | 8 | page id |
//! | 48 | 4 | protection group |
//! | 52 | 1 | format version, [`RECORD_VERSION`] |
//! | 53 | 1 | flags: 1 CPL, 2 commit, 4 first of an opening |
//! | 54 | 2 | reserved, zero |
//! | 56 | 8 | only with flag 4: the volume's previous LSN |
//! | 56 or 64 | .. | operations (module `redo`) |
//!
//! The volume's previous record is `lsn - length`, but for the first of an opening, which names it.
//! The epoch lies inside the CRC, so it travels through gossip, repair and backup (R3).

use crate::geometry::PgId;
use crate::lsn::{Lsn, VolumeEpoch};
use crate::page::PageId;
use crate::redo::{Op, Ops};
use bytes::Bytes;
use std::fmt;

/// Version byte of the frame.
pub const RECORD_VERSION: u8 = 1;
/// Bytes before the operations.
pub const RECORD_HEADER_BYTES: usize = 56;
/// Bytes before the operations of the first record of an opening.
pub const OPENING_HEADER_BYTES: usize = 64;
/// No record is longer: a mini-transaction is at most 1 MiB, a record at most a page rewritten in pieces.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// Flags of a record.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordFlags(pub u8);

impl RecordFlags {
    /// Last record of a mini-transaction.
    pub const CPL: RecordFlags = RecordFlags(1);
    /// Commits a transaction; always also a CPL.
    pub const COMMIT: RecordFlags = RecordFlags(2);
    /// First record of an opening.
    pub const OPENING: RecordFlags = RecordFlags(4);

    /// True when every bit of `other` is set.
    #[must_use]
    pub fn has(self, other: RecordFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    #[must_use]
    pub fn with(self, other: RecordFlags) -> RecordFlags {
        RecordFlags(self.0 | other.0)
    }
}

impl fmt::Debug for RecordFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, letter) in [(Self::CPL, "c"), (Self::COMMIT, "C"), (Self::OPENING, "o")] {
            if self.has(flag) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// A decoded header with its frame; cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Position of the last byte.
    pub lsn: Lsn,
    /// Epoch that wrote it.
    pub epoch: VolumeEpoch,
    /// Previous LSN of the protection group; zero for its first.
    pub prev_pg: Lsn,
    /// Previous LSN of the page; zero for its first.
    pub prev_page: Lsn,
    /// Previous LSN of the volume.
    pub prev_volume: Lsn,
    /// The page it changes.
    pub page: PageId,
    /// The protection group of that page.
    pub pg: PgId,
    /// Flags.
    pub flags: RecordFlags,
    frame: Bytes,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { lsn, epoch, prev_pg, prev_page, page, pg, flags, .. } = self;
        write!(
            f,
            "{lsn:?} {epoch:?} {pg:?} {page:?} pg<{prev_pg:?} page<{prev_page:?} {flags:?} {}B",
            self.frame.len()
        )
    }
}

/// Why bytes are no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordError {
    /// Fewer bytes than the frame says or needs.
    #[error("record: {have} bytes, {need} needed")]
    Short {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The length field is impossible.
    #[error("record: impossible length {len}")]
    Length {
        /// The length found.
        len: usize,
    },
    /// The checksum does not hold.
    #[error("record: checksum does not hold")]
    Checksum,
    /// A version this build does not know.
    #[error("record: unknown version {version}")]
    Version {
        /// The version found.
        version: u8,
    },
    /// The LSN is smaller than the record is long, or links do not point backwards.
    #[error("record: links of {lsn} do not point backwards")]
    Links {
        /// The record's LSN.
        lsn: Lsn,
    },
}

/// The fields of a frame to be written; the length and LSN follow from the log position.
#[derive(Clone, Copy, Debug)]
pub struct RecordHeader {
    /// Epoch of the writer.
    pub epoch: VolumeEpoch,
    /// Previous LSN of the protection group.
    pub prev_pg: Lsn,
    /// Previous LSN of the page.
    pub prev_page: Lsn,
    /// Previous LSN of the volume; written only for the first record of an opening.
    pub prev_volume: Lsn,
    /// The page.
    pub page: PageId,
    /// Its protection group.
    pub pg: PgId,
    /// Flags.
    pub flags: RecordFlags,
}

/// Bytes a record with these operations occupies, which is also what it takes of the LSN space.
#[must_use]
pub fn frame_len(ops: &[u8], opening: bool) -> usize {
    ops.len() + if opening { OPENING_HEADER_BYTES } else { RECORD_HEADER_BYTES }
}

/// Appends the frame of a record at `lsn` to `out`.
pub fn encode(out: &mut Vec<u8>, lsn: Lsn, header: &RecordHeader, ops: &[u8]) {
    let start = out.len();
    let opening = header.flags.has(RecordFlags::OPENING);
    let len = frame_len(ops, opening);
    assert!(len <= MAX_RECORD_BYTES, "a record of {len} bytes exceeds {MAX_RECORD_BYTES}");
    out.reserve(len);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&lsn.0.to_le_bytes());
    out.extend_from_slice(&header.epoch.0.to_le_bytes());
    out.extend_from_slice(&header.prev_pg.0.to_le_bytes());
    out.extend_from_slice(&header.prev_page.0.to_le_bytes());
    out.extend_from_slice(&header.page.0.to_le_bytes());
    out.extend_from_slice(&header.pg.0.to_le_bytes());
    out.extend_from_slice(&[RECORD_VERSION, header.flags.0, 0, 0]);
    if opening {
        out.extend_from_slice(&header.prev_volume.0.to_le_bytes());
    }
    out.extend_from_slice(ops);
    let crc = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

impl Record {
    /// Decodes the record at the start of `bytes` without copying; the rest is left alone.
    ///
    /// # Errors
    /// [`RecordError`]; [`RecordError::Short`] also at the clean end of a log.
    pub fn decode(bytes: &Bytes) -> Result<Record, RecordError> {
        let have = bytes.len();
        if have < RECORD_HEADER_BYTES {
            return Err(RecordError::Short { have, need: RECORD_HEADER_BYTES });
        }
        let len = u32_at(bytes, 4) as usize;
        if !(RECORD_HEADER_BYTES..=MAX_RECORD_BYTES).contains(&len) {
            return Err(RecordError::Length { len });
        }
        if have < len {
            return Err(RecordError::Short { have, need: len });
        }
        let frame = bytes.slice(..len);
        if crc32c::crc32c(&frame[4..]) != u32_at(&frame, 0) {
            return Err(RecordError::Checksum);
        }
        let version = frame[52];
        if version != RECORD_VERSION {
            return Err(RecordError::Version { version });
        }
        let flags = RecordFlags(frame[53]);
        let lsn = Lsn(u64_at(&frame, 8));
        let opening = flags.has(RecordFlags::OPENING);
        if opening && len < OPENING_HEADER_BYTES {
            return Err(RecordError::Length { len });
        }
        let (prev_pg, prev_page) = (Lsn(u64_at(&frame, 24)), Lsn(u64_at(&frame, 32)));
        let before = Lsn(lsn.0.checked_sub(len as u64).ok_or(RecordError::Links { lsn })?);
        let prev_volume = if opening { Lsn(u64_at(&frame, 56)) } else { before };
        if prev_pg > before || prev_page > before || prev_volume > before {
            return Err(RecordError::Links { lsn });
        }
        Ok(Record {
            lsn,
            epoch: VolumeEpoch(u64_at(&frame, 16)),
            prev_pg,
            prev_page,
            prev_volume,
            page: PageId(u64_at(&frame, 40)),
            pg: PgId(u32_at(&frame, 48)),
            flags,
            frame,
        })
    }

    /// Decodes frames that lie back to back.
    ///
    /// # Errors
    /// The first frame that is no record.
    pub fn decode_all(bytes: &Bytes) -> Result<Vec<Record>, RecordError> {
        let mut rest = bytes.clone();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let record = Record::decode(&rest)?;
            rest = rest.slice(record.len()..);
            records.push(record);
        }
        Ok(records)
    }

    /// Length of the frame in bytes; what the record takes of the LSN space.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// The encoded frame.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The encoded operations.
    #[must_use]
    pub fn ops(&self) -> &[u8] {
        let at =
            if self.flags.has(RecordFlags::OPENING) { OPENING_HEADER_BYTES } else { RECORD_HEADER_BYTES };
        &self.frame[at..]
    }

    /// True when the record does not depend on what the page held before: it starts with `init` or `discard`.
    #[must_use]
    pub fn starts_with_init(&self) -> bool {
        matches!(Ops::new(self.ops()).next(), Some(Ok(Op::Init { .. } | Op::Discard)))
    }

    /// The checksum: with LSN and epoch it identifies a record's content.
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32_at(&self.frame, 0)
    }
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
