//! A change: one leaf entry and the caller's own pages, in one mini-transaction.
//!
//! ```text
//! reserve credit -> descend, latch the leaf -> room? no: let go, split, again
//!                                           -> latch the extra pages by rising id -> the caller's closure -> append
//! ```

use crate::descent::{Held, Landing, Unposted};
use crate::edit::{self, Fits};
use crate::error::TreeError;
use crate::layout::{CAPACITY, MAX_KEY_BYTES, MAX_VALUE_BYTES, SMALL_COMPACT_LOG};
use crate::tree::Tree;
use crate::view::{Latched, Target};
use buffer_pool::{ExclusiveGuard, Finished, Mtr, MtrKind, PageNo, PinnedPage, PoolError};
use protocol::contract::Credit;
use protocol::{Lsn, PageId};

/// What a closure decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision<R> {
    /// Log what was changed (if anything was).
    Done(R),
    /// Change nothing. Must be decided before the first change.
    Abort(R),
}

/// A result, and the LSN of the mini-transaction that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changed<R> {
    /// What the closure returned.
    pub value: R,
    /// The CPL; zero when nothing was logged.
    pub lsn: Lsn,
}

/// What a change may need at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Room {
    /// The longest value the closure may insert or replace with; 0 also when it only patches or deletes.
    pub value_bytes: usize,
    /// Redo of the extra pages: operations and record headers (56 bytes a page).
    pub log_bytes: usize,
}

/// The entry before or after the place of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Neighbour {
    /// Its key, on the same leaf.
    Entry(Vec<u8>),
    /// None on this leaf; the nearest one lies on another.
    PageEnd,
    /// None at all on that side.
    TreeEnd,
}

/// The leaf of a key, latched exclusively, with the extra pages.
pub struct LeafEdit<'a, 'p> {
    mtr: &'a mut Mtr<'p>,
    leaf: PageNo,
    key: &'a [u8],
    found: Result<usize, usize>,
    value_bytes: usize,
}

impl<'p> LeafEdit<'_, 'p> {
    fn view(&self) -> Latched<'_> {
        edit::view(self.mtr, self.leaf)
    }

    fn index(&self) -> usize {
        self.found.expect("invariant: the caller checked that the entry is there")
    }

    /// The value of the entry with the key, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.found.ok().map(|index| self.view().value(index))
    }

    /// The nearest smaller entry.
    #[must_use]
    pub fn previous(&self) -> Neighbour {
        let (Ok(at) | Err(at)) = self.found;
        match at.checked_sub(1) {
            Some(at) => Neighbour::Entry(self.view().key(at)),
            None if self.view().low().is_empty() => Neighbour::TreeEnd,
            None => Neighbour::PageEnd,
        }
    }

    /// The nearest greater entry.
    #[must_use]
    pub fn next(&self) -> Neighbour {
        let at = match self.found {
            Ok(at) => at + 1,
            Err(at) => at,
        };
        if at < self.view().count() {
            Neighbour::Entry(self.view().key(at))
        } else if self.view().high().is_none() {
            Neighbour::TreeEnd
        } else {
            Neighbour::PageEnd
        }
    }

    /// The leaf's hint: the highest the engine gave it.
    #[must_use]
    pub fn hint(&self) -> u64 {
        self.view().hint()
    }

    /// Raises the leaf's hint; a lower one changes nothing.
    pub fn raise_hint(&mut self, hint: u64) {
        edit::raise_hint(self.mtr, self.leaf, hint);
    }

    /// Adds the entry.
    ///
    /// # Panics
    /// When it is there, or the value is longer than the room asked for.
    pub fn insert(&mut self, value: &[u8]) {
        let at = self.found.expect_err("invariant: the caller checked that the entry is not there");
        assert!(value.len() <= self.value_bytes, "{} bytes in room for {}", value.len(), self.value_bytes);
        edit::insert(self.mtr, self.leaf, at, self.key, value);
        self.found = Ok(at);
    }

    /// Gives the entry another value.
    ///
    /// # Panics
    /// When it is not there, or the value is longer than both the old one and the room asked for.
    pub fn replace(&mut self, value: &[u8]) {
        let index = self.index();
        let old = self.view().value(index).len();
        assert!(
            value.len() <= self.value_bytes.max(old),
            "{} bytes in room for {}",
            value.len(),
            self.value_bytes
        );
        edit::replace(self.mtr, self.leaf, index, value);
    }

    /// Overwrites bytes of the value from `offset` on; the length stays.
    ///
    /// # Panics
    /// When there is no entry or the bytes reach past its value.
    pub fn patch(&mut self, offset: usize, bytes: &[u8]) {
        let (at, len) = self.view().value_at(self.index());
        assert!(offset + bytes.len() <= len, "patch of {offset}+{} in a value of {len}", bytes.len());
        edit::patch(self.mtr, self.leaf, at + offset, bytes);
    }

    /// Removes the entry.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&mut self) {
        let index = self.index();
        edit::remove(self.mtr, self.leaf, index);
        self.found = Err(index);
    }

    /// The mini-transaction, for the extra pages.
    pub fn mtr(&mut self) -> &mut Mtr<'p> {
        self.mtr
    }
}

/// Latches pages of no tree by rising id, whatever order they are given in (crate invariant 3).
pub(crate) fn latch_extra<'p>(mtr: &mut Mtr<'p>, extra: &[&'p PinnedPage]) -> Result<(), PoolError> {
    let mut done: Option<PageId> = None;
    loop {
        let next = extra.iter().filter(|p| done.is_none_or(|d| p.page_id() > d)).min_by_key(|p| p.page_id());
        let Some(page) = next else { return Ok(()) };
        mtr.latch(page)?;
        done = Some(page.page_id());
    }
}

/// What one try of a change came to.
enum Attempt<R> {
    Done { value: R, finished: Finished, unposted: Option<Unposted>, underfull: bool },
    Miss(PageId, Credit),
    Full,
}

impl Tree {
    /// Changes the entry of `key`, or only pages beside it.
    ///
    /// `change` sees the leaf and the `extra` pages (undo, transaction table, maps of reserved pages) under exclusive latches,
    /// and may be called again until it returns `Done` or `Abort`; so it must not remember what it saw in a try that was
    /// never finished. What it writes through [`LeafEdit`] and its `mtr` is one mini-transaction.
    ///
    /// # Errors
    /// Those of the pool, too long keys or values, and [`TreeError::Gone`].
    pub async fn modify<R>(
        &self,
        key: &[u8],
        room: Room,
        extra: &[&PinnedPage],
        mut change: impl FnMut(&mut LeafEdit<'_, '_>) -> Decision<R>,
    ) -> Result<Changed<R>, TreeError> {
        check_lengths(key, room.value_bytes)?;
        // The entry written anew, patches of an old value, and a small compaction it may take to fit.
        let log_bytes =
            512 + key.len() + room.value_bytes + MAX_VALUE_BYTES + SMALL_COMPACT_LOG + room.log_bytes;
        let mut held = None;
        let mut credit = None;
        loop {
            let now = match credit.take() {
                Some(credit) => credit,
                None => self.pool().reserve(log_bytes).await?,
            };
            match self.try_modify(key, room, extra, now, &mut change)? {
                Attempt::Done { value, finished, unposted, underfull } => {
                    let lsn = finished.lsn;
                    self.space().after(finished);
                    if let Some(unposted) = unposted {
                        self.post(unposted).await?;
                    }
                    if underfull {
                        self.merge(0, key).await?;
                    }
                    return Ok(Changed { value, lsn });
                }
                Attempt::Miss(page, unused) => {
                    held.get_or_insert_with(Held::default).fetch(self.pool(), page).await?;
                    credit = Some(unused);
                }
                Attempt::Full => self.split(0, key, room.value_bytes).await?,
            }
        }
    }

    fn try_modify<R>(
        &self,
        key: &[u8],
        room: Room,
        extra: &[&PinnedPage],
        credit: Credit,
        change: &mut impl FnMut(&mut LeafEdit<'_, '_>) -> Decision<R>,
    ) -> Result<Attempt<R>, TreeError> {
        let (guard, unposted) = match self.land::<ExclusiveGuard<'_>>(Target::At(key), 0)? {
            Landing::Page { guard, unposted, .. } => (guard, unposted),
            Landing::Miss(page) => return Ok(Attempt::Miss(page, credit)),
            Landing::NoLevel => return Err(TreeError::Gone { root: self.root_id() }),
        };
        let mut mtr = self.pool().begin(MtrKind::LeafChange, credit);
        let leaf = mtr.adopt(guard);
        let view = edit::view(&mtr, leaf);
        let found = view.search(key);
        let live = view.live();
        let fits = match found {
            Ok(index) => edit::fits_replace(view, index, room.value_bytes),
            Err(_) => edit::fits(view, key, room.value_bytes),
        };
        if fits != Fits::Now {
            return Ok(Attempt::Full);
        }
        latch_extra(&mut mtr, extra)?;
        let mut edit = LeafEdit { mtr: &mut mtr, leaf, key, found, value_bytes: room.value_bytes };
        match change(&mut edit) {
            Decision::Done(value) => {
                let now = edit::view(&mtr, leaf);
                let underfull =
                    now.live() < live && self.wants_merge(live, now) && mtr.page_id(leaf) != self.root_id();
                Ok(Attempt::Done { value, finished: mtr.finish()?, unposted, underfull })
            }
            Decision::Abort(value) => {
                assert!(!mtr.is_changed(), "a change was aborted after its first write");
                let finished = mtr.finish()?;
                Ok(Attempt::Done { value, finished, unposted: None, underfull: false })
            }
        }
    }

    /// Whether a page that just shrank from `before` is worth a try to merge: not each time, lest neighbours that are too
    /// full are asked again and again.
    pub(crate) fn wants_merge(&self, before: usize, now: Latched<'_>) -> bool {
        let quarter = CAPACITY / 4;
        now.live() < quarter && (before >= quarter || now.count().is_multiple_of(8))
    }
}

pub(crate) fn check_lengths(key: &[u8], value: usize) -> Result<(), TreeError> {
    if key.len() > MAX_KEY_BYTES {
        return Err(TreeError::KeyTooLong { len: key.len(), max: MAX_KEY_BYTES });
    }
    if value > MAX_VALUE_BYTES {
        return Err(TreeError::ValueTooLong { len: value, max: MAX_VALUE_BYTES });
    }
    Ok(())
}
