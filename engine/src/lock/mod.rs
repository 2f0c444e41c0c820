//! Row locks that are not implicit: explicit ones of locking reads, and the queue behind a row that a transaction has changed.
//!
//! A changed row is locked by its TxId alone; nothing is entered here for it. Only when a second transaction wants the row is the first
//! made an explicit holder (`convert`) and the second one queued: so waiters are served in order, and an uncontended write touches no lock.
//! What the read of an UPDATE locked goes again with the change (`implied`), and comes back when the change alone is taken back (`convert`).
//!
//! ```text
//!   (tree, key) ──> holders: T7 X            shard = hash(tree, key)
//!                   queue:   T9 X, T4 S      graph: T9 -> T7, T4 -> T9, T7   (computed from here when a wait starts)
//! ```
//!
//! Invariants:
//! 1. A transaction's locks are released after its state is decided (committed or aborted) and before it is forgotten.
//! 2. A request is granted when it agrees with every other holder and with every earlier request of another owner.
//! 3. Metadata locks (`metadata`) are of another kind; their waits are in the same graph, so a circle through rows and DDL is found.
//! 4. Gap locks are ranges of keys of their own kind (`gaps`); only inserts ask for them, and only when the tree has any.

mod gaps;
mod graph;
mod metadata;
mod name;
mod named;
mod owner;
mod report;
mod table;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use graph::Waits;
pub use metadata::{MetadataHolder, MetadataMode};
pub(crate) use name::KeyBytes;
pub use named::NamedLocks;
pub(crate) use owner::{Grant, Owner, OwnerId, Request};
pub use report::{DeadlockInfo, LockInfo, LockKind, LockWaitInfo, MetadataLockInfo};
pub(crate) use table::{LockTable, Verdict};
pub(crate) use tables::Alone;
pub use tables::TableLocks;

/// How strongly a read locks its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LockMode {
    /// A plain read of the view.
    None,
    /// FOR SHARE: reads the newest committed version and keeps writers away.
    Shared,
    /// FOR UPDATE, and the reads of UPDATE and DELETE.
    Exclusive,
}

impl LockMode {
    /// The metadata lock that goes with it.
    pub(crate) fn metadata(self) -> MetadataMode {
        match self {
            LockMode::Exclusive => MetadataMode::Write,
            _ => MetadataMode::Read,
        }
    }

    pub(crate) fn agrees(self, other: LockMode) -> bool {
        self != LockMode::Exclusive && other != LockMode::Exclusive
    }
}

/// What to do when a lock is held by another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LockWait {
    /// Wait, up to `innodb_lock_wait_timeout`.
    #[default]
    Wait,
    /// Fail with 3572.
    Nowait,
    /// Leave the row out.
    SkipLocked,
    /// READ COMMITTED's UPDATE: give the last committed version, unlocked (`RowLock::Missing`); whether it matches decides.
    Semi,
}
