//! The sharded lock table.

use super::owner::{Grant, Request};
use super::{LockMode, LockRef, Owner, OwnerId};
use crate::sync::Parker;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// What a try at a lock found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Held now, by this call or before.
    Granted,
    /// Another owner holds it, or waits for it, in a mode that disagrees.
    Conflict,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Vec<(Arc<Owner>, LockMode)>,
    queue: VecDeque<Request>,
}

#[derive(Debug, Default)]
struct Shard {
    /// The number of entries, read without the mutex: writers skip an empty shard.
    entries: AtomicUsize,
    map: Mutex<BTreeMap<LockRef, Entry>>,
}

/// All explicit record locks of the process.
#[derive(Debug)]
pub(crate) struct LockTable {
    shards: Vec<Shard>,
}

impl PartialOrd for LockRef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LockRef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.tree, &self.key).cmp(&(other.tree, &other.key))
    }
}

impl Entry {
    /// Whether `owner` may hold `mode` beside the other holders and the first `ahead` requests.
    fn free_for(&self, owner: OwnerId, mode: LockMode, ahead: usize) -> bool {
        self.holders.iter().all(|(o, m)| o.id == owner || m.agrees(mode))
            && self.queue.iter().take(ahead).all(|r| r.owner.id == owner || r.mode.agrees(mode))
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
        LockTable { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    fn shard(&self, tree: u64, key: &[u8]) -> &Shard {
        let mut h = tree.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for chunk in key.rchunks(8).take(2) {
            let mut b = [0; 8];
            b[..chunk.len()].copy_from_slice(chunk);
            h = (h ^ u64::from_le_bytes(b)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            h ^= h >> 32;
        }
        &self.shards[h as usize % SHARDS]
    }

    /// Whether `owner` may change the row: nobody else holds its lock or waits for it. Called under the row's latch; takes no lock.
    pub(crate) fn writable(&self, owner: OwnerId, tree: u64, key: &[u8]) -> bool {
        let shard = self.shard(tree, key);
        if shard.entries.load(Ordering::Acquire) == 0 {
            return true;
        }
        let map = shard.map.lock();
        match map.get(&LockRef { tree, key: key.into() }) {
            None => true,
            // A holder goes on although others wait behind it.
            Some(entry) if entry.held(owner) == Some(LockMode::Exclusive) => true,
            Some(entry) => entry.free_for(owner, LockMode::Exclusive, entry.queue.len()),
        }
    }

    /// Takes a lock if that needs no waiting. Called under the row's latch (shared is enough: writers hold it exclusively).
    pub(crate) fn try_lock(&self, owner: &Arc<Owner>, tree: u64, key: &[u8], mode: LockMode) -> Verdict {
        let shard = self.shard(tree, key);
        let name = LockRef { tree, key: key.into() };
        let mut map = shard.map.lock();
        let entry = map.entry(name.clone()).or_insert_with(|| {
            shard.entries.fetch_add(1, Ordering::Release);
            Entry::default()
        });
        if entry.held(owner.id).is_some_and(|m| m >= mode) {
            return Verdict::Granted;
        }
        let free = entry.free_for(owner.id, mode, entry.queue.len());
        if free && entry.hold(owner, mode) {
            let open = owner.remember(name);
            assert!(open, "lock invariant 1: {:?} takes a lock after its end", owner.id);
        }
        if free { Verdict::Granted } else { Verdict::Conflict }
    }

    /// Makes the transaction that has changed a row an explicit holder of it, so that others can queue behind it. False when it ended
    /// meanwhile: look at the row again.
    pub(crate) fn convert(&self, holder: &Arc<Owner>, tree: u64, key: &[u8]) -> bool {
        let shard = self.shard(tree, key);
        let name = LockRef { tree, key: key.into() };
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
        let shard = self.shard(tree, key);
        let request = Request { owner: Arc::clone(owner), mode, parker: Parker::new() };
        let name = LockRef { tree, key: key.into() };
        let mut map = shard.map.lock();
        let entry = map.entry(name.clone()).or_insert_with(|| {
            shard.entries.fetch_add(1, Ordering::Release);
            Entry::default()
        });
        if entry.held(owner.id).is_some() {
            entry.queue.push_front(request.clone());
        } else {
            entry.queue.push_back(request.clone());
        }
        Self::serve(&name, entry);
        request
    }

    /// Takes a request back that is not granted.
    pub(crate) fn withdraw(&self, request: &Request, tree: u64, key: &[u8]) {
        let shard = self.shard(tree, key);
        let name = LockRef { tree, key: key.into() };
        let mut map = shard.map.lock();
        if let Some(entry) = map.get_mut(&name) {
            entry.queue.retain(|r| !Arc::ptr_eq(&r.parker, &request.parker));
            Self::serve(&name, entry);
            Self::drop_if_empty(shard, &mut map, &name);
        }
    }

    /// Releases everything an owner holds and serves the queues. Its requests must be withdrawn before.
    pub(crate) fn release_all(&self, owner: &Owner) {
        for name in owner.end() {
            let shard = self.shard(name.tree, &name.key);
            let mut map = shard.map.lock();
            let entry = map.get_mut(&name).expect("invariant: a held lock has its entry");
            entry.holders.retain(|(o, _)| o.id != owner.id);
            Self::serve(&name, entry);
            Self::drop_if_empty(shard, &mut map, &name);
        }
    }

    fn drop_if_empty(shard: &Shard, map: &mut BTreeMap<LockRef, Entry>, name: &LockRef) {
        if map.get(name).is_some_and(|e| e.holders.is_empty() && e.queue.is_empty()) {
            map.remove(name);
            shard.entries.fetch_sub(1, Ordering::Release);
        }
    }

    /// Grants from the front of the queue what agrees.
    fn serve(name: &LockRef, entry: &mut Entry) {
        let mut at = 0;
        while at < entry.queue.len() {
            let request = entry.queue[at].clone();
            if !entry.free_for(request.owner.id, request.mode, at) {
                at += 1;
                continue;
            }
            let _ = entry.queue.remove(at);
            // A victim's request is on its way out: it is passed over.
            if request.parker.outcome().is_none() {
                if entry.hold(&request.owner, request.mode) {
                    let open = request.owner.remember(name.clone());
                    assert!(open, "lock invariant 1: {:?} is granted a lock after its end", request.owner.id);
                }
                request.parker.set(Grant::Granted);
            }
        }
    }

    /// Who must end before `owner`'s request for `name` can be granted.
    pub(super) fn blockers(&self, name: &LockRef, owner: OwnerId) -> Vec<Arc<Owner>> {
        let map = self.shard(name.tree, &name.key).map.lock();
        let Some(entry) = map.get(name) else { return Vec::new() };
        let Some(at) = entry.queue.iter().position(|r| r.owner.id == owner) else { return Vec::new() };
        let mode = entry.queue[at].mode;
        let holders = entry.holders.iter().filter(|(o, m)| o.id != owner && !m.agrees(mode)).map(|(o, _)| o);
        let ahead = entry.queue.iter().take(at).filter(|r| r.owner.id != owner && !r.mode.agrees(mode));
        holders.chain(ahead.map(|r| &r.owner)).cloned().collect()
    }

    /// Entries in all shards, for status and tests.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.entries.load(Ordering::Relaxed)).sum()
    }
}
