//! LOCK TABLES and UNLOCK TABLES.
//!
//! While a session has locked tables it uses those and no others (1100), and writes to those locked for writing (1099). A table is known here
//! by its name: locked under one alias it may be used under another, which MySQL refuses.

use super::Session;
use crate::account::privilege::Privileges;
use crate::ast::{Ddl, LockedTable, TableName};
use crate::bind::select::Catalog;
use crate::error::{Result, SqlError};
use crate::plan::Plan;
use engine::{EngineError, TableDef, TableLocks};
use std::sync::Arc;

/// What a session has locked.
#[derive(Debug)]
pub(super) struct LockedTables {
    /// Gives the locks back when dropped.
    _locks: TableLocks,
    /// Schema, table, and whether for writing.
    tables: Vec<(String, String, bool)>,
}

fn not_locked(name: &str) -> SqlError {
    SqlError::new(1100, format!("Table '{name}' was not locked with LOCK TABLES"))
}

impl LockedTables {
    /// 1100 and 1099.
    fn check(&self, schema: &str, table: &str, write: bool) -> Result<()> {
        let mut named = self.tables.iter().filter(|(s, t, _)| s == schema && t == table).peekable();
        if named.peek().is_none() {
            return Err(not_locked(table));
        }
        if write && !named.any(|(.., for_writing)| *for_writing) {
            let text = format!("Table '{table}' was locked with a READ lock and can't be updated");
            return Err(SqlError::new(1099, text));
        }
        Ok(())
    }
}

impl Session {
    /// LOCK TABLES: ends the transaction, gives back what was locked before, and waits for all tables named.
    pub(super) async fn lock_tables(&mut self, tables: &[LockedTable]) -> Result<()> {
        self.commit().await?;
        self.locked = None;
        for (i, LockedTable { table, .. }) in tables.iter().enumerate() {
            let alias = table.alias.as_ref().unwrap_or(&table.table.name);
            let same = |o: &LockedTable| o.table.alias.as_ref().unwrap_or(&o.table.table.name) == alias;
            if tables[..i].iter().any(same) {
                return Err(SqlError::new(1066, format!("Not unique table/alias: '{alias}'")));
            }
        }
        loop {
            let mut found: Vec<(Arc<TableDef>, bool)> = Vec::with_capacity(tables.len());
            for LockedTable { table, write } in tables {
                let schema = self.schema_of(&table.table)?;
                self.may(Privileges::LOCK_TABLES, &schema, &table.table.name)?;
                self.may(Privileges::SELECT, &schema, &table.table.name)?;
                found.push((self.table(&table.table).await?, *write));
            }
            let (engine, switch) = (&self.server.engine, self.kill.switch());
            let timeout_us = self.context.settings.metadata_timeout_us;
            match TableLocks::take(engine, &self.holder, &found, timeout_us, switch).await {
                // Another definition came between: its name again.
                Err(EngineError::StaleTable) => {}
                Err(error) => return Err(error.into()),
                Ok(locks) => {
                    let name =
                        |(t, write): &(Arc<TableDef>, bool)| (t.schema_name.clone(), t.name.clone(), *write);
                    self.locked =
                        Some(LockedTables { _locks: locks, tables: found.iter().map(name).collect() });
                    return Ok(());
                }
            }
        }
    }

    /// UNLOCK TABLES: ends the transaction, too, if any table was locked.
    pub(super) async fn unlock_tables(&mut self) -> Result<()> {
        if self.locked.is_some() {
            self.commit().await?;
            self.locked = None;
        }
        Ok(())
    }

    /// Whether a plan keeps to the tables that are locked.
    pub(super) fn check_locked(&self, catalog: &Catalog, plan: &Plan) -> Result<()> {
        let Some(locked) = &self.locked else { return Ok(()) };
        let stored = catalog.tables.iter().filter_map(|(_, r)| r.as_ref().ok()).filter(|r| r.rows.is_none());
        for table in stored.map(|r| &r.table) {
            locked.check(&table.schema_name, &table.name, false)?;
        }
        let write = |def: &TableDef| locked.check(&def.schema_name, &def.name, true);
        match plan {
            Plan::Query(..) => Ok(()),
            Plan::Insert(plan) => write(&plan.table),
            Plan::Change(plan) => write(&plan.access.table),
            Plan::ChangeJoin(plan) => plan.targets.iter().try_for_each(|t| write(&t.def)),
        }
    }

    /// Whether DDL keeps to the tables that are locked for writing. 1192 for what no lock on a table covers.
    pub(super) fn check_locked_ddl(&self, ddl: &Ddl) -> Result<()> {
        let Some(locked) = &self.locked else { return Ok(()) };
        let write = |name: &TableName| locked.check(&self.schema_of(name)?, &name.name, true);
        match ddl {
            Ddl::CreateTable(create) => Err(not_locked(&create.table.name)),
            Ddl::DropTable { tables, .. } | Ddl::CheckTable(tables) | Ddl::AnalyzeTable(tables) => {
                tables.iter().try_for_each(write)
            }
            Ddl::Truncate(table) | Ddl::CreateIndex { table, .. } | Ddl::AlterTable { table, .. } => {
                write(table)
            }
            Ddl::RenameTables(pairs) => pairs.iter().try_for_each(|(from, _)| write(from)),
            _ => Err(SqlError::new(
                1192,
                "Can't execute the given command because you have active locked tables or an active transaction",
            )),
        }
    }

    /// What DDL has done to names that are locked: a renamed table keeps its lock under the new one.
    pub(super) fn rename_locked(&mut self, pairs: &[(TableName, TableName)]) -> Result<()> {
        for (from, to) in pairs {
            let (from_schema, to_schema) = (self.schema_of(from)?, self.schema_of(to)?);
            let Some(locked) = &mut self.locked else { return Ok(()) };
            for (schema, table, _) in &mut locked.tables {
                if **schema == *from_schema && *table == from.name {
                    (*schema, *table) = (to_schema.to_string(), to.name.clone());
                }
            }
        }
        Ok(())
    }
}
