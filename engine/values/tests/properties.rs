//! Cells and keys of random values: round trips, order, and no panic on foreign bytes; decimals against another implementation.

use fastnum::D512;
use proptest::prelude::*;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hasher};
use values::key::{decode_key, part_len};
use values::temporal::{MAX_TIME, SECOND};
use values::{
    Bits, Choice, Collation, ColumnType, Date, DateTime, Decimal, KeyPart, Labels, Time, Timestamp, TypeKind,
    Value, Year, decode_cell, encode_cell, encode_key,
};

fn date() -> impl Strategy<Value = Date> {
    (0_u32..10_000, 0_u32..13, 0_u32..32).prop_map(|(y, m, d)| Date::new(y, m, d))
}

fn datetime() -> impl Strategy<Value = DateTime> {
    (date(), 0_u32..24, 0_u32..60, 0_u32..60, 0_u32..1_000_000)
        .prop_map(|(d, h, m, s, f)| DateTime::new(d, h, m, s, f))
}

fn integer(kind: TypeKind, unsigned: bool) -> BoxedStrategy<(ColumnType, Value)> {
    let ty = ColumnType::integer(kind, unsigned);
    let (low, high) = ty.integer_range();
    let any = prop_oneof![Just(low), Just(high), Just(0), low..=high, -3_i128..3];
    any.prop_map(move |v| {
        let v = v.clamp(low, high);
        (ty, if unsigned { Value::UInt(v as u64) } else { Value::Int(v as i64) })
    })
    .boxed()
}

fn decimal(precision: u8, scale: u8) -> BoxedStrategy<(ColumnType, Value)> {
    let ty = ColumnType::decimal(precision, scale, false);
    let digits = format!("-?[0-9]{{0,{}}}\\.[0-9]{{1,{}}}", precision - scale, scale.max(1));
    proptest::string::string_regex(&digits)
        .expect("a pattern")
        .prop_map(move |text| {
            let text = text.replace("-.", "-0.");
            let d = Decimal::parse(text.as_bytes()).value.round(i32::from(scale));
            let d = d.to_column(precision, scale).map_or_else(|clamped| clamped, |(d, _)| d);
            (ty, Value::Decimal(d))
        })
        .boxed()
}

/// An ENUM or SET of so many words, and its value of this number.
fn choice(kind: TypeKind, words: usize, number: u64) -> (ColumnType, Value) {
    let labels = Labels::new((0..words).map(|i| Box::from(format!("w{i}"))).collect());
    let of = if kind == TypeKind::Enum { Choice::of_enum } else { Choice::of_set };
    let value = Value::Choice(of(number, labels).expect("a word for it"));
    (ColumnType::choice(kind, labels, Collation::DEFAULT), value)
}

/// Any type with a value of it.
fn typed() -> impl Strategy<Value = (ColumnType, Value)> {
    use TypeKind as K;
    let ints = [K::TinyInt, K::SmallInt, K::MediumInt, K::Int, K::BigInt];
    let ints = ints.into_iter().flat_map(|k| [integer(k, false), integer(k, true)]);
    let decimals = [(5, 2), (9, 0), (18, 9), (38, 10), (65, 30), (65, 0)].map(|(p, s)| decimal(p, s));
    let text = |c| move |s: String| (ColumnType::varchar(300, c), Value::text(&s));
    let others = [
        any::<f64>().prop_map(|v| (ColumnType::double(), Value::Double(v))).boxed(),
        any::<f32>().prop_map(|v| (ColumnType::float(), Value::Float(v))).boxed(),
        date().prop_map(|v| (ColumnType::new(K::Date), Value::Date(v))).boxed(),
        datetime().prop_map(|v| (ColumnType::temporal(K::DateTime, 6), Value::DateTime(v))).boxed(),
        (-MAX_TIME..=MAX_TIME)
            .prop_map(|v| (ColumnType::temporal(K::Time, 6), Value::Time(Time::new(v).expect("in range"))))
            .boxed(),
        prop_oneof![Just(0), SECOND..Timestamp::MAX.micros()]
            .prop_map(|v| {
                (ColumnType::temporal(K::Timestamp, 6), Value::Timestamp(Timestamp::new(v).expect("ok")))
            })
            .boxed(),
        prop_oneof![Just(0_u16), 1901_u16..=2155]
            .prop_map(|v| (ColumnType::new(K::Year), Value::Year(Year::new(v).expect("in range"))))
            .boxed(),
        (0_u64..1024)
            .prop_map(|v| (ColumnType::bit(10), Value::Bit(Bits::new(v, 10).expect("ten bits"))))
            .boxed(),
        (0_u64..=300).prop_map(|v| choice(K::Enum, 300, v)).boxed(),
        (0_u64..1 << 40).prop_map(|v| choice(K::Set, 40, v)).boxed(),
        proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..40)
            .prop_map(|v| (ColumnType::binary(K::VarBinary, 300), Value::bytes(&v)))
            .boxed(),
        "[a-c \\t!\u{e9}\u{20ac}]{0,30}".prop_map(text(Collation::UTF8MB4_BIN)).boxed(),
        "\\PC{0,12}".prop_map(text(Collation::UTF8MB4_BIN)).boxed(),
        "[a-cA-C \\t!\u{e9}\u{20ac}\u{4e00}\u{ac01}]{0,30}"
            .prop_map(text(Collation::UTF8MB4_0900_AI_CI))
            .boxed(),
        "\\PC{0,12}".prop_map(text(Collation::UTF8MB4_0900_AI_CI)).boxed(),
        "[a-cA-C \\t!\u{e9}\u{df}\u{4e00}]{0,20}".prop_map(text(Collation::UTF8MB4_GENERAL_CI)).boxed(),
        "[a-cA-C \\t!\u{e9}\u{df}\u{4e00}]{0,20}".prop_map(text(Collation::UTF8MB4_UNICODE_CI)).boxed(),
        "\\PC{0,12}".prop_map(text(Collation::UTF8MB4_0900_BIN)).boxed(),
    ];
    let all: Vec<_> = ints.chain(decimals).chain(others).collect();
    proptest::strategy::Union::new(all)
}

/// Two values of one type, often close together.
fn pair() -> impl Strategy<Value = (ColumnType, Value, Value)> {
    (typed(), any::<u64>(), any::<bool>()).prop_flat_map(|((ty, a), _, same)| {
        let b = if same { Just((ty, a.clone())).boxed() } else { of_type(ty) };
        (Just(ty), Just(a), b.prop_map(|(_, b)| b))
    })
}

fn of_type(ty: ColumnType) -> BoxedStrategy<(ColumnType, Value)> {
    typed().prop_filter("of the same type", move |(t, _)| *t == ty).boxed()
}

fn key(part: &KeyPart, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(value, part, &mut out);
    out
}

/// SQL's order, where the double NaN (which SQL does not have) is left out.
fn order(a: &Value, b: &Value, ty: &ColumnType) -> Ordering {
    values::compare::order(a, b, ty.collation)
}

fn is_nan(v: &Value) -> bool {
    matches!(v, Value::Double(v) if v.is_nan()) || matches!(v, Value::Float(v) if v.is_nan())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_local_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn types_round_trip((ty, _) in typed()) {
        let bytes = ty.encode();
        prop_assert_eq!(ColumnType::decode(&bytes), Some(ty));
        for cut in 0..bytes.len() {
            prop_assert_eq!(ColumnType::decode(&bytes[..cut]), None, "{} bytes of {}", cut, bytes.len());
        }
    }

    #[test]
    fn cells_round_trip((ty, value) in typed()) {
        let mut cell = Vec::new();
        encode_cell(&value, &ty, &mut cell);
        if let Some(width) = values::cell::fixed_width(&ty) {
            prop_assert_eq!(cell.len(), width);
        }
        prop_assert_eq!(decode_cell(&cell, &ty).expect("own bytes"), value);
    }

    #[test]
    fn foreign_bytes_never_panic((ty, _) in typed(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode_cell(&bytes, &ty);
        for (nullable, descending) in [(false, false), (true, true)] {
            let part = KeyPart { nullable, descending, ..KeyPart::ascending(ty) };
            let _ = decode_key(&bytes, &part);
            let _ = part_len(&bytes, &part);
        }
    }

    #[test]
    fn keys_end_by_themselves_and_decode((ty, value) in typed(), nullable in any::<bool>(), descending in any::<bool>()) {
        prop_assume!(!is_nan(&value));
        let part = KeyPart { nullable, descending, ..KeyPart::ascending(ty) };
        let mut bytes = key(&part, &value);
        let len = bytes.len();
        bytes.extend_from_slice(&[0x00, 0xFF, 0x02]);
        prop_assert_eq!(part_len(&bytes, &part), Ok(len));
        if part.is_rebuildable() {
            let (back, used) = decode_key(&bytes, &part).expect("own bytes");
            prop_assert_eq!(used, len);
            prop_assert_eq!(order(&back, &value, &ty), Ordering::Equal, "{:?} {:?}", back, value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_local_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn keys_order_as_values((ty, a, b) in pair(), nullable in any::<bool>()) {
        prop_assume!(!is_nan(&a) && !is_nan(&b));
        let part = KeyPart { nullable, ..KeyPart::ascending(ty) };
        let expected = order(&a, &b, &ty);
        prop_assert_eq!(key(&part, &a).cmp(&key(&part, &b)), expected, "{:?} {:?}", a, b);
        let down = KeyPart { descending: true, ..part };
        prop_assert_eq!(key(&down, &a).cmp(&key(&down, &b)), expected.reverse(), "{:?} {:?} descending", a, b);
        if nullable {
            prop_assert!(key(&part, &Value::Null) < key(&part, &a));
            prop_assert!(key(&down, &Value::Null) > key(&down, &a));
        }
        let digest = |v: &Value| {
            let mut hasher = DefaultHasher::new();
            values::compare::hash(v, ty.collation, &mut hasher);
            hasher.finish()
        };
        if expected.is_eq() {
            prop_assert_eq!(digest(&a), digest(&b), "{:?} {:?} are equal", a, b);
        }
        prop_assert_eq!(values::compare::same(&a, &b, ty.collation), expected.is_eq());
    }
}

const NUMBER: &str = "-?[0-9]{1,35}(\\.[0-9]{1,30})?";

fn theirs(text: &str) -> D512 {
    text.parse().expect("a decimal")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn decimals_add_multiply_and_compare_exactly(a in NUMBER, b in NUMBER) {
        let (x, y) = (Decimal::parse_exact(&a).expect("decimal"), Decimal::parse_exact(&b).expect("decimal"));
        let (p, q) = (theirs(&a), theirs(&b));
        prop_assert_eq!(theirs(&x.add(&y).expect("fits").to_string()), p + q);
        prop_assert_eq!(theirs(&x.sub(&y).expect("fits").to_string()), p - q);
        prop_assert_eq!(x.cmp(&y), p.partial_cmp(&q).expect("ordered"));
        if let Some(product) = x.mul(&y) && x.scale() + y.scale() <= 30
            && x.digits() + y.digits() <= 81
        {
            prop_assert_eq!(theirs(&product.to_string()), p * q);
        }
        if !y.is_zero() {
            let rem = x.rem(&y).expect("not zero");
            let whole = x.int_div(&y).expect("fits");
            prop_assert_eq!(theirs(&rem.to_string()), p - q * theirs(&whole.to_string()), "{} mod {}", a, b);
            prop_assert!(rem.abs() < y.abs());
        }
    }

    #[test]
    fn quotients_are_off_by_less_than_one_last_digit(a in NUMBER, b in NUMBER) {
        let (x, y) = (Decimal::parse_exact(&a).expect("decimal"), Decimal::parse_exact(&b).expect("decimal"));
        prop_assume!(!y.is_zero());
        let Some(quotient) = x.div(&y, 4) else { return Ok(()) };
        // |a - q b| < |b| / 10^scale
        let difference = theirs(&a) - theirs(&b) * theirs(&quotient.to_string());
        let unit: D512 = format!("1e-{}", quotient.scale()).parse().expect("a decimal");
        prop_assert!(difference.abs() < theirs(&b).abs() * unit, "{} / {} = {}", a, b, quotient);
    }

    #[test]
    fn decimals_print_what_they_read(a in NUMBER, places in 0_i32..32) {
        let x = Decimal::parse_exact(&a).expect("decimal");
        prop_assert_eq!(Decimal::parse_exact(&x.to_string()).expect("own text").to_string(), x.to_string());
        let rounded = x.round(places);
        prop_assert!(i32::from(rounded.scale()) <= places.max(0) || rounded == x);
        let half: D512 = format!("5e-{}", places + 1).parse().expect("a decimal");
        prop_assert!((theirs(&a) - theirs(&rounded.to_string())).abs() <= half);
        let cut = x.truncate(places);
        prop_assert!(cut.abs() <= x.abs());
        prop_assert_eq!(x.to_f64(), a.parse::<f64>().expect("a double"));
    }
}
