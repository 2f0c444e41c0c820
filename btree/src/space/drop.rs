//! Dropping a tree: its space goes back in batches, newest extents first, the root's own extent last.
//!
//! Nothing is read but maps and the root: the pages are discarded whatever they hold. A drop cut short by a crash goes on
//! where it stopped, because the root's list of extents gets shorter with each mini-transaction.

use crate::error::TreeError;
use crate::layout::EXTENTS;
use crate::space::map::{self, Entry, MapView};
use crate::space::owner::OwnerId;
use crate::space::{EXTENT_PAGES, Space, extent_of, first_page, map_page};
use crate::tree::Tree;
use crate::view::View;
use buffer_pool::{Mtr, MtrKind, PinnedPage};
use protocol::PageId;
use protocol::redo::Op;
use std::sync::Arc;

/// Extents given back in one mini-transaction: 48 pages, their maps and the root stay below 64.
const BATCH: usize = 3;
/// Redo of one batch: a discard of 57 bytes a page, and the maps.
const DROP_LOG: usize = 8 * 1024;

/// An extent on its way out.
struct Leaving {
    extent: u64,
    map: PinnedPage,
    pages: Vec<PinnedPage>,
    next: u64,
}

impl Tree {
    /// Drops tree `tree_id` with its root at `root`: repeatable, also after a crash half-way, and without effect when that
    /// tree does not exist (never made, or dropped already). Nobody may use the tree any more.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Corrupt`] when the list of extents is.
    pub async fn drop_tree(space: &Arc<Space>, root: PageId, tree_id: u64) -> Result<(), TreeError> {
        let own = extent_of(root);
        let home = space.map_of(root).await?;
        let owner = home.read(|bytes| {
            let map = MapView(bytes);
            map.is_map_of(crate::space::region_of(own)).then(|| map.entry(own).owner)
        })?;
        if owner != Some(tree_id) {
            return Ok(());
        }
        let root = space.pool.pin(root).await?;
        loop {
            let head = root.read(|bytes| View(bytes).extents())?;
            let leaving = space.leaving(OwnerId(tree_id), head, own).await?;
            if leaving.is_empty() {
                break;
            }
            let next = leaving.last().map_or(0, |l| l.next);
            space.give_back(&root, leaving, Some(next)).await?;
        }
        let last = space.leaving(OwnerId(tree_id), own + 1, u64::MAX).await?;
        space.give_back(&root, last, None).await?;
        space.state.lock().owners.remove(&OwnerId(tree_id));
        Ok(())
    }
}

impl Space {
    /// Pins what the next batch needs: extents from `head` (extent + 1) up to, not with, `stop`.
    async fn leaving(&self, owner: OwnerId, head: u64, stop: u64) -> Result<Vec<Leaving>, TreeError> {
        let mut batch = Vec::new();
        let mut next = head;
        while let Some(extent) = next.checked_sub(1) {
            if extent == stop || batch.len() == BATCH {
                break;
            }
            let map = self.pool.pin(map_page(extent)).await?;
            let entry = map.read(|bytes| MapView(bytes).entry(extent))?;
            if entry.owner != owner.0 {
                return Err(TreeError::Corrupt { page: map.page_id(), what: "an owner's list of extents" });
            }
            let mut pages = Vec::new();
            for at in (0..EXTENT_PAGES).filter(|at| entry.used >> at & 1 == 1) {
                pages.push(self.pool.pin_new(PageId(first_page(extent).0 + at)).await?);
            }
            next = u64::from(entry.next);
            batch.push(Leaving { extent, map, pages, next });
        }
        Ok(batch)
    }

    /// Discards the pages of a batch and frees its extents; the root's list then begins at `head`, or the root is among
    /// the pages.
    async fn give_back(
        &self,
        root: &PinnedPage,
        batch: Vec<Leaving>,
        head: Option<u64>,
    ) -> Result<(), TreeError> {
        let credit = self.pool.reserve(DROP_LOG).await?;
        let lsn = {
            let mut mtr = self.pool.begin(MtrKind::Space, credit);
            discard(&mut mtr, root, &batch, head)?;
            mtr.finish()?.lsn
        };
        let mut state = self.state.lock();
        for leaving in batch {
            state.free.insert(leaving.extent, lsn);
        }
        Ok(())
    }
}

fn discard<'p>(
    mtr: &mut Mtr<'p>,
    root: &'p PinnedPage,
    batch: &'p [Leaving],
    head: Option<u64>,
) -> Result<(), TreeError> {
    let mut pages: Vec<&PinnedPage> = batch.iter().flat_map(|l| &l.pages).collect();
    pages.sort_by_key(|page| page.page_id());
    for page in pages {
        let no = mtr.latch(page)?;
        mtr.run(no, Op::Discard);
    }
    if let Some(head) = head {
        let no = mtr.latch(root)?;
        mtr.run(no, Op::Write { offset: EXTENTS as u16, bytes: &head.to_le_bytes() });
    }
    let mut maps: Vec<&PinnedPage> = batch.iter().map(|l| &l.map).collect();
    maps.sort_by_key(|map| map.page_id());
    maps.dedup_by_key(|map| map.page_id());
    for map in maps {
        mtr.latch(map)?;
    }
    for leaving in batch {
        let map = mtr.page_no(&leaving.map);
        map::set_entry(mtr, map, leaving.extent, Entry::default());
    }
    Ok(())
}
