//! Collations: how characters compare, sort, hash and fold.
//!
//! `utf8mb4_0900_ai_ci` (MySQL's default: UCA 9.0.0 primary weights, NO PAD), `utf8mb4_bin` (code points, PAD SPACE: trailing
//! spaces do not count), `utf8mb4_0900_bin` (code points, NO PAD), `binary` (bytes, NO PAD), and for older schemas `utf8mb4_general_ci` and
//! `utf8mb4_unicode_ci` ([`legacy`]). utf8mb4's code points order like its bytes, so the `_bin` ones compare bytes.

pub mod case;
mod fold;
mod general;
pub mod legacy;
pub mod uca;

use legacy::Legacy;
use std::cmp::Ordering;
use std::hash::Hasher;

/// A collation, by MySQL's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
#[repr(u16)]
#[allow(non_camel_case_types, reason = "MySQL's own names")]
pub enum Collation {
    /// utf8mb4_0900_ai_ci, id 255: the default.
    UTF8MB4_0900_AI_CI = 255,
    /// utf8mb4_bin, id 46.
    UTF8MB4_BIN = 46,
    /// utf8mb4_general_ci, id 45.
    UTF8MB4_GENERAL_CI = 45,
    /// utf8mb4_unicode_ci, id 224.
    UTF8MB4_UNICODE_CI = 224,
    /// utf8mb4_0900_bin, id 309.
    UTF8MB4_0900_BIN = 309,
    /// binary, id 63: binary strings and everything that is no string.
    BINARY = 63,
}

use Collation as C;

impl Collation {
    /// MySQL's default collation of utf8mb4.
    pub const DEFAULT: Self = Self::UTF8MB4_0900_AI_CI;
    /// All that exist, by name.
    pub const ALL: [Self; 6] = [
        C::BINARY,
        C::UTF8MB4_0900_AI_CI,
        C::UTF8MB4_0900_BIN,
        C::UTF8MB4_BIN,
        C::UTF8MB4_GENERAL_CI,
        C::UTF8MB4_UNICODE_CI,
    ];

    /// MySQL's id, as in column metadata.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// The collation of this id.
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            255 => Some(C::UTF8MB4_0900_AI_CI),
            46 => Some(C::UTF8MB4_BIN),
            45 => Some(C::UTF8MB4_GENERAL_CI),
            224 => Some(C::UTF8MB4_UNICODE_CI),
            309 => Some(C::UTF8MB4_0900_BIN),
            63 => Some(C::BINARY),
            _ => None,
        }
    }

    /// The collation of this name, in any case; `None` is MySQL's 1273.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(name))
    }

    /// MySQL's name.
    pub const fn name(self) -> &'static str {
        match self {
            C::UTF8MB4_0900_AI_CI => "utf8mb4_0900_ai_ci",
            C::UTF8MB4_BIN => "utf8mb4_bin",
            C::UTF8MB4_0900_BIN => "utf8mb4_0900_bin",
            C::UTF8MB4_GENERAL_CI => "utf8mb4_general_ci",
            C::UTF8MB4_UNICODE_CI => "utf8mb4_unicode_ci",
            C::BINARY => "binary",
        }
    }

    /// The character set's name: `utf8mb4` or `binary`.
    pub const fn charset(self) -> &'static str {
        match self {
            C::BINARY => "binary",
            _ => "utf8mb4",
        }
    }

    /// Most bytes per character: 4 or 1.
    pub const fn bytes_per_char(self) -> u64 {
        match self {
            C::BINARY => 1,
            _ => 4,
        }
    }

    /// Whether trailing spaces count in comparisons (NO PAD) or not (PAD SPACE).
    pub const fn pads_space(self) -> bool {
        matches!(self, C::UTF8MB4_BIN | C::UTF8MB4_GENERAL_CI | C::UTF8MB4_UNICODE_CI)
    }

    /// Whether letters of both cases are alike.
    pub const fn ignores_case(self) -> bool {
        matches!(self, C::UTF8MB4_0900_AI_CI | C::UTF8MB4_GENERAL_CI | C::UTF8MB4_UNICODE_CI)
    }

    /// Whether it is a character set's binary collation: one of code points, which wins over others in a mix.
    pub const fn is_bin(self) -> bool {
        matches!(self, C::UTF8MB4_BIN | C::UTF8MB4_0900_BIN)
    }

    /// The older collation it is, if it is one.
    pub const fn legacy(self) -> Option<Legacy> {
        match self {
            C::UTF8MB4_GENERAL_CI => Some(Legacy::General),
            C::UTF8MB4_UNICODE_CI => Some(Legacy::Unicode),
            _ => None,
        }
    }

    /// Whether two characters are equal by themselves: what LIKE and LOCATE ask.
    pub fn same_character(self, a: u32, b: u32) -> bool {
        match self {
            _ if a == b => true,
            C::UTF8MB4_0900_AI_CI => uca::CharWeights::new(a).eq(uca::CharWeights::new(b)),
            C::UTF8MB4_GENERAL_CI => Legacy::General.same(a, b),
            C::UTF8MB4_UNICODE_CI => Legacy::Unicode.same(a, b),
            C::BINARY | C::UTF8MB4_BIN | C::UTF8MB4_0900_BIN => false,
        }
    }

    /// The order of two strings. Bytes that are not UTF-8 compare by bytes after the valid prefix; they cannot come from a `Text`.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            C::BINARY | C::UTF8MB4_0900_BIN => a.cmp(b),
            C::UTF8MB4_GENERAL_CI => Legacy::General.compare(a, b),
            C::UTF8MB4_UNICODE_CI => Legacy::Unicode.compare(a, b),
            C::UTF8MB4_BIN => compare_padded(a, b),
            C::UTF8MB4_0900_AI_CI => uca::compare(a, b),
        }
    }

    /// Whether two strings are equal.
    pub fn equal(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            C::BINARY | C::UTF8MB4_0900_BIN => a == b,
            C::UTF8MB4_GENERAL_CI | C::UTF8MB4_UNICODE_CI => a == b || self.compare(a, b) == Ordering::Equal,
            C::UTF8MB4_BIN => trim_spaces(a) == trim_spaces(b),
            C::UTF8MB4_0900_AI_CI => a == b || uca::compare(a, b) == Ordering::Equal,
        }
    }

    /// Feeds a hasher so that equal strings feed it equally.
    pub fn hash<H: Hasher>(self, s: &[u8], hasher: &mut H) {
        match self {
            C::BINARY | C::UTF8MB4_0900_BIN => hasher.write(s),
            C::UTF8MB4_GENERAL_CI => Legacy::General.weights(s).iter().for_each(|w| hasher.write_u16(*w)),
            C::UTF8MB4_UNICODE_CI => Legacy::Unicode.weights(s).iter().for_each(|w| hasher.write_u16(*w)),
            C::UTF8MB4_BIN => hasher.write(trim_spaces(s)),
            C::UTF8MB4_0900_AI_CI => uca::weights(s, |w| hasher.write_u16(w)),
        }
        hasher.write_u8(0xFF);
    }
}

/// The bytes without trailing spaces.
pub fn trim_spaces(mut s: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = s {
        s = rest;
    }
    s
}

/// The shorter string counts as continued with spaces.
fn compare_padded(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.len().min(b.len());
    a[..common].cmp(&b[..common]).then_with(|| {
        let against_spaces = |rest: &[u8]| rest.iter().map(|c| c.cmp(&b' ')).find(|o| o.is_ne());
        if a.len() > common {
            against_spaces(&a[common..]).unwrap_or(Ordering::Equal)
        } else {
            against_spaces(&b[common..]).unwrap_or(Ordering::Equal).reverse()
        }
    })
}

/// The number of characters: bytes that do not continue one.
pub fn char_length(s: &[u8]) -> usize {
    s.iter().filter(|b| (**b as i8) >= -0x40).count()
}
