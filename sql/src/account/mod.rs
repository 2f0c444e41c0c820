//! Accounts: who may log in and what they may do. One record per account in the engine's dictionary, keyed by user and host pattern.
//!
//! ```text
//!   login:      (user, client host) -> best match of all accounts -> record -> compute authenticates
//!   statement:  CREATE / ALTER / DROP USER, GRANT ALL, REVOKE ALL -> records checked first, then written
//! ```
//! 1. A statement over several accounts checks all of them before it writes any: it fails as a whole, as MySQL's do.
//! 2. The most specific host decides, then a named user before the anonymous one (MySQL's "Access Control, Stage 1").
//! 3. Privileges are all or nothing: on everything, or on a schema. Others are refused by the parser.
//! 4. The store is only reached through [`Store`], so all of this is tested without an engine.

mod door;
mod host;
mod record;
mod statements;

pub use door::Account;
pub(crate) use door::{exactly, execute, set_password, show_create_user, show_grants};
use host::{best_match, names_of_client};
use record::Record;
use statements::{Work, grants, run, show_create};

use crate::error::Result;
use std::future::Future;

/// Where account records are kept: the engine's dictionary, or a test's map.
pub(crate) trait Store: Send + Sync {
    /// The record of an account.
    fn get(&self, user: &str, host: &str) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;
    /// Writes a record, durably.
    fn put(&self, user: &str, host: &str, record: Vec<u8>) -> impl Future<Output = Result<()>> + Send;
    /// Removes a record; false when there was none.
    fn remove(&self, user: &str, host: &str) -> impl Future<Output = Result<bool>> + Send;
    /// Every account: user, host pattern, record.
    fn all(&self) -> impl Future<Output = Result<Vec<(String, String, Vec<u8>)>>> + Send;
}

/// The account of a first start: root from this machine, without a password, with all privileges.
pub(crate) async fn first_start(store: &impl Store) -> Result<()> {
    if store.all().await?.is_empty() {
        store.put("root", "localhost", Record::root().encode()).await?;
    }
    Ok(())
}

/// The account that a client logs in to, with its record.
pub(crate) async fn find(
    store: &impl Store,
    user: &str,
    client_host: &str,
) -> Result<Option<(String, String, Record)>> {
    let all = store.all().await?;
    let names = names_of_client(client_host);
    let Some(at) = best_match(all.iter().map(|(u, h, _)| (u.as_str(), h.as_str())), user, &names) else {
        return Ok(None);
    };
    let (user, host, bytes) = &all[at];
    Ok(Some((user.clone(), host.clone(), Record::decode(bytes)?)))
}

/// An account anybody could log in to, as `'user'@'host'`.
pub(crate) async fn without_password(store: &impl Store) -> Result<Option<String>> {
    for (user, host, bytes) in store.all().await? {
        let record = Record::decode(&bytes)?;
        if record.hash.is_empty() && !record.locked {
            return Ok(Some(format!("'{user}'@'{host}'")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
