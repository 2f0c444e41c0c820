#!/usr/bin/env python3
"""Builds the frozen tables of utf8mb4_0900_ai_ci.

uca900.py weights ALLKEYS OUT.bin     primary weights from DUCET 9.0.0 (allkeys-9.0.0.txt of unicode.org, also in PyPI's pyuca 1.2)
uca900.py digest  ALLKEYS OUT.txt     FNV-1a 64 of the weights of each 4096 code points, computed from ALLKEYS
uca900.py mysql   HOST PORT OUT.txt CASE.rs
                                      the same digests from a running MySQL's WEIGHT_STRING(), and the case tables from its UPPER/LOWER

The weight table is a disk format: run once, committed, never regenerated with other data. The last two outputs must be equal.

Layout of OUT.bin, all u16 little-endian:
    0       format, 1
    1       P, number of pages of 128 code points
    2       X, length of the pool
    3       0
    4       stage one: 8704 page numbers, one for each 128 code points of U+0000..U+10FFFF
    8708    P pages of 128 entries
    ...     the pool of X words: a count, then that many weights
Entries: 0 ignorable; 1 implicit (computed from the code point); 2 Hangul syllable (computed from its jamo);
0x6000 + i: an expansion at word i of the pool; anything else is the one primary weight.
"""
import re
import struct
import sys

HANGUL = range(0xAC00, 0xD7B0)  # MySQL applies the syllable formula up to U+D7AF
MYSQL_MAX_WEIGHTS = 8           # and keeps at most eight weights of a character (only U+FDFA has more)
MASK = (1 << 64) - 1


def ducet(path):
    table = {}
    for line in open(path, encoding="utf-8"):
        m = re.match(r"^([0-9A-F]+)\s*;\s*((?:\[[^\]]+\])+)", line)
        if m:  # contractions have several code points and do not match: utf8mb4_0900_ai_ci has none
            primaries = [int(w, 16) for w in re.findall(r"\[[.*]([0-9A-F]+)\.", m[2])]
            table[int(m[1], 16)] = [w for w in primaries if w][:MYSQL_MAX_WEIGHTS]
    return table


def implicit(cp):
    if 0x17000 <= cp <= 0x18AFF:
        return [0xFB00, (cp - 0x17000) | 0x8000]
    compat = (0xFA0E, 0xFA0F, 0xFA11, 0xFA13, 0xFA14, 0xFA1F, 0xFA21, 0xFA23, 0xFA24, 0xFA27, 0xFA28, 0xFA29)
    if 0x4E00 <= cp <= 0x9FD5 or cp in compat:
        base = 0xFB40
    elif any(a <= cp <= b for a, b in ((0x3400, 0x4DB5), (0x20000, 0x2A6D6), (0x2A700, 0x2B734), (0x2B740, 0x2B81D),
                                       (0x2B820, 0x2CEA1))):
        base = 0xFB80
    else:
        base = 0xFBC0
    return [base + (cp >> 15), (cp & 0x7FFF) | 0x8000]


def hangul(table, cp):
    s = cp - 0xAC00
    jamo = [0x1100 + s // 588, 0x1161 + s % 588 // 28] + ([0x11A7 + s % 28] if s % 28 else [])
    return [w for j in jamo for w in table[j]]


def entry(table, cp):
    if cp in table:
        return table[cp]
    return hangul(table, cp) if cp in HANGUL else implicit(cp)


def scalar_values():
    return (cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000)


def weights(allkeys, out):
    table, pool, at, pages, stage1 = ducet(allkeys), [], {}, {}, []
    for base in range(0, 0x110000, 128):
        page = []
        for cp in range(base, base + 128):
            ws = table.get(cp)
            if ws is None:
                page.append(2 if cp in HANGUL else 1)
            elif len(ws) <= 1:
                page.append(ws[0] if ws else 0)
            else:
                if tuple(ws) not in at:
                    at[tuple(ws)] = len(pool)
                    pool += [len(ws)] + ws
                page.append(0x6000 + at[tuple(ws)])
        stage1.append(pages.setdefault(tuple(page), len(pages)))
    words = [1, len(pages), len(pool), 0] + stage1 + [e for page in pages for e in page] + pool
    assert all(not 0x6000 <= w < 0xFB00 for ws in table.values() if len(ws) == 1 for w in ws)
    assert len(pool) < 0xFB00 - 0x6000
    open(out, "wb").write(struct.pack("<%dH" % len(words), *words))


def write_digests(of, out):
    lines, digest, block = [], 0xCBF29CE484222325, 0
    for cp in scalar_values():
        if cp >> 12 != block:
            lines.append("%06X %016x" % (block << 12, digest))
            digest, block = 0xCBF29CE484222325, cp >> 12
        data = b"".join(struct.pack(">H", w) for w in of(cp)) + b"\0"
        for byte in data:
            digest = ((digest ^ byte) * 0x100000001B3) & MASK
    lines.append("%06X %016x" % (block << 12, digest))
    open(out, "w").write("\n".join(lines) + "\n")


def ask_mysql(host, port):
    import pymysql
    cur = pymysql.connect(host=host, port=int(port), user="root", charset="utf8mb4").cursor()
    cur.execute("create database if not exists values_oracle")
    cur.execute("use values_oracle")
    answers = {}
    for base in range(0, 0x110000, 0x1000):
        cps = [cp for cp in range(base, base + 0x1000) if not 0xD800 <= cp < 0xE000]
        if not cps:
            continue
        rows = ",".join("(%d,_utf8mb4 0x%s)" % (cp, chr(cp).encode().hex()) for cp in cps)
        cur.execute("drop temporary table if exists t")
        cur.execute("create temporary table t(cp int, c varchar(4) collate utf8mb4_0900_ai_ci)")
        cur.execute("insert into t values " + rows)
        # MySQL gives UPPER and LOWER no more bytes than the argument has and cuts the rest; the a's make room for one that grows.
        cur.execute("select cp, hex(weight_string(c)), hex(upper(concat(c, 'aaaa'))), hex(lower(concat(c, 'aaaa'))) from t")
        for cp, w, u, l in cur.fetchall():
            w = bytes.fromhex(w)
            ws = [w[i] << 8 | w[i + 1] for i in range(0, len(w), 2)]
            answers[cp] = ws, ord(bytes.fromhex(u).decode()[0]), ord(bytes.fromhex(l).decode()[0])
    return answers


def ranges(pairs):
    """(code point, image) pairs to (first, last, step, delta) runs."""
    runs = []
    for cp, to in pairs:
        delta = to - cp
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            gap = cp - last
            if gap <= 2 and (step == gap or first == last):
                runs[-1] = (first, cp, gap, delta)
                continue
        runs.append((cp, cp, 1, delta))
    return runs


def case_source(answers, out):
    text = ["//! Simple case mappings of MySQL's 0900 collations (Unicode 9.0.0), generated by scripts/uca900.py: do not edit.", "",
            "/// First, last, step and delta of a run of code points.", "pub(super) type Run = (u32, u32, u32, i32);", ""]
    for name, which in (("UPPER", 1), ("LOWER", 2)):
        runs = ranges([(cp, answers[cp][which]) for cp in sorted(answers) if answers[cp][which] != cp and cp > 127])
        text += ["#[rustfmt::skip]", "pub(super) static %s: [Run; %d] = [" % (name, len(runs))]
        for i in range(0, len(runs), 4):
            text.append("    " + " ".join("(0x%X, 0x%X, %d, %d)," % r for r in runs[i:i + 4]))
        text += ["];", ""]
    open(out, "w").write("\n".join(text[:-1]) + "\n")


def main():
    what, *args = sys.argv[1:]
    if what == "weights":
        weights(*args)
    elif what == "digest":
        table = ducet(args[0])
        write_digests(lambda cp: entry(table, cp), args[1])
    elif what == "mysql":
        answers = ask_mysql(args[0], args[1])
        write_digests(lambda cp: answers[cp][0], args[2])
        case_source(answers, args[3])
    else:
        sys.exit(__doc__)


main()
