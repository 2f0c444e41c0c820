//! Estimates for the planner: how many entries and leaves a range has, from two descents.

use crate::descent::Held;
use crate::error::TreeError;
use crate::tree::Tree;
use crate::view::{Fit, Target, View};
use protocol::PageId;
use std::ops::Bound;

/// About how much lies in a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Estimate {
    /// Entries.
    pub entries: u64,
    /// Leaves.
    pub pages: u64,
}

/// Where a descent went through one level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pass {
    page: PageId,
    index: usize,
    count: usize,
}

enum Path {
    Passes(Vec<Pass>),
    Miss(PageId),
    Again,
}

impl Tree {
    /// Estimates a range; exact when it lies on one leaf.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn estimate_range(
        &self,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<Estimate, TreeError> {
        let low = match lower {
            Bound::Unbounded => Target::At(&[]),
            Bound::Included(key) | Bound::Excluded(key) => Target::At(key),
        };
        let high = match upper {
            Bound::Unbounded => Target::End,
            Bound::Included(key) | Bound::Excluded(key) => Target::At(key),
        };
        let first = self.path(low, matches!(lower, Bound::Excluded(_))).await?;
        let last = self.path(high, matches!(upper, Bound::Included(_))).await?;
        Ok(between(&first, &last))
    }

    /// From the root to the leaf; `past` counts an equal entry as passed.
    async fn path(&self, target: Target<'_>, past: bool) -> Result<Vec<Pass>, TreeError> {
        let mut held = Held::default();
        loop {
            match self.try_path(target, past)? {
                Path::Passes(passes) => return Ok(passes),
                Path::Miss(page) => held.fetch(self.pool(), page).await?,
                Path::Again => {}
            }
        }
    }

    fn try_path(&self, target: Target<'_>, past: bool) -> Result<Path, TreeError> {
        let mut passes = Vec::new();
        let (mut page, mut level) = (self.root_id(), None);
        loop {
            let Some(guard) = self.pool().try_shared(page)? else { return Ok(Path::Miss(page)) };
            let view = View(guard.bytes());
            let at = level.unwrap_or_else(|| view.level());
            match view.fit(self.id(), at, target) {
                Fit::Lost if level.is_none() => return Err(TreeError::Gone { root: page }),
                Fit::Lost => return Ok(Path::Again),
                Fit::Right(right) => {
                    page = right;
                    continue;
                }
                Fit::Here => {}
            }
            let count = view.count();
            if at == 0 {
                let index = match target {
                    Target::At(key) => match view.search(key) {
                        Ok(index) => index + usize::from(past),
                        Err(index) => index,
                    },
                    _ => count,
                };
                passes.push(Pass { page, index, count });
                return Ok(Path::Passes(passes));
            }
            let index = view.child_index(target);
            passes.push(Pass { page, index, count });
            (page, level) = (view.child(index), Some(at - 1));
        }
    }
}

/// Follows both paths down: exact while they share pages, then by the pages seen.
fn between(first: &[Pass], last: &[Pass]) -> Estimate {
    if first.len() != last.len() {
        // The tree grew in between; the next estimate will be better.
        return Estimate { entries: 1, pages: 1 };
    }
    // Children strictly between the two paths on the level reached so far.
    let mut inner = 0u64;
    let mut apart = false;
    for (at, (a, b)) in first.iter().zip(last).enumerate() {
        let leaf = at + 1 == first.len();
        if !apart && a.page == b.page {
            if leaf {
                return Estimate { entries: b.index.saturating_sub(a.index) as u64, pages: 1 };
            }
            apart = a.index != b.index;
            inner = (b.index.saturating_sub(a.index) as u64).saturating_sub(1);
            continue;
        }
        apart = true;
        let average = (a.count + b.count).div_ceil(2) as u64;
        if leaf {
            let entries = inner * average + (a.count.saturating_sub(a.index) + b.index) as u64;
            return Estimate { entries, pages: inner + 2 };
        }
        inner = inner * average + (a.count.saturating_sub(a.index + 1) + b.index) as u64;
    }
    Estimate::default()
}
