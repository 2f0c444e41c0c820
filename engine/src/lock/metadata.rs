//! Metadata locks: who uses a table's definition, so that nobody changes it meanwhile.
//!
//! A transaction holds a weak lock (`Read`, `Write`) on each table it has used, to its end. DDL and LOCK TABLES take strong ones, and wait.
//! Weak locks stand with their holder, strong ones with the table: a statement takes a mutex that is its session's own, and DDL, which is
//! rare, looks through all sessions.
//!
//! ```text
//!   strong[slot of t] == 0:  holder.held += (t, Read)             one mutex, nobody else's
//!   else:  tables[t]:  strong: s7 NoWrite    queue: s7 Exclusive, s9 Write, s4 Read     in order, an upgrade first
//! ```
//!
//! | held, or asked for before | Read | Write | ReadOnly | Upgradable | NoWrite | Exclusive |
//! |---|---|---|---|---|---|---|
//! | Read | yes | yes | yes | yes | yes | no |
//! | Write | yes | yes | no | yes | no | no |
//! | ReadOnly | yes | no | yes | yes | yes | no |
//! | Upgradable, NoWrite, Exclusive | see above | see above | see above | no | no | no |
//!
//! Invariants:
//! 1. A strong request raises its table's slot before it looks at the holders, and a weak lock is entered while the slot is zero, both under
//!    the holder's mutex: one sees the other.
//! 2. Mutexes are taken in one order: `tables`, then `holders`, then a holder's `state`.
//! 3. Requests are served in order, but for those that agree with everybody before them: a waiting DDL keeps newcomers out, as in MySQL.

use super::name::LockRef;
use super::owner::{Grant, Owner, Request, Wanted};
use crate::dictionary::TableId;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

const SLOTS: usize = 64;
/// No tree has this id.
const METADATA: u64 = u64::MAX - 1;

/// How a table's definition is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MetadataMode {
    /// Rows are read.
    Read,
    /// Rows are changed, or locked for that.
    Write,
    /// LOCK TABLES ... READ: nobody changes rows.
    ReadOnly,
    /// DDL beside readers and writers.
    Upgradable,
    /// DDL beside readers.
    NoWrite,
    /// LOCK TABLES ... WRITE, and DDL that swaps definitions: nobody else is there.
    Exclusive,
}

impl MetadataMode {
    fn is_weak(self) -> bool {
        self <= MetadataMode::Write
    }

    fn agrees(self, other: MetadataMode) -> bool {
        use MetadataMode::{Exclusive, NoWrite, Read, ReadOnly, Upgradable, Write};
        match (self.min(other), self.max(other)) {
            (_, Exclusive) => false,
            (Read, _) => true,
            (Write, other) => matches!(other, Write | Upgradable),
            (ReadOnly, other) => matches!(other, ReadOnly | Upgradable | NoWrite),
            _ => false,
        }
    }

    /// As `metadata_locks.LOCK_TYPE` prints it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            MetadataMode::Read => "SHARED_READ",
            MetadataMode::Write => "SHARED_WRITE",
            MetadataMode::ReadOnly => "SHARED_READ_ONLY",
            MetadataMode::Upgradable => "SHARED_UPGRADABLE",
            MetadataMode::NoWrite => "SHARED_NO_WRITE",
            MetadataMode::Exclusive => "EXCLUSIVE",
        }
    }
}

/// One who holds metadata locks: a session, whose transactions, DDL and LOCK TABLES do not stand in each other's way.
pub struct MetadataHolder {
    key: u64,
    session: u32,
    state: Mutex<HolderState>,
}

#[derive(Default)]
struct HolderState {
    /// Weak locks: the table, and the strongest mode.
    held: Vec<(TableId, MetadataMode)>,
    /// The owner that this holder's transaction or DDL waits as, for the wait-for graph.
    waits_as: Option<Arc<Owner>>,
}

impl HolderState {
    fn keep(&mut self, table: TableId, mode: MetadataMode) {
        match self.held.iter_mut().find(|(t, _)| *t == table) {
            Some((_, m)) => *m = (*m).max(mode),
            None => self.held.push((table, mode)),
        }
    }
}

impl fmt::Debug for MetadataHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetadataHolder({} of session {})", self.key, self.session)
    }
}

impl MetadataHolder {
    pub(crate) fn session(&self) -> u32 {
        self.session
    }

    /// Says which owner of row locks is the same transaction.
    pub(crate) fn wait_as(&self, owner: &Arc<Owner>) {
        self.state.lock().waits_as = Some(Arc::clone(owner));
    }
}

/// A strong lock that is held.
#[derive(Debug)]
struct Strong {
    holder: Arc<MetadataHolder>,
    mode: MetadataMode,
    /// Of LOCK TABLES; else of a DDL statement.
    explicit: bool,
}

#[derive(Debug)]
struct Asked {
    holder: Arc<MetadataHolder>,
    mode: MetadataMode,
    explicit: bool,
    request: Request,
}

#[derive(Debug, Default)]
struct TableState {
    strong: Vec<Strong>,
    queue: VecDeque<Asked>,
}

/// All metadata locks of the process.
#[derive(Debug)]
pub(crate) struct MetadataLocks {
    /// Strong locks held, and requests of any kind waiting, by tables hashed: zero for nearly every table nearly always.
    slots: [AtomicU32; SLOTS],
    tables: Mutex<BTreeMap<TableId, TableState>>,
    holders: Mutex<BTreeMap<u64, Weak<MetadataHolder>>>,
    next: AtomicU64,
}

/// One metadata lock, for reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MetadataHeld {
    pub(crate) table: TableId,
    pub(crate) session: u32,
    pub(crate) mode: MetadataMode,
    pub(crate) explicit: bool,
    pub(crate) waiting: bool,
}

impl MetadataLocks {
    pub(crate) fn new() -> MetadataLocks {
        MetadataLocks {
            slots: std::array::from_fn(|_| AtomicU32::new(0)),
            tables: Mutex::default(),
            holders: Mutex::default(),
            next: AtomicU64::new(1),
        }
    }

    /// A new holder; `session` is for reports.
    pub(crate) fn holder(&self, session: u32) -> Arc<MetadataHolder> {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let holder = Arc::new(MetadataHolder { key, session, state: Mutex::default() });
        let mut holders = self.holders.lock();
        if key.is_multiple_of(256) {
            holders.retain(|_, h| h.strong_count() > 0);
        }
        holders.insert(key, Arc::downgrade(&holder));
        holder
    }

    fn slot(&self, table: TableId) -> &AtomicU32 {
        &self.slots[(table.0 % SLOTS as u64) as usize]
    }

    /// Takes a weak lock if nobody with a strong one is about. What is slow is [`MetadataLocks::ask`]'s.
    pub(crate) fn try_weak(&self, holder: &MetadataHolder, table: TableId, mode: MetadataMode) -> bool {
        let mut state = holder.state.lock();
        let free = self.slot(table).load(Ordering::SeqCst) == 0;
        if free {
            state.keep(table, mode);
        }
        free
    }

    /// Asks for a lock as `owner`; it may be granted before this returns. A holder that has a strong lock already, of the same kind, asks for a
    /// stronger one in its place, before everybody else.
    pub(crate) fn ask(
        &self,
        holder: &Arc<MetadataHolder>,
        owner: &Arc<Owner>,
        (table, mode, explicit): (TableId, MetadataMode, bool),
    ) -> Request {
        holder.wait_as(owner);
        let request = Request::new(owner, LockRef::new(METADATA, &table.0.to_be_bytes()), Wanted::Metadata);
        let mut tables = self.tables.lock();
        self.slot(table).fetch_add(1, Ordering::SeqCst);
        let state = tables.entry(table).or_default();
        let asked = Asked { holder: Arc::clone(holder), mode, explicit, request: request.clone() };
        let upgrade = state.strong.iter().any(|s| s.holder.key == holder.key);
        if upgrade {
            state.queue.push_front(asked);
        } else {
            state.queue.push_back(asked);
        }
        self.serve(&mut tables, table);
        request
    }

    /// Takes back a request that is not granted.
    pub(crate) fn withdraw(&self, request: &Request) {
        let table = table_of(request);
        let mut tables = self.tables.lock();
        let Some(state) = tables.get_mut(&table) else { return };
        let before = state.queue.len();
        state.queue.retain(|a| !a.request.is(request));
        if state.queue.len() < before {
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
        }
        self.serve(&mut tables, table);
    }

    /// The end of a transaction: its weak locks.
    pub(crate) fn release_weak(&self, holder: &MetadataHolder) {
        let mut gone: SmallVec<[TableId; 8]> = SmallVec::new();
        {
            let mut state = holder.state.lock();
            state.waits_as = None;
            gone.extend(state.held.drain(..).map(|(table, _)| table));
        }
        for table in gone {
            if self.slot(table).load(Ordering::SeqCst) > 0 {
                self.serve(&mut self.tables.lock(), table);
            }
        }
    }

    /// Gives a strong lock back.
    pub(crate) fn release_strong(&self, holder: &MetadataHolder, table: TableId, explicit: bool) {
        let mut tables = self.tables.lock();
        let Some(state) = tables.get_mut(&table) else { return };
        let at = state.strong.iter().position(|s| s.holder.key == holder.key && s.explicit == explicit);
        if let Some(at) = at {
            state.strong.remove(at);
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
        }
        self.serve(&mut tables, table);
    }

    /// Grants what can be granted.
    fn serve(&self, tables: &mut BTreeMap<TableId, TableState>, table: TableId) {
        let Some(state) = tables.get_mut(&table) else { return };
        let mut at = 0;
        while at < state.queue.len() {
            let asked = &state.queue[at];
            if !self.blockers_of(state, table, &asked.holder, asked.mode, at).is_empty() {
                at += 1;
                continue;
            }
            let Some(asked) = state.queue.remove(at) else { return };
            self.grant(state, table, &asked);
        }
        if state.strong.is_empty() && state.queue.is_empty() {
            tables.remove(&table);
        }
    }

    fn grant(&self, state: &mut TableState, table: TableId, asked: &Asked) {
        let mine = |s: &&mut Strong| s.holder.key == asked.holder.key && s.explicit == asked.explicit;
        if asked.request.parker.outcome().is_some() {
            // A victim's: it is passed over.
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
        } else if asked.mode.is_weak() {
            asked.holder.state.lock().keep(table, asked.mode);
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
            asked.request.parker.set(Grant::Granted);
        } else if let Some(strong) = state.strong.iter_mut().find(mine) {
            // If the request turns out to be a victim's, the lock is a little stronger than needed until it goes.
            strong.mode = strong.mode.max(asked.mode);
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
            asked.request.parker.set(Grant::Granted);
        } else if asked.request.parker.set(Grant::Granted) {
            let (holder, mode, explicit) = (Arc::clone(&asked.holder), asked.mode, asked.explicit);
            state.strong.push(Strong { holder, mode, explicit });
        } else {
            self.slot(table).fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Holders in the way of a request with so many others before it, and what they wait as.
    fn blockers_of(
        &self,
        state: &TableState,
        table: TableId,
        holder: &MetadataHolder,
        mode: MetadataMode,
        ahead: usize,
    ) -> Vec<Option<Arc<Owner>>> {
        let clash = |h: &MetadataHolder, m: MetadataMode| h.key != holder.key && !m.agrees(mode);
        let strong = state.strong.iter().filter(|s| clash(&s.holder, s.mode));
        let mut all: Vec<_> = strong.map(|s| s.holder.state.lock().waits_as.clone()).collect();
        let before = state.queue.iter().take(ahead);
        all.extend(before.filter(|a| clash(&a.holder, a.mode)).map(|a| Some(Arc::clone(&a.request.owner))));
        if !mode.is_weak() {
            for other in self.holders.lock().values().filter_map(Weak::upgrade) {
                let state = other.state.lock();
                if state.held.iter().any(|(t, m)| *t == table && clash(&other, *m)) {
                    all.push(state.waits_as.clone());
                }
            }
        }
        all
    }

    /// Who must end before a request can be granted, as far as they wait for something themselves.
    pub(super) fn blockers(&self, request: &Request) -> Vec<Arc<Owner>> {
        let table = table_of(request);
        let tables = self.tables.lock();
        let Some(state) = tables.get(&table) else { return Vec::new() };
        let Some(at) = state.queue.iter().position(|a| a.request.is(request)) else { return Vec::new() };
        let asked = &state.queue[at];
        self.blockers_of(state, table, &asked.holder, asked.mode, at).into_iter().flatten().collect()
    }

    /// Every lock held and waited for, by table and session.
    pub(crate) fn list(&self) -> Vec<MetadataHeld> {
        let mut all = Vec::new();
        for (table, state) in self.tables.lock().iter() {
            for Strong { holder, mode, explicit } in &state.strong {
                let (table, session) = (*table, holder.session);
                all.push(MetadataHeld { table, session, mode: *mode, explicit: *explicit, waiting: false });
            }
            for Asked { holder, mode, explicit, .. } in &state.queue {
                let (table, session) = (*table, holder.session);
                all.push(MetadataHeld { table, session, mode: *mode, explicit: *explicit, waiting: true });
            }
        }
        for holder in self.holders.lock().values().filter_map(Weak::upgrade) {
            for (table, mode) in holder.state.lock().held.iter() {
                let (table, mode, session) = (*table, *mode, holder.session);
                all.push(MetadataHeld { table, session, mode, explicit: false, waiting: false });
            }
        }
        all.sort_by_key(|l| (l.table, l.session, l.mode, l.waiting));
        all
    }

    /// Strong locks and requests, for tests.
    #[cfg(test)]
    pub(crate) fn busy(&self) -> usize {
        self.tables.lock().values().map(|s| s.strong.len() + s.queue.len()).sum()
    }
}

fn table_of(request: &Request) -> TableId {
    let mut id = [0; 8];
    id.copy_from_slice(&request.name.key);
    TableId(u64::from_be_bytes(id))
}
