//! Prepared statements as the wire sees them: how many parameters, which types were bound, what arrived as long data.

use super::cursor::Cursor;
use crate::backend::Session;
use mysql_wire::{ColumnType, Execute, Param, ParamType, WireError};
use sql::api::{ColumnMeta, PreparedInfo};
use sql::error::SqlError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use values::{Date, DateTime, Decimal, Time, Value};

/// One prepared statement.
#[derive(Debug)]
pub(crate) struct Statement {
    parameters: u16,
    types: Vec<ParamType>,
    long_data: BTreeMap<u16, Vec<u8>>,
    /// An error of COM_STMT_SEND_LONG_DATA, which has no answer of its own.
    deferred: Option<SqlError>,
    /// Its text, for SHOW PROCESSLIST.
    pub(crate) text: Arc<[u8]>,
    /// The columns as the client was told.
    pub(crate) columns: Box<[ColumnMeta]>,
    /// The rows that wait for COM_STMT_FETCH.
    cursor: Option<Box<Cursor>>,
}

/// The statements of one connection.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    by_id: HashMap<u32, Statement>,
}

/// 1243, as MySQL words it for every command.
pub(crate) fn unknown(id: u32) -> SqlError {
    SqlError::new(1243, format!("Unknown prepared statement handler ({id}) given to mysql_stmt_precheck"))
}

impl Statements {
    pub(crate) fn add(&mut self, info: PreparedInfo, text: Arc<[u8]>) {
        let statement = Statement {
            parameters: info.params.len() as u16,
            types: Vec::new(),
            long_data: BTreeMap::new(),
            deferred: None,
            text,
            columns: info.columns.into(),
            cursor: None,
        };
        self.by_id.insert(info.id, statement);
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Statement> {
        self.by_id.get(&id)
    }

    pub(crate) fn remove(&mut self, id: u32) -> bool {
        self.by_id.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) -> usize {
        let n = self.by_id.len();
        self.by_id = HashMap::new();
        n
    }

    pub(crate) fn put_cursor(&mut self, id: u32, cursor: Box<Cursor>) {
        if let Some(statement) = self.by_id.get_mut(&id) {
            statement.cursor = Some(cursor);
        }
    }

    pub(crate) fn take_cursor(&mut self, id: u32) -> Option<Box<Cursor>> {
        self.by_id.get_mut(&id)?.cursor.take()
    }

    /// COM_STMT_RESET: forgets long data and closes the cursor.
    pub(crate) fn reset(&mut self, id: u32) -> Result<(), SqlError> {
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown(id))?;
        statement.cursor = None;
        statement.long_data.clear();
        statement.deferred = None;
        Ok(())
    }

    /// COM_STMT_SEND_LONG_DATA: what goes wrong is said by the next execute.
    pub(crate) fn append(&mut self, id: u32, parameter: u16, data: &[u8], limit: usize) {
        let Some(statement) = self.by_id.get_mut(&id) else { return };
        if parameter >= statement.parameters {
            statement.deferred =
                Some(SqlError::new(1210, "Incorrect arguments to mysqld_stmt_send_long_data"));
            return;
        }
        let held: usize = statement.long_data.values().map(Vec::len).sum();
        if held + data.len() > limit {
            let text = "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
                        'max_allowed_packet' bytes";
            statement.deferred = Some(SqlError::new(1105, text));
            return;
        }
        statement.long_data.entry(parameter).or_default().extend_from_slice(data);
    }

    /// The values of an execute, in `into`.
    pub(crate) fn bind<S: Session>(
        &mut self,
        execute: &Execute<'_>,
        session: &S,
        into: &mut Vec<Value>,
    ) -> Result<(), SqlError> {
        let id = execute.statement;
        let statement = self.by_id.get_mut(&id).ok_or_else(|| unknown(id))?;
        statement.cursor = None;
        if let Some(error) = statement.deferred.take() {
            statement.long_data.clear();
            return Err(error);
        }
        into.clear();
        into.resize(usize::from(statement.parameters), Value::Null);
        let long = &statement.long_data;
        let bound = execute.bind(
            statement.parameters,
            &mut statement.types,
            |i| long.contains_key(&i),
            |i, param| into[usize::from(i)] = value(param, session),
        );
        bound.map_err(wire_error)?;
        for (i, bytes) in std::mem::take(&mut statement.long_data) {
            let text = statement.types.get(usize::from(i)).is_some_and(|ty| is_text(ty.ty));
            into[usize::from(i)] = if text { session.text_param(&bytes) } else { Value::bytes(&bytes) };
        }
        Ok(())
    }
}

/// A protocol error that the connection survives, as SQL's.
pub(crate) fn wire_error(error: WireError) -> SqlError {
    SqlError { code: error.code(), sqlstate: error.sqlstate(), message: error.to_string() }
}

fn is_text(ty: ColumnType) -> bool {
    use ColumnType::*;
    matches!(ty, VarChar | VarString | String | Enum | Set | Json)
}

fn value<S: Session>(param: Param<'_>, session: &S) -> Value {
    match param {
        Param::Null => Value::Null,
        Param::Int(v) => Value::Int(v),
        Param::UInt(v) => Value::UInt(v),
        Param::Float(v) => Value::Float(v),
        Param::Double(v) => Value::Double(v),
        Param::DateTime(parts) => datetime(&parts),
        Param::Time(parts) => time(&parts),
        Param::Bytes(ColumnType::Decimal | ColumnType::NewDecimal, text) => {
            Value::Decimal(Decimal::parse(text).value)
        }
        Param::Bytes(ty, bytes) if is_text(ty) => session.text_param(bytes),
        Param::Bytes(_, bytes) => Value::bytes(bytes),
    }
}

/// Parts outside the calendar's ranges go on as text, so that SQL says what is wrong with them.
fn datetime(parts: &mysql_wire::DateTime) -> Value {
    let d = parts;
    let fits =
        d.year <= 9999 && d.month <= 12 && d.day <= 31 && d.hour <= 23 && d.minute <= 59 && d.second <= 59;
    if !fits || d.micros > 999_999 {
        return Value::text(&format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            d.year, d.month, d.day, d.hour, d.minute, d.second, d.micros
        ));
    }
    let date = Date::new(d.year.into(), d.month.into(), d.day.into());
    if parts.date_only {
        return Value::Date(date);
    }
    Value::DateTime(DateTime::new(date, d.hour.into(), d.minute.into(), d.second.into(), d.micros))
}

fn time(parts: &mysql_wire::Time) -> Value {
    let hours = i64::from(parts.days) * 24 + i64::from(parts.hours);
    let seconds = (hours * 60 + i64::from(parts.minutes)) * 60 + i64::from(parts.seconds);
    let micros = seconds * 1_000_000 + i64::from(parts.micros);
    Value::Time(Time::clamped(if parts.negative { -micros } else { micros }).0)
}
