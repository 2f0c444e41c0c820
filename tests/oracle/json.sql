# JSON: the column type, documents, paths, functions, comparison, aggregates.
CREATE TABLE j (id INT PRIMARY KEY, j JSON);
SHOW CREATE TABLE j;
DESCRIBE j;
INSERT INTO j VALUES (1, '{"b":1,"a":[1,2.50,1e3,"x\\u00e9\\n",true,null,{"k":-5}],"aa":"é"}');
SELECT * FROM j;
@loose
SELECT j->'$.a', j->>'$.aa', j->'$.a[1]', j->'$.zz', j->>'$.a[3]' FROM j;
INSERT INTO j VALUES (2, '{bad}');
INSERT INTO j VALUES (2, '');
INSERT INTO j VALUES (2, '[1,]');
INSERT INTO j VALUES (2, '[1 2]');
INSERT INTO j VALUES (2, '{"a" 1}');
INSERT INTO j VALUES (2, '{"a":1,}');
INSERT INTO j VALUES (2, '{"a":1 "b"}');
INSERT INTO j VALUES (2, '"abc');
INSERT INTO j VALUES (2, '"\\x"');
INSERT INTO j VALUES (2, '1 2');
INSERT INTO j VALUES (2, 'tru');
INSERT INTO j VALUES (2, '1.');
INSERT INTO j VALUES (2, '1e');
INSERT INTO j VALUES (2, '01');
INSERT INTO j VALUES (2, '"\\ud800"');
INSERT INTO j VALUES (2, '"\\u12g4"');
INSERT INTO j VALUES (2, 1);
INSERT INTO j VALUES (2, x'41');
INSERT INTO j VALUES (2, '1e400');
INSERT INTO j VALUES (2, NULL), (3, '"s"'), (4, '12'), (5, '1.5'), (6, 'true'), (7, '[]'), (8, '{}'), (9, 'null'), (10, CAST(5 AS JSON)), (12, JSON_QUOTE('x"y')), (13, '18446744073709551615'), (14, '18446744073709551616'), (15, '-9223372036854775809'), (16, '1.0'), (17, '100000000000000000000.5'), (18, '-0'), (19, '1E5'), (20, '{"a": 1, "a": 2}');
@loose
SELECT id, j, JSON_TYPE(j), JSON_VALID(j), JSON_LENGTH(j), JSON_DEPTH(j) FROM j ORDER BY id;
SELECT id FROM j WHERE j = 's';
SELECT id FROM j WHERE j = 12;
SELECT id FROM j WHERE j = 1.5;
SELECT id FROM j WHERE j = TRUE;
SELECT id FROM j WHERE j = '12';
SELECT id FROM j WHERE j = CAST('[]' AS JSON);
SELECT id FROM j WHERE j > 5 AND JSON_TYPE(j) IN ('INTEGER', 'DOUBLE', 'UNSIGNED INTEGER') ORDER BY id;
SELECT id FROM j WHERE JSON_TYPE(j) IN ('INTEGER', 'DOUBLE', 'STRING', 'BOOLEAN', 'NULL') ORDER BY j, id;
UPDATE j SET j = JSON_SET(j, '$.b', 'new') WHERE id = 1;
SELECT j->'$.b' AS b FROM j WHERE id = 1;
@loose
SELECT JSON_EXTRACT('{"a":1}', '$.a', '$.b') AS a, JSON_EXTRACT('[1,[2,3]]', '$[1][0]', '$[0]') AS b, JSON_EXTRACT('[1,2,3]', '$[last]', '$[1 to 2]') AS c, JSON_EXTRACT('{"a":{"b":2},"c":{"b":3}}', '$.*.b') AS d, JSON_EXTRACT('{"a":{"b":2},"c":{"b":3}}', '$**.b') AS e, JSON_EXTRACT('{"a b":1}', '$."a b"') AS f, JSON_EXTRACT('5', '$[0]', '$[last]') AS g, JSON_EXTRACT('[1,2]', '$[last-1]', '$[*]') AS h, JSON_EXTRACT('[]', '$[0]') AS i;
SELECT JSON_EXTRACT('x', '$');
SELECT JSON_EXTRACT('{}', 'a');
SELECT JSON_EXTRACT('{}', '$.');
SELECT JSON_EXTRACT('{}', '$[a]');
SELECT JSON_EXTRACT('{}', '$**');
SELECT JSON_EXTRACT(1, '$');
@loose
SELECT JSON_EXTRACT(NULL, '$'), JSON_EXTRACT('{}', NULL);
@loose
SELECT JSON_SET('{"a":1}', '$.a', 2, '$.b', 'x') AS a, JSON_INSERT('{"a":1}', '$.a', 2, '$.c', JSON_ARRAY(1)) AS b, JSON_REPLACE('{"a":1}', '$.a', TRUE, '$.z', 1) AS c, JSON_REMOVE('[1,2,3]', '$[1]') AS d, JSON_SET('[1]', '$[3]', 2) AS e, JSON_SET('1', '$[1]', 2) AS f, JSON_SET('{}', '$.a.b', 1) AS g, JSON_REMOVE('{"a":1}', '$.b') AS h;
SELECT JSON_REMOVE('[1]', '$');
SELECT JSON_SET('{}', '$.*', 1);
SELECT JSON_SET('{}', '$.a');
@loose
SELECT JSON_CONTAINS('[1,2,{"a":1}]', '1') AS a, JSON_CONTAINS('{"a":1,"b":2}', '{"a":1}') AS b, JSON_CONTAINS('[1,[2]]', '[2]') AS c, JSON_CONTAINS('{"a":[1]}', '1', '$.a') AS d, JSON_CONTAINS('1', '1.0') AS e, JSON_CONTAINS_PATH('{"a":1}', 'one', '$.a', '$.b') AS f, JSON_CONTAINS_PATH('{"a":1}', 'all', '$.a', '$.b') AS g, JSON_CONTAINS('[]', '1') AS h;
@loose
SELECT JSON_KEYS('{"b":1,"a":2}') AS a, JSON_KEYS('[1]') AS b, JSON_KEYS('{"a":{"x":1}}', '$.a') AS c, JSON_SEARCH('["abc",{"x":"abc"}]', 'one', 'abc') AS d, JSON_SEARCH('["abc",{"x":"abc"}]', 'all', 'a%') AS e, JSON_SEARCH('["abc"]', 'all', 'z') AS f, JSON_SEARCH('{"a b":"x"}', 'one', 'x') AS g;
SELECT JSON_SEARCH('[]', 'some', 'x');
@loose
SELECT JSON_MERGE_PATCH('{"a":1,"b":2}', '{"a":null,"c":3}') AS a, JSON_MERGE_PRESERVE('[1]', '{"a":2}') AS b, JSON_MERGE_PRESERVE('{"a":1}', '{"a":2,"b":3}') AS c, JSON_ARRAY_APPEND('[1,[2]]', '$[1]', 3) AS d, JSON_ARRAY_APPEND('{"a":1}', '$.a', 2) AS e, JSON_ARRAY_INSERT('[1,2]', '$[1]', 'x') AS f, JSON_OVERLAPS('[1,2]', '[2,3]') AS g, JSON_OVERLAPS('{"a":1}', '{"a":1,"b":2}') AS h;
SELECT JSON_ARRAY_INSERT('{"a":1}', '$.a', 1);
@loose
SELECT JSON_UNQUOTE('"a\\tb"') AS a, JSON_UNQUOTE('abc') AS b, JSON_QUOTE('a"b\n') AS c, JSON_UNQUOTE(NULL) AS d, JSON_VALID('x') AS e, JSON_VALID(NULL) AS f, JSON_VALID(1) AS g, JSON_PRETTY('{"a":[1,2],"b":{}}') AS h;
@loose
SELECT JSON_OBJECT('k', 1, 'j', NULL, 't', TRUE, 'd', 1.50) AS a, JSON_OBJECT() AS b, JSON_ARRAY() AS c, JSON_ARRAY(1, 'a', NULL, TRUE, 1.5, DATE'2024-01-02', TIME'10:11:12', TIMESTAMP'2024-01-02 03:04:05', 1e10, 1 > 0) AS d, JSON_ARRAY(JSON_OBJECT('a', 1), '{"a":1}') AS e;
SELECT JSON_OBJECT('a');
SELECT JSON_OBJECT(NULL, 1);
SELECT CAST('x' AS JSON);
@loose
SELECT CAST('[1,2]' AS JSON) AS a, CAST(1.5 AS JSON) AS b, CAST(NULL AS JSON) AS c, CAST(JSON_EXTRACT('{"a":5}', '$.a') AS UNSIGNED) + 1 AS d, JSON_EXTRACT('{"a":5}', '$.a') + 1 AS e, JSON_EXTRACT('{"a":"x"}', '$.a') = 'x' AS f, CONCAT(JSON_EXTRACT('{"a":"x"}', '$.a'), '!') AS g, JSON_EXTRACT('[1,2]', '$[0]') < 2 AS h, JSON_EXTRACT('{"a":true}', '$.a') = TRUE AS i, JSON_EXTRACT('{"a":null}', '$.a') IS NULL AS k, CAST(JSON_EXTRACT('{"a":"x"}', '$.a') AS CHAR) AS l, JSON_LENGTH('{"a":[1,2]}', '$.a') AS m;
@loose
SELECT JSON_ARRAYAGG(id) AS a, JSON_OBJECTAGG(id, j) AS b FROM j WHERE id BETWEEN 2 AND 6;
@loose
SELECT JSON_ARRAYAGG(id), JSON_OBJECTAGG(id, j) FROM j WHERE id > 100;
@loose
SELECT JSON_TYPE(j), COUNT(*) FROM j GROUP BY JSON_TYPE(j) ORDER BY 1;
CREATE TABLE jk (j JSON, KEY (j));
CREATE TABLE jd (j JSON DEFAULT '{}');
@loose
SELECT 1 MEMBER OF ('[1, 2]') AS a, '1' MEMBER OF ('[1, 2]') AS b, 'x' MEMBER OF ('"x"') AS c, NULL MEMBER OF ('[1]') AS d, 3 NOT IN (1) AS e, CAST('[2]' AS JSON) MEMBER OF ('[[2]]') AS f;
