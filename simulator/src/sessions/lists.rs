//! Lists that only grow: every read tells the order of all appends before it, so a history of them can be judged (`judge`).

use super::books::Books;
use super::clients::Session;
use crate::bank::locked;
use engine::{EngineError, LockMode, RowBatch, Txn, encode_index_key};
use std::fmt::Write as _;
use values::Value;

/// One step of a transaction.
enum Op {
    Read(u64),
    Append(u64, u64),
}

/// A transaction whose end its client has not seen; dropped with its process, it ends in the history as it must.
struct Open<'a> {
    books: &'a Books,
    process: u64,
    invoked: String,
    /// COMMIT was sent: nobody knows.
    committing: bool,
    ended: bool,
}

impl Open<'_> {
    fn end(&mut self, kind: &str, value: &str) {
        self.ended = true;
        self.books.event(kind, self.process, value);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let kind = if self.committing { "info" } else { "fail" };
            let invoked = std::mem::take(&mut self.invoked);
            self.end(kind, &invoked);
        }
    }
}

/// A client of lists.
pub(super) async fn work(mut session: Session) {
    let books = session.process.books.clone();
    let process = books.process();
    while session.pause().await {
        let ops = draw(&mut session, &books);
        let invoked: Vec<String> = ops.iter().map(|op| op.told(None)).collect();
        let invoked = invoked.join(",");
        books.event("invoke", process, &invoked);
        let mut open = Open { books: &books, process, invoked, committing: false, ended: false };
        let mut txn = session.begin();
        let done = perform(&session, &mut txn, &ops).await;
        let value = match done {
            Ok(value) => value,
            Err(error) => {
                if !session.recover(&mut txn, error).await {
                    return;
                }
                continue;
            }
        };
        open.committing = true;
        let Ok(lsn) = txn.commit().await else { return };
        if session.engine.wait_durable(lsn.max(txn.observed())).await.is_err() {
            return;
        }
        open.end("ok", &value);
        books.answered(lsn);
        books.open().lists_committed += 1;
    }
}

fn draw(session: &mut Session, books: &Books) -> Vec<Op> {
    let read_only = session.draw(3) == 0;
    let count = 1 + session.draw(4);
    (0..count)
        .map(|_| {
            let dice = session.draw(1 << 20) as u64;
            if read_only || session.draw(2) == 0 {
                return Op::Read(books.key(dice));
            }
            let (key, value) = books.value(dice);
            Op::Append(key, value)
        })
        .collect()
}

impl Op {
    /// As the history tells it; a read with what it saw.
    fn told(&self, saw: Option<&str>) -> String {
        match self {
            Op::Read(key) => match saw {
                Some(list) => format!("[\"r\",{key},[{list}]]"),
                None => format!("[\"r\",{key},null]"),
            },
            Op::Append(key, value) => format!("[\"append\",{key},{value}]"),
        }
    }
}

async fn perform(session: &Session, txn: &mut Txn, ops: &[Op]) -> Result<String, EngineError> {
    let mut all = String::new();
    for op in ops {
        txn.start_statement();
        let told = match op {
            Op::Read(key) => op.told(Some(&read(session, txn, *key).await?)),
            Op::Append(key, value) => {
                append(session, txn, *key, *value).await?;
                op.told(None)
            }
        };
        session.answer(txn).await?;
        let comma = if all.is_empty() { "" } else { "," };
        let _ = write!(all, "{comma}{told}");
    }
    Ok(all)
}

async fn read(session: &Session, txn: &mut Txn, key: u64) -> Result<String, EngineError> {
    let (mut bytes, mut batch) = (Vec::new(), RowBatch::new());
    encode_index_key(&session.tables.lists, 0, &[Value::Int(key as i64)], &mut bytes);
    let found = txn.get(&session.tables.lists, 0, &bytes, LockMode::None, &mut batch).await?;
    Ok(if found { list(&batch.row(0).to_values()[1]) } else { String::new() })
}

fn list(value: &Value) -> String {
    match value {
        Value::Text(text) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

/// Changes the row, or makes it; another transaction may make it in between.
async fn append(session: &Session, txn: &mut Txn, key: u64, value: u64) -> Result<(), EngineError> {
    let table = &session.tables.lists;
    loop {
        if let Some((row, values)) = locked(txn, table, key as i64).await? {
            let new = format!("{},{value}", list(&values[1]));
            txn.update(table, &row, &[(1, Value::text(&new))]).await?;
            return Ok(());
        }
        let row = [Value::Int(key as i64), Value::text(&value.to_string())];
        match txn.insert(table, &row).await {
            Err(EngineError::Duplicate { .. }) => {}
            other => return other,
        }
    }
}
