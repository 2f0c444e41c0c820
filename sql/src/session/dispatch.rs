//! One statement: what it is, what runs it, how it answers.

use super::Session;
use super::context::Strictness;
use crate::account::privilege::Privileges;
use crate::api::{ResultSink, status};
use crate::ast::{Expr, Query, SessionStatement, Statement};
use crate::bind::select::{Catalog, Resolved};
use crate::bind::subquery::Shared;
use crate::bind::{self, Binder, World};
use crate::error::{Result, SqlError};
use crate::exec::memory::Memory;
use crate::exec::output::{CLIENT_GONE, Output, ValuesRow};
use crate::exec::select::Target;
use crate::exec::{Run, change, change_join, insert, query};
use crate::expr::Eval;
use crate::plan::{BodyPlan, InsertPlan, Plan, QueryPlan, SelectPlan, Source};
use crate::show::ShowTable;
use engine::{Isolation, LockMode, LockWait};
use std::borrow::Cow;
use std::collections::HashMap;
use values::Value;

/// 1412's text when a definition is not the current one.
pub(super) const TABLE_CHANGED: &str = "Table definition has changed, please retry transaction";
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
            Statement::LoadData(load) => Box::pin(self.load_data(load, more, sink)).await,
            Statement::SelectIntoFile(query, file) => {
                Box::pin(self.select_into_file(query, file, params, more, sink)).await
            }
            Statement::Ddl(ddl) => {
                self.may_change(ddl).await?;
                self.check_locked_ddl(ddl)?;
                self.commit().await?;
                self.room_to_write().await?;
                // Rare and large: not a part of every connection's memory.
                Box::pin(self.ddl(ddl, more, sink)).await
            }
            Statement::Session(statement) => {
                Box::pin(self.session_statement(statement, params, more, sink)).await
            }
            Statement::Show(show) => {
                let table = Box::pin(self.show(show)).await?;
                let quiet = crate::show::session::is_about_diagnostics(statement);
                self.send_table_quietly(&table, more, quiet, sink)
            }
            Statement::Explain(inner) => {
                let plan = Box::pin(self.plan(inner, params)).await?;
                let table = Box::pin(self.explain(&plan, params)).await?;
                self.send_table(&table, more, sink)
            }
            Statement::Do(list) => {
                for expr in list {
                    self.value(expr, params).await?;
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
        self.context.seeded.clear();
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
        let charset = self.context.settings.results;
        sink.columns(&crate::plan::meta::announced(&table.metadata(&self.context), charset));
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
        let mut lines = crate::plan::explain::lines(plan);
        for line in &mut lines {
            let Some(access) = line.access.filter(|a| !a.impossible) else { continue };
            let engine = self.server.engine.clone();
            let mut rows = engine.row_estimate(&access.table);
            if !access.parts.is_empty() && !line.fed {
                let ranges = access.ranges(&mut Eval::constant(params, &mut self.context))?;
                rows = 0;
                for range in ranges {
                    let range = engine::KeyRange { lower: range.lower, upper: range.upper };
                    rows += engine.estimate_range(&access.table, access.index, &range).await?;
                }
            } else if !access.parts.is_empty() {
                rows = line.rows as u64;
            }
            line.rows = rows as f64;
        }
        Ok(crate::plan::explain::table(&lines))
    }

    /// Binds a statement over rows.
    pub(super) async fn plan(&self, statement: &Statement, params: &[Value]) -> Result<Plan> {
        let catalog = self.catalog(statement).await?;
        let target = match statement {
            Statement::Insert(insert) => Some(self.resolve_target(&insert.table).await?),
            _ => None,
        };
        let plan = self.bind_statement(statement, &catalog, target.as_ref(), params)?;
        self.check_locked(&catalog, &plan)?;
        if let Plan::ChangeJoin(change) = &plan {
            let wanted = if change.delete { Privileges::DELETE } else { Privileges::UPDATE };
            for target in &change.targets {
                self.may(wanted, &target.named.0, &target.named.1)?;
            }
        }
        Ok(plan)
    }

    fn bind_statement(
        &self,
        statement: &Statement,
        catalog: &Catalog,
        target: Option<&Resolved>,
        params: &[Value],
    ) -> Result<Plan> {
        let shared = Shared::default();
        let (context, engine) = (&self.context, &self.server.engine);
        let world = World { context, params, catalog, engine, shared: &shared, ctes: None };
        Ok(match (statement, target) {
            (Statement::Select(query), _) => {
                let mut plan = bind::query::bind(query, world, None)?;
                plan.sizes = shared.sizes();
                if !query.into.is_empty() && query.into.len() != plan.tys.len() {
                    return Err(SqlError::new(
                        1222,
                        "The used SELECT statements have a different number of columns",
                    ));
                }
                Plan::Query(Box::new(plan), query.into.clone())
            }
            (Statement::Insert(insert), Some(target)) => {
                Plan::Insert(Box::new(bind::change::insert(insert, target, world)?))
            }
            (Statement::Update(update), _) => bind::change::update(update, world)?,
            (Statement::Delete(delete), _) => bind::change::delete(delete, world)?,
            (Statement::Explain(_), _) => return Err(crate::error::unsupported("EXPLAIN of EXPLAIN")),
            _ => return Err(crate::error::unsupported("EXPLAIN of this statement")),
        })
    }

    /// The value of an expression without columns.
    pub(super) async fn value(&mut self, expr: &Expr, params: &[Value]) -> Result<Value> {
        if !expr.has_subquery() {
            let bound = Binder::new(&self.context, params).bind_in("field list", expr)?;
            return bound.eval(&mut Eval::constant(params, &mut self.context));
        }
        let query = Query::of_exprs(std::slice::from_ref(expr));
        let plan = self.plan(&Statement::Select(Box::new(query)), params).await?;
        let Plan::Query(query, _) = &plan else { unreachable!("planned from a query") };
        let mut rows = self.collect(query, params).await?;
        self.finish_statement().await?;
        Ok(rows.pop().and_then(|mut row| row.pop()).unwrap_or_default())
    }

    /// A query's rows in memory; a failed one undoes itself.
    pub(super) async fn collect(&mut self, query: &QueryPlan, params: &[Value]) -> Result<Vec<Vec<Value>>> {
        let mut run = self.start_query(params, LockWait::Wait);
        run.make_room(query.sizes);
        let rows = crate::exec::query::rows(query, &mut run, usize::MAX).await;
        drop(run);
        if rows.is_err() {
            self.abandon_statement().await?;
        }
        rows
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
                Err(error) if self.may_plan_again(&error) => {}
                answered => return answered,
            }
        }
        Err(SqlError::new(1412, TABLE_CHANGED))
    }

    /// Waits while the log stalls: 1205 after innodb_lock_wait_timeout, because nothing was written yet.
    pub(super) async fn room_to_write(&self) -> Result<()> {
        let timeout_us = self.context.settings.lock_wait_timeout_us;
        Ok(self.server.engine.room_to_write(timeout_us, self.kill.switch()).await?)
    }

    /// A table changed since the plan was made, and nothing has come of it yet. Within a transaction that is so only before it has used the
    /// table: from there on nobody changes it.
    pub(super) fn may_plan_again(&self, error: &SqlError) -> bool {
        error.code == 1412 && !self.rows_sent && (error.message == TABLE_CHANGED || !self.in_transaction())
    }

    /// Runs a plan and answers.
    pub(super) async fn run_plan(
        &mut self,
        plan: &Plan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        if !matches!(plan, Plan::Query(..)) {
            // Nothing has begun: there is nothing to undo when it ends here. Boxed: a connection keeps room for this future.
            Box::pin(self.room_to_write()).await?;
        }
        self.tracker.runs(plan);
        self.rows_sent = false;
        let outcome = match plan {
            Plan::Query(query, into) if into.is_empty() => self.run_query(query, params, more, sink).await,
            Plan::Query(query, into) => Box::pin(self.run_into(query, into, params, more, sink)).await,
            Plan::Insert(insert) => Box::pin(self.run_insert(insert, params, more, sink)).await,
            Plan::Change(_) | Plan::ChangeJoin(_) => {
                Box::pin(self.run_change(plan, params, more, sink)).await
            }
        };
        let Err(error) = outcome else { return Ok(()) };
        self.context.strictness = Strictness::Lenient;
        if let Err(worse) = Box::pin(self.abandon_statement()).await
            && error.code != CLIENT_GONE
        {
            return Err(worse);
        }
        Err(error)
    }

    /// The same for a query. A lone one that commits by itself takes no locks at SERIALIZABLE: its snapshot is one point in the order.
    /// What a change reads besides is locked, also when it commits by itself.
    fn start_query<'a>(&'a mut self, params: &'a [Value], wait: LockWait) -> Run<'a> {
        let lone = self.autocommits();
        let run = self.start_run(params, wait);
        if lone && run.txn.isolation() == Isolation::Serializable {
            run.txn.set_isolation(Isolation::RepeatableRead);
        }
        run
    }

    /// The pieces an executor works with.
    pub(super) fn start_run<'a>(&'a mut self, params: &'a [Value], wait: LockWait) -> Run<'a> {
        self.transaction();
        let Session { server, context, txn, kill, scratch, .. } = self;
        let txn = txn.as_mut().expect("invariant: begun above");
        txn.start_statement();
        txn.set_lock_wait(wait);
        txn.set_foreign_key_checks(context.settings.foreign_key_checks);
        Run {
            engine: &server.engine,
            env: &*server.env,
            txn,
            kill: kill.switch(),
            context,
            params: Cow::Borrowed(params),
            subs: Vec::new(),
            ctes: HashMap::new(),
            memory: Memory::new(server.memory.clone()),
            scratch,
            examined: 0,
            ticks: 0,
        }
    }

    pub(super) async fn run_query(
        &mut self,
        plan: &QueryPlan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let mut output = Output::new(sink);
        let select = match &plan.body {
            BodyPlan::Select(select) => Some(select),
            _ => None,
        };
        let mut run = self.start_query(params, select.map_or(LockWait::Wait, |s| s.wait));
        run.make_room(plan.sizes);
        let found = query::run(plan, &mut run, &mut Target::Client(&mut output)).await;
        let examined = run.examined;
        drop(run);
        self.rows_sent = output.rows > 0;
        let found = found?;
        self.rows_examined += examined;
        self.finish_statement().await?;
        let sent = output.rows;
        self.context.found_rows = if select.is_some_and(|s| s.calc_found_rows) { found } else { sent };
        self.context.row_count = -1;
        if let Some(id) = self.context.set_insert_id {
            self.context.last_insert_id = id;
        }
        let mut done = self.done(0, 0, String::new(), more);
        if select.is_some_and(|s| reads_without_index(s)) {
            done.status |= status::NO_INDEX_USED;
        }
        sink.end(&done);
        Ok(())
    }

    /// SELECT ... INTO @a, @b: at most one row.
    async fn run_into(
        &mut self,
        plan: &QueryPlan,
        into: &[String],
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let mut run = self.start_query(params, LockWait::Wait);
        run.make_room(plan.sizes);
        let mut rows = query::rows(plan, &mut run, 2).await?;
        drop(run);
        self.finish_statement().await?;
        if rows.len() > 1 {
            return Err(SqlError::new(1172, "Result consisted of more than one row"));
        }
        let affected = rows.len() as u64;
        match rows.pop() {
            Some(row) => {
                for (name, value) in into.iter().zip(row) {
                    self.context.user_variables.insert(name.to_lowercase(), value);
                }
            }
            None => {
                let text = "No data - zero rows fetched, selected, or processed";
                self.context.warn(values::Level::Warning, 1329, text.into());
            }
        }
        self.send_ok(affected, more, sink)
    }

    pub(super) fn strictness(&self, ignore: bool) -> Strictness {
        if self.context.settings.sql_mode.strict() && !ignore {
            Strictness::Strict
        } else {
            Strictness::Lenient
        }
    }

    pub(super) async fn run_insert(
        &mut self,
        plan: &InsertPlan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.context.strictness = self.strictness(plan.ignore);
        let mut run = self.start_run(params, LockWait::Wait);
        if run.txn.is_read_only() {
            return Err(engine::EngineError::ReadOnly.into());
        }
        if plan.replace || !plan.on_duplicate.is_empty() {
            run.txn.set_duplicate_lock(LockMode::Exclusive);
        }
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
        let info = if plan.rows.len() > 1 || plan.select.is_some() {
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
        plan: &Plan,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let (ignore, delete) = match plan {
            Plan::Change(p) => (p.ignore, p.delete),
            Plan::ChangeJoin(p) => (p.ignore, p.delete),
            _ => unreachable!("called for changes only"),
        };
        self.context.strictness = self.strictness(ignore);
        let mut run = self.start_run(params, LockWait::Wait);
        // Before the first row is locked.
        if run.txn.is_read_only() {
            return Err(engine::EngineError::ReadOnly.into());
        }
        let changed = match plan {
            Plan::Change(plan) => change::run(plan, &mut run).await?,
            Plan::ChangeJoin(plan) => Box::pin(change_join::run(plan, &mut run)).await?,
            _ => unreachable!("called for changes only"),
        };
        drop(run);
        self.context.strictness = Strictness::Lenient;
        self.finish_statement().await?;
        let affected =
            if self.context.found_rows_flag && !delete { changed.matched } else { changed.changed };
        let info = if delete {
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
            S::ResetPersist { name, if_exists } => self.reset_persist(name.as_deref(), *if_exists).await?,
            S::Kill { query, id } => self.kill_connection(*query, id).await?,
            S::LockTables(tables) => self.lock_tables(tables).await?,
            S::UnlockTables => self.unlock_tables().await?,
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

/// SERVER_QUERY_NO_INDEX_USED: some table is read as a whole.
fn reads_without_index(select: &SelectPlan) -> bool {
    let whole = |a: &crate::plan::access::Access| a.parts.is_empty() && a.index == 0;
    match &select.source {
        Source::Table(access) => whole(access),
        Source::Join(join) => join.steps.iter().any(|step| match &step.how {
            crate::plan::join::How::Cursor(access) => whole(access),
            crate::plan::join::How::Buffer(buffer) => buffer.access.as_ref().is_none_or(whole),
        }),
        Source::One { .. } => false,
    }
}

/// 1243
pub(super) fn unknown_handler(name: &str, verb: &str) -> SqlError {
    SqlError::new(1243, format!("Unknown prepared statement handler ({name}) given to {verb}"))
}
