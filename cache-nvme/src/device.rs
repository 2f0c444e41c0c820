//! The contract of a device queue: operations down, completions up, one owner thread.
//!
//! Invariants
//! 1. Operations in flight have no order among themselves: an owner that needs "sync, then acknowledge" waits for the
//!    completion. A completion is delivered exactly once, with the buffer the operation carried.
//! 2. A durable write ([`Durability::Sync`]) and a [`Op::Sync`] complete `Ok` only after the device has said that the
//!    bytes are on stable storage.
//! 3. A write or sync that fails marks its *file* failed for good: the operation is never repeated and every later
//!    write, sync or allocation on it is refused with [`IoErrorKind::Failed`], because the kernel may have dropped the
//!    dirty bytes and a second sync would lie. Only "no space" on an ordinary write or an allocation is forgiven.
//! 4. Interrupted calls and short transfers are continued, invisibly to the owner (`progress`).
//! 5. The number of operations handed to the kernel at once is bounded; the rest wait in order in the queue.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::aligned::AlignedBuf;
use crate::file::{OpenFile, Threads};
use crate::ring::Ring;
pub use crate::wake::Waker;

/// A file attached to a device; dense, reused after [`Device::detach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// Whether a write is on stable storage when it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Durable when it completes (RWF_DSYNC, or a write followed by fdatasync where that flag is refused).
    Sync,
    /// Durable after a later [`Op::Sync`] of the file.
    Later,
}

/// One operation. Offsets and buffer lengths on a direct file are multiples of [`crate::aligned::ALIGN`] (asserted).
#[derive(Debug)]
pub enum Op {
    /// Writes the whole buffer at `offset`.
    Write {
        /// Target file.
        file: FileId,
        /// Byte offset.
        offset: u64,
        /// Bytes to write; handed back by the completion.
        buf: AlignedBuf,
        /// Durable on completion, or later.
        durability: Durability,
    },
    /// Fills the buffer (its length says how much) from `offset`; at the end of the file the buffer comes back shorter.
    Read {
        /// Source file.
        file: FileId,
        /// Byte offset.
        offset: u64,
        /// Where to; handed back by the completion.
        buf: AlignedBuf,
    },
    /// fdatasync: every write completed before this was pushed is durable when it completes.
    Sync {
        /// The file.
        file: FileId,
    },
    /// fsync: data, length and all else of the file; of a folder (opened for reading): the names in it.
    SyncAll {
        /// The file or folder.
        file: FileId,
    },
    /// Reserves space and extends the file; the bytes read as zero. Not durable by itself.
    Allocate {
        /// The file.
        file: FileId,
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
    /// Gives the space of a range back to the file system; the bytes read as zero afterwards.
    Punch {
        /// The file.
        file: FileId,
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
}

impl Op {
    /// The file it is about.
    #[must_use]
    pub const fn file(&self) -> FileId {
        match self {
            Self::Write { file, .. }
            | Self::Read { file, .. }
            | Self::Sync { file }
            | Self::SyncAll { file }
            | Self::Allocate { file, .. }
            | Self::Punch { file, .. } => *file,
        }
    }

    /// Its kind, for errors and completions.
    #[must_use]
    pub const fn kind(&self) -> OpKind {
        match self {
            Self::Write { durability: Durability::Sync, .. } => OpKind::DurableWrite,
            Self::Write { .. } => OpKind::Write,
            Self::Read { .. } => OpKind::Read,
            Self::Sync { .. } => OpKind::Sync,
            Self::SyncAll { .. } => OpKind::SyncAll,
            Self::Allocate { .. } => OpKind::Allocate,
            Self::Punch { .. } => OpKind::Punch,
        }
    }
}

/// What an operation was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// A write that is durable on completion.
    DurableWrite,
    /// A write that a later sync makes durable.
    Write,
    /// A read.
    Read,
    /// fdatasync.
    Sync,
    /// fsync.
    SyncAll,
    /// fallocate.
    Allocate,
    /// fallocate, punching a hole.
    Punch,
}

impl OpKind {
    /// Is it done only when something is on stable storage?
    #[must_use]
    pub const fn is_durable(self) -> bool {
        matches!(self, Self::DurableWrite | Self::Sync | Self::SyncAll)
    }

    /// Does its failure leave the content of the file in doubt (invariant 3)?
    #[must_use]
    pub const fn changes_file(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// The end of one operation.
#[derive(Debug)]
pub struct Completion {
    /// The number the owner gave to [`Device::push`].
    pub token: u64,
    /// The file.
    pub file: FileId,
    /// What it was.
    pub kind: OpKind,
    /// Bytes moved (0 for sync, allocate, punch).
    pub result: Result<usize, IoError>,
    /// The buffer of a read or write; after a read its length is the number of bytes read.
    pub buf: Option<AlignedBuf>,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op:?} failed: {kind} (errno {errno})")]
pub struct IoError {
    /// What the caller can act on.
    pub kind: IoErrorKind,
    /// The operation.
    pub op: OpKind,
    /// The operating system's number; 0 if the operation was refused before it was tried.
    pub errno: i32,
}

/// The few cases an owner tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoErrorKind {
    /// The file has failed for good, by this operation or an earlier one; only reads are served.
    #[error("the file has failed for good")]
    Failed,
    /// No space on the device or over a quota; the file is as it was, but for the range written.
    #[error("no space left on the device")]
    NoSpace,
    /// A read failed; other reads may succeed.
    #[error("the bytes cannot be read")]
    Unreadable,
    /// The file system does not know this operation (allocate, punch); nothing happened.
    #[error("not supported by the file system")]
    Unsupported,
}

/// How long [`Device::poll`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Submit and collect what is there.
    Now,
    /// Until a completion, a wake-up, or this long.
    AtMost(Duration),
    /// Until so many completions, or this long: for an owner that can do nothing with fewer. A wake-up counts as one.
    Several {
        /// Completions.
        at_least: u32,
        /// At the latest.
        at_most: Duration,
    },
    /// Until a completion or a wake-up.
    Forever,
}

/// A device queue. Not `Send`: it is made, driven and dropped by its owner thread.
pub trait Device {
    /// Which back-end serves it.
    fn backend(&self) -> Backend;

    /// Makes a file usable in operations; the device owns it until [`Device::detach`].
    fn attach(&mut self, file: OpenFile) -> FileId;

    /// Closes a file. Asserts that no operation on it is pending.
    fn detach(&mut self, file: FileId);

    /// The file behind an id.
    fn file(&self, file: FileId) -> &OpenFile;

    /// Queues one operation; nothing is handed to the kernel before [`Device::poll`].
    fn push(&mut self, token: u64, op: Op);

    /// Hands queued operations to the kernel and appends completions to `done`; sleeps as `wait` allows if there are
    /// none. Returns early after [`Waker::wake`].
    ///
    /// # Errors
    /// The queue itself is broken (the kernel refuses the ring); nothing on this device can be trusted to finish.
    fn poll(&mut self, wait: Wait, done: &mut Vec<Completion>) -> std::io::Result<()>;

    /// A handle with which other threads end the sleep of [`Device::poll`].
    fn waker(&self) -> Waker;

    /// Operations pushed and not yet completed.
    fn pending(&self) -> usize;

    /// Live counters, shared with whoever reports them.
    fn counters(&self) -> Arc<DeviceCounters>;
}

/// Which back-end serves a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring.
    Ring,
    /// A few threads with pread, pwrite and fdatasync.
    Threads,
}

impl Backend {
    /// The word used in settings and status: `ring` or `threads`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Threads => "threads",
        }
    }
}

/// The setting `sextant_io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// The ring; threads where the kernel refuses it.
    #[default]
    Auto,
    /// The ring, or an error.
    Ring,
    /// Threads.
    Threads,
}

impl std::str::FromStr for IoChoice {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "ring" => Ok(Self::Ring),
            "threads" => Ok(Self::Threads),
            _ => Err(format!("sextant_io is auto, ring or threads, not '{word}'")),
        }
    }
}

/// Makes a device queue on the calling thread, which becomes its owner.
///
/// # Errors
/// The ring was asked for by name and the kernel refuses it, or threads cannot be started.
pub fn open(choice: IoChoice) -> std::io::Result<Box<dyn Device>> {
    if choice != IoChoice::Threads {
        match Ring::new() {
            Ok(ring) => return Ok(Box::new(ring)),
            Err(refusal) if choice == IoChoice::Ring => return Err(refusal),
            Err(refusal) => {
                tracing::info!(%refusal, "io_uring is refused by the kernel; using threads");
            }
        }
    }
    Ok(Box::new(Threads::new(crate::file::WORKERS)?))
}

/// Counters of one device; all only rise.
#[derive(Debug, Default)]
pub struct DeviceCounters {
    /// System calls that submit or wait: io_uring_enter, or one per pread, pwrite, fdatasync, fallocate.
    pub syscalls: AtomicU64,
    /// Operations pushed.
    pub pushed: AtomicU64,
    /// Operations completed.
    pub completed: AtomicU64,
    /// Wake-ups written by other threads while the owner slept.
    pub wakeups: AtomicU64,
}

/// Counters of one file; all only rise.
#[derive(Debug, Default)]
pub struct FileCounters {
    /// Reads completed.
    pub reads: AtomicU64,
    /// Bytes read.
    pub read_bytes: AtomicU64,
    /// Writes completed, durable ones included.
    pub writes: AtomicU64,
    /// Writes completed that were durable on completion.
    pub durable_writes: AtomicU64,
    /// Bytes written.
    pub write_bytes: AtomicU64,
    /// fdatasyncs and fsyncs completed, those after a durable write that needs one included.
    pub syncs: AtomicU64,
}

pub(crate) fn bump(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// The path and error of something that failed while a file was opened or prepared.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}: {source}", path.display())]
pub struct PathError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried.
    pub what: &'static str,
    /// The operating system's answer.
    pub source: std::io::Error,
}

impl PathError {
    pub(crate) fn new(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self { path: path.to_path_buf(), what, source }
    }
}

#[cfg(test)]
#[path = "device_tests.rs"]
mod tests;
