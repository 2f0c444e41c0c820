//! Expressions as error 1690 quotes them: columns by schema, table and name.

use super::{Binder, Names};
use crate::ast::print::{Style, expression, quoted};
use crate::ast::{ColumnName, Expr};
use crate::expr::Shown;
use std::sync::Arc;

/// More of an expression is not printed: an error's text has 512 bytes.
const LIMIT: usize = 480;

impl Binder<'_> {
    /// What 1690 would print for `expr`.
    pub(super) fn shown(&self, expr: &Expr) -> Shown {
        let column = |name: &ColumnName| self.full_name(name);
        let style = Style { column: &column, table: None, introducer: "", limit: LIMIT };
        Shown(Some(Arc::from(expression(expr, &style))))
    }

    fn full_name(&self, name: &ColumnName) -> String {
        let mut around = Some(self.names);
        let mut parent = self.parent;
        while let Some(names) = around {
            if let Ok(Some(number)) = names.find(name, self.place) {
                return in_full(names, number);
            }
            around = parent.map(|p| p.names());
            parent = parent.and_then(|p| p.around());
        }
        quoted(&name.name)
    }
}

/// `` `schema`.`alias`.`column` ``; a derived table has no schema.
fn in_full(names: &Names, number: usize) -> String {
    if names.of_view(number).is_some() {
        let found = names.described(number);
        return format!("{}.{}.{}", quoted(found.schema), quoted(found.table), quoted(found.column));
    }
    let (scope, position) = names.locate(number);
    let column = quoted(&scope.table.columns[position].name);
    let table = quoted(&scope.alias);
    match scope.made {
        Some(_) => format!("{table}.{column}"),
        None => format!("{}.{table}.{column}", quoted(&scope.table.schema_name)),
    }
}
