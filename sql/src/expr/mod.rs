//! Compiled expressions: names resolved, types known, conversions chosen; evaluated once per row without looking anything up.
//!
//! ```text
//!   ast::Expr --bind--> Typed { node, ty } --eval(row, params, groups)--> Value
//! ```
//! 1. A node's type is fixed at bind time; its values are of that type's class or NULL. A parameter has the type of its value at the first
//!    execution: a prepared statement is bound again when another class of value arrives.
//! 2. Evaluation never awaits and never touches the engine.
//! 3. Conditions (warnings) go to the statement's diagnostics; whether one is an error is decided there, by sql_mode and statement.

pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod eval;
pub(crate) mod numeric;
pub(crate) mod ty;

use crate::ast::{BinaryOp, CastType, IsTest, Unit};
use crate::function::Function;
use crate::plan::SubPlan;
use compare::Rule;
pub(crate) use eval::{Columns, Eval, NoRow};
use std::sync::Arc;
pub(crate) use ty::Ty;
use values::{Collation, Value};

/// An expression with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Typed {
    pub(crate) node: Node,
    pub(crate) ty: Ty,
}

impl Typed {
    pub(crate) fn new(node: Node, ty: Ty) -> Self {
        Typed { node, ty }
    }

    pub(crate) fn constant(value: Value, ty: Ty) -> Self {
        Typed { node: Node::Const(value), ty }
    }

    /// True when its value is the same for every row of one execution.
    pub(crate) fn is_constant(&self) -> bool {
        let mut constant = true;
        self.walk(&mut |node| {
            constant &= !matches!(
                node,
                Node::Column(_) | Node::Agg(_) | Node::Inserted(_) | Node::SetVar(..) | Node::UserVar(_)
            ) && !matches!(node, Node::Func { function, .. } if function.volatile);
        });
        constant
    }

    /// Calls `see` with every node, parents first.
    pub(crate) fn walk(&self, see: &mut dyn FnMut(&Node)) {
        see(&self.node);
        self.node.children(&mut |child| child.walk(see));
    }

    /// Replaces nodes, parents first: what `change` turns into something else is not entered.
    pub(crate) fn rewrite(&mut self, change: &mut dyn FnMut(&mut Typed) -> bool) {
        if !change(self) {
            self.node.children_mut(&mut |child| child.rewrite(change));
        }
    }

    /// Does it hold a subquery?
    pub(crate) fn has_subquery(&self) -> bool {
        let mut found = false;
        self.walk(&mut |node| found |= matches!(node, Node::Sub(_)));
        found
    }

    /// The positions of the columns it reads.
    pub(crate) fn columns(&self, out: &mut Vec<usize>) {
        self.walk(&mut |node| {
            if let Node::Column(i) = node
                && !out.contains(i)
            {
                out.push(*i);
            }
        });
    }
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Const(Value),
    Param(u16),
    /// A value that was computed before this expression: a column of a query further out, or of a table joined before.
    Slot(usize),
    /// A subquery, computed before this expression.
    Sub(Box<SubNode>),
    /// A column of the source row.
    Column(usize),
    /// VALUES(column): the row that could not be inserted.
    Inserted(usize),
    /// An aggregate's result, in a grouped query.
    Agg(usize),
    UserVar(String),
    SetVar(String, Box<Typed>),
    SysVar {
        global: bool,
        index: usize,
    },
    Neg(Box<Typed>, Shown),
    Not(Box<Typed>),
    BitNot(Box<Typed>),
    Arith {
        op: BinaryOp,
        left: Box<Typed>,
        right: Box<Typed>,
        shown: Shown,
    },
    Bits {
        op: BinaryOp,
        left: Box<Typed>,
        right: Box<Typed>,
    },
    Compare {
        op: BinaryOp,
        rule: Rule,
        left: Box<Typed>,
        right: Box<Typed>,
    },
    /// (a, b) op (c, d): pairwise, each with its rule.
    CompareRows {
        op: BinaryOp,
        pairs: Vec<(Rule, Typed, Typed)>,
    },
    And(Vec<Typed>),
    Or(Vec<Typed>),
    Xor(Box<Typed>, Box<Typed>),
    Is {
        expr: Box<Typed>,
        test: IsTest,
        not: bool,
    },
    Between {
        expr: Box<Typed>,
        low: Box<Typed>,
        high: Box<Typed>,
        rules: (Rule, Rule),
        not: bool,
    },
    In {
        expr: Box<Typed>,
        list: Vec<(Rule, Typed)>,
        not: bool,
    },
    /// (a, b) IN ((1, 2), ...)
    InRows {
        left: Vec<Typed>,
        rows: Vec<Vec<(Rule, Typed)>>,
        not: bool,
    },
    Like {
        expr: Box<Typed>,
        pattern: Box<Typed>,
        escape: Option<char>,
        collation: Collation,
        not: bool,
    },
    Case {
        operand: Option<Box<Typed>>,
        whens: Vec<(Rule, Typed, Typed)>,
        otherwise: Option<Box<Typed>>,
    },
    Cast {
        expr: Box<Typed>,
        to: CastType,
    },
    /// Changes the type only (COLLATE).
    Same(Box<Typed>),
    AddInterval {
        expr: Box<Typed>,
        amount: Box<Typed>,
        unit: Unit,
        negate: bool,
    },
    Extract {
        unit: Unit,
        expr: Box<Typed>,
    },
    TimestampDiff {
        unit: Unit,
        from: Box<Typed>,
        to: Box<Typed>,
    },
    Func {
        function: &'static Function,
        args: Vec<Typed>,
    },
}

/// An operation as MySQL prints it, for 1690. Says nothing about the value: all are equal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(pub(crate) Option<Arc<str>>);

impl PartialEq for Shown {
    fn eq(&self, _: &Shown) -> bool {
        true
    }
}

/// A subquery in an expression.
#[derive(Debug, Clone)]
pub(crate) struct SubNode {
    pub(crate) plan: Arc<SubPlan>,
    /// Which of its columns.
    pub(crate) offset: usize,
    /// What it reads of the row around it; goes to the plan's `needs_slots`.
    pub(crate) needs: Vec<Typed>,
    /// The left side of IN, ANY, ALL.
    pub(crate) left: Vec<Typed>,
}

impl PartialEq for SubNode {
    fn eq(&self, other: &SubNode) -> bool {
        Arc::ptr_eq(&self.plan, &other.plan) && self.offset == other.offset
    }
}

impl Node {
    /// Calls `change` with each direct child.
    pub(crate) fn children_mut(&mut self, change: &mut dyn FnMut(&mut Typed)) {
        use Node::*;
        match self {
            Const(_) | Param(_) | Slot(_) | Column(_) | Inserted(_) | Agg(_) | UserVar(_) | SysVar { .. } => {
            }
            Sub(sub) => sub.needs.iter_mut().chain(&mut sub.left).for_each(change),
            SetVar(_, e) | Neg(e, _) | Not(e) | BitNot(e) | Same(e) => change(e),
            Is { expr, .. } | Cast { expr, .. } | Extract { expr, .. } => change(expr),
            Arith { left, right, .. }
            | Bits { left, right, .. }
            | Compare { left, right, .. }
            | Xor(left, right) => {
                change(left);
                change(right);
            }
            CompareRows { pairs, .. } => pairs.iter_mut().for_each(|(_, l, r)| {
                change(l);
                change(r);
            }),
            And(list) | Or(list) | Func { args: list, .. } => list.iter_mut().for_each(change),
            Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|e| change(e)),
            In { expr, list, .. } => {
                change(expr);
                list.iter_mut().for_each(|(_, e)| change(e));
            }
            InRows { left, rows, .. } => {
                left.iter_mut().for_each(&mut *change);
                rows.iter_mut().flatten().for_each(|(_, e)| change(e));
            }
            Like { expr, pattern, .. } => [expr, pattern].into_iter().for_each(|e| change(e)),
            Case { operand, whens, otherwise } => {
                operand.iter_mut().chain(otherwise).for_each(|e| change(e));
                whens.iter_mut().for_each(|(_, when, then)| {
                    change(when);
                    change(then);
                });
            }
            AddInterval { expr, amount, .. } => [expr, amount].into_iter().for_each(|e| change(e)),
            TimestampDiff { from, to, .. } => [from, to].into_iter().for_each(|e| change(e)),
        }
    }

    /// Calls `see` with each direct child.
    pub(crate) fn children(&self, see: &mut dyn FnMut(&Typed)) {
        use Node::*;
        match self {
            Const(_) | Param(_) | Slot(_) | Column(_) | Inserted(_) | Agg(_) | UserVar(_) | SysVar { .. } => {
            }
            Sub(sub) => sub.needs.iter().chain(&sub.left).for_each(see),
            SetVar(_, e) | Neg(e, _) | Not(e) | BitNot(e) | Same(e) => see(e),
            Is { expr, .. } | Cast { expr, .. } | Extract { expr, .. } => see(expr),
            Arith { left, right, .. }
            | Bits { left, right, .. }
            | Compare { left, right, .. }
            | Xor(left, right) => {
                see(left);
                see(right);
            }
            CompareRows { pairs, .. } => pairs.iter().for_each(|(_, l, r)| {
                see(l);
                see(r);
            }),
            And(list) | Or(list) | Func { args: list, .. } => list.iter().for_each(see),
            Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|e| see(e)),
            In { expr, list, .. } => {
                see(expr);
                list.iter().for_each(|(_, e)| see(e));
            }
            InRows { left, rows, .. } => {
                left.iter().for_each(&mut *see);
                rows.iter().flatten().for_each(|(_, e)| see(e));
            }
            Like { expr, pattern, .. } => [expr, pattern].into_iter().for_each(|e| see(e)),
            Case { operand, whens, otherwise } => {
                operand.iter().chain(otherwise).for_each(|e| see(e));
                whens.iter().for_each(|(_, when, then)| {
                    see(when);
                    see(then);
                });
            }
            AddInterval { expr, amount, .. } => [expr, amount].into_iter().for_each(|e| see(e)),
            TimestampDiff { from, to, .. } => [from, to].into_iter().for_each(|e| see(e)),
        }
    }
}
