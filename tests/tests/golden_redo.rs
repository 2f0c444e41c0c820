//! Golden script: the redo records of twenty SQL statements, from text to page operations, against `golden/redo.txt`.
//!
//! SQL, engine, trees and pool run over a volume in memory, one task at a time in virtual time, so every byte repeats. A record is one
//! line: page kind and number, flags (c: last of its mini-transaction, C: commit), bytes with header, operations with places and
//! lengths. What purge writes afterwards stands under `behind`. A change of format or of what a statement writes shows here; when
//! it is meant, `TESTS_WRITE_GOLDEN=1 cargo test -p tests --test golden_redo` writes the file anew.
//! `TESTS_FLIP_GOLDEN=1` changes one byte of the golden text: then the test must fail.

mod embedded;

use buffer_pool::testing::{Durability, MemoryVolume};
use embedded::{Sink, connect};
use engine::testing::Executor;
use protocol::contract::LogWriter;
use protocol::env::Env;
use protocol::redo::{Op, Ops};
use protocol::{Lsn, Record, RecordFlags};
use std::fmt::Write;
use std::path::PathBuf;

const STATEMENTS: &[&str] = &[
    "CREATE DATABASE bank",
    "USE bank",
    "CREATE TABLE account (id INT PRIMARY KEY, branch INT NOT NULL, owner VARCHAR(40), balance DECIMAL(12,2) NOT NULL, KEY by_branch (branch))",
    "CREATE TABLE sbtest1 (id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), KEY k_1 (k))",
    "INSERT INTO account VALUES (1, 10, 'Ada', 100.00)",
    "INSERT INTO account VALUES (2, 10, 'Grace', 250.50), (3, 20, 'Edsger', 75.25), (4, 20, NULL, 0)",
    "INSERT INTO sbtest1 (k, c, pad) VALUES (500, REPEAT('c', 119), REPEAT('p', 59))",
    "UPDATE account SET balance = balance - 10 WHERE id = 1",
    "UPDATE sbtest1 SET c = REPEAT('d', 119) WHERE id = 1",
    "UPDATE sbtest1 SET k = k + 1 WHERE id = 1",
    "UPDATE account SET owner = 'Edsger Wybe Dijkstra' WHERE id = 3",
    "UPDATE account SET branch = 30 WHERE branch = 20",
    "SELECT SUM(balance) FROM account",
    "DELETE FROM account WHERE id = 4",
    "REPLACE INTO account VALUES (2, 10, 'Grace', 1)",
    "BEGIN",
    "UPDATE account SET balance = 0 WHERE id = 1",
    "ROLLBACK",
    "CREATE INDEX by_owner ON account (owner)",
    "DROP TABLE account",
];

/// The redo of one updated row (the operation: row, undo, slot; the commit is an operation of its own) is at most this.
const UPDATE_BYTES: usize = 600;

fn text(op: &Op<'_>) -> String {
    match op {
        Op::Init { kind } => format!("init {kind:?}"),
        Op::Write { offset, bytes } => format!("write {offset}+{}", bytes.len()),
        Op::Move { from, to, len } => format!("move {from}->{to}+{len}"),
        Op::Fill { offset, len, .. } => format!("fill {offset}+{len}"),
        Op::StampLsn { offset } => format!("stamp {offset}"),
        Op::Discard => "discard".into(),
    }
}

/// The records of `(after, to]`, one line each.
fn lines(volume: &MemoryVolume, records: &[Record], out: &mut String) {
    for record in records {
        let image = volume.image(record.page, record.lsn);
        let kind =
            protocol::page::kind(image.bytes()).map_or("?".into(), |k| format!("{k:?}").to_lowercase());
        let ops: Vec<String> = Ops::new(record.ops()).map(|op| text(&op.expect("decodes"))).collect();
        writeln!(out, "  {kind} {:?} {:?} {} B: {}", record.page, record.flags, record.len(), ops.join(", "))
            .expect("a string takes all");
    }
}

/// What each statement writes; and the bytes of each, in order, without and with its commit.
fn script() -> (String, Vec<(usize, usize)>) {
    let volume = MemoryVolume::new(Durability::Instant);
    let executor = Executor::new(6);
    let mut out = String::new();
    let mut sizes = Vec::new();
    executor.block_on(async {
        let mut session = connect(&volume, &executor).await;
        executor.sleep(100_000).await;
        for statement in STATEMENTS {
            let before = volume.last_lsn();
            let mut sink = Sink::default();
            session.query(statement.as_bytes(), &mut sink).await.expect("the sink stays open");
            assert_eq!(sink.error, None, "{statement}");
            let done = volume.last_lsn();
            executor.sleep(100_000).await;
            let records = volume.records();
            let part = |from: Lsn, to: Lsn| -> Vec<Record> {
                records.iter().filter(|r| r.lsn > from && r.lsn <= to).cloned().collect()
            };
            let (own, behind) = (part(before, done), part(done, volume.last_lsn()));
            let bytes: usize = own.iter().map(Record::len).sum();
            let commit = own.last().filter(|r| r.flags.has(RecordFlags::COMMIT)).map_or(0, |_| {
                own.iter().rev().skip(1).take_while(|r| !r.flags.has(RecordFlags::CPL)).count() + 1
            });
            sizes.push((own[..own.len() - commit].iter().map(Record::len).sum(), bytes));
            writeln!(out, "{statement}\n{} records, {bytes} bytes", own.len()).expect("a string takes all");
            lines(&volume, &own, &mut out);
            if !behind.is_empty() {
                out.push_str("behind\n");
                lines(&volume, &behind, &mut out);
            }
            out.push('\n');
        }
    });
    (out, sizes)
}

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/redo.txt")
}

#[test]
fn twenty_statements_write_what_they_wrote() {
    let (found, sizes) = script();
    if std::env::var_os("TESTS_WRITE_GOLDEN").is_some() {
        std::fs::write(golden(), &found).expect("the golden file can be written");
    }
    let mut expected = std::fs::read_to_string(golden()).expect("tests/golden/redo.txt is there");
    if std::env::var_os("TESTS_FLIP_GOLDEN").is_some() {
        let at = expected.rfind("write").expect("a write");
        expected.replace_range(at..=at, "W");
    }
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "golden/redo.txt, line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "golden/redo.txt has another length");
    let update = STATEMENTS.iter().position(|s| s.contains("SET c =")).expect("the update");
    let (row, with_commit) = sizes[update];
    assert!(row <= UPDATE_BYTES, "{row} bytes of redo for one updated row");
    println!(
        "statements={} records={} update_non_index_row_bytes={row} with_commit={with_commit}",
        STATEMENTS.len(),
        count(&found)
    );
}

fn count(script: &str) -> usize {
    script.lines().filter(|line| line.starts_with("  ")).count()
}
