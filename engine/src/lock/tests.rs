//! Lock table and wait-for graph.

use super::owner::Grant;
use super::*;
use std::sync::Arc;

const TREE: u64 = 9;

fn owners<const N: usize>() -> [Arc<Owner>; N] {
    std::array::from_fn(|i| Owner::new(OwnerId(i as u64 + 1), 0))
}

fn start(locks: &LockTable, waits: &Waits, owner: &Arc<Owner>, key: &[u8], mode: LockMode) -> owner::Request {
    let request = locks.enqueue(owner, TREE, key, mode);
    waits.start(locks, &request);
    request
}

#[test]
fn shared_locks_agree_and_exclusive_waits_in_order() {
    let (locks, waits) = (LockTable::new(), Waits::default());
    let [a, b, c, d] = owners();
    assert_eq!(locks.try_lock(&a, TREE, b"k", LockMode::Shared), Verdict::Granted);
    assert_eq!(locks.try_lock(&b, TREE, b"k", LockMode::Shared), Verdict::Granted);
    assert_eq!(locks.try_lock(&c, TREE, b"k", LockMode::Exclusive), Verdict::Conflict);
    let c_wait = start(&locks, &waits, &c, b"k", LockMode::Exclusive);
    // A later reader does not overtake the waiting writer.
    assert_eq!(locks.try_lock(&d, TREE, b"k", LockMode::Shared), Verdict::Conflict);
    let d_wait = start(&locks, &waits, &d, b"k", LockMode::Shared);
    locks.release_all(&a);
    assert_eq!(c_wait.parker.outcome(), None);
    locks.release_all(&b);
    assert_eq!(c_wait.parker.outcome(), Some(Grant::Granted));
    assert_eq!(d_wait.parker.outcome(), None);
    assert!(!locks.writable(a.id, TREE, b"k"));
    assert!(locks.writable(c.id, TREE, b"k"));
    locks.release_all(&c);
    assert_eq!(d_wait.parker.outcome(), Some(Grant::Granted));
    locks.release_all(&d);
    assert_eq!(locks.len(), 0);
}

#[test]
fn an_implicit_holder_is_converted_once_and_never_after_its_end() {
    let locks = LockTable::new();
    let [a, b] = owners();
    assert!(locks.convert(&a, TREE, b"k"));
    assert!(locks.convert(&a, TREE, b"k"));
    assert_eq!(a.lock_count(), 1);
    let wait = locks.enqueue(&b, TREE, b"k", LockMode::Exclusive);
    locks.release_all(&a);
    assert_eq!(wait.parker.outcome(), Some(Grant::Granted));
    assert!(!locks.convert(&a, TREE, b"j"), "it has ended");
    locks.release_all(&b);
    assert_eq!(locks.len(), 0);
}

#[test]
fn the_cheaper_of_a_cycle_is_the_victim() {
    let (locks, waits) = (LockTable::new(), Waits::default());
    let [a, b] = owners();
    a.add_cost(10);
    b.add_cost(5);
    locks.try_lock(&a, TREE, b"1", LockMode::Exclusive);
    locks.try_lock(&b, TREE, b"2", LockMode::Exclusive);
    let b_wait = start(&locks, &waits, &b, b"1", LockMode::Exclusive);
    assert_eq!(b_wait.parker.outcome(), None);
    let a_wait = start(&locks, &waits, &a, b"2", LockMode::Exclusive);
    assert_eq!(b_wait.parker.outcome(), Some(Grant::Victim), "b has less to undo");
    assert_eq!(a_wait.parker.outcome(), None);
    locks.withdraw(&b_wait);
    locks.release_all(&b);
    assert_eq!(a_wait.parker.outcome(), Some(Grant::Granted));
}

#[test]
fn a_cycle_of_three_and_an_upgrade_are_found() {
    let (locks, waits) = (LockTable::new(), Waits::default());
    let [a, b, c] = owners();
    for (owner, key) in [(&a, b"1"), (&b, b"2"), (&c, b"3")] {
        locks.try_lock(owner, TREE, key, LockMode::Exclusive);
        owner.add_cost(owner.id.0);
    }
    start(&locks, &waits, &c, b"1", LockMode::Exclusive);
    start(&locks, &waits, &b, b"3", LockMode::Exclusive);
    let last = start(&locks, &waits, &a, b"2", LockMode::Exclusive);
    assert_eq!(last.parker.outcome(), Some(Grant::Victim), "a is the cheapest");

    let (locks, waits) = (LockTable::new(), Waits::default());
    let [a, b] = owners();
    locks.try_lock(&a, TREE, b"s", LockMode::Shared);
    locks.try_lock(&b, TREE, b"s", LockMode::Shared);
    let first = start(&locks, &waits, &a, b"s", LockMode::Exclusive);
    let second = start(&locks, &waits, &b, b"s", LockMode::Exclusive);
    assert_eq!(first.parker.outcome(), None);
    assert_eq!(second.parker.outcome(), Some(Grant::Victim), "on a tie the one that closes the cycle");
}

#[test]
fn a_withdrawn_request_unblocks_those_behind_it() {
    let (locks, waits) = (LockTable::new(), Waits::default());
    let [a, b, c] = owners();
    locks.try_lock(&a, TREE, b"k", LockMode::Shared);
    let b_wait = start(&locks, &waits, &b, b"k", LockMode::Exclusive);
    let c_wait = start(&locks, &waits, &c, b"k", LockMode::Shared);
    assert_eq!(c_wait.parker.outcome(), None);
    locks.withdraw(&b_wait);
    assert_eq!(c_wait.parker.outcome(), Some(Grant::Granted));
}
