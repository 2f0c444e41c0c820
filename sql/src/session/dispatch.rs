//! One statement: what it is, what runs it, how it answers.

use super::Session;
use super::context::Strictness;
use crate::api::{ResultSink, status};
use crate::ast::{Insert, SessionStatement, Statement};
use crate::bind::{self, Binder};
use crate::error::{Result, SqlError};
use crate::exec::memory::Memory;
use crate::exec::output::{CLIENT_GONE, Output, ValuesRow};
use crate::exec::{Run, change, insert, select};
use crate::expr::Eval;
use crate::plan::{ChangePlan, InsertPlan, Plan, SelectPlan};
use crate::show::ShowTable;
use engine::LockWait;
use values::Value;

/// How often a statement is planned again because its table changed under it.
const RETRIES: usize = 3;

impl Session {
    /// Runs one parsed statement and answers it; an `Err` has not been answered.
    pub(super) async fn run_statement(
        &mut self,
        statement: &Statement,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.start_statement(statement);
        self.read_privileges().await?;
        self.may_run(statement)?;
        match statement {
            Statement::Select(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
                self.rows_statement(statement, params, more, sink).await
            }
            Statement::Ddl(ddl) => {
                self.may_change(ddl).await?;
                self.commit().await?;
                self.ddl(ddl, more, sink).await
            }
            Statement::Session(statement) => self.session_statement(statement, params, more, sink).await,
            Statement::Show(show) => {
                let table = self.show(show).await?;
                let quiet = crate::show::session::is_about_diagnostics(statement);
                self.send_table_quietly(&table, more, quiet, sink)
            }
            Statement::Explain(inner) => {
                let plan = self.plan(inner, params).await?;
                let table = self.explain(&plan, params).await?;
                self.send_table(&table, more, sink)
            }
            Statement::Do(list) => {
                for expr in list {
                    let bound = Binder::new(None, &self.context, params).bind_in("field list", expr)?;
                    bound.eval(&mut Eval::constant(params, &mut self.context))?;
                }
                self.send_ok(0, more, sink)
            }
        }
    }

    /// Resets what belongs to one statement.
    pub(super) fn start_statement(&mut self, statement: &Statement) {
        if !crate::show::session::is_about_diagnostics(statement) {
            self.context.diagnostics.clear();
        }
        for (code, text) in std::mem::take(&mut self.deprecated) {
            self.context.warn(values::Level::Warning, code, text.to_owned());
        }
        self.context.set_insert_id = None;
        self.context.row_number = 0;
        self.context.strictness = Strictness::Lenient;
        self.read_globals();
        let wall = self.server.env.wall_us();
        self.context.start_clock(wall);
        let limit = self.context.settings.max_execution_us;
        let timed = limit > 0 && matches!(statement, Statement::Select(_));
        self.kill.switch().arm(if timed { self.server.env.now_us() + limit } else { 0 });
    }

    /// OK for a statement that is about no rows.
    pub(super) fn send_ok(&mut self, affected: u64, more: bool, sink: &mut dyn ResultSink) -> Result<()> {
        self.send_ok_with(affected, String::new(), more, sink)
    }

    /// The same with a text for people.
    pub(super) fn send_ok_with(
        &mut self,
        affected: u64,
        info: String,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.context.row_count = affected as i64;
        let done = self.done(affected, 0, info, more);
        sink.ok(&done);
        Ok(())
    }

    /// A result set that is in memory.
    pub(super) fn send_table(
        &mut self,
        table: &ShowTable,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.send_table_quietly(table, more, false, sink)
    }

    /// The same; `quiet`: the answer reports no warnings (it is the report).
    fn send_table_quietly(
        &mut self,
        table: &ShowTable,
        more: bool,
        quiet: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        sink.columns(&table.metadata(&self.context));
        let format = crate::exec::output::Format {
            zone: self.context.settings.zone,
            charset: self.context.settings.results,
        };
        for values in &table.rows {
            sink.row(&ValuesRow { values, format });
        }
        self.context.row_count = -1;
        self.context.found_rows = table.rows.len() as u64;
        let mut done = self.done(0, 0, String::new(), more);
        if quiet {
            done.warnings = 0;
        }
        sink.end(&done);
        Ok(())
    }

    /// EXPLAIN of a plan: its ranges are computed and estimated.
    pub(super) async fn explain(&mut self, plan: &Plan, params: &[Value]) -> Result<ShowTable> {
        let access = match plan {
            Plan::Select(select) => match &select.source {
                crate::plan::Source::Table(access) => Some(access),
                _ => None,
            },
            Plan::Change(change) => Some(&change.access),
            Plan::Insert(_) => None,
        };
        let mut rows = 1;
        if let Some(access) = access {
            let engine = self.server.engine.clone();
            rows = engine.row_estimate(&access.table);
            if !access.parts.is_empty() && !access.impossible {
                let ranges = access.ranges(&mut Eval::constant(params, &mut self.context))?;
                rows = 0;
                for range in ranges {
                    let range = engine::KeyRange { lower: range.lower, upper: range.upper };
                    rows += engine.estimate_range(&access.table, access.index, &range).await?;
                }
            }
        }
        Ok(crate::plan::explain::explain(plan, rows))
    }

    /// Binds a statement over rows.
    pub(super) async fn plan(&self, statement: &Statement, params: &[Value]) -> Result<Plan> {
        Ok(match statement {
            Statement::Select(select) => {
                let resolved = match &select.from {
                    Some(table) => Some(self.resolve_ref(table).await?),
                    None => None,
                };
                Plan::Select(Box::new(bind::select::bind(select, resolved.as_ref(), &self.context, params)?))
            }
            Statement::Insert(insert) => Plan::Insert(Box::new(self.plan_insert(insert, params).await?)),
            Statement::Update(update) => {
                let table = &update.table;
                let resolved = self.resolve_target(&table.table, table.alias.as_deref()).await?;
                Plan::Change(Box::new(bind::change::update(update, &resolved, &self.context, params)?))
            }
            Statement::Delete(delete) => {
                let table = &delete.table;
                let resolved = self.resolve_target(&table.table, table.alias.as_deref()).await?;
                Plan::Change(Box::new(bind::change::delete(delete, &resolved, &self.context, params)?))
            }
            Statement::Explain(_) => return Err(crate::error::unsupported("EXPLAIN of EXPLAIN")),
            _ => return Err(crate::error::unsupported("EXPLAIN of this statement")),
        })
    }

    async fn plan_insert(&self, insert: &Insert, params: &[Value]) -> Result<InsertPlan> {
        let resolved = self.resolve_target(&insert.table, None).await?;
        let select = match &insert.select {
            None => None,
            Some(select) => {
                let source = match &select.from {
                    Some(table) => Some(self.resolve_ref(table).await?),
                    None => None,
                };
                Some(bind::select::bind(select, source.as_ref(), &self.context, params)?)
            }
        };
        bind::change::insert(insert, &resolved, select, &self.context, params)
    }

    async fn rows_statement(
        &mut self,
        statement: &Statement,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.may_write(statement)?;
        for _ in 0..RETRIES {
            let plan = self.plan(statement, params).await?;
            match self.run_plan(&plan, params, more, sink).await {
                Err(error) if error.code == 1412 && !self.in_transaction() => {}
                answered => return answered,
            }
        }
        Err(SqlError::new(1412, "Table definition has changed, please retry transaction"))
    }

    /// Runs a plan and answers.
    pub(super) async fn run_plan(
        &mut self,
        plan: &Plan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.tracker.runs(plan);
        let outcome = match plan {
            Plan::Select(select) => self.run_select(select, params, more, sink).await,
            Plan::Insert(insert) => self.run_insert(insert, params, more, sink).await,
            Plan::Change(change) => self.run_change(change, params, more, sink).await,
        };
        let Err(error) = outcome else { return Ok(()) };
        self.context.strictness = Strictness::Lenient;
        if let Err(worse) = self.abandon_statement().await
            && error.code != CLIENT_GONE
        {
            return Err(worse);
        }
        Err(error)
    }

    /// The pieces an executor works with.
    fn start_run<'a>(&'a mut self, params: &'a [Value], wait: LockWait) -> Run<'a> {
        self.transaction();
        let Session { server, context, txn, kill, scratch, .. } = self;
        let txn = txn.as_mut().expect("invariant: begun above");
        txn.start_statement();
        txn.set_lock_wait(wait);
        Run {
            engine: &server.engine,
            env: &*server.env,
            txn,
            kill: kill.switch(),
            context,
            params,
            memory: Memory::new(server.memory.clone()),
            scratch,
            ticks: 0,
        }
    }

    async fn run_select(
        &mut self,
        plan: &SelectPlan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let mut output = Output::new(sink);
        let mut run = self.start_run(params, plan.wait);
        let found = select::run(plan, &mut run, &mut select::Target::Client(&mut output)).await?;
        drop(run);
        self.finish_statement().await?;
        let sent = output.rows;
        self.context.found_rows = if plan.calc_found_rows { found } else { sent };
        self.context.row_count = -1;
        if let Some(id) = self.context.set_insert_id {
            self.context.last_insert_id = id;
        }
        let mut done = self.done(0, 0, String::new(), more);
        if let crate::plan::Source::Table(access) = &plan.source
            && access.parts.is_empty()
            && access.index == 0
        {
            done.status |= status::NO_INDEX_USED;
        }
        sink.end(&done);
        Ok(())
    }

    fn strictness(&self, ignore: bool) -> Strictness {
        if self.context.settings.sql_mode.strict() && !ignore {
            Strictness::Strict
        } else {
            Strictness::Lenient
        }
    }

    async fn run_insert(
        &mut self,
        plan: &InsertPlan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.context.strictness = self.strictness(plan.ignore);
        let mut run = self.start_run(params, LockWait::Wait);
        let inserted = insert::run(plan, &mut run).await?;
        drop(run);
        self.context.strictness = Strictness::Lenient;
        self.finish_statement().await?;
        let mut id = inserted.insert_id;
        if inserted.insert_id != 0 {
            self.context.last_insert_id = inserted.insert_id;
        }
        if let Some(set) = self.context.set_insert_id {
            self.context.last_insert_id = set;
            id = set;
        }
        if id == 0 {
            id = inserted.explicit_id;
        }
        let info = if inserted.records > 1 || plan.select.is_some() {
            let warnings = self.warnings();
            format!(
                "Records: {}  Duplicates: {}  Warnings: {warnings}",
                inserted.records, inserted.duplicates
            )
        } else {
            String::new()
        };
        self.context.row_count = inserted.affected as i64;
        let done = self.done(inserted.affected, id, info, more);
        sink.ok(&done);
        Ok(())
    }

    async fn run_change(
        &mut self,
        plan: &ChangePlan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.context.strictness = self.strictness(plan.ignore);
        let mut run = self.start_run(params, LockWait::Wait);
        let changed = change::run(plan, &mut run).await?;
        drop(run);
        self.context.strictness = Strictness::Lenient;
        self.finish_statement().await?;
        let affected =
            if self.context.found_rows_flag && !plan.delete { changed.matched } else { changed.changed };
        let info = if plan.delete {
            String::new()
        } else {
            let warnings = self.warnings();
            format!("Rows matched: {}  Changed: {}  Warnings: {warnings}", changed.matched, changed.changed)
        };
        let id = self.context.set_insert_id.unwrap_or(0);
        if let Some(set) = self.context.set_insert_id {
            self.context.last_insert_id = set;
        }
        self.context.row_count = affected as i64;
        let done = self.done(affected, id, info, more);
        sink.ok(&done);
        Ok(())
    }

    async fn session_statement(
        &mut self,
        statement: &SessionStatement,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        use SessionStatement as S;
        match statement {
            S::Begin { read_only, consistent_snapshot } => {
                self.begin(*read_only, *consistent_snapshot).await?
            }
            S::Commit { chain, release } => {
                self.commit().await?;
                self.after_transaction(*chain, *release).await?;
            }
            S::Rollback { chain, release } => {
                self.roll_back().await?;
                self.after_transaction(*chain, *release).await?;
            }
            S::Savepoint(name) => self.savepoint(name),
            S::RollbackTo(name) => self.rollback_to(name).await?,
            S::ReleaseSavepoint(name) => self.release_savepoint(name)?,
            S::Use(schema) => self.use_schema(schema).await?,
            S::Set(items) => self.set(items, params).await?,
            S::Kill { query, id } => self.kill_connection(*query, id).await?,
            S::UnlockTables => {}
            S::Prepare { name, source } => {
                self.prepare_named(name, source).await?;
                self.tracker.changed();
                return self.send_ok_with(0, "Statement prepared".to_owned(), more, sink);
            }
            S::Execute { name, using } => return Box::pin(self.execute_named(name, using, more, sink)).await,
            S::Deallocate(name) => {
                let id = self
                    .named
                    .remove(&name.to_lowercase())
                    .ok_or_else(|| unknown_handler(name, "DEALLOCATE PREPARE"))?;
                self.prepared.remove(&id);
                self.tracker.changed();
            }
        }
        self.send_ok(0, more, sink)
    }

    async fn after_transaction(&mut self, chain: bool, release: bool) -> Result<()> {
        if chain {
            let (isolation, read_only) = (self.next_isolation, self.read_only);
            self.next_isolation = isolation;
            self.begin(Some(read_only), false).await?;
        }
        self.closing |= release;
        Ok(())
    }
}

/// 1243
pub(super) fn unknown_handler(name: &str, verb: &str) -> SqlError {
    SqlError::new(1243, format!("Unknown prepared statement handler ({name}) given to {verb}"))
}
