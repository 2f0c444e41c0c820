//! Something happened: a runtime-free wake-up for all who wait.
//!
//! The order that loses no wake-up: [`Event::listen`], check the condition, then await the listener. A notification
//! between the first and the last step completes the listener.

use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct Inner {
    generation: u64,
    wakers: Vec<Waker>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Event {
    /// Listeners alive; lets [`Event::notify`] skip the lock when nobody listens.
    listening: AtomicUsize,
    inner: Mutex<Inner>,
}

impl Event {
    /// Starts to listen; what happens from here on completes the listener.
    pub(crate) fn listen(&self) -> Listener<'_> {
        self.listening.fetch_add(1, Ordering::SeqCst);
        let generation = self.inner.lock().generation;
        Listener { event: self, generation }
    }

    /// Completes every listener.
    pub(crate) fn notify(&self) {
        if self.listening.load(Ordering::SeqCst) == 0 {
            return;
        }
        let wakers = {
            let mut inner = self.inner.lock();
            inner.generation += 1;
            std::mem::take(&mut inner.wakers)
        };
        for waker in wakers {
            waker.wake();
        }
    }
}

/// Completes at the next [`Event::notify`].
pub(crate) struct Listener<'a> {
    event: &'a Event,
    generation: u64,
}

impl Future for Listener<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.event.inner.lock();
        if inner.generation != self.generation {
            return Poll::Ready(());
        }
        if !inner.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            inner.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.event.listening.fetch_sub(1, Ordering::SeqCst);
    }
}
