//! Prepared statements: parsed once, planned once, run many times.
//!
//! A plan is kept as long as what it was made from holds: the dictionary's version, the default schema, sql_mode and collation, the
//! classes of the parameters.
//!
//! The future of an execution lies in the connection's task, unboxed: a point select allocates nothing for it. So it must be small; whatever
//! a point select does not run is boxed where it is awaited.

use super::Session;
use super::dispatch::unknown_handler;
use crate::api::{ColumnMeta, PreparedInfo, ResultSink, flag};
use crate::ast::{PrepareSource, Statement};
use crate::bind::literal::same_class;
use crate::error::{Result, SqlError};
use crate::expr::Ty;
use crate::expr::ty::derivation;
use crate::parse;
use crate::plan::{Plan, meta};
use std::sync::Arc;
use values::{Collation, SqlMode, Value};

/// A prepared statement.
pub(crate) struct Prepared {
    statement: Arc<Statement>,
    pub(crate) params: u16,
    cached: Option<Cached>,
}

struct Cached {
    plan: Arc<Plan>,
    version: u64,
    /// Of the accounts when the plan was allowed.
    accounts: u64,
    schema: Option<Arc<str>>,
    sql_mode: SqlMode,
    collation: Collation,
    /// One value of the class of each parameter.
    classes: Vec<Value>,
}

impl Cached {
    fn fits(&self, session: &Session, params: &[Value]) -> bool {
        let settings = &session.context.settings;
        self.accounts == session.accounts_seen()
            && self.version == session.server.engine.dictionary().version()
            && self.sql_mode == settings.sql_mode
            && self.collation == settings.collation_connection
            && self.schema == session.context.schema
            && self.classes.len() == params.len()
            && self.classes.iter().zip(params).all(|(a, b)| same_class(a, b))
    }
}

/// Statements that may be prepared but have no plan.
fn has_plan(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Select(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)
    )
}

impl Session {
    pub(super) async fn prepare_text(&mut self, text: &[u8]) -> Result<PreparedInfo> {
        let mode = self.context.settings.lex_mode();
        let parsed = parse::parse(text, 0, mode)?.ok_or_else(|| SqlError::new(1065, "Query was empty"))?;
        if !parse::is_blank(text, parsed.next, mode) {
            return Err(crate::error::syntax(text, parsed.next));
        }
        let refused = match &parsed.statement {
            Statement::Session(statement) => !may_be_prepared(statement),
            Statement::LoadData(_) => true,
            _ => false,
        };
        if refused {
            return Err(SqlError::new(
                1295,
                "This command is not supported in the prepared statement protocol yet",
            ));
        }
        let limit: usize = self.context.globals.named("max_prepared_stmt_count").parse().unwrap_or(16_382);
        if self.prepared.len() >= limit {
            return Err(SqlError::new(
                1461,
                format!("Can't create more than max_prepared_stmt_count statements (current value: {limit})"),
            ));
        }
        self.read_globals();
        let wall = self.server.env.wall_us();
        self.context.start_clock(wall);
        self.read_privileges().await?;
        self.may_run(&parsed.statement)?;
        self.may_write(&parsed.statement)?;
        for (code, text) in &parsed.deprecated {
            self.context.warn(values::Level::Warning, *code, (*text).to_owned());
        }
        let columns = self.result_columns(&parsed.statement).await?;
        let columns = meta::announced(&columns, self.context.settings.results).into_owned();
        self.next_statement = self.next_statement.wrapping_add(1).max(1);
        let id = self.next_statement;
        let prepared =
            Prepared { statement: Arc::new(parsed.statement), params: parsed.params, cached: None };
        self.prepared.insert(id, prepared);
        Ok(PreparedInfo { id, params: self.param_columns(parsed.params), columns, warnings: self.warnings() })
    }

    /// The columns of the result, as far as they are known before the parameters are.
    async fn result_columns(&mut self, statement: &Statement) -> Result<Vec<ColumnMeta>> {
        if has_plan(statement) {
            return Ok(match self.plan(statement, &[]).await? {
                Plan::Query(query, into) if into.is_empty() => query.columns.to_vec(),
                _ => Vec::new(),
            });
        }
        Ok(match statement {
            Statement::Explain(inner) => {
                let plan = self.plan(inner, &[]).await?;
                self.explain(&plan, &[]).await?.metadata(&self.context)
            }
            Statement::Show(show) => self.show(show).await?.metadata(&self.context),
            _ => Vec::new(),
        })
    }

    fn param_columns(&self, count: u16) -> Vec<ColumnMeta> {
        let ty = Ty::text(0, Collation::BINARY, derivation::COERCIBLE);
        let mut column = meta::of_type(&ty, "?", &self.context);
        column.flags |= flag::BINARY;
        vec![column; usize::from(count)]
    }

    pub(super) async fn execute_prepared(
        &mut self,
        id: u32,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let Some(prepared) = self.prepared.get(&id) else {
            return Err(unknown_handler(&id.to_string(), "mysqld_stmt_execute"));
        };
        if params.len() != usize::from(prepared.params) {
            return Err(SqlError::new(1210, "Incorrect arguments to mysqld_stmt_execute"));
        }
        let statement = prepared.statement.clone();
        self.run_prepared(id, &statement, params, false, sink).await
    }

    async fn run_prepared(
        &mut self,
        id: u32,
        statement: &Statement,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        // What is rare is boxed: the connection keeps room for this future (see the module's head).
        if !has_plan(statement) {
            return Box::pin(self.run_statement(statement, params, more, sink)).await;
        }
        self.start_statement(statement);
        if self.privileges_are_stale() {
            Box::pin(self.read_privileges()).await?;
        }
        self.may_run(statement)?;
        self.may_write(statement)?;
        for _ in 0..3 {
            let plan = self.cached_plan(id, statement, params).await?;
            match self.run_plan(&plan, params, more, sink).await {
                Err(error) if self.may_plan_again(&error) => {
                    if let Some(prepared) = self.prepared.get_mut(&id) {
                        prepared.cached = None;
                    }
                }
                answered => return answered,
            }
        }
        Err(SqlError::new(1412, super::dispatch::TABLE_CHANGED))
    }

    async fn cached_plan(&mut self, id: u32, statement: &Statement, params: &[Value]) -> Result<Arc<Plan>> {
        if self.locked.is_none()
            && let Some(cached) = self.prepared.get(&id).and_then(|p| p.cached.as_ref())
            && cached.fits(self, params)
        {
            return Ok(cached.plan.clone());
        }
        let version = self.server.engine.dictionary().version();
        let plan = Arc::new(Box::pin(self.plan(statement, params)).await?);
        let settings = &self.context.settings;
        let cached = Cached {
            plan: plan.clone(),
            version,
            accounts: self.accounts_seen(),
            schema: self.context.schema.clone(),
            sql_mode: settings.sql_mode,
            collation: settings.collation_connection,
            classes: params.to_vec(),
        };
        if let Some(prepared) = self.prepared.get_mut(&id) {
            prepared.cached = Some(cached);
        }
        Ok(plan)
    }

    /// PREPARE name FROM ...
    pub(super) async fn prepare_named(&mut self, name: &str, source: &PrepareSource) -> Result<()> {
        let text = match source {
            PrepareSource::Text(text) => text.clone(),
            PrepareSource::Var(variable) => match self.context.user_variables.get(&variable.to_lowercase()) {
                Some(value) if !value.is_null() => match value.as_bytes() {
                    Some(bytes) => bytes.to_vec(),
                    None => values::convert::text::to_text(value, 0).as_bytes().to_vec(),
                },
                _ => b"NULL".to_vec(),
            },
        };
        let name = name.to_lowercase();
        if let Some(old) = self.named.remove(&name) {
            self.prepared.remove(&old);
        }
        let info = self.prepare_text(&text).await?;
        self.named.insert(name, info.id);
        Ok(())
    }

    /// EXECUTE name USING @a, @b
    pub(super) async fn execute_named(
        &mut self,
        name: &str,
        using: &[String],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let id = *self.named.get(&name.to_lowercase()).ok_or_else(|| unknown_handler(name, "EXECUTE"))?;
        let Some(prepared) = self.prepared.get(&id) else { return Err(unknown_handler(name, "EXECUTE")) };
        if using.len() != usize::from(prepared.params) {
            return Err(SqlError::new(1210, "Incorrect arguments to EXECUTE"));
        }
        let statement = prepared.statement.clone();
        let params: Vec<Value> = using
            .iter()
            .map(|v| self.context.user_variables.get(&v.to_lowercase()).cloned().unwrap_or_default())
            .collect();
        self.run_prepared(id, &statement, &params, more, sink).await
    }
}

fn may_be_prepared(statement: &crate::ast::SessionStatement) -> bool {
    use crate::ast::SessionStatement as S;
    !matches!(statement, S::Prepare { .. } | S::Execute { .. } | S::Deallocate(_))
}
