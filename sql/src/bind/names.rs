//! The columns that names may mean: those of the tables of one FROM, numbered through.
//!
//! ```text
//!   FROM a JOIN b USING (k) ...     a: columns 0..3    b: columns 3..5      visible: a.k, a.x, a.y, b.z     (b.k is hidden behind a.k)
//! ```
//! 1. A column's number is its table's `base` plus its position in the table; executors know only numbers.
//! 2. An unqualified name means the visible column of that name: none is 1054, two are 1052.
//! 3. A view that is merged into the query is no table of it: its columns are expressions over the tables that it reads, which nobody else
//!    can name. Such a column has a number from [`MERGED`] on until it is looked up; no expression holds one.

use super::view::View;
use crate::account::privilege::Privileges;
use crate::api::ColumnMeta;
use crate::ast::ColumnName;
use crate::error::{Result, SqlError};
use crate::expr::ty::derivation;
use crate::expr::{Node, Ty, Typed};
use engine::TableDef;
use std::sync::Arc;

/// A table of a FROM, and what it is called there.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) table: Arc<TableDef>,
    pub(crate) alias: Arc<str>,
    /// The number of its first column.
    pub(crate) base: usize,
    /// An outer join may put NULLs in place of its rows.
    pub(crate) nullable: bool,
    /// Types and metadata of the columns of a derived table.
    pub(crate) made: Option<Made>,
    /// It belongs to a merged view: only that view's own text can name it.
    pub(crate) hidden: bool,
    /// What the definer of the view that reads it may do with it.
    pub(crate) held: Option<Privileges>,
}

/// Numbers of columns of merged views: this, the view's id, 16 bits of column.
const MERGED: usize = 1 << 40;

/// A view whose SELECT became part of the query around it.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    pub(crate) id: usize,
    pub(crate) alias: Arc<str>,
    pub(crate) view: Arc<View>,
    /// Its columns, over those of the tables.
    pub(crate) columns: Vec<(String, Typed)>,
    /// The tables that it reads, by their positions.
    pub(crate) tables: std::ops::Range<usize>,
    /// It belongs to another merged view.
    pub(crate) hidden: bool,
}

impl Merged {
    /// The number of its column `position`.
    pub(crate) fn number(&self, position: usize) -> usize {
        MERGED | self.id << 16 | position
    }

    fn is_called(&self, name: &ColumnName) -> bool {
        !self.hidden
            && name.table.as_deref().is_none_or(|t| t == &*self.alias)
            && name.schema.as_deref().is_none_or(|s| s == self.view.schema)
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(n, _)| n.eq_ignore_ascii_case(name))
    }
}

/// What a derived table's columns are.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) tys: Arc<[Ty]>,
    pub(crate) columns: Arc<[ColumnMeta]>,
}

impl Scope {
    /// A table alone.
    pub(crate) fn of(table: Arc<TableDef>, alias: Arc<str>) -> Scope {
        Scope { table, alias, base: 0, nullable: false, made: None, hidden: false, held: None }
    }

    fn is_called(&self, name: &ColumnName) -> bool {
        !self.hidden
            && name.table.as_deref().is_none_or(|t| t == &*self.alias)
            && name.schema.as_deref().is_none_or(|s| s == self.table.schema_name)
    }

    /// Its column `position` as an expression.
    pub(crate) fn column(&self, position: usize) -> Typed {
        let column = &self.table.columns[position];
        let ty = match &self.made {
            Some(made) => made.tys[position],
            None => Ty::of(column.ty, column.nullable),
        };
        let ty = ty.or_null(ty.nullable || self.nullable).with_derivation(derivation::IMPLICIT);
        Typed::new(Node::Column(self.base + position), ty)
    }
}

/// All tables of a FROM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) tables: Vec<Scope>,
    /// What `*` means, in order.
    pub(crate) visible: Vec<usize>,
    pub(crate) merged: Vec<Merged>,
}

/// What a column is called in full: schema, table or alias, column; and whether the table has an alias.
pub(crate) struct Described<'a> {
    pub(crate) schema: &'a str,
    pub(crate) table: &'a str,
    pub(crate) aliased: bool,
    pub(crate) column: &'a str,
}

impl Names {
    /// One table.
    pub(crate) fn one(scope: Scope) -> Names {
        let visible = (0..scope.table.columns.len()).collect();
        Names { tables: vec![scope], visible, merged: Vec::new() }
    }

    /// The number of columns.
    pub(crate) fn width(&self) -> usize {
        self.tables.last().map_or(0, |t| t.base + t.table.columns.len())
    }

    /// The table that holds column `number`, and its position there.
    pub(crate) fn locate(&self, number: usize) -> (&Scope, usize) {
        let at = self.tables.partition_point(|t| t.base <= number) - 1;
        (&self.tables[at], number - self.tables[at].base)
    }

    /// The position of that table.
    pub(crate) fn table_of(&self, number: usize) -> usize {
        self.tables.partition_point(|t| t.base <= number) - 1
    }

    /// The merged view that column `number` is of, and its position there.
    pub(crate) fn of_view(&self, number: usize) -> Option<(&Merged, usize)> {
        if number < MERGED {
            return None;
        }
        let id = (number ^ MERGED) >> 16;
        let merged =
            self.merged.iter().find(|m| m.id == id).expect("invariant: numbers are of views in sight");
        Some((merged, number & 0xFFFF))
    }

    pub(crate) fn column(&self, number: usize) -> Typed {
        if let Some((merged, position)) = self.of_view(number) {
            let column = &merged.columns[position].1;
            return match column.node {
                // The tables may have become those of an outer join since.
                Node::Column(number) => self.column(number),
                _ => column.clone(),
            };
        }
        let (scope, position) = self.locate(number);
        scope.column(position)
    }

    /// What column `number` is called.
    pub(crate) fn described(&self, number: usize) -> Described<'_> {
        if let Some((merged, position)) = self.of_view(number) {
            return Described {
                schema: &merged.view.schema,
                table: &merged.alias,
                aliased: *merged.alias != *merged.view.name,
                column: &merged.columns[position].0,
            };
        }
        let (scope, position) = self.locate(number);
        Described {
            schema: &scope.table.schema_name,
            table: &scope.alias,
            aliased: *scope.alias != *scope.table.name,
            column: &scope.table.columns[position].name,
        }
    }

    pub(crate) fn name_of(&self, number: usize) -> &str {
        if let Some((merged, position)) = self.of_view(number) {
            return &merged.columns[position].0;
        }
        let (scope, position) = self.locate(number);
        &scope.table.columns[position].name
    }

    /// The number of the column that `name` means; 1052 if it may mean two.
    pub(crate) fn find(&self, name: &ColumnName, place: &str) -> Result<Option<usize>> {
        let mut found = None;
        let ambiguous = || {
            let shown = super::display(name);
            Err(SqlError::new(1052, format!("Column '{shown}' in {place} is ambiguous")))
        };
        if name.table.is_some() {
            for scope in self.tables.iter().filter(|s| s.is_called(name)) {
                if let Some(position) = scope.table.column(&name.name) {
                    if found.is_some() {
                        return ambiguous();
                    }
                    found = Some(scope.base + position);
                }
            }
            for merged in self.merged.iter().filter(|m| m.is_called(name)) {
                if let Some(position) = merged.column(&name.name) {
                    if found.is_some() {
                        return ambiguous();
                    }
                    found = Some(merged.number(position));
                }
            }
            return Ok(found);
        }
        if let ([only], true) = (&self.tables[..], self.merged.is_empty()) {
            return Ok(only.table.column(&name.name).map(|position| only.base + position));
        }
        for &number in &self.visible {
            if self.name_of(number).eq_ignore_ascii_case(&name.name) {
                if found.is_some() {
                    return ambiguous();
                }
                found = Some(number);
            }
        }
        Ok(found)
    }
}
