//! A transaction: its view, its undo, its locks, and its end.
//!
//! A [`Txn`] is used by one task at a time. Beginning one costs nothing; a read opens a view, a lock makes an owner, the first write
//! takes a TxId, a slot and a unit of undo space. Ends: [`Txn::commit`], [`Txn::rollback`]; dropping an open one hands it to the cleaner.

pub(crate) mod counter;
mod end;
mod metadata;
pub(crate) mod registry;
pub(crate) mod slots;
pub(crate) mod views;
mod waits;

use crate::dictionary::{TableDef, TableId};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::format::TxId;
use crate::format::unit::Class;
use crate::lock::{LockMode, LockWait, MetadataHolder, MetadataMode, Owner};
use crate::rows::seen::Eyes;
use crate::sync::KillSwitch;
use crate::undo::log::{Mark, UndoLog};
use protocol::lsn::Lsn;
use smallvec::SmallVec;
use std::sync::Arc;
use views::ViewPlace;
pub(crate) use waits::Queued;

/// What a transaction's plain reads see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// Each statement sees what was durable when it began. READ UNCOMMITTED is served as this.
    ReadCommitted,
    /// Every statement sees what was durable when the first one read.
    #[default]
    RepeatableRead,
    /// As REPEATABLE READ, but plain reads lock what they look at (shared), gaps included.
    Serializable,
}

/// How a transaction is begun.
#[derive(Clone, Debug)]
pub struct TxnOptions {
    /// See [`Isolation`].
    pub isolation: Isolation,
    /// Writes answer 1792.
    pub read_only: bool,
    /// `innodb_lock_wait_timeout`, in microseconds.
    pub lock_wait_timeout_us: u64,
    /// Any number that spreads sessions (a connection id): sessions with different ones share no lock at their begin and end.
    pub session: u32,
    /// `lock_wait_timeout`, in microseconds: how long to wait for a table that DDL or LOCK TABLES has.
    pub metadata_timeout_us: u64,
    /// The session's switch; without one the transaction gets its own.
    pub kill: Option<Arc<KillSwitch>>,
    /// The session's metadata locks; without one the transaction gets its own.
    pub holder: Option<Arc<MetadataHolder>>,
}

impl Default for TxnOptions {
    fn default() -> TxnOptions {
        TxnOptions {
            isolation: Isolation::default(),
            read_only: false,
            lock_wait_timeout_us: 50_000_000,
            session: 0,
            metadata_timeout_us: 31_536_000_000_000,
            kill: None,
            holder: None,
        }
    }
}

/// A transaction.
pub struct Txn {
    pub(crate) engine: Arc<Engine>,
    options: TxnOptions,
    kill: Option<Arc<KillSwitch>>,
    lock_wait: LockWait,
    /// What the row that is in an insert's way is locked with.
    duplicate_lock: LockMode,
    /// False for the dictionary's own transactions, which one gate keeps apart.
    gaps: bool,
    /// `foreign_key_checks`.
    pub(crate) foreign_keys: bool,
    /// Cascades under way.
    pub(crate) cascades: u32,
    place: Option<ViewPlace>,
    view: Option<Lsn>,
    /// Views ended by the history bound, when this one was last known to be whole.
    views_ended: u64,
    owner: Option<Arc<Owner>>,
    undo: Option<UndoLog>,
    /// Tables used: the stamp of the definition that holds, and the metadata lock.
    tables: SmallVec<[(TableId, u64, MetadataMode); 2]>,
    /// Metadata locks were asked for.
    used_tables: bool,
    statement: Mark,
    savepoints: Vec<(String, Mark)>,
    observed: Lsn,
    open: bool,
}

impl std::fmt::Debug for Txn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Txn({:?} {:?} open {})", self.txid(), self.view, self.open)
    }
}

impl Txn {
    pub(crate) fn new(engine: Arc<Engine>, options: TxnOptions) -> Txn {
        Txn {
            kill: options.kill.clone(),
            engine,
            options,
            lock_wait: LockWait::Wait,
            duplicate_lock: LockMode::Shared,
            gaps: true,
            foreign_keys: true,
            cascades: 0,
            place: None,
            view: None,
            views_ended: 0,
            owner: None,
            undo: None,
            tables: SmallVec::new(),
            used_tables: false,
            statement: Mark::default(),
            savepoints: Vec::new(),
            observed: Lsn::ZERO,
            open: true,
        }
    }

    /// Begins a statement: READ COMMITTED gets a new view at its next read; [`Txn::rollback_statement`] returns to here.
    pub fn start_statement(&mut self) {
        self.statement = self.mark();
        self.observed = Lsn::ZERO;
        self.lock_wait = LockWait::Wait;
        self.duplicate_lock = LockMode::Shared;
        let keep = self.options.isolation != Isolation::ReadCommitted;
        if !keep {
            self.view = None;
        }
        if let Some(place) = self.place {
            self.engine.views.statement(place, keep);
        }
    }

    /// Whether neither commit nor rollback has happened.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether writes answer 1792.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// Whether anything was written.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.undo.as_ref().is_some_and(|u| u.begun)
    }

    /// The highest commit LSN that the running statement's result depends on: wait for it before answering.
    #[must_use]
    pub fn observed(&self) -> Lsn {
        self.observed
    }

    /// The switch that ends this transaction's waits.
    pub fn kill_switch(&mut self) -> Arc<KillSwitch> {
        Arc::clone(self.kill.get_or_insert_with(Arc::default))
    }

    /// What locking reads do about held locks, until the next statement.
    pub fn set_lock_wait(&mut self, lock_wait: LockWait) {
        self.lock_wait = lock_wait;
    }

    /// What an insert that meets a duplicate locks the row in its way with, until the next statement: shared unless told otherwise;
    /// exclusive for REPLACE and ON DUPLICATE KEY UPDATE.
    pub fn set_duplicate_lock(&mut self, mode: LockMode) {
        self.duplicate_lock = mode;
    }

    pub(crate) fn duplicate_lock(&self) -> LockMode {
        self.duplicate_lock
    }

    /// Whether locking reads keep inserts out of what they have looked at.
    pub(crate) fn locks_gaps(&self) -> bool {
        self.gaps && self.options.isolation != Isolation::ReadCommitted
    }

    /// Whether this transaction takes gap locks at all.
    pub(crate) fn keeps_gaps(&self) -> bool {
        self.gaps
    }

    /// The same without gap locks.
    pub(crate) fn without_gaps(mut self) -> Txn {
        self.gaps = false;
        self
    }

    /// Changes the isolation level from the next statement on; for a transaction that has not read yet.
    pub fn set_isolation(&mut self, isolation: Isolation) {
        self.options.isolation = isolation;
    }

    /// The isolation level.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.options.isolation
    }

    /// Opens the read view now (START TRANSACTION WITH CONSISTENT SNAPSHOT).
    pub fn open_view(&mut self) {
        self.eyes();
    }

    pub(crate) fn observe(&mut self, lsn: Lsn) {
        self.observed = self.observed.max(lsn);
    }

    pub(crate) fn lock_wait_mode(&self) -> LockWait {
        self.lock_wait
    }

    /// Do plain reads lock what they see (SERIALIZABLE)?
    pub fn locks_reads(&self) -> bool {
        self.effective(LockMode::None) != LockMode::None
    }

    /// The lock a read takes at this isolation level.
    pub(crate) fn effective(&self, lock: LockMode) -> LockMode {
        match (self.options.isolation, lock) {
            (Isolation::Serializable, LockMode::None) => LockMode::Shared,
            (_, lock) => lock,
        }
    }

    /// This transaction's identity, `NONE` before its first write.
    pub(crate) fn txid(&self) -> TxId {
        self.undo.as_ref().map_or(TxId::NONE, |u| u.txid)
    }

    /// Takes a place among the statements under way, so that nothing it may copy is forgotten.
    fn enter(&mut self) -> ViewPlace {
        let (views, session) = (&self.engine.views, self.options.session);
        *self.place.get_or_insert_with(|| views.enter(session))
    }

    /// The view of the running statement, opened when there is none.
    pub(crate) fn eyes(&mut self) -> Eyes {
        let view = match self.view {
            Some(view) => view,
            None => {
                let place = self.enter();
                self.views_ended = self.engine.views.ended();
                let view = self.engine.views.view(place, || self.engine.vdl());
                self.view = Some(view);
                view
            }
        };
        Eyes { me: self.txid(), view }
    }

    /// What a plain read came to, asked after it: with the view ended under it, what it found is worth nothing.
    pub(crate) fn still_seen<T>(&mut self, done: Result<T>) -> Result<T> {
        let ended = self.engine.views.ended();
        if let Some(place) = self.place.filter(|_| self.view.is_some() && ended != self.views_ended) {
            if self.engine.views.is_ended(place) {
                return Err(EngineError::SnapshotTooOld);
            }
            self.views_ended = ended;
        }
        done
    }

    /// Opens the view, and refuses an index that was built after it: older versions are not in there.
    pub(crate) fn check_index(&mut self, table: &TableDef, no: usize, lock: LockMode) -> Result<()> {
        let view = self.eyes().view;
        let usable = lock != LockMode::None || table.runtime.since[no] <= view;
        if usable { Ok(()) } else { Err(EngineError::TableChanged) }
    }

    /// This transaction among the locks.
    pub(crate) fn owner(&mut self) -> Arc<Owner> {
        self.enter();
        Arc::clone(
            self.owner.get_or_insert_with(|| Owner::new(self.engine.new_owner(), self.options.session)),
        )
    }

    pub(crate) fn check_killed(&self) -> Result<()> {
        match &self.kill {
            Some(kill) => kill.check(self.engine.env.now_us()),
            None => Ok(()),
        }
    }

    /// Everything a write needs before its first row.
    pub(crate) async fn begin_write(&mut self, table: &Arc<TableDef>) -> Result<()> {
        if self.options.read_only {
            return Err(EngineError::ReadOnly);
        }
        self.hold(table, MetadataMode::Write).await
    }

    /// The undo chain; the first call takes TxId, slot and a unit.
    pub(crate) async fn undo_log(&mut self) -> Result<&mut UndoLog> {
        if self.undo.is_none() {
            let owner = self.owner();
            let engine = &self.engine;
            let txid = engine.new_txid(&owner).await?;
            owner.set_txid(txid.0);
            let slot = match engine.slots.take(&engine.space).await {
                Ok(slot) => slot,
                Err(error) => {
                    engine.registry.forget(txid);
                    return Err(error);
                }
            };
            let session = self.options.session;
            let unit = match engine.undo.take(&engine.space, Class::Small, session).await {
                Ok(unit) => unit,
                Err(error) => {
                    engine.slots.give_back(slot);
                    engine.registry.forget(txid);
                    return Err(error);
                }
            };
            self.undo = Some(UndoLog::new(txid, slot, unit, session));
        }
        Ok(self.undo.as_mut().expect("invariant: made above"))
    }

    /// Where the undo chain stands.
    pub(crate) fn mark(&self) -> Mark {
        self.undo.as_ref().map_or_else(Mark::default, |u| u.mark())
    }

    /// Sets a savepoint; one of the same name is replaced.
    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.savepoints.push((name.to_owned(), self.mark()));
    }

    /// Forgets a savepoint and those after it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSavepoint`].
    pub fn release(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Undoes what was written since a savepoint, and forgets those after it. Row locks stay.
    ///
    /// # Errors
    /// [`EngineError::NoSuchSavepoint`], and those of the log.
    pub async fn rollback_to(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at + 1);
        let mark = self.savepoints[at].1;
        self.take_back(mark).await
    }

    /// Undoes what the running statement wrote. Row locks stay.
    ///
    /// # Errors
    /// Those of the log.
    pub async fn rollback_statement(&mut self) -> Result<()> {
        self.take_back(self.statement).await
    }

    fn find_savepoint(&self, name: &str) -> Result<usize> {
        let found = self.savepoints.iter().rposition(|(n, _)| n.eq_ignore_ascii_case(name));
        found.ok_or_else(|| EngineError::NoSuchSavepoint(name.to_owned()))
    }
}
