//! What can go wrong in a tree. Waiting, missing pages and splits are not errors.

use buffer_pool::PoolError;
use protocol::PageId;
use protocol::contract::LogError;

/// Why a tree operation did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TreeError {
    /// The pool serves nothing any more, or a page cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The root page belongs to no tree, or to another one: it was dropped.
    #[error("no tree has its root at page {root}")]
    Gone {
        /// The root page asked for.
        root: PageId,
    },
    /// A page is not what its references say.
    #[error("page {page} is corrupt: {what}")]
    Corrupt {
        /// The page.
        page: PageId,
        /// What is wrong.
        what: &'static str,
    },
    /// A key is longer than [`crate::MAX_KEY_BYTES`].
    #[error("key of {len} bytes, at most {max}")]
    KeyTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A value is longer than [`crate::MAX_VALUE_BYTES`]; it belongs into an overflow chain.
    #[error("value of {len} bytes, at most {max}")]
    ValueTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
}

impl From<LogError> for TreeError {
    fn from(error: LogError) -> TreeError {
        TreeError::Pool(error.into())
    }
}
