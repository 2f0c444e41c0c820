//! Foreign keys as they are written, into what the dictionary keeps: names, positions, an index for each that has none.

use super::ddl::check_name;
use super::keys::index_name;
use crate::ast::{ForeignKeyDef, IndexDef, IndexKind, KeyPart};
use crate::error::{Result, SqlError};
use engine::{ColumnDef, ForeignKey, IndexPart, NewIndex, serves_foreign_key};

/// The child as far as it is known.
pub(crate) struct Child<'a> {
    pub(crate) schema: &'a str,
    pub(crate) table: &'a str,
    pub(crate) columns: &'a [ColumnDef],
    /// Indexes that it has, the primary key included.
    pub(crate) indexes: Vec<&'a [IndexPart]>,
    /// Names of foreign keys that it has.
    pub(crate) keys: Vec<&'a str>,
}

/// Foreign keys and the indexes that they need. `taken` are names of indexes.
pub(crate) fn foreign_keys(
    written: &[ForeignKeyDef],
    child: &Child<'_>,
    taken: &[&str],
) -> Result<(Vec<ForeignKey>, Vec<NewIndex>)> {
    let mut out: Vec<ForeignKey> = Vec::new();
    let mut indexes: Vec<NewIndex> = Vec::new();
    // MySQL counts on from the highest number in use.
    let own = format!("{}_ibfk_", child.table);
    let number = |name: &&str| name.strip_prefix(own.as_str()).and_then(|n| n.parse::<u64>().ok());
    let mut last = child.keys.iter().filter_map(number).max().unwrap_or(0);
    for key in written {
        let name = match &key.name {
            Some(name) => {
                check_name(name)?;
                name.clone()
            }
            None => {
                last += 1;
                format!("{own}{last}")
            }
        };
        if key.columns.len() != key.parent_columns.len() {
            let shown = key.name.as_deref().unwrap_or("foreign key without name");
            return Err(SqlError::new(
                1239,
                format!(
                    "Incorrect foreign key definition for '{shown}': Key reference and table reference don't match"
                ),
            ));
        }
        let columns = key.columns.iter().map(|c| position(child.columns, c)).collect::<Result<Vec<_>>>()?;
        let made = indexes.iter().map(|i| i.parts.as_slice());
        if !child.indexes.iter().copied().chain(made).any(|parts| serves_foreign_key(parts, &columns)) {
            let names: Vec<&str> =
                taken.iter().copied().chain(indexes.iter().map(|i| i.name.as_str())).collect();
            let index = index_of(key, &names, columns.iter().map(|c| child.columns[*c].name.as_str()))?;
            let part = |c: &usize| IndexPart { column: *c, descending: false, prefix_chars: None };
            let parts = columns.iter().map(part).collect();
            indexes.push(NewIndex { name: index, unique: false, parts, comment: String::new() });
        }
        out.push(ForeignKey {
            name,
            columns,
            parent_schema: key.parent.schema.clone().unwrap_or_else(|| child.schema.to_owned()),
            parent: key.parent.name.clone(),
            parent_columns: key.parent_columns.clone(),
            on_delete: key.on_delete,
            on_update: key.on_update,
        });
    }
    Ok((out, indexes))
}

fn position(columns: &[ColumnDef], name: &str) -> Result<usize> {
    let found = columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| SqlError::new(1072, format!("Key column '{name}' doesn't exist in table")))
}

/// The name of the index made for a foreign key: the constraint's, what stood after KEY, or the first column's.
fn index_of<'a>(
    key: &ForeignKeyDef,
    taken: &[&str],
    columns: impl Iterator<Item = &'a str>,
) -> Result<String> {
    let part = |c: &str| KeyPart { column: c.to_owned(), prefix: None, desc: false };
    let index = IndexDef {
        kind: IndexKind::Plain,
        name: key.name.clone().or_else(|| key.index.clone()),
        parts: columns.map(part).collect(),
        comment: String::new(),
    };
    index_name(&index, taken)
}
