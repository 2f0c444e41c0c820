//! Rows: reading them at a view, changing them with undo, and keeping their secondary entries in step.
//!
//! ```text
//!   insert / update / delete ──> change: leaf + undo record, one mini-transaction ──> secondary entries, one each
//!   get / scan ──> entry copied under a shared latch ──> seen? ──no──> version below, by its undo record
//! ```

pub(crate) mod batch;
pub(crate) mod chains;
pub(crate) mod change;
mod covering;
pub(crate) mod entries;
mod estimate;
mod foreign;
pub(crate) mod keys;
pub(crate) mod merge;
mod read;
pub(crate) mod revert;
mod scan;
pub(crate) mod scratch;
pub(crate) mod seen;
mod write;

pub use batch::{ColumnSet, RowBatch, RowLock, RowRef, RowView};
pub use keys::{MAX_INDEX_KEY_BYTES, encode_index_key, index_key_parts};
pub use scan::{KeyRange, Scan};
