//! Tokens: kinds and spans, quotes and escapes, numbers and names that look alike.

use super::{Kind, LexMode, Op, tokenize, unquote};

fn kinds(text: &str, mode: LexMode) -> Vec<Kind> {
    let mut tokens = Vec::new();
    tokenize(text.as_bytes(), 0, mode, &mut tokens);
    assert_eq!(tokens.pop().map(|t| t.kind), Some(Kind::End), "{text}");
    tokens.into_iter().map(|t| t.kind).collect()
}

/// The content of the first token.
fn content(text: &str, mode: LexMode) -> String {
    let mut tokens = Vec::new();
    tokenize(text.as_bytes(), 0, mode, &mut tokens);
    String::from_utf8_lossy(&unquote(text.as_bytes(), &tokens[0], mode)).into_owned()
}

#[test]
fn numbers_and_names_that_look_alike() {
    use Kind::{Decimal, Float, Int, Op as O, Word};
    let mode = LexMode::default();
    for (text, expected) in [
        ("1", vec![Int]),
        ("1.5", vec![Decimal]),
        (".5", vec![Decimal]),
        ("1.", vec![Decimal]),
        ("1e5", vec![Float]),
        ("1.5E-3", vec![Float]),
        ("1e", vec![Word]),
        ("1a", vec![Word]),
        ("a1", vec![Word]),
        ("t.1a", vec![Word, O(Op::Dot), Word]),
        ("0x4D", vec![Kind::Hex]),
        ("0b01", vec![Kind::Bit]),
        ("x'4D'", vec![Kind::Hex]),
        ("b'01'", vec![Kind::Bit]),
        ("N'a'", vec![Kind::NationalStr]),
        ("_utf8mb4'a'", vec![Kind::Introducer, Kind::Str]),
        ("_name", vec![Word]),
        ("@a", vec![Kind::At, Word]),
        ("@@b", vec![Kind::AtAt, Word]),
        ("?", vec![Kind::Param]),
    ] {
        assert_eq!(kinds(text, mode), expected, "{text}");
    }
}

#[test]
fn operators_take_the_longest_match() {
    use Op::{AndAnd, Assign, Ge, Gt, Le, Ne, NullSafeEq, OrOr, Shl, Shr};
    let ops = [NullSafeEq, Le, Ge, Ne, Ne, Shl, Shr, AndAnd, OrOr, Assign, Gt];
    let expected: Vec<Kind> = ops.into_iter().map(Kind::Op).collect();
    assert_eq!(kinds("<=> <= >= <> != << >> && || := >", LexMode::default()), expected);
}

#[test]
fn quotes_and_escapes() {
    let mode = LexMode::default();
    assert_eq!(content(r"'it''s'", mode), "it's");
    assert_eq!(content(r"'a\'b\\c\n\t\0\Z\q'", mode), "a'b\\c\n\t\0\u{1a}q");
    assert_eq!(content(r"'10\% \_'", mode), r"10\% \_");
    assert_eq!(content(r#""say ""hi""""#, mode), "say \"hi\"");
    assert_eq!(content("`a``b`", mode), "a`b");
    let plain = LexMode { no_backslash_escapes: true, ..mode };
    assert_eq!(content(r"'a\'", plain), r"a\");
    let ansi = LexMode { ansi_quotes: true, ..mode };
    assert_eq!(kinds("\"a\"", ansi), vec![Kind::Quoted]);
    assert_eq!(kinds("\"a\"", mode), vec![Kind::Str]);
}

#[test]
fn comments_vanish_and_unclosed_ones_are_bad() {
    let mode = LexMode::default();
    assert_eq!(kinds("1 /* a */ -- b\n # c\n 2", mode), vec![Kind::Int, Kind::Int]);
    // Two dashes begin a comment only before a blank.
    assert_eq!(kinds("1--1", mode), vec![Kind::Int, Kind::Op(Op::Minus), Kind::Op(Op::Minus), Kind::Int]);
    assert_eq!(kinds("1 /* a", mode), vec![Kind::Int, Kind::Bad]);
    assert_eq!(kinds("'a", mode), vec![Kind::Bad]);
}

#[test]
fn a_statement_ends_at_its_semicolon() {
    let text = b"SELECT ';'; SELECT 2";
    let mut tokens = Vec::new();
    let next = tokenize(text, 0, LexMode::default(), &mut tokens);
    assert_eq!(&text[next..], b" SELECT 2");
    tokens.clear();
    assert_eq!(tokenize(text, next, LexMode::default(), &mut tokens), text.len());
}
