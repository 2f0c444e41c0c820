//! Table names to definitions.

use super::Session;
use crate::account::privilege::Privileges;
use crate::account::system;
use crate::api::ColumnMeta;
use crate::ast::{TableName, TableRef};
use crate::bind::Scope;
use crate::bind::select::Resolved;
use crate::error::{Result, SqlError, no_such_table, unknown_database, unsupported};
use crate::exec::virtual_rows::{self, SCHEMA};
use crate::expr::{Node, Ty, Typed};
use crate::plan::meta;
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
        let dictionary = self.server.engine.dictionary();
        if let Some(table) = dictionary.cached_table(&schema, &name.name) {
            return Ok(table);
        }
        if let Some(table) = dictionary.table(&schema, &name.name).await? {
            return Ok(table);
        }
        if OTHER_SCHEMAS.iter().any(|s| s.eq_ignore_ascii_case(&schema)) {
            return Err(unsupported(format_args!("schema {}", schema.to_lowercase())));
        }
        self.require_schema(&schema).await?;
        Err(no_such_table(&schema, &name.name))
    }

    /// A table by its name, with its alias.
    pub(crate) async fn resolve(&self, name: &TableName, alias: Option<&str>) -> Result<Resolved> {
        let schema = self.schema_of(name)?;
        let alias: Arc<str> = Arc::from(alias.unwrap_or(&name.name));
        if &*schema == SCHEMA {
            let tables = self.server.host.virtual_tables();
            let rows =
                virtual_rows::find(&tables, &name.name).ok_or_else(|| no_such_table(&schema, &name.name))?;
            let table = Arc::new(virtual_rows::definition(&*rows));
            return Ok(Resolved { scope: Scope { table, alias }, rows: Some(rows) });
        }
        if schema.eq_ignore_ascii_case(system::SCHEMA)
            && let Some(rows) = system::table(self.server.engine.dictionary(), &name.name)
        {
            let columns = rows.columns().iter().map(|(name, ty, nullable)| (*name, *ty, *nullable));
            let table = Arc::new(virtual_rows::detached(system::SCHEMA, rows.name(), columns));
            return Ok(Resolved { scope: Scope { table, alias }, rows: Some(rows) });
        }
        let table = self.table(name).await?;
        Ok(Resolved { scope: Scope { table, alias }, rows: None })
    }

    pub(crate) async fn resolve_ref(&self, table: &TableRef) -> Result<Resolved> {
        let name = &table.table;
        self.may(Privileges::SELECT, &self.schema_of(name)?, &name.name)?;
        self.resolve(&table.table, table.alias.as_deref()).await
    }

    /// A table that can be written. 1044-like for the virtual ones.
    pub(crate) async fn resolve_target(&self, name: &TableName, alias: Option<&str>) -> Result<Resolved> {
        let resolved = self.resolve(name, alias).await?;
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
        let resolved = self.resolve(&name, None).await?;
        let wild = values::like::Pattern::new(pattern, Some('\\'), values::Collation::DEFAULT);
        let scope = &resolved.scope;
        Ok(scope
            .table
            .columns
            .iter()
            .enumerate()
            .filter(|(_, c)| pattern.is_empty() || wild.matches(c.name.as_bytes()))
            .map(|(i, c)| {
                let item = Typed::new(Node::Column(i), Ty::of(c.ty, c.nullable));
                meta::of_item(&item, &c.name, Some(scope), &self.context)
            })
            .collect())
    }
}
