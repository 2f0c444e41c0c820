//! The dictionary: schemas, tables, columns, indexes, views and accounts as rows of tables of its own.
//!
//! Those tables are ordinary ones with definitions built into this module (`system`), so DDL is a transaction like any other: undo,
//! rollback and recovery are the rows' own. Only trees are no rows. A tree to be made is entered in `ddl_log` by a transaction of its own
//! before it is made, and taken out by the transaction that makes the table; a tree to be dropped is entered by the transaction that drops
//! the table. So whatever is in `ddl_log` after a crash is a tree nobody refers to, and is dropped.
//!
//! ```text
//!   CREATE   [ddl_log += tree] commit · make tree · [rows of the table, ddl_log -= tree] commit
//!   DROP     [rows of the table gone, ddl_log += trees] commit · readers leave · drop trees · [ddl_log -= trees] commit
//! ```
//!
//! Invariants:
//! 1. One change of the dictionary at a time (`Catalog::ddl`), by somebody who has the metadata locks of all tables concerned for himself
//!    (`lock::metadata`). Long work before it (copies, index builds) needs only its own table, and readers go on.
//! 2. The cache changes in the same breath as the commit (no wait between), so a session that goes away cannot leave it stale; and whoever
//!    loads waits until every DDL so far is durable, so nothing is cached that an older view loaded.
//! 3. Every DDL raises `Catalog::version` after its effect can be seen.

mod accounts;
mod auto_increment;
mod catalog;
mod codec;
mod constraints;
mod ddl;
mod drop;
mod foreign;
pub(crate) mod formats;
mod header;
mod indexes;
mod instant;
mod load;
mod rebuild;
mod rename;
pub(crate) mod runtime;
pub(crate) mod schema;
mod system;
mod trees;
mod views;

pub(crate) use catalog::Catalog;
pub use catalog::{DdlOptions, Dictionary};
pub use constraints::{Check, ForeignKey, ForeignKeyAction, Generated, Reference, serves_foreign_key};
pub use rebuild::RowMap;
pub use schema::{
    ColumnDef, ColumnDefault, ColumnId, IndexDef, IndexId, IndexPart, NewIndex, NewTable, SchemaDef,
    SchemaId, TableDef, TableId,
};
