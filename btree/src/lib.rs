//! B-link trees over the buffer pool: memcomparable keys, byte values, one tree per index.
//!
//! ```text
//!                    [root, level 2]                 its page id never changes
//!                   /               \
//!          [level 1] ------------> [level 1]         right links on every level
//!          /   |   \               /     \
//!       [leaf]->[leaf]->[leaf]->[leaf]->[leaf]       low <= key < high on each
//! ```
//!
//! A descent reads inner pages without latching them, latches one leaf, and checks where it landed: tree, level, not
//! deleted, low fence. If the key is at or above the high fence it goes right. So splits and merges need no latch on
//! the way down, and a walker needs no registration.
//!
//! Invariants (the format's own are in docs/formats/tree-page.md):
//! 1. Splits, posts and merges are mini-transactions of their own, done before or after a change; a change is one leaf and
//!    the caller's other pages.
//! 2. At every CPL every tree is whole: each page is reachable from the root by child or right links, and exactly the
//!    reachable pages are marked used in the free-space map (overflow chains are the rows' business).
//! 3. Latches are taken leaf up, left to right, then pages of no tree by rising id. A descent holds none while it waits.
//! 4. A miss releases everything, awaits the page, keeps it pinned, and starts again; so even a tiny pool makes progress.

mod batch;
mod build;
mod check;
mod cursor;
mod descent;
mod edit;
mod error;
mod estimate;
mod layout;
mod merge;
mod modify;
pub mod overflow;
mod space;
mod split;
mod tree;
mod view;

pub use batch::Batch;
pub use check::{Finding, check_volume};
pub use cursor::{Covered, Cursor, Direction};
pub use error::TreeError;
pub use estimate::Estimate;
pub use layout::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
pub use modify::{Changed, Decision, LeafEdit, Neighbour, Room};
pub use overflow::{OverflowRef, OverflowWriter};
pub use space::{OwnerId, ReservedPage, SLOTS, Space, TreePlan};
pub use tree::{Probe, Spot, Tree};

#[cfg(test)]
mod tests;
