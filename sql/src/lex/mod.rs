//! Text to tokens, by MySQL's rules, over bytes: a statement's text need not be UTF-8 (binary literals).
//!
//! 1. One statement at a time: the token list ends at a `;` outside quotes and comments, and says where the next one starts.
//! 2. `/*!NNNNN ... */` is text when NNNNN <= [`VERSION_ID`] (or absent), else a comment; other comments vanish.
//! 3. Nothing is copied: tokens are spans. Quoted content is unescaped by [`unquote`] when it is used.

pub(crate) mod reserved;
#[cfg(test)]
mod tests;
pub(crate) mod token;

pub(crate) use token::{Kind, Op, Token};

/// The MySQL version that version comments are compared with.
pub(crate) const VERSION_ID: u32 = 90_700;

/// The parts of sql_mode that change how text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LexMode {
    /// `"a"` is a name.
    pub(crate) ansi_quotes: bool,
    /// Backslash is an ordinary byte.
    pub(crate) no_backslash_escapes: bool,
    /// `||` concatenates.
    pub(crate) pipes_as_concat: bool,
    /// `NOT` binds like `!`.
    pub(crate) high_not_precedence: bool,
}

/// Cuts one statement of `text` starting at byte `from` into tokens (the last is [`Kind::End`]); returns them and the offset after its `;`,
/// or the text's length.
pub(crate) fn tokenize(text: &[u8], from: usize, mode: LexMode, out: &mut Vec<Token>) -> usize {
    let mut lexer = Lexer { text, pos: from, mode, in_version_comment: false };
    loop {
        let token = lexer.next_token();
        let ended = token.kind == Kind::End;
        out.push(token);
        if ended {
            return (token.after as usize).max(token.at as usize);
        }
    }
}

struct Lexer<'a> {
    text: &'a [u8],
    pos: usize,
    mode: LexMode,
    in_version_comment: bool,
}

/// Bytes of an unquoted name.
pub(crate) fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

impl Lexer<'_> {
    fn at(&self, i: usize) -> u8 {
        self.text.get(self.pos + i).copied().unwrap_or(0)
    }

    fn token(&self, kind: Kind, at: usize, start: usize, end: usize) -> Token {
        Token { kind, at: at as u32, start: start as u32, end: end as u32, after: self.pos as u32 }
    }

    /// Skips blanks and comments; false on an unclosed comment, which then stands at `pos`.
    fn skip_blanks(&mut self) -> bool {
        loop {
            match self.at(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.pos += 1,
                b'#' => self.skip_line(),
                b'-' if self.at(1) == b'-' && (self.at(2) <= b' ') => self.skip_line(),
                b'*' if self.in_version_comment && self.at(1) == b'/' => {
                    self.in_version_comment = false;
                    self.pos += 2;
                }
                b'/' if self.at(1) == b'*' => {
                    if !self.comment() {
                        return false;
                    }
                }
                _ => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.pos < self.text.len() && self.text[self.pos] != b'\n' {
            self.pos += 1;
        }
    }

    fn comment(&mut self) -> bool {
        if self.at(2) == b'!' {
            let digits = self.text[self.pos + 3..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            let used = if digits >= 5 { digits } else { 0 };
            let version = self.text[self.pos + 3..self.pos + 3 + used]
                .iter()
                .fold(0u32, |v, b| v * 10 + u32::from(b - b'0'));
            if version <= VERSION_ID && !self.in_version_comment {
                self.pos += 3 + used;
                self.in_version_comment = true;
                return true;
            }
        }
        let body = self.pos + 2;
        match self.text[body..].windows(2).position(|w| w == b"*/") {
            Some(n) => {
                self.pos = body + n + 2;
                true
            }
            None => false,
        }
    }

    fn next_token(&mut self) -> Token {
        if !self.skip_blanks() {
            let at = self.pos;
            self.pos = self.text.len();
            return self.token(Kind::Bad, at, at, self.pos);
        }
        let at = self.pos;
        if at >= self.text.len() {
            let kind = if self.in_version_comment { Kind::Bad } else { Kind::End };
            self.in_version_comment = false;
            return self.token(kind, at, at, at);
        }
        let b = self.text[at];
        match b {
            b';' => {
                self.pos += 1;
                self.token(Kind::End, at, at, at)
            }
            b'\'' => self.quoted(at, Kind::Str),
            b'"' => self.quoted(at, if self.mode.ansi_quotes { Kind::Quoted } else { Kind::Str }),
            b'`' => self.quoted(at, Kind::Quoted),
            b'0'..=b'9' => self.number(at),
            b'.' if self.at(1).is_ascii_digit() && !self.after_name(at) => self.number(at),
            b'?' => {
                self.pos += 1;
                self.token(Kind::Param, at, at, at + 1)
            }
            b'@' => {
                let double = self.at(1) == b'@';
                self.pos += 1 + usize::from(double);
                self.token(if double { Kind::AtAt } else { Kind::At }, at, at, self.pos)
            }
            _ if is_word_byte(b) => self.word(at),
            _ => self.operator(at),
        }
    }

    /// True when the byte before `at` ends a name: then `.1` is a qualified name, not a number.
    fn after_name(&self, at: usize) -> bool {
        at > 0 && (is_word_byte(self.text[at - 1]) || self.text[at - 1] == b'`')
    }

    fn quoted(&mut self, at: usize, kind: Kind) -> Token {
        let quote = self.at(0);
        let escapes = kind == Kind::Str && !self.mode.no_backslash_escapes;
        self.pos += 1;
        let start = self.pos;
        while self.pos < self.text.len() {
            let b = self.text[self.pos];
            if b == b'\\' && escapes {
                self.pos += 2;
            } else if b == quote {
                if self.at(1) != quote {
                    let end = self.pos;
                    self.pos += 1;
                    return self.token(kind, at, start, end);
                }
                self.pos += 2;
            } else {
                self.pos += 1;
            }
        }
        self.pos = self.text.len();
        self.token(Kind::Bad, at, at, self.text.len())
    }

    fn digits(&mut self) {
        while self.at(0).is_ascii_digit() {
            self.pos += 1;
        }
    }

    fn number(&mut self, at: usize) -> Token {
        if let Some(token) = self.prefixed_number(at) {
            return token;
        }
        self.digits();
        let mut kind = Kind::Int;
        if self.at(0) == b'.' && !(self.pos > at && is_word_byte(self.at(1)) && !self.number_after_point()) {
            kind = Kind::Decimal;
            self.pos += 1;
            self.digits();
        }
        if matches!(self.at(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.at(1), b'+' | b'-'));
            if self.at(1 + sign).is_ascii_digit() {
                self.pos += 1 + sign;
                self.digits();
                kind = Kind::Float;
            }
        }
        if kind == Kind::Int && is_word_byte(self.at(0)) {
            return self.word(at); // a name may begin with digits
        }
        self.token(kind, at, at, self.pos)
    }

    /// After digits and a point: does the rest look like a number's?
    fn number_after_point(&self) -> bool {
        self.at(1).is_ascii_digit() || matches!(self.at(1), b'e' | b'E')
    }

    /// `0x4D` and `0b01`; `None` when the digits make it something else.
    fn prefixed_number(&mut self, at: usize) -> Option<Token> {
        let is_digit: fn(u8) -> bool = match (self.at(0), self.at(1)) {
            (b'0', b'x') => |b| b.is_ascii_hexdigit(),
            (b'0', b'b') => |b| b == b'0' || b == b'1',
            _ => return None,
        };
        let kind = if self.at(1) == b'x' { Kind::Hex } else { Kind::Bit };
        let n = self.text[at + 2..].iter().take_while(|&&b| is_digit(b)).count();
        if n == 0 || self.text.get(at + 2 + n).is_some_and(|&b| is_word_byte(b)) {
            return None;
        }
        self.pos = at + 2 + n;
        Some(self.token(kind, at, at + 2, at + 2 + n))
    }

    fn word(&mut self, at: usize) -> Token {
        let quote_next = self.at(1) == b'\'';
        match self.at(0) {
            b'n' | b'N' if quote_next => {
                self.pos += 1;
                let mut token = self.quoted(at, Kind::Str);
                if token.kind == Kind::Str {
                    token.kind = Kind::NationalStr;
                }
                return token;
            }
            b'x' | b'X' if quote_next => return self.quoted_digits(at, Kind::Hex),
            b'b' | b'B' if quote_next => return self.quoted_digits(at, Kind::Bit),
            _ => {}
        }
        while is_word_byte(self.at(0)) {
            self.pos += 1;
        }
        if self.text[at] == b'_' && is_charset(&self.text[at + 1..self.pos]) {
            return self.token(Kind::Introducer, at, at + 1, self.pos);
        }
        self.token(Kind::Word, at, at, self.pos)
    }

    fn quoted_digits(&mut self, at: usize, kind: Kind) -> Token {
        self.pos += 1;
        let mut token = self.quoted(at, kind);
        let body = &self.text[token.start as usize..token.end as usize];
        let good = match kind {
            Kind::Hex => body.len().is_multiple_of(2) && body.iter().all(u8::is_ascii_hexdigit),
            _ => body.iter().all(|b| matches!(b, b'0' | b'1')),
        };
        if token.kind == kind && !good {
            token = Token { kind: Kind::Bad, ..token };
        }
        token
    }

    fn operator(&mut self, at: usize) -> Token {
        let rest = &self.text[at..];
        let (op, len) = match rest {
            [b'<', b'=', b'>', ..] => (Op::NullSafeEq, 3),
            [b'-', b'>', b'>', ..] => (Op::LongArrow, 3),
            [b'<', b'=', ..] => (Op::Le, 2),
            [b'<', b'>', ..] | [b'!', b'=', ..] => (Op::Ne, 2),
            [b'<', b'<', ..] => (Op::Shl, 2),
            [b'>', b'>', ..] => (Op::Shr, 2),
            [b'>', b'=', ..] => (Op::Ge, 2),
            [b'&', b'&', ..] => (Op::AndAnd, 2),
            [b'|', b'|', ..] => (Op::OrOr, 2),
            [b':', b'=', ..] => (Op::Assign, 2),
            [b'-', b'>', ..] => (Op::Arrow, 2),
            [b, ..] => match single(*b) {
                Some(op) => (op, 1),
                None => {
                    self.pos += 1;
                    return self.token(Kind::Bad, at, at, at + 1);
                }
            },
            [] => unreachable!("the caller saw a byte"),
        };
        self.pos += len;
        self.token(Kind::Op(op), at, at, at + len)
    }
}

fn single(b: u8) -> Option<Op> {
    Some(match b {
        b'(' => Op::LParen,
        b')' => Op::RParen,
        b'{' => Op::LBrace,
        b'}' => Op::RBrace,
        b',' => Op::Comma,
        b'.' => Op::Dot,
        b'+' => Op::Plus,
        b'-' => Op::Minus,
        b'*' => Op::Star,
        b'/' => Op::Slash,
        b'%' => Op::Percent,
        b'^' => Op::Caret,
        b'&' => Op::Amp,
        b'|' => Op::Pipe,
        b'~' => Op::Tilde,
        b'!' => Op::Bang,
        b'=' => Op::Eq,
        b'<' => Op::Lt,
        b'>' => Op::Gt,
        _ => return None,
    })
}

/// Character sets whose name after `_` makes an introducer.
fn is_charset(name: &[u8]) -> bool {
    ["utf8mb4", "utf8mb3", "utf8", "binary", "latin1", "ascii"]
        .iter()
        .any(|c| name.eq_ignore_ascii_case(c.as_bytes()))
}

/// The content of a quoted token: doubled quotes and, in strings, backslash escapes resolved. `\%` and `\_` keep their backslash (LIKE reads it).
pub(crate) fn unquote(text: &[u8], token: &Token, mode: LexMode) -> Vec<u8> {
    let body = &text[token.start as usize..token.end as usize];
    let quote = text[token.end as usize];
    let escapes = matches!(token.kind, Kind::Str | Kind::NationalStr) && !mode.no_backslash_escapes;
    let special = |b: &u8| *b == quote || (escapes && *b == b'\\');
    if !body.iter().any(special) {
        return body.to_vec();
    }
    let mut out = Vec::with_capacity(body.len());
    let mut i = 0;
    while i < body.len() {
        let b = body[i];
        if b == b'\\' && escapes && i + 1 < body.len() {
            i += 1;
            match body[i] {
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'r' => out.push(b'\r'),
                b'b' => out.push(8),
                b'0' => out.push(0),
                b'Z' => out.push(26),
                c @ (b'%' | b'_') => out.extend([b'\\', c]),
                c => out.push(c),
            }
        } else {
            out.push(b);
            if b == quote {
                i += 1; // the second of a doubled quote
            }
        }
        i += 1;
    }
    out
}
