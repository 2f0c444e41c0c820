//! Bracket expressions, properties and escapes: the parts of ICU's syntax that name characters.

use super::fault::Fault;
use super::translate::{Translator, push_literal};
use std::fmt::Write as _;

/// Letters behind a backslash that stand for a class, and the class (without brackets).
pub(super) const CLASSES: &[(char, &str)] = &[
    ('d', r"\d"),
    ('D', r"\D"),
    ('w', r"\w"),
    ('W', r"\W"),
    ('s', r"\s"),
    ('S', r"\S"),
    ('h', r"\t\p{Zs}"),
    ('H', r"^\t\p{Zs}"),
    ('v', r"\n\x0B\f\r\x{85}\x{2028}\x{2029}"),
    ('V', r"^\n\x0B\f\r\x{85}\x{2028}\x{2029}"),
];

/// `[:name:]`, by Unicode properties as in ICU.
const POSIX: &[(&str, &str)] = &[
    ("alpha", r"\p{Alphabetic}"),
    ("digit", r"\p{Nd}"),
    ("alnum", r"\p{Alphabetic}\p{Nd}"),
    ("upper", r"\p{Uppercase}"),
    ("lower", r"\p{Lowercase}"),
    ("space", r"\p{White_Space}"),
    ("blank", r"\t\p{Zs}"),
    ("cntrl", r"\p{Cc}"),
    ("punct", r"\p{P}"),
    ("xdigit", r"\p{Nd}\p{Hex_Digit}"),
    ("word", r"\w"),
    ("graph", r"^\p{White_Space}\p{Cc}\p{Cn}"),
    ("print", r"^\p{Zl}\p{Zp}\p{Cc}\p{Cn}"),
];

/// The pattern and how far it is read.
pub(super) struct Ahead {
    pub(super) chars: Vec<char>,
    pub(super) at: usize,
}

impl Ahead {
    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    /// Number of the next character, from 1; of the last one at the end.
    pub(super) fn position(&self) -> usize {
        (self.at + 1).min(self.chars.len())
    }

    /// Takes `text` if it stands here.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let fits = text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if fits {
            self.at += text.chars().count();
        }
        fits
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            out.push(c);
            self.at += 1;
        }
        out
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.take_while(|c| c.is_ascii_digit()).parse().ok()
    }

    /// `p{Name}`, `P{Name}`, `p{^Name}` in the other syntax.
    pub(super) fn property(&mut self) -> Result<String, Fault> {
        let negative = self.bump() == Some('P');
        if !self.eat("{") {
            return Err(Fault::Argument);
        }
        let negative = negative != self.eat("^");
        let name = self.take_while(|c| c != '}');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '=' | ' ' | '-');
        if !self.eat("}") || name.is_empty() || !name.chars().all(plain) {
            return Err(Fault::Argument);
        }
        let name: String = name.chars().filter(|c| *c != ' ').collect();
        Ok(format!("\\{}{{{name}}}", if negative { 'P' } else { 'p' }))
    }

    /// A single character behind a backslash: `n`, `x41`, `u0041`, `U00000041`, `0101`, `cA`, or any other itself.
    pub(super) fn escaped(&mut self) -> Result<char, Fault> {
        let c = self.bump().ok_or(Fault::Escape)?;
        let code = match c {
            'a' => 7,
            'e' => 27,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'c' => u32::from(self.bump().ok_or(Fault::Escape)?) & 31,
            'u' => self.hexadecimal(4, 4)?,
            'U' => self.hexadecimal(8, 8)?,
            'x' if self.eat("{") => {
                let code = self.hexadecimal(1, 6)?;
                if !self.eat("}") {
                    return Err(Fault::Escape);
                }
                code
            }
            'x' => self.hexadecimal(1, 2)?,
            '0' => {
                let mut code = 0;
                let mut digits = 0;
                while let Some(d) = self.peek().and_then(|c| c.to_digit(8)).filter(|_| digits < 3) {
                    code = code * 8 + d;
                    digits += 1;
                    self.at += 1;
                }
                if digits == 0 {
                    return Err(Fault::Escape);
                }
                code
            }
            _ => return Ok(c),
        };
        char::from_u32(code).ok_or(Fault::Escape)
    }

    fn hexadecimal(&mut self, least: usize, most: usize) -> Result<u32, Fault> {
        let (mut code, mut digits) = (0_u32, 0);
        while let Some(d) = self.peek().and_then(|c| c.to_digit(16)).filter(|_| digits < most) {
            code = code.checked_mul(16).and_then(|c| c.checked_add(d)).ok_or(Fault::Escape)?;
            digits += 1;
            self.at += 1;
        }
        if digits < least { Err(Fault::Escape) } else { Ok(code) }
    }
}

impl Translator {
    /// Behind `[`, up to its `]`.
    pub(super) fn set(&mut self) -> Result<(), Fault> {
        self.out.push('[');
        if self.ahead.eat("^") {
            self.out.push('^');
        }
        // A bracket at the very start is a character like any other.
        let mut first = true;
        loop {
            let Some(c) = self.ahead.peek() else { return Err(Fault::Bracket) };
            match c {
                ']' if !first => {
                    self.ahead.bump();
                    self.out.push(']');
                    return Ok(());
                }
                '[' if self.ahead.eat("[:") => self.posix()?,
                '[' => {
                    self.ahead.bump();
                    self.set()?;
                }
                '&' if self.ahead.eat("&&") => self.out.push_str("&&"),
                '-' if self.ahead.eat("--") => self.out.push_str("--"),
                _ => {
                    if let Some(low) = self.set_member()? {
                        self.range(low)?;
                    }
                }
            }
            first = false;
        }
    }

    /// A character of a set, or a class (written at once: `None`).
    fn set_member(&mut self) -> Result<Option<char>, Fault> {
        let Some(c) = self.ahead.bump() else { return Err(Fault::Bracket) };
        if c != '\\' {
            return Ok(Some(c));
        }
        let Some(letter) = self.ahead.peek() else { return Err(Fault::Escape) };
        if let Some((_, class)) = CLASSES.iter().find(|(l, _)| *l == letter) {
            self.ahead.bump();
            write!(self.out, "[{class}]").unwrap_or_default();
            return Ok(None);
        }
        match letter {
            'p' | 'P' => {
                let property = self.ahead.property()?;
                self.out.push_str(&property);
                Ok(None)
            }
            'N' => Err(Fault::Unimplemented),
            _ => self.ahead.escaped().map(Some),
        }
    }

    /// `low` alone, or `low-high`.
    fn range(&mut self, low: char) -> Result<(), Fault> {
        let rest = &self.ahead.chars[self.ahead.at..];
        let is_range = matches!(rest, ['-', next, ..] if !matches!(next, ']' | '-' | '['));
        push_literal(&mut self.out, low);
        if !is_range {
            return Ok(());
        }
        self.ahead.bump();
        let written = self.out.len();
        let Some(high) = self.set_member()? else {
            self.out.truncate(written);
            return Err(Fault::Syntax(self.ahead.at));
        };
        if high < low {
            return Err(Fault::Range);
        }
        self.out.push('-');
        push_literal(&mut self.out, high);
        Ok(())
    }

    /// Behind `[:`, up to `:]`.
    fn posix(&mut self) -> Result<(), Fault> {
        let negative = self.ahead.eat("^");
        let name = self.ahead.take_while(|c| c != ':' && c != ']');
        if !self.ahead.eat(":]") {
            return Err(if self.ahead.peek().is_none() { Fault::Bracket } else { Fault::Argument });
        }
        let class = POSIX.iter().find(|(n, _)| n.eq_ignore_ascii_case(&name));
        if let Some((_, class)) = class {
            let nested = if negative { format!("[^[{class}]]") } else { format!("[{class}]") };
            self.out.push_str(&nested);
            return Ok(());
        }
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain {
            return Err(Fault::Argument);
        }
        write!(self.out, "\\{}{{{name}}}", if negative { 'P' } else { 'p' }).unwrap_or_default();
        Ok(())
    }
}
