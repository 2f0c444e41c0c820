# GET_LOCK and its kin: results, metadata, names that are none.
SELECT GET_LOCK('oracle.a', 0), GET_LOCK('ORACLE.A', 0), IS_USED_LOCK('oracle.a') = CONNECTION_ID(), IS_FREE_LOCK('oracle.a');
SELECT RELEASE_LOCK('oracle.a'), IS_FREE_LOCK('oracle.a'), RELEASE_LOCK('oracle.a'), IS_FREE_LOCK('oracle.a');
SELECT RELEASE_LOCK('oracle.a'), IS_USED_LOCK('oracle.a');
SELECT GET_LOCK(NULL, 0);
SELECT GET_LOCK('', 0);
SELECT GET_LOCK(REPEAT('x', 65), 0);
SELECT IS_FREE_LOCK(NULL);
SELECT IS_USED_LOCK('');
SELECT RELEASE_LOCK(NULL);
SELECT GET_LOCK('oracle.b', NULL);
SELECT GET_LOCK('oracle.b', 'abc');
SHOW WARNINGS;
SELECT GET_LOCK(1, 1.5), GET_LOCK('oracle.b', -1);
SELECT RELEASE_ALL_LOCKS(), RELEASE_ALL_LOCKS();
SELECT GET_LOCK('a');
SELECT RELEASE_ALL_LOCKS(1);
DO GET_LOCK('oracle.c', 0);
@connection other
SELECT GET_LOCK('oracle.c', 0), IS_FREE_LOCK('oracle.c'), RELEASE_LOCK('oracle.c');
SELECT GET_LOCK('oracle.c', 0.2);
@connection main
DO RELEASE_LOCK('oracle.c');
@connection other
SELECT GET_LOCK('oracle.c', 1);
CREATE TABLE l (id INT PRIMARY KEY);
INSERT INTO l VALUES (1), (2), (3);
SELECT id FROM l WHERE GET_LOCK(CONCAT('oracle.', id), 0) ORDER BY id;
SELECT RELEASE_ALL_LOCKS();
