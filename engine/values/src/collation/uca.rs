//! utf8mb4_0900_ai_ci: the primary weights of DUCET 9.0.0, frozen.
//!
//! The table `uca900.bin` (layout in scripts/uca900.py; facts from the Unicode Character Database under the Unicode license) is part of
//! the index format: other weights would be another order. Two stages of 128 code points each; ideographs and unassigned code points
//! get implicit weights by formula, Hangul syllables those of their jamo. There are no contractions in this collation, as in MySQL.
//!
//! 1. A weight is never 0 and its high byte is never below 2, so a zero byte can end a key.
//! 2. Digests of all weights, taken from MySQL 9.7's WEIGHT_STRING(), are compared in `tests/uca.rs`.
//! 3. ASCII never touches the table: `ascii_weight` is an array of 128.

use std::cmp::Ordering;

static TABLE: &[u8] = include_bytes!("uca900.bin");

const HEADER: usize = 4;
const STAGE_ONE: usize = 0x11_0000 / 128;
const PAGES: usize = word(1) as usize;
const POOL: usize = HEADER + STAGE_ONE + PAGES * 128;
const IGNORABLE: u16 = 0;
const IMPLICIT: u16 = 1;
const HANGUL: u16 = 2;
const EXPANSION: u16 = 0x6000;
const EXPANSION_END: u16 = 0xFB00;

const _: () = assert!(word(0) == 1, "the weight table has format 1");
const _: () = assert!(TABLE.len() == 2 * (POOL + word(2) as usize), "the weight table is whole");

const fn word(at: usize) -> u16 {
    u16::from_le_bytes([TABLE[2 * at], TABLE[2 * at + 1]])
}

static ASCII: [u16; 128] = {
    let mut weights = [0; 128];
    let mut c = 0;
    while c < 128 {
        weights[c] = word(HEADER + STAGE_ONE + word(HEADER) as usize * 128 + c);
        assert!(weights[c] == 0 || weights[c] >= 0x200 && weights[c] < EXPANSION);
        c += 1;
    }
    weights
};

/// The weight of an ASCII character; 0 if it is ignorable (a control character).
pub fn ascii_weight(c: u8) -> u16 {
    ASCII[usize::from(c & 0x7F)]
}

/// The weights of one character, in order: at most eight.
#[derive(Clone, Copy)]
pub struct CharWeights {
    weights: [u16; 3],
    len: u8,
    /// An expansion reads its weights from the pool instead.
    pool: u16,
    next: u8,
}

impl CharWeights {
    const fn of(weights: [u16; 3], len: u8) -> Self {
        Self { weights, len, pool: 0, next: 0 }
    }

    /// The weights of `c`.
    pub fn new(c: u32) -> Self {
        let page = word(HEADER + (c as usize >> 7)) as usize;
        match word(HEADER + STAGE_ONE + page * 128 + (c as usize & 127)) {
            IGNORABLE => Self::of([0; 3], 0),
            IMPLICIT => implicit(c),
            HANGUL => hangul(c),
            e @ EXPANSION..EXPANSION_END => {
                let at = e - EXPANSION;
                Self { weights: [0; 3], len: word(POOL + usize::from(at)) as u8, pool: at + 1, next: 0 }
            }
            weight => Self::of([weight, 0, 0], 1),
        }
    }
}

impl Iterator for CharWeights {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.next == self.len {
            return None;
        }
        let i = usize::from(self.next);
        self.next += 1;
        Some(if self.pool == 0 { self.weights[i] } else { word(POOL + usize::from(self.pool) + i) })
    }
}

/// Ideographs, Tangut and unassigned code points: a block weight and a weight within the block.
fn implicit(c: u32) -> CharWeights {
    let (block, within) = match c {
        0x17000..=0x18AFF => (0xFB00, c - 0x17000),
        0x4E00..=0x9FD5
        | 0xFA0E
        | 0xFA0F
        | 0xFA11
        | 0xFA13
        | 0xFA14
        | 0xFA1F
        | 0xFA21
        | 0xFA23
        | 0xFA24
        | 0xFA27..=0xFA29 => (0xFB40 + (c >> 15), c & 0x7FFF),
        0x3400..=0x4DB5 | 0x20000..=0x2A6D6 | 0x2A700..=0x2B734 | 0x2B740..=0x2B81D | 0x2B820..=0x2CEA1 => {
            (0xFB80 + (c >> 15), c & 0x7FFF)
        }
        _ => (0xFBC0 + (c >> 15), c & 0x7FFF),
    };
    CharWeights::of([block as u16, within as u16 | 0x8000, 0], 2)
}

/// A syllable sorts as its leading consonant, vowel and, if any, trailing consonant.
fn hangul(c: u32) -> CharWeights {
    let s = c - 0xAC00;
    let single = |jamo: u32| CharWeights::new(jamo).weights[0];
    let trailing = s % 28;
    let lv = [single(0x1100 + s / 588), single(0x1161 + s % 588 / 28)];
    if trailing == 0 {
        CharWeights::of([lv[0], lv[1], 0], 2)
    } else {
        CharWeights::of([lv[0], lv[1], single(0x11A7 + trailing)], 3)
    }
}

/// The code point at the start of `s` and its length in bytes. Bytes that are no UTF-8 give some code point and never a panic.
pub fn decode(s: &[u8]) -> (u32, usize) {
    let at = |i: usize| u32::from(s.get(i).copied().unwrap_or(0)) & 0x3F;
    let first = u32::from(s[0]);
    let (c, len) = match first {
        0..0xC0 => (first, 1),
        0xC0..0xE0 => ((first & 0x1F) << 6 | at(1), 2),
        0xE0..0xF0 => ((first & 0x0F) << 12 | at(1) << 6 | at(2), 3),
        _ => (((first & 0x07) << 18 | at(1) << 12 | at(2) << 6 | at(3)).min(0x10_FFFF), 4),
    };
    (c, len.min(s.len()))
}

/// Calls `sink` with every weight of `s` in order.
pub fn weights(s: &[u8], mut sink: impl FnMut(u16)) {
    let mut rest = s;
    while let Some(&b) = rest.first() {
        if b < 0x80 {
            let w = ascii_weight(b);
            if w != 0 {
                sink(w);
            }
            rest = &rest[1..];
        } else {
            let (c, len) = decode(rest);
            CharWeights::new(c).for_each(&mut sink);
            rest = &rest[len..];
        }
    }
}

/// The weights of a string, one at a time.
struct Weights<'a> {
    rest: &'a [u8],
    pending: CharWeights,
}

impl Iterator for Weights<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        loop {
            if let Some(w) = self.pending.next() {
                return Some(w);
            }
            let &b = self.rest.first()?;
            if b < 0x80 {
                self.rest = &self.rest[1..];
                let w = ascii_weight(b);
                if w != 0 {
                    return Some(w);
                }
            } else {
                let (c, len) = decode(self.rest);
                self.rest = &self.rest[len..];
                self.pending = CharWeights::new(c);
            }
        }
    }
}

/// The order of two strings by their weights, NO PAD.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y && x.is_ascii()).count();
    let start = |s| Weights { rest: s, pending: CharWeights::of([0; 3], 0) };
    start(&a[common..]).cmp(start(&b[common..]))
}
