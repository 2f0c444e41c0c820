# Views: made, read, merged or not, nested, changed, dropped.
CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10), c INT DEFAULT 5);
CREATE TABLE u (k INT PRIMARY KEY, d INT);
INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20), (3, 'z', NULL);
INSERT INTO u VALUES (1, 7), (3, 9);
CREATE VIEW v1 AS SELECT a, b, c + 1 AS d FROM t WHERE c > 5;
SELECT * FROM v1;
SELECT x.a, x.d FROM v1 x WHERE x.d > 11;
SELECT d FROM v1 ORDER BY d DESC LIMIT 1;
SELECT oracle.v1.a FROM oracle.v1;
CREATE VIEW v1 AS SELECT 1;
CREATE OR REPLACE SQL SECURITY INVOKER VIEW v2 (x, y) AS SELECT a, d FROM v1 WHERE a <> 7 ORDER BY d DESC;
SELECT * FROM v2;
SELECT y FROM v2 WHERE x = 1;
SELECT COUNT(*), SUM(y) FROM v2;
CREATE VIEW v3 AS SELECT t.*, u.d AS ud FROM t LEFT JOIN u ON t.a = u.k;
@unordered
SELECT * FROM v3;
@unordered
SELECT a, ud FROM v3 WHERE ud IS NULL OR ud > 8;
CREATE VIEW v4 AS SELECT b, COUNT(*) n, MAX(c) FROM t WHERE a IN (1, 2, 3) GROUP BY b HAVING n > 0;
@unordered
SELECT * FROM v4;
SELECT n FROM v4 WHERE b = 'x';
CREATE VIEW v5 AS SELECT a FROM t UNION ALL SELECT k FROM u ORDER BY 1 LIMIT 4;
@unordered
SELECT * FROM v5;
CREATE ALGORITHM=TEMPTABLE VIEW v6 AS SELECT DISTINCT x.a, y.k FROM (SELECT a FROM t) x JOIN u y ON x.a = y.k;
@unordered
SELECT * FROM v6;
# joins of views, outer joins over them, subqueries
@unordered
SELECT p.a, q.y FROM v1 p JOIN v2 q ON p.a = q.x;
@unordered
SELECT t.a, v1.d FROM t LEFT JOIN v1 USING (a);
@unordered
SELECT t.a, v.a FROM t LEFT JOIN (v3 v JOIN u ON u.k = v.a) ON v.a = t.a;
@unordered
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM v1 WHERE v1.a = t.a AND v1.d > 20);
SELECT (SELECT MAX(d) FROM v1) m;
WITH v1 AS (SELECT 42 AS z) SELECT z FROM v1;
SELECT v1.* FROM v1 JOIN v1;
SELECT * FROM v1 NATURAL JOIN v3;
# errors
CREATE VIEW bad AS SELECT nosuch FROM t;
CREATE VIEW bad AS SELECT @a;
CREATE VIEW bad AS SELECT ?;
CREATE VIEW bad AS SELECT * FROM nosuch;
CREATE VIEW bad (a) AS SELECT 1, 2;
CREATE VIEW bad AS SELECT 1 AS a, 2 AS a;
CREATE VIEW t AS SELECT 1;
CREATE OR REPLACE VIEW t AS SELECT 1;
CREATE OR REPLACE VIEW v1 AS SELECT * FROM v1;
CREATE OR REPLACE VIEW v1 AS SELECT * FROM v2;
CREATE TABLE v1 (a INT);
CREATE TABLE IF NOT EXISTS v1 (a INT);
CREATE VIEW IF NOT EXISTS v1 AS SELECT 1;
ALTER VIEW nosuch AS SELECT 1;
DROP VIEW t;
DROP TABLE v1;
DROP VIEW nosuch;
DROP VIEW IF EXISTS nosuch;
TRUNCATE TABLE v1;
ALTER TABLE v1 ADD COLUMN z INT;
CREATE INDEX i ON v1 (a);
SELECT nosuch FROM v1;
SELECT b, b FROM v1 GROUP BY a;
# SHOW and information_schema
DESCRIBE v1;
SHOW FULL TABLES;
SHOW CREATE VIEW t;
@loose
SELECT table_name, view_definition, check_option, is_updatable, security_type FROM information_schema.views WHERE table_schema = 'oracle' ORDER BY table_name;
@loose
SELECT table_name, table_type, engine, table_comment FROM information_schema.tables WHERE table_schema = 'oracle' ORDER BY table_name;
@loose
SELECT table_name, column_name, ordinal_position, is_nullable, column_type, column_key FROM information_schema.columns WHERE table_schema = 'oracle' AND table_name LIKE 'v%' ORDER BY table_name, ordinal_position;
# what it reads goes away
ALTER TABLE t DROP COLUMN b;
SELECT * FROM v1;
SELECT * FROM v2;
SELECT a FROM v3;
ALTER TABLE t ADD COLUMN b VARCHAR(10) AFTER a;
SELECT a, b FROM v1;
DROP TABLE u;
SELECT * FROM v3;
SELECT COUNT(*) FROM v1;
RENAME TABLE v1 TO v9;
SELECT COUNT(*) FROM v9;
SELECT COUNT(*) FROM v2;
ALTER VIEW v9 AS SELECT 'other' AS o;
SELECT * FROM v9;
DROP VIEW v9, v2, v3, v4, v5, v6;
SHOW TABLES;
