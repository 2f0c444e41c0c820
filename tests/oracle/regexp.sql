# Regular expressions: ICU's syntax, its errors, match_type, positions, replacements.
SELECT 'abc' REGEXP 'B', 'abc' NOT REGEXP 'z', 'abc' RLIKE '^a.c$', NULL REGEXP 'a', 'a' REGEXP NULL, 123 REGEXP '2';
SELECT 'abc' COLLATE utf8mb4_bin REGEXP 'B', 'ABC' REGEXP 'b' COLLATE utf8mb4_bin, REGEXP_LIKE('abc', 'B', 'c'), REGEXP_LIKE('abc', 'B', 'ci'), REGEXP_LIKE('abc', 'B', 'ic');
CREATE TABLE r (v VARCHAR(20), t TEXT, c CHAR(3));
INSERT INTO r VALUES ('one two', 'three', 'fou'), (NULL, 'x', 'y'), ('Tschüß', 'naïve', 'é');
SELECT REGEXP_LIKE(v, 'O'), REGEXP_INSTR(v, 't'), REGEXP_SUBSTR(v, '[a-z]+'), REGEXP_REPLACE(v, 'o', 'O') FROM r;
SELECT REGEXP_SUBSTR(t, '.$'), REGEXP_REPLACE(t, '[aeiou]', '_'), c REGEXP '^[[:alpha:]]+$' FROM r;
SELECT v FROM r WHERE v REGEXP '^t' ORDER BY v;
SELECT CAST('abc' AS BINARY) REGEXP 'b';
SELECT 'abc' REGEXP CAST('b' AS BINARY);
SELECT 'a' COLLATE utf8mb4_bin REGEXP 'a' COLLATE utf8mb4_0900_ai_ci;
SELECT REGEXP_LIKE('a', 'A', 'z');
SELECT REGEXP_LIKE('a', 'A', ''), REGEXP_LIKE('a', 'A', NULL);
SELECT REGEXP_LIKE('a');
SELECT REGEXP_SUBSTR('abc', 'b', 1, 1, 'c', 'x');
SELECT ROW(1, 2) REGEXP 'a';
# Lines.
@loose
SELECT REGEXP_LIKE('a\nb', '^b$'), REGEXP_LIKE('a\nb', '^b$', 'm'), REGEXP_LIKE('a\nb', 'a.b'), REGEXP_LIKE('a\nb', 'a.b', 'n'), REGEXP_LIKE('a\rb', 'a.b'), REGEXP_LIKE('a\rb', 'a.b', 'u'), REGEXP_LIKE('a\r\nb', 'a.b', 'n');
@loose
SELECT REGEXP_LIKE('a\n', 'a$'), REGEXP_LIKE('a\r\n', 'a$'), REGEXP_LIKE('a\n\n', 'a$'), REGEXP_LIKE('a\r', 'a$', 'u'), REGEXP_LIKE('a\r\nb', 'a$', 'm'), REGEXP_LIKE('a\n', 'a\\Z'), REGEXP_LIKE('a\n', 'a\\z'), REGEXP_LIKE('a\n', '^$', 'm');
# Syntax.
@loose
SELECT 'aab' REGEXP 'a++b', 'aab' REGEXP 'a*+ab', REGEXP_SUBSTR('aaa', 'a{2}'), REGEXP_SUBSTR('aaa', 'a{1,}?'), REGEXP_SUBSTR('aab', 'a{0}b'), REGEXP_SUBSTR('ab', '(?i)A(?-i)b'), REGEXP_SUBSTR('xay', '(?i:A)');
@loose
SELECT REGEXP_SUBSTR('abb', '(a)(b)\\2'), REGEXP_SUBSTR('aa0', '(a)\\10'), REGEXP_SUBSTR('aa', '(?<n>a)\\k<n>'), REGEXP_SUBSTR('foobar', '(?<=foo)bar'), REGEXP_SUBSTR('foobar', '(?<!foo)bar'), REGEXP_SUBSTR('abcd', '(?=c)..'), REGEXP_SUBSTR('foobar', 'foo(?!baz)'), REGEXP_SUBSTR('aaab', '(?>a+)b');
@loose
SELECT ']' REGEXP '[]a]', 'a' REGEXP '[^]a]', '-' REGEXP '[a-]', 'b' REGEXP '[a-c--[b]]', 'b' REGEXP '[a-c&&[b]]', 'b' REGEXP '[a[bc]]', '&' REGEXP '[&~]', '~' REGEXP '^[&~]$', 'ab' REGEXP ']';
@loose
SELECT 'é' REGEXP '^[[:alpha:]]$', '1' REGEXP '[[:^digit:]]', '!' REGEXP '[[:punct:]]', '$' REGEXP '[[:punct:]]', 'f' REGEXP '^[[:xdigit:]]$', ' ' REGEXP '[[:space:]]', 'a_1' REGEXP '^\\w+$', 'É' REGEXP '\\p{Lu}' COLLATE utf8mb4_bin, 'x' REGEXP '\\P{L}', '\t' REGEXP '\\h', '\n' REGEXP '\\v', '\r\n' REGEXP '^\\R$';
@loose
SELECT 'A' REGEXP '\\x41', 'A' REGEXP '\\x{41}', 'A' REGEXP '\\u0041', 'A' REGEXP '\\0101', 'q' REGEXP '\\q', 'a.b' REGEXP '\\Qa.b\\E', 'acb' REGEXP '\\Qa.b\\E', REGEXP_SUBSTR('abbb', '\\Qab\\E+'), 'ab' REGEXP '(?#c)ab', 'ab' REGEXP '(?x)a b # c', '.' REGEXP '\\.', 'a b' REGEXP 'a\\sb', 'ab c' REGEXP '\\bc';
@loose
SELECT 'É' REGEXP 'é', 'e' REGEXP 'é', 'σ' REGEXP 'Σ', 'k' REGEXP 'K', '😀' REGEXP '^.$' AS a, REGEXP_INSTR('a😀b', 'b') AS b, REGEXP_SUBSTR('a😀b', '.', 2) AS c, REGEXP_REPLACE('a😀b', '😀', 'x') AS d;
# Positions.
@loose
SELECT REGEXP_INSTR('dog cat dog', 'dog'), REGEXP_INSTR('dog cat dog', 'dog', 2), REGEXP_INSTR('dog cat dog', 'dog', 1, 2), REGEXP_INSTR('dog cat dog', 'dog', 1, 2, 1), REGEXP_INSTR('dog', 'dog', 1, 0), REGEXP_INSTR('dog', 'x'), REGEXP_INSTR('', 'a', 2), REGEXP_INSTR('dog', 'g$', 2), REGEXP_INSTR('aab', '^a', 2);
@loose
SELECT REGEXP_SUBSTR('abc def ghi', '[a-z]+', 1, 3), REGEXP_SUBSTR('abc', 'z'), REGEXP_SUBSTR('abc', 'b', 4), REGEXP_SUBSTR('abc', 'B', 1, 1, 'c'), REGEXP_SUBSTR('', '^$');
SELECT REGEXP_INSTR('dog', 'dog', 0);
SELECT REGEXP_INSTR('dog', 'dog', 4);
SELECT REGEXP_INSTR('dog', 'dog', -1);
SELECT REGEXP_INSTR('dog', 'dog', 1, 1, 2);
SELECT REGEXP_SUBSTR('abc', 'b', 5);
SELECT REGEXP_SUBSTR('abc', 'b', 0);
SELECT REGEXP_REPLACE('abc', 'b', 'x', 5);
SELECT REGEXP_REPLACE('abc', 'b', 'x', 0);
# Replacements.
@loose
SELECT REGEXP_REPLACE('abc def ghi', '[a-z]+', 'X', 1, 3), REGEXP_REPLACE('abc def', '([a-z])([a-z]+)', '$2$1'), REGEXP_REPLACE('abc', 'b', '\\$'), REGEXP_REPLACE('abc', 'b', '\\\\'), REGEXP_REPLACE('abc', 'b', '\\d'), REGEXP_REPLACE('abc', '(?<nm>b)', '[${nm}]'), REGEXP_REPLACE('aaa', '(a)', '$11'), REGEXP_REPLACE('aaa', 'a', '$0$0');
@loose
SELECT REGEXP_REPLACE('abcabc', 'b', 'x', 3, 1), REGEXP_REPLACE('abcabc', 'b', 'x', 1, -1), REGEXP_REPLACE('abc', 'b', 'x', 4), REGEXP_REPLACE('abc', 'z', '$9'), REGEXP_REPLACE('abc', 'b', 'x\\'), REGEXP_REPLACE('abc', 'x*', '-'), REGEXP_REPLACE('', 'a', '-'), REGEXP_REPLACE('abc', 'b', NULL), REGEXP_REPLACE('abc', 'B', 'x', 1, 0, 'c');
SELECT REGEXP_REPLACE('abc', 'b', '$1');
SELECT REGEXP_REPLACE('abc', 'b', '$');
SELECT REGEXP_REPLACE('abc', 'b', '${zz}');
SELECT REGEXP_REPLACE('abc', 'b', 'x', 1, 1, 'q');
# What is refused.
SELECT 'a' REGEXP '';
SELECT 'a' REGEXP '[';
SELECT 'a' REGEXP '[]';
SELECT 'a' REGEXP '[[:alpha:]';
SELECT 'a' REGEXP '[[:foo:]]';
SELECT 'a' REGEXP '[b-a]';
SELECT 'a' REGEXP '[a-\\d]';
SELECT 'a' REGEXP '(';
SELECT 'a' REGEXP ')';
SELECT 'a' REGEXP '(?';
SELECT 'a' REGEXP '(?z)';
SELECT 'a' REGEXP '(?i';
SELECT 'a' REGEXP '(?P<n>a)';
SELECT 'a' REGEXP '(?<1a>b)';
SELECT 'a' REGEXP '(?<a>b)(?<a>b)';
SELECT 'a' REGEXP '\\k<zz>';
SELECT 'a' REGEXP '*a';
SELECT 'a' REGEXP 'a**';
SELECT 'a' REGEXP 'a|*';
SELECT 'a' REGEXP '}';
SELECT 'a' REGEXP 'a{';
SELECT 'a' REGEXP 'a{1';
SELECT 'a' REGEXP 'a{x}';
SELECT 'a' REGEXP 'a{2,1}';
SELECT 'a' REGEXP '\\1';
SELECT 'a' REGEXP '(a)\\2';
SELECT 'a' REGEXP 'a\\';
SELECT 'a' REGEXP '\\x{110000}';
SELECT 'a' REGEXP '\\u12';
SELECT 'a' REGEXP '\\pL';
SELECT 'a' REGEXP '\\p{Foo}';
SELECT 'b' REGEXP '(?<=a*)b';
