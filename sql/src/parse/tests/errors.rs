//! Error 1064: the rest of the text from the first token that fits nothing, and its line, word for word as MySQL has them.

use super::statement;

const FIRST: &str = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the \
                     right syntax to use ";

#[test]
fn near_texts_and_lines_are_mysqls() {
    let lines = include_str!("errors.txt").lines().filter(|l| !l.starts_with('#'));
    for line in lines {
        let (sql, expected) = line.split_once('\t').expect("two fields");
        let sql = sql.replace("\\n", "\n");
        let error = statement(&sql).expect_err(&sql);
        assert_eq!((error.code, error.sqlstate), (1064, "42000"), "{sql}: {error}");
        assert_eq!(error.message.strip_prefix(FIRST), Some(expected), "{sql}");
    }
}

#[test]
fn a_near_text_is_cut_at_eighty_bytes_between_characters() {
    let error = statement(&format!("SELECT 1 2 {}", "é".repeat(80))).expect_err("no statement");
    let near = error
        .message
        .split_once("near '")
        .and_then(|(_, rest)| rest.split_once("' at line"))
        .expect("a near text")
        .0;
    assert!(near.len() <= 80 && near.starts_with("2 é"), "{near}");
}
