//! The wait-for graph: who waits for which lock. Edges are computed from the lock table when a wait starts, so they are never stale.

use super::owner::{Grant, Request};
use super::{LockRef, LockTable, OwnerId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};

/// All waits of the process.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    waiting: Mutex<BTreeMap<OwnerId, (LockRef, Request)>>,
}

impl Waits {
    /// Enters a wait and looks for a cycle through it; each one found costs its cheapest member the wait (`Grant::Victim`), which may
    /// be this one.
    pub(crate) fn start(&self, locks: &LockTable, name: LockRef, request: &Request) {
        let mut waiting = self.waiting.lock();
        let me = request.owner.id;
        waiting.insert(me, (name, request.clone()));
        while let Some(cycle) = find_cycle(&waiting, locks, me) {
            let victim = cycle
                .iter()
                .min_by_key(|id| (waiting[*id].1.owner.cost(), **id != me, **id))
                .copied()
                .expect("invariant: a cycle has members");
            let (_, request) = waiting.remove(&victim).expect("invariant: a cycle is made of waits");
            request.parker.set(Grant::Victim);
            if victim == me {
                return;
            }
        }
    }

    /// The wait is over.
    pub(crate) fn end(&self, owner: OwnerId) {
        self.waiting.lock().remove(&owner);
    }

    /// Waits now, for status.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }
}

/// A cycle through `start`, as the owners on it.
fn find_cycle(
    waiting: &BTreeMap<OwnerId, (LockRef, Request)>,
    locks: &LockTable,
    start: OwnerId,
) -> Option<Vec<OwnerId>> {
    let mut seen = BTreeSet::new();
    // Depth first; each step holds the blockers of one owner still to be tried.
    let mut path: Vec<(OwnerId, Vec<OwnerId>)> = vec![(start, edges(waiting, locks, start))];
    while let Some((_, next)) = path.last_mut() {
        let Some(id) = next.pop() else {
            path.pop();
            continue;
        };
        if id == start {
            return Some(path.iter().map(|(id, _)| *id).collect());
        }
        if seen.insert(id) && waiting.contains_key(&id) {
            path.push((id, edges(waiting, locks, id)));
        }
    }
    None
}

fn edges(waiting: &BTreeMap<OwnerId, (LockRef, Request)>, locks: &LockTable, owner: OwnerId) -> Vec<OwnerId> {
    let Some((name, request)) = waiting.get(&owner) else { return Vec::new() };
    if request.parker.outcome().is_some() {
        return Vec::new();
    }
    locks.blockers(name, owner).iter().map(|o| o.id).collect()
}
