//! Accounts: stored for `sql`, which alone knows what the bytes say.

use crate::dictionary::catalog::Dictionary;
use crate::dictionary::system::{Sys, name};
use crate::error::Result;
use values::Value;

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

impl Dictionary {
    /// What is stored of an account.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn get_account(&self, user: &str, host: &str) -> Result<Option<Vec<u8>>> {
        let row = self.begin().await?.sys_get(Sys::Accounts, &[name(user), name(host)]).await?;
        Ok(row.map(|row| row[2].as_bytes().unwrap_or_default().to_vec()))
    }

    /// Stores an account, durably.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn put_account(&self, user: &str, host: &str, content: &[u8]) -> Result<()> {
        let _pass = self.engine.catalog.ddl.enter().await;
        let mut txn = self.begin().await?;
        let row = [name(user), name(host), Value::bytes(content)];
        let done = txn.sys_put(Sys::Accounts, 2, &row).await;
        let lsn = self.end(txn, done).await?;
        self.engine.wait_durable(lsn).await
    }

    /// Removes an account, durably; false when there was none.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn drop_account(&self, user: &str, host: &str) -> Result<bool> {
        let _pass = self.engine.catalog.ddl.enter().await;
        if self.get_account(user, host).await?.is_none() {
            return Ok(false);
        }
        let mut txn = self.begin().await?;
        let done = txn.sys_delete(Sys::Accounts, &[name(user), name(host)]).await;
        let lsn = self.end(txn, done).await?;
        self.engine.wait_durable(lsn).await?;
        Ok(true)
    }

    /// All accounts: user, host, content.
    ///
    /// # Errors
    /// Those of the volume.
    pub async fn accounts(&self) -> Result<Vec<(String, String, Vec<u8>)>> {
        let rows = self.begin().await?.sys_scan(Sys::Accounts, &[]).await?;
        let content = |v: Value| v.as_bytes().unwrap_or_default().to_vec();
        Ok(rows.iter().map(|r| (text(&r.value(0)), text(&r.value(1)), content(r.value(2)))).collect())
    }
}
