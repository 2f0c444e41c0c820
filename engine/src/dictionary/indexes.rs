//! CREATE INDEX and DROP INDEX, alone or as parts of one ALTER TABLE.
//!
//! Offline: the table's writers are held off while the index is built (readers are not). Atomic: the index is in the dictionary, complete
//! and durable, or it is not and its tree is dropped. A view older than the index does not use it (`EngineError::TableChanged`).

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::ddl::tree_refs;
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{IndexDef, IndexId, NewIndex, TableDef};
use crate::dictionary::trees;
use crate::error::{EngineError, Result};
use crate::format::{TxId, row};
use crate::lock::{LockMode, MetadataMode};
use crate::rows::{RowBatch, entries};
use crate::sync::yield_now;
use crate::txn::Txn;
use btree::{Batch, Direction, Tree};
use std::ops::Bound;
use std::sync::Arc;

/// Rows read at once while building.
const BUILD_ROWS: usize = 256;

impl Dictionary {
    /// CREATE INDEX.
    ///
    /// # Errors
    /// As [`Dictionary::alter_indexes`].
    pub async fn create_index(&self, schema: &str, table: &str, new: NewIndex) -> Result<()> {
        self.alter_indexes(schema, table, vec![new], Vec::new()).await
    }

    /// DROP INDEX.
    ///
    /// # Errors
    /// As [`Dictionary::alter_indexes`].
    pub async fn drop_index(&self, schema: &str, table: &str, index: &str) -> Result<()> {
        self.alter_indexes(schema, table, Vec::new(), vec![index.to_owned()]).await
    }

    /// ALTER TABLE with ADD INDEX and DROP INDEX clauses: all or none; the dropped ones go first.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`], [`EngineError::NoSuchIndex`], [`EngineError::IndexExists`], [`EngineError::Duplicate`] when a
    /// unique index does not hold, 1205, and those of the volume.
    pub async fn alter_indexes(
        &self,
        schema: &str,
        table: &str,
        add: Vec<NewIndex>,
        drop_names: Vec<String>,
    ) -> Result<()> {
        let engine = &self.engine;
        let (old, alone) = self.must_hold(schema, table, MetadataMode::NoWrite).await?;
        let mut def = (*old).clone();
        let mut dropped = Vec::new();
        let (mut trees, mut since) = (old.runtime.trees.clone(), old.runtime.since.clone());
        for index in &drop_names {
            let no = def.index(index).filter(|no| *no > 0);
            let no = no.ok_or_else(|| EngineError::NoSuchIndex(index.clone()))?;
            dropped.push(def.indexes.remove(no));
            trees.remove(no);
            since.remove(no);
        }
        for (i, new) in add.iter().enumerate() {
            let twice = add[..i].iter().any(|o| o.name.eq_ignore_ascii_case(&new.name));
            if twice || def.index(&new.name).is_some() {
                return Err(EngineError::IndexExists(new.name.clone()));
            }
        }
        let mut planned = def.clone();
        planned.indexes.extend(add.iter().map(|new| IndexDef::from_new(new, Default::default())));
        if let Some(last) = drop_names.last() {
            self.keeps_indexes(&planned, last).await?;
        }
        let made = trees::make(engine, add.len()).await?;
        let first = def.indexes.len();
        for (new, tree) in add.iter().zip(&made) {
            def.indexes.push(IndexDef::from_new(new, (IndexId(tree.id()), tree.root_id())));
        }
        trees.extend(made.iter().cloned());
        def.stamp += 1;
        def.runtime = Runtime::new(&def, trees, Arc::clone(&old.runtime.shared));
        let def = Arc::new(def);
        let mut txn = self.begin().await?;
        let mut done = self.build(&mut txn, &old, &def, first).await;
        let mut pass = None;
        if done.is_ok() {
            done = self.upgrade(&alone).await.map(|p| pass = Some(p));
        }
        if done.is_ok() {
            done = write_rows(&mut txn, &old, &def, &made, &dropped).await;
        }
        let lsn = match self.end(txn, done).await {
            Ok(lsn) => lsn,
            Err(error) => {
                trees::unmake(engine, &made).await?;
                return Err(error);
            }
        };
        // Views older than this know nothing of the new indexes' older versions.
        since.resize(def.indexes.len(), lsn);
        let mut def = (*def).clone();
        def.runtime.since = since;
        self.install(&old, def);
        engine.wait_durable(lsn).await?;
        self.drop_later(tree_refs(&old).into_iter().filter(|t| dropped.iter().any(|d| d.id.0 == t.id)));
        Ok(())
    }

    /// Fills the new indexes from the newest committed versions: nobody writes meanwhile.
    async fn build(
        &self,
        txn: &mut Txn,
        old: &Arc<TableDef>,
        def: &Arc<TableDef>,
        first: usize,
    ) -> Result<()> {
        if first == def.indexes.len() {
            return Ok(());
        }
        let mut cursor = old.runtime.trees[0].cursor(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let mut found = Batch::default();
        let mut more = true;
        while more {
            found.clear();
            more = cursor.next_batch(&mut found, BUILD_ROWS).await?;
            for (pk, version) in found.iter() {
                self.build_row(txn, def, first, pk, version).await?;
            }
            self.kill().check(self.engine.env.now_us())?;
            yield_now().await;
        }
        Ok(())
    }

    async fn build_row(
        &self,
        txn: &mut Txn,
        def: &Arc<TableDef>,
        first: usize,
        pk: &[u8],
        version: &[u8],
    ) -> Result<()> {
        let engine = &self.engine;
        let mut version = version.to_vec();
        if !engine.registry.is_settled(row::header(&version)?.txid) {
            // Recent: committed, or aborted and not taken out yet. A read that may do that decides.
            let mut batch = RowBatch::new();
            batch.start(def);
            if !txn.read_row(def, pk, LockMode::Shared, &mut batch).await? {
                return Ok(());
            }
            version = batch.last_row().to_vec();
        }
        if row::header(&version)?.deleted {
            return Ok(());
        }
        for no in first..def.indexes.len() {
            let (key, own) = entries::key_of_any_row(engine, def, no, &version, pk).await?;
            crate::rows::keys::check_len(&key)?;
            if def.indexes[no].unique && entries::clashes(def, no, &version, &key[..own]).await? {
                return Err(entries::duplicate_of(engine, def, no, version).await?);
            }
            entries::put(def, no, &key, own, TxId::NONE).await?;
        }
        Ok(())
    }
}

async fn write_rows(
    txn: &mut Txn,
    old: &TableDef,
    def: &TableDef,
    made: &[Arc<Tree>],
    dropped: &[IndexDef],
) -> Result<()> {
    txn.put_table_row(def).await?;
    txn.put_index_rows(def, old.indexes.len()).await?;
    for tree in made {
        txn.unlog_tree(tree.id()).await?;
    }
    for tree in tree_refs(old).into_iter().filter(|t| dropped.iter().any(|d| d.id.0 == t.id)) {
        txn.log_tree(tree).await?;
    }
    Ok(())
}
