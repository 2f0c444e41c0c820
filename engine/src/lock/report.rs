//! What locks there are and who waits for whom: for `performance_schema.data_locks`, `data_lock_waits` and SHOW ENGINE INNODB STATUS.
//!
//! Taken shard by shard while everybody goes on, so two lines may be of slightly different moments, as in MySQL. Rows that are locked by
//! their TxId alone (nobody wanted them) are not entries of the lock table and are not listed.

use super::owner::{Request, Wanted};
use super::{LockMode, MetadataMode, Owner};
use crate::dictionary::TableDef;
use crate::engine::Engine;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What kind of lock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LockKind {
    /// A record, shared: `S,REC_NOT_GAP`.
    RecordShared,
    /// A record, exclusive: `X,REC_NOT_GAP`.
    RecordExclusive,
    /// A range of keys without its records: `X,GAP`.
    Gap,
    /// An insert that waits for a gap: `X,INSERT_INTENTION`.
    InsertIntention,
    /// A table's definition; in deadlocks only.
    Metadata,
}

impl LockKind {
    /// As `data_locks.LOCK_MODE` prints it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            LockKind::RecordShared => "S,REC_NOT_GAP",
            LockKind::RecordExclusive => "X,REC_NOT_GAP",
            LockKind::Gap => "X,GAP",
            LockKind::InsertIntention => "X,INSERT_INTENTION",
            LockKind::Metadata => "METADATA",
        }
    }
}

/// One lock, held or waited for.
#[derive(Clone, Debug)]
pub struct LockInfo {
    /// The transaction within this process; never reused.
    pub owner: u64,
    /// Its TxId, 0 before its first write.
    pub txid: u64,
    /// `TxnOptions::session`.
    pub session: u32,
    /// The table and the index's place in it; `None` for a table whose definition is not in memory (the dictionary's own, too).
    pub index: Option<(Arc<TableDef>, usize)>,
    /// The index's tree.
    pub tree: u64,
    /// What is locked.
    pub kind: LockKind,
    /// The record's encoded key; of a gap its first key.
    pub key: Vec<u8>,
    /// The end of a gap, itself free; `None` for the supremum (and for everything but gaps).
    pub end: Option<Vec<u8>>,
    /// Whether it is waited for.
    pub waiting: bool,
}

/// One wait: who, for what, and whose locks are in the way.
#[derive(Clone, Debug)]
pub struct LockWaitInfo {
    /// The lock asked for.
    pub wanted: LockInfo,
    /// Owners in the way: owner, TxId, session.
    pub blockers: Vec<(u64, u64, u32)>,
}

/// One metadata lock.
#[derive(Clone, Debug)]
pub struct MetadataLockInfo {
    /// The table; `None` when its definition is not in memory any more.
    pub table: Option<Arc<TableDef>>,
    /// How it is used.
    pub mode: MetadataMode,
    /// Of LOCK TABLES; else it goes with the transaction or statement.
    pub explicit: bool,
    /// The session (a connection id).
    pub session: u32,
    /// Whether it is waited for.
    pub waiting: bool,
}

/// The last deadlock.
#[derive(Clone, Debug)]
pub struct DeadlockInfo {
    /// What each member of the cycle waited for; each waits for the next one, the last for the first.
    pub waits: Vec<LockInfo>,
    /// The owner that was rolled back.
    pub victim: u64,
}

/// Indexes of the tables in memory, by tree.
struct Names(BTreeMap<u64, (Arc<TableDef>, usize)>);

impl Names {
    fn of(engine: &Engine) -> Names {
        let mut names = BTreeMap::new();
        for table in engine.catalog.cache.read().tables.values().flat_map(BTreeMap::values) {
            for (no, index) in table.indexes.iter().enumerate() {
                names.insert(index.id.0, (Arc::clone(table), no));
            }
        }
        Names(names)
    }

    fn info(&self, owner: &Owner, (tree, key): (u64, &[u8]), kind: LockKind, waiting: bool) -> LockInfo {
        LockInfo {
            owner: owner.id.0,
            txid: owner.txid(),
            session: owner.session,
            index: self.0.get(&tree).cloned(),
            tree,
            kind,
            key: key.to_vec(),
            end: None,
            waiting,
        }
    }

    fn wanted(&self, request: &Request) -> LockInfo {
        let kind = match request.wanted {
            Wanted::Record(mode) => kind_of(mode),
            Wanted::Insert => LockKind::InsertIntention,
            Wanted::Metadata => LockKind::Metadata,
        };
        self.info(&request.owner, (request.name.tree, &request.name.key), kind, true)
    }
}

fn kind_of(mode: LockMode) -> LockKind {
    match mode {
        LockMode::Exclusive => LockKind::RecordExclusive,
        _ => LockKind::RecordShared,
    }
}

impl Engine {
    /// Every explicit lock, by owner, tree and key.
    #[must_use]
    pub fn locks(&self) -> Vec<LockInfo> {
        let names = Names::of(self);
        let mut all: Vec<LockInfo> = Vec::new();
        for (name, owner, mode, waiting) in self.locks.list() {
            all.push(names.info(&owner, (name.tree, &name.key), kind_of(mode), waiting));
        }
        let (gaps, inserts) = self.locks.gaps.list();
        for (owner, tree, from, to) in gaps {
            all.push(LockInfo { end: to, ..names.info(&owner, (tree, &from), LockKind::Gap, false) });
        }
        all.extend(inserts.iter().map(|r| names.wanted(r)));
        all.sort_by(|a, b| (a.owner, a.tree, &a.key, a.kind).cmp(&(b.owner, b.tree, &b.key, b.kind)));
        all
    }

    /// Every metadata lock, held or waited for, by table and session.
    #[must_use]
    pub fn metadata_locks(&self) -> Vec<MetadataLockInfo> {
        let mut names = BTreeMap::new();
        for table in self.catalog.cache.read().tables.values().flat_map(BTreeMap::values) {
            names.insert(table.id, Arc::clone(table));
        }
        let held = self.locks.metadata.list().into_iter();
        held.map(|lock| MetadataLockInfo {
            table: names.get(&lock.table).cloned(),
            mode: lock.mode,
            explicit: lock.explicit,
            session: lock.session,
            waiting: lock.waiting,
        })
        .collect()
    }

    /// Everybody who waits for a row lock.
    #[must_use]
    pub fn lock_waits(&self) -> Vec<LockWaitInfo> {
        let names = Names::of(self);
        let waits = self.waits.list(&self.locks).into_iter();
        waits
            .filter(|(request, _)| request.wanted != Wanted::Metadata)
            .map(|(request, blockers)| LockWaitInfo {
                wanted: names.wanted(&request),
                blockers: blockers.iter().map(|o| (o.id.0, o.txid(), o.session)).collect(),
            })
            .collect()
    }

    /// The last deadlock since opening.
    #[must_use]
    pub fn last_deadlock(&self) -> Option<DeadlockInfo> {
        let cycle = self.waits.last_cycle()?;
        let names = Names::of(self);
        Some(DeadlockInfo {
            waits: cycle.waits.iter().map(|r| names.wanted(r)).collect(),
            victim: cycle.victim.id.0,
        })
    }
}
