# Prepared statements: parameters as text, binary rows.
CREATE TABLE p (id INT PRIMARY KEY, v VARCHAR(20), d DECIMAL(8,2), n BIGINT, f DOUBLE, g FLOAT, dt DATETIME(3), h TIME, da DATE, u INT UNSIGNED, s SMALLINT, ti TINYINT, y YEAR);
INSERT INTO p VALUES (1, 'one', 1.25, -5, 2.5, 1.5, '2024-01-02 03:04:05.678', '-10:11:12', '2024-01-02', 4000000000, -2, 7, 2024), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
@prepare SELECT * FROM p WHERE id = ?
@execute 1
@execute 2
@execute 3
@execute NULL
@prepare INSERT INTO p (id, v) VALUES (?, ?)
@execute 3|three
@execute 3|again
@execute 4|NULL
@prepare SELECT id, v FROM p WHERE v LIKE ? ORDER BY id LIMIT ?
@execute t%|5
@prepare UPDATE p SET v = CONCAT(?, v) WHERE id = ?
@execute x|3
@prepare DELETE FROM p WHERE id >= ?
@execute 3
@prepare SELECT ? + 1, ?, 'x'
@execute 41|y
@prepare SELECT COUNT(*), SUM(n), AVG(d), MAX(dt) FROM p
@execute
@prepare SELEC ?
@prepare SELECT nope FROM p
@prepare SELECT id FROM p WHERE id = ? AND id = ? AND id = ?
@execute 1|1|1
