//! Budgets, interruption, depth.

use super::{Lines, Rig};

#[test]
fn a_query_past_its_memory_ends_with_1038() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(&mut s, &["CREATE TABLE t(id INT AUTO_INCREMENT PRIMARY KEY, c VARCHAR(16000))"]);
    rig.all(&mut s, &["INSERT INTO t(c) VALUES (REPEAT('x', 10000)), (REPEAT('y', 10000))"]);
    for _ in 0..12 {
        rig.all(&mut s, &["INSERT INTO t(c) SELECT CONCAT(LEFT(c, 9990), id) FROM t"]);
    }
    let answer = rig.one(&mut s, "SELECT c FROM t ORDER BY c, id + 0");
    assert!(answer.starts_with("ERROR 1038 (HY001)"), "{}", &answer[..answer.len().min(80)]);
    assert_eq!(rig.server.query_memory(), 0, "what a query drew goes back");
    assert_eq!(rig.one(&mut s, "SELECT COUNT(*) > 6000 FROM t"), "1");
}

#[test]
fn kill_ends_the_statement_not_the_session() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &[
            "CREATE TABLE t(id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
            "INSERT INTO t(v) VALUES (1),(2),(3),(4)",
        ],
    );
    for _ in 0..8 {
        rig.all(&mut s, &["INSERT INTO t(v) SELECT v FROM t"]);
    }
    let handle = s.kill_handle();
    let mut lines = Lines::default();
    rig.executor.block_on(async {
        let mut statement = std::pin::pin!(s.query(b"SELECT COUNT(*) FROM t WHERE v + id > 0", &mut lines));
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                handle.kill_query();
            }
            statement.as_mut().poll(cx)
        })
        .await
        .expect("open");
    });
    assert_eq!(lines.error.map(|e| e.code), Some(1317));
    assert_eq!(rig.one(&mut s, "SELECT COUNT(*) FROM t"), "1024");
}

#[test]
fn deep_and_long_expressions() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    let deep = format!("SELECT {}1{}", "(".repeat(90), ")".repeat(90));
    assert_eq!(rig.one(&mut s, &deep), "1");
    let deeper = format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000));
    assert!(rig.one(&mut s, &deeper).starts_with("ERROR 1436"));
    let long = format!("SELECT 1 WHERE 1 IN ({})", vec!["2"; 20_000].join(","));
    assert_eq!(rig.one(&mut s, &long), "");
    let unions =
        |n: usize| format!("SELECT COUNT(*) FROM ({}) t", vec!["SELECT 1 AS a"; n].join(" UNION ALL "));
    assert_eq!(rig.one(&mut s, &unions(129)), "129");
    assert!(rig.one(&mut s, &unions(130)).starts_with("ERROR 1436"));
    assert!(rig.one(&mut s, &unions(100_000)).starts_with("ERROR 1436"));
    let scalar = |n: usize| format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n));
    assert_eq!(rig.one(&mut s, &scalar(20)), "1");
    let derived =
        format!("SELECT * FROM {}(SELECT 1 AS a) x{}", "(SELECT * FROM ".repeat(20), ") x".repeat(20));
    assert_eq!(rig.one(&mut s, &derived), "1");
    let ands = format!("SELECT {}", vec!["1"; 20_000].join(" AND "));
    assert_eq!(rig.one(&mut s, &ands), "1");
}
