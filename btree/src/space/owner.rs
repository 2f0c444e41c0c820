//! Owners of extents, and what is known in memory of each one's free pages.

use protocol::{Lsn, PageId};
use std::collections::{BTreeSet, VecDeque};

/// Who owns extents: a system owner (1..=16) or a tree (its id, from 1024).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerId(pub u64);

impl OwnerId {
    /// Undo pages.
    pub const UNDO: OwnerId = OwnerId(1);
    /// Pages of the transaction table.
    pub const TRANSACTIONS: OwnerId = OwnerId(2);
    /// Highest system owner.
    pub const SYSTEM: u64 = 16;
    /// Lowest tree id.
    pub const FIRST_TREE: u64 = 1024;

    /// True for owners whose list of extents begins in the volume page.
    #[must_use]
    pub fn is_system(self) -> bool {
        (1..=Self::SYSTEM).contains(&self.0)
    }
}

/// How far the owner's list of extents was searched for free pages since opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Walk {
    /// Not yet: begin at the head.
    #[default]
    Unknown,
    /// This extent (+ 1) is next; 0: all were seen.
    At(u64),
}

/// Free pages of one owner.
#[derive(Debug, Default)]
pub(crate) struct Owner {
    /// Of a tree: its root page, which holds the head of the list.
    pub(crate) root: Option<PageId>,
    /// Given out, not (known to be) in use yet.
    pub(crate) reserved: BTreeSet<PageId>,
    /// Pages whose last life, if any, nobody can be looking for: from new extents, or found free after opening.
    pub(crate) ready: Vec<PageId>,
    /// Pages freed since opening with their freeing LSNs, in about that order.
    pub(crate) freed: VecDeque<(PageId, Lsn)>,
    pub(crate) walk: Walk,
}

impl Owner {
    /// A page that may be given out when read points are at or above `floor`.
    pub(crate) fn take(&mut self, floor: Lsn) -> Option<PageId> {
        let freed = self.freed.front().is_some_and(|(_, lsn)| *lsn < floor);
        let page = if freed { self.freed.pop_front().map(|(page, _)| page) } else { self.ready.pop() };
        self.reserved.extend(page);
        page
    }
}
