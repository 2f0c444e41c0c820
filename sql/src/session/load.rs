//! LOAD DATA and SELECT ... INTO OUTFILE.
//!
//! ```text
//!   the client's file (ResultSink::local_chunk) ┐
//!   the server's file (Host::open_file) ────────┴─> Reader ─fields─> targets, SET ─row─> insert::one
//! ```
//! 1. LOCAL bends what does not fit and skips duplicates, as IGNORE does: the client cannot be stopped sending. So its file is read to the
//!    end whatever happens, and only then answered.
//! 2. It is one statement: an error undoes all rows.
//! 3. Files of the server are the [`crate::api::Host`]'s business: FILE is asked for here, secure_file_priv there.

use super::Session;
use super::context::{Context, Strictness};
use crate::account::privilege::Privileges;
use crate::api::{
    Cell, ColumnMeta, Done, FileRefused, Flow, ReadFile, ResultSink, RowSource, SinkClosed, WriteFile, flag,
};
use crate::ast::{
    ColumnName, Duplicates, FileFormat, Insert, IntoFile, LoadData, LoadTarget, Query, Statement,
};
use crate::bind::select::Catalog;
use crate::bind::subquery::Shared;
use crate::bind::{self, World};
use crate::error::{Result, SqlError, unknown_charset, unknown_column, unsupported};
use crate::exec::insert::{self, Inserted};
use crate::exec::output::CLIENT_GONE;
use crate::exec::text_file::{Field, Reader, write_field};
use crate::exec::{Run, store, sub};
use crate::expr::{Columns, Eval, NoRow};
use crate::plan::{InsertPlan, Plan, Set};
use crate::variable::Charset;
use engine::LockWait;
use protocol::env::BoxFuture;
use values::{Level, Value};

/// The longest row, in bytes of the file.
const LONGEST_ROW: usize = 64 << 20;

/// Where LOAD DATA reads.
enum From {
    Client,
    Server(ReadFile),
}

/// Where each field goes.
enum To {
    Column(usize),
    Variable(String),
}

/// A bound LOAD DATA.
struct Load {
    plan: InsertPlan,
    targets: Vec<To>,
    set: Vec<Set>,
    charset: Charset,
    ignore: bool,
}

impl Session {
    pub(super) async fn load_data(
        &mut self,
        load: &LoadData,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        if load.local && (self.context.globals.named("local_infile") != "ON" || !sink.takes_local_files()) {
            let text =
                "Loading local data is disabled; this must be enabled on both the client and server sides";
            return Err(SqlError::new(3948, text));
        }
        if !load.local {
            self.may_use_files()?;
        }
        usable(&load.format)?;
        let insert = self.as_insert(load);
        self.may_write(&Statement::Insert(Box::new(insert.clone())))?;
        let bound = self.bind_load(load, insert).await?;
        self.room_to_write().await?;
        let mut from = if load.local {
            sink.local_file(&load.file).await.map_err(|SinkClosed| client_gone())?;
            From::Client
        } else {
            let name = String::from_utf8_lossy(&load.file).into_owned();
            From::Server(self.server.host.open_file(&name).map_err(|why| refused(why, &name))?)
        };
        let done = self.load_rows(&bound, load, &mut from, sink).await;
        self.context.strictness = Strictness::Lenient;
        if matches!(from, From::Client) {
            while sink.local_chunk().await.map_err(|SinkClosed| client_gone())?.is_some() {}
        }
        match done {
            Ok(inserted) => self.loaded(&inserted, load.duplicates == Duplicates::Replace, more, sink),
            Err(error) => {
                self.abandon_statement().await?;
                Err(error)
            }
        }
    }

    /// The same as an INSERT: for privileges and binding.
    fn as_insert(&self, load: &LoadData) -> Insert {
        Insert {
            replace: load.duplicates == Duplicates::Replace,
            ignore: load.duplicates == Duplicates::Ignore,
            table: load.table.clone(),
            columns: None,
            rows: Vec::new(),
            select: None,
            row_alias: None,
            on_duplicate: load.set.clone(),
        }
    }

    async fn bind_load(&self, load: &LoadData, insert: Insert) -> Result<Load> {
        let resolved = self.resolve_target(&load.table).await?;
        if resolved.view.is_some() {
            return Err(unsupported("LOAD DATA into a view"));
        }
        let statement = Statement::Insert(Box::new(insert.clone()));
        let catalog: Catalog = self.catalog(&statement).await?;
        let shared = Shared::default();
        let world = World {
            context: &self.context,
            params: &[],
            catalog: &catalog,
            engine: &self.server.engine,
            shared: &shared,
            ctes: None,
        };
        let mut plan = bind::change::insert(&insert, &resolved, world)?;
        let table = &plan.table;
        let column = |name: &String| {
            let found = table.column(name);
            found
                .map(To::Column)
                .ok_or_else(|| unknown_column(super::super::bind::display(&plain(name)), "field list"))
        };
        let targets = if load.targets.is_empty() {
            (0..table.columns.len()).map(To::Column).collect()
        } else {
            let one = |target: &LoadTarget| match target {
                LoadTarget::Column(name) => column(name),
                LoadTarget::Variable(name) => Ok(To::Variable(name.to_lowercase())),
            };
            load.targets.iter().map(one).collect::<Result<Vec<_>>>()?
        };
        let charset = match &load.charset {
            Some(name) => Charset::from_name(name).ok_or_else(|| unknown_charset(name))?,
            None => Charset::from_name(self.context.variables.named("character_set_database"))
                .unwrap_or(Charset::Utf8mb4),
        };
        let set = std::mem::take(&mut plan.on_duplicate);
        plan.ignore = load.duplicates == Duplicates::Ignore || (load.local && !plan.replace);
        let ignore = plan.ignore;
        Ok(Load { plan, targets, set, charset, ignore })
    }

    async fn load_rows(
        &mut self,
        load: &Load,
        given: &LoadData,
        from: &mut From,
        sink: &mut dyn ResultSink,
    ) -> Result<Inserted> {
        self.context.strictness = self.strictness(load.ignore);
        let mut reader = Reader::new(given.format.clone(), given.skip_lines);
        let mut run = self.start_run(&[], LockWait::Wait);
        if run.txn.is_read_only() {
            return Err(engine::EngineError::ReadOnly.into());
        }
        if load.plan.replace {
            run.txn.set_duplicate_lock(engine::LockMode::Exclusive);
        }
        run.make_room(load.plan.sizes);
        run.context.written = std::sync::Arc::from(load.plan.table.name.as_str());
        let mut out = Inserted::default();
        loop {
            let chunk = match from {
                From::Client => sink.local_chunk().await.map_err(|SinkClosed| client_gone())?,
                From::Server(file) => file().map_err(|why| SqlError::new(1024, why))?,
            };
            reader.push(chunk.as_deref());
            while let Some(fields) = reader.row() {
                out.records += 1;
                run.context.row_number = out.records;
                let row = complete(load, fields, &mut run).await?;
                insert::one(&load.plan, row, &mut run, &mut out).await?;
                run.tick().await?;
            }
            if reader.held() > LONGEST_ROW {
                return Err(SqlError::new(1301, "A row of the file is longer than 64 MiB"));
            }
            if chunk.is_none() {
                break;
            }
        }
        drop(run);
        self.finish_statement().await?;
        Ok(out)
    }

    fn loaded(
        &mut self,
        inserted: &Inserted,
        replaced: bool,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        if inserted.insert_id != 0 {
            self.context.last_insert_id = inserted.insert_id;
        }
        let (deleted, skipped) = if replaced { (inserted.duplicates, 0) } else { (0, inserted.duplicates) };
        let warnings = self.warnings();
        let info = format!(
            "Records: {}  Deleted: {deleted}  Skipped: {skipped}  Warnings: {warnings}",
            inserted.records
        );
        self.context.row_count = inserted.affected as i64;
        let done = self.done(inserted.affected, inserted.insert_id, info, more);
        sink.ok(&done);
        Ok(())
    }

    /// 1045 without FILE.
    fn may_use_files(&self) -> Result<()> {
        if self.holds_globally(Privileges::FILE) {
            return Ok(());
        }
        let (user, host) = &self.context.account;
        Err(SqlError::new(1045, format!("Access denied for user '{user}'@'{host}' (using password: YES)")))
    }

    /// SELECT ... INTO OUTFILE | DUMPFILE
    pub(super) async fn select_into_file(
        &mut self,
        query: &Query,
        file: &IntoFile,
        params: &[Value],
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        self.may_use_files()?;
        usable(&file.format)?;
        let charset = match &file.charset {
            Some(name) => Some(Charset::from_name(name).ok_or_else(|| unknown_charset(name))?),
            None => None,
        };
        let plan = self.plan(&Statement::Select(Box::new(query.clone())), params).await?;
        let Plan::Query(query, _) = &plan else { unreachable!("planned from a query") };
        let name = String::from_utf8_lossy(&file.file).into_owned();
        let write = self.server.host.create_file(&name).map_err(|why| refused(why, &name))?;
        let mut out = FileSink {
            write,
            dump: file.dump,
            format: file.format.clone(),
            columns: Vec::new(),
            buffer: Vec::new(),
            rows: 0,
            failed: None,
        };
        // Rows go out in the file's character set, or as they are.
        let results = std::mem::replace(&mut self.context.settings.results, charset);
        let done = self.run_query(query, params, more, &mut out).await;
        self.context.settings.results = results;
        let flushed = out.finish();
        if let Err(error) = done.and(flushed) {
            self.abandon_statement().await?;
            return Err(error);
        }
        self.send_ok(out.rows, more, sink)
    }
}

/// 1083 for marks of several bytes; 1235 for rows of fixed size.
fn usable(format: &FileFormat) -> Result<()> {
    if format.too_long {
        return Err(SqlError::new(
            1083,
            "Field separator argument is not what is expected; check the manual",
        ));
    }
    if format.field_end.is_empty() && format.enclosed.is_none() {
        return Err(unsupported("files with rows of fixed size"));
    }
    Ok(())
}

fn client_gone() -> SqlError {
    SqlError::new(CLIENT_GONE, "Got an error reading communication packets")
}

fn plain(name: &str) -> ColumnName {
    ColumnName { schema: None, table: None, name: name.to_owned() }
}

fn refused(why: FileRefused, name: &str) -> SqlError {
    match why {
        FileRefused::NotAllowed => SqlError::new(
            1290,
            "The MySQL server is running with the --secure-file-priv option so it cannot execute this statement",
        ),
        FileRefused::Missing(why) => SqlError::new(13, format!("Can't get stat of '{name}' ({why})")),
        FileRefused::Exists => SqlError::new(1086, format!("File '{name}' already exists")),
        FileRefused::Failed(why) => SqlError::new(1, format!("Can't create/write to file '{name}' ({why})")),
    }
}

/// The row in the making.
struct Given<'a>(&'a [Value]);

impl Columns for Given<'_> {
    fn column(&self, i: usize) -> Value {
        self.0[i].clone()
    }
}

/// A row of the table from the fields of a line.
async fn complete(load: &Load, fields: Vec<Field>, run: &mut Run<'_>) -> Result<Vec<Value>> {
    let table = load.plan.table.clone();
    let mut row = Vec::with_capacity(table.columns.len());
    for (i, column) in table.columns.iter().enumerate() {
        let named = load.targets.iter().any(|t| matches!(t, To::Column(c) if *c == i))
            || load.set.iter().any(|set| set.column == i);
        // What a field fills needs no default.
        row.push(match &column.default {
            None if named && !column.nullable && !column.auto_increment => store::implicit_default(column),
            // Computed from the others, when those are known.
            Some(engine::ColumnDefault::Expression(_)) => Value::Null,
            _ => store::default_value((&table, &Given(&row)), column, run, load.ignore)?,
        });
    }
    let number = run.context.row_number;
    let given = fields.len();
    let mut fields = fields.into_iter();
    for target in &load.targets {
        match (target, fields.next()) {
            (To::Variable(name), field) => {
                let value = field.flatten().map_or(Value::Null, |bytes| decoded(bytes, load, run.context));
                run.context.user_variables.insert(name.clone(), value);
            }
            (To::Column(i), Some(field)) => {
                let column = &table.columns[*i];
                let value = field.map_or(Value::Null, |bytes| decoded(bytes, load, run.context));
                let value = store::convert(&value, column, run, load.ignore)?;
                row[*i] = if value.is_null() && !column.nullable && !column.auto_increment {
                    let text = format!(
                        "Column set to default value; NULL supplied to NOT NULL column '{}' at row {number}",
                        column.name
                    );
                    bent(1263, text, load, run.context)?;
                    store::implicit_default(column)
                } else {
                    value
                };
            }
            (To::Column(i), None) => {
                bent(1261, format!("Row {number} doesn't contain data for all columns"), load, run.context)?;
                if !row[*i].is_null() {
                    row[*i] = store::implicit_default(&table.columns[*i]);
                }
            }
        }
    }
    if given > load.targets.len() {
        let text =
            format!("Row {number} was truncated; it contained more data than there were input columns");
        bent(1262, text, load, run.context)?;
    }
    for (i, column) in table.columns.iter().enumerate() {
        if crate::exec::default_expr::is_computed(column)
            && !load.targets.iter().any(|t| matches!(t, To::Column(c) if *c == i))
        {
            row[i] = store::default_value((&table, &Given(&row)), column, run, load.ignore)?;
        }
    }
    assign(load, row, run).await
}

/// SET of a LOAD DATA.
async fn assign(load: &Load, mut row: Vec<Value>, run: &mut Run<'_>) -> Result<Vec<Value>> {
    if !load.plan.subs.is_empty() {
        Box::pin(sub::prepare(&load.plan.subs, &NoRow, &[], run)).await?;
    }
    for Set { column: i, value } in &load.set {
        let column = &load.plan.table.columns[*i];
        let value = match value {
            None => store::default_value((&load.plan.table, &Given(&row)), column, run, load.ignore)?,
            Some(expr) => {
                let value = expr.eval(&mut Eval::over(&Given(&row), &run.params, run.context))?;
                store::convert(&value, column, run, load.ignore)?
            }
        };
        row[*i] = if value.is_null() && !column.nullable && !column.auto_increment {
            store::not_null(column, run, load.ignore)?
        } else {
            value
        };
    }
    Ok(row)
}

/// A warning where values are bent, else the error.
fn bent(code: u16, text: String, load: &Load, context: &mut Context) -> Result<()> {
    if !load.ignore && context.strictness == Strictness::Strict {
        return Err(SqlError::new(code, text));
    }
    context.warn(Level::Warning, code, text);
    Ok(())
}

/// A field's text; bytes where it is none.
fn decoded(bytes: Vec<u8>, load: &Load, _: &Context) -> Value {
    if load.charset == Charset::Binary {
        return Value::bytes(&bytes);
    }
    match std::str::from_utf8(&load.charset.decode(&bytes)) {
        Ok(text) => Value::text(text),
        Err(_) => Value::bytes(&bytes),
    }
}

/// Rows on their way into a file.
struct FileSink {
    write: WriteFile,
    dump: bool,
    format: FileFormat,
    columns: Vec<ColumnMeta>,
    buffer: Vec<u8>,
    rows: u64,
    failed: Option<SqlError>,
}

/// Bytes held before they are written.
const WRITE_AT: usize = 1 << 20;

impl FileSink {
    fn write(&mut self) {
        let bytes = std::mem::take(&mut self.buffer);
        if self.failed.is_none()
            && let Err(why) = (self.write)(Some(&bytes))
        {
            self.failed = Some(SqlError::new(1026, format!("Error writing file ({why})")));
        }
    }

    /// All of it is in the file, or why not.
    fn finish(&mut self) -> Result<()> {
        self.write();
        if self.failed.is_none()
            && let Err(why) = (self.write)(None)
        {
            self.failed = Some(SqlError::new(1026, format!("Error writing file ({why})")));
        }
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl ResultSink for FileSink {
    fn columns(&mut self, columns: &[ColumnMeta]) {
        self.columns = columns.to_vec();
    }

    fn row(&mut self, row: &dyn RowSource) -> Flow {
        self.rows += 1;
        if self.dump && self.rows > 1 {
            self.failed = Some(SqlError::new(1172, "Result consisted of more than one row"));
            return Flow::Go;
        }
        let start = self.format.line_start.clone();
        if !self.dump {
            self.buffer.extend_from_slice(&start);
        }
        for (i, column) in self.columns.iter().enumerate() {
            let field = cell_text(&row.cell(i), column);
            if self.dump {
                self.buffer.extend(field.unwrap_or_default());
                continue;
            }
            if i > 0 {
                self.buffer.extend_from_slice(&self.format.field_end);
            }
            write_field(&self.format, field.as_deref(), is_text(column), &mut self.buffer);
        }
        if !self.dump {
            self.buffer.extend_from_slice(&self.format.line_end);
        }
        if self.buffer.len() >= WRITE_AT { Flow::Full } else { Flow::Go }
    }

    fn flush(&mut self) -> BoxFuture<'_, std::result::Result<(), SinkClosed>> {
        self.write();
        Box::pin(std::future::ready(Ok(())))
    }

    fn end(&mut self, _: &Done) {}

    fn ok(&mut self, _: &Done) {}

    fn error(&mut self, error: &SqlError) {
        self.failed = Some(error.clone());
    }
}

/// What OPTIONALLY ENCLOSED encloses: everything but numbers (a YEAR is one).
fn is_text(column: &ColumnMeta) -> bool {
    const NUMBERS: [u8; 10] = [0, 1, 2, 3, 4, 5, 8, 9, 13, 246];
    !NUMBERS.contains(&column.type_code)
}

/// A cell as the text protocol prints it.
fn cell_text(cell: &Cell<'_>, column: &ColumnMeta) -> Option<Vec<u8>> {
    let decimals = column.decimals;
    let text = match cell {
        Cell::Null => return None,
        Cell::Bytes(bytes) => return Some(bytes.to_vec()),
        Cell::Int(v) => v.to_string(),
        Cell::UInt(v) if column.flags & flag::ZEROFILL != 0 => {
            format!("{v:0>width$}", width = column.length as usize)
        }
        Cell::UInt(v) => v.to_string(),
        Cell::Float(v) if decimals < 31 => values::double::fixed_text(f64::from(*v), decimals),
        Cell::Float(v) => values::double::float_text(*v),
        Cell::Double(v) if decimals < 31 => values::double::fixed_text(*v, decimals),
        Cell::Double(v) => values::double::double_text(*v),
        Cell::Decimal(v) => v.to_string(),
        Cell::Date(v) => values::convert::text::to_text(&Value::Date(*v), 0).as_str().to_owned(),
        Cell::Time(v) => values::convert::text::to_text(&Value::Time(*v), decimals).as_str().to_owned(),
        Cell::DateTime(v) => {
            values::convert::text::to_text(&Value::DateTime(*v), decimals).as_str().to_owned()
        }
    };
    Some(text.into_bytes())
}
