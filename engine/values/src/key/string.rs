//! Strings in keys: each collation's bytes, ended so that no key is a prefix of another.
//!
//! * `binary`: the bytes, 00 as `00 FF`; the end is `00 01`.
//! * `utf8mb4_bin`, `utf8mb3_bin` and `ascii_bin` (PAD SPACE): trailing spaces dropped; then the end must compare like spaces without end. So a space within is
//!   `20 03` when the next byte that is no space is above a space, `20 01` when it is below, and the end is `20 02`.
//! * `general_ci` and `unicode_ci` of utf8mb4 and utf8mb3, and those of latin1 and ascii (PAD SPACE): the weights, two bytes each, trailing spaces dropped; a space's weight is
//!   followed by 01, 02 or 03 with the same meaning.
//! * `utf8mb4_0900_bin`: as `binary`.
//! * `utf8mb4_0900_ai_ci`: the primary weights, the end is `00`. Weights are packed by `LEADS`: the weights of the printable ASCII
//!   characters take one byte each, in their order; every gap between them, and what lies above, is cut into blocks of 256 weights, one
//!   lead byte and one more; the weights FB00..FBFF of ideographs are followed by their second weight in two plain bytes, and FC00..FFFF
//!   are one lead byte and two plain ones. So ASCII text costs a byte per character, and bytes still order as weights do.
//!
//! ```text
//!   00 | 02.. one lead byte per ASCII weight or block of 256, in order of weight | FBxx + 2 bytes | FC00.. + 2 bytes
//! ```

use crate::collation::legacy::Legacy;
use crate::collation::{Collation, Sort, trim_spaces, uca};
use std::sync::LazyLock;

pub(super) fn encode(s: &[u8], collation: Collation, out: &mut Vec<u8>) {
    match collation.sort() {
        Sort::Bytes => encode_binary(s, out),
        Sort::Units(legacy) => encode_units(s, legacy, out),
        Sort::Padded => encode_padded(trim_spaces(s), out),
        Sort::Uca => encode_weights(s, out),
    }
}

fn encode_binary(s: &[u8], out: &mut Vec<u8>) {
    for (i, piece) in s.split(|b| *b == 0).enumerate() {
        if i > 0 {
            out.extend_from_slice(&[0, 0xFF]);
        }
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(&[0, 1]);
}

/// The bytes of a binary key and its length; every byte is xored with `flip` first.
pub(super) fn decode_binary(key: &[u8], flip: u8) -> Option<(Vec<u8>, usize)> {
    let (mut out, mut at) = (Vec::new(), 0);
    loop {
        let b = key.get(at)? ^ flip;
        at += 1;
        if b != 0 {
            out.push(b);
            continue;
        }
        let escape = key.get(at)? ^ flip;
        at += 1;
        match escape {
            1 => return Some((out, at)),
            0xFF => out.push(0),
            _ => return None,
        }
    }
}

fn encode_padded(s: &[u8], out: &mut Vec<u8>) {
    for (i, &b) in s.iter().enumerate() {
        out.push(b);
        if b == b' ' {
            // Trailing spaces are gone: another byte follows.
            let next = s[i..].iter().find(|b| **b != b' ').copied().unwrap_or(b'!');
            out.push(if next < b' ' { 1 } else { 3 });
        }
    }
    out.extend_from_slice(b" \x02");
}

/// Weights of two bytes under PAD SPACE.
fn encode_units(s: &[u8], legacy: Legacy, out: &mut Vec<u8>) {
    let (weights, space) = (legacy.weights(s), legacy.space());
    for (i, &w) in weights.iter().enumerate() {
        out.extend_from_slice(&w.to_be_bytes());
        if w == space {
            // Trailing spaces are gone: another weight follows.
            let next = weights[i..].iter().find(|w| **w != space).copied().unwrap_or(u16::MAX);
            out.push(if next < space { 1 } else { 3 });
        }
    }
    out.extend_from_slice(&space.to_be_bytes());
    out.push(2);
}

/// How weights become bytes.
struct Leads {
    /// Lead byte of each printable ASCII character; 0 for the others.
    ascii: [u8; 128],
    /// First weight of each lead byte in ascending order, from lead byte `FIRST`; whether the lead byte is all.
    starts: Vec<(u16, bool)>,
}

const FIRST: usize = 2;
const HAN: u16 = 0xFB00;
const ABOVE: u16 = 0xFC00;
/// The highest weight below the implicit ones (DUCET 9.0.0 ends at 54A3).
const LAST: u32 = 0x54FF;

static LEADS: LazyLock<Leads> = LazyLock::new(|| {
    let mut singles: Vec<u16> = (b' '..=b'~').map(uca::ascii_weight).filter(|w| *w != 0).collect();
    singles.sort_unstable();
    singles.dedup();
    let mut starts = Vec::new();
    let mut next = 0x200_u32;
    for single in singles.iter().map(|w| u32::from(*w)).chain([LAST + 1]) {
        while next < single {
            starts.push((next as u16, false));
            next = (next + 256).min(single);
        }
        if single <= LAST {
            starts.push((single as u16, true));
        }
        next = single + 1;
    }
    starts.extend([(HAN, false), (ABOVE, false)]);
    assert!(FIRST + starts.len() <= 256, "lead bytes are bytes: {}", starts.len());
    let mut ascii = [0; 128];
    for c in b' '..=b'~' {
        let found = starts.binary_search(&(uca::ascii_weight(c), true));
        ascii[usize::from(c)] = found.map_or(0, |i| (FIRST + i) as u8);
    }
    Leads { ascii, starts }
});

fn encode_weights(s: &[u8], out: &mut Vec<u8>) {
    let leads = &*LEADS;
    let mut rest = s;
    out.reserve(s.len() + 1);
    while let Some(&b) = rest.first() {
        if let Some(&lead) = leads.ascii.get(usize::from(b)) {
            match lead {
                0 if uca::ascii_weight(b) != 0 => push_weight(leads, uca::ascii_weight(b), out),
                0 => {}
                _ => out.push(lead),
            }
            rest = &rest[1..];
            continue;
        }
        let (c, len) = uca::decode(rest);
        rest = &rest[len..];
        let mut weights = uca::CharWeights::new(c);
        while let Some(w) = weights.next() {
            push_weight(leads, w, out);
            if (HAN..ABOVE).contains(&w) {
                out.extend_from_slice(&weights.next().unwrap_or(0).to_be_bytes());
            }
        }
    }
    out.push(0);
}

fn push_weight(leads: &Leads, w: u16, out: &mut Vec<u8>) {
    let i = leads.starts.partition_point(|(start, _)| *start <= w) - 1;
    let (start, single) = leads.starts[i];
    out.push((FIRST + i) as u8);
    if start == ABOVE {
        out.extend_from_slice(&w.to_be_bytes());
    } else if !single {
        out.push((w - start) as u8);
    }
}

/// The length of a string key, its end included; every byte is xored with `flip` first.
pub(super) fn encoded_len(key: &[u8], collation: Collation, flip: u8) -> Option<usize> {
    let at = |i: usize| key.get(i).map(|b| b ^ flip);
    let mut i = 0;
    match collation.sort() {
        Sort::Bytes => decode_binary(key, flip).map(|(_, len)| len),
        Sort::Units(legacy) => {
            let space = legacy.space().to_be_bytes();
            loop {
                let unit = [at(i)?, at(i + 1)?];
                i += 2;
                if unit == space {
                    i += 1;
                    if at(i - 1)? == 2 {
                        return Some(i);
                    }
                }
            }
        }
        Sort::Padded => loop {
            match (at(i)?, at(i + 1)) {
                (b' ', Some(2)) => return Some(i + 2),
                (b' ', _) => i += 2,
                _ => i += 1,
            }
        },
        Sort::Uca => loop {
            let lead = usize::from(at(i)?);
            if lead == 0 {
                return Some(i + 1);
            }
            let (start, single) = *LEADS.starts.get(lead.checked_sub(FIRST)?)?;
            i += match start {
                _ if single => 1,
                HAN => 4,
                ABOVE => 3,
                _ => 2,
            };
        },
    }
}
