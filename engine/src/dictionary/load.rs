//! Reading definitions from the dictionary's tables.

use crate::dictionary::Catalog;
use crate::dictionary::catalog::{Dictionary, sys_txn};
use crate::dictionary::codec::{self, ColumnRow, IndexRow, unblob};
use crate::dictionary::header::unblob_header;
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{IndexDef, SchemaDef, SchemaId, TableDef, TableId};
use crate::dictionary::system::{Sys, name, number};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::lock::LockMode;
use crate::rows::{ColumnSet, KeyRange, RowBatch, encode_index_key};
use crate::txn::Txn;
use btree::{Direction, Tree};
use protocol::env::BoxFuture;
use protocol::page::PageId;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::Value;

pub(super) fn text(value: &Value) -> Result<String> {
    let bytes = value.as_bytes().unwrap_or_default().to_vec();
    String::from_utf8(bytes).map_err(|_| EngineError::corrupt(PageId(0), "dictionary: a name is not UTF-8"))
}

fn int(value: &Value) -> u64 {
    match value {
        Value::UInt(v) => *v,
        _ => 0,
    }
}

impl Txn {
    /// One row of a dictionary table by its key.
    pub(crate) async fn sys_get(&mut self, sys: Sys, key: &[Value]) -> Result<Option<Vec<Value>>> {
        let engine = Arc::clone(&self.engine);
        let table = engine.catalog.sys(sys);
        let mut bytes = Vec::new();
        encode_index_key(table, 0, key, &mut bytes);
        let mut batch = RowBatch::new();
        let found = self.get(table, 0, &bytes, LockMode::None, &mut batch).await?;
        Ok(found.then(|| batch.row(0).to_values()))
    }

    /// All rows of a dictionary table whose key starts with `prefix`, in key order.
    pub(crate) async fn sys_scan(&mut self, sys: Sys, prefix: &[Value]) -> Result<RowBatch> {
        let engine = Arc::clone(&self.engine);
        let table = engine.catalog.sys(sys);
        let mut bytes = Vec::new();
        encode_index_key(table, 0, prefix, &mut bytes);
        let range = if prefix.is_empty() { KeyRange::all() } else { KeyRange::prefix(bytes) };
        let mut batch = RowBatch::new();
        let mut scan = self.scan(table, 0, &range, Direction::Forward, LockMode::None, ColumnSet::All);
        while scan.next(self, &mut batch).await? > 0 {}
        Ok(batch)
    }

    /// A schema as this transaction sees it.
    pub(crate) async fn load_schema(&mut self, schema: &str) -> Result<Option<SchemaDef>> {
        let Some(row) = self.sys_get(Sys::Schemas, &[name(schema)]).await? else { return Ok(None) };
        Ok(Some(SchemaDef { id: SchemaId(int(&row[1])), name: schema.to_owned(), options: text(&row[2])? }))
    }

    /// A table as this transaction sees it, with its trees open.
    pub(crate) async fn load_table(&mut self, schema: &SchemaDef, table: &str) -> Result<Option<TableDef>> {
        let key = [number(schema.id.0), name(table)];
        match self.sys_get(Sys::Tables, &key).await? {
            Some(row) => Ok(Some(self.load_row(schema, &row).await?)),
            None => Ok(None),
        }
    }

    async fn load_row(&mut self, schema: &SchemaDef, row: &[Value]) -> Result<TableDef> {
        let id = TableId(int(&row[2]));
        let header = unblob_header(&row[4])?;
        let mut columns = Vec::new();
        for row in self.sys_scan(Sys::Columns, &[number(id.0)]).await?.iter() {
            columns.push(codec::column_def(unblob::<ColumnRow>(&row.value(2))?)?);
        }
        let mut indexes: Vec<IndexDef> = Vec::new();
        for row in self.sys_scan(Sys::Indexes, &[number(id.0)]).await?.iter() {
            indexes.push(codec::index_def(unblob::<IndexRow>(&row.value(2))?));
        }
        let columns_in_parts = indexes.iter().flat_map(|i| &i.parts).map(|p| p.column).max();
        if indexes.is_empty() || columns_in_parts.is_some_and(|c| c >= columns.len()) {
            return Err(EngineError::corrupt(
                PageId(0),
                format!("dictionary: table {id} has impossible indexes"),
            ));
        }
        let mut trees = Vec::new();
        for index in &indexes {
            trees.push(Tree::open(&self.engine.space, index.root).await?);
        }
        let header = header.resolve(&mut columns)?;
        let table = text(&row[1])?;
        let mut def = TableDef {
            id,
            schema: schema.id,
            schema_name: schema.name.clone(),
            referenced_by: self.references_to(&schema.name, &table).await?,
            foreign_keys: header.foreign_keys,
            checks: header.checks,
            formats: header.formats,
            name: table,
            auto_increment: columns.iter().position(|c| c.auto_increment),
            columns,
            indexes,
            version: header.version,
            stamp: header.stamp,
            comment: header.comment,
            options: header.options,
            runtime: Runtime::default(),
        };
        let shared = self.engine.catalog.shared(id);
        if !shared.estimated.swap(true, Ordering::AcqRel) {
            let estimate = trees[0].estimate_range(Bound::Unbounded, Bound::Unbounded).await?;
            shared.rows.fetch_add(estimate.entries as i64, Ordering::Relaxed);
        }
        def.runtime = Runtime::new(&def, trees, shared);
        Ok(def)
    }
}

/// A definition just loaded: writers may use it if none was before.
fn usable(def: TableDef) -> Arc<TableDef> {
    let stamp = &def.runtime.shared.stamp;
    let _ = stamp.compare_exchange(0, def.stamp, Ordering::AcqRel, Ordering::Acquire);
    Arc::new(def)
}

impl Catalog {
    /// The table whose clustered tree this is; `None` when it was dropped or truncated away.
    ///
    /// Boxed: a row being read may have to be reverted, which asks here, which reads rows.
    pub(crate) fn table_of_tree<'a>(
        &'a self,
        engine: &'a Arc<Engine>,
        tree: u64,
    ) -> BoxFuture<'a, Result<Option<Arc<TableDef>>>> {
        Box::pin(self.find_tree(engine, tree))
    }

    async fn find_tree(&self, engine: &Arc<Engine>, tree: u64) -> Result<Option<Arc<TableDef>>> {
        if let Some(table) = self.system_tables().iter().find(|t| t.indexes[0].id.0 == tree) {
            return Ok(Some(Arc::clone(table)));
        }
        loop {
            if let Some(known) = self.cache.read().by_tree.get(&tree) {
                return Ok(known.clone());
            }
            if self.dropped.lock().contains(&tree) {
                return Ok(None);
            }
            let version = self.version();
            self.settled(engine).await?;
            let mut txn = sys_txn(engine);
            let tables = self.sys(Sys::Tables);
            let mut key = Vec::new();
            encode_index_key(tables, 1, &[number(tree)], &mut key);
            let mut batch = RowBatch::new();
            let loaded = if txn.get(tables, 1, &key, LockMode::None, &mut batch).await? {
                let row = batch.row(0).to_values();
                let schemas = txn.sys_scan(Sys::Schemas, &[]).await?;
                let home = schemas.iter().find(|s| s.value(1) == row[0]);
                let home = home
                    .ok_or_else(|| EngineError::corrupt(PageId(0), "dictionary: a table without schema"))?;
                let schema = SchemaDef {
                    id: SchemaId(int(&row[0])),
                    name: text(&home.value(0))?,
                    options: String::new(),
                };
                Some(usable(txn.load_row(&schema, &row).await?))
            } else {
                None
            };
            let entered = self.enter(version, |cache| match &loaded {
                Some(table) => cache.put(table),
                None => {
                    cache.by_tree.insert(tree, None);
                }
            });
            if entered {
                return Ok(loaded);
            }
        }
    }
}

impl Dictionary {
    /// A schema by name.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn schema(&self, schema: &str) -> Result<Option<Arc<SchemaDef>>> {
        let catalog = &self.engine.catalog;
        loop {
            if let Some(known) = catalog.cache.read().schemas.get(schema) {
                return Ok(Some(Arc::clone(known)));
            }
            let version = catalog.version();
            let Some(def) = self.begin().await?.load_schema(schema).await?.map(Arc::new) else {
                return Ok(None);
            };
            let entered = catalog.enter(version, |cache| {
                cache.schemas.insert(schema.to_owned(), Arc::clone(&def));
            });
            if entered {
                return Ok(Some(def));
            }
        }
    }

    /// All schemas, by name.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn schemas(&self) -> Result<Vec<Arc<SchemaDef>>> {
        let rows = self.begin().await?.sys_scan(Sys::Schemas, &[]).await?;
        let mut out = Vec::new();
        for row in rows.iter() {
            let options = text(&row.value(2))?;
            out.push(Arc::new(SchemaDef {
                id: SchemaId(int(&row.value(1))),
                name: text(&row.value(0))?,
                options,
            }));
        }
        Ok(out)
    }

    /// A table by name.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn table(&self, schema: &str, table: &str) -> Result<Option<Arc<TableDef>>> {
        let catalog = &self.engine.catalog;
        loop {
            if let Some(known) = self.cached_table(schema, table) {
                return Ok(Some(known));
            }
            let version = catalog.version();
            let mut txn = self.begin().await?;
            let Some(home) = txn.load_schema(schema).await? else { return Ok(None) };
            let def = match txn.load_table(&home, table).await {
                // Dropped between the look at the rows and at the trees.
                Err(EngineError::TableChanged) if catalog.version() != version => continue,
                other => other?,
            };
            let Some(def) = def.map(usable) else { return Ok(None) };
            if catalog.enter(version, |cache| cache.put(&def)) {
                return Ok(Some(def));
            }
        }
    }

    /// The names of a schema's tables, sorted.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSchema`], and those of the volume.
    pub async fn table_names(&self, schema: &str) -> Result<Vec<String>> {
        let mut txn = self.begin().await?;
        let home =
            txn.load_schema(schema).await?.ok_or_else(|| EngineError::NoSuchSchema(schema.to_owned()))?;
        let rows = txn.sys_scan(Sys::Tables, &[number(home.id.0)]).await?;
        rows.iter().map(|row| text(&row.value(1))).collect()
    }

    /// A schema's tables, sorted by name.
    ///
    /// # Errors
    /// As [`Dictionary::table_names`].
    pub async fn tables(&self, schema: &str) -> Result<Vec<Arc<TableDef>>> {
        let mut out = Vec::new();
        for table in self.table_names(schema).await? {
            out.extend(self.table(schema, &table).await?);
        }
        Ok(out)
    }
}
