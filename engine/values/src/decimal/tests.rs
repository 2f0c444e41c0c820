//! Decimals against MySQL's answers and against big integers.

use super::Decimal;

fn d(s: &str) -> Decimal {
    Decimal::parse_exact(s).unwrap_or_else(|| panic!("{s} is a decimal"))
}

#[test]
fn division_has_mysqls_scale_and_rounding() {
    for (a, b, quotient) in [
        ("2", "3", "0.6667"),
        ("10", "3.00", "3.3333"),
        ("1.00", "3", "0.333333"),
        ("0.00002", "3", "0.000006666"),
        ("2", "0.0000000003", "6666666666.6667"),
        ("20000000.00000", "3", "6666666.666666666"),
        ("2.5", "0.3333", "7.50075"),
        (
            "99999999999999999999999999999999999999999999999999999999999999999",
            "0.0001",
            "999999999999999999999999999999999999999999999999999999999999999990000.0000",
        ),
    ] {
        assert_eq!(d(a).div(&d(b), 4).map(|q| q.to_string()).as_deref(), Some(quotient), "{a} / {b}");
    }
    assert!(d("1").div(&d("0.00"), 4).is_none());
}

#[test]
fn products_keep_thirty_decimals() {
    let x = d("0.1234567890123456789012345678901");
    assert_eq!(x.mul(&x).map(|p| p.to_string()).as_deref(), Some("0.015241578753238836750495351563"));
    let nines = d("99999999999999999999999999999999999999999999999999999999999999999");
    assert!(nines.mul(&nines).is_none());
    assert_eq!(d("1.10").mul(&d("1.10")).map(|p| p.to_string()).as_deref(), Some("1.2100"));
}
