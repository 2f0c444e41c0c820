//! The bank: accounts with balances, a ledger with two rows a transfer, and the audit of both.
//!
//! `accounts (id primary key, owner unique, balance indexed, note)`: notes grow and shrink, so rows move.
//! `ledger (id primary key, transfer, account, amount, note; indexed by (account, transfer))`: long notes, so pages split.
//! `recent (transfer primary key, note)`: each transfer adds itself and deletes an old one, so entries are purged and pages merge.

use buffer_pool::testing::MemoryVolume;
use engine::testing::{Executor, open, yield_now};
use engine::{
    ColumnDef, ColumnId, ColumnSet, Direction, Engine, EngineError, IndexPart, KeyRange, LockMode, NewIndex,
    NewTable, RowBatch, RowRef, TableDef, Txn, TxnOptions, encode_index_key,
};
use protocol::Lsn;
use protocol::contract::LogWriter;
use protocol::env::Env;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use values::types::TypeKind;
use values::{Collation, ColumnType, Value};

const ACCOUNTS: i64 = 40;
const BALANCE: i64 = 1_000;
const TELLERS: i64 = 4;
const TRANSFERS: i64 = 12;
/// Rows kept in `recent`.
const RECENT: i64 = 10;

/// An acknowledged transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    pub(super) id: i64,
    pub(super) lsn: Lsn,
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Bank {
    /// From this CPL on the bank is open: all accounts are there.
    pub(super) opened: Lsn,
    pub(super) transfers: Vec<Transfer>,
    pub(super) rollbacks: u64,
}

/// The three tables.
#[derive(Clone)]
struct Tables {
    accounts: Arc<TableDef>,
    ledger: Arc<TableDef>,
    recent: Arc<TableDef>,
}

fn say(what: &'static str) -> impl Fn(EngineError) -> String {
    move |error| format!("{what}: {error}")
}

fn column(name: &str, ty: ColumnType) -> ColumnDef {
    ColumnDef {
        id: ColumnId(0),
        name: name.into(),
        ty,
        nullable: false,
        default: None,
        on_update_now: false,
        auto_increment: false,
        comment: String::new(),
        generated: None,
    }
}

fn index(name: &str, unique: bool, columns: &[usize]) -> NewIndex {
    let parts = columns.iter().map(|&c| part(c)).collect();
    NewIndex { name: name.into(), unique, parts, comment: String::new() }
}

fn part(column: usize) -> IndexPart {
    IndexPart { column, descending: false, prefix_chars: None }
}

fn table(name: &str, columns: Vec<ColumnDef>, indexes: Vec<NewIndex>) -> NewTable {
    NewTable {
        schema: "bank".into(),
        name: name.into(),
        columns,
        primary: vec![part(0)],
        indexes,
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        auto_increment_start: 0,
        comment: String::new(),
        options: String::new(),
    }
}

async fn make(engine: &Arc<Engine>) -> Result<Tables, EngineError> {
    let number = || ColumnType::integer(TypeKind::BigInt, false);
    let text = |len| ColumnType::varchar(len, Collation::DEFAULT);
    let dictionary = engine.dictionary();
    dictionary.create_schema("bank", "").await?;
    let accounts = vec![
        column("id", number()),
        column("owner", text(40)),
        column("balance", number()),
        column("note", text(300)),
    ];
    let by = vec![index("by_owner", true, &[1]), index("by_balance", false, &[2])];
    let accounts = dictionary.create_table(&table("accounts", accounts, by)).await?;
    let ledger = vec![
        column("id", number()),
        column("transfer", number()),
        column("account", number()),
        column("amount", number()),
        column("note", text(900)),
    ];
    let by = vec![index("by_account", false, &[2, 1])];
    let ledger = dictionary.create_table(&table("ledger", ledger, by)).await?;
    let recent = vec![column("transfer", number()), column("note", text(900))];
    let recent = dictionary.create_table(&table("recent", recent, Vec::new())).await?;
    Ok(Tables { accounts, ledger, recent })
}

async fn find(engine: &Arc<Engine>) -> Result<Tables, String> {
    let dictionary = engine.dictionary();
    let mut found = Vec::new();
    for name in ["accounts", "ledger", "recent"] {
        let table = dictionary.table("bank", name).await.map_err(say("dictionary"))?;
        found.push(table.ok_or_else(|| format!("table {name} is gone"))?);
    }
    let mut found = found.into_iter();
    match (found.next(), found.next(), found.next()) {
        (Some(accounts), Some(ledger), Some(recent)) => Ok(Tables { accounts, ledger, recent }),
        _ => Err("tables are gone".into()),
    }
}

/// Runs the bank until all tellers are through and purge has caught up.
pub(super) async fn record(
    volume: &Arc<MemoryVolume>,
    executor: &Executor,
    seed: u64,
    frames: usize,
) -> Result<Bank, String> {
    let engine = open(volume, executor, frames).await.map_err(say("opening"))?;
    let tables = make(&engine).await.map_err(say("making the tables"))?;
    let mut txn = engine.begin(TxnOptions::default());
    for id in 0..ACCOUNTS {
        let row =
            [Value::Int(id), Value::text(&format!("owner {id:03}")), Value::Int(BALANCE), Value::text("")];
        txn.insert(&tables.accounts, &row).await.map_err(say("an account"))?;
    }
    let opened = txn.commit().await.map_err(say("the first commit"))?;
    let bank = Arc::new(Mutex::new(Bank { opened, ..Bank::default() }));
    for teller in 0..TELLERS {
        let (engine, tables, bank) = (Arc::clone(&engine), tables.clone(), Arc::clone(&bank));
        let dice = seed.wrapping_mul(31).wrapping_add(teller as u64);
        executor.spawn("teller", Box::pin(tell(engine, tables, bank, teller, dice)));
    }
    let all = (TELLERS * TRANSFERS) as u64;
    loop {
        {
            let bank = bank.lock().unwrap_or_else(PoisonError::into_inner);
            if bank.transfers.len() as u64 + bank.rollbacks >= all {
                break;
            }
        }
        yield_now().await;
        if executor.now_us() > 600_000_000 {
            return Err("the tellers are not through after ten minutes".into());
        }
        executor.sleep(100).await;
    }
    // Purge and the cleaner write too; their CPLs belong to the trace.
    executor.sleep(1_000_000).await;
    engine.shutdown().await;
    volume.advance(volume.last_lsn());
    let bank = bank.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(bank)
}

fn draw(dice: &mut u64, below: i64) -> i64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*dice >> 33) % below as u64) as i64
}

/// One teller's work: transfers one after the other; what fails counts as rolled back.
async fn tell(engine: Arc<Engine>, tables: Tables, bank: Arc<Mutex<Bank>>, teller: i64, mut dice: u64) {
    for number in 0..TRANSFERS {
        let id = number * TELLERS + teller + 1;
        let mut txn = engine.begin(TxnOptions::default());
        let done = transfer(&mut txn, &tables, id, &mut dice).await;
        let commits = done.is_ok() && draw(&mut dice, 6) > 0;
        let lsn = if commits { txn.commit().await.ok() } else { None };
        if lsn.is_none() && txn.is_open() {
            let _ = txn.rollback().await;
        }
        if let Some(lsn) = lsn {
            let _ = engine.wait_durable(lsn).await;
        }
        let mut bank = bank.lock().unwrap_or_else(PoisonError::into_inner);
        match lsn {
            Some(lsn) => bank.transfers.push(Transfer { id, lsn }),
            None => bank.rollbacks += 1,
        }
    }
}

async fn locked(
    txn: &mut Txn,
    table: &Arc<TableDef>,
    id: i64,
) -> Result<Option<(RowRef, Vec<Value>)>, EngineError> {
    let mut key = Vec::new();
    encode_index_key(table, 0, &[Value::Int(id)], &mut key);
    let mut batch = RowBatch::new();
    let found = txn.get(table, 0, &key, LockMode::Exclusive, &mut batch).await?;
    Ok(found.then(|| (batch.row_ref(0), batch.row(0).to_values())))
}

async fn transfer(txn: &mut Txn, tables: &Tables, id: i64, dice: &mut u64) -> Result<(), EngineError> {
    txn.start_statement();
    let from = draw(dice, ACCOUNTS);
    let to = (from + 1 + draw(dice, ACCOUNTS - 1)) % ACCOUNTS;
    let amount = 1 + draw(dice, 90);
    let note = |len: i64| Value::text(&"n".repeat(len as usize));
    for (at, (account, change)) in [(from, -amount), (to, amount)].into_iter().enumerate() {
        let Some((row, values)) = locked(txn, &tables.accounts, account).await? else { continue };
        let Value::Int(balance) = values[2] else { continue };
        let new = [(2, Value::Int(balance + change)), (3, note(draw(dice, 300)))];
        txn.update(&tables.accounts, &row, &new).await?;
        let entry = [
            Value::Int(id * 2 + at as i64),
            Value::Int(id),
            Value::Int(account),
            Value::Int(change),
            note(300 + draw(dice, 600)),
        ];
        txn.insert(&tables.ledger, &entry).await?;
        yield_now().await;
    }
    txn.start_statement();
    txn.insert(&tables.recent, &[Value::Int(id), note(500 + draw(dice, 400))]).await?;
    if let Some((row, _)) = locked(txn, &tables.recent, id - RECENT).await? {
        txn.delete(&tables.recent, &row).await?;
    }
    Ok(())
}

async fn rows(txn: &mut Txn, table: &Arc<TableDef>, index_no: usize) -> Result<Vec<Vec<Value>>, String> {
    let mut batch = RowBatch::new();
    let range = KeyRange::all();
    let mut scan = txn.scan(table, index_no, &range, Direction::Forward, LockMode::None, ColumnSet::All);
    while scan.next(txn, &mut batch).await.map_err(say("scan"))? > 0 {}
    Ok(batch.iter().map(|row| row.to_values()).collect())
}

fn int(value: &Value) -> i64 {
    if let Value::Int(number) = value { *number } else { i64::MIN }
}

/// Everything that must hold when exactly the transfers `expected` are committed; the ledger rows found.
pub(super) async fn audit(engine: &Arc<Engine>, expected: &BTreeSet<i64>) -> Result<u64, String> {
    let tables = find(engine).await?;
    let mut txn = engine.begin(TxnOptions::default());
    let ledger = rows(&mut txn, &tables.ledger, 0).await?;
    let mut balances: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
    let mut found: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &ledger {
        *found.entry(int(&row[1])).or_default() += 1;
        *balances.entry(int(&row[2])).or_default() += int(&row[3]);
    }
    let there: BTreeSet<i64> = found.keys().copied().collect();
    if there != *expected {
        let lost: Vec<_> = expected.difference(&there).take(5).collect();
        let more: Vec<_> = there.difference(expected).take(5).collect();
        return Err(format!("transfers lost {lost:?}, never committed {more:?}"));
    }
    if let Some((id, count)) = found.iter().find(|(_, count)| **count != 2) {
        return Err(format!("transfer {id} has {count} ledger rows"));
    }
    let accounts = rows(&mut txn, &tables.accounts, 0).await?;
    let held: BTreeMap<i64, i64> = accounts.iter().map(|row| (int(&row[0]), int(&row[2]))).collect();
    let sum: i64 = held.values().sum();
    if sum != ACCOUNTS * BALANCE {
        return Err(format!("the balances add up to {sum}, not {}", ACCOUNTS * BALANCE));
    }
    if held != balances {
        return Err("a balance is not what the ledger says".into());
    }
    for (table, index_no, count) in [
        (&tables.accounts, 1, accounts.len()),
        (&tables.accounts, 2, accounts.len()),
        (&tables.ledger, 1, ledger.len()),
    ] {
        let by_index = rows(&mut txn, table, index_no).await?.len();
        if by_index != count {
            return Err(format!("{}: index {index_no} finds {by_index} of {count} rows", table.name));
        }
    }
    txn.rollback().await.map_err(say("ending the audit"))?;
    Ok(ledger.len() as u64)
}

/// Trees whole, primary and secondary indexes agree, version chains can be walked.
pub(super) async fn check(engine: &Arc<Engine>) -> Result<(), String> {
    let tables = find(engine).await?;
    for table in [&tables.accounts, &tables.ledger, &tables.recent] {
        let report = engine.check_table(table).await.map_err(say("check"))?;
        if let Some(first) = report.findings.first() {
            return Err(format!("{}: {first} ({} findings)", table.name, report.findings.len()));
        }
    }
    Ok(())
}
