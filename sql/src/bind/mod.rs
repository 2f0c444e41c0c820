//! Names to positions, syntax to typed expressions.
//!
//! 1. A column is resolved once; executors see positions only.
//! 2. The clause decides what is visible: aliases of the select list in GROUP BY, HAVING and ORDER BY; aggregates in the select list,
//!    HAVING and ORDER BY; VALUES() in ON DUPLICATE KEY UPDATE.
//! 3. Every error is MySQL's for that clause.

mod call;
pub(crate) mod canonical;
pub(crate) mod change;
mod check;
mod constant;
pub(crate) mod from;
mod grouping;
pub(crate) mod literal;
mod names;
mod operator;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod select;
mod shown;
pub(crate) mod subquery;
pub(crate) mod view;
pub(crate) mod window;

use crate::ast::{self, Aggregate, ColumnName, Expr, SelectItem};
use crate::error::{Result, SqlError, unknown_column, unsupported};
use crate::expr::ty::derivation;
use crate::expr::{Node, Ty, Typed};
use crate::session::context::Context;
pub(crate) use from::{From as JoinFrom, Group as JoinGroup};
pub(crate) use names::{Merged, Names, Scope};
pub(crate) use subquery::{Parent, World};
use values::{ColumnType, Value};

/// An aggregate call, its arguments bound.
#[derive(Debug, Clone)]
pub(crate) struct BoundAggregate {
    pub(crate) source: Aggregate,
    pub(crate) args: Vec<Typed>,
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) ty: Ty,
}

/// Select items whose aliases may be used.
#[derive(Clone, Copy)]
pub(crate) struct Aliases<'a> {
    pub(crate) items: &'a [SelectItem],
    /// An alias hides a column (ORDER BY, HAVING); else a column hides an alias (GROUP BY).
    pub(crate) first: bool,
}

/// Binds the expressions of one statement.
pub(crate) struct Binder<'a> {
    pub(crate) names: &'a Names,
    pub(crate) context: &'a Context,
    /// Values of the parameters, when they are known: they give the types.
    pub(crate) params: &'a [Value],
    /// MySQL's name of the clause, for 1054.
    pub(crate) place: &'static str,
    pub(crate) aliases: Option<Aliases<'a>>,
    /// Where aggregates are collected; `None` where they are not allowed (1111).
    pub(crate) aggregates: Option<Vec<BoundAggregate>>,
    /// VALUES(column) is allowed.
    pub(crate) inserted: bool,
    /// What subqueries need; `None` where they are not supported.
    pub(crate) world: Option<World<'a>>,
    /// The query around this one, whose columns may be named too.
    pub(crate) parent: Option<&'a Parent<'a>>,
    /// Subqueries bound already: the same text means the same value.
    pub(crate) known: Vec<(Expr, Typed)>,
    /// Window functions met; `None` where they are not allowed (3593).
    pub(crate) windows: Option<Vec<window::BoundWindow>>,
    /// WINDOW clause.
    pub(crate) named_windows: &'a [(String, ast::WindowSpec)],
    /// The name of the row alias of INSERT ... AS alias.
    pub(crate) row_alias: Option<&'a (String, Vec<String>)>,
}

impl<'a> Binder<'a> {
    /// For expressions without columns.
    pub(crate) fn new(context: &'a Context, params: &'a [Value]) -> Binder<'a> {
        static NOTHING: Names = Names { tables: Vec::new(), visible: Vec::new(), merged: Vec::new() };
        Binder::over(&NOTHING, context, params)
    }

    pub(crate) fn over(names: &'a Names, context: &'a Context, params: &'a [Value]) -> Binder<'a> {
        Binder {
            names,
            context,
            params,
            place: "field list",
            aliases: None,
            aggregates: None,
            inserted: false,
            row_alias: None,
            world: None,
            parent: None,
            known: Vec::new(),
            windows: None,
            named_windows: &[],
        }
    }

    /// With subqueries, inside the query of `parent`.
    pub(crate) fn within(names: &'a Names, world: World<'a>, parent: Option<&'a Parent<'a>>) -> Binder<'a> {
        Binder { world: Some(world), parent, ..Binder::over(names, world.context, world.params) }
    }

    /// Binds `expr` as part of the clause `place`.
    pub(crate) fn bind_in(&mut self, place: &'static str, expr: &Expr) -> Result<Typed> {
        self.place = place;
        self.bind(expr)
    }

    pub(crate) fn bind(&mut self, expr: &Expr) -> Result<Typed> {
        let bound = self.bind_any(expr)?;
        Ok(bound)
    }

    fn bind_any(&mut self, expr: &Expr) -> Result<Typed> {
        match expr {
            Expr::Literal(literal) => literal::bind(literal, self.context),
            Expr::Param(n) => Ok(self.param(*n)),
            Expr::Column(name) => self.column(name),
            Expr::UserVar(name) => Ok(self.user_variable(name)),
            Expr::Assign(name, value) => {
                let value = self.bind(value)?;
                let ty = value.ty;
                if let Some(world) = self.world {
                    world.shared.assigns(&name.to_lowercase(), &ty);
                }
                Ok(Typed::new(Node::SetVar(name.to_lowercase(), Box::new(value)), ty))
            }
            Expr::SysVar { scope, name } => self.system_variable(*scope, name),
            Expr::Row(_) => Err(crate::error::operand_columns(1)),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery { .. } | Expr::Quantified { .. } => {
                self.subquery(expr)
            }
            Expr::Over { call, window } => self.over_window(call, window),
            Expr::Grouping(args) => self.grouping(args),
            Expr::Values(name) => self.inserted_value(name),
            Expr::Default(name) => self.default_of(name),
            _ => operator::bind(self, expr),
        }
    }

    fn param(&self, n: u16) -> Typed {
        // Text is as wide as any VARCHAR, whatever this execution's value: the metadata must stand for all.
        let collation = self.context.settings.collation_connection;
        let ty = match self.params.get(usize::from(n)) {
            None | Some(Value::Text(_)) => Ty::text(16_383, collation, derivation::COERCIBLE),
            Some(value) => literal::type_of(value, collation).or_null(true),
        };
        Typed::new(Node::Param(n), ty)
    }

    /// A column, or what its name may stand for in this clause.
    fn column(&mut self, name: &ColumnName) -> Result<Typed> {
        let plain = name.table.is_none();
        if plain
            && self.aliases.is_some_and(|a| a.first)
            && let Some(bound) = self.alias(&name.name)?
        {
            return Ok(bound);
        }
        if let Some(bound) = self.row_alias_column(name) {
            return bound;
        }
        if let Some(number) = self.names.find(name, self.place)? {
            return Ok(self.names.column(number));
        }
        if plain
            && self.aliases.is_some_and(|a| !a.first)
            && let Some(bound) = self.alias(&name.name)?
        {
            return Ok(bound);
        }
        if let Some(parent) = self.parent
            && let Some(outer) = parent.column(name)?
        {
            return Ok(outer);
        }
        Err(unknown_column(display(name), self.place))
    }

    fn alias(&mut self, name: &str) -> Result<Option<Typed>> {
        let Some(aliases) = self.aliases else { return Ok(None) };
        let found = aliases.items.iter().find_map(|item| match item {
            SelectItem::Expr { expr, alias: Some(alias), .. } if alias.eq_ignore_ascii_case(name) => {
                Some(expr)
            }
            _ => None,
        });
        let Some(expr) = found else { return Ok(None) };
        // Inside the item itself aliases are not visible.
        let (saved, place) = (self.aliases.take(), self.place);
        let bound = self.bind(expr);
        (self.aliases, self.place) = (saved, place);
        bound.map(Some)
    }

    /// `alias.column` of INSERT ... VALUES ... AS alias.
    fn row_alias_column(&self, name: &ColumnName) -> Option<Result<Typed>> {
        let (alias, columns) = self.row_alias?;
        let scope = self.names.tables.first()?;
        if name.table.as_deref().is_some_and(|t| t != alias) || (name.table.is_none() && columns.is_empty()) {
            return None;
        }
        let position = if columns.is_empty() {
            scope.table.column(&name.name)
        } else {
            columns.iter().position(|c| c.eq_ignore_ascii_case(&name.name))
        }?;
        let column = &scope.table.columns[position];
        let ty = Ty::of(column.ty, true).with_derivation(derivation::IMPLICIT);
        Some(Ok(Typed::new(Node::Inserted(position), ty)))
    }

    fn inserted_value(&mut self, name: &ColumnName) -> Result<Typed> {
        let bound = self.column(name)?;
        let Node::Column(position) = bound.node else { return Err(unsupported("VALUES() of an expression")) };
        if !self.inserted || position >= self.names.tables[0].table.columns.len() {
            return Ok(Typed::constant(Value::Null, bound.ty.or_null(true)));
        }
        Ok(Typed::new(Node::Inserted(position), bound.ty.or_null(true)))
    }

    fn default_of(&mut self, name: &ColumnName) -> Result<Typed> {
        let bound = self.column(name)?;
        let Node::Column(number) = bound.node else {
            return Err(unsupported("DEFAULT() of an expression"));
        };
        let (scope, position) = self.names.locate(number);
        let column = &scope.table.columns[position];
        match &column.default {
            Some(engine::ColumnDefault::Literal(value)) => {
                Ok(Typed::constant(value.clone(), bound.ty.or_null(true)))
            }
            Some(engine::ColumnDefault::Expression(_)) => {
                Err(SqlError::new(3773, "DEFAULT function cannot be used with default value expressions"))
            }
            Some(_) => Err(unsupported("DEFAULT() of a column with CURRENT_TIMESTAMP")),
            None if column.nullable => Ok(Typed::constant(Value::Null, bound.ty.or_null(true))),
            None => Err(SqlError::new(1364, format!("Field '{}' doesn't have a default value", column.name))),
        }
    }

    fn user_variable(&self, name: &str) -> Typed {
        let name = name.to_lowercase();
        let collation = self.context.settings.collation_connection;
        let assigned = self.world.and_then(|w| w.shared.assigned(&name));
        let bytes = |width| Ty::text(width, values::Collation::BINARY, derivation::IMPLICIT);
        let ty = match self.context.user_variables.get(&name) {
            // A variable never set is a binary string, or text once the statement assigns it; the others are as wide as their sort of
            // value can be.
            None if assigned == Some(true) => bytes(16_777_215),
            None if assigned.is_some() => Ty::text(67_108_860, collation, derivation::IMPLICIT),
            None => bytes(65_532),
            Some(Value::Null) => bytes(16_777_215),
            Some(Value::Text(_)) => Ty::text(67_108_860, collation, derivation::IMPLICIT),
            Some(Value::Bytes(_)) => Ty::text(16_777_215, values::Collation::BINARY, derivation::IMPLICIT),
            Some(Value::Decimal(_)) => Ty::decimal(65, 30, false),
            Some(Value::Double(_)) => Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::double() },
            Some(value) => {
                literal::type_of(value, collation).with_derivation(derivation::IMPLICIT).or_null(true)
            }
        };
        Typed::new(Node::UserVar(name), ty)
    }

    fn system_variable(&self, scope: ast::VarScope, name: &str) -> Result<Typed> {
        use crate::variable::{Kind, Scope, find, variable as named};
        match scope {
            ast::VarScope::Persist => return Err(crate::error::unknown_variable(&format!("persist.{name}"))),
            ast::VarScope::PersistOnly => {
                return Err(crate::error::unknown_variable(&format!("persist_only.{name}")));
            }
            _ => {}
        }
        let index = find(name).ok_or_else(|| crate::error::unknown_variable(name))?;
        let variable = named(index);
        let global = match (scope, variable.scope) {
            (ast::VarScope::Global, Scope::Session) => {
                return Err(SqlError::new(1238, format!("Variable '{name}' is a SESSION variable")));
            }
            (ast::VarScope::Session, Scope::Global) => {
                return Err(SqlError::new(1238, format!("Variable '{name}' is a GLOBAL variable")));
            }
            (ast::VarScope::Global, _) | (ast::VarScope::Default, Scope::Global) => true,
            _ => false,
        };
        let value = self.context.system_variable(index, global);
        let ty = match (&value, variable.kind) {
            (Value::UInt(_), _)
            | (Value::Int(0..), Kind::Int { .. } | Kind::ReadOnlyInt | Kind::FixedInt) => Ty::uint(21),
            (Value::Int(_), Kind::Bool | Kind::ReadOnlyBool | Kind::FixedBool) => Ty::int(1),
            (Value::Int(_), _) => Ty::int(21),
            (Value::Double(_), _) => {
                let col = ColumnType { scale: 6, ..ColumnType::double() };
                Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::of(col, true) }
            }
            _ => Ty::text(21_845, values::Collation::DEFAULT, derivation::SYSTEM),
        };
        Ok(Typed::new(Node::SysVar { global, index }, ty.or_null(true)))
    }
}

/// A column's name as MySQL shows it in errors.
pub(crate) fn display(name: &ColumnName) -> String {
    let parts = [name.schema.as_deref(), name.table.as_deref(), Some(name.name.as_str())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(".")
}
