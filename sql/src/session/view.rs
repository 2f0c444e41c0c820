//! Views: made, changed, dropped, and looked up with the rights of those they act for.
//!
//! ```text
//!   CREATE VIEW v AS SELECT ...     bound as it stands -> canonical text -> dictionary
//!   SELECT ... FROM v               text -> tree, what it names looked up as its definer (or as who asks) -> bound again
//! ```
//! 1. What is kept means the same in every session: names in full, `*` expanded (`bind::canonical`).
//! 2. A text that would print otherwise when it is read again is refused with 1235.
//! 3. Views that stand in views are looked up to a bounded depth.

use super::Session;
use crate::account::privilege::Privileges;
use crate::account::{self, Account};
use crate::ast::print::{Style, query as print, quoted};
use crate::ast::walk::Met;
use crate::ast::{ColumnName, CreateView, Query, Statement, TableName, ViewAlgorithm};
use crate::bind::canonical::canonical;
use crate::bind::select::{Catalog, Resolved};
use crate::bind::subquery::Shared;
use crate::bind::view::{CheckOption, View, joins_inwardly, mergeable};
use crate::bind::{World, from, query};
use crate::error::{Result, SqlError, no_such_table, unsupported};
use crate::exec::ddl::check_name;
use crate::lex::LexMode;
use crate::parse;
use crate::plan::join::TableSource;
use crate::view::{Record, ShownColumn};
use protocol::env::BoxFuture;
use std::sync::Arc;
use values::Level;

/// How deep views may stand in views.
const MAX_DEPTH: usize = 24;

/// Whose rights count for what a view reads.
#[derive(Clone)]
pub(super) enum Actor {
    /// Who asks.
    Session,
    /// A definer.
    Definer(Arc<Account>),
}

fn definer_missing(user: &str, host: &str) -> SqlError {
    let text = format!("The user specified as a definer ('{user}'@'{host}') does not exist");
    SqlError::new(1449, text)
}

/// 1347
pub(super) fn is_not(schema: &str, name: &str, what: &str) -> SqlError {
    SqlError::new(1347, format!("'{schema}.{name}' is not {what}"))
}

/// The canonical text of a query; names of schemas are left out where `hide` says so.
pub(super) fn text(query: &Query, hide: Option<&str>) -> String {
    let shown = |schema: &Option<String>| schema.as_deref().filter(|s| Some(*s) != hide).map(quoted);
    let column = |name: &ColumnName| {
        let parts = [shown(&name.schema), name.table.as_deref().map(quoted), Some(quoted(&name.name))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".")
    };
    let table = |name: &TableName| {
        let parts = [shown(&name.schema), Some(quoted(&name.name))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".")
    };
    print::query(query, &Style { column: &column, table: Some(&table), introducer: "", limit: usize::MAX })
}

/// What [`text`] made.
pub(super) fn read(text: &str) -> Result<Query> {
    match parse::parse(text.as_bytes(), 0, LexMode::default())?.map(|p| p.statement) {
        Some(Statement::Select(query)) => Ok(*query),
        _ => Err(unsupported("this view")),
    }
}

impl Session {
    /// What the dictionary keeps of a view.
    pub(super) async fn view_record(&self, schema: &str, name: &str) -> Result<Option<Record>> {
        let found = self.server.engine.dictionary().view(schema, name).await?;
        found.map(|bytes| Record::decode(&bytes)).transpose()
    }

    /// A view by its name, with all that it reads.
    pub(super) fn view<'a>(
        &'a self,
        schema: &'a str,
        name: &'a str,
        actor: Actor,
        depth: usize,
    ) -> BoxFuture<'a, Result<Option<Resolved>>> {
        Box::pin(async move {
            let Some(record) = self.view_record(schema, name).await? else { return Ok(None) };
            if depth > MAX_DEPTH {
                let text = format!("Thread stack overrun: views stand in views more than {MAX_DEPTH} deep");
                return Err(SqlError::new(1436, text));
            }
            let actor = if record.invoker {
                actor
            } else {
                let (user, host) = (&record.user, &record.host);
                let found = account::exactly(&self.server.engine.dictionary(), user, host, None).await?;
                let (account, _) = found.ok_or_else(|| definer_missing(user, host))?;
                Actor::Definer(Arc::new(account))
            };
            let query = read(&record.query)?;
            let catalog = self.catalog_of_view(&query, &actor, depth).await?;
            let view = View {
                schema: schema.to_owned(),
                name: name.to_owned(),
                query,
                columns: record.columns.clone(),
                merge: record.algorithm() != ViewAlgorithm::TempTable,
                check: record.check(),
                catalog,
            };
            let table = Arc::new(record.definition(schema, name)?);
            Ok(Some(Resolved { table, rows: None, view: Some(Arc::new(view)), held: None }))
        })
    }

    async fn catalog_of_view(&self, query: &Query, actor: &Actor, depth: usize) -> Result<Catalog> {
        let mut names: Vec<TableName> = Vec::new();
        query.tables(&mut |met| {
            if let Met::Table(name) = met
                && name.schema.is_some()
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
        let mut out = Catalog::default();
        for name in names {
            let resolved = self.resolve_as(&name, actor, depth).await;
            if let Err(error) = &resolved
                && !matches!(error.code, 1142 | 1146 | 1356)
            {
                return Err(error.clone());
            }
            out.tables.push((name, resolved));
        }
        Ok(out)
    }

    /// A name inside a view.
    async fn resolve_as(&self, name: &TableName, actor: &Actor, depth: usize) -> Result<Resolved> {
        let schema = self.schema_of(name)?;
        let public = schema.eq_ignore_ascii_case(crate::information::SCHEMA);
        let held = match actor {
            Actor::Session if public => Privileges::SELECT,
            Actor::Session => {
                self.may(Privileges::SELECT, &schema, &name.name)?;
                self.holds_on(&schema, &name.name)
            }
            Actor::Definer(account) => account.record().on_table(&schema, &name.name),
        };
        if !public && !held.has(Privileges::SELECT) {
            return Err(no_such_table(&schema, &name.name));
        }
        let found = match self.stored(&schema, &name.name).await? {
            Some(table) => Resolved::plain(table, None),
            None => match self.view(&schema, &name.name, actor.clone(), depth + 1).await? {
                Some(view) => view,
                None => self.resolve(name).await?,
            },
        };
        Ok(Resolved { held: Some(held), ..found })
    }

    /// CREATE VIEW and ALTER VIEW.
    pub(super) async fn create_view(&mut self, create: &CreateView) -> Result<()> {
        let schema = self.schema_of(&create.name)?;
        self.require_schema(&schema).await?;
        let name = &create.name.name;
        check_name(name).map_err(|_| SqlError::new(1103, format!("Incorrect table name '{name}'")))?;
        let (user, host) = self.definer(create).await?;
        let there = self.view_record(&schema, name).await?.is_some();
        let table = self.dictionary().table(&schema, name).await?.is_some();
        if table && (create.alter || create.replace) {
            return Err(is_not(&schema, name, "VIEW"));
        }
        if create.alter && !there {
            return Err(no_such_table(&schema, name));
        }
        if table || (there && !create.replace) {
            if create.if_not_exists {
                self.context.warn(Level::Note, 1050, format!("Table '{name}' already exists"));
                return Ok(());
            }
            return Err(SqlError::new(1050, format!("Table '{name}' already exists")));
        }
        let mut record = self.view_of(create, &schema).await?;
        (record.user, record.host) = (user, host);
        if create.algorithm == ViewAlgorithm::Merge && mergeable(&create.query).is_none() {
            let text = "View merge algorithm can't be used here for now (assumed undefined algorithm)";
            self.context.warn(Level::Warning, 1354, text.to_owned());
            record.set_algorithm(ViewAlgorithm::Undefined);
        }
        if create.check != CheckOption::None && !record.updatable {
            return Err(SqlError::new(1368, format!("CHECK OPTION on non-updatable view '{schema}.{name}'")));
        }
        self.dictionary().put_view(&schema, name, &record.encode(), create.replace).await?;
        Ok(())
    }

    /// Who the view acts for; a note when there is no such account.
    async fn definer(&mut self, create: &CreateView) -> Result<(String, String)> {
        let own = self.context.account.clone();
        let Some(named) = create.definer.as_ref().filter(|d| !d.user.is_empty() || !d.host.is_empty()) else {
            return Ok(own);
        };
        let (user, host) = (named.user.clone(), named.host.clone());
        if (&user, &host) != (&own.0, &own.1) {
            self.may_administer("SUPER or SET_ANY_DEFINER").await?;
        }
        if self.server.engine.dictionary().get_account(&user, &host).await?.is_none() {
            let missing = definer_missing(&user, &host);
            self.context.warn(Level::Note, missing.code, missing.message);
        }
        Ok((user, host))
    }

    /// The definition, bound once as it was written.
    async fn view_of(&mut self, create: &CreateView, schema: &str) -> Result<Record> {
        let statement = Statement::Select(Box::new(create.query.clone()));
        let catalog = self.catalog(&statement).await?;
        let name = &create.name.name;
        for (used, resolved) in &catalog.tables {
            let itself = &*self.schema_of(used)? == schema && used.name == *name;
            if itself {
                return Err(no_such_table(schema, name));
            }
            if let Ok(Resolved { view: Some(view), .. }) = resolved
                && reads(view, schema, name)
            {
                return Err(match create.alter {
                    true => SqlError::new(1462, format!("`{schema}`.`{name}` contains view recursion")),
                    false => no_such_table(schema, name),
                });
            }
        }
        let shared = Shared::default();
        let (context, engine) = (&self.context, &self.server.engine);
        let world = World { context, params: &[], catalog: &catalog, engine, shared: &shared, ctes: None };
        let plan = query::bind(&create.query, world, None)?;
        let (table, _) = query::made(&plan, name, &create.columns, world)?;
        let canonical = canonical(&create.query, world)?;
        let text = self::text(&canonical, None);
        if self::text(&read(&text)?, None) != text {
            return Err(unsupported(format_args!("a view that says {text}")));
        }
        let updatable = match mergeable(&create.query).and_then(|select| select.from.as_ref()) {
            Some(tables) if create.algorithm != ViewAlgorithm::TempTable && joins_inwardly(tables) => {
                let bound = from::bind(tables, world, None)?;
                bound.sources.iter().any(|source| matches!(source, TableSource::Stored(_)))
            }
            _ => false,
        };
        let shown = table.columns.iter().map(ShownColumn::of).collect();
        let variable = |name: &str| context.variables.named(name).to_owned();
        let mut record = Record {
            query: text,
            columns: create.columns.clone(),
            algorithm: 0,
            invoker: create.invoker,
            check: 0,
            updatable,
            user: String::new(),
            host: String::new(),
            charset: variable("character_set_client"),
            collation: variable("collation_connection"),
            created_us: u64::try_from(self.server.env.wall_us()).unwrap_or(0),
            shown,
        };
        record.set_algorithm(create.algorithm);
        record.set_check(create.check);
        Ok(record)
    }

    /// DROP VIEW: all of them or none.
    pub(super) async fn drop_views(&mut self, views: &[TableName], if_exists: bool) -> Result<()> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in views {
            let schema = self.schema_of(name)?.to_string();
            if self.dictionary().table(&schema, &name.name).await?.is_some() {
                return Err(is_not(&schema, &name.name, "VIEW"));
            }
            let pair = (schema, name.name.clone());
            if self.view_record(&pair.0, &pair.1).await?.is_none() {
                missing.push(format!("{}.{}", pair.0, pair.1));
            } else if !found.contains(&pair) {
                found.push(pair);
            }
        }
        if !missing.is_empty() && !if_exists {
            return Err(SqlError::new(1051, format!("Unknown table '{}'", missing.join(","))));
        }
        let names: Vec<(&str, &str)> = found.iter().map(|(s, t)| (s.as_str(), t.as_str())).collect();
        self.dictionary().drop_views(&names).await?;
        for name in missing {
            self.context.warn(Level::Note, 1051, format!("Unknown table '{name}'"));
        }
        Ok(())
    }

    /// What SHOW CREATE VIEW prints.
    pub(super) fn create_view_text(&self, schema: &str, name: &str, record: &Record) -> Result<String> {
        let here = self.context.schema.as_deref() == Some(schema);
        let query = text(&read(&record.query)?, here.then_some(schema));
        let full = if here { quoted(name) } else { format!("{}.{}", quoted(schema), quoted(name)) };
        let columns: Vec<String> = record.columns.iter().map(|c| quoted(c)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(",")) };
        let check = match record.check() {
            CheckOption::None => "",
            CheckOption::Local => " WITH LOCAL CHECK OPTION",
            CheckOption::Cascaded => " WITH CASCADED CHECK OPTION",
        };
        Ok(format!(
            "CREATE ALGORITHM={} DEFINER={}@{} SQL SECURITY {} VIEW {full}{columns} AS {query}{check}",
            record.algorithm_name(),
            quoted(&record.user),
            quoted(&record.host),
            if record.invoker { "INVOKER" } else { "DEFINER" },
        ))
    }
}

/// Does the view read `schema.name`, at any depth?
fn reads(view: &View, schema: &str, name: &str) -> bool {
    (view.schema == schema && view.name == name)
        || view.catalog.tables.iter().any(|(_, resolved)| match resolved {
            Ok(Resolved { view: Some(inner), .. }) => reads(inner, schema, name),
            _ => false,
        })
}
