//! LIKE: `%` is any run of characters, `_` any one, and the escape character makes either literal.
//!
//! Characters compare one by one under the collation: as code points, bytes, or by primary weights ('É' LIKE 'e'). Unlike `=`, LIKE sees
//! trailing spaces under every collation, and never compares two characters with one.

use crate::collation::{Collation, uca};

/// A pattern, read once.
#[derive(Clone, Debug)]
pub struct Pattern {
    tokens: Vec<Token>,
    collation: Collation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(u32),
    One,
    Many,
}

impl Pattern {
    /// Reads a pattern. `escape` is `\` by default in MySQL; `None` for ESCAPE ''.
    pub fn new(pattern: &[u8], escape: Option<char>, collation: Collation) -> Self {
        let escape = escape.map(u32::from);
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some((c, after)) = next(rest, collation) {
            rest = after;
            if Some(c) == escape
                && let Some((literal, after)) = next(rest, collation)
            {
                rest = after;
                tokens.push(Token::Literal(literal));
                continue;
            }
            match u8::try_from(c) {
                Ok(b'%') if tokens.last() != Some(&Token::Many) => tokens.push(Token::Many),
                Ok(b'%') => {}
                Ok(b'_') => tokens.push(Token::One),
                _ => tokens.push(Token::Literal(c)),
            }
        }
        Self { tokens, collation }
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut rest, mut at) = (text, 0);
        // Where to go on after a mismatch: the last %, and the text it has not swallowed yet.
        let mut retry: Option<(usize, &[u8])> = None;
        loop {
            let token = self.tokens.get(at);
            if token == Some(&Token::Many) {
                if at + 1 == self.tokens.len() {
                    return true;
                }
                retry = Some((at, rest));
                at += 1;
                continue;
            }
            let step = next(rest, self.collation);
            let matched = match (token, step) {
                (None, None) => return true,
                (Some(Token::One), Some(_)) => true,
                (Some(Token::Literal(l)), Some((c, _))) => self.same(*l, c),
                _ => false,
            };
            if let (true, Some((_, after))) = (matched, step) {
                (rest, at) = (after, at + 1);
                continue;
            }
            let Some((many, from)) = retry else { return false };
            let Some((_, after)) = next(from, self.collation) else { return false };
            retry = Some((many, after));
            (rest, at) = (after, many + 1);
        }
    }

    /// The characters every match begins with, and whether nothing else follows (the pattern is a constant).
    pub fn literal_prefix(&self) -> (String, bool) {
        let literals = self.tokens.iter().map_while(|t| match t {
            Token::Literal(c) => char::from_u32(*c),
            _ => None,
        });
        let prefix: String = literals.collect();
        let whole = prefix.chars().count() == self.tokens.len();
        (prefix, whole)
    }

    fn same(&self, a: u32, b: u32) -> bool {
        self.collation.same_character(a, b)
    }
}

/// The first character (or byte, of a binary string) and what follows it.
fn next(s: &[u8], collation: Collation) -> Option<(u32, &[u8])> {
    let &first = s.first()?;
    if first < 0x80 || collation == Collation::BINARY {
        return Some((u32::from(first), &s[1..]));
    }
    let (c, len) = uca::decode(s);
    Some((c, &s[len..]))
}
