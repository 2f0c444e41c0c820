//! Rows before they are stored: generated columns are computed, WITH CHECK OPTION (1369) and CHECK (3819) are asked.

use super::sub::prepare;
use super::{Run, store};
use crate::error::{Result, SqlError};
use crate::expr::Eval;
use crate::plan::{CheckKind, RowCheck, RowRules};
use crate::session::context::{Context, Strictness};
use engine::TableDef;
use values::{Level, Value};

/// Computes the generated columns of a row whose table's columns stand from `base` on.
pub(crate) fn generate(
    rules: &RowRules,
    (table, base): (&TableDef, usize),
    row: &mut Vec<Value>,
    ignore: bool,
    run: &mut Run<'_>,
) -> Result<()> {
    for generated in &rules.generated {
        let column = &table.columns[generated.column];
        let value = generated.expr.eval(&mut Eval::over(&*row, &run.params, run.context))?;
        let value = store::convert(&value, column, run, ignore)?;
        let bend = ignore || run.context.strictness != Strictness::Strict;
        row[base + generated.column] =
            if value.is_null() && !column.nullable { store::not_null(column, run, bend)? } else { value };
    }
    Ok(())
}

/// What an UPDATE changes besides: `changes` have not been put into `row` where they are the row's own time.
pub(crate) fn generate_changes(
    rules: &RowRules,
    (table, base): (&TableDef, usize),
    row: &mut Vec<Value>,
    changes: &mut Vec<(usize, Value)>,
    ignore: bool,
    run: &mut Run<'_>,
) -> Result<()> {
    if rules.is_empty() || changes.is_empty() {
        return Ok(());
    }
    for (column, value) in changes.iter() {
        row[base + column] = value.clone();
    }
    let old: Vec<Value> = rules.generated.iter().map(|g| row[base + g.column].clone()).collect();
    generate(rules, (table, base), row, ignore, run)?;
    for (generated, old) in rules.generated.iter().zip(old) {
        let new = &row[base + generated.column];
        if !values::compare::same(new, &old, values::Collation::BINARY) || new.is_null() != old.is_null() {
            changes.push((generated.column, new.clone()));
        }
    }
    Ok(())
}

/// Does the row fulfil all of them? False only under IGNORE, which warns and leaves the row out.
pub(crate) async fn checked(
    checks: &[RowCheck],
    row: &[Value],
    ignore: bool,
    run: &mut Run<'_>,
) -> Result<bool> {
    for check in checks {
        if !check.subs.is_empty() {
            prepare(&check.subs, &row, &[], run).await?;
        }
        let truth = check.expr.truth(&mut Eval::over(&row, &run.params, run.context))?;
        let Some(error) = violation(check, truth) else { continue };
        if !ignore {
            return Err(error);
        }
        run.context.warn(Level::Warning, error.code, error.message);
        return Ok(false);
    }
    Ok(true)
}

/// The same for a row of a table that is altered.
pub(crate) fn fulfilled(checks: &[RowCheck], row: &[Value], context: &mut Context) -> Result<()> {
    for check in checks {
        let truth = check.expr.truth(&mut Eval::over(&row, &[], context))?;
        if let Some(error) = violation(check, truth) {
            return Err(error);
        }
    }
    Ok(())
}

fn violation(check: &RowCheck, truth: Option<bool>) -> Option<SqlError> {
    match &check.kind {
        CheckKind::View(name) if truth != Some(true) => {
            Some(SqlError::new(1369, format!("CHECK OPTION failed '{name}'")))
        }
        CheckKind::Constraint(name) if truth == Some(false) => {
            Some(SqlError::new(3819, format!("Check constraint '{name}' is violated.")))
        }
        _ => None,
    }
}
