//! The engine: what all transactions share, opening and closing.
//!
//! Opening an existing volume reads the volume page, the transaction table and the roots of the dictionary, and nothing else: what did
//! not commit is invisible because its slot says so. Everything that takes longer (undo of the dead, the list of free undo pages, trees
//! of unfinished DDL) is done by background tasks after the first answer.

use crate::commit_queue::CommitQueue;
use crate::dictionary::Catalog;
use crate::error::{EngineError, Result};
use crate::format::TxId;
use crate::history::History;
use crate::lock::{LockTable, OwnerId, Waits};
use crate::sync::Gate;
use crate::txn::counter::Counter;
use crate::txn::registry::{Registry, State};
use crate::txn::slots::{SlotTable, make_page};
use crate::txn::views::Views;
use crate::txn::{Txn, TxnOptions};
use crate::undo::space::UndoSpace;
use btree::Space;
use buffer_pool::BufferPool;
use parking_lot::Mutex;
use protocol::contract::LogWriter;
use protocol::env::Env;
use protocol::lsn::{Lsn, VolumeEpoch};
use protocol::page::PageId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The engine's slots on the volume page.
pub(crate) mod slot_of_volume {
    /// Version of the engine's formats on this volume; written last when a volume is formatted.
    pub(crate) const FORMAT: usize = 0;
    /// First page of the transaction table.
    pub(crate) const TRANSACTIONS: usize = 1;
    /// Ceilings of the three counters.
    pub(crate) const TXIDS: usize = 2;
    pub(crate) const ROW_IDS: usize = 3;
    pub(crate) const OBJECT_IDS: usize = 4;
    /// Commits at or below are purged.
    pub(crate) const PURGED: usize = 5;
    /// Root of the tree of auto-increment ceilings.
    pub(crate) const COUNTERS: usize = 6;
    /// Roots of the dictionary's own trees, from here on.
    pub(crate) const DICTIONARY: usize = 16;
}

/// The engine's format number. A volume of another one is refused, but for [`OLDER_FORMAT`].
pub(crate) const ENGINE_FORMAT: u64 = 2;
/// The same with undo pages that are never divided and a dictionary without references: read as it is, and then no longer for a build of that time.
const OLDER_FORMAT: u64 = 1;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A rollback of at most so many bytes of undo reverts in place; a larger one answers at once and is cleaned behind.
    pub small_rollback_bytes: u64,
    /// How often purge looks when it has something to do, in microseconds.
    pub purge_interval_us: u64,
    /// Undo kept for read views, in bytes; past it the oldest view ends. A transaction counts 2 KiB at least: the default is four million
    /// small transactions, and up to 400 MiB of memory to know them.
    pub max_history_bytes: u64,
    /// Auto-increment values, TxIds and row ids persisted at once.
    pub counter_chunk: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            small_rollback_bytes: 256 * 1024,
            purge_interval_us: 5_000,
            max_history_bytes: 8 << 30,
            counter_chunk: 4096,
        }
    }
}

/// The engine. Everything on it may be called from any task.
pub struct Engine {
    pub(crate) pool: Arc<BufferPool>,
    pub(crate) log: Arc<dyn LogWriter>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) space: Arc<Space>,
    pub(crate) settings: Settings,
    pub(crate) epoch: VolumeEpoch,
    pub(crate) registry: Registry,
    pub(crate) views: Views,
    pub(crate) slots: SlotTable,
    pub(crate) undo: UndoSpace,
    pub(crate) locks: LockTable,
    pub(crate) waits: Waits,
    pub(crate) commits: Arc<CommitQueue>,
    pub(crate) txids: Counter,
    pub(crate) row_ids: Counter,
    pub(crate) object_ids: Counter,
    pub(crate) history: History,
    pub(crate) catalog: Catalog,
    /// One at a time takes an aborted version out of a row.
    pub(crate) reverting: Gate,
    /// One inserter of a unique secondary key at a time, by hash of the key.
    pub(crate) unique_gates: Vec<Gate>,
    births: Mutex<()>,
    next_owner: AtomicU64,
    pub(crate) closing: AtomicBool,
    pub(crate) max_history_bytes: AtomicU64,
    pub(crate) counts: Counts,
}

/// Events since opening.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) commits: AtomicU64,
    pub(crate) rollbacks: AtomicU64,
    pub(crate) lock_waits: AtomicU64,
    pub(crate) deadlocks: AtomicU64,
    pub(crate) purged: AtomicU64,
    pub(crate) reverted: AtomicU64,
    pub(crate) background_errors: AtomicU64,
    pub(crate) views_ended: AtomicU64,
    pub(crate) index_only: AtomicU64,
    pub(crate) row_lookups: AtomicU64,
}

/// A look at the engine, for SHOW STATUS and tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct EngineStatus {
    pub commits: u64,
    pub rollbacks: u64,
    pub lock_waits: u64,
    pub deadlocks: u64,
    pub purged_transactions: u64,
    pub reverted_changes: u64,
    pub background_errors: u64,
    pub unsettled_transactions: usize,
    pub history_length: usize,
    pub history_bytes: u64,
    pub views_ended: u64,
    /// Entries of secondary indexes that scans made rows of without looking at the row, and those whose rows they looked up.
    pub index_only_entries: u64,
    pub row_lookups: u64,
    pub aborted_transactions: usize,
    pub slots_used: usize,
    pub undo_pages: u64,
    pub undo_pages_free: u64,
    pub explicit_locks: usize,
    pub waiting: usize,
    pub parked_commits: usize,
    pub commit_wakes: u64,
    pub commits_released: u64,
    pub open_transactions: usize,
    pub open_views: usize,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("epoch", &self.epoch).field("status", &self.status()).finish()
    }
}

impl Engine {
    /// Opens the engine on a volume; formats an empty one.
    ///
    /// # Errors
    /// [`EngineError::Corruption`] for a volume of another format, and when the volume cannot be read or written.
    pub async fn open(
        pool: Arc<BufferPool>,
        log: Arc<dyn LogWriter>,
        env: Arc<dyn Env>,
        settings: Settings,
    ) -> Result<Arc<Engine>> {
        let space = Engine::open_space(&pool, log.epoch()).await?;
        let first = PageId(space.slot(slot_of_volume::TRANSACTIONS)?);
        let (slots, used) = SlotTable::open(&pool, first).await?;
        let chunk = settings.counter_chunk;
        let commits = Arc::new(CommitQueue::default());
        let txids = Counter::open(&space, slot_of_volume::TXIDS, chunk)?;
        let engine = Arc::new(Engine {
            txids,
            row_ids: Counter::open(&space, slot_of_volume::ROW_IDS, chunk)?,
            object_ids: Counter::open(&space, slot_of_volume::OBJECT_IDS, 64)?,
            epoch: log.epoch(),
            registry: Registry::new(),
            views: Views::new(),
            slots,
            undo: UndoSpace::opened(),
            locks: LockTable::new(),
            waits: Waits::default(),
            commits: Arc::clone(&commits),
            history: History::default(),
            catalog: Catalog::open(&space).await?,
            reverting: Gate::default(),
            unique_gates: (0..64).map(|_| Gate::default()).collect(),
            births: Mutex::new(()),
            next_owner: AtomicU64::new(1),
            closing: AtomicBool::new(false),
            max_history_bytes: AtomicU64::new(settings.max_history_bytes),
            counts: Counts::default(),
            pool,
            log,
            env,
            space,
            settings,
        });
        for (no, slot) in used {
            engine.registry.set(slot.txid, State::Aborted);
            engine.history.abandon(slot.txid, no, slot.first_undo);
        }
        engine.registry.raise_horizon(TxId(engine.txids.peek()));
        engine.log.observe(commits);
        engine.commits.start(engine.log.vdl());
        engine.spawn_tasks();
        Ok(engine)
    }

    /// Opens the space of a volume, formatting it (and the engine's part) when it is empty.
    async fn open_space(pool: &Arc<BufferPool>, epoch: VolumeEpoch) -> Result<Arc<Space>> {
        let blank = Space::is_blank(pool).await?;
        let space = if blank { Space::format(pool).await? } else { Space::open(pool).await? };
        match space.slot(slot_of_volume::FORMAT)? {
            ENGINE_FORMAT => Catalog::format(&space).await?,
            OLDER_FORMAT => {
                Catalog::format(&space).await?;
                Engine::set_format(&space).await?;
            }
            0 => {
                if space.slot(slot_of_volume::TRANSACTIONS)? == 0 {
                    make_page(&space, None).await?;
                }
                Catalog::format(&space).await?;
                Engine::set_format(&space).await?;
            }
            other => {
                let what = format!("engine format {other}, this build knows {ENGINE_FORMAT} (epoch {epoch})");
                return Err(EngineError::corrupt(PageId(0), what));
            }
        }
        Ok(space)
    }

    async fn set_format(space: &Arc<Space>) -> Result<()> {
        let volume = space.volume_page();
        space
            .change(&[volume], 256, |mtr| {
                space.set_slot(mtr, slot_of_volume::FORMAT, ENGINE_FORMAT);
                btree::Decision::Done(())
            })
            .await?;
        Ok(())
    }

    fn spawn_tasks(self: &Arc<Engine>) {
        let commits = Arc::clone(&self.commits);
        self.env.spawn("commit-queue", Box::pin(async move { while commits.dispatch().await {} }));
        crate::history::spawn(self);
    }

    /// Begins a transaction: no I/O, and no read view before its first read.
    #[must_use]
    pub fn begin(self: &Arc<Self>, options: TxnOptions) -> Txn {
        Txn::new(Arc::clone(self), options)
    }

    /// Completes once everything up to `lsn` is durable. Parks in the commit queue; `Lsn::ZERO` returns at once.
    ///
    /// # Errors
    /// [`EngineError::Fenced`] or [`EngineError::Closed`]: whether it became durable is not known here.
    pub async fn wait_durable(&self, lsn: Lsn) -> Result<()> {
        self.commits.wait(lsn).await
    }

    /// Sets `sextant_max_history_bytes` while running.
    pub fn set_max_history_bytes(&self, bytes: u64) {
        self.max_history_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A look at the engine.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let (open_transactions, open_views) = self.views.count();
        let (undo_pages, undo_pages_free) = self.undo.count();
        let (commit_wakes, commits_released) = self.commits.counts();
        let (history_length, aborted_transactions) = self.history.lengths();
        EngineStatus {
            commits: get(&self.counts.commits),
            rollbacks: get(&self.counts.rollbacks),
            lock_waits: get(&self.counts.lock_waits),
            deadlocks: get(&self.counts.deadlocks),
            purged_transactions: get(&self.counts.purged),
            reverted_changes: get(&self.counts.reverted),
            background_errors: get(&self.counts.background_errors),
            unsettled_transactions: self.registry.len(),
            history_length,
            history_bytes: self.history.bytes(),
            views_ended: get(&self.counts.views_ended),
            index_only_entries: get(&self.counts.index_only),
            row_lookups: get(&self.counts.row_lookups),
            aborted_transactions,
            slots_used: self.slots.used(),
            undo_pages,
            undo_pages_free,
            explicit_locks: self.locks.len(),
            waiting: self.waits.len(),
            parked_commits: self.commits.parked(),
            commit_wakes,
            commits_released,
            open_transactions,
            open_views,
        }
    }

    /// Ends the background tasks. Open transactions are left as a crash would leave them: rolled back by the next opening.
    pub async fn shutdown(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let _ = self.save_auto_increment().await;
        let last = self.log.last_lsn();
        let _ = self.log.wait_durable(last).await;
        self.history.event.raise();
        self.commits.close();
    }

    /// VDL, never behind what a session was told: whoever got an OK sees his commit.
    pub(crate) fn vdl(&self) -> Lsn {
        self.log.vdl().max(self.commits.vdl())
    }

    pub(crate) fn new_owner(&self) -> OwnerId {
        OwnerId(self.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// A TxId, entered as active before anybody can think it settled.
    pub(crate) async fn new_txid(&self, owner: &Arc<crate::lock::Owner>) -> Result<TxId> {
        loop {
            {
                let _births = self.births.lock();
                if let Some(number) = self.txids.try_next() {
                    let txid = TxId(number);
                    self.registry.set(txid, State::Active(Arc::clone(owner)));
                    return Ok(txid);
                }
            }
            self.txids.raise(&self.space).await?;
        }
    }

    /// Every TxId below is either entered in the registry or settled.
    pub(crate) fn next_txid(&self) -> TxId {
        let _births = self.births.lock();
        TxId(self.txids.peek())
    }
}
