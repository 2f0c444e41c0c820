//! The column types BIT, ENUM and SET as written: what is refused of them.

use crate::ast::{BaseType, DataType};
use crate::error::{Result, SqlError};
use crate::session::context::Context;
use values::{Collation, ColumnType, Level, TypeKind};

/// BIT(n), one bit by default.
pub(super) fn bit_type(ty: &DataType, name: &str) -> Result<ColumnType> {
    match ty.len.unwrap_or(1) {
        0 => Err(SqlError::new(3013, format!("Invalid size for column '{name}'."))),
        n @ 1..=64 => Ok(ColumnType::bit(n as u32)),
        _ => {
            let text = format!("Display width out of range for column '{name}' (max = 64)");
            Err(SqlError::new(1439, text))
        }
    }
}

/// ENUM and SET: 1291 for words that are equal under the collation, 1097 for too many.
pub(super) fn column_type(
    ty: &DataType,
    name: &str,
    collation: Collation,
    context: &mut Context,
) -> Result<ColumnType> {
    let set = ty.base == BaseType::Set;
    let (kind, word, most) = match set {
        true => (TypeKind::Set, "SET", values::labels::MAX_SET),
        false => (TypeKind::Enum, "ENUM", values::labels::MAX_ENUM),
    };
    if ty.words.len() > most {
        return Err(SqlError::new(1097, format!("Too many strings for column {name} and SET")));
    }
    for (i, label) in ty.words.iter().enumerate() {
        if set && label.contains(',') {
            return Err(SqlError::new(1367, format!("Illegal set '{label}' value found during parsing")));
        }
        if label.chars().count() > 255 {
            return Err(SqlError::new(3505, format!("Too long enumeration/set value for column {name}.")));
        }
        let same = |other: &&String| collation.equal(other.as_bytes(), label.as_bytes());
        if let Some(first) = ty.words[..i].iter().find(same) {
            let text = format!("Column '{name}' has duplicated value '{first}' in {word}");
            if context.settings.sql_mode.strict() {
                return Err(SqlError::new(1291, text));
            }
            context.warn(Level::Note, 1291, text);
        }
    }
    let words = ty.words.iter().map(|w| Box::from(w.as_str())).collect();
    Ok(ColumnType::choice(kind, values::Labels::new(words), collation))
}
