//! DEFAULT (expression): kept as the text that MySQL prints for it, read and computed again for each row that needs it.
//!
//! 1. What is stored reads as what was written: a text that would print otherwise when it is read again is refused with 1235.
//! 2. It reads no columns, no variables and no tables.

use crate::ast::print::{Style, expression};
use crate::ast::{ColumnName, Expr, Statement};
use crate::bind::Binder;
use crate::error::{Result, SqlError, unsupported};
use crate::expr::Eval;
use crate::lex::LexMode;
use crate::parse;
use crate::session::context::Context;
use values::Value;

/// The text of a default expression of column `name`, checked.
pub(crate) fn text(expr: &Expr, name: &str, context: &Context) -> Result<String> {
    if reads_variables(expr) {
        let message =
            format!("Default value expression of column '{name}' cannot refer user or system variables.");
        return Err(SqlError::new(3772, message));
    }
    if expr.has_subquery() {
        let message = format!("Default value expression of column '{name}' contains a disallowed function.");
        return Err(SqlError::new(3769, message));
    }
    let text = printed(expr);
    let read = read(&text)?;
    if printed(&read) != text {
        return Err(unsupported(format_args!("DEFAULT ({text})")));
    }
    bind(expr, context).map_err(|error| match (error.code, unknown_function(expr, context)) {
        (1305, Some(function)) => SqlError::new(
            3770,
            format!(
                "Default value expression of column '{name}' contains a disallowed function: `{function}`."
            ),
        ),
        _ => error,
    })?;
    Ok(text)
}

/// The value of a stored default expression, of any type.
pub(crate) fn value(text: &str, context: &mut Context) -> Result<Value> {
    let bound = bind(&read(text)?, context)?;
    bound.eval(&mut Eval::constant(&[], context))
}

fn printed(expr: &Expr) -> String {
    let column = |name: &ColumnName| crate::ast::print::quoted(&name.name);
    expression(expr, &Style { column: &column, introducer: "_utf8mb4", limit: 65_535 })
}

fn bind(expr: &Expr, context: &Context) -> Result<crate::expr::Typed> {
    Binder::new(context, &[]).bind_in("default value expression", expr)
}

fn read(text: &str) -> Result<Expr> {
    let parsed = parse::parse(format!("DO {text}").as_bytes(), 0, LexMode::default())?;
    match parsed.map(|p| p.statement) {
        Some(Statement::Do(mut list)) if list.len() == 1 => Ok(list.remove(0)),
        _ => Err(unsupported(format_args!("DEFAULT ({text})"))),
    }
}

fn reads_variables(expr: &Expr) -> bool {
    let mut found = matches!(expr, Expr::UserVar(_) | Expr::Assign(..) | Expr::SysVar { .. });
    expr.children(&mut |child| found |= reads_variables(child));
    found
}

fn unknown_function(expr: &Expr, context: &Context) -> Option<String> {
    if let Expr::Func { name, args } = expr
        && crate::function::lookup(name, args.len(), context.schema.as_deref()).is_err_and(|e| e.code == 1305)
    {
        return Some(name.clone());
    }
    let mut found = None;
    expr.children(&mut |child| found = found.take().or_else(|| unknown_function(child, context)));
    found
}
