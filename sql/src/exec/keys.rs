//! Keys as CREATE TABLE and ALTER TABLE write them: checked, named, by position.

use crate::ast::{self, IndexKind};
use crate::error::{Result, SqlError};
use crate::exec::ddl::check_name;
use engine::{ColumnDef, IndexPart, NewIndex};
use values::{ColumnType, TypeKind};

/// Bytes of an index key, MySQL's limit.
const MAX_KEY_BYTES: u64 = 3072;
/// Parts of an index.
const MAX_KEY_PARTS: usize = 16;
/// Indexes of a table besides the primary key.
const MAX_INDEXES: usize = 64;

/// 1171
pub(super) fn null_in_primary() -> SqlError {
    SqlError::new(
        1171,
        "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead",
    )
}

/// The keys that a column's own attributes ask for.
pub(super) fn column_keys(column: &ast::ColumnDef) -> impl Iterator<Item = ast::IndexDef> {
    let kinds = [(column.primary, IndexKind::Primary), (column.unique, IndexKind::Unique)];
    let name = column.name.clone();
    kinds.into_iter().filter(|(asked, _)| *asked).map(move |(_, kind)| ast::IndexDef {
        kind,
        name: None,
        parts: vec![ast::KeyPart { column: name.clone(), prefix: None, desc: false }],
        comment: String::new(),
    })
}

/// Indexes as written, checked and named; `null` says of a column that NULL was asked for.
pub(super) fn keys(
    all: &[ast::IndexDef],
    null: impl Fn(usize) -> bool,
    columns: &mut [ColumnDef],
) -> Result<(Vec<IndexPart>, Vec<NewIndex>)> {
    let mut primary: Option<Vec<IndexPart>> = None;
    let mut named: Vec<NewIndex> = Vec::new();
    // Unique keys come before plain ones, as in MySQL's own order.
    for pass in [IndexKind::Primary, IndexKind::Unique, IndexKind::Plain] {
        for index in all.iter().filter(|i| i.kind == pass) {
            let parts = index_parts(&index.parts, columns)?;
            if pass == IndexKind::Primary {
                if primary.is_some() {
                    return Err(SqlError::new(1068, "Multiple primary key defined"));
                }
                for part in &parts {
                    if null(part.column) {
                        return Err(null_in_primary());
                    }
                    columns[part.column].nullable = false;
                }
                primary = Some(parts);
                continue;
            }
            let taken: Vec<&str> = named.iter().map(|i| i.name.as_str()).collect();
            let name = index_name(index, &taken)?;
            named.push(NewIndex {
                name,
                unique: pass == IndexKind::Unique,
                parts,
                comment: index.comment.clone(),
            });
        }
    }
    if named.len() > MAX_INDEXES {
        return Err(SqlError::new(1069, format!("Too many keys specified; max {MAX_INDEXES} keys allowed")));
    }
    Ok((primary.unwrap_or_default(), named))
}

/// The index's own name, or its first column's with a number that makes it free.
pub(crate) fn index_name(index: &ast::IndexDef, taken: &[&str]) -> Result<String> {
    let is_taken = |name: &str| taken.iter().any(|t| t.eq_ignore_ascii_case(name));
    if let Some(name) = &index.name {
        if name.eq_ignore_ascii_case("PRIMARY") {
            return Err(SqlError::new(1280, format!("Incorrect index name '{name}'")));
        }
        if is_taken(name) {
            return Err(SqlError::new(1061, format!("Duplicate key name '{name}'")));
        }
        check_name(name)?;
        return Ok(name.clone());
    }
    let base = &index.parts[0].column;
    if !is_taken(base) && !base.eq_ignore_ascii_case("PRIMARY") {
        return Ok(base.clone());
    }
    Ok((2..)
        .map(|n| format!("{base}_{n}"))
        .find(|name| !is_taken(name))
        .expect("invariant: some number is free"))
}

/// Key parts by position, checked.
pub(crate) fn index_parts(written: &[ast::KeyPart], columns: &[ColumnDef]) -> Result<Vec<IndexPart>> {
    if written.len() > MAX_KEY_PARTS {
        return Err(SqlError::new(
            1070,
            format!("Too many key parts specified; max {MAX_KEY_PARTS} parts allowed"),
        ));
    }
    let mut parts: Vec<IndexPart> = Vec::with_capacity(written.len());
    let mut bytes = 0;
    for part in written {
        let name = &part.column;
        let position = columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| SqlError::new(1072, format!("Key column '{name}' doesn't exist in table")))?;
        if parts.iter().any(|p| p.column == position) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{name}'")));
        }
        let ty = &columns[position].ty;
        let prefix_chars = prefix(part, ty, name)?;
        bytes += match prefix_chars {
            Some(n) => u64::from(n) * ty.collation.bytes_per_char(),
            None => ty.max_bytes(),
        };
        parts.push(IndexPart { column: position, descending: part.desc, prefix_chars });
    }
    if bytes > MAX_KEY_BYTES {
        return Err(SqlError::new(
            1071,
            format!("Specified key was too long; max key length is {MAX_KEY_BYTES} bytes"),
        ));
    }
    Ok(parts)
}

fn prefix(part: &ast::KeyPart, ty: &ColumnType, name: &str) -> Result<Option<u32>> {
    let string = ty.is_character() || ty.is_binary();
    match part.prefix {
        Some(0) => Err(SqlError::new(1391, format!("Key part '{name}' length cannot be 0"))),
        Some(n) if string && (ty.is_lob() || n < ty.length) => Ok(Some(n)),
        Some(n) if string && n == ty.length => Ok(None),
        Some(_) => Err(SqlError::new(
            1089,
            "Incorrect prefix key; the used key part isn't a string, the used length is longer than the key part, or the storage engine doesn't support unique prefix keys",
        )),
        None if ty.kind == TypeKind::Json => Err(SqlError::new(
            3152,
            format!(
                "JSON column '{name}' supports indexing only via generated columns on a specified JSON path."
            ),
        )),
        None if ty.is_lob() => Err(SqlError::new(
            1170,
            format!("BLOB/TEXT column '{name}' used in key specification without a key length"),
        )),
        None => Ok(None),
    }
}

/// 1075: one AUTO_INCREMENT column, and a key that it leads.
pub(super) fn check_auto_increment(
    columns: &[ColumnDef],
    primary: &[IndexPart],
    indexes: &[NewIndex],
) -> Result<()> {
    let wrong = || {
        SqlError::new(
            1075,
            "Incorrect table definition; there can be only one auto column and it must be defined as a key",
        )
    };
    let autos: Vec<usize> =
        columns.iter().enumerate().filter(|(_, c)| c.auto_increment).map(|(i, _)| i).collect();
    let Some(&auto) = autos.first() else { return Ok(()) };
    let leads = |parts: &[IndexPart]| parts.first().is_some_and(|p| p.column == auto);
    if autos.len() > 1 || !(leads(primary) || indexes.iter().any(|i| leads(&i.parts))) {
        return Err(wrong());
    }
    Ok(())
}
