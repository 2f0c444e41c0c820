//! What a table makes of each row that is written to it: generated columns, CHECK constraints, and the views that the row goes through.
//!
//! Both are kept as texts; they are bound again with each plan, over the columns of the table where they stand among those of the statement.

use super::names::Scope;
use super::{Binder, Names, World, check};
use crate::error::Result;
use crate::error::SqlError;
use crate::exec::default_expr::read;
use crate::expr::Typed;
use crate::plan::{CheckKind, GeneratedColumn, RowCheck, RowRules, Set};
use crate::session::context::Context;
use engine::TableDef;
use std::sync::Arc;

/// Of the table at position `table`, with the views around it.
pub(super) fn of(names: &Names, table: usize, world: World<'_>) -> Result<RowRules> {
    let scope = &names.tables[table];
    let mut rules = RowRules::default();
    if names.merged.iter().any(|m| m.tables.contains(&table)) {
        rules.checks = check::of_views(names, table, world)?;
    }
    let own = of_table(&scope.table, scope.base, world.context)?;
    rules.generated = own.generated;
    rules.checks.extend(own.checks);
    Ok(rules)
}

/// Of a table whose columns start at `base`.
pub(crate) fn of_table(table: &Arc<TableDef>, base: usize, context: &Context) -> Result<RowRules> {
    let mut rules = RowRules::default();
    if table.checks.is_empty() && table.columns.iter().all(|c| c.generated.is_none()) {
        return Ok(rules);
    }
    let scope = Scope { base, ..Scope::of(table.clone(), Arc::from(table.name.as_str())) };
    let visible = (base..base + table.columns.len()).collect();
    let names = Names { tables: vec![scope], visible, merged: Vec::new() };
    let bind = |text: &str, place: &'static str| -> Result<Typed> {
        Binder::over(&names, context, &[]).bind_in(place, &read(text)?)
    };
    for (column, def) in table.columns.iter().enumerate() {
        if let Some(generated) = &def.generated {
            let expr = bind(&generated.text, "generated column function")?;
            rules.generated.push(GeneratedColumn { column, expr });
        }
    }
    for check in table.checks.iter().filter(|c| c.enforced) {
        let expr = bind(&check.text, "check constraint")?;
        rules.checks.push(RowCheck::new(expr, CheckKind::Constraint(check.name.clone())));
    }
    Ok(rules)
}

/// 3105: a generated column takes nothing but DEFAULT.
pub(super) fn may_be_given(table: &TableDef, column: usize, given: bool) -> Result<()> {
    let def = &table.columns[column];
    if !given || def.generated.is_none() {
        return Ok(());
    }
    let text = format!(
        "The value specified for generated column '{}' in table '{}' is not allowed.",
        def.name, table.name
    );
    Err(SqlError::new(3105, text))
}

/// Assignments but for `generated = DEFAULT`, which says nothing.
pub(super) fn assignable(table: &TableDef, set: &mut Vec<Set>) -> Result<()> {
    for one in set.iter() {
        may_be_given(table, one.column, one.value.is_some())?;
    }
    set.retain(|one| table.columns[one.column].generated.is_none());
    Ok(())
}
