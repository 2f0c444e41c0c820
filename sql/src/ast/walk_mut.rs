//! Walks that change the expressions they meet.

use super::{Expr, FrameBound, WindowSpec};

impl WindowSpec {
    /// Calls `see` with every expression in it.
    pub(crate) fn exprs_mut(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        self.partition.iter_mut().for_each(&mut *see);
        self.order_by.iter_mut().for_each(|o| see(&mut o.expr));
        for bound in self.frame.iter_mut().flat_map(|f| [&mut f.start, &mut f.end]) {
            if let FrameBound::Preceding(e, _) | FrameBound::Following(e, _) = bound {
                see(e);
            }
        }
    }
}

impl Expr {
    /// Calls `see` with each direct child that is an expression; queries are no expressions.
    pub(crate) fn children_mut(&mut self, see: &mut dyn FnMut(&mut Expr)) {
        match self {
            Expr::Literal(_)
            | Expr::Param(_)
            | Expr::Column(_)
            | Expr::UserVar(_)
            | Expr::SysVar { .. }
            | Expr::Values(_)
            | Expr::Default(_)
            | Expr::Subquery(_)
            | Expr::Exists(_) => {}
            Expr::Assign(_, e) | Expr::Unary(_, e) => see(e),
            Expr::Is { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Using { expr, .. }
            | Expr::Collate { expr, .. }
            | Expr::Extract { expr, .. }
            | Expr::InQuery { expr, .. }
            | Expr::Quantified { expr, .. } => see(expr),
            Expr::Binary(_, l, r) => {
                see(l);
                see(r);
            }
            Expr::And(list) | Expr::Or(list) | Expr::Row(list) | Expr::Grouping(list) => {
                list.iter_mut().for_each(see)
            }
            Expr::Func { args, .. } => args.iter_mut().for_each(see),
            Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|e| see(e)),
            Expr::In { expr, list, .. } => {
                see(expr);
                list.iter_mut().for_each(see);
            }
            Expr::Like { expr, pattern, escape, .. } => {
                see(expr);
                see(pattern);
                escape.iter_mut().for_each(|e| see(e));
            }
            Expr::Regexp { expr, pattern, .. } => {
                see(expr);
                see(pattern);
            }
            Expr::Case { operand, whens, otherwise } => {
                operand.iter_mut().chain(otherwise).for_each(|e| see(e));
                whens.iter_mut().for_each(|(when, then)| {
                    see(when);
                    see(then);
                });
            }
            Expr::AddInterval { expr, amount, .. } => {
                see(expr);
                see(amount);
            }
            Expr::TimestampDiff { from, to, .. } => {
                see(from);
                see(to);
            }
            Expr::Aggregate(aggregate) => {
                aggregate.args.iter_mut().for_each(&mut *see);
                aggregate.order_by.iter_mut().for_each(|o| see(&mut o.expr));
            }
            Expr::Over { call, window } => {
                see(call);
                window.exprs_mut(see);
            }
        }
    }
}
