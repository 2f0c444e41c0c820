//! The wait-for graph: who waits for which lock. Edges are computed from the lock table when a wait starts, so they are never stale.

use super::owner::{Grant, Owner, Request};
use super::{LockTable, OwnerId};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A deadlock that was found: who waited for what, in the order of the cycle, and who had to give way.
#[derive(Clone, Debug)]
pub(crate) struct Cycle {
    /// Each waits for the next one, the last for the first.
    pub(crate) waits: Vec<Request>,
    pub(crate) victim: Arc<Owner>,
}

/// All waits of the process.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    last_cycle: Mutex<Option<Cycle>>,
    waiting: Mutex<BTreeMap<OwnerId, Request>>,
}

impl Waits {
    /// Enters a wait and looks for a cycle through it; each one found costs its cheapest member the wait (`Grant::Victim`), which may
    /// be this one.
    pub(crate) fn start(&self, locks: &LockTable, request: &Request) {
        let mut waiting = self.waiting.lock();
        let me = request.owner.id;
        waiting.insert(me, request.clone());
        while let Some(cycle) = find_cycle(&waiting, locks, me) {
            let victim = cycle
                .iter()
                .min_by_key(|id| (waiting[*id].owner.cost(), **id != me, **id))
                .copied()
                .expect("invariant: a cycle has members");
            let waits = cycle.iter().map(|id| waiting[id].clone()).collect();
            let request = waiting.remove(&victim).expect("invariant: a cycle is made of waits");
            *self.last_cycle.lock() = Some(Cycle { waits, victim: Arc::clone(&request.owner) });
            request.parker.set(Grant::Victim);
            if victim == me {
                return;
            }
        }
    }

    /// The last deadlock found.
    pub(crate) fn last_cycle(&self) -> Option<Cycle> {
        self.last_cycle.lock().clone()
    }

    /// Everybody who waits, with those waited for.
    pub(crate) fn list(&self, locks: &LockTable) -> Vec<(Request, Vec<Arc<Owner>>)> {
        let waiting: Vec<Request> = self.waiting.lock().values().cloned().collect();
        waiting.into_iter().map(|r| (r.clone(), locks.blockers(&r))).collect()
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
    waiting: &BTreeMap<OwnerId, Request>,
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

fn edges(waiting: &BTreeMap<OwnerId, Request>, locks: &LockTable, owner: OwnerId) -> Vec<OwnerId> {
    let Some(request) = waiting.get(&owner) else { return Vec::new() };
    if request.parker.outcome().is_some() {
        return Vec::new();
    }
    locks.blockers(request).iter().map(|o| o.id).collect()
}
