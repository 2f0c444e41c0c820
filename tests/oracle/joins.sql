# Statements under @loose: whether keys show in the metadata depends on the temporary tables of MySQL's plan.
CREATE TABLE a (id INT PRIMARY KEY, x INT, n VARCHAR(10));
CREATE TABLE b (id INT PRIMARY KEY, a_id INT, y INT NOT NULL, KEY (a_id));
CREATE TABLE c (id INT PRIMARY KEY, b_id INT, z VARCHAR(5) NOT NULL);
INSERT INTO a VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, 'three'), (4, 40, NULL);
INSERT INTO b VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7), (4, NULL, 8), (5, 9, 9);
INSERT INTO c VALUES (1, 1, 'p'), (2, 3, 'q'), (3, 3, 'r'), (4, 7, 's');
SELECT * FROM a JOIN b ON a.id = b.a_id ORDER BY a.id, b.id;
SELECT a.n, b.y FROM a, b WHERE a.id = b.a_id ORDER BY b.id;
SELECT * FROM a LEFT JOIN b ON a.id = b.a_id ORDER BY a.id, b.id;
SELECT * FROM a RIGHT JOIN b ON a.id = b.a_id ORDER BY b.id;
SELECT a.id, b.id, c.id FROM a LEFT JOIN b ON a.id = b.a_id LEFT JOIN c ON b.id = c.b_id ORDER BY 1, 2, 3;
SELECT a.id, b.id, c.id FROM a LEFT JOIN (b JOIN c ON b.id = c.b_id) ON a.id = b.a_id ORDER BY 1, 2, 3;
SELECT a.id, b.id, c.id FROM a LEFT JOIN b LEFT JOIN c ON b.id = c.b_id ON a.id = b.a_id ORDER BY 1, 2, 3;
SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.a_id AND b.y > 5 ORDER BY 1, 2;
SELECT a.id, b.id FROM a LEFT JOIN b ON a.id = b.a_id WHERE b.y > 5 ORDER BY 1, 2;
SELECT a.id FROM a LEFT JOIN b ON a.id = b.a_id WHERE b.id IS NULL ORDER BY 1;
SELECT COUNT(*) FROM a CROSS JOIN b;
SELECT COUNT(*) FROM a, b, c;
@loose
SELECT * FROM b JOIN c USING (id) ORDER BY id;
@loose
SELECT * FROM b NATURAL JOIN c ORDER BY id;
SELECT id, y, z FROM b LEFT JOIN c USING (id) ORDER BY id;
SELECT * FROM c RIGHT JOIN b USING (id) ORDER BY id;
SELECT a1.id, a2.id FROM a a1 JOIN a a2 ON a1.id < a2.id ORDER BY 1, 2;
SELECT a1.x + a2.x AS s FROM a a1 JOIN a AS a2 ON a1.id + 1 = a2.id ORDER BY a1.id;
@loose
SELECT a.*, c.z FROM a JOIN b ON a.id = b.a_id JOIN c ON c.b_id = b.id ORDER BY c.id;
SELECT n, COUNT(*), SUM(y) FROM a JOIN b ON a.id = b.a_id GROUP BY n ORDER BY n;
@loose
SELECT a.id, COUNT(b.id) AS cnt FROM a LEFT JOIN b ON a.id = b.a_id GROUP BY a.id ORDER BY a.id;
@loose
SELECT a.id, COUNT(b.id) AS cnt FROM a LEFT JOIN b ON a.id = b.a_id GROUP BY a.id HAVING cnt > 0 ORDER BY cnt DESC;
SELECT STRAIGHT_JOIN a.id, b.id FROM b JOIN a ON a.id = b.a_id ORDER BY b.id;
SELECT a.id, b.id FROM b STRAIGHT_JOIN a ON a.id = b.a_id ORDER BY b.id;
SELECT DISTINCT a.id FROM a JOIN b ON a.id >= b.a_id ORDER BY a.id LIMIT 2 OFFSET 1;
SELECT id FROM a JOIN b ON a.id = b.a_id;
SELECT a.nope FROM a JOIN b ON a.id = b.a_id;
SELECT 1 FROM a JOIN a;
SELECT 1 FROM a JOIN b ON a.id = c.id;
SELECT * FROM a JOIN b USING (nope);
SELECT * FROM a JOIN b USING (id) WHERE id = 1;
SELECT x.* FROM a JOIN b ON 1;
SELECT a.id FROM a LEFT JOIN b;
SELECT * FROM a JOIN nope ON 1;
SELECT t1.id FROM a t1, b t2, c t3 WHERE t1.id = t2.a_id AND t3.b_id = t2.id AND t3.z IN ('p', 'q') ORDER BY t1.id;
SELECT a.id, b.id FROM a LEFT JOIN b ON FALSE ORDER BY 1;
SELECT a.id, b.id FROM a JOIN b ON a.id = b.a_id ORDER BY b.y DESC LIMIT 1;
SELECT MAX(a.x), MIN(b.y), COUNT(DISTINCT a.id) FROM a JOIN b ON a.id = b.a_id;
SELECT IFNULL(b.y, 0) + a.id AS v FROM a LEFT JOIN b ON a.id = b.a_id ORDER BY v, a.id;
UPDATE a JOIN b ON a.id = b.a_id SET a.x = a.x + 1, b.y = 100 WHERE a.id = 1;
SELECT * FROM a ORDER BY id;
SELECT * FROM b ORDER BY id;
DELETE b FROM a JOIN b ON a.id = b.a_id WHERE a.id = 2;
DELETE FROM b, c USING b JOIN c ON b.id = c.b_id;
SELECT * FROM b ORDER BY id;
SELECT * FROM c ORDER BY id;
DELETE z FROM a;
UPDATE a, b SET a.x = 1 WHERE a.id = b.id LIMIT 1;
