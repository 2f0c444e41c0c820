//! One at a time, across awaits, without a runtime.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

#[derive(Default)]
struct Inner {
    taken: bool,
    waiting: VecDeque<Waker>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Turn {
    inner: Mutex<Inner>,
}

/// Whose turn it is; dropping it passes it on.
pub(crate) struct MyTurn<'a>(&'a Turn);

impl Turn {
    pub(crate) async fn take(&self) -> MyTurn<'_> {
        poll_fn(|cx| {
            let mut inner = self.inner.lock();
            if !inner.taken {
                inner.taken = true;
                return Poll::Ready(());
            }
            if !inner.waiting.iter().any(|w| w.will_wake(cx.waker())) {
                inner.waiting.push_back(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        MyTurn(self)
    }
}

impl Drop for MyTurn<'_> {
    fn drop(&mut self) {
        // All are woken: one of them may have been dropped since it queued, and would swallow the turn.
        let waiting = {
            let mut inner = self.0.inner.lock();
            inner.taken = false;
            std::mem::take(&mut inner.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }
}
