//! Functions that look into documents: JSON_EXTRACT, JSON_CONTAINS, JSON_KEYS, JSON_LENGTH, JSON_OVERLAPS, JSON_SEARCH.

use super::{document, path, single_path};
use crate::error::{Result, SqlError};
use crate::expr::{Eval, Ty, Typed};
use std::cmp::Ordering;
use values::json::path::{Leg, Path};
use values::json::{Json, compare, contains};
use values::like::Pattern;
use values::{Collation, Value};

/// The part that one path means; an array of all parts when there are several paths, or one that may mean several.
pub(super) fn extract(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(whole) = document(&args[0], 1, "json_extract", e)? else { return Ok(Value::Null) };
    let mut found = Vec::new();
    let mut plural = args.len() > 2;
    for arg in &args[1..] {
        let Some(path) = path(arg, e)? else { return Ok(Value::Null) };
        plural |= path.is_plural();
        found.extend(path.find(&whole).into_iter().cloned());
    }
    Ok(match (found.len(), plural) {
        (0, _) => Value::Null,
        (_, true) => Json::Array(found).value(),
        (_, false) => found[0].value(),
    })
}

/// The part of argument 0 that the path argument (if any) means; `None` for NULL and for no such part.
fn part_at(args: &[Typed], at: usize, name: &str, e: &mut Eval<'_>) -> Result<Option<Json>> {
    let Some(whole) = document(&args[0], 1, name, e)? else { return Ok(None) };
    let Some(arg) = args.get(at) else { return Ok(Some(whole)) };
    let Some(path) = single_path(arg, e)? else { return Ok(None) };
    Ok(path.find(&whole).first().map(|part| (*part).clone()))
}

pub(super) fn contains_part(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(wanted) = document(&args[1], 2, "json_contains", e)? else { return Ok(Value::Null) };
    let part = part_at(args, 2, "json_contains", e)?;
    Ok(part.map_or(Value::Null, |part| Value::bool(contains(&part, &wanted))))
}

/// 'one' or 'all'; 3154 for anything else.
fn wants_all(arg: &Typed, name: &str, e: &mut Eval<'_>) -> Result<Option<bool>> {
    let Some(word) = arg.text(e)? else { return Ok(None) };
    match word.as_str().to_ascii_lowercase().as_str() {
        "one" => Ok(Some(false)),
        "all" => Ok(Some(true)),
        _ => Err(SqlError::new(
            3154,
            format!("The oneOrAll argument to {name} may take these values: 'one' or 'all'."),
        )),
    }
}

pub(super) fn contains_path(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(whole) = document(&args[0], 1, "json_contains_path", e)? else { return Ok(Value::Null) };
    let Some(all) = wants_all(&args[1], "json_contains_path", e)? else { return Ok(Value::Null) };
    for arg in &args[2..] {
        let Some(path) = path(arg, e)? else { return Ok(Value::Null) };
        let found = !path.find(&whole).is_empty();
        if found != all {
            return Ok(Value::bool(found));
        }
    }
    Ok(Value::bool(all))
}

pub(super) fn keys(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(match part_at(args, 1, "json_keys", e)? {
        Some(Json::Object(members)) => {
            Json::Array(members.iter().map(|(name, _)| Json::string(name)).collect()).value()
        }
        _ => Value::Null,
    })
}

pub(super) fn length(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    Ok(part_at(args, 1, "json_length", e)?.map_or(Value::Null, |part| Value::Int(part.len() as i64)))
}

/// Two arrays with an element in common, two objects with a member in common, two equal scalars, or an array and its element.
pub(super) fn overlaps(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(a) = document(&args[0], 1, "json_overlaps", e)? else { return Ok(Value::Null) };
    let Some(b) = document(&args[1], 2, "json_overlaps", e)? else { return Ok(Value::Null) };
    let same = |x: &Json, y: &Json| compare(x, y) == Ordering::Equal;
    Ok(Value::bool(match (&a, &b) {
        (Json::Array(a), Json::Array(b)) => a.iter().any(|x| b.iter().any(|y| same(x, y))),
        (Json::Array(items), other) | (other, Json::Array(items)) => items.iter().any(|x| same(x, other)),
        (Json::Object(a), Json::Object(b)) => {
            a.iter().any(|(name, x)| b.get(name).is_some_and(|y| same(x, y)))
        }
        (a, b) => same(a, b),
    }))
}

/// value MEMBER OF (array): whether an element equals it; a scalar is an array of itself.
pub(super) fn member_of(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    if args[0].eval(e)?.is_null() {
        return Ok(Value::Null);
    }
    let wanted = super::part(&args[0], e)?;
    let Some(whole) = document(&args[1], 2, "member of", e)? else { return Ok(Value::Null) };
    let same = |x: &Json| compare(x, &wanted) == Ordering::Equal;
    Ok(Value::bool(match &whole {
        Json::Array(items) => items.iter().any(same),
        other => same(other),
    }))
}

/// The paths of strings that a LIKE pattern matches: the first, or all in an array.
pub(super) fn search(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(whole) = document(&args[0], 1, "json_search", e)? else { return Ok(Value::Null) };
    let Some(all) = wants_all(&args[1], "json_search", e)? else { return Ok(Value::Null) };
    let Some(wanted) = args[2].text(e)? else { return Ok(Value::Null) };
    let escape = match args.get(3).map(|a| a.text(e)).transpose()?.flatten() {
        None => Some('\\'),
        Some(text) if text.as_str().chars().count() > 1 => {
            return Err(SqlError::new(1210, "Incorrect arguments to ESCAPE"));
        }
        Some(text) => Some(text.as_str().chars().next().unwrap_or('\\')),
    };
    let pattern = Pattern::new(wanted.as_bytes(), escape, Collation::UTF8MB4_BIN);
    let mut found = Vec::new();
    if args.len() <= 4 {
        matching(&whole, &Path::root(), &pattern, &mut found);
    }
    for arg in args.get(4..).unwrap_or_default() {
        let Some(start) = single_path(arg, e)? else { return Ok(Value::Null) };
        if let Some(part) = start.find(&whole).first() {
            matching(part, &start, &pattern, &mut found);
        }
    }
    let mut paths: Vec<Json> = found.iter().map(|p| Json::string(&p.to_string())).collect();
    paths.dedup();
    Ok(match (paths.len(), all) {
        (0, _) => Value::Null,
        (1, _) | (_, false) => paths[0].value(),
        _ => Json::Array(paths).value(),
    })
}

fn matching(part: &Json, at: &Path, pattern: &Pattern, out: &mut Vec<Path>) {
    match part {
        Json::String(s) if pattern.matches(s.as_bytes()) => out.push(at.clone()),
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                matching(item, &at.then(Path::element(i)), pattern, out);
            }
        }
        Json::Object(members) => {
            for (name, value) in members.iter() {
                matching(value, &at.then(Leg::Member(name.to_owned())), pattern, out);
            }
        }
        _ => {}
    }
}
