//! CREATE, ALTER, DROP and RENAME of users and roles, on records. Texts are MySQL 9.7's.

use super::record::{DEFAULT_PLUGIN, Lifetime, NATIVE_PLUGIN, Record};
use super::roles::chosen;
use super::{Notes, Store, Work};
use crate::ast::{Expire, UserName, UserOptions, UserSpec};
use crate::error::{Result, SqlError};
use std::collections::BTreeSet;

pub(super) fn shown(name: &UserName) -> String {
    format!("'{}'@'{}'", name.user, name.host)
}

pub(super) fn failed(operation: &str, users: &[String], why: &str) -> SqlError {
    let list: Vec<_> = users.iter().map(|user| format!("{user} ({why})")).collect();
    SqlError::new(1396, format!("Operation {operation} failed for {}", list.join(",")))
}

const EXISTS: &str = "User account already exists";
pub(super) const MISSING: &str = "User account does not exist";

impl<S: Store> Work<'_, S> {
    /// The plugin and authentication string a statement asks for; `before` is what the account has.
    fn identified(&self, spec: &UserSpec, before: Option<&Record>) -> Result<(String, Vec<u8>)> {
        let known = |plugin: &str| plugin == DEFAULT_PLUGIN || plugin == NATIVE_PLUGIN;
        let plugin = match (&spec.plugin, before) {
            (Some(plugin), _) => plugin.as_str(),
            (None, Some(before)) => before.plugin.as_str(),
            (None, None) => DEFAULT_PLUGIN,
        };
        let not_loaded = || SqlError::new(1524, format!("Plugin '{plugin}' is not loaded"));
        if !known(plugin) {
            return Err(not_loaded());
        }
        let hash = match (&spec.hash, &spec.password, before) {
            (Some(hash), ..) if is_stored_form(plugin, hash) => hash.clone(),
            (Some(_), ..) => {
                return Err(SqlError::new(1827, "The password hash doesn't have the expected format."));
            }
            (None, Some(password), _) => (self.hash)(plugin, password.as_bytes()).ok_or_else(not_loaded)?,
            (None, None, Some(before)) if spec.plugin.is_none() => before.hash.clone(),
            (None, None, _) => Vec::new(),
        };
        Ok((plugin.to_owned(), hash))
    }

    fn apply(&self, options: &UserOptions, name: &UserName, record: &mut Record) -> Result<()> {
        record.needs_tls = options.tls.unwrap_or(record.needs_tls);
        record.locked = options.locked.unwrap_or(record.locked);
        match options.expire {
            None => {}
            Some(Expire::Now) => record.expired = true,
            Some(Expire::Default) => record.lifetime = Lifetime::Default,
            Some(Expire::Never) => record.lifetime = Lifetime::Never,
            Some(Expire::Days(days)) => record.lifetime = Lifetime::Days(days),
        }
        if let Some(choice) = &options.default_roles {
            record.default_roles = chosen(choice, name, record)?;
        }
        Ok(())
    }

    pub(super) async fn create(
        &self,
        users: &[UserSpec],
        if_not_exists: bool,
        options: &UserOptions,
    ) -> Result<Notes> {
        let (mut there, mut new) = (Vec::new(), Vec::new());
        let mut named = BTreeSet::new();
        for spec in users {
            let name = &spec.name;
            check_name(name)?;
            if self.record(name).await?.is_some() || !named.insert(name) {
                there.push(shown(name));
                continue;
            }
            let (plugin, hash) = self.identified(spec, None)?;
            let mut record = Record::new(&plugin, hash);
            record.password_set = self.now_s;
            // MySQL grants a new user the roles its DEFAULT ROLE names.
            if let Some(crate::ast::RoleChoice::Some(roles)) = &options.default_roles {
                for role in roles {
                    self.must_exist(role).await?;
                    record.roles.insert(role.clone(), false);
                }
            }
            self.apply(options, name, &mut record)?;
            new.push((name, record));
        }
        if !if_not_exists && !there.is_empty() {
            return Err(failed("CREATE USER", &there, EXISTS));
        }
        for (name, record) in new {
            self.put(name, &record).await?;
        }
        Ok(existing_notes(there))
    }

    pub(super) async fn create_roles(&self, roles: &[UserName], if_not_exists: bool) -> Result<Notes> {
        let (mut there, mut new) = (Vec::new(), BTreeSet::new());
        for name in roles {
            check_name(name)?;
            if name.user.is_empty() {
                return Err(SqlError::new(3540, "The role name cannot be anonymous"));
            }
            if self.record(name).await?.is_some() || !new.insert(name) {
                there.push(shown(name));
            }
        }
        if !if_not_exists && !there.is_empty() {
            return Err(failed("CREATE ROLE", &there, EXISTS));
        }
        for name in new {
            let record =
                Record { role: true, locked: true, expired: true, ..Record::new(DEFAULT_PLUGIN, Vec::new()) };
            self.put(name, &record).await?;
        }
        Ok(existing_notes(there))
    }

    pub(super) async fn alter(
        &self,
        users: &[UserSpec],
        if_exists: bool,
        options: &UserOptions,
    ) -> Result<Notes> {
        let (mut missing, mut changed) = (Vec::new(), Vec::new());
        for spec in users {
            let name = self.resolve(&spec.name);
            let Some(mut record) = self.record(&name).await? else {
                missing.push(shown(&name));
                continue;
            };
            let (plugin, hash) = self.identified(spec, Some(&record))?;
            if spec.password.is_some() || spec.hash.is_some() || spec.plugin.is_some() {
                record.expired = false;
                record.password_set = self.now_s;
            }
            (record.plugin, record.hash) = (plugin, hash);
            self.apply(options, &name, &mut record)?;
            changed.push((name, record));
        }
        if !if_exists && !missing.is_empty() {
            return Err(failed("ALTER USER", &missing, MISSING));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(missing_notes(missing))
    }

    /// DROP USER and DROP ROLE: either drops both kinds. Nobody keeps a role that is gone.
    pub(super) async fn drop_accounts(
        &self,
        verb: &str,
        names: &[UserName],
        if_exists: bool,
    ) -> Result<Notes> {
        let (mut missing, mut found) = (Vec::new(), BTreeSet::new());
        for name in names {
            let name = self.resolve(name);
            match self.record(&name).await? {
                None => missing.push(shown(&name)),
                Some(_) => drop(found.insert(name)),
            }
        }
        if !if_exists && !missing.is_empty() {
            return Err(failed(verb, &missing, MISSING));
        }
        for name in &found {
            self.store.remove(&name.user, &name.host).await?;
        }
        for (name, mut record) in self.everybody().await? {
            let before = (record.roles.len(), record.default_roles.len());
            record.roles.retain(|role, _| !found.contains(role));
            record.default_roles.retain(|role| !found.contains(role));
            if before != (record.roles.len(), record.default_roles.len()) {
                self.put(&name, &record).await?;
            }
        }
        Ok(missing_notes(missing))
    }

    pub(super) async fn rename(&self, pairs: &[(UserName, UserName)]) -> Result<()> {
        let mut wrong = Vec::new();
        // Pair by pair, as MySQL goes: a name that an earlier pair gave up is free.
        let (mut taken, mut given_up) = (BTreeSet::new(), BTreeSet::new());
        for (from, to) in pairs {
            check_name(to)?;
            let there =
                taken.contains(from) || (self.record(from).await?.is_some() && !given_up.contains(from));
            let free = !taken.contains(to) && (self.record(to).await?.is_none() || given_up.contains(to));
            if !there || !free {
                wrong.push(shown(from));
                continue;
            }
            taken.remove(from);
            given_up.insert(from);
            given_up.remove(to);
            taken.insert(to);
        }
        if !wrong.is_empty() {
            return Err(SqlError::new(1396, format!("Operation RENAME USER failed for {}", wrong.join(","))));
        }
        for (from, to) in pairs {
            let Some(record) = self.record(from).await? else { continue };
            self.put(to, &record).await?;
            self.store.remove(&from.user, &from.host).await?;
            for (name, mut record) in self.everybody().await? {
                let admin = record.roles.remove(from);
                let default = record.default_roles.remove(from);
                if let Some(admin) = admin {
                    record.roles.insert(to.clone(), admin);
                    if default {
                        record.default_roles.insert(to.clone());
                    }
                    self.put(&name, &record).await?;
                }
            }
        }
        Ok(())
    }
}

fn existing_notes(there: Vec<String>) -> Notes {
    there.into_iter().map(|user| (3163, format!("Authorization ID {user} already exists."))).collect()
}

fn missing_notes(missing: Vec<String>) -> Notes {
    missing.into_iter().map(|user| (3162, format!("Authorization ID {user} does not exist."))).collect()
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
