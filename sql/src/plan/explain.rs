//! EXPLAIN: the plan that would run, in MySQL's columns.

use super::access::Access;
use super::{Plan, SelectPlan, Source};
use crate::plan::condition::Condition;
use crate::show::ShowTable;
use values::{Collation, ColumnType, Decimal, TypeKind, Value};

/// The result set of EXPLAIN; `rows`: about so many will be read.
pub(crate) fn explain(plan: &Plan, rows: u64) -> ShowTable {
    let text = |n| ColumnType::varchar(n, Collation::DEFAULT);
    let mut out = ShowTable::new(&[
        ("id", ColumnType::integer(TypeKind::BigInt, true), false),
        ("select_type", text(19), false),
        ("table", text(64), true),
        ("partitions", text(512), true),
        ("type", text(10), true),
        ("possible_keys", text(4096), true),
        ("key", text(64), true),
        ("key_len", text(4096), true),
        ("ref", text(2048), true),
        ("rows", ColumnType::integer(TypeKind::BigInt, true), true),
        ("filtered", ColumnType::decimal(5, 2, false), true),
        ("Extra", text(255), true),
    ]);
    out.rows.push(match plan {
        Plan::Select(select) => select_row(select, rows),
        Plan::Change(change) => {
            let kind = if change.delete { "DELETE" } else { "UPDATE" };
            let mut extra = Vec::new();
            if change.access.filter.is_some() || !change.access.parts.is_empty() {
                extra.push("Using where");
            }
            if !change.order.is_empty() {
                extra.push("Using filesort");
            }
            access_row(kind, &change.alias, &change.access, &extra, rows)
        }
        Plan::Insert(insert) => {
            let kind = if insert.replace { "REPLACE" } else { "INSERT" };
            plain_row(kind, Some(&insert.table.name), Some("ALL"), None)
        }
    });
    out
}

fn plain_row(kind: &str, table: Option<&str>, access: Option<&str>, extra: Option<&str>) -> Vec<Value> {
    let text = |v: Option<&str>| v.map_or(Value::Null, Value::text);
    let mut row = vec![Value::UInt(1), Value::text(kind), text(table), Value::Null, text(access)];
    row.extend([Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, text(extra)]);
    row
}

fn select_row(select: &SelectPlan, rows: u64) -> Vec<Value> {
    match &select.source {
        Source::One { .. } => plain_row("SIMPLE", None, None, Some("No tables used")),
        Source::Virtual { table, .. } => plain_row("SIMPLE", Some(table.name()), Some("ALL"), None),
        Source::Table(access) => {
            if access.impossible {
                return plain_row("SIMPLE", None, None, Some("Impossible WHERE"));
            }
            let mut extra = Vec::new();
            let ranged = !access.unique_point && !access.parts.is_empty() && join_type(access) == "range";
            if access.filter.is_some() || ranged {
                extra.push("Using where");
            }
            if access.backward {
                extra.push("Backward index scan");
            }
            if access.covering && access.index != 0 {
                extra.push("Using index");
            }
            if select.group.as_ref().is_some_and(|g| !g.keys.is_empty()) || select.distinct {
                extra.push("Using temporary");
            }
            if !select.order.is_empty() {
                extra.push("Using filesort");
            }
            let alias = select.alias.as_deref().unwrap_or_default();
            access_row("SIMPLE", alias, access, &extra, rows)
        }
    }
}

/// MySQL's word for the access path.
pub(crate) fn join_type(access: &Access) -> &'static str {
    if access.unique_point {
        return "const";
    }
    if access.parts.is_empty() {
        return if access.index == 0 && !access.sorted_by_index() { "ALL" } else { "index" };
    }
    if access.parts.iter().all(single_value) { "ref" } else { "range" }
}

fn single_value(condition: &Condition) -> bool {
    use crate::ast::BinaryOp;
    matches!(
        condition,
        Condition::IsNull | Condition::Compare { op: BinaryOp::Eq | BinaryOp::NullSafeEq, .. }
    )
}

fn access_row(kind: &str, alias: &str, access: &Access, extra: &[&str], rows: u64) -> Vec<Value> {
    let table = &access.table;
    let join = join_type(access);
    let uses_key = join != "ALL";
    let text = |s: String| if s.is_empty() { Value::Null } else { Value::text(&s) };
    let possible: Vec<&str> = access.possible.iter().map(|&i| table.indexes[i].name.as_str()).collect();
    let constants = access.parts.iter().filter(|c| single_value(c)).count();
    let references =
        if matches!(join, "const" | "ref") { vec!["const"; constants].join(",") } else { String::new() };
    let rows = Value::UInt(if join == "const" { 1 } else { rows.max(1) });
    let key_len =
        if access.parts.is_empty() && uses_key { access.key_parts.len() } else { access.parts.len() };
    vec![
        Value::UInt(1),
        Value::text(kind),
        Value::text(alias),
        Value::Null,
        Value::text(join),
        text(possible.join(",")),
        if uses_key { Value::text(&access.index_def().name) } else { Value::Null },
        if uses_key { Value::text(&key_length(access, key_len).to_string()) } else { Value::Null },
        text(references),
        rows,
        Value::Decimal(Decimal::new(if access.filter.is_some() { 3333 } else { 10_000 }, 2)),
        text(extra.join("; ")),
    ]
}

/// Bytes of key that are used, by MySQL's count: the column's bytes, 1 for NULL, 2 for a variable length.
fn key_length(access: &Access, parts: usize) -> u64 {
    access.key_parts[..parts]
        .iter()
        .map(|part| {
            let ty = &part.ty;
            let string = ty.is_character() || ty.is_binary();
            let length = match (part.prefix, string) {
                (Some(n), _) => u64::from(n) * ty.collation.bytes_per_char(),
                (None, true) => ty.max_bytes(),
                (None, false) => packed_length(ty),
            };
            let variable = string && !matches!(ty.kind, TypeKind::Char | TypeKind::Binary);
            length + u64::from(part.nullable) + if variable { 2 } else { 0 }
        })
        .sum()
}

/// MySQL's bytes of a fixed type.
fn packed_length(ty: &ColumnType) -> u64 {
    use TypeKind::*;
    let fraction = u64::from(ty.scale).div_ceil(2);
    match ty.kind {
        TinyInt | Year => 1,
        SmallInt => 2,
        MediumInt | Date => 3,
        Int | Float => 4,
        BigInt | Double => 8,
        Time => 3 + fraction,
        DateTime => 5 + fraction,
        Timestamp => 4 + fraction,
        Decimal => {
            const BYTES: [u64; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
            let digits = |n: u64| n / 9 * 4 + BYTES[(n % 9) as usize];
            digits(u64::from(ty.length) - u64::from(ty.scale)) + digits(u64::from(ty.scale))
        }
        _ => 0,
    }
}
