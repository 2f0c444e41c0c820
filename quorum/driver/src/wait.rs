//! Those who wait for the log: for a durable LSN, or for room. Plain futures on our own lists; no runtime is named.
//!
//! Invariants
//! 1. A waiter registers under the list's lock after looking at the number under the same lock, and the number moves
//!    before the list is walked: no wake-up is lost.
//! 2. Wakers are called after the lock is released.
//! 3. A future that is dropped leaves nothing behind.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use protocol::Lsn;
use protocol::contract::LogError;

#[derive(Debug, Default)]
struct DurableState {
    vdl: Lsn,
    ended: Option<LogError>,
    next: u64,
    waiting: BTreeMap<(Lsn, u64), Waker>,
}

/// Futures that complete when VDL reaches an LSN.
#[derive(Debug, Default)]
pub(crate) struct DurableWaits {
    state: Mutex<DurableState>,
}

impl DurableWaits {
    /// VDL is now `vdl`; wakes those at or below it. True if it moved.
    pub(crate) fn advance(&self, vdl: Lsn) -> bool {
        let mut state = self.state.lock();
        if vdl <= state.vdl {
            return false;
        }
        state.vdl = vdl;
        let later = state.waiting.split_off(&(vdl.advance(1), 0));
        let due = std::mem::replace(&mut state.waiting, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
        true
    }

    /// Nothing more becomes durable: everybody is told. The first reason stands.
    pub(crate) fn end(&self, error: &LogError) {
        let mut state = self.state.lock();
        state.ended.get_or_insert_with(|| error.clone());
        let due = std::mem::take(&mut state.waiting);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    #[cfg(test)]
    fn wanted(&self) -> Option<Lsn> {
        self.state.lock().waiting.last_key_value().map(|((lsn, _), _)| *lsn)
    }

    pub(crate) fn until(self: &Arc<Self>, lsn: Lsn) -> UntilDurable {
        UntilDurable { list: Arc::clone(self), lsn, key: None }
    }
}

/// See [`DurableWaits::until`].
pub(crate) struct UntilDurable {
    list: Arc<DurableWaits>,
    lsn: Lsn,
    key: Option<u64>,
}

impl Future for UntilDurable {
    type Output = Result<(), LogError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = this.list.state.lock();
        if state.vdl >= this.lsn {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &state.ended {
            return Poll::Ready(Err(error.clone()));
        }
        let key = *this.key.get_or_insert_with(|| {
            state.next += 1;
            state.next
        });
        state.waiting.insert((this.lsn, key), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for UntilDurable {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.list.state.lock().waiting.remove(&(self.lsn, key));
        }
    }
}

/// First come, first served: those who wait for room in the log. Lives under the log's own lock.
#[derive(Debug, Default)]
pub(crate) struct RoomQueue {
    next: u64,
    waiting: VecDeque<RoomWaiter>,
    /// Granted and not yet taken up by their futures.
    granted: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct RoomWaiter {
    key: u64,
    bytes: u64,
    waker: Waker,
}

impl RoomQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes a place at the end, or refreshes the waker of a place held; returns the place.
    pub(crate) fn enter(&mut self, place: Option<u64>, bytes: u64, waker: &Waker) -> u64 {
        if let Some(key) = place {
            if let Some(waiter) = self.waiting.iter_mut().find(|w| w.key == key) {
                waiter.waker.clone_from(waker);
            }
            return key;
        }
        self.next += 1;
        self.waiting.push_back(RoomWaiter { key: self.next, bytes, waker: waker.clone() });
        self.next
    }

    /// Grants from the front as long as `take` finds room; returns whom to wake.
    pub(crate) fn grant(&mut self, mut take: impl FnMut(u64) -> bool) -> Vec<Waker> {
        let mut wake = Vec::new();
        while let Some(first) = self.waiting.front() {
            if !take(first.bytes) {
                break;
            }
            if let Some(waiter) = self.waiting.pop_front() {
                self.granted.insert(waiter.key, waiter.bytes);
                wake.push(waiter.waker);
            }
        }
        wake
    }

    /// Takes up a grant.
    pub(crate) fn granted(&mut self, key: u64) -> Option<u64> {
        self.granted.remove(&key)
    }

    /// Leaves; the bytes to give back if they had been granted already.
    pub(crate) fn leave(&mut self, key: u64) -> u64 {
        self.waiting.retain(|w| w.key != key);
        self.granted.remove(&key).unwrap_or(0)
    }

    /// Everybody is to look again: the log has ended.
    pub(crate) fn drain(&mut self) -> Vec<Waker> {
        self.waiting.drain(..).map(|w| w.waker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(Arc::clone(&count)))
    }

    fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn waiters_wake_exactly_when_their_lsn_is_durable() {
        let list = Arc::new(DurableWaits::default());
        let ((first, first_waker), (second, second_waker)) = (counter(), counter());
        let (mut at_10, mut at_11) = (list.until(Lsn(10)), list.until(Lsn(11)));
        assert!(poll(&mut at_10, &first_waker).is_pending());
        assert!(poll(&mut at_11, &second_waker).is_pending());
        assert_eq!(list.wanted(), Some(Lsn(11)));
        assert!(list.advance(Lsn(10)));
        assert_eq!((first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)), (1, 0));
        assert_eq!(poll(&mut at_10, &first_waker), Poll::Ready(Ok(())));
        assert!(!list.advance(Lsn(9)), "VDL never falls");
        assert!(poll(&mut at_11, &second_waker).is_pending());
        list.end(&LogError::Closed);
        assert_eq!(second.0.load(Ordering::SeqCst), 1);
        assert_eq!(poll(&mut at_11, &second_waker), Poll::Ready(Err(LogError::Closed)));
        assert_eq!(
            poll(&mut list.until(Lsn(10)), &first_waker),
            Poll::Ready(Ok(())),
            "durable stays durable"
        );
    }

    #[test]
    fn a_dropped_waiter_is_forgotten() {
        let list = Arc::new(DurableWaits::default());
        let (count, waker) = counter();
        let mut future = list.until(Lsn(5));
        assert!(poll(&mut future, &waker).is_pending());
        drop(future);
        assert_eq!(list.wanted(), None);
        list.advance(Lsn(9));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn room_is_granted_in_order_and_a_large_claim_is_not_overtaken() {
        let mut queue = RoomQueue::default();
        let (_, waker) = counter();
        let large = queue.enter(None, 100, &waker);
        let small = queue.enter(None, 1, &waker);
        let mut room = 50;
        let mut take = |bytes| {
            let fits = bytes <= room;
            if fits {
                room -= bytes;
            }
            fits
        };
        assert!(queue.grant(&mut take).is_empty(), "the small one waits its turn");
        assert_eq!(queue.enter(Some(large), 100, &waker), large, "polled again: the same place");
        room = 150;
        let mut take = |bytes| {
            let fits = bytes <= room;
            if fits {
                room -= bytes;
            }
            fits
        };
        assert_eq!(queue.grant(&mut take).len(), 2);
        assert!(queue.is_empty());
        assert_eq!(queue.granted(large), Some(100));
        assert_eq!(queue.leave(small), 1, "granted, never taken up: goes back");
        assert_eq!(queue.leave(large), 0);
    }
}
