//! Transactions between sessions.

use super::Rig;

#[test]
fn isolation_and_rollback() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(&mut a, &["CREATE TABLE t(id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)"]);
    rig.all(&mut a, &["BEGIN", "UPDATE t SET v = 10 WHERE id = 1"]);
    assert_eq!(rig.one(&mut a, "SELECT v FROM t WHERE id = 1"), "10");
    assert_eq!(rig.one(&mut b, "SELECT v FROM t WHERE id = 1"), "1");
    rig.all(&mut b, &["BEGIN"]);
    assert_eq!(rig.one(&mut b, "SELECT v FROM t WHERE id = 1"), "1");
    rig.all(&mut a, &["COMMIT"]);
    assert_eq!(rig.one(&mut b, "SELECT v FROM t WHERE id = 1"), "1");
    rig.all(&mut b, &["COMMIT"]);
    assert_eq!(rig.one(&mut b, "SELECT v FROM t WHERE id = 1"), "10");
    rig.all(
        &mut a,
        &["SET autocommit = 0", "DELETE FROM t WHERE id = 2", "SAVEPOINT s", "DELETE FROM t WHERE id = 1"],
    );
    assert_eq!(rig.one(&mut a, "SELECT COUNT(*) FROM t"), "0");
    rig.all(&mut a, &["ROLLBACK TO s"]);
    assert_eq!(rig.one(&mut a, "SELECT COUNT(*) FROM t"), "1");
    rig.all(&mut a, &["ROLLBACK"]);
    assert_eq!(rig.one(&mut a, "SELECT COUNT(*) FROM t"), "2");
    assert_eq!(rig.one(&mut a, "ROLLBACK TO nix"), "ERROR 1305 (42000): SAVEPOINT nix does not exist");
}

#[test]
fn a_consistent_snapshot_is_taken_at_the_start() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(&mut a, &["CREATE TABLE t(id INT PRIMARY KEY)"]);
    rig.all(&mut b, &["START TRANSACTION WITH CONSISTENT SNAPSHOT"]);
    rig.all(&mut a, &["INSERT INTO t VALUES (1)"]);
    assert_eq!(rig.one(&mut b, "SELECT COUNT(*) FROM t"), "0");
    rig.all(&mut b, &["COMMIT", "BEGIN"]);
    rig.all(&mut a, &["INSERT INTO t VALUES (2)"]);
    assert_eq!(rig.one(&mut b, "SELECT COUNT(*) FROM t"), "2", "a plain BEGIN looks when it first reads");
}

#[test]
fn a_failed_statement_undoes_itself_only() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(&mut s, &["CREATE TABLE t(id INT PRIMARY KEY)", "BEGIN", "INSERT INTO t VALUES (5)"]);
    assert!(rig.one(&mut s, "INSERT INTO t VALUES (1), (2), (5)").starts_with("ERROR 1062"));
    assert_eq!(rig.one(&mut s, "SELECT id FROM t"), "5");
    rig.all(&mut s, &["COMMIT"]);
    assert_eq!(rig.one(&mut s, "SELECT id FROM t"), "5");
}

#[test]
fn read_only_and_lock_waits() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(&mut a, &["CREATE TABLE t(id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)"]);
    rig.all(&mut a, &["START TRANSACTION READ ONLY"]);
    assert!(rig.one(&mut a, "UPDATE t SET v = 2").starts_with("ERROR 1792"));
    rig.all(&mut a, &["COMMIT", "BEGIN"]);
    assert_eq!(rig.one(&mut a, "SELECT v FROM t WHERE id = 1 FOR UPDATE"), "1");
    rig.all(&mut b, &["SET innodb_lock_wait_timeout = 1", "BEGIN"]);
    assert!(rig.one(&mut b, "SELECT v FROM t WHERE id = 1 FOR UPDATE NOWAIT").starts_with("ERROR 3572"));
    assert!(rig.one(&mut b, "UPDATE t SET v = 3 WHERE id = 1").starts_with("ERROR 1205"));
    rig.all(&mut a, &["COMMIT"]);
    assert_eq!(rig.one(&mut b, "UPDATE t SET v = 3 WHERE id = 1"), "OK 1");
}
