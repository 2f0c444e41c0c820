//! Views: a name in a schema and what `sql` keeps of it. They share their names with tables and have no trees, so a change of views is one
//! transaction on rows: after a crash all of it is there or nothing.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::system::{Sys, name, number};
use crate::error::{EngineError, Result};
use crate::txn::Txn;
use values::Value;

fn bytes(value: &Value) -> Vec<u8> {
    value.as_bytes().unwrap_or_default().to_vec()
}

impl Txn {
    /// Every view of a schema goes.
    pub(super) async fn delete_views_of(&mut self, schema: &str) -> Result<()> {
        let rows = self.sys_scan(Sys::Views, &[name(schema)]).await?;
        let names: Vec<Value> = rows.iter().map(|row| row.value(1)).collect();
        for view in names {
            self.sys_delete(Sys::Views, &[name(schema), view]).await?;
        }
        Ok(())
    }
}

impl Dictionary {
    /// What is stored of a view.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn view(&self, schema: &str, view: &str) -> Result<Option<Vec<u8>>> {
        let row = self.begin().await?.sys_get(Sys::Views, &[name(schema), name(view)]).await?;
        Ok(row.map(|row| bytes(&row[2])))
    }

    /// The views of a schema in the order of their names: name, content.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn views(&self, schema: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let rows = self.begin().await?.sys_scan(Sys::Views, &[name(schema)]).await?;
        let text = |v: Value| String::from_utf8_lossy(v.as_bytes().unwrap_or_default()).into_owned();
        Ok(rows.iter().map(|row| (text(row.value(1)), bytes(&row.value(2)))).collect())
    }

    /// Stores a view, durably; `replace`: also in place of one that is there.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSchema`], [`EngineError::TableExists`], and those of the volume.
    pub async fn put_view(&self, schema: &str, view: &str, content: &[u8], replace: bool) -> Result<()> {
        let _pass = self.engine.catalog.ddl.enter().await;
        let mut txn = self.begin().await?;
        let home = self.home(&mut txn, schema).await?;
        let table = txn.sys_get(Sys::Tables, &[number(home.id.0), name(view)]).await?.is_some();
        let there = txn.sys_get(Sys::Views, &[name(schema), name(view)]).await?.is_some();
        if table || (there && !replace) {
            return Err(EngineError::TableExists(view.to_owned()));
        }
        let row = [name(schema), name(view), Value::bytes(content)];
        let done = txn.sys_put(Sys::Views, 2, &row).await;
        self.end_views(txn, done).await
    }

    /// Drops views, all or none.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`] for the first that does not exist, and those of the volume.
    pub async fn drop_views(&self, names: &[(&str, &str)]) -> Result<()> {
        let _pass = self.engine.catalog.ddl.enter().await;
        let mut txn = self.begin().await?;
        let mut done = Ok(());
        for (schema, view) in names {
            let key = [name(schema), name(view)];
            if txn.sys_get(Sys::Views, &key).await?.is_none() {
                done = Err(EngineError::NoSuchTable(format!("{schema}.{view}")));
            }
            if done.is_ok() {
                done = txn.sys_delete(Sys::Views, &key).await;
            }
        }
        self.end_views(txn, done).await
    }

    /// RENAME TABLE of a view, within its schema.
    ///
    /// # Errors
    /// [`EngineError::NoSuchTable`], [`EngineError::TableExists`], and those of the volume.
    pub async fn rename_view(&self, schema: &str, from: &str, to: &str) -> Result<()> {
        let _pass = self.engine.catalog.ddl.enter().await;
        let mut txn = self.begin().await?;
        let home = self.home(&mut txn, schema).await?;
        let old = txn.sys_get(Sys::Views, &[name(schema), name(from)]).await?;
        let old = old.ok_or_else(|| EngineError::NoSuchTable(format!("{schema}.{from}")))?;
        if txn.sys_get(Sys::Tables, &[number(home.id.0), name(to)]).await?.is_some()
            || txn.sys_get(Sys::Views, &[name(schema), name(to)]).await?.is_some()
        {
            return Err(EngineError::TableExists(to.to_owned()));
        }
        let mut done = txn.sys_delete(Sys::Views, &[name(schema), name(from)]).await;
        if done.is_ok() {
            done = txn.sys_put(Sys::Views, 2, &[name(schema), name(to), old[2].clone()]).await;
        }
        self.end_views(txn, done).await
    }

    async fn end_views(&self, txn: Txn, done: Result<()>) -> Result<()> {
        let lsn = self.end(txn, done).await?;
        self.engine.catalog.publish(|_| {});
        self.engine.wait_durable(lsn).await
    }
}
