//! SHOW VARIABLES, WARNINGS, ERRORS.

use super::{Odd, ShowTable};
use crate::ast::{Show, Statement};
use crate::session::context::{Context, Warning};
use crate::variable::{Scope, Values, all};
use values::{Collation, ColumnType, Level, TypeKind, Value};

/// Statements that leave the diagnostics of the statement before them in place.
pub(crate) fn is_about_diagnostics(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Show(show)
            if matches!(**show, Show::Warnings { .. } | Show::Errors { .. } | Show::CountWarnings | Show::CountErrors)
    )
}

/// SHOW VARIABLES: `values` are the session's or the server's.
pub(crate) fn variables(values: &Values, global: bool, context: &Context) -> ShowTable {
    const ODD: &[Odd] = &[("session_variables", 253, 256, 0x1001), ("session_variables", 253, 4096, 0)];
    const GLOBAL: &[Odd] = &[("global_variables", 253, 256, 0x1001), ("global_variables", 253, 4096, 0)];
    let view = if global { ("global_variables", GLOBAL) } else { ("session_variables", ODD) };
    let mut out = ShowTable::texts(&[("Variable_name", 64), ("Value", 1024)]);
    out = out.like_mysql("performance_schema", view.0, view.1);
    for (i, variable) in all() {
        if global && variable.scope == Scope::Session {
            continue;
        }
        let live = match variable.name {
            "warning_count" => Some(context.diagnostics.count),
            "error_count" => Some(context.diagnostics.errors),
            "last_insert_id" | "identity" => Some(context.last_insert_id),
            _ => None,
        };
        let shown = live.map(|n| n.to_string());
        let text = shown.as_deref().unwrap_or_else(|| values.text(i));
        out.push_texts(&[variable.name, if text == "NULL" { "" } else { text }]);
    }
    out
}

/// SHOW WARNINGS and SHOW ERRORS.
pub(crate) fn conditions(list: &[Warning], errors_only: bool, limit: Option<(u64, u64)>) -> ShowTable {
    let text = |n| ColumnType::varchar(n, Collation::DEFAULT);
    let mut out = ShowTable::new(&[
        ("Level", text(7), false),
        ("Code", ColumnType::integer(TypeKind::Int, true), false),
        ("Message", text(512), false),
    ]);
    out.columns[1].1.length = 5; // the width MySQL gives it
    let (skip, take) = limit.unwrap_or((0, u64::MAX));
    let wanted = list.iter().filter(|w| !errors_only || w.level == Level::Error);
    let window = wanted
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .take(usize::try_from(take).unwrap_or(usize::MAX));
    for warning in window {
        let level = match warning.level {
            Level::Note => "Note",
            Level::Warning => "Warning",
            Level::Error => "Error",
        };
        out.rows.push(vec![
            Value::text(level),
            Value::UInt(u64::from(warning.code)),
            Value::text(&warning.message),
        ]);
    }
    out
}

/// SHOW COUNT(*) WARNINGS.
pub(crate) fn count(name: &str, n: u64) -> ShowTable {
    let mut out = ShowTable::new(&[(name, ColumnType::integer(TypeKind::BigInt, true), true)]);
    out.columns[0].1.length = 21;
    out.rows.push(vec![Value::UInt(n)]);
    out
}
