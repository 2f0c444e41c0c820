//! DEFAULT (expression): kept as the text that MySQL prints for it, read and computed again for each row that needs it.
//!
//! 1. What is stored reads as what was written: a text that would print otherwise when it is read again is refused with 1235.
//! 2. It reads no variables and no tables; of its own row it reads columns, but none that is numbered by itself (3768), and none behind it
//!    that is computed too (3767): so one pass over the columns that were given and one over those that are computed make the row.

use crate::ast::print::{Style, expression};
use crate::ast::{ColumnName, Expr, Statement};
use crate::bind::{Binder, Names, Scope};
use crate::error::{Result, SqlError, unsupported};
use crate::expr::{Columns as Row, Eval};
use crate::lex::LexMode;
use crate::parse;
use crate::session::context::Context;
use engine::{ColumnDef, ColumnDefault, TableDef};
use std::sync::Arc;
use values::Value;

/// The columns that a default expression may name: those of its table.
pub(crate) struct Columns {
    names: Names,
    /// Which have a default expression themselves.
    computed: Vec<bool>,
    numbered: Vec<bool>,
}

impl Columns {
    /// The columns of a table that is about to be, of which `computed` have default expressions.
    pub(crate) fn new(table: &str, columns: &[ColumnDef], computed: Vec<bool>) -> Columns {
        let shapes = columns.iter().map(|c| (c.name.as_str(), c.ty, c.nullable));
        let definition = super::virtual_rows::detached("", table, shapes);
        let numbered = columns.iter().map(|c| c.auto_increment).collect();
        let names = Names::one(Scope::of(Arc::new(definition), table.into()));
        Columns { names, computed, numbered }
    }

    /// Those of a table.
    pub(crate) fn of(table: &TableDef) -> Columns {
        Columns::new(&table.name, &table.columns, table.columns.iter().map(is_computed).collect())
    }

    /// The columns that a stored default expression reads.
    pub(crate) fn read_by(&self, text: &str, context: &Context) -> Result<Vec<usize>> {
        let mut read_columns = Vec::new();
        bind(&read(text)?, self, context)?.columns(&mut read_columns);
        Ok(read_columns)
    }
}

/// Whether the column's default is an expression.
pub(crate) fn is_computed(column: &ColumnDef) -> bool {
    matches!(column.default, Some(ColumnDefault::Expression(_)))
}

/// The text of a default expression of column `name`, checked.
pub(crate) fn text(expr: &Expr, name: &str, columns: &Columns, context: &Context) -> Result<String> {
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
    let bound = bind(expr, columns, context).map_err(|error| match (error.code, unknown_function(expr, context)) {
        (1305, Some(function)) => SqlError::new(
            3770,
            format!(
                "Default value expression of column '{name}' contains a disallowed function: `{function}`."
            ),
        ),
        _ => error,
    })?;
    let mut read_columns = Vec::new();
    bound.columns(&mut read_columns);
    let at = columns.names.tables[0].table.column(name).unwrap_or(0);
    for column in read_columns {
        if columns.numbered[column] {
            return Err(SqlError::new(
                3768,
                format!(
                    "Default value expression of column '{name}' cannot refer to an auto-increment column."
                ),
            ));
        }
        if column >= at && columns.computed[column] {
            return Err(SqlError::new(
                3767,
                format!(
                    "Default value expression of column '{name}' cannot refer to a column defined after it if \
                     that column is a generated column or has an expression as default value."
                ),
            ));
        }
    }
    Ok(text)
}

/// The value of a stored default expression, of any type, for a row of `columns`.
pub(crate) fn value(text: &str, columns: &Columns, row: &dyn Row, context: &mut Context) -> Result<Value> {
    let bound = bind(&read(text)?, columns, context)?;
    bound.eval(&mut Eval::over(row, &[], context))
}

pub(super) fn printed(expr: &Expr) -> String {
    let column = |name: &ColumnName| crate::ast::print::quoted(&name.name);
    expression(expr, &Style { column: &column, table: None, introducer: "_utf8mb4", limit: 65_535 })
}

fn bind(expr: &Expr, columns: &Columns, context: &Context) -> Result<crate::expr::Typed> {
    Binder::over(&columns.names, context, &[]).bind_in("default value expression", expr)
}

/// A stored expression's text as a tree.
pub(crate) fn read(text: &str) -> Result<Expr> {
    let parsed = parse::parse(format!("DO {text}").as_bytes(), 0, LexMode::default())?;
    match parsed.map(|p| p.statement) {
        Some(Statement::Do(mut list)) if list.len() == 1 => Ok(list.remove(0)),
        _ => Err(unsupported(format_args!("DEFAULT ({text})"))),
    }
}

pub(super) fn reads_variables(expr: &Expr) -> bool {
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
