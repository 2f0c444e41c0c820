//! JSON functions: what they are called, how arguments become documents and paths, and the functions that make documents.
//!
//! A document argument may be JSON or text, which is parsed (3141 when it is none); where a value is put into a document, text is a string.
//! Paths are text (3143); a path of NULL, or a document of NULL, makes the result NULL.

mod change;
mod read;

use super::string::shape::ascii;
use super::{ANY, Function, Infer, function};
use crate::error::{Result, SqlError, wrong_param_count};
use crate::expr::ty::derivation;
use crate::expr::{Eval, Node, Ty, Typed};
use values::json::path::Path;
use values::json::{Json, Malformed, Members, parse};
use values::{Collation, ColumnType, TypeKind, Value};

/// The widths of JSON results that are text.
const TEXT_WIDTH: u32 = u32::MAX / 4;

pub(super) const FUNCTIONS: &[Function] = &[
    function("json_array", 0, ANY, |_, _| Ok(ty().not_null()), array),
    function(
        "json_array_append",
        3,
        ANY,
        |args, _| changing(args, "json_array_append"),
        change::array_append,
    ),
    function(
        "json_array_insert",
        3,
        ANY,
        |args, _| changing(args, "json_array_insert"),
        change::array_insert,
    ),
    function("json_contains", 2, 3, truth, read::contains_part),
    function("json_contains_path", 3, ANY, truth, read::contains_path),
    function("json_depth", 1, 1, whole, |args, _, e| {
        let document = document(&args[0], 1, "json_depth", e)?;
        Ok(document.map_or(Value::Null, |d| Value::Int(d.depth() as i64)))
    }),
    function("json_extract", 2, ANY, |_, _| Ok(ty()), read::extract),
    function("json_insert", 3, ANY, |args, _| changing(args, "json_insert"), change::insert),
    function("json_keys", 1, 2, |_, _| Ok(ty()), read::keys),
    function("json_length", 1, 2, whole, read::length),
    function("json_merge_patch", 2, ANY, |_, _| Ok(ty()), change::merge_patch),
    function("json_merge_preserve", 2, ANY, |_, _| Ok(ty()), change::merge_preserve),
    function("json_object", 0, ANY, object_type, object),
    function("json_overlaps", 2, 2, truth, read::overlaps),
    function(
        "json_pretty",
        1,
        1,
        |_, _| Ok(long_text()),
        |args, _, e| {
            let document = document(&args[0], 1, "json_pretty", e)?;
            Ok(document.map_or(Value::Null, |d| Value::text(&d.pretty())))
        },
    ),
    function(
        "json_quote",
        1,
        1,
        |args, infer| Ok(ascii(args[0].ty.width.saturating_mul(6).saturating_add(2).min(TEXT_WIDTH), infer)),
        quote,
    ),
    function("json_remove", 2, ANY, |_, _| Ok(ty()), change::remove),
    function("json_replace", 3, ANY, |args, _| changing(args, "json_replace"), change::replace),
    function("json_search", 3, ANY, |_, _| Ok(ty()), read::search),
    function("json_set", 3, ANY, |args, _| changing(args, "json_set"), change::set),
    function("json_storage_size", 1, 1, whole, |args, _, e| {
        let document = document(&args[0], 1, "json_storage_size", e)?;
        Ok(document.map_or(Value::Null, |d| Value::Int(d.encode().len() as i64)))
    }),
    function(
        "json_type",
        1,
        1,
        |_, _| Ok(Ty::text(51, Collation::DEFAULT, derivation::COERCIBLE)),
        |args, _, e| {
            let document = document(&args[0], 1, "json_type", e)?;
            Ok(document.map_or(Value::Null, |d| Value::text(d.type_name())))
        },
    ),
    function("json_unquote", 1, 1, |_, _| Ok(long_text()), unquote),
    // No name that could be written: `value MEMBER OF (array)`.
    function("member of", 2, 2, truth, read::member_of),
    function("json_valid", 1, 1, |args, _| Ok(Ty::bool(args[0].ty.nullable)), valid),
];

/// The type of a document.
pub(crate) fn ty() -> Ty {
    Ty { width: TEXT_WIDTH, ..Ty::of(ColumnType::json(), true) }
}

fn long_text() -> Ty {
    let col = ColumnType::text(TypeKind::LongText, Collation::UTF8MB4_BIN);
    Ty { width: TEXT_WIDTH, derivation: derivation::IMPLICIT, ..Ty::of(col, true) }
}

fn whole(_: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::int(21))
}

fn truth(_: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    Ok(Ty::bool(true))
}

/// A document, then pairs of path and value.
fn changing(args: &[Typed], name: &str) -> Result<Ty> {
    if args.len().is_multiple_of(2) { Err(wrong_param_count(name)) } else { Ok(ty()) }
}

fn object_type(args: &mut [Typed], _: &Infer<'_>) -> Result<Ty> {
    if args.len().is_multiple_of(2) { Ok(ty().not_null()) } else { Err(wrong_param_count("json_object")) }
}

/// 3157 for what is nested too deep, else the error `otherwise` makes of MySQL's sentence and position.
fn malformed(m: Malformed, otherwise: impl Fn(String) -> SqlError) -> SqlError {
    if m.message.is_empty() {
        return SqlError::new(3157, "The JSON document exceeds the maximum depth.");
    }
    otherwise(format!("\"{}\" at position {}.", m.message, m.at))
}

/// Argument `n` (from 1) of `function` as a document; `None` for SQL's NULL.
pub(crate) fn document(arg: &Typed, n: usize, function: &str, e: &mut Eval<'_>) -> Result<Option<Json>> {
    let value = arg.eval(e)?;
    match &value {
        Value::Null => Ok(None),
        Value::Json(_) => Ok(Some(Json::of(&value))),
        Value::Bytes(_) => {
            Err(SqlError::new(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'."))
        }
        Value::Text(text) => parse(text.as_str()).map(Some).map_err(|m| {
            malformed(m, |what| {
                SqlError::new(
                    3141,
                    format!("Invalid JSON text in argument {n} to function {function}: {what}"),
                )
            })
        }),
        _ => Err(SqlError::new(
            3146,
            format!(
                "Invalid data type for JSON data in argument {n} to function {function}; a JSON string or JSON type is required."
            ),
        )),
    }
}

/// Any value as a part of a document: text is a string, truth is a boolean, NULL is null.
pub(crate) fn part(arg: &Typed, e: &mut Eval<'_>) -> Result<Json> {
    let value = arg.eval(e)?;
    Ok(part_of(&value, &arg.ty, e))
}

/// The same of a value that is there already.
pub(crate) fn part_of(value: &Value, ty: &Ty, e: &Eval<'_>) -> Json {
    let is_truth = ty.col.kind == TypeKind::BigInt && ty.width == 1;
    match value {
        Value::Int(v @ (0 | 1)) if is_truth => Json::Bool(*v == 1),
        Value::Timestamp(v) => Json::DateTime(v.to_datetime(e.context.settings.zone)),
        other => Json::of(other),
    }
}

/// A path argument; `None` for NULL.
fn path(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<Path>> {
    let Some(text) = arg.text(e)? else { return Ok(None) };
    let found = Path::parse(text.as_str());
    found.map(Some).map_err(|at| {
        let text = format!("Invalid JSON path expression. The error is around character position {at}.");
        SqlError::new(3143, text)
    })
}

/// A path that means one place at most: 3149 otherwise.
fn single_path(arg: &Typed, e: &mut Eval<'_>) -> Result<Option<Path>> {
    let path = path(arg, e)?;
    if path.as_ref().is_some_and(Path::is_plural) {
        return Err(SqlError::new(
            3149,
            "In this situation, path expressions may not contain the * and ** tokens or an array range.",
        ));
    }
    Ok(path)
}

fn array(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let items = args.iter().map(|arg| part(arg, e)).collect::<Result<Vec<_>>>()?;
    Ok(Json::Array(items).value())
}

fn object(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let mut members = Members::default();
    for pair in args.chunks(2) {
        let Some(name) = pair[0].text(e)? else { return Err(null_name()) };
        let value = part(&pair[1], e)?;
        members.put(name.as_str(), value);
    }
    Ok(Json::Object(members).value())
}

/// 3158
pub(crate) fn null_name() -> SqlError {
    SqlError::new(3158, "JSON documents may not contain NULL member names.")
}

fn quote(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(text) = args[0].text(e)? else { return Ok(Value::Null) };
    if !args[0].ty.is_text() {
        return Err(SqlError::new(3064, "Incorrect type for argument 1 in function json_quote."));
    }
    let mut out = String::new();
    values::json::quote(text.as_str(), &mut out);
    Ok(Value::text(&out))
}

/// A JSON string without its quotes; text in quotes is read as one, other text stays.
fn unquote(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let value = args[0].eval(e)?;
    match &value {
        Value::Null => Ok(Value::Null),
        Value::Json(_) => Ok(Value::text(&Json::of(&value).unquoted())),
        _ => {
            let Some(text) = args[0].text(e)? else { return Ok(Value::Null) };
            let s = text.as_str();
            if s.len() < 2 || !s.starts_with('"') || !s.ends_with('"') {
                return Ok(Value::Text(text));
            }
            let inner = parse(s).map_err(|m| {
                malformed(m, |what| {
                    let text = format!("Invalid JSON text in argument 1 to function json_unquote: {what}");
                    SqlError::new(3141, text)
                })
            })?;
            Ok(Value::text(&inner.unquoted()))
        }
    }
}

fn valid(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(match args[0].eval(e)? {
        Value::Null => Value::Null,
        Value::Json(_) => Value::Int(1),
        Value::Text(text) => Value::bool(parse(text.as_str()).is_ok()),
        _ => Value::Int(0),
    })
}

/// CAST(... AS JSON): text is parsed, everything else becomes a part.
pub(crate) fn cast(arg: &Typed, e: &mut Eval<'_>) -> Result<Value> {
    let value = arg.eval(e)?;
    Ok(match &value {
        Value::Null => Value::Null,
        Value::Json(_) => value,
        Value::Text(_) => {
            let constant = Typed::new(Node::Const(value), arg.ty);
            document(&constant, 1, "cast_as_json", e)?.map_or(Value::Null, |d| d.value())
        }
        other => part_of(other, &arg.ty, e).value(),
    })
}
