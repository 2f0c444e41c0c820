//! The bank: accounts with balances, a ledger with two rows a transfer, and the audit of both.
//!
//! `accounts (id primary key, owner unique, balance indexed, note)`: notes grow and shrink, so rows move.
//! `ledger (id primary key, transfer, account, amount, note; indexed by (account, transfer))`: long notes, so pages split.
//! `recent (transfer primary key, note)`: each transfer adds itself and deletes an old one, so entries are purged and pages merge.
//! `lists (k primary key, v)`: for histories of appends.
//!
//! Used at every CPL of a recorded trace (`crash_points`) and by the sessions of simulated processes (`sessions`).

use crate::sessions::{Expected, yield_now};
use engine::{
    ColumnDef, ColumnId, ColumnSet, Direction, Engine, EngineError, IndexPart, KeyRange, LockMode, NewIndex,
    NewTable, RowBatch, RowRef, TableDef, Txn, TxnOptions, encode_index_key,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use values::types::TypeKind;
use values::{Collation, ColumnType, Value};

/// Accounts of the bank.
pub(crate) const ACCOUNTS: i64 = 40;
/// What every account begins with.
pub(crate) const BALANCE: i64 = 1_000;
/// Rows kept in `recent`.
const RECENT: i64 = 10;

/// The tables.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) accounts: Arc<TableDef>,
    pub(crate) ledger: Arc<TableDef>,
    pub(crate) recent: Arc<TableDef>,
    pub(crate) lists: Arc<TableDef>,
}

/// An error of the engine, with what was tried.
pub(crate) fn say(what: &'static str) -> impl Fn(EngineError) -> String {
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

fn new_tables() -> [NewTable; 4] {
    let number = || ColumnType::integer(TypeKind::BigInt, false);
    let text = |len| ColumnType::varchar(len, Collation::DEFAULT);
    let accounts = vec![
        column("id", number()),
        column("owner", text(40)),
        column("balance", number()),
        column("note", text(300)),
    ];
    let by = vec![index("by_owner", true, &[1]), index("by_balance", false, &[2])];
    let accounts = table("accounts", accounts, by);
    let ledger = vec![
        column("id", number()),
        column("transfer", number()),
        column("account", number()),
        column("amount", number()),
        column("note", text(900)),
    ];
    let by = vec![index("by_account", false, &[2, 1])];
    let ledger = table("ledger", ledger, by);
    let recent = table("recent", vec![column("transfer", number()), column("note", text(900))], Vec::new());
    let lists = table("lists", vec![column("k", number()), column("v", text(2_000))], Vec::new());
    [accounts, ledger, recent, lists]
}

/// Makes what is not there yet: a crash may have come in between.
///
/// # Errors
/// The engine's.
pub(crate) async fn make(engine: &Arc<Engine>) -> Result<Tables, EngineError> {
    let dictionary = engine.dictionary();
    if dictionary.schema("bank").await?.is_none() {
        dictionary.create_schema("bank", "").await?;
    }
    let mut made = Vec::new();
    for new in &new_tables() {
        made.push(match dictionary.table("bank", &new.name).await? {
            Some(table) => table,
            None => dictionary.create_table(new).await?,
        });
    }
    let [accounts, ledger, recent, lists] =
        <[Arc<TableDef>; 4]>::try_from(made).expect("invariant: as many as there are new ones");
    Ok(Tables { accounts, ledger, recent, lists })
}

/// The tables, which must all be there.
///
/// # Errors
/// The first that is missing, or the engine's.
#[cfg(feature = "crash-points")]
pub(crate) async fn find(engine: &Arc<Engine>) -> Result<Tables, String> {
    let dictionary = engine.dictionary();
    for new in &new_tables() {
        let table = dictionary.table("bank", &new.name).await.map_err(say("dictionary"))?;
        table.ok_or_else(|| format!("table {} is gone", new.name))?;
    }
    make(engine).await.map_err(say("dictionary"))
}

/// Opens the accounts, all in one transaction; the LSN to wait for.
///
/// # Errors
/// The engine's.
pub(crate) async fn open_accounts(
    engine: &Arc<Engine>,
    tables: &Tables,
) -> Result<protocol::Lsn, EngineError> {
    let mut txn = engine.begin(TxnOptions::default());
    for id in 0..ACCOUNTS {
        let row =
            [Value::Int(id), Value::text(&format!("owner {id:03}")), Value::Int(BALANCE), Value::text("")];
        txn.insert(&tables.accounts, &row).await?;
    }
    txn.commit().await
}

/// The next of a client's choices.
pub(crate) fn draw(dice: &mut u64, below: i64) -> i64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*dice >> 33) % below as u64) as i64
}

/// The newest version of a row, locked.
pub(crate) async fn locked(
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

/// Moves money between two accounts, or finds that it cannot.
pub(crate) async fn transfer(
    txn: &mut Txn,
    tables: &Tables,
    id: i64,
    dice: &mut u64,
) -> Result<(), EngineError> {
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

/// Every row of an index, as the transaction sees it.
pub(crate) async fn rows(
    txn: &mut Txn,
    table: &Arc<TableDef>,
    index_no: usize,
) -> Result<Vec<Vec<Value>>, String> {
    let mut batch = RowBatch::new();
    let range = KeyRange::all();
    let mut scan = txn.scan(table, index_no, &range, Direction::Forward, LockMode::None, ColumnSet::All);
    while scan.next(txn, &mut batch).await.map_err(say("scan"))? > 0 {}
    Ok(batch.iter().map(|row| row.to_values()).collect())
}

/// A number of ours.
pub(crate) fn int(value: &Value) -> i64 {
    if let Value::Int(number) = value { *number } else { i64::MIN }
}

/// Everything that must hold when these transfers are committed; those found.
///
/// # Errors
/// What does not hold.
pub(crate) async fn audit(
    engine: &Arc<Engine>,
    tables: &Tables,
    expected: &Expected,
) -> Result<BTreeSet<i64>, String> {
    let mut txn = engine.begin(TxnOptions::default());
    let ledger = rows(&mut txn, &tables.ledger, 0).await?;
    let mut balances: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, BALANCE)).collect();
    let mut found: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &ledger {
        *found.entry(int(&row[1])).or_default() += 1;
        *balances.entry(int(&row[2])).or_default() += int(&row[3]);
    }
    let there: BTreeSet<i64> = found.keys().copied().collect();
    let lost: Vec<_> = expected.must.difference(&there).take(5).collect();
    let unknown = |id: &&i64| !expected.must.contains(id) && !expected.may.contains(id);
    let more: Vec<_> = there.iter().filter(unknown).take(5).collect();
    if !lost.is_empty() || !more.is_empty() {
        return Err(format!("I1/I21: transfers lost {lost:?}, never committed {more:?}"));
    }
    if let Some((id, count)) = found.iter().find(|(_, count)| **count != 2) {
        return Err(format!("transfer {id} has {count} ledger rows"));
    }
    let accounts = rows(&mut txn, &tables.accounts, 0).await?;
    let held: BTreeMap<i64, i64> = accounts.iter().map(|row| (int(&row[0]), int(&row[2]))).collect();
    let sum: i64 = held.values().sum();
    if sum != ACCOUNTS * BALANCE {
        return Err(format!("I22: the balances add up to {sum}, not {}", ACCOUNTS * BALANCE));
    }
    if held != balances {
        return Err("I22: a balance is not what the ledger says".into());
    }
    for (table, index_no, count) in [
        (&tables.accounts, 1, accounts.len()),
        (&tables.accounts, 2, accounts.len()),
        (&tables.ledger, 1, ledger.len()),
    ] {
        let by_index = rows(&mut txn, table, index_no).await?.len();
        if by_index != count {
            return Err(format!("I20: {}: index {index_no} finds {by_index} of {count} rows", table.name));
        }
    }
    txn.rollback().await.map_err(say("ending the audit"))?;
    Ok(there)
}

/// Trees whole, primary and secondary indexes agree, version chains can be walked.
///
/// # Errors
/// The first finding.
pub(crate) async fn check(engine: &Arc<Engine>, tables: &Tables) -> Result<(), String> {
    for table in [&tables.accounts, &tables.ledger, &tables.recent, &tables.lists] {
        let report = engine.check_table(table).await.map_err(say("check"))?;
        if let Some(first) = report.findings.first() {
            return Err(format!("I19/I20: {}: {first} ({} findings)", table.name, report.findings.len()));
        }
    }
    Ok(())
}
