//! Histories of concurrent transactions, and their judgement: list-append and register workloads for `adya`, and a bank with its sum.
//!
//! Clients run random transactions over a few hot keys and note what they did as Elle does: an `invoke` when one begins, and `ok`, `fail` or
//! `info` (nobody knows) when it ends. A client whose connection broke goes on under a new process number. The checker sees only this
//! history, never the server.
//!
//! | workload | a transaction | the table |
//! |---|---|---|
//! | list-append | reads lists, appends to lists | `lists (k, v)`: a text to which `,N` is appended |
//! | register | reads and writes registers | `registers (k, v)` |
//! | bank | moves money, or reads all accounts | `accounts (id, balance)`: every read must see the same sum |

use crate::client::{Client, Error};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What clients do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Lists that only grow: every read tells the order of all writes before it.
    ListAppend,
    /// Registers that are overwritten with values never written before.
    Register,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Load {
    /// What clients do.
    pub kind: Kind,
    /// SET SESSION TRANSACTION ISOLATION LEVEL ...
    pub level: &'static str,
    /// Clients at a time.
    pub clients: u64,
    /// Keys in play at a time; they change as values grow.
    pub keys: u64,
    /// Transactions in all, however they end.
    pub transactions: u64,
    /// Every row is there from the start, so that no transaction meets a gap where a row is to come.
    pub rows_made: bool,
    /// Transactions only read, in a hundred.
    pub read_only_percent: u64,
    /// The seed of the clients' choices.
    pub seed: u64,
}

const BANK_ACCOUNTS: u64 = 8;
const BANK_EACH: i64 = 100;
/// A key is left for a new one after so many writes.
const KEY_LIFE: u64 = 60;

/// The history so far, one JSON line per event.
#[derive(Debug, Default)]
pub struct History {
    text: Mutex<(u64, String)>,
    processes: AtomicU64,
    values: AtomicU64,
    begun: AtomicU64,
    committed: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    /// What the bank's checker or a client saw that must not be.
    problems: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// How a history ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Transactions committed, certainly aborted, and of unknown outcome.
    pub counts: (u64, u64, u64),
    /// Kinds of anomalies found, empty if the history satisfies the model.
    pub anomalies: Vec<String>,
    /// An explanation of the first one.
    pub explanation: String,
}

/// xorshift64*: the clients' choices.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }
}

enum Op {
    Read(u64),
    Write(u64, u64),
}

/// How a transaction ended.
enum End {
    Committed(String),
    Failed,
    Unknown,
    Broken,
}

impl History {
    /// Makes the tables, and the rows if the load wants them.
    ///
    /// # Errors
    /// The server's.
    pub fn setup(sql: &mut Client, load: &Load) -> Result<(), Error> {
        sql.query("DROP DATABASE IF EXISTS history")?;
        sql.query("CREATE DATABASE history")?;
        sql.query("CREATE TABLE history.lists (k BIGINT PRIMARY KEY, v VARCHAR(4000) NOT NULL)")?;
        sql.query("CREATE TABLE history.registers (k BIGINT PRIMARY KEY, v BIGINT NOT NULL)")?;
        sql.query("CREATE TABLE history.accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)")?;
        let rows: Vec<String> = (0..BANK_ACCOUNTS).map(|id| format!("({id}, {BANK_EACH})")).collect();
        sql.query(&format!("INSERT INTO history.accounts VALUES {}", rows.join(",")))?;
        if load.rows_made {
            // At most five values a transaction, and every key takes its share.
            let keys = load.keys + load.transactions * 5 / KEY_LIFE + load.keys;
            let rows: Vec<String> = (0..keys).map(|k| format!("({k}, '')")).collect();
            sql.query(&format!("INSERT INTO history.lists VALUES {}", rows.join(",")))?;
        }
        Ok(())
    }

    /// Transactions begun so far.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Ends the clients of [`History::run`] early.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Runs the clients until the transactions are done. `address` is asked at every (re)connection: a server may come back elsewhere.
    ///
    /// # Errors
    /// What a client cannot explain: an error that is no deadlock, timeout or lost connection.
    pub fn run(&self, load: &Load, address: &(dyn Fn() -> Option<String> + Sync)) -> Result<(), String> {
        std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..load.clients).map(|c| scope.spawn(move || self.client(load, c, address))).collect();
            handles.into_iter().try_for_each(|h| h.join().map_err(|_| "a client panicked".to_string())?)
        })
    }

    fn client(
        &self,
        load: &Load,
        number: u64,
        address: &(dyn Fn() -> Option<String> + Sync),
    ) -> Result<(), String> {
        let mut dice = Dice((load.seed.wrapping_add(number + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        while !self.stop.load(Ordering::Relaxed) && self.begun() < load.transactions {
            let Some(mut sql) = address().and_then(|a| Client::connect_as(&a, "root", Some("history")).ok())
            else {
                std::thread::yield_now();
                continue;
            };
            if sql.query(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", load.level)).is_err() {
                continue;
            }
            let process = self.processes.fetch_add(1, Ordering::Relaxed);
            while !self.stop.load(Ordering::Relaxed) {
                if self.begun.fetch_add(1, Ordering::Relaxed) >= load.transactions {
                    return Ok(());
                }
                let goes_on = if dice.next(10) == 0 {
                    self.bank(&mut sql, load, &mut dice)?
                } else {
                    self.transaction(&mut sql, load, &mut dice, process)?
                };
                if !goes_on {
                    break;
                }
            }
        }
        Ok(())
    }

    fn event(&self, kind: &str, process: u64, value: &str) {
        let mut text = self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let index = text.0;
        text.0 += 1;
        let line =
            format!("{{\"index\":{index},\"type\":\"{kind}\",\"process\":{process},\"value\":[{value}]}}\n");
        text.1.push_str(&line);
    }

    /// The keys in play move on as values are given out, so that lists stay short.
    fn key(&self, load: &Load, dice: &mut Dice) -> u64 {
        self.values.load(Ordering::Relaxed) / (KEY_LIFE * load.keys) * load.keys + dice.next(load.keys)
    }

    fn draw(&self, load: &Load, dice: &mut Dice) -> Vec<Op> {
        let read_only = dice.next(100) < load.read_only_percent;
        let mut ops: Vec<Op> = Vec::new();
        for _ in 0..=dice.next(4) {
            let key = self.key(load, dice);
            // A register is written once in a transaction: what it was in between is nobody's business.
            let again = ops.iter().any(|op| matches!(op, Op::Write(k, _) if *k == key));
            if read_only || dice.next(2) == 0 || (load.kind == Kind::Register && again) {
                ops.push(Op::Read(key));
            } else {
                ops.push(Op::Write(key, self.values.fetch_add(1, Ordering::Relaxed) + 1));
            }
        }
        ops
    }

    /// One transaction; false when the connection is gone.
    fn transaction(
        &self,
        sql: &mut Client,
        load: &Load,
        dice: &mut Dice,
        process: u64,
    ) -> Result<bool, String> {
        let ops = self.draw(load, dice);
        let name = if load.kind == Kind::ListAppend { "append" } else { "w" };
        let invoked: Vec<String> = ops
            .iter()
            .map(|op| match op {
                Op::Read(key) => format!("[\"r\",{key},null]"),
                Op::Write(key, value) => format!("[\"{name}\",{key},{value}]"),
            })
            .collect();
        self.event("invoke", process, &invoked.join(","));
        match perform(sql, load.kind, name, &ops)? {
            End::Committed(value) => {
                self.event("ok", process, &value);
                self.committed.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            End::Failed => {
                self.event("fail", process, &invoked.join(","));
                self.failed.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            End::Broken => {
                self.event("fail", process, &invoked.join(","));
                self.failed.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
            End::Unknown => {
                self.event("info", process, &invoked.join(","));
                self.unknown.fetch_add(1, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    /// Moves money, or reads all accounts: at every level a single SELECT sees the whole sum.
    fn bank(&self, sql: &mut Client, load: &Load, dice: &mut Dice) -> Result<bool, String> {
        let (from, to) = (dice.next(BANK_ACCOUNTS), dice.next(BANK_ACCOUNTS));
        let outcome = if dice.next(2) == 0 {
            sql.query("SELECT SUM(balance), COUNT(*) FROM accounts").map(|answer| {
                let rows = answer.text();
                let expected = [(BANK_EACH * BANK_ACCOUNTS as i64).to_string(), BANK_ACCOUNTS.to_string()];
                if rows[0] != expected {
                    self.problem(format!("the bank at {}: {:?}, expected {expected:?}", load.level, rows[0]));
                }
            })
        } else {
            let change =
                |by: &str, id| format!("UPDATE accounts SET balance = balance {by} 1 WHERE id = {id}");
            sql.query("BEGIN")
                .and_then(|_| sql.query(&change("-", from)))
                .and_then(|_| sql.query(&change("+", to)))
                .and_then(|_| sql.query("COMMIT"))
                .map(|_| ())
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(error) => match end(&error)? {
                End::Failed => Ok(sql.query("ROLLBACK").is_ok()),
                _ => Ok(false),
            },
        }
    }

    fn problem(&self, text: String) {
        self.problems.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
    }

    /// Judges the history by a consistency model of Adya's.
    ///
    /// # Errors
    /// A history that cannot be judged.
    pub fn judge(&self, kind: Kind, model: &str) -> Result<Verdict, String> {
        self.judge_text(&self.json(), kind, model)
    }

    /// Judges what transactions saw that only read: the reads of those that write are left out. InnoDB's REPEATABLE READ promises
    /// them a snapshot; those that write see the newest rows where they write.
    ///
    /// # Errors
    /// A history that cannot be judged.
    pub fn judge_readers(&self, kind: Kind, model: &str) -> Result<Verdict, String> {
        let lines: Result<Vec<String>, String> = self.json().lines().map(without_reads_of_writers).collect();
        self.judge_text(&lines?.join("\n"), kind, model)
    }

    fn judge_text(&self, text: &str, kind: Kind, model: &str) -> Result<Verdict, String> {
        let counts = [&self.committed, &self.failed, &self.unknown].map(|n| n.load(Ordering::Relaxed));
        let history = adya::History::from_json(text).map_err(|e| format!("the history: {}", e.msg))?;
        let workload = match kind {
            Kind::ListAppend => adya::Workload::ListAppend,
            Kind::Register => adya::Workload::RwRegister,
        };
        let timeout = std::time::Duration::from_secs(60);
        let options = adya::Opts { models: vec![model.to_string()], timeout, ..adya::Opts::default() };
        let report = adya::check(&history, workload, &options);
        let first = report.anomalies.values().flatten().next().map(|a| a.explanation.clone());
        let mut anomalies = report.anomaly_types.clone();
        let mut explanation = first.unwrap_or_default();
        if report.valid == adya::Valid::True {
            anomalies.clear();
        } else if anomalies.is_empty() {
            anomalies.push("unknown".into());
        }
        let problems = self.problems.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(problem) = problems.first() {
            anomalies.push(format!("bank ({} times)", problems.len()));
            let _ = write!(explanation, "\n{problem}");
        }
        Ok(Verdict { counts: (counts[0], counts[1], counts[2]), anomalies, explanation })
    }

    /// The history as JSON lines.
    #[must_use]
    pub fn json(&self) -> String {
        self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1.clone()
    }
}

/// An event of a transaction that writes, without its reads.
fn without_reads_of_writers(line: &str) -> Result<String, String> {
    let mut event: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let is_read = |op: &serde_json::Value| op.get(0).is_some_and(|name| name == "r");
    if let Some(ops) = event.get_mut("value").and_then(|v| v.as_array_mut())
        && !ops.iter().all(is_read)
    {
        ops.retain(|op| !is_read(op));
    }
    Ok(event.to_string())
}

/// What an error before COMMIT means for the transaction.
fn end(error: &Error) -> Result<End, String> {
    match error {
        Error::Io(_) | Error::Server { code: 1053 | 1317, .. } => Ok(End::Broken),
        Error::Server { code: 1213 | 1205, .. } => Ok(End::Failed),
        other => Err(other.to_string()),
    }
}

fn perform(sql: &mut Client, kind: Kind, name: &str, ops: &[Op]) -> Result<End, String> {
    let mut value = Vec::new();
    let outcome = (|| {
        sql.query("BEGIN")?;
        for op in ops {
            value.push(match (op, kind) {
                (Op::Read(key), Kind::ListAppend) => format!("[\"r\",{key},{}]", read_list(sql, *key)?),
                (Op::Read(key), Kind::Register) => format!("[\"r\",{key},{}]", read_register(sql, *key)?),
                (Op::Write(key, v), _) => {
                    write(sql, kind, *key, *v)?;
                    format!("[\"{name}\",{key},{v}]")
                }
            });
        }
        Ok(())
    })();
    if let Err(error) = outcome {
        let end = end(&error)?;
        if matches!(end, End::Failed) && sql.query("ROLLBACK").is_err() {
            return Ok(End::Broken);
        }
        return Ok(end);
    }
    match sql.query("COMMIT") {
        Ok(_) => Ok(End::Committed(value.join(","))),
        // Whether it was committed nobody knows.
        Err(Error::Io(_) | Error::Server { code: 1053 | 1317, .. }) => Ok(End::Unknown),
        Err(error) => Err(format!("COMMIT: {error}")),
    }
}

fn read_list(sql: &mut Client, key: u64) -> Result<String, Error> {
    let rows = sql.query(&format!("SELECT v FROM lists WHERE k = {key}"))?.text();
    Ok(format!("[{}]", rows.first().map_or("", |row| row[0].trim_start_matches(','))))
}

fn read_register(sql: &mut Client, key: u64) -> Result<String, Error> {
    let rows = sql.query(&format!("SELECT v FROM registers WHERE k = {key}"))?.text();
    Ok(rows.first().map_or("null".into(), |row| row[0].clone()))
}

/// Changes the row, or makes it; another transaction may make it in between.
fn write(sql: &mut Client, kind: Kind, key: u64, value: u64) -> Result<(), Error> {
    let (table, change, new) = match kind {
        Kind::ListAppend => ("lists", format!("CONCAT(v, ',{value}')"), format!("',{value}'")),
        Kind::Register => ("registers", value.to_string(), value.to_string()),
    };
    loop {
        if sql.query(&format!("UPDATE {table} SET v = {change} WHERE k = {key}"))?.affected == 1 {
            return Ok(());
        }
        match sql.query(&format!("INSERT INTO {table} VALUES ({key}, {new})")) {
            Err(Error::Server { code: 1062, .. }) => {}
            other => return other.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod checks {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let history = History::default();
        history.text.lock().expect("not poisoned").1 = lines.join("\n");
        history
    }

    #[test]
    fn a_lost_append_is_seen() {
        let history = history(&[
            r#"{"index":0,"type":"invoke","process":0,"value":[["append",1,1]]}"#,
            r#"{"index":1,"type":"ok","process":0,"value":[["append",1,1]]}"#,
            r#"{"index":2,"type":"invoke","process":0,"value":[["append",1,2]]}"#,
            r#"{"index":3,"type":"ok","process":0,"value":[["append",1,2]]}"#,
            r#"{"index":4,"type":"invoke","process":1,"value":[["r",1,null]]}"#,
            r#"{"index":5,"type":"ok","process":1,"value":[["r",1,[2]]]}"#,
        ]);
        let verdict = history.judge(Kind::ListAppend, "strict-serializable").expect("judged");
        assert!(!verdict.anomalies.is_empty());
    }

    #[test]
    fn only_readers_are_left() {
        let kept =
            without_reads_of_writers(r#"{"type":"ok","value":[["r",1,[2]],["append",1,3]]}"#).expect("json");
        assert!(kept.contains(r#"[["append",1,3]]"#), "{kept}");
        let kept = without_reads_of_writers(r#"{"type":"ok","value":[["r",1,[2]]]}"#).expect("json");
        assert!(kept.contains(r#"[["r",1,[2]]]"#), "{kept}");
    }
}
