//! Function calls and aggregates.

use super::{Binder, BoundAggregate, operator};
use crate::ast::{AggKind, Aggregate, Expr};
use crate::error::{Result, SqlError};
use crate::exec::named_lock::LockCall;
use crate::expr::numeric::binary_operand;
use crate::expr::ty::{Class, derivation};
use crate::expr::{Node, Ty, Typed};
use crate::function;
use values::{Collation, ColumnType, TypeKind};

pub(super) fn bind(b: &mut Binder<'_>, name: &str, args: &[Expr]) -> Result<Typed> {
    if name.eq_ignore_ascii_case("sleep") {
        return b.sleep(args);
    }
    if let Some((call, wanted)) = LockCall::named(name) {
        if args.len() != wanted {
            return Err(crate::error::wrong_param_count(name));
        }
        return b.waiting(crate::plan::SubKind::NamedLock(call), args, call.ty());
    }
    let function = function::lookup(name, args.len(), b.context.schema.as_deref())?;
    let mut args = args.iter().map(|a| b.bind(a)).collect::<Result<Vec<_>>>()?;
    let ty = (function.infer)(&mut args, &operator::infer(b));
    // A function that counts its arguments by twos knows its name, but not as it is written here.
    let ty = ty.map_err(|e| if e.code == 1582 { crate::error::wrong_param_count(name) } else { e })?;
    Ok(Typed::new(Node::Func { function, args }, ty))
}

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Typed> {
        let Some(mut collected) = self.aggregates.take() else {
            if self.parent.is_some() {
                return Err(crate::error::unsupported("aggregates over columns of an outer query"));
            }
            return Err(SqlError::new(1111, "Invalid use of group function"));
        };
        if let Some(at) = collected.iter().position(|a| a.source == *aggregate) {
            let ty = collected[at].ty;
            self.aggregates = Some(collected);
            return Ok(Typed::new(Node::Agg(at), ty));
        }
        // Inside the arguments `aggregates` is None, so a nested aggregate is 1111.
        let (aliases, place, windows) = (self.aliases.take(), self.place, self.windows.take());
        let bound = self.aggregate_parts(aggregate);
        (self.aliases, self.place, self.windows) = (aliases, place, windows);
        let bound = bound?;
        let (at, ty) = (collected.len(), bound.ty);
        collected.push(bound);
        self.aggregates = Some(collected);
        Ok(Typed::new(Node::Agg(at), ty))
    }

    pub(super) fn aggregate_parts(&mut self, aggregate: &Aggregate) -> Result<BoundAggregate> {
        let args = aggregate.args.iter().map(|a| self.bind(a)).collect::<Result<Vec<_>>>()?;
        let mut order = Vec::with_capacity(aggregate.order_by.len());
        for item in &aggregate.order_by {
            order.push((self.bind(&item.expr)?, item.desc));
        }
        let (mut own, mut outer) = (args.is_empty(), false);
        for arg in &args {
            arg.walk(&mut |node| {
                own |= matches!(node, Node::Column(_));
                outer |= matches!(node, Node::Slot(_));
            });
        }
        if outer && !own {
            return Err(crate::error::unsupported("aggregates over columns of an outer query"));
        }
        let bits = matches!(aggregate.kind, AggKind::BitAnd | AggKind::BitOr | AggKind::BitXor);
        if bits && args.iter().any(|a| binary_operand(a) && a.ty.width > 511) {
            let message = "Aggregate bitwise functions cannot accept arguments longer than 511 bytes; \
                           consider using the SUBSTRING() function";
            return Err(SqlError::new(3514, message));
        }
        let ty = self.aggregate_type(aggregate.kind, &args);
        Ok(BoundAggregate { source: aggregate.clone(), args, order, ty })
    }

    fn aggregate_type(&self, kind: AggKind, args: &[Typed]) -> Ty {
        let arg = args.first().map_or(Ty::null(), |a| a.ty);
        match kind {
            AggKind::Count => Ty::int(21).not_null(),
            AggKind::BitAnd | AggKind::BitOr | AggKind::BitXor => {
                match args.first().filter(|a| binary_operand(a)) {
                    Some(bytes) => {
                        Ty::text(bytes.ty.width + 1, Collation::BINARY, derivation::COERCIBLE).not_null()
                    }
                    None => Ty::uint(21).not_null(),
                }
            }
            AggKind::Sum => match arg.number_class() {
                Class::Int | Class::Decimal => {
                    Ty::decimal(arg.integer_digits() + arg.scale() + 22, arg.scale(), false)
                }
                _ => Ty { width: 23, ..Ty::double() },
            },
            AggKind::Avg => match arg.number_class() {
                Class::Int | Class::Decimal => {
                    let increment = u32::from(self.context.settings.div_precision_increment);
                    let scale = (arg.scale() + increment).min(30);
                    Ty::decimal(arg.integer_digits() + scale, scale, false)
                }
                _ => Ty { width: 23, ..Ty::double() },
            },
            AggKind::Min | AggKind::Max | AggKind::AnyValue => arg.or_null(true),
            AggKind::StddevPop | AggKind::StddevSamp | AggKind::VarPop | AggKind::VarSamp => {
                Ty { width: 23, ..Ty::double() }
            }
            AggKind::JsonArray | AggKind::JsonObject => crate::function::json::ty(),
            AggKind::GroupConcat => {
                let binary = args.iter().any(|a| a.ty.col.is_binary() && !a.ty.null);
                let collation =
                    if binary { Collation::BINARY } else { self.context.settings.collation_connection };
                let length = self.context.settings.group_concat_max_len as u32;
                let col = if binary {
                    ColumnType::blob(TypeKind::LongBlob)
                } else {
                    ColumnType::text(TypeKind::LongText, collation)
                };
                let ty = Ty::of(ColumnType { length, ..col }, true).with_derivation(derivation::COERCIBLE);
                // As MySQL counts it: sixteen characters for each of group_concat_max_len.
                Ty { width: length.saturating_mul(16), ..ty }
            }
        }
    }
}
