//! A machine crash at every CPL of a recorded trace: trees whole, indexes agree, bank sum right.
//!
//! One bank runs on the real engine, trees and pool over a volume in memory (module `record`): concurrent transfers, rollbacks,
//! growing and shrinking rows, deletes, purge. Its log is the trace. Then, for each CPL of it, a fresh engine opens what a
//! crash with VDL at that CPL leaves, and everything that must hold is asked of it (I1, I19-I22):
//!
//! 1. every tree is whole, primary and secondary indexes agree, version chains can be walked (`Engine::check_table`);
//! 2. exactly the transfers whose commit LSN is at or below the CPL are there, each with its two ledger rows;
//! 3. every balance is what the ledger says, and all balances add up to what they began with;
//! 4. every page in memory equals what storage serves (part of the tree check).

mod record;

use crate::bank;
use crate::sessions::Expected;
use buffer_pool::testing::{Durability, MemoryVolume};
use engine::testing::{Executor, open};
use protocol::Lsn;
use protocol::env::Env;
use record::{Bank, Transfer};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Frames of every pool: fewer than the data has pages, so pages leave in between.
const FRAMES: usize = 128;
/// Virtual time between two advances of VDL.
const QUORUM_US: u64 = 2_000;
/// Virtual time the cleaner gets after an opening.
const CLEANED_US: u64 = 500_000;
/// Failures told; the rest is only counted.
const TOLD: usize = 5;

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Transfers acknowledged while the trace was recorded.
    pub transfers: u64,
    /// Transactions rolled back on purpose or by a deadlock.
    pub rollbacks: u64,
    /// Records of the trace.
    pub records: u64,
    /// CPLs at which a crash was tried.
    pub crashes: u64,
    /// Ledger rows checked, over all crashes.
    pub rows: u64,
    /// Pages initialised in the trace: splits and new trees.
    pub pages: u64,
    /// Crashes after which something did not hold.
    pub failed: u64,
    /// The first of them, with what was wrong.
    pub failures: Vec<String>,
}

impl Report {
    /// One line of facts.
    #[must_use]
    pub fn facts(&self) -> String {
        let Report { transfers, rollbacks, records, crashes, rows, pages, failed, .. } = self;
        format!(
            "transfers={transfers} rollbacks={rollbacks} records={records} pages_made={pages} crashes={crashes} rows_checked={rows} \
             failed={failed}"
        )
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(what);
        }
    }
}

/// Records a trace from `seed`, then crashes at every CPL of it.
#[must_use]
pub fn run(seed: u64) -> Report {
    let mut report = Report::default();
    let volume = MemoryVolume::with(Durability::Behind(3), 10_000_000, 1);
    let recorded = quiet(|| {
        let executor = Executor::new(seed);
        durably(&volume, &executor, record::record(&volume, &executor, seed, FRAMES))
    });
    let bank = match recorded {
        Ok(bank) => bank,
        Err(why) => {
            report.fail(format!("while the trace was recorded: {why}"));
            return report;
        }
    };
    let records = volume.records();
    report.transfers = bank.transfers.len() as u64;
    report.rollbacks = bank.rollbacks;
    report.records = records.len() as u64;
    report.pages = records.iter().filter(|r| r.starts_with_init()).count() as u64;
    for cpl in volume.cpls().into_iter().filter(|cpl| *cpl >= bank.opened) {
        report.crashes += 1;
        match quiet(|| crash(&volume, cpl, &bank)) {
            Ok(rows) => report.rows += rows,
            Err(why) => report.fail(format!("crash at {cpl}: {why}")),
        }
    }
    report
}

/// Runs `work` while the log becomes durable every now and then, as it would by itself.
fn durably<T>(volume: &Arc<MemoryVolume>, executor: &Executor, work: impl Future<Output = T>) -> T {
    let over = Arc::new(AtomicBool::new(false));
    let (log, sleeper, ended) = (Arc::clone(volume), executor.clone(), Arc::clone(&over));
    executor.spawn(
        "quorum",
        Box::pin(async move {
            while !ended.load(Ordering::Relaxed) {
                log.advance(Lsn::MAX);
                sleeper.sleep(QUORUM_US).await;
            }
        }),
    );
    executor.block_on(async {
        let done = work.await;
        // The tasks hold the executor; let them end, or every crash would leave one behind.
        over.store(true, Ordering::Relaxed);
        executor.sleep(10_000).await;
        done
    })
}

/// A core's assertion is a failure of its crash, not the end of all.
fn quiet<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_string())).unwrap_or_default())
    })
}

/// Opens what a crash at `cpl` leaves and asks all questions; the ledger rows found.
fn crash(volume: &Arc<MemoryVolume>, cpl: Lsn, bank: &Bank) -> Result<u64, String> {
    let left = volume.crash_at(cpl);
    let executor = Executor::new(cpl.0);
    durably(&left, &executor, async {
        let engine = open(&left, &executor, FRAMES).await.map_err(|e| format!("opening: {e}"))?;
        let tables = bank::find(&engine).await?;
        let must = bank.transfers.iter().filter(|Transfer { lsn, .. }| *lsn <= cpl).map(|t| t.id).collect();
        let expected = Expected { must, may: BTreeSet::new() };
        let found = bank::audit(&engine, &tables, &expected).await?;
        // What transactions cut short left in trees and indexes is the cleaner's to take out; then all must agree.
        executor.sleep(CLEANED_US).await;
        bank::check(&engine, &tables).await?;
        bank::audit(&engine, &tables, &expected).await?;
        engine.shutdown().await;
        Ok(2 * found.len() as u64)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_torn_at_any_cpl() {
        let report = super::run(2);
        assert_eq!(report.failures, Vec::<String>::new(), "{}", report.facts());
        assert!(report.crashes > 400 && report.transfers > 20 && report.rollbacks > 2, "{}", report.facts());
    }
}
