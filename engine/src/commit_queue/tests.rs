//! The commit queue on a hand-made executor: wake-ups are counted.

use super::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Wake};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>, count: &Arc<Count>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
}

#[test]
fn ten_thousand_sessions_cost_one_wake_up_a_batch() {
    let queue = CommitQueue::default();
    let (sessions, dispatcher) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut waits: Vec<Pin<Box<dyn Future<Output = Result<()>> + '_>>> =
        (1..=10_000_u64).map(|i| Box::pin(queue.wait(Lsn(i * 10))) as _).collect();
    for wait in &mut waits {
        assert!(poll(wait, &sessions).is_pending());
    }
    assert_eq!(queue.parked(), 10_000);
    let mut round: Pin<Box<dyn Future<Output = bool> + '_>> = Box::pin(queue.dispatch());
    assert!(poll(&mut round, &dispatcher).is_pending());
    queue.durable(Lsn(50_000));
    queue.durable(Lsn(60_005));
    assert_eq!(dispatcher.0.load(Ordering::SeqCst), 1, "one wake-up from outside for both");
    assert_eq!(sessions.0.load(Ordering::SeqCst), 0, "no session is woken from outside");
    assert_eq!(poll(&mut round, &dispatcher), Poll::Ready(true));
    assert_eq!(sessions.0.load(Ordering::SeqCst), 6_000);
    let done = waits.iter_mut().map(|w| poll(w, &sessions)).filter(Poll::is_ready).count();
    assert_eq!(done, 6_000);
    assert_eq!(queue.parked(), 4_000);
}

#[test]
fn a_durable_lsn_does_not_wait_and_a_dropped_session_leaves() {
    let queue = CommitQueue::default();
    let count = Arc::new(Count::default());
    queue.durable(Lsn(100));
    let mut wait: Pin<Box<dyn Future<Output = Result<()>> + '_>> = Box::pin(queue.wait(Lsn(100)));
    assert_eq!(poll(&mut wait, &count), Poll::Ready(Ok(())));
    let mut late: Pin<Box<dyn Future<Output = Result<()>> + '_>> = Box::pin(queue.wait(Lsn(101)));
    assert!(poll(&mut late, &count).is_pending());
    assert_eq!(queue.parked(), 1);
    drop(late);
    assert_eq!(queue.parked(), 0);
}

#[test]
fn the_end_of_the_log_reaches_every_session() {
    let queue = CommitQueue::default();
    let count = Arc::new(Count::default());
    let mut wait: Pin<Box<dyn Future<Output = Result<()>> + '_>> = Box::pin(queue.wait(Lsn(5)));
    assert!(poll(&mut wait, &count).is_pending());
    queue.ended(&LogError::Closed);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut wait, &count), Poll::Ready(Err(EngineError::Closed)));
}
