//! Documents: text, binary form, paths.

use super::path::Path;
use super::{Json, MAX_DEPTH, compare, contains, parse};
use proptest::prelude::*;
use std::cmp::Ordering;

fn read(text: &str) -> Json {
    parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

#[test]
fn texts_are_normal() {
    for (text, printed) in [
        (
            r#"{"b":1,"a":[1,2.50,1e3,true,null],"aa":"\u00e9\n"}"#,
            r#"{"a": [1, 2.5, 1000.0, true, null], "b": 1, "aa": "é\n"}"#,
        ),
        (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#),
        (" [ ] ", "[]"),
        ("-0", "0"),
        ("18446744073709551616", "1.8446744073709552e19"),
        (r#""\ud83d\ude00""#, "\"😀\""),
    ] {
        assert_eq!(read(text).to_string(), printed, "{text}");
    }
}

#[test]
fn refusals_name_the_place() {
    for (text, message, at) in [
        ("", "The document is empty.", 0),
        ("[1,]", "Invalid value.", 3),
        ("{\"a\":1,}", "Missing a name for object member.", 7),
        ("tru", "Invalid value.", 3),
        ("\"\\ud800\"", "The surrogate pair in string is invalid.", 1),
        ("1e400", "Number too big to be stored in double.", 0),
    ] {
        let found = parse(text).expect_err(text);
        assert_eq!((found.message, found.at), (message, at), "{text}");
    }
    let deep = "[".repeat(MAX_DEPTH + 1);
    assert_eq!(parse(&deep).expect_err("deep").message, "");
}

#[test]
fn paths_find() {
    let document = read(r#"{"a":[1,[2,3],{"b c":4}],"d":5}"#);
    for (path, found) in [
        ("$", vec![document.to_string()]),
        ("$.a[0]", vec!["1".into()]),
        ("$.a[last]", vec!["{\"b c\": 4}".into()]),
        ("$.a[last-1][1]", vec!["3".into()]),
        ("$.a[0 to 1]", vec!["1".into(), "[2, 3]".into()]),
        ("$.a[*].\"b c\"", vec!["4".into()]),
        ("$**[1]", vec!["[2, 3]".into(), "3".into()]),
        ("$.d[0]", vec!["5".into()]),
        ("$.x", vec![]),
    ] {
        let parts: Vec<String> =
            Path::parse(path).expect(path).find(&document).iter().map(|p| p.to_string()).collect();
        assert_eq!(parts, found, "{path}");
    }
    for (path, at) in [("a", 1), ("$.", 2), ("$[a]", 2), ("$**", 3)] {
        assert_eq!(Path::parse(path), Err(at), "{path}");
    }
}

#[test]
fn containment_and_order() {
    assert!(contains(&read("[1,2,{\"a\":1}]"), &read("1")));
    assert!(contains(&read("{\"a\":[1,2]}"), &read("{\"a\":[2]}")));
    assert!(!contains(&read("[]"), &read("1")));
    assert_eq!(compare(&read("1"), &read("1.0")), Ordering::Equal);
    assert_eq!(compare(&read("\"2\""), &read("10")), Ordering::Greater);
    assert_eq!(compare(&read("true"), &read("[1]")), Ordering::Greater);
}

fn documents() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::Int),
        (-1e300..1e300_f64).prop_map(Json::Double),
        "\\PC{0,6}".prop_map(|s| Json::string(&s)),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            proptest::collection::vec(("[a-c]{0,3}", inner), 0..5).prop_map(|pairs| {
                let mut members = super::Members::default();
                pairs.into_iter().for_each(|(name, value)| members.put(&name, value));
                Json::Object(members)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn text_and_binary_round_trip(document in documents()) {
        let bytes = document.encode();
        prop_assert_eq!(Json::decode(&bytes), Some(document.clone()));
        prop_assert_eq!(read(&document.to_string()).to_string(), document.to_string());
        for cut in 0..bytes.len() {
            prop_assert_eq!(Json::decode(&bytes[..cut]), None);
        }
    }

    #[test]
    fn arbitrary_bytes_and_texts_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}\",:a1.e$*-]{0,20}") {
        let _ = Json::decode(&bytes);
        let _ = parse(&text);
        let _ = Path::parse(&text);
    }
}
