//! Table names to definitions.

use super::Session;
use super::view::Actor;
use crate::account::privilege::Privileges;
use crate::account::system;
use crate::api::ColumnMeta;
use crate::ast::walk::Met;
use crate::ast::{Statement, TableExpr, TableName};
use crate::bind::select::{Catalog, Resolved};
use crate::bind::{Names, Scope};
use crate::error::{Result, SqlError, no_such_table, unknown_database, unsupported};
use crate::exec::virtual_rows::{self, SCHEMA};
use crate::plan::meta;
use crate::{information, performance};
use engine::TableDef;
use std::sync::Arc;

/// Schemas that MySQL has and this server has not.
const OTHER_SCHEMAS: [&str; 4] = ["information_schema", "performance_schema", "mysql", "sys"];

impl Session {
    /// The schema a name refers to.
    pub(crate) fn schema_of(&self, name: &TableName) -> Result<Arc<str>> {
        match &name.schema {
            Some(schema) => Ok(Arc::from(schema.as_str())),
            None => self.context.schema(),
        }
    }

    pub(super) async fn use_schema(&mut self, schema: &str) -> Result<()> {
        self.read_privileges().await?;
        self.may_use(schema)?;
        self.require_schema(schema).await?;
        self.context.schema = Some(Arc::from(schema));
        self.schema_changed = self.context.settings.track_schema;
        self.tracker.changed();
        Ok(())
    }

    /// 1049 when there is no such schema.
    pub(crate) async fn require_schema(&self, schema: &str) -> Result<()> {
        if schema == SCHEMA {
            return Ok(());
        }
        if OTHER_SCHEMAS.iter().any(|s| s.eq_ignore_ascii_case(schema)) {
            return Err(unsupported(format_args!("schema {}", schema.to_lowercase())));
        }
        match self.server.engine.dictionary().schema(schema).await? {
            Some(_) => Ok(()),
            None => Err(unknown_database(schema)),
        }
    }

    /// The definition of a stored table. 1046, 1049, 1146.
    pub(crate) async fn table(&self, name: &TableName) -> Result<Arc<TableDef>> {
        let schema = self.schema_of(name)?;
        self.may_see(&schema, &name.name)?;
        if let Some(table) = self.stored(&schema, &name.name).await? {
            return Ok(table);
        }
        if OTHER_SCHEMAS.iter().any(|s| s.eq_ignore_ascii_case(&schema)) {
            return Err(unsupported(format_args!("schema {}", schema.to_lowercase())));
        }
        self.require_schema(&schema).await?;
        Err(no_such_table(&schema, &name.name))
    }

    /// A stored table, whoever may see it.
    pub(super) async fn stored(&self, schema: &str, name: &str) -> Result<Option<Arc<TableDef>>> {
        let dictionary = self.server.engine.dictionary();
        if let Some(table) = dictionary.cached_table(schema, name) {
            return Ok(Some(table));
        }
        Ok(dictionary.table(schema, name).await?)
    }

    /// A table by its name.
    pub(crate) async fn resolve(&self, name: &TableName) -> Result<Resolved> {
        let schema = self.schema_of(name)?;
        if &*schema == SCHEMA {
            let tables = self.server.host.virtual_tables();
            let rows =
                virtual_rows::find(&tables, &name.name).ok_or_else(|| no_such_table(&schema, &name.name))?;
            let table = Arc::new(virtual_rows::definition(&*rows));
            return Ok(Resolved::plain(table, Some(rows)));
        }
        if schema.eq_ignore_ascii_case(information::SCHEMA) {
            return self.information(&name.name).await;
        }
        if schema.eq_ignore_ascii_case(performance::SCHEMA)
            && let Some(rows) = performance::table(&self.server, &name.name, self.connections_of())
        {
            let columns = rows.columns().iter().map(|(name, ty, nullable)| (*name, *ty, *nullable));
            let table = Arc::new(virtual_rows::detached(performance::SCHEMA, rows.name(), columns));
            return Ok(Resolved::plain(table, Some(rows)));
        }
        if schema.eq_ignore_ascii_case(system::SCHEMA)
            && let Some(rows) = system::table(self.server.engine.dictionary(), &name.name)
        {
            let columns = rows.columns().iter().map(|(name, ty, nullable)| (*name, *ty, *nullable));
            let table = Arc::new(virtual_rows::detached(system::SCHEMA, rows.name(), columns));
            return Ok(Resolved::plain(table, Some(rows)));
        }
        match self.table(name).await {
            Ok(table) => Ok(Resolved::plain(table, None)),
            Err(error) if error.code == 1146 => {
                let view = Box::pin(self.view(&schema, &name.name, Actor::Session, 0)).await?;
                view.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The only user whose connections this session sees, if it may not see all.
    fn connections_of(&self) -> Option<String> {
        (!self.holds_globally(Privileges::PROCESS)).then(|| self.context.user.clone())
    }

    /// A table of information_schema, over the schemas that the account may use.
    async fn information(&self, name: &str) -> Result<Resolved> {
        let schemas = self.server.engine.dictionary().schemas().await?;
        let seen = schemas.iter().map(|s| s.name.clone()).filter(|s| self.may_use(s).is_ok()).collect();
        let seen = information::Seen { schemas: seen, only: self.connections_of() };
        let rows = information::table(&self.server, name, seen)
            .ok_or_else(|| unsupported(format_args!("information_schema.{}", name.to_uppercase())))?;
        let columns = rows.columns().iter().map(|(name, ty, nullable)| (*name, *ty, *nullable));
        let table = Arc::new(virtual_rows::detached(information::SCHEMA, rows.name(), columns));
        Ok(Resolved::plain(table, Some(rows)))
    }

    /// Every table that a statement names, looked up before it is bound. A name that may be a common table expression's need not exist.
    pub(crate) async fn catalog(&self, statement: &Statement) -> Result<Catalog> {
        let (mut names, mut ctes): (Vec<TableName>, Vec<String>) = (Vec::new(), Vec::new());
        let mut see = |met: Met<'_>| match met {
            Met::Table(name) if !names.contains(name) => names.push(name.clone()),
            Met::Table(_) => {}
            Met::Cte(name) => ctes.push(name.to_owned()),
        };
        match statement {
            Statement::Select(query) => query.tables(&mut see),
            Statement::Insert(insert) => {
                insert.select.iter().for_each(|q| q.tables(&mut see));
                insert.rows.iter().flatten().flatten().for_each(|e| e.tables(&mut see));
                insert.on_duplicate.iter().filter_map(|a| a.value.as_ref()).for_each(|e| e.tables(&mut see));
            }
            Statement::Update(update) => {
                update.tables.tables(&mut see);
                update.set.iter().filter_map(|a| a.value.as_ref()).for_each(|e| e.tables(&mut see));
                update
                    .filter
                    .iter()
                    .chain(update.order_by.iter().map(|o| &o.expr))
                    .for_each(|e| e.tables(&mut see));
            }
            Statement::Delete(delete) => {
                delete.tables.tables(&mut see);
                delete
                    .filter
                    .iter()
                    .chain(delete.order_by.iter().map(|o| &o.expr))
                    .for_each(|e| e.tables(&mut see));
            }
            _ => {}
        }
        // What one table's change asks for has been checked already.
        let tables = match statement {
            Statement::Update(update) => Some(&update.tables),
            Statement::Delete(delete) => Some(&delete.tables),
            _ => None,
        };
        let written = match tables {
            Some(TableExpr::Table(table)) => Some(table.table.clone()),
            _ => None,
        };
        let mut out = Catalog::default();
        for name in names {
            let may_be_cte = name.schema.is_none() && ctes.contains(&name.name);
            // An unknown table, or one that may not be read, is an error only where it is read.
            let allowed = match &written {
                Some(written) if *written == name => Ok(()),
                _ if name.schema.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(information::SCHEMA)) => {
                    Ok(())
                }
                _ => {
                    self.schema_of(&name).and_then(|schema| self.may(Privileges::SELECT, &schema, &name.name))
                }
            };
            let resolved = match allowed {
                Ok(()) => self.resolve(&name).await,
                Err(error) => Err(error),
            };
            if !may_be_cte || resolved.is_ok() {
                out.tables.push((name, resolved));
            }
        }
        Ok(out)
    }

    /// A table that can be written. 1288 for the virtual ones.
    pub(crate) async fn resolve_target(&self, name: &TableName) -> Result<Resolved> {
        let resolved = self.resolve(name).await?;
        if resolved.rows.is_some() {
            return Err(SqlError::new(
                1288,
                format!("The target table {} of the statement is not updatable", name.name),
            ));
        }
        Ok(resolved)
    }

    pub(super) async fn columns_of(&self, table: &str, pattern: &[u8]) -> Result<Vec<ColumnMeta>> {
        let name = TableName { schema: None, name: table.to_owned() };
        let resolved = self.resolve(&name).await?;
        let wild = values::like::Pattern::new(pattern, Some('\\'), values::Collation::DEFAULT);
        let names = Names::one(Scope::of(resolved.table.clone(), Arc::from(table)));
        let columns = resolved.table.columns.iter().enumerate();
        Ok(columns
            .filter(|(_, c)| pattern.is_empty() || wild.matches(c.name.as_bytes()))
            .map(|(i, c)| meta::of_item(&names.column(i), &c.name, &names, &self.context))
            .collect())
    }
}
