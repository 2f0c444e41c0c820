//! SHOW ENGINE INNODB STATUS: the engine's state as text, in InnoDB's sections as far as this engine has what they are about.

use super::ShowTable;
use crate::performance::{lock_data, transaction_number};
use engine::{DeadlockInfo, Engine, LockInfo, LockKind};
use std::fmt::Write as _;
use values::{Collation, ColumnType, Value};

/// The columns of every SHOW ENGINE.
pub(crate) fn columns() -> ShowTable {
    ShowTable::new(&[
        ("Type", ColumnType::varchar(10, Collation::DEFAULT), false),
        ("Name", ColumnType::varchar(512, Collation::DEFAULT), false),
        ("Status", ColumnType::varchar(10, Collation::DEFAULT), false),
    ])
}

/// SHOW ENGINE INNODB STATUS at the local time `now`.
pub(crate) fn status(engine: &Engine, now: &str) -> ShowTable {
    let mut table = columns();
    let mut text = format!("\n{0}\n{now} INNODB MONITOR OUTPUT\n{0}\n", "=".repeat(37));
    if let Some(deadlock) = engine.last_deadlock() {
        heading(&mut text, "LATEST DETECTED DEADLOCK");
        put_deadlock(&mut text, &deadlock);
    }
    heading(&mut text, "TRANSACTIONS");
    put_transactions(&mut text, engine);
    heading(&mut text, "LOG");
    let status = engine.status();
    let _ = writeln!(
        text,
        "Commits {}, rollbacks {}\nCommits parked {}, released {}",
        status.commits, status.rollbacks, status.parked_commits, status.commits_released
    );
    text.push_str(
        "----------------------------\nEND OF INNODB MONITOR OUTPUT\n============================\n",
    );
    table.rows.push(vec![Value::text("InnoDB"), Value::text(""), Value::text(&text)]);
    table
}

fn heading(text: &mut String, name: &str) {
    let line = "-".repeat(name.len());
    let _ = writeln!(text, "{line}\n{name}\n{line}");
}

fn put_transactions(text: &mut String, engine: &Engine) {
    let status = engine.status();
    let _ = writeln!(text, "History list length {}", status.history_length);
    let _ = writeln!(
        text,
        "{} transactions open, {} read views, {} explicit locks, {} waiting, {} deadlocks since opening",
        status.open_transactions, status.open_views, status.explicit_locks, status.waiting, status.deadlocks
    );
    for wait in engine.lock_waits() {
        put_transaction(text, &wait.wanted);
        text.push_str("------- WAITING FOR THIS LOCK TO BE GRANTED:\n");
        put_lock(text, &wait.wanted);
        let blockers: Vec<String> =
            wait.blockers.iter().map(|(o, t, _)| transaction_number(*o, *t).to_string()).collect();
        let _ = writeln!(text, "held by transactions {}\n------------------", blockers.join(", "));
    }
}

fn put_deadlock(text: &mut String, deadlock: &DeadlockInfo) {
    let mut victim = 0;
    for (i, wait) in deadlock.waits.iter().enumerate() {
        let n = i + 1;
        let _ = writeln!(text, "*** ({n}) TRANSACTION:");
        put_transaction(text, wait);
        let _ = writeln!(text, "*** ({n}) WAITING FOR THIS LOCK TO BE GRANTED:");
        put_lock(text, wait);
        if wait.owner == deadlock.victim {
            victim = n;
        }
    }
    let _ = writeln!(text, "*** WE ROLL BACK TRANSACTION ({victim})");
}

fn put_transaction(text: &mut String, lock: &LockInfo) {
    let number = transaction_number(lock.owner, lock.txid);
    let _ = writeln!(text, "TRANSACTION {number}, ACTIVE\nMySQL thread id {}", lock.session);
}

fn put_lock(text: &mut String, lock: &LockInfo) {
    let number = transaction_number(lock.owner, lock.txid);
    let mode = match lock.kind {
        LockKind::RecordShared => "lock mode S locks rec but not gap",
        LockKind::RecordExclusive => "lock_mode X locks rec but not gap",
        LockKind::Gap => "lock_mode X locks gap before rec",
        LockKind::InsertIntention => "lock_mode X locks gap before rec insert intention",
        LockKind::Metadata => {
            let _ = writeln!(text, "METADATA LOCK of a table, trx id {number} waiting");
            return;
        }
    };
    let waiting = if lock.waiting { " waiting" } else { "" };
    match &lock.index {
        Some((table, index)) => {
            let _ = writeln!(
                text,
                "RECORD LOCKS index {} of table `{}`.`{}` trx id {number} {mode}{waiting}",
                table.indexes[*index].name, table.schema_name, table.name
            );
        }
        None => {
            let _ = writeln!(text, "LOCK of tree {} trx id {number} {mode}{waiting}", lock.tree);
        }
    }
    let _ = writeln!(text, "Record lock, key {}", lock_data(lock).unwrap_or_default());
}
