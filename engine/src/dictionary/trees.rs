//! Trees of tables being made and dropped: the DDL log, and the queue of trees that wait for their last reader.

use crate::dictionary::Catalog;
use crate::dictionary::catalog::sys_txn;
use crate::dictionary::system::{Sys, number};
use crate::engine::Engine;
use crate::error::Result;
use crate::lock::LockMode;
use crate::rows::{RowBatch, encode_index_key};
use crate::sync::Pass;
use crate::txn::Txn;
use btree::{Tree, TreePlan};
use parking_lot::Mutex;
use protocol::page::PageId;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::Value;

/// A tree by id and root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TreeRef {
    pub(crate) id: u64,
    pub(crate) root: PageId,
}

/// Trees nobody refers to any more, with the tick whose statements may still read them.
#[derive(Debug, Default)]
pub(crate) struct DropQueue {
    queue: Mutex<VecDeque<(u64, TreeRef)>>,
}

impl DropQueue {
    /// Trees whose table is gone durably.
    pub(crate) fn push(&self, tick: u64, trees: impl IntoIterator<Item = TreeRef>) {
        self.queue.lock().extend(trees.into_iter().map(|t| (tick, t)));
    }

    fn has(&self, tree: u64) -> bool {
        self.queue.lock().iter().any(|(_, t)| t.id == tree)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.lock().is_empty()
    }
}

impl Txn {
    /// Enters a tree in the DDL log.
    pub(crate) async fn log_tree(&mut self, tree: TreeRef) -> Result<()> {
        let log = Arc::clone(self.engine.catalog.sys(Sys::DdlLog));
        self.insert(&log, &[number(tree.id), number(tree.root.0)]).await
    }

    /// Takes a tree out of the DDL log.
    pub(crate) async fn unlog_tree(&mut self, tree: u64) -> Result<()> {
        self.sys_delete(Sys::DdlLog, &[number(tree)]).await
    }

    /// Deletes one row of a dictionary table, if it is there.
    pub(crate) async fn sys_delete(&mut self, sys: Sys, key: &[Value]) -> Result<()> {
        let table = Arc::clone(self.engine.catalog.sys(sys));
        let mut bytes = Vec::new();
        encode_index_key(&table, 0, key, &mut bytes);
        let mut batch = RowBatch::new();
        if self.get(&table, 0, &bytes, LockMode::Exclusive, &mut batch).await? {
            self.delete(&table, &batch.row_ref(0)).await?;
        }
        Ok(())
    }

    /// Inserts a row into a dictionary table, or gives the one with its key these values.
    pub(crate) async fn sys_put(&mut self, sys: Sys, keys: usize, row: &[Value]) -> Result<()> {
        let table = Arc::clone(self.engine.catalog.sys(sys));
        let mut bytes = Vec::new();
        encode_index_key(&table, 0, &row[..keys], &mut bytes);
        let mut batch = RowBatch::new();
        if self.get(&table, 0, &bytes, LockMode::Exclusive, &mut batch).await? {
            let new: Vec<(usize, Value)> = (keys..row.len()).map(|i| (i, row[i].clone())).collect();
            self.update(&table, &batch.row_ref(0), &new).await?;
            return Ok(());
        }
        self.insert(&table, row).await
    }
}

/// Makes trees: planned, entered in the DDL log durably enough (the log orders it before them), then written.
pub(crate) async fn make(engine: &Arc<Engine>, count: usize) -> Result<Vec<Arc<Tree>>> {
    // Not everybody who makes trees is alone with all DDL; what is logged from here on must not look like a leftover.
    engine.catalog.finish_ddl(engine).await?;
    let mut plans: Vec<TreePlan> = Vec::new();
    for _ in 0..count {
        plans.push(engine.space.plan_tree().await?);
    }
    engine.catalog.made.lock().extend(plans.iter().map(TreePlan::tree_id));
    let mut txn = sys_txn(engine);
    for plan in &plans {
        txn.log_tree(TreeRef { id: plan.tree_id(), root: plan.root() }).await?;
    }
    txn.commit().await?;
    let mut trees = Vec::new();
    for plan in plans {
        trees.push(Tree::create(&engine.space, plan).await?);
    }
    Ok(trees)
}

/// Drops trees that were made for nothing.
pub(crate) async fn unmake(engine: &Arc<Engine>, trees: &[Arc<Tree>]) -> Result<()> {
    for tree in trees {
        drop_one(engine, TreeRef { id: tree.id(), root: tree.root_id() }).await?;
    }
    Ok(())
}

async fn drop_one(engine: &Arc<Engine>, tree: TreeRef) -> Result<()> {
    Tree::drop_tree(&engine.space, tree.root, tree.id).await?;
    let mut txn = sys_txn(engine);
    txn.unlog_tree(tree.id).await?;
    txn.commit().await?;
    Ok(())
}

impl Catalog {
    /// Drops the trees whose last reader has left.
    pub(crate) async fn drop_due(&self, engine: &Arc<Engine>) -> Result<()> {
        loop {
            let oldest = engine.views.oldest(engine.vdl());
            let due = {
                let mut queue = self.drops.queue.lock();
                if queue.front().is_some_and(|(tick, _)| *tick < oldest.tick) {
                    queue.pop_front()
                } else {
                    None
                }
            };
            let Some((_, tree)) = due else { return Ok(()) };
            drop_one(engine, tree).await?;
        }
    }

    /// The right to change the schema. Whoever has it first after an opening drops what an unfinished DDL left behind: until then the ids of
    /// trees that were logged and never made would be planned again, and trees of this opening stand in the same log.
    pub(crate) async fn enter_ddl(&self, engine: &Arc<Engine>) -> Result<Pass<'_>> {
        let pass = self.ddl.enter().await;
        if !self.finished.load(Ordering::Acquire) {
            self.drop_unfinished(engine).await?;
            self.finished.store(true, Ordering::Release);
        }
        Ok(pass)
    }

    /// After an opening, if no DDL came before: what an unfinished one left behind goes.
    pub(crate) async fn finish_ddl(&self, engine: &Arc<Engine>) -> Result<()> {
        // Whoever is inside has seen to it.
        if self.finished.load(Ordering::Acquire) {
            return Ok(());
        }
        self.enter_ddl(engine).await.map(drop)
    }

    async fn drop_unfinished(&self, engine: &Arc<Engine>) -> Result<()> {
        let rows = sys_txn(engine).sys_scan(Sys::DdlLog, &[]).await?;
        for row in rows.iter() {
            if let (Value::UInt(id), Value::UInt(root)) = (row.value(0), row.value(1))
                && !self.made.lock().contains(&id)
                && !self.drops.has(id)
            {
                drop_one(engine, TreeRef { id, root: PageId(root) }).await?;
            }
        }
        Ok(())
    }
}
