//! Records a trace: the bank at work on one engine over a volume in memory.

use crate::bank::{Tables, draw, make, open_accounts, say, transfer};
use buffer_pool::testing::MemoryVolume;
use engine::testing::{Executor, open, yield_now};
use engine::{Engine, TxnOptions};
use protocol::Lsn;
use protocol::contract::LogWriter;
use protocol::env::Env;
use std::sync::{Arc, Mutex, PoisonError};

const TELLERS: i64 = 4;
const TRANSFERS: i64 = 12;

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

/// Runs the bank until all tellers are through and purge has caught up.
pub(super) async fn record(
    volume: &Arc<MemoryVolume>,
    executor: &Executor,
    seed: u64,
    frames: usize,
) -> Result<Bank, String> {
    let engine = open(volume, executor, frames).await.map_err(say("opening"))?;
    let tables = make(&engine).await.map_err(say("making the tables"))?;
    let opened = open_accounts(&engine, &tables).await.map_err(say("opening the accounts"))?;
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
