//! Values into columns: conversion, NOT NULL, defaults, with MySQL's strictness.

use super::{Run, default_expr};
use crate::error::{Result, SqlError};
use crate::expr::Columns;
use crate::session::context::{Context, Strictness};
use engine::{ColumnDef, ColumnDefault, TableDef};
use values::{Condition, DateTime, Level, TypeKind, Value};

/// `value` as a value of `column`. Outside strict mode what does not fit is bent, with a warning.
pub(crate) fn convert(value: &Value, column: &ColumnDef, run: &mut Run<'_>, ignore: bool) -> Result<Value> {
    let mut cx = run.context.convert;
    if ignore {
        cx.mode =
            cx.mode.without(values::SqlMode::STRICT_TRANS_TABLES).without(values::SqlMode::STRICT_ALL_TABLES);
    }
    match values::store(value, &column.ty, &cx) {
        Ok(stored) => {
            if let Some((level, condition)) = stored.condition {
                warn(level, &condition, column, run);
            }
            Ok(stored.value)
        }
        Err(condition) => Err(error(&condition, column, run)),
    }
}

fn warn(level: Level, condition: &Condition, column: &ColumnDef, run: &mut Run<'_>) {
    let site = values::Site { column: &column.name, row: run.context.row_number, expression: "" };
    let message = condition.message(&site);
    run.context.warn(level, condition.code(), message);
}

fn error(condition: &Condition, column: &ColumnDef, run: &Run<'_>) -> SqlError {
    // Of documents MySQL names the table too.
    let full = format!("{}.{}", run.context.written, column.name);
    let name = if matches!(condition, Condition::InvalidJson { .. }) { &full } else { &column.name };
    let site = values::Site { column: name, row: run.context.row_number, expression: "" };
    crate::session::context::condition_error(condition, &site)
}

/// NULL for a NOT NULL column: 1048, or its implicit default where MySQL bends it (`bend`: IGNORE, or later rows without strict mode).
pub(crate) fn not_null(column: &ColumnDef, run: &mut Run<'_>, bend: bool) -> Result<Value> {
    if !bend {
        return Err(SqlError::new(1048, format!("Column '{}' cannot be null", column.name)));
    }
    run.context.warn(Level::Warning, 1048, format!("Column '{}' cannot be null", column.name));
    Ok(implicit_default(column))
}

/// The value of a column that the statement does not name, or names with DEFAULT. `row` is what is known of the row of `table`, for a
/// default that is computed from it.
pub(crate) fn default_value(
    (table, row): (&TableDef, &dyn Columns),
    column: &ColumnDef,
    run: &mut Run<'_>,
    ignore: bool,
) -> Result<Value> {
    if column.generated.is_some() {
        // It is computed once the rest of the row is there.
        return Ok(Value::Null);
    }
    match &column.default {
        Some(ColumnDefault::Literal(value)) => Ok(value.clone()),
        Some(ColumnDefault::CurrentTimestamp { .. }) => Ok(now(column, run)),
        Some(ColumnDefault::Expression(text)) => {
            let value = default_expr::value(text, &default_expr::Columns::of(table), row, run.context)?;
            let value = convert(&value, column, run, ignore)?;
            if value.is_null() && !column.nullable { not_null(column, run, ignore) } else { Ok(value) }
        }
        None if column.nullable || column.auto_increment => Ok(Value::Null),
        None => {
            let message = format!("Field '{}' doesn't have a default value", column.name);
            if run.context.strictness == Strictness::Strict && !ignore {
                return Err(SqlError::new(1364, message));
            }
            run.context.warn(Level::Warning, 1364, message);
            Ok(implicit_default(column))
        }
    }
}

/// CURRENT_TIMESTAMP as a value of `column`.
pub(crate) fn now(column: &ColumnDef, run: &Run<'_>) -> Value {
    now_in(column, run.context)
}

/// The same, where no plan runs.
pub(crate) fn now_in(column: &ColumnDef, context: &Context) -> Value {
    let local = context.local_now();
    let cut = local.rounded(column.ty.scale, true).unwrap_or(local);
    match column.ty.kind {
        TypeKind::Timestamp => {
            values::Timestamp::from_datetime(cut, context.settings.zone).map_or(Value::Null, Value::Timestamp)
        }
        _ => Value::DateTime(cut),
    }
}

/// What MySQL puts into a NOT NULL column that gets nothing: zero, the empty string, the zero date.
pub(crate) fn implicit_default(column: &ColumnDef) -> Value {
    use TypeKind::*;
    let ty = &column.ty;
    match ty.kind {
        TinyInt | SmallInt | MediumInt | Int | BigInt if ty.unsigned => Value::UInt(0),
        TinyInt | SmallInt | MediumInt | Int | BigInt => Value::Int(0),
        Decimal => Value::Decimal(values::Decimal::new(0, ty.scale)),
        Float => Value::Float(0.0),
        Double => Value::Double(0.0),
        Date => Value::Date(values::Date::ZERO),
        Time => Value::Time(values::Time::ZERO),
        DateTime => Value::DateTime(self::DateTime::ZERO),
        Timestamp => Value::Timestamp(values::Timestamp::ZERO),
        Year => values::Year::new(0).map_or(Value::Null, Value::Year),
        Json => values::json::Json::Null.value(),
        Bit => values::Bits::new(0, ty.length).map_or(Value::Null, Value::Bit),
        Enum => values::Choice::of_enum(1, ty.labels).map_or(Value::Null, Value::Choice),
        Set => values::Choice::of_set(0, ty.labels).map_or(Value::Null, Value::Choice),
        _ if ty.is_binary() => match ty.kind {
            Binary => Value::bytes(&vec![0; ty.length as usize]),
            _ => Value::bytes(b""),
        },
        _ => Value::text(""),
    }
}
