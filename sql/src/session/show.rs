//! SHOW: which table of values answers it.

use super::Session;
use crate::ast::{Show, ShowFilter, TableName};
use crate::error::Result;
use crate::exec::virtual_rows::{SCHEMA, definition};
use crate::show::{ShowTable, monitor, objects, server, session as about, text};
use engine::TableDef;
use std::sync::Arc;
use values::{Collation, ColumnType, Value};

impl Session {
    pub(super) async fn show(&mut self, show: &Show) -> Result<ShowTable> {
        let (table, filter) = match show {
            Show::Databases(filter) => {
                let pattern = match filter {
                    Some(ShowFilter::Like(pattern)) => Some(pattern.as_slice()),
                    _ => None,
                };
                let mut schemas = self.server.engine.dictionary().schemas().await?;
                schemas.retain(|schema| self.sees_schema(&schema.name));
                (objects::databases(&schemas, pattern), filter.as_ref())
            }
            Show::Tables { schema, full, filter } => {
                (self.show_tables(schema, *full, filter).await?, filter.as_ref())
            }
            Show::Columns { table, full, filter } => {
                let def = self.any_table(table).await?;
                (objects::columns(&def, *full, &self.context), filter.as_ref())
            }
            Show::Index { table, filter } => {
                let def = self.any_table(table).await?;
                let rows = if def.schema_name == SCHEMA { 0 } else { self.server.engine.row_estimate(&def) };
                (objects::indexes(&def, rows), filter.as_ref())
            }
            Show::TableStatus { schema, filter } => (self.table_status(schema).await?, filter.as_ref()),
            Show::CreateTable(name) => (self.show_create_table(name).await?, None),
            Show::CreateView(name) => {
                let schema = self.schema_of(name)?;
                self.may_see(&schema, &name.name)?;
                match self.view_record(&schema, &name.name).await? {
                    Some(record) => (self.show_create_view(&schema, &name.name, &record)?, None),
                    None => {
                        let table = self.any_table(name).await?;
                        return Err(super::view::is_not(&table.schema_name, &table.name, "VIEW"));
                    }
                }
            }
            Show::CreateDatabase { name, if_not_exists } => {
                (self.show_create_database(name, *if_not_exists).await?, None)
            }
            Show::Variables { global, filter } => {
                let values = if *global { &self.context.globals } else { &self.context.variables };
                (about::variables(values, *global, &self.context), filter.as_ref())
            }
            Show::Status { filter, .. } => {
                let memory =
                    ("Sextant_query_memory_bytes".to_owned(), self.server.query_memory().to_string());
                let (version, cipher) = self.context.tls.unwrap_or_default();
                let mut more = vec![memory];
                for (name, value) in [("Ssl_version", version), ("Ssl_cipher", cipher)] {
                    more.push((name.to_owned(), value.to_owned()));
                }
                (server::status(&*self.server.host, more), filter.as_ref())
            }
            Show::Warnings { limit } => {
                (about::conditions(&self.context.diagnostics.list, false, *limit), None)
            }
            Show::Errors { limit } => (about::conditions(&self.context.diagnostics.list, true, *limit), None),
            Show::CountWarnings => {
                (about::count("@@session.warning_count", self.context.diagnostics.count), None)
            }
            Show::CountErrors => {
                (about::count("@@session.error_count", self.context.diagnostics.errors), None)
            }
            Show::ProcessList { full } => {
                // Who may not see everybody sees himself.
                let only = self.may_administer("PROCESS").await.is_err().then(|| self.context.user.clone());
                (server::processlist(&*self.server.host, *full, only.as_deref()), None)
            }
            Show::Engine { name, status } => (self.show_engine(name, *status).await?, None),
            Show::Nothing { columns, in_schema } => {
                if *in_schema {
                    self.context.schema()?;
                }
                let columns: Vec<_> = columns.iter().map(|name| (*name, 64)).collect();
                (ShowTable::texts(&columns), None)
            }
            Show::Engines => (server::engines(), None),
            Show::Charset(filter) => (server::charset(), filter.as_ref()),
            Show::Collation(filter) => (server::collation(), filter.as_ref()),
            Show::Plugins => (server::plugins(), None),
            Show::Privileges => (server::privileges(), None),
            Show::Grants(user, using) => {
                let dictionary = self.server.engine.dictionary();
                (crate::account::show_grants(user.as_ref(), using, &dictionary, &self.context).await?, None)
            }
            Show::CreateUser(user) => {
                let dictionary = self.server.engine.dictionary();
                (crate::account::show_create_user(user, &dictionary, &self.context).await?, None)
            }
        };
        table.filter(filter, &mut self.context)
    }

    /// 1286 for an engine that is none; 1235 for those that are not here.
    async fn show_engine(&mut self, name: &str, status: bool) -> Result<ShowTable> {
        if !name.eq_ignore_ascii_case("innodb") {
            const OTHERS: [&str; 7] =
                ["ALL", "PERFORMANCE_SCHEMA", "MEMORY", "MYISAM", "CSV", "ARCHIVE", "BLACKHOLE"];
            return Err(match OTHERS.iter().find(|other| other.eq_ignore_ascii_case(name)) {
                Some(other) => crate::error::unsupported(format_args!("SHOW ENGINE {other}")),
                None => crate::error::SqlError::new(1286, format!("Unknown storage engine '{name}'")),
            });
        }
        self.may_administer("PROCESS").await?;
        if !status {
            return Ok(monitor::columns());
        }
        let now = values::convert::text::to_text(&Value::DateTime(self.context.local_now()), 0);
        Ok(monitor::status(&self.server.engine, now.as_str()))
    }

    /// A stored or virtual table's definition.
    async fn any_table(&self, name: &TableName) -> Result<Arc<TableDef>> {
        self.resolve(name).await.map(|r| r.table)
    }

    async fn show_tables(
        &mut self,
        schema: &Option<String>,
        full: bool,
        filter: &Option<ShowFilter>,
    ) -> Result<ShowTable> {
        let schema = self.named_or_default(schema)?;
        self.may_use(&schema)?;
        self.require_schema(&schema).await?;
        let mut names: Vec<(String, &str)> = if &*schema == SCHEMA {
            let tables = self.server.host.virtual_tables();
            tables.iter().map(|t| (definition(&**t).name, "BASE TABLE")).collect()
        } else {
            // Names alone: ten thousand definitions are not read for them.
            let dictionary = self.server.engine.dictionary();
            let tables = dictionary.table_names(&schema).await?;
            let tables = tables.into_iter().map(|name| (name, "BASE TABLE"));
            let views = dictionary.views(&schema).await?;
            tables.chain(views.into_iter().map(|(name, _)| (name, "VIEW"))).collect()
        };
        names.sort_unstable();
        let pattern = match filter {
            Some(ShowFilter::Like(pattern)) => Some(pattern.as_slice()),
            _ => None,
        };
        Ok(objects::tables(&schema, &names, full, pattern))
    }

    fn named_or_default(&self, schema: &Option<String>) -> Result<Arc<str>> {
        match schema {
            Some(schema) => Ok(Arc::from(schema.as_str())),
            None => self.context.schema(),
        }
    }

    async fn table_status(&mut self, schema: &Option<String>) -> Result<ShowTable> {
        let schema = self.named_or_default(schema)?;
        self.may_use(&schema)?;
        self.require_schema(&schema).await?;
        let tables = if &*schema == SCHEMA {
            Vec::new()
        } else {
            self.server.engine.dictionary().tables(&schema).await?
        };
        let mut rows = Vec::with_capacity(tables.len());
        for table in tables {
            let next = self.next_auto_increment(&table).await?;
            let estimate = self.server.engine.row_estimate(&table);
            rows.push((table, estimate, next));
        }
        let mut views = Vec::new();
        for (name, bytes) in self.server.engine.dictionary().views(&schema).await? {
            let made = crate::view::Record::decode(&bytes)?.created_us;
            views.push((name, self.context.local_at(made)));
        }
        Ok(objects::table_status(&rows, views))
    }

    async fn next_auto_increment(&mut self, table: &Arc<TableDef>) -> Result<Option<u64>> {
        if table.auto_increment.is_none() {
            return Ok(None);
        }
        Ok(Some(self.transaction().auto_increment_value(table).await?))
    }

    async fn show_create_table(&mut self, name: &TableName) -> Result<ShowTable> {
        let schema = self.schema_of(name)?;
        self.may_see(&schema, &name.name)?;
        if let Some(record) = self.view_record(&schema, &name.name).await? {
            return self.show_create_view(&schema, &name.name, &record);
        }
        let def = self.any_table(name).await?;
        let next = if def.schema_name == SCHEMA { None } else { self.next_auto_increment(&def).await? };
        let create = text::create_table(&def, next, &self.context);
        let mut out = ShowTable::new(&[
            ("Table", ColumnType::varchar(64, Collation::DEFAULT), false),
            ("Create Table", ColumnType::varchar(1024, Collation::DEFAULT), false),
        ]);
        out.rows.push(vec![Value::text(&def.name), Value::text(&create)]);
        Ok(out)
    }

    fn show_create_view(&self, schema: &str, name: &str, record: &crate::view::Record) -> Result<ShowTable> {
        let create = self.create_view_text(schema, name, record)?;
        let mut out = ShowTable::new(&[
            ("View", ColumnType::varchar(64, Collation::DEFAULT), false),
            ("Create View", ColumnType::varchar(1024, Collation::DEFAULT), false),
            ("character_set_client", ColumnType::varchar(32, Collation::DEFAULT), false),
            ("collation_connection", ColumnType::varchar(32, Collation::DEFAULT), false),
        ]);
        let cells = [name, &create, &record.charset, &record.collation];
        out.rows.push(cells.into_iter().map(Value::text).collect());
        Ok(out)
    }

    async fn show_create_database(&mut self, name: &str, if_not_exists: bool) -> Result<ShowTable> {
        let schema = self.server.engine.dictionary().schema(name).await?;
        let Some(schema) = schema else { return Err(crate::error::unknown_database(name)) };
        let collation = crate::exec::ddl::option_collation(&schema.options);
        let check = if if_not_exists { " /*!32312 IF NOT EXISTS*/" } else { "" };
        let collate = if collation == Collation::BINARY {
            String::new()
        } else {
            format!(" COLLATE {}", collation.name())
        };
        let create = format!(
            "CREATE DATABASE{check} {} /*!40100 DEFAULT CHARACTER SET {}{collate} */ /*!80016 DEFAULT ENCRYPTION='N' */",
            text::quote_name(name),
            collation.charset(),
        );
        let mut out = ShowTable::new(&[
            ("Database", ColumnType::varchar(64, Collation::DEFAULT), false),
            ("Create Database", ColumnType::varchar(1024, Collation::DEFAULT), false),
        ]);
        out.rows.push(vec![Value::text(name), Value::text(&create)]);
        Ok(out)
    }
}
