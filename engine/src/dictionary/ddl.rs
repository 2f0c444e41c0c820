//! CREATE, DROP, TRUNCATE, RENAME: each one transaction on the dictionary's rows, durable when it returns.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::codec::{blob, column_row, index_row};
use crate::dictionary::constraints::Reference;
use crate::dictionary::header::header_blob;
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{IndexId, NewTable, SchemaDef, SchemaId, TableDef, TableId};
use crate::dictionary::system::{FIRST_USER_ID, Sys, name, number};
use crate::dictionary::trees::{self, TreeRef};
use crate::error::{EngineError, Result};
use crate::lock::{Alone, MetadataHolder, MetadataMode};
use crate::sync::Pass;
use crate::txn::Txn;
use btree::Tree;
use protocol::lsn::Lsn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn tree_refs(table: &TableDef) -> Vec<TreeRef> {
    table.indexes.iter().map(|i| TreeRef { id: i.id.0, root: i.root }).collect()
}

impl Txn {
    /// Writes the row of a table that names its clustered tree and header.
    pub(super) async fn put_table_row(&mut self, table: &TableDef) -> Result<()> {
        let row = [
            number(table.schema.0),
            name(&table.name),
            number(table.id.0),
            number(table.indexes[0].id.0),
            header_blob(table),
        ];
        self.sys_put(Sys::Tables, 2, &row).await
    }

    /// Writes the rows of a table's indexes; those beyond are deleted.
    pub(super) async fn put_index_rows(&mut self, table: &TableDef, before: usize) -> Result<()> {
        for (i, index) in table.indexes.iter().enumerate() {
            let row = [number(table.id.0), number(i as u64), blob(&index_row(index))];
            self.sys_put(Sys::Indexes, 2, &row).await?;
        }
        for i in table.indexes.len()..before {
            self.sys_delete(Sys::Indexes, &[number(table.id.0), number(i as u64)]).await?;
        }
        Ok(())
    }

    pub(super) async fn put_column_rows(&mut self, table: &TableDef) -> Result<()> {
        for (i, column) in table.columns.iter().enumerate() {
            let row = [number(table.id.0), number(i as u64), blob(&column_row(column))];
            self.sys_put(Sys::Columns, 2, &row).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_table_rows(&mut self, table: &TableDef) -> Result<()> {
        self.sys_delete(Sys::Tables, &[number(table.schema.0), name(&table.name)]).await?;
        for i in 0..table.columns.len() {
            self.sys_delete(Sys::Columns, &[number(table.id.0), number(i as u64)]).await?;
        }
        for i in 0..table.indexes.len() {
            self.sys_delete(Sys::Indexes, &[number(table.id.0), number(i as u64)]).await?;
        }
        self.delete_references(table).await?;
        for tree in tree_refs(table) {
            self.log_tree(tree).await?;
        }
        Ok(())
    }
}

impl Dictionary {
    /// Ends a DDL transaction. The caller publishes before it awaits anything, then waits for the LSN.
    pub(super) async fn end(&self, mut txn: Txn, done: Result<()>) -> Result<Lsn> {
        match done {
            Ok(()) => {
                let lsn = txn.commit().await?;
                self.engine.catalog.committed(lsn);
                Ok(lsn)
            }
            Err(error) => {
                txn.rollback().await?;
                Err(error)
            }
        }
    }

    /// A table that must exist, alone with it: first the table's readers and writers, then every other DDL. So a DDL that waits for
    /// transactions holds up nobody but the newcomers to its table.
    pub(super) async fn must_alone(
        &self,
        schema: &str,
        table: &str,
    ) -> Result<(Arc<TableDef>, Alone, Pass<'_>)> {
        let (def, alone) = self.must_hold(schema, table, MetadataMode::Exclusive).await?;
        Ok((def, alone, self.engine.catalog.enter_ddl(&self.engine).await?))
    }

    /// A table that must exist, kept from other DDL; `mode` says from whom else.
    pub(super) async fn must_hold(
        &self,
        schema: &str,
        table: &str,
        mode: MetadataMode,
    ) -> Result<(Arc<TableDef>, Alone)> {
        loop {
            let def = self.must(schema, table).await?;
            let alone = self.take(&def, &self.holder(), mode).await?;
            // Another DDL may have come between.
            if def.runtime.shared.stamp.load(Ordering::Acquire) == def.stamp {
                return Ok((def, alone));
            }
        }
    }

    /// Waits for a table's metadata lock.
    pub(super) async fn take(
        &self,
        table: &TableDef,
        holder: &Arc<MetadataHolder>,
        mode: MetadataMode,
    ) -> Result<Alone> {
        Alone::take(&self.engine, holder, table.id, mode, self.timeout_us(), &self.kill()).await
    }

    /// Alone with a table that was held so far, then with all DDL.
    pub(super) async fn upgrade(&self, alone: &Alone) -> Result<Pass<'_>> {
        alone.upgrade(self.timeout_us(), &self.kill()).await?;
        self.engine.catalog.enter_ddl(&self.engine).await
    }

    /// CREATE DATABASE.
    ///
    /// # Errors
    /// [`EngineError::SchemaExists`], and those of the volume.
    pub async fn create_schema(&self, schema: &str, options: &str) -> Result<()> {
        let _pass = self.engine.catalog.enter_ddl(&self.engine).await?;
        let mut txn = self.begin().await?;
        if txn.load_schema(schema).await?.is_some() {
            return Err(EngineError::SchemaExists(schema.to_owned()));
        }
        let id = FIRST_USER_ID + self.engine.object_ids.next(&self.engine.space).await?;
        let row = [name(schema), number(id), name(options)];
        let done = txn.sys_put(Sys::Schemas, 1, &row).await;
        let lsn = self.end(txn, done).await?;
        self.engine.catalog.publish(|_| {});
        self.engine.wait_durable(lsn).await
    }

    /// ALTER DATABASE: other options.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSchema`], and those of the volume.
    pub async fn alter_schema_options(&self, schema: &str, options: &str) -> Result<()> {
        let _pass = self.engine.catalog.enter_ddl(&self.engine).await?;
        let mut txn = self.begin().await?;
        let def = self.home(&mut txn, schema).await?;
        let done = txn.sys_put(Sys::Schemas, 1, &[name(schema), number(def.id.0), name(options)]).await;
        let lsn = self.end(txn, done).await?;
        self.engine.catalog.publish(|cache| {
            cache.schemas.remove(schema);
        });
        self.engine.wait_durable(lsn).await
    }

    pub(super) async fn home(&self, txn: &mut Txn, schema: &str) -> Result<SchemaDef> {
        txn.load_schema(schema).await?.ok_or_else(|| EngineError::NoSuchSchema(schema.to_owned()))
    }

    /// CREATE TABLE.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSchema`], [`EngineError::TableExists`], and those of the volume.
    pub async fn create_table(&self, new: &NewTable) -> Result<Arc<TableDef>> {
        let engine = &self.engine;
        let mut plan = TableDef::detached(new);
        let (parents, _alone, _pass) = self.parents_alone(&plan, &new.foreign_keys).await?;
        let mut txn = self.begin().await?;
        let home = self.home(&mut txn, &new.schema).await?;
        if txn.sys_get(Sys::Tables, &[number(home.id.0), name(&new.name)]).await?.is_some()
            || txn.sys_get(Sys::Views, &[name(&new.schema), name(&new.name)]).await?.is_some()
        {
            return Err(EngineError::TableExists(new.name.clone()));
        }
        let mut referenced_by = txn.references_to(&new.schema, &new.name).await?;
        drop(txn);
        let id = TableId(FIRST_USER_ID + engine.object_ids.next(&engine.space).await?);
        plan.referenced_by.clone_from(&referenced_by);
        self.check_foreign_keys(&plan, &parents).await?;
        for fk in new.foreign_keys.iter().filter(|fk| fk.refers_to(&plan)) {
            let (schema, table) = (new.schema.clone(), new.name.clone());
            referenced_by.push(Reference { schema, table, name: fk.name.clone() });
        }
        let made = trees::make(engine, 1 + new.indexes.len()).await?;
        let mut ids = made.iter().map(|t| (IndexId(t.id()), t.root_id()));
        let mut next = || ids.next().expect("invariant: one tree per index was made");
        let mut def = TableDef::from_new(new, id, SchemaId(home.id.0), &mut next);
        def.referenced_by = referenced_by;
        def.runtime = Runtime::new(&def, made.clone(), engine.catalog.shared(id));
        def.runtime.shared.estimated.store(true, Ordering::Release);
        let mut txn = self.begin().await?;
        let mut told = Vec::new();
        let done = match self.write_table(&mut txn, &def, &made, new.auto_increment_start).await {
            Ok(()) => self.tell_parents(&mut txn, &def, &parents).await.map(|t| told = t),
            Err(error) => Err(error),
        };
        let lsn = match self.end(txn, done).await {
            Ok(lsn) => lsn,
            Err(error) => {
                trees::unmake(engine, &made).await?;
                return Err(error);
            }
        };
        def.runtime.shared.stamp.store(def.stamp, Ordering::Release);
        let def = Arc::new(def);
        for (old, told) in parents.iter().zip(told) {
            self.install(old, told);
        }
        engine.catalog.publish(|cache| cache.put(&def));
        engine.wait_durable(lsn).await?;
        Ok(def)
    }

    async fn write_table(&self, txn: &mut Txn, def: &TableDef, made: &[Arc<Tree>], auto: u64) -> Result<()> {
        if auto > 1 {
            self.engine.set_auto_ceiling(def.id, auto).await?;
        }
        txn.put_table_row(def).await?;
        txn.put_column_rows(def).await?;
        txn.put_index_rows(def, 0).await?;
        for tree in made {
            txn.unlog_tree(tree.id()).await?;
        }
        Ok(())
    }

    /// A table that must exist.
    pub(super) async fn must(&self, schema: &str, table: &str) -> Result<Arc<TableDef>> {
        let found = self.table(schema, table).await?;
        found.ok_or_else(|| EngineError::NoSuchTable(format!("{schema}.{table}")))
    }

    /// Puts a new version of a table in place of the old one; the caller is alone with it.
    pub(super) fn install(&self, old: &TableDef, def: TableDef) -> Arc<TableDef> {
        def.runtime.shared.stamp.store(def.stamp, Ordering::Release);
        let def = Arc::new(def);
        self.engine.catalog.publish(|cache| {
            cache.remove(old);
            cache.put(&def);
        });
        def
    }

    /// RENAME TABLE of one.
    ///
    /// # Errors
    /// As [`Dictionary::rename_tables`].
    pub async fn rename_table(&self, from: (&str, &str), to: (&str, &str)) -> Result<()> {
        self.rename_tables(&[(from, to)]).await
    }

    /// ALTER TABLE ... COMMENT and other options.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`], 1205, and those of the volume.
    pub async fn alter_options(&self, schema: &str, table: &str, comment: &str, options: &str) -> Result<()> {
        let (old, _alone, _pass) = self.must_alone(schema, table).await?;
        let mut def = (*old).clone();
        def.stamp += 1;
        (def.comment, def.options) = (comment.to_owned(), options.to_owned());
        let mut txn = self.begin().await?;
        let done = txn.put_table_row(&def).await;
        let lsn = self.end(txn, done).await?;
        self.install(&old, def);
        self.engine.wait_durable(lsn).await
    }
}
