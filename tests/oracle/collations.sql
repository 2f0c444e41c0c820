# Collations of utf8mb4 other than the default.
CREATE TABLE k (id INT PRIMARY KEY, g VARCHAR(20) COLLATE utf8mb4_general_ci, u VARCHAR(20) COLLATE utf8mb4_unicode_ci, z VARCHAR(20) COLLATE utf8mb4_0900_bin, d VARCHAR(20), UNIQUE KEY (g), KEY (u), KEY (z));
SHOW CREATE TABLE k;
INSERT INTO k VALUES (1, 'a', 'a', 'a', 'a'), (2, 'B', 'B', 'B', 'B'), (3, 'É', 'É', 'É', 'É'), (4, 'ß', 'ß', 'ß', 'ß'), (5, 'z ', 'z ', 'z ', 'z '), (6, '😀', '😀', '😀', '😀'), (7, '', '', '', ''), (8, 'a b', 'a b', 'a b', 'a b'), (9, NULL, NULL, NULL, NULL), (10, 'a\tb', 'a\tb', 'a\tb', 'a\tb'), (11, 'Œ', 'Œ', 'Œ', 'Œ');
INSERT INTO k (id, g) VALUES (20, 'A ');
INSERT INTO k (id, g) VALUES (20, 'e');
SELECT id FROM k WHERE g = 'A';
SELECT id FROM k WHERE g = 's';
SELECT id FROM k WHERE g = 'ss';
SELECT id FROM k WHERE u = 'ss';
SELECT id FROM k WHERE u = 'oe';
SELECT id FROM k WHERE g = 'e' OR u = 'e' ORDER BY id;
SELECT id FROM k WHERE g = 'z' AND u = 'z';
SELECT id FROM k WHERE z = 'z';
SELECT id FROM k WHERE z >= 'a' ORDER BY z;
SELECT id FROM k WHERE g LIKE 'A%' ORDER BY id;
SELECT id FROM k WHERE u LIKE 'É' ORDER BY id;
SELECT id FROM k WHERE z LIKE 'a%' ORDER BY id;
SELECT id, g FROM k ORDER BY g, id;
SELECT id, u FROM k ORDER BY u, id;
SELECT id, z FROM k ORDER BY z DESC, id;
SELECT id FROM k WHERE g > 'a' AND g < 'f' ORDER BY g;
SELECT id FROM k WHERE u BETWEEN 'a' AND 'b' ORDER BY u, id;
SELECT 'a' COLLATE utf8mb4_general_ci = 'A ', 'a' COLLATE utf8mb4_unicode_ci = 'á', 'a' COLLATE utf8mb4_0900_bin = 'a ', 'a' COLLATE utf8mb4_0900_bin = 'a', 'ß' COLLATE utf8mb4_general_ci = 's', 'ß' COLLATE utf8mb4_unicode_ci = 'ss';
SELECT id FROM k WHERE g = u;
SELECT id FROM k WHERE g = d;
SELECT id FROM k WHERE g = u COLLATE utf8mb4_bin ORDER BY id;
SELECT 'a' COLLATE utf8mb4_general_ci = 'a' COLLATE utf8mb4_unicode_ci;
SELECT id FROM k WHERE g LIKE u;
SELECT COLLATION(g), COLLATION(u), COLLATION(z), COLLATION(CONCAT(g, 'x')), COERCIBILITY(g) FROM k WHERE id = 1;
@loose
SELECT HEX(WEIGHT_STRING('aÉ' COLLATE utf8mb4_general_ci)), HEX(WEIGHT_STRING('aÉ' COLLATE utf8mb4_unicode_ci)), UPPER('é' COLLATE utf8mb4_general_ci);
@loose
SELECT COUNT(DISTINCT g), COUNT(DISTINCT u), COUNT(DISTINCT z) FROM k;
@loose
SELECT LOCATE('e' COLLATE utf8mb4_general_ci, 'aÉ'), STRCMP('a', 'A' COLLATE utf8mb4_0900_bin), FIND_IN_SET('É', 'a,e' COLLATE utf8mb4_unicode_ci), 'É' COLLATE utf8mb4_general_ci REGEXP 'é', 'A' COLLATE utf8mb4_0900_bin REGEXP 'a';
CREATE TABLE k2 (v VARCHAR(10)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
SHOW CREATE TABLE k2;
SELECT COLLATION(v) FROM k2;
CREATE TABLE k3 (v VARCHAR(10) COLLATE nosuch);
SET NAMES utf8mb4 COLLATE utf8mb4_general_ci;
@loose
SELECT 'a' = 'A ', COLLATION('a'), @@collation_connection;
