//! What a table is: plain data, immutable, shared by `Arc`.
//!
//! A definition is one version of a table. DDL makes another one with a higher `stamp`; a writer that still holds the old one is
//! told so by `EngineError::TableChanged` and resolves the name again.

use crate::dictionary::constraints::{Check, ForeignKey, Generated, Reference};
use crate::dictionary::formats::RowFormats;
use crate::dictionary::runtime::Runtime;
use protocol::page::PageId;
use std::sync::Arc;
use values::{ColumnType, Value};

macro_rules! id {
    ($(#[$m:meta])* $n:ident($t:ty)) => {
        $(#[$m])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $n(pub $t);
        impl std::fmt::Display for $n {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A schema (MySQL's "database"). Ids are never reused.
    SchemaId(u64)
);
id!(
    /// A table. Ids are never reused; TRUNCATE keeps the id and replaces the trees.
    TableId(u64)
);
id!(
    /// An index, which is also the owner id of its tree's pages. Never reused.
    IndexId(u64)
);
id!(
    /// A column within its table; survives renaming and reordering.
    ColumnId(u32)
);

/// A schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaDef {
    /// Its id.
    pub id: SchemaId,
    /// Its name.
    pub name: String,
    /// What CREATE DATABASE said beyond the name (character set and so on), in `sql`'s own words.
    pub options: String,
}

/// The default of a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ColumnDefault {
    /// A constant, already of the column's type.
    Literal(Value),
    /// CURRENT_TIMESTAMP with this many fractional digits.
    CurrentTimestamp {
        /// 0 to 6.
        fsp: u8,
    },
    /// An expression's text; `sql` parses it.
    Expression(String),
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnDef {
    /// Its id.
    pub id: ColumnId,
    /// Its name as written.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// False for NOT NULL and primary key columns.
    pub nullable: bool,
    /// `None`: no DEFAULT clause.
    pub default: Option<ColumnDefault>,
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub on_update_now: bool,
    /// AUTO_INCREMENT.
    pub auto_increment: bool,
    /// COMMENT.
    pub comment: String,
    /// GENERATED ALWAYS AS; kept in the table's header. The engine stores what it is given: whoever writes a row computes it.
    pub generated: Option<Generated>,
}

/// One part of an index key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexPart {
    /// Position in `TableDef::columns`.
    pub column: usize,
    /// DESC.
    pub descending: bool,
    /// `name(10)`: only so many characters (bytes for binary strings) are in the key.
    pub prefix_chars: Option<u32>,
}

/// An index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexDef {
    /// Its id.
    pub id: IndexId,
    /// Its name; the clustered one is `PRIMARY`, or `GEN_CLUST_INDEX` when the table has no primary key.
    pub name: String,
    /// UNIQUE or PRIMARY.
    pub unique: bool,
    /// Its key parts; empty for a hidden row id.
    pub parts: Vec<IndexPart>,
    /// COMMENT.
    pub comment: String,
    /// The root page of its tree; fixed for the tree's life.
    pub root: PageId,
}

impl IndexDef {
    pub(crate) fn from_new(new: &NewIndex, (id, root): (IndexId, PageId)) -> IndexDef {
        IndexDef {
            id,
            name: new.name.clone(),
            unique: new.unique,
            parts: new.parts.clone(),
            comment: new.comment.clone(),
            root,
        }
    }
}

/// A table, one version of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableDef {
    /// Its id.
    pub id: TableId,
    /// Its schema.
    pub schema: SchemaId,
    /// Its schema's name.
    pub schema_name: String,
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnDef>,
    /// Its indexes; `[0]` is the clustered one.
    pub indexes: Vec<IndexDef>,
    /// Version of the row format: rises when columns change. Stored in every row.
    pub version: u16,
    /// Rises with every DDL on this table.
    pub stamp: u64,
    /// The AUTO_INCREMENT column.
    pub auto_increment: Option<usize>,
    /// COMMENT.
    pub comment: String,
    /// Everything else CREATE TABLE said (character set, collation, engine and row format text), in `sql`'s own words.
    pub options: String,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its CHECK constraints; whoever writes a row evaluates them.
    pub checks: Vec<Check>,
    /// Foreign keys that refer to it; one may be gone since.
    pub referenced_by: Vec<Reference>,
    /// Which columns its rows store.
    pub(crate) formats: RowFormats,
    pub(crate) runtime: Runtime,
}

impl TableDef {
    /// A definition without trees, for planning in tests: ids count up from 1.
    #[must_use]
    pub fn detached(new: &NewTable) -> TableDef {
        let mut next = 0;
        let mut id = || {
            next += 1;
            (IndexId(next), PageId(0))
        };
        let mut def = TableDef::from_new(new, TableId(1), SchemaId(1), &mut id);
        def.runtime = Runtime::new(&def, Vec::new(), Arc::default());
        def
    }

    /// A definition from what CREATE TABLE asks for; `id` gives each index its id and root.
    pub(crate) fn from_new(
        new: &NewTable,
        table: TableId,
        schema: SchemaId,
        id: &mut dyn FnMut() -> (IndexId, PageId),
    ) -> TableDef {
        let mut columns = new.columns.clone();
        for (i, column) in columns.iter_mut().enumerate() {
            column.id = ColumnId(i as u32 + 1);
        }
        for part in &new.primary {
            columns[part.column].nullable = false;
        }
        let name = if new.primary.is_empty() { "GEN_CLUST_INDEX" } else { "PRIMARY" };
        let (first, root) = id();
        let mut indexes = vec![IndexDef {
            id: first,
            name: name.to_owned(),
            unique: true,
            parts: new.primary.clone(),
            comment: String::new(),
            root,
        }];
        for index in &new.indexes {
            indexes.push(IndexDef::from_new(index, id()));
        }
        TableDef {
            id: table,
            schema,
            schema_name: new.schema.clone(),
            name: new.name.clone(),
            auto_increment: columns.iter().position(|c| c.auto_increment),
            columns,
            indexes,
            version: 1,
            stamp: 1,
            comment: new.comment.clone(),
            options: new.options.clone(),
            foreign_keys: new.foreign_keys.clone(),
            checks: new.checks.clone(),
            formats: RowFormats::default(),
            referenced_by: Vec::new(),
            runtime: Runtime::default(),
        }
    }

    /// Whether the clustered key is a hidden row id.
    #[must_use]
    pub fn hidden_key(&self) -> bool {
        self.indexes[0].parts.is_empty()
    }

    /// The clustered index.
    #[must_use]
    pub fn clustered(&self) -> &IndexDef {
        &self.indexes[0]
    }

    /// The position of a column by name, ignoring case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The position of an index by name, ignoring case.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indexes.iter().position(|i| i.name.eq_ignore_ascii_case(name))
    }
}

/// What CREATE TABLE asks for; ids and trees are the engine's to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTable {
    /// The schema's name.
    pub schema: String,
    /// The table's name.
    pub name: String,
    /// Its columns (their ids are ignored and given anew, 1, 2, 3, ...).
    pub columns: Vec<ColumnDef>,
    /// PRIMARY KEY; empty: a hidden row id.
    pub primary: Vec<IndexPart>,
    /// All other indexes, in the order SHOW CREATE TABLE shows them.
    pub indexes: Vec<NewIndex>,
    /// AUTO_INCREMENT = n; 0 or 1: starts at 1.
    pub auto_increment_start: u64,
    /// COMMENT.
    pub comment: String,
    /// See [`TableDef::options`].
    pub options: String,
    /// FOREIGN KEY; each must have an index among the above that begins with its columns.
    pub foreign_keys: Vec<ForeignKey>,
    /// CHECK constraints, with names.
    pub checks: Vec<Check>,
}

/// What CREATE INDEX asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewIndex {
    /// Its name.
    pub name: String,
    /// UNIQUE.
    pub unique: bool,
    /// Its parts.
    pub parts: Vec<IndexPart>,
    /// COMMENT.
    pub comment: String,
}
