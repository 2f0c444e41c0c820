//! What goes with a table definition in memory: its row layout, its open trees, and what all versions of the definition share (the table
//! lock, the auto-increment counter, the row estimate).

use crate::dictionary::schema::{IndexPart, TableDef};
use crate::error::{EngineError, Result};
use crate::format::row::Layout;
use crate::sync::{Gate, KillSwitch, Parker, WaitEnd, wait};
use btree::Tree;
use parking_lot::Mutex;
use protocol::env::Env;
use protocol::lsn::Lsn;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use values::KeyPart;

/// One version of a table, ready to be used.
#[derive(Clone, Default)]
pub(crate) struct Runtime {
    pub(crate) layout: Layout,
    /// One per index.
    pub(crate) trees: Vec<Arc<Tree>>,
    /// One list per index: how its own key parts are encoded.
    pub(crate) keys: Vec<Vec<KeyPart>>,
    /// One per index: a view older than this must not use it.
    pub(crate) since: Vec<Lsn>,
    pub(crate) shared: Arc<TableShared>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({} trees)", self.trees.len())
    }
}

/// Two definitions are equal when what they say is equal.
impl PartialEq for Runtime {
    fn eq(&self, _: &Runtime) -> bool {
        true
    }
}
impl Eq for Runtime {}

impl Runtime {
    /// The layout and keys of a definition.
    pub(crate) fn new(def: &TableDef, trees: Vec<Arc<Tree>>, shared: Arc<TableShared>) -> Runtime {
        let part = |p: &IndexPart| {
            let column = &def.columns[p.column];
            KeyPart {
                ty: column.ty,
                nullable: column.nullable,
                descending: p.descending,
                prefix: p.prefix_chars,
            }
        };
        Runtime {
            layout: Layout::new(def.columns.iter().map(|c| c.ty)),
            trees,
            since: vec![Lsn::ZERO; def.indexes.len()],
            keys: def.indexes.iter().map(|i| i.parts.iter().map(part).collect()).collect(),
            shared,
        }
    }
}

/// What all versions of one table share.
#[derive(Debug, Default)]
pub(crate) struct TableShared {
    pub(crate) lock: TableLock,
    /// The stamp of the definition that writers must have; 0 before the first is loaded, `u64::MAX` once the table is dropped.
    pub(crate) stamp: AtomicU64,
    /// AUTO_INCREMENT: the next value and the persisted ceiling; 0: not loaded yet.
    pub(crate) next_auto: AtomicU64,
    pub(crate) auto_ceiling: AtomicU64,
    pub(crate) auto_gate: Gate,
    /// Rows, roughly: estimated when the table is loaded, counted from there on.
    pub(crate) rows: AtomicI64,
    pub(crate) estimated: AtomicBool,
}

/// Writers share a table; DDL has it alone. First come, first served.
#[derive(Debug, Default)]
pub(crate) struct TableLock {
    state: Mutex<LockState>,
}

#[derive(Debug, Default)]
struct LockState {
    writers: u32,
    exclusive: bool,
    queue: VecDeque<(bool, Arc<Parker<()>>)>,
}

impl LockState {
    fn admits(&self, exclusive: bool) -> bool {
        !self.exclusive && (!exclusive || self.writers == 0)
    }

    fn admit(&mut self, exclusive: bool) {
        if exclusive {
            self.exclusive = true;
        } else {
            self.writers += 1;
        }
    }

    fn serve(&mut self) {
        while let Some((exclusive, parker)) = self.queue.front().cloned() {
            if !self.admits(exclusive) {
                return;
            }
            self.queue.pop_front();
            // A place whose task gave up is passed over (its outcome is set by the one who gave up).
            if parker.set(()) {
                self.admit(exclusive);
            }
        }
    }
}

impl TableLock {
    /// Takes the lock if nobody is in the way or waiting.
    pub(crate) fn try_take(&self, exclusive: bool) -> bool {
        let mut state = self.state.lock();
        let free = state.queue.is_empty() && state.admits(exclusive);
        if free {
            state.admit(exclusive);
        }
        free
    }

    /// Takes the lock, waiting at most `timeout_us`.
    pub(crate) async fn take(
        &self,
        exclusive: bool,
        env: &dyn Env,
        timeout_us: u64,
        kill: &KillSwitch,
    ) -> Result<()> {
        if self.try_take(exclusive) {
            return Ok(());
        }
        let parker = Parker::new();
        {
            let mut state = self.state.lock();
            state.queue.push_back((exclusive, Arc::clone(&parker)));
            state.serve();
        }
        let mut place = Place { lock: self, exclusive, parker, taken: false };
        let end = wait(&place.parker, env, timeout_us, kill).await;
        if place.parker.outcome().is_some() {
            place.taken = true;
            return Ok(());
        }
        drop(place);
        Err(match end {
            WaitEnd::Killed => kill.error().unwrap_or(EngineError::Interrupted),
            _ => EngineError::LockWaitTimeout,
        })
    }

    /// Gives it back.
    pub(crate) fn release(&self, exclusive: bool) {
        let mut state = self.state.lock();
        if exclusive {
            assert!(state.exclusive, "table lock: released exclusive, held by {} writers", state.writers);
            state.exclusive = false;
        } else {
            assert!(state.writers > 0, "table lock: released by a writer, held by none");
            state.writers -= 1;
        }
        state.serve();
    }
}

/// A place in the queue; leaves it when the waiting task goes away.
struct Place<'a> {
    lock: &'a TableLock,
    exclusive: bool,
    parker: Arc<Parker<()>>,
    taken: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let granted = {
            let mut state = self.lock.state.lock();
            let before = state.queue.len();
            state.queue.retain(|(_, p)| !Arc::ptr_eq(p, &self.parker));
            let granted = before == state.queue.len();
            if !granted {
                state.serve();
            }
            granted
        };
        if granted {
            self.lock.release(self.exclusive);
        }
    }
}
