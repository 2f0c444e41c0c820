//! Whatever index reads a row set, it is the same row set: random conditions with and without the secondary indexes.

use super::Rig;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (-3i32..8).prop_map(|n| n.to_string()),
        1 => Just("NULL".to_owned()),
        1 => Just("'2'".to_owned()),
        1 => Just("1.5".to_owned()),
        1 => Just("99999999999".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("'a'".to_owned()),
        Just("'B'".to_owned()),
        Just("'ab'".to_owned()),
        Just("''".to_owned()),
        Just("'much longer than the column'".to_owned()),
        Just("NULL".to_owned()),
        Just("1".to_owned()),
    ]
}

fn operator() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("="), Just("<"), Just("<="), Just(">"), Just(">="), Just("<=>"), Just("<>")]
}

fn condition() -> impl Strategy<Value = String> {
    let number = (prop_oneof![Just("a"), Just("b"), Just("d")], operator(), literal());
    let leaf = prop_oneof![
        6 => number.prop_map(|(c, o, l)| format!("{c} {o} {l}")),
        2 => (operator(), text()).prop_map(|(o, t)| format!("c {o} {t}")),
        1 => (literal(), literal()).prop_map(|(l, h)| format!("a BETWEEN {l} AND {h}")),
        1 => prop::collection::vec(literal(), 1..5).prop_map(|l| format!("b IN ({})", l.join(","))),
        1 => prop::collection::vec(literal(), 1..5).prop_map(|l| format!("a NOT IN ({})", l.join(","))),
        1 => Just("b IS NULL".to_owned()),
        1 => Just("d IS NOT NULL".to_owned()),
        1 => Just("c LIKE 'a%'".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 2..4).prop_map(|l| format!("({})", l.join(" AND "))),
            2 => prop::collection::vec(inner.clone(), 2..3).prop_map(|l| format!("({})", l.join(" OR "))),
            1 => inner.prop_map(|e| format!("NOT ({e})")),
        ]
    })
}

#[test]
fn every_index_gives_the_same_rows() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &["CREATE TABLE t(id INT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b INT, c VARCHAR(5), d INT UNSIGNED,
            KEY ab (a, b), KEY bd (b DESC, d), KEY cd (c, d DESC), KEY cp (c(1)))"],
    );
    let mut rows = Vec::new();
    for a in 0..5 {
        for (b, c, d) in [
            ("NULL", "'a'", "NULL"),
            ("1", "'A'", "3"),
            ("2", "'ab'", "0"),
            ("-1", "NULL", "7"),
            ("4", "'B'", "2"),
        ] {
            rows.push(format!("({a}, {b}, {c}, {d})"));
        }
    }
    rig.all(&mut s, &[&format!("INSERT INTO t(a, b, c, d) VALUES {}", rows.join(","))]);
    let session = std::cell::RefCell::new(s);
    let order = prop_oneof![Just("id"), Just("a, b, id"), Just("b DESC, d, id"), Just("c, d DESC, id")];
    TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() })
        .run(&(condition(), order), |(condition, order)| {
            let mut s = session.borrow_mut();
            let plain = rig.run(
                &mut s,
                &format!("SELECT id FROM t IGNORE INDEX (ab, bd, cd, cp) WHERE {condition} ORDER BY {order}"),
            );
            for index in ["", "FORCE INDEX (ab)", "FORCE INDEX (bd)", "FORCE INDEX (cd)", "FORCE INDEX (cp)"]
            {
                let found =
                    rig.run(&mut s, &format!("SELECT id FROM t {index} WHERE {condition} ORDER BY {order}"));
                prop_assert_eq!(&found, &plain, "{} WHERE {} ORDER BY {}", index, condition, order);
            }
            Ok(())
        })
        .expect("the same rows by every index");
}
