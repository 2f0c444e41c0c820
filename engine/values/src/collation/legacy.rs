//! The collations of older schemas: general_ci and unicode_ci of utf8mb4 and utf8mb3, those of latin1 and ascii. All are PAD SPACE. The
//! first two know the basic plane only: every character above it weighs FFFD, so all emoji are equal.
//!
//! * `general_ci`: one weight a character, mostly its code point; letters weigh as their unaccented capital (`GENERAL`, runs of differences).
//! * `unicode_ci`: the primary weights of UCA 4.0.0, without contractions (`uca400.bin`; layout in scripts/legacy.py).
//! * latin1 and ascii: a table by byte (`latin1`).
//!
//! The tables were read from MySQL 9.7's WEIGHT_STRING() and are part of the index format.

use super::charset::latin1_byte;
use super::general::GENERAL;
use super::latin1::{LATIN1_GENERAL, SWEDISH};
use super::uca::decode;
use std::cmp::Ordering;

static TABLE: &[u8] = include_bytes!("uca400.bin");
const HEADER: usize = 4;
const STAGE_ONE: usize = 512;
const PAGES: usize = word(1) as usize;
const POOL: usize = HEADER + STAGE_ONE + PAGES * 128;
const EXPANSION: u16 = 0x6000;
const EXPANSION_END: u16 = 0xFB00;
const ABOVE: u16 = 0xFFFD;

const _: () = assert!(word(0) == 1, "the weight table has format 1");
const _: () = assert!(TABLE.len() == 2 * (POOL + word(2) as usize), "the weight table is whole");

const fn word(at: usize) -> u16 {
    u16::from_le_bytes([TABLE[2 * at], TABLE[2 * at + 1]])
}

/// Which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Legacy {
    /// utf8mb4_general_ci, utf8mb3_general_ci
    General,
    /// utf8mb4_unicode_ci, utf8mb3_unicode_ci
    Unicode,
    /// latin1_swedish_ci
    Swedish,
    /// latin1_general_ci
    Latin1General,
    /// latin1_bin: the bytes, whose order is not that of code points
    Latin1Bytes,
    /// ascii_general_ci
    Ascii,
}

impl Legacy {
    /// The weight of a space, by which the shorter string counts as continued.
    pub const fn space(self) -> u16 {
        match self {
            Self::Unicode => 0x209,
            _ => 0x20,
        }
    }

    /// Calls `sink` with each weight of the code point `c`.
    pub fn character(self, c: u32, mut sink: impl FnMut(u16)) {
        let Ok(unit) = u16::try_from(c) else { return sink(ABOVE) };
        match self {
            Self::Unicode => {}
            Self::General => return sink(general(unit)),
            _ => return sink(self.single(unit)),
        }
        let page = word(HEADER + usize::from(unit >> 7)) as usize;
        match word(HEADER + STAGE_ONE + page * 128 + usize::from(unit & 127)) {
            0 => {}
            1 => {
                let base = match unit {
                    0x4E00..=0x9FA5 | 0xFA0E..=0xFA29 => 0xFB40,
                    0x3400..=0x4DB5 => 0xFB80,
                    _ => 0xFBC0,
                };
                sink(base + (unit >> 15));
                sink(unit & 0x7FFF | 0x8000);
            }
            e @ EXPANSION..EXPANSION_END => {
                let at = POOL + usize::from(e - EXPANSION);
                (1..=usize::from(word(at))).for_each(|i| sink(word(at + i)));
            }
            weight => sink(weight),
        }
    }

    /// The weight of a character of latin1 or ascii; others, which cannot be stored, weigh more than all of them.
    fn single(self, unit: u16) -> u16 {
        let byte = char::from_u32(u32::from(unit)).and_then(latin1_byte);
        let Some(byte) = byte else { return 0x100 + (unit >> 1) };
        u16::from(match self {
            Self::Swedish => SWEDISH[usize::from(byte)],
            Self::Latin1General => LATIN1_GENERAL[usize::from(byte)],
            Self::Ascii => byte.to_ascii_uppercase(),
            _ => byte,
        })
    }

    /// The weights of a string without its trailing spaces.
    pub fn weights(self, s: &[u8]) -> Vec<u16> {
        let mut out = Vec::with_capacity(s.len());
        let mut rest = s;
        while !rest.is_empty() {
            let (c, len) = decode(rest);
            self.character(c, |w| out.push(w));
            rest = &rest[len..];
        }
        while out.last() == Some(&self.space()) {
            out.pop();
        }
        out
    }

    /// Whether two characters weigh the same.
    pub fn same(self, a: u32, b: u32) -> bool {
        let of = |c| {
            let mut weights = Vec::new();
            self.character(c, |w| weights.push(w));
            weights
        };
        a == b || of(a) == of(b)
    }

    /// The order of two strings.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let common = a.iter().zip(b).take_while(|(x, y)| x == y && x.is_ascii()).count();
        let (a, b) = (self.weights(&a[common..]), self.weights(&b[common..]));
        let shared = a.len().min(b.len());
        a[..shared].cmp(&b[..shared]).then_with(|| {
            let against_spaces = |rest: &[u16]| {
                rest.iter().map(|w| w.cmp(&self.space())).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            };
            against_spaces(&a[shared..]).then(against_spaces(&b[shared..]).reverse())
        })
    }
}

fn general(unit: u16) -> u16 {
    let code = u32::from(unit);
    let runs = &GENERAL[..GENERAL.partition_point(|r| r.0 <= code)];
    // Runs of a step above one may lie within one another: at most a few.
    let hit = runs
        .iter()
        .rev()
        .take(16)
        .find(|(first, last, step, _)| code <= *last && (code - first).is_multiple_of(*step));
    hit.and_then(|(.., delta)| code.checked_add_signed(*delta))
        .and_then(|w| u16::try_from(w).ok())
        .unwrap_or(unit)
}
