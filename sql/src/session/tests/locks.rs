//! What a session sees of locks: its own on names, and everybody's on rows.

use super::{Lines, Rig};

/// Polls both sessions' statements until both have answered.
fn both(rig: &Rig, one: (&mut crate::Session, &str), two: (&mut crate::Session, &str)) -> (Lines, Lines) {
    let (mut first, mut second) = (Lines::default(), Lines::default());
    rig.executor.block_on(async {
        let mut a = Box::pin(one.0.query(one.1.as_bytes(), &mut first));
        let mut b = Box::pin(two.0.query(two.1.as_bytes(), &mut second));
        let (mut a_done, mut b_done) = (false, false);
        std::future::poll_fn(|cx| {
            a_done = a_done || a.as_mut().poll(cx).is_ready();
            b_done = b_done || b.as_mut().poll(cx).is_ready();
            if a_done && b_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    });
    (first, second)
}

#[test]
fn a_waiter_for_a_row_shows_in_performance_schema_and_a_deadlock_in_the_monitor() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(&mut a, &["CREATE TABLE t(id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)"]);
    assert!(!rig.one(&mut a, "SHOW ENGINE INNODB STATUS").contains("DEADLOCK"));
    rig.all(&mut a, &["BEGIN", "UPDATE t SET v = 10 WHERE id = 1"]);
    rig.all(&mut b, &["SET innodb_lock_wait_timeout = 1", "BEGIN", "UPDATE t SET v = 20 WHERE id = 2"]);
    let mut watcher = rig.session();
    let waiting = "SELECT OBJECT_SCHEMA, OBJECT_NAME, INDEX_NAME, LOCK_MODE, LOCK_DATA FROM \
                   performance_schema.data_locks WHERE LOCK_STATUS = 'WAITING'; \
                   SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks l \
                   ON l.ENGINE_LOCK_ID = w.BLOCKING_ENGINE_LOCK_ID WHERE w.REQUESTING_THREAD_ID <> w.BLOCKING_THREAD_ID";
    let (waited, seen) = both(&rig, (&mut b, "UPDATE t SET v = 21 WHERE id = 1"), (&mut watcher, waiting));
    assert_eq!(waited.error.map(|e| e.code), Some(1205));
    assert_eq!(seen.out, ["d|t|PRIMARY|X,REC_NOT_GAP|1", "1"]);
    let crosswise = "UPDATE t SET v = 22 WHERE id = 1";
    let (a_said, b_said) = both(&rig, (&mut a, "UPDATE t SET v = 11 WHERE id = 2"), (&mut b, crosswise));
    let codes = [a_said, b_said].map(|lines| lines.error.map_or(0, |e| e.code));
    assert!(codes.contains(&1213) && codes.contains(&0), "{codes:?}");
    let shown = rig.one(&mut watcher, "SHOW ENGINE INNODB STATUS");
    for part in [
        "LATEST DETECTED DEADLOCK",
        "RECORD LOCKS index PRIMARY of table `d`.`t`",
        "*** WE ROLL BACK TRANSACTION (",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn named_locks_are_waited_for_and_end_with_the_session() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    assert_eq!(rig.one(&mut a, "SELECT GET_LOCK('x', 0)"), "1");
    assert_eq!(rig.one(&mut b, "SELECT GET_LOCK('X', 0.4), IS_USED_LOCK('x')"), "0|2");
    let (given, got) = both(&rig, (&mut a, "DO RELEASE_LOCK('x')"), (&mut b, "SELECT GET_LOCK('x', 30)"));
    assert!(given.error.is_none());
    assert_eq!(got.out, ["1"]);
    // A circle of locks on names is a deadlock of its own.
    assert_eq!(rig.one(&mut a, "SELECT GET_LOCK('y', 0)"), "1");
    let (one, two) = both(
        &rig,
        (&mut a, "SELECT GET_LOCK('x', 30)"),
        (&mut b, "SELECT GET_LOCK('y', 30), RELEASE_ALL_LOCKS()"),
    );
    let codes = [one, two].map(|lines| lines.error.map_or(0, |e| e.code));
    assert!(codes.contains(&3058), "{codes:?}");
    rig.executor.block_on(a.reset()).expect("reset");
    rig.executor.block_on(b.close());
    assert_eq!(rig.one(&mut a, "SELECT IS_FREE_LOCK('x'), IS_FREE_LOCK('y')"), "1|1");
}

#[test]
fn lock_tables_keeps_others_out_and_the_session_to_its_tables() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(
        &mut a,
        &[
            "CREATE TABLE t(id INT PRIMARY KEY)",
            "CREATE TABLE u(id INT PRIMARY KEY)",
            "INSERT INTO t VALUES (1)",
        ],
    );
    let code = |rig: &mut Rig, s: &mut crate::Session, text: &str| {
        rig.lines(s, text).error.map(|e| (e.code, e.message))
    };
    rig.all(&mut b, &["SET lock_wait_timeout = 1"]);
    rig.all(&mut a, &["LOCK TABLES t READ LOCAL, t AS x WRITE"]);
    assert_eq!(code(&mut rig, &mut b, "SELECT * FROM t").map(|e| e.0), Some(1205));
    rig.all(&mut a, &["LOCK TABLE t READ"]);
    assert_eq!(rig.one(&mut b, "SELECT * FROM t"), "1");
    assert_eq!(code(&mut rig, &mut b, "INSERT INTO t VALUES (2)").map(|e| e.0), Some(1205));
    let said = code(&mut rig, &mut a, "INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(said, (1099, "Table 't' was locked with a READ lock and can't be updated".to_owned()));
    let said = code(&mut rig, &mut a, "SELECT * FROM t WHERE id IN (SELECT id FROM u)").unwrap();
    assert_eq!(said, (1100, "Table 'u' was not locked with LOCK TABLES".to_owned()));
    assert_eq!(code(&mut rig, &mut a, "CREATE TABLE v(id INT)").map(|e| e.0), Some(1100));
    assert_eq!(code(&mut rig, &mut a, "DROP DATABASE d").map(|e| e.0), Some(1192));
    assert_eq!(code(&mut rig, &mut a, "LOCK TABLES t READ, t WRITE").map(|e| e.0), Some(1066));
    rig.all(&mut a, &["LOCK TABLES t WRITE, u READ", "INSERT INTO t VALUES (2)", "ALTER TABLE t ADD v INT"]);
    assert_eq!(rig.one(&mut a, "SELECT COUNT(*) FROM t JOIN u"), "0");
    assert_eq!(code(&mut rig, &mut b, "SELECT v FROM t").map(|e| e.0), Some(1205));
    let held = "SELECT OBJECT_NAME, LOCK_TYPE, LOCK_DURATION FROM performance_schema.metadata_locks \
                WHERE LOCK_DURATION = 'EXPLICIT' ORDER BY OBJECT_NAME";
    let mut watcher = rig.session();
    assert_eq!(rig.run(&mut watcher, held), ["t|EXCLUSIVE|EXPLICIT", "u|SHARED_READ_ONLY|EXPLICIT"]);
    rig.all(&mut a, &["UNLOCK TABLES", "SELECT * FROM u"]);
    assert_eq!(rig.one(&mut b, "SELECT COUNT(*) FROM t"), "2");
    rig.all(&mut a, &["LOCK TABLES t WRITE", "BEGIN"]);
    assert_eq!(rig.one(&mut b, "SELECT COUNT(*) FROM t"), "2", "a transaction begun gives table locks back");
    rig.all(&mut a, &["LOCK TABLES t WRITE"]);
    drop(a);
    assert_eq!(rig.one(&mut b, "SELECT COUNT(*) FROM t"), "2", "so does the end of a session");
}

#[test]
fn ddl_waits_for_transactions_and_they_plan_again() {
    let mut rig = Rig::new();
    let (mut a, mut b) = (rig.session(), rig.session());
    rig.all(
        &mut a,
        &["CREATE TABLE t(id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)", "BEGIN", "SELECT * FROM t"],
    );
    rig.all(&mut b, &["SET lock_wait_timeout = 1"]);
    assert_eq!(rig.lines(&mut b, "DROP TABLE t").error.map(|e| e.code), Some(1205));
    rig.all(&mut a, &["COMMIT", "BEGIN"]);
    let mut c = rig.session();
    rig.all(&mut c, &["BEGIN", "SELECT * FROM t"]);
    rig.all(&mut b, &["SET lock_wait_timeout = 100"]);
    let (altered, _) =
        both(&rig, (&mut b, "ALTER TABLE t ADD v INT DEFAULT 7"), (&mut c, "SELECT SLEEP(1); COMMIT"));
    assert_eq!(altered.error, None);
    assert_eq!(rig.one(&mut a, "SELECT v FROM t"), "7");
}

#[test]
fn columns_come_and_go_without_a_row_written() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &[
            "CREATE TABLE t(id INT PRIMARY KEY, a INT, b VARCHAR(10), KEY(a))",
            "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')",
            "ALTER TABLE t ADD n INT NOT NULL DEFAULT 5 FIRST, ADD z VARCHAR(5) NOT NULL, ALGORITHM=INSTANT",
            "ALTER TABLE t DROP b, CHANGE a aa INT AFTER z, ALGORITHM=INSTANT",
            "UPDATE t SET z = 'new' WHERE aa = 20",
            "ALTER TABLE t ADD b INT, ALTER n SET DEFAULT 6, ALGORITHM=INSTANT",
            "INSERT INTO t(id, z, aa) VALUES (3, 'w', 30)",
        ],
    );
    let all = ["5|1||10|NULL", "5|2|new|20|NULL", "6|3|w|30|NULL"];
    assert_eq!(rig.run(&mut s, "SELECT * FROM t ORDER BY id"), all);
    let code =
        |rig: &mut Rig, s: &mut crate::Session, text: &str| rig.lines(s, text).error.map_or(0, |e| e.code);
    for (text, wanted) in [
        ("ALTER TABLE t MODIFY aa BIGINT, ALGORITHM=INSTANT", 1846),
        ("ALTER TABLE t MODIFY aa BIGINT, ALGORITHM=INPLACE", 1846),
        ("ALTER TABLE t MODIFY aa BIGINT, LOCK=NONE", 1846),
        ("ALTER TABLE t ADD INDEX(n), ALGORITHM=INSTANT", 1845),
        ("ALTER TABLE t FORCE, ALGORITHM=INSTANT", 1845),
        ("ALTER TABLE t DROP PRIMARY KEY, ALGORITHM=INSTANT", 1846),
        ("ALTER TABLE t ADD f INT, ALGORITHM=INSTANT, LOCK=NONE", 1221),
        ("ALTER TABLE t ALGORITHM=foo", 1800),
        ("ALTER TABLE t LOCK=foo", 1801),
        ("ALTER TABLE t ADD INDEX(n), ALGORITHM=INPLACE, LOCK=SHARED", 0),
        ("ALTER TABLE t FORCE", 0),
    ] {
        assert_eq!(code(&mut rig, &mut s, text), wanted, "{text}");
    }
    assert_eq!(rig.run(&mut s, "SELECT * FROM t ORDER BY id"), all);
    assert_eq!(rig.run(&mut s, "CHECK TABLE t"), ["d.t|check|status|OK"]);
}
