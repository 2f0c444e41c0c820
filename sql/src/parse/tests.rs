//! The parser against MySQL 9.7's answers: precedence, error texts, refusals, limits; and against sqlparser's trees.

mod against_sqlparser;
mod errors;
mod precedence;
mod print;
mod statements;

use super::parse;
use crate::ast::{Expr, SelectItem, Statement};
use crate::error::SqlError;
use crate::lex::LexMode;

fn statement(sql: &str) -> Result<Statement, SqlError> {
    let parsed = parse(sql.as_bytes(), 0, LexMode::default())?;
    Ok(parsed.unwrap_or_else(|| panic!("a statement: {sql}")).statement)
}

/// The expression of `SELECT expr`.
fn expression(expr: &str, mode: LexMode) -> Result<Expr, SqlError> {
    let sql = format!("SELECT {expr}");
    let parsed = parse(sql.as_bytes(), 0, mode)?;
    let Some(Statement::Select(query)) = parsed.map(|p| p.statement) else { panic!("a select: {sql}") };
    let crate::ast::Body::Select(select) = query.body else { panic!("a select: {sql}") };
    match &select.items[..] {
        [SelectItem::Expr { expr, .. }] => Ok(expr.clone()),
        other => panic!("one item: {other:?}"),
    }
}

/// The tree of an expression, fully parenthesised.
fn tree(expr: &str) -> String {
    match expression(expr, LexMode::default()) {
        Ok(parsed) => print::text(&parsed),
        Err(error) => format!("{} {}", error.code, error.message),
    }
}
