//! The life of one process: it opens the engine, makes what is missing, audits, then serves its clients until it dies or they rest.
//!
//! Every answer waits for the lease and for the durability of what it rests on, as a session's does (R8 f, I17).

use super::books::{Books, Fate};
use super::executor::Tasks;
use super::lists;
use crate::bank::{self, ACCOUNTS, BALANCE, Tables, draw, int, rows, say};
use crate::volume::Volume;
use buffer_pool::BufferPool;
use engine::{Engine, EngineError, Isolation, Settings, Txn, TxnOptions};
use protocol::contract::LogWriter;
use protocol::env::Env;
use std::sync::Arc;

/// Clients of each kind.
const TELLERS: u32 = 3;
const LISTERS: u32 = 4;
/// Mean pause of a client between two transactions, microseconds.
const PAUSE_US: i64 = 12_000;
/// Longest wait for a lock.
const LOCK_WAIT_US: u64 = 300_000;
/// How often the last audit looks whether the cleaner and purge are through, and how often at most.
const CLEANED_US: u64 = 50_000;
const CLEANED_LOOKS: u32 = 60;

/// A process and what it works with.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) volume: Arc<Volume>,
    pub(super) pool: Arc<BufferPool>,
    pub(super) log: Arc<dyn LogWriter>,
    pub(super) tasks: Tasks,
    pub(super) books: Books,
}

/// Its engine, open.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) process: Process,
    pub(super) engine: Arc<Engine>,
    pub(super) tables: Tables,
    pub(super) number: u32,
    pub(super) dice: u64,
}

/// What ends a process is no fault of the engine: the next one goes on.
pub(super) fn process_ends(error: &EngineError) -> bool {
    matches!(error, EngineError::Fenced | EngineError::Closed)
}

/// What a transaction may meet.
fn ordinary(error: &EngineError) -> bool {
    process_ends(error) || matches!(error, EngineError::Deadlock | EngineError::LockWaitTimeout)
}

/// See the module.
pub(super) async fn live(process: Process) {
    match open(&process).await {
        Ok((engine, tables)) => {
            if let Err(why) = serve(&process, engine, tables).await {
                process.books.wrong(why);
            }
        }
        Err(error) if process_ends(&error) => {}
        Err(error) => process.books.wrong(format!("an opening of the engine: {error}")),
    }
}

async fn open(process: &Process) -> Result<(Arc<Engine>, Tables), EngineError> {
    let Process { pool, log, tasks, books, .. } = process;
    let (pool, log) = (Arc::clone(pool), Arc::clone(log));
    let engine = Engine::open(pool, log, tasks.env(), Settings::default()).await?;
    let tables = bank::make(&engine).await?;
    let mut txn = engine.begin(TxnOptions::default());
    let mut batch = engine::RowBatch::new();
    let mut key = Vec::new();
    engine::encode_index_key(&tables.accounts, 0, &[values::Value::Int(0)], &mut key);
    let there = txn.get(&tables.accounts, 0, &key, engine::LockMode::None, &mut batch).await?;
    txn.rollback().await?;
    if !there {
        let lsn = bank::open_accounts(&engine, &tables).await?;
        engine.wait_durable(lsn).await?;
        books.answered(lsn);
    }
    books.open().opened = true;
    Ok((engine, tables))
}

async fn serve(process: &Process, engine: Arc<Engine>, tables: Tables) -> Result<(), String> {
    let books = &process.books;
    let found = bank::audit(&engine, &tables, &books.expected()).await;
    // An audit is a statement as well: without the lease another writer may have answered in between, and this one says nothing.
    if process.volume.answerable().await.is_err() {
        return Ok(());
    }
    let found = found.map_err(|why| format!("after an opening: {why}"))?;
    books.settle(&found);
    if books.stopped() {
        return last_audit(process, &engine, &tables).await;
    }
    for number in 0..TELLERS + LISTERS + 1 {
        let dice = process.tasks.random();
        let (engine, tables) = (Arc::clone(&engine), tables.clone());
        let session = Session { process: process.clone(), engine, tables, number, dice };
        let client = async move {
            match number {
                0 => sums(session).await,
                1..=TELLERS => tell(session).await,
                _ => lists::work(session).await,
            }
        };
        process.tasks.spawn("client", Box::pin(client));
    }
    Ok(())
}

/// At rest: once what was cut short is taken out, trees are whole and indexes agree.
async fn last_audit(process: &Process, engine: &Arc<Engine>, tables: &Tables) -> Result<(), String> {
    for look in 0.. {
        process.tasks.sleep(CLEANED_US).await;
        let status = engine.status();
        if status.aborted_transactions == 0 {
            break;
        }
        if look == CLEANED_LOOKS {
            return Err(format!("P1: the cleaner is not through: {status:?}"));
        }
    }
    bank::check(engine, tables).await?;
    let found = bank::audit(engine, tables, &process.books.expected()).await?;
    process.books.settle(&found);
    process.books.open().closed = true;
    Ok(())
}

impl Session {
    pub(super) fn draw(&mut self, below: i64) -> i64 {
        draw(&mut self.dice, below)
    }

    pub(super) fn begin(&self) -> Txn {
        let (isolation, session) = (self.process.books.level, self.number);
        self.engine.begin(TxnOptions {
            isolation,
            session,
            lock_wait_timeout_us: LOCK_WAIT_US,
            ..TxnOptions::default()
        })
    }

    /// A pause; false once there is nothing more to do.
    pub(super) async fn pause(&mut self) -> bool {
        let us = self.draw(2 * PAUSE_US) as u64 + 1;
        self.process.tasks.sleep(us).await;
        !self.process.books.stopped()
    }

    /// The statement just done may be answered: what it saw is durable, and the lease stands.
    pub(super) async fn answer(&self, txn: &Txn) -> Result<(), EngineError> {
        self.engine.wait_durable(txn.observed()).await?;
        self.process.volume.answerable().await.map_err(|_| EngineError::Closed)
    }

    /// An error ended a transaction. False when the process is at its end, or something is wrong.
    pub(super) async fn recover(&self, txn: &mut Txn, error: EngineError) -> bool {
        if !ordinary(&error) {
            self.process.books.wrong(format!("a client met: {error}"));
            return false;
        }
        if txn.is_open() {
            let _ = txn.rollback().await;
        }
        !process_ends(&error)
    }
}

/// A transfer whose process dies before COMMIT is dead.
struct Open<'a>(&'a Books, i64);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let begun = self.0.open().transfers.get(&self.1) == Some(&Fate::Begun);
        if begun {
            self.0.set(self.1, Fate::Dead);
        }
    }
}

async fn tell(mut session: Session) {
    let books = session.process.books.clone();
    while session.pause().await {
        let id = books.begin();
        let _open = Open(&books, id);
        let mut txn = session.begin();
        let mut dice = session.dice ^ id as u64;
        let done = bank::transfer(&mut txn, &session.tables, id, &mut dice).await;
        if let Err(error) = done {
            if !session.recover(&mut txn, error).await {
                return;
            }
            continue;
        }
        if session.draw(6) == 0 {
            if txn.rollback().await.is_err() {
                return;
            }
            continue;
        }
        books.set(id, Fate::Committing);
        let Ok(lsn) = txn.commit().await else { return };
        books.set(id, Fate::Known(lsn));
        if session.engine.wait_durable(lsn.max(txn.observed())).await.is_err() {
            return;
        }
        books.set(id, Fate::Acked(lsn));
    }
}

/// One statement that reads every account sees the whole sum, at every level.
async fn sums(mut session: Session) {
    let books = session.process.books.clone();
    while session.pause().await {
        let mut txn = session.begin();
        txn.start_statement();
        let all = rows(&mut txn, &session.tables.accounts, 0).await;
        let answered = session.answer(&txn).await;
        let all = match (all, answered) {
            (Ok(all), Ok(())) => all,
            (Err(why), Ok(())) if books.level != Isolation::Serializable => return books.wrong(why),
            (Err(_), Ok(())) => {
                if txn.is_open() && txn.rollback().await.is_err() {
                    return;
                }
                continue;
            }
            (_, Err(_)) => return,
        };
        let sum: i64 = all.iter().map(|row| int(&row[2])).sum();
        if sum != ACCOUNTS * BALANCE || all.len() as i64 != ACCOUNTS {
            let accounts = all.len();
            return books.wrong(format!("I22: one statement saw {accounts} accounts with {sum} in all"));
        }
        books.open().sums += 1;
        if let Err(error) = txn.commit().await {
            if !process_ends(&error) {
                books.wrong(say("the end of a reader")(error));
            }
            return;
        }
    }
}
