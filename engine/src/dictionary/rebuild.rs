//! ALTER TABLE that changes rows: new trees, every row made anew, then one swap in the dictionary.
//!
//! ```text
//!   [ddl_log += new trees] commit · old rows ─ map ─► new rows and entries (no undo: nobody sees them yet)
//!   · readers leave · [rows of the table and its indexes, ddl_log -= new trees, ddl_log += old trees] commit · old trees dropped
//! ```
//! Offline for writers (readers go on with the old version until the swap); atomic: after a crash or an error there is the old table, whole, and the new
//! trees are dropped by what stands in `ddl_log`. Rows carry no transaction: everybody who may read the new table sees them all, and a view
//! older than the swap is refused (`EngineError::TableChanged`, MySQL's 1412), because their older versions are not in there.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::ddl::tree_refs;
use crate::dictionary::foreign::without_foreign_keys;
use crate::dictionary::runtime::Runtime;
use crate::dictionary::schema::{ColumnDef, ColumnId, IndexId, NewTable, TableDef};
use crate::dictionary::system::{Sys, name, number};
use crate::dictionary::trees::{self, TreeRef};
use crate::error::{EngineError, Result};
use crate::format::{TxId, row};
use crate::lock::{LockMode, MetadataMode};
use crate::rows::{RowBatch, entries, keys};
use crate::sync::yield_now;
use crate::txn::Txn;
use btree::{Batch, Decision, Direction, Room, Tree};
use protocol::lsn::Lsn;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::Value;

/// Rows read at once.
const REBUILD_ROWS: usize = 256;

/// Is `planned`, from which a new definition was worked out, still the definition of the table?
///
/// # Errors
/// [`EngineError::StaleTable`]
pub(super) fn current(now: &TableDef, planned: &TableDef) -> Result<()> {
    let same = (now.id, now.stamp) == (planned.id, planned.stamp);
    if same { Ok(()) } else { Err(EngineError::StaleTable) }
}

/// Makes the rows of a table being rebuilt.
pub trait RowMap<E>: Send {
    /// The new row of an old one.
    ///
    /// # Errors
    /// What ends the rebuild.
    fn row(&mut self, old: Vec<Value>) -> std::result::Result<Vec<Value>, E>;

    /// After the last row: the next AUTO_INCREMENT value, if the table's counter has to be set.
    fn next_auto_increment(&self) -> Option<u64> {
        None
    }
}

impl<E, F: FnMut(Vec<Value>) -> std::result::Result<Vec<Value>, E> + Send> RowMap<E> for F {
    fn row(&mut self, old: Vec<Value>) -> std::result::Result<Vec<Value>, E> {
        self(old)
    }
}

impl Dictionary {
    /// ALTER TABLE by copy: the table of which `planned` is the definition becomes what `new` says (its name too), its rows what `map` makes of each, in the order of the
    /// clustered key. A column of `new` whose id is not 0 is the old column of that id. Returns the number of rows.
    ///
    /// # Errors
    /// What `map` returns; [`EngineError::StaleTable`] when `planned` is not the current definition; [`EngineError::NoSuchTable`], [`EngineError::TableExists`] for another name that is taken,
    /// [`EngineError::Duplicate`] when a key does not hold, 1205, and those of the volume. The table stays as it was.
    pub async fn rebuild_table<E>(
        &self,
        planned: &TableDef,
        new: &NewTable,
        mut map: impl RowMap<E>,
    ) -> std::result::Result<u64, E>
    where
        E: From<EngineError> + Send,
    {
        let engine = &self.engine;
        let (old, alone) = self.must_hold(&planned.schema_name, &planned.name, MetadataMode::NoWrite).await?;
        current(&old, planned)?;
        without_foreign_keys(&old, "ALTER")?;
        let moves = new.schema != old.schema_name || new.name != old.name;
        if moves {
            self.must_be_free(new).await?;
        }
        let made = trees::make(engine, 1 + new.indexes.len()).await?;
        let def = self.successor(&old, new, &made).await?;
        let mut txn = self.begin().await?;
        let mut done = self.copy(&mut txn, &old, &def, &mut map).await;
        let rows = *done.as_ref().unwrap_or(&0);
        let mut pass = None;
        if done.is_ok() {
            done = self.upgrade(&alone).await.map(|p| pass = Some(p)).map(|()| rows).map_err(E::from);
        }
        if let (Ok(_), Some(next)) = (&done, map.next_auto_increment()) {
            done = engine.restart_auto_increment(&def, next).await.map(|()| rows).map_err(E::from);
        }
        if done.is_ok() && moves {
            done = self.must_be_free(new).await.map(|()| rows).map_err(E::from);
        }
        if done.is_ok() {
            done = write(&mut txn, &old, &def, &made, &tree_refs(&old)).await.map(|()| rows).map_err(E::from);
        }
        let ended = match done {
            Ok(_) => self.end(txn, Ok(())).await.map_err(E::from),
            Err(error) => {
                txn.rollback().await?;
                Err(error)
            }
        };
        let lsn = match ended {
            Ok(lsn) => lsn,
            Err(error) => {
                trees::unmake(engine, &made).await?;
                return Err(error);
            }
        };
        self.publish_rebuilt(&old, &def, lsn, rows);
        engine.wait_durable(lsn).await?;
        self.drop_later(tree_refs(&old));
        Ok(rows)
    }

    async fn must_be_free(&self, new: &NewTable) -> Result<()> {
        match self.table(&new.schema, &new.name).await? {
            Some(_) => Err(EngineError::TableExists(new.name.clone())),
            None => Ok(()),
        }
    }

    /// The next version of a table, over the trees made for it.
    async fn successor(&self, old: &TableDef, new: &NewTable, made: &[Arc<Tree>]) -> Result<Arc<TableDef>> {
        let home = self.schema(&new.schema).await?;
        let home = home.ok_or_else(|| EngineError::NoSuchSchema(new.schema.clone()))?;
        let mut ids = made.iter().map(|t| (IndexId(t.id()), t.root_id()));
        let mut next = || ids.next().expect("invariant: one tree per index was made");
        let mut def = TableDef::from_new(new, old.id, home.id, &mut next);
        let mut fresh = old.columns.iter().map(|c| c.id.0).max().unwrap_or(0);
        for (column, asked) in def.columns.iter_mut().zip(&new.columns) {
            column.id = asked.id;
            if asked.id.0 == 0 {
                fresh += 1;
                column.id = ColumnId(fresh);
            }
        }
        (def.version, def.stamp) = (old.version.wrapping_add(1).max(1), old.stamp + 1);
        def.runtime = Runtime::new(&def, made.to_vec(), Arc::clone(&old.runtime.shared));
        Ok(Arc::new(def))
    }

    fn publish_rebuilt(&self, old: &TableDef, def: &TableDef, lsn: Lsn, rows: u64) {
        let mut def = def.clone();
        def.runtime.since = vec![lsn; def.indexes.len()];
        def.runtime.shared.rows.store(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.engine.catalog.dropped.lock().insert(old.indexes[0].id.0);
        self.install(old, def);
    }

    /// Fills the new trees from the newest committed versions: nobody writes meanwhile.
    async fn copy<E: From<EngineError>>(
        &self,
        txn: &mut Txn,
        old: &Arc<TableDef>,
        def: &Arc<TableDef>,
        map: &mut impl RowMap<E>,
    ) -> std::result::Result<u64, E> {
        let mut cursor = old.runtime.trees[0].cursor(Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        let (mut found, mut batch) = (Batch::default(), RowBatch::new());
        let (mut more, mut rows) = (true, 0);
        while more {
            found.clear();
            more = cursor.next_batch(&mut found, REBUILD_ROWS).await.map_err(EngineError::from)?;
            for (pk, version) in found.iter() {
                batch.clear();
                batch.start(old);
                if !self.newest(txn, old, pk, version, &mut batch).await? {
                    continue;
                }
                let row = map.row(batch.row(0).to_values())?;
                let kept = (old.hidden_key() && def.hidden_key()).then_some(pk);
                self.put_copy(txn, def, kept, &row).await?;
                rows += 1;
            }
            self.kill().check(self.engine.env.now_us())?;
            yield_now().await;
        }
        Ok(rows)
    }

    /// The newest committed version of a row, with its long values in place; false when it is deleted.
    async fn newest(
        &self,
        txn: &mut Txn,
        old: &Arc<TableDef>,
        pk: &[u8],
        version: &[u8],
        batch: &mut RowBatch,
    ) -> Result<bool> {
        let header = row::header(version)?;
        if !self.engine.registry.is_settled(header.txid) {
            // Recent: committed, or aborted and not taken out yet. A read that may do that decides.
            return txn.read_row(old, pk, LockMode::Shared, batch).await;
        }
        if header.deleted {
            return Ok(false);
        }
        batch.push(pk, version);
        if batch.last_needs_chains() {
            batch.fetch_chains(&self.engine).await?;
        }
        Ok(true)
    }

    /// One row into the new trees.
    async fn put_copy(
        &self,
        txn: &mut Txn,
        def: &Arc<TableDef>,
        hidden: Option<&[u8]>,
        values: &[Value],
    ) -> Result<()> {
        let engine = &self.engine;
        let mut pk = Vec::new();
        match hidden {
            Some(id) => pk.extend_from_slice(id),
            None if def.hidden_key() => {
                pk.extend_from_slice(&engine.row_ids.next(&engine.space).await?.to_be_bytes());
            }
            None => keys::of_values(def, 0, values, &mut pk),
        }
        keys::check_len(&pk)?;
        let version = txn.encode_copy(def, values).await?;
        let room = Room { value_bytes: version.len(), log_bytes: 0 };
        let put = def.runtime.trees[0].modify(&pk, room, &[], |edit| {
            if edit.value().is_some() {
                return Decision::Abort(false);
            }
            edit.insert(&version);
            Decision::Done(true)
        });
        if !put.await?.value {
            return Err(entries::duplicate_of(engine, def, 0, version).await?);
        }
        for no in 1..def.indexes.len() {
            let (key, own) = entries::key_of_any_row(engine, def, no, &version, &pk).await?;
            keys::check_len(&key)?;
            if def.indexes[no].unique && entries::clashes(def, no, &version, &key[..own]).await? {
                return Err(entries::duplicate_of(engine, def, no, version).await?);
            }
            entries::put(def, no, &key, own, TxId::NONE).await?;
        }
        Ok(())
    }
}

/// The swap: the dictionary's rows of the table.
pub(super) async fn write(
    txn: &mut Txn,
    old: &TableDef,
    def: &TableDef,
    made: &[Arc<Tree>],
    dropped: &[TreeRef],
) -> Result<()> {
    if (old.schema, &old.name) != (def.schema, &def.name) {
        txn.sys_delete(Sys::Tables, &[number(old.schema.0), name(&old.name)]).await?;
    }
    txn.put_table_row(def).await?;
    txn.put_column_rows(def).await?;
    for i in def.columns.len()..old.columns.len() {
        txn.sys_delete(Sys::Columns, &[number(def.id.0), number(i as u64)]).await?;
    }
    txn.put_index_rows(def, old.indexes.len()).await?;
    for tree in made {
        txn.unlog_tree(tree.id()).await?;
    }
    for tree in dropped {
        txn.log_tree(*tree).await?;
    }
    Ok(())
}

impl Dictionary {
    /// ALTER TABLE that changes no row: names, defaults, expressions and comments of columns, CHECK constraints, names of indexes, the table's name, comment and options.
    ///
    /// # Errors
    /// [`EngineError::StaleTable`] when `planned` is not the current definition; [`EngineError::NoSuchTable`], [`EngineError::TableExists`] for
    /// another name that is taken, 1205, and those of the volume.
    ///
    /// # Panics
    /// When `new` has other columns, types or keys than the table.
    pub async fn redefine_table(&self, planned: &TableDef, new: &NewTable) -> Result<()> {
        let (old, _alone, _pass) = self.must_alone(&planned.schema_name, &planned.name).await?;
        current(&old, planned)?;
        let moves = new.schema != old.schema_name || new.name != old.name;
        let same = old.columns.iter().zip(&new.columns).all(|(a, b)| a.name == b.name);
        if moves || !same {
            without_foreign_keys(&old, "ALTER")?;
        }
        if moves && self.table(&new.schema, &new.name).await?.is_some() {
            return Err(EngineError::TableExists(new.name.clone()));
        }
        let home = self.schema(&new.schema).await?;
        let home = home.ok_or_else(|| EngineError::NoSuchSchema(new.schema.clone()))?;
        let mut def = (*old).clone();
        def.stamp += 1;
        (def.schema, def.schema_name, def.name) = (home.id, home.name.clone(), new.name.clone());
        (def.comment, def.options) = (new.comment.clone(), new.options.clone());
        def.checks.clone_from(&new.checks);
        assert_eq!(def.columns.len(), new.columns.len(), "redefine {}: columns", old.name);
        for (column, new) in def.columns.iter_mut().zip(&new.columns) {
            assert_eq!(
                (column.ty, column.nullable),
                (new.ty, new.nullable),
                "redefine {}: {}",
                old.name,
                new.name
            );
            *column = ColumnDef { id: column.id, ..new.clone() };
        }
        def.auto_increment = def.columns.iter().position(|c| c.auto_increment);
        assert_eq!(def.indexes.len(), 1 + new.indexes.len(), "redefine {}: indexes", old.name);
        for (index, new) in def.indexes[1..].iter_mut().zip(&new.indexes) {
            assert_eq!(
                (&index.parts, index.unique),
                (&new.parts, new.unique),
                "redefine {}: {}",
                old.name,
                new.name
            );
            (index.name, index.comment) = (new.name.clone(), new.comment.clone());
        }
        let mut txn = self.begin().await?;
        let done = write(&mut txn, &old, &def, &[], &[]).await;
        let lsn = self.end(txn, done).await?;
        self.install(&old, def);
        self.engine.wait_durable(lsn).await
    }
}
