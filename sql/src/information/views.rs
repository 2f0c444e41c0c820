//! Views in information_schema.

use super::CATALOG;
use crate::view::Record;
use values::Value;

/// The views of a schema that can be read.
pub(super) async fn views(dictionary: &engine::Dictionary, schema: &str) -> Vec<(String, Record)> {
    let all = dictionary.views(schema).await.unwrap_or_default();
    all.into_iter().filter_map(|(name, bytes)| Some((name, Record::decode(&bytes).ok()?))).collect()
}

/// Its line in TABLES.
pub(super) fn view_as_table(schema: &str, name: &str) -> Vec<Value> {
    let mut row: Vec<Value> = [CATALOG, schema, name, "VIEW"].into_iter().map(Value::text).collect();
    row.resize(20, Value::Null);
    row.push(Value::text("VIEW"));
    row
}

/// Its line in VIEWS.
pub(super) fn view_row(schema: &str, name: &str, view: &Record) -> Vec<Value> {
    let definer = format!("{}@{}", view.user, view.host);
    let cells = [
        CATALOG,
        schema,
        name,
        &view.query,
        view.check_name(),
        if view.updatable { "YES" } else { "NO" },
        &definer,
        if view.invoker { "INVOKER" } else { "DEFINER" },
        &view.charset,
        &view.collation,
    ];
    cells.into_iter().map(Value::text).collect()
}
