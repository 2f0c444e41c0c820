//! CHECK constraints and generated columns in DDL: what may stand in them, how they are named, what depends on a column.

use super::default_expr::{printed, read, reads_variables};
use crate::ast::print::is_condition;
use crate::ast::{CheckDef, Expr};
use crate::bind::{Binder, Names, Scope};
use crate::error::{Result, SqlError, unsupported};
use crate::session::context::Context;
use engine::{Check, ColumnDef, Generated};
use std::sync::Arc;

/// Functions whose value is not that of their arguments alone.
const UNSTEADY: &[&str] = &[
    "benchmark",
    "connection_id",
    "curdate",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "curtime",
    "database",
    "found_rows",
    "get_lock",
    "is_free_lock",
    "is_used_lock",
    "last_insert_id",
    "load_file",
    "localtime",
    "localtimestamp",
    "name_const",
    "now",
    "ps_current_thread_id",
    "rand",
    "random_bytes",
    "release_all_locks",
    "release_lock",
    "row_count",
    "schema",
    "session_user",
    "sleep",
    "sysdate",
    "system_user",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "version",
];

/// The first function that may not stand there.
fn unsteady(expr: &Expr) -> Option<String> {
    if let Expr::Func { name, args } = expr {
        let name = name.to_ascii_lowercase();
        if UNSTEADY.contains(&name.as_str()) || (name == "unix_timestamp" && args.is_empty()) {
            return Some(name);
        }
    }
    let mut found = None;
    expr.children(&mut |child| found = found.take().or_else(|| unsteady(child)));
    found
}

/// Aggregates, windows and VALUES() belong to statements.
fn misplaced(expr: &Expr) -> bool {
    let here = matches!(
        expr,
        Expr::Aggregate(_)
            | Expr::Over { .. }
            | Expr::Values(_)
            | Expr::Default(_)
            | Expr::Param(_)
            | Expr::Grouping(_)
    );
    let mut found = here;
    expr.children(&mut |child| found |= misplaced(child));
    found
}

/// The columns that an expression names.
fn named(expr: &Expr) -> Vec<&str> {
    fn collect<'a>(expr: &'a Expr, out: &mut Vec<&'a str>) {
        if let Expr::Column(name) = expr {
            out.push(&name.name);
        }
        expr.children(&mut |child| collect(child, out));
    }
    let mut out = Vec::new();
    collect(expr, &mut out);
    out
}

fn position(columns: &[ColumnDef], name: &str) -> Option<usize> {
    columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
}

/// The text that the dictionary keeps; it reads as what was written, and its names and functions are known.
fn text(expr: &Expr, columns: &[ColumnDef], place: &'static str, context: &Context) -> Result<String> {
    let text = printed(expr);
    let again = read(&text)?;
    if printed(&again) != text {
        return Err(unsupported(format_args!("{place} ({text})")));
    }
    let shapes = columns.iter().map(|c| (c.name.as_str(), c.ty, c.nullable));
    let table = super::virtual_rows::detached("", "", shapes);
    let names = Names::one(Scope::of(Arc::new(table), Arc::from("")));
    Binder::over(&names, context, &[]).bind_in(place, &again)?;
    Ok(text)
}

/// A CHECK clause under its name, checked.
pub(crate) fn check(
    written: &CheckDef,
    name: &str,
    columns: &[ColumnDef],
    context: &Context,
) -> Result<Check> {
    let expr = &written.expr;
    let of = |code, text: String| Err(SqlError::new(code, text));
    if reads_variables(expr) {
        return of(
            3816,
            format!(
                "An expression of a check constraint '{name}' cannot refer to a user or system variable."
            ),
        );
    }
    if expr.has_subquery() || misplaced(expr) {
        return of(
            3815,
            format!("An expression of a check constraint '{name}' contains disallowed function."),
        );
    }
    if let Some(function) = unsteady(expr) {
        return of(
            3814,
            format!("An expression of a check constraint '{name}' contains disallowed function: {function}."),
        );
    }
    for column in named(expr) {
        let Some(at) = position(columns, column) else {
            return of(3820, format!("Check constraint '{name}' refers to non-existing column '{column}'."));
        };
        if written.column.as_ref().is_some_and(|own| !own.eq_ignore_ascii_case(column)) {
            return of(3813, format!("Column check constraint '{name}' references other column."));
        }
        if columns[at].auto_increment {
            return of(3818, format!("Check constraint '{name}' cannot refer to an auto-increment column."));
        }
    }
    if !is_condition(expr) {
        return of(
            3812,
            format!("An expression of non-boolean type specified to a check constraint '{name}'."),
        );
    }
    let text = text(expr, columns, "check constraint", context)?;
    Ok(Check { name: name.to_owned(), text, enforced: written.enforced })
}

/// The number in `table_chk_number`, which is how MySQL names what has no name.
fn number(table: &str, name: &str) -> Option<u64> {
    name.strip_prefix(table)?.strip_prefix("_chk_")?.parse().ok()
}

/// `written` in addition to `kept`, in the order of their names: 3822 for a name that is taken.
pub(crate) fn checks<'a>(
    written: impl Iterator<Item = &'a CheckDef>,
    kept: Vec<Check>,
    table: &str,
    columns: &[ColumnDef],
    context: &Context,
) -> Result<Vec<Check>> {
    let mut out = kept;
    let mut next = out.iter().filter_map(|c| number(table, &c.name)).max().unwrap_or(0);
    for check in written {
        let name = check.name.clone().unwrap_or_else(|| {
            next += 1;
            format!("{table}_chk_{next}")
        });
        super::ddl::check_name(&name)?;
        if out.iter().any(|c| c.name.eq_ignore_ascii_case(&name)) {
            return Err(duplicate(&name));
        }
        let check = self::check(check, &name, columns, context)?;
        out.push(check);
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

/// 3822
pub(crate) fn duplicate(name: &str) -> SqlError {
    SqlError::new(3822, format!("Duplicate check constraint name '{name}'."))
}

/// The checks of a copy of a table under another name.
pub(crate) fn copied(checks: &[Check], table: &str) -> Vec<Check> {
    let renamed =
        |(i, check): (usize, &Check)| Check { name: format!("{table}_chk_{}", i + 1), ..check.clone() };
    checks.iter().enumerate().map(renamed).collect()
}

/// What MySQL named after the table is named after the new one.
pub(crate) fn renamed(mut checks: Vec<Check>, old: &str, new: &str) -> Vec<Check> {
    for check in &mut checks {
        if let Some(n) = number(old, &check.name) {
            check.name = format!("{new}_chk_{n}");
        }
    }
    checks
}

/// 3106 for a primary key over a column that is not stored.
pub(crate) fn check_primary(primary: &[engine::IndexPart], columns: &[ColumnDef]) -> Result<()> {
    let virtual_ = |p: &engine::IndexPart| columns[p.column].generated.as_ref().is_some_and(|g| !g.stored);
    if primary.iter().any(virtual_) {
        return Err(unsupported_generated("Defining a virtual generated column as primary key"));
    }
    Ok(())
}

/// GENERATED ALWAYS AS of the column at `at`, checked against all columns; those of `generated` are generated too.
pub(crate) fn generated(
    expr: &Expr,
    stored: bool,
    at: usize,
    columns: &[ColumnDef],
    is_generated: &[bool],
    context: &Context,
) -> Result<Generated> {
    let name = &columns[at].name;
    let of = |code, text: String| Err(SqlError::new(code, text));
    if reads_variables(expr) {
        return of(
            3772,
            format!("Default value expression of column '{name}' cannot refer user or system variables."),
        );
    }
    if expr.has_subquery() || misplaced(expr) {
        return of(3102, format!("Expression of generated column '{name}' contains a disallowed function."));
    }
    if let Some(function) = unsteady(expr) {
        return of(
            3763,
            format!("Expression of generated column '{name}' contains a disallowed function: {function}."),
        );
    }
    for column in named(expr) {
        let Some(read) = position(columns, column) else {
            return of(1054, format!("Unknown column '{column}' in 'generated column function'"));
        };
        if is_generated[read] && read >= at {
            return of(
                3107,
                "Generated column can refer only to generated columns defined prior to it.".to_owned(),
            );
        }
        if columns[read].auto_increment {
            return of(3109, format!("Generated column '{name}' cannot refer to auto-increment column."));
        }
    }
    Ok(Generated { text: text(expr, columns, "generated column function", context)?, stored })
}

/// What a kept text names.
pub(crate) fn reads(text: &str, column: &str) -> Result<bool> {
    let expr = read(text)?;
    Ok(named(&expr).iter().any(|name| name.eq_ignore_ascii_case(column)))
}

/// Does a kept text name this column and no other?
pub(crate) fn reads_only(text: &str, column: &str) -> Result<bool> {
    let expr = read(text)?;
    let names = named(&expr);
    Ok(!names.is_empty() && names.iter().all(|name| name.eq_ignore_ascii_case(column)))
}

/// 3106
pub(crate) fn unsupported_generated(what: &str) -> SqlError {
    SqlError::new(3106, format!("'{what}' is not supported for generated columns."))
}
