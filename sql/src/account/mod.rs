//! Accounts: who may log in and what they may do. One record per account in the engine's dictionary, keyed by user and host pattern; roles are
//! accounts too.
//!
//! ```text
//!   login:      (user, client host) -> best match of all accounts -> record -> compute authenticates
//!   statement:  users, roles, grants -> records checked first, then written
//!   gate:       record + active roles -> privileges on everything, schema, table     (session::privilege asks)
//! ```
//! 1. A statement over several accounts checks all of them before it writes any: it fails as a whole, as MySQL's do.
//! 2. The most specific host decides, then a named user before the anonymous one (MySQL's "Access Control, Stage 1").
//! 3. Privileges on single columns and on routines are refused by the parser.
//! 4. The store is only reached through [`Store`], so all of this is tested without an engine.

mod door;
mod grants;
mod host;
pub(crate) mod privilege;
mod record;
mod roles;
pub(crate) mod system;
mod users;

pub use door::Account;
pub(crate) use door::{exactly, execute, set_password, show_create_user, show_grants};
use grants::{grants, show_create};
use host::{best_match, names_of_client};
pub(crate) use record::Record;
pub(crate) use roles::chosen;

use crate::ast::{AccountStatement, UserName};
use crate::error::Result;
use std::future::Future;

/// Notes for SHOW WARNINGS: code and text.
pub(crate) type Notes = Vec<(u16, String)>;

/// (plugin, password) to the authentication string; `None` for a plugin that is not there.
pub(crate) type Hash<'a> = dyn Fn(&str, &[u8]) -> Option<Vec<u8>> + Sync + 'a;

/// Whose statement it is, and how passwords are hashed.
pub(crate) struct Work<'a, S> {
    pub(crate) store: &'a S,
    /// The account that the session runs as.
    pub(crate) me: &'a (String, String),
    pub(crate) hash: &'a Hash<'a>,
    /// Seconds since 1970.
    pub(crate) now_s: u64,
}

impl<S: Store> Work<'_, S> {
    /// Runs an account statement whose names are complete. The caller has checked that the session may.
    ///
    /// # Errors
    /// MySQL's, with nothing written.
    pub(crate) async fn run(&self, statement: &AccountStatement) -> Result<Notes> {
        use AccountStatement as A;
        match statement {
            A::CreateUser { users, if_not_exists, options } => {
                self.create(users, *if_not_exists, options).await
            }
            A::AlterUser { users, if_exists, options } => self.alter(users, *if_exists, options).await,
            A::DropUser { users, if_exists } => self.drop_accounts("DROP USER", users, *if_exists).await,
            A::RenameUser(pairs) => self.rename(pairs).await.map(|()| Notes::new()),
            A::CreateRole { roles, if_not_exists } => self.create_roles(roles, *if_not_exists).await,
            A::DropRole { roles, if_exists } => self.drop_accounts("DROP ROLE", roles, *if_exists).await,
            A::Grant { what, level, users, grant_option } => {
                self.grant(what, level, users, *grant_option).await.map(|()| Notes::new())
            }
            A::Revoke { what, level, users, lenient } => self.revoke(what, level, users, *lenient).await,
            A::RevokeEverything { users, lenient } => self.revoke_everything(users, *lenient).await,
            A::GrantRoles { roles, users, admin } => {
                self.grant_roles(roles, users, *admin).await.map(|()| Notes::new())
            }
            A::RevokeRoles { roles, users, lenient } => self.revoke_roles(roles, users, *lenient).await,
            A::SetDefaultRole { roles, users } => self.set_default(roles, users).await.map(|()| Notes::new()),
            A::FlushPrivileges => Ok(Notes::new()),
        }
    }

    /// `CURRENT_USER()` is an empty name in the tree.
    fn resolve(&self, name: &UserName) -> UserName {
        if name.user.is_empty() && name.host.is_empty() {
            UserName { user: self.me.0.clone(), host: self.me.1.clone() }
        } else {
            name.clone()
        }
    }

    async fn record(&self, name: &UserName) -> Result<Option<Record>> {
        self.store.get(&name.user, &name.host).await?.map(|bytes| Record::decode(&bytes)).transpose()
    }

    async fn put(&self, name: &UserName, record: &Record) -> Result<()> {
        self.store.put(&name.user, &name.host, record.encode()).await
    }

    async fn everybody(&self) -> Result<Vec<(UserName, Record)>> {
        let all = self.store.all().await?;
        all.into_iter()
            .map(|(user, host, bytes)| Ok((UserName { user, host }, Record::decode(&bytes)?)))
            .collect()
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

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
