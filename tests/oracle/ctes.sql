# Statements under @loose: whether keys show in the metadata depends on the temporary tables of MySQL's plan.
CREATE TABLE emp (id INT PRIMARY KEY, boss INT, name VARCHAR(10));
INSERT INTO emp VALUES (1, NULL, 'ann'), (2, 1, 'bob'), (3, 1, 'cid'), (4, 2, 'dan'), (5, 4, 'eve');
WITH x AS (SELECT 1 AS a) SELECT * FROM x;
WITH x (p, q) AS (SELECT id, name FROM emp WHERE id < 3) SELECT q, p FROM x ORDER BY p;
WITH x AS (SELECT id FROM emp), y AS (SELECT id + 1 AS id FROM x) SELECT COUNT(*) FROM x JOIN y ON x.id = y.id;
WITH x AS (SELECT boss, COUNT(*) AS c FROM emp GROUP BY boss) SELECT a.c, b.c FROM x a JOIN x b ON a.boss = b.boss ORDER BY a.boss;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n;
WITH RECURSIVE n AS (SELECT 1 AS i, 1 AS f UNION ALL SELECT i + 1, f * (i + 1) FROM n WHERE i < 6) SELECT * FROM n ORDER BY i;
WITH RECURSIVE tree AS (SELECT id, name, 0 AS lvl FROM emp WHERE boss IS NULL UNION ALL SELECT e.id, e.name, t.lvl + 1 FROM tree t JOIN emp e ON e.boss = t.id) SELECT * FROM tree ORDER BY lvl, id;
WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT (i * 2) % 7 FROM n) SELECT * FROM n ORDER BY i;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n;
WITH RECURSIVE n (i) AS (SELECT i + 1 FROM n) SELECT * FROM n;
WITH x AS (SELECT 1), x AS (SELECT 2) SELECT * FROM x;
WITH x (a, b) AS (SELECT 1) SELECT * FROM x;
WITH x AS (SELECT * FROM nope) SELECT 1;
@loose
SELECT * FROM (WITH x AS (SELECT 3 AS a) SELECT a FROM x) d;
SELECT id FROM emp WHERE id IN (WITH x AS (SELECT boss FROM emp) SELECT boss FROM x WHERE boss IS NOT NULL) ORDER BY id;
WITH emp AS (SELECT 42 AS id) SELECT * FROM emp;
WITH RECURSIVE s (a) AS (SELECT 'a' UNION ALL SELECT CONCAT(a, 'b') FROM s WHERE LENGTH(a) < 3) SELECT * FROM s;
INSERT INTO emp WITH x AS (SELECT 6 AS id, 5 AS boss, 'fay' AS name) SELECT * FROM x;
SELECT COUNT(*) FROM emp;
