//! GRANT and REVOKE of privileges, and how SHOW GRANTS and SHOW CREATE USER tell of them. Texts are MySQL 9.7's.

use super::privilege::{DYNAMIC, Privileges};
use super::record::{Lifetime, Record};
use super::roles::quoted_name;
use super::users::{MISSING, failed, shown};
use super::{Notes, Store, Work, quoted};
use crate::ast::{Granted, Lenient, Level, UserName};
use crate::error::{Result, SqlError};

/// What a statement's names mean on its level.
pub(super) struct Meant {
    pub(super) bits: Privileges,
    pub(super) dynamic: Vec<String>,
    /// ALL, and not its members one by one.
    pub(super) all: bool,
}

/// Source: recorded answers for names that are unknown or belong to another level.
pub(super) fn meant(what: &Granted, level: &Level) -> Result<Meant> {
    let all = match level {
        Level::Global => Privileges::ALL,
        Level::Schema(_) => Privileges::SCHEMA,
        Level::Table(..) => Privileges::TABLE,
    };
    let Granted::Some(names) = what else {
        let dynamic = if *level == Level::Global { DYNAMIC } else { &[] };
        let dynamic = dynamic.iter().map(|name| (*name).to_owned()).collect();
        return Ok(Meant { bits: all, dynamic, all: true });
    };
    let mut meant = Meant { bits: Privileges::NONE, dynamic: Vec::new(), all: false };
    for name in names {
        match Privileges::named(name) {
            Some(bit) if all.with(Privileges::GRANT_OPTION).has(bit) => meant.bits = meant.bits.with(bit),
            Some(_) if matches!(level, Level::Schema(_)) => {
                return Err(SqlError::new(1221, "Incorrect usage of DB GRANT and GLOBAL PRIVILEGES"));
            }
            Some(_) => {
                let text = "Illegal GRANT/REVOKE command; please consult the manual to see which privileges can be used";
                return Err(SqlError::new(1144, text));
            }
            None if !DYNAMIC.contains(&name.as_str()) => {
                let text = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version \
                            for the right syntax to use";
                return Err(SqlError::new(1149, text));
            }
            None if *level != Level::Global => {
                let text = format!("Illegal privilege level specified for {name}");
                return Err(SqlError::new(3619, text));
            }
            None => meant.dynamic.push(name.clone()),
        }
    }
    Ok(meant)
}

pub(super) fn no_grant(name: &UserName) -> SqlError {
    let text = format!("There is no such grant defined for user '{}' on host '{}'", name.user, name.host);
    SqlError::new(1141, text)
}

fn not_all() -> SqlError {
    SqlError::new(1269, "Can't revoke all privileges for one or more of the requested users")
}

/// Schema and table of a level whose names are complete (the caller filled them in).
fn place(level: &Level) -> (&str, &str) {
    match level {
        Level::Global | Level::Schema(None) | Level::Table(None, _) => ("", ""),
        Level::Schema(Some(schema)) => (schema, ""),
        Level::Table(Some(schema), table) => (schema, table),
    }
}

impl<S: Store> Work<'_, S> {
    pub(super) async fn grant(
        &self,
        what: &Granted,
        level: &Level,
        users: &[UserName],
        grant_option: bool,
    ) -> Result<()> {
        let meant = meant(what, level)?;
        let option = if grant_option { Privileges::GRANT_OPTION } else { Privileges::NONE };
        let bits = meant.bits.with(option);
        let (schema, table) = place(level);
        let mut changed = Vec::new();
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                return Err(SqlError::new(1410, "You are not allowed to create a user with GRANT"));
            };
            match level {
                Level::Global => {
                    record.global = record.global.with(bits);
                    for dynamic in &meant.dynamic {
                        *record.dynamic.entry(dynamic.clone()).or_default() |= grant_option;
                    }
                }
                Level::Schema(_) if bits.is_empty() => {}
                Level::Schema(_) => {
                    let held = record.schemas.entry(schema.to_owned()).or_default();
                    *held = held.with(bits);
                }
                Level::Table(..) if bits.is_empty() => {}
                Level::Table(..) => {
                    let held = record.tables.entry((schema.to_owned(), table.to_owned())).or_default();
                    *held = held.with(bits);
                }
            }
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(())
    }

    pub(super) async fn revoke(
        &self,
        what: &Granted,
        level: &Level,
        users: &[UserName],
        lenient: Lenient,
    ) -> Result<Notes> {
        let meant = meant(what, level)?;
        let (mut notes, mut changed) = (Notes::new(), Vec::new());
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                if !lenient.unknown_user {
                    let everything = meant.all && *level == Level::Global;
                    return Err(if everything { not_all() } else { no_grant(&name) });
                }
                notes.push((3162, format!("Authorization ID {} does not exist.", name.user)));
                continue;
            };
            match take(&mut record, &meant, level, &name) {
                Ok(()) => changed.push((name, record)),
                Err(error) if lenient.if_exists => notes.push((error.code, error.message)),
                Err(error) => return Err(error),
            }
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(notes)
    }

    /// REVOKE ALL PRIVILEGES, GRANT OPTION: everything but roles.
    pub(super) async fn revoke_everything(&self, users: &[UserName], lenient: Lenient) -> Result<Notes> {
        let (mut notes, mut changed) = (Notes::new(), Vec::new());
        for name in users {
            let name = self.resolve(name);
            let Some(mut record) = self.record(&name).await? else {
                if !lenient.unknown_user {
                    return Err(not_all());
                }
                notes.push((3162, format!("Authorization ID {} does not exist.", name.user)));
                continue;
            };
            record.global = Privileges::NONE;
            record.dynamic.clear();
            record.schemas.clear();
            record.tables.clear();
            changed.push((name, record));
        }
        for (name, record) in changed {
            self.put(&name, &record).await?;
        }
        Ok(notes)
    }
}

/// Takes privileges of one level away. On schemas and tables there must be a grant to take them from (and on a table one of them).
fn take(record: &mut Record, meant: &Meant, level: &Level, name: &UserName) -> Result<()> {
    let (schema, table) = place(level);
    match level {
        Level::Global => {
            record.global = record.global.without(meant.bits);
            record.dynamic.retain(|held, _| !meant.dynamic.contains(held));
        }
        Level::Schema(_) => {
            let held = record.schemas.get_mut(schema).ok_or_else(|| no_grant(name))?;
            *held = held.without(meant.bits);
            if held.is_empty() {
                record.schemas.remove(schema);
            }
        }
        Level::Table(..) => {
            let missing = || {
                let (user, host) = (&name.user, &name.host);
                let text = format!(
                    "There is no such grant defined for user '{user}' on host '{host}' on table '{table}'"
                );
                SqlError::new(1147, text)
            };
            let key = (schema.to_owned(), table.to_owned());
            let held = record.tables.get_mut(&key).ok_or_else(missing)?;
            if !meant.all && !held.any(meant.bits) {
                return Err(missing());
            }
            *held = held.without(meant.bits);
            if held.is_empty() {
                record.tables.remove(&key);
            }
        }
    }
    Ok(())
}

/// SHOW GRANTS: the column's name and its lines; `using`: with what these roles give.
///
/// # Errors
/// 1141 for an account that is not there, 3530 for a role that is not granted.
pub(crate) async fn grants<S: Store>(
    store: &S,
    name: &UserName,
    using: &[UserName],
) -> Result<(String, Vec<String>)> {
    let Some(bytes) = store.get(&name.user, &name.host).await? else { return Err(no_grant(name)) };
    let own = Record::decode(&bytes)?;
    let roles = super::roles::chosen(&crate::ast::RoleChoice::Some(using.to_vec()), name, &own)?;
    let record = super::roles::effective(store, own.clone(), roles.into_iter()).await?;
    let who = quoted_name(name);
    let option = |on: bool| if on { " WITH GRANT OPTION" } else { "" };
    let given_on = |held: Privileges| option(held.has(Privileges::GRANT_OPTION));
    let global = record.global;
    let mut lines =
        vec![format!("GRANT {} ON *.* TO {who}{}", global.list(Privileges::ALL), given_on(global))];
    for on in [false, true] {
        let names: Vec<_> =
            record.dynamic.iter().filter(|(_, o)| **o == on).map(|(n, _)| n.as_str()).collect();
        if !names.is_empty() {
            lines.push(format!("GRANT {} ON *.* TO {who}{}", names.join(","), option(on)));
        }
    }
    for (schema, held) in &record.schemas {
        let list = held.list(Privileges::SCHEMA);
        lines.push(format!("GRANT {list} ON {}.* TO {who}{}", quoted(schema), given_on(*held)));
    }
    for ((schema, table), held) in &record.tables {
        let (list, option) = (held.list(Privileges::TABLE), given_on(*held));
        lines.push(format!("GRANT {list} ON {}.{} TO {who}{option}", quoted(schema), quoted(table)));
    }
    for on in [false, true] {
        let names: Vec<_> =
            own.roles.iter().filter(|(_, o)| **o == on).map(|(r, _)| quoted_name(r)).collect();
        if !names.is_empty() {
            let admin = if on { " WITH ADMIN OPTION" } else { "" };
            lines.push(format!("GRANT {} TO {who}{admin}", names.join(",")));
        }
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
    let roles: Vec<_> = record.default_roles.iter().map(quoted_name).collect();
    let roles = if roles.is_empty() { String::new() } else { format!(" DEFAULT ROLE {}", roles.join(",")) };
    let tls = if record.needs_tls { "SSL" } else { "NONE" };
    let expire = match record.lifetime {
        _ if record.expired => String::new(),
        Lifetime::Default => " DEFAULT".to_owned(),
        Lifetime::Never => " NEVER".to_owned(),
        Lifetime::Days(days) => format!(" INTERVAL {days} DAY"),
    };
    let lock = if record.locked { "LOCK" } else { "UNLOCK" };
    let line = format!(
        "CREATE USER {} IDENTIFIED WITH '{}'{proof}{roles} REQUIRE {tls} PASSWORD EXPIRE{expire} ACCOUNT {lock} PASSWORD HISTORY \
         DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT",
        quoted_name(name),
        record.plugin
    );
    Ok((format!("CREATE USER for {}@{}", name.user, name.host), line))
}
