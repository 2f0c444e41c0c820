//! DDL and SHOW.

use super::Rig;

#[test]
fn create_show_drop() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &["CREATE TABLE sbtest1(id INTEGER NOT NULL AUTO_INCREMENT, k INTEGER DEFAULT '0' NOT NULL, c CHAR(120) DEFAULT '' NOT NULL, pad CHAR(60) DEFAULT '' NOT NULL, PRIMARY KEY (id)) /*! ENGINE = innodb */",
        "CREATE INDEX k_1 ON sbtest1(k)"],
    );
    let shown = rig.one(&mut s, "SHOW CREATE TABLE sbtest1");
    assert_eq!(
        shown,
        "sbtest1|CREATE TABLE `sbtest1` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `k` int NOT NULL DEFAULT '0',\n  `c` char(120) NOT NULL DEFAULT '',\n  `pad` char(60) NOT NULL DEFAULT '',\n  PRIMARY KEY (`id`),\n  KEY `k_1` (`k`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci"
    );
    assert_eq!(rig.run(&mut s, "SHOW TABLES"), ["sbtest1"]);
    assert_eq!(
        rig.run(&mut s, "DESC sbtest1"),
        ["id|int|NO|PRI|NULL|auto_increment", "k|int|NO|MUL|0|", "c|char(120)|NO|||", "pad|char(60)|NO|||"]
    );
    assert_eq!(
        rig.run(&mut s, "CREATE TABLE sbtest1(a INT)"),
        ["ERROR 1050 (42S01): Table 'sbtest1' already exists"]
    );
    assert_eq!(rig.run(&mut s, "DROP TABLE sbtest1, nix"), ["ERROR 1051 (42S02): Unknown table 'd.nix'"]);
    assert_eq!(rig.run(&mut s, "DROP TABLE IF EXISTS sbtest1, nix"), ["OK 0"]);
    assert_eq!(rig.run(&mut s, "SHOW WARNINGS"), ["Note|1051|Unknown table 'd.nix'"]);
    assert_eq!(rig.run(&mut s, "DROP DATABASE d"), ["OK 0"]);
    assert_eq!(rig.run(&mut s, "SELECT DATABASE()"), ["NULL"]);
    assert_eq!(rig.run(&mut s, "SHOW TABLES"), ["ERROR 1046 (3D000): No database selected"]);
    assert_eq!(rig.run(&mut s, "USE d"), ["ERROR 1049 (42000): Unknown database 'd'"]);
}

#[test]
fn refusals_are_mysqls() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    for (statement, code) in [
        ("CREATE TABLE t(a INT, A INT)", 1060),
        ("CREATE TABLE t(a INT, KEY(b))", 1072),
        ("CREATE TABLE t(a TEXT, KEY(a))", 1170),
        ("CREATE TABLE t(a INT AUTO_INCREMENT)", 1075),
        ("CREATE TABLE t(a INT DEFAULT 'x')", 1067),
        ("CREATE TABLE t(a TEXT DEFAULT 'x')", 1101),
        ("CREATE TABLE t(a INT PRIMARY KEY, b INT, PRIMARY KEY(b))", 1068),
        ("CREATE TABLE t(a VARCHAR(16384))", 1074),
        ("CREATE TABLE t(a VARCHAR(10) CHARACTER SET koi8r)", 1115),
        ("CREATE TABLE t(a VARCHAR(10) COLLATE utf8mb4_no_such_ci)", 1273),
        ("CREATE TABLE t(a INT, FOREIGN KEY (a) REFERENCES nowhere(a))", 1824),
        ("CREATE TABLE t(a GEOMETRY)", 1235),
        ("CREATE TABLE t(a JSON, KEY(a))", 3152),
        ("CREATE TABLE t(a INT) ENGINE=MyISAM", 1235),
        ("CREATE TABLE nix.t(a INT)", 1049),
        ("ALTER TABLE nix ADD INDEX (a)", 1146),
        ("SELECT 1 INTO OUTFILE 'x'", 1290),
        ("SELECT (SELECT SUM(1) FROM (SELECT 1) y WHERE x.a = SUM(x.a)) FROM (SELECT 1 AS a) x", 1235),
        ("SET nix = 1", 1193),
        ("SET port = 1", 1238),
        ("SET NAMES koi8r", 1115),
    ] {
        let answer = rig.one(&mut s, statement);
        assert!(answer.starts_with(&format!("ERROR {code} ")), "{statement}: {answer}");
    }
}

#[test]
fn information_schema_tells_of_tables() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &["CREATE TABLE t(a INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(20) NOT NULL DEFAULT 'x', c DECIMAL(8,3), UNIQUE KEY bb (b), KEY cb (c DESC, b(4)))"],
    );
    let columns = "SELECT column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, column_type, column_key, extra FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 't' ORDER BY ordinal_position";
    assert_eq!(
        rig.run(&mut s, columns),
        [
            "a|1|NULL|NO|int|NULL|10|0|int|PRI|auto_increment",
            "b|2|x|NO|varchar|20|NULL|NULL|varchar(20)|UNI|",
            "c|3|NULL|YES|decimal|NULL|8|3|decimal(8,3)|MUL|"
        ]
    );
    assert_eq!(rig.lines(&mut s, columns).columns[0].name.as_ref(), "COLUMN_NAME");
    let keys = "SELECT s.index_name, s.column_name, s.seq_in_index, s.collation, s.sub_part, c.constraint_type FROM INFORMATION_SCHEMA.STATISTICS s LEFT JOIN information_schema.table_constraints c ON c.table_schema = s.table_schema AND c.table_name = s.table_name AND c.constraint_name = s.index_name WHERE s.table_schema = 'd' ORDER BY 1, 3";
    assert_eq!(
        rig.run(&mut s, keys),
        ["bb|b|1|A|NULL|UNIQUE", "cb|c|1|D|NULL|NULL", "cb|b|2|A|4|NULL", "PRIMARY|a|1|A|NULL|PRIMARY KEY"]
    );
    assert_eq!(
        rig.one(&mut s, "SELECT table_type, engine FROM information_schema.tables WHERE table_name = 't'"),
        "BASE TABLE|InnoDB"
    );
    assert_eq!(
        rig.one(&mut s, "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'd%'"),
        "d"
    );
    assert_eq!(rig.one(&mut s, "SELECT COUNT(*) FROM information_schema.referential_constraints"), "0");
}

#[test]
fn a_table_of_a_query() {
    let mut rig = Rig::new();
    let mut s = rig.session();
    rig.all(
        &mut s,
        &[
            "CREATE TABLE t(a INT AUTO_INCREMENT PRIMARY KEY, b VARCHAR(20) NOT NULL DEFAULT 'x')",
            "INSERT INTO t(b) VALUES ('p'), ('q')",
        ],
    );
    assert_eq!(
        rig.one(&mut s, "CREATE TABLE u AS SELECT a, b, a + 1 AS n, NULL AS z, 'w' AS w FROM t WHERE a > 0"),
        "OK 2"
    );
    assert_eq!(rig.one(&mut s, "SELECT * FROM u ORDER BY a"), "1|p|2|NULL|w\n2|q|3|NULL|w");
    assert_eq!(
        rig.run(&mut s, "DESCRIBE u"),
        [
            "a|int|NO||0|",
            "b|varchar(20)|NO||x|",
            "n|bigint|NO||0|",
            "z|varbinary(0)|YES||NULL|",
            "w|varchar(1)|NO|||"
        ]
    );
    assert!(rig.one(&mut s, "CREATE TABLE u SELECT 1").starts_with("ERROR 1050"));
    assert_eq!(rig.one(&mut s, "CREATE TABLE IF NOT EXISTS u SELECT 1"), "OK 0");
    assert!(rig.one(&mut s, "CREATE TABLE v SELECT (SELECT a FROM t) AS x").starts_with("ERROR 1242"));
    assert!(rig.one(&mut s, "SELECT * FROM v").starts_with("ERROR 1146"));
    assert!(rig.one(&mut s, "CREATE TABLE v SELECT a, a FROM t").starts_with("ERROR 1060"));
}
