//! Giving out pages: from what is known free, else from the owner's older extents, else from a new extent.

use crate::error::TreeError;
use crate::space::map::{self, Entry, MapView};
use crate::space::owner::{OwnerId, Walk};
use crate::space::volume::{self, VolumeView};
use crate::space::{EXTENT_PAGES, Space, first_page, map_page};
use crate::view::View;
use buffer_pool::{Mtr, MtrKind, PageNo, PinnedPage};
use protocol::redo::Op;
use protocol::{Lsn, PageId, PageKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Older extents looked at before a new one is taken.
const LOOK_BACK: usize = 16;
/// Redo of taking an extent.
const EXTENT_LOG: usize = 1024;

/// A page reserved in memory. Dropped without being claimed, it goes back.
#[derive(Debug)]
pub struct ReservedPage {
    space: Arc<Space>,
    owner: OwnerId,
    page: PinnedPage,
    map: PinnedPage,
    claimed: AtomicBool,
}

impl ReservedPage {
    /// The page.
    #[must_use]
    pub fn page_id(&self) -> PageId {
        self.page.page_id()
    }

    /// The pages to latch in the mini-transaction that claims it: the page itself and its map.
    #[must_use]
    pub fn pins(&self) -> [&PinnedPage; 2] {
        [&self.page, &self.map]
    }

    /// Marks it used and initialises it, in a mini-transaction that has latched [`pins`](Self::pins). What else goes with it
    /// must be in the same mini-transaction, a reference to the page above all.
    ///
    /// # Panics
    /// When the pins are not latched, or it was claimed before.
    pub fn claim(&self, mtr: &mut Mtr<'_>, kind: PageKind) -> PageNo {
        self.claim_latched(mtr);
        let page = mtr.page_no(&self.page);
        mtr.run(page, Op::Init { kind });
        page
    }

    /// As [`claim`](Self::claim); the caller initialises the page.
    pub(crate) fn claim_latched(&self, mtr: &mut Mtr<'_>) {
        let again = self.claimed.swap(true, Ordering::Relaxed);
        assert!(!again, "page {} claimed twice", self.page_id());
        let map = mtr.page_no(&self.map);
        map::set_used(mtr, map, self.page_id(), true);
    }
}

impl Drop for ReservedPage {
    fn drop(&mut self) {
        let claimed = self.claimed.load(Ordering::Relaxed);
        self.space.unreserve(self.owner, self.page_id(), claimed);
    }
}

impl Space {
    /// Reserves a page for `owner`.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Corrupt`] when the owner's list of extents is.
    pub async fn reserve_page(self: &Arc<Self>, owner: OwnerId) -> Result<ReservedPage, TreeError> {
        let page = match self.take(owner) {
            Some(page) => page,
            None => self.find_page(owner).await?,
        };
        // From here on the page goes back if anything fails or the caller gives up.
        let mut back = GiveBack { space: self, owner, page: Some(page) };
        let map = self.map_of(page).await?;
        let pin = self.pool.pin_new(page).await?;
        back.page = None;
        Ok(ReservedPage { space: Arc::clone(self), owner, page: pin, map, claimed: AtomicBool::new(false) })
    }

    fn take(&self, owner: OwnerId) -> Option<PageId> {
        let floor = self.pool.read_floor();
        self.state.lock().owners.entry(owner).or_default().take(floor)
    }

    /// Ends a reservation; the page is ready again unless it is in use now.
    fn unreserve(&self, owner: OwnerId, page: PageId, claimed: bool) {
        if let Some(owner) = self.state.lock().owners.get_mut(&owner) {
            owner.reserved.remove(&page);
            if !claimed {
                owner.ready.push(page);
            }
        }
    }

    /// The page that holds the head of an owner's list, and the head.
    async fn home(&self, owner: OwnerId) -> Result<(PinnedPage, u64), TreeError> {
        if owner.is_system() {
            let head = self.volume.read(|bytes| VolumeView(bytes).head(owner))?;
            return Ok((self.volume.clone(), head));
        }
        // The first page of a tree's oldest extent is its root.
        let root = self.state.lock().owners.get(&owner).and_then(|o| o.root);
        let root = root.ok_or(TreeError::Corrupt { page: PageId(0), what: "an owner without a home" })?;
        let page = self.pool.pin(root).await?;
        let head = page.read(|bytes| View(bytes).extents())?;
        Ok((page, head))
    }

    async fn find_page(self: &Arc<Self>, owner: OwnerId) -> Result<PageId, TreeError> {
        let _turn = self.growing.take().await;
        loop {
            if let Some(page) = self.take(owner) {
                return Ok(page);
            }
            if !self.look_back(owner).await? {
                self.grow(owner).await?;
            }
        }
    }

    /// Searches a few of the owner's older extents for free pages; `false` when there was nothing.
    async fn look_back(&self, owner: OwnerId) -> Result<bool, TreeError> {
        for _ in 0..LOOK_BACK {
            let walk = self.state.lock().owners.entry(owner).or_default().walk;
            let next = match walk {
                Walk::Unknown => self.home(owner).await?.1,
                Walk::At(next) => next,
            };
            let Some(extent) = next.checked_sub(1) else {
                self.state.lock().owners.entry(owner).or_default().walk = Walk::At(0);
                return Ok(false);
            };
            let map = self.pool.pin(map_page(extent)).await?;
            let mut found = false;
            // The lock is taken under the map's latch: whoever frees a page holds that latch when it enters `freeing`.
            map.read(|bytes| {
                let entry = MapView(bytes).entry(extent);
                let mut state = self.state.lock();
                let state = &mut *state;
                let known = state.owners.entry(owner).or_default();
                known.walk = Walk::At(if entry.owner == owner.0 { u64::from(entry.next) } else { 0 });
                for page in (0..EXTENT_PAGES).map(|i| PageId(first_page(extent).0 + i)) {
                    let free =
                        entry.owner == owner.0 && entry.used >> (page.0 - first_page(extent).0) & 1 == 0;
                    let known_free = known.ready.contains(&page)
                        || known.reserved.contains(&page)
                        || known.freed.iter().any(|(p, _)| *p == page)
                        || state.freeing.contains_key(&page);
                    if free && !known_free {
                        known.ready.push(page);
                        found = true;
                    }
                }
            })?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a free extent for `owner`; its pages are ready.
    async fn grow(self: &Arc<Self>, owner: OwnerId) -> Result<(), TreeError> {
        let extent = self.free_extent().await?;
        let mut back = GiveExtentBack { space: self, extent: Some(extent) };
        let last = PageId(first_page(extent).0 + EXTENT_PAGES - 1);
        self.pool.log().ensure_pages(last).await?;
        let map = self.pool.pin(map_page(extent)).await?;
        let (home, _) = self.home(owner).await?;
        let credit = self.pool.reserve(EXTENT_LOG).await?;
        {
            let mut mtr = self.pool.begin(MtrKind::Space, credit);
            // A root is a tree page and comes first; the volume page's id is lower than any map's.
            let at = mtr.latch(&home)?;
            let no = mtr.latch(&map)?;
            let head = if owner.is_system() {
                VolumeView(mtr.page(at)).head(owner)
            } else {
                View(mtr.page(at)).extents()
            };
            let next = u32::try_from(head).expect("invariant: extents are numbered below 2^32");
            map::set_entry(&mut mtr, no, extent, Entry { owner: owner.0, next, used: 0 });
            if owner.is_system() {
                volume::set_head(&mut mtr, at, owner, extent + 1);
            } else {
                let bytes = (extent + 1).to_le_bytes();
                mtr.run(at, Op::Write { offset: crate::layout::EXTENTS as u16, bytes: &bytes });
            }
            mtr.finish()?;
        }
        back.extent = None;
        let mut state = self.state.lock();
        let known = state.owners.entry(owner).or_default();
        // Popped from the end: rising page ids. The walk began before, so it does not come here.
        known.ready.extend((0..EXTENT_PAGES).rev().map(|i| PageId(first_page(extent).0 + i)));
        Ok(())
    }
}

struct GiveBack<'a> {
    space: &'a Space,
    owner: OwnerId,
    page: Option<PageId>,
}

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        if let Some(page) = self.page.take() {
            self.space.unreserve(self.owner, page, false);
        }
    }
}

struct GiveExtentBack<'a> {
    space: &'a Space,
    extent: Option<u64>,
}

impl Drop for GiveExtentBack<'_> {
    fn drop(&mut self) {
        if let Some(extent) = self.extent.take() {
            self.space.state.lock().free.insert(extent, Lsn::ZERO);
        }
    }
}
