//! ALTER TABLE: what the table shall be, from what it is and what was asked for.
//!
//! ```text
//!   old columns ─ drop, change, rename ─► slots ─ add, move ─► new columns ─► keys, by names of old columns ─► NewTable + where each column comes from
//! ```
//! As in MySQL all clauses speak of the old table's names, whatever their order; only AFTER speaks of the new one's.

use super::ddl::{self, default_of, option, option_collation, table_options};
use super::default_expr;
use super::keys::{self, column_keys};
use crate::ast::{self, AlterAction, IndexKind, Place};
use crate::error::{Result, SqlError};
use crate::session::context::Context;
use engine::{ColumnDef, ColumnDefault, IndexDef, NewIndex, NewTable, TableDef};
use values::{Collation, ColumnType, TypeKind};

/// What ALTER TABLE makes of a table.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) new: NewTable,
    /// For each new column the position of the old one it comes from.
    pub(crate) from: Vec<Option<usize>>,
    /// Rows have to be written anew, unless INSTANT will do.
    pub(crate) rebuild: bool,
    /// The statement says that they shall be.
    pub(crate) force: bool,
    /// MySQL would copy the table and report its rows.
    pub(crate) reported: bool,
    /// AUTO_INCREMENT = n.
    pub(crate) auto_increment: Option<u64>,
}

/// A column on its way from the old table to the new one.
pub(super) struct Slot<'a> {
    pub(super) column: ColumnDef,
    pub(super) from: Option<usize>,
    pub(super) written: Option<&'a ast::ColumnDef>,
    /// SET DEFAULT or DROP DEFAULT.
    default: Option<Option<&'a ast::ColumnDefault>>,
}

/// The table's own attributes.
struct Options {
    collation: Collation,
    row_format: Option<String>,
    comment: String,
    auto_increment: Option<u64>,
    /// CONVERT TO: what text columns become.
    convert: Option<Collation>,
    force: bool,
    /// ALGORITHM = COPY.
    copy: bool,
}

/// The new table under `name` (schema and table).
pub(crate) fn target(
    table: &TableDef,
    name: (&str, &str),
    actions: &[AlterAction],
    schema_default: Collation,
    context: &mut Context,
) -> Result<Target> {
    let options = options(table, actions, schema_default)?;
    let mut slots = slots(table, actions, &options, context)?;
    place(table, actions, &mut slots, &options, context)?;
    if slots.is_empty() {
        return Err(SqlError::new(
            1090,
            "You can't delete all columns with ALTER TABLE; use DROP TABLE instead",
        ));
    }
    for (i, slot) in slots.iter().enumerate() {
        let name = &slot.column.name;
        if slots[..i].iter().any(|s| s.column.name.eq_ignore_ascii_case(name)) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{name}'")));
        }
    }
    let mut columns: Vec<ColumnDef> = slots.iter().map(|s| s.column.clone()).collect();
    let wanted = wanted_keys(table, actions, &slots)?;
    let null = |i: usize| slots[i].written.is_some_and(|w| w.nullable == Some(true));
    let (primary, indexes) = keys::keys(&wanted, null, &mut columns)?;
    let all = default_columns(table, &slots, &columns, context)?;
    for (slot, column) in slots.iter().zip(&mut columns) {
        if let Some(written) = slot.written {
            column.default = default_of(written.default.as_ref(), column, &all, context)?;
        }
        if let Some(default) = slot.default {
            column.default = default_of(default, column, &all, context)?;
        }
    }
    keys::check_auto_increment(&columns, &primary, &indexes)?;
    let of = (table, name.1);
    let (checks, asked) = super::alter_constraint::constraints(of, actions, &slots, &mut columns, context)?;
    super::constraint::check_primary(&primary, &columns)?;
    let new = NewTable {
        schema: name.0.to_owned(),
        name: name.1.to_owned(),
        columns,
        primary,
        indexes,
        auto_increment_start: 0,
        comment: options.comment,
        options: table_options(options.collation, options.row_format.as_deref()),
        // The engine refuses to rebuild a table that has any.
        foreign_keys: Vec::new(),
        checks,
    };
    let from: Vec<Option<usize>> = slots.iter().map(|s| s.from).collect();
    let force = options.force || asked;
    let rebuild = force || !same_rows(table, &new, &from);
    let reported = options.copy || asked || reported(table, &new, &from);
    Ok(Target { new, from, rebuild, force, reported, auto_increment: options.auto_increment })
}

/// What default expressions of the new table may name; 3766 if one that stays names a column that goes, or is called otherwise.
fn default_columns(
    table: &TableDef,
    slots: &[Slot<'_>],
    columns: &[ColumnDef],
    context: &Context,
) -> Result<default_expr::Columns> {
    let stays = |s: &Slot<'_>| s.written.is_none() && s.default.is_none();
    let computed =
        slots.iter().map(|slot| match slot.default.or_else(|| slot.written.map(|w| w.default.as_ref())) {
            Some(default) => matches!(default, Some(ast::ColumnDefault::Expression(_))),
            None => default_expr::is_computed(&slot.column),
        });
    let all = default_expr::Columns::new(&table.name, columns, computed.collect());
    if !table.columns.iter().any(default_expr::is_computed) {
        return Ok(all);
    }
    let old = default_expr::Columns::of(table);
    for slot in slots.iter().filter(|s| stays(s)) {
        let Some(ColumnDefault::Expression(text)) = &slot.column.default else { continue };
        for read in old.read_by(text, context)? {
            let name = &table.columns[read].name;
            if !slots.iter().any(|s| s.from == Some(read) && s.column.name == *name) {
                let message = format!(
                    "Column '{name}' of table '{}' has a default value expression dependency and cannot be \
                     dropped or renamed.",
                    table.name
                );
                return Err(SqlError::new(3766, message));
            }
        }
    }
    Ok(all)
}

fn options(table: &TableDef, actions: &[AlterAction], schema_default: Collation) -> Result<Options> {
    let mut out = Options {
        collation: option_collation(&table.options),
        row_format: option(&table.options, "row_format").map(str::to_owned),
        comment: table.comment.clone(),
        auto_increment: None,
        convert: None,
        force: false,
        copy: false,
    };
    for action in actions {
        match action {
            AlterAction::Options(asked) => {
                ddl::check_engine(asked.engine.as_deref())?;
                if asked.charset.is_some() || asked.collation.is_some() {
                    let (charset, named) = (asked.charset.as_deref(), asked.collation.as_deref());
                    out.collation = ddl::collation(charset, named, out.collation)?;
                }
                out.force |= asked.engine.is_some();
                out.auto_increment = asked.auto_increment.or(out.auto_increment);
                if let Some(comment) = &asked.comment {
                    out.comment.clone_from(comment);
                }
                if asked.row_format.is_some() {
                    out.row_format.clone_from(&asked.row_format);
                }
            }
            AlterAction::Convert { charset, collation } => {
                let to = ddl::collation(charset.as_deref(), collation.as_deref(), schema_default)?;
                (out.collation, out.convert) = (to, Some(to));
            }
            AlterAction::Force => out.force = true,
            AlterAction::Copy => (out.force, out.copy) = (true, true),
            _ => {}
        }
    }
    Ok(out)
}

fn unknown_column(name: &str, table: &TableDef) -> SqlError {
    SqlError::new(1054, format!("Unknown column '{name}' in '{}'", table.name))
}

fn cannot_drop(name: &str) -> SqlError {
    SqlError::new(1091, format!("Can't DROP '{name}'; check that column/key exists"))
}

/// The old columns that stay, changed in place.
fn slots<'a>(
    table: &TableDef,
    actions: &'a [AlterAction],
    options: &Options,
    context: &mut Context,
) -> Result<Vec<Slot<'a>>> {
    let mut slots: Vec<Slot<'a>> = Vec::with_capacity(table.columns.len());
    for (i, column) in table.columns.iter().enumerate() {
        slots.push(Slot { column: column.clone(), from: Some(i), written: None, default: None });
    }
    let at = |slots: &[Slot<'a>], name: &str| {
        let old = table.column(name)?;
        slots.iter().position(|s| s.from == Some(old))
    };
    for action in actions {
        match action {
            AlterAction::DropColumn(name) => {
                let found = at(&slots, name).ok_or_else(|| cannot_drop(name))?;
                slots.remove(found);
            }
            AlterAction::ChangeColumn { name, to, .. } => {
                let found = at(&slots, name).ok_or_else(|| unknown_column(name, table))?;
                ddl::check_name(&to.name)?;
                let id = slots[found].column.id;
                slots[found].column = ColumnDef { id, ..ddl::column(to, options.collation, context)? };
                slots[found].written = Some(to);
            }
            AlterAction::RenameColumn { from, to } => {
                let found = at(&slots, from).ok_or_else(|| unknown_column(from, table))?;
                ddl::check_name(to)?;
                slots[found].column.name.clone_from(to);
            }
            AlterAction::ColumnDefault { name, default } => {
                let found = at(&slots, name).ok_or_else(|| unknown_column(name, table))?;
                slots[found].default = Some(default.as_ref());
            }
            _ => {}
        }
    }
    if let Some(to) = options.convert {
        for slot in slots.iter_mut().filter(|s| s.written.is_none()) {
            let ty = &mut slot.column.ty;
            let text = ty.is_character() || matches!(ty.kind, TypeKind::Enum | TypeKind::Set);
            if text && to != Collation::BINARY {
                ty.collation = to;
            }
        }
    }
    Ok(slots)
}

/// New columns and moved ones go where they were asked to, one after the other.
fn place<'a>(
    table: &TableDef,
    actions: &'a [AlterAction],
    slots: &mut Vec<Slot<'a>>,
    options: &Options,
    context: &mut Context,
) -> Result<()> {
    for action in actions {
        let (slot, place) = match action {
            AlterAction::AddColumn(written, place) => {
                ddl::check_name(&written.name)?;
                let column = ddl::column(written, options.collation, context)?;
                (Slot { column, from: None, written: Some(written.as_ref()), default: None }, place)
            }
            AlterAction::ChangeColumn { to, place, .. } if *place != Place::Same => {
                let same = |s: &Slot<'a>| s.written.is_some_and(|w| std::ptr::eq(w, to.as_ref()));
                let Some(at) = slots.iter().position(same) else { continue };
                (slots.remove(at), place)
            }
            _ => continue,
        };
        let at = match place {
            Place::Same => slots.len(),
            Place::First => 0,
            Place::After(name) => {
                let found = slots.iter().position(|s| s.column.name.eq_ignore_ascii_case(name));
                found.ok_or_else(|| unknown_column(name, table))? + 1
            }
        };
        slots.insert(at, slot);
    }
    Ok(())
}

/// The old keys that stay, then what columns and clauses ask for; every name is told.
fn wanted_keys(table: &TableDef, actions: &[AlterAction], slots: &[Slot<'_>]) -> Result<Vec<ast::IndexDef>> {
    let mut dropped = vec![false; table.indexes.len()];
    let mut names: Vec<String> = table.indexes.iter().map(|i| i.name.clone()).collect();
    for action in actions {
        match action {
            AlterAction::DropPrimaryKey if table.hidden_key() => return Err(cannot_drop("PRIMARY")),
            AlterAction::DropPrimaryKey => dropped[0] = true,
            AlterAction::DropIndex(name) => {
                let found = table.index(name).filter(|i| *i != 0).ok_or_else(|| cannot_drop(name))?;
                dropped[found] = true;
            }
            AlterAction::RenameIndex { from, to } => {
                let missing =
                    || SqlError::new(1176, format!("Key '{from}' doesn't exist in table '{}'", table.name));
                let found = table.index(from).filter(|i| *i != 0 && !dropped[*i]).ok_or_else(missing)?;
                names[found].clone_from(to);
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    for (i, index) in table.indexes.iter().enumerate() {
        let hidden = i == 0 && table.hidden_key();
        if !dropped[i] && !hidden {
            out.extend(kept(index, i == 0, names[i].clone(), slots));
        }
    }
    let on_columns = slots.iter().filter_map(|s| s.written).flat_map(column_keys);
    let added = actions.iter().filter_map(|a| match a {
        AlterAction::AddIndex(index) => Some(index.clone()),
        _ => None,
    });
    for mut index in on_columns.chain(added) {
        if index.kind != IndexKind::Primary && index.name.is_none() {
            let taken: Vec<&str> = out.iter().filter_map(|i: &ast::IndexDef| i.name.as_deref()).collect();
            index.name = Some(keys::index_name(&index, &taken)?);
        }
        out.push(index);
    }
    Ok(out)
}

/// An old key over the new columns; `None` when none of its columns is left.
fn kept(index: &IndexDef, primary: bool, name: String, slots: &[Slot<'_>]) -> Option<ast::IndexDef> {
    let mut parts = Vec::new();
    for part in &index.parts {
        let Some(slot) = slots.iter().find(|s| s.from == Some(part.column)) else { continue };
        let ty = &slot.column.ty;
        let string = ty.is_character() || ty.is_binary();
        let prefix = part.prefix_chars.filter(|n| string && (ty.is_lob() || *n < ty.length));
        parts.push(ast::KeyPart { column: slot.column.name.clone(), prefix, desc: part.descending });
    }
    let kind = match (primary, index.unique) {
        (true, _) => IndexKind::Primary,
        (false, true) => IndexKind::Unique,
        (false, false) => IndexKind::Plain,
    };
    let name = if primary { None } else { Some(name) };
    (!parts.is_empty()).then(|| ast::IndexDef { kind, name, parts, comment: index.comment.clone() })
}

/// Whether the rows and entries of the old table are those of the new one.
fn same_rows(table: &TableDef, new: &NewTable, from: &[Option<usize>]) -> bool {
    let columns = from.len() == table.columns.len()
        && from.iter().enumerate().all(|(i, f)| *f == Some(i))
        && table.columns.iter().zip(&new.columns).all(|(a, b)| a.ty == b.ty && a.nullable == b.nullable);
    let index = |(a, b): (&IndexDef, &NewIndex)| a.parts == b.parts && a.unique == b.unique;
    columns
        && table.indexes[0].parts == new.primary
        && table.indexes.len() == 1 + new.indexes.len()
        && table.indexes[1..].iter().zip(&new.indexes).all(index)
}

/// Whether a new row format will do: columns come, go and move, but none that stays changes its type, and no key its columns.
pub(crate) fn is_instant(table: &TableDef, target: &Target) -> bool {
    let (new, from) = (&target.new, &target.from);
    let column = |(column, from): (&ColumnDef, &Option<usize>)| match *from {
        Some(f) => {
            let was = &table.columns[f];
            (was.ty, was.nullable, &was.generated) == (column.ty, column.nullable, &column.generated)
                && was.auto_increment == column.auto_increment
        }
        None => {
            let computed = matches!(column.default, Some(engine::ColumnDefault::Expression(_)));
            let zero = column.default.is_none() && !column.nullable && column.ty.is_temporal();
            column.generated.is_none() && !column.auto_increment && !computed && !zero
        }
    };
    let parts = |was: &[engine::IndexPart], now: &[engine::IndexPart]| {
        was.len() == now.len()
            && was.iter().zip(now).all(|(a, b)| {
                from[b.column] == Some(a.column)
                    && (a.descending, a.prefix_chars) == (b.descending, b.prefix_chars)
            })
    };
    let index = |(a, b): (&IndexDef, &NewIndex)| parts(&a.parts, &b.parts) && a.unique == b.unique;
    let same_place = (new.schema.as_str(), new.name.as_str()) == (&*table.schema_name, &*table.name);
    !target.force
        && same_place
        && new.columns.iter().zip(from).all(column)
        && parts(&table.indexes[0].parts, &new.primary)
        && table.indexes.len() == 1 + new.indexes.len()
        && table.indexes[1..].iter().zip(&new.indexes).all(index)
        && table.may_add_instantly(from.iter().filter(|f| f.is_none()).count())
}

/// Whether MySQL has no way but its copy, which tells how many rows there were (manual, "Online DDL Operations").
fn reported(table: &TableDef, new: &NewTable, from: &[Option<usize>]) -> bool {
    let copied = |(column, from): (&ColumnDef, &Option<usize>)| {
        let Some(i) = *from else {
            return matches!(column.default, Some(engine::ColumnDefault::Expression(_)));
        };
        let keyed = table.indexes.iter().any(|index| index.parts.iter().any(|p| p.column == i));
        !in_place(&table.columns[i].ty, &column.ty, keyed)
    };
    new.columns.iter().zip(from).any(copied) || (!table.hidden_key() && new.primary.is_empty())
}

/// A type that MySQL changes without a copy: the same one, a longer VARCHAR whose length takes as many bytes, another collation of the same
/// character set where no key has the column.
fn in_place(old: &ColumnType, new: &ColumnType, keyed: bool) -> bool {
    let wide = |ty: &ColumnType| u64::from(ty.length) * ty.collation.bytes_per_char() > 255;
    let mut old = *old;
    if !keyed && old.collation.charset() == new.collation.charset() {
        old.collation = new.collation;
    }
    let longer = matches!(new.kind, TypeKind::VarChar | TypeKind::VarBinary)
        && ColumnType { length: new.length, ..old } == *new
        && new.length >= old.length
        && wide(&old) == wide(new);
    old == *new || longer
}
