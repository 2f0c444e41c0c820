//! The four places where compute and storage meet: [`LogWriter`], [`PageReader`], [`SegmentLink`], [`PageVictim`].
//!
//! All are object-safe and name no runtime. The fast paths are plain calls; only a path that must wait
//! returns a boxed future. Nothing here may be called with a page latch held, except the calls marked *latched*.

use crate::env::BoxFuture;
use crate::head::Head;
use crate::lsn::{Lsn, VolumeEpoch};
use crate::message::Envelope;
use crate::page::{PageBuf, PageId};
use crate::redo::OpsBuf;
use std::sync::Arc;

/// Why the volume takes no more redo from this process. There is no other error: a stall is a wait.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// Another writer opened the volume at a later epoch; this one is finished (R7).
    #[error("fenced: epoch {ours} was superseded by {theirs}")]
    Fenced {
        /// Our epoch.
        ours: VolumeEpoch,
        /// The epoch that superseded it.
        theirs: VolumeEpoch,
    },
    /// The volume was closed.
    #[error("the volume is closed")]
    Closed,
}

/// Why a page cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// The version asked for was dropped; only a reader that fell behind PGMRPL sees this.
    #[error("page {page} as of {at} was forgotten")]
    Forgotten {
        /// The page.
        page: PageId,
        /// The read point asked for.
        at: Lsn,
    },
    /// See [`LogError::Fenced`].
    #[error("fenced by epoch {theirs}")]
    Fenced {
        /// The epoch that superseded ours.
        theirs: VolumeEpoch,
    },
    /// The volume was closed.
    #[error("the volume is closed")]
    Closed,
}

/// Room in the log, reserved before any latch is taken. What was not used goes back when it is dropped.
#[derive(Debug)]
#[must_use = "dropping a credit gives it back"]
pub struct Credit {
    bytes: u64,
    home: Arc<dyn CreditHome>,
}

/// Where unused credit goes back to.
pub trait CreditHome: Send + Sync + std::fmt::Debug {
    /// `bytes` of reserved room will not be used. *Latched*: must not wait.
    fn give_back(&self, bytes: u64);
}

impl Credit {
    /// Room of `bytes`, already taken from `home`.
    pub fn new(bytes: u64, home: Arc<dyn CreditHome>) -> Credit {
        Credit { bytes, home }
    }

    /// Bytes left.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Uses up `bytes`; [`LogWriter::append`] calls it.
    ///
    /// # Panics
    /// When a mini-transaction writes more than it reserved.
    pub fn spend(&mut self, bytes: u64) {
        assert!(bytes <= self.bytes, "mini-transaction of {bytes} bytes reserved only {}", self.bytes);
        self.bytes -= bytes;
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.home.give_back(self.bytes);
        }
    }
}

/// One page's part of a mini-transaction, handed to [`LogWriter::append`].
#[derive(Debug)]
pub struct MtrRecord<'a> {
    /// The page.
    pub page: PageId,
    /// The page's LSN before this record.
    pub prev_page: Lsn,
    /// What was run on it.
    pub ops: &'a OpsBuf,
    /// Filled by `append`: the record's LSN.
    pub lsn: Lsn,
}

/// Redo goes down, one rising number, the VDL, comes up.
pub trait LogWriter: Send + Sync {
    /// Reserves room without waiting: `None` when LAL (I25) does not allow it now.
    ///
    /// `bytes` is the largest the mini-transaction can need, headers included (`record::frame_len`).
    ///
    /// # Errors
    /// [`LogError`] once nothing can be written any more.
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError>;

    /// Reserves room, waiting for VDL to move when LAL does not allow it now: back-pressure. First come, first served.
    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>>;

    /// Appends one mini-transaction: takes a contiguous LSN range, fills every `lsn`, links the records, marks the last one CPL
    /// (and commit), and hands them to the volume. *Latched*: the caller holds its pages exclusively, and stamps them on return.
    /// Returns the CPL.
    ///
    /// # Errors
    /// [`LogError`]: nothing was written, and nothing will be; the process must stop using its pages.
    fn append(&self, credit: Credit, records: &mut [MtrRecord<'_>], commit: bool) -> Result<Lsn, LogError>;

    /// Everything at or below is durable at quorum. Rises only.
    fn vdl(&self) -> Lsn;

    /// The last LSN given out.
    fn last_lsn(&self) -> Lsn;

    /// Completes once VDL >= `lsn`.
    fn wait_durable(&self, lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>>;

    /// Calls `observer` after every advance of VDL and when the log ends; from the volume's own thread, never under a latch.
    fn observe(&self, observer: Arc<dyn VdlObserver>);

    /// The epoch this writer opened the volume with.
    fn epoch(&self) -> VolumeEpoch;

    /// Makes sure that the protection groups of all pages up to `last` exist (R10: a new group's head is durable before its
    /// first record). Free-space code calls it before it gives out a page of a new group.
    fn ensure_pages(&self, last: PageId) -> BoxFuture<'_, Result<(), LogError>>;

    /// Tells storage that no reader of this node needs page versions below `lsn` (PGMRPL); rises only.
    fn release_below(&self, lsn: Lsn);
}

/// Told about durability.
pub trait VdlObserver: Send + Sync {
    /// VDL is now `vdl`. Must not wait and must not call back into the log.
    fn durable(&self, vdl: Lsn);

    /// Nothing will become durable any more.
    fn ended(&self, error: &LogError);
}

/// Page id and read point down, one image up.
pub trait PageReader: Send + Sync {
    /// The image of `page` as of the volume read point `at`: page LSN <= `at`, every record <= `at` applied, checksum
    /// checked. A page never written comes back [blank](PageBuf::blank). Reads retry elsewhere by themselves; they wait rather than
    /// fail while the volume can still answer.
    fn read(&self, page: PageId, at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>>;
}

/// Driver to segments: in process, or over the network.
pub trait SegmentLink: Send + Sync {
    /// Sends; never waits. `false` when the window to that segment is full: the message is dropped, gossip or a later
    /// transmission makes up for it, and the other five are not held up.
    fn send(&self, envelope: Envelope) -> bool;

    /// What was sent since the last call belongs together and may leave now: one wake-up, one frame. A link that sends at
    /// once does nothing.
    fn flush(&self) {}

    /// Where copies live changed: called before the messages that follow from it. A link with one place for each position does nothing.
    fn steer(&self, _head: &Head) {}
}

/// Where a [`SegmentLink`] delivers what segments answer; never waits.
pub trait LinkReceiver: Send + Sync {
    /// One message to this compute node.
    fn deliver(&self, envelope: Envelope);
}

/// The second tier's ear at the buffer pool.
pub trait PageVictim: Send + Sync {
    /// A clean page (page LSN <= VDL) leaves L1. *Latched*; must not wait; may refuse by doing nothing.
    fn evicted(&self, page: PageId, image: &PageBuf);

    /// A page turned dirty: any copy of it is stale now. *Latched*; must not wait.
    fn dirtied(&self, page: PageId);
}
