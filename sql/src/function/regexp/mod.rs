//! REGEXP, REGEXP_LIKE, REGEXP_INSTR, REGEXP_REPLACE, REGEXP_SUBSTR.
//!
//! MySQL's regular expressions are ICU's. [`translate`] reads that syntax, with its errors, and spells it for `fancy-regex`, which searches
//! with automata where it can and backtracks, up to a limit, where a pattern looks around or refers back (docs/decisions/0013).
//!
//! 1. Letter case: a collation that ignores it makes the pattern do so, unless match_type says otherwise.
//! 2. Positions count characters, from 1. Each session keeps its last few compiled patterns ([`Patterns`]).

mod fault;
mod set;
#[cfg(test)]
mod tests;
mod translate;

use super::string::shape::{MAX_WIDTH, width};
use super::{Function, Infer, function};
use crate::error::{Result, SqlError};
use crate::expr::compare::collation_for;
use crate::expr::ty::derivation;
use crate::expr::{Eval, Ty, Typed};
use fancy_regex::{Captures, Error, Regex, RegexBuilder, RuntimeError};
use fault::Fault;
use std::sync::Arc;
use translate::{Flags, Subject};
use values::{Collation, ColumnType, TypeKind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    function("regexp_instr", 2, 6, |args, _| whole(args, 21, "regexp_instr"), instr),
    function("regexp_like", 2, 3, |args, _| whole(args, 1, "regexp_like"), like),
    function("regexp_replace", 3, 6, replace_type, replace),
    function("regexp_substr", 2, 5, substr_type, substr),
];

/// Steps of backtracking before 3699, as many as regexp_time_limit's default of 32 stands for.
const STEP_LIMIT: usize = 3_200_000;
/// Compiled patterns that a session keeps.
const KEPT: usize = 8;

/// What makes a compiled pattern reusable.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    pattern: String,
    flags: Flags,
    subject: Subject,
}

/// A pattern ready to search with.
#[derive(Debug)]
struct Compiled {
    regex: Regex,
    names: Vec<(String, usize)>,
    groups: usize,
}

/// A session's compiled patterns, the last used first.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Vec<(Key, Arc<Compiled>)>);

impl Patterns {
    fn get(&mut self, key: Key) -> Result<Arc<Compiled>> {
        if let Some(at) = self.0.iter().position(|(k, _)| *k == key) {
            self.0[..=at].rotate_right(1);
            return Ok(Arc::clone(&self.0[0].1));
        }
        let compiled = Arc::new(compile(&key)?);
        self.0.truncate(KEPT - 1);
        self.0.insert(0, (key, Arc::clone(&compiled)));
        Ok(compiled)
    }
}

fn compile(key: &Key) -> Result<Compiled> {
    if key.pattern.is_empty() {
        return Err(Fault::Argument.into());
    }
    let translated = translate::translate(&key.pattern, key.flags, key.subject)?;
    let built = RegexBuilder::new(&translated.pattern)
        .case_insensitive(key.flags.ignore_case)
        .backtrack_limit(STEP_LIMIT)
        .build();
    let regex = built.map_err(|error| match error {
        // What is left for the other parser to refuse: unknown properties, and patterns that are too big.
        Error::CompileError(_) if translated.pattern.len() > 1000 => Fault::TooBig,
        Error::ParseError(..) | Error::CompileError(_) => Fault::Argument,
        _ => Fault::Stack,
    })?;
    Ok(Compiled { regex, names: translated.names, groups: translated.groups })
}

fn searching(error: Error) -> SqlError {
    match error {
        Error::RuntimeError(RuntimeError::StackOverflow) => Fault::Stack.into(),
        _ => Fault::Timeout.into(),
    }
}

/// The collation that subject and pattern are compared by. 3995: binary strings have no characters.
fn collation(args: &[Typed], name: &'static str) -> Result<Collation> {
    let (subject, pattern) = (&args[0].ty, &args[1].ty);
    let found = collation_for(subject, pattern, name)?;
    let binary = |t: &Ty| t.is_text() && t.collation() == Collation::BINARY;
    if binary(subject) || binary(pattern) {
        let other = |t: &Ty| if binary(t) { "binary" } else { t.collation().name() };
        let (a, b) = if binary(subject) {
            ("binary", Collation::DEFAULT.name())
        } else {
            (other(subject), other(pattern))
        };
        return Err(SqlError::new(
            3995,
            format!("Character set '{a}' cannot be used in conjunction with '{b}' in call to {name}."),
        ));
    }
    Ok(found)
}

fn whole(args: &mut [Typed], width: u32, name: &'static str) -> Result<Ty> {
    collation(args, name)?;
    Ok(Ty::int(width).or_null(args.iter().any(|a| a.ty.nullable)))
}

fn replace_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    collation(args, "regexp_replace")?;
    let own = args[0].ty;
    let collation = if own.is_text() { own.collation() } else { infer.collation };
    let derivation = if own.is_text() { own.derivation } else { derivation::COERCIBLE };
    let col = ColumnType { length: MAX_WIDTH * 4, ..ColumnType::text(TypeKind::LongText, collation) };
    Ok(Ty { width: MAX_WIDTH, derivation, ..Ty::of(col, true) })
}

fn substr_type(args: &mut [Typed], infer: &Infer<'_>) -> Result<Ty> {
    collation(args, "regexp_substr")?;
    let own = args[0].ty;
    Ok(if own.col.is_lob() {
        Ty {
            width: own.width.saturating_mul(4).min(MAX_WIDTH),
            ..Ty::text(0, own.collation(), own.derivation)
        }
    } else if own.is_text() {
        own.or_null(true)
    } else {
        Ty::text(width(&args[0]), infer.collation, derivation::COERCIBLE)
    })
}

/// A search that is ready: the text, the pattern, where to start.
struct Search {
    text: values::Text,
    compiled: Arc<Compiled>,
    /// Byte of the first character that a match may start at; `None`: behind the end.
    from: Option<usize>,
    position: i128,
    occurrence: i128,
}

/// `[position[, occurrence]]` stand from argument `at` on, match_type is argument `mode`; `None`: an argument is NULL.
fn search(
    args: &[Typed],
    at: usize,
    mode: usize,
    name: &'static str,
    e: &mut Eval<'_>,
) -> Result<Option<Search>> {
    let (Some(text), Some(pattern)) = (args[0].text(e)?, args[1].text(e)?) else { return Ok(None) };
    let mut numbers = [1, 1];
    for (i, number) in numbers.iter_mut().enumerate() {
        if let Some(arg) = args.get(at + i).filter(|_| at + i < mode) {
            let Some(n) = arg.integer(e)? else { return Ok(None) };
            *number = n;
        }
    }
    let mut flags = Flags { ignore_case: collation(args, name)?.ignores_case(), ..Flags::default() };
    if let Some(arg) = args.get(mode) {
        let Some(text) = arg.text(e)? else { return Ok(None) };
        for c in text.as_str().chars() {
            match c {
                'i' => flags.ignore_case = true,
                'c' => flags.ignore_case = false,
                'm' => flags.lines = true,
                'n' => flags.dot_all = true,
                'u' => flags.unix = true,
                _ => return Err(SqlError::new(1210, format!("Incorrect arguments to {name}"))),
            }
        }
    }
    let [position, occurrence] = numbers;
    let s = text.as_str();
    let subject = Subject {
        carriage_returns: s.as_bytes().contains(&b'\r'),
        ends_line: s.ends_with(['\n', '\u{B}', '\u{C}', '\r', '\u{85}', '\u{2028}', '\u{2029}']),
    };
    let key = Key { pattern: pattern.as_str().to_owned(), flags, subject };
    let compiled = e.context.patterns.get(key)?;
    let from = match usize::try_from(position - 1) {
        Ok(n) => s.char_indices().map(|(i, _)| i).chain([s.len()]).nth(n),
        Err(_) => None,
    };
    Ok(Some(Search { text, compiled, from, position, occurrence }))
}

impl Search {
    /// The match from byte `from` on.
    fn find(&self, from: usize) -> Result<Option<Captures<'_, str>>> {
        self.compiled.regex.captures_from_pos(self.text.as_str(), from).map_err(searching)
    }

    /// Start and end of the match asked for. `alone`: what stands before the position does not exist for anchors and look-behinds.
    fn wanted(&self, alone: bool) -> Result<Option<(usize, usize)>> {
        let Some(mut from) = self.from else { return Ok(None) };
        let base = if alone { std::mem::take(&mut from) } else { 0 };
        let s = &self.text.as_str()[base..];
        let mut left = self.occurrence.max(1);
        loop {
            let found = self.compiled.regex.find_from_pos(s, from).map_err(searching)?;
            let Some(found) = found else { return Ok(None) };
            left -= 1;
            if left == 0 {
                return Ok(Some((base + found.start(), base + found.end())));
            }
            match after(s, found.start(), found.end()) {
                Some(next) => from = next,
                None => return Ok(None),
            }
        }
    }
}

/// Where the search goes on behind a match: one character further if the match was empty.
fn after(s: &str, start: usize, end: usize) -> Option<usize> {
    if end > start {
        return Some(end);
    }
    s[end..].chars().next().map(|c| end + c.len_utf8())
}

fn like(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(search) = search(args, 2, 2, "regexp_like", e)? else { return Ok(Value::Null) };
    let found = search.compiled.regex.is_match(search.text.as_str()).map_err(searching)?;
    Ok(Value::bool(found))
}

fn instr(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let after = match args.get(4).map(|a| a.integer(e)).transpose()? {
        Some(None) => return Ok(Value::Null),
        None | Some(Some(0)) => false,
        Some(Some(1)) => true,
        Some(Some(_)) => {
            let text = "Incorrect arguments to regexp_instr: return_option must be 1 or 0.";
            return Err(SqlError::new(1210, text));
        }
    };
    let Some(search) = search(args, 2, 5, "regexp_instr", e)? else { return Ok(Value::Null) };
    let s = search.text.as_str();
    if !s.is_empty() && search.from.is_none_or(|from| from == s.len()) {
        return Err(Fault::Bounds.into());
    }
    let Some((start, end)) = search.wanted(true)? else { return Ok(Value::Int(0)) };
    let at = if after { end } else { start };
    Ok(Value::Int(s[..at].chars().count() as i64 + 1))
}

/// 1583 for a position below 1, 3686 for one behind the end.
fn check_position(search: &Search, name: &'static str) -> Result<()> {
    if search.position < 1 {
        let text = format!("Incorrect parameters in the call to native function '{name}'");
        return Err(SqlError::new(1583, text));
    }
    if search.from.is_none() { Err(Fault::Bounds.into()) } else { Ok(()) }
}

fn substr(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(search) = search(args, 2, 4, "regexp_substr", e)? else { return Ok(Value::Null) };
    check_position(&search, "regexp_substr")?;
    let s = search.text.as_str();
    Ok(search.wanted(false)?.map_or(Value::Null, |(start, end)| Value::text(&s[start..end])))
}

fn replace(args: &[Typed], _: &Ty, e: &mut Eval<'_>) -> Result<Value> {
    let Some(replacement) = args[2].text(e)? else { return Ok(Value::Null) };
    // Every match by default.
    let all = match args.get(4) {
        None => true,
        Some(arg) => arg.integer(e)? == Some(0),
    };
    let Some(search) = search(args, 3, 5, "regexp_replace", e)? else { return Ok(Value::Null) };
    check_position(&search, "regexp_replace")?;
    let s = search.text.as_str();
    let (mut out, mut kept, mut left) = (String::new(), 0, search.occurrence.max(1));
    let mut next = search.from;
    while let Some(from) = next {
        let Some(found) = search.find(from)? else { break };
        let Some(whole) = found.get(0) else { break };
        left -= 1;
        if all || left == 0 {
            out.push_str(&s[kept..whole.start()]);
            append(&mut out, replacement.as_str(), &found, &search.compiled)?;
            kept = whole.end();
        }
        next = if !all && left == 0 { None } else { after(s, whole.start(), whole.end()) };
        if out.len() as u64 > e.context.settings.max_allowed_packet {
            return Err(SqlError::new(3684, "The result string is larger than the result buffer."));
        }
    }
    out.push_str(&s[kept..]);
    Ok(Value::text(&out))
}

/// Appends a replacement: `$1` and `${name}` are groups, `\x` is x.
fn append(out: &mut String, text: &str, found: &Captures<'_, str>, compiled: &Compiled) -> Result<()> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(literal) => out.push(literal),
                None => return Ok(()),
            },
            '$' => {
                let group = match chars.peek().and_then(|c| c.to_digit(10)) {
                    Some(first) if first as usize > compiled.groups => return Err(Fault::Bounds.into()),
                    Some(first) => {
                        chars.next();
                        let mut number = first as usize;
                        while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                            let more = number * 10 + digit as usize;
                            if more > compiled.groups {
                                break;
                            }
                            number = more;
                            chars.next();
                        }
                        number
                    }
                    None if chars.next_if_eq(&'{').is_some() => {
                        let mut name = String::new();
                        while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric()) {
                            name.push(c);
                        }
                        let known = compiled.names.iter().find(|(n, _)| *n == name);
                        match (known, chars.next()) {
                            (Some((_, number)), Some('}')) => *number,
                            _ => return Err(Fault::GroupName.into()),
                        }
                    }
                    None => return Err(Fault::GroupName.into()),
                };
                out.push_str(found.get(group).map_or("", |m| m.as_str()));
            }
            _ => out.push(c),
        }
    }
    Ok(())
}
