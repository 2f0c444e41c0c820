//! The account statements, on records. Texts are MySQL 9.7's.

use super::Store;
use super::record::{DEFAULT_PLUGIN, NATIVE_PLUGIN, Privileges, Record};
use crate::ast::{Ddl, UserName, UserSpec};
use crate::error::{Result, SqlError, unsupported};
use std::collections::BTreeSet;

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
}

fn shown(name: &UserName) -> String {
    format!("'{}'@'{}'", name.user, name.host)
}

/// Runs an account statement. The caller has checked that the session may.
///
/// # Errors
/// MySQL's, with nothing written.
pub(crate) async fn run<S: Store>(work: &Work<'_, S>, statement: &Ddl) -> Result<Notes> {
    match statement {
        Ddl::CreateUser { users, if_not_exists } => work.create(users, *if_not_exists).await,
        Ddl::AlterUser { users, if_exists } => work.alter(users, *if_exists).await,
        Ddl::DropUser { users, if_exists } => work.drop_users(users, *if_exists).await,
        Ddl::GrantAll { schema, users, grant_option } => {
            work.grant(schema.as_deref(), users, *grant_option).await.map(|()| Notes::new())
        }
        Ddl::RevokeAll { schema, users } => {
            work.revoke(schema.as_deref(), users).await.map(|()| Notes::new())
        }
        _ => Ok(Notes::new()),
    }
}

fn failed(operation: &str, users: &[String], why: &str) -> SqlError {
    let list: Vec<_> = users.iter().map(|user| format!("{user} ({why})")).collect();
    SqlError::new(1396, format!("Operation {operation} failed for {}", list.join(",")))
}

const EXISTS: &str = "User account already exists";
const MISSING: &str = "User account does not exist";

impl<S: Store> Work<'_, S> {
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

    /// The plugin and authentication string a statement asks for; `before` is what the account has.
    fn identified(&self, spec: &UserSpec, before: Option<&Record>) -> Result<(String, Vec<u8>)> {
        let known = |plugin: &str| plugin == DEFAULT_PLUGIN || plugin == NATIVE_PLUGIN;
        let plugin = match (&spec.plugin, before) {
            (Some(plugin), _) => plugin.as_str(),
            (None, Some(before)) => before.plugin.as_str(),
            (None, None) => DEFAULT_PLUGIN,
        };
        if !known(plugin) {
            return Err(SqlError::new(1524, format!("Plugin '{plugin}' is not loaded")));
        }
        let hash = match (&spec.hash, &spec.password, before) {
            (Some(hash), ..) if is_stored_form(plugin, hash) => hash.clone(),
            (Some(_), ..) => {
                return Err(SqlError::new(1827, "The password hash doesn't have the expected format."));
            }
            (None, Some(password), _) => self.hash_of(plugin, password)?,
            (None, None, Some(before)) if spec.plugin.is_none() => before.hash.clone(),
            (None, None, _) => Vec::new(),
        };
        Ok((plugin.to_owned(), hash))
    }

    fn hash_of(&self, plugin: &str, password: &str) -> Result<Vec<u8>> {
        (self.hash)(plugin, password.as_bytes())
            .ok_or_else(|| SqlError::new(1524, format!("Plugin '{plugin}' is not loaded")))
    }

    async fn create(&self, users: &[UserSpec], if_not_exists: bool) -> Result<Notes> {
        let (mut notes, mut there, mut new) = (Notes::new(), Vec::new(), Vec::new());
        let mut named = BTreeSet::new();
        for spec in users {
            let name = &spec.name;
            check_name(name)?;
            if self.record(name).await?.is_some() || !named.insert(shown(name)) {
                there.push(shown(name));
            } else {
                let (plugin, hash) = self.identified(spec, None)?;
                new.push((name, Record::new(&plugin, hash)));
            }
        }
        if !if_not_exists && !there.is_empty() {
            return Err(failed("CREATE USER", &there, EXISTS));
        }
        for (name, record) in new {
            self.put(name, &record).await?;
        }
        notes
            .extend(there.into_iter().map(|user| (3163, format!("Authorization ID {user} already exists."))));
        Ok(notes)
    }

    async fn alter(&self, users: &[UserSpec], if_exists: bool) -> Result<Notes> {
        let (mut missing, mut changed) = (Vec::new(), Vec::new());
        for spec in users {
            let name = self.resolve(&spec.name);
            match self.record(&name).await? {
                None => missing.push(shown(&name)),
                Some(record) => {
                    let (plugin, hash) = self.identified(spec, Some(&record))?;
                    changed.push((name, Record { plugin, hash, ..record }));
                }
            }
        }
        if !if_exists && !missing.is_empty() {
            return Err(failed("ALTER USER", &missing, MISSING));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(missing_notes(missing))
    }

    async fn drop_users(&self, users: &[UserName], if_exists: bool) -> Result<Notes> {
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for name in users {
            let name = self.resolve(name);
            match self.record(&name).await? {
                None => missing.push(shown(&name)),
                Some(_) => found.push(name),
            }
        }
        if !if_exists && !missing.is_empty() {
            return Err(failed("DROP USER", &missing, MISSING));
        }
        for name in found {
            self.store.remove(&name.user, &name.host).await?;
        }
        Ok(missing_notes(missing))
    }

    async fn grant(&self, schema: Option<&str>, users: &[UserName], grant_option: bool) -> Result<()> {
        let mut changed = Vec::new();
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                return Err(SqlError::new(1410, "You are not allowed to create a user with GRANT"));
            };
            let place = match schema {
                None => &mut record.global,
                Some(schema) if schema.contains('%') => {
                    return Err(unsupported("wildcards in GRANT ... ON `schema`.*"));
                }
                Some(schema) => record.schemas.entry(schema.replace('\\', "")).or_default(),
            };
            *place = Privileges { all: true, grant: place.grant || grant_option };
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(())
    }

    async fn revoke(&self, schema: Option<&str>, users: &[UserName]) -> Result<()> {
        let mut changed = Vec::new();
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                let text = "Can't revoke all privileges for one or more of the requested users";
                return Err(SqlError::new(1269, text));
            };
            match schema {
                None => record.global = Privileges::default(),
                Some(schema) => {
                    if record.schemas.remove(&schema.replace('\\', "")).is_none() {
                        return Err(no_grant(&name));
                    }
                }
            }
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(())
    }
}

fn missing_notes(missing: Vec<String>) -> Notes {
    missing.into_iter().map(|user| (3162, format!("Authorization ID {user} does not exist."))).collect()
}

fn no_grant(name: &UserName) -> SqlError {
    let text = format!("There is no such grant defined for user '{}' on host '{}'", name.user, name.host);
    SqlError::new(1141, text)
}

fn check_name(name: &UserName) -> Result<()> {
    if name.user.chars().count() > 32 {
        let text = format!("String '{}' is too long for user name (should be no longer than 32)", name.user);
        return Err(SqlError::new(1470, text));
    }
    if name.host.len() > 255 {
        let text = format!("String '{}' is too long for host name (should be no longer than 255)", name.host);
        return Err(SqlError::new(1470, text));
    }
    Ok(())
}

/// True when `hash` is what the plugin stores.
fn is_stored_form(plugin: &str, hash: &[u8]) -> bool {
    let native = || hash.len() == 41 && hash[0] == b'*' && hash[1..].iter().all(u8::is_ascii_hexdigit);
    let sha2 = || hash.len() == 70 && hash.starts_with(b"$A$") && hash[6] == b'$';
    hash.is_empty() || if plugin == NATIVE_PLUGIN { native() } else { sha2() }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// SHOW GRANTS: the column's name and its lines.
///
/// # Errors
/// 1141 for an account that is not there.
pub(crate) async fn grants<S: Store>(store: &S, name: &UserName) -> Result<(String, Vec<String>)> {
    let Some(bytes) = store.get(&name.user, &name.host).await? else { return Err(no_grant(name)) };
    let record = Record::decode(&bytes)?;
    let who = format!("{}@{}", quoted(&name.user), quoted(&name.host));
    let option = |p: Privileges| if p.grant { " WITH GRANT OPTION" } else { "" };
    let word = if record.global.all { "ALL PRIVILEGES" } else { "USAGE" };
    let mut lines = vec![format!("GRANT {word} ON *.* TO {who}{}", option(record.global))];
    for (schema, privileges) in &record.schemas {
        lines.push(format!("GRANT ALL PRIVILEGES ON {}.* TO {who}{}", quoted(schema), option(*privileges)));
    }
    Ok((format!("Grants for {}@{}", name.user, name.host), lines))
}

/// SHOW CREATE USER: the column's name and its line.
///
/// # Errors
/// 1396 for an account that is not there.
pub(crate) async fn show_create<S: Store>(store: &S, name: &UserName) -> Result<(String, String)> {
    let Some(bytes) = store.get(&name.user, &name.host).await? else {
        return Err(failed("SHOW CREATE USER", &[shown(name)], MISSING));
    };
    let record = Record::decode(&bytes)?;
    let proof = if record.hash.is_empty() {
        String::new()
    } else if let Ok(text) = std::str::from_utf8(&record.hash)
        && !text.contains(['\'', '\\'])
        && !text.chars().any(char::is_control)
    {
        format!(" AS '{text}'")
    } else {
        format!(" AS 0x{}", record.hash.iter().map(|b| format!("{b:02X}")).collect::<String>())
    };
    let lock = if record.locked { "LOCK" } else { "UNLOCK" };
    let line = format!(
        "CREATE USER {}@{} IDENTIFIED WITH '{}'{proof} REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT {lock} PASSWORD HISTORY DEFAULT \
         PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
        quoted(&name.user),
        quoted(&name.host),
        record.plugin
    );
    Ok((format!("CREATE USER for {}@{}", name.user, name.host), line))
}
