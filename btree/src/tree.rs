//! A tree: its handle, point reads, first and last.

use crate::batch::Batch;
use crate::cursor::{Direction, KeyBuf, span};
use crate::descent::{Held, Landing};
use crate::error::TreeError;
use crate::space::{OwnerId, Space};
use crate::view::{Latched, Target, View};
use buffer_pool::{BufferPool, FrameHint, SharedGuard};
use protocol::PageId;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

/// One B-link tree. A handle keeps nothing in memory (there may be very many), but knows which frame the root was in: share it,
/// do not open a tree for each statement.
pub struct Tree {
    space: Arc<Space>,
    root: PageId,
    hint: FrameHint,
    id: u64,
}

/// The answer of a read that does not wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe<R> {
    /// Done.
    Ready(R),
    /// This page must be fetched first.
    Miss(PageId),
}

/// The place of a key on its leaf, under a shared latch.
#[derive(Clone, Copy)]
pub struct Spot<'a> {
    view: Latched<'a>,
    found: Result<usize, usize>,
}

impl Spot<'_> {
    /// The value of the entry, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.found.ok().map(|index| self.view.value(index))
    }

    /// The keys between the neighbours on this leaf (or its fences): `from <= key < to`.
    pub fn gap<R>(&self, with: impl FnOnce(&[u8], Option<&[u8]>) -> R) -> R {
        let seen = match self.found {
            Ok(at) => at..at + 1,
            Err(at) => at..at,
        };
        let (mut from, mut to) = (KeyBuf::new(), KeyBuf::new());
        let bounded = span(self.view, seen, (true, true), &mut from, &mut to);
        with(&from, bounded.then_some(to.as_slice()))
    }
}

impl Tree {
    pub(crate) fn of(space: Arc<Space>, root: PageId, id: u64) -> Arc<Tree> {
        Arc::new(Tree { space, root, hint: FrameHint::default(), id })
    }

    /// Opens the tree whose root page is `root`.
    ///
    /// # Errors
    /// [`TreeError::Gone`] when no tree has its root there, and those of the pool.
    pub async fn open(space: &Arc<Space>, root: PageId) -> Result<Arc<Tree>, TreeError> {
        let pin = space.pool().pin(root).await?;
        let id = pin.read(|bytes| {
            let view = View(bytes);
            let is_root = protocol::page::kind(bytes) == Some(protocol::PageKind::Tree) && view.extents() > 0;
            is_root.then(|| view.tree())
        })?;
        let id = id.ok_or(TreeError::Gone { root })?;
        space.know_root(OwnerId(id), root);
        Ok(Tree::of(Arc::clone(space), root, id))
    }

    /// The tree's id; also the owner of its pages.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The root page; it never changes.
    #[must_use]
    pub fn root_id(&self) -> PageId {
        self.root
    }

    /// Where the tree's pages come from.
    #[must_use]
    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub(crate) fn owner(&self) -> OwnerId {
        OwnerId(self.id)
    }

    pub(crate) fn root_hint(&self) -> &FrameHint {
        &self.hint
    }

    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        self.space.pool()
    }

    /// Reads the entry of `key` without waiting. `look` sees its value, or `None`; it runs under a shared latch.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Gone`].
    pub fn try_get<R>(
        &self,
        key: &[u8],
        look: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<Probe<R>, TreeError> {
        match self.land::<SharedGuard<'_>>(Target::At(key), 0)? {
            Landing::Page { guard, .. } => {
                let view = View(guard.bytes());
                Ok(Probe::Ready(look(view.search(key).ok().map(|index| view.value(index)))))
            }
            Landing::Miss(page) => Ok(Probe::Miss(page)),
            Landing::NoLevel => Err(TreeError::Gone { root: self.root_id() }),
        }
    }

    /// Reads the entry of `key`; on a hit it completes at its first poll. `look` runs under a shared latch, and again
    /// only if nothing was returned before.
    ///
    /// # Errors
    /// As [`try_get`](Self::try_get).
    pub async fn get<R>(&self, key: &[u8], mut look: impl FnMut(&[u8]) -> R) -> Result<Option<R>, TreeError> {
        let mut held = None;
        loop {
            match self.try_get(key, |value| value.map(&mut look))? {
                Probe::Ready(found) => return Ok(found),
                Probe::Miss(page) => held.get_or_insert_with(Held::default).fetch(self.pool(), page).await?,
            }
        }
    }

    /// Looks at the place of a key, whether there is an entry or not; as [`get`](Self::get) otherwise.
    ///
    /// # Errors
    /// As [`try_get`](Self::try_get).
    pub async fn spot<R>(&self, key: &[u8], mut look: impl FnMut(Spot<'_>) -> R) -> Result<R, TreeError> {
        let mut held = None;
        loop {
            let miss = match self.land::<SharedGuard<'_>>(Target::At(key), 0)? {
                Landing::Page { guard, .. } => {
                    let view = View(guard.bytes());
                    return Ok(look(Spot { view, found: view.search(key) }));
                }
                Landing::Miss(page) => page,
                Landing::NoLevel => return Err(TreeError::Gone { root: self.root_id() }),
            };
            held.get_or_insert_with(Held::default).fetch(self.pool(), miss).await?;
        }
    }

    /// The first entry.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn first(self: &Arc<Self>) -> Result<Option<(Vec<u8>, Vec<u8>)>, TreeError> {
        self.end(Direction::Forward).await
    }

    /// The last entry.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn last(self: &Arc<Self>) -> Result<Option<(Vec<u8>, Vec<u8>)>, TreeError> {
        self.end(Direction::Backward).await
    }

    async fn end(self: &Arc<Self>, direction: Direction) -> Result<Option<(Vec<u8>, Vec<u8>)>, TreeError> {
        let mut batch = Batch::default();
        self.cursor(Bound::Unbounded, Bound::Unbounded, direction).next_batch(&mut batch, 1).await?;
        Ok(batch.iter().next().map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} at {:?})", self.id, self.root_id())
    }
}
