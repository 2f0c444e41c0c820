//! Space: which page belongs to whom, and which is next.
//!
//! On the volume: the volume page and the free-space maps (docs/formats). In memory: what is reserved, what was freed and
//! when, which extents are free. A page is *reserved* in memory first (this may wait: maps are read, extents taken), and
//! *claimed* in the mini-transaction that first writes it; so no crash leaves a page marked used that nobody refers to.
//!
//! Invariants:
//! 1. A page is a candidate of one owner, or reserved by one holder, or marked used in its map; never two of these.
//! 2. An extent belongs to an owner before any of its pages is reserved.
//! 3. A freed page is a candidate again at once, but is given out only when every read point lies above its freeing LSN.

mod alloc;
mod create;
mod drop;
mod extents;
mod map;
mod owner;
mod turn;
mod volume;

pub use alloc::ReservedPage;
pub use create::TreePlan;
pub use owner::OwnerId;
pub use volume::SLOTS;

use crate::error::TreeError;
use crate::modify::{Changed, Decision, latch_extra};
use buffer_pool::{BufferPool, Finished, Mtr, MtrKind, PinnedPage};
use map::MapView;
use owner::Owner;
use parking_lot::Mutex;
use protocol::{Lsn, PageId, PageKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use turn::Turn;
use volume::VolumeView;

pub(crate) use map::{EXTENT_PAGES, extent_of, first_page, map_page, region_of};

/// What is known in memory.
#[derive(Default)]
struct State {
    /// Map pages that exist.
    regions: u64,
    /// Maps already searched for free extents since opening.
    scanned: u64,
    /// Free extents found, not reserved, with the LSN below which their last life must be forgotten.
    free: BTreeMap<u64, Lsn>,
    /// Extents reserved for trees to be made.
    planned: BTreeSet<u64>,
    owners: BTreeMap<OwnerId, Owner>,
    /// Pages freed in mini-transactions that are not finished.
    freeing: BTreeMap<PageId, OwnerId>,
    next_tree: u64,
}

/// The volume's space, one per open volume.
pub struct Space {
    pool: Arc<BufferPool>,
    volume: PinnedPage,
    state: Mutex<State>,
    /// One task at a time takes extents.
    growing: Turn,
}

impl Space {
    /// Makes the volume page of an empty volume and opens it.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Corrupt`] when the volume is not empty.
    pub async fn format(pool: &Arc<BufferPool>) -> Result<Arc<Space>, TreeError> {
        let volume = pool.pin(PageId(0)).await?;
        if volume.read(protocol::page::kind)? != Some(PageKind::Free) {
            return Err(TreeError::Corrupt { page: PageId(0), what: "the volume is formatted already" });
        }
        let credit = pool.reserve(1024).await?;
        volume::format(pool, &volume, credit)?;
        Space::open(pool).await
    }

    /// Opens a volume's space. Reads the volume page and nothing else.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Corrupt`] when there is no volume page.
    pub async fn open(pool: &Arc<BufferPool>) -> Result<Arc<Space>, TreeError> {
        let volume = pool.pin(PageId(0)).await?;
        let fields = volume.read(|bytes| VolumeView(bytes).check())?;
        let Some((regions, next_tree)) = fields else {
            return Err(TreeError::Corrupt { page: PageId(0), what: "no volume page" });
        };
        let state = State { regions, next_tree, ..State::default() };
        Ok(Arc::new(Space {
            pool: Arc::clone(pool),
            volume,
            state: Mutex::new(state),
            growing: Turn::default(),
        }))
    }

    /// True when the volume was never formatted.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn is_blank(pool: &Arc<BufferPool>) -> Result<bool, TreeError> {
        let volume = pool.pin(PageId(0)).await?;
        Ok(volume.read(protocol::page::kind)? == Some(PageKind::Free))
    }

    /// The pool below.
    #[must_use]
    pub fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// The volume page; pass it as an extra page to change slots.
    #[must_use]
    pub fn volume_page(&self) -> &PinnedPage {
        &self.volume
    }

    /// One of the 64 numbers the volume page keeps for the engine.
    ///
    /// # Errors
    /// When the pool is poisoned.
    ///
    /// # Panics
    /// When `index` is not below [`SLOTS`].
    pub fn slot(&self, index: usize) -> Result<u64, TreeError> {
        Ok(self.volume.read(|bytes| VolumeView(bytes).slot(index))?)
    }

    /// Sets one of them; the volume page must be among the mini-transaction's pages.
    ///
    /// # Panics
    /// When it is not, or `index` is not below [`SLOTS`].
    pub fn set_slot(&self, mtr: &mut Mtr<'_>, index: usize, value: u64) {
        let page = mtr.page_no(&self.volume);
        volume::set_slot(mtr, page, index, value);
    }

    /// Changes pages that belong to no tree, in one mini-transaction. `log_bytes` covers all operations and 56 bytes a page.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn change<R>(
        &self,
        extra: &[&PinnedPage],
        log_bytes: usize,
        mut change: impl FnMut(&mut Mtr<'_>) -> Decision<R>,
    ) -> Result<Changed<R>, TreeError> {
        let credit = self.pool.reserve(log_bytes).await?;
        self.run(MtrKind::Plain, credit, extra, &mut change)
    }

    pub(crate) fn run<R>(
        &self,
        kind: MtrKind,
        credit: protocol::contract::Credit,
        extra: &[&PinnedPage],
        change: &mut impl FnMut(&mut Mtr<'_>) -> Decision<R>,
    ) -> Result<Changed<R>, TreeError> {
        let mut mtr = self.pool.begin(kind, credit);
        latch_extra(&mut mtr, extra)?;
        let value = match change(&mut mtr) {
            Decision::Done(value) => value,
            Decision::Abort(value) => {
                assert!(!mtr.is_changed(), "a change was aborted after its first write");
                value
            }
        };
        let finished = mtr.finish()?;
        let lsn = finished.lsn;
        self.after(finished);
        Ok(Changed { value, lsn })
    }

    /// The map page of a page, pinned; pass it as an extra page to [`release`](Self::release) the page.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn map_of(&self, page: PageId) -> Result<PinnedPage, TreeError> {
        Ok(self.pool.pin(map_page(extent_of(page))).await?)
    }

    /// Marks `page` free; its map page must be among the mini-transaction's pages.
    ///
    /// # Panics
    /// When it is not, or the page is free already.
    pub fn release(&self, mtr: &mut Mtr<'_>, page: PageId) {
        let extent = extent_of(page);
        let map = mtr.find(map_page(extent)).expect("invariant: the caller latched the page's map");
        let owner = map::set_used(mtr, map, page, false);
        mtr.note_freed(page);
        self.state.lock().freeing.insert(page, owner);
    }

    /// Takes note of what a finished mini-transaction freed.
    pub(crate) fn after(&self, finished: Finished) {
        if finished.freed.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        for page in finished.freed {
            if let Some(owner) = state.freeing.remove(&page)
                && let Some(owner) = state.owners.get_mut(&owner)
            {
                owner.freed.push_back((page, finished.lsn));
            }
        }
    }

    /// Remembers where a tree's list of extents begins.
    pub(crate) fn know_root(&self, tree: OwnerId, root: PageId) {
        self.state.lock().owners.entry(tree).or_default().root = Some(root);
    }

    /// The pages a system owner uses now, newest extents first.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Corrupt`] when the list of extents is.
    pub async fn pages_of(&self, owner: OwnerId) -> Result<Vec<PageId>, TreeError> {
        let mut pages = Vec::new();
        for (extent, used) in self.system_extents(owner).await? {
            let first = first_page(extent).0;
            pages.extend((0..EXTENT_PAGES).filter(|i| used >> i & 1 == 1).map(|i| PageId(first + i)));
        }
        Ok(pages)
    }

    /// The extents of a system owner with their used bits.
    pub(crate) async fn system_extents(&self, owner: OwnerId) -> Result<Vec<(u64, u16)>, TreeError> {
        let head = self.volume.read(|bytes| VolumeView(bytes).head(owner))?;
        self.extents(owner, head).await
    }

    /// Map pages that exist, as the volume page says.
    pub(crate) fn regions_on_volume(&self) -> Result<u64, TreeError> {
        Ok(self.volume.read(|bytes| VolumeView(bytes).regions())?)
    }

    /// All entries of a region's map with their extents; `None` when the page is no such map.
    pub(crate) async fn region_entries(
        &self,
        region: u64,
    ) -> Result<(PageId, Option<Vec<(u64, map::Entry)>>), TreeError> {
        let map = self.pool.pin(map::region_map(region)).await?;
        let entries = map.read(|bytes| {
            let view = MapView(bytes);
            view.is_map_of(region).then(|| view.entries(region).collect())
        })?;
        Ok((map.page_id(), entries))
    }

    /// Walks an owner's list of extents from `head` (extent + 1): each with its used bits.
    pub(crate) async fn extents(&self, owner: OwnerId, head: u64) -> Result<Vec<(u64, u16)>, TreeError> {
        let mut next = head;
        let mut extents = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(extent) = next.checked_sub(1) {
            let map = self.pool.pin(map_page(extent)).await?;
            let entry = map.read(|bytes| MapView(bytes).entry(extent))?;
            if entry.owner != owner.0 || !seen.insert(extent) {
                return Err(TreeError::Corrupt { page: map.page_id(), what: "an owner's list of extents" });
            }
            extents.push((extent, entry.used));
            next = u64::from(entry.next);
        }
        Ok(extents)
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        write!(f, "Space({} regions, {} free extents known)", state.regions, state.free.len())
    }
}
