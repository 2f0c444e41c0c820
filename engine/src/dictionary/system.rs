//! The dictionary's own tables (docs/formats/dictionary.md): their definitions are code, their roots stand on the volume page.

use crate::dictionary::runtime::{Runtime, TableShared};
use crate::dictionary::schema::{
    ColumnDef, IndexId, IndexPart, NewIndex, NewTable, SchemaId, TableDef, TableId,
};
use crate::engine::slot_of_volume;
use crate::error::Result;
use btree::{Decision, Space, Tree};
use protocol::page::PageId;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use values::types::TypeKind;
use values::{ColumnType, Value};

/// Ids of user schemas and tables begin here.
pub(crate) const FIRST_USER_ID: u64 = 1000;

/// One of the dictionary's tables; the number is its place in [`Tables`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sys {
    /// name -> id, options.
    Schemas = 0,
    /// schema id, name -> table id, clustered tree, header.
    Tables = 1,
    /// table id, position -> column.
    Columns = 2,
    /// table id, position -> index.
    Indexes = 3,
    /// user, host -> what `sql` keeps of an account.
    Accounts = 4,
    /// tree id -> root: trees nobody refers to.
    DdlLog = 5,
    /// parent's schema and name, child's id, foreign key -> child's schema and name.
    References = 6,
    /// schema's name, name -> what `sql` keeps of a view.
    Views = 7,
}

const NAMES: [&str; 8] =
    ["schemas", "tables", "columns", "indexes", "accounts", "ddl_log", "references", "views"];
/// Trees of all eight: `tables` has a second one, clustered tree -> row.
pub(crate) const TREES: usize = 9;

/// The eight tables.
pub(crate) type Tables = Vec<Arc<TableDef>>;

fn id_column(name: &str) -> (&str, ColumnType) {
    (name, ColumnType::integer(TypeKind::BigInt, true))
}

fn name_column(name: &str) -> (&str, ColumnType) {
    (name, ColumnType::binary(TypeKind::VarBinary, 512))
}

fn blob_column(name: &str) -> (&str, ColumnType) {
    (name, ColumnType::blob(TypeKind::LongBlob))
}

/// Columns and the number of leading ones that are the key.
fn shape(table: usize) -> (Vec<(&'static str, ColumnType)>, usize) {
    match table {
        0 => (vec![name_column("name"), id_column("id"), blob_column("options")], 1),
        1 => {
            let rest = [id_column("id"), id_column("tree"), blob_column("header")];
            ([vec![id_column("schema"), name_column("name")], rest.to_vec()].concat(), 2)
        }
        2 | 3 => (vec![id_column("table"), id_column("position"), blob_column("content")], 2),
        4 => (vec![name_column("user"), name_column("host"), blob_column("content")], 2),
        5 => (vec![id_column("tree"), id_column("root")], 1),
        7 => (vec![name_column("schema"), name_column("name"), blob_column("content")], 2),
        _ => {
            let key = [
                name_column("parent_schema"),
                name_column("parent"),
                id_column("child"),
                name_column("name"),
            ];
            ([key.to_vec(), vec![name_column("schema"), name_column("table")]].concat(), 4)
        }
    }
}

fn new_table(table: usize) -> NewTable {
    let (columns, keys) = shape(table);
    let part = |column| IndexPart { column, descending: false, prefix_chars: None };
    let column = |(name, ty): (&str, ColumnType)| ColumnDef {
        id: Default::default(),
        name: name.to_owned(),
        ty,
        nullable: false,
        default: None,
        on_update_now: false,
        auto_increment: false,
        comment: String::new(),
        generated: None,
    };
    let by_tree =
        NewIndex { name: "tree".to_owned(), unique: true, parts: vec![part(3)], comment: String::new() };
    NewTable {
        schema: "dictionary".to_owned(),
        name: NAMES[table].to_owned(),
        columns: columns.into_iter().map(column).collect(),
        primary: (0..keys).map(part).collect(),
        indexes: if table == Sys::Tables as usize { vec![by_tree] } else { Vec::new() },
        auto_increment_start: 0,
        comment: String::new(),
        options: String::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
    }
}

/// The first tree of a table, counted over all eight.
fn first_tree(table: usize) -> usize {
    table + usize::from(table > Sys::Tables as usize)
}

/// Makes the trees that a volume lacks: an empty one, one of an older format, one whose making was cut short.
pub(crate) async fn format(space: &Arc<Space>) -> Result<()> {
    for slot in (0..TREES).map(|i| slot_of_volume::DICTIONARY + i).chain([slot_of_volume::COUNTERS]) {
        if space.slot(slot)? != 0 {
            continue;
        }
        let plan = space.plan_tree().await?;
        let root = plan.root();
        Tree::create(space, plan).await?;
        space
            .change(&[space.volume_page()], 256, |mtr| {
                space.set_slot(mtr, slot, root.0);
                Decision::Done(())
            })
            .await?;
    }
    Ok(())
}

/// Opens the eight tables.
pub(crate) async fn open(space: &Arc<Space>) -> Result<Tables> {
    let mut tables = Vec::new();
    for table in 0..NAMES.len() {
        let new = new_table(table);
        let mut trees = Vec::new();
        for i in 0..=new.indexes.len() {
            let root = PageId(space.slot(slot_of_volume::DICTIONARY + first_tree(table) + i)?);
            trees.push(Tree::open(space, root).await?);
        }
        let mut ids = trees.iter().map(|t| (IndexId(t.id()), t.root_id())).collect::<Vec<_>>().into_iter();
        let mut id = || ids.next().expect("invariant: one tree per index was opened");
        let mut def = TableDef::from_new(&new, TableId(table as u64 + 1), SchemaId(1), &mut id);
        let shared = TableShared::default();
        shared.stamp.store(def.stamp, Ordering::Release);
        def.runtime = Runtime::new(&def, trees, Arc::new(shared));
        tables.push(Arc::new(def));
    }
    Ok(tables)
}

/// A number as a key or column value.
pub(crate) fn number(v: u64) -> Value {
    Value::UInt(v)
}

/// A name as a key or column value.
pub(crate) fn name(v: &str) -> Value {
    Value::bytes(v.as_bytes())
}
