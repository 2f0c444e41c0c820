//! Pins: a page that stays in memory across awaits, latched only when looked at.

use crate::error::PoolError;
use crate::guard::{ExclusiveGuard, Optimistic, SharedGuard};
use crate::pool::BufferPool;
use protocol::{PAGE_BYTES, PageId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Keeps one page in its frame until dropped. `Send`: it holds no latch. Hold few of them, a handful per task.
pub struct PinnedPage {
    pool: Arc<BufferPool>,
    frame: u32,
    page: PageId,
}

impl PinnedPage {
    /// Takes over a pin already counted.
    pub(crate) fn counted(pool: Arc<BufferPool>, frame: u32, page: PageId) -> PinnedPage {
        PinnedPage { pool, frame, page }
    }

    /// The page.
    #[must_use]
    pub fn page_id(&self) -> PageId {
        self.page
    }

    /// The pool it is in.
    #[must_use]
    pub fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// Looks at the page under a shared latch.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn read<R>(&self, look: impl FnOnce(&[u8; PAGE_BYTES]) -> R) -> Result<R, PoolError> {
        Ok(look(self.shared()?.bytes()))
    }

    /// Latches it for reading.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn shared(&self) -> Result<SharedGuard<'_>, PoolError> {
        let guard = SharedGuard::lock(self.pool.frames(), self.frame);
        self.pool.check()?;
        guard.frame().touch();
        Ok(guard)
    }

    /// Latches it for writing.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn exclusive(&self) -> Result<ExclusiveGuard<'_>, PoolError> {
        let guard = ExclusiveGuard::lock(self.pool.frames(), self.frame);
        self.pool.check()?;
        guard.frame().touch();
        Ok(guard)
    }

    /// Starts a read without latching; `None` while somebody writes.
    ///
    /// # Errors
    /// When the pool is poisoned.
    pub fn optimistic(&self) -> Result<Option<Optimistic<'_>>, PoolError> {
        self.pool.check()?;
        Ok(Optimistic::start(self.pool.frames(), self.frame, self.page))
    }
}

impl Clone for PinnedPage {
    fn clone(&self) -> PinnedPage {
        self.pool.frames().meta(self.frame).pins.fetch_add(1, Ordering::Relaxed);
        PinnedPage { pool: Arc::clone(&self.pool), frame: self.frame, page: self.page }
    }
}

impl Drop for PinnedPage {
    fn drop(&mut self) {
        let before = self.pool.frames().meta(self.frame).pins.fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "page {} unpinned more often than pinned", self.page);
        if before == 1 {
            self.pool.freed.notify();
        }
    }
}

impl fmt::Debug for PinnedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedPage({:?})", self.page)
    }
}
