//! Making a tree: planned in memory, then written in one mini-transaction.

use crate::build::{self, Entries, Plan};
use crate::error::TreeError;
use crate::layout::COMPACT_LOG;
use crate::space::map::{self, Entry};
use crate::space::owner::{OwnerId, Walk};
use crate::space::volume::{self, VolumeView};
use crate::space::{EXTENT_PAGES, Space, first_page, map_page};
use crate::tree::Tree;
use buffer_pool::MtrKind;
use protocol::{Lsn, PageId};
use std::sync::Arc;

/// A tree to be made: its id and root are known, nothing is written. Dropped, both are forgotten.
#[derive(Debug)]
pub struct TreePlan {
    space: Arc<Space>,
    tree_id: u64,
    extent: u64,
    made: bool,
}

impl TreePlan {
    /// The id the tree will have.
    #[must_use]
    pub fn tree_id(&self) -> u64 {
        self.tree_id
    }

    /// The root page the tree will have.
    #[must_use]
    pub fn root(&self) -> PageId {
        first_page(self.extent)
    }
}

impl Drop for TreePlan {
    fn drop(&mut self) {
        let mut state = self.space.state.lock();
        state.planned.remove(&self.extent);
        if !self.made {
            state.free.insert(self.extent, Lsn::ZERO);
        }
    }
}

impl Space {
    /// Reserves id and root of a tree to be made. Nothing is written: log both where a crash finds them first.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn plan_tree(self: &Arc<Self>) -> Result<TreePlan, TreeError> {
        let _turn = self.growing.take().await;
        let extent = self.free_extent().await?;
        let mut state = self.state.lock();
        state.planned.insert(extent);
        let tree_id = state.next_tree;
        state.next_tree += 1;
        drop(state);
        Ok(TreePlan { space: Arc::clone(self), tree_id, extent, made: false })
    }
}

impl Tree {
    /// Makes the tree that was planned: its root, an empty leaf, is the first page of its first extent.
    ///
    /// # Errors
    /// Those of the pool.
    pub async fn create(space: &Arc<Space>, mut plan: TreePlan) -> Result<Arc<Tree>, TreeError> {
        let (extent, id) = (plan.extent, plan.tree_id);
        space.pool.log().ensure_pages(PageId(plan.root().0 + EXTENT_PAGES - 1)).await?;
        let map = space.pool.pin(map_page(extent)).await?;
        let root = space.pool.pin_new(plan.root()).await?;
        let credit = space.pool.reserve(COMPACT_LOG).await?;
        {
            let mut mtr = space.pool.begin(MtrKind::Space, credit);
            let page = mtr.latch(&root)?;
            let volume = mtr.latch(&space.volume)?;
            let no = mtr.latch(&map)?;
            let fields = Plan { tree: id, extents: extent + 1, ..Plan::default() };
            build::build(&mut mtr, page, &fields, &Entries::default());
            if VolumeView(mtr.page(volume)).next_tree() <= id {
                volume::set_next_tree(&mut mtr, volume, id + 1);
            }
            map::set_entry(&mut mtr, no, extent, Entry { owner: id, next: 0, used: 1 });
            mtr.finish()?;
        }
        plan.made = true;
        {
            let mut state = space.state.lock();
            let owner = state.owners.entry(OwnerId(id)).or_default();
            owner.root = Some(plan.root());
            owner.walk = Walk::At(0);
            owner.ready = (1..EXTENT_PAGES).rev().map(|i| PageId(first_page(extent).0 + i)).collect();
        }
        Ok(Tree::of(Arc::clone(space), plan.root(), id))
    }
}
