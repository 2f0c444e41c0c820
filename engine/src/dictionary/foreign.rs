//! Foreign keys in DDL: what may be declared, who refers to whom, what may not be dropped.
//!
//! Whoever declares a foreign key is alone with its parent, too: the parent's writers must know of it from the moment it holds, so the parent
//! gets a new version of its definition (a higher stamp) in the same transaction. A foreign key that goes needs none of that: a parent
//! that still believes in it finds nothing there (`rows::foreign`).

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::constraints::{ForeignKey, ForeignKeyAction, Reference};
use crate::dictionary::load::text;
use crate::dictionary::schema::TableDef;
use crate::dictionary::system::{Sys, name, number};
use crate::error::{EngineError, Result};
use crate::lock::{Alone, LockMode};
use crate::rows::{ColumnSet, KeyRange, RowBatch};
use crate::sync::Pass;
use crate::txn::Txn;
use btree::Direction;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::{ColumnType, Value};

fn key(fk: &ForeignKey, child: &TableDef) -> [Value; 4] {
    [name(&fk.parent_schema), name(&fk.parent), number(child.id.0), name(&fk.name)]
}

fn refused(code: u16, text: String) -> EngineError {
    EngineError::ForeignKeyRefused { code, text }
}

/// Whether two columns may stand on the two sides of a foreign key.
fn compatible(a: &ColumnType, b: &ColumnType) -> bool {
    if a.is_character() && b.is_character() && !a.is_choice() && !b.is_choice() {
        return a.collation == b.collation;
    }
    if a.is_binary() && b.is_binary() {
        return a.kind == b.kind;
    }
    a.labels == b.labels
        && a.kind == b.kind
        && a.unsigned == b.unsigned
        && a.scale == b.scale
        && (a.length == b.length || a.is_integer())
}

/// What CREATE TABLE checks of one foreign key against its parent.
fn check(fk: &ForeignKey, child: &TableDef, parent: &TableDef) -> Result<()> {
    let what = "Failed to add the foreign key constraint. Missing";
    for column in &fk.parent_columns {
        if parent.column(column).is_none() {
            let text = format!(
                "{what} column '{column}' for constraint '{}' in the referenced table '{}'",
                fk.name, parent.name
            );
            return Err(refused(3734, text));
        }
    }
    let positions = fk.parent_positions(parent).unwrap_or_default();
    for (own, theirs) in fk.columns.iter().zip(positions) {
        let (own, theirs) = (&child.columns[*own], &parent.columns[theirs]);
        if !compatible(&own.ty, &theirs.ty) {
            let text = format!(
                "Referencing column '{}' and referenced column '{}' in foreign key constraint '{}' are incompatible.",
                own.name, theirs.name, fk.name
            );
            return Err(refused(3780, text));
        }
    }
    if fk.parent_index(parent).is_none() {
        let text = format!(
            "{what} unique key for constraint '{}' in the referenced table '{}'",
            fk.name, parent.name
        );
        return Err(refused(6125, text));
    }
    Ok(())
}

/// What a foreign key must fulfil by itself.
fn check_own(fk: &ForeignKey, child: &TableDef) -> Result<()> {
    assert!(fk.child_index(child).is_some(), "invariant: sql gives every foreign key an index");
    let sets_null = [fk.on_delete, fk.on_update].contains(&ForeignKeyAction::SetNull);
    if let Some(column) = fk.columns.iter().map(|c| &child.columns[*c]).find(|c| sets_null && !c.nullable) {
        let text = format!(
            "Column '{}' cannot be NOT NULL: needed in a foreign key constraint '{}' SET NULL",
            column.name, fk.name
        );
        return Err(refused(1830, text));
    }
    Ok(())
}

impl Txn {
    /// Who refers to a table of this name.
    pub(crate) async fn references_to(&mut self, schema: &str, table: &str) -> Result<Vec<Reference>> {
        let rows = self.sys_scan(Sys::References, &[name(schema), name(table)]).await?;
        let reference = |row: crate::rows::RowView<'_>| {
            Ok(Reference {
                name: text(&row.value(3))?,
                schema: text(&row.value(4))?,
                table: text(&row.value(5))?,
            })
        };
        rows.iter().map(reference).collect()
    }

    pub(super) async fn put_references(&mut self, child: &TableDef) -> Result<()> {
        for fk in &child.foreign_keys {
            let row = [key(fk, child).to_vec(), vec![name(&child.schema_name), name(&child.name)]].concat();
            self.sys_put(Sys::References, 4, &row).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_references(&mut self, child: &TableDef) -> Result<()> {
        for fk in &child.foreign_keys {
            self.sys_delete(Sys::References, &key(fk, child)).await?;
        }
        Ok(())
    }
}

impl Dictionary {
    /// Alone with the parents of foreign keys that are about to be declared by a table planned as `plan`, then with all DDL.
    pub(super) async fn parents_alone(
        &self,
        plan: &TableDef,
        keys: &[ForeignKey],
    ) -> Result<(Vec<Arc<TableDef>>, Vec<Alone>, Pass<'_>)> {
        loop {
            let parents = self.parents(plan, keys).await?;
            let (alone, pass) = self.all_alone(&parents).await?;
            if parents.iter().all(|p| p.runtime.shared.stamp.load(Ordering::Acquire) == p.stamp) {
                return Ok((parents, alone, pass));
            }
        }
    }

    /// Checks a new table's foreign keys, and those that have waited for a parent of its name. With `foreign_key_checks` off a parent may
    /// be missing; one that is there must fit.
    pub(super) async fn check_foreign_keys(&self, def: &TableDef, parents: &[Arc<TableDef>]) -> Result<()> {
        for (i, fk) in def.foreign_keys.iter().enumerate() {
            if def.foreign_keys[..i].iter().any(|o| o.name.eq_ignore_ascii_case(&fk.name)) {
                return Err(refused(1826, format!("Duplicate foreign key constraint name '{}'", fk.name)));
            }
            check_own(fk, def)?;
            let parent = match fk.refers_to(def) {
                true => Some(def),
                false => parents.iter().map(|p| &**p).find(|p| fk.refers_to(p)),
            };
            match parent {
                Some(parent) => check(fk, def, parent)?,
                None if self.options.no_foreign_key_checks => {}
                None => {
                    return Err(refused(
                        1824,
                        format!("Failed to open the referenced table '{}'", fk.parent),
                    ));
                }
            }
        }
        for reference in
            def.referenced_by.iter().filter(|r| (&r.schema, &r.table) != (&def.schema_name, &def.name))
        {
            let Some(child) = self.table(&reference.schema, &reference.table).await? else { continue };
            for fk in child.foreign_keys.iter().filter(|fk| fk.name == reference.name && fk.refers_to(def)) {
                check(fk, &child, def)?;
            }
        }
        Ok(())
    }

    /// The parents with one more child each, for [`Dictionary::install`]; their rows are written.
    pub(super) async fn tell_parents(
        &self,
        txn: &mut Txn,
        child: &TableDef,
        parents: &[Arc<TableDef>],
    ) -> Result<Vec<TableDef>> {
        txn.put_references(child).await?;
        let mut told = Vec::new();
        for parent in parents {
            let mut def = (**parent).clone();
            def.stamp += 1;
            for fk in child.foreign_keys.iter().filter(|fk| fk.refers_to(parent)) {
                // One that was dropped and comes again may still be believed in.
                def.referenced_by.retain(|r| {
                    (&r.schema, &r.table, &r.name) != (&child.schema_name, &child.name, &fk.name)
                });
                let (schema, table) = (child.schema_name.clone(), child.name.clone());
                def.referenced_by.push(Reference { schema, table, name: fk.name.clone() });
            }
            txn.put_table_row(&def).await?;
            told.push(def);
        }
        Ok(told)
    }

    /// ALTER TABLE ... ADD FOREIGN KEY and DROP FOREIGN KEY: all or none. With `foreign_key_checks` the rows that are there must fulfil what
    /// is added. Each one added must have its index already.
    ///
    /// # Errors
    /// [`EngineError::NoSuchIndex`] (1091) for one to drop that is not there, [`EngineError::ForeignKeyRefused`],
    /// [`EngineError::NoParentRow`], 1205, and those of the volume.
    pub async fn alter_foreign_keys(
        &self,
        schema: &str,
        table: &str,
        add: &[ForeignKey],
        drop: &[String],
    ) -> Result<()> {
        loop {
            let old = self.must(schema, table).await?;
            let (parents, mut tables) = (self.parents(&old, add).await?, vec![Arc::clone(&old)]);
            tables.extend(parents.iter().cloned());
            let (_alone, _pass) = self.all_alone(&tables).await?;
            if !tables.iter().all(|t| t.runtime.shared.stamp.load(Ordering::Acquire) == t.stamp) {
                continue;
            }
            let mut def = (*old).clone();
            def.stamp += 1;
            for name in drop {
                let at = def.foreign_keys.iter().position(|fk| fk.name.eq_ignore_ascii_case(name));
                let gone = def.foreign_keys.remove(at.ok_or_else(|| EngineError::NoSuchIndex(name.clone()))?);
                def.referenced_by
                    .retain(|r| (&r.schema, &r.table, &r.name) != (&def.schema_name, &def.name, &gone.name));
            }
            let same =
                |fk: &&ForeignKey| def.foreign_keys.iter().any(|o| o.name.eq_ignore_ascii_case(&fk.name));
            if let Some(twice) = add.iter().find(same) {
                return Err(refused(1826, format!("Duplicate foreign key constraint name '{}'", twice.name)));
            }
            let mut added = def.clone();
            added.foreign_keys = add.to_vec();
            self.check_foreign_keys(&added, &parents).await?;
            if !self.options.no_foreign_key_checks {
                self.check_rows(&old, add).await?;
            }
            for fk in add.iter().filter(|fk| fk.refers_to(&old)) {
                let (schema, table) = (old.schema_name.clone(), old.name.clone());
                def.referenced_by.push(Reference { schema, table, name: fk.name.clone() });
            }
            def.foreign_keys.extend(add.iter().cloned());
            let mut txn = self.begin().await?;
            let mut told = Vec::new();
            let done = self.swap_foreign_keys(&mut txn, (&old, &def, &added), &parents, &mut told).await;
            let lsn = self.end(txn, done).await?;
            for (old, told) in parents.iter().zip(told) {
                self.install(old, told);
            }
            self.install(&old, def);
            return self.engine.wait_durable(lsn).await;
        }
    }

    async fn swap_foreign_keys(
        &self,
        txn: &mut Txn,
        (old, def, added): (&TableDef, &TableDef, &TableDef),
        parents: &[Arc<TableDef>],
        told: &mut Vec<TableDef>,
    ) -> Result<()> {
        txn.delete_references(old).await?;
        txn.put_table_row(def).await?;
        *told = self.tell_parents(txn, added, parents).await?;
        txn.put_references(def).await
    }

    async fn parents(&self, child: &TableDef, keys: &[ForeignKey]) -> Result<Vec<Arc<TableDef>>> {
        let mut parents: Vec<Arc<TableDef>> = Vec::new();
        for fk in keys.iter().filter(|fk| !fk.refers_to(child)) {
            match self.table(&fk.parent_schema, &fk.parent).await? {
                Some(parent) if !parents.iter().any(|p| p.id == parent.id) => parents.push(parent),
                _ => {}
            }
        }
        Ok(parents)
    }

    /// Whether every row has its parents; nobody writes to either table meanwhile.
    async fn check_rows(&self, child: &Arc<TableDef>, keys: &[ForeignKey]) -> Result<()> {
        // What was committed last may not be durable yet, and a view sees no more than that.
        self.engine.log.wait_durable(self.engine.log.last_lsn()).await?;
        let mut txn = self.begin().await?;
        let mut scan =
            txn.scan(child, 0, &KeyRange::all(), Direction::Forward, LockMode::None, ColumnSet::All);
        let mut batch = RowBatch::new();
        while scan.next(&mut txn, &mut batch).await? > 0 {
            for fk in keys {
                for row in batch.iter() {
                    let values: Vec<Value> = fk.columns.iter().map(|c| row.value(*c)).collect();
                    txn.find_parent(child, fk, &values, LockMode::None).await?;
                }
            }
            batch.clear();
            self.kill().check(self.engine.env.now_us())?;
        }
        Ok(())
    }

    /// 3730 for tables that others refer to which stay.
    pub(super) async fn may_drop(&self, txn: &mut Txn, tables: &[Arc<TableDef>]) -> Result<()> {
        if self.options.no_foreign_key_checks {
            return Ok(());
        }
        for table in tables {
            for mut reference in txn.references_to(&table.schema_name, &table.name).await? {
                if !tables.iter().any(|t| t.schema_name == reference.schema && t.name == reference.table) {
                    self.first_key(&mut reference, table).await?;
                    let text = format!(
                        "Cannot drop table '{}' referenced by a foreign key constraint '{}' on table '{}'.",
                        table.name, reference.name, reference.table
                    );
                    return Err(refused(3730, text));
                }
            }
        }
        Ok(())
    }

    /// Of a child's foreign keys to one table, messages name the one declared first.
    async fn first_key(&self, reference: &mut Reference, table: &TableDef) -> Result<()> {
        if let Some(child) = self.table(&reference.schema, &reference.table).await?
            && let Some(fk) = child.foreign_keys.iter().find(|fk| fk.refers_to(table))
        {
            reference.name.clone_from(&fk.name);
        }
        Ok(())
    }

    /// 1701 for a table that others refer to.
    pub(super) async fn may_truncate(&self, txn: &mut Txn, table: &TableDef) -> Result<()> {
        if self.options.no_foreign_key_checks {
            return Ok(());
        }
        let references = txn.references_to(&table.schema_name, &table.name).await?;
        match references.into_iter().find(|r| (&r.schema, &r.table) != (&table.schema_name, &table.name)) {
            None => Ok(()),
            Some(mut r) => {
                self.first_key(&mut r, table).await?;
                let text = format!(
                    "Cannot truncate a table referenced in a foreign key constraint (`{}`.`{}`, CONSTRAINT `{}`)",
                    r.schema, r.table, r.name
                );
                Err(refused(1701, text))
            }
        }
    }

    /// 1553 when a definition lacks an index that one of its foreign keys, or one that refers to it, needs; `dropped` is to blame.
    pub(super) async fn keeps_indexes(&self, def: &TableDef, dropped: &str) -> Result<()> {
        let blame =
            || refused(1553, format!("Cannot drop index '{dropped}': needed in a foreign key constraint"));
        if def.foreign_keys.iter().any(|fk| fk.child_index(def).is_none()) {
            return Err(blame());
        }
        for reference in &def.referenced_by {
            let Some(child) = self.table(&reference.schema, &reference.table).await? else { continue };
            let mut keys =
                child.foreign_keys.iter().filter(|fk| fk.name == reference.name && fk.refers_to(def));
            if keys.any(|fk| fk.parent_index(def).is_none()) {
                return Err(blame());
            }
        }
        Ok(())
    }
}

/// Refuses what does not follow foreign keys yet.
pub(super) fn without_foreign_keys(def: &TableDef, what: &str) -> Result<()> {
    if def.foreign_keys.is_empty() && def.referenced_by.is_empty() {
        return Ok(());
    }
    Err(refused(
        1235,
        format!("This version of MySQL doesn't yet support '{what} of a table with foreign keys'"),
    ))
}
