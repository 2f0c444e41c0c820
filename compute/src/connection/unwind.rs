//! A panic in a statement ends that session only.
//!
//! Panics of the crates below SQL never get here: the process has aborted by then (see [`crate::panics`]).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The future panicked; it was dropped half-way.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs `future` and turns its panic into an error. Boxed on purpose: the future of a statement is large, and a connection that waits
/// for its client should not keep room for it.
pub(crate) async fn guarded<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(Panicked)),
    })
    .await
}

/// The same without a box, for a future that is small: the connection's task keeps room for it.
pub(crate) async fn guarded_in_place<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => std::task::Poll::Ready(Err(Panicked)),
    })
    .await
}
