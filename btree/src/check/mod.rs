//! The tree check: everything the format promises, told in full, on a tree that nobody changes meanwhile.
//!
//! Per page (module `page`): header, order, fences, prefix, hints, heap accounting. Per level: the chain of right links
//! covers the whole key range without gap or overlap. Between levels: every child a parent names is in the chain with the
//! low fence the parent says (a page in the chain that no parent names was split and not posted: allowed). Space: exactly
//! the reachable pages are marked used. Images: what storage serves is sealed and equals memory.

mod page;
mod volume;

pub use volume::check_volume;

use crate::error::TreeError;
use crate::overflow;
use crate::space::{EXTENT_PAGES, first_page};
use crate::tree::Tree;
use crate::view::View;
use protocol::{PAGE_BYTES, PageId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Where.
    pub page: PageId,
    /// What is wrong, for people.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}: {}", self.page, self.what)
    }
}

/// Collects findings and what was reached.
struct Checker<'t> {
    tree: &'t Tree,
    findings: Vec<Finding>,
    reached: BTreeSet<PageId>,
}

/// A level's pages by low fence, and the children they name.
#[derive(Default)]
struct Level {
    lows: BTreeMap<PageId, Vec<u8>>,
    children: Vec<(PageId, Vec<u8>, PageId)>,
    first_child: Option<PageId>,
}

impl Tree {
    /// Checks the whole tree; an empty answer means it is whole. `chains` is given each leaf entry and names the first pages of
    /// the overflow chains its value refers to. Nobody may change the tree meanwhile.
    ///
    /// # Errors
    /// Those of the pool; a corrupt page is a finding, not an error.
    pub async fn check(
        &self,
        mut chains: impl FnMut(&[u8], &[u8], &mut Vec<PageId>),
    ) -> Result<Vec<Finding>, TreeError> {
        let mut checker = Checker { tree: self, findings: Vec::new(), reached: BTreeSet::new() };
        let root = checker.image(self.root_id()).await?;
        let top = View(&*root).level();
        if View(&*root).right() != PageId(0) || !View(&*root).low().is_empty() {
            checker.find(self.root_id(), "the root does not cover all keys");
        }
        let mut firsts = Vec::new();
        let mut above: Option<Level> = None;
        for level in (0..=top).rev() {
            let start = match &above {
                None => self.root_id(),
                Some(above) => match above.first_child {
                    Some(child) => child,
                    None => break,
                },
            };
            let this = checker.level(start, level, &mut |key, value| chains(key, value, &mut firsts)).await?;
            if let Some(above) = above {
                for (parent, low, child) in &above.children {
                    match this.lows.get(child) {
                        None => checker.find(*parent, format!("child {child} is not on the level below")),
                        Some(found) if found != low => {
                            checker
                                .find(*parent, format!("child {child} has another low fence than its entry"));
                        }
                        Some(_) => {}
                    }
                }
            }
            above = Some(this);
        }
        checker.chains(firsts).await?;
        checker.space().await?;
        Ok(checker.findings)
    }
}

impl Checker<'_> {
    fn find(&mut self, page: PageId, what: impl Into<String>) {
        self.findings.push(Finding { page, what: what.into() });
    }

    /// A copy of a page, after comparing memory with what storage serves.
    async fn image(&mut self, page: PageId) -> Result<Box<[u8; PAGE_BYTES]>, TreeError> {
        let pin = self.tree.pool().pin(page).await?;
        if let Some(what) = self.tree.pool().audit(&pin).await? {
            self.find(page, what);
        }
        Ok(pin.read(|bytes| Box::new(*bytes))?)
    }

    /// Follows one level from its first page to its last.
    async fn level(
        &mut self,
        start: PageId,
        level: u8,
        leaf: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<Level, TreeError> {
        let mut this = Level::default();
        let mut at = start;
        let mut low = Vec::new();
        loop {
            if !self.reached.insert(at) {
                self.find(at, "reached twice");
                return Ok(this);
            }
            let image = self.image(at).await?;
            let view = View(&*image);
            let mut wrong = Vec::new();
            page::check(&image, self.tree.id(), level, &mut wrong);
            let whole = wrong.is_empty();
            wrong.into_iter().for_each(|what| self.find(at, what));
            if protocol::page::id(&image) != at {
                self.find(at, "the header names another page");
            }
            if view.low() != low {
                self.find(at, "the low fence is not the left neighbour's high fence");
            }
            if !whole {
                // Offsets cannot be trusted; what hangs below is not followed.
                return Ok(this);
            }
            this.lows.insert(at, view.low().to_vec());
            for index in 0..view.count() {
                if level == 0 {
                    leaf(&view.key(index), view.value(index));
                } else {
                    this.first_child.get_or_insert(view.child(index));
                    this.children.push((at, view.key(index), view.child(index)));
                }
            }
            match (view.high(), view.right()) {
                (None, PageId(0)) => return Ok(this),
                (Some(high), right) if right != PageId(0) => {
                    low = high.to_vec();
                    at = right;
                }
                _ => {
                    self.find(at, "right link and high fence disagree");
                    return Ok(this);
                }
            }
        }
    }

    async fn chains(&mut self, firsts: Vec<PageId>) -> Result<(), TreeError> {
        for first in firsts {
            match overflow::pages(self.tree.pool(), first).await {
                Ok(pages) => {
                    for page in pages {
                        if !self.reached.insert(page) {
                            self.find(page, "reached twice");
                        }
                    }
                }
                Err(TreeError::Corrupt { page, what }) => self.find(page, what),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Compares what was reached with what the maps say.
    async fn space(&mut self) -> Result<(), TreeError> {
        let root = self.tree.pool().pin(self.tree.root_id()).await?;
        let head = root.read(|bytes| View(bytes).extents())?;
        let extents = match self.tree.space().extents(self.tree.owner(), head).await {
            Ok(extents) => extents,
            Err(TreeError::Corrupt { page, what }) => {
                self.find(page, what);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let used: BTreeSet<PageId> = extents
            .iter()
            .flat_map(|&(extent, used)| {
                (0..EXTENT_PAGES)
                    .filter(move |i| used >> i & 1 == 1)
                    .map(move |i| PageId(first_page(extent).0 + i))
            })
            .collect();
        let lost: Vec<PageId> = used.difference(&self.reached).copied().collect();
        let unmarked: Vec<PageId> = self.reached.difference(&used).copied().collect();
        lost.into_iter().for_each(|page| self.find(page, "marked used, but nothing refers to it"));
        unmarked.into_iter().for_each(|page| self.find(page, "in use, but not marked used for this tree"));
        Ok(())
    }
}
