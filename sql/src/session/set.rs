//! SET.

use super::Session;
use crate::ast::{Isolation, SetItem, VarScope};
use crate::error::{Result, SqlError, unknown_charset, unknown_collation, unknown_variable};
use crate::variable::{Charset, Kind, Scope, Settings, Values, find, set, variable};
use values::{Collation, Level, Value};

impl Session {
    /// All assignments of one SET. MySQL checks all before it applies any; values are computed in order.
    pub(super) async fn set(&mut self, items: &[SetItem], params: &[Value]) -> Result<()> {
        for item in items {
            self.check(item)?;
        }
        for item in items {
            self.apply(item, params).await?;
        }
        self.context.settings = Settings::of(&self.context.variables);
        self.sets += 1;
        Ok(())
    }

    fn check(&self, item: &SetItem) -> Result<()> {
        if let SetItem::System { scope, name, .. } = item {
            let index = find(name).ok_or_else(|| unknown_variable(name))?;
            if !(*scope == VarScope::PersistOnly && variable(index).kind.is_read_only()) {
                set::check_scope(index, scope.is_global())?;
            }
        }
        Ok(())
    }

    async fn apply(&mut self, item: &SetItem, params: &[Value]) -> Result<()> {
        match item {
            SetItem::User { name, value } => {
                let value = self.value(value, params).await?;
                self.context.user_variables.insert(name.to_lowercase(), value);
                self.tracker.changed();
            }
            SetItem::System { scope, name, value } => {
                let value = match value {
                    Some(expr) => Some(self.value(expr, params).await?),
                    None => None,
                };
                self.system(*scope, name, value).await?;
            }
            SetItem::Names { charset, collation } => self.names(charset.as_deref(), collation.as_deref())?,
            SetItem::CharacterSet(charset) => {
                let charset = charset_named(charset.as_deref().unwrap_or("utf8mb4"))?;
                self.put("character_set_client", charset.name());
                self.put("character_set_results", charset.name());
                self.put("character_set_connection", "utf8mb4");
                self.put("collation_connection", Collation::DEFAULT.name());
                self.context.results_collation = charset.default_collation().0;
            }
            SetItem::Transaction { scope, isolation, read_only } => {
                self.characteristics(*scope, *isolation, *read_only)?;
            }
            SetItem::Role(choice) => self.set_role(choice).await?,
            SetItem::DefaultRole(statement) => {
                let dictionary = self.server.engine.dictionary();
                let host = self.server.host.clone();
                crate::account::execute(statement, &dictionary, &mut self.context, &*host).await?;
                self.accounts_changed();
            }
            SetItem::Password { user, password } => {
                let dictionary = self.server.engine.dictionary();
                let host = self.server.host.clone();
                let done = crate::account::set_password(
                    user.as_ref(),
                    password,
                    &dictionary,
                    &mut self.context,
                    &*host,
                )
                .await;
                self.accounts_changed();
                done?;
            }
        }
        Ok(())
    }

    fn put(&mut self, name: &str, text: &str) {
        self.context.variables.put_named(name, text);
        if name != "session_track_state_change" {
            self.tracker.changed();
        }
        self.track(name, text);
    }

    /// Clients that track system variables learn of the ones they asked for.
    fn track(&mut self, name: &str, text: &str) {
        let tracked = self.context.variables.named("session_track_system_variables");
        if tracked == "*" || tracked.split(',').any(|t| t.trim().eq_ignore_ascii_case(name)) {
            self.variables_changed.push((name.to_owned(), text.to_owned()));
        }
    }

    async fn system(&mut self, scope: VarScope, name: &str, value: Option<Value>) -> Result<()> {
        let index = find(name).ok_or_else(|| unknown_variable(name))?;
        let variable = crate::variable::variable(index);
        let global = scope.is_global();
        if matches!(name, "last_insert_id" | "identity") {
            let id = value.map_or(0, |v| match v {
                Value::Int(v) => v as u64,
                Value::UInt(v) => v,
                _ => 0,
            });
            self.context.last_insert_id = id;
            return Ok(());
        }
        if scope == VarScope::PersistOnly
            && let Some(index) = Session::is_read_only(name)?
        {
            return self.persist_read_only(index, value).await;
        }
        let text = match value {
            Some(value) => {
                let mut clamped = false;
                let text = Values::checked(index, &value, &mut clamped)?;
                if clamped {
                    let shown = values::convert::text::to_text(&value, 0);
                    let message = format!("Truncated incorrect {name} value: '{}'", shown.as_str());
                    self.context.warn(Level::Warning, 1292, message);
                }
                text
            }
            None if matches!(variable.kind, Kind::ReadOnly | Kind::ReadOnlyInt | Kind::ReadOnlyBool) => {
                return Err(set::read_only(name));
            }
            None if global => variable.default.to_owned(),
            None => self.context.globals.text(index).to_owned(),
        };
        if global {
            self.may_administer("SYSTEM_VARIABLES_ADMIN or SUPER").await?;
            if matches!(scope, VarScope::Persist | VarScope::PersistOnly) {
                self.persist(name, &text)?;
            }
            if scope == VarScope::PersistOnly {
                return Ok(());
            }
            self.server.set_global(index, &text);
            if let ("sextant_max_history_bytes", Ok(bytes)) = (name, text.parse()) {
                self.server.engine.set_max_history_bytes(bytes);
            }
            self.read_globals();
            return Ok(());
        }
        if variable.scope == Scope::Global {
            return Err(unknown_variable(name));
        }
        self.session_variable(name, &text).await
    }

    async fn session_variable(&mut self, name: &str, text: &str) -> Result<()> {
        match name {
            // MySQL: turning autocommit on commits what is open.
            "autocommit" if text == "ON" && !self.context.settings.autocommit => {
                self.commit().await?;
            }
            "transaction_isolation" | "transaction_read_only" if self.in_transaction() => {}
            "session_track_system_variables" if text != "*" => {
                for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    if find(&name.to_lowercase()).is_none() {
                        let message = format!("{name} is not a valid system variable and will be ignored.");
                        self.context.warn(Level::Warning, 12_318, message);
                    }
                }
            }
            "resultset_metadata" if text == "NONE" && !self.optional_metadata => {
                return Err(SqlError::new(3640, "The client doesn't support optional metadata transfer"));
            }
            "character_set_results" => {
                let charset = Charset::from_name(text);
                self.context.results_collation = charset.map_or(255, |c| c.default_collation().0);
            }
            "character_set_connection" => {
                let collation = Charset::from_name(text).map_or(Collation::DEFAULT, Charset::collation);
                self.put("collation_connection", collation.name());
            }
            "collation_connection" => {
                let charset = Collation::from_name(text).map_or("utf8mb4", Collation::charset);
                self.context.variables.put_named("character_set_connection", charset);
            }
            "sql_mode" => self.put(name, text),
            _ => {}
        }
        self.put(name, text);
        // Later assignments of the same SET see this one.
        self.context.settings = Settings::of(&self.context.variables);
        Ok(())
    }

    fn names(&mut self, charset: Option<&str>, collation: Option<&str>) -> Result<()> {
        let charset = charset_named(charset.unwrap_or("utf8mb4"))?;
        let connection = match (collation, charset) {
            (Some(name), _) => {
                let collation = Collation::from_name(name).ok_or_else(|| unknown_collation(name))?;
                if collation.charset() != charset.name() {
                    return Err(SqlError::new(
                        1253,
                        format!(
                            "COLLATION '{}' is not valid for CHARACTER SET '{}'",
                            collation.name(),
                            charset.name()
                        ),
                    ));
                }
                collation
            }
            (None, set) => set.collation(),
        };
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.put(name, charset.name());
        }
        self.put("collation_connection", connection.name());
        self.context.results_collation = charset.default_collation().0;
        Ok(())
    }

    /// SET [GLOBAL|SESSION] TRANSACTION; without a scope it holds for the next transaction.
    fn characteristics(
        &mut self,
        scope: VarScope,
        isolation: Option<Isolation>,
        read_only: Option<bool>,
    ) -> Result<()> {
        if scope == VarScope::Default {
            if self.in_transaction() {
                return Err(SqlError::new(
                    1568,
                    "Transaction characteristics can't be changed while a transaction is in progress",
                ));
            }
            self.tracker.next_transaction(isolation, read_only);
            self.next_isolation = isolation.or(self.next_isolation);
            self.next_read_only = read_only.or(self.next_read_only);
            return Ok(());
        }
        let level = isolation.map(|i| match i {
            Isolation::ReadUncommitted => "READ-UNCOMMITTED",
            Isolation::ReadCommitted => "READ-COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE-READ",
            Isolation::Serializable => "SERIALIZABLE",
        });
        let access = read_only.map(|r| if r { "ON" } else { "OFF" });
        for (name, text) in [("transaction_isolation", level), ("transaction_read_only", access)] {
            let (Some(text), Some(index)) = (text, find(name)) else { continue };
            if scope == VarScope::Global {
                self.server.set_global(index, text);
            } else {
                self.put(name, text);
            }
        }
        Ok(())
    }
}

fn charset_named(name: &str) -> Result<Charset> {
    Charset::from_name(name).ok_or_else(|| unknown_charset(name))
}
