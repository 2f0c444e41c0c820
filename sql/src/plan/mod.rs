//! Plans: what will run, decided when the statement is bound.

pub(crate) mod access;
pub(crate) mod condition;
mod cost;
pub(crate) mod explain;
pub(crate) mod interval;
pub(crate) mod join;
pub(crate) mod meta;
pub(crate) mod order;

use crate::api::ColumnMeta;
use crate::ast::{BinaryOp, SetOp};
use crate::bind::window::BoundWindow;
use crate::bind::{BoundAggregate, Names};
use crate::expr::compare::Rule;
use crate::expr::{Node, SubNode, Ty, Typed};
use access::Access;
use engine::{LockMode, LockWait, TableDef};
use join::JoinPlan;
use std::sync::Arc;

/// Where a SELECT's rows come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// No table: one row.
    One {
        filter: Filter,
    },
    /// One stored table, and no subqueries: rows go straight from the index to the client.
    Table(Access),
    Join(Box<JoinPlan>),
}

/// A condition with the subqueries that must be computed before it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) expr: Option<Typed>,
    pub(crate) subs: Subs,
}

/// Subqueries in the order in which they are to be computed.
pub(crate) type Subs = Vec<SubNode>;

/// The subqueries of these expressions, inner ones first, each once.
pub(crate) fn subs_of<'a>(exprs: impl IntoIterator<Item = &'a Typed>) -> Subs {
    fn collect(expr: &Typed, out: &mut Subs) {
        expr.node.children(&mut |child| collect(child, out));
        if let Node::Sub(sub) = &expr.node
            && !out.iter().any(|s| s.plan.number == sub.plan.number)
        {
            out.push((**sub).clone());
        }
    }
    let mut out = Subs::new();
    exprs.into_iter().for_each(|expr| collect(expr, &mut out));
    out
}

impl Filter {
    pub(crate) fn new(expr: Option<Typed>) -> Filter {
        let subs = subs_of(&expr);
        Filter { expr, subs }
    }

    /// All of these conditions.
    pub(crate) fn all(mut list: Vec<Typed>) -> Filter {
        Filter::new(match list.len() {
            0 => None,
            1 => list.pop(),
            _ => Some(Typed::new(Node::And(list), crate::expr::Ty::bool(true))),
        })
    }
}

/// GROUP BY and the aggregates. `keys` empty: one group, also over no rows.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) keys: Vec<Typed>,
    pub(crate) aggregates: Vec<BoundAggregate>,
    pub(crate) subs: Subs,
    /// WITH ROLLUP: behind the aggregates' results come the keys, NULL where rolled up, then one 1 per rolled-up key.
    pub(crate) rollup: bool,
}

/// A bound SELECT.
#[derive(Clone)]
pub(crate) struct SelectPlan {
    pub(crate) source: Source,
    /// The tables in scope, for EXPLAIN and metadata.
    pub(crate) names: Arc<Names>,
    pub(crate) items: Vec<Typed>,
    pub(crate) columns: Arc<[ColumnMeta]>,
    pub(crate) group: Option<Group>,
    pub(crate) having: Filter,
    /// Window functions: their results stand behind those of the aggregates.
    pub(crate) windows: Vec<BoundWindow>,
    /// Empty when the source delivers the order.
    pub(crate) order: Vec<(Typed, bool)>,
    /// Subqueries of the select list and of ORDER BY.
    pub(crate) subs: Subs,
    pub(crate) distinct: bool,
    pub(crate) limit: Option<Typed>,
    pub(crate) offset: Option<Typed>,
    pub(crate) lock: LockMode,
    pub(crate) wait: LockWait,
    pub(crate) calc_found_rows: bool,
}

/// A bound query expression.
#[derive(Clone)]
pub(crate) struct QueryPlan {
    pub(crate) body: BodyPlan,
    pub(crate) columns: Arc<[ColumnMeta]>,
    pub(crate) tys: Vec<Ty>,
    /// Common table expressions defined here: made anew by each execution.
    pub(crate) ctes: Vec<usize>,
    /// Slots and subqueries of the whole statement; set on its own query only.
    pub(crate) sizes: (usize, usize),
}

#[derive(Clone)]
pub(crate) enum BodyPlan {
    Select(Box<SelectPlan>),
    Values {
        rows: Vec<Vec<Typed>>,
        subs: Subs,
        tail: Tail,
    },
    Set {
        op: SetOp,
        all: bool,
        left: Box<QueryPlan>,
        right: Box<QueryPlan>,
        tail: Tail,
    },
    Nested {
        query: Box<QueryPlan>,
        tail: Tail,
    },
    /// The rows of a query, as other types.
    Convert {
        query: Box<QueryPlan>,
        items: Vec<Typed>,
    },
}

/// ORDER BY and LIMIT of a whole: expressions over its columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) limit: Option<Typed>,
    pub(crate) offset: Option<Typed>,
}

/// What a subquery's rows are asked.
#[derive(Debug, Clone)]
pub(crate) enum SubKind {
    /// Its one row; 1242 for more.
    Scalar,
    Exists,
    /// Is the left side among the rows?
    In {
        rules: Vec<Rule>,
    },
    Quantified {
        op: BinaryOp,
        all: bool,
        rule: Rule,
    },
    /// SLEEP(left): no query, but a wait.
    Sleep,
    /// GET_LOCK and its kin.
    NamedLock(crate::exec::named_lock::LockCall),
}

impl QueryPlan {
    /// A query without rows.
    pub(crate) fn nothing() -> QueryPlan {
        let body = BodyPlan::Values { rows: Vec::new(), subs: Vec::new(), tail: Tail::default() };
        QueryPlan { body, columns: Arc::from([]), tys: Vec::new(), ctes: Vec::new(), sizes: (0, 0) }
    }
}

/// A subquery of an expression.
#[derive(Debug)]
pub(crate) struct SubPlan {
    /// Its place in the execution's list.
    pub(crate) number: usize,
    /// Where its value goes; a row subquery fills `width` slots.
    pub(crate) slot: usize,
    pub(crate) width: usize,
    pub(crate) kind: SubKind,
    pub(crate) query: QueryPlan,
    /// Slots it reads: while they stay, its rows stay.
    pub(crate) reads: Vec<usize>,
    /// Slots that the query around it fills, from [`crate::expr::SubNode::needs`].
    pub(crate) needs_slots: Vec<usize>,
}

impl std::fmt::Debug for QueryPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryPlan").field("columns", &self.columns.len()).finish_non_exhaustive()
    }
}

/// A common table expression.
#[derive(Debug)]
pub(crate) struct CtePlan {
    pub(crate) id: usize,
    pub(crate) query: QueryPlan,
    /// The recursive parts, run over the rows of the round before until there are none.
    pub(crate) recursive: Vec<QueryPlan>,
    /// UNION DISTINCT: a row met before is dropped.
    pub(crate) distinct: bool,
}

/// `column = value` of an UPDATE or ON DUPLICATE KEY UPDATE; `None`: DEFAULT.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) column: usize,
    pub(crate) value: Option<Typed>,
}

/// A condition that a row must fulfil to be stored; its expressions read the row where its table's columns are.
#[derive(Debug, Clone)]
pub(crate) struct RowCheck {
    pub(crate) expr: Typed,
    pub(crate) subs: Subs,
    pub(crate) kind: CheckKind,
}

/// A generated column: what it is computed from, where the table's columns are.
#[derive(Debug, Clone)]
pub(crate) struct GeneratedColumn {
    pub(crate) column: usize,
    pub(crate) expr: Typed,
}

/// What a table and the views around it make of each row that is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowRules {
    /// In the order of the columns: each may read those before it.
    pub(crate) generated: Vec<GeneratedColumn>,
    pub(crate) checks: Vec<RowCheck>,
}

impl RowRules {
    pub(crate) fn is_empty(&self) -> bool {
        self.generated.is_empty() && self.checks.is_empty()
    }

    /// What they read.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Typed> {
        self.generated.iter().map(|g| &g.expr).chain(self.checks.iter().map(|c| &c.expr))
    }
}

/// Who demands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckKind {
    /// WITH CHECK OPTION of `schema.view`: it must be true.
    View(String),
    /// CHECK: it must not be false.
    Constraint(String),
}

/// A bound INSERT or REPLACE.
#[derive(Clone)]
pub(crate) struct InsertPlan {
    pub(crate) table: Arc<TableDef>,
    pub(crate) replace: bool,
    pub(crate) ignore: bool,
    /// Target columns, by position in the table.
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Vec<Vec<Option<Typed>>>,
    pub(crate) select: Option<Box<QueryPlan>>,
    /// Slots and subqueries of the statement.
    pub(crate) sizes: (usize, usize),
    pub(crate) subs: Subs,
    pub(crate) on_duplicate: Vec<Set>,
    pub(crate) rules: RowRules,
}

/// A bound UPDATE or DELETE.
#[derive(Clone)]
pub(crate) struct ChangePlan {
    pub(crate) access: Access,
    pub(crate) alias: Arc<str>,
    /// Empty for DELETE.
    pub(crate) set: Vec<Set>,
    pub(crate) rules: RowRules,
    pub(crate) delete: bool,
    pub(crate) ignore: bool,
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) limit: Option<Typed>,
}

/// Any bound statement that reads or writes rows.
#[derive(Clone)]
pub(crate) enum Plan {
    /// With the user variables of INTO.
    Query(Box<QueryPlan>, Vec<String>),
    Insert(Box<InsertPlan>),
    Change(Box<ChangePlan>),
    /// UPDATE and DELETE whose rows come from a join or depend on subqueries.
    ChangeJoin(Box<ChangeJoinPlan>),
}

/// What a change over several tables does to one of them.
#[derive(Clone)]
pub(crate) struct Target {
    /// Its position in the FROM.
    pub(crate) table: usize,
    /// Its columns among those of the join.
    pub(crate) base: usize,
    pub(crate) def: Arc<TableDef>,
    /// Empty for DELETE; the expressions read the join's columns.
    pub(crate) set: Vec<Set>,
    pub(crate) rules: RowRules,
    pub(crate) subs: Subs,
    /// The schema and name by which the statement changes it: its own, or a view's.
    pub(crate) named: (String, String),
}

/// A bound UPDATE or DELETE over a join.
#[derive(Clone)]
pub(crate) struct ChangeJoinPlan {
    pub(crate) join: JoinPlan,
    pub(crate) names: Arc<Names>,
    pub(crate) targets: Vec<Target>,
    /// Columns that the expressions and assignments read.
    pub(crate) columns: Vec<usize>,
    pub(crate) delete: bool,
    pub(crate) ignore: bool,
    pub(crate) order: Vec<(Typed, bool)>,
    pub(crate) subs: Subs,
    pub(crate) limit: Option<Typed>,
    pub(crate) sizes: (usize, usize),
}
