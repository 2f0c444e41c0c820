//! ALTER TABLE ... ALGORITHM = and LOCK =: whether the statement may go the way it has to go.

use crate::ast::{Algorithm, AlterAction, DdlLock};
use crate::error::{Result, SqlError};
use crate::exec::alter::Target;
use engine::TableDef;

/// What ALTER TABLE has to do, as MySQL tells its ways apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The definition alone changes.
    Instant,
    /// Indexes are built, or rows written anew as they are.
    Inplace,
    /// A column changes its type.
    Type,
    /// The primary key goes and none comes.
    NoPrimary,
    /// An AUTO_INCREMENT column comes.
    AutoIncrement,
}

impl Way {
    pub(super) fn of(table: &TableDef, target: &Target, instant: bool) -> Way {
        let (new, from) = (&target.new, &target.from);
        let retyped = |(column, from): (&engine::ColumnDef, &Option<usize>)| {
            from.is_some_and(|f| table.columns[f].ty != column.ty)
        };
        let counted =
            |(column, from): (&engine::ColumnDef, &Option<usize>)| from.is_none() && column.auto_increment;
        if !target.force && (instant || !target.rebuild) {
            Way::Instant
        } else if new.columns.iter().zip(from).any(retyped) {
            Way::Type
        } else if !table.hidden_key() && new.primary.is_empty() {
            Way::NoPrimary
        } else if new.columns.iter().zip(from).any(counted) {
            Way::AutoIncrement
        } else {
            Way::Inplace
        }
    }
}

/// Whether a clause only says how.
pub(super) fn is_option(action: &AlterAction) -> bool {
    matches!(action, AlterAction::Algorithm(_) | AlterAction::Lock(_))
}

fn refused(what: &str, reason: &str, instead: &str) -> SqlError {
    SqlError::new(1846, format!("{what} is not supported. Reason: {reason}. Try {instead}."))
}

/// 1221, 1845 and 1846 where the clauses ask for a way that this is not. Where MySQL would let writers go on while rows or entries are written,
/// LOCK=NONE is refused: they are held off here.
pub(super) fn check(actions: &[AlterAction], way: Way) -> Result<()> {
    let (mut algorithm, mut lock, mut copy) = (None, None, false);
    for action in actions {
        match action {
            AlterAction::Algorithm(asked) => (algorithm, copy) = (Some(*asked), false),
            AlterAction::Copy => (algorithm, copy) = (None, true),
            AlterAction::Lock(asked) => lock = Some(*asked),
            _ => {}
        }
    }
    let without_key = "Dropping a primary key is not allowed without also adding a new primary key";
    if algorithm == Some(Algorithm::Instant) {
        if lock.is_some() {
            let text = "Incorrect usage of ALGORITHM=INSTANT and LOCK=NONE/SHARED/EXCLUSIVE";
            return Err(SqlError::new(1221, text));
        }
        let reason = match way {
            Way::Instant => return Ok(()),
            Way::Inplace => {
                let text =
                    "ALGORITHM=INSTANT is not supported for this operation. Try ALGORITHM=COPY/INPLACE.";
                return Err(SqlError::new(1845, text));
            }
            Way::Type => "Need to rebuild the table to change column type",
            Way::NoPrimary => without_key,
            Way::AutoIncrement => "Adding an auto-increment column requires a lock",
        };
        return Err(refused("ALGORITHM=INSTANT", reason, "ALGORITHM=COPY/INPLACE"));
    }
    if algorithm == Some(Algorithm::Inplace) {
        match way {
            Way::Type => {
                let reason = "Cannot change column type INPLACE";
                return Err(refused("ALGORITHM=INPLACE", reason, "ALGORITHM=COPY"));
            }
            Way::NoPrimary => return Err(refused("ALGORITHM=INPLACE", without_key, "ALGORITHM=COPY")),
            _ => {}
        }
    }
    if lock == Some(DdlLock::None) && (way != Way::Instant || copy) {
        let reason = match way {
            _ if copy => "COPY algorithm requires a lock",
            Way::Type => "Cannot change column type INPLACE",
            Way::NoPrimary => without_key,
            Way::AutoIncrement => "Adding an auto-increment column requires a lock",
            Way::Instant | Way::Inplace => "COPY algorithm requires a lock",
        };
        return Err(refused("LOCK=NONE", reason, "LOCK=SHARED"));
    }
    Ok(())
}
