//! DDL statements: implicit commit, checks, one call of the dictionary, warnings of IF [NOT] EXISTS.

use super::view::is_not;
use super::{Session, algorithm};
use crate::api::ResultSink;
use crate::ast::{AlterAction, CreateTable, Ddl, IndexDef, IndexKind, TableName};
use crate::error::{Result, SqlError, unsupported};
use crate::exec::foreign::{Child, foreign_keys};
use crate::exec::virtual_rows::SCHEMA;
use crate::exec::{ddl, keys};
use crate::show::ShowTable;
use engine::{Dictionary, NewIndex, TableDef};
use std::sync::Arc;
use values::{Collation, Level};

impl Session {
    pub(super) fn dictionary(&self) -> Dictionary {
        self.server.engine.dictionary().with(engine::DdlOptions {
            lock_wait_timeout_us: self.context.settings.metadata_timeout_us,
            holder: Some(self.holder.clone()),
            kill: Some(self.kill.switch().clone()),
            no_foreign_key_checks: !self.context.settings.foreign_key_checks,
        })
    }

    pub(super) async fn ddl(&mut self, statement: &Ddl, more: bool, sink: &mut dyn ResultSink) -> Result<()> {
        let (mut affected, mut silent) = (0, false);
        if let Ddl::AlterTable { table, actions } = statement
            && actions.iter().any(is_any_constraint)
        {
            let found = self.writable(table).await?;
            let actions = actions.iter().map(|a| of_its_sort(a, &found)).collect::<Result<Vec<_>>>()?;
            let statement = Ddl::AlterTable { table: table.clone(), actions };
            return Box::pin(self.ddl(&statement, more, sink)).await;
        }
        match statement {
            Ddl::CreateDatabase { name, if_not_exists, charset, collation } => {
                affected = self
                    .create_database(name, *if_not_exists, charset.as_deref(), collation.as_deref())
                    .await?;
            }
            Ddl::DropDatabase { name, if_exists } => affected = self.drop_database(name, *if_exists).await?,
            Ddl::CreateTable(create) if create.select.is_some() => {
                return self.create_table_select(create, more, sink).await;
            }
            Ddl::CreateTable(create) => self.create_table(create).await?,
            Ddl::DropTable { tables, if_exists } => self.drop_tables(tables, *if_exists).await?,
            Ddl::Truncate(name) => {
                let table = self.resolve_target(name).await?;
                if table.view.is_some() {
                    return Err(crate::error::no_such_table(&self.schema_of(name)?, &name.name));
                }
                let table = table.table;
                self.dictionary().truncate_table(&table.schema_name, &table.name).await?;
            }
            Ddl::CreateIndex { table, index } => {
                let actions = [AlterAction::AddIndex(index.clone())];
                self.alter_indexes(table, &actions).await?;
            }
            Ddl::AlterTable { table, actions } if actions.iter().any(AlterAction::is_foreign_key) => {
                let table = self.writable(table).await?;
                self.alter_foreign_keys(&table, actions).await?;
            }
            Ddl::AlterTable { table, actions }
                if actions.iter().any(plain_index)
                    && actions.iter().all(|a| plain_index(a) || algorithm::is_option(a)) =>
            {
                algorithm::check(actions, algorithm::Way::Inplace)?;
                let plain: Vec<_> = actions.iter().filter(|a| plain_index(a)).cloned().collect();
                self.alter_indexes(table, &plain).await?;
            }
            Ddl::AlterTable { table, actions } => {
                let altered = self.alter_table(table, actions).await?;
                (affected, silent) = (altered.affected, altered.silent);
            }
            Ddl::CreateView(create) => Box::pin(self.create_view(create)).await?,
            Ddl::DropView { views, if_exists } => self.drop_views(views, *if_exists).await?,
            Ddl::RenameTables(pairs) => {
                self.rename_tables(pairs).await?;
                self.rename_locked(pairs)?;
            }
            Ddl::AlterDatabase { name, charset, collation } => {
                self.alter_database(name.as_deref(), charset.as_deref(), collation.as_deref()).await?;
                affected = 1;
            }
            Ddl::AnalyzeTable(tables) => {
                let table = self.table_messages("analyze", tables).await?;
                return self.send_table(&table, more, sink);
            }
            Ddl::CheckTable(tables) => {
                let table = self.table_messages("check", tables).await?;
                return self.send_table(&table, more, sink);
            }
            Ddl::Account(statement) => {
                let dictionary = self.dictionary();
                let host = self.server.host.clone();
                let done = crate::account::execute(statement, &dictionary, &mut self.context, &*host).await;
                self.accounts_changed();
                done?;
            }
        }
        let mut info = String::new();
        if !silent && matches!(statement, Ddl::CreateIndex { .. } | Ddl::AlterTable { .. }) {
            info = format!("Records: {affected}  Duplicates: 0  Warnings: {}", self.warnings());
        }
        self.send_ok_with(affected, info, more, sink)
    }

    async fn create_database(
        &mut self,
        name: &str,
        if_not_exists: bool,
        charset: Option<&str>,
        collation: Option<&str>,
    ) -> Result<u64> {
        let server = Collation::from_name(self.context.globals.named("collation_server"))
            .unwrap_or(Collation::DEFAULT);
        let collation = ddl::collation(charset, collation, server)?;
        ddl::check_name(name)
            .map_err(|_| SqlError::new(1102, format!("Incorrect database name '{name}'")))?;
        let reserved = [SCHEMA, "information_schema", "performance_schema", "mysql", "sys"];
        let options = format!("collation={}", collation.name());
        let exists = reserved.iter().any(|r| r.eq_ignore_ascii_case(name));
        let created = if exists {
            Err(engine::EngineError::SchemaExists(name.to_owned()))
        } else {
            self.dictionary().create_schema(name, &options).await
        };
        match created {
            Err(engine::EngineError::SchemaExists(_)) if if_not_exists => {
                let message = format!("Can't create database '{name}'; database exists");
                self.context.warn(Level::Note, 1007, message);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        Ok(1)
    }

    async fn alter_database(
        &mut self,
        name: Option<&str>,
        charset: Option<&str>,
        collation: Option<&str>,
    ) -> Result<()> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => {
                self.context.schema.as_deref().map(str::to_owned).ok_or_else(crate::error::no_database)?
            }
        };
        let now = self.schema_collation(&name).await?;
        let collation = ddl::collation(charset, collation, now)?;
        let options = format!("collation={}", collation.name());
        self.dictionary().alter_schema_options(&name, &options).await?;
        Ok(())
    }

    async fn drop_database(&mut self, name: &str, if_exists: bool) -> Result<u64> {
        let missing = || SqlError::new(1008, format!("Can't drop database '{name}'; database doesn't exist"));
        let tables = match self.dictionary().schema(name).await? {
            Some(_) => {
                let views = self.dictionary().views(name).await?.len();
                (self.dictionary().tables(name).await?.len() + views) as u64
            }
            None if if_exists => {
                let error = missing();
                self.context.warn(Level::Note, error.code, error.message);
                return Ok(0);
            }
            None => return Err(missing()),
        };
        self.dictionary().drop_schema(name).await?;
        if self.context.schema.as_deref() == Some(name) {
            self.context.schema = None;
            self.schema_changed = true;
        }
        Ok(tables)
    }

    /// The collation a schema's tables get when they say nothing.
    pub(super) async fn schema_collation(&self, schema: &str) -> Result<Collation> {
        match self.dictionary().schema(schema).await? {
            Some(def) => Ok(ddl::option_collation(&def.options)),
            None => Err(crate::error::unknown_database(schema)),
        }
    }

    async fn create_table(&mut self, create: &CreateTable) -> Result<()> {
        let schema = self.schema_of(&create.table)?;
        self.require_schema(&schema).await?;
        if &*schema == SCHEMA {
            return Err(unsupported("tables in the schema sextant"));
        }
        ddl::check_name(&create.table.name)
            .map_err(|_| SqlError::new(1103, format!("Incorrect table name '{}'", create.table.name)))?;
        let default = self.schema_collation(&schema).await?;
        let exists = self.dictionary().table(&schema, &create.table.name).await?.is_some()
            || self.dictionary().view(&schema, &create.table.name).await?.is_some();
        if exists && create.if_not_exists {
            let message = format!("Table '{}' already exists", create.table.name);
            self.context.warn(Level::Note, 1050, message);
            return Ok(());
        }
        let new = match &create.like {
            Some(like) => {
                let like = self.table(like).await?;
                copy_of(&like, &schema, &create.table.name)
            }
            None => ddl::new_table(create, &schema, default, &mut self.context)?,
        };
        if !new.checks.is_empty() {
            self.check_names_are_free(&new, None).await?;
        }
        self.dictionary().create_table(&new).await?;
        Ok(())
    }

    /// 3822 when a constraint's name is another's in the schema; those of the table `except` do not count.
    pub(super) async fn check_names_are_free(
        &self,
        new: &engine::NewTable,
        except: Option<&str>,
    ) -> Result<()> {
        for table in self.dictionary().tables(&new.schema).await? {
            if except == Some(table.name.as_str()) {
                continue;
            }
            let taken =
                |c: &&engine::Check| table.checks.iter().any(|t| t.name.eq_ignore_ascii_case(&c.name));
            if let Some(check) = new.checks.iter().find(taken) {
                return Err(crate::exec::constraint::duplicate(&check.name));
            }
        }
        Ok(())
    }

    /// A stored table that DDL may change.
    pub(super) async fn writable(&self, name: &TableName) -> Result<Arc<TableDef>> {
        let found = self.resolve_target(name).await?;
        match &found.view {
            Some(view) => Err(is_not(&view.schema, &view.name, "BASE TABLE")),
            None => Ok(found.table),
        }
    }

    async fn drop_tables(&mut self, tables: &[TableName], if_exists: bool) -> Result<()> {
        let mut found: Vec<(String, String)> = Vec::with_capacity(tables.len());
        let mut missing = Vec::new();
        for name in tables {
            let schema = self.schema_of(name)?.to_string();
            let exists = self.dictionary().table(&schema, &name.name).await?.is_some();
            let pair = (schema, name.name.clone());
            if found.contains(&pair) {
                return Err(SqlError::new(1066, format!("Not unique table/alias: '{}'", name.name)));
            }
            if exists { found.push(pair) } else { missing.push(format!("{}.{}", pair.0, pair.1)) }
        }
        if !missing.is_empty() && !if_exists {
            return Err(SqlError::new(1051, format!("Unknown table '{}'", missing.join(","))));
        }
        if !found.is_empty() {
            let names: Vec<(&str, &str)> = found.iter().map(|(s, t)| (s.as_str(), t.as_str())).collect();
            self.dictionary().drop_tables(&names).await?;
        }
        for name in missing {
            self.context.warn(Level::Note, 1051, format!("Unknown table '{name}'"));
        }
        Ok(())
    }

    async fn alter_indexes(&mut self, name: &TableName, actions: &[AlterAction]) -> Result<()> {
        let table = self.writable(name).await?;
        let mut add: Vec<NewIndex> = Vec::new();
        let mut drop: Vec<String> = Vec::new();
        for action in actions {
            match action {
                AlterAction::AddIndex(index) => add.push(new_index(&table, index, &add, &drop)?),
                AlterAction::DropIndex(index) => {
                    let found = table.index(index).filter(|&i| i != 0).ok_or_else(|| cannot_drop(index))?;
                    drop.push(table.indexes[found].name.clone());
                }
                other => unreachable!("only plain index clauses come here: {other:?}"),
            }
        }
        if add.is_empty() && drop.is_empty() {
            return Ok(());
        }
        check_auto_key(&table, &add, &drop)?;
        self.dictionary().alter_indexes(&table.schema_name, &table.name, add, drop).await?;
        Ok(())
    }

    /// ALTER TABLE with ADD FOREIGN KEY and DROP FOREIGN KEY clauses and no others.
    async fn alter_foreign_keys(&mut self, table: &Arc<TableDef>, actions: &[AlterAction]) -> Result<()> {
        let (mut add, mut drop) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                AlterAction::AddForeignKey(key) => add.push(key.clone()),
                AlterAction::DropForeignKey(name) => drop.push(name.clone()),
                _ => return Err(unsupported("ALTER TABLE of foreign keys and other things at once")),
            }
        }
        let child = Child {
            schema: &table.schema_name,
            table: &table.name,
            columns: &table.columns,
            indexes: table.indexes.iter().map(|i| i.parts.as_slice()).collect(),
            keys: table.foreign_keys.iter().map(|fk| fk.name.as_str()).collect(),
        };
        let taken: Vec<&str> = table.indexes.iter().map(|i| i.name.as_str()).collect();
        let (add, indexes) = foreign_keys(&add, &child, &taken)?;
        let dictionary = self.dictionary();
        let (schema, name) = (&table.schema_name, &table.name);
        let made: Vec<String> = indexes.iter().map(|i| i.name.clone()).collect();
        if !indexes.is_empty() {
            dictionary.alter_indexes(schema, name, indexes, Vec::new()).await?;
        }
        let done = dictionary.alter_foreign_keys(schema, name, &add, &drop).await;
        if done.is_err() && !made.is_empty() {
            dictionary.alter_indexes(schema, name, Vec::new(), made).await?;
        }
        Ok(done?)
    }

    /// CHECK TABLE and ANALYZE TABLE: one line per table, more when the check found something.
    async fn table_messages(&mut self, op: &str, tables: &[TableName]) -> Result<ShowTable> {
        let mut out = ShowTable::texts(&[("Table", 128), ("Op", 10), ("Msg_type", 10), ("Msg_text", 1024)]);
        for name in tables {
            let schema = self.schema_of(name)?;
            let full = format!("{schema}.{}", name.name);
            let table = match self.table(name).await {
                Ok(table) => table,
                Err(error) => {
                    out.push_texts(&[&full, op, "Error", &error.message]);
                    out.push_texts(&[&full, op, "status", "Operation failed"]);
                    continue;
                }
            };
            let mut status = "OK";
            if op == "check" {
                let report = self.server.engine.check_table(&table).await?;
                for problem in &report.findings {
                    out.push_texts(&[&full, op, "error", &problem.to_string()]);
                    status = "Corrupt";
                }
            }
            let kind = if status == "OK" { "status" } else { "error" };
            out.push_texts(&[&full, op, kind, status]);
        }
        Ok(out)
    }
}

/// A clause that names a constraint of any sort.
fn is_any_constraint(action: &AlterAction) -> bool {
    matches!(action, AlterAction::DropConstraint(_) | AlterAction::AlterCheck { any: true, .. })
}

/// The clause for the sort of constraint that it names: 3940 when there is none of the name.
fn of_its_sort(action: &AlterAction, table: &TableDef) -> Result<AlterAction> {
    let missing = |name: &str| SqlError::new(3940, format!("Constraint '{name}' does not exist."));
    let is_check = |name: &str| table.checks.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    match action {
        AlterAction::AlterCheck { name, enforced, any: true } if is_check(name) => {
            Ok(AlterAction::AlterCheck { name: name.clone(), enforced: *enforced, any: false })
        }
        AlterAction::AlterCheck { name, any: true, .. } => Err(missing(name)),
        AlterAction::DropConstraint(name) if is_check(name) => Ok(AlterAction::DropCheck(name.clone())),
        AlterAction::DropConstraint(name) if table.foreign_keys.iter().any(|k| k.name == *name) => {
            Ok(AlterAction::DropForeignKey(name.clone()))
        }
        AlterAction::DropConstraint(name) => match table.index(name) {
            Some(0) if !table.hidden_key() => Ok(AlterAction::DropPrimaryKey),
            Some(at) if at > 0 && table.indexes[at].unique => Ok(AlterAction::DropIndex(name.clone())),
            _ => Err(missing(name)),
        },
        other => Ok(other.clone()),
    }
}

/// A clause that changes nothing but secondary indexes: built in place, no row is written.
fn plain_index(action: &AlterAction) -> bool {
    match action {
        AlterAction::AddIndex(index) => index.kind != IndexKind::Primary,
        AlterAction::DropIndex(_) => true,
        _ => false,
    }
}

fn cannot_drop(index: &str) -> SqlError {
    SqlError::new(1091, format!("Can't DROP '{index}'; check that column/key exists"))
}

fn new_index(table: &TableDef, index: &IndexDef, added: &[NewIndex], dropped: &[String]) -> Result<NewIndex> {
    let kept = table.indexes[1..].iter().map(|i| i.name.as_str()).filter(|n| !dropped.iter().any(|d| d == n));
    let taken: Vec<&str> = kept.chain(added.iter().map(|i| i.name.as_str())).collect();
    Ok(NewIndex {
        name: keys::index_name(index, &taken)?,
        unique: index.kind == IndexKind::Unique,
        parts: keys::index_parts(&index.parts, &table.columns)?,
        comment: index.comment.clone(),
    })
}

/// 1075: an AUTO_INCREMENT column must keep an index that it leads.
fn check_auto_key(table: &TableDef, add: &[NewIndex], drop: &[String]) -> Result<()> {
    let Some(auto) = table.auto_increment else { return Ok(()) };
    let leads = |parts: &[engine::IndexPart]| parts.first().is_some_and(|p| p.column == auto);
    let kept = table.indexes.iter().filter(|i| !drop.contains(&i.name)).any(|i| leads(&i.parts));
    if kept || add.iter().any(|i| leads(&i.parts)) {
        return Ok(());
    }
    Err(SqlError::new(
        1075,
        "Incorrect table definition; there can be only one auto column and it must be defined as a key",
    ))
}

/// CREATE TABLE ... LIKE.
fn copy_of(like: &TableDef, schema: &str, name: &str) -> engine::NewTable {
    engine::NewTable {
        schema: schema.to_owned(),
        name: name.to_owned(),
        columns: like.columns.clone(),
        primary: like.indexes[0].parts.clone(),
        indexes: like.indexes[1..]
            .iter()
            .map(|i| NewIndex {
                name: i.name.clone(),
                unique: i.unique,
                parts: i.parts.clone(),
                comment: i.comment.clone(),
            })
            .collect(),
        auto_increment_start: 0,
        comment: like.comment.clone(),
        options: like.options.clone(),
        // As in MySQL, foreign keys are not copied.
        foreign_keys: Vec::new(),
        checks: crate::exec::constraint::copied(&like.checks, name),
    }
}
