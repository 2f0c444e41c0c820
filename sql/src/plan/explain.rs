//! EXPLAIN: the plan that would run, in MySQL's columns.

use super::access::Access;
use super::join::{How, JoinPlan, TableSource};
use super::{BodyPlan, Plan, QueryPlan, SelectPlan, Source};
use crate::expr::SubNode;
use crate::plan::condition::Condition;
use crate::show::ShowTable;
use values::{Collation, ColumnType, Decimal, TypeKind, Value};

/// One line of EXPLAIN.
pub(crate) struct Line<'p> {
    id: Option<u64>,
    kind: String,
    table: Option<String>,
    pub(crate) access: Option<&'p Access>,
    /// Ranges depend on the tables before.
    pub(crate) fed: bool,
    /// What is said where there is no access path.
    word: Option<&'static str>,
    pub(crate) rows: f64,
    filtered: bool,
    extra: Vec<&'static str>,
}

impl<'p> Line<'p> {
    fn new(id: u64, kind: &str, table: Option<&str>) -> Line<'p> {
        Line {
            id: Some(id),
            kind: kind.to_owned(),
            table: table.map(str::to_owned),
            access: None,
            fed: false,
            word: None,
            rows: 0.0,
            filtered: false,
            extra: Vec::new(),
        }
    }
}

/// The lines of a plan, in MySQL's order.
pub(crate) fn lines(plan: &Plan) -> Vec<Line<'_>> {
    let mut out = Vec::new();
    match plan {
        Plan::Query(query, _) => {
            let simple = matches!(&query.body, BodyPlan::Select(s) if is_simple(s));
            query_lines(query, if simple { "SIMPLE" } else { "PRIMARY" }, &mut 1, &mut out);
        }
        Plan::Change(change) => {
            let kind = if change.delete { "DELETE" } else { "UPDATE" };
            let mut line = Line::new(1, kind, Some(&change.alias));
            line.access = Some(&change.access);
            if change.access.filter.is_some() || !change.access.parts.is_empty() {
                line.extra.push("Using where");
            }
            if !change.order.is_empty() {
                line.extra.push("Using filesort");
            }
            out.push(line);
        }
        Plan::ChangeJoin(change) => {
            let kind = if change.delete { "DELETE" } else { "UPDATE" };
            join_lines(&change.join, 1, kind, &mut 1, &mut out);
        }
        Plan::Insert(insert) => {
            let kind = if insert.replace { "REPLACE" } else { "INSERT" };
            let mut line = Line::new(1, kind, Some(&insert.table.name));
            line.word = Some("ALL");
            out.push(line);
            if let Some(query) = &insert.select {
                query_lines(query, "SIMPLE", &mut 1, &mut out);
            }
        }
    }
    out
}

fn is_simple(select: &SelectPlan) -> bool {
    let plain = match &select.source {
        Source::Join(join) => join.steps.iter().all(|step| {
            step.subs.is_empty()
                && step.late.subs.is_empty()
                && !matches!(&step.how, How::Buffer(b) if matches!(b.source, TableSource::Derived(_) | TableSource::Cte(_)))
        }),
        _ => true,
    };
    plain && select.subs.is_empty() && select.having.subs.is_empty()
}

fn query_lines<'p>(query: &'p QueryPlan, kind: &str, next: &mut u64, out: &mut Vec<Line<'p>>) {
    match &query.body {
        BodyPlan::Select(select) => select_lines(select, kind, next, out),
        BodyPlan::Set { left, right, op, .. } => {
            let first = *next;
            query_lines(left, kind, next, out);
            *next += 1;
            let second = *next;
            let word = match op {
                crate::ast::SetOp::Union => "UNION",
                crate::ast::SetOp::Intersect => "INTERSECT",
                crate::ast::SetOp::Except => "EXCEPT",
            };
            query_lines(right, word, next, out);
            if !matches!(&query.body, BodyPlan::Set { op: crate::ast::SetOp::Union, all: true, .. }) {
                let mut line = Line::new(
                    0,
                    &format!("{word} RESULT"),
                    Some(&format!("<{}{first},{second}>", word.to_lowercase())),
                );
                line.id = None;
                line.word = Some("ALL");
                line.extra.push("Using temporary");
                out.push(line);
            }
        }
        BodyPlan::Values { .. } => {
            let mut line = Line::new(*next, kind, None);
            line.extra.push("Rows fetched before execution");
            out.push(line);
        }
        BodyPlan::Nested { query, .. } | BodyPlan::Convert { query, .. } => {
            query_lines(query, kind, next, out)
        }
    }
}

fn select_lines<'p>(select: &'p SelectPlan, kind: &str, next: &mut u64, out: &mut Vec<Line<'p>>) {
    let id = *next;
    let first = out.len();
    let mut subs: Vec<&SubNode> = select.subs.iter().chain(&select.having.subs).collect();
    match &select.source {
        Source::One { filter } => {
            let mut line = Line::new(id, kind, None);
            line.extra.push("No tables used");
            out.push(line);
            subs.extend(&filter.subs);
        }
        Source::Table(access) if access.impossible => {
            let mut line = Line::new(id, kind, None);
            line.extra.push("Impossible WHERE");
            out.push(line);
        }
        Source::Table(access) => {
            let mut line = Line::new(id, kind, select.names.tables.first().map(|t| &*t.alias));
            line.access = Some(access);
            access_extra(access, &mut line);
            out.push(line);
        }
        Source::Join(join) => join_lines(join, id, kind, next, out),
    }
    if let Some(line) = out.get_mut(first).filter(|l| l.access.is_some() || l.word.is_some()) {
        if select.group.as_ref().is_some_and(|g| !g.keys.is_empty()) || select.distinct {
            line.extra.push("Using temporary");
        }
        if !select.order.is_empty() {
            line.extra.push("Using filesort");
        }
    }
    sub_lines(&subs, next, out);
}

fn sub_lines<'p>(subs: &[&'p SubNode], next: &mut u64, out: &mut Vec<Line<'p>>) {
    for sub in
        subs.iter().filter(|s| !matches!(s.plan.kind, super::SubKind::Sleep | super::SubKind::NamedLock(_)))
    {
        *next += 1;
        let kind = if sub.plan.reads.is_empty() { "SUBQUERY" } else { "DEPENDENT SUBQUERY" };
        query_lines(&sub.plan.query, kind, next, out);
    }
}

fn access_extra(access: &Access, line: &mut Line<'_>) {
    let ranged = !access.unique_point && !access.parts.is_empty() && join_type(access) == "range";
    line.filtered = access.filter.is_some();
    if access.filter.is_some() || ranged {
        line.extra.push("Using where");
    }
    if access.backward {
        line.extra.push("Backward index scan");
    }
    if access.covering && access.index != 0 {
        line.extra.push("Using index");
    }
}

fn join_lines<'p>(join: &'p JoinPlan, id: u64, kind: &str, next: &mut u64, out: &mut Vec<Line<'p>>) {
    let (mut subs, mut derived): (Vec<&SubNode>, Vec<(u64, &QueryPlan)>) = (Vec::new(), Vec::new());
    subs.extend(&join.first.subs);
    for step in &join.steps {
        let mut line = Line::new(id, kind, Some(&join.tables[step.table].alias));
        line.rows = step.rows;
        match &step.how {
            How::Cursor(access) => {
                line.access = Some(access);
                line.fed = !step.feeds.is_empty();
                access_extra(access, &mut line);
            }
            How::Buffer(buffer) => {
                line.word = Some("ALL");
                if let TableSource::Derived(plan) = &buffer.source {
                    *next += 1;
                    line.table = Some(format!("<derived{next}>"));
                    derived.push((*next, &plan.query));
                }
                if let Some(access) = &buffer.access {
                    line.access = Some(access);
                    access_extra(access, &mut line);
                }
                if buffer.local.is_some() || buffer.residual.is_some() || !buffer.keys.is_empty() {
                    line.filtered = true;
                    if !line.extra.contains(&"Using where") {
                        line.extra.insert(0, "Using where");
                    }
                }
                if !step.feeds.is_empty() || join.steps.len() > 1 && buffer.access.is_some() {
                    line.extra.push("Using join buffer (hash join)");
                }
            }
        }
        if step.late.expr.is_some() && !line.extra.contains(&"Using where") {
            line.extra.insert(0, "Using where");
        }
        subs.extend(step.subs.iter().chain(&step.late.subs));
        out.push(line);
    }
    for nest in &join.nests {
        subs.extend(&nest.after.subs);
    }
    for (number, query) in derived {
        let mut at = number;
        query_lines(query, "DERIVED", &mut at, out);
        *next = (*next).max(at);
    }
    sub_lines(&subs, next, out);
}

/// The result set of EXPLAIN.
pub(crate) fn table(lines: &[Line<'_>]) -> ShowTable {
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
    out.rows = lines.iter().map(row).collect();
    out
}

fn row(line: &Line<'_>) -> Vec<Value> {
    let id = line.id.map_or(Value::Null, Value::UInt);
    let table = line.table.as_deref().map_or(Value::Null, Value::text);
    let extra = line.extra.join("; ");
    if let Some(access) = line.access {
        let mut row = access_row(&line.kind, access, line);
        row[0] = id;
        row[2] = table;
        return row;
    }
    let text = |v: Option<&str>| v.filter(|t| !t.is_empty()).map_or(Value::Null, Value::text);
    let mut row = vec![id, Value::text(&line.kind), table, Value::Null, text(line.word)];
    row.extend(vec![Value::Null; 4]);
    if line.word.is_some() && line.rows > 0.0 {
        row.push(Value::UInt((line.rows as u64).max(1)));
        row.push(Value::Decimal(Decimal::new(if line.filtered { 1000 } else { 10_000 }, 2)));
    } else {
        row.extend([Value::Null, Value::Null]);
    }
    row.push(text(Some(&extra)));
    row
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

fn access_row(kind: &str, access: &Access, line: &Line<'_>) -> Vec<Value> {
    let table = &access.table;
    let join = match join_type(access) {
        "const" if line.fed => "eq_ref",
        other => other,
    };
    let uses_key = join != "ALL";
    let text = |s: String| if s.is_empty() { Value::Null } else { Value::text(&s) };
    let possible: Vec<&str> = access.possible.iter().map(|&i| table.indexes[i].name.as_str()).collect();
    let constants = access.parts.iter().filter(|c| single_value(c)).count();
    let word = if line.fed { "func" } else { "const" };
    let references = if matches!(join, "const" | "ref" | "eq_ref") {
        vec![word; constants].join(",")
    } else {
        String::new()
    };
    let single = matches!(join, "const" | "eq_ref");
    let rows = Value::UInt(if single { 1 } else { (line.rows as u64).max(1) });
    let key_len =
        if access.parts.is_empty() && uses_key { access.key_parts.len() } else { access.parts.len() };
    vec![
        Value::UInt(1),
        Value::text(kind),
        Value::Null,
        Value::Null,
        Value::text(join),
        text(possible.join(",")),
        if uses_key { Value::text(&access.index_def().name) } else { Value::Null },
        if uses_key { Value::text(&key_length(access, key_len).to_string()) } else { Value::Null },
        text(references),
        rows,
        Value::Decimal(Decimal::new(if line.filtered { 3333 } else { 10_000 }, 2)),
        text(line.extra.join("; ")),
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
