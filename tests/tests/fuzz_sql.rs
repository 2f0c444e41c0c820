//! Statements that nobody would write: drawn from the differential generator, then cut, doubled and mixed word by word. Whatever they are, a
//! session answers; it never panics, and it still answers afterwards.

mod embedded;

use buffer_pool::testing::{Durability, MemoryVolume};
use embedded::{Sink, connect};
use engine::testing::Executor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tests::differ::{Dice, Generator};

/// Schemas, and statements to each.
const SEEDS: u64 = 60;
const EACH: usize = 120;

/// Words and marks of a statement, blanks gone.
fn words(sql: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut joined = false;
    for c in sql.chars() {
        let part = c.is_alphanumeric() || c == '_';
        match found.last_mut() {
            Some(last) if part && joined => last.push(c),
            _ if c.is_whitespace() => {}
            _ => found.push(c.to_string()),
        }
        joined = part;
    }
    found
}

/// A statement with a few words removed, doubled, exchanged, or put in from another one.
fn mutated(dice: &mut Dice, sql: &str, other: &str) -> String {
    let (mut own, other) = (words(sql), words(other));
    for _ in 0..1 + dice.below(3) {
        if own.is_empty() {
            break;
        }
        let at = dice.below(own.len());
        match dice.below(4) {
            0 => drop(own.remove(at)),
            1 => own.insert(at, own[at].clone()),
            2 => {
                let with = dice.below(own.len());
                own.swap(at, with);
            }
            _ => own.insert(at, other[dice.below(other.len())].clone()),
        }
    }
    own.join(" ")
}

#[test]
fn no_statement_brings_a_session_down() {
    let mut panics = Vec::new();
    let (mut answered, mut refused) = (0, 0);
    for seed in 1..=SEEDS {
        let volume = MemoryVolume::new(Durability::Instant);
        let executor = Executor::new(seed);
        let (mut generator, made) = Generator::new(seed);
        let mut dice = Dice::new(seed);
        let mut session = executor.block_on(connect(&volume, &executor));
        let mut all: Vec<String> = vec!["CREATE DATABASE d".into(), "USE d".into()];
        all.extend(made.into_iter().map(|s| s.sql));
        for _ in 0..EACH {
            let (sql, other) = (generator.statement().sql, generator.statement().sql);
            all.push(if dice.one_in(2) { mutated(&mut dice, &sql, &other) } else { sql });
        }
        for sql in all {
            let mut sink = Sink::default();
            let run = || {
                executor.block_on(async {
                    session.query(sql.as_bytes(), &mut sink).await.expect("the sink stays open");
                });
            };
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                panics.push(format!("seed {seed}: {sql}"));
                break; // half a statement must not live on
            }
            if sink.error.is_some() { refused += 1 } else { answered += 1 }
        }
    }
    println!("{answered} statements answered, {refused} refused");
    assert!(panics.is_empty(), "{} panics:\n{}", panics.len(), panics.join("\n"));
    assert!(answered > 2000 && refused > 500, "{answered} answered, {refused} refused: too few of either");
}
