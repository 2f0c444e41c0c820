//! DROP and TRUNCATE: rows of the dictionary first, trees when their last reader has left.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::ddl::tree_refs;
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{IndexId, TableDef};
use crate::dictionary::system::{Sys, name};
use crate::dictionary::trees::{self, TreeRef};
use crate::error::Result;
use crate::lock::{Alone, MetadataMode};
use crate::sync::Pass;
use crate::txn::Txn;
use btree::Tree;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Dictionary {
    /// DROP DATABASE with all its tables and views; returns how many tables.
    ///
    /// # Errors
    /// [`crate::EngineError::NoSuchSchema`], 1205 when a table's writers do not end in time, and those of the volume.
    pub async fn drop_schema(&self, schema: &str) -> Result<usize> {
        loop {
            let tables = self.tables(schema).await?;
            let (alone, _pass) = self.all_alone(&tables).await?;
            // Another DDL may have come between.
            let current = |t: &Arc<TableDef>| t.runtime.shared.stamp.load(Ordering::Acquire) == t.stamp;
            let names = self.table_names(schema).await?;
            if !tables.iter().all(current) || names.len() != tables.len() {
                continue;
            }
            let mut txn = self.begin().await?;
            let mut done = txn.sys_delete(Sys::Schemas, &[name(schema)]).await;
            if done.is_ok() {
                done = txn.delete_views_of(schema).await;
            }
            self.drop_all(txn, done, &tables, alone, Some(schema)).await?;
            return Ok(tables.len());
        }
    }

    /// Alone with several tables (taken in the order of their ids), then with all DDL.
    pub(super) async fn all_alone(&self, tables: &[Arc<TableDef>]) -> Result<(Vec<Alone>, Pass<'_>)> {
        let mut order: Vec<&Arc<TableDef>> = tables.iter().collect();
        order.sort_by_key(|t| t.id);
        order.dedup_by_key(|t| t.id);
        let mut alone = Vec::new();
        let holder = self.holder();
        for table in order {
            alone.push(self.take(table, &holder, MetadataMode::Exclusive).await?);
        }
        Ok((alone, self.engine.catalog.enter_ddl(&self.engine).await?))
    }

    /// DROP TABLE.
    ///
    /// # Errors
    /// As [`Dictionary::drop_tables`].
    pub async fn drop_table(&self, schema: &str, table: &str) -> Result<()> {
        self.drop_tables(&[(schema, table)]).await
    }

    /// DROP TABLE of several, all or none.
    ///
    /// # Errors
    /// [`crate::EngineError::NoSuchTable`] for the first that does not exist, 1205 when writers do not end in time, and those of the volume.
    pub async fn drop_tables(&self, names: &[(&str, &str)]) -> Result<()> {
        loop {
            let mut tables: Vec<Arc<TableDef>> = Vec::new();
            for (schema, table) in names {
                let def = self.must(schema, table).await?;
                if !tables.iter().any(|t| t.id == def.id) {
                    tables.push(def);
                }
            }
            let (alone, _pass) = self.all_alone(&tables).await?;
            // Another DDL may have come between.
            if tables.iter().all(|t| t.runtime.shared.stamp.load(Ordering::Acquire) == t.stamp) {
                return self.drop_all(self.begin().await?, Ok(()), &tables, alone, None).await;
            }
        }
    }

    async fn drop_all(
        &self,
        mut txn: Txn,
        mut done: Result<()>,
        tables: &[Arc<TableDef>],
        alone: Vec<Alone>,
        schema: Option<&str>,
    ) -> Result<()> {
        let catalog = &self.engine.catalog;
        if done.is_ok() {
            done = self.may_drop(&mut txn, tables).await;
        }
        for table in tables {
            if done.is_ok() {
                done = txn.delete_table_rows(table).await;
            }
        }
        let lsn = self.end(txn, done).await?;
        for table in tables {
            table.runtime.shared.stamp.store(u64::MAX, Ordering::Release);
        }
        catalog.dropped.lock().extend(tables.iter().map(|t| t.indexes[0].id.0));
        catalog.publish(|cache| {
            tables.iter().for_each(|t| cache.remove(t));
            if let Some(schema) = schema {
                cache.schemas.remove(schema);
                cache.tables.remove(schema);
            }
        });
        drop(alone);
        self.engine.wait_durable(lsn).await?;
        self.drop_later(tables.iter().flat_map(|t| tree_refs(t)));
        Ok(())
    }

    /// Hands trees to the background once every statement of now is over.
    pub(super) fn drop_later(&self, trees: impl IntoIterator<Item = TreeRef>) {
        let tick = self.engine.views.next_tick();
        self.engine.catalog.drops.push(tick, trees);
        self.engine.history.event.raise();
    }

    /// TRUNCATE TABLE: new trees under the same id; AUTO_INCREMENT starts again.
    ///
    /// # Errors
    /// [`crate::EngineError::NoSuchTable`], 1205, and those of the volume.
    pub async fn truncate_table(&self, schema: &str, table: &str) -> Result<()> {
        let engine = &self.engine;
        let (old, _alone, _pass) = self.must_alone(schema, table).await?;
        self.may_truncate(&mut self.begin().await?, &old).await?;
        let made = trees::make(engine, old.indexes.len()).await?;
        let mut def = (*old).clone();
        def.stamp += 1;
        for (index, tree) in def.indexes.iter_mut().zip(&made) {
            (index.id, index.root) = (IndexId(tree.id()), tree.root_id());
        }
        def.runtime = Runtime::new(&def, made.clone(), Arc::clone(&old.runtime.shared));
        let mut txn = self.begin().await?;
        let done = self.swap_trees(&mut txn, &old, &def, &made).await;
        let lsn = match self.end(txn, done).await {
            Ok(lsn) => lsn,
            Err(error) => {
                trees::unmake(engine, &made).await?;
                return Err(error);
            }
        };
        def.runtime.shared.rows.store(0, Ordering::Relaxed);
        engine.catalog.dropped.lock().insert(old.indexes[0].id.0);
        let def = self.install(&old, def);
        engine.reset_auto_increment(&def).await?;
        engine.wait_durable(lsn).await?;
        self.drop_later(tree_refs(&old));
        Ok(())
    }

    async fn swap_trees(
        &self,
        txn: &mut Txn,
        old: &TableDef,
        def: &TableDef,
        made: &[Arc<Tree>],
    ) -> Result<()> {
        txn.put_table_row(def).await?;
        txn.put_index_rows(def, old.indexes.len()).await?;
        for tree in made {
            txn.unlog_tree(tree.id()).await?;
        }
        for tree in tree_refs(old) {
            txn.log_tree(tree).await?;
        }
        Ok(())
    }
}
