//! Operator precedence. Each line: an expression, our tree, and what MySQL 9.7 answered both for the expression and for the tree.

use super::tree;

/// The nine expressions that a generic SQL grammar silently reads otherwise.
const MISREAD_ELSEWHERE: &[(&str, &str)] = &[
    ("a || b AND c", "(a OR (b AND c))"),
    ("a && b || c", "((a AND b) OR c)"),
    ("a ^ b * c", "((a ^ b) * c)"),
    ("BINARY a = b", "(CAST(a AS BINARY) = b)"),
    ("a LIKE b = c", "((a LIKE b) = c)"),
    ("a REGEXP b = c", "((a REGEXP b) = c)"),
    ("@a := b = c", "(@a := (b = c))"),
    ("-2 ^ 2", "((- 2) ^ 2)"),
    ("a MOD b * c", "((a % b) * c)"),
];

#[test]
fn the_nine_silent_misreadings_are_read_as_mysql_reads_them() {
    for (expr, expected) in MISREAD_ELSEWHERE {
        assert_eq!(tree(expr), *expected, "{expr}");
    }
}

#[test]
fn modes_change_precedence() {
    use super::{expression, print};
    use crate::lex::LexMode;
    let concat = LexMode { pipes_as_concat: true, ..LexMode::default() };
    let text = |expr, mode| print::text(&expression(expr, mode).expect("an expression"));
    assert_eq!(text("a || b = c", concat), "(concat(a, b) = c)");
    assert_eq!(text("a || b ^ c", concat), "(concat(a, b) ^ c)");
    let high = LexMode { high_not_precedence: true, ..LexMode::default() };
    assert_eq!(text("NOT a = b", high), "((NOT a) = b)");
    assert_eq!(text("NOT a = b", LexMode::default()), "(NOT (a = b))");
}

#[test]
fn recorded_trees_stand() {
    let lines = include_str!("precedence.txt").lines().filter(|l| !l.starts_with('#'));
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let [expr, expected, _] = fields[..] else { panic!("three fields: {line}") };
        assert_eq!(tree(expr), expected, "{expr}");
    }
}
