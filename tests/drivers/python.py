"""Python's drivers against a server: python.py HOST PORT MODULE, of pymysql, MySQLdb, mysql.connector.

A line for each thing that does not hold, and a last line with the count. Exit code 3: the module is not installed.
DRIVERS_SABOTAGE in the environment changes a row behind the driver's back, which the round trip has to notice.
"""

import datetime
import decimal
import importlib
import os
import sys
import threading
import time

HOST, PORT, NAME = sys.argv[1], int(sys.argv[2]), sys.argv[3]
try:
    driver = importlib.import_module(NAME)
except ImportError as error:
    print(f"{NAME}: {error}")
    sys.exit(3)

D = decimal.Decimal
date, time_of, moment = datetime.date, datetime.timedelta, datetime.datetime
# Type, value sent, value that must come back.
TYPES = [
    ("TINYINT", -128, None), ("TINYINT UNSIGNED", 255, None), ("SMALLINT", -32768, None), ("MEDIUMINT", 8388607, None),
    ("INT", -2147483648, None), ("INT UNSIGNED", 4294967295, None), ("BIGINT", -9223372036854775808, None),
    ("BIGINT UNSIGNED", 18446744073709551615, None), ("BOOLEAN", 1, None), ("FLOAT", 1.5, None), ("DOUBLE", 3.141592653589793, None),
    ("DECIMAL(65,30)", D("12345678901234567890123456789012345.123456789012345678901234567890"), None),
    ("DECIMAL(10,2)", D("-12345678.90"), None), ("DATE", date(2024, 2, 29), None), ("TIME", time_of(hours=100, minutes=59, seconds=59), None),
    ("TIME(6)", time_of(hours=1, minutes=2, seconds=3, microseconds=456789), None), ("DATETIME", moment(2024, 2, 29, 12, 34, 56), None),
    ("DATETIME(6)", moment(1999, 12, 31, 23, 59, 59, 999999), None), ("TIMESTAMP NULL", moment(2024, 2, 29, 12, 34, 56), None),
    ("YEAR", 2024, None), ("CHAR(10)", "chars", None), ("VARCHAR(100)", "grüße \U0001f600 '\"\\\0\n%", None),
    ("VARCHAR(20) CHARACTER SET latin1", "äöü", None), ("TEXT", "t" * 200, None), ("BINARY(4)", b"\x00\xff'\\", None),
    ("VARBINARY(100)", bytes(range(256))[:100], None), ("BLOB", bytes(range(240)), None), ("ENUM('a','b')", "b", None),
    ("SET('x','y','z')", "x,z", None), ("JSON", '{"a": [1, 2.5, "x", null]}', None), ("BIT(12)", 0xABC, b"\x0a\xbc"), ("INT", None, None),
]
# MySQLdb drops the fraction of a TIME; mysql.connector cannot read a YEAR of a prepared statement.
LEFT_OUT = {"MySQLdb": "TIME(6)", "mysql.connector": "YEAR"}
TYPES = [entry for entry in TYPES if entry[0] != LEFT_OUT.get(NAME)]
TYPES = [(t if t != "TEXT" else "MEDIUMTEXT", v, v if w is None else w) for t, v, w in TYPES]
bad, checks = [], 0


def check(name, holds, why=""):
    global checks
    checks += 1
    if not holds:
        bad.append(name)
        print(f"{NAME}: {name}: {why}")


def connect(tls=False, database="drivers", **more):
    options = {"host": HOST, "port": PORT, "user": "root", "charset": "utf8mb4"}
    if database:
        options["database"] = database
    if NAME == "pymysql":
        options.update({"ssl": {"check_hostname": False, "verify_mode": "none"}} if tls else {"ssl_disabled": True})
    elif NAME == "MySQLdb":
        options.update({"ssl": {"cipher": ""}} if tls else {})
    else:
        options["ssl_disabled"] = not tls
    options.update(more)
    return driver.connect(**options)


def same(found, wanted):
    if isinstance(found, set):
        found = ",".join(sorted(found))
    if isinstance(found, (bytes, bytearray)) and isinstance(wanted, str):
        found = found.decode()
    if isinstance(found, int) and isinstance(wanted, bytes):
        found = found.to_bytes(len(wanted), "big")
    if isinstance(found, bytearray):
        found = bytes(found)
    return found == wanted


def round_trip(db, how, **cursor):
    sql = db.cursor(**cursor)
    sql.execute("DROP TABLE IF EXISTS round_trip")
    columns = ", ".join(f"c{i} {t}" for i, (t, _, _) in enumerate(TYPES))
    sql.execute(f"CREATE TABLE round_trip (id INT AUTO_INCREMENT PRIMARY KEY, {columns})")
    names, marks = ", ".join(f"c{i}" for i in range(len(TYPES))), ", ".join(["%s"] * len(TYPES))
    sql.execute(f"INSERT INTO round_trip ({names}) VALUES ({marks})", [v for _, v, _ in TYPES])
    check(f"{how}: last id", sql.lastrowid == 1, sql.lastrowid)
    check(f"{how}: row count", sql.rowcount == 1, sql.rowcount)
    db.commit()
    if os.environ.get("DRIVERS_SABOTAGE"):
        other = connect()
        other.cursor().execute("UPDATE round_trip SET c4 = 7")
        other.commit()
    sql.execute(f"SELECT {names} FROM round_trip WHERE id = %s", (1,))
    row = sql.fetchone()
    for (kind, _, wanted), found in zip(TYPES, row):
        check(f"{how}: {kind}", same(found, wanted), f"{found!r}, not {wanted!r}")
    sql.fetchall()
    sql.executemany("INSERT INTO round_trip (c4, c21) VALUES (%s, %s)", [(i, str(i)) for i in range(100)])
    db.commit()
    sql.execute("SELECT COUNT(*), SUM(c4) FROM round_trip WHERE id > 1")
    check(f"{how}: many", tuple(map(int, sql.fetchone())) == (100, 4950))
    if cursor:
        sql.close()
        return
    sql.execute("SELECT REPEAT('t', 700000), REPEAT(x'00ff', 100000)")
    text, bytes_ = sql.fetchone()
    check(f"{how}: long", same(text, "t" * 700000) and same(bytes_, b"\x00\xff" * 100000))
    sql.close()


def error_of(db, statement):
    try:
        sql = db.cursor()
        sql.execute(statement)
        sql.fetchall()
        return None
    except Exception as error:  # each driver has its own classes
        code = getattr(error, "errno", None) or error.args[0]
        return code


def errors(db, how):
    for code, statement in [(1064, "SELEC 1"), (1146, "SELECT * FROM nowhere"), (1062, "INSERT INTO round_trip (id) VALUES (1)"),
                            (1264, "INSERT INTO round_trip (c0) VALUES (1000)")]:
        found = error_of(db, statement)
        check(f"{how}: error {code}", found == code, found)
    db.rollback()
    sql = db.cursor()
    sql.execute("SELECT 1")
    check(f"{how}: goes on after errors", tuple(sql.fetchone()) == (1,))


def transactions(db):
    sql = db.cursor()
    sql.execute("UPDATE round_trip SET c4 = 77 WHERE id = 1")
    db.rollback()
    sql.execute("SELECT c4 FROM round_trip WHERE id = 1")
    check("rollback", sql.fetchone()[0] != 77)


def cancel():
    db, killer = connect(), connect()
    sql = db.cursor()
    sql.execute("SELECT CONNECTION_ID()")
    number = sql.fetchone()[0]
    began = time.monotonic()

    def kill():
        time.sleep(0.5)
        killer.cursor().execute(f"KILL QUERY {number}")

    thread = threading.Thread(target=kill)
    thread.start()
    found = error_of(db, "SELECT SUM(a.id * b.id + c.id * d.id + e.id) FROM round_trip a, round_trip b, round_trip c, round_trip d, round_trip e")
    thread.join()
    check("cancel", found == 1317, found)
    check("cancel is prompt", time.monotonic() - began < 5)
    check("goes on after a cancel", error_of(db, "SELECT 1") is None)


def pools():
    if NAME == "mysql.connector":
        from mysql.connector import pooling
        pool = pooling.MySQLConnectionPool(pool_size=3, host=HOST, port=PORT, user="root", database="drivers", ssl_disabled=True)
        for i in range(20):
            db = pool.get_connection()
            sql = db.cursor()
            sql.execute("SELECT @mine")
            check("pool: a session is clean", sql.fetchone()[0] is None)
            sql.execute("SET @mine = 1")
            db.close()
    for i in range(20):
        db = connect()
        sql = db.cursor()
        sql.execute("SELECT DATABASE(), CONNECTION_ID()")
        check("connect and leave", sql.fetchone()[0] == "drivers")
        db.close()


setup = connect(database=None)
setup.cursor().execute("CREATE DATABASE IF NOT EXISTS drivers")
setup.close()
for tls in (False, True):
    how = "TLS" if tls else "plain"
    db = connect(tls)
    sql = db.cursor()
    sql.execute("SHOW STATUS LIKE 'Ssl_cipher'")
    check(f"{how}: cipher", (sql.fetchone()[1] != "") == tls)
    round_trip(db, how)
    if NAME == "mysql.connector":
        round_trip(db, f"{how}, prepared", prepared=True)
    errors(db, how)
    transactions(db)
    db.close()
cancel()
pools()
print(f"{NAME} {getattr(driver, '__version__', '')}: {checks} checks, {len(bad)} do not hold")
sys.exit(1 if bad else 0)
