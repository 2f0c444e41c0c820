//! Scans: leaf by leaf, one shared latch at a time, nothing held in between but a key.
//!
//! A cursor resumes by key, so splits, merges and evictions between two batches do not matter. It remembers the leaf it
//! expects to go on with; if that page still fits, no descent is needed.

use crate::batch::Batch;
use crate::descent::{Held, Landing};
use crate::error::TreeError;
use crate::tree::Tree;
use crate::view::{Fit, Latched, Target, View};
use buffer_pool::SharedGuard;
use protocol::PageId;
use smallvec::SmallVec;
use std::ops::{Bound, Range};
use std::sync::Arc;

/// A key kept: in place when it is short.
pub(crate) type KeyBuf = SmallVec<[u8; 32]>;

/// Which way a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Rising keys.
    Forward,
    /// Falling keys.
    Backward,
}

/// Where a scan goes on.
#[derive(Clone, Debug)]
enum At {
    /// The outermost end.
    End,
    /// A key, itself included or not.
    Key { key: KeyBuf, inclusive: bool },
    /// Nothing is left.
    Over,
}

/// A scan over a range of keys.
pub struct Cursor {
    tree: Arc<Tree>,
    direction: Direction,
    /// Where the scan ends.
    far: Bound<KeyBuf>,
    at: At,
    /// The leaf to try before a descent.
    leaf: Option<PageId>,
}

/// What one leaf contributed to a scan: the range of keys whose entries on it were all seen, from the entry before the first one to the
/// one after the last (or to the leaf's fences). Half open: `from <= key < to`; no `to`: to the end of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// The least key covered.
    pub from: &'a [u8],
    /// The least key beyond.
    pub to: Option<&'a [u8]>,
    /// The first and the last entry copied, in scan order, if any.
    pub ends: Option<(&'a [u8], &'a [u8])>,
}

/// Told of each leaf under its latch.
type Watch<'w> = &'w mut (dyn FnMut(Covered<'_>) + Send);

enum Fill {
    /// A leaf was read; more may follow.
    Leaf,
    Over,
    Miss(PageId),
}

impl Tree {
    /// A scan of the keys within the bounds. Nothing is read yet.
    #[must_use]
    pub fn cursor(
        self: &Arc<Self>,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Cursor {
        let (near, far) = match direction {
            Direction::Forward => (lower, upper),
            Direction::Backward => (upper, lower),
        };
        let at = match near {
            Bound::Unbounded => At::End,
            Bound::Included(key) => At::Key { key: KeyBuf::from_slice(key), inclusive: true },
            Bound::Excluded(key) => At::Key { key: KeyBuf::from_slice(key), inclusive: false },
        };
        Cursor { tree: Arc::clone(self), direction, far: far.map(KeyBuf::from_slice), at, leaf: None }
    }
}

impl Cursor {
    /// Appends up to `max` more entries to `batch` (which it does not clear), as they are now. Returns `false` once the range
    /// is exhausted.
    ///
    /// # Errors
    /// Those of the pool, and [`TreeError::Gone`].
    pub async fn next_batch(&mut self, batch: &mut Batch, max: usize) -> Result<bool, TreeError> {
        self.next_watched(batch, max, &mut None).await
    }

    /// As [`next_batch`](Self::next_batch); `watch` is told, under the latch of each leaf, which keys were seen whole. Whoever inserts
    /// among them later latches the leaf after it.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub async fn next_batch_with(
        &mut self,
        batch: &mut Batch,
        max: usize,
        mut watch: impl FnMut(Covered<'_>) + Send,
    ) -> Result<bool, TreeError> {
        self.next_watched(batch, max, &mut Some(&mut watch)).await
    }

    async fn next_watched(
        &mut self,
        batch: &mut Batch,
        max: usize,
        watch: &mut Option<Watch<'_>>,
    ) -> Result<bool, TreeError> {
        let goal = batch.len() + max;
        let mut held = None;
        while batch.len() < goal {
            match self.fill(batch, goal, watch)? {
                Fill::Leaf => {}
                Fill::Over => return Ok(false),
                // What is there already need not wait for what is not.
                Fill::Miss(_) if batch.len() + max > goal => return Ok(true),
                Fill::Miss(page) => {
                    held.get_or_insert_with(Held::default).fetch(self.tree.pool(), page).await?;
                }
            }
        }
        Ok(!matches!(self.at, At::Over))
    }

    /// Copies from one leaf; moves `at` behind what was copied.
    fn fill(
        &mut self,
        batch: &mut Batch,
        goal: usize,
        watch: &mut Option<Watch<'_>>,
    ) -> Result<Fill, TreeError> {
        let tree = Arc::clone(&self.tree);
        let target = match (&self.at, self.direction) {
            (At::Over, _) => return Ok(Fill::Over),
            (At::End, Direction::Forward) => Target::At(&[]),
            (At::End, Direction::Backward) => Target::End,
            (At::Key { key, inclusive: false }, Direction::Backward) => {
                if key.is_empty() {
                    self.at = At::Over;
                    return Ok(Fill::Over);
                }
                Target::Below(key)
            }
            (At::Key { key, .. }, _) => Target::At(key),
        };
        let (guard, page) = match self.expected(&tree, target)? {
            Some(found) => found,
            None => match tree.land::<SharedGuard<'_>>(target, 0)? {
                Landing::Page { guard, page, .. } => (guard, page),
                Landing::Miss(page) => return Ok(Fill::Miss(page)),
                Landing::NoLevel => return Err(TreeError::Gone { root: tree.root_id() }),
            },
        };
        let view = View(guard.bytes());
        batch.raise_hint(view.hint());
        let next = match self.direction {
            Direction::Forward => self.forward(view, target, batch, goal, watch),
            Direction::Backward => self.backward(view, target, batch, goal, watch),
        };
        match next {
            Some((at, leaf)) => {
                self.at = at;
                self.leaf = Some(leaf.unwrap_or(page));
                Ok(Fill::Leaf)
            }
            None => {
                self.at = At::Over;
                Ok(Fill::Over)
            }
        }
    }

    /// The leaf remembered, if it is in memory and the right one.
    fn expected<'t>(
        &self,
        tree: &'t Tree,
        target: Target<'_>,
    ) -> Result<Option<(SharedGuard<'t>, PageId)>, TreeError> {
        let Some(page) = self.leaf else { return Ok(None) };
        let Some(guard) = tree.pool().try_shared(page)? else { return Ok(None) };
        let fits = View(guard.bytes()).fit(tree.id(), 0, target) == Fit::Here;
        Ok(fits.then_some((guard, page)))
    }

    /// Copies from `target` on; where to go on and with which leaf (`None`: this one), or nothing when the range is over.
    fn forward(
        &self,
        view: Latched<'_>,
        target: Target<'_>,
        batch: &mut Batch,
        goal: usize,
        watch: &mut Option<Watch<'_>>,
    ) -> Option<(At, Option<PageId>)> {
        let inclusive = !matches!(self.at, At::Key { inclusive: false, .. });
        let mut index = match target {
            Target::At(key) => match view.search(key) {
                Ok(at) if !inclusive => at + 1,
                Ok(at) | Err(at) => at,
            },
            _ => 0,
        };
        let whole = match (&self.far, view.high()) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(far) | Bound::Excluded(far), Some(high)) => high <= far.as_slice(),
            _ => false,
        };
        let first = index;
        let mut over = false;
        while index < view.count() && batch.len() < goal {
            batch.push(|out| view.push_key(index, out), view.value(index));
            if !whole && !self.within(batch.key(batch.len() - 1)) {
                batch.pop();
                over = true;
                break;
            }
            index += 1;
        }
        if let Some(watch) = watch {
            let ends = batch.ends(index - first);
            tell(*watch, view, first..index, (true, over || index == view.count()), ends);
        }
        if over {
            return None;
        }
        if index < view.count() {
            return Some((after(batch), None));
        }
        let high = view.high()?;
        if !whole && !self.within(high) {
            return None;
        }
        Some((At::Key { key: KeyBuf::from_slice(high), inclusive: true }, Some(view.right())))
    }

    /// As [`forward`](Self::forward), the other way.
    fn backward(
        &self,
        view: Latched<'_>,
        target: Target<'_>,
        batch: &mut Batch,
        goal: usize,
        watch: &mut Option<Watch<'_>>,
    ) -> Option<(At, Option<PageId>)> {
        let mut index = match target {
            Target::At(key) => match view.search(key) {
                Ok(at) => at + 1,
                Err(at) => at,
            },
            _ => view.place(target),
        };
        let whole = match &self.far {
            Bound::Unbounded => true,
            Bound::Included(far) | Bound::Excluded(far) => view.low() > far.as_slice(),
        };
        let (end, mut over) = (index, false);
        while index > 0 && batch.len() < goal {
            batch.push(|out| view.push_key(index - 1, out), view.value(index - 1));
            if !whole && !self.within(batch.key(batch.len() - 1)) {
                batch.pop();
                over = true;
                break;
            }
            index -= 1;
        }
        if let Some(watch) = watch {
            let ends = batch.ends(end - index);
            tell(*watch, view, index..end, (over || index == 0, true), ends);
        }
        if over {
            return None;
        }
        if index > 0 {
            return Some((after(batch), None));
        }
        // Below the low fence there is more only if the fence itself lies above the far bound.
        let low = view.low();
        (whole && !low.is_empty()).then(|| (At::Key { key: KeyBuf::from_slice(low), inclusive: false }, None))
    }

    /// True when `key` has not passed the far bound.
    fn within(&self, key: &[u8]) -> bool {
        match (&self.far, self.direction) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(far), Direction::Forward) => key <= far.as_slice(),
            (Bound::Excluded(far), Direction::Forward) => key < far.as_slice(),
            (Bound::Included(far), Direction::Backward) => key >= far.as_slice(),
            (Bound::Excluded(far), Direction::Backward) => key > far.as_slice(),
        }
    }
}

/// The keys between the neighbours of a run of entries: `open` says at which end the neighbour (or the leaf's fence) bounds it, and not
/// the run's own last entry.
pub(crate) fn span(
    view: Latched<'_>,
    seen: Range<usize>,
    open: (bool, bool),
    from: &mut KeyBuf,
    to: &mut KeyBuf,
) -> bool {
    let mut key = Vec::new();
    let mut put = |out: &mut KeyBuf, index: usize, behind: bool| {
        key.clear();
        view.push_key(index, &mut key);
        out.extend_from_slice(&key);
        if behind {
            out.push(0);
        }
    };
    match (open.0, seen.start) {
        (false, start) => put(from, start, false),
        (true, 0) => from.extend_from_slice(view.low()),
        (true, start) => put(from, start - 1, true),
    }
    match (open.1, seen.end) {
        (false, end) => put(to, end - 1, true),
        (true, end) if end < view.count() => put(to, end, false),
        (true, _) => match view.high() {
            Some(high) => to.extend_from_slice(high),
            None => return false,
        },
    }
    true
}

fn tell(
    watch: Watch<'_>,
    view: Latched<'_>,
    seen: Range<usize>,
    open: (bool, bool),
    ends: Option<(&[u8], &[u8])>,
) {
    let (mut from, mut to) = (KeyBuf::new(), KeyBuf::new());
    let bounded = span(view, seen, open, &mut from, &mut to);
    watch(Covered { from: &from, to: bounded.then_some(to.as_slice()), ends });
}

/// Behind the last entry copied.
fn after(batch: &Batch) -> At {
    match batch.len().checked_sub(1) {
        Some(last) => At::Key { key: KeyBuf::from_slice(batch.key(last)), inclusive: false },
        None => At::Over,
    }
}
