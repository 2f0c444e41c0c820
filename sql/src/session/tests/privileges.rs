//! The matrix statement x privilege on one table, recorded from MySQL 9.7.4 (privileges.txt): each cell is the error number, 0 for none.
//!
//! One difference: where only SELECT on the columns of a WHERE is missing MySQL answers 1143 and names the column; we answer 1142.

use super::Rig;

const MATRIX: &str = include_str!("privileges.txt");
/// Statements over two tables; the grants name the table of each.
const JOINS: &str = include_str!("privileges_joins.txt");

#[test]
fn every_statement_asks_for_what_mysql_asks_for() {
    let mut rig = Rig::new();
    let mut root = rig.session();
    let mut lines = MATRIX.lines();
    let grants: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    let mut different = Vec::new();
    for line in lines {
        let mut cells = line.split('\t');
        let statement = cells.next().unwrap();
        for (grant, wanted) in grants.iter().zip(cells) {
            rig.all(
                &mut root,
                &[
                    "DROP DATABASE IF EXISTS wmx",
                    "DROP DATABASE IF EXISTS wmy",
                    "DROP USER IF EXISTS wmu, wmz",
                    "CREATE DATABASE wmx",
                    "CREATE TABLE wmx.t (a INT PRIMARY KEY, b INT)",
                    "INSERT INTO wmx.t VALUES (1, 1), (2, 2)",
                    "CREATE USER wmu",
                ],
            );
            if *grant != "none" {
                rig.all(&mut root, &[&format!("GRANT {grant} ON wmx.t TO wmu")]);
            }
            let mut user = rig.session_as("wmu");
            let answer = rig.lines(&mut user, statement).error.map_or(0, |error| error.code);
            let wanted: u16 = wanted.parse().unwrap();
            if answer != if wanted == 1143 { 1142 } else { wanted } {
                different.push(format!("{statement} with {grant}: {answer}, MySQL {wanted}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn statements_over_two_tables_ask_for_both() {
    let mut rig = Rig::new();
    let mut root = rig.session();
    let mut lines = JOINS.lines();
    let grants: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    let mut different = Vec::new();
    for line in lines {
        let mut cells = line.split('\t');
        let statement = cells.next().unwrap();
        for (grant, wanted) in grants.iter().zip(cells) {
            rig.all(
                &mut root,
                &[
                    "DROP DATABASE IF EXISTS wmx",
                    "DROP USER IF EXISTS wmu",
                    "CREATE DATABASE wmx",
                    "CREATE TABLE wmx.t (a INT PRIMARY KEY, b INT)",
                    "CREATE TABLE wmx.v (a INT PRIMARY KEY, b INT)",
                    "INSERT INTO wmx.t VALUES (1, 1), (2, 2)",
                    "INSERT INTO wmx.v VALUES (1, 1), (2, 2)",
                    "CREATE USER wmu",
                ],
            );
            for one in grant.split("; ").filter(|one| *one != "none") {
                let (privilege, table) = one.split_once(' ').unwrap();
                rig.all(&mut root, &[&format!("GRANT {privilege} ON wmx.{table} TO wmu")]);
            }
            let mut user = rig.session_as("wmu");
            let answer = rig.lines(&mut user, statement).error.map_or(0, |error| error.code);
            let wanted: u16 = wanted.parse().unwrap();
            if answer != if wanted == 1143 { 1142 } else { wanted } {
                different.push(format!("{statement} with {grant}: {answer}, MySQL {wanted}"));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn roles_count_when_they_are_active() {
    let mut rig = Rig::new();
    let mut root = rig.session();
    rig.all(
        &mut root,
        &[
            "CREATE TABLE d.t (a INT PRIMARY KEY)",
            "CREATE ROLE reader, writer",
            "GRANT SELECT ON d.* TO reader",
            "GRANT INSERT ON d.t TO writer",
            "GRANT reader TO writer",
            "CREATE USER u",
            "GRANT writer TO u",
        ],
    );
    let mut user = rig.session_as("u");
    let denied = "ERROR 1142 (42000): SELECT command denied to user 'u'@'localhost' for table 't'";
    assert_eq!(rig.run(&mut user, "SELECT * FROM d.t"), [denied]);
    assert_eq!(rig.one(&mut user, "SELECT CURRENT_ROLE()"), "NONE");
    rig.all(&mut user, &["SET ROLE writer", "INSERT INTO d.t VALUES (1)"]);
    assert_eq!(rig.one(&mut user, "SELECT CURRENT_ROLE()"), "`writer`@`%`");
    assert_eq!(rig.run(&mut user, "SELECT * FROM d.t"), ["1"], "through a role of its role");
    rig.all(&mut user, &["SET ROLE NONE"]);
    assert_eq!(rig.run(&mut user, "SELECT * FROM d.t"), [denied]);
    // Default roles hold from the start; a plan that was allowed is not used once its privilege is gone.
    rig.all(&mut root, &["SET DEFAULT ROLE ALL TO u"]);
    let mut user = rig.session_as("u");
    rig.all(&mut user, &["PREPARE s FROM 'SELECT * FROM d.t'", "EXECUTE s"]);
    rig.all(&mut root, &["REVOKE reader FROM writer"]);
    assert_eq!(rig.run(&mut user, "EXECUTE s"), [denied]);
}

#[test]
fn an_expired_password_has_to_be_changed_first() {
    let mut rig = Rig::new();
    let mut root = rig.session();
    rig.all(&mut root, &["CREATE USER u IDENTIFIED BY 'a' PASSWORD EXPIRE"]);
    let mut user = rig.session_as("u");
    let reset = "ERROR 1820 (HY000): You must reset your password using ALTER USER statement before executing this statement.";
    assert_eq!(rig.run(&mut user, "SELECT 1"), [reset]);
    rig.all(&mut user, &["SET @x = 1", "ALTER USER USER() IDENTIFIED BY 'b'"]);
    assert_eq!(rig.run(&mut user, "SELECT 1"), ["1"]);
    let rows = rig.run(&mut root, "SELECT User, plugin, password_expired FROM mysql.user WHERE User = 'u'");
    assert_eq!(rows, ["u|caching_sha2_password|N"]);
}
