//! Merges: a page that became nearly empty takes its right neighbour's content, or gives its own to the left one.
//!
//! One mini-transaction: the left page is written anew with both contents, the right one is marked deleted with a link to
//! the left, the parent forgets it, the map frees it. It is only tried when both are children of one parent and what
//! they hold leaves some room; the worst that a merge not done costs is space.

use crate::build::{self, Entries, Plan};
use crate::descent::{Held, Landing};
use crate::edit;
use crate::error::TreeError;
use crate::layout::{CAPACITY, PAGE_LOG};
use crate::tree::Tree;
use crate::view::{Fit, Target, View};
use buffer_pool::{ExclusiveGuard, Finished, MtrKind, PinnedPage, SharedGuard};
use protocol::PageId;
use protocol::contract::Credit;
use protocol::env::BoxFuture;

/// Redo of a merge at most: one page written anew, and small changes to the others.
const MERGE_LOG: usize = PAGE_LOG + 2048;
/// A merged page is at most so full, so that the next insert does not split it again.
const FULL_ENOUGH: usize = CAPACITY / 4 * 3;

/// Two neighbours and the separator between them.
struct Pair {
    left: PageId,
    right: PageId,
    left_low: Vec<u8>,
}

enum Find {
    Pair(Pair),
    /// The root has this one child and nothing else.
    OnlyChild(PageId),
    Nothing,
    Miss(PageId),
}

enum MergeTry {
    /// Merged; and the level to try next, if the parent shrank too far.
    Done(Finished, Option<u8>),
    Nothing,
    Miss(PageId),
}

impl Tree {
    /// Tries to merge the page of `level` that holds `key` with a neighbour. Boxed: a parent that lost entries is next.
    pub(crate) fn merge<'a>(&'a self, level: u8, key: &'a [u8]) -> BoxFuture<'a, Result<(), TreeError>> {
        Box::pin(async move {
            let mut held = Held::default();
            loop {
                let pair = match self.find_pair(level, key)? {
                    Find::Pair(pair) => pair,
                    Find::OnlyChild(child) => return self.pull_up(child).await,
                    Find::Nothing => return Ok(()),
                    Find::Miss(page) => {
                        held.fetch(self.pool(), page).await?;
                        continue;
                    }
                };
                let map = self.space().map_of(pair.right).await?;
                let credit = self.pool().reserve(MERGE_LOG).await?;
                match self.try_merge(level, &pair, &map, credit)? {
                    MergeTry::Done(finished, next) => {
                        self.space().after(finished);
                        return match next {
                            Some(next) => self.merge(next, key).await,
                            None => Ok(()),
                        };
                    }
                    MergeTry::Nothing => return Ok(()),
                    MergeTry::Miss(page) => held.fetch(self.pool(), page).await?,
                }
            }
        })
    }

    /// Asks the parent which two pages to merge.
    fn find_pair(&self, level: u8, key: &[u8]) -> Result<Find, TreeError> {
        let (guard, parent) = match self.land::<SharedGuard<'_>>(Target::At(key), level + 1)? {
            Landing::Page { guard, page, .. } => (guard, page),
            Landing::Miss(page) => return Ok(Find::Miss(page)),
            Landing::NoLevel => return Ok(Find::Nothing),
        };
        let view = View(guard.bytes());
        let (count, at) = (view.count(), view.child_index(Target::At(key)));
        if count == 1 && parent == self.root_id() {
            return Ok(Find::OnlyChild(view.child(0)));
        }
        let left = if at + 1 < count { at } else { at.saturating_sub(1) };
        if left + 1 >= count {
            return Ok(Find::Nothing);
        }
        let pair = Pair { left: view.child(left), right: view.child(left + 1), left_low: view.key(left) };
        Ok(Find::Pair(pair))
    }

    fn try_merge(
        &self,
        level: u8,
        pair: &Pair,
        map: &PinnedPage,
        credit: Credit,
    ) -> Result<MergeTry, TreeError> {
        let Some(left) = self.pool().try_exclusive(pair.left)? else { return Ok(MergeTry::Miss(pair.left)) };
        let l = View(left.bytes());
        // Before the next latch: a stale left page is no reason to hold it while waiting for another (latch order).
        let alive = l.fit(self.id(), level, Target::At(&pair.left_low)) == Fit::Here;
        if !alive || l.right() != pair.right || l.low() != pair.left_low {
            return Ok(MergeTry::Nothing);
        }
        let Some(right) = self.pool().try_exclusive(pair.right)? else {
            return Ok(MergeTry::Miss(pair.right));
        };
        let r = View(right.bytes());
        if l.high() != Some(r.low()) || r.fit(self.id(), level, Target::At(r.low())) != Fit::Here {
            return Ok(MergeTry::Nothing);
        }
        let mut plan = Plan { right: r.right(), high: r.high().map(<[u8]>::to_vec), ..Plan::of(l) };
        plan.hint = plan.hint.max(r.hint());
        let mut entries = Entries::default();
        entries.push_page(l, 0..l.count());
        entries.push_page(r, 0..r.count());
        if entries.cost(&plan) > FULL_ENOUGH {
            return Ok(MergeTry::Nothing);
        }
        let right_low = r.low().to_vec();
        let parent = match self.land::<ExclusiveGuard<'_>>(Target::At(&pair.left_low), level + 1)? {
            Landing::Page { guard, .. } => guard,
            Landing::Miss(page) => return Ok(MergeTry::Miss(page)),
            Landing::NoLevel => return Ok(MergeTry::Nothing),
        };
        let view = View(parent.bytes());
        let Ok(at) = view.search(&pair.left_low) else { return Ok(MergeTry::Nothing) };
        let next = at + 1;
        if next >= view.count()
            || view.child(at) != pair.left
            || view.child(next) != pair.right
            || view.key(next) != right_low
        {
            return Ok(MergeTry::Nothing);
        }
        let mut mtr = self.pool().begin(MtrKind::Merge, credit);
        let (left, right, parent) = (mtr.adopt(left), mtr.adopt(right), mtr.adopt(parent));
        mtr.latch(map)?;
        build::build(&mut mtr, left, &plan, &entries);
        edit::mark_deleted(&mut mtr, right, pair.left);
        edit::remove(&mut mtr, parent, next);
        self.space().release(&mut mtr, pair.right);
        let now = edit::view(&mtr, parent);
        let next = if mtr.page_id(parent) == self.root_id() {
            // With one child left, the same level is asked again: the child moves up.
            (now.count() == 1).then_some(level)
        } else {
            (now.live() < CAPACITY / 4).then_some(level + 1)
        };
        Ok(MergeTry::Done(mtr.finish()?, next))
    }

    /// Gives an only child's content to the root: the tree is one level lower.
    async fn pull_up(&self, child: PageId) -> Result<(), TreeError> {
        let mut held = Held::default();
        loop {
            let map = self.space().map_of(child).await?;
            let credit = self.pool().reserve(MERGE_LOG).await?;
            match self.try_pull_up(child, &map, credit)? {
                MergeTry::Done(finished, _) => {
                    self.space().after(finished);
                    return Ok(());
                }
                MergeTry::Nothing => return Ok(()),
                MergeTry::Miss(page) => held.fetch(self.pool(), page).await?,
            }
        }
    }

    fn try_pull_up(&self, child: PageId, map: &PinnedPage, credit: Credit) -> Result<MergeTry, TreeError> {
        let Some(lower) = self.pool().try_exclusive(child)? else { return Ok(MergeTry::Miss(child)) };
        let c = View(lower.bytes());
        if c.fit(self.id(), c.level(), Target::At(&[])) != Fit::Here {
            return Ok(MergeTry::Nothing);
        }
        let Some(root) = self.pool().try_exclusive(self.root_id())? else {
            return Ok(MergeTry::Miss(self.root_id()));
        };
        let r = View(root.bytes());
        let only = r.tree() == self.id() && r.level() > 0 && r.count() == 1 && r.child(0) == child;
        // A child with a right neighbour is not alone: its split has not been posted yet.
        if !only || c.level() + 1 != r.level() || c.high().is_some() {
            return Ok(MergeTry::Nothing);
        }
        let plan = Plan { extents: r.extents(), ..Plan::of(c) };
        let mut entries = Entries::default();
        entries.push_page(c, 0..c.count());
        let mut mtr = self.pool().begin(MtrKind::Merge, credit);
        let (lower, root) = (mtr.adopt(lower), mtr.adopt(root));
        mtr.latch(map)?;
        build::build(&mut mtr, root, &plan, &entries);
        edit::mark_deleted(&mut mtr, lower, self.root_id());
        self.space().release(&mut mtr, child);
        Ok(MergeTry::Done(mtr.finish()?, None))
    }
}
