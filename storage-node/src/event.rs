//! What goes into a node and what comes out: the whole surface between the core and its host.
//!
//! The host (the director over simulated disks, or the adapter over one io_uring ring) hands a [`Node`](crate::Node) one
//! [`Event`] at a time and executes the [`Action`]s it answers. Nothing else passes: no clock, file, thread or random number.
//!
//! ```text
//!   Envelope, Done, Tick ──► Node::step(now, event, &mut actions) ──► Send, Disk{token, file, op}
//!            ▲                                                              │
//!            └────────────────────────── host ◄─────────────────────────────┘
//! ```
//!
//! Invariants
//! 1. Operations in flight have no order among themselves; a node that needs "sync, then acknowledge" waits for the completion.
//! 2. Every [`Action::Disk`] is answered by exactly one [`Event::Done`] with its token (unless the process dies first).
//! 3. Offsets and lengths are multiples of [`SECTOR_BYTES`], buffers are aligned: direct I/O takes them as they are.

use crate::held::Batch;
use cache_nvme::aligned::AlignedBuf;
use protocol::geometry::SegmentId;
use protocol::message::Envelope;
use std::fmt;

/// Unit of every offset and length; what a device writes whole or not at all.
pub const SECTOR_BYTES: usize = 4096;

/// Names one disk operation in flight; never used twice in one life of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub u64);

/// A file of the node folder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DiskFile {
    /// Two alternating slots; `docs/formats/superblock.md`.
    Super,
    /// One part of the hot log, numbered from 0, never reused under another number; `docs/formats/log-block.md`.
    Log(u64),
    /// Page images of one segment in slots; `docs/formats/page-store.md`.
    Pages(SegmentId),
    /// Journal of which slot holds what, one of two generations; `docs/formats/page-store.md`.
    Index(SegmentId, u8),
}

impl fmt::Display for DiskFile {
    /// The path within the node folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskFile::Super => f.write_str("superblock"),
            DiskFile::Log(number) => write!(f, "log/{number:016x}"),
            DiskFile::Pages(id) => write!(f, "pages/{}.{}.pages", id.pg.0, id.position),
            DiskFile::Index(id, half) => write!(f, "pages/{}.{}.index{half}", id.pg.0, id.position),
        }
    }
}

/// One disk operation.
pub enum DiskOp {
    /// Bytes from `offset`; fewer (also none) at the end of the file or when there is no such file.
    Read {
        /// First byte.
        offset: u64,
        /// Bytes.
        len: usize,
    },
    /// Writes `bytes` at `offset`, extending the file (created if absent) where needed.
    Write {
        /// First byte.
        offset: u64,
        /// What to write.
        bytes: AlignedBuf,
        /// True: on stable storage when it completes (the size of a grown file too). False: after a later [`DiskOp::Sync`].
        durable: bool,
    },
    /// Everything written to this file before this was issued *and completed* is durable when it completes.
    Sync,
    /// Makes the file anew: `len` *written* zero bytes, old content gone, file and directory entry durable.
    Allocate {
        /// Bytes.
        len: u64,
    },
    /// The range will not be read again before it is rewritten; its space may be given back. Best effort, need not be durable.
    Punch {
        /// First byte.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Removes the file; absent is fine. Need not be durable.
    Delete,
}

impl fmt::Debug for DiskOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskOp::Read { offset, len } => write!(f, "read {offset}+{len}"),
            DiskOp::Write { offset, bytes, durable } => {
                write!(f, "write {offset}+{}{}", bytes.len(), if *durable { " durable" } else { "" })
            }
            DiskOp::Sync => f.write_str("sync"),
            DiskOp::Allocate { len } => write!(f, "allocate {len}"),
            DiskOp::Punch { offset, len } => write!(f, "punch {offset}+{len}"),
            DiskOp::Delete => f.write_str("delete"),
        }
    }
}

/// Why a disk operation did not do its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DiskError {
    /// A write or sync failed: the device is failed for good, nothing is repeated (reliability.md).
    #[error("the device failed")]
    Failed,
    /// No room; nothing was promised, and reading goes on.
    #[error("no space on the device")]
    NoSpace,
    /// These bytes cannot be read; others may. Treated as rot.
    #[error("unreadable")]
    Unreadable,
}

/// What happens to a node.
#[derive(Debug)]
// A message is moved once or twice; a box would cost an allocation for each.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// The first event of a life: the files of the folder with their lengths in bytes, in any order.
    Open {
        /// Files that exist; unknown ones may be left out.
        files: Vec<(DiskFile, u64)>,
    },
    /// A message for one of this node's segments arrived.
    Message(Envelope),
    /// An append whose frames the host has decoded from the very bytes of this message: several nodes of one process are handed
    /// the same ones.
    Shared(Envelope, Batch),
    /// A disk operation ended. The bytes are those of a [`DiskOp::Read`], empty for any other.
    Done {
        /// The operation.
        token: Token,
        /// Its outcome.
        result: Result<AlignedBuf, DiskError>,
    },
    /// The volume is being closed in order: make pages of all log, let log go, write the superblock, so that the next opening has
    /// little to read. [`Node::settled`](crate::Node::settled) tells when that is done; nothing is refused meanwhile.
    Settle,
    /// An operator wants everything looked at now; [`Node::is_scrubbing`](crate::Node::is_scrubbing) tells when that has ended, counters what it found.
    Scrub,
    /// Time passed; due at the latest at [`Node::next_wake_us`](crate::Node::next_wake_us).
    Tick,
    /// Free and total bytes of the device, told whenever the host knows better; without it space is taken as unlimited.
    Space {
        /// Bytes free.
        free: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// What a node asks of its host.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Action {
    /// Deliver, or lose: messages are idempotent.
    Send(Envelope),
    /// Execute, then answer with [`Event::Done`].
    Disk {
        /// Names the operation.
        token: Token,
        /// Where.
        file: DiskFile,
        /// What.
        op: DiskOp,
    },
}
