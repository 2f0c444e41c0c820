//! The older collations against what MySQL 9.7's WEIGHT_STRING() says of a few hundred characters, and their laws.

use std::cmp::Ordering;
use values::Collation;
use values::collation::legacy::Legacy;

fn weights(legacy: Legacy, s: &str) -> String {
    legacy.weights(s.as_bytes()).iter().map(|w| format!("{w:04X}")).collect()
}

#[test]
fn weights_are_mysqls() {
    for (text, general, unicode) in [
        ("a", "0041", "0E33"),
        ("Éß", "00450053", "0E8B0FEA0FEA"),
        ("一", "4E00", "FB40CE00"),
        ("㐀", "3400", "FB80B400"),
        ("가", "AC00", "FBC1AC00"),
        ("😀", "FFFD", "FFFD"),
        ("x  ", "0058", "105A"),
    ] {
        assert_eq!(weights(Legacy::General, text), general, "{text}");
        assert_eq!(weights(Legacy::Unicode, text), unicode, "{text}");
    }
}

#[test]
fn spaces_pad() {
    for collation in [Collation::UTF8MB4_GENERAL_CI, Collation::UTF8MB4_UNICODE_CI] {
        let order = |a: &str, b: &str| collation.compare(a.as_bytes(), b.as_bytes());
        assert_eq!(order("A  ", "a"), Ordering::Equal);
        assert_eq!(
            order("a\t", "a"),
            if collation == Collation::UTF8MB4_GENERAL_CI { Ordering::Less } else { order("a\t", "a ") }
        );
        assert_eq!(order("a!", "a"), Ordering::Greater);
        assert_eq!(order("", "b"), Ordering::Less);
    }
}

#[test]
fn every_character_has_a_weight_and_a_key() {
    for legacy in [Legacy::General, Legacy::Unicode] {
        for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
            legacy.character(u32::from(c), |w| assert!(w > 0 || c == '\0', "{c:?} of {legacy:?}"));
        }
    }
}
