//! Accounts on the engine's dictionary: what the session and compute call.

use super::grants::meant;
use super::privilege::Privileges;
use super::record::{Lifetime, Record};
use super::{Store, Work, grants};
use crate::api::Host;
use crate::ast::{AccountStatement, Granted, Level, UserName, UserOptions, UserSpec};
use crate::error::{Result, SqlError};
use crate::session::Server;
use crate::session::context::Context;
use crate::show::ShowTable;
use engine::Dictionary;
use std::collections::BTreeSet;

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
    /// May administer the server: SUPER, which ALL PRIVILEGES on everything includes.
    pub fn is_superuser(&self) -> bool {
        self.record.global.has(Privileges::SUPER)
    }

    /// REQUIRE SSL: the account logs in over TLS only.
    pub fn needs_tls(&self) -> bool {
        self.record.needs_tls
    }

    /// The password has to be changed before anything else: by PASSWORD EXPIRE, or because it is too old at `now_s`.
    pub fn is_expired(&self, now_s: u64) -> bool {
        let age = now_s.saturating_sub(self.record.password_set);
        self.record.expired
            || matches!(self.record.lifetime, Lifetime::Days(days) if age >= u64::from(days) * 86_400)
    }

    /// No time makes its password expire: whoever asks often need not look at a clock.
    pub(crate) fn never_expires(&self) -> bool {
        !self.record.expired && !matches!(self.record.lifetime, Lifetime::Days(_))
    }

    /// Holds anything in the schema.
    pub fn may_use(&self, schema: &str) -> bool {
        self.record.may_use(schema)
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Holds a global privilege, static or dynamic.
    pub(crate) fn holds(&self, privilege: Privileges, dynamic: &str) -> bool {
        self.record.global.has(privilege) || self.record.dynamic.contains_key(dynamic)
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

/// The account of exactly this name with what its active roles give it: what a running session may do. `roles` `None`: its default ones, which
/// are handed back.
pub(crate) async fn exactly(
    dictionary: &Dictionary,
    user: &str,
    host: &str,
    roles: Option<&BTreeSet<UserName>>,
) -> Result<Option<(Account, BTreeSet<UserName>)>> {
    let Some(bytes) = dictionary.get_account(user, host).await? else { return Ok(None) };
    let own = Record::decode(&bytes)?;
    let mut active = roles.unwrap_or(&own.default_roles).clone();
    active.retain(|role| own.roles.contains_key(role));
    let record = super::roles::effective(dictionary, own, active.iter().cloned()).await?;
    Ok(Some((account((user.to_owned(), host.to_owned(), record)), active)))
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

/// May the session grant and revoke this? It must hold it all, with GRANT OPTION, where it gives it.
fn may_give(me: &Account, what: &Granted, level: &Level, context: &Context) -> Result<()> {
    let meant = meant(what, level)?;
    let wanted = meant.bits.with(Privileges::GRANT_OPTION);
    let (user, host) = (&context.user, &context.host);
    let who = format!("'{user}'@'{host}'");
    let record = me.record();
    match level {
        Level::Schema(Some(schema)) if !record.on_schema(schema).has(wanted) => {
            Err(SqlError::new(1044, format!("Access denied for user {who} to database '{schema}'")))
        }
        Level::Table(Some(schema), table) if !record.on_table(schema, table).has(wanted) => {
            Err(SqlError::new(1142, format!("GRANT command denied to user {who} for table '{table}'")))
        }
        Level::Global => {
            let dynamic = meant.dynamic.iter().all(|name| record.dynamic.get(name) == Some(&true));
            if (meant.bits.is_empty() || record.global.has(wanted)) && dynamic {
                return Ok(());
            }
            Err(SqlError::new(1045, format!("Access denied for user {who} (using password: YES)")))
        }
        _ => Ok(()),
    }
}

/// Users need CREATE USER, but for one's own password; roles their own two; GRANT and REVOKE what they give, with GRANT OPTION.
fn authorise(statement: &AccountStatement, me: &Account, context: &Context) -> Result<()> {
    use AccountStatement as A;
    let holds = |privilege: Privileges| me.record().global.any(privilege);
    let (create_user, administers) = (Privileges::CREATE_USER, holds(Privileges::CREATE_USER));
    let require = |allowed: bool, name: &str| if allowed { Ok(()) } else { Err(needs(name)) };
    match statement {
        A::AlterUser { users, options, .. } => {
            let own =
                users.iter().all(|spec| is_self(context, &spec.name)) && *options == UserOptions::default();
            require(own || administers, "CREATE USER")
        }
        A::CreateRole { .. } => {
            require(holds(create_user.with(Privileges::CREATE_ROLE)), "CREATE ROLE, CREATE USER")
        }
        A::DropRole { .. } => {
            require(holds(create_user.with(Privileges::DROP_ROLE)), "DROP ROLE, CREATE USER")
        }
        A::Grant { what, level, .. } | A::Revoke { what, level, .. } => may_give(me, what, level, context),
        A::GrantRoles { roles, .. } | A::RevokeRoles { roles, .. } => {
            let admin = |role: &UserName| me.record().roles.get(role) == Some(&true);
            let allowed = me.holds(Privileges::SUPER, "ROLE_ADMIN") || roles.iter().all(admin);
            require(allowed, "WITH ADMIN, ROLE_ADMIN, SUPER")
        }
        A::SetDefaultRole { users, .. } => {
            let own = users.iter().all(|name| is_self(context, name));
            require(own || administers, "CREATE USER")
        }
        A::FlushPrivileges => {
            require(me.holds(Privileges::RELOAD, "FLUSH_PRIVILEGES"), "RELOAD or FLUSH_PRIVILEGES")
        }
        _ => require(administers, "CREATE USER"),
    }
}

/// Names the default schema where a level leaves it out, and asks for the table of a table's grant.
async fn complete(
    statement: &AccountStatement,
    dictionary: &Dictionary,
    context: &Context,
) -> Result<AccountStatement> {
    let mut whole = statement.clone();
    let (AccountStatement::Grant { level, .. } | AccountStatement::Revoke { level, .. }) = &mut whole else {
        return Ok(whole);
    };
    if let Level::Schema(schema @ None) | Level::Table(schema @ None, _) = level {
        *schema = Some(context.schema()?.to_string());
    }
    if let AccountStatement::Grant { what, level: Level::Table(Some(schema), table), .. } = &whole {
        // A table that is to be created may be named before it is there.
        let creates = matches!(what, Granted::Some(names) if names.iter().any(|name| name == "CREATE"));
        if !creates && *what != Granted::All && dictionary.table(schema, table).await?.is_none() {
            return Err(crate::error::no_such_table(schema, table));
        }
    }
    Ok(whole)
}

/// Runs a statement about accounts.
///
/// # Errors
/// MySQL's; nothing was written then.
pub(crate) async fn execute(
    statement: &AccountStatement,
    dictionary: &Dictionary,
    context: &mut Context,
    host: &dyn Host,
) -> Result<()> {
    let statement = complete(statement, dictionary, context).await?;
    let (user, at) = &context.account;
    let me = exactly(dictionary, user, at, Some(&context.roles)).await?.map(|(me, _)| me);
    let me = me.ok_or_else(|| needs("CREATE USER"))?;
    authorise(&statement, &me, context)?;
    let me = context.account.clone();
    let hash = |plugin: &str, password: &[u8]| host.password_hash(plugin, password);
    let now_s = u64::try_from(context.now_us / 1_000_000).unwrap_or(0);
    let notes = Work { store: dictionary, me: &me, hash: &hash, now_s }.run(&statement).await?;
    if matches!(statement, AccountStatement::FlushPrivileges) {
        let text = "'FLUSH PRIVILEGES' is deprecated and will be removed in a future release.";
        context.warn(values::Level::Warning, 1681, text.to_owned());
    }
    let grants = matches!(statement, AccountStatement::Revoke { .. } | AccountStatement::RevokeRoles { .. });
    for (code, text) in notes {
        context.warn(if grants { values::Level::Warning } else { values::Level::Note }, code, text);
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
    let options = UserOptions::default();
    let statement = AccountStatement::AlterUser { users: vec![spec], if_exists: false, options };
    execute(&statement, dictionary, context, host).await
}

/// SHOW GRANTS [FOR user]
///
/// # Errors
/// 1141 for an account that is not there, 1044 for another's without privileges.
pub(crate) async fn show_grants(
    user: Option<&UserName>,
    using: &[UserName],
    dictionary: &Dictionary,
    context: &Context,
) -> Result<ShowTable> {
    let name = see(user, dictionary, context).await?;
    // Without a name the active roles count too.
    let active: Vec<UserName> = context.roles.iter().cloned().collect();
    let using = if user.is_none() { &active } else { using };
    let (title, lines) = grants(dictionary, &name, using).await?;
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
    match exactly(dictionary, me, my_host, Some(&context.roles)).await? {
        Some((account, _)) if account.record().on_schema("mysql").has(Privileges::SELECT) => Ok(name),
        _ => {
            let text =
                format!("Access denied for user '{}'@'{}' to database 'mysql'", context.user, context.host);
            Err(SqlError::new(1044, text))
        }
    }
}
