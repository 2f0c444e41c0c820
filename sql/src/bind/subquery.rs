//! Subqueries: bound with the query around them as `parent`; what they read of it becomes slots.
//!
//! ```text
//!   SELECT ... FROM a WHERE a.x > (SELECT AVG(b.y) FROM b WHERE b.k = a.k)
//!                     `- Node::Sub: before the row is judged, a.k goes to slot 7, the query runs, its value goes to slot 8
//!                                                          inside, a.k is Node::Slot(7): a constant of one execution
//! ```
//! 1. Slots lie behind the statement's parameters, so expressions read them as they read parameters, and nothing awaits in an expression.
//! 2. A subquery whose slots have not changed is not run again.

use super::query::CteScope;
use super::select::Catalog;
use super::{Binder, constant};
use crate::ast::{BinaryOp, ColumnName, Expr, Query};
use crate::error::{Result, SqlError, operand_columns, unsupported};
use crate::expr::compare::{Rule, rule_of};
use crate::expr::{Node, SubNode, Ty, Typed};
use crate::plan::{SubKind, SubPlan};
use crate::session::context::Context;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use values::Value;

/// Views that one statement may read, those in views counted each time.
const MAX_VIEWS: usize = 512;

/// Numbers given out while one statement is bound.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    slots: Cell<usize>,
    subs: Cell<usize>,
    ctes: Cell<usize>,
    /// Views read, each time they are.
    views: Cell<usize>,
    /// User variables that the statement has assigned so far, and whether to bytes.
    assigned: RefCell<Vec<(String, bool)>>,
}

impl Shared {
    /// Slots and subqueries given out so far: what an execution must have room for.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.slots.get(), self.subs.get())
    }

    /// Notes `@name := value` of a type.
    pub(crate) fn assigns(&self, name: &str, ty: &Ty) {
        let binary = ty.is_text() && ty.col.is_binary();
        self.assigned.borrow_mut().push((name.to_owned(), binary));
    }

    /// Has the statement assigned this variable? Then whether bytes.
    pub(crate) fn assigned(&self, name: &str) -> Option<bool> {
        self.assigned.borrow().iter().rev().find(|(n, _)| n == name).map(|(_, binary)| *binary)
    }

    /// A view is read: one that names many others many times would grow without bound.
    pub(crate) fn reads_view(&self) -> Result<()> {
        self.views.set(self.views.get() + 1);
        if self.views.get() > MAX_VIEWS {
            return Err(SqlError::new(
                1436,
                format!("Thread stack overrun: the statement reads more than {MAX_VIEWS} views"),
            ));
        }
        Ok(())
    }

    pub(crate) fn cte(&self) -> usize {
        self.ctes.set(self.ctes.get() + 1);
        self.ctes.get() - 1
    }
}

/// What every query of a statement is bound with.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) context: &'a Context,
    pub(crate) params: &'a [Value],
    pub(crate) catalog: &'a Catalog,
    pub(crate) engine: &'a Arc<engine::Engine>,
    pub(crate) shared: &'a Shared,
    pub(crate) ctes: Option<&'a CteScope<'a>>,
}

impl World<'_> {
    /// The first of `n` new slots.
    pub(crate) fn slots(&self, n: usize) -> usize {
        let first = self.shared.slots.get();
        self.shared.slots.set(first + n);
        self.params.len() + first
    }
}

/// A query as its subqueries see it.
pub(crate) struct Parent<'a> {
    binder: &'a Binder<'a>,
    /// Slots that the subquery reads; with the column that fills it, if that is this query's own.
    read: RefCell<Vec<(usize, Option<Typed>)>>,
}

impl<'a> Parent<'a> {
    pub(crate) fn new(binder: &'a Binder<'a>) -> Parent<'a> {
        Parent { binder, read: RefCell::new(Vec::new()) }
    }

    /// The column of this query or one further out that `name` means.
    pub(crate) fn column(&self, name: &ColumnName) -> Result<Option<Typed>> {
        let Some(number) = self.binder.names.find(name, self.binder.place)? else {
            let Some(parent) = self.binder.parent else { return Ok(None) };
            let found = parent.column(name)?;
            if let Some(Typed { node: Node::Slot(slot), .. }) = &found {
                self.note(*slot, None);
            }
            return Ok(found);
        };
        let column = self.binder.names.column(number);
        let known =
            self.read.borrow().iter().find(|(_, c)| c.as_ref() == Some(&column)).map(|(slot, _)| *slot);
        let slot = match (known, self.binder.world) {
            (Some(slot), _) => slot,
            (None, Some(world)) => world.slots(1),
            (None, None) => return Err(unsupported("subqueries")),
        };
        let ty = column.ty;
        self.note(slot, Some(column));
        Ok(Some(Typed::new(Node::Slot(slot), ty)))
    }

    /// The names of this query.
    pub(crate) fn names(&self) -> &'a super::Names {
        self.binder.names
    }

    /// The query around this one.
    pub(super) fn around(&self) -> Option<&'a Parent<'a>> {
        self.binder.parent
    }

    fn note(&self, slot: usize, column: Option<Typed>) {
        let mut read = self.read.borrow_mut();
        if !read.iter().any(|(s, _)| *s == slot) {
            read.push((slot, column));
        }
    }

    /// What was read: every slot, and those to fill from this query's row.
    pub(crate) fn finish(self) -> (Vec<usize>, Vec<(usize, Typed)>) {
        let read = self.read.into_inner();
        let all = read.iter().map(|(slot, _)| *slot).collect();
        (all, read.into_iter().filter_map(|(slot, column)| column.map(|c| (slot, c))).collect())
    }
}

/// A subquery, bound.
struct Inner {
    plan: crate::plan::QueryPlan,
    reads: Vec<usize>,
    needs: Vec<(usize, Typed)>,
}

impl Binder<'_> {
    /// Any expression that is a subquery.
    pub(super) fn subquery(&mut self, expr: &Expr) -> Result<Typed> {
        if let Some((_, bound)) = self.known.iter().find(|(known, _)| known == expr) {
            return Ok(bound.clone());
        }
        let bound = match expr {
            Expr::Subquery(query) => {
                let mut row = self.scalar_row(query)?;
                if row.len() != 1 {
                    return Err(operand_columns(1));
                }
                row.remove(0)
            }
            Expr::Exists(query) => {
                let inner = self.inner(query)?;
                let node = self.node(inner, SubKind::Exists, Vec::new(), 1)?;
                Typed::new(Node::Sub(node), Ty::bool(false))
            }
            Expr::InQuery { expr, query, not } => {
                let bound = self.membership(expr, query)?;
                if !*not {
                    bound
                } else {
                    let nullable = bound.ty.nullable;
                    Typed::new(Node::Not(Box::new(bound)), Ty::bool(nullable))
                }
            }
            Expr::Quantified { op: BinaryOp::Eq, all: false, expr, query } => self.membership(expr, query)?,
            Expr::Quantified { op: BinaryOp::Ne, all: true, expr, query } => {
                let bound = self.membership(expr, query)?;
                let nullable = bound.ty.nullable;
                Typed::new(Node::Not(Box::new(bound)), Ty::bool(nullable))
            }
            Expr::Quantified { op, all, expr, query } => self.quantified(*op, *all, expr, query)?,
            _ => unreachable!("called for subqueries only"),
        };
        self.known.push((expr.clone(), bound.clone()));
        Ok(bound)
    }

    /// A subquery as a row of values, for comparisons with rows.
    pub(super) fn scalar_row(&mut self, query: &Query) -> Result<Vec<Typed>> {
        let whole = Expr::Row(vec![Expr::Subquery(Box::new(query.clone()))]);
        if let Some((_, Typed { node: Node::Or(row), .. })) = self.known.iter().find(|(k, _)| *k == whole) {
            return Ok(row.clone());
        }
        let inner = self.inner(query)?;
        let tys = inner.plan.tys.clone();
        // Without FROM and conditions there is always a row.
        let certain = match &query.body {
            crate::ast::Body::Select(s) => {
                s.from.is_none() && s.filter.is_none() && s.having.is_none() && s.limit.is_none()
            }
            _ => false,
        };
        let node = self.node(inner, SubKind::Scalar, Vec::new(), tys.len())?;
        let row: Vec<Typed> = tys
            .iter()
            .enumerate()
            .map(|(offset, ty)| {
                let node = Box::new(SubNode { offset, ..(*node).clone() });
                Typed::new(Node::Sub(node), ty.or_null(!certain || ty.nullable))
            })
            .collect();
        self.known.push((whole, Typed::new(Node::Or(row.clone()), Ty::null())));
        Ok(row)
    }

    fn inner(&mut self, query: &Query) -> Result<Inner> {
        let Some(world) = self.world else { return Err(unsupported("subqueries here")) };
        let parent = Parent::new(self);
        let plan = super::query::bind(query, world, Some(&parent))?;
        let (reads, needs) = parent.finish();
        Ok(Inner { plan, reads, needs })
    }

    fn node(&self, inner: Inner, kind: SubKind, left: Vec<Typed>, width: usize) -> Result<Box<SubNode>> {
        let Some(world) = self.world else { return Err(unsupported("subqueries here")) };
        let number = world.shared.subs.get();
        world.shared.subs.set(number + 1);
        let Inner { plan, reads, needs } = inner;
        let (needs_slots, needs) = needs.into_iter().unzip();
        let plan = SubPlan { number, slot: world.slots(width), width, kind, query: plan, reads, needs_slots };
        Ok(Box::new(SubNode { plan: Arc::new(plan), offset: 0, needs, left }))
    }

    /// SLEEP(seconds): waits before the expression, as a subquery is run before it.
    pub(super) fn sleep(&mut self, args: &[Expr]) -> Result<Typed> {
        let [_] = args else { return Err(crate::error::wrong_param_count("sleep")) };
        self.waiting(SubKind::Sleep, args, Ty::int(21).not_null())
    }

    /// A function that is run before the expression, as a subquery is: it waits, or the order of calls matters.
    pub(super) fn waiting(&mut self, kind: SubKind, args: &[Expr], ty: Ty) -> Result<Typed> {
        let left = args.iter().map(|arg| self.bind(arg)).collect::<Result<_>>()?;
        let inner = Inner { plan: crate::plan::QueryPlan::nothing(), reads: Vec::new(), needs: Vec::new() };
        let node = self.node(inner, kind, left, 1)?;
        Ok(Typed::new(Node::Sub(node), ty))
    }

    fn left_side(&mut self, expr: &Expr) -> Result<Vec<Typed>> {
        match expr {
            Expr::Row(list) => list.iter().map(|e| self.bind(e)).collect(),
            Expr::Subquery(query) => self.scalar_row(query),
            single => Ok(vec![self.bind(single)?]),
        }
    }

    /// The rule of each pair of left side and subquery column.
    fn rules(&self, left: Vec<Typed>, inner: &Inner) -> Result<(Vec<Typed>, Vec<Rule>)> {
        if left.len() != inner.plan.tys.len() {
            return Err(operand_columns(left.len()));
        }
        let left: Vec<Typed> = left
            .into_iter()
            .zip(&inner.plan.tys)
            .map(|(l, ty)| constant::fitted_or_error(l, ty, self.context))
            .collect::<Result<_>>()?;
        let rules =
            left.iter().zip(&inner.plan.tys).map(|(l, ty)| rule_of(&l.ty, ty)).collect::<Result<_>>()?;
        Ok((left, rules))
    }

    fn membership(&mut self, expr: &Expr, query: &Query) -> Result<Typed> {
        refuse_limit(query)?;
        let left = self.left_side(expr)?;
        let inner = self.inner(query)?;
        let (left, rules) = self.rules(left, &inner)?;
        let nullable = left.iter().any(|l| l.ty.nullable) || inner.plan.tys.iter().any(|t| t.nullable);
        let node = self.node(inner, SubKind::In { rules }, left, 1)?;
        Ok(Typed::new(Node::Sub(node), Ty::bool(nullable)))
    }

    fn quantified(&mut self, op: BinaryOp, all: bool, expr: &Expr, query: &Query) -> Result<Typed> {
        refuse_limit(query)?;
        let left = self.left_side(expr)?;
        if left.len() != 1 {
            return Err(operand_columns(1));
        }
        let inner = self.inner(query)?;
        let (left, mut rules) = self.rules(left, &inner)?;
        let rule = rules.pop().expect("invariant: one column");
        let node = self.node(inner, SubKind::Quantified { op, all, rule }, left, 1)?;
        Ok(Typed::new(Node::Sub(node), Ty::bool(true)))
    }
}

/// LIMIT in IN, ANY and ALL: MySQL has it not either.
fn refuse_limit(query: &Query) -> Result<()> {
    let limit = match &query.body {
        crate::ast::Body::Select(s) => s.limit.is_some(),
        crate::ast::Body::Set(s) => s.limit.is_some(),
        crate::ast::Body::Values(v) => v.limit.is_some(),
        crate::ast::Body::Nested(n) => n.limit.is_some(),
    };
    if limit {
        return Err(SqlError::new(
            1235,
            "This version of MySQL doesn't yet support 'LIMIT & IN/ALL/ANY/SOME subquery'",
        ));
    }
    Ok(())
}
