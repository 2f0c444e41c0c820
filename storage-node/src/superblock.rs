//! Everything small that must survive: two alternating slots, the newer valid one counts; `docs/formats/superblock.md`.
//!
//! Invariants
//! 1. Writes alternate and one is in flight at a time: a crash leaves the other slot whole.
//! 2. A grant, a head and a new segment are durable here before anyone is told (R6, R9, R10).
//! 3. `log_sequence` orders it against log blocks: the claims here count unless a block with that or a later number restates them.

use crate::event::SECTOR_BYTES;
use bytes::Bytes;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::{Incarnation, NodeId, SegmentId, SegmentRole, VolumeId};
use protocol::head::{Grant, Head};
use protocol::lsn::Lsn;
use protocol::wire::{self, WireError};
use protocol::wire_struct;

/// Version byte of a slot.
pub const SUPERBLOCK_VERSION: u8 = 2;
/// Bytes of one of the two slots.
pub const SLOT_BYTES: usize = 512 << 10;
const MAGIC: u64 = u64::from_le_bytes(*b"SXTSUPER");

wire_struct! {
    /// One segment of the node: identity, grant, bounds.
    pub struct SegmentEntry {
        /// Which copy of which group.
        pub id: SegmentId,
        /// Its life.
        pub incarnation: Incarnation,
        /// What it stores.
        pub role: SegmentRole,
        /// `prom` of R7.
        pub grant: Grant,
        /// R5: SCL that may have been acknowledged.
        pub claim: Lsn,
        /// Log at or below is dropped; an LSN of the group's chain.
        pub floor: Lsn,
        /// Lowest read point in use anywhere, as last told.
        pub pgmrpl: Lsn,
        /// R5: the log once ended in a bad block beyond the claim, and no opening has repaired this segment since.
        pub doubtful: bool,
        /// R12: still copying; counts nothing.
        pub newcomer: bool,
    }
}

wire_struct! {
    /// Content of a slot.
    pub struct Superblock {
        /// `SXTSUPER`.
        pub magic: u64,
        /// Rises with every write.
        pub sequence: u64,
        /// The volume.
        pub volume: VolumeId,
        /// The node.
        pub node: NodeId,
        /// Bytes of one log file; fixed when the folder is made.
        pub log_file_bytes: u64,
        /// First log file that counts.
        pub log_first_file: u64,
        /// Sequence number of the first block from there on.
        pub log_first_sequence: u64,
        /// Sequence number of the next block when this was written.
        pub log_sequence: u64,
        /// Position of the next block when this was written.
        pub log_position: u64,
        /// The highest VDL told.
        pub vdl: Lsn,
        /// The newest head (R9).
        pub head: Option<Head>,
        /// Segments, in order of id.
        pub segments: Vec<SegmentEntry>,
    }
}

impl Superblock {
    /// A node that never wrote anything.
    #[must_use]
    pub fn blank(volume: VolumeId, node: NodeId, log_file_bytes: u64) -> Superblock {
        Superblock {
            magic: MAGIC,
            sequence: 0,
            volume,
            node,
            log_file_bytes,
            log_first_file: 0,
            log_first_sequence: 1,
            log_sequence: 1,
            log_position: 0,
            vdl: Lsn::ZERO,
            head: None,
            segments: Vec::new(),
        }
    }

    /// Offset of the slot a sequence number goes to.
    #[must_use]
    pub fn slot_offset(sequence: u64) -> u64 {
        (sequence % 2) * SLOT_BYTES as u64
    }

    /// The slot's bytes, padded to sectors; `None` when the content outgrew the slot.
    #[must_use]
    pub fn encode(&self) -> Option<AlignedBuf> {
        let sealed = wire::seal(SUPERBLOCK_VERSION, self);
        (sealed.len().next_multiple_of(SECTOR_BYTES) <= SLOT_BYTES).then(|| AlignedBuf::padded(&sealed))
    }

    /// One slot.
    ///
    /// # Errors
    /// [`WireError`]: empty, torn, rotten, or of another version.
    pub fn decode(slot: &Bytes) -> Result<Superblock, WireError> {
        let found: Superblock = wire::unseal(SUPERBLOCK_VERSION, slot)?;
        if found.magic != MAGIC {
            return Err(WireError::Unknown { what: "superblock", value: found.magic });
        }
        if let Some(head) = &found.head {
            head.check()?;
        }
        Ok(found)
    }

    /// The newer valid one of the two slots.
    #[must_use]
    pub fn newest(file: &Bytes) -> Option<Superblock> {
        let slot = |n: usize| file.get(n * SLOT_BYTES..).map(|_| file.slice(n * SLOT_BYTES..));
        let found = [slot(0), slot(1)].into_iter().flatten().filter_map(|s| Superblock::decode(&s).ok());
        found.max_by_key(|s| s.sequence)
    }
}
