#!/usr/bin/env python3
"""Records MySQL's answers to the conversions of this crate: oracle.py HOST PORT tests/golden

Each golden line is tab-separated: the case, then what MySQL said. Values are written KIND:TEXT (see tests/store.rs):
i integer, u unsigned, n decimal, f double, s text, b hex bytes, D date, T time, P datetime. It creates a schema values_oracle and temporary tables in it;
the server should be one made for this.
"""
import sys

import pymysql
from pymysql.converters import encoders

TYPES = [
    "tinyint", "tinyint unsigned", "smallint", "mediumint unsigned", "int", "int unsigned", "bigint", "bigint unsigned",
    "decimal(5,2)", "decimal(5,2) unsigned", "decimal(65,30)", "decimal(10,0)", "decimal(30,10)", "float", "float unsigned", "double",
    "double(7,2)", "char(5)", "varchar(5)", "varchar(20)", "tinytext", "binary(5)", "varbinary(5)", "tinyblob", "date", "time", "time(3)",
    "datetime", "datetime(3)", "datetime(6)", "timestamp", "timestamp(2)", "year",
]
INPUTS = (
    ["i:" + v for v in "0 1 -1 127 128 -128 -129 255 256 65536 8388608 2147483647 2147483648 -2147483649 9223372036854775807 1999 2155 2156 "
     "69 70 99 100 1900 20240102 240102 123456 1261 8385960 20240102030405 691231 101 20241301".split()]
    + ["u:" + v for v in "9223372036854775808 18446744073709551615".split()]
    + ["n:" + v for v in "0.5 1.5 2.5 -0.5 -1.4 999.994 999.995 -999.995 1000 0.001 123.456 12.5 20240102030405.678 99999999999999999999 "
       "123456.7896 1e0".split() if "e" not in v]
    + ["f:" + v for v in "0.5 1.5 2.5 -0.5 1e10 1e20 -1e40 1e300 123.456 999.995 0.1 3.5 20240102 16777217".split()]
    + ["s:" + v for v in ["", "abc", "12", "12abc", " 12", "12 ", "1.5", "2.5", "-1", "1e3", "1e", "1.5e1x", "999.995", ".5", ".", "-", "+7", "0x10", "99999999999999999999",
                          "1e400", "-1e400", "hello", "hello ", "hello  x", "hello!", "h\u00e9llo", "h\u00e9ll\u00f6\u00f6", "  ", "\u6f22\u5b57\u304b\u306a\u4ea4",
                          "2024-01-02", "2024-1-2", "20240102", "240102", "2024-01-02 03:04:05", "2024-01-02T03:04:05.678",
                          "2024-01-02 03:04:05.9999999", "2024-01-02 03:04:05+02:00", "2024-02-30", "2024-13-01", "2024-00-01", "2024-01-00",
                          "0000-00-00", "0000-00-00 00:00:00", "2024-01-02 25:00:00", "2024-01-02x", "2024-01-02 03:04x", "1969-12-31 23:59:59",
                          "1970-01-01 00:00:00", "1970-01-01 00:00:01", "2038-01-19 03:14:07", "2038-01-19 03:14:08", "9999-12-31 23:59:59.9999999",
                          "12:34:56", "12:34:56.789", "-12:34:56.789", "838:59:59", "838:59:59.5", "839:00:00", "-900:00:00", "1 12:00:00", "12:60:00", "123456", "1234",
                          "12:34:56abc", "1999", "99", "0", "00", "2156", "1900", "19991", "69", "0000"]]
    + ["b:" + v for v in "31 3132 ff 61ff c3a9 0000 616263646566 3230323430313032".split()]
    + ["D:2024-01-02", "D:0000-00-00", "D:1969-05-06", "T:12:34:56", "T:-12:34:56.789", "T:100:00:00", "P:2024-01-02 03:04:05", "P:2024-01-02 03:04:05.678", "P:1969-01-01 00:00:01",
       "P:2024-01-02 23:59:59.999999"]
)
STRICT = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO"
MODES = [("strict", STRICT), ("lax", ""), ("laxnozero", "NO_ZERO_IN_DATE,NO_ZERO_DATE")]


def literal(v):
    kind, text = v[0], v[2:]
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    if kind in "iun":
        return text
    if kind == "f":
        return text if "e" in text else text + "e0"
    if kind == "s":
        return "_utf8mb4" + quoted
    if kind == "b":
        return "cast(x'" + text + "' as binary)"
    if kind == "D":
        return "cast('%s' as date)" % text if text != "0000-00-00" else "zd"
    if kind == "T":
        return "cast('%s' as time(%d))" % (text, len(text.partition(".")[2]))
    return "cast('%s' as datetime(%d))" % (text, len(text.partition(".")[2]))


def quote(x):
    if x is None:
        return "NULL"
    if isinstance(x, bytes):
        try:
            x = x.decode()
            if not x.isprintable():
                raise ValueError
        except ValueError:
            return "x" + x.hex() if isinstance(x, bytes) else "x" + x.encode().hex()
    return "=" + x


class Server:
    def __init__(self, host, port):
        self.conn = pymysql.connect(host=host, port=int(port), user="root", charset="utf8mb4", conv=encoders, autocommit=True)
        self.cur = self.conn.cursor()
        self.run("create database if not exists values_oracle")
        self.run("use values_oracle")
        self.run("set time_zone = '+00:00'")
        self.run("set timestamp = unix_timestamp('2024-06-15 12:00:00')")

    def run(self, sql):
        self.cur.execute(sql)
        return self.cur.fetchall()

    def warnings(self):
        def text(x):
            return x.decode("utf8", "backslashreplace") if isinstance(x, bytes) else x
        rows = [tuple(text(x) for x in row) for row in self.run("show warnings")]
        return "; ".join("%s %s %s" % row for row in rows if row[1] not in ("4095", "4096", "4097", "1287"))


def record_store(server, folder):
    out = open(folder + "/store.txt", "w", encoding="utf-8")
    for ty in TYPES:
        modes = MODES if ty.split("(")[0] in ("date", "datetime", "timestamp", "time") else MODES[:2]
        column = ty + (" collate utf8mb4_0900_ai_ci" if "char" in ty or "text" in ty else "")
        null = " null" if "timestamp" in ty else ""
        server.run("drop temporary table if exists t")
        server.run("create temporary table t (zd date, c %s%s)" % (column, null))
        for name, mode in modes:
            server.run("set sql_mode = '%s'" % mode)
            for v in INPUTS:
                server.run("truncate t")
                try:
                    if v == "D:0000-00-00":
                        if name != "lax":
                            continue
                        server.run("insert into t(zd) values ('0000-00-00')")
                        server.run("update t set c = zd")
                    else:
                        server.run("insert into t(c) values (%s)" % literal(v))
                    said = server.warnings()
                    # hex keeps the trailing spaces and zeros that matter
                    binary = "binary" in ty or "blob" in ty
                    got = server.run("select %s from t" % ("hex(c)" if binary else "c"))[0][0]
                    got = "x" + got.lower() if binary else quote(got)
                except pymysql.err.MySQLError as e:
                    got, said = "ERR", "Error %d %s" % e.args
                out.write("\t".join((ty, name, v, got, said)) + "\n")
    out.close()


def record_orders(server, folder):
    """Random strings with their dense rank under each collation: hex, rank 0900_ai_ci, rank bin."""
    import random
    random.seed(9)
    alphabets = ["abcABC \u00e9\u00c9\u00df", "a\t !~0", "\u4e00\u4e01\uac00\uac01\ud7a3\u3042\u30a2\u30ab\u304b", "\u0e40\u0e01\u0fb2\u0f71a",
                 "\u0301\u0300ae\u00e6\u0153oe", "\U0001f600\U0001f601\U00017000\U00020000\ufffd", "\ufdfa\u0644\u0627x", "\u0430\u0411\u03b1\u0391z"]
    words = {""}
    while len(words) < 600:
        a = random.choice(alphabets) if random.random() < .7 else "".join(alphabets)
        words.add("".join(random.choice(a) for _ in range(random.randrange(1, 7))))
    server.run("drop temporary table if exists t")
    server.run("create temporary table t (s varchar(20) collate utf8mb4_bin)")
    for w in sorted(words):
        server.run("insert into t values (_utf8mb4 0x%s)" % w.encode().hex() if w else "insert into t values ('')")
    rows = server.run("select hex(s), dense_rank() over (order by s collate utf8mb4_0900_ai_ci), dense_rank() over (order by s)"
                      " from t order by 2, 3, 1")
    with open(folder + "/orders.txt", "w") as out:
        for row in rows:
            out.write(" ".join(x.decode() if isinstance(x, bytes) else str(x) for x in row) + "\n")


def main():
    host, port, folder = sys.argv[1:]
    server = Server(host, port)
    record_store(server, folder)
    record_orders(server, folder)


main()
