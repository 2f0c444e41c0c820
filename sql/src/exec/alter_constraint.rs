//! ALTER TABLE: what becomes of CHECK constraints and generated columns.
//!
//! A column that goes takes the constraints with it that name no other; one that is still named may not go, nor be called otherwise.

use super::alter::Slot;
use super::constraint::{checks, generated, reads, reads_only, renamed, unsupported_generated};
use super::default_expr::read;
use crate::ast::AlterAction;
use crate::error::{Result, SqlError};
use crate::session::context::Context;
use engine::{Check, ColumnDef, TableDef};

/// The constraints of the new table, and whether rows must be written anew (or looked at) for them. Generated columns are told in `columns`.
pub(super) fn constraints(
    (table, name): (&TableDef, &str),
    actions: &[AlterAction],
    slots: &[Slot<'_>],
    columns: &mut [ColumnDef],
    context: &Context,
) -> Result<(Vec<Check>, bool)> {
    let (mut kept, mut rebuild) = kept(table, actions)?;
    for (i, old) in table.columns.iter().enumerate() {
        let now = slots.iter().find(|s| s.from == Some(i));
        if now.is_some_and(|s| s.column.name.eq_ignore_ascii_case(&old.name)) {
            continue;
        }
        may_go(old, slots)?;
        let mut stay = Vec::with_capacity(kept.len());
        for check in kept {
            if !reads(&check.text, &old.name)? {
                stay.push(check);
            } else if now.is_some() || !reads_only(&check.text, &old.name)? {
                let text = format!(
                    "Check constraint '{}' uses column '{}', hence column cannot be dropped or renamed.",
                    check.name, old.name
                );
                return Err(SqlError::new(3959, text));
            }
        }
        kept = stay;
    }
    rebuild |= generated_columns(table, slots, columns, context)?;
    let added = actions.iter().filter_map(|a| match a {
        AlterAction::AddCheck(check) => Some(check),
        _ => None,
    });
    rebuild |= added.clone().any(|check| check.enforced);
    let kept = renamed(kept, &table.name, name);
    Ok((checks(added, kept, name, columns, context)?, rebuild))
}

/// 3108 for a column that a generated one reads.
fn may_go(old: &ColumnDef, slots: &[Slot<'_>]) -> Result<()> {
    for slot in slots.iter().filter(|s| s.written.is_none()) {
        if let Some(generated) = &slot.column.generated
            && reads(&generated.text, &old.name)?
        {
            let text = format!("Column '{}' has a generated column dependency.", old.name);
            return Err(SqlError::new(3108, text));
        }
    }
    Ok(())
}

/// The old constraints that stay, and whether one is enforced that was not.
fn kept(table: &TableDef, actions: &[AlterAction]) -> Result<(Vec<Check>, bool)> {
    let (mut kept, mut rebuild) = (table.checks.clone(), false);
    for action in actions {
        let name = match action {
            AlterAction::DropCheck(name) | AlterAction::AlterCheck { name, .. } => name,
            _ => continue,
        };
        let found = kept.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let missing = || SqlError::new(3821, format!("Check constraint '{name}' is not found in the table."));
        let found = found.ok_or_else(missing)?;
        if let AlterAction::AlterCheck { enforced, .. } = action {
            rebuild |= *enforced && !kept[found].enforced;
            kept[found].enforced = *enforced;
        } else {
            kept.remove(found);
        }
    }
    Ok((kept, rebuild))
}

fn generated_columns(
    table: &TableDef,
    slots: &[Slot<'_>],
    columns: &mut [ColumnDef],
    context: &Context,
) -> Result<bool> {
    let now = |slot: &Slot<'_>| match slot.written {
        Some(written) => written.generated.is_some(),
        None => slot.column.generated.is_some(),
    };
    let flags: Vec<bool> = slots.iter().map(now).collect();
    let mut rebuild = false;
    for (at, slot) in slots.iter().enumerate() {
        let old = slot.from.and_then(|i| table.columns[i].generated.as_ref());
        let made = match (slot.written, &slot.column.generated) {
            (Some(written), _) => {
                let was = old.map(|g| g.stored);
                let is = written.generated.as_ref().map(|(_, stored)| *stored);
                if slot.from.is_some() && was != is && (was == Some(false) || is == Some(false)) {
                    return Err(unsupported_generated("Changing the STORED status"));
                }
                let made = written.generated.as_ref();
                made.map(|(e, stored)| generated(e, *stored, at, columns, &flags, context)).transpose()?
            }
            (None, Some(kept)) => {
                Some(generated(&read(&kept.text)?, kept.stored, at, columns, &flags, context)?)
            }
            (None, None) => None,
        };
        rebuild |= made.as_ref() != old;
        columns[at].generated = made;
    }
    Ok(rebuild)
}
