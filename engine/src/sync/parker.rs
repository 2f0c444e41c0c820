//! One waiter and the outcome it waits for.
//!
//! Invariants:
//! 1. An outcome is set once; later ones are ignored. Whoever sets it wakes the waiter.
//! 2. A waiter that gives up (time, KILL) asks [`Parker::outcome`] once more: an outcome set meanwhile wins, so nothing granted is lost.

use crate::sync::KillSwitch;
use parking_lot::Mutex;
use protocol::env::Env;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// Where one task parks until somebody gives it an outcome.
#[derive(Debug)]
pub(crate) struct Parker<T> {
    inner: Mutex<(Option<T>, Option<Waker>)>,
}

impl<T: Copy> Parker<T> {
    /// Nothing decided yet.
    pub(crate) fn new() -> Arc<Parker<T>> {
        Arc::new(Parker { inner: Mutex::new((None, None)) })
    }

    /// Sets the outcome, if none is set; true when this call set it.
    pub(crate) fn set(&self, outcome: T) -> bool {
        let waker = {
            let mut inner = self.inner.lock();
            if inner.0.is_some() {
                return false;
            }
            inner.0 = Some(outcome);
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// The outcome, if decided.
    pub(crate) fn outcome(&self) -> Option<T> {
        self.inner.lock().0
    }

    fn poll(&self, waker: &Waker) -> Option<T> {
        let mut inner = self.inner.lock();
        if inner.0.is_none() {
            match &mut inner.1 {
                Some(w) => w.clone_from(waker),
                w => *w = Some(waker.clone()),
            }
        }
        inner.0
    }
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitEnd<T> {
    /// Somebody decided.
    Outcome(T),
    /// The time was over.
    Timeout,
    /// KILL, or the statement's deadline: ask the switch which.
    Killed,
}

/// Waits for an outcome, at most `timeout_us`, and not after `kill`.
pub(crate) async fn wait<T: Copy>(
    parker: &Parker<T>,
    env: &dyn Env,
    timeout_us: u64,
    kill: &KillSwitch,
) -> WaitEnd<T> {
    let mut sleep = env.sleep(timeout_us);
    let mut deadline = kill.deadline_us().map(|at| env.sleep(at.saturating_sub(env.now_us())));
    poll_fn(|cx| {
        if let Some(outcome) = parker.poll(cx.waker()) {
            return Poll::Ready(WaitEnd::Outcome(outcome));
        }
        if kill.poll_killed(cx.waker()) {
            return Poll::Ready(WaitEnd::Killed);
        }
        if deadline.as_mut().is_some_and(|d| d.as_mut().poll(cx).is_ready()) {
            kill.deadline_passed();
            return Poll::Ready(WaitEnd::Killed);
        }
        match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(WaitEnd::Timeout),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A level that background tasks wait for: raised by anybody, taken by one task.
#[derive(Debug, Default)]
pub(crate) struct Event {
    inner: Mutex<(bool, Option<Waker>)>,
}

impl Event {
    /// Raises it and wakes the task.
    pub(crate) fn raise(&self) {
        let waker = {
            let mut inner = self.inner.lock();
            inner.0 = true;
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Completes once it is raised, and lowers it; or after `limit_us` if given.
    pub(crate) async fn taken(&self, env: &dyn Env, limit_us: Option<u64>) {
        let mut sleep = limit_us.map(|us| env.sleep(us));
        poll_fn(|cx| {
            {
                let mut inner = self.inner.lock();
                if inner.0 {
                    inner.0 = false;
                    inner.1 = None;
                    return Poll::Ready(());
                }
                inner.1 = Some(cx.waker().clone());
            }
            match sleep.as_mut().map(|s| s.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

/// Lets other tasks run: long loops over pages in memory never wait otherwise.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
