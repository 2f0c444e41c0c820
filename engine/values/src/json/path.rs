//! Paths into documents: `$.member`, `$."any name"`, `$[0]`, `$[last-1]`, `$[1 to 3]`, `$.*`, `$[*]`, `$**.member`.
//!
//! 1. A scalar or object counts as an array of itself: `$[0]` and `$[last]` of it are it.
//! 2. Results come in the order of the document, each part once.

use super::{Json, quote};
use std::fmt;

/// A path.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    legs: Vec<Leg>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Leg {
    /// `.name`
    Member(String),
    /// `[n]`
    Element(Index),
    /// `[a to b]`
    Range(Index, Index),
    /// `.*`
    AnyMember,
    /// `[*]`
    AnyElement,
    /// `**`
    Anywhere,
}

/// A place in an array, from its start or (`last`) from its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    from_end: bool,
    n: usize,
}

impl Index {
    /// The place in an array of this length; beyond the length if there is none.
    pub fn at(self, len: usize) -> usize {
        match self.from_end {
            true => len.checked_sub(self.n + 1).unwrap_or(usize::MAX),
            false => self.n,
        }
    }

    /// Whether it counts from the end and lies before the start.
    pub fn is_before_start(self, len: usize) -> bool {
        self.from_end && self.n >= len
    }
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// The character position that MySQL's error 3143 names.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut s = Scanner { text: text.as_bytes(), at: 0 };
        s.blanks();
        if !s.eat(b'$') {
            return Err(1);
        }
        let mut legs = Vec::new();
        loop {
            s.blanks();
            match s.peek() {
                None if legs.last() == Some(&Leg::Anywhere) => return Err(s.at),
                None => return Ok(Self { legs }),
                Some(b'.') => {
                    s.at += 1;
                    s.blanks();
                    legs.push(s.member(text)?);
                }
                Some(b'[') => {
                    s.at += 1;
                    legs.push(s.cell()?);
                }
                Some(b'*') => {
                    s.at += 1;
                    if !s.eat(b'*') || s.peek() == Some(b'*') {
                        return Err(s.at);
                    }
                    legs.push(Leg::Anywhere);
                }
                Some(_) => return Err(s.at),
            }
        }
    }

    /// Whether it may mean several parts.
    pub fn is_plural(&self) -> bool {
        self.legs.iter().any(|leg| !matches!(leg, Leg::Member(_) | Leg::Element(_)))
    }

    /// The parts of `whole` that it means.
    pub fn find<'a>(&self, whole: &'a Json) -> Vec<&'a Json> {
        let mut found = vec![whole];
        for leg in &self.legs {
            let mut next: Vec<&Json> = Vec::new();
            for part in found {
                step(part, leg, &mut next);
            }
            if *leg == Leg::Anywhere {
                let mut seen = std::collections::BTreeSet::new();
                next.retain(|part| seen.insert(std::ptr::from_ref(*part)));
            }
            found = next;
        }
        found
    }

    /// The one part that a path that is not plural means.
    pub fn find_mut<'a>(&self, whole: &'a mut Json) -> Option<&'a mut Json> {
        walk(&self.legs, whole)
    }

    /// Its last leg, and the part it is a leg of; `None` for `$`.
    pub fn parent<'a>(&self, whole: &'a mut Json) -> Option<(Option<&'a mut Json>, &Leg)> {
        let (last, legs) = self.legs.split_last()?;
        Some((walk(legs, whole), last))
    }

    /// The path `$`.
    pub const fn root() -> Self {
        Self { legs: Vec::new() }
    }

    /// This path with one more leg.
    pub fn then(&self, leg: Leg) -> Self {
        let mut legs = self.legs.clone();
        legs.push(leg);
        Self { legs }
    }

    /// `[n]`
    pub const fn element(n: usize) -> Leg {
        Leg::Element(Index { from_end: false, n })
    }
}

fn walk<'a>(legs: &[Leg], whole: &'a mut Json) -> Option<&'a mut Json> {
    let mut part = whole;
    for leg in legs {
        part = match (leg, part) {
            (Leg::Member(name), Json::Object(members)) => members.get_mut(name)?,
            (Leg::Element(index), Json::Array(items)) => {
                let at = index.at(items.len());
                items.get_mut(at)?
            }
            (Leg::Element(index), other) if !matches!(other, Json::Array(_)) && index.at(1) == 0 => other,
            _ => return None,
        };
    }
    Some(part)
}

fn step<'a>(part: &'a Json, leg: &Leg, out: &mut Vec<&'a Json>) {
    match (leg, part) {
        (Leg::Member(name), Json::Object(members)) => out.extend(members.get(name)),
        (Leg::AnyMember, Json::Object(members)) => out.extend(members.iter().map(|(_, v)| v)),
        (Leg::Element(index), Json::Array(items)) => out.extend(items.get(index.at(items.len()))),
        (Leg::Element(index), _) if index.at(1) == 0 => out.push(part),
        (Leg::Range(from, to), Json::Array(items)) => {
            let len = items.len();
            let from = if from.is_before_start(len) { 0 } else { from.at(len) };
            let to = if to.is_before_start(len) { return } else { to.at(len).min(len.wrapping_sub(1)) };
            if from <= to && from < len {
                out.extend(&items[from..=to]);
            }
        }
        (Leg::Range(from, to), _) => {
            let from = if from.is_before_start(1) { 0 } else { from.at(1) };
            if from == 0 && !to.is_before_start(1) {
                out.push(part);
            }
        }
        (Leg::AnyElement, Json::Array(items)) => out.extend(items),
        (Leg::Anywhere, _) => descend(part, out),
        _ => {}
    }
}

/// The part itself and everything in it.
fn descend<'a>(part: &'a Json, out: &mut Vec<&'a Json>) {
    out.push(part);
    match part {
        Json::Array(items) => items.iter().for_each(|item| descend(item, out)),
        Json::Object(members) => members.iter().for_each(|(_, value)| descend(value, out)),
        _ => {}
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, b: u8) -> bool {
        let found = self.peek() == Some(b);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn member(&mut self, text: &str) -> Result<Leg, usize> {
        match self.peek() {
            Some(b'*') => {
                self.at += 1;
                Ok(Leg::AnyMember)
            }
            Some(b'"') => {
                let start = self.at;
                self.at += 1;
                while let Some(b) = self.peek().filter(|b| *b != b'"') {
                    self.at += if b == b'\\' { 2 } else { 1 };
                }
                if !self.eat(b'"') {
                    return Err(start);
                }
                match super::parse(&text[start..self.at]) {
                    Ok(Json::String(name)) => Ok(Leg::Member(name.into())),
                    _ => Err(start),
                }
            }
            _ => {
                let start = self.at;
                let name: String = text[start..].chars().take_while(|c| belongs(*c)).collect();
                let proper = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
                if !proper {
                    return Err(self.at);
                }
                self.at += name.len();
                Ok(Leg::Member(name))
            }
        }
    }

    /// Behind `[`, up to its `]`.
    fn cell(&mut self) -> Result<Leg, usize> {
        self.blanks();
        if self.eat(b'*') {
            self.blanks();
            return if self.eat(b']') { Ok(Leg::AnyElement) } else { Err(self.at) };
        }
        let first = self.index()?;
        let before = self.at;
        self.blanks();
        if self.at > before && self.word(b"to") {
            self.blanks();
            let second = self.index()?;
            self.blanks();
            let ordered = first.from_end != second.from_end
                || if first.from_end { first.n >= second.n } else { first.n <= second.n };
            return if self.eat(b']') && ordered { Ok(Leg::Range(first, second)) } else { Err(self.at) };
        }
        if self.eat(b']') { Ok(Leg::Element(first)) } else { Err(self.at) }
    }

    fn index(&mut self) -> Result<Index, usize> {
        let from_end = self.word(b"last");
        if from_end {
            let before = self.at;
            self.blanks();
            if !self.eat(b'-') {
                self.at = before;
                return Ok(Index { from_end, n: 0 });
            }
            self.blanks();
        }
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        let n = digits.parse::<u32>().map_err(|_| self.at)?;
        Ok(Index { from_end, n: n as usize })
    }
}

/// Characters of a name without quotes: ECMAScript's identifiers.
fn belongs(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$') || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for leg in &self.legs {
            match leg {
                Leg::Member(name) => {
                    let plain =
                        name.chars().all(belongs) && name.chars().next().is_some_and(|c| !c.is_ascii_digit());
                    let mut quoted = String::new();
                    quote(name, &mut quoted);
                    write!(f, ".{}", if plain { name } else { &quoted })?;
                }
                Leg::Element(Index { from_end: false, n }) => write!(f, "[{n}]")?,
                Leg::Element(Index { n, .. }) => write!(f, "[last-{n}]")?,
                Leg::Range(..) | Leg::AnyElement => f.write_str("[*]")?,
                Leg::AnyMember => f.write_str(".*")?,
                Leg::Anywhere => f.write_str("**")?,
            }
        }
        Ok(())
    }
}
