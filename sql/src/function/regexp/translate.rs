//! ICU's regular expressions, which MySQL's are, in the syntax of `fancy-regex`.
//!
//! The pattern is read once, with ICU's grammar and its errors, and written out again with every construct spelled so that it means the
//! same there: anchors and `.` by ICU's line terminators, classes by Unicode properties, possessive quantifiers as atomic groups.
//!
//! 1. Every atom is written as one unit, so that a quantifier behind it binds to all of it.
//! 2. Two facts of the subject choose cheaper spellings (most patterns then need no backtracking): whether it has a carriage return, and
//!    whether it ends with a line terminator.

use super::fault::Fault;
use super::set::{Ahead, CLASSES};
use std::fmt::Write as _;

/// How a pattern is meant: the collation and match_type at first, `(?imsx)` within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    /// `^` and `$` match at every line (`m`).
    pub(crate) lines: bool,
    /// `.` matches line terminators (`n`; within a pattern: `s`).
    pub(crate) dot_all: bool,
    /// Only `\n` ends a line (`u`; within a pattern: `d`).
    pub(crate) unix: bool,
    /// White space and comments are skipped (`x` within a pattern).
    pub(crate) comments: bool,
}

/// What is known of the text that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Subject {
    pub(crate) carriage_returns: bool,
    pub(crate) ends_line: bool,
}

/// A pattern in the other syntax.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) pattern: String,
    /// Names of groups, with their numbers.
    pub(crate) names: Vec<(String, usize)>,
    pub(crate) groups: usize,
}

/// Groups may be nested so deep.
const MAX_DEPTH: usize = 100;
pub(super) const TERMINATORS: &str = r"\n\x0B\f\r\x{85}\x{2028}\x{2029}";

pub(crate) fn translate(pattern: &str, flags: Flags, subject: Subject) -> Result<Translated, Fault> {
    let mut t = Translator {
        ahead: Ahead { chars: pattern.chars().collect(), at: 0 },
        out: String::with_capacity(pattern.len() + 8),
        flags,
        outer_case: flags.ignore_case,
        subject,
        names: Vec::new(),
        groups: 0,
        highest_reference: 0,
        look_behind: 0,
    };
    t.branches(0)?;
    if t.highest_reference > t.groups {
        return Err(Fault::BackReference);
    }
    Ok(Translated { pattern: t.out, names: t.names, groups: t.groups })
}

pub(super) struct Translator {
    pub(super) ahead: Ahead,
    pub(super) out: String,
    flags: Flags,
    /// Letter case of the whole pattern, which the builder is told.
    outer_case: bool,
    subject: Subject,
    names: Vec<(String, usize)>,
    groups: usize,
    highest_reference: usize,
    /// Look-behinds around here: nothing unbounded may stand in them.
    look_behind: usize,
}

impl Translator {
    /// Up to the end, or the parenthesis that closes this group (not taken).
    fn branches(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Stack);
        }
        loop {
            self.skip_comments();
            match self.ahead.peek() {
                None if depth > 0 => return Err(Fault::Paren),
                None => return Ok(()),
                Some(')') if depth > 0 => return Ok(()),
                Some(')') => return Err(Fault::Paren),
                Some('|') => {
                    self.ahead.bump();
                    self.out.push('|');
                }
                Some(c) => {
                    let start = self.out.len();
                    if self.atom(c, depth)? {
                        self.quantifier(start)?;
                    }
                }
            }
        }
    }

    fn skip_comments(&mut self) {
        while self.flags.comments {
            match self.ahead.peek() {
                Some('#') => while self.ahead.bump().is_some_and(|c| c != '\n') {},
                Some(c) if c.is_whitespace() => {
                    self.ahead.bump();
                }
                _ => return,
            }
        }
    }

    /// One atom; false if nothing was written that a quantifier could follow.
    fn atom(&mut self, c: char, depth: usize) -> Result<bool, Fault> {
        match c {
            '(' => return self.group(depth),
            '[' => {
                self.ahead.bump();
                let start = self.out.len();
                self.set()?;
                self.fit_case(start);
            }
            '.' => {
                self.ahead.bump();
                self.dot();
            }
            '^' => {
                self.ahead.bump();
                self.line_start();
            }
            '$' => {
                self.ahead.bump();
                self.line_end(self.flags.lines);
            }
            '\\' => {
                self.ahead.bump();
                return self.escape();
            }
            '*' | '+' | '?' | '{' | '}' => return Err(Fault::Syntax(self.ahead.position())),
            _ => {
                self.ahead.bump();
                self.literal(c);
            }
        }
        Ok(true)
    }

    fn literal(&mut self, c: char) {
        let start = self.out.len();
        push_literal(&mut self.out, c);
        self.fit_case(start);
    }

    /// Wraps what was written from `start` on where letter case is treated unlike in the whole pattern.
    fn fit_case(&mut self, start: usize) {
        if self.flags.ignore_case != self.outer_case {
            let open = if self.flags.ignore_case { "(?i:" } else { "(?-i:" };
            self.out.insert_str(start, open);
            self.out.push(')');
        }
    }

    fn dot(&mut self) {
        match (self.flags.dot_all, self.flags.unix) {
            (true, _) if self.subject.carriage_returns => self.out.push_str(r"(?>\r\n|(?s:.))"),
            (true, _) => self.out.push_str("(?s:.)"),
            (false, true) => self.out.push_str(r"[^\n]"),
            (false, false) => write!(self.out, "[^{TERMINATORS}]").unwrap_or_default(),
        }
    }

    fn line_start(&mut self) {
        match (self.flags.lines, self.flags.unix) {
            (false, _) => self.out.push_str(r"\A"),
            (true, true) => self.out.push_str(r"(?:\A|(?<=\n)(?!\z))"),
            (true, false) => {
                self.out.push_str(r"(?:\A|(?<=[\n\x0B\f\x{85}\x{2028}\x{2029}])(?!\z)|(?<=\r)(?!\n)(?!\z))")
            }
        }
    }

    /// `$`, and `\Z` without `lines`.
    fn line_end(&mut self, lines: bool) {
        let text = match (lines, self.flags.unix) {
            (false, _) if !self.subject.ends_line => r"\z",
            (false, true) => r"(?=\n?\z)",
            (false, false) => r"(?:(?=\z)|(?=\r\n\z)|(?<!\r)(?=\n\z)|(?=[\x0B\f\r\x{85}\x{2028}\x{2029}]\z))",
            (true, true) => r"(?=\n|\z)",
            (true, false) => r"(?:(?=\z)|(?<!\r)(?=\n)|(?=[\x0B\f\r\x{85}\x{2028}\x{2029}]))",
        };
        self.out.push_str(text);
    }

    /// From `(` to its `)`; false for a comment or flags, which are no atom.
    fn group(&mut self, depth: usize) -> Result<bool, Fault> {
        self.ahead.bump();
        let (saved, look_behind) = (self.flags, self.look_behind);
        if self.ahead.eat("?") {
            if self.ahead.eat("#") {
                while let Some(c) = self.ahead.bump() {
                    if c == ')' {
                        return Ok(false);
                    }
                }
                return Err(Fault::Paren);
            }
            let plain = ["<=", "<!", ":", ">", "=", "!"].into_iter().find(|open| self.ahead.eat(open));
            match plain {
                Some(open) => {
                    write!(self.out, "(?{open}").unwrap_or_default();
                    self.look_behind += usize::from(open.starts_with('<'));
                }
                None if self.ahead.eat("<") => self.named()?,
                None => {
                    if self.inline_flags()? {
                        return Ok(false);
                    }
                    self.out.push_str("(?:");
                }
            }
        } else {
            self.groups += 1;
            self.out.push('(');
        }
        self.branches(depth + 1)?;
        self.ahead.bump();
        self.out.push(')');
        (self.flags, self.look_behind) = (saved, look_behind);
        Ok(true)
    }

    /// `name>` behind `(?<`. Groups are numbered in the output; names are ours.
    fn named(&mut self) -> Result<(), Fault> {
        let mut name = String::new();
        loop {
            match self.ahead.peek() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphabetic() || (!name.is_empty() && c.is_ascii_digit()) => {
                    name.push(c)
                }
                _ => return Err(Fault::Syntax(self.ahead.position())),
            }
            self.ahead.bump();
        }
        self.ahead.bump();
        if self.names.iter().any(|(n, _)| *n == name) {
            return Err(Fault::GroupName);
        }
        self.groups += 1;
        self.names.push((name, self.groups));
        self.out.push('(');
        Ok(())
    }

    /// `imsx-imsx)` or `imsx-imsx:`; true if the flags hold for the rest of the group around.
    fn inline_flags(&mut self) -> Result<bool, Fault> {
        let mut on = true;
        let mut any = false;
        loop {
            let at = self.ahead.position();
            match self.ahead.bump() {
                Some('i') => self.flags.ignore_case = on,
                Some('m') => self.flags.lines = on,
                Some('s') => self.flags.dot_all = on,
                Some('d') => self.flags.unix = on,
                Some('x') => self.flags.comments = on,
                Some('w') => return Err(Fault::Unimplemented),
                Some('-') if on => on = false,
                Some(')') if any => return Ok(true),
                Some(':') if any => return Ok(false),
                _ if any => return Err(Fault::Flag),
                _ => return Err(Fault::Syntax(at)),
            }
            any = true;
        }
    }

    /// `*`, `+`, `?`, `{n,m}` behind what was written from `start` on, each greedy, lazy or possessive.
    fn quantifier(&mut self, start: usize) -> Result<(), Fault> {
        self.skip_comments();
        let (text, unbounded) = match self.ahead.peek() {
            Some(c @ ('*' | '+' | '?')) => {
                self.ahead.bump();
                (c.to_string(), c != '?')
            }
            Some('{') => {
                self.ahead.bump();
                self.interval()?
            }
            _ => return Ok(()),
        };
        if unbounded && self.look_behind > 0 {
            return Err(Fault::LookBehind);
        }
        if text == "{0}" {
            // Zero times anything: nothing, but its groups exist.
            self.out.insert_str(start, "(?:(?!)");
            self.out.push_str("|(?=))");
            return Ok(());
        }
        self.out.push_str(&text);
        if self.ahead.eat("?") {
            self.out.push('?');
        } else if self.ahead.eat("+") {
            self.out.insert_str(start, "(?>");
            self.out.push(')');
        }
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}`, and whether it has no upper end.
    fn interval(&mut self) -> Result<(String, bool), Fault> {
        let low = self.ahead.number().ok_or(Fault::Interval)?;
        let high = if !self.ahead.eat(",") {
            Some(low)
        } else if self.ahead.peek() == Some('}') {
            None
        } else {
            Some(self.ahead.number().ok_or(Fault::Interval)?)
        };
        if !self.ahead.eat("}") {
            return Err(Fault::Interval);
        }
        Ok(match high {
            Some(high) if high < low => return Err(Fault::MaxBelowMin),
            Some(0) => ("{0}".to_owned(), false),
            Some(high) => (format!("{{{low},{high}}}"), false),
            None => (format!("{{{low},}}"), true),
        })
    }

    /// Behind a backslash.
    fn escape(&mut self) -> Result<bool, Fault> {
        let Some(c) = self.ahead.peek() else { return Err(Fault::Escape) };
        if let Some((_, class)) = CLASSES.iter().find(|(letter, _)| *letter == c) {
            self.ahead.bump();
            write!(self.out, "[{class}]").unwrap_or_default();
            return Ok(true);
        }
        match c {
            'A' | 'b' | 'B' | 'G' | 'z' => {
                self.ahead.bump();
                write!(self.out, "\\{c}").unwrap_or_default();
            }
            'Z' => {
                self.ahead.bump();
                self.line_end(false);
            }
            'R' => {
                self.ahead.bump();
                write!(self.out, r"(?>\r\n|[{TERMINATORS}])").unwrap_or_default();
            }
            'X' | 'N' => return Err(Fault::Unimplemented),
            'p' | 'P' => {
                let start = self.out.len();
                let property = self.ahead.property()?;
                self.out.push_str(&property);
                self.fit_case(start);
            }
            'Q' => {
                self.ahead.bump();
                self.quoted()?;
                return Ok(false);
            }
            'k' => self.named_reference()?,
            '1'..='9' => self.reference(),
            _ => {
                let literal = self.ahead.escaped()?;
                self.literal(literal);
            }
        }
        Ok(true)
    }

    /// `\Q` up to `\E`. A quantifier behind it is of the last character alone, as in ICU.
    fn quoted(&mut self) -> Result<(), Fault> {
        let mut last = None;
        while !self.ahead.eat("\\E") {
            let Some(c) = self.ahead.bump() else { break };
            last = Some(self.out.len());
            self.literal(c);
        }
        last.map_or(Ok(()), |start| self.quantifier(start))
    }

    /// `\k<name>`
    fn named_reference(&mut self) -> Result<(), Fault> {
        self.ahead.bump();
        if !self.ahead.eat("<") {
            return Err(Fault::Escape);
        }
        let name: String = self.ahead.take_while(|c| c.is_ascii_alphanumeric());
        if !self.ahead.eat(">") {
            return Err(Fault::Syntax(self.ahead.position()));
        }
        let found = self.names.iter().find(|(n, _)| *n == name).ok_or(Fault::GroupName)?.1;
        self.push_reference(found);
        Ok(())
    }

    /// `\1`: further digits belong to it while so many groups exist before it.
    fn reference(&mut self) {
        let mut number = 0;
        while let Some(digit) = self.ahead.peek().and_then(|c| c.to_digit(10)) {
            let next = number * 10 + digit as usize;
            if number > 0 && next > self.groups {
                break;
            }
            number = next;
            self.ahead.bump();
        }
        self.push_reference(number);
    }

    fn push_reference(&mut self, number: usize) {
        self.highest_reference = self.highest_reference.max(number);
        let start = self.out.len();
        write!(self.out, "(?:\\{number})").unwrap_or_default();
        self.fit_case(start);
    }
}

/// A character that means itself.
pub(super) fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control() && !c.is_whitespace()) {
        out.push(c);
    } else {
        write!(out, "\\x{{{:X}}}", u32::from(c)).unwrap_or_default();
    }
}
