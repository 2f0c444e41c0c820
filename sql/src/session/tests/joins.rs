//! Joins, subqueries, set operations and common table expressions: what one access path says, all say.

use super::Rig;
use crate::Session;

fn tables(rig: &Rig, s: &mut Session) {
    rig.all(
        s,
        &[
            "CREATE TABLE l(id INT AUTO_INCREMENT PRIMARY KEY, k INT, v INT NOT NULL, t VARCHAR(8), KEY kk (k))",
            "CREATE TABLE r(id INT AUTO_INCREMENT PRIMARY KEY, k INT, w INT NOT NULL, t VARCHAR(8))",
            "CREATE TABLE p(k INT PRIMARY KEY, n DECIMAL(5,1))",
            "INSERT INTO l(k, v, t) VALUES (1, 1, 'a'), (2, 2, 'B'), (2, 3, NULL), (NULL, 4, 'c'), (5, 5, 'b'), (7, 6, 'A')",
            "INSERT INTO r(k, w, t) VALUES (1, 10, 'A'), (2, 20, 'b'), (2, 21, 'x'), (NULL, 30, NULL), (5, 50, 'C')",
            "INSERT INTO p VALUES (1, 1.0), (2, 2.5), (3, 3.0), (7, 7.0)",
        ],
    );
}

#[test]
fn every_way_of_joining_gives_the_same_rows() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    tables(&rig, &mut s);
    // The same join by index, by hash, and by a condition that neither serves.
    for (kind, on) in [
        ("JOIN", ""),
        ("LEFT JOIN", ""),
        ("RIGHT JOIN", ""),
        ("JOIN", "AND l.v > 1"),
        ("LEFT JOIN", "AND r.w > 15"),
    ] {
        let ways = [
            format!("SELECT l.id, r.id FROM l {kind} r ON l.k = r.k {on} ORDER BY 1, 2"),
            format!("SELECT l.id, r.id FROM l {kind} r ON l.k + 0 = r.k {on} ORDER BY 1, 2"),
            format!("SELECT l.id, r.id FROM l {kind} r ON l.k <= r.k AND l.k >= r.k {on} ORDER BY 1, 2"),
            format!(
                "SELECT STRAIGHT_JOIN l.id, r.id FROM l IGNORE INDEX (kk) {kind} r ON l.k = r.k {on} ORDER BY 1, 2"
            ),
            format!(
                "SELECT a, b FROM (SELECT l.id a, r.id b FROM l {kind} r ON r.k = l.k {on}) x ORDER BY 1, 2"
            ),
        ];
        let first = rig.run(&mut s, &ways[0]);
        assert!(first.len() > 2, "{}: {first:?}", ways[0]);
        for way in &ways[1..] {
            assert_eq!(rig.run(&mut s, way), first, "{way}");
        }
    }
    let texts = rig.run(&mut s, "SELECT l.id, r.id FROM l JOIN r ON l.t = r.t ORDER BY 1, 2");
    assert_eq!(texts, ["1|1", "2|2", "4|5", "5|2", "6|1"]);
    let mixed = rig.run(&mut s, "SELECT l.id, p.n FROM l JOIN p ON l.k = p.n ORDER BY 1");
    assert_eq!(mixed, ["1|1.0", "6|7.0"]);
}

#[test]
fn nests_of_outer_joins() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    tables(&rig, &mut s);
    for (sql, expected) in [
        (
            "SELECT l.id, r.id, p.k FROM l LEFT JOIN (r JOIN p ON r.k = p.k) ON l.k = r.k ORDER BY 1, 2",
            "1|1|1\n2|2|2\n2|3|2\n3|2|2\n3|3|2\n4|NULL|NULL\n5|NULL|NULL\n6|NULL|NULL",
        ),
        (
            "SELECT l.id, r.id, p.k FROM l LEFT JOIN (r LEFT JOIN p ON r.k = p.k AND p.n > 2) ON l.k = r.k ORDER BY 1, 2",
            "1|1|NULL\n2|2|2\n2|3|2\n3|2|2\n3|3|2\n4|NULL|NULL\n5|5|NULL\n6|NULL|NULL",
        ),
        (
            "SELECT l.id FROM l LEFT JOIN r ON l.k = r.k LEFT JOIN p ON p.k = r.k WHERE r.id IS NULL AND p.k IS NULL ORDER BY 1",
            "4\n6",
        ),
        ("SELECT COUNT(*) FROM l LEFT JOIN r ON FALSE LEFT JOIN p ON TRUE", "24"),
        (
            "SELECT l.id, p.k FROM p RIGHT JOIN (l JOIN r ON l.k = r.k) ON p.k = l.k WHERE r.w > 20 ORDER BY 1",
            "2|2\n3|2\n5|NULL",
        ),
    ] {
        assert_eq!(rig.one(&mut s, sql), expected, "{sql}");
    }
}

#[test]
fn subqueries_are_run_when_their_inputs_change() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    tables(&rig, &mut s);
    for (sql, expected) in [
        ("SELECT id FROM l WHERE v > (SELECT AVG(v) FROM l x WHERE x.k <=> l.k) ORDER BY id", "3"),
        (
            "SELECT id FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.w > (SELECT MIN(n) * 10 FROM p WHERE p.k = l.k)) ORDER BY id",
            "NULL",
        ),
        ("SELECT id FROM l WHERE k NOT IN (SELECT k FROM r WHERE k > 1) ORDER BY id", "1\n6"),
        ("SELECT id FROM l WHERE (k, t) IN (SELECT k, t FROM r) ORDER BY id", "1\n2"),
        (
            "SELECT id, (SELECT SUM(w) FROM r WHERE r.k = l.k AND r.w > l.v * 10) AS s FROM l ORDER BY id",
            "1|NULL\n2|21\n3|NULL\n4|NULL\n5|NULL\n6|NULL",
        ),
        (
            "SELECT d.k, d.c, (SELECT MAX(w) FROM r WHERE r.k = d.k) FROM (SELECT k, COUNT(*) c FROM l GROUP BY k) d WHERE d.c > 1",
            "2|2|21",
        ),
    ] {
        let expected = if expected == "NULL" { "" } else { expected };
        assert_eq!(rig.one(&mut s, sql), expected, "{sql}");
    }
    let error = rig.one(&mut s, "SELECT (SELECT k FROM l)");
    assert!(error.starts_with("ERROR 1242 (21000)"), "{error}");
}

#[test]
fn queries_past_their_memory_end_with_1038() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(&mut s, &["CREATE TABLE t(id INT AUTO_INCREMENT PRIMARY KEY, c VARCHAR(16000))"]);
    rig.all(&mut s, &["INSERT INTO t(c) VALUES (REPEAT('x', 10000)), (REPEAT('y', 10000))"]);
    for _ in 0..12 {
        rig.all(&mut s, &["INSERT INTO t(c) SELECT CONCAT(LEFT(c, 9990), id) FROM t"]);
    }
    for sql in [
        "SELECT DISTINCT c FROM t",
        "SELECT c, COUNT(*) FROM t GROUP BY c",
        "SELECT c FROM t UNION SELECT c FROM t",
        "SELECT COUNT(*) FROM (SELECT c FROM t) d",
        "SELECT COUNT(*) FROM t WHERE c IN (SELECT c FROM t)",
        "WITH x AS (SELECT c FROM t) SELECT COUNT(*) FROM x",
        "SELECT id, c, ROW_NUMBER() OVER (ORDER BY c) FROM t",
    ] {
        let answer = rig.one(&mut s, sql);
        assert!(answer.starts_with("ERROR 1038 (HY001)"), "{sql}: {}", &answer[..answer.len().min(80)]);
        assert_eq!(rig.server.query_memory(), 0, "{sql}: what a query drew goes back");
    }
    // A table too large for a hash is read again for each row instead.
    assert_eq!(rig.one(&mut s, "SELECT COUNT(*) FROM (SELECT 1 AS n) d JOIN t ON t.c <> d.n"), "8192");
}

#[test]
fn changes_over_joins_and_subqueries() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    tables(&rig, &mut s);
    assert_eq!(rig.one(&mut s, "UPDATE l JOIN r ON l.k = r.k SET l.v = r.w, r.w = 0 WHERE l.id < 3"), "OK 5");
    assert_eq!(rig.one(&mut s, "SELECT v FROM l ORDER BY id"), "10\n20\n3\n4\n5\n6");
    assert_eq!(
        rig.one(&mut s, "UPDATE l SET v = (SELECT MAX(n) FROM p) WHERE k IN (SELECT k FROM r WHERE w > 0)"),
        "OK 1"
    );
    assert_eq!(rig.one(&mut s, "DELETE l, r FROM l JOIN r ON l.k = r.k"), "OK 8");
    assert_eq!(rig.one(&mut s, "DELETE FROM l WHERE NOT EXISTS (SELECT * FROM p WHERE p.k = l.k)"), "OK 1");
    assert_eq!(rig.one(&mut s, "SELECT id FROM l"), "6");
    let prepared = "PREPARE q FROM 'SELECT COUNT(*) FROM l JOIN p ON p.k = l.k WHERE l.v > ? AND l.k IN (SELECT k FROM p WHERE n > ?)'; SET @a = 1, @b = 2; EXECUTE q USING @a, @b";
    assert_eq!(rig.one(&mut s, prepared), "1");
}
