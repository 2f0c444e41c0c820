//! What the dictionary keeps in its blob columns (docs/formats/dictionary.md): sealed values, so a version byte and a CRC each.

use crate::dictionary::schema::{ColumnDef, ColumnDefault, ColumnId, IndexDef, IndexId, IndexPart};
use crate::error::{EngineError, Result};
use bytes::Bytes;
use protocol::page::PageId;
use protocol::wire::{Wire, seal, unseal};
use protocol::wire_struct;
use values::{ColumnType, Value};

/// Version byte of every blob but headers (`header`).
const VERSION: u8 = 1;

wire_struct! {
    /// A column.
    pub struct ColumnRow {
        /// Id within the table.
        pub id: u32,
        /// Name.
        pub name: String,
        /// `ColumnType::encode`.
        pub ty: Bytes,
        /// NULL allowed.
        pub nullable: bool,
        /// 0 none, 1 NULL, 2 literal cell, 3 CURRENT_TIMESTAMP, 4 expression.
        pub default_kind: u8,
        /// The literal's cell, the precision, or the expression.
        pub default: Bytes,
        /// ON UPDATE CURRENT_TIMESTAMP.
        pub on_update_now: bool,
        /// AUTO_INCREMENT.
        pub auto_increment: bool,
        /// COMMENT.
        pub comment: String,
    }
}

wire_struct! {
    /// A part of an index.
    pub struct PartRow {
        /// Position of the column.
        pub column: u32,
        /// DESC.
        pub descending: bool,
        /// Prefix length.
        pub prefix: Option<u32>,
    }
}

wire_struct! {
    /// An index.
    pub struct IndexRow {
        /// Tree id.
        pub id: u64,
        /// Root page.
        pub root: u64,
        /// Name.
        pub name: String,
        /// UNIQUE.
        pub unique: bool,
        /// Parts.
        pub parts: Vec<PartRow>,
        /// COMMENT.
        pub comment: String,
    }
}

/// A blob column's value.
pub(crate) fn blob<T: Wire>(value: &T) -> Value {
    Value::bytes(&seal(VERSION, value))
}

/// What [`blob`] made.
pub(crate) fn unblob<T: Wire>(value: &Value) -> Result<T> {
    let bytes = value.as_bytes().unwrap_or_default();
    unseal(VERSION, &Bytes::copy_from_slice(bytes)).map_err(|e| damaged(&e.to_string()))
}

pub(super) fn damaged(what: &str) -> EngineError {
    EngineError::corrupt(PageId(0), format!("dictionary: {what}"))
}

pub(crate) fn column_row(column: &ColumnDef) -> ColumnRow {
    let (default_kind, default) = match &column.default {
        None => (0, Vec::new()),
        Some(ColumnDefault::Literal(Value::Null)) => (1, Vec::new()),
        Some(ColumnDefault::Literal(value)) => {
            let mut cell = Vec::new();
            values::encode_cell(value, &column.ty, &mut cell);
            (2, cell)
        }
        Some(ColumnDefault::CurrentTimestamp { fsp }) => (3, vec![*fsp]),
        Some(ColumnDefault::Expression(text)) => (4, text.clone().into_bytes()),
    };
    ColumnRow {
        id: column.id.0,
        name: column.name.clone(),
        ty: column.ty.encode().into(),
        nullable: column.nullable,
        default_kind,
        default: default.into(),
        on_update_now: column.on_update_now,
        auto_increment: column.auto_increment,
        comment: column.comment.clone(),
    }
}

pub(crate) fn column_def(row: ColumnRow) -> Result<ColumnDef> {
    let ty = ColumnType::decode(&row.ty).ok_or_else(|| damaged("unknown column type"))?;
    let default = match row.default_kind {
        0 => None,
        1 => Some(ColumnDefault::Literal(Value::Null)),
        2 => {
            let value = values::decode_cell(&row.default, &ty).map_err(|e| damaged(&e.to_string()))?;
            Some(ColumnDefault::Literal(value))
        }
        3 => Some(ColumnDefault::CurrentTimestamp { fsp: row.default.first().copied().unwrap_or(0) }),
        4 => {
            let text = String::from_utf8(row.default.to_vec()).map_err(|e| damaged(&e.to_string()))?;
            Some(ColumnDefault::Expression(text))
        }
        _ => return Err(damaged("unknown kind of default")),
    };
    Ok(ColumnDef {
        id: ColumnId(row.id),
        name: row.name,
        ty,
        nullable: row.nullable,
        default,
        on_update_now: row.on_update_now,
        auto_increment: row.auto_increment,
        comment: row.comment,
        generated: None,
    })
}

pub(crate) fn index_row(index: &IndexDef) -> IndexRow {
    let part =
        |p: &IndexPart| PartRow { column: p.column as u32, descending: p.descending, prefix: p.prefix_chars };
    IndexRow {
        id: index.id.0,
        root: index.root.0,
        name: index.name.clone(),
        unique: index.unique,
        parts: index.parts.iter().map(part).collect(),
        comment: index.comment.clone(),
    }
}

pub(crate) fn index_def(row: IndexRow) -> IndexDef {
    let part = |p: &PartRow| IndexPart {
        column: p.column as usize,
        descending: p.descending,
        prefix_chars: p.prefix,
    };
    IndexDef {
        id: IndexId(row.id),
        name: row.name,
        unique: row.unique,
        parts: row.parts.iter().map(part).collect(),
        comment: row.comment,
        root: PageId(row.root),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::types::TypeKind;

    #[test]
    fn columns_round_trip_with_every_default() {
        let defaults = [
            None,
            Some(ColumnDefault::Literal(Value::Null)),
            Some(ColumnDefault::Literal(Value::Int(-7))),
            Some(ColumnDefault::CurrentTimestamp { fsp: 3 }),
            Some(ColumnDefault::Expression("(1 + 1)".to_owned())),
        ];
        for default in defaults {
            let column = ColumnDef {
                id: ColumnId(3),
                name: "naïve".to_owned(),
                ty: ColumnType::integer(TypeKind::Int, false),
                nullable: true,
                default,
                on_update_now: true,
                auto_increment: false,
                comment: "c".to_owned(),
                generated: None,
            };
            let stored = blob(&column_row(&column));
            assert_eq!(column_def(unblob(&stored).unwrap()).unwrap(), column);
        }
    }
}
