//! CREATE TABLE ... SELECT: the query's columns become the table's, its rows the first ones.
//!
//! The table is created by itself and dropped again when its rows cannot be written, so a failed statement leaves nothing.

use super::Session;
use crate::api::ResultSink;
use crate::ast::{CreateTable, Statement};
use crate::error::{Result, SqlError, unsupported};
use crate::exec::ddl;
use crate::expr::ty::Class;
use crate::expr::{Node, Ty};
use crate::plan::{BodyPlan, InsertPlan, Plan, QueryPlan};
use engine::{ColumnDef, ColumnDefault, ColumnId, NewTable};
use values::{ColumnType, Level, TypeKind, Value};

/// Characters beyond which a computed text becomes a LONGTEXT.
const LONGEST_VARCHAR: u32 = 16_383;

impl Session {
    pub(super) async fn create_table_select(
        &mut self,
        create: &CreateTable,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<()> {
        let Some(query) = &create.select else { return Err(unsupported("CREATE TABLE without columns")) };
        if !create.columns.is_empty() || !create.indexes.is_empty() || !create.checks.is_empty() {
            return Err(unsupported("CREATE TABLE (columns) SELECT"));
        }
        if !create.foreign_keys.is_empty() {
            return Err(crate::error::unsupported("CREATE TABLE ... FOREIGN KEY ... SELECT"));
        }
        let schema = self.schema_of(&create.table)?;
        self.require_schema(&schema).await?;
        let name = &create.table.name;
        ddl::check_name(name).map_err(|_| SqlError::new(1103, format!("Incorrect table name '{name}'")))?;
        if self.dictionary().table(&schema, name).await?.is_some() {
            if !create.if_not_exists {
                return Err(SqlError::new(1050, format!("Table '{name}' already exists")));
            }
            self.context.warn(Level::Note, 1050, format!("Table '{name}' already exists"));
            return self.send_ok(0, more, sink);
        }
        let default = self.schema_collation(&schema).await?;
        let plan = self.plan(&Statement::Select(query.clone()), &[]).await?;
        let Plan::Query(plan, _) = plan else { unreachable!("planned from a query") };
        let columns = columns(&plan)?;
        let options = ddl::options_text(&create.options, default)?;
        let new = NewTable {
            schema: schema.to_string(),
            name: name.clone(),
            columns,
            primary: Vec::new(),
            indexes: Vec::new(),
            auto_increment_start: 0,
            comment: create.options.comment.clone().unwrap_or_default(),
            options,
            foreign_keys: Vec::new(),
            checks: Vec::new(),
        };
        let table = self.dictionary().create_table(&new).await?;
        let sizes = plan.sizes;
        let insert = InsertPlan {
            columns: (0..table.columns.len()).collect(),
            table,
            replace: false,
            ignore: false,
            rows: Vec::new(),
            select: Some(plan),
            on_duplicate: Vec::new(),
            rules: Default::default(),
            sizes,
            subs: Vec::new(),
        };
        // DDL commits by itself, whatever autocommit says.
        let autocommit = std::mem::replace(&mut self.context.settings.autocommit, true);
        let filled = self.run_insert(&insert, &[], more, sink).await;
        self.context.settings.autocommit = autocommit;
        if filled.is_err() {
            self.abandon_statement().await?;
            self.dictionary().drop_table(&schema, name).await?;
        }
        filled
    }
}

fn columns(plan: &QueryPlan) -> Result<Vec<ColumnDef>> {
    let mut out: Vec<ColumnDef> = Vec::with_capacity(plan.tys.len());
    for (i, (ty, meta)) in plan.tys.iter().zip(plan.columns.iter()).enumerate() {
        ddl::check_name(&meta.name)?;
        if out.iter().any(|c| c.name.eq_ignore_ascii_case(&meta.name)) {
            return Err(SqlError::new(1060, format!("Duplicate column name '{}'", meta.name)));
        }
        let copied = source(plan, i);
        let name = meta.name.to_string();
        out.push(match copied {
            Some(column) => ColumnDef {
                id: ColumnId(0),
                name,
                nullable: ty.nullable,
                default: if column.auto_increment { zero(&column.ty) } else { column.default.clone() },
                auto_increment: false,
                generated: None,
                ..column.clone()
            },
            None => {
                let col = stored_type(ty, matches!(plan.body, BodyPlan::Select(_)));
                let default = if ty.nullable || ty.null { None } else { zero(&col) };
                ColumnDef {
                    id: ColumnId(0),
                    name,
                    ty: col,
                    nullable: ty.nullable || ty.null,
                    default,
                    on_update_now: false,
                    auto_increment: false,
                    comment: String::new(),
                    generated: None,
                }
            }
        });
    }
    Ok(out)
}

/// The stored column that item `i` just copies.
fn source(plan: &QueryPlan, i: usize) -> Option<&ColumnDef> {
    let BodyPlan::Select(select) = &plan.body else { return None };
    let Node::Column(number) = select.items.get(i)?.node else { return None };
    let (scope, position) = select.names.locate(number);
    scope.made.is_none().then(|| &scope.table.columns[position])
}

/// The type that MySQL gives the column of a computed value; `narrow`: one SELECT computes it, and short integers take four bytes.
fn stored_type(ty: &Ty, narrow: bool) -> ColumnType {
    match ty.class() {
        Class::Null => ColumnType::binary(TypeKind::VarBinary, 0),
        Class::Int if narrow && ty.col.kind == TypeKind::BigInt && ty.width <= 9 => {
            ColumnType::integer(TypeKind::Int, ty.col.unsigned)
        }
        Class::Text if !ty.col.is_lob() && ty.width > LONGEST_VARCHAR => {
            if ty.col.is_binary() {
                ColumnType::blob(TypeKind::LongBlob)
            } else {
                ColumnType::text(TypeKind::LongText, ty.collation())
            }
        }
        _ => ty.col,
    }
}

/// The default of a computed number or text that is never NULL.
fn zero(ty: &ColumnType) -> Option<ColumnDefault> {
    let value = match ty.kind {
        _ if ty.is_integer() && ty.unsigned => Value::UInt(0),
        _ if ty.is_integer() => Value::Int(0),
        TypeKind::Decimal => Value::Decimal(values::Decimal::new(0, ty.scale)),
        TypeKind::Double => Value::Double(0.0),
        TypeKind::Float => Value::Float(0.0),
        TypeKind::VarChar | TypeKind::Char => Value::text(""),
        TypeKind::VarBinary => Value::bytes(b""),
        _ => return None,
    };
    Some(ColumnDefault::Literal(value))
}
