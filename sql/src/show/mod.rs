//! SHOW, DESCRIBE and the other statements whose result is made up here: rows of values with plain column types.

pub(crate) mod monitor;
pub(crate) mod objects;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod text;

use crate::api::ColumnMeta;
use crate::ast::{Expr, ShowFilter};
use crate::bind::{Binder, Names, Scope};
use crate::error::Result;
use crate::expr::{Eval, Ty};
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
    /// Metadata where MySQL's own is odd: its SHOWs read views of its dictionary, and it shows.
    like_mysql: Option<(&'static str, &'static str, &'static [Odd])>,
}

/// One column's metadata as MySQL 9.7 sends it: the view's base table (or nothing), type number, length in utf8mb4 bytes, flags.
pub(crate) type Odd = (&'static str, u8, u32, u16);

impl ShowTable {
    pub(crate) fn new(columns: &[(&str, ColumnType, bool)]) -> ShowTable {
        let columns =
            columns.iter().map(|(name, ty, nullable)| ((*name).to_owned(), *ty, *nullable)).collect();
        ShowTable { columns, rows: Vec::new(), like_mysql: None }
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

    /// Sends the columns as columns of the view `schema.view`, each as `odd` says.
    pub(crate) fn like_mysql(
        mut self,
        schema: &'static str,
        view: &'static str,
        odd: &'static [Odd],
    ) -> ShowTable {
        self.like_mysql = Some((schema, view, odd));
        self
    }

    pub(crate) fn metadata(&self, context: &Context) -> Vec<ColumnMeta> {
        self.columns
            .iter()
            .enumerate()
            .map(|(i, (name, ty, nullable))| {
                let expr = Ty::of(*ty, *nullable);
                let mut column = meta::of_type(&expr, name, context);
                column.decimals = if expr.is_text() { 31 } else { ty.scale };
                if ty.is_integer() && ty.length > 1 {
                    column.length = ty.length;
                }
                if let Some((schema, view, odd)) = &self.like_mysql
                    && let Some(odd) = odd.get(i)
                {
                    be_odd(&mut column, schema, view, odd, context);
                }
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
        let names = Names::one(self.scope());
        let bound = Binder::over(&names, context, &[]).bind_in("where clause", expr)?;
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
        Scope::of(table, Arc::from(""))
    }
}

fn be_odd(column: &mut ColumnMeta, schema: &str, view: &str, odd: &Odd, context: &Context) {
    let (base, type_code, length, flags) = *odd;
    column.type_code = type_code;
    column.flags = flags;
    column.decimals = 0;
    // What MySQL computes for these views can be NULL only where a conversion may fail: in strict mode.
    if !context.settings.sql_mode.strict() && matches!(&*column.name, "Field" | "Extra" | "Key_name") {
        column.flags |= crate::api::flag::NOT_NULL;
    }
    let text = matches!(type_code, 252..=254);
    let per_char = context.settings.results.map_or(4, crate::variable::Charset::bytes_per_char);
    column.length = if text && length != u32::MAX { length / 4 * per_char } else { length };
    if type_code != 6 {
        column.schema = Arc::from(schema);
        column.table = Arc::from(view);
        column.org_table = Arc::from(base);
        column.org_name = column.name.clone();
    }
}
