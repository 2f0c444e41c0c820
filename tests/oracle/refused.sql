# Errors of names and of privileges of words, whichever server answers.
SELECT * FROM no_such_table;
SELECT * FROM no_such_database.t;
INSERT INTO no_such_table VALUES (1);
UPDATE no_such_table SET a = 1;
DELETE FROM no_such_table;
CREATE TABLE t (a INT) ENGINE=NoSuchEngine;
CREATE TABLE t (a NOSUCHTYPE);
ALTER TABLE no_such_table ADD INDEX (a);
DROP INDEX nope ON no_such_table;
SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci;
SELECT 1 FROM;
INSERT INTO;
CREATE TABLE;
SELECT 'unclosed;
;
