//! What a crash with VDL at a CPL leaves, opened by a fresh engine: trees whole, indexes agree, exactly the right transfers (I19-I22).
//!
//! The pages are the model's, built from the history alone; whatever the simulated processes hold in memory is not asked. What the
//! fresh engine writes (its cleaner takes out what was cut short) stays in memory and is forgotten.

use super::books::Books;
use super::executor::Tasks;
use crate::bank;
use buffer_pool::{BufferPool, PoolConfig};
use bytes::Bytes;
use engine::{Engine, EngineError, Settings};
use protocol::contract::{
    Credit, CreditHome, LogError, LogWriter, MtrRecord, PageReader, ReadError, VdlObserver,
};
use protocol::env::{BoxFuture, Env};
use protocol::page::{self, PageBuf};
use protocol::record::{RecordHeader, encode, frame_len};
use protocol::{Lsn, PageId, PgId, Record, RecordFlags, VolumeEpoch, redo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Frames: fewer than the data has pages, so pages leave in between.
const FRAMES: usize = 128;
/// Virtual time the cleaner gets.
const CLEANED_US: u64 = 500_000;
/// Longest virtual time of all, and the steps it is run in.
const LONGEST_US: u64 = 20_000_000;
const STEP_US: u64 = 500;

struct State {
    pages: BTreeMap<PageId, PageBuf>,
    last: Lsn,
    observers: Vec<Arc<dyn VdlObserver>>,
}

/// A volume in memory on which everything is durable at once.
pub(super) struct Frozen {
    epoch: VolumeEpoch,
    state: Mutex<State>,
}

#[derive(Debug)]
struct Boundless;

impl CreditHome for Boundless {
    fn give_back(&self, _bytes: u64) {}
}

impl Frozen {
    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record as storage would have it.
fn framed(epoch: VolumeEpoch, record: &MtrRecord<'_>) -> Record {
    let header = RecordHeader {
        epoch,
        prev_pg: Lsn::ZERO,
        prev_page: record.prev_page,
        prev_volume: Lsn::ZERO,
        page: record.page,
        pg: PgId(0),
        flags: RecordFlags::default(),
    };
    let mut frame = Vec::new();
    encode(&mut frame, record.lsn, &header, record.ops.bytes());
    Record::decode(&Bytes::from(frame)).expect("invariant: just encoded")
}

impl LogWriter for Frozen {
    fn try_reserve(&self, bytes: u64) -> Result<Option<Credit>, LogError> {
        Ok(Some(Credit::new(bytes, Arc::new(Boundless))))
    }

    fn reserve(&self, bytes: u64) -> BoxFuture<'_, Result<Credit, LogError>> {
        Box::pin(async move { Ok(Credit::new(bytes, Arc::new(Boundless))) })
    }

    fn append(
        &self,
        mut credit: Credit,
        records: &mut [MtrRecord<'_>],
        _commit: bool,
    ) -> Result<Lsn, LogError> {
        let (last, observers) = {
            let mut state = self.held();
            for record in records {
                let len = frame_len(record.ops.bytes(), false) as u64;
                credit.spend(len);
                state.last = state.last.advance(len);
                record.lsn = state.last;
                let image = state.pages.entry(record.page).or_insert_with(|| PageBuf::blank(record.page));
                let applied = redo::apply(image.bytes_mut(), &framed(self.epoch, record));
                applied.unwrap_or_else(|e| panic!("redo of page {}: {e}", record.page));
            }
            (state.last, state.observers.clone())
        };
        observers.iter().for_each(|observer| observer.durable(last));
        Ok(last)
    }

    fn vdl(&self) -> Lsn {
        self.held().last
    }

    fn last_lsn(&self) -> Lsn {
        self.held().last
    }

    fn wait_durable(&self, _lsn: Lsn) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async { Ok(()) })
    }

    fn observe(&self, observer: Arc<dyn VdlObserver>) {
        self.held().observers.push(observer);
    }

    fn epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    fn ensure_pages(&self, _last: PageId) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async { Ok(()) })
    }

    fn release_below(&self, _lsn: Lsn) {}
}

impl PageReader for Frozen {
    fn read(&self, page: PageId, _at: Lsn) -> BoxFuture<'_, Result<PageBuf, ReadError>> {
        let found = self.held().pages.get(&page).cloned();
        let mut image = found.unwrap_or_else(|| PageBuf::blank(page));
        page::seal(image.bytes_mut());
        Box::pin(async move { Ok(image) })
    }
}

/// Opens these pages, the volume as of `cpl`, and asks everything; `durable` tells which commits the history holds.
///
/// # Errors
/// What does not hold.
pub(super) fn examine(
    pages: BTreeMap<PageId, PageBuf>,
    epoch: VolumeEpoch,
    cpl: Lsn,
    books: &Books,
    durable: impl Fn(Lsn) -> bool,
) -> Result<(), String> {
    let state = State { pages, last: cpl.advance(1 << 20), observers: Vec::new() };
    let volume = Arc::new(Frozen { epoch: epoch.next(), state: Mutex::new(state) });
    let expected = books.expected_at(cpl, durable);
    let tasks = Tasks::new(cpl.0, 0);
    let answer = Arc::new(Mutex::new(None));
    let (env, told) = (tasks.clone(), Arc::clone(&answer));
    let frozen = Arc::clone(&volume);
    let work = async move {
        let all = async {
            let log: Arc<dyn LogWriter> = frozen.clone();
            let pool = BufferPool::new(PoolConfig { frames: FRAMES }, Arc::clone(&log), frozen, None);
            let engine = match Engine::open(pool, log, env.env(), Settings::default()).await {
                // A volume whose first opening was cut short before it had a format has nothing to say.
                Err(EngineError::Closed) => return Ok(()),
                opened => opened.map_err(|e| format!("opening: {e}"))?,
            };
            let tables = bank::make(&engine).await.map_err(bank::say("tables"))?;
            let there = bank::audit(&engine, &tables, &expected).await;
            // What was cut short stays in trees and indexes until the cleaner took it out; then all must agree.
            env.sleep(CLEANED_US).await;
            bank::check(&engine, &tables).await?;
            there?;
            bank::audit(&engine, &tables, &expected).await.map(|_| ())
        };
        let ended = all.await;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    };
    tasks.spawn("examiner", Box::pin(work));
    let mut now_us = 0;
    while now_us < LONGEST_US {
        tasks.run(now_us);
        if let Some(ended) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tasks.end();
            volume.held().observers.clear();
            return ended;
        }
        now_us = tasks.next_wake_us().max(now_us + 1).min(now_us + STEP_US.max(CLEANED_US));
    }
    tasks.end();
    Err("the engine never ended its opening".to_owned())
}
