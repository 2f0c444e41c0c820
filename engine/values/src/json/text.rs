//! JSON text: read with MySQL's error messages and positions, printed in MySQL's spelling.

use super::{Json, MAX_DEPTH, Members, quote};
use std::fmt;

/// Why a text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// MySQL's sentence; empty for a document that is nested too deep (3157).
    pub message: &'static str,
    /// Byte of the text, from 0.
    pub at: usize,
}

/// Reads a document.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn parse(text: &str) -> Result<Json, Malformed> {
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    reader.blanks();
    if reader.peek().is_none() {
        return Err(reader.wrong("The document is empty."));
    }
    let value = reader.value(1)?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.wrong("The document root must not be followed by other values.")),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

const TOO_BIG: &str = "Number too big to be stored in double.";

impl Reader<'_> {
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

    fn wrong(&self, message: &'static str) -> Malformed {
        Malformed { message, at: self.at }
    }

    fn value(&mut self, depth: usize) -> Result<Json, Malformed> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(""));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?.into())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Json::Bool(true)),
            Some(b'f') => self.word(b"false", Json::Bool(false)),
            Some(b'n') => self.word(b"null", Json::Null),
            _ => Err(self.wrong("Invalid value.")),
        }
    }

    fn word(&mut self, word: &[u8], value: Json) -> Result<Json, Malformed> {
        for b in word {
            if !self.eat(*b) {
                return Err(self.wrong("Invalid value."));
            }
        }
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Json::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.wrong("Missing a comma or ']' after an array element."));
            }
            self.blanks();
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Malformed> {
        self.at += 1;
        let mut members = Members::default();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.wrong("Missing a name for object member."));
            }
            let name = self.string()?;
            self.blanks();
            if !self.eat(b':') {
                return Err(self.wrong("Missing a colon after a name of object member."));
            }
            self.blanks();
            let value = self.value(depth + 1)?;
            members.put(&name, value);
            self.blanks();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.wrong("Missing a comma or '}' after an object member."));
            }
            self.blanks();
        }
    }

    fn string(&mut self) -> Result<String, Malformed> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong("Missing a closing quotation mark in string.")),
                Some(b'"') => {
                    self.at += 1;
                    return String::from_utf8(out).map_err(|_| self.wrong("Invalid encoding in string."));
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(b) if b < 0x20 => return Err(self.wrong("Invalid encoding in string.")),
                Some(b) => {
                    out.push(b);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let start = self.at;
        let at = |message| Malformed { message, at: start };
        self.at += 1;
        let plain = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => b,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let mut code = self.four_digits(start)?;
                if (0xD800..0xDC00).contains(&code) {
                    let pair = "The surrogate pair in string is invalid.";
                    if !(self.eat(b'\\') && self.eat(b'u')) {
                        return Err(at(pair));
                    }
                    let low = self.four_digits(start)?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err(at(pair));
                    }
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                let c = char::from_u32(code).ok_or(at("The surrogate pair in string is invalid."))?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(at("Invalid escape character in string.")),
        };
        out.push(plain);
        self.at += 1;
        Ok(())
    }

    fn four_digits(&mut self, start: usize) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let message = "Incorrect hex digit after \\u escape in string.";
            code = code * 16 + digit.ok_or(Malformed { message, at: start })?;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json, Malformed> {
        let start = self.at;
        self.eat(b'-');
        // A zero stands alone before the point.
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(self.wrong("Invalid value."));
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            if self.digits() == 0 {
                return Err(self.wrong("Miss fraction part in number."));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            let _sign = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return Err(self.wrong("Miss exponent in number."));
            }
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if whole && let Ok(v) = text.parse::<i64>() {
            return Ok(Json::Int(v));
        }
        if whole && let Ok(v) = text.parse::<u64>() {
            return Ok(Json::UInt(v));
        }
        match text.parse::<f64>() {
            Ok(v) if v.is_finite() => Ok(Json::Double(v)),
            _ => Err(Malformed { message: TOO_BIG, at: start }),
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        print(self, &mut out);
        f.write_str(&out)
    }
}

fn scalar(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(v) => out.push_str(if *v { "true" } else { "false" }),
        Json::Int(v) => out.push_str(&v.to_string()),
        Json::UInt(v) => out.push_str(&v.to_string()),
        Json::Double(v) => {
            let mut text = String::new();
            crate::double::push_double(&mut text, *v);
            let integral = text.bytes().all(|b| b == b'-' || b.is_ascii_digit());
            out.push_str(&text);
            if integral {
                out.push_str(".0");
            }
        }
        Json::Decimal(v) => out.push_str(&v.to_string()),
        Json::String(s) => quote(s, out),
        Json::Date(v) => quote(&v.to_string(), out),
        Json::Time(v) => quote(&v.text(6), out),
        Json::DateTime(v) => quote(&v.text(6), out),
        Json::Opaque(b) => {
            out.push_str("\"base64:type15:");
            base64(b.as_bytes(), out);
            out.push('"');
        }
        Json::Array(_) | Json::Object(_) => {}
    }
}

fn base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let six = (group >> (18 - 6 * k) & 63) as usize;
            out.push(if k <= chunk.len() { char::from(DIGITS[six]) } else { '=' });
        }
    }
}

fn print(json: &Json, out: &mut String) {
    match json {
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                print(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                quote(name, out);
                out.push_str(": ");
                print(value, out);
            }
            out.push('}');
        }
        _ => scalar(json, out),
    }
}

impl Json {
    /// JSON_PRETTY's text: a line for each element and member, two blanks for each level.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.push_pretty(0, &mut out);
        out
    }

    fn push_pretty(&self, level: usize, out: &mut String) {
        let line = |out: &mut String, level: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(level));
        };
        match self {
            Json::Array(items) if !items.is_empty() => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    line(out, level + 1);
                    item.push_pretty(level + 1, out);
                }
                line(out, level);
                out.push(']');
            }
            Json::Object(members) if !members.is_empty() => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    line(out, level + 1);
                    quote(name, out);
                    out.push_str(": ");
                    value.push_pretty(level + 1, out);
                }
                line(out, level);
                out.push('}');
            }
            other => print(other, out),
        }
    }
}
