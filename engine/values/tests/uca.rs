//! Every code point's weights against MySQL 9.7's WEIGHT_STRING(), by digest, and the order of random strings against its ORDER BY.

use std::cmp::Ordering;
use std::fmt::Write as _;
use values::collation::uca::CharWeights;
use values::{Collation, ColumnType, KeyPart, Value, encode_key};

const BASIS: u64 = 0xCBF2_9CE4_8422_2325;
const PRIME: u64 = 0x100_0000_01B3;

#[test]
fn weights_of_all_code_points_are_mysqls() {
    let (mut lines, mut digest, mut block) = (String::new(), BASIS, 0);
    for c in (0..0x11_0000_u32).filter(|c| char::from_u32(*c).is_some()) {
        if c >> 12 != block {
            writeln!(lines, "{:06X} {digest:016x}", block << 12).expect("a String takes all");
            (digest, block) = (BASIS, c >> 12);
        }
        let bytes = CharWeights::new(c).flat_map(u16::to_be_bytes).chain([0]);
        digest = bytes.fold(digest, |d, b| (d ^ u64::from(b)).wrapping_mul(PRIME));
    }
    writeln!(lines, "{:06X} {digest:016x}", block << 12).expect("a String takes all");
    let golden = include_str!("golden/uca900-digests.txt");
    for (ours, theirs) in lines.lines().zip(golden.lines()) {
        assert_eq!(ours, theirs, "weights of a block of 4096 code points");
    }
    assert_eq!(lines, golden);
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

/// The golden file: hex of a string, its dense rank under utf8mb4_0900_ai_ci, and under utf8mb4_bin.
#[test]
fn random_strings_order_as_in_mysql() {
    let rows: Vec<(Vec<u8>, u32, u32)> = include_str!("golden/orders.txt")
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let rank = |i: usize| fields[i].parse().expect("a rank");
            (unhex(fields[0]), rank(1), rank(2))
        })
        .collect();
    assert!(rows.len() >= 600);
    let key = |s: &[u8], collation| {
        let text = Value::text(std::str::from_utf8(s).expect("UTF-8"));
        let mut out = Vec::new();
        encode_key(&text, &KeyPart::ascending(ColumnType::varchar(20, collation)), &mut out);
        out
    };
    for (a, a_ci, a_bin) in &rows {
        for (b, b_ci, b_bin) in &rows {
            let check = |collation: Collation, expected: Ordering| {
                assert_eq!(collation.compare(a, b), expected, "{} of {a:x?} and {b:x?}", collation.name());
                assert_eq!(
                    collation.equal(a, b),
                    expected.is_eq(),
                    "{} of {a:x?} and {b:x?}",
                    collation.name()
                );
                assert_eq!(key(a, collation).cmp(&key(b, collation)), expected, "keys of {a:x?} and {b:x?}");
            };
            check(Collation::UTF8MB4_0900_AI_CI, a_ci.cmp(b_ci));
            check(Collation::UTF8MB4_BIN, a_bin.cmp(b_bin));
        }
    }
}
