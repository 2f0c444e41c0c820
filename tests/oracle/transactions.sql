# Transactions over two connections.
CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL);
INSERT INTO t VALUES (1, 10), (2, 20);
BEGIN;
UPDATE t SET v = 11 WHERE id = 1;
SELECT * FROM t ORDER BY id;
@connection other
SELECT * FROM t ORDER BY id;
SET SESSION innodb_lock_wait_timeout = 1;
UPDATE t SET v = 12 WHERE id = 1;
@connection main
ROLLBACK;
SELECT * FROM t ORDER BY id;
START TRANSACTION;
SELECT * FROM t ORDER BY id;
@connection other
UPDATE t SET v = 99 WHERE id = 2;
@connection main
SELECT * FROM t ORDER BY id;
SELECT * FROM t WHERE id = 2 FOR UPDATE;
COMMIT;
SELECT * FROM t ORDER BY id;
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
SELECT @@transaction_isolation;
BEGIN;
SELECT v FROM t WHERE id = 2;
@connection other
UPDATE t SET v = 100 WHERE id = 2;
@connection main
SELECT v FROM t WHERE id = 2;
COMMIT;
SET autocommit = 0;
INSERT INTO t VALUES (3, 30);
@connection other
SELECT COUNT(*) FROM t;
@connection main
SET autocommit = 1;
@connection other
SELECT COUNT(*) FROM t;
@connection main
BEGIN;
INSERT INTO t VALUES (4, 40);
INSERT INTO t VALUES (5, 50), (4, 41);
SELECT * FROM t ORDER BY id;
COMMIT;
BEGIN;
INSERT INTO t VALUES (6, 60);
CREATE TABLE implicit_commit (id INT);
ROLLBACK;
SELECT * FROM t ORDER BY id;
START TRANSACTION READ ONLY;
INSERT INTO t VALUES (7, 70);
COMMIT;
BEGIN;
SAVEPOINT a;
DELETE FROM t WHERE id = 6;
ROLLBACK TO a;
RELEASE SAVEPOINT a;
ROLLBACK TO a;
COMMIT;
SELECT * FROM t ORDER BY id;
