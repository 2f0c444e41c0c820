//! Functions about the session: who, where, what happened before.

use super::{Function, function, volatile};
use crate::error::{Result, SqlError};
use crate::expr::ty::derivation;
use crate::expr::{Eval, Node, Ty, Typed};
use crate::variable::VERSION;
use values::{Collation, ColumnType, TypeKind, Value};

fn system(chars: u32) -> Ty {
    Ty::text(chars, Collation::DEFAULT, derivation::SYSTEM)
}

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "version",
        0,
        0,
        |_, _| Ok(system(VERSION.len() as u32).not_null()),
        |_, _, _| Ok(Value::text(VERSION)),
    ),
    function("database", 0, 0, |_, _| Ok(system(64)), database),
    function("schema", 0, 0, |_, _| Ok(system(64)), database),
    function("user", 0, 0, |_, _| Ok(system(288)), user),
    function("system_user", 0, 0, |_, _| Ok(system(288)), user),
    function("session_user", 0, 0, |_, _| Ok(system(288)), user),
    function(
        "current_user",
        0,
        0,
        |_, _| Ok(system(288)),
        |_, _, e| {
            let (user, host) = &e.context.account;
            Ok(Value::text(&format!("{user}@{host}")))
        },
    ),
    function("current_role", 0, 0, |_, _| Ok(system(50_331_648)), current_role),
    function(
        "connection_id",
        0,
        0,
        |_, _| Ok(Ty::uint(21).not_null()),
        |_, _, e| Ok(Value::UInt(e.context.connection_id)),
    ),
    volatile("last_insert_id", 0, 1, |args, _| Ok(Ty::uint(21).or_null(!args.is_empty())), last_insert_id),
    volatile(
        "row_count",
        0,
        0,
        |_, _| Ok(Ty::int(21).not_null()),
        |_, _, e| Ok(Value::Int(e.context.row_count)),
    ),
    volatile(
        "found_rows",
        0,
        0,
        |_, _| Ok(Ty::int(21).not_null()),
        |_, _, e| Ok(Value::Int(e.context.found_rows as i64)),
    ),
    // secure_file_priv is NULL: no file may be read.
    function(
        "load_file",
        1,
        1,
        |_, _| Ok(Ty::of(ColumnType::blob(TypeKind::LongBlob), true)),
        |_, _, _| Ok(Value::Null),
    ),
    function(
        "name_const",
        2,
        2,
        |args, _| match (&args[0].node, &args[1].node) {
            (Node::Const(_), Node::Const(_) | Node::Neg(..)) => Ok(args[1].ty.or_null(true)),
            _ => Err(SqlError::new(1210, "Incorrect arguments to NAME_CONST")),
        },
        |args, _, e| args[1].eval(e),
    ),
    // No component judges passwords here: none is strong.
    function(
        "validate_password_strength",
        1,
        1,
        |_, _| Ok(Ty::int(10)),
        |args, _, e| Ok(if args[0].eval(e)?.is_null() { Value::Null } else { Value::Int(0) }),
    ),
    volatile("uuid", 0, 0, |_, _| Ok(system(36)), uuid),
];

fn database(_: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(e.context.schema.as_deref().map_or(Value::Null, Value::text))
}

fn user(_: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(Value::text(&format!("{}@{}", e.context.user, e.context.host)))
}

fn last_insert_id(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(arg) = args.first() else { return Ok(Value::UInt(e.context.last_insert_id)) };
    match arg.integer(e)? {
        None => {
            e.context.set_insert_id = Some(0);
            Ok(Value::Null)
        }
        Some(id) => {
            e.context.set_insert_id = Some(id as u64);
            Ok(Value::UInt(id as u64))
        }
    }
}

/// A version 4 UUID; MySQL's are version 1, but only uniqueness is promised.
fn uuid(_: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let (high, low) = (e.context.next_random(), e.context.next_random());
    Ok(Value::text(&format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48 & 0x3fff),
        low & 0xffff_ffff_ffff
    )))
}

/// The roles the session acts in, as MySQL lists them.
fn current_role(_: &[Typed], _: &Ty, eval: &mut Eval<'_>) -> Result<Value> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let roles =
        eval.context.roles.iter().map(|role| format!("{}@{}", quoted(&role.user), quoted(&role.host)));
    let list = roles.collect::<Vec<_>>().join(",");
    Ok(Value::text(if list.is_empty() { "NONE" } else { &list }))
}
