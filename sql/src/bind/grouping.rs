//! GROUP BY: ONLY_FULL_GROUP_BY, WITH ROLLUP, GROUPING().

use super::names::Names;
use super::{Binder, BoundAggregate};
use crate::ast::{BinaryOp, Expr};
use crate::error::{Result, SqlError};
use crate::expr::{Node, Shown, Ty, Typed};

/// Marks GROUPING(): its arguments are matched with the keys when those are known.
const GROUPING: usize = 1 << 19;

impl Binder<'_> {
    /// GROUPING(a, b): resolved by [`rolled_up`].
    pub(super) fn grouping(&mut self, args: &[Expr]) -> Result<Typed> {
        let mut bound = Vec::with_capacity(args.len() + 1);
        bound.push(Typed::new(Node::Agg(GROUPING), Ty::int(1)));
        for arg in args {
            bound.push(self.bind(arg)?);
        }
        Ok(Typed::new(Node::Or(bound), Ty::int(21)))
    }
}

fn grouping_args(node: &Node) -> Option<&[Typed]> {
    match node {
        Node::Or(list) => match list.split_first() {
            Some((Typed { node: Node::Agg(GROUPING), .. }, args)) => Some(args),
            _ => None,
        },
        _ => None,
    }
}

/// Replaces the keys of a WITH ROLLUP in an expression by their values in the group's results, NULL where rolled up.
pub(super) fn rolled_up(expr: &mut Typed, keys: &[Typed], aggregates: &[BoundAggregate]) -> Result<()> {
    let mut error = None;
    let first = aggregates.len();
    expr.rewrite(&mut |node| {
        if let Some(args) = grouping_args(&node.node) {
            let mut sum: Option<Typed> = None;
            for (i, arg) in args.iter().enumerate() {
                let Some(at) = keys.iter().position(|k| k == arg) else {
                    error = Some(SqlError::new(
                        3602,
                        format!("Argument #{i} of GROUPING function is not in GROUP BY"),
                    ));
                    return true;
                };
                let bit = Typed::new(Node::Agg(first + keys.len() + at), Ty::int(2).not_null());
                sum = Some(match sum {
                    None => bit,
                    Some(so_far) => {
                        let two = Typed::constant(values::Value::Int(2), Ty::int(2).not_null());
                        let of = |op, left, right| {
                            let (left, right) = (Box::new(left), Box::new(right));
                            let node = Node::Arith { op, left, right, shown: Shown::default() };
                            Typed::new(node, Ty::int(21).not_null())
                        };
                        of(BinaryOp::Add, of(BinaryOp::Mul, so_far, two), bit)
                    }
                });
            }
            if let Some(sum) = sum {
                let ty = node.ty;
                *node = Typed { ty, ..sum };
            }
            return true;
        }
        match keys.iter().position(|k| k.node == node.node) {
            Some(at) => {
                *node = Typed::new(Node::Agg(first + at), node.ty.or_null(true));
                true
            }
            None => matches!(node.node, Node::Agg(_)),
        }
    });
    error.map_or(Ok(()), Err)
}

/// GROUPING() without ROLLUP: nothing is rolled up.
pub(super) fn not_rolled_up(expr: &mut Typed) {
    expr.rewrite(&mut |node| {
        let is = grouping_args(&node.node).is_some();
        if is {
            node.node = Node::Const(values::Value::Int(0));
        }
        is
    });
}

/// What ONLY_FULL_GROUP_BY looks at.
pub(super) struct Checked<'a> {
    pub(super) names: &'a Names,
    pub(super) keys: &'a [Typed],
    pub(super) items: &'a [Typed],
    pub(super) having: Option<&'a Typed>,
    pub(super) order: &'a [(Typed, bool)],
    /// Conditions that every row fulfils.
    pub(super) conditions: &'a [&'a Typed],
    /// Aggregates without GROUP BY.
    pub(super) implicit: bool,
}

/// ONLY_FULL_GROUP_BY: every column outside of aggregates is a group key, or depends on them.
pub(super) fn full_group_by(check: &Checked<'_>) -> Result<()> {
    let mut fixed: Vec<usize> = check
        .keys
        .iter()
        .filter_map(|k| match k.node {
            Node::Column(c) => Some(c),
            _ => None,
        })
        .collect();
    determine(check, &mut fixed);
    let lists = [
        ("SELECT list", check.items.iter().collect::<Vec<_>>()),
        ("HAVING clause", check.having.into_iter().collect()),
        ("ORDER BY clause", check.order.iter().map(|(e, _)| e).collect()),
    ];
    for (list, exprs) in lists {
        for (i, expr) in exprs.into_iter().enumerate() {
            if let Some(column) = loose_column(expr, check.keys, &fixed) {
                let (scope, position) = check.names.locate(column);
                let name = format!(
                    "{}.{}.{}",
                    scope.table.schema_name, scope.alias, scope.table.columns[position].name
                );
                let name = name.trim_start_matches('.');
                return Err(not_grouped(i + 1, list, name, check.implicit));
            }
        }
    }
    Ok(())
}

/// Everything that follows from `fixed`: equal columns, and all columns of a table whose unique key is among them.
fn determine(check: &Checked<'_>, fixed: &mut Vec<usize>) {
    let mut constant = Vec::new();
    let mut equal = Vec::new();
    for condition in check.conditions {
        equalities(condition, &mut constant, &mut equal);
    }
    fixed.extend(constant);
    loop {
        let before = fixed.len();
        for &(a, b) in &equal {
            for (from, to) in [(a, b), (b, a)] {
                if fixed.contains(&from) && !fixed.contains(&to) {
                    fixed.push(to);
                }
            }
        }
        for scope in &check.names.tables {
            let whole = scope.table.indexes.iter().any(|index| {
                index.unique
                    && !index.parts.is_empty()
                    && index.parts.iter().all(|p| {
                        fixed.contains(&(scope.base + p.column)) && !scope.table.columns[p.column].nullable
                    })
            });
            if whole {
                for column in scope.base..scope.base + scope.table.columns.len() {
                    if !fixed.contains(&column) {
                        fixed.push(column);
                    }
                }
            }
        }
        if fixed.len() == before {
            return;
        }
    }
}

/// Columns that a condition makes constant, and pairs that it makes equal.
fn equalities(condition: &Typed, constant: &mut Vec<usize>, equal: &mut Vec<(usize, usize)>) {
    match &condition.node {
        Node::And(list) => list.iter().for_each(|term| equalities(term, constant, equal)),
        Node::Compare { op: BinaryOp::Eq, left, right, .. } => match (&left.node, &right.node) {
            (Node::Column(a), Node::Column(b)) => equal.push((*a, *b)),
            (Node::Column(c), _) if right.is_constant() => constant.push(*c),
            (_, Node::Column(c)) if left.is_constant() => constant.push(*c),
            _ => {}
        },
        _ => {}
    }
}

fn not_grouped(number: usize, list: &str, column: &str, implicit: bool) -> SqlError {
    if implicit {
        return SqlError::new(
            1140,
            format!(
                "In aggregated query without GROUP BY, expression #{number} of {list} contains nonaggregated column '{column}'; this is incompatible with sql_mode=only_full_group_by"
            ),
        );
    }
    SqlError::new(
        1055,
        format!(
            "Expression #{number} of {list} is not in GROUP BY clause and contains nonaggregated column '{column}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by"
        ),
    )
}

fn loose_column(expr: &Typed, keys: &[Typed], fixed: &[usize]) -> Option<usize> {
    if keys.iter().any(|k| k.node == expr.node) {
        return None;
    }
    match &expr.node {
        Node::Column(c) => (!fixed.contains(c)).then_some(*c),
        Node::Agg(_) => None,
        Node::Func { function, .. } if function.name == "any_value" => None,
        node => {
            let mut found = None;
            node.children(&mut |child| found = found.or_else(|| loose_column(child, keys, fixed)));
            found
        }
    }
}
