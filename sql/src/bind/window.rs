//! Window functions: calls with OVER, bound to what they partition by, order by and frame.

use super::Binder;
use crate::ast::{AggKind, Aggregate, BinaryOp, Expr, Frame, FrameBound, Literal, OrderItem, WindowSpec};
use crate::error::{Result, SqlError, unsupported, wrong_param_count};
use crate::expr::ty::Class;
use crate::expr::{Node, Shown, Ty, Typed};
use crate::function::control::common_of;
use values::Value;

/// What a window function computes.
#[derive(Debug, Clone)]
pub(crate) enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    Ntile,
    /// By so many rows before (LAG) or behind (LEAD).
    Lag,
    Lead,
    FirstValue,
    LastValue,
    NthValue,
    Aggregate(super::BoundAggregate),
}

/// An end of a frame.
#[derive(Debug, Clone)]
pub(crate) enum Edge {
    Start,
    End,
    Current,
    /// So many rows before (negative: the expression is subtracted) or behind.
    Rows(Typed, bool),
    /// RANGE: the order key plus or minus something, and its order.
    Range(Typed),
}

/// A bound window function.
#[derive(Debug, Clone)]
pub(crate) struct BoundWindow {
    pub(crate) source: Expr,
    pub(crate) kind: WindowKind,
    pub(crate) args: Vec<Typed>,
    pub(crate) partition: Vec<Typed>,
    pub(crate) order: Vec<(Typed, bool)>,
    /// ROWS; else RANGE.
    pub(crate) rows: bool,
    pub(crate) start: Edge,
    pub(crate) end: Edge,
    pub(crate) ty: Ty,
}

impl BoundWindow {
    /// Every expression it reads.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Typed> {
        let edges = [&self.start, &self.end].into_iter().filter_map(|edge| match edge {
            Edge::Rows(e, _) | Edge::Range(e) => Some(e),
            _ => None,
        });
        let inside = match &self.kind {
            WindowKind::Aggregate(a) => a.args.as_slice(),
            _ => &[],
        };
        let order = self.order.iter().map(|(e, _)| e);
        self.args.iter().chain(&self.partition).chain(order).chain(edges).chain(inside)
    }
}

/// The number of the first window among the results behind a row: aggregates come before them.
pub(crate) const FIRST: usize = 1 << 20;

impl Binder<'_> {
    /// `call OVER (window)`: its result is read like an aggregate's.
    pub(super) fn over_window(&mut self, call: &Expr, window: &WindowSpec) -> Result<Typed> {
        let source = Expr::Over { call: Box::new(call.clone()), window: Box::new(window.clone()) };
        let Some(mut windows) = self.windows.take() else { return Err(misplaced(call)) };
        if let Some(at) = windows.iter().position(|w| w.source == source) {
            let ty = windows[at].ty;
            self.windows = Some(windows);
            return Ok(Typed::new(Node::Agg(FIRST + at), ty));
        }
        let aliases = self.aliases.take();
        let bound = self.window_parts(source, call, window);
        self.aliases = aliases;
        let bound = bound?;
        let (at, ty) = (windows.len(), bound.ty);
        windows.push(bound);
        self.windows = Some(windows);
        Ok(Typed::new(Node::Agg(FIRST + at), ty))
    }

    fn window_parts(&mut self, source: Expr, call: &Expr, window: &WindowSpec) -> Result<BoundWindow> {
        let spec = self.merged_window(window, 0)?;
        let partition = spec
            .partition
            .iter()
            .map(|e| self.bind_in("window partition by", e))
            .collect::<Result<Vec<_>>>()?;
        let mut order = Vec::with_capacity(spec.order_by.len());
        for OrderItem { expr, desc } in &spec.order_by {
            order.push((self.bind_in("window order by", expr)?, *desc));
        }
        self.place = "field list";
        let (kind, args, ty) = self.window_call(call)?;
        let framed = matches!(
            kind,
            WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue | WindowKind::Aggregate(_)
        );
        let (rows, start, end) = match &spec.frame {
            Some(frame) if framed => self.frame(frame, &order)?,
            _ if order.is_empty() || !framed => (true, Edge::Start, Edge::End),
            _ => (false, Edge::Start, Edge::Current),
        };
        Ok(BoundWindow { source, kind, args, partition, order, rows, start, end, ty })
    }

    /// The window with everything of the window that it names.
    fn merged_window(&self, window: &WindowSpec, depth: usize) -> Result<WindowSpec> {
        let Some(base) = &window.base else { return Ok(window.clone()) };
        let missing = || SqlError::new(3579, format!("Window name '{base}' is not defined."));
        let found = self
            .named_windows
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(base))
            .ok_or_else(missing)?;
        if depth > self.named_windows.len() {
            return Err(SqlError::new(3580, "There is a circularity in the window dependency graph."));
        }
        let mut out = self.merged_window(&found.1, depth + 1)?;
        if !window.partition.is_empty() {
            return Err(SqlError::new(3581, "A window which depends on another cannot define partitioning."));
        }
        if !window.order_by.is_empty() {
            if !out.order_by.is_empty() {
                return Err(SqlError::new(
                    3583,
                    format!(
                        "Window '<unnamed window>' cannot inherit '{base}' since both contain an ORDER BY clause."
                    ),
                ));
            }
            out.order_by.clone_from(&window.order_by);
        }
        if window.frame.is_some() {
            out.frame.clone_from(&window.frame);
        }
        Ok(WindowSpec { base: None, ..out })
    }

    fn window_call(&mut self, call: &Expr) -> Result<(WindowKind, Vec<Typed>, Ty)> {
        if let Expr::Aggregate(aggregate) = call {
            return self.window_aggregate(aggregate);
        }
        let Expr::Func { name, args } = call else { return Err(misplaced(call)) };
        let (kind, min, max) = match name.to_ascii_lowercase().as_str() {
            "row_number" => (WindowKind::RowNumber, 0, 0),
            "rank" => (WindowKind::Rank, 0, 0),
            "dense_rank" => (WindowKind::DenseRank, 0, 0),
            "percent_rank" => (WindowKind::PercentRank, 0, 0),
            "cume_dist" => (WindowKind::CumeDist, 0, 0),
            "ntile" => (WindowKind::Ntile, 1, 1),
            "lag" => (WindowKind::Lag, 1, 3),
            "lead" => (WindowKind::Lead, 1, 3),
            "first_value" => (WindowKind::FirstValue, 1, 1),
            "last_value" => (WindowKind::LastValue, 1, 1),
            "nth_value" => (WindowKind::NthValue, 2, 2),
            _ => return Err(self.unexpected_over()),
        };
        if args.len() < min || args.len() > max {
            return Err(wrong_param_count(name));
        }
        let args = args.iter().map(|a| self.bind(a)).collect::<Result<Vec<_>>>()?;
        let counted = matches!(kind, WindowKind::Ntile).then_some(0).or((args.len() > 1).then_some(1));
        if let Some(Typed { node: Node::Const(value), .. }) = counted.and_then(|i| args.get(i))
            && !matches!(value, Value::Int(n) if *n > i64::from(!matches!(kind, WindowKind::Lag | WindowKind::Lead)) - 1)
        {
            return Err(SqlError::new(1210, format!("Incorrect arguments to {}", name.to_lowercase())));
        }
        let ty = match kind {
            WindowKind::RowNumber | WindowKind::Rank | WindowKind::DenseRank | WindowKind::Ntile => {
                Ty::uint(21).not_null()
            }
            WindowKind::PercentRank | WindowKind::CumeDist => Ty { width: 23, ..Ty::double().not_null() },
            WindowKind::Lag | WindowKind::Lead if args.len() == 3 => {
                common_of(&[args[0].ty, args[2].ty], self.context.settings.collation_connection)
                    .or_null(args[0].ty.nullable || args[2].ty.nullable)
            }
            _ => args[0].ty.or_null(true),
        };
        Ok((kind, args, ty))
    }

    fn unexpected_over(&self) -> SqlError {
        unsupported("OVER behind a function that is no window function")
    }

    fn window_aggregate(&mut self, aggregate: &Aggregate) -> Result<(WindowKind, Vec<Typed>, Ty)> {
        if aggregate.distinct {
            return Err(unsupported("<window function>(DISTINCT ..)"));
        }
        if matches!(aggregate.kind, AggKind::GroupConcat | AggKind::AnyValue) {
            return Err(unsupported("GROUP_CONCAT or ANY_VALUE as window function"));
        }
        let bound = self.aggregate_parts(aggregate)?;
        let ty = bound.ty;
        Ok((WindowKind::Aggregate(bound), Vec::new(), ty))
    }

    fn frame(&mut self, frame: &Frame, order: &[(Typed, bool)]) -> Result<(bool, Edge, Edge)> {
        let (start, end) = (self.edge(frame, &frame.start, order)?, self.edge(frame, &frame.end, order)?);
        let rank = |bound: &FrameBound| match bound {
            FrameBound::UnboundedPreceding => 0,
            FrameBound::Preceding(..) => 1,
            FrameBound::CurrentRow => 2,
            FrameBound::Following(..) => 3,
            FrameBound::UnboundedFollowing => 4,
        };
        if rank(&frame.start) == 4 {
            return Err(SqlError::new(
                3584,
                "Window '<unnamed window>': frame start cannot be UNBOUNDED FOLLOWING.",
            ));
        }
        if rank(&frame.end) == 0 {
            return Err(SqlError::new(
                3585,
                "Window '<unnamed window>': frame end cannot be UNBOUNDED PRECEDING.",
            ));
        }
        if rank(&frame.start) > rank(&frame.end) {
            return Err(SqlError::new(
                3586,
                "Window '<unnamed window>': frame start or end is negative, NULL or of non-integral type",
            ));
        }
        Ok((frame.rows, start, end))
    }

    fn edge(&mut self, frame: &Frame, bound: &FrameBound, order: &[(Typed, bool)]) -> Result<Edge> {
        let (amount, unit, before) = match bound {
            FrameBound::UnboundedPreceding => return Ok(Edge::Start),
            FrameBound::UnboundedFollowing => return Ok(Edge::End),
            FrameBound::CurrentRow => return Ok(Edge::Current),
            FrameBound::Preceding(amount, unit) => (amount, unit, true),
            FrameBound::Following(amount, unit) => (amount, unit, false),
        };
        if frame.rows {
            let whole = matches!(amount, Expr::Literal(Literal::Int(_)) | Expr::Param(_));
            if unit.is_some() || !whole {
                return Err(SqlError::new(
                    3586,
                    "Window '<unnamed window>': frame start or end is negative, NULL or of non-integral type",
                ));
            }
            return Ok(Edge::Rows(self.bind(amount)?, before));
        }
        let [(key, desc)] = order else {
            return Err(SqlError::new(
                3587,
                "Window '<unnamed window>' with RANGE N PRECEDING/FOLLOWING frame requires exactly one ORDER BY expression, of numeric or temporal type",
            ));
        };
        let dated = matches!(key.ty.class(), Class::Date | Class::DateTime | Class::Time);
        if dated != unit.is_some() || matches!(key.ty.class(), Class::Text) {
            let (code, what) = if dated {
                (
                    3589,
                    "with RANGE frame has ORDER BY expression of datetime type. Only INTERVAL bound value allowed.",
                )
            } else {
                (
                    3588,
                    "with RANGE frame has ORDER BY expression of numeric type, INTERVAL bound value not allowed.",
                )
            };
            return Err(SqlError::new(code, format!("Window '<unnamed window>' {what}")));
        }
        let amount = self.bind(amount)?;
        let minus = before != *desc;
        let moved = match unit {
            Some(unit) => {
                let ty = crate::function::interval::add_type(
                    &key.ty,
                    &amount.ty,
                    *unit,
                    self.context.settings.collation_connection,
                );
                let (expr, amount) = (Box::new(key.clone()), Box::new(amount));
                Typed::new(Node::AddInterval { expr, amount, unit: *unit, negate: minus }, ty)
            }
            None => {
                let op = if minus { BinaryOp::Sub } else { BinaryOp::Add };
                super::operator::arithmetic(self, op, key.clone(), amount, Shown::default())
            }
        };
        Ok(Edge::Range(moved))
    }
}

fn misplaced(call: &Expr) -> SqlError {
    let name = match call {
        Expr::Func { name, .. } => name.to_lowercase(),
        Expr::Aggregate(a) => format!("{:?}", a.kind).to_lowercase(),
        _ => String::new(),
    };
    SqlError::new(3593, format!("You cannot use the window function '{name}' in this context.'"))
}
