//! Accounts on the engine's dictionary: what the session and compute call.

use super::record::Record;
use super::{Store, Work, grants, run};
use crate::api::Host;
use crate::ast::{Ddl, UserName, UserSpec};
use crate::error::{Result, SqlError};
use crate::session::Server;
use crate::session::context::Context;
use crate::show::ShowTable;
use engine::Dictionary;
use values::Level;

impl Store for Dictionary {
    async fn get(&self, user: &str, host: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_account(user, host).await?)
    }

    async fn put(&self, user: &str, host: &str, record: Vec<u8>) -> Result<()> {
        Ok(self.put_account(user, host, &record).await?)
    }

    async fn remove(&self, user: &str, host: &str) -> Result<bool> {
        Ok(self.drop_account(user, host).await?)
    }

    async fn all(&self) -> Result<Vec<(String, String, Vec<u8>)>> {
        Ok(self.accounts().await?)
    }
}

/// An account, as whoever checks a login or a privilege needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user name, empty for the anonymous one.
    pub user: String,
    /// Its host pattern.
    pub host: String,
    /// Its authentication plugin.
    pub plugin: String,
    /// authentication_string.
    pub hash: Vec<u8>,
    /// ACCOUNT LOCK.
    pub locked: bool,
    record: Record,
}

impl Account {
    /// ALL PRIVILEGES on everything.
    pub fn is_superuser(&self) -> bool {
        self.record.global.all
    }

    /// ALL PRIVILEGES on the schema, or on everything.
    pub fn may_use(&self, schema: &str) -> bool {
        self.record.may_use(schema)
    }

    /// GRANT OPTION on the schema, or on everything (`None`: on everything).
    pub fn may_grant(&self, schema: Option<&str>) -> bool {
        let on_schema = |name: &str| self.record.schemas.get(name).is_some_and(|p| p.grant);
        self.record.global.grant || schema.is_some_and(on_schema)
    }
}

fn account((user, host, record): (String, String, Record)) -> Account {
    let (plugin, hash, locked) = (record.plugin.clone(), record.hash.clone(), record.locked);
    Account { user, host, plugin, hash, locked, record }
}

/// The account that `user` from `client_host` (an address, or `localhost`) logs in to.
pub(crate) async fn find(dictionary: &Dictionary, user: &str, client_host: &str) -> Result<Option<Account>> {
    Ok(super::find(dictionary, user, client_host).await?.map(account))
}

/// The account of exactly this name: what a running session may do, read again for every statement that asks.
pub(crate) async fn exactly(dictionary: &Dictionary, user: &str, host: &str) -> Result<Option<Account>> {
    let Some(bytes) = dictionary.get_account(user, host).await? else { return Ok(None) };
    Ok(Some(account((user.to_owned(), host.to_owned(), Record::decode(&bytes)?))))
}

impl Server {
    /// Gives a new volume its first account: root from this machine, without a password. Call it once after the engine has opened.
    ///
    /// # Errors
    /// The dictionary's.
    pub async fn first_start(&self) -> Result<()> {
        super::first_start(&self.engine().dictionary()).await
    }

    /// The account that `user` from `client_host` (an address, or `localhost`) logs in to.
    ///
    /// # Errors
    /// The dictionary's.
    pub async fn account(&self, user: &str, client_host: &str) -> Result<Option<Account>> {
        find(&self.engine().dictionary(), user, client_host).await
    }

    /// An account anybody could log in to, as `'user'@'host'`.
    ///
    /// # Errors
    /// The dictionary's.
    pub async fn account_without_password(&self) -> Result<Option<String>> {
        super::without_password(&self.engine().dictionary()).await
    }
}

fn needs(privilege: &str) -> SqlError {
    let text =
        format!("Access denied; you need (at least one of) the {privilege} privilege(s) for this operation");
    SqlError::new(1227, text)
}

/// Does the session act on nobody but itself?
fn is_self(context: &Context, name: &UserName) -> bool {
    let me = (&context.account.0, &context.account.1);
    (name.user.is_empty() && name.host.is_empty()) || (&name.user, &name.host) == me
}

/// CREATE, ALTER and DROP USER need CREATE USER, but for one's own password; GRANT and REVOKE need what they give, with GRANT OPTION.
async fn authorise(statement: &Ddl, dictionary: &Dictionary, context: &Context) -> Result<()> {
    let (user, host) = &context.account;
    let me = exactly(dictionary, user, host).await?;
    let superuser = me.as_ref().is_some_and(Account::is_superuser);
    let allowed = match statement {
        Ddl::AlterUser { users, .. } => superuser || users.iter().all(|spec| is_self(context, &spec.name)),
        Ddl::GrantAll { schema, .. } | Ddl::RevokeAll { schema, .. } => {
            let schema = schema.as_deref();
            let has =
                |me: &Account| schema.map_or(me.is_superuser(), |s| me.may_use(s)) && me.may_grant(schema);
            if me.as_ref().is_some_and(has) {
                return Ok(());
            }
            let who = format!("'{}'@'{}'", context.user, context.host);
            return Err(match schema {
                Some(schema) => {
                    SqlError::new(1044, format!("Access denied for user {who} to database '{schema}'"))
                }
                None => SqlError::new(1045, format!("Access denied for user {who} (using password: YES)")),
            });
        }
        _ => superuser,
    };
    if allowed { Ok(()) } else { Err(needs("CREATE USER")) }
}

/// Runs CREATE, ALTER or DROP USER, GRANT ALL, REVOKE ALL or FLUSH PRIVILEGES.
///
/// # Errors
/// MySQL's; nothing was written then.
pub(crate) async fn execute(
    statement: &Ddl,
    dictionary: &Dictionary,
    context: &mut Context,
    host: &dyn Host,
) -> Result<()> {
    authorise(statement, dictionary, context).await?;
    let me = context.account.clone();
    let hash = |plugin: &str, password: &[u8]| host.password_hash(plugin, password);
    let notes = run(&Work { store: dictionary, me: &me, hash: &hash }, statement).await?;
    if matches!(statement, Ddl::FlushPrivileges) {
        let text = "'FLUSH PRIVILEGES' is deprecated and will be removed in a future release.";
        context.warn(Level::Warning, 1681, text.to_owned());
    }
    for (code, text) in notes {
        context.warn(Level::Note, code, text);
    }
    Ok(())
}

/// SET PASSWORD [FOR user] = 'password'
///
/// # Errors
/// 1133 for an account that is not there, 1227 without the privilege.
pub(crate) async fn set_password(
    user: Option<&UserName>,
    password: &str,
    dictionary: &Dictionary,
    context: &mut Context,
    host: &dyn Host,
) -> Result<()> {
    let me = UserName { user: context.account.0.clone(), host: context.account.1.clone() };
    let name = user.filter(|name| !is_self(context, name)).cloned().unwrap_or(me);
    if dictionary.get_account(&name.user, &name.host).await?.is_none() {
        return Err(SqlError::new(1133, "Can't find any matching row in the user table"));
    }
    let spec = UserSpec { name, plugin: None, password: Some(password.to_owned()), hash: None };
    execute(&Ddl::AlterUser { users: vec![spec], if_exists: false }, dictionary, context, host).await
}

/// SHOW GRANTS [FOR user]
///
/// # Errors
/// 1141 for an account that is not there, 1044 for another's without privileges.
pub(crate) async fn show_grants(
    user: Option<&UserName>,
    dictionary: &Dictionary,
    context: &Context,
) -> Result<ShowTable> {
    let name = see(user, dictionary, context).await?;
    let (title, lines) = grants(dictionary, &name).await?;
    let mut table = ShowTable::texts(&[(title.as_str(), 1024)]);
    for line in &lines {
        table.push_texts(&[line]);
    }
    Ok(table)
}

/// SHOW CREATE USER user
///
/// # Errors
/// 1396 for an account that is not there, 1044 for another's without privileges.
pub(crate) async fn show_create_user(
    user: &UserName,
    dictionary: &Dictionary,
    context: &Context,
) -> Result<ShowTable> {
    let name = see(Some(user), dictionary, context).await?;
    let (title, line) = super::show_create(dictionary, &name).await?;
    let mut table = ShowTable::texts(&[(title.as_str(), 4096)]);
    table.push_texts(&[&line]);
    Ok(table)
}

/// The account meant, if the session may look at it: its own, or any with privileges on everything.
async fn see(user: Option<&UserName>, dictionary: &Dictionary, context: &Context) -> Result<UserName> {
    let (me, my_host) = &context.account;
    let name = match user {
        Some(name) if !is_self(context, name) => name.clone(),
        _ => return Ok(UserName { user: me.clone(), host: my_host.clone() }),
    };
    match exactly(dictionary, me, my_host).await? {
        Some(account) if account.is_superuser() => Ok(name),
        _ => {
            let text =
                format!("Access denied for user '{}'@'{}' to database 'mysql'", context.user, context.host);
            Err(SqlError::new(1044, text))
        }
    }
}
