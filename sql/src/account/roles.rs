//! Roles: accounts that others may act in. Granting, taking back, choosing, and what an account may do with its active ones.

use super::users::shown;
use super::{Notes, Store, Work};
use crate::account::record::Record;
use crate::ast::{Lenient, RoleChoice, UserName};
use crate::error::{Result, SqlError};
use std::collections::BTreeSet;

pub(super) fn quoted_name(name: &UserName) -> String {
    format!("{}@{}", super::quoted(&name.user), super::quoted(&name.host))
}

/// The granted roles a choice means.
///
/// # Errors
/// 3530 for one that is not granted.
pub(crate) fn chosen(choice: &RoleChoice, name: &UserName, record: &Record) -> Result<BTreeSet<UserName>> {
    let granted = |role: &UserName| {
        if record.roles.contains_key(role) {
            return Ok(());
        }
        let text = format!("{} is not granted to {}", quoted_name(role), quoted_name(name));
        Err(SqlError::new(3530, text))
    };
    Ok(match choice {
        RoleChoice::None => BTreeSet::new(),
        RoleChoice::Default => record.default_roles.clone(),
        RoleChoice::All => record.roles.keys().cloned().collect(),
        RoleChoice::AllExcept(but) => {
            but.iter().try_for_each(granted)?;
            record.roles.keys().filter(|role| !but.contains(role)).cloned().collect()
        }
        RoleChoice::Some(roles) => {
            roles.iter().try_for_each(granted)?;
            roles.iter().cloned().collect()
        }
    })
}

/// An account's record together with what the roles give it, and what their roles give them.
///
/// # Errors
/// The store's.
pub(crate) async fn effective<S: Store>(
    store: &S,
    mut record: Record,
    roles: impl Iterator<Item = UserName> + Send,
) -> Result<Record> {
    let mut waiting: Vec<UserName> = roles.collect();
    let mut seen: BTreeSet<UserName> = BTreeSet::new();
    while let Some(role) = waiting.pop() {
        if !seen.insert(role.clone()) {
            continue;
        }
        if let Some(bytes) = store.get(&role.user, &role.host).await? {
            let given = Record::decode(&bytes)?;
            record.join(&given);
            waiting.extend(given.roles.into_keys());
        }
    }
    Ok(record)
}

impl<S: Store> Work<'_, S> {
    /// 3523 for an account that is not there.
    pub(super) async fn must_exist(&self, name: &UserName) -> Result<Record> {
        let unknown = || SqlError::new(3523, format!("Unknown authorization ID {}", quoted_name(name)));
        self.record(name).await?.ok_or_else(unknown)
    }

    pub(super) async fn grant_roles(
        &self,
        roles: &[UserName],
        users: &[UserName],
        admin: bool,
    ) -> Result<()> {
        let mut changed = Vec::new();
        for role in roles {
            self.must_exist(role).await?;
        }
        for name in users {
            let name = self.resolve(name);
            let mut record = self.must_exist(&name).await?;
            for role in roles {
                if *role == name || self.acts_in(role, &name).await? {
                    let text = format!(
                        "User account {} is directly or indirectly granted to the role {}. The GRANT would create a loop",
                        quoted_name(role),
                        quoted_name(&name)
                    );
                    return Err(SqlError::new(3527, text));
                }
                *record.roles.entry(role.clone()).or_default() |= admin;
            }
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(())
    }

    /// Does `name` have `role`, directly or through others?
    async fn acts_in(&self, name: &UserName, role: &UserName) -> Result<bool> {
        let mut waiting = vec![name.clone()];
        let mut seen = BTreeSet::new();
        while let Some(next) = waiting.pop() {
            let Some(record) = self.record(&next).await? else { continue };
            if record.roles.contains_key(role) {
                return Ok(true);
            }
            if seen.insert(next) {
                waiting.extend(record.roles.into_keys());
            }
        }
        Ok(false)
    }

    pub(super) async fn revoke_roles(
        &self,
        roles: &[UserName],
        users: &[UserName],
        lenient: Lenient,
    ) -> Result<Notes> {
        let (mut notes, mut changed) = (Notes::new(), Vec::new());
        for role in roles {
            if self.record(role).await?.is_none() {
                let text = format!("Unknown authorization ID {}", quoted_name(role));
                if !lenient.if_exists {
                    return Err(SqlError::new(3523, text));
                }
                notes.push((3523, text));
            }
        }
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                if !lenient.unknown_user {
                    let text = format!("Unknown authorization ID {}", quoted_name(&name));
                    return Err(SqlError::new(3523, text));
                }
                notes.push((3162, format!("Authorization ID {} does not exist.", name.user)));
                continue;
            };
            // MySQL takes the revoke of a role that is not granted without a word.
            for role in roles {
                record.roles.remove(role);
                record.default_roles.remove(role);
            }
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(notes)
    }

    pub(super) async fn set_default(&self, choice: &RoleChoice, users: &[UserName]) -> Result<()> {
        let mut changed = Vec::new();
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                let text = format!("Operation SET DEFAULT ROLE failed for {}", shown(&name));
                return Err(SqlError::new(1396, text));
            };
            record.default_roles = chosen(choice, &name, &record)?;
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(())
    }
}
