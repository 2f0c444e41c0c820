//! ALTER TABLE and RENAME TABLE: the new definition, and the rows made anew where it needs that.

use super::Session;
use super::algorithm::{self, Way};
use crate::ast::{AlterAction, TableName};
use crate::error::{Result, SqlError};
use crate::exec::alter::{Target, is_instant, target};
use crate::exec::default_expr;
use crate::exec::store::implicit_default;
use crate::session::context::{Context, condition_error};
use engine::{
    ColumnDef, ColumnDefault, ColumnSet, Direction, IndexPart, KeyRange, LockMode, RowBatch, RowMap,
    TableDef, TxnOptions,
};
use std::sync::Arc;
use values::{Condition, Level, Site, SqlMode, TypeKind, Value};

/// What ALTER TABLE tells.
pub(super) struct Altered {
    pub(super) affected: u64,
    /// A rename alone tells nothing, nor do DISABLE and ENABLE KEYS.
    pub(super) silent: bool,
}

impl Session {
    /// ALTER TABLE with more than plain index clauses.
    pub(super) async fn alter_table(&mut self, name: &TableName, actions: &[AlterAction]) -> Result<Altered> {
        let table = self.writable(name).await?;
        if actions.contains(&AlterAction::Keys) {
            let text = format!("Table storage engine for '{}' doesn't have this option", table.name);
            self.context.warn(Level::Note, 1031, text);
            if actions.iter().all(|action| *action == AlterAction::Keys) {
                return Ok(Altered { affected: 0, silent: true });
            }
        }
        let renamed = actions.iter().rev().find_map(|a| match a {
            AlterAction::RenameTable(to) => Some(to),
            _ => None,
        });
        let home = match renamed {
            Some(to) => self.rename_target(to).await?,
            None => (table.schema_name.clone(), table.name.clone()),
        };
        if actions.iter().all(|a| matches!(a, AlterAction::RenameTable(_))) && !actions.is_empty() {
            let from = (table.schema_name.as_str(), table.name.as_str());
            self.dictionary().rename_tables(&[(from, (&home.0, &home.1))]).await?;
            return Ok(Altered { affected: 0, silent: true });
        }
        let default = self.schema_collation(&table.schema_name).await?;
        let target = target(&table, (&home.0, &home.1), actions, default, &mut self.context)?;
        let added = actions.iter().any(|a| matches!(a, AlterAction::AddCheck(_)));
        if added {
            self.check_names_are_free(&target.new, Some(&table.name)).await?;
        }
        let instant = is_instant(&table, &target);
        algorithm::check(actions, Way::of(&table, &target, instant))?;
        let done = if !target.rebuild {
            self.dictionary().redefine_table(&table, &target.new).await.map(|()| 0).map_err(SqlError::from)
        } else if instant {
            self.alter_instant(&table, &target).await.map(|()| 0)
        } else {
            self.rebuild(&table, &target).await
        };
        let rows = match done {
            // Another definition came between: all this again.
            Err(error) if error.code == 1412 => return Box::pin(self.alter_table(name, actions)).await,
            done => done?,
        };
        let affected = if target.reported { rows } else { 0 };
        if let Some(asked) = target.auto_increment {
            self.restart_auto_increment(&home, asked).await?;
        }
        Ok(Altered { affected, silent: false })
    }

    /// A new row format: what older rows have in new columns is worked out once.
    async fn alter_instant(&mut self, table: &Arc<TableDef>, target: &Target) -> Result<()> {
        let dictionary = self.dictionary();
        let columns = &target.new.columns;
        let mut absent = vec![Value::Null; columns.len()];
        let strict = strict(&self.context);
        let context = &mut self.context;
        let (auto, next, row, known) = (None, 1, 0, None);
        // Nothing is computed row by row: a definition that asks for it is not an instant one.
        let rules = &crate::plan::RowRules::default();
        let mut rows =
            Rows { rules, old: table, columns, from: &target.from, auto, next, strict, context, row, known };
        for i in (0..columns.len()).filter(|i| target.from[*i].is_none()) {
            absent[i] = rows.added(i, &absent)?;
        }
        dictionary.alter_instant(table, &target.new, &target.from, &absent).await?;
        Ok(())
    }

    async fn rebuild(&mut self, table: &Arc<TableDef>, target: &Target) -> Result<u64> {
        let dictionary = self.dictionary();
        let columns = &target.new.columns;
        let auto = columns.iter().position(|c| c.auto_increment);
        let had = auto.and_then(|i| target.from[i]).is_some_and(|i| table.columns[i].auto_increment);
        let definition = Arc::new(TableDef::detached(&target.new));
        let rules = crate::bind::rules::of_table(&definition, 0, &self.context)?;
        let map = Rows {
            rules: &rules,
            old: table,
            columns,
            from: &target.from,
            auto: auto.filter(|_| !had),
            next: 1,
            strict: strict(&self.context),
            context: &mut self.context,
            row: 0,
            known: None,
        };
        let rows = dictionary.rebuild_table(table, &target.new, map).await;
        self.context.row_number = 1;
        rows
    }

    /// AUTO_INCREMENT = n: at least one above every value in use.
    async fn restart_auto_increment(&mut self, home: &(String, String), asked: u64) -> Result<()> {
        let dictionary = self.dictionary();
        let Some(table) = dictionary.table(&home.0, &home.1).await? else { return Ok(()) };
        let Some(auto) = table.auto_increment else { return Ok(()) };
        let leads = |parts: &[IndexPart]| parts.first().is_some_and(|p| p.column == auto);
        let Some(no) = table.indexes.iter().position(|i| leads(&i.parts)) else { return Ok(()) };
        let direction =
            if table.indexes[no].parts[0].descending { Direction::Forward } else { Direction::Backward };
        let holder = Some(self.holder.clone());
        let mut txn = self.server.engine.begin(TxnOptions { holder, ..TxnOptions::default() });
        let mut batch = RowBatch::new();
        let columns = ColumnSet::of([auto]);
        let mut scan = txn.scan(&table, no, &KeyRange::all(), direction, LockMode::None, columns);
        scan.next(&mut txn, &mut batch).await?;
        let highest = batch.iter().next().map(|row| row.value(auto));
        drop(scan);
        txn.rollback().await?;
        let highest = match highest {
            Some(Value::Int(v)) => u64::try_from(v).unwrap_or(0),
            Some(Value::UInt(v)) => v,
            Some(Value::Float(v)) => v as u64,
            Some(Value::Double(v)) => v as u64,
            _ => 0,
        };
        let next = asked.max(highest.saturating_add(1));
        dictionary.set_auto_increment(&home.0, &home.1, next).await?;
        Ok(())
    }

    /// RENAME TABLE: all or none.
    pub(super) async fn rename_tables(&mut self, pairs: &[(TableName, TableName)]) -> Result<()> {
        if let [(from, to)] = pairs {
            let (home, target) = (self.schema_of(from)?, self.rename_target(to).await?);
            if self.view_record(&home, &from.name).await?.is_some() {
                if *home != *target.0 {
                    let text = format!("Changing schema from '{home}' to '{}' is not allowed.", target.0);
                    return Err(SqlError::new(1450, text));
                }
                return Ok(self.dictionary().rename_view(&home, &from.name, &target.1).await?);
            }
        }
        let mut names = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            let from = (self.schema_of(from)?.to_string(), from.name.clone());
            names.push((from, self.rename_target(to).await?));
        }
        let pairs: Vec<_> = names
            .iter()
            .map(|(from, to)| ((from.0.as_str(), from.1.as_str()), (to.0.as_str(), to.1.as_str())))
            .collect();
        self.dictionary().rename_tables(&pairs).await?;
        Ok(())
    }

    async fn rename_target(&self, to: &TableName) -> Result<(String, String)> {
        let schema = self.schema_of(to)?;
        self.require_schema(&schema).await?;
        crate::exec::ddl::check_name(&to.name)
            .map_err(|_| SqlError::new(1103, format!("Incorrect table name '{}'", to.name)))?;
        Ok((schema.to_string(), to.name.clone()))
    }
}

/// Old rows as rows of the new table, with INSERT's conversions and ALTER TABLE's errors.
struct Rows<'a> {
    rules: &'a crate::plan::RowRules,
    old: &'a TableDef,
    columns: &'a [ColumnDef],
    from: &'a [Option<usize>],
    /// An AUTO_INCREMENT column that was none: numbered from 1 on.
    auto: Option<usize>,
    next: u64,
    strict: bool,
    context: &'a mut Context,
    row: u64,
    /// What default expressions name.
    known: Option<default_expr::Columns>,
}

impl RowMap<SqlError> for Rows<'_> {
    fn row(&mut self, old: Vec<Value>) -> Result<Vec<Value>> {
        self.row += 1;
        self.context.row_number = self.row;
        let mut new = vec![Value::Null; self.columns.len()];
        let computed =
            |rows: &Self, i: usize| rows.from[i].is_none() && default_expr::is_computed(&rows.columns[i]);
        for i in 0..new.len() {
            if !computed(self, i) && self.columns[i].generated.is_none() {
                new[i] = match self.from[i] {
                    Some(from) => self.converted(i, from, &old[from])?,
                    None => self.added(i, &new)?,
                };
            }
        }
        for i in 0..new.len() {
            if computed(self, i) {
                new[i] = self.added(i, &new)?;
            }
        }
        for generated in &self.rules.generated {
            let i = generated.column;
            let value = generated.expr.eval(&mut crate::expr::Eval::over(&new, &[], self.context))?;
            new[i] = self.made(i, &value)?;
        }
        crate::exec::rules::fulfilled(&self.rules.checks, &new, self.context)?;
        Ok(new)
    }

    fn next_auto_increment(&self) -> Option<u64> {
        self.auto.map(|_| self.next)
    }
}

impl Rows<'_> {
    /// A generated value as one of its column's.
    fn made(&mut self, i: usize, value: &Value) -> Result<Value> {
        let column = &self.columns[i];
        if value.is_null() {
            return if column.nullable { Ok(Value::Null) } else { self.null(i) };
        }
        match values::store(value, &column.ty, &self.context.convert) {
            Ok(stored) => {
                if let Some((level, condition)) = stored.condition {
                    let message = condition.message(&self.site(i));
                    self.context.warn(level, condition.code(), message);
                }
                Ok(stored.value)
            }
            Err(condition) => Err(condition_error(&condition, &self.site(i))),
        }
    }

    fn converted(&mut self, i: usize, from: usize, value: &Value) -> Result<Value> {
        let (column, old) = (&self.columns[i], &self.old.columns[from]);
        if self.auto == Some(i) && matches!(value, Value::Null | Value::Int(0) | Value::UInt(0)) {
            return Ok(self.numbered(i));
        }
        if value.is_null() {
            return if column.nullable { Ok(Value::Null) } else { self.null(i) };
        }
        if old.ty == column.ty {
            return Ok(value.clone());
        }
        let stored = match values::store(value, &column.ty, &self.context.convert) {
            Ok(stored) => {
                if let Some((level, condition)) = stored.condition {
                    let message = condition.message(&self.site(i));
                    self.context.warn(level, condition.code(), message);
                }
                stored.value
            }
            // From one text type to another what is too long counts as cut, in MySQL.
            Err(Condition::TooLong) if old.ty.is_character() && column.ty.is_character() => {
                return Err(condition_error(&Condition::Truncated, &self.site(i)));
            }
            Err(condition) => return Err(condition_error(&condition, &self.site(i))),
        };
        if self.auto == Some(i) {
            let number = match stored {
                Value::Int(v) => u64::try_from(v).unwrap_or(0),
                Value::UInt(v) => v,
                _ => 0,
            };
            self.next = self.next.max(number.saturating_add(1));
        }
        Ok(stored)
    }

    fn site(&self, i: usize) -> Site<'_> {
        Site { column: &self.columns[i].name, row: self.row, expression: "" }
    }

    fn numbered(&mut self, i: usize) -> Value {
        let number = self.next;
        self.next += 1;
        let ty = &self.columns[i].ty;
        match ty.kind {
            TypeKind::Float => Value::Float(number as f32),
            TypeKind::Double => Value::Double(number as f64),
            _ if ty.unsigned => Value::UInt(number),
            _ => Value::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        }
    }

    /// NULL where the new column has none.
    fn null(&mut self, i: usize) -> Result<Value> {
        if self.strict {
            return Err(SqlError::new(1138, "Invalid use of NULL value"));
        }
        let message = Condition::Truncated.message(&self.site(i));
        self.context.warn(Level::Warning, Condition::Truncated.code(), message);
        Ok(implicit_default(&self.columns[i]))
    }

    /// The value of a column that was not there.
    fn added(&mut self, i: usize, row: &[Value]) -> Result<Value> {
        let column = &self.columns[i];
        if self.auto == Some(i) {
            return Ok(self.numbered(i));
        }
        match &column.default {
            Some(ColumnDefault::Literal(value)) => Ok(value.clone()),
            Some(ColumnDefault::CurrentTimestamp { .. }) => {
                Ok(crate::exec::store::now_in(column, self.context))
            }
            Some(ColumnDefault::Expression(text)) => {
                let all = self.known.get_or_insert_with(|| {
                    default_expr::Columns::new(&self.old.name, self.columns, vec![false; self.columns.len()])
                });
                let value = default_expr::value(text, all, &row, self.context)?;
                let site =
                    values::Site { column: &column.name, row: self.context.row_number, expression: "" };
                match values::store(&value, &column.ty, &self.context.convert) {
                    Ok(stored) => Ok(stored.value),
                    Err(condition) => Err(crate::session::context::condition_error(&condition, &site)),
                }
            }
            None if column.nullable => Ok(Value::Null),
            None => self.zero(column),
        }
    }

    /// MySQL's implicit default; a zero date only where the modes allow it.
    fn zero(&self, column: &ColumnDef) -> Result<Value> {
        let mode = self.context.settings.sql_mode;
        let (kind, text) = match column.ty.kind {
            TypeKind::Date => ("date", "0000-00-00"),
            TypeKind::DateTime | TypeKind::Timestamp => ("datetime", "0000-00-00 00:00:00"),
            _ => return Ok(implicit_default(column)),
        };
        if self.strict && mode.has(SqlMode::NO_ZERO_DATE) {
            let name = &column.name;
            let message = format!("Incorrect {kind} value: '{text}' for column '{name}' at row {}", self.row);
            return Err(SqlError::new(1292, message));
        }
        Ok(implicit_default(column))
    }
}

fn strict(context: &Context) -> bool {
    let mode = context.settings.sql_mode;
    mode.has(SqlMode::STRICT_TRANS_TABLES) || mode.has(SqlMode::STRICT_ALL_TABLES)
}
