//! What can go wrong in the pool; a miss is not among it, and neither is waiting.

use protocol::contract::{LogError, ReadError};

/// Why the pool serves nothing, or not this page.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PoolError {
    /// The log takes nothing any more (fenced or closed); the pool is poisoned from then on.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The page could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A mini-transaction was dropped half-way (a panic in a caller): the pages in memory mean nothing any more.
    #[error("the buffer pool was poisoned by half a mini-transaction")]
    Torn,
}
