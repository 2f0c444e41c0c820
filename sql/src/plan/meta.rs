//! Column metadata as MySQL sends it: type number, length in the client's bytes, flags, decimals.

use super::Group;
use crate::api::{ColumnMeta, flag};
use crate::ast::AggKind;
use crate::bind::{Names, Scope};
use crate::expr::ty::Class;
use crate::expr::{Node, Ty, Typed};
use crate::session::context::Context;
use crate::variable::Charset;
use engine::{ColumnDefault, TableDef};
use std::borrow::Cow;
use std::sync::Arc;
use values::collation::CharSet;
use values::{Collation, ColumnType, TypeKind};

/// Decimals of a value that has no fixed number of them.
const NOT_FIXED: u8 = 31;
/// The protocol's type numbers of computed text beyond 65,535 and 16,777,215 bytes.
const MEDIUM_BLOB: u8 = 250;
const LONG_BLOB: u8 = 251;

/// The protocol's type number.
pub(crate) fn type_code(ty: &ColumnType) -> u8 {
    use TypeKind::*;
    match ty.kind {
        TinyInt => 1,
        SmallInt => 2,
        Int => 3,
        Float => 4,
        Double => 5,
        Timestamp => 7,
        BigInt => 8,
        MediumInt => 9,
        Date => 10,
        Time => 11,
        DateTime => 12,
        Year => 13,
        Decimal => 246,
        TinyText | Text | MediumText | LongText | TinyBlob | Blob | MediumBlob | LongBlob => 252,
        VarChar | VarBinary => 253,
        Char | Binary | Enum | Set => 254,
        Bit => 16,
        Json => 245,
    }
}

/// Metadata of an item of a select list called `name`.
pub(crate) fn of_item(item: &Typed, name: &str, names: &Names, context: &Context) -> ColumnMeta {
    let mut meta = of_type(&item.ty, name, context);
    match &item.node {
        Node::Column(number) => {
            let (scope, position) = names.locate(*number);
            match &scope.made {
                Some(made) => {
                    meta = ColumnMeta { name: meta.name, ..made.columns[position].clone() };
                    if scope.nullable {
                        meta.flags &= !flag::NOT_NULL;
                    }
                }
                None => of_column(&mut meta, scope, position),
            }
        }
        // System variables are utf8mb3 inside: what fits 65,535 of its bytes is no long text.
        Node::SysVar { .. } if item.ty.is_text() => meta.decimals = NOT_FIXED,
        _ => of_computed(&mut meta, &item.ty),
    }
    meta
}

/// Metadata of a column `name` of the derived table `alias`, whose query calls it as `inner` says. A simple one is merged into the query
/// around it, by MySQL, so its columns keep their keys.
pub(crate) fn of_derived(
    ty: &Ty,
    name: &str,
    alias: &str,
    inner: &ColumnMeta,
    (merged, narrow): (bool, bool),
    context: &Context,
) -> ColumnMeta {
    let mut meta = of_type(ty, name, context);
    of_computed(&mut meta, ty);
    let number = matches!(ty.class(), Class::Int | Class::Decimal | Class::Real);
    if number {
        meta.flags &= !flag::BINARY;
    }
    meta.flags |= inner.flags & (flag::BLOB | flag::ZEROFILL);
    meta.type_code = if inner.type_code == 6 { type_code(&ty.col) } else { inner.type_code };
    // A temporary table keeps short numbers in four bytes.
    if narrow
        && inner.org_name.is_empty()
        && inner.org_table.is_empty()
        && ty.class() == Class::Int
        && meta.type_code == 8
        && ty.width <= 9
    {
        meta.type_code = 3;
    }
    if !inner.org_table.is_empty() {
        let dropped = if merged { 0 } else { KEYS };
        meta.flags = inner.flags & !dropped;
        if !ty.nullable {
            meta.flags |= flag::NOT_NULL;
        }
    }
    if meta.decimals == NOT_FIXED && ty.is_text() {
        meta.decimals = 0;
    }
    meta.schema = inner.schema.clone();
    meta.org_table = inner.org_table.clone();
    meta.table = Arc::from(alias);
    meta.org_name = Arc::from(name);
    meta
}

/// The same column under another alias of its table.
pub(crate) fn called(column: &ColumnMeta, alias: &Arc<str>) -> ColumnMeta {
    ColumnMeta { table: alias.clone(), ..column.clone() }
}

/// Metadata of the column `own` of a merged view.
pub(crate) fn of_view(meta: ColumnMeta, item: &Typed, merged: &crate::bind::Merged, own: &str) -> ColumnMeta {
    let stored = matches!(item.node, Node::Column(_));
    ColumnMeta {
        schema: Arc::from(if stored { merged.view.schema.as_str() } else { "" }),
        table: merged.alias.clone(),
        org_table: Arc::from(merged.view.name.as_str()),
        org_name: Arc::from(own),
        ..meta
    }
}

/// Metadata of an item that MySQL computes from what the rest of the query left.
pub(crate) fn of_value(ty: &Ty, name: &str, context: &Context) -> ColumnMeta {
    let mut meta = of_type(ty, name, context);
    of_computed(&mut meta, ty);
    meta
}

/// Metadata of a column of a set operation.
pub(crate) fn of_united(ty: &Ty, name: &str, context: &Context) -> ColumnMeta {
    let mut meta = of_value(ty, name, context);
    if matches!(ty.class(), Class::Int | Class::Decimal | Class::Real) {
        meta.flags &= !flag::BINARY;
    }
    if meta.decimals == NOT_FIXED && ty.is_text() {
        meta.decimals = 0;
    }
    meta.org_name = meta.name.clone();
    meta
}

const KEYS: u16 =
    flag::PRI_KEY | flag::UNIQUE_KEY | flag::MULTIPLE_KEY | flag::PART_KEY | flag::AUTO_INCREMENT;

/// A result that passes a temporary table (ORDER BY over a join, window functions): keys are lost, values are called by their names.
pub(crate) fn sorted_aside(meta: &mut ColumnMeta, item: &Typed, window: bool) {
    meta.flags &= !KEYS;
    if matches!(item.node, Node::Column(_)) {
        return;
    }
    if matches!(item.ty.class(), Class::Int | Class::Decimal | Class::Real) {
        meta.flags &= !flag::BINARY;
    }
    if window && item.ty.class() == Class::Int {
        meta.type_code = 8;
    }
    meta.org_name = meta.name.clone();
}

/// What only computed items have: long text under the number of a longer type, hexadecimal literals as numbers.
fn of_computed(meta: &mut ColumnMeta, ty: &Ty) {
    if ty.hex {
        meta.flags |= if ty.col.unsigned { flag::UNSIGNED } else { 0 };
        return;
    }
    if !ty.is_text() || ty.null {
        return;
    }
    meta.decimals = NOT_FIXED;
    meta.flags &= !flag::BLOB;
    if matches!(ty.col.kind, TypeKind::LongText | TypeKind::LongBlob) {
        meta.type_code = LONG_BLOB;
    }
    if meta.type_code == type_code(&ColumnType::new(TypeKind::VarChar)) {
        meta.type_code = match meta.length {
            0..=65_535 => meta.type_code,
            65_536..=16_777_215 => MEDIUM_BLOB,
            _ => LONG_BLOB,
        };
    }
}

/// MySQL groups in a temporary table unless an index delivers the groups in order; what comes out of it are that table's columns:
/// they have lost their keys, numbers are not BINARY, and an expression is called by its alias.
pub(crate) fn through_temporary(meta: &mut ColumnMeta, item: &Typed, group: &Group, names: &Names) {
    meta.flags &= !KEYS;
    let number = matches!(item.ty.class(), Class::Int | Class::Decimal | Class::Real);
    if number && !kept_as_state(item, group) {
        meta.flags &= !flag::BINARY;
    }
    match &item.node {
        Node::Column(_) => {}
        Node::Agg(at) if *at < group.aggregates.len() => {
            let aggregate = &group.aggregates[*at];
            let of_column = match aggregate.args.first().map(|a| &a.node) {
                Some(Node::Column(number)) => {
                    let (scope, position) = names.locate(*number);
                    Some(&scope.table.columns[position])
                }
                _ => None,
            };
            let copies = matches!(aggregate.source.kind, AggKind::Min | AggKind::Max);
            if copies && of_column.is_some_and(|c| !c.nullable && c.default.is_none()) {
                meta.flags |= flag::NO_DEFAULT_VALUE;
            }
        }
        _ => meta.org_name = meta.name.clone(),
    }
}

/// Aggregates whose groups MySQL keeps in the table as the state of a computation: their values are computed from it, not read.
fn kept_as_state(item: &Typed, group: &Group) -> bool {
    use AggKind::{Avg, BitAnd, BitOr, BitXor, StddevPop, StddevSamp, VarPop, VarSamp};
    let Node::Agg(at) = &item.node else { return false };
    group.aggregates.get(*at).is_some_and(|aggregate| {
        matches!(
            aggregate.source.kind,
            Avg | BitAnd | BitOr | BitXor | StddevPop | StddevSamp | VarPop | VarSamp
        )
    })
}

/// Does MySQL make a temporary table for the groups?
pub(crate) fn groups_in_a_table(group: &Group, order: &[(Typed, bool)], names: &Names) -> bool {
    let grouped = !group.rollup && !group.keys.is_empty();
    grouped && !groups_by_index(group, order, names) && !wants_sorted_rows(group)
}

/// Aggregates that want the rows of a group together: MySQL sorts the rows then, and no table is made.
fn wants_sorted_rows(group: &Group) -> bool {
    group.aggregates.iter().any(|aggregate| {
        let once = matches!(aggregate.source.kind, AggKind::Min | AggKind::Max);
        (aggregate.source.distinct && !once) || aggregate.source.kind == AggKind::GroupConcat
    })
}

/// Do the groups come in an index's order, and the result in the groups'?
fn groups_by_index(group: &Group, order: &[(Typed, bool)], names: &Names) -> bool {
    let columns: Option<Vec<usize>> = group
        .keys
        .iter()
        .map(|key| match key.node {
            Node::Column(column) => Some(column),
            _ => None,
        })
        .collect();
    let (Some(columns), [scope]) = (columns, &names.tables[..]) else { return false };
    let led = scope.table.indexes.iter().any(|index| {
        index.parts.len() >= columns.len()
            && index.parts.iter().zip(&columns).all(|(part, column)| part.column == *column)
    });
    let ordered =
        order.iter().zip(&group.keys).all(|((expr, _), key)| expr == key) && order.len() <= group.keys.len();
    led && ordered
}

/// Metadata of an expression of this type.
pub(crate) fn of_type(ty: &Ty, name: &str, context: &Context) -> ColumnMeta {
    let json = ty.col.kind == TypeKind::Json;
    let text = ty.is_text() && ty.collation() != Collation::BINARY;
    let collation = match (text, context.settings.results) {
        (true, Some(_)) => context.results_collation,
        (true, None) => ty.collation().id(),
        _ => Collation::BINARY.id(),
    };
    let mut flags = 0;
    if !ty.nullable {
        flags |= flag::NOT_NULL;
    }
    if !text || json || (ty.collation().is_bin() && ty.collation().char_set() != CharSet::Utf8mb4) {
        flags |= flag::BINARY;
    }
    if ty.col.unsigned {
        flags |= flag::UNSIGNED;
    }
    if ty.col.is_lob() {
        flags |= flag::BLOB;
    }
    match ty.col.kind {
        TypeKind::Enum => flags |= flag::ENUM,
        TypeKind::Set => flags |= flag::SET,
        _ => {}
    }
    let per_char = if text { context.settings.results.map_or(4, |c| c.bytes_per_char()) } else { 1 };
    let empty: Arc<str> = Arc::from("");
    ColumnMeta {
        schema: empty.clone(),
        table: empty.clone(),
        org_table: empty.clone(),
        name: Arc::from(name),
        org_name: empty,
        collation,
        length: ty.width.saturating_mul(per_char),
        type_code: if ty.null { 6 } else { type_code(&ty.col) },
        flags,
        decimals: decimals(ty),
        encoded: None,
    }
}

/// Columns for a client whose results are in `charset`: names that are others there than in UTF-8 are encoded.
pub(crate) fn announced(columns: &[ColumnMeta], charset: Option<Charset>) -> Cow<'_, [ColumnMeta]> {
    let names = |c: &ColumnMeta| [&c.schema, &c.table, &c.org_table, &c.name, &c.org_name].map(Arc::clone);
    let Some(charset) = charset.filter(|c| !matches!(c, Charset::Utf8mb4 | Charset::Binary)) else {
        return Cow::Borrowed(columns);
    };
    if columns.iter().all(|c| names(c).iter().all(|name| name.is_ascii())) {
        return Cow::Borrowed(columns);
    }
    let encoded = |c: &ColumnMeta| names(c).map(|name| charset.encode(name.as_bytes()).into_owned());
    Cow::Owned(
        columns.iter().map(|c| ColumnMeta { encoded: Some(Arc::new(encoded(c))), ..c.clone() }).collect(),
    )
}

fn decimals(ty: &Ty) -> u8 {
    match ty.class() {
        Class::Decimal | Class::Time | Class::DateTime => ty.col.scale,
        Class::Real => ty.col.scale.min(NOT_FIXED),
        _ => 0,
    }
}

fn of_column(meta: &mut ColumnMeta, scope: &Scope, position: usize) {
    let table = &scope.table;
    let column = &table.columns[position];
    meta.schema = Arc::from(table.schema_name.as_str());
    meta.table = scope.alias.clone();
    meta.org_table = Arc::from(table.name.as_str());
    meta.org_name = Arc::from(column.name.as_str());
    meta.flags |= key_flags(table, position);
    if column.auto_increment {
        meta.flags |= flag::AUTO_INCREMENT;
    }
    if !column.nullable && column.default.is_none() && !column.auto_increment {
        meta.flags |= flag::NO_DEFAULT_VALUE;
    }
    if column.on_update_now {
        meta.flags |= flag::ON_UPDATE_NOW;
    }
    let stamped =
        column.on_update_now || matches!(column.default, Some(ColumnDefault::CurrentTimestamp { .. }));
    if column.ty.kind == TypeKind::Timestamp && stamped {
        meta.flags |= flag::TIMESTAMP;
    }
    if column.ty.kind == TypeKind::Json {
        // A stored document is bytes, a computed one text.
        meta.collation = Collation::BINARY.id();
        meta.length = u32::MAX;
    }
    let number = column.ty.is_numeric() && column.ty.kind != TypeKind::Year;
    if number {
        meta.flags &= !flag::BINARY; // MySQL: set for expressions only
    }
    if column.ty.kind == TypeKind::Year {
        meta.flags = meta.flags & !flag::BINARY | flag::UNSIGNED | flag::ZEROFILL;
    }
    if column.ty.collation.is_bin() {
        meta.flags |= flag::BINARY;
    }
}

/// PRI_KEY for every part of the primary key, UNIQUE_KEY and MULTIPLE_KEY for leading parts.
fn key_flags(table: &TableDef, position: usize) -> u16 {
    let mut flags = 0;
    for (no, index) in table.indexes.iter().enumerate() {
        if index.parts.iter().any(|p| p.column == position) {
            flags |= flag::PART_KEY;
        }
        if no == 0 && !table.hidden_key() {
            if index.parts.iter().any(|p| p.column == position) {
                flags |= flag::PRI_KEY;
            }
        } else if index.parts.first().is_some_and(|p| p.column == position) {
            let alone = index.unique && index.parts.len() == 1;
            flags |= if alone { flag::UNIQUE_KEY } else { flag::MULTIPLE_KEY };
        }
    }
    flags
}
