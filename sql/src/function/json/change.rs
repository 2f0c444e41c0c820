//! Functions that return a changed document: JSON_SET, JSON_INSERT, JSON_REPLACE, JSON_REMOVE, JSON_ARRAY_APPEND, JSON_ARRAY_INSERT, and the merges.

use super::{document, part, single_path};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Ty, Typed};
use values::Value;
use values::json::Json;
use values::json::path::{Leg, Path};

/// What happens at a path.
type Change = fn(&mut Json, &Path, Json) -> Result<()>;

/// Applies `change` for each pair of path and value.
fn changed(args: &[Typed], name: &str, change: Change, e: &mut Eval<'_>) -> Result<Value> {
    let Some(mut whole) = document(&args[0], 1, name, e)? else { return Ok(Value::Null) };
    for pair in args[1..].chunks(2) {
        let Some(path) = single_path(&pair[0], e)? else { return Ok(Value::Null) };
        let value = part(&pair[1], e)?;
        change(&mut whole, &path, value)?;
    }
    if whole.depth() > values::json::MAX_DEPTH {
        return Err(SqlError::new(3157, "The JSON document exceeds the maximum depth."));
    }
    Ok(whole.value())
}

fn replace_at(whole: &mut Json, path: &Path, value: Json) -> Result<()> {
    if let Some(part) = path.find_mut(whole) {
        *part = value;
    }
    Ok(())
}

/// Puts a value where there is none: a new member, a new last element; a scalar becomes the first element of an array.
fn insert_at(whole: &mut Json, path: &Path, value: Json) -> Result<()> {
    if path.find_mut(whole).is_some() {
        return Ok(());
    }
    match path.parent(whole) {
        Some((Some(Json::Object(members)), Leg::Member(name))) => members.put(name, value),
        Some((Some(Json::Array(items)), Leg::Element(index))) => {
            if index.is_before_start(items.len()) {
                items.insert(0, value);
            } else {
                items.push(value);
            }
        }
        Some((Some(other), Leg::Element(index))) => {
            let scalar = std::mem::replace(other, Json::Null);
            let pair = if index.is_before_start(1) { vec![value, scalar] } else { vec![scalar, value] };
            *other = Json::Array(pair);
        }
        _ => {}
    }
    Ok(())
}

fn set_at(whole: &mut Json, path: &Path, value: Json) -> Result<()> {
    if path.find_mut(whole).is_some() {
        replace_at(whole, path, value)
    } else {
        insert_at(whole, path, value)
    }
}

pub(super) fn set(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    changed(args, "json_set", set_at, e)
}

pub(super) fn insert(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    changed(args, "json_insert", insert_at, e)
}

pub(super) fn replace(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    changed(args, "json_replace", replace_at, e)
}

/// Appends to the array at a path; anything else there becomes an array first.
pub(super) fn array_append(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let append: Change = |whole, path, value| {
        match path.find_mut(whole) {
            Some(Json::Array(items)) => items.push(value),
            Some(other) => {
                let first = std::mem::replace(other, Json::Null);
                *other = Json::Array(vec![first, value]);
            }
            None => {}
        }
        Ok(())
    };
    changed(args, "json_array_append", append, e)
}

/// Inserts before the element of a path.
pub(super) fn array_insert(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let insert: Change = |whole, path, value| match path.parent(whole) {
        Some((parent, Leg::Element(index))) => {
            if let Some(Json::Array(items)) = parent {
                let at = if index.is_before_start(items.len()) { 0 } else { index.at(items.len()) };
                items.insert(at.min(items.len()), value);
            }
            Ok(())
        }
        _ => Err(SqlError::new(3165, "A path expression is not a path to a cell in an array.")),
    };
    changed(args, "json_array_insert", insert, e)
}

pub(super) fn remove(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(mut whole) = document(&args[0], 1, "json_remove", e)? else { return Ok(Value::Null) };
    for arg in &args[1..] {
        let Some(path) = single_path(arg, e)? else { return Ok(Value::Null) };
        match path.parent(&mut whole) {
            None => {
                return Err(SqlError::new(3153, "The path expression '$' is not allowed in this context."));
            }
            Some((Some(Json::Object(members)), Leg::Member(name))) => {
                members.remove(name);
            }
            Some((Some(Json::Array(items)), Leg::Element(index))) => {
                let at = index.at(items.len());
                if at < items.len() {
                    items.remove(at);
                }
            }
            _ => {}
        }
    }
    Ok(whole.value())
}

fn merge(args: &[Typed], name: &str, join: fn(Json, Json) -> Json, e: &mut Eval<'_>) -> Result<Option<Json>> {
    let mut all = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        let Some(one) = document(arg, i + 1, name, e)? else { return Ok(None) };
        all.push(one);
    }
    let merged = all.into_iter().reduce(join);
    if merged.as_ref().is_some_and(|m| m.depth() > values::json::MAX_DEPTH) {
        return Err(SqlError::new(3157, "The JSON document exceeds the maximum depth."));
    }
    Ok(merged)
}

pub(super) fn merge_preserve(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(merge(args, "json_merge_preserve", Json::merged, e)?.map_or(Value::Null, |d| d.value()))
}

pub(super) fn merge_patch(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(merge(args, "json_merge_patch", Json::patched, e)?.map_or(Value::Null, |d| d.value()))
}
