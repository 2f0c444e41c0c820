//! Operators and special forms: operand types decide the result's type and the rule of comparison.

use super::{Binder, constant};
use crate::ast::{BinaryOp, Expr, UnaryOp};
use crate::error::{Result, SqlError, operand_columns};
use crate::expr::compare::{collation_for, rule_of};
use crate::expr::numeric::binary_operand;
use crate::expr::ty::{Class, derivation};
use crate::expr::{Node, Shown, Ty, Typed, cast};
use crate::function::{Infer, control, interval};
use values::arithmetic::{Op, result_type};
use values::convert::number::number_type;
use values::{Collation, ColumnType, TypeKind, Value};

pub(super) fn bind(b: &mut Binder<'_>, expr: &Expr) -> Result<Typed> {
    Ok(match expr {
        Expr::Unary(op, inner) => unary(b, *op, inner, expr)?,
        Expr::Binary(op, left, right) if op.is_comparison() => comparison(b, *op, left, right)?,
        Expr::Binary(BinaryOp::Xor, left, right) => {
            let (l, r) = (b.bind(left)?, b.bind(right)?);
            let nullable = l.ty.nullable || r.ty.nullable;
            Typed::new(Node::Xor(Box::new(l), Box::new(r)), Ty::bool(nullable))
        }
        Expr::Binary(op, left, right) => binary(b, *op, left, right, expr)?,
        Expr::And(list) => logical(b, list, Node::And)?,
        Expr::Or(list) => logical(b, list, Node::Or)?,
        Expr::Is { expr, test, not } => {
            let inner = Box::new(b.bind(expr)?);
            Typed::new(Node::Is { expr: inner, test: *test, not: *not }, Ty::bool(false))
        }
        Expr::Between { expr, low, high, not } => between(b, expr, low, high, *not)?,
        Expr::In { expr, list, not } => is_in(b, expr, list, *not)?,
        Expr::Like { expr, pattern, escape, not } => like(b, expr, pattern, escape.as_deref(), *not)?,
        Expr::Regexp { expr, pattern, not } => {
            let call = super::call::bind(b, "regexp_like", &[(**expr).clone(), (**pattern).clone()])?;
            let ty = call.ty;
            if *not { Typed::new(Node::Not(Box::new(call)), ty) } else { call }
        }
        Expr::Case { operand, whens, otherwise } => case(b, operand.as_deref(), whens, otherwise.as_deref())?,
        Expr::Cast { expr, to } => {
            let inner = b.bind(expr)?;
            if let crate::ast::CastType::Char { charset: Some(charset), .. } = to {
                check_charset(charset)?;
            }
            let ty = cast::cast_type(&inner, to, b.context.settings.collation_connection);
            Typed::new(Node::Cast { expr: Box::new(inner), to: to.clone() }, ty)
        }
        Expr::Using { expr, charset } => using(b, expr, charset)?,
        Expr::Collate { expr, collation } => collate(b, expr, collation)?,
        Expr::AddInterval { expr, amount, unit, negate } => {
            let (inner, amount) = (b.bind(expr)?, b.bind(amount)?);
            let ty =
                interval::add_type(&inner.ty, &amount.ty, *unit, b.context.settings.collation_connection);
            let node = Node::AddInterval {
                expr: Box::new(inner),
                amount: Box::new(amount),
                unit: *unit,
                negate: *negate,
            };
            Typed::new(node, ty)
        }
        Expr::Extract { unit, expr } => {
            let inner = b.bind(expr)?;
            Typed::new(Node::Extract { unit: *unit, expr: Box::new(inner) }, interval::extract_type(*unit))
        }
        Expr::TimestampDiff { unit, from, to } => {
            let (from, to) = (Box::new(b.bind(from)?), Box::new(b.bind(to)?));
            Typed::new(Node::TimestampDiff { unit: *unit, from, to }, Ty::int(21))
        }
        Expr::Func { name, args } => super::call::bind(b, name, args)?,
        other => unreachable!("bound by the caller: {other:?}"),
    })
}

fn logical(b: &mut Binder<'_>, list: &[Expr], make: fn(Vec<Typed>) -> Node) -> Result<Typed> {
    let list = list.iter().map(|e| b.bind(e)).collect::<Result<Vec<_>>>()?;
    let nullable = list.iter().any(|t| t.ty.nullable);
    Ok(Typed::new(make(list), Ty::bool(nullable)))
}

fn unary(b: &mut Binder<'_>, op: UnaryOp, inner: &Expr, whole: &Expr) -> Result<Typed> {
    let inner = b.bind(inner)?;
    let nullable = inner.ty.nullable;
    Ok(match op {
        UnaryOp::Not => Typed::new(Node::Not(Box::new(inner)), Ty::bool(nullable)),
        UnaryOp::Plus => inner,
        UnaryOp::BitNot if binary_operand(&inner) => {
            let ty = inner.ty;
            Typed::new(Node::BitNot(Box::new(inner)), ty)
        }
        UnaryOp::BitNot => Typed::new(Node::BitNot(Box::new(inner)), Ty::uint(21).or_null(nullable)),
        UnaryOp::Neg => negative(inner, || b.shown(whole)),
    })
}

fn negative(inner: Typed, shown: impl Fn() -> Shown) -> Typed {
    let ty = match (&inner.node, inner.ty.number_class()) {
        (Node::Const(Value::UInt(n)), _) if *n == 1 << 63 => {
            return Typed::constant(Value::Int(i64::MIN), Ty::int(20).not_null());
        }
        (Node::Const(Value::UInt(_)), _) => Ty::decimal(20, 0, false),
        (Node::Const(_), Class::Int) => Ty::int(inner.ty.width),
        (_, Class::Int) => Ty::int(whole_digits(&inner.ty) + 1),
        (_, Class::Decimal) => {
            let ty = Ty::decimal(inner.ty.integer_digits() + inner.ty.scale(), inner.ty.scale(), false);
            Ty { width: inner.ty.width.max(ty.width), ..ty }
        }
        _ => Ty { width: Ty::COMPUTED_DOUBLE, ..Ty::double() },
    };
    let ty = ty.or_null(inner.ty.nullable);
    match &inner.node {
        Node::Const(Value::Int(n)) => match n.checked_neg() {
            Some(n) => Typed::constant(Value::Int(n), ty),
            None => Typed::new(Node::Neg(Box::new(inner), shown()), ty),
        },
        Node::Const(Value::Decimal(d)) => Typed::constant(Value::Decimal(d.negate()), ty),
        Node::Const(Value::Double(v)) => Typed::constant(Value::Double(-v), ty),
        _ => Typed::new(Node::Neg(Box::new(inner), shown()), ty),
    }
}

fn binary(b: &mut Binder<'_>, op: BinaryOp, left: &Expr, right: &Expr, whole: &Expr) -> Result<Typed> {
    use BinaryOp::*;
    let (l, r) = (Box::new(b.bind(left)?), Box::new(b.bind(right)?));
    let nullable = l.ty.nullable || r.ty.nullable;
    if matches!(op, BitAnd | BitOr | BitXor | Shl | Shr) {
        let bytes = match op {
            Shl | Shr => binary_operand(&l),
            _ => l.ty.col.is_binary() && r.ty.col.is_binary() && (binary_operand(&l) || binary_operand(&r)),
        };
        let ty = if bytes { l.ty } else { Ty::uint(21) };
        return Ok(Typed::new(Node::Bits { op, left: l, right: r }, ty.or_null(nullable)));
    }
    Ok(arithmetic(b, op, *l, *r, b.shown(whole)))
}

/// `l op r` for + - * / DIV %.
pub(super) fn arithmetic(b: &Binder<'_>, op: BinaryOp, l: Typed, r: Typed, shown: Shown) -> Typed {
    let (lt, rt) = (l.ty, r.ty);
    let (l, r) = (Box::new(number_param(b, l, &rt)), Box::new(number_param(b, r, &lt)));
    let ty = arithmetic_type(b, op, &l.ty, &r.ty);
    let nullable =
        lt.nullable || rt.nullable || matches!(op, BinaryOp::Div | BinaryOp::IntDiv | BinaryOp::Mod);
    Typed::new(Node::Arith { op, left: l, right: r, shown }, ty.or_null(nullable))
}

/// `l = r` of columns: USING and NATURAL.
pub(super) fn equal(b: &Binder<'_>, l: Typed, r: Typed) -> Result<Typed> {
    let (l, r) = constant::fitted_pair(l, r, b.context)?;
    let rule = rule_of(&l.ty, &r.ty)?;
    let ty = Ty::bool(l.ty.nullable || r.ty.nullable);
    Ok(Typed::new(Node::Compare { op: BinaryOp::Eq, rule, left: Box::new(l), right: Box::new(r) }, ty))
}

/// A parameter sent as text beside an exact number is an exact number too, as MySQL has it: whole beside a whole one unless its text has
/// decimals ([`super::literal::same_class`] binds again when that changes).
fn number_param(b: &Binder<'_>, operand: Typed, other: &Ty) -> Typed {
    use crate::ast::CastType;
    let Node::Param(n) = operand.node else { return operand };
    let Some(Value::Text(text)) = b.params.get(usize::from(n)) else { return operand };
    let whole = super::literal::is_whole(text.as_bytes());
    let (to, ty) = match other.class() {
        Class::Int if whole => (CastType::Signed, Ty::int(21)),
        Class::Int | Class::Decimal => {
            (CastType::Decimal { precision: 65, scale: 30 }, Ty::decimal(65, 30, false))
        }
        _ => return operand,
    };
    Typed::new(Node::Cast { expr: Box::new(operand), to }, ty.or_null(true))
}

fn arithmetic_type(b: &Binder<'_>, op: BinaryOp, l: &Ty, r: &Ty) -> Ty {
    let settings = &b.context.settings;
    let (lc, rc) = (number_column(l), number_column(r));
    let operator = match op {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::IntDiv => Op::IntDiv,
        _ => Op::Mod,
    };
    let col = result_type(operator, &lc, &rc, settings.sql_mode, settings.div_precision_increment);
    let mut ty = Ty::of(col, true);
    match ty.class() {
        Class::Int => {
            let (lw, rw) = (whole_digits(l), whole_digits(r));
            let digits = match op {
                BinaryOp::Add | BinaryOp::Sub => lw.max(rw) + 1,
                BinaryOp::Mul => lw + rw,
                BinaryOp::IntDiv => lw,
                _ => lw.max(rw),
            };
            ty.width = digits + u32::from(!ty.col.unsigned);
        }
        Class::Decimal => {
            // Integer operands count their digits, not their type's.
            let (li, ri) = (l.integer_digits(), r.integer_digits());
            let (ls, rs) = (l.scale(), r.scale());
            let increment = u32::from(settings.div_precision_increment);
            let (precision, scale) = match op {
                BinaryOp::Add | BinaryOp::Sub => (li.max(ri) + 1 + ls.max(rs), ls.max(rs)),
                BinaryOp::Mul => (li + ls + ri + rs, (ls + rs).min(30)),
                BinaryOp::Div => (li + ls + rs + increment, (ls + increment).min(30)),
                _ => (li.max(ri) + ls.max(rs), ls.max(rs)),
            };
            ty = Ty::decimal(precision, scale, false);
            if matches!(op, BinaryOp::Add | BinaryOp::Sub) {
                // MySQL counts the digits of a sum before it cuts them at 65.
                ty.width = precision + u32::from(scale > 0) + 1;
            }
        }
        Class::Real => ty.width = Ty::COMPUTED_DOUBLE,
        _ => {}
    }
    ty
}

/// Digits of a whole operand, for the width of a whole result.
fn whole_digits(ty: &Ty) -> u32 {
    match ty.number_class() {
        // A byte has up to three digits, two have five.
        Class::Int if ty.hex => (ty.width * 2409).div_ceil(1000).min(20),
        Class::Int | Class::Decimal => ty.integer_digits().max(1),
        _ => 10,
    }
}

/// The operand's column type as a number.
fn number_column(ty: &Ty) -> ColumnType {
    match ty.number_class() {
        Class::Int if !ty.col.is_integer() => ColumnType::integer(
            TypeKind::BigInt,
            ty.col.kind == TypeKind::Year || (ty.hex || ty.col.kind == TypeKind::Bit) && ty.col.unsigned,
        ),
        _ => number_type(&ty.col),
    }
}

/// The parts of a row expression, or the expression itself.
fn parts(expr: &Expr) -> &[Expr] {
    match expr {
        Expr::Row(list) => list,
        single => std::slice::from_ref(single),
    }
}

/// One side of a comparison, bound: a subquery beside a row is a row.
fn side(b: &mut Binder<'_>, expr: &Expr, other: &Expr) -> Result<Vec<Typed>> {
    match (expr, other) {
        (Expr::Subquery(query), Expr::Row(_) | Expr::Subquery(_)) => b.scalar_row(query),
        _ => parts(expr).iter().map(|e| b.bind(e)).collect(),
    }
}

fn comparison(b: &mut Binder<'_>, op: BinaryOp, left: &Expr, right: &Expr) -> Result<Typed> {
    let (ls, rs) = (side(b, left, right)?, side(b, right, left)?);
    if ls.len() != rs.len() {
        return Err(operand_columns(ls.len()));
    }
    let mut pairs = Vec::with_capacity(ls.len());
    let mut nullable = false;
    for (l, r) in ls.into_iter().zip(rs) {
        let (l, r) = constant::fitted_pair(l, r, b.context)?;
        nullable |= l.ty.nullable || r.ty.nullable;
        pairs.push((rule_of(&l.ty, &r.ty)?, l, r));
    }
    let ty = Ty::bool(nullable && op != BinaryOp::NullSafeEq);
    if pairs.len() > 1 {
        if op == BinaryOp::Eq {
            // A conjunction, so that an index can answer its parts.
            let terms = pairs.into_iter().map(|(rule, l, r)| {
                let ty = Ty::bool(l.ty.nullable || r.ty.nullable);
                Typed::new(Node::Compare { op, rule, left: Box::new(l), right: Box::new(r) }, ty)
            });
            return Ok(Typed::new(Node::And(terms.collect()), ty));
        }
        return Ok(Typed::new(Node::CompareRows { op, pairs }, ty));
    }
    let (rule, l, r) = pairs.pop().expect("invariant: parts are never empty");
    Ok(Typed::new(Node::Compare { op, rule, left: Box::new(l), right: Box::new(r) }, ty))
}

fn between(b: &mut Binder<'_>, expr: &Expr, low: &Expr, high: &Expr, not: bool) -> Result<Typed> {
    let (expr, low, high) = (b.bind(expr)?, b.bind(low)?, b.bind(high)?);
    let (low, high) =
        (constant::fitted(low, &expr.ty, b.context), constant::fitted(high, &expr.ty, b.context));
    let rules = (rule_of(&expr.ty, &low.ty)?, rule_of(&expr.ty, &high.ty)?);
    let nullable = expr.ty.nullable || low.ty.nullable || high.ty.nullable;
    let node = Node::Between { expr: Box::new(expr), low: Box::new(low), high: Box::new(high), rules, not };
    Ok(Typed::new(node, Ty::bool(nullable)))
}

fn is_in(b: &mut Binder<'_>, expr: &Expr, list: &[Expr], not: bool) -> Result<Typed> {
    let left = parts(expr).iter().map(|e| b.bind(e)).collect::<Result<Vec<_>>>()?;
    let mut nullable = left.iter().any(|l| l.ty.nullable);
    let mut rows = Vec::with_capacity(list.len());
    for item in list {
        let items = parts(item);
        if items.len() != left.len() {
            return Err(operand_columns(left.len()));
        }
        let mut row = Vec::with_capacity(items.len());
        for (l, item) in left.iter().zip(items) {
            let item = b.bind(item)?;
            let item = match list.len() {
                1 => constant::fitted_or_error(item, &l.ty, b.context)?,
                _ => {
                    constant::said_in(&item, &l.ty)?;
                    constant::fitted(item, &l.ty, b.context)
                }
            };
            nullable |= item.ty.nullable;
            row.push((rule_of(&l.ty, &item.ty)?, item));
        }
        rows.push(row);
    }
    if left.len() > 1 {
        return Ok(Typed::new(Node::InRows { left, rows, not }, Ty::bool(nullable)));
    }
    let expr = Box::new(left.into_iter().next().expect("invariant: parts are never empty"));
    let list = rows.into_iter().flatten().collect();
    Ok(Typed::new(Node::In { expr, list, not }, Ty::bool(nullable)))
}

fn like(b: &mut Binder<'_>, expr: &Expr, pattern: &Expr, escape: Option<&Expr>, not: bool) -> Result<Typed> {
    let (expr, pattern) = (b.bind(expr)?, b.bind(pattern)?);
    let escape = match escape {
        None if b.context.settings.lex_mode().no_backslash_escapes => None,
        None => Some('\\'),
        Some(escape) => match b.bind(escape)?.node {
            Node::Const(Value::Text(text)) if text.as_str().chars().count() <= 1 => {
                text.as_str().chars().next()
            }
            Node::Const(Value::Null) => Some('\\'),
            _ => return Err(SqlError::new(1210, "Incorrect arguments to ESCAPE")),
        },
    };
    let text = |ty: &Ty| {
        if ty.is_text() {
            *ty
        } else {
            Ty::text(ty.width, b.context.settings.collation_connection, derivation::NUMERIC)
        }
    };
    let collation = collation_for(&text(&expr.ty), &text(&pattern.ty), "like")?;
    let nullable = expr.ty.nullable || pattern.ty.nullable;
    let node = Node::Like { expr: Box::new(expr), pattern: Box::new(pattern), escape, collation, not };
    Ok(Typed::new(node, Ty::bool(nullable)))
}

fn case(
    b: &mut Binder<'_>,
    operand: Option<&Expr>,
    whens: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
) -> Result<Typed> {
    let operand = operand.map(|o| b.bind(o)).transpose()?.map(Box::new);
    let mut bound = Vec::with_capacity(whens.len());
    let mut results = Vec::with_capacity(whens.len() + 1);
    for (when, then) in whens {
        let (when, then) = (b.bind(when)?, b.bind(then)?);
        let rule = match &operand {
            Some(operand) => rule_of(&operand.ty, &when.ty)?,
            None => values::compare::Rule::Int,
        };
        results.push(then.ty);
        bound.push((rule, when, then));
    }
    let otherwise = otherwise.map(|o| b.bind(o)).transpose()?.map(Box::new);
    match &otherwise {
        Some(o) => results.push(o.ty),
        None => results.push(Ty::null()),
    }
    let ty = control::common_of(&results, b.context.settings.collation_connection);
    Ok(Typed::new(Node::Case { operand, whens: bound, otherwise }, ty))
}

fn check_charset(charset: &str) -> Result<()> {
    match crate::variable::Charset::from_name(charset) {
        Some(_) => Ok(()),
        None => Err(crate::error::unknown_charset(charset)),
    }
}

/// CONVERT(expr USING charset)
fn using(b: &mut Binder<'_>, expr: &Expr, charset: &str) -> Result<Typed> {
    check_charset(charset)?;
    let inner = b.bind(expr)?;
    let to = if charset == "binary" {
        crate::ast::CastType::Binary { len: None }
    } else {
        crate::ast::CastType::Char { len: None, charset: Some(charset.to_owned()) }
    };
    let ty = cast::cast_type(&inner, &to, Collation::DEFAULT);
    Ok(Typed::new(Node::Cast { expr: Box::new(inner), to }, ty))
}

fn collate(b: &mut Binder<'_>, expr: &Expr, name: &str) -> Result<Typed> {
    let inner = b.bind(expr)?;
    let collation = Collation::from_name(name).ok_or_else(|| crate::error::unknown_collation(name))?;
    if inner.ty.null {
        return Ok(inner);
    }
    let mut inner = inner;
    if !inner.ty.is_text() {
        let to = crate::ast::CastType::Char { len: None, charset: None };
        let ty = cast::cast_type(&inner, &to, collation);
        inner = Typed::new(Node::Cast { expr: Box::new(inner), to }, ty);
    }
    if inner.ty.collation().charset() != collation.charset() {
        let charset = inner.ty.collation().charset();
        return Err(SqlError::new(
            1253,
            format!("COLLATION '{}' is not valid for CHARACTER SET '{charset}'", collation.name()),
        ));
    }
    let ty = Ty { derivation: derivation::EXPLICIT, nullable: true, ..inner.ty };
    let ty = Ty { col: ColumnType { collation, ..ty.col }, ..ty };
    Ok(Typed::new(Node::Same(Box::new(inner)), ty))
}

/// The inference context of functions.
pub(super) fn infer<'a>(b: &'a Binder<'_>) -> Infer<'a> {
    Infer { collation: b.context.settings.collation_connection, context: b.context }
}
