//! The first tier of pages: frames, latches, eviction, fetch and mini-transactions.
//!
//! A fixed number of 16 KiB frames, allocated once, is all the page memory there is. Nothing is ever written back:
//! redo leaves through the log, and a frame may be reused once the log that made it is durable.
//!
//! ```text
//!  try_shared / try_exclusive / optimistic      pin (async)            Mtr
//!        |  hit: no lock but the latch            |                     | latched pages, one OpsBuf each
//!        v                                        v miss                v run: encode + redo::run_one
//!   [page table] --> frame <--- install --- single-flight fetch      append --> LogWriter
//!                      |                          |                     | stamp LSNs, release
//!                      +-- clock: page LSN <= VDL +--> PageReader
//!                             \--> PageVictim
//! ```
//!
//! Invariants:
//! 1. A frame changes its page only under its exclusive latch and the lock of the page's table shard. So whoever
//!    holds a latch and finds the id it wants keeps that page until it lets go.
//! 2. A frame leaves only unpinned, unlatched and with page LSN <= VDL (I16). So an uncached page read at VDL is current.
//! 3. No latch is held across an await: guards are not `Send`, and no function here that awaits holds one.
//! 4. After a failed append, or half a mini-transaction, the pool is poisoned: every access answers the error, because
//!    the pages in memory are no longer what the log says.
//! 5. An exclusive latch makes the frame's version odd; a reader that saw the same even version before and after read
//!    whole bytes ([`Optimistic`]).

mod counters;
mod error;
mod event;
mod evict;
mod fetch;
mod frame;
mod guard;
mod mtr;
mod pin;
mod pool;
mod read_points;
mod table;
#[cfg(feature = "testing")]
pub mod testing;

pub use counters::{MtrKind, PoolCounters};
pub use error::PoolError;
pub use guard::{ExclusiveGuard, Optimistic, SharedGuard};
pub use mtr::{Finished, MAX_MTR_BYTES, MAX_MTR_PAGES, Mtr, PageNo};
pub use pin::PinnedPage;
pub use pool::{BufferPool, FrameHint, PoolConfig};

#[cfg(test)]
mod tests;
