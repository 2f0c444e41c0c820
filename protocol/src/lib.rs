//! What compute and storage agree on, and nothing else.
//!
//! Pure: no clock, no randomness, no thread, no socket. Everything that crosses between a compute
//! node and a storage node, or between two storage nodes, is a value of this crate, and the one way a
//! page changes ([`redo::run`]) lives here, so that both sides cannot disagree.
//!
//! ```text
//!        compute                                       storage
//!  mini-transaction --run--> page           page <--apply-- record
//!        |                                             ^
//!        v                                             |
//!   LogWriter -> records -> SegmentLink -> messages -> segment
//!   PageReader <------------ SegmentLink <- image <----+
//! ```
//!
//! Invariants kept here:
//! 1. Page bytes change only in [`redo::run`] and [`redo::stamp`]; [`redo::apply`] wraps both with the back-link check.
//! 2. A record's LSN is the position of its last byte: it occupies `(lsn - len, lsn]`.
//! 3. Every encoded value carries a version byte and, where it is stored, a CRC-32C over all of it.
//! 4. Decoding arbitrary bytes returns an error, never panics, and never allocates more than the input.

pub mod contract;
pub mod env;
pub mod geometry;
pub mod head;
pub mod lsn;
pub mod message;
pub mod mutant;
pub mod order;
pub mod page;
pub mod record;
pub mod redo;
pub mod wire;

pub use geometry::{AzId, Geometry, Incarnation, NodeId, PgId, SegmentId, SegmentRole, VolumeId, WriterId};
pub use head::{Head, HeadVersion, Member, PgMembers, Truncation, TruncationList};
pub use lsn::{Lsn, VolumeEpoch};
pub use page::{PAGE_BYTES, PageBuf, PageId, PageKind};
pub use record::{Record, RecordFlags};
