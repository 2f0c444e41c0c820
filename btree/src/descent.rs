//! The way down: optimistic reads of inner pages, one latch at the end.
//!
//! A walk may land on a page that was split, merged or given out again since its parent was read. The page itself says
//! so ([`View::fit`]): then the walk goes right, or starts again. See docs/formats/tree-page.md, rule 6.

use crate::error::TreeError;
use crate::tree::Tree;
use crate::view::{Fit, Source, Target, View};
use buffer_pool::{BufferPool, ExclusiveGuard, PinnedPage, PoolError, SharedGuard};
use protocol::{PAGE_BYTES, PageId};
use std::sync::Arc;

/// A walk that starts again so often meets no concurrent change but a corrupt page.
const RESTARTS: usize = 10_000;
/// Pages kept pinned by one operation that met misses.
const HELD: usize = 4;

/// A guard a walk can end with.
pub(crate) trait Latch<'p>: Sized {
    fn latch(pool: &'p BufferPool, page: PageId) -> Result<Option<Self>, PoolError>;
    fn bytes(&self) -> &[u8; PAGE_BYTES];
}

impl<'p> Latch<'p> for SharedGuard<'p> {
    fn latch(pool: &'p BufferPool, page: PageId) -> Result<Option<Self>, PoolError> {
        pool.try_shared(page)
    }
    fn bytes(&self) -> &[u8; PAGE_BYTES] {
        SharedGuard::bytes(self)
    }
}

impl<'p> Latch<'p> for ExclusiveGuard<'p> {
    fn latch(pool: &'p BufferPool, page: PageId) -> Result<Option<Self>, PoolError> {
        pool.try_exclusive(page)
    }
    fn bytes(&self) -> &[u8; PAGE_BYTES] {
        ExclusiveGuard::bytes(self)
    }
}

/// A page reached by a right link only: its parent may not know it yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unposted {
    pub(crate) level: u8,
    pub(crate) right: PageId,
}

/// Where a walk ended.
pub(crate) enum Landing<G> {
    /// On the page it was going to, latched.
    Page { guard: G, page: PageId, unposted: Option<Unposted> },
    /// Before a page that is not in memory.
    Miss(PageId),
    /// The tree has no such level.
    NoLevel,
}

/// Which page is next.
enum Step {
    Found(PageId),
    Miss(PageId),
    NoLevel,
}

enum Look {
    Goal,
    Child(PageId, u8),
    Right(PageId),
    Lost,
    Gone,
    NoLevel,
    Miss,
}

/// Pages kept in memory until an operation that missed them is through (crate invariant 4).
#[derive(Default)]
pub(crate) struct Held(Vec<PinnedPage>);

impl Held {
    /// Fetches a page and keeps it. Those kept before go first when frames are short.
    pub(crate) async fn fetch(&mut self, pool: &Arc<BufferPool>, page: PageId) -> Result<(), TreeError> {
        if pool.is_crowded() {
            self.0.clear();
        }
        if self.0.len() == HELD {
            self.0.remove(0);
        }
        self.0.push(pool.pin(page).await?);
        Ok(())
    }
}

impl Tree {
    /// Walks to the page of `level` for `target` and latches it.
    pub(crate) fn land<'p, G: Latch<'p>>(
        &'p self,
        target: Target<'_>,
        level: u8,
    ) -> Result<Landing<G>, TreeError> {
        let mut last = self.root_id();
        for _ in 0..RESTARTS {
            let mut page = match self.find_page(target, level)? {
                Step::Found(page) => page,
                Step::Miss(page) => return Ok(Landing::Miss(page)),
                Step::NoLevel => return Ok(Landing::NoLevel),
            };
            let mut unposted = None;
            loop {
                last = page;
                let Some(guard) = G::latch(self.pool(), page)? else { return Ok(Landing::Miss(page)) };
                match View(guard.bytes()).fit(self.id(), level, target) {
                    Fit::Here => return Ok(Landing::Page { guard, page, unposted }),
                    Fit::Right(right) => {
                        unposted = Some(Unposted { level, right });
                        page = right;
                    }
                    Fit::Lost => break,
                }
            }
        }
        Err(TreeError::Corrupt { page: last, what: "walks never arrive" })
    }

    fn find_page(&self, target: Target<'_>, goal: u8) -> Result<Step, TreeError> {
        let root = self.root_id();
        for _ in 0..RESTARTS {
            let (mut page, mut level) = (root, None);
            loop {
                match self.look(page, level, target, goal)? {
                    Look::Goal => return Ok(Step::Found(page)),
                    Look::Child(child, at) if at == goal => return Ok(Step::Found(child)),
                    Look::Child(child, at) => (page, level) = (child, Some(at)),
                    Look::Right(right) => page = right,
                    Look::Lost => break,
                    Look::Gone => return Err(TreeError::Gone { root }),
                    Look::NoLevel => return Ok(Step::NoLevel),
                    Look::Miss => return Ok(Step::Miss(page)),
                }
            }
        }
        Err(TreeError::Corrupt { page: root, what: "walks never arrive" })
    }

    /// Reads one inner page, without a latch if nobody is writing it. `level` is `None` for the root, whatever its level.
    fn look(&self, page: PageId, level: Option<u8>, target: Target<'_>, goal: u8) -> Result<Look, TreeError> {
        let view = match level {
            None => self.pool().try_optimistic_hinted(page, self.root_hint())?,
            Some(_) => self.pool().try_optimistic(page)?,
        };
        if let Some(view) = view {
            let look = self.step(View(view), level, target, goal);
            if view.holds() {
                return Ok(look);
            }
        }
        let Some(guard) = self.pool().try_shared(page)? else { return Ok(Look::Miss) };
        Ok(self.step(View(guard.bytes()), level, target, goal))
    }

    fn step<S: Source>(&self, view: View<S>, level: Option<u8>, target: Target<'_>, goal: u8) -> Look {
        let at = level.unwrap_or_else(|| view.level());
        match view.fit(self.id(), at, target) {
            Fit::Lost if level.is_none() => return Look::Gone,
            Fit::Lost => return Look::Lost,
            Fit::Right(right) => return Look::Right(right),
            Fit::Here => {}
        }
        if at == goal {
            return Look::Goal;
        }
        if at < goal {
            return Look::NoLevel;
        }
        if view.count() == 0 {
            return Look::Lost;
        }
        Look::Child(view.child(view.child_index(target)), at - 1)
    }
}
