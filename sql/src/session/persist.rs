//! SET PERSIST, SET PERSIST_ONLY and RESET PERSIST: global values that the next start finds again.
//!
//! 1. What is persisted is written (by the [`crate::api::Host`]) before the statement answers, all of it at once.
//! 2. PERSIST sets the global value too; PERSIST_ONLY leaves it, and takes read-only settings as well.

use super::Session;
use crate::error::{Result, SqlError, unknown_variable};
use crate::variable::{find, set, variable};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use values::{Level, Value};

impl super::Server {
    /// What is persisted, by name.
    pub(crate) fn persisted(&self) -> BTreeMap<String, String> {
        self.persisted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is persisted; nothing has changed if it cannot be written.
    fn change_persisted(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<()> {
        let mut kept = self.persisted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.clone();
        change(&mut all);
        self.host.persist(&all).map_err(|problem| {
            SqlError::new(1026, format!("Error writing file 'persisted.toml' ({problem})"))
        })?;
        *kept = all;
        Ok(())
    }
}

impl Session {
    /// Keeps `text` as the value of a variable for the next start.
    pub(super) fn persist(&self, name: &str, text: &str) -> Result<()> {
        self.server.change_persisted(|all| {
            all.insert(name.to_owned(), text.to_owned());
        })
    }

    /// SET PERSIST_ONLY of a variable that cannot be set while the server runs.
    pub(super) async fn persist_read_only(&mut self, index: usize, value: Option<Value>) -> Result<()> {
        let variable = crate::variable::variable(index);
        self.may_administer("SYSTEM_VARIABLES_ADMIN or SUPER").await?;
        self.may_administer("PERSIST_RO_VARIABLES_ADMIN").await?;
        let given = value.map_or_else(|| variable.default.to_owned(), |value| set::shown(&value));
        match self.server.host.start_setting(variable.name, &given) {
            Some(Ok(text)) => self.persist(variable.name, &text),
            Some(Err(problem)) => {
                let message = format!(
                    "Variable '{}' can't be set to the value of '{given}' ({problem})",
                    variable.name
                );
                Err(SqlError::new(1231, message))
            }
            None => Err(non_persistent(variable.name)),
        }
    }

    /// RESET PERSIST [[IF EXISTS] name]: what was persisted is forgotten; values in force stay.
    pub(super) async fn reset_persist(&mut self, name: Option<&str>, if_exists: bool) -> Result<()> {
        self.may_administer("SYSTEM_VARIABLES_ADMIN or SUPER").await?;
        let Some(name) = name else { return self.server.change_persisted(BTreeMap::clear) };
        if self.server.persisted().contains_key(name) {
            return self.server.change_persisted(|all| {
                all.remove(name);
            });
        }
        let missing = format!("Variable {name} does not exist in persisted config file");
        if !if_exists {
            return Err(SqlError::new(3615, missing));
        }
        self.context.warn(Level::Warning, 3615, missing);
        Ok(())
    }

    /// The variable of a SET PERSIST_ONLY that is read-only here.
    pub(super) fn is_read_only(name: &str) -> Result<Option<usize>> {
        let index = find(name).ok_or_else(|| unknown_variable(name))?;
        Ok(variable(index).kind.is_read_only().then_some(index))
    }
}

fn non_persistent(name: &str) -> SqlError {
    SqlError::new(1238, format!("Variable '{name}' is a non persistent read only variable"))
}
