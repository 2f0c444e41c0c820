//! The sharded lock table.

use super::gaps::GapTable;
use super::metadata::MetadataLocks;
use super::name::{ByName, LockRef};
use super::owner::{Grant, Request, Wanted};
use super::{LockMode, Owner, OwnerId};
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// What a try at a lock found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Held now, by this call.
    Granted,
    /// Held before, in this mode or a weaker one.
    Held,
    /// Another owner holds it, or waits for it, in a mode that disagrees.
    Conflict,
}

#[derive(Debug, Default)]
struct Entry {
    holders: SmallVec<[(Arc<Owner>, LockMode); 1]>,
    queue: VecDeque<(LockMode, Request)>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The number of entries, read without the mutex: writers skip an empty shard.
    entries: AtomicUsize,
    map: Mutex<ByName<Entry>>,
}

/// All explicit locks of the process.
#[derive(Debug)]
pub(crate) struct LockTable {
    shards: Vec<Shard>,
    pub(crate) gaps: GapTable,
    pub(crate) metadata: MetadataLocks,
}

/// A lock for reports: its name, and who holds it or waits for it.
pub(crate) type RecordHeld = (LockRef, Arc<Owner>, LockMode, bool);

impl Entry {
    /// Whether `owner` may hold `mode` beside the other holders and the first `ahead` requests.
    fn free_for(&self, owner: OwnerId, mode: LockMode, ahead: usize) -> bool {
        self.holders.iter().all(|(o, m)| o.id == owner || m.agrees(mode))
            && self.queue.iter().take(ahead).all(|(m, r)| r.owner.id == owner || m.agrees(mode))
    }

    fn held(&self, owner: OwnerId) -> Option<LockMode> {
        self.holders.iter().find(|(o, _)| o.id == owner).map(|(_, m)| *m)
    }

    fn hold(&mut self, owner: &Arc<Owner>, mode: LockMode) -> bool {
        match self.holders.iter_mut().find(|(o, _)| o.id == owner.id) {
            Some((_, m)) => {
                *m = (*m).max(mode);
                false
            }
            None => {
                self.holders.push((Arc::clone(owner), mode));
                true
            }
        }
    }
}

impl LockTable {
    pub(crate) fn new() -> LockTable {
        LockTable {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            gaps: GapTable::new(),
            metadata: MetadataLocks::new(),
        }
    }

    fn shard(&self, name: &LockRef) -> &Shard {
        &self.shards[name.shard(SHARDS)]
    }

    /// Whether `owner` may change the row: nobody else holds its lock or waits for it. Called under the row's latch; takes no lock.
    pub(crate) fn writable(&self, owner: OwnerId, tree: u64, key: &[u8]) -> bool {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        if shard.entries.load(Ordering::Acquire) == 0 {
            return true;
        }
        let map = shard.map.lock();
        match map.get(&name) {
            None => true,
            // A holder goes on although others wait behind it.
            Some(entry) if entry.held(owner) == Some(LockMode::Exclusive) => true,
            Some(entry) => entry.free_for(owner, LockMode::Exclusive, entry.queue.len()),
        }
    }

    /// Takes a lock if that needs no waiting. Called under the row's latch (shared is enough: writers hold it exclusively).
    pub(crate) fn try_lock(&self, owner: &Arc<Owner>, tree: u64, key: &[u8], mode: LockMode) -> Verdict {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        let mut map = shard.map.lock();
        let entry = map.entry(name.clone()).or_insert_with(|| {
            shard.entries.fetch_add(1, Ordering::Release);
            Entry::default()
        });
        if entry.held(owner.id).is_some_and(|m| m >= mode) {
            return Verdict::Held;
        }
        if !entry.free_for(owner.id, mode, entry.queue.len()) {
            return Verdict::Conflict;
        }
        if !entry.hold(owner, mode) {
            return Verdict::Held;
        }
        let open = owner.remember(name);
        assert!(open, "lock invariant 1: {:?} takes a lock after its end", owner.id);
        Verdict::Granted
    }

    /// Makes the transaction that has changed a row an explicit holder of it, so that others can queue behind it. False when it ended
    /// meanwhile: look at the row again.
    pub(crate) fn convert(&self, holder: &Arc<Owner>, tree: u64, key: &[u8]) -> bool {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        let mut map = shard.map.lock();
        if map.get(&name).is_some_and(|e| e.held(holder.id) == Some(LockMode::Exclusive)) {
            return true;
        }
        if map.get(&name).is_none_or(|e| e.held(holder.id).is_none()) && !holder.remember(name.clone()) {
            return false;
        }
        map.entry(name)
            .or_insert_with(|| {
                shard.entries.fetch_add(1, Ordering::Release);
                Entry::default()
            })
            .hold(holder, LockMode::Exclusive);
        true
    }

    /// Queues a request; an upgrade goes to the front. It may be granted before this returns.
    pub(crate) fn enqueue(&self, owner: &Arc<Owner>, tree: u64, key: &[u8], mode: LockMode) -> Request {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        let request = Request::new(owner, name.clone(), Wanted::Record(mode));
        let mut map = shard.map.lock();
        let entry = map.entry(name.clone()).or_insert_with(|| {
            shard.entries.fetch_add(1, Ordering::Release);
            Entry::default()
        });
        if entry.held(owner.id).is_some() {
            entry.queue.push_front((mode, request.clone()));
        } else {
            entry.queue.push_back((mode, request.clone()));
        }
        Self::serve(&name, entry);
        request
    }

    /// Takes a request back that is not granted.
    pub(crate) fn withdraw(&self, request: &Request) {
        match request.wanted {
            Wanted::Insert => return self.gaps.withdraw(request),
            Wanted::Metadata => return self.metadata.withdraw(request),
            Wanted::Record(_) => {}
        }
        let (shard, name) = (self.shard(&request.name), &request.name);
        let mut map = shard.map.lock();
        if let Some(entry) = map.get_mut(name) {
            entry.queue.retain(|(_, r)| !r.is(request));
            Self::serve(name, entry);
            Self::drop_if_empty(shard, &mut map, name);
        }
    }

    /// Gives one lock back before its owner's end: READ COMMITTED does not keep rows that do not match.
    pub(crate) fn unlock(&self, owner: &Owner, tree: u64, key: &[u8]) {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        let mut map = shard.map.lock();
        let Some(entry) = map.get_mut(&name) else { return };
        if entry.held(owner.id).is_some() {
            owner.forget(&name);
            entry.holders.retain(|(o, _)| o.id != owner.id);
            Self::serve(&name, entry);
            Self::drop_if_empty(shard, &mut map, &name);
        }
    }

    /// The owner has changed the row, which locks it from here on: its entry goes, unless others hold or wait there. So the end of a
    /// transaction does not depend on how many rows it changed. Called under the row's latch.
    pub(crate) fn implied(&self, owner: &Owner, tree: u64, key: &[u8]) {
        let name = LockRef::new(tree, key);
        let shard = self.shard(&name);
        if shard.entries.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut map = shard.map.lock();
        let alone = |e: &Entry| e.queue.is_empty() && e.holders.iter().all(|(o, _)| o.id == owner.id);
        if map.get(&name).is_some_and(alone) {
            map.remove(&name);
            shard.entries.fetch_sub(1, Ordering::Release);
            owner.forget(&name);
        }
    }

    /// The mode in which an owner holds a record's lock.
    pub(crate) fn held(&self, owner: OwnerId, tree: u64, key: &[u8]) -> Option<LockMode> {
        let name = LockRef::new(tree, key);
        self.shard(&name).map.lock().get(&name)?.held(owner)
    }

    /// One of those who hold a lock.
    pub(crate) fn holder(&self, name: &LockRef) -> Option<Arc<Owner>> {
        self.shard(name).map.lock().get(name)?.holders.first().map(|(o, _)| Arc::clone(o))
    }

    /// Releases everything an owner holds and serves the queues. Its requests must be withdrawn before.
    pub(crate) fn release_all(&self, owner: &Owner) {
        let (locks, gaps) = owner.end();
        for name in locks {
            let shard = self.shard(&name);
            let mut map = shard.map.lock();
            let entry = map.get_mut(&name).expect("invariant: a held lock has its entry");
            entry.holders.retain(|(o, _)| o.id != owner.id);
            Self::serve(&name, entry);
            Self::drop_if_empty(shard, &mut map, &name);
        }
        for tree in gaps {
            self.gaps.release(owner, tree);
        }
    }

    fn drop_if_empty(shard: &Shard, map: &mut ByName<Entry>, name: &LockRef) {
        if map.get(name).is_some_and(|e| e.holders.is_empty() && e.queue.is_empty()) {
            map.remove(name);
            shard.entries.fetch_sub(1, Ordering::Release);
        }
    }

    /// Grants from the front of the queue what agrees.
    fn serve(name: &LockRef, entry: &mut Entry) {
        let mut at = 0;
        while at < entry.queue.len() {
            let (mode, request) = entry.queue[at].clone();
            if !entry.free_for(request.owner.id, mode, at) {
                at += 1;
                continue;
            }
            let _ = entry.queue.remove(at);
            // A victim's request is on its way out: it is passed over.
            if request.parker.outcome().is_none() {
                if entry.hold(&request.owner, mode) {
                    let open = request.owner.remember(name.clone());
                    assert!(open, "lock invariant 1: {:?} is granted a lock after its end", request.owner.id);
                }
                request.parker.set(Grant::Granted);
            }
        }
    }

    /// Who must end before a request can be granted.
    pub(super) fn blockers(&self, request: &Request) -> Vec<Arc<Owner>> {
        match request.wanted {
            Wanted::Insert => return self.gaps.blockers(request),
            Wanted::Metadata => return self.metadata.blockers(request),
            Wanted::Record(_) => {}
        }
        let map = self.shard(&request.name).map.lock();
        let Some(entry) = map.get(&request.name) else { return Vec::new() };
        let Some(at) = entry.queue.iter().position(|(_, r)| r.is(request)) else { return Vec::new() };
        let (owner, mode) = (request.owner.id, entry.queue[at].0);
        let holders = entry.holders.iter().filter(|(o, m)| o.id != owner && !m.agrees(mode)).map(|(o, _)| o);
        let ahead = entry.queue.iter().take(at).filter(|(m, r)| r.owner.id != owner && !m.agrees(mode));
        holders.chain(ahead.map(|(_, r)| &r.owner)).cloned().collect()
    }

    /// Every record lock held (false) and waited for (true), in no particular order.
    pub(crate) fn list(&self) -> Vec<RecordHeld> {
        let mut all = Vec::new();
        for shard in &self.shards {
            for (name, entry) in shard.map.lock().iter() {
                all.extend(entry.holders.iter().map(|(o, m)| (name.clone(), Arc::clone(o), *m, false)));
                all.extend(entry.queue.iter().map(|(m, r)| (name.clone(), Arc::clone(&r.owner), *m, true)));
            }
        }
        all
    }

    /// Entries in all shards and owners of gaps, for status and tests.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.entries.load(Ordering::Relaxed)).sum::<usize>() + self.gaps.len()
    }
}
