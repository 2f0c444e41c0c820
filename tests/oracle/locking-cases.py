#!/usr/bin/env python3
"""Plays the locking cases against a real MySQL and prints them with what it did.

Usage: locking-cases.py HOST PORT < cases > engine/src/tests/locking_cases/mysql.txt   (needs pymysql)
"""
import sys
import pymysql

LEVEL = {"rr": "REPEATABLE READ", "rc": "READ COMMITTED", "ser": "SERIALIZABLE"}


def sql(text):
    w = text.split()
    if w[0] == "insert":
        return f"INSERT INTO t VALUES ({w[1]}, {w[2]}, {w[3]})"
    if w[0] == "setk":
        return f"UPDATE t SET k = {w[2]} WHERE id = {w[1]}"
    if w[0] == "delete":
        return f"DELETE FROM t WHERE id = {w[1]}"
    end = {"x": " FOR UPDATE", "s": " FOR SHARE", "plain": ""}[w[0]]
    if w[1] == "all":
        return "SELECT * FROM t" + end
    index = {"id": "PRIMARY", "k": "k", "u": "u"}[w[1]]
    where = f"{w[1]} {w[2]} {w[3]}" if w[2] in "= < <= > >=" else f"{w[1]} BETWEEN {w[2]} AND {w[3]}"
    return f"SELECT * FROM t FORCE INDEX ({index}) WHERE {where}{end}"


def run(cursor, text):
    try:
        cursor.execute(sql(text))
        return "ok"
    except pymysql.err.Error as error:
        return {1205: "waits", 1062: "duplicate", 1213: "deadlock"}.get(error.args[0], str(error))


def main():
    def connect():
        c = pymysql.connect(host=sys.argv[1], port=int(sys.argv[2]), user="root", autocommit=True)
        cursor = c.cursor()
        cursor.execute("CREATE DATABASE IF NOT EXISTS sextant_locking")
        cursor.execute("USE sextant_locking")
        cursor.execute("SET innodb_lock_wait_timeout = 1")
        return cursor

    a, b = connect(), connect()
    for line in sys.stdin:
        if line.startswith("#") or not line.strip():
            continue
        level, setup, probes = [part.strip() for part in line.split("|")]
        a.execute("DROP TABLE IF EXISTS t")
        a.execute("CREATE TABLE t (id INT PRIMARY KEY, k INT, u INT, KEY k (k), UNIQUE KEY u (u))")
        a.execute("INSERT INTO t VALUES (10,10,10),(20,20,20),(30,30,30),(40,40,40)")
        for c in (a, b):
            c.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {LEVEL[level]}")
        a.execute("BEGIN")
        for text in setup.split(";"):
            run(a, text.strip())
        seen = []
        for text in probes.split(";"):
            text = text.split("->")[0].strip()
            b.execute("BEGIN")
            seen.append(f"{text} -> {run(b, text)}")
            b.execute("ROLLBACK")
        a.execute("ROLLBACK")
        print(f"{level} | {setup} | {' ; '.join(seen)}", flush=True)


main()
