//! Undo pages that nobody uses, and getting more.
//!
//! Undo pages belong to one owner on the volume and are never given back to it while the engine runs: a page freed by purge goes to the
//! list here and to the next transaction. After an opening the list is rebuilt from the page headers, in the background (`history::rebuild`).

use crate::error::Result;
use btree::{Decision, OwnerId, Space};
use parking_lot::Mutex;
use protocol::page::{PageId, PageKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Free undo pages.
#[derive(Debug, Default)]
pub(crate) struct UndoSpace {
    free: Mutex<Vec<PageId>>,
    /// Pages claimed since the opening, until the list is rebuilt.
    fresh: Mutex<Option<BTreeSet<PageId>>>,
    total: AtomicU64,
}

impl UndoSpace {
    /// A page to use; its content is of no meaning until it is initialised by its first record.
    pub(crate) async fn take(&self, space: &Arc<Space>) -> Result<PageId> {
        if let Some(page) = self.free.lock().pop() {
            return Ok(page);
        }
        let reserved = space.reserve_page(OwnerId::UNDO).await?;
        let [a, b] = reserved.pins();
        let changed = space
            .change(&[a, b], 512, |mtr| {
                let no = reserved.claim(mtr, PageKind::Undo);
                Decision::Done(mtr.page_id(no))
            })
            .await?;
        self.total.fetch_add(1, Ordering::Relaxed);
        if let Some(fresh) = self.fresh.lock().as_mut() {
            fresh.insert(changed.value);
        }
        Ok(changed.value)
    }

    /// Pages that no transaction and no reader needs any more.
    pub(crate) fn give_back(&self, pages: impl IntoIterator<Item = PageId>) {
        self.free.lock().extend(pages);
    }

    /// At an opening: what is claimed from here on is not for the rebuild to judge.
    pub(crate) fn opened() -> UndoSpace {
        UndoSpace { fresh: Mutex::new(Some(BTreeSet::new())), ..UndoSpace::default() }
    }

    /// Whether a page was claimed since the opening.
    pub(crate) fn is_fresh(&self, page: PageId) -> bool {
        self.fresh.lock().as_ref().is_some_and(|f| f.contains(&page))
    }

    /// After an opening: pages found on the volume.
    pub(crate) fn found(&self, total: u64, free: Vec<PageId>) {
        let fresh = self.fresh.lock().take().map_or(0, |f| f.len() as u64);
        self.total.fetch_add(total.saturating_sub(fresh), Ordering::Relaxed);
        self.free.lock().extend(free);
    }

    /// Pages in all and free ones, for status.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.total.load(Ordering::Relaxed), self.free.lock().len() as u64)
    }
}
