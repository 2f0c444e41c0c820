//! Where statements begin and end, what is refused by name, and how deep they may go.

use super::{statement, tree};
use crate::ast::Statement;
use crate::lex::LexMode;
use crate::parse::{MAX_DEPTH, MAX_SPINE, is_blank, parse};

#[test]
fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
    let text = b"SELECT ';' /* ; */; # ; \n SELECT 2 -- ;\n;;";
    let first = parse(text, 0, LexMode::default()).expect("valid").expect("a statement");
    assert_eq!(&text[..first.next], b"SELECT ';' /* ; */;");
    let second = parse(text, first.next, LexMode::default()).expect("valid").expect("a statement");
    assert_eq!(&text[second.next..], b";");
    assert!(is_blank(b" /* nothing */ -- at all", 0, LexMode::default()));
    assert!(parse(b"  # nothing", 0, LexMode::default()).expect("valid").is_none());
}

#[test]
fn version_comments_are_text_up_to_our_version() {
    assert_eq!(tree("1 /*!80000 + 1 */"), "(1 + 1)");
    assert_eq!(tree("1 /*! + 1 */"), "(1 + 1)");
    assert_eq!(tree("1 /*!90700 + 1 */"), "(1 + 1)");
    assert_eq!(tree("1 /*!99999 + 1 */"), "1");
    assert_eq!(tree("1 /* + 1 */"), "1");
    assert_eq!(tree("1 /*!50000 + /* inner */ 1 */"), "(1 + 1)");
}

#[test]
fn parameters_are_counted_in_order() {
    let parsed = parse(b"SELECT ?, a + ? FROM t WHERE b IN (?, ?)", 0, LexMode::default()).expect("valid");
    assert_eq!(parsed.expect("a statement").params, 4);
}

#[test]
fn nesting_has_a_limit_and_long_conjunctions_have_none() {
    let nested = |n: u32| format!("SELECT {}1{}", "(".repeat(n as usize), ")".repeat(n as usize));
    assert!(statement(&nested(MAX_DEPTH / 2)).is_ok());
    assert_eq!(statement(&nested(MAX_DEPTH * 100)).expect_err("too deep").code, 1436);
    let spine = format!("SELECT 1{}", " + 1".repeat(MAX_SPINE as usize * 2));
    assert_eq!(statement(&spine).expect_err("too long").code, 1436);
    let conjunction = format!("SELECT a = 1{}", " OR a = 2".repeat(20_000));
    assert!(statement(&conjunction).is_ok());
    let list = format!("SELECT a IN (1{})", ", 1 + 1".repeat(20_000));
    assert!(statement(&list).is_ok());
    let not = format!("SELECT {}1", "NOT ".repeat(100_000));
    assert_eq!(statement(&not).expect_err("too deep").code, 1436);
    let minus = format!("SELECT {}1", "- ".repeat(100_000));
    assert_eq!(statement(&minus).expect_err("too deep").code, 1436);
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    for (sql, construct) in [
        ("SELECT * FROM JSON_TABLE('1', '$' COLUMNS(a INT PATH '$')) x", "JSON_TABLE"),
        ("WITH a AS (SELECT 1) DELETE FROM t", "WITH before UPDATE or DELETE"),
        ("CALL p()", "CALL"),
        ("LOAD XML INFILE 'x' INTO TABLE t", "LOAD XML"),
        ("LOCK INSTANCE FOR BACKUP", "LOCK INSTANCE FOR BACKUP"),
        ("XA START 'x'", "XA transactions"),
        ("HANDLER t OPEN", "HANDLER"),
    ] {
        let error = statement(sql).expect_err(sql);
        assert_eq!((error.code, error.sqlstate), (1235, "42000"), "{sql}: {error}");
        assert_eq!(
            error.message,
            format!("This version of MySQL doesn't yet support '{construct}'"),
            "{sql}"
        );
    }
}

#[test]
fn any_bytes_are_a_statement_or_an_error() {
    let corpus: [&[u8]; 8] = [
        b"SELECT \xFF\xFE",
        b"SELECT '\xFF'",
        b"\x00",
        b"/*!",
        b"/*!50000",
        b"`",
        b"SELECT 'a\\",
        b"SELECT x'4",
    ];
    for text in corpus {
        let _ = parse(text, 0, LexMode::default());
    }
    // Every prefix of a statement with most kinds of token.
    let all = "INSERT INTO `t` (a, b) VALUES (1, 'x''y\\''), (0x4D, b'01'), (1.5e-3, @@session.x) ON DUPLICATE KEY UPDATE a = \
               VALUES(a) + INTERVAL 1 DAY /*! , b = ? */; -- end";
    for end in 0..all.len() {
        let _ = parse(&all.as_bytes()[..end], 0, LexMode::default());
    }
    assert!(matches!(statement(all), Ok(Statement::Insert(_))));
    assert!(statement("SELECT @0, @a.1").is_ok(), "a number right after the sign is a name");
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "[a-z0-9'`\"@?(),;.*/!#+=<>| \\n-]{0,80}") {
        let _ = parse(text.as_bytes(), 0, LexMode::default());
        let _ = parse(format!("SELECT {text}").as_bytes(), 0, LexMode::default());
    }
}

#[test]
fn queries_nest_and_combine() {
    for sql in [
        "SELECT 1 UNION ALL SELECT 2 ORDER BY 1 LIMIT 1",
        "(SELECT 1) UNION (SELECT 2 LIMIT 1) EXCEPT SELECT 3",
        "((SELECT 1) UNION (SELECT 2)) ORDER BY 1",
        "SELECT ((SELECT 1) + 1), ((SELECT 2)), (((SELECT 3) UNION (SELECT 4) LIMIT 1))",
        "SELECT * FROM ((SELECT 1) UNION (SELECT 2)) x, (a JOIN ((b)) ON a.x = b.x)",
        "SELECT * FROM a LEFT JOIN b JOIN c ON b.x = c.x ON a.x = b.x NATURAL JOIN d",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
        "SELECT a, SUM(b) OVER (PARTITION BY c ORDER BY d ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WINDOW w AS ()",
        "SELECT 1 IN (SELECT 1), 1 = ANY (SELECT 1), EXISTS (SELECT 1), (1, 2) NOT IN (SELECT 1, 2)",
        "VALUES ROW(1, 2), ROW(3, 4) ORDER BY 1",
        "TABLE t",
        "SELECT 1 INTO @a",
        "INSERT INTO t (a) (SELECT 1)",
        "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        "DELETE a, b FROM a JOIN b ON a.x = b.x",
        "DELETE FROM a USING a JOIN b WHERE a.x = b.x",
        "UPDATE a JOIN b USING (x) SET a.y = b.y",
    ] {
        if let Err(error) = statement(sql) {
            panic!("{sql}: {error}");
        }
    }
    for sql in [
        "SELECT * FROM a LEFT JOIN b",
        "SELECT * FROM (SELECT 1)",
        "SELECT 1 UNION",
        "SELECT (SELECT 1 INTO @a)",
    ] {
        assert!(statement(sql).is_err(), "{sql}");
    }
    let deep = format!("SELECT {}1{}", "(SELECT ".repeat(60), ")".repeat(60));
    assert!([1436, 1473].contains(&statement(&deep).expect_err("too deep").code));
}
