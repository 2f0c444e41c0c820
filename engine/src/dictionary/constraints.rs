//! What a table's rows must fulfil besides types and unique keys: CHECK constraints, generated columns, foreign keys.
//!
//! The first two are text here: `sql` parses and computes them, the dictionary keeps them.
//!
//! A foreign key belongs to its child table and names its parent by schema, table and columns, as MySQL does: with `foreign_key_checks` off the
//! parent may come later. Who refers to a table is kept in a dictionary table of its own (`Sys::References`), keyed by the parent's name.

use crate::dictionary::schema::{IndexPart, TableDef};
use std::fmt::Write;

/// How a generated column gets its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// The expression, as SQL text without the parentheses around it.
    pub text: String,
    /// STORED; else VIRTUAL.
    pub stored: bool,
}

/// A CHECK constraint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its name, unique in the schema.
    pub name: String,
    /// The condition, as SQL text without the parentheses around it.
    pub text: String,
    /// ENFORCED; else it is only shown.
    pub enforced: bool,
}

/// What becomes of child rows when their parent goes or changes its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForeignKeyAction {
    /// Refused with 1451. Not written in SHOW CREATE TABLE.
    #[default]
    NoAction,
    /// The same, written.
    Restrict,
    /// They go or change, too.
    Cascade,
    /// Their columns become NULL.
    SetNull,
}

impl ForeignKeyAction {
    /// As in SQL.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
        }
    }

    /// The number stored.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn of_number(number: u8) -> Option<ForeignKeyAction> {
        [Self::NoAction, Self::Restrict, Self::Cascade, Self::SetNull]
            .into_iter()
            .find(|a| *a as u8 == number)
    }
}

/// A foreign key of a child table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignKey {
    /// Its name, unique in the schema.
    pub name: String,
    /// Positions in the child's columns.
    pub columns: Vec<usize>,
    /// The parent's schema.
    pub parent_schema: String,
    /// The parent's name.
    pub parent: String,
    /// The parent's columns, as many: a unique key of it, in its order.
    pub parent_columns: Vec<String>,
    /// ON DELETE.
    pub on_delete: ForeignKeyAction,
    /// ON UPDATE.
    pub on_update: ForeignKeyAction,
}

/// A foreign key that refers to a table, as the parent knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The child's schema.
    pub schema: String,
    /// The child's name.
    pub table: String,
    /// The foreign key's name.
    pub name: String,
}

fn quoted(out: &mut String, name: &str) {
    let _ = write!(out, "`{}`", name.replace('`', "``"));
}

impl ForeignKey {
    /// The clause as SHOW CREATE TABLE and error messages have it. The parent's schema is named where it is not the child's.
    #[must_use]
    pub fn clause(&self, child: &TableDef) -> String {
        let mut out = String::from("CONSTRAINT ");
        quoted(&mut out, &self.name);
        out.push_str(" FOREIGN KEY (");
        let list = |out: &mut String, names: &mut dyn Iterator<Item = &str>| {
            for (i, name) in names.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                quoted(out, name);
            }
        };
        list(&mut out, &mut self.columns.iter().map(|c| child.columns[*c].name.as_str()));
        out.push_str(") REFERENCES ");
        if self.parent_schema != child.schema_name {
            quoted(&mut out, &self.parent_schema);
            out.push('.');
        }
        quoted(&mut out, &self.parent);
        out.push_str(" (");
        list(&mut out, &mut self.parent_columns.iter().map(String::as_str));
        out.push(')');
        for (when, action) in [("DELETE", self.on_delete), ("UPDATE", self.on_update)] {
            if action != ForeignKeyAction::NoAction {
                let _ = write!(out, " ON {when} {}", action.words());
            }
        }
        out
    }

    /// As in the messages of 1451 and 1452: the child and the clause.
    pub(crate) fn described(&self, child: &TableDef) -> String {
        let mut out = String::new();
        quoted(&mut out, &child.schema_name);
        out.push('.');
        quoted(&mut out, &child.name);
        let _ = write!(out, ", {}", self.clause(child));
        out
    }

    /// Whether this refers to a table.
    pub(crate) fn refers_to(&self, table: &TableDef) -> bool {
        self.parent == table.name && self.parent_schema == table.schema_name
    }

    /// The positions of the columns it refers to; `None` when the parent lacks one.
    pub(crate) fn parent_positions(&self, parent: &TableDef) -> Option<Vec<usize>> {
        self.parent_columns.iter().map(|name| parent.column(name)).collect()
    }

    /// The parent's unique index over exactly these columns.
    #[must_use]
    pub fn parent_index(&self, parent: &TableDef) -> Option<usize> {
        let columns = self.parent_positions(parent)?;
        (0..parent.indexes.len())
            .find(|no| parent.indexes[*no].unique && covers(&parent.indexes[*no].parts, &columns, true))
    }

    /// An index of the child that begins with its columns.
    pub(crate) fn child_index(&self, child: &TableDef) -> Option<usize> {
        (0..child.indexes.len()).find(|no| covers(&child.indexes[*no].parts, &self.columns, false))
    }
}

/// Whether an index begins with these columns, in this order and whole; or has exactly these.
fn covers(parts: &[IndexPart], columns: &[usize], exactly: bool) -> bool {
    (parts.len() == columns.len() || (!exactly && parts.len() > columns.len()))
        && parts
            .iter()
            .zip(columns)
            .all(|(part, column)| part.column == *column && part.prefix_chars.is_none())
}

/// Whether an index over `parts` serves a foreign key over `columns` of the child.
#[must_use]
pub fn serves_foreign_key(parts: &[IndexPart], columns: &[usize]) -> bool {
    covers(parts, columns, false)
}
