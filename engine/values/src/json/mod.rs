//! JSON documents: the tree that functions work on, its text, its binary form (docs/formats/json.md), paths and order.
//!
//! ```text
//!   text ──parse──> Json ──encode──> bytes of a cell (Value::Json) ──decode──> Json ──print──> text
//! ```
//! 1. Members of an object are unique and sorted by the length of their names, then by bytes: MySQL's order. Of two members of one name the
//!    last one stays.
//! 2. A document is nested at most [`MAX_DEPTH`] deep, so recursion is bounded.
//! 3. Numbers keep their kind: integers, DECIMAL (from SQL values only) and doubles. Temporal and binary values keep theirs.

mod binary;
mod compare;
pub mod path;
#[cfg(test)]
mod tests;
mod text;

pub use compare::{compare, contains};
pub use text::{Malformed, parse};

use crate::decimal::Decimal;
use crate::temporal::{Date, DateTime, Time};
use crate::value::{Blob, Value};
use std::fmt::Write as _;

/// How deep a document may be nested; deeper is error 3157.
pub const MAX_DEPTH: usize = 100;

/// A document, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// The JSON literal, not SQL's NULL.
    Null,
    /// true, false
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond BIGINT.
    UInt(u64),
    /// A number with a point or an exponent.
    Double(f64),
    /// An exact number that came from SQL.
    Decimal(Decimal),
    /// A string.
    String(Box<str>),
    /// A date.
    Date(Date),
    /// A time.
    Time(Time),
    /// A datetime or timestamp.
    DateTime(DateTime),
    /// Bytes: printed as base 64.
    Opaque(Blob),
    /// `[...]`
    Array(Vec<Json>),
    /// `{...}`
    Object(Members),
}

/// The members of an object, in order (invariant 1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(Vec<(Box<str>, Json)>);

impl Members {
    /// Where `name` is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(n, _)| (n.len(), n.as_bytes()).cmp(&(name.len(), name.as_bytes())))
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// The member of this name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.place(name).ok().map(|at| &mut self.0[at].1)
    }

    /// Puts a member in, in the place of one with the same name.
    pub fn put(&mut self, name: &str, value: Json) {
        match self.place(name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (Box::from(name), value)),
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.place(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> {
        self.0.iter().map(|(n, v)| (&**n, v))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Json {
    /// A string.
    pub fn string(s: &str) -> Self {
        Self::String(Box::from(s))
    }

    /// A SQL value as a document: text becomes a string, it is not parsed. NULL is the null literal.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(v) => Self::Int(*v),
            Value::UInt(v) => i64::try_from(*v).map_or(Self::UInt(*v), Self::Int),
            Value::Float(v) => Self::Double(f64::from(*v)),
            Value::Double(v) => Self::Double(*v),
            Value::Decimal(v) => Self::Decimal(v.clone()),
            Value::Text(t) => Self::string(t.as_str()),
            Value::Bytes(b) => Self::Opaque(b.clone()),
            Value::Date(v) => Self::Date(*v),
            Value::Time(v) => Self::Time(*v),
            Value::DateTime(v) => Self::DateTime(*v),
            Value::Timestamp(v) => Self::DateTime(v.to_datetime(crate::temporal::Zone::UTC)),
            Value::Year(v) => Self::Int(i64::from(v.get())),
            Value::Bit(v) => Self::Opaque(Blob::from(v.bytes())),
            Value::Choice(v) => Self::string(&v.text()),
            Value::Json(bytes) => Self::decode(bytes.as_bytes()).unwrap_or(Self::Null),
        }
    }

    /// The document as a value.
    pub fn value(&self) -> Value {
        Value::Json(Blob::from(self.encode()))
    }

    /// A number as a SQL value; `None` for everything that is none.
    pub fn number(&self) -> Option<Value> {
        Some(match self {
            Self::Bool(v) => Value::Int(i64::from(*v)),
            Self::Int(v) => Value::Int(*v),
            Self::UInt(v) => Value::UInt(*v),
            Self::Double(v) => Value::Double(*v),
            Self::Decimal(v) => Value::Decimal(v.clone()),
            _ => return None,
        })
    }

    /// JSON_TYPE's word.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "BOOLEAN",
            Self::Int(_) => "INTEGER",
            Self::UInt(_) => "UNSIGNED INTEGER",
            Self::Double(_) => "DOUBLE",
            Self::Decimal(_) => "DECIMAL",
            Self::String(_) => "STRING",
            Self::Date(_) => "DATE",
            Self::Time(_) => "TIME",
            Self::DateTime(_) => "DATETIME",
            Self::Opaque(_) => "BLOB",
            Self::Array(_) => "ARRAY",
            Self::Object(_) => "OBJECT",
        }
    }

    /// Elements of an array, members of an object, 1 for a scalar.
    pub fn len(&self) -> usize {
        match self {
            Self::Array(items) => items.len(),
            Self::Object(members) => members.len(),
            _ => 1,
        }
    }

    /// Whether it is an array or object without anything in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Levels: 1 for a scalar and for empty containers.
    pub fn depth(&self) -> usize {
        match self {
            Self::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Object(members) => 1 + members.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// Its string, unquoted; everything else as it prints.
    pub fn unquoted(&self) -> String {
        match self {
            Self::String(s) => s.to_string(),
            Self::Date(_) | Self::Time(_) | Self::DateTime(_) | Self::Opaque(_) => {
                let quoted = self.to_string();
                quoted.trim_matches('"').to_owned()
            }
            other => other.to_string(),
        }
    }

    /// Two documents as one: arrays are joined, objects merged member by member, anything else becomes elements of an array.
    pub fn merged(self, other: Self) -> Self {
        match (self, other) {
            (Self::Object(mut a), Self::Object(b)) => {
                for (name, value) in b.0 {
                    let merged = match a.remove(&name) {
                        Some(before) => before.merged(value),
                        None => value,
                    };
                    a.put(&name, merged);
                }
                Self::Object(a)
            }
            (Self::Array(mut a), Self::Array(b)) => {
                a.extend(b);
                Self::Array(a)
            }
            (Self::Array(mut a), b) => {
                a.push(b);
                Self::Array(a)
            }
            (a, Self::Array(b)) => Self::Array(std::iter::once(a).chain(b).collect()),
            (a, b) => Self::Array(vec![a, b]),
        }
    }

    /// RFC 7396: members of `patch` replace, null removes.
    pub fn patched(self, patch: Self) -> Self {
        let Self::Object(patch) = patch else { return patch };
        let mut target = match self {
            Self::Object(members) => members,
            _ => Members::default(),
        };
        for (name, value) in patch.0 {
            if value == Self::Null {
                target.remove(&name);
                continue;
            }
            let before = target.remove(&name).unwrap_or(Self::Null);
            target.put(&name, before.patched(value));
        }
        Self::Object(target)
    }
}

/// A string in quotes, escaped as MySQL does.
pub fn quote(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
}
