//! The translation: meanings by searching with it, refusals by their fault.

use super::fault::Fault;
use super::translate::{Flags, Subject, translate};
use super::{Key, compile};

fn subject_of(text: &str) -> Subject {
    Subject { carriage_returns: text.contains('\r'), ends_line: text.ends_with(['\n', '\r']) }
}

fn found(pattern: &str, text: &str, flags: Flags) -> Option<String> {
    let key = Key { pattern: pattern.to_owned(), flags, subject: subject_of(text) };
    let compiled = compile(&key).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    compiled.regex.find(text).expect("no limit is met").map(|m| m.as_str().to_owned())
}

fn plain(pattern: &str, text: &str) -> Option<String> {
    found(pattern, text, Flags::default())
}

#[test]
fn meanings() {
    for (pattern, text, expected) in [
        ("b+", "abbc", Some("bb")),
        ("a{2}", "aaa", Some("aa")),
        ("a{0}b", "aab", Some("b")),
        ("a{1,}?", "aaa", Some("a")),
        ("a++b", "aab", Some("aab")),
        ("a++ab", "aab", None),
        ("(a)(b)\\2", "abb", Some("abb")),
        ("(?<x>a)\\k<x>", "aa", Some("aa")),
        ("(a)\\10", "aa0", Some("aa0")),
        ("(?<=foo|ba)r", "bar", Some("r")),
        ("(?i)A(?-i)b", "aB ab", Some("ab")),
        ("(?i:A)b", "ab", Some("ab")),
        ("(?x)a b # c", "ab", Some("ab")),
        ("(?#no)a", "a", Some("a")),
        ("\\Qa.b*\\E", "a.b*", Some("a.b*")),
        ("\\Qab\\E+", "abb", Some("abb")),
        ("[]a]+", "x]a", Some("]a")),
        ("[a-c&&[b]]+", "abc", Some("b")),
        ("[a-c--[b]]+", "bca", Some("ca")),
        ("[[:alpha:]]+", "1été2", Some("été")),
        ("[[:^alpha:]]+", "a12b", Some("12")),
        ("[^[:space:]]+", " ab ", Some("ab")),
        ("\\p{Lu}\\P{Lu}", "aBc", Some("Bc")),
        ("\\x41\\x{42}\\u0043\\0104", "ABCD", Some("ABCD")),
        ("\\q", "q", Some("q")),
        ("a.c", "a\nc", None),
        ("a\\Rc", "a\r\nc", Some("a\r\nc")),
        ("a$", "a\n", Some("a")),
        ("a$", "a\r\n", Some("a")),
        ("a$", "a\n\n", None),
        ("a\\z", "a\n", None),
        ("~&", "~&", Some("~&")),
        ("[~&-]+", "~-&", Some("~-&")),
    ] {
        assert_eq!(plain(pattern, text).as_deref(), expected, "{pattern} in {text:?}");
    }
}

#[test]
fn flags_of_match_type() {
    let lines = Flags { lines: true, ..Flags::default() };
    assert_eq!(found("^b$", "a\nb\nc", lines).as_deref(), Some("b"));
    assert_eq!(plain("^b$", "a\nb\nc"), None);
    let dot = Flags { dot_all: true, ..Flags::default() };
    assert_eq!(found("a.c", "a\r\nc", dot).as_deref(), Some("a\r\nc"));
    let unix = Flags { unix: true, ..Flags::default() };
    assert_eq!(found("a.c", "a\rc", unix).as_deref(), Some("a\rc"));
    let any_case = Flags { ignore_case: true, ..Flags::default() };
    assert_eq!(found("É(?-i)x", "éX éx", any_case).as_deref(), Some("éx"));
}

#[test]
fn backtracking_ends() {
    let key = Key { pattern: "^(a|a?)+(?!a)$".into(), flags: Flags::default(), subject: Subject::default() };
    let compiled = compile(&key).expect("a pattern");
    let text = "a".repeat(40) + "b";
    let answer = compiled.regex.is_match(&text).map_err(super::searching);
    assert_eq!(answer.expect_err("it takes 2^40 steps").code, 3699);
}

#[test]
fn refusals() {
    for (pattern, fault) in [
        ("*a", Fault::Syntax(1)),
        ("a**", Fault::Syntax(3)),
        ("a|*", Fault::Syntax(3)),
        ("{1}", Fault::Syntax(1)),
        ("(?z)", Fault::Syntax(3)),
        ("(?", Fault::Syntax(2)),
        ("(?<1a>b)", Fault::Syntax(4)),
        ("(?i", Fault::Flag),
        ("[a-\\d]", Fault::Syntax(5)),
        ("(a", Fault::Paren),
        ("a)", Fault::Paren),
        ("a{", Fault::Interval),
        ("a{x}", Fault::Interval),
        ("a{2,1}", Fault::MaxBelowMin),
        ("\\1", Fault::BackReference),
        ("(a)\\2", Fault::BackReference),
        ("(?<=a*)b", Fault::LookBehind),
        ("[", Fault::Bracket),
        ("[]", Fault::Bracket),
        ("[[:alpha:]", Fault::Bracket),
        ("[b-a]", Fault::Range),
        ("a\\", Fault::Escape),
        ("\\x{110000}", Fault::Escape),
        ("\\u12", Fault::Escape),
        ("\\pL", Fault::Argument),
        ("\\X", Fault::Unimplemented),
        ("(?<a>b)(?<a>c)", Fault::GroupName),
    ] {
        let answer = translate(pattern, Flags::default(), Subject::default());
        assert_eq!(answer, Err(fault), "{pattern}");
    }
    let deep = "(".repeat(5000);
    assert_eq!(translate(&deep, Flags::default(), Subject::default()), Err(Fault::Stack));
}

proptest::proptest! {
    /// Whatever is translated, compiles or is refused; nothing panics.
    #[test]
    fn anything_goes(pattern in "[\\\\(){}\\[\\]^$.|*+?a-c0-2:<>=!,&ßx-]{0,24}", text in "[a-c0-2\r\n]{0,12}") {
        let key = Key { pattern, flags: Flags::default(), subject: subject_of(&text) };
        if let Ok(compiled) = compile(&key) {
            let _ = compiled.regex.find(&text);
        }
    }
}
