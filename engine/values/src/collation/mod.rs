//! Collations: how characters compare, sort, hash and fold.
//!
//! `utf8mb4_0900_ai_ci` (MySQL's default: UCA 9.0.0 primary weights, NO PAD), the `_bin` ones (code points, PAD SPACE: trailing
//! spaces do not count), `utf8mb4_0900_bin` (code points, NO PAD), `binary` (bytes, NO PAD), and the older ones of one or two bytes a weight
//! ([`legacy`]). Whatever the character set, text is UTF-8 ([`charset`]), whose bytes order like its code points.

pub mod case;
pub mod charset;
mod fold;
mod general;
mod latin1;
pub mod legacy;
pub mod uca;

pub use charset::CharSet;
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
    /// utf8mb3_general_ci, id 33.
    UTF8MB3_GENERAL_CI = 33,
    /// utf8mb3_bin, id 83.
    UTF8MB3_BIN = 83,
    /// utf8mb3_unicode_ci, id 192.
    UTF8MB3_UNICODE_CI = 192,
    /// latin1_swedish_ci, id 8.
    LATIN1_SWEDISH_CI = 8,
    /// latin1_bin, id 47.
    LATIN1_BIN = 47,
    /// latin1_general_ci, id 48.
    LATIN1_GENERAL_CI = 48,
    /// ascii_general_ci, id 11.
    ASCII_GENERAL_CI = 11,
    /// ascii_bin, id 65.
    ASCII_BIN = 65,
    /// binary, id 63: binary strings and everything that is no string.
    BINARY = 63,
}

use Collation as C;

/// What a collation compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sort {
    /// The bytes.
    Bytes,
    /// The bytes, continued with spaces.
    Padded,
    /// One weight or more a character, continued with spaces.
    Units(Legacy),
    /// UCA 9.0.0.
    Uca,
}

impl Collation {
    /// MySQL's default collation of utf8mb4.
    pub const DEFAULT: Self = Self::UTF8MB4_0900_AI_CI;
    /// All that exist, by name.
    pub const ALL: [Self; 14] = [
        C::ASCII_BIN,
        C::ASCII_GENERAL_CI,
        C::BINARY,
        C::LATIN1_BIN,
        C::LATIN1_GENERAL_CI,
        C::LATIN1_SWEDISH_CI,
        C::UTF8MB3_BIN,
        C::UTF8MB3_GENERAL_CI,
        C::UTF8MB3_UNICODE_CI,
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
        let mut i = 0;
        while i < Self::ALL.len() {
            if Self::ALL[i].id() == id {
                return Some(Self::ALL[i]);
            }
            i += 1;
        }
        None
    }

    /// The collation of this name, in any case; `None` is MySQL's 1273.
    pub fn from_name(name: &str) -> Option<Self> {
        let new = name.get(..5).filter(|start| start.eq_ignore_ascii_case("utf8_"));
        // utf8_general_ci and kin are utf8mb3's, by their old names.
        let full = new.map(|_| format!("utf8mb3_{}", &name[5..]));
        let name = full.as_deref().unwrap_or(name);
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
            C::UTF8MB3_GENERAL_CI => "utf8mb3_general_ci",
            C::UTF8MB3_BIN => "utf8mb3_bin",
            C::UTF8MB3_UNICODE_CI => "utf8mb3_unicode_ci",
            C::LATIN1_SWEDISH_CI => "latin1_swedish_ci",
            C::LATIN1_BIN => "latin1_bin",
            C::LATIN1_GENERAL_CI => "latin1_general_ci",
            C::ASCII_GENERAL_CI => "ascii_general_ci",
            C::ASCII_BIN => "ascii_bin",
            C::BINARY => "binary",
        }
    }

    /// The character set.
    pub const fn char_set(self) -> CharSet {
        match self {
            C::BINARY => CharSet::Binary,
            C::UTF8MB3_GENERAL_CI | C::UTF8MB3_BIN | C::UTF8MB3_UNICODE_CI => CharSet::Utf8mb3,
            C::LATIN1_SWEDISH_CI | C::LATIN1_BIN | C::LATIN1_GENERAL_CI => CharSet::Latin1,
            C::ASCII_GENERAL_CI | C::ASCII_BIN => CharSet::Ascii,
            _ => CharSet::Utf8mb4,
        }
    }

    /// The collation that a character set has when none is named.
    pub const fn default_of(set: CharSet) -> Self {
        match set {
            CharSet::Utf8mb4 => C::UTF8MB4_0900_AI_CI,
            CharSet::Utf8mb3 => C::UTF8MB3_GENERAL_CI,
            CharSet::Latin1 => C::LATIN1_SWEDISH_CI,
            CharSet::Ascii => C::ASCII_GENERAL_CI,
            CharSet::Binary => C::BINARY,
        }
    }

    /// The `_bin` collation of a character set.
    pub const fn bin_of(set: CharSet) -> Self {
        match set {
            CharSet::Utf8mb4 => C::UTF8MB4_BIN,
            CharSet::Utf8mb3 => C::UTF8MB3_BIN,
            CharSet::Latin1 => C::LATIN1_BIN,
            CharSet::Ascii => C::ASCII_BIN,
            CharSet::Binary => C::BINARY,
        }
    }

    /// The character set's name.
    pub const fn charset(self) -> &'static str {
        self.char_set().name()
    }

    /// Most bytes per character, from 1 to 4.
    pub const fn bytes_per_char(self) -> u64 {
        self.char_set().bytes_per_char()
    }

    pub(crate) const fn sort(self) -> Sort {
        match self {
            C::UTF8MB4_0900_AI_CI => Sort::Uca,
            C::BINARY | C::UTF8MB4_0900_BIN => Sort::Bytes,
            C::UTF8MB4_BIN | C::UTF8MB3_BIN | C::ASCII_BIN => Sort::Padded,
            C::UTF8MB4_GENERAL_CI | C::UTF8MB3_GENERAL_CI => Sort::Units(Legacy::General),
            C::UTF8MB4_UNICODE_CI | C::UTF8MB3_UNICODE_CI => Sort::Units(Legacy::Unicode),
            C::LATIN1_SWEDISH_CI => Sort::Units(Legacy::Swedish),
            C::LATIN1_GENERAL_CI => Sort::Units(Legacy::Latin1General),
            C::LATIN1_BIN => Sort::Units(Legacy::Latin1Bytes),
            C::ASCII_GENERAL_CI => Sort::Units(Legacy::Ascii),
        }
    }

    /// Whether trailing spaces count in comparisons (NO PAD) or not (PAD SPACE).
    pub const fn pads_space(self) -> bool {
        matches!(self.sort(), Sort::Padded | Sort::Units(_))
    }

    /// Whether letters of both cases are alike.
    pub const fn ignores_case(self) -> bool {
        matches!(self.sort(), Sort::Uca | Sort::Units(_)) && !self.is_bin()
    }

    /// Whether it is a character set's binary collation: one of code points, which wins over others in a mix.
    pub const fn is_bin(self) -> bool {
        matches!(self, C::UTF8MB4_BIN | C::UTF8MB4_0900_BIN | C::UTF8MB3_BIN | C::LATIN1_BIN | C::ASCII_BIN)
    }

    /// The older collation it is, if it is one.
    pub const fn legacy(self) -> Option<Legacy> {
        match self.sort() {
            Sort::Units(legacy) => Some(legacy),
            _ => None,
        }
    }

    /// Whether two characters are equal by themselves: what LIKE and LOCATE ask.
    pub fn same_character(self, a: u32, b: u32) -> bool {
        match self.sort() {
            _ if a == b => true,
            Sort::Uca => uca::CharWeights::new(a).eq(uca::CharWeights::new(b)),
            Sort::Units(legacy) => legacy.same(a, b),
            Sort::Bytes | Sort::Padded => false,
        }
    }

    /// The order of two strings. Bytes that are not UTF-8 compare by bytes after the valid prefix; they cannot come from a `Text`.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self.sort() {
            Sort::Bytes => a.cmp(b),
            Sort::Units(legacy) => legacy.compare(a, b),
            Sort::Padded => compare_padded(a, b),
            Sort::Uca => uca::compare(a, b),
        }
    }

    /// Whether two strings are equal.
    pub fn equal(self, a: &[u8], b: &[u8]) -> bool {
        match self.sort() {
            Sort::Bytes => a == b,
            Sort::Units(legacy) => a == b || legacy.compare(a, b) == Ordering::Equal,
            Sort::Padded => trim_spaces(a) == trim_spaces(b),
            Sort::Uca => a == b || uca::compare(a, b) == Ordering::Equal,
        }
    }

    /// Feeds a hasher so that equal strings feed it equally.
    pub fn hash<H: Hasher>(self, s: &[u8], hasher: &mut H) {
        match self.sort() {
            Sort::Bytes => hasher.write(s),
            Sort::Units(legacy) => legacy.weights(s).iter().for_each(|w| hasher.write_u16(*w)),
            Sort::Padded => hasher.write(trim_spaces(s)),
            Sort::Uca => uca::weights(s, |w| hasher.write_u16(w)),
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
