//! Splits: a full page gives its right part to a new right neighbour, then the parent is told.
//!
//! ```text
//!   1. [ L: a b c d ]-> R            one mini-transaction: new page M written once, L cut, map bit set
//!      [ L: a b ]->[ M: c d ]-> R
//!   2. parent gets (low of M -> M)   another; until then M is reached by L's right link
//! ```
//!
//! The half that moves is the smaller one as far as keys allow; an insert at the very end of the tree moves nothing, so
//! rising keys leave full pages behind. A root that is full moves all it has into a new child first: its id must stay.

use crate::build::{self, Entries, Plan};
use crate::descent::{Held, Landing, Unposted};
use crate::edit::{self, Fits};
use crate::error::TreeError;
use crate::layout::{CAPACITY, COMPACT_LOG, MAX_KEY_BYTES, PAGE_LOG, SLOT, SMALL_COMPACT_LOG, separator};
use crate::space::ReservedPage;
use crate::tree::Tree;
use crate::view::{Fit, Latched, Target, View};
use buffer_pool::{ExclusiveGuard, Finished, MtrKind};
use protocol::PageId;
use protocol::contract::Credit;
use protocol::env::BoxFuture;

/// Redo of a split at most: the new page, the old one compacted with a new fence and new hints, the map.
const SPLIT_LOG: usize = PAGE_LOG + COMPACT_LOG + CAPACITY + MAX_KEY_BYTES + 1024;
/// Redo of a push-down: the new child written whole, the root written anew.
const PUSH_LOG: usize = PAGE_LOG + 2048;
/// Redo of a post.
const POST_LOG: usize = SMALL_COMPACT_LOG + MAX_KEY_BYTES + 512;
/// Separator entries hold a page id.
const CHILD_BYTES: usize = 8;

enum SplitTry {
    /// Split; the right page is to be posted.
    Split(Finished, PageId),
    /// The root moved down a level; the split itself is still to be done.
    Pushed(Finished),
    /// The page had room, in pieces.
    Compacted(Finished),
    /// Somebody made room meanwhile.
    NotNeeded,
    Miss(PageId),
}

enum PostTry {
    Done(Finished),
    /// Posted by somebody else, or the page is gone.
    Stale,
    Full(Vec<u8>),
    Miss(PageId),
}

impl Tree {
    /// Makes room for an entry of `key` with a value of `value_len` bytes on a page of `level`: compacts or splits it.
    pub(crate) async fn split(&self, level: u8, key: &[u8], value_len: usize) -> Result<(), TreeError> {
        let mut held = Held::default();
        let mut reserved = None;
        loop {
            let page = match reserved.take() {
                Some(page) => page,
                None => self.space().reserve_page(self.owner()).await?,
            };
            let credit = self.pool().reserve(SPLIT_LOG.max(PUSH_LOG)).await?;
            match self.try_split(level, key, value_len, &page, credit)? {
                SplitTry::Split(finished, right) => {
                    self.space().after(finished);
                    return self.post(Unposted { level, right }).await;
                }
                SplitTry::Pushed(finished) => self.space().after(finished),
                SplitTry::Compacted(finished) => {
                    self.space().after(finished);
                    return Ok(());
                }
                SplitTry::NotNeeded => return Ok(()),
                SplitTry::Miss(missed) => {
                    reserved = Some(page);
                    held.fetch(self.pool(), missed).await?;
                }
            }
        }
    }

    fn try_split(
        &self,
        level: u8,
        key: &[u8],
        value_len: usize,
        new: &ReservedPage,
        credit: Credit,
    ) -> Result<SplitTry, TreeError> {
        let (guard, page) = match self.land::<ExclusiveGuard<'_>>(Target::At(key), level)? {
            Landing::Page { guard, page, .. } => (guard, page),
            Landing::Miss(page) => return Ok(SplitTry::Miss(page)),
            Landing::NoLevel => {
                return Err(TreeError::Corrupt { page: self.root_id(), what: "a level is missing" });
            }
        };
        let mut mtr = self.pool().begin(MtrKind::Split, credit);
        let left = mtr.adopt(guard);
        let view = edit::view(&mtr, left);
        let found = view.search(key);
        let room = match found {
            Ok(index) => edit::fits_replace(view, index, value_len),
            Err(_) => edit::fits(view, key, value_len),
        };
        match room {
            Fits::Now => return Ok(SplitTry::NotNeeded),
            Fits::Compacted => {
                edit::compact(&mut mtr, left, None);
                return Ok(SplitTry::Compacted(mtr.finish()?));
            }
            Fits::No => {}
        }
        let mut plan = Plan::of(view);
        let mut entries = Entries::default();
        if page == self.root_id() {
            entries.push_page(view, 0..view.count());
            plan.extents = 0;
            let [page_pin, map] = new.pins();
            let child = mtr.latch(page_pin)?;
            mtr.latch(map)?;
            new.claim_latched(&mut mtr);
            build::build(&mut mtr, child, &plan, &entries);
            let root = Plan { level: plan.level + 1, extents: edit::view(&mtr, left).extents(), ..plan };
            let mut one = Entries::default();
            one.push(&[], &new.page_id().0.to_le_bytes());
            build::build(&mut mtr, left, &root, &one);
            return Ok(SplitTry::Pushed(mtr.finish()?));
        }
        let at = split_point(view, key, found, value_len);
        let low = fence(view, key, at);
        entries.push_page(view, at..view.count());
        plan.low = low.clone();
        plan.extents = 0;
        let [page_pin, map] = new.pins();
        let right = mtr.latch(page_pin)?;
        mtr.latch(map)?;
        new.claim_latched(&mut mtr);
        build::build(&mut mtr, right, &plan, &entries);
        edit::truncate(&mut mtr, left, at, &low, new.page_id());
        Ok(SplitTry::Split(mtr.finish()?, new.page_id()))
    }

    /// Tells the parent of a page about it. Boxed: a full parent splits, which posts in turn.
    pub(crate) fn post(&self, unposted: Unposted) -> BoxFuture<'_, Result<(), TreeError>> {
        Box::pin(async move {
            let mut held = Held::default();
            loop {
                let credit = self.pool().reserve(POST_LOG).await?;
                match self.try_post(unposted, credit)? {
                    PostTry::Done(finished) => {
                        self.space().after(finished);
                        return Ok(());
                    }
                    PostTry::Stale => return Ok(()),
                    PostTry::Full(low) => self.split(unposted.level + 1, &low, CHILD_BYTES).await?,
                    PostTry::Miss(page) => held.fetch(self.pool(), page).await?,
                }
            }
        })
    }

    fn try_post(&self, unposted: Unposted, credit: Credit) -> Result<PostTry, TreeError> {
        let Unposted { level, right } = unposted;
        // Latched first (leaf up), so that it cannot be merged away while the parent learns of it.
        let Some(child) = self.pool().try_shared(right)? else { return Ok(PostTry::Miss(right)) };
        let view = View(child.bytes());
        let low = view.low().to_vec();
        if low.is_empty() || view.fit(self.id(), level, Target::At(&low)) != Fit::Here {
            return Ok(PostTry::Stale);
        }
        let guard = match self.land::<ExclusiveGuard<'_>>(Target::At(&low), level + 1)? {
            Landing::Page { guard, .. } => guard,
            Landing::Miss(page) => return Ok(PostTry::Miss(page)),
            Landing::NoLevel => return Ok(PostTry::Stale),
        };
        let mut mtr = self.pool().begin(MtrKind::Post, credit);
        let parent = mtr.adopt(guard);
        let view = edit::view(&mtr, parent);
        let Err(index) = view.search(&low) else { return Ok(PostTry::Stale) };
        if edit::fits(view, &low, CHILD_BYTES) != Fits::Now {
            return Ok(PostTry::Full(low));
        }
        edit::insert(&mut mtr, parent, index, &low, &right.0.to_le_bytes());
        Ok(PostTry::Done(mtr.finish()?))
    }
}

/// How many entries stay left: as even as it gets with both sides fitting their fences.
fn split_point(page: Latched<'_>, key: &[u8], found: Result<usize, usize>, value_len: usize) -> usize {
    let count = page.count();
    let cost = |i: usize| page.entry_len(i) + SLOT;
    let all: usize = (0..count).map(cost).sum();
    let (low, high) = (page.low().len(), page.high().map_or(0, <[u8]>::len));
    if count == 1 {
        // One entry too large to share a page: the new one goes to the other side.
        return usize::from(found != Err(0));
    }
    // Rising keys: nothing moves, or the last entry to make room for the fence. An inner page must not be left empty, so
    // there the last entry always goes along.
    if found == Err(count) && page.high().is_none() {
        if page.level() == 0 && low + all + key.len() <= CAPACITY {
            return count;
        }
        let fence = page.prefix_len() + page.slot(count - 1).1;
        if low + all - cost(count - 1) + fence <= CAPACITY {
            return count - 1;
        }
    }
    let new = edit::entry_cost(page, key, value_len);
    let weight = all + if found.is_err() { new } else { 0 };
    let (mut left, mut left_weight) = (0, 0);
    let mut best = (usize::MAX, 1);
    for at in 1..count {
        left += cost(at - 1);
        left_weight += cost(at - 1);
        if found == Err(at - 1) {
            left_weight += new;
        }
        // The fence between is at most as long as the first key that moves.
        let fence = page.prefix_len() + page.slot(at).1;
        let fits = low + left + fence <= CAPACITY && fence + (all - left) + high <= CAPACITY;
        let difference = (2 * left_weight).abs_diff(weight);
        if fits && difference < best.0 {
            best = (difference, at);
        }
    }
    best.1
}

/// The low fence of the right page when entries from `at` on move.
fn fence(page: Latched<'_>, key: &[u8], at: usize) -> Vec<u8> {
    let count = page.count();
    if page.level() > 0 {
        return page.key(at);
    }
    let (left, right) = match at {
        0 => (key.to_vec(), page.key(0)),
        at if at == count => (page.key(at - 1), key.to_vec()),
        at => (page.key(at - 1), page.key(at)),
    };
    separator(&left, &right).to_vec()
}
