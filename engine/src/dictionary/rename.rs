//! RENAME TABLE: any number of renames, one after the other, as one change.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::foreign::without_foreign_keys;
use crate::dictionary::schema::TableDef;
use crate::dictionary::system::{Sys, name, number};
use crate::error::{EngineError, Result};
use crate::txn::Txn;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A table's schema and name.
type Name<'a> = (&'a str, &'a str);
/// Who bears a name after the renames so far; `None`: nobody.
type Names = BTreeMap<(String, String), Option<usize>>;

impl TableDef {
    /// Constraints that MySQL named after the table (`table_chk_1`) are named after the new one.
    fn rename_checks(&mut self, to: &str) {
        let prefix = format!("{}_chk_", self.name);
        for check in &mut self.checks {
            let number = check.name.strip_prefix(&prefix).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
            if let Some(number) = number {
                check.name = format!("{to}_chk_{number}");
            }
        }
    }
}

impl Dictionary {
    /// RENAME TABLE: each rename sees those before it, so tables may change places. All or none.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`], [`EngineError::NoSuchSchema`], [`EngineError::TableExists`], 1205, and those of the volume.
    pub async fn rename_tables(&self, pairs: &[(Name<'_>, Name<'_>)]) -> Result<()> {
        loop {
            let (tables, ends) = self.renamed(pairs).await?;
            let (_alone, _pass) = self.all_alone(&tables).await?;
            // Another DDL may have come between: a table of these, or one that took a name.
            let current = tables.iter().all(|t| t.runtime.shared.stamp.load(Ordering::Acquire) == t.stamp);
            let again = self.renamed(pairs).await?;
            if !current || again.1 != ends {
                continue;
            }
            tables.iter().try_for_each(|t| without_foreign_keys(t, "RENAME"))?;
            let mut txn = self.begin().await?;
            let mut defs = Vec::with_capacity(tables.len());
            let done = self.write_names(&mut txn, &tables, &ends, &mut defs).await;
            let lsn = self.end(txn, done).await?;
            self.engine.catalog.publish(|cache| {
                tables.iter().for_each(|old| cache.remove(old));
                for def in &defs {
                    def.runtime.shared.stamp.store(def.stamp, Ordering::Release);
                    cache.put(def);
                }
            });
            return self.engine.wait_durable(lsn).await;
        }
    }

    /// The tables that are renamed, and where each of them ends.
    async fn renamed(
        &self,
        pairs: &[(Name<'_>, Name<'_>)],
    ) -> Result<(Vec<Arc<TableDef>>, Vec<(String, String)>)> {
        let (mut tables, mut ends) = (Vec::<Arc<TableDef>>::new(), Vec::<(String, String)>::new());
        let mut names = Names::new();
        for (from, to) in pairs {
            let key = (from.0.to_owned(), from.1.to_owned());
            let missing = || EngineError::NoSuchTable(format!("{}.{}", from.0, from.1));
            let table = match names.get(&key) {
                Some(known) => known.ok_or_else(missing)?,
                None => {
                    tables.push(self.must(from.0, from.1).await?);
                    ends.push(key.clone());
                    tables.len() - 1
                }
            };
            let target = (to.0.to_owned(), to.1.to_owned());
            let taken = match names.get(&target) {
                Some(known) => known.is_some(),
                None => self.table(to.0, to.1).await?.is_some() || self.view(to.0, to.1).await?.is_some(),
            };
            if taken {
                return Err(EngineError::TableExists(to.1.to_owned()));
            }
            names.insert(key, None);
            names.insert(target.clone(), Some(table));
            ends[table] = target;
        }
        Ok((tables, ends))
    }

    async fn write_names(
        &self,
        txn: &mut Txn,
        tables: &[Arc<TableDef>],
        ends: &[(String, String)],
        defs: &mut Vec<Arc<TableDef>>,
    ) -> Result<()> {
        for old in tables {
            txn.sys_delete(Sys::Tables, &[number(old.schema.0), name(&old.name)]).await?;
        }
        for (old, (schema, table)) in tables.iter().zip(ends) {
            let home = txn.load_schema(schema).await?;
            let home = home.ok_or_else(|| EngineError::NoSuchSchema(schema.clone()))?;
            let mut def = (**old).clone();
            def.stamp += 1;
            def.rename_checks(table);
            (def.schema, def.schema_name, def.name) = (home.id, home.name, table.clone());
            txn.put_table_row(&def).await?;
            defs.push(Arc::new(def));
        }
        Ok(())
    }
}
