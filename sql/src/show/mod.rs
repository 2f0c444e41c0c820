//! SHOW, DESCRIBE and the other statements whose result is made up here: rows of values with plain column types.

pub(crate) mod objects;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod text;

use crate::api::ColumnMeta;
use crate::ast::{Expr, ShowFilter};
use crate::bind::{Binder, Scope};
use crate::error::Result;
use crate::expr::{Eval, Ty, Typed};
use crate::plan::meta;
use crate::session::context::Context;
use std::sync::Arc;
use values::{Collation, ColumnType, Value};

/// A result made of values.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShowTable {
    /// Name, type, nullable.
    pub(crate) columns: Vec<(String, ColumnType, bool)>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl ShowTable {
    pub(crate) fn new(columns: &[(&str, ColumnType, bool)]) -> ShowTable {
        let columns =
            columns.iter().map(|(name, ty, nullable)| ((*name).to_owned(), *ty, *nullable)).collect();
        ShowTable { columns, rows: Vec::new() }
    }

    /// Columns of text of these widths in characters.
    pub(crate) fn texts(columns: &[(&str, u32)]) -> ShowTable {
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, n)| (*name, ColumnType::varchar(*n, Collation::DEFAULT), false))
            .collect();
        ShowTable::new(&columns)
    }

    pub(crate) fn push_texts(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|c| Value::text(c)).collect());
    }

    pub(crate) fn metadata(&self, context: &Context) -> Vec<ColumnMeta> {
        self.columns
            .iter()
            .map(|(name, ty, nullable)| {
                let typed = Typed::constant(Value::Null, Ty::of(*ty, *nullable));
                let mut column = meta::of_type(&typed.ty, name, context);
                column.decimals = ty.scale;
                column
            })
            .collect()
    }

    /// Keeps the rows that LIKE (on the first column) or WHERE lets through.
    pub(crate) fn filter(mut self, filter: Option<&ShowFilter>, context: &mut Context) -> Result<ShowTable> {
        match filter {
            None => {}
            Some(ShowFilter::Like(pattern)) => {
                let pattern = values::like::Pattern::new(pattern, Some('\\'), Collation::DEFAULT);
                self.rows.retain(|row| row[0].as_bytes().is_some_and(|b| pattern.matches(b)));
            }
            Some(ShowFilter::Where(expr)) => self.keep_where(expr, context)?,
        }
        Ok(self)
    }

    fn keep_where(&mut self, expr: &Expr, context: &mut Context) -> Result<()> {
        let scope = self.scope();
        let bound = Binder::new(Some(&scope), context, &[]).bind_in("where clause", expr)?;
        let mut kept = Vec::with_capacity(self.rows.len());
        for row in self.rows.drain(..) {
            if bound.holds(&mut Eval::over(&row, &[], context))? {
                kept.push(row);
            }
        }
        self.rows = kept;
        Ok(())
    }

    /// The columns as a table that names resolve against.
    fn scope(&self) -> Scope {
        let columns = self.columns.iter().map(|(name, ty, nullable)| (name.as_str(), *ty, *nullable));
        let table = Arc::new(crate::exec::virtual_rows::detached("", "", columns));
        Scope { table, alias: Arc::from("") }
    }
}
