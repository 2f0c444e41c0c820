//! The lease, for whoever answers statements: is nobody else elected, as far as this writer can know (R8)?
//!
//! ```text
//!   statement read from the socket ─► Lease::holds: reads the clock ── yes ─► runs, answers
//!                                                                 └─ no ──► Lease::held: waits for promises, or for the log's end
//! ```
//!
//! Invariants
//! 1. R8(f): a check reads the clock. What is kept here is only until when the promises live, never that they do.
//! 2. The clock is the one that the transmissions were stamped with ([`Env::now_us`](protocol::env::Env::now_us)); over a network it must run while the machine sleeps
//!    (R8 e).
//! 3. Once the log has ended nothing is leased, and whoever waits is told why.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use protocol::contract::LogError;
use protocol::env::BoxFuture;
use protocol::mutant;
use quorum::Actions;

use crate::log::{OpenVolume, Shared};

/// The lease of one open volume.
#[derive(Clone, Debug)]
pub struct Lease {
    shared: Arc<Shared>,
}

impl OpenVolume {
    /// The lease of this opening. Where storage promises nothing (locks exclude a second writer) it never holds, and nobody asks.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease { shared: Arc::clone(&self.shared) }
    }
}

impl Lease {
    /// True when a statement that was read before this call may be answered from what this writer knows.
    #[must_use]
    pub fn holds(&self) -> bool {
        mutant!(NoLease) || self.shared.env.now_us() < self.shared.leased_until_us.load(Ordering::Acquire)
    }

    /// Microseconds it still lives if nobody promises anything more; for status.
    #[must_use]
    pub fn left_us(&self) -> u64 {
        self.shared.leased_until_us.load(Ordering::Acquire).saturating_sub(self.shared.env.now_us())
    }

    /// Completes once it holds.
    ///
    /// # Errors
    /// The log has ended: this writer will never be leased again.
    pub fn held(&self) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(poll_fn(|cx| {
            let mut core = self.shared.core.lock();
            core.ended()?;
            // Under the mutex under which promises are counted: none can come between the look and the place in the list.
            if self.holds() {
                return Poll::Ready(Ok(()));
            }
            if !core.lease_wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                core.lease_wakers.push(cx.waker().clone());
            }
            Poll::Pending
        }))
    }

    /// Completes once three of group 0 have confirmed, after this call, that nobody else was granted: the read that calls needs no clock
    /// (`sextant_read_confirm = quorum`). All calls made while one round of questions flies share the next.
    ///
    /// # Errors
    /// The log has ended.
    pub fn confirmed(&self) -> BoxFuture<'_, Result<(), LogError>> {
        let mut ticket = None;
        Box::pin(poll_fn(move |cx| {
            let mut core = self.shared.core.lock();
            core.ended()?;
            let wanted = match ticket {
                Some(wanted) => wanted,
                None => {
                    let drawn = core.log.draw_ticket();
                    ticket = Some(drawn);
                    drawn
                }
            };
            if core.log.confirmed() >= wanted {
                return Poll::Ready(Ok(()));
            }
            if !core.confirm_wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                core.confirm_wakers.push(cx.waker().clone());
            }
            let mut actions = Actions::default();
            core.log.poll_send(self.shared.env.now_us(), &mut actions);
            self.shared.carry_out(core, actions);
            Poll::Pending
        }))
    }
}
