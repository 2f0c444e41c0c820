//! A table's header: what the dictionary keeps of a table beyond its columns and indexes (docs/formats/dictionary.md).
//!
//! Its version byte rises with what tables can have: 1 had no foreign keys, 2 no generated columns, CHECK constraints and row formats. Older
//! ones are read, the newest is written.

use crate::dictionary::codec::damaged;
use crate::dictionary::constraints::{Check, ForeignKey, ForeignKeyAction, Generated};
use crate::dictionary::formats::{RowFormats, StoredColumn};
use crate::dictionary::schema::{ColumnDef, TableDef};
use crate::error::Result;
use bytes::Bytes;
use protocol::wire::{Wire, seal, unseal};
use protocol::wire_struct;
use values::{ColumnType, Value};

/// Version byte of headers written.
const HEADER_VERSION: u8 = 3;

wire_struct! {
    /// A header of version 1.
    pub struct HeaderRow1 {
        /// Row format version.
        pub version: u16,
        /// DDL stamp.
        pub stamp: u64,
        /// COMMENT.
        pub comment: String,
        /// `sql`'s own words.
        pub options: String,
    }
}

wire_struct! {
    /// A foreign key.
    pub struct ForeignKeyRow {
        /// Name.
        pub name: String,
        /// Positions of the child's columns.
        pub columns: Vec<u32>,
        /// Schema of the parent.
        pub parent_schema: String,
        /// Name of the parent.
        pub parent: String,
        /// Names of the parent's columns.
        pub parent_columns: Vec<String>,
        /// 0 NO ACTION, 1 RESTRICT, 2 CASCADE, 3 SET NULL.
        pub on_delete: u8,
        /// The same.
        pub on_update: u8,
    }
}

wire_struct! {
    /// A header of version 2.
    pub struct HeaderRow2 {
        /// As in version 1.
        pub base: HeaderRow1,
        /// FOREIGN KEY.
        pub foreign_keys: Vec<ForeignKeyRow>,
    }
}

wire_struct! {
    /// GENERATED ALWAYS AS.
    pub struct GeneratedRow {
        /// Position of the column.
        pub column: u32,
        /// The expression.
        pub text: String,
        /// STORED, else VIRTUAL.
        pub stored: bool,
    }
}

wire_struct! {
    /// CHECK.
    pub struct CheckRow {
        /// Name.
        pub name: String,
        /// The condition.
        pub text: String,
        /// ENFORCED.
        pub enforced: bool,
    }
}

wire_struct! {
    /// A row format.
    pub struct FormatRow {
        /// Its version.
        pub version: u16,
        /// How many stored columns its rows have.
        pub columns: u32,
    }
}

wire_struct! {
    /// A stored column.
    pub struct StoredRow {
        /// `ColumnType::encode`.
        pub ty: Bytes,
        /// Position among the table's columns; none: dropped.
        pub shown: Option<u32>,
        /// Cell in rows of formats that lack it; none: NULL.
        pub absent: Option<Bytes>,
    }
}

wire_struct! {
    /// A header.
    pub struct HeaderRow {
        /// As in version 2.
        pub base: HeaderRow2,
        /// Generated columns.
        pub generated: Vec<GeneratedRow>,
        /// CHECK constraints.
        pub checks: Vec<CheckRow>,
        /// Row formats since the rows were written last; empty: one.
        pub formats: Vec<FormatRow>,
        /// Stored columns; empty: the table's columns.
        pub stored: Vec<StoredRow>,
    }
}

/// A header, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) stamp: u64,
    pub(super) comment: String,
    pub(super) options: String,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) checks: Vec<Check>,
    pub(super) formats: RowFormats,
}

/// A table's header as a blob.
pub(super) fn header_blob(table: &TableDef) -> Value {
    let base = HeaderRow1 {
        version: table.version,
        stamp: table.stamp,
        comment: table.comment.clone(),
        options: table.options.clone(),
    };
    let generated = |(i, c): (usize, &ColumnDef)| {
        let Generated { text, stored } = c.generated.clone()?;
        Some(GeneratedRow { column: i as u32, text, stored })
    };
    let check = |Check { name, text, enforced }: Check| CheckRow { name, text, enforced };
    let format = |(version, columns): &(u16, u32)| FormatRow { version: *version, columns: *columns };
    let stored = |column: &StoredColumn| StoredRow {
        ty: column.ty.encode().into(),
        shown: column.shown.map(|i| i as u32),
        absent: column.absent.clone(),
    };
    let row = HeaderRow {
        base: HeaderRow2 { base, foreign_keys: table.foreign_keys.iter().map(foreign_key_row).collect() },
        generated: table.columns.iter().enumerate().filter_map(generated).collect(),
        checks: table.checks.iter().cloned().map(check).collect(),
        formats: table.formats.versions.iter().map(format).collect(),
        stored: table.formats.stored.iter().map(stored).collect(),
    };
    Value::bytes(&seal(HEADER_VERSION, &row))
}

/// What [`header_blob`] made, or an older build.
pub(super) fn unblob_header(value: &Value) -> Result<HeaderRow> {
    let bytes = Bytes::copy_from_slice(value.as_bytes().unwrap_or_default());
    let base = match bytes.first() {
        Some(1) => HeaderRow2 { base: open(1, &bytes)?, foreign_keys: Vec::new() },
        Some(2) => open(2, &bytes)?,
        _ => return open(HEADER_VERSION, &bytes),
    };
    let (generated, checks, formats, stored) = Default::default();
    Ok(HeaderRow { base, generated, checks, formats, stored })
}

fn open<T: Wire>(version: u8, bytes: &Bytes) -> Result<T> {
    unseal(version, bytes).map_err(|e| damaged(&e.to_string()))
}

impl HeaderRow {
    /// The header of a table with these columns, whose generated ones are told so.
    pub(super) fn resolve(self, columns: &mut [ColumnDef]) -> Result<Header> {
        for GeneratedRow { column, text, stored } in self.generated {
            let column = columns.get_mut(column as usize);
            let column = column.ok_or_else(|| damaged("a generated column that is not there"))?;
            column.generated = Some(Generated { text, stored });
        }
        let types: Vec<ColumnType> = columns.iter().map(|c| c.ty).collect();
        let stored = |row: StoredRow| {
            let ty = ColumnType::decode(&row.ty).ok_or_else(|| damaged("unknown column type"))?;
            Ok(StoredColumn { ty, shown: row.shown.map(|i| i as usize), absent: row.absent })
        };
        let formats = RowFormats {
            versions: self.formats.iter().map(|f| (f.version, f.columns)).collect(),
            stored: self.stored.into_iter().map(stored).collect::<Result<_>>()?,
        };
        if !formats.fits(&types) {
            return Err(damaged("row formats that do not fit the columns"));
        }
        let HeaderRow2 { base, foreign_keys } = self.base;
        let keys = foreign_keys.into_iter().map(|fk| foreign_key(fk, types.len()));
        let check = |CheckRow { name, text, enforced }: CheckRow| Check { name, text, enforced };
        Ok(Header {
            version: base.version,
            stamp: base.stamp,
            comment: base.comment,
            options: base.options,
            foreign_keys: keys.collect::<Result<_>>()?,
            checks: self.checks.into_iter().map(check).collect(),
            formats,
        })
    }
}

fn foreign_key_row(fk: &ForeignKey) -> ForeignKeyRow {
    ForeignKeyRow {
        name: fk.name.clone(),
        columns: fk.columns.iter().map(|c| *c as u32).collect(),
        parent_schema: fk.parent_schema.clone(),
        parent: fk.parent.clone(),
        parent_columns: fk.parent_columns.clone(),
        on_delete: fk.on_delete.number(),
        on_update: fk.on_update.number(),
    }
}

/// A foreign key of a table with so many columns.
fn foreign_key(row: ForeignKeyRow, columns: usize) -> Result<ForeignKey> {
    let action = |n| ForeignKeyAction::of_number(n).ok_or_else(|| damaged("unknown foreign key action"));
    if row.columns.len() != row.parent_columns.len() || row.columns.iter().any(|c| *c as usize >= columns) {
        return Err(damaged("a foreign key over columns that are not there"));
    }
    Ok(ForeignKey {
        on_delete: action(row.on_delete)?,
        on_update: action(row.on_update)?,
        name: row.name,
        columns: row.columns.into_iter().map(|c| c as usize).collect(),
        parent_schema: row.parent_schema,
        parent: row.parent,
        parent_columns: row.parent_columns,
    })
}

#[cfg(test)]
mod tests;
