//! EXPLAIN's access path is what runs: the engine gives a query just the rows that its line promises.

use super::Rig;

/// EXPLAIN's columns of one line: type, key, Extra.
fn explained(rig: &Rig, s: &mut crate::Session, sql: &str) -> (String, String, String) {
    let line = rig.one(s, &format!("EXPLAIN {sql}"));
    let cells: Vec<&str> = line.split('|').collect();
    (cells[4].to_owned(), cells[6].to_owned(), cells[11].to_owned())
}

#[test]
fn what_explain_says_is_what_the_engine_reads() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &["CREATE TABLE t(id INT PRIMARY KEY, u INT NOT NULL, k INT NOT NULL, v INT, UNIQUE KEY uu (u), KEY kk (k))"],
    );
    for base in (0..1000).step_by(100) {
        let rows: Vec<String> =
            (base..base + 100).map(|n| format!("({n},{},{},{n})", n + 5000, n / 10)).collect();
        rig.all(&mut s, &[&format!("INSERT INTO t VALUES {}", rows.join(","))]);
    }
    // The statement; type, key, a word of Extra (or that there is none); rows that the engine gives, at least and at most.
    for (sql, kind, key, extra, rows) in [
        ("SELECT * FROM t WHERE id = 77", "const", "PRIMARY", "NULL", (1, 1)),
        ("SELECT * FROM t WHERE id = -1", "const", "PRIMARY", "NULL", (0, 0)),
        ("SELECT * FROM t WHERE u = 5077", "const", "uu", "NULL", (1, 1)),
        ("SELECT * FROM t WHERE k = 7", "ref", "kk", "NULL", (10, 10)),
        ("SELECT k FROM t WHERE k = 7", "ref", "kk", "Using index", (10, 10)),
        ("SELECT * FROM t WHERE id BETWEEN 10 AND 29", "range", "PRIMARY", "Using where", (20, 20)),
        ("SELECT * FROM t WHERE k > 95", "range", "kk", "Using where", (40, 40)),
        ("SELECT id FROM t WHERE k IN (1, 3)", "range", "kk", "Using index", (20, 20)),
        ("SELECT k FROM t", "index", "kk", "Using index", (1000, 1000)),
        ("SELECT * FROM t", "ALL", "NULL", "NULL", (1000, 1000)),
        ("SELECT * FROM t WHERE v = 5", "ALL", "NULL", "Using where", (1000, 1000)),
        ("SELECT * FROM t ORDER BY id LIMIT 5", "index", "PRIMARY", "NULL", (5, 64)),
        ("SELECT * FROM t ORDER BY id DESC LIMIT 5", "index", "PRIMARY", "Backward index scan", (5, 64)),
        ("SELECT * FROM t WHERE k = 7 ORDER BY id LIMIT 2", "ref", "kk", "NULL", (2, 10)),
        ("SELECT * FROM t ORDER BY v LIMIT 5", "ALL", "NULL", "Using filesort", (1000, 1000)),
    ] {
        let (found_kind, found_key, found_extra) = explained(&rig, &mut s, sql);
        assert_eq!((found_kind.as_str(), found_key.as_str()), (kind, key), "{sql}");
        assert!(found_extra.contains(extra), "{sql}: {found_extra}");
        let before = s.rows_examined();
        rig.run(&mut s, sql);
        let read = s.rows_examined() - before;
        assert!((rows.0..=rows.1).contains(&read), "{sql}: the engine gave {read} rows");
    }
    // A join reads by the index that it names, row by row.
    rig.all(&mut s, &["CREATE TABLE d(id INT PRIMARY KEY)", "INSERT INTO d VALUES (3), (4)"]);
    let sql = "SELECT COUNT(*) FROM d JOIN t ON t.k = d.id";
    let lines = rig.run(&mut s, &format!("EXPLAIN {sql}"));
    assert!(lines[0].contains("|d|") && lines[1].contains("|ref|kk|kk|"), "{lines:?}");
    let before = s.rows_examined();
    assert_eq!(rig.one(&mut s, sql), "20");
    assert_eq!(s.rows_examined() - before, 22);
}

#[test]
fn sleep_and_seeded_rand() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    assert_eq!(rig.one(&mut s, "SELECT SLEEP(0.2), SLEEP(0)"), "0|0");
    assert_eq!(rig.one(&mut s, "DO SLEEP(0.1)"), "OK 0");
    assert!(rig.one(&mut s, "SELECT SLEEP(-1)").starts_with("ERROR 1210"));
    let rows = rig.run(&mut s, "SELECT RAND(3) FROM sextant.numbers");
    assert_eq!(rows, ["0.9057697559760601", "0.37307905813034536", "0.14808605345719125"]);
    assert_eq!(rig.run(&mut s, "SELECT RAND(3) FROM sextant.numbers"), rows);
}

#[test]
fn kill_wakes_a_sleeper() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    let handle = s.kill_handle();
    let mut lines = super::Lines::default();
    rig.executor.block_on(async {
        let mut statement = std::pin::pin!(s.query(b"SELECT SLEEP(1000)", &mut lines));
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            if polls == 3 {
                handle.kill_query();
            }
            statement.as_mut().poll(cx)
        })
        .await
        .expect("open");
    });
    assert_eq!(lines.error.map(|e| e.code), Some(1317));
}
