//! A miss: one fetch per page at a time, everybody else who wants the page waits for it.
//!
//! The leader takes a frame first (so that images in flight are bounded by frames), then reads at VDL: the page is not in
//! memory, so none of its records lies above VDL (invariant 2). A leader that is dropped half-way wakes the others, and
//! one of them leads.

use crate::counters::bump;
use crate::error::PoolError;
use crate::event::Event;
use crate::guard::ExclusiveGuard;
use crate::pin::PinnedPage;
use crate::pool::BufferPool;
use protocol::page::{self, PageBuf};
use protocol::{Lsn, PageId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A fetch in flight.
#[derive(Default)]
pub(crate) struct Fetch {
    over: AtomicBool,
    event: Event,
}

enum Role {
    Hit,
    Wait(Arc<Fetch>),
    Lead(Arc<Fetch>),
}

/// Ends the fetch whatever happens to the leader.
struct Lead<'p> {
    pool: &'p BufferPool,
    page: PageId,
    fetch: Arc<Fetch>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.pool.table.shard(self.page).fetches.remove(&self.page);
        self.fetch.over.store(true, Ordering::SeqCst);
        self.fetch.event.notify();
    }
}

impl BufferPool {
    /// Pins a page, reading it first when it is not in memory.
    ///
    /// # Errors
    /// When the page cannot be read, or the pool is poisoned.
    pub async fn pin(self: &Arc<Self>, page: PageId) -> Result<PinnedPage, PoolError> {
        self.pin_as(page, false).await
    }

    /// Pins a page number just given out: it is not read, because its next record starts with `init` (or `discard`).
    /// If it is in memory from its last life, that frame is used.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub async fn pin_new(self: &Arc<Self>, page: PageId) -> Result<PinnedPage, PoolError> {
        self.pin_as(page, true).await
    }

    /// Compares a page in memory with what storage serves, for checks: what is wrong, if anything. A page above VDL cannot be
    /// compared; only its image as of VDL is verified then.
    ///
    /// # Errors
    /// When the page cannot be read, or the pool is poisoned.
    pub async fn audit(&self, page: &PinnedPage) -> Result<Option<String>, PoolError> {
        let image = {
            let point = self.points.enter(self.log.as_ref());
            self.reader.read(page.page_id(), point.at()).await?
        };
        if let Err(error) = page::verify(image.bytes(), page.page_id()) {
            return Ok(Some(error.to_string()));
        }
        // The checksum is set when an image leaves memory; in a frame it means nothing.
        let same = page
            .read(|bytes| page::lsn(bytes) != page::lsn(image.bytes()) || bytes[4..] == image.bytes()[4..])?;
        Ok((!same).then(|| "memory and storage differ at one LSN".to_string()))
    }

    async fn pin_as(self: &Arc<Self>, page: PageId, fresh: bool) -> Result<PinnedPage, PoolError> {
        loop {
            if let Some(pinned) = self.try_pin(page)? {
                return Ok(pinned);
            }
            match self.role(page) {
                Role::Hit => {}
                Role::Wait(fetch) => {
                    bump(&self.counters.fetch_joins);
                    let listener = fetch.event.listen();
                    if !fetch.over.load(Ordering::SeqCst) {
                        listener.await;
                    }
                }
                Role::Lead(fetch) => {
                    let lead = Lead { pool: self, page, fetch };
                    return self.lead(&lead, fresh).await;
                }
            }
        }
    }

    fn role(&self, page: PageId) -> Role {
        let mut shard = self.table.shard(page);
        if self.table.find_locked(&self.frames, &shard, page).is_some() {
            return Role::Hit;
        }
        if let Some(fetch) = shard.fetches.get(&page) {
            return Role::Wait(Arc::clone(fetch));
        }
        let fetch = Arc::new(Fetch::default());
        shard.fetches.insert(page, Arc::clone(&fetch));
        Role::Lead(fetch)
    }

    async fn lead(self: &Arc<Self>, lead: &Lead<'_>, fresh: bool) -> Result<PinnedPage, PoolError> {
        let page = lead.page;
        let free = self.take_frame().await?;
        let image = if fresh {
            PageBuf::blank(page)
        } else {
            bump(&self.counters.fetches);
            let point = self.points.enter(self.log.as_ref());
            let image = self.reader.read(page, point.at()).await?;
            let (id, lsn) = (page::id(image.bytes()), page::lsn(image.bytes()));
            assert!(id == page, "the reader answered page {id} for {page}");
            assert!(lsn <= point.at(), "page {page} read at {} is of {lsn}", point.at());
            image
        };
        self.check()?;
        {
            let mut guard = ExclusiveGuard::lock(&self.frames, free.index());
            guard.bytes_mut().copy_from_slice(image.bytes());
            let frame = guard.frame();
            let lsn: Lsn = page::lsn(image.bytes());
            frame.lsn.store(lsn.0, Ordering::Release);
            frame.used.store(1, Ordering::Relaxed);
            frame.dirtied.store(false, Ordering::Relaxed);
            frame.fresh.store(fresh, Ordering::Relaxed);
            frame.pins.store(1, Ordering::SeqCst);
            let mut shard = self.table.shard(page);
            self.table.insert(&self.frames, &mut shard, page, free.index());
        }
        Ok(PinnedPage::counted(Arc::clone(self), free.keep(), page))
    }
}
