# BIT, ENUM and SET: storage, comparison, order, metadata, what is refused.
CREATE TABLE c (id INT PRIMARY KEY, b BIT(10), b1 BIT, e ENUM('small', 'Medium', 'LARGE') NOT NULL DEFAULT 'small', s SET('a', 'b', 'c'), KEY (e), KEY (s), KEY (b));
SHOW CREATE TABLE c;
DESCRIBE c;
INSERT INTO c VALUES (1, 5, 1, 'medium', 'a,c'), (2, b'1111111111', b'0', 'LARGE', ''), (3, NULL, NULL, 1, NULL), (4, 'A', 1, '2', 'c,a,a'), (5, 0, 0, 3, 7);
INSERT INTO c (id) VALUES (6);
SELECT * FROM c ORDER BY id;
SELECT id, b + 0, e + 0, s + 0, HEX(b), CONCAT(e, '/', s), LENGTH(b), CHAR_LENGTH(e), b1 = 1 FROM c ORDER BY id;
SELECT id FROM c WHERE e = 'large' ORDER BY id;
SELECT id FROM c WHERE e = 2 ORDER BY id;
SELECT id FROM c WHERE e > 'b' ORDER BY id;
SELECT id FROM c WHERE e IN ('small', 'LARGE') ORDER BY id;
SELECT id FROM c WHERE s = 'a,c' ORDER BY id;
SELECT id FROM c WHERE s = 5 ORDER BY id;
SELECT id FROM c WHERE FIND_IN_SET('c', s) ORDER BY id;
SELECT id FROM c WHERE s & 4 ORDER BY id;
SELECT id FROM c WHERE b = 5 OR b = b'1111111111' ORDER BY id;
SELECT id FROM c WHERE b > 60 ORDER BY id;
SELECT e, id FROM c ORDER BY e DESC, id;
SELECT s, id FROM c ORDER BY s, id;
@loose
SELECT e, COUNT(*) FROM c GROUP BY e ORDER BY e;
@loose
SELECT DISTINCT s FROM c ORDER BY s;
@loose
SELECT MIN(b + 0), MAX(b + 0), SUM(b), BIT_OR(b) FROM c;
@loose
SELECT e LIKE 'm%', UPPER(e), e COLLATE utf8mb4_bin = 'medium', IF(id > 1, e, 'x') FROM c WHERE id = 1;
# What is refused, and bent outside of strict mode.
INSERT INTO c (id, e) VALUES (10, 'tiny');
INSERT INTO c (id, e) VALUES (10, '');
INSERT INTO c (id, e) VALUES (10, 4);
INSERT INTO c (id, e) VALUES (10, 0);
INSERT INTO c (id, s) VALUES (10, 'a,z');
INSERT INTO c (id, s) VALUES (10, 8);
INSERT INTO c (id, b) VALUES (10, 1024);
INSERT INTO c (id, b) VALUES (10, 'abc');
INSERT INTO c (id, b1) VALUES (10, 2);
INSERT INTO c (id, e) VALUES (10, NULL);
SET sql_mode = '';
INSERT INTO c (id, e, s, b) VALUES (11, 'tiny', 'a,z', 1024), (12, 4, 15, 'abc'), (13, '', 'x', -1);
SELECT id, e, e + 0, s, s + 0, b + 0 FROM c WHERE id > 10 ORDER BY id;
SELECT id FROM c WHERE e = '' ORDER BY id;
SET sql_mode = DEFAULT;
UPDATE c SET e = 'LARGE', s = CONCAT_WS(',', s, 'b'), b = b + 1 WHERE id = 1;
SELECT e, s, b + 0 FROM c WHERE id = 1;
CREATE TABLE c2 (e ENUM('LARGE', 'x', 'small'), v VARCHAR(10), i INT, b BIT(64), d DECIMAL(10,2));
@prepare SELECT e, s, b, b1 FROM c WHERE id = ?
@execute 1
@execute 3
CREATE TABLE bad (e ENUM('a', 'A'));
CREATE TABLE bad (s SET('a', 'b,c'));
CREATE TABLE bad (b BIT(65));
CREATE TABLE bad (b BIT(0));
CREATE TABLE bad (e ENUM('a', 'b') DEFAULT 'c');
CREATE TABLE bad (e ENUM());
CREATE TABLE ok1 (e ENUM('it''s', 'b ') DEFAULT 'b', s SET('x', 'y') NOT NULL DEFAULT 'y,x', b BIT(3) DEFAULT b'101', f ENUM('q') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin);
SHOW CREATE TABLE ok1;
INSERT INTO ok1 () VALUES ();
SELECT e, s, HEX(b), f FROM ok1;
