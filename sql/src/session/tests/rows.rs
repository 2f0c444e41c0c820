//! Reading and writing rows.

use super::{Lines, Rig};
use values::Value;

fn table(rig: &mut Rig) -> crate::Session {
    let mut s = rig.session();
    rig.all(
        &mut s,
        &[
            "CREATE TABLE t(id INT AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL DEFAULT 0, c VARCHAR(20), KEY(k))",
            "INSERT INTO t(k, c) VALUES (3,'c'),(1,'a'),(2,'b'),(3,'d'),(5,NULL)",
        ],
    );
    s
}

#[test]
fn reads_by_every_access() {
    let mut rig = Rig::new();
    let mut s = table(&mut rig);
    for (statement, rows) in [
        ("SELECT * FROM t WHERE id = 2", "2|1|a"),
        ("SELECT c FROM t WHERE k = 3 ORDER BY id", "c\nd"),
        ("SELECT id FROM t WHERE k BETWEEN 2 AND 3", "3\n1\n4"),
        ("SELECT k FROM t WHERE k > 1 AND k < 5 ORDER BY k DESC", "3\n3\n2"),
        ("SELECT id FROM t WHERE id IN (4, 1, 9, 1)", "1\n4"),
        ("SELECT id FROM t WHERE k BETWEEN 1 AND 1 OR k BETWEEN 5 AND 9", "2\n5"),
        ("SELECT id FROM t WHERE c IS NULL", "5"),
        ("SELECT id FROM t ORDER BY c, id LIMIT 2", "5\n2"),
        ("SELECT id FROM t ORDER BY id DESC LIMIT 1, 2", "4\n3"),
        ("SELECT k, COUNT(*), MAX(c) FROM t GROUP BY k HAVING COUNT(*) > 1", "3|2|d"),
        (
            "SELECT COUNT(*), SUM(k), AVG(k), MIN(k), MAX(k), GROUP_CONCAT(c ORDER BY c DESC) FROM t",
            "5|14|2.8000|1|5|d,c,b,a",
        ),
        ("SELECT DISTINCT k FROM t ORDER BY k", "1\n2\n3\n5"),
        ("SELECT COUNT(*) FROM t WHERE 1 = 0", "0"),
        ("SELECT id FROM t WHERE id = '3'", "3"),
        ("SELECT id FROM t WHERE id = 2.5", ""),
        ("SELECT id FROM t WHERE id > 3.5", "4\n5"),
        ("SELECT id FROM t WHERE c LIKE 'a%'", "2"),
        ("SELECT id FROM t WHERE c = 'A'", "2"),
        ("SELECT id FROM t WHERE id = NULL", ""),
        ("SELECT id FROM t WHERE (id, k) = (1, 3)", "1"),
        ("SELECT id FROM t WHERE k = 3 AND id > 1", "4"),
    ] {
        assert_eq!(rig.one(&mut s, statement), rows, "{statement}");
    }
}

#[test]
fn writes() {
    let mut rig = Rig::new();
    let mut s = table(&mut rig);
    for (statement, answer) in [
        ("INSERT INTO t(id, k) VALUES (1, 1)", "ERROR 1062 (23000): Duplicate entry '1' for key 't.PRIMARY'"),
        ("INSERT IGNORE INTO t(id, k) VALUES (1, 1), (10, 10)", "OK 1"),
        ("REPLACE INTO t(id, k, c) VALUES (1, 7, 'z')", "OK 2"),
        ("INSERT INTO t(id, k) VALUES (1, 1) ON DUPLICATE KEY UPDATE k = k + VALUES(k), c = 'dup'", "OK 2"),
        ("SELECT * FROM t WHERE id = 1", "1|8|dup"),
        ("INSERT INTO t(k) VALUES (11)", "OK 1"),
        ("SELECT id FROM t WHERE k = 11", "11"),
        ("SELECT LAST_INSERT_ID()", "11"),
        ("UPDATE t SET k = k + 1 WHERE id > 3", "OK 4"),
        ("UPDATE t SET k = k WHERE id = 1", "OK 0"),
        ("UPDATE t SET k = 100 - k ORDER BY id DESC LIMIT 1", "OK 1"),
        ("SELECT id, k FROM t WHERE id > 3", "4|4\n5|6\n10|11\n11|88"),
        ("DELETE FROM t WHERE k = 4", "OK 1"),
        ("DELETE FROM t ORDER BY id LIMIT 2", "OK 2"),
        ("SELECT COUNT(*) FROM t", "4"),
        ("INSERT INTO t(id, k) SELECT id + 100, k FROM t WHERE id > 5", "OK 2"),
        ("SELECT id FROM t ORDER BY id", "3\n5\n10\n11\n110\n111"),
        (
            "INSERT INTO t(k) VALUES ('x')",
            "ERROR 1366 (HY000): Incorrect integer value: 'x' for column 'k' at row 1",
        ),
        ("INSERT INTO t(k) VALUES (NULL)", "ERROR 1048 (23000): Column 'k' cannot be null"),
        (
            "INSERT INTO t(k) VALUES (1, 2)",
            "ERROR 1136 (21S01): Column count doesn't match value count at row 1",
        ),
        ("INSERT INTO t(nix) VALUES (1)", "ERROR 1054 (42S22): Unknown column 'nix' in 'field list'"),
        ("TRUNCATE t", "OK 0"),
        ("SELECT COUNT(*) FROM t", "0"),
    ] {
        assert_eq!(rig.one(&mut s, statement), answer, "{statement}");
    }
}

#[test]
fn prepared_statements_keep_their_plans() {
    let mut rig = Rig::new();
    let mut s = table(&mut rig);
    let run = |s: &mut crate::Session, id, params: &[Value]| {
        let mut lines = Lines::default();
        rig.executor.block_on(s.execute(id, params, &mut lines)).expect("open");
        assert_eq!(lines.error, None);
        lines.out.join("\n")
    };
    let get = rig.executor.block_on(s.prepare(b"SELECT c FROM t WHERE id=?")).expect("prepared");
    assert_eq!((get.params.len(), get.columns.len()), (1, 1));
    assert_eq!(run(&mut s, get.id, &[Value::Int(2)]), "a");
    assert_eq!(run(&mut s, get.id, &[Value::Int(3)]), "b");
    assert_eq!(run(&mut s, get.id, &[Value::text("4")]), "d");
    let range =
        rig.executor.block_on(s.prepare(b"SELECT SUM(k) FROM t WHERE id BETWEEN ? AND ?")).expect("prepared");
    assert_eq!(run(&mut s, range.id, &[Value::Int(2), Value::Int(4)]), "6");
    let update = rig.executor.block_on(s.prepare(b"UPDATE t SET k=k+1 WHERE id=?")).expect("prepared");
    run(&mut s, update.id, &[Value::Int(2)]);
    rig.all(&mut s, &["ALTER TABLE t DROP INDEX k"]);
    assert_eq!(run(&mut s, range.id, &[Value::Int(2), Value::Int(2)]), "2");
}

#[test]
fn explain_says_what_runs() {
    let mut rig = Rig::new();
    let mut s = table(&mut rig);
    for (statement, start) in [
        ("EXPLAIN SELECT * FROM t WHERE id = 1", "1|SIMPLE|t|NULL|const|PRIMARY|PRIMARY|4|const|1|"),
        ("EXPLAIN SELECT * FROM t WHERE k = 1", "1|SIMPLE|t|NULL|ref|k|k|4|const|"),
        ("EXPLAIN SELECT * FROM t WHERE k > 1", "1|SIMPLE|t|NULL|range|k|k|4|NULL|"),
        ("EXPLAIN SELECT c FROM t", "1|SIMPLE|t|NULL|ALL|NULL|NULL|NULL|NULL|"),
        ("EXPLAIN SELECT k FROM t", "1|SIMPLE|t|NULL|index|NULL|k|4|NULL|"),
    ] {
        let answer = rig.one(&mut s, statement);
        assert!(answer.starts_with(start), "{statement}: {answer}");
    }
}
