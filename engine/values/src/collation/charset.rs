//! The character sets of columns: which characters they have, and how many bytes each takes.
//!
//! Whatever its set, a text is UTF-8 here; a set decides what may be stored, how long a value is in bytes for those who ask, and what its
//! bytes are where text becomes binary. MySQL's latin1 is Windows-1252, whose five free places stand for themselves.

use std::borrow::Cow;

/// A character set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[allow(missing_docs, reason = "MySQL's names")]
pub enum CharSet {
    Utf8mb4,
    Utf8mb3,
    Latin1,
    Ascii,
    Binary,
}

impl CharSet {
    /// MySQL's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8mb4 => "utf8mb4",
            Self::Utf8mb3 => "utf8mb3",
            Self::Latin1 => "latin1",
            Self::Ascii => "ascii",
            Self::Binary => "binary",
        }
    }

    /// Most bytes a character takes.
    pub const fn bytes_per_char(self) -> u64 {
        match self {
            Self::Utf8mb4 => 4,
            Self::Utf8mb3 => 3,
            Self::Latin1 | Self::Ascii | Self::Binary => 1,
        }
    }

    /// Does it have every character of Unicode, or at least of the basic plane?
    pub const fn is_unicode(self) -> bool {
        matches!(self, Self::Utf8mb4 | Self::Utf8mb3)
    }

    /// Does it have this character?
    pub fn has(self, c: char) -> bool {
        match self {
            Self::Utf8mb4 | Self::Binary => true,
            Self::Utf8mb3 => c.len_utf8() < 4,
            Self::Latin1 => c.is_ascii() || latin1_byte(c).is_some(),
            Self::Ascii => c.is_ascii(),
        }
    }

    /// The bytes of a UTF-8 text in this set; what it has not becomes `?`.
    pub fn encode(self, text: &[u8]) -> Cow<'_, [u8]> {
        if text.is_ascii() || matches!(self, Self::Utf8mb4 | Self::Binary) {
            return text.into();
        }
        let text = String::from_utf8_lossy(text);
        match self {
            Self::Utf8mb3 => {
                let kept: String = text.chars().map(|c| if self.has(c) { c } else { '?' }).collect();
                kept.into_bytes().into()
            }
            Self::Latin1 => text.chars().map(|c| latin1_byte(c).unwrap_or(b'?')).collect(),
            _ => text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect(),
        }
    }

    /// Bytes in this set as UTF-8; bytes that are no text stay.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Latin1 if !bytes.is_ascii() => {
                bytes.iter().map(|&b| latin1_char(b)).collect::<String>().into_bytes().into()
            }
            _ => bytes.into(),
        }
    }
}

const CP1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// The character of a byte of latin1.
pub fn latin1_char(b: u8) -> char {
    match b {
        0x80..=0x9f => CP1252[usize::from(b - 0x80)],
        _ => b as char,
    }
}

/// The byte of a character in latin1.
pub fn latin1_byte(c: char) -> Option<u8> {
    match CP1252.iter().position(|&x| x == c) {
        Some(i) => Some(0x80 + i as u8),
        None => u8::try_from(u32::from(c)).ok().filter(|b| !(0x80..=0x9f).contains(b)),
    }
}
